# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 5 of the semantics: ztunnel as server and as client, and sidecars that meet it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    headless,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port,
    rule,
    service,
    tls,
    workload,
)

A = {"app": "a"}


def istiod(**env: str | None) -> dict[str, Any]:
    """istiod's Deployment with these variables; None stands for a value that lies elsewhere."""
    variables = [
        {"name": name, "valueFrom": {"configMapKeyRef": {"name": "x"}}}
        if value is None
        else {"name": name, "value": value}
        for name, value in env.items()
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": "istio-system"},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": variables}]}}},
    }


MESH_STRICT = peer("istio-system/m", "STRICT")

# title, policies, plaintext at the ports 8080 and 9090
SERVER = [
    ("nothing set", [], ("accepted", "accepted")),
    ("STRICT", [peer("demo/n", "STRICT")], ("refused", "refused")),
    ("DISABLE acts as PERMISSIVE", [peer("demo/n", "DISABLE")], ("accepted", "accepted")),
    ("a STRICT port", [peer("demo/w", "PERMISSIVE", A, {8080: "STRICT"})], ("refused", "accepted")),
    ("an open port of a STRICT workload", [peer("demo/w", "STRICT", A, {8080: "DISABLE"})], ("accepted", "refused")),
    (
        "under an inherited STRICT: PERMISSIVE opens",
        [MESH_STRICT, peer("demo/w", None, A, {8080: "PERMISSIVE"})],
        ("accepted", "refused"),
    ),
    ("quirk: DISABLE does not", [MESH_STRICT, peer("demo/w", None, A, {8080: "DISABLE"})], ("refused", "refused")),
    ("quirk: an empty selector is no mesh policy", [peer("istio-system/m", "STRICT", {})], ("accepted", "accepted")),
    (
        "quirk: a reference to a policy that is never generated",
        [MESH_STRICT, peer("demo/n", "UNSET"), peer("demo/w", None, A, {8080: "PERMISSIVE"})],
        ("unknown", "unknown"),
    ),
]


@pytest.mark.parametrize(("title", "policies", "expected"), SERVER, ids=[row[0] for row in SERVER])
def test_what_ztunnel_accepts(title, policies, expected):
    ports = [{"containerPort": 8080}, {"containerPort": 9090}]
    result = judge(pod("demo/a", "ambient", ports=ports), policies)
    assert tuple(port(result, "demo/a", number)["plaintext"] for number in (8080, 9090)) == expected


def test_bypass():
    one = pod("demo/a", "ambient", annotations={"ambient.istio.io/bypass-inbound-capture": "true"})
    found = port(judge(one, peer("demo/n", "STRICT")), "demo/a", 8080)
    assert (found["captured"], found["plaintext"]) == (False, "accepted")


SERVERS: dict[str, list[Any]] = {
    "ambient": [pod("shop/a", "ambient")],
    "ambient STRICT": [pod("shop/a", "ambient"), peer("shop/n", "STRICT")],
    "sidecar": [pod("shop/a")],
    "sidecar STRICT": [pod("shop/a"), peer("shop/n", "STRICT")],
    "sidecar with a tunnel": [pod("shop/a", labels={"networking.istio.io/tunnel": "http"}), peer("shop/n", "STRICT")],
    "none": [pod("shop/a", "none")],
}
UNKNOWN, PU = "unknown -> unknown", "plaintext -> unknown"
HBONE, P, PB, M = "hbone -> mtls", "plaintext -> plaintext", "plaintext -> broken", "mtls -> mtls"
CLIENTS = [
    ("ztunnel", pod("cafe/c", "ambient"), [], [HBONE, HBONE, P, PB, HBONE, P]),
    (
        "ztunnel knows no rules",
        pod("cafe/c", "ambient"),
        [rule("shop/r", "a", tls("ISTIO_MUTUAL"))],
        [HBONE, HBONE, P, PB, HBONE, P],
    ),
    ("a sidecar prefers legacy mTLS", pod("cafe/c"), [], [HBONE, HBONE, M, M, M, P]),
    (
        "a sidecar sends HBONE even with DISABLE",
        pod("cafe/c"),
        [rule("shop/r", "a", tls("DISABLE"))],
        [HBONE, HBONE, P, PB, PB, P],
    ),
    (
        "no proxy",
        pod("cafe/c", "none"),
        [],
        ["none -> plaintext", "none -> broken"] * 2 + ["none -> broken", "none -> plaintext"],
    ),
]


