# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether services run and what was removed is gone; and where not, why, and what helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..._foreign.visible import visible

Manifest = Mapping[str, Any]

_IMAGE = (
    "check the image's name and tag (istio_services_image, or image in istio_services_list), that the nodes reach its"
    " registry, and istio_services_image_pull_secrets where the registry wants a login"
)
_REMEDIES = {
    "ErrImagePull": _IMAGE,
    "ImagePullBackOff": _IMAGE,
    "InvalidImageName": _IMAGE,
    "ErrImageNeverPull": _IMAGE,
    "Unschedulable": (
        "lower istio_services_resources (or the sidecar's requests, global.proxy.resources in istio_install_values) or"
        " add nodes"
    ),
    "CrashLoopBackOff": (
        "read what it said last (kubectl logs --previous), check istio_services_args and the security context"
    ),
    "CreateContainerConfigError": "make what the message names (a Secret, a ConfigMap, a user that is not root)",
    "NotReady": "see whether its readiness probe asks the right port and path (readiness_probe in istio_services_list)",
    "FailedCreate": (
        "remove what the message names (a quota, an admission webhook that does not answer; for Istio's, run"
        " istio_install)"
    ),
    "Failed": "read what its pods said (kubectl logs); the next run of the role makes the Job again",
    "Running": "give it more time (istio_services_wait_timeout), or do not wait (istio_services_wait=false)",
    "Going": "see what holds it (metadata.finalizers, or pods that do not end), then run the role again",
}
"""What to do, by the reason that Kubernetes gives, or by one of our own."""
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "Failed"})
"""Reasons that time does not cure."""
_SAID_BY_EVENTS = frozenset({"Starting", "NotReady", "CrashLoopBackOff"})
"""Reasons that do not say why; the others would only be said again."""
_MOST_SAID, _MOST_SHOWN = 10, 3
_LONGEST = 140


class _Pending(NamedTuple):
    namespace: str
    name: str
    reason: str
    text: str
    hopeless: bool = False


class Progress(NamedTuple):
    """How far the services are."""

    done: bool
    given_up: bool
    """Whether the time is over, or would not help."""
    line: str
    sentence: str
    """For whoever gave up: what does not run, why, and the remedies."""


def watched(wanted: Iterable[Manifest] = (), gone: Sequence[Manifest] = ()) -> dict[str, Any]:
    """What to wait for: `running` and `gone` as kind, namespace and name, and how objects_info `reads` and `events`."""
    running = [_reference(item) for item in wanted if item["kind"] in _DONE]
    leaving = [_reference(item) for item in gone]
    spaces = list(dict.fromkeys(item["namespace"] for item in running))
    kinds = {(item["api_version"], item["kind"], item["namespace"]): None for item in [*running, *leaving]}
    reads = [{"api_version": api, "kind": kind, "namespace": space} for api, kind, space in kinds]
    reads += [{"api_version": "v1", "kind": "Pod", "namespace": space} for space in spaces]
    events = [
        {"api_version": "v1", "kind": "Event", "namespace": space, "field_selectors": ["type=Warning"]}
        for space in spaces
    ]
    return {"running": running, "gone": leaving, "reads": reads, "events": events}


def progress(
    watch: Mapping[str, Any],
    objects: Iterable[Manifest],
    seconds: int = 0,
    limit: int = 0,
    events: Iterable[Manifest] = (),
) -> Progress:
    """How far it is after so many seconds of at most `limit`; `objects` are those that `watch` reads, so `events`."""
    seen = list(objects)
    there = {_key(item): item for item in seen}
    pods = [item for item in seen if item["kind"] == "Pod" and not item["metadata"].get("deletionTimestamp")]
    pending = []
    for item in watch["running"]:
        found = there.get((item["kind"], item["namespace"], item["name"]))
        if found is None or not _DONE[item["kind"]](found):
            pending.append(_pending(item, found or {}, pods))
    for item in watch["gone"]:
        if (item["kind"], item["namespace"], item["name"]) in there:
            pending.append(_Pending(item["namespace"], item["name"], "Going", f"{item['kind']} is being removed"))
    whole = len(watch["running"]) + len(watch["gone"])
    what = "objects are gone" if watch["gone"] else "services run"
    shown = "; ".join(visible(_said(item), _LONGEST) for item in pending[:_MOST_SHOWN])
    more = f" and {len(pending) - _MOST_SHOWN} more" if len(pending) > _MOST_SHOWN else ""
    line = f"{whole - len(pending)} of {whole} {what} after {seconds} s (at most {limit} s); waiting for {shown}{more}"
    given_up = bool(pending) and (seconds >= limit or any(item.hopeless for item in pending))
    return Progress(not pending, given_up, line, _sentence(pending, whole, what, seconds, list(events)))


def _sentence(pending: Sequence[_Pending], whole: int, what: str, seconds: int, events: Sequence[Manifest]) -> str:
    lines = [f"{whole - len(pending)} of {whole} {what} after {seconds} s."]
    for item in pending[:_MOST_SAID]:
        warning = _last_warning(item, events) if item.reason in _SAID_BY_EVENTS else ""
        default = f"kubectl --namespace {item.namespace} describe pods -l app={item.name}"
        lines.append(f"{visible(_said(item))}{warning}. Remedy: {_REMEDIES.get(item.reason, default)}.")
    if len(pending) > _MOST_SAID:
        lines.append(f"And {len(pending) - _MOST_SAID} more.")
    return "\n".join(lines)


