# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of client does about a destination: whether it knows it, and by which DestinationRule."""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import Callable, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

from .client import ISTIO, RULE
from .destination_rules import Choice, Setting, choice
from .outbound import NOTHING_CAPTURED
from .patches import Patch
from .port_listeners import Astray, astray, unaddressed
from .push_context import PushContext
from .records import Outbound
from .scopes import AllBut, Scope, Scopes, patches_for
from .services import Destination, DestinationPort, Endpoint
from .shared_hosts import SharedHosts
from .unread import Unread
from .visibility import Owners

SIDECAR = "{sidecar}"
"""Stands for the names of the Sidecars until all clients with the same answer are known."""


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
    astray: Astray = Astray()
    """Ports that the proxy knows and does not surely lead to this destination."""


class Clients:
    """The scopes that share an outcome, and the objects that brought them there."""

    __slots__ = ("_words", "all_but", "mask", "rules", "sidecars")

    def __init__(self) -> None:
        self.mask = 0
        self.rules: Set[str] = set()
        self.sidecars: Set[str] = set()
        self.all_but: List[AllBut] = []
        """More Sidecars: all of some groups but a few."""
        self._words: Dict[str, str] = {}

    def named(self, reason: str) -> str:
        """A reason with the names of its objects. All scopes are known by now."""
        if RULE in reason:
            reason = reason.replace(RULE, self._of("DestinationRule", self._rule_names))
        return reason.replace(SIDECAR, self._of("Sidecar", self._sidecar_names)) if SIDECAR in reason else reason

    def _of(self, kind: str, names: Callable[[], Tuple[List[str], int]]) -> str:
        if kind not in self._words:
            self._words[kind] = _objects(kind, *names())
        return self._words[kind]

    def _rule_names(self) -> Tuple[List[str], int]:
        return nsmallest(_SHOWN, self.rules), len(self.rules)

    def _sidecar_names(self) -> Tuple[List[str], int]:
        """The first, and how many there are."""
        if len(self.all_but) != 1:
            names = self.sidecars.union(*(set(item.names) - item.without for item in self.all_but))
            return nsmallest(_SHOWN, names), len(names)
        # What is left out is few, as what is added is: the rest is not looked at.
        [rest] = self.all_but
        without = rest.without - self.sidecars
        first = islice((name for name in rest.names if name not in without), _SHOWN)
        more = [name for name in self.sidecars if name not in rest.names]
        return nsmallest(_SHOWN, {*first, *more}), len(rest.names) - len(without) + len(more)


_SHOWN = 3


def _objects(kind: str, shown: List[str], number: int) -> str:
    """`Sidecar a/b`, or the first of many, in words that a verb in the singular can follow."""
    if number == 1:
        parts = shown[0].split(" + ")
        return f"{kind} {shown[0]}" if len(parts) == 1 else f"the {kind} merged of {' and '.join(parts)}"
    more = f" and {number - _SHOWN} more" if number > _SHOWN else ""
    return f"each of the {kind}s {', '.join(shown)}{more}"


NOT_CONTESTED = Owners({})
"""Who owns the ports of a host that only one destination has."""


