# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a third namespace that the caller may not read: a good answer is not better than that."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.rows import Edge
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.withheld import beside_withheld
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    Manifest,
    answer,
    egress,
    istio,
    judge,
    mesh_config,
    pod,
    rule,
    service,
    tls,
)

MTLS, UNKNOWN, PLAINTEXT = "mtls -> mtls", "unknown -> unknown", "plaintext -> plaintext"
MESH = [mesh_config(), pod("shop/web"), pod("cellar/db"), service("cellar/db")]
OPEN = [mesh_config(), pod("shop/web"), pod("cellar/db", "none"), service("cellar/db")]


@pytest.mark.parametrize("kind", ["ServiceEntry", "VirtualService"])
@pytest.mark.parametrize(
    ("title", "manifests", "missing", "expected"),
    [
        ("of a third namespace", MESH, {"namespace": "tenant"}, UNKNOWN),
        ("everywhere but on both sides", MESH, {"except": ["shop", "cellar", "istio-system"]}, UNKNOWN),
        ("nobody knows where", MESH, {"namespace": "No Name"}, UNKNOWN),
        ("what is bad stays bad", OPEN, {"namespace": "tenant"}, PLAINTEXT),
        ("a Sidecar names others", [*MESH, egress("shop/s", "./*", "cellar/*")], {"namespace": "tenant"}, MTLS),
        ("a Sidecar names it", [*MESH, egress("shop/s", "cellar/*", "tenant/*")], {"namespace": "tenant"}, UNKNOWN),
        ("a Sidecar names all", [*MESH, egress("shop/s", "*/*")], {"namespace": "tenant"}, UNKNOWN),
        ("a Sidecar names those that were read", [*MESH, egress("shop/s", "./*", "cellar/*")],
         {"except": ["shop", "cellar", "istio-system"]}, MTLS),
        ("a Sidecar names one more", [*MESH, egress("shop/s", "./*", "cellar/*", "tenant/*")],
         {"except": ["shop", "cellar", "istio-system"]}, UNKNOWN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_good_answer_needs_all_that_could_change_it(
    title: str, manifests: list[Manifest], missing: dict[str, Any], expected: str, kind: str
) -> None:
    result = judge(manifests, unread=[{"kind": kind, "reason": "forbidden", **missing}])
    assert answer(result, "shop/web", "cellar/db") == expected


@pytest.mark.parametrize(("kind", "expected"), [("ServiceEntry", UNKNOWN), ("VirtualService", "hbone -> mtls")])
def test_ztunnel_knows_entries_but_follows_no_routes(kind: str, expected: str) -> None:
    mesh = [mesh_config(), pod("shop/web", "ambient"), pod("cellar/db", "ambient"), service("cellar/db")]
    assert answer(judge(mesh, unread=[{"kind": kind, "namespace": "tenant"}]), "shop/web", "cellar/db") == expected


def test_other_kinds_of_a_third_namespace_change_nothing() -> None:
    """istiod asks the namespaces of both sides and the root for them."""
    kinds = ("DestinationRule", "PeerAuthentication", "Sidecar", "EnvoyFilter", "WorkloadEntry", "Gateway")
    unread = [{"kind": kind, "namespace": "tenant"} for kind in kinds]
    assert answer(judge(MESH, unread=unread), "shop/web", "cellar/db") == MTLS


def test_what_a_tenant_writes_wrongly_changes_nobody_elses_answer() -> None:
    wrong = istio("ServiceEntry", "tenant/e", {"hosts": "all of them"})
    assert answer(judge(MESH, wrong), "shop/web", "cellar/db") == MTLS


def test_the_reason_says_what_is_missing() -> None:
    result = judge(MESH, rule("cellar/r", "db", tls("ISTIO_MUTUAL")), unread=[{"kind": "ServiceEntry"}])
    reasons = {row["reason"] for row in result["edges"] if row["service"] == "cellar/db"}
    assert any("ServiceEntries, which could claim this address or host" in reason for reason in reasons)


def row(verdict: str, clients: int, sent: str = "mtls") -> Edge:
    return Edge("a/b", "b.a", 80, None, "a/Pod/b", sent, verdict, "why", clients)


@pytest.mark.parametrize(
    ("given", "hidden", "expected"),
    [
        pytest.param(row("mtls", 0b11), 0, [("mtls", 0b11)], id="nothing is hidden"),
        pytest.param(row("mtls", 0b11), 0b11, [("unknown", 0b11)], id="from all of them"),
        pytest.param(row("tls", 0b11), 0b01, [("unknown", 0b01), ("tls", 0b10)], id="from one of them"),
        pytest.param(row("mtls", 0b11), 0b100, [("mtls", 0b11)], id="from another one"),
        pytest.param(row("mtls", 0b11), 0b110, [("unknown", 0b10), ("mtls", 0b01)], id="from one of them and another"),
        pytest.param(row("plaintext", 0b11), 0b11, [("plaintext", 0b11)], id="what is bad stays bad"),
        pytest.param(row("broken", 0b11), 0b11, [("broken", 0b11)], id="what is broken stays broken"),
        pytest.param(row("tls", 0b11, "none"), 0b11, [("tls", 0b11)], id="what passes no proxy"),
    ],
)
def test_for_whom_a_good_answer_is_unknown(given: Edge, hidden: int, expected: list[tuple[str, int]]) -> None:
    found = beside_withheld([given], lambda kind: hidden if kind == "ServiceEntry" else 0)
    assert [(one.verdict, one.clients) for one in found] == expected
