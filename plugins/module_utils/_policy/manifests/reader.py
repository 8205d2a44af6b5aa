# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests in, slim typed records out.

A manifest of a wrong shape never ends in a traceback: it becomes a Problem, and its kind counts as unread in its
namespace, so that nothing is called secure because of it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from ..._foreign.guards import NOT_UNDERSTOOD
from ..._foreign.numbers import number
from ..control_plane import ControlPlanes
from ..pods import PodParser
from ..records import (
    REVISION_LABEL,
    Malformed,
    Pod,
    Problem,
    Snapshot,
)
from ..unread import MESH_ROUTES, Unread
from . import api_server, apps, core, envoy_filters, gateways, mesh_routes, networking, security, virtual_services
from .kinds import CLUSTER_SCOPED, CONTROL_PLANE, GATEWAY_API, key_of
from .lists import expand
from .misfits import misfit

_Reader = Callable[[PodParser, Snapshot, Mapping[str, Any]], None]

_READERS: Dict[Tuple[str, str], _Reader] = {
    ("", "Namespace"): core.namespace,
    ("", "Service"): core.service,
    ("", "ConfigMap"): core.config_map,
    ("discovery.k8s.io", "EndpointSlice"): core.endpoint_slice,
    ("apps", "Deployment"): apps.deployment,
    ("apps", "ReplicaSet"): apps.replica_set,
    ("batch", "Job"): apps.job,
    ("batch", "CronJob"): apps.cron_job,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): api_server.mutating_webhook_configuration,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): api_server.validating_webhook_configuration,
    ("apiregistration.k8s.io", "APIService"): api_server.api_service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): api_server.custom_resource_definition,
    ("security.istio.io", "PeerAuthentication"): security.peer_authentication,
    ("security.istio.io", "AuthorizationPolicy"): security.authorization_policy,
    ("networking.istio.io", "DestinationRule"): networking.destination_rule,
    ("networking.istio.io", "Sidecar"): networking.sidecar,
    ("networking.istio.io", "ServiceEntry"): networking.service_entry,
    ("networking.istio.io", "WorkloadEntry"): networking.workload_entry,
    ("networking.istio.io", "Gateway"): gateways.gateway,
    ("gateway.networking.k8s.io", "Gateway"): gateways.kubernetes_gateway,
    ("networking.k8s.io", "Ingress"): gateways.ingress,
    ("networking.k8s.io", "IngressClass"): gateways.ingress_class,
    ("networking.istio.io", "EnvoyFilter"): envoy_filters.envoy_filter,
    ("networking.istio.io", "VirtualService"): virtual_services.virtual_service,
    **{(GATEWAY_API, kind): mesh_routes.mesh_route for kind in MESH_ROUTES},
}


