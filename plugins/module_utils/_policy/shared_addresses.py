# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destinations that claim one address and port: whose connection it is, no name decides, but the client's proxy.

core/listener.go buildSidecarOutboundListener: a port that is not HTTP gets a listener at the destination's address.
Where one is there already, the filter chains of the destination that comes later are dropped. An HTTP port has only the
listener at 0.0.0.0, to which Envoy prefers that of an address; a range is a filter chain there, and more specific than
HTTP's. ztunnel finds a destination by its address alone. Whoever may write a ServiceEntry can claim any address.

A ServiceEntry without an address has the listener at 0.0.0.0 of its ports: all such entries claim one place. One for
TLS is told apart by the names that are asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .ages import dated
from .port_listeners import takes_all
from .ranges import Network, address_of, canonical, range_of
from .rows import Edge
from .services import Destination, DestinationPort

_Met = Tuple[Optional[str], str, str]
"""endpoint, client_tls and verdict."""
BY_ADDRESS, BY_RANGE, BY_NAME, BY_NOTHING = "address", "range", "name", "nothing"
_MOST = 20
"""Claims of one place that are compared with another without any effect, and ranges around one address and port.

In real meshes there are no more, or all are alike.
"""
_Said = Tuple[str, str]
"""client_tls and verdict."""
_Kind = Tuple[int, bool, bool]
"""Of a claim, on which it depends who may take what is for it: the number, whether it is HTTP and a Service's."""


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


class _Claimed(NamedTuple):
    """What is claimed more than once."""

    at: Dict[str, List[_Claim]]
    """The claims of each address and name."""
    surrounded: Dict[Tuple[str, int], List[_Claim]]
    """Addresses and HTTP ports within more ranges than are compared one by one, with all ranges for that port."""


class _AtPlace(NamedTuple):
    """The claims of one place."""

    by_number: Dict[int, List[_Claim]]
    by_destination: Dict[int, List[_Claim]]
    """Those by address, by the identity of their destination."""


class Finders(NamedTuple):
    """Who finds a destination by its address: sets of scopes."""

    listening: Callable[[Destination], int]
    """The sidecars that have listeners of their own for a destination that they know."""
    locking: Callable[[Destination, int], int]
    """The sidecars for which a Sidecar's listener for a port takes in a destination, before all others."""
    sidecars: Mapping[Tuple[str, ...], int]
    """All sidecars, by whom their control plane exports a destination to that does not say it."""
    ambient: int


def through_shared_addresses(rows: List[Edge], destinations: List[Destination], finders: Finders) -> List[Edge]:
    """The rows; unknown for clients whose connection may be another destination's, with another answer."""
    claimed = _claims(destinations)
    if not claimed.at:
        return rows
    contest = _Contest(claimed, rows, finders)
    made: List[Edge] = []
    for row in rows:
        rest = row.clients
        for address, rival, takers in contest.rivals(row):
            made.append(_unknown(row._replace(clients=takers), rival, address))
            rest &= ~takers
        if rest:
            made.append(row if rest == row.clients else row._replace(clients=rest))
    return made


