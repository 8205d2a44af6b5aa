# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies that have not got the latest policies yet: who is asked again, and for how long."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._source import evidence
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import (
    ProbeOptions,
    ProxyOptions,
    TrafficOptions,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    CLIENT,
    SERVER,
    proxy,
    workload,
)

RESULT = {
    "workloads": [{**workload(name), "revision": "default"} for name in (SERVER, CLIENT)],
    "edges": [],
    "client_sets": {},
    "unknown": [],
}
OPTIONS = ProxyOptions(side_by_side=1, timeout=1, max_bytes=1024)
ASKING = evidence.Asking(
    [],
    [],
    OPTIONS,
    ProbeOptions(),
    TrafficOptions(),
    lambda: None,
    check_mode=False,
    warn=print,
    hide=print,
    addresses={},
)
BEFORE, AFTER = proxy(accepts="permissive"), proxy()


class Cluster:
    """Proxies that answer one after the other what they are told, and a clock that only sleeping moves."""

    def __init__(self, monkeypatch, *answers):
        self.answers = list(answers)
        self.asked = []
        self.upstreams = []
        self.now = 0.0
        monkeypatch.setattr(evidence.proxies, "read", self.read)
        monkeypatch.setattr(evidence.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(evidence.time, "sleep", self.sleep)

    def read(self, cluster, targets, upstreams, limits):
        self.asked.append([target.place for target in targets])
        self.upstreams.append(upstreams)
        server = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [item for item in (server, proxy(CLIENT)) if item.pod in self.asked[-1]]

    def sleep(self, seconds):
        self.now += seconds

    def gathered(self, settle):
        asking = ASKING._replace(sources=["declared", "programmed"], proxies=OPTIONS._replace(settle=settle))
        return evidence.gather(RESULT, asking)


BOTH, SERVER_ALONE = ["shop/a-1", "shop/c-1"], ["shop/a-1"]


@pytest.mark.parametrize(
    ("answers", "settle", "asked", "accepts"),
    [
        pytest.param([AFTER], 10, [BOTH], "strict", id="all agree at once"),
        pytest.param([BEFORE, BEFORE, AFTER], 10, [BOTH, SERVER_ALONE, SERVER_ALONE], "strict", id="a late one"),
        pytest.param([BEFORE], 2, [BOTH, SERVER_ALONE, SERVER_ALONE], "permissive", id="one that stays different"),
        pytest.param([BEFORE, AFTER], 0, [BOTH], "permissive", id="nobody is to wait"),
    ],
)
def test_only_who_contradicts_the_policies_is_asked_again(monkeypatch, answers, settle, asked, accepts):
    cluster = Cluster(monkeypatch, *answers)
    found = cluster.gathered(settle)
    assert cluster.asked == asked
    assert all(cluster.upstreams)
    assert [item.ports[0].accepts for item in found.proxies if item.workload == SERVER] == [accepts]
    assert found.seen["programmed"]["state"] == "seen"


def test_one_that_is_gone_when_it_is_asked_again_is_unknown(monkeypatch):
    cluster = Cluster(monkeypatch, BEFORE, proxy(answered=False, reason="it is gone"))
    found = cluster.gathered(10)
    assert (len(cluster.asked), found.seen["programmed"]["state"]) == (2, "partly")


SOURCES = {"programmed": "_proxies", "observed": "_wire", "traffic": "_traffic"}


@pytest.mark.parametrize("failing", SOURCES)
@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), MemoryError(), evidence.TrafficError("down")])
def test_what_one_source_did_not_foresee_takes_nothing_from_the_others(monkeypatch, failing, error):
    def fail(result, asking):
        raise error

    for source, name in SOURCES.items():
        monkeypatch.setattr(evidence, name, fail if source == failing else lambda result, asking: ([], "seen", ""))
    seen = evidence.gather(RESULT, ASKING._replace(sources=["declared", *SOURCES])).seen
    assert {source: seen[source]["state"] for source in SOURCES} == {
        source: "not seen" if source == failing else "seen" for source in SOURCES
    }
    assert seen[failing]["detail"]


