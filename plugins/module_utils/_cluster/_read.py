# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the engine needs: a few paged lists side by side, and an honest account of what could not be read."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ._api import Cluster, Kind
from ._errors import ClusterError
from ._slim import slim

_SIDE_BY_SIDE = 4
_STARTS = 3


class Selection(NamedTuple):
    """Which objects of a kind to read."""

    kind: Kind
    labels: str = ""
    fields: str = ""


class _Job(NamedTuple):
    selection: Selection
    namespace: str | None


def read(
    cluster: Cluster, selections: Iterable[Selection], namespaces: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read everything selected, in all namespaces or only in those given.

    Returns the manifests and the items that could not be read, ``{"kind", "namespace", "reason"}``. An API that the
    cluster does not serve is no gap: there cannot be objects of it. Raises ClusterError when nothing could be read.
    """
    jobs = list(_jobs(selections, namespaces))
    resources: dict[tuple[Any, ...], dict[str, Any]] = {}
    unread: dict[tuple[Any, ...], dict[str, Any]] = {}
    first_error: ClusterError | None = None
    answered = not jobs
    with _collector_paused(), ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as threads:
        for job, items, error in threads.map(lambda job: (job, *_attempt(cluster, job)), jobs):
            for item in items:
                resources.setdefault(_identity(item), item)  # two selections can hold the same object
            if error is None:
                answered = True
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
    return list(resources.values()), list(unread.values())


def _jobs(selections: Iterable[Selection], namespaces: Sequence[str]) -> Iterator[_Job]:
    for selection in selections:
        if not namespaces:
            yield _Job(selection, None)
        elif selection.kind.namespaced or selection.kind.kind == "Namespace":
            for namespace in dict.fromkeys(namespaces):
                yield _Job(selection, namespace)
        else:
            yield _Job(selection, None)


def _attempt(cluster: Cluster, job: _Job) -> tuple[list[dict[str, Any]], ClusterError | None]:
    try:
        return _read_job(cluster, job), None
    except ClusterError as error:
        return [], error


def _read_job(cluster: Cluster, job: _Job) -> list[dict[str, Any]]:
    kind = job.selection.kind
    if kind.kind == "Namespace" and job.namespace:
        return _one_namespace(cluster, kind, job.namespace)
    try:
        return _list(cluster, kind, job)
    except ClusterError as error:
        if not error.missing:
            raise
    served = served_as(cluster, kind)
    return _list(cluster, served, job) if served else []


def _one_namespace(cluster: Cluster, kind: Kind, name: str) -> list[dict[str, Any]]:
    """With rights in single namespaces a Namespace can be read by its name, if at all."""
    try:
        return [slim(cluster.get(kind.path(name=name)))]
    except ClusterError as error:
        if error.missing:
            return []
        raise


def _list(cluster: Cluster, kind: Kind, job: _Job) -> list[dict[str, Any]]:
    for start in range(1, _STARTS + 1):
        items: list[dict[str, Any]] = []
        try:
            for page in cluster.list(kind, job.namespace, job.selection.labels, job.selection.fields):
                items.extend(slim(item) for item in page)
        except ClusterError as error:
            # 410: the list took longer than the API server keeps its state; another start sees a newer one.
            if error.status != 410 or start == _STARTS:
                raise
        else:
            return items
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


def _identity(item: dict[str, Any]) -> tuple[Any, ...]:
    metadata = item.get("metadata") or {}
    return item.get("kind"), metadata.get("namespace"), metadata.get("name")


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Decoding makes millions of long-lived objects; collecting garbage among them doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
