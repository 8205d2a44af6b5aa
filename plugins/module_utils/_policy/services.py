# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients can dial, and which endpoints stand behind it (semantics, sections 3.3 and 3.4)."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from .membership import Workload, matches
from .mesh import CLUSTER_DOMAIN
from .records import TLS_MODE_LABEL, Entry, Labels, Service, ServiceEntry, ServicePort, Slice, SliceEndpoint, Snapshot
from .unread import Unread


class Endpoint(NamedTuple):
    """One kind of endpoint behind a port."""

    id: str
    workload: Optional[Workload]
    port: int
    tls_mode: str
    namespace: str
    labels: Labels
    """The namespace and labels under which clients look up its PeerAuthentication."""


class DestinationPort(NamedTuple):
    """A port of a destination with its endpoints."""

    number: int
    http: bool
    endpoints: Tuple[Endpoint, ...]


class Destination(NamedTuple):
    """A Service, or one host of a ServiceEntry."""

    name: str
    namespace: str
    host: str
    age: str
    kubernetes: bool
    external: bool
    headless: bool
    """Clients dial the endpoint's address and the Service port; nothing is matched per endpoint."""
    resolution: str
    ports: Tuple[DestinationPort, ...]
    export_to: Tuple[str, ...]
    addresses: Tuple[str, ...]
    hidden_endpoints: str
    """Why there may be endpoints that were not read, "" when there are none."""

    def exported_to(self, namespace: str, default: Tuple[str, ...]) -> bool:
        """push_context.go IsServiceVisible: `*`, `.` for its own namespace, or the namespace's name."""
        export_to = self.export_to or default
        return "*" in export_to or namespace in export_to or ("." in export_to and namespace == self.namespace)


class Catalogue:
    """Finds endpoints by labels, by pod and by address."""

    def __init__(self, snapshot: Snapshot, workloads: List[Workload], unread: Unread) -> None:
        self._unread = unread
        self._by_label: Dict[Tuple[str, str, str], List[Workload]] = {}
        self._by_namespace: Dict[str, List[Workload]] = {}
        self._entries: Dict[str, List[Entry]] = {}
        for workload in workloads:
            self._by_namespace.setdefault(workload.namespace, []).append(workload)
            for key, value in workload.labels.items():
                self._by_label.setdefault((workload.namespace, key, value), []).append(workload)
        for entry in snapshot.entries:
            self._entries.setdefault(entry.namespace, []).append(entry)
        self._by_pod: Dict[Tuple[str, str], Workload] = {}
        self._by_address: Dict[str, Workload] = {}
        if snapshot.entries or snapshot.slices or snapshot.service_entries:
            self._by_pod = {(workload.namespace, pod): workload for workload in workloads for pod in workload.pods}
            for pod in snapshot.pods:
                if pod.ip and not pod.shape.host_network:
                    workload = self._by_pod[pod.namespace, pod.name]
                    # Should two pods claim an address, the choice must not depend on their order.
                    self._by_address[pod.ip] = min(workload, self._by_address.get(pod.ip, workload), key=_id)

    def select(self, namespace: str, selector: Labels) -> List[Workload]:
        """Workloads of a namespace by labels; an empty selector selects all of them."""
        if not selector:
            return self._by_namespace.get(namespace, [])
        lists = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [workload for workload in min(lists, key=len) if matches(selector, workload.labels)]

    def entries(self, namespace: str, selector: Labels) -> List[Entry]:
        """WorkloadEntries of a namespace by labels."""
        return [entry for entry in self._entries.get(namespace, ()) if matches(selector, entry.labels)]

    def at(self, address: str) -> Optional[Workload]:
        """The workload whose pod has an address."""
        return self._by_address.get(address)

    def of_pod(self, namespace: str, name: str) -> Optional[Workload]:
        """The workload of a pod."""
        return self._by_pod.get((namespace, name))

    def hidden(self, namespace: str, *kinds: str) -> str:
        """Why endpoints of a namespace may be missing."""
        for kind in kinds:
            if self._unread.covers(kind, namespace):
                return f"{kind} objects of namespace {namespace} were not read"
        return ""


def _id(workload: Workload) -> str:
    return workload.id


