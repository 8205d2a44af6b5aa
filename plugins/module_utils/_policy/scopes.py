# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads that no rule can tell apart as clients, and what they do about each destination.

Such workloads form a scope. A set of scopes is an integer with one bit for each, so that a destination is judged once
for each distinct answer: most namespaces have no rule of their own for a host and are never looked at one by one.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .client import ISTIO, RULE
from .destination_rules import MergedRule, Setting, choose
from .membership import Workload
from .outbound import outbound_of
from .push_context import Patch, PushContext, outbound_patches
from .records import Labels, Outbound, VirtualService
from .services import Destination, DestinationPort, Endpoint, exports_to
from .unread import Unread
from .visibility import NO_SIDECAR, HostOwners, Owners, View, view_of

SIDECAR = "{sidecar}"
"""Stands for the names of the Sidecars until all clients with the same answer are known."""
ANY_OTHER = "any other"
"""Stands for a namespace that no object names; no namespace can have this name."""


_GroupKey = Tuple[str, str]
WAYPOINT = "waypoint"
ROUTERS = ("gateway", WAYPOINT)
"""Kinds of clients that pass on what others ask for: Sidecars and capturing are not for them."""
NOT_CONTESTED = Owners({})
"""Who owns the ports of a host that only one destination has."""


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


class Outcome(NamedTuple):
    """What one kind of client does about one destination."""

    kind: str
    revision: str
    state: str  # visible | passthrough | blocked | unknown
    rule: Optional[Setting]
    ports: Optional[FrozenSet[int]]
    """Visible ports, None for all. On the others `hidden` says what happens."""
    hidden: str
    outbound: Optional[Outbound]
    metadata_certs: bool
    why: str
    elsewhere: FrozenSet[int] = frozenset()
    """Ports at which another destination with the same host is met."""
    rivals: Tuple[Optional[Setting], ...] = ()
    """What the rule may say instead: nobody knows which of several is older."""
    contest: str = ""
    """Why."""
    unclear: FrozenSet[int] = frozenset()
    """Ports at which nobody knows whether this destination is met or another with the same host."""
    claim: str = ""
    """Why."""
    patches: Tuple[Patch, ...] = ()
    """What EnvoyFilters can change of what is sent to this destination."""


class _Rules(NamedTuple):
    """The DestinationRules that a client may use for a destination: one, but where their order cannot be told."""

    found: List[Optional[MergedRule]]
    contest: str
    doubt: str
    """Why nothing can be said."""

    def settings(self) -> Tuple[Optional[Setting], ...]:
        """What they say, each once."""
        return tuple(dict.fromkeys(rule.setting if rule else None for rule in self.found))


_Claim = Tuple[Scope, Owners]


class _Claims:
    """Which destinations of one host are met by whom: scopes by their bit, each with the owners of its ports."""

    __slots__ = ("alone", "at_home", "claimants", "grouped", "meets", "others", "patched")

    def __init__(self) -> None:
        self.meets: Dict[int, Dict[int, _Claim]] = {}
        """By the identity of a destination, who meets it at a port, or may meet it."""
        self.alone: Dict[FrozenSet[int], Dict[int, _Claim]] = {}
        """Scopes of no group, by the ports at which they surely meet one; those with patches are among them."""
        self.patched = 0
        self.at_home: Dict[_GroupKey, Dict[str, Dict[int, _Claim]]] = {}
        """Of each group those that the destinations of their own namespace set apart, by namespace."""
        self.grouped: Dict[_GroupKey, Dict[FrozenSet[int], int]] = {}
        """The same by the ports at which they surely meet one."""
        self.claimants: Dict[_GroupKey, int] = {}
        """All of these."""
        self.others: Dict[_GroupKey, Owners] = {}
        """Whom the rest of a group meets."""

    def add(self, bit: int, scope: Scope, owners: Owners, rivals: Iterable[Destination]) -> FrozenSet[int]:
        """Takes a scope in; returns the ports at which it surely meets one."""
        met = list(owners.ports.values())
        if owners.unclear:
            met.extend(item for item in rivals if any(port.number in owners.unclear for port in item.ports))
        for item in met:
            self.meets.setdefault(id(item), {})[bit] = (scope, owners)
        return frozenset(owners.ports) - owners.unclear


