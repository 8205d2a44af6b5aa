# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts together: one State for one set of manifests, and the result as the contract shows it."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from . import spiffe
from .ages import Contest, contests_in
from .client import Hbone
from .control_plane import ControlPlanes
from .destination_rules import DestinationRuleIndex
from .edges import Judge
from .gateways import GatewayIndex, accepts_plaintext
from .ingresses import as_gateways
from .listeners import gateway_targets
from .membership import Workload, gather, lacks_proxy
from .mesh import Mesh
from .patches import PatchIndex
from .push_context import PushContext, inbound_doubt, inbound_patches
from .records import GatewayObject, Labels, Snapshot
from .rows import Edge
from .server import UNKNOWN, UNREADABLE, Acceptance, Decision, PeerAuthenticationIndex, accepts
from .services import Catalogue, destinations, target_ports
from .unread import Unread
from .visibility import SidecarIndex

_MOST_TOUCHED = 10


class Port:
    """One row of a workload's ports."""

    __slots__ = ("acceptance", "number", "policy", "purpose")

    def __init__(self, number: int, acceptance: Acceptance, purpose: str = "", policy: Optional[str] = None) -> None:
        self.number = number
        self.acceptance = acceptance
        self.purpose = purpose
        self.policy = policy
        """The PeerAuthentication that excepts it from the workload's own one, "ns/name"."""

    def public(self) -> Dict[str, Any]:
        """The row of the result."""
        found = {
            "port": self.number,
            "mode": self.acceptance.mode,
            "captured": self.acceptance.captured,
            "plaintext": self.acceptance.plaintext,
            **({"policy": self.policy} if self.policy else {}),
        }
        return {**found, "purpose": self.purpose} if self.purpose else found


