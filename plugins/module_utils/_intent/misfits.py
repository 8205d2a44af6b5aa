# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads whose running pods are not in the mesh as their namespace wants it, and what puts each right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._foreign.visible import visible
from . import rollouts
from .rollouts import Step

DATAPLANE = "istio.io/dataplane-mode"
_INJECT = "sidecar.istio.io/inject"

Manifest = Mapping[str, Any]


class Membership(NamedTuple):
    """How the pods of a namespace shall be in the mesh."""

    mesh: str
    """sidecar | ambient | none"""
    label: str
    """key=value of the label that injects, empty for none."""


class Misfit(NamedTuple):
    """A workload whose running pods are not in the mesh as their namespace wants it."""

    kind: str
    namespace: str
    name: str
    mesh: str
    wanted: str


def found(standing: Mapping[str, Membership], status: Mapping[str, Any]) -> list[Misfit]:
    """The misfits of some namespaces, by status_info's full answer.

    A gateway is a proxy itself, and a prediction has no pods.
    """
    revisions: dict[str, set[str]] = {}
    for injector in status.get("injectors") or ():
        revisions.setdefault(injector["label"], set()).add(injector["revision"])
    result = []
    for workload in status.get("workloads") or ():
        space = standing.get(workload["namespace"])
        if space is None or workload["mesh"] == "gateway" or workload.get("predicted"):
            continue
        expected, revision = revisions.get(space.label), workload.get("revision")
        aside = space.mesh == "sidecar" and expected and revision and revision not in expected
        if workload["mesh"] != space.mesh or aside:
            result.append(
                Misfit(workload["kind"], workload["namespace"], workload["name"], workload["mesh"], space.mesh)
            )
    return list(dict.fromkeys(result))


def steps(misfits: Iterable[Misfit], objects: Iterable[Manifest]) -> list[Step]:
    """What is to be done with each; `objects` are the owners and the PodDisruptionBudgets of their namespaces."""
    namespaced = [manifest for manifest in objects if manifest["metadata"].get("namespace")]
    owners = rollouts.by_place(namespaced)
    budgets: dict[str, list[Manifest]] = {}
    for manifest in namespaced:
        if manifest["kind"] == "PodDisruptionBudget":
            budgets.setdefault(manifest["metadata"]["namespace"], []).append(manifest)
    return [
        _step(misfit, owners.get((misfit.kind, misfit.namespace, misfit.name)), budgets.get(misfit.namespace, ()))
        for misfit in misfits
    ]


def _step(misfit: Misfit, owner: Manifest | None, budgets: Sequence[Manifest]) -> Step:
    needs_restart = "sidecar" in (misfit.mesh, misfit.wanted)
    reason = _hopeless(misfit, owner)
    if not reason and needs_restart and owner:
        reason = rollouts.held(owner, budgets)
    do = "nothing" if reason else "restart" if needs_restart else "wait"
    return Step(misfit.kind, misfit.namespace, misfit.name, do, reason)


def _hopeless(misfit: Misfit, owner: Manifest | None) -> str:
    """Why a restart does not make a workload as wanted; empty where it does."""
    if misfit.kind == "Pod":
        return "bare pod: delete it and make it anew"
    if misfit.kind == "Job":
        return "Job: its next run follows the label"
    if misfit.kind not in rollouts.RESTARTABLE:
        return "not a kind that this role restarts: restart it yourself"
    if owner is None:
        return "gone in the meantime, or not to be read"
    template = (owner.get("spec") or {}).get("template") or {}
    metadata, pod = template.get("metadata") or {}, template.get("spec") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    by = "label" if _INJECT in labels else "annotation"
    inject = str(labels.get(_INJECT, annotations.get(_INJECT, ""))).lower()
    dataplane = labels.get(DATAPLANE)
    if pod.get("hostNetwork"):
        return "hostNetwork: Istio never takes its traffic"
    if any(container.get("name") == "istio-proxy" for container in containers):
        return "its sidecar is written into its pod template"
    if misfit.wanted == "sidecar" and inject == "false":
        return f"opted out by its pod {by} {_INJECT}=false"
    if misfit.wanted == "ambient" and dataplane == "none":
        return f"opted out by its pod label {DATAPLANE}=none"
    if misfit.wanted != "sidecar" and by == "label" and inject == "true":
        return f"asks for a sidecar by its pod label {_INJECT}=true"
    if misfit.wanted == "none" and dataplane == "ambient":
        return f"opted in by its pod label {DATAPLANE}=ambient"
    return ""


