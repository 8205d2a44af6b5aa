# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What redirection takes of a pod, by its annotations and by the init container's arguments."""

from __future__ import annotations

from functools import partial

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.pods import capture_of
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import InboundRule, Outbound

PLACES = ("mode", "include_in", "exclude_in", "include_out", "exclude_out", "include_ranges", "exclude_ranges", "nics")
PLACES = (*PLACES, "reroute", "kubevirt", "agent")
EVERYTHING = InboundRule("REDIRECT", None, frozenset())


def captured(arguments="", proxy=None, **annotations):
    """`proxy`: the mode that the proxy itself knows."""
    return capture_of(tuple(annotations.get(place) for place in PLACES), tuple(arguments.split()), proxy)


def pod(*arguments, **annotations):
    """What is captured of it, found out in the test."""
    return partial(captured, *arguments, **annotations)


def inbound(include=None, *exclude, mode="REDIRECT"):
    return InboundRule(mode, None if include is None else frozenset(include), frozenset(exclude))


def outbound(include=(), exclude=(), ranges=None, without=()):
    return Outbound(frozenset(include), frozenset(exclude), ranges, tuple(without))


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        pytest.param(pod(), [EVERYTHING], id="nothing is said"),
        pytest.param(pod(include_in="*"), [EVERYTHING], id="all of it"),
        pytest.param(pod(include_in=" * "), [EVERYTHING], id="all of it, with spaces"),
        pytest.param(pod(include_in="80, 81,"), [inbound([80, 81])], id="some ports"),
        pytest.param(pod(include_in=""), [inbound([])], id="no port"),
        pytest.param(pod(exclude_in="80"), [inbound(None, 80)], id="all but one"),
        pytest.param(pod(mode="TPROXY"), [inbound(mode="TPROXY")], id="another mode"),
        pytest.param(pod(mode=None), [EVERYTHING], id="no mode"),
        pytest.param(pod(proxy="NONE"), [inbound(mode="NONE")], id="the proxy's mode"),
        pytest.param(pod(mode="TPROXY", proxy="NONE"), [inbound(mode="TPROXY")], id="an annotation beats it"),
        pytest.param(pod(proxy="NONE", include_in="80"), [inbound([80], mode="NONE")], id="its mode, and a port"),
        pytest.param(pod("-m REDIRECT -b * -d 15090"), [EVERYTHING, inbound(None, 15090)], id="arguments"),
        pytest.param(pod("-b *"), [EVERYTHING], id="arguments that say the same"),
        pytest.param(pod("-b 80 -d 81"), [EVERYTHING, inbound([80], 81)], id="arguments that take less"),
        pytest.param(pod("-b"), [EVERYTHING], id="a flag without a value"),
        pytest.param(pod(nics="net1, eth1"), [EVERYTHING], id="not at further interfaces"),
        pytest.param(pod(nics="net1, eth0"), [EVERYTHING, inbound([])], id="nothing at the pod's own interface"),
        pytest.param(pod(nics="eth+"), [EVERYTHING, inbound([])], id="not where a pattern is the pod's own interface"),
        pytest.param(pod(nics="+"), [EVERYTHING, inbound([])], id="not at any interface"),
        pytest.param(pod("-b * -c eth0"), [EVERYTHING, inbound([])], id="an argument for the pod's own interface"),
        pytest.param(pod(reroute="eth0"), [EVERYTHING, inbound([])], id="the pod's own interface, rerouted"),
        pytest.param(pod(kubevirt="k6t-eth0"), [EVERYTHING], id="a virtual machine's bridge, rerouted"),
        pytest.param(pod(agent="8080"), [inbound(None, 8080)], id="but not the agent's port"),
        pytest.param(pod(agent="8080", exclude_in="80"), [inbound(None, 80, 8080)], id="nor another one"),
        pytest.param(pod("-z 80 -b 81"), [EVERYTHING, inbound([81])], id="a flag that is not known"),
        pytest.param(
            pod("-m TPROXY", include_in="80"), [inbound([80]), inbound(mode="TPROXY")], id="both, in their order"
        ),
    ],
)
def test_which_inbound_ports_are_taken(found, rules):
    assert list(found().inbound) == rules


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(pod(), None, id="nothing is said"),
        pytest.param(pod(include_ranges="*"), None, id="all of it"),
        pytest.param(pod(include_out="80"), None, id="a port beside everything"),
        pytest.param(pod(exclude_out="80,81"), outbound(exclude=[80, 81]), id="all but some ports"),
        pytest.param(
            pod(exclude_ranges="10.0.0.0/8,192.0.2.0/24,10.0.0.0/8"),
            outbound(without=["10.0.0.0/8", "192.0.2.0/24"]),
            id="all but some ranges",
        ),
        pytest.param(pod(include_ranges="10.0.0.0/8"), outbound(ranges=("10.0.0.0/8",)), id="one range"),
        pytest.param(pod(include_ranges=""), outbound(ranges=()), id="no range"),
        pytest.param(pod(include_ranges="", include_out="80"), outbound([80], ranges=()), id="a port beside no range"),
        pytest.param(pod(reroute="eth0"), None, id="all but what comes in"),
        pytest.param(
            pod(nics="eth0"),
            outbound()._replace(past="traffic.sidecar.istio.io/excludeInterfaces"),
            id="nothing at the pod's own interface",
        ),
        pytest.param(
            pod("-o 80 -c eth0"),
            outbound(exclude=[80])._replace(past="traffic.sidecar.istio.io/excludeInterfaces"),
            id="an argument for it, beside a port",
        ),
        pytest.param(pod("-o 80 -x 10.0.0.0/8"), outbound(exclude=[80], without=["10.0.0.0/8"]), id="arguments"),
        pytest.param(pod("-i 10.0.0.0/8, -q 80"), outbound([80], ranges=("10.0.0.0/8",)), id="what they include"),
        pytest.param(pod("-i *", exclude_out="80"), outbound(exclude=[80]), id="annotations, arguments say nothing"),
        pytest.param(pod("-o 81", exclude_out="80"), outbound(exclude=[81]), id="arguments are what ran"),
    ],
)
def test_which_outbound_traffic_is_taken(found, expected):
    assert found().outbound == expected
    assert found().doubt == ""


