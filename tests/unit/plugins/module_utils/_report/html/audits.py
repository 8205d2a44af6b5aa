# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits to report on: the engine's own answers for a mesh of 2 and one of 200 workloads, with the other sources."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader, judge
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    istio,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

Audit = dict[str, Any]
TIME = "2026-01-31T12:00:00Z"
CLUSTER = {"server": "https://198.18.254.2:6443", "kubernetes_version": "v1.35.4", "istio_versions": ["1.31.1"]}
MESH_CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "istio", "namespace": "istio-system", "labels": {"istio.io/rev": "default"}},
    "data": {"mesh": "rootNamespace: istio-system"},
}
CONTROL_PLANE = [
    MESH_CONFIG,
    namespace("istio-system"),
    namespace("kube-system"),
    pod("istio-system/istiod", proxy="none", ports=[{"containerPort": 15012}]),
    pod("kube-system/coredns", proxy="none", ports=[{"containerPort": 53}]),
]


def judged(resources: list[Any], compact: bool = False, labels: bool = True) -> Audit:
    """The file of an audit of declared evidence."""
    reader = Reader()
    reader.add(resources)
    spaces = [item for item in resources if item["kind"] == "Namespace"]
    return {
        "format": document.FORMAT,
        "time": TIME,
        "sources": ["declared"],
        **judge(reader, compact=compact),
        "cluster": CLUSTER,
        "injectors": [],
        "namespaces": [
            {
                "name": item["metadata"]["name"],
                "labels": item["metadata"]["labels"],
                "annotations": {},
                "phase": "Active",
            }
            for item in spaces
        ],
    }


def two() -> Audit:
    """service-a and service-b, STRICT, as the demo has them; all sources were asked and agree."""
    found = judged(
        [
            *CONTROL_PLANE,
            namespace("demo", istio_injection="enabled"),
            *(pod(f"demo/service-{name}") for name in "ab"),
            *(service(f"demo/service-{name}") for name in "ab"),
            peer("demo/default", "STRICT"),
        ]
    )
    return with_sources(found)


def some() -> Audit:
    """A small shop: a namespace that is not STRICT yet, a client outside the mesh, and a port that lies."""
    resources: list[Any] = [*CONTROL_PLANE, peer("istio-system/default", "STRICT")]
    for space, apps in (
        ("shop", ("web", "cart", "search")),
        ("payments", ("api", "ledger")),
        ("billing", ("queue-02",)),
    ):
        resources.append(namespace(space, istio_injection="enabled"))
        resources += [part for app in apps for part in (pod(f"{space}/{app}"), service(f"{space}/{app}"))]
    resources += [
        namespace("legacy"),
        pod("legacy/cron", proxy="none"),
        peer("shop/search", "PERMISSIVE", {"app": "search"}),
    ]
    return with_sources(judged(resources), trouble=True)


def many(compact: bool = True, most: int = 17) -> Audit:
    """200 workloads in 12 namespaces, with one of each kind of trouble; `most` of 6 in each namespace are 72."""
    resources: list[Any] = [*CONTROL_PLANE, peer("istio-system/default", "STRICT")]
    for place in range(12):
        space = SPACES[place]
        resources.append(namespace(space, **({} if space == "legacy" else {"istio_injection": "enabled"})))
        for number in range(min(most, 17 if place < 6 else 16)):
            app = f"{space}/{APPS[number % len(APPS)]}-{number:02}"
            resources.append(pod(app, proxy="none" if space == "legacy" else "sidecar", annotations=NOTES.get(app)))
            resources.append(service(app))
    resources += [
        peer("reports/default", "PERMISSIVE"),
        peer("search/old", "DISABLE", selector={"app": "worker-03"}),
        rule("shop/no-tls", "worker-03.orders.svc.cluster.local", tls("DISABLE"), export_to=["."]),
        istio("EnvoyFilter", "stock/patch", ENVOY_FILTER),
    ]
    return with_sources(judged(resources, compact), trouble=True)


