# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices lead requests elsewhere: what is met there counts, and the worst of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.routes import _Answer, _led, _may_mean, _worsened
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.rows import NO_ENDPOINT, Edge
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    edges,
    egress,
    headless,
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


def to(host: str, port: int = 0, subset: str = "", **fields: Any) -> dict[str, Any]:
    destination: dict[str, Any] = {"host": host}
    if port:
        destination["port"] = {"number": port}
    if subset:
        destination["subset"] = subset
    return {"destination": destination, **fields}


def parts(*hosts: str, **fields: Any) -> list[dict[str, Any]]:
    """Destinations that share what comes."""
    return [to(host, weight=1, **fields) for host in hosts]


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


BARE = "bare.shop.svc.cluster.local"


def copies(fields: dict[str, Any]) -> dict[str, Any]:
    return routes({"route": [to("safe")], "mirror": {"host": "bare"}, **fields})


def shares(safe: Any, bare: Any) -> dict[str, Any]:
    """How much each of two gets; None says nothing."""
    said = [{} if share is None else {"weight": share} for share in (safe, bare)]
    return routes({"route": [to("safe", **said[0]), to("bare", **said[1])]})


PATH = [{"uri": {"prefix": "/a"}}]
SUBSETS = istio("DestinationRule", "shop/d", {"host": "safe", "subsets": [{"name": "v1", "labels": {"app": "safe"}}]})
CASES = [
    ("no route at all", [], "mtls"),
    ("subsets by weight",
     [SUBSETS, routes({"route": [to("safe", subset="v1", weight=1), to("safe", weight=1)]})], "mtls"),
    ("a canary that is as good", [routes({"route": parts("safe", "two")})], "mtls"),
    ("other paths, redirects and faults",
     [routes({"match": PATH, "rewrite": {"uri": "/"}, "route": [to("safe")]}, {"redirect": {"uri": "/x"}})], "mtls"),
    ("a host without a proxy", [routes({"route": [to("bare")]})], "plaintext"),
    ("a host without a proxy for a path", [routes({"match": PATH, "route": [to("bare")]})], "plaintext"),
    ("a host without a proxy, some of the time", [routes({"route": parts("safe", "bare")})], "plaintext"),
    ("a copy to a host without a proxy", [routes({"route": [to("safe")], "mirror": {"host": "bare"}})], "plaintext"),
    ("one of several copies",
     [routes({"route": [to("safe")], "mirrors": [{"destination": {"host": "bare"}}]})], "plaintext"),
    ("a copy never sent", [copies({"mirrorPercentage": {"value": 0}})], "mtls"),
    ("a copy with an empty percentage", [copies({"mirrorPercentage": {}})], "mtls"),
    ("a copy never sent in old words", [copies({"mirrorPercent": 0})], "mtls"),
    ("a copy sent by new words", [copies({"mirrorPercent": 0, "mirrorPercentage": {"value": 0.5}})], "plaintext"),
    ("one of several copies never sent",
     [routes({"route": [to("safe")], "mirrors": [{"destination": {"host": "bare"}, "percentage": {"value": 0}}]})],
     "mtls"),
    ("a share that is nothing", [shares(100, 0)], "mtls"),
    ("a share that is not said", [shares(100, None)], "mtls"),
    ("a share that is all", [shares(0, 100)], "plaintext"),
    ("a share of a very large number", [shares(1_000_000, 1)], "plaintext"),
    ("shares that nobody has", [shares(0, None)], "unknown"),
    ("a share that is no number", [shares(1, "some")], "unknown"),
    ("a single destination with a share of nothing", [routes({"route": [to("bare", weight=0)]})], "plaintext"),
    ("a redirect beside a copy", [routes({"redirect": {"uri": "/x"}, "mirror": {"host": "bare"}})], "mtls"),
    ("an answer of the proxy's own", [routes({"directResponse": {"status": 503}, "route": [to("bare")]})], "mtls"),
    ("an answer that is no map", [routes({"directResponse": 503, "route": [to("safe")]})], "unknown"),
    ("a fault for some requests",
     [routes({"fault": {"abort": {"httpStatus": 500, "percentage": {"value": 100}}}, "route": [to("bare")]})],
     "plaintext"),
    ("a host that nobody knows", [routes({"route": [to("nowhere.example.com")]})], "unknown"),
    ("a port that nobody knows", [routes({"route": [to("two", 81)]})], "unknown"),
    ("by its full name", [routes({"route": [to("bare.shop.svc.cluster.local")]}, host="safe.shop.svc.cluster.local")],
     "plaintext"),
    ("by a shorter name", [routes({"route": [to("bare.shop.svc.cluster.local")]}, host="safe.shop")], "plaintext"),
    ("a pattern for another domain",
     [routes({"match": PATH, "route": [to("bare")]}, host="*.other.svc.cluster.local")], "mtls"),
    ("one of two names, of which the other is a pattern",
     [routes({"match": PATH, "route": [to("bare")]}, hosts=["*.other.example", "safe"])], "plaintext"),
    ("one of two patterns",
     [routes({"match": PATH, "route": [to("bare")]}, hosts=["*.other.example", "*.shop.svc.cluster.local"])],
     "plaintext"),
    ("by the name of another", [routes({"match": PATH, "route": [to("bare")]}, host="two")], "mtls"),
    ("behind one without routes",
     [istio("VirtualService", "shop/a", {"hosts": ["safe"]}), routes({"match": PATH, "route": [to("bare")]})],
     "plaintext"),
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
    ("a delegate's copy of its root's", [
        routes({"delegate": {"name": "w"}, "mirror": {"host": "bare"}, "mirrorPercentage": {"value": 0}}),
        istio("VirtualService", "shop/w", {"http": [{"route": [to("safe")], "mirrorPercentage": {"value": 9}}]}),
    ], "plaintext"),
    ("a delegate without a name, which takes nothing",
     [routes({"delegate": {}, "route": [to("safe")]}, {"route": [to("bare")]})], "unknown"),
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


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["shop/*"], "mtls"),
        (["shop/*", "zoo/*"], "plaintext"),
        (["shop/*", "zoo/x.example"], "plaintext"),
        (["*/*"], "plaintext"),
        (["*/safe.shop.svc.cluster.local", "*/bare.shop.svc.cluster.local"], "plaintext"),
    ],
    ids=["its namespace is not imported", "it is", "a host of it is", "every namespace is", "a host of every one is"],
)
def test_a_route_counts_for_whom_a_sidecar_may_import_it(hosts, expected):
    """An object comes by its namespace, not by that of the host that it is for."""
    lead = istio("VirtualService", "zoo/v", {
        "hosts": ["safe.shop.svc.cluster.local"], "http": [{"match": PATH, "route": [to(BARE)]}],
    })  # fmt: skip
    assert verdict(egress("cafe/s", *hosts), lead)[0] == expected


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


