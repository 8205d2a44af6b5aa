# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections 6 and 7 of the semantics: who is in the mesh, what will be, and which ports bypass the proxy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import (
    Workload,
    enrolled_namespaces,
    enrols,
    matches,
    webhook_revision,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import Capture, Shape
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    INJECTED,
    answer,
    deployment,
    edges,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port,
    service,
    workload,
)

STRICT = peer("istio-system/p", "STRICT")
STATUS = {"sidecar.istio.io/status": INJECTED}


@pytest.mark.parametrize(
    ("title", "one", "mesh"),
    [
        ("a container", pod("demo/a"), "sidecar"),
        ("a native sidecar", pod("demo/a", "native"), "sidecar"),
        (
            "no proxy, whatever the labels say",
            pod("demo/a", "none", labels={"sidecar.istio.io/inject": "true"}),
            "none",
        ),
        ("an annotation alone is not enough", pod("demo/a", "none", annotations=STATUS), "none"),
        ("nor is a container alone", pod("demo/a", annotations={"sidecar.istio.io/status": ""}), "none"),
        ("a router is a gateway", pod("demo/a", "gateway"), "gateway"),
        ("enrolled in ambient", pod("demo/a", "ambient"), "ambient"),
        (
            "a sidecar is never ambient",
            pod("demo/a", annotations={"ambient.istio.io/redirection": "enabled"}),
            "sidecar",
        ),
    ],
)
def test_truth_is_the_running_pod(title, one, mesh):
    found = workload(judge(namespace("demo", istio_injection="enabled"), one, STRICT), "demo/a")
    assert found["mesh"] == mesh
    assert found["mode"] == ("STRICT" if mesh in ("sidecar", "ambient") else None)
    assert found["predicted"] is False


def hook(revision: str, tag: str | None = None) -> dict[str, Any]:
    """An injection webhook of a revision, or of a tag of it."""
    labels = {"istio.io/rev": revision, **({"istio.io/tag": tag} if tag else {})}
    metadata = {"name": f"istio-{tag or revision}", "labels": labels}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system"}}}],
    }


L, N = "sidecar.istio.io/inject", "istio.io/rev"
# title, namespace labels, pod labels, annotations, what becomes of the pods, in which revision
PREDICTIONS = [
    ("no labels", {}, {}, {}, "none", None),
    ("istio-injection", {"istio_injection": "enabled"}, {}, {}, "sidecar", "default"),
    ("disabled", {"istio_injection": "disabled"}, {}, {}, "none", None),
    ("istio-injection beats istio.io/rev", {"istio_injection": "disabled", "rev": "canary"}, {}, {}, "none", None),
    ("any value stops the object webhook", {"istio_injection": "disabled"}, {L: "true"}, {}, "none", None),
    ("a revision", {"rev": "canary"}, {}, {}, "sidecar", "canary"),
    ("a tag", {"rev": "prod"}, {}, {}, "sidecar", "canary"),
    ("a revision that nobody serves", {"rev": "gone"}, {}, {}, "none", None),
    ("the pod opts out", {"istio_injection": "enabled"}, {L: "false"}, {}, "none", None),
    ("the pod opts in", {}, {L: "true"}, {}, "sidecar", "default"),
    ("the pod names a revision", {}, {N: "canary"}, {}, "sidecar", "canary"),
    ("the annotation does nothing in an unlabelled namespace", {}, {}, {L: "true"}, "none", None),
    ("the annotation false works", {"istio_injection": "enabled"}, {}, {L: "false"}, "none", None),
    ("the label beats the annotation", {"istio_injection": "enabled"}, {L: "true"}, {L: "false"}, "sidecar", "default"),
    (
        "a gateway by template",
        {"istio_injection": "enabled"},
        {},
        {"inject.istio.io/templates": "gateway"},
        "gateway",
        "default",
    ),
    ("ambient", {"dataplane_mode": "ambient"}, {}, {}, "ambient", "default"),
    ("ambient by the pod", {}, {"istio.io/dataplane-mode": "ambient"}, {}, "ambient", "default"),
    ("ambient, opted out", {"dataplane_mode": "ambient"}, {"istio.io/dataplane-mode": "none"}, {}, "none", None),
    (
        "a sidecar before ambient",
        {"istio_injection": "enabled", "dataplane_mode": "ambient"},
        {},
        {},
        "sidecar",
        "default",
    ),
]


@pytest.mark.parametrize(
    ("title", "labels", "own", "notes", "mesh", "revision"), PREDICTIONS, ids=[row[0] for row in PREDICTIONS]
)
def test_prediction(title, labels, own, notes, mesh, revision):
    meshes = [mesh_config(), mesh_config("canary"), hook("default"), hook("canary"), hook("canary", "prod")]
    found = workload(judge(meshes, namespace("demo", **labels), deployment("demo/a", own, notes), STRICT), "demo/a")
    assert (found["mesh"], found["revision"], found["predicted"]) == (mesh, revision, True)
    assert found["pods"] == []


