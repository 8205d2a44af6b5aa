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
from typing import Any, NamedTuple

# The kinds of offence, worst first. The limits and the counts carry the same names.
DISAGREEMENT = "disagreement"
UNCAPTURED = "uncaptured"
PLAINTEXT = "plaintext"
BROKEN = "broken"
UNKNOWN = "unknown"
RULE = "rule"
KINDS = (DISAGREEMENT, UNCAPTURED, PLAINTEXT, BROKEN, UNKNOWN, RULE)

# What a row of the tables says, worst first.
FAIL, EXCLUDED, OK = "FAIL", "excluded", "ok"
WARNING = "warning"

IN_MESH = ("sidecar", "ambient", "gateway")
ENROLLED = ("sidecar", "ambient")

# Kinds without which servers, or ports of theirs, are not known at all.
SERVERS_KINDS = ("Pod", "Deployment", "Service")

REMEDIES = {
    DISAGREEMENT: "look for what bypasses the proxy: a failed CNI or init container, an EnvoyFilter, a host network",
    UNCAPTURED: "remove what takes the port out of the proxy (traffic.sidecar.istio.io annotations, interception mode)",
    "no proxy": "enrol it with the role istio_namespaces, which also restarts it",
    PLAINTEXT: "set STRICT for it with the role istio_mtls, or exclude it with a reason",
    "sender": "let the client's DestinationRule use ISTIO_MUTUAL, or remove its tls so that auto-mTLS decides",
    BROKEN: "change the object that the reason names, so that client and server agree",
    UNKNOWN: "give the account the right to read what is listed as unread, or bring the missing evidence",
    "scope": "name the namespaces to judge in istio_verify_namespaces, or enrol some with the role istio_namespaces",
    "probe": "give the account the prober's rights and an image that the cluster can pull (istio_verify_probe_image)",
    RULE: "change what the rule names, or the rule (istio_verify_rules)",
    "wire": "run it again; if it stays, look at the probe's own reason and at network policies",
}

Row = dict[str, Any]


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
) -> dict[str, Any]:
    """Judge what `status_info` (detail full) and, when it was asked for, `probe` answered.

    `namespaces` names the scope; without it the scope is `enrolled` (namespaces whose labels say so) and every
    namespace with a workload in the mesh. `exclude` holds {namespace, workload, port, reason}. `limits` is how many
    offences of each kind are accepted; a kind that it leaves out accepts none. Of the users' own rules in `status` a
    failed one is an offence, unless its severity is `warning`. `read` are the namespaces that reading
    was limited to: what lies elsewhere is not seen, on purpose.
    """
    workloads = {workload["id"]: workload for workload in status["workloads"]}
    scope = sorted(set(namespaces) or _enrolled(workloads.values()) | set(enrolled))
    exclusions = [{**entry, "rows": 0} for entry in exclude]
    servers = sorted(_servers(workloads.values(), scope, exclusions), key=_worst_first)
    edges = sorted(_edges(status, workloads, scope, exclusions), key=_worst_first)
    wire = sorted(_wire(probe, servers, edges, scope, require, exclusions), key=_worst_first)
    rules = sorted(map(_rule, status.get("rules", [])), key=lambda row: (FAIL, WARNING, OK).index(row["result"]))
    rows = [*servers, *edges, *wire]
    missing = (
        _unproven_scope(namespaces, scope, servers)
        + _hidden_servers(status, scope, read)
        + _missing_evidence(probe, require)
    )
    # What a server or the wire does comes before the edges that follow from it.
    found = [*missing, *(_offence(row) for row in (*servers, *wire, *edges, *rules) if row["result"] == FAIL)]
    offences = sorted(found, key=lambda offence: KINDS.index(offence["kind"]))
    counts = {kind: sum(offence["kind"] == kind for offence in offences) for kind in KINDS}
    accepted = {kind: int((limits or {}).get(kind, 0)) for kind in KINDS}
    exceeded = [kind for kind in KINDS if counts[kind] > accepted[kind]]
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
        "evidence": _evidence(status, probe, sources, require),
        "offences": offences,
        "servers": servers,
        "edges": edges,
        "wire": wire,
        "rules": rules,
        "answers": _lasting((probe or {}).get("targets", [])),
        "missing": missing,
        "exclusions": exclusions,
    }
    return {**judgement, "message": failure_message(judgement)}


