# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a pod's manifest: whose it is, where it runs, its proxy, probes and containers that end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.pods import PodParser, _ended
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import Malformed, Pod

APP = {"name": "app", "ports": [{"containerPort": 8080, "name": "web"}, {"containerPort": 9090}]}
PROXY = {"name": "istio-proxy", "args": ["proxy", "sidecar"]}
STATUS = "sidecar.istio.io/status"


def manifest(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": "a-1", "namespace": "shop", **metadata},
        "spec": {"containers": [APP], **(spec or {})},
        "status": {"phase": "Running", "podIP": "10.0.0.1", **(status or {})},
    }


def parsed(*arguments: Any, **metadata: Any) -> Pod:
    found = PodParser().pod(manifest(*arguments, **metadata))
    assert found is not None
    return found


def test_what_a_pod_is_called_and_where_it_is():
    found = parsed({"serviceAccountName": "till"}, labels={"app": "a"})
    assert (found.namespace, found.name, found.ip, found.service_account) == ("shop", "a-1", "10.0.0.1", "till")
    assert (found.owner, dict(found.labels)) == (("Pod", "a-1"), {"app": "a"})


@pytest.mark.parametrize("absent", [None, ""], ids=["null", "empty"])
def test_what_kubernetes_fills_in(absent):
    found = parsed({"serviceAccountName": absent}, {"podIP": None}, namespace=absent)
    assert (found.namespace, found.service_account, found.ip) == ("default", "default", "")


@pytest.mark.parametrize(
    ("phase", "runs"), [("Running", True), ("Pending", True), (None, True), ("Succeeded", False), ("Failed", False)]
)
def test_a_finished_pod_is_none(phase, runs):
    assert (PodParser().pod(manifest(status={"phase": phase})) is not None) is runs


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(manifest(name="a/1"), id="a name that none can have"),
        pytest.param(manifest(namespace="shop/x"), id="a namespace that none can have"),
        pytest.param(manifest(labels=["app"]), id="labels"),
        pytest.param(manifest(annotations="x"), id="annotations"),
        pytest.param(manifest(ownerReferences={}), id="owners"),
        pytest.param(manifest({"hostNetwork": "yes"}), id="the host's network"),
        pytest.param(manifest({"containers": {}}), id="containers"),
        pytest.param({**manifest(), "status": []}, id="its status"),
    ],
)
def test_what_is_no_pod(broken):
    with pytest.raises(Malformed):
        PodParser().pod(broken)


@pytest.mark.parametrize("value", [5, ["x"], True], ids=["a number", "a list", "true"])
@pytest.mark.parametrize("field", ["name", "namespace", "account", "address", "label"])
def test_what_should_be_text_is_no_pod_where_it_is_not(field, value):
    one = manifest()
    if field == "label":
        one["metadata"]["labels"] = {"app": value}
    elif field == "account":
        one["spec"]["serviceAccountName"] = value
    elif field == "address":
        one["status"]["podIP"] = value
    else:
        one["metadata"][field] = value
    with pytest.raises((Malformed, TypeError)):
        PodParser().pod(one)


@pytest.mark.parametrize(
    ("owners", "labels", "expected"),
    [
        pytest.param([], {}, ("Pod", "a-1"), id="nobody"),
        pytest.param([("StatefulSet", "db", True)], {}, ("StatefulSet", "db"), id="one"),
        pytest.param([("X", "x", False), ("StatefulSet", "db", True)], {}, ("StatefulSet", "db"),
                     id="the one that controls it"),
        pytest.param([("StatefulSet", "db", True), ("X", "x", False)], {}, ("StatefulSet", "db"),
                     id="in whichever order"),
        pytest.param([("X", "x", False), ("Y", "y", False)], {}, ("X", "x"), id="of those that do not the first"),
        pytest.param([("Node", "n", True)], {}, ("Pod", "a-1"), id="no node"),
        pytest.param([("X/y", "x", True)], {}, ("Pod", "a-1"), id="no kind that none can have"),
        pytest.param([("X", "y/z", True)], {}, ("Pod", "a-1"), id="no name that none can have"),
        pytest.param([("ReplicaSet", "web-5f5", True)], {"pod-template-hash": "5f5"}, ("Deployment", "web"),
                     id="a Deployment by the template's hash"),
        pytest.param([("ReplicaSet", "web-5f5", True)], {}, ("ReplicaSet", "web-5f5"), id="not without it"),
        pytest.param([("ReplicaSet", "web-5f5", True)], {"pod-template-hash": ""}, ("ReplicaSet", "web-5f5"),
                     id="not by an empty one"),
        pytest.param([("ReplicaSet", "-5f5", True)], {"pod-template-hash": "5f5"}, ("ReplicaSet", "-5f5"),
                     id="not where nothing is before it"),
        pytest.param([("ReplicaSet", "web-6", True)], {"rollouts-pod-template-hash": "6"}, ("Rollout", "web"),
                     id="a Rollout by its own label"),
        pytest.param([("Job", "web-5f5", True)], {"pod-template-hash": "5f5"}, ("Job", "web-5f5"),
                     id="of ReplicaSets alone"),
    ],
)  # fmt: skip
def test_whose_a_pod_is(owners, labels, expected):
    references = [{"kind": kind, "name": name, "controller": rules} for kind, name, rules in owners]
    assert parsed(ownerReferences=references, labels=labels).owner == expected


