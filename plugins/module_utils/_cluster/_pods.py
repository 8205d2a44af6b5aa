# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that live for one question: a namespace for them, waiting, logs, and removal whatever happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ._api import Cluster, Kind
from ._errors import ClusterError
from ._process import has_died, own_process

NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Kind("", "v1", "pods", "Pod")
EVENT = Kind("", "v1", "events", "Event")

_POLL = 0.5
_NAMESPACE_PATIENCE = 60
_ACCOUNT_PATIENCE = 20
# After its own deadline a pod may still need a moment to be stopped; then its probe is certainly dead.
_GRACE = timedelta(seconds=60)
_PROCESS = "meshproof.mtls/process"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that nothing on the way swallows it."""


class ShortLivedPods:
    """A context in which pods can be started; at its end none of them is left, and no namespace that was made for them.

    ``labels`` mark what is ours, ``run_label`` holds the run's identifier, so that runs side by side do not disturb
    one another.
    """

    def __init__(self, cluster: Cluster, namespace: str, labels: Mapping[str, str], run_label: str, run: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._labels = dict(labels)
        self._selector = ",".join(f"{name}={value}" for name, value in labels.items())
        self._run_label = run_label
        self._run = run
        self._handlers: dict[int, Any] = {}
        self._now: datetime | None = None
        self._may_read_namespace = True

    def __enter__(self) -> ShortLivedPods:
        for number in _SIGNALS:
            self._handlers[number] = signal.signal(number, _interrupt)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for number in _SIGNALS:  # nothing may interrupt the removal
            signal.signal(number, signal.SIG_IGN)
        try:
            self._remove()
        except ClusterError as failure:
            if error is None:
                raise
            raise ClusterError(f"{error} Moreover, not everything could be removed: {failure}") from error
        finally:
            for restored, handler in self._handlers.items():
                signal.signal(restored, handler)

    def start(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create a pod, and before it the namespace where that is missing; return it as the webhooks made it."""
        manifest["metadata"].setdefault("annotations", {})[_PROCESS] = own_process()
        end = time.monotonic() + _NAMESPACE_PATIENCE
        account_end = time.monotonic() + _ACCOUNT_PATIENCE
        while True:
            self._ensure_namespace(end)
            try:
                pod = self._cluster.create(POD, manifest)
            except ClusterError as error:
                # The namespace of a probe beside us may go just now, and a new one gets its ServiceAccount a bit later.
                going = (error.missing and self._may_read_namespace) or "being terminated" in error.reason
                fresh = "error looking up service account" in error.reason and time.monotonic() < account_end
                if not (going and time.monotonic() < end) and not fresh:
                    raise
            else:
                self._now = _time(pod["metadata"]["creationTimestamp"])
                return pod
            time.sleep(_POLL)

    def clear_leftovers(self) -> list[str]:
        """Remove pods of probes that died; needs a pod of ours, whose age tells the API server's time."""
        leftovers = [name for name, pod in self._pods().items() if self._is_leftover(pod)]
        for name in leftovers:
            self._delete_pod(name)
        return leftovers

    def wait(
        self,
        wanted: Mapping[str, Sequence[str]],
        timeout: float,
        is_finished: Callable[[Mapping[str, Any], Sequence[str]], bool],
        problem_of: Callable[[Mapping[str, Any]], str | None],
        hindrance_of: Callable[[Mapping[str, Any]], str],
    ) -> None:
        """Wait until the named containers of the named pods have ended; say why when they cannot."""
        end = time.monotonic() + timeout
        while True:
            pods = self._pods()
            for name, containers in wanted.items():
                pod = pods.get(name)
                if pod is None:
                    raise ClusterError(
                        f"The pod {self._namespace}/{name} has gone while it was waited for. Remedy: see who removed "
                        "it, or whether its namespace is being deleted; then run this again."
                    )
                problem = problem_of(pod)
                if problem is None and time.monotonic() > end and not is_finished(pod, containers):
                    problem = f"not done within {timeout:.0f} s: {hindrance_of(pod)}"
                if problem:
                    raise ClusterError(
                        f"The pod {self._namespace}/{name} did not run: {problem.rstrip('.')}.{self._event(name)}"
                    )
            if all(is_finished(pods[name], containers) for name, containers in wanted.items()):
                return
            time.sleep(_POLL)

    def log(self, pod: str, container: str) -> str:
        """What a container printed."""
        path = f"{POD.path(self._namespace, pod)}/log"
        return self._cluster.request("GET", path, query={"container": container}).decode("utf-8", "replace")

    def _ensure_namespace(self, end: float) -> None:
        while True:
            try:
                namespace = self._cluster.get(NAMESPACE.path(name=self._namespace))
            except ClusterError as error:
                if error.forbidden:  # rights in this one namespace only: then it exists, or the pod's creation says so
                    self._may_read_namespace = False
                    return
                if not error.missing:
                    raise
                self._create_namespace()
                return
            if not namespace["metadata"].get("deletionTimestamp"):
                return
            if time.monotonic() > end:
                raise ClusterError(
                    f"The namespace {self._namespace} has been terminating for too long{_remaining(namespace)}. "
                    "Remedy: remove what holds it, or choose another namespace."
                )
            time.sleep(_POLL)

    def _create_namespace(self) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self._namespace, "labels": self._labels},
        }
        try:
            self._cluster.create(NAMESPACE, manifest)
        except ClusterError as error:
            if error.status != 409:  # another probe was faster
                raise

    def _pods(self) -> dict[str, dict[str, Any]]:
        pages = self._cluster.list(POD, self._namespace, labels=self._selector)
        return {pod["metadata"]["name"]: pod for page in pages for pod in page}

    def _is_own(self, pod: Mapping[str, Any]) -> bool:
        return (pod["metadata"].get("labels") or {}).get(self._run_label) == self._run

    def _is_leftover(self, pod: Mapping[str, Any]) -> bool:
        """Whether the probe behind a pod is dead: seen at once on the same machine, elsewhere by the pod's age."""
        if self._is_own(pod):
            return False
        if has_died((pod["metadata"].get("annotations") or {}).get(_PROCESS) or ""):
            return True
        life = pod["spec"].get("activeDeadlineSeconds")
        if self._now is None or life is None:
            return False
        return _time(pod["metadata"]["creationTimestamp"]) + timedelta(seconds=life) + _GRACE < self._now

    def _delete_pod(self, name: str) -> None:
        self._cluster.delete(POD, name, self._namespace, gracePeriodSeconds=1)

    def _remove(self) -> None:
        """Remove our pods, then the namespace if it is ours and nobody else uses it."""
        pods = self._pods()
        for name, pod in pods.items():
            if self._is_own(pod) or self._is_leftover(pod):
                self._delete_pod(name)
        if self._remove_namespace():
            return
        end = time.monotonic() + _ACCOUNT_PATIENCE
        while any(self._is_own(pod) for pod in self._pods().values()):
            if time.monotonic() > end:
                raise ClusterError(
                    f"Pods of this probe in {self._namespace} are still terminating. Remedy: wait for them; the next "
                    "probe removes what is left."
                )
            time.sleep(_POLL)

    def _remove_namespace(self) -> bool:
        try:
            namespace = self._cluster.get(NAMESPACE.path(name=self._namespace))
        except ClusterError as error:
            if error.missing:
                return True
            if error.forbidden:  # rights in one namespace only: then somebody else made it
                return False
            raise
        labels = namespace["metadata"].get("labels") or {}
        if any(labels.get(name) != value for name, value in self._labels.items()):
            return False
        if namespace["metadata"].get("deletionTimestamp"):
            return True
        # All pods, also those that are not a probe's: a namespace that somebody else has begun to use stays.
        others = [pod for page in self._cluster.list(POD, self._namespace) for pod in page]
        if any(not self._is_own(pod) and not self._is_leftover(pod) for pod in others):
            return False
        self._cluster.delete(NAMESPACE, self._namespace, preconditions={"uid": namespace["metadata"]["uid"]})
        return True

    def _event(self, pod: str) -> str:
        """The last warning about a pod, for a message; without the right to read events there is none."""
        try:
            pages = list(self._cluster.list(EVENT, self._namespace, fields=f"involvedObject.name={pod},type=Warning"))
        except ClusterError:
            return ""
        events = sorted((event for page in pages for event in page), key=lambda event: event.get("lastTimestamp") or "")
        if not events:
            return ""
        return f" Last event: {events[-1].get('reason')}: {str(events[-1].get('message')).rstrip('.')}."


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupted(f"ended by signal {signal.Signals(number).name}")


def _time(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")


def _remaining(namespace: Mapping[str, Any]) -> str:
    messages = [
        str(condition.get("message"))
        for condition in (namespace.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True"
    ]
    return f" ({'; '.join(messages)})" if messages else ""
