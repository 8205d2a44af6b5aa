# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit in the words of reports: one state for each port and each connection, worst first, and who the clients are.

A state is the worst that any source says that was asked. `unknown` is worse than every good answer: a report never
turns missing evidence into a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._audit.whole import whole
from .._policy.rows import NO_ENDPOINT
from .judge import judge
from .violations import (
    BROKEN,
    DISAGREEMENT,
    EXCLUDED,
    FAIL,
    IN_MESH,
    KINDS,
    NOBODY_THERE,
    PLAINTEXT,
    UNCAPTURED,
    Row,
    everybody,
    is_outside,
)

SOURCES = ("declared", "programmed", "observed")
CONTRADICTED, UNKNOWN, REFUSED, OUTSIDE = "contradicted", "unknown", "refused", "outside"
# States, worst first. What a port accepts:
PORT_STATES = (CONTRADICTED, "plaintext", "permissive", UNKNOWN, "strict", OUTSIDE)
# … and what becomes of a connection.
EDGE_STATES = (CONTRADICTED, "plaintext", "broken", UNKNOWN, "tls", "mtls", NOBODY_THERE, REFUSED)
GOOD = ("strict", "mtls", "tls", NOBODY_THERE, REFUSED)
# The state that the judge's kind of violation is.
_STATE_OF = {
    DISAGREEMENT: CONTRADICTED,
    UNCAPTURED: "plaintext",
    PLAINTEXT: "plaintext",
    BROKEN: "broken",
    UNKNOWN: UNKNOWN,
}


class JudgedPort(NamedTuple):
    """What a port of a workload accepts, by source: strict | permissive | plaintext | unknown, None if not asked."""

    workload: Mapping[str, Any]
    port: int
    said: tuple[str | None, ...]
    state: str
    agreement: str | None
    why: str
    cause: str
    in_scope: bool
    """Whether it is judged: in scope, and not excluded."""
    excluded: bool = False
    """Whether it was in scope, but for an exclusion."""
    kind: str | None = None
    """Which kind of violation the judge calls it; None where it is none."""
    by_design: bool = False
    """Whether it is plaintext by design, and so not judged."""


class JudgedEdge(NamedTuple):
    """A connection from a set of clients, by source: mtls | tls | plaintext | broken | refused | unknown, or None."""

    row: Mapping[str, Any]
    said: tuple[str | None, ...]
    state: str
    in_scope: bool
    """Whether it is judged: it leads to a server in scope, and is not excluded."""
    excluded: bool = False
    """Whether it was in scope, but for an exclusion."""
    kind: str | None = None
    """Which kind of violation the judge calls it; None where it is none."""


class ClientSets:
    """The sets of clients. A compact set, `{"all_but": […]}`, is never written out."""

    def __init__(self, audit: Mapping[str, Any]) -> None:
        self.sets: Mapping[str, Any] = audit["client_sets"]
        self.places = {name: place for place, name in enumerate(self.sets)}
        known = everybody(audit)
        listed = {one for members in self.sets.values() if not isinstance(members, Mapping) for one in members}
        self._inside = {name for name in listed.union(known) if not is_outside(known.get(name))}
        # Those in the mesh first: they are who a reader looks for.
        self.everyone = sorted(sorted(listed.union(known)), key=lambda name: not self.is_inside(name))

    def is_inside(self, workload: str) -> bool:
        """Whether a client is, or may be, in the mesh."""
        return workload in self._inside

    def count(self, name: str) -> tuple[int, int]:
        """How many clients a set has, and how many of them are in the mesh."""
        members = self.sets.get(name, ())
        if isinstance(members, Mapping):
            lacking = set(members["all_but"])
            return len(self.everyone) - len(lacking), len(self._inside - lacking)
        return len(members), sum(map(self.is_inside, members))

    def members(self, name: str, most: int) -> list[str]:
        """The first members of a set, those in the mesh before all others."""
        members = self.sets.get(name, ())
        if not isinstance(members, Mapping):
            return sorted(members, key=lambda one: (not self.is_inside(one), one))[:most]
        lacking = set(members["all_but"])
        found: list[str] = []
        for one in self.everyone:
            if len(found) >= most:
                break
            if one not in lacking:
                found.append(one)
        return found

    def classes(self) -> dict[tuple[bool, frozenset[str]], list[str]]:
        """Workloads that belong to the same sets, and so share every answer: {(in the mesh, set ids): workload ids}."""
        whole = {name for name, members in self.sets.items() if isinstance(members, Mapping)}
        listed: dict[str, set[str]] = {}
        for name, members in self.sets.items():
            for one in members["all_but"] if name in whole else members:
                listed.setdefault(one, set()).add(name)
        found: dict[tuple[bool, frozenset[str]], list[str]] = {}
        for one in self.everyone:
            # In a compact set is who is not listed in it.
            key = (self.is_inside(one), frozenset(whole ^ listed.get(one, set())))
            found.setdefault(key, []).append(one)
        return found