@pytest.mark.parametrize(
    ("notes", "labels", "expected"),
    [
        pytest.param({STATUS: '{"revision": "canary"}'}, {"istio.io/rev": "x"}, "canary", id="by its status"),
        pytest.param({STATUS: '{"revision": ""}', "istio.io/rev": "y"}, {"istio.io/rev": "x"}, "y",
                     id="by its annotation, where that says nothing"),
        pytest.param({STATUS: "{}"}, {"istio.io/rev": "x"}, "x", id="by its label"),
        pytest.param({STATUS: "{}"}, {}, "default", id="by nothing"),
        pytest.param({STATUS: "{"}, {"istio.io/rev": "x"}, "x", id="a status that is no JSON"),
        pytest.param({STATUS: "[1]"}, {}, "default", id="a status that is no map"),
    ],
)  # fmt: skip
def test_which_revision_injected_it(notes, labels, expected):
    one = parsed({"containers": [APP, PROXY]}, annotations=notes, labels=labels)
    assert (one.shape.mesh, one.shape.revision) == ("sidecar", expected)


def test_a_revision_is_read_of_each_status_by_itself():
    parser = PodParser()
    found = [
        parser.pod(manifest({"containers": [APP, PROXY]}, annotations={STATUS: f'{{"revision": "{name}"}}'}))
        for name in ("a", "b", "a")
    ]
    assert [one and one.shape.revision for one in found] == ["a", "b", "a"]


REWRITE = {"sidecar.istio.io/rewriteAppHTTPProbers": "false"}
INJECTED = {STATUS: "{}"}


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        pytest.param({"livenessProbe": {"httpGet": {"port": 8080}}}, (8080,), id="by HTTP"),
        pytest.param({"readinessProbe": {"httpGet": {"port": "web"}}}, (8080,), id="by a port's name"),
        pytest.param({"readinessProbe": {"httpGet": {"port": "other"}}}, (), id="by a name that no port has"),
        pytest.param({"startupProbe": {"grpc": {"port": 9090}}}, (9090,), id="by gRPC"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 8080, "host": "192.0.2.1"}}}, (), id="of somebody else"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 8080, "host": ""}}}, (8080,), id="of nobody else"),
        pytest.param({"livenessProbe": {"tcpSocket": {"port": 8080}}}, (), id="by TCP"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 15020}}}, (), id="of the agent"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 9090}}, "startupProbe": {"grpc": {"port": 8080}}},
                     (8080, 9090), id="two"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 70000}}}, (), id="of a port that is none"),
        pytest.param({"livenessProbe": "x"}, (), id="that is none"),
    ],
)  # fmt: skip
def test_which_ports_kubelet_asks_the_application_at(probes, expected):
    with_proxy = {"containers": [{**APP, **probes}, PROXY]}
    assert parsed(with_proxy, annotations=INJECTED).shape.probes == expected
    assert parsed({"containers": [{**APP, **probes}]}, annotations=REWRITE).shape.probes == expected
    assert parsed({"containers": [{**APP, **probes}]}).shape.probes == ()


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param([], (), id="none"),
        pytest.param([{"name": "migrate"}, {"name": "seed"}], ("migrate", "seed"), id="all of them"),
        pytest.param([{"name": "migrate"}, {**PROXY, "restartPolicy": "Always"}, {"name": "seed"}], ("migrate",),
                     id="those before the proxy"),
        pytest.param([{"name": "istio-init"}, {"name": "istio-validation"}, {"name": "seed"}], ("seed",),
                     id="but for Istio's own"),
        pytest.param([{"name": "log", "restartPolicy": "Always"}, {"name": "seed"}], ("seed",), id="but what stays"),
        pytest.param([{"name": "log", "restartPolicy": "OnFailure"}], ("log",), id="and what ends at last"),
    ],
)  # fmt: skip
def test_which_init_containers_end_before_the_proxy_runs(containers, expected):
    native = any(item["name"] == "istio-proxy" for item in containers)
    spec = {"initContainers": containers, "containers": [APP] if native else [APP, PROXY]}
    assert parsed(spec, annotations=INJECTED).shape.early == expected
    if not native:
        assert parsed({"initContainers": containers}).shape.early == ()


ENDED, RUNNING = {"terminated": {"exitCode": 0}}, {"running": {}}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param([("d", ENDED)], {"d"}, id="one that has ended"),
        pytest.param([("d", RUNNING)], set(), id="one that runs"),
        pytest.param([("d", {})], set(), id="one of which nothing is said"),
        pytest.param([("d", None)], set(), id="one without a state"),
        pytest.param([("d", {**ENDED, **RUNNING})], set(), id="one that has ended and runs"),
        pytest.param([("d", {"terminated": True})], set(), id="one that says it in other words"),
        pytest.param([("d", ENDED), ("d", RUNNING)], set(), id="one of which both is said"),
        pytest.param([("d", RUNNING), ("d", ENDED)], set(), id="in whichever order"),
        pytest.param([("d", ENDED), ("e", RUNNING)], {"d"}, id="one of two"),
        pytest.param([], set(), id="none"),
    ],
)
def test_which_debug_containers_have_ended(statuses, expected):
    listed = [{"name": name, "state": state} for name, state in statuses]
    assert _ended({"ephemeralContainerStatuses": listed}) == expected
