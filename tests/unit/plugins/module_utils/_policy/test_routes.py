# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices lead requests elsewhere: what is met there counts, and the worst of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    egress,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
)

WEB = [{"name": "http-web", "port": 80, "targetPort": 8080}]
TCP = [{"name": "tcp-web", "port": 80, "targetPort": 8080}]
WORLD = [
    mesh_config(),
    pod("cafe/c"),
    pod("shop/safe"),
    service("shop/safe", ports=WEB),
    pod("shop/two"),
    service("shop/two", ports=WEB),
    pod("shop/bare", "none"),
    service("shop/bare", ports=WEB),
]


def to(host: str, port: int = 0, subset: str = "") -> dict[str, Any]:
    destination: dict[str, Any] = {"host": host}
    if port:
        destination["port"] = {"number": port}
    if subset:
        destination["subset"] = subset
    return {"destination": destination}


def routes(*http: dict[str, Any], host: str = "safe", **spec: Any) -> dict[str, Any]:
    return istio("VirtualService", "shop/v", {"hosts": [host], "http": list(http), **spec})


def verdict(*more: dict[str, Any], host: str = "safe", unread: Any = ()) -> tuple[str, str]:
    """What the client meets, and why."""
    result = judge([*WORLD, *more], unread=list(unread))
    found = [
        (edge["verdict"], edge["reason"])
        for edge in result["edges"]
        if edge["host"] == f"{host}.shop.svc.cluster.local"
        and edge["subset"] is None
        and "cafe/Deployment/c" in result["client_sets"][edge["clients"]]
    ]
    assert len(found) == 1
    return found[0]


