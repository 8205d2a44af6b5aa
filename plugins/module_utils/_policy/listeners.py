# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of a sidecar speak HTTP: what one-way TLS meets there depends on it (semantics, section 2).

The oldest Service decides that targets a port, then the host (pilot/pkg/model/context.go SetServiceTargets). Which
Services target a pod at all, is the question of both registries' GetProxyServiceTargets.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from .ages import contest, dated, eldest_of
from .membership import Workload, matches
from .records import Entry
from .services import DESTINATION, Catalogue, Destination, DestinationPort, Endpoint

Sees = Callable[[Workload, str, Optional[str]], bool]
"""Whether a sidecar's control plane knows objects of a namespace and revision."""
_ALL = ("",)


class Protocol(NamedTuple):
    """Whether a listener speaks HTTP, None where that cannot be told, and why not."""

    http: Optional[bool]
    doubt: str = ""


def listener_protocols(
    destinations: List[Destination], catalogue: Catalogue, sees: Sees
) -> Dict[Tuple[str, int], Protocol]:
    """For each sidecar and target port that is not sniffed whether it is an HTTP port.

    Pods of one workload can differ: an address that something names on its own is looked at on its own, "" stands for
    all the others. Where any of them speaks HTTP, one-way TLS may break.
    """
    addresses = _addresses(destinations, catalogue)
    claims: Dict[Tuple[str, int, str], Dict[bool, Destination]] = {}
    for destination in sorted(destinations, key=lambda item: (item.age, item.host)):
        ports = destination.listeners
        if not destination.kubernetes:
            # Of a ServiceEntry's ports with one target istiod takes any, so that HTTP has to be expected.
            ports = tuple(sorted(ports, key=lambda port: not port.http))
        own: Dict[Tuple[str, int, str], bool] = {}
        for port in ports:
            # Such an entry has one endpoint at most, as for its clients.
            only = 1 if destination.resolution == "DNS_ROUND_ROBIN" else None
            for endpoint in port.endpoints[:only]:
                workload = endpoint.workload
                if workload is None or workload.mesh != "sidecar":
                    continue
                for address in (endpoint.address,) if endpoint.address else addresses.get(workload.id, _ALL):
                    key = (workload.id, endpoint.port, address)
                    if key in own or _settled(claims.get(key), destination, port.http):
                        continue
                    if _is_target(workload, address, destination, port, endpoint, catalogue, sees):
                        own[key] = port.http
        for key, http in own.items():
            claims.setdefault(key, {}).setdefault(http, destination)
    found: Dict[Tuple[str, int], Protocol] = {}
    for key, rivals in claims.items():
        known = found.get(key[:2])
        if len(rivals) > 1 and (known is None or not known.http):
            found[key[:2]] = Protocol(None, contest(DESTINATION, list(rivals.values()), "decides the port's protocol"))
        elif True in rivals:
            found[key[:2]] = Protocol(True)
    return found


class Target(NamedTuple):
    """A port of a destination that leads to a pod, and the pod's port (Istio's ServiceTarget)."""

    destination: Destination
    number: int
    port: int