class Facts(NamedTuple):
    """What a report is made from."""

    audit: Mapping[str, Any]
    workloads: dict[str, Mapping[str, Any]]
    clients: ClientSets
    ports: list[JudgedPort]
    edges: list[JudgedEdge]
    asked: tuple[str, ...]
    """The sources that were asked, in the order of SOURCES."""
    judgement: Mapping[str, Any]
    """What the judge says of it: no state is better, and nothing else is in scope."""


def facts_of(audit: Mapping[str, Any], **terms: Any) -> Facts:
    """Everything about an audit that `schema.problem_with` finds nothing wrong with; rows are sorted worst first.

    `terms` are what judge() goes by: namespaces, exclude, require, today and so on. Raises ExclusionError.
    """
    judgement = judge(whole(audit), **terms)
    workloads = {workload["id"]: workload for workload in audit["workloads"]}
    servers = _judged((*judgement["servers"], *judgement["ports"]), ("id", "port"))
    leading = _judged(judgement["edges"], _EDGE_KEY)
    clients = ClientSets(audit)
    known = {(item["workload"], item["port"]): item for item in audit.get("ports", ())}
    ports = [
        _port(workload, port, known.get((name, port["port"]), {}), servers.get((name, port["port"])))
        for name, workload in workloads.items()
        for port in workload["ports"]
    ]
    # Ports that only another source knows: a listener that no manifest speaks of.
    declared = {(port.workload["id"], port.port) for port in ports}
    ports += [
        _port(workloads[name], {"port": number}, item, servers.get((name, number)))
        for (name, number), item in known.items()
        if (name, number) not in declared and name in workloads
    ]
    edges = [_edge(row, clients, leading.get(_edge_key(row))) for row in audit["edges"]]
    ports.sort(key=lambda port: (PORT_STATES.index(port.state), port.workload["id"], port.port))
    edges.sort(key=lambda edge: (not edge.in_scope, EDGE_STATES.index(edge.state)))
    asked = {source for source in SOURCES if source in audit["sources"]}
    for place, source in enumerate(SOURCES):
        if any(port.said[place] for port in ports) or any(edge.said[place] for edge in edges):
            asked.add(source)
    in_order = tuple(source for source in SOURCES if source in asked)
    return Facts(audit, workloads, clients, ports, edges, in_order, judgement)


_EDGE_KEY = ("client_set", "service", "host", "port", "subset", "endpoint")


def _edge_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["clients"], *(row.get(name) for name in _EDGE_KEY[1:]))


