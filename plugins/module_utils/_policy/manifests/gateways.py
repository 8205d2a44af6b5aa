# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever opens ports at gateways."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Mapping, Optional

from ..fields import identity_of, labels_of, mapping, number_of, sequence, strings, text_of
from ..pods import PodParser
from ..records import GatewayObject, Server, Snapshot
from .protocols import HTTP

_SERVICES = "internal.istio.io/gateway-service"
_OTHER_PROTOCOLS = ("https", "tls", "tcp", "mongo", "redis", "mysql")
_MODES = {
    "PASSTHROUGH": "passthrough",
    "AUTO_PASSTHROUGH": "passthrough",
    "SIMPLE": "tls",
    "MUTUAL": "tls",
    "OPTIONAL_MUTUAL": "tls",
    "ISTIO_MUTUAL": "mtls",
}


def gateway(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """Istio's own Gateway."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    servers = []
    for item in sequence(spec.get("servers"), "spec.servers"):
        server = mapping(item, "an entry of spec.servers")
        port = mapping(server.get("port"), "servers.port")
        protocol = text_of(port.get("protocol"), "servers.port.protocol").lower()
        tls = server.get("tls")
        redirects = tls is not None and mapping(tls, "servers.tls").get("httpsRedirect") is True
        number = number_of(port.get("number"), "servers.port.number")
        servers.append(Server(number, _serves(protocol, tls, server), redirects and protocol in HTTP))
    snapshot.gateways.append(
        GatewayObject(
            identity.namespace,
            identity.name,
            identity.revision,
            labels_of(spec.get("selector"), "spec.selector"),
            tuple(servers),
            _named_services(identity.metadata),
        )
    )


def _named_services(metadata: Dict[str, Any]) -> Optional[FrozenSet[str]]:
    """The Services that it is for. istiod writes this for Gateways of other kinds, and obeys whoever else does."""
    found = labels_of(metadata.get("annotations"), "metadata.annotations").get(_SERVICES)
    return None if found is None else frozenset(found.split(","))


def _serves(protocol: str, tls: Any, server: Mapping[str, Any]) -> str:
    """What a server offers, which its protocol decides first: on HTTP `tls` may only redirect.

    pkg/config/gateway/gateway.go IsTLSServer, pkg/config/protocol/instance.go Parse. Istio's validation refuses other
    protocols and modes: what it makes of them nobody can tell.
    """
    if protocol in HTTP or tls is None:
        return "plaintext"
    if protocol not in _OTHER_PROTOCOLS:
        return "unknown"
    mode = text_of(mapping(tls, "servers.tls").get("mode"), "servers.tls.mode") or "PASSTHROUGH"
    found = _MODES.get(mode, "unknown")
    # A sidecar names the cluster as the host that it wants (SNI), which only a server for every host knows.
    hosts = strings(server.get("hosts"), "servers.hosts")
    return "sni" if found == "mtls" and not any(host.rpartition("/")[2] == "*" for host in hosts) else found
