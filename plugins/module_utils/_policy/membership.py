# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the mesh (semantics, section 6), and pods gathered into workloads.

The truth is the running pod; labels of namespaces only predict pods that do not exist yet.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from .control_plane import ControlPlanes
from .ingresses import LABEL
from .mesh import DEFAULT_REVISION
from .pods import replica_set_of
from .records import (
    INJECT,
    REDIRECTION,
    REVISION_LABEL,
    TLS_MODE_LABEL,
    TUNNEL_LABEL,
    InboundRule,
    Labels,
    NamespaceObject,
    Pod,
    Selector,
    Shape,
    Snapshot,
    Template,
)
from .unread import Unread
from .users import predicted_proxy_user

NEVER_INJECTED = frozenset(("kube-system", "kube-public", "kube-node-lease", "local-path-storage"))
"""Namespaces that the injector ignores (pkg/kube/inject/inject.go IgnoredNamespaces)."""


PROXYLESS = "it is proxyless gRPC, whose application does what a proxy would"

PENDING = "ztunnel has not taken it yet (ambient.istio.io/redirection: pending): it refuses every connection"
IMITATED = "its container istio-proxy is not started as injection starts one (files/injection-template.yaml)"
FORGED = "its Deployment writes ambient.istio.io/redirection itself, which only Istio's CNI agent may"


UNASKED = (
    "nothing asks for it to be ambient (label istio.io/dataplane-mode of its namespace or its own), its annotation does"
)
_DATAPLANE = "istio.io/dataplane-mode"


class Workload(NamedTuple):
    """Pods of one owner that are equal in everything that matters, or a Deployment's predicted ones."""

    id: str
    namespace: str
    kind: str
    name: str
    pods: Tuple[str, ...]
    labels: Labels
    shape: Shape
    predicted: bool
    service_account: Optional[str]
    """Of its pods; None where there are none."""
    doubt: str
    """Why its part in the mesh cannot be told; "" when it can."""

    @property
    def mesh(self) -> str:
        """sidecar, ambient, gateway or none."""
        return self.shape.mesh

    def captures(self, port: int) -> bool:
        """Whether traffic to a port really passes the proxy (semantics, section 7)."""
        if self.shape.mesh == "sidecar":
            return not self.shape.host_network and self.shape.capture.captures(port)
        if self.shape.mesh == "ambient":
            return not self.shape.ambient_bypass
        return self.shape.mesh == "gateway"


class Prediction(NamedTuple):
    """What injection will do to a pod."""

    mesh: str
    revision: Optional[str]
    doubt: str = ""


NOT_INJECTED = Prediction("none", None)


def webhook_revision(namespace: Labels, pod: Labels) -> Optional[str]:
    """The revision (or tag) whose webhook is called for a pod, by the labels of its namespace and its own.

    manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml: `istio-injection` beats
    `istio.io/rev`, and any value of it stops the revision and object webhooks.
    """
    inject = pod.get(INJECT)
    if "istio-injection" in namespace:
        return DEFAULT_REVISION if namespace["istio-injection"] == "enabled" and inject != "false" else None
    if REVISION_LABEL in namespace:
        return namespace[REVISION_LABEL] if inject != "false" else None
    if REVISION_LABEL in pod:
        return pod[REVISION_LABEL] if inject != "false" else None
    return DEFAULT_REVISION if inject == "true" else None


def enrols(namespace: Optional[Labels]) -> bool:
    """Whether a namespace with these labels is enrolled; a pod can still opt in or out of its own."""
    labels = namespace or {}
    return labels.get("istio.io/dataplane-mode") == "ambient" or bool(webhook_revision(labels, {}))


def lacks_proxy(workload: Workload, namespace: Optional[Labels]) -> bool:
    """Whether the labels put a workload into the mesh, nothing keeps it out on purpose, and its pods have no proxy.

    They are older than the label, or no webhook answered it. Its calls are those of a client outside the mesh, and not
    meant to be.
    """
    labels, own = namespace or {}, workload.labels
    kept_out = (
        own.get(INJECT) == "false"
        or workload.shape.inject_annotation == "false"
        or (not webhook_revision(labels, own) and own.get("istio.io/dataplane-mode") == "none")
    )
    return (
        workload.mesh == "none"
        and enrols(labels)
        and not (workload.doubt or workload.predicted or workload.shape.host_network or kept_out)
    )


