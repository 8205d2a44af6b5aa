# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read, what counts as unread, and what is left out of memory."""

from __future__ import annotations

import copy
import gc
import json
import time

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader, evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._source import reading, selections
from ansible_collections.meshproof.mtls.plugins.module_utils._source.slim import slim
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._source.test_pod_fields import lacking
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import group, listed, served
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.faults import drip
from hypothesis import given, settings
from hypothesis import strategies as st

NAMESPACES = reading.Selection(api.Kind("", "v1", "namespaces", "Namespace", namespaced=False))
PODS = reading.Selection(api.Kind("", "v1", "pods", "Pod"))
PEERS = reading.Selection(api.Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication"))
ISTIO_MAP = reading.Selection(api.Kind("", "v1", "configmaps", "ConfigMap"), fields="metadata.name=istio")
PEERS_PATH = "/apis/security.istio.io/v1/peerauthentications"


def refusal(code, message="no"):
    return code, {"kind": "Status", "message": message}


def page(*names, namespace="demo", kind=PODS.kind, token=""):
    items = ({"metadata": {"name": name, "namespace": namespace}} for name in names)
    return listed(kind.kind, *items, version=kind.api_version, token=token)


def names(resources):
    return sorted((item["kind"], item["metadata"]["name"]) for item in resources)


def test_everything(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", page("default", kind=PEERS.kind))
    resources, unread = reading.read(cluster, [PODS, PEERS])
    assert names(resources) == [("PeerAuthentication", "default"), ("Pod", "a")]
    assert unread == []


def test_a_forbidden_kind_is_unread(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", refusal(403, "peerauthentications is forbidden"))
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1"))
    server.answer("GET /apis/security.istio.io/v1", served("security.istio.io/v1", "peerauthentications"))
    resources, unread = reading.read(cluster, [PODS, PEERS])
    assert names(resources) == [("Pod", "a")]
    assert unread == [{"kind": "PeerAuthentication", "namespace": None, "reason": "peerauthentications is forbidden"}]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [((404, {"kind": "Status", "message": "no"}), []), ((403, {"kind": "Status", "message": "no"}), [PEERS.kind.kind])],
    ids=["the cluster has no such API", "nobody may say"],
)
def test_what_is_forbidden_and_not_served_is_no_gap(server, cluster, answer, expected):
    """An API server refuses what it does not serve, too: it asks for rights first."""
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", refusal(403, "peerauthentications is forbidden"))
    server.answer("GET /apis/security.istio.io", answer)
    assert [gap["kind"] for gap in reading.read(cluster, [PODS, PEERS])[1]] == expected


def test_a_kind_that_two_groups_have_is_a_gap_where_one_of_them_is_served(server, cluster):
    ours = PEERS.kind._replace(group="gateway.networking.k8s.io", plural="gateways", kind="Gateway")
    theirs = ours._replace(group="networking.istio.io")
    for kind in (ours, theirs):
        server.answer(f"GET /apis/{kind.api_version}/gateways", refusal(403, f"gateways of {kind.group} is forbidden"))
    server.answer("GET /api/v1/pods", page("a"))
    server.answer("GET /apis/networking.istio.io", group("networking.istio.io", "v1"))
    server.answer("GET /apis/networking.istio.io/v1", served("networking.istio.io/v1", "gateways"))
    for chosen in ([PODS, reading.Selection(ours), reading.Selection(theirs)],
                   [PODS, reading.Selection(theirs), reading.Selection(ours)]):  # fmt: skip
        gaps = reading.read(cluster, chosen)[1]
        assert [gap["reason"] for gap in gaps] == ["gateways of networking.istio.io is forbidden"]


def test_a_forbidden_namespace_is_unread(server, cluster):
    server.answer("GET /api/v1/namespaces/demo/pods", page("a"))
    server.answer("GET /api/v1/namespaces/shop/pods", refusal(403, "pods is forbidden"))
    resources, unread = reading.read(cluster, [PODS], ["demo", "shop"])
    assert names(resources) == [("Pod", "a")]
    assert unread == [{"kind": "Pod", "namespace": "shop", "reason": "pods is forbidden"}]


def test_an_api_that_is_not_served_has_no_objects(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    resources, unread = reading.read(cluster, [PODS, PEERS])
    assert (names(resources), unread) == ([("Pod", "a")], [])


def test_another_version_of_an_api_is_found(server, cluster):
    older = PEERS.kind._replace(version="v1beta1")
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1beta1"))
    server.answer("GET /apis/security.istio.io/v1beta1", served(older.api_version, "peerauthentications"))
    server.answer("GET /apis/security.istio.io/v1beta1/peerauthentications", page("default", kind=older))
    resources, unread = reading.read(cluster, [PEERS])
    assert (names(resources), unread) == ([("PeerAuthentication", "default")], [])


def test_an_api_whose_discovery_fails_is_unread(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    server.answer("GET /apis/security.istio.io", refusal(403, "no discovery"))
    _resources, unread = reading.read(cluster, [PODS, PEERS])
    assert [item["kind"] for item in unread] == ["PeerAuthentication"]


GROUP = group("security.istio.io", "v1")
OTHERS = served("security.istio.io/v1", "authorizationpolicies")


@pytest.mark.parametrize(
    ("group_answer", "version_answer"),
    [
        pytest.param({}, OTHERS, id="an empty object for the group"),
        pytest.param({"kind": "Status", "status": "Failure"}, OTHERS, id="a Status for the group"),
        pytest.param({**GROUP, "name": "networking.istio.io"}, OTHERS, id="another group"),
        pytest.param({**GROUP, "versions": []}, OTHERS, id="no versions"),
        pytest.param({**GROUP, "versions": None}, OTHERS, id="versions that are null"),
        pytest.param({**GROUP, "versions": ["v1"]}, OTHERS, id="versions that are texts"),
        pytest.param({**GROUP, "versions": [{"version": "../.."}]}, OTHERS, id="a version that is a path"),
        pytest.param((404, "<html>"), OTHERS, id="another server's 404"),
        pytest.param((204, ""), OTHERS, id="no content"),
        pytest.param(GROUP, {}, id="an empty object for the version"),
        pytest.param(GROUP, {**OTHERS, "kind": "APIGroup"}, id="another document"),
        pytest.param(GROUP, {**OTHERS, "groupVersion": "security.istio.io/v1beta1"}, id="another version's"),
        pytest.param(GROUP, {**OTHERS, "resources": None}, id="resources that are null"),
        pytest.param(GROUP, {**OTHERS, "resources": ["x"]}, id="resources that are texts"),
        pytest.param(GROUP, refusal(404), id="a version that is gone"),
    ],
)
def test_what_is_no_discovery_says_nothing(server, cluster, group_answer, version_answer):
    server.answer("GET /apis/security.istio.io", group_answer)
    server.answer("GET /apis/security.istio.io/v1", version_answer)
    _resources, unread = reading.read(cluster, [PODS, PEERS])
    assert [(gap["kind"], gap["namespace"]) for gap in unread] == [("PeerAuthentication", None)]


def test_a_group_that_lists_no_such_kind_has_no_objects_of_it(server, cluster):
    server.answer("GET /apis/security.istio.io", GROUP)
    server.answer("GET /apis/security.istio.io/v1", OTHERS)
    assert reading.read(cluster, [PODS, PEERS]) == ([], [])


def test_a_server_without_pods_is_none(server, cluster):
    """No API server lacks a core kind, so that is nobody's answer to trust."""
    server.answer("GET /api/v1/pods", refusal(404, "not found"))
    server.answer(f"GET {PEERS_PATH}", page("default", kind=PEERS.kind))
    _resources, unread = reading.read(cluster, [PODS, PEERS])
    assert [gap["kind"] for gap in unread] == ["Pod"]


def test_an_answer_that_is_no_list_is_unread(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", {"kind": "Status", "apiVersion": "v1", "message": "etcd timeout"})
    resources, [gap] = reading.read(cluster, [PODS, PEERS])
    assert names(resources) == [("Pod", "a")]
    assert (gap["kind"], gap["namespace"]) == ("PeerAuthentication", None)
    assert "but Status of v1: etcd timeout" in gap["reason"]


def deep(name, namespace):
    """A page with one object that no reader of a usual depth can take, and a good one."""
    good = {"metadata": {"name": "good", "namespace": "demo"}}
    bad = {"metadata": {"name": name, "namespace": namespace}, "spec": "PLACE"}
    text = json.dumps(listed("PeerAuthentication", good, bad, version=PEERS.kind.api_version))
    return text.replace('"PLACE"', "[" * 50_000 + "]" * 50_000)


@pytest.mark.parametrize(
    ("asked", "name", "namespace", "place"),
    [
        ((), "bad", "shop", "shop"),
        ((), "bad", "", None),
        ((), "bad", ["shop"], None),
        (("demo",), "bad", "demo", "demo"),
        (("demo",), "bad", "shop", "demo"),
    ],
)
def test_an_object_that_cannot_be_decoded_is_unread_where_it_belongs(server, cluster, asked, name, namespace, place):
    for path in ("", "/namespaces/demo"):
        server.answer(f"GET {PEERS_PATH.replace('/peer', path + '/peer')}", deep(name, namespace))
    resources, unread = reading.read(cluster, [PEERS], asked)
    assert names(resources) == [("PeerAuthentication", "good")]
    assert unread == [{"kind": "PeerAuthentication", "namespace": place, "reason": "bad is nested too deeply"}]


def test_a_namespace_that_cannot_be_decoded_is_unread_itself(server, cluster):
    text = json.dumps(listed("Namespace", {"metadata": {"name": "shop", "annotations": "PLACE"}}))
    server.answer("GET /api/v1/namespaces", text.replace('"PLACE"', "[" * 50_000 + "]" * 50_000))
    [gap] = reading.read(cluster, [NAMESPACES])[1]
    assert (gap["kind"], gap["namespace"]) == ("Namespace", "shop")


@pytest.mark.parametrize(
    "answer", [{}, {"kind": "Status", "apiVersion": "v1"}, {"kind": "Namespace", "apiVersion": "v1", "metadata": {}}]
)
def test_a_namespace_by_its_name_is_that_namespace(server, cluster, answer):
    server.answer("GET /api/v1/namespaces/demo", answer)
    resources, unread = reading.read(cluster, [NAMESPACES, PODS], ["demo"])
    assert resources == []
    assert [(gap["kind"], gap["namespace"]) for gap in unread] == [("Namespace", "demo")]


def test_what_is_not_there_in_time_is_unread(server, cluster):
    """One time for all: a slow kind ends at the same moment as all others."""
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", drip())
    found = reading.Manifests()
    started = time.monotonic()
    unread = reading.read_into(cluster, found, [PODS, PEERS], end=started + 0.4)
    assert time.monotonic() - started < 2
    assert names(found.resources()) == [("Pod", "a")]
    reason = "it was not read in time"
    assert unread == [{"kind": "PeerAuthentication", "namespace": None, "reason": reason}]


def test_nothing_at_all_is_an_error(server, cluster):
    server.answer("GET /api/v1/pods", refusal(403, "pods is forbidden"))
    with pytest.raises(api.ClusterError, match="pods is forbidden"):
        reading.read(cluster, [PODS])


def test_wrong_credentials_are_an_error_not_a_gap(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    server.answer(f"GET {PEERS_PATH}", refusal(401))
    with pytest.raises(api.ClusterError, match="does not accept these credentials"):
        reading.read(cluster, [PODS, PEERS])


def test_an_expired_list_starts_again(server, cluster):
    server.answer("GET /api/v1/pods", page("old", token="next"), refusal(410, "expired"), page("a"))
    resources, unread = reading.read(cluster, [PODS])
    assert (names(resources), unread) == ([("Pod", "a")], [])


def test_narrow_rights_leave_gaps_everywhere_else():
    gaps = {gap["kind"]: gap for gap in selections.gaps_of_narrow_rights(["shop", "demo"])}
    assert {"Pod", "Namespace"} <= set(gaps)
    assert "MutatingWebhookConfiguration" not in gaps
    assert (gaps["Pod"]["namespace"], gaps["Pod"]["except"]) == (None, ["demo", "shop"])


def test_with_rights_in_namespaces_the_root_namespaces_are_read_too(server, cluster):
    mesh = {"metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": "rootNamespace: policies"}}
    server.answer("GET /api/v1/namespaces/istio-system/configmaps", listed("ConfigMap", mesh))
    for namespace in ("demo", "istio-system", "policies"):
        server.answer(f"GET /api/v1/namespaces/{namespace}/pods", page("a", namespace=namespace))
    sink, unread = selections.read_declared(cluster, selections.MeshManifests, ["demo"])
    pods = {item["metadata"]["namespace"] for item in sink.resources() if item["kind"] == "Pod"}
    assert pods == {"demo", "istio-system", "policies"}
    assert {tuple(gap["except"]) for gap in unread if "except" in gap} == {("demo", "istio-system", "policies")}


def test_with_rights_in_namespaces_the_control_planes_own_is_read_too(server, cluster):
    """Its ConfigMaps and Deployment say what the mesh configuration is, wherever its webhook says that it is."""
    version = "admissionregistration.k8s.io/v1"
    config = {"clientConfig": {"service": {"name": "istiod", "namespace": "control"}}}
    hook = {"metadata": {"name": "w", "labels": {"istio.io/rev": "canary"}}, "webhooks": [config]}
    server.answer(
        f"GET /apis/{version}/mutatingwebhookconfigurations",
        listed("MutatingWebhookConfiguration", hook, version=version),
    )
    for namespace in ("demo", "istio-system", "control"):
        server.answer(f"GET /api/v1/namespaces/{namespace}/pods", page("a", namespace=namespace))
    _sink, unread = selections.read_declared(cluster, selections.MeshManifests, ["demo"])
    assert {tuple(gap["except"]) for gap in unread if "except" in gap} == {("control", "demo", "istio-system")}


def test_with_rights_in_namespaces_each_is_read_by_name(server, cluster):
    server.answer(
        "GET /api/v1/namespaces/demo", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "demo"}}
    )
    resources, unread = reading.read(cluster, [NAMESPACES], ["demo", "gone"])
    assert (names(resources), unread) == ([("Namespace", "demo")], [])


def test_the_same_object_of_two_selections_counts_once(server, cluster):
    server.answer("GET /api/v1/configmaps", page("istio", namespace="istio-system", kind=ISTIO_MAP.kind))
    resources, _unread = reading.read(cluster, [ISTIO_MAP, ISTIO_MAP])
    assert names(resources) == [("ConfigMap", "istio")]


def test_garbage_is_collected_again_afterwards(server, cluster):
    server.answer("GET /api/v1/pods", page("a"))
    reading.read(cluster, [PODS])
    assert gc.isenabled()


def test_the_mesh_is_read_with_a_readers_rights(server, cluster):
    """Config maps only by their names, and those of the revisions that are in use."""
    webhook = {"metadata": {"name": "w", "labels": {"istio.io/rev": "canary"}}}
    notes = {"istio.io/rev": "blue", "sidecar.istio.io/status": "{}"}
    containers = {"containers": [{"name": "istio-proxy"}]}
    pod = {"metadata": {"name": "a", "namespace": "demo", "annotations": notes}, "spec": containers}
    server.answer(
        "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        listed("MutatingWebhookConfiguration", webhook, version="admissionregistration.k8s.io/v1"),
    )
    server.answer("GET /api/v1/pods", listed("Pod", pod))
    server.answer("GET /api/v1/configmaps", listed("ConfigMap"))
    _resources, unread = selections.read_mesh(cluster)
    asked = [query["fieldSelector"] for path, query in server.asked() if path == "/api/v1/configmaps"]
    assert sorted(asked) == ["metadata.name=istio", "metadata.name=istio-blue", "metadata.name=istio-canary"]
    assert not [path for path, _query in server.asked() if "secrets" in path]
    assert "ConfigMap" not in {item["kind"] for item in unread}


def test_what_istiod_shares_is_read_by_its_name(server, cluster):
    """Where a webhook says that istiod is: a tenant's Deployment of that name has nothing read."""
    config = {"clientConfig": {"service": {"name": "istiod", "namespace": "control"}}}
    hook = {"metadata": {"name": "w", "labels": {"istio.io/rev": "default"}}, "webhooks": [config]}
    version = "admissionregistration.k8s.io/v1"
    server.answer(
        f"GET /apis/{version}/mutatingwebhookconfigurations",
        listed("MutatingWebhookConfiguration", hook, version=version),
    )

    def istiod(home, shared):
        env = [{"name": "SHARED_MESH_CONFIG", "value": shared}]
        template = {"spec": {"containers": [{"name": "discovery", "env": env}]}}
        return {"metadata": {"name": "istiod", "namespace": home}, "spec": {"template": template}}

    deployments = listed("Deployment", istiod("control", "common"), istiod("tenant", "secrets"), version="apps/v1")
    server.answer("GET /apis/apps/v1/deployments", deployments)
    server.answer("GET /api/v1/configmaps", listed("ConfigMap"))
    selections.read_mesh(cluster)
    asked = [query["fieldSelector"] for path, query in server.asked() if path == "/api/v1/configmaps"]
    assert asked == ["metadata.name=istio", "metadata.name=common"]


def test_a_map_that_cannot_be_decoded_hides_no_revisions_map(server, cluster):
    webhook = {"metadata": {"name": "w", "labels": {"istio.io/rev": "canary"}}}
    version = "admissionregistration.k8s.io/v1"
    server.answer(
        f"GET /apis/{version}/mutatingwebhookconfigurations",
        listed("MutatingWebhookConfiguration", webhook, version=version),
    )
    bad = {"metadata": {"name": "istio", "namespace": "tenant", "annotations": "PLACE"}}
    text = json.dumps(listed("ConfigMap", bad)).replace('"PLACE"', "[" * 50_000 + "]" * 50_000)
    server.answer("GET /api/v1/configmaps", text, listed("ConfigMap"))
    _resources, unread = selections.read_mesh(cluster)
    asked = [query["fieldSelector"] for path, query in server.asked() if path == "/api/v1/configmaps"]
    assert asked == ["metadata.name=istio", "metadata.name=istio-canary"]
    assert ("ConfigMap", "tenant") in {(gap["kind"], gap["namespace"]) for gap in unread}


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "a",
        "namespace": "demo",
        "managedFields": [1],
        "labels": {"app": "a", "security.istio.io/tlsMode": "istio"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "sidecar.istio.io/status": '{"revision":"canary"}',
            "traffic.sidecar.istio.io/excludeInboundPorts": "9090",
        },
        "ownerReferences": [{"kind": "ReplicaSet", "name": "a-1", "controller": True, "uid": "x"}],
    },
    "spec": {
        "hostNetwork": False,
        "volumes": [1],
        "initContainers": [{"name": "istio-init", "args": ["istio-iptables", "-d", "15090"], "image": "x"}],
        "containers": [
            {"name": "app", "ports": [{"containerPort": 9090}], "env": [{"name": "PASSWORD"}], "args": ["--token=x"]},
            {
                "name": "istio-proxy",
                "args": ["proxy", "sidecar"],
                "env": [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT"}, {"name": "POD_NAME"}],
            },
        ],
    },
    "status": {"phase": "Running", "podIP": "10.1.0.2", "conditions": [1]},
}


def test_slim_keeps_of_a_pod_what_decides():
    assert slim(copy.deepcopy(POD)) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "a",
            "namespace": "demo",
            "labels": POD["metadata"]["labels"],
            "annotations": {
                "sidecar.istio.io/status": '{"revision":"canary"}',
                "traffic.sidecar.istio.io/excludeInboundPorts": "9090",
            },
            "ownerReferences": [{"kind": "ReplicaSet", "name": "a-1", "controller": True}],
        },
        "spec": {
            "hostNetwork": False,
            "initContainers": [{"name": "istio-init", "args": ["istio-iptables", "-d", "15090"]}],
            "containers": [
                {"name": "app", "ports": [{"containerPort": 9090}]},
                {
                    "name": "istio-proxy",
                    "args": ["proxy", "sidecar"],
                    "env": [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT"}],
                },
            ],
        },
        "status": {"phase": "Running", "podIP": "10.1.0.2"},
    }


def variants():
    """The pod, and the pod changed in everything that the engine reads of it."""
    yield POD
    changes = [
        (("status", "phase"), "Succeeded"),
        (("status", "podIP"), "10.1.0.3"),
        (("spec", "hostNetwork"), True),
        (("spec", "securityContext"), {"runAsUser": 1337}),
        (("spec", "securityContext"), {"runAsGroup": 1337, "fsGroup": 1}),
        (("spec", "securityContext"), "none"),
        (("spec", "containers", 0, "securityContext"), {"runAsUser": 1337, "privileged": True}),
        (("spec", "containers", 0, "securityContext"), {"runAsGroup": 1337}),
        (("spec", "containers", 1, "securityContext"), {"runAsUser": 0}),
        (("spec", "containers", 0, "livenessProbe"), {"httpGet": {"port": 8080, "path": "/x"}}),
        (("spec", "containers", 0, "readinessProbe"), {"httpGet": {"port": "web", "host": "192.0.2.1"}}),
        (("spec", "containers", 0, "startupProbe"), {"grpc": {"port": 9090, "service": "x"}}),
        (("spec", "containers", 0, "livenessProbe"), {"httpGet": {"port": "web", "host": "192.0.2.1"}}),
        (("spec", "containers", 0, "livenessProbe"), {"grpc": {"port": 9090}, "httpGet": "x"}),
        (("spec", "containers", 0, "readinessProbe"), {"grpc": {"port": 1}, "exec": {"command": ["secret"]}}),
        (("spec", "containers", 0, "startupProbe"), {"httpGet": {"port": 1, "host": ""}}),
        (("spec", "containers", 0, "startupProbe"), "none"),
        (("spec", "serviceAccountName"), "reader"),
        (("spec", "containers", 0, "ports"), [{"containerPort": 53, "protocol": "UDP"}]),
        (("spec", "containers", 0, "ports"), [{"containerPort": 8443, "name": "grpc"}]),
        (("spec", "containers", 0, "command"), ["secret"]),
        (("spec", "containers", 1, "command"), ["nginx"]),
        (("spec", "containers", 1, "args"), ["proxy", "router"]),
        (("spec", "containers", 1, "env"), [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "NONE"}]),
        (("spec", "containers", 1, "env"), [{"name": "ISTIO_META_TLS_CLIENT_CERT_CHAIN", "value": "/x"}]),
        (("spec", "initContainers", 0, "args"), ["istio-iptables", "-d", "15090,9090"]),
        (
            ("spec", "ephemeralContainers"),
            [{"name": "debugger", "securityContext": {"runAsUser": 1, "runAsGroup": 1337}}],
        ),
        *(
            (
                ("status", "ephemeralContainerStatuses"),
                [{"name": "debugger", "state": {state: {"exitCode": 137}}, "image": "x"}],
            )
            for state in ("waiting", "running", "terminated")
        ),
        (("spec", "initContainers", 0), {"name": "x", "restartPolicy": "Always", "ports": [{"containerPort": 1}]}),
        (("metadata", "annotations"), {"ambient.istio.io/redirection": "enabled"}),
        (("metadata", "annotations"), {"sidecar.istio.io/inject": "false"}),
        (("metadata", "ownerReferences"), []),
        (("metadata", "creationTimestamp"), "2026-03-01T00:00:00Z"),
    ]
    for path, value in changes:
        pod = copy.deepcopy(POD)
        place = pod
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        yield pod


