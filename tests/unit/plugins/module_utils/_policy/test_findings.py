# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at: one case for each id, and quiet where all is well."""

from __future__ import annotations

import re

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import findings
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

A = {"app": "a"}
STRICT = peer("istio-system/m", "STRICT")
ENROLLED = namespace("demo", istio_injection="enabled")
UDP = [{"containerPort": 53, "protocol": "UDP"}]
IDENTITY = {"rules": [{"from": [{"source": {"principals": ["*"]}}]}]}

# id, object, manifests
CASES = [
    ("MTLS-001", "Deployment demo/a", [deployment("demo/a", annotations={"sidecar.istio.io/inject": "true"})]),
    ("MTLS-001", "Deployment demo/a", [pod("demo/a", annotations={"sidecar.istio.io/inject": "true"}), STRICT]),
    ("MTLS-002", "Deployment demo/a", [ENROLLED, pod("demo/a", "none")]),
    ("MTLS-002", "Deployment demo/a", [ENROLLED, deployment("demo/a", labels={"sidecar.istio.io/inject": "false"})]),
    (
        "MTLS-003",
        "Deployment demo/a",
        [STRICT, pod("demo/a", annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "8080"})],
    ),
    ("MTLS-004", "Deployment demo/a", [ENROLLED, pod("demo/a", "none", hostNetwork=True)]),
    ("MTLS-005", "Deployment demo/a", [STRICT, pod("demo/a", ports=UDP)]),
    (
        "MTLS-005",
        "Service demo/a",
        [STRICT, pod("demo/a"), service("demo/a", ports=[{"port": 53, "protocol": "UDP"}])],
    ),
    ("MTLS-006", "Deployment demo/a", [pod("demo/a")]),
    ("MTLS-007", "Deployment demo/a", [pod("demo/a"), peer("demo/n", "DISABLE")]),
    ("MTLS-008", "Deployment demo/a", [pod("demo/a"), peer("demo/w", "STRICT", A, {8080: "PERMISSIVE"})]),
    ("MTLS-009", "PeerAuthentication istio-system/w", [peer("istio-system/w", "STRICT", A)]),
    ("MTLS-010", "PeerAuthentication demo/b", [STRICT, peer("demo/a", "STRICT"), peer("demo/b", "STRICT")]),
    (
        "MTLS-010",
        "PeerAuthentication demo/b",
        [pod("demo/a"), peer("demo/a", "STRICT", A), peer("demo/b", "STRICT", A)],
    ),
    ("MTLS-011", "PeerAuthentication demo/w", [STRICT, peer("demo/w", "STRICT", {"app": "x"})]),
    ("MTLS-012", "PeerAuthentication demo/n", [STRICT, peer("demo/n", "STRICT", None, {80: "DISABLE"})]),
    (
        "MTLS-013",
        "DestinationRule demo/r",
        [STRICT, pod("demo/a"), service("demo/a"), rule("demo/r", "a", tls("DISABLE"))],
    ),
    (
        "MTLS-014",
        "DestinationRule demo/r",
        [STRICT, pod("demo/c"), pod("demo/a", "none"), service("demo/a"), rule("demo/r", "a", tls("ISTIO_MUTUAL"))],
    ),
    (
        "MTLS-015",
        "DestinationRule istio-system/r",
        [
            STRICT,
            pod("demo/c"),
            pod("demo/a", "none"),
            service("demo/a"),
            rule("istio-system/r", "*.local", tls("ISTIO_MUTUAL")),
        ],
    ),
    ("MTLS-016", "Namespace demo", [namespace("demo", istio_injection="disabled", rev="canary")]),
    (
        "MTLS-017",
        "EnvoyFilter demo/f",
        [istio("EnvoyFilter", "demo/f", {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]})],
    ),
    (
        "MTLS-018",
        "Deployment demo/a",
        [STRICT, pod("demo/a", annotations={"sidecar.istio.io/interceptionMode": "NONE"})],
    ),
    ("MTLS-019", "Deployment demo/a", [pod("demo/a", annotations={"sidecar.istio.io/status": ""})]),
    (
        "MTLS-020",
        "Deployment demo/a",
        [STRICT, pod("demo/a", annotations={"traffic.sidecar.istio.io/excludeInterfaces": "eth1"})],
    ),
    (
        "MTLS-021",
        "Deployment demo/a",
        [STRICT, pod("demo/a", annotations={"traffic.sidecar.istio.io/excludeOutboundPorts": "80"})],
    ),
    ("MTLS-022", "revision default", [mesh_config(enableAutoMtls=False)]),
    ("MTLS-023", "Gateway demo/g", [istio("Gateway", "demo/g", {"servers": [{"port": {"number": 80}}]})]),
    (
        "MTLS-024",
        "Deployment demo/a",
        [pod("demo/a"), istio("AuthorizationPolicy", "demo/p", IDENTITY, group="security")],
    ),
    ("MTLS-025", "Namespace demo", [pod("demo/a"), mesh_config(discoverySelectors=[{"matchLabels": {"mesh": "yes"}}])]),
    (
        "MTLS-026",
        "Sidecar demo/s",
        [istio("Sidecar", "demo/s", {"ingress": [{"port": {"number": 80}, "tls": {"mode": "SIMPLE"}}]})],
    ),
    ("MTLS-027", "ambient", [STRICT, pod("demo/a", "ambient")]),
    (
        "MTLS-028",
        "Deployment demo/a",
        [STRICT, pod("demo/a", "ambient", annotations={"ambient.istio.io/bypass-inbound-capture": "true"})],
    ),
]


@pytest.mark.parametrize(
    ("identifier", "thing", "manifests"), CASES, ids=[f"{row[0]}-{n}" for n, row in enumerate(CASES)]
)
def test_finding(identifier, thing, manifests):
    found = {(row["id"], row["object"]): row for row in judge(manifests)["findings"]}
    row = found[identifier, thing]
    assert row["severity"] == findings.SEVERITIES[identifier]
    assert row["message"]
    assert row["fix"]


def test_every_id_is_documented_and_has_a_case():
    documented = dict(re.findall(r"^(MTLS-\d{3})\s+(high|medium|low|info)\s", findings.__doc__, re.MULTILINE))
    assert documented == findings.SEVERITIES
    assert {row[0] for row in CASES} == set(documented)


QUIET = [
    (
        "all is well",
        [
            ENROLLED,
            mesh_config(),
            pod("demo/a"),
            pod("demo/b"),
            service("demo/a"),
            STRICT,
            rule("demo/r", "a", tls("ISTIO_MUTUAL")),
        ],
    ),
    (
        "not enrolled, not in the mesh",
        [namespace("demo"), pod("demo/a", "none", hostNetwork=True), pod("demo/b", "none")],
    ),
    (
        "the annotation beside a label that says the same, as istiod has it",
        [
            pod(
                "istio-system/istiod",
                "none",
                labels={"sidecar.istio.io/inject": "false"},
                annotations={"sidecar.istio.io/inject": "false"},
            )
        ],
    ),
    ("an empty mesh", []),
]


def test_nothing_is_said_of_a_proxy_that_nobody_could_see():
    """The pods of a Deployment were not read: whether its ports bypass the proxy is unknown, and no finding."""
    gap = {"kind": "Pod", "namespace": None, "reason": "forbidden"}
    assert judge(ENROLLED, mesh_config(), STRICT, deployment("demo/a"), unread=[gap])["findings"] == []


@pytest.mark.parametrize(("title", "manifests"), QUIET, ids=[row[0] for row in QUIET])
def test_quiet(title, manifests):
    assert judge(manifests)["findings"] == []
