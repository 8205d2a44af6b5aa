# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy knows: Sidecar objects and exportTo (semantics, section 3.4; pilot/pkg/model/sidecar.go)."""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .ages import contest, dated, eldest_of, orders
from .membership import matches
from .records import Egress, Labels, SidecarObject
from .services import DESTINATION, Destination, DestinationPort


class SidecarIndex:
    """The Sidecar objects that one control plane sees. Exactly one applies to a client, nothing merges."""

    def __init__(self, sidecars: List[SidecarObject], root: str) -> None:
        self._by_namespace: Dict[str, List[SidecarObject]] = {}
        self._mesh: List[SidecarObject] = []
        # Those with a selector first, then by age (initSidecarScopes).
        for item in sorted(
            sidecars, key=lambda found: (found.selector is None, found.age, found.name, found.namespace)
        ):
            self._by_namespace.setdefault(item.namespace, []).append(item)
            if item.namespace == root and item.selector is None:
                self._mesh.append(item)

    def own(self, namespace: str, labels: Labels) -> List[SidecarObject]:
        """The Sidecar of the client's own namespace that applies to it; several where nobody knows the oldest."""
        found = [item for item in self._by_namespace.get(namespace, ()) if matches(item.selector, labels)]
        return eldest_of([item for item in found if item.selector is not None] or found)

    def of(self, namespace: str, labels: Labels) -> Optional[SidecarObject]:
        """The one that applies: the namespace's own, else the root namespace's without selector, else none."""
        found = self._candidates(namespace, labels)
        return found[0] if found else None

    def contest(self, namespace: str, labels: Labels) -> str:
        """Why it cannot be told which one applies; "" where it can, or where all of them say the same."""
        found = self._candidates(namespace, labels)
        if len({(item.egress, item.outbound, item.ingress) for item in found}) < 2:
            return ""
        return contest("Sidecar", found, "applies")

    def _candidates(self, namespace: str, labels: Labels) -> List[SidecarObject]:
        return self.own(namespace, labels) or eldest_of(self._mesh)


def covered(host: str, pattern: str) -> bool:
    """pkg/config/host/name.go SubsetOf."""
    if pattern.startswith("*"):
        if host.startswith("*"):
            return len(host) >= len(pattern) and host[1:].endswith(pattern[1:])
        return host.endswith(pattern[1:])
    return host == pattern


class _Hosts:
    """The hosts of one egress listener in one namespace (hostClassification)."""

    __slots__ = ("everything", "exact", "excluded", "wildcard")

    def __init__(self) -> None:
        self.exact: Set[str] = set()
        self.wildcard: List[str] = []
        self.excluded: List[str] = []
        self.everything = False

    def imports(self, host: str) -> bool:
        """Whether a host is imported."""
        if self.everything or host in self.exact:
            return True
        return any(covered(host, pattern) for pattern in self.wildcard)

    def may_route(self, host: str) -> bool:
        """Whether a VirtualService with this host may be imported (virtualservice.go VSMatches)."""
        if host in self.exact:
            return True
        patterns = (*self.wildcard, *self.exact) if host.startswith("*") else self.wildcard
        return any(_fit(host, pattern) for pattern in patterns)

    def excludes(self, host: str) -> bool:
        """Whether a host is left out by a `~` entry."""
        return any(covered(host, pattern) for pattern in self.excluded)


def _fit(one: str, other: str) -> bool:
    """pkg/config/host/name.go Matches: whichever has the wider pattern."""
    return covered(one, other) or covered(other, one)


class EgressListener:
    """One egress listener, its hosts by namespace (convertIstioListenerToWrapper)."""

    __slots__ = ("aside", "captures", "hosts", "number", "port", "proxy", "speaks")

    def __init__(self, egress: Egress, namespace: str) -> None:
        self.aside = egress.aside
        self.captures = not egress.port and not egress.aside
        """Whether it stands for all traffic that iptables redirect, not for one address and port."""
        self.number = egress.port
        self.port = 0 if egress.proxy_protocol else egress.port
        """The only port of destinations that it is for; 0 for all of them."""
        self.speaks = egress.speaks
        self.proxy = egress.proxy_protocol
        self.hosts: Dict[str, _Hosts] = {}
        for text in egress.hosts:
            if text.count("/") != 1:
                continue
            where, dummy, host = text.partition("/")
            excluded = where.startswith("~")
            if excluded:
                where = where[1:] or "*"
            found = self.hosts.setdefault(namespace if where == "." else where, _Hosts())
            if excluded:
                found.excluded.append(host)
            elif host.startswith("*"):
                found.wildcard.append(host)
                found.everything = found.everything or host == "*"
            else:
                found.exact.add(host)

    def imports(self, destination: Destination) -> bool:
        """selectServices."""
        own, every = self.hosts.get(destination.namespace), self.hosts.get("*")
        host = destination.host
        if (own and own.excludes(host)) or (every and every.excludes(host)):
            return False
        return bool((own and own.imports(host)) or (every and every.imports(host)))

    def ports(self, destination: Destination) -> Tuple[DestinationPort, ...]:
        """The ports of an imported destination that the listener is for (serviceMatchingListenerPort)."""
        return tuple(port for port in destination.ports if not self.port or port.number == self.port)