AWAY = routes({"route": [to("safe.shop.svc.cluster.local")]}, host=BARE)
SEES = ["shop/safe.shop.svc.cluster.local", f"shop/{BARE}"]
BY_ROUTE = {"routeConfiguration": {"vhost": {"name": "safe.shop.svc.cluster.local:80"}}}
PATCHED = istio("EnvoyFilter", "istio-system/f", {"configPatches": [
    {"applyTo": "HTTP_ROUTE", "match": {"context": "SIDECAR_OUTBOUND", **BY_ROUTE},
     "patch": {"operation": "MERGE", "value": {"route": {"cluster": f"outbound|80||{BARE}"}}}},
]})  # fmt: skip
AWAY_FOR_CAFE = istio("VirtualService", "shop/v", {**AWAY["spec"], "exportTo": ["cafe"]})
OTHER = [{"kind": "VirtualService", "namespace": "other", "reason": "forbidden"}]
BETTERED = [
    ("all get it", [AWAY], "bare", (), "mtls"),
    ("the mesh exports it to its own namespace", [mesh_config(defaultVirtualServiceExportTo=["."]), AWAY], "bare", (),
     "plaintext"),
    ("a Sidecar imports hosts only", [egress("cafe/s", *SEES), AWAY], "bare", (), "plaintext"),
    ("a Sidecar imports its whole namespace", [egress("cafe/s", "shop/*"), AWAY], "bare", (), "mtls"),
    ("a Sidecar imports everything", [egress("cafe/s", "*/*"), AWAY], "bare", (), "mtls"),
    ("a Sidecar leaves something out everywhere", [egress("cafe/s", "shop/*", "~/x.example"), AWAY], "bare", (),
     "plaintext"),
    ("it is exported by name", [AWAY_FOR_CAFE], "bare", (), "mtls"),
    ("a Sidecar leaves something out of another namespace", [egress("cafe/s", "shop/*", "~zoo/x.example"), AWAY],
     "bare", (), "mtls"),
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


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [("http-web", 80, "mtls"), ("http-web", 81, "unknown"), ("tcp-web", 81, "mtls")],
    ids=["at a port of its own", "at another port", "connections, at another port"],
)
def test_requests_are_led_to_an_alias_at_its_own_ports(name: str, own: int, expected: str) -> None:
    """With another port its name is that of no cluster (route.go GetDestinationCluster)."""
    alias = service("shop/alias", type="ExternalName", externalName="two.shop.svc.cluster.local", clusterIP=None,
                    selector=None, ports=[{"name": "any", "port": own}])  # fmt: skip
    raw = service("shop/raw", ports=[{"name": name, "port": 80, "targetPort": 8080}])
    kind = name.partition("-")[0]
    lead = istio("VirtualService", "shop/v", {"hosts": ["raw"], kind: [{"route": [to("alias", 80)]}]})
    assert verdict(pod("shop/raw"), raw, alias, lead, host="raw")[0] == expected


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


