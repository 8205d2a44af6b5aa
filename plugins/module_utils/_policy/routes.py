# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices: where the requests of sidecars for a host and port really go, and what they meet there.

pilot/pkg/networking/core/route/route.go, tls.go. What a request says (paths, headers, names) cannot be known, so a
client meets all that its routes can lead it to, of which the worst counts. A gateway dials nothing by itself: each of
the destinations to which it may be led has rows of its own.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .mesh import CLUSTER_DOMAIN
from .records import Route, RouteTarget, VirtualService
from .rows import NORMAL, WORST_FIRST, Edge
from .services import Destination, DestinationPort

_SERVICE = f".svc.{CLUSTER_DOMAIN}"
_Ports = Dict[str, List[List[int]]]
"""The ports of each host, once for each destination that has it."""


class _Answer(NamedTuple):
    tls: str
    verdict: str
    reason: str
    state: str = NORMAL
    place: Tuple[str, int] = ("", 0)
    """The host and port that it is met at."""
    part: str = ""


class _Led(NamedTuple):
    """Where one VirtualService leads the requests for a port of its hosts."""

    targets: Tuple[RouteTarget, ...]
    """All with a port."""
    places: FrozenSet[Tuple[str, int]]
    """Their hosts and ports."""
    open: bool
    """Whether some may go to the host and port that they are for."""


def through_routes(
    rows: List[Edge],
    destinations: List[Destination],
    virtual_services: List[VirtualService],
    clients_of: Callable[[VirtualService], Tuple[int, int]],
    locking: Callable[[Destination, int], int],
    importing: Callable[[VirtualService, int], int],
    others: bool = False,
    elsewhere: Iterable[Edge] = (),
    further: Iterable[Destination] = (),
) -> List[Edge]:
    """The rows, with what is met elsewhere where a VirtualService leads there.

    `locking` gives the sidecars for which a Sidecar's listener says what a port speaks, and not the destination: nobody
    knows which kinds of routes count for them. `clients_of` gives the sidecars whose control planes may hand them a
    VirtualService, and of these those that surely get it; `importing` leaves of some those whose Sidecar may import a
    host of it. `others` says whether something else may decide, too. `elsewhere` are rows of other hosts, `further` the
    destinations that they are for. Rows of subsets stay: they say what is met by whoever is led to the subset.
    """
    index = _Index(virtual_services)
    if not index:
        return rows
    by_place: Dict[Tuple[str, int], List[Edge]] = {}
    for row in rows:
        by_place.setdefault((row.host, row.port), []).append(row)
    known_rows = {place: list(own) for place, own in by_place.items()}
    for row in elsewhere:
        known_rows.setdefault((row.host, row.port), []).append(row)
    ports: _Ports = {}
    known_destinations = [*destinations, *further]
    for item in known_destinations:
        own = sorted(item.alias_ports) if item.alias else [port.number for port in item.ports]
        ports.setdefault(item.host, []).append(own)
    aliases = {item.host: item.alias_ports for item in known_destinations if item.alias}
    known: Dict[int, Tuple[int, int]] = {}
    met: Dict[Tuple[int, int, Tuple[str, ...]], List[Tuple[_Answer, int]]] = {}
    found = {place: list(own) for place, own in by_place.items()}
    for destination in destinations:
        applying = index.of(destination)
        for port in destination.ports if applying else ():
            place = (destination.host, port.number)
            for service in applying:
                led = index.led(service, port, ports)
                away_from_here, other = service.doubt or led.places - {place}, index.by_other_kinds(service, port)
                if (away_from_here or other) and id(service) not in known:
                    known[id(service)] = clients_of(service)
                if away_from_here:
                    clients, surely = known[id(service)]
                    certain = index.names(service, destination.host) and place not in led.places and not led.open
                    away = surely if certain and not others and len(applying) == 1 else 0
                    key = (id(service), port.number, _kinds(port))
                    parts = met.get(key)
                    if parts is None:
                        led = _by_name(led, port, aliases)
                        parts = met[key] = _parts(service, led, known_rows, clients)
                    if any(answer.place == place for answer, dummy in parts):
                        parts = _parts(service, _by_name(led, port, aliases), known_rows, clients, place)
                    found[place] = [part for row in found.get(place, ()) for part in _led(row, parts, away)]
                if index.may_be_for_strangers(service, port):
                    found[place] = [
                        part
                        for row in found.get(place, ())
                        for part in _to_a_stranger(row, service, clients_of, importing)
                    ]
                retold = locking(destination, port.number) & known[id(service)][0] if other else 0
                if retold:
                    why = f"a Sidecar's listener says what port {port.number} speaks, and so whether {other} counts"
                    doubt = [(_Answer("unknown", "unknown", why), retold)]
                    found[place] = [part for row in found.get(place, ()) for part in _led(row, doubt, 0)]
    return [row for own in found.values() for row in own]