class State:
    """Everything known about one set of manifests."""

    def __init__(self, snapshot: Snapshot, unread: Iterable[Any]) -> None:
        self.snapshot = snapshot
        self.unread = Unread(unread, self.snapshot.problems)
        self.control_planes = ControlPlanes(self.snapshot, self.unread)
        self._planes: Dict[str, PushContext] = {}
        self._by_revision: Dict[Optional[str], PushContext] = {}
        self._as_gateways: Dict[str, List[GatewayObject]] = {}
        self.workloads = gather(self.snapshot, self.control_planes, self.unread)
        catalogue = Catalogue(self.snapshot, self.workloads, self.unread)
        self.destinations = destinations(self.snapshot, catalogue)
        self.gateways = GatewayIndex(
            self.snapshot.gateways,
            self._ingresses,
            gateway_targets(self.destinations, catalogue, self._sees),
            self._sees,
            self._gateway_doubt,
            lambda workload: self.plane(workload.shape.revision).scopes_gateways,
            self.unread,
        )
        self.decisions: Dict[str, Decision] = {}
        self.ports: Dict[str, List[Port]] = {}
        services = target_ports(self.destinations)
        for workload in self.workloads:
            decision = self._decide(workload)
            self.decisions[workload.id] = decision
            self.ports[workload.id] = self._ports(workload, decision, services.get(workload.id, frozenset()))
        self.judge = Judge(
            self.workloads,
            self.plane,
            self.gateways,
            self.destinations,
            catalogue,
            self.unread,
            snapshot.virtual_services,
        )
        self.edges: List[Edge] = self.judge.edges()

    def plane(self, revision: Optional[str]) -> PushContext:
        """What the control plane of a revision knows, built when first needed."""
        known = self._by_revision.get(revision)
        if known is not None:
            return known
        mesh = self.control_planes.of(revision)
        found = self._planes.get(mesh.name)
        if found is None:
            found = self._planes[mesh.name] = self._build(mesh)
        self._by_revision[revision] = found
        return found

    def _build(self, mesh: Mesh) -> PushContext:
        snapshot, planes = self.snapshot, self.control_planes
        visible: Dict[str, bool] = {}

        def sees_namespace(name: str) -> bool:
            known = visible.get(name)
            if known is None:
                known = visible[name] = mesh.discovers(snapshot.namespaces.get(name))
            return known

        def seen(item: Any) -> bool:
            return planes.sees(mesh, item.revision) and sees_namespace(item.namespace)

        root, istiod = mesh.root_namespace, planes.istiod(mesh)
        return PushContext(
            mesh,
            PeerAuthenticationIndex([item for item in snapshot.peer_authentications if seen(item)], root, self.unread),
            DestinationRuleIndex([item for item in snapshot.destination_rules if seen(item)], root, mesh.rule_export),
            SidecarIndex([item for item in snapshot.sidecars if seen(item)], root),
            PatchIndex([item for item in snapshot.envoy_filters if item.touches and seen(item)], root),
            sees_namespace,
            lambda revision: planes.sees(mesh, revision),
            Hbone(istiod.sends_hbone, istiod.switched("PILOT_PREFER_SENDING_HBONE")),
            _inverted(istiod.switched("PILOT_SKIP_VALIDATE_TRUST_DOMAIN")),
            istiod.switched("PILOT_SCOPE_GATEWAY_TO_NAMESPACE"),
        )

    def _decide(self, workload: Workload) -> Decision:
        """The effective mode of a workload; for those without a proxy what a sidecar would get is of no interest."""
        if workload.mesh not in ("sidecar", "ambient"):
            return Decision("", None, {}, None)
        plane = self.plane(workload.shape.revision)
        if inbound_doubt(workload, plane, self.unread):
            return UNREADABLE
        decide = (
            plane.peer_authentications.decide_ambient
            if workload.mesh == "ambient"
            else plane.peer_authentications.decide
        )
        return decide(workload.namespace, workload.labels)

    def _ports(self, workload: Workload, decision: Decision, services: Iterable[int]) -> List[Port]:
        """Every application container's port, Service target port and port of the deciding policy."""
        numbers = {number for number, dummy in workload.shape.ports}
        numbers.update(services, decision.ports)
        if workload.mesh != "gateway" or workload.doubt:
            patched = self._patched(workload, decision, numbers)
            return [
                Port(number, accepts(workload, patched, number), policy=decision.exception_at(number))
                for number in sorted(numbers)
            ]
        numbers.update(self.gateways.ports(workload))
        return [
            Port(
                number,
                Acceptance(None, True, accepts_plaintext(self.gateways.server(workload, number)[0])),
                self.gateways.purpose(workload, number),
            )
            for number in sorted(numbers)
        ]

    def _sees(self, workload: Workload, namespace: str, revision: Optional[str]) -> bool:
        """Whether a proxy's control plane knows objects of a namespace and revision."""
        return self.plane(workload.shape.revision).sees(namespace, revision)

    def _ingresses(self, workload: Workload) -> List[GatewayObject]:
        """The Ingresses that are for a gateway's control plane, as Gateways."""
        mesh = self.plane(workload.shape.revision).mesh
        if mesh.name not in self._as_gateways:
            snapshot = self.snapshot
            self._as_gateways[mesh.name] = as_gateways(snapshot.ingresses, snapshot.ingress_classes, mesh)
        return self._as_gateways[mesh.name]

    def _patched(self, workload: Workload, decision: Decision, numbers: Iterable[int]) -> Decision:
        """A decision without the ports that EnvoyFilters can change, be it these alone."""
        if workload.mesh != "sidecar" or decision is UNREADABLE:
            return decision
        found = set(inbound_patches(workload, self.plane(workload.shape.revision)).ports())
        unknown = dict.fromkeys(found.intersection(numbers), UNKNOWN)
        return decision._replace(ports={**decision.ports, **unknown}) if unknown else decision

    def _gateway_doubt(self, workload: Workload, port: int) -> str:
        return inbound_doubt(workload, self.plane(workload.shape.revision), self.unread, port)

    def mode(self, workload: Workload) -> Optional[str]:
        """The workload's mode as the result shows it."""
        if workload.doubt:
            return UNKNOWN
        return self.decisions[workload.id].mode or None

    def _identity(self, workload: Workload) -> Optional[str]:
        """What the certificates of the workload's pods must say; None outside the mesh and where it cannot be told."""
        if workload.mesh == "none" or workload.doubt or workload.service_account is None:
            return None
        mesh = self.control_planes.of(workload.shape.revision)
        if mesh.doubt:
            return None
        return spiffe.identity(mesh.trust_domain, workload.namespace, workload.service_account)

    def _aliases(self, workload: Workload) -> List[str]:
        """The same identity in the trust domains that clients take for the mesh's own (trustDomainAliases)."""
        if self._identity(workload) is None:
            return []
        domains = sorted(self.control_planes.of(workload.shape.revision).aliases)
        return [spiffe.identity(domain, workload.namespace, str(workload.service_account)) for domain in domains]

    # --- the result --------------------------------------------------------------------------------------------------

    def public_workloads(self) -> List[Dict[str, Any]]:
        """The result's `workloads`."""
        return [
            {
                "id": workload.id,
                "namespace": workload.namespace,
                "kind": workload.kind,
                "name": workload.name,
                "pods": list(workload.pods),
                "revision": workload.shape.revision,
                "mesh": workload.mesh,
                "mode": self.mode(workload),
                "policy": self.decisions[workload.id].policy,
                "ports": [port.public() for port in self.ports[workload.id]],
                "predicted": workload.predicted,
                "lacks_proxy": lacks_proxy(workload, self._labels_of(workload.namespace)),
                "identity": self._identity(workload),
                "identity_aliases": self._aliases(workload),
            }
            for workload in self.workloads
        ]

    def _labels_of(self, namespace: str) -> Optional[Labels]:
        found = self.snapshot.namespaces.get(namespace)
        return found.labels if found is not None else None

    def public_meshes(self) -> Dict[str, Any]:
        """The result's `mesh`."""
        used = dict(self.control_planes.by_name)
        used.update(self.control_planes.assumed)
        return {"revisions": [used[name].public() for name in sorted(used)]}

    def members(self, mask: int) -> List[str]:
        """The workload ids of a set of scopes."""
        found: List[str] = []
        for place in bits(mask):
            found.extend(self.judge.members[place])
        return sorted(found)

    def _contests(self) -> Dict[Contest, Set[str]]:
        """Objects without a time, or of one second, of which nobody knows which counts, with what that leaves open."""
        found: Dict[Contest, Set[str]] = {}
        for workload in self.workloads:
            for contested in contests_in(self.decisions[workload.id].doubt):
                found.setdefault(contested, set()).add(f"mode of {workload.id}")
        reasons: Dict[str, Set[str]] = {}
        for edge in self.edges:
            if edge.verdict == UNKNOWN:
                reasons.setdefault(edge.reason, set()).add(edge.service)
        for reason, services in reasons.items():
            for contested in contests_in(reason):
                found.setdefault(contested, set()).update(f"edges to {service}" for service in services)
        return found

    def unknown(self) -> List[Dict[str, Any]]:
        """The result's `unknown`: gaps of reading, and what cannot be judged."""
        entries = list(self.unread.entries)

        def add(kind: str, namespace: Optional[str], name: str, reason: str, touches: str) -> None:
            entries.append({"kind": kind, "namespace": namespace, "name": name, "reason": reason, "touches": touches})

        if self.control_planes.missing:
            add(
                "ConfigMap",
                None,
                "istio",
                "no mesh ConfigMap in the input, Istio's defaults are assumed",
                "root namespace, auto-mTLS, trust domain and defaults of every revision",
            )
        for name in sorted(self.control_planes.assumed):
            add(
                "ConfigMap",
                None,
                f"istio-{name}",
                f"no mesh ConfigMap of revision {name}, Istio's defaults are assumed",
                f"workloads of revision {name}",
            )
        for name, mesh in sorted(self.control_planes.by_name.items()):
            if mesh.doubt:
                add(
                    "ConfigMap",
                    None,
                    name,
                    f"the mesh configuration cannot be read: {mesh.doubt}",
                    f"modes and edges of every workload of revision {name}",
                )
        for contested, touched in self._contests().items():
            answers = sorted(touched)
            more = [f"and {len(answers) - _MOST_TOUCHED} more"] if len(answers) > _MOST_TOUCHED else []
            add(*contested, touches="; ".join(answers[:_MOST_TOUCHED] + more))
        for workload in self.workloads:
            if workload.doubt:
                add(
                    workload.kind,
                    workload.namespace,
                    workload.name,
                    workload.doubt,
                    f"membership, mode and edges of {workload.id}",
                )
            elif workload.mesh in ("sidecar", "gateway"):
                for name, ports in inbound_patches(workload, self.plane(workload.shape.revision)).reach().items():
                    namespace, dummy, own = name.partition("/")
                    add(
                        "EnvoyFilter",
                        namespace,
                        own,
                        "it changes listeners, which cannot be judged from manifests",
                        f"mode, ports and incoming edges of {workload.id}"
                        if 0 in ports
                        else f"incoming edges of {workload.id}, port {_shown(ports)}",
                    )
        return sorted(entries, key=lambda item: tuple(str(value) for value in item.values()))


