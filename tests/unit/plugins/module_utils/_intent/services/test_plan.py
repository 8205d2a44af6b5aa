# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made, changed, removed, refused and left over."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services import plan
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import (
    HTTP,
    OURS,
    by_hand,
    given,
    made,
    namespace,
    one,
    planned,
)

FOUR = ["ServiceAccount", "Deployment", "Service", "DestinationRule"]


def kinds(manifests):
    return [item["kind"] for item in manifests]


def changed(manifest, **spec):
    found = copy.deepcopy(manifest)
    found["spec"].update(spec)
    return found


def finished(job, condition="Complete"):
    return {**job, "status": {"conditions": [{"type": condition, "status": "True", "reason": "BackoffLimitExceeded"}]}}


def test_on_an_empty_namespace_all_is_made():
    found = planned(given({"name": "cart"}))
    assert (found["problems"], found["unmet"], found["warnings"]) == ([], [], [])
    assert kinds(found["objects"]) == FOUR
    assert found["lines"] == ["new: demo/cart: ServiceAccount, Deployment, Service, DestinationRule"]
    assert found["waits"]


@pytest.mark.parametrize(
    "entry",
    [
        {"replicas": 3, "env": [{"name": "A", "value": 1}], "resources": {"limits": {"cpu": "1000m"}}},
        {"kind": "StatefulSet", "ports": [HTTP, {**HTTP, "name": "http-old", "port": 81}]},
        {"kind": "Job"},
        {"kind": "CronJob", "schedule": "@daily"},
        {"ports": [], "inject": "false"},
    ],
    ids=str,
)
def test_a_second_run_changes_nothing(entry):
    service = {"name": "cart", **entry}
    found = planned(given(service), *made(service))
    assert (found["objects"], found["remade"], found["stale"], found["lines"], found["changes"]) == ([], [], [], [], [])


def test_only_what_differs_is_applied_and_only_that_is_shown():
    there = made({"name": "cart"}, {"name": "orders"})
    found = planned(given({"name": "cart", "image": "new:2", "replicas": 3}, {"name": "orders"}), *there)
    assert kinds(found["objects"]) == ["Deployment", "PodDisruptionBudget"]
    assert found["lines"] == [
        "changed: demo/cart: Deployment (spec.replicas, spec.template.spec.containers.app.image)",
        "new: demo/cart: PodDisruptionBudget",
    ]
    before, after = found["changes"][0]["before"], found["changes"][0]["after"]
    assert (before["spec"].pop("replicas"), after["spec"].pop("replicas")) == (1, 3)
    [old], [new] = (side["spec"]["template"]["spec"]["containers"] for side in (before, after))
    assert (old.pop("image"), new.pop("image")) == ("docker.io/traefik/whoami:v1.11.0", "new:2")
    assert before == after


def test_nothing_is_waited_for_where_all_of_it_runs_already():
    there = made({"name": "cart"})
    deployment = one(there, "Deployment")
    assert planned(given({"name": "cart"}), *there)["waits"]
    deployment["status"] = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    assert not planned(given({"name": "cart"}), *there)["waits"]
    deployment["status"]["availableReplicas"] = 0
    assert planned(given({"name": "cart"}), *there)["waits"]
    assert not planned(given({"name": "cart"}, wait=False), *there)["waits"]


# Before others' objects.


@pytest.mark.parametrize("kind", FOUR)
def test_what_is_not_ours_is_refused_with_whose_it_is(kind):
    there = one(made({"name": "cart"}), kind)
    there["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm", "meshproof.mtls/role": "istio_services"}
    there["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop\nPLAY RECAP"}
    [problem] = planned(given({"name": "cart"}), there)["problems"]
    assert problem.startswith(
        f"istio_services_list[0] (cart): {kind} demo/cart is there and was not made by this role ("
    )
    assert "managed-by=Helm, meshproof.mtls/role=istio_services, meta.helm.sh/release-name=shop PLAY RECAP" in problem
    assert "istio_services_adopt=true" in problem
    found = planned(given({"name": "cart"}, adopt=True), there)
    assert found["problems"] == []
    [warning] = found["warnings"]
    assert "meta.helm.sh/release-name=shop PLAY RECAP may change it back" in warning


def test_a_workload_that_is_taken_over_keeps_what_means_its_pods():
    there = by_hand("Deployment", "cart", {"run": "cart"})
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "cart", "namespace": "demo"},
        "spec": {"selector": {"run": "cart"}, "ports": [{"name": "web", "port": 80}]},
    }
    found = planned(given({"name": "cart"}, adopt=True), there, service)
    assert found["problems"] == []
    assert found["warnings"] == [
        "istio_services_list[0] (cart): the pods of Deployment demo/cart run as ServiceAccount default and from then on"
        " as cart: policies that name the identity have to follow"
    ]
    deployment = one(found["objects"], "Deployment")
    assert deployment["metadata"]["labels"] == {"app": "cart", **OURS}
    assert deployment["spec"]["selector"] == {"matchLabels": {"run": "cart"}}
    assert [item["name"] for item in deployment["spec"]["template"]["spec"]["containers"]] == ["web"]
    assert one(found["objects"], "Service")["spec"]["selector"] == {"run": "cart"}


