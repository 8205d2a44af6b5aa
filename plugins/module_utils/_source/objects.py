# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role must see before it plans: objects of a few kinds, and everything that lies in a namespace.

A list counts as a whole or not at all: what broke off, or may not be read, is unread, and a plan says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from .._cluster import Cluster, ClusterError, Kind, Served, served
from .._foreign.visible import visible

_SIDE_BY_SIDE = 8
_EVENTS = "events"
_METRICS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
"""Served as objects, and measured anew for each request."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Wanted(NamedTuple):
    """Which objects to read."""

    api_version: str
    kind: str
    namespace: str | None = None
    """None for all, and for kinds of the cluster."""
    name: str | None = None
    labels: str = ""
    """A label selector."""
    fields: str = ""
    """A field selector."""
    only_metadata: bool = False


class Objects(NamedTuple):
    """What was read."""

    objects: list[dict[str, Any]]
    """Manifests without managedFields, but for those of the manager that was named."""
    absent_kinds: list[str]
    """Kinds that were asked for and that the cluster does not serve."""
    unread: list[dict[str, Any]]
    """What could not be read: kind, namespace or None, and reason."""


NOTHING = Objects([], [], [])


def read(cluster: Cluster, wanted: Iterable[Wanted], known: Served | None = None, manager: str = "") -> Objects:
    """The objects that are there of those wanted. Raises ClusterError where the cluster cannot be asked at all.

    With a `manager` each has the managedFields that it applied on the server's side: by them it knows what it once set.
    """
    known = known or served(cluster)
    jobs: list[tuple[Kind, Wanted]] = []
    absent: dict[str, None] = {}
    for item in wanted:
        kind = known.find(item.api_version, item.kind)
        if kind:
            jobs.append((kind, item))
        else:
            absent[item.kind] = None
    objects, unread = _run(cluster, jobs, manager)
    return Objects(objects, list(absent), unread)


def contents(cluster: Cluster, namespaces: Sequence[str], known: Served | None = None) -> Objects:
    """Everything that lies in some namespaces, of whatever kind: metadata only, so that no Secret's data is read.

    Each object is said once, also where two groups serve it. Raises ClusterError as ``read`` does.
    """
    known = known or served(cluster)
    kinds = [kind for kind in known.listed if kind.namespaced and kind.plural != _EVENTS and kind.group not in _METRICS]
    jobs = [
        (kind, Wanted(kind.api_version, kind.kind, namespace, only_metadata=True))
        for namespace in dict.fromkeys(namespaces)
        for kind in kinds
    ]
    objects, unread = _run(cluster, jobs)
    reason = "its API server does not answer, or not as one does"
    unread += [{"kind": f"everything of {name}", "namespace": None, "reason": reason} for name in known.silent]
    return Objects(list({item["metadata"].get("uid") or id(item): item for item in objects}.values()), [], unread)


def _run(
    cluster: Cluster, jobs: Sequence[tuple[Kind, Wanted]], manager: str = ""
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read side by side, in the order of the jobs. Raises ClusterError for credentials that are not accepted."""
    objects: list[dict[str, Any]] = []
    unread: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as threads:
        for kind, wanted, found in threads.map(lambda job: (*job, _attempt(cluster, job[0], job[1], manager)), jobs):
            if not isinstance(found, ClusterError):
                objects += found
            elif found.status == 401:
                raise found
            else:
                gap = {"kind": kind.kind, "namespace": wanted.namespace, "reason": found.reason or str(found)}
                unread += [gap] if gap not in unread else []
    return objects, unread


def _attempt(cluster: Cluster, kind: Kind, wanted: Wanted, manager: str) -> list[dict[str, Any]] | ClusterError:
    try:
        return [_brief(item, kind, manager) for item in _read(cluster, kind, wanted)]
    except ClusterError as error:
        return error


def _read(cluster: Cluster, kind: Kind, wanted: Wanted) -> list[dict[str, Any]]:
    # By its name in a list, where only its metadata is wanted: the API server has no other form of one object here.
    if wanted.name and not wanted.only_metadata:
        try:
            return [cluster.read(kind, wanted.name, wanted.namespace)]
        except ClusterError as error:
            if error.missing:
                return []
            raise
    fields = f"metadata.name={wanted.name}" if wanted.name else wanted.fields
    items: list[dict[str, Any]] = []
    for page in cluster.list(kind, wanted.namespace, wanted.labels, fields, only_metadata=wanted.only_metadata):
        if page.unusable:
            first = page.unusable[0]
            reason = f"{visible(first.name or 'an item of the list', 300)} {first.why}"
            raise ClusterError(f"{kind.kind}: {reason}", reason=reason)
        items += page.items
    return items


def _brief(item: dict[str, Any], kind: Kind, manager: str) -> dict[str, Any]:
    """A manifest under its own kind, without what only the API server or kubectl needs."""
    metadata = item["metadata"]
    applied = metadata.pop("managedFields", None)
    if manager and isinstance(applied, list):
        metadata["managedFields"] = [
            entry
            for entry in applied
            if isinstance(entry, dict) and entry.get("manager") == manager and entry.get("operation") == "Apply"
        ]
    if isinstance(metadata.get("annotations"), dict):
        metadata["annotations"].pop(_LAST_APPLIED, None)
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}
