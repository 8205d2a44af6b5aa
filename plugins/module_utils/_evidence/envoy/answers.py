# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask a proxy's admin port, and the record that its answers make.

The questions are small: Envoy filters and trims before it answers, so that of a big mesh's configuration only what is
used here crosses the API server (Envoy's docs, operations/admin, config_dump: resource, mask, name_regex).
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..._foreign.guards import NOT_UNDERSTOOD
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from ..identity import FITS, WRONG, Identity, compared
from . import certificates, clusters, listeners, sockets, state
from .choice import ProxyTarget
from .records import PLAINTEXT, STRICT, UNKNOWN, Certificate, ListenerPort, Proxy, Shared, Upstream

ADMIN_PORT = 15000


class Question(NamedTuple):
    """A GET request."""

    path: str
    query: Dict[str, str]


def _dump(**query: str) -> Question:
    return Question("/config_dump", query)


def _clusters(*more: str) -> Question:
    names = ("name", "eds_cluster_config", "load_assignment", "transport_socket", "transport_socket_matches", *more)
    mask = ",".join(f"cluster.{name}" for name in names)
    return _dump(resource="dynamic_active_clusters", mask=mask, name_regex=_UPSTREAMS)


_UPSTREAMS = r"outbound\|.*"
_STATISTICS = (
    r"^(listener_manager\.lds|cluster_manager\.cds)\.update_(rejected|time)$"
    r"|^cluster\.xds-grpc;?\.upstream_rq_(active|completed|total)$"
    r"|^control_plane\.(identifier|connected_state)$"
)

NODE = _dump(mask="bootstrap.node.id,bootstrap.node.metadata,bootstrap.node.user_agent_build_version")
STATISTICS = Question("/stats", {"filter": _STATISTICS})
SIDECAR_LISTENERS = _dump(resource="dynamic_listeners", name_regex=f"{listeners.INBOUND}|{listeners.OUTBOUND}")
LISTENERS = _dump(resource="dynamic_listeners")
# Not the list of roots of the system, which a DestinationRule with SIMPLE brings into every proxy.
SECRETS = _dump(resource="dynamic_active_secrets", name_regex="default|ROOTCA|file-cert:.*")
ERRORS = _dump(resource="dynamic_listeners", mask="name,error_state.details")
CLUSTERS = _clusters("transport_socket_matcher")
OLDER_CLUSTERS = _clusters()
"""For an Envoy that has no such field yet, and says 400 to a mask that names it."""
ENDPOINTS = _dump(
    resource="dynamic_endpoint_configs",
    mask="endpoint_config.cluster_name,endpoint_config.endpoints",
    name_regex=_UPSTREAMS,
    include_eds="",
)


class Answers(NamedTuple):
    """What a proxy answered; None where it did not, or was not asked."""

    node: Optional[bytes] = None
    statistics: Optional[bytes] = None
    listeners: Optional[bytes] = None
    secrets: Optional[bytes] = None
    errors: Optional[bytes] = None
    clusters: Optional[bytes] = None
    endpoints: Optional[bytes] = None
    problems: Tuple[Tuple[str, str], ...] = ()
    """Which of these could not be had, and why."""


def rejected_some(statistics: Optional[bytes]) -> bool:
    """Whether these statistics make the question ERRORS worth asking."""
    return statistics is not None and state.was_rejected(state.stats(statistics.decode("utf-8", "replace")))


def unanswered(target: ProxyTarget, reason: str) -> Proxy:
    """The record of a proxy that does not answer: everything is unknown."""
    ports = _unknown_ports(target, "the proxy did not answer")
    return Proxy(target.place, target.workload, target.revision, False, visible(reason), ports=ports)


def proxy(target: ProxyTarget, answers: Answers, shared: Shared) -> Proxy:
    """The record of a proxy that answered. What is missing or not understood is unknown, and `reason` names it.

    This is the guard around all that reads what a proxy says: whatever it is, it raises nothing.
    """
    try:
        return _record(target, answers, shared)
    except NOT_UNDERSTOOD as error:
        return unanswered(target, f"what it answers cannot be read ({type(error).__name__})")


def _record(target: ProxyTarget, answers: Answers, shared: Shared) -> Proxy:
    reader = _Reader(dict(answers.problems))
    node = state.node(reader.entries("node", answers.node) or ())
    values = state.stats((answers.statistics or b"").decode("utf-8", "replace"))
    errors = reader.entries("errors", answers.errors)
    dumped = reader.entries("listeners", answers.listeners)
    passthrough, ports = _listened(target, dumped, reader)
    shown = _shown(reader.entries("secrets", answers.secrets), shared, reader)
    identity = _identity(target, node, shown)
    endpoints = reader.entries("endpoints", answers.endpoints)
    upstreams = _upstreams(reader.entries("clusters", answers.clusters), endpoints, shared, reader)
    return Proxy(
        target.place,
        target.workload,
        target.revision,
        True,
        "; ".join(f"{what}: {why}" for what, why in sorted(reader.problems.items())),
        node.version,
        node.envoy_version,
        shared.of(state.istiod(values, node.discovery)),
        shared.of(state.configuration(values, errors)),
        passthrough,
        shown,
        tuple(shared.of(_reached(port, target, identity)) for port in ports),
        tuple(shared.of(_sent(item, identity)) for item in upstreams),
        shared.of(identity),
    )


def _identity(target: ProxyTarget, node: state.Node, shown: Iterable[Certificate]) -> Identity:
    """Whose certificates it has, and for whom it takes itself."""
    own = [item.identity or "a certificate without any" for item in shown if item.kind == certificates.WORKLOAD]
    found = compared(target.identity, own, target.aliases)
    others = [place for place in node.places if place != target.place]
    if others:
        return found._replace(result=WRONG, why=f"says that it is the one of {others[0]}")
    return found


def _reached(port: ListenerPort, target: ProxyTarget, identity: Identity) -> ListenerPort:
    """What a port accepts, as far as that can be believed: whoever is somebody else may have any listeners."""
    if port.port in target.bypassed:
        return _bypassed(port)
    if port.accepts == STRICT and identity.result != FITS:
        return port._replace(accepts=UNKNOWN, reason=f"the proxy {identity.why}; its listener would be {STRICT}")
    return port


def _listened(
    target: ProxyTarget, dumped: Optional[List[Any]], reader: _Reader
) -> Tuple[Optional[bool], Tuple[ListenerPort, ...]]:
    """What its listeners let out and in."""
    if dumped is not None:
        try:
            return listeners.passthrough(dumped), listeners.ports(dumped, target.ports, target.gateway)
        except Unreadable as error:
            reader.misses("listeners", error)
    why = f"its listeners are not known: {reader.problems.get('listeners', 'they were not asked for')}"
    return None, _unknown_ports(target, why)


def _shown(secrets: Optional[List[Any]], shared: Shared, reader: _Reader) -> Tuple[Certificate, ...]:
    try:
        return certificates.certificates(secrets or (), shared)
    except Unreadable as error:
        reader.misses("secrets", error)
        return ()


def _upstreams(
    found: Optional[List[Any]], endpoints: Optional[List[Any]], shared: Shared, reader: _Reader
) -> Tuple[Upstream, ...]:
    try:
        return clusters.upstreams(found or (), endpoints, shared, reader.problems.get("endpoints", ""))
    except Unreadable as error:
        reader.misses("clusters", error)
        return ()


def _unknown_ports(target: ProxyTarget, why: str) -> Tuple[ListenerPort, ...]:
    return tuple(ListenerPort(port, UNKNOWN, (), False, why) for port in sorted(target.ports))


def _sent(upstream: Upstream, identity: Identity) -> Upstream:
    """What is sent to an upstream, as far as that can be believed: mutual TLS needs the proxy's own certificate."""
    if identity.result == FITS:
        return upstream
    endpoints = tuple(item._replace(sends=_doubted(item.sends)) for item in upstream.endpoints)
    reason = upstream.reason or f"the proxy {identity.why}"
    return upstream._replace(sends=_doubted(upstream.sends), endpoints=endpoints, reason=reason)


def _doubted(sends: str) -> str:
    return UNKNOWN if sends in (sockets.MTLS, sockets.HBONE) else sends


def _bypassed(port: ListenerPort) -> ListenerPort:
    """What a listener would accept does not matter where traffic does not come to it."""
    return ListenerPort(
        port.port,
        PLAINTEXT,
        (),
        port.http,
        f"the port is excluded from capture, so nothing passes the proxy, whose listener would be {port.accepts}",
    )


class _Reader:
    """Decodes answers, and keeps why some could not be."""

    def __init__(self, problems: Dict[str, str]) -> None:
        self.problems = problems

    def entries(self, name: str, body: Optional[bytes]) -> Optional[List[Any]]:
        """The configs of an answer, None where there is none that can be read."""
        if body is None:
            return None
        try:
            return state.entries(body)
        except Unreadable as error:
            self.misses(name, error)
            return None

    def misses(self, name: str, error: Unreadable) -> None:
        """Keep why an answer could not be read."""
        self.problems[name] = visible(f"the answer is not what Envoy answers: it {error}")


def summary(proxies: List[Proxy]) -> Dict[str, Any]:
    """Counts: ports by what they accept, and proxies that deserve a look."""
    accepts: Dict[str, int] = dict.fromkeys(("strict", "permissive", "plaintext", "unknown"), 0)
    for item in proxies:
        for port in item.ports:
            accepts[port.accepts] += 1
    return {
        "ports": accepts,
        "not_answered": sum(not item.answered for item in proxies),
        "not_connected": sum(item.answered and item.istiod.connected is False for item in proxies),
        "rejected": sum(item.answered and item.configuration.accepted is False for item in proxies),
        "roots": _roots(proxies),
    }


def _roots(proxies: List[Proxy]) -> Mapping[str, int]:
    """How many proxies' own certificates come from each root."""
    found: Dict[str, int] = {}
    for item in proxies:
        for root in sorted({own.root_fingerprint for own in item.certificates if own.kind == certificates.WORKLOAD}):
            found[root or "unknown"] = found.get(root or "unknown", 0) + 1
    return dict(sorted(found.items()))
