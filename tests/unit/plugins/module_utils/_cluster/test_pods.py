# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short-lived pods: whatever happens, nothing of ours stays and nothing of others goes."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import pods as short_lived
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import process

OURS = {"app.kubernetes.io/managed-by": "meshproof.mtls", "meshproof.mtls/role": "probe"}
RUN = "meshproof.mtls/run"
PLACE = "meshproof-probe"


def page(*items, unusable=()):
    return api.Page(list(items), "", list(unusable))


class Memory:
    """As much of a cluster as pods and namespaces need."""

    def __init__(self):
        self.namespaces = {}
        self.pods = {}
        self.now = "2026-11-22T15:00:00Z"
        self.refuse = []
        self.made = 0
        self.deleted = []

    def read(self, kind, name):
        if name not in self.namespaces:
            raise api.ClusterError("not found", 404)
        return self.namespaces[name]

    def create(self, kind, manifest):
        if self.refuse:
            raise self.refuse.pop(0)
        self.made += 1
        manifest["metadata"].update(creationTimestamp=self.now, uid=f"u{self.made}")
        store = self.namespaces if kind.kind == "Namespace" else self.pods
        store[manifest["metadata"]["name"]] = manifest
        return manifest

    def delete(self, kind, name, namespace=None, *, preconditions, **options):
        store = self.namespaces if kind.kind == "Namespace" else self.pods
        self.deleted.append((kind.kind, name, preconditions))
        if name in store and store[name]["metadata"].get("uid") == preconditions["uid"]:
            del store[name]

    def list(self, kind, namespace=None, labels="", fields=""):
        if kind.kind == "Event":
            yield page({"reason": "Failed", "message": "no such image."})
            return
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        yield page(
            *(
                pod
                for pod in self.pods.values()
                if pod["metadata"]["namespace"] == namespace and wanted.items() <= pod["metadata"]["labels"].items()
            )
        )


class Clock:
    """Time that goes on with pauses only; what waits without a pause waits forever, which a test must not."""

    def __init__(self):
        self.seconds = 1000.0
        self.looks = 0

    def sleep(self, seconds):
        self.seconds += seconds
        self.looks = 0

    def monotonic(self):
        self.looks += 1
        assert self.looks < 100, "it asks again and again and lets no time pass"
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(short_lived, "time", found)
    return found


@pytest.fixture
def memory():
    return Memory()


def session(memory, run="one", places=(PLACE,)):
    return api.ShortLivedPods(memory, places, OURS, RUN, run)


def pod(name="p", run="one", place=PLACE, **more):
    labels = {**OURS, RUN: run}
    return {"metadata": {"name": name, "namespace": place, "labels": labels, "uid": f"of {name}", **more}, "spec": {}}


def test_a_namespace_that_was_missing_goes_with_its_pods(memory):
    with session(memory) as pods:
        pods.start(pod())
        assert (list(memory.namespaces), list(memory.pods)) == ([PLACE], ["p"])
        assert memory.namespaces[PLACE]["metadata"]["labels"] == OURS
    assert (memory.namespaces, memory.pods) == ({}, {})


def test_a_namespace_of_others_stays(memory):
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": {"team": "x"}}}
    with session(memory) as pods:
        pods.start(pod())
    assert (list(memory.namespaces), memory.pods) == ([PLACE], {})


def test_a_probe_beside_us_keeps_its_pods_and_the_namespace(memory):
    with session(memory) as pods:
        pods.start(pod())
        memory.create(short_lived.POD, pod("other", "two"))
        assert pods.clear_leftovers() == []
    assert (list(memory.namespaces), list(memory.pods)) == ([PLACE], ["other"])


def test_each_namespace_is_cleared(memory):
    memory.namespaces["shop"] = {"metadata": {"name": "shop", "labels": {"team": "x"}}}
    with session(memory, places=(PLACE, "shop", PLACE)) as pods:
        pods.start(pod())
        pods.start(pod("q", place="shop"))
        assert sorted(memory.pods) == ["p", "q"]
    assert (list(memory.namespaces), memory.pods) == (["shop"], {})


