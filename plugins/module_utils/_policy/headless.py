# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headless Services over one pod and port: a sidecar has one listener for both (semantics, section 3.3).

core/listener.go buildSidecarOutboundListeners: a port that is not HTTP gets a listener at each pod's address, and where
one is there already the Service that comes later is dropped. HTTP ports have no such listener, so another Service's
takes what is dialled for them.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Tuple

from .ages import contest, eldest_of
from .rows import Edge
from .services import DESTINATION, Destination

Place = Tuple[int, str]
"""A Service port and an endpoint."""
_Own = Tuple[Place, str, str]
"""A place, and the name and host of a Service that leads there."""


class _Rival(NamedTuple):
    destination: Destination
    http: bool


def through_shared_listeners(
    rows: List[Edge],
    destinations: List[Destination],
    listening: Callable[[Destination], int],
    sidecars: Mapping[Tuple[str, ...], int],
) -> List[Edge]:
    """The rows, with another Service's answer where its listener takes the traffic.

    `listening` gives the clients whose proxies make listeners for a destination; a client whose proxy does not know the
    other Service keeps its own answer. `sidecars` are the clients by whom their control plane exports a Service to that
    does not say it: the order of Services depends on it.
    """
    headless = [item for item in destinations if item.has_listeners_of_pods]
    for exported, clients in sidecars.items() if len(headless) > 1 else ():
        rivals = _rivals(headless, exported)
        if rivals:
            rows = _shared(rows, rivals, listening, clients)
    return rows


def _shared(
    rows: List[Edge], rivals: Mapping[Place, List[_Rival]], listening: Callable[[Destination], int], clients: int
) -> List[Edge]:
    own = {
        (place, rival.destination.name, rival.destination.host): rival
        for place, found in rivals.items()
        for rival in found
    }
    answers: Dict[_Own, List[Edge]] = {}
    found: List[Edge] = []
    for row in rows:
        key = ((row.port, row.endpoint or ""), row.service, row.host)
        shares = row.subset is None and row.client_tls != "none" and key in own
        (answers.setdefault(key, []) if shares else found).append(row)
    listens: Dict[int, int] = {}

    def listening_to(destination: Destination) -> int:
        known = listens.get(id(destination))
        if known is None:
            known = listens[id(destination)] = listening(destination)
        return known

    taken: Dict[Place, _Taken] = {}
    for key, own_answers in answers.items():
        place = key[0]
        if place not in taken:
            taken[place] = _taken_at(place, rivals[place], answers, listening_to, clients)
        for row in own_answers:
            found.extend(_redirected(row, own[key], taken[place], clients))
    return found


def _rivals(destinations: List[Destination], exported: Tuple[str, ...]) -> Dict[Place, List[_Rival]]:
    """The headless destinations that share a pod and port and are not all HTTP, in the order that istiod has.

    push_context.go servicesExportedToNamespace: those exported by name come before public ones; then
    SortServicesByCreationTime: by age, of equally old ones by name, then namespace.
    """

    def order(item: Destination) -> Tuple[bool, str, str]:
        name = item.name.partition("/")[2] if item.kubernetes else item.host
        return "*" in (item.export_to or exported), item.age, f"{name}.{item.namespace}"

    found: Dict[Place, List[_Rival]] = {}
    for destination in sorted(destinations, key=order):
        for port in destination.ports:
            for endpoint in {item.id for item in port.endpoints}:
                found.setdefault((port.number, endpoint), []).append(_Rival(destination, port.http))
    return {
        place: rivals for place, rivals in found.items() if len(rivals) > 1 and not all(rival.http for rival in rivals)
    }


class _Taken(NamedTuple):
    """Who takes the connections to one pod and port."""

    by: List[Tuple[_Rival, Edge, int]]
    """The rivals whose listeners do, with what the clients meet there: no client is in two of them."""
    unclear: int
    """The clients of which it cannot be told."""
    why: str


def _taken_at(
    place: Place,
    rivals: List[_Rival],
    answers: Dict[_Own, List[Edge]],
    listening: Callable[[Destination], int],
    clients: int,
) -> _Taken:
    """The first that a client's proxy knows takes its connections, for whichever Service they are."""
    found: List[Tuple[_Rival, Edge, int]] = []
    rest = clients
    for rival in rivals:
        own = () if rival.http else answers.get((place, rival.destination.name, rival.destination.host), ())
        for answer in own:
            taken = rest & answer.clients & listening(rival.destination)
            if taken:
                rest &= ~taken
                found.append((rival, answer, taken))
    return _Taken(found, *_unclear(place, rivals, answers, listening))


def _redirected(row: Edge, own: _Rival, taken: _Taken, clients: int) -> Iterator[Edge]:
    rest, kept = row.clients, 0
    unclear = taken.unclear & rest & clients
    if unclear:
        rest &= ~unclear
        yield row._replace(clients=unclear, client_tls="unknown", verdict="unknown", reason=taken.why, part="")
    for rival, answer, takers in taken.by:
        if not rest:
            break
        if rival is own:
            kept |= rest & takers  # for these clients the others come later
        elif rest & takers:
            yield _taken(row._replace(clients=rest & takers), answer)
        rest &= ~takers
    if rest | kept:
        yield row._replace(clients=rest | kept)


def _unclear(
    place: Place,
    rivals: List[_Rival],
    answers: Dict[_Own, List[Edge]],
    listening: Callable[[Destination], int],
) -> Tuple[int, str]:
    """The clients whose answer depends on which rival is the oldest, where that cannot be told, and why."""
    takers = [rival.destination for rival in rivals if not rival.http]
    possible = eldest_of(takers)
    if len(possible) < 2:
        return 0, ""
    clients: Dict[Tuple[str, str], int] = {}
    for taker in takers:
        for answer in answers.get((place, taker.name, taker.host), ()):
            key = (answer.client_tls, answer.verdict)
            clients[key] = clients.get(key, 0) | (answer.clients & listening(taker))
    once = twice = 0
    for mask in clients.values():
        once, twice = once | mask, twice | (once & mask)
    return twice, contest(DESTINATION, possible, "takes the connection")


def _taken(row: Edge, answer: Edge) -> Edge:
    if (row.client_tls, row.verdict) == (answer.client_tls, answer.verdict):
        return row
    reason = (
        f"{row.service} and {answer.service} are headless and lead to the same pod and port, so the client's proxy "
        f"takes both for {answer.service}: {answer.reason}"
    )
    return row._replace(client_tls=answer.client_tls, verdict=answer.verdict, reason=reason, part=answer.part)
