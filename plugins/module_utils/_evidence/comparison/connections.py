# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each edge, as the policies have it, as both proxies were programmed, and as telemetry saw it.

A client's own proxies speak for that client, a server's own for that server, and nobody for anybody else. Where one of
them says nothing, or something that cannot be, the answer is unknown, whatever the others say: the worst counts, and
one more answer never makes it better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ..._foreign import numbers
from ..._policy.verdicts import verdict
from ..envoy.records import Proxy, Upstream
from ..envoy.sockets import HBONE
from .agreement import PERMISSIVE, PLAINTEXT, STRICT, UNKNOWN, agreement

Edge = Mapping[str, Any]
_MODES = {STRICT: "STRICT", PERMISSIVE: "PERMISSIVE", PLAINTEXT: "DISABLE", UNKNOWN: UNKNOWN}
_SEEN = {"mutual_tls": "mtls", "plaintext": "plaintext", "mixed": "plaintext"}
_ORDER = ("plaintext", "broken", UNKNOWN, "tls", "mtls")


_Host = Tuple[str, int, str]
"""Host, port and subset, as clients call it."""


class _Met(NamedTuple):
    """A server port at the end of a connection."""

    server: str
    http: bool


_NOBODY_KNOWS = _Met(UNKNOWN, False)


class Programmed:
    """What the proxies that were asked do with each connection."""

    def __init__(
        self,
        workloads: Iterable[Mapping[str, Any]],
        proxies: Iterable[Proxy],
        addresses: Mapping[str, str],
    ) -> None:
        """`addresses` tells the workload of each pod's address."""
        self._workloads = {workload["id"]: workload for workload in workloads}
        self._addresses = addresses
        self._proxies: Dict[str, List[Proxy]] = {}
        self._upstreams: Dict[str, Dict[_Host, Optional[Upstream]]] = {}
        """By pod; None for a host that its proxy has twice."""
        self._hosts: Set[_Host] = set()
        """Those that any proxy has."""
        self._accepts: Dict[Tuple[str, int], Set[_Met]] = {}
        for proxy in proxies:
            self._proxies.setdefault(proxy.workload, []).append(proxy)
            if proxy.answered:
                own: Dict[_Host, Optional[Upstream]] = self._upstreams.setdefault(proxy.pod, {})
                for item in proxy.upstreams:
                    place = (item.host, item.port, item.subset)
                    own[place] = item if own.get(place, item) == item else None
                self._hosts.update(own)

    def verdict(self, edge: Edge, clients: Iterable[str]) -> Optional[str]:
        """The worst of what the clients' proxies do; None where no proxy of theirs could say anything.

        One that does not answer takes what the others say: it may do worse.
        """
        found: Set[str] = set()
        is_silent = False
        asked: Dict[int, Upstream] = {}
        host, around = _host(edge), self._meets("none", edge, None)
        for client in clients:
            workload = self._workloads.get(client)
            if workload is None:
                found.add(UNKNOWN)
                continue
            if workload["mesh"] == "none":
                # Where neither side has a proxy there is nobody who could say anything.
                found.update(around if self._guarded(edge) else ())
                continue
            for proxy in self._proxies.get(client, ()):
                known = self._upstreams.get(proxy.pod, {}) if proxy.answered else {}
                upstream = known.get(host)
                if not proxy.answered:
                    is_silent = True
                elif upstream is None and host in known:
                    found.add(UNKNOWN)
                elif upstream is not None and edge["client_tls"] == "none":
                    # The traffic bypasses it: what it was given for the host is not used.
                    continue
                elif upstream is None and proxy.passthrough is not False:
                    # It goes around the proxy, if there is such a host and the proxy said which ones it has.
                    sure = proxy.passthrough and host in self._hosts and bool(known)
                    found.update(around if sure else {UNKNOWN})
                elif upstream is None:
                    found.add("broken")
                else:
                    asked[id(upstream)] = upstream  # equal ones are one object
        for upstream in asked.values():
            found.update(self._through(upstream, edge))
        if found and is_silent:
            found.add(UNKNOWN)
        return min(found, key=_ORDER.index) if found else None

    def target_ports(self, edge: Edge, client: str) -> Set[int]:
        """The server's own ports behind an edge's Service port, as a client's proxies have them; empty if none says."""
        found: Set[int] = set()
        for proxy in self._proxies.get(client, ()):
            upstream = self._upstreams.get(proxy.pod, {}).get(_host(edge))
            for number in self._ports_behind(upstream, edge) if upstream is not None else ():
                if number is None:
                    return set()
                found.add(number)
        return found

    def _guarded(self, edge: Edge) -> bool:
        server = self._workloads.get(edge["endpoint"] or "")
        return server is not None and server["mesh"] != "none"

    def _through(self, upstream: Upstream, edge: Edge) -> Iterator[str]:
        if upstream.sends != "auto":
            yield from self._meets(upstream.sends, edge, upstream)
            return
        mine = [item for item in upstream.endpoints if self._workload_at(item.address) == edge["endpoint"]]
        if not mine:
            yield UNKNOWN
        for sends in {item.sends for item in mine}:
            yield from self._meets(sends, edge, upstream)

    def _workload_at(self, address: str) -> Optional[str]:
        host = address.rpartition(":")[0].strip("[]")
        return self._addresses.get(host, f"addr/{host}")

    def _meets(self, sends: str, edge: Edge, upstream: Optional[Upstream]) -> Set[str]:
        """The verdicts at the server's ports to which the connection can lead; without an upstream nobody says which.

        Then it is known only where it is the same at all of the server's ports.
        """
        if sends == UNKNOWN:
            return {UNKNOWN}
        workload = self._workloads.get(edge["endpoint"] or "")
        if workload is None:
            return {UNKNOWN}
        if workload["mesh"] == "none":
            return {verdict(sends, "none", False)}
        if workload["mesh"] != "sidecar":
            return {UNKNOWN}
        if sends == HBONE:
            # The tunnel has a port of its own: whether the application's is excluded from capture does not matter.
            own = self._proxies.get(workload["id"], ())
            return {"mtls"} if own and all(proxy.answered for proxy in own) else {UNKNOWN}
        uncaptured = {port["port"] for port in workload["ports"] if port["captured"] is False}
        ports = {port["port"] for port in workload["ports"]} if upstream is None else self._ports_behind(upstream, edge)
        found = [
            {
                verdict(sends, server.server, server.http)
                for server in ({_Met("none", False)} if port in uncaptured else self._at(workload["id"], port))
            }
            for port in ports
        ]
        if upstream is None and any(answers != found[0] for answers in found):
            return {UNKNOWN}
        return set().union(*found) or {UNKNOWN}

    def _ports_behind(self, upstream: Upstream, edge: Edge) -> Set[Optional[int]]:
        """The server's ports among an upstream's endpoints; None for one that is no port."""
        return {
            numbers.port(item.address.rpartition(":")[2])
            for item in upstream.endpoints
            if self._workload_at(item.address) == edge["endpoint"]
        }

    def _at(self, server: str, port: Optional[int]) -> Set[_Met]:
        """What each of a server's proxies does at a port of it."""
        if port is None:
            return {_NOBODY_KNOWS}
        known = self._accepts.get((server, port))
        if known is None:
            known = {_accepted(proxy, port) for proxy in self._proxies.get(server, ())} or {_NOBODY_KNOWS}
            self._accepts[server, port] = known
        return known


