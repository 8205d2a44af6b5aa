# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.findings import of_ports
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.ports import compare
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Configuration, Istiod
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    proxy,
    target,
    workload,
)

STRICT = target("refused", "alert", "accepted", "strict")
OPEN = target("answered", "handshake", "accepted", "permissive")
BARE = target("answered", "no_tls", "no_tls", "plaintext")
LIES = [
    ("all agree", workload(), [proxy()], [STRICT], ("strict", "strict", "strict", "proven"), []),
    ("only declared", workload(), None, None, ("strict", None, None, "unproven"), []),
    ("not probed", workload(), [proxy()], [], ("strict", "strict", "unknown", "unproven"), []),
    (
        "iptables rules removed",
        workload(),
        [proxy()],
        [BARE],
        ("strict", "strict", "plaintext", "contradicted"),
        ["MTLS-101"],
    ),
    (
        "cut off from istiod with an old configuration",
        workload(),
        [proxy(accepts="permissive", istiod=Istiod("i", False))],
        [OPEN],
        ("strict", "permissive", "permissive", "contradicted"),
        ["MTLS-102", "MTLS-101"],
    ),
    (
        "an excluded port: the proxy is not asked about what it never sees",
        workload(plaintext="accepted", captured=False),
        [proxy()],
        [BARE],
        ("plaintext", "strict", "plaintext", "proven"),
        [],
    ),
    (
        "an EnvoyFilter opens a port",
        workload(mode="unknown", plaintext="unknown"),
        [proxy(accepts="plaintext")],
        [BARE],
        ("unknown", "plaintext", "plaintext", "unproven"),
        ["MTLS-106"],
    ),
    (
        "a pod older than its namespace's label",
        workload(mode=None, plaintext="accepted", mesh="none"),
        [],
        [BARE],
        ("plaintext", None, "plaintext", "proven"),
        [],
    ),
    (
        "a proxy that does not answer",
        workload(),
        [proxy(accepts=None, answered=False, reason="timeout")],
        [STRICT],
        ("strict", "unknown", "strict", "unproven"),
        [],
    ),
    (
        "a refusal alone proves nothing",
        workload(),
        None,
        [target("refused", "refused", "refused", "unknown")],
        ("strict", None, "unknown", "unproven"),
        [],
    ),
    (
        "DISABLE",
        workload(mode="DISABLE", plaintext="accepted"),
        [proxy(accepts="plaintext")],
        [BARE],
        ("plaintext", "plaintext", "plaintext", "proven"),
        [],
    ),
    (
        "ambient DISABLE acts as PERMISSIVE",
        workload(mode="DISABLE", plaintext="accepted", mesh="ambient"),
        [],
        [OPEN],
        ("permissive", None, "permissive", "proven"),
        [],
    ),
]


@pytest.mark.parametrize(
    ("what", "server", "proxies", "targets", "expected", "findings"), LIES, ids=[row[0] for row in LIES]
)
def test_a_port_by_three_sources(what, server, proxies, targets, expected, findings):
    (row,) = compare([server], proxies, targets)
    assert (row["declared"], row["programmed"], row["observed"], row["agreement"]) == expected
    assert [found["id"] for found in of_ports([row])] == findings
    assert bool(row["cause"]) == (expected[3] == "contradicted")


def test_the_worst_of_several_pods_counts_and_it_is_said_that_others_differ():
    server = {**workload(), "pods": ["a-1", "a-2"]}
    other = proxy(accepts="plaintext")._replace(pod="shop/a-2")
    (row,) = compare([server], [proxy(), other], None)
    assert row["programmed"] == "plaintext"
    assert "shop/a-2" in row["why"]
    assert "1 of 2 proxies say otherwise" in row["why"]


@pytest.mark.parametrize(
    ("proxies", "targets", "words"),
    [
        ([proxy()], [BARE], "iptables rules are missing"),
        ([proxy(accepts="permissive", istiod=Istiod("i", False))], None, "cut off from istiod"),
        (
            [proxy(accepts="permissive", configuration=Configuration(False, "no such filter", ""))],
            None,
            "no such filter",
        ),
        ([proxy(accepts="permissive")], None, "EnvoyFilter"),
        (None, [BARE], "traffic does not pass the proxy"),
    ],
)
def test_the_cause_follows_from_who_contradicts_whom(proxies, targets, words):
    (row,) = compare([workload()], proxies, targets)
    assert words in row["cause"]


@pytest.mark.parametrize(
    ("more", "endpoint", "expected"),
    [
        ({}, {"identity_fits": True}, "strict"),
        ({}, {"identity_fits": False}, "unknown"),
        ({}, {"identity_fits": None}, "unknown"),
        ({"identity_check": "not enforced"}, {"identity_fits": True}, "unknown"),
        ({"identity_check": "enforced"}, {"identity_fits": True}, "strict"),
    ],
    ids=["its own identity", "somebody else's", "nobody knows whose", "strangers are let in", "strangers are refused"],
)
def test_a_handshake_with_somebody_else_proves_nothing(more, endpoint, expected):
    asked = target("refused", "handshake", "accepted", "strict", **more)
    asked["endpoints"][0].update(endpoint)
    (row,) = compare([workload()], None, [asked])
    assert row["observed"] == expected


def test_gateways_are_left_out():
    assert compare([workload(mesh="gateway")], [], []) == []
