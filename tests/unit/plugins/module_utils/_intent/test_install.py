# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed, and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import control_planes
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.install import options, plan
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.istios import (
    BY_HELM,
    OURS,
    definition,
    injector,
    installed,
    istiod,
    record,
    release,
    thing,
    validator,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import namespace

Manifest = dict[str, Any]
GIVEN: dict[str, Any] = {
    "state": "present",
    "method": "helm",
    "version": "1.31.1",
    "revision": "",
    "namespace": "istio-system",
    "components": ["base", "istiod"],
    "values": {},
    "hub": "",
    "tag": "",
    "image_pull_secrets": [],
    "tags": [],
    "purge": False,
    "purge_confirm": "",
    "remove_used": False,
}
SYSTEM = namespace("istio-system")


def planned(*cluster: Manifest, unread: Any = (), kubernetes: str = "v1.35.4", **given: Any) -> dict[str, Any]:
    """The plan of an installation in a cluster with these objects."""
    observed = {"cluster": {"kubernetes_version": kubernetes}, **control_planes(cluster, unread)}
    return plan(observed, {**GIVEN, **given}, {})


# Options.


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"version": "newest"}, "newest"),
        ({"version": "1.31"}, "full version"),
        ({"version": "1.10.0"}, "not supported"),
        ({"version": "1.31.1\nmore"}, "full version"),
        ({"revision": "default"}, "leave it empty"),
        ({"revision": "Canary"}, "lower-case"),
        ({"components": ["base"]}, "istiod"),
        ({"components": ["istiod", "gateway"]}, "gateway"),
        ({"method": "operator"}, "istio_install_method"),
        ({"values": {"revisionTags": ["prod"]}}, "istio_install_tags"),
        ({"values": {"meshConfig": {"enableAutoMtls": "yes"}}}, "istiod would refuse"),
        ({"values": "nonsense"}, "istio_install_values"),
        ({"purge": "perhaps"}, "istio_install_purge"),
    ],
    ids=[
        "no version", "a minor version", "an old version", "a version with a second line", "the default by its name",
        "upper case", "no istiod", "an unknown component", "an unknown method", "tags as values",
        "a mesh configuration that istiod refuses",
        "values that are text", "neither true nor false",
    ],
)  # fmt: skip
def test_what_cannot_be_meant(given: Manifest, word: str) -> None:
    [problem, *rest] = options({**GIVEN, **given})[1]
    assert (word in problem, rest, "\n" in problem) == (True, [], False), problem


@pytest.mark.parametrize("written", ["base,istiod,cni", '["base", "istiod", "cni"]', ["base", "istiod", "cni"]])
def test_a_list_in_each_way_that_users_write_it(written: Any) -> None:
    found, problems = options({**GIVEN, "components": written})
    assert (found.components, problems) == (("base", "istiod", "cni"), [])


def test_options_alone_are_no_fault() -> None:
    assert plan({}, GIVEN, {})["problems"] == []


def test_an_old_version_can_be_removed() -> None:
    assert options({**GIVEN, "version": "1.10.0", "state": "absent"})[1] == []


# What speaks against it.


@pytest.mark.parametrize(
    ("cluster", "word"),
    [
        ([SYSTEM, istiod(labels={}, annotations=BY_HELM), injector(labels={})], "installed by Helm"),
        ([*installed(), istiod("x", labels={}), injector("x", labels={})], "revision x in istio-system"),
        ([injector(url="https://outside.test/inject", labels={})], "outside the cluster"),
        ([thing("Istio", "main", version="sailoperator.io/v1")], "Istio main of sailoperator.io"),
        ([definition(a="b")], "CustomResourceDefinition"),
        ([SYSTEM, release("istiod")], "Helm release istiod in istio-system"),
    ],
    ids=["Helm's", "another revision", "outside", "the Sail operator's", "somebody's CRDs", "a release alone"],
)
def test_an_istio_of_somebody_else(cluster: list[Manifest], word: str) -> None:
    [problem] = planned(*cluster)["problems"]
    assert ("did not install" in problem, word in problem) == (True, True), problem


def test_crds_of_somebody_else_can_be_used() -> None:
    assert planned(definition(a="b"), components=["istiod"])["problems"] == []


