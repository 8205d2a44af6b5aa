# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that several destinations have: which of them each client meets, port by port.

Each namespace is looked at only for the destinations that its own clients meet, not for those of all others: many
namespaces may describe one host, each for itself.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .push_context import PushContext
from .scopes import ROUTERS, Group, GroupKey, Scope, Scopes
from .services import Destination
from .visibility import NO_SIDECAR, HostOwners, Owners

Claim = Tuple[Scope, Owners]
"""A client, and whom it meets at the ports of a host."""
Meaning = Callable[[Destination, int, Scope], object]
"""All that decides what a scope's proxies do at a port of a destination, but for what it is called."""


class Meeting(NamedTuple):
    """What clients that are alike meet at the host of a destination."""

    scope: Scope
    clients: int
    owners: Optional[Owners]
    """Of the ports; None for clients that meet no port of this destination."""
    elsewhere: FrozenSet[int] = frozenset()
    """Ports at which these meet another destination."""


class _Claims:
    """Which destinations of one host are met by whom: scopes by their bit, each with the owners of its ports."""

    __slots__ = ("alone", "at_home", "claimants", "grouped", "meets", "others", "patched")

    def __init__(self) -> None:
        self.meets: Dict[int, Dict[int, Claim]] = {}
        """By the identity of a destination, who meets it at a port, or may meet it."""
        self.alone: Dict[FrozenSet[int], Dict[int, Claim]] = {}
        """Scopes of no group, by the ports at which they surely meet one; those with patches are among them."""
        self.patched = 0
        self.at_home: Dict[GroupKey, Dict[str, Dict[int, Claim]]] = {}
        """Of each group those that the destinations of their own namespace set apart, by namespace."""
        self.grouped: Dict[GroupKey, Dict[FrozenSet[int], int]] = {}
        """The same by the ports at which they surely meet one."""
        self.claimants: Dict[GroupKey, int] = {}
        """All of these."""
        self.others: Dict[GroupKey, Owners] = {}
        """Whom the rest of a group meets."""

    def add(self, bit: int, scope: Scope, owners: Owners, rivals: Iterable[Destination]) -> FrozenSet[int]:
        """Takes a scope in; returns the ports at which it surely meets one."""
        met = list(owners.ports.values())
        if owners.unclear:
            met.extend(item for item in rivals if any(port.number in owners.unclear for port in item.ports))
        for item in met:
            self.meets.setdefault(id(item), {})[bit] = (scope, owners)
        return frozenset(owners.ports) - owners.unclear


class SharedHosts:
    """Who meets which destination of a host."""

    def __init__(
        self,
        destinations: List[Destination],
        scopes: Scopes,
        planes: Callable[[Optional[str]], PushContext],
        meaning: Meaning,
    ) -> None:
        self._owners = HostOwners(destinations)
        self._scopes = scopes
        self._planes = planes
        self._meaning = meaning
        self._claims: Dict[str, _Claims] = {}

    def __contains__(self, host: str) -> bool:
        return host in self._owners.contested

    def meetings(self, destination: Destination) -> Iterator[Meeting]:
        """Who meets a destination, or knows why not; nothing of those that meet another at all of its ports."""
        claims = self._claims_of(destination.host)
        ports = frozenset(port.number for port in destination.ports)
        met = claims.meets.get(id(destination), {})
        for bit, (scope, owners) in met.items():
            yield Meeting(scope, bit, owners)
        for owned, alone in claims.alone.items():
            if not ports <= owned:
                for bit, (scope, owners) in alone.items():
                    if bit not in met:
                        yield Meeting(scope, bit, owners)
        for key, group in self._scopes.groups.items():
            yield from self._of_group(destination, ports, claims, key, group)

    def _of_group(
        self, destination: Destination, ports: FrozenSet[int], claims: _Claims, key: GroupKey, group: Group
    ) -> Iterator[Meeting]:
        met = claims.meets.get(id(destination), {})
        named = {
            bit: entry
            for namespace in {destination.namespace, *destination.export_to}
            for bit, entry in claims.at_home[key].get(namespace, {}).items()
            if bit not in met
        }
        for bit, (scope, owners) in named.items():
            yield Meeting(scope, bit, owners)
        done = sum(named) | sum(met)
        hidden: Dict[FrozenSet[int], int] = {}
        for owned, mask in claims.grouped[key].items():
            elsewhere = ports & owned
            hidden[elsewhere] = hidden.get(elsewhere, 0) | mask & ~done
        rest, others = group.mask & ~claims.claimants[key] & ~claims.patched, claims.others[key]
        if (rest and any(owner is destination for owner in others.ports.values())) or others.unclear & ports:
            for namespace in self._scopes.special_namespaces(destination, group):
                for bit, scope in group.by_namespace.get(namespace, ()):
                    if bit & rest:
                        rest &= ~bit
                        yield Meeting(scope, bit, others)
            if rest:
                yield Meeting(group.elsewhere(), rest, others)
        else:
            elsewhere = ports & frozenset(others.ports)
            hidden[elsewhere] = hidden.get(elsewhere, 0) | rest
        for elsewhere, mask in hidden.items():
            if mask and elsewhere != ports:
                yield Meeting(group.elsewhere(), mask, None, elsewhere)

    def _claims_of(self, host: str) -> _Claims:
        """Who meets whom at a host that several destinations have."""
        claims = self._claims.get(host)
        if claims is not None:
            return claims
        claims = self._claims[host] = _Claims()
        patched = self._scopes.patched_at(host)
        in_groups = 0
        for key, group in self._scopes.groups.items():
            in_groups |= group.mask
            exported = self._planes(group.revision).mesh.service_export
            claims.others[key] = self._owners_for(host, group.elsewhere())
            claims.at_home[key], claims.grouped[key], claims.claimants[key] = {}, {}, 0
            for namespace in self._owners.namespaces(host, exported):
                home = claims.at_home[key][namespace] = {}
                for bit, scope in group.by_namespace.get(namespace, ()):
                    if bit in patched:
                        continue
                    owners = self._owners_for(host, scope)
                    home[bit] = (scope, owners)
                    claims.claimants[key] |= bit
                    owned = claims.add(bit, scope, owners, self._owners.contested[host])
                    claims.grouped[key][owned] = claims.grouped[key].get(owned, 0) | bit
        for bit, scope in self._scopes.proxied:
            if bit in patched:
                claims.patched |= bit
            if bit in patched or not bit & in_groups:
                owners = self._owners_for(host, scope)
                owned = claims.add(bit, scope, owners, self._owners.contested[host])
                claims.alone.setdefault(owned, {})[bit] = (scope, owners)
        return claims

    def _owners_for(self, host: str, scope: Scope) -> Owners:
        """Whom a scope's proxies have at each port."""
        plane = self._planes(scope.revision)
        exported = plane.mesh.service_export
        view = None if scope.kind in ROUTERS else scope.view or NO_SIDECAR

        def seen(rivals: Iterable[Destination]) -> List[Destination]:
            return [
                item
                for item in rivals
                if plane.sees(item.namespace, item.revision) and item.exported_to(scope.namespace, exported)
            ]

        own = seen(self._owners.in_namespace(host, scope.namespace))
        visible = own if view is not None and view.prefers(own) else seen(self._owners.contested[host])
        return self._owners.owned(
            visible,
            view,
            scope.namespace,
            public=lambda item: "*" in (item.export_to or exported),
            meaning=lambda item, number: None if item is None else self._meaning(item, number, scope),
        )
