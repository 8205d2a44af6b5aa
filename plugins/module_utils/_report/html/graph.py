# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom, as columns of boxes: on the left clients that get the same answers, on the right servers.

A mesh where every workload may call every other has as many edges as the square of its workloads, and a drawing of
them all shows nothing. Clients that share every answer are therefore one box, so that whoever is answered differently
stands out. Above some tens of servers there is one box for each namespace, and a graph of its own inside of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..._judgement.states import EDGE_STATES, REFUSED, ClientSets, Facts, JudgedEdge
from .looks import look

MOST_SERVERS = 24
"""More servers than this are grouped by namespace; more that answer alike within one share a box."""
MOST_GROUPS = {True: 16, False: 4}
"""More groups of clients in the mesh, or outside of it, share a box."""
MOST_NAMESPACES = 60
_MOST_MEMBERSHIPS = 50_000
"""Kinds of clients, times the sets that each is in. Above it only those in the mesh and the others are told apart."""
_NOBODY = "no endpoint"

Said = tuple[Any, ...]
# What a group of clients meets at a server: {(state, what the sources say): labels of ports}.
Meeting = dict[tuple[str, Said], set[str]]


class Class(NamedTuple):
    """Clients that are in the same sets."""

    members: list[str]
    inside: bool
    sets: frozenset[str]
    mixed: bool = False
    """Whether it stands for many kinds of clients: the sets are those that any of them is in."""


class Group(NamedTuple):
    """Clients that get the same answers."""

    letter: str
    members: list[str]
    inside: bool
    further: bool
    """Whether these are several groups that were too many to be drawn one by one."""


class Line(NamedTuple):
    """Answers of one kind at a server, and the groups of clients that get them: an edge from each."""

    groups: list[int]
    state: str
    said: Said
    labels: list[str]


class Alike(NamedTuple):
    """Clients before they have a letter, and what they meet at each server."""

    members: list[str]
    inside: bool
    met: dict[str, Meeting]
    mixed: bool = False
    """Whether they are more than one kind of client."""


class Server(NamedTuple):
    """A box on the right."""

    names: list[str]
    lines: list[Line]
    what: str
    """What a name is: workload or namespace."""


class Graph(NamedTuple):
    """One drawing."""

    name: str
    groups: list[Group]
    servers: list[Server]
    left_out: int
    """Servers that were too many."""


class Drawings(NamedTuple):
    """The whole mesh: one graph, or an overview of namespaces and a graph for each."""

    overview: Graph
    namespaces: list[Graph]
    left_out: int
    """Namespaces that were too many."""


def drawings_of(facts: Facts) -> Drawings | None:
    """The graphs of the servers that the mesh is meant to protect; None where there is none."""
    edges = [edge for edge in facts.edges if edge.in_scope]
    if not edges:
        return None
    classes = _few(
        [Class(members, inside, sets) for (inside, sets), members in facts.clients.classes().items() if sets]
    )
    servers = sorted({_server(edge) for edge in edges}, key=lambda server: _place(facts, server))
    if len(servers) <= MOST_SERVERS:
        return Drawings(_graph("", edges, classes, servers, _server, _port, "workload"), [], 0)
    spaces: dict[str, list[JudgedEdge]] = {}
    for edge in edges:
        spaces.setdefault(_namespace(facts, edge), []).append(edge)
    ranked = sorted(spaces, key=lambda name: (min(map(_rank, spaces[name])), name))
    shown = ranked[:MOST_NAMESPACES]
    overview = _graph("", edges, classes, shown, lambda edge: _namespace(facts, edge), _service_port, "namespace")
    graphs = []
    for space in shown:
        names = sorted({_server(edge) for edge in spaces[space]})
        graphs.append(_graph(space, spaces[space], classes, names, _server, _port, "workload"))
    return Drawings(overview, graphs, len(ranked) - len(shown))


def _few(classes: list[Class]) -> list[Class]:
    """Kinds of clients, or those in the mesh and those outside of it where there are too many to be compared."""
    if sum(len(one.sets) for one in classes) <= _MOST_MEMBERSHIPS:
        return classes
    found = []
    for inside in (True, False):
        alike = [one for one in classes if one.inside is inside]
        if alike:
            members = [client for one in alike for client in one.members]
            found.append(Class(members, inside, frozenset().union(*(one.sets for one in alike)), True))
    return found


def _rank(edge: JudgedEdge) -> int:
    return EDGE_STATES.index(edge.state)


def _server(edge: JudgedEdge) -> str:
    """The id of the workload behind an edge, or its Service where there is none."""
    return str(edge.row["endpoint"] or f"{edge.row['service']} ({_NOBODY})")


def _place(facts: Facts, server: str) -> tuple[str, str]:
    workload = facts.workloads.get(server)
    return (workload["namespace"], server) if workload else (server.split("/", 1)[0], server)


def _namespace(facts: Facts, edge: JudgedEdge) -> str:
    workload = facts.workloads.get(edge.row["endpoint"] or "")
    return str(workload["namespace"] if workload else edge.row["service"].split("/", 1)[0])


def _port(edge: JudgedEdge) -> str:
    return f":{edge.row['port']}" + (f" {edge.row['subset']}" if edge.row.get("subset") else "")


def _service_port(edge: JudgedEdge) -> str:
    """What is counted in a namespace's box."""
    return f"{edge.row['service']}:{edge.row['port']}"


