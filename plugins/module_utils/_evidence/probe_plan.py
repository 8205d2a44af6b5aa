# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe asks: from Services and EndpointSlices to the plans that ``wire`` runs in pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# The words before the first dash of a port's name, or its appProtocol, that do not mean HTTP. Istio detects the
# protocol of a port that says nothing, and so do we: an HTTP request is what we try.
_NOT_HTTP = {"https", "kubernetes.io/wss", "mongo", "mysql", "redis", "tcp", "thrift", "tls", "udp"}
_SERVICE_OF_SLICE = "kubernetes.io/service-name"


class TargetError(Exception):
    """A target that was asked for does not exist; the text names it and the remedy."""


class Endpoint(NamedTuple):
    """One ready address behind a Service port."""

    address: str
    port: int
    pod: str | None


class Target(NamedTuple):
    """One TCP port of one Service."""

    namespace: str
    name: str
    port: int
    http: bool
    address: str | None
    """The Service's own address, None for a headless one."""
    endpoints: tuple[Endpoint, ...]
    endpoints_total: int
    """How many ready endpoints there are; ``endpoints`` may be only some of them."""

    @property
    def service(self) -> str:
        """The Service as namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def host(self) -> str:
        """The name that clients dial."""
        return f"{self.name}.{self.namespace}.svc"


def find_targets(
    services: Iterable[Mapping[str, Any]],
    slices: Iterable[Mapping[str, Any]],
    wanted: Iterable[Mapping[str, Any]] = (),
    most_endpoints: int = 10,
) -> list[Target]:
    """The targets that were asked for, or every TCP port of every Service with a selector."""
    by_name = {f"{_meta(item, 'namespace')}/{_meta(item, 'name')}": item for item in services}
    of_service: dict[str, list[Mapping[str, Any]]] = {}
    for item in slices:
        owner = (item["metadata"].get("labels") or {}).get(_SERVICE_OF_SLICE)
        of_service.setdefault(f"{_meta(item, 'namespace')}/{owner}", []).append(item)
    wanted = list(wanted)
    if wanted:
        chosen = [pair for item in wanted for pair in _chosen(by_name, item)]
    else:
        chosen = [
            (name, port)
            for name, service in by_name.items()
            if (service.get("spec") or {}).get("selector")
            for port in _tcp_ports(service)
        ]
    targets = {
        (name, port["port"]): _target(by_name[name], port, of_service.get(name, []), most_endpoints)
        for name, port in chosen
    }
    return [targets[key] for key in sorted(targets)]


def _chosen(by_name: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[str, Any]]:
    name = wanted["service"]
    service = by_name.get(name)
    if service is None:
        raise TargetError(f"There is no Service {name}. Remedy: correct the target, or deploy the Service first.")
    if (service.get("spec") or {}).get("type") == "ExternalName":
        raise TargetError(f"The Service {name} is an ExternalName and has no port. Remedy: leave it out.")
    ports = list(_tcp_ports(service))
    found = [(name, port) for port in ports if wanted.get("port") in (None, port["port"])]
    if not found:
        known = ", ".join(str(port["port"]) for port in ports) or "none"
        raise TargetError(
            f"The Service {name} has no TCP port {wanted.get('port') or ''}. Remedy: choose one of its ports: {known}."
        )
    return found


def _tcp_ports(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    ports = (service.get("spec") or {}).get("ports") or ()
    return [port for port in ports if port.get("protocol", "TCP") == "TCP"]


def _target(
    service: Mapping[str, Any], port: Mapping[str, Any], slices: list[Mapping[str, Any]], most_endpoints: int
) -> Target:
    spec = service["spec"]
    family = (spec.get("ipFamilies") or ["IPv4"])[0]
    endpoints = sorted(
        {endpoint for item in slices if item.get("addressType", family) == family for endpoint in _ready(item, port)}
    )
    address = spec.get("clusterIP")
    return Target(
        namespace=service["metadata"]["namespace"],
        name=service["metadata"]["name"],
        port=port["port"],
        http=is_http(port),
        address=None if address in (None, "", "None") else address,
        endpoints=tuple(endpoints[:most_endpoints]),
        endpoints_total=len(endpoints),
    )


def _ready(item: Mapping[str, Any], port: Mapping[str, Any]) -> Iterable[Endpoint]:
    numbers = [
        candidate["port"]
        for candidate in item.get("ports") or ()
        if (candidate.get("name") or "") == (port.get("name") or "") and candidate.get("port")
    ]
    for endpoint in item.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        owner = endpoint.get("targetRef") or {}
        pod = owner.get("name") if owner.get("kind") == "Pod" else None
        for address in endpoint.get("addresses") or ():
            for number in numbers:
                yield Endpoint(address, number, pod)


def is_http(port: Mapping[str, Any]) -> bool:
    """Whether an HTTP request is the right question for a Service port."""
    word = port.get("appProtocol") or str(port.get("name") or "").split("-", 1)[0]
    return str(word).lower() not in _NOT_HTTP


def outside_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod outside the mesh asks: the Service's address and each endpoint."""
    asks = []
    for number, target in enumerate(targets):
        if target.address:
            asks.append(_ask(f"{number}/service", target.address, target.port, target))
        asks.extend(_endpoint_asks(number, target))
    return asks


def request_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod inside the mesh asks through its own sidecar: the Service, as every client does."""
    return [
        _ask(f"{number}/service", target.address or target.host, target.port, target)
        for number, target in enumerate(targets)
    ]


def handshake_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod inside the mesh asks with its own certificate: each endpoint."""
    return [ask for number, target in enumerate(targets) for ask in _endpoint_asks(number, target)]


def _endpoint_asks(number: int, target: Target) -> list[dict[str, Any]]:
    return [
        _ask(f"{number}/{index}", endpoint.address, endpoint.port, target)
        for index, endpoint in enumerate(target.endpoints)
    ]


def _ask(identifier: str, address: str, port: int, target: Target) -> dict[str, Any]:
    return {"id": identifier, "address": address, "port": port, "host": target.host, "http": target.http}


def _meta(manifest: Mapping[str, Any], key: str) -> str:
    return str(manifest["metadata"].get(key) or "")