class _Contest:
    """Who claims what, and which answers clients meet there."""

    def __init__(self, claimed: _Claimed, rows: Iterable[Edge], finders: Finders) -> None:
        self._claims = claimed.at
        self._surrounded = claimed.surrounded
        self._finders = finders
        self._everyone = _union((finders.ambient, *finders.sidecars.values()))
        self._listening: Dict[_Key, int] = {}
        self._places: Dict[_Key, List[Tuple[str, _Claim]]] = {}
        self._met: Dict[_Key, Dict[_Met, int]] = {}
        self._different: Dict[Tuple[_Key, _Key], int] = {}
        self._differing: Dict[Tuple[str, _Kind, _Said], Dict[str, List[_Claim]]] = {}
        self._at_place: Dict[str, _AtPlace] = {}
        self._around: Dict[int, Set[_Said]] = {}
        self._at_most: Dict[Tuple[str, _Kind, _Said], int] = {}
        for place, found in claimed.at.items():
            for claim in found:
                # Of what is cut, rows tell nothing.
                self._met[claim.key] = {(None, "unknown", "unknown"): -1} if claim.destination.cut else {}
                if claim.by != BY_RANGE:
                    self._places.setdefault(claim.key, []).append((place, claim))
        for around in {id(claims): claims for claims in claimed.surrounded.values()}.values():
            self._met.update((claim.key, {}) for claim in around)
        for row in rows:
            met = self._met.get((row.service, row.host, row.port))
            # What passes a proxy by, or through it as it is, is not taken for this destination.
            if met is not None and row.client_tls != "none" and row.subset is None:
                what = (row.endpoint, row.client_tls, row.verdict)
                met[what] = met.get(what, 0) | row.clients

    def rivals(self, row: Edge) -> Iterator[Tuple[str, Destination, int]]:
        """Whose a connection may be instead, by which address, with the clients that would meet another answer."""
        rest = row.clients
        for place, own in self._places.get((row.service, row.host, row.port), ()):
            if own.by == BY_NOTHING and row.client_tls == "none":
                continue  # strangers.py
            for rival, takers in self._rivals_at(place, own, row):
                if rest & takers:
                    yield place, rival.destination, rest & takers
                    rest &= ~takers
                if not rest:
                    return

    def _rivals_at(self, place: str, own: _Claim, row: Edge) -> Iterator[Tuple[_Claim, int]]:
        answer = (row.client_tls, row.verdict)
        around = self._surrounded.get((place, own.port.number), ()) if own.port.http else ()
        if around and self._answers_of(around) - {answer}:
            yield around[0], self._everyone
        rivals = self._rivals_of(place, own, answer)
        tried = 0
        for rival in (claim for host, claims in rivals.items() if host != own.destination.host for claim in claims):
            takers = self._takers(own, rival) & row.clients
            takers = takers and takers & self._otherwise(own, rival, row)
            if takers:
                yield rival, takers
                continue
            tried += 1
            if tried > _MOST:
                # Many claim one place, and none of the first takes anything: whoever may take it counts as if it did.
                yield rival, self._most(place, own, answer)
                return

    def _answers_of(self, around: Sequence[_Claim]) -> Set[_Said]:
        """What is met at any of many ranges, a list that stays as it is."""
        if id(around) not in self._around:
            self._around[id(around)] = {what[1:] for claim in around for what in self._met[claim.key]}
        return self._around[id(around)]

    def _rivals_of(self, place: str, own: _Claim, answer: _Said) -> Dict[str, List[_Claim]]:
        """Those at a place that may take what is for such a claim, by their hosts, if an answer of theirs differs."""
        key = (place, _kind(own), answer)
        known = self._differing.get(key)
        if known is None:
            known = self._differing[key] = {}
            for claim in self._possible(place, own.port.number):
                differs = any(what[1:] != answer for what in self._met[claim.key])
                if differs and (self._always(own, claim) | self._if_first(own, claim)):
                    known.setdefault(claim.destination.host, []).append(claim)
        return known

    def _possible(self, place: str, number: int) -> List[_Claim]:
        """The claims at a place for a port, and those of destinations that a Sidecar's listener for the port takes."""
        if place not in self._at_place:
            at_place = self._at_place[place] = _AtPlace({}, {})
            for claim in self._claims[place]:
                at_place.by_number.setdefault(claim.port.number, []).append(claim)
                if claim.by == BY_ADDRESS:
                    at_place.by_destination.setdefault(id(claim.destination), []).append(claim)
        found = list(self._at_place[place].by_number.get(number, ()))
        for claims in self._at_place[place].by_destination.values():
            if self._finders.locking(claims[0].destination, number):
                found.extend(claim for claim in claims if claim.port.number != number)
        return found

    def _most(self, place: str, own: _Claim, answer: _Said) -> int:
        """The clients that may take one of the claims at a place and meet another answer there, at most."""
        key = (place, _kind(own), answer)
        if key not in self._at_most:
            found = 0
            for claims in self._rivals_of(place, own, answer).values():
                for claim in claims:
                    takers = self._always(own, claim) | self._if_first(own, claim)
                    met = self._met[claim.key].items()
                    found |= takers & _union(clients for what, clients in met if what[1:] != answer)
            self._at_most[key] = found
        return self._at_most[key]

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
        found = self._if_first(own, rival)
        if found and _keeps(own, rival, self._finders.sidecars):
            found = 0
        return found | self._always(own, rival)

    def _always(self, own: _Claim, rival: _Claim) -> int:
        """Those of them for which it does not matter which came first."""
        same = own.port.number == rival.port.number
        if rival.by == BY_NAME:
            # core/httproute.go dedupeDomains: a whole host goes before the short names of others.
            return self._listens(rival) if same and own.destination.kubernetes and not _kubernetes(rival) else 0
        if rival.by == BY_RANGE:
            return 0
        # With a port of its own a listener is for a destination's only port, too, whatever that is.
        locking = self._finders.locking(rival.destination, own.port.number)
        return locking | self._finders.ambient if same and rival.by == BY_ADDRESS else locking

    def _if_first(self, own: _Claim, rival: _Claim) -> int:
        """Those that do where `own` does not surely come before the rival."""
        exact = own.port.http or rival.by != BY_RANGE
        same = own.port.number == rival.port.number and rival.by != BY_NAME
        return self._listens(rival) if same and exact and not rival.port.http else 0

    def _listens(self, claim: _Claim) -> int:
        if claim.key not in self._listening:
            self._listening[claim.key] = self._finders.listening(claim.destination)
        return self._listening[claim.key]


