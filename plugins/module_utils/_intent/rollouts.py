# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts: which workloads one puts right, how many at a time, and how far they are.

A restart is what `kubectl rollout restart` does. It goes by the workload's own strategy, and no PodDisruptionBudget
holds it up, as budgets are about evictions: so what would go below one is left alone here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._foreign.numbers import number

RESTARTABLE = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods a changed template makes anew."""
_STAMP = "kubectl.kubernetes.io/restartedAt"

Place = tuple[str, str, str]
"""Kind, namespace and name."""
Manifest = Mapping[str, Any]


class Step(NamedTuple):
    """What is to be done with a workload."""

    kind: str
    namespace: str
    name: str
    do: str
    """restart | wait (it changes by itself) | nothing"""
    reason: str = ""
    """Why nothing can be done."""

    @property
    def place(self) -> Place:
        """Which workload it is about."""
        return self.kind, self.namespace, self.name

    @property
    def workload(self) -> str:
        """As people read it."""
        return f"{self.namespace}/{self.kind}/{self.name}"

    def brief(self) -> dict[str, str]:
        """What identifies it, for playbooks."""
        return {"namespace": self.namespace, "kind": self.kind, "name": self.name, "workload": self.workload}


def steps(batch: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps of a batch that went through a playbook."""
    return [Step(**{name: item[name] for name in Step._fields}) for item in batch]


def by_place(manifests: Iterable[Manifest]) -> dict[Place, Manifest]:
    """The manifests of namespaced objects, by what and where they are."""
    return {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]): item for item in manifests}


def held(owner: Manifest, budgets: Iterable[Manifest]) -> str:
    """Why a restart would not make all pods anew, or would take too many away; empty where it is fine.

    `owner` is a Deployment, StatefulSet or DaemonSet, `budgets` are the PodDisruptionBudgets of its namespace.
    """
    spec = owner.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    if spec.get("paused"):
        return "its rollout is paused"
    if strategy.get("type") == "OnDelete":
        return "update strategy OnDelete: delete its pods yourself"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        return f"update strategy holds back the pods below partition {partition}"
    taken = taken_away(owner)
    for budget in budgets:
        allowed = number((budget.get("status") or {}).get("disruptionsAllowed")) or 0
        if taken > allowed and selects(budget, owner):
            return (
                f"its rollout takes away {taken} of its pods at a time, and PodDisruptionBudget"
                f" {budget['metadata']['name']} allows {allowed} now"
            )
    return ""


def taken_away(owner: Manifest) -> int:
    """How many pods a rollout may take away before new ones are ready (Kubernetes' deployment/util ResolveFenceposts).

    A StatefulSet and a DaemonSet take one away by default, a Deployment a quarter, rounded down, as it adds new ones.
    """
    spec = owner.get("spec") or {}
    replicas = _wanted(owner)
    if owner["kind"] != "Deployment":
        rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        # A DaemonSet that adds a pod first takes none away.
        unavailable = _share(rolling.get("maxUnavailable", 1), replicas, up=True)
        return min(unavailable, replicas)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return replicas
    rolling = strategy.get("rollingUpdate") or {}
    unavailable = _share(rolling.get("maxUnavailable", "25%"), replicas)
    surge = _share(rolling.get("maxSurge", "25%"), replicas, up=True)
    return min(unavailable if unavailable or surge else 1, replicas)


def _share(value: Any, whole: int, up: bool = False) -> int:
    """A number, or a percentage of the whole; what is neither counts as all of it."""
    if isinstance(value, str) and value.endswith("%"):
        percent = number(value[:-1])
        return whole if percent is None else (whole * percent + (99 if up else 0)) // 100
    found = number(value)
    return whole if found is None else found


def selects(budget: Manifest, owner: Manifest) -> bool:
    """Whether a budget is about the pods of a workload; in doubt it is."""
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    template = (owner.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    terms = selector.get("matchExpressions") or ()
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(term, labels) for term in terms
    )


def _holds(term: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    value, values = labels.get(str(term.get("key"))), term.get("values") or ()
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers.get(str(term.get("operator")), True)


def batches(wanted: Sequence[Step], size: int) -> list[list[Step]]:
    """The steps in portions of so many restarts, in their order; 0 makes one of all.

    Waiting costs nothing: it is in the last one.
    """
    restarts = [step for step in wanted if step.do == "restart"]
    waits = [step for step in wanted if step.do == "wait"]
    size = size or len(restarts) or 1
    found = [restarts[start : start + size] for start in range(0, len(restarts), size)]
    if waits:
        found = [*found[:-1], [*found[-1], *waits]] if found else [waits]
    return found


def restart(step: Step, time: str) -> dict[str, Any]:
    """The patch that restarts a workload; `time` is RFC 3339's."""
    return {
        "apiVersion": "apps/v1",
        "kind": step.kind,
        "metadata": {"name": step.name, "namespace": step.namespace},
        "spec": {"template": {"metadata": {"annotations": {_STAMP: time}}}},
    }


def unfinished(owner: Manifest) -> str:
    """How far a rollout is, empty when all its pods are new and ready (kubectl's rollout status)."""
    status = owner.get("status") or {}
    wanted = _wanted(owner)
    daemon = owner["kind"] == "DaemonSet"
    updated = status.get("updatedNumberScheduled" if daemon else "updatedReplicas") or 0
    available = status.get("numberAvailable" if daemon else "availableReplicas") or 0
    seen = (status.get("observedGeneration") or 0) >= (owner["metadata"].get("generation") or 0)
    if seen and updated == wanted and available == wanted:
        return ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or "no pod can be created")
    return f"{available} of {wanted} pods ready, {updated} new"


def _wanted(owner: Manifest) -> int:
    if owner["kind"] == "DaemonSet":
        return number((owner.get("status") or {}).get("desiredNumberScheduled")) or 0
    found = number((owner.get("spec") or {}).get("replicas"))
    return 1 if found is None else found
