# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at: every kind by its own example, and quiet where all is well."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.document import SEVERITIES
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.findings import KINDS
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import key_of
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    headless,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port_tls,
    rule,
    service,
    subset,
    tls,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import called_by_the_api_server

STRICT = peer("istio-system/m", "STRICT")
ENROLLED = namespace("demo", istio_injection="enabled")
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "istio-sidecar-injector-canary", "labels": {"istio.io/rev": "canary"}},
    "webhooks": [{"clientConfig": {"service": {"name": "istiod-canary", "namespace": "istio-system"}}}],
}
"""That of the revision canary alone."""
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
INJECT = "sidecar.istio.io/inject"
TRAFFIC = "traffic.sidecar.istio.io"
OUTBOUND = {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]}
CALLERS = {"rules": [{"from": [{"source": {"principals": ["*"]}}]}]}
IDENTITY = istio("AuthorizationPolicy", "demo/p", CALLERS, group="security")
LEGACY = [pod("demo/c"), pod("demo/a", "none"), service("demo/a")]
UDP = [{"containerPort": 53, "protocol": "UDP"}]
DNS = [{"port": 53, "protocol": "UDP"}]
APP = {"name": "app", "ports": [{"containerPort": 8080, "name": "web"}]}
PROXY = {
    "name": "istio-proxy",
    "args": ["proxy", "sidecar"],
    "restartPolicy": "Always",
    "ports": [{"containerPort": 15090}],
}
GOSSIP = [{"containerPort": 8080, "name": "web"}, {"containerPort": 7000, "name": "gossip"}]
OTHER_TARGET = [{"name": "http", "port": 80, "targetPort": 8080}]
SAME_TARGET = [{"name": "http", "port": 8080}]
TLS = [{"containerPort": 9443}]
HTTPS = [{"name": "https", "port": 443, "targetPort": 9443}]
BEFORE = "before you remove its tls settings that send plaintext, mend what keeps mutual TLS from its hosts"
NO_SERVICES = [{"kind": "Service", "namespace": "demo", "reason": "forbidden"}]


