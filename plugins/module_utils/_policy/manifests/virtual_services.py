# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualServices: where they lead the requests of sidecars, and under which conditions.

Of a route that cannot be understood nothing is left but the doubt about the hosts of its VirtualService.
"""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, Tuple

from ..fields import identity_of, mapping, number_of, sequence, strings, text_of
from ..mesh import CLUSTER_DOMAIN
from ..pods import PodParser
from ..records import Malformed, Route, RouteTarget, Snapshot, VirtualService

_PORT_ALONE = frozenset(("port", "gateways", "name"))
"""What a match has that takes all requests for a port."""
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
            delegate = mapping(route.get("delegate"), "delegate")
            name = text_of(delegate.get("name"), "delegate.name")
            where = text_of(delegate.get("namespace"), "delegate.namespace") or namespace
            yield Route(
                kind,
                frozenset() if 0 in ports else frozenset(ports),
                whole and (len(ours) < 2 or all(match.keys() <= _PORT_ALONE for match in ours)),
                tuple(_targets(route, namespace)),
                (where, name) if name else None,
            )


def _targets(route: Mapping[str, Any], namespace: str) -> Iterable[RouteTarget]:
    """What a route leads to, and to whom it sends copies."""
    found: List[Any] = []
    for item in sequence(route.get("route"), "route"):
        found.append(mapping(item, "an entry of route").get("destination"))
    for item in sequence(route.get("mirrors"), "mirrors"):
        found.append(mapping(item, "an entry of mirrors").get("destination"))
    if route.get("mirror") is not None:
        found.append(route.get("mirror"))
    for item in found:
        destination = mapping(item, "destination")
        host = text_of(destination.get("host"), "destination.host")
        if not host:
            raise Malformed("a destination has no host")
        number = mapping(destination.get("port"), "destination.port").get("number")
        yield RouteTarget(
            _full(host, namespace),
            number_of(number or 0, "destination.port.number"),
            text_of(destination.get("subset"), "destination.subset") or None,
        )
