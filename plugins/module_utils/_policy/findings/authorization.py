# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthorizationPolicies that refuse plaintext where the mode accepts it; they do not encrypt (semantics, section 7)."""

from __future__ import annotations

from typing import Dict, Iterable, List

from ..engine import State
from ..membership import Workload, matches
from ..records import Authorization
from .kinds import Finding, FindingKind
from .wording import called

IDENTITY_OVER_PLAINTEXT = FindingKind(
    id="MTLS-024",
    severity="info",
    title="An AuthorizationPolicy demands an identity where plaintext is accepted",
    explanation="A policy refuses callers without a mesh identity, at a workload whose port accepts plaintext "
    "connections.",
    why="Such requests are refused, but only after they were sent in the clear. A policy does not encrypt.",
    remedy="Set STRICT, so that they are refused before anything is sent.",
    example="""\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: known-callers, namespace: demo}
spec:
  rules:
    - from: [{source: {principals: ["*"]}}]
""",
)

KINDS = (IDENTITY_OVER_PLAINTEXT,)


def rules(state: State) -> Iterable[Finding]:
    """Every policy that demands an identity, at every workload that accepts plaintext."""
    policies: Dict[str, List[Authorization]] = {}
    for policy in state.snapshot.authorizations:
        if policy.demands_identity and not policy.targets:
            policies.setdefault(policy.namespace, []).append(policy)
    for workload in state.workloads if policies else ():
        if not _accepts_plaintext(state, workload):
            continue
        root = state.plane(workload.shape.revision).mesh.root_namespace
        for namespace in sorted({workload.namespace, root}):
            for policy in policies.get(namespace, ()):
                if matches(policy.selector, workload.labels):
                    yield IDENTITY_OVER_PLAINTEXT.at(
                        called(workload),
                        f"accepts plaintext connections, and AuthorizationPolicy {policy.namespace}/{policy.name} then "
                        "refuses requests without a mesh identity",
                        "set STRICT to refuse them before anything is sent",
                    )


def _accepts_plaintext(state: State, workload: Workload) -> bool:
    """Whether a port that a proxy serves accepts plaintext."""
    return workload.mesh in ("sidecar", "ambient") and any(
        port.acceptance.captured and port.acceptance.plaintext == "accepted" for port in state.ports[workload.id]
    )
