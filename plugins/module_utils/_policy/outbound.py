# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which traffic a client's own proxy never sees: the annotations that keep it out of capture."""

from __future__ import annotations

from typing import Optional, Tuple

from .membership import Workload
from .ranges import network_of, ranges_of
from .records import Outbound
from .services import Destination
from .users import as_proxy

NOTHING_CAPTURED = Outbound(frozenset(), frozenset(), (), ())
UNDECIDED = "?"
_ALL_CAPTURED = Outbound(frozenset(), frozenset(), None, ())


def outbound_of(workload: Workload) -> Optional[Outbound]:
    """Which outbound traffic of a workload with a sidecar is taken; None for all of it."""
    capture = workload.shape.capture
    if any(rule.mode == "NONE" for rule in capture.inbound):
        return NOTHING_CAPTURED
    found = as_proxy(workload.shape)
    if not found:
        own_mtls = capture.outbound is not None and workload.shape.hands_out_certificates
        return capture.outbound._replace(own_mtls=True) if capture.outbound and own_mtls else capture.outbound
    names = sorted({user.container for user in found})
    words = f"container{'s' if len(names) > 1 else ''} {', '.join(names)} of it run as the proxy's user"
    return (capture.outbound or _ALL_CAPTURED)._replace(
        users=words.replace(" run ", " runs ") if len(names) == 1 else words,
        captured_users=len(found) < len(workload.shape.users),
    )


def without_others(outbound: Optional[Outbound]) -> Optional[Outbound]:
    """The same for the containers that run as the proxy's user alone; None without any or where there are no others."""
    if outbound is None or not outbound.captured_users:
        return None
    return outbound._replace(captured_users=False)


def bypass_of(outbound: Optional[Outbound], destination: Destination, port: int) -> str:
    """What lets traffic to a destination bypass the client's proxy; UNDECIDED when addresses decide.

    tools/istio-iptables/pkg/capture/run.go: included ports are always taken, excluded ports and ranges never, and of
    the rest only the included ranges.
    """
    if outbound is None:
        return ""
    if outbound is NOTHING_CAPTURED:
        return "interceptionMode NONE"
    if outbound.past:
        return outbound.past
    if outbound.users and not outbound.captured_users:
        return outbound.users
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
    # Of a headless Service clients dial the pods themselves.
    dialled = destination.pod_addresses if destination.headless else destination.addresses
    if not dialled:
        return None
    answers = set()
    inside = ranges_of(ranges)
    if destination.headless and len(inside.versions.union(net.version for net in map(network_of, dialled) if net)) > 1:
        # Only one address of a pod is known; it may have another of the other family.
        return None
    for text in dialled:
        address = network_of(text)
        if address is None:
            return None
        answers.add(inside.hold(address.network_address))
    return answers.pop() if len(answers) == 1 else None