TO_BARE = [{"route": [to("bare")]}]
OTHER_PORT = [{"name": "http-web", "port": 81, "targetPort": 8080}]
KINDS = [
    ("of requests, for a port of TCP", "tcp-web", [], {"http": TO_BARE}, "mtls"),
    ("of requests, for a port that says nothing", "web", [], {"http": TO_BARE}, "plaintext"),
    ("of connections, for a port of HTTP", "http-web", [], {"tcp": TO_BARE}, "mtls"),
    ("of connections, for a port that says nothing", "web", [], {"tcp": TO_BARE}, "plaintext"),
    ("of connections, for a port of HTTPS", "https-web", [], {"tcp": TO_BARE}, "mtls"),
    ("of connections, behind one that takes all", "tcp-web", [], {"tcp": [{"route": [to("two")]}, *TO_BARE]}, "mtls"),
    ("of connections, behind one for another port", "tcp-web", [],
     {"tcp": [{"match": [{"port": 81}], "route": [to("two")]}, *TO_BARE]}, "plaintext"),
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


@pytest.mark.parametrize(("port", "expected"), [(80, "unknown"), (81, "mtls")])
def test_a_sidecars_listener_says_which_routes_count(port: int, expected: str) -> None:
    """With a port of its own it speaks what the Sidecar says (core/listener.go buildSidecarOutboundListeners)."""
    sidecar = egress("cafe/s", "*/*")
    listener = {"hosts": ["*/*"], "port": {"number": port, "name": "p", "protocol": "TCP"}}
    sidecar["spec"]["egress"].insert(0, listener)
    lead = istio("VirtualService", "shop/v", {"hosts": ["safe"], "tcp": [{"route": [to("bare")]}]})
    assert verdict(lead)[0] == "mtls"
    assert verdict(lead, sidecar)[0] == expected


STRICT_SERVER = [
    pod("shop/strict"),
    headless("shop/strict", ports=WEB),
    service("shop/firm", ports=WEB, selector={"app": "strict"}),
    peer("shop/strict", "STRICT", {"app": "strict"}),
    rule("shop/d", "strict", {"tls": {"mode": "DISABLE"}}),
    rule("shop/e", "firm", {"tls": {"mode": "DISABLE"}}),
    service("shop/past", ports=WEB, selector={"app": "strict"}),
    rule("shop/f", "past", {"tls": {"mode": "DISABLE"}, "loadBalancer": {"simple": "PASSTHROUGH"}}),
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [("firm", "broken"), ("strict", "unknown"), ("past", "unknown")],
    ids=["with an address", "headless", "with the load balancer PASSTHROUGH"],
)
def test_what_a_headless_service_is_sent_goes_to_whatever_was_dialled(target: str, expected: str) -> None:
    """Its cluster is of the kind ORIGINAL_DST: with its settings, but not to its pods (core/cluster_builder.go)."""
    assert verdict(*STRICT_SERVER, routes({"route": [to(target)]}))[0] == expected
    alias = service("shop/alias", type="ExternalName", externalName="safe.shop.svc.cluster.local", clusterIP=None,
                    selector=None)  # fmt: skip
    lead = routes({"route": [to(target)]}, host="alias")
    assert verdict(*STRICT_SERVER, alias, lead, host="alias")[0] == expected


def test_a_connection_to_an_alias_without_a_port_is_led_to_the_only_port_of_the_alias() -> None:
    alias = service("shop/alias", type="ExternalName", externalName="two.shop.svc.cluster.local", clusterIP=None,
                    selector=None, ports=[{"name": "any", "port": 9}])  # fmt: skip
    raw = service("shop/raw", ports=TCP)
    lead = istio("VirtualService", "shop/v", {"hosts": ["raw"], "tcp": [{"route": [to("alias")]}]})
    assert verdict(pod("shop/raw"), raw, alias, lead, host="raw")[0] == "unknown"
    assert (
        verdict(pod("shop/raw"), raw, {**alias, "spec": {**alias["spec"], "ports": TCP}}, lead, host="raw")[0] == "mtls"
    )


def test_a_route_to_a_subset_of_an_alias_leads_to_that_of_its_host() -> None:
    alias = service("shop/alias", type="ExternalName", externalName="two.shop.svc.cluster.local", clusterIP=None,
                    selector=None)  # fmt: skip
    subsets = istio("DestinationRule", "shop/d", {"host": "two", "subsets": [{"name": "v1", "labels": {"app": "two"}}]})
    for subset, expected in (("v1", "mtls"), ("v2", "unknown")):
        assert verdict(alias, subsets, routes({"route": [to("alias", subset=subset)]}))[0] == expected


PRIVATE = service("shop/private", ".", ports=WEB, selector={"app": "safe"})
CLOSED = mesh_config(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
ELSEWHERE = {"http": [{"route": [to("bare.shop.svc.cluster.local")]}]}


def names(*hosts: str, where: str = "shop/v", **spec: Any) -> dict[str, Any]:
    """A VirtualService for hosts of the shop."""
    full = [f"{host}.shop.svc.cluster.local" for host in hosts]
    return istio("VirtualService", where, {"hosts": full, **(spec or ELSEWHERE)})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], "broken"),
        ([names("private")], "unknown"),
        ([names("private", http=[{"route": [to("private.shop.svc.cluster.local")]}])], "unknown"),
        ([names("private", http=[{"match": PATH, "route": [to("private.shop.svc.cluster.local")]}])], "unknown"),
        ([names("private", tcp=ELSEWHERE["http"])], "broken"),
        ([names("two")], "broken"),
        ([names("private", where="zoo/v"), egress("cafe/s", "shop/*")], "broken"),
        ([names("private"), egress("cafe/s", "shop/safe.shop.svc.cluster.local")], "broken"),
        ([names("private", "safe"), egress("cafe/s", "shop/safe.shop.svc.cluster.local")], "unknown"),
        ([names("private"), egress("cafe/s", "shop/*.shop.svc.cluster.local")], "unknown"),
        ([{**names("private"), "spec": {**names("private")["spec"], "exportTo": ["."]}}], "broken"),
    ],
    ids=[
        "no route names it", "elsewhere", "to itself", "to itself for a path", "of connections", "of another host",
        "of a namespace that the Sidecar does not import", "a Sidecar that imports another host",
        "a Sidecar that imports another of its hosts", "a Sidecar that imports all hosts of its namespace",
        "not exported to the client",
    ],
)  # fmt: skip
def test_what_a_proxy_does_not_know_may_be_led_elsewhere(more: list[dict[str, Any]], expected: str) -> None:
    """A route for a host that is hidden from a client counts all the same (core/httproute.go)."""
    world = [item for item in WORLD if item["kind"] != "ConfigMap"]
    result = judge([*world, CLOSED, PRIVATE, *more])
    assert {row["verdict"] for row in edges(result, "cafe/c", service="shop/private")} == {expected}