def test_of_one_name_there_is_one_workload():
    there = by_hand("StatefulSet", "cart", {"app": "cart"})
    for adopt in (True, False):
        [problem] = planned(given({"name": "cart"}, adopt=adopt), there)["problems"]
        assert "StatefulSet demo/cart (no label says whose it is) is there, and a Deployment beside it" in problem
        assert "Remedy: kind: StatefulSet in the entry" in problem
    assert planned(given({"name": "cart", "kind": "StatefulSet"}, adopt=True), there)["problems"] == []


def test_a_kind_that_changes_takes_a_word():
    there = made({"name": "cart"})
    [problem] = planned(given({"name": "cart", "kind": "StatefulSet"}), *there)["problems"]
    assert "istio_services_prune=true, which removes it" in problem
    found = planned(given({"name": "cart", "kind": "StatefulSet"}, prune=True), *there)
    assert (found["problems"], kinds(found["stale"]), kinds(found["objects"])) == ([], ["Deployment"], ["StatefulSet"])


def test_pods_of_others_that_a_service_leads_to_are_said():
    found = planned(given({"name": "cart"}), by_hand("Deployment", "old", {"app": "cart", "v": "1"}))
    assert found["problems"] == []
    assert found["warnings"] == [
        "istio_services_list[0] (cart): its Service also leads to the pods of Deployment demo/old, whose labels its"
        " selector app=cart matches"
    ]


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        pytest.param(
            {"Deployment": {"spec": {"selector": {"matchLabels": {"app": "x"}}}}},
            "the selector app=x of Deployment cart does not match the labels of its pods, app=cart",
            id="a selector",
        ),
        pytest.param(
            {"Service": {"spec": {"selector": {"app": "x"}}}},
            "the selector app=x of Service cart does not match the labels of its pods",
            id="a Service's selector",
        ),
        pytest.param(
            {"Service": {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}}},
            "Service cart leads to port web, and no port of its pods has that name. Remedy: one of http",
            id="a Service's port",
        ),
        pytest.param(
            {"Container": {"livenessProbe": {"httpGet": {"path": "/", "port": "admin"}}}},
            "livenessProbe asks port admin, and no port of its pods has that name. Remedy: one of http",
            id="a probe's port",
        ),
        pytest.param(
            {"Service": {"metadata": {"labels": {"meshproof.mtls/role": "x"}}}},
            "definition changes the labels by which the role knows its Service",
            id="our marks",
        ),
    ],
)
def test_what_matches_nothing_is_said_before_it_is_applied(definition, says):
    [problem] = planned(given({"name": "cart", "definition": definition}))["problems"]
    assert problem.startswith("istio_services_list[0] (cart): ")
    assert says in problem


def test_a_selector_that_is_taken_over_may_go_by_labels_that_stay():
    there = by_hand("Deployment", "cart", {"run": "cart", "tier": "web"})
    there["spec"]["selector"] = {"matchLabels": {"run": "cart"}}
    service = one(made({"name": "cart"}), "Service")
    service["spec"]["selector"] = {"tier": "web"}
    assert planned(given({"name": "cart"}, adopt=True), there, service)["problems"] == []
    service["spec"]["selector"] = {"tier": "db"}
    [problem] = planned(given({"name": "cart"}, adopt=True), there, service)["problems"]
    assert "the selector tier=db of Service cart does not match the labels of its pods" in problem


@pytest.mark.parametrize(
    "spec",
    [{"template": "x", "selector": 3}, {"template": {"spec": {"containers": [3, {"ports": 3, "livenessProbe": []}]}}}],
    ids=str,
)
def test_a_definition_of_odd_shape_ends_in_sentences(spec):
    found = planned(given({"name": "cart", "definition": {"Deployment": {"spec": spec}}}))
    assert found["problems"]
    assert all(". Remedy: " in problem for problem in found["problems"])


@pytest.mark.parametrize(
    ("selector", "made_too"),
    [
        pytest.param({"matchLabels": {"app": "cart"}}, False, id="for the same pods"),
        pytest.param({}, False, id="for all pods"),
        pytest.param({"matchLabels": {"app": "orders"}}, True, id="for other pods"),
    ],
)
def test_pods_have_one_budget(selector, made_too):
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "of-somebody", "namespace": "demo"},
        "spec": {"selector": selector, "minAvailable": 1},
    }
    found = planned(given({"name": "cart", "replicas": 2}), budget)
    assert ("PodDisruptionBudget" in kinds(found["objects"])) == made_too
    assert [text for text in found["warnings"] if "of-somebody" in text] == ([] if made_too else found["warnings"])
    assert planned(given({"name": "cart"}), budget)["warnings"] == []