class Clients:
    """The scopes that share an outcome, and the objects that brought them there."""

    __slots__ = ("mask", "rules", "sidecars")

    def __init__(self) -> None:
        self.mask = 0
        self.rules: Set[str] = set()
        self.sidecars: Set[str] = set()

    def named(self, reason: str) -> str:
        """A reason with the names of its objects."""
        if RULE in reason:
            reason = reason.replace(RULE, _objects("DestinationRule", self.rules))
        return reason.replace(SIDECAR, _objects("Sidecar", self.sidecars)) if SIDECAR in reason else reason


def _objects(kind: str, names: Set[str]) -> str:
    """`Sidecar a/b`, or the first of many, in words that a verb in the singular can follow."""
    shown = nsmallest(3, names)
    if len(names) == 1:
        parts = shown[0].split(" + ")
        return f"{kind} {shown[0]}" if len(parts) == 1 else f"the {kind} merged of {' and '.join(parts)}"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"each of the {kind}s {', '.join(shown)}{more}"


class _Group:
    """The scopes of one revision and kind that have nothing special about them, by namespace."""

    __slots__ = ("by_namespace", "kind", "mask", "revision", "sample")

    def __init__(self, scope: Scope) -> None:
        self.kind, self.revision, self.sample = scope.kind, scope.revision, scope
        self.mask = 0
        self.by_namespace: Dict[str, List[Tuple[int, Scope]]] = {}


class _ViewGroup:
    """Scopes with a Sidecar, by the namespaces whose hosts it may import: to all others it hides a destination."""

    __slots__ = ("by_namespace", "hidden", "mask", "names", "revision")

    def __init__(self, revision: str, hidden: str) -> None:
        self.revision, self.hidden = revision, hidden
        self.mask = 0
        self.names: Dict[str, int] = {}
        self.by_namespace: Dict[str, List[Tuple[int, Scope]]] = {}

    def add(self, bit: int, scope: Scope, view: View) -> None:
        """Takes a scope in."""
        self.mask |= bit
        self.names[view.name] = self.names.get(view.name, 0) + 1
        for namespace in view.namespaces():
            self.by_namespace.setdefault(namespace, []).append((bit, scope))

    def importers(self, namespace: str) -> Dict[int, Scope]:
        """The scopes that may import something of a namespace."""
        return dict((*self.by_namespace.get(namespace, ()), *self.by_namespace.get("*", ())))

    def others(self, importers: Iterable[Scope]) -> Set[str]:
        """The Sidecars of all scopes but these."""
        counts: Dict[str, int] = {}
        for scope in importers:
            if scope.view is not None:
                counts[scope.view.name] = counts.get(scope.view.name, 0) + 1
        return {name for name, count in self.names.items() if counts.get(name, 0) < count}


