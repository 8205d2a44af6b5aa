# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destinations that claim one address and port: whose connection it is, no name decides, but the client's proxy.

core/listener.go buildSidecarOutboundListener: a port that is not HTTP gets a listener at the destination's address.
Where one is there already, the filter chains of the destination that comes later are dropped. An HTTP port has only the
listener at 0.0.0.0, to which Envoy prefers that of an address; a range is a filter chain there, and more specific than
HTTP's. ztunnel finds a destination by its address alone. Whoever may write a ServiceEntry can claim any address.

A ServiceEntry without an address has the listener at 0.0.0.0 of its ports: all such entries claim one place, and what a
proxy does not know comes there, too. One for TLS is told apart by the names that are asked for.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, bisect_right
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from .addresses import address_of, canonical
from .ages import dated
from .port_listeners import has_listeners_of_pods, is_unaddressed
from .rows import Edge
from .services import Destination, DestinationPort

_Met = Tuple[Optional[str], str, str]
"""endpoint, client_tls and verdict."""
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
BY_ADDRESS, BY_RANGE, BY_NAME, BY_NOTHING, BY_LISTENER = "address", "range", "name", "nothing", "listener"
_WORST = ("unknown", "plaintext")
_MOST = 20
"""Claims of one place that are compared one by one. In real meshes there are no more, or all are alike."""


_Key = Tuple[str, str, int]
"""A port of a destination, as rows name it: service, host and number."""


class _Claim(NamedTuple):
    """A port of a destination that is found at an address, in a range of them, by a name, or by its number alone."""

    destination: Destination
    port: DestinationPort
    by: str = BY_ADDRESS

    @property
    def key(self) -> _Key:
        return self.destination.name, self.destination.host, self.port.number


class Finders(NamedTuple):
    """Who finds a destination by its address: sets of scopes."""

    listening: Callable[[Destination], int]
    """The sidecars that have listeners of their own for a destination that they know."""
    locking: Callable[[Destination, int], int]
    """The sidecars for which a Sidecar's listener for a port takes in a destination, before all others."""
    seizing: Callable[[Destination, int], int]
    """Those of these for which that listener takes all that is sent to the port, as the destination has no address."""
    sidecars: Mapping[Tuple[str, ...], int]
    """All sidecars, by whom their control plane exports a destination to that does not say it."""
    ambient: int
    locked: bool
    """Whether any Sidecar has a listener for a port."""


def through_shared_addresses(rows: List[Edge], destinations: List[Destination], finders: Finders) -> List[Edge]:
    """The rows; unknown for clients whose connection may be another destination's, with another answer."""
    claims = _claims(destinations, finders.locked)
    if not claims:
        return rows
    contest = _Contest(claims, rows, finders)
    made: List[Edge] = []
    for row in rows:
        for address, rival, takers in (*contest.rivals(row), *contest.of_strangers(row)):
            if row.clients & takers:
                made.append(_unknown(row._replace(clients=row.clients & takers), rival, address))
                row = row._replace(clients=row.clients & ~takers)
        if row.clients:
            made.append(row)
    return made