def test_the_wire_is_asked_for_the_identities_that_the_policies_tell(monkeypatch):
    heard = []

    def probe(cluster, options, warn, hide, known):
        heard.append((known, options.target_namespaces, list(options.trust_domains)))
        return []

    monkeypatch.setattr(evidence.wire, "probe", probe)
    own, old = (f"spiffe://{domain}/ns/shop/sa/a" for domain in ("cluster.local", "old.example"))
    server = {**RESULT["workloads"][0], "identity": own, "identity_aliases": [old]}
    evidence.gather({**RESULT, "workloads": [server]}, ASKING._replace(sources=["observed"], namespaces=["shop"]))
    assert heard == [({"shop/a-1": (own, old)}, ["shop"], [])]


def gathered(source, asking=ASKING, result=None):
    found = evidence.gather(result or RESULT, asking._replace(sources=[source]))
    return found, (found.seen[source]["state"], found.seen[source]["detail"])


@pytest.mark.parametrize(
    ("gaps", "state", "detail"),
    [
        ([], "seen", "all that was read could be judged"),
        ([{}, {}], "partly", "2 things could not be read or judged"),
    ],
)
def test_how_far_the_policies_are_seen(gaps, state, detail):
    found = evidence.gather({**RESULT, "unknown": gaps}, ASKING)
    assert found.seen == {"declared": {"state": state, "detail": detail}}
    assert (found.proxies, found.targets, found.traffic) == (None, None, None)


def row(security):
    return {"security": security}


@pytest.mark.parametrize(
    ("rows", "gaps", "state"),
    [
        pytest.param(["mutual_tls", "plaintext"], [], "seen", id="all pairs tell"),
        pytest.param(["mutual_tls"], [{"reason": "x"}], "partly", id="something is missing"),
        pytest.param(["unknown", "plaintext"], [], "partly", id="one pair does not tell"),
        pytest.param(["unknown"], [], "not seen", id="none tells"),
        pytest.param([], [], "not seen", id="no traffic"),
        pytest.param([], [{"reason": "x"}], "not seen", id="no traffic and a gap"),
    ],
)
def test_how_far_traffic_is_seen(monkeypatch, rows, gaps, state):
    asked = []

    def read(options, connect):
        asked.append((options, connect))
        return {"traffic": list(map(row, rows)), "unknown": gaps, "window": 60}

    monkeypatch.setattr(evidence.traffic, "read", read)
    asking = ASKING._replace(namespaces=["shop"], traffic=TrafficOptions(window="1m"))
    found, said = gathered("traffic", asking)
    clear = sum(security != "unknown" for security in rows)
    assert said == (state, f"{clear} of {len(rows)} pairs of workloads in 60 s tell their security")
    assert found.traffic["traffic"] == list(map(row, rows))
    assert asked == [(TrafficOptions(window="1m", namespaces=["shop"]), ASKING.connect)]


@pytest.mark.parametrize(
    ("verdicts", "state", "clear"),
    [
        pytest.param(["strict", "plaintext"], "seen", 2, id="all ports answer clearly"),
        pytest.param(["strict", "unknown"], "partly", 1, id="one does not"),
        pytest.param(["unknown", "unknown"], "not seen", 0, id="none does"),
        pytest.param([], "not seen", 0, id="no port"),
    ],
)
def test_how_far_the_wire_is_seen(monkeypatch, verdicts, state, clear):
    answers = [{"verdict": verdict} for verdict in verdicts]
    monkeypatch.setattr(evidence.wire, "probe", lambda *_given: answers)
    found, said = gathered("observed")
    assert (found.targets, said) == (answers, (state, f"{clear} of {len(verdicts)} ports answered clearly"))


def probed(monkeypatch, asking=ASKING, result=None):
    """What the wire is asked with: the connection, the namespaces, the revision, and who takes warnings and secrets."""
    heard = []
    monkeypatch.setattr(evidence.wire, "probe", lambda *given: heard.append(given) or [])
    said = gathered("observed", asking, result)[1]
    return said, [
        (cluster, options.target_namespaces, options.revision, *more) for cluster, options, *more, _known in heard
    ]


