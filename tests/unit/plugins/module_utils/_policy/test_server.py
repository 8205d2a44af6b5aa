# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 2 of the semantics: which mode a workload and its ports enforce."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    headless,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    port,
    service,
    workload,
)

A = {"app": "a"}

# title, policies, mode of demo/a, policy that decides, modes of ports that differ
MODES = [
    ("nothing set is PERMISSIVE", [], "PERMISSIVE", None, {}),
    ("mesh", [peer("istio-system/p", "STRICT")], "STRICT", "istio-system/p", {}),
    ("namespace beats mesh", [peer("istio-system/p", "STRICT"), peer("demo/n", "DISABLE")], "DISABLE", "demo/n", {}),
    (
        "workload beats namespace, age never matters across scopes",
        [peer("demo/n", "STRICT", age=1), peer("demo/w", "PERMISSIVE", A, age=9)],
        "PERMISSIVE",
        "demo/w",
        {},
    ),
    ("UNSET passes on", [peer("istio-system/p", "STRICT"), peer("demo/n", "UNSET")], "STRICT", "istio-system/p", {}),
    ("no mtls passes on", [peer("istio-system/p", "STRICT"), peer("demo/n")], "STRICT", "istio-system/p", {}),
    ("UNSET for the mesh is PERMISSIVE", [peer("istio-system/p", "UNSET")], "PERMISSIVE", None, {}),
    ("another namespace", [peer("other/n", "STRICT")], "PERMISSIVE", None, {}),
    ("another workload", [peer("demo/w", "STRICT", {"app": "b"})], "PERMISSIVE", None, {}),
    ("empty matchLabels is no selector", [peer("demo/n", "STRICT", {})], "STRICT", "demo/n", {}),
    (
        "labels that injection adds count",
        [peer("demo/w", "STRICT", {"security.istio.io/tlsMode": "istio"})],
        "STRICT",
        "demo/w",
        {},
    ),
    ("a selector in root is ignored", [peer("istio-system/w", "STRICT", A)], "PERMISSIVE", None, {}),
    ("the oldest wins", [peer("demo/b", "DISABLE", age=1), peer("demo/a", "STRICT", age=2)], "DISABLE", "demo/b", {}),
    ("then the name", [peer("demo/b", "DISABLE", age=1), peer("demo/a", "STRICT", age=1)], "STRICT", "demo/a", {}),
    (
        "an object without age may be older or younger",
        [peer("demo/a", "DISABLE", age=None), peer("demo/b", "STRICT", age=9)],
        "unknown",
        "demo/b or a",
        {},
    ),
    (
        "an older UNSET shadows a newer STRICT",
        [peer("demo/a", "UNSET", age=1), peer("demo/b", "STRICT", age=2)],
        "PERMISSIVE",
        None,
        {},
    ),
    (
        "of two workload policies one wins whole",
        [
            peer("demo/x", "PERMISSIVE", A, {8080: "STRICT"}, age=1),
            peer("demo/y", "STRICT", A, {9090: "STRICT"}, age=2),
        ],
        "PERMISSIVE",
        "demo/x",
        {8080: "STRICT"},
    ),
    ("a port", [peer("demo/w", "STRICT", A, {8080: "PERMISSIVE"})], "STRICT", "demo/w", {8080: "PERMISSIVE"}),
    (
        "a port without mode has the composed one",
        [peer("demo/n", "STRICT"), peer("demo/w", None, A, {8080: None})],
        "STRICT",
        "demo/n",
        {8080: "STRICT"},
    ),
    (
        "a port of a policy that sets no mode itself",
        [peer("demo/n", "STRICT"), peer("demo/w", None, A, {8080: "DISABLE"})],
        "STRICT",
        "demo/n",
        {8080: "DISABLE"},
    ),
    (
        "a port named only in the policy",
        [peer("demo/w", "PERMISSIVE", A, {9999: "STRICT"})],
        "PERMISSIVE",
        "demo/w",
        {9999: "STRICT"},
    ),
    ("ports without selector do nothing", [peer("demo/n", "STRICT", None, {8080: "DISABLE"})], "STRICT", "demo/n", {}),
    (
        "ports of a namespace policy do not add ports",
        [peer("demo/n", "STRICT", None, {9999: "DISABLE"})],
        "STRICT",
        "demo/n",
        {},
    ),
]


@pytest.mark.parametrize(("title", "policies", "mode", "policy", "ports"), MODES, ids=[row[0] for row in MODES])
def test_mode(title, policies, mode, policy, ports):
    result = judge(pod("demo/a"), service("demo/a"), policies)
    found = workload(result, "demo/a")
    assert (found["mode"], found["policy"]) == (mode, policy)
    assert {row["port"]: row["mode"] for row in found["ports"]} == {8080: mode, **ports}


