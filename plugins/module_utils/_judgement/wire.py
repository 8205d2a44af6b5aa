# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire: what a probe met, against what is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .exclusions import Exclusions
from .violations import (
    BROKEN,
    DISAGREEMENT,
    EXCLUDED,
    IN_MESH,
    PLAINTEXT,
    REMEDIES,
    UNCAPTURED,
    UNKNOWN,
    Place,
    Row,
    looked_at,
    row_of,
)


def wire_rows(
    probe: Mapping[str, Any] | None,
    servers: list[Row],
    edges: list[Row],
    scope: Sequence[str],
    require: str,
    exclusions: Exclusions,
    pods: Mapping[str, str],
    causes: Mapping[Place, str],
) -> list[Row]:
    """One row for each service port that leads to a workload in scope, probed or not, and for whatever was probed.

    `pods` tells the workload of a pod, `causes` why an audit's sources contradict each other at a workload's port.
    """
    if probe is None or "targets" not in probe:
        return []
    behind: dict[str, list[Row]] = {}
    for server in servers:
        behind.setdefault(server["id"], []).append(server)
    leading: dict[tuple[str, int], list[Row]] = {}
    for edge in edges:
        leading.setdefault((edge["service"], edge["port"]), []).append(edge)
    answers = {
        (target["service"], target["port"]): target
        for target in probe["targets"]
        if target["service"] and target["service"].split("/", 1)[0] in scope
    }
    wanted = {key for key, found in leading.items() if any(edge["endpoint"] in behind for edge in found)}
    rows = []
    for service, port in sorted(wanted | set(answers)):
        found = leading.get((service, port), [])
        ports = [server for endpoint in {edge["endpoint"] for edge in found} for server in behind.get(endpoint, [])]
        namespace, name = service.split("/", 1)
        # Where clients alone are excused, what the server answers to others still counts.
        excluded = bool(found) and all(edge["result"] == EXCLUDED and not edge.get("excused") for edge in found)
        excluded = excluded or exclusions.cover(namespace, [name], [port])
        answer = answers.get((service, port))
        row = _wire_row(service, port, answer, found, ports, require, excluded)
        row["places"] = _places(namespace, answer or {}, pods)
        because = next((causes[place] for place in row["places"] if place in causes), "")
        if row["kind"] == DISAGREEMENT and because:
            row["remedy"] = looked_at(because)
        rows.append(row)
    return rows


def _places(namespace: str, answer: Mapping[str, Any], pods: Mapping[str, str]) -> list[Place]:
    """The workloads' ports that were asked."""
    asked = {(pods.get(f"{namespace}/{item['pod']}", ""), int(item["port"])) for item in answer.get("endpoints") or ()}
    return sorted(place for place in asked if place[0])


def _declared(edges: list[Row], servers: list[Row]) -> str:
    """What the policies say of plaintext from outside the mesh: accepted | refused | unknown."""
    outside = {edge["verdict"] for edge in edges if edge["client_tls"] == "none"}
    said = {{"plaintext": "accepted", "refused": "refused", "broken": "refused"}.get(verdict) for verdict in outside}
    said = said or {server["plaintext"] for server in servers}
    return "accepted" if "accepted" in said else "refused" if said == {"refused"} else "unknown"


def _offends(edges: list[Row], servers: list[Row]) -> bool:
    """Whether any row is, or would be but for an exclusion, a violation."""
    return any(row["kind"] for row in (*edges, *servers))


def _wire_row(
    service: str,
    port: int,
    answer: Mapping[str, Any] | None,
    edges: list[Row],
    servers: list[Row],
    require: str,
    excluded: bool,
) -> Row:
    answer = answer or {}
    outside = answer.get("outside", {}).get("plaintext", "not_asked")
    inside = answer.get("inside", {}).get("request", "not_asked")
    handshake = answer.get("inside", {}).get("mtls", {}).get("result")
    verdict = answer.get("verdict", UNKNOWN)
    reason = str(answer.get("reason") or "the wire was not asked")
    declared = _declared(edges, servers)
    mtls = any(edge["verdict"] == "mtls" for edge in edges)
    kind, remedy = None, ""
    if outside == "answered" and declared == "refused":
        kind, remedy = DISAGREEMENT, DISAGREEMENT
        reason = f"the policies refuse plaintext, but the wire answered it: {reason}"
    elif outside == "answered" and any(row.get("by_design") for row in edges) and not _offends(edges, servers):
        pass  # a gateway's plaintext, as it is meant
    elif outside == "answered":
        kind, remedy = PLAINTEXT, "no proxy" if any(server["mesh"] not in IN_MESH for server in servers) else PLAINTEXT
        remedy = "gateway" if servers and all(server["mesh"] == "gateway" for server in servers) else remedy
        remedy = "undeclared" if declared == UNKNOWN else remedy
        remedy = UNCAPTURED if any(server["kind"] == UNCAPTURED for server in servers) else remedy
    elif mtls and inside == "refused" and handshake != "accepted" and answer.get("endpoints") != []:
        # A refusal after the handshake is an AuthorizationPolicy's or the application's own business, and without an
        # endpoint there is nobody who could contradict the policies.
        kind, remedy = DISAGREEMENT, BROKEN
        reason = f"the policies promise mTLS, but a request from inside the mesh was refused: {reason}"
    elif verdict != "strict" and require == "observed":
        kind, remedy = UNKNOWN, "wire"
    return row_of(
        kind,
        reason,
        REMEDIES.get(remedy, ""),
        excluded,
        object=f"{service}:{port} on the wire",
        service=service,
        port=port,
        seen=bool(answer),
        declared=declared,
        outside=outside,
        inside=inside,
        verdict=verdict,
        identity=answer.get("identity"),
    )
