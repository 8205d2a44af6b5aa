"""The mesh of test_proxy_info.py: a few servers, each with another answer of its proxy, and one without a proxy."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.situations.manifests import CLIENT

Manifest = dict[str, Any]

HOME, OUTSIDE = NAMESPACES = ("proxies-home", "proxies-outside")
"""Enrolled and STRICT; not enrolled."""
# Each Deployment of HOME with what is special about it.
WORKLOADS: dict[str, Manifest] = {
    "strict": {"replicas": 2},
    "open": {},
    "off": {},
    "ports": {},
    "excluded": {"annotations": {"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}},
}
PORTS = (8080, 8081, 8082)
MUTE = "mute"
"""A pod that looks like a sidecar's and has no Envoy."""


def _object(api_version: str, kind: str, place: str, **content: Any) -> Manifest:
    namespace, name = place.split("/")
    return {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, **content}


def _deployment(place: str, image: str, replicas: int = 1, annotations: dict[str, str] | None = None) -> Manifest:
    name = place.split("/")[1]
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", CLIENT],
        "ports": [{"containerPort": port} for port in PORTS],
    }
    template = {
        "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
        "spec": {"serviceAccountName": name, "containers": [container], "terminationGracePeriodSeconds": 0},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _object("apps/v1", "Deployment", place, spec=spec)


def _service(place: str) -> Manifest:
    """8080 and 8081 are served, 8082 is a port that no Service knows."""
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "tcp-other", "port": 81, "targetPort": 8081},
    ]
    return _object("v1", "Service", place, spec={"selector": {"app": place.split("/")[1]}, "ports": ports})


def _mode(place: str, mode: str, ports: dict[int, str] | None = None, whole: bool = False) -> Manifest:
    spec: Manifest = {"mtls": {"mode": mode}}
    if not whole:
        spec["selector"] = {"matchLabels": {"app": place.split("/")[1]}}
    if ports:
        spec["portLevelMtls"] = {str(port): {"mode": value} for port, value in ports.items()}
    return _object("security.istio.io/v1", "PeerAuthentication", place, spec=spec)


def _rule(place: str, mode: str, **tls: str) -> Manifest:
    namespace, name = place.split("/")
    host = f"{name}.{namespace}.svc.cluster.local"
    spec = {"host": host, "trafficPolicy": {"tls": {"mode": mode, **tls}}}
    return _object("networking.istio.io/v1", "DestinationRule", place, spec=spec)


def _mute(image: str) -> Manifest:
    """Nothing listens on 15000 in it."""
    proxy = {"name": "istio-proxy", "image": image, "command": ["python3", "-c", CLIENT], "args": ["proxy", "sidecar"]}
    app = {"name": "app", "image": image, "command": ["python3", "-c", CLIENT], "ports": [{"containerPort": 8080}]}
    manifest = _object(
        "v1",
        "Pod",
        f"{OUTSIDE}/{MUTE}",
        spec={"containers": [app, proxy], "terminationGracePeriodSeconds": 0},
    )
    manifest["metadata"]["annotations"] = {"sidecar.istio.io/status": json.dumps({"revision": "default"})}
    return manifest


def namespaces() -> list[Manifest]:
    """The namespaces."""
    labels = {HOME: {"istio-injection": "enabled"}, OUTSIDE: {}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels[name]}}
        for name in NAMESPACES
    ]


def contents(image: str) -> list[Manifest]:
    """Everything in them; policies first, so that no proxy starts without its own."""
    places = [*(f"{HOME}/{name}" for name in WORKLOADS), f"{OUTSIDE}/bare"]
    special = {f"{HOME}/{name}": content for name, content in WORKLOADS.items()}
    return [
        _mode(f"{HOME}/default", "STRICT", whole=True),
        _mode(f"{HOME}/open", "PERMISSIVE"),
        _mode(f"{HOME}/off", "DISABLE"),
        _mode(f"{HOME}/ports", "STRICT", {8080: "PERMISSIVE", 8081: "DISABLE"}),
        _rule(f"{HOME}/open", "DISABLE"),
        _rule(f"{HOME}/ports", "ISTIO_MUTUAL"),
        _rule(f"{HOME}/excluded", "SIMPLE"),
        *(_object("v1", "ServiceAccount", place) for place in places),
        *(_service(place) for place in places),
        *(_deployment(place, image, **special.get(place, {})) for place in places),
        _mute(image),
    ]