def enrolled_namespaces(result: Mapping[str, Any]) -> Set[str]:
    """The namespaces that the mesh is meant to protect, of a result of evaluate() that may tell `namespaces`, too.

    They have a workload in the mesh, or labels that enrol them, which their workloads may be older than.
    """
    found = {item["namespace"] for item in result["workloads"] if item["mesh"] in ("sidecar", "ambient")}
    return found | {item["name"] for item in result.get("namespaces", ()) if enrols(item.get("labels"))}


def injected(namespace: str, pod: Labels, annotations: Labels, host_network: bool) -> bool:
    """Whether a called webhook injects (pkg/kube/inject/inject.go injectRequired): the label beats the annotation."""
    if host_network or namespace in NEVER_INJECTED:
        return False
    return pod.get(INJECT, annotations.get(INJECT)) != "false"


def predict(template: Template, namespace: Labels, planes: ControlPlanes, unread: Unread) -> Prediction:
    """What a pod of this template would become if it were created now."""
    shape = template.shape
    if shape.mesh == "gateway":
        return Prediction("gateway", shape.revision)
    asked = webhook_revision(namespace, template.labels)
    if asked is not None and injected(template.namespace, template.labels, template.annotations, shape.host_network):
        revision = planes.resolve(asked)
        if revision is not None:
            gateway = template.annotations.get("inject.istio.io/templates", "").startswith("gateway")
            return Prediction("gateway" if gateway else "sidecar", revision)
        if unread.anywhere("MutatingWebhookConfiguration") or not planes.revisions:
            return Prediction("none", None, f"no injection webhook for revision {asked} was read")
        if asked in planes.contested:
            return Prediction("none", None, f"webhooks give the tag {asked} to several revisions")
    if shape.host_network or shape.mesh == "sidecar":
        return NOT_INJECTED
    if template.labels.get(_DATAPLANE, namespace.get(_DATAPLANE)) == "ambient":
        return Prediction("ambient", DEFAULT_REVISION)
    return NOT_INJECTED


def _predicted_pod(template: Template, prediction: Prediction, planes: ControlPlanes) -> Tuple[Labels, Shape]:
    """Labels and shape after injection: the template adds tlsMode unless the user set it; gateways get none."""
    labels = template.labels
    shape = template.shape._replace(mesh=prediction.mesh, revision=prediction.revision, stray_proxy=False)
    if prediction.mesh == "sidecar":
        labels = dict(labels)
        mesh = planes.of(prediction.revision)
        labels.setdefault(TLS_MODE_LABEL, "istio")
        if mesh.sidecars_accept_hbone:
            labels.setdefault(TUNNEL_LABEL, "http")
        app = labels.get("app.kubernetes.io/name") or labels.get("app") or template.name
        version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
        labels.setdefault("service.istio.io/canonical-name", app[:63].strip("-_."))
        labels.setdefault("service.istio.io/canonical-revision", version)
        if mesh.interception and shape.capture.inbound[0].mode == "REDIRECT" and mesh.interception != "REDIRECT":
            first = shape.capture.inbound[0]
            rule = InboundRule(mesh.interception, first.include, first.exclude)
            shape = shape._replace(capture=shape.capture._replace(inbound=(rule,)))
    return labels, shape


def selectors_of(snapshot: Snapshot) -> Iterable[Selector]:
    """Every selector that looks at the labels of pods."""
    for peer in snapshot.peer_authentications:
        yield peer.selector
    for rule in snapshot.destination_rules:
        yield rule.selector
        for subset in rule.subsets:
            yield dict(subset.labels)
    if snapshot.ingresses:
        yield {LABEL: ""}
    for group in (
        snapshot.sidecars,
        snapshot.services,
        snapshot.service_entries,
        snapshot.gateways,
        snapshot.envoy_filters,
        snapshot.authorizations,
    ):
        for item in group:
            yield item.selector


