# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of client does about a destination, and in which words it is said of many at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.outcomes import _impersonal
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    Destination,
    DestinationPort,
    Endpoint,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    Manifest,
    edges,
    egress,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    subset,
    tls,
)

HOST = "a.shop.svc.cluster.local"
WORLD = [
    mesh_config(),
    mesh_config("canary"),
    pod("cafe/c"),
    pod("shop/a"),
    service("shop/a"),
    peer("shop/p", "STRICT"),
]
TWO = [{"number": number, "name": f"http-{number}", "protocol": "HTTP"} for number in (80, 81)]
PASSED = "so its proxy passes the connection on as it is (passthrough)"
BLOCKED = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


def entry(where: str = "shop/e", rev: str | None = None, **spec: Any) -> Manifest:
    """A ServiceEntry of e.example with two ports, whose endpoint is a machine."""
    base = {"hosts": ["e.example"], "ports": TWO, "resolution": "STATIC", "location": "MESH_INTERNAL"}
    return istio("ServiceEntry", where, {**base, "endpoints": [{"address": "192.0.2.1"}], **spec}, rev=rev)


def said(*manifests: Any, to: str = "shop/a", port: int = 80) -> list[tuple[str, str, str]]:
    """(client_tls, verdict, the reason's first part) of the rows of cafe/c."""
    rows = edges(judge(WORLD, *manifests), "cafe/c", service=to, port=port)
    return [(row["client_tls"], row["verdict"], row["reason"].split("; ")[0]) for row in rows]


BY_PORT = {"egress": [{"hosts": ["shop/*"], "port": {"number": 80, "protocol": "HTTP", "name": "h"}}]}
HIDDEN = [
    ("of another revision", [entry(rev="canary")], 80,
     f"shop/e is for revision canary, the client's is default, {PASSED}"),
    ("not exported to it", [entry(exportTo=["."])], 80, f"shop/e is not exported to the client's namespace, {PASSED}"),
    ("exported by name to others", [entry(exportTo=["bar"])], 81,
     f"shop/e is not exported to the client's namespace, {PASSED}"),
    ("hidden by the client's Sidecar", [entry(), egress("cafe/s", "./*")], 80,
     f"Sidecar cafe/s hides e.example, {PASSED}"),
    ("hidden and blocked", [entry(), egress("cafe/s", "./*", **BLOCKED)], 80,
     "blocked: Sidecar cafe/s hides e.example, and REGISTRY_ONLY forbids what a proxy does not know"),
    ("a port that the Sidecar hides", [entry(), istio("Sidecar", "cafe/s", BY_PORT)], 81,
     f"Sidecar cafe/s hides this port of e.example, {PASSED}"),
    ("a port that another destination of the host has not",
     [entry(), entry("cafe/e", ports=TWO[:1])], 81,
     f"e.example means another destination to the client's proxy, {PASSED}"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "manifests", "port", "reason"), HIDDEN, ids=[row[0] for row in HIDDEN])
def test_why_a_clients_proxy_does_not_know_a_destination(what, manifests, port, reason):
    blocked = reason.startswith("blocked")
    expected = [("none", "broken" if blocked else "plaintext", reason)]
    assert said(*manifests, to="shop/e", port=port) == expected, what


KNOWN = [
    ("of its own revision", [entry(rev="default")], 80),
    ("exported by name to it", [entry(exportTo=["cafe"])], 80),
    ("imported by its Sidecar", [entry(), egress("cafe/s", "shop/*")], 81),
    ("a port that its Sidecar imports", [entry(), istio("Sidecar", "cafe/s", BY_PORT)], 80),
]


@pytest.mark.parametrize(("what", "manifests", "port"), KNOWN, ids=[row[0] for row in KNOWN])
def test_what_a_clients_proxy_knows(what, manifests, port):
    [(sent, dummy, reason)] = said(*manifests, to="shop/e", port=port)
    assert (sent, reason.partition(" because")[0]) == ("plaintext", "auto-mTLS sends plaintext"), what


def test_what_discovery_selectors_hide_is_passed_on():
    discovered = mesh_config(discoverySelectors=[{"matchLabels": {"mesh": "yes"}}])
    world = [
        discovered,
        namespace("cafe", mesh="yes"),
        namespace("shop"),
        pod("cafe/c"),
        pod("shop/a"),
        service("shop/a"),
    ]
    [row] = edges(judge(world), "cafe/c", service="shop/a")
    assert row["client_tls"] == "none"
    assert row["reason"].startswith(f"discovery selectors hide namespace shop from the client's proxy, {PASSED}")


NAMES = [
    (1, "{} n0/o", "{} n0/o"),
    (2, "each of the {}s n0/o, n1/o", "each of the {}s n0/o, n1/o"),
    (3, "each of the {}s n0/o, n1/o, n2/o", "each of the {}s n0/o, n1/o, n2/o"),
    (4, "each of the {}s n0/o, n1/o, n2/o and 1 more", "each of the {}s n0/o, n1/o, n2/o and 1 more"),
    (6, "each of the {}s n0/o, n1/o, n2/o and 3 more", "each of the {}s n0/o, n1/o, n2/o and 3 more"),
]


@pytest.mark.parametrize(("number", "of_sidecars", "of_rules"), NAMES, ids=[f"{row[0]} objects" for row in NAMES])
def test_clients_with_one_answer_are_told_together_with_the_objects_that_made_it(number, of_sidecars, of_rules):
    homes = [f"n{place}" for place in range(number)]
    clients = [pod(f"{home}/c") for home in homes]
    hiding = judge(WORLD, clients, [egress(f"{home}/o", "./*") for home in homes])
    [row] = edges(hiding, "n0/c", service="shop/a")
    assert row["reason"].startswith(f"{of_sidecars.format('Sidecar')} hides {HOST}, ")
    assert len(hiding["client_sets"][row["clients"]]) == number
    ruling = judge(WORLD, clients, [rule(f"{home}/o", HOST, tls("DISABLE")) for home in homes])
    [row] = edges(ruling, "n0/c", service="shop/a")
    assert row["reason"].startswith(f"{of_rules.format('DestinationRule')} turns TLS off")


def test_rules_that_istiod_merges_are_told_as_one():
    merged = [rule("shop/r", "a", tls("DISABLE")), rule("shop/s", "a", age=1, subsets=[subset("v1", app="a")])]
    assert said(*merged)[0][2] == "the DestinationRule merged of shop/r and shop/s turns TLS off"


MACHINE = Endpoint("addr/192.0.2.1", None, 80, "disabled", "shop", {"app": "a"})
PORT = DestinationPort(80, "http", "http", (MACHINE,), (MACHINE,))
OUTSIDE = Destination("shop/e", "shop", "e.example", "", False, True, False, "STATIC", (PORT,), (), (), "")


@pytest.mark.parametrize(
    ("item", "endpoint", "whose"),
    [
        pytest.param(OUTSIDE, MACHINE, "", id="outside of the mesh it is nobody's"),
        pytest.param(OUTSIDE._replace(external=False), MACHINE, "shop", id="inside it is somebody's"),
        pytest.param(OUTSIDE, MACHINE._replace(tls_mode="istio"), "shop", id="so is what takes the mesh's TLS"),
    ],
)
def test_whose_an_endpoint_is_where_that_decides_nothing(item, endpoint, whose):
    found = _impersonal(PORT._replace(endpoints=(endpoint,), inferred=(endpoint,)), item)
    assert {one.namespace for one in (*found.endpoints, *found.inferred)} == {whose}
    assert {bool(one.labels) for one in (*found.endpoints, *found.inferred)} == {bool(whose)}
