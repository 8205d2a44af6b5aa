# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a namespace holds before it is removed: somebody's work, or nothing that anybody made.

A label is no proof: who copies ours onto an object must not have it deleted with the namespace for that. So what
counts as ours is marked and of a kind that the marked role makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MANAGED_BY, ROLE = "app.kubernetes.io/managed-by", "meshproof.mtls/role"
COLLECTION = "meshproof.mtls"

_MADE = {
    "istio_mtls": ("PeerAuthentication", "AuthorizationPolicy", "DestinationRule"),
    "istio_services": (
        "ServiceAccount",
        "Deployment",
        "StatefulSet",
        "Job",
        "CronJob",
        "Service",
        "PodDisruptionBudget",
        "DestinationRule",
    ),
}
"""Which kinds a role makes in other namespaces than its own."""
_NOBODYS = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ServiceAccount", "default"),
        # Istio's, in every namespace (pilot/pkg/bootstrap/namespacecontroller.go)
        ("ConfigMap", "istio-ca-root-cert"),
        ("ConfigMap", "istio-ca-crl"),
        # OpenShift's
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ServiceAccount", "builder"),
        ("ServiceAccount", "deployer"),
        ("RoleBinding", "system:deployers"),
        ("RoleBinding", "system:image-builders"),
        ("RoleBinding", "system:image-pullers"),
    }
)
"""What a cluster puts into every namespace."""


def marks(role: str) -> dict[str, str]:
    """The labels of whatever a role makes."""
    return {MANAGED_BY: COLLECTION, ROLE: role}


def is_marked(manifest: Mapping[str, Any], role: str) -> bool:
    """Whether an object carries both labels of a role."""
    labels = manifest["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in marks(role).items())


def strangers(contents: Iterable[Mapping[str, Any]]) -> list[str]:
    """What would be lost with a namespace, as "Kind namespace/name", sorted.

    Left out is what goes with something that is looked at itself, what the cluster puts into each namespace, and what
    our roles made. `contents` are manifests, of which metadata is enough.
    """
    found = list(contents)
    owners = {manifest["metadata"].get("uid") for manifest in found}
    services = {_place(manifest) for manifest in found if manifest["kind"] == "Service"}
    return sorted(
        f"{manifest['kind']} {'/'.join(_place(manifest))}"
        for manifest in found
        if not _goes_with_another(manifest, owners, services)
        and (manifest["kind"], manifest["metadata"]["name"]) not in _NOBODYS
        and not _is_of_our_roles(manifest)
    )


def _place(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["metadata"].get("namespace") or "", manifest["metadata"]["name"]


def _goes_with_another(manifest: Mapping[str, Any], owners: set[Any], services: set[tuple[str, str]]) -> bool:
    """Whether it is owned by something in the namespace, or is what Kubernetes writes for a Service under its name."""
    references = manifest["metadata"].get("ownerReferences") or ()
    owned = any(isinstance(owner, Mapping) and owner.get("uid") in owners for owner in references)
    return owned or (manifest["kind"] == "Endpoints" and _place(manifest) in services)


def _is_of_our_roles(manifest: Mapping[str, Any]) -> bool:
    return any(manifest["kind"] in kinds and is_marked(manifest, role) for role, kinds in _MADE.items())
