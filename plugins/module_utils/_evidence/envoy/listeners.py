# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sidecar's inbound listener accepts on each port: the worst of what any caller can meet there.

Envoy picks a filter chain by destination port, address, server name, transport protocol, application protocols and
source, in this order and without going back (source/common/listener_manager/filter_chain_manager_impl.cc). A caller
chooses the last two and its server name as it likes, so only these rules lead away from a chain:

- a port that has chains of its own never falls through to those for all other ports;
- for one address and server name, chains of a caller's transport protocol hide those that name none;
- what a caller does not send, because no listener filter looks for it, matches nothing.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ..._foreign import numbers
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from .records import PERMISSIVE, PLAINTEXT, STRICT, UNKNOWN, ListenerPort
from .sockets import MTLS, MUTUAL, PLAIN, SIMPLE, Socket, dictionary, downstream, listing, wrapped
from .sockets import UNKNOWN as UNKNOWN_SOCKET

INBOUND, OUTBOUND = "virtualInbound", "virtualOutbound"
_BLACK_HOLE = "BlackHoleCluster"
_TLS_INSPECTOR, _HTTP_INSPECTOR, _ORIGINAL_DST = ".TlsInspector", ".HttpInspector", ".OriginalDst"
_LISTENER_FILTERS = (_TLS_INSPECTOR, _HTTP_INSPECTOR, _ORIGINAL_DST, ".OriginalSrc")
"""Those of which it is known what they do to the choice of a chain: all others may do anything."""
_HTTP_MANAGER, _TCP_PROXY = ".HttpConnectionManager", ".TcpProxy"
_TLS, _RAW = "tls", "raw_buffer"
_SOURCES = ("direct_source_prefix_ranges", "source_type", "source_prefix_ranges", "source_ports")
_ANY_SOURCE: Tuple[Any, ...] = (None, [], "ANY")
_MOST_MATCHES = 50_000
"""Addresses times server names of a listener's chains; Istio writes a handful."""
_MOST_WORK = 5_000_000
"""Ports times the rules that switch listener filters off for some of them."""

Chain = Dict[str, Any]


def ports(configs: Iterable[Any], wanted: Iterable[int], gateway: bool = False) -> Tuple[ListenerPort, ...]:
    """The ports that the listeners name, and those wanted besides. Raises Unreadable.

    :arg configs: Items of /config_dump?resource=dynamic_listeners.
    :arg wanted: Ports of the workload; without filter chains of their own those for all other ports decide.
    :arg gateway: Whether each listener is a port of the proxy itself, as a gateway's are.
    """
    listeners, unready = _listeners(configs)
    inbound = listeners.get(INBOUND)
    if INBOUND in unready and not gateway:
        return _unknown(wanted, f"the listener {INBOUND} is not active: {unready[INBOUND]}")
    if inbound is None or gateway:
        own: Dict[int, List[ListenerPort]] = {}
        for name, listener in listeners.items():
            number = _port_of(listener)
            if name in (INBOUND, OUTBOUND) or not (gateway or listener.get("traffic_direction") == "INBOUND"):
                continue
            if number:
                own.setdefault(number, []).append(_Listener(listener, (number,)).accepted(number))
        missing = _unknown(set(wanted) - set(own), "the proxy has no listener for this port")
        return tuple(sorted((*missing, *map(_worst, own.values()))))
    if inbound.get("use_original_dst"):
        return _unknown(wanted, f"the listener {INBOUND} hands connections over to others, which are not read")
    read = _Listener(inbound, wanted)
    if not read.knows_ports:
        return _unknown(wanted, f"the listener {INBOUND} does not look which port a caller has dialled")
    return tuple(read.accepted(number) for number in sorted(read.ports))


def _unknown(numbers_of_ports: Iterable[int], reason: str) -> Tuple[ListenerPort, ...]:
    return tuple(ListenerPort(number, UNKNOWN, (), False, reason) for number in sorted(numbers_of_ports))


_WORST_FIRST = (PLAINTEXT, PERMISSIVE, UNKNOWN, STRICT)