def _of_workload(workload: Workload, port: int) -> Endpoint:
    """A pod's tlsMode is its label and nothing else (pilot/pkg/model/service.go GetTLSModeFromEndpointLabels)."""
    mode = workload.labels.get(TLS_MODE_LABEL, "disabled")
    return Endpoint(workload.id, workload, port, mode, workload.namespace, workload.labels)


def _of_entry(catalogue: Catalogue, entry: Entry, port: int) -> Endpoint:
    """Looked up under the entry's own namespace and labels, also when the address is a pod's."""
    workload = catalogue.at(entry.address)
    place = workload.id if workload else f"addr/{entry.address or entry.name}"
    return Endpoint(place, workload, port, entry.tls_mode, entry.namespace, entry.labels)


def _target(workload: Workload, port: ServicePort) -> Optional[int]:
    """A named targetPort is looked up among the pod's ports; without one by that name the pod is no endpoint."""
    if not isinstance(port.target, str):
        return int(port.target or port.number)
    for number, name in (*workload.shape.ports, *workload.shape.proxy_ports):
        if name == port.target:
            return number
    return None


def _distinct(endpoints: Iterable[Endpoint]) -> Tuple[Endpoint, ...]:
    return tuple(sorted(endpoints, key=lambda item: (item.id, item.port, item.tls_mode, sorted(item.labels.items()))))


def _slice_endpoints(catalogue: Catalogue, slices: List[Slice], port: ServicePort) -> List[Endpoint]:
    """Endpoints of a Service without a selector (serviceregistry/kube/controller/endpointslice.go)."""
    found: Dict[Tuple[str, int], Endpoint] = {}
    for item in slices:
        for name, number in item.ports:
            for endpoint in item.endpoints if name == port.name else ():
                for address in endpoint.addresses:
                    one = _slice_endpoint(catalogue, item.namespace, endpoint, address, number)
                    if one is not None:
                        found.setdefault((one.id, number), one)
    return list(found.values())


def _slice_endpoint(
    catalogue: Catalogue, namespace: str, endpoint: SliceEndpoint, address: str, port: int
) -> Optional[Endpoint]:
    """A named pod that is gone is no endpoint; behind a bare address istiod guesses pods of that namespace only."""
    if endpoint.pod is not None:
        workload = catalogue.of_pod(*endpoint.pod)
        return _of_workload(workload, port) if workload else None
    workload = catalogue.at(address)
    if workload is not None and workload.namespace == namespace:
        return _of_workload(workload, port)
    return Endpoint(workload.id if workload else f"addr/{address}", workload, port, "disabled", namespace, {})


def _of_service(catalogue: Catalogue, service: Service, slices: List[Slice]) -> Destination:
    ports = []
    chosen = catalogue.select(service.namespace, service.selector) if service.selector else []
    entries = (
        catalogue.entries(service.namespace, service.selector) if service.selector and not service.headless else []
    )
    for port in service.ports:
        if port.protocol == "udp":
            continue
        found: List[Endpoint] = []
        if service.selector:
            for workload in chosen:
                number = _target(workload, port)
                if number is not None:
                    found.append(_of_workload(workload, number))
            found.extend(_selected_entries(catalogue, entries, port))
        else:
            found.extend(_slice_endpoints(catalogue, slices, port))
        ports.append(DestinationPort(port.number, port.protocol == "http", _distinct(found)))
    hidden = (
        catalogue.hidden(service.namespace, "Pod", "Deployment", "WorkloadEntry")
        if service.selector
        else catalogue.hidden(service.namespace, "EndpointSlice")
    )
    return Destination(
        f"{service.namespace}/{service.name}",
        service.namespace,
        f"{service.name}.{service.namespace}.svc.{CLUSTER_DOMAIN}",
        service.age,
        True,
        False,
        service.headless,
        "NONE" if service.headless else "STATIC",
        tuple(ports),
        service.export_to,
        service.addresses,
        hidden,
    )


def _selected_entries(catalogue: Catalogue, entries: List[Entry], port: ServicePort) -> Iterable[Endpoint]:
    """WorkloadEntries behind a Service; a named targetPort needs that name in the entry's ports (controller.go)."""
    for entry in entries:
        if isinstance(port.target, str):
            number = entry.ports.get(port.target)
            if number is None:
                continue
        else:
            number = int(port.target or port.number)
        yield _of_entry(catalogue, entry, number)