@pytest.mark.parametrize(("home", "spec"), [("demo", {"hostNetwork": True}), ("kube-system", {})])
def test_never_injected(home, spec):
    result = judge(namespace(home, istio_injection="enabled"), deployment(f"{home}/a", **spec))
    assert workload(result, f"{home}/a")["mesh"] == "none"


def test_a_predicted_workload_is_a_full_member():
    result = judge(
        namespace("demo", istio_injection="enabled"),
        deployment("demo/a"),
        service("demo/a"),
        STRICT,
        deployment("demo/b"),
    )
    assert workload(result, "demo/a")["mode"] == "STRICT"
    assert answer(result, "demo/b", "demo/a") == "mtls -> mtls"


def test_a_deployment_with_pods_is_what_its_pods_are():
    result = judge(namespace("demo", istio_injection="enabled"), deployment("demo/a"), pod("demo/a", "none"))
    assert [(row["mesh"], row["predicted"]) for row in result["workloads"]] == [("none", False)]


ROLLOUT = "rollouts-pod-template-hash"


def owned(kind: str, name: str, **extra: Any) -> dict[str, Any]:
    """A pod demo/x with one owner."""
    one = pod("demo/x")
    one["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "controller": True}]
    one["metadata"]["labels"].update(extra)
    return one


def parent(kind: str, name: str, owner: tuple[str, str] | None) -> dict[str, Any]:
    """A ReplicaSet, Job or CronJob."""
    group = "apps" if kind == "ReplicaSet" else "batch"
    references = [{"kind": owner[0], "name": owner[1]}] if owner else []
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "demo", "ownerReferences": references},
    }


@pytest.mark.parametrize(
    ("one", "others", "place"),
    [
        (owned("StatefulSet", "db"), [], "demo/StatefulSet/db"),
        (owned("ReplicaSet", "web-5f5"), [], "demo/Deployment/web"),
        (owned("ReplicaSet", "web-other"), [], "demo/ReplicaSet/web-other"),
        (owned("ReplicaSet", "r-1"), [parent("ReplicaSet", "r-1", ("Rollout", "r"))], "demo/Rollout/r"),
        (owned("ReplicaSet", "r-1"), [parent("ReplicaSet", "r-1", ("Fleet", "f"))], "demo/Fleet/f"),
        (owned("ReplicaSet", "r-1", **{ROLLOUT: "1"}), [], "demo/Rollout/r"),
        (owned("ReplicaSet", "r-1", **{ROLLOUT: "1"}), [parent("ReplicaSet", "r-1", ("Fleet", "f"))], "demo/Fleet/f"),
        (owned("ReplicaSet", "r-1", **{ROLLOUT: "2"}), [], "demo/ReplicaSet/r-1"),
        (owned("ReplicaSet", "-1", **{ROLLOUT: "1"}), [], "demo/ReplicaSet/-1"),
        (owned("ReplicaSet", "web-5f5"), [parent("ReplicaSet", "web-5f5", ("Rollout", "web"))], "demo/Rollout/web"),
        (owned("ReplicaSet", "web-5f5"), [parent("ReplicaSet", "web-5f5", None)], "demo/Deployment/web"),
        (owned("ReplicaSet", "web-5f5"), [parent("ReplicaSet", "web-5f5", ("X/y", "z"))], "demo/Deployment/web"),
        (owned("Job", "j"), [], "demo/Job/j"),
        (owned("Job", "j"), [parent("Job", "j", ("CronJob", "c"))], "demo/Job/j"),
        (owned("Job", "j"), [parent("Job", "j", ("CronJob", "c")), parent("CronJob", "c", None)], "demo/CronJob/c"),
        (owned("Node", "n1"), [], "demo/Pod/x-5f5-1"),
    ],
)
def test_the_top_owner(one, others, place):
    assert [row["id"] for row in judge(one, others)["workloads"]] == [place]


def test_of_several_owners_of_a_replica_set_the_one_that_controls_it_counts():
    between = parent("ReplicaSet", "r-1", ("Note", "n"))
    between["metadata"]["ownerReferences"].append({"kind": "Rollout", "name": "r", "controller": True})
    assert [row["id"] for row in judge(owned("ReplicaSet", "r-1"), between)["workloads"]] == ["demo/Rollout/r"]


def test_the_replica_sets_of_a_roll_out_are_one_workload():
    """A name with the template's hash in it would be another one after each change."""
    pods = [
        owned("ReplicaSet", f"r-{revision}", **{ROLLOUT: revision, "pod-template-hash": None})
        for revision in ("6d9f", "7c8b")
    ]
    for number, one in enumerate(pods):
        one["metadata"]["name"] = f"x-{number}"
        del one["metadata"]["labels"]["pod-template-hash"]
    assert [(row["id"], row["pods"]) for row in judge(*pods)["workloads"]] == [("demo/Rollout/r", ["x-0", "x-1"])]