def _kind(claim: _Claim) -> _Kind:
    return claim.port.number, claim.port.http, claim.destination.kubernetes


def _kubernetes(claim: _Claim) -> bool:
    return claim.destination.kubernetes


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _claims(destinations: Iterable[Destination]) -> _Claimed:
    """The addresses and names with several claims. A Service's are its own: one at least is a ServiceEntry's."""
    found: Dict[str, List[_Claim]] = {}
    ranges: List[Tuple[Network, _Claim]] = []
    for item in destinations:
        if item.kubernetes:
            continue
        for text in (*item.addresses, *item.allocated):
            network = range_of(text)
            if network is not None:
                ranges.extend((network, _Claim(item, port, BY_RANGE)) for port in item.ports)
            elif item.ports:
                place = found.setdefault(canonical(text.partition("/")[0]), [])
                place.extend(_Claim(item, port) for port in item.ports)
        for port in item.ports:
            if port.http:
                found.setdefault(item.host, []).append(_Claim(item, port, BY_NAME))
            elif takes_all(item, port):
                found.setdefault(_anywhere(port.number), []).append(_Claim(item, port, BY_NOTHING))
    if not found and not ranges:
        return _Claimed({}, {})
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
    surrounded = _add_ranges(found, ranges)
    several = {place: them for place, them in found.items() if len({claim.destination.host for claim in them}) > 1}
    return _Claimed(several, surrounded)


def _anywhere(port: int) -> str:
    """The place of whatever is found by the number of its port alone."""
    return f"port {port} of every address"


def _short_names(service: Destination) -> Tuple[str, ...]:
    """By which clients dial a Service, too: in its own namespace the first, everywhere the others."""
    name, namespace = service.host.split(".")[:2]
    return name, f"{name}.{namespace}", f"{name}.{namespace}.svc"


def _add_ranges(
    claims: Dict[str, List[_Claim]], ranges: Sequence[Tuple[Network, _Claim]]
) -> Dict[Tuple[str, int], List[_Claim]]:
    """Adds ranges to the HTTP ports at addresses inside of them: elsewhere the listener of an address counts.

    Returns the addresses and ports that are in too many, with all ranges that may be around them.
    """
    by_port: Dict[Tuple[int, int], List[Tuple[int, str]]] = {}
    for text, found in claims.items():
        address = address_of(text)
        if address is None:
            continue
        for number in {claim.port.number for claim in found if claim.port.http}:
            by_port.setdefault((address.version, number), []).append((int(address), text))
    for places in by_port.values():
        places.sort()
    counts: Dict[Tuple[str, int], int] = {}
    around: Dict[Tuple[int, int], List[_Claim]] = {}
    surrounded: Dict[Tuple[str, int], List[_Claim]] = {}
    for network, claim in ranges:
        number = claim.port.number
        places = by_port.get((network.version, number), [])
        around.setdefault((network.version, number), []).append(claim)
        first = bisect_left(places, (int(network.network_address), ""))
        last = bisect_right(places, (int(network.broadcast_address), "~"))
        full = []
        for dummy, place in places[first:last]:
            claims[place].append(claim)
            counts[place, number] = counts.get((place, number), 0) + 1
            full.extend([place] if counts[place, number] > _MOST else [])
        if full:
            surrounded.update(((place, number), around[network.version, number]) for place in full)
            left_out = set(full)
            places[first:last] = [item for item in places[first:last] if item[1] not in left_out]
    return surrounded


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
    claimed = address if address == _anywhere(row.port) else f"{address} and port {row.port}"
    reason = (
        f"{kind} {rival.name} claims {claimed}, too, so the client's proxy may take this for a connection to "
        f"{rival.host}"
    )
    return row._replace(client_tls="unknown", verdict="unknown", reason=reason)
