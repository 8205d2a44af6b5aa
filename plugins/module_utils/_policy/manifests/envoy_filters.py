# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EnvoyFilters: whether one can change what a proxy accepts or sends.

What is known to be harmless is listed here (by pilot/pkg/networking/core/envoyfilter); everything else is doubt, words
that nobody knows included.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ..fields import identity_of, mapping, selector_of, sequence, text_of
from ..pods import PodParser
from ..records import EnvoyFilter, Selector, Snapshot

_INBOUND = ("ANY", "SIDECAR_INBOUND")
_OUTBOUND = ("ANY", "SIDECAR_OUTBOUND", "GATEWAY")
_CONTEXTS = frozenset((*_INBOUND, *_OUTBOUND, "WAYPOINT"))
_INSERTS = frozenset(("ADD", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"))
_OPERATIONS = _INSERTS | {"MERGE", "REMOVE", "REPLACE"}
_ABOVE_TRANSPORT = frozenset(("HTTP_FILTER", "ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE", "EXTENSION_CONFIG"))
"""They change requests, which have left TLS behind them, or have it still before them."""
_RESOURCES = frozenset(("static_resources", "staticResources", "dynamic_resources", "dynamicResources"))
"""Parts of the bootstrap that hold listeners and clusters of their own."""
_HTTP_MANAGER = "envoy.filters.network.http_connection_manager"
_TRANSPORT_KEYS = frozenset(
    (
        "transport_socket",
        "transportSocket",
        "transport_socket_matches",
        "transportSocketMatches",
        "type",
        "cluster_type",
        "clusterType",
        "load_assignment",
        "loadAssignment",
        "lb_policy",
        "lbPolicy",
    )
)

_LISTENER_KEYS = frozenset(
    (
        "filter_chains",
        "filterChains",
        "default_filter_chain",
        "defaultFilterChain",
        "listener_filters",
        "listenerFilters",
        "address",
        "additional_addresses",
        "additionalAddresses",
        "use_original_dst",
        "useOriginalDst",
        "bind_to_port",
        "bindToPort",
        "filter_chain_matcher",
        "filterChainMatcher",
        "transport_socket",
        "transportSocket",
        "filter_chain_match",
        "filterChainMatch",
        "filters",
    )
)


class Touched(NamedTuple):
    """Which sides of a proxy a patch can change: what it accepts, and what it sends."""

    inbound: bool
    outbound: bool


NOTHING, EVERYTHING = Touched(False, False), Touched(True, True)


def touched_by(patch: Mapping[str, Any]) -> Touched:
    """What an entry of configPatches can change of the transport."""
    match = mapping(patch.get("match"), "match")
    target = text_of(patch.get("applyTo"), "configPatches.applyTo")
    context = text_of(match.get("context"), "match.context") or "ANY"
    change = mapping(patch.get("patch"), "patch")
    operation = text_of(change.get("operation"), "patch.operation")
    if target in _ABOVE_TRANSPORT:
        return NOTHING
    if context not in _CONTEXTS or operation not in _OPERATIONS:
        return EVERYTHING
    sides = Touched(context in _INBOUND, context in _OUTBOUND)
    keys = set(mapping(change.get("value"), "patch.value"))
    if target in ("LISTENER", "FILTER_CHAIN"):
        return sides if operation != "MERGE" or keys & _LISTENER_KEYS else NOTHING
    if target == "LISTENER_FILTER":
        return sides._replace(outbound=False)  # it looks at what comes in, on whichever listener
    if target == "NETWORK_FILTER":
        # Behind TLS on the way in. On the way out another TCP proxy is another destination.
        manages_http = _filter_matched(match) == _HTTP_MANAGER
        return NOTHING if operation in _INSERTS or manages_http else sides._replace(inbound=False)
    if target == "CLUSTER":
        if operation == "ADD" or (operation == "MERGE" and not keys & _TRANSPORT_KEYS):
            return NOTHING  # an added cluster stands beside those of the Services
        return sides._replace(inbound=False)
    if target == "BOOTSTRAP":
        return sides if keys & _RESOURCES else NOTHING
    return EVERYTHING


def _filter_matched(match: Mapping[str, Any]) -> str:
    chain = mapping(mapping(match.get("listener"), "match.listener").get("filterChain"), "match.listener.filterChain")
    return text_of(mapping(chain.get("filter"), "filterChain.filter").get("name"), "filterChain.filter.name")


def _selectors(spec: Mapping[str, Any]) -> Iterable[Selector]:
    """Whose proxies it is for: pods by labels, or by targetRefs the gateways and waypoints that these name."""
    references = sequence(spec.get("targetRefs"), "spec.targetRefs")
    if not references:
        yield selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector")
    for reference in references:
        kind = text_of(mapping(reference, "an entry of spec.targetRefs").get("kind"), "targetRefs.kind")
        name = text_of(reference.get("name"), "targetRefs.name")
        if kind == "Gateway":
            yield {"gateway.networking.k8s.io/gateway-name": name}
        elif kind in ("Service", "ServiceEntry"):
            yield {"gateway.istio.io/managed": "istio.io-mesh-controller"}
        else:
            yield None


def envoy_filter(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    patches = sequence(spec.get("configPatches"), "spec.configPatches")
    found = [touched_by(mapping(patch, "an entry of spec.configPatches")) for patch in patches]
    inbound, outbound = any(item.inbound for item in found), any(item.outbound for item in found)
    for selector in _selectors(spec):
        snapshot.envoy_filters.append(
            EnvoyFilter(identity.namespace, identity.name, identity.revision, selector, inbound, outbound)
        )
