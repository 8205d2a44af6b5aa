# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy sends to each upstream, and to each endpoint of it.

With auto-mTLS a cluster has two transport sockets, and the endpoint's metadata choose (Istio's
pilot/pkg/networking/core/cluster_tls.go, buildAutoMtlsSettings): tlsMode=istio for pods that have a proxy.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..._foreign import numbers
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from .records import UNKNOWN, Shared, Upstream, UpstreamEndpoint
from .sockets import dictionary, listing, upstream

AUTO = "auto"
_MATCH = "envoy.transport_socket_match"
_LONGEST_NAME = 1000
_USES_OF_EACH = 10
"""Clusters that the endpoints of one assignment may be for, on the average; Istio makes one assignment for each."""
_ALWAYS_ALLOWED = 1000
_MOST_SOCKETS = 16
"""That one cluster chooses from; Istio writes up to three."""

_Place = Tuple[str, Dict[str, Any]]


def upstreams(
    clusters: Iterable[Any], assignments: Optional[Iterable[Any]], shared: Shared, reason: str = ""
) -> Tuple[Upstream, ...]:
    """The upstreams of a proxy. Raises Unreadable for more endpoints than so long an answer can mean.

    :arg clusters: Items of /config_dump?resource=dynamic_active_clusters.
    :arg assignments: Items of /config_dump?resource=dynamic_endpoint_configs&include_eds; None where they are not to be
        had, and then `reason` says why.
    """
    known = {} if assignments is None else _assignments(assignments)
    allowed = _ALWAYS_ALLOWED + _USES_OF_EACH * sum(map(len, known.values()))
    found = []
    for item in clusters:
        cluster = dictionary(dictionary(item).get("cluster"))
        name = str(cluster.get("name") or "")[:_LONGEST_NAME]
        parts = name.split("|")
        port = numbers.port(parts[1]) if len(parts) == 4 and parts[0] == "outbound" else None
        if port is None:
            continue  # inbound, passthrough, and the proxy's own
        place = dictionary(cluster.get("eds_cluster_config")).get("service_name") or name
        assigned = known.get(str(place), [])
        allowed -= len(assigned)
        if allowed < 0:
            raise Unreadable("has many clusters that share their endpoints, which no istiod sends")
        addresses = assigned + _endpoints(dictionary(cluster.get("load_assignment")))
        sockets = _sockets(cluster)
        endpoints = tuple(shared.of(UpstreamEndpoint(address, sockets.chosen(labels))) for address, labels in addresses)
        why = reason or (
            f"{visible(name)} has a transport socket that is not one of Istio's" if sockets.all == UNKNOWN else ""
        )
        found.append(shared.of(Upstream(name, parts[3], port, parts[2], sockets.all, endpoints, why)))
    return tuple(sorted(found))


class _Sockets(NamedTuple):
    """The transport sockets of a cluster, by what they speak."""

    matched: List[Tuple[Dict[str, Any], str]]
    """The labels of endpoints that a socket is for, in the order of their trial."""
    own: str
    """Of all other endpoints."""

    @property
    def all(self) -> str:
        """What the cluster sends, or that each endpoint has its own answer."""
        return AUTO if self.matched else self.own

    def chosen(self, labels: Dict[str, Any]) -> str:
        """What is sent to an endpoint: the first socket all of whose labels it has, else the cluster's own."""
        for wanted, speaks in self.matched:
            if all(labels.get(key) == value for key, value in wanted.items()):
                return speaks
        return self.own


def _sockets(cluster: Dict[str, Any]) -> _Sockets:
    matches = [dictionary(item) for item in listing(cluster.get("transport_socket_matches"))]
    if cluster.get("transport_socket_matcher") or len(matches) > _MOST_SOCKETS:
        return _Sockets([], UNKNOWN)
    return _Sockets(
        [(dictionary(item.get("match")), _speaks(item)) for item in matches],
        _speaks(cluster),
    )


def _speaks(holder: Dict[str, Any]) -> str:
    return upstream(dictionary(holder.get("transport_socket"))).speaks


def _assignments(configs: Iterable[Any]) -> Dict[str, List[_Place]]:
    """The endpoints by the name that clusters ask for them; of several answers for one name all count."""
    found: Dict[str, List[_Place]] = {}
    for item in configs:
        assignment = dictionary(dictionary(item).get("endpoint_config"))
        found.setdefault(str(assignment.get("cluster_name") or ""), []).extend(_endpoints(assignment))
    return found


def _endpoints(assignment: Dict[str, Any]) -> List[_Place]:
    """The address of each endpoint, and the labels that choose its transport socket."""
    found = []
    for place in listing(assignment.get("endpoints")):
        for item in listing(dictionary(place).get("lb_endpoints")):
            metadata = dictionary(dictionary(dictionary(item).get("metadata")).get("filter_metadata"))
            address = _address(dictionary(dictionary(dictionary(item).get("endpoint")).get("address")))
            found.append((address, dictionary(metadata.get(_MATCH))))
    return sorted(found, key=lambda pair: pair[0])


def _address(address: Dict[str, Any]) -> str:
    """Where an endpoint is; empty where that is no address."""
    socket = dictionary(address.get("socket_address"))
    if socket:
        host, port = _name(socket.get("address")), numbers.port(socket.get("port_value"))
        if not host or port is None:
            return ""
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    internal = dictionary(address.get("envoy_internal_address"))
    if internal:
        return _name(internal.get("endpoint_id")) or _name(internal.get("server_listener_name"))
    return f"unix:{_name(dictionary(address.get('pipe')).get('path'))}"


def _name(value: Any) -> str:
    return visible(value, _LONGEST_NAME) if isinstance(value, str) else ""
