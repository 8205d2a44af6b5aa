# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one service.

Rolling restarts drop no request by three things together. A new pod is there before an old one goes (maxUnavailable 0),
and counts only when its readiness probe says so. An old one answers on for some seconds (preStop), until every client
has forgotten it. And its proxy outlives it: as a native sidecar, which Kubernetes starts before the container and stops
after it. Istio 1.29 to 1.31 take the annotation for that (pkg/kube/inject, template injection-template.yaml), and
make native sidecars of their own accord only where every node has Kubernetes 1.33. A Job needs it to end at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .. import rollouts
from ..contents import marks
from .entries import ROLE, SERVING, Asked, Manifest, Port, Service, container_name

MARKS = marks(ROLE)
API_VERSIONS = {
    "ServiceAccount": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Service": "v1",
    "PodDisruptionBudget": "policy/v1",
    "DestinationRule": "networking.istio.io/v1",
}
"""Every kind that this role makes, in the order in which the objects of a service are applied."""
_INJECT, _NATIVE = "sidecar.istio.io/inject", "sidecar.istio.io/nativeSidecar"
_GRACE_SECONDS = 30
"""Kubernetes' own default for the end of a pod, which the preStop's seconds are added to."""

There = Mapping[tuple[str, str, str], Manifest]
"""What is in the cluster, by kind, namespace and name."""


