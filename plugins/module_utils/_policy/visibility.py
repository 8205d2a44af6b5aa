# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy knows: Sidecar objects and exportTo (semantics, section 3.4; pilot/pkg/model/sidecar.go)."""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Generic, Iterable, List, NamedTuple, Optional, Set, Tuple, TypeVar

from .ages import contest, dated, eldest_of, orders
from .records import Egress, Labels, SidecarObject
from .selecting import Selecting
from .services import DESTINATION, Destination, DestinationPort

_Item = TypeVar("_Item")


class SidecarIndex:
    """The Sidecar objects that one control plane sees. Exactly one applies to a client, nothing merges."""

    def __init__(self, sidecars: List[SidecarObject], root: str) -> None:
        by_namespace: Dict[str, List[SidecarObject]] = {}
        self._mesh: List[SidecarObject] = []
        # Those with a selector first, then by age (initSidecarScopes).
        for item in sorted(
            sidecars, key=lambda found: (found.selector is None, found.age, found.name, found.namespace)
        ):
            by_namespace.setdefault(item.namespace, []).append(item)
            if item.namespace == root and item.selector is None:
                self._mesh.append(item)
        self._by_namespace = {
            namespace: Selecting(found, lambda item: item.selector) for namespace, found in by_namespace.items()
        }
        self._own: Dict[int, List[SidecarObject]] = {}
        """Those that apply, by the identity of all that select some labels."""
        self._eldest_of_mesh = eldest_of(self._mesh)
        self._contests: Dict[int, str] = {}

    def own(self, namespace: str, labels: Labels) -> List[SidecarObject]:
        """The Sidecar of the client's own namespace that applies to it; several where nobody knows the oldest."""
        selecting = self._by_namespace.get(namespace)
        found = selecting.of(labels) if selecting is not None else ()
        if id(found) not in self._own:
            self._own[id(found)] = eldest_of([item for item in found if item.selector is not None] or found)
        return self._own[id(found)]

    def of(self, namespace: str, labels: Labels) -> Optional[SidecarObject]:
        """The one that applies: the namespace's own, else the root namespace's without selector, else none."""
        found = self._candidates(namespace, labels)
        return found[0] if found else None

    def contest(self, namespace: str, labels: Labels) -> str:
        """Why it cannot be told which one applies; "" where it can, or where all of them say the same."""
        found = self._candidates(namespace, labels)
        if id(found) not in self._contests:
            first = found[0] if found else None
            alike = all(
                first is not None
                and (item.egress, item.outbound, item.ingress) == (first.egress, first.outbound, first.ingress)
                for item in found
            )
            self._contests[id(found)] = "" if alike else contest("Sidecar", found, "applies")
        return self._contests[id(found)]

    def _candidates(self, namespace: str, labels: Labels) -> List[SidecarObject]:
        return self.own(namespace, labels) or self._eldest_of_mesh


class Patterns:
    """Hosts and patterns of hosts. There may be thousands: a host is looked up by its ends, not by each pattern."""

    __slots__ = ("_ends", "_lengths", "exact")

    def __init__(self) -> None:
        self.exact: Set[str] = set()
        self._ends: Set[str] = set()
        """What comes after the `*` of each pattern."""
        self._lengths: Set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.exact or self._ends)

    @property
    def has_patterns(self) -> bool:
        """Whether something is covered that is not named."""
        return bool(self._ends)

    def add(self, pattern: str) -> None:
        """Takes in a host or a pattern."""
        if pattern.startswith("*"):
            self._ends.add(pattern[1:])
            self._lengths.add(len(pattern) - 1)
        else:
            self.exact.add(pattern)

    def cover(self, host: str) -> bool:
        """Whether all names that a host stands for are covered (pkg/config/host/name.go SubsetOf)."""
        if host in self.exact:
            return True
        name = host[1:] if host.startswith("*") else host
        return any(length <= len(name) and name[len(name) - length :] in self._ends for length in self._lengths)

    def fit(self, host: str) -> bool:
        """Whether a host or pattern and one of these have a name in common (pkg/config/host/name.go Matches)."""
        if self.cover(host) or not host.startswith("*"):
            return self.cover(host)
        return any(name.endswith(host[1:]) for name in (*self.exact, *self._ends))


class _Hosts:
    """The hosts of one egress listener in one namespace (hostClassification)."""

    __slots__ = ("everything", "excluded", "imported")

    def __init__(self) -> None:
        self.imported = Patterns()
        self.excluded = Patterns()
        self.everything = False


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
            (found.excluded if excluded else found.imported).add(host)
            found.everything = found.everything or (host == "*" and not excluded)

    def imports(self, destination: Destination) -> bool:
        """selectServices."""
        own, every = self.hosts.get(destination.namespace), self.hosts.get("*")
        host = destination.host
        if (own and own.excluded.cover(host)) or (every and every.excluded.cover(host)):
            return False
        return bool((own and own.imported.cover(host)) or (every and every.imported.cover(host)))

    def ports(self, destination: Destination) -> Tuple[DestinationPort, ...]:
        """The ports of an imported destination that the listener is for (serviceMatchingListenerPort)."""
        return tuple(port for port in destination.ports if not self.port or port.number == self.port)


