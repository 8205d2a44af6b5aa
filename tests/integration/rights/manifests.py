"""The mesh of test_withdrawn.py: for each kind that the reader reads, something that depends on it.

No pod of it ever runs: no scheduler knows its name, and pods bring the sidecar that injection would have given them.
"""

from __future__ import annotations

import json
from typing import Any

Manifest = dict[str, Any]

HOME, ENROLLED, TAGGED = NAMESPACES = ("rights-home", "rights-enrolled", "rights-tagged")
_NOBODY = "meshproof-nobody"
_STATUS = {"sidecar.istio.io/status": json.dumps({"revision": "default"})}


def _object(api_version: str, kind: str, name: str, namespace: str | None = HOME, **content: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **content.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _namespace(name: str, **labels: str) -> Manifest:
    return _object("v1", "Namespace", name, None, metadata={"labels": labels})


def _pod(name: str, proxy: str | None = "sidecar") -> Manifest:
    containers = [{"name": "app", "image": "none", "ports": [{"containerPort": 8080}]}]
    labels = {"app": name}
    if proxy:
        containers.append({"name": "istio-proxy", "image": "none", "args": ["proxy", proxy], "ports": []})
        if proxy == "sidecar":
            labels["security.istio.io/tlsMode"] = "istio"
    metadata = {"labels": labels, "annotations": _STATUS if proxy else {}}
    spec = {"schedulerName": _NOBODY, "containers": containers, "automountServiceAccountToken": False}
    return _object("v1", "Pod", name, metadata=metadata, spec=spec)


def _service(name: str, namespace: str = HOME, selector: bool = True) -> Manifest:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return _object(
        "v1", "Service", name, namespace, spec={"ports": ports, **({"selector": {"app": name}} if selector else {})}
    )


def _deployment(name: str, namespace: str) -> Manifest:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "none"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", "Deployment", name, namespace, spec=spec)


def _networking(kind: str, name: str, version: str = "v1", **spec: Any) -> Manifest:
    return _object(f"networking.istio.io/{version}", kind, name, spec=spec)


def _security(kind: str, name: str, **spec: Any) -> Manifest:
    return _object("security.istio.io/v1", kind, name, spec=spec)


def _app(name: str) -> Manifest:
    return {"matchLabels": {"app": name}}


def manifests() -> list[Manifest]:
    """Everything, namespaces first."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    return [
        _namespace(HOME),
        _namespace(ENROLLED, **{"istio-injection": "enabled"}),
        _namespace(TAGGED, **{"istio.io/rev": "no-such-tag"}),
        _pod("server"),
        _pod("open"),
        _pod("client"),
        _pod("plain", None),
        _pod("gateway", "router"),
        *(_service(name) for name in ("server", "open", "plain")),
        _service("machine", selector=False),
        _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "machine-1",
            metadata={"labels": {"kubernetes.io/service-name": "machine"}},
            addressType="IPv4",
            ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
            endpoints=[{"addresses": ["192.0.2.10"]}],
        ),
        _deployment("later", ENROLLED),
        _service("later", ENROLLED),
        _deployment("lost", TAGGED),
        _security("PeerAuthentication", "default", mtls={"mode": "STRICT"}),
        _security("PeerAuthentication", "open", selector=_app("open"), mtls={"mode": "PERMISSIVE"}),
        _security(
            "AuthorizationPolicy",
            "open",
            selector=_app("open"),
            action="ALLOW",
            rules=[{"from": [{"source": {"principals": ["*"]}}]}],
        ),
        _networking(
            "DestinationRule",
            "plain",
            host=f"plain.{HOME}.svc.cluster.local",
            trafficPolicy={"tls": {"mode": "DISABLE"}},
        ),
        _networking(
            "Sidecar", "client", workloadSelector={"labels": {"app": "client"}}, egress=[{"hosts": [f"{HOME}/*"]}]
        ),
        _networking(
            "ServiceEntry",
            "outside",
            hosts=["outside.example.com"],
            location="MESH_INTERNAL",
            resolution="STATIC",
            ports=[port],
            workloadSelector={"labels": {"app": "outside"}},
        ),
        _networking(
            "WorkloadEntry", "outside", address="192.0.2.11", labels={"app": "outside"}, serviceAccount="outside"
        ),
        _networking(
            "Gateway", "gateway", selector={"app": "gateway"}, servers=[{"port": port, "hosts": ["*.example.com"]}]
        ),
        _networking(
            "EnvoyFilter",
            "nobody",
            "v1alpha3",
            workloadSelector={"labels": {"app": "nobody"}},
            configPatches=[
                {
                    "applyTo": "LISTENER",
                    "match": {"context": "SIDECAR_INBOUND"},
                    "patch": {"operation": "MERGE", "value": {"bind_to_port": True}},
                }
            ],
        ),
    ]
