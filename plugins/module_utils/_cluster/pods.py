# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that live for one question: a namespace for them, waiting, logs, and removal whatever happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from .._foreign import numbers
from .._foreign.visible import visible
from .api import Cluster
from .errors import ClusterError
from .kinds import Kind
from .process import has_died, own_process

NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Kind("", "v1", "pods", "Pod")
EVENT = Kind("", "v1", "events", "Event")

_POLL = 0.5
_NAMESPACE_PATIENCE = 60
_ACCOUNT_PATIENCE = 20
# After its own deadline a pod may still need a moment to be stopped; then its probe is certainly dead.
_GRACE = timedelta(seconds=60)
_LONGEST_LIFE = 366 * 24 * 3600
_MOST_LOG = 32 * 1024 * 1024
_PROCESS = "meshproof.mtls/process"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that nothing on the way swallows it."""


class Reading(Protocol):
    """What a pod's status means to whoever waits for it; ``_evidence.probe_pods`` is one."""

    def is_finished(self, pod: Mapping[str, Any], containers: Sequence[str], /) -> bool:
        """Whether these containers have ended."""

    def has_started(self, pod: Mapping[str, Any], containers: Sequence[str], /) -> bool:
        """Whether one of these containers runs or ran."""

    def problem_of(self, pod: Mapping[str, Any], /) -> str | None:
        """Why it will never start."""

    def loss_of(self, pod: Mapping[str, Any], /) -> str | None:
        """Why it was stopped from outside."""

    def hindrance_of(self, pod: Mapping[str, Any], /) -> str:
        """What it is still waiting for."""