@pytest.mark.parametrize(("hosts", "expected"), [(["private"], "broken"), (["private", "safe"], "unknown")], ids=str)
def test_at_other_ports_than_80_a_proxy_has_routes_of_hosts_that_it_knows(hosts: list[str], expected: str) -> None:
    """selectVirtualServices."""
    ports = [{"name": "http-web", "port": 8000, "targetPort": 8080}]
    other = service("shop/private", ".", ports=ports, selector={"app": "safe"})
    world = [item for item in WORLD if item["kind"] != "ConfigMap"]
    result = judge([*world, CLOSED, other, names(*hosts)])
    assert {row["verdict"] for row in edges(result, "cafe/c", service="shop/private")} == {expected}


def test_what_passes_a_proxy_by_has_no_routes() -> None:
    aside = pod("cafe/c", annotations={"traffic.sidecar.istio.io/excludeOutboundPorts": "80"})
    world = [item for item in WORLD if item["kind"] == "Service" or item["metadata"]["name"] != "c-5f5-1"]
    sealed = peer("shop/p", "STRICT")
    result = judge([*world, PRIVATE, sealed, aside, names("private")])
    assert {row["verdict"] for row in edges(result, "cafe/c", service="shop/private")} == {"broken"}


GOOD, BAD = (_Answer(tls, verdict, "why") for tls, verdict in (("mtls", "mtls"), ("plaintext", "plaintext")))


