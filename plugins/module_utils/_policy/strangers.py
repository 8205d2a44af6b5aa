# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy does not know comes to its listener for all addresses (0.0.0.0), where there is one.

core/listener.go buildSidecarOutboundListeners: a ServiceEntry without an address has it for a port that is not HTTP;
where a Sidecar's listener for the port is not for HTTP, so has whatever has no address. Only what no listener takes
passes the proxy as it is, or is refused.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Callable, Dict, Iterable, List, NamedTuple, Set, Tuple

from .port_listeners import is_unaddressed, takes_all
from .rows import WORST_FIRST, Edge
from .services import Destination


class Listening(NamedTuple):
    """Who has such listeners: sets of scopes."""

    listening: Callable[[Destination], int]
    """The sidecars that have listeners of their own for a destination that they know."""
    seizing: Callable[[Destination, int], int]
    """Those with a Sidecar's listener for a port, not for HTTP, that takes in a destination."""
    locked: bool
    """Whether any Sidecar has a listener for a port."""


_Met = Dict[int, List[Tuple[Destination, Dict[str, int]]]]
"""By port: the destinations that take what else is sent to it, with the clients that meet each verdict there."""


def through_open_listeners(rows: List[Edge], destinations: List[Destination], who: Listening) -> List[Edge]:
    """The rows; unknown for clients whose proxy may lead what it does not know to somebody else, and to worse."""
    met = _met(rows, destinations, who)
    if not met:
        return rows
    worse: Dict[Tuple[int, str], Tuple[int, str]] = {}
    made: List[Edge] = []
    for row in rows:
        if row.known or row.subset is not None or row.port not in met:
            made.append(row)
            continue
        key = (row.port, row.verdict)
        if key not in worse:
            worse[key] = _worse(met[row.port], row.verdict)
        clients, takers = worse[key]
        if row.clients & clients:
            why = f"{takers} has port {row.port} of every address, and the client's proxy, which does not know "
            why += f"{row.host}, may take this for a connection to it"
            unknown = row._replace(clients=row.clients & clients, client_tls="unknown", verdict="unknown", reason=why)
            made.append(unknown._replace(part=""))
        if row.clients & ~clients:
            made.append(row._replace(clients=row.clients & ~clients))
    return made


def _worse(met: List[Tuple[Destination, Dict[str, int]]], own: str) -> Tuple[int, str]:
    """The clients that meet something worse, and where. Nothing is worse than that it passes as it is in plaintext."""
    found = 0
    takers: Set[str] = set()
    for destination, verdicts in met if own != "plaintext" else ():
        for verdict, clients in verdicts.items():
            if WORST_FIRST.index(verdict) < WORST_FIRST.index(own):
                found |= clients
                takers.add(destination.name)
    shown = ", ".join(nsmallest(3, takers)) + (f" and {len(takers) - 3} more" if len(takers) > 3 else "")
    return found, shown if len(takers) == 1 else f"one of {shown}"


def _met(rows: Iterable[Edge], destinations: Iterable[Destination], who: Listening) -> _Met:
    takers: Dict[Tuple[str, str, int], Tuple[Destination, int]] = {}
    for item in destinations:
        for port in item.ports:
            clients = who.listening(item) if takes_all(item, port) else 0
            if who.locked and is_unaddressed(item):
                clients |= who.seizing(item, port.number)
            if clients:
                takers[item.name, item.host, port.number] = (item, clients)
    verdicts: Dict[Tuple[str, str, int], Dict[str, int]] = {}
    for row in rows if takers else ():
        key = (row.service, row.host, row.port)
        clients = takers[key][1] & row.clients if key in takers else 0
        if clients and row.client_tls != "none" and row.subset is None:
            # A cluster of the kind ORIGINAL_DST sends to whatever was dialled.
            as_dialled = row.as_dialled and row.client_tls == "plaintext"
            verdict = "plaintext" if as_dialled else row.verdict
            own = verdicts.setdefault(key, {})
            own[verdict] = own.get(verdict, 0) | clients
    found: _Met = {}
    for key, them in verdicts.items():
        found.setdefault(key[2], []).append((takers[key][0], them))
    return found