def enrols(labels: Mapping[str, str] | None) -> bool:
    """Whether a namespace with these labels is enrolled; a pod can still opt in or out of its own."""
    labels = labels or {}
    if labels.get("istio.io/dataplane-mode") == "ambient":
        return True
    if "istio-injection" in labels:
        return labels["istio-injection"] == "enabled"
    return bool(labels.get("istio.io/rev"))


def failure_message(judgement: Mapping[str, Any], most: int = 5) -> str:
    """Why the judgement is `fail`: short, the first offenders with their reasons and remedies. Empty for `pass`."""
    offences = [offence for offence in judgement["offences"] if offence["kind"] in judgement["exceeded"]]
    if not offences:
        return ""
    counts = ", ".join(
        f"{judgement['counts'][kind]} {kind} (accepted {judgement['limits'][kind]})" for kind in judgement["exceeded"]
    )
    lines = [f"Mutual TLS is not as required: {counts}."]
    lines += [
        f"{offence['object']}: {offence['kind']}, {offence['reason'].rstrip('.')}. Remedy: {offence['remedy']}."
        for offence in offences[:most]
    ]
    if len(offences) > most:
        lines.append(f"And {len(offences) - most} more: see the table above, or the report.")
    return "\n".join(lines)


def shortened(names: Sequence[str], most: int = 3) -> str:
    """A few names, then how many more."""
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "") if names else "nobody"


def _enrolled(workloads: Iterable[Mapping[str, Any]]) -> set[str]:
    return {workload["namespace"] for workload in workloads if workload["mesh"] in ENROLLED}


def _worst_first(row: Row) -> tuple[int, int, str]:
    kind = KINDS.index(row["kind"]) if row["kind"] else len(KINDS)
    return ((FAIL, EXCLUDED, OK).index(row["result"]), kind, row["object"])


def _row(kind: str | None, reason: str, remedy: str, excluded: bool, **shown: Any) -> Row:
    """One row of a table. `kind` is the offence that it would be, were it not excluded, or None."""
    result = EXCLUDED if excluded else FAIL if kind else OK
    return {"result": result, "kind": kind, "reason": reason, "remedy": remedy, **shown}


def _offence(row: Row) -> dict[str, str]:
    return {key: row[key] for key in ("kind", "object", "reason", "remedy")}


def _excluded(
    exclusions: list[dict[str, Any]], namespace: str, names: Iterable[str], ports: Iterable[int | None]
) -> bool:
    """Whether an exclusion covers it; each that does counts the row, so that idle exclusions can be shown."""
    names, ports = set(names), set(ports)
    covering = [
        entry
        for entry in exclusions
        if entry["namespace"] == namespace
        and (not entry.get("workload") or entry["workload"] in names)
        and (not entry.get("port") or int(entry["port"]) in ports)
    ]
    for entry in covering:
        entry["rows"] += 1
    return bool(covering)


# Servers: what each port accepts.


def _servers(
    workloads: Iterable[Mapping[str, Any]], scope: Sequence[str], exclusions: list[dict[str, Any]]
) -> list[Row]:
    return [
        _server(workload, port, _excluded(exclusions, workload["namespace"], [workload["name"]], [port["port"]]))
        for workload in workloads
        if workload["namespace"] in scope
        for port in workload["ports"]
    ]


def _server(workload: Mapping[str, Any], port: Mapping[str, Any], excluded: bool) -> Row:
    kind, reason, remedy = _server_offence(workload, port)
    name = f"{workload['namespace']}/{workload['name']}"
    return _row(
        kind,
        reason,
        REMEDIES.get(remedy, ""),
        excluded,
        object=f"{name} port {port['port']}",
        id=workload["id"],
        namespace=workload["namespace"],
        workload=name,
        mesh=workload["mesh"],
        port=port["port"],
        mode=port["mode"],
        policy=workload["policy"],
        captured=port["captured"],
        plaintext=port["plaintext"],
    )


