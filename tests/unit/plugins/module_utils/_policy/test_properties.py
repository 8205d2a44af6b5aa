# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every mesh, tried on random ones."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import key_of
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    egress,
    headless,
    istio,
    mesh_config,
    namespace,
    peer,
    pod,
    port_tls,
    rule,
    service,
    subset,
    tls,
)

SPACES = ["istio-system", "n1", "n2", "n3"]
APPS = ["a", "b", "c"]
MODES = ["STRICT", "PERMISSIVE", "DISABLE", "UNSET", None]
TLS = ["ISTIO_MUTUAL", "DISABLE", "SIMPLE", None]
SEEDS = range(60)


def mesh(seed: int) -> list[dict[str, Any]]:
    """A random mesh of everything that the engine knows."""
    rnd = random.Random(seed)
    pick = rnd.choice

    def maybe(share: float) -> bool:
        return rnd.random() < share

    found: list[dict[str, Any]] = []
    if maybe(0.7):
        found.append(mesh_config(enableAutoMtls=maybe(0.8), rootNamespace=pick(SPACES[:2])))
    for space in SPACES:
        found.append(namespace(space, **({"istio_injection": "enabled"} if maybe(0.6) else {})))
        for app in APPS:
            kind = pick(["sidecar", "sidecar", "native", "none", "ambient", "gateway"])
            notes = {"traffic.sidecar.istio.io/excludeInboundPorts": "8080"} if maybe(0.1) else {}
            labels = {"version": pick(["1", "2"])}
            for number in range(rnd.randint(0, 2)):
                found.append(
                    pod(f"{space}/{app}", kind, labels, notes, number=number, ip=f"10.{len(found)}.0.{number}")
                )
            if maybe(0.3):
                found.append(deployment(f"{space}/{app}", labels))
            if maybe(0.8):
                build = headless if maybe(0.2) else service
                ports = [{"name": pick(["http", "tcp"]), "port": 80, "targetPort": pick([8080, 80, "web"])}]
                found.append(build(f"{space}/{app}", pick([None, None, None, ".", "n1,n2"]), ports=ports))
    for number in range(rnd.randint(0, 6)):
        selector = {"app": pick(APPS)} if maybe(0.5) else None
        ports = {8080: pick(MODES)} if selector and maybe(0.4) else None
        found.append(peer(f"{pick(SPACES)}/p{number}", pick(MODES), selector, ports, age=rnd.randint(0, 3)))
    for number in range(rnd.randint(0, 6)):
        more: dict[str, Any] = {}
        if maybe(0.3):
            more["export_to"] = [pick([".", "*", *SPACES])]
        if maybe(0.3):
            more["selector"] = {"app": pick(APPS)}
            more.pop("export_to", None)
        if maybe(0.3):
            more["subsets"] = [subset("v1", pick([None, tls(pick(TLS)), port_tls(80, pick(TLS))]), version="1")]
        policy = pick(
            [
                None,
                tls(pick(TLS)),
                {**tls(pick(TLS)), **port_tls(80, pick(TLS))},
                {"loadBalancer": {"simple": "PASSTHROUGH"}},
            ]
        )
        host = pick(
            [f"{pick(APPS)}.{pick(SPACES)}.svc.cluster.local", "*.local", f"*.{pick(SPACES)}.svc.cluster.local", "*"]
        )
        found.append(rule(f"{pick(SPACES)}/r{number}", host, policy, rnd.randint(0, 3), **more))
    for number in range(rnd.randint(0, 2)):
        extra = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}} if maybe(0.5) else {}
        found.append(
            egress(
                f"{pick(SPACES)}/s{number}",
                pick(["./*", "*/*", "n1/*"]),
                selector={"app": pick(APPS)} if maybe(0.3) else None,
                age=rnd.randint(0, 3),
                **extra,
            )
        )
    if maybe(0.3):
        found.append(
            istio(
                "ServiceEntry",
                f"{pick(SPACES)}/e",
                {
                    "hosts": ["api.example"],
                    "resolution": "STATIC",
                    "location": pick(["MESH_INTERNAL", "MESH_EXTERNAL"]),
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "endpoints": [{"address": "192.0.2.1", "serviceAccount": pick(["", "vm"])}],
                },
            )
        )
    if maybe(0.3):
        found.append(
            istio("WorkloadEntry", f"{pick(SPACES)}/w", {"address": "192.0.2.2", "labels": {"app": pick(APPS)}})
        )
    return found


