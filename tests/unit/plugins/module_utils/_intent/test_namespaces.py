# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role istio_namespaces is asked for, and what its plan makes of it: one table for each question."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.contents import marks
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.namespaces import (
    PREVIOUS,
    plan,
    progress,
    proposed,
    questions,
    remains,
    wanted,
)

GIVEN = {
    "state": "present",
    "list": ["shop"],
    "mode": "sidecar",
    "revision": "",
    "restart": True,
    "restart_batch": 0,
    "max_broken": 0,
    "wait_timeout": 300,
    "force": False,
}
INJECTORS = [
    {"label": "istio-injection=enabled", "revision": "default"},
    {"label": "istio.io/rev=default", "revision": "default"},
    {"label": "istio.io/rev=stable", "revision": "1-31"},
]
ENABLED = {"istio-injection": "enabled"}
OURS = marks("istio_namespaces")
NONE = {"istio-injection": None, "istio.io/rev": None, "istio.io/dataplane-mode": None}


def given(**options: Any) -> dict[str, Any]:
    return {**GIVEN, **options}


def space(name: str = "shop", labels: Any = None, phase: str = "Active", **annotations: str) -> dict[str, Any]:
    return {"name": name, "labels": labels or {}, "annotations": annotations, "phase": phase}


def runs(mesh: str = "none", kind: str = "Deployment", name: str = "cart", **more: Any) -> dict[str, Any]:
    return {"namespace": "shop", "kind": kind, "name": name, "mesh": mesh, "revision": None, **more}


def mesh(*namespaces: Any, workloads: Any = (), **more: Any) -> dict[str, Any]:
    revisions = [{"name": "default", "root_namespace": "istio-root", "namespace": "istio-system"}]
    status = {"namespaces": namespaces, "workloads": workloads, "injectors": INJECTORS, "unknown": []}
    return {**status, "mesh": {"revisions": revisions}, **more}


def there(*objects: Any, contents: Any = (), **unread: Any) -> dict[str, Any]:
    return {"objects": objects, "contents": contents, "unread": [], "contents_unread": [], **unread}


def owner(
    name: str = "cart", kind: str = "Deployment", labels: Any = None, pod: Any = None, **spec: Any
) -> dict[str, Any]:
    template = {
        "metadata": {"labels": labels or {"app": name}},
        "spec": {"containers": [{"name": "app"}], **(pod or {})},
    }
    spec = {"replicas": 1, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def inside(kind: str, name: str, labels: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "uid": f"{kind}/{name}", "labels": labels, **metadata},
    }


# --- options