@pytest.mark.parametrize(("title", "client", "rules", "answers"), CLIENTS, ids=[row[0] for row in CLIENTS])
def test_clients(title, client, rules, answers):
    found = [
        answer(judge(istiod(PILOT_ENABLE_AMBIENT="true"), client, rules, server, service("shop/a")), "cafe/c", "shop/a")
        for server in SERVERS.values()
    ]
    assert dict(zip(SERVERS, found, strict=True)) == dict(zip(SERVERS, answers, strict=True))


def test_a_sidecar_sends_plaintext_to_a_headless_ambient_service():
    ports = [{"name": "tcp", "port": 8080}]
    result = judge(pod("cafe/c"), pod("shop/a", "ambient"), headless("shop/a", ports=ports), peer("shop/n", "STRICT"))
    assert answer(result, "cafe/c", "shop/a") == PB


@pytest.mark.parametrize(
    ("title", "control_plane", "expected"),
    [
        ("it is not on: nor is there anybody to program ztunnel", [istiod()], PU),
        ("on, as Go reads it", [istiod(PILOT_ENABLE_AMBIENT="1")], HBONE),
        ("a word that is none of Go's", [istiod(PILOT_ENABLE_AMBIENT="yes")], PU),
        ("sending is off", [istiod(PILOT_ENABLE_AMBIENT="true", PILOT_ENABLE_SENDING_HBONE="False")], P),
        ("a value out of a ConfigMap", [istiod(PILOT_ENABLE_AMBIENT="true", PILOT_ENABLE_SENDING_HBONE=None)], UNKNOWN),
        ("no istiod in the input", [], UNKNOWN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whether_sidecars_send_hbone_is_what_istiods_environment_says(title, control_plane, expected):
    result = judge(control_plane, pod("cafe/c"), pod("shop/a", "ambient"), service("shop/a"))
    assert answer(result, "cafe/c", "shop/a") == expected, title


@pytest.mark.parametrize(
    ("switch", "unread", "expected"),
    [
        ("true", [], "hbone -> mtls"),
        ("false", [], "mtls -> broken"),
        ("false", [{"kind": "Deployment", "namespace": "istio-system", "reason": "forbidden"}], "unknown -> unknown"),
    ],
    ids=["preferred", "not preferred", "nobody knows"],
)
def test_hbone_between_sidecars_reaches_an_excluded_port(switch, unread, expected):
    """PILOT_PREFER_SENDING_HBONE: the port that is dialled is 15008, whatever is excluded."""
    control_plane = istiod(PILOT_ENABLE_AMBIENT="true", PILOT_PREFER_SENDING_HBONE=switch)
    labels = {"networking.istio.io/tunnel": "http"}
    server = pod("shop/a", labels=labels, annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "8080"})
    result = judge(control_plane, pod("cafe/c"), server, service("shop/a"), unread=unread)
    assert answer(result, "cafe/c", "shop/a") == expected


def test_strict_has_a_hole_on_the_node():
    result = judge(pod("shop/a", "ambient"), peer("shop/n", "STRICT"))
    assert workload(result, "shop/a")["mode"] == "STRICT"
    assert [row["id"] for row in result["findings"]] == ["MTLS-027"]


NOBODY = {"kind": "Deployment", "namespace": "istio-system", "reason": "forbidden"}
CONTROL_PLANES: dict[str, tuple[list[Any], list[Any], str]] = {
    "it serves ztunnel": ([istiod(PILOT_ENABLE_AMBIENT="true")], [], "STRICT"),
    "it does not": ([istiod()], [], "unknown"),
    "it says so": ([istiod(PILOT_ENABLE_AMBIENT="false")], [], "unknown"),
    "whether it does lies elsewhere": ([istiod(PILOT_ENABLE_AMBIENT=None)], [], "unknown"),
    "it was not read": ([], [NOBODY], "unknown"),
    "nothing speaks of it": ([], [], "STRICT"),
}


@pytest.mark.parametrize(("control_plane", "unread", "mode"), CONTROL_PLANES.values(), ids=CONTROL_PLANES)
def test_whether_anybody_programs_ztunnel(control_plane, unread, mode):
    """The annotation and the label are a tenant's to write: alone they make no pod secure."""
    manifests = [control_plane, mesh_config(), MESH_STRICT, pod("shop/a", "ambient"), service("shop/a")]
    result = judge(*manifests, pod("cafe/c", "ambient"), unread=unread)
    assert workload(result, "shop/a")["mode"] == mode
    assert port(result, "shop/a", 8080)["plaintext"] == ("refused" if mode == "STRICT" else "unknown")
    assert answer(result, "cafe/c", "shop/a") == (HBONE if mode == "STRICT" else UNKNOWN)


def test_of_several_control_planes_one_may_serve_ztunnel():
    other = istiod(PILOT_ENABLE_AMBIENT="true")
    other["metadata"]["name"] = "istiod-canary"
    meshes = [mesh_config(), mesh_config("canary")]
    ambient = [MESH_STRICT, pod("shop/a", "ambient")]
    assert workload(judge(*meshes, istiod(), other, *ambient), "shop/a")["mode"] == "STRICT"
    assert workload(judge(*meshes, istiod(), *ambient), "shop/a")["mode"] == "unknown"


def test_what_would_become_ambient_is_doubted_as_well():
    parts = [mesh_config(), MESH_STRICT, namespace("shop", dataplane_mode="ambient"), deployment("shop/a")]
    assert workload(judge(*parts, istiod(PILOT_ENABLE_AMBIENT="true")), "shop/a")["mode"] == "STRICT"
    assert workload(judge(*parts, istiod()), "shop/a")["mode"] == "unknown"


@pytest.mark.parametrize(
    "control_plane",
    [
        pytest.param([], id="not read"),
        pytest.param([istiod(PILOT_ENABLE_AMBIENT="true")], id="ambient"),
        pytest.param(
            [istiod(PILOT_ENABLE_AMBIENT="true", PILOT_ENABLE_SENDING_HBONE="false")], id="sidecars send none"
        ),
    ],
)
def test_a_waypoint_sends_hbone_whatever_istiods_environment(control_plane):
    """core/cluster_builder.go: sendHbone is EnableHBONESend or that the proxy is a waypoint."""
    front = pod("demo/front", "gateway")
    front["spec"]["containers"][0]["args"] = ["proxy", "waypoint"]
    found = judge(mesh_config(), control_plane, front, pod("demo/a", "ambient"), service("demo/a"))
    assert answer(found, "demo/front", "demo/a") == "hbone -> mtls"


OFF = rule("shop/r", "a", tls("DISABLE"))
ACROSS = [mesh_config(), pod("cafe/c"), service("shop/a"), OFF]
NO_HBONE = istiod(PILOT_ENABLE_AMBIENT="true", PILOT_ENABLE_SENDING_HBONE="false")


@pytest.mark.parametrize(
    ("what", "server", "expected"),
    [
        ("ztunnel takes mutual TLS, by HBONE alone", [pod("shop/a", "ambient"), NO_HBONE], True),
        ("a port that ztunnel does not capture takes none",
         [pod("shop/a", "ambient", annotations={"ambient.istio.io/bypass-inbound-capture": "true"}), NO_HBONE], False),
        ("a sidecar takes it", [pod("shop/a"), NO_HBONE], True),
        ("a pod outside the mesh takes none", [pod("shop/a", "none"), NO_HBONE], False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_rule_that_sends_plaintext_is_a_finding_where_mutual_tls_would_be_taken(what, server, expected):
    findings = {(row["id"], row["object"]) for row in judge(ACROSS, server)["findings"]}
    assert (("MTLS-013", "DestinationRule shop/r") in findings) is expected, what
