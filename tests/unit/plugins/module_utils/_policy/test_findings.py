# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at: every kind by its own example, and quiet where all is well."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.document import SEVERITIES
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.findings import KINDS
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import key_of
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

STRICT = peer("istio-system/m", "STRICT")
ENROLLED = namespace("demo", istio_injection="enabled")
BESIDE = [ENROLLED, deployment("demo/a"), service("demo/a"), mesh_config()]
"""What docs/findings.md says is there beside each example."""
OF_THE_MESH = {"ambient", "revision default"}
"""Objects of findings that are about no single manifest."""


@pytest.mark.parametrize("kind", KINDS, ids=[kind.id for kind in KINDS])
def test_an_example_has_its_finding(kind):
    manifests = list(yaml.safe_load_all(kind.example))
    replaced = {key_of(item) for item in manifests}
    mesh = [item for item in BESIDE if key_of(item) not in replaced] + manifests
    named = {f"{item['kind']} {'/'.join(filter(None, key_of(item)[2:]))}" for item in mesh} | OF_THE_MESH
    rows = [row for row in judge(mesh)["findings"] if row["id"] == kind.id]
    assert {row["severity"] for row in rows} == {kind.severity}
    assert {row["object"] for row in rows} <= named
    assert all(row["message"] and row["fix"] for row in rows)


def test_without_the_examples_there_is_nothing_but_the_default_mode():
    assert {item["id"] for item in judge(BESIDE)["findings"]} == {"MTLS-006"}


@pytest.mark.parametrize("kind", KINDS, ids=[kind.id for kind in KINDS])
def test_a_kind_says_what_it_is_why_it_matters_and_what_to_do(kind):
    assert kind.severity in SEVERITIES
    assert all((kind.title, kind.explanation, kind.why, kind.remedy))


A = {"app": "a"}
UDP = [{"containerPort": 53, "protocol": "UDP"}]
BY_ANNOTATION = {"sidecar.istio.io/inject": "true"}
OUTBOUND = {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]}
LEGACY = [pod("demo/c"), pod("demo/a", "none"), service("demo/a")]

# id, object, manifests
OTHER_WAYS = [
    ("MTLS-001", "Deployment demo/a", [pod("demo/a", annotations=BY_ANNOTATION)]),
    ("MTLS-002", "Deployment demo/a", [ENROLLED, pod("demo/a", "none")]),
    ("MTLS-004", "Deployment demo/a", [ENROLLED, pod("demo/a", "none", hostNetwork=True)]),
    ("MTLS-005", "Deployment demo/a", [pod("demo/a", ports=UDP)]),
    ("MTLS-010", "PeerAuthentication demo/b", [pod("demo/a"), *(peer(f"demo/{n}", "STRICT", A) for n in "ab")]),
    ("MTLS-012", "PeerAuthentication demo/w", [pod("demo/a"), peer("demo/w", None, A)]),
    ("MTLS-015", "DestinationRule istio-system/r", [*LEGACY, rule("istio-system/r", "*.local", tls("ISTIO_MUTUAL"))]),
    ("MTLS-016", "Namespace demo", [namespace("demo", istio_injection="disabled", rev="canary")]),
    ("MTLS-017", "EnvoyFilter demo/f", [istio("EnvoyFilter", "demo/f", OUTBOUND)]),
]


@pytest.mark.parametrize(("identifier", "thing", "manifests"), OTHER_WAYS, ids=[row[0] for row in OTHER_WAYS])
def test_a_finding_that_its_example_does_not_show(identifier, thing, manifests):
    assert (identifier, thing) in {(row["id"], row["object"]) for row in judge(manifests)["findings"]}


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
