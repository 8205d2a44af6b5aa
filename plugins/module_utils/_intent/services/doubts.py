# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors and ports of a service's objects that match nothing in its own pods, mostly of a `definition`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._foreign.visible import visible
from .entries import Manifest
from .manifests import part, pod_template, template_labels

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def unmatched(workload: Manifest, there: Optional[Manifest], others: Sequence[Manifest]) -> Iterator[str]:
    """Sentences with remedies. `workload` is the wanted one, `there` the one in the cluster, of which labels and ports
    that nobody sets anew stay; `others` are the wanted objects beside it."""
    labels = {**template_labels(there or {}), **template_labels(workload)}
    containers = _containers(workload)
    known = [*containers, *_containers(there or {})]
    names = sorted({str(port["name"]) for item in known for port in _mappings(item.get("ports")) if port.get("name")})
    for manifest, selector in _selectors([workload, *others]):
        if not selector.items() <= labels.items():
            whose = f"{manifest['kind']} {manifest['metadata']['name']}"
            yield (
                f"the selector {equations(selector)} of {whose} does not match the labels of its pods,"
                f" {equations(labels)}. Remedy: the same labels in both"
            )
    for where, port in [*_probed(containers), *_targets(others)]:
        if isinstance(port, str) and not port.isdigit() and port not in names:
            choice = f"one of {', '.join(names)}" if names else "a number, as none has a name"
            yield f"{where} port {visible(port, 40)}, and no port of its pods has that name. Remedy: {choice}"


def equations(labels: Mapping[str, Any]) -> str:
    """Labels as people write them."""
    return visible(", ".join(f"{key}={value}" for key, value in labels.items()) or "(none)", 200)


def _containers(workload: Manifest) -> list[Manifest]:
    """With those that come first, which may stay beside the others."""
    spec = part(pod_template(workload), "spec")
    return [item for field in ("containers", "initContainers") for item in _mappings(spec.get(field))]


def _selectors(manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, Mapping[str, Any]]]:
    for manifest in manifests:
        selector = part(part(manifest, "spec"), "selector")
        yield manifest, selector if manifest["kind"] == "Service" else part(selector, "matchLabels")


def _probed(containers: Sequence[Manifest]) -> Iterator[tuple[str, Any]]:
    for container in containers:
        for probe in _PROBES:
            for way in part(container, probe).values():
                yield f"{probe} asks", way.get("port") if isinstance(way, dict) else None


def _targets(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Any]]:
    for manifest in manifests:
        if manifest["kind"] == "Service":
            for port in _mappings(part(manifest, "spec").get("ports")):
                yield f"Service {manifest['metadata']['name']} leads to", port.get("targetPort")


def _mappings(value: Any) -> list[Manifest]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