class ShortLivedPods:
    """A context in which pods can be started; at its end none of them is left, and no namespace that was made for them.

    ``namespaces`` are all that pods are started in. ``labels`` mark what is ours, ``run_label`` holds the run's
    identifier, so that runs side by side do not disturb one another.
    """

    def __init__(
        self, cluster: Cluster, namespaces: Sequence[str], labels: Mapping[str, str], run_label: str, run: str
    ) -> None:
        self._cluster = cluster
        self._namespaces = list(dict.fromkeys(namespaces))
        self._labels = dict(labels)
        self._selector = ",".join(f"{name}={value}" for name, value in labels.items())
        self._run_label = run_label
        self._run = run
        self._names: set[str] = set()
        """Of the pods that were started; a label alone could be anybody's."""
        self._handlers: dict[int, Any] = {}
        self._now: datetime | None = None
        self._may_read_namespaces = True

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
        namespace = manifest["metadata"]["namespace"]
        manifest["metadata"].setdefault("annotations", {})[_PROCESS] = own_process()
        self._names.add(manifest["metadata"]["name"])  # whatever the answer is, the pod may be there
        end = time.monotonic() + _NAMESPACE_PATIENCE
        account_end = time.monotonic() + _ACCOUNT_PATIENCE
        while True:
            self._ensure_namespace(namespace, end)
            try:
                pod = self._cluster.create(POD, manifest)
            except ClusterError as error:
                # The namespace of a probe beside us may go just now, and a new one gets its ServiceAccount a bit later.
                going = (error.missing and self._may_read_namespaces) or "being terminated" in error.reason
                fresh = "error looking up service account" in error.reason and time.monotonic() < account_end
                if not (going and time.monotonic() < end) and not fresh:
                    raise
            else:
                self._now = _time(pod["metadata"].get("creationTimestamp"))
                return pod
            time.sleep(_POLL)

    def clear_leftovers(self) -> list[str]:
        """Remove pods of probes that died; needs a pod of ours, whose age tells the API server's time."""
        leftovers = [pod for pod in self._pods() if self._is_leftover(pod)]
        for pod in leftovers:
            self._delete_pod(pod)
        return [pod["metadata"]["name"] for pod in leftovers]

    def wait(self, wanted: Mapping[str, Sequence[str]], timeout: float, reading: Reading) -> dict[str, str]:
        """Wait until the named containers of the named pods have ended.

        Returns why pods that had started did not get to their end: evicted, deleted by somebody else, too slow.
        Raises ClusterError for a pod that cannot start, since then something has to be put right.
        """
        end = time.monotonic() + timeout
        started: set[str] = set()
        lost: dict[str, str] = {}
        while True:
            late = time.monotonic() > end
            pods = {pod["metadata"]["name"]: pod for pod in self._pods()}
            waiting = [name for name in wanted if name not in lost]
            waiting = [
                name for name in waiting if name not in pods or not reading.is_finished(pods[name], wanted[name])
            ]
            for name in waiting:
                pod = pods.get(name)
                if pod is None:
                    lost[name] = "it was deleted by somebody else"
                    continue
                if reading.has_started(pod, wanted[name]):
                    started.add(name)
                problem = reading.problem_of(pod)
                why = reading.loss_of(pod)
                if why is None and late:
                    why = f"not done within {timeout:.0f} s: {reading.hindrance_of(pod)}"
                if why and (name in started or pod["metadata"].get("deletionTimestamp")):
                    lost[name] = visible(why)
                elif problem or why:
                    where = f"{pod['metadata']['namespace']}/{name}"
                    raise ClusterError(f"The pod {where} did not run: {_sentence(problem or why)}{self._event(pod)}")
            if not set(waiting) - lost.keys():
                return lost
            time.sleep(_POLL)

    def log(self, namespace: str, pod: str, container: str) -> str:
        """What a container printed."""
        query = {"container": container, "limitBytes": _MOST_LOG}
        return self._cluster.request("GET", f"{POD.path(namespace, pod)}/log", query=query).decode("utf-8", "replace")

    def _ensure_namespace(self, name: str, end: float) -> None:
        while True:
            try:
                namespace = self._cluster.read(NAMESPACE, name)
            except ClusterError as error:
                if error.forbidden:  # rights in this one namespace only: then it exists, or the pod's creation says so
                    self._may_read_namespaces = False
                    return
                if not error.missing:
                    raise
                self._create_namespace(name)
                return
            if not namespace["metadata"].get("deletionTimestamp"):
                return
            if time.monotonic() > end:
                raise ClusterError(
                    f"The namespace {name} has been terminating for too long{_remaining(namespace)}. "
                    "Remedy: remove what holds it, or choose another namespace."
                )
            time.sleep(_POLL)

    def _create_namespace(self, name: str) -> None:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": self._labels}}
        try:
            self._cluster.create(NAMESPACE, manifest)
        except ClusterError as error:
            if error.status != 409:  # another probe was faster
                raise

    def _pods(self, *namespaces: str) -> list[dict[str, Any]]:
        """The pods of all probes, in all our namespaces or in these."""
        return [
            pod
            for namespace in namespaces or self._namespaces
            for page in self._cluster.list(POD, namespace, labels=self._selector)
            for pod in page.items
        ]

    def _is_own(self, pod: Mapping[str, Any]) -> bool:
        named = pod["metadata"]["name"] in self._names
        return named and _texts(pod["metadata"].get("labels")).get(self._run_label) == self._run

    def _is_leftover(self, pod: Mapping[str, Any]) -> bool:
        """Whether the probe behind a pod is dead: seen at once on the same machine, elsewhere by the pod's age."""
        if self._is_own(pod):
            return False
        if has_died(_texts(pod["metadata"].get("annotations")).get(_PROCESS, "")):
            return True
        spec = pod.get("spec")
        life = numbers.number(spec.get("activeDeadlineSeconds")) if isinstance(spec, dict) else None
        born = _time(pod["metadata"].get("creationTimestamp"))
        if self._now is None or born is None or life is None or life > _LONGEST_LIFE:
            return False
        return born + timedelta(seconds=life) + _GRACE < self._now

    def _delete_pod(self, pod: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        only_this = {"uid": metadata.get("uid", "")}
        self._cluster.delete(
            POD, metadata["name"], metadata["namespace"], gracePeriodSeconds=1, preconditions=only_this
        )

    def _remove(self) -> None:
        """Remove our pods, then each namespace that is ours and that nobody else uses; one failure stops no other."""
        failures = []
        for namespace in self._namespaces:
            try:
                self._remove_from(namespace)
            except ClusterError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _remove_from(self, namespace: str) -> None:
        for pod in self._pods(namespace):
            if self._is_own(pod) or self._is_leftover(pod):
                self._delete_pod(pod)
        if self._remove_namespace(namespace):
            return
        end = time.monotonic() + _ACCOUNT_PATIENCE
        while any(self._is_own(pod) for pod in self._pods(namespace)):
            if time.monotonic() > end:
                raise ClusterError(
                    f"Pods of this probe in {namespace} are still terminating. Remedy: wait for them; the next "
                    "probe removes what is left."
                )
            time.sleep(_POLL)

    def _remove_namespace(self, name: str) -> bool:
        try:
            namespace = self._cluster.read(NAMESPACE, name)
        except ClusterError as error:
            if error.missing:
                return True
            if error.forbidden:  # rights in one namespace only: then somebody else made it
                return False
            raise
        labels = _texts(namespace["metadata"].get("labels"))
        if any(labels.get(name) != value for name, value in self._labels.items()):
            return False
        if namespace["metadata"].get("deletionTimestamp"):
            return True
        # All pods, also those that are not a probe's: a namespace that somebody else has begun to use stays.
        for page in self._cluster.list(POD, name):
            if page.unusable or any(not self._is_own(pod) and not self._is_leftover(pod) for pod in page.items):
                return False
        self._cluster.delete(NAMESPACE, name, preconditions={"uid": namespace["metadata"].get("uid", "")})
        return True

    def _event(self, pod: Mapping[str, Any]) -> str:
        """The last warning about a pod, for a message; without the right to read events there is none."""
        metadata = pod["metadata"]
        fields = f"involvedObject.name={metadata['name']},type=Warning"
        try:
            pages = list(self._cluster.list(EVENT, metadata["namespace"], fields=fields))
        except ClusterError:
            return ""
        events = [event for page in pages for event in page.items]
        events.sort(key=lambda event: str(event.get("lastTimestamp") or ""))
        if not events:
            return ""
        return f" Last event: {visible(events[-1].get('reason'))}: {_sentence(events[-1].get('message'))}"


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupted(f"ended by signal {signal.Signals(number).name}")


def _sentence(text: Any) -> str:
    return f"{visible(text).rstrip('.')}."


def _time(stamp: Any) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError):
        return None


def _texts(labels: Any) -> Mapping[str, str]:
    """Labels or annotations, as far as they are such."""
    return {key: value for key, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}


def _remaining(namespace: Mapping[str, Any]) -> str:
    status = namespace.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    messages = [
        visible(condition.get("message"))
        for condition in (conditions if isinstance(conditions, list) else ())
        if isinstance(condition, dict) and condition.get("status") == "True"
    ]
    return f" ({'; '.join(messages)})" if messages else ""