def _inverted(value: Optional[bool]) -> Optional[bool]:
    return None if value is None else not value


def _shown(ports: Sequence[int]) -> str:
    shown = ", ".join(map(str, ports[:_MOST_TOUCHED]))
    return f"{shown} and {len(ports) - _MOST_TOUCHED} more" if len(ports) > _MOST_TOUCHED else shown


def bits(mask: int) -> Iterator[int]:
    """The places of the bits of a set of scopes."""
    digits = bin(mask)[:1:-1]
    place = digits.find("1")
    while place >= 0:
        yield place
        place = digits.find("1", place + 1)


class SetNames:
    """Names for sets of clients. A name depends on the members alone, so it is the same in every run.

    It is a sum over the members, so that the name of a set of scopes comes from the sums of the scopes: in a big mesh
    there are hundreds of sets of nearly all workloads.
    """

    def __init__(self) -> None:
        self._numbers: Dict[str, int] = {}

    def number(self, place: str) -> int:
        """What a workload adds to the sum."""
        known = self._numbers.get(place)
        if known is None:
            # Out of Ansible's own hands a name can hold half of a character.
            text = place.encode("utf-8", "surrogatepass")
            known = self._numbers[place] = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
        return known

    def of(self, ids: Iterable[str]) -> str:
        """The name of a set of workload ids."""
        return self.of_sum(sum(map(self.number, ids)))

    def of_sum(self, total: int) -> str:
        """The name of a set whose members' numbers have this sum."""
        return "clients-" + hashlib.sha256(str(total).encode()).hexdigest()[:12]


