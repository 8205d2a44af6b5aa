# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposed changes: the main keys describe the state after, `changes` what differs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.ages import PROPOSED
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import Pod
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.what_if import (
    Key,
    _aged,
    _dependents,
    _owners,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    judge,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
    workload,
)

MESH = [pod("cafe/c"), pod("cafe/b", "none"), pod("shop/a"), service("shop/a")]
STRICT = peer("shop/n", "STRICT")


def put(manifest: dict[str, Any]) -> dict[str, Any]:
    """A proposal to apply."""
    return {"op": "apply", "manifest": manifest}


def drop(manifest: dict[str, Any]) -> dict[str, Any]:
    """A proposal to delete."""
    return {"op": "delete", "manifest": manifest}


def test_strict_would_refuse_the_client_without_a_proxy():
    result = judge(MESH, proposed=[put(STRICT)])
    assert workload(result, "shop/a")["mode"] == "STRICT"
    assert result["changes"] == [
        {
            "what": "port",
            "workload": "shop/Deployment/a",
            "port": 8080,
            "before": {"port": 8080, "mode": "PERMISSIVE", "captured": True, "plaintext": "accepted"},
            "after": {"port": 8080, "mode": "STRICT", "captured": True, "plaintext": "refused"},
        },
        {
            "what": "edge",
            "clients": result["edges"][1]["clients"],
            "service": "shop/a",
            "host": "a.shop.svc.cluster.local",
            "port": 80,
            "subset": None,
            "endpoint": "shop/Deployment/a",
            "before": {
                "client_tls": "none",
                "verdict": "plaintext",
                "reason": "the client has no proxy; no PeerAuthentication sets a mode, so it is PERMISSIVE",
            },
            "after": {
                "client_tls": "none",
                "verdict": "broken",
                "reason": "the client has no proxy; PeerAuthentication shop/n is STRICT",
            },
        },
    ]
    assert result["change_client_sets"][result["changes"][1]["clients"]] == ["cafe/Deployment/b"]


def test_without_proposals_there_are_no_changes():
    assert "changes" not in judge(MESH)
    assert judge(MESH, proposed=[put(service("shop/a"))])["changes"] == []


def test_a_new_object_is_the_youngest_whatever_its_timestamp():
    older = peer("shop/z", "DISABLE", age=9)
    assert workload(judge(MESH, older, proposed=[put(peer("shop/a", "STRICT", age=1))]), "shop/a")["mode"] == "DISABLE"


def test_a_replaced_object_keeps_its_age():
    old, other = peer("shop/z", "DISABLE", age=1), peer("shop/y", "PERMISSIVE", age=2)
    result = judge(MESH, old, other, proposed=[put(peer("shop/z", "STRICT", age=None))])
    assert workload(result, "shop/a")["mode"] == "STRICT"


def test_delete():
    result = judge(MESH, STRICT, proposed=[drop(STRICT)])
    assert workload(result, "shop/a")["mode"] == "PERMISSIVE"
    assert {(row["what"], row["after"].get("plaintext") or row["after"]["verdict"]) for row in result["changes"]} == {
        ("port", "accepted"),
        ("edge", "plaintext"),
    }


def test_deleting_what_is_not_there_changes_nothing():
    assert judge(MESH, proposed=[drop(STRICT)])["changes"] == []


def test_steps_are_taken_in_order():
    assert judge(MESH, proposed=[put(STRICT), drop(STRICT)])["changes"] == []


def test_part_of_the_clients_changes():
    """Only those whose answer differs are named."""
    result = judge(MESH, pod("zoo/z"), proposed=[put(rule("cafe/r", "a.shop.svc.cluster.local", tls("DISABLE")))])
    (change,) = result["changes"]
    assert (change["before"]["verdict"], change["after"]["verdict"]) == ("mtls", "plaintext")
    assert result["change_client_sets"][change["clients"]] == ["cafe/Deployment/c"]


def test_a_new_service_has_no_before():
    result = judge(MESH, proposed=[put(service("shop/n", selector={"app": "a"}))])
    assert {(row["what"], row["before"]) for row in result["changes"]} == {("edge", None)}


