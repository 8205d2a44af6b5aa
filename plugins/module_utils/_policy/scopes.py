# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads that no rule can tell apart as clients.

They form a scope. A set of scopes is an integer with one bit for each, so that a destination is judged once for each
distinct answer: most namespaces have no rule of their own for a host and are never looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from typing import Callable, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from .membership import Workload
from .outbound import outbound_of
from .patches import Patch, Patches
from .push_context import PushContext, outbound_patches
from .recipients import Recipients
from .records import Labels, Outbound, SidecarObject, VirtualService
from .services import Destination
from .unread import ROUTES, Unread
from .visibility import Importers, View, is_relative, view_of

ANY_OTHER = "any other"
"""Stands for a namespace that no object names; no namespace can have this name."""
WAYPOINT = "waypoint"
ROUTERS = ("gateway", WAYPOINT)
"""Kinds of clients that pass on what others ask for: Sidecars and capturing are not for them."""
GroupKey = Tuple[str, str, str, Optional[Outbound], bool]
"""Kind, revision, what becomes of traffic to unknown hosts, what is not captured, and whether there are own
certificates."""


class Scope(NamedTuple):
    """Workloads that no rule can tell apart as clients."""

    kind: str  # sidecar | gateway | waypoint | ambient | none | unknown
    revision: str
    namespace: str
    labels: Labels
    view: Optional[View]
    outbound: Optional[Outbound]
    metadata_certs: bool
    doubt: str
    policy: Optional[str]
    """What its Sidecar says becomes of traffic to what the proxy does not know; None where the mesh says it."""
    sidecars: Set[str]
    """The Sidecars that apply to its workloads: their names decide nothing."""
    patches: Optional[Patches] = None
    """What EnvoyFilters can change of what they send: a part of it. Where it is all, there is a doubt."""


class AllBut(NamedTuple):
    """Names but for a few: many destinations are hidden by nearly all of thousands of Sidecars."""

    names: Mapping[str, int]
    """In order."""
    without: FrozenSet[str]


class Group:
    """The scopes of one revision and kind that have nothing special about them, by namespace."""

    __slots__ = ("by_namespace", "mask", "revision", "sample")

    def __init__(self, scope: Scope) -> None:
        self.revision, self.sample = scope.revision, scope
        self.mask = 0
        self.by_namespace: Dict[str, List[Tuple[int, Scope]]] = {}

    def elsewhere(self) -> Scope:
        """What stands for the clients of all namespaces about which no object says something."""
        return self.sample._replace(namespace=ANY_OTHER, labels={}, patches=None)


class ViewGroup:
    """Scopes with a Sidecar, by the hosts that it may import: it hides all others."""

    __slots__ = ("_names", "importers", "mask", "sample", "scopes")

    def __init__(self, scope: Scope) -> None:
        self.sample = scope
        self.mask = 0
        self.scopes: List[Scope] = []
        self.importers: Importers[Scope] = Importers()
        self._names: Optional[Dict[str, int]] = None
        """The Sidecars in order, each with how many scopes have it."""

    def add(self, bit: int, scope: Scope, view: View) -> None:
        """Takes a scope in."""
        self.mask |= bit
        self.scopes.append(scope)
        self.importers.add(bit, scope, view)

    def others(self, importers: Iterable[Scope]) -> AllBut:
        """The Sidecars of all scopes but these."""
        if self._names is None:
            names = Counter(name for scope in self.scopes for name in scope.sidecars)
            self._names = dict(sorted(names.items()))
        counts = Counter(name for scope in importers for name in scope.sidecars)
        return AllBut(self._names, frozenset(name for name, count in counts.items() if self._names[name] == count))


