# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: of a stranger, unreadable, or not shown at all."""

from __future__ import annotations

import random
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import KINDS
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import (
    ONE_OF_EACH,
    SPACES,
    answers,
    mesh,
    moved,
    ports,
    with_control_planes,
)

from .. import damage
from ..running import Target

_STRANGER = "zoo"
_ADMINISTRATORS = ("Namespace", "MutatingWebhookConfiguration")
"""Kinds that nobody writes with rights in one namespace."""
_TENANTS = [item for item in map(moved, ONE_OF_EACH) if item["kind"] not in _ADMINISTRATORS]

Answers = tuple[dict[Any, Any], dict[Any, Any]]


def _attempt(rnd: random.Random) -> None:
    manifests = rnd.choice([mesh, with_control_planes])(rnd.randrange(10**9))
    before = _answers(evaluate(manifests))
    rnd.choice([_a_stranger, _an_unreadable_one, _missing_rights])(rnd, manifests, before)


def _answers(result: dict[str, Any]) -> Answers:
    return {key: verdict for key, (_tls, verdict) in answers(result).items()}, ports(result)


def _a_stranger(rnd: random.Random, manifests: list[Any], before: Answers) -> None:
    """Damaged objects in a namespace of their own: for the others every answer is as before, or unknown."""
    foreign = [damage.value(rnd, rnd.choice(_TENANTS)) for dummy in range(rnd.randint(1, 4))]
    edges, accepted = _of_others(_answers(evaluate([*manifests, *foreign])))
    # A Gateway may open more ports of the gateways that it selects, wherever they are; what was there stays as it was.
    _no_better((edges, {key: accepted[key] for key in accepted.keys() & before[1].keys()}), before, foreign)


def _of_others(found: Answers) -> Answers:
    """Answers in which the stranger has no part, which are all that the mesh had before."""
    edges, accepted = found
    ours = tuple(f"{space}/" for space in SPACES)
    return (
        {key: verdict for key, verdict in edges.items() if key[0].startswith(ours) and _is_ours(key[1], ours)},
        {key: accepts for key, accepts in accepted.items() if key[0].startswith(ours)},
    )


def _is_ours(service: Any, ours: tuple[str, ...]) -> bool:
    return str(service).startswith(ours)


def _an_unreadable_one(rnd: random.Random, manifests: list[Any], before: Answers) -> None:
    """One object that nobody can read any more: every answer is as it was with it, or unknown."""
    place = rnd.randrange(len(manifests))
    broken = _broken(rnd, manifests[place])
    after = _answers(evaluate([*manifests[:place], broken, *manifests[place + 1 :]]))
    if manifests[place]["kind"] == "Pod":
        after = _without(_workload_of(manifests[place]), after)
    _no_better(after, before, [broken])


def _workload_of(pod: dict[str, Any]) -> str:
    metadata = pod["metadata"]
    return f"{metadata['namespace']}/Deployment/{metadata['labels']['app']}"


def _without(workload: str, found: Answers) -> Answers:
    """Answers about others: pods of one workload that differ have numbers, which the loss of one of them moves."""
    edges, accepted = found

    def is_of_it(place: Any) -> bool:
        return str(place).partition("~")[0] == workload

    return (
        {key: verdict for key, verdict in edges.items() if not is_of_it(key[0]) and not is_of_it(key[-1])},
        {key: accepts for key, accepts in accepted.items() if not is_of_it(key[0])},
    )


def _broken(rnd: random.Random, item: dict[str, Any]) -> Any:
    """The object with something about it that Kubernetes would never hand out, and that leaves open what it says."""
    metadata = item["metadata"]
    return rnd.choice(
        [
            {**item, "metadata": rnd.choice([None, 7, "x", []])},
            {**item, "metadata": {**metadata, "name": rnd.choice([None, 7, [], {}])}},
            {**item, "metadata": {**metadata, "namespace": rnd.choice([7, [], {}, True])}},
            {**item, "kind": rnd.choice([None, 7, [], ""])},
            {**item, "apiVersion": rnd.choice([None, 7, [], f"{item['apiVersion']}9"])},
            {**item, **{name: rnd.choice([7, "x", ["x"]]) for name in ("spec", "data", "webhooks") if name in item}},
            {"kind": f"{item['kind']}List", "apiVersion": item["apiVersion"], "items": rnd.choice([7, "x", [item, 7]])},
        ]
    )


def _missing_rights(rnd: random.Random, manifests: list[Any], before: Answers) -> None:
    """Several kinds that may not be read, everywhere or in some namespaces."""
    kinds = rnd.sample([kind.kind for kind in KINDS], rnd.randint(1, 4))
    gaps = [(kind, rnd.choice([None, None, *SPACES])) for kind in kinds]
    shown = [
        item
        for item in manifests
        if not any(item["kind"] == kind and where in (None, item["metadata"].get("namespace")) for kind, where in gaps)
    ]
    unread = [{"kind": kind, "namespace": where, "reason": "forbidden"} for kind, where in gaps]
    _no_better(_answers(evaluate(shown, unread=unread)), before, gaps)


def _no_better(after: Answers, before: Answers, because: Any) -> None:
    for found, expected in zip(after, before, strict=True):
        for key, answer in found.items():
            assert answer in ("unknown", expected.get(key)), (key, expected.get(key), answer, because)


TARGET = Target(
    "manifests",
    "what a stranger writes, what cannot be read and what may not be read betters no answer",
    _attempt,
)
