# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy sends to each upstream, and to each endpoint of it.

With auto-mTLS a cluster has two transport sockets, and the endpoint's metadata choose (Istio's
pilot/pkg/networking/core/cluster_tls.go, buildAutoMtlsSettings): tlsMode=istio for pods that have a proxy.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..._foreign.numbers import number
from .records import UNKNOWN, Endpoint, Shared, Upstream
from .sockets import dictionary, listing, upstream

AUTO = "auto"
_MATCH = "envoy.transport_socket_match"


def upstreams(
    clusters: Iterable[Any], assignments: Optional[Iterable[Any]], shared: Shared, reason: str = ""
) -> Tuple[Upstream, ...]:
    """The upstreams of a proxy.

    :arg clusters: Items of /config_dump?resource=dynamic_active_clusters.
    :arg assignments: Items of /config_dump?resource=dynamic_endpoint_configs&include_eds; None where they are not to be
        had, and then `reason` says why.
    """
    known = {} if assignments is None else _assignments(assignments)
    found = []
    for item in clusters:
        cluster = dictionary(dictionary(item).get("cluster"))
        name = str(cluster.get("name") or "")
        parts = name.split("|")
        if len(parts) != 4 or parts[0] != "outbound" or number(parts[1]) is None:
            continue  # inbound, passthrough, and the proxy's own
        place = dictionary(cluster.get("eds_cluster_config")).get("service_name") or name
        addresses = known.get(str(place), []) + _endpoints(dictionary(cluster.get("load_assignment")))
        sends = _sends(cluster)
        endpoints = tuple(shared.of(Endpoint(address, _chosen(cluster, match))) for address, match in addresses)
        why = reason or (f"{name} has a transport socket that is not one of Istio's" if sends == UNKNOWN else "")
        found.append(shared.of(Upstream(name, parts[3], int(parts[1]), parts[2], sends, endpoints, why)))
    return tuple(sorted(found))


def _sends(cluster: Dict[str, Any]) -> str:
    matches = _socket_matches(cluster)
    if cluster.get("transport_socket_matcher"):
        return UNKNOWN
    return AUTO if matches else upstream(dictionary(cluster.get("transport_socket"))).speaks


def _chosen(cluster: Dict[str, Any], metadata: Dict[str, Any]) -> str:
    """What is sent to an endpoint: the first socket all of whose labels it has, else the cluster's own."""
    if cluster.get("transport_socket_matcher"):
        return UNKNOWN
    for item in _socket_matches(cluster):
        wanted = dictionary(item.get("match"))
        if all(metadata.get(key) == value for key, value in wanted.items()):
            return upstream(dictionary(item.get("transport_socket"))).speaks
    return upstream(dictionary(cluster.get("transport_socket"))).speaks


def _socket_matches(cluster: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [dictionary(item) for item in listing(cluster.get("transport_socket_matches"))]


def _assignments(configs: Iterable[Any]) -> Dict[str, List[Tuple[str, Dict[str, Any]]]]:
    found = {}
    for item in configs:
        assignment = dictionary(dictionary(item).get("endpoint_config"))
        found[str(assignment.get("cluster_name") or "")] = _endpoints(assignment)
    return found


def _endpoints(assignment: Dict[str, Any]) -> List[Tuple[str, Dict[str, Any]]]:
    """The address of each endpoint, and the labels that choose its transport socket."""
    found = []
    for place in listing(assignment.get("endpoints")):
        for item in listing(dictionary(place).get("lb_endpoints")):
            metadata = dictionary(dictionary(dictionary(item).get("metadata")).get("filter_metadata"))
            address = _address(dictionary(dictionary(dictionary(item).get("endpoint")).get("address")))
            found.append((address, dictionary(metadata.get(_MATCH))))
    return sorted(found, key=lambda pair: pair[0])


def _address(address: Dict[str, Any]) -> str:
    socket = dictionary(address.get("socket_address"))
    if socket:
        host, port = str(socket.get("address") or ""), socket.get("port_value")
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    internal = dictionary(address.get("envoy_internal_address"))
    if internal:
        return str(internal.get("endpoint_id") or internal.get("server_listener_name") or "")
    return f"unix:{dictionary(address.get('pipe')).get('path') or ''}"
