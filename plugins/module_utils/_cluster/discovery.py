# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds a cluster serves, asked with two requests: the API server's aggregated discovery.

Its form: apidiscovery.k8s.io/v2 APIGroupDiscoveryList, which every supported Kubernetes has (KEP 3352).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .._foreign import json_text
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible
from .api import Cluster
from .errors import no_json, wrong_answer
from .kinds import Kind

_MEDIA_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_LIST, _VERSION = "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"


class Served(NamedTuple):
    """What a cluster serves."""

    kinds: dict[tuple[str, str], Kind]
    """By apiVersion and kind, as manifests name them."""
    listed: list[Kind]
    """Each kind that can be listed once, in the version that its group prefers."""
    silent: list[str]
    """The group/versions of which not all is known: the API server behind them does not answer, or not so."""

    def find(self, api_version: str, kind: str) -> Kind | None:
        """The kind that a manifest of these two is of; None where the cluster serves none."""
        return self.kinds.get((api_version, kind))


def served(cluster: Cluster) -> Served:
    """Ask what there is. Raises ClusterError, also for an answer that is no discovery."""
    found = Served({}, [], [])
    for path in ("/api", "/apis"):
        for group in _groups(cluster, path):
            _add(found, group)
    return found


def _groups(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    try:
        content = json_text.parse(cluster.request("GET", path, accept=_MEDIA_TYPE))
    except Unreadable as error:
        raise no_json(path, cluster.server) from error
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list) or (content.get("kind"), content.get("apiVersion")) != (_LIST, _VERSION):
        raise wrong_answer(f"is no {_LIST} of {_VERSION}", path, cluster.server)
    if not all(isinstance(item, dict) for item in items):
        raise wrong_answer(f"is an {_LIST} with something in it that is no group", path, cluster.server)
    return items


def _add(found: Served, group: dict[str, Any]) -> None:
    metadata = group.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    preferred: set[str] = set()
    for version in _mappings(group.get("versions")):
        api_version = f"{name}/{version.get('version')}" if name else str(version.get("version"))
        kinds = list(_kinds(str(name), version))
        if version.get("freshness") == "Stale" or len(kinds) != len(_listed(version.get("resources"))):
            found.silent.append(visible(api_version, 200))
        for resource, kind in kinds:
            found.kinds.setdefault((kind.api_version, kind.kind), kind)
            if kind.plural not in preferred and "list" in _listed(resource.get("verbs")):
                preferred.add(kind.plural)
                found.listed.append(kind)


def _kinds(group: str, version: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Kind]]:
    for resource in _mappings(version.get("resources")):
        shown = resource.get("responseKind")
        kind = shown.get("kind") if isinstance(shown, dict) else None
        plural = resource.get("resource")
        if isinstance(kind, str) and isinstance(plural, str) and isinstance(version.get("version"), str):
            yield resource, Kind(group, version["version"], plural, kind, resource.get("scope") == "Namespaced")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in _listed(value) if isinstance(item, dict)]