def _judged(rows: Iterable[Row], key: Sequence[str]) -> dict[tuple[Any, ...], Row]:
    """The judge's row of each thing in scope; of several the worst, or one that is excluded."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        name = tuple(row[part] for part in key)
        if name not in found or _weight(row) < _weight(found[name]):
            found[name] = row
    return found


def _weight(row: Row) -> tuple[bool, bool, int]:
    return (
        row["result"] != EXCLUDED,
        row["result"] != FAIL,
        KINDS.index(row["kind"]) if row["kind"] else len(KINDS),
    )


def _kind_of(judged: Row | None) -> str | None:
    return judged["kind"] if judged and judged["result"] == FAIL else None


def accepted(judgement: Mapping[str, Any]) -> dict[str, int]:
    """How many violations there are of each kind of which no more are there than its limit accepts."""
    counts = {kind: judgement["counts"][kind] for kind in KINDS if kind not in judgement["exceeded"]}
    return {kind: count for kind, count in counts.items() if count}


def _at_best(judged: Row | None) -> str | None:
    """The state that a violation is, or None: a report's state is no better than the judge's."""
    return _STATE_OF.get(judged["kind"]) if judged and judged["result"] == FAIL else None


def declared_at(workload: Mapping[str, Any], port: Mapping[str, Any]) -> str:
    """What the policies let a port accept: strict | permissive | plaintext | unknown."""
    mode, plaintext = port.get("mode"), port.get("plaintext", UNKNOWN)
    if plaintext not in ("accepted", "refused") or mode == "unknown":
        return UNKNOWN
    if plaintext == "refused":
        return "strict"
    captured = port.get("captured") is not False and workload["mesh"] in IN_MESH
    return "permissive" if captured and mode == "PERMISSIVE" else "plaintext"


def _port(
    workload: Mapping[str, Any], port: Mapping[str, Any], known: Mapping[str, Any], judged: Row | None
) -> JudgedPort:
    declared = known.get("declared") or (declared_at(workload, port) if "plaintext" in port else None)
    said = (declared, known.get("programmed"), known.get("observed"))
    agreement = known.get("agreement")
    excluded = judged is not None and judged["result"] == EXCLUDED
    by_design = judged is not None and not excluded and bool(judged.get("by_design"))
    in_scope = judged is not None and not excluded and not by_design
    state = OUTSIDE
    if in_scope:
        state = CONTRADICTED if agreement == CONTRADICTED else _no_better(said, judged, PORT_STATES)
    why = known.get("why") or (judged["reason"] if judged and by_design else _why(workload, port))
    cause = known.get("cause") or ""
    kind = _kind_of(judged)
    return JudgedPort(workload, port["port"], said, state, agreement, why, cause, in_scope, excluded, kind, by_design)


def _why(workload: Mapping[str, Any], port: Mapping[str, Any]) -> str:
    if workload["mesh"] not in IN_MESH:
        return "not in the mesh"
    if port.get("captured") is False:
        return "traffic to the port bypasses the proxy"
    policy = port.get("policy", workload.get("policy"))
    mode = port.get("mode") or "unknown"
    return (
        f"PeerAuthentication {policy} makes it {mode}" if policy else f"no PeerAuthentication decides, so it is {mode}"
    )


def _edge(row: Mapping[str, Any], clients: ClientSets, judged: Row | None) -> JudgedEdge:
    total, inside = clients.count(row["clients"])
    # Nobody but clients outside the mesh: the server refuses them, which is what STRICT is for.
    outsiders = total > 0 and inside == 0
    otherwise = NOBODY_THERE if row.get("state") == NO_ENDPOINT else REFUSED if outsiders else "broken"
    said = tuple(
        otherwise if verdict == "broken" else verdict
        for verdict in (row["verdict"], row.get("programmed"), row.get("observed"))
    )
    excluded = judged is not None and judged["result"] == EXCLUDED
    state = CONTRADICTED if row.get("agreement") == CONTRADICTED else _no_better(said, judged, EDGE_STATES)
    in_scope = judged is not None and not excluded and not judged.get("by_design")
    return JudgedEdge(row, said, state, in_scope, excluded, _kind_of(judged))


def _no_better(said: Iterable[str | None], judged: Row | None, states: Sequence[str]) -> str:
    """The worst that was said; where that would pass and the judge's row does not, what the judge says."""
    worst = _worst(said, states)
    return _worst((worst, _at_best(judged)), states) if worst == UNKNOWN or worst in GOOD else worst


