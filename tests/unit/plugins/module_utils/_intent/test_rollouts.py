# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts: what holds one up, and how many pods it takes away."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.rollouts import Step, held, restart, taken_away


def owner(kind="Deployment", replicas=4, **spec):
    spec = {"replicas": replicas, "template": {"metadata": {"labels": {"app": "cart"}}}, **spec}
    return {"kind": kind, "metadata": {"name": "cart", "namespace": "shop"}, "spec": spec}


def rolling(**update):
    return {"strategy": {"rollingUpdate": update}}


def budget(allowed, selector):
    return {"metadata": {"name": "always"}, "spec": {"selector": selector}, "status": {"disruptionsAllowed": allowed}}


TAKEN = {
    "a quarter of four": (owner(), 1),
    "a quarter of three, rounded down": (owner(replicas=3), 0),
    "a single pod gets its successor first": (owner(replicas=1), 0),
    "a number": (owner(**rolling(maxUnavailable=2)), 2),
    "none": (owner(**rolling(maxUnavailable=0)), 0),
    "neither more nor less is one less": (owner(**rolling(maxUnavailable=0, maxSurge=0)), 1),
    "half": (owner(**rolling(maxUnavailable="50%")), 2),
    "what is no number counts as all": (owner(**rolling(maxUnavailable="many%")), 4),
    "Recreate": (owner(strategy={"type": "Recreate"}), 4),
    "a StatefulSet, one after the other": (owner("StatefulSet"), 1),
    "a StatefulSet of several at a time": (
        owner("StatefulSet", updateStrategy={"rollingUpdate": {"maxUnavailable": 3}}),
        3,
    ),
    "nothing runs": (owner("StatefulSet", replicas=0), 0),
}


@pytest.mark.parametrize(("made", "taken"), TAKEN.values(), ids=list(TAKEN))
def test_how_many_pods_a_rollout_takes_away(made, taken):
    assert taken_away(made) == taken


def test_a_daemon_runs_as_often_as_it_is_scheduled():
    made = {**owner("DaemonSet", replicas=None), "status": {"desiredNumberScheduled": 5}}
    assert taken_away(made) == 1


MINE = {"matchLabels": {"app": "cart"}}
BUDGETS = {
    "allows it": ([budget(1, MINE)], ""),
    "allows none": (
        [budget(0, MINE)],
        "its rollout takes away 1 of its pods at a time, and PodDisruptionBudget always allows 0 now",
    ),
    "of other pods": ([budget(0, {"matchLabels": {"app": "other"}})], ""),
    "of all pods": ([budget(0, {})], "PodDisruptionBudget always allows 0"),
    "of none": ([budget(0, None)], ""),
    "by an expression": (
        [budget(0, {"matchExpressions": [{"key": "app", "operator": "In", "values": ["cart"]}]})],
        "allows 0",
    ),
    "by another one": (
        [budget(0, {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cart"]}]})],
        "",
    ),
    "by a label that is there": ([budget(0, {"matchExpressions": [{"key": "app", "operator": "Exists"}]})], "allows 0"),
    "by one that is not": ([budget(0, {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})], ""),
    "by an operator that nobody knows": (
        [budget(0, {"matchExpressions": [{"key": "a", "operator": "Like"}]})],
        "allows 0",
    ),
    "two": ([budget(5, MINE), budget(0, MINE)], "allows 0"),
}


@pytest.mark.parametrize(("budgets", "reason"), BUDGETS.values(), ids=list(BUDGETS))
def test_budgets(budgets, reason):
    found = held(owner(), budgets)
    assert reason in found
    assert bool(reason) == bool(found)


def test_a_budget_holds_up_nothing_that_takes_no_pod_away():
    assert held(owner(replicas=1), [budget(0, MINE)]) == ""


def test_the_patch_of_a_restart():
    assert restart(Step("Deployment", "shop", "cart", "restart"), "2026-01-01T00:00:00Z") == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}
        },
    }