class _Contest:
    """Who claims what, and which answers clients meet there."""

    def __init__(self, claims: Dict[str, List[_Claim]], rows: Iterable[Edge], finders: Finders) -> None:
        self._claims = claims
        self._finders = finders
        self._everyone = _union((finders.ambient, *finders.sidecars.values()))
        self._listening: Dict[_Key, int] = {}
        self._places: Dict[_Key, List[Tuple[str, _Claim]]] = {}
        self._met: Dict[_Key, Dict[_Met, int]] = {}
        self._different: Dict[Tuple[_Key, _Key], int] = {}
        self._worse: Dict[str, List[Tuple[Destination, int]]] = {}
        for place, found in claims.items():
            for claim in found:
                self._met[claim.key] = {}
                if claim.by not in (BY_RANGE, BY_LISTENER):
                    self._places.setdefault(claim.key, []).append((place, claim))
        for row in rows:
            met = self._met.get((row.service, row.host, row.port))
            # What passes a proxy by, or through it as it is, is not taken for this destination.
            if met is not None and row.client_tls != "none" and row.subset is None:
                what = (row.endpoint, row.client_tls, row.verdict)
                met[what] = met.get(what, 0) | row.clients
        self._crowded = {
            place: len({what[1:] for claim in found for what in self._met[claim.key]}) > 1
            for place, found in claims.items()
            if len(found) > _MOST
        }
        """Whether answers differ where there are too many claims to look at one by one."""

    def rivals(self, row: Edge) -> Iterator[Tuple[str, Destination, int]]:
        """Whose a connection may be instead, by which address, with the clients that would meet another answer."""
        for place, own in self._places.get((row.service, row.host, row.port), ()):
            others = [claim for claim in self._claims[place] if _differs(claim, own)]
            if place in self._crowded:
                clients = self._everyone if any(not claim.port.http for claim in others) else self._finders.ambient
                clients &= ~self._finders.ambient if own.by == BY_NOTHING else -1
                yield place, others[0].destination, clients * self._crowded[place]
                continue
            for rival in others:
                takers = self._takers(own, rival)
                if takers:
                    yield place, rival.destination, takers & self._otherwise(own, rival, row)

    def of_strangers(self, row: Edge) -> Iterator[Tuple[str, Destination, int]]:
        """Whose a connection may be that a proxy does not know, by which place, with the clients that meet worse there.

        Nothing is worse than that it passes as it is in plaintext.
        """
        if row.known or row.subset is not None or row.verdict in _WORST:
            return
        place, rest = _anywhere(row.port), row.clients
        if place not in self._worse:
            claims = (*self._claims.get(place, ()), *self._claims.get(_seized(row.port), ()))
            self._worse[place] = [(claim.destination, self._worse_at(claim)) for claim in claims]
        for destination, clients in self._worse[place]:
            if rest & clients:
                yield place, destination, rest & clients
                rest &= ~clients
            if not rest:
                return

    def _worse_at(self, claim: _Claim) -> int:
        """The clients that have a listener for a claim and meet the worst there."""
        worse = _union(clients for what, clients in self._met[claim.key].items() if what[2] in _WORST)
        if claim.by == BY_LISTENER:
            return worse & self._finders.seizing(claim.destination, claim.port.number)
        return worse & self._listens(claim)

    def _otherwise(self, own: _Claim, rival: _Claim, row: Edge) -> int:
        """The clients that do not meet the same at two destinations."""
        met, others, pair = self._met[own.key], self._met[rival.key], (own.key, rival.key)
        if pair not in self._different:
            found = _union(met.get(what, 0) ^ others.get(what, 0) for what in (*met, *others))
            self._different[pair] = self._different[pair[::-1]] = found
        answer = (row.client_tls, row.verdict)
        return self._different[pair] & _union(clients for what, clients in others.items() if what[1:] != answer)

    def _takers(self, own: _Claim, rival: _Claim) -> int:
        """The clients that may take a connection to `own` for one to its rival, if they know it."""
        same = own.port.number == rival.port.number
        if rival.by == BY_NAME:
            # core/httproute.go dedupeDomains: a whole host goes before the short names of others.
            return self._listens(rival) if same and own.destination.kubernetes and not _kubernetes(rival) else 0
        found = self._finders.ambient if same and rival.by == BY_ADDRESS else 0
        if rival.by != BY_RANGE:
            # With a port of its own a listener is for a destination's only port, too, whatever that is.
            found |= self._finders.locking(rival.destination, own.port.number)
        exact = own.port.http or rival.by != BY_RANGE
        if same and not rival.port.http and exact and not _keeps(own, rival, self._finders.sidecars):
            found |= self._listens(rival)
        return found

    def _listens(self, claim: _Claim) -> int:
        if claim.key not in self._listening:
            self._listening[claim.key] = self._finders.listening(claim.destination)
        return self._listening[claim.key]


def _kubernetes(claim: _Claim) -> bool:
    return claim.destination.kubernetes