def test_pods_that_differ_make_two_entries():
    """In a roll-out the old pods may lack the proxy; labels count only where something selects by them."""
    old, new = pod("demo/a", "none", number=1), pod("demo/a", number=2)
    result = judge(old, new, pod("demo/a", number=3, labels={"any": "thing"}), service("demo/a"))
    assert [(row["id"], row["mesh"], row["pods"]) for row in result["workloads"]] == [
        ("demo/Deployment/a", "none", ["a-5f5-1"]),
        ("demo/Deployment/a~2", "sidecar", ["a-5f5-2", "a-5f5-3"]),
    ]


def note(**values: str) -> dict[str, str]:
    """Annotations of traffic.sidecar.istio.io."""
    return {f"traffic.sidecar.istio.io/{name}": value for name, value in values.items()}


PORTS = [
    ("all by default", {}, True),
    ("excluded", note(excludeInboundPorts="8080"), False),
    ("excluded among others", note(excludeInboundPorts="15020, 8080"), False),
    ("another one excluded", note(excludeInboundPorts="8081"), True),
    ("include all", note(includeInboundPorts="*", excludeInboundPorts="8080"), False),
    ("included", note(includeInboundPorts="8080"), True),
    ("exclusion counts only when all are included", note(includeInboundPorts="8080", excludeInboundPorts="8080"), True),
    ("not included", note(includeInboundPorts="8081"), False),
    ("nothing included", note(includeInboundPorts=""), False),
    ("interceptionMode NONE", {"sidecar.istio.io/interceptionMode": "NONE"}, False),
    ("TPROXY", {"sidecar.istio.io/interceptionMode": "TPROXY"}, True),
]


@pytest.mark.parametrize(("title", "annotations", "captured"), PORTS, ids=[row[0] for row in PORTS])
def test_capture(title, annotations, captured):
    found = port(judge(pod("demo/a", annotations=annotations), STRICT), "demo/a", 8080)
    assert found == {
        "port": 8080,
        "mode": "STRICT",
        "captured": captured,
        "plaintext": "refused" if captured else "accepted",
    }


@pytest.mark.parametrize(
    ("arguments", "captured"),
    [
        (["-b", "*", "-d", "15090"], True),
        (["-b", "*", "-d", "8080"], False),
        (["-b", "", "-d", ""], False),
        (["-m", "NONE"], False),
    ],
)
@pytest.mark.parametrize("name", ["istio-init", "istio-validation"])
def test_what_the_init_container_really_did(name, arguments, captured):
    one = pod("demo/a")
    one["spec"]["initContainers"] = [{"name": name, "args": ["istio-iptables", *arguments]}]
    assert port(judge(one, STRICT), "demo/a", 8080)["captured"] is captured


def test_host_network_is_never_in_the_mesh():
    result = judge(pod("demo/a", "none", hostNetwork=True), STRICT)
    assert workload(result, "demo/a")["mesh"] == "none"
    assert port(result, "demo/a", 8080)["plaintext"] == "accepted"


def test_the_proxys_own_ports_are_never_captured():
    """15020 serves merged application metrics and rewritten probes in plaintext, also under STRICT."""
    ports = [{"containerPort": 15020}, {"containerPort": 8080}]
    result = judge(pod("demo/a", ports=ports), STRICT)
    assert [port(result, "demo/a", number)["plaintext"] for number in (15020, 8080)] == ["accepted", "refused"]


def test_a_waypoint_is_a_gateway():
    one = pod("demo/a", "gateway")
    one["spec"]["containers"][0]["args"] = ["proxy", "waypoint"]
    assert workload(judge(one), "demo/a")["mesh"] == "gateway"


def test_proxyless_grpc_cannot_be_judged():
    """Only an agent is injected: nothing captures, the application does what a proxy would."""
    result = judge(pod("demo/a", annotations={"inject.istio.io/templates": "grpc-agent"}), service("demo/a"), STRICT)
    assert workload(result, "demo/a")["mode"] == "unknown"
    assert port(result, "demo/a", 8080)["plaintext"] == "unknown"
    assert answer(result, "demo/a", "demo/a") == "unknown -> unknown"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, False),
        ({}, False),
        ({"istio-injection": "enabled"}, True),
        ({"istio-injection": "disabled"}, False),
        ({"istio.io/rev": "canary"}, True),
        ({"istio.io/rev": "canary", "istio-injection": "disabled"}, False),
        ({"istio.io/dataplane-mode": "ambient"}, True),
        ({"istio.io/dataplane-mode": "none"}, False),
    ],
)
def test_which_namespaces_are_enrolled(labels: dict[str, str] | None, expected: bool) -> None:
    assert enrols(labels) is expected


