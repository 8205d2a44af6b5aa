# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy knows: Sidecar objects and exportTo (semantics, section 3.4; pilot/pkg/model/sidecar.go)."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

from .membership import matches
from .records import Egress, Labels, SidecarObject
from .services import Destination


class SidecarIndex:
    """The Sidecar objects that one control plane sees. Exactly one applies to a client, nothing merges."""

    def __init__(self, sidecars: List[SidecarObject], root: str) -> None:
        self._by_namespace: Dict[str, List[SidecarObject]] = {}
        self._mesh: Optional[SidecarObject] = None
        # Those with a selector first, then by age (initSidecarScopes).
        for item in sorted(
            sidecars, key=lambda found: (found.selector is None, found.age, found.name, found.namespace)
        ):
            self._by_namespace.setdefault(item.namespace, []).append(item)
            if item.namespace == root and item.selector is None and self._mesh is None:
                self._mesh = item

    def own(self, namespace: str, labels: Labels) -> Optional[SidecarObject]:
        """The Sidecar of the client's own namespace that applies to it."""
        for item in self._by_namespace.get(namespace, ()):
            if matches(item.selector, labels):
                return item
        return None

    def of(self, namespace: str, labels: Labels) -> Optional[SidecarObject]:
        """The one that applies: the namespace's own, else the root namespace's without selector, else none."""
        return self.own(namespace, labels) or self._mesh


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

    def excludes(self, host: str) -> bool:
        """Whether a host is left out by a `~` entry."""
        return any(covered(host, pattern) for pattern in self.excluded)


class _Listener:
    """One egress listener, its hosts by namespace (convertIstioListenerToWrapper)."""

    __slots__ = ("hosts", "port")

    def __init__(self, egress: Egress, namespace: str) -> None:
        self.port = 0 if egress.proxy_protocol else egress.port
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


class View(NamedTuple):
    """What one Sidecar object imports for the clients of one namespace."""

    name: str
    listeners: Tuple[_Listener, ...]
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


EVERYTHING = Egress(0, False, ("*/*",))


def view_of(sidecar: SidecarObject, namespace: str) -> View:
    """A Sidecar as seen from a namespace: `./` in the root's object means the client's own. No egress means all."""
    listeners = tuple(_Listener(egress, namespace) for egress in sidecar.egress or (EVERYTHING,))
    return View(f"{sidecar.namespace}/{sidecar.name}", listeners, sidecar.outbound)


class HostOwners:
    """Which of several destinations with one host a client gets (selectServices, appendSidecarServices)."""

    def __init__(self, destinations: List[Destination]) -> None:
        by_host: Dict[str, List[Destination]] = {}
        for destination in destinations:
            by_host.setdefault(destination.host, []).append(destination)
        self.contested = {host: sorted(found, key=_seniority) for host, found in by_host.items() if len(found) > 1}

    def winner(self, host: str, visible: List[Destination], client: str) -> Destination:
        """Own namespace first; else a Kubernetes Service; else the oldest. `visible` is in order of seniority."""
        at_home = [item for item in visible if item.namespace == client]
        candidates = at_home or visible
        return next((item for item in candidates if item.kubernetes), candidates[0])


def _seniority(destination: Destination) -> Tuple[str, str, str]:
    return (destination.age, destination.name, destination.namespace)
