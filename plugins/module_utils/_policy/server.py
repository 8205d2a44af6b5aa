# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server accepts: the effective mode of a workload and of each port (semantics, sections 2 and 5)."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from .ages import contest, eldest_of
from .membership import Workload
from .records import UNDATED, Labels, PeerAuthentication
from .selecting import Selecting
from .unread import Unread

STRICT, PERMISSIVE, DISABLE, UNSET, UNKNOWN = "STRICT", "PERMISSIVE", "DISABLE", "UNSET", "unknown"


class Decision(NamedTuple):
    """The effective mode of one set of labels in one namespace."""

    mode: str
    policy: Optional[str]
    """The PeerAuthentication that decides `mode`, "ns/name"."""
    ports: Dict[int, str]
    port_policy: Optional[str]
    """The winning workload PeerAuthentication, to which `ports` belongs."""
    doubt: str = ""
    """Why a mode or port is unknown."""

    def at(self, port: int) -> str:
        """The mode at a container port."""
        return self.ports.get(port, self.mode)

    def exception_at(self, port: int) -> Optional[str]:
        """The PeerAuthentication that decides the mode at a port where it is not `policy`, else None."""
        return self.port_policy if port in self.ports and self.port_policy != self.policy else None

    def why(self, port: int) -> str:
        """What decides the mode at a port, in words."""
        if self.doubt and self.at(port) == UNKNOWN:
            return self.doubt
        if port in self.ports:
            return f"PeerAuthentication {self.port_policy} makes port {port} {self.ports[port]}"
        if self.mode == UNKNOWN:
            return "PeerAuthentications that could decide the mode were not read"
        if self.policy is None:
            return "no PeerAuthentication sets a mode, so it is PERMISSIVE"
        return f"PeerAuthentication {self.policy} is {self.mode}"


UNREADABLE = Decision(UNKNOWN, None, {}, None)


def name_of(peer: PeerAuthentication) -> str:
    """ns/name."""
    return f"{peer.namespace}/{peer.name}"


def eldest(peers: List[PeerAuthentication], ambient: bool = False) -> PeerAuthentication:
    """The one that counts of those of one scope, given in Istio's order.

    Where it cannot be told which is the oldest and they say different things, what they differ in is unknown: a
    stand-in says so. Istio's code for ambient does not even compare the names of equally old ones (authorization.go
    getOldestPeerAuthn).
    """
    rivals = eldest_of(peers, ties=ambient)
    first = rivals[0]
    if all((peer.mode, peer.ports) == (first.mode, first.ports) for peer in rivals):
        return first
    mode = first.mode if all(peer.mode == first.mode for peer in rivals) else UNKNOWN
    ports = {port for peer in rivals for port in peer.ports}
    return first._replace(
        name=" or ".join(peer.name for peer in rivals),
        mode=mode,
        ports={
            port: first.ports[port]
            if all(peer.ports.get(port) == first.ports.get(port) for peer in rivals)
            else UNKNOWN
            for port in ports
        },
        doubt=contest("PeerAuthentication", rivals, "counts"),
    )


def _possible(peers: Sequence[PeerAuthentication]) -> List[PeerAuthentication]:
    """Those of some, given in Istio's order, that may be the oldest of those with their selector."""
    same: Dict[FrozenSet[Tuple[str, str]], List[PeerAuthentication]] = {}
    for peer in peers:
        same.setdefault(frozenset((peer.selector or {}).items()), []).append(peer)
    kept = {id(peer) for found in same.values() for peer in eldest_of(found, ties=True)}
    return [peer for peer in peers if id(peer) in kept or peer.age == UNDATED]