ENABLED_HERE, AMBIENT_HERE = namespace("demo", istio_injection="enabled"), namespace("demo", dataplane_mode="ambient")
LACKING = [
    ("its pods are older than the label", [ENABLED_HERE, pod("demo/a", "none")], True),
    ("of ambient mode", [AMBIENT_HERE, pod("demo/a", "none")], True),
    ("it has one", [ENABLED_HERE, pod("demo/a")], False),
    ("nothing asks for one", [namespace("demo"), pod("demo/a", "none")], False),
    ("its namespace is not there", [pod("demo/a", "none")], False),
    ("its label opts out", [ENABLED_HERE, pod("demo/a", "none", {"sidecar.istio.io/inject": "false"})], False),
    ("its annotation opts out",
     [ENABLED_HERE, pod("demo/a", "none", annotations={"sidecar.istio.io/inject": "false"})], False),
    ("it opts out of ambient", [AMBIENT_HERE, pod("demo/a", "none", {"istio.io/dataplane-mode": "none"})], False),
    ("what opts out of ambient does not of injection",
     [ENABLED_HERE, pod("demo/a", "none", {"istio.io/dataplane-mode": "none"})], True),
    ("it is in the host network", [ENABLED_HERE, pod("demo/a", "none", hostNetwork=True)], False),
    ("it has no pods", [ENABLED_HERE, deployment("demo/a")], False),
    ("it is pending",
     [AMBIENT_HERE, pod("demo/a", "none", annotations={"ambient.istio.io/redirection": "pending"})], False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "manifests", "lacks"), LACKING, ids=[row[0] for row in LACKING])
def test_who_lacks_the_proxy_that_labels_ask_for(what: str, manifests: Any, lacks: bool) -> None:
    assert [item["lacks_proxy"] for item in judge(*manifests)["workloads"]] == [lacks], what


def test_a_pending_ambient_pod_refuses_everything_and_accepts_no_plaintext():
    pending = pod("demo/a", "none", annotations={"ambient.istio.io/redirection": "pending"})
    result = judge(namespace("demo", istio_injection="enabled"), pending, STRICT)
    assert "MTLS-002" not in {finding["id"] for finding in result["findings"]}
    assert any("pending" in entry["reason"] for entry in result["unknown"])


AMBIENT = {"istio.io/dataplane-mode": "ambient"}
NO_NAMESPACES = [{"kind": "Namespace", "namespace": None, "reason": "forbidden"}]


@pytest.mark.parametrize(
    ("title", "home", "own", "unread", "mode"),
    [
        ("its namespace asks", [namespace("demo", **AMBIENT)], None, [], "STRICT"),
        ("it asks itself", [namespace("demo")], "ambient", [], "STRICT"),
        ("nobody asks", [namespace("demo", istio_injection="enabled")], None, [], "unknown"),
        ("it wants none", [namespace("demo", **AMBIENT)], "none", [], "unknown"),
        ("nobody knows what its namespace asks", [], None, NO_NAMESPACES, "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_ambient_annotation_that_nothing_asks_for_is_doubted(title, home, own, unread, mode):
    one = pod("demo/a", "ambient", labels={"istio.io/dataplane-mode": own})
    found = workload(judge(mesh_config(), home, one, STRICT, unread=unread), "demo/a")
    assert found["mode"] == mode, title
    assert [port["plaintext"] for port in found["ports"]] == ["refused" if mode == "STRICT" else "unknown"]


@pytest.mark.parametrize("arguments", [None, [], ["nginx"]], ids=["no arguments", "an empty list", "others"])
def test_a_container_that_is_only_named_like_the_proxy_is_doubted(arguments):
    one = pod("demo/a")
    one["spec"]["containers"][-1]["args"] = arguments
    found = workload(judge(mesh_config(), one, STRICT), "demo/a")
    assert (found["mode"], found["ports"][0]["plaintext"]) == ("unknown", "unknown")


def started(kind, **change):
    """A pod whose proxy's container is changed; "ended" is a sidecar among the containers that end before others."""
    one = pod("demo/a", "native" if kind == "ended" else kind)
    (one["spec"]["initContainers"] or one["spec"]["containers"])[-1].update(change)
    if kind == "ended":
        del one["spec"]["initContainers"][-1]["restartPolicy"]
    return one


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(started("sidecar", command=["nginx"]), id="a sidecar with a command of its own"),
        pytest.param(started("native", command=["nginx"]), id="a native sidecar with one"),
        pytest.param(started("gateway", command=["nginx"]), id="a gateway with one"),
        pytest.param(started("ended"), id="a native sidecar that does not stay"),
    ],
)
def test_a_proxy_that_is_started_as_none_is_doubted(one):
    result = judge(mesh_config(), one, service("demo/a"), pod("demo/b"), STRICT)
    assert [port["plaintext"] for port in workload(result, "demo/a")["ports"]] == ["unknown"]
    assert [row["verdict"] for row in edges(result, "demo/b", service="demo/a")] == ["unknown"]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"status.sidecar.istio.io/port": "8080"}, "accepted"),
        ({"traffic.sidecar.istio.io/excludeInterfaces": "eth0"}, "accepted"),
        ({"proxy.istio.io/config": "interceptionMode: NONE"}, "unknown"),
        ({"proxy.istio.io/config": '{"interception_mode":"NONE"}'}, "unknown"),
        ({"proxy.istio.io/config": "concurrency: 2"}, "refused"),
    ],
    ids=["its agent's port", "its interface", "no interception", "likewise in other words", "something else"],
)
def test_what_a_pod_that_is_still_to_come_lets_past_its_proxy(annotations, expected):
    result = judge(
        mesh_config(), namespace("demo", istio_injection="enabled"), deployment("demo/a", {}, annotations), STRICT
    )
    assert [port["plaintext"] for port in workload(result, "demo/a")["ports"]] == [expected]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_versions_of_a_pod_the_one_outside_the_mesh_counts(order):
    """Which one is newer nobody can tell."""
    two = [pod("demo/a"), pod("demo/a", "none", labels={"security.istio.io/tlsMode": "istio"})]
    assert workload(judge(mesh_config(), two[::order], STRICT), "demo/a")["mesh"] == "none"


