# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short names for manifests, so that the tables of the tests read as specifications."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate

Manifest = dict[str, Any]
INJECTED = json.dumps({"initContainers": ["istio-init", "istio-proxy"], "revision": "default"})


def stamp(age: int | None) -> Manifest:
    """The creationTimestamp of the age-th second; None for an object that was never created."""
    return {} if age is None else {"creationTimestamp": f"2026-01-01T00:{age // 60:02}:{age % 60:02}Z"}


def namespace(name: str, **labels: str) -> Manifest:
    """A Namespace; `istio_injection` stands for istio-injection."""
    names = {"istio_injection": "istio-injection", "rev": "istio.io/rev", "dataplane_mode": "istio.io/dataplane-mode"}
    metadata = {"name": name, "labels": {names.get(key, key): value for key, value in labels.items()}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def pod(
    where: str,
    proxy: str = "sidecar",
    labels: Manifest | None = None,
    annotations: Manifest | None = None,
    ports: list[Manifest] | None = None,
    number: int = 1,
    revision: str = "default",
    ip: str = "",
    **spec: Any,
) -> Manifest:
    """A pod `<namespace>/<app>` of a Deployment of that name, labelled app=<app>.

    `proxy` is sidecar, native, ambient, gateway or none.
    """
    home, app = where.split("/")
    all_labels = {"app": app, "pod-template-hash": "5f5"}
    notes: Manifest = {}
    containers: list[Manifest] = [{"name": "app", "ports": ports or [{"containerPort": 8080, "name": "web"}]}]
    init: list[Manifest] = []
    sidecar = {"name": "istio-proxy", "args": ["proxy", "sidecar"], "ports": [{"containerPort": 15090}]}
    if proxy in ("sidecar", "native"):
        all_labels["security.istio.io/tlsMode"] = "istio"
        notes["sidecar.istio.io/status"] = json.dumps({"revision": revision})
        (init if proxy == "native" else containers).append(sidecar)
        sidecar.update({"restartPolicy": "Always"} if proxy == "native" else {})
    elif proxy == "gateway":
        notes["sidecar.istio.io/status"] = json.dumps({"revision": revision})
        containers = [dict(sidecar, args=["proxy", "router"])]
    elif proxy == "ambient":
        all_labels["istio.io/dataplane-mode"] = "ambient"
        notes["ambient.istio.io/redirection"] = "enabled"
    all_labels.update(labels or {})
    notes.update(annotations or {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{app}-5f5-{number}",
            "namespace": home,
            "labels": {key: value for key, value in all_labels.items() if value is not None},
            "annotations": notes,
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{app}-5f5", "controller": True}],
        },
        "spec": {"containers": containers, "initContainers": init, **spec},
        "status": {"phase": "Running", "podIP": ip},
    }


def deployment(
    where: str, labels: Manifest | None = None, annotations: Manifest | None = None, **spec: Any
) -> Manifest:
    """A Deployment without pods."""
    home, app = where.split("/")
    template = {
        "metadata": {"labels": {"app": app, **(labels or {})}, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}], **spec},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": home},
        "spec": {"template": template},
    }


def service(where: str, export_to: str | None = None, ports: list[Manifest] | None = None, **spec: Any) -> Manifest:
    """A Service `<namespace>/<app>` that selects app=<app>: port 80, named http, to 8080."""
    home, app = where.split("/")
    notes = {} if export_to is None else {"networking.istio.io/exportTo": export_to}
    base = {
        "clusterIP": "10.0.0.1",
        "selector": {"app": app},
        "ports": ports or [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app, "namespace": home, "annotations": notes, **stamp(0)},
        "spec": {key: value for key, value in {**base, **spec}.items() if value is not None},
    }


def headless(where: str, export_to: str | None = None, **spec: Any) -> Manifest:
    """A headless Service."""
    return service(where, export_to, clusterIP="None", **spec)