def test_deleting_a_namespace_takes_all_of_it():
    result = judge(MESH, namespace("shop"), STRICT, proposed=[drop(namespace("shop"))])
    assert [row["id"] for row in result["workloads"]] == ["cafe/Deployment/b", "cafe/Deployment/c"]
    assert {row["after"] for row in result["changes"]} == {None}


def test_deleting_a_deployment_takes_its_pods():
    result = judge(MESH, deployment("shop/a"), proposed=[drop(deployment("shop/a"))])
    assert answer(result, "cafe/c", "shop/a", endpoint=None) == "mtls -> broken"


@pytest.mark.parametrize("metadata", [["x"], True, "x", None])
def test_a_pod_of_a_wrong_shape_belongs_to_no_deployment_that_is_deleted(metadata):
    nowhere = {**deployment("shop/a"), "metadata": {"name": "a", "namespace": []}}
    result = judge(MESH, {**pod("shop/z"), "metadata": metadata}, proposed=[drop(nowhere)])
    assert "Pod" in {gap["kind"] for gap in result["unknown"]}


def test_a_changed_template_replaces_the_pods_by_predicted_ones():
    parts = [MESH, namespace("shop", istio_injection="enabled"), deployment("shop/a")]
    changed = deployment("shop/a", labels={"sidecar.istio.io/inject": "false"})
    assert workload(judge(parts, proposed=[put(changed)]), "shop/a")["mesh"] == "none"
    assert workload(judge(parts, proposed=[put(deployment("shop/a"))]), "shop/a")["predicted"] is False


def test_a_label_on_a_namespace_does_not_change_running_pods():
    result = judge(
        pod("shop/a", "none"), namespace("shop"), proposed=[put(namespace("shop", istio_injection="enabled"))]
    )
    assert workload(result, "shop/a")["mesh"] == "none"
    assert result["changes"] == []


@pytest.mark.parametrize(
    "wrong",
    ["x", {}, {"op": "remove", "manifest": STRICT}, {"op": "apply"}, {"op": "apply", "manifest": {"kind": "Pod"}}],
)
def test_a_wrong_proposal_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"proposed\[0\]"):
        judge(MESH, proposed=[wrong])


# Parts of it by themselves.

APPS, BATCH = "apps", "batch"


def owned(kind: str, name: str) -> dict[str, Any]:
    """A manifest that belongs to another."""
    return {"metadata": {"ownerReferences": [{"kind": kind, "name": name}]}}


def running(kind: str, name: str, **labels: str) -> Pod:
    """A pod as it is kept; whose it is does not hang on its shape, so it has none."""
    return Pod("shop", "p", (kind, name), labels, None, "", "default")  # type: ignore[arg-type]


def there() -> dict[Key, list[Any]]:
    """What there is: two Deployments and their like, in two namespaces."""
    return {
        ("", "Namespace", "", "shop"): [{}],
        (APPS, "Deployment", "shop", "a"): [{}],
        (APPS, "ReplicaSet", "shop", "a-1"): [owned("Deployment", "a")],
        (APPS, "ReplicaSet", "zoo", "a-1"): [owned("Deployment", "a")],
        ("", "Pod", "shop", "by-name"): [running("Deployment", "a")],
        ("", "Pod", "shop", "by-set"): [running("ReplicaSet", "a-1")],
        ("", "Pod", "shop", "by-hash"): [running("Deployment", "x", **{"pod-template-hash": "1"})],
        ("", "Pod", "zoo", "elsewhere"): [running("Deployment", "a")],
        (BATCH, "CronJob", "shop", "c"): [{}],
        (BATCH, "Job", "shop", "c-1"): [owned("CronJob", "c")],
        (BATCH, "Job", "shop", "alone"): [{"metadata": None}],
        ("", "Pod", "shop", "of-job"): [running("Job", "c-1")],
        ("", "Pod", "shop", "of-set"): [running("StatefulSet", "a")],
        ("", "Service", "shop", "a"): [owned("Deployment", "a")],
    }