class View(NamedTuple):
    """What one Sidecar object imports for the clients of one namespace."""

    name: str
    listeners: Tuple[EgressListener, ...]
    outbound: Optional[str]

    def namespaces(self) -> Set[str]:
        """Namespaces of which something may be imported; `*` stands for all."""
        return {namespace for listener in self.listeners for namespace in listener.hosts}

    def ports(self, destination: Destination) -> Optional[FrozenSet[int]]:
        """The ports of a destination that are visible: None for all, an empty set for none."""
        found: Set[int] = set()
        for listener in self.listeners:
            if listener.imports(destination):
                if not listener.port:
                    return None
                found.update(port.number for port in destination.ports if port.number == listener.port)
        return frozenset(found)

    def may_import(self, namespace: str, hosts: Iterable[str]) -> bool:
        """Whether an object of a namespace may be imported that is for hosts, whatever a Sidecar leaves out."""
        found = [
            listener.hosts[where]
            for listener in self.listeners
            for where in (namespace, "*")
            if where in listener.hosts
        ]
        return any(item.everything or any(map(item.may_route, hosts)) for item in found)

    def wholes(self) -> Tuple[Set[str], Set[str]]:
        """Namespaces of which everything is imported at any port, be it no Service, and those of which not all is.

        `*` stands for all. What is in both is not whole.
        """
        if len(self.listeners) != 1 or self.listeners[0].port:
            return set(), set()
        hosts = self.listeners[0].hosts
        left_out = {namespace for namespace, found in hosts.items() if found.excluded}
        return {namespace for namespace, found in hosts.items() if found.everything}, left_out

    def has_all_of(self, namespace: str) -> bool:
        """Whether everything of a namespace is surely imported, be it no Service."""
        whole, left_out = self.wholes()
        return not {namespace, "*"}.isdisjoint(whole) and {namespace, "*"}.isdisjoint(left_out)

    def only_aside(self, destination: Destination) -> FrozenSet[int]:
        """The visible ports of a destination that are met at other addresses than the destination's alone.

        core/listener.go buildSidecarOutboundListeners: with `bind`, or captureMode NONE, a listener is at that address,
        or at the local host. What is sent to a Service's meets none there and passes as it is.
        """
        straight: Set[int] = set()
        found: Set[int] = set()
        for listener in self.listeners:
            if listener.imports(destination):
                numbers = {port.number for port in listener.ports(destination)}
                (found if listener.aside else straight).update(numbers)
        return frozenset(found - straight)

    @property
    def proxies(self) -> bool:
        """Whether applications can ask it to dial for them (HTTP_PROXY), whatever the port."""
        return any(listener.proxy for listener in self.listeners)

    def prefers(self, own: List[Destination]) -> bool:
        """Whether destinations of the client's own namespace are met, whoever else has their host."""
        only = self.listeners[0]
        return len(self.listeners) == 1 and any(only.imports(item) and only.ports(item) for item in own)

    def locks(self, destination: Destination, port: int, http: bool = True) -> bool:
        """Whether a listener for this port takes in a destination, whatever the destination's own ports.

        Without `http` those that speak it do not count.
        """
        return any(
            one.port == port and not one.aside and one.imports(destination) and (http or one.speaks != "http")
            for one in self.listeners
        )

    def listens(self, destination: Destination) -> bool:
        """Whether a proxy makes listeners of its own for a destination's addresses."""
        return any(listener.captures and listener.imports(destination) for listener in self.listeners)


_EVERYTHING = Egress(0, False, ("*/*",))


def view_of(sidecar: SidecarObject, namespace: str) -> View:
    """A Sidecar as seen from a namespace: `./` in the root's object means the client's own. No egress means all."""
    listeners = tuple(EgressListener(egress, namespace) for egress in sidecar.egress or (_EVERYTHING,))
    return View(f"{sidecar.namespace}/{sidecar.name}", listeners, sidecar.outbound)


NO_SIDECAR = View("", (EgressListener(_EVERYTHING, ""),), None)
"""What a proxy imports to which no Sidecar applies."""