def _differs(one: _Claim, other: _Claim) -> bool:
    return one.destination.host != other.destination.host


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _claims(destinations: Iterable[Destination], locked: bool) -> Dict[str, List[_Claim]]:
    """The addresses and names with several claims. A Service's are its own: one at least is a ServiceEntry's."""
    found: Dict[str, List[_Claim]] = {}
    ranges: List[Tuple[_Network, _Claim]] = []
    for item in destinations:
        if item.kubernetes:
            continue
        for text in (*item.addresses, *item.allocated):
            network = _range(text)
            for port in item.ports:
                if network is not None:
                    ranges.append((network, _Claim(item, port, BY_RANGE)))
                else:
                    found.setdefault(canonical(text.partition("/")[0]), []).append(_Claim(item, port))
        for port in item.ports:
            if port.http:
                found.setdefault(item.host, []).append(_Claim(item, port, BY_NAME))
            elif not item.addresses and not port.own_tls and not has_listeners_of_pods(item):
                found.setdefault(_anywhere(port.number), []).append(_Claim(item, port, BY_NOTHING))
    for item in filter(is_unaddressed, destinations if locked else ()):
        for port in item.ports:
            found.setdefault(_seized(port.number), []).append(_Claim(item, port, BY_LISTENER))
    if not found and not ranges:
        return {}
    claimed = set(found)
    over_ranges = {claim.port.number for dummy, claim in ranges if not claim.port.http}
    for item in destinations:
        if not item.kubernetes:
            continue
        for address in map(canonical, item.pod_addresses if item.headless else item.addresses):
            for port in item.ports:
                if address in claimed or (port.http and port.number in over_ranges):
                    found.setdefault(address, []).append(_Claim(item, port))
        for name in claimed.intersection(_short_names(item)):
            found[name].extend(_Claim(item, port, BY_NAME) for port in item.ports if port.http)
    _add_ranges(found, ranges)
    return {
        place: them
        for place, them in found.items()
        if len({claim.destination.host for claim in them}) > 1 or them[0].by in (BY_NOTHING, BY_LISTENER)
    }


def _anywhere(port: int) -> str:
    """The place of whatever is found by the number of its port alone."""
    return f"port {port} of every address"


def _seized(port: int) -> str:
    """The place of whatever is found so where a Sidecar has a listener for the port."""
    return f"port {port} of a Sidecar's listener"


def _short_names(service: Destination) -> Tuple[str, ...]:
    """By which clients dial a Service, too: in its own namespace the first, everywhere the others."""
    name, namespace = service.host.split(".")[:2]
    return name, f"{name}.{namespace}", f"{name}.{namespace}.svc"


def _range(text: str) -> Optional[_Network]:
    """A range of several addresses; one of a single address is that address to Istio."""
    if "/" not in text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return network if network.num_addresses > 1 else None


def _add_ranges(claims: Dict[str, List[_Claim]], ranges: Iterable[Tuple[_Network, _Claim]]) -> None:
    """Adds ranges to the HTTP ports at addresses inside of them: elsewhere the listener of an address counts."""
    by_port: Dict[Tuple[int, int], List[Tuple[int, str]]] = {}
    for text, found in claims.items():
        address = address_of(text)
        if address is None:
            continue
        for number in {claim.port.number for claim in found if claim.port.http}:
            by_port.setdefault((address.version, number), []).append((int(address), text))
    for places in by_port.values():
        places.sort()
    counts: Dict[str, int] = {}
    for network, claim in ranges:
        places = by_port.get((network.version, claim.port.number), [])
        first = bisect_left(places, (int(network.network_address), ""))
        last = bisect_right(places, (int(network.broadcast_address), "~"))
        for dummy, place in places[first:last]:
            claims[place].append(claim)
            counts[place] = counts.get(place, 0) + 1
        if any(counts[place] > _MOST for dummy, place in places[first:last]):
            places[first:last] = [item for item in places[first:last] if counts[item[1]] <= _MOST]


def _keeps(own: _Claim, rival: _Claim, exported: Iterable[Tuple[str, ...]]) -> bool:
    """Whether a sidecar surely meets `own` first, whatever else it knows.

    push_context.go servicesExportedToNamespace: those exported by name come before public ones; then
    SortServicesByCreationTime. A sniffed listener takes the HTTP even of an older TCP one.
    """
    if own.port.http or (not rival.port.instance and own.port.instance):
        return False
    one, other = own.destination, rival.destination
    known = all("*" in (other.export_to or default) or "*" not in (one.export_to or default) for default in exported)
    return known and dated(one) and dated(other) and one.age < other.age


def _unknown(row: Edge, rival: Destination, address: str) -> Edge:
    kind = "Service" if rival.kubernetes else "ServiceEntry"
    claimed = address if address == _anywhere(row.port) else f"{address} and port {row.port}, too"
    reason = (
        f"{kind} {rival.name} claims {claimed}, so the client's proxy may take this for a connection to {rival.host}"
    )
    return row._replace(client_tls="unknown", verdict="unknown", reason=reason)
