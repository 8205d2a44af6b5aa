# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.connections import (
    Observed,
    Programmed,
    compare,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.findings import of_edges
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import ListenerPort
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    CLIENT,
    OUTSIDE,
    SERVER,
    edge,
    proxy,
    traffic,
    upstream,
    workload,
)

AT = {"10.0.0.1": SERVER}
SETS = {"set": [CLIENT]}
MESH = [workload(), workload(CLIENT), workload(OUTSIDE, None, "accepted", "none")]


def client(*upstreams, **more):
    return proxy(CLIENT, upstreams=upstreams, **more)


AUTO = upstream("auto", ("10.0.0.1:8080", "mtls"), ("10.0.0.9:8080", "plaintext"))
OTHER = upstream("mtls", host="b.shop.svc.cluster.local")
PROGRAMMED = [
    ("mutual TLS meets STRICT", edge(), [proxy(), client(AUTO)], "mtls", "proven"),
    ("a rule of its own sends plaintext", edge(), [proxy(), client(upstream("plaintext"))], "broken", "contradicted"),
    ("plaintext meets an open port", edge(), [proxy(accepts="permissive"), client(upstream("plaintext"))], "plaintext",
     "contradicted"),
    ("the server was not asked", edge(), [client(AUTO)], "unknown", "unproven"),
    ("no client was asked", edge(), [proxy()], None, "unproven"),
    ("a client that does not answer", edge(), [proxy(), client(AUTO, answered=False)], None, "unproven"),
    ("one of the client's pods does not answer", edge(), [proxy(), client(AUTO), client(answered=False)], "unknown",
     "unproven"),
    ("a server that does not answer", edge(), [proxy(answered=False), client(AUTO)], "unknown", "unproven"),
    ("one of the server's pods does not answer", edge(), [proxy(), proxy(answered=False), client(AUTO)], "unknown",
     "unproven"),
    ("one of the server's pods does not say", edge(), [proxy(), proxy(accepts=None), client(AUTO)], "unknown",
     "unproven"),
    ("one of the server's pods is open", edge(), [proxy(accepts="permissive"), proxy(), client(upstream("plaintext"))],
     "plaintext", "contradicted"),
    ("a word that is none of ours", edge(), [proxy(accepts="very strict"), client(AUTO)], "unknown", "unproven"),
    ("a host that the proxy has twice", edge(), [proxy(), client(upstream("mtls"), upstream("plaintext"))], "unknown",
     "unproven"),
    ("an unknown host is blocked", edge("broken", "mtls"), [proxy(), client(passthrough=False)], "broken", "proven"),
    ("one-way TLS meets STRICT", edge("broken", "simple"), [proxy(), client(upstream("simple"))], "broken", "proven"),
    ("traffic that bypasses the client's proxy", edge("plaintext", "none"), [proxy(), client(AUTO)], None, "unproven"),
    ("a host that the proxy does not know", edge("unknown", "none"), [proxy(accepts="permissive"), client()], "unknown",
     "unproven"),
    ("a host that another client's proxy knows", edge("plaintext", "plaintext"),
     [proxy(accepts="permissive"), client(OTHER), proxy(OUTSIDE, upstreams=(AUTO,))], "plaintext", "proven"),
    ("a proxy that did not say which hosts it has", edge("plaintext", "plaintext"),
     [proxy(accepts="permissive"), client(), proxy(OUTSIDE, upstreams=(AUTO,))], "unknown", "unproven"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "row", "proxies", "verdict", "agreed"), PROGRAMMED, ids=[row[0] for row in PROGRAMMED]
)
def test_what_both_proxies_were_given(what, row, proxies, verdict, agreed):
    (found,) = compare([row], SETS, Programmed(MESH, proxies, AT), None)
    assert (found["programmed"], found["observed"], found["agreement"]) == (verdict, None, agreed)
    assert [item["id"] for item in of_edges([found])] == (["MTLS-103"] if agreed == "contradicted" else [])


