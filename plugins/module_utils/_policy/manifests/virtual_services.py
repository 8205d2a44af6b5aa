# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices: where they lead the requests of sidecars, and under which conditions.

Of a route that cannot be understood nothing is left but the doubt about the hosts of its VirtualService.
"""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, Optional, Tuple

from ..._foreign.numbers import number
from ..fields import identity_of, mapping, number_of, sequence, strings, text_of
from ..mesh import CLUSTER_DOMAIN
from ..pods import PodParser
from ..records import Malformed, Route, RouteTarget, Snapshot, VirtualService

_PORT_ALONE = frozenset(("port", "gateways", "name"))
"""What a match has that takes all requests for a port."""
_ANSWERS = ("redirect", "directResponse")
"""Fields of a route by which the client's proxy answers itself."""
_MESH = "mesh"
"""The name that stands for all sidecars among the gateways."""


def virtual_service(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    hosts = tuple(_full(host, identity.namespace) for host in strings(spec.get("hosts"), "spec.hosts"))
    gateways = strings(spec.get("gateways"), "spec.gateways")
    routes: Tuple[Route, ...] = ()
    doubt = ""
    try:
        routes = tuple(_routes(spec, identity.namespace)) if not gateways or _MESH in gateways else ()
    except Malformed as error:
        doubt = str(error)
    snapshot.virtual_services.append(
        VirtualService(
            identity.namespace,
            identity.name,
            identity.revision,
            hosts,
            strings(spec.get("exportTo"), "spec.exportTo"),
            routes,
            doubt,
        )
    )


def _full(host: str, namespace: str) -> str:
    """ResolveShortnameToFQDN (pilot/pkg/model/config.go): a name without a dot is a Service of the own namespace."""
    return f"{host}.{namespace}.svc.{CLUSTER_DOMAIN}" if "." not in host and "*" not in host else host.lower()


def _routes(spec: Mapping[str, Any], namespace: str) -> Iterable[Route]:
    for kind in ("http", "tls", "tcp"):
        for item in sequence(spec.get(kind), f"spec.{kind}"):
            route = mapping(item, f"an entry of spec.{kind}")
            matches = [mapping(match, "match") for match in sequence(route.get("match"), "match")]
            ours = [match for match in matches if _MESH in (strings(match.get("gateways"), "gateways") or (_MESH,))]
            if matches and not ours:
                continue
            ports = {number_of(match.get("port") or 0, "match.port") for match in ours}
            whole = kind != "tls" and (not matches or any(match.keys() <= _PORT_ALONE for match in ours))
            delegate = _delegate(route, namespace)
            # Whoever gets such an answer is led nowhere, whatever else the route says (route.go TranslateRoute).
            answered = [field for field in _ANSWERS if route.get(field) is not None]
            for field in answered:
                mapping(route[field], field)
            yield Route(
                kind,
                frozenset() if 0 in ports else frozenset(ports),
                whole and (len(ours) < 2 or all(match.keys() <= _PORT_ALONE for match in ours)),
                tuple(_targets(route, namespace, delegate is not None)) if not answered or delegate else (),
                delegate,
            )


def _delegate(route: Mapping[str, Any], namespace: str) -> Optional[Tuple[str, str]]:
    """The namespace and name of the VirtualService that has the routes instead, be there none with this name."""
    if route.get("delegate") is None:
        return None
    delegate = mapping(route["delegate"], "delegate")
    where = text_of(delegate.get("namespace"), "delegate.namespace") or namespace
    return where, text_of(delegate.get("name"), "delegate.name")


def _targets(route: Mapping[str, Any], namespace: str, delegates: bool) -> Iterable[RouteTarget]:
    """What a route leads to, and to whom it sends copies.

    route.go applyHTTPRouteDestination, networkfilter.go buildOutboundNetworkFilters. A delegate may have a percentage
    of its own for its root's copies (virtualservice.go mergeHTTPRoute).
    """
    found = _weighted([mapping(item, "an entry of route") for item in sequence(route.get("route"), "route")])
    for item in sequence(route.get("mirrors"), "mirrors"):
        mirror = mapping(item, "an entry of mirrors")
        if not _is_nothing(mirror.get("percentage")):
            found.append(mirror.get("destination"))
    percentage = route.get("mirrorPercentage")
    never = _is_nothing(percentage) if percentage is not None else number(route.get("mirrorPercent")) == 0
    if route.get("mirror") is not None and (delegates or not never):
        found.append(route.get("mirror"))
    for item in found:
        destination = mapping(item, "destination")
        host = text_of(destination.get("host"), "destination.host")
        if not host:
            raise Malformed("a destination has no host")
        port = mapping(destination.get("port"), "destination.port").get("number")
        yield RouteTarget(
            _full(host, namespace),
            number_of(port or 0, "destination.port.number"),
            text_of(destination.get("subset"), "destination.subset") or None,
        )


def _weighted(entries: List[Mapping[str, Any]]) -> List[Any]:
    """The destinations that get anything: of several none with the weight 0, which is also that of one without.

    What Istio makes of several without any weight is refused, by its validation or by Envoy.
    """
    if len(entries) < 2:
        return [entry.get("destination") for entry in entries]
    weights = [number(entry.get("weight") or 0) for entry in entries]
    if None in weights:
        raise Malformed("a weight is not a number")
    if not any(weights):
        raise Malformed("no destination of a route to several has a weight")
    return [entry.get("destination") for place, entry in enumerate(entries) if weights[place]]


def _is_nothing(percentage: Any) -> bool:
    """Whether a percentage is there, and 0 (route.go MirrorPercent)."""
    if percentage is None:
        return False
    value = mapping(percentage, "percentage").get("value", 0)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
