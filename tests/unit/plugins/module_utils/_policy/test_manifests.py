# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading manifests: what is malformed is unknown, never a traceback and never secure."""

from __future__ import annotations

import datetime
import gc

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import KINDS, Reader, evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import judge as judge_read
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    tls,
    workload,
)

MESH = [mesh_config(), pod("cafe/c"), pod("shop/a"), service("shop/a")]


def broken(manifest, path, value):
    """A manifest with one field replaced."""
    here = manifest
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return manifest


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("spec", "mtls", "mode"), "STRIKT", "spec.mtls.mode is STRIKT, which is no mode"),
        (("spec", "mtls"), "STRICT", "spec.mtls is not a mapping"),
        (("spec", "portLevelMtls"), {"http": {}}, "a port of portLevelMtls is not a number"),
        (
            ("spec", "selector"),
            {"matchLabels": {"app": 1}},
            "spec.selector.matchLabels has a key or value that is not a",
        ),
        (("spec",), [], "spec is not a mapping"),
        (("metadata", "name"), None, "metadata.name is missing"),
        (("metadata", "creationTimestamp"), 3, "metadata.creationTimestamp is not a time"),
    ],
)
def test_a_malformed_policy_makes_its_namespace_unknown(path, value, reason):
    result = judge(MESH, broken(peer("shop/n", "STRICT"), path, value))
    (entry,) = result["unknown"]
    assert (entry["kind"], entry["namespace"]) == ("PeerAuthentication", "shop")
    assert entry["reason"].startswith(reason)
    assert workload(result, "shop/a")["mode"] == "unknown"
    assert workload(result, "cafe/c")["mode"] == "PERMISSIVE"


def test_a_malformed_rule_makes_its_edges_unknown():
    result = judge(MESH, broken(rule("shop/r", "a", tls("DISABLE")), ("spec", "trafficPolicy"), ["x"]))
    assert answer(result, "cafe/c", "shop/a") == "unknown -> unknown"


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "x",
        {},
        {"kind": "Pod"},
        {"kind": "Pod", "metadata": {}, "spec": {}},
        {"kind": ["Pod"]},
        {"kind": "Service", "metadata": 3},
        {"kind": "List", "items": [None, {"kind": "Pod"}]},
    ],
)
def test_nonsense_never_raises_and_never_betters_an_answer(value):
    found, alone = judge(MESH, [value]), judge(MESH)
    assert [item["id"] for item in found["workloads"]] == [item["id"] for item in alone["workloads"]]
    for item, before in zip(found["workloads"], alone["workloads"], strict=True):
        assert item["mode"] in (before["mode"], "unknown")
    assert found["unknown"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "labels"), ["x"]),
        (("metadata", "labels"), {"app": 1}),
        (("spec", "containers"), 3),
        (("spec", "containers"), [{"name": "a", "ports": [{}]}]),
        (("spec",), None),
        (("metadata", "annotations"), "x"),
        (("metadata", "annotations"), []),
        (("metadata", "labels"), False),
        (("spec", "containers"), {}),
        (("spec", "initContainers"), ""),
        (("spec", "serviceAccountName"), []),
        (("spec", "hostNetwork"), "false"),
        (("status",), []),
    ],
)
def test_a_malformed_pod_may_be_an_endpoint(path, value):
    result = judge(MESH, broken(pod("shop/z"), path, value))
    assert [row["verdict"] for row in result["edges"]] == ["unknown", "mtls"]
    assert result["unknown"][0]["name"] == "z-5f5-1"


def test_a_list_counts_as_its_items():
    assert judge({"kind": "List", "items": MESH}) == judge(MESH)


def test_an_object_given_twice_counts_once():
    assert judge(MESH, MESH) == judge(MESH)


def test_of_two_versions_of_an_object_the_newer_counts():
    old, new = peer("shop/n", "STRICT"), peer("shop/n", "DISABLE")
    old["metadata"]["resourceVersion"], new["metadata"]["resourceVersion"] = "9", "10"
    assert (
        workload(judge(MESH, old, new), "shop/a")["mode"]
        == workload(judge(MESH, new, old), "shop/a")["mode"]
        == "DISABLE"
    )