def _worst(found: List[ListenerPort]) -> ListenerPort:
    """Of several listeners at one port any may get a connection."""
    return min(found, key=lambda item: _WORST_FIRST.index(item.accepts))


def passthrough(configs: Iterable[Any]) -> Optional[bool]:
    """Whether what no other listener takes goes out as it is; False where it is blocked, None where it is not known."""
    outbound = _listeners(configs)[0].get(OUTBOUND)
    if outbound is None:
        return None
    chains = [dictionary(chain) for chain in listing(outbound.get("filter_chains"))]
    chains = [chain for chain in chains if not _destination(chain)]
    chains += [dictionary(outbound["default_filter_chain"])] if outbound.get("default_filter_chain") else []
    clusters = {_cluster(chain) for chain in chains}
    if "PassthroughCluster" in clusters:
        return True
    return False if clusters and clusters <= {_BLACK_HOLE} else None


class _Seen(NamedTuple):
    """What the listener filters find out about a caller of a port."""

    tls: bool
    """Whether a caller that speaks TLS is told from others, and its server name and protocols are read."""
    http: bool
    """Whether the version of HTTP is told, which counts as an application protocol."""
    anything: bool
    """Whether a filter that is not known may have found out whatever a chain asks for."""


class _Listener:
    """One listener, its chains by the port that they are for. Raises Unreadable for one that is not Envoy's."""

    def __init__(self, listener: Dict[str, Any], wanted: Iterable[int]) -> None:
        self._listener = listener
        self._chains: Dict[int, List[Chain]] = {}
        for chain in listing(listener.get("filter_chains")):
            self._chains.setdefault(_destination(dictionary(chain)), []).append(dictionary(chain))
        # The listener's own port nobody may call.
        self.ports = {number for number in self._chains if number and number != _port_of(listener)}
        self.ports.update(wanted)
        self._filters = [dictionary(item) for item in listing(listener.get("listener_filters"))]
        self.knows_ports = bool(listener.get("transparent")) or any(map(_is_original_dst, self._filters))
        rules = sum(_rules_in(dictionary(item.get("filter_disabled"))) for item in self._filters)
        if len(self.ports) * rules > _MOST_WORK:
            raise Unreadable("has a listener with more rules for ports than any proxy is given")

    def accepted(self, port: int) -> ListenerPort:
        """What callers of a port meet."""
        if self._listener.get("filter_chain_matcher"):
            reason = "the listener picks filter chains by a matcher tree, which is not read"
            return ListenerPort(port, UNKNOWN, (), False, reason)
        kinds = [_kind_of(item) for item in self._filters if not _is_off(item, port)]
        seen = _Seen(
            tls=any(kind.endswith(_TLS_INSPECTOR) for kind in kinds),
            http=any(kind.endswith(_HTTP_INSPECTOR) for kind in kinds),
            anything=not all(kind.endswith(_LISTENER_FILTERS) for kind in kinds),
        )
        plain = self._met(port, _RAW, seen)
        # Without the inspector Envoy does not look, and takes everything for plaintext.
        tls = self._met(port, _TLS, seen) if seen.tls or seen.anything else plain
        chains = {id(chain): chain for chain in (*plain, *tls)}
        sockets = {number: downstream(chain) for number, chain in chains.items()}

        def speaks(found: List[Chain]) -> Set[str]:
            return {sockets[id(chain)].speaks for chain in found}

        accepts, reason = _judge_sockets(speaks(plain), speaks(tls), list(sockets.values()))
        if accepts != UNKNOWN and not any(_destination(chain) == port for chain in chains.values()):
            reason += "; the port has no filter chain of its own, those for all other ports take it"
        versions = sorted({version for socket in sockets.values() for version in socket.versions})
        return ListenerPort(port, accepts, tuple(versions), any(map(_is_http, chains.values())), reason)

    def _met(self, port: int, transport: str, seen: _Seen) -> List[Chain]:
        """The filter chains that some caller of this transport protocol may meet."""
        chains = self._chains.get(port) or self._chains.get(0, [])
        fallback = dictionary(self._listener.get("default_filter_chain"))
        if seen.anything:
            return _open([*(chain for found in self._chains.values() for chain in found), fallback])
        found: List[Chain] = []
        all_taken = False
        for (place, name), group in _groups(chains).items():
            if name and transport == _RAW:
                continue  # only TLS has a server name
            named = [chain for chain in group if _match(chain).get("transport_protocol") == transport]
            reached = named or [chain for chain in group if not _match(chain).get("transport_protocol")]
            if transport == _RAW and not seen.http:
                reached = [chain for chain in reached if not _protocols(chain)]
            found += reached
            all_taken = all_taken or (not place and not name and any(map(_takes_everybody, reached)))
        return _open(found if all_taken else [*found, fallback])


