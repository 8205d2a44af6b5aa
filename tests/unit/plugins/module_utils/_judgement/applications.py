# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications in the shapes in which Istio's samples and well-known demonstrations run."""

from __future__ import annotations

import zlib
from typing import Any

from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    egress,
    istio,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    subset,
)

Manifest = dict[str, Any]
INJECTED = {"istio_injection": "enabled"}


def address(name: str, network: str) -> str:
    """An address that follows from a name, so that no two objects share one."""
    number = zlib.crc32(name.encode()) & 0xFFFF
    return f"{network}.{number >> 8}.{number & 255}"


def server(
    where: str, port: int = 80, target: int = 8080, protocol: str = "http", proxy: str = "sidecar", **spec: Any
) -> list[Manifest]:
    """A pod that listens on `target`, and the Service before it."""
    ports = [{"name": protocol, "port": port, "targetPort": target}]
    front = service(where, ports=ports, clusterIP=address(where, "10.96"))
    return [listener(where, target, proxy=proxy, **spec), front]


def listener(where: str, *targets: int, version: str = "v1", proxy: str = "sidecar", **spec: Any) -> Manifest:
    """A pod of a version of an application."""
    ports = [{"containerPort": target} for target in targets]
    at = address(f"{where}-{version}", "10.244")
    labels = {"version": version, **spec.pop("labels", {})}
    return pod(where, proxy, labels=labels, ports=ports, number=int(version[1:]), ip=at, **spec)


def gateway_pod(name: str, home: str = "istio-system", **labels: str) -> list[Manifest]:
    """A gateway of Istio's own chart: ports 80 and 443 lead to 8080 and 8443, 15021 answers health checks."""
    ports = [
        {"name": "status-port", "port": 15021, "targetPort": 15021},
        {"name": "http2", "port": 80, "targetPort": 8080},
        {"name": "https", "port": 443, "targetPort": 8443},
    ]
    where = f"{home}/{name}"
    labels = {"istio": name.replace("istio-", ""), **labels}
    front = service(where, ports=ports, clusterIP=address(where, "10.96"), type="LoadBalancer")
    return [pod(where, "gateway", labels=labels, ip=address(where, "10.244")), front]


def served(where: str, selector: str, number: int, protocol: str = "HTTP", host: str = "*", **tls_: Any) -> Manifest:
    """A Gateway with one server."""
    entry: Manifest = {"port": {"number": number, "name": "main", "protocol": protocol}, "hosts": [host]}
    if tls_:
        entry["tls"] = tls_
    return istio("Gateway", where, {"selector": {"istio": selector}, "servers": [entry]})


def to(host: str, port: int = 0, part: str = "", weight: int = 0) -> Manifest:
    """One destination of a route."""
    place = {"host": host, **({"port": {"number": port}} if port else {}), **({"subset": part} if part else {})}
    return {"destination": place, **({"weight": weight} if weight else {})}


def routes(where: str, host: str, *http: Manifest, **spec: Any) -> Manifest:
    """A VirtualService for HTTP."""
    return istio("VirtualService", where, {"hosts": [host], "http": list(http), **spec})


def outside(where: str, host: str, *ports: tuple[int, str], resolution: str = "DNS", **spec: Any) -> Manifest:
    """A ServiceEntry for a host outside of the mesh."""
    listed = [{"number": number, "name": f"p{number}", "protocol": protocol} for number, protocol in ports]
    base: Manifest = {"hosts": [host], "location": "MESH_EXTERNAL", "resolution": resolution, "ports": listed}
    return istio("ServiceEntry", where, {**base, **spec})


def versions(where: str, host: str, *names: str, policy: Manifest | None = None) -> Manifest:
    """A DestinationRule with a subset for each version."""
    return rule(where, host, policy, subsets=[subset(name, version=name) for name in names])