def _graph(
    name: str,
    edges: Iterable[JudgedEdge],
    classes: Iterable[Class],
    servers: Sequence[str],
    server_of: Callable[[JudgedEdge], str],
    label_of: Callable[[JudgedEdge], str],
    what: str,
) -> Graph:
    by_set: dict[str, list[JudgedEdge]] = {}
    wanted = set(servers)
    for edge in edges:
        if server_of(edge) in wanted:
            by_set.setdefault(edge.row["clients"], []).append(edge)
    alike: dict[Any, Alike] = {}
    for members, inside, sets, mixed in classes:
        met = _met([edge for name in sorted(sets) for edge in by_set.get(name, ())], inside, server_of, label_of)
        if met:
            frozen = tuple((server, _frozen(met[server], what)) for server in servers if server in met)
            one = alike.setdefault((inside, frozen), Alike([], inside, {}, mixed))
            one.members.extend(members)
            _add(one.met, met)
    groups, meetings = _groups(list(alike.values()))
    boxes = [Server([server], _lines([met.get(server, {}) for met in meetings]), what) for server in servers]
    if len(boxes) > MOST_SERVERS and what == "workload":
        boxes = _bundled(boxes)
    shown = boxes[:MOST_SERVERS] if what == "workload" else boxes
    return Graph(name, groups, shown, sum(len(box.names) for box in boxes[len(shown) :]))


def _lines(meetings: Sequence[Meeting]) -> list[Line]:
    """What a server answers, the worst first; groups that get the same answer at the same ports share a line."""
    found: dict[Any, Line] = {}
    for place, meeting in enumerate(meetings):
        for (state, said), labels in meeting.items():
            line = Line([], state, said, sorted(labels, key=_by_number))
            found.setdefault((state, said, tuple(line.labels)), line).groups.append(place)
    return sorted(found.values(), key=lambda line: (EDGE_STATES.index(line.state), line.groups, repr(line.said)))


def _add(known: dict[str, Meeting], more: dict[str, Meeting]) -> None:
    """Put what somebody else meets to it."""
    for server, meeting in more.items():
        for answer, labels in meeting.items():
            known.setdefault(server, {}).setdefault(answer, set()).update(labels)


def _met(
    edges: Iterable[JudgedEdge],
    inside: bool,
    server_of: Callable[[JudgedEdge], str],
    label_of: Callable[[JudgedEdge], str],
) -> dict[str, Meeting]:
    found: dict[str, Meeting] = {}
    for edge in edges:
        state, said = edge.state, edge.said
        if not inside and edge.row["endpoint"] is not None:
            # A set can have members in the mesh and outside of it. These are refused, which is as it should be.
            state = REFUSED if state == "broken" else state
            said = tuple(REFUSED if word == "broken" else word for word in said)
        found.setdefault(server_of(edge), {}).setdefault((state, said), set()).add(label_of(edge))
    return found


def _frozen(met: Meeting, what: str) -> Any:
    """What makes two groups alike: at workloads every port, at namespaces the kinds of answers."""
    if what == "namespace":
        return frozenset(met)
    return frozenset((answer, frozenset(labels)) for answer, labels in met.items())


def _groups(found: list[Alike]) -> tuple[list[Group], list[dict[str, Meeting]]]:
    """Groups with their letters, and what they meet: those in the mesh first, whoever meets the worst before others."""
    found.sort(key=lambda one: (not one.inside, min(_worst_of(one.met)), min(one.members)))
    shown: list[tuple[Alike, bool]] = []
    for inside, most in MOST_GROUPS.items():
        these = [one for one in found if one.inside == inside]
        further = these[most - 1 :] if len(these) > most else []
        shown += [(one, one.mixed) for one in these[: len(these) - len(further)]]
        if further:
            shown.append((_together(further), True))
    groups = [
        Group(chr(ord("A") + place), sorted(one.members), one.inside, further)
        for place, (one, further) in enumerate(shown)
    ]
    return groups, [one.met for one, dummy in shown]


def _together(many: Sequence[Alike]) -> Alike:
    """Several groups as one."""
    whole = Alike([], many[0].inside, {})
    for one in many:
        whole.members.extend(one.members)
        _add(whole.met, one.met)
    return whole


def _worst_of(met: dict[str, Meeting]) -> list[int]:
    return [EDGE_STATES.index(state) for meeting in met.values() for state, dummy in meeting]


def _by_number(label: str) -> tuple[int, str]:
    number = label.lstrip(":").split(" ", 1)[0]
    return (int(number) if number.isdigit() else 0, label)


def _bundled(boxes: Sequence[Server]) -> list[Server]:
    """Servers that answer alike in one box, the worst first."""
    found: dict[Any, Server] = {}
    for box in boxes:
        key = tuple((tuple(line.groups), line.state, line.said, tuple(line.labels)) for line in box.lines)
        found.setdefault(key, Server([], box.lines, box.what)).names.extend(box.names)
    return sorted(
        found.values(), key=lambda box: (min(EDGE_STATES.index(line.state) for line in box.lines), box.names[0])
    )


def legend(graphs: Iterable[Graph]) -> list[str]:
    """The states that are drawn, worst first."""
    states = {line.state for graph in graphs for server in graph.servers for line in server.lines}
    return sorted(states, key=EDGE_STATES.index)


def described(graph: Graph, clients: ClientSets) -> str:
    """The graph in a sentence, for who cannot see it."""
    inside = sum(clients.is_inside(one) for group in graph.groups for one in group.members)
    total = sum(len(group.members) for group in graph.groups)
    states = ", ".join(look(state).word for state in legend([graph]))
    return (
        f"{total} clients ({inside} in the mesh) in {len(graph.groups)} groups on the left, {len(graph.servers)} boxes "
        f"of servers on the right, edges between them: {states}. The table of connections says the same in words."
    )
