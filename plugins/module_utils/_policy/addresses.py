# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an address leads that is no pod's: a Service's cluster IP, or a name that cluster DNS resolves.

What istiod knows of such an endpoint is what somebody wrote about it. What a client sends there reaches the pods behind
it all the same: kube-proxy translates cluster IPs, and Envoy resolves names with the search domains of every pod
(`name.namespace` is a Service's, too).
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from .membership import Workload
from .mesh import CLUSTER_DOMAIN
from .ranges import address_of, canonical, network_of
from .services import Catalogue, Destination, Endpoint

_SERVICES = ("", ".svc", f".svc.{CLUSTER_DOMAIN}")
_PODS = f".pod.{CLUSTER_DOMAIN}"
_LONGEST = 32
"""Names on one way. Whoever writes names can let each lead to the next, or to several."""
_MOST = 1000
"""Addresses and names on all ways of one entry's host together, but for those that it names itself."""


class Landing(NamedTuple):
    """One end of the way from an address."""

    endpoint: Optional[Endpoint]
    """What is reached, with the port that is met there; None where nothing is, or nobody knows what."""
    way: str = ""
    """How it is reached, in words; "" where the address itself is the end."""
    doubt: str = ""
    """Why nobody knows what is reached."""


class Addresses:
    """Follows addresses and names to the workloads behind them."""

    def __init__(self, destinations: Iterable[Destination], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._services: Dict[str, Destination] = {}
        self._by_address: Dict[str, Destination] = {}
        self._entries: Dict[str, List[Destination]] = {}
        self._short: Dict[str, Destination] = {}
        self._known: Dict[Tuple[str, int, str], Tuple[Landing, ...]] = {}
        self._sorted: Optional[Dict[int, List[int]]] = None
        """The addresses of Services and pods as numbers, by their family."""
        self._left = 0
        """Of `_MOST`, on the ways that are being followed."""
        self._lefts: Dict[str, int] = {}
        """The same for each host: names that lead to many others, and these to many, cost no more together."""
        for item in destinations:
            if not item.kubernetes:
                self._entries.setdefault(item.host, []).append(item)
                continue
            self._services[item.host] = item
            self._short.setdefault(item.host.partition(".")[0], item)
            for address in item.addresses:
                if address and address != "None":
                    # Kubernetes gives an address to one Service; of two the choice must not depend on their order.
                    self._by_address.setdefault(canonical(address), item)

    def behind(self, endpoint: Endpoint, port: int, host: str) -> Tuple[Landing, ...]:
        """What a connection to an endpoint's port reaches: the endpoint itself, unless its address leads on.

        `host` is that of the entry which names the endpoint: its own name leads nowhere.
        """
        if endpoint.workload is not None or not endpoint.address:
            return (Landing(endpoint),)
        key = (endpoint.address, port, host)
        found = self._known.get(key)
        if found is None:
            self._left = self._lefts.get(host, _MOST) + 1
            found = tuple(self._follow(endpoint.address, port, frozenset((f"={host}",))))
            self._lefts[host] = self._left
            if self._left < 0:
                found = (Landing(None, doubt=f"{endpoint.address} leads to more names than are followed"),)
            self._known[key] = found
        return found or (Landing(endpoint),)

    def _follow(self, address: str, port: int, seen: FrozenSet[str]) -> List[Landing]:
        """Nothing for what leads nowhere that is known. `seen`: the names on the way, `=host` for an entry's own."""
        self._left -= 1
        if self._left < 0 or len(seen) > _LONGEST:
            return [Landing(None, doubt=f"{address} is too far behind other names to be followed")]
        name = canonical(address)
        if name in seen:
            return [Landing(None, doubt=f"the names that {address} leads to lead back to it")]
        seen |= {name}
        if address_of(name) is not None:
            service = self._by_address.get(name)
            if service is not None:
                return self._through(service, port, f"{address} is the cluster IP of Service {service.name}")
            claimed = self._catalogue.claimed(name)
            if claimed:
                return [Landing(None, doubt=claimed)]
            workload = self._catalogue.at(name)
            return [] if workload is None else [Landing(_at_pod(workload, port), f"{address} is a pod's address")]
        if "/" in name:
            known = self._inside(name)
            return [Landing(None, doubt=f"the range {address} holds {known}, which is in the cluster")] if known else []
        if name.endswith(_PODS):
            return self._follow(name.partition(".")[0].replace("-", "."), port, seen)
        return self._named(name, port, seen)

    def _named(self, name: str, port: int, seen: FrozenSet[str]) -> List[Landing]:
        service, pod = self._service(name)
        if service is None:
            entries = self._entries.get(name, ()) if f"={name}" not in seen else ()
            if not entries and name in self._short:
                why = f"the name {name} means a Service of the client's own namespace"
                return [Landing(None, doubt=f"{why}, which differs from client to client")]
            hidden = self._hidden(name) if not entries else ""
            if hidden:
                return [Landing(None, doubt=f"{name} is a name of the cluster's, and {hidden}")]
            return [landing for entry in entries for landing in self._at_entry(entry, port, seen)]
        if service.alias:
            return self._follow(service.alias, port, seen)
        if not service.headless:
            return self._through(service, port, f"{name} is Service {service.name}")
        return self._at_pods(service, pod, name, port, seen)

    def _hidden(self, name: str) -> str:
        """Why there may be a Service with this name all the same."""
        for suffix in _SERVICES[1:]:
            if name.endswith(suffix):
                return self._catalogue.hidden(name[: -len(suffix)].rpartition(".")[2], "Service")
        return ""

    def _inside(self, text: str) -> str:
        """An address of a range that is a Service's or a pod's; "" where none is known."""
        network = network_of(text)
        if network is None:
            return ""
        if self._sorted is None:
            numbers: Dict[int, List[int]] = {4: [], 6: []}
            for name in (*self._by_address, *self._catalogue.all_addresses()):
                address = address_of(name)
                if address is not None:
                    numbers[address.version].append(int(address))
            self._sorted = {version: sorted(found) for version, found in numbers.items()}
        found = self._sorted[network.version]
        place = bisect_left(found, int(network.network_address))
        if place == len(found) or found[place] > int(network.broadcast_address):
            return ""
        return str((ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address)(found[place]))

    def _service(self, name: str) -> Tuple[Optional[Destination], str]:
        """The Service that a name means, and the pod's name before it; cluster DNS is asked first."""
        for suffix in _SERVICES:
            stem = name[: len(name) - len(suffix)] if suffix and name.endswith(suffix) else "" if suffix else name
            labels = stem.split(".")
            if len(labels) in (2, 3):
                found = self._services.get(f"{labels[-2]}.{labels[-1]}.svc.{CLUSTER_DOMAIN}")
                if found is not None and (len(labels) == 2 or found.headless):
                    return found, labels[0] if len(labels) == 3 else ""
        return None, ""

    def _through(self, service: Destination, port: int, way: str) -> List[Landing]:
        """Through a cluster IP: to the pods of the port, or to the addresses of EndpointSlices as they are."""
        if service.hidden_endpoints:
            return [Landing(None, way, service.hidden_endpoints)]
        found = [
            Landing(endpoint, way)
            for one in service.listeners
            if one.number == port and one.protocol != "udp"
            for endpoint in one.endpoints
            # WorkloadEntries, which alone have labels to be selected by, are behind a Service for istiod only.
            if endpoint.by_pod or not endpoint.labels
        ]
        return found or [Landing(None, f"{way}, which has no endpoint for port {port}")]

    def _at_pods(self, service: Destination, pod: str, name: str, port: int, seen: FrozenSet[str]) -> List[Landing]:
        """A headless Service's name means its pods, at whatever port is dialled; a pod's own name that pod."""
        way = f"{name} is a pod of the headless Service {service.name}"
        if service.hidden_endpoints:
            return [Landing(None, way, service.hidden_endpoints)]
        endpoints = {one.id: one for item in service.listeners for one in item.endpoints}
        named = self._catalogue.of_pod(service.namespace, pod) if pod else None
        if named is not None and named.id in endpoints:
            endpoints = {named.id: endpoints[named.id]}
        found: List[Landing] = []
        for one in endpoints.values():
            further = self._follow(one.address, port, seen) if one.workload is None and one.address else []
            found.extend(further or [Landing(one._replace(port=port), way)])
        return found or [Landing(None, f"{name} is the headless Service {service.name}, which has no pod")]

    def _at_entry(self, entry: Destination, port: int, seen: FrozenSet[str]) -> List[Landing]:
        """The endpoints of another ServiceEntry with this host: the best that is known of what the name means."""
        way = f"{entry.host} is a host of ServiceEntry {entry.name}"
        if entry.hidden_endpoints:
            return [Landing(None, way, entry.hidden_endpoints)]
        found: List[Landing] = []
        for item in entry.listeners:
            for one in item.endpoints if item.number == port else ():
                own = one.address == entry.host
                further = self._follow(one.address, one.port, seen) if one.workload is None and not own else []
                found.extend(further or [Landing(one, way)])
        return found


def _at_pod(workload: Workload, port: int) -> Endpoint:
    return Endpoint(workload.id, workload, port, "disabled", workload.namespace, workload.labels)
