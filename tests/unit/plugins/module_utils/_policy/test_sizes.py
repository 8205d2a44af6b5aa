# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small objects that name much of which each goes with each: unknown at a limit, and not what others have."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import services
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
)


def numbered(many: int, protocol: str = "TCP") -> list[dict[str, Any]]:
    """Ports of a ServiceEntry."""
    return [{"number": 1000 + number, "name": f"p{number}", "protocol": protocol} for number in range(many)]


@pytest.mark.parametrize(("hosts", "addresses"), [(230, 1), (30, 30)], ids=["by hosts", "by addresses"])
def test_what_is_too_big_to_be_looked_at_still_claims_what_it_claims(hosts: int, addresses: int) -> None:
    """Its hosts have no answers, but they may be met instead of what else has the address."""
    big = {
        "hosts": [f"h{number}.x" for number in range(hosts)],
        "addresses": [f"10.0.0.{number + 1}" for number in range(addresses)],
        "resolution": "DNS",
        "ports": numbered(240),
    }
    small = {"hosts": ["small.x"], "addresses": ["10.0.0.1"], "resolution": "DNS", "ports": numbered(2)}
    entries = [istio("ServiceEntry", "a/many", big), istio("ServiceEntry", "b/small", small)]
    result = judge(mesh_config(), pod("demo/a"), entries)
    assert {row["verdict"] for row in edges(result, "demo/a", service="b/small")} == {"unknown"}
    assert len(edges(result, "demo/a", service="a/many")) == hosts


def test_what_is_too_big_leaves_what_has_its_host_unknown() -> None:
    """istiod shares the endpoints of one host: those that are not looked at are among them."""
    big = {"hosts": ["one.x", *(f"h{number}.x" for number in range(229))], "resolution": "DNS", "ports": numbered(240)}
    small = {"hosts": ["one.x"], "resolution": "DNS", "ports": numbered(1)}
    entries = [istio("ServiceEntry", "a/many", big), istio("ServiceEntry", "a/small", small)]
    result = judge(mesh_config(), pod("demo/a"), entries)
    assert {row["verdict"] for row in edges(result, "demo/a", host="one.x")} == {"unknown"}


def test_of_services_that_all_select_everything_the_biggest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_MOST_TOGETHER", 60)
    pods = [pod(f"tenant/p{number}", labels={"all": "yes"}) for number in range(10)]
    names = [f"tenant/s{number}" for number in range(20)]
    many = [service(name, selector={"all": "yes"}) for name in names]
    result = judge(mesh_config(), pod("shop/a"), service("shop/a"), pods, many, service("tenant/p0"))
    assert answer(result, "shop/a", "shop/a") == "mtls -> mtls"
    assert answer(result, "shop/a", "tenant/p0") == "mtls -> mtls"
    verdicts = [{row["verdict"] for row in edges(result, "shop/a", service=name)} for name in names]
    assert (verdicts.count({"mtls"}), verdicts.count({"unknown"})) == (5, 15)


def test_more_subsets_than_are_looked_at_leave_their_host_unknown() -> None:
    ports = [{"name": f"tcp-{number}", "port": 1000 + number, "targetPort": 8080} for number in range(201)]
    subsets = [{"name": f"v{number}", "labels": {"version": f"v{number}"}} for number in range(100)]
    parts = [mesh_config(), pod("demo/a"), service("demo/a"), service("demo/big", ports=ports, selector={"app": "a"})]
    result = judge(parts, rule("demo/r", "big", subsets=subsets), rule("demo/s", "a", subsets=subsets))
    assert {row["verdict"] for row in edges(result, "demo/a", service="demo/big")} == {"unknown"}
    [reason] = {row["reason"] for row in edges(result, "demo/a", service="demo/big")}
    assert reason == "DestinationRule demo/r has more subsets for the ports of demo/big than are looked at"
    assert answer(result, "demo/a", "demo/a", subset=None) == "mtls -> mtls"
    assert len(edges(result, "demo/a", service="demo/a")) == 101


@pytest.mark.parametrize(("many", "mode"), [(256, "STRICT"), (257, "unknown")])
def test_more_ports_of_a_peer_authentication_than_are_looked_at_leave_its_namespace_unknown(
    many: int, mode: str
) -> None:
    """Each would be a row of each workload that it selects."""
    ports: dict[int, str | None] = {1000 + number: "DISABLE" for number in range(many)}
    manifest = peer("demo/p", "STRICT", {"app": "a"}, ports)
    result = judge(mesh_config(), pod("demo/a"), pod("shop/a"), manifest)
    assert {item["namespace"]: item["mode"] for item in result["workloads"]} == {"demo": mode, "shop": "PERMISSIVE"}
    told = [item["reason"] for item in result["unknown"] if item["kind"] == "PeerAuthentication"]
    assert told == (
        [] if mode == "STRICT" else ["spec.portLevelMtls has 257 ports, of which 256 at most are looked at"]
    )