PATH = [{"uri": {"prefix": "/a"}}]
SUBSETS = istio("DestinationRule", "shop/d", {"host": "safe", "subsets": [{"name": "v1", "labels": {"app": "safe"}}]})
CASES = [
    ("no route at all", [], "mtls"),
    ("subsets by weight", [SUBSETS, routes({"route": [to("safe", subset="v1"), to("safe")]})], "mtls"),
    ("a canary that is as good", [routes({"route": [to("safe"), to("two")]})], "mtls"),
    ("other paths, redirects and faults",
     [routes({"match": PATH, "rewrite": {"uri": "/"}, "route": [to("safe")]}, {"redirect": {"uri": "/x"}})], "mtls"),
    ("a host without a proxy", [routes({"route": [to("bare")]})], "plaintext"),
    ("a host without a proxy for a path", [routes({"match": PATH, "route": [to("bare")]})], "plaintext"),
    ("a host without a proxy, some of the time", [routes({"route": [to("safe"), to("bare")]})], "plaintext"),
    ("a copy to a host without a proxy", [routes({"route": [to("safe")], "mirror": {"host": "bare"}})], "plaintext"),
    ("one of several copies",
     [routes({"route": [to("safe")], "mirrors": [{"destination": {"host": "bare"}}]})], "plaintext"),
    ("a host that nobody knows", [routes({"route": [to("nowhere.example.com")]})], "unknown"),
    ("a port that nobody knows", [routes({"route": [to("two", 81)]})], "unknown"),
    ("by its full name", [routes({"route": [to("bare.shop.svc.cluster.local")]}, host="safe.shop.svc.cluster.local")],
     "plaintext"),
    ("by a shorter name", [routes({"route": [to("bare.shop.svc.cluster.local")]}, host="safe.shop")], "plaintext"),
    ("by a pattern", [routes({"match": PATH, "route": [to("bare")]}, host="*.shop.svc.cluster.local")], "plaintext"),
    ("for a gateway only", [routes({"route": [to("bare")]}, gateways=["g"])], "mtls"),
    ("for a gateway and the mesh", [routes({"route": [to("bare")]}, gateways=["g", "mesh"])], "plaintext"),
    ("a route for a gateway", [routes({"match": [{"gateways": ["g"]}], "route": [to("bare")]}, {"route": [to("safe")]},
                                      gateways=["g", "mesh"])], "mtls"),
    ("for another port", [routes({"match": [{"port": 81}], "route": [to("bare")]}, {"route": [to("safe")]})], "mtls"),
    ("behind a route that takes all", [routes({"route": [to("safe")]}, {"route": [to("bare")]})], "mtls"),
    ("for its own namespace", [routes({"route": [to("bare")]}, exportTo=["."])], "mtls"),
    ("for the client's namespace", [routes({"route": [to("bare")]}, exportTo=["cafe"])], "plaintext"),
    ("a delegate", [routes({"delegate": {"name": "w"}}),
                    istio("VirtualService", "shop/w", {"http": [{"route": [to("bare")]}]})], "plaintext"),
    ("a delegate that nobody knows", [routes({"delegate": {"name": "w"}})], "unknown"),
    ("a route that cannot be understood", [routes({"route": [{"destination": {"hostname": "x"}}]})], "unknown"),
    ("routes that are no list", [istio("VirtualService", "shop/v", {"hosts": ["safe"], "http": {}})], "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_a_client_meets(more, expected):
    assert verdict(*more)[0] == expected


def test_the_reason_names_who_leads_where():
    assert verdict(routes({"route": [to("bare")]}))[1].startswith(
        "VirtualService shop/v leads requests to bare.shop.svc.cluster.local:80: "
    )


def test_tls_that_begins_at_another_port():
    entry = istio("ServiceEntry", "shop/e", {
        "hosts": ["api.example.com"], "resolution": "DNS", "location": "MESH_EXTERNAL",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"},
                  {"number": 443, "name": "http-tls", "protocol": "HTTP"}],
    })  # fmt: skip
    tls = {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE"}}]}
    rule = istio("DestinationRule", "shop/t", {"host": "api.example.com", "trafficPolicy": tls})
    lead = routes({"match": [{"port": 80}], "route": [to("api.example.com", 443)]}, host="api.example.com")

    def sent(*more: dict[str, Any]) -> set[str]:
        result = judge([*WORLD, entry, rule, *more])
        return {
            edge["client_tls"]
            for edge in result["edges"]
            if (edge["host"], edge["port"]) == ("api.example.com", 80)
            and "cafe/Deployment/c" in result["client_sets"][edge["clients"]]
        }

    assert (sent(), sent(lead)) == ({"plaintext"}, {"simple"})


def test_tcp_routes_may_lead_elsewhere_and_never_better_it():
    world = [pod("shop/raw", "none"), service("shop/raw", ports=TCP), pod("shop/meshed"),
             service("shop/meshed", ports=TCP)]  # fmt: skip

    def lead(host: str, target: str) -> dict[str, Any]:
        return istio("VirtualService", "shop/v", {"hosts": [host], "tcp": [{"route": [to(target)]}]})

    assert verdict(*world, lead("meshed", "raw"), host="meshed")[0] == "plaintext"
    assert verdict(*world, lead("raw", "meshed"), host="raw")[0] == "plaintext"


@pytest.mark.parametrize("namespace", ["cafe", "shop", "istio-system", None])
def test_virtual_services_that_were_not_read_could_lead_anywhere(namespace):
    gap = {"kind": "VirtualService", "namespace": namespace, "reason": "forbidden"}
    assert verdict(unread=[gap])[0] == "unknown"


@pytest.mark.parametrize(
    ("what", "host", "route", "expected"),
    [
        ("to nobody", "safe", "empty", ("broken", "no_endpoint")),
        ("from nobody to a server without a proxy", "empty", "bare", ("plaintext", "normal")),
        ("from nobody to a server that refuses", "empty", "strict", ("broken", "normal")),
    ],
    ids=["to nobody", "from nobody to a server without a proxy", "from nobody to a server that refuses"],
)
def test_a_route_leads_to_what_is_there(what, host, route, expected):
    """Nobody at the host itself says nothing of a server elsewhere, and the other way round."""
    more = [
        service("shop/empty", ports=WEB),
        pod("shop/strict"),
        service("shop/strict", ports=WEB),
        peer("shop/strict", "STRICT", {"app": "strict"}),
        rule("shop/d", "strict", {"tls": {"mode": "DISABLE"}}),
        routes({"route": [to(route)]}, host=host),
    ]
    result = judge([*WORLD, *more])
    found = {
        (edge["verdict"], edge["state"])
        for edge in result["edges"]
        if edge["host"] == f"{host}.shop.svc.cluster.local"
        and "cafe/Deployment/c" in result["client_sets"][edge["clients"]]
    }
    assert found == {expected}, what


BARE = "bare.shop.svc.cluster.local"
AWAY = routes({"route": [to("safe.shop.svc.cluster.local")]}, host=BARE)
SEES = ["shop/safe.shop.svc.cluster.local", f"shop/{BARE}"]
BY_ROUTE = {"routeConfiguration": {"vhost": {"name": "safe.shop.svc.cluster.local:80"}}}
PATCHED = istio("EnvoyFilter", "istio-system/f", {"configPatches": [
    {"applyTo": "HTTP_ROUTE", "match": {"context": "SIDECAR_OUTBOUND", **BY_ROUTE},
     "patch": {"operation": "MERGE", "value": {"route": {"cluster": f"outbound|80||{BARE}"}}}},
]})  # fmt: skip
OTHER = [{"kind": "VirtualService", "namespace": "other", "reason": "forbidden"}]
BETTERED = [
    ("all get it", [AWAY], "bare", (), "mtls"),
    ("the mesh exports it to its own namespace", [mesh_config(defaultVirtualServiceExportTo=["."]), AWAY], "bare", (),
     "plaintext"),
    ("a Sidecar imports hosts only", [egress("cafe/s", *SEES), AWAY], "bare", (), "plaintext"),
    ("a Sidecar imports its whole namespace", [egress("cafe/s", "shop/*"), AWAY], "bare", (), "mtls"),
    ("a Sidecar leaves something out", [egress("cafe/s", "shop/*", "~shop/x.example"), AWAY], "bare", (), "plaintext"),
    ("another one may compete", [AWAY], "bare", OTHER, "plaintext"),
    ("a filter may change the route", [PATCHED, routes({"route": [to("two")]})], "safe", (), "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "host", "unread", "expected"), [row[1:] for row in BETTERED], ids=[row[0] for row in BETTERED]
)
def test_a_route_betters_nothing_that_it_may_not_decide(more, host, unread, expected):
    world = [item for item in WORLD if item["kind"] != "ConfigMap"] if more[0]["kind"] == "ConfigMap" else WORLD
    result = judge([*world, *more], unread=list(unread))
    found = {
        edge["verdict"]
        for edge in result["edges"]
        if edge["host"] == f"{host}.shop.svc.cluster.local"
        and edge["subset"] is None
        and "cafe/Deployment/c" in result["client_sets"][edge["clients"]]
    }
    assert found == {expected}


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [("alias", "bare", "plaintext"), ("alias", "two", "mtls"), ("safe", "bare", "plaintext"), ("two", "bare", "mtls")],
    ids=["to the worse", "to what is as good", "of the name behind it", "of a third host"],
)
def test_an_alias_has_routes_of_its_own(host, target, expected):
    alias = service("shop/alias", type="ExternalName", externalName="safe.shop.svc.cluster.local", clusterIP=None,
                    selector=None)  # fmt: skip
    assert verdict(alias, routes({"route": [to(target)]}, host=host), host="alias")[0] == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"alias": "bare"}, "plaintext"), ({"alias": "two"}, "mtls"), ({"alias": "other", "other": "two"}, "unknown")],
    ids=["of the worse", "of what is as good", "of an alias, which istiod does not follow"],
)
def test_a_route_to_an_alias_leads_to_what_it_stands_for(names, expected):
    aliases = [
        service(f"shop/{name}", type="ExternalName", externalName=f"{target}.shop.svc.cluster.local", clusterIP=None,
                selector=None)
        for name, target in names.items()
    ]  # fmt: skip
    assert verdict(*aliases, routes({"route": [to("alias")]}))[0] == expected


