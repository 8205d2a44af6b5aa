# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's pods: what they ask of the cluster, and what their status means."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import pods as probe_pods

RUN = probe_pods.Run("abcd1234", "meshproof-probe", "python:3.13-alpine", ["registry"], timeout=180)
ASK = {"id": "0/0", "address": "10.1.0.2", "port": 8080, "host": "a.demo.svc", "protocol": "http"}


def pods():
    return [
        probe_pods.outside_pod(RUN, "print()", [ASK], "PEM"),
        probe_pods.inside_pod(RUN, "print()", [ASK], [ASK], "canary"),
    ]


@pytest.mark.parametrize("pod", pods(), ids=["outside", "inside"])
def test_pods_are_restricted_labelled_and_mortal(pod):
    assert {"app.kubernetes.io/managed-by": "meshproof.mtls", "meshproof.mtls/role": "probe"}.items() <= pod[
        "metadata"
    ]["labels"].items()
    assert pod["metadata"]["labels"]["meshproof.mtls/run"] == "abcd1234"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["activeDeadlineSeconds"] == 240
    assert pod["spec"]["automountServiceAccountToken"] is False
    for container in pod["spec"]["containers"]:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_outside_is_outside_whatever_the_namespace_says():
    outside, inside = pods()
    assert outside["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert outside["metadata"]["labels"]["istio.io/dataplane-mode"] == "none"
    assert inside["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"
    assert inside["metadata"]["labels"]["istio.io/rev"] == "canary"


def test_inside_gets_its_certificate_beside_the_proxy():
    inside = pods()[1]
    config = json.loads(inside["metadata"]["annotations"]["proxy.istio.io/config"])
    folder = config["proxyMetadata"]["OUTPUT_CERTS"]
    [(volume, mount)] = json.loads(inside["metadata"]["annotations"]["sidecar.istio.io/userVolumeMount"]).items()
    handshake = inside["spec"]["containers"][1]
    assert mount == {"mountPath": folder}
    assert handshake["volumeMounts"] == [{"name": volume, "mountPath": folder, "readOnly": True}]
    assert handshake["securityContext"]["runAsUser"] == 1337
    assert json.loads("".join(handshake["args"]))["certificates"] == folder


def test_pods_can_be_in_different_namespaces():
    run = probe_pods.Run("abcd1234", "probes", "python", inside_namespace="shop")
    assert probe_pods.outside_pod(run, "", [], "")["metadata"]["namespace"] == "probes"
    assert probe_pods.inside_pod(run, "", [], [], "")["metadata"]["namespace"] == "shop"
    assert {pod["metadata"]["namespace"] for pod in pods()} == {"meshproof-probe"}


@pytest.mark.parametrize(("expired", "life"), [(True, "30s"), (False, None)])
def test_only_who_waits_for_its_end_asks_for_a_short_certificate(expired, life):
    inside = probe_pods.inside_pod(RUN, "print()", [ASK], [ASK], "", expired)
    config = json.loads(inside["metadata"]["annotations"]["proxy.istio.io/config"])
    assert config["proxyMetadata"].get("SECRET_TTL") == life
    assert json.loads("".join(inside["spec"]["containers"][1]["args"]))["expired"] is expired


def test_a_step_has_its_own_limit():
    run = probe_pods.Run("abcd1234", "probes", "python", timeout=60, step_timeout=2)
    assert run.limits == {"seconds": 2, "patience": 20, "deadline": 30, "voice": run.voice}


def test_a_program_of_several_modules():
    text = probe_pods.program(
        [("one", "NUMBER = 7\n"), ("two", "from . import one\ndef main(given): print(one.NUMBER, given)")]
    )
    result = subprocess.run([sys.executable, "-I", "-c", text, "a"], check=True, capture_output=True, text=True)
    assert result.stdout == "7 ['a']\n"


PROXY = {
    "name": "istio-proxy",
    "env": [{"name": "POD_NAME", "valueFrom": {}}, {"name": "TRUST_DOMAIN", "value": "x.example"}],
}


@pytest.mark.parametrize(
    ("spec", "domain"),
    [
        ({"initContainers": [PROXY]}, "x.example"),
        ({"containers": [{"name": "app"}, PROXY]}, "x.example"),
        ({"containers": [{"name": "istio-proxy"}]}, ""),
        ({}, ""),
    ],
)
def test_trust_domain(spec, domain):
    assert probe_pods.trust_domain_of({"spec": spec}) == domain


def test_a_long_plan_is_cut_into_arguments():
    asks = [{**ASK, "id": f"{number}/0"} for number in range(3000)]
    [container] = probe_pods.outside_pod(RUN, "print()", asks, "")["spec"]["containers"]
    assert len(container["args"]) > 1
    assert max(map(len, container["args"])) < 128 * 1024
    assert json.loads("".join(container["args"]))["asks"] == asks


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"containers": [{"name": "request"}, {"name": "istio-proxy"}]}, True),
        ({"containers": [{"name": "request"}], "initContainers": [{"name": "istio-proxy"}]}, True),
        ({"containers": [{"name": "request"}]}, False),
    ],
)
def test_has_sidecar(spec, found):
    assert probe_pods.has_sidecar({"spec": spec}) is found


def pod_with(state, name="outside", **status):
    return {"status": {"containerStatuses": [{"name": name, "image": "python", "state": state}], **status}}


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        (pod_with({"running": {}}), None),
        (pod_with({"waiting": {"reason": "ContainerCreating"}}), None),
        (pod_with({"waiting": {"reason": "ErrImagePull"}}), None),  # may pass; the next state tells
        (
            pod_with({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}),
            "container outside, image python: ImagePullBackOff: not found",
        ),
        (
            pod_with({"terminated": {"reason": "StartError", "exitCode": 128, "message": "no python3"}}),
            "container outside, image python: no python3",
        ),
        (pod_with({"terminated": {"reason": "Completed", "exitCode": 0}}), None),
    ],
)
def test_problem(pod, problem):
    assert probe_pods.problem_of(pod) == problem