def test_no_pod_is_made_in_check_mode(monkeypatch):
    said, heard = probed(monkeypatch, ASKING._replace(check_mode=True))
    assert (said, heard) == (("not asked", "in check mode no pod is made"), [])


def test_no_pod_is_made_where_nobody_is_in_the_mesh(monkeypatch):
    outside = {**RESULT, "workloads": [{**item, "mesh": "none"} for item in RESULT["workloads"]]}
    said, heard = probed(monkeypatch, result=outside)
    assert (said, heard) == (("not seen", "no namespace has a workload in the mesh"), [])


def revisions(**namespaces):
    workloads = [
        {**workload(f"{namespace}/Deployment/{number}", mesh=mesh), "revision": revision}
        for namespace, found in namespaces.items()
        for number, (mesh, revision) in enumerate(found)
    ]
    return {**RESULT, "workloads": workloads}


@pytest.mark.parametrize(
    ("given", "result", "namespaces", "revision"),
    [
        pytest.param({}, revisions(b=[("sidecar", "x")], a=[("sidecar", "y")]), ["a", "b"], "x", id="all in the mesh"),
        pytest.param(
            {"namespaces": ["b"]}, revisions(b=[("sidecar", "x")], a=[("sidecar", "a")]), ["b"], "x", id="the audit's"
        ),
        pytest.param(
            {"namespaces": ["b"], "probe": ProbeOptions(target_namespaces=["a"])},
            revisions(b=[("sidecar", "b")], a=[("sidecar", "y")]),
            ["a"],
            "y",
            id="the probe's own come first",
        ),
        pytest.param(
            {"probe": ProbeOptions(revision="z")}, revisions(a=[("sidecar", "y")]), ["a"], "z", id="a revision is given"
        ),
        pytest.param({}, revisions(a=[("sidecar", None), ("sidecar", "y")]), ["a"], "y", id="one has no revision"),
        pytest.param({}, revisions(a=[("gateway", "g"), ("sidecar", "y")]), ["a"], "y", id="gateways inject nothing"),
        pytest.param({"namespaces": ["a"]}, revisions(a=[("none", None)]), ["a"], "", id="there is none"),
    ],
)
def test_where_and_by_which_revision_the_wire_is_asked(monkeypatch, given, result, namespaces, revision):
    lent = object()
    said, heard = probed(monkeypatch, ASKING._replace(connect=lambda: lent, warn=repr, hide=str, **given), result)
    assert heard == [(lent, namespaces, revision, repr, str)], said


class Proxies:
    """Proxies of which some answer, and with which limits they are asked."""

    def __init__(self, monkeypatch, answering):
        self.asked = []
        self.answering = answering
        monkeypatch.setattr(evidence.proxies, "read", self.read)
        monkeypatch.setattr(evidence.proxies, "require_library", lambda: None)

    def read(self, cluster, targets, upstreams, limits):
        self.asked.append((cluster, [target.place for target in targets], upstreams, limits))
        identifiers = {"shop/a-1": SERVER, "shop/c-1": CLIENT}
        return [
            proxy(identifiers[target.place], answered=target.place in self.answering, reason="") for target in targets
        ]


@pytest.mark.parametrize(
    ("answering", "state"),
    [(["shop/a-1", "shop/c-1"], "seen"), (["shop/a-1"], "partly"), ([], "not seen")],
    ids=["all answer", "one does not", "none does"],
)
def test_how_far_the_proxies_are_seen(monkeypatch, answering, state):
    Proxies(monkeypatch, answering)
    found, said = gathered("programmed", ASKING._replace(proxies=OPTIONS._replace(settle=0)))
    detail = f"{len(answering)} of 2 proxies that were asked answered; the mesh has 2"
    assert (len(found.proxies), said) == (2, (state, detail))


TWO_PODS = {**RESULT, "workloads": [{**RESULT["workloads"][0], "pods": ["a-1", "c-1"]}]}