def answers(result: dict[str, Any]) -> dict[tuple[Any, ...], tuple[str, str]]:
    """What each client gets, one by one."""
    return {
        (client, row["service"], row["host"], row["port"], row["subset"], row["endpoint"]): (
            row["client_tls"],
            row["verdict"],
        )
        for row in result["edges"]
        for client in result["client_sets"][row["clients"]]
    }


def ports(result: dict[str, Any]) -> dict[tuple[str, int], str]:
    """What each port does with plaintext."""
    return {(row["id"], item["port"]): item["plaintext"] for row in result["workloads"] for item in row["ports"]}


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
        item["metadata"].pop("creationTimestamp", None)
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


@pytest.mark.parametrize(
    "kind",
    [
        "PeerAuthentication",
        "DestinationRule",
        "Sidecar",
        "EnvoyFilter",
        "ConfigMap",
        "Pod",
        "Service",
        "ServiceEntry",
        "Namespace",
        "Deployment",
        "WorkloadEntry",
        "MutatingWebhookConfiguration",
        "Gateway",
    ],
)
@pytest.mark.parametrize("seed", SEEDS[:30])
def test_a_missing_right_never_makes_an_answer_better(seed, kind):
    """Without a kind (in one namespace or in all) every answer is as before, or unknown."""
    rnd = random.Random(seed)
    manifests = mesh(seed)
    where = rnd.choice([None, *SPACES])
    kept = [
        item
        for item in manifests
        if item["kind"] != kind or (where is not None and item["metadata"].get("namespace") != where)
    ]
    full = evaluate(manifests)
    partial = evaluate(kept, unread=[{"kind": kind, "namespace": where, "reason": "forbidden"}])
    before, after = answers(full), answers(partial)
    for key, (dummy, verdict) in after.items():
        assert verdict in ("unknown", before.get(key, ("", ""))[1]), key
    was = ports(full)
    for place, plaintext in ports(partial).items():
        assert plaintext in ("unknown", was.get(place)), place


def damaged(rnd: random.Random, value: Any) -> Any:
    """A copy with one field somewhere replaced by something of a wrong shape, or removed."""
    if isinstance(value, dict) and value and rnd.random() < 0.85:
        key = rnd.choice(sorted(value, key=str))
        changed = dict(value)
        if rnd.random() < 0.1:
            del changed[key]
        else:
            changed[key] = damaged(rnd, value[key])
        return changed
    if isinstance(value, list) and value and rnd.random() < 0.85:
        place = rnd.randrange(len(value))
        return [damaged(rnd, item) if number == place else item for number, item in enumerate(value)]
    return rnd.choice(
        [None, 0, -1, 10**30, 1.5, True, "", "x", "*", [], {}, ["x"], {"x": "y"}, [None], [[]], {"": None}]
    )


@pytest.mark.parametrize("seed", range(150))
def test_malformed_manifests_never_raise(seed):
    rnd = random.Random(seed)
    manifests = [damaged(rnd, item) if rnd.random() < 0.3 else item for item in mesh(seed)]
    result = evaluate(manifests, proposed=[{"op": "delete", "manifest": mesh(seed)[-1]}])
    json.dumps(result)
    rnd.shuffle(manifests)
    if len({key_of(item) for item in manifests if isinstance(item, dict)}) == len(manifests):
        assert evaluate(manifests)["edges"] == evaluate(manifests[::-1])["edges"]
