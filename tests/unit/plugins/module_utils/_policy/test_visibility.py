# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections 3.4 and 3.5 of the semantics: what a client's proxy knows, and what it never sees."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    YOUNGEST,
    Egress,
    Ingress,
    SidecarObject,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    DESTINATION,
    Destination,
    DestinationPort,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.visibility import (
    EgressListener,
    HostOwners,
    Patterns,
    SidecarIndex,
    View,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    egress,
    headless,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

HOST = "a.shop.svc.cluster.local"
SEEN, PASSED, BLOCKED = "mtls -> mtls", "none -> plaintext", "none -> broken"
ONLY = {"mode": "REGISTRY_ONLY"}
ANY = {"mode": "ALLOW_ANY"}

# title, Sidecar objects, answer for cafe/c
SIDECARS = [
    ("no Sidecar: everything", [], SEEN),
    ("everything", [egress("cafe/s", "*/*")], SEEN),
    ("no egress: everything", [egress("cafe/s", egress=None)], SEEN),
    ("the namespace", [egress("cafe/s", "shop/*")], SEEN),
    ("the host", [egress("cafe/s", f"shop/{HOST}")], SEEN),
    ("the host in any namespace", [egress("cafe/s", f"*/{HOST}")], SEEN),
    ("a wildcard host", [egress("cafe/s", "*/*.shop.svc.cluster.local")], SEEN),
    ("only its own namespace: passthrough", [egress("cafe/s", "./*")], PASSED),
    ("another namespace", [egress("cafe/s", f"zoo/{HOST}")], PASSED),
    ("another host", [egress("cafe/s", "shop/b.shop.svc.cluster.local")], PASSED),
    ("excluded", [egress("cafe/s", "*/*", f"~shop/{HOST}")], PASSED),
    ("REGISTRY_ONLY blocks", [egress("cafe/s", "./*", outboundTrafficPolicy=ONLY)], BLOCKED),
    ("an empty policy is REGISTRY_ONLY", [egress("cafe/s", "./*", outboundTrafficPolicy={})], BLOCKED),
    (
        "a selector that matches goes first",
        [egress("cafe/s", "*/*"), egress("cafe/t", "./*", selector={"app": "c"}, age=9)],
        PASSED,
    ),
    ("a selector that does not", [egress("cafe/s", "./*", selector={"app": "x"})], SEEN),
    ("the oldest", [egress("cafe/s", "./*", age=2), egress("cafe/t", "*/*", age=1)], SEEN),
    ("then the name", [egress("cafe/s", "./*"), egress("cafe/t", "*/*")], PASSED),
    ("the root's", [egress("istio-system/s", "./*")], PASSED),
    ("nothing merges with the root's", [egress("istio-system/s", "./*"), egress("cafe/s", "shop/*")], SEEN),
    ("a selector in root is local to root", [egress("istio-system/s", "./*", selector={"app": "c"})], SEEN),
    ("another namespace's Sidecar", [egress("zoo/s", "./*")], SEEN),
    ("a listener for the port", [egress("cafe/s", egress=[{"port": {"number": 80}, "hosts": ["*/*"]}])], SEEN),
    ("a listener for another port", [egress("cafe/s", egress=[{"port": {"number": 81}, "hosts": ["*/*"]}])], PASSED),
]


@pytest.mark.parametrize(("title", "sidecars", "expected"), SIDECARS, ids=[row[0] for row in SIDECARS])
def test_sidecars(title, sidecars, expected):
    result = judge(mesh_config(), pod("cafe/c"), pod("shop/a"), service("shop/a"), sidecars)
    assert answer(result, "cafe/c", "shop/a") == expected


def test_the_roots_dot_means_the_clients_own_namespace():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("istio-system/s", "./*"))
    assert answer(result, "shop/a", "shop/a") == SEEN
    assert answer(result, "cafe/c", "shop/a") == PASSED


def test_a_sidecars_policy_replaces_the_meshs():
    registry_only = mesh_config(outboundTrafficPolicy=ONLY)
    parts = [registry_only, pod("cafe/c"), pod("shop/a"), service("shop/a")]
    assert answer(judge(parts, egress("cafe/s", "./*")), "cafe/c", "shop/a") == BLOCKED
    assert answer(judge(parts, egress("cafe/s", "./*", outboundTrafficPolicy=ANY)), "cafe/c", "shop/a") == PASSED