def _entry_port(entry: Entry, port: ServicePort) -> int:
    """The entry's own port of that name, else targetPort, else the port (serviceentry/conversion.go)."""
    return entry.ports.get(port.name) or port.target or port.number


def _pod_port(workload: Workload, port: ServicePort) -> int:
    """A pod's container port of that name, else targetPort, else the port (kube/controller/util.go getPortMap)."""
    names = {name: number for number, name in reversed(workload.shape.ports) if name}
    return names.get(port.name) or port.target or port.number


def _of_service_entry(catalogue: Catalogue, item: ServiceEntry, host: str) -> Destination:
    ports = []
    dns = item.resolution.startswith("DNS")
    for port in item.ports:
        if port.protocol == "udp":
            continue
        found: List[Endpoint] = []
        if item.selector is not None:
            chosen = catalogue.select(item.namespace, item.selector)
            entries = catalogue.entries(item.namespace, item.selector)
            found.extend(_of_workload(workload, _pod_port(workload, port)) for workload in chosen)
            found.extend(_of_entry(catalogue, entry, _entry_port(entry, port)) for entry in entries)
        elif item.endpoints:
            found.extend(_of_entry(catalogue, entry, _entry_port(entry, port)) for entry in item.endpoints)
        elif dns or item.resolution in ("NONE", "DYNAMIC_DNS"):
            # No instance at all, or only the name itself: never auto-mTLS. Clients dial the addresses, else the host.
            addresses = (item.addresses if item.resolution == "NONE" else ()) or (host,)
            bare = (Entry(item.namespace, item.name, None, address, {}, {}, "disabled") for address in addresses)
            found.extend(_of_entry(catalogue, entry, _entry_port(entry, port)) for entry in bare)
        ports.append(DestinationPort(port.number, port.protocol == "http", _distinct(found)))
    hidden = catalogue.hidden(item.namespace, "Pod", "Deployment", "WorkloadEntry") if item.selector is not None else ""
    return Destination(
        f"{item.namespace}/{item.name}",
        item.namespace,
        host,
        item.age,
        False,
        item.external,
        False,
        item.resolution,
        tuple(ports),
        item.export_to,
        item.addresses,
        hidden,
    )


def destinations(snapshot: Snapshot, catalogue: Catalogue) -> List[Destination]:
    """Everything that clients can dial. ExternalName Services are aliases and have no rule of their own."""
    slices: Dict[Tuple[str, str], List[Slice]] = {}
    for item in sorted(snapshot.slices, key=lambda found: (found.namespace, found.name)):
        slices.setdefault((item.namespace, item.service), []).append(item)
    found = [
        _of_service(catalogue, service, slices.get((service.namespace, service.name), []))
        for service in snapshot.services
        if not service.external_name
    ]
    for entry in snapshot.service_entries:
        found.extend(_of_service_entry(catalogue, entry, host) for host in sorted(set(entry.hosts)))
    return sorted(found, key=lambda item: (item.name, item.host, not item.kubernetes))


def listener_protocols(all_destinations: Iterable[Destination]) -> Dict[Tuple[str, int], bool]:
    """For each workload and target port whether it is an HTTP port: the oldest Service decides, then the host.

    pilot/pkg/model/context.go SetServiceTargets.
    """
    found: Dict[Tuple[str, int], bool] = {}
    for destination in sorted(all_destinations, key=lambda item: (item.age, item.host)):
        for port in destination.ports:
            for endpoint in port.endpoints:
                found.setdefault((endpoint.id, endpoint.port), port.http)
    return found


def target_ports(all_destinations: Iterable[Destination]) -> Dict[str, FrozenSet[int]]:
    """The target ports of each workload by all Services that select it; a headless one also means its own number."""
    found: Dict[str, set[int]] = {}
    for destination in all_destinations:
        if not destination.kubernetes:
            continue
        for port in destination.ports:
            for endpoint in port.endpoints:
                if endpoint.workload is not None:
                    found.setdefault(endpoint.workload.id, set()).add(endpoint.port)
    return {place: frozenset(ports) for place, ports in found.items()}
