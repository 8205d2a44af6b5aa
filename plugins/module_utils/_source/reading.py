# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the engine needs: a few paged lists side by side, and an honest account of what could not be read.

An item that cannot be decoded is unread where it belongs, and nothing else is for that.

A list counts as a whole or not at all. When one breaks off after some pages, these are dropped and its kind is unread:
half a list looks like a whole one, and whatever was in the other half might have been the policy that decides.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from .._cluster import Cluster, ClusterError, Kind, Unusable
from .._foreign.visible import visible
from .slim import slim
from .stored_pods import POD

_SIDE_BY_SIDE = 4
_STARTS = 3
_VERSION = re.compile(r"[a-z0-9]+")


class Selection(NamedTuple):
    """Which objects of a kind to read."""

    kind: Kind
    labels: str = ""
    fields: str = ""


class Sink(Protocol):
    """What takes in what is read, page by page: the engine's ``Reader``, or ``Manifests``."""

    def portion(self) -> Any:
        """A sink for one list, filled in a thread of its own."""

    def add(self, resources: Iterable[Any]) -> None:
        """Take in one page."""

    def merge(self, portion: Any) -> None:
        """Take in a list that was read to its end."""


class Manifests:
    """A sink that keeps the manifests themselves, without their bulk."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], dict[str, Any]] = {}

    def portion(self) -> Manifests:
        """A sink for one list."""
        return Manifests()

    def add(self, resources: Iterable[Any]) -> None:
        """Take in one page."""
        for resource in resources:
            item = slim(resource) if resource["kind"] == "Pod" else resource
            metadata = item["metadata"]
            self._found[item["kind"], metadata.get("namespace"), metadata["name"]] = item

    def merge(self, portion: Manifests) -> None:
        """Take in a list; two selections can hold the same object."""
        self._found.update(portion._found)

    def resources(self) -> list[dict[str, Any]]:
        """All manifests."""
        return list(self._found.values())


class _Job(NamedTuple):
    selection: Selection
    namespace: str | None
    end: float


class _Read(NamedTuple):
    """What a job has brought."""

    portion: Any
    unusable: list[Unusable]


def read(
    cluster: Cluster, selections: Iterable[Selection], namespaces: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read everything selected and return the manifests and what could not be read, see ``read_into``."""
    found = Manifests()
    unread = read_into(cluster, found, selections, namespaces)
    return found.resources(), unread


def read_into(
    cluster: Cluster,
    sink: Sink,
    selections: Iterable[Selection],
    namespaces: Sequence[str] = (),
    end: float | None = None,
) -> list[dict[str, Any]]:
    """Read everything selected into a sink, in all namespaces or only in those given.

    Returns the items that could not be read, ``{"kind", "namespace", "reason"}``. An API that the cluster does not
    serve is no gap: there cannot be objects of it. What is not there at the moment `end` (by time.monotonic(); else the
    connection's option read_timeout says it) is a gap. Raises ClusterError when nothing could be read.
    """
    jobs = list(_jobs(selections, namespaces, end or cluster.deadline()))
    unread: dict[tuple[str, str | None], str] = {}
    first_error: ClusterError | None = None
    forbidden: dict[Kind, list[tuple[tuple[str, str | None], str]]] = {}
    answered = not jobs
    with collector_paused(), ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as threads:
        for job, found in threads.map(lambda job: (job, _attempt(cluster, sink, job)), jobs):
            kind = job.selection.kind.kind
            if isinstance(found, _Read):
                answered = True
                sink.merge(found.portion)
                for item in found.unusable:
                    unread.setdefault(_place(job, item), _reason(item))
                continue
            if found.status == 401:
                raise found
            first_error = first_error or found
            gap = ((kind, job.namespace), found.reason or str(found))
            if found.status == 403 and job.selection.kind.group:
                # Not said of the kind yet: two groups have a Gateway.
                forbidden.setdefault(job.selection.kind, []).append(gap)
            else:
                unread.setdefault(*gap)
    if first_error is not None and not answered:
        raise first_error
    for selected, gaps in forbidden.items():
        for gap in gaps if not _is_absent(cluster, selected) else ():
            unread.setdefault(*gap)
    return [{"kind": kind, "namespace": namespace, "reason": reason} for (kind, namespace), reason in unread.items()]


def _is_absent(cluster: Cluster, kind: Kind) -> bool:
    """Whether what is forbidden is not served either: an API server asks for rights before it looks what there is."""
    try:
        return served_as(cluster, kind) is None
    except ClusterError:
        return False


def _place(job: _Job, item: Unusable) -> tuple[str, str | None]:
    """Where something is unread for want of an item: as far away as it could belong."""
    kind = job.selection.kind
    if kind.namespaced:
        return kind.kind, item.namespace or job.namespace
    return kind.kind, (item.name or None) if kind.kind == "Namespace" else None


