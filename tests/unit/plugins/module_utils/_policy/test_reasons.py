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
    tls,
)

HOST = "a.shop.svc.cluster.local"
STRICT = peer("shop/n", "STRICT")
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
    ],
)
def test_a_reason_says_what_is_at_the_other_end(what, manifests, place, expected):
    (row,) = edges(judge(pod("cafe/c"), *manifests), "cafe/c", service=place)
    assert row["reason"] == expected
