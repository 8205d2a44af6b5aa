# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads that no rule can tell apart as clients.

They form a scope. A set of scopes is an integer with one bit for each, so that a destination is judged once for each
distinct answer: most namespaces have no rule of their own for a host and are never looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from .membership import Workload
from .outbound import outbound_of
from .push_context import Patch, PushContext, outbound_patches
from .recipients import Recipients
from .records import Labels, Outbound, VirtualService
from .services import Destination
from .unread import ROUTES, Unread
from .visibility import View, view_of

ANY_OTHER = "any other"
"""Stands for a namespace that no object names; no namespace can have this name."""
WAYPOINT = "waypoint"
ROUTERS = ("gateway", WAYPOINT)
"""Kinds of clients that pass on what others ask for: Sidecars and capturing are not for them."""
GroupKey = Tuple[str, str]
"""Kind and revision."""


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
    patches: Tuple[Patch, ...] = ()
    """What EnvoyFilters can change of what they send: a part of it. Where it is all, there is a doubt."""


class Group:
    """The scopes of one revision and kind that have nothing special about them, by namespace."""

    __slots__ = ("by_namespace", "kind", "mask", "revision", "sample")

    def __init__(self, scope: Scope) -> None:
        self.kind, self.revision, self.sample = scope.kind, scope.revision, scope
        self.mask = 0
        self.by_namespace: Dict[str, List[Tuple[int, Scope]]] = {}

    def elsewhere(self) -> Scope:
        """What stands for the clients of all namespaces about which no object says something."""
        return self.sample._replace(namespace=ANY_OTHER, labels={}, patches=())