def api_server() -> list[Manifest]:
    """The Service of the Kubernetes API server, with the endpoint that the server writes itself."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.10"]}],
            "ports": [{"name": "https", "port": 6443}],
        },
    ]


def istio(
    kind: str, where: str, spec: Manifest, age: int | None = 0, rev: str | None = None, group: str = "networking"
) -> Manifest:
    """An object of networking.istio.io or security.istio.io."""
    home, name = where.split("/")
    labels = {} if rev is None else {"istio.io/rev": rev}
    metadata = {"name": name, "namespace": home, "labels": labels, **stamp(age)}
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def peer(
    where: str,
    mode: str | None = None,
    selector: Manifest | None = None,
    ports: dict[int, str | None] | None = None,
    age: int | None = 0,
    rev: str | None = None,
) -> Manifest:
    """A PeerAuthentication."""
    spec: Manifest = {}
    if mode is not None:
        spec["mtls"] = {"mode": mode}
    if selector is not None:
        spec["selector"] = {"matchLabels": selector}
    if ports is not None:
        spec["portLevelMtls"] = {str(port): {"mode": value} if value else {} for port, value in ports.items()}
    return istio("PeerAuthentication", where, spec, age, rev, "security")


def tls(mode: str | None, **fields: Any) -> Manifest:
    """A traffic policy with tls; mode None is `tls: {}`."""
    return {"tls": {**({"mode": mode} if mode else {}), **fields}}


def port_tls(port: int, mode: str | None) -> Manifest:
    """A traffic policy with one port entry; mode None is an entry without tls."""
    entry: Manifest = {"port": {"number": port}}
    if mode is not None:
        entry["tls"] = {"mode": mode}
    return {"portLevelSettings": [entry]}


def rule(
    where: str, host: str, policy: Manifest | None = None, age: int | None = 0, rev: str | None = None, **spec: Any
) -> Manifest:
    """A DestinationRule; `export_to`, `selector` and `subsets` as keywords."""
    full: Manifest = {"host": host}
    if policy is not None:
        full["trafficPolicy"] = policy
    if "export_to" in spec:
        full["exportTo"] = spec["export_to"]
    if "selector" in spec:
        full["workloadSelector"] = {"matchLabels": spec["selector"]}
    if "subsets" in spec:
        full["subsets"] = spec["subsets"]
    return istio("DestinationRule", where, full, age, rev)


def subset(name: str, policy: Manifest | None = None, **labels: str) -> Manifest:
    """A subset of a DestinationRule."""
    return {"name": name, "labels": labels, **({"trafficPolicy": policy} if policy is not None else {})}


def egress(where: str, *hosts: str, selector: Manifest | None = None, age: int = 0, **spec: Any) -> Manifest:
    """A Sidecar with one egress listener."""
    full: Manifest = {"egress": [{"hosts": list(hosts)}], **spec}
    if selector is not None:
        full["workloadSelector"] = {"labels": selector}
    return istio("Sidecar", where, full, age)


def mesh_config(revision: str = "default", home: str = "istio-system", **config: Any) -> Manifest:
    """The mesh ConfigMap of a revision."""
    name = "istio" if revision == "default" else f"istio-{revision}"
    metadata = {"name": name, "namespace": home, "labels": {"istio.io/rev": revision}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": json.dumps(config)}}


# --- reading answers ---


def workload(result: Manifest, place: str) -> Manifest:
    """The workload `<namespace>/<app>`."""
    return next(row for row in result["workloads"] if f"{row['namespace']}/{row['name']}" == place)


def port(result: Manifest, place: str, number: int) -> Manifest:
    """One port of a workload."""
    return next(row for row in workload(result, place)["ports"] if row["port"] == number)


def edges(result: Manifest, client: str, **wanted: Any) -> list[Manifest]:
    """The edges of a client `<namespace>/<app>` with these values."""
    home, app = client.split("/")
    ids = {row["id"] for row in result["workloads"] if (row["namespace"], row["name"]) == (home, app)}
    return [
        row
        for row in result["edges"]
        if ids & set(result["client_sets"][row["clients"]]) and all(row[key] == value for key, value in wanted.items())
    ]


def answer(result: Manifest, client: str, place: str, subset: str | None = None, **wanted: Any) -> str:
    """`client_tls -> verdict` of the one edge from a client to a service."""
    found = edges(result, client, service=place, subset=subset, **wanted)
    assert len(found) == 1, f"{len(found)} edges from {client} to {place}: {found}"
    return f"{found[0]['client_tls']} -> {found[0]['verdict']}"


def flat(items: Any) -> list[Manifest]:
    """The manifests of lists of lists."""
    return [one for item in items for one in (flat(item) if isinstance(item, (list, tuple)) else [item])]


def judge(*manifests: Any, **options: Any) -> Manifest:
    """evaluate() over manifests and lists of them."""
    return evaluate(flat(manifests), **options)