def test_a_namespace_that_cannot_be_cleared_keeps_no_other(memory):
    list_all = memory.list

    def refuse(kind, namespace=None, **options):
        if namespace == "shop":
            raise api.ClusterError("no rights in shop", 403)
        return list_all(kind, namespace, **options)

    def run():
        with session(memory, places=("shop", PLACE)) as pods:
            pods.start(pod())
            memory.list = refuse

    with pytest.raises(api.ClusterError, match="no rights in shop"):
        run()
    assert (memory.namespaces, memory.pods) == ({}, {})


def test_only_the_very_objects_that_were_seen_are_deleted(memory):
    """Between looking and deleting somebody else can have made another one of the same name."""
    with session(memory) as pods:
        started = pods.start(pod())["metadata"]["uid"]
        made = memory.namespaces[PLACE]["metadata"]["uid"]
    assert memory.deleted == [("Pod", "p", {"uid": started}), ("Namespace", PLACE, {"uid": made})]


def test_a_pod_that_only_bears_our_labels_is_not_ours(memory):
    """Whoever can see them can copy them: to have it deleted, or with a finalizer to keep us waiting for it."""
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1"}}
    with session(memory) as pods:
        pods.start(pod())
        memory.pods["copied"] = pod("copied")
    assert (list(memory.namespaces), list(memory.pods)) == ([PLACE], ["copied"])


def test_a_pod_that_cannot_be_read_keeps_the_namespace(memory):
    everything = memory.list

    def with_a_strange_one(kind, namespace=None, labels="", fields=""):
        yield from everything(kind, namespace, labels, fields)
        if not labels:
            yield page(unusable=["strange"])

    with session(memory) as pods:
        pods.start(pod())
        memory.list = with_a_strange_one
    assert list(memory.namespaces) == [PLACE]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"labels": None}, id="no labels"),
        pytest.param({"labels": ["x"]}, id="labels that are none"),
        pytest.param({"annotations": "x"}, id="annotations that are none"),
        pytest.param({"annotations": dict.fromkeys(("meshproof.mtls/process",), 5)}, id="no text"),
        pytest.param({"creationTimestamp": "yesterday"}, id="a time that is none"),
        pytest.param({"creationTimestamp": None}, id="no time"),
    ],
)
@pytest.mark.parametrize("life", [None, 240, "240", -1, 10**30, {}], ids=str)
def test_strange_pods_of_others_stay_and_end_nothing(memory, change, life):
    strange = pod("strange", "two", **change)
    strange["spec"] = {"activeDeadlineSeconds": life}
    memory.list = lambda kind, namespace=None, labels="", fields="": iter([page(*memory.pods.values())])
    with session(memory) as pods:
        pods.start(pod())
        memory.pods["strange"] = strange
        assert pods.clear_leftovers() == []
    assert list(memory.pods) == ["strange"]


def test_nothing_interrupts_the_removal(memory):
    """A second signal, sent by whoever is impatient, must not leave pods behind."""
    before = signal.getsignal(signal.SIGTERM)
    delete, during = memory.delete, []

    def impatient(kind, name, namespace=None, **options):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        during.append(name)
        delete(kind, name, namespace, **options)

    memory.delete = impatient
    assert wait(memory, finished=("p", "q")) == {}
    assert during == ["p", "q", PLACE]
    assert (memory.namespaces, memory.pods) == ({}, {})
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_failure_is_told_with_what_could_not_be_removed(memory):
    def refuse(*arguments, **options):
        raise api.ClusterError("the pods cannot be deleted")

    def run():
        with session(memory) as pods:
            pods.start(pod())
            memory.delete = refuse
            raise api.ClusterError("out of luck")

    with pytest.raises(api.ClusterError, match=r"out of luck Moreover, .*the pods cannot be deleted"):
        run()


