# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons as people read them: sentences that can be pasted into a ticket."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    edges,
    egress,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    subset,
    tls,
)

HOST = "a.shop.svc.cluster.local"
STRICT = peer("shop/n", "STRICT")
PORTS = [{"containerPort": 8080}, {"containerPort": 9090}]
ENTRY = istio(
    "ServiceEntry",
    "shop/e",
    {
        "hosts": ["api.example"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": "192.0.2.1"}],
    },
)
REASONS = [
    ("mutual TLS", [STRICT], "auto-mTLS sends Istio mTLS; PeerAuthentication shop/n is STRICT"),
    (
        "one object decides for both sides and is named once",
        [peer("shop/w", "DISABLE", selector={"app": "a"})],
        "auto-mTLS sends plaintext because PeerAuthentication shop/w is DISABLE",
    ),
    (
        "the policy of a namespace is named",
        [peer("shop/n", "DISABLE"), peer("shop/w", "STRICT", selector={"app": "a"})],
        "auto-mTLS is off because PeerAuthentication shop/n is DISABLE; PeerAuthentication shop/w is STRICT",
    ),
    (
        "blocked says by what",
        [mesh_config(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}), egress("cafe/s", "./*")],
        f"blocked: Sidecar cafe/s hides {HOST}, and REGISTRY_ONLY forbids what a proxy does not know",
    ),
    (
        "merged rules are one",
        [rule("shop/r1", HOST, tls("SIMPLE")), rule("shop/r2", HOST, tls("DISABLE"), age=1), STRICT],
        "the DestinationRule merged of shop/r1 and shop/r2 sends one-way TLS (SIMPLE); "
        "PeerAuthentication shop/n is STRICT",
    ),
    (
        "an EnvoyFilter makes it unknown, and why",
        [istio("EnvoyFilter", "shop/f", {"configPatches": [{"applyTo": "LISTENER"}]})],
        "auto-mTLS sends Istio mTLS; "
        "EnvoyFilter shop/f changes the listeners, so manifests do not tell what they accept",
    ),
]


@pytest.mark.parametrize(("what", "more", "expected"), REASONS, ids=[row[0] for row in REASONS])
def test_a_reason_names_what_decides(what, more, expected):
    manifests = [pod("cafe/c"), pod("shop/a"), service("shop/a"), *more]
    (row,) = edges(judge(*manifests), "cafe/c", service="shop/a")
    assert row["reason"] == expected


@pytest.mark.parametrize(
    ("what", "manifests", "place", "expected"),
    [
        (
            "an address outside",
            [ENTRY],
            "shop/e",
            "api.example is outside the mesh and no DestinationRule sets TLS; "
            "192.0.2.1 is no pod's address, and no proxy is known there",
        ),
        (
            "nobody there",
            [service("shop/b")],
            "shop/b",
            "shop/b has no endpoint for port 80; auto-mTLS sends Istio mTLS",
        ),
        (
            "an older rule's merge discards TLS",
            [
                ENTRY,
                rule("shop/a", "api.example", {"loadBalancer": {"simple": "RANDOM"}}),
                rule("shop/b", "api.example", tls("SIMPLE"), age=1),
            ],
            "shop/e",
            "api.example is outside the mesh and the tls of DestinationRule shop/b is discarded, because for the same "
            "host shop/a comes first, the older one, and its trafficPolicy counts whole; 192.0.2.1 is no pod's "
            "address, and no proxy is known there",
        ),
    ],
)
def test_a_reason_says_what_is_at_the_other_end(what, manifests, place, expected):
    (row,) = edges(judge(pod("cafe/c"), *manifests), "cafe/c", service=place)
    assert row["reason"] == expected