def test_a_deployment_that_writes_the_agents_annotation_itself_is_doubted():
    forged = deployment("demo/a", annotations={"ambient.istio.io/redirection": "enabled"})
    result = judge(namespace("demo"), forged, pod("demo/a", "ambient"), STRICT)
    assert any("only Istio's CNI agent" in entry["reason"] for entry in result["unknown"])


INJECTION, REVISION, POD = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject"
CALLED = {
    "nothing is asked for": ({}, {}, None),
    "the namespace is enabled": ({INJECTION: "enabled"}, {}, "default"),
    "it is disabled": ({INJECTION: "disabled"}, {}, None),
    "it is disabled, and the pod wants it": ({INJECTION: "disabled"}, {POD: "true"}, None),
    "enabled, and the pod does not want it": ({INJECTION: "enabled"}, {POD: "false"}, None),
    "enabled, and the pod says what is neither": ({INJECTION: "enabled"}, {POD: "no"}, "default"),
    "enabled beats a revision": ({INJECTION: "enabled", REVISION: "canary"}, {}, "default"),
    "disabled beats a revision": ({INJECTION: "disabled", REVISION: "canary"}, {}, None),
    "a revision": ({REVISION: "canary"}, {}, "canary"),
    "a revision, and the pod does not want it": ({REVISION: "canary"}, {POD: "false"}, None),
    "a revision, and the pod says what is neither": ({REVISION: "canary"}, {POD: "no"}, "canary"),
    "the namespace's beats the pod's revision": ({REVISION: "canary"}, {REVISION: "other"}, "canary"),
    "a pod's own revision": ({}, {REVISION: "canary"}, "canary"),
    "a pod's own revision, not wanted": ({}, {REVISION: "canary", POD: "false"}, None),
    "a pod that wants it": ({}, {POD: "true"}, "default"),
    "a pod that does not": ({}, {POD: "false"}, None),
    "a pod that says what is neither": ({}, {POD: "yes"}, None),
}


@pytest.mark.parametrize(("namespace_labels", "pod_labels", "expected"), CALLED.values(), ids=CALLED)
def test_whose_webhook_is_called(namespace_labels, pod_labels, expected):
    assert webhook_revision(namespace_labels, pod_labels) == expected


@pytest.mark.parametrize("reverse", [False, True], ids=["one order", "the other"])
def test_no_owner_gives_a_pod_the_id_of_another_ones(reverse):
    """The API server takes any words in ownerReferences."""
    outside, inside = pod("demo/evil", "none"), pod("demo/nice")
    outside["metadata"]["ownerReferences"] = [{"kind": "X/y", "name": "z", "controller": True}]
    inside["metadata"]["ownerReferences"] = [{"kind": "X", "name": "y/z", "controller": True}]
    pods = [inside, outside] if reverse else [outside, inside]
    found = {row["pods"][0]: row["ports"][0]["plaintext"] for row in judge(STRICT, pods)["workloads"]}
    assert found == {"evil-5f5-1": "accepted", "nice-5f5-1": "refused"}