def _newest(manifests: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Of several versions of one object the newest, independent of their order.

    A version that says in no resourceVersion when it counted may be the newest one. Raises Malformed where that leaves
    a choice.
    """
    known = [found for found in map(_version_of, manifests) if found is not None]
    newest = [manifest for manifest in manifests if _version_of(manifest) in (None, max(known, default=0))]
    if any(manifest != newest[0] for manifest in newest):
        raise Malformed("it is there more than once, and nothing says which one counts")
    return newest[0]


def _version_of(manifest: Dict[str, Any]) -> Optional[int]:
    return number(manifest["metadata"].get("resourceVersion"))


class Reader:
    """Takes manifests in, in as many portions and in whichever order they come.

    Pods, which are nearly all of a big mesh, become records at once and their manifests can be forgotten. The few other
    manifests stay as they are to the end: proposals replace them, and of several versions of one the newest counts.
    """

    __slots__ = ("others", "parser", "pods")

    def __init__(self, parser: Optional[PodParser] = None) -> None:
        self.parser = parser or PodParser()
        self.pods: Dict[Tuple[str, str], Pod] = {}
        """Running pods by namespace and name."""
        self.others: List[Any] = []
        """Everything else, also pods that cannot be understood."""

    def add(self, resources: Iterable[Any]) -> None:
        """Takes in manifests; `kind: List` counts as its items. Raises nothing of theirs."""
        for item in resources:
            try:
                self._take(list(expand(item)))
            except NOT_UNDERSTOOD:
                self.others.append(None)  # whatever it was: nobody can say what it is not

    def _take(self, manifests: List[Any]) -> None:
        parse_pod, pods, others = self.parser.pod, self.pods, self.others
        for manifest in manifests:
            if not isinstance(manifest, dict) or manifest.get("kind") != "Pod" or manifest.get("apiVersion") != "v1":
                others.append(manifest)
                continue
            try:
                pod = parse_pod(manifest)
            except NOT_UNDERSTOOD:
                others.append(manifest)
                continue
            if pod is not None and pods.setdefault((pod.namespace, pod.name), pod) is not pod:
                self._choose(pod)

    def _choose(self, pod: Pod) -> None:
        """Which of two versions of a pod counts must not depend on their order. One outside the mesh goes first."""
        key = (pod.namespace, pod.name)
        self.pods[key] = max(self.pods[key], pod, key=lambda item: (item.shape.mesh == "none", repr(item)))

    def portion(self) -> Reader:
        """An empty reader whose records go with those of this one; see merge."""
        return Reader(self.parser)

    def merge(self, portion: Reader) -> None:
        """Takes in what a portion has read. Of a list that broke off half-way the portion is dropped instead."""
        for key, pod in portion.pods.items():
            if self.pods.setdefault(key, pod) is not pod:
                self._choose(pod)
        self.others.extend(portion.others)

    def revisions(self) -> Set[str]:
        """The control planes that webhooks, proxies and control planes themselves speak of."""
        found = {pod.shape.revision for pod in self.pods.values()}
        for pod in self.pods.values():
            if pod.labels.get("app") == CONTROL_PLANE:
                found.add(pod.labels.get(REVISION_LABEL))
        found.update(webhook.revision for webhook in self.snapshot().webhooks)
        return {revision for revision in found if revision}

    def root_namespaces(self) -> Set[str]:
        """Where the mesh-wide policies of each control plane are, and it itself, as far as was read."""
        planes = ControlPlanes(self.snapshot(), Unread((), ()))
        return {mesh.root_namespace for mesh in planes.by_name.values()} | planes.homes

    def shared_maps(self) -> Set[str]:
        """The names of the ConfigMaps that control planes share (SHARED_MESH_CONFIG), as far as they were read."""
        planes = ControlPlanes(self.snapshot(), Unread((), ()))
        used = [*planes.by_name.values(), *(planes.of(revision) for revision in sorted(planes.revisions))]
        return {name for mesh in used if mesh.namespace for name in planes.shared_maps(mesh.name, mesh.namespace)}

    def snapshot(self) -> Snapshot:
        """The records of everything read so far. Nothing of a manifest is kept but what the records name."""
        snapshot = Snapshot()
        snapshot.pods = list(self.pods.values())
        others: Dict[Tuple[str, str, str, str], List[Dict[str, Any]]] = {}
        for manifest in self.others:
            problem = misfit(manifest)
            if problem is not None:
                snapshot.problems.append(problem)
                continue
            key = key_of(manifest)
            if key[:2] == ("", "Pod"):
                _complain(snapshot, manifest, self._why_no_pod(manifest))
            elif key[:2] in _READERS and key[3]:
                others.setdefault(key, []).append(manifest)
        for (group, kind, _namespace_name, _name), found in others.items():
            manifest = found[0]
            try:
                if len(found) > 1:
                    manifest = _newest(found)
                _READERS[group, kind](self.parser, snapshot, manifest)
            except NOT_UNDERSTOOD as error:
                _complain(snapshot, manifest, _why(error))
        return snapshot

    def _why_no_pod(self, manifest: Dict[str, Any]) -> str:
        try:
            self.parser.pod(manifest)
        except NOT_UNDERSTOOD as error:
            return _why(error)
        return "it could not be understood at first"


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Malformed) else f"has a field of an unexpected type ({type(error).__name__})"


def _complain(snapshot: Snapshot, manifest: Mapping[str, Any], reason: str) -> None:
    dummy, kind, namespace, name = key_of(manifest)
    snapshot.problems.append(Problem(kind, None if kind in CLUSTER_SCOPED else namespace, name, reason))
