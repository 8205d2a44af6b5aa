# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status_info adds around the engine."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh


def istiod(image="meshproof.lab/istio/pilot:1.31.1", label=None):
    labels = {"app": "istiod", **({"app.kubernetes.io/version": label} if label else {})}
    containers = [{"name": "discovery", "image": image}]
    return {"kind": "Pod", "metadata": {"labels": labels}, "spec": {"containers": containers}}


def judged(resources, proposed=()):
    found = mesh.Found()
    found.add(resources)
    return mesh.Declared(found, [], {}).judged(proposed)


def mesh_map(label):
    return {"kind": "ConfigMap", "metadata": {"labels": {"app.kubernetes.io/version": label}}, "data": {"mesh": ""}}


@pytest.mark.parametrize(
    ("resources", "versions"),
    [
        ([], []),
        ([istiod()], ["1.31.1"]),
        ([istiod("docker.io/istio/pilot:1.30.2-distroless@sha256:00"), istiod()], ["1.30.2", "1.31.1"]),
        ([istiod("registry:5000/pilot@sha256:00", "1.29.0")], ["1.29.0"]),
        ([istiod("pilot:latest")], []),
        ([istiod(label="1.0.0"), mesh_map("1.0.0")], ["1.31.1"]),
        ([mesh_map("1.31.1")], ["1.31.1"]),
        ([mesh_map("1.0.0")], []),
        ([{"kind": "Pod", "metadata": {"labels": {"app": "web"}}, "spec": {}}], []),
    ],
)
def test_istio_versions(resources, versions):
    assert mesh.istio_versions(resources) == versions


def test_unsupported_versions_are_named():
    def warnings(kubernetes, istio):
        return mesh.version_warnings({"kubernetes_version": kubernetes, "istio_versions": [istio]})

    assert warnings("v1.35.4", "1.31.1") == []
    [kubernetes, istio] = warnings("v1.20.0", "1.20.1")
    assert "Kubernetes v1.20.0" in kubernetes
    assert "Istio 1.20.1" in istio


MANIFESTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("demo", "shop")
] + [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address},
    }
    for name, namespace, address in (("a", "demo", "10.1.0.1"), ("b", "shop", "10.1.0.2"))
] + [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "clusterIP": f"10.2.0.{number}",
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    }
    for number, (name, namespace) in enumerate((("a", "demo"), ("b", "shop")))
]  # fmt: skip


def test_narrow_keeps_servers_of_the_namespaces_and_the_edges_to_them():
    whole = judged(MANIFESTS)
    narrowed = mesh.narrow(whole, ["demo"])
    assert [item["name"] for item in narrowed["workloads"]] == ["a"]
    assert {edge["service"] for edge in narrowed["edges"]} == {"demo/a"}
    assert set(narrowed["client_sets"]) == {edge["clients"] for edge in narrowed["edges"]}
    assert [item["name"] for item in narrowed["namespaces"]] == ["demo"]
    assert [item["name"] for item in narrowed["clients"]] == ["b"]
    assert narrowed["summary"]["workloads"]["total"] == 1
    assert narrowed["summary"]["edges"]["total"] == len(narrowed["edges"])


def test_the_narrowed_summary_has_the_shape_of_the_engines():
    whole = judged(MANIFESTS)
    assert mesh.narrow(whole, ["demo", "shop"])["summary"] == whole["summary"]
    assert mesh.narrow(whole, []) == whole


def test_what_is_read_in_portions_is_judged_as_a_whole():
    parts = mesh.Found()
    for page in (MANIFESTS[:1], MANIFESTS[1:4], MANIFESTS[4:], [istiod()]):
        portion = parts.portion()
        portion.add(page)
        parts.merge(portion)
    answer = mesh.Declared(parts, [], {}).judged()
    assert answer == judged([*MANIFESTS, istiod()])
    assert answer["cluster"] == {"istio_versions": ["1.31.1"]}
    assert [item["name"] for item in answer["namespaces"]] == ["demo", "shop"]