def questions(misfits: Sequence[Misfit]) -> list[dict[str, Any]]:
    """What has to be read to know what puts them right: a question of objects_info for each kind.

    One namespace is read by itself, so that rights in that namespace are enough; several are one list.
    """
    concerned = [misfit for misfit in misfits if misfit.kind in rollouts.RESTARTABLE]
    namespaces = {misfit.namespace for misfit in concerned}
    where = {"namespace": namespaces.pop()} if len(namespaces) == 1 else {}
    kinds = [kind for kind in rollouts.RESTARTABLE if any(misfit.kind == kind for misfit in concerned)]
    budgets = [{"api_version": "policy/v1", "kind": "PodDisruptionBudget", **where}] if kinds else []
    return [{"api_version": "apps/v1", "kind": kind, **where} for kind in kinds] + budgets


# --- how far it is --------------------------------------------------------------------------------------------------


class Time(NamedTuple):
    """For whom is waited, how long already, and for how long at most."""

    role: str
    seconds: int
    limit: Any


def follow(batch: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What has to be read to know how far a batch is: its owners, and the warnings of their namespaces."""
    places = sorted({(item["kind"], item["namespace"]) for item in batch if item["kind"] in rollouts.RESTARTABLE})
    namespaces = dict.fromkeys(namespace for dummy, namespace in places)
    warnings = {"api_version": "v1", "kind": "Event", "field_selectors": ["type=Warning"]}
    return [
        *({"api_version": "apps/v1", "kind": kind, "namespace": namespace} for kind, namespace in places),
        *({**warnings, "namespace": namespace} for namespace in namespaces),
    ]


def progress(
    standing: Mapping[str, Membership],
    status: Mapping[str, Any],
    batch: Iterable[Mapping[str, Any]],
    there: Mapping[str, Any],
    time: Time,
) -> dict[str, Any]:
    """How far a batch is.

    `pending`: those that are not as wanted, or whose new pods are not all ready. `line`: that in one line. `failure`:
    what to say when there is no more time. `there` is objects_info's answer to ``follow``.
    """
    asked = rollouts.steps(batch)
    astray = {(misfit.kind, misfit.namespace, misfit.name) for misfit in found(standing, status)}
    owners = rollouts.by_place(item for item in there["objects"] if item["metadata"].get("namespace"))
    pending: list[tuple[Step, str]] = []
    for step in asked:
        owner = owners.get(step.place)
        rollout = rollouts.unfinished(owner) if owner and step.do == "restart" else ""
        # Without its owner a workload that was restarted is gone.
        if rollout or (step.place in astray and (owner or step.do == "wait")):
            captured = "not captured yet" if step.do == "wait" else "not in the mesh as wanted"
            pending.append((step, rollout or captured))
    texts = [visible(f"{step.workload} ({reason})", 140) for step, reason in pending]
    return {
        "pending": [step.brief() for step, dummy in pending],
        "line": (
            f"{len(asked) - len(pending)} of {len(asked)} workloads are as wanted after {time.seconds} s (at most"
            f" {time.limit} s); waiting for {'; '.join(texts[:3])}{' and others' if texts[3:] else ''}"
        ),
        "failure": _failure(pending, there["objects"], time),
    }


def _failure(pending: Sequence[tuple[Step, str]], objects: Iterable[Manifest], time: Time) -> str:
    events = sorted(
        (item for item in objects if item["kind"] == "Event"), key=lambda event: str(event.get("lastTimestamp") or "")
    )
    lines = [f"{len(pending)} workloads are not as wanted after {time.seconds} s:"]
    for step, reason in pending[:10]:
        lines.append(f"- {visible(step.workload, 200)} ({visible(reason, 300)})")
        said = [event for event in events if _is_about(event, step)]
        if said:
            about = said[-1].get("involvedObject") or {}
            words = f"{about.get('kind')} {about.get('name')}: {said[-1].get('reason')}: {said[-1].get('message')}"
            lines.append(f"  last warning: {visible(words.strip(), 500)}")
    if len(pending) > 10:
        lines.append(f"and {len(pending) - 10} more")
    remedy = f"put right what the warnings name, or give more time ({time.role}_wait_timeout), then run this role again"
    return "\n".join([*lines, f"Remedy: {remedy}: it goes on where it stopped."])


def _is_about(event: Manifest, step: Step) -> bool:
    """Whether a warning is about a workload or what it owns, whose names begin with its own."""
    about = event.get("involvedObject") or {}
    name = str(about.get("name") or "")
    return about.get("namespace") == step.namespace and (name == step.name or name.startswith(f"{step.name}-"))
