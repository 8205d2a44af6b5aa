# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EnvoyFilters: whether one can change what a proxy accepts or sends."""

from __future__ import annotations

from typing import Any, Mapping

from ..fields import identity_of, mapping, selector_of, sequence, text_of
from ..pods import PodParser
from ..records import (
    EnvoyFilter,
    Snapshot,
)

_CONTEXTS_INBOUND = ("ANY", "SIDECAR_INBOUND")

_CONTEXTS_OUTBOUND = ("ANY", "SIDECAR_OUTBOUND", "GATEWAY")

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


def envoy_filter(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """An EnvoyFilter matters when it can change a listener's or a cluster's transport; HTTP filters cannot."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    inbound = outbound = False
    for patch in sequence(spec.get("configPatches"), "spec.configPatches"):
        target = text_of(patch.get("applyTo"), "configPatches.applyTo")
        context = text_of(mapping(patch.get("match"), "match").get("context"), "match.context") or "ANY"
        change = mapping(patch.get("patch"), "patch")
        merge = change.get("operation") == "MERGE"
        keys = set(mapping(change.get("value"), "patch.value"))
        if target in ("LISTENER", "FILTER_CHAIN", "LISTENER_FILTER"):
            touched = not merge or target == "LISTENER_FILTER" or bool(keys & _LISTENER_KEYS)
            inbound = inbound or (touched and context in _CONTEXTS_INBOUND)
            outbound = outbound or (touched and context in _CONTEXTS_OUTBOUND)
        elif target == "CLUSTER":
            outbound = outbound or ((not merge or bool(keys & _TRANSPORT_KEYS)) and context in _CONTEXTS_OUTBOUND)
    snapshot.envoy_filters.append(
        EnvoyFilter(
            identity.namespace,
            identity.name,
            identity.revision,
            selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector"),
            inbound,
            outbound,
        )
    )