def _by_name(led: _Led, port: DestinationPort, aliases: Dict[str, FrozenSet[int]]) -> _Led:
    """Where requests are led, without aliases that have no port of this number.

    core/httproute.go BuildSidecarOutboundVirtualHosts: the routes of a port know nothing of what has another one, and
    take its name for that of a cluster.
    """
    if port.instance and not port.http:
        return led
    return led._replace(
        targets=tuple(
            target._replace(host=f"the name {target.host}")
            if port.number not in aliases.get(target.host, {port.number})
            else target
            for target in led.targets
        )
    )


def _parts(
    item: VirtualService,
    led: _Led,
    rows: Dict[Tuple[str, int], List[Edge]],
    clients: int,
    here: Optional[Tuple[str, int]] = None,
) -> List[Tuple[_Answer, int]]:
    """The worst that each client meets at the targets, but for those `here`."""
    name = f"{item.kind} {item.namespace}/{item.name}"
    if item.doubt:
        return [(_Answer("unknown", "unknown", f"where {name} leads requests cannot be told: {item.doubt}"), clients)]
    parts: List[Tuple[Optional[_Answer], int]] = [(None, clients)]
    for target in led.targets:
        place = (target.host, target.port)
        if place == here:
            continue
        where = f"{target.host}:{target.port}" + (f" subset {target.subset}" if target.subset else "")
        rest = clients
        for row in rows.get(place, ()):
            if row.subset != target.subset or row.client_tls == "none":
                # What a proxy does not know when it is dialled, it may know because it leads there (model/sidecar.go
                # collectImportedServices).
                continue
            rest &= ~row.clients
            why = f"{name} leads requests to {where}: {row.reason}"
            met = _Answer(row.client_tls, row.verdict, why, row.state, place, row.part)
            if row.as_dialled and row.client_tls == "plaintext" and row.verdict != "plaintext":
                why = f"{name} leads requests to {where}, which are sent there in plaintext to whatever was dialled"
                met = _Answer("unknown", "unknown", why, place=place)
            parts = list(_worsened(parts, met, row.clients))
        why = f"{name} leads requests to {where}, of which nothing is known"
        parts = list(_worsened(parts, _Answer("unknown", "unknown", why, place=place), rest))
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
    return min(first, second, key=lambda item: (WORST_FIRST.index(item.verdict), item.state != NORMAL, item))


def _led(row: Edge, parts: List[Tuple[_Answer, int]], away: int) -> Iterator[Edge]:
    """A row of the host and port itself, by what its clients meet elsewhere.

    What no proxy routes stays: a connection that it does not take or does not know. Of the others only the clients
    `away` surely meet nothing of the host itself. What was unknown stays so: it may be for what changes the route.
    """
    if row.verdict == "unknown":
        away = 0
    rest = row.clients
    for answer, mask in parts if row.subset is None and row.client_tls != "none" else ():
        own = _Answer(row.client_tls, row.verdict, row.reason, row.state, part=row.part)
        same = (own.verdict, own.state) == (answer.verdict, answer.state)
        for taken, met in (
            (rest & mask & away, answer),
            (rest & mask & ~away, own if same else _worse(own, answer)),
        ):
            if taken:
                rest &= ~taken
                yield row._replace(
                    clients=taken,
                    client_tls=met.tls,
                    verdict=met.verdict,
                    reason=met.reason,
                    state=met.state,
                    part=met.part,
                )
    if rest:
        yield row._replace(clients=rest)


def _to_a_stranger(
    row: Edge,
    service: VirtualService,
    clients_of: Callable[[VirtualService], Tuple[int, int]],
    importing: Callable[[VirtualService, int], int],
) -> Iterator[Edge]:
    """A row of what a proxy does not know: requests may be led to the host all the same, or elsewhere.

    Nothing is worse than that they pass as they are in plaintext.
    """
    led = 0
    if not row.known and row.verdict not in ("plaintext", "unknown"):
        led = importing(service, row.clients & clients_of(service)[0])
    if led:
        why = f"{service.kind} {service.namespace}/{service.name} may lead requests for {row.host}, which the client's "
        why += "proxy does not know otherwise"
        yield row._replace(clients=led, client_tls="unknown", verdict="unknown", reason=why, state=NORMAL)
    if row.clients & ~led:
        yield row._replace(clients=row.clients & ~led)


