# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether services run, and why not."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services.readiness import progress, watched

APIS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1", "Service": "v1"}


def workload(kind="Deployment", name="cart", status=None, generation=1, **spec):
    return {
        "apiVersion": APIS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": "demo", "generation": generation},
        "spec": {"replicas": 2, **spec},
        "status": status or {},
    }


def pod(state=None, ready=False, conditions=(), **labels):
    container = {"name": "app", "image": "shop/cart:2", "ready": ready, "state": state or {}}
    status = {"containerStatuses": [container], "conditions": list(conditions)}
    meta = {"name": "cart-1", "namespace": "demo", "labels": {"app": "cart", **labels}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


def waiting(reason, message=""):
    return pod({"waiting": {"reason": reason, "message": message}})


def condition(name, value="True", **words):
    return {"type": name, "status": value, **words}


def counts(number, current=1, **more):
    keys = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    return {"observedGeneration": current, **dict.fromkeys(keys, number), **more}


def look(item, *others, **options):
    return progress(watched([item]), [item, *others], **{"seconds": 5, "limit": 60, **options})


@pytest.mark.parametrize(
    ("item", "done"),
    [
        pytest.param(workload(status=counts(2)), True, id="a Deployment"),
        pytest.param(workload(status=counts(1)), False, id="one of two pods"),
        pytest.param(workload(status=counts(2), generation=2), False, id="a change that nobody saw yet"),
        pytest.param(workload(status={**counts(2), "replicas": 3}), False, id="an old pod that is still there"),
        pytest.param(workload(status={**counts(2), "updatedReplicas": 1}), False, id="an old pod"),
        pytest.param(workload(replicas=0, status={"observedGeneration": 1}), True, id="no pod is wanted"),
        pytest.param(
            workload("StatefulSet", status=counts(2, currentRevision="a", updateRevision="a")), True, id="a StatefulSet"
        ),
        pytest.param(
            workload("StatefulSet", status=counts(2, currentRevision="a", updateRevision="b")), False, id="half updated"
        ),
        pytest.param(
            workload(
                "StatefulSet",
                status=counts(2, currentRevision="a", updateRevision="b"),
                updateStrategy={"type": "OnDelete"},
            ),
            True,
            id="updated when somebody deletes its pods",
        ),
        pytest.param(workload("Job", status={"conditions": [condition("Complete")]}), True, id="a Job that ended"),
        pytest.param(workload("Job", status={"active": 1, "ready": 1}), False, id="a Job that runs"),
        pytest.param(workload("Job", suspend=True), True, id="a Job that shall not run"),
    ],
)
def test_when_one_runs(item, done):
    assert look(item).done == done


def test_what_makes_no_pods_of_its_own_is_not_waited_for():
    found = watched([workload("CronJob"), workload("Service")])
    assert (found["running"], found["reads"], found["events"]) == ([], [], [])


@pytest.mark.parametrize(
    ("status", "pods", "says", "remedy"),
    [
        pytest.param({}, [], "demo/cart: its pods are starting", "describe pods -l app=cart", id="nobody says why"),
        pytest.param(
            {"conditions": [condition("ReplicaFailure", reason="FailedCreate", message="exceeded quota")]},
            [],
            "demo/cart: no pod can be created: exceeded quota",
            "a quota",
            id="no pod",
        ),
        pytest.param(
            {},
            [waiting("ErrImagePull", "not found")],
            "demo/cart: pod cart-1, container app (shop/cart:2): ErrImagePull: not found",
            "istio_services_image_pull_secrets",
            id="no image",
        ),
        pytest.param(
            {},
            [pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")])],
            "demo/cart: pod cart-1: Unschedulable: 0/1 nodes",
            "lower istio_services_resources",
            id="no node",
        ),
        pytest.param(
            {}, [pod({"running": {}})], "container app: runs but is not ready", "readiness_probe", id="not ready"
        ),
        pytest.param({}, [waiting("ContainerCreating")], "its pods are starting", "describe pods", id="just starting"),
        pytest.param(
            {}, [pod({"waiting": {"reason": "ErrImagePull"}}, app="x")], "its pods are starting", "describe",
            id="somebody else's pod",
        ),
    ],
)  # fmt: skip
def test_why_one_does_not_run(status, pods, says, remedy):
    found = look(workload(status=status), *pods, seconds=60)
    assert found.given_up
    assert found.sentence.startswith("0 of 1 services run after 60 s.\n")
    assert says in found.sentence
    assert remedy in found.sentence.partition("Remedy: ")[2]
    assert says[:60] in found.line


def test_pods_are_told_by_what_the_workload_selects():
    item = workload(selector={"matchLabels": {"run": "web"}})
    assert "ErrImagePull" in look(item, pod({"waiting": {"reason": "ErrImagePull"}}, run="web")).line
    assert "ErrImagePull" not in look(item, pod({"waiting": {"reason": "ErrImagePull"}})).line


@pytest.mark.parametrize(
    ("item", "pods", "given_up"),
    [
        pytest.param(workload(), [waiting("ErrImagePull")], False, id="an image may come yet"),
        pytest.param(workload(), [waiting("InvalidImageName")], True, id="a name that is none will not"),
        pytest.param(
            workload(status={"conditions": [condition("Progressing", "False")]}), [], True, id="Kubernetes gave up"
        ),
        pytest.param(
            workload("Job", status={"conditions": [condition("Failed", reason="BackoffLimitExceeded")]}), [], True,
            id="a Job that failed",
        ),
    ],
)  # fmt: skip
def test_when_time_does_not_help(item, pods, given_up):
    assert look(item, *pods, seconds=1).given_up == given_up


def test_it_is_given_up_when_the_time_is_over():
    assert not look(workload(), seconds=59).given_up
    assert look(workload(), seconds=60).given_up
    assert not look(workload(status=counts(2)), seconds=60).given_up


def test_the_last_warning_is_said_where_the_pods_do_not_say_why():
    def event(name, message, time, space="demo"):
        about = {"kind": "ReplicaSet", "name": name, "namespace": space}
        return {"involvedObject": about, "reason": "FailedCreate", "message": message, "lastTimestamp": time}

    events = [
        event("cart-7f", "second", "2026-11-28T00:00:02Z"),
        event("cart-7f", "first", "2026-11-28T00:00:01Z"),
        event("cartoon", "of another", "2026-11-28T00:00:03Z"),
        event("cart", "elsewhere", "2026-11-28T00:00:03Z", "shop"),
    ]
    sentence = look(workload(), seconds=60, events=events).sentence
    assert "(last warning: ReplicaSet cart-7f: FailedCreate: second)" in sentence
    assert "last warning" not in look(workload(), waiting("ErrImagePull"), seconds=60, events=events).sentence


def test_what_is_removed_is_waited_for():
    item = workload("Service")
    watch = watched(gone=[item])
    going = progress(watch, [item], 3, 60)
    assert not going.done
    assert (
        going.line
        == "0 of 1 objects are gone after 3 s (at most 60 s); waiting for demo/cart: Service is being removed"
    )
    assert "metadata.finalizers" in going.sentence
    assert progress(watch, []).done


def test_a_long_list_is_cut():
    items = [workload(name=f"s{number:02}") for number in range(14)]
    found = progress(watched(items), items, 60, 60)
    assert found.line.endswith("and 11 more")
    assert len(found.sentence.splitlines()) == 12
    assert found.sentence.endswith("And 4 more.")


def test_no_line_is_forged_by_what_a_pod_says():
    found = look(workload(), waiting("ErrImagePull", "x\nPLAY RECAP\x1b[2J"), seconds=60)
    assert found.line.isprintable()
    assert all(line.isprintable() for line in found.sentence.splitlines())
    assert len(found.sentence.splitlines()) == 2