@pytest.mark.parametrize(
    ("parts", "clients", "expected"),
    [
        pytest.param([(None, 0b11)], 0b11, [(BAD, 0b11)], id="all of them meet it"),
        pytest.param([(None, 0b11)], 0b01, [(BAD, 0b01), (None, 0b10)], id="one of them does"),
        pytest.param([(None, 0b11)], 0b100, [(None, 0b11)], id="another one does"),
        pytest.param([(None, 0b11)], 0b110, [(BAD, 0b10), (None, 0b01)], id="one of them and another"),
        pytest.param([(GOOD, 0b01), (None, 0b10)], 0b11, [(BAD, 0b01), (BAD, 0b10)], id="what was better is worse"),
        pytest.param([], 0b11, [], id="nobody is there"),
    ],
)
def test_who_meets_something_worse_is_told_apart_from_whoever_does_not(parts, clients, expected):
    assert list(_worsened(parts, BAD, clients)) == expected


@pytest.mark.parametrize(("first", "second"), [(GOOD, BAD), (BAD, GOOD)], ids=["worse", "better"])
def test_of_two_answers_the_worse_one_stays(first, second):
    assert list(_worsened([(first, 0b1)], second, 0b1)) == [(BAD, 0b1)]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("a.wild.example", "plaintext", id="a name that fits"),
        pytest.param("*.wild.example", "plaintext", id="the pattern itself"),
        pytest.param("*.b.wild.example", "plaintext", id="a narrower pattern"),
        pytest.param("*.example", "plaintext", id="a wider pattern"),
        pytest.param("wild.example", "tls", id="the domain above it"),
        pytest.param("a.other.example", "tls", id="another name"),
    ],
)
def test_of_a_pattern_whatever_fits_it_may_be_dialled(host, expected):
    outside = istio("ServiceEntry", "shop/e", {
        "hosts": ["*.wild.example"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "NONE", "location": "MESH_EXTERNAL",
    })  # fmt: skip
    lead = istio("VirtualService", "shop/v", {"hosts": [host], "http": [{"route": [to("bare")]}]})
    secured = istio("DestinationRule", "shop/r", {
        "host": "*.wild.example", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}})  # fmt: skip
    rows = judge([*WORLD, outside, secured, lead])["edges"]
    assert {row["verdict"] for row in rows if row["service"] == "shop/e" and row["client_tls"] != "none"} == {expected}


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("*", "a.x", True),
        ("*.x", "a.x", True),
        ("*.x", "a.b.x", True),
        ("*.x", "x", False),
        ("*.x", "a.y", False),
        ("*.x", "*.x", True),
        ("*.x", "*.b.x", True),
        ("*.b.x", "*.x", True),
        ("*.b.x", "*.y", False),
        ("*.b.x", "x", False),
        ("*b.x", "ab.x", True),
        ("*b.x", "*.x", True),
        ("a.x", "a.x", False),
        ("a.x", "*.x", False),
    ],
)
def test_what_a_pattern_may_mean(pattern, host, expected):
    assert _may_mean(pattern, host) is expected