def test_no_owner_is_taken_for_a_variant():
    variants = [pod("demo/web"), pod("demo/web", number=2, annotations={"sidecar.istio.io/inject": "true"})]
    forged = pod("demo/evil", "none")
    forged["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "web~2", "controller": True}]
    ids = [row["id"] for row in judge(STRICT, variants, forged)["workloads"]]
    assert len(ids) == len(set(ids)) == 3


@pytest.mark.parametrize(
    "more",
    [{"hostNetwork": True}, {"annotations": {"sidecar.istio.io/status": "{}"}}],
    ids=["in the host's network", "with a sidecar's annotation"],
)
def test_what_istio_never_enrols_in_ambient_is_not_there_by_its_annotation(more):
    result = judge(
        STRICT, namespace("demo", **{"istio.io/dataplane-mode": "ambient"}), pod("demo/a", "ambient", **more)
    )
    assert workload(result, "demo/a")["mesh"] == "none"
    assert port(result, "demo/a", 8080)["plaintext"] == "accepted"


NO_WEBHOOKS = [{"kind": "MutatingWebhookConfiguration", "namespace": None, "reason": "forbidden"}]
NO_PODS = [{"kind": "Pod", "namespace": "demo", "reason": "forbidden"}]
ENABLED = namespace("demo", istio_injection="enabled")
DEFAULT = [mesh_config(), hook("default")]
NAMED_LIKE_THE_PROXY = {"containers": [{"name": "istio-proxy", "command": ["nginx"]}]}
ANOTHERS_TAG = hook("two", "prod")
ANOTHERS_TAG["metadata"]["name"] = "second"
# what, manifests, gaps, what becomes of demo/a, what nobody knows of it
DOUBTED = [
    ("all is known", [*DEFAULT, ENABLED, deployment("demo/a")], [], "sidecar", ""),
    ("a tag that two revisions have",
     [*DEFAULT, hook("one", "prod"), ANOTHERS_TAG, namespace("demo", rev="prod"), deployment("demo/a")], [],
     "none", "webhooks give the tag prod to several revisions"),
    ("a revision of which there is no webhook", [*DEFAULT, namespace("demo", rev="gone"), deployment("demo/a")], [],
     "none", ""),
    ("the same where webhooks were not read", [*DEFAULT, namespace("demo", rev="gone"), deployment("demo/a")],
     NO_WEBHOOKS, "none", "no injection webhook for revision gone was read"),
    ("its pods were not read", [*DEFAULT, ENABLED, deployment("demo/a")], NO_PODS, "sidecar",
     "its pods could not be read"),
    ("namespaces were not read", [*DEFAULT, deployment("demo/a")], NO_NAMESPACES, "none",
     "the labels of its namespace could not be read"),
    ("namespaces were not read, but its own was", [*DEFAULT, ENABLED, deployment("demo/a")], NO_NAMESPACES, "sidecar",
     ""),
    ("a container of its own that is named like the proxy",
     [*DEFAULT, ENABLED, deployment("demo/a", **NAMED_LIKE_THE_PROXY)], [], "sidecar",
     "its container istio-proxy is not started as injection starts one"),
    ("the same where nothing is injected", [*DEFAULT, namespace("demo"), deployment("demo/a", **NAMED_LIKE_THE_PROXY)],
     [], "none", ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "manifests", "gaps", "mesh", "doubt"), DOUBTED, ids=[row[0] for row in DOUBTED])
def test_what_is_doubted_of_a_pod_that_is_still_to_come(what, manifests, gaps, mesh, doubt):
    result = judge(manifests, STRICT, unread=gaps)
    [reason] = [row["reason"] for row in result["unknown"] if row["kind"] == "Deployment"] or [""]
    found = workload(result, "demo/a")
    assert (found["mesh"], found["mode"] == "unknown", reason.partition(" (")[0]) == (mesh, bool(doubt), doubt), what


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        pytest.param(None, {}, True, id="no selector"),
        pytest.param({}, {"app": "a"}, True, id="an empty one"),
        pytest.param({"app": "a"}, {"app": "a", "tier": "x"}, True, id="one label"),
        pytest.param({"app": "a"}, {"app": "b"}, False, id="another value"),
        pytest.param({"app": "a"}, {}, False, id="no such label"),
        pytest.param({"app": "a", "tier": "x"}, {"app": "a", "tier": "x"}, True, id="two labels"),
        pytest.param({"app": "a", "tier": "x"}, {"app": "a", "tier": "y"}, False, id="two labels, one of which it has"),
    ],
)
def test_whom_a_selector_selects(selector, labels, selected):
    assert matches(selector, labels) is selected


