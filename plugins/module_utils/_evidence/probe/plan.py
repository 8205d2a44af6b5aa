# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe asks: from Services and EndpointSlices to the plans that ``wire`` runs in pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..._foreign.visible import visible
from ..._policy.records import PROXY_CONTAINER, PROXY_PORTS, REDIRECTION

HTTP, GRPC, TCP = "http", "grpc", "tcp"
SERVICE, POD = "service", "pod"
# The words before the first dash of a port's name, or its appProtocol, that mean HTTP/2 (pkg/config/protocol), and
# those that do not mean HTTP. Istio detects the protocol of a port that says nothing, and so do we: an HTTP request is
# what we try.
_HTTP2 = {"grpc", "grpc-web", "http2", "kubernetes.io/h2c"}
_NOT_HTTP = {"https", "kubernetes.io/wss", "mongo", "mysql", "redis", "tcp", "thrift", "tls", "udp"}
_SERVICE_OF_SLICE = "kubernetes.io/service-name"

_LONGEST_NAME = 253


class TargetError(Exception):
    """A target that was asked for does not exist; the text names it and the remedy."""


class Endpoint(NamedTuple):
    """One ready address behind a Service port."""

    address: str
    port: int
    pod: str | None
    account: str | None = None
    """The service account of its pod; None where that was not read."""
    identities: tuple[str, ...] = ()
    """Of which its certificate must have one, the usual one first; empty where that is not known."""
    ambient: bool = False
    """Whether its mutual TLS is ztunnel's, around all of its ports."""


class Target(NamedTuple):
    """One TCP port of one Service, or of one pod."""

    namespace: str
    name: str
    port: int
    protocol: str
    address: str | None
    """The Service's own address, None for a headless one."""
    endpoints: tuple[Endpoint, ...]
    endpoints_total: int
    """How many ready endpoints there are; ``endpoints`` may be only some of them."""
    kind: str = SERVICE
    obstacle: str = ""
    """Why it is not asked at all, in a sentence; empty where it is."""

    @property
    def service(self) -> str | None:
        """The Service as namespace/name."""
        return f"{self.namespace}/{self.name}" if self.kind == SERVICE else None

    @property
    def pod(self) -> str | None:
        """The pod as namespace/name."""
        return f"{self.namespace}/{self.name}" if self.kind == POD else None

    @property
    def host(self) -> str:
        """What clients dial: a name, or a pod's address."""
        if self.kind == SERVICE:
            return f"{self.name}.{self.namespace}.svc"
        address = self.endpoints[0].address
        return f"[{address}]" if ":" in address else address


def find_targets(
    services: Iterable[Mapping[str, Any]],
    slices: Iterable[Mapping[str, Any]],
    wanted: Iterable[Mapping[str, Any]] = (),
    most_endpoints: int = 10,
    pods: Iterable[Mapping[str, Any]] = (),
) -> list[Target]:
    """The targets that were asked for, or every TCP port of every Service with a selector.

    `pods` tell whose identity an endpoint must show.
    """
    running = {_full_name(pod): pod for pod in pods}
    by_name = {_full_name(item): item for item in services}
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
        (name, port["port"]): _target(by_name[name], port, of_service.get(name, []), most_endpoints, running)
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
    service: Mapping[str, Any],
    port: Mapping[str, Any],
    slices: list[Mapping[str, Any]],
    most_endpoints: int,
    pods: Mapping[str, Mapping[str, Any]],
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
        protocol=protocol_of(port),
        address=None if address in (None, "", "None") else address,
        endpoints=tuple(
            _endpoint(one, pods.get(f"{_meta(service, 'namespace')}/{one.pod}")) for one in endpoints[:most_endpoints]
        ),
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
        name = owner.get("name") if owner.get("kind") == "Pod" else None
        pod = visible(name, _LONGEST_NAME) if name else None  # whoever may write a slice can call it anything
        for address in endpoint.get("addresses") or ():
            for number in numbers:
                yield Endpoint(address, number, pod)


def _endpoint(endpoint: Endpoint, pod: Mapping[str, Any] | None) -> Endpoint:
    """With what its pod says. Whoever may write an EndpointSlice can name any pod: it must have the address.

    Of a pod's addresses only the first is read; one of the other IP family is nobody else's for that.
    """
    if pod is None:
        return endpoint
    own = _address(pod)
    if endpoint.address != own and (":" in endpoint.address) == (":" in own):
        return endpoint._replace(pod=None)
    return endpoint._replace(account=_account(pod), ambient=_is_ambient(pod))


def protocol_of(port: Mapping[str, Any]) -> str:
    """Which question is the right one for a port of a Service or of a container: http, grpc or tcp."""
    word = str(port.get("appProtocol") or port.get("name") or "").lower()
    if word in _HTTP2 or word.split("-", 1)[0] in _HTTP2:
        return GRPC
    return TCP if word in _NOT_HTTP or word.split("-", 1)[0] in _NOT_HTTP else HTTP


