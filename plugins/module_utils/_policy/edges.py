# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of connection with its verdict: what a client sends meets what a server does with it."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Optional, Set, Tuple

from .addresses import Addresses
from .aliases import aliases_of, as_dialled, by_name, of_aliases
from .client import RULE, Cluster, Hbone, Sent, cluster_of, needs_endpoints, sent
from .destination_rules import mutual, plaintext, unset, unset_policy
from .gateways import GatewayIndex
from .headless import through_shared_listeners
from .listeners import Protocol, listener_protocols
from .membership import Workload
from .mesh import Mesh
from .outbound import UNDECIDED, bypass_of, without_others
from .outcomes import SIDECAR, Clients, Outcome, Outcomes
from .patches import Patch
from .port_listeners import Astray
from .push_context import PushContext, mode_of
from .records import TUNNEL_LABEL, Subset, VirtualService
from .routes import through_routes
from .rows import BY_RULE, BY_SERVER, BY_ZTUNNEL, NO_ENDPOINT, WORST_FIRST, Answer, Edge
from .scopes import ROUTERS, WAYPOINT, Scopes
from .selecting import Selecting
from .server import DISABLE, PERMISSIVE, STRICT, UNKNOWN, PeerAuthenticationIndex
from .services import Catalogue, Destination, DestinationPort, Endpoint
from .shared_addresses import Finders, through_shared_addresses
from .strangers import Listening, through_open_listeners
from .unread import ROUTES, Unread
from .verdicts import verdict
from .withheld import beside_withheld

Remark = Tuple[str, str, str, str]
RowKey = Tuple[int, Optional[str], Optional[str]]
_MOST_SUBSETS = 20_000
"""Subsets of a DestinationRule, times the ports of a destination. In real meshes these are dozens."""
_MOST_TOGETHER = 200_000
"""The same of all destinations: a rule may be for all hosts."""
NO_PLAINTEXT, NO_MUTUAL, NOT_DISABLED, AUTO_MTLS = "no plaintext", "no mutual", "not disabled", "auto-mTLS"
"""Changes that a remedy could ask for: of a rule's tls, of every policy, and of the mesh configuration."""
_NOBODY_ELSE = {
    False: "REGISTRY_ONLY forbids what a proxy does not know",
    True: "a gateway passes nothing on to what it does not know",
}