def _server_offence(workload: Mapping[str, Any], port: Mapping[str, Any]) -> tuple[str | None, str, str]:
    """(kind or None, reason, key of the remedy)"""
    mode, plaintext = port["mode"], port["plaintext"]
    policy = f"PeerAuthentication {workload['policy']}" if workload["policy"] else "the default, without any policy,"
    if workload["mesh"] not in IN_MESH and plaintext != "refused":
        return PLAINTEXT, "the workload is not in the mesh, so no proxy refuses plaintext", "no proxy"
    if port["captured"] is False and not (mode == "unknown" and plaintext == "unknown"):
        return UNCAPTURED, f"traffic to the port bypasses the proxy, so {mode or 'no mode'} is not enforced", UNCAPTURED
    if plaintext == "accepted":
        return PLAINTEXT, f"{policy} makes the port {mode}, so it accepts plaintext", PLAINTEXT
    if plaintext != "refused":
        return UNKNOWN, "whether the port accepts plaintext could not be told", UNKNOWN
    return None, policy.rstrip(","), ""


# Edges: what each client really sends to them.


class Clients(NamedTuple):
    """A set of clients as it is shown. Many edges share a set, and a set can hold the whole mesh."""

    all: str
    inside: str
    """Those in the mesh alone; empty where there are none."""
    known: bool


def clients_of(sets: Mapping[str, Sequence[str]], workloads: Mapping[str, Mapping[str, Any]]) -> dict[str, Clients]:
    """The sets of clients by their id."""
    found = {}
    for name, ids in sets.items():
        members = [workloads[client] for client in ids if client in workloads]
        inside = [client for client in members if client["mesh"] in IN_MESH]
        found[name] = Clients(_names(members), _names(inside) if inside else "", bool(members))
    return found


def _names(workloads: Iterable[Mapping[str, Any]]) -> str:
    return shortened(sorted({f"{workload['namespace']}/{workload['name']}" for workload in workloads}))


def _edges(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    exclusions: list[dict[str, Any]],
) -> list[Row]:
    clients = clients_of(status["client_sets"], workloads)
    wanted = set(scope)
    rows = []
    for edge in status["edges"]:
        server = workloads.get(edge["endpoint"] or "")
        service_namespace, service = edge["service"].split("/", 1)
        namespace, name = (server["namespace"], server["name"]) if server else (service_namespace, service)
        if namespace in wanted:
            excluded = _excluded(exclusions, namespace, [name, service], [edge["port"], edge.get("target_port")])
            rows.append(_edge(edge, clients[edge["clients"]], server, excluded))
    return rows


def _edge(edge: Mapping[str, Any], clients: Clients, server: Mapping[str, Any] | None, excluded: bool) -> Row:
    verdict, kind, remedy, names = edge["verdict"], None, "", clients.all
    if verdict == "broken" and clients.known and not clients.inside:
        # Nobody but clients outside the mesh: the server refuses them, which is what STRICT is for.
        verdict = "refused"
    elif verdict == "broken":
        kind, remedy, names = BROKEN, _remedy(server, BROKEN), clients.inside or clients.all
    elif verdict == "plaintext":
        kind, remedy = PLAINTEXT, _remedy(server, "sender" if edge["client_tls"] == "plaintext" else PLAINTEXT)
    elif verdict not in ("mtls", "tls"):
        kind, remedy = UNKNOWN, UNKNOWN
    service = f"{edge['service']}:{edge['port']}" + (f" subset {edge['subset']}" if edge["subset"] else "")
    return _row(
        kind,
        edge["reason"],
        REMEDIES.get(remedy, ""),
        excluded,
        object=f"{names} → {service}",
        clients=names,
        client_set=edge["clients"],
        service=edge["service"],
        port=edge["port"],
        subset=edge["subset"],
        endpoint=edge["endpoint"],
        client_tls=edge["client_tls"],
        verdict=verdict,
    )


def _remedy(server: Mapping[str, Any] | None, otherwise: str) -> str:
    """What a server's own state asks for first: a proxy, or that its ports lead to it."""
    if server and server["mesh"] not in IN_MESH:
        return "no proxy"
    if server and any(port["captured"] is False for port in server["ports"]):
        return UNCAPTURED
    return otherwise


# The wire: what a probe met, against what is declared.