@pytest.mark.parametrize(
    ("what", "manifests", "expected"),
    [
        (
            "nobody in the subset alone",
            [pod("shop/a", labels={"version": "v1"})],
            "subset v2 of shop/a has no endpoint for port 80, other pods of it have; ",
        ),
        ("nobody at all", [], "shop/a has no endpoint for port 80; "),
    ],
    ids=["nobody in the subset alone", "nobody at all"],
)
def test_a_reason_says_whether_the_service_or_only_the_subset_is_empty(what, manifests, expected):
    subsets = [subset(name, version=name) for name in ("v1", "v2")]
    mesh = [pod("cafe/c"), service("shop/a"), rule("shop/r", HOST, tls("ISTIO_MUTUAL"), subsets=subsets), *manifests]
    (row,) = edges(judge(mesh), "cafe/c", service="shop/a", subset="v2")
    assert row["reason"] == f"{expected}DestinationRule shop/r subset v2 sends ISTIO_MUTUAL", what
    assert (row["endpoint"], row["verdict"], row["state"]) == (None, "broken", "no_endpoint")


@pytest.mark.parametrize(
    ("what", "manifests", "options", "state"),
    [
        ("an endpoint", [pod("shop/a")], {}, "normal"),
        ("none for a client without a proxy either", [], {}, "no_endpoint"),
        (
            "blocked before anybody looks for one",
            [mesh_config(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}), egress("cafe/s", "./*")],
            {},
            "normal",
        ),
        ("none that could be read", [], {"unread": [{"kind": "Pod", "namespace": "shop", "reason": "403"}]}, "normal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_endpoint_has_a_state_of_its_own(what, manifests, options, state):
    client = pod("cafe/c", "none" if "without a proxy" in what else "sidecar")
    (row,) = edges(judge(client, service("shop/a"), *manifests, **options), "cafe/c", service="shop/a")
    assert row["state"] == state


def test_a_port_names_the_policy_that_excepts_it():
    mesh = [peer("shop/w", None, {"app": "a"}, {8080: "PERMISSIVE"}), STRICT, pod("shop/a", ports=PORTS)]
    rows = {row["port"]: row.get("policy") for row in judge(mesh)["workloads"][0]["ports"]}
    assert rows == {8080: "shop/w", 9090: None}
    own = peer("shop/w", "STRICT", {"app": "a"}, {8080: "PERMISSIVE"})
    assert "policy" not in judge(pod("shop/a"), own)["workloads"][0]["ports"][0]


OUTSIDE = {**ENTRY, "spec": {**ENTRY["spec"], "location": "MESH_EXTERNAL"}}
HEADLESS = service("shop/a", clusterIP="None")
PARTS = [
    ("the server's own policy", [peer("shop/w", "DISABLE", selector={"app": "a"})], "shop/a", "server"),
    ("the policy of the server's namespace", [peer("shop/n", "DISABLE")], "shop/a", "server"),
    ("a rule", [rule("shop/r", HOST, tls("DISABLE"))], "shop/a", "rule"),
    (
        "a rule whose name reads like another reason",
        [rule("shop/auto-mtls-is-off", HOST, tls("DISABLE"))],
        "shop/a",
        "rule",
    ),
    (
        "a rule, and the mesh's configuration",
        [rule("shop/r", HOST, tls("DISABLE")), mesh_config(enableAutoMtls=False)],
        "shop/a",
        "",
    ),
    ("mutual TLS", [STRICT], "shop/a", ""),
    ("the mesh's configuration", [mesh_config(enableAutoMtls=False)], "shop/a", ""),
    ("a host outside the mesh", [OUTSIDE], "shop/e", "external"),
    ("a rule for a host outside the mesh", [OUTSIDE, rule("shop/r", "api.example", tls("DISABLE"))], "shop/e", ""),
]


@pytest.mark.parametrize(("what", "more", "name", "part"), PARTS, ids=[row[0] for row in PARTS])
def test_whose_part_it_is_is_said_in_a_field(what, more, name, part):
    manifests = [pod("cafe/c"), pod("shop/a"), service("shop/a"), *more]
    (row,) = edges(judge(*manifests), "cafe/c", service=name)
    assert row["part"] == part


def test_an_endpoint_without_a_sidecar_that_decides_for_all_is_named_as_such():
    manifests = [pod("cafe/c"), pod("shop/a"), pod("shop/b", "none", labels={"app": "a"}), HEADLESS]
    rows = edges(judge(*manifests), "cafe/c", service="shop/a")
    assert {row["part"] for row in rows if row["client_tls"] == "plaintext"} == {"endpoint"}