def _said(item: _Pending) -> str:
    return f"{item.namespace}/{item.name}: {item.text.strip().rstrip('.')}"


def _last_warning(item: _Pending, events: Sequence[Manifest]) -> str:
    """The last thing that Kubernetes warned of about a service's objects and their pods."""
    found = []
    for event in events:
        about = event.get("involvedObject") or {}
        name = str(about.get("name"))
        if about.get("namespace") == item.namespace and (name == item.name or name.startswith(f"{item.name}-")):
            found.append((str(event.get("lastTimestamp") or event.get("eventTime") or ""), about, event))
    if not found:
        return ""
    dummy, about, event = max(found, key=lambda entry: entry[0])
    text = f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}"
    return f" (last warning: {visible(text.strip().rstrip('.'), 500)})"


# Whether one runs.


def _status(item: Manifest) -> Mapping[str, Any]:
    return item.get("status") or {}


def _is_current(item: Manifest) -> bool:
    return bool((_status(item).get("observedGeneration") or 0) >= (item["metadata"].get("generation") or 0))


def _replicas(item: Manifest) -> int:
    found = (item.get("spec") or {}).get("replicas")
    return found if isinstance(found, int) else 1


def _rolled_out(item: Manifest) -> bool:
    status, wanted = _status(item), _replicas(item)
    counts = [status.get(key) or 0 for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return _is_current(item) and counts == [wanted] * 3


def _set_rolled_out(item: Manifest) -> bool:
    """A StatefulSet that updates on delete has as many old pods as somebody wants."""
    status, wanted = _status(item), _replicas(item)
    on_delete = ((item.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    updated = on_delete or wanted == 0 or status.get("currentRevision") == status.get("updateRevision")
    counts = [status.get(key) or 0 for key in ("replicas", "readyReplicas")]
    return bool(_is_current(item) and updated and counts == [wanted] * 2)


def _condition(item: Manifest, name: str, value: str = "True") -> Mapping[str, Any]:
    for condition in _status(item).get("conditions") or ():
        if condition.get("type") == name and condition.get("status") == value:
            return dict(condition)
    return {}


def has_failed(item: Manifest) -> bool:
    """Whether a Job failed for good."""
    return item["kind"] == "Job" and bool(_condition(item, "Failed"))


def _completed(item: Manifest) -> bool:
    suspended = (item.get("spec") or {}).get("suspend")
    return bool(suspended or _condition(item, "Complete"))


_DONE = {"Deployment": _rolled_out, "StatefulSet": _set_rolled_out, "Job": _completed}
"""By kind; nothing is waited for with a CronJob, whose Jobs come later."""


# Why one does not.


def _pending(item: Mapping[str, str], found: Manifest, pods: Iterable[Manifest]) -> _Pending:
    namespace, name = item["namespace"], item["name"]
    failed = _condition(found, "Failed")
    if failed:
        return _Pending(namespace, name, "Failed", f"the Job failed: {_why(failed)}", hopeless=True)
    hopeless = bool(_condition(found, "Progressing", "False"))
    reasons = list(_reasons(found, pods))
    if not reasons and item["kind"] == "Job" and _status(found).get("ready"):
        reasons = [("Running", "the Job has not ended yet")]
    reason, text = reasons[0] if reasons else ("Starting", "its pods are starting")
    return _Pending(namespace, name, reason, text, hopeless or any(reason in _HOPELESS for reason, dummy in reasons))


def _reasons(found: Manifest, pods: Iterable[Manifest]) -> Iterator[tuple[str, str]]:
    """(reason, text) of all that Kubernetes says, the most telling first."""
    failure = _condition(found, "ReplicaFailure")
    if failure:
        yield str(failure.get("reason")), f"no pod can be created: {failure.get('message')}"
    for pod in pods:
        if not found or not _is_pod_of(pod, found):
            continue
        name, status = pod["metadata"]["name"], _status(pod)
        unscheduled = _condition(pod, "PodScheduled", "False")
        if unscheduled:
            yield str(unscheduled.get("reason")), f"pod {name}: {_why(unscheduled)}"
        for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            state = container.get("state") or {}
            waiting = state.get("waiting") or {}
            where = f"pod {name}, container {container.get('name')}"
            if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
                yield str(waiting.get("reason")), f"{where} ({container.get('image')}): {_why(waiting)}"
            elif state.get("running") is not None and not container.get("ready"):
                yield "NotReady", f"{where}: runs but is not ready"


def _why(said: Mapping[str, Any]) -> str:
    return ": ".join(str(said[key]) for key in ("reason", "message") if said.get(key))


def _is_pod_of(pod: Manifest, workload: Manifest) -> bool:
    """By the labels that the workload selects; a Job has its pods' label made by Kubernetes."""
    meta = pod["metadata"]
    selector = (workload.get("spec") or {}).get("selector") or {}
    wanted = selector.get("matchLabels") or {"app": workload["metadata"]["name"]}
    labels = meta.get("labels") or {}
    return meta.get("namespace") == workload["metadata"]["namespace"] and wanted.items() <= labels.items()


def _key(manifest: Manifest) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace") or "", meta["name"]


def _reference(manifest: Manifest) -> dict[str, str]:
    kind, namespace, name = _key(manifest)
    return {"api_version": manifest["apiVersion"], "kind": kind, "namespace": namespace, "name": name}