def _host(edge: Edge) -> _Host:
    return edge["host"], edge["port"], edge["subset"] or ""


def _accepted(proxy: Proxy, number: int) -> _Met:
    found = {_Met(_MODES.get(port.accepts, UNKNOWN), port.http) for port in proxy.ports if port.port == number}
    return found.pop() if proxy.answered and len(found) == 1 else _NOBODY_KNOWS


class Observed:
    """What telemetry saw of each connection."""

    def __init__(
        self,
        workloads: Iterable[Mapping[str, Any]],
        traffic: Iterable[Mapping[str, Any]],
        programmed: Optional[Programmed] = None,
    ) -> None:
        """`programmed` tells which of a server's ports is behind a Service's."""
        workloads = list(workloads)
        self._names = {workload["id"]: f"{workload['namespace']}/{workload['name']}" for workload in workloads}
        counted = Counter(self._names.values())
        self._ambiguous = {name for name, count in counted.items() if count > 1}
        self._ports = {workload["id"]: {port["port"] for port in workload["ports"]} for workload in workloads}
        self._programmed = programmed
        self._seen: Dict[Tuple[str, str], List[Mapping[str, Any]]] = {}
        for row in traffic:
            source, destination = row["source"]["workload"], row["destination"]["workload"]
            # What another pod says than the server's own is nobody's doubt but its own.
            if source and destination and not row.get("exporter"):
                self._seen.setdefault((source, destination), []).append(row)

    def verdict(self, edge: Edge, clients: Iterable[str], ambiguous: bool) -> str:
        """The worst of what was seen; unknown where nothing was, or it may have been on another port.

        What is doubtful beside mutual TLS makes it unknown: a part of it may have been anything. So does a name that
        two workloads share: it may have been the other one's.
        """
        server = self._names.get(edge["endpoint"] or "", "")
        found: Set[str] = set()
        for client in clients:
            name = self._names.get(client, "")
            rows = self._seen.get((name, server), ())
            ports = self._target_ports(edge, client) if rows else set()
            for row in rows:
                at_this_port = row["port"] in ports if row["port"] is not None else not ambiguous
                if at_this_port and row["destination"]["service"] in (None, edge["service"]):
                    found.add(_SEEN.get(row["security"], UNKNOWN))
                    found.update({UNKNOWN} if self._ambiguous & {name, server} else ())
        return min(found, key=_ORDER.index) if found else UNKNOWN

    def _target_ports(self, edge: Edge, client: str) -> Set[int]:
        """Telemetry names the server's own port: the only one that there is, or what the client's proxies say it is."""
        own = self._ports.get(edge["endpoint"] or "", set())
        if len(own) == 1:
            return own
        return self._programmed.target_ports(edge, client) if self._programmed is not None else set()