ADDRESSES = [
    "10.0.0.1:",
    "10.0.0.1:http",
    "10.0.0.1:²",
    "10.0.0.1:0",
    "10.0.0.1:70000",
    "10.0.0.1:None",
    f"10.0.0.1:{'9' * 5000}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_whose_port_is_none_is_unknown(address):
    programmed = Programmed(MESH, [proxy(), client(upstream("mtls", (address, "mtls")))], AT)
    (found,) = compare([edge()], SETS, programmed, Observed(MESH, [traffic("mutual_tls", port=8080)], programmed))
    assert (found["programmed"], found["observed"]) == ("unknown", "mtls")
    both = Programmed(MESH, [proxy(), client(upstream("mtls", (address, "mtls"), ("10.0.0.1:8080", "mtls")))], AT)
    assert both.verdict(edge(), [CLIENT]) == "unknown"


@pytest.mark.parametrize("address", ["", ":", "unix:/run/x", "[::1", "internal", "10.0.0.1", "\x00"])
def test_an_address_that_is_nobodys_is_not_the_servers(address):
    programmed = Programmed(MESH, [proxy(), client(upstream("auto", (address, "mtls")))], AT)
    assert programmed.verdict(edge(), [CLIENT]) == "unknown"


def test_a_client_that_is_not_listed_is_unknown():
    programmed = Programmed(MESH, [proxy(), client(AUTO)], AT)
    assert programmed.verdict(edge(), [CLIENT]) == "mtls"
    assert programmed.verdict(edge(), [CLIENT, "gone/Deployment/x"]) == "unknown"


def two_ports(first="strict", second="strict"):
    """The server with a second port, as the policies and as its proxy have it."""
    listed = [{"port": number, "mode": "STRICT", "captured": True, "plaintext": "refused"} for number in (8080, 9090)]
    ports = (ListenerPort(8080, first, (), True, ""), ListenerPort(9090, second, (), True, ""))
    return [{**workload(), "ports": listed}, *MESH[1:]], proxy()._replace(ports=ports)


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        pytest.param("strict", "broken", id="all ports answer alike"),
        pytest.param("permissive", "unknown", id="nobody says which port it is"),
        pytest.param("unknown", "unknown", id="a port of which nobody knows"),
    ],
)
def test_a_client_without_a_proxy_at_a_server_of_several_ports(second, verdict):
    mesh, server = two_ports("strict", second)
    stranger = proxy(STRANGER, upstreams=(upstream("mtls", ("10.0.0.1:8080", "mtls")),))
    programmed = Programmed([*mesh, workload(STRANGER)], [server, stranger], AT)
    assert programmed.verdict(edge("broken", "none"), [OUTSIDE]) == verdict


STRANGER = "evil/Deployment/x"
LIES = [
    upstream("mtls", ("10.0.0.1:1", "mtls")),
    upstream("plaintext", ("10.0.0.1:9090", "plaintext")),
    upstream("auto", ("10.0.0.1:junk", "mtls")),
    upstream("unknown"),
]


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("place", [0, 2])
def test_a_strangers_proxy_changes_no_answer_about_others(lie, place):
    mesh, server = two_ports("strict", "permissive")
    mesh.append(workload(STRANGER))
    rows = [edge(), edge("broken", "none", clients="outside"), edge("plaintext", "plaintext")]
    sets = {**SETS, "outside": [OUTSIDE]}
    seen = [traffic("mutual_tls", port=8080), traffic("plaintext", port=9090)]

    def answers(*proxies):
        programmed = Programmed(mesh, proxies, AT)
        return compare(rows, sets, programmed, Observed(mesh, seen, programmed))

    honest = [server, client(AUTO)]
    with_stranger = [*honest[:place], proxy(STRANGER, accepts="plaintext", upstreams=(lie,)), *honest[place:]]
    assert answers(*with_stranger) == answers(*honest)


def test_one_more_proxy_never_betters_an_answer():
    """Of the client's or of the server's, whatever it says: the worst counts."""
    order = ["plaintext", "broken", "unknown", "tls", "mtls"]
    servers = [proxy(accepts=word) for word in ("strict", "permissive", "plaintext", "unknown", None)]
    servers.append(proxy(answered=False))
    clients = [client(item)._replace(pod=f"shop/c-{number}") for number, item in enumerate([AUTO, *LIES])]
    clients += [client(passthrough=way)._replace(pod=f"shop/c-{way}") for way in (True, False, None)]
    silent = client(answered=False)
    for server in servers:
        for one in clients:
            before = Programmed(MESH, [server, one], AT).verdict(edge(), [CLIENT])
            for more in (*servers, *clients, silent):
                after = Programmed(MESH, [server, one, more], AT).verdict(edge(), [CLIENT])
                assert order.index(after) <= order.index(before), (server, one, more)


def test_a_client_without_proxy_meets_what_the_servers_proxy_accepts():
    proxies = [proxy(), client(AUTO)]
    (found,) = compare([edge("broken", "none")], {"set": [OUTSIDE]}, Programmed(MESH, proxies, AT), None)
    assert (found["programmed"], found["agreement"]) == ("broken", "proven")


def test_two_sides_without_proxies_have_nobody_to_ask():
    row = edge("plaintext", "none", endpoint=OUTSIDE)
    (found,) = compare([row], {"set": [OUTSIDE]}, Programmed(MESH, [proxy()], AT), None)
    assert (found["programmed"], found["agreement"]) == (None, "unproven")


