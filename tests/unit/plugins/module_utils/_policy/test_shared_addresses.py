# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address and port that somebody else claims, too: no connection is called safe by the name it was meant for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import UNDATED
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.rows import Edge
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import Destination, DestinationPort
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.shared_addresses import (
    Finders,
    _Claim,
    _keeps,
    through_shared_addresses,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    Manifest,
    answer,
    edges,
    egress,
    headless,
    istio,
    judge,
    mesh_config,
    pod,
    rule,
    service,
    stamp,
    tls,
)

MTLS, UNKNOWN = "mtls -> mtls", "unknown -> unknown"
CLIENT = "shop/web"
SERVERS = [mesh_config(), pod(CLIENT), pod("cellar/db", ip="10.9.0.7")]


def db(protocol: str = "tcp", age: int | None = 5, exported: str | None = None) -> Manifest:
    """The Service that is meant: cellar/db at 10.0.0.5, port 3306."""
    ports = [{"name": f"{protocol}-db" if protocol else "db", "port": 3306, "targetPort": 8080}]
    found = service("cellar/db", exported, ports, clusterIP="10.0.0.5")
    found["metadata"].pop("creationTimestamp")
    found["metadata"].update(stamp(age))
    return found


def claim(
    address: str = "10.0.0.5", protocol: str = "TCP", age: int | None = 1, where: str = "tenant/e", **spec: Any
) -> Manifest:
    """A ServiceEntry that claims an address: what is sent to it is plaintext."""
    ports = [{"number": 3306, "name": "p", "protocol": protocol}]
    host = f"{where.replace('/', '.')}.example"
    base = {"hosts": [host], "addresses": [address], "ports": ports, "resolution": "STATIC"}
    found = istio("ServiceEntry", where, {**base, "endpoints": [{"address": "203.0.113.9"}], **spec}, age)
    if age is None:
        found["metadata"].pop("creationTimestamp", None)
    return found


def chosen(address: str, host: str = "tenant.e.example", **more: Any) -> Manifest:
    """A ServiceEntry with an address in its status alone, as istiod writes it, and whoever else may."""
    found = claim(**more)
    del found["spec"]["addresses"]
    return {**found, "status": {"addresses": [{"value": address, "host": host}], "conditions": []}}


def named(host: str, protocol: str, **spec: Any) -> Manifest:
    """A ServiceEntry with that host and no address."""
    return claim("203.0.113.1", protocol, hosts=[host], **spec)


def by_port(host: str, protocol: str, port: int = 3306) -> Manifest:
    """The client's Sidecar with a listener for one port before that for all."""
    found = egress("shop/s", "*/*")
    listener = {"hosts": [host], "port": {"number": port, "name": "p", "protocol": protocol}}
    found["spec"]["egress"].insert(0, listener)
    return found


