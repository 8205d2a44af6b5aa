# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each field of the Gateway API's objects; the rules for them are in test_gateways and test_routes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.reader import Reader
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    GatewayObject,
    Route,
    RouteTarget,
    Server,
    Snapshot,
    VirtualService,
)

GATEWAY = """
gatewayClassName: istio
listeners:
  - {name: without, port: 444, protocol: HTTPS}
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, hostname: a.example, tls: {certificateRefs: [{name: c}]}}
  - {name: pass, port: 8443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: mesh, port: 9443, protocol: TLS, tls: {options: {gateway.istio.io/tls-terminate-mode: ISTIO_MUTUAL}}}
  - {name: one, port: 9444, protocol: TLS, hostname: b.example,
     tls: {mode: Terminate, options: {gateway.istio.io/tls-terminate-mode: ISTIO_MUTUAL}}}
  - {name: tcp, port: 3306, protocol: TCP}
  - {name: dns, port: 53, protocol: UDP, tls: {}}
  - {name: tunnel, port: 15008, protocol: HBONE, tls: {}}
"""
ROUTE = """
parentRefs:
  - {group: "", kind: Service, name: web, port: 80}
  - {group: core, kind: Service, name: other, namespace: zoo}
  - {group: networking.istio.io, kind: ServiceEntry, name: e}
  - {kind: Gateway, name: g}
rules:
  - backendRefs:
      - {name: web, port: 8080, weight: 1}
      - {name: none, weight: 0}
      - {name: B.example, group: networking.istio.io, kind: Hostname, port: 443}
      - {name: far, namespace: zoo, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: inner}}}]}
    filters:
      - {type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}
      - {type: RequestMirror, requestMirror: {backendRef: {name: never}, percent: 0}}
      - {type: RequestMirror, requestMirror: {backendRef: {name: nothing}, fraction: {numerator: 0}}}
  - {filters: [{type: RequestRedirect}], backendRefs: [{name: gone}]}
"""


def read(kind: str, spec: str, **metadata: Any) -> Snapshot:
    """The records of one manifest shop/o."""
    reader = Reader()
    reader.add([{
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "o", "namespace": "shop", **metadata},
        "spec": yaml.safe_load(spec),
    }])  # fmt: skip
    snapshot = reader.snapshot()
    assert snapshot.problems == []
    return snapshot


def test_a_gateway():
    assert read("Gateway", GATEWAY).gateways == [
        GatewayObject(
            "shop",
            "o",
            None,
            {},
            (
                Server(80, "plaintext", hosts=("*",)),
                Server(443, "tls", hosts=("a.example",)),
                Server(8443, "passthrough", hosts=("*",)),
                Server(9443, "mtls", hosts=("*",)),
                Server(9444, "named", hosts=("b.example",)),
                Server(3306, "plaintext", hosts=("*",)),
            ),
            UNDATED,
            frozenset(("o-istio.shop.svc.cluster.local",)),
            managed=True,
        )
    ]


def of_class(name: str, listener: str = "port: 443, protocol: HTTPS, tls: {}", more: str = "") -> GatewayObject | None:
    found = read("Gateway", f"{{gatewayClassName: {name}, listeners: [{{{listener}}}]{more}}}").gateways
    return found[0] if found else None


@pytest.mark.parametrize(
    ("name", "https", "http"),
    [
        ("istio", "tls", "plaintext"),
        ("istio-east-west", "tls", "plaintext"),
        ("somebody-elses", "unknown", "plaintext"),
        ("''", "unknown", "plaintext"),
        ("istio-waypoint", None, None),
        ("istio-remote", None, None),
    ],
)
def test_what_is_known_of_a_class(name, https, http):
    by_tls, by_http = of_class(name), of_class(name, "port: 80, protocol: HTTP")
    assert [found and found.servers[0].serves for found in (by_tls, by_http)] == [https, http]


@pytest.mark.parametrize(
    ("listener", "serves"),
    [
        ("protocol: TCP, tls: {}", "tls"),
        ("protocol: TLS, tls: {mode: Terminate}", "tls"),
        ("protocol: HTTPS, tls: {mode: Other}", "unknown"),
        ("protocol: Other, tls: {}", "unknown"),
        ("protocol: Other", "plaintext"),
        ("protocol: HTTP, tls: {}", "plaintext"),
        ("protocol: HTTPS, tls: {options: {gateway.istio.io/tls-terminate-mode: MUTUAL}}", "tls"),
    ],
)
def test_what_a_listener_serves(listener, serves):
    found = of_class("istio", f"port: 443, {listener}")
    assert found is not None
    assert [server.serves for server in found.servers] == [serves]