@pytest.mark.parametrize(("sends", "verdict"), [("hbone", "mtls"), ("mtls", "broken")])
def test_istios_tunnel_has_a_port_of_its_own_beside_one_that_is_not_captured(sends, verdict):
    mesh = [workload(plaintext="accepted", captured=False), workload(CLIENT)]
    given = Programmed(mesh, [proxy(), client(upstream("auto", ("10.0.0.1:8080", sends)))], AT)
    assert given.verdict(edge(client_tls=sends), [CLIENT]) == verdict


def test_an_uncaptured_port_is_met_without_its_proxy():
    mesh = [workload(plaintext="accepted", captured=False), workload(CLIENT)]
    (found,) = compare([edge("broken")], SETS, Programmed(mesh, [proxy(), client(AUTO)], AT), None)
    assert (found["programmed"], found["agreement"]) == ("broken", "proven")


OBSERVED = [
    ("mutual TLS was seen", edge(), [traffic("mutual_tls")], "mtls", "proven"),
    ("plaintext was seen", edge(), [traffic("plaintext")], "plaintext", "contradicted"),
    ("some of it was plaintext", edge(), [traffic("mixed")], "plaintext", "contradicted"),
    ("nothing was seen", edge(), [], "unknown", "unproven"),
    ("telemetry does not know", edge(), [traffic("unknown")], "unknown", "unproven"),
    ("something beside mutual TLS is doubtful", edge(), [traffic("mutual_tls"), traffic("unknown")], "unknown",
     "unproven"),
    ("a word that is none of ours", edge(), [traffic("mutual_tls"), traffic("very secure")], "unknown", "unproven"),
    ("doubt of another pod's own", edge(), [traffic("mutual_tls"), traffic("unknown", exporter="evil/x")], "mtls",
     "proven"),
    ("somebody else was seen", edge(), [traffic("plaintext", "cafe/o")], "unknown", "unproven"),
    ("the server's port was seen", edge(), [traffic("mutual_tls", port=8080)], "mtls", "proven"),
    ("another port was seen", edge(), [traffic("plaintext", port=9090)], "unknown", "unproven"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "row", "seen", "verdict", "agreed"), OBSERVED, ids=[row[0] for row in OBSERVED])
def test_what_telemetry_saw(what, row, seen, verdict, agreed):
    (found,) = compare([row], SETS, None, Observed(MESH, seen))
    assert (found["programmed"], found["observed"], found["agreement"]) == (None, verdict, agreed)


@pytest.mark.parametrize("namesake", ["shop/StatefulSet/a", "shop/StatefulSet/c"])
@pytest.mark.parametrize(("security", "verdict"), [("mutual_tls", "unknown"), ("plaintext", "plaintext")])
def test_a_name_that_two_workloads_share_proves_nothing_of_either(namesake, security, verdict):
    (found,) = compare([edge()], SETS, None, Observed([*MESH, workload(namesake)], [traffic(security)]))
    assert found["observed"] == verdict


def test_metrics_without_a_port_do_not_tell_two_answers_apart():
    rows = [edge(), edge("plaintext", "plaintext", port=81)]
    found = compare(rows, SETS, None, Observed(MESH, [traffic("mutual_tls")]))
    assert [row["observed"] for row in found] == ["unknown", "unknown"]


def test_of_several_ports_the_proxies_know_which_is_behind_the_service():
    ports = [{"port": number, "mode": "STRICT", "captured": True, "plaintext": "refused"} for number in (8080, 9090)]
    mesh = [{**workload(), "ports": ports}, workload(CLIENT)]
    programmed = Programmed(mesh, [proxy(), client(AUTO)], AT)
    seen = [traffic("mutual_tls", port=8080), traffic("plaintext", port=9090)]
    for given, expected in ((programmed, "mtls"), (None, "unknown")):
        (found,) = compare([edge()], SETS, given, Observed(mesh, seen, given))
        assert found["observed"] == expected


@pytest.mark.parametrize(
    ("clients", "verdict"),
    [
        pytest.param(["gone/Deployment/x", CLIENT], "broken", id="behind one that is not listed"),
        pytest.param([OUTSIDE, CLIENT], "broken", id="behind one without a proxy"),
        pytest.param([CLIENT, "gone/Deployment/x", OUTSIDE], "broken", id="before them"),
    ],
)
def test_every_client_is_looked_at(clients, verdict):
    server = workload(OUTSIDE, None, "accepted", "none")
    programmed = Programmed([*MESH, server], [proxy(), client(upstream("plaintext"))], AT)
    assert programmed.verdict(edge(), clients) == verdict


