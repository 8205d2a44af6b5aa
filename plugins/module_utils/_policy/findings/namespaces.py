# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of namespaces that undo what others promise (semantics, sections 1 and 6)."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..records import REVISION_LABEL
from .kinds import Finding, FindingKind

BOTH_LABELS = FindingKind(
    id="MTLS-016",
    severity="medium",
    title="A namespace has both injection labels",
    explanation="The namespace is labelled `istio-injection` and `istio.io/rev`.",
    why="`istio-injection` wins: the revision that the other label names injects nothing, and an upgrade by revision "
    "leaves these workloads behind.",
    remedy="Keep one of the two labels.",
    example="""\
apiVersion: v1
kind: Namespace
metadata:
  name: demo
  labels: {istio-injection: enabled, istio.io/rev: canary}
""",
)

HIDDEN = FindingKind(
    id="MTLS-025",
    severity="high",
    title="Discovery selectors hide a namespace that has proxies",
    explanation="The mesh's `discoverySelectors` leave the namespace out, and pods in it have proxies.",
    why="The control plane does not see it: its PeerAuthentications count for nothing.",
    remedy="Label the namespace so that the selectors match it, or take it out of the mesh.",
    example="""\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    discoverySelectors:
      - matchLabels: {mesh: "yes"}
""",
)

KINDS = (BOTH_LABELS, HIDDEN)


def rules(state: State) -> Iterable[Finding]:
    """Namespaces with labels that contradict each other, or that the control plane does not see."""
    for name, namespace in state.snapshot.namespaces.items():
        if "istio-injection" in namespace.labels and REVISION_LABEL in namespace.labels:
            yield BOTH_LABELS.at(
                f"Namespace {name}",
                f"is labelled istio-injection={namespace.labels['istio-injection']} "
                f"and {REVISION_LABEL}={namespace.labels[REVISION_LABEL]}: the first wins",
                "keep one of the two labels",
            )
    hidden = {
        (workload.namespace, workload.shape.revision)
        for workload in state.workloads
        if workload.mesh != "none" and not state.plane(workload.shape.revision).sees_namespace(workload.namespace)
    }
    for name, revision in hidden:
        yield HIDDEN.at(
            f"Namespace {name}",
            f"has proxies of revision {revision}, whose discovery selectors leave it out: its policies count for "
            "nothing",
            "label it for discoverySelectors or take it out of the mesh",
        )