@pytest.mark.parametrize(
    ("kind", "namespace_", "name", "gone"),
    [
        pytest.param(
            "Deployment", "shop", "a", ["a-1", "by-name", "by-set"], id="a Deployment, its ReplicaSet and pods"
        ),
        pytest.param("ReplicaSet", "shop", "a-1", ["by-set"], id="a ReplicaSet and its pods"),
        pytest.param("ReplicaSet", "shop", "x-1", ["by-hash"], id="a pod that names its Deployment and has a hash"),
        pytest.param("Deployment", "shop", "x", ["by-hash"], id="the Deployment of that pod"),
        pytest.param("CronJob", "shop", "c", ["c-1", "of-job"], id="a CronJob, its Job and pods"),
        pytest.param("Job", "shop", "c-1", ["of-job"], id="a Job and its pods"),
        pytest.param("StatefulSet", "shop", "a", ["of-set"], id="of one name another kind"),
        pytest.param("Deployment", "zoo", "a", ["a-1", "elsewhere"], id="of one name another namespace"),
        pytest.param("Deployment", "shop", "none", [], id="nobody's"),
        pytest.param("Service", "shop", "a", [], id="what owns nothing"),
        pytest.param("Namespace", "", "zoo", ["a-1", "elsewhere"], id="all of a namespace"),
        pytest.param("Namespace", "", "a", [], id="a namespace of a workload's name"),
    ],
)
def test_what_goes_with_an_object(kind: str, namespace_: str, name: str, gone: list[str]) -> None:
    found = _dependents(there(), ("", kind, namespace_, name))
    assert [key[3] for key in found] == gone
    assert {key[2] for key in found} <= {namespace_ or name}


@pytest.mark.parametrize(
    ("thing", "owners"),
    [
        pytest.param({}, set(), id="no metadata"),
        pytest.param({"metadata": {"ownerReferences": None}}, set(), id="none"),
        pytest.param({"metadata": {"ownerReferences": {"kind": "a", "name": "b"}}}, set(), id="no list"),
        pytest.param(
            {"metadata": {"ownerReferences": ["x", {"kind": "Deployment", "name": "b"}]}},
            {("Deployment", "b")},
            id="one that is none",
        ),
        pytest.param(running("Job", "a", **{"pod-template-hash": "1"}), {("Job", "a")}, id="a hash beside a Job"),
        pytest.param(running("Deployment", "a"), {("Deployment", "a")}, id="no hash"),
        pytest.param(
            running("Deployment", "a", **{"pod-template-hash": "1"}),
            {("Deployment", "a"), ("ReplicaSet", "a-1")},
            id="a Deployment and a hash",
        ),
        pytest.param(
            running("Rollout", "a", **{"rollouts-pod-template-hash": "2"}),
            {("Rollout", "a"), ("ReplicaSet", "a-2")},
            id="a Rollout and its hash",
        ),
    ],
)
def test_to_whom_something_belongs(thing: Any, owners: set[tuple[str, str]]) -> None:
    assert _owners(thing) == owners


OLD, NEW = "2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("old", "stamp"),
    [
        pytest.param(None, PROPOSED, id="nothing is replaced"),
        pytest.param({"metadata": {"creationTimestamp": OLD}}, OLD, id="a time is kept"),
        pytest.param({"metadata": {}}, None, id="and so is none"),
        pytest.param({"metadata": {"creationTimestamp": None}}, None, id="and one that is null"),
        pytest.param({"metadata": "x"}, PROPOSED, id="what it replaces has no metadata"),
        pytest.param("x", PROPOSED, id="what it replaces is none"),
    ],
)
def test_the_age_of_a_proposal(old: Any, stamp: Any) -> None:
    given = {"kind": "X", "metadata": {"name": "a", "creationTimestamp": NEW}}
    found = _aged(given, old)
    assert found == {"kind": "X", "metadata": {"name": "a", **({"creationTimestamp": stamp} if stamp else {})}}
    assert given["metadata"]["creationTimestamp"] == NEW


def test_what_is_no_manifest_stays_a_misfit() -> None:
    assert len(judge(MESH, "no manifest", proposed=[put(STRICT)])["unknown"]) == len(judge(MESH, "x")["unknown"]) > 0