def filters(where: str, *patches: Manifest, **labels: str) -> Manifest:
    """An EnvoyFilter of some workloads."""
    return istio("EnvoyFilter", where, {"workloadSelector": {"labels": labels}, "configPatches": list(patches)})


BASE = [mesh_config(), namespace("istio-system")]
DEMO = [*BASE, namespace("default", **INJECTED)]
INGRESS = gateway_pod("istio-ingressgateway")
EGRESS = gateway_pod("istio-egressgateway")
CURL = listener("default/curl", 8080)


# --- Bookinfo ---

BOOKS = [
    *server("default/productpage", 9080, 9080),
    *server("default/details", 9080, 9080),
    *server("default/reviews", 9080, 9080),
    listener("default/reviews", 9080, version="v2"),
    listener("default/reviews", 9080, version="v3"),
    *server("default/ratings", 9080, 9080),
]
BOOK_SUBSETS = [
    versions("default/reviews", "reviews", "v1", "v2", "v3"),
    versions("default/ratings", "ratings", "v1"),
]
BOOK_GATEWAY = [
    *INGRESS,
    served("default/books", "ingressgateway", 8080),
    routes("default/books", "*", {"route": [to("productpage", 9080)]}, gateways=["books"]),
]
BOOK_CANARY = routes("default/reviews", "reviews", {"route": [to("reviews", 0, "v1", 50), to("reviews", 0, "v3", 50)]})
BOOK_USERS = routes(
    "default/reviews",
    "reviews",
    {"match": [{"headers": {"end-user": {"exact": "reader"}}}], "route": [to("reviews", 0, "v2")]},
    {"route": [to("reviews", 0, "v1")]},
)
K8S_GATEWAY = [
    pod(
        "default/books-istio",
        "gateway",
        labels={"gateway.networking.k8s.io/gateway-name": "books"},
        ip="10.244.9.9",
    ),
    service(
        "default/books-istio",
        ports=[
            {"name": "status-port", "port": 15021, "targetPort": 15021},
            {"name": "http", "port": 80, "targetPort": 80},
        ],
        selector={"gateway.networking.k8s.io/gateway-name": "books"},
        clusterIP="10.96.9.9",
    ),
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "istio"},
        "spec": {"controllerName": "istio.io/gateway-controller"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "books", "namespace": "default"},
        "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "books", "namespace": "default"},
        "spec": {
            "parentRefs": [{"name": "books"}],
            "rules": [{"backendRefs": [{"name": "productpage", "port": 9080}]}],
        },
    },
]

# --- Tasks with one server and one client ---

HTTPBIN = [*server("default/httpbin", 8000, 8080), CURL]
HTTPBIN_TWO = [*HTTPBIN, listener("default/httpbin", 8080, version="v2")]
HELLO = [
    *server("default/helloworld", 5000, 5000),
    listener("default/helloworld", 5000, version="v2"),
    CURL,
]
LOCALITY = rule(
    "default/helloworld",
    "helloworld.default.svc.cluster.local",
    {
        "loadBalancer": {"simple": "ROUND_ROBIN", "localityLbSetting": {"enabled": True}},
        "outlierDetection": {"consecutive5xxErrors": 1},
    },
)
BREAKER = rule(
    "default/httpbin",
    "httpbin",
    {"connectionPool": {"tcp": {"maxConnections": 1}}, "outlierDetection": {"consecutive5xxErrors": 1}},
)
HTTPBIN_SUBSETS = versions("default/httpbin", "httpbin", "v1", "v2")
MIRROR = routes(
    "default/httpbin",
    "httpbin",
    {"route": [to("httpbin", 0, "v1", 100)], "mirror": to("httpbin", 0, "v2")["destination"]},
)


