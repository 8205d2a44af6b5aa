# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random meshes, one manifest of each kind, and ways to damage them: for what must hold for every mesh."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

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

from tests.differential.generate import scenario

SPACES = ["istio-system", "n1", "n2", "n3"]
APPS = ["a", "b", "c"]
MODES = ["STRICT", "PERMISSIVE", "DISABLE", "UNSET", None]
TLS = ["ISTIO_MUTUAL", "DISABLE", "SIMPLE", None]


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


MAKERS: tuple[Callable[[int], list[dict[str, Any]]], ...] = (mesh, with_control_planes, scenario)
"""The engine's own small meshes, those of several control planes, and what the referee of tests/differential gets."""


def meshes(seed: int, number: int) -> Iterator[tuple[str, random.Random, list[dict[str, Any]]]]:
    """So many random meshes, of each maker alike: a name that repeats it, chance for more, and the manifests.

    A line now and then says how far it is, as this can last.
    """
    print(f"SEED={seed}: {number} meshes")
    rnd, told = random.Random(seed), time.monotonic()
    for place in range(number):
        make, own = MAKERS[place % len(MAKERS)], rnd.randrange(10**9)
        if time.monotonic() > told + 5:
            told = time.monotonic()
            print(f"{place} of {number}", flush=True)
        yield f"{make.__name__}({own})", random.Random(own), list({key_of(item): item for item in make(own)}.values())


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


def called_by_the_api_server(service: str, port: int | None) -> list[dict[str, Any]]:
    """One object of each kind by which the API server calls a Service."""
    home, name = service.split("/")
    called = {"namespace": home, "name": name, **({} if port is None else {"port": port})}
    webhooks = [{"name": "w.example", "clientConfig": {"service": called, "caBundle": "x"}}]
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": called}}}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": f"{kind.lower()}.example"}, **fields}
        for group, kind, fields in (
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", {"webhooks": webhooks}),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", {"webhooks": webhooks}),
            ("apiregistration.k8s.io", "APIService", {"spec": {"service": called}}),
            ("apiextensions.k8s.io", "CustomResourceDefinition", {"spec": {"conversion": conversion}}),
        )
    ]


KUBERNETES_GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "kg", "namespace": "n1", "annotations": {"gateway.istio.io/name-override": "a"}},
    "spec": {
        "gatewayClassName": "istio",
        "addresses": [{"type": "Hostname", "value": "a"}, {"value": "a.n1.svc.cluster.local"}],
        "allowedListeners": {"namespaces": {"from": "Same"}},
        "listeners": [
            {
                "name": "l",
                "port": 443,
                "protocol": "HTTPS",
                "hostname": "a.example",
                "tls": {"mode": "Terminate", "options": {"gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL"}},
            }
        ],
    },
}
INGRESSES = [
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "i", "namespace": "n1", "annotations": {"kubernetes.io/ingress.class": "istio"}},
        "spec": {"ingressClassName": "c", "tls": [{"hosts": ["a.example"], "secretName": "s"}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "c"},
        "spec": {"controller": "istio.io/ingress-controller"},
    },
]
"""What else than Istio's Gateway opens ports at gateways."""

ONE_OF_EACH = [
    KUBERNETES_GATEWAY,
    *INGRESSES,
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
    *called_by_the_api_server("n1/a", 80),
    *(
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": "o", "namespace": "n1", "ownerReferences": [{"kind": "CronJob", "name": "o"}]},
        }
        for group, kind in (("apps", "ReplicaSet"), ("batch", "Job"), ("batch", "CronJob"))
    ),
]


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


def malformed(rnd: random.Random) -> Any:
    """A manifest with one to three fields of a wrong shape, somewhere."""
    item: Any = rnd.choice(ONE_OF_EACH)
    for dummy in range(rnd.randint(1, 3)):
        item = damaged(rnd, item)
    return item


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
