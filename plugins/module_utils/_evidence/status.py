# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status_info adds around the engine: versions, gaps that come from narrow rights, and a narrower answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._policy import evaluate
from .._policy.versions import check, minor

_VERSION_LABEL = "app.kubernetes.io/version"
_ISTIOD = "istiod"
_INJECTION = "istio-injection"
_REVISION = "istio.io/rev"
# What istioctl's built-in charts call themselves, in every release.
_PLACEHOLDER = "1.0.0"


class ProposalError(Exception):
    """A proposed change is no change that could be made."""


def evaluated(resources: Iterable[Any], proposed: Iterable[Any], unread: Iterable[Any]) -> dict[str, Any]:
    """The engine's answer. Only a proposed change can make it refuse: whatever is wrong in a cluster is a finding."""
    try:
        return evaluate(resources, proposed, unread)
    except ValueError as error:
        raise ProposalError(error) from error


def istio_versions(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """The control planes' versions: of istiod's pods or, where none can be seen, of the mesh ConfigMaps."""
    pods, maps = set(), set()
    for item in resources:
        labels = (item.get("metadata") or {}).get("labels") or {}
        if item.get("kind") == "Pod" and labels.get("app") == _ISTIOD:
            pods.add(_tag(item) or str(labels.get(_VERSION_LABEL) or ""))
        elif item.get("kind") == "ConfigMap" and "mesh" in (item.get("data") or {}):
            maps.add(str(labels.get(_VERSION_LABEL) or ""))
    return sorted(version for version in pods or maps if minor(version) and version != _PLACEHOLDER)


def _tag(pod: Mapping[str, Any]) -> str:
    """The 1.31.1 of an image such as …/pilot:1.31.1-distroless; empty where the tag is no version."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        image = str(container.get("image") or "").split("@", 1)[0]
        version = image.rsplit(":", 1)[-1].split("-", 1)[0]
        if image.rsplit(":", 1)[0].endswith("pilot") and minor(version):
            return version
    return ""


def version_warnings(kubernetes: str, istio: Iterable[str]) -> list[str]:
    """A sentence for each version that this release was not checked with."""
    checks = [("Kubernetes", kubernetes), *(("Istio", version) for version in istio)]
    return [warning for warning in (check(kind, version) for kind, version in checks) if warning]


def gaps_of_narrow_rights(kinds: Iterable[str], namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """With rights in some namespaces only, everything in all others is unread."""
    names = sorted(set(namespaces))
    reason = f"only these namespaces were read (read_namespaces): {', '.join(names)}"
    return [{"kind": kind, "namespace": None, "except": names, "reason": reason} for kind in kinds]


def root_namespaces(result: Mapping[str, Any]) -> set[str]:
    """Where each revision's mesh-wide policies are."""
    return {revision["root_namespace"] for revision in result["mesh"]["revisions"]}


def injectors(resources: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The namespace labels that some webhook answers with a sidecar, and whose revision that is."""
    found: set[tuple[str, str]] = set()
    for item in resources:
        if item.get("kind") != "MutatingWebhookConfiguration":
            continue
        revision = ((item.get("metadata") or {}).get("labels") or {}).get(_REVISION) or "default"
        for webhook in item.get("webhooks") or ():
            for rule in (webhook.get("namespaceSelector") or {}).get("matchExpressions") or ():
                if rule.get("key") in (_INJECTION, _REVISION) and rule.get("operator") == "In":
                    found.update((f"{rule['key']}={value}", revision) for value in rule.get("values") or ())
    return [{"label": label, "revision": revision} for label, revision in sorted(found)]


def namespaces(resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The namespaces with what is written on them."""
    found = []
    for item in resources:
        if item.get("kind") == "Namespace":
            metadata = item["metadata"]
            found.append(
                {
                    "name": metadata["name"],
                    "labels": metadata.get("labels") or {},
                    "annotations": metadata.get("annotations") or {},
                    "phase": (item.get("status") or {}).get("phase") or "Active",
                }
            )
    return sorted(found, key=lambda namespace: namespace["name"])


def narrow(result: Mapping[str, Any], namespaces: Sequence[str]) -> dict[str, Any]:
    """Keep the workloads of these namespaces and the edges towards them; what was read stays as it is."""
    if not namespaces:
        return dict(result)
    wanted = set(namespaces)
    workloads = [item for item in result["workloads"] if item["namespace"] in wanted]
    ids = {item["id"] for item in workloads}
    edges = [edge for edge in result["edges"] if edge["endpoint"] in ids or edge["service"].split("/", 1)[0] in wanted]
    sets = {edge["clients"] for edge in edges}
    narrowed = {
        **result,
        "workloads": workloads,
        "edges": edges,
        "namespaces": [item for item in result.get("namespaces", []) if item["name"] in wanted],
        "client_sets": {name: members for name, members in result["client_sets"].items() if name in sets},
    }
    narrowed["summary"] = {
        **result["summary"],
        "workloads": {
            "total": len(workloads),
            "by_mode": _count(item["mode"] for item in workloads),
            "by_mesh": _count(item["mesh"] for item in workloads),
        },
        "edges": {"total": len(edges), "by_verdict": _count(edge["verdict"] for edge in edges)},
    }
    return narrowed


def _count(values: Iterable[Any]) -> dict[str, int]:
    return dict(sorted(Counter("none" if value is None else value for value in values).items()))
