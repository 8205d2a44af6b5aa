# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 7 of the semantics: what a client sends past its own proxy."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.outbound import (
    NOTHING_CAPTURED,
    UNDECIDED,
    bypass_of,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import Outbound
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import Destination

PLACE = "traffic.sidecar.istio.io/"


def destination(*addresses, headless=False):
    return Destination("a", "n", "a.n", "", True, False, headless, "CLIENT_SIDE", (), (), addresses, "")


def outbound(include_ports=(), exclude_ports=(), include_ranges=None, exclude_ranges=()):
    return Outbound(frozenset(include_ports), frozenset(exclude_ports), include_ranges, tuple(exclude_ranges))


ONE = destination("10.96.0.7")
TWO = destination("10.96.0.7", "10.97.0.7")
SIX = destination("2001:db8::7")
ROWS = {
    "no annotation": (None, ONE, ""),
    "nothing is captured": (NOTHING_CAPTURED, ONE, "interceptionMode NONE"),
    "its port is excluded": (outbound(exclude_ports=[80]), ONE, f"{PLACE}excludeOutboundPorts"),
    "another port is": (outbound(exclude_ports=[81]), ONE, ""),
    "its range is excluded": (outbound(exclude_ranges=["10.96.0.0/16"]), ONE, f"{PLACE}excludeOutboundIPRanges"),
    "another range is": (outbound(exclude_ranges=["10.97.0.0/16"]), ONE, ""),
    "one of several ranges is its own": (
        outbound(exclude_ranges=["10.1.0.0/16", "10.96.0.0/16"]),
        ONE,
        f"{PLACE}excludeOutboundIPRanges",
    ),
    "all ranges are excluded": (outbound(exclude_ranges=["*"]), ONE, f"{PLACE}excludeOutboundIPRanges"),
    "a range of the other IP version": (outbound(exclude_ranges=["0.0.0.0/0"]), SIX, ""),
    "a range of its IP version": (outbound(exclude_ranges=["2001:db8::/32"]), SIX, f"{PLACE}excludeOutboundIPRanges"),
    "one of its two addresses is excluded": (outbound(exclude_ranges=["10.96.0.0/16"]), TWO, UNDECIDED),
    "both are": (outbound(exclude_ranges=["10.96.0.0/15"]), TWO, f"{PLACE}excludeOutboundIPRanges"),
    "a headless one has no address": (
        outbound(exclude_ranges=["10.96.0.0/16"]),
        destination("10.96.0.7", headless=True),
        UNDECIDED,
    ),
    "nobody knows its address": (outbound(exclude_ranges=["10.96.0.0/16"]), destination(), UNDECIDED),
    "what it has is no address": (outbound(exclude_ranges=["10.96.0.0/16"]), destination("a.example"), UNDECIDED),
    "its port is included, no range is": (outbound(include_ports=[80], include_ranges=()), ONE, ""),
    "only another port is": (outbound(include_ports=[81], include_ranges=()), ONE, f"{PLACE}includeOutboundIPRanges"),
    "included ports add to all ranges": (outbound(include_ports=[81]), ONE, ""),
    "its range is included": (outbound(include_ranges=("10.96.0.0/16",)), ONE, ""),
    "only another range is": (outbound(include_ranges=("10.97.0.0/16",)), ONE, f"{PLACE}includeOutboundIPRanges"),
    "one of its two addresses is included": (outbound(include_ranges=("10.96.0.0/16",)), TWO, UNDECIDED),
    "no range is, and nobody knows its address": (
        outbound(include_ranges=()),
        destination(),
        f"{PLACE}includeOutboundIPRanges",
    ),
    "exclusion beats inclusion": (
        outbound(include_ports=[80], exclude_ports=[80]),
        ONE,
        f"{PLACE}excludeOutboundPorts",
    ),
    "an excluded range beats an included port": (
        outbound(include_ports=[80], exclude_ranges=["10.96.0.0/16"]),
        ONE,
        f"{PLACE}excludeOutboundIPRanges",
    ),
}


@pytest.mark.parametrize(("annotations", "target", "expected"), ROWS.values(), ids=ROWS)
def test_what_lets_traffic_bypass_the_proxy(annotations, target, expected):
    assert bypass_of(annotations, target, 80) == expected