@pytest.mark.parametrize(
    ("pod", "loss"),
    [
        (pod_with({"running": {}}), None),
        (pod_with({"terminated": {"exitCode": 1}}, phase="Failed"), None),
        (pod_with({}, phase="Failed", reason="Evicted", message="no disk"), "Evicted: no disk"),
        ({"metadata": {"deletionTimestamp": "now"}}, "it is being deleted by somebody else"),
    ],
)
def test_loss(pod, loss):
    assert probe_pods.loss_of(pod) == loss


@pytest.mark.parametrize(
    ("pod", "started"),
    [
        (pod_with({"running": {}}), True),
        (pod_with({"terminated": {}}), True),
        (pod_with({"waiting": {}}), False),
        (pod_with({"running": {}}, "istio-proxy"), False),
        ({}, False),
    ],
)
def test_has_started(pod, started):
    assert probe_pods.has_started(pod, ["outside"]) is started


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}


@pytest.mark.parametrize(
    ("pod", "hindrance"),
    [
        ({"status": {"phase": "Pending", "conditions": [UNSCHEDULED]}}, "Unschedulable: 0/1 nodes"),
        (pod_with({"waiting": {"reason": "PodInitializing"}}), "container outside: PodInitializing: no message"),
        (pod_with({"terminated": {"exitCode": 1}}), "container outside ended with exit code 1"),
        (pod_with({"running": {}}, phase="Running"), "it is still Running"),
    ],
)
def test_hindrance(pod, hindrance):
    assert probe_pods.hindrance_of(pod) == hindrance


def test_a_pod_is_finished_when_ours_have_ended_and_the_sidecar_runs_on():
    pod = {
        "status": {
            "containerStatuses": [
                {"name": "request", "state": {"terminated": {"exitCode": 0}}},
                {"name": "istio-proxy", "state": {"running": {}}},
            ]
        }
    }
    assert probe_pods.is_finished(pod, ["request"])
    assert not probe_pods.is_finished(pod, ["request", "handshake"])


def test_a_pod_asks_for_no_more_than_it_needs():
    outside, inside = pods()
    for pod, part in ((outside, "outside"), (inside, "inside")):
        assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
        assert pod["metadata"]["name"] == f"meshproof-probe-abcd1234-{part}"
        spec = {name: value for name, value in pod["spec"].items() if name not in ("containers", "volumes")}
        assert spec == {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 240,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": "registry"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
        }
    config = json.loads(inside["metadata"]["annotations"]["proxy.istio.io/config"])
    assert config["holdApplicationUntilProxyStarts"] is True
    assert outside["metadata"]["annotations"] == {}
    assert outside["spec"]["volumes"] == []
    assert [sorted(volume) for volume in inside["spec"]["volumes"]] == [["emptyDir", "name"]]
    assert inside["spec"]["volumes"][0]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}
    assert inside["spec"]["volumes"][0]["name"] == inside["spec"]["containers"][1]["volumeMounts"][0]["name"]


@pytest.mark.parametrize(
    ("part", "name", "uid"),
    [(0, "outside", 65532), (1, "request", 65532), (2, "handshake", 1337)],
    ids=["outside", "request", "handshake"],
)
def test_a_container_may_do_no_more_than_it_needs(part, name, uid):
    container = [item for pod in pods() for item in pod["spec"]["containers"]][part]
    assert (container["name"], container["image"], container["imagePullPolicy"]) == (
        name,
        "python:3.13-alpine",
        "IfNotPresent",
    )
    assert container["command"] == ["python3", "-I", "-c", "print()"]
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["resources"] == {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "128Mi"},
    }
    plan = json.loads("".join(container["args"]))
    assert (plan["mode"], plan["asks"], plan["voice"]) == (name, [ASK], 1027584326)


def waiting(reason, **more):
    return {"waiting": {"reason": reason, **more}}


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        *((waiting(reason), f"container x, image python: {reason}: no message") for reason in (
            "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
        )),
        *((waiting(reason), f"container x: {reason}: no message") for reason in (
            "RunContainerError", "CreateContainerError", "CrashLoopBackOff",
        )),
        (waiting("CrashLoopBackOff", message="again"), "container x: CrashLoopBackOff: again"),
        *(({"terminated": {"reason": reason, "message": "m"}}, "container x, image python: m") for reason in (
            "StartError", "ContainerCannotRun",
        )),
        (waiting("PodInitializing"), None),
        ({"terminated": {"reason": "Error", "message": "m"}}, None),
        (None, None),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])
def test_why_a_pod_will_never_start(kind, state, problem):
    well = {"name": "well", "image": "python", "state": {"running": {}}}
    found = {"status": {kind: [well, {"name": "x", "image": "python", "state": state}]}}
    assert probe_pods.problem_of(found) == problem


@pytest.mark.parametrize("pod", [{}, {"status": None}, {"status": {"containerStatuses": None}}], ids=str)
def test_a_pod_without_a_status_has_no_problem_and_is_not_finished(pod):
    assert (probe_pods.problem_of(pod), probe_pods.loss_of(pod)) == (None, None)
    assert (probe_pods.is_finished(pod, ["x"]), probe_pods.has_started(pod, ["x"])) == (False, False)
    assert probe_pods.hindrance_of(pod) == "it is still unknown"
