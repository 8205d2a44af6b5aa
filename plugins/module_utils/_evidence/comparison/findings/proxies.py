# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies by themselves: what they say of their own state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Iterator, List

from ...._policy.findings.kinds import Finding, FindingKind
from ...envoy.records import Proxy

CUT_OFF = FindingKind(
    id="MTLS-104",
    severity="high",
    title="A proxy is cut off from istiod",
    remedy="let it reach istiod's port 15012; until then it keeps what it had",
)

REFUSED = FindingKind(
    id="MTLS-105",
    severity="high",
    title="A proxy refused its last configuration",
    remedy="correct the object that its message names, often an EnvoyFilter",
)

SILENT = FindingKind(
    id="MTLS-112",
    severity="low",
    title="A proxy did not answer",
    remedy="see why, and run it again",
)

KINDS = (CUT_OFF, REFUSED, SILENT)


def of_proxies(proxies: Iterable[Proxy]) -> List[Finding]:
    """Findings of proxies by themselves."""
    return [found for proxy in proxies for found in _of_proxy(proxy)]


def _of_proxy(proxy: Proxy) -> Iterator[Finding]:
    if not proxy.answered:
        yield SILENT.at(proxy.pod, f"its proxy did not answer: {proxy.reason}", "see why, and run it again")
        return
    if proxy.istiod.connected is False:
        yield CUT_OFF.at(
            proxy.pod,
            f"its proxy is cut off from istiod ({proxy.istiod.identity or 'address unknown'}) and keeps what it had",
            "see whether istiod runs and a network policy lets the proxy reach port 15012",
        )
    if proxy.configuration.accepted is False:
        yield REFUSED.at(
            proxy.pod,
            f"its proxy refused its last configuration: {proxy.configuration.detail}",
            "correct the object that the message names, often an EnvoyFilter",
        )
