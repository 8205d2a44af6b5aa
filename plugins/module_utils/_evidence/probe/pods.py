# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's pods: their manifests, and what their status says when they do not come up."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

MANAGED_BY = "app.kubernetes.io/managed-by"
ROLE = "meshproof.mtls/role"
RUN = "meshproof.mtls/run"
OURS = {MANAGED_BY: "meshproof.mtls", ROLE: "probe"}

OUTSIDE = "outside"
REQUEST = "request"
HANDSHAKE = "handshake"
CONTAINERS = (OUTSIDE, REQUEST, HANDSHAKE)

_CERTIFICATES = "/var/run/meshproof/certificates"
_VOLUME = "meshproof-certificates"
_ANY_UID = 65532
# Istio lets the proxy's own user past the proxy, which is how a pod can show a server its mesh certificate by itself.
_PROXY_UID = 1337
# Linux takes no longer single argument than 128 KiB.
_LONGEST_ARGUMENT = 100_000
_HOPELESS = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"}
_NEVER_STARTED = {"StartError", "ContainerCannotRun"}
_FAILED_START = {"RunContainerError", "CreateContainerError", "CrashLoopBackOff"}
_PROXY = "istio-proxy"
# To show a server an expired certificate of the mesh the probe asks for one that ends soon. Its sidecar renews it
# after half its time, as it does with longer ones.
_SHORT_LIFE = "30s"
# Makes a package of the modules' texts, so that they can import one another, and runs the last one.
_PROGRAM = """
import sys, types
package = sys.modules["meshproof"] = types.ModuleType("meshproof")
package.__path__ = []
for name, text in {sources!r}:
    module = sys.modules["meshproof." + name] = types.ModuleType("meshproof." + name)
    module.__package__ = "meshproof"
    setattr(package, name, module)
    exec(compile(text, name + ".py", "exec"), module.__dict__)
module.main(sys.argv[1:])
"""