def test_what_others_wrote_is_made_visible(memory):
    with pytest.raises(api.ClusterError) as caught:
        wait(memory, problem="Failed\x1b[2K\nok: [host]")
    assert "Failed\\u001b[2K ok: [host]" in str(caught.value)
    lost = wait(memory, started=True, loss="Evicted\u202e\nx")
    assert lost == {"p": "Evicted\\u202e x"}


def test_pods_that_are_no_probes_keep_the_namespace(memory):
    with session(memory) as pods:
        pods.start(pod())
        memory.pods["foreign"] = {"metadata": {"name": "foreign", "namespace": PLACE, "labels": {}}, "spec": {}}
    assert (list(memory.namespaces), list(memory.pods)) == ([PLACE], ["foreign"])


@pytest.mark.parametrize(
    ("created", "life", "gone"),
    [
        pytest.param("2026-11-22T14:54:59Z", 240, True, id="a minute after its deadline"),
        pytest.param("2026-11-22T14:55:00Z", 240, False, id="a second before that"),
        pytest.param("2026-11-22T14:58:00Z", 240, False, id="before its deadline"),
        pytest.param("2025-11-20T14:58:59Z", 366 * 86400, True, id="after the longest life"),
        pytest.param("1990-11-20T14:58:59Z", 366 * 86400 + 1, False, id="a life longer than any probe's"),
    ],
)
def test_leftovers_go_when_their_probe_must_be_dead(memory, created, life, gone):
    """It is 15:00 by the API server's clock."""
    old = pod("old", "dead")
    old["metadata"]["creationTimestamp"] = created
    old["spec"]["activeDeadlineSeconds"] = life
    memory.pods["old"] = old
    with session(memory) as pods:
        pods.start(pod())
        assert pods.clear_leftovers() == (["old"] if gone else [])
        assert sorted(memory.pods) == (["p"] if gone else ["old", "p"])


def test_leftovers_of_a_dead_process_of_this_machine_go_at_once(memory):
    child = os.fork()
    if child == 0:
        os._exit(0)
    own = process.own_process()
    machine, _pid, _started = own.rsplit("/", 2)
    os.waitpid(child, 0)
    memory.pods["dead"] = pod("dead", "two", annotations={"meshproof.mtls/process": f"{machine}/{child}/1"})
    memory.pods["alive"] = pod("alive", "three", annotations={"meshproof.mtls/process": own})
    with session(memory) as pods:
        pods.start(pod())
        assert pods.clear_leftovers() == ["dead"]


@pytest.mark.parametrize("named", ["", "/", "a/b/c", "elsewhere/pid:[1]/1/2"])
def test_of_other_machines_processes_nothing_is_known(named):
    assert not process.has_died(named)


def test_this_process_lives():
    assert not process.has_died(process.own_process())
    assert process.has_died(process.own_process() + "0")


NO_ACCOUNT = 'error looking up service account meshproof-probe/default: serviceaccount "default" not found'
GOING = f"unable to create new content in namespace {PLACE} because it is being terminated"


@pytest.mark.parametrize(
    ("status", "reason", "seconds", "starts"),
    [
        pytest.param(403, NO_ACCOUNT, 1, True, id="a new namespace has no ServiceAccount yet"),
        pytest.param(403, NO_ACCOUNT, 19.5, True, id="for almost twenty seconds"),
        pytest.param(403, NO_ACCOUNT, 20, False, id="it never gets one"),
        pytest.param(403, GOING, 1, True, id="the namespace goes just now"),
        pytest.param(403, GOING, 59.5, True, id="for almost a minute"),
        pytest.param(403, GOING, 60, False, id="it never goes"),
        pytest.param(404, "not found", 59.5, True, id="it has gone between two questions"),
        pytest.param(404, "not found", 60, False, id="it is gone each time"),
        pytest.param(403, "no rights", 0, False, id="another refusal"),
    ],
)
def test_how_long_a_pod_is_tried_to_start(memory, clock, status, reason, seconds, starts):
    """`seconds` is when the API server would take it."""
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1"}}
    began, create = clock.seconds, memory.create

    def not_yet(kind, manifest):
        if clock.seconds - began < seconds or not starts:
            raise api.ClusterError(reason, status, reason)
        return create(kind, manifest)

    memory.create = not_yet
    with session(memory) as pods:
        if starts:
            assert pods.start(pod())["metadata"]["name"] == "p"
        else:
            with pytest.raises(api.ClusterError, match=reason):
                pods.start(pod())
    assert clock.seconds - began == seconds