def accepted(listener: Dict[str, Any], port: int) -> ListenerPort:
    """What callers of a port of one listener meet. Raises Unreadable."""
    return _Listener(listener, (port,)).accepted(port)


def _judge_sockets(plain: Set[str], tls: Set[str], sockets: List[Socket]) -> Tuple[str, str]:
    """What is accepted, and why, by what speak the sockets that callers in plaintext and by TLS can meet."""
    unknown = sorted({socket.name for socket in sockets if socket.speaks == UNKNOWN_SOCKET})
    if unknown:
        name = visible(unknown[0], 200)
        return UNKNOWN, f"a filter chain has the transport socket {name}, which is not one of Istio's"
    unread = PLAIN in tls and PLAIN not in plain
    if MTLS in tls:
        if PLAIN in plain:
            return PERMISSIVE, "filter chains take mutual TLS and plaintext"
        if unread:
            return PERMISSIVE, "TLS that is not Istio's is passed to the application unread, beside mutual TLS"
        if SIMPLE in tls:
            return PERMISSIVE, "a filter chain takes TLS without a client certificate, beside mutual TLS"
        if MUTUAL in tls:
            return UNKNOWN, "a filter chain takes client certificates that are not the mesh's, beside mutual TLS"
        return STRICT, "every filter chain demands a client certificate of the mesh"
    if PLAIN in plain or unread:
        return PLAINTEXT, "no filter chain takes mutual TLS"
    if SIMPLE in tls | plain:
        return PLAINTEXT, "TLS of its own, without a client certificate: no mutual TLS of the mesh"
    if MUTUAL in tls | plain:
        return UNKNOWN, "mutual TLS with certificates that are not the mesh's"
    return UNKNOWN, "no filter chain takes a connection to this port"


def _groups(chains: List[Chain]) -> Dict[Tuple[str, str], List[Chain]]:
    """The chains by each address ("" for any) and server name ("" for any) that they are for."""
    found: Dict[Tuple[str, str], List[Chain]] = {}
    count = 0
    for chain in chains:
        places = [_place(item) for item in listing(_match(chain).get("prefix_ranges"))] or [""]
        names = [str(item) for item in listing(_match(chain).get("server_names"))] or [""]
        count += len(places) * len(names)
        if count > _MOST_MATCHES:
            raise Unreadable("has a listener with more matches than any proxy is given")
        for place in places:
            for name in names:
                found.setdefault((place, name), []).append(chain)
    return found


def _place(prefix: Any) -> str:
    """A CidrRange; one without a length holds every address of its family."""
    span = dictionary(prefix)
    length = wrapped(span.get("prefix_len"))
    return f"{span.get('address_prefix')}/{length}" if length else ""


def _takes_everybody(chain: Chain) -> bool:
    """Whether a chain asks nothing of a caller but its transport protocol."""
    match = _match(chain)
    return not _protocols(chain) and all(match.get(name) in _ANY_SOURCE for name in _SOURCES)


def _open(chains: Iterable[Chain]) -> List[Chain]:
    """Those that are there and do not lead into the void."""
    return [chain for chain in chains if chain and _cluster(chain) != _BLACK_HOLE]