OWN = "o-istio.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("addresses", "services", "managed"),
    [
        ("[]", {OWN}, True),
        ("[{value: 192.0.2.1}]", {OWN}, True),
        ("[{type: IPAddress, value: 192.0.2.1}]", {OWN}, True),
        ("[{type: Hostname, value: gw}]", {"gw.shop.svc.cluster.local"}, False),
        ("[{type: Hostname, value: gw.edge.svc.cluster.local}]", {"gw.edge.svc.cluster.local"}, False),
        ("[{type: Hostname, value: gw}, {value: other}]",
         {"gw.shop.svc.cluster.local", "other.shop.svc.cluster.local"}, False),
        ("[{type: Other, value: gw}]", set(), False),
        ("[{type: Hostname, value: gw}, {type: IPAddress, value: 192.0.2.1}]", {"gw.shop.svc.cluster.local"}, False),
    ],
)  # fmt: skip
def test_for_whose_pods_it_is(addresses, services, managed):
    found = of_class("istio", more=f", addresses: {addresses}")
    assert found is not None
    assert (found.services, found.managed) == (services, managed)


@pytest.mark.parametrize(
    ("name", "notes", "made"),
    [
        ("istio", {}, "o-istio"),
        ("istio-east-west", {}, "o"),
        ("istio", {"gateway.istio.io/name-override": "mine"}, "mine"),
        ("theirs", {}, "o-theirs"),
    ],
    ids=["by its class", "between networks", "by its annotation", "by another class"],
)
def test_what_istiod_calls_what_it_makes(name, notes, made):
    [found] = read("Gateway", f"{{gatewayClassName: {name}}}", annotations=notes).gateways
    assert found.services == {f"{made}.shop.svc.cluster.local"}


@pytest.mark.parametrize(
    ("allowed", "more"),
    [
        ("{}", False),
        ("{namespaces: {from: None}}", False),
        ("{namespaces: {from: All}}", True),
        ("{namespaces: {}}", False),
    ],
    ids=["nothing is said", "nobody", "everybody", "nothing is said of namespaces"],
)
def test_who_else_may_add_listeners(allowed, more):
    found = of_class("istio", more=f", allowedListeners: {allowed}")
    assert found is not None
    assert bool(found.more) is more


def to(host: str, port: int = 0) -> RouteTarget:
    return RouteTarget(host if "." in host else f"{host}.shop.svc.cluster.local", port, None)


TARGETS = (
    to("copy", 80),
    to("web", 8080),
    to("b.example", 443),
    to("inner"),
    to("far.zoo.svc.cluster.local"),
)


@pytest.mark.parametrize(
    ("kind", "speaks"), [("HTTPRoute", "http"), ("GRPCRoute", "http"), ("TLSRoute", "tls"), ("TCPRoute", "tcp")]
)
def test_a_route_for_the_mesh_is_one_for_each_of_its_parents(kind, speaks):
    def route(*ports: int) -> tuple[Route, ...]:
        return (Route(speaks, frozenset(ports), False, TARGETS),)

    found = read(kind, ROUTE, labels={"istio.io/rev": "canary"}).virtual_services
    assert found == [
        VirtualService("shop", "o", "canary", ("web.shop.svc.cluster.local",), (), route(80), kind=kind),
        VirtualService("shop", "o", "canary", ("other.zoo.svc.cluster.local",), (), route(), kind=kind),
        VirtualService("shop", "o", "canary", (), (), route(), kind=kind, entries=frozenset(("shop/e",))),
    ]


@pytest.mark.parametrize(
    ("backend", "doubt"),
    [
        ("{port: 80}", "a backend has no name"),
        ("{name: a, kind: Bucket, group: example.com}", "it leads to a Bucket, which is not followed"),
        ("{name: a, kind: Hostname}", "it leads to a Hostname, which is not followed"),
        ("{name: a, group: networking.istio.io}", "it leads to a Service, which is not followed"),
        ("{name: a, kind: Service, group: ''}", ""),
        ("{name: a, kind: Service, group: core}", ""),
    ],
)
def test_what_is_no_backend_that_is_followed(backend, doubt):
    spec = f"{{parentRefs: [{{group: '', kind: Service, name: web}}], rules: [{{backendRefs: [{backend}]}}]}}"
    [found] = read("HTTPRoute", spec).virtual_services
    assert found.doubt == doubt
