# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Istios there are: whose, how far, and used by whom."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import control_planes
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.istios import (
    BY_HELM,
    OURS,
    definition,
    injector,
    installed,
    istiod,
    record,
    release,
    thing,
    validator,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import namespace, pod

Manifest = dict[str, Any]
SYSTEM = namespace("istio-system")


UNREADABLE = {"sidecar.istio.io/status": "{", "istio.io/rev": "canary"}
WAYPOINT = {"gateway.networking.k8s.io/gateway-name": "edge"}


def ending(item: Manifest) -> Manifest:
    return {**item, "metadata": {**item["metadata"], "deletionTimestamp": "2026-03-01T00:00:00Z"}}


def told(*resources: Manifest, unread: Any = ()) -> dict[str, Any]:
    return control_planes(resources, unread)


def the_only(*resources: Manifest, unread: Any = ()) -> dict[str, Any]:
    [plane] = told(*resources, unread=unread)["control_planes"]
    return plane


def test_a_cluster_without_istio() -> None:
    found = told(namespace("shop"))
    assert (found["control_planes"], found["definitions"], found["namespace"]) == ([], None, None)


def test_what_the_role_installed() -> None:
    plane = the_only(*installed(), definition())
    assert {name: plane[name] for name in ("revision", "namespace", "version", "owner", "phase", "components")} == {
        "revision": "default",
        "namespace": "istio-system",
        "version": "1.31.1",
        "owner": "istio_install",
        "phase": "installed",
        "components": ["base", "istiod"],
    }
    assert plane["webhooks"] == [
        {"name": "istio-sidecar-injector", "labels": ["istio-injection=enabled", "istio.io/rev=default"]}
    ]
    assert plane["record"]["method"] == "helm"


@pytest.mark.parametrize(
    ("parts", "owner", "words"),
    [
        ([istiod(labels={}, annotations=BY_HELM), injector(labels={})], "helm", "Helm release istiod in istio-system"),
        (
            [istiod(labels={"install.operator.istio.io/owning-resource": "mine"}), injector(labels={})],
            "istioctl",
            "IstioOperator mine",
        ),
        ([istiod(labels={"app.kubernetes.io/managed-by": "sail-operator"}), injector(labels={})], "sail", "Sail"),
        ([istiod(home="aks-istio-system", labels={}), injector(home="aks-istio-system", labels={})], "aks", "AKS"),
        ([istiod(labels={}), injector(labels={})], "unknown", "left no sign"),
        ([istiod(), injector()], "istio_install", "whose record is not there"),
        ([injector(url="https://outside.test/inject", labels={})], "remote", "outside the cluster"),
        ([*installed(), injector("default", tag="prod", labels={})], "istio_install", "this role"),
        ([istiod(labels={}), injector(), record()], "unknown", "left no sign"),
        # A run that was killed before it labelled anything: Helm's mark and the record go together.
        ([istiod(labels={}, annotations=BY_HELM), record(phase="installing")], "istio_install", "this role"),
        ([istiod(labels={}, annotations=BY_HELM), injector(), record(method="istioctl")], "helm", "by Helm"),
    ],
    ids=[
        "Helm's annotations", "istioctl's label", "the Sail operator's label", "AKS's namespace", "no mark",
        "our label without a record", "a webhook that calls an address", "somebody's tag makes no other owner",
        "a record without marks", "Helm's release with our record", "Helm's release with a record of istioctl",
    ],
)  # fmt: skip
def test_whose_it_is(parts: list[Manifest], owner: str, words: str) -> None:
    plane = the_only(*parts)
    assert (plane["owner"], words in plane["owner_says"]) == (owner, True), plane["owner_says"]


@pytest.mark.parametrize(
    ("parts", "phase", "why"),
    [
        ([istiod(wanted=0, ready=None), injector(), record()], "broken", "scaled to 0"),
        ([istiod(ready=None), injector(), record()], "broken", "no replica"),
        ([istiod(), record()], "broken", "no injection webhook"),
        ([injector(), record()], "broken", "istio-system/istiod is not there"),
        ([istiod(wanted=None), injector(), record()], "installed", ""),
        ([istiod(), injector(), record(phase="installing")], "installing", "did not end"),
        ([*installed(), release("istiod", "pending-upgrade", 2)], "pending", "istiod is pending-upgrade"),
        ([*installed(), release("istiod", "pending-upgrade", 0)], "installed", ""),
        ([*installed(), release("grafana", "pending-install", 2)], "installed", ""),
    ],
    ids=[
        "scaled to 0", "not ready", "no webhook", "no Deployment", "replicas left out", "a killed run",
        "an open Helm operation", "an open operation that another one followed", "an open operation of something else",
    ],
)  # fmt: skip
def test_how_far_it_is(parts: list[Manifest], phase: str, why: str) -> None:
    plane = the_only(SYSTEM, *parts)
    assert (plane["phase"], why in plane["why"]) == (phase, True), plane["why"]


def test_what_a_user_of_one_namespace_makes_is_no_control_plane() -> None:
    """A record, an istiod and a release there are named at most, and change nothing of the real one."""
    forged = [
        record(home="shop"),
        istiod(home="shop"),
        release("istiod", "pending-install", 9, home="shop"),
        thing("DaemonSet", "ztunnel", "shop", "apps/v1"),
    ]
    found = told(*installed(), namespace("shop"), *forged)
    assert found["control_planes"] == told(*installed(), namespace("shop"))["control_planes"]
    assert (found["agents"], found["unasked"]) == ([], ["shop/istiod"])


@pytest.mark.parametrize(
    "broken",
    [{"objects": "{"}, {"objects": "[1]"}, {"objects": "{}"}, {"revision": "other"}, {"revision": 1}],
    ids=["no JSON", "no objects", "no list", "another revision than its name says", "a number for a revision"],
)
def test_a_record_that_is_none_is_named(broken: Manifest) -> None:
    whole = record("canary")
    found = told(SYSTEM, {**whole, "data": {**whole["data"], **broken}})
    assert found["control_planes"] == []
    assert found["namespace"]["bad_records"] == ["istio-system/meshproof-istio-install-canary"]


@pytest.mark.parametrize(
    ("users", "names", "pods"),
    [
        ([namespace("shop", rev="canary")], ["shop"], []),
        ([namespace("shop", rev="prod")], ["shop"], []),
        ([namespace("shop", istio_injection="enabled")], [], []),
        ([namespace("shop", rev="canary", istio_injection="disabled")], [], []),
        ([ending(namespace("shop", rev="canary"))], [], []),
        ([pod("shop/cart", revision="canary")], [], ["shop/cart-5f5-1"]),
        ([pod("shop/edge", "gateway", revision="canary")], [], ["shop/edge-5f5-1"]),
        ([pod("shop/cart", revision="default")], [], []),
        ([pod("shop/cart", "none", {"istio.io/rev": "canary"})], [], []),
        ([ending(pod("shop/cart", revision="canary"))], [], []),
        ([pod("shop/edge", "none", {**WAYPOINT, "istio.io/rev": "prod"})], [], ["shop/edge-5f5-1"]),
        ([pod("shop/a", "none", annotations=UNREADABLE)], [], ["shop/a-5f5-1"]),
    ],
    ids=[
        "by its label", "by a tag", "of the default revision", "opted out", "a namespace that ends", "a sidecar",
        "a gateway",
        "another revision's sidecar", "a pod without a proxy", "a pod that ends", "a Gateway's, by a tag",
        "a status that is no JSON",
    ],
)  # fmt: skip
def test_who_uses_it(users: list[Manifest], names: list[str], pods: list[str]) -> None:
    planes = told(*installed("canary"), injector("canary", tag="prod"), *users)["control_planes"]
    used = next(plane for plane in planes if plane["revision"] == "canary")["used_by"]
    assert ([item["name"] for item in used["namespaces"]], used["pods"]) == (names, pods)


def test_a_tag_that_webhooks_give_to_two_revisions_makes_both_used() -> None:
    hooks = [injector("canary", tag="prod"), {**injector("stable", tag="prod")}]
    hooks[1]["metadata"] = {**hooks[1]["metadata"], "name": "another"}
    planes = told(*installed("canary"), *installed("stable"), *hooks, namespace("shop", rev="prod"))["control_planes"]
    assert [[item["name"] for item in plane["used_by"]["namespaces"]] for plane in planes] == [["shop"], ["shop"]]


def test_the_ambient_mesh_uses_the_one_with_ztunnel() -> None:
    ztunnel = thing("DaemonSet", "ztunnel", "istio-system", "apps/v1", annotations={"istio.io/rev": "canary"})
    parts = [
        *installed(),
        *installed("canary"),
        ztunnel,
        namespace("mesh", dataplane_mode="ambient"),
        pod("mesh/a", "ambient"),
    ]
    used = {plane["revision"]: plane["used_by"] for plane in told(*parts)["control_planes"]}
    assert used["default"] == {"namespaces": [], "pods": []}
    assert used["canary"] == {
        "namespaces": [{"name": "mesh", "label": "istio.io/dataplane-mode=ambient"}],
        "pods": ["mesh/a-5f5-1"],
    }


def test_labels_that_no_webhook_answers_are_named() -> None:
    found = told(*installed(), namespace("old", rev="gone"), namespace("shop", istio_injection="enabled"))
    assert found["unanswered"] == [{"namespace": "old", "label": "istio.io/rev=gone"}]


@pytest.mark.parametrize(
    ("parts", "answers"),
    [
        ([validator(), istiod()], True),
        ([validator(), istiod(wanted=0)], False),
        ([validator("gone"), istiod()], False),
        ([validator(home="shop"), istiod(home="shop")], False),
    ],
    ids=["there", "scaled to 0", "of a removed revision", "in a namespace that no injection webhook names"],
)
def test_whether_a_validating_webhook_is_answered(parts: list[Manifest], answers: bool) -> None:
    assert [item["answers"] for item in told(SYSTEM, *parts)["validating"]] == [answers]


def test_a_tag_says_whose_it_is() -> None:
    parts = [*installed(), injector("default", tag="a"), injector("default", tag="b", labels={})]
    assert [(tag["name"], tag["owner"]) for tag in the_only(*parts)["tags"]] == [
        ("a", "istio_install"),
        ("b", "unknown"),
    ]


@pytest.mark.parametrize(
    ("kind", "phase"),
    [("Deployment", "unknown"), ("Secret", "installed"), ("MutatingWebhookConfiguration", "installed")],
)
def test_what_was_not_read_is_said_and_is_no_fault(kind: str, phase: str) -> None:
    gap = {"kind": kind, "namespace": None, "reason": "forbidden"}
    parts = [item for item in installed() if item["kind"] != kind]
    found = told(*parts, unread=[gap])
    assert found["unknown"] == [gap]
    assert [plane["phase"] for plane in found["control_planes"]] == [phase]


def test_the_owner_of_the_definitions() -> None:
    assert told(definition(), record())["definitions"]["owner"] == "istio_install"
    foreign = definition(**{"app.kubernetes.io/managed-by": "Helm"})
    assert told(foreign, record())["definitions"]["owner"] == "unknown"


def test_foreign_shapes_end_nothing() -> None:
    odd = [
        {**injector(), "webhooks": {"a": 1}},
        {**validator(), "webhooks": [{"clientConfig": []}]},
        {**istiod(), "spec": [], "status": 4},
        {**record(), "data": []},
        {**thing("Secret", "x", "istio-system"), "metadata": {"name": "x", "labels": 3}},
        {"kind": "Namespace"},
    ]
    assert [plane["revision"] for plane in told(*odd)["control_planes"]] == ["default"]


def test_the_marks_of_the_builders_are_the_roles() -> None:
    assert OURS["meshproof.mtls/role"] == "istio_install"
