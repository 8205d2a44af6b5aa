# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which traffic a client's own proxy never sees: the annotations that keep it out of capture."""

from __future__ import annotations

import ipaddress
from typing import Optional, Tuple, Union

from .records import Outbound
from .services import Destination

NOTHING_CAPTURED = Outbound(frozenset(), frozenset(), (), ())
UNDECIDED = "?"


def bypass_of(outbound: Optional[Outbound], destination: Destination, port: int) -> str:
    """Which annotation lets traffic to a destination bypass the client's proxy; UNDECIDED when addresses decide.

    tools/istio-iptables/pkg/capture/run.go: included ports are always taken, excluded ports and ranges never, and of
    the rest only the included ranges.
    """
    if outbound is None:
        return ""
    if outbound is NOTHING_CAPTURED:
        return "interceptionMode NONE"
    if port in outbound.exclude_ports:
        return "traffic.sidecar.istio.io/excludeOutboundPorts"
    if outbound.exclude_ranges:
        inside = _inside(destination, outbound.exclude_ranges)
        if inside is None:
            return UNDECIDED
        if inside:
            return "traffic.sidecar.istio.io/excludeOutboundIPRanges"
    if port in outbound.include_ports or outbound.include_ranges is None:
        return ""
    inside = _inside(destination, outbound.include_ranges)
    if inside is None:
        return UNDECIDED if outbound.include_ranges else "traffic.sidecar.istio.io/includeOutboundIPRanges"
    return "" if inside else "traffic.sidecar.istio.io/includeOutboundIPRanges"


def _inside(destination: Destination, ranges: Tuple[str, ...]) -> Optional[bool]:
    """Whether the addresses that clients dial lie in ranges; None when they are unknown or differ."""
    if "*" in ranges:
        return True
    if destination.headless or not destination.addresses:
        return None
    answers = set()
    networks = [network for network in map(_network, ranges) if network is not None]
    for text in destination.addresses:
        address = _network(text)
        if address is None:
            return None
        answers.add(
            any(address.version == network.version and address.network_address in network for network in networks)
        )
    return answers.pop() if len(answers) == 1 else None


def _network(text: str) -> Optional[Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