def _listeners(configs: Iterable[Any]) -> Tuple[Dict[str, Dict[str, Any]], Dict[str, str]]:
    """The active listeners by name, and why some are not active."""
    active: Dict[str, Dict[str, Any]] = {}
    unready: Dict[str, str] = {}
    for config in configs:
        entry = dictionary(config)
        name = str(entry.get("name") or "")
        listener = dictionary(dictionary(entry.get("active_state")).get("listener"))
        if listener and name in active:
            unready[name] = "it is there twice"
        elif listener:
            active[name] = listener
        elif entry.get("warming_state"):
            unready.setdefault(name, "it is still warming up")
        elif entry.get("error_state"):
            details = dictionary(entry["error_state"]).get("details")
            unready.setdefault(name, visible(details or "Envoy rejected it"))
    doubled = {name for name in active if unready.get(name) == "it is there twice"}
    return (
        {name: listener for name, listener in active.items() if name not in doubled},
        {name: why for name, why in unready.items() if name in doubled or name not in active},
    )


def _port_of(listener: Dict[str, Any]) -> Optional[int]:
    return numbers.port(dictionary(dictionary(listener.get("address")).get("socket_address")).get("port_value"))


def _match(chain: Chain) -> Dict[str, Any]:
    return dictionary(chain.get("filter_chain_match"))


def _destination(chain: Chain) -> int:
    """The destination port of a filter chain's match, 0 for all others. Raises Unreadable."""
    value = wrapped(_match(chain).get("destination_port"))
    if value in (None, 0):
        return 0
    port = numbers.port(value)
    if port is None:
        raise Unreadable("has a filter chain for a port that is none")
    return port


def _protocols(chain: Chain) -> List[Any]:
    return listing(_match(chain).get("application_protocols"))


def _configs(chain: Chain) -> Iterable[Dict[str, Any]]:
    for item in listing(chain.get("filters")):
        yield dictionary(dictionary(item).get("typed_config"))


def _is_http(chain: Chain) -> bool:
    return any(str(config.get("@type")).endswith(_HTTP_MANAGER) for config in _configs(chain))


def _cluster(chain: Chain) -> str:
    """The one cluster that a chain's TCP proxy sends to, empty where it is another kind of chain."""
    last: Dict[str, Any] = next(reversed(list(_configs(chain))), {})
    return str(last.get("cluster") or "") if str(last.get("@type")).endswith(_TCP_PROXY) else ""


def _kind_of(listener_filter: Dict[str, Any]) -> str:
    return str(dictionary(listener_filter.get("typed_config")).get("@type"))


def _is_original_dst(listener_filter: Dict[str, Any]) -> bool:
    return _kind_of(listener_filter).endswith(_ORIGINAL_DST)


def _is_off(listener_filter: Dict[str, Any], port: int) -> bool:
    return _applies(dictionary(listener_filter.get("filter_disabled")), port)


def _applies(predicate: Dict[str, Any], port: int) -> bool:
    """A ListenerFilterChainMatchPredicate; an empty one applies to nothing. Raises Unreadable.

    Its depth is that of the JSON that it comes from, which is bounded.
    """
    if "destination_port_range" in predicate:
        span = dictionary(predicate["destination_port_range"])
        start, end = numbers.number(span.get("start", 0)), numbers.number(span.get("end", 0))
        if start is None or end is None:
            raise Unreadable("has a listener filter with a range of ports that is none")
        return start <= port < end
    if "or_match" in predicate:
        return any(_applies(dictionary(rule), port) for rule in _rules(predicate["or_match"]))
    if "and_match" in predicate:
        return all(_applies(dictionary(rule), port) for rule in _rules(predicate["and_match"]))
    if "not_match" in predicate:
        return not _applies(dictionary(predicate["not_match"]), port)
    return bool(predicate.get("any_match"))


def _rules(value: Any) -> List[Any]:
    return listing(dictionary(value).get("rules"))


def _rules_in(predicate: Dict[str, Any]) -> int:
    """How many rules a predicate is made of."""
    below = [*_rules(predicate.get("or_match")), *_rules(predicate.get("and_match")), predicate.get("not_match")]
    return 1 + sum(_rules_in(dictionary(rule)) for rule in below if rule)