def gateway_targets(
    destinations: List[Destination], catalogue: Catalogue, sees: Sees
) -> Dict[str, List[Tuple[Target, ...]]]:
    """For each gateway its targets in Istio's order; once for each of its pods' addresses that is named on its own.

    Of a Service's ports with one target port and protocol the first counts (kube/controller/controller.go
    GetProxyServiceTargetsByPod), but all of a Service that only an EndpointSlice leads to the pod (endpointslice.go
    serviceTargets).
    """
    addresses = _addresses(destinations, catalogue)
    found: Dict[str, Dict[str, List[Target]]] = {}
    for destination in sorted(destinations, key=lambda item: (item.age, item.host)):
        taken: Set[Tuple[str, str, int, str]] = set()
        for port in destination.listeners:
            only = 1 if destination.resolution == "DNS_ROUND_ROBIN" else None
            for endpoint in port.endpoints[:only]:
                workload = endpoint.workload
                if workload is None or workload.mesh != "gateway":
                    continue
                everywhere = addresses.get(workload.id, _ALL)
                by_address = found.setdefault(workload.id, {address: [] for address in everywhere})
                for address in (endpoint.address,) if endpoint.address else everywhere:
                    if not _is_target(workload, address, destination, port, endpoint, catalogue, sees):
                        continue
                    key = (workload.id, address, endpoint.port, port.instance)
                    by_slice = endpoint.by_pod and workload.id not in catalogue.selected
                    if not destination.kubernetes or by_slice or key not in taken:
                        taken.add(key)
                        by_address.setdefault(address, []).append(Target(destination, port.number, endpoint.port))
    return {place: [tuple(targets) for targets in by_address.values()] for place, by_address in found.items()}


def _settled(claims: Optional[Dict[bool, Destination]], destination: Destination, http: bool) -> bool:
    """Whether a destination adds nothing to the claims of those that come before it in Istio's order."""
    if not claims:
        return False
    return http in claims or dated(destination) or eldest_of([*claims.values(), destination])[-1] is not destination


def _addresses(destinations: Iterable[Destination], catalogue: Catalogue) -> Dict[str, Tuple[str, ...]]:
    """Which addresses of a workload's pods are named on their own, with "" when there are other pods."""
    workloads: Dict[str, Workload] = {}
    named: Dict[str, Set[str]] = {}
    for destination in destinations:
        for port in destination.listeners:
            for endpoint in port.endpoints:
                if endpoint.workload is not None:
                    workloads[endpoint.workload.id] = endpoint.workload
                    if endpoint.address:
                        named.setdefault(endpoint.workload.id, set()).add(endpoint.address)
    for place, workload in workloads.items():
        taken = catalogue.taken(workload)
        if taken:
            named.setdefault(place, set()).update(taken)
    return {
        place: (*sorted(found), *(_ALL if len(found) < len(workloads[place].pods) else ()))
        for place, found in named.items()
    }


def _is_target(
    workload: Workload,
    address: str,
    destination: Destination,
    port: DestinationPort,
    endpoint: Endpoint,
    catalogue: Catalogue,
    sees: Sees,
) -> bool:
    """Whether a destination's port counts for a pod.

    A WorkloadEntry at the pod's address is taken for the pod: then only Services that select the entry count. Else
    those that select the pod, and only without any of them those whose EndpointSlices have its address. ServiceEntries
    of the pod's namespace always count.
    """
    if not sees(workload, destination.namespace, destination.revision):
        return False
    if not sees(workload, endpoint.namespace, endpoint.revision):
        return False
    if not destination.kubernetes:
        return destination.namespace == workload.namespace
    entry = _entry_at(workload, address, catalogue, sees)
    if entry is not None:
        same = (endpoint.namespace, endpoint.labels) == (entry.namespace, entry.labels)
        return same and not endpoint.by_pod and port.protocol != "udp"
    if not endpoint.by_pod:
        return False
    if workload.id in catalogue.selected:
        # What EndpointSlices add to a Service that selects others does not count.
        added = endpoint.address and not matches(destination.selector, workload.labels)
        return bool(destination.selector) and not added
    return destination.namespace == workload.namespace


def _entry_at(workload: Workload, address: str, catalogue: Catalogue, sees: Sees) -> Optional[Entry]:
    """The WorkloadEntry for which istiod takes a pod (serviceregistry/util/workloadinstances GetInstanceForProxy)."""

    def rank(entry: Entry) -> Tuple[bool, bool]:
        at_home = entry.namespace == workload.namespace
        return (not (at_home and entry.name in workload.pods), not at_home)

    found = catalogue.taken(workload).get(address, ())
    return min((one for one in found if sees(workload, one.namespace, one.revision)), key=rank, default=None)