def test_a_namespace_that_a_probe_beside_us_makes_first_is_used(memory):
    create = memory.create

    def too_late(kind, manifest):
        if kind.kind == "Namespace":
            create(kind, manifest)
            raise api.ClusterError("already exists", 409)
        return create(kind, manifest)

    memory.create = too_late
    with session(memory) as pods:
        assert pods.start(pod())["metadata"]["name"] == "p"


@pytest.mark.parametrize(("status", "fine"), [(403, True), (500, False)])
def test_with_rights_in_one_namespace_it_is_used_and_stays(memory, status, fine):
    """The namespace itself cannot be read then: somebody else has made it, and does not lose it."""
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1"}}

    def refuse(kind, name):
        raise api.ClusterError("namespaces is forbidden", status)

    memory.read = refuse

    def run():
        with session(memory) as pods:
            pods.start(pod())

    if fine:
        run()
        assert (list(memory.namespaces), memory.pods) == ([PLACE], {})
    else:
        with pytest.raises(api.ClusterError, match="namespaces is forbidden"):
            run()


def test_rights_in_one_namespace_and_no_such_namespace(memory):
    """It cannot be waited for: it is not being terminated, it is not there."""
    memory.refuse = [api.ClusterError("not found", 404)] * 3

    def refuse(kind, name):
        raise api.ClusterError("namespaces is forbidden", 403)

    memory.read = refuse
    with pytest.raises(api.ClusterError, match="not found"), session(memory) as pods:
        pods.start(pod())
    assert len(memory.refuse) == 2


def test_a_namespace_that_goes_meanwhile_is_gone(memory):
    with session(memory) as pods:
        pods.start(pod())
        memory.namespaces.clear()
    assert memory.pods == {}
    assert not [kind for kind, _name, _precondition in memory.deleted if kind == "Namespace"]


def test_a_namespace_that_may_not_be_made(memory):
    memory.refuse = [api.ClusterError("no rights for namespaces", 403)]
    with pytest.raises(api.ClusterError, match="no rights for namespaces"), session(memory) as pods:
        pods.start(pod())


def test_other_refusals_are_final(memory):
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1"}}
    memory.refuse = [api.ClusterError("no rights", 403, "no rights")]
    with pytest.raises(api.ClusterError, match="no rights"), session(memory) as pods:
        pods.start(pod())
    assert memory.namespaces == {}


@pytest.mark.parametrize("seconds", [0.5, 60])
def test_a_namespace_that_goes_is_waited_for(memory, clock, seconds):
    """A minute from the moment at which the pod is to start."""
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1", "deletionTimestamp": "now"}}
    began, read = clock.seconds, memory.read

    def until_it_has_gone(kind, name):
        if clock.seconds - began >= seconds and not memory.made:
            memory.namespaces.clear()
        return read(kind, name)

    memory.read = until_it_has_gone
    with session(memory) as pods:
        assert pods.start(pod())["metadata"]["name"] == "p"
    assert clock.seconds - began == seconds
    assert memory.namespaces == {}


def test_a_namespace_that_never_goes_is_named(memory, clock):
    conditions = [{"status": "True", "message": "Some content remains: pods"}, {"status": "False", "message": "x"}, 5]
    memory.namespaces[PLACE] = {
        "metadata": {"name": PLACE, "labels": {}, "deletionTimestamp": "now"},
        "status": {"conditions": conditions},
    }
    with (
        pytest.raises(api.ClusterError, match=r"terminating for too long \(Some content remains: pods\)\."),
        session(memory) as pods,
    ):
        pods.start(pod())
    assert clock.seconds == 1060.5