@pytest.mark.parametrize(
    ("entries", "meant"),
    [
        ("shop", [("shop", "sidecar", "")]),
        ("shop,cart", [("shop", "sidecar", ""), ("cart", "sidecar", "")]),
        ([{"name": "shop", "mode": "ambient"}, "cart"], [("shop", "ambient", ""), ("cart", "sidecar", "")]),
        ('[{"name": "shop", "revision": "stable"}]', [("shop", "sidecar", "stable")]),
        ([{"name": "shop", "revision": None}], [("shop", "sidecar", "")]),
    ],
    ids=str,
)
def test_a_list_in_each_of_its_forms(entries, meant):
    found = wanted(given(list=entries))
    assert found.problems == []
    assert [(item["name"], item["mode"], item.get("revision", "")) for item in found.namespaces] == meant


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"list": ["Shop"]}, "istio_namespaces_list[0] names no namespace: 'Shop'"),
        ({"list": [{"mode": "none"}]}, "istio_namespaces_list[0] names no namespace: ''"),
        ({"list": ["shop", "shop"]}, "istio_namespaces_list[1]: shop is named twice"),
        ({"list": [{"name": "shop", "mode": "mesh"}]}, "istio_namespaces_list[0] (shop): mode is 'mesh'"),
        ({"list": [{"name": "shop", "modus": "none"}]}, "istio_namespaces_list[0] (shop) has modus"),
        ({"list": [{"name": "shop", "revision": "a b"}]}, "istio_namespaces_list[0] (shop): revision 'a b'"),
        ({"list": ["kube-system"]}, "istio_namespaces_list[0]: kube-system cannot be enrolled"),
        ({"list": ["istio-system"]}, "istio_namespaces_list[0]: istio-system cannot be enrolled"),
        ({"list": 3}, "istio_namespaces_list is '3', and has to be a list"),
        ({"mode": "on"}, "istio_namespaces_mode is 'on', and has to be one of sidecar, ambient, none"),
        ({"wait_timeout": "long"}, "istio_namespaces_wait_timeout is 'long', and has to be a whole number"),
        ({"restart_batch": -1}, "istio_namespaces_restart_batch is '-1', and has to be a whole number"),
        ({"force": "perhaps"}, "istio_namespaces_force is 'perhaps', and has to be true or false"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(options, problem):
    found = wanted(given(**options)).problems
    assert problem in found[0]
    assert "Remedy: " in found[0]


# --- labels

BEFORE_AND_AFTER = {
    "a namespace that is not there is made with our labels": (
        {},
        [],
        {**OURS, **ENABLED},
    ),
    "one without a label gets one": ({}, [space()], {**NONE, **ENABLED}),
    "a revision": ({"revision": "stable"}, [space()], {**NONE, "istio.io/rev": "stable"}),
    "a revision takes the place of injection": (
        {"revision": "stable"},
        [space(labels=ENABLED)],
        {**NONE, "istio.io/rev": "stable"},
    ),
    "injection takes the place of ambient": (
        {},
        [space(labels={"istio.io/dataplane-mode": "ambient"})],
        {**NONE, **ENABLED},
    ),
    "ambient": ({"mode": "ambient"}, [space(labels=ENABLED)], {**NONE, "istio.io/dataplane-mode": "ambient"}),
    "none": ({"mode": "none"}, [space(labels=ENABLED)], NONE),
    "disabled is no label of ours": ({}, [space(labels={"istio-injection": "disabled"})], {**NONE, **ENABLED}),
    "two labels become one": ({}, [space(labels={**ENABLED, "istio.io/rev": "stable"})], {**NONE, **ENABLED}),
}
ZTUNNEL = {
    "kind": "DaemonSet",
    "metadata": {"name": "ztunnel", "namespace": "istio-system", "labels": {"app": "ztunnel"}},
}


@pytest.mark.parametrize(("options", "namespaces", "labels"), BEFORE_AND_AFTER.values(), ids=list(BEFORE_AND_AFTER))
def test_labels(options, namespaces, labels):
    found = plan(given(**options), mesh(*namespaces), there(ZTUNNEL))
    assert found["problems"] == []
    assert [item["metadata"]["labels"] for item in found["objects"]] == [labels]


@pytest.mark.parametrize("labels", [ENABLED, {**ENABLED, **OURS}, {**ENABLED, "team": "a"}], ids=str)
def test_what_is_as_wanted_is_left_alone(labels):
    found = plan(GIVEN, mesh(space(labels=labels)))
    assert (found["objects"], found["batches"], found["lines"], found["diff"]) == ([], [], [], [])


def test_former_labels_are_remembered_once_on_a_namespace_of_others():
    [made] = plan(GIVEN, mesh(space(labels={"istio.io/rev": "stable"})))["objects"]
    assert json.loads(made["metadata"]["annotations"][PREVIOUS]) == {**NONE, "istio.io/rev": "stable"}
    for known in (space(labels=OURS), space(**{PREVIOUS: "{}"})):
        [made] = plan(GIVEN, mesh(known))["objects"]
        assert "annotations" not in made["metadata"]


def test_the_difference_is_told():
    found = plan(
        given(list=["new", "shop"]),
        mesh(space(labels={"istio.io/rev": "\x1b[2J", "istio.io/dataplane-mode": "ambient"})),
    )
    assert found["diff"] == [
        "+ namespace new istio-injection=enabled",
        "+ namespace shop istio-injection: (none) -> enabled",
        "- namespace shop istio.io/rev: \\u001b[2J -> (none)",
        "- namespace shop istio.io/dataplane-mode: ambient -> (none)",
    ]


# --- what speaks against it

AGAINST = {
    "no webhook listens": (
        {"revision": "old"},
        mesh(space()),
        "no injection webhook listens to istio.io/rev=old, so pods would start without a sidecar. The webhooks of this"
        " cluster know istio-injection=enabled, istio.io/rev=default, istio.io/rev=stable. Remedy: ",
    ),
    "there is no Istio": ({}, mesh(space(), injectors=[]), "Istio is not in this cluster. Remedy: install"),
    "there is no ztunnel": ({"mode": "ambient"}, mesh(space()), "there is no ztunnel in this cluster"),
    "it is being deleted": ({}, mesh(space(phase="Terminating")), "namespace shop is being deleted"),
    "it is a control plane's": ({"list": "istio-root"}, mesh(), "istio-root is a control plane's own namespace"),
    "webhooks could not be read": (
        {},
        mesh(space(), unknown=[{"kind": "MutatingWebhookConfiguration", "namespace": None, "reason": "forbidden"}]),
        "MutatingWebhookConfiguration could not be read: forbidden. Remedy: rights to list them",
    ),
}


@pytest.mark.parametrize(("options", "status", "problem"), AGAINST.values(), ids=list(AGAINST))
def test_what_speaks_against_it(options, status, problem):
    found = plan(given(**options), status)
    assert len(found["problems"]) == 1
    assert problem in found["problems"][0]


def test_what_was_not_read_of_others_is_no_hindrance():
    status = mesh(space(), unknown=[{"kind": "EnvoyFilter", "namespace": None, "reason": "forbidden"}])
    assert plan(GIVEN, status)["problems"] == []


def test_owners_that_could_not_be_read():
    gap = {"kind": "Deployment", "namespace": "shop", "reason": "forbidden"}
    found = plan(GIVEN, mesh(space(), workloads=[runs()]), there(unread=[gap]))
    assert "Deployment could not be read: forbidden" in found["problems"][0]


def test_what_another_role_would_make_before_is_only_a_warning_in_check_mode():
    found = plan(given(revision="old"), mesh(space()), check=True)
    assert found["problems"] == []
    assert found["warnings"][0].startswith("as the cluster is now, this would be refused: no injection webhook")


# --- workloads

STEPS = {
    "without a sidecar": (runs(), owner(), "restart", ""),
    "with a sidecar of another revision": (runs("sidecar", revision="1-30"), owner(), "restart", ""),
    "StatefulSet": (runs(kind="StatefulSet"), owner(kind="StatefulSet"), "restart", ""),
    "DaemonSet": (runs(kind="DaemonSet"), owner(kind="DaemonSet"), "restart", ""),
    "bare pod": (runs(kind="Pod"), None, "nothing", "bare pod: delete it and make it anew"),
    "Job": (runs(kind="Job"), None, "nothing", "Job: its next run follows the label"),
    "another kind": (runs(kind="Rollout"), None, "nothing", "not a kind that this role restarts: restart it yourself"),
    "gone": (runs(), None, "nothing", "gone in the meantime, or not to be read"),
    "hostNetwork": (
        runs(),
        owner(pod={"hostNetwork": True}),
        "nothing",
        "hostNetwork: Istio never takes its traffic",
    ),
    "a sidecar of its own": (
        runs(),
        owner(pod={"initContainers": [{"name": "istio-proxy"}]}),
        "nothing",
        "its sidecar is written into its pod template",
    ),
    "opted out": (
        runs(),
        owner(labels={"sidecar.istio.io/inject": "false"}),
        "nothing",
        "opted out by its pod label sidecar.istio.io/inject=false",
    ),
    "paused": (runs(), owner(paused=True), "nothing", "its rollout is paused"),
    "OnDelete": (
        runs(kind="DaemonSet"),
        owner(kind="DaemonSet", updateStrategy={"type": "OnDelete"}),
        "nothing",
        "update strategy OnDelete: delete its pods yourself",
    ),
    "partition": (
        runs(kind="StatefulSet"),
        owner(kind="StatefulSet", updateStrategy={"rollingUpdate": {"partition": 2}}),
        "nothing",
        "update strategy holds back the pods below partition 2",
    ),
}


@pytest.mark.parametrize(("workload", "made", "do", "reason"), STEPS.values(), ids=list(STEPS))
def test_what_is_done_with_a_workload(workload, made, do, reason):
    found = plan(GIVEN, mesh(space(labels=ENABLED), workloads=[workload]), there(*([made] if made else [])))
    assert found["problems"] == []
    steps = [(step["do"], step["reason"]) for batch in found["batches"] for step in batch]
    steps += [("nothing", item["reason"]) for item in found["left"]]
    assert steps == [(do, reason)]


LEAVING = {
    "it asks for its sidecar itself": (
        {"mode": "none"},
        runs("sidecar"),
        owner(labels={"sidecar.istio.io/inject": "true"}),
        "asks for a sidecar by its pod label sidecar.istio.io/inject=true",
    ),
    "it asks for ambient itself": (
        {"mode": "none"},
        runs("ambient"),
        owner(labels={"istio.io/dataplane-mode": "ambient"}),
        "opted in by its pod label istio.io/dataplane-mode=ambient",
    ),
    "it opted out of ambient": (
        {"mode": "ambient"},
        runs(),
        owner(labels={"istio.io/dataplane-mode": "none"}),
        "opted out by its pod label istio.io/dataplane-mode=none",
    ),
}


@pytest.mark.parametrize(("options", "workload", "made", "reason"), LEAVING.values(), ids=list(LEAVING))
def test_what_keeps_a_workload_as_it_is(options, workload, made, reason):
    found = plan(given(**options), mesh(space(), workloads=[workload]), there(ZTUNNEL, made))
    assert [item["reason"] for item in found["left"]] == [reason]


def test_ambient_takes_running_pods_without_a_restart():
    found = plan(given(mode="ambient"), mesh(space(), workloads=[runs()]), there(ZTUNNEL, owner()))
    assert [step["do"] for batch in found["batches"] for step in batch] == ["wait"]


FITS = {
    "in the mesh": runs("sidecar", revision="default"),
    "of a revision that nobody knows": runs("sidecar"),
    "a gateway": runs("gateway"),
    "a prediction": runs(predicted=True),
    "another namespace": {**runs(), "namespace": "other"},
}


@pytest.mark.parametrize("workload", FITS.values(), ids=list(FITS))
def test_who_is_no_misfit(workload):
    found = plan(GIVEN, mesh(space(labels=ENABLED), workloads=[workload]), there(owner()))
    assert (found["batches"], found["left"]) == ([], [])


def test_without_restart_nothing_is_restarted():
    found = plan(given(restart=False), mesh(space(), workloads=[runs()]), there(owner()))
    assert (found["batches"], found["left"]) == ([], [])


def test_restarts_come_in_portions_and_in_order():
    names = [f"w{number}" for number in range(5)]
    workloads = [runs(name=name) for name in names]
    status, seen = mesh(space(), workloads=workloads), there(*(owner(name) for name in names))
    found = plan(given(restart_batch=2), status, seen)
    assert [[step["name"] for step in batch] for batch in found["batches"]] == [["w0", "w1"], ["w2", "w3"], ["w4"]]
    assert found["lines"][0].startswith("5 workloads are restarted, 2 at a time: shop/Deployment/w0, ")
    assert len(plan(given(restart_batch=0), status, seen)["batches"]) == 1


def test_who_stays_is_told_with_its_reason():
    found = plan(GIVEN, mesh(space(), workloads=[runs(kind="Pod", name="a"), runs(kind="Job", name="long-name")]))
    assert found["lines"] == [
        "2 workloads stay as they are:",
        "shop/Pod/a          bare pod: delete it and make it anew",
        "shop/Job/long-name  Job: its next run follows the label",
    ]


# --- what would break


def test_restarts_are_proposed_as_labels_and_pods_that_go():
    running = runs("sidecar", revision="default", pods=["cart-1", "cart-2"])
    status = mesh(
        space(labels={**ENABLED, "team": "a"}), workloads=[running, runs("sidecar", "Pod", "bare", pods=["bare"])]
    )
    found = proposed(given(mode="none"), status, there(owner()))
    assert [(item["op"], item["manifest"]["kind"], item["manifest"]["metadata"]["name"]) for item in found] == [
        ("apply", "Namespace", "shop"),
        ("delete", "Pod", "cart-1"),
        ("delete", "Pod", "cart-2"),
    ]
    assert found[0]["manifest"]["metadata"]["labels"] == {"team": "a"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, mesh(space(labels=ENABLED), workloads=[runs("sidecar", revision="default", pods=["a"])])),
        ({}, mesh(space())),
        ({"restart": False}, mesh(space(), workloads=[runs(pods=["a"])])),
    ],
    ids=["all is as wanted", "no workload", "nothing is to be restarted"],
)
def test_where_nothing_is_restarted_nothing_is_proposed(options, status):
    assert proposed(given(**options), status, there(owner())) == []


