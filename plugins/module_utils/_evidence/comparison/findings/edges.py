# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of which sources contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, List

from ...._policy.findings.kinds import Finding, FindingKind
from ..agreement import CONTRADICTED

OTHERWISE = FindingKind(
    id="MTLS-103",
    severity="high",
    title="A connection is not what the policies say",
    remedy="look for clients that call pods' addresses, or whose proxy does not take the traffic; for telemetry, "
    "choose a window that begins after the last change",
)

KINDS = (OTHERWISE,)


def of_edges(edges: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of compared edges."""
    return [
        OTHERWISE.at(
            f"{edge['clients']} to {edge['service']}:{edge['port']}"
            + (f" at {edge['endpoint']}" if edge["endpoint"] else ""),
            f"is {edge['verdict']} as declared, {edge['programmed'] or 'not asked'} as programmed, "
            f"{edge['observed'] or 'not asked'} as observed: {edge['reason']}",
            edge["cause"],
        )
        for edge in edges
        if edge["agreement"] == CONTRADICTED
    ]