class Reading:
    """What is to be read out of every pod."""

    def __init__(self, problem=None, loss=None, started=False, finished=()):
        self.problem = problem
        self.loss = loss
        self.started = started
        self.finished = finished

    def is_finished(self, pod, containers):
        return pod["metadata"]["name"] in self.finished

    def has_started(self, pod, containers):
        return self.started

    def problem_of(self, pod):
        return self.problem

    def loss_of(self, pod):
        return self.loss

    def hindrance_of(self, pod):
        return "still Pending"


def wait(memory, meanwhile=lambda: None, timeout=60, **reading):
    """Start two pods, let something happen, wait; what was lost."""
    with session(memory) as pods:
        for name in ("p", "q"):
            pods.start(pod(name))
        meanwhile()
        return pods.wait({"p": ["c"], "q": ["c"]}, timeout, Reading(**{"finished": ("q",), **reading}))


@pytest.mark.parametrize(
    ("reading", "timeout", "message"),
    [
        (
            {"problem": "ImagePullBackOff: nope."},
            60,
            "did not run: ImagePullBackOff: nope. Last event: Failed: no such image.",
        ),
        ({}, 0, "did not run: not done within 0 s: still Pending. Last event: Failed: no such image."),
        ({"loss": "OutOfcpu: no"}, 60, "did not run: OutOfcpu: no. Last event: Failed: no such image."),
    ],
)
def test_a_pod_that_does_not_come_up(memory, reading, timeout, message):
    with pytest.raises(api.ClusterError) as caught:
        wait(memory, timeout=timeout, **reading)
    assert str(caught.value) == f"The pod {PLACE}/p {message}"
    assert (memory.namespaces, memory.pods) == ({}, {})


@pytest.mark.parametrize(
    ("reading", "timeout", "why"),
    [
        ({"loss": "Evicted: no disk"}, 60, "Evicted: no disk"),
        ({}, 0, "not done within 0 s: still Pending"),
    ],
)
def test_a_pod_that_is_stopped_at_its_work_is_lost(memory, reading, timeout, why):
    assert wait(memory, timeout=timeout, started=True, **reading) == {"p": why}
    assert (memory.namespaces, memory.pods) == ({}, {})


def test_a_pod_that_somebody_removes_is_lost(memory):
    assert wait(memory, lambda: memory.pods.pop("p")) == {"p": "it was deleted by somebody else"}


def test_all_pods_can_be_lost(memory):
    assert set(wait(memory, memory.pods.clear, finished=())) == {"p", "q"}


def test_nothing_is_lost(memory):
    assert wait(memory, finished=("p", "q")) == {}


@pytest.mark.parametrize("late", [False, True], ids=["in time", "after the time is up"])
def test_pods_are_looked_at_until_the_time_is_up(memory, clock, late):
    """At its very end, too: what has ended by then is in time."""
    seconds = 10.5 if late else 10

    class Ending(Reading):
        def is_finished(self, pod, containers):
            return containers == ["c"] and clock.seconds >= 1000 + seconds

    with session(memory) as pods:
        pods.start(pod())
        lost = pods.wait({"p": ["c"]}, 10, Ending(started=True))
    assert (lost, clock.seconds) == ({}, 1000 + seconds)


def test_a_pod_that_is_never_done_is_told_once_the_time_is_up(memory, clock):
    assert wait(memory, timeout=10, started=True) == {"p": "not done within 10 s: still Pending"}
    assert clock.seconds == 1010.5


def test_a_pod_that_is_lost_stays_lost_and_the_others_are_waited_for(memory, clock):
    """One is deleted before the other one has ended; that one must not be taken for lost as well."""

    class Ending(Reading):
        def is_finished(self, pod, containers):
            return clock.seconds >= 1005

    with session(memory) as pods:
        pods.start(pod("q"))
        assert pods.wait({"p": ["c"], "q": ["c"]}, 10, Ending()) == {"p": "it was deleted by somebody else"}
    assert clock.seconds == 1005


