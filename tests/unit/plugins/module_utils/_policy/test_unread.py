# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fail closed: what could not be read makes everything unknown that it could have changed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import KINDS
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import Problem
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import TOUCHES, Unread
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    edges,
    egress,
    headless,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port,
    rule,
    service,
    tls,
    workload,
)

U, M = "unknown -> unknown", "mtls -> mtls"
MESH = [mesh_config(), namespace("shop"), pod("cafe/c"), pod("cafe/b", "none"), pod("shop/a"), service("shop/a")]
RULE = [rule("shop/r", "a", tls("ISTIO_MUTUAL"))]
NAMESPACE_STRICT = [peer("shop/n", "STRICT")]


def gap(kind: str, where: str | None = None, **more: Any) -> dict[str, Any]:
    """An item of `unread`."""
    return {"kind": kind, "namespace": where, "reason": "forbidden", **more}


# title, objects, gap, mode of shop/a, answers for cafe/c and for cafe/b, which has no proxy
GAPS = [
    ("policies of the server", [], gap("PeerAuthentication", "shop"), "unknown", (U, "none -> unknown")),
    ("all policies", [], gap("PeerAuthentication"), "unknown", (U, "none -> unknown")),
    ("the mesh's policy", [], gap("PeerAuthentication", "istio-system"), "unknown", (U, "none -> unknown")),
    (
        "the mesh's policy, but the namespace decides",
        NAMESPACE_STRICT,
        gap("PeerAuthentication", "istio-system"),
        "STRICT",
        (M, "none -> broken"),
    ),
    ("policies elsewhere", [], gap("PeerAuthentication", "cafe"), "PERMISSIVE", (M, "none -> plaintext")),
    (
        "all but the ones that matter",
        [],
        gap("PeerAuthentication", None, **{"except": ["shop", "istio-system"]}),
        "PERMISSIVE",
        (M, "none -> plaintext"),
    ),
    ("rules of the client", [], gap("DestinationRule", "cafe"), "PERMISSIVE", (U, "none -> plaintext")),
    ("rules of the server", [], gap("DestinationRule", "shop"), "PERMISSIVE", (U, "none -> plaintext")),
    ("rules of root", [], gap("DestinationRule", "istio-system"), "PERMISSIVE", (U, "none -> plaintext")),
    (
        "rules of root, but the server's decides",
        RULE,
        gap("DestinationRule", "istio-system"),
        "PERMISSIVE",
        (M, "none -> plaintext"),
    ),
    ("rules elsewhere", [], gap("DestinationRule", "zoo"), "PERMISSIVE", (M, "none -> plaintext")),
    ("Sidecars of the client", [], gap("Sidecar", "cafe"), "PERMISSIVE", (U, "none -> plaintext")),
    ("Sidecars of root", [], gap("Sidecar", "istio-system"), "PERMISSIVE", (U, "none -> plaintext")),
    (
        "Sidecars of root, but the client has its own",
        [egress("cafe/s", "*/*")],
        gap("Sidecar", "istio-system"),
        "PERMISSIVE",
        (M, "none -> plaintext"),
    ),
    ("EnvoyFilters of the server", [], gap("EnvoyFilter", "shop"), "unknown", ("mtls -> unknown", "none -> unknown")),
    ("EnvoyFilters of root", [], gap("EnvoyFilter", "istio-system"), "unknown", (U, "none -> unknown")),
    ("AuthorizationPolicies", [], gap("AuthorizationPolicy"), "PERMISSIVE", (M, "none -> plaintext")),
]


@pytest.mark.parametrize(("title", "objects", "item", "mode", "answers"), GAPS, ids=[row[0] for row in GAPS])
def test_gaps(title, objects, item, mode, answers):
    result = judge(MESH, objects, unread=[item])
    assert workload(result, "shop/a")["mode"] == mode
    assert port(result, "shop/a", 8080)["plaintext"] == {"unknown": "unknown", "STRICT": "refused"}.get(
        mode, "accepted"
    )
    assert tuple(answer(result, client, "shop/a") for client in ("cafe/c", "cafe/b")) == answers
    entry = result["unknown"][0]
    assert (entry["kind"], entry["namespace"], entry["reason"]) == (item["kind"], item["namespace"], "forbidden")
    assert entry["touches"]