def test_a_host_of_several_services_may_mean_any_of_their_ports():
    """Of the two ports to which a route without one may lead, one may be of what the client's proxy does not know."""

    def entry(where: str, port: int, address: str) -> dict[str, Any]:
        return istio("ServiceEntry", where, {
            "hosts": ["far.example"], "resolution": "STATIC", "location": "MESH_INTERNAL",
            "ports": [{"number": port, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": address, "labels": {"security.istio.io/tlsMode": "istio"}}],
        })  # fmt: skip

    world = [pod("shop/raw"), service("shop/raw", ports=TCP)]
    entries = [entry("shop/one", 81, "192.0.2.1"), entry("zoo/other", 82, "192.0.2.2")]
    lead = istio("VirtualService", "shop/v", {"hosts": ["raw"], "tcp": [{"route": [to("far.example")]}]})
    assert [verdict(*world, *entries[:count], lead, host="raw")[0] for count in (1, 2)] == ["mtls", "unknown"]


BARE = [{"route": [to("bare")]}]
OTHER_PORT = [{"name": "http-web", "port": 81, "targetPort": 8080}]
KINDS = [
    ("of requests, for a port of TCP", "tcp-web", [], {"http": BARE}, "mtls"),
    ("of requests, for a port that says nothing", "web", [], {"http": BARE}, "plaintext"),
    ("of connections, for a port of HTTP", "http-web", [], {"tcp": BARE}, "mtls"),
    ("of connections, for a port that says nothing", "web", [], {"tcp": BARE}, "plaintext"),
    ("of connections, for a port of HTTPS", "https-web", [], {"tcp": BARE}, "mtls"),
    ("of connections, behind one that takes all", "tcp-web", [], {"tcp": [{"route": [to("two")]}, *BARE]}, "mtls"),
    ("of connections, behind one for another port", "tcp-web", [],
     {"tcp": [{"match": [{"port": 81}], "route": [to("two")]}, *BARE]}, "plaintext"),
    ("of connections, to the only port of a host", "tcp-web",
     [service("shop/far", ports=OTHER_PORT, selector={"app": "bare"})],
     {"tcp": [{"route": [to("far")]}]}, "plaintext"),
    ("of requests, to a host without the port", "http-web",
     [service("shop/far", ports=OTHER_PORT, selector={"app": "safe"})],
     {"http": [{"route": [to("far")]}]}, "unknown"),
    ("to what the client's proxy knows for it alone", "http-web",
     [egress("cafe/s", "shop/raw.shop.svc.cluster.local")],
     {"http": [{"route": [to("two")]}]}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("port", "more", "spec", "expected"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS]
)
def test_routes(port, more, spec, expected):
    """Which routes count for what a port speaks (core/tls.go), and what they know of their targets."""
    world = [pod("shop/raw"), service("shop/raw", ports=[{"name": port, "port": 80, "targetPort": 8080}])]
    lead = istio("VirtualService", "shop/v", {"hosts": ["raw"], **spec})
    assert verdict(*world, *more, lead, host="raw")[0] == expected


def test_a_route_is_followed_in_time_that_grows_with_routes_and_hosts():
    """Not with their product: whoever writes one VirtualService can name a thousand of each."""
    hosts = [f"h{number}" for number in range(600)]
    all_routes = [{"match": [{"uri": {"prefix": f"/{host}"}}], "route": [to(host)]} for host in hosts]
    services = [service(f"shop/{host}", ports=WEB, selector={"app": "safe"}) for host in hosts]
    begun = time.process_time()
    result = judge([*WORLD, *services, routes(*all_routes, hosts=hosts)])
    assert {edge["verdict"] for edge in result["edges"] if edge["service"] == "shop/h7"} == {"mtls", "plaintext"}
    assert time.process_time() - begun < 3
