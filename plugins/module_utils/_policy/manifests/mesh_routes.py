# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the Gateway API whose parent is a Service or a ServiceEntry: they lead the requests of sidecars.

istiod turns each into a VirtualService for the mesh (pilot/pkg/config/kube/gateway/route_collections.go), exported like
one that does not say to whom. No ReferenceGrant is asked for. Of what is for a Gateway nothing is kept. A route here
takes nothing for sure: it can only add what its requests meet.
"""

from __future__ import annotations

from typing import Any, FrozenSet, Iterable, Mapping, Tuple

from ..._foreign.numbers import number
from ..fields import identity_of, mapping, number_of, sequence, text_of
from ..mesh import CLUSTER_DOMAIN
from ..pods import PodParser
from ..records import Malformed, Route, RouteTarget, Snapshot, VirtualService

_KINDS = {"HTTPRoute": "http", "GRPCRoute": "http", "TLSRoute": "tls", "TCPRoute": "tcp"}
_CORE = ("", "core")
_ISTIO = "networking.istio.io"


def mesh_route(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    kind = text_of(manifest.get("kind"), "kind")
    spec = mapping(manifest.get("spec"), "spec")
    for item in sequence(spec.get("parentRefs"), "spec.parentRefs"):
        parent = mapping(item, "an entry of spec.parentRefs")
        hosts: Tuple[str, ...]
        entries: FrozenSet[str]
        group, parent_kind = parent.get("group"), parent.get("kind")
        where = text_of(parent.get("namespace"), "parentRefs.namespace") or identity.namespace
        name = text_of(parent.get("name"), "parentRefs.name")
        if group in _CORE and parent_kind == "Service":
            hosts, entries = (f"{name}.{where}.svc.{CLUSTER_DOMAIN}",), frozenset()
        elif group == _ISTIO and parent_kind == "ServiceEntry":
            hosts, entries = (), frozenset((f"{where}/{name}",))
        else:
            continue
        port = number_of(parent.get("port") or 0, "parentRefs.port")
        doubt = ""
        routes: Tuple[Route, ...] = ()
        try:
            targets = tuple(_targets(spec, identity.namespace))
            routes = (Route(_KINDS[kind], frozenset((port,)) if port else frozenset(), False, targets),)
        except Malformed as error:
            doubt = str(error)
        found = VirtualService(identity.namespace, identity.name, identity.revision, hosts, (), routes, doubt)
        snapshot.virtual_services.append(found._replace(kind=kind, entries=entries))


def _targets(spec: Mapping[str, Any], namespace: str) -> Iterable[RouteTarget]:
    """What the rules lead to, and to whom they send copies (conversion.go buildHTTPDestination, createMirrorFilter)."""
    for item in sequence(spec.get("rules"), "spec.rules"):
        rule = mapping(item, "an entry of spec.rules")
        redirects = False
        for part in sequence(rule.get("filters"), "filters"):
            redirects = redirects or mapping(part, "an entry of filters").get("type") == "RequestRedirect"
            yield from _copies(part, namespace)
        for part in sequence(rule.get("backendRefs"), "backendRefs"):
            backend = mapping(part, "an entry of backendRefs")
            for inner in sequence(backend.get("filters"), "backendRefs.filters"):
                yield from _copies(inner, namespace)
            if not redirects and number(backend.get("weight")) != 0:
                yield _target(backend, namespace)


def _copies(part: Any, namespace: str) -> Iterable[RouteTarget]:
    mirror = mapping(part, "an entry of filters").get("requestMirror")
    if mirror is None:
        return
    mirror = mapping(mirror, "requestMirror")
    share = mapping(mirror.get("fraction"), "requestMirror.fraction").get("numerator", mirror.get("percent"))
    if number(share) != 0:
        yield _target(mapping(mirror.get("backendRef"), "requestMirror.backendRef"), namespace)


def _target(backend: Mapping[str, Any], namespace: str) -> RouteTarget:
    """A Service, or any host by its name; without a port Istio takes none of a Service."""
    group, kind = backend.get("group") or "", backend.get("kind") or "Service"
    name = text_of(backend.get("name"), "backendRefs.name")
    port = number_of(backend.get("port") or 0, "backendRefs.port")
    if not name:
        raise Malformed("a backend has no name")
    if group == _ISTIO and kind == "Hostname":
        return RouteTarget(name.lower(), port, None)
    if group not in _CORE or kind != "Service":
        raise Malformed(f"it leads to a {kind}, which is not followed")
    where = text_of(backend.get("namespace"), "backendRefs.namespace") or namespace
    return RouteTarget(f"{name}.{where}.svc.{CLUSTER_DOMAIN}", port, None)