class ClientSets:
    """The sets of clients of all edges. In the compact form a set of most workloads lists those that it lacks."""

    def __init__(self, state: State, compact: bool) -> None:
        self._state = state
        self._compact = compact
        self._names: Dict[int, str] = {}
        self._set_names = SetNames()
        self._sums = [sum(map(self._set_names.number, ids)) for ids in state.judge.members]
        self._sizes = [len(ids) for ids in state.judge.members]
        self._sum, self._size = sum(self._sums), sum(self._sizes)
        self._all = (1 << len(self._sums)) - 1
        self.members: Dict[str, Any] = {}

    def name(self, mask: int) -> str:
        """The name of a set of scopes."""
        known = self._names.get(mask)
        if known is None:
            known = self._names[mask] = self._add(mask)
        return known

    def _add(self, mask: int) -> str:
        missing = self._all & ~mask
        # Whichever is the smaller side is added up.
        if bin(missing).count("1") < bin(mask).count("1"):
            without = list(bits(missing))
            total = self._sum - sum(self._sums[place] for place in without)
            most = 2 * sum(self._sizes[place] for place in without) < self._size
        else:
            total, most = sum(self._sums[place] for place in bits(mask)), False
        name = self._set_names.of_sum(total)
        if self._compact and most:
            self.members[name] = {"all_but": self._state.members(missing)}
        else:
            self.members[name] = self._state.members(mask)
        return name


def public_edges(state: State, compact: bool) -> Tuple[Dict[str, Any], List[Dict[str, Any]]]:
    """The result's `client_sets` and `edges`."""
    sets = ClientSets(state, compact)
    rows = [
        {
            "clients": sets.name(edge.clients),
            "service": edge.service,
            "host": edge.host,
            "port": edge.port,
            "subset": edge.subset,
            "endpoint": edge.endpoint,
            "client_tls": edge.client_tls,
            "verdict": edge.verdict,
            "state": edge.state,
            "reason": edge.reason,
            "part": edge.part,
            "scope": edge.scope,
        }
        for edge in state.edges
    ]
    return {name: sets.members[name] for name in sorted(sets.members)}, rows


def _count(values: Iterable[Any]) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for value in values:
        name = "none" if value is None else str(value)
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def summary(state: State, findings: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The result's `summary`."""
    return {
        "workloads": {
            "total": len(state.workloads),
            "by_mode": _count(state.mode(workload) for workload in state.workloads),
            "by_mesh": _count(workload.mesh for workload in state.workloads),
        },
        "edges": {"total": len(state.edges), "by_verdict": _count(edge.verdict for edge in state.edges)},
        "findings": {"total": len(findings), "by_severity": _count(item["severity"] for item in findings)},
        "unknown": len(state.unknown()),
    }