@pytest.mark.parametrize(("allowed", "stops"), [(0, True), (1, True), (2, False)])
def test_what_would_break_stops_it(allowed, stops):
    broken = ["shop/Deployment/cart → shop/pay:80 (why)", "shop/Deployment/cart → shop/pay:81 (why)"]
    problems = plan(given(max_broken=allowed), mesh(space()), broken=broken)["problems"]
    assert len(problems) == stops
    assert not stops or "2 connections that work would break by the restarts" in problems[0]


# --- what is read


def test_nothing_more_is_read_where_all_is_as_wanted():
    assert questions(GIVEN, mesh(space(labels=ENABLED), workloads=[runs("sidecar", revision="default")])) == {}


def test_owners_and_budgets_are_read_where_something_is_to_be_restarted():
    found = questions(GIVEN, mesh(space(), workloads=[runs(), runs(kind="Pod", name="b")]))
    assert [(item["kind"], item.get("namespace")) for item in found["objects"]] == [
        ("Deployment", "shop"),
        ("PodDisruptionBudget", "shop"),
    ]


def test_several_namespaces_are_one_list():
    workloads = [runs(), {**runs(), "namespace": "cart"}]
    found = questions(given(list="shop,cart"), mesh(space(), space("cart"), workloads=workloads))
    assert [(item["kind"], item.get("namespace")) for item in found["objects"]] == [
        ("Deployment", None),
        ("PodDisruptionBudget", None),
    ]


