# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports to which no Service leads as clients dial them (semantics, sections 3.3 and 3.5)."""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ..engine import State
from ..membership import Workload
from ..server import STRICT
from .kinds import Finding, FindingKind
from .wording import called, listed

NO_SERVICE_FOR_PORT = FindingKind(
    id="MTLS-031",
    severity="low",
    title="A STRICT port that peers reach by address is in no Service",
    explanation="A container's port is STRICT and in no Service, at a workload whose pods are dialled one by one: a "
    "StatefulSet, pods behind a headless Service, or several pods that beside it serve a port that has a Service. "
    "Ports named for metrics or health are left out.",
    why="A client's proxy knows addresses by Services only. What dials a pod's address at another port is passed on as "
    "it is, in plaintext, and STRICT refuses it: replicas, shards and sentinels that find each other by address lose "
    "each other, with nothing but a reset to see.",
    remedy="Name the port in a headless Service that selects these pods.",
    example="""\
apiVersion: v1
kind: Pod
metadata:
  name: cache-0
  namespace: demo
  labels: {app: cache, security.istio.io/tlsMode: istio}
  annotations: {sidecar.istio.io/status: '{"revision": "default"}'}
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: cache, controller: true}]
spec:
  containers:
    - {name: app, ports: [{containerPort: 7000, name: tcp-gossip}]}
    - {name: istio-proxy, args: [proxy, sidecar]}
status: {phase: Running}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache, namespace: demo}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: STRICT}
""",
)

UNSERVED_HEADLESS_PORT = FindingKind(
    id="MTLS-032",
    severity="medium",
    title="A headless Service leads to another port than its targetPort",
    explanation="A headless Service has a `targetPort` other than its `port`, and no container of its pods in the mesh "
    "declares the `port`.",
    why="Clients of a headless Service dial a pod's address at the Service's `port`; `targetPort` plays no role. At "
    "that number nothing listens, and a client that dials the `targetPort` instead is unknown to its proxy: it sends "
    "plaintext, which STRICT refuses.",
    remedy="Give `port` the number at which the container listens.",
    example="""\
apiVersion: v1
kind: Service
metadata: {name: a, namespace: demo}
spec:
  clusterIP: None
  selector: {app: a}
  ports: [{name: http, port: 80, targetPort: 8080}]
""",
)

KINDS = (NO_SERVICE_FOR_PORT, UNSERVED_HEADLESS_PORT)

_WATCHED = ("metric", "prom", "health", "probe", "live", "ready", "status", "admin", "debug", "pprof", "monitor")
"""Parts of the names of ports that kubelet or Prometheus ask, and no peer."""


class _Reached(NamedTuple):
    """How Services lead to one workload."""

    ports: Set[int]
    """The numbers that clients' proxies know."""
    one_by_one: bool
    """Whether a headless Service selects it, whose clients see each pod's address."""


def rules(state: State) -> Iterable[Finding]:
    """What each workload of the mesh serves beside its Services, and where headless ones lead."""
    reached = _reached(state)
    for workload in state.workloads:
        if workload.mesh == "sidecar" and not workload.doubt and not _unread(state, workload.namespace):
            yield from _unknown_to_proxies(state, workload, reached.get(workload.id, _Reached(set(), False)))
    yield from _headless(state)


def _unread(state: State, namespace: str) -> bool:
    """Whether a Service may exist that nobody read."""
    return state.unread.covers("Service", namespace) or state.unread.anywhere("ServiceEntry")


def _reached(state: State) -> Dict[str, _Reached]:
    found: Dict[str, _Reached] = {}
    for destination in state.destinations:
        for port in destination.ports:
            for endpoint in port.endpoints:
                if endpoint.workload is not None:
                    known = found.get(endpoint.workload.id, _Reached(set(), False))
                    # Whether the numbers of a headless one are right is another finding.
                    known.ports.update((endpoint.port, port.number) if destination.headless else (endpoint.port,))
                    found[endpoint.workload.id] = known._replace(one_by_one=known.one_by_one or destination.headless)
    return found


def _unknown_to_proxies(state: State, workload: Workload, reached: _Reached) -> Iterable[Finding]:
    """Ports that peers may dial by address; of a Deployment only named ones beside others that have a Service."""
    decision = state.decisions[workload.id]
    peers = workload.kind == "StatefulSet" or reached.one_by_one
    ports = sorted(
        {
            number
            for number, name in workload.shape.ports
            if number not in reached.ports
            and (peers or (name and reached.ports and len(workload.pods) > 1))
            and not any(word in name.lower() for word in _WATCHED)
            and workload.captures(number)
            and decision.at(number) == STRICT
        }
    )
    if ports:
        yield NO_SERVICE_FOR_PORT.at(
            called(workload),
            f"port {listed(ports)} is in no Service: clients in the mesh that dial the pods' addresses send plaintext, "
            "which STRICT refuses",
            "name the port in a headless Service that selects these pods",
        )


def _headless(state: State) -> Iterable[Finding]:
    for destination in state.destinations:
        if not destination.headless:
            continue
        wrong: List[Tuple[int, int]] = sorted(
            {
                (port.number, endpoint.port)
                for port in destination.ports
                for endpoint in port.endpoints
                if endpoint.port != port.number and _misses(endpoint.workload, port.number)
            }
        )
        if wrong:
            number, target = wrong[0]
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            yield UNSERVED_HEADLESS_PORT.at(
                f"Service {destination.name}",
                f"is headless, so clients dial port {number} of the pods, where no container listens: its targetPort "
                f"{target} plays no role{more}",
                f"make port the number at which the container listens, {target}",
            )


def _misses(workload: Optional[Workload], number: int) -> bool:
    """Whether a workload of the mesh declares no port of this number, as far as its containers say."""
    return (
        workload is not None
        and workload.mesh == "sidecar"
        and not workload.doubt
        and number not in {declared for declared, dummy in workload.shape.ports}
    )