def test_why_a_pod_was_lost_is_what_was_seen_first(memory, clock):
    """It is asked about no more: what it says later is not why."""

    class Changing(Reading):
        def is_finished(self, pod, containers):
            return pod["metadata"]["name"] == "q" and clock.seconds >= 1005

        def loss_of(self, pod):
            if pod["metadata"]["name"] == "q":
                return None
            return "Evicted: no disk" if clock.seconds < 1001 else "something else"

    with session(memory) as pods:
        pods.start(pod())
        pods.start(pod("q"))
        assert pods.wait({"p": ["c"], "q": ["c"]}, 10, Changing(started=True)) == {"p": "Evicted: no disk"}


def test_a_pod_that_is_being_deleted_before_it_started_is_lost(memory):
    """Its deletion is somebody's wish: nothing has to be put right for that."""

    def delete():
        memory.pods["p"]["metadata"]["deletionTimestamp"] = "now"

    assert wait(memory, delete, loss="Deleted") == {"p": "Deleted"}


@pytest.mark.parametrize(
    ("events", "last"),
    [
        pytest.param([], "", id="none"),
        pytest.param(
            [("second", "2026-11-22T15:00:02Z"), ("first", "2026-11-22T15:00:01Z")], "second", id="the latest"
        ),
        pytest.param([("old", None), ("new", "2026-11-22T15:00:01Z")], "new", id="one without a time is older"),
        pytest.param([("new", "2026-11-22T15:00:01Z"), ("old", None)], "new", id="in whichever order"),
        pytest.param([("odd", 5), ("new", "2026-11-22T15:00:01Z")], "odd", id="a time that is a number ends nothing"),
        pytest.param(None, "", id="no right to read them"),
    ],
)
def test_the_last_event_is_told(memory, events, last):
    everything, asked = memory.list, []

    def listed(kind, namespace=None, labels="", fields=""):
        if kind.kind != "Event":
            yield from everything(kind, namespace, labels, fields)
            return
        asked.append((namespace, fields))
        if events is None:
            raise api.ClusterError("events is forbidden", 403)
        yield page(*({"reason": "Failed", "message": name, "lastTimestamp": when} for name, when in events))

    memory.list = listed
    with pytest.raises(api.ClusterError) as caught:
        wait(memory, problem="no image")
    assert str(caught.value).endswith(f"no image. Last event: Failed: {last}." if last else "did not run: no image.")
    assert asked == [(PLACE, "involvedObject.name=p,type=Warning")]


def test_a_log_is_text_whatever_was_printed(memory):
    asked = []

    def request(method, path, query):
        asked.append((method, path, query))
        return b"fine\xff"

    memory.request = request
    with session(memory) as pods:
        assert pods.log("shop", "p", "client") == "fine\ufffd"
    path = "/api/v1/namespaces/shop/pods/p/log"
    assert asked == [("GET", path, {"container": "client", "limitBytes": 32 * 1024 * 1024})]


def test_signals_are_heard_by_whoever_heard_them_before():
    """After a removal that failed, too."""
    before = signal.getsignal(signal.SIGTERM)
    memory = Memory()

    def refuse(*arguments, **options):
        raise api.ClusterError("no rights", 403)

    memory.list = refuse
    with pytest.raises(api.ClusterError, match="no rights"), session(memory):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_removes_everything_first(memory, number):
    before = signal.getsignal(number)
    with pytest.raises(api.Interrupted, match=number.name):
        wait(memory, lambda: os.kill(os.getpid(), number))
    assert (memory.namespaces, memory.pods) == ({}, {})
    assert signal.getsignal(number) == before


def test_a_process_is_named_by_machine_number_and_start():
    assert process.own_process().rsplit("/", 2)[1] == str(os.getpid())
    machine, started = process.own_process().rsplit("/", 2)[::2]
    assert process.has_died(f"{machine}/{2**22 + 1}/{started}")
    assert process.has_died(f"{machine}/{os.getpid()}x/{started}")


