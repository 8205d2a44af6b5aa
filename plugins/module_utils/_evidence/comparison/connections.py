# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each edge, as the policies have it, as both proxies were programmed, and as telemetry saw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ..._policy.verdicts import verdict
from ..envoy.records import Proxy, Upstream
from .agreement import PERMISSIVE, PLAINTEXT, STRICT, UNKNOWN, agreement

Edge = Mapping[str, Any]
_MODES = {STRICT: "STRICT", PERMISSIVE: "PERMISSIVE", PLAINTEXT: "DISABLE", UNKNOWN: UNKNOWN}
_SEEN = {"mutual_tls": "mtls", "plaintext": "plaintext", "mixed": "plaintext"}
_ORDER = ("plaintext", "broken", UNKNOWN, "tls", "mtls")


class _Met(NamedTuple):
    """A server port at the end of a connection."""

    server: str
    http: bool


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
        self._clients: Dict[str, List[Proxy]] = {}
        self._accepts: Dict[Tuple[str, int], Set[Tuple[str, bool]]] = {}
        self._known: Dict[Tuple[str, int, str], Upstream] = {}
        self._upstreams: Dict[str, Dict[Tuple[str, int, str], Upstream]] = {}
        for proxy in proxies:
            if not proxy.answered:
                continue
            self._clients.setdefault(proxy.workload, []).append(proxy)
            for port in proxy.ports:
                self._accepts.setdefault((proxy.workload, port.port), set()).add((port.accepts, port.http))
            own = {(item.host, item.port, item.subset): item for item in proxy.upstreams}
            self._upstreams[proxy.pod] = own
            self._known.update(own)

    def verdict(self, edge: Edge, clients: Iterable[str]) -> Optional[str]:
        """The worst of what the clients' proxies do; None where no proxy of theirs could say anything."""
        found: Set[str] = set()
        asked: Set[int] = set()
        for client in clients:
            workload = self._workloads.get(client)
            if workload is None:
                continue
            if workload["mesh"] == "none":
                # Where neither side has a proxy there is nobody who could say anything.
                found.update(self._meets("none", edge, None) if self._guarded(edge) else ())
                continue
            for proxy in self._clients.get(client, ()):
                upstream = self._upstreams[proxy.pod].get((edge["host"], edge["port"], edge["subset"] or ""))
                if upstream is not None and edge["client_tls"] == "none":
                    # The traffic bypasses it: what it was given for the host is not used.
                    continue
                if upstream is None and proxy.passthrough is None:
                    found.add(UNKNOWN)
                elif upstream is None:
                    found.update(self._meets("none", edge, None) if proxy.passthrough else {"broken"})
                elif id(upstream) not in asked:  # equal ones are one object
                    asked.add(id(upstream))
                    found.update(self._through(upstream, edge))
        return min(found, key=_ORDER.index) if found else None

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
        """The verdicts at the server's ports to which the connection can lead."""
        if sends == UNKNOWN:
            return {UNKNOWN}
        servers = self._servers(edge, upstream)
        return {verdict(sends, server.server, server.http) for server in servers} or {UNKNOWN}

    def target_ports(self, edge: Edge, upstream: Optional[Upstream] = None) -> Set[int]:
        """The server's own ports behind an edge's Service port, as clients' proxies have them; empty if none says."""
        upstream = upstream or self._known.get((edge["host"], edge["port"], edge["subset"] or ""))
        return {
            int(item.address.rpartition(":")[2])
            for item in (upstream.endpoints if upstream else ())
            if self._workload_at(item.address) == edge["endpoint"]
        }

    def _servers(self, edge: Edge, upstream: Optional[Upstream]) -> Set[_Met]:
        workload = self._workloads.get(edge["endpoint"] or "")
        if workload is None:
            return set()
        if workload["mesh"] == "none":
            return {_Met("none", False)}
        if workload["mesh"] != "sidecar":
            return set()
        ports = self.target_ports(edge, upstream)
        uncaptured = {port["port"] for port in workload["ports"] if port["captured"] is False}
        return {
            _Met("none", False) if port in uncaptured else _Met(_MODES[accepts], http)
            for port in ports
            for accepts, http in self._accepts.get((workload["id"], port), {(UNKNOWN, False)})
        }


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
        self._ports = {workload["id"]: {port["port"] for port in workload["ports"]} for workload in workloads}
        self._programmed = programmed
        self._seen: Dict[Tuple[str, str], List[Mapping[str, Any]]] = {}
        for row in traffic:
            source, destination = row["source"]["workload"], row["destination"]["workload"]
            if source and destination:
                self._seen.setdefault((source, destination), []).append(row)

    def verdict(self, edge: Edge, clients: Iterable[str], ambiguous: bool) -> str:
        """The worst of what was seen; unknown where nothing was, or it may have been on another port."""
        server = self._names.get(edge["endpoint"] or "", "")
        ports = self._target_ports(edge)
        found = {
            _SEEN[row["security"]]
            for client in clients
            for row in self._seen.get((self._names.get(client, ""), server), ())
            if row["security"] in _SEEN
            and row["destination"]["service"] in (None, edge["service"])
            and (row["port"] in ports if row["port"] is not None else not ambiguous)
        }
        return min(found, key=_ORDER.index) if found else UNKNOWN

    def _target_ports(self, edge: Edge) -> Set[int]:
        """Telemetry names the server's own port: what the proxies say it is, else the only one that there is."""
        known = self._programmed.target_ports(edge) if self._programmed is not None else set()
        own = self._ports.get(edge["endpoint"] or "", set())
        return known or (own if len(own) == 1 else set())


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