def ingress(mode: str) -> list[Manifest]:
    """httpbin behind a Gateway with TLS of this mode; PASSTHROUGH is routed by the name in the handshake."""
    host = "httpbin.example.com"
    if mode == "PASSTHROUGH":
        served_, kind = (
            {"mode": mode},
            {"tls": [{"match": [{"port": 443, "sniHosts": [host]}], "route": [to("httpbin")]}]},
        )
    else:
        served_, kind = {"mode": mode, "credentialName": "httpbin"}, {"http": [{"route": [to("httpbin", 8000)]}]}
    return [
        *INGRESS,
        served("default/secure", "ingressgateway", 443, "HTTPS", host, **served_),
        istio("VirtualService", "default/secure", {"hosts": [host], "gateways": ["secure"], **kind}),
    ]


# --- Rate limits ---

LOCAL_LIMIT = filters(
    "istio-system/local-limit",
    {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_INBOUND",
            "listener": {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}},
        },
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": "envoy.filters.http.local_ratelimit"}},
    },
    app="httpbin",
)
GLOBAL_LIMIT = filters(
    "istio-system/limit",
    {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "GATEWAY"},
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": "envoy.filters.http.ratelimit"}},
    },
    {
        "applyTo": "VIRTUAL_HOST",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"name": "", "route": {"action": "ANY"}}}},
        "patch": {"operation": "MERGE", "value": {"rate_limits": [{"actions": [{"request_headers": {}}]}]}},
    },
    istio="ingressgateway",
)
LIMITER = [*server("default/ratelimit", 8081, 8081, "grpc"), *server("default/redis", 6379, 6379, "redis")]

# --- Ways out of the mesh ---

NEWS = "news.example.com"
TO_GATEWAY = "istio-egressgateway.istio-system.svc.cluster.local"
NEWS_HTTP = outside("default/news", NEWS, (80, "HTTP"), (443, "HTTPS"))
ORIGINATED = [
    outside(
        "default/news",
        NEWS,
        ports=[
            {"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 443},
            {"number": 443, "name": "https", "protocol": "HTTPS"},
        ],
    ),
    rule(
        "default/news",
        NEWS,
        {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "SIMPLE"}}]},
    ),
]
WILDCARD = outside("default/wiki", "*.wiki.example.org", (443, "HTTPS"), resolution="NONE")


def through_gateway(gateway_tls: bool) -> list[Manifest]:
    """Requests for the news go over the egress gateway; with `gateway_tls` in the mesh's mutual TLS."""
    part: Manifest = {"name": "news"}
    if gateway_tls:
        entry = {"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL", "sni": NEWS}}
        part["trafficPolicy"] = {"portLevelSettings": [entry]}
    mode = {"mode": "ISTIO_MUTUAL"} if gateway_tls else {}
    return [
        *EGRESS,
        NEWS_HTTP,
        served("default/out", "egressgateway", 80, "HTTPS" if gateway_tls else "HTTP", NEWS, **mode),
        rule("default/out", TO_GATEWAY, subsets=[part]),
        routes(
            "default/out",
            NEWS,
            {"match": [{"gateways": ["mesh"], "port": 80}], "route": [to(TO_GATEWAY, 80, "news", 100)]},
            {"match": [{"gateways": ["out"], "port": 80}], "route": [to(NEWS, 443 if gateway_tls else 80)]},
            gateways=["out", "mesh"],
        ),
        *(
            [rule("default/news", NEWS, {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE"}}]})]
            if gateway_tls
            else []
        ),
    ]


# --- Ambient ---

ISTIOD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod", "istio.io/rev": "default"}},
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "discovery", "env": [{"name": "PILOT_ENABLE_AMBIENT", "value": "true"}]}]}
        }
    },
}
AMBIENT = [
    *BASE,
    ISTIOD,
    namespace("default", dataplane_mode="ambient"),
    *(
        part
        for app in ("productpage", "details", "reviews", "ratings")
        for part in server(f"default/{app}", 9080, 9080, proxy="ambient")
    ),
]
WAYPOINT = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "waypoint", "namespace": "default", "labels": {"istio.io/waypoint-for": "service"}},
        "spec": {
            "gatewayClassName": "istio-waypoint",
            "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}],
        },
    },
    {
        **(front := pod("default/waypoint", "gateway", ip="10.244.9.8")),
        "metadata": {
            **front["metadata"],
            "labels": {
                "app": "waypoint",
                "pod-template-hash": "5f5",
                "gateway.networking.k8s.io/gateway-name": "waypoint",
                "gateway.istio.io/managed": "istio.io-mesh-controller",
            },
        },
        "spec": {
            "containers": [{"name": "istio-proxy", "args": ["proxy", "waypoint"], "ports": [{"containerPort": 15090}]}]
        },
    },
    service(
        "default/waypoint",
        ports=[
            {"name": "status-port", "port": 15021, "targetPort": 15021},
            {"name": "mesh", "port": 15008, "targetPort": 15008},
        ],
        selector={"gateway.networking.k8s.io/gateway-name": "waypoint"},
        clusterIP="10.96.9.8",
    ),
]

