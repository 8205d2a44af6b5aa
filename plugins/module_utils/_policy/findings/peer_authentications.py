# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PeerAuthentications that do not do what they seem to (semantics, section 2)."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ..engine import State
from ..membership import Workload
from ..records import Labels, PeerAuthentication
from ..selecting import Selecting
from ..server import UNSET, PeerAuthenticationIndex, name_of
from ..services import Endpoint
from .kinds import Finding, FindingKind
from .wording import listed

IGNORED_IN_ROOT = FindingKind(
    id="MTLS-009",
    severity="medium",
    title="A PeerAuthentication with a selector in the root namespace is ignored",
    explanation="A PeerAuthentication with a selector counts in its own namespace only, and in the root namespace not "
    "even there.",
    why="Whoever wrote it believes that these workloads are protected.",
    remedy="Move it to the namespace of the workloads.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: a, namespace: istio-system}
spec:
  selector: {matchLabels: {app: a}}
  mtls: {mode: STRICT}
""",
)

SHADOWED = FindingKind(
    id="MTLS-010",
    severity="medium",
    title="A PeerAuthentication is shadowed by an older one",
    explanation="Two PeerAuthentications have the same scope: the mesh, a namespace, or the same workloads.",
    why="Istio takes the oldest and ignores all others; nothing is merged, port maps neither. Deleting the older one "
    "later changes the mesh without warning.",
    remedy="Keep one PeerAuthentication for each scope.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: new, namespace: demo, creationTimestamp: "2026-02-01T00:00:00Z"}
spec:
  mtls: {mode: STRICT}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: old, namespace: demo, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  mtls: {mode: PERMISSIVE}
""",
)

SELECTS_NOTHING = FindingKind(
    id="MTLS-011",
    severity="low",
    title="A PeerAuthentication selects no workload",
    explanation="No workload of its namespace has the labels of its selector.",
    why="A slip in a label leaves the workload with the mode of the namespace or the mesh.",
    remedy="Correct the selector, or delete the object.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: typo, namespace: demo}
spec:
  selector: {matchLabels: {app: aa}}
  mtls: {mode: STRICT}
""",
)

SETS_NOTHING = FindingKind(
    id="MTLS-012",
    severity="medium",
    title="A PeerAuthentication sets nothing",
    explanation="`portLevelMtls` stands without a selector, or an object with a selector has neither a mode nor ports.",
    why="Istio ignores ports without a selector. The port keeps the mode that the object was written to change.",
    remedy="Add a selector, or a mode.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: STRICT}
  portLevelMtls:
    8080: {mode: PERMISSIVE}
""",
)