def test_gateways_ignore_sidecars():
    result = judge(pod("cafe/gw", "gateway"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*"))
    assert answer(result, "cafe/gw", "shop/a") == SEEN


def test_hidden_means_plaintext_refused_by_strict_and_the_reason_names_the_sidecar():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*"), peer("shop/n", "STRICT"))
    (row,) = edges(result, "cafe/c", service="shop/a")
    assert (row["client_tls"], row["verdict"]) == ("none", "broken")
    assert row["reason"] == (
        f"Sidecar cafe/s hides {HOST}, so its proxy passes the connection on as it is (passthrough); "
        "PeerAuthentication shop/n is STRICT"
    )


def test_blocked_is_said():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*", outboundTrafficPolicy=ONLY))
    assert edges(result, "cafe/c", service="shop/a")[0]["reason"].startswith("blocked: Sidecar cafe/s")


# title, exportTo of the Service, mesh default, answers for cafe/c and shop/a
EXPORTS = [
    ("everyone by default", None, None, (SEEN, SEEN)),
    ("private", ".", None, (PASSED, SEEN)),
    ("to a namespace, not its own", "cafe", None, (SEEN, PASSED)),
    ("a list", "., cafe", None, (SEEN, SEEN)),
    ("nobody", "~", None, (PASSED, PASSED)),
    ("the mesh's default", None, ["."], (PASSED, SEEN)),
    ("its own beats the default", "*", ["."], (SEEN, SEEN)),
]


@pytest.mark.parametrize(("title", "export_to", "default", "expected"), EXPORTS, ids=[row[0] for row in EXPORTS])
def test_service_exports(title, export_to, default, expected):
    mesh = mesh_config() if default is None else mesh_config(defaultServiceExportTo=default)
    result = judge(mesh, pod("cafe/c"), pod("shop/a"), service("shop/a", export_to=export_to))
    assert tuple(answer(result, client, "shop/a") for client in ("cafe/c", "shop/a")) == expected


def test_discovery_selectors_hide_services():
    mesh = mesh_config(discoverySelectors=[{"matchExpressions": [{"key": "mesh", "operator": "Exists"}]}])
    parts = [
        mesh,
        namespace("cafe", mesh="yes"),
        pod("cafe/c"),
        pod("shop/a"),
        service("shop/a"),
        rule("shop/r", "a", tls("ISTIO_MUTUAL")),
    ]
    assert answer(judge(parts, namespace("shop")), "cafe/c", "shop/a") == PASSED
    assert answer(judge(parts, namespace("shop", mesh="yes")), "cafe/c", "shop/a") == SEEN


def note(name: str, value: str) -> dict[str, str]:
    """An annotation of traffic.sidecar.istio.io."""
    return {f"traffic.sidecar.istio.io/{name}": value}


UNSURE = "unknown -> unknown"
BYPASS = [
    ("an excluded port", note("excludeOutboundPorts", "80,443"), PASSED),
    ("another excluded port", note("excludeOutboundPorts", "443"), SEEN),
    ("an excluded range", note("excludeOutboundIPRanges", "10.0.0.0/8"), PASSED),
    ("another excluded range", note("excludeOutboundIPRanges", "192.0.2.0/24"), SEEN),
    ("not in the included ranges", note("includeOutboundIPRanges", "192.0.2.0/24"), PASSED),
    ("in the included ranges", note("includeOutboundIPRanges", "10.0.0.0/8"), SEEN),
    ("nothing included", note("includeOutboundIPRanges", ""), PASSED),
    (
        "an included port beats ranges",
        {**note("includeOutboundIPRanges", ""), **note("includeOutboundPorts", "80")},
        SEEN,
    ),
    ("interceptionMode NONE", {"sidecar.istio.io/interceptionMode": "NONE"}, PASSED),
]


@pytest.mark.parametrize(("title", "annotations", "expected"), BYPASS, ids=[row[0] for row in BYPASS])
def test_outbound_bypasses(title, annotations, expected):
    result = judge(pod("cafe/c", annotations=annotations), pod("shop/a"), service("shop/a"))
    assert answer(result, "cafe/c", "shop/a") == expected


RANGES = [
    ("none of the pods is in the range", "192.0.2.0/24", ("10.1.0.1", "10.1.0.2"), SEEN),
    ("all of them are", "10.1.0.0/24", ("10.1.0.1", "10.1.0.2"), PASSED),
    ("one of them is", "10.1.0.1/32", ("10.1.0.1", "10.1.0.2"), UNSURE),
    ("one has no address that is known", "192.0.2.0/24", ("10.1.0.1", ""), UNSURE),
    ("the range is of the other family: a pod may have such an address, too", "fd00::/8", ("10.1.0.1",), UNSURE),
]


@pytest.mark.parametrize(("title", "excluded", "addresses", "expected"), RANGES, ids=[row[0] for row in RANGES])
def test_ranges_are_compared_with_the_pods_of_a_headless_service(title, excluded, addresses, expected):
    client = pod("cafe/c", annotations=note("excludeOutboundIPRanges", excluded))
    servers = [pod("shop/a", number=number, ip=address) for number, address in enumerate(addresses)]
    assert answer(judge(client, servers, headless("shop/a")), "cafe/c", "shop/a") == expected


CONFIG = {"proxy.istio.io/config": "proxyMetadata: {OUTPUT_CERTS: /certs}"}
OUTSIDE_OF_ALL = note("includeOutboundIPRanges", "")


@pytest.mark.parametrize(
    ("title", "annotations", "mode", "expected"),
    [
        ("by an annotation", {**OUTSIDE_OF_ALL, **CONFIG}, "STRICT", UNSURE),
        ("to an open server", {**OUTSIDE_OF_ALL, **CONFIG}, "PERMISSIVE", UNSURE),
        ("without a certificate", OUTSIDE_OF_ALL, "STRICT", "none -> broken"),
        ("through its proxy", CONFIG, "STRICT", SEEN),
    ],
    ids=["by an annotation", "to an open server", "without a certificate", "through its proxy"],
)
def test_an_application_that_has_its_certificate_may_speak_mutual_tls_itself(title, annotations, mode, expected):
    parts = [pod("shop/a"), service("shop/a"), peer("shop/p", mode)]
    assert answer(judge(pod("cafe/c", annotations=annotations), parts), "cafe/c", "shop/a") == expected, title


def test_the_proxys_own_environment_says_so_too():
    client = pod("cafe/c", annotations=OUTSIDE_OF_ALL)
    [proxy] = [item for item in client["spec"]["containers"] if item["name"] == "istio-proxy"]
    proxy["env"] = [{"name": "OUTPUT_CERTS", "value": "/certs"}]
    assert answer(judge(client, pod("shop/a"), service("shop/a")), "cafe/c", "shop/a") == UNSURE


# Parts of it by themselves.


def hosts_of(*hosts, port=0, proxy=False):
    return Egress(port, proxy, hosts)


def listener_of(*hosts, home="cafe", **more):
    return EgressListener(hosts_of(*hosts, **more), home)


def view_through(egress):
    """What listeners show a client in cafe."""
    return View(tuple(EgressListener(one, "cafe") for one in egress), None)


def destination(place="shop/a", ports=(80,), host="a.test", age="2026-01-01T00:00:01", kubernetes=False, **more):
    """A destination, a ServiceEntry's unless it says so."""
    found = tuple(DestinationPort(number, f"p{number}", "http", (), ()) for number in ports)
    home = place.split("/")[0]
    return Destination(place, home, host, age, kubernetes, False, False, "STATIC", found, (), (), "")._replace(**more)


@pytest.mark.parametrize(
    ("host", "pattern", "inside"),
    [
        ("a.b", "a.b", True),
        ("a.b", "b", False),
        ("a.b", "*", True),
        ("a.b", "*.b", True),
        ("x.a.b", "*.b", True),
        ("ab", "*.b", False),
        ("ab", "*ab", True),
        ("b", "*.b", False),
        ("*", "*", True),
        ("*", "*.b", False),
        ("*.b", "*", True),
        ("*.b", "*.b", True),
        ("*.a.b", "*.b", True),
        ("*.b", "*.a.b", False),
        ("*ab", "*.b", False),
        ("*.a.c", "*.b", False),
        ("*.b", "a.b", False),
    ],
)
def test_which_hosts_a_pattern_covers(host, pattern, inside):
    known = Patterns()
    known.add(pattern)
    assert known.cover(host) is inside
    # Others beside it, of other lengths and of the same one, change nothing.
    for other in ("*.elsewhere.example", "*.z", "elsewhere.example"):
        known.add(other)
    assert known.cover(host) is inside


@pytest.mark.parametrize(
    ("hosts", "imported"),
    [
        pytest.param(["*/*"], True, id="all of all"),
        pytest.param(["shop/*"], True, id="all of its namespace"),
        pytest.param(["shop/*.test"], True, id="a pattern"),
        pytest.param(["shop/*.other"], False, id="another pattern"),
        pytest.param(["shop/*.other", "shop/*"], True, id="all after a pattern"),
        pytest.param(["shop/*", "shop/*.other"], True, id="all before a pattern"),
        pytest.param(["shop/a.test"], True, id="its name"),
        pytest.param(["*/a.test"], True, id="its name anywhere"),
        pytest.param(["shop/b.test"], False, id="another name"),
        pytest.param(["./*"], False, id="the client's own namespace"),
        pytest.param(["zoo/*"], False, id="another namespace"),
        pytest.param([], False, id="nothing"),
        pytest.param(["*", "a.test", "a/b/c"], False, id="what is no host of a namespace"),
        pytest.param(["a.test", "shop/*"], True, id="what is none before one that is"),
        pytest.param(["*/*", "~shop/a.test"], False, id="left out in its namespace"),
        pytest.param(["*/*", "~/a.test"], False, id="left out everywhere"),
        pytest.param(["*/*", "~*/*.test"], False, id="left out everywhere by a pattern"),
        pytest.param(["shop/*", "~shop/b.test"], True, id="another name is left out"),
        pytest.param(["*/*", "~zoo/*"], True, id="another namespace is left out"),
        pytest.param(["*/*", "~./*"], True, id="the client's own is left out"),
        pytest.param(["~shop/b.test"], False, id="nothing but what is left out"),
    ],
)
def test_what_a_listener_imports(hosts, imported):
    assert listener_of(*hosts).imports(destination()) is imported


def test_a_dot_is_the_clients_own_namespace():
    assert listener_of("./*", home="shop").imports(destination())
    assert not listener_of("*/*", "~./*", home="shop").imports(destination())


@pytest.mark.parametrize(
    ("listeners", "ports", "listens"),
    [
        pytest.param([hosts_of("*/*")], None, True, id="all traffic"),
        pytest.param([hosts_of("*/*", port=80)], {80}, False, id="one port"),
        pytest.param([hosts_of("*/*", port=99)], set(), False, id="a port that it has not"),
        pytest.param([hosts_of("zoo/*")], set(), False, id="another namespace"),
        pytest.param([hosts_of("*/*", port=80), hosts_of("*/*", port=81)], {80, 81}, False, id="two ports"),
        pytest.param([hosts_of("*/*", port=80), hosts_of("zoo/*")], {80}, False, id="one of two imports it"),
        pytest.param([hosts_of("*/*", port=80), hosts_of("*/*")], None, True, id="a port, and all traffic"),
        pytest.param([hosts_of("*/*", port=80, proxy=True)], None, False, id="a port that is an HTTP proxy"),
        pytest.param([], set(), False, id="none"),
    ],
)
def test_which_ports_a_view_shows(listeners, ports, listens):
    view = view_through(listeners)
    found = view.ports(destination(ports=(80, 81, 82)))
    assert found == (None if ports is None else frozenset(ports))
    assert view.listens(destination()) is listens


def test_of_which_namespaces_a_view_shows_something():
    egress = [hosts_of("./*", "shop/a.test"), hosts_of("*/x", "~zoo/*", "none")]
    assert view_through(egress).namespaces() == {"cafe", "shop", "*", "zoo"}


@pytest.mark.parametrize(
    ("port", "ports"), [(0, [80, 81]), (81, [81]), (99, [])], ids=["all traffic", "its port", "another port"]
)
def test_the_ports_that_a_listener_is_for(port, ports):
    found = listener_of("*/*", port=port).ports(destination(ports=(80, 81)))
    assert [item.number for item in found] == ports


def sidecar_object(name, namespace="cafe", selector=None, age="2026-01-01T00:00:01", **more):
    return SidecarObject(namespace, name, age, None, selector, (), None, ())._replace(**more)


HTTP, OTHER = (Egress(80, False, ("*/*",)),), (Egress(81, False, ("*/*",)),)
MINE, THEIRS = {"app": "c"}, {"app": "x"}


@pytest.mark.parametrize(
    ("sidecars", "applies"),
    [
        pytest.param([], None, id="none"),
        pytest.param([sidecar_object("a", "zoo")], None, id="another namespace's"),
        pytest.param([sidecar_object("a", selector=THEIRS)], None, id="another workload's"),
        pytest.param([sidecar_object("a", selector=THEIRS), sidecar_object("b")], "b", id="beside another workload's"),
        pytest.param([sidecar_object("a"), sidecar_object("b", selector=MINE, age="9")], "b", id="with a selector"),
        pytest.param(
            [sidecar_object("a", age="2"), sidecar_object("b", age="1"), sidecar_object("c", age="3")],
            "b",
            id="the oldest",
        ),
        pytest.param([sidecar_object("b"), sidecar_object("a")], "a", id="the first name"),
        pytest.param([sidecar_object("a", "root")], "a", id="the root's"),
        pytest.param([sidecar_object("a", "root", MINE)], None, id="the root's with a selector"),
        pytest.param([sidecar_object("a", "root"), sidecar_object("b")], "b", id="its own before the root's"),
    ],
)
def test_which_sidecar_applies(sidecars, applies):
    index = SidecarIndex(sidecars, "root")
    found = index.of("cafe", MINE)
    assert (found and found.name) == applies
    assert index.contest("cafe", MINE) == ""


@pytest.mark.parametrize(
    ("first", "second", "contested"),
    [
        pytest.param({}, {}, False, id="they say the same"),
        pytest.param({"egress": HTTP}, {"egress": OTHER}, True, id="they import otherwise"),
        pytest.param({"outbound": "ALLOW_ANY"}, {"outbound": "REGISTRY_ONLY"}, True, id="they pass on otherwise"),
        pytest.param({"ingress": ((Ingress(80, True, False)),)}, {}, True, id="they listen otherwise"),
        pytest.param({"egress": HTTP}, {"egress": OTHER, "age": "2026-01-01T00:00:01"}, True, id="one has a time"),
        pytest.param({"egress": HTTP}, {"egress": OTHER, "selector": MINE}, False, id="one has a selector"),
        pytest.param({"egress": HTTP}, {"egress": OTHER, "selector": THEIRS}, False, id="one is another workload's"),
        pytest.param({"egress": HTTP}, {"egress": OTHER, "namespace": "root"}, False, id="one is the root's"),
    ],
)
def test_sidecars_without_a_time(first, second, contested):
    undated = [sidecar_object(name, age=UNDATED)._replace(**more) for name, more in (("a", first), ("b", second))]
    found = SidecarIndex(undated, "root").contest("cafe", MINE)
    assert found.startswith("which Sidecar of cafe/a and cafe/b applies depends on their age") is contested
    assert bool(found) is contested


def owners_of(visible, view=None, client="cafe", public=lambda item: True, meaning=lambda item, port: item):
    return HostOwners([]).owned(list(visible), view, client, public, meaning)


def named(owners):
    return {port: item.name for port, item in owners.ports.items()}


SERVICE = destination("shop/svc", (80, 81), kubernetes=True)


@pytest.mark.parametrize(
    ("visible", "ports"),
    [
        pytest.param([], {}, id="none"),
        pytest.param([SERVICE], {80: "shop/svc", 81: "shop/svc"}, id="one"),
        pytest.param(
            [destination("zoo/e", (80, 99)), SERVICE], {80: "shop/svc", 81: "shop/svc"}, id="a Service displaces"
        ),
        pytest.param([SERVICE, destination("zoo/e", (80, 99))], {80: "shop/svc", 81: "shop/svc"}, id="a Service stays"),
        pytest.param(
            [SERVICE, destination("shop/svc2", (99,), kubernetes=True)],
            {80: "shop/svc", 81: "shop/svc", 99: "shop/svc2"},
            id="two Services of one namespace",
        ),
        pytest.param(
            [SERVICE, destination("zoo/svc", (99,), kubernetes=True)],
            {80: "shop/svc", 81: "shop/svc"},
            id="Services of two namespaces",
        ),
        pytest.param(
            [destination("shop/a", (80,)), destination("shop/b", (80, 81)), destination("shop/c", (81, 82))],
            {80: "shop/a", 81: "shop/b", 82: "shop/c"},
            id="ServiceEntries lend each other ports",
        ),
        pytest.param(
            [destination("shop/a", (80,)), destination("shop/b", (80,)), destination("shop/c", (81,))],
            {80: "shop/a", 81: "shop/c"},
            id="one of them adds nothing",
        ),
    ],
)
def test_who_owns_which_port(visible, ports):
    assert named(owners_of(visible)) == ports


@pytest.mark.parametrize(
    "other",
    [
        {"namespace": "zoo"},
        {"resolution": "DNS"},
        {"selector": {"app": "a"}},
        {"export_to": (".",)},
        {"revision": "canary"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_differs_lends_no_port(other):
    first, second = destination("shop/a", (80,)), destination("shop/b", (81,))
    assert named(owners_of([first, second])) == {80: "shop/a", 81: "shop/b"}
    assert named(owners_of([first, second._replace(**other)])) == {80: "shop/a"}


def test_what_is_exported_to_the_namespace_by_name_comes_first():
    first, second = destination("shop/a"), destination("zoo/b")
    assert named(owners_of([first, second], public=lambda item: item is first)) == {80: "zoo/b"}


A, B, HOME = destination("shop/a", (80, 81)), destination("zoo/b", (80, 82)), destination("cafe/c", (81, 83))
ZOO = destination("zoo/svc", (80, 82), kubernetes=True)


@pytest.mark.parametrize(
    ("visible", "listeners", "ports"),
    [
        pytest.param([A, B], [hosts_of("*/*")], {80: "shop/a", 81: "shop/a"}, id="one namespace, the first"),
        pytest.param([A, HOME], [hosts_of("*/*")], {81: "cafe/c", 83: "cafe/c"}, id="the client's own"),
        pytest.param([HOME, A], [hosts_of("*/*")], {81: "cafe/c", 83: "cafe/c"}, id="the client's own is first"),
        pytest.param([A, ZOO], [hosts_of("*/*")], {80: "zoo/svc", 82: "zoo/svc"}, id="a Service's"),
        pytest.param([ZOO, A], [hosts_of("*/*")], {80: "zoo/svc", 82: "zoo/svc"}, id="a Service's is first"),
        pytest.param([HOME, ZOO], [hosts_of("*/*")], {81: "cafe/c", 83: "cafe/c"}, id="its own beats a Service's"),
        pytest.param([ZOO, HOME], [hosts_of("*/*")], {81: "cafe/c", 83: "cafe/c"}, id="even where it is later"),
        pytest.param(
            [ZOO, destination("shop/svc", (90,), kubernetes=True)],
            [hosts_of("*/*")],
            {80: "zoo/svc", 82: "zoo/svc"},
            id="of two Services the first",
        ),
        pytest.param([A, B], [hosts_of("zoo/*")], {80: "zoo/b", 82: "zoo/b"}, id="what is imported alone"),
        pytest.param([A, B], [hosts_of("*/*", port=82)], {82: "zoo/b"}, id="who has the listener's port"),
        pytest.param([A, B], [hosts_of("*/*", port=80)], {80: "shop/a"}, id="the listener's port alone"),
        pytest.param([A, B], [hosts_of("*/*", port=99)], {}, id="nobody has it"),
        pytest.param([A], [hosts_of("zoo/*")], {}, id="nothing is imported"),
        pytest.param([A], [], {}, id="no listener"),
        pytest.param([A], [hosts_of("*/*", port=80), hosts_of("*/*", port=81)], {80: "shop/a", 81: "shop/a"}, id="two"),
    ],
)
def test_who_owns_which_port_where_a_sidecar_applies(visible, listeners, ports):
    assert named(owners_of(visible, view_through(listeners))) == ports


def undated(place, ports=(80,), age=UNDATED):
    return destination(place, ports, age=age)


OLD = "2026-01-01T00:00:01"


@pytest.mark.parametrize(
    ("visible", "meaning", "unclear"),
    [
        pytest.param([undated("shop/a"), undated("zoo/b")], lambda item, port: item, {80}, id="nobody knows"),
        pytest.param(
            [undated("shop/a", age=OLD), undated("zoo/b")], lambda item, port: item, {80}, id="one has a time"
        ),
        pytest.param(
            [undated("shop/a", age=OLD), undated("zoo/b", age=OLD)], lambda item, port: item, set(), id="both have one"
        ),
        pytest.param(
            [undated("shop/a", age=OLD), undated("zoo/b", age=YOUNGEST)],
            lambda item, port: item,
            set(),
            id="what is proposed is younger",
        ),
        pytest.param([undated("shop/a"), undated("zoo/b")], lambda item, port: port, set(), id="both mean the same"),
        pytest.param(
            [undated("shop/a", (80, 81)), undated("zoo/b", (80, 81))],
            lambda item, port: item if port == 81 else port,
            {81},
            id="both mean the same at one port",
        ),
        pytest.param(
            [undated("shop/a", (80,)), undated("shop/b", (81,))], lambda item, port: item, set(), id="each has its own"
        ),
        pytest.param(
            [undated(f"n{number}/a") for number in range(4)], lambda item, port: port, {80}, id="too many to try"
        ),
    ],
)
def test_ports_whose_owner_cannot_be_told(visible, meaning, unclear):
    found = owners_of(visible, meaning=meaning)
    assert named(found)[80] == visible[0].name
    assert found.unclear == unclear
    assert found.contest.startswith(f"which {DESTINATION} of ") is bool(unclear)
    assert bool(found.contest) is bool(unclear)


def test_hosts_of_several_destinations_are_contested():
    second, first = destination("shop/b", age="2"), destination("shop/a", age="1")
    service = destination("zoo/s", age="1", kubernetes=True)
    alone = destination("shop/x", host="x.test")
    contested = HostOwners([second, first, alone, service, destination("cafe/a", age="1")]).contested
    names = {host: [item.name for item in found] for host, found in contested.items()}
    assert names == {"a.test": ["zoo/s", "cafe/a", "shop/a", "shop/b"]}
    assert list(HostOwners([first, second, alone]).contested) == ["a.test"]


HTTP_80 = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}}
ASKED = {"port": {"number": 3128, "name": "proxy", "protocol": "HTTP_PROXY"}, "bind": "127.0.0.1"}


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        pytest.param([HTTP_80], "mtls -> mtls", id="at its port"),
        pytest.param([{**HTTP_80, "captureMode": "IPTABLES"}], "mtls -> mtls", id="of what is redirected"),
        pytest.param([{**HTTP_80, "captureMode": "NONE"}], "unknown -> unknown", id="at the local host"),
        pytest.param([{**HTTP_80, "bind": "127.0.0.1"}], "unknown -> unknown", id="at an address of its own"),
        pytest.param([{"captureMode": "NONE"}], "unknown -> unknown", id="at the local host, for any port"),
        pytest.param([ASKED], "unknown -> unknown", id="of a proxy that has to be asked"),
        pytest.param([ASKED, {}], "mtls -> mtls", id="of such a proxy, beside all traffic"),
        pytest.param([{**HTTP_80, "captureMode": "MAYBE"}], "unknown -> unknown", id="of a mode that is none"),
    ],
)
def test_a_sidecars_listener_takes_only_what_comes_to_its_address(listeners, expected):
    own = istio("Sidecar", "demo/s", {"egress": [{"hosts": ["*/*"], **listener} for listener in listeners]})
    world = [mesh_config(), pod("demo/a"), pod("shop/b"), service("shop/b"), own]
    assert answer(judge(world), "demo/a", "shop/b") == expected
