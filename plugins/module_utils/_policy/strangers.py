# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy does not know comes to its listener for all addresses (0.0.0.0), where there is one.

core/listener.go buildSidecarOutboundListeners: a ServiceEntry without an address has it for a port that is not HTTP;
where a Sidecar's listener for the port is not for HTTP, so has whatever has no address. Only what no listener takes
passes the proxy as it is, or is refused.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, NamedTuple, Tuple

from .port_listeners import is_unaddressed, takes_all
from .rows import Edge
from .services import Destination, DestinationPort

_WORST = ("unknown", "plaintext")
"""Verdicts than which none is worse for what passes as it is."""


class Listening(NamedTuple):
    """Who has such listeners: sets of scopes."""

    listening: Callable[[Destination], int]
    """The sidecars that have listeners of their own for a destination that they know."""
    seizing: Callable[[Destination, int], int]
    """Those with a Sidecar's listener for a port, not for HTTP, that takes in a destination."""
    locked: bool
    """Whether any Sidecar has a listener for a port."""


_Worse = Dict[int, List[Tuple[Destination, int]]]
"""By port: the destinations at which clients meet the worst that come there with whatever else they send to it."""


def through_open_listeners(rows: List[Edge], destinations: List[Destination], who: Listening) -> List[Edge]:
    """The rows; unknown for clients whose proxy may lead what it does not know to somebody else, and to worse."""
    worse = _worse_at(rows, destinations, who)
    if not worse:
        return rows
    made: List[Edge] = []
    for row in rows:
        rest = row.clients
        exposed = not row.known and row.subset is None and row.verdict not in _WORST
        for destination, clients in worse.get(row.port, ()) if exposed else ():
            if rest & clients:
                made.append(_unknown(row._replace(clients=rest & clients), destination))
                rest &= ~clients
        if rest:
            made.append(row if rest == row.clients else row._replace(clients=rest))
    return made


def _worse_at(rows: Iterable[Edge], destinations: Iterable[Destination], who: Listening) -> _Worse:
    takers: Dict[Tuple[str, str, int], Tuple[Destination, DestinationPort]] = {}
    for item in destinations:
        for port in item.ports:
            if takes_all(item, port) or (who.locked and is_unaddressed(item)):
                takers[item.name, item.host, port.number] = (item, port)
    met: Dict[Tuple[str, str, int], int] = {}
    for row in rows if takers else ():
        key = (row.service, row.host, row.port)
        if key in takers and row.verdict in _WORST and row.client_tls != "none" and row.subset is None:
            met[key] = met.get(key, 0) | row.clients
    found: _Worse = {}
    for key, clients in met.items():
        item, port = takers[key]
        listening = who.listening(item) if takes_all(item, port) else 0
        clients &= listening | (who.seizing(item, port.number) if who.locked else 0)
        if clients:
            found.setdefault(port.number, []).append((item, clients))
    return found


def _unknown(row: Edge, taker: Destination) -> Edge:
    kind = "Service" if taker.kubernetes else "ServiceEntry"
    reason = (
        f"{kind} {taker.name} has port {row.port} of every address, so the client's proxy, which does not know "
        f"{row.host}, may take this for a connection to {taker.host}"
    )
    return row._replace(client_tls="unknown", verdict="unknown", reason=reason)