@pytest.mark.parametrize(
    ("title", "objects", "expected"),
    [
        ("nobody else claims it", [db()], MTLS),
        ("another address", [db(), claim("10.0.0.6")], MTLS),
        ("another port", [db(), claim(ports=[{"number": 3307, "name": "p", "protocol": "TCP"}])], MTLS),
        ("an older claim", [db(), claim()], UNKNOWN),
        ("an older claim in another spelling", [db(), claim("::ffff:10.0.0.5")], UNKNOWN),
        ("an older claim as a range of one", [db(), claim("10.0.0.5/32")], UNKNOWN),
        ("a younger claim is dropped", [db(), claim(age=9)], MTLS),
        ("of the same second", [db(), claim(age=5)], UNKNOWN),
        ("nobody knows the claim's age", [db(), claim(age=None)], UNKNOWN),
        ("nobody knows the Service's age", [db(age=None), claim(age=9)], UNKNOWN),
        ("a younger claim, exported by name, comes before what is public",
         [db(), claim(age=9, exportTo=["shop"])], UNKNOWN),
        ("both exported by name: by age",
         [db(exported="shop"), claim(age=9, exportTo=["shop"])], MTLS),
        ("not exported to the client", [db(), claim(exportTo=["."])], MTLS),
        ("a Sidecar hides it from the client", [db(), claim(), egress("shop/s", "cellar/*")], MTLS),
        ("a younger one takes HTTP: an HTTP port has no listener of its own", [db("http"), claim(age=9)], UNKNOWN),
        ("a younger one takes HTTP by a range", [db("http"), claim("10.0.0.0/24", age=9)], UNKNOWN),
        ("a range takes nothing from a listener", [db("tcp"), claim("10.0.0.0/24", age=1)], MTLS),
        ("HTTP goes by its name", [db("http"), claim(protocol="HTTP")], MTLS),
        ("HTTP takes nothing from TCP", [db("tcp"), claim(protocol="HTTP")], MTLS),
        ("HTTP of a sniffed listener goes by it, whatever its age", [db("tcp"), claim(protocol="", age=9)], UNKNOWN),
        ("a sniffed listener keeps both", [db(""), claim(protocol="TCP", age=9)], MTLS),
        ("a Sidecar's listener takes a younger one in before all others",
         [db(), claim(age=9), by_port("tenant/*", "TCP")], UNKNOWN),
        ("a Sidecar's listener takes the only port for its own, whatever that is",
         [db(), claim(ports=[{"number": 9, "name": "p", "protocol": "TCP"}]), by_port("*/*", "TCP")], UNKNOWN),
        ("a Sidecar's listener for another port", [db(), claim(age=9), by_port("tenant/*", "TCP", 81)], MTLS),
        ("a host that is a short name of the Service", [db("http"), named("db.cellar", "HTTP")], UNKNOWN),
        ("a host that is another of its short names", [db("http"), named("db.cellar.svc", "HTTP")], UNKNOWN),
        ("a host that is a name of its own namespace", [db("http"), named("db", "HTTP")], UNKNOWN),
        ("a host that is a short name of another namespace's", [db("http"), named("db.shop", "HTTP")], MTLS),
        ("a short name at another port",
         [db("http"), named("db.cellar", "HTTP", ports=[{"number": 80, "name": "p", "protocol": "HTTP"}])], MTLS),
        ("connections go by address, whatever the name", [db("tcp"), named("db.cellar", "TCP")], MTLS),
        ("chosen by istiod", [db(), chosen("10.0.0.5")], UNKNOWN),
        ("chosen by istiod for another host of the entry", [db(), chosen("10.0.0.5", "x.example")], MTLS),
        ("chosen by istiod, and younger", [db(), chosen("10.0.0.5", age=9)], MTLS),
        ("another one chosen by istiod", [db(), chosen("240.240.0.1")], MTLS),
        ("the same is met there", [db(), claim(endpoints=[], workloadSelector={"labels": {"app": "db"}},
                                               where="cellar/e", location="MESH_INTERNAL")], MTLS),
        ("a pod's address behind a headless Service",
         [headless("cellar/db", ports=[{"name": "tcp", "port": 3306}]), claim("10.9.0.7", age=0)], UNKNOWN),
        ("another pod's address",
         [headless("cellar/db", ports=[{"name": "tcp", "port": 3306}]), claim("10.9.0.8", age=0)], MTLS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_may_be_taken_is_unknown(title: str, objects: list[Manifest], expected: str) -> None:
    assert answer(judge(SERVERS, objects), CLIENT, "cellar/db", port=3306) == expected


def test_the_reason_names_the_entry_and_the_address() -> None:
    (row,) = edges(judge(SERVERS, db(), claim()), CLIENT, service="cellar/db")
    assert "ServiceEntry tenant/e claims 10.0.0.5 and port 3306" in row["reason"]


def test_the_younger_claim_is_itself_taken() -> None:
    """What was meant for the entry reaches the Service's pods."""
    assert answer(judge(SERVERS, db(), claim(age=9)), CLIENT, "tenant/e") == UNKNOWN


def test_ztunnel_goes_by_the_address_alone() -> None:
    mesh = [mesh_config(), pod("shop/a", "ambient"), pod("cellar/db", "ambient", ip="10.9.0.7"), db()]
    assert answer(judge(mesh), "shop/a", "cellar/db") == "hbone -> mtls"
    assert answer(judge(mesh, claim(age=9)), "shop/a", "cellar/db") == UNKNOWN


def test_clients_without_a_proxy_are_not_concerned() -> None:
    """kube-proxy knows Services only."""
    alone = judge(SERVERS, pod("bare/c", "none"), db())
    assert answer(judge(SERVERS, pod("bare/c", "none"), db(), claim()), "bare/c", "cellar/db") == answer(
        alone, "bare/c", "cellar/db"
    )


@pytest.mark.parametrize("addresses", [["10.0.0.5"], [f"10.0.{number}.0/16" for number in range(30)]], ids=str)
@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_many_claims_hide_nothing(protocol: str, addresses: list[str]) -> None:
    """However many harmless ones come before the one that is not."""
    address = addresses[0]
    alike = [
        claim(address, where=f"tenant/e{number}", workloadSelector={"labels": {"app": "db"}}, endpoints=[])
        for number in range(40)
    ]
    expected = MTLS if "/" in address and protocol == "tcp" else UNKNOWN
    assert answer(judge(SERVERS, db(protocol), alike, claim(address)), CLIENT, "cellar/db") == expected


def test_many_claims_of_other_ports_are_no_alarm() -> None:
    """An address at which many things are found, each at a port of its own, is not contested."""
    others = [
        claim(where=f"tenant/e{number}", ports=[{"number": 4000 + number, "name": "p", "protocol": "TCP"}])
        for number in range(40)
    ]
    assert answer(judge(SERVERS, db(), others), CLIENT, "cellar/db") == MTLS


@pytest.mark.parametrize("mode", ["SIMPLE", None], ids=["one of them differs", "all are alike"])
def test_many_names_for_one_place_where_the_first_is_taken(mode: str | None) -> None:
    """More claims than are compared one by one: what any of them differs in counts, and nothing where none differs."""
    entries = [claim("240.0.0.1", where=f"tenant/e{number:02}", age=100 + number) for number in range(40)]
    rules = [rule("tenant/r", "tenant.e00.example", tls(mode))] if mode else []
    found = judge(SERVERS, entries, rules)
    for name in ("tenant/e01", "tenant/e39"):
        assert answer(found, CLIENT, name) == (UNKNOWN if mode else "plaintext -> plaintext")


def test_hosts_of_one_entry_that_share_its_address_are_no_alarm() -> None:
    """Many names for one proxy outside, of which some have TLS of the proxy's: HTTP, so the name decides."""
    entry = claim("240.0.0.1", "HTTP", hosts=[f"h{number}.example" for number in range(30)])
    rows = edges(judge(SERVERS, entry, rule("tenant/r", "h1.example", tls("SIMPLE"))), CLIENT, service="tenant/e")
    assert {row["verdict"] for row in rows} == {"plaintext", "tls"}


def test_the_routes_of_whoever_takes_the_connection_count() -> None:
    """Its listener is the one at the address: what it leads elsewhere, the meant host's answer says nothing of."""
    like = claim(endpoints=[], workloadSelector={"labels": {"app": "db"}}, where="cellar/e", location="MESH_INTERNAL")
    plain = claim("203.0.113.7", where="tenant/far")
    lead = istio("VirtualService", "cellar/v", {
        "hosts": like["spec"]["hosts"], "tcp": [{"route": [{"destination": {"host": plain["spec"]["hosts"][0]}}]}],
    })  # fmt: skip
    assert answer(judge(SERVERS, db(), like, plain), CLIENT, "cellar/db", port=3306) == MTLS
    assert answer(judge(SERVERS, db(), like, plain, lead), CLIENT, "cellar/db", port=3306) == UNKNOWN


def test_a_route_leads_to_a_host_whoever_claims_its_address() -> None:
    """It names a cluster, and no listener comes in between."""
    web = service("cellar/web", ports=[{"name": "tcp", "port": 3306, "targetPort": 8080}], clusterIP="10.0.0.9")
    lead = istio("VirtualService", "cellar/v", {
        "hosts": ["web"], "tcp": [{"route": [{"destination": {"host": "db.cellar.svc.cluster.local"}}]}],
    })  # fmt: skip
    found = judge(SERVERS, pod("cellar/web", ip="10.9.0.8"), web, db(), claim(), lead)
    assert answer(found, CLIENT, "cellar/web", port=3306) == MTLS
    assert answer(found, CLIENT, "cellar/db", port=3306) == UNKNOWN


def at(age: str, *export_to: str, http: bool = False, instance: str = "") -> _Claim:
    """A port of a destination of that age."""
    port = DestinationPort(80, "p", "http" if http else "tcp", (), (), instance)
    found = Destination("a/b", "a", "b.a", age, False, False, False, "STATIC", (port,), export_to, (), "")
    return _Claim(found, port)


OLD, NEW = "2026-01-01T00:00:01", "2026-01-01T00:00:02"


@pytest.mark.parametrize(
    ("own", "rival", "keeps"),
    [
        pytest.param(at(OLD), at(NEW), True, id="an older one"),
        pytest.param(at(NEW), at(OLD), False, id="a younger one"),
        pytest.param(at(OLD), at(OLD), False, id="one of the same second"),
        pytest.param(at(UNDATED), at(NEW), False, id="one without a time"),
        pytest.param(at(OLD), at(UNDATED), False, id="one beside one without a time"),
        pytest.param(at(OLD, http=True), at(NEW), False, id="an older one of HTTP"),
        pytest.param(at(OLD, "*"), at(NEW, "shop"), False, id="an older public one beside one exported by name"),
        pytest.param(at(OLD, instance="TCP"), at(NEW), False, id="an older one beside one that is sniffed"),
        pytest.param(at(OLD), at(NEW, instance="TCP"), True, id="an older one that is sniffed"),
        pytest.param(at(OLD, "shop"), at(NEW, "shop"), True, id="an older one, both exported by name"),
        pytest.param(at(OLD, "shop"), at(NEW, "*"), True, id="an older one exported by name beside a public one"),
    ],
)
def test_whose_listener_a_sidecar_surely_keeps(own: _Claim, rival: _Claim, keeps: bool) -> None:
    assert _keeps(own, rival, [("*",)]) is keeps


def test_the_mesh_says_to_whom_is_exported_what_does_not_say_it() -> None:
    assert _keeps(at(OLD), at(NEW), [(".",)])
    assert not _keeps(at(OLD, "*"), at(NEW), [("*",), (".",)])


def host(name: str, *addresses: str, number: int = 80, http: bool = False, service: bool = False) -> Destination:
    """A destination `x/<name>` with one port, of the first second: a ServiceEntry's, or a Service."""
    port = DestinationPort(number, "p", "http" if http else "tcp", (), (), "HTTP" if http else "TCP")
    full = f"{name}.x.svc.cluster.local" if service else f"{name}.example"
    return Destination(
        f"x/{name}", "x", full, OLD, service, False, False, "STATIC", (port,), (), addresses, "", listeners=(port,)
    )


def meets(of: Destination, clients: int, verdict: str = "mtls", sent: str = "mtls") -> Edge:
    """What clients meet at a destination."""
    [port] = of.ports
    return Edge(of.name, of.host, port.number, None, f"{of.name}/pods", sent, verdict, "why", clients)


def after(
    rows: list[Edge], *all_of_them: Destination, ambient: int = 0, listening: int = 0b11
) -> list[tuple[str, str, int]]:
    """(destination, verdict, clients) of the rows, where all sidecars with a listener of their own are `listening`."""
    finders = Finders(lambda _of: listening, lambda _of, _port: 0, {("*",): listening}, ambient)
    found = through_shared_addresses(rows, list(all_of_them), finders)
    return [(row.service, row.verdict, row.clients) for row in found]


DB = host("db", "10.0.0.5", service=True)
SAME, OTHER = host("e", "10.0.0.5"), host("e", "10.0.0.6")
WEB = host("web", "10.0.0.5", service=True, http=True)
WIDE = host("e", "10.0.0.0/24")


@pytest.mark.parametrize(
    ("rows", "hosts", "expected"),
    [
        pytest.param([meets(DB, 3)], [DB], [("x/db", "mtls", 3)], id="nobody else is there"),
        pytest.param([meets(DB, 3), meets(OTHER, 3, "plaintext")], [DB, OTHER],
                     [("x/db", "mtls", 3), ("x/e", "plaintext", 3)], id="at another address"),
        pytest.param([meets(DB, 3), meets(SAME, 3, "plaintext")], [DB, SAME],
                     [("x/db", "unknown", 3), ("x/e", "unknown", 3)], id="another answer"),
        pytest.param([meets(DB, 3), meets(SAME, 3, "plaintext")], [SAME, DB],
                     [("x/db", "unknown", 3), ("x/e", "unknown", 3)], id="in whichever order"),
        pytest.param([meets(DB, 3), meets(SAME, 2, "plaintext")], [DB, SAME],
                     [("x/db", "unknown", 2), ("x/db", "mtls", 1), ("x/e", "unknown", 2)],
                     id="another answer for one of two clients"),
        pytest.param([meets(DB, 1), meets(DB, 2, "broken"), meets(SAME, 3, "broken")], [DB, SAME],
                     [("x/db", "unknown", 1), ("x/db", "broken", 2), ("x/e", "unknown", 1), ("x/e", "broken", 2)],
                     id="another answer than one of two clients has"),
        pytest.param([meets(DB, 3, "broken"), meets(SAME, 3, "broken", "plaintext")], [DB, SAME],
                     [("x/db", "unknown", 3), ("x/e", "unknown", 3)], id="something else is sent there"),
        pytest.param([meets(DB, 3, sent="none"), meets(SAME, 3, "plaintext")], [DB, SAME],
                     [("x/db", "unknown", 3), ("x/e", "plaintext", 3)], id="what a proxy would pass through as it is"),
        pytest.param([meets(WEB, 3), meets(WIDE, 3, "plaintext")], [WEB, WIDE],
                     [("x/web", "unknown", 3), ("x/e", "plaintext", 3)], id="a range around HTTP"),
        pytest.param([meets(DB, 3), meets(WIDE, 3, "plaintext")], [DB, WIDE],
                     [("x/db", "mtls", 3), ("x/e", "plaintext", 3)], id="a range around a listener of its own"),
        pytest.param([meets(WEB, 3), meets(host("e", "10.0.1.0/24"), 3, "plaintext")], [WEB, host("e", "10.0.1.0/24")],
                     [("x/web", "mtls", 3), ("x/e", "plaintext", 3)], id="a range beside it"),
    ],
)  # fmt: skip
def test_who_meets_something_else_at_an_address_does_not_know_what(rows, hosts, expected):
    assert sorted(after(rows, *hosts)) == sorted(expected)


@pytest.mark.parametrize("listening", [0, 1, 2, 3])
def test_who_has_no_listener_for_the_other_one_keeps_its_own(listening):
    rows = after([meets(DB, 3), meets(SAME, 3, "plaintext")], DB, SAME, listening=listening)
    assert {(verdict, clients) for name, verdict, clients in rows if name == "x/db"} == {
        ("unknown", listening), ("mtls", 3 & ~listening)} - {("unknown", 0), ("mtls", 0)}  # fmt: skip


@pytest.mark.parametrize(("number", "expected"), [(80, {("unknown", 1), ("mtls", 2)}), (81, {("mtls", 3)})])
def test_ztunnel_takes_an_address_at_the_same_port_alone(number, expected):
    other = host("e", "10.0.0.5", number=number)
    rows = after([meets(DB, 3), meets(other, 3, "plaintext")], DB, other, ambient=1, listening=0)
    assert {(verdict, clients) for name, verdict, clients in rows if name == "x/db"} == expected


def test_a_range_is_found_at_every_address_in_it():
    """In whichever order they are written."""
    narrow = host("e", "10.0.0.0/27")
    inside = [host(f"w{number}", f"10.0.0.{number}", service=True, http=True) for number in (31, 9, 0)]
    beside = [host(f"w{number}", f"10.0.0.{number}", service=True, http=True) for number in (200, 32, 255)]
    mixed = [one for pair in zip(beside, inside, strict=True) for one in pair]
    rows = [*(meets(one, 1) for one in mixed), meets(narrow, 1, "plaintext")]
    found = {name for name, verdict, _clients in after(rows, *mixed, narrow) if verdict == "unknown"}
    assert found == {one.name for one in inside}


@pytest.mark.parametrize("number", [19, 20, 21, 60])
def test_however_many_ranges_are_around_an_address_the_one_that_differs_counts(number):
    ranges = [host(f"e{place}", f"10.0.0.0/{8 + place % 20}") for place in range(number)]
    rows = [meets(WEB, 1), *(meets(one, 1) for one in ranges[:-1]), meets(ranges[-1], 1, "plaintext")]
    assert [verdict for name, verdict, _clients in after(rows, WEB, *ranges) if name == "x/web"] == ["unknown"]
    alike = [meets(WEB, 1), *(meets(one, 1, "mtls") for one in ranges)]
    same = [row._replace(endpoint="x/pods") for row in alike]
    assert [verdict for name, verdict, _clients in after(same, WEB, *ranges) if name == "x/web"] == ["mtls"]