def listed(name: str, mesh: str) -> dict[str, str]:
    return {"namespace": name, "mesh": mesh}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param({"workloads": []}, set(), id="nothing"),
        pytest.param({"workloads": [listed("a", "sidecar"), listed("b", "ambient")]}, {"a", "b"}, id="in the mesh"),
        pytest.param({"workloads": [listed("a", "none"), listed("b", "gateway")]}, set(), id="outside, or at its edge"),
        pytest.param({"workloads": [], "namespaces": [{"name": "a", "labels": {"istio-injection": "enabled"}}]}, {"a"},
                     id="by its label, before any pod is"),
        pytest.param({"workloads": [], "namespaces": [{"name": "a", "labels": {"istio-injection": "disabled"}},
                                                      {"name": "b", "labels": None}, {"name": "c"}]}, set(),
                     id="not by its label"),
        pytest.param({"workloads": [listed("a", "sidecar")], "namespaces": [{"name": "b", "labels": AMBIENT}]},
                     {"a", "b"}, id="either"),
    ],
)  # fmt: skip
def test_the_namespaces_that_the_mesh_is_meant_to_protect(result, expected):
    assert enrolled_namespaces(result) == expected


LABELS_THAT_INJECTION_ADDS = [
    ("what auto-mTLS goes by", {}, {"security.istio.io/tlsMode": "istio"}),
    ("but where it is written", {"security.istio.io/tlsMode": "disabled"},
     {"security.istio.io/tlsMode": "disabled"}),
    ("its name and version by its app", {},
     {"service.istio.io/canonical-name": "a", "service.istio.io/canonical-revision": "latest"}),
    ("by the recommended labels before these", {"app.kubernetes.io/name": "n", "app.kubernetes.io/version": "2",
                                                "version": "1"},
     {"service.istio.io/canonical-name": "n", "service.istio.io/canonical-revision": "2"}),
    ("by the older label of a version", {"version": "1"}, {"service.istio.io/canonical-revision": "1"}),
    ("but where they are written", {"service.istio.io/canonical-name": "x", "service.istio.io/canonical-revision": "y"},
     {"service.istio.io/canonical-name": "x", "service.istio.io/canonical-revision": "y"}),
    ("no longer than a label may be", {"app": f"{'a' * 62}-b"}, {"service.istio.io/canonical-name": "a" * 62}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "own", "added"), LABELS_THAT_INJECTION_ADDS, ids=[row[0] for row in LABELS_THAT_INJECTION_ADDS]
)
def test_a_policy_can_select_by_the_labels_that_injection_adds(what, own, added):
    one = deployment("demo/a", {"app": "a", **own})
    for name, value in added.items():
        for wanted, mode in ((value, "STRICT"), (f"{value}-not", "PERMISSIVE")):
            result = judge(DEFAULT, ENABLED, one, peer("demo/w", "STRICT", {name: wanted}))
            assert workload(result, "demo/a")["mode"] == mode, (what, name, wanted)


ROUTER = {"containers": [{"name": "istio-proxy", "args": ["proxy", "router"]}]}
OWN_SIDECAR = {"containers": [{"name": "istio-proxy", "args": ["proxy", "sidecar"]}]}
BOTH = namespace("demo", istio_injection="disabled", **{"istio.io/dataplane-mode": "ambient"})
WHOLE = [
    ("a gateway that is written whole", ENABLED, deployment("demo/a", annotations=STATUS, **ROUTER), "gateway"),
    ("a sidecar that is written whole, where injection is off", BOTH,
     deployment("demo/a", annotations=STATUS, **OWN_SIDECAR), "none"),
    ("in the host's network, where ztunnel takes the rest", BOTH, deployment("demo/a", hostNetwork=True), "none"),
    ("that rest", BOTH, deployment("demo/a"), "ambient"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "home", "one", "mesh"), WHOLE, ids=[row[0] for row in WHOLE])
def test_what_becomes_of_a_template_that_injection_leaves_alone(what, home, one, mesh):
    assert workload(judge(DEFAULT, home, one), "demo/a")["mesh"] == mesh, what


@pytest.mark.parametrize("home", [ENABLED, namespace("demo")], ids=["injected", "not injected"])
def test_a_template_with_a_proxy_of_its_own_is_no_stray_one_before_there_is_a_pod(home):
    assert judge(DEFAULT, home, deployment("demo/a", **OWN_SIDECAR), STRICT)["findings"] == []


@pytest.mark.parametrize(
    ("mode", "notes", "expected"),
    [
        pytest.param(None, {}, "refused", id="the mesh does not say"),
        pytest.param("REDIRECT", {}, "refused", id="the mesh says what is the default"),
        pytest.param("TPROXY", {}, "refused", id="another way of capturing"),
        pytest.param("TPROXY", note(excludeInboundPorts="8080"), "accepted", id="but not this port"),
        pytest.param("TPROXY", note(includeInboundPorts="9090"), "accepted", id="but another port alone"),
        pytest.param("NONE", {}, "accepted", id="the mesh captures nothing"),
        pytest.param("NONE", {"sidecar.istio.io/interceptionMode": "TPROXY"}, "refused", id="but the pod says it"),
        pytest.param(
            "TPROXY", {"sidecar.istio.io/interceptionMode": "NONE"}, "accepted", id="the pod captures nothing"
        ),
    ],
)
def test_what_the_mesh_captures_of_a_pod_that_is_still_to_come(mode, notes, expected):
    config = mesh_config(**({"defaultConfig": {"interceptionMode": mode}} if mode else {}))
    result = judge(config, hook("default"), ENABLED, deployment("demo/a", annotations=notes), STRICT)
    assert [row["plaintext"] for row in workload(result, "demo/a")["ports"]] == [expected]


