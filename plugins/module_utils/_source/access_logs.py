# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the access logs of chosen workloads' proxies through the API server."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Union

from .. import _cluster as api
from .._cluster.timed import Bounds
from .._evidence.traffic import access_log, queries
from .._evidence.traffic.rows import Counts, unknown
from .._policy import evaluate
from . import reading

POD = api.Kind("", "v1", "pods", "Pod")
PROXY = "istio-proxy"
ROLE = "meshproof-access-log"
LOG_BYTES = 16 * 1024 * 1024
"""So much of a proxy's log is read at most."""
SECONDS = 300
"""For all logs together, if nothing else is said."""
_SECONDS_EACH = 60
_SHORTEST_ENTRY = 4096
"""Runtimes write a longer line in several entries (containerd at 16 KiB, CRI-O's conmon at 8), and tailLines counts
entries: whoever sends long headers makes a log of a few lines reach it."""
_SIDE_BY_SIDE = 4
_FINISHED = ("Succeeded", "Failed")


class _Member(NamedTuple):
    """A pod whose log is to be read."""

    workload: str
    """namespace/name"""
    pod: str
    proxy: bool


class _Extent(NamedTuple):
    """How much of each log."""

    window: int
    tail_lines: int
    end: float
    """The moment, by time.monotonic(), at which all of them are there or not at all."""


class _Log(NamedTuple):
    """What one pod's log came to."""

    counts: Counts
    reading: access_log.Reading
    lines: int
    cut: bool


def read(
    cluster: api.Cluster,
    counts: Counts,
    workloads: Collection[str],
    namespaces: Collection[str],
    window: int,
    tail_lines: int,
    seconds: float | None = None,
) -> tuple[set[str], list[dict[str, Any]]]:
    """Count the inbound lines of these workloads (namespace/name), and of all in these namespaces, in a window.

    The window is in seconds, and so is what all logs together may take. Returns the workloads of which something may be
    missing, and what is not known. Raises ClusterError when no log at all could be read.
    """
    pods, gaps = _pods(cluster, sorted({*namespaces, *map(_namespace, workloads)}))
    everyone = _members(pods)
    callers = _callers(pods, everyone)
    chosen = [one for one in everyone if one.workload in workloads or _namespace(one.workload) in namespaces]
    gaps += _not_there(chosen, workloads, namespaces)
    # Whoever reaches a pod without a proxy is in no log.
    doubted = {one.workload for one in chosen if not one.proxy}
    gaps += [_gap(name, "a pod of it has no proxy that could log") for name in sorted(doubted)]
    readings: dict[str, list[access_log.Reading]] = {}
    failures: list[api.ClusterError] = []
    jobs = [one for one in chosen if one.proxy]
    extent = _Extent(window, tail_lines, time.monotonic() + (seconds or SECONDS))
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as threads:
        for job, log in threads.map(lambda job: (job, _log(cluster, job, extent, callers)), jobs):
            if isinstance(log, api.ClusterError):
                failures.append(log)
                problem = f"the log of the pod {job.pod} could not be read: {log}"
            else:
                counts.merge(log.counts)
                readings.setdefault(job.workload, []).append(log.reading)
                if not log.cut:
                    continue
                problem = (
                    f"of the pod {job.pod} only the last {log.lines} lines were read. Remedy: choose a shorter window, "
                    "or raise tail_lines"
                )
            doubted.add(job.workload)
            gaps.append(_gap(job.workload, problem))
    if failures and not readings:
        raise failures[0]
    for workload, found in sorted(readings.items()):
        gaps += [_gap(workload, problem) for problem in access_log.problems(found, queries.duration(window))]
        if any(reading.unread for reading in found):
            doubted.add(workload)
    return doubted, gaps


def _namespace(workload: str) -> str:
    return workload.partition("/")[0]


def _not_there(
    chosen: list[_Member], workloads: Collection[str], namespaces: Collection[str]
) -> Iterator[dict[str, Any]]:
    names = {member.workload for member in chosen}
    for name in sorted(set(workloads) - names):
        yield _gap(name, "no pod of it was found")
    for namespace in sorted(set(namespaces) - set(map(_namespace, names))):
        yield unknown("no pod was found in it", f"traffic to {namespace}", namespace)


def _gap(workload: str, reason: str) -> dict[str, Any]:
    return unknown(reason, f"traffic to {workload}", _namespace(workload))


def _pods(cluster: api.Cluster, namespaces: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All pods, since callers can be anywhere; with rights in single namespaces those of the servers' namespaces.

    Beside them the namespaces that could not be read.
    """
    try:
        return reading.read(cluster, [reading.Selection(POD)])[0], []
    except api.ClusterError as error:
        if not error.forbidden:
            raise
    pods, unread = reading.read(cluster, [reading.Selection(POD)], namespaces)
    return pods, [unknown(gap["reason"], f"traffic to {gap['namespace']}", gap["namespace"]) for gap in unread]


def _members(pods: list[dict[str, Any]]) -> list[_Member]:
    """Every pod with its workload, as the engine finds it."""
    return [
        _Member(f"{workload['namespace']}/{workload['name']}", pod, workload["mesh"] in ("sidecar", "gateway"))
        for workload in evaluate(pods)["workloads"]
        for pod in workload["pods"]
    ]


def _callers(pods: list[dict[str, Any]], members: list[_Member]) -> Mapping[str, list[access_log.Caller]]:
    """Who has which address now. A node's own address, which many pods share, is nobody's."""
    names = {(_namespace(member.workload), member.pod): member.workload for member in members}
    found: dict[str, list[access_log.Caller]] = {}
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        workload = names.get((metadata.get("namespace"), metadata.get("name")))
        own = not pod["spec"].get("hostNetwork") and status.get("phase") not in _FINISHED
        if workload and own and status.get("podIP"):
            since = str(metadata.get("creationTimestamp") or "")
            found.setdefault(status["podIP"], []).append(access_log.Caller(workload, since))
    return found


def _with_less_rights(error: api.ClusterError) -> api.ClusterError:
    """The refusal of a log, with the role that allows just that."""
    return api.ClusterError(
        f"{error.reason.rstrip('.')}. Remedy: ask for the ClusterRole {ROLE} that this collection ships, bound in the "
        "servers' namespaces.",
        error.status,
        error.reason,
    )


def _log(
    cluster: api.Cluster, member: _Member, extent: _Extent, callers: Mapping[str, list[access_log.Caller]]
) -> Union[_Log, api.ClusterError]:
    """Read and count in one go, so that no more than a few logs are in memory."""
    namespace = _namespace(member.workload)
    query = {
        "container": PROXY,
        "sinceSeconds": extent.window,
        "tailLines": extent.tail_lines,
        "limitBytes": LOG_BYTES,
    }
    bounds = Bounds(min(extent.end, time.monotonic() + _SECONDS_EACH), 2 * LOG_BYTES)
    try:
        body = cluster.request("GET", f"{POD.path(namespace, member.pod)}/log", query=query, bounds=bounds)
    except api.ClusterError as error:
        return _with_less_rights(error) if error.forbidden else error
    # Only a line feed ends a line: callers choose paths and agents, and splitlines() knows nine more ends of lines.
    lines = body.decode("utf-8", "replace").rstrip("\n").split("\n") if body else []
    counts = Counts()
    reading = access_log.count(counts, lines, member.workload, callers)
    entries = len(lines) + len(body) // _SHORTEST_ENTRY
    return _Log(counts, reading, len(lines), entries >= extent.tail_lines or len(body) >= LOG_BYTES)
