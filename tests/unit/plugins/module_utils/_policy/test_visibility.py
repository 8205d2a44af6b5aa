# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections 3.4 and 3.5 of the semantics: what a client's proxy knows, and what it never sees."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    egress,
    headless,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

HOST = "a.shop.svc.cluster.local"
SEEN, PASSED, BLOCKED = "mtls -> mtls", "none -> plaintext", "none -> broken"
ONLY = {"mode": "REGISTRY_ONLY"}
ANY = {"mode": "ALLOW_ANY"}

# title, Sidecar objects, answer for cafe/c
SIDECARS = [
    ("no Sidecar: everything", [], SEEN),
    ("everything", [egress("cafe/s", "*/*")], SEEN),
    ("no egress: everything", [egress("cafe/s", egress=None)], SEEN),
    ("the namespace", [egress("cafe/s", "shop/*")], SEEN),
    ("the host", [egress("cafe/s", f"shop/{HOST}")], SEEN),
    ("the host in any namespace", [egress("cafe/s", f"*/{HOST}")], SEEN),
    ("a wildcard host", [egress("cafe/s", "*/*.shop.svc.cluster.local")], SEEN),
    ("only its own namespace: passthrough", [egress("cafe/s", "./*")], PASSED),
    ("another namespace", [egress("cafe/s", f"zoo/{HOST}")], PASSED),
    ("another host", [egress("cafe/s", "shop/b.shop.svc.cluster.local")], PASSED),
    ("excluded", [egress("cafe/s", "*/*", f"~shop/{HOST}")], PASSED),
    ("REGISTRY_ONLY blocks", [egress("cafe/s", "./*", outboundTrafficPolicy=ONLY)], BLOCKED),
    ("an empty policy is REGISTRY_ONLY", [egress("cafe/s", "./*", outboundTrafficPolicy={})], BLOCKED),
    (
        "a selector that matches goes first",
        [egress("cafe/s", "*/*"), egress("cafe/t", "./*", selector={"app": "c"}, age=9)],
        PASSED,
    ),
    ("a selector that does not", [egress("cafe/s", "./*", selector={"app": "x"})], SEEN),
    ("the oldest", [egress("cafe/s", "./*", age=2), egress("cafe/t", "*/*", age=1)], SEEN),
    ("then the name", [egress("cafe/s", "./*"), egress("cafe/t", "*/*")], PASSED),
    ("the root's", [egress("istio-system/s", "./*")], PASSED),
    ("nothing merges with the root's", [egress("istio-system/s", "./*"), egress("cafe/s", "shop/*")], SEEN),
    ("a selector in root is local to root", [egress("istio-system/s", "./*", selector={"app": "c"})], SEEN),
    ("another namespace's Sidecar", [egress("zoo/s", "./*")], SEEN),
    ("a listener for the port", [egress("cafe/s", egress=[{"port": {"number": 80}, "hosts": ["*/*"]}])], SEEN),
    ("a listener for another port", [egress("cafe/s", egress=[{"port": {"number": 81}, "hosts": ["*/*"]}])], PASSED),
]


@pytest.mark.parametrize(("title", "sidecars", "expected"), SIDECARS, ids=[row[0] for row in SIDECARS])
def test_sidecars(title, sidecars, expected):
    result = judge(mesh_config(), pod("cafe/c"), pod("shop/a"), service("shop/a"), sidecars)
    assert answer(result, "cafe/c", "shop/a") == expected


def test_the_roots_dot_means_the_clients_own_namespace():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("istio-system/s", "./*"))
    assert answer(result, "shop/a", "shop/a") == SEEN
    assert answer(result, "cafe/c", "shop/a") == PASSED


def test_a_sidecars_policy_replaces_the_meshs():
    registry_only = mesh_config(outboundTrafficPolicy=ONLY)
    parts = [registry_only, pod("cafe/c"), pod("shop/a"), service("shop/a")]
    assert answer(judge(parts, egress("cafe/s", "./*")), "cafe/c", "shop/a") == BLOCKED
    assert answer(judge(parts, egress("cafe/s", "./*", outboundTrafficPolicy=ANY)), "cafe/c", "shop/a") == PASSED