class View:
    """What one Sidecar object, or several that say the same, imports for the clients of one namespace."""

    __slots__ = ("_at_port", "first_at", "listeners", "outbound")

    def __init__(self, listeners: Tuple[EgressListener, ...], outbound: Optional[str]) -> None:
        self.listeners = listeners
        self.outbound = outbound
        self._at_port: Dict[int, List[int]] = {}
        """The places of the listeners for each port, 0 for all ports."""
        self.first_at: Dict[int, EgressListener] = {}
        """The first listener with each port of its own, be it a proxy's of the application."""
        for place, listener in enumerate(listeners):
            self._at_port.setdefault(listener.port, []).append(place)
            if listener.number:
                self.first_at.setdefault(listener.number, listener)

    def listeners_for(self, ports: Iterable[int]) -> List[EgressListener]:
        """The listeners for all ports or one of these, in their order."""
        places = {place for number in {0, *ports} for place in self._at_port.get(number, ())}
        return [self.listeners[place] for place in sorted(places)]

    @property
    def everything(self) -> bool:
        """Whether it imports what is imported without any Sidecar."""
        only = self.listeners[0]
        every = only.hosts.get("*")
        whole = every is not None and every.everything and not any(found.excluded for found in only.hosts.values())
        return len(self.listeners) == 1 and whole and only.captures and not only.proxy

    def namespaces(self) -> Set[str]:
        """Namespaces of which something may be imported; `*` stands for all."""
        return {namespace for listener in self.listeners for namespace in listener.hosts}

    def hosts(self) -> Tuple[Set[Tuple[str, str]], Set[str]]:
        """What may be imported: single hosts, each with its namespace, and namespaces of which there are patterns."""
        single: Set[Tuple[str, str]] = set()
        patterns: Set[str] = set()
        for listener in self.listeners:
            for namespace, found in listener.hosts.items():
                single.update((namespace, host) for host in found.imported.exact)
                patterns.update([namespace] if found.imported.has_patterns else [])
        return single, patterns

    def ports(self, destination: Destination) -> Optional[FrozenSet[int]]:
        """The ports of a destination that are visible: None for all, an empty set for none."""
        found: Set[int] = set()
        for listener in self.listeners_for(port.number for port in destination.ports):
            if listener.imports(destination):
                if not listener.port:
                    return None
                found.add(listener.port)
        return frozenset(found)

    def may_import(self, namespace: str, hosts: Iterable[str]) -> bool:
        """Whether a VirtualService of a namespace for hosts may be imported (virtualservice.go VSMatches).

        What a Sidecar leaves out does not count.
        """
        found = [
            listener.hosts[name] for listener in self.listeners for name in (namespace, "*") if name in listener.hosts
        ]
        return any(item.everything or any(map(item.imported.fit, hosts)) for item in found)

    def wholes(self) -> Tuple[Set[str], Set[str]]:
        """Namespaces of which everything is imported at any port, be it no Service, and those of which not all is.

        `*` stands for all. What is in both is not whole.
        """
        if len(self.listeners) != 1 or self.listeners[0].port:
            return set(), set()
        hosts = self.listeners[0].hosts
        left_out = {namespace for namespace, found in hosts.items() if found.excluded}
        return {namespace for namespace, found in hosts.items() if found.everything}, left_out

    def only_aside(self, destination: Destination) -> FrozenSet[int]:
        """The visible ports of a destination that are met at other addresses than the destination's alone.

        core/listener.go buildSidecarOutboundListeners: with `bind`, or captureMode NONE, a listener is at that address,
        or at the local host. What is sent to a Service's meets none there and passes as it is.
        """
        straight: Set[int] = set()
        found: Set[int] = set()
        for listener in self.listeners_for(port.number for port in destination.ports):
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
        found = (self.listeners[place] for place in (self._at_port.get(port, ()) if port else ()))
        return any(not one.aside and one.imports(destination) and (http or one.speaks != "http") for one in found)

    def listens(self, destination: Destination) -> bool:
        """Whether a proxy makes listeners of its own for a destination's addresses."""
        return any(listener.captures and listener.imports(destination) for listener in self.listeners_for(()))


class Importers(Generic[_Item]):
    """Clients with a Sidecar, by the hosts that they may import: nobody else is asked about a destination."""

    __slots__ = ("_by_host", "_by_namespace")

    def __init__(self) -> None:
        self._by_host: Dict[Tuple[str, str], List[Tuple[int, _Item]]] = {}
        self._by_namespace: Dict[str, List[Tuple[int, _Item]]] = {}

    def add(self, bit: int, item: _Item, view: View) -> None:
        """Takes a client in, with what its Sidecar imports."""
        single, patterns = view.hosts()
        for namespace in patterns:
            self._by_namespace.setdefault(namespace, []).append((bit, item))
        for namespace, host in single:
            if namespace not in patterns:
                self._by_host.setdefault((namespace, host), []).append((bit, item))

    def of(self, destination: Destination) -> Dict[int, _Item]:
        """Those that may import a destination, by their bits."""
        found: Dict[int, _Item] = {}
        for namespace in (destination.namespace, "*"):
            found.update(self._by_namespace.get(namespace, ()))
            found.update(self._by_host.get((namespace, destination.host), ()))
        return found


_EVERYTHING = Egress(0, False, ("*/*",))


def view_of(sidecar: SidecarObject, namespace: str) -> View:
    """A Sidecar as seen from a namespace: `./` in the root's object means the client's own. No egress means all."""
    listeners = tuple(EgressListener(egress, namespace) for egress in sidecar.egress or (_EVERYTHING,))
    return View(listeners, sidecar.outbound)


def is_relative(sidecar: SidecarObject) -> bool:
    """Whether a Sidecar means something else to each namespace."""
    return any(text.startswith(("./", "~./")) for egress in sidecar.egress or () for text in egress.hosts)


NO_SIDECAR = View((EgressListener(_EVERYTHING, ""),), None)
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
    for listener in view.listeners_for(port.number for item in visible for port in item.ports):
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