def row(verdict: str = "mtls", sent: str = "mtls", clients: int = 0b11, **more: Any) -> Edge:
    return Edge("a/b", "b.a", 80, None, "a/Pod/b", sent, verdict, "its own", clients)._replace(**more)


NOT_KNOWN = _Answer("unknown", "unknown", "elsewhere")
LEAD = [
    ("nothing", row(), [], 0, [("mtls", "its own", 0b11)]),
    ("all to worse", row(), [(BAD, 0b11)], 0, [("plaintext", "why", 0b11)]),
    ("some to worse", row(), [(BAD, 0b01)], 0, [("plaintext", "why", 0b01), ("mtls", "its own", 0b10)]),
    ("others than its own", row(), [(BAD, 0b100)], 0, [("mtls", "its own", 0b11)]),
    ("to what is as good", row(), [(GOOD, 0b11)], 0, [("mtls", "its own", 0b11)]),
    ("to what is better, and some stay", row("plaintext", "plaintext"), [(GOOD, 0b11)], 0,
     [("plaintext", "its own", 0b11)]),
    ("to what is better, and all leave", row("plaintext", "plaintext"), [(GOOD, 0b11)], 0b11, [("mtls", "why", 0b11)]),
    ("to what is better, and one leaves", row("plaintext", "plaintext"), [(GOOD, 0b11)], 0b10,
     [("mtls", "why", 0b10), ("plaintext", "its own", 0b01)]),
    ("to what is better from what is unknown", row("unknown", "unknown"), [(GOOD, 0b11)], 0b11,
     [("unknown", "its own", 0b11)]),
    ("to what is unknown", row(), [(NOT_KNOWN, 0b11)], 0, [("unknown", "elsewhere", 0b11)]),
    ("each elsewhere", row(), [(BAD, 0b01), (NOT_KNOWN, 0b10)], 0,
     [("plaintext", "why", 0b01), ("unknown", "elsewhere", 0b10)]),
    ("rows of a subset", row(subset="v1"), [(BAD, 0b11)], 0b11, [("mtls", "its own", 0b11)]),
    ("what no proxy routes", row("plaintext", "none"), [(GOOD, 0b11)], 0b11, [("plaintext", "its own", 0b11)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "own", "parts", "away", "expected"), LEAD, ids=[row_[0] for row_ in LEAD])
def test_what_becomes_of_a_row_whose_clients_are_led_elsewhere(what, own, parts, away, expected):
    assert [(one.verdict, one.reason, one.clients) for one in _led(own, parts, away)] == expected, what


def test_of_two_answers_with_one_verdict_what_has_no_endpoint_counts_less():
    """Somebody who is there may do worse tomorrow; who is not there does nothing."""
    there, nobody = _Answer("mtls", "broken", "a"), _Answer("mtls", "broken", "b", NO_ENDPOINT)
    for pair in ((there, nobody), (nobody, there)):
        assert list(_worsened([(pair[0], 0b1)], pair[1], 0b1)) == [(there, 0b1)]
