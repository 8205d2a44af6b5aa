# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short forms of what the sources answer, for the tables here."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import (
    Certificate,
    Configuration,
    Istiod,
    ListenerPort,
    Proxy,
    Upstream,
    UpstreamEndpoint,
)

SERVER, CLIENT, OUTSIDE = "shop/Deployment/a", "shop/Deployment/c", "cafe/Deployment/o"


def workload(
    identifier: str = SERVER,
    mode: str | None = "STRICT",
    plaintext: str = "refused",
    mesh: str = "sidecar",
    **port: Any,
) -> dict[str, Any]:
    """A workload of status_info with one pod, `<name>-1`, and the port 8080."""
    namespace, kind, name = identifier.split("/")
    return {
        "id": identifier,
        "namespace": namespace,
        "kind": kind,
        "name": name,
        "pods": [f"{name}-1"],
        "mesh": mesh,
        "mode": mode,
        "policy": "shop/default" if mode else None,
        "ports": [{"port": 8080, "mode": mode, "captured": True, "plaintext": plaintext, **port}],
    }


def proxy(identifier: str = SERVER, accepts: str | None = "strict", **more: Any) -> Proxy:
    """The answer of a workload's only proxy."""
    namespace, dummy, name = identifier.split("/")
    ports = (ListenerPort(8080, accepts, (), True, f"its chains are {accepts}"),) if accepts else ()
    given = {"answered": True, "reason": "", "istiod": Istiod("istiod:15012", True), "passthrough": True, **more}
    given.setdefault("configuration", Configuration(True, "", ""))
    return Proxy(f"{namespace}/{name}-1", identifier, "default", ports=ports, **given)


def upstream(sends: str, *endpoints: tuple[str, str], host: str = "a.shop.svc.cluster.local") -> Upstream:
    """What a client's proxy was given for the Service a."""
    found = tuple(UpstreamEndpoint(*endpoint) for endpoint in endpoints) or (UpstreamEndpoint("10.0.0.1:8080", sends),)
    return Upstream(f"outbound|80||{host}", host, 80, "", sends, found, "")


def target(plaintext: str, tls: str, mtls: str, verdict: str, **more: Any) -> dict[str, Any]:
    """A probe's answer about the only pod of the Service a."""
    identity = "spiffe://cluster.local/ns/shop/sa/a" if "handshake" in (tls, mtls) or mtls == "accepted" else None
    endpoint = {
        "address": "10.0.0.1",
        "port": 8080,
        "pod": "a-1",
        "plaintext": plaintext,
        "tls": tls,
        "mtls": mtls,
        "identity": identity,
        "identity_fits": True if identity else None,
    }
    return {
        "service": "shop/a",
        "pod": None,
        "port": 80,
        "verdict": verdict,
        "reason": f"It is {verdict}.",
        "endpoints": [endpoint],
        **more,
    }


def edge(verdict: str = "mtls", client_tls: str = "mtls", **more: Any) -> dict[str, Any]:
    """The connection from the clients `set` to the Service a."""
    return {
        "clients": "set",
        "service": "shop/a",
        "host": "a.shop.svc.cluster.local",
        "port": 80,
        "subset": None,
        "endpoint": SERVER,
        "client_tls": client_tls,
        "verdict": verdict,
        "reason": "why",
        **more,
    }


def traffic(security: str, source: str = "shop/c", **more: Any) -> dict[str, Any]:
    """What telemetry saw from one client to the Service a."""
    return {
        "source": {"workload": source, "principal": None},
        "destination": {"workload": "shop/a", "service": "shop/a", "principal": None},
        "port": None,
        "security": security,
        **more,
    }


def certificate(kind: str = "workload", root: str = "r1", **more: Any) -> Certificate:
    """A certificate of a day from the 22nd of November 2026, 12:00; a root's of ten years."""
    plain = {
        "kind": kind,
        "identity": "spiffe://cluster.local/ns/shop/sa/a" if kind == "workload" else "",
        "subject": "" if kind == "workload" else "O=cluster.local",
        "issuer": "O=cluster.local",
        "serial": "1",
        "fingerprint": root if kind == "root" else "f",
        "root_fingerprint": root,
        "not_before": "2026-11-22T12:00:00Z",
        "not_after": "2026-11-23T12:00:00Z" if kind == "workload" else "2036-11-22T12:00:00Z",
        "key": "RSA 2048",
        "trust_domain": "cluster.local" if kind == "workload" else "",
    }
    return Certificate(**{**plain, **more})