@pytest.mark.parametrize("named", [process.own_process()], ids=["this process"])
def test_where_the_system_does_not_tell_nothing_is_dead(monkeypatch, named):
    monkeypatch.setattr(process, "_BOOT", "/nonexistent/boot_id")
    assert process.own_process() == ""
    assert process.has_died(named + "0") is False


@pytest.mark.parametrize(
    ("namespace", "waits"),
    [
        pytest.param({"labels": OURS}, False, id="ours, and it is deleted"),
        pytest.param({"labels": OURS, "deletionTimestamp": "now"}, False, id="somebody deletes it already"),
        pytest.param(None, False, id="it is gone"),
        pytest.param({"labels": {"team": "x"}}, True, id="somebody else's"),
        pytest.param({"labels": None}, True, id="without labels"),
        pytest.param({"labels": {**OURS, "meshproof.mtls/role": "other"}}, True, id="of another role"),
    ],
)
def test_pods_are_waited_for_only_where_their_namespace_stays(memory, clock, namespace, waits):
    """What goes with its namespace goes for certain; elsewhere a pod that does not go is told."""
    memory.namespaces[PLACE] = {"metadata": {"name": PLACE, "labels": OURS, "uid": "1"}}
    delete = memory.delete

    def slowly(kind, name, where=None, **options):
        if kind.kind == "Namespace":
            delete(kind, name, where, **options)

    def run():
        with session(memory) as pods:
            pods.start(pod())
            memory.delete = slowly
            if namespace is None:
                memory.namespaces.clear()
            else:
                memory.namespaces[PLACE]["metadata"] = {"name": PLACE, "uid": "1", **namespace}

    if waits:
        with pytest.raises(api.ClusterError, match=f"Pods of this probe in {PLACE} are still terminating. Remedy: "):
            run()
    else:
        run()
    assert list(memory.pods) == ["p"]
    assert clock.seconds == (1020.5 if waits else 1000)


@pytest.mark.parametrize("seconds", [0, 0.5, 20])
def test_a_pod_that_goes_in_time_is_no_failure(memory, clock, seconds):
    memory.namespaces["shop"] = {"metadata": {"name": "shop", "labels": {"team": "x"}}}
    everything = memory.list

    def until_it_has_gone(kind, namespace=None, labels="", fields=""):
        if clock.seconds >= 1000 + seconds and memory.deleted:
            memory.pods.clear()
        return everything(kind, namespace, labels, fields)

    memory.list = until_it_has_gone
    with session(memory, places=("shop",)) as pods:
        pods.start(pod(place="shop"))
        memory.delete = lambda kind, name, namespace, **options: memory.deleted.append((name, namespace, options))
    assert clock.seconds == 1000 + seconds
    assert memory.deleted == [("p", "shop", {"gracePeriodSeconds": 1, "preconditions": {"uid": "u1"}})]


def test_pods_are_waited_for_where_the_namespace_may_not_be_read(memory, clock):
    """Somebody else made it then, and it stays."""

    def refuse(kind, name):
        raise api.ClusterError("namespaces is forbidden", 403)

    def run():
        with session(memory) as pods:
            pods.start(pod())
            memory.delete = lambda *arguments, **options: None

    memory.read = refuse
    with pytest.raises(api.ClusterError, match="still terminating"):
        run()
    assert clock.seconds == 1020.5


def test_a_namespace_that_somebody_deletes_already_is_not_deleted_again(memory):
    with session(memory) as pods:
        pods.start(pod())
        memory.namespaces[PLACE]["metadata"]["deletionTimestamp"] = "now"
    assert [kind for kind, _name, _precondition in memory.deleted] == ["Pod"]


def test_what_has_no_uid_is_deleted_by_no_other_ones(memory):
    """An API server matches no object with an empty one."""
    with session(memory) as pods:
        del pods.start(pod())["metadata"]["uid"]
        del memory.namespaces[PLACE]["metadata"]["uid"]
        memory.delete = lambda kind, name, namespace=None, *, preconditions, **options: (
            memory.pods.clear(),
            memory.deleted.append(preconditions),
        )
    assert memory.deleted == [{"uid": ""}, {"uid": ""}]