class ViewGroup:
    """Scopes with a Sidecar, by the namespaces whose hosts it may import: to all others it hides a destination."""

    __slots__ = ("by_namespace", "hidden", "mask", "names", "revision")

    def __init__(self, revision: str, hidden: str) -> None:
        self.revision, self.hidden = revision, hidden
        self.mask = 0
        self.names: Dict[str, int] = Counter()
        self.by_namespace: Dict[str, List[Tuple[int, Scope]]] = {}

    def add(self, bit: int, scope: Scope, view: View) -> None:
        """Takes a scope in."""
        self.mask |= bit
        self.names[view.name] += 1
        for namespace in view.namespaces():
            self.by_namespace.setdefault(namespace, []).append((bit, scope))

    def importers(self, namespace: str) -> Dict[int, Scope]:
        """The scopes that may import something of a namespace."""
        return dict((*self.by_namespace.get(namespace, ()), *self.by_namespace.get("*", ())))

    def others(self, importers: Iterable[Scope]) -> Set[str]:
        """The Sidecars of all scopes but these."""
        counts = Counter(scope.view.name for scope in importers if scope.view is not None)
        return {name for name, count in self.names.items() if counts[name] < count}


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
        self.members: List[List[str]] = []
        """The workloads' ids in each scope, by the number of its bit."""
        self._sidecars: List[Tuple[int, Optional[View]]] = []
        self._locking: List[Tuple[int, View]] = []
        """Those with a Sidecar that has listeners for single ports."""
        self.sidecars: Dict[Tuple[str, ...], int] = {}
        """Those with a sidecar, by whom their control plane exports a Service to that does not say it."""
        self.ambient = 0
        """Those in ambient mode."""
        self._bits: Dict[object, int] = {}
        self.groups: Dict[GroupKey, Group] = {}
        self.view_groups: Dict[Tuple[str, str], ViewGroup] = {}
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
            return
        place = self._bits[key] = len(self.members)
        self.members.append([workload.id])
        bit = 1 << place
        if scope.kind in ("none", "ambient", "unknown"):
            self.ambient |= bit if scope.kind == "ambient" else 0
            self.unproxied.append((bit, scope))
            return
        self.proxied.append((bit, scope))
        if scope.kind == "sidecar":
            self._sidecars.append((bit, scope.view))
            if scope.view is not None and any(listener.port for listener in scope.view.listeners):
                self._locking.append((bit, scope.view))
            exported = self._planes(scope.revision).mesh.service_export
            self.sidecars[exported] = self.sidecars.get(exported, 0) | bit
        for host in {patch.touch.host for patch in scope.patches}:
            self._patched.setdefault(host, []).append((bit, scope))
        if scope.outbound is not None or scope.doubt or scope.metadata_certs:
            self.special[bit] = scope
        elif scope.view is not None:
            state = self.hidden(scope)
            views = self.view_groups.setdefault((scope.revision, state), ViewGroup(scope.revision, state))
            views.add(bit, scope, scope.view)
        else:
            group = self.groups.setdefault((scope.kind, scope.revision), Group(scope))
            group.mask |= bit
            group.by_namespace.setdefault(scope.namespace, []).append((bit, scope))

    def hidden(self, scope: Scope) -> str:
        """What becomes of traffic to what the proxy does not know; a Sidecar's policy replaces the mesh's."""
        allow_any = self._planes(scope.revision).mesh.allow_any
        if scope.view is not None and scope.view.outbound is not None:
            allow_any = scope.view.outbound == "ALLOW_ANY"
        return "passthrough" if allow_any and scope.kind == "sidecar" else "blocked"

    def _scope(self, workload: Workload) -> Tuple[Scope, object]:
        kind = "unknown" if workload.doubt else workload.mesh
        if kind == "gateway" and workload.shape.waypoint:
            kind = WAYPOINT
        if kind in ("none", "ambient", "unknown"):
            doubt = f"what the client does in the mesh is unknown: {workload.doubt}" if workload.doubt else ""
            scope = Scope(kind, workload.shape.revision or "", "", {}, None, None, False, doubt)
            return scope, (kind, scope.revision, doubt)
        plane = self._planes(workload.shape.revision)
        namespace, labels = workload.namespace, workload.labels
        view = self._view(plane, workload) if kind == "sidecar" else None
        outbound = outbound_of(workload) if kind == "sidecar" else None
        patches = self._patches(plane, workload, view)
        doubt = self._client_doubt(plane, workload) or _of_all(patches)
        selected = tuple(
            all(labels.get(key) == value for key, value in selector.items())
            for selector in plane.rules.selective.get(namespace, ())
        )
        certs = workload.shape.metadata_certs
        patches = () if doubt else patches
        scope = Scope(kind, plane.mesh.name, namespace, labels, view, outbound, certs, doubt, patches)
        return scope, (
            kind,
            plane.mesh.name,
            namespace,
            view.name if view else None,
            outbound,
            certs,
            doubt,
            selected,
            patches,
        )

    def _view(self, plane: PushContext, workload: Workload) -> Optional[View]:
        sidecar = plane.sidecars.of(workload.namespace, workload.labels)
        if sidecar is None:
            return None
        key = (f"{sidecar.namespace}/{sidecar.name}", workload.namespace)
        if key not in self._views:
            self._views[key] = view_of(sidecar, workload.namespace)
        return self._views[key]

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

    def _patches(self, plane: PushContext, workload: Workload, view: Optional[View]) -> Tuple[Patch, ...]:
        """What EnvoyFilters can change of what a client sends."""
        found = outbound_patches(workload, plane)
        if view is not None and view.proxies:
            # What comes to an HTTP proxy's listener has any port.
            found = tuple(patch if patch.touch.host else _at_any_port(patch) for patch in found)
        return found

    def patched_for(self, destination: Destination) -> Dict[int, Scope]:
        """The scopes of which EnvoyFilters can change what they send to a destination, but for the special ones."""
        if not self._patched:
            return {}
        return {
            bit: scope
            for host in ("", destination.host)
            for bit, scope in self._patched.get(host, ())
            if bit not in self.special and patches_for(scope.patches, destination)
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
        if self._recipients is None:
            found = ((bit, scope) for bit, scope in self.proxied if scope.kind == "sidecar")
            self._recipients = Recipients(
                ((bit, scope.revision, scope.namespace, scope.view) for bit, scope in found), self._planes
            )
        return self._recipients.of(item)

    def withheld(self, kind: str) -> int:
        """The clients to which objects of a kind may be exported that the caller could not read.

        A Sidecar that names its namespaces keeps out what is in all others. ztunnel knows all ServiceEntries.
        """
        found = self.ambient if kind == "ServiceEntry" and self._unread.withheld(kind, None) else 0
        for bit, view in self._sidecars:
            namespaces = view.namespaces() if view is not None else {"*"}
            if self._unread.withheld(kind, None if "*" in namespaces else namespaces):
                found |= bit
        return found

    def unnamed(self, alias: Destination, home: str) -> int:
        """The sidecars that may not know an alias of a host of the namespace `home`.

        Their control plane does not see it, or a Sidecar may import the host alone (model/sidecar.go
        matchingAliasService).
        """
        found = 0
        for bit, scope in self.proxied:
            seen = self._planes(scope.revision).sees(alias.namespace, alias.revision)
            whole = scope.view is None or scope.view.has_all_of(home)
            if scope.kind == "sidecar" and not (seen and whole):
                found |= bit
        return found

    def locking(self, destination: Destination, port: int) -> int:
        """The clients with a Sidecar's listener for a port that takes in a destination."""
        found = 0
        for bit, view in self._locking:
            if view.locks(destination, port):
                found |= bit
        return found

    def listening(self, destination: Destination) -> int:
        """The clients whose proxies make listeners of their own for a destination that they know."""
        found = 0
        for bit, view in self._sidecars:
            if view is None or view.listens(destination):
                found |= bit
        return found


def _of_all(patches: Tuple[Patch, ...]) -> str:
    """The doubt about a client of which an EnvoyFilter can change whatever it sends."""
    for patch in patches:
        if not patch.touch.host and not patch.touch.port and patch.touch.subset is None:
            return f"EnvoyFilter {patch.envoy_filter} changes what the client sends, which manifests do not tell"
    return ""


def _at_any_port(patch: Patch) -> Patch:
    return patch._replace(touch=patch.touch._replace(port=0))


def patches_for(patches: Tuple[Patch, ...], destination: Destination) -> Tuple[Patch, ...]:
    """Those that can change something about a destination."""
    ports = {0, *(port.number for port in destination.ports)}
    return tuple(patch for patch in patches if patch.touch.host in ("", destination.host) and patch.touch.port in ports)
