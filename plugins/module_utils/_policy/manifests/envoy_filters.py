# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EnvoyFilters: whether one can change what a proxy accepts or sends (pilot/pkg/networking/core/envoyfilter).

A patch is harmless if all that it does is listed in harmless_patches. Everything else is doubt about the sides of the
proxies that it is for, words that nobody knows included, as far as its match reaches (patch_matches).
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, FrozenSet, Iterable, Mapping, Union

from ..fields import closed, identity_of, mapping, selector_of, sequence, text_of
from ..pods import PodParser
from ..records import (
    GATEWAY_ACCEPTS,
    GATEWAY_SENDS,
    SIDECAR_ACCEPTS,
    SIDECAR_SENDS,
    EnvoyFilter,
    Selector,
    Snapshot,
    Touch,
)
from .harmless_patches import EVERYWHERE, FIELDS, FILTERS, KEEPALIVE, NOT_OUTBOUND, OWN_CLUSTERS, PROXY_PROTOCOL
from .patch_matches import reach

NOTHING: FrozenSet[Touch] = frozenset()
_GATEWAY = frozenset((GATEWAY_ACCEPTS, GATEWAY_SENDS))
_CONTEXTS: Dict[str, FrozenSet[str]] = {
    "ANY": EVERYWHERE,
    "SIDECAR_INBOUND": frozenset((SIDECAR_ACCEPTS,)),
    "SIDECAR_OUTBOUND": frozenset((SIDECAR_SENDS,)),
    "GATEWAY": _GATEWAY,
    "WAYPOINT": _GATEWAY,
}
_BEHIND_LISTENERS = EVERYWHERE - {GATEWAY_ACCEPTS}
"""What comes after a gateway's TLS decides where its traffic goes, not whom it accepts."""
_TARGETS: Dict[str, FrozenSet[str]] = {
    "LISTENER": EVERYWHERE,
    "FILTER_CHAIN": EVERYWHERE,
    "LISTENER_FILTER": EVERYWHERE - {GATEWAY_SENDS},
    "NETWORK_FILTER": _BEHIND_LISTENERS,
    "HTTP_FILTER": _BEHIND_LISTENERS,
    "EXTENSION_CONFIG": _BEHIND_LISTENERS,
    "ROUTE_CONFIGURATION": _BEHIND_LISTENERS,
    "VIRTUAL_HOST": _BEHIND_LISTENERS,
    "HTTP_ROUTE": _BEHIND_LISTENERS,
    "CLUSTER": _BEHIND_LISTENERS,
    "BOOTSTRAP": EVERYWHERE,
}
# The fields of an EnvoyFilter and of what is in it (networking/v1alpha3/envoy_filter.proto).
_SPEC_FIELDS = frozenset(("workloadSelector", "targetRefs", "configPatches", "priority"))
_PATCH_FIELDS = frozenset(("applyTo", "match", "patch"))
_MATCH_FIELDS = frozenset(("context", "proxy", "listener", "routeConfiguration", "cluster"))
_CHANGE_FIELDS = frozenset(("operation", "value", "filterClass"))
_FILTERS = ("LISTENER_FILTER", "NETWORK_FILTER", "HTTP_FILTER", "EXTENSION_CONFIG")
_ROUTES = ("VIRTUAL_HOST", "HTTP_ROUTE")
_INSERTS = frozenset(("ADD", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"))
_MERGES = frozenset(("MERGE", "MERGE_AND_REPLACE_LIST"))
_OPERATIONS = _INSERTS | _MERGES | {"REMOVE", "REPLACE"}
_ONLY_FOR_FILTERS = frozenset(("REPLACE",))
_WITHOUT_EFFECT: Dict[str, FrozenSet[str]] = {
    "LISTENER": _ONLY_FOR_FILTERS,
    "FILTER_CHAIN": _ONLY_FOR_FILTERS,
    "CLUSTER": _ONLY_FOR_FILTERS,
    "HTTP_ROUTE": _ONLY_FOR_FILTERS,
    "ROUTE_CONFIGURATION": _OPERATIONS - _MERGES,
}
"""What Istio passes over. Whether it still does so with others of them is not looked at."""

_WITHOUT_CONFIGURATION = frozenset(("name", "disabled"))
"""What a filter has that is told nothing: Envoy refuses it, or it does nothing."""

_Check = Callable[[Any], bool]
_Shape = Union[_Check, Dict[str, Any]]
"""What may be in a value: a check, or the fields of a mapping."""


def touched_by(patch: Mapping[str, Any]) -> FrozenSet[Touch]:
    """What of the sides of proxies an entry of configPatches can change. Raises Malformed."""
    closed(patch, _PATCH_FIELDS, "configPatches")
    target = text_of(patch.get("applyTo"), "configPatches.applyTo")
    match = closed(patch.get("match"), _MATCH_FIELDS, "match")
    context = text_of(match.get("context"), "match.context") or "ANY"
    change = closed(patch.get("patch"), _CHANGE_FIELDS, "patch")
    operation = text_of(change.get("operation"), "patch.operation")
    if target not in _TARGETS or context not in _CONTEXTS or operation not in _OPERATIONS:
        return frozenset(map(Touch, EVERYWHERE))
    if operation in _WITHOUT_EFFECT.get(target, ()):
        return NOTHING
    value = mapping(change.get("value"), "patch.value")
    # The bootstrap has no context.
    sides = _TARGETS[target] & _CONTEXTS[context if target != "BOOTSTRAP" else "ANY"]
    adds, fields = operation in _INSERTS, frozenset(map(_snake, value))
    found = (
        reach(target, adds, match, fields, side) for side in sides if not _harmless(target, operation, value, side)
    )
    touched = frozenset(touch for touch in found if touch is not None)
    if (
        target == "CLUSTER"
        and adds
        and Touch(SIDECAR_SENDS) in touched
        and str(value.get("name")).startswith("inbound")
    ):
        # Those of the way out come first, and of two clusters with one name the first counts.
        touched |= {Touch(SIDECAR_ACCEPTS)}
    return touched


def _harmless(target: str, operation: str, value: Mapping[str, Any], side: str) -> bool:
    if target in _FILTERS:
        return _harmless_filter(target, operation, value, side)
    if operation in _MERGES:
        return _fits(value, _SHAPES[side][target])
    if operation in _INSERTS and target in _ROUTES:
        return _fits(value, _SHAPES[side][f"new {target}"])
    if target == "CLUSTER":
        # Without its cluster what came in goes nowhere. An added one stands beside those of the Services.
        return side == SIDECAR_ACCEPTS if operation == "REMOVE" else operation == "ADD" and _is_beside_others(value)
    # Without its route what came in is answered with 404, and what a gateway does not have sends nothing.
    return operation == "REMOVE" and (side == GATEWAY_SENDS or (target in _ROUTES and side == SIDECAR_ACCEPTS))


def _harmless_filter(target: str, operation: str, value: Mapping[str, Any], side: str) -> bool:
    if side == GATEWAY_SENDS and operation == "REMOVE" and target == "NETWORK_FILTER":
        # An HTTP filter less could be istio.alpn, by which servers know the mesh's TLS.
        return True
    if target == "HTTP_FILTER" and side in NOT_OUTBOUND and value and value.keys() <= _WITHOUT_CONFIGURATION:
        return True
    if target == "HTTP_FILTER" and side == SIDECAR_ACCEPTS and operation in ("REMOVE", "REPLACE"):
        return operation == "REMOVE" or _is_harmless_filter(value, side)
    return (operation in _MERGES and not value) or (
        operation in _INSERTS | _MERGES and _is_harmless_filter(value, side)
    )


def _is_harmless_filter(value: Mapping[str, Any], side: str) -> bool:
    """Whether a filter's configuration, or all that it can get by ECDS, is of harmless types."""
    found = {_snake(name): field for name, field in value.items()}
    if not found.keys() <= {"name", "typed_config", "config_discovery", "disabled", "is_optional"}:
        return False
    discovery, config = found.get("config_discovery"), found.get("typed_config")
    if discovery is None:
        return _is_harmless_config(config, side)
    if config is not None or not isinstance(discovery, dict):
        return False
    fields = {_snake(name): field for name, field in discovery.items()}
    types, default = fields.get("type_urls"), fields.get("default_config")
    return (
        isinstance(types, list)
        and bool(types)
        and all(_SHAPES[side].get(_filter_of(name)) is _anything for name in types)
        and (default is None or _is_harmless_config(default, side))
    )


def _is_harmless_config(config: Any, side: str) -> bool:
    """A google.protobuf.Any: its type says which fields it has."""
    if not isinstance(config, dict):
        return False
    kind = config.get("@type")
    fields: Any = {name: field for name, field in config.items() if name != "@type"}
    if isinstance(kind, str) and kind.endswith(".TypedStruct"):
        kind = config.get("type_url", config.get("typeUrl"))
        fields = config.get("value")
    shape = _SHAPES[side].get(_filter_of(kind))
    return shape is not None and _fits(fields, shape)


def _filter_of(type_url: Any) -> str:
    """`http.lua` of `type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua`; empty for what is no filter."""
    found = _TYPE.fullmatch(type_url) if isinstance(type_url, str) else None
    return f"{found['level']}.{found['name']}" if found else "http.istio_stats" if type_url in _ISTIO_STATS else ""


_TYPE = re.compile(
    r"(?:[\w.]+/)?envoy\.extensions\.filters\.(?P<level>http|network|listener)\.(?P<name>\w+)\.v\w+\.\w+"
)
_ISTIO_STATS = ("type.googleapis.com/stats.PluginConfig",)


def _is_beside_others(value: Any) -> bool:
    """Whether an added cluster takes no other one's place."""
    name = value.get("name") if isinstance(value, dict) else None
    return isinstance(name, str) and bool(name) and "|" not in name and name not in OWN_CLUSTERS


def _is_keepalive(option: Any) -> bool:
    return isinstance(option, dict) and (option.get("level"), option.get("name")) in KEEPALIVE


def _anything(_value: Any) -> bool:
    return True


def _fits(value: Any, shape: _Shape) -> bool:
    """Whether a value has nothing but what its shape lists; of a list each entry."""
    if shape is _anything:
        return True
    if isinstance(value, list):
        return all(_fits(item, shape) for item in value)
    if not isinstance(shape, dict):
        return shape(value)
    if not isinstance(value, dict):
        return value is None
    return all(_snake(name) in shape and _fits(item, shape[_snake(name)]) for name, item in value.items())


def _snake(name: Any) -> str:
    """The name of a field as it is in Envoy's API, of which both spellings count; empty for what is no name."""
    return _CAPITAL.sub(r"_\g<0>", name).lower() if isinstance(name, str) and "." not in name else str(name or "")


_CAPITAL = re.compile(r"[A-Z]")


def _shapes(side: str) -> Dict[str, Any]:
    """What is harmless at a side, by target of a patch, and by filter."""
    shapes: Dict[str, Any] = {target: {} for target in _TARGETS if target not in _FILTERS}
    for row in FIELDS:
        fields = shapes.setdefault(row.what, {})
        for path in row.names.split() if side in row.where else ():
            *above, last = path.split("/")
            inner = fields
            for name in above:
                inner = inner.setdefault(name, {})
            inner[last] = _anything
    for row in FILTERS:
        if side in row.where:
            shapes.update({f"{row.what}.{name}": _anything for name in row.names.split()})
    if side in _GATEWAY:
        shapes[PROXY_PROTOCOL] = _anything

    def settings_of_filters(value: Any) -> bool:
        return isinstance(value, dict) and all(_is_harmless_config(config, side) for config in value.values())

    for target in ("ROUTE_CONFIGURATION", *_ROUTES):
        shapes[target]["typed_per_filter_config"] = settings_of_filters
    shapes["LISTENER"]["socket_options"] = _is_keepalive
    shapes["BOOTSTRAP"]["static_resources"] = {"clusters": _is_beside_others}
    # A new route takes what it matches from the others, and has to answer it itself: a cluster is not listed.
    shapes["new HTTP_ROUTE"] = {**shapes["HTTP_ROUTE"], "match": _anything}
    shapes["new VIRTUAL_HOST"] = {**shapes["VIRTUAL_HOST"], "domains": _anything, "routes": shapes["new HTTP_ROUTE"]}
    return shapes


_SHAPES: Dict[str, Dict[str, Any]] = {side: _shapes(side) for side in sorted(EVERYWHERE)}

_GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
_WAYPOINTS: Selector = {"gateway.istio.io/managed": "istio.io-mesh-controller"}
_GROUPS = {"Gateway": "gateway.networking.k8s.io", "Service": "", "ServiceEntry": "networking.istio.io"}


def _selectors(spec: Mapping[str, Any]) -> Iterable[Selector]:
    """Whose proxies it is for: pods by labels, or by targetRefs the gateways and waypoints that these name."""
    references = sequence(spec.get("targetRefs"), "spec.targetRefs")
    if not references or spec.get("workloadSelector") is not None:
        yield selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector")
    for item in references:
        reference = mapping(item, "an entry of spec.targetRefs")
        kind = text_of(reference.get("kind"), "targetRefs.kind")
        group = text_of(reference.get("group"), "targetRefs.group") or _GROUPS.get(kind, "")
        name = text_of(reference.get("name"), "targetRefs.name")
        if not name or group != _GROUPS.get(kind):
            yield None
        else:
            yield {_GATEWAY_NAME: name} if kind == "Gateway" else _WAYPOINTS


def envoy_filter(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = closed(manifest.get("spec"), _SPEC_FIELDS, "spec")
    touched = NOTHING
    for patch in sequence(spec.get("configPatches"), "spec.configPatches"):
        touched |= touched_by(mapping(patch, "an entry of spec.configPatches"))
    by_target = bool(spec.get("targetRefs"))
    for selector in _selectors(spec):
        touches = tuple(sorted(touched, key=str))
        snapshot.envoy_filters.append(
            EnvoyFilter(identity.namespace, identity.name, identity.revision, selector, touches, by_target)
        )