def pods_behind(targets: Iterable[Target], pods: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pods of the endpoints that are asked, and that are still there, as ``wanted`` of ``find_pod_targets``."""
    names = {f"{target.namespace}/{one.pod}" for target in targets for one in target.endpoints if one.pod}
    running = {_full_name(pod) for pod in pods if _address(pod)}
    return [{"pod": name} for name in sorted(names & running)]


def find_pod_targets(
    pods: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]], services: Iterable[Target] = ()
) -> list[Target]:
    """Ports of pods by their own address: ``wanted`` items name a pod and perhaps a port, otherwise all it declares.

    What a Service says of a port's protocol goes for its pods, too. Raises TargetError for a pod that has no address.
    """
    by_name = {_full_name(pod): pod for pod in pods}
    known = {(one.address, one.port): target.protocol for target in services for one in target.endpoints}
    found = {}
    for item in wanted:
        pod = by_name.get(item["pod"])
        if pod is None or not _address(pod):
            raise TargetError(
                f"There is no running pod {item['pod']}. Remedy: name one, or choose its Service as the target."
            )
        address, declared = _address(pod), {port["containerPort"]: port for port in _container_ports(pod)}
        for number in [item["port"]] if item.get("port") else sorted(declared):
            protocol = known.get((address, number)) or protocol_of(declared.get(number, {}))
            endpoint = Endpoint(address, number, _meta(pod, "name"), _account(pod), ambient=_is_ambient(pod))
            found[item["pod"], number] = Target(
                _meta(pod, "namespace"), _meta(pod, "name"), number, protocol, None, (endpoint,), 1, POD
            )
    return [found[key] for key in sorted(found)]


def _full_name(manifest: Mapping[str, Any]) -> str:
    return f"{_meta(manifest, 'namespace')}/{_meta(manifest, 'name')}"


def _account(pod: Mapping[str, Any]) -> str:
    """The service account that a pod runs as; the API server fills in `default`."""
    return str((pod.get("spec") or {}).get("serviceAccountName") or "default")


def _is_ambient(pod: Mapping[str, Any]) -> bool:
    return (pod["metadata"].get("annotations") or {}).get(REDIRECTION) == "enabled"


def _address(pod: Mapping[str, Any]) -> str:
    """A pod's address, empty where it has none or none any more."""
    status = pod.get("status") or {}
    return "" if status.get("phase") in ("Succeeded", "Failed") else str(status.get("podIP") or "")


def _container_ports(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The TCP ports that a pod declares, but for its proxy's own."""
    spec = pod.get("spec") or {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for port in container.get("ports") or ():
            if container.get("name") == PROXY_CONTAINER or port["containerPort"] in PROXY_PORTS:
                continue
            if port.get("protocol", "TCP") == "TCP":
                yield port


def within(targets: list[Target], most: int) -> list[Target]:
    """The targets, of which so many are asked as take no more than `most` asks; the others have an obstacle.

    Each namespace gets its share, and what one does not need goes to the others: nobody who has thousands of endpoints
    takes somebody else's.
    """
    of_namespace: dict[str, list[int]] = {}
    for number, target in enumerate(targets):
        of_namespace.setdefault(target.namespace, []).append(number)
    needs = sorted((sum(_cost(targets[number]) for number in own), name) for name, own in of_namespace.items())
    asked, left = set(), most
    for place, (_need, name) in enumerate(needs):
        share = left // (len(needs) - place)
        for number in of_namespace[name]:
            if _cost(targets[number]) <= share:
                asked.add(number)
                share, left = share - _cost(targets[number]), left - _cost(targets[number])
    why = (
        f"The namespace has more addresses than a probe, which asks {most}, has left for it. Remedy: choose fewer "
        "namespaces at a time, or lower max_endpoints."
    )
    return [item if number in asked else item._replace(obstacle=why) for number, item in enumerate(targets)]


def _cost(target: Target) -> int:
    """How many addresses are asked from outside, from where most are."""
    return len(target.endpoints) + bool(target.address)


def _in_turns(targets: list[Target]) -> list[tuple[int, Target]]:
    """Those that are asked, with their numbers, one of each namespace after the other.

    Time is limited, and whoever keeps callers waiting must not take it from others.
    """
    turns: dict[str, int] = {}
    found = []
    for number, target in enumerate(targets):
        if not target.obstacle:
            turn = turns[target.namespace] = turns.get(target.namespace, -1) + 1
            found.append((turn, number, target))
    return [(number, target) for _turn, number, target in sorted(found, key=lambda item: item[:2])]


def outside_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod outside the mesh asks: the Service's address and each endpoint."""
    asks = []
    for number, target in _in_turns(targets):
        if target.address:
            asks.append(_ask(f"{number}/service", target.address, target.port, target))
        asks.extend(_endpoint_asks(number, target))
    return asks


def request_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod inside the mesh asks through its own sidecar: the Service, as every client does, or a pod's address.

    To that a sidecar needs no configuration, so there is nothing to wait for.
    """
    asks = []
    for number, target in _in_turns(targets):
        if target.kind == POD:
            [endpoint] = target.endpoints
            asks.append({**_ask(f"{number}/request", endpoint.address, endpoint.port, target), "attempts": 1})
        else:
            asks.append(_ask(f"{number}/request", target.address or target.host, target.port, target))
    return asks


def handshake_asks(targets: list[Target]) -> list[dict[str, Any]]:
    """What a pod inside the mesh asks with its own certificate: each endpoint, an ambient one through its tunnel."""
    return [ask for number, target in _in_turns(targets) for ask in _endpoint_asks(number, target, tunnels=True)]


def _endpoint_asks(number: int, target: Target, tunnels: bool = False) -> list[dict[str, Any]]:
    return [
        {
            **_ask(f"{number}/{index}", endpoint.address, endpoint.port, target),
            **({"hbone": True} if tunnels and endpoint.ambient else {}),
        }
        for index, endpoint in enumerate(target.endpoints)
    ]


def _ask(identifier: str, address: str, port: int, target: Target) -> dict[str, Any]:
    return {"id": identifier, "address": address, "port": port, "host": target.host, "protocol": target.protocol}


def _meta(manifest: Mapping[str, Any], key: str) -> str:
    return str(manifest["metadata"].get(key) or "")