def test_every_field_of_a_pod_is_tried():
    assert lacking(list(variants())) == set(), "Remedy: add a change of each to variants()"


@pytest.mark.parametrize("pod", list(variants()))
def test_slim_changes_no_answer(pod):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": "demo"},
        "spec": {"selector": {"app": "a"}, "clusterIP": "10.2.0.1", "ports": [{"port": 80, "targetPort": 9090}]},
    }
    assert evaluate([slim(copy.deepcopy(pod)), service]) == evaluate([pod, service])


def test_slim_keeps_a_control_planes_environment():
    container = {
        "name": "discovery",
        "image": "pilot:1.31.1",
        "env": [{"name": "PILOT_ENABLE_AMBIENT"}],
        "args": ["discovery", "--meshConfig=/x"],
    }
    beside = {"name": "other", "image": "x", "env": [{"name": "PASSWORD", "value": "x"}], "args": ["--token=x"]}
    template = {"metadata": {}, "spec": {"containers": [container, beside], "volumes": [1]}}
    manifest = {"kind": "Deployment", "metadata": {"name": "istiod"}, "spec": {"template": template}, "status": {}}
    assert slim(manifest)["spec"]["template"]["spec"] == {"containers": [container, {"name": "other"}]}
    assert "status" not in manifest


def test_slim_keeps_the_addresses_that_istiod_chose():
    chosen = [{"value": "240.240.0.1", "host": "x.example"}]
    manifest = {"kind": "ServiceEntry", "metadata": {"name": "e"}, "spec": {}, "status": {"addresses": chosen, "x": 1}}
    assert slim(manifest)["status"] == {"addresses": chosen}


