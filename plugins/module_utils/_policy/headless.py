# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headless Services over one pod and port: a sidecar has one listener for both (semantics, section 3.3).

core/listener.go buildSidecarOutboundListeners: a port that is not HTTP gets a listener at each pod's address, and where
one is there already the Service that comes later is dropped. HTTP ports have no such listener, so another Service's
takes what is dialled for them.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .ages import contest, eldest_of
from .rows import Edge
from .services import DESTINATION, Destination

Place = Tuple[int, str]
"""A Service port and an endpoint."""


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
    headless = [item for item in destinations if item.headless]
    for exported, clients in sidecars.items() if len(headless) > 1 else ():
        rivals = _rivals(headless, exported)
        if rivals:
            rows = _shared(rows, rivals, listening, clients)
    return rows


def _shared(
    rows: List[Edge], rivals: Mapping[Place, List[_Rival]], listening: Callable[[Destination], int], clients: int
) -> List[Edge]:
    answers: Dict[Tuple[Place, str, str], List[Edge]] = {}
    found: List[Edge] = []
    for row in rows:
        place = (row.port, row.endpoint or "")
        shares = row.subset is None and row.client_tls != "none" and _own(row, rivals.get(place, ())) is not None
        (answers.setdefault((place, row.service, row.host), []) if shares else found).append(row)
    for (place, dummy, dummy), own_answers in answers.items():
        for row in own_answers:
            found.extend(_redirected(row, place, rivals[place], answers, listening, clients))
    return found


def _own(row: Edge, rivals: Iterable[_Rival]) -> Optional[_Rival]:
    for rival in rivals:
        if (rival.destination.name, rival.destination.host) == (row.service, row.host):
            return rival
    return None


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


def _redirected(
    row: Edge,
    place: Place,
    rivals: List[_Rival],
    answers: Dict[Tuple[Place, str, str], List[Edge]],
    listening: Callable[[Destination], int],
    clients: int,
) -> Iterator[Edge]:
    own, rest, kept = _own(row, rivals), row.clients, 0
    unclear, why = _unclear(place, rivals, answers, listening)
    unclear &= rest & clients
    if unclear:
        rest &= ~unclear
        yield row._replace(clients=unclear, client_tls="unknown", verdict="unknown", reason=why, part="")
    for rival in rivals:
        if rival is own and not rival.http:
            kept = rest & listening(rival.destination)  # for these clients the others come later
            rest &= ~kept
        elif rival is not own and not rival.http:
            for answer in answers.get((place, rival.destination.name, rival.destination.host), ()):
                taken = rest & answer.clients & clients & listening(rival.destination)
                if taken:
                    rest &= ~taken
                    yield _taken(row._replace(clients=taken), answer)
    if rest | kept:
        yield row._replace(clients=rest | kept)


def _unclear(
    place: Place,
    rivals: List[_Rival],
    answers: Dict[Tuple[Place, str, str], List[Edge]],
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
