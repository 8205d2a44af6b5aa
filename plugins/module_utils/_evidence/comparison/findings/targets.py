# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe found by itself, whatever others say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, List

from ...._policy.findings.kinds import Finding, FindingKind

ANY_CERTIFICATE = FindingKind(
    id="MTLS-111",
    severity="high",
    title="A server takes a client certificate that it should refuse",
    remedy="see who ends TLS there",
)

KINDS = (ANY_CERTIFICATE,)


def of_targets(targets: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of the probe by itself."""
    return [
        ANY_CERTIFICATE.at(
            f"{target.get('service') or target.get('pod')}:{target['port']}",
            "took a client certificate that it should refuse: "
            + "; ".join(
                f"{kind}: {met['detail']}" for kind, met in target["identities"].items() if met["result"] == "accepted"
            ),
            "see who ends TLS there: an EnvoyFilter, or the application itself",
        )
        for target in targets
        if target.get("identity_check") == "not enforced" and target["verdict"] == "strict"
    ]
