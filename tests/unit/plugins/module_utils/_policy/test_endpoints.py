# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which endpoints stand behind a port, part by part: ports of a pod, addresses, and hosts that two objects share."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import services
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.control_plane import ControlPlanes
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.reader import Reader
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload, gather
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    Capture,
    Entry,
    ServicePort,
    Shape,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    Destination,
    DestinationPort,
    Endpoint,
    exports_to,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import Unread
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    edges,
    flat,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    service,
)

SHAPE = Shape(
    *("sidecar", None, False, Capture((), None, ""), False),
    *(((8080, "web"), (8081, "web"), (9090, "")), ((53, "dns"),), ((15090, "http-envoy-prom"),)),
    *(False, None, False, False),
)
A = Workload("demo/Deployment/a", "demo", "Deployment", "a", ("a-1", "a-2"), {"app": "a"}, SHAPE, False, None, "")


@pytest.mark.parametrize(
    ("export_to", "namespace", "expected"),
    [
        (("*",), "far", True),
        (("far",), "far", True),
        (("far",), "home", False),
        ((".",), "home", True),
        ((".",), "far", False),
        ((".", "far"), "far", True),
        ((), "home", False),
    ],
)
def test_to_whom_something_is_exported(export_to, namespace, expected):
    assert exports_to(export_to, namespace, "home") is expected