def _wire(
    probe: Mapping[str, Any] | None,
    servers: list[Row],
    edges: list[Row],
    scope: Sequence[str],
    require: str,
    exclusions: list[dict[str, Any]],
) -> list[Row]:
    """One row for each service port that leads to a workload in scope, probed or not, and for whatever was probed."""
    if not _was_had(probe):
        return []
    behind: dict[str, list[Row]] = {}
    for server in servers:
        behind.setdefault(server["id"], []).append(server)
    leading: dict[tuple[str, int], list[Row]] = {}
    for edge in edges:
        leading.setdefault((edge["service"], edge["port"]), []).append(edge)
    answers = {
        (target["service"], target["port"]): target
        for target in (probe or {})["targets"]
        if target["service"].split("/", 1)[0] in scope
    }
    wanted = {key for key, found in leading.items() if any(edge["endpoint"] in behind for edge in found)}
    rows = []
    for service, port in sorted(wanted | set(answers)):
        found = leading.get((service, port), [])
        ports = [server for endpoint in {edge["endpoint"] for edge in found} for server in behind.get(endpoint, [])]
        namespace, name = service.split("/", 1)
        excluded = bool(found) and all(edge["result"] == EXCLUDED for edge in found)
        excluded = excluded or _excluded(exclusions, namespace, [name], [port])
        rows.append(_wire_row(service, port, answers.get((service, port)), found, ports, require, excluded))
    return rows


def _lasting(answers: Any) -> Any:
    """What the probe met without the details, which tell by chance whether a reset or an alert came first."""
    if isinstance(answers, list):
        return [_lasting(answer) for answer in answers]
    if isinstance(answers, dict):
        return {key: _lasting(value) for key, value in answers.items() if not key.endswith("detail")}
    return answers


def _declared(edges: list[Row], servers: list[Row]) -> str:
    """What the policies say of plaintext from outside the mesh: accepted | refused | unknown."""
    outside = {edge["verdict"] for edge in edges if edge["client_tls"] == "none"}
    said = {
        {"plaintext": "accepted", "refused": "refused", "broken": "refused"}.get(verdict, "unknown")
        for verdict in outside
    }
    said = said or {server["plaintext"] for server in servers}
    return "accepted" if "accepted" in said else "refused" if said == {"refused"} else "unknown"


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
    elif outside == "answered":
        kind, remedy = PLAINTEXT, "no proxy" if any(server["mesh"] not in IN_MESH for server in servers) else PLAINTEXT
        remedy = UNCAPTURED if any(server["kind"] == UNCAPTURED for server in servers) else remedy
    elif mtls and inside == "refused" and handshake != "accepted" and answer.get("endpoints") != []:
        # A refusal after the handshake is an AuthorizationPolicy's or the application's own business, and without an
        # endpoint there is nobody who could contradict the policies.
        kind, remedy = DISAGREEMENT, BROKEN
        reason = f"the policies promise mTLS, but a request from inside the mesh was refused: {reason}"
    elif verdict != "strict" and require == "observed":
        kind, remedy = UNKNOWN, "wire"
    return _row(
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


def _was_had(probe: Mapping[str, Any] | None) -> bool:
    """A probe that was not run, or that failed, has no targets."""
    return probe is not None and "targets" in probe


def _missing_evidence(probe: Mapping[str, Any] | None, require: str) -> list[dict[str, str]]:
    if require != "observed" or _was_had(probe):
        return []
    why = str((probe or {}).get("msg") or "it was not asked").rstrip(".")
    reason = f"what the wire answers is required and could not be had: {why}"
    return [{"kind": UNKNOWN, "object": "the wire", "reason": reason, "remedy": REMEDIES["probe"]}]


def _evidence(
    status: Mapping[str, Any], probe: Mapping[str, Any] | None, sources: Sequence[str], require: str
) -> dict[str, Any]:
    had = {"declared": True, "observed": _was_had(probe)}
    return {
        "sources": {source: had.get(source, False) for source in sources},
        "require": require,
        "cluster": dict(status.get("cluster") or {}),
        "unknown": list(status.get("unknown", [])),
    }


def _hidden_servers(status: Mapping[str, Any], scope: Sequence[str], read: Sequence[str]) -> list[dict[str, str]]:
    """What could not be read and holds servers: they are missing in the rows, so the rows alone would look fine."""
    shown = {(workload["namespace"], workload["name"]) for workload in status["workloads"]}
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
        and (entry.get("namespace"), entry.get("name")) not in shown
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
