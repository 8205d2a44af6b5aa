# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sidecar's inbound listener accepts on each port.

Envoy picks a filter chain by destination port, address, server name, transport protocol and application protocols, in
this order and without going back (source/common/listener_manager/filter_chain_manager_impl.cc): a port that has chains
of its own never falls through to those for all other ports. What a caller meets is found by asking for three of them:
one in plaintext, one with Istio's mutual TLS, and one with any other TLS.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from ..._foreign.numbers import number
from .records import PERMISSIVE, PLAINTEXT, STRICT, UNKNOWN, Port
from .sockets import MTLS, MUTUAL, PLAIN, SIMPLE, Socket, dictionary, downstream, listing, wrapped
from .sockets import UNKNOWN as UNKNOWN_SOCKET

INBOUND, OUTBOUND = "virtualInbound", "virtualOutbound"
_BLACK_HOLE = "BlackHoleCluster"
_TLS_INSPECTOR, _HTTP_INSPECTOR = ".TlsInspector", ".HttpInspector"
_HTTP_MANAGER = ".HttpConnectionManager"
_ISTIO_ALPN = ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2")
_TLS_ALPN = ("", "h2", "http/1.1")
_SOURCES = ("source_type", "source_prefix_ranges", "source_ports", "direct_source_prefix_ranges")
_PLAIN_ALPN = ("", "http/1.0", "http/1.1", "h2c")

Chain = Dict[str, Any]


def ports(configs: Iterable[Any], wanted: Iterable[int], gateway: bool = False) -> Tuple[Port, ...]:
    """The ports that the listeners name, and those wanted besides.

    :arg configs: Items of /config_dump?resource=dynamic_listeners.
    :arg wanted: Ports of the workload; without filter chains of their own those for all other ports decide.
    :arg gateway: Whether each listener is a port of the proxy itself, as a gateway's are.
    """
    listeners, unready = _listeners(configs)
    inbound = listeners.get(INBOUND)
    if inbound is None or gateway:
        own = {
            number: listener
            for name, listener in listeners.items()
            if name not in (INBOUND, OUTBOUND) and (gateway or listener.get("traffic_direction") == "INBOUND")
            for number in (_port_of(listener),)
            if number
        }
        reason = "the proxy has no listener for this port"
        if INBOUND in unready:
            reason = f"the listener {INBOUND} is not active: {unready[INBOUND]}"
        missing = [Port(number, UNKNOWN, (), False, reason) for number in set(wanted) - set(own)]
        return tuple(sorted([*missing, *(accepted(listener, number) for number, listener in own.items())]))
    named = {number for chain in listing(inbound.get("filter_chains")) for number in (_destination(chain),) if number}
    named.discard(_port_of(inbound) or 0)  # the listener's own port, which nobody may call
    return tuple(accepted(inbound, number) for number in sorted(named.union(wanted)))


def passthrough(configs: Iterable[Any]) -> Optional[bool]:
    """Whether what no other listener takes goes out as it is; False where it is blocked, None where it is not known."""
    outbound = _listeners(configs)[0].get(OUTBOUND)
    if outbound is None:
        return None
    chains = [chain for chain in listing(outbound.get("filter_chains")) if not _destination(chain)]
    chains += [outbound["default_filter_chain"]] if outbound.get("default_filter_chain") else []
    clusters = {_cluster(chain) for chain in chains}
    if "PassthroughCluster" in clusters:
        return True
    return False if clusters and clusters <= {_BLACK_HOLE} else None