def test_the_mesh_config_that_was_not_read():
    """Root namespace and auto-mTLS could be anything; a client without a proxy still meets the server without one."""
    parts = [*MESH[1:], pod("shop/z", "none"), service("shop/z")]
    result = judge(parts, unread=[gap("ConfigMap", "istio-system")])
    assert workload(result, "shop/a")["mode"] == "unknown"
    assert answer(result, "cafe/c", "shop/a") == U
    assert answer(result, "cafe/b", "shop/z") == "none -> plaintext"


def test_no_mesh_config_at_all_means_defaults_and_a_note():
    result = judge(MESH[1:])
    assert workload(result, "shop/a")["mode"] == "PERMISSIVE"
    assert [row["kind"] for row in result["unknown"]] == ["ConfigMap"]


def test_pods_that_were_not_read_may_be_endpoints():
    result = judge(MESH, unread=[gap("Pod", "shop")])
    assert {row["endpoint"]: row["verdict"] for row in edges(result, "cafe/c", service="shop/a")} == {
        "shop/Deployment/a": "mtls",
        None: "unknown",
    }


def test_pods_that_were_not_read_may_turn_auto_mtls_off():
    parts = [mesh_config(), pod("cafe/c"), pod("shop/a"), headless("shop/a")]
    assert answer(judge(parts, unread=[gap("Pod", "shop")]), "cafe/c", "shop/a", endpoint="shop/Deployment/a") == U


@pytest.mark.parametrize("kind", ["Pod", "Namespace"])
def test_nothing_is_predicted_without_pods_or_labels(kind):
    found = [] if kind == "Namespace" else [namespace("shop", istio_injection="enabled")]
    result = judge(found, deployment("shop/a"), service("shop/a"), pod("cafe/c"), unread=[gap(kind)])
    assert workload(result, "shop/a")["mode"] == "unknown"
    assert workload(result, "shop/a")["ports"][0]["plaintext"] == "unknown"
    assert {row["verdict"] for row in edges(result, "cafe/c", service="shop/a")} == {"unknown"}


def test_webhooks_that_were_not_read():
    parts = [namespace("shop", rev="prod"), deployment("shop/a")]
    assert workload(judge(parts, unread=[gap("MutatingWebhookConfiguration")]), "shop/a")["mode"] == "unknown"


def test_endpoint_slices_that_were_not_read():
    result = judge(pod("cafe/c"), service("shop/s", selector=None), unread=[gap("EndpointSlice", "shop")])
    assert answer(result, "cafe/c", "shop/s", endpoint=None) == U


def test_endpoint_slices_that_were_not_read_may_add_to_what_a_service_selects():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), unread=[gap("EndpointSlice", "shop")])
    assert answer(result, "cafe/c", "shop/a", endpoint=None) == U


@pytest.mark.parametrize("item", ["x", {}, {"kind": 3}, {"kind": ""}, {"kind": "Pods"}, {"kind": "Secret"}])
def test_an_item_without_a_kind_that_is_read_is_an_error(item):
    with pytest.raises(ValueError, match=r"unread\[0\] names no kind that the engine reads. Remedy"):
        judge(unread=[item])


def test_an_item_with_an_odd_namespace_is_unread_everywhere():
    assert judge(unread=[{"kind": "Pod", "namespace": 3}])["unknown"][0]["namespace"] is None


@pytest.mark.parametrize("slip", ["demo ", "Demo", "demo\n", "démo", ""])
def test_an_item_whose_namespace_can_be_none_could_be_any(slip):
    gaps = [{"kind": "PeerAuthentication", "namespace": slip, "reason": "forbidden"}]
    result = judge(mesh_config(), pod("demo/a"), peer("demo/p", "STRICT"), unread=gaps)
    assert workload(result, "demo/a")["mode"] == "unknown"


def test_every_kind_that_is_read_can_be_unread():
    assert set(TOUCHES) == {kind.kind for kind in KINDS}