class Scopes:
    """All clients of a mesh, in scopes."""

    def __init__(
        self,
        workloads: Iterable[Workload],
        planes: Callable[[Optional[str]], PushContext],
        unread: Unread,
    ) -> None:
        self._planes = planes
        self._unread = unread
        self._views: Dict[Tuple[str, str], View] = {}
        """By Sidecar, and by namespace where that counts."""
        self._same_views: Dict[object, View] = {}
        self.members: List[List[str]] = []
        """The workloads' ids in each scope, by the number of its bit."""
        self._names: List[Set[str]] = []
        """The names of the Sidecars, likewise."""
        self._views_of: Dict[int, View] = {}
        """Those with a Sidecar that hides something, by their bit."""
        self._unhindered = 0
        """Those with a sidecar from which no Sidecar hides anything."""
        self._listening: Importers[View] = Importers()
        self.locked = False
        """Whether there are any of these:"""
        self._locking: Importers[View] = Importers()
        """Those with a Sidecar that has listeners for single ports."""
        self.sidecars: Dict[Tuple[str, ...], int] = {}
        """Those with a sidecar, by whom their control plane exports a Service to that does not say it."""
        self.ambient = 0
        """Those in ambient mode."""
        self._bits: Dict[object, int] = {}
        self.groups: Dict[GroupKey, Group] = {}
        self.view_groups: Dict[GroupKey, ViewGroup] = {}
        self.unproxied: List[Tuple[int, Scope]] = []
        """Those without a proxy of their own, and those of which nobody knows whether they have one."""
        self.proxied: List[Tuple[int, Scope]] = []
        self.special: Dict[int, Scope] = {}
        """Those of no group: for each destination they are looked at on their own."""
        self._patched: Dict[str, List[Tuple[int, Scope]]] = {}
        """Those with patches, by the hosts that these are for; "" for patches that are for any."""
        self._recipients: Optional[Recipients] = None
        for workload in workloads:
            self._enlist(workload)

    def _enlist(self, workload: Workload) -> None:
        """Finds or opens the scope of a workload."""
        scope, key = self._scope(workload)
        place = self._bits.get(key)
        if place is not None:
            self.members[place].append(workload.id)
            self._names[place].update(scope.sidecars)
            return
        place = self._bits[key] = len(self.members)
        self.members.append([workload.id])
        self._names.append(scope.sidecars)
        bit = 1 << place
        if scope.kind in ("none", "ambient", "unknown"):
            self.ambient |= bit if scope.kind == "ambient" else 0
            self.unproxied.append((bit, scope))
            return
        self.proxied.append((bit, scope))
        if scope.kind == "sidecar":
            if scope.view is None:
                self._unhindered |= bit
            else:
                self._views_of[bit] = scope.view
                self._listening.add(bit, scope.view, scope.view)
                if any(listener.port for listener in scope.view.listeners):
                    self._locking.add(bit, scope.view, scope.view)
                    self.locked = True
            exported = self._planes(scope.revision).mesh.service_export
            self.sidecars[exported] = self.sidecars.get(exported, 0) | bit
        for host in scope.patches.hosts() if scope.patches is not None else ():
            self._patched.setdefault(host, []).append((bit, scope))
        group_key = (scope.kind, scope.revision, self.hidden(scope), scope.outbound, scope.metadata_certs)
        if scope.doubt:
            self.special[bit] = scope
        elif scope.view is not None:
            self.view_groups.setdefault(group_key, ViewGroup(scope)).add(bit, scope, scope.view)
        else:
            group = self.groups.setdefault(group_key, Group(scope))
            group.mask |= bit
            group.by_namespace.setdefault(scope.namespace, []).append((bit, scope))

    def hidden(self, scope: Scope) -> str:
        """What becomes of traffic to what the proxy does not know; a Sidecar's policy replaces the mesh's."""
        allow_any = self._planes(scope.revision).mesh.allow_any
        if scope.policy is not None:
            allow_any = scope.policy == "ALLOW_ANY"
        return "passthrough" if allow_any and scope.kind == "sidecar" else "blocked"

    def _scope(self, workload: Workload) -> Tuple[Scope, object]:
        kind = "unknown" if workload.doubt else workload.mesh
        if kind == "gateway" and workload.shape.waypoint:
            kind = WAYPOINT
        if kind in ("none", "ambient", "unknown"):
            doubt = f"what the client does in the mesh is unknown: {workload.doubt}" if workload.doubt else ""
            scope = Scope(kind, workload.shape.revision or "", "", {}, None, None, False, doubt, None, set())
            return scope, (kind, scope.revision, doubt)
        plane = self._planes(workload.shape.revision)
        namespace, labels = workload.namespace, workload.labels
        sidecar = plane.sidecars.of(namespace, labels) if kind == "sidecar" else None
        view = self._view(sidecar, namespace) if sidecar is not None else None
        policy, sidecars = (sidecar.outbound, {f"{sidecar.namespace}/{sidecar.name}"}) if sidecar else (None, set())
        outbound = outbound_of(workload) if kind == "sidecar" else None
        patches = self._patches(plane, workload, view)
        doubt = self._client_doubt(plane, workload) or (_of_all(patches) if patches is not None else "")
        selected = tuple(
            all(labels.get(key) == value for key, value in selector.items())
            for selector in plane.rules.selective.get(namespace, ())
        )
        certs = workload.shape.metadata_certs
        patches = None if doubt else patches
        if view is not None and view.everything:
            view = None
        scope = Scope(kind, plane.mesh.name, namespace, labels, view, outbound, certs, doubt, policy, sidecars, patches)
        return scope, (
            kind,
            plane.mesh.name,
            namespace,
            id(view),
            policy,
            outbound,
            certs,
            doubt,
            selected,
            patches,
        )

    def _view(self, sidecar: SidecarObject, namespace: str) -> View:
        """What a Sidecar imports for a namespace: the same for all that say the same there."""
        key = (f"{sidecar.namespace}/{sidecar.name}", namespace)
        known = self._views.get(key)
        if known is None:
            where = namespace if is_relative(sidecar) else ""
            same = (sidecar.egress, sidecar.outbound, where)
            known = self._same_views.get(same)
            if known is None:
                known = self._same_views[same] = view_of(sidecar, where)
            self._views[key] = known
        return known

    def _client_doubt(self, plane: PushContext, workload: Workload) -> str:
        """Why nothing can be said about what a client sends."""
        namespace, root, covers = workload.namespace, plane.mesh.root_namespace, self._unread.covers
        if plane.mesh.doubt:
            return f"the mesh configuration of revision {plane.mesh.name} is unknown: {plane.mesh.doubt}"
        if covers("DestinationRule", namespace):
            return f"DestinationRules of the client's namespace {namespace} were not read"
        if covers("ServiceEntry", namespace):
            # A client meets its own namespace's first, whoever else has the host (pilot/pkg/model/sidecar.go).
            what = "ServiceEntries, which could claim this address or host"
            return f"{what}, of the client's namespace {namespace} were not read"
        if workload.mesh == "sidecar" and covers("Sidecar", namespace):
            return f"Sidecar objects of the client's namespace {namespace} were not read"
        if (
            workload.mesh == "sidecar"
            and covers("Sidecar", root)
            and not plane.sidecars.own(namespace, workload.labels)
        ):
            return f"Sidecar objects of the root namespace {root} were not read"
        for kind in ROUTES if workload.mesh == "sidecar" else ():
            if covers(kind, namespace) or covers(kind, root):
                return f"{kind}s that could lead the client's requests elsewhere were not read"
        contested = plane.sidecars.contest(namespace, workload.labels) if workload.mesh == "sidecar" else ""
        if contested:
            return contested
        if covers("EnvoyFilter", namespace) or covers("EnvoyFilter", root):
            return "EnvoyFilters that could change what the client sends were not read"
        return ""

    def _patches(self, plane: PushContext, workload: Workload, view: Optional[View]) -> Optional[Patches]:
        """What EnvoyFilters can change of what a client sends; None for nothing."""
        found = outbound_patches(workload, plane)
        # What comes to an HTTP proxy's listener has any port.
        found = found.anywhere() if view is not None and view.proxies else found
        return found or None

    def patched_for(self, destination: Destination) -> Dict[int, Scope]:
        """The scopes of which EnvoyFilters can change what they send to a destination, but for the special ones."""
        if not self._patched:
            return {}
        return {
            bit: scope
            for host in ("", destination.host)
            for bit, scope in self._patched.get(host, ())
            if bit not in self.special and patches_for(scope, destination)
        }

    def special_namespaces(self, destination: Destination, group: Group) -> Set[str]:
        """The namespaces whose clients may see a destination differently from the rest."""
        plane = self._planes(group.revision)
        found = plane.rules.local_namespaces(destination.host)
        found |= plane.rules.named_namespaces(destination.host, destination.namespace)
        found.update(destination.export_to, plane.mesh.service_export)
        found.update((destination.namespace, plane.mesh.root_namespace))
        return found

    def patched_at(self, host: str) -> Set[int]:
        """Those of which EnvoyFilters can change what they send to a host."""
        return {bit for place in ("", host) for bit, dummy in self._patched.get(place, ())}

    def routed_by(self, item: VirtualService) -> Tuple[int, int]:
        """The sidecars that may get a VirtualService, and those that surely do: a Sidecar may not import it."""
        return self._all_recipients().of(item)

    def _all_recipients(self) -> Recipients:
        if self._recipients is None:
            found = ((bit, scope) for bit, scope in self.proxied if scope.kind == "sidecar")
            self._recipients = Recipients(
                ((bit, scope.revision, scope.namespace, scope.view) for bit, scope in found), self._planes
            )
        return self._recipients

    def importing(self, item: VirtualService, clients: int) -> int:
        """Those of some sidecars whose Sidecar may import a VirtualService by one of its hosts."""
        rest = clients & ~self._unhindered
        while rest:
            bit = rest & -rest
            rest ^= bit
            if not self._views_of[bit].may_import(item.namespace, item.hosts):
                clients &= ~bit
        return clients

    def withheld(self, kind: str) -> int:
        """The clients to which objects of a kind may be exported that the caller could not read.

        A Sidecar that names its namespaces keeps out what is in all others. ztunnel knows all ServiceEntries.
        """
        found = self.ambient if kind == "ServiceEntry" and self._unread.withheld(kind, None) else 0
        found |= self._unhindered if self._unread.withheld(kind, None) else 0
        for bit, view in self._views_of.items():
            namespaces = view.namespaces()
            if self._unread.withheld(kind, None if "*" in namespaces else namespaces):
                found |= bit
        return found

    def unnamed(self, alias: Destination, home: str) -> int:
        """The sidecars that may not know an alias of a host of the namespace `home`.

        Their control plane does not see it, or a Sidecar may import the host alone (model/sidecar.go
        matchingAliasService).
        """
        everyone = 0
        for mask in self.sidecars.values():
            everyone |= mask
        return everyone & ~self._all_recipients().having(alias.namespace, alias.revision, home)

    def locking(self, destination: Destination, port: int) -> int:
        """The clients with a Sidecar's listener for a port that takes in a destination."""
        found = 0
        for bit, view in self._locking.of(destination).items():
            if view.locks(destination, port):
                found |= bit
        return found

    def seizing(self, destination: Destination, port: int) -> int:
        """Those of them for which that listener is not for HTTP."""
        found = 0
        for bit, view in self._locking.of(destination).items():
            if view.locks(destination, port, http=False):
                found |= bit
        return found

    def listening(self, destination: Destination) -> int:
        """The clients whose proxies make listeners of their own for a destination that they know."""
        found = self._unhindered
        for bit, view in self._listening.of(destination).items():
            if view.listens(destination):
                found |= bit
        return found


def _of_all(patches: Patches) -> str:
    """The doubt about a client of which an EnvoyFilter can change whatever it sends."""
    patch = patches.whole()
    if patch is None:
        return ""
    return f"EnvoyFilter {patch.envoy_filter} changes what the client sends, which manifests do not tell"


def patches_for(scope: Scope, destination: Destination) -> Tuple[Patch, ...]:
    """What EnvoyFilters can change of what a scope's proxies send to a destination."""
    if scope.patches is None:
        return ()
    return scope.patches.at(destination.host, (port.number for port in destination.ports))
