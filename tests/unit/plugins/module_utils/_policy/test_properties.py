# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every mesh, tried on random ones."""

from __future__ import annotations

import copy
import json
import os
import random
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import preview
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import KINDS, key_of
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import YOUNGEST
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import kept
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh as source
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
# A fresh seed in every run, which a failure shows; `SEED=n` repeats one. `make proof-properties` tries far more.
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
MANIFESTS = int(os.environ.get("PROPERTY_MANIFESTS") or 2000)
MESHES = int(os.environ.get("PROPERTY_MESHES") or 25)


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
        item["metadata"]["creationTimestamp"] = YOUNGEST
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


def with_control_planes(seed: int) -> list[dict[str, Any]]:
    """A random mesh with what only an administrator writes: two revisions, a tag, discovery, istiod, gateways."""
    rnd = random.Random(seed)
    home = rnd.choice(["istio-system", "n3"])

    def webhook(revision: str, tag: str = "") -> dict[str, Any]:
        labels = {"istio.io/rev": revision, **({"istio.io/tag": tag} if tag else {})}
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"istio-{tag or revision}", "labels": labels},
            "webhooks": [{"name": "w", "clientConfig": {"service": {"name": "istiod", "namespace": home}}}],
        }

    def istiod(name: str) -> dict[str, Any]:
        manifest = deployment(f"{home}/{name}")
        switches = ("PILOT_ENABLE_AMBIENT", "PILOT_SKIP_VALIDATE_TRUST_DOMAIN")
        env = [{"name": switch, "value": rnd.choice(["true", "false"])} for switch in switches]
        manifest["spec"]["template"]["spec"]["containers"] = [{"name": "discovery", "image": "p:1.31.1", "env": env}]
        return manifest

    config: dict[str, Any] = {"rootNamespace": rnd.choice(SPACES[:2]), "trustDomain": rnd.choice(["a", "b"])}
    if rnd.random() < 0.5:
        config["discoverySelectors"] = [{"matchLabels": {"istio-injection": "enabled"}}]
    found = [item for item in mesh(seed) if item["kind"] != "ConfigMap"]
    found += [
        webhook("default"),
        webhook("canary"),
        webhook("canary", "prod"),
        istiod("istiod"),
        istiod("istiod-canary"),
    ]
    found += [mesh_config(**config), mesh_config("canary", enableAutoMtls=rnd.random() < 0.8)]
    for item in found:
        chance = rnd.random()
        if item["kind"] == "Pod" and chance < 0.4 and "sidecar.istio.io/status" in item["metadata"]["annotations"]:
            item["metadata"]["annotations"]["sidecar.istio.io/status"] = '{"revision": "canary"}'
        if item["kind"] in ("PeerAuthentication", "DestinationRule") and chance < 0.3:
            item["metadata"].setdefault("labels", {})["istio.io/rev"] = rnd.choice(["prod", "canary", "default"])
    for number in range(rnd.randint(0, 3)):
        server = {"port": {"number": 8080, "name": "x", "protocol": rnd.choice(["HTTP", "HTTPS"])}}
        if rnd.random() < 0.6:
            server["tls"] = {"mode": rnd.choice(["SIMPLE", "ISTIO_MUTUAL"])}
        spec = {"selector": {"app": rnd.choice(APPS)}, "servers": [server]}
        found.append(istio("Gateway", f"{rnd.choice(SPACES)}/g{number}", spec))
    if rnd.random() < 0.4:
        patch = {"applyTo": "LISTENER", "match": {"context": "SIDECAR_INBOUND"}, "patch": {"operation": "REMOVE"}}
        found.append(istio("EnvoyFilter", f"{rnd.choice(SPACES)}/f", {"configPatches": [patch]}))
    return found


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
@pytest.mark.parametrize("seed", SEEDS[:12])
@pytest.mark.parametrize("make", [mesh, with_control_planes], ids=["policies", "control planes"])
def test_a_missing_right_never_makes_an_answer_better(make, seed, kind):
    """Without a kind (in any one namespace, or in all) every answer is as before, or unknown."""
    manifests = make(seed)
    full = evaluate(manifests)
    before, was = answers(full), ports(full)
    for where in (None, *SPACES):
        kept = [
            item
            for item in manifests
            if item["kind"] != kind or (where is not None and item["metadata"].get("namespace") != where)
        ]
        if where is not None and len(kept) == len(manifests):
            continue
        partial = evaluate(kept, unread=[{"kind": kind, "namespace": where, "reason": "forbidden"}])
        for key, (dummy, verdict) in answers(partial).items():
            assert verdict in ("unknown", before.get(key, ("", ""))[1]), (where, key)
        for place, plaintext in ports(partial).items():
            assert plaintext in ("unknown", was.get(place)), (where, place)


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
def test_the_order_of_malformed_manifests_does_not_matter_either(seed):
    rnd = random.Random(seed)
    manifests = [damaged(rnd, item) if rnd.random() < 0.3 else item for item in mesh(seed)]
    if len({key_of(item) for item in manifests if isinstance(item, dict)}) == len(manifests):
        expected = evaluate(manifests)["edges"]
        rnd.shuffle(manifests)
        assert evaluate(manifests)["edges"] == expected


