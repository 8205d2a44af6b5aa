# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port speaks, as Istio reads it from its name or its appProtocol."""

from __future__ import annotations

HTTP = frozenset(("http", "http2", "http_proxy", "grpc", "grpc-web"))
"""What speaks HTTP (pkg/config/protocol/instance.go IsHTTP)."""
_OTHERS = frozenset(("https", "tls", "tcp", "mongo", "redis", "mysql", "udp"))
_KUBERNETES = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}


def instance_of(name: str, app_protocol: str, transport: str) -> str:
    """Istio's name of a port's protocol in lower case, "" for one that is sniffed, from its appProtocol or name.

    pkg/config/kube/conversion.go ConvertProtocol.
    """
    if transport in ("UDP", "SCTP"):
        return "udp"
    if app_protocol in _KUBERNETES:
        return _KUBERNETES[app_protocol]
    token = (app_protocol or name).lower()
    found = "grpc-web" if token.startswith("grpc-web") else token.partition("-")[0]
    return found if found in HTTP or found in _OTHERS else ""


def protocol_of(name: str, app_protocol: str, transport: str) -> str:
    """http, tcp (with everything that Istio sniffs) or udp."""
    if transport in ("UDP", "SCTP"):
        return "udp"
    return "http" if instance_of(name, app_protocol, transport) in HTTP else "tcp"
