# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe found by itself, whatever others say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Iterator, List

from ...._policy.findings.kinds import Finding, FindingKind

ANY_CERTIFICATE = FindingKind(
    id="MTLS-111",
    severity="high",
    title="A server takes a client certificate that it should refuse",
    remedy="see who ends TLS there",
)

SOMEBODY_ELSE = FindingKind(
    id="MTLS-113",
    severity="high",
    title="A server shows another identity than its workload's",
    remedy="see what answers at that address: another workload, or a proxy with somebody else's certificate",
)

KINDS = (ANY_CERTIFICATE, SOMEBODY_ELSE)

_ASKS_NOBODY = ("plaintext", "permissive")
"""What takes plaintext, too, asks no identity anyway."""


def of_targets(targets: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of the probe by itself."""
    return [found for target in targets for found in _of_target(target)]


def _of_target(target: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"{target.get('service') or target.get('pod')}:{target['port']}"
    if target.get("identity_check") == "not enforced" and target["verdict"] not in _ASKS_NOBODY:
        taken = (
            f"{kind}: {met['detail']}" for kind, met in target["identities"].items() if met["result"] == "accepted"
        )
        yield ANY_CERTIFICATE.at(
            where,
            f"took a client certificate that it should refuse: {'; '.join(taken)}",
            "see who ends TLS there: an EnvoyFilter, or the application itself",
        )
    strangers = [item for item in target["endpoints"] if _is_stranger(item)]
    if strangers:
        first = strangers[0]
        yield SOMEBODY_ELSE.at(
            where,
            f"{len(strangers)} of {len(target['endpoints'])} endpoints show another identity: {first['address']} "
            f"({first['pod']}) shows {first['identity']}, and must show {first['identity_expected']}",
            SOMEBODY_ELSE.remedy,
        )


def _is_stranger(endpoint: Mapping[str, Any]) -> bool:
    """Of certificates that the mesh did not issue, as an application's own, nothing is expected."""
    return endpoint.get("identity_fits") is False and bool(endpoint.get("identity_verified"))