SPACES = (
    *("shop", "payments", "orders", "search", "stock", "reports"),
    *("identity", "mail", "media", "billing", "gateway", "legacy"),
)
APPS = ("api", "web", "queue", "worker")
NOTES = {"payments/worker-03": {"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}}
ENVOY_FILTER = {
    "workloadSelector": {"labels": {"app": "web-01"}},
    "configPatches": [{"applyTo": "FILTER_CHAIN", "match": {"context": "SIDECAR_INBOUND"}, "patch": {}}],
}
LIE = "billing/Deployment/queue-02"
SILENT = "mail/Deployment/web-05"


def with_sources(found: Audit, trouble: bool = False) -> Audit:
    """The same audit, as if proxies and the wire had been asked, too."""
    known = states.facts_of(found)
    inside = [port for port in known.ports if port.workload["mesh"] == "sidecar"]
    ports = []
    for port in sorted(inside, key=lambda port: (port.workload["id"], port.port)):
        name, declared = port.workload["id"], port.said[0]
        programmed = "unknown" if trouble and name == SILENT else declared
        observed = "permissive" if trouble and name == LIE else declared
        agreement = (
            "contradicted" if observed != declared else "unproven" if "unknown" in (programmed, declared) else "proven"
        )
        cause = "another rule opens the port through an EnvoyFilter" if agreement == "contradicted" else ""
        why = "the proxy did not answer" if programmed == "unknown" else f"all sources say {declared}"
        why = f"declared {declared}, but the wire answered plaintext" if cause else why
        row = {"declared": declared, "programmed": programmed, "observed": observed}
        ports.append({"workload": name, "port": port.port, **row, "agreement": agreement, "why": why, "cause": cause})
    for edge in found["edges"]:
        lies = trouble and edge["endpoint"] == LIE and edge["client_tls"] == "none"
        asked = edge["verdict"] if any(port["workload"] == edge["endpoint"] for port in ports) else None
        edge.update(programmed=asked, observed="plaintext" if lies else asked)
        edge["agreement"] = "contradicted" if lies else "proven" if asked else None
        edge["cause"] = "another rule opens the port through an EnvoyFilter" if lies else None
    detail = "1 of 186 proxies did not answer." if trouble else "Both proxies answered."
    found.update(
        sources=["declared", "programmed", "observed"],
        seen={
            "declared": {"state": "seen", "detail": "All kinds were read."},
            "programmed": {"state": "partly" if trouble else "seen", "detail": detail},
            "observed": {"state": "seen", "detail": f"{len(ports)} ports were probed."},
            "traffic": {"state": "not seen", "detail": "No Prometheus was named."},
        },
        ports=ports,
        proxies=[_proxy(port.workload, trouble) for port in inside],
        certificates=_certificates([port.workload for port in inside]),
        probe=[_target(edge) for edge in found["edges"] if edge["client_tls"] == "none" and edge["programmed"]],
    )
    if trouble:
        found["traffic"] = _traffic()
        found["rules"] = [
            {
                "name": "payments is STRICT",
                "severity": "error",
                "passed": True,
                "count": 0,
                "message": "",
                "examples": [],
            },
            {
                "name": "nothing in plaintext",
                "severity": "error",
                "passed": False,
                "count": 3,
                "message": "3 found: reports/api-00",
                "examples": [],
            },
        ]
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


ROOT = _digest("root")


def _certificate(workload: dict[str, Any]) -> dict[str, Any]:
    late = workload["id"] == SILENT
    return {
        "workload": workload["id"],
        "pod": f"{workload['namespace']}/{workload['pods'][0]}",
        "identity": f"spiffe://cluster.local/ns/{workload['namespace']}/sa/{workload['name']}",
        "serial": _digest(workload["id"])[:32],
        "not_before": "2026-01-31T09:14:00Z",
        "not_after": "2026-01-31T12:20:00Z" if late else "2026-02-01T09:16:00Z",
        "issuer": "O=cluster.local",
        "root_fingerprint": ROOT,
        "key": "RSA 2048",
        "state": "expiring" if late else "ok",
    }


def _certificates(workloads: list[dict[str, Any]]) -> dict[str, Any]:
    root = {
        "fingerprint": ROOT,
        "subject": "O=cluster.local",
        "not_before": "2026-01-31T09:00:00Z",
        "not_after": "2036-01-29T09:00:00Z",
        "key": "RSA 2048",
        "seen_in": len(workloads),
        "state": "ok",
    }
    return {
        "authorities": [root],
        "workloads": [_certificate(workload) for workload in workloads],
        "trust_domains": {"cluster.local": len(workloads)},
    }


def _proxy(workload: dict[str, Any], trouble: bool) -> dict[str, Any]:
    answered = not (trouble and workload["id"] == SILENT)
    return {
        "pod": f"{workload['namespace']}/{workload['pods'][0]}",
        "workload": workload["id"],
        "revision": workload["revision"],
        "answered": answered,
        "reason": "" if answered else "no answer within 10 s",
        "version": "1.31.1" if answered else None,
        "envoy_version": "1.39.1" if answered else None,
        "istiod": {"identity": "istiod.istio-system.svc", "connected": True} if answered else None,
        "configuration": {"accepted": True, "detail": "", "updated": "2026-01-31T11:58:00Z"} if answered else None,
        "certificates": [],
    }


def _target(edge: dict[str, Any]) -> dict[str, Any]:
    plain = edge["observed"] == "plaintext"
    verdict = "permissive" if plain else "unknown" if edge["verdict"] == "unknown" else "strict"
    app = edge["service"].split("/")
    return {
        "service": edge["service"],
        "port": edge["port"],
        "verdict": verdict,
        "reason": {
            "strict": "Plaintext from outside was refused, a client inside the mesh was answered over mutual TLS.",
            "permissive": "Plaintext from outside was answered.",
            "unknown": "The probe timed out.",
        }[verdict],
        "identity": f"spiffe://cluster.local/ns/{app[0]}/sa/{app[1]}",
        "outside": {"plaintext": "answered" if plain else "refused"},
        "inside": {"request": "answered"},
    }


def _traffic() -> dict[str, Any]:
    def seen(source: str, destination: str, requests: int, share: float | None, security: str) -> dict[str, Any]:
        return {
            "source": {"workload": source, "principal": None},
            "destination": {"workload": destination, "service": destination, "principal": None},
            "port": None,
            "protocol": "http",
            "requests": requests,
            "mutual_tls": None if share is None else int(requests * share),
            "share": share,
            "security": security,
        }

    return {
        "traffic": [
            seen("shop/web-01", "orders/api-00", 18203, 1.0, "mutual_tls"),
            seen("legacy/web-01", "reports/api-00", 411, 0.0, "plaintext"),
            seen("shop/queue-02", "reports/api-00", 60, 0.5, "mixed"),
            seen("mail/web-05", "identity/api-00", 9, None, "unknown"),
        ],
        "window": 3600,
        "source": "prometheus",
        "queries": ['sum by (source_workload) (increase(istio_requests_total{reporter="destination"}[1h]))'],
        "unknown": [],
    }