@pytest.mark.parametrize(
    "versions", [(None, None), ("7", "7"), ("7", None), ("7", "²"), ("7", "9" * 5000)],
    ids=["none", "the same", "one alone", "one that is no number", "one of thousands of digits"],
)  # fmt: skip
def test_which_of_two_versions_counts_must_be_said(versions):
    found = [peer("shop/n", mode) for mode in ("STRICT", "DISABLE")]
    for item, version in zip(found, versions, strict=True):
        item["metadata"]["resourceVersion"] = version
    assert workload(judge(MESH, found), "shop/a")["mode"] == "unknown"
    assert workload(judge(MESH, found[::-1]), "shop/a")["mode"] == "unknown"


def test_times_as_yaml_reads_them():
    first, second = peer("shop/a", "DISABLE", age=2), peer("shop/b", "STRICT", age=None)
    second["metadata"]["creationTimestamp"] = datetime.datetime(2026, 1, 1, 0, 0, 1, tzinfo=datetime.UTC)
    assert workload(judge(MESH, first, second), "shop/a")["mode"] == "STRICT"


def test_other_groups_are_other_kinds():
    """A PeerAuthentication of another API group is none of Istio's."""
    other = broken(peer("shop/n", "STRICT"), ("apiVersion",), "example.com/v1")
    assert workload(judge(MESH, other), "shop/a")["mode"] == "PERMISSIVE"


def test_kinds_are_complete():
    """What a reader fetches: each kind once, namespaced but for five."""
    names = [(kind.group, kind.kind) for kind in KINDS]
    assert len(names) == len(set(names))
    assert {kind.kind for kind in KINDS if not kind.namespaced} == {
        "Namespace",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "APIService",
        "IngressClass",
    }


def read_in_portions(*pages):
    reader = Reader()
    for page in pages:
        portion = reader.portion()
        portion.add(page)
        reader.merge(portion)
    return reader


def test_pages_are_judged_as_one_list():
    pages = [[item] for item in (*MESH, peer("shop/n", "STRICT"))]
    whole = evaluate([item for page in pages for item in page])
    assert judge_read(read_in_portions(*pages)) == judge_read(read_in_portions(*reversed(pages))) == whole


def test_a_pod_of_two_pages_counts_once_in_any_order():
    one, other = pod("shop/a"), pod("shop/a", "none")
    assert judge_read(read_in_portions([one], [other])) == judge_read(read_in_portions([other], [one]))
    assert len(judge_read(read_in_portions([one], [other]))["workloads"]) == 1


def test_what_a_reader_read_can_be_judged_again():
    reader = read_in_portions(MESH)
    strict = [{"op": "apply", "manifest": peer("shop/n", "STRICT")}]
    before = judge_read(reader)
    assert judge_read(reader, strict)["changes"] != []
    assert judge_read(reader) == before


def test_equal_pods_share_what_is_equal():
    """However many there are: one shape and one mapping of labels, and one workload."""
    reader = read_in_portions(*([pod("shop/a", number=number)] for number in range(50)))
    pods = reader.snapshot().pods
    assert len(pods) == 50
    assert len({id(item.shape) for item in pods}) == len({id(item.labels) for item in pods}) == 1
    assert len(judge_read(reader)["workloads"]) == 1


WEBHOOK = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}


@pytest.mark.parametrize(
    ("manifests", "revisions"),
    [
        ([pod("shop/a", revision="blue")], {"blue"}),
        ([pod("shop/a", "none")], set()),
        ([pod("istio-system/istiod", "none", {"app": "istiod", "istio.io/rev": "red"})], {"red"}),
        ([{**WEBHOOK, "metadata": {"name": "w", "labels": {"istio.io/rev": "green"}}}], {"green"}),
        ([{**WEBHOOK, "metadata": ["labels"]}, "no manifest"], set()),
    ],
)
def test_the_control_planes_that_objects_speak_of(manifests, revisions):
    assert read_in_portions(manifests).revisions() == revisions


class Raising(dict):
    """What no parser of ours makes: a mapping that cannot be looked at."""

    def get(self, *_key):
        raise RuntimeError("no")


def test_an_item_that_cannot_be_looked_at_could_be_anything():
    found = evaluate([Raising(), *MESH, peer("istio-system/p", "STRICT")])
    assert {row["plaintext"] for item in found["workloads"] for row in item["ports"]} == {"unknown"}


def test_the_collector_rests_while_manifests_are_read_and_judged():
    seen = []

    def manifests():
        seen.append(gc.isenabled())
        yield from MESH

    enabled = gc.isenabled()
    try:
        for before in (True, False):
            (gc.enable if before else gc.disable)()
            evaluate(manifests())
            assert gc.isenabled() is before
    finally:
        (gc.enable if enabled else gc.disable)()
    assert seen == [False, False]
