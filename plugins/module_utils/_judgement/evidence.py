# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit's sources say together, of ports and of the mesh, and what had to be seen and was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._evidence.comparison.findings import KINDS as COMPARED
from .._foreign import numbers
from .exclusions import Exclusions
from .violations import (
    DISAGREEMENT,
    FINDING,
    IN_MESH,
    OK,
    PLAINTEXT,
    REMEDIES,
    UNKNOWN,
    UNPROVEN,
    WARNING,
    Place,
    Row,
    looked_at,
    row_of,
)

SEEN, PARTLY, NOT_ASKED = "seen", "partly", "not asked"
ACCEPTING = ("plaintext", "permissive")
WHAT = {"programmed": "what the proxies run with", "observed": "what the wire answers"}
OBJECTS = {"programmed": "the proxies", "observed": "the wire"}

# Findings that contradict the mesh's own promise, beside those that are rows of ports and edges already.
CONTRADICTIONS = ("MTLS-104", "MTLS-105", "MTLS-107", "MTLS-108", "MTLS-111", "MTLS-113")
WARNINGS = ("MTLS-109", "MTLS-110", "MTLS-112")
_COMPARED = frozenset(kind.id for kind in COMPARED)


def probe_of(status: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an audit's result says of the wire as `probe` would: `targets`, or why there are none; None if not asked."""
    seen = status.get("seen", {}).get("observed", {"state": NOT_ASKED})
    if seen["state"] == NOT_ASKED:
        return {"msg": seen["detail"]} if seen.get("detail") else None
    if status.get("probe") or seen["state"] in (SEEN, PARTLY):
        return {"targets": status.get("probe") or []}
    return {"msg": seen["detail"]}


def had(source: str, status: Mapping[str, Any], probe: Mapping[str, Any] | None) -> bool:
    """Whether a source gave anything at all."""
    if source == "observed":
        return probe is not None and "targets" in probe
    return source == "declared" or status.get("seen", {}).get(source, {}).get("state") in (SEEN, PARTLY)


def missing_evidence(status: Mapping[str, Any], probe: Mapping[str, Any] | None, require: str) -> list[dict[str, str]]:
    """The violation that a required source gave nothing."""
    if had(require, status, probe):
        return []
    why = str((probe or {}).get("msg") or "") if require == "observed" else _why_no_proxy(status)
    reason = f"{WHAT[require]} is required and could not be had: {(why or 'it was not asked').rstrip('.')}"
    remedy = REMEDIES["file" if status.get("snapshot") else require]
    return [{"kind": UNKNOWN, "object": OBJECTS[require], "reason": reason, "remedy": remedy}]


def _why_no_proxy(status: Mapping[str, Any]) -> str:
    detail = str(status.get("seen", {}).get("programmed", {}).get("detail", ""))
    reasons = [f"{proxy['pod']}: {proxy['reason']}" for proxy in status.get("proxies", []) if not proxy["answered"]]
    return f"{detail} ({reasons[0]})" if reasons else detail


def evidence(
    status: Mapping[str, Any], probe: Mapping[str, Any] | None, sources: Sequence[str], require: str
) -> dict[str, Any]:
    """What the judgement stands on."""
    seen = status.get("seen", {})
    file = status.get("snapshot")
    return {
        **({"snapshot": dict(file)} if file else {}),
        "sources": {source: had(source, status, probe) for source in sources},
        "seen": {source: dict(seen[source]) for source in sources if source in seen},
        "require": require,
        "cluster": dict(status.get("cluster") or {}),
        "unknown": list(status.get("unknown", [])),
    }


def unproven(judged_evidence: Mapping[str, Any], ports: Sequence[Row]) -> list[str]:
    """What a mesh that is as required has not shown, though it was asked: short phrases, empty where all has."""
    silent = [name for name, answered in judged_evidence["sources"].items() if not answered]
    open_ports = sum(row["result"] == UNPROVEN for row in ports)
    phrases = [f"{name} could not be had" for name in silent]
    return phrases + ([f"{open_ports} of {len(ports)} ports without an answer of a source"] if open_ports else [])


def port_rows(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    require: str,
    wire: Sequence[Row],
    exclusions: Exclusions,
) -> list[Row]:
    """One row for each port in scope that the audit compared.

    What a row of the wire says already is `told`: it counts once.
    """
    on_wire = {place: row["kind"] for row in wire for place in row["places"]}
    # Where the wire answered at all, a port that was not asked is one that no Service leads to.
    way_out = REMEDIES.get("port" if require == "observed" and any(row["seen"] for row in wire) else require, "")
    rows = []
    for port in status.get("ports", []):
        workload = workloads.get(port["workload"])
        if workload is None or workload["namespace"] not in scope:
            continue
        place = (port["workload"], port["port"])
        excluded = exclusions.cover(workload["namespace"], [workload["name"]], [port["port"]])
        kind, reason, remedy = _port_violation(workload, port, require, way_out)
        name = f"{workload['namespace']}/{workload['name']}"
        row = row_of(kind, reason, remedy, excluded, object=f"{name} port {port['port']}", workload=name)
        row["id"] = port["workload"]
        row["told"] = _is_told(kind, port, on_wire.get(place))
        if row["result"] == OK and port["agreement"] == UNPROVEN:
            row["result"] = UNPROVEN
        rows.append({**row, **{key: port[key] for key in ("port", "declared", "programmed", "observed", "agreement")}})
    return rows


def _port_violation(
    workload: Mapping[str, Any], port: Mapping[str, Any], require: str, way_out: str
) -> tuple[str | None, str, str]:
    """(kind or None, reason, remedy)"""
    if port["agreement"] == "contradicted":
        return DISAGREEMENT, f"{against(port, port['declared'])}: {port['why']}", looked_at(port["cause"])
    source = next((name for name in ("observed", "programmed") if port[name] in ACCEPTING), None)
    if port["declared"] == UNKNOWN and source:
        reason = f"{port[source]} as {source}, and the policies do not tell why: {port['why']}"
        return DISAGREEMENT, reason, REMEDIES["undeclared"]
    if require != "declared" and workload["mesh"] in IN_MESH and port[require] in (None, UNKNOWN):
        if require == "programmed" and workload["mesh"] == "ambient":
            return UNKNOWN, "in ambient there is no proxy of its own that could be asked", REMEDIES["ambient"]
        reason = f"{WHAT[require]} is required: {port['why']}"
        return UNKNOWN, reason, way_out
    return None, port["why"], ""


def against(row: Mapping[str, Any], declared: str) -> str:
    """What the other sources say that contradicts the policies."""
    others = [
        f"{row[name]} as {name}" for name in ("programmed", "observed") if row[name] not in (None, UNKNOWN, declared)
    ]
    return f"{declared} as declared, but {' and '.join(others)}"


def _is_told(kind: str | None, port: Mapping[str, Any], on_wire: str | None) -> bool:
    """Whether the wire's own row says of this port what its row does."""
    if kind == UNKNOWN:
        return on_wire is not None
    if port["declared"] == UNKNOWN:
        return on_wire in (PLAINTEXT, DISAGREEMENT)
    return on_wire == DISAGREEMENT and port["programmed"] in (None, UNKNOWN, port["declared"])


def silent_gateways(status: Mapping[str, Any], servers: Sequence[Row], require: str) -> list[dict[str, str]]:
    """Gateways have no compared ports; where the proxies are required one of theirs must have answered."""
    if require != "programmed":
        return []
    answered = {proxy["workload"] for proxy in status.get("proxies", []) if proxy["answered"]}
    silent = {row["id"]: row["workload"] for row in servers if row["mesh"] == "gateway" and row["id"] not in answered}
    return [
        {
            "kind": UNKNOWN,
            "object": f"{name} (a gateway)",
            "reason": f"{WHAT[require]} is required, and none of its proxies answered",
            "remedy": REMEDIES[require],
        }
        for dummy, name in sorted(silent.items())
    ]


def finding_rows(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    exclusions: Exclusions,
) -> list[Row]:
    """The audit's findings about proxies, certificates and identities, of what is in scope or of the whole mesh."""
    pods = {proxy["pod"]: proxy["workload"] for proxy in status.get("proxies", [])}
    rows = []
    for finding in status["findings"]:
        if finding["id"] not in (*CONTRADICTIONS, *WARNINGS):
            continue
        namespace, name, port = _place(finding["object"], pods, workloads)
        if namespace and namespace not in scope:
            continue
        excluded = bool(namespace) and exclusions.cover(namespace, [name], [port])
        kind = DISAGREEMENT if finding["id"] in CONTRADICTIONS else None
        row = row_of(kind, finding["message"], finding["fix"], excluded, object=finding["object"], id=finding["id"])
        rows.append({**row, "result": WARNING} if row["result"] == OK else row)
    return rows


def severe_rows(
    status: Mapping[str, Any],
    scope: Sequence[str],
    exclusions: Exclusions,
    counted: bool,
) -> list[Row]:
    """The policies' own findings of high severity, of what is in scope, in a root namespace, or of no namespace.

    `counted`: as violations; otherwise they are told. What sources say together is in rows of its own already.
    """
    roots = {revision.get("root_namespace") for revision in (status.get("mesh") or {}).get("revisions") or ()}
    rows = []
    for finding in status["findings"]:
        if finding["severity"] != "high" or finding["id"] in _COMPARED:
            continue
        kind, dummy, thing = finding["object"].partition(" ")
        namespace, dummy, name = thing.rpartition("/") if "/" in thing or kind != "Namespace" else (thing, "", "")
        if namespace and namespace not in scope and namespace not in roots:
            continue
        excluded = bool(namespace) and exclusions.cover(namespace, [name], [])
        row = row_of(
            FINDING if counted else None,
            finding["message"],
            finding["fix"],
            excluded,
            object=finding["object"],
            id=finding["id"],
        )
        rows.append({**row, "result": WARNING} if row["result"] == OK else row)
    return rows


def _place(
    thing: str, pods: Mapping[str, str], workloads: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str, int | None]:
    """(namespace, name, port) of a finding's object; no namespace where it is about the whole mesh."""
    if thing in pods:
        namespace, name = thing.split("/", 1)
        workload = workloads.get(pods[thing])
        return namespace, workload["name"] if workload else name, None
    where, dummy, text = thing.rpartition(":")
    port = numbers.port(text)
    if port is not None and where.count("/") == 1 and " " not in where:
        namespace, name = where.split("/")
        return namespace, name, port
    return "", "", None


def causes(status: Mapping[str, Any]) -> dict[Place, str]:
    """Why the sources contradict each other, by workload and port."""
    return {(port["workload"], port["port"]): port["cause"] for port in status.get("ports", []) if port["cause"]}
