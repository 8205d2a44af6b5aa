# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server itself calls. It is never in the mesh: it runs in the host network, or outside the cluster."""

from __future__ import annotations

from typing import Dict, Iterable, List, Tuple

from ..engine import State
from ..server import STRICT
from .kinds import Finding, FindingKind
from .wording import listed

REFUSED = FindingKind(
    id="MTLS-035",
    severity="high",
    title="The API server calls a Service that is STRICT",
    explanation="A webhook of admission or conversion, or an aggregated API, leads to a Service whose workloads are in "
    "the mesh and STRICT at that port.",
    why="The API server has no mesh certificate, so STRICT refuses it. With `failurePolicy: Fail` nobody can create or "
    "change the objects that the webhook is asked about; an aggregated API is gone, and with it whatever lists all "
    "APIs.",
    remedy="Leave this port out: PERMISSIVE for it in `portLevelMtls`, or "
    "`traffic.sidecar.istio.io/excludeInboundPorts`. The call is TLS of its own, with the certificate of the webhook.",
    example="""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: checks}
webhooks:
  - name: checks.demo.example
    clientConfig:
      service: {namespace: demo, name: a, port: 80}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: demo}
spec:
  mtls: {mode: STRICT}
""",
)

KINDS = (REFUSED,)


def rules(state: State) -> Iterable[Finding]:
    """One finding for each port of a Service, whoever names it."""
    callers: Dict[Tuple[str, int], List[str]] = {}
    for call in state.snapshot.server_calls:
        callers.setdefault((call.service, call.port), []).append(call.caller)
    for destination in state.destinations if callers else ():
        for port in destination.ports if destination.kubernetes else ():
            named = callers.get((destination.name, port.number))
            if not named:
                continue
            strict = [
                endpoint
                for endpoint in port.endpoints
                if endpoint.workload is not None
                and not endpoint.workload.doubt
                and endpoint.workload.mesh in ("sidecar", "ambient")
                and endpoint.workload.captures(endpoint.port)
                and state.decisions[endpoint.workload.id].at(endpoint.port) == STRICT
            ]
            if strict:
                yield REFUSED.at(
                    f"Service {destination.name}",
                    f"port {port.number} is called by the API server ({listed(sorted(set(named)))}), which has no mesh "
                    f"certificate, and {listed(sorted({endpoint.id for endpoint in strict}))} is STRICT and refuses it",
                    f"set PERMISSIVE for port {strict[0].port} in portLevelMtls, or leave it out with "
                    "traffic.sidecar.istio.io/excludeInboundPorts",
                )