def test_what_a_user_of_one_namespace_makes_stops_nothing() -> None:
    forged = [istiod(home="shop"), record(home="shop", version="1.29.0"), release("istiod", home="shop")]
    plans = [planned(*installed(), namespace("shop"), *more) for more in ([], forged)]
    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("there", "given", "word"),
    [
        ({"method": "istioctl"}, {}, "method istioctl"),
        ({"version": "1.29.3"}, {}, "one minor version at a time"),
        ({"version": "1.31.1"}, {"version": "1.30.2"}, "not downgraded"),
        ({"version": "1.31.1"}, {"version": "1.31.0"}, None),
        ({"version": "1.30.9"}, {}, None),
    ],
    ids=["another method", "two minor versions", "an older minor version", "an older patch", "one minor version"],
)
def test_another_version_or_method(there: Manifest, given: Manifest, word: str | None) -> None:
    problems = planned(*installed(**there), **given)["problems"]
    assert [word in problem for problem in problems if word] == ([True] if word else []), problems


@pytest.mark.parametrize(
    ("components", "refused"), [(["base", "istiod"], True), (["istiod"], False)], ids=["with base", "without"]
)
def test_a_shared_chart_is_never_taken_back(components: list[str], refused: bool) -> None:
    """The older revision would bring the newer one's definitions back to its own."""
    problems = planned(*installed("canary"), revision="stable", version="1.30.2", components=components)["problems"]
    assert (["base" in problem and "which all" in problem for problem in problems]) == ([True] if refused else [])


def test_a_revision_that_is_installed_elsewhere() -> None:
    elsewhere = [
        istiod(home="mesh", labels=OURS),
        injector(home="mesh", labels=OURS),
        record(home="mesh"),
    ]
    assert "installed in namespace mesh" in planned(SYSTEM, *elsewhere)["problems"][0]


def test_an_unsupported_kubernetes() -> None:
    assert "Kubernetes v1.20.0" in planned(kubernetes="v1.20.0")["problems"][0]


@pytest.mark.parametrize("kind", ["Deployment", "MutatingWebhookConfiguration", "CustomResourceDefinition"])
def test_what_could_not_be_read_stops_it(kind: str) -> None:
    gap = {"kind": kind, "namespace": None, "reason": "forbidden"}
    assert f"{kind} (forbidden)" in planned(SYSTEM, unread=[gap])["problems"][0]


def test_a_record_that_is_none_stops_it() -> None:
    broken = record()
    broken["data"]["objects"] = "{"
    assert "meshproof-istio-install" in planned(SYSTEM, broken)["problems"][0]


# What is wanted.


def test_values_of_options_come_below_the_users() -> None:
    given = {"hub": "registry.test/istio", "values": {"global": {"tag": "mine"}, "pilot": {"cni": {"enabled": False}}}}
    made = planned(components=["istiod", "cni"], image_pull_secrets="a,b", **given)["all_values"]
    own = {"istioNamespace": "istio-system", "hub": "registry.test/istio", "imagePullSecrets": ["a", "b"]}
    assert made == {"global": {**own, "tag": "mine"}, "pilot": {"cni": {"enabled": False}}}


def test_ztunnels_values_are_at_the_top_of_its_own_file() -> None:
    made = planned(components=["istiod", "ztunnel"], values={"ztunnel": {"resources": {"a": 1}}})["values"]
    assert made["values-ztunnel"]["resources"] == {"a": 1}
    assert made["values"]["profile"] == "ambient"


@pytest.mark.parametrize(
    ("cluster", "revision", "default"),
    [
        ([], "canary", "canary"),
        ([*installed(), validator()], "canary", "default"),
        ([*installed("canary"), validator("gone")], "canary", "canary"),
    ],
    ids=["nobody is there", "it asks one that is there", "it asks one that is gone"],
)
def test_whom_the_shared_validator_asks(cluster: list[Manifest], revision: str, default: str) -> None:
    assert planned(*cluster, revision=revision)["values"]["values"]["defaultRevision"] == default


