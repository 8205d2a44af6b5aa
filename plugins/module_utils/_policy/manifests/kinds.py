# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds the engine reads, and what identifies an object of one."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Tuple

from ..unread import MESH_ROUTES

GATEWAY_API = "gateway.networking.k8s.io"


class Kind(NamedTuple):
    """One kind that the engine reads. `hint` says how a reader can select less than all objects."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    hint: str = ""


KINDS: Tuple[Kind, ...] = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False),
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "services", "Service"),
    Kind("", "v1", "configmaps", "ConfigMap", hint="label istio.io/rev; only `istio` and `istio-<revision>` count"),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", hint="only of Services without a selector"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
    ),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
    ),
    Kind("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
    Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication"),
    Kind("security.istio.io", "v1", "authorizationpolicies", "AuthorizationPolicy"),
    Kind("networking.istio.io", "v1", "destinationrules", "DestinationRule"),
    Kind("networking.istio.io", "v1", "sidecars", "Sidecar"),
    Kind("networking.istio.io", "v1", "serviceentries", "ServiceEntry"),
    Kind("networking.istio.io", "v1", "workloadentries", "WorkloadEntry"),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress"),
    Kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False),
    Kind(GATEWAY_API, "v1", "gateways", "Gateway"),
    Kind("networking.istio.io", "v1", "gateways", "Gateway"),
    Kind("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter"),
    Kind("networking.istio.io", "v1", "virtualservices", "VirtualService"),
    *(Kind(GATEWAY_API, "v1", f"{kind.lower()}s", kind) for kind in MESH_ROUTES),
)
"""What a reader has to fetch. ReplicaSet, Job, CronJob and CustomResourceDefinition are used when given, but nothing
depends on them; the last ones are too big to be read for a finding."""

CONTROL_PLANE = "istiod"
"""The label `app` of a control plane's pods."""

CLUSTER_SCOPED = (
    "Namespace",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "APIService",
    "CustomResourceDefinition",
    "IngressClass",
)


def group_of(manifest: Mapping[str, Any]) -> str:
    """The API group of a manifest: `security.istio.io` of `security.istio.io/v1`."""
    version = manifest.get("apiVersion")
    return version.partition("/")[0] if isinstance(version, str) and "/" in version else ""


def key_of(manifest: Mapping[str, Any]) -> Tuple[str, str, str, str]:
    """What identifies an object: group, kind, namespace, name; empty where the manifest has no text for it."""
    kind = text_in(manifest, "kind")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return (group_of(manifest), kind, "", "")
    given = metadata.get("namespace")
    namespace = "" if kind in CLUSTER_SCOPED or not isinstance(given, str) else given or "default"
    if given is None and kind not in CLUSTER_SCOPED:
        namespace = "default"
    return (group_of(manifest), kind, namespace, text_in(metadata, "name"))


def text_in(mapping: Mapping[str, Any], key: str) -> str:
    """A text of a mapping; empty where there is none."""
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
