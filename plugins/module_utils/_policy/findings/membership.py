# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What labels or a container's name promise, and the pods are not (semantics, section 6)."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..membership import Workload, enrols, webhook_revision
from ..records import INJECT
from .kinds import Finding, FindingKind
from .wording import called

NOT_IN_THE_MESH = FindingKind(
    id="MTLS-002",
    severity="high",
    title="A workload of an enrolled namespace is not in the mesh",
    explanation="The namespace's labels promise a proxy, and the workload's pods have none: they opt out, or were "
    "created before the namespace was enrolled.",
    why="It accepts plaintext from everybody whatever the PeerAuthentication says, and sends plaintext itself. Once "
    "its peers are STRICT, it cannot reach them.",
    remedy="Remove the opt-out, or restart the workload: injection happens when a pod is created. The role "
    "`istio_namespaces` does both.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a, sidecar.istio.io/inject: "false"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

IN_THE_HOST_NETWORK = FindingKind(
    id="MTLS-004",
    severity="high",
    title="A workload in the host network can never be in the mesh",
    explanation="The namespace is enrolled, but the pods use the host network, which injection always leaves out.",
    why="The workload accepts plaintext on the node's own address and sends plaintext; no setting changes that.",
    remedy="Run it without `hostNetwork`, or move it to a namespace outside the mesh, so that nobody takes it for "
    "protected.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
    spec:
      hostNetwork: true
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

STRAY_PROXY = FindingKind(
    id="MTLS-019",
    severity="medium",
    title="A container is only named like the proxy",
    explanation="A container is named `istio-proxy`, but the pod has no annotation `sidecar.istio.io/status`, which "
    "injection leaves.",
    why="Nothing shows that traffic passes through it; the workload counts as outside the mesh.",
    remedy="Let the injection webhook create the proxy.",
    example="""\
apiVersion: v1
kind: Pod
metadata: {name: handmade, namespace: demo, labels: {app: handmade}}
spec:
  containers:
    - {name: app, ports: [{containerPort: 8080}]}
    - {name: istio-proxy, args: [proxy, sidecar]}
status: {phase: Running}
""",
)

KINDS = (NOT_IN_THE_MESH, IN_THE_HOST_NETWORK, STRAY_PROXY)


def rules(state: State) -> Iterable[Finding]:
    """Workloads whose membership is not what it seems."""
    enrolled = {name for name, namespace in state.snapshot.namespaces.items() if enrols(namespace.labels)}
    for workload in state.workloads:
        if workload.shape.stray_proxy:
            yield STRAY_PROXY.at(
                called(workload),
                "has a container named istio-proxy, but its pods lack the annotation "
                "sidecar.istio.io/status, so nothing shows that traffic passes through it",
                "let the injection webhook create the proxy",
            )
        if workload.mesh == "none" and not workload.doubt and workload.namespace in enrolled:
            yield _left_out(workload, _silent_label(state, workload))


def _silent_label(state: State, workload: Workload) -> str:
    """The label that asks for a sidecar and that no injection webhook listens to; "" where that is not the cause.

    Without any webhook in the input, as in manifests out of Git, nothing is known of them.
    """
    planes, labels = state.control_planes, state.snapshot.namespaces[workload.namespace].labels
    asked = webhook_revision(labels, workload.labels)
    if asked is None or not planes.revisions or state.unread.anywhere("MutatingWebhookConfiguration"):
        return ""
    if asked in planes.revisions or asked in planes.tags or asked in planes.contested:
        return ""
    return "istio-injection=enabled" if "istio-injection" in labels else f"istio.io/rev={asked}"


def _left_out(workload: Workload, silent: str) -> Finding:
    """A workload outside the mesh in a namespace that is enrolled."""
    if workload.shape.host_network:
        return IN_THE_HOST_NETWORK.at(
            called(workload),
            "uses the host network and is never injected: it accepts plaintext",
            "run it without hostNetwork, or move it to a namespace outside the mesh",
        )
    if workload.labels.get(INJECT) == "false" or workload.shape.inject_annotation == "false":
        why, fix = "opts out of injection", f'remove {INJECT}: "false" from its pod template and restart it'
    elif workload.predicted:
        why, fix = "would get no proxy", "label its namespace or pod template for injection"
    elif silent:
        why = f"has pods that were created without a proxy, and no injection webhook listens to {silent}"
        fix = "install that revision, or label its namespace for one that is there, then restart it"
    else:
        why, fix = "has pods that were created without a proxy", "restart it, injection happens when a pod is created"
    return NOT_IN_THE_MESH.at(
        called(workload), f"is not in the mesh although namespace {workload.namespace} is enrolled: it {why}", fix
    )
