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
            [webhooks("", selects("istio.io/rev", "x")), webhooks("default", selects("istio-injection", "enabled"))],
            [("istio-injection=enabled", "default")],
        ),
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


def judged_workload(place, mode="STRICT", in_mesh="sidecar"):
    namespace, name = place.split("/")
    row = {"id": f"{namespace}/Deployment/{name}", "namespace": namespace, "kind": "Deployment", "name": name}
    return {**row, "mesh": in_mesh, "mode": mode, "lacks_proxy": False, "ports": [], "pods": [f"{name}-1"]}


def judged_edge(service, endpoint, clients, verdict="mtls"):
    return {"service": service, "endpoint": endpoint, "clients": clients, "verdict": verdict}


A, B, C = (f"{place.replace('/', '/Deployment/')}" for place in ("demo/a", "shop/b", "cafe/c"))
WHOLE = {
    "workloads": [
        judged_workload("demo/a"),
        judged_workload("shop/b", "PERMISSIVE"),
        judged_workload("cafe/c", None, "none"),
    ],
    "edges": [
        judged_edge("demo/a", A, "both"),
        judged_edge("demo/outside", None, "b", "plaintext"),
        judged_edge("shop/shared", A, "c", "broken"),
        judged_edge("shop/b", B, "a"),
        judged_edge("demo-two/x", B, "all"),
    ],
    "client_sets": {"both": [B, C], "b": [B], "c": [C], "a": [A], "all": [A, B, C]},
    "namespaces": [{"name": name} for name in ("demo", "shop", "cafe")],
    "summary": {"findings": 3, "workloads": {}, "edges": {}},
    "findings": ["kept"],
}


@pytest.mark.parametrize(
    ("wanted", "services", "clients", "sets"),
    [
        (["demo"], ["demo/a", "demo/outside", "shop/shared"], [B, C], {"both", "b", "c"}),
        (["shop"], ["shop/shared", "shop/b", "demo-two/x"], [A, C], {"c", "a", "all"}),
        (["cafe"], [], [], set()),
        (["demo", "shop"], ["demo/a", "demo/outside", "shop/shared", "shop/b", "demo-two/x"], [C],
         {"both", "b", "c", "a", "all"}),
        (["nobody"], [], [], set()),
    ],
    ids=["one", "another", "one with clients alone", "two", "one that is not there"],
)  # fmt: skip
def test_what_a_narrowed_answer_holds(wanted, services, clients, sets):
    """The edges to servers or Services there, and what a judge asks about clients elsewhere."""
    found = mesh.narrow(WHOLE, wanted)
    assert [edge["service"] for edge in found["edges"]] == services
    assert sorted(item["id"] for item in found["clients"]) == sorted(clients)
    assert all(
        set(item) == {"id", "namespace", "kind", "name", "mesh", "mode", "lacks_proxy"} for item in found["clients"]
    )
    assert found["client_sets"] == {name: WHOLE["client_sets"][name] for name in sets}
    assert [item["name"] for item in found["namespaces"]] == [
        name for name in ("demo", "shop", "cafe") if name in wanted
    ]
    assert (found["findings"], found["summary"]["findings"]) == (["kept"], 3)


def test_what_a_narrowed_answer_counts():
    found = mesh.narrow(WHOLE, ["demo", "cafe"])["summary"]
    assert found["workloads"] == {"total": 2, "by_mode": {"STRICT": 1, "none": 1}, "by_mesh": {"none": 1, "sidecar": 1}}
    assert found["edges"] == {"total": 3, "by_verdict": {"broken": 1, "mtls": 1, "plaintext": 1}}


def istiod_with(*containers):
    return {"kind": "Pod", "metadata": {"labels": {"app": "istiod"}}, "spec": {"containers": list(containers)}}


@pytest.mark.parametrize(
    ("resources", "versions"),
    [
        pytest.param([istiod_with({"image": "x/proxyv2:1.2.3"}, {"image": "x/pilot:1.31.1"})], ["1.31.1"],
                     id="of istiod's own image"),
        pytest.param([istiod_with({"image": "x/pilot:nightly"}, {"image": "y/pilot:1.30.0"})], ["1.30.0"],
                     id="of the first that says one"),
        pytest.param([istiod_with({"name": "discovery"})], [], id="of no image"),
        pytest.param([istiod_with({"image": "x/pilot:1.31.1"}), mesh_map("1.30.0")], ["1.31.1"],
                     id="of pods before ConfigMaps"),
        pytest.param([{**mesh_map("1.30.0"), "data": {"other": ""}}], [], id="of the mesh ConfigMaps alone"),
        pytest.param([mesh_map("1.31.1"), mesh_map("1.30.0"), mesh_map("1.31.1")], ["1.30.0", "1.31.1"],
                     id="each once"),
    ],
)  # fmt: skip
def test_where_istios_version_stands(resources, versions):
    assert mesh.istio_versions(resources) == versions


@pytest.mark.parametrize(
    ("kubernetes", "istio", "kinds"),
    [
        ("v1.35.4", ["1.31.1"], []),
        ("v1.20.0", ["1.31.1", "1.20.1", "1.19.0"], ["Kubernetes v1.20.0", "Istio 1.20.1", "Istio 1.19.0"]),
        ("", ["1.31.1"], []),
        ("", ["1.20.1"], ["Istio 1.20.1"]),
    ],
    ids=["both are known", "each that is not", "a dump does not say it", "but of Istio"],
)
def test_which_versions_are_warned_of(kubernetes, istio, kinds):
    found = mesh.version_warnings({"kubernetes_version": kubernetes, "istio_versions": istio})
    assert len(found) == len(kinds)
    assert all(kind in warning for kind, warning in zip(kinds, found, strict=True))


def test_of_pods_only_those_of_control_planes_stay_as_they_are():
    """Thousands of others are records of the engine's, and their manifests are forgotten."""
    one, another = (
        {**istiod(), "apiVersion": "v1", "metadata": {"labels": {"app": "istiod"}, "name": name}} for name in "ab"
    )
    found = mesh.Found()
    found.add([*MANIFESTS, one])
    kinds = [item["kind"] for item in found.resources()]
    assert (kinds.count("Pod"), kinds.count("Service"), kinds.count("Namespace")) == (1, 2, 2)
    other = found.portion()
    other.add([another])
    found.merge(other)
    assert [item["kind"] for item in found.resources()].count("Pod") == 2


def test_what_is_read_tells_which_control_planes_there_are():
    found = mesh.Found()
    found.add([webhooks("canary", selects("istio.io/rev", "canary")), *MANIFESTS])
    assert (found.root_namespaces(), found.shared_maps()) == ({"istio-system"}, set())