class Judge:
    """Judges every destination for every kind of client."""

    def __init__(
        self,
        workloads: List[Workload],
        planes: Callable[[Optional[str]], PushContext],
        gateways: GatewayIndex,
        all_destinations: List[Destination],
        catalogue: Catalogue,
        unread: Unread,
        virtual_services: List[VirtualService],
    ) -> None:
        self._planes = planes
        self._gateways = gateways
        self._destinations = all_destinations
        self._unread = unread
        self._virtual_services = virtual_services
        self._scopes = Scopes(workloads, planes, unread)
        self._outcomes = Outcomes(self._scopes, planes, all_destinations, unread)
        self._protocols = listener_protocols(
            all_destinations,
            catalogue,
            lambda workload, *where: self._planes(workload.shape.revision).sees(*where),
        )
        self._addresses = Addresses(all_destinations, catalogue)
        self.members = self._scopes.members
        self._asked: Dict[int, int] = {}
        """How many subsets were judged, by the identity of all of a rule."""
        self.remarks: Set[Remark] = set()
        """(what, DestinationRule, host, what else stands against mutual TLS) for rules that contradict the endpoints
        that they cover."""
        self.disabled: Dict[str, Set[str]] = {}
        """By PeerAuthentications that are DISABLE, "ns/name": what would break if they were PERMISSIVE, and why."""
        self.switched_off: Dict[str, Set[str]] = {}
        """By revisions without auto-mTLS: what would break with it, and why."""

    def edges(self) -> List[Edge]:
        """All rows, in order."""
        rows: List[Edge] = []
        for destination in self._destinations:
            rows.extend(self._judge(destination))
        unread = any(map(self._unread.anywhere, ROUTES))
        scopes = self._scopes
        before, routes = rows, (self._virtual_services, scopes.routed_by, scopes.locking, scopes.importing)
        aliases = list(aliases_of(self._destinations))
        # A route to an alias leads to what it stands for, but not through several (route.go GetDestinationCluster).
        direct = [(alias, target) for alias, target in aliases if alias.alias.lower().rstrip(".") == target]
        rows = through_routes(rows, self._destinations, *routes, unread, list(of_aliases(rows, direct, subsets=True)))
        # Whose listener takes a connection, decides which VirtualServices count; a route leads to no address.
        rows = through_shared_listeners(rows, self._destinations, scopes.listening, scopes.sidecars)
        who = Finders(scopes.listening, scopes.locking, scopes.sidecars, scopes.ambient)
        rows = through_shared_addresses(rows, self._destinations, who)
        open_to_all = Listening(scopes.listening, scopes.seizing, scopes.locked)
        rows = through_open_listeners(rows, self._destinations, open_to_all)
        # A VirtualService may name an alias itself. Whether it counts, or that of the other name, differs by version.
        named, dialled = list(of_aliases(rows, aliases)), list(as_dialled(aliases, self._destinations))
        named = through_routes(named, dialled, *routes, True, before, self._destinations)
        rows.extend(by_name(named, aliases, self._destinations, self._scopes.unnamed))
        rows = beside_withheld(rows, self._scopes.withheld)
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
                row.part,
            )
        )
        return rows

    def _judge(self, destination: Destination) -> List[Edge]:
        if destination.cut:
            answer = Answer("unknown", "unknown", destination.hidden_endpoints)
            everyone = (1 << len(self.members)) - 1
            return [_edge(destination, (port.number, None, None), answer, everyone) for port in destination.ports[:1]]
        found: Dict[RowKey, Dict[Answer, int]] = {}
        unrouted: Dict[str, Answer] = {}
        for kind in ROUTES:
            if self._unread.covers(kind, destination.namespace):
                why = f"{kind}s of namespace {destination.namespace}, which could lead elsewhere, were not read"
                unrouted.setdefault("sidecar", Answer("unknown", "unknown", why))
        for outcome, clients in self._outcomes.of(destination).items():
            for port in destination.ports:
                for key, given in self._rows(destination, port, outcome, clients):
                    met = _patched(outcome.patches, key) or unrouted.get(outcome.kind, given)
                    answers = found.setdefault(key, {})
                    answer = met._replace(reason=clients.named(met.reason))
                    answers[answer] = answers.get(answer, 0) | clients.mask
        outside = {port.number: self._outside(destination, port) for port in destination.ports}
        own_tls = {port.number for port in destination.ports if port.own_tls}
        rows = [
            _edge(destination, key, answer, mask) for key, answers in found.items() for answer, mask in answers.items()
        ]
        return [_leaving(row, row.port in own_tls) if row.endpoint in outside[row.port] else row for row in rows]

    def _outside(self, destination: Destination, port: DestinationPort) -> Set[Optional[str]]:
        """The endpoints, as rows name them, at which a connection leaves the mesh: none that leads to a workload."""
        if not destination.outside or destination.hidden_endpoints:
            return set()
        inside: Set[str] = set()
        places: Set[str] = set()
        for endpoint in port.endpoints:
            places.add(endpoint.id)
            for landing in self._addresses.behind(endpoint, endpoint.port, destination.host):
                if landing.doubt or landing.endpoint is None or landing.endpoint.workload is not None:
                    inside.add(endpoint.id)
                else:
                    places.add(landing.endpoint.id)
        # A gateway has no address to dial where there is only a name.
        return {*(places - inside), *(() if inside else (None,))}

    def _rows(
        self, destination: Destination, port: DestinationPort, outcome: Outcome, clients: Clients
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of one port for one kind of client: one for each subset and endpoint.

        Where some containers of the client run as its proxy's user, the worse of what both kinds meet counts.
        """
        rows = self._rows_of_one(destination, port, outcome, clients)
        uncaptured = without_others(outcome.outbound)
        if uncaptured is None:
            return rows
        found = dict(rows)
        for key, answer in self._rows_of_one(destination, port, outcome._replace(outbound=uncaptured), clients):
            found[key] = _of_either(found.get(key), answer)
        return list(found.items())

    def _rows_of_one(
        self, destination: Destination, port: DestinationPort, outcome: Outcome, clients: Clients
    ) -> List[Tuple[RowKey, Answer]]:
        """The same for clients whose containers are all alike."""
        state, why = outcome.state, outcome.why
        if port.number in outcome.elsewhere:
            return []
        if port.number in outcome.unclear:
            return self._plain(destination, port, lambda endpoint: Answer("unknown", "unknown", outcome.claim))
        if outcome.ports is not None and port.number not in outcome.ports:
            state = outcome.hidden
        bypass = bypass_of(outcome.outbound, destination, port.number)
        if state != "unknown" and outcome.kind == "sidecar" and bypass:
            if bypass is UNDECIDED:
                state, why = (
                    "unknown",
                    "whether the client's proxy takes this traffic depends on addresses that are not known",
                )
            else:
                state, why = "bypass", f"the client's proxy does not take this traffic ({bypass})"
        if state == "unknown":
            return self._plain(destination, port, lambda endpoint: Answer("unknown", "unknown", why))
        if state == "blocked":
            unknown = f"blocked: {why}, and {_NOBODY_ELSE[outcome.kind == 'gateway']}"
            return _not_known(self._plain(destination, port, lambda endpoint: Answer("none", "broken", unknown)))
        if state == "bypass" and outcome.outbound is not None and outcome.outbound.own_mtls:
            why += ", and the application has its certificate (OUTPUT_CERTS): what it sends itself, nobody knows"
            return self._plain(destination, port, lambda endpoint: Answer("unknown", "unknown", why))
        if state in ("passthrough", "bypass") or outcome.kind == "none":
            text = (
                why
                if state == "bypass"
                else f"{why}, so its proxy passes the connection on as it is (passthrough)"
                if why
                else "the client has no proxy"
            )
            rows = self._met(destination, port, lambda endpoint: Sent("none", text))
            return _not_known(rows) if state == "passthrough" else rows
        if outcome.kind == "ambient":
            return self._met(destination, port, _from_ambient)
        port = self._known(destination, port, outcome)
        if destination.resolution.startswith("DNS") and not port.endpoints and not destination.hidden_endpoints:
            # core/cluster_builder.go buildCluster: no cluster at all, so the destination is as good as unknown.
            why = f"the client's proxy does not know {destination.host}, which has no endpoint to resolve"
            return _not_known(self._plain(destination, port, lambda endpoint: Answer("none", NO_ENDPOINT, why)))
        rows = self._by_rule(destination, port, outcome, clients)
        for rule in outcome.rivals:
            other = self._by_rule(destination, port, outcome._replace(rule=rule), clients)
            rows = _agreed(rows, other, outcome.contest)
        if port.number in outcome.astray.passing or port.number in outcome.astray.doubtful:
            # Those of subsets stay: a VirtualService may lead there.
            kept = [(key, answer) for key, answer in rows if key[1] is not None]
            return [*self._astray(destination, port, outcome, clients), *kept]
        return rows

    def _astray(
        self, destination: Destination, port: DestinationPort, outcome: Outcome, clients: Clients
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of a port that a Sidecar's listener for it does not surely lead to the destination."""
        where = f"the first listener of {SIDECAR} for port {port.number}"
        if port.number in outcome.astray.doubtful:
            why = f"{where} may lead elsewhere what is sent to {destination.host}"
            return self._plain(destination, port, lambda endpoint: Answer("unknown", "unknown", why))
        why = f"{where} does not lead to {destination.host}"
        passing = outcome._replace(state=outcome.hidden, why=why, astray=Astray())
        return self._rows_of_one(destination, port, passing, clients)

    def _by_rule(
        self, destination: Destination, port: DestinationPort, outcome: Outcome, clients: Clients
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of clients with one DestinationRule, or with none."""
        subsets = outcome.rule.subsets if outcome.rule is not None else ()
        self._asked[id(subsets)] = self._asked.get(id(subsets), 0) + len(subsets)
        if len(subsets) * len(destination.ports) > _MOST_SUBSETS or self._asked[id(subsets)] > _MOST_TOGETHER:
            why = f"{RULE} has more subsets for the ports of {destination.name} than are looked at"
            return self._plain(destination, port, lambda endpoint: Answer("unknown", "unknown", why))
        rows = self._through_proxy(destination, port, outcome, None, clients, port.endpoints)
        selecting = Selecting(subsets, lambda subset: dict(subset.labels))
        members: Dict[str, List[Endpoint]] = {}
        for endpoint in port.endpoints if subsets else ():
            for subset in selecting.of(endpoint.labels):
                members.setdefault(subset.name, []).append(endpoint)
        for subset in subsets:
            own = members.get(subset.name, ())
            rows.extend(self._through_proxy(destination, port, outcome, subset, clients, own))
        return rows

    def _known(self, destination: Destination, port: DestinationPort, outcome: Outcome) -> DestinationPort:
        """A port with the endpoints that the client's proxy gets: not those of entries for other revisions, and on
        gateways, which have no ORIGINAL_DST clusters, not the addresses that clients dial of themselves."""
        dialled = destination.resolution == "NONE" and not destination.kubernetes and destination.selector is None
        if outcome.kind in ROUTERS and dialled:
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
        """One row for each endpoint, whatever is behind it."""
        return self._each(
            destination, port, lambda endpoint: [(endpoint.id if endpoint is not None else "", answer(endpoint))]
        )

    def _met(
        self, destination: Destination, port: DestinationPort, sends: Callable[[Optional[Endpoint]], Sent]
    ) -> List[Tuple[RowKey, Answer]]:
        """One row for each place that is reached."""

        def answers(endpoint: Optional[Endpoint]) -> List[Tuple[str, Answer]]:
            if endpoint is None:
                return [("", _nobody(destination, port, sends(None)))]
            arrivals = self._arrivals(destination, port, endpoint, sends(endpoint), False)
            return [(reached.id, answer) for reached, answer in arrivals]

        return self._each(destination, port, answers)

    def _each(
        self,
        destination: Destination,
        port: DestinationPort,
        answers: Callable[[Optional[Endpoint]], List[Tuple[str, Answer]]],
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of all endpoints, and one for endpoints that may exist without having been read."""
        rows: List[Tuple[RowKey, Answer]] = []
        done: Dict[str, Answer] = {}
        for endpoint in port.endpoints:
            for place, found in answers(endpoint):
                done[place] = _worse(done.get(place), found)
        rows.extend(((port.number, None, place), found) for place, found in done.items())
        if destination.hidden_endpoints:
            rows.append(((port.number, None, None), Answer("unknown", "unknown", destination.hidden_endpoints)))
        elif not port.endpoints:
            rows.extend(((port.number, None, None), found) for dummy, found in answers(None))
        return rows

    def _through_proxy(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        subset: Optional[Subset],
        clients: Clients,
        endpoints: Iterable[Endpoint],
    ) -> List[Tuple[RowKey, Answer]]:
        """The rows of one subset, or of none, which has these endpoints."""
        plane = self._planes(outcome.revision)
        gateway = outcome.kind in ROUTERS
        cluster = self._cluster(destination, port, outcome, subset)
        known: Dict[str, Cluster] = {}

        def instead(change: str) -> Cluster:
            if change not in known:
                known[change] = self._instead(change, destination, port, outcome, subset)
            return known[change]

        name = subset.name if subset is not None else None
        done: Dict[str, Answer] = {}
        for endpoint in endpoints:
            what = sent(cluster, endpoint, plane.peer_authentications, _hbone(plane, outcome))
            for reached, met in self._arrivals(destination, port, endpoint, what, gateway):
                answer = self._trusting(plane, destination, reached, met)
                if answer.part == BY_SERVER and answer.verdict == "plaintext":
                    self._remark_disabled(destination, port, outcome, endpoint, instead)
                elif not plane.mesh.auto_mtls and not cluster.by_rule and answer.verdict == "plaintext":
                    self._remark_switched_off(destination, port, outcome, endpoint, instead)
                if cluster.by_rule and not outcome.rivals:
                    if cluster.sent == "plaintext" and answer[1] in ("plaintext", "broken"):
                        where = (endpoint, reached)
                        if self._remark_plaintext(destination, port, outcome, clients.rules, where, answer[1], instead):
                            answer = answer._replace(part=BY_RULE)
                    elif cluster.sent == "ISTIO_MUTUAL":
                        self._remark_mutual(destination, clients.rules, reached, answer[1])
                        without = sent(
                            instead(NO_MUTUAL), endpoint, plane.peer_authentications, _hbone(plane, outcome)
                        ).tls
                        if answer[1] == "mtls" and without not in ("mtls", "hbone"):
                            self.remarks.update(("kept", rule, destination.host, "") for rule in clients.rules)
                done[reached.id] = _worse(done.get(reached.id), answer)
        rows: List[Tuple[RowKey, Answer]] = [((port.number, name, place), answer) for place, answer in done.items()]
        if destination.hidden_endpoints:
            rows.append(((port.number, name, None), Answer("unknown", "unknown", destination.hidden_endpoints)))
        elif not done and not needs_endpoints(destination, port, outcome.rule, subset):
            what = _to_nobody(cluster)
            rows.append(((port.number, name, None), _nobody(destination, port, what, name)))
        if cluster.same_for_all and not gateway:
            return [(key, answer._replace(as_dialled=True)) for key, answer in rows]
        return rows

    def _decider(self, endpoint: Endpoint) -> Optional[str]:
        """The PeerAuthentication by which a server accepts what it does, "ns/name"."""
        workload = endpoint.workload
        if workload is None:
            return None
        policies = self._planes(workload.shape.revision).peer_authentications
        decision = policies.decide(workload.namespace, workload.labels)
        return decision.exception_at(endpoint.port) or decision.policy

    def _remark_switched_off(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        endpoint: Endpoint,
        instead: Callable[[str], Cluster],
    ) -> None:
        """Remembers a mesh configuration that turns auto-mTLS off for what could not take mutual TLS, were it on."""
        plane, gateway = self._planes(outcome.revision), outcome.kind in ROUTERS
        what = sent(instead(AUTO_MTLS), endpoint, plane.peer_authentications, _hbone(plane, outcome))
        for reached, met in self._arrivals(destination, port, endpoint, what, gateway):
            answer = self._trusting(plane, destination, reached, met)
            if answer.verdict == "broken":
                self.switched_off.setdefault(plane.mesh.name, set()).add(answer.reason)

    def _cluster(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        subset: Optional[Subset],
        policies: Optional[PeerAuthenticationIndex] = None,
        mesh: Optional[Mesh] = None,
    ) -> Cluster:
        """What the client's proxy has for this, or would have by other policies or another mesh configuration."""
        plane = self._planes(outcome.revision)
        return cluster_of(
            destination,
            port,
            outcome.rule,
            subset,
            mesh or plane.mesh,
            policies or plane.peer_authentications,
            outcome.kind in ROUTERS,
            outcome.metadata_certs,
        )

    def _instead(
        self,
        change: str,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        subset: Optional[Subset],
    ) -> Cluster:
        """The cluster that there would be after a change."""
        plane = self._planes(outcome.revision)
        if change == NOT_DISABLED:
            return self._cluster(destination, port, outcome, subset, plane.peer_authentications.opened())
        if change == AUTO_MTLS:
            return self._cluster(destination, port, outcome, subset, mesh=plane.mesh._replace(auto_mtls=True))
        which = plaintext if change == NO_PLAINTEXT else mutual
        rule = unset(outcome.rule, which) if outcome.rule is not None else None
        if subset is not None:
            subset = subset._replace(policy=unset_policy(subset.policy, which))
        return self._cluster(destination, port, outcome._replace(rule=rule), subset)

    def _remark_mutual(self, destination: Destination, rules: Set[str], endpoint: Endpoint, result: str) -> None:
        """Remembers a rule that sends ISTIO_MUTUAL to what cannot take it, or to what nobody knows anything of."""
        if not _is_meshed(endpoint) and result == "broken":
            self.remarks.update(("mutual", rule, destination.host, "") for rule in rules)
        elif destination.external and endpoint.address == destination.host:
            # Nothing but its ServiceEntry says what is there, and that it is outside.
            self.remarks.update(("outside", rule, destination.host, "") for rule in rules)

    def _remark_plaintext(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        rules: Set[str],
        where: Tuple[Endpoint, Endpoint],
        before: str,
        instead: Callable[[str], Cluster],
    ) -> bool:
        """Remembers a rule that sends plaintext, to what could take mutual TLS or not, and what speaks against silence.

        `where` is what it is sent to, and where it arrives. The last part is "" where the rule alone stands against
        mutual TLS: then it need only set nothing, and this is true.
        """
        alone = False
        endpoint, reached = where
        gateway = outcome.kind in ROUTERS
        direct = destination.has_listeners_of_pods and not gateway and reached.id == endpoint.id
        server, dummy = self._server(destination, reached, port.number if direct else reached.port)
        best = "hbone" if server.startswith("ambient-") else "mtls"
        takes = _is_meshed(reached) and verdict(best, server, False) == "mtls"
        plane = self._planes(outcome.revision)
        what = sent(instead(NO_PLAINTEXT), endpoint, plane.peer_authentications, _hbone(plane, outcome))
        for other, met in self._arrivals(destination, port, endpoint, what, gateway):
            if other.id != reached.id:
                continue
            answer = self._trusting(plane, destination, other, met)
            result, why = answer.verdict, answer.reason
            if outcome.rule is not None and outcome.rule.several:
                result, why = (
                    "unknown",
                    "another DestinationRule for the same host has a trafficPolicy, which counts then",
                )
            alone = alone or result == "mtls"
            if takes:
                self.remarks.update(("plaintext", rule, destination.host, why * (result != "mtls")) for rule in rules)
            elif result == "broken" and before != "broken":
                self.remarks.update(("needed", rule, destination.host, why) for rule in rules)
        return alone

    def _remark_disabled(
        self,
        destination: Destination,
        port: DestinationPort,
        outcome: Outcome,
        endpoint: Endpoint,
        instead: Callable[[str], Cluster],
    ) -> None:
        """Remembers policies that turn mutual TLS off for what could not take it, were it on.

        Clients infer from the namespace's policy; where a workload has one of its own, or its control plane another
        one than the client's, the first may be changed before the second.
        """
        plane, gateway = self._planes(outcome.revision), outcome.kind in ROUTERS
        policies, opened = plane.peer_authentications, plane.peer_authentications.opened()
        shared = {policies.decide_namespace(destination.namespace).policy}
        decision = policies.decide(endpoint.namespace, endpoint.labels)
        every = {*shared, decision.policy, decision.port_policy}
        for known, all_opened, names in ((opened, True, every), (opened, False, every), (policies, False, shared)):
            what = sent(instead(NOT_DISABLED), endpoint, known, _hbone(plane, outcome))
            for reached, met in self._arrivals(destination, port, endpoint, what, gateway, all_opened):
                answer = self._trusting(plane, destination, reached, met)
                if answer.verdict == "broken" and (all_opened or self._decider(reached) not in names):
                    for name in filter(None, names):
                        self.disabled.setdefault(name, set()).add(answer.reason)

    def _arrivals(
        self,
        destination: Destination,
        port: DestinationPort,
        endpoint: Endpoint,
        what: Sent,
        gateway: bool,
        opened: bool = False,
    ) -> List[Tuple[Endpoint, Answer]]:
        """What is sent to an endpoint, wherever that arrives. `opened`: as if no policy were DISABLE."""
        number = port.number if destination.has_listeners_of_pods and not gateway else endpoint.port
        found: List[Tuple[Endpoint, Answer]] = []
        for landing in self._addresses.behind(endpoint, number, destination.host):
            reached = landing.endpoint
            if landing.doubt:
                found.append((endpoint, Answer("unknown", "unknown", landing.doubt)))
            elif reached is None:
                found.append((endpoint, Answer(what.tls, NO_ENDPOINT, f"{what.why}; {landing.way}")))
            elif not landing.way:
                found.append((reached, self._meet(destination, port, reached, what, number, opened)))
            else:
                met = self._meet(destination, port, reached, what, reached.port, opened)
                found.append((reached, met._replace(reason=f"{met.reason}; {landing.way}")))
        return found

    def _meet(
        self,
        destination: Destination,
        port: DestinationPort,
        endpoint: Endpoint,
        what: Sent,
        number: int,
        opened: bool,
    ) -> Answer:
        """What is sent meets what the server does at the port with this number."""
        server, why = self._server(destination, endpoint, number, what.sni)
        if opened and server == DISABLE:
            server = PERMISSIVE
        workload = endpoint.workload
        if what.tls == "hbone" and server == "none" and workload is not None and workload.mesh == "sidecar":
            server, why = STRICT, f"HBONE reaches port 15008 of {workload.id}, which always demands mutual TLS"
        spoken = self._spoken(endpoint.workload, number) if endpoint.workload is not None else Protocol(port.http)
        # Client and server often decide by the same object, which is then named once.
        reason = what.why if why in what.why else f"{what.why}; {why}"
        result = verdict(what.tls, server, spoken.http)
        if spoken.doubt and result != verdict(what.tls, server, True):
            reason = f"{reason}; {spoken.doubt}"
        return Answer(what.tls, result, reason, what.part)

    def _trusting(self, client: PushContext, destination: Destination, endpoint: Endpoint, answer: Answer) -> Answer:
        """Istio mTLS also needs trust: proxies of two revisions may belong to different trust domains."""
        workload = endpoint.workload
        if answer[:2] != ("mtls", "mtls") or workload is None or workload.mesh not in ("sidecar", "gateway"):
            return answer
        if endpoint.named is not None and _account(endpoint.named) != _account(workload):
            why = (
                f"{workload.id} answers where an EndpointSlice names {endpoint.named.id}, whose identity clients expect"
            )
            return Answer("mtls", "unknown", why)
        server = self._planes(workload.shape.revision)
        sides = f"{client.mesh.trust_domain} of the client and {server.mesh.trust_domain} of {workload.id}"
        # A gateway takes whoever has a certificate of the mesh (core/gateway.go BuildListenerTLSContext).
        checks = server.checks_trust if workload.mesh == "sidecar" else False
        if checks is None and not server.mesh.accepts_clients_of(client.mesh):
            return Answer("mtls", "unknown", f"whether the server checks trust domains was not read ({sides})")
        if checks and not server.mesh.accepts_clients_of(client.mesh):
            return Answer("mtls", "broken", f"{answer[2]}, but the server does not accept the trust domain ({sides})")
        # A client expects one of the identities of all endpoints together, and whatever it meets where none is known.
        if not client.mesh.accepts_servers_of(server.mesh) and any(
            one.identified for port in destination.ports for one in port.endpoints
        ):
            return Answer("mtls", "broken", f"{answer[2]}, but the client expects another trust domain ({sides})")
        return answer

    def _spoken(self, workload: Workload, port: int) -> Protocol:
        """Whether a listener speaks HTTP: a Sidecar's ingress says so, else the oldest Service of the target port.

        core/listener_inbound.go buildInboundChainConfigs; a port that nothing names is sniffed.
        """
        if workload.mesh == "sidecar":
            sidecars = self._planes(workload.shape.revision).sidecars
            sidecar = sidecars.of(workload.namespace, workload.labels)
            doubt = sidecars.contest(workload.namespace, workload.labels)
            if doubt:
                return Protocol(None, doubt)
            if sidecar is not None and sidecar.ingress:
                return Protocol(any(listener.http for listener in sidecar.ingress if listener.port == port))
        return self._protocols.get((workload.id, port), Protocol(False))

    def _server(self, destination: Destination, endpoint: Endpoint, port: int, sni: str = "") -> Tuple[str, str]:
        """The column of the table that an endpoint falls into for who asks for a name (SNI) if any, and why."""
        workload = endpoint.workload
        if endpoint.doubt:
            return UNKNOWN, endpoint.doubt
        if workload is None:
            if endpoint.tls_mode != "istio":
                address = endpoint.id.partition("/")[2]
                if destination.is_api_server:
                    return "none", f"{address} is the Kubernetes API server's, which has no proxy"
                return "address", f"{address} is no pod's address, and no proxy is known there"
            plane = self._planes(None)
            if plane.mesh.doubt:
                return UNKNOWN, f"the mesh configuration is unknown: {plane.mesh.doubt}"
            decision = plane.peer_authentications.decide(endpoint.namespace, endpoint.labels)
            return decision.at(port), decision.why(port)
        if workload.doubt:
            return UNKNOWN, f"what {workload.id} does in the mesh is unknown: {workload.doubt}"
        if workload.mesh == "none":
            return "none", f"{workload.id} is not in the mesh"
        if workload.mesh == "gateway":
            return self._gateways.server(workload, port, sni)
        if not workload.captures(port):
            return "none", f"port {port} of {workload.id} bypasses its proxy"
        plane = self._planes(workload.shape.revision)
        mode, why = mode_of(workload, plane, self._unread, port)
        if workload.mesh == "ambient" and mode != UNKNOWN:
            return "ambient-" + (PERMISSIVE if mode == DISABLE else mode), why
        return mode, why


def _account(workload: Workload) -> Tuple[str, Optional[str]]:
    """What its identity says, but for the trust domain."""
    return workload.namespace, workload.service_account


def _patched(patches: Tuple[Patch, ...], key: RowKey) -> Optional[Answer]:
    """The answer of a row about which an EnvoyFilter can change something."""
    port, subset, dummy = key
    for name, touch in patches:
        if touch.port in (0, port) and touch.subset in (None, subset or ""):
            reason = f"EnvoyFilter {name} changes what the client sends there, which manifests do not tell"
            return Answer("unknown", "unknown", reason)
    return None


def _not_known(rows: List[Tuple[RowKey, Answer]]) -> List[Tuple[RowKey, Answer]]:
    """The rows of what a client's proxy takes and does not know."""
    return [(key, answer._replace(known=False)) for key, answer in rows]


def _is_meshed(endpoint: Endpoint) -> bool:
    return endpoint.workload is not None and endpoint.workload.mesh in ("sidecar", "ambient")


def _edge(destination: Destination, key: RowKey, answer: Answer, mask: int) -> Edge:
    """A row of the result. Where nobody is, a connection fails, and not for what either side does about TLS."""
    row = Edge(destination.name, destination.host, *key, *answer[:3], mask, part=answer.part, known=answer.known)
    row = row._replace(as_dialled=answer.as_dialled)
    return row._replace(verdict="broken", state=NO_ENDPOINT) if answer.verdict == NO_ENDPOINT else row


def _nobody(destination: Destination, port: DestinationPort, what: Sent, subset: Optional[str] = None) -> Answer:
    """What is sent meets nobody: the whole destination has no endpoint there, or only the subset."""
    if subset is not None and port.endpoints:
        where = f"subset {subset} of {destination.name} has no endpoint for port {port.number}, other pods of it have"
    else:
        where = f"{destination.name} has no endpoint for port {port.number}"
    return Answer(what.tls, NO_ENDPOINT, f"{where}; {what.why}", what.part)


def _worse(first: Optional[Answer], second: Answer) -> Answer:
    """Of two answers for one endpoint id (an address named twice) the worse one, whatever their order."""
    if first is None or first == second:
        return second
    return min(first, second, key=lambda answer: (WORST_FIRST.index(answer[1]), answer))


def _of_either(others: Optional[Answer], uncaptured: Answer) -> Answer:
    """The worse of what the containers that run as the proxy's user meet and what the others of the client do.

    Where it is what the first meet, it says that it is theirs alone: most of the client's traffic is another's.
    """
    worst = _worse(others, uncaptured)
    if others is None or worst is not uncaptured or worst.verdict == others.verdict:
        return worst
    reason = f"{worst.reason}; this is true of these containers alone, what the others send is {others.verdict}"
    return worst._replace(reason=reason)


def _agreed(
    rows: List[Tuple[RowKey, Answer]], others: List[Tuple[RowKey, Answer]], contest: str
) -> List[Tuple[RowKey, Answer]]:
    """What two possible orders of the DestinationRules have in common; the rest is unknown."""
    one, other = dict(rows), dict(others)
    found: List[Tuple[RowKey, Answer]] = []
    for key in dict.fromkeys((*one, *other)):
        answer, rival = one.get(key), other.get(key)
        agree = answer is not None and rival is not None and answer[:2] == rival[:2]
        found.append((key, answer if agree and answer is not None else Answer("unknown", "unknown", contest)))
    return found


def _leaving(row: Edge, own_tls: bool) -> Edge:
    """A row of what leaves the mesh. Behind a port that is declared so the application sends TLS of its own."""
    if own_tls and row.verdict == "plaintext":
        reason = f"{row.reason}; the port is declared HTTPS or TLS, which the application itself speaks"
        row = row._replace(verdict="tls", reason=reason)
    return row._replace(scope="egress")


def _hbone(plane: PushContext, outcome: Outcome) -> Hbone:
    """What a client may send. A waypoint sends HBONE whatever istiod's environment (core/cluster_builder.go)."""
    return plane.hbone._replace(sends=True) if outcome.kind == WAYPOINT else plane.hbone


def _to_nobody(cluster: Cluster) -> Sent:
    fields = {"ISTIO_MUTUAL": "mtls", "SIMPLE": "simple", "MUTUAL": "mutual", "auto": "mtls"}
    return Sent(fields.get(cluster.sent, cluster.sent), cluster.why or "auto-mTLS sends Istio mTLS", cluster.part)


def _from_ambient(endpoint: Optional[Endpoint]) -> Sent:
    """ztunnel has no DestinationRules: HBONE to whatever takes it, plaintext to the rest (semantics, section 5)."""
    if endpoint is not None:
        workload = endpoint.workload
        if endpoint.labels.get(TUNNEL_LABEL) == "http" or (
            workload is not None and workload.mesh == "ambient" and not workload.shape.ambient_bypass
        ):
            return Sent("hbone", "ztunnel sends mutual TLS (HBONE)")
    return Sent("plaintext", "ztunnel sends plaintext to an endpoint that takes no HBONE", BY_ZTUNNEL)