class Run:
    """What all pods of one run share."""

    def __init__(
        self,
        identifier: str,
        namespace: str,
        image: str,
        pull_secrets: Sequence[str] = (),
        timeout: int = 180,
        step_timeout: int = 5,
        inside_namespace: str = "",
    ) -> None:
        self.identifier = identifier
        self.namespace = namespace
        self.inside_namespace = inside_namespace or namespace
        self.image = image
        self.pull_secrets = list(pull_secrets)
        self.timeout = timeout
        self.step_timeout = step_timeout

    @property
    def limits(self) -> dict[str, int]:
        """Seconds for one step of one ask, for a pod's own proxy, for all asks; and the voice."""
        patience, deadline = min(60, self.timeout // 3), self.timeout // 2
        return {"seconds": self.step_timeout, "patience": patience, "deadline": deadline, "voice": self.voice}

    @property
    def voice(self) -> int:
        """A number that is another one in each run."""
        return zlib.crc32(self.identifier.encode())

    @property
    def longest_life(self) -> int:
        """After so many seconds Kubernetes itself stops a pod whose probe has died."""
        return self.timeout + 60

    def pod_name(self, part: str) -> str:
        """The name of one of the pods."""
        return f"meshproof-probe-{self.identifier}-{part}"


def program(sources: Sequence[tuple[str, str]]) -> str:
    """One Python program from the names and texts of modules, of which each may import those before it."""
    return _PROGRAM.format(sources=list(sources))


def outside_pod(
    run: Run, script: str, asks: list[dict[str, Any]], roots: str, wrong: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A pod that no sidecar and no ambient redirection takes into the mesh. ``wrong``: PEM certificate and key."""
    plan = {"mode": "outside", "asks": asks, "roots": roots, "wrong": wrong, **run.limits}
    labels = {"sidecar.istio.io/inject": "false", "istio.io/dataplane-mode": "none"}
    return _pod(run, run.namespace, OUTSIDE, labels, {}, [_container(run, OUTSIDE, script, plan, _ANY_UID)], [])


def inside_pod(
    run: Run,
    script: str,
    requests: list[dict[str, Any]],
    handshakes: list[dict[str, Any]],
    revision: str,
    expired: bool = False,
) -> dict[str, Any]:
    """A pod with a sidecar: one container asks through it, one beside it with the certificate that it was issued."""
    labels = {"sidecar.istio.io/inject": "true", "istio.io/dataplane-mode": "none"}
    if revision:
        labels["istio.io/rev"] = revision
    metadata = {"OUTPUT_CERTS": _CERTIFICATES, **({"SECRET_TTL": _SHORT_LIFE} if expired else {})}
    proxy = {"holdApplicationUntilProxyStarts": True, "proxyMetadata": metadata}
    annotations = {
        "proxy.istio.io/config": json.dumps(proxy),
        "sidecar.istio.io/userVolumeMount": json.dumps({_VOLUME: {"mountPath": _CERTIFICATES}}),
    }
    own = {"certificates": _CERTIFICATES, "expired": expired}
    request_plan = {"mode": "request", "asks": requests, **run.limits}
    handshake_plan = {"mode": "handshake", "asks": handshakes, **own, **run.limits}
    handshake = _container(run, HANDSHAKE, script, handshake_plan, _PROXY_UID)
    handshake["volumeMounts"] = [{"name": _VOLUME, "mountPath": _CERTIFICATES, "readOnly": True}]
    containers = [_container(run, REQUEST, script, request_plan, _ANY_UID), handshake]
    volume = {"name": _VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    return _pod(run, run.inside_namespace, "inside", labels, annotations, containers, [volume])


def _pod(
    run: Run,
    namespace: str,
    part: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    containers: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": run.pod_name(part),
            "namespace": namespace,
            "labels": {**OURS, RUN: run.identifier, **labels},
            "annotations": annotations,
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": run.longest_life,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": name} for name in run.pull_secrets],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "containers": containers,
            "volumes": volumes,
        },
    }


def _container(run: Run, name: str, script: str, plan: dict[str, Any], uid: int) -> dict[str, Any]:
    text = json.dumps(plan, separators=(",", ":"))
    return {
        "name": name,
        "image": run.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-I", "-c", script],
        "args": [text[start : start + _LONGEST_ARGUMENT] for start in range(0, len(text), _LONGEST_ARGUMENT)],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": uid,
            "runAsGroup": uid,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def has_sidecar(pod: Mapping[str, Any]) -> bool:
    """Whether the injector gave the pod a proxy, as a container or as a native sidecar."""
    return _proxy_of(pod) is not None


def trust_domain_of(pod: Mapping[str, Any]) -> str:
    """The mesh's trust domain, which the injector tells a pod's proxy; empty where it does not.

    manifests/charts/istio-control/istio-discovery/files/injection-template.yaml: TRUST_DOMAIN.
    """
    environment = {item.get("name"): item.get("value") for item in (_proxy_of(pod) or {}).get("env") or ()}
    return str(environment.get("TRUST_DOMAIN") or "")


def _proxy_of(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return next((container for container in containers if container.get("name") == _PROXY), None)


def is_finished(pod: Mapping[str, Any], containers: Sequence[str]) -> bool:
    """Whether our own containers have ended; a sidecar beside them may run on."""
    states = {item.get("name"): item.get("state") or {} for item in _statuses(pod)}
    return all("terminated" in states.get(name, {}) for name in containers)


def loss_of(pod: Mapping[str, Any]) -> str | None:
    """Why a pod that may have asked already will ask no more, through no fault of its own; None while it still may."""
    status = pod.get("status") or {}
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return "it is being deleted by somebody else"
    if status.get("phase") == "Failed" and status.get("reason"):
        return f"{status['reason']}: {status.get('message') or 'no message'}"
    return None


def has_started(pod: Mapping[str, Any], containers: Sequence[str]) -> bool:
    """Whether one of our own containers runs or ran."""
    states = {item.get("name"): item.get("state") or {} for item in _statuses(pod)}
    return any({"running", "terminated"} & states.get(name, {}).keys() for name in containers)


def problem_of(pod: Mapping[str, Any]) -> str | None:
    """Why the containers of this pod will never start, None while they still may."""
    for item in _statuses(pod):
        terminated = (item.get("state") or {}).get("terminated") or {}
        if terminated.get("reason") in _NEVER_STARTED:
            return f"container {item.get('name')}, image {item.get('image')}: {terminated.get('message')}"
        waiting = (item.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS:
            return (
                f"container {item.get('name')}, image {item.get('image')}: {waiting['reason']}: "
                f"{waiting.get('message') or 'no message'}"
            )
        if waiting.get("reason") in _FAILED_START:
            return f"container {item.get('name')}: {waiting['reason']}: {waiting.get('message') or 'no message'}"
    return None


def hindrance_of(pod: Mapping[str, Any]) -> str:
    """What a pod was still waiting for when the time was up."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason')}: {condition.get('message') or 'no message'}"
    for item in _statuses(pod):
        for state, detail in (item.get("state") or {}).items():
            if state == "waiting":
                return f"container {item.get('name')}: {detail.get('reason')}: {detail.get('message') or 'no message'}"
            if state == "terminated" and detail.get("exitCode"):
                return f"container {item.get('name')} ended with exit code {detail['exitCode']}"
    return f"it is still {(pod.get('status') or {}).get('phase') or 'unknown'}"


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
