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
PROGRAMMED = [
    ("mutual TLS meets STRICT", edge(), [proxy(), client(AUTO)], "mtls", "proven"),
    ("a rule of its own sends plaintext", edge(), [proxy(), client(upstream("plaintext"))], "broken", "contradicted"),
    ("plaintext meets an open port", edge(), [proxy(accepts="permissive"), client(upstream("plaintext"))], "plaintext",
     "contradicted"),
    ("the server was not asked", edge(), [client(AUTO)], "unknown", "unproven"),
    ("no client was asked", edge(), [proxy()], None, "unproven"),
    ("a client that does not answer", edge(), [proxy(), client(AUTO, answered=False)], None, "unproven"),
    ("an unknown host is blocked", edge("broken", "mtls"), [proxy(), client(passthrough=False)], "broken", "proven"),
    ("one-way TLS meets STRICT", edge("broken", "simple"), [proxy(), client(upstream("simple"))], "broken", "proven"),
    ("traffic that bypasses the client's proxy", edge("plaintext", "none"), [proxy(), client(AUTO)], None, "unproven"),
    ("a host that the proxy does not know", edge("unknown", "none"), [proxy(accepts="permissive"), client()], "unknown",
     "unproven"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "row", "proxies", "verdict", "agreed"), PROGRAMMED, ids=[row[0] for row in PROGRAMMED]
)
def test_what_both_proxies_were_given(what, row, proxies, verdict, agreed):
    (found,) = compare([row], SETS, Programmed(MESH, proxies, AT), None)
    assert (found["programmed"], found["observed"], found["agreement"]) == (verdict, None, agreed)
    assert [item["id"] for item in of_edges([found])] == (["MTLS-103"] if agreed == "contradicted" else [])


def test_a_client_without_proxy_meets_what_the_servers_proxy_accepts():
    proxies = [proxy(), client(AUTO)]
    (found,) = compare([edge("broken", "none")], {"set": [OUTSIDE]}, Programmed(MESH, proxies, AT), None)
    assert (found["programmed"], found["agreement"]) == ("broken", "proven")


def test_two_sides_without_proxies_have_nobody_to_ask():
    row = edge("plaintext", "none", endpoint=OUTSIDE)
    (found,) = compare([row], {"set": [OUTSIDE]}, Programmed(MESH, [proxy()], AT), None)
    assert (found["programmed"], found["agreement"]) == (None, "unproven")


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
    ("somebody else was seen", edge(), [traffic("plaintext", "cafe/o")], "unknown", "unproven"),
    ("the server's port was seen", edge(), [traffic("mutual_tls", port=8080)], "mtls", "proven"),
    ("another port was seen", edge(), [traffic("plaintext", port=9090)], "unknown", "unproven"),
]


@pytest.mark.parametrize(("what", "row", "seen", "verdict", "agreed"), OBSERVED, ids=[row[0] for row in OBSERVED])
def test_what_telemetry_saw(what, row, seen, verdict, agreed):
    (found,) = compare([row], SETS, None, Observed(MESH, seen))
    assert (found["programmed"], found["observed"], found["agreement"]) == (None, verdict, agreed)


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