def accepted(listener: Dict[str, Any], port: int) -> Port:
    """What callers of a port meet."""
    if listener.get("filter_chain_matcher"):
        return Port(port, UNKNOWN, (), False, "the listener picks filter chains by a matcher tree, which is not read")
    inspected = _inspects(listener, port, _TLS_INSPECTOR)
    detected = _PLAIN_ALPN if _inspects(listener, port, _HTTP_INSPECTOR) else ("",)
    plain = _meets(listener, port, "raw_buffer", detected, named=False)
    # Without the inspector Envoy does not look, and takes everything for plaintext.
    mesh = _meets(listener, port, "tls", _ISTIO_ALPN) if inspected else plain
    # A caller can ask for any protocol, so for each that a chain waits for, too.
    other = _meets(listener, port, "tls", {*_TLS_ALPN, *_named_protocols(listener)}) if inspected else plain
    chains = {id(chain): chain for chain in (*plain, *mesh, *other)}
    sockets = {number: downstream(chain) for number, chain in chains.items()}

    def speaks(found: List[Chain]) -> Set[str]:
        return {sockets[id(chain)].speaks for chain in found}

    accepts, reason = _judge(speaks(plain), speaks(mesh), speaks(other), list(sockets.values()))
    if accepts != UNKNOWN and not any(_destination(chain) == port for chain in chains.values()):
        reason += "; the port has no filter chain of its own, those for all other ports take it"
    versions = sorted({version for socket in sockets.values() for version in socket.versions})
    return Port(port, accepts, tuple(versions), any(map(_is_http, chains.values())), reason)


def _judge(plain: Set[str], mesh: Set[str], other: Set[str], sockets: List[Socket]) -> Tuple[str, str]:
    unknown = sorted({socket.name for socket in sockets if socket.speaks == UNKNOWN_SOCKET})
    if unknown:
        return UNKNOWN, f"a filter chain has the transport socket {unknown[0]}, which is not one of Istio's"
    unread = PLAIN in other and PLAIN not in plain
    if MTLS in mesh:
        if PLAIN in plain:
            return PERMISSIVE, "filter chains take mutual TLS and plaintext"
        if unread:
            return PERMISSIVE, "TLS that is not Istio's is passed to the application unread, beside mutual TLS"
        if SIMPLE in mesh | other:
            return PERMISSIVE, "a filter chain takes TLS without a client certificate, beside mutual TLS"
        if MUTUAL in mesh | other:
            return UNKNOWN, "a filter chain takes client certificates that are not the mesh's, beside mutual TLS"
        return STRICT, "every filter chain demands a client certificate of the mesh"
    if PLAIN in plain or unread:
        return PLAINTEXT, "no filter chain takes mutual TLS"
    if SIMPLE in mesh | other | plain:
        return PLAINTEXT, "TLS of its own, without a client certificate: no mutual TLS of the mesh"
    if MUTUAL in mesh | other | plain:
        return UNKNOWN, "mutual TLS with certificates that are not the mesh's"
    return UNKNOWN, "no filter chain takes a connection to this port"


def _meets(
    listener: Dict[str, Any], port: int, transport: str, protocols: Iterable[str], named: bool = True
) -> List[Chain]:
    """The filter chains that some caller with one of these application protocols may meet.

    Callers differ in address and server name (only TLS has one), so each combination of these is a choice of its own.
    """
    chains = [dictionary(chain) for chain in listing(listener.get("filter_chains"))]
    own = [chain for chain in chains if _destination(chain) == port]
    chains = own or [chain for chain in chains if not _destination(chain)]
    groups: Dict[str, List[Chain]] = {}
    for chain in chains:
        match = _match(chain)
        if named or not match.get("server_names"):
            groups.setdefault(f"{match.get('prefix_ranges')} {match.get('server_names')}", []).append(chain)
    fallback = dictionary(listener.get("default_filter_chain"))
    found: List[Chain] = []
    missed = not groups
    for group in groups.values():
        of_transport = [chain for chain in group if _match(chain).get("transport_protocol") == transport]
        of_transport = of_transport or [chain for chain in group if not _match(chain).get("transport_protocol")]
        for protocol in protocols:
            of_protocol = [chain for chain in of_transport if protocol and protocol in _protocols(chain)]
            of_protocol = of_protocol or [chain for chain in of_transport if not _protocols(chain)]
            found += of_protocol
            missed = missed or all(map(_is_choosy, of_protocol))
    if missed and fallback:
        found.append(fallback)
    return [chain for chain in found if _cluster(chain) != _BLACK_HOLE]