def test_a_proxy_that_the_traffic_bypasses_hides_no_other_of_its_client():
    bypassed, blocked = client(AUTO), client(passthrough=False)._replace(pod="shop/c-2")
    for proxies in ([bypassed, blocked], [blocked, bypassed]):
        programmed = Programmed(MESH, [proxy(), *proxies], AT)
        assert programmed.verdict(edge("plaintext", "none"), [CLIENT]) == "broken"


@pytest.mark.parametrize(
    ("upstreams", "ports"),
    [
        pytest.param([upstream("mtls")], {8080}, id="one"),
        pytest.param([upstream("mtls", ("10.0.0.1:8080", "mtls"), ("10.0.0.9:9090", "mtls"))], {8080},
                     id="those of another workload behind the same Service are not the server's"),
        pytest.param([upstream("mtls", ("10.0.0.1:8080", "mtls"), ("10.0.0.1:9090", "mtls"))], {8080, 9090}, id="two"),
        pytest.param([upstream("mtls", ("10.0.0.1:8080", "mtls"), ("10.0.0.1:http", "mtls"))], set(),
                     id="one of them is no port: nobody says which"),
        pytest.param([OTHER], set(), id="another host's"),
        pytest.param([], set(), id="none"),
    ],
)  # fmt: skip
def test_the_servers_ports_behind_a_service_port(upstreams, ports):
    programmed = Programmed(MESH, [proxy(), client(*upstreams)], AT)
    assert programmed.target_ports(edge(), CLIENT) == ports


@pytest.mark.parametrize(("sends", "verdict"), [("plaintext", "plaintext"), ("mtls", "broken"), ("unknown", "unknown")])
@pytest.mark.parametrize("clients", [[CLIENT], [OUTSIDE, CLIENT]], ids=["alone", "behind one without a proxy"])
def test_a_server_outside_the_mesh_takes_plaintext_only(sends, verdict, clients):
    programmed = Programmed(MESH, [client(upstream(sends))], {"10.0.0.1": OUTSIDE})
    assert programmed.verdict(edge(endpoint=OUTSIDE), clients) == verdict


@pytest.mark.parametrize("mesh", ["ambient", "unknown"])
def test_of_a_server_without_a_sidecar_that_may_have_something_else_nothing_is_known(mesh):
    programmed = Programmed([workload(mesh=mesh), workload(CLIENT)], [client(upstream("mtls"))], AT)
    assert programmed.verdict(edge(), [CLIENT]) == "unknown"


@pytest.mark.parametrize(
    ("servers", "verdict"),
    [([], "unknown"), ([True], "mtls"), ([True, False], "unknown"), ([False], "unknown")],
    ids=["nobody was asked", "its proxy answers", "one of two does not", "it does not answer"],
)
def test_istios_tunnel_needs_every_proxy_of_the_server(servers, verdict):
    proxies = [proxy(answered=answered)._replace(pod=f"shop/a-{place}") for place, answered in enumerate(servers)]
    programmed = Programmed(MESH, [*proxies, client(upstream("hbone"))], AT)
    assert programmed.verdict(edge(client_tls="hbone"), [CLIENT]) == verdict


def test_another_port_of_the_servers_proxy_does_not_count():
    mesh, server = two_ports("strict", "permissive")
    programmed = Programmed(mesh, [server, client(AUTO)], AT)
    assert programmed.verdict(edge(), [CLIENT]) == "mtls"


@pytest.mark.parametrize("endpoint", [None, "gone/Deployment/x"])
def test_a_server_that_is_not_listed_is_unknown(endpoint):
    programmed = Programmed(MESH, [client(upstream("mtls"))], AT)
    assert programmed.verdict(edge(endpoint=endpoint), [CLIENT]) == "unknown"


PROXY_DIFFERS, WIRE_DIFFERS = "has not got the policies yet", "some clients call pods' addresses"


@pytest.mark.parametrize(
    ("title", "sent", "seen", "cause"),
    [
        ("all say the same", "mtls", "mutual_tls", ""),
        ("nothing contradicts", "mtls", "unknown", ""),
        ("the proxies say otherwise", "plaintext", "mutual_tls", PROXY_DIFFERS),
        ("only telemetry does", "mtls", "plaintext", WIRE_DIFFERS),
        ("telemetry does, and the proxies do not know", "unknown", "plaintext", WIRE_DIFFERS),
    ],
)
def test_what_a_contradiction_can_come_from(title, sent, seen, cause):
    programmed = Programmed(MESH, [proxy(), client(upstream(sent))], AT)
    (found,) = compare([edge()], SETS, programmed, Observed(MESH, [traffic(seen)], programmed))
    assert (cause in found["cause"]) is True, title
    assert bool(found["cause"]) == bool(cause)