@pytest.mark.parametrize(
    ("title", "port", "by_service", "by_entry", "of_pod"),
    [
        ("a number", ServicePort(80, "http", "tcp", 8081), 8081, 8081, 8081),
        ("nothing", ServicePort(80, "http", "tcp", None), 80, 80, 80),
        ("a name, the first of that name", ServicePort(80, "http", "tcp", "web"), 8080, "web", "web"),
        ("a name that no port has", ServicePort(80, "http", "tcp", "none"), None, "none", "none"),
        (
            "a name of the proxy's port",
            ServicePort(80, "http", "tcp", "http-envoy-prom"),
            15090,
            *["http-envoy-prom"] * 2,
        ),
        ("a name of UDP, asked for TCP", ServicePort(80, "http", "tcp", "dns"), None, "dns", "dns"),
        ("a name of UDP, asked for UDP", ServicePort(80, "http", "udp", "dns"), 53, "dns", "dns"),
        ("a name of TCP, asked for UDP", ServicePort(80, "http", "udp", "web"), None, "web", "web"),
        ("named as a port of the entry and of the pod", ServicePort(80, "web", "tcp", 7), 7, 70, 8080),
        ("without a name", ServicePort(80, "", "tcp", None), 80, 80, 80),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_port_behind_a_port(title, port, by_service, by_entry, of_pod):
    entry = Entry("demo", "w", None, "192.0.2.1", {}, {"web": 70}, "disabled")
    assert services._target(A, port) == by_service, title
    assert services._entry_port(entry, port) == by_entry
    assert services._pod_port(A, port) == of_pod


def at(address: str, port: int = 8080, **more: Any) -> Endpoint:
    """An endpoint of which only the address is known."""
    return Endpoint(f"addr/{address}", None, port, "disabled", "demo", {})._replace(**more)


OF_A = Endpoint(A.id, A, 8080, "istio", "demo", A.labels)
API = {"kubernetes": True, "name": "default/kubernetes"}


def to(*ports: tuple[int, str, tuple[Endpoint, ...]], **more: Any) -> Destination:
    """A ServiceEntry's host with these ports, of the first second."""
    made = tuple(DestinationPort(number, name, "tcp", found, found) for number, name, found in ports)
    first = Destination(
        "demo/x", "demo", "a.example", "2026-01-01T00:00:00", False, False, False, "STATIC", made, (), (), ""
    )
    return first._replace(**more)


@pytest.mark.parametrize(
    ("destination", "api_server", "outside"),
    [
        (to(), False, False),
        (to(external=True), False, True),
        (to(**API), True, True),
        (to(**{**API, "kubernetes": False}), False, False),
        (to(**{**API, "name": "demo/kubernetes"}), False, False),
        (to(**API, selector={"app": "a"}), False, False),
        (to(**API, alias="a.example"), False, False),
    ],
    ids=["inside", "external", "the API server", "a ServiceEntry", "elsewhere", "with a selector", "an alias"],
)
def test_what_is_no_part_of_the_mesh(destination, api_server, outside):
    assert (destination.is_api_server, destination.outside) == (api_server, outside)


def shown(found: Destination) -> Any:
    """{port: (the addresses that are dialled, those from which auto-mTLS infers)} of a destination."""
    return {
        port.number: tuple(
            [endpoint.id.rpartition("/")[2] for endpoint in lot] for lot in (port.endpoints, port.inferred)
        )
        for port in found.ports
    }


KUBERNETES = {"kubernetes": True, "name": "demo/a"}
YOUNG = "2026-01-01T00:00:09"
ONE, TWO = at("192.0.2.1"), at("192.0.2.2")
SHARED = [
    ("one alone", [to((80, "http", (ONE,)))], [{80: (["192.0.2.1"], ["192.0.2.1"])}]),
    (
        "one name and one number",
        [to((80, "http", (ONE,)), **KUBERNETES), to((80, "http", (TWO,)), age=YOUNG)],
        [{80: (["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"])}] * 2,
    ),
    (
        "one number, two names",
        [to((80, "http", (ONE,))), to((80, "web", (TWO,)), age=YOUNG)],
        [
            {80: (["192.0.2.1"], ["192.0.2.1", "192.0.2.2"])},
            {80: (["192.0.2.2"], ["192.0.2.1", "192.0.2.2"])},
        ],
    ),
    (
        "a Service's are found by name, and the youngest that finds any counts",
        [to((80, "http", (ONE,)), **KUBERNETES), to((80, "web", (TWO,)), age=YOUNG)],
        [{80: (["192.0.2.1"], ["192.0.2.2"])}, {80: (["192.0.2.2"], ["192.0.2.2"])}],
    ),
    (
        "whichever is given first",
        [to((80, "http", (ONE,)), age=YOUNG, **KUBERNETES), to((80, "web", (TWO,)))],
        [{80: (["192.0.2.1"], ["192.0.2.1", "192.0.2.2"])}, {80: (["192.0.2.2"], ["192.0.2.1", "192.0.2.2"])}],
    ),
    (
        "a cluster of DNS goes by number",
        [to((80, "http", (ONE,)), **KUBERNETES), to((80, "web", (TWO,)), age=YOUNG, resolution="DNS")],
        [{80: (["192.0.2.1"], ["192.0.2.2"])}, {80: (["192.0.2.2"], ["192.0.2.2"])}],
    ),
    (
        "a name is an address of DNS alone",
        [to((80, "http", (at("b.example"), OF_A))), to((80, "http", (at("c.example"),)), age=YOUNG, resolution="DNS")],
        [{80: (["a"], ["b.example", "c.example", "a"])}, {80: (["b.example", "c.example", "a"],) * 2}],
    ),
    (
        "without resolution nothing is shared but what is dialled",
        [to((80, "http", (ONE,))), to((80, "http", (TWO,)), age=YOUNG, resolution="NONE")],
        [{80: (["192.0.2.1"], ["192.0.2.1"])}, {80: (["192.0.2.2"], ["192.0.2.1"])}],
    ),
    (
        "a headless Service shares its pods",
        [to((80, "http", (ONE,)), resolution="NONE", **KUBERNETES), to((80, "http", (TWO,)), age=YOUNG)],
        [{80: (["192.0.2.1", "192.0.2.2"],) * 2}] * 2,
    ),
    (
        "another port is its own",
        [to((80, "http", (ONE,))), to((81, "web", ()), age=YOUNG)],
        [{80: (["192.0.2.1"],) * 2}, {81: ([], [])}],
    ),
    (
        "another host is another",
        [to((80, "http", (ONE,))), to((80, "http", (TWO,)), host="b.example")],
        [{80: (["192.0.2.1"],) * 2}, {80: (["192.0.2.2"],) * 2}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("title", "given", "expected"), SHARED, ids=[row[0] for row in SHARED])
def test_who_has_the_same_host_shares_endpoints(title, given, expected):
    found = services._share_endpoints(given)
    assert [shown(item) for item in found] == expected, title
    assert [item.hidden_endpoints for item in found] == [""] * len(given)


CONTESTED = [
    ("nobody knows whose counts", [((80, "http", (ONE,)), KUBERNETES), ((80, "web", (TWO,)), {})], True),
    ("they say the same", [((80, "http", (ONE,)), KUBERNETES), ((80, "http", (ONE,)), {})], False),
    ("each has a port of its own", [((80, "http", (ONE,)), KUBERNETES), ((81, "web", (TWO,)), {})], False),
    ("too many to try", [((80, str(place), (at(f"192.0.2.{place}"),)), KUBERNETES) for place in range(5)], True),
]


@pytest.mark.parametrize(("title", "given", "contested"), CONTESTED, ids=[row[0] for row in CONTESTED])
def test_endpoints_that_hang_on_an_age_that_nobody_knows(title, given, contested):
    found = services._share_endpoints([
        to(port, age=UNDATED, name=f"demo/{place}", kubernetes=bool(kind)) for place, (port, kind) in enumerate(given)
    ])  # fmt: skip
    assert [bool(item.hidden_endpoints) for item in found] == [contested] * len(given), title


def test_why_endpoints_are_hidden_stays():
    found = services._share_endpoints(
        [
            to((80, "http", (ONE,)), age=UNDATED, hidden_endpoints="not read", **KUBERNETES),
            to((80, "web", (TWO,)), age=UNDATED),
        ]
    )
    assert found[0].hidden_endpoints == "not read"
    assert "depends on their age" in found[1].hidden_endpoints


def test_target_ports_are_those_of_services():
    other = OF_A._replace(port=9090)
    given = [
        to((80, "http", (other,))),
        to((80, "http", (OF_A, ONE)), **KUBERNETES),
        to((81, "web", (OF_A._replace(port=8081),)), **KUBERNETES),
    ]
    assert services.target_ports(given) == {A.id: frozenset((8080, 8081))}


@pytest.mark.parametrize(
    ("endpoints", "of_pods", "expected"),
    [
        ((OF_A,), ["10.0.0.2", "10.0.0.1"], ("10.0.0.1", "10.0.0.2")),
        ((OF_A,), ["10.0.0.2", ""], ()),
        ((OF_A._replace(address="10.0.0.1"),), ["10.0.0.2", "10.0.0.1"], ("10.0.0.1",)),
        ((OF_A, at("192.0.2.1")._replace(address="192.0.2.1")), ["10.0.0.1"], ("10.0.0.1", "192.0.2.1")),
        ((at("w"), OF_A), ["10.0.0.1"], ()),
        ((), ["10.0.0.1"], ()),
    ],
    ids=["all pods", "one has none yet", "one pod by its address", "an entry", "an entry without address", "nothing"],
)
def test_the_addresses_that_a_headless_name_stands_for(endpoints, of_pods, expected):
    class Known:
        def addresses(self, workload):
            assert workload is A
            return of_pods

    port = DestinationPort(80, "http", "tcp", endpoints, endpoints)
    assert services._pod_addresses(Known(), [port]) == expected


@pytest.mark.parametrize(
    ("title", "port", "expected"),
    [
        ("a name that one of them has", ServicePort(80, "http", "tcp", "web"), {"b": 70}),
        ("a name that none has", ServicePort(80, "http", "tcp", "none"), {}),
        ("a number", ServicePort(80, "http", "tcp", 7), {"a": 7, "b": 7}),
        ("nothing", ServicePort(80, "http", "tcp", None), {"a": 80, "b": 80}),
        ("a number, and the port's name is one of its own", ServicePort(80, "web", "tcp", 7), {"a": 7, "b": 70}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_ports_of_workload_entries_behind_a_service(title, port, expected):
    class Empty:
        def at(self, _address):
            return None

    entries = [
        Entry("demo", "a", None, "192.0.2.1", {}, {}, "disabled"),
        Entry("demo", "b", None, "192.0.2.2", {}, {"web": 70}, "istio", account=True),
    ]
    found = list(services._selected_entries(Empty(), entries, port))
    places = {"192.0.2.1": "a", "192.0.2.2": "b"}
    assert {places[endpoint.address]: endpoint.port for endpoint in found} == expected, title
    assert all((one.tls_mode, one.identified) == ("istio", True) for one in found if one.address == "192.0.2.2")


NO_PODS = [{"kind": "Pod", "namespace": "shop", "reason": "forbidden"}]


@pytest.mark.parametrize("proxy", ["none", "sidecar"])
@pytest.mark.parametrize(("unread", "expected"), [((), {"shop/Deployment/a"}), (NO_PODS, {"shop/Deployment/a", None})])
def test_every_client_may_meet_endpoints_that_were_not_read(proxy, unread, expected):
    """Beside those that were: whoever else is there may take plaintext."""
    world = [mesh_config(), pod("cafe/c", proxy), pod("shop/a"), service("shop/a")]
    rows = edges(judge(world, unread=list(unread)), "cafe/c", service="shop/a")
    assert {row["endpoint"] for row in rows} == expected
    assert {row["verdict"] for row in rows if row["endpoint"] is None} <= {"unknown"}


def catalogue(*manifests: Any) -> services.Catalogue:
    """What finds endpoints among these pods; a WorkloadEntry far away makes it look at addresses."""
    reader = Reader()
    reader.add([*flat(manifests), istio("WorkloadEntry", "far/w", {"address": "203.0.113.1"})])
    snapshot, unread = reader.snapshot(), Unread([], ())
    return services.Catalogue(snapshot, gather(snapshot, ControlPlanes(snapshot, unread), unread), unread)


OF_SHOP = [pod("shop/a", labels={"tier": "x"}), pod("shop/b", labels={"tier": "x"}), pod("shop/c"), pod("cafe/a")]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"app": "a"}, ["a"]),
        ({"tier": "x"}, ["a", "b"]),
        ({"tier": "x", "app": "b"}, ["b"]),
        ({"tier": "x", "app": "c"}, []),
        ({"app": "d"}, []),
        ({}, ["a", "b", "c"]),
    ],
    ids=["one", "several", "by two labels", "by two labels of two pods", "nobody", "all of the namespace"],
)
def test_whom_labels_select_in_a_namespace(selector, expected):
    lookers = [service(f"far/{label}", selector={label: "x"}) for label in ("app", "tier")]
    assert [one.name for one in catalogue(OF_SHOP, lookers).select("shop", selector)] == expected


HOST_NETWORK = {"hostNetwork": True}
ADDRESSES = [
    ("a pod's", [pod("shop/a", ip="10.0.0.1")], "shop/Deployment/a", None),
    ("nobody's where two claim it", [pod("shop/a", ip="10.0.0.1"), pod("shop/b", ip="10.0.0.1")], None, None),
    ("nobody's", [pod("shop/a", ip="10.0.0.2")], None, None),
    ("a node's", [pod("shop/a", ip="10.0.0.1", **HOST_NETWORK)], None, "shop/Deployment/a"),
    ("a node's with several pods of a namespace",
     [pod("shop/a", ip="10.0.0.1", **HOST_NETWORK), pod("shop/b", ip="10.0.0.1", **HOST_NETWORK)], None,
     "shop/Deployment/a"),
    ("a node's with a pod of another namespace", [pod("cafe/a", ip="10.0.0.1", **HOST_NETWORK)], None, None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "pods", "own", "of_host"), ADDRESSES, ids=[row[0] for row in ADDRESSES])
@pytest.mark.parametrize("order", [1, -1], ids=["one order", "the other"])
def test_whose_an_address_is(what, pods, own, of_host, order):
    found = catalogue(*pods[::order])
    met = found.at("10.0.0.1"), found.on_host("shop", "10.0.0.1")
    assert tuple(one and one.id for one in met) == (own, of_host), what


def test_a_workload_without_pods_has_an_address_that_nobody_knows():
    found = catalogue(deployment("shop/a"), pod("shop/b", ip="10.0.0.1"), pod("shop/b", number=2))
    known = {one.name: sorted(found.addresses(one)) for one in found.select("shop", {})}
    assert known == {"a": [""], "b": ["", "10.0.0.1"]}


def bare_slice(address: str, **endpoint: Any) -> dict[str, Any]:
    """An EndpointSlice that somebody wrote for the Service shop/a."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "s", "namespace": "shop", "labels": {"kubernetes.io/service-name": "a"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], **endpoint}],
        "ports": [{"name": "http", "port": 8080}],
    }


MTLS, PLAIN, BROKEN = "mtls -> mtls", "plaintext -> plaintext", "plaintext -> broken"
WRITTEN = [
    ("a pod's address", [pod("shop/b", ip="10.0.0.1")], bare_slice("10.0.0.1"), {"shop/Deployment/b": MTLS}),
    ("a pod of another namespace: nothing is known of its proxy", [pod("cafe/b", ip="10.0.0.1")],
     bare_slice("10.0.0.1"), {"cafe/Deployment/b": BROKEN}),
    ("an address of nobody", [], bare_slice("192.0.2.1"), {"addr/192.0.2.1": PLAIN}),
    ("a pod by its name", [pod("shop/b", ip="10.0.0.1")],
     bare_slice("10.0.0.1", targetRef={"kind": "Pod", "name": "b-5f5-1", "namespace": "shop"}),
     {"shop/Deployment/b": MTLS}),
    ("a pod that is gone", [], bare_slice("10.0.0.1", targetRef={"kind": "Pod", "name": "x", "namespace": "shop"}),
     {None: "mtls -> broken"}),
    ("a pod on its node's address", [pod("shop/b", "none", ip="10.0.0.1", **HOST_NETWORK)], bare_slice("10.0.0.1"),
     {"shop/Deployment/b": PLAIN}),
    ("UDP is no port of it", [],
     {**bare_slice("192.0.2.1"), "ports": [{"name": "http", "port": 80, "protocol": "UDP"}]},
     {None: "mtls -> broken"}),
    ("another port is none of the Service's", [],
     {**bare_slice("192.0.2.1"), "ports": [{"name": "other", "port": 80}]}, {None: "mtls -> broken"}),
    ("names are no addresses", [], {**bare_slice("a.example"), "addressType": "FQDN"}, {None: "mtls -> broken"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "pods", "written", "expected"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_what_an_endpoint_slice_leads_to(what, pods, written, expected):
    mesh = [mesh_config(), pod("demo/c"), service("shop/a", selector=None), peer("istio-system/p", "STRICT")]
    rows = edges(judge(mesh, pods, written), "demo/c", service="shop/a")
    assert {row["endpoint"]: f"{row['client_tls']} -> {row['verdict']}" for row in rows} == expected, what


@pytest.mark.parametrize(
    ("kind", "selector", "expected"),
    [
        ("Pod", {"app": "a"}, True),
        ("Deployment", {"app": "a"}, True),
        ("WorkloadEntry", {"app": "a"}, True),
        ("EndpointSlice", {"app": "a"}, True),
        ("EndpointSlice", None, True),
        ("Pod", None, False),
        ("WorkloadEntry", None, False),
        ("Ingress", {"app": "a"}, False),
    ],
)
def test_what_must_be_read_to_know_all_endpoints_of_a_service(kind, selector, expected):
    mesh = [mesh_config(), pod("demo/c"), service("shop/a", selector=selector), bare_slice("192.0.2.1")]
    gap = {"kind": kind, "namespace": "shop", "reason": "forbidden"}
    rows = [row for row in edges(judge(mesh, unread=[gap]), "demo/c", service="shop/a") if row["endpoint"] is None]
    said = {f"{kind} objects of namespace shop were not read"} if expected else set()
    assert {row["reason"] for row in rows if row["verdict"] == "unknown" and "not read" in row["reason"]} == said