def _kinds(port: DestinationPort) -> Tuple[str, ...]:
    """The kinds of routes that count for a port by what it speaks; one that is sniffed may speak HTTP.

    core/tls.go buildSidecarOutboundTLSFilterChainOpts, buildSidecarOutboundTCPFilterChainOpts.
    """
    if port.http:
        return ("http",)
    if port.own_tls:
        return ("tls",)
    return ("tcp",) if port.instance else ("http", "tcp")


def _may_mean(pattern: str, host: str) -> bool:
    """Whether a pattern fits a host, or one of two patterns the other (pkg/config/host/name.go Matches)."""
    return pattern.startswith("*") and (
        host.endswith(pattern[1:]) or (host.startswith("*") and pattern.endswith(host[1:]))
    )


class _Index:
    """VirtualServices by their hosts."""

    def __init__(self, items: List[VirtualService]) -> None:
        self._by_host: Dict[str, List[VirtualService]] = {}
        self._wild: List[VirtualService] = []
        self._by_entry: Dict[str, List[VirtualService]] = {}
        self._by_name = {(item.namespace, item.name): item for item in items if item.kind == "VirtualService"}
        self._hosts = {id(item): frozenset(item.hosts) for item in items}
        self._led: Dict[Tuple[int, int, Tuple[str, ...]], _Led] = {}
        for item in sorted(items, key=lambda one: (one.namespace, one.name, one.kind, one.hosts)):
            if not item.routes and not item.doubt:
                continue
            for entry in item.entries:
                self._by_entry.setdefault(entry, []).append(item)
            for host in item.hosts:
                if host.startswith("*"):
                    self._wild.append(item)
                else:
                    self._by_host.setdefault(host, []).append(item)

    def __bool__(self) -> bool:
        return bool(self._by_host or self._wild or self._by_entry)

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
        found += [item for item in self._wild if any(_may_mean(pattern, host) for pattern in item.hosts)]
        if not destination.kubernetes:
            found += self._by_entry.get(destination.name, ())
        return list({id(item): item for item in found}.values())

    def names(self, item: VirtualService, host: str) -> bool:
        """Whether a VirtualService has a host by its own name."""
        return host in self._hosts[id(item)]

    def by_other_kinds(self, item: VirtualService, port: DestinationPort) -> str:
        """The name of a VirtualService with routes that do not count for what a port speaks; "" where it has none."""
        kinds = _kinds(port)
        return f"{item.kind} {item.namespace}/{item.name}" if any(one.kind not in kinds for one in item.routes) else ""

    def may_be_for_strangers(self, item: VirtualService, port: DestinationPort) -> bool:
        """Whether a proxy may have routes of a VirtualService for a host that it does not know.

        core/httproute.go BuildSidecarOutboundVirtualHosts: at port 80 it has all of them, at any other port those with
        a host that it knows there.
        """
        hosts = self._hosts[id(item)]
        single = len(hosts) == 1 and not any(host.startswith("*") for host in hosts)
        if (port.number != 80 and single and not item.entries) or "http" not in _kinds(port):
            return False
        return bool(item.doubt) or any(route.kind == "http" for route in item.routes)

    def led(self, item: VirtualService, port: DestinationPort, ports: _Ports) -> _Led:
        """Where a VirtualService leads the requests for a port of any of its hosts."""
        key = (id(item), port.number, _kinds(port))
        if key not in self._led:
            targets, stays = self._reached(item, port, ports)
            places = frozenset((target.host, target.port) for target in targets)
            self._led[key] = _Led(targets, places, stays)
        return self._led[key]

    def _reached(
        self, item: VirtualService, port: DestinationPort, ports: _Ports
    ) -> Tuple[Tuple[RouteTarget, ...], bool]:
        """The targets, and whether some requests get past all routes: of connections that is never sure."""
        found: Dict[RouteTarget, None] = {}
        kinds = set(_kinds(port))
        for route in item.routes:
            if route.kind not in kinds or (route.ports and port.number not in route.ports):
                continue
            for target in self._targets(route):
                for own in ports.get(target.host) or [[]]:
                    # For requests istiod knows no port but the one that it makes routes for (core/httproute.go
                    # buildSidecarOutboundVirtualHosts).
                    only = own[0] if len(own) == 1 and route.kind != "http" else port.number
                    number = target.port or only
                    found[target._replace(port=number)] = None
            if route.whole and route.delegate is None:
                kinds.discard(route.kind)  # nothing gets past it
        return tuple(found), bool(kinds) or not port.http

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
