# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the mesh as it is required to be? Verdicts in, one judgement out.

The judge looks at the servers of the enrolled namespaces: at what their ports accept and at every edge that leads to
them. What could not be read or proven is `unknown` and counts against the mesh. A client outside the mesh that a
server refuses is what STRICT is for: it counts as success.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._audit.document import lasting
from .._foreign.visible import visible
from .._policy.membership import enrolled_namespaces
from .._policy.rows import BY_ENDPOINT, BY_EXTERNAL, BY_RULE, BY_SERVER, BY_ZTUNNEL, NO_ENDPOINT
from . import evidence as sources_together
from .clients import NOBODY, Left, ShownClients, Unexcused, clients_of
from .design import NOTHING, REASON, Design, design_of
from .egress import egress_rows, is_egress, limit_of
from .exclusions import Exclusions
from .judged_file import described
from .traffic import traffic_rows
from .violations import (
    BROKEN,
    DISAGREEMENT,
    EGRESS,
    EXCLUDED,
    FAIL,
    FINDING,
    IN_MESH,
    KINDS,
    NOBODY_THERE,
    OK,
    ON_REQUEST,
    PLAINTEXT,
    REMEDIES,
    RESULTS,
    RULE,
    SERVERS_KINDS,
    UNCAPTURED,
    UNKNOWN,
    WARNING,
    Row,
    everybody,
    looked_at,
    row_of,
    violation_of,
    worst_first,
)
from .wire import wire_rows


