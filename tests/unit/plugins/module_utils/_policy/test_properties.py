# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every mesh, tried on random ones."""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import preview
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.ages import PROPOSED
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import KINDS, key_of
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import kept
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh as source
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    egress,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import (
    ONE_OF_EACH,
    SPACES,
    answers,
    damaged,
    malformed,
    mesh,
    meshes,
    moved,
    ports,
    with_control_planes,
)

SEEDS = range(60)
# A fresh seed in every run, which a failure shows; `SEED=n` repeats one. `make proof-properties` tries far more.
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
MANIFESTS = int(os.environ.get("PROPERTY_MANIFESTS") or 2000)
MESHES = int(os.environ.get("PROPERTY_MESHES") or 25)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_input_never_matters(seed):
    manifests = mesh(seed)
    expected = json.dumps(evaluate(manifests))
    random.Random(seed).shuffle(manifests)
    assert json.dumps(evaluate(manifests)) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_input_is_left_alone(seed):
    manifests = mesh(seed)
    before = copy.deepcopy(manifests)
    evaluate(manifests, proposed=[{"op": "apply", "manifest": manifests[-1]}])
    assert manifests == before


@pytest.mark.parametrize("seed", SEEDS)
def test_every_client_has_one_answer_for_each_endpoint(seed):
    result = evaluate(mesh(seed))
    assert len(answers(result)) == sum(len(result["client_sets"][row["clients"]]) for row in result["edges"])
    ids = [row["id"] for row in result["workloads"]]
    assert len(ids) == len(set(ids))
    assert {row["clients"] for row in result["edges"]} == set(result["client_sets"])