def test_replicas_that_are_left_to_nobody_are_said():
    there = made({"name": "cart", "replicas": 3})
    [warning] = planned(given({"name": "cart", "replicas": None}), *there)["warnings"]
    assert "it becomes 1" in warning
    there = made({"name": "cart", "replicas": None})
    assert planned(given({"name": "cart", "replicas": None}), *there)["warnings"] == []


# What cannot be changed.


def test_a_job_that_changes_is_made_again():
    there = [finished(item) if item["kind"] == "Job" else item for item in made({"name": "load", "kind": "Job"})]
    found = planned(given({"name": "load", "kind": "Job", "args": ["other"]}), *there)
    assert (kinds(found["remade"]), found["objects"], found["stale"]) == (["Job"], [], [])
    assert found["lines"] == ["made again: demo/load: Job (spec.template.spec.containers.app.args)"]


def test_a_job_that_failed_is_made_again():
    service = {"name": "load", "kind": "Job"}
    done, failed = (
        [finished(item, condition) if item["kind"] == "Job" else item for item in made(service)]
        for condition in ("Complete", "Failed")
    )
    assert planned(given(service), *done)["remade"] == []
    assert kinds(planned(given(service), *failed)["remade"]) == ["Job"]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("StatefulSet", "volumeClaimTemplates", [{"metadata": {"name": "x"}}]),
        ("StatefulSet", "podManagementPolicy", "Parallel"),
    ],
)
def test_what_kubernetes_does_not_change_is_said_before(kind, field, value):
    service = {"name": "cart", "kind": kind}
    there = made(service)
    one(there, kind)["spec"][field] = {"volumeClaimTemplates": [], "podManagementPolicy": "OrderedReady"}[field]
    [problem] = planned(given({**service, "definition": {kind: {"spec": {field: value}}}}), *there)["problems"]
    assert f"{field} of {kind} demo/cart cannot be changed. Remedy: remove the service first" in problem


# What left the list.


def test_what_left_the_list_is_said_and_removed_on_request():
    there = made({"name": "cart"}, {"name": "old"})
    found = planned(given({"name": "cart"}), *there)
    assert (found["objects"], found["stale"]) == ([], [])
    assert found["left"] == [
        "stays: demo/old: Deployment, DestinationRule, Service, ServiceAccount, made by this role and no longer listed"
        " (istio_services_prune=true removes it)"
    ]
    found = planned(given({"name": "cart"}, prune=True), *there)
    assert (found["objects"], found["left"], sorted(kinds(found["stale"]))) == ([], [], sorted(FOUR))
    assert found["lines"] == ["removed: demo/old: Deployment, DestinationRule, Service, ServiceAccount"]
    assert [item["name"] for item in found["watch"]["running"]] == ["cart"]
    assert {item["name"] for item in found["leaving"]["gone"]} == {"old"}


def test_a_service_without_ports_is_left_over():
    there = made({"name": "cart"})
    found = planned(given({"name": "cart", "ports": []}, prune=True), *there)
    assert sorted(kinds(found["stale"])) == ["DestinationRule", "Service"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"labels": {"meshproof.mtls/role": "istio_services"}}, id="with half of our marks"),
        pytest.param({"labels": {**OURS, "meshproof.mtls/role": "istio_mtls"}}, id="of another role"),
        pytest.param(
            {"ownerReferences": [{"kind": "CronJob", "name": "x", "controller": True}]}, id="owned by another"
        ),
    ],
)
def test_only_what_is_ours_is_removed(change):
    there = made({"name": "old"})
    for item in there:
        item["metadata"].update(copy.deepcopy(change))
    for options in (given({"name": "cart"}, prune=True), given({"name": "old"}, state="absent")):
        found = planned(options, *there)
        assert (found["stale"], found["left"]) == ([], [])


def test_kinds_that_this_role_does_not_make_are_never_removed():
    odd = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "old", "namespace": "demo", "labels": OURS}}
    assert planned(given({"name": "old"}, state="absent", prune=True), odd)["stale"] == []


def test_an_identity_that_somebody_uses_stays():
    there = made({"name": "old"})
    user = by_hand("Deployment", "other", {"app": "other"})
    user["spec"]["template"]["spec"]["serviceAccountName"] = "old"
    found = planned(given({"name": "old"}, state="absent"), *there, user)
    assert "ServiceAccount" not in kinds(found["stale"])
    assert found["left"][0] == "stays: ServiceAccount demo/old, which Deployment demo/other still uses"


