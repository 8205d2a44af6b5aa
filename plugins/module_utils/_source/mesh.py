# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status_info adds around the engine: versions, gaps that come from narrow rights, and a narrower answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._policy import Reader, judge
from .._policy.manifests import CONTROL_PLANE
from .._policy.versions import check, minor

_VERSION_LABEL = "app.kubernetes.io/version"
_INJECTION = "istio-injection"
_REVISION = "istio.io/rev"
# What istioctl's built-in charts call themselves, in every release.
_PLACEHOLDER = "1.0.0"


class ProposalError(Exception):
    """A proposed change is no change that could be made."""


class Found:
    """Takes in what is read of a mesh, page by page: the engine's records, and what is said beside its answer."""

    def __init__(self, reader: Reader | None = None) -> None:
        self.reader = reader or Reader()
        self._control_planes: list[Any] = []

    def portion(self) -> Found:
        """An empty one for a single list."""
        return Found(self.reader.portion())

    def add(self, resources: Iterable[Any]) -> None:
        """Take in manifests."""
        page = list(resources)
        self.reader.add(page)
        # Their images tell the versions, which no record of the engine does.
        self._control_planes.extend(item for item in _of_kind(page, "Pod") if _is_control_plane(item))

    def merge(self, portion: Found) -> None:
        """Take in a list that was read to its end."""
        self.reader.merge(portion.reader)
        self._control_planes.extend(portion._control_planes)

    def revisions(self) -> set[str]:
        """The control planes that the objects speak of."""
        return self.reader.revisions()

    def root_namespaces(self) -> set[str]:
        """Where each revision's mesh-wide policies are, and its control plane."""
        return self.reader.root_namespaces()

    def shared_maps(self) -> set[str]:
        """The ConfigMaps that control planes share beside their own."""
        return self.reader.shared_maps()

    def resources(self) -> list[Any]:
        """The manifests that are still there: all but pods, and the control planes' pods."""
        return [*self.reader.others, *self._control_planes]