def gather(snapshot: Snapshot, planes: ControlPlanes, unread: Unread) -> List[Workload]:
    """All workloads, in order of their ids."""
    keys: Set[str] = {TLS_MODE_LABEL, TUNNEL_LABEL, INJECT, _DATAPLANE, "gateway.networking.k8s.io/gateway-name"}
    if unread.anywhere("Ingress") or unread.anywhere("IngressClass"):
        keys.add(LABEL)
    for selector in selectors_of(snapshot):
        if selector:
            keys.update(selector)
    wanted = tuple(sorted(keys))
    # Equal shapes are one object and so are equal labels, so their identity will do.
    twins: Dict[Tuple[object, ...], List[Pod]] = {}
    for pod in snapshot.pods:
        twins.setdefault((pod.namespace, pod.owner, pod.service_account, id(pod.shape), id(pod.labels)), []).append(pod)
    groups: Dict[Tuple[str, str, str], Dict[Tuple[object, ...], List[Pod]]] = {}
    for pods in twins.values():
        first = pods[0]
        kind, name = _top_owner(snapshot, first)
        variants = groups.setdefault((first.namespace, kind, name), {})
        variants.setdefault((id(first.shape), first.service_account, *map(first.labels.get, wanted)), []).extend(pods)

    forged = {(template.namespace, template.name) for template in snapshot.templates if _forges(template)}
    ambient_doubt = planes.ambient_doubt
    workloads: List[Workload] = []
    for (namespace, kind, name), variants in groups.items():
        lots = sorted(
            ((sorted(pod.name for pod in pods), pods[0]) for pods in variants.values()), key=lambda lot: lot[0]
        )
        for number, (names, first) in enumerate(lots):
            place = f"{namespace}/{kind}/{name}" + (f"~{number + 1}" if number else "")
            labels = {key: first.labels[key] for key in wanted if key in first.labels}
            doubt = first.shape.doubt or _doubt(first, snapshot.namespaces.get(namespace), unread)
            if first.shape.mesh == "ambient":
                doubt = FORGED if kind == "Deployment" and (namespace, name) in forged else doubt or ambient_doubt
            account = first.service_account
            workloads.append(
                Workload(place, namespace, kind, name, tuple(names), labels, first.shape, False, account, doubt)
            )
    for template in snapshot.templates:
        if (template.namespace, "Deployment", template.name) not in groups:
            workloads.append(_predicted(template, snapshot.namespaces.get(template.namespace), planes, unread))
    return sorted(workloads, key=lambda workload: workload.id)


def _doubt(pod: Pod, namespace: Optional[NamespaceObject], unread: Unread) -> str:
    """Why a running pod's part in the mesh cannot be told from itself; "" when it can."""
    shape = pod.shape
    if shape.proxyless:
        return PROXYLESS
    if shape.pending:
        return PENDING
    if shape.imitated and shape.mesh in ("sidecar", "gateway"):
        return IMITATED
    if shape.mesh == "sidecar":
        return shape.capture.doubt
    if shape.mesh != "ambient" or (namespace is None and not unread.anywhere("Namespace")):
        return ""
    # The CNI agent takes its annotation away again where the label goes (cni/pkg/nodeagent/informers.go).
    asked = pod.labels.get(_DATAPLANE, namespace.labels.get(_DATAPLANE) if namespace else None)
    return "" if asked == "ambient" else UNASKED


def _forges(template: Template) -> bool:
    """Whether a user wrote what only the CNI agent writes on a running pod (cni/pkg/util/podutil.go)."""
    return REDIRECTION in template.annotations


def _predicted(
    template: Template, namespace: Optional[NamespaceObject], planes: ControlPlanes, unread: Unread
) -> Workload:
    doubt = ""
    if unread.covers("Pod", template.namespace):
        doubt = "its pods could not be read"
    elif namespace is None and unread.anywhere("Namespace"):
        doubt = "the labels of its namespace could not be read"
    prediction = predict(template, namespace.labels if namespace else {}, planes, unread)
    labels, shape = _predicted_pod(template, prediction, planes)
    if shape.users:
        shape = shape._replace(proxy_user=predicted_proxy_user(shape, namespace.annotations if namespace else {}))
    return Workload(
        f"{template.namespace}/Deployment/{template.name}",
        template.namespace,
        "Deployment",
        template.name,
        (),
        labels,
        shape,
        predicted=True,
        service_account=None,
        doubt=doubt
        or prediction.doubt
        or shape.doubt
        or (IMITATED if shape.imitated and shape.mesh in ("sidecar", "gateway") else "")
        or (shape.capture.doubt if shape.mesh == "sidecar" else "")
        or (planes.ambient_doubt if shape.mesh == "ambient" else ""),
    )


def _top_owner(snapshot: Snapshot, pod: Pod) -> Tuple[str, str]:
    """Climbs from the pod's owner to the top one, as far as the input shows it."""
    kind, name = pod.owner
    replica_set = replica_set_of(pod)
    if replica_set is not None:
        # What it says itself goes before what its name and the pod's labels let one expect.
        return snapshot.replica_sets.get((pod.namespace, replica_set)) or pod.owner
    if kind == "Job":
        parent = snapshot.jobs.get((pod.namespace, name))
        if parent is not None and parent[0] == "CronJob" and (pod.namespace, parent[1]) in snapshot.cronjobs:
            return parent
    return kind, name


def matches(selector: Selector, labels: Labels) -> bool:
    """Whether a selector's labels are a subset; an absent or empty one matches everything."""
    return not selector or all(labels.get(key) == value for key, value in selector.items())
