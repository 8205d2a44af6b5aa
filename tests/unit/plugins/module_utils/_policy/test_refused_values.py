# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that Istio would refuse, or that nobody knows yet, are unknown and not the safe default."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.envoy_filters import (
    EVERYTHING,
    NOTHING,
    Touched,
    touched_by,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    workload,
)

STRICT = peer("istio-system/default", "STRICT")
EXCLUDE = "traffic.sidecar.istio.io/excludeInboundPorts"
MODE = "sidecar.istio.io/interceptionMode"


@pytest.mark.parametrize(
    ("notes", "mode"),
    [
        ({MODE: "none"}, "unknown"),
        ({MODE: "Redirect"}, "unknown"),
        ({MODE: "TPROXY"}, "STRICT"),
        ({EXCLUDE: "8080-8090"}, "unknown"),
        ({EXCLUDE: "²"}, "unknown"),
        ({EXCLUDE: "70000"}, "unknown"),
        ({EXCLUDE: "9" * 5000}, "unknown"),
        ({EXCLUDE: " 9090, 9091,"}, "STRICT"),
        ({EXCLUDE: ""}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeInboundPorts": "*"}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeOutboundPorts": "x"}, "unknown"),
    ],
)
def test_settings_of_the_redirection(notes, mode):
    assert workload(judge(mesh_config(), STRICT, pod("demo/a", annotations=notes)), "demo/a")["mode"] == mode


@pytest.mark.parametrize(
    "spec",
    [
        {"mtls": {"mode": "strict"}},
        {"mtls": {"mode": "STRICT"}, "targetRefs": [{"kind": "Service", "name": "a"}]},
        {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"70000": {"mode": "STRICT"}}},
    ],
    ids=["a mode in another case", "targetRefs", "a port out of range"],
)
def test_peer_authentications(spec):
    odd = {**peer("demo/p", "STRICT"), "spec": spec}
    result = judge(mesh_config(), STRICT, pod("demo/a"), odd)
    assert workload(result, "demo/a")["mode"] == "unknown"


def test_a_load_balancer_that_nobody_knows():
    odd = rule("demo/r", "a.demo.svc.cluster.local", {"loadBalancer": {"simple": "NEWEST"}})
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("demo/b"), service("demo/a"), odd)
    assert answer(result, "demo/b", "demo/a") == "unknown -> unknown"


def patch(target: str, operation: str = "MERGE", context: str = "ANY", filtered: str = "", **value: Any) -> Any:
    match: dict[str, Any] = {"context": context}
    if filtered:
        match["listener"] = {"filterChain": {"filter": {"name": filtered}}}
    return {"applyTo": target, "match": match, "patch": {"operation": operation, "value": value}}


HTTP = "envoy.filters.network.http_connection_manager"


@pytest.mark.parametrize(
    ("title", "entry", "touched"),
    [
        ("an HTTP filter", patch("HTTP_FILTER", "INSERT_BEFORE"), NOTHING),
        ("a route", patch("VIRTUAL_HOST"), NOTHING),
        ("settings of the HTTP manager", patch("NETWORK_FILTER", filtered=HTTP), NOTHING),
        ("a rate limit in front of TCP", patch("NETWORK_FILTER", "INSERT_FIRST"), NOTHING),
        ("another TCP proxy", patch("NETWORK_FILTER", "REPLACE"), Touched(False, True)),
        ("a cluster beside the others", patch("CLUSTER", "ADD"), NOTHING),
        ("a timeout of clusters", patch("CLUSTER", connect_timeout="5s"), NOTHING),
        ("TLS of clusters", patch("CLUSTER", transport_socket={}), Touched(False, True)),
        ("clusters that go", patch("CLUSTER", "REMOVE"), Touched(False, True)),
        ("the proxy protocol at a gateway", patch("LISTENER_FILTER", "INSERT_FIRST", "GATEWAY"), NOTHING),
        ("a listener filter of a sidecar", patch("LISTENER_FILTER", "INSERT_FIRST", "SIDECAR_INBOUND"),
         Touched(True, False)),
        ("a buffer limit", patch("LISTENER", per_connection_buffer_limit_bytes=1), NOTHING),
        ("a filter chain", patch("FILTER_CHAIN", "ADD"), EVERYTHING),
        ("statistics in the bootstrap", patch("BOOTSTRAP", stats_config={}), NOTHING),
        ("a listener in the bootstrap", patch("BOOTSTRAP", static_resources={}), EVERYTHING),
        ("a target that nobody knows", patch("SOCKET", context="GATEWAY"), EVERYTHING),
        ("a context that nobody knows", patch("LISTENER", context="SIDECAR"), EVERYTHING),
        ("an operation that nobody knows", patch("CLUSTER", "UPSERT", "GATEWAY"), EVERYTHING),
        ("no operation", {"applyTo": "CLUSTER"}, EVERYTHING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_a_patch_of_an_envoy_filter_can_change(title, entry, touched):
    assert touched_by(entry) == touched, title


@pytest.mark.parametrize(
    ("kind", "mode"), [("Gateway", "STRICT"), ("Service", "STRICT"), ("Planet", "unknown")], ids=str
)
def test_an_envoy_filter_with_targets_is_for_these(kind, mode):
    spec = {"targetRefs": [{"kind": kind, "name": "a"}], "configPatches": [patch("LISTENER", "REMOVE")]}
    result = judge(mesh_config(), STRICT, pod("demo/a"), istio("EnvoyFilter", "demo/f", spec))
    assert workload(result, "demo/a")["mode"] == mode
