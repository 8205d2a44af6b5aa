# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a pod of the mesh from getting ready: who asks it, and whom it asks, past its proxy."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..membership import Workload
from ..server import STRICT
from .kinds import Finding, FindingKind
from .wording import called, listed

PROBED = FindingKind(
    id="MTLS-036",
    severity="high",
    title="A kubelet probe meets a STRICT port",
    explanation="A probe by HTTP or gRPC is not led to the proxy's agent, and its port is STRICT: the annotation "
    '`sidecar.istio.io/rewriteAppHTTPProbers: "false"`, or injection without that rewriting.',
    why="The kubelet has no mesh certificate, so the proxy refuses it. The pod never gets ready, or is restarted again "
    "and again.",
    remedy="Remove the annotation and restart the workload; or ask a port that `portLevelMtls` makes PERMISSIVE.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {sidecar.istio.io/rewriteAppHTTPProbers: "false"}
    spec:
      containers:
        - name: app
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: 8080}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: STRICT}
""",
)

BEFORE_THE_PROXY = FindingKind(
    id="MTLS-037",
    severity="low",
    title="An init container that seems to call others runs before the proxy",
    explanation="The workload's proxy is no native sidecar, or stands behind it, and an init container's name speaks "
    "of waiting, checking, migrating or registering.",
    why="What it sends is plaintext, which a STRICT server refuses; where the redirection is already there it reaches "
    "nobody at all. The pod then waits in its init container, and every verdict about its connections is right.",
    remedy="Use native sidecars (Kubernetes 1.29 or later, and `ENABLE_NATIVE_SIDECARS` of istiod), or do it in the "
    "application.",
    example="""\
apiVersion: v1
kind: Pod
metadata:
  name: a-0
  namespace: demo
  labels: {app: a, security.istio.io/tlsMode: istio}
  annotations: {sidecar.istio.io/status: '{"revision": "default"}'}
spec:
  initContainers:
    - {name: wait-for-db}
  containers:
    - {name: app, ports: [{containerPort: 8080}]}
    - {name: istio-proxy, args: [proxy, sidecar]}
status: {phase: Running}
""",
)

KINDS = (PROBED, BEFORE_THE_PROXY)

_CALLING = ("wait", "ready", "check", "migrat", "regist", "depend", "probe", "health", "seed", "bootstrap")
"""Parts of the names of init containers that hardly work without calling somebody."""


def rules(state: State) -> Iterable[Finding]:
    """Each workload with a sidecar. In ambient neither happens: ztunnel lets the kubelet in, and is there before."""
    for workload in state.workloads:
        if workload.mesh == "sidecar" and not workload.doubt:
            yield from _probed(state, workload)
            early = [name for name in workload.shape.early if any(part in name.lower() for part in _CALLING)]
            if early:
                yield BEFORE_THE_PROXY.at(
                    called(workload),
                    f"runs init container {listed(early)} before its proxy: what it sends to others is plaintext or "
                    "reaches nobody, and STRICT servers refuse it",
                    "use native sidecars, or do it in the application",
                )


def _probed(state: State, workload: Workload) -> Iterable[Finding]:
    decision = state.decisions[workload.id]
    ports = [port for port in workload.shape.probes if workload.captures(port) and decision.at(port) == STRICT]
    if ports:
        yield PROBED.at(
            called(workload),
            f"has a kubelet probe by HTTP or gRPC of port {listed(ports)}, which is not led to the proxy's agent and "
            "is STRICT: it is refused",
            'remove sidecar.istio.io/rewriteAppHTTPProbers: "false" and restart it',
        )
