"""Results of status_info and probe as the contract has them, made small: a server, clients, and what differs."""

from __future__ import annotations

from typing import Any


def workload(name: str = "demo/service-a", mesh: str = "sidecar", ports: Any = (), **other: Any) -> dict[str, Any]:
    namespace, dummy, short = name.partition("/")
    meshed = mesh != "none"
    return {
        "id": f"{namespace}/Deployment/{short}",
        "namespace": namespace,
        "kind": "Deployment",
        "name": short,
        "pods": [f"{short}-1"],
        "revision": "default" if meshed else None,
        "mesh": mesh,
        "mode": "STRICT" if meshed else None,
        "policy": "demo/default" if meshed else None,
        "ports": list(ports),
        **other,
    }


def port(
    number: int = 8080, mode: str | None = "STRICT", captured: bool = True, plaintext: str = "refused"
) -> dict[str, Any]:
    return {"port": number, "mode": mode, "captured": captured, "plaintext": plaintext}


def edge(clients: str, verdict: str, client_tls: str, service: str = "demo/service-a", **other: Any) -> dict[str, Any]:
    return {
        "clients": clients,
        "service": service,
        "host": f"{service.split('/')[1]}.{service.split('/')[0]}.svc.cluster.local",
        "port": 80,
        "subset": None,
        "endpoint": "demo/Deployment/service-a",
        "client_tls": client_tls,
        "verdict": verdict,
        "reason": f"{client_tls} meets the server: {verdict}.",
        **other,
    }


def status(
    server: dict[str, Any], edges: list[dict[str, Any]] | None = None, more: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """One server, a client in the mesh (set `in`), one outside (set `out`), and both together (set `both`)."""
    inside, outside = workload("demo/service-b"), workload("legacy/cron", "none")
    strict = [edge("in", "mtls", "mtls"), edge("out", "broken", "none")]
    return {
        "mesh": {"revisions": [{"name": "default", "root_namespace": "istio-system", "auto_mtls": True}]},
        "workloads": [server, inside, outside, *(more or [])],
        "client_sets": {"in": [inside["id"]], "out": [outside["id"]], "both": [inside["id"], outside["id"]]},
        "edges": strict if edges is None else edges,
        "findings": [],
        "unknown": [],
        "summary": {},
        "cluster": {
            "server": "https://198.18.254.2:6443",
            "kubernetes_version": "v1.35.4",
            "istio_versions": ["1.31.1"],
        },
    }


STRICT = status(workload(ports=[port()]))


def target(
    plaintext: str = "refused", inside: str | dict[str, Any] = "answered", verdict: str = "strict", **other: Any
) -> dict[str, Any]:
    return {
        "service": "demo/service-a",
        "port": 80,
        "outside": {"plaintext": plaintext, "plaintext_detail": "", "tls": {}},
        "inside": inside if isinstance(inside, dict) else {"request": inside, "status": 200, "mtls": {}},
        "identity": "spiffe://cluster.local/ns/demo/sa/service-a",
        "verdict": verdict,
        "reason": "plaintext was reset, and a mesh certificate was asked for",
        **other,
    }
