# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidecars with listeners for single ports: a proxy may know a host there and not lead to it what is sent to it.

core/listener.go buildSidecarOutboundListeners: with a port of its own a listener speaks what the Sidecar says, HTTP and
whatever has no address of its own at 0.0.0.0, and what comes behind makes none at a place that is taken.
core/httproute.go BuildSidecarOutboundVirtualHosts: the requests of a port have the routes of the first listener for it,
whichever other one has the host (model/sidecar.go GetEgressListenerForRDS).
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Set

from .services import Destination, DestinationPort
from .visibility import EgressListener, View

Unaddressed = Dict[int, List[Destination]]
"""By port number, the destinations that have no address of their own."""


class Astray(NamedTuple):
    """Ports of a destination at which what is sent to it is not surely led to it."""

    passing: FrozenSet[int] = frozenset()
    """Those at which it passes the proxy as if the host was not known."""
    doubtful: FrozenSet[int] = frozenset()
    """Those at which it may be led to another host, or be refused."""


_NONE = Astray()


def unaddressed(destinations: Iterable[Destination]) -> Unaddressed:
    """The destinations for which listeners are at 0.0.0.0."""
    found: Unaddressed = {}
    for item in destinations:
        if is_unaddressed(item):
            for port in item.ports:
                found.setdefault(port.number, []).append(item)
    return found


def is_unaddressed(item: Destination) -> bool:
    """Whether no listener for it is at an address of its own; a range of them is a match of the one at 0.0.0.0."""
    if item.kubernetes:
        return item.headless and not item.alias
    return not item.addresses or any("/" in address for address in item.addresses)


def takes_all(item: Destination, port: DestinationPort) -> bool:
    """Whether a listener for it takes all that is sent to a port; one for TLS tells names apart, as one for HTTP."""
    bare = not item.kubernetes and not item.addresses and not item.has_listeners_of_pods
    return bare and not port.http and not port.own_tls


def astray(view: View, destination: Destination, others: Unaddressed) -> Astray:
    """The ports of an imported destination that a Sidecar's listeners for ports take from it."""
    passing: Set[int] = set()
    doubtful: Set[int] = set()
    for port in destination.ports if view.first_at else ():
        first = view.first_at.get(port.number)
        if first is None:
            continue
        met = _Met(view, first, destination, port, others.get(port.number, ()))
        if met.passes():
            passing.add(port.number)
        elif not met.certain():
            doubtful.add(port.number)
    return Astray(frozenset(passing), frozenset(doubtful)) if passing or doubtful else _NONE


class _Met:
    """What the first listener for a port of a destination does with what is sent there."""

    def __init__(
        self,
        view: View,
        first: EgressListener,
        destination: Destination,
        port: DestinationPort,
        others: Iterable[Destination],
    ) -> None:
        self._first, self._port = first, port
        self._own = first.imports(destination)
        """Whether that listener is for it."""
        self._also = any(one.captures and one.imports(destination) for one in view.listeners_for(()))
        """Whether the one for all other ports is, too."""
        self._addressed = not is_unaddressed(destination)
        self._per_pod = destination.has_listeners_of_pods
        self._http = first.speaks == "http" or first.proxy
        taken = not first.aside and first.speaks != "http"
        self._taken = taken and any(item is not destination and first.imports(item) for item in others)
        """Whether others may have the listener at 0.0.0.0, which are not told apart there."""

    def passes(self) -> bool:
        """Whether all of it surely passes as if the host was not known."""
        if self._port.http:
            return not self._own and not self._taken
        # Bytes of another protocol than HTTP's fall through the listener for HTTP, where there is no other one.
        return bool(self._port.instance) and self._own and self._http and not self._first.aside and not self._also

    def certain(self) -> bool:
        """Whether all of it is surely led to the destination."""
        if self._port.http:
            if not self._own or self._first.proxy:
                return False
            return self._http or self._first.aside or self._straight()
        if self._first.aside:
            return bool(self._port.instance) or self._own
        if self._http:
            if not self._also or not (self._addressed or self._per_pod):
                return False
            return bool(self._port.instance) or (self._own and not self._first.proxy)
        if self._own:
            return self._straight()
        at_its_own = self._addressed or self._per_pod
        return bool(self._port.instance) and (at_its_own or not self._taken)

    def _straight(self) -> bool:
        """Whether a listener that is not for HTTP leads to it alone: one for TLS by names, at 0.0.0.0."""
        return self._addressed or (self._first.speaks != "tls" and not self._taken)