WORDS = {"kind", "metadata", "spec", "template", "webhooks", "containers", "env", "args", "annotations", "labels"}
WORDS |= {"ownerReferences", "name", "clientConfig", "istio.io/x", "status"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "istio-proxy", "discovery", "Pod", "istio.io/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(WORDS)), inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=150)
@given(
    ANYTHING, st.sampled_from(["Pod", "Deployment", "MutatingWebhookConfiguration", "Service", "ServiceEntry", 5, None])
)
def test_slim_takes_whatever_comes(manifest, kind):
    if isinstance(manifest, dict):
        manifest["kind"] = kind
    slim(copy.deepcopy(manifest))


def wrong_in_one_place(manifest, path=()):
    """A manifest with each of its values in turn replaced by one of another type."""
    place = manifest
    for step in path:
        place = place[step]
    steps = place.items() if isinstance(place, dict) else enumerate(place) if isinstance(place, list) else ()
    for step, value in steps:
        changed = copy.deepcopy(manifest)
        inner = changed
        for outer in path:
            inner = inner[outer]
        inner[step] = ["wrong"] if not isinstance(value, list) else {"wrong": "wrong"}
        yield "/".join(map(str, (*path, step))), changed
        yield from ((name, found) for name, found in wrong_in_one_place(manifest, (*path, step)))


@pytest.mark.parametrize(("place", "pod"), list(wrong_in_one_place(POD)))
def test_slim_hides_no_wrong_shape(place, pod):
    """What the engine would complain about, it complains about all the same."""

    def problems(manifest):
        reader = Reader()
        reader.add([manifest])
        snapshot = reader.snapshot()
        return [(item.kind, item.namespace, item.name) for item in snapshot.problems], snapshot.pods

    assert problems(slim(copy.deepcopy(pod))) == problems(pod)


@pytest.mark.parametrize(
    "spec",
    [None, [], "x", {"template": None}, {"template": []}, {"template": {"spec": "x"}}, {"template": {"spec": 5}}],
)
def test_slim_leaves_a_strange_deployment_as_it_is(spec):
    manifest = {"kind": "Deployment", "metadata": {"name": "istiod"}, "spec": spec}
    assert slim(copy.deepcopy(manifest)) == manifest


def test_slim_keeps_which_service_a_webhook_calls():
    client = {"service": {"name": "istiod", "namespace": "istio-system"}, "caBundle": "x" * 1000}
    manifest = {"kind": "MutatingWebhookConfiguration", "metadata": {}, "webhooks": [{"clientConfig": client}, "x"]}
    assert slim(manifest)["webhooks"] == [{"clientConfig": {"service": client["service"]}}, "x"]


def test_slim_drops_only_bulk_of_other_kinds():
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}

    def object_of(kind):
        metadata = {"name": "x", "managedFields": [1], "annotations": dict(annotations)}
        return {"kind": kind, "metadata": metadata, "spec": {"a": 1}, "status": {"phase": "x"}}

    kept = {"name": "x", "annotations": {"a": "b"}}
    for kind in ("Namespace", "Service"):
        assert slim(object_of(kind)) == {"kind": kind, "metadata": kept, "spec": {"a": 1}, "status": {"phase": "x"}}
    assert slim(object_of("Gateway")) == {"kind": "Gateway", "metadata": kept, "spec": {"a": 1}}