def judge(
    status: Mapping[str, Any],
    probe: Mapping[str, Any] | None = None,
    namespaces: Sequence[str] = (),
    enrolled: Sequence[str] = (),
    exclude: Iterable[Mapping[str, Any]] = (),
    sources: Sequence[str] = ("declared",),
    require: str = "declared",
    limits: Mapping[str, int] | None = None,
    read: Sequence[str] = (),
    today: str = "",
    gateway_tls: bool = False,
) -> dict[str, Any]:
    """Judge what `status_info` (detail full) or `audit` (its file) answered, and `probe` where it was asked by itself.

    `namespaces` names the scope; without it the scope is every namespace with a workload in the mesh, those that the
    labels in `status` enrol, and `enrolled` (namespaces whose labels say so, where `status` has no labels).
    `exclude` holds what Exclusions takes; after the day `until` an
    entry no longer counts, by `today`, both YYYY-MM-DD. `limits` is how many
    violations of each kind are accepted; a kind that it leaves out accepts none, but for findings of high severity
    (`finding`) and what leaves the mesh (`egress_plaintext`), which count only where a limit for them is given. Of the
    users' own rules in `status` a failed one is a violation, unless its severity is `warning`. `read` names the
    namespaces that reading was limited to: what lies elsewhere is not seen, on purpose. Of gateways the plaintext that
    they serve by design is no violation, unless `gateway_tls`: then it is one, but for health and metrics. Raises
    ExclusionError.
    """
    probe = probe or sources_together.probe_of(status)
    workloads = {workload["id"]: workload for workload in status["workloads"]}
    scope = sorted(set(namespaces) or enrolled_namespaces(status) | set(enrolled))
    exclusions = Exclusions(exclude, today)
    pods = {f"{item['namespace']}/{pod}": item["id"] for item in workloads.values() for pod in item["pods"]}
    causes = sources_together.causes(status)
    design = design_of(workloads.values(), gateway_tls)
    servers = sorted(_servers(workloads.values(), scope, exclusions, design), key=worst_first)
    edges = sorted(_told_apart(_edges(status, workloads, scope, exclusions, design)), key=worst_first)
    limit = limit_of(limits)
    inside = {name: shown.inside for name, shown in clients_of(status["client_sets"], everybody(status)).items()}
    egress = egress_rows(status, inside, limit is not None)
    wire = sorted(wire_rows(probe, servers, edges, scope, require, exclusions, pods, causes), key=worst_first)
    ports = sorted(sources_together.port_rows(status, workloads, scope, require, wire, exclusions), key=worst_first)
    traffic = sorted(traffic_rows(status, workloads, scope, edges, exclusions, design), key=worst_first)
    findings = sorted(sources_together.finding_rows(status, workloads, scope, exclusions), key=worst_first)
    limits = {kind: int(most) for kind, most in (limits or {}).items() if most is not None}
    severe = sorted(sources_together.severe_rows(status, scope, exclusions, counted=FINDING in limits), key=worst_first)
    rules = sorted(map(_rule, status.get("rules", [])), key=lambda row: RESULTS.index(row["result"]))
    missing = (
        _unproven_scope(namespaces, scope, servers)
        + _unread_scope(status, [*namespaces, *enrolled, *read])
        + _hidden_servers(status, scope, read)
        + (
            sources_together.missing_evidence(status, probe, require)
            or sources_together.silent_gateways(status, servers, require)
        )
    )
    # What a server or the wire does comes before the edges that follow from it.
    rows = [*servers, *ports, *wire, *traffic, *findings, *edges, *severe]
    found = [*missing, *(violation_of(row) for row in (*rows, *rules) if row["result"] == FAIL and not row.get("told"))]
    violations = sorted(found, key=lambda violation: KINDS.index(violation["kind"]))
    counts = {kind: sum(violation["kind"] == kind for violation in violations) for kind in KINDS}
    accepted = {kind: limits.get(kind, 0) for kind in KINDS if kind in limits or kind not in ON_REQUEST}
    counts[EGRESS] = sum(row["verdict"] == PLAINTEXT for row in egress)
    if limit is not None:
        accepted[EGRESS] = limit
        violations += [violation_of(row) for row in egress if row["kind"]]
    standing = sources_together.evidence(status, probe, sources, require)
    exceeded = [kind for kind, most in accepted.items() if counts[kind] > most]
    judgement = {
        "verdict": "fail" if exceeded else "pass",
        "exceeded": exceeded,
        "counts": {
            **counts,
            "ports": len(servers),
            "edges": len(edges),
            "mtls": sum(edge["verdict"] == "mtls" for edge in edges),
            "tls": sum(edge["verdict"] == "tls" for edge in edges),
            "refused": sum(edge["verdict"] == "refused" for edge in edges),
            "probed": sum(row["seen"] for row in wire),
            "excluded": sum(row["result"] == EXCLUDED for row in rows),
        },
        "limits": accepted,
        "scope": scope,
        "evidence": standing,
        "unproven": sources_together.unproven(standing, ports),
        "violations": violations,
        "servers": servers,
        "edges": edges,
        "egress": egress,
        "ports": ports,
        "wire": wire,
        "traffic": traffic,
        "findings": findings,
        "severe": severe,
        "rules": rules,
        "answers": lasting((probe or {}).get("targets", [])),
        "missing": missing,
        "exclusions": exclusions.entries,
    }
    return {**judgement, "message": failure_message(judgement)}


def failure_message(judgement: Mapping[str, Any], most: int = 5) -> str:
    """Why the judgement is `fail`: short, the first offenders with their reasons and remedies. Empty for `pass`."""
    violations = [violation for violation in judgement["violations"] if violation["kind"] in judgement["exceeded"]]
    if not violations:
        return ""
    counts = ", ".join(
        f"{judgement['counts'][kind]} {kind} (accepted {judgement['limits'][kind]})" for kind in judgement["exceeded"]
    )
    file = judgement.get("evidence", {}).get("snapshot")
    where = f" (in the {described(file)})" if file else ""
    lines = [f"Mutual TLS is not as required{where}: {counts}."]
    lines += [
        visible(
            f"{violation['object']}: {violation['kind']}, {violation['reason'].rstrip('.')}. "
            f"Remedy: {violation['remedy']}."
        )
        for violation in violations[:most]
    ]
    if len(violations) > most:
        lines.append(f"And {len(violations) - most} more: see the table above, or the report.")
    return "\n".join(lines)


