# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a patch of an EnvoyFilter reaches: the hosts and ports that its match leaves of a side of proxies.

pilot/pkg/networking/core/envoyfilter: cluster_patch.go clusterMatch, listener_patch.go listenerMatch and
filterChainMatch, rc_patch.go routeConfigurationMatch and virtualHostMatch. A match that holds anything else than what
is named here narrows nothing, nor does one that another patch could make true of something else.
"""

from __future__ import annotations

from typing import Any, FrozenSet, Mapping, Optional

from ..._foreign.numbers import port
from ..records import GATEWAY_ACCEPTS, GATEWAY_SENDS, SIDECAR_ACCEPTS, SIDECAR_SENDS, Touch
from .harmless_patches import OWN_CLUSTERS

_SENDS = (SIDECAR_SENDS, GATEWAY_SENDS)
_CLUSTER = frozenset(("name", "service", "portNumber", "subset"))
_LISTENER = frozenset(("name", "portNumber", "portName", "listenerFilter", "filterChain"))
_CHAIN = frozenset(("name", "sni", "transportProtocol", "applicationProtocols", "destinationPort", "filter"))
_ROUTES = frozenset(("name", "portNumber", "portName", "gateway", "vhost"))
_HOST = frozenset(("name", "domainName", "route"))
_FOR_ALL = (15001, 15006)
"""The ports of the two listeners that take all traffic out of and into a sidecar."""
_IN_CHAINS = ("FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER")
_IN_ROUTES = ("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")
# What a merge can set so that the thing is another one afterwards, for traffic and for the patches that follow.
_IDENTITY = frozenset(("name", "domains", "address", "additional_addresses", "filter_chain_match", "filter_chains"))


def reach(target: str, adds: bool, match: Mapping[str, Any], fields: FrozenSet[str], side: str) -> Optional[Touch]:
    """What of a side a patch can change; None for nothing.

    `adds` says whether it puts something in beside what is there, `fields` are the names that its value sets, as in
    Envoy's API. `match` is that of the patch.
    """
    whole = Touch(side)
    if target == "CLUSTER":
        # An added cluster is matched with none.
        return whole if adds or fields & _IDENTITY else _of_cluster(match.get("cluster"), side)
    if target in _IN_ROUTES:
        return _of_routes(target, adds, match.get("routeConfiguration"), fields, side)
    if target in ("LISTENER", "LISTENER_FILTER", *_IN_CHAINS):
        return (
            whole if adds and target == "LISTENER" else _of_listener(target, adds, match.get("listener"), fields, side)
        )
    return whole


def _of_cluster(found: Any, side: str) -> Optional[Touch]:
    """By its name, else by the service, port and subset that its name holds."""
    if not _is_plain(found, _CLUSTER):
        return Touch(side)
    number = _port(found.get("portNumber"))
    name, service, subset = (found.get(key) or "" for key in ("name", "service", "subset"))
    if number is None or not all(isinstance(text, str) for text in (name, service, subset)):
        return Touch(side)
    if name:
        return _of_cluster_name(name, side)
    if side in _SENDS:
        return Touch(side, service, number, subset or None)
    # The hosts of an inbound cluster are those of its workload's Services. It has no subset.
    return None if subset else Touch(side, "", number)


def _of_cluster_name(name: str, side: str) -> Optional[Touch]:
    """`outbound|80|v1|web.shop.svc.cluster.local`, `inbound|8080||`, or one that an EnvoyFilter added."""
    parts = name.split("|")
    if len(parts) == 1:
        return Touch(side) if name in OWN_CLUSTERS or name.startswith("outbound_.") else None
    number = port(parts[1])
    if len(parts) != 4 or number is None or parts[0] not in ("outbound", "inbound"):
        return Touch(side)
    if (parts[0] == "outbound") != (side in _SENDS):
        return None
    return Touch(side, parts[3], number, parts[2]) if side in _SENDS else Touch(side, "", number)


def _of_routes(target: str, adds: bool, found: Any, fields: FrozenSet[str], side: str) -> Optional[Touch]:
    """Routes of a sidecar have the name of their port, and in them one virtual host for each host.

    What a gateway serves says nothing of where it leads.
    """
    if side == GATEWAY_SENDS or not _is_plain(found, _ROUTES):
        return Touch(side)
    number = _port(found.get("portNumber"))
    if number is None:
        return Touch(side)
    whole = Touch(side, "", number or port(found.get("name")) or 0)
    virtual = found.get("vhost")
    replaced = target == "VIRTUAL_HOST" and (adds or bool(fields & _IDENTITY))
    if side != SIDECAR_SENDS or replaced or target == "ROUTE_CONFIGURATION" or not _is_plain(virtual, _HOST):
        return whole
    host, dummy, text = str(virtual.get("name") or "").rpartition(":")
    own = port(text)
    return whole if own is None or not host or "*" in host else Touch(side, host, own)


def _of_listener(target: str, adds: bool, found: Any, fields: FrozenSet[str], side: str) -> Optional[Touch]:
    """Listeners have the port of what clients dial or, as chains of the one for all, of the application."""
    whole = Touch(side)
    if side == GATEWAY_SENDS or not _is_plain(found, _LISTENER):
        return whole
    number, chain = _port(found.get("portNumber")), found.get("filterChain")
    if number is None or (chain is not None and not _is_plain(chain, _CHAIN)):
        return whole
    if target in ("LISTENER", "FILTER_CHAIN") and fields & _IDENTITY:
        return whole
    if side != GATEWAY_ACCEPTS and (target == "LISTENER_FILTER" or (target == "FILTER_CHAIN" and adds)):
        # Those of the listener for all are found whatever the port is.
        return whole
    if side == SIDECAR_ACCEPTS and target in _IN_CHAINS:
        number = number or _port((chain or {}).get("destinationPort")) or 0
    return whole if number in _FOR_ALL else Touch(side, "", number)


def _is_plain(found: Any, known: FrozenSet[str]) -> bool:
    """Whether a part of a match is a mapping with nothing in it that is not understood."""
    return isinstance(found, dict) and found.keys() <= known


def _port(value: Any) -> Optional[int]:
    """A port, 0 for none; None for what is no port."""
    return 0 if value is None or value == 0 else port(value)