# --- Whole applications ---

KUBERNETES_API = [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"provider": "kubernetes"}},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.10"]}],
        "ports": [{"name": "https", "port": 6443}],
    },
]
PARTS = ("ads", "cart", "catalogue", "checkout", "currency", "email", "payment", "recommendation", "shipping")
SHOP = [
    *DEMO,
    namespace("load"),
    *KUBERNETES_API,
    *INGRESS,
    *(part for name in PARTS for part in server(f"default/{name}", 7000, 8080, "grpc")),
    *server("default/cart-store", 6379, 6379, "tcp-redis"),
    *server("default/frontend", 80, 8080),
    service(
        "default/frontend-external",
        ports=[{"name": "http", "port": 80, "targetPort": 8080}],
        selector={"app": "frontend"},
        clusterIP="10.96.9.7",
        type="LoadBalancer",
    ),
    listener("load/generator", proxy="none"),
    served("default/shop", "ingressgateway", 80),
    routes("default/frontend-ingress", "*", {"route": [to("frontend", 80)]}, gateways=["shop"]),
    routes("default/frontend", "frontend.default.svc.cluster.local", {"route": [to("frontend", 80)]}),
    outside("default/apis", "*.apis.example.com", (80, "HTTP"), (443, "HTTPS"), resolution="NONE"),
    outside("default/metadata", "metadata.internal.example", (80, "HTTP"), addresses=["169.254.169.254"]),
    egress("default/default", "./*", "istio-system/*"),
]
ADDONS = [
    *server("istio-system/prometheus", 9090, 9090, proxy="none"),
    *server("istio-system/grafana", 3000, 3000, proxy="none"),
    *server("istio-system/kiali", 20001, 20001, proxy="none"),
]
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "operator"},
    "webhooks": [
        {
            "name": "check.operator.example",
            "clientConfig": {"service": {"name": "operator", "namespace": "operator", "port": 443}},
        }
    ],
}


def operator(proxy: str = "sidecar") -> list[Manifest]:
    """An operator whose admission webhook the API server calls."""
    return [
        *DEMO,
        namespace("operator", **(INJECTED if proxy == "sidecar" else {})),
        *server("operator/operator", 443, 9443, "https-webhook", proxy=proxy),
        *HTTPBIN,
        WEBHOOK,
    ]


LEGACY = [
    *BASE,
    *(
        part
        for home in ("foo", "bar")
        for part in (
            namespace(home, **INJECTED),
            *server(f"{home}/httpbin", 8000, 8080),
            listener(f"{home}/curl"),
        )
    ),
    namespace("legacy"),
    listener("legacy/curl", proxy="none"),
]
STRICT = peer("istio-system/default", "STRICT")
PERMISSIVE = peer("istio-system/default", "PERMISSIVE")
OPEN_WEBHOOK = peer("operator/webhook", "STRICT", {"app": "operator"}, {9443: "PERMISSIVE"})