def compare(
    edges: Iterable[Edge],
    client_sets: Mapping[str, Sequence[str]],
    programmed: Optional[Programmed],
    observed: Optional[Observed],
) -> List[Dict[str, Any]]:
    """The edges, each with programmed, observed, agreement and cause; None for a source that was not asked."""
    edges = list(edges)
    answers: Dict[Tuple[str, str, Any], Set[str]] = {}
    for edge in edges:
        answers.setdefault((edge["service"], edge["clients"], edge["endpoint"]), set()).add(edge["verdict"])
    return [
        {
            **edge,
            **_compared(
                edge,
                client_sets.get(edge["clients"], ()),
                programmed,
                observed,
                # Istio's standard metrics have no port: which of several answers was seen is then open.
                len(answers[edge["service"], edge["clients"], edge["endpoint"]]) > 1,
            ),
        }
        for edge in edges
    ]


def _compared(
    edge: Edge,
    clients: Sequence[str],
    programmed: Optional[Programmed],
    observed: Optional[Observed],
    ambiguous: bool,
) -> Dict[str, Any]:
    given = programmed.verdict(edge, clients) if programmed is not None else None
    seen = observed.verdict(edge, clients, ambiguous) if observed is not None else None
    agreed = agreement(edge["verdict"], given, seen)
    cause = ""
    if agreed == "contradicted":
        cause = (
            "a proxy has not got the policies yet, or another object than a policy decides"
            if given not in (None, UNKNOWN, edge["verdict"])
            else "some clients call pods' addresses instead of this host, or their proxy does not take the traffic; "
            "or the policies are younger than what telemetry saw in its window"
        )
    return {"programmed": given, "observed": seen, "agreement": agreed, "cause": cause}