CLAIM = {"hosts": ["b.shop.svc.cluster.local"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}


@pytest.mark.parametrize("home", ["demo", None])
def test_what_a_service_entry_of_the_clients_own_may_claim_is_unknown_where_it_was_not_read(home):
    """Its own namespace's go before the Service that has the host."""
    world = [mesh_config(), pod("demo/a"), pod("shop/c"), pod("shop/b"), service("shop/b")]
    read = judge(*world, istio("ServiceEntry", "demo/claim", {**CLAIM, "endpoints": [{"address": "192.0.2.1"}]}))
    assert edges(read, "demo/a", service="shop/b") == []
    blind = judge(*world, unread=[{"kind": "ServiceEntry", "namespace": home, "reason": "forbidden"}])
    assert answer(blind, "demo/a", "shop/b") == "unknown -> unknown"


def test_a_service_entry_that_nobody_understands_betters_no_edge_of_its_namespace():
    odd = istio("ServiceEntry", "demo/claim", {**CLAIM, "resolution": "LATER"})
    result = judge(mesh_config(), pod("demo/a"), pod("shop/c"), pod("shop/b"), service("shop/b"), odd)
    assert answer(result, "demo/a", "shop/b") == "unknown -> unknown"
    assert answer(result, "shop/c", "shop/b") == "mtls -> mtls"


def hole(**fields: Any) -> dict[str, Any]:
    return {"kind": "Sidecar", "reason": "forbidden", **fields}


HOLES = [
    ("nothing", [], [], (False, False, False)),
    ("here", [hole(namespace="shop")], [], (True, False, True)),
    ("everywhere", [hole()], [], (True, True, True)),
    ("everywhere but here", [hole(**{"except": ["shop"]})], [], (False, True, True)),
    ("everywhere but there", [hole(**{"except": ["zoo"]})], [], (True, False, True)),
    ("everywhere but on both sides", [hole(**{"except": ["shop", "zoo"]})], [], (False, False, True)),
    ("twice, each but for one", [hole(**{"except": ["shop"]}), hole(**{"except": ["zoo"]})], [], (True, True, True)),
    ("where it is no name", [hole(namespace="No Name")], [], (True, True, True)),
    ("where it is no text", [hole(namespace=["shop"])], [], (True, True, True)),
    ("another kind", [{"kind": "Pod", "namespace": "shop"}], [], (False, False, False)),
    ("what cannot be understood here", [], [Problem("Sidecar", "shop", "s", "why")], (True, False, True)),
    ("what could be anything, here", [], [Problem("", "shop", "s", "why")], (True, False, True)),
    ("what could be anything, anywhere", [], [Problem("", None, "s", "why")], (True, True, True)),
    ("another kind that cannot be understood", [], [Problem("Pod", "shop", "s", "why")], (False, False, False)),
]


@pytest.mark.parametrize(("what", "items", "problems", "expected"), HOLES, ids=[row[0] for row in HOLES])
def test_where_something_may_exist_that_was_not_read(what, items, problems, expected):
    found = Unread(items, problems)
    covered = found.covers("Sidecar", "shop"), found.covers("Sidecar", "zoo"), found.anywhere("Sidecar")
    assert covered == expected, what


@pytest.mark.parametrize(
    ("items", "namespaces", "withheld"),
    [
        ([hole(namespace="shop")], {"shop"}, True),
        ([hole(namespace="shop")], {"zoo"}, False),
        ([hole(namespace="shop")], {"zoo", "shop"}, True),
        ([hole(namespace="shop")], None, True),
        ([hole()], {"zoo"}, True),
        ([hole()], set(), False),
        ([hole(**{"except": ["zoo"]})], {"zoo"}, False),
        ([hole(**{"except": ["zoo"]})], {"zoo", "shop"}, True),
        ([{"kind": "Pod"}], None, False),
        ([], None, False),
    ],
)
def test_what_the_caller_could_not_read_of_some_namespaces(items, namespaces, withheld):
    assert Unread(items, [Problem("Sidecar", "shop", "s", "why")]).withheld("Sidecar", namespaces) is withheld
