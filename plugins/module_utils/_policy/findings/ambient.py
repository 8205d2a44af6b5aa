# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What STRICT does not promise in ambient mode."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..server import STRICT
from .kinds import Finding, FindingKind
from .wording import listed

SAME_NODE = FindingKind(
    id="MTLS-027",
    severity="info",
    title="STRICT in ambient does not stop processes of the same node",
    explanation="Ambient workloads are STRICT.",
    why="Processes in the host network of the node where a pod runs (the kubelet's probes among them) reach it in "
    "plaintext. That is how ambient works, and not a mistake.",
    remedy="Keep untrusted pods with `hostNetwork` off these nodes.",
    example="""\
apiVersion: v1
kind: Namespace
metadata:
  name: demo
  labels: {istio.io/dataplane-mode: ambient}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: STRICT}
""",
)

KINDS = (SAME_NODE,)


def rules(state: State) -> Iterable[Finding]:
    """One finding for the whole mesh: it is about ambient itself."""
    strict = [w.id for w in state.workloads if w.mesh == "ambient" and state.decisions[w.id].mode == STRICT]
    if strict:
        yield SAME_NODE.at(
            "ambient",
            f"{listed(strict)} is STRICT, but processes in the host network of the same node reach it in plaintext",
            "keep untrusted hostNetwork pods off these nodes",
        )
