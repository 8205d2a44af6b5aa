# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the proxies of chosen pods, many side by side, each over one connection to its admin port."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from .. import _cluster as api
from .._evidence.envoy import answers as envoy
from .._evidence.envoy import certificates
from .._evidence.envoy.choice import ProxyTarget
from .._evidence.envoy.records import Proxy, Shared
from .._foreign.guards import NOT_UNDERSTOOD
from .._policy import Reader, judge
from . import reading, selections

_BAD_REQUEST = 400


class Limits(NamedTuple):
    """How much a reading may take."""

    side_by_side: int = 16
    seconds: float = 15.0
    """For all questions to one proxy."""
    most: int = 16 * 2**20
    """Bytes of one answer."""
    all_seconds: float | None = None
    """For all proxies together; None is in proportion to how many they are."""

    def total(self, proxies: int) -> float:
        """Seconds for so many proxies: without a limit of its own a quarter of what it took if none answered at all."""
        if self.all_seconds:
            return self.all_seconds
        return max(2 * self.seconds, self.seconds * proxies / max(1, self.side_by_side) / 4)


def require_library() -> None:
    """Raises ClusterError where certificates cannot be read for want of a library."""
    if certificates.IMPORT_ERROR is not None:
        raise api.ClusterError(
            f"The Python library {certificates.LIBRARY} cannot be imported by {sys.executable} "
            f"({certificates.IMPORT_ERROR}). Remedy: {sys.executable} -m pip install {certificates.LIBRARY}; or set "
            'ansible_python_interpreter to a Python that has it, on a local host often "{{ ansible_playbook_python }}".'
        )


def workloads(
    cluster: api.Cluster, namespaces: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The workloads as status_info has them, and where pods could not be listed. Raises ClusterError."""
    reader, unread = selections.read_declared(cluster, Reader, namespaces)
    with reading.collector_paused():
        found: list[dict[str, Any]] = judge(reader, (), unread, compact=True)["workloads"]
    gaps = [gap for gap in unread if gap["kind"] == "Pod"]
    return found, [{name: gap[name] for name in ("kind", "namespace", "reason")} for gap in gaps]


def read(
    cluster: api.Cluster, targets: Sequence[ProxyTarget], upstreams: bool = False, limits: Limits | None = None
) -> list[Proxy]:
    """The record of each target, in order of the pods' names.

    One that does not answer, for whichever reason, is there with ``answered`` False and the reason. Raises
    ClusterError where no proxy at all may be read: the credentials are not accepted, or every single one is forbidden.
    """
    require_library()
    limits = limits or Limits()
    forwards = api.Forwards(cluster, envoy.ADMIN_PORT, limits.seconds, limits.most)
    shared, parsing = Shared(), threading.Lock()
    end = time.monotonic() + limits.total(len(targets))
    too_late = "the time for all proxies together was up. Remedy: raise the option total_timeout, or ask fewer"
    refusals: list[api.ClusterError] = []

    def one(target: ProxyTarget) -> Proxy:
        if time.monotonic() >= end:
            return envoy.unanswered(target, f"it was not asked: {too_late}")
        try:
            found = ask(forwards, target, upstreams)
        except api.ClusterError as error:
            if error.forbidden or error.status == 401:
                refusals.append(error)
            return envoy.unanswered(target, error.reason or str(error))
        except NOT_UNDERSTOOD as error:
            return envoy.unanswered(target, f"asking it failed ({type(error).__name__})")
        with parsing:  # one at a time: threads would not make it faster, but would hold many decoded answers
            if time.monotonic() >= end:
                return envoy.unanswered(target, f"its answer was not read: {too_late}")
            return envoy.proxy(target, found, shared)

    with ThreadPoolExecutor(max_workers=max(1, min(limits.side_by_side, len(targets)))) as threads:
        proxies = list(threads.map(one, targets))
    if refusals and len(refusals) == len(targets):
        raise refusals[0]
    return sorted(proxies, key=lambda item: item.pod)


def ask(forwards: api.Forwards, target: ProxyTarget, upstreams: bool) -> envoy.Answers:
    """Put all questions to one proxy. Raises ClusterError where it does not answer the first one.

    Big answers come last: one that is over the limit ends the connection, and so costs only itself.
    """
    got: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    with forwards.to(target.namespace, target.pod) as forward:

        def put(name: str, question: envoy.Question, instead: envoy.Question | None = None) -> None:
            try:
                got[name] = forward.get(*question)
            except api.ClusterError as error:
                if not got and error.status is None:
                    raise
                if instead and error.status == _BAD_REQUEST:
                    put(name, instead)
                else:
                    problems[name] = error.reason

        put("node", envoy.NODE)
        put("statistics", envoy.STATISTICS)
        put("secrets", envoy.SECRETS)
        put("listeners", envoy.LISTENERS if target.gateway else envoy.SIDECAR_LISTENERS)
        if not target.gateway and _has_none(got.get("listeners")):
            put("listeners", envoy.LISTENERS)  # a sidecar that intercepts nothing has its listeners by other names
        if envoy.rejected_some(got.get("statistics")):
            put("errors", envoy.ERRORS)
        if upstreams:
            put("clusters", envoy.CLUSTERS, envoy.OLDER_CLUSTERS)
            put("endpoints", envoy.ENDPOINTS)
    return envoy.Answers(**got, problems=tuple(problems.items()))


def _has_none(listeners: bytes | None) -> bool:
    return listeners is not None and b'"virtualInbound"' not in listeners