class Outcomes:
    """What all clients do."""

    def __init__(
        self,
        scopes: Scopes,
        planes: Callable[[Optional[str]], PushContext],
        destinations: List[Destination],
        unread: Unread,
    ) -> None:
        self._scopes = scopes
        self._planes = planes
        self._unread = unread
        self._shared = SharedHosts(destinations, scopes, planes, self._meaning)
        self._unaddressed = unaddressed(destinations)
        self._constant = [(_of_unproxied(scope), bit) for bit, scope in scopes.unproxied]

    def of(self, destination: Destination) -> Dict[Outcome, Clients]:
        """Groups all clients by what they do about a destination."""
        found: Dict[Outcome, Clients] = {}
        for outcome, mask in self._constant:
            _join(found, outcome, mask)
        if destination.host in self._shared:
            for meeting in self._shared.meetings(destination):
                if meeting.owners is None:
                    self._hidden_from(destination, meeting.scope, meeting.clients, meeting.elsewhere, found)
                else:
                    self._outcome(destination, meeting.scope, meeting.clients, found, meeting.owners)
            return found
        for bit, scope in self._scopes.special.items():
            self._outcome(destination, scope, bit, found)
        patched = self._scopes.patched_for(destination)
        for bit, scope in patched.items():
            self._outcome(destination, scope, bit, found)
        for views in self._scopes.view_groups.values():
            importers = views.importers.of(destination)
            rest = views.mask
            for bit, scope in importers.items():
                rest &= ~bit
                if bit not in patched:
                    self._outcome(destination, scope, bit, found)
            for bit in patched:
                rest &= ~bit
            if rest:
                why = f"{SIDECAR} hides {destination.host}"
                one = views.sample
                state = self._scopes.hidden(one)
                hidden = Outcome(one.kind, one.revision, state, None, None, "", one.outbound, one.metadata_certs, why)
                _join(found, hidden, rest).all_but.append(views.others(importers.values()))
        for group in self._scopes.groups.values():
            rest = group.mask
            for bit in patched:
                rest &= ~bit
            for namespace in self._scopes.special_namespaces(destination, group):
                for bit, scope in group.by_namespace.get(namespace, ()):
                    rest &= ~bit
                    if bit not in patched:
                        self._outcome(destination, scope, bit, found)
            if rest:
                self._outcome(destination, group.elsewhere(), rest, found)
        return found

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
        state = self._scopes.hidden(scope)
        _join(found, Outcome(scope.kind, scope.revision, state, None, None, "", None, False, why, elsewhere), mask)

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
                outcome = outcome._replace(unclear=unclear, claim=claim)
            if gone != Astray():
                outcome = outcome._replace(astray=gone, hidden=hidden)
            if scope.patches:
                outcome = outcome._replace(patches=patches_for(scope, destination))
            return _join(found, outcome, mask)

        plane, view = self._planes(revision), scope.view
        hidden = self._scopes.hidden(scope)
        elsewhere = frozenset(port for port, owner in owners.ports.items() if owner is not destination)
        unclear: FrozenSet[int] = frozenset()
        claim = ""
        gone = Astray()
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
            claim = owners.contest if unclear else ""
        if not why and view is not None and scope.outbound is not NOTHING_CAPTURED:
            aside = view.only_aside(destination)
            if aside:
                unclear, claim = unclear | aside, claim or _met_aside(destination)
            gone = astray(view, destination, self._unaddressed)
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
        if view is not None and (SIDECAR in why or SIDECAR in claim or gone != Astray()):
            clients.sidecars.update(scope.sidecars)

    def _hiding(
        self, destination: Destination, scope: Scope, plane: PushContext, ports: Optional[FrozenSet[int]]
    ) -> str:
        """Why a destination is hidden from a scope's proxies, whoever else has its host; "" when it is not."""
        if not plane.sees_namespace(destination.namespace):
            return f"discovery selectors hide namespace {destination.namespace} from the client's proxy"
        if not plane.sees_revision(destination.revision):
            return f"{destination.name} is for revision {destination.revision}, the client's is {plane.mesh.name}"
        if not destination.exported_to(scope.namespace, plane.mesh.service_export):
            return f"{destination.name} is not exported to the client's namespace"
        if ports is not None and not ports and destination.ports:
            return f"{SIDECAR} hides {destination.host}"
        return ""

    def _meaning(self, item: Destination, number: int, scope: Scope) -> object:
        """All that decides what a scope's proxies do at a port of a destination, but for what it is called."""
        plane = self._planes(scope.revision)
        port = next(port for port in item.ports if port.number == number)
        rules = self._rules(item, scope, plane)
        mode = "" if item.external else plane.peer_authentications.namespace_mode(item.namespace)
        identified = any(endpoint.identified for port in item.ports for endpoint in port.endpoints)
        fields = (item.external, item.headless, item.resolution, item.hidden_endpoints, identified)
        addresses = item.addresses if scope.outbound is not None else ()
        return fields, addresses, _impersonal(port, item), rules.settings(), rules.doubt, mode

    def _rules(self, destination: Destination, scope: Scope, plane: PushContext) -> Choice:
        namespaces = (destination.namespace, plane.mesh.root_namespace)
        client = (scope.namespace, scope.labels)
        return choice(plane.rules, client, destination.host, namespaces, self._unread.covers)


def _of_unproxied(scope: Scope) -> Outcome:
    state = "unknown" if scope.kind == "unknown" else "visible"
    return Outcome(scope.kind, scope.revision, state, None, None, "", None, False, scope.doubt)


def _met_aside(destination: Destination) -> str:
    return (
        f"{SIDECAR} has {destination.host} at an address of its own alone (bind, captureMode): what is sent to the "
        "host's own passes the proxy as it is"
    )


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


def _join(found: Dict[Outcome, Clients], outcome: Outcome, mask: int) -> Clients:
    clients = found.get(outcome)
    if clients is None:
        clients = found[outcome] = Clients()
    clients.mask |= mask
    return clients