def test_the_istio_operator_has_no_gateways() -> None:
    made = planned(method="istioctl", revision="canary", values={"profile": "minimal"})["operator"]
    assert made["metadata"]["name"] == "meshproof-istio-install-canary"
    assert (made["spec"]["profile"], made["spec"]["revision"]) == ("minimal", "canary")
    assert made["spec"]["components"]["ingressGateways"] == [{"name": "istio-ingressgateway", "enabled": False}]
    assert "profile" not in made["spec"]["values"]


def test_charts_come_in_the_order_of_installation() -> None:
    made = planned(components=["ztunnel", "istiod", "base"], revision="canary")["charts"]
    assert [item["release"] for item in made] == ["istio-base", "istiod-canary", "ztunnel"]


def test_what_is_no_longer_wanted_is_taken_back_unless_another_revision_has_it() -> None:
    there = installed(components="base istiod cni ztunnel")
    assert planned(*there)["unwanted"] == ["ztunnel", "istio-cni"]
    assert planned(*there, *installed("canary", components="istiod cni"))["unwanted"] == ["ztunnel"]


def test_operations_of_a_killed_helm_are_forgotten() -> None:
    plan_ = planned(*installed(), release("istiod", "pending-upgrade", 2), release("grafana", "pending-install"))
    assert [item["metadata"]["name"] for item in plan_["interrupted"]] == ["sh.helm.release.v1.istiod.v2"]


@pytest.mark.parametrize(
    ("values", "replicas"), [({}, 1), ({"pilot": {"replicaCount": 2}}, 2), ({"pilot": {"autoscaleMin": 3}}, 3)]
)
def test_an_istiod_that_is_scaled_to_0_is_named_and_started_again(values: Manifest, replicas: int) -> None:
    made = planned(SYSTEM, istiod(wanted=0), injector(), record(), values=values)
    assert made["scale"]["spec"] == {"replicas": replicas}
    assert "scaled to 0" in made["warnings"][0]
    assert made["serves"] is False


def test_nothing_need_be_waited_for_where_all_is_ready() -> None:
    assert planned(*installed())["serves"] is True
    assert planned(SYSTEM, istiod(wanted=2, ready=1), injector(), record())["serves"] is False
    agent = {**thing("DaemonSet", "ztunnel", "istio-system", "apps/v1"), "status": {"desiredNumberScheduled": 2}}
    assert planned(*installed(), agent, components=["istiod", "ztunnel"])["serves"] is False


def test_a_namespace_that_ends_is_waited_for_and_counts_for_nothing() -> None:
    ending = {**SYSTEM, "metadata": {**SYSTEM["metadata"], "deletionTimestamp": "2026-03-01T00:00:00Z"}}
    made = planned(ending, *installed(method="istioctl")[1:])
    assert (made["problems"], made["await_namespace"], made["make_namespace"], made["recorded"]) == ([], True, True, {})


# Tags.

BOTH = [*installed(), *installed("canary")]


@pytest.mark.parametrize(
    ("tags", "todo", "line"),
    [
        ("prod", ["prod"], "tag prod is made and leads to revision canary"),
        (["old"], ["old"], "tag old moves from revision default to canary"),
        (["here"], [], None),
    ],
    ids=["new", "it led elsewhere", "it leads here"],
)
def test_which_tags_are_made_or_moved(tags: Any, todo: list[str], line: str | None) -> None:
    hooks = [injector("default", tag="old"), injector("canary", tag="here")]
    made = planned(*BOTH, *hooks, revision="canary", tags=tags)
    assert (made["tags"], made["tag_lines"], made["problems"]) == (todo, [line] if line else [], [])


@pytest.mark.parametrize(
    ("tags", "word"),
    [(["Prod"], "lower-case"), (["default"], "own name"), (["theirs"], "not made by this role")],
    ids=["no name", "a revision's name", "somebody else's"],
)
def test_tags_that_are_refused(tags: list[str], word: str) -> None:
    [problem] = planned(*BOTH, injector("default", tag="theirs", labels={}), revision="canary", tags=tags)["problems"]
    assert word in problem


def test_the_tag_default_can_be_given_where_no_revision_has_this_name() -> None:
    assert planned(*installed("canary"), revision="canary", tags=["default"])["tags"] == ["default"]


def test_a_tag_that_left_the_list_is_named() -> None:
    [sentence] = planned(*BOTH, injector("canary", tag="prod"), revision="canary")["left"]
    assert "tag prod" in sentence
