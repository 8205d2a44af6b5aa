# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposed changes: the main keys describe the state after, `changes` what differs."""

from __future__ import annotations

from typing import Any

import pytest
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