@pytest.mark.parametrize("seed", SEEDS)
def test_proposals_describe_the_state_after(seed):
    """evaluate(r, proposed=p) is evaluate(r + p), and `changes` is exactly the difference."""
    manifests = mesh(seed)
    new = [item for item in manifests if item["kind"] in ("PeerAuthentication", "DestinationRule", "Sidecar")]
    for item in new:
        item["metadata"]["creationTimestamp"] = PROPOSED
    old = [item for item in manifests if item not in new]
    before, after = evaluate(old), evaluate(old + new)
    result = evaluate(old, proposed=[{"op": "apply", "manifest": item} for item in new])
    changes, sets = result.pop("changes", []), result.pop("change_client_sets", {})
    assert result == after
    was, now = answers(before), answers(after)
    listed = {
        (client, row["service"], row["host"], row["port"], row["subset"], row["endpoint"])
        for row in changes
        if row["what"] == "edge"
        for client in sets[row["clients"]]
    }
    assert listed == {key for key in {*was, *now} if was.get(key) != now.get(key)}
    assert {(row["workload"], row["port"]) for row in changes if row["what"] == "port"} >= {
        key for key in ports(after) if ports(before).get(key) != ports(after)[key]
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_an_unrelated_namespace_changes_nothing(seed):
    """Pods, rules and policies of a namespace of its own leave all answers for the others as they were."""
    manifests = mesh(seed)
    stranger = [
        namespace("zoo"),
        pod("zoo/z"),
        peer("zoo/p", "STRICT"),
        rule("zoo/r", "*.local", tls("DISABLE")),
        egress("zoo/s", "./*"),
        service("zoo/z"),
    ]
    before, after = evaluate(manifests), evaluate(manifests + stranger)
    kept = {key: value for key, value in answers(after).items() if key[0] != "zoo/Deployment/z" and key[1] != "zoo/z"}
    assert kept == answers(before)


@pytest.mark.parametrize("seed", SEEDS[:12])
@pytest.mark.parametrize("make", [mesh, with_control_planes], ids=["policies", "control planes"])
def test_a_missing_right_never_makes_an_answer_better(make, seed):
    """Without a kind (in any one namespace, or in all) every answer is as before, or unknown."""
    manifests = make(seed)
    full = evaluate(manifests)
    before, was = answers(full), ports(full)
    for kind, where in itertools.product((kind.kind for kind in KINDS), (None, *SPACES)):
        kept = [
            item
            for item in manifests
            if item["kind"] != kind or (where is not None and item["metadata"].get("namespace") != where)
        ]
        if where is not None and len(kept) == len(manifests):
            continue
        partial = evaluate(kept, unread=[{"kind": kind, "namespace": where, "reason": "forbidden"}])
        for key, (dummy, verdict) in answers(partial).items():
            assert verdict in ("unknown", before.get(key, ("", ""))[1]), (kind, where, key)
        for place, plaintext in ports(partial).items():
            assert plaintext in ("unknown", was.get(place)), (kind, where, place)


@pytest.mark.parametrize("seed", range(150))
def test_the_order_of_malformed_manifests_does_not_matter_either(seed):
    rnd = random.Random(seed)
    manifests = [damaged(rnd, item) if rnd.random() < 0.3 else item for item in mesh(seed)]
    if len({key_of(item) for item in manifests if isinstance(item, dict)}) == len(manifests):
        expected = evaluate(manifests)["edges"]
        rnd.shuffle(manifests)
        assert evaluate(manifests)["edges"] == expected


def judged_whole(manifests: list[Any], proposed: list[Any], unread: list[Any]) -> None:
    """Everything that a module does with manifests; a refused proposal is a clear error."""
    found = source.Found()
    found.add(manifests)
    try:
        result = source.Declared(found, unread, {"server": "", "kubernetes_version": ""}).judged(proposed)
    except source.ProposalError:
        return
    json.dumps(source.narrow(result, ["n1"]))
    verdict_table(judge({**result, "rules": []}))
    preview(result)


def judged_portion(rnd: random.Random, count: int) -> None:
    """So many malformed manifests beside good ones; a failure names the first manifest that is enough for it."""
    broken = [malformed(rnd) for dummy in range(count)]
    steps = [{"op": rnd.choice(["apply", "delete"]), "manifest": item} for item in rnd.sample(broken, 2)]
    gaps = [damaged(rnd, {"kind": "Sidecar", "namespace": "n1", "reason": "x", "except": ["n2"]})]
    try:
        judged_whole([*ONE_OF_EACH, *broken], [], gaps)
        # Most such proposals are refused before anything is judged.
        judged_whole([*ONE_OF_EACH, *broken], rnd.choice([steps[:1], steps]), gaps)
        for item in broken:
            kept(item)
    except Exception:
        for item in broken:
            with_item(item)
        raise


def with_item(item: Any) -> None:
    """One malformed manifest alone, in each role that it can have."""
    try:
        judged_whole([*ONE_OF_EACH, item], [], [])
        judged_whole(ONE_OF_EACH, [{"op": "apply", "manifest": item}], [])
        judged_whole(ONE_OF_EACH, [{"op": "delete", "manifest": item}], [])
        kept(item)
    except Exception as error:
        raise AssertionError(f"this manifest alone ends in {error!r}: {item!r}") from error


def test_malformed_manifests_never_raise():
    """`make proof-properties` tries 100,000."""
    print(f"SEED={SEED}: {MANIFESTS} malformed manifests")
    rnd = random.Random(SEED)
    portion = 25
    for dummy in range(0, MANIFESTS, portion):
        judged_portion(rnd, portion)


# Proposals of every sort, and strangers of every sort, with seeds that nobody has tried before.


def proposals(rnd: random.Random, manifests: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Random steps, and the manifests that should be there after them.

    Namespaces and the owners of pods take others along, see test_what_if.py; so they stay out here.
    """
    after = {key_of(item): item for item in manifests}
    steps = []
    pool = [*mesh(rnd.randrange(10**6)), *manifests]
    for item in rnd.sample(pool, rnd.randint(1, 6)):
        if item["kind"] in ("Namespace", "Deployment", "Pod"):
            continue
        key = key_of(item)
        item = copy.deepcopy(item)
        if rnd.random() < 0.3:
            steps.append({"op": "delete", "manifest": item})
            after.pop(key, None)
            continue
        steps.append({"op": "apply", "manifest": copy.deepcopy(item)})
        age = after[key]["metadata"].get("creationTimestamp") if key in after else PROPOSED
        item["metadata"].pop("creationTimestamp", None)
        if age is not None:
            item["metadata"]["creationTimestamp"] = age
        after[key] = item
    return steps, list(after.values())


def edge_changes(result: dict[str, Any]) -> dict[tuple[Any, ...], tuple[Any, Any]]:
    """What `changes` says of each client, one by one."""

    def short(answer: dict[str, str] | None) -> tuple[str, str] | None:
        return None if answer is None else (answer["client_tls"], answer["verdict"])

    return {
        (client, row["service"], row["host"], row["port"], row["subset"], row["endpoint"]): (
            short(row["before"]),
            short(row["after"]),
        )
        for row in result["changes"]
        if row["what"] == "edge"
        for client in result["change_client_sets"][row["clients"]]
    }


def decided(port: dict[str, Any] | None) -> dict[str, Any] | None:
    """A port without the name of the policy: another one that decides the same is no change."""
    return port and {name: value for name, value in port.items() if name != "policy"}


def port_rows(result: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any] | None]:
    return {(row["id"], item["port"]): decided(item) for row in result["workloads"] for item in row["ports"]}


def differing(was: dict[Any, Any], now: dict[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    return {key: (was.get(key), now.get(key)) for key in {*was, *now} if was.get(key) != now.get(key)}


def test_any_proposal_describes_the_state_after_it():
    for name, rnd, manifests in meshes(SEED, MESHES):
        steps, expected = proposals(rnd, manifests)
        if not steps:
            continue
        before, after, result = evaluate(manifests), evaluate(expected), evaluate(manifests, proposed=steps)
        assert {key: result[key] for key in after} == after, name
        assert edge_changes(result) == differing(answers(before), answers(after)), name
        listed = {
            (row["workload"], row["port"]): (decided(row["before"]), decided(row["after"]))
            for row in result["changes"]
            if row["what"] == "port"
        }
        assert listed == differing(port_rows(before), port_rows(after)), name


def test_any_unrelated_namespace_changes_nothing():
    print(f"SEED={SEED}: {MESHES} meshes")
    rnd = random.Random(SEED)
    for dummy in range(MESHES):
        seed = rnd.randrange(10**9)
        manifests = mesh(seed)
        strangers = [moved(item) for item in mesh(seed + 1) if item["kind"] not in ("ConfigMap", "Namespace")]
        strangers.append(namespace("zoo", istio_injection="enabled"))
        before, after = evaluate(manifests), evaluate(manifests + strangers)
        kept_answers = {
            key: value
            for key, value in answers(after).items()
            if not key[0].startswith("zoo/") and not key[1].startswith("zoo/")
        }
        assert kept_answers == answers(before), seed
        assert {key: item for key, item in port_rows(after).items() if not key[0].startswith("zoo/")} == port_rows(
            before
        ), seed


def test_any_order_gives_the_same_answer():
    for name, rnd, manifests in meshes(SEED, MESHES):
        expected = json.dumps(evaluate(manifests))
        rnd.shuffle(manifests)
        assert json.dumps(evaluate(manifests)) == expected, name
