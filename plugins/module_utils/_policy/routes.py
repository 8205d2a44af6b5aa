# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices: where the requests of sidecars for a host and port really go, and what they meet there.

pilot/pkg/networking/core/route/route.go, tls.go. What a request says (paths, headers, names) cannot be known, so a
client meets all that its routes can lead it to, of which the worst counts. A gateway dials nothing by itself: each of
the destinations to which it may be led has rows of its own.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .mesh import CLUSTER_DOMAIN
from .records import Route, RouteTarget, VirtualService
from .rows import NORMAL, Edge
from .services import Destination, DestinationPort

_ORDER = ("unknown", "plaintext", "broken", "tls", "mtls")
_SERVICE = f".svc.{CLUSTER_DOMAIN}"


class _Answer(NamedTuple):
    tls: str
    verdict: str
    reason: str
    state: str = NORMAL


class _Led(NamedTuple):
    """Where one VirtualService leads the requests for a host and port."""

    targets: Tuple[RouteTarget, ...]
    """Elsewhere than to the host and port itself; all with a port."""
    stays: bool
    """Whether some may go to the host and port itself."""


def through_routes(
    rows: List[Edge],
    destinations: List[Destination],
    virtual_services: List[VirtualService],
    clients_of: Callable[[VirtualService], int],
) -> List[Edge]:
    """The rows, with what is met elsewhere where a VirtualService leads there.

    `clients_of` gives the sidecars whose control planes hand them a VirtualService. Rows of subsets stay: they say what
    is met by whoever is led to the subset.
    """
    index = _Index(virtual_services)
    if not index:
        return rows
    by_place: Dict[Tuple[str, int], List[Edge]] = {}
    for row in rows:
        by_place.setdefault((row.host, row.port), []).append(row)
    ports = {item.host: [port.number for port in item.ports] for item in destinations}
    found = {place: list(own) for place, own in by_place.items()}
    for destination in destinations:
        applying = index.of(destination)
        for port in destination.ports if applying else ():
            place = (destination.host, port.number)
            for item in applying:
                led = index.led(item, destination, port, ports)
                if item.doubt or led.targets:
                    stays = led.stays or len(applying) > 1
                    parts = _parts(item, led, by_place, clients_of(item))
                    found[place] = [part for row in found.get(place, ()) for part in _led(row, parts, stays)]
    return [row for own in found.values() for row in own]


def _parts(
    item: VirtualService, led: _Led, rows: Dict[Tuple[str, int], List[Edge]], clients: int
) -> List[Tuple[_Answer, int]]:
    """The worst that each client meets elsewhere."""
    name = f"VirtualService {item.namespace}/{item.name}"
    if item.doubt:
        return [(_Answer("unknown", "unknown", f"where {name} leads requests cannot be told: {item.doubt}"), clients)]
    parts: List[Tuple[Optional[_Answer], int]] = [(None, clients)]
    for target in led.targets:
        where = f"{target.host}:{target.port}" + (f" subset {target.subset}" if target.subset else "")
        rest = clients
        for row in rows.get((target.host, target.port), ()):
            if row.subset != target.subset:
                continue
            rest &= ~row.clients
            met = _Answer(row.client_tls, row.verdict, f"{name} leads requests to {where}: {row.reason}", row.state)
            parts = list(_worsened(parts, met, row.clients))
        why = f"{name} leads requests to {where}, of which nothing is known"
        parts = list(_worsened(parts, _Answer("unknown", "unknown", why), rest))
    return [(answer, mask) for answer, mask in parts if answer is not None]


def _worsened(
    parts: Iterable[Tuple[Optional[_Answer], int]], met: _Answer, clients: int
) -> Iterator[Tuple[Optional[_Answer], int]]:
    for answer, mask in parts:
        if mask & clients:
            yield _worse(answer, met), mask & clients
        if mask & ~clients:
            yield answer, mask & ~clients


def _worse(first: Optional[_Answer], second: _Answer) -> _Answer:
    if first is None:
        return second
    return min(first, second, key=lambda item: (_ORDER.index(item.verdict), item.state != NORMAL, item))


def _led(row: Edge, parts: List[Tuple[_Answer, int]], stays: bool) -> Iterator[Edge]:
    """A row of the host and port itself, by what its clients meet elsewhere.

    What no proxy routes stays: a connection that it does not take or does not know.
    """
    rest = row.clients
    for answer, mask in parts if row.subset is None and row.client_tls != "none" else ():
        taken = rest & mask
        if not taken:
            continue
        rest &= ~taken
        own = _Answer(row.client_tls, row.verdict, row.reason, row.state)
        met = _worse(own, answer) if stays else answer
        if stays and (own.verdict, own.state) == (answer.verdict, answer.state):
            met = own
        yield row._replace(clients=taken, client_tls=met.tls, verdict=met.verdict, reason=met.reason, state=met.state)
    if rest:
        yield row._replace(clients=rest)


class _Index:
    """VirtualServices by their hosts."""

    def __init__(self, items: List[VirtualService]) -> None:
        self._by_host: Dict[str, List[VirtualService]] = {}
        self._wild: List[VirtualService] = []
        self._by_name = {(item.namespace, item.name): item for item in items}
        for item in sorted(items, key=lambda one: (one.namespace, one.name)):
            if not item.routes and not item.doubt:
                continue
            for host in item.hosts:
                if host.startswith("*"):
                    self._wild.append(item)
                else:
                    self._by_host.setdefault(host, []).append(item)

    def __bool__(self) -> bool:
        return bool(self._by_host or self._wild)

    def of(self, destination: Destination) -> List[VirtualService]:
        """Those with a host that may mean a destination: its own name, a shorter one, or a pattern."""
        host = destination.host
        names = [host]
        if destination.kubernetes and host.endswith(_SERVICE):
            short = host[: -len(_SERVICE)]
            names += [short, f"{short}.svc"]
        found = [item for name in names for item in self._by_host.get(name, ())]
        if host.startswith("*"):
            # A pattern of a ServiceEntry: whatever fits it may be dialled.
            found += [item for name, items in self._by_host.items() if name.endswith(host[1:]) for item in items]
        found += [
            item
            for item in self._wild
            if any(pattern.startswith("*") and host.endswith(pattern[1:]) for pattern in item.hosts)
        ]
        return list({(item.namespace, item.name): item for item in found}.values())

    def led(
        self, item: VirtualService, destination: Destination, port: DestinationPort, ports: Dict[str, List[int]]
    ) -> _Led:
        """Where a VirtualService leads the requests for a port of a destination."""
        found: Dict[RouteTarget, None] = {}
        stays = destination.host not in item.hosts
        for route in item.routes:
            if (port.http and route.kind != "http") or (route.ports and port.number not in route.ports):
                continue
            for target in self._targets(route):
                own = ports.get(target.host, [])
                number = target.port or (port.number if port.number in own or len(own) != 1 else own[0])
                if (target.host, number) == (destination.host, port.number):
                    stays = True
                else:
                    found[target._replace(port=number)] = None
            if port.http and route.whole and route.delegate is None:
                return _Led(tuple(found), stays)  # no request gets past it
        return _Led(tuple(found), True)

    def _targets(self, route: Route) -> Iterator[RouteTarget]:
        yield from route.targets
        if route.delegate is None:
            return
        delegate = self._by_name.get(route.delegate)
        if delegate is None or delegate.doubt:
            yield RouteTarget(f"where VirtualService {'/'.join(route.delegate)} says", 0, None)
            return
        for inner in delegate.routes:
            yield from inner.targets
