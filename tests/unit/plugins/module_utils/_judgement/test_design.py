# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways and waypoints accept in plaintext by design fails nothing, unless it is demanded; all else does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.states import facts_of, headline
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

from .samples import edge, port, status, target, workload


def opened(number: int, purpose: str, plaintext: str = "accepted") -> dict[str, Any]:
    """A port of a gateway."""
    return {**port(number, None, plaintext=plaintext), "purpose": purpose}


HTTP, HTTPS = opened(8080, "gateway"), opened(8443, "gateway", "refused")
HEALTH, METRICS, HBONE = opened(15021, "health"), opened(15090, "metrics"), opened(15008, "hbone", "refused")
OWN, UNKNOWN = opened(9090, "workload"), opened(8081, "gateway", "unknown")


def violations(ports: list[dict[str, Any]], edges: list[dict[str, Any]], **terms: Any) -> list[tuple[str, str]]:
    """What is wrong with a gateway of these ports: (kind, object)."""
    found = judge(status(workload(mesh="gateway", ports=ports, mode=None, policy=None), edges), **terms)
    assert all("istio_mtls" not in item["remedy"] for item in found["violations"])
    return [(item["kind"], item["object"].rpartition("service-a")[2].strip()) for item in found["violations"]]


PORTS = {
    "HTTP": ([HTTP, HTTPS], [], [("plaintext", "port 8080")]),
    "health and metrics": ([HEALTH, METRICS], [], []),
    "a waypoint": ([HBONE, HEALTH], [], []),
    "another container": ([HTTP, OWN], [("plaintext", "port 9090")], None),
    "a port that nobody can tell": ([UNKNOWN], [("unknown", "port 8081")], None),
}


@pytest.mark.parametrize(("ports", "found", "demanded"), PORTS.values(), ids=PORTS)
def test_ports(ports, found, demanded):
    assert violations(ports, []) == found
    if demanded is not None:
        assert violations(ports, [], gateway_tls=True) == demanded


PLAIN = [edge("both", "plaintext", "none")]
CLOSED = [edge("in", "broken", "plaintext")]
EDGES = {
    "to what it serves in plaintext": ([HTTP], PLAIN, []),
    "beside another container's port, which may be meant": (
        [HTTP, OWN],
        PLAIN,
        [("plaintext", "port 9090"), ("plaintext", ":80")],
    ),
    "beside one that nobody can tell": ([HTTP, UNKNOWN], PLAIN, [("plaintext", ":80"), ("unknown", "port 8081")]),
    "to what it does not serve": ([HTTPS], CLOSED, []),
    "a rule's TLS that the gateway does not speak": ([HTTP], [edge("in", "broken", "mtls")], [("broken", ":80")]),
    "unknown": ([HTTP], [edge("in", "unknown", "mtls")], [("unknown", ":80")]),
}


@pytest.mark.parametrize(("ports", "edges", "found"), EDGES.values(), ids=EDGES)
def test_edges(ports, edges, found):
    assert violations(ports, edges) == found


def test_edges_where_tls_is_demanded():
    assert violations([HTTP], PLAIN, gateway_tls=True) == [("plaintext", "port 8080"), ("plaintext", ":80")]
    assert violations([HTTPS, HEALTH], PLAIN, gateway_tls=True) == []


def test_only_a_gateway_is_excused():
    """A field that a sidecar's port should not have excuses nothing."""
    found = judge(status(workload(ports=[{**port(mode="PERMISSIVE", plaintext="accepted"), "purpose": "gateway"}])))
    assert [item["kind"] for item in found["violations"]] == ["plaintext"]


@pytest.mark.parametrize(
    ("ports", "terms", "kinds"),
    [
        pytest.param([HTTP], {}, [], id="as it is meant"),
        pytest.param([HTTP], {"require": "observed"}, [], id="though the wire is required"),
        pytest.param([HTTP, OWN], {}, ["plaintext"] * 3, id="where another container may have answered"),
        pytest.param([HTTP], {"gateway_tls": True}, ["plaintext"] * 3, id="where TLS is demanded"),
    ],
)
def test_the_wire_answers_in_plaintext(ports, terms, kinds):
    probe = {"targets": [target(plaintext="answered", verdict="plaintext")]}
    found = judge(status(workload(mesh="gateway", ports=ports), PLAIN), probe, **terms)
    assert [item["kind"] for item in found["violations"]] == kinds


def test_reports_do_not_call_it_plaintext_in_the_mesh():
    audit = audits.two()
    gateway = {**audit["workloads"][0], "id": "edge/Deployment/gw", "namespace": "edge", "name": "gw"}
    gateway.update(mesh="gateway", mode=None, policy=None, ports=[HTTP], pods=["gw-1"])
    audit["workloads"] = [*audit["workloads"], gateway]
    facts = facts_of(audit, namespaces=["edge"])
    shown = next(one for one in facts.ports if one.workload["id"] == gateway["id"])
    assert (shown.state, shown.in_scope, shown.by_design) == ("outside", False, True)
    assert "by design" in shown.why
    assert "Plaintext is accepted" not in headline(facts).text