def test_what_is_removed_is_looked_into_first():
    status = mesh(space(labels=OURS), space("other"))
    assert questions(given(state="absent", list="shop,other"), status)["contents_of"] == ["shop"]
    assert questions(given(state="absent", list="shop,other", force=True), status) == {}


# --- removal


def test_a_namespace_of_ours_is_deleted():
    found = plan(given(state="absent"), mesh(space(labels={**OURS, **ENABLED})), there())
    assert [item["metadata"]["name"] for item in found["delete"]] == ["shop"]
    assert found["objects"] == []
    assert found["lines"] == ["1 namespaces are removed with all that is in them: shop"]


@pytest.mark.parametrize("labels", [{}, {"meshproof.mtls/role": "istio_namespaces"}, marks("istio_services")], ids=str)
def test_a_namespace_of_others_is_not(labels):
    found = plan(given(state="absent"), mesh(space(labels={**labels, **ENABLED})), there())
    assert (found["delete"], found["objects"], found["problems"]) == ([], [], [])


def test_a_namespace_that_is_gone_is_fine():
    found = plan(given(state="absent"), mesh())
    assert (found["delete"], found["objects"], found["problems"]) == ([], [], [])


def test_former_labels_are_given_back_and_forgotten_last():
    former = json.dumps({**NONE, "istio.io/rev": "stable"})
    status = mesh(space(labels=ENABLED, **{PREVIOUS: former}), workloads=[runs("sidecar", revision="default")])
    found = plan(given(state="absent"), status, there(owner()))
    assert found["problems"] == []
    assert [item["metadata"]["labels"] for item in found["objects"]] == [{**NONE, "istio.io/rev": "stable"}]
    assert [item["metadata"]["annotations"] for item in found["forget"]] == [{PREVIOUS: None}]
    assert [step["do"] for batch in found["batches"] for step in batch] == ["restart"]


