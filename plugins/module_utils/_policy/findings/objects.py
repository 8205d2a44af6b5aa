# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single objects worth a look."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from .kinds import Finding, FindingKind
from .wording import listed

OPAQUE_FILTER = FindingKind(
    id="MTLS-017",
    severity="medium",
    title="An EnvoyFilter changes listeners or clusters",
    explanation="An EnvoyFilter patches what decides about TLS at the proxies that it selects.",
    why="What they accept or send cannot be told from manifests; the answers that it touches are `unknown`. What is "
    "known to be harmless makes no finding: limits, timeouts, access logs, and filters that run behind TLS.",
    remedy="Ask the running proxies (`proxy_info`, `probe`), or replace it by Istio's own API.",
    example="""\
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: patch, namespace: demo}
spec:
  configPatches:
    - applyTo: FILTER_CHAIN
      match: {context: SIDECAR_INBOUND}
      patch:
        operation: MERGE
        value: {transport_socket: {name: envoy.transport_sockets.raw_buffer}}
""",
)

AUTO_MTLS_OFF = FindingKind(
    id="MTLS-022",
    severity="medium",
    title="auto-mTLS is off",
    explanation="The mesh configuration has `enableAutoMtls: false`.",
    why="Clients send plaintext, unless a DestinationRule for the host says otherwise.",
    remedy="Remove `enableAutoMtls: false` from the mesh configuration. Where clients would then send mutual TLS to "
    "what cannot take it the finding names it: mend that before.",
    example="""\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    enableAutoMtls: false
""",
)

PLAINTEXT_GATEWAY = FindingKind(
    id="MTLS-023",
    severity="info",
    title="A gateway serves a port in plaintext",
    explanation="A server of a Gateway has no `tls`, or an HTTP protocol, for which `tls` can only redirect.",
    why="Clients outside the mesh talk to it in the clear, be it only to be redirected to HTTPS; the mesh behind it is "
    "not touched.",
    remedy="Give the server protocol HTTPS and `tls`; let a plaintext one redirect to HTTPS, or remove it.",
    example="""\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
    - port: {number: 80, name: http, protocol: HTTP}
      hosts: ["*"]
""",
)

INGRESS_TLS = FindingKind(
    id="MTLS-026",
    severity="info",
    title="TLS of a Sidecar's ingress has no effect",
    explanation="An ingress listener of a Sidecar has `tls`.",
    why="Istio ignores it, unless istiod runs with `ENABLE_TLS_ON_SIDECAR_INGRESS` and the port's mode is DISABLE.",
    remedy="Use PeerAuthentication.",
    example="""\
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: a, namespace: demo}
spec:
  workloadSelector: {labels: {app: a}}
  ingress:
    - port: {number: 8080, name: http, protocol: HTTP}
      defaultEndpoint: 127.0.0.1:8080
      tls: {mode: SIMPLE, serverCertificate: /c.pem, privateKey: /k.pem}
  egress:
    - hosts: ["./*"]
""",
)

KINDS = (OPAQUE_FILTER, AUTO_MTLS_OFF, PLAINTEXT_GATEWAY, INGRESS_TLS)


def rules(state: State) -> Iterable[Finding]:
    """EnvoyFilters, mesh configurations, Gateways and Sidecars, each by itself."""
    snapshot = state.snapshot
    for item in snapshot.envoy_filters:
        if item.touches:
            yield OPAQUE_FILTER.at(
                f"EnvoyFilter {item.namespace}/{item.name}",
                "changes listeners or clusters: what the proxies that it selects accept or send cannot be told from "
                "manifests",
                "check the running proxies, or replace it by Istio's own API",
            )
    for mesh in state.control_planes.by_name.values():
        if not mesh.auto_mtls:
            broken = sorted(state.judge.switched_off.get(mesh.name, ()))
            yield AUTO_MTLS_OFF.at(
                f"revision {mesh.name}",
                "auto-mTLS is off: clients send plaintext unless a DestinationRule says otherwise",
                f"before you remove enableAutoMtls: false from the mesh configuration, mend what could not take mutual "
                f"TLS: {broken[0]}"
                if broken
                else "remove enableAutoMtls: false from the mesh configuration",
            )
    for gateway in snapshot.gateways:
        plaintext = [server for server in gateway.servers if server.serves == "plaintext"]
        if plaintext:
            numbers = listed(sorted({server.port for server in plaintext}))
            only = all(server.redirects for server in plaintext)
            yield PLAINTEXT_GATEWAY.at(
                f"{gateway.kind} {gateway.namespace}/{gateway.name}",
                f"serves port {numbers} in plaintext" + (", to redirect to HTTPS" if only else ""),
                "remove the port where no client needs the redirect"
                if only
                else "use protocol HTTPS with tls, or redirect to HTTPS",
            )
    for sidecar in snapshot.sidecars:
        ports = [listener.port for listener in sidecar.ingress if listener.tls]
        if ports:
            yield INGRESS_TLS.at(
                f"Sidecar {sidecar.namespace}/{sidecar.name}",
                f"tls of ingress port {listed(ports)} has no effect unless istiod has ENABLE_TLS_ON_SIDECAR_INGRESS "
                "and the port is DISABLE",
                "use PeerAuthentication",
            )