@pytest.mark.parametrize(
    ("mode", "plaintext"), [("STRICT", "refused"), ("PERMISSIVE", "accepted"), ("DISABLE", "accepted")]
)
def test_plaintext(mode, plaintext):
    assert port(judge(pod("demo/a"), peer("demo/n", mode)), "demo/a", 8080)["plaintext"] == plaintext


def test_root_is_what_mesh_config_says():
    """With another root a policy in istio-system governs only istio-system."""
    policies = [peer("istio-system/p", "STRICT"), peer("config/p", "DISABLE")]
    result = judge(
        mesh_config(rootNamespace="config"),
        pod("demo/a"),
        pod("istio-system/b"),
        pod("config/c"),
        policies,
        peer("config/w", "STRICT", {"app": "c"}),
    )
    assert workload(result, "demo/a")["mode"] == "DISABLE"
    assert workload(result, "istio-system/b")["mode"] == "STRICT"
    assert workload(result, "config/c")["mode"] == "DISABLE", "a selector in root is ignored for pods in root, too"


def test_revisions_see_only_their_objects():
    """A policy labelled istio.io/rev is for that control plane only; each has its own root namespace."""
    result = judge(
        mesh_config(),
        mesh_config("canary", rootNamespace="canary-root"),
        pod("demo/a"),
        pod("demo/b", revision="canary"),
        peer("demo/n", "STRICT", rev="canary"),
        peer("canary-root/p", "DISABLE"),
        peer("istio-system/p", "PERMISSIVE"),
    )
    assert workload(result, "demo/a")["policy"] == "istio-system/p"
    assert workload(result, "demo/b")["policy"] == "demo/n"
    assert [row["name"] for row in result["mesh"]["revisions"]] == ["canary", "default"]


def test_discovery_selectors_hide_policies():
    hidden = mesh_config(discoverySelectors=[{"matchLabels": {"mesh": "yes"}}])
    assert workload(judge(hidden, pod("demo/a"), peer("demo/n", "STRICT")), "demo/a")["mode"] == "PERMISSIVE"


@pytest.mark.parametrize(
    ("ports", "services", "listed"),
    [
        ([{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}], [], [1]),
        ([{"containerPort": 1}], [service("demo/a", ports=[{"port": 80, "targetPort": 7}])], [1, 7]),
        ([{"containerPort": 1, "name": "x"}], [service("demo/a", ports=[{"port": 80, "targetPort": "x"}])], [1]),
        ([{"containerPort": 1}], [service("demo/a", ports=[{"port": 80, "targetPort": "none"}])], [1]),
        ([{"containerPort": 1}], [service("demo/a", ports=[{"port": 80}])], [1, 80]),
        ([{"containerPort": 1}], [headless("demo/a", ports=[{"port": 80, "targetPort": 9}])], [1, 9]),
        ([{"containerPort": 1}], [peer("demo/w", "STRICT", A, {5: "DISABLE"})], [1, 5]),
    ],
)
def test_ports_that_are_listed(ports, services, listed):
    """Application containers' ports, target ports, ports of the policy; never the proxy's, never UDP."""
    assert [row["port"] for row in workload(judge(pod("demo/a", ports=ports), services), "demo/a")["ports"]] == listed


ENVOY_FILTERS = [
    (
        "a limit of requests is harmless",
        {
            "applyTo": "HTTP_FILTER",
            "match": {"context": "SIDECAR_INBOUND"},
            "patch": {
                "operation": "INSERT_FIRST",
                "value": {
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
                    }
                },
            },
        },
        "STRICT",
    ),
    (
        "a merged buffer limit is harmless",
        {"applyTo": "LISTENER", "patch": {"operation": "MERGE", "value": {"per_connection_buffer_limit_bytes": 1}}},
        "STRICT",
    ),
    (
        "a filter chain",
        {
            "applyTo": "FILTER_CHAIN",
            "match": {"context": "SIDECAR_INBOUND"},
            "patch": {"operation": "ADD", "value": {}},
        },
        "unknown",
    ),
    ("any context", {"applyTo": "LISTENER", "patch": {"operation": "REMOVE"}}, "unknown"),
    (
        "outbound does not touch what is accepted",
        {"applyTo": "LISTENER", "match": {"context": "SIDECAR_OUTBOUND"}, "patch": {"operation": "REMOVE"}},
        "STRICT",
    ),
]


@pytest.mark.parametrize(("title", "patch", "mode"), ENVOY_FILTERS, ids=[row[0] for row in ENVOY_FILTERS])
def test_envoy_filters_cannot_be_judged(title, patch, mode):
    strict, envoy = peer("demo/n", "STRICT"), istio("EnvoyFilter", "demo/f", {"configPatches": [patch]})
    result = judge(pod("demo/a"), pod("demo/b"), strict, envoy)
    assert workload(result, "demo/a")["mode"] == mode
    assert any(row["kind"] == "EnvoyFilter" for row in result["unknown"]) == (mode == "unknown")