def test_gateways_ignore_sidecars():
    result = judge(pod("cafe/gw", "gateway"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*"))
    assert answer(result, "cafe/gw", "shop/a") == SEEN


def test_hidden_means_plaintext_refused_by_strict_and_the_reason_names_the_sidecar():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*"), peer("shop/n", "STRICT"))
    (row,) = edges(result, "cafe/c", service="shop/a")
    assert (row["client_tls"], row["verdict"]) == ("none", "broken")
    assert row["reason"] == (
        f"Sidecar cafe/s hides {HOST}, so its proxy passes the connection on as it is (passthrough); "
        "PeerAuthentication shop/n is STRICT"
    )


def test_blocked_is_said():
    result = judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), egress("cafe/s", "./*", outboundTrafficPolicy=ONLY))
    assert edges(result, "cafe/c", service="shop/a")[0]["reason"].startswith("blocked: Sidecar cafe/s")


# title, exportTo of the Service, mesh default, answers for cafe/c and shop/a
EXPORTS = [
    ("everyone by default", None, None, (SEEN, SEEN)),
    ("private", ".", None, (PASSED, SEEN)),
    ("to a namespace, not its own", "cafe", None, (SEEN, PASSED)),
    ("a list", "., cafe", None, (SEEN, SEEN)),
    ("nobody", "~", None, (PASSED, PASSED)),
    ("the mesh's default", None, ["."], (PASSED, SEEN)),
    ("its own beats the default", "*", ["."], (SEEN, SEEN)),
]


@pytest.mark.parametrize(("title", "export_to", "default", "expected"), EXPORTS, ids=[row[0] for row in EXPORTS])
def test_service_exports(title, export_to, default, expected):
    mesh = mesh_config() if default is None else mesh_config(defaultServiceExportTo=default)
    result = judge(mesh, pod("cafe/c"), pod("shop/a"), service("shop/a", export_to=export_to))
    assert tuple(answer(result, client, "shop/a") for client in ("cafe/c", "shop/a")) == expected


def test_discovery_selectors_hide_services():
    mesh = mesh_config(discoverySelectors=[{"matchExpressions": [{"key": "mesh", "operator": "Exists"}]}])
    parts = [
        mesh,
        namespace("cafe", mesh="yes"),
        pod("cafe/c"),
        pod("shop/a"),
        service("shop/a"),
        rule("shop/r", "a", tls("ISTIO_MUTUAL")),
    ]
    assert answer(judge(parts, namespace("shop")), "cafe/c", "shop/a") == PASSED
    assert answer(judge(parts, namespace("shop", mesh="yes")), "cafe/c", "shop/a") == SEEN


def note(name: str, value: str) -> dict[str, str]:
    """An annotation of traffic.sidecar.istio.io."""
    return {f"traffic.sidecar.istio.io/{name}": value}


BYPASS = [
    ("an excluded port", note("excludeOutboundPorts", "80,443"), PASSED),
    ("another excluded port", note("excludeOutboundPorts", "443"), SEEN),
    ("an excluded range", note("excludeOutboundIPRanges", "10.0.0.0/8"), PASSED),
    ("another excluded range", note("excludeOutboundIPRanges", "192.0.2.0/24"), SEEN),
    ("not in the included ranges", note("includeOutboundIPRanges", "192.0.2.0/24"), PASSED),
    ("in the included ranges", note("includeOutboundIPRanges", "10.0.0.0/8"), SEEN),
    ("nothing included", note("includeOutboundIPRanges", ""), PASSED),
    (
        "an included port beats ranges",
        {**note("includeOutboundIPRanges", ""), **note("includeOutboundPorts", "80")},
        SEEN,
    ),
    ("interceptionMode NONE", {"sidecar.istio.io/interceptionMode": "NONE"}, PASSED),
]


@pytest.mark.parametrize(("title", "annotations", "expected"), BYPASS, ids=[row[0] for row in BYPASS])
def test_outbound_bypasses(title, annotations, expected):
    result = judge(pod("cafe/c", annotations=annotations), pod("shop/a"), service("shop/a"))
    assert answer(result, "cafe/c", "shop/a") == expected


def test_ranges_and_unknown_addresses_cannot_be_judged():
    client = pod("cafe/c", annotations=note("excludeOutboundIPRanges", "10.0.0.0/8"))
    result = judge(client, pod("shop/a"), headless("shop/a"))
    assert answer(result, "cafe/c", "shop/a") == "unknown -> unknown"