FAR = istio("ServiceEntry", "demo/e", {
    "hosts": ["far.example"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
    "location": "MESH_EXTERNAL", "resolution": "DNS",
})  # fmt: skip
FAR_MUTUAL = [STRICT, pod("demo/a"), FAR, rule("demo/r", "far.example", tls("ISTIO_MUTUAL"))]


def member(where: str, *ports: dict[str, Any]) -> dict[str, Any]:
    """A pod of a StatefulSet."""
    found = pod(where, ports=list(ports))
    found["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "a", "controller": True}]
    return found


def both(tls_key: str, *ports: int) -> list[dict[str, Any]]:
    """Servers or listeners of which the first alone has `tls_key`."""
    return [
        {"port": {"number": port}, **({tls_key: {"mode": "SIMPLE"}} if not n else {})} for n, port in enumerate(ports)
    ]


# what, id, object, what it says, manifests
SAID = [
    ("an annotation that does nothing", "MTLS-001", "Deployment demo/a", '"true"; in a namespace that is not enrolled',
     [pod("demo/a", annotations={INJECT: "true"})]),
    ("an annotation against the label", "MTLS-001", "Deployment demo/a", '"false"; the label decides',
     [deployment("demo/a", {INJECT: "true"}, {INJECT: "false"})]),
    ("pods older than the label", "MTLS-002", "Deployment demo/a", "it has pods that were created without a proxy",
     [ENROLLED, pod("demo/a", "none")]),
    ("a label that no webhook listens to", "MTLS-002", "Deployment demo/a",
     "created without a proxy, and no injection webhook listens to istio.io/rev=gone",
     [namespace("demo", rev="gone"), pod("demo/a", "none"), WEBHOOK]),
    ("a label that nobody listens to since its revision went", "MTLS-002", "Deployment demo/a",
     "no injection webhook listens to istio-injection=enabled", [ENROLLED, pod("demo/a", "none"), WEBHOOK]),
    ("a label to which one listens", "MTLS-002", "Deployment demo/a", "it has pods that were created without a proxy",
     [namespace("demo", rev="canary"), pod("demo/a", "none"), WEBHOOK]),
    ("a label opts out", "MTLS-002", "Deployment demo/a", "it opts out of injection",
     [ENROLLED, pod("demo/a", "none", {INJECT: "false"})]),
    ("an annotation opts out", "MTLS-002", "Deployment demo/a", "it opts out of injection",
     [ENROLLED, pod("demo/a", "none", annotations={INJECT: "false"})]),
    ("ambient was switched off for it", "MTLS-002", "Deployment demo/a", "it would get no proxy",
     [namespace("demo", dataplane_mode="ambient"), deployment("demo/a", {"istio.io/dataplane-mode": "none"})]),
    ("excluded though nobody names it", "MTLS-003", "Deployment demo/a", "port 9090 bypasses",
     [pod("demo/a", annotations={f"{TRAFFIC}/excludeInboundPorts": "9090,15090"})]),
    ("not included", "MTLS-003", "Deployment demo/a", "port 8080 bypasses",
     [pod("demo/a", annotations={f"{TRAFFIC}/includeInboundPorts": "9090", f"{TRAFFIC}/excludeInboundPorts": "7070"})]),
    ("running in the host network", "MTLS-004", "Deployment demo/a", "never injected",
     [ENROLLED, pod("demo/a", "none", hostNetwork=True)]),
    ("a pod names the port", "MTLS-005", "Deployment demo/a", "on port 53,", [pod("demo/a", ports=UDP)]),
    ("the second of two Services", "MTLS-005", "Service demo/b", "on port 53,",
     [pod("demo/a"), pod("demo/b"), service("demo/a"), service("demo/b", ports=DNS)]),
    ("by default", "MTLS-006", "Deployment demo/a", "(no PeerAuthentication sets a mode)", [pod("demo/a")]),
    ("by a policy", "MTLS-006", "Deployment demo/a", "(PeerAuthentication demo/n)",
     [pod("demo/a"), peer("demo/n", "PERMISSIVE")]),
    ("one of two ports", "MTLS-008", "Deployment demo/a", "demo/w lets plaintext in on port 8080",
     [pod("demo/a"), peer("demo/w", "STRICT", A, {9090: "STRICT", 8080: "PERMISSIVE"})]),
    ("no workload at all", "MTLS-009", "PeerAuthentication istio-system/w", "it is ignored",
     [peer("istio-system/w", "STRICT", A)]),
    ("one selector twice", "MTLS-010", "PeerAuthentication demo/b", "demo/a is older and selects the same workloads",
     [pod("demo/a"), *(peer(f"demo/{name}", "STRICT", A) for name in "ab")]),
    ("at each of two control planes", "MTLS-010", "PeerAuthentication demo/b", "demo/a is older and has the same scope",
     [pod("demo/a"), pod("demo/b", revision="canary"), *(peer(f"demo/{name}", "STRICT") for name in "ab")]),
    ("no pod, and no entry's endpoint", "MTLS-011", "PeerAuthentication demo/w", "selects no workload",
     [pod("demo/b"), peer("demo/w", "STRICT", A)]),
    ("neither mode nor ports", "MTLS-012", "PeerAuthentication demo/w", "sets neither a mode nor ports",
     [pod("demo/a"), peer("demo/w", None, A)]),
    ("more hosts than can be named", "MTLS-013", "DestinationRule demo/r", ", e.demo.svc.cluster.local and 2 more, ",
     [pod("demo/a"), rule("demo/r", "*.local", tls("DISABLE")),
      *(service(f"demo/{name}", selector=A) for name in ("a", "b", "c", "d", "e", "f", "g"))]),
    ("as many hosts as can be named", "MTLS-013", "DestinationRule demo/r", "e.demo.svc.cluster.local, which is in",
     [pod("demo/a"), rule("demo/r", "*.local", tls("DISABLE")),
      *(service(f"demo/{name}", selector=A) for name in ("a", "b", "c", "d", "e"))]),
    ("what auto-mTLS would not do either", "MTLS-013", "DestinationRule demo/r", "send plaintext to a.demo.svc.cluster",
     [pod("demo/a"), service("demo/a"), rule("demo/r", "a", tls("DISABLE")), mesh_config(enableAutoMtls=False)]),
    ("a rule of the root namespace", "MTLS-015", "DestinationRule istio-system/r", "is a blanket rule",
     [*LEGACY, rule("istio-system/r", "*.local", tls("ISTIO_MUTUAL"))]),
    ("a label that says no beside a revision", "MTLS-016", "Namespace demo", "istio-injection=disabled and",
     [namespace("demo", istio_injection="disabled", rev="canary")]),
    ("what clients send", "MTLS-017", "EnvoyFilter demo/f", "changes listeners or clusters",
     [istio("EnvoyFilter", "demo/f", OUTBOUND)]),
    ("the second of two servers", "MTLS-023", "Gateway demo/g", "serves port 80 in plaintext",
     [istio("Gateway", "demo/g", {"servers": both("tls", 443, 80)})]),
    ("the workload that accepts plaintext", "MTLS-024", "Deployment demo/b", "AuthorizationPolicy demo/p then refuses",
     [STRICT, pod("demo/a"), pod("demo/b", ports=[{"containerPort": 8080}, {"containerPort": 9090}]),
      peer("demo/b", "STRICT", {"app": "b"}, {9090: "PERMISSIVE"}), IDENTITY]),
    *(
        (what, "MTLS-024", "Deployment demo/a", "AuthorizationPolicy demo/p then refuses",
         [pod("demo/a"), istio("AuthorizationPolicy", "demo/p", spec, group="security")])
        for what, spec in (
            ("of this workload", {**CALLERS, "selector": {"matchLabels": A}}),
            ("by its namespace", {"rules": [{"from": [{"source": {"namespaces": ["demo"]}}]}]}),
            ("by its account", {"rules": [{"from": [{"source": {"serviceAccounts": ["demo/x"]}}]}]}),
            ("as a refusal of whoever has none",
             {"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}]}]}),
            ("as one of several refusals",
             {"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}]}, {"to": []}]}),
        )
    ),
    ("the first of two listeners", "MTLS-026", "Sidecar demo/s", "tls of ingress port 443 has",
     [istio("Sidecar", "demo/s", {"ingress": both("tls", 443, 80)})]),
    ("a member of a set without a Service", "MTLS-031", "StatefulSet demo/a", "port 7000 is in no Service",
     [STRICT, member("demo/a", {"containerPort": 7000})]),
    ("peers that a headless Service shows", "MTLS-031", "Deployment demo/a", "port 7000 is in no Service",
     [STRICT, pod("demo/a", ports=GOSSIP), headless("demo/a", ports=SAME_TARGET)]),
    ("one of two ports of several pods", "MTLS-031", "Deployment demo/a", "port 7000 is in no Service",
     [STRICT, service("demo/a"), *(pod("demo/a", ports=GOSSIP, number=n) for n in (1, 2))]),
    ("by name", "MTLS-032", "Service demo/a", "clients dial port 80 of the pods",
     [STRICT, pod("demo/a"), headless("demo/a", ports=[{"port": 80, "targetPort": "web"}])]),
    ("beside a port that is right", "MTLS-033", "PeerAuthentication demo/w", "demo/a: the container listens at 8080",
     [STRICT, pod("demo/a"), service("demo/a"), peer("demo/w", None, A, {80: "STRICT", 8080: "STRICT"})]),
    ("a Service's short name and a namespace", "MTLS-034", "DestinationRule demo/r", "its host a.shop names no Service",
     [STRICT, service("shop/a"), rule("demo/r", "a.shop")]),
    ("a short name of another namespace", "MTLS-034", "DestinationRule demo/r", "host a.demo.svc.cluster.local names",
     [STRICT, service("shop/a"), rule("demo/r", "a")]),
    ("a port that is named", "MTLS-035", "Service demo/a", "(APIService apiservice.example, CustomResourceDefinition ",
     [STRICT, pod("demo/a"), service("demo/a"), *called_by_the_api_server("demo/a", 80)]),
    *(
        (what, "MTLS-036", "Deployment demo/a", "a kubelet probe by HTTP or gRPC of port 8080",
         [STRICT, service("demo/a"), pod("demo/a", containers=[{**APP, name: probe}, PROXY])])
        for what, name, probe in (
            ("by number", "livenessProbe", {"httpGet": {"port": 8080}}),
            ("by name", "readinessProbe", {"httpGet": {"port": "web", "host": ""}}),
            ("by gRPC", "startupProbe", {"grpc": {"port": 8080}}),
        )
    ),
    ("before a native sidecar", "MTLS-037", "Deployment demo/a", "init container db-migration before its proxy",
     [STRICT, pod("demo/a", containers=[APP], initContainers=[{"name": "db-migration"}, PROXY])]),
    ("443 where none is", "MTLS-035", "Service demo/a", "port 443 is called by the API server (APIService",
     [STRICT, pod("demo/a", "ambient", ports=TLS), service("demo/a", ports=HTTPS),
      namespace("demo", dataplane_mode="ambient"), *called_by_the_api_server("demo/a", None)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "identifier", "thing", "said", "manifests"), SAID, ids=[f"{row[1]} {row[0]}" for row in SAID]
)
def test_what_is_said(what, identifier, thing, said, manifests):
    found = [
        row["message"] for row in judge(manifests)["findings"] if (row["id"], row["object"]) == (identifier, thing)
    ]
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("what", "manifests", "fix"),
    [
        ("the rule alone", [], "remove its tls settings that send plaintext: auto-mTLS does the rest"),
        (
            "auto-mTLS is off",
            [mesh_config(enableAutoMtls=False)],
            f"{BEFORE}: auto-mTLS is off in revision default and no DestinationRule sets TLS",
        ),
        (
            "somebody behind the host needs plaintext",
            [pod("demo/b", labels={"app": "a"}, annotations={f"{TRAFFIC}/excludeInboundPorts": "8080"})],
            f"{BEFORE}: auto-mTLS sends Istio mTLS; port 8080 of demo/Deployment/b bypasses its proxy",
        ),
        (
            "a younger rule counts then",
            [rule("demo/s", "a", tls("SIMPLE"), age=1)],
            f"{BEFORE}: another DestinationRule for the same host has a trafficPolicy, which counts then",
        ),
        (
            "two trust domains",
            [
                pod("demo/b", revision="canary"),
                pod("demo/c", revision="canary", labels={"app": "a"}),
                mesh_config("canary", trustDomain="other"),
            ],
            BEFORE,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else "",
)
def test_a_rule_is_removed_only_where_that_helps(what, manifests, fix):
    found = judge(pod("demo/a"), service("demo/a"), rule("demo/r", "a", tls("DISABLE")), *manifests)["findings"]
    (row,) = [row for row in found if row["id"] == "MTLS-013"]
    assert row["fix"].startswith(fix), what


@pytest.mark.parametrize(
    ("what", "manifests", "fix"),
    [
        ("no endpoint has a proxy", [], "remove its tls setting, or bring the endpoints into the mesh"),
        ("auto-mTLS keeps the others", [pod("demo/b", labels=A)], "remove its tls setting, or bring"),
        (
            "pods that are dialled themselves get what all of them can take",
            [pod("demo/b", labels=A), headless("demo/a")],
            "bring the endpoints into the mesh: without its tls clients would send plaintext to a.demo.svc",
        ),
        (
            "pods that take it, whose label does not say so",
            [pod("demo/b", labels={**A, "security.istio.io/tlsMode": "other"})],
            "bring the endpoints into the mesh: without its tls clients would send plaintext to a.demo.svc",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_for_mutual_tls_goes_only_where_nothing_needs_it(what, manifests, fix):
    before = [*LEGACY, mesh_config(), rule("demo/r", "a", tls("ISTIO_MUTUAL"))]
    mesh = list({key_of(item): item for item in (*before, *manifests)}.values())
    (row,) = [row for row in judge(mesh)["findings"] if row["id"] == "MTLS-014"]
    assert row["fix"].startswith(fix), what


NOW = "before you set PERMISSIVE, then STRICT, mend what could not take mutual TLS: auto-mTLS sends Istio mTLS"


@pytest.mark.parametrize(
    ("what", "server", "fix"),
    [
        ("all can take it", [pod("demo/a")], "set PERMISSIVE, then STRICT"),
        (
            "a port bypasses the proxy",
            [pod("demo/a", annotations={f"{TRAFFIC}/excludeInboundPorts": "8080"})],
            f"{NOW}; port 8080 of demo/Deployment/a bypasses its proxy",
        ),
        (
            "pods that are dialled themselves, by a rule that hides who has a proxy",
            [
                pod("demo/a"),
                pod("demo/z", "none", A),
                rule("demo/r", "a", {"loadBalancer": {"simple": "PASSTHROUGH"}}, subsets=[subset("v1")]),
            ],
            f"{NOW} to every endpoint; demo/Deployment/z is not in the mesh",
        ),
        (
            "a trust domain of its own",
            [pod("demo/a", revision="canary"), mesh_config("canary", trustDomain="other")],
            "before you set PERMISSIVE, then STRICT, mend what could not take mutual TLS: auto-mTLS sends Istio mTLS",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 80 else "",
)
def test_mutual_tls_is_let_in_where_nothing_breaks_by_it(what, server, fix):
    mesh = [mesh_config(), pod("demo/c"), service("demo/a"), peer("demo/n", "DISABLE"), *server]
    rows = [row for row in judge(mesh)["findings"] if row["id"] == "MTLS-007"]
    assert {row["object"] for row in rows} == {"Deployment demo/a", "Deployment demo/c"}, what
    assert all(row["fix"].startswith(fix) for row in rows)


@pytest.mark.parametrize(
    ("host", "policy", "fix"),
    [
        ("a.demo", None, "write a.demo.svc.cluster.local, or delete it"),
        ("a.demo", tls("ISTIO_MUTUAL"), "write a.demo.svc.cluster.local, or delete it"),
        ("a.demo", tls("DISABLE"), "delete it: for a.demo.svc.cluster.local it would send plaintext"),
        ("a.demo", port_tls(80, "DISABLE"), "delete it: for a.demo.svc.cluster.local it would send plaintext"),
        ("b.demo", tls("DISABLE"), "correct its host, or delete it"),
    ],
    ids=["no tls", "mutual TLS", "plaintext", "plaintext at a port", "nobody knows what is meant"],
)
def test_a_rule_without_effect_is_not_mended_into_one_that_harms(host, policy, fix):
    found = judge(mesh_config(), pod("demo/a"), service("demo/a"), rule("demo/r", host, policy))["findings"]
    assert [row["fix"] for row in found if row["id"] == "MTLS-034"] == [fix]


@pytest.mark.parametrize(
    ("what", "server", "fix"),
    [
        ("all can take it", [pod("demo/a")], "remove enableAutoMtls: false from the mesh configuration"),
        (
            "a port bypasses the proxy",
            [pod("demo/a", annotations={f"{TRAFFIC}/excludeInboundPorts": "8080"})],
            "before you remove enableAutoMtls: false from the mesh configuration, mend what could not take mutual TLS: "
            "auto-mTLS sends Istio mTLS; port 8080 of demo/Deployment/a bypasses its proxy",
        ),
        (
            "a rule keeps it from there",
            [
                pod("demo/a", annotations={f"{TRAFFIC}/excludeInboundPorts": "8080"}),
                rule("demo/r", "a", tls("DISABLE")),
            ],
            "remove enableAutoMtls: false from the mesh configuration",
        ),
        ("no proxy", [pod("demo/a", "none")], "remove enableAutoMtls: false from the mesh configuration"),
    ],
    ids=["all can take it", "a port bypasses the proxy", "a rule keeps it from there", "no proxy"],
)
def test_auto_mtls_is_switched_on_where_nothing_breaks_by_it(what, server, fix):
    mesh = [mesh_config(enableAutoMtls=False), pod("demo/c"), service("demo/a"), *server]
    assert [row["fix"] for row in judge(mesh)["findings"] if row["object"] == "revision default"] == [fix], what


def test_the_policy_of_a_workload_goes_before_that_of_its_namespace():
    """Clients that dial the pods themselves infer from the namespace's alone."""
    mesh = [mesh_config(), pod("demo/a"), pod("demo/c"), headless("demo/a"), peer("demo/n", "DISABLE")]
    own = peer("demo/w", "DISABLE", A)
    fixes = {row["object"]: row["fix"] for row in judge(mesh, own)["findings"] if row["id"] == "MTLS-007"}
    assert fixes["Deployment demo/c"] == f"{NOW} to every endpoint; PeerAuthentication demo/w is DISABLE"
    assert fixes["Deployment demo/a"] == "set PERMISSIVE, then STRICT"


def test_the_policy_of_a_servers_control_plane_goes_before_that_of_the_clients():
    mesh = [mesh_config(), pod("demo/a", revision="canary"), pod("demo/c"), service("demo/a"), mesh_config("canary")]
    both = [peer("istio-system/m", "DISABLE"), peer("demo/n", "DISABLE", rev="canary")]
    fixes = {row["object"]: row["fix"] for row in judge(mesh, both)["findings"] if row["id"] == "MTLS-007"}
    assert fixes["Deployment demo/c"] == f"{NOW}; PeerAuthentication demo/n is DISABLE"
    assert fixes["Deployment demo/a"] == "set PERMISSIVE, then STRICT"


def test_a_rule_that_agrees_with_a_server_that_takes_no_mutual_tls_is_no_finding():
    mesh = [pod("demo/a"), service("demo/a"), rule("demo/r", "a", tls("DISABLE")), peer("demo/n", "DISABLE")]
    assert [row["id"] for row in judge(mesh)["findings"]] == ["MTLS-007"]


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
                labels={INJECT: "false"},
                annotations={INJECT: "false"},
            )
        ],
    ),
    (
        "the annotation beside a label that says the same, in a Deployment",
        [STRICT, deployment("demo/a", {INJECT: "true"}, {INJECT: "true"})],
    ),
    ("UDP outside the mesh", [STRICT, pod("demo/a", "none", ports=UDP), pod("demo/c"), service("demo/a", ports=DNS)]),
    (
        "only the proxy's own ports are excluded",
        [STRICT, pod("demo/a", annotations={f"{TRAFFIC}/excludeInboundPorts": "15020,15090"})],
    ),
    ("hidden, and without proxies", [pod("demo/a", "none"), mesh_config(discoverySelectors=[{"matchLabels": A}])]),
    (
        "a selector and ports, and no mode of its own",
        [STRICT, pod("demo/a"), peer("demo/w", None, A, {8080: "STRICT"})],
    ),
    (
        "an identity is demanded where plaintext is refused, or outside the mesh",
        [STRICT, pod("demo/a"), pod("demo/b", "none"), IDENTITY],
    ),
    (
        "metrics in no Service, and workers that nobody calls",
        [
            STRICT,
            member("demo/a", {"containerPort": 9100, "name": "http-metrics"}),
            *(pod("demo/b", ports=GOSSIP, number=number) for number in (1, 2)),
        ],
    ),
    (
        "a port that peers dial is in a headless Service, bypasses the proxy or is open",
        [
            STRICT,
            pod("demo/a", ports=GOSSIP),
            headless("demo/a", ports=[{"name": "gossip", "port": 7000}, {"name": "web", "port": 8080}]),
        ],
    ),
    (
        "headless Services of what listens at both ports, and of what is outside the mesh",
        [
            STRICT,
            pod("demo/a", ports=[{"containerPort": 80}, {"containerPort": 8080}]),
            headless("demo/a", ports=OTHER_TARGET),
            pod("demo/b", "none"),
            headless("demo/b", ports=OTHER_TARGET),
        ],
    ),
    (
        "ports of a policy that are a container's, undeclared, or dialled at a headless Service",
        [
            STRICT,
            pod("demo/a", ports=[{"containerPort": 8080}, {"containerPort": 80}]),
            service("demo/a"),
            peer("demo/a", None, A, {80: "STRICT", 7000: "STRICT"}),
        ],
    ),
    (
        "rules for hosts of Services, ServiceEntries, another cluster domain, a fleet and a wildcard",
        [
            service("demo/a"),
            istio("ServiceEntry", "demo/e", {"hosts": ["api.example"], "ports": [{"number": 443, "name": "tls"}]}),
            *(
                rule(f"demo/r{number}", host)
                for number, host in enumerate(
                    ("a", "api.example", "a.demo.svc.corp.example", "x.demo.svc.clusterset.local", "*.example")
                )
            ),
        ],
    ),
    (
        "the API server calls another port, who is outside the mesh, and who is not there",
        [
            STRICT,
            pod("demo/a"),
            service("demo/a"),
            *called_by_the_api_server("demo/a", 443),
            pod("demo/c", "none", ports=TLS),
            service("demo/c", ports=HTTPS),
            *called_by_the_api_server("demo/c", None),
            *called_by_the_api_server("demo/gone", None),
        ],
    ),
    (
        "probes led to the agent, by TCP or command, or of somebody else",
        [
            STRICT,
            service("demo/a"),
            pod(
                "demo/a",
                containers=[
                    {
                        **APP,
                        "livenessProbe": {"httpGet": {"port": 15020, "path": "/app-health/app/livez"}},
                        "readinessProbe": {"tcpSocket": {"port": 8080}},
                        "startupProbe": {"httpGet": {"port": 8080, "host": "192.0.2.1"}},
                    },
                    PROXY,
                ],
            ),
        ],
    ),
    (
        "a template whose probes injection will lead to the agent",
        [
            STRICT,
            ENROLLED,
            service("demo/a"),
            mesh_config(),
            deployment("demo/a", containers=[{**APP, "livenessProbe": {"httpGet": {"port": 8080}}}]),
        ],
    ),
    (
        "init containers behind a native sidecar, of Istio's own, or that do not call",
        [
            STRICT,
            pod("demo/a", containers=[APP], initContainers=[PROXY, {"name": "wait-for-db"}]),
            pod("demo/b", initContainers=[{"name": "istio-validation"}, {"name": "copy-files"}]),
            pod("demo/c", "none", initContainers=[{"name": "wait-for-db"}]),
        ],
    ),
    ("a rule for one host outside: whoever names it may know that it takes the mesh's TLS", FAR_MUTUAL),
    (
        "a policy that is shadowed at one control plane, or selects nothing but what an entry describes",
        [
            pod("demo/a"),
            pod("demo/b", revision="canary"),
            peer("demo/old", "STRICT", rev="canary"),
            peer("demo/young", "STRICT", age=1),
            peer("demo/one", "STRICT", A, rev="canary"),
            peer("demo/two", "STRICT", A, age=1),
            peer("shop/vm", "STRICT", A),
            istio(
                "ServiceEntry",
                "shop/e",
                {
                    "hosts": ["vm.example"],
                    "location": "MESH_INTERNAL",
                    "resolution": "STATIC",
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "endpoints": [{"address": "192.0.2.1", "labels": A}],
                },
            ),
        ],
    ),
    ("an empty mesh", []),
]


@pytest.mark.parametrize(
    ("what", "manifests"),
    [
        ("a port of a set's member", [STRICT, member("demo/a", {"containerPort": 7000})]),
        ("a rule's host", [STRICT, rule("demo/r", "a.shop")]),
    ],
    ids=["a port of a set's member", "a rule's host"],
)
def test_nothing_is_said_of_what_an_unread_service_could_have(what, manifests):
    assert judge(manifests)["findings"], what
    assert judge(manifests, unread=NO_SERVICES)["findings"] == []


def test_nothing_is_said_of_a_proxy_that_nobody_could_see():
    """The pods of a Deployment were not read: whether its ports bypass the proxy is unknown, and no finding."""
    gap = {"kind": "Pod", "namespace": None, "reason": "forbidden"}
    assert judge(ENROLLED, mesh_config(), STRICT, deployment("demo/a"), unread=[gap])["findings"] == []


@pytest.mark.parametrize(("title", "manifests"), QUIET, ids=[row[0] for row in QUIET])
def test_quiet(title, manifests):
    assert judge(manifests)["findings"] == []


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({**CALLERS, "selector": {"matchLabels": {"app": "b"}}}, id="of another workload"),
        pytest.param({**CALLERS, "targetRef": {"kind": "Gateway", "name": "g"}}, id="of what a gateway passes on"),
        pytest.param({**CALLERS, "targetRefs": [{"kind": "Service", "name": "a"}]}, id="of what a waypoint passes on"),
        pytest.param({**CALLERS, "action": "DENY"}, id="refuses those who have one"),
        pytest.param({**CALLERS, "action": "AUDIT"}, id="refuses nobody"),
        pytest.param({"rules": [*CALLERS["rules"], {}]}, id="another rule lets everybody in"),
        pytest.param(
            {"rules": [{"from": [{"source": {"principals": ["*"]}}, {"source": {"ipBlocks": ["::/0"]}}]}]},
            id="an address does as well",
        ),
        pytest.param({"rules": []}, id="lets nobody in, whoever he is"),
        pytest.param(
            {"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}], "to": [{}]}]},
            id="refuses those who have none something",
        ),
    ],
)
def test_no_identity_is_demanded(spec):
    policy = istio("AuthorizationPolicy", "demo/p", spec, group="security")
    assert "MTLS-024" not in {row["id"] for row in judge(pod("demo/a"), policy)["findings"]}
