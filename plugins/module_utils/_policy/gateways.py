# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateway pods listen to: the servers of Gateways; PeerAuthentication does not apply (core/gateway.go)."""

from __future__ import annotations

from typing import Callable, Dict, List, Set, Tuple

from .membership import Workload, matches
from .records import GatewayObject
from .server import UNKNOWN
from .unread import Unread

KUBERNETES_GATEWAY = "gateway.networking.k8s.io/gateway-name"
_HEALTH_PORT = 15021


class GatewayIndex:
    """Gateways by the workloads that they select; a selector looks at gateways in every namespace."""

    def __init__(self, gateways: List[GatewayObject], doubt: Callable[[Workload], str], unread: Unread) -> None:
        self._doubt = doubt
        """Why nothing can be said about what a gateway accepts; empty where something can."""
        self._gateways = sorted(gateways, key=lambda item: (item.namespace, item.name))
        self._unread = unread.anywhere("Gateway")
        self._ports: Dict[str, Dict[int, Tuple[str, str]]] = {}

    def ports(self, workload: Workload) -> Dict[int, Tuple[str, str]]:
        """For each port of a gateway the column of the verdict table and the objects that decide it."""
        found = self._ports.get(workload.id)
        if found is None:
            kinds: Dict[int, Set[str]] = {}
            names: Dict[int, List[str]] = {}
            for gateway in self._gateways:
                if matches(gateway.selector, workload.labels):
                    for server in gateway.servers:
                        kinds.setdefault(server.port, set()).add(server.serves)
                        names.setdefault(server.port, []).append(f"{gateway.namespace}/{gateway.name}")
            found = {}
            for port, columns in kinds.items():
                column = next(name for name in ("plaintext", UNKNOWN, "tls", "mtls") if name in columns)
                found[port] = (
                    column if column == UNKNOWN else f"gateway-{column}",
                    f"Gateway {', '.join(dict.fromkeys(names[port]))} serves port {port} " + _WORDS[column],
                )
            self._ports[workload.id] = found
        return found

    def server(self, workload: Workload, port: int) -> Tuple[str, str]:
        """The column of the verdict table for a port of a gateway, and why."""
        doubt = self._doubt(workload)
        if doubt:
            return UNKNOWN, doubt
        if port == _HEALTH_PORT:
            return "gateway-plaintext", f"port {port} of {workload.id} is the gateway's health check"
        found = self.ports(workload).get(port)
        if self._unread and (found is None or found[0] != "gateway-plaintext"):
            # One that nobody saw may serve the same port in plaintext.
            return UNKNOWN, "Gateways were not read"
        if found is not None:
            return found
        if port in (number for number, dummy in workload.shape.ports):
            return (
                "gateway-plaintext",
                f"port {port} of {workload.id} is another container's, and in a gateway's pod no proxy takes it",
            )
        if KUBERNETES_GATEWAY in workload.labels or not self.ports(workload):
            return (
                UNKNOWN,
                f"no Gateway of networking.istio.io selects {workload.id}, its listeners come from elsewhere",
            )
        return "gateway-closed", f"no Gateway serves port {port} of {workload.id}"


_WORDS = {
    UNKNOWN: "with a protocol or TLS mode that Istio does not know",
    "plaintext": "in plaintext",
    "tls": "with TLS of its own",
    "mtls": "with Istio mTLS",
}
