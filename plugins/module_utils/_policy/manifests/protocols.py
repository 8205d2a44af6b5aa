# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port speaks, as Istio reads it from its name or its appProtocol."""

from __future__ import annotations

_HTTP = ("http", "http2", "http_proxy", "grpc")


def protocol_of(name: str, app_protocol: str, transport: str) -> str:
    """http, tcp (with everything that Istio sniffs) or udp, from a port's appProtocol or name.

    pkg/config/kube/conversion.go ConvertProtocol.
    """
    if transport in ("UDP", "SCTP"):
        return "udp"
    if app_protocol in ("kubernetes.io/h2c", "kubernetes.io/ws"):
        return "http"
    token = (app_protocol or name).lower()
    return "http" if token.startswith("grpc-web") or token.partition("-")[0] in _HTTP else "tcp"