@pytest.mark.parametrize(
    "manifest",
    [
        {"kind": "Pod", "metadata": None},
        {"kind": "Pod", "metadata": {"labels": ["app"]}},
        {"kind": "Namespace", "metadata": {"name": 1, "labels": None}},
        {"kind": "MutatingWebhookConfiguration", "metadata": {}, "webhooks": [{"namespaceSelector": ["x"]}, 1]},
        {"kind": "ConfigMap", "metadata": {"labels": 1}, "data": ["mesh"]},
        "no manifest",
    ],
)
def test_a_manifest_of_a_wrong_shape_is_no_reason_to_fail(manifest):
    judged([manifest])


def test_a_wrong_proposal_is_named():
    with pytest.raises(mesh.ProposalError):
        judged([], [{"op": "destroy", "manifest": {}}])


def webhooks(revision, *expressions):
    selectors = [{"namespaceSelector": {"matchExpressions": [expression]}} for expression in expressions]
    labels = {"istio.io/rev": revision} if revision else {}
    return {"kind": "MutatingWebhookConfiguration", "metadata": {"labels": labels}, "webhooks": selectors}


def selects(key, *values, operator="In"):
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("resources", "labels"),
    [
        ([], []),
        ([webhooks("default", selects("istio-injection", "enabled"))], [("istio-injection=enabled", "default")]),
        ([webhooks("", selects("istio-injection", "enabled"))], []),
        (
            [webhooks("1-31", selects("istio.io/rev", "1-31")), webhooks("1-31", selects("istio.io/rev", "prod"))],
            [("istio.io/rev=1-31", "1-31"), ("istio.io/rev=prod", "1-31")],
        ),
        ([webhooks("1-31", selects("istio.io/rev", operator="DoesNotExist"))], []),
        ([webhooks("1-31", selects("istio.io/rev", "1-31", operator="NotIn"))], []),
        ([webhooks("1-31", selects("team", "a"))], []),
        ([{"kind": "MutatingWebhookConfiguration", "metadata": {}, "webhooks": [{"name": "selects everything"}]}], []),
    ],
)
def test_injectors(resources, labels):
    assert [(item["label"], item["revision"]) for item in mesh.injectors(resources)] == labels


def test_namespaces_are_listed_with_what_is_written_on_them():
    ending = {"kind": "Namespace", "metadata": {"name": "old"}, "status": {"phase": "Terminating"}}
    demo = {"kind": "Namespace", "metadata": {"name": "demo", "labels": {"istio-injection": "enabled"}}}
    assert mesh.namespaces([ending, demo, istiod()]) == [
        {"name": "demo", "labels": {"istio-injection": "enabled"}, "annotations": {}, "phase": "Active"},
        {"name": "old", "labels": {}, "annotations": {}, "phase": "Terminating"},
    ]


def with_address(name, address, **spec):
    status = {"podIP": address} if address else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "uid": name},
        "spec": {"containers": [{"name": "app"}], **spec},
        "status": {"phase": "Running", **status},
    }


@pytest.mark.parametrize(
    ("pod", "listed", "found"),
    [
        pytest.param(with_address("a-1", "10.0.0.1"), ["a-1"], {"10.0.0.1": "shop/Deployment/a"}, id="its pod's own"),
        pytest.param(with_address("a-1", "10.0.0.1"), ["a-1", "a-2"], {"10.0.0.1": "shop/Deployment/a"},
                     id="another pod was not read"),
        pytest.param(with_address("a-1", "192.0.2.1", hostNetwork=True), ["a-1"], {}, id="the node's is shared"),
        pytest.param(with_address("a-1", None), ["a-1"], {}, id="none yet"),
        pytest.param(with_address("b-1", "10.0.0.1"), ["a-1"], {}, id="of a pod that is in no workload"),
    ],
)  # fmt: skip
def test_the_workload_at_an_address(pod, listed, found):
    held = mesh.Found()
    held.add([pod])
    workload = {"id": "shop/Deployment/a", "namespace": "shop", "pods": listed}
    assert mesh.Declared(held, [], {}).addresses([workload]) == found