def manifests(service: Service, asked: Asked, there: There) -> list[Manifest]:
    """The objects of a service. What its `definition` says for a kind is merged in last, so it always wins.

    Of a workload and a Service that are there the selectors are kept, which say whose pods they have, and so is the
    name of the container: a second one beside it would be another program.
    """
    workload = there.get((service.kind, service.namespace, service.name))
    labels = {"app": service.name, **MARKS}
    pods = _selected(workload) or {"app": service.name}
    made = [("ServiceAccount", {}), (service.kind, {"spec": _workload(service, workload, labels)})]
    if service.ports:
        made.append(("Service", {"spec": _service(service, there, pods)}))
    if wants_budget(service) and not other_budget(service, there):
        # A broken pod must not hold up the node that somebody wants to empty.
        spec = {
            "maxUnavailable": 1,
            "selector": {"matchLabels": dict(pods)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }
        made.append(("PodDisruptionBudget", {"spec": spec}))
    if service.ports:
        made.append(("DestinationRule", {"spec": _destination_rule(service, asked)}))
    return [_manifest(service, kind, labels, content) for kind, content in made]


def wants_budget(service: Service) -> bool:
    """Whether a service has, or may have, several pods of which one can be spared."""
    return service.disruption_budget and service.kind in SERVING and service.replicas not in (0, 1)


def other_budget(service: Service, there: There) -> str:
    """The name of somebody's PodDisruptionBudget for the same pods; nobody can evict a pod that has two."""
    workload = there.get((service.kind, service.namespace, service.name))
    owner = {"spec": _workload(service, workload, {"app": service.name, **MARKS})}
    found = (
        name
        for (kind, namespace, name), item in sorted(there.items())
        if kind == "PodDisruptionBudget"
        and (namespace, name != service.name) == (service.namespace, True)
        and rollouts.selects(item, owner)
    )
    return next(found, "")


def merged(base: Any, over: Any) -> Any:
    """Mappings merged, everything else replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base[key], value) if key in base else value for key, value in over.items()}}


def pod_template(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod template of a workload's manifest, empty where it has none that can be read."""
    spec = workload.get("spec")
    if workload.get("kind") == "CronJob":
        spec = part(part(spec, "jobTemplate"), "spec")
    return part(spec, "template")


def template_labels(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The labels of a workload's pods."""
    return part(part(pod_template(workload), "metadata"), "labels")


def part(value: Any, key: str) -> Mapping[str, Any]:
    """A mapping in another; empty where it is none, or nothing."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _selected(workload: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    """What a workload that is there selects its pods by; a Job makes up its own."""
    if workload is None or workload["kind"] not in SERVING:
        return {}
    return dict(part(part(workload.get("spec"), "selector"), "matchLabels"))


def _manifest(service: Service, kind: str, labels: Manifest, content: Manifest) -> Manifest:
    meta = {"name": service.name, "namespace": service.namespace, "labels": dict(labels)}
    manifest = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": meta, **content}
    found: Manifest = merged(manifest, service.definition.get(kind, {}))
    return found


def _workload(service: Service, there: Optional[Mapping[str, Any]], labels: Manifest) -> Manifest:
    template = _template(service, there, labels)
    if service.kind == "Job":
        return {"template": template}
    if service.kind == "CronJob":
        return {
            "schedule": service.schedule,
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"template": template}},
        }
    selector = part((there or {}).get("spec"), "selector")
    spec: Manifest = {} if service.replicas is None else {"replicas": service.replicas}
    spec["selector"] = dict(selector) or {"matchLabels": {"app": service.name}}
    spec["template"] = template
    if service.kind == "Deployment":
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    elif name := service.name if there is None else part(there, "spec").get("serviceName"):
        spec["serviceName"] = name
    return spec


def _template(service: Service, there: Optional[Mapping[str, Any]], labels: Manifest) -> Manifest:
    meshed = service.inject != "false"
    kept = {key: value for key, value in template_labels(there or {}).items() if key == "app"}
    own = {**labels, **kept, **_selected(there)}
    if service.inject != "inherit":
        own[_INJECT] = service.inject
    spec: Manifest = {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if service.kind not in SERVING:
        spec["restartPolicy"] = "OnFailure"
    if service.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in service.image_pull_secrets]
    if _lingers(service):
        spec["terminationGracePeriodSeconds"] = _GRACE_SECONDS + service.pre_stop_seconds
    container = merged(_container(service, _kept_container(service, there)), service.definition.get("Container", {}))
    meta: Manifest = {"labels": own, **({"annotations": {_NATIVE: "true"}} if meshed else {})}
    return {"metadata": meta, "spec": {**spec, "containers": [container]}}


def _lingers(service: Service) -> bool:
    """Whether its pods wait before they end: only somebody who is dialled has to."""
    return bool(service.pre_stop_seconds and service.ports and service.kind in SERVING)


def _kept_container(service: Service, there: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The container that is there: ours by its name, else the one of this service, of this image, or the first."""
    containers = part(pod_template(there or {}), "spec").get("containers")
    found = [item for item in containers or () if isinstance(item, Mapping) and isinstance(item.get("name"), str)]
    for key, value in (("name", "app"), ("name", service.name), ("image", service.image)):
        for item in found:
            if item.get(key) == value:
                return item
    return found[0] if found else {}


def _container(service: Service, there: Mapping[str, Any]) -> Manifest:
    container: Manifest = {"name": there.get("name", "app"), "image": service.image}
    if service.command:
        container["command"] = service.command
    container["args"] = service.args
    if service.env:
        container["env"] = service.env
    if service.ports:
        container["ports"] = [_container_port(port) for port in _container_ports(service)]
    container.update(service.probes)
    readiness = _readiness(service)
    if "readinessProbe" not in container and readiness and _fits(there.get("readinessProbe"), readiness):
        container["readinessProbe"] = readiness
    if _lingers(service):
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": service.pre_stop_seconds}}}
    container["resources"] = service.resources
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return container


def _container_ports(service: Service) -> list[Port]:
    """Each port of the container once: several of the Service's may lead to it."""
    found: dict[tuple[int, str], Port] = {}
    for port in service.ports:
        found.setdefault((port.target, port.protocol), port)
    return list(found.values())


def _container_port(port: Port) -> Manifest:
    name = container_name(port)
    return {**({"name": name} if name else {}), "containerPort": port.target, "protocol": port.protocol}


def _target(service: Service, port: Port) -> Any:
    """How the container's port is named elsewhere: by a name, which each pod resolves by itself while they change."""
    [bearer] = [item for item in _container_ports(service) if item[2:4] == port[2:4]]
    return container_name(bearer) or port.target


def _readiness(service: Service) -> Optional[Manifest]:
    """Only a port that says it speaks HTTP is asked for a page; of others it is enough that they listen."""
    if service.kind not in SERVING:
        return None
    for port in service.ports:
        if port.name == "http" and port.protocol == "TCP":
            return {"httpGet": {"path": "/", "port": _target(service, port)}}
    for port in service.ports:
        if port.protocol == "TCP":
            return {"tcpSocket": {"port": _target(service, port)}}
    return None


def _fits(there: Any, ours: Manifest) -> bool:
    """Whether our probe can stand where one is: Kubernetes takes one way of asking, and ours is but a guess."""
    ways = {"httpGet", "tcpSocket", "grpc", "exec"}
    return not isinstance(there, Mapping) or ways & set(there) <= set(ours)


def _service(service: Service, there: There, pods: Manifest) -> Manifest:
    kept = part(there.get(("Service", service.namespace, service.name), {}).get("spec"), "selector")
    ports = [
        {
            "name": port.name,
            "port": port.port,
            "targetPort": _target(service, port),
            "protocol": port.protocol,
            **({"appProtocol": port.app_protocol} if port.app_protocol else {}),
        }
        for port in service.ports
    ]
    return {"selector": dict(kept or pods), "ports": ports}


def _destination_rule(service: Service, asked: Asked) -> Manifest:
    """A server without a proxy cannot take mutual TLS: a rule that demands it would only break its clients."""
    mode = service.tls_mode or ("DISABLE" if service.inject == "false" else asked.tls_mode)
    host = f"{service.name}.{service.namespace}.svc.{asked.cluster_domain}"
    return {"host": host, "trafficPolicy": {"tls": {"mode": mode}}}
