# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How injection is asked for (semantics, section 6)."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..records import INJECT
from .kinds import Finding, FindingKind
from .wording import called

BY_ANNOTATION = FindingKind(
    id="MTLS-001",
    severity="medium",
    title="Injection is asked for by the deprecated annotation",
    explanation="The pod template has the annotation `sidecar.istio.io/inject` instead of the label of that name.",
    why="The webhook looks at labels before it is called and at the annotation only once it was. In a namespace that "
    "is not enrolled the annotation alone injects nothing, and the workload stays outside the mesh without anybody "
    "noticing.",
    remedy="Replace the annotation by the pod label `sidecar.istio.io/inject`.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
      annotations: {sidecar.istio.io/inject: "true"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
""",
)

KINDS = (BY_ANNOTATION,)


def rules(state: State) -> Iterable[Finding]:
    """The annotation is read only once a webhook was called, so it alone injects nothing.

    Beside a label that says the same it does no harm; Istio's own charts have both.
    """
    for template in state.snapshot.templates:
        value = template.annotations.get(INJECT)
        if value is not None and value != template.labels.get(INJECT):
            yield _by_annotation(f"Deployment {template.namespace}/{template.name}", value)
    for workload in state.workloads:
        value = workload.shape.inject_annotation
        if value is not None and value != workload.labels.get(INJECT):
            yield _by_annotation(called(workload), value)


def _by_annotation(thing: str, value: str) -> Finding:
    effect = (
        "in a namespace that is not enrolled it does nothing"
        if value == "true"
        else "the label decides where both exist"
    )
    return BY_ANNOTATION.at(
        thing, f'uses the deprecated annotation {INJECT}: "{value}"; {effect}', "use the pod label of the same name"
    )
