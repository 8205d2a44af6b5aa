# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a part of Istio is, by the marks that the tools which install it leave on its objects.

Marks are believed only on what lies in the cluster itself or in a namespace where administrators alone write: whoever
may write in one namespace can copy every label.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

MANAGED_BY, ROLE = "app.kubernetes.io/managed-by", "meshproof.mtls/role"
OURS, INSTALL = "meshproof.mtls", "istio_install"
REVISION, TAG = "istio.io/rev", "istio.io/tag"
RECORD = "meshproof-istio-install"
_RELEASE, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_OWNING, _OWNING_NAMESPACE = (
    "install.operator.istio.io/owning-resource",
    "install.operator.istio.io/owning-resource-namespace",
)
_DEFAULT = "default"


class Record(NamedTuple):
    """What the role istio_install wrote about an installation of its own, in the control plane's namespace."""

    namespace: str
    revision: str
    """`default` for the default one."""
    method: str
    """helm or istioctl."""
    version: str
    phase: str
    """installing or installed."""
    components: tuple[str, ...]
    fingerprint: str
    values: str
    objects: tuple[Mapping[str, Any], ...]
    """apiVersion, kind and metadata with name and namespace."""
    created: str


def suffixed(name: str, revision: str) -> str:
    """The name of something of a revision, as Istio's charts make names: `istiod` or `istiod-canary`."""
    return name if revision in ("", _DEFAULT) else f"{name}-{revision}"


def record_of(manifest: Mapping[str, Any]) -> Optional[Record]:
    """The record that a ConfigMap is; None for another ConfigMap, or for one that is none of ours as it stands."""
    metadata, data = mapping(manifest.get("metadata")), mapping(manifest.get("data"))
    revision = text(data.get("revision")) or _DEFAULT
    if mapping(metadata.get("labels")).get(ROLE) != INSTALL or metadata.get("name") != suffixed(RECORD, revision):
        return None
    try:
        objects = json.loads(text(data.get("objects")) or "[]")
    except ValueError:
        return None
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        return None
    return Record(
        text(metadata.get("namespace")),
        revision,
        text(data.get("method")),
        text(data.get("version")),
        text(data.get("phase")),
        tuple(text(data.get("components")).split()),
        text(data.get("fingerprint")),
        text(data.get("values")),
        tuple(objects),
        text(metadata.get("creationTimestamp")),
    )


def is_ours(metadata: Mapping[str, Any], namespace: str, releases: Iterable[str], records: Iterable[str]) -> bool:
    """Whether an object has our mark: our label, or that of the tool that we had install it.

    Helm and istioctl label what they make only at the end of our run, so that what a killed run left has their marks:
    one of our `releases` in our namespace, or an IstioOperator with the name of one of our `records`.
    """
    labels, notes = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    if labels.get(ROLE) == INSTALL:
        return True
    if notes.get(_RELEASE) in set(releases) and notes.get(_RELEASE_NAMESPACE) == namespace:
        return True
    return labels.get(_OWNING) in set(records) and labels.get(_OWNING_NAMESPACE, namespace) == namespace


def tool_of(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Which tool made an object (helm, istioctl, sail or unknown), and the end of a sentence that says so."""
    labels, notes = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    if labels.get(MANAGED_BY) == "sail-operator":
        return "sail", "installed by the Sail operator"
    if notes.get(_RELEASE):
        place = text(notes.get(_RELEASE_NAMESPACE)) or "an unknown namespace"
        return "helm", f"Helm release {text(notes[_RELEASE])} in {place}, installed by Helm"
    owner = text(labels.get(_OWNING))
    if owner not in ("", "unknown") or "operator.istio.io/version" in labels:
        name = owner or "without a name"
        return "istioctl", f"installed by istioctl or the Istio operator (IstioOperator {name})"
    return "unknown", "installed by a tool that left no sign"


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, none for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text, empty for anything else."""
    return value if isinstance(value, str) else ""


def count(value: Any, default: int) -> int:
    """A number of replicas; a default for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default
