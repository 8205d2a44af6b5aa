# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 7 of the semantics: what a client sends past its own proxy."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.outbound import (
    NOTHING_CAPTURED,
    UNDECIDED,
    bypass_of,
    outbound_of,
    without_others,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    Capture,
    ContainerUser,
    InboundRule,
    Outbound,
    Shape,
)
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


def pods(*addresses):
    """A headless Service whose name stands for these."""
    return destination(headless=True)._replace(pod_addresses=addresses)


HEADLESS = {
    "all of its pods are in the range": (("10.1.0.0/16",), pods("10.1.0.1", "10.1.0.2"), True),
    "one of them is": (("10.1.0.0/16",), pods("10.1.0.1", "10.2.0.1"), None),
    "none of them is": (("10.1.0.0/16",), pods("10.2.0.1", "10.3.0.1"), False),
    "nobody knows the address of one": (("10.1.0.0/16",), pods(), None),
    "a range of the other family, of which it may have an address, too": (("2001:db8::/32",), pods("10.1.0.1"), None),
    "ranges of both families": (("10.1.0.0/16", "2001:db8::/32"), pods("10.1.0.1"), None),
    "addresses of both": (("10.1.0.0/16",), pods("10.1.0.1", "2001:db8::1"), None),
    "what is no range beside one": (("x", "10.1.0.0/16"), pods("10.1.0.1"), True),
}


@pytest.mark.parametrize(("ranges", "target", "inside"), HEADLESS.values(), ids=HEADLESS)
def test_of_a_headless_service_clients_dial_the_pods(ranges, target, inside):
    excluded = {True: f"{PLACE}excludeOutboundIPRanges", False: "", None: UNDECIDED}[inside]
    included = {True: "", False: f"{PLACE}includeOutboundIPRanges", None: UNDECIDED}[inside]
    assert bypass_of(outbound(exclude_ranges=ranges), target, 80) == excluded
    assert bypass_of(outbound(include_ranges=ranges), target, 80) == included


PAST = outbound()._replace(past="its interface")
USERS = outbound(exclude_ports=[80])._replace(users="container a of it runs as the proxy's user")
OTHERS = USERS._replace(captured_users=True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(PAST, "its interface", id="all of it"),
        pytest.param(PAST._replace(exclude_ports=frozenset((80,))), "its interface", id="all of it before a port"),
        pytest.param(USERS, USERS.users, id="all of its containers"),
        pytest.param(OTHERS, f"{PLACE}excludeOutboundPorts", id="some of them: what the others send"),
        pytest.param(without_others(OTHERS), USERS.users, id="and what these send"),
    ],
)
def test_what_is_let_out_whatever_its_address(found, expected):
    assert bypass_of(found, ONE, 80) == expected


@pytest.mark.parametrize("found", [None, outbound(), USERS], ids=["all is captured", "likewise", "all run as its user"])
def test_where_all_containers_are_alike_there_are_no_others(found):
    assert without_others(found) is None


A, B, C = ContainerUser("a", 1337, None), ContainerUser("b", 7, 1337), ContainerUser("c", 7, 7)


def client(*users, mode="REDIRECT", past_ports=(), mesh="sidecar", certificates=False):
    own = outbound(exclude_ports=past_ports) if past_ports else None
    capture = Capture((InboundRule("REDIRECT", None, frozenset()), InboundRule(mode, None, frozenset())), own, "")
    shape = Shape(mesh, None, False, capture, False, (), (), (), False, None, False, False)
    shape = shape._replace(users=users, hands_out_certificates=certificates)
    return Workload("n/Pod/p", "n", "Pod", "p", ("p",), {}, shape, False, "x", "")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(client(), None, id="all is captured"),
        pytest.param(client(mode="NONE"), NOTHING_CAPTURED, id="nothing is, as one source has it"),
        pytest.param(client(past_ports=[25]), outbound(exclude_ports=[25]), id="all but a port"),
        pytest.param(client(past_ports=[25], certificates=True), outbound(exclude_ports=[25])._replace(own_mtls=True),
                     id="which may be mutual TLS of the application's own"),
        pytest.param(client(certificates=True), None, id="whatever certificates it has"),
        pytest.param(client(C), None, id="another user"),
        pytest.param(client(A), outbound()._replace(users="container a of it runs as the proxy's user"),
                     id="the proxy's user"),
        pytest.param(client(A, B), outbound()._replace(users="containers a, b of it run as the proxy's user"),
                     id="its user and its group"),
        pytest.param(client(A, C), outbound()._replace(users="container a of it runs as the proxy's user",
                                                       captured_users=True), id="one of two"),
        pytest.param(client(A, past_ports=[25]), outbound(exclude_ports=[25])._replace(
            users="container a of it runs as the proxy's user"), id="beside a port"),
        pytest.param(client(A, mesh="none"), None, id="without a sidecar"),
    ],
)  # fmt: skip
def test_which_outbound_traffic_of_a_workload_is_taken(one, expected):
    assert outbound_of(one) == expected


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        (InboundRule("REDIRECT", None, frozenset()), {80, 8080}),
        (InboundRule("TPROXY", None, frozenset((80,))), {8080}),
        (InboundRule("REDIRECT", frozenset((80,)), frozenset((80,))), {80}),
        (InboundRule("REDIRECT", frozenset(), frozenset()), set()),
        (InboundRule("REDIRECT", frozenset((15020,)), frozenset()), {15020}),
        (InboundRule("NONE", None, frozenset()), set()),
        (InboundRule("NONE", frozenset((80,)), frozenset()), set()),
    ],
)
def test_which_inbound_ports_a_rule_takes(rule, ports):
    assert {port for port in (80, 8080, 15020) if rule.captures(port)} == ports
    both = Capture((InboundRule("REDIRECT", None, frozenset()), rule), None, "")
    assert {port for port in (80, 8080, 15020) if both.captures(port)} == ports - {15020}