def _worst(said: Iterable[str | None], states: Sequence[str]) -> str:
    """The worst that was said; a word that is none of ours is unknown."""
    return min(
        (word if word in states else UNKNOWN for word in said if word is not None), key=states.index, default=UNKNOWN
    )


def counted(states: Iterable[str], order: Sequence[str]) -> dict[str, int]:
    """How often each state occurs, in the given order, without those that do not."""
    found = dict.fromkeys(order, 0)
    for state in states:
        found[state] += 1
    return {state: count for state, count in found.items() if count}


class Headline(NamedTuple):
    """The report in one sentence. `tone` is good, bad or doubtful."""

    tone: str
    text: str


def headline(facts: Facts) -> Headline:
    """The worst that can be said of the servers that the mesh is meant to protect, and whether that is accepted."""
    found = _worst_of(facts)
    within = accepted(facts.judgement)
    if facts.judgement["verdict"] != "pass" or not within:
        return found
    counts = ", ".join(f"{count} {kind}" for kind, count in within.items())
    return Headline("doubtful", f"{found.text}; accepted within the limits: {counts}")


def _worst_of(facts: Facts) -> Headline:
    ports = [port.state for port in facts.ports if port.in_scope]
    edges = [edge.state for edge in facts.edges if edge.in_scope]
    basis = _basis(facts)
    contradicted = [
        _number(states.count(CONTRADICTED), what)
        for states, what in ((ports, "port"), (edges, "connection"))
        if CONTRADICTED in states
    ]
    open_ports = sum(state in ("plaintext", "permissive") for state in ports)
    doubts = ports.count(UNKNOWN) + edges.count(UNKNOWN)
    if contradicted:
        return Headline("bad", f"The sources contradict each other at {_listed(contradicted)}")
    if open_ports:
        return Headline("bad", f"Plaintext is accepted by {open_ports} of {_number(len(ports), 'port')} in the mesh")
    if "plaintext" in edges:
        return Headline("bad", f"{_number(edges.count('plaintext'), 'connection')} to the mesh would be in plaintext")
    excluded = sum(port.excluded for port in facts.ports) + sum(edge.excluded for edge in facts.edges)
    if not ports and any(port.excluded for port in facts.ports):
        return Headline("doubtful", "Every port in the mesh is excluded on request")
    if not ports:
        return Headline("doubtful", "No port of a workload in the mesh was seen")
    if doubts:
        return Headline(
            "doubtful", f"{_number(doubts, 'port or connection', 'ports or connections')} could not be judged"
        )
    if "broken" in edges:
        return Headline("doubtful", f"No plaintext, but {_number(edges.count('broken'), 'connection')} would fail")
    if facts.audit["unknown"]:
        return Headline("doubtful", f"No plaintext in what could be read, {basis}")
    if facts.judgement["violations"]:
        first = facts.judgement["violations"][0]
        tone = "doubtful" if first["kind"] in (BROKEN, UNKNOWN) else "bad"
        return Headline(tone, f"{first['object']}: {first['reason']}")
    meant = sum(port.by_design for port in facts.ports)
    but = f"; {_number(meant, 'port is', 'ports are')} plaintext by design, of gateways" if meant else ""
    but += f"; {_number(excluded, 'row is', 'rows are')} excluded on request" if excluded else ""
    return Headline("good", f"Every port in the mesh refuses plaintext, {basis}{but}")


def _basis(facts: Facts) -> str:
    """By which evidence: a source that saw only some of the ports says of how many."""
    ports = [port for port in facts.ports if port.in_scope]
    seen = {
        source: sum(port.said[place] is not None for port in ports)
        for place, source in enumerate(SOURCES)
        if source in facts.asked
    }
    whole = [source for source, count in seen.items() if count == len(ports)]
    parts = [
        f"{source} for {count} of {_number(len(ports), 'port')}"
        for source, count in seen.items()
        if source not in whole
    ]
    alone = " alone" if len(seen) == 1 else ""
    return "; ".join([f"by {_listed(whole)} evidence{alone}", *parts] if whole else ["by " + "; ".join(parts)])


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
