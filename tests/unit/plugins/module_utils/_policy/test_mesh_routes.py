# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the Gateway API for a Service lead the requests of sidecars: what is met there counts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import MESH_ROUTES
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    edges,
    istio,
    judge,
    mesh_config,
    pod,
    service,
)

WEB = [{"name": "http-web", "port": 80, "targetPort": 8080}]
TCP = [{"name": "tcp-web", "port": 80, "targetPort": 8080}]
WORLD = [
    mesh_config(),
    pod("cafe/c"),
    *(part for name in ("safe", "two") for part in (pod(f"shop/{name}"), service(f"shop/{name}", ports=WEB))),
    pod("shop/bare", "none"),
    service("shop/bare", ports=WEB),
    pod("shop/raw"),
    service("shop/raw", ports=TCP),
    pod("shop/sealed"),
    service("shop/sealed", ports=[{"name": "tls-web", "port": 80, "targetPort": 8080}]),
]
SAFE = {"group": "", "kind": "Service", "name": "safe"}


def route(
    *backends: dict[str, Any] | str,
    parent: dict[str, Any] | None = None,
    kind: str = "HTTPRoute",
    where: str = "shop/r",
    **fields: Any,
) -> dict[str, Any]:
    refs = [{"name": item, "port": 80} if isinstance(item, str) else item for item in backends]
    home, name = where.split("/")
    spec = {"parentRefs": [parent or SAFE], "rules": [{"backendRefs": refs, **fields}]}
    metadata = {"name": name, "namespace": home}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def copy_to(name: str, **fields: Any) -> dict[str, Any]:
    mirror = {"backendRef": {"name": name, "port": 80}, **fields}
    return {"filters": [{"type": "RequestMirror", "requestMirror": mirror}]}


REDIRECT = {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}
BARE = {"name": "bare", "port": 80}
CASES = [
    ("to what is as good", route("two"), "mtls"),
    ("to a server without a proxy", route("bare"), "plaintext"),
    ("for some requests", route("bare", matches=[{"path": {"value": "/a"}}]), "plaintext"),
    ("of gRPC", route("bare", kind="GRPCRoute"), "plaintext"),
    ("of TCP, for a port of HTTP", route("bare", kind="TCPRoute"), "mtls"),
    ("for a part of the requests", route("safe", {**BARE, "weight": 1}), "plaintext"),
    ("for none of them", route("safe", {**BARE, "weight": 0}), "mtls"),
    ("for a copy", route("safe", **copy_to("bare")), "plaintext"),
    ("for a copy of a few", route("safe", **copy_to("bare", percent=1)), "plaintext"),
    ("for a copy of none", route("safe", **copy_to("bare", percent=0)), "mtls"),
    ("for a copy of a fraction that is none", route("safe", **copy_to("bare", fraction={"numerator": 0})), "mtls"),
    ("a copy by a backend", route({"name": "safe", "port": 80, **copy_to("bare")}), "plaintext"),
    ("with a redirect", route("bare", **REDIRECT), "mtls"),
    ("by a name of the mesh",
     route({"group": "networking.istio.io", "kind": "Hostname", "name": "bare.shop.svc.cluster.local", "port": 80}),
     "plaintext"),
    ("to another kind", route({"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "x"}),
     "unknown"),
    ("to a Service that nobody knows", route("nowhere"), "unknown"),
    ("for another port", route("bare", parent={**SAFE, "port": 81}), "mtls"),
    ("for this port", route("bare", parent={**SAFE, "port": 80}), "plaintext"),
    ("for another Service", route("bare", parent={**SAFE, "name": "two"}), "mtls"),
    ("for a Gateway", route("bare", parent={"name": "safe"}), "mtls"),
    ("of another namespace", route({**BARE, "namespace": "shop"}, parent={**SAFE, "namespace": "shop"}, where="zoo/r"),
     "plaintext"),
    ("a parent by another name", route("bare", parent={**SAFE, "namespace": "zoo"}), "mtls"),
]  # fmt: skip


@pytest.mark.parametrize(("lead", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_a_client_of_a_good_server_meets(lead: dict[str, Any], expected: str) -> None:
    assert met("shop/safe", lead) == {expected}


def met(place: str, *more: dict[str, Any], **options: Any) -> set[str]:
    return {row["verdict"] for row in edges(judge(WORLD, more, **options), "cafe/c", service=place)}


@pytest.mark.parametrize(("kind", "name"), [("TCPRoute", "raw"), ("TLSRoute", "sealed")])
def test_connections_are_led_too(kind: str, name: str) -> None:
    """By TLSRoutes those to a port of TLS (core/tls.go buildSidecarOutboundTLSFilterChainOpts)."""
    assert met(f"shop/{name}") == {"mtls"}
    assert met(f"shop/{name}", route("bare", parent={**SAFE, "name": name}, kind=kind)) == {"plaintext"}


def test_a_route_betters_nothing() -> None:
    """Rules are tried in an order of their own, and what none takes goes to the Service."""
    assert met("shop/bare", route("safe", parent={**SAFE, "name": "bare"})) == {"plaintext"}


def test_a_route_of_a_service_entry_is_for_its_hosts() -> None:
    entry = istio("ServiceEntry", "shop/e", {
        "hosts": ["far.example"], "location": "MESH_INTERNAL", "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "192.0.2.1", "labels": {"security.istio.io/tlsMode": "istio"}}],
    })  # fmt: skip
    parent = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "e"}
    assert met("shop/e", entry) == {"mtls"}
    assert met("shop/e", entry, route("bare", parent=parent)) == {"plaintext"}
    assert met("shop/e", entry, route("bare", parent={**parent, "name": "other"})) == {"mtls"}


def test_the_reason_names_the_route() -> None:
    rows = edges(judge(WORLD, route("bare")), "cafe/c", service="shop/safe")
    assert rows[0]["reason"].startswith("HTTPRoute shop/r leads requests to bare.shop.svc.cluster.local:80: ")


def test_a_virtual_service_of_the_same_name_is_another_object() -> None:
    lead = istio(
        "VirtualService", "shop/r", {"hosts": ["safe"], "http": [{"route": [{"destination": {"host": "two"}}]}]}
    )
    assert met("shop/safe", lead, route("bare")) == {"plaintext"}


@pytest.mark.parametrize("kind", MESH_ROUTES)
@pytest.mark.parametrize("namespace", ["cafe", "shop", "tenant", None])
def test_routes_that_were_not_read_could_lead_anywhere(kind: str, namespace: str | None) -> None:
    gap = {"kind": kind, "namespace": namespace, "reason": "forbidden"}
    assert met("shop/safe", unread=[gap]) == {"unknown"}


def test_a_route_of_a_wrong_shape_makes_its_own_hosts_unknown() -> None:
    wrong = route("bare", parent={**SAFE, "name": "two"}, filters="all")
    assert [met(place, wrong) for place in ("shop/two", "shop/safe")] == [{"unknown"}, {"mtls"}]