class Scopes:
    """All clients of a mesh, in scopes."""

    def __init__(
        self,
        workloads: Iterable[Workload],
        planes: Callable[[Optional[str]], PushContext],
        destinations: List[Destination],
        unread: Unread,
    ) -> None:
        self._planes = planes
        self._unread = unread
        self._owners = HostOwners(destinations)
        self._views: Dict[Tuple[str, str], View] = {}
        self.members: List[List[str]] = []
        """The workloads' ids in each scope, by the number of its bit."""
        self._sidecars: List[Tuple[int, Optional[View]]] = []
        self.sidecars: Dict[Tuple[str, ...], int] = {}
        """Those with a sidecar, by whom their control plane exports a Service to that does not say it."""
        self.ambient = 0
        """Those in ambient mode."""
        self._bits: Dict[object, int] = {}
        self._groups: Dict[_GroupKey, _Group] = {}
        self._claims: Dict[str, _Claims] = {}
        self._view_groups: Dict[Tuple[str, str], _ViewGroup] = {}
        self._special: List[Tuple[int, Scope]] = []
        self._proxied: List[Tuple[int, Scope]] = []
        self._constant: List[Tuple[Outcome, int]] = []
        self._patched: Dict[str, List[Tuple[int, Scope]]] = {}
        """Those with patches, by the hosts that these are for; "" for patches that are for any."""
        for workload in workloads:
            self._enlist(workload)

    # --- who they are ------------------------------------------------------------------------------------------------

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
            state = "unknown" if scope.kind == "unknown" else "visible"
            outcome = Outcome(scope.kind, scope.revision, state, None, None, "", None, False, scope.doubt)
            self.ambient |= bit if scope.kind == "ambient" else 0
            self._constant.append((outcome, bit))
            return
        self._proxied.append((bit, scope))
        if scope.kind == "sidecar":
            self._sidecars.append((bit, scope.view))
            exported = self._planes(scope.revision).mesh.service_export
            self.sidecars[exported] = self.sidecars.get(exported, 0) | bit
        for host in {patch.touch.host for patch in scope.patches}:
            self._patched.setdefault(host, []).append((bit, scope))
        if scope.outbound is not None or scope.doubt or scope.metadata_certs:
            self._special.append((bit, scope))
        elif scope.view is not None:
            state = self._hidden(scope)
            views = self._view_groups.setdefault((scope.revision, state), _ViewGroup(scope.revision, state))
            views.add(bit, scope, scope.view)
        else:
            group = self._groups.setdefault((scope.kind, scope.revision), _Group(scope))
            group.mask |= bit
            group.by_namespace.setdefault(scope.namespace, []).append((bit, scope))

    def _hidden(self, scope: Scope) -> str:
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
        if workload.mesh == "sidecar" and covers("Sidecar", namespace):
            return f"Sidecar objects of the client's namespace {namespace} were not read"
        if (
            workload.mesh == "sidecar"
            and covers("Sidecar", root)
            and not plane.sidecars.own(namespace, workload.labels)
        ):
            return f"Sidecar objects of the root namespace {root} were not read"
        if workload.mesh == "sidecar" and (covers("VirtualService", namespace) or covers("VirtualService", root)):
            return "VirtualServices that could lead the client's requests elsewhere were not read"
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

    # --- what they do ------------------------------------------------------------------------------------------------

    def outcomes(self, destination: Destination) -> Dict[Outcome, Clients]:
        """Groups all clients by what they do about a destination."""
        found: Dict[Outcome, Clients] = {}
        for outcome, mask in self._constant:
            _join(found, outcome, mask)
        if destination.host in self._owners.contested:
            self._shared(destination, found)
            return found
        for bit, scope in self._special:
            self._outcome(destination, scope, bit, found)
        patched = self._patched_for(destination)
        for bit, scope in patched.items():
            self._outcome(destination, scope, bit, found)
        for views in self._view_groups.values():
            importers = views.importers(destination.namespace)
            rest = views.mask
            for bit, scope in importers.items():
                rest &= ~bit
                if bit not in patched:
                    self._outcome(destination, scope, bit, found)
            for bit in patched:
                rest &= ~bit
            if rest:
                why = f"{SIDECAR} hides {destination.host}"
                hidden = Outcome("sidecar", views.revision, views.hidden, None, None, "", None, False, why)
                _join(found, hidden, rest).sidecars.update(views.others(importers.values()))
        for group in self._groups.values():
            rest = group.mask
            for bit in patched:
                rest &= ~bit
            for namespace in self._special_namespaces(destination, group):
                for bit, scope in group.by_namespace.get(namespace, ()):
                    rest &= ~bit
                    if bit not in patched:
                        self._outcome(destination, scope, bit, found)
            if rest:
                self._outcome(destination, _anywhere(group), rest, found)
        return found

    def _patched_for(self, destination: Destination) -> Dict[int, Scope]:
        """The scopes of which EnvoyFilters can change what they send to a destination, but for the special ones."""
        if not self._patched:
            return {}
        special = {bit for bit, dummy in self._special}
        return {
            bit: scope
            for host in ("", destination.host)
            for bit, scope in self._patched.get(host, ())
            if bit not in special and _for(scope.patches, destination)
        }

    def _shared(self, destination: Destination, found: Dict[Outcome, Clients]) -> None:
        """The outcomes for a destination that shares its host with others.

        Who meets another one at all of its ports has no outcome. So each namespace is looked at only for the
        destinations that its own clients meet, not for those of all others.
        """
        claims = self._claims_of(destination.host)
        ports = frozenset(port.number for port in destination.ports)
        met = claims.meets.get(id(destination), {})
        for bit, (scope, owners) in met.items():
            self._outcome(destination, scope, bit, found, owners)
        for owned, scopes in claims.alone.items():
            if not ports <= owned:
                for bit, (scope, owners) in scopes.items():
                    if bit not in met:
                        self._outcome(destination, scope, bit, found, owners)
        for key, group in self._groups.items():
            named = {
                bit: entry
                for namespace in {destination.namespace, *destination.export_to}
                for bit, entry in claims.at_home[key].get(namespace, {}).items()
                if bit not in met
            }
            for bit, (scope, owners) in named.items():
                self._outcome(destination, scope, bit, found, owners)
            done = sum(named) | sum(met)
            hidden: Dict[FrozenSet[int], int] = {}
            for owned, mask in claims.grouped[key].items():
                elsewhere = ports & owned
                hidden[elsewhere] = hidden.get(elsewhere, 0) | mask & ~done
            rest, others = group.mask & ~claims.claimants[key] & ~claims.patched, claims.others[key]
            if (rest and any(owner is destination for owner in others.ports.values())) or others.unclear & ports:
                for namespace in self._special_namespaces(destination, group):
                    for bit, scope in group.by_namespace.get(namespace, ()):
                        if bit & rest:
                            rest &= ~bit
                            self._outcome(destination, scope, bit, found, others)
                if rest:
                    self._outcome(destination, _anywhere(group), rest, found, others)
            else:
                elsewhere = ports & frozenset(others.ports)
                hidden[elsewhere] = hidden.get(elsewhere, 0) | rest
            for elsewhere, mask in hidden.items():
                if mask and elsewhere != ports:
                    self._hidden_from(destination, _anywhere(group), mask, elsewhere, found)

    def _hidden_from(
        self,
        destination: Destination,
        scope: Scope,
        mask: int,
        elsewhere: FrozenSet[int],
        found: Dict[Outcome, Clients],
    ) -> None:
        """Adds clients that meet no port of a destination, but another's at the ports `elsewhere`."""
        plane = self._planes(scope.revision)
        why = self._hiding(destination, scope, plane, None) or _another(destination)
        state = self._hidden(scope)
        _join(found, Outcome(scope.kind, scope.revision, state, None, None, "", None, False, why, elsewhere), mask)

    def _claims_of(self, host: str) -> _Claims:
        """Who meets whom at a host that several destinations have."""
        claims = self._claims.get(host)
        if claims is not None:
            return claims
        claims = self._claims[host] = _Claims()
        patched = {bit for place in ("", host) for bit, dummy in self._patched.get(place, ())}
        in_groups = 0
        for key, group in self._groups.items():
            in_groups |= group.mask
            plane = self._planes(group.revision)
            claims.others[key] = self._owners_for(host, _anywhere(group), plane)
            claims.at_home[key], claims.grouped[key], claims.claimants[key] = {}, {}, 0
            for namespace in self._owners.namespaces(host, plane.mesh.service_export):
                home = claims.at_home[key][namespace] = {}
                for bit, scope in group.by_namespace.get(namespace, ()):
                    if bit in patched:
                        continue
                    owners = self._owners_for(host, scope, plane)
                    home[bit] = (scope, owners)
                    claims.claimants[key] |= bit
                    owned = claims.add(bit, scope, owners, self._owners.contested[host])
                    claims.grouped[key][owned] = claims.grouped[key].get(owned, 0) | bit
        for bit, scope in self._proxied:
            if bit in patched:
                claims.patched |= bit
            if bit in patched or not bit & in_groups:
                owners = self._owners_for(host, scope, self._planes(scope.revision))
                owned = claims.add(bit, scope, owners, self._owners.contested[host])
                claims.alone.setdefault(owned, {})[bit] = (scope, owners)
        return claims

    def routed_by(self, item: VirtualService) -> Tuple[int, int]:
        """The sidecars that may get a VirtualService, and those that surely do: a Sidecar may not import it."""
        found = surely = 0
        for bit, scope in self._proxied:
            plane = self._planes(scope.revision)
            export_to = item.export_to or plane.mesh.route_export
            if (
                scope.kind == "sidecar"
                and plane.sees(item.namespace, item.revision)
                and exports_to(export_to, scope.namespace, item.namespace)
            ):
                found |= bit
                if scope.view is None or scope.view.has_all_of(item.namespace):
                    surely |= bit
        return found, surely

    def listening(self, destination: Destination) -> int:
        """The clients whose proxies make listeners of their own for a destination that they know."""
        found = 0
        for bit, view in self._sidecars:
            if view is None or view.listens(destination):
                found |= bit
        return found

    def _special_namespaces(self, destination: Destination, group: _Group) -> Set[str]:
        """The namespaces whose clients may see a destination differently from the rest."""
        plane = self._planes(group.revision)
        found = plane.rules.local_namespaces(destination.host)
        found |= plane.rules.named_namespaces(destination.host, destination.namespace)
        found.update(destination.export_to, plane.mesh.service_export)
        found.update((destination.namespace, plane.mesh.root_namespace))
        return found

    def _outcome(
        self,
        destination: Destination,
        scope: Scope,
        mask: int,
        found: Dict[Outcome, Clients],
        owners: Owners = NOT_CONTESTED,
    ) -> None:
        """Adds the clients of one scope to those with the same outcome. `owners` are those of the host."""
        kind, revision = scope.kind, scope.revision

        def join(
            state: str,
            why: str,
            rules: Tuple[Optional[Setting], ...] = (None,),
            ports: Optional[FrozenSet[int]] = None,
            rest: str = "",
            contest: str = "",
        ) -> Clients:
            outcome = Outcome(
                kind, revision, state, rules[0], ports, rest, scope.outbound, scope.metadata_certs, why, elsewhere
            )
            if len(rules) > 1:
                outcome = outcome._replace(rivals=rules[1:], contest=contest)
            if unclear:
                outcome = outcome._replace(unclear=unclear, claim=owners.contest)
            if scope.patches:
                outcome = outcome._replace(patches=_for(scope.patches, destination))
            return _join(found, outcome, mask)

        plane, view = self._planes(revision), scope.view
        hidden = self._hidden(scope)
        elsewhere = frozenset(port for port, owner in owners.ports.items() if owner is not destination)
        unclear: FrozenSet[int] = frozenset()
        if scope.doubt:
            join("unknown", scope.doubt)
            return
        ports = view.ports(destination) if view is not None else None
        why = self._hiding(destination, scope, plane, ports)
        if not why and owners is not NOT_CONTESTED:
            own = ports or frozenset(port.number for port in destination.ports)
            unclear = owners.unclear & own
            elsewhere -= unclear
            ports = own & (frozenset(owners.ports) | unclear) - elsewhere
            if not ports:
                why = _another(destination)
            elif len(ports) == len(destination.ports):
                ports = None
        if why:
            clients = join(hidden, why)
        else:
            rules = self._rules(destination, scope, plane)
            if rules.doubt:
                join("unknown", rules.doubt)
                return
            settings = rules.settings()
            if ports:
                why = f"{SIDECAR} hides this port of {destination.host}" if view else "no proxy knows this port"
            clients = join("visible", why, settings, ports, hidden if ports else "", rules.contest)
            if rules.found[0] is not None:
                clients.rules.add(str(rules.found[0]))
        if view is not None and SIDECAR in why:
            clients.sidecars.add(view.name)

    def _hiding(
        self, destination: Destination, scope: Scope, plane: PushContext, ports: Optional[FrozenSet[int]]
    ) -> str:
        """Why a destination is hidden from a scope's proxies, whoever else has its host; "" when it is not."""
        if not plane.sees_namespace(destination.namespace):
            return f"discovery selectors hide namespace {destination.namespace} from the client's proxy"
        if not plane.sees_revision(destination.revision):
            return f"{destination.name} is for revision {destination.revision}, the client's is {plane.mesh.name}"
        if not self._visible(destination, scope, plane):
            return f"{destination.name} is not exported to the client's namespace"
        if ports is not None and not ports and destination.ports:
            return f"{SIDECAR} hides {destination.host}"
        return ""

    def _visible(self, destination: Destination, scope: Scope, plane: PushContext) -> bool:
        return destination.exported_to(scope.namespace, plane.mesh.service_export)

    def _owners_for(self, host: str, scope: Scope, plane: PushContext) -> Owners:
        """For a host of several destinations whom a scope's proxies have at each port."""
        view = None if scope.kind in ROUTERS else scope.view or NO_SIDECAR

        def seen(rivals: Iterable[Destination]) -> List[Destination]:
            return [
                item
                for item in rivals
                if plane.sees(item.namespace, item.revision) and self._visible(item, scope, plane)
            ]

        own = seen(self._owners.in_namespace(host, scope.namespace))
        visible = own if view is not None and view.prefers(own) else seen(self._owners.contested[host])
        return self._owners.owned(
            visible,
            view,
            scope.namespace,
            public=lambda item: "*" in (item.export_to or plane.mesh.service_export),
            meaning=lambda item, number: None if item is None else self._meaning(item, number, scope, plane),
        )

    def _meaning(self, item: Destination, number: int, scope: Scope, plane: PushContext) -> object:
        """All that decides what a scope's proxies do at a port of a destination, but for what it is called."""
        port = next(port for port in item.ports if port.number == number)
        rules = self._rules(item, scope, plane)
        mode = "" if item.external else plane.peer_authentications.namespace_mode(item.namespace)
        identified = any(endpoint.identified for port in item.ports for endpoint in port.endpoints)
        fields = (item.external, item.headless, item.resolution, item.hidden_endpoints, identified)
        addresses = item.addresses if scope.outbound is not None else ()
        return fields, addresses, _impersonal(port, item), rules.settings(), rules.doubt, mode

    def _rules(self, destination: Destination, scope: Scope, plane: PushContext) -> _Rules:
        """The DestinationRule: client's namespace, service's, root; the first with any match ends the search."""
        client, host, root = scope.namespace, destination.host, plane.mesh.root_namespace
        own = plane.rules.own(client, host)
        if own is not None:
            return _Rules(
                [choose(variant, client, scope.labels) for variant in own.variants],
                own.contest,
                "" if own.variants else own.contest,
            )
        found: List[Optional[MergedRule]] = []
        contest = ""
        for namespace in (destination.namespace, root):
            if self._unread.covers("DestinationRule", namespace):
                return _Rules([], "", f"DestinationRules of namespace {namespace} were not read")
            rules = plane.rules.exported(namespace, host, client)
            contest = contest or rules.contest
            if not rules.variants:
                return _Rules([], "", rules.contest)
            found.extend(choose(variant, client, scope.labels) for variant in rules.variants if variant)
            if all(rules.variants):
                return _Rules(found, contest, "")
        return _Rules([*found, None], contest, "")


