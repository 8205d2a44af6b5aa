# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that no proxy sees (semantics, section 7)."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..membership import Workload, matches
from ..records import PROXY_PORTS
from .kinds import Finding, FindingKind
from .wording import called, listed

BYPASSED_PORT = FindingKind(
    id="MTLS-003",
    severity="high",
    title="A port bypasses the proxy",
    explanation="Annotations or the redirection's own arguments leave inbound ports out of the proxy.",
    why="No policy reaches such a port: it accepts plaintext although the workload is STRICT, and clients that send "
    "mutual TLS to it break, because nobody takes the TLS off.",
    remedy="Remove `traffic.sidecar.istio.io/excludeInboundPorts` or `includeInboundPorts` and restart the workload.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {traffic.sidecar.istio.io/excludeInboundPorts: "8080"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

NOT_TCP = FindingKind(
    id="MTLS-005",
    severity="medium",
    title="UDP and SCTP are never captured",
    explanation="A workload or Service of the mesh serves UDP or SCTP.",
    why="The proxy takes TCP only. This traffic is neither encrypted nor subject to any policy.",
    remedy="Encrypt in the application (DTLS, QUIC), or close the port.",
    example="""\
apiVersion: v1
kind: Service
metadata: {name: a, namespace: demo}
spec:
  selector: {app: a}
  ports: [{name: dns, port: 53, protocol: UDP}]
""",
)

NO_INTERCEPTION = FindingKind(
    id="MTLS-018",
    severity="high",
    title="The proxy captures nothing",
    explanation="The workload runs with `interceptionMode: NONE`.",
    why="There is a proxy, and no traffic is led through it unless the application does so by itself: policies do not "
    "count.",
    remedy="Use REDIRECT or TPROXY.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {sidecar.istio.io/interceptionMode: NONE}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

EXCLUDED_INTERFACES = FindingKind(
    id="MTLS-020",
    severity="low",
    title="Network interfaces are excluded from capture",
    explanation="The annotation `traffic.sidecar.istio.io/excludeInterfaces` names interfaces.",
    why="Whatever comes or goes through them bypasses the proxy.",
    remedy="Remove the annotation, unless these interfaces reach no other workload.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {traffic.sidecar.istio.io/excludeInterfaces: eth1}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

BYPASSED_OUTBOUND = FindingKind(
    id="MTLS-021",
    severity="medium",
    title="Outbound traffic bypasses the proxy",
    explanation="Annotations leave outbound ports or address ranges out of the proxy.",
    why="This traffic is sent as the application writes it. A STRICT server refuses it, any other one takes it in "
    "plaintext.",
    remedy="Remove the `traffic.sidecar.istio.io` annotations for outbound traffic; name hosts outside the mesh by a "
    "ServiceEntry.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "80"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

AMBIENT_BYPASS = FindingKind(
    id="MTLS-028",
    severity="high",
    title="An ambient workload is excluded from inbound capture",
    explanation='Its pods have the annotation `ambient.istio.io/bypass-inbound-capture: "true"`.',
    why="ztunnel does not take what arrives: no policy reaches the workload, and it accepts plaintext.",
    remedy="Remove the annotation and restart the workload.",
    example="""\
apiVersion: v1
kind: Namespace
metadata:
  name: demo
  labels: {istio.io/dataplane-mode: ambient}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {ambient.istio.io/bypass-inbound-capture: "true"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

KINDS = (BYPASSED_PORT, NOT_TCP, NO_INTERCEPTION, EXCLUDED_INTERFACES, BYPASSED_OUTBOUND, AMBIENT_BYPASS)


def rules(state: State) -> Iterable[Finding]:
    """What each workload leaves out, and what Services offer that is never captured."""
    for workload in state.workloads:
        yield from _not_tcp(workload)
        if workload.mesh == "ambient" and workload.shape.ambient_bypass:
            yield AMBIENT_BYPASS.at(
                called(workload),
                "has ambient.istio.io/bypass-inbound-capture: no policy reaches it",
                "remove the annotation",
            )
        if workload.mesh == "sidecar" and not workload.doubt:
            yield from _inbound(state, workload)
            yield from _elsewhere(workload)
    yield from _services(state)


def _not_tcp(workload: Workload) -> Iterable[Finding]:
    if workload.shape.udp_ports and workload.mesh != "none":
        ports = sorted({number for number, dummy in workload.shape.udp_ports})
        yield NOT_TCP.at(
            called(workload),
            f"serves UDP or SCTP on port {listed(ports)}, which is never captured nor encrypted",
            "encrypt in the application or close the port",
        )


def _inbound(state: State, workload: Workload) -> Iterable[Finding]:
    """What reaches a sidecar's workload past the sidecar."""
    inbound = workload.shape.capture.inbound
    if any(rule.mode == "NONE" for rule in inbound):
        yield NO_INTERCEPTION.at(
            called(workload), "runs with interceptionMode NONE: its proxy captures nothing", "use REDIRECT or TPROXY"
        )
        return
    named = {port for rule in inbound if rule.include is None for port in rule.exclude} - PROXY_PORTS
    served = {port.number for port in state.ports[workload.id] if not port.acceptance.captured}
    if named or served:
        yield BYPASSED_PORT.at(
            called(workload),
            f"port {listed(sorted(named | served))} bypasses the proxy: PeerAuthentication does not reach it and mTLS "
            "clients break",
            "remove traffic.sidecar.istio.io/excludeInboundPorts or includeInboundPorts and restart it",
        )


def _elsewhere(workload: Workload) -> Iterable[Finding]:
    """What a sidecar's workload sends past the sidecar, or exchanges over other interfaces."""
    capture = workload.shape.capture
    if capture.exclude_interfaces:
        yield EXCLUDED_INTERFACES.at(
            called(workload),
            f"traffic on {capture.exclude_interfaces} bypasses the proxy",
            "remove traffic.sidecar.istio.io/excludeInterfaces",
        )
    if capture.outbound is not None:
        yield BYPASSED_OUTBOUND.at(
            called(workload),
            "some of its outbound traffic bypasses its proxy and is sent as it is",
            "remove the outbound traffic.sidecar.istio.io annotations, or use a ServiceEntry",
        )


def _services(state: State) -> Iterable[Finding]:
    """Services that offer UDP or SCTP of a workload of the mesh, which need not name the port itself."""
    for service in state.snapshot.services:
        ports = sorted(port.number for port in service.ports if port.protocol == "udp")
        if not ports or not service.selector:
            continue
        if any(
            workload.mesh != "none"
            and workload.namespace == service.namespace
            and matches(service.selector, workload.labels)
            for workload in state.workloads
        ):
            yield NOT_TCP.at(
                f"Service {service.namespace}/{service.name}",
                f"serves UDP or SCTP on port {listed(ports)}, which is never captured nor encrypted",
                "encrypt in the application or close the port",
            )
