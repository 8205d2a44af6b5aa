# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports whose sources contradict each other, or that only somebody's proxy or the wire can tell about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Iterator, List

from ...._policy.findings.kinds import Finding, FindingKind
from ..agreement import CONTRADICTED, PERMISSIVE, PLAINTEXT, UNKNOWN

OBSERVED_OTHERWISE = FindingKind(
    id="MTLS-101",
    severity="high",
    title="The wire answers otherwise than the policies say",
    remedy="look for what keeps traffic away from the proxy: iptables rules that a failed CNI or init container never "
    "made",
)

PROGRAMMED_OTHERWISE = FindingKind(
    id="MTLS-102",
    severity="high",
    title="A proxy runs with something else than the policies say",
    remedy="see whether it is connected to istiod and took its last configuration, and for an EnvoyFilter",
)

OPEN_AND_UNDECLARED = FindingKind(
    id="MTLS-106",
    severity="high",
    title="A port of which the policies cannot be judged accepts plaintext",
    remedy="look at the object that makes it unknown",
)

KINDS = (OBSERVED_OTHERWISE, PROGRAMMED_OTHERWISE, OPEN_AND_UNDECLARED)


def of_ports(rows: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of compared ports."""
    return [found for row in rows for found in _of_port(row)]


def _of_port(row: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"{row['workload']} port {row['port']}"
    if row["declared"] == UNKNOWN:
        source = next((name for name in ("observed", "programmed") if row[name] in (PLAINTEXT, PERMISSIVE)), None)
        if source:
            yield OPEN_AND_UNDECLARED.at(
                where,
                f"is {row[source]} as {source}, and manifests do not tell why: {row['why']}",
                "look at the object that makes it unknown, such as an EnvoyFilter",
            )
        return
    if row["agreement"] != CONTRADICTED:
        return
    for name, kind in (("programmed", PROGRAMMED_OTHERWISE), ("observed", OBSERVED_OTHERWISE)):
        if row[name] not in (None, UNKNOWN, row["declared"]):
            yield kind.at(
                where, f"is {row['declared']} as declared, but {row[name]} as {name}: {row['why']}", row["cause"]
            )