ONE_OF_EACH = [
    namespace("n1", istio_injection="enabled"),
    mesh_config(discoverySelectors=[{"matchLabels": {"a": "b"}}], defaultConfig={"proxyMetadata": {"A": "b"}}),
    deployment("istio-system/istiod", containers=[{"name": "discovery", "env": [{"name": "PILOT_X", "value": "1"}]}]),
    deployment("n1/later", annotations={"sidecar.istio.io/inject": "true"}),
    pod("n1/a", "native", ip="192.0.2.4", initContainers=[{"name": "istio-init", "args": ["-b", "*"]}]),
    pod("n1/b", "ambient"),
    pod("n1/c", "gateway", ports=[{"containerPort": 53, "protocol": "UDP"}]),
    pod("istio-system/istiod", "none", labels={"app": "istiod"}),
    service("n1/a", export_to=".", ports=[{"name": "http", "port": 80, "targetPort": "web", "appProtocol": "http"}]),
    headless("n1/b"),
    service("n1/d", selector=None, type="ExternalName", externalName="x.example"),
    egress(
        "n1/s",
        "./*",
        selector={"app": "a"},
        ingress=[{"port": {"number": 80, "protocol": "HTTP"}, "defaultEndpoint": "127.0.0.1:80", "tls": {}}],
        outboundTrafficPolicy={"mode": "REGISTRY_ONLY"},
    ),
    rule("n1/r", "a", {**tls("MUTUAL"), **port_tls(80, "DISABLE")}, subsets=[subset("v1", tls("SIMPLE"), v="1")]),
    peer("n1/p", "STRICT", {"app": "a"}, {80: "DISABLE"}),
    istio(
        "Gateway", "n1/g", {"selector": {"a": "b"}, "servers": [{"port": {"number": 443}, "tls": {"mode": "MUTUAL"}}]}
    ),
    istio("WorkloadEntry", "n1/w", {"address": "192.0.2.1", "labels": {"app": "a"}, "ports": {"http": 80}}),
    istio(
        "ServiceEntry",
        "n1/e",
        {
            "hosts": ["x.example"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}],
            "workloadSelector": {"labels": {"app": "a"}},
            "endpoints": [{"address": "192.0.2.1", "ports": {"http": 80}}],
            "resolution": "STATIC",
        },
    ),
    istio(
        "EnvoyFilter",
        "n1/f",
        {
            "workloadSelector": {"labels": {"app": "a"}},
            "configPatches": [
                {
                    "applyTo": "LISTENER",
                    "match": {"context": "SIDECAR_INBOUND"},
                    "patch": {"operation": "MERGE", "value": {"filter_chains": []}},
                }
            ],
        },
    ),
    istio(
        "AuthorizationPolicy",
        "n1/z",
        {"rules": [{"from": [{"source": {"principals": ["*"]}}]}], "targetRefs": [{"kind": "Service", "name": "a"}]},
        group="security",
    ),
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "x", "namespace": "n1", "labels": {"kubernetes.io/service-name": "d"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["192.0.2.9"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "n1"}}],
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "x", "labels": {"istio.io/rev": "default", "istio.io/tag": "t"}},
        "webhooks": [
            {"namespaceSelector": {"matchExpressions": [{"key": "istio.io/rev", "operator": "In", "values": ["t"]}]}}
        ],
    },
    *(
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": "o", "namespace": "n1", "ownerReferences": [{"kind": "CronJob", "name": "o"}]},
        }
        for group, kind in (("apps", "ReplicaSet"), ("batch", "Job"), ("batch", "CronJob"))
    ),
]


def malformed(rnd: random.Random) -> Any:
    """A manifest with one to three fields of a wrong shape, somewhere."""
    item: Any = rnd.choice(ONE_OF_EACH)
    for dummy in range(rnd.randint(1, 3)):
        item = damaged(rnd, item)
    return item


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
        judged_whole([*ONE_OF_EACH, *broken], rnd.choice([[], steps[:1], steps]), gaps)
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
        age = after[key]["metadata"].get("creationTimestamp") if key in after else YOUNGEST
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


def port_rows(result: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["id"], item["port"]): item for row in result["workloads"] for item in row["ports"]}


def differing(was: dict[Any, Any], now: dict[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    return {key: (was.get(key), now.get(key)) for key in {*was, *now} if was.get(key) != now.get(key)}


def test_any_proposal_describes_the_state_after_it():
    print(f"SEED={SEED}: {MESHES} meshes")
    rnd = random.Random(SEED)
    for dummy in range(MESHES):
        seed = rnd.randrange(10**9)
        local = random.Random(seed)
        manifests = list({key_of(item): item for item in mesh(seed)}.values())
        steps, expected = proposals(local, manifests)
        if not steps:
            continue
        before, after, result = evaluate(manifests), evaluate(expected), evaluate(manifests, proposed=steps)
        assert {name: result[name] for name in after} == after, seed
        assert edge_changes(result) == differing(answers(before), answers(after)), seed
        listed = {
            (row["workload"], row["port"]): (row["before"], row["after"])
            for row in result["changes"]
            if row["what"] == "port"
        }
        assert listed == differing(port_rows(before), port_rows(after)), seed


def moved(item: dict[str, Any]) -> dict[str, Any]:
    """The object in the namespace zoo, and there only."""
    item = copy.deepcopy(item)
    if item["kind"] == "Namespace":
        item["metadata"]["name"] = "zoo"
    else:
        item["metadata"]["namespace"] = "zoo"
    item.get("status", {}).pop("podIP", None)
    spec = item.get("spec", {})
    if "hosts" in spec:
        spec["hosts"] = ["zoo.example"]  # two ServiceEntries for one host are no strangers
    if "address" in spec:
        spec["address"] = "198.51.100.9"
    for endpoint in spec.get("endpoints", []):
        endpoint["address"] = "198.51.100.8"
    return item


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
    print(f"SEED={SEED}: {MESHES} meshes")
    rnd = random.Random(SEED)
    for dummy in range(MESHES):
        seed = rnd.randrange(10**9)
        manifests = mesh(seed)
        expected = json.dumps(evaluate(manifests))
        random.Random(seed).shuffle(manifests)
        assert json.dumps(evaluate(manifests)) == expected, seed