FORGED = {
    "another label": '{"pod-security.kubernetes.io/enforce": "privileged"}',
    "a value that is no label's": '{"istio-injection": "a b"}',
    "a value that is no text": '{"istio-injection": {"a": 1}}',
    "no mapping": "[]",
    "no JSON": "{",
    "deep": "[" * 5000,
}


@pytest.mark.parametrize("text", FORGED.values(), ids=list(FORGED))
def test_nothing_is_taken_from_a_memory_that_is_not_ours(text):
    """Who may change a namespace's annotations must not have an administrator write labels for him."""
    found = plan(given(state="absent"), mesh(space(labels=ENABLED, **{PREVIOUS: text})), there())
    assert (found["objects"], found["delete"], found["forget"]) == ([], [], [])
    assert "annotation meshproof.mtls/previous does not hold what this role writes there" in found["problems"][0]
    assert "Remedy: " in found["problems"][0]


LOST = {
    "a Service": inside("Service", "a"),
    "a ConfigMap": inside("ConfigMap", "a"),
    "a custom resource": inside("Cart", "a"),
    "a VirtualService": inside("VirtualService", "a"),
    "a NetworkPolicy": inside("NetworkPolicy", "a"),
    "a Role": inside("Role", "a"),
    "a ServiceAccount": inside("ServiceAccount", "a"),
    "a Secret with our labels copied onto it": inside("Secret", "a", {**OURS, **marks("istio_services")}),
    "a claim with a label of ours": inside(
        "PersistentVolumeClaim", "a", {"app.kubernetes.io/managed-by": "meshproof.mtls"}
    ),
    "a Service of another role than makes Services": inside("Service", "a", marks("istio_mtls")),
    "what is owned by something outside": inside("Service", "a", ownerReferences=[{"uid": "elsewhere"}]),
}
NOT_LOST = {
    "what is in each namespace": inside("ConfigMap", "kube-root-ca.crt"),
    "its ServiceAccount": inside("ServiceAccount", "default"),
    "Istio's root certificate": inside("ConfigMap", "istio-ca-root-cert"),
    "a Service of ours": inside("Service", "a", marks("istio_services")),
    "a policy of ours": inside("PeerAuthentication", "a", marks("istio_mtls")),
}