def test_slim_keeps_the_account_and_whose_a_pod_is():
    owner = {"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
    metadata = {"name": "a", "namespace": "b", "creationTimestamp": "t", "uid": "u", "ownerReferences": [owner]}
    spec = {"serviceAccountName": "me", "hostNetwork": True, "volumes": [1], "containers": [], "initContainers": None}
    found = slim({"kind": "Pod", "metadata": metadata, "spec": spec})
    assert found["metadata"] == {
        "name": "a",
        "namespace": "b",
        "creationTimestamp": "t",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": True}],
        "annotations": {},
        "labels": {},
    }
    assert found["spec"] == {"serviceAccountName": "me", "hostNetwork": True}


@pytest.mark.parametrize(
    ("container", "kept"),
    [
        pytest.param({"name": "istio-init", "args": ["-d"]}, {"args": ["-d"]}, id="istio-init"),
        pytest.param({"name": "istio-validation", "args": ["-d"]}, {"args": ["-d"]}, id="istio-validation"),
        pytest.param({"name": "app", "args": ["-d"], "env": [{"name": "A"}], "image": "x"}, {}, id="an application"),
        pytest.param(
            {"name": "istio-proxy", "args": [], "env": [{"name": "A"}, "x", {"name": "ISTIO_META_INTERCEPTION_MODE"}]},
            {"env": ["x", {"name": "ISTIO_META_INTERCEPTION_MODE"}]},
            id="a proxy",
        ),
        pytest.param({"name": "istio-proxy", "image": "x"}, {"env": []}, id="a proxy without environment"),
        pytest.param({"name": "discovery", "image": "x", "env": [1]}, {"image": "x", "env": [1]}, id="istiod"),
    ],
)
def test_slim_keeps_of_a_container_what_says_something_of_the_mesh(container, kept):
    found = slim({"kind": "Pod", "metadata": {}, "spec": {"initContainers": [container]}})
    assert found["spec"] == {"initContainers": [{"name": container["name"], **kept}]}


@pytest.mark.parametrize(
    ("resources", "served"),
    [
        pytest.param(["peerauthentications"], True, id="the kind"),
        pytest.param(["authorizationpolicies", "peerauthentications"], True, id="the kind among others"),
        pytest.param(["authorizationpolicies"], False, id="another kind"),
        pytest.param([], False, id="no kind"),
    ],
)
def test_which_kinds_a_version_serves(server, cluster, resources, served):
    listed = [{"name": name} for name in resources]
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1"))
    answer = {"kind": "APIResourceList", "groupVersion": "security.istio.io/v1", "resources": listed}
    server.answer("GET /apis/security.istio.io/v1", answer)
    assert reading.served_as(cluster, PEERS.kind) == (PEERS.kind if served else None)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with reading.collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize(
    ("answers", "starts", "read"),
    [
        pytest.param([refusal(410)], 3, False, id="a list that is never there in time"),
        pytest.param([refusal(410), refusal(410), page("a")], 3, True, id="one that is there at the last start"),
        pytest.param([refusal(403), page("a")], 1, False, id="a refusal is final"),
        pytest.param([refusal(410), refusal(403), page("a")], 2, False, id="also at another start"),
    ],
)
def test_how_often_a_list_starts(server, cluster, answers, starts, read):
    services = reading.Selection(reading.Kind("", "v1", "services", "Service"))
    server.answer("GET /api/v1/services", page("x", kind=services.kind))
    server.answer("GET /api/v1/pods", *answers)
    resources, unread = reading.read(cluster, [PODS, services])
    assert sum(path == "/api/v1/pods" for path, _query in server.asked()) == starts
    assert sorted(names(resources)) == ([("Pod", "a"), ("Service", "x")] if read else [("Service", "x")])
    assert [gap["kind"] for gap in unread] == ([] if read else ["Pod"])


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"resources": None}, id="no list"),
        pytest.param({"resources": {}}, id="a map"),
        pytest.param({"resources": [5]}, id="no maps"),
        pytest.param({"resources": [{"name": "peerauthentications"}, 5]}, id="the kind, and no map"),
        pytest.param({"kind": "Status"}, id="another kind"),
        pytest.param({"groupVersion": "other/v1"}, id="another group"),
    ],
)
def test_a_version_whose_list_is_none_may_serve_anything(server, cluster, changed):
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1"))
    answer = {"kind": "APIResourceList", "groupVersion": "security.istio.io/v1", "resources": [], **changed}
    server.answer("GET /apis/security.istio.io/v1", answer)
    with pytest.raises(reading.ClusterError) as caught:
        reading.served_as(cluster, PEERS.kind)
    assert caught.value.reason == (
        "whether it is served is unknown: the answer to /apis/security.istio.io/v1 is no APIResourceList"
    )
    assert "Remedy: check that the address is a Kubernetes API server's" in str(caught.value)