def test_services_in_namespaces_that_nobody_names_are_said_where_all_is_cleaned_up():
    [account] = [item for item in made({"name": "far"}) if item["kind"] == "ServiceAccount"]
    account["metadata"]["namespace"] = "elsewhere"
    options = given({"name": "cart"}, prune=True)
    assert plan(options)["reads"][0]["kind"] == "ServiceAccount"
    assert "namespace" not in plan(options)["reads"][0]
    found = planned(options, account)
    assert found["stale"] == []
    assert found["left"] == [
        "stays: services of this role in namespaces that the list does not name: elsewhere/far"
        " (istio_services_state=absent with these entries removes them)"
    ]


def test_absent_removes_the_listed_and_says_what_is_left():
    there = made({"name": "cart"}, {"name": "old"})
    found = planned(given({"name": "cart"}, state="absent"), *there)
    assert {item["metadata"]["name"] for item in found["stale"]} == {"cart"}
    assert found["left"][0].startswith("stays: demo/old")
    assert found["watch"]["running"] == []
    assert kinds(found["leaving"]["gone"]) == kinds(found["stale"])
    everything = planned(given({"name": "cart"}, state="absent", prune=True), *there)
    assert {item["metadata"]["name"] for item in everything["stale"]} == {"cart", "old"}


def test_absent_where_nothing_is_there_waits_for_nothing():
    found = planned(given({"name": "cart"}, state="absent"))
    assert (found["stale"], found["leaving"]["gone"], found["waits"], found["problems"]) == ([], [], False, [])


def test_what_is_going_is_not_deleted_again_but_waited_for():
    there = made({"name": "cart"})
    for item in there:
        item["metadata"]["deletionTimestamp"] = "2026-11-28T00:00:00Z"
    found = planned(given({"name": "cart"}, state="absent"), *there)
    assert (found["stale"], len(found["leaving"]["gone"])) == ([], 4)
    assert "is being deleted. Remedy: wait" in planned(given({"name": "cart"}), *there)["problems"][0]


# What is not there, or was not read.


def test_a_namespace_and_a_kind_that_are_still_to_come():
    found = plan(
        given({"name": "cart"}, {"name": "far", "namespace": "shop"}),
        {"objects": [namespace()], "absent_kinds": ["DestinationRule"], "unread": []},
    )
    assert found["problems"] == []
    assert [(item["kind"], item["metadata"]["namespace"]) for item in found["objects"]] == [
        (kind, "demo") for kind in FOUR[:3]
    ]
    assert len(found["homeless"]) == 5
    assert len(found["unmet"]) == 2
    assert "no DestinationRule (networking.istio.io/v1)" in found["unmet"][0]
    assert "There is no namespace shop for the services" in found["unmet"][1]
    assert [item["namespace"] for item in found["watch"]["running"]] == ["demo"]


def test_a_namespace_that_is_being_deleted():
    found = plan(
        given({"name": "cart"}), {"objects": [namespace(phase="Terminating")], "absent_kinds": [], "unread": []}
    )
    [problem] = found["problems"]
    assert problem.startswith("Namespace demo is being deleted")


@pytest.mark.parametrize(
    ("options", "kind", "stops"),
    [
        pytest.param({}, "Deployment", True, id="a kind that is wanted"),
        pytest.param({}, "StatefulSet", False, id="one that is not"),
        pytest.param({"prune": True}, "StatefulSet", True, id="but may have to be removed"),
        pytest.param({"state": "absent"}, "Job", True, id="or be taken back"),
        pytest.param({}, "Namespace", False, id="a namespace, which shows when something is made in it"),
    ],
)
def test_what_may_not_be_read(options, kind, stops):
    where = None if kind == "Namespace" else "demo"
    gap = {"kind": kind, "namespace": where, "reason": 'User "x" cannot list\nPLAY RECAP'}
    found = plan(given({"name": "cart"}, **options), {"objects": [], "absent_kinds": [], "unread": [gap, gap]})
    said = [text for text in found["problems"] + found["warnings"] if "could not be read" in text]
    assert len(said) == (kind != "Namespace")
    assert bool(stops and found["problems"]) == stops
    assert all(text.isprintable() for text in said)
    assert kind != "Namespace" or found["unmet"] == []


def test_before_anything_is_read_only_the_list_is_looked_at():
    found = plan(given({"name": "cart"}, {"name": "far", "namespace": "shop"}))
    assert found["problems"] == []
    assert [item["name"] for item in found["reads"] if item["kind"] == "Namespace"] == ["demo", "shop"]
    assert len(found["reads"]) == 2 * 9
    assert plan(given({"name": "A"}))["problems"] != []