SERVICE_PORT = FindingKind(
    id="MTLS-033",
    severity="medium",
    title="portLevelMtls names the port of a Service",
    explanation="`portLevelMtls` has the number of a Service's `port`, whose `targetPort` is another one; no container "
    "of the selected workloads declares the number.",
    why="The keys of `portLevelMtls` are ports of the workload. The port at which the container listens keeps the mode "
    "that this entry was written to change.",
    remedy="Name the container's port, which is the Service's `targetPort`.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: a, namespace: demo}
spec:
  selector: {matchLabels: {app: a}}
  portLevelMtls:
    80: {mode: STRICT}
""",
)

KINDS = (IGNORED_IN_ROOT, SHADOWED, SELECTS_NOTHING, SETS_NOTHING, SERVICE_PORT)


def rules(state: State) -> Iterable[Finding]:
    """What has no effect, and what does not have the one that it seems to."""
    yield from _idle(state)
    workloads: Dict[str, List[Workload]] = {}
    for workload in state.workloads:
        workloads.setdefault(workload.namespace, []).append(workload)
    targets = _targets(state)
    for peer in state.snapshot.peer_authentications:
        yield from _alone(peer)
    yield from _of_services(state.snapshot.peer_authentications, workloads, targets)


def _idle(state: State) -> Iterable[Finding]:
    """What has no effect at any control plane that reads it: those of workloads, and what clients take for a VM's."""
    places = _places(state)
    revisions: List[Optional[str]] = [*sorted({w.shape.revision for w in state.workloads if w.shape.revision})]
    if not revisions or any(endpoint.workload is None for endpoint in _endpoints(state)):
        revisions.append(None)
    found: Dict[str, List[Finding]] = {}
    counting: Set[str] = set()
    for index in {id(plane): plane.peer_authentications for plane in map(state.plane, revisions)}.values():
        for name, finding in (*_by_scope(index), *_by_selector(state, index, places)):
            if finding is None:
                counting.add(name)
            else:
                found.setdefault(name, []).append(finding)
    for name, them in found.items():
        if name not in counting:
            yield from them


class _Place(NamedTuple):
    """What a selector may select: the labels of a workload, or those that an entry gives an endpoint."""

    labels: Labels
    ambient: bool = False


def _endpoints(state: State) -> Iterable[Endpoint]:
    for destination in state.destinations:
        for port in destination.ports:
            yield from port.endpoints


def _places(state: State) -> Dict[str, List[_Place]]:
    """By namespace. Clients look up the mode of an endpoint by its own labels, whatever is there."""
    found: Dict[str, List[_Place]] = {}
    if not any(peer.selector for peer in state.snapshot.peer_authentications):
        return found
    for workload in state.workloads:
        found.setdefault(workload.namespace, []).append(_Place(workload.labels, workload.mesh == "ambient"))
    written = {
        (endpoint.namespace, tuple(sorted(endpoint.labels.items())))
        for endpoint in _endpoints(state)
        if endpoint.workload is None or endpoint.labels != endpoint.workload.labels
    }
    for namespace, labels in sorted(written):
        found.setdefault(namespace, []).append(_Place(dict(labels)))
    return found


def _targets(state: State) -> Dict[str, List[Tuple[str, int, int]]]:
    """By each workload the Services that lead to it with another port: their name, `port` and `targetPort`.

    Of a headless one clients dial the number itself.
    """
    found: Dict[str, List[Tuple[str, int, int]]] = {}
    for destination in state.destinations if state.snapshot.peer_authentications else ():
        for port in destination.ports if destination.kubernetes and not destination.headless else ():
            for endpoint in port.endpoints:
                if endpoint.workload is not None:
                    found.setdefault(endpoint.workload.id, []).append((destination.name, port.number, endpoint.port))
    return found


def _of_services(
    peers: Iterable[PeerAuthentication],
    workloads: Dict[str, List[Workload]],
    targets: Dict[str, List[Tuple[str, int, int]]],
) -> Iterable[Finding]:
    """Entries for a port that is only a Service's. A container's port need not be declared: a targetPort shows it."""
    with_ports: Dict[str, List[PeerAuthentication]] = {}
    for peer in peers:
        if peer.ports and peer.selector:
            with_ports.setdefault(peer.namespace, []).append(peer)
    for namespace, found in with_ports.items():
        selecting = Selecting(found, lambda peer: peer.selector)
        for workload in workloads.get(namespace, ()):
            led = targets.get(workload.id, ())
            own = {number for number, dummy in workload.shape.ports}
            own.update(target for dummy, dummy_port, target in led)
            foreign = [(service, port, target) for service, port, target in led if port not in own]
            for peer in selecting.of(workload.labels) if foreign else ():
                for service, port, target in foreign:
                    if port in peer.ports:
                        yield SERVICE_PORT.at(
                            _called(peer),
                            f"sets port {port}, which is the port of Service {service}: the container listens at "
                            f"{target}",
                            f"name port {target} instead",
                        )


def _called(peer: PeerAuthentication) -> str:
    return f"PeerAuthentication {name_of(peer)}"


_Told = Tuple[str, Optional[Finding]]
"""A PeerAuthentication, "ns/name", and why it has no effect; None where it has one, or may have."""


def _by_scope(index: PeerAuthenticationIndex) -> Iterable[_Told]:
    """What has no effect where it stands."""
    for peer in index.ignored:
        yield (
            name_of(peer),
            IGNORED_IN_ROOT.at(
                _called(peer),
                "has a selector and lives in the root namespace: it is ignored, also for workloads there",
                "move it to the namespace of the workloads",
            ),
        )
    for peer in (peer for found in index.scopes.values() for peer in found):
        winner = index.shadowed.get(name_of(peer))
        yield (
            name_of(peer),
            winner
            and SHADOWED.at(
                _called(peer),
                f"has no effect: {name_of(winner)} is older and has the same scope",
                "keep one PeerAuthentication for each scope",
            ),
        )


def _by_selector(
    state: State, index: PeerAuthenticationIndex, places: Mapping[str, Sequence[_Place]]
) -> Iterable[_Told]:
    """What has no effect on any workload of its namespace: none is selected, or an older one selects them all.

    Nothing is said where it is unknown which is the older.
    """
    for namespace, peers in index.workloads.items():
        groups: Dict[FrozenSet[Tuple[str, str]], List[PeerAuthentication]] = {}
        for peer in peers:
            groups.setdefault(frozenset((peer.selector or {}).items()), []).append(peer)
        over = _winners(index, namespace, list(groups.values()), places.get(namespace, ()))
        for group in groups.values():
            above = over.get(id(group), [])
            contested = any(winner.doubt for winner in above)
            older = sorted({name_of(winner) for winner in above})
            for peer in group:
                finding = None
                if not above and not state.unread.covers("Pod", namespace):
                    finding = SELECTS_NOTHING.at(
                        _called(peer), "selects no workload", "correct its selector or delete it"
                    )
                elif above and not contested and name_of(peer) not in older:
                    finding = SHADOWED.at(
                        _called(peer),
                        f"has no effect: {listed(older)} is older and selects the same workloads; port maps never"
                        " merge",
                        "merge them into one",
                    )
                yield name_of(peer), finding


def _winners(
    index: PeerAuthenticationIndex,
    namespace: str,
    groups: Sequence[List[PeerAuthentication]],
    places: Iterable[_Place],
) -> Dict[int, List[PeerAuthentication]]:
    """Who wins where a group of one selector selects something, by the group's identity.

    What the same groups select has the same winner, and is asked about once.
    """
    selecting = Selecting(groups, lambda group: group[0].selector)
    asked: Set[Tuple[int, bool]] = set()
    over: Dict[int, List[PeerAuthentication]] = {}
    for place in places:
        found = selecting.of(place.labels)
        if found and (id(found), place.ambient) not in asked:
            asked.add((id(found), place.ambient))
            winner = index.workload_policy(namespace, place.labels, place.ambient)
            if winner is not None:
                for group in found:
                    over.setdefault(id(group), []).append(winner)
    return over


def _alone(peer: PeerAuthentication) -> Iterable[Finding]:
    """What an object sets, whatever it is for."""
    if peer.ports and not peer.selector:
        yield SETS_NOTHING.at(
            _called(peer), "has portLevelMtls without a selector: the ports have no effect", "add a selector"
        )
    if peer.mode == UNSET and not peer.ports and peer.selector:
        yield SETS_NOTHING.at(_called(peer), "sets neither a mode nor ports", "set a mode")