@pytest.mark.parametrize("item", LOST.values(), ids=list(LOST))
def test_what_others_have_put_there_is_not_removed_with_the_namespace(item):
    status, seen = mesh(space(labels=OURS)), there(contents=[item])
    [problem] = plan(given(state="absent"), status, seen)["problems"]
    assert f"others use them: {item['kind']} shop/a. Remedy: " in problem
    assert plan(given(state="absent", force=True), status, seen)["problems"] == []


@pytest.mark.parametrize("item", NOT_LOST.values(), ids=list(NOT_LOST))
def test_what_nobody_made_or_we_did_goes_with_it(item):
    assert plan(given(state="absent"), mesh(space(labels=OURS)), there(contents=[item]))["problems"] == []


def test_what_goes_with_something_that_is_named_is_not_named():
    service = inside("Service", "a")
    owned = inside("EndpointSlice", "a-1", ownerReferences=[{"uid": "Service/a"}])
    [problem] = plan(
        given(state="absent"), mesh(space(labels=OURS)), there(contents=[service, owned, inside("Endpoints", "a")])
    )["problems"]
    assert "others use them: Service shop/a. Remedy" in problem


def test_what_could_not_be_seen_is_not_removed():
    gap = {"kind": "Cart", "namespace": "shop", "reason": "forbidden"}
    [problem] = plan(given(state="absent"), mesh(space(labels=OURS)), there(contents_unread=[gap]))["problems"]
    assert "could not be seen (Cart: forbidden). Remedy: rights to list everything there" in problem