def _anywhere(group: _Group) -> Scope:
    """What stands for the clients of all namespaces about which no object says something."""
    return group.sample._replace(namespace=ANY_OTHER, labels={}, patches=())


def _another(destination: Destination) -> str:
    return f"{destination.host} means another destination to the client's proxy"


def _impersonal(port: DestinationPort, item: Destination) -> DestinationPort:
    """A port of which it no longer shows whose it is, where that decides nothing: outside of the mesh."""

    def blank(endpoints: Tuple[Endpoint, ...]) -> Tuple[Endpoint, ...]:
        if not item.external:
            return endpoints
        return tuple(
            one._replace(namespace="", labels={}) if one.workload is None and one.tls_mode != ISTIO else one
            for one in endpoints
        )

    return port._replace(endpoints=blank(port.endpoints), inferred=blank(port.inferred))


def _of_all(patches: Tuple[Patch, ...]) -> str:
    """The doubt about a client of which an EnvoyFilter can change whatever it sends."""
    for patch in patches:
        if not patch.touch.host and not patch.touch.port and patch.touch.subset is None:
            return f"EnvoyFilter {patch.envoy_filter} changes what the client sends, which manifests do not tell"
    return ""


def _at_any_port(patch: Patch) -> Patch:
    return patch._replace(touch=patch.touch._replace(port=0))


def _for(patches: Tuple[Patch, ...], destination: Destination) -> Tuple[Patch, ...]:
    """Those that can change something about a destination."""
    ports = {0, *(port.number for port in destination.ports)}
    return tuple(patch for patch in patches if patch.touch.host in ("", destination.host) and patch.touch.port in ports)


def _join(found: Dict[Outcome, Clients], outcome: Outcome, mask: int) -> Clients:
    clients = found.get(outcome)
    if clients is None:
        clients = found[outcome] = Clients()
    clients.mask |= mask
    return clients
