# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of connection with its verdict.

Workloads that no rule can tell apart as clients form a scope. A set of scopes is an integer with one bit for each, so
that a destination is judged once for each distinct answer: most namespaces have no rule of their own for a host and
are never looked at one by one.
"""

from __future__ import annotations

import ipaddress
from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple, Union

from .client import RULE, Cluster, Sent, cluster_of, needs_endpoints, sent
from .destination_rules import MergedRule, RuleIndex, Setting, choose
from .gateways import GatewayIndex
from .listeners import listener_protocols
from .membership import Workload
from .mesh import Mesh
from .records import TUNNEL_LABEL, Labels, Outbound, Subset
from .server import DISABLE, PERMISSIVE, UNKNOWN, PeerIndex
from .services import Catalogue, Destination, DestinationPort, Endpoint
from .unread import Unread
from .verdicts import verdict
from .visibility import NO_SIDECAR, HostOwners, SidecarIndex, View, view_of


class Plane:
    """What the control plane of one revision knows."""

    __slots__ = (
        "checks_trust",
        "filters",
        "mesh",
        "peers",
        "rules",
        "sees_namespace",
        "sees_revision",
        "sends_hbone",
        "sidecars",
    )

    def __init__(
        self,
        mesh: Mesh,
        peers: PeerIndex,
        rules: RuleIndex,
        sidecars: SidecarIndex,
        filters: Callable[[str, Labels, bool], str],
        sees_namespace: Callable[[str], bool],
        sees_revision: Callable[[Optional[str]], bool],
        sends_hbone: bool,
        checks_trust: bool,
    ) -> None:
        self.mesh = mesh
        self.peers = peers
        self.rules = rules
        self.sidecars = sidecars
        self.filters = filters
        """The EnvoyFilter that makes the inbound (or outbound) side of labels in a namespace impossible to judge."""
        self.sees_namespace = sees_namespace
        self.sees_revision = sees_revision
        self.sends_hbone = sends_hbone
        self.checks_trust = checks_trust
        """Whether its servers check the trust domain of their clients."""

    def sees(self, namespace: str, revision: Optional[str]) -> bool:
        """Whether it knows objects of a namespace and revision."""
        return self.sees_namespace(namespace) and self.sees_revision(revision)


class Scope(NamedTuple):
    """Workloads that no rule can tell apart as clients."""

    kind: str  # sidecar | gateway | ambient | none | unknown
    revision: str
    namespace: str
    labels: Labels
    view: Optional[View]
    outbound: Optional[Outbound]
    metadata_certs: bool
    doubt: str


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


SIDECAR = "{sidecar}"


def _objects(kind: str, names: Set[str]) -> str:
    """`Sidecar a/b`, or the first of many, in words that a verb in the singular can follow."""
    found = sorted(names)
    if len(found) == 1:
        return f"{kind} {found[0]}"
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"each of the {kind}s {', '.join(found[:3])}{more}"


class Edge(NamedTuple):
    """One row of the result, with its clients as a set of scopes."""

    service: str
    host: str
    port: int
    subset: Optional[str]
    endpoint: Optional[str]
    client_tls: str
    verdict: str
    reason: str
    clients: int


Answer = Tuple[str, str, str]
RowKey = Tuple[int, Optional[str], Optional[str]]


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


class Judge:
    """Judges every destination for every kind of client."""

    def __init__(
        self,
        workloads: List[Workload],
        planes: Callable[[Optional[str]], Plane],
        gateways: GatewayIndex,
        all_destinations: List[Destination],
        catalogue: Catalogue,
        unread: Unread,
    ) -> None:
        self._planes = planes
        self._gateways = gateways
        self._destinations = all_destinations
        self._unread = unread
        self._owners = HostOwners(all_destinations)
        self._protocols = listener_protocols(
            all_destinations,
            catalogue,
            lambda workload, *where: self._planes(workload.shape.revision).sees(*where),
        )
        self._views: Dict[Tuple[str, str], View] = {}
        self.members: List[List[str]] = []
        self._bits: Dict[object, int] = {}
        self._groups: Dict[Tuple[str, str], _Group] = {}
        self._view_groups: Dict[Tuple[str, str], _ViewGroup] = {}
        self._special: List[Tuple[int, Scope]] = []
        self._proxied: List[Tuple[int, Scope]] = []
        self._constant: List[Tuple[Outcome, int]] = []
        self.remarks: Set[Tuple[str, str, str]] = set()
        """(what, DestinationRule, destination) for rules that contradict the endpoints that they cover."""
        for workload in workloads:
            self._enlist(workload)

    # --- clients -----------------------------------------------------------------------------------------------------

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
            self._constant.append((outcome, bit))
            return
        self._proxied.append((bit, scope))
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
        if kind in ("none", "ambient", "unknown"):
            doubt = f"what the client does in the mesh is unknown: {workload.doubt}" if workload.doubt else ""
            scope = Scope(kind, workload.shape.revision or "", "", {}, None, None, False, doubt)
            return scope, (kind, scope.revision, doubt)
        plane = self._planes(workload.shape.revision)
        namespace, labels = workload.namespace, workload.labels
        view = self._view(plane, workload) if kind == "sidecar" else None
        outbound = workload.shape.capture.outbound if kind == "sidecar" else None
        if kind == "sidecar" and any(rule.mode == "NONE" for rule in workload.shape.capture.inbound):
            outbound = NOTHING_CAPTURED
        doubt = self._client_doubt(plane, workload)
        selected = tuple(
            all(labels.get(key) == value for key, value in selector.items())
            for selector in plane.rules.selective.get(namespace, ())
        )
        scope = Scope(kind, plane.mesh.name, namespace, labels, view, outbound, workload.shape.metadata_certs, doubt)
        return scope, (
            kind,
            plane.mesh.name,
            namespace,
            view.name if view else None,
            outbound,
            workload.shape.metadata_certs,
            doubt,
            selected,
        )

    def _view(self, plane: Plane, workload: Workload) -> Optional[View]:
        sidecar = plane.sidecars.of(workload.namespace, workload.labels)
        if sidecar is None:
            return None
        key = (f"{sidecar.namespace}/{sidecar.name}", workload.namespace)
        if key not in self._views:
            self._views[key] = view_of(sidecar, workload.namespace)
        return self._views[key]

    def _client_doubt(self, plane: Plane, workload: Workload) -> str:
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
            and plane.sidecars.own(namespace, workload.labels) is None
        ):
            return f"Sidecar objects of the root namespace {root} were not read"
        if covers("EnvoyFilter", namespace) or covers("EnvoyFilter", root):
            return "EnvoyFilters that could change what the client sends were not read"
        found = plane.filters(namespace, workload.labels, False)
        return f"EnvoyFilter {found} changes what the client sends" if found else ""

    # --- destinations ------------------------------------------------------------------------------------------------

    def edges(self) -> List[Edge]:
        """All rows, in order."""
        rows: List[Edge] = []
        for destination in self._destinations:
            rows.extend(self._judge(destination))
        rows.sort(
            key=lambda row: (
                row.service,
                row.host,
                row.port,
                row.subset or "",
                row.endpoint or "",
                row.client_tls,
                row.verdict,
                row.reason,
            )
        )
        return rows

    def _judge(self, destination: Destination) -> List[Edge]:
        found: Dict[RowKey, Dict[Answer, int]] = {}
        for outcome, clients in self._outcomes(destination).items():
            for port in destination.ports:
                for key, (tls, result, reason) in self._rows(destination, port, outcome, clients):
                    answers = found.setdefault(key, {})
                    answer = (tls, result, clients.named(reason))
                    answers[answer] = answers.get(answer, 0) | clients.mask
        return [
            Edge(destination.name, destination.host, port, subset, endpoint, *answer, mask)
            for (port, subset, endpoint), answers in found.items()
            for answer, mask in answers.items()
        ]

    def _outcomes(self, destination: Destination) -> Dict[Outcome, Clients]:
        """Groups all clients by what they do about a destination."""
        found: Dict[Outcome, Clients] = {}
        for outcome, mask in self._constant:
            _join(found, outcome, mask)
        if destination.host in self._owners.contested:
            for bit, scope in self._proxied:
                self._outcome(destination, scope, bit, found)
            return found
        for bit, scope in self._special:
            self._outcome(destination, scope, bit, found)
        for views in self._view_groups.values():
            importers = views.importers(destination.namespace)
            rest = views.mask
            for bit, scope in importers.items():
                rest &= ~bit
                self._outcome(destination, scope, bit, found)
            if rest:
                why = f"{SIDECAR} hides {destination.host}"
                hidden = Outcome("sidecar", views.revision, views.hidden, None, None, "", None, False, why)
                _join(found, hidden, rest).sidecars.update(views.others(importers.values()))
        for group in self._groups.values():
            rest = group.mask
            for namespace in self._special_namespaces(destination, group):
                for bit, scope in group.by_namespace.get(namespace, ()):
                    rest &= ~bit
                    self._outcome(destination, scope, bit, found)
            if rest:
                self._outcome(destination, group.sample._replace(namespace=ANY_OTHER, labels={}), rest, found)
        return found

    def _special_namespaces(self, destination: Destination, group: _Group) -> Set[str]:
        """The namespaces whose clients may see a destination differently from the rest."""
        plane = self._planes(group.revision)
        found = plane.rules.local_namespaces(destination.host)
        found |= plane.rules.named_namespaces(destination.host, destination.namespace)
        found.update(destination.export_to, plane.mesh.service_export)
        found.update((destination.namespace, plane.mesh.root_namespace))
        return found

    def _outcome(self, destination: Destination, scope: Scope, mask: int, found: Dict[Outcome, Clients]) -> None:
        """Adds the clients of one scope to those with the same outcome; to none if another destination has the host."""
        kind, revision = scope.kind, scope.revision

        def join(
            state: str, why: str, rule: Optional[Setting] = None, ports: Optional[FrozenSet[int]] = None, rest: str = ""
        ) -> Clients:
            outcome = Outcome(
                kind, revision, state, rule, ports, rest, scope.outbound, scope.metadata_certs, why, elsewhere
            )
            return _join(found, outcome, mask)

        plane, view = self._planes(revision), scope.view
        hidden = self._hidden(scope)
        owners = self._owners_for(destination.host, scope, plane)
        elsewhere = frozenset(port for port, owner in (owners or {}).items() if owner is not destination)
        if scope.doubt:
            join("unknown", scope.doubt)
            return
        ports = view.ports(destination) if view is not None else None
        why = self._hiding(destination, scope, plane, ports)
        if not why and owners is not None:
            ports = (ports or frozenset(port.number for port in destination.ports)) & frozenset(owners) - elsewhere
            if not ports:
                why = f"{destination.host} means another destination to the client's proxy"
            elif len(ports) == len(destination.ports):
                ports = None
        if why:
            clients = join(hidden, why)
        else:
            rule, doubt = self._rule(destination, scope, plane)
            if doubt:
                join("unknown", doubt)
                return
            if ports:
                why = f"{SIDECAR} hides this port of {destination.host}" if view else "no proxy knows this port"
            clients = join("visible", why, rule.setting if rule else None, ports, hidden if ports else "")
            if rule is not None:
                clients.rules.add(str(rule))
        if view is not None and SIDECAR in why:
            clients.sidecars.add(view.name)

    def _hiding(self, destination: Destination, scope: Scope, plane: Plane, ports: Optional[FrozenSet[int]]) -> str:
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

    def _visible(self, destination: Destination, scope: Scope, plane: Plane) -> bool:
        return destination.exported_to(scope.namespace, plane.mesh.service_export)

    def _owners_for(self, host: str, scope: Scope, plane: Plane) -> Optional[Dict[int, Destination]]:
        """For a host of several destinations whom a scope's proxies have at each port."""
        rivals = self._owners.contested.get(host)
        if rivals is None:
            return None
        visible = [
            item for item in rivals if plane.sees(item.namespace, item.revision) and self._visible(item, scope, plane)
        ]
        # Destinations exported to the namespace by name come before public ones (servicesExportedToNamespace).
        visible.sort(key=lambda item: "*" in (item.export_to or plane.mesh.service_export))
        view = None if scope.kind == "gateway" else scope.view or NO_SIDECAR
        return self._owners.owned(visible, view, scope.namespace)

    def _rule(self, destination: Destination, scope: Scope, plane: Plane) -> Tuple[Optional[MergedRule], str]:
        """The DestinationRule: client's namespace, service's, root; the first with any match ends the search."""
        client, host, root = scope.namespace, destination.host, plane.mesh.root_namespace
        own = plane.rules.own(client, host)
        if own is not None:
            return choose(own, client, scope.labels), ""
        for namespace in (destination.namespace, root):
            if self._unread.covers("DestinationRule", namespace):
                return None, f"DestinationRules of namespace {namespace} were not read"
            found = plane.rules.exported(namespace, host, client)
            if found:
                return choose(found, client, scope.labels), ""
        return None, ""

    # --- rows --------------------------------------------------------------------------------------------------------

    def _rows(
        self, destination: Destination, port: DestinationPort, outcome: Outcome, clients: Clients
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of one port for one kind of client: one for each subset and endpoint."""
        state, why = outcome.state, outcome.why
        if port.number in outcome.elsewhere:
            return []
        if state == "visible" and outcome.ports is not None and port.number not in outcome.ports:
            state = outcome.hidden
        bypass = _bypasses(outcome.outbound, destination, port.number)
        if state != "unknown" and outcome.kind == "sidecar" and bypass:
            if bypass is UNDECIDED:
                state, why = (
                    "unknown",
                    "whether the client's proxy takes this traffic depends on addresses that are not known",
                )
            else:
                state, why = "bypass", f"the client's proxy does not take this traffic ({bypass})"
        if state == "unknown":
            return self._plain(destination, port, lambda endpoint: ("unknown", "unknown", why))
        if state == "blocked":
            return self._plain(destination, port, lambda endpoint: ("none", "broken", f"blocked: {why}"))
        if state in ("passthrough", "bypass") or outcome.kind == "none":
            text = why if state == "bypass" else f"{why}: passthrough" if why else "the client has no proxy"
            return self._plain(
                destination, port, lambda endpoint: self._meet(destination, port, endpoint, Sent("none", text), False)
            )
        if outcome.kind == "ambient":
            return self._plain(
                destination,
                port,
                lambda endpoint: self._meet(destination, port, endpoint, _from_ambient(endpoint), False),
            )
        port = self._known(destination, port, outcome)
        if destination.resolution.startswith("DNS") and not port.endpoints and not destination.hidden_endpoints:
            # core/cluster_builder.go buildCluster: no cluster at all, so the destination is as good as unknown.
            why = f"the client's proxy does not know {destination.host}, which has no endpoint to resolve"
            return self._plain(destination, port, lambda endpoint: ("none", "broken", why))
        rows = self._through_proxy(destination, port, outcome, None, clients)
        for subset in outcome.rule.subsets if outcome.rule is not None else ():
            rows.extend(self._through_proxy(destination, port, outcome, subset, clients))
        return rows

    def _known(self, destination: Destination, port: DestinationPort, outcome: Outcome) -> DestinationPort:
        """A port with the endpoints that the client's proxy gets: not those of entries for other revisions, and on
        gateways, which have no ORIGINAL_DST clusters, not the addresses that clients dial of themselves."""
        if outcome.kind == "gateway" and destination.resolution == "NONE" and not destination.kubernetes:
            return port._replace(endpoints=(), inferred=())
        sees = self._planes(outcome.revision).sees_revision
        if any(endpoint.revision is not None for endpoint in (*port.endpoints, *port.inferred)):
            port = port._replace(
                endpoints=tuple(item for item in port.endpoints if sees(item.revision)),
                inferred=tuple(item for item in port.inferred if sees(item.revision)),
            )
        if destination.resolution == "DNS_ROUND_ROBIN":
            # Such a cluster has one endpoint at most (mergeServicesInstancesByNamespaceHost).
            port = port._replace(endpoints=port.endpoints[:1], inferred=port.inferred[:1])
        return port

    def _plain(
        self, destination: Destination, port: DestinationPort, answer: Callable[[Optional[Endpoint]], Answer]
    ) -> List[Tuple[RowKey, Answer]]:
        """One row for each endpoint, and one for endpoints that may exist without having been read."""
        rows: List[Tuple[RowKey, Answer]] = []
        done: Dict[str, Answer] = {}
        for endpoint in port.endpoints:
            found = answer(endpoint)
            done[endpoint.id] = _worse(done.get(endpoint.id), found)
        rows.extend(((port.number, None, place), found) for place, found in done.items())
        if destination.hidden_endpoints:
            rows.append(((port.number, None, None), ("unknown", "unknown", destination.hidden_endpoints)))
        elif not port.endpoints:
            rows.append(((port.number, None, None), answer(None)))
        return rows

    def _through_proxy(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        subset: Optional[Subset],
        clients: Clients,
    ) -> List[Tuple[RowKey, Answer]]:
        plane = self._planes(outcome.revision)
        gateway = outcome.kind == "gateway"
        cluster: Cluster = cluster_of(
            destination, port, outcome.rule, subset, plane.mesh, plane.peers, gateway, outcome.metadata_certs
        )
        name = subset.name if subset is not None else None
        done: Dict[str, Answer] = {}
        for endpoint in port.endpoints:
            if subset is not None and not all(endpoint.labels.get(key) == value for key, value in subset.labels):
                continue
            what = sent(cluster, endpoint, plane.peers, plane.sends_hbone)
            answer = self._meet(destination, port, endpoint, what, gateway)
            answer = self._trusting(plane, destination, endpoint, answer)
            done[endpoint.id] = _worse(done.get(endpoint.id), answer)
            if cluster.by_rule:
                self._remark(clients.rules, cluster, endpoint, answer, destination)
        rows: List[Tuple[RowKey, Answer]] = [((port.number, name, place), answer) for place, answer in done.items()]
        if destination.hidden_endpoints:
            rows.append(((port.number, name, None), ("unknown", "unknown", destination.hidden_endpoints)))
        elif not done and not needs_endpoints(destination, port, outcome.rule, subset):
            what = _to_nobody(cluster)
            rows.append(((port.number, name, None), self._meet(destination, port, None, what, gateway)))
        return rows

    def _remark(
        self, rules: Set[str], cluster: Cluster, endpoint: Endpoint, answer: Answer, destination: Destination
    ) -> None:
        """Remembers what findings say about DestinationRules."""
        meshed = endpoint.workload is not None and endpoint.workload.mesh in ("sidecar", "ambient")
        if cluster.sent == "plaintext" and meshed and answer[1] in ("plaintext", "broken"):
            self.remarks.update(("plaintext", rule, destination.host) for rule in rules)
        elif cluster.sent == "ISTIO_MUTUAL" and not meshed and answer[1] == "broken":
            self.remarks.update(("mutual", rule, destination.host) for rule in rules)

    def _meet(
        self, destination: Destination, port: DestinationPort, endpoint: Optional[Endpoint], what: Sent, gateway: bool
    ) -> Answer:
        """What is sent meets what the server does."""
        if endpoint is None:
            return what.tls, "broken", f"{what.why}; {destination.name} has no endpoint for port {port.number}"
        number = port.number if destination.headless and not gateway else endpoint.port
        server, why = self._server(endpoint, number)
        http = self._http(endpoint.workload, number) if endpoint.workload is not None else port.http
        return what.tls, verdict(what.tls, server, http), f"{what.why}; {why}"

    def _trusting(self, client: Plane, destination: Destination, endpoint: Endpoint, answer: Answer) -> Answer:
        """Istio mTLS also needs trust: proxies of two revisions may belong to different trust domains."""
        workload = endpoint.workload
        if answer[:2] != ("mtls", "mtls") or workload is None or workload.mesh != "sidecar":
            return answer
        server = self._planes(workload.shape.revision)
        sides = f"{client.mesh.trust_domain} of the client and {server.mesh.trust_domain} of {workload.id}"
        if server.checks_trust and not server.mesh.accepts_clients_of(client.mesh):
            return "mtls", "broken", f"{answer[2]}, but the server does not accept the trust domain ({sides})"
        # A client expects one of the identities of all endpoints together, and whatever it meets where none is known.
        if not client.mesh.accepts_servers_of(server.mesh) and any(
            one.identified for port in destination.ports for one in port.endpoints
        ):
            return "mtls", "broken", f"{answer[2]}, but the client expects another trust domain ({sides})"
        return answer

    def _http(self, workload: Workload, port: int) -> bool:
        """Whether a listener speaks HTTP: a Sidecar's ingress says so, else the oldest Service of the target port.

        core/listener_inbound.go buildInboundChainConfigs; a port that nothing names is sniffed.
        """
        if workload.mesh == "sidecar":
            sidecar = self._planes(workload.shape.revision).sidecars.of(workload.namespace, workload.labels)
            if sidecar is not None and sidecar.ingress:
                return any(listener.http for listener in sidecar.ingress if listener.port == port)
        return self._protocols.get((workload.id, port), False)

    def _server(self, endpoint: Endpoint, port: int) -> Tuple[str, str]:
        """The column of the table that an endpoint falls into, and why."""
        workload = endpoint.workload
        if workload is None:
            if endpoint.tls_mode != "istio":
                return "none", f"{endpoint.id} is no workload of the mesh"
            plane = self._planes(None)
            if plane.mesh.doubt:
                return UNKNOWN, f"the mesh configuration is unknown: {plane.mesh.doubt}"
            decision = plane.peers.decide(endpoint.namespace, endpoint.labels)
            return decision.at(port), decision.why(port)
        if workload.doubt:
            return UNKNOWN, f"what {workload.id} does in the mesh is unknown: {workload.doubt}"
        if workload.mesh == "none":
            return "none", f"{workload.id} is not in the mesh"
        if workload.mesh == "gateway":
            return self._gateways.server(workload, port)
        if not workload.captures(port):
            return "none", f"port {port} of {workload.id} bypasses its proxy"
        plane = self._planes(workload.shape.revision)
        mode, why = mode_of(workload, plane, self._unread, port)
        if workload.mesh == "ambient" and mode != UNKNOWN:
            return "ambient-" + (PERMISSIVE if mode == DISABLE else mode), why
        return mode, why


def mode_of(workload: Workload, plane: Plane, unread: Unread, port: int) -> Tuple[str, str]:
    """The mode that a proxy enforces at a port, and why; unknown where an EnvoyFilter or a gap could change it."""
    doubt = inbound_doubt(workload, plane, unread)
    if doubt:
        return UNKNOWN, doubt
    ambient = workload.mesh == "ambient"
    decide = plane.peers.decide_ambient if ambient else plane.peers.decide
    decision = decide(workload.namespace, workload.labels)
    return decision.at(port), decision.why(port)


def inbound_doubt(workload: Workload, plane: Plane, unread: Unread) -> str:
    """Why nothing can be said about what a proxy accepts."""
    if plane.mesh.doubt:
        return f"the mesh configuration of revision {plane.mesh.name} is unknown: {plane.mesh.doubt}"
    if workload.mesh != "sidecar":
        return ""
    if unread.covers("EnvoyFilter", workload.namespace) or unread.covers("EnvoyFilter", plane.mesh.root_namespace):
        return "EnvoyFilters that could change the listeners were not read"
    found = plane.filters(workload.namespace, workload.labels, True)
    return f"EnvoyFilter {found} changes the listeners" if found else ""


ANY_OTHER = "any other"
"""Stands for a namespace that no object names; no namespace can have this name."""
NOTHING_CAPTURED = Outbound(frozenset(), frozenset(), (), ())
UNDECIDED = "?"
_ORDER = ("unknown", "plaintext", "broken", "tls", "mtls")


def _join(found: Dict[Outcome, Clients], outcome: Outcome, mask: int) -> Clients:
    clients = found.get(outcome)
    if clients is None:
        clients = found[outcome] = Clients()
    clients.mask |= mask
    return clients


def _worse(first: Optional[Answer], second: Answer) -> Answer:
    """Of two answers for one endpoint id (an address named twice) the worse one, whatever their order."""
    if first is None or first == second:
        return second
    return min(first, second, key=lambda answer: (_ORDER.index(answer[1]), answer))


def _to_nobody(cluster: Cluster) -> Sent:
    fields = {"ISTIO_MUTUAL": "mtls", "SIMPLE": "simple", "MUTUAL": "mutual", "auto": "mtls"}
    return Sent(fields.get(cluster.sent, cluster.sent), cluster.why or "auto-mTLS sends Istio mTLS")


def _from_ambient(endpoint: Optional[Endpoint]) -> Sent:
    """ztunnel has no DestinationRules: HBONE to whatever takes it, plaintext to the rest (semantics, section 5)."""
    if endpoint is not None:
        workload = endpoint.workload
        if endpoint.labels.get(TUNNEL_LABEL) == "http" or (
            workload is not None and workload.mesh == "ambient" and not workload.shape.ambient_bypass
        ):
            return Sent("hbone", "ztunnel sends HBONE")
    return Sent("plaintext", "ztunnel sends plaintext to an endpoint that takes no HBONE")


def _bypasses(outbound: Optional[Outbound], destination: Destination, port: int) -> str:
    """Which annotation lets traffic to a destination bypass the client's proxy; UNDECIDED when addresses decide.

    tools/istio-iptables/pkg/capture/run.go: included ports are always taken, excluded ports and ranges never, and of
    the rest only the included ranges.
    """
    if outbound is None:
        return ""
    if outbound is NOTHING_CAPTURED:
        return "interceptionMode NONE"
    if port in outbound.exclude_ports:
        return "traffic.sidecar.istio.io/excludeOutboundPorts"
    if outbound.exclude_ranges:
        inside = _inside(destination, outbound.exclude_ranges)
        if inside is None:
            return UNDECIDED
        if inside:
            return "traffic.sidecar.istio.io/excludeOutboundIPRanges"
    if port in outbound.include_ports or outbound.include_ranges is None:
        return ""
    inside = _inside(destination, outbound.include_ranges)
    if inside is None:
        return UNDECIDED if outbound.include_ranges else "traffic.sidecar.istio.io/includeOutboundIPRanges"
    return "" if inside else "traffic.sidecar.istio.io/includeOutboundIPRanges"


def _inside(destination: Destination, ranges: Tuple[str, ...]) -> Optional[bool]:
    """Whether the addresses that clients dial lie in ranges; None when they are unknown or differ."""
    if "*" in ranges:
        return True
    if destination.headless or not destination.addresses:
        return None
    answers = set()
    networks = [network for network in map(_network, ranges) if network is not None]
    for text in destination.addresses:
        address = _network(text)
        if address is None:
            return None
        answers.add(
            any(address.version == network.version and address.network_address in network for network in networks)
        )
    return answers.pop() if len(answers) == 1 else None


def _network(text: str) -> Optional[Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
