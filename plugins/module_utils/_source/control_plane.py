# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what tells which Istios there are: a dozen lists, most of them small.

Records and Helm's releases are looked for only where webhooks say that a control plane is, and in the namespace that
the administrator names. Of Secrets, which Helm keeps its releases in, nothing but the metadata is sent.
"""

from __future__ import annotations

from typing import Any

from .._cluster import Cluster, Served
from . import objects
from .objects import Wanted

_ADMISSION = "admissionregistration.k8s.io/v1"
_FIRST = (
    Wanted(_ADMISSION, "MutatingWebhookConfiguration"),
    Wanted(_ADMISSION, "ValidatingWebhookConfiguration"),
    Wanted("v1", "Namespace", only_metadata=True),
    # What injection did to it is in its annotations.
    Wanted("v1", "Pod", fields="status.phase!=Succeeded,status.phase!=Failed", only_metadata=True),
    Wanted("apps/v1", "Deployment", labels="app=istiod"),
    # Every chart's label (manifests/zzy_descope_legacy.yaml and _helpers.tpl: istio.labels).
    Wanted("apps/v1", "DaemonSet", labels="app.kubernetes.io/part-of=istio"),
    # One small definition speaks for all of them.
    Wanted(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        name="peerauthentications.security.istio.io",
        only_metadata=True,
    ),
    Wanted("sailoperator.io/v1", "Istio", only_metadata=True),
)


def read(cluster: Cluster, namespace: str, known: Served) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The manifests, and what could not be read (kind, namespace, reason). Raises ClusterError where none could be.

    `namespace` is the one that the administrator names.
    """
    found = objects.read(cluster, _FIRST, known)
    homes = sorted({namespace, *_homes(found.objects)})
    inside = objects.read(cluster, [wanted for home in homes for wanted in _of_home(home)], known)
    return [*found.objects, *inside.objects], [*found.unread, *inside.unread]


def _of_home(namespace: str) -> tuple[Wanted, ...]:
    return (
        Wanted("v1", "ConfigMap", namespace, labels="meshproof.mtls/role=istio_install"),
        Wanted("v1", "Secret", namespace, labels="owner=helm", only_metadata=True),
    )


def _homes(manifests: list[dict[str, Any]]) -> set[str]:
    """The namespaces that Istio's injection webhooks call into."""
    found = set()
    for item in manifests:
        labels = item["metadata"].get("labels")
        if item["kind"] != "MutatingWebhookConfiguration" or not (
            isinstance(labels, dict) and "istio.io/rev" in labels
        ):
            continue
        for webhook in _mappings(item.get("webhooks")):
            client = webhook.get("clientConfig")
            service = client.get("service") if isinstance(client, dict) else None
            place = service.get("namespace") if isinstance(service, dict) else None
            if isinstance(place, str) and place:
                found.add(place)
    return found


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
