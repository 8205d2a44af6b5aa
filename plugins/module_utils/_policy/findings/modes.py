# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes that accept plaintext (semantics, section 2)."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..server import DISABLE, PERMISSIVE, STRICT
from .kinds import Finding, FindingKind
from .wording import called, listed

OPEN = FindingKind(
    id="MTLS-006",
    severity="medium",
    title="A workload is PERMISSIVE",
    explanation="Its effective mode is PERMISSIVE, set by a PeerAuthentication or by Istio's default.",
    why="It accepts plaintext beside mutual TLS. That is right while clients are moved into the mesh, and proves "
    "nothing.",
    remedy="Set STRICT once no client needs plaintext. `status_info` with `proposed`, or `istio_mtls --check --diff`, "
    "shows first which clients that would break.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: PERMISSIVE}
""",
)

WITHOUT_TLS = FindingKind(
    id="MTLS-007",
    severity="high",
    title="A workload is DISABLE",
    explanation="Its effective mode is DISABLE.",
    why="It takes no mutual TLS at all: everything that reaches it is plaintext, and clients with a rule for "
    "ISTIO_MUTUAL break.",
    remedy="Set PERMISSIVE, then STRICT. Where clients would then send mutual TLS to what cannot take it the finding "
    "names it: mend that before.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: DISABLE}
""",
)

EXCEPTED_PORT = FindingKind(
    id="MTLS-008",
    severity="medium",
    title="A port of a STRICT workload is excepted",
    explanation="The workload is STRICT, and `portLevelMtls` sets another mode for some of its ports.",
    why="The exception is easily forgotten: the workload looks STRICT in every list of modes.",
    remedy="Remove the port from `portLevelMtls`.",
    example="""\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: a, namespace: demo}
spec:
  selector: {matchLabels: {app: a}}
  mtls: {mode: STRICT}
  portLevelMtls:
    8080: {mode: PERMISSIVE}
""",
)

KINDS = (OPEN, WITHOUT_TLS, EXCEPTED_PORT)


def rules(state: State) -> Iterable[Finding]:
    """At most one finding for each workload."""
    for workload in state.workloads:
        decision = state.decisions[workload.id]
        by = f"PeerAuthentication {decision.policy}" if decision.policy else "no PeerAuthentication sets a mode"
        if decision.mode == PERMISSIVE:
            yield OPEN.at(
                called(workload),
                f"is PERMISSIVE and accepts plaintext ({by})",
                "set STRICT once no client needs plaintext",
            )
        elif decision.mode == DISABLE:
            broken = sorted(state.judge.disabled.get(decision.policy or "", ()))
            yield WITHOUT_TLS.at(
                called(workload),
                f"is DISABLE ({by})",
                f"before you set PERMISSIVE, then STRICT, mend what could not take mutual TLS: {broken[0]}"
                if broken
                else "set PERMISSIVE, then STRICT",
            )
        elif decision.mode == STRICT:
            ports = sorted(port for port, mode in decision.ports.items() if mode != STRICT)
            if ports:
                yield EXCEPTED_PORT.at(
                    called(workload),
                    f"is STRICT but PeerAuthentication {decision.port_policy} lets plaintext in on port "
                    f"{listed(ports)}",
                    "remove the port from portLevelMtls, after its clients in the mesh send mutual TLS",
                )