@pytest.mark.parametrize(
    ("options", "asked", "state"),
    [
        ({"sample": 1}, ["shop/a-1"], "partly"),
        ({"sample": 0}, ["shop/a-1"], "partly"),
        ({"sample": 2}, ["shop/a-1", "shop/c-1"], "seen"),
        ({"sample": 1, "all": True}, ["shop/a-1", "shop/c-1"], "seen"),
    ],
    ids=["one of each", "less than one", "two of each", "all"],
)
def test_a_sample_is_not_all(monkeypatch, options, asked, state):
    heard = Proxies(monkeypatch, asked)
    said = gathered("programmed", ASKING._replace(proxies=OPTIONS._replace(settle=0, **options)), TWO_PODS)[1]
    assert (heard.asked[0][1], said[0]) == (asked, state)
    assert said[1].endswith("; the mesh has 2")


@pytest.mark.parametrize(("side_by_side", "used"), [(0, 1), (1, 1), (7, 7)])
def test_proxies_are_asked_within_the_limits(monkeypatch, side_by_side, used):
    lent = object()
    heard = Proxies(monkeypatch, ["shop/a-1"])
    options = ProxyOptions(side_by_side=side_by_side, timeout=3, max_bytes=5, total_timeout=9, settle=0)
    gathered("programmed", ASKING._replace(proxies=options, connect=lambda: lent, namespaces=["shop"]))
    [(cluster, places, upstreams, limits)] = heard.asked
    assert (cluster, places, upstreams) == (lent, ["shop/a-1", "shop/c-1"], True)
    assert limits == evidence.proxies.Limits(used, 3, 5, 9)


def test_of_other_namespaces_no_proxy_is_asked(monkeypatch):
    heard = Proxies(monkeypatch, [])
    found, said = gathered("programmed", ASKING._replace(namespaces=["elsewhere"]))
    assert (found.proxies, said, heard.asked) == ([], ("not seen", "there is no proxy to ask"), [])


EMPTY = {"traffic": [], "window": 0, "source": "", "queries": [], "unknown": [], "summary": {}}


@pytest.mark.parametrize(
    ("source", "field", "nothing"),
    [("programmed", "proxies", []), ("observed", "targets", []), ("traffic", "traffic", EMPTY)],
)
@pytest.mark.parametrize(
    "error",
    [
        evidence.api.ClusterError("down"),
        evidence.TrafficError("down"),
        evidence.choice.ChoiceError("down"),
        evidence.plan.TargetError("down"),
        KeyError("down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_is_asked_and_gave_nothing(monkeypatch, source, field, nothing, error):
    def fail(result, asking):
        raise error

    monkeypatch.setattr(evidence, SOURCES[source], fail)
    found, (state, detail) = gathered(source)
    assert (getattr(found, field), state) == (nothing, "not seen")
    foreseen = not isinstance(error, KeyError)
    assert detail == ("down" if foreseen else evidence._unforeseen(error))
    assert foreseen or "nobody foresaw (KeyError: 'down'). Remedy: report this" in detail
    others = {"proxies", "targets", "traffic"} - {field}
    assert [getattr(found, name) for name in others] == [None, None]


def test_without_the_library_no_proxy_is_asked(monkeypatch):
    def missing():
        raise evidence.api.ClusterError("it is missing. Remedy: install it.")

    heard = Proxies(monkeypatch, ["shop/a-1"])
    monkeypatch.setattr(evidence.proxies, "require_library", missing)
    found, said = gathered("programmed")
    assert (found.proxies, said, heard.asked) == ([], ("not seen", "it is missing. Remedy: install it."), [])


def test_what_nobody_foresaw_is_told_in_a_few_words():
    detail = evidence._unforeseen(KeyError("x" * 1000))
    assert 180 < detail.count("x") <= 200


def test_nothing_live_is_asked_beside_a_file():
    """No connection and no Prometheus: `connect` would raise here."""
    asking = ASKING._replace(sources=["declared", "programmed", "observed", "traffic"], offline="a file is judged")
    found = evidence.gather({"workloads": [], "unknown": []}, asking)
    assert (found.proxies, found.targets, found.traffic) == (None, None, None)
    for source in ("programmed", "observed", "traffic"):
        assert found.seen[source] == {"state": "not asked", "detail": "a file is judged"}