def test_what_holds_a_namespace_is_said():
    held = {
        "kind": "Namespace",
        "metadata": {"name": "shop"},
        "status": {"conditions": [{"status": "True", "message": "Some resources remain\x07"}, {"status": "False"}]},
    }
    lines = remains(GIVEN, [held, {"kind": "Namespace", "metadata": {"name": "other"}}], "timed out").split("\n")
    assert lines[:2] == ["timed out", "- namespace shop is still there; Some resources remain\\u0007"]
    assert len(lines) == 3


# --- how far it is


BATCH = [{"kind": "Deployment", "namespace": "shop", "name": "cart", "do": "restart", "reason": ""}]


def rolled(updated: int = 1, available: int = 1, generation: int = 2, **status: Any) -> dict[str, Any]:
    made = owner()
    made["metadata"]["generation"] = 2
    counts = {"updatedReplicas": updated, "availableReplicas": available, "observedGeneration": generation}
    return {**made, "status": {**counts, **status}}


DONE = mesh(space(labels=ENABLED), workloads=[runs("sidecar", revision="default")])
ASTRAY = mesh(space(labels=ENABLED), workloads=[runs()])
FAR = {
    "all its pods are new, ready and in the mesh": (DONE, rolled(), None),
    "not all are ready": (DONE, rolled(available=0), "0 of 1 pods ready, 1 new"),
    "not all are new": (DONE, rolled(updated=0), "1 of 1 pods ready, 0 new"),
    "the change was not seen yet": (DONE, rolled(generation=1), "1 of 1 pods ready, 1 new"),
    "its pods are outside": (ASTRAY, rolled(), "not in the mesh as wanted"),
    "no pod can be made": (
        DONE,
        rolled(updated=0, conditions=[{"type": "ReplicaFailure", "status": "True", "message": "quota"}]),
        "quota",
    ),
    "it is gone": (ASTRAY, None, None),
}


@pytest.mark.parametrize(("status", "made", "reason"), FAR.values(), ids=list(FAR))
def test_how_far_a_restart_is(status, made, reason):
    found = progress(GIVEN, status, BATCH, there(*([made] if made else [])), 7)
    assert [item["workload"] for item in found["pending"]] == (["shop/Deployment/cart"] if reason else [])
    if reason:
        assert found["line"] == (
            f"0 of 1 workloads are as wanted after 7 s (at most 300 s); waiting for shop/Deployment/cart ({reason})"
        )


def test_a_failed_wait_says_the_last_warning_and_the_remedy():
    def event(name, message, time):
        return {
            "kind": "Event",
            "metadata": {"name": "e", "namespace": "shop"},
            "involvedObject": {"kind": "Pod", "name": name, "namespace": "shop"},
            "reason": "FailedCreate",
            "message": message,
            "lastTimestamp": time,
        }

    events = [
        event("cart-1", "late\n", "2026-02"),
        event("cart-1", "early", "2026-01"),
        event("carts", "other", "2026-03"),
    ]
    lines = progress(GIVEN, DONE, BATCH, there(rolled(available=0), *events), 300)["failure"].split("\n")
    assert lines[:3] == [
        "1 workloads are not as wanted after 300 s:",
        "- shop/Deployment/cart (0 of 1 pods ready, 1 new)",
        "  last warning: Pod cart-1: FailedCreate: late",
    ]
    assert lines[-1].startswith("Remedy: ")