def istiod(**env: str) -> dict[str, Any]:
    """istiod's Deployment with these variables."""
    found = deployment("istio-system/istiod")
    variables = [{"name": name, "value": value} for name, value in env.items()]
    found["spec"]["template"]["spec"]["containers"] = [{"name": "discovery", "env": variables}]
    return found


TAKES_HBONE = {"defaultConfig": {"proxyMetadata": {"ISTIO_META_ENABLE_HBONE": "true"}}}
SENDS_HBONE = {"PILOT_ENABLE_AMBIENT": "true", "PILOT_PREFER_SENDING_HBONE": "true"}


@pytest.mark.parametrize(
    ("config", "switches", "own", "expected"),
    [
        pytest.param(TAKES_HBONE, SENDS_HBONE, {}, "hbone -> mtls", id="the mesh's proxies take it, and send it"),
        pytest.param(TAKES_HBONE, SENDS_HBONE, {"networking.istio.io/tunnel": "none"}, "mtls -> mtls",
                     id="but where the label is written"),
        pytest.param(TAKES_HBONE, {"PILOT_ENABLE_AMBIENT": "true"}, {}, "mtls -> mtls", id="they send it to ztunnel"),
        pytest.param({}, SENDS_HBONE, {}, "mtls -> mtls", id="they do not take it"),
    ],
)  # fmt: skip
def test_whether_a_sidecar_that_is_still_to_come_is_sent_hbone(config, switches, own, expected):
    mesh = [mesh_config(**config), hook("default"), ENABLED, istiod(**switches)]
    result = judge(mesh, pod("demo/c"), deployment("demo/a", own), service("demo/a"))
    assert answer(result, "demo/c", "demo/a") == expected


@pytest.mark.parametrize("annotated", [True, False], ids=["forged", "not forged"])
def test_who_does_not_write_the_agents_annotation_is_believed(annotated):
    template = deployment("demo/a", annotations={"ambient.istio.io/redirection": "enabled"} if annotated else {})
    other = deployment("demo/b", annotations={"ambient.istio.io/redirection": "enabled"})
    result = judge(mesh_config(), namespace("demo", **AMBIENT), template, other, pod("demo/a", "ambient"), STRICT)
    assert workload(result, "demo/a")["mode"] == ("unknown" if annotated else "STRICT")


PENDING = {"ambient.istio.io/redirection": "pending"}
WHY = {
    "proxyless gRPC": (pod("demo/a", annotations={"inject.istio.io/templates": "grpc-agent"}), "it is proxyless gRPC"),
    "pending": (pod("demo/a", "none", annotations=PENDING), "ztunnel has not taken it yet"),
    "a command of its own": (started("sidecar", command=["nginx"]), "its container istio-proxy is not started"),
    "what it captures is not told": (pod("demo/a", annotations={"sidecar.istio.io/interceptionMode": "x"}),
                                     "its interceptionMode 'x' is none"),
    "the same outside the mesh": (pod("demo/a", "none", annotations={"sidecar.istio.io/interceptionMode": "x"}), ""),
    "ambient, and nothing asks for it": (pod("demo/a", "ambient", labels={"istio.io/dataplane-mode": None}),
                                         "nothing asks for it to be ambient"),
    "as it should be": (pod("demo/a"), ""),
}  # fmt: skip


@pytest.mark.parametrize(("one", "expected"), WHY.values(), ids=WHY)
def test_why_a_running_pod_is_doubted(one, expected):
    result = judge(DEFAULT, namespace("demo"), one)
    reasons = [row["reason"] for row in result["unknown"] if row["touches"].startswith("membership")]
    assert len(reasons) == bool(expected), result["unknown"]
    assert all(reason.startswith(expected) for reason in reasons), reasons


@pytest.mark.parametrize(
    ("mesh", "change", "captured"),
    [
        ("sidecar", {}, True),
        ("sidecar", {"host_network": True}, False),
        ("ambient", {}, True),
        ("ambient", {"ambient_bypass": True}, False),
        ("gateway", {}, True),
        ("none", {}, False),
    ],
)
def test_whose_proxy_gets_the_traffic_to_a_port(mesh, change, captured):
    shape = Shape(mesh, None, False, Capture((), None, ""), False, (), (), (), False, None, False, False)
    one = Workload("demo/Pod/a", "demo", "Pod", "a", (), {}, shape._replace(**change), False, None, "")
    assert one.captures(8080) is captured