class Owners(NamedTuple):
    """Which of several destinations with one host a client gets at each port."""

    ports: Dict[int, Destination]
    unclear: FrozenSet[int] = frozenset()
    """Ports at which that depends on their age, which cannot be told."""
    contest: str = ""
    """Why."""


class HostOwners:
    """Which of several destinations with one host a client gets, port by port (pilot/pkg/model/sidecar.go)."""

    def __init__(self, destinations: List[Destination]) -> None:
        by_host: Dict[str, List[Destination]] = {}
        for destination in destinations:
            by_host.setdefault(destination.host, []).append(destination)
        self.contested = {host: sorted(found, key=_seniority) for host, found in by_host.items() if len(found) > 1}
        self._at_home: Dict[str, Dict[str, List[Destination]]] = {}
        for host, found in self.contested.items():
            home = self._at_home.setdefault(host, {})
            for item in found:
                home.setdefault(item.namespace, []).append(item)

    def in_namespace(self, host: str, namespace: str) -> List[Destination]:
        """Those of a contested host in one namespace, in Istio's order by age."""
        return self._at_home[host].get(namespace, [])

    def namespaces(self, host: str, exported: Tuple[str, ...]) -> Set[str]:
        """The namespaces whose clients may meet others at a contested host than clients elsewhere do.

        `exported` is whom the control plane exports to what does not say it.
        """
        named = {name for item in self.contested[host] for name in item.export_to or exported}
        return {*self._at_home[host], *named}

    def owned(
        self,
        visible: List[Destination],
        view: Optional[View],
        client: str,
        public: Callable[[Destination], bool],
        meaning: Callable[[Optional[Destination], int], object],
    ) -> Owners:
        """The owner of each port. `visible` is in Istio's order by age; gateways have no view.

        Destinations exported to the namespace by name come before `public` ones (servicesExportedToNamespace).
        `meaning` is what a port of a destination amounts to: whose age decides between equals does not matter.
        """
        first = _owned(sorted(visible, key=public), view, client)
        if all(map(dated, visible)):
            return Owners(first)
        every = [_owned(sorted(order, key=public), view, client) for order in orders(visible)]
        ports = {port.number for item in visible for port in item.ports}

        def clear(port: int) -> bool:
            meant = meaning(first.get(port), port)
            return bool(every) and all(
                owners.get(port) is first.get(port) or meaning(owners.get(port), port) == meant for owners in every
            )

        unclear = frozenset(port for port in ports if not clear(port))
        return Owners(first, unclear, contest(DESTINATION, visible, "is met") if unclear else "")


def _owned(visible: List[Destination], view: Optional[View], client: str) -> Dict[int, Destination]:
    owners = _Owners()
    if view is None:
        for item in visible:
            owners.add(item, item.ports)
        return owners.ports
    for listener in view.listeners:
        imported = [item for item in visible if listener.imports(item)]
        if listener.port:
            imported = [item for item in imported if listener.ports(item)]
        home = _namespace_of(imported, client)
        for item in imported:
            if item.namespace == home:
                owners.add(item, listener.ports(item))
    return owners.ports


class _Owners:
    """appendSidecarServices for one host."""

    def __init__(self) -> None:
        self.ports: Dict[int, Destination] = {}
        self._main: Optional[Destination] = None
        self._all: Tuple[DestinationPort, ...] = ()

    def add(self, item: Destination, ports: Tuple[DestinationPort, ...]) -> None:
        """A Kubernetes Service displaces others; ServiceEntries that could be one lend each other their ports."""
        main = self._main
        if main is None or (item.kubernetes and not main.kubernetes):
            self._main, self._all = item, ports
            self.ports = {port.number: item for port in ports}
        elif main.kubernetes and not item.kubernetes:
            return
        elif [port[:3] for port in ports] != [port[:3] for port in self._all] and _mergeable(main, item):
            fresh = tuple(port for port in ports if port.number not in self.ports)
            self._all += fresh
            self.ports.update((port.number, item) for port in fresh)


def _mergeable(first: Destination, second: Destination) -> bool:
    """canMergeServices."""
    return all(
        getattr(first, name) == getattr(second, name)
        for name in ("namespace", "resolution", "kubernetes", "selector", "export_to", "revision")
    )


def _namespace_of(imported: List[Destination], client: str) -> str:
    """One listener takes a host from one namespace: the client's, else a Kubernetes Service's, else the first."""
    chosen: Optional[Destination] = None
    for item in imported:
        if (
            chosen is None
            or item.namespace == client
            or (item.kubernetes and not chosen.kubernetes and chosen.namespace != client)
        ):
            chosen = item
    return chosen.namespace if chosen is not None else ""


def _seniority(destination: Destination) -> Tuple[str, bool, str, str]:
    return (destination.age, not destination.kubernetes, destination.namespace, destination.name)