def test_what_thousands_of_pods_say_is_kept_once():
    class Text(str):
        """A kind of text of its own."""

    def pod_of(number):
        value = "".join(["istio", "-", "value"])  # a new object each time
        labels = {"app": value, "own": Text(value), "number": number}
        container = {"name": "istio-init", "args": [value]}
        metadata = {"labels": labels, "annotations": {"x.istio.io/y": value}}
        return slim({"kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})

    one, other = pod_of(1), pod_of(2)
    for part in ("labels", "annotations"):
        key = {"labels": "app", "annotations": "x.istio.io/y"}[part]
        assert one["metadata"][part][key] is other["metadata"][part][key]
    assert one["spec"]["containers"][0]["args"][0] is other["spec"]["containers"][0]["args"][0]
    assert one["metadata"]["labels"]["own"] == "istio-value"
    assert one["metadata"]["labels"]["own"].__class__ is Text
    assert (one["metadata"]["labels"]["number"], other["metadata"]["labels"]["number"]) == (1, 2)


@pytest.mark.parametrize(
    ("containers", "kept"),
    [
        pytest.param(
            [{"name": "d", "image": "x", "securityContext": {"runAsUser": 1, "privileged": True}, "args": ["-x"]}],
            [{"name": "d", "securityContext": {"runAsUser": 1}}],
            id="its name and whose user it is",
        ),
        pytest.param([{"name": "d"}, "x", 5], [{"name": "d"}, "x", 5], id="what is none"),
        pytest.param({"name": "d", "image": "x"}, {"name": "d", "image": "x"}, id="no list"),
    ],
)
def test_slim_keeps_of_a_debug_container(containers, kept):
    found = slim({"kind": "Pod", "metadata": {}, "spec": {"ephemeralContainers": containers}})
    assert found["spec"] == {"ephemeralContainers": kept}
