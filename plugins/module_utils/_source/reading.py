# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the engine needs: a few paged lists side by side, and an honest account of what could not be read.

A list counts as a whole or not at all. When one breaks off after some pages, these are dropped and its kind is unread:
half a list looks like a whole one, and whatever was in the other half might have been the policy that decides.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from .._cluster import Cluster, ClusterError, Kind
from .slim import slim

_SIDE_BY_SIDE = 4
_STARTS = 3


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
            metadata = item.get("metadata") or {}
            self._found[item.get("kind"), metadata.get("namespace"), metadata.get("name")] = item

    def merge(self, portion: Manifests) -> None:
        """Take in a list; two selections can hold the same object."""
        self._found.update(portion._found)

    def resources(self) -> list[dict[str, Any]]:
        """All manifests."""
        return list(self._found.values())


class _Job(NamedTuple):
    selection: Selection
    namespace: str | None


def read(
    cluster: Cluster, selections: Iterable[Selection], namespaces: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read everything selected and return the manifests and what could not be read, see ``read_into``."""
    found = Manifests()
    unread = read_into(cluster, found, selections, namespaces)
    return found.resources(), unread


def read_into(
    cluster: Cluster, sink: Sink, selections: Iterable[Selection], namespaces: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Read everything selected into a sink, in all namespaces or only in those given.

    Returns the items that could not be read, ``{"kind", "namespace", "reason"}``. An API that the cluster does not
    serve is no gap: there cannot be objects of it. Raises ClusterError when nothing could be read.
    """
    jobs = list(_jobs(selections, namespaces))
    unread: dict[tuple[Any, ...], dict[str, Any]] = {}
    first_error: ClusterError | None = None
    answered = not jobs
    with collector_paused(), ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as threads:
        for job, portion, error in threads.map(lambda job: (job, *_attempt(cluster, sink, job)), jobs):
            if error is None:
                answered = True
                sink.merge(portion)
                continue
            if error.status == 401:
                raise error
            first_error = first_error or error
            kind = job.selection.kind.kind
            unread.setdefault(
                (kind, job.namespace), {"kind": kind, "namespace": job.namespace, "reason": error.reason or str(error)}
            )
    if first_error is not None and not answered:
        raise first_error
    return list(unread.values())


def _jobs(selections: Iterable[Selection], namespaces: Sequence[str]) -> Iterator[_Job]:
    for selection in selections:
        if not namespaces:
            yield _Job(selection, None)
        elif selection.kind.namespaced or selection.kind.kind == "Namespace":
            for namespace in dict.fromkeys(namespaces):
                yield _Job(selection, namespace)
        else:
            yield _Job(selection, None)


def _attempt(cluster: Cluster, sink: Sink, job: _Job) -> tuple[Any, ClusterError | None]:
    try:
        return _read_job(cluster, sink, job), None
    except ClusterError as error:
        return None, error


def _read_job(cluster: Cluster, sink: Sink, job: _Job) -> Any:
    kind = job.selection.kind
    if kind.kind == "Namespace" and job.namespace:
        return _one_namespace(cluster, sink, kind, job.namespace)
    try:
        return _list(cluster, sink, kind, job)
    except ClusterError as error:
        if not error.missing:
            raise
    served = served_as(cluster, kind)
    return _list(cluster, sink, served, job) if served else sink.portion()


def _one_namespace(cluster: Cluster, sink: Sink, kind: Kind, name: str) -> Any:
    """With rights in single namespaces a Namespace can be read by its name, if at all."""
    portion = sink.portion()
    try:
        portion.add([slim({"kind": kind.kind, **cluster.get(kind.path(name=name))})])
    except ClusterError as error:
        if not error.missing:
            raise
    return portion


def _list(cluster: Cluster, sink: Sink, kind: Kind, job: _Job) -> Any:
    for start in range(1, _STARTS + 1):
        portion = sink.portion()
        try:
            for page in cluster.list(kind, job.namespace, job.selection.labels, job.selection.fields, whole=False):
                # A sink makes of a pod at once what it needs; the few others may be kept as they are for long.
                portion.add(page if kind.kind == "Pod" else map(slim, page))
                page.clear()  # or it would stay in memory while the next one is decoded
        except ClusterError as error:
            # 410: the list took longer than the API server keeps its state; another start sees a newer one.
            if error.status != 410 or start == _STARTS:
                raise
        else:
            return portion
    raise AssertionError("unreachable: the last start returns or raises")


def served_as(cluster: Cluster, kind: Kind) -> Kind | None:
    """The kind in a version that this cluster serves, or None where its API does not exist at all.

    Only a group that is truly absent means that there are no objects: a version that has come or gone would otherwise
    hide policies.
    """
    if not kind.group:
        return None
    try:
        group = cluster.get(f"/apis/{kind.group}")
    except ClusterError as error:
        if error.missing:
            return None
        raise
    for version in group.get("versions") or ():
        resources = cluster.get(f"/apis/{version['groupVersion']}").get("resources") or ()
        if any(resource.get("name") == kind.plural for resource in resources):
            return kind._replace(version=version["version"])
    return None


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