def _listeners(configs: Iterable[Any]) -> Tuple[Dict[str, Dict[str, Any]], Dict[str, str]]:
    """The active listeners by name, and why some are not active."""
    active: Dict[str, Dict[str, Any]] = {}
    unready: Dict[str, str] = {}
    for config in configs:
        entry = dictionary(config)
        name = str(entry.get("name") or "")
        listener = dictionary(dictionary(entry.get("active_state")).get("listener"))
        if listener:
            active[name] = listener
        elif entry.get("warming_state"):
            unready[name] = "it is still warming up"
        elif entry.get("error_state"):
            unready[name] = str(dictionary(entry["error_state"]).get("details") or "Envoy rejected it")
    return active, unready


def _port_of(listener: Dict[str, Any]) -> Optional[int]:
    port = dictionary(dictionary(listener.get("address")).get("socket_address")).get("port_value")
    return port if isinstance(port, int) else None


def _match(chain: Chain) -> Dict[str, Any]:
    return dictionary(chain.get("filter_chain_match"))


def _destination(chain: Any) -> int:
    """The destination port of a filter chain's match, 0 for all others."""
    port = wrapped(_match(dictionary(chain)).get("destination_port"))
    return port if isinstance(port, int) else 0


def _protocols(chain: Chain) -> List[Any]:
    return listing(_match(chain).get("application_protocols"))


def _named_protocols(listener: Dict[str, Any]) -> Set[str]:
    """The application protocols that any chain waits for, but Istio's own."""
    chains = map(dictionary, listing(listener.get("filter_chains")))
    return {str(protocol) for chain in chains for protocol in _protocols(chain)} - set(_ISTIO_ALPN)


def _is_choosy(chain: Chain) -> bool:
    """Whether it takes callers of some addresses only; all others go on to the default chain."""
    return any(_match(chain).get(name) for name in _SOURCES)


def _configs(chain: Chain) -> Iterable[Dict[str, Any]]:
    for item in listing(chain.get("filters")):
        yield dictionary(dictionary(item).get("typed_config"))


def _is_http(chain: Chain) -> bool:
    return any(str(config.get("@type")).endswith(_HTTP_MANAGER) for config in _configs(chain))


def _cluster(chain: Chain) -> str:
    """The cluster that a TCP proxy sends to."""
    for config in _configs(dictionary(chain)):
        if str(config.get("@type")).endswith(".TcpProxy"):
            return str(config.get("cluster") or "")
    return ""


def _inspects(listener: Dict[str, Any], port: int, kind: str) -> bool:
    """Whether a listener filter is there and not switched off for a port."""
    return any(
        str(dictionary(item.get("typed_config")).get("@type")).endswith(kind)
        and not _applies(dictionary(item.get("filter_disabled")), port)
        for item in map(dictionary, listing(listener.get("listener_filters")))
    )


def _applies(predicate: Dict[str, Any], port: int) -> bool:
    """A ListenerFilterChainMatchPredicate; an empty one applies to nothing."""
    if "destination_port_range" in predicate:
        span = dictionary(predicate["destination_port_range"])
        first, end = number(span.get("start") or 0), number(span.get("end") or 0)
        if first is None or end is None:
            raise ValueError("a listener filter has a range of ports that is none")
        return first <= port < end
    if "or_match" in predicate:
        return any(_applies(dictionary(rule), port) for rule in _rules(predicate["or_match"]))
    if "and_match" in predicate:
        return all(_applies(dictionary(rule), port) for rule in _rules(predicate["and_match"]))
    if "not_match" in predicate:
        return not _applies(dictionary(predicate["not_match"]), port)
    return bool(predicate.get("any_match"))


def _rules(value: Any) -> List[Any]:
    return listing(dictionary(value).get("rules"))