# Servers: what each port accepts.


def _servers(
    workloads: Iterable[Mapping[str, Any]], scope: Sequence[str], exclusions: Exclusions, design: Design = NOTHING
) -> list[Row]:
    return [
        _server(workload, port, exclusions.cover(workload["namespace"], [workload["name"]], [port["port"]]), design)
        for workload in workloads
        if workload["namespace"] in scope
        for port in workload["ports"]
    ]


def _server(workload: Mapping[str, Any], port: Mapping[str, Any], excluded: bool, design: Design = NOTHING) -> Row:
    by_design = (workload["id"], port["port"]) in design.ports
    kind, reason, remedy = (None, REASON[port["purpose"]], "") if by_design else _server_violation(workload, port)
    policy = _policy_of(workload, port)
    name = f"{workload['namespace']}/{workload['name']}"
    return row_of(
        kind,
        reason,
        REMEDIES.get(remedy, "").format(policy=policy),
        excluded,
        object=f"{name} port {port['port']}",
        id=workload["id"],
        namespace=workload["namespace"],
        workload=name,
        mesh=workload["mesh"],
        port=port["port"],
        mode=port["mode"],
        policy=policy,
        captured=port["captured"],
        plaintext=port["plaintext"],
        by_design=by_design,
    )


def _server_violation(workload: Mapping[str, Any], port: Mapping[str, Any]) -> tuple[str | None, str, str]:
    """(kind or None, reason, key of the remedy)"""
    mode, plaintext = port["mode"], port["plaintext"]
    decides = _policy_of(workload, port)
    policy = f"PeerAuthentication {decides}" if decides else "the default, without any policy,"
    if workload["mesh"] not in IN_MESH and plaintext != "refused":
        return PLAINTEXT, "the workload is not in the mesh, so no proxy refuses plaintext", "no proxy"
    if port["captured"] is False and not (mode == "unknown" and plaintext == "unknown"):
        return UNCAPTURED, f"traffic to the port bypasses the proxy, so {mode or 'no mode'} is not enforced", UNCAPTURED
    if plaintext == "accepted" and workload["mesh"] == "gateway":
        return PLAINTEXT, _at_gateway(port), "gateway" if port.get("purpose") == "gateway" else "beside a gateway"
    if plaintext == "accepted":
        # What else the policy says would refuse it, so that the port alone is to be mended.
        remedy = "exception" if decides and mode != workload["mode"] == "STRICT" else PLAINTEXT
        return PLAINTEXT, f"{policy} makes the port {mode}, so it accepts plaintext", remedy
    if plaintext != "refused":
        return UNKNOWN, "whether the port accepts plaintext could not be told", UNKNOWN
    return None, policy.rstrip(","), ""


def _at_gateway(port: Mapping[str, Any]) -> str:
    if port.get("purpose") == "gateway":
        return "a Gateway serves it in plaintext"
    return "another container than the proxy listens there, and no proxy refuses plaintext for it"


def _policy_of(workload: Mapping[str, Any], port: Mapping[str, Any]) -> str | None:
    """The PeerAuthentication that decides at a port: it says so where that is another than the workload's."""
    found: str | None = port.get("policy", workload["policy"])
    return found


# Edges: what each client really sends to them.


def _edges(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    exclusions: Exclusions,
    design: Design = NOTHING,
) -> list[Row]:
    taking_part = everybody(status)
    clients = clients_of(status["client_sets"], taking_part)
    rest = Unexcused(status["client_sets"], taking_part, exclusions)
    wanted = set(scope)
    rows = []
    for edge in status["edges"]:
        if is_egress(edge):
            continue
        server = workloads.get(edge["endpoint"] or "")
        service_namespace, service = edge["service"].split("/", 1)
        namespace, name = (server["namespace"], server["name"]) if server else (service_namespace, service)
        if namespace in wanted:
            place = (namespace, [name, service], [edge["port"], edge.get("target_port")])
            # A set that is not there has no clients that could be outside.
            row = _edge(edge, clients.get(edge["clients"]) or NOBODY, server, exclusions.cover(*place), design)
            left = rest.without_excused(edge["clients"], exclusions.excuses(*place))
            if left.excused and row["result"] != EXCLUDED:
                row = _excusing(row, left, _edge(edge, left.clients, server, False, design))
            rows.append(row)
    return rows


