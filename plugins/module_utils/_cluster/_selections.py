# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the engine's kinds, and of them no more than it needs and the ClusterRole for readers allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._policy.manifests import KINDS
from ._api import Cluster, Kind
from ._read import Selection, read

_REVISION = "istio.io/rev"
_CONFIG_MAP = "ConfigMap"
# Kubernetes makes these slices out of a Service's selector, and the engine follows selectors by itself.
_SLICES_WITHOUT_SELECTOR = "endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io"
_LABELS = {"EndpointSlice": _SLICES_WITHOUT_SELECTOR, "MutatingWebhookConfiguration": _REVISION}


def read_mesh(cluster: Cluster, namespaces: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Everything that the engine judges by, and what could not be read."""
    resources, unread = read(cluster, _selections(), namespaces)
    revisions = _revisions(resources)
    if revisions and not any(gap["kind"] == _CONFIG_MAP for gap in unread):
        maps = [_mesh_config_map(f"istio-{revision}") for revision in sorted(revisions)]
        more, gaps = read(cluster, maps, namespaces)
        resources += more
        unread += gaps
    return resources, unread


def kinds_in_namespaces() -> list[str]:
    """The names of the engine's kinds of which a reader of some namespaces sees only a part."""
    return [kind.kind for kind in KINDS if kind.namespaced or kind.kind == "Namespace"]


def _selections() -> list[Selection]:
    return [
        _mesh_config_map("istio") if kind.kind == _CONFIG_MAP else Selection(_kind(kind), _LABELS.get(kind.kind, ""))
        for kind in KINDS
    ]


def _mesh_config_map(name: str) -> Selection:
    """Listing by name needs the right to this one name only, in whichever namespace a control plane lives."""
    kind = next(kind for kind in KINDS if kind.kind == _CONFIG_MAP)
    return Selection(_kind(kind), fields=f"metadata.name={name}")


def _kind(kind: Any) -> Kind:
    return Kind(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced)


def _revisions(resources: Iterable[Mapping[str, Any]]) -> set[str]:
    """The revisions of webhooks, of control planes and of proxies; the default one has no name."""
    found = set()
    for item in resources:
        metadata = item["metadata"]
        labels = metadata.get("labels") or {}
        if item["kind"] == "MutatingWebhookConfiguration" or labels.get("app") == "istiod":
            found.add(labels.get(_REVISION))
        elif item["kind"] == "Pod":  # injection writes it there
            found.add((metadata.get("annotations") or {}).get(_REVISION))
    return {revision for revision in found if revision and revision != "default"}
