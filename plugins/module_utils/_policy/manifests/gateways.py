# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever opens ports at gateways."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..fields import identity_of, labels_of, mapping, number_of, sequence, strings, text_of
from ..mesh import CLUSTER_DOMAIN
from ..pods import PodParser
from ..records import UNDATED, GatewayObject, IngressObject, Server, Snapshot
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


_ISTIO, _REMOTE, _WAYPOINT, _EAST_WEST = "istio", "istio-remote", "istio-waypoint", "istio-east-west"
"""GatewayClasses of Istio itself (pilot/pkg/config/kube/gatewaycommon/classinfo.go)."""
_TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"
_HOSTNAME = "Hostname"


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
        hosts = tuple(_qualified(host, identity.namespace) for host in strings(server.get("hosts"), "servers.hosts"))
        servers.append(
            Server(
                number,
                _serves(protocol, tls, hosts),
                redirects and protocol in HTTP,
                hosts,
                text_of(server.get("bind"), "servers.bind"),
                protocol in HTTP,
                tls is not None,
            )
        )
    snapshot.gateways.append(
        GatewayObject(
            identity.namespace,
            identity.name,
            identity.revision,
            labels_of(spec.get("selector"), "spec.selector"),
            tuple(servers),
            identity.age,
            _named_services(identity.metadata),
        )
    )


def kubernetes_gateway(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """The Gateway API's, which istiod turns into Gateways that name their Service (pilot/pkg/config/kube/gateway).

    Of a class that is not Istio's by its name, what is not plaintext is unknown. One for waypoints opens nothing.
    """
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    class_name = text_of(spec.get("gatewayClassName"), "spec.gatewayClassName")
    if class_name in (_WAYPOINT, _REMOTE):
        return
    servers = []
    for item in sequence(spec.get("listeners"), "spec.listeners"):
        listener = mapping(item, "an entry of spec.listeners")
        number = number_of(listener.get("port"), "listeners.port")
        protocol = text_of(listener.get("protocol"), "listeners.protocol")
        tls = listener.get("tls")
        if (tls is None and protocol in ("HTTPS", "TLS")) or protocol in ("UDP", "HBONE"):
            continue  # no server is made of it
        hostname = text_of(listener.get("hostname"), "listeners.hostname")
        serves = _listener_serves(protocol, tls, hostname)
        known = class_name in (_ISTIO, _EAST_WEST) or serves == "plaintext"
        servers.append(Server(number, serves if known else "unknown", hosts=(hostname or "*",)))
    allowed = mapping(mapping(spec.get("allowedListeners"), "spec.allowedListeners").get("namespaces"), "namespaces")
    more = "ListenerSets, which are not read, may add listeners" if allowed.get("from") not in (None, "None") else ""
    snapshot.gateways.append(
        GatewayObject(
            identity.namespace,
            identity.name,
            None,
            {},
            tuple(servers),
            UNDATED,  # each listener is a Gateway of its own, whose order is no matter of age alone
            _own_services(identity.namespace, identity.name, identity.metadata, spec, class_name),
            "Gateway",
            more,
            _is_managed(_addresses(spec)),
        )
    )


def _addresses(spec: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [mapping(item, "spec.addresses") for item in sequence(spec.get("addresses"), "spec.addresses")]


def _is_managed(addresses: List[Dict[str, Any]]) -> bool:
    """Whether istiod makes the pods (gatewaycommon IsManaged). A single address without a type is an IP address."""
    return not addresses or (len(addresses) == 1 and addresses[0].get("type") in (None, "IPAddress"))


def _own_services(
    namespace: str, name: str, metadata: Dict[str, Any], spec: Dict[str, Any], class_name: str
) -> FrozenSet[str]:
    """The Service that istiod made for a Gateway, or those that it names by their hosts (extractGatewayServices)."""
    addresses = _addresses(spec)
    suffix = f".{namespace}.svc.{CLUSTER_DOMAIN}"
    if _is_managed(addresses):
        notes = labels_of(metadata.get("annotations"), "metadata.annotations")
        made = name if class_name == _EAST_WEST else f"{name}-{class_name}"
        return frozenset((notes.get("gateway.istio.io/name-override", made) + suffix,))
    hosts = [
        text_of(address.get("value"), "addresses.value")
        for address in addresses
        if address.get("type") in (None, _HOSTNAME)
    ]
    return frozenset(host if "." in host else host + suffix for host in hosts)


def _listener_serves(protocol: str, tls: Any, hostname: str) -> str:
    """buildTLS; what it makes of a listener is a server with one protocol."""
    if tls is None or protocol == "HTTP":
        return "plaintext"
    settings = mapping(tls, "listeners.tls")
    mode = text_of(settings.get("mode"), "tls.mode") or "Terminate"
    if mode == "Passthrough":
        return "passthrough"
    options = labels_of(settings.get("options"), "tls.options")
    if mode != "Terminate" or protocol not in ("HTTPS", "TLS", "TCP"):
        return "unknown"
    if options.get(_TERMINATE_MODE) == "ISTIO_MUTUAL":
        return "named" if hostname else "mtls"
    return "tls"


def ingress(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """Kubernetes' Ingress, of whatever class."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    secrets = [
        text_of(mapping(item, "spec.tls").get("secretName"), "tls.secretName")
        for item in sequence(spec.get("tls"), "spec.tls")
    ]
    named = spec.get("ingressClassName")
    snapshot.ingresses.append(
        IngressObject(
            identity.namespace,
            identity.name,
            labels_of(identity.metadata.get("annotations"), "metadata.annotations").get("kubernetes.io/ingress.class"),
            None if named is None else text_of(named, "spec.ingressClassName"),
            any(secrets),
        )
    )


def ingress_class(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """Which controller a class of Ingresses is for."""
    spec = mapping(manifest.get("spec"), "spec")
    snapshot.ingress_classes[identity_of(manifest).name] = text_of(spec.get("controller"), "spec.controller")


def _named_services(metadata: Dict[str, Any]) -> Optional[FrozenSet[str]]:
    """The Services that it is for. istiod writes this for Gateways of other kinds, and obeys whoever else does."""
    found = labels_of(metadata.get("annotations"), "metadata.annotations").get(_SERVICES)
    return None if found is None else frozenset(found.split(","))


def _qualified(host: str, namespace: str) -> str:
    """A host as istiod compares it (pilot/pkg/model/gateway.go sanitizeServerHostNamespace)."""
    home, slash, name = host.partition("/")
    return f"{namespace}/{name}" if slash and home == "." else name if slash and home == "*" else host


def _serves(protocol: str, tls: Any, hosts: Tuple[str, ...]) -> str:
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
    return "named" if found == "mtls" and not any(host.rpartition("/")[2] == "*" for host in hosts) else found