class Declared(NamedTuple):
    """What the policies of a mesh say, wherever that was read."""

    found: Found
    unread: list[dict[str, Any]]
    """What could not be read: kind, namespace and reason."""
    cluster: dict[str, Any]
    """server and kubernetes_version, as far as they are known."""

    def judged(self, proposed: Iterable[Any] = (), compact: bool = False) -> dict[str, Any]:
        """The engine's answer, in its compact form on demand, with what is said beside it.

        Only a proposed change can make the engine refuse: whatever is wrong in a cluster is a finding.
        """
        try:
            result = judge(self.found.reader, proposed, self.unread, compact)
        except ValueError as error:
            raise ProposalError(error) from error
        resources = self.found.resources()
        result["cluster"] = {**self.cluster, "istio_versions": istio_versions(resources)}
        result["injectors"] = injectors(resources)
        result["namespaces"] = namespaces(resources)
        return result

    def addresses(self, workloads: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """The workload of each pod's own address; several pods of a host share the node's."""
        owners = {(item["namespace"], pod): item["id"] for item in workloads for pod in item["pods"]}
        return {
            pod.ip: owners[place]
            for place, pod in self.found.reader.pods.items()
            if pod.ip and not pod.shape.host_network and place in owners
        }


def _is_control_plane(pod: dict[str, Any]) -> bool:
    return pod["kind"] == "Pod" and _labels(pod).get("app") == CONTROL_PLANE


def istio_versions(resources: Iterable[Any]) -> list[str]:
    """The control planes' versions: of istiod's pods or, where none can be seen, of the mesh ConfigMaps."""
    pods, maps = set(), set()
    for item in _of_kind(resources, "Pod", "ConfigMap"):
        label = str(_labels(item).get(_VERSION_LABEL) or "")
        if _is_control_plane(item):
            pods.add(_tag(item) or label)
        elif item["kind"] == "ConfigMap" and "mesh" in _dict(item.get("data")):
            maps.add(label)
    return sorted(version for version in pods or maps if minor(version) and version != _PLACEHOLDER)


def _tag(pod: Mapping[str, Any]) -> str:
    """The 1.31.1 of an image such as …/pilot:1.31.1-distroless; empty where the tag is no version."""
    for container in _list(_dict(pod.get("spec")).get("containers")):
        image = str(container.get("image") or "").split("@", 1)[0]
        version = image.rsplit(":", 1)[-1].split("-", 1)[0]
        if image.rsplit(":", 1)[0].endswith("pilot") and minor(version):
            return version
    return ""


def version_warnings(cluster: Mapping[str, Any]) -> list[str]:
    """A sentence for each version that this release was not checked with."""
    checks = [("Kubernetes", cluster["kubernetes_version"]), *(("Istio", found) for found in cluster["istio_versions"])]
    # A dump of manifests does not say its cluster's version.
    return [warning for warning in (check(kind, version) for kind, version in checks if version) if warning]


def injectors(resources: Iterable[Any]) -> list[dict[str, str]]:
    """The namespace labels that some webhook answers with a sidecar, and whose revision that is."""
    found: set[tuple[str, str]] = set()
    for item in _of_kind(resources, "MutatingWebhookConfiguration"):
        revision = str(_labels(item).get(_REVISION) or "")
        if not revision:
            continue  # somebody else's webhook: every one of Istio's names its revision
        for webhook in _list(item.get("webhooks")):
            for rule in _list(_dict(webhook.get("namespaceSelector")).get("matchExpressions")):
                if rule.get("key") in (_INJECTION, _REVISION) and rule.get("operator") == "In":
                    values = rule.get("values")
                    if isinstance(values, list):
                        found.update((f"{rule['key']}={value}", revision) for value in values)
    return [{"label": label, "revision": revision} for label, revision in sorted(found)]


def namespaces(resources: Iterable[Any]) -> list[dict[str, Any]]:
    """The namespaces with what is written on them."""
    found = [
        {
            "name": str(item["metadata"].get("name") or ""),
            "labels": _labels(item),
            "annotations": _dict(item["metadata"].get("annotations")),
            "phase": _dict(item.get("status")).get("phase") or "Active",
        }
        for item in _of_kind(resources, "Namespace")
    ]
    return sorted(found, key=lambda namespace: str(namespace["name"]))


def _of_kind(resources: Iterable[Any], *kinds: str) -> Iterator[dict[str, Any]]:
    """The manifests of some kinds; those of a wrong shape are for the engine to complain about."""
    for item in resources:
        if isinstance(item, dict) and item.get("kind") in kinds and isinstance(item.get("metadata"), dict):
            yield item


def _labels(item: dict[str, Any]) -> dict[str, Any]:
    return _dict(item["metadata"].get("labels"))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_OF_CLIENTS = ("id", "namespace", "kind", "name", "mesh", "mode", "lacks_proxy")


def narrow(result: Mapping[str, Any], namespaces: Sequence[str]) -> dict[str, Any]:
    """Keep the workloads of these namespaces and the edges towards them; what was read stays as it is.

    `clients` says what a judge must know of those clients of these edges that live elsewhere.
    """
    if not namespaces:
        return dict(result)
    wanted = set(namespaces)
    workloads = [item for item in result["workloads"] if item["namespace"] in wanted]
    ids = {item["id"] for item in workloads}
    edges = [edge for edge in result["edges"] if edge["endpoint"] in ids or edge["service"].split("/", 1)[0] in wanted]
    sets = {edge["clients"] for edge in edges}
    named = {member for name in sets for member in result["client_sets"][name]} - ids
    narrowed = {
        **result,
        "workloads": workloads,
        "clients": [{name: item[name] for name in _OF_CLIENTS} for item in result["workloads"] if item["id"] in named],
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