def _reason(item: Unusable) -> str:
    return f"{visible(item.name or 'an item of the list', 300)} {item.why}"


def _jobs(selections: Iterable[Selection], namespaces: Sequence[str], end: float) -> Iterator[_Job]:
    for selection in selections:
        if namespaces and (selection.kind.namespaced or selection.kind.kind == "Namespace"):
            for namespace in dict.fromkeys(namespaces):
                yield _Job(selection, namespace, end)
        else:
            yield _Job(selection, None, end)


def _attempt(cluster: Cluster, sink: Sink, job: _Job) -> _Read | ClusterError:
    try:
        return _read_job(cluster, sink, job)
    except ClusterError as error:
        return error


def _read_job(cluster: Cluster, sink: Sink, job: _Job) -> _Read:
    kind = job.selection.kind
    if kind.kind == "Namespace" and job.namespace:
        return _one_namespace(cluster, sink, kind, job.namespace)
    try:
        return _list(cluster, sink, kind, job)
    except ClusterError as error:
        if not error.missing:
            raise
    served = served_as(cluster, kind)
    return _list(cluster, sink, served, job) if served else _Read(sink.portion(), [])


def _one_namespace(cluster: Cluster, sink: Sink, kind: Kind, name: str) -> _Read:
    """With rights in single namespaces a Namespace can be read by its name, if at all."""
    portion = sink.portion()
    try:
        portion.add([slim(cluster.read(kind, name))])
    except ClusterError as error:
        if not error.missing:
            raise
    return _Read(portion, [])


def _list(cluster: Cluster, sink: Sink, kind: Kind, job: _Job) -> _Read:
    selection = job.selection
    stored = POD if kind.kind == "Pod" else None
    for start in range(1, _STARTS + 1):
        portion, unusable = sink.portion(), []
        try:
            for page in cluster.list(kind, job.namespace, selection.labels, selection.fields, stored, job.end):
                # A sink makes of a pod at once what it needs; the few others may be kept as they are for long.
                portion.add(page.items if kind.kind == "Pod" else map(slim, page.items))
                unusable += page.unusable
                page.items.clear()  # or they would stay in memory while the next page is decoded
        except ClusterError as error:
            # 410: the list took longer than the API server keeps its state; another start sees a newer one.
            if error.status != 410 or start == _STARTS:
                raise
        else:
            return _Read(portion, unusable)
    raise AssertionError("unreachable: the last start returns or raises")


def served_as(cluster: Cluster, kind: Kind) -> Kind | None:
    """The kind in a version that this cluster serves, or None where its API does not exist at all.

    Only a group that is truly absent, or that truly lists no such resource, means that there are no objects: a version
    that has come or gone would otherwise hide policies, and so would an answer that is none. Raises ClusterError.
    """
    if not kind.group:
        raise ClusterError(
            f"{cluster.server} knows no {kind.plural}, as every API server does. Remedy: check that the address is a "
            "Kubernetes API server's.",
            reason="the API server does not know this kind, which every one has",
        )
    try:
        group = cluster.get(f"/apis/{kind.group}")
    except ClusterError as error:
        if error.missing:
            return None
        raise
    for version in _versions(cluster, kind, group):
        served = kind._replace(version=version)
        if _lists(cluster, served):
            return served
    return None


def _versions(cluster: Cluster, kind: Kind, group: dict[str, Any]) -> list[str]:
    """The versions of a group's discovery document (APIGroup in apimachinery's meta/v1)."""
    versions = group.get("versions")
    if (group.get("kind"), group.get("name")) == ("APIGroup", kind.group) and isinstance(versions, list) and versions:
        found = [item.get("version") if isinstance(item, dict) else None for item in versions]
        if all(isinstance(version, str) and _VERSION.fullmatch(version) for version in found):
            return [str(version) for version in found]
    raise _no_discovery(cluster, f"/apis/{kind.group}", "APIGroup")


def _lists(cluster: Cluster, kind: Kind) -> bool:
    """Whether a version serves a kind, by its own list (APIResourceList)."""
    path = f"/apis/{kind.api_version}"
    content = cluster.get(path)
    resources = content.get("resources")
    if (content.get("kind"), content.get("groupVersion")) != ("APIResourceList", kind.api_version):
        raise _no_discovery(cluster, path, "APIResourceList")
    if not isinstance(resources, list) or not all(isinstance(item, dict) for item in resources):
        raise _no_discovery(cluster, path, "APIResourceList")
    return any(item.get("name") == kind.plural for item in resources)


def _no_discovery(cluster: Cluster, path: str, kind: str) -> ClusterError:
    return ClusterError(
        f"The answer of {cluster.server} to {path} is no {kind}. Remedy: check that the address is a Kubernetes API "
        "server's, and that nothing on the way answers in its place.",
        reason=f"whether it is served is unknown: the answer to {path} is no {kind}",
    )


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Decoding makes millions of long-lived objects; collecting garbage among them doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