class PeerAuthenticationIndex:
    """The PeerAuthentications that one control plane sees.

    pilot/pkg/model/authentication.go addPeerAuthentication, pilot/pkg/security/authn/policy_applier.go
    ComposePeerAuthentication. In each scope the oldest wins (then name, then namespace) and losers vanish completely.
    """

    def __init__(self, peers: List[PeerAuthentication], root: str, unread: Unread) -> None:
        self.root = root
        self._peers = peers
        self._opened: Optional[PeerAuthenticationIndex] = None
        self.mesh: Optional[PeerAuthentication] = None
        self.namespaces: Dict[str, PeerAuthentication] = {}
        self.workloads: Dict[str, List[PeerAuthentication]] = {}
        self.ignored: List[PeerAuthentication] = []
        self.scopes: Dict[str, List[PeerAuthentication]] = {}
        """Those without a selector by their namespace, in Istio's order."""
        self.shadowed: Dict[str, PeerAuthentication] = {}
        self._unread = unread
        self._decisions: Dict[object, Decision] = {}
        self._selecting: Dict[str, Selecting[PeerAuthentication]] = {}
        self._eldest: Dict[Tuple[int, bool], Optional[PeerAuthentication]] = {}
        """The winner of those that select something, by the identity of their tuple and whether it is for ztunnel."""
        for peer in sorted(peers, key=lambda item: (item.age, item.name, item.namespace)):
            self._add(peer)
        self._ambient_namespaces: Dict[str, PeerAuthentication] = {}
        self._ambient_mesh: Optional[PeerAuthentication] = None
        for namespace, found in self.scopes.items():
            winner = eldest(found)
            if namespace == root:
                self.mesh = winner
                # To ztunnel an empty selector of a mesh policy is one that selects nothing.
                self._ambient_mesh = eldest(
                    [peer if peer.nil_selector else peer._replace(mode=UNSET) for peer in found], ambient=True
                )
            else:
                self.namespaces[namespace] = winner
                self._ambient_namespaces[namespace] = eldest(found, ambient=True)
            if winner is found[0]:
                self.shadowed.update((name_of(peer), winner) for peer in found[1:])

    def _add(self, peer: PeerAuthentication) -> None:
        """Scope: no selector in root is the mesh, elsewhere the namespace; a selector in root is ignored."""
        if peer.selector:
            if peer.namespace == self.root:
                self.ignored.append(peer)
            else:
                self.workloads.setdefault(peer.namespace, []).append(peer)
        else:
            self.scopes.setdefault(peer.namespace, []).append(peer)

    def opened(self) -> PeerAuthenticationIndex:
        """The same, were every DISABLE a PERMISSIVE."""
        if self._opened is None:

            def opened(mode: str) -> str:
                return PERMISSIVE if mode == DISABLE else mode

            found = [
                peer._replace(mode=opened(peer.mode), ports={port: opened(mode) for port, mode in peer.ports.items()})
                for peer in self._peers
            ]
            self._opened = PeerAuthenticationIndex(found, self.root, self._unread)
        return self._opened

    def decide_namespace(self, namespace: str) -> Decision:
        """The effective mode of a namespace, from which clients infer."""
        return self._compose(namespace, None)

    def namespace_mode(self, namespace: str) -> str:
        """The mode by namespace, else mesh: all that clients infer from (GetNamespaceMutualTLSMode)."""
        return self._compose(namespace, None).mode

    def namespace_why(self, namespace: str) -> str:
        """What decides namespace_mode, in words."""
        decision = self._compose(namespace, None)
        if decision.mode == UNKNOWN:
            return decision.doubt or "PeerAuthentications from which auto-mTLS infers were not read"
        return f"PeerAuthentication {decision.policy} is {decision.mode}"

    def workload_policy(self, namespace: str, labels: Labels, ambient: bool = False) -> Optional[PeerAuthentication]:
        """The winning PeerAuthentication with a selector."""
        selecting = self._selecting.get(namespace)
        if selecting is None:
            possible = _possible(self.workloads.get(namespace, ()))
            selecting = self._selecting[namespace] = Selecting(possible, lambda peer: peer.selector)
        found = selecting.of(labels)
        key = (id(found), ambient)
        if key not in self._eldest:
            self._eldest[key] = eldest(list(found), ambient) if found else None
        return self._eldest[key]

    def decide(self, namespace: str, labels: Labels) -> Decision:
        """The effective mode for labels in a namespace, as a sidecar enforces it."""
        return self._remember(namespace, self.workload_policy(namespace, labels), ambient=False)

    def decide_ambient(self, namespace: str, labels: Labels) -> Decision:
        """The effective mode for labels in a namespace, as ztunnel enforces it; see _ambient."""
        return self._remember(namespace, self.workload_policy(namespace, labels, ambient=True), ambient=True)

    def _remember(self, namespace: str, own: Optional[PeerAuthentication], ambient: bool) -> Decision:
        # A stand-in has no name of its own.
        key = (namespace, ambient, own and (own.name, own.doubt, own.mode, tuple(sorted(own.ports.items()))))
        found = self._decisions.get(key)
        if found is None:
            found = self._ambient(namespace, own) if ambient else self._compose(namespace, own)
            self._decisions[key] = found
        return found

    def _compose(self, namespace: str, own: Optional[PeerAuthentication], ambient: bool = False) -> Decision:
        """Workload, else namespace, else mesh, else PERMISSIVE; UNSET passes on. Ports only from the workload's."""
        if self._unread.covers("PeerAuthentication", namespace):
            return UNREADABLE
        mesh = self._ambient_mesh if ambient else self.mesh
        chain = (own, (self._ambient_namespaces if ambient else self.namespaces).get(namespace), mesh)
        decider = next((peer for peer in chain if peer is not None and peer.mode != UNSET), None)
        mode, policy = (decider.mode, name_of(decider)) if decider else (PERMISSIVE, None)
        doubt = (own.doubt if own else "") or (decider.doubt if decider and mode == UNKNOWN else "")
        if (decider is None or decider is mesh) and self._unread.covers("PeerAuthentication", self.root):
            mode, policy = UNKNOWN, None
        ports = {port: mode if value == UNSET else value for port, value in own.ports.items()} if own else {}
        return Decision(mode, policy, ports, name_of(own) if own else None, doubt)

    def _ambient(self, namespace: str, own: Optional[PeerAuthentication]) -> Decision:
        """ztunnel's view: deny rules on callers without identity, so DISABLE opens like PERMISSIVE.

        pilot/pkg/serviceregistry/ambient/authorization.go. Its own corners: a mesh policy with an empty selector does
        not count; under an inherited STRICT a port with DISABLE is opened only beside one with PERMISSIVE; and one
        combination refers to a policy that is never generated.
        """
        decision = self._compose(namespace, own, ambient=True)
        if decision is UNREADABLE or own is None or not own.ports:
            return decision
        if own.mode not in (UNSET, UNKNOWN) or decision.mode not in (STRICT, UNKNOWN):
            return decision
        home = self._ambient_namespaces.get(namespace)
        values = set(own.ports.values())
        if UNKNOWN in (own.mode, decision.mode, *values):
            # Whether one of the corners is met cannot be told.
            fallen = home is not None and home.mode in (UNSET, UNKNOWN) and not values.isdisjoint((PERMISSIVE, UNKNOWN))
            doubtful = (DISABLE, UNKNOWN, STRICT) if fallen else (DISABLE, UNKNOWN)
            ports = {port: UNKNOWN if value in doubtful else value for port, value in decision.ports.items()}
            return decision._replace(mode=UNKNOWN if fallen else decision.mode, ports=ports)
        if PERMISSIVE not in values:
            return decision._replace(ports=dict.fromkeys(own.ports, STRICT))
        if home is not None and home.mode == UNSET:
            return Decision(UNKNOWN, decision.policy, {}, decision.port_policy)
        return decision


class Acceptance(NamedTuple):
    """What one port of a workload does with a caller without a mesh certificate."""

    mode: Optional[str]
    captured: bool
    plaintext: str  # accepted | refused | unknown


def accepts(workload: Workload, decision: Decision, port: int) -> Acceptance:
    """The listener's answer (pilot/pkg/networking/core/filterchain_options.go); a bypassing port answers itself."""
    if workload.doubt:
        return Acceptance(UNKNOWN, False, UNKNOWN)
    if workload.mesh == "none":
        return Acceptance(None, False, "accepted")
    mode = decision.at(port)
    if not workload.captures(port):
        return Acceptance(mode, False, "accepted")
    if mode == UNKNOWN:
        return Acceptance(mode, True, UNKNOWN)
    return Acceptance(mode, True, "refused" if mode == STRICT else "accepted")