def _excusing(row: Row, left: Left, others: Row) -> Row:
    """An edge's row, of which some clients are excused; `others` is the row of those who are left.

    It is excluded where they offend in nothing: they are none, or they are outside and refused. Otherwise it says of
    them what it said of all.
    """
    if row["kind"] and (not left.clients.known or not others["kind"]):
        row = {**row, "result": EXCLUDED}
    elif left.clients.known:
        row = others
    return {**row, "excused": left.excused}


def _edge(
    edge: Mapping[str, Any],
    clients: ShownClients,
    server: Mapping[str, Any] | None,
    excluded: bool,
    design: Design = NOTHING,
) -> Row:
    verdict, kind, remedy, names = edge["verdict"], None, "", clients.all
    by_design = verdict == "plaintext" and design.covers(server)
    if by_design:
        pass  # listed as what it is
    elif edge.get("state") == NO_ENDPOINT and verdict == "broken":
        verdict = NOBODY_THERE
    elif verdict == "broken" and _is_closed(server, edge["client_tls"]):
        verdict = "refused"
    elif verdict == "broken" and clients.known and not clients.inside:
        # Nobody but clients outside the mesh: the server refuses them, which is what STRICT is for.
        verdict = "refused"
    elif verdict == "broken":
        kind, remedy = BROKEN, "lacks proxy" if clients.lacking else _remedy(server, BROKEN)
        names = clients.inside or clients.all
    elif verdict == "plaintext":
        kind, remedy = PLAINTEXT, _remedy(server, _plaintext_remedy(edge, server, clients))
    elif verdict not in ("mtls", "tls"):
        kind, remedy = UNKNOWN, UNKNOWN
    reason, way_out = edge["reason"], REMEDIES.get(remedy, "")
    if edge.get("agreement") == "contradicted":
        kind, reason = DISAGREEMENT, f"{sources_together.against(edge, edge['verdict'])}: {reason}"
        way_out = looked_at(edge["cause"])
    service = f"{edge['service']}:{edge['port']}" + (f" subset {edge['subset']}" if edge["subset"] else "")
    return row_of(
        kind,
        reason,
        way_out,
        excluded,
        object=f"{names} → {service}",
        clients=names,
        client_set=edge["clients"],
        service=edge["service"],
        host=edge.get("host"),
        port=edge["port"],
        subset=edge["subset"],
        endpoint=edge["endpoint"],
        client_tls=edge["client_tls"],
        verdict=verdict,
        by_design=by_design,
    )


def _is_closed(server: Mapping[str, Any] | None, sent: str) -> bool:
    """Whether a gateway refuses what clients send of themselves: it has no such port, or only one with TLS.

    Every client is in such a row, not only those that call it; who means to names the gateway in a DestinationRule.
    """
    return server is not None and server["mesh"] == "gateway" and sent in ("none", "plaintext")


def _told_apart(rows: list[Row]) -> list[Row]:
    """The rows, with the endpoint in the names of those that differ in nothing else that is shown of them."""
    places: dict[str, set[str | None]] = {}
    for row in rows:
        places.setdefault(row["object"], set()).add(row["endpoint"])
    return [
        {**row, "at": at, "object": f"{row['object']} at {at}"} if len(places[row["object"]]) > 1 else row
        for row in rows
        for at in (row["endpoint"] or "no endpoint",)
    ]