def test_interfaces_that_are_left_out():
    assert captured(nics="eth1").exclude_interfaces == "eth1"
    assert captured().exclude_interfaces == ""


PORT = "it includes or excludes the port {!r}, which is none"
RANGE = "it includes or excludes the addresses {!r}, which are no range"


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        pytest.param(pod(mode="redirect"), "its interceptionMode 'redirect' is none", id="a mode"),
        pytest.param(pod("-m off"), "its interceptionMode 'off' is none", id="a mode in arguments"),
        *(pytest.param(pod(**{place: "80,x"}), PORT.format("x"), id=f"{place}: no number") for place in PLACES[1:5]),
        *(pytest.param(pod(**{place: "*"}), PORT.format("*"), id=f"{place}: everything") for place in PLACES[2:5]),
        pytest.param(pod(include_in="65535"), "", id="the last port"),
        pytest.param(pod(include_in="*"), "", id="all inbound ports"),
        pytest.param(pod(include_ranges="*"), "", id="all ranges"),
        pytest.param(pod(mode="TPROXY"), "", id="another mode"),
        pytest.param(pod(nics="eth1"), "", id="an interface"),
        pytest.param(pod("-m REDIRECT -b * -d 15090,15021 -i * -x"), "", id="what injection writes"),
        pytest.param(pod(exclude_in="80, 81"), "", id="ports with spaces"),
        pytest.param(
            pod(include_ranges="10.0.0.0/8, 192.0.2.0/24"), RANGE.format(" 192.0.2.0/24"), id="ranges with spaces"
        ),
        pytest.param(
            partial(capture_of, (None,) * 8, ("-i", "10.0.0.0/8, 192.0.2.0/24"), None),
            "",
            id="ranges with spaces in arguments",
        ),
        pytest.param(pod(include_in="65536"), PORT.format("65536"), id="one too large"),
        pytest.param(pod(exclude_in="0"), "", id="zero is taken"),
        pytest.param(pod(exclude_in="80,,81"), PORT.format(""), id="an empty piece"),
        pytest.param(pod("-d 80,,81"), "", id="an empty piece in arguments"),
        pytest.param(pod("-d 80,x"), PORT.format("x"), id="no number in arguments"),
        *(
            pytest.param(pod(**{place: "10.0.0.0/8,x"}), RANGE.format("x"), id=f"{place}: no range")
            for place in PLACES[5:7]
        ),
        pytest.param(pod(exclude_ranges="*"), RANGE.format("*"), id="everything is no range to leave out"),
        pytest.param(pod(include_ranges="10.0.0.0"), RANGE.format("10.0.0.0"), id="an address without a length"),
        pytest.param(pod(include_ranges="10.0.0.1/8"), "", id="an address in a range"),
        pytest.param(pod(include_ranges="2001:db8::/32"), "", id="a range of IPv6"),
        pytest.param(pod(include_ranges="10.0.0.0/33"), RANGE.format("10.0.0.0/33"), id="too long a prefix"),
        pytest.param(pod(include_ranges="fe80::%1/64"), RANGE.format("fe80::%1/64"), id="a zone"),
        pytest.param(pod(include_ranges="10.0.0.0/8,"), RANGE.format(""), id="an empty range"),
        pytest.param(pod("-x 10.0.0.0/8,"), "", id="an empty range in arguments"),
        pytest.param(pod("-m off", exclude_in="x"), PORT.format("x"), id="annotations before arguments"),
        pytest.param(pod("-m off", mode="no"), "its interceptionMode 'no' is none", id="both modes"),
    ],
)
def test_what_istio_would_refuse_is_a_doubt(found, doubt):
    assert found().doubt == doubt