def _plaintext_remedy(edge: Mapping[str, Any], server: Mapping[str, Any] | None, clients: ShownClients) -> str:
    """Whose part it is that nothing is encrypted: the client's, the server's, another endpoint's, or nobody's yet."""
    part, sent = edge.get("part"), edge["client_tls"]
    if sent != "plaintext":
        return "client" if sent == "none" and clients.inside else PLAINTEXT
    if part == BY_EXTERNAL:
        return "external"
    if server is None:
        return "address"
    if part == BY_ZTUNNEL:
        return "hbone"
    if part == BY_SERVER or any(port["mode"] == "DISABLE" for port in server["ports"]):
        return "disabled"
    return {BY_ENDPOINT: "mixed", BY_RULE: "its rule"}.get(part or "", "sender")


def _remedy(server: Mapping[str, Any] | None, otherwise: str) -> str:
    """What a server's own state asks for first: a proxy, or that its ports lead to it."""
    if server and server["mesh"] not in IN_MESH:
        return "no proxy"
    if server and server["mesh"] == "gateway":
        return otherwise if otherwise == BROKEN else "gateway"
    if server and any(port["captured"] is False for port in server["ports"]):
        return UNCAPTURED
    return otherwise


# Users' own rules.


def _rule(rule: Mapping[str, Any]) -> Row:
    failed = WARNING if rule["severity"] == WARNING else FAIL
    return {
        "result": OK if rule["passed"] else failed,
        "kind": None if rule["passed"] else RULE,
        "object": f"rule {rule['name']}",
        "name": rule["name"],
        "severity": rule["severity"],
        "count": rule["count"],
        "reason": rule["message"] or "nothing is selected",
        "remedy": REMEDIES[RULE],
    }


# What the judgement stands on.


def _hidden_servers(status: Mapping[str, Any], scope: Sequence[str], read: Sequence[str]) -> list[dict[str, str]]:
    """What could not be read and holds servers: they are missing in the rows, so the rows alone would look fine."""
    shown = {(workload["kind"], workload["namespace"], workload["name"]) for workload in status["workloads"]}
    only_elsewhere = bool(read) and set(scope) <= set(read)
    return [
        {
            "kind": UNKNOWN,
            "object": f"{entry['kind']} {entry.get('namespace') or '*'}/{entry.get('name') or '*'}",
            "reason": f"could not be read: {entry['reason']}",
            "remedy": REMEDIES[UNKNOWN],
        }
        for entry in status["unknown"]
        if entry["kind"] in SERVERS_KINDS
        and (entry["namespace"] in scope if entry.get("namespace") else not only_elsewhere)
        and (entry["kind"], entry.get("namespace"), entry.get("name")) not in shown
    ]


def _unread_scope(status: Mapping[str, Any], named: Sequence[str]) -> list[dict[str, str]]:
    """Where namespaces were not read and nobody names them, one that is enrolled may be missing in the scope.

    A cluster's are asked for before it is judged; this is for files.
    """
    if named or not status.get("snapshot"):
        return []
    return [
        {
            "kind": UNKNOWN,
            "object": "the mesh",
            "reason": f"which namespaces are enrolled is not known, as they could not be read: {entry['reason']}",
            "remedy": REMEDIES["namespaces"],
        }
        for entry in status["unknown"]
        if entry["kind"] == "Namespace" and not entry.get("namespace") and not entry.get("name")
    ]


def _unproven_scope(named: Sequence[str], scope: Sequence[str], servers: list[Row]) -> list[dict[str, str]]:
    """Nothing to judge is no proof: neither for the whole, nor for a namespace that was asked for by its name."""
    found = {server["namespace"] for server in servers}
    empty = [("the mesh", "no namespace is enrolled")] if not scope else []
    empty += [(f"namespace {name}", "no server was found in it") for name in named if name not in found]
    empty += [("the mesh", "the enrolled namespaces hold no server")] if scope and not named and not found else []
    return [
        {
            "kind": UNKNOWN,
            "object": what,
            "reason": f"{why}, so there is nothing that could be proven",
            "remedy": REMEDIES["scope"],
        }
        for what, why in empty
    ]
