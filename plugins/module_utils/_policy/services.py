# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients can dial, and which endpoints stand behind it (semantics, sections 3.3 and 3.4)."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple, Union

from .ages import contest, orders
from .membership import Workload, matches
from .mesh import CLUSTER_DOMAIN
from .ranges import address_of
from .records import (
    TLS_MODE_LABEL,
    Entry,
    Labels,
    Selector,
    Service,
    ServiceEntry,
    ServicePort,
    Slice,
    SliceEndpoint,
    Snapshot,
)
from .unread import Unread

DESTINATION = "Service or ServiceEntry"
"""What a destination is, in words."""


_MOST = 50_000
"""Endpoints of all ports of all hosts of one object.

A small object can name hosts, ports and addresses of which each goes with each (Istio takes 256 of each).
"""
_MOST_CLAIMS = 200_000
"""Hosts, ports and addresses of one object, each with each."""
_MOST_TOGETHER = 200_000
"""Endpoints, or ports without any, of all objects of one namespace: many objects can select the same workloads."""
OWN_TLS = ("https", "tls")
"""Protocols of which Istio expects TLS from the application."""


class Endpoint(NamedTuple):
    """One kind of endpoint behind a port."""

    id: str
    workload: Optional[Workload]
    port: int
    tls_mode: str
    namespace: str
    labels: Labels
    """The namespace and labels under which clients look up its PeerAuthentication."""
    revision: Optional[str] = None
    """Control planes of other revisions than this one do not know of the WorkloadEntry; None for all."""
    by_pod: bool = False
    """Whether istiod knows it as a pod."""
    identified: bool = False
    """Whether istiod knows its identity: a pod's, or that of an entry's serviceAccount."""
    address: str = ""
    """The address by which one pod of the workload was found; "" for all of its pods."""
    named: Optional[Workload] = None
    """The workload for which istiod takes it by an EndpointSlice's word, where another has the address."""
    doubt: str = ""
    """Why it cannot be told what is behind its address."""


class DestinationPort(NamedTuple):
    """A port of a destination with its endpoints."""

    number: int
    name: str
    protocol: str  # http | tcp | udp
    endpoints: Tuple[Endpoint, ...]
    inferred: Tuple[Endpoint, ...]
    """The endpoints from which auto-mTLS infers, see _share_endpoints; else the same."""
    instance: str = ""
    """Istio's name of its protocol."""
    own_tls: bool = False
    """Whether it is declared to carry the application's own TLS."""

    @property
    def http(self) -> bool:
        """Whether Istio takes it for HTTP."""
        return self.protocol == "http"


def exports_to(export_to: Tuple[str, ...], namespace: str, home: str) -> bool:
    """Whether an object of the namespace `home` is exported to another: `*`, `.` for its own, or a name."""
    return "*" in export_to or namespace in export_to or ("." in export_to and namespace == home)


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
    revision: Optional[str] = None
    """Control planes of other revisions than this one do not know of the ServiceEntry; None for all."""
    selector: Selector = None
    listeners: Tuple[DestinationPort, ...] = ()
    """All ports as they were written: for a sidecar's listeners UDP ports count, too."""
    untranslated: bool = False
    """Whether its ports do not stand for their target ports in Gateways."""
    alias: str = ""
    """The name that an ExternalName Service stands for."""
    alias_ports: FrozenSet[int] = frozenset()
    """Its own ports: those of its name's host are what clients dial, but requests are led to it at these alone."""
    allocated: Tuple[str, ...] = ()
    """Addresses that are its own to the proxies that answer DNS themselves (ISTIO_META_DNS_CAPTURE)."""
    pod_addresses: Tuple[str, ...] = ()
    """Of a headless Service: all addresses that its name stands for; () where one of them is not known."""
    cut: bool = False
    """Whether it is not looked at, because there is too much of it: all that is known is that it is there."""

    @property
    def outside(self) -> bool:
        """Whether it is declared to be no part of the mesh; its endpoints may be workloads all the same."""
        return self.external or self.is_api_server

    @property
    def is_api_server(self) -> bool:
        """Whether it is the Service of the Kubernetes API server, whose endpoints the server writes itself."""
        return self.kubernetes and self.name == "default/kubernetes" and self.selector is None and not self.alias

    @property
    def has_listeners_of_pods(self) -> bool:
        """Whether sidecars have a listener for it at each of its pods' addresses, where clients find these by DNS.

        core/listener.go buildSidecarOutboundListeners: where no Sidecar says otherwise, and for what is not HTTP.
        """
        return self.headless or (self.resolution == "NONE" and self.selector is not None and not self.addresses)

    def exported_to(self, namespace: str, default: Tuple[str, ...]) -> bool:
        """Whether clients of a namespace get it (push_context.go IsServiceVisible)."""
        return exports_to(self.export_to or default, namespace, self.namespace)


class Catalogue:
    """Finds endpoints by labels, by pod and by address."""

    def __init__(self, snapshot: Snapshot, workloads: List[Workload], unread: Unread) -> None:
        self._unread = unread
        self._by_label: Dict[Tuple[str, str, str], List[Workload]] = {}
        self._by_namespace: Dict[str, List[Workload]] = {}
        self._entries: Dict[str, List[Entry]] = {}
        self._entries_by_label: Dict[Tuple[str, str, str], List[Entry]] = {}
        self._endpoints: Dict[object, Tuple[Endpoint, ...]] = {}
        for workload in workloads:
            self._by_namespace.setdefault(workload.namespace, []).append(workload)
            for key, value in workload.labels.items():
                self._by_label.setdefault((workload.namespace, key, value), []).append(workload)
        for entry in sorted(snapshot.entries, key=_place):
            self._entries.setdefault(entry.namespace, []).append(entry)
            for key, value in entry.labels.items():
                self._entries_by_label.setdefault((entry.namespace, key, value), []).append(entry)
        self.selected: Set[str] = set()
        """Ids of workloads that some Service selects, even if none of its ports is found there."""
        self._by_pod: Dict[Tuple[str, str], Workload] = {}
        self._by_address: Dict[str, Workload] = {}
        self._claimed: Dict[str, Set[str]] = {}
        """The addresses that pods of several workloads have at once, as where one was read before another got it."""
        self._addresses: Dict[Tuple[str, str], str] = {}
        self._on_hosts: Dict[Tuple[str, str], Workload] = {}
        self._pods = snapshot.pods
        self._of_pods: Optional[Dict[Tuple[str, str], str]] = None
        if snapshot.entries or snapshot.slices or snapshot.service_entries:
            self._by_pod = {(workload.namespace, pod): workload for workload in workloads for pod in workload.pods}
            for pod in snapshot.pods:
                if not pod.ip:
                    continue
                self._addresses[pod.namespace, pod.name] = pod.ip
                workload = self._by_pod[pod.namespace, pod.name]
                if pod.shape.host_network:
                    # Of the pods that share a node's address the choice must not depend on their order.
                    place = (pod.namespace, pod.ip)
                    self._on_hosts[place] = min(workload, self._on_hosts.get(place, workload), key=_id)
                elif self._by_address.setdefault(pod.ip, workload) is not workload:
                    self._claimed.setdefault(pod.ip, {self._by_address[pod.ip].id}).add(workload.id)
        self._entries_at: Dict[str, Dict[str, List[Entry]]] = {}
        for entry in sorted(snapshot.entries, key=_place):
            taken = self._by_address.get(entry.address)
            for owner in self._claimed.get(entry.address, (taken.id,) if taken is not None else ()):
                self._entries_at.setdefault(owner, {}).setdefault(entry.address, []).append(entry)

    def select(self, namespace: str, selector: Labels) -> List[Workload]:
        """Workloads of a namespace by labels; an empty selector selects all of them."""
        if not selector:
            return self._by_namespace.get(namespace, [])
        lists = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [workload for workload in min(lists, key=len) if matches(selector, workload.labels)]

    def endpoints(self, namespace: str, selector: Labels, port: ServicePort) -> Tuple[Endpoint, ...]:
        """The workloads of a namespace behind a port of a Service: one tuple for all Services that say the same."""
        key = (namespace, frozenset(selector.items()), port.target, port.number, port.protocol)
        known = self._endpoints.get(key)
        if known is None:
            reached = ((workload, _target(workload, port)) for workload in self.select(namespace, selector))
            known = _distinct(_of_workload(workload, number) for workload, number in reached if number is not None)
            self._endpoints[key] = known
        return known

    def entries(self, namespace: str, selector: Labels) -> List[Entry]:
        """WorkloadEntries of a namespace by labels."""
        if not selector:
            return self._entries.get(namespace, [])
        lists = [self._entries_by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [entry for entry in min(lists, key=len) if matches(selector, entry.labels)]

    def taken(self, workload: Workload) -> Dict[str, List[Entry]]:
        """The WorkloadEntries that have addresses of a workload's pods, by these."""
        return self._entries_at.get(workload.id, {})

    def at(self, address: str) -> Optional[Workload]:
        """The workload whose pod has an address, if it is one alone."""
        return self._by_address.get(address) if address not in self._claimed else None

    def claimed(self, address: str) -> str:
        """Why it cannot be told whose address it is, "" where it can. Pods that have ended have none."""
        found = sorted(self._claimed.get(address, ()))
        return f"pods of {' and '.join(found[:3])} claim {address} at once" if found else ""

    def all_addresses(self) -> Iterable[str]:
        """Those of all pods that have one of their own."""
        return self._by_address.keys()

    def on_host(self, namespace: str, address: str) -> Optional[Workload]:
        """The workload of a namespace that istiod takes a node's address for; of several it takes any."""
        return self._on_hosts.get((namespace, address))

    def of_pod(self, namespace: str, name: str) -> Optional[Workload]:
        """The workload of a pod."""
        return self._by_pod.get((namespace, name))

    def has(self, pod: Tuple[str, str], address: str) -> bool:
        """Whether a pod, given by namespace and name, is known to have an address."""
        return self._addresses.get(pod) == address

    def addresses(self, workload: Workload) -> Iterable[str]:
        """The addresses of all pods of a workload; "" is among them where one has none that is known."""
        if self._of_pods is None:
            self._of_pods = {(pod.namespace, pod.name): pod.ip for pod in self._pods}
        return [self._of_pods.get((workload.namespace, pod), "") for pod in workload.pods or ("",)]

    def hidden(self, namespace: str, *kinds: str) -> str:
        """Why endpoints of a namespace may be missing."""
        for kind in kinds:
            if self._unread.covers(kind, namespace):
                return f"{kind} objects of namespace {namespace} were not read"
        return ""


def _place(entry: Entry) -> Tuple[str, str]:
    return (entry.namespace, entry.name)


def _id(workload: Workload) -> str:
    return workload.id


def _of_workload(workload: Workload, port: int) -> Endpoint:
    """A pod's tlsMode is its label and nothing else (pilot/pkg/model/service.go GetTLSModeFromEndpointLabels)."""
    mode = workload.labels.get(TLS_MODE_LABEL, "disabled")
    return Endpoint(workload.id, workload, port, mode, workload.namespace, workload.labels, None, True, True)


def _of_entry(catalogue: Catalogue, entry: Entry, port: int) -> Endpoint:
    """Looked up under the entry's own namespace and labels, also when the address is a pod's."""
    workload = catalogue.at(entry.address)
    place = workload.id if workload else f"addr/{entry.address or entry.name}"
    where = (entry.namespace, entry.labels, entry.revision)
    return Endpoint(place, workload, port, entry.tls_mode, *where, identified=entry.account, address=entry.address)


def _target(workload: Workload, port: ServicePort) -> Optional[int]:
    """A named targetPort is looked up among the pod's ports of its protocol; without one the pod is no endpoint.

    By Istio's FindPort (kube/controller/util.go).
    """
    if not isinstance(port.target, str):
        return int(port.target or port.number)
    shape = workload.shape
    for number, name in shape.udp_ports if port.protocol == "udp" else (*shape.ports, *shape.proxy_ports):
        if name == port.target:
            return number
    return None


def _distinct(endpoints: Iterable[Endpoint]) -> Tuple[Endpoint, ...]:
    return tuple(sorted(endpoints, key=lambda item: (item.id, item.port, item.tls_mode, sorted(item.labels.items()))))


def _slice_endpoints(catalogue: Catalogue, slices: List[Slice], port: ServicePort) -> List[Endpoint]:
    """Endpoints by EndpointSlices (serviceregistry/kube/controller/endpointslice.go)."""
    found: Dict[Tuple[str, int], Endpoint] = {}
    for item in slices:
        for name, number in item.ports:
            for endpoint in item.endpoints if name == port.name else ():
                for address in endpoint.addresses:
                    one = _slice_endpoint(catalogue, item.namespace, endpoint, address, number)
                    if one is not None:
                        found.setdefault((address, number), one._replace(address=address))
    return list(found.values())


def _slice_endpoint(
    catalogue: Catalogue, namespace: str, endpoint: SliceEndpoint, address: str, port: int
) -> Optional[Endpoint]:
    """A named pod that is gone is no endpoint; behind a bare address istiod guesses pods of that namespace only."""
    if endpoint.pod is not None:
        workload = catalogue.of_pod(*endpoint.pod)
        return _of_named(catalogue, workload, endpoint.pod, address, port) if workload else None
    guessed = catalogue.on_host(namespace, address)
    if guessed is not None:
        return _of_workload(guessed, port)
    workload = catalogue.at(address)
    if workload is not None and workload.namespace == namespace:
        return _of_workload(workload, port)
    return Endpoint(workload.id if workload else f"addr/{address}", workload, port, "disabled", namespace, {})


def _of_named(catalogue: Catalogue, named: Workload, pod: Tuple[str, str], address: str, port: int) -> Endpoint:
    """A pod that an EndpointSlice names (endpointslice.go getPod).

    Whoever writes the slice may name a pod that has another address. istiod believes the name, so clients send what the
    named pod takes; but it arrives at whoever has the address.
    """
    believed = _of_workload(named, port)
    if catalogue.has(pod, address) and not catalogue.claimed(address):
        return believed
    workload = catalogue.at(address)
    if workload is None:
        doubt = (
            catalogue.claimed(address)
            or f"an EndpointSlice calls {address} the pod {'/'.join(pod)}, which is not known to have that address"
        )
        return believed._replace(id=f"addr/{address}", workload=None, doubt=doubt)
    return believed._replace(id=workload.id, workload=workload, named=None if workload is named else named)


def _tcp(ports: List[DestinationPort]) -> Tuple[DestinationPort, ...]:
    return tuple(port for port in ports if port.protocol != "udp")


def _of_service(catalogue: Catalogue, service: Service, slices: List[Slice]) -> Destination:
    ports = []
    chosen = catalogue.select(service.namespace, service.selector) if service.selector else []
    catalogue.selected.update(workload.id for workload in chosen)
    entries = (
        catalogue.entries(service.namespace, service.selector) if service.selector and not service.headless else []
    )
    # Whatever else has a slice made for the Service adds endpoints that it does not select.
    slices = [item for item in slices if not item.by_selector] if service.selector else slices
    for port in service.ports:
        distinct = catalogue.endpoints(service.namespace, service.selector, port) if service.selector else ()
        added = [*_selected_entries(catalogue, entries, port), *_slice_endpoints(catalogue, slices, port)]
        distinct = _distinct((*distinct, *added)) if added else distinct
        ports.append(
            DestinationPort(
                port.number, port.name, port.protocol, distinct, distinct, port.instance, port.instance in OWN_TLS
            )
        )
    selected = ("Pod", "Deployment", "WorkloadEntry") if service.selector else ()
    hidden = catalogue.hidden(service.namespace, *selected, "EndpointSlice")
    return Destination(
        f"{service.namespace}/{service.name}",
        service.namespace,
        f"{service.name}.{service.namespace}.svc.{CLUSTER_DOMAIN}",
        service.age,
        True,
        False,
        service.headless,
        "NONE" if service.headless else "STATIC",
        _tcp(ports),
        service.export_to,
        service.addresses,
        hidden,
        selector=service.selector,
        listeners=tuple(ports),
        untranslated=service.untranslated,
        alias=service.external_name,
        pod_addresses=_pod_addresses(catalogue, ports) if service.headless and not hidden else (),
    )


def _pod_addresses(catalogue: Catalogue, ports: Iterable[DestinationPort]) -> Tuple[str, ...]:
    found: Set[str] = set()
    for endpoint in (endpoint for port in ports for endpoint in port.endpoints):
        workload = endpoint.workload
        found.update((endpoint.address,) if endpoint.address or workload is None else catalogue.addresses(workload))
    return () if "" in found else tuple(sorted(found))


def _selected_entries(catalogue: Catalogue, entries: List[Entry], port: ServicePort) -> Iterable[Endpoint]:
    """WorkloadEntries behind a Service (kube/controller/controller.go serviceInstanceFromWorkloadInstance).

    A named targetPort needs that name in the entry's ports. A number is overridden there by the name of the port.
    """
    for entry in entries:
        if isinstance(port.target, str):
            number = entry.ports.get(port.target)
            if number is None:
                continue
        else:
            number = entry.ports.get(port.name) or int(port.target or port.number)
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
        found: List[Endpoint] = []
        if item.selector is not None:
            chosen = sorted(catalogue.select(item.namespace, item.selector), key=lambda one: one.pods)
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
        # Of round robin's endpoints the first counts: pods by name, then entries by name.
        distinct = tuple(found) if item.resolution == "DNS_ROUND_ROBIN" else _distinct(found)
        ports.append(
            DestinationPort(
                port.number, port.name, port.protocol, distinct, distinct, port.instance, port.instance in OWN_TLS
            )
        )
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
        _tcp(ports),
        item.export_to,
        item.addresses,
        hidden,
        item.revision,
        item.selector,
        tuple(ports),
        item.untranslated,
        allocated=tuple(address for address, owner in item.allocated if owner in ("", host)),
    )


def destinations(snapshot: Snapshot, catalogue: Catalogue) -> List[Destination]:
    """Everything that clients can dial. ExternalName Services are aliases: no cluster of their own, but their host."""
    slices: Dict[Tuple[str, str], List[Slice]] = {}
    for item in sorted(snapshot.slices, key=lambda found: (found.namespace, found.name)):
        slices.setdefault((item.namespace, item.service), []).append(item)
    found: Dict[str, List[List[Destination]]] = {}
    for service in snapshot.services:
        own = service._replace(ports=(), selector=None) if service.external_name else service
        ports = frozenset(port.number for port in service.ports) if service.external_name else frozenset()
        one = _of_service(catalogue, own, slices.get((service.namespace, service.name), []))
        made = [one._replace(alias_ports=ports)]
        found.setdefault(service.namespace, []).append(made if _weight(made) <= _MOST else list(map(_cut, made)))
    for entry in snapshot.service_entries:
        found.setdefault(entry.namespace, []).append(_of_hosts(catalogue, entry))
    every = [item for own_objects in found.values() for made in _bounded(own_objects) for item in made]
    return sorted(_share_endpoints(every), key=lambda item: (item.name, item.host, not item.kubernetes))


def _of_hosts(catalogue: Catalogue, entry: ServiceEntry) -> List[Destination]:
    """One for each host of a ServiceEntry."""
    hosts = sorted(set(entry.hosts))
    each = len(hosts) * len(entry.ports)
    if each * max(1, len(entry.endpoints)) <= _MOST and each * len(entry.addresses) <= _MOST_CLAIMS:
        made = [_of_service_entry(catalogue, entry, host) for host in hosts]
        if _weight(made) <= _MOST:
            return made
    # Not one by one: that alone would take long. One host is enough to stand for what claims the addresses.
    first = _cut(_of_service_entry(catalogue, entry._replace(endpoints=(), selector=None), hosts[0]))
    return [first, *(first._replace(host=host, addresses=()) for host in hosts[1:])]


def _weight(made: Iterable[Destination]) -> int:
    return sum(max(1, len(port.endpoints)) for item in made for port in item.ports)


def _bounded(objects: List[List[Destination]]) -> Iterable[List[Destination]]:
    """What was made of each object of one namespace; where it is too much together, not of the biggest."""
    weights = [_weight(item for item in made if not item.cut) for made in objects]
    if sum(weights) <= _MOST_TOGETHER:
        return objects
    left = _MOST_TOGETHER
    found: List[List[Destination]] = []
    for place in sorted(
        range(len(objects)), key=lambda place: (weights[place], [item.name for item in objects[place][:1]])
    ):
        left -= weights[place]
        found.append(objects[place] if left >= 0 else list(map(_cut, objects[place])))
    return found


def _cut(item: Destination) -> Destination:
    """A destination of which nothing is looked at but that it is there."""
    return item._replace(
        ports=tuple(port._replace(endpoints=(), inferred=()) for port in item.ports),
        hidden_endpoints=(
            f"{item.name} has more hosts, ports and endpoints than are looked at: nothing is known of any of its ports"
        ),
        cut=True,
    )


def _share_endpoints(found: List[Destination]) -> List[Destination]:
    """istiod keeps endpoints by namespace and host: who has the same gets each other's.

    Most clusters pick theirs by the name of the port. What auto-mTLS infers from, and DNS clusters, go by number with
    those of ServiceEntries, and the youngest destination counts that finds any (push_context.go initServiceRegistry,
    endpointshards.go CopyEndpoints).
    """
    same: Dict[Tuple[str, str, Optional[str]], List[Destination]] = {}
    for item in found:
        # What only one revision sees, shares with its like alone: close enough for what is rarer than rare.
        same.setdefault((item.namespace, item.host, item.revision), []).append(item)
    if len(same) == len(found):
        return found
    return [item for group in same.values() for item in (group if len(group) == 1 else _shared(group))]


def _shared(group: List[Destination]) -> Iterable[Destination]:
    named: Dict[str, List[Endpoint]] = {}
    by_key: Dict[Union[int, str], List[Endpoint]] = {}
    for item in group:
        # Without resolution there are only the addresses that clients dial of themselves.
        for port in item.ports if item.kubernetes or item.resolution != "NONE" else ():
            named.setdefault(port.name, []).extend(port.endpoints)
            by_key.setdefault(port.name if item.kubernetes else port.number, []).extend(port.endpoints)
    senior = sorted(group, key=lambda one: (one.age, not one.kubernetes, one.name))
    numbered = _by_number(senior, by_key)
    cut = next((item.hidden_endpoints for item in group if item.cut), "")
    if cut:
        group = [item._replace(hidden_endpoints=item.hidden_endpoints or cut) for item in group]
    if _may_differ(senior, by_key):
        doubt = contest(DESTINATION, senior, "says which endpoints a port has")
        group = [item._replace(hidden_endpoints=item.hidden_endpoints or doubt) for item in group]
    for item in group:
        dns = item.resolution.startswith("DNS")
        ports = []
        for port in item.ports:
            inferred = numbered.get(port.number, ())
            endpoints = [one for one in named.get(port.name, ()) if not one.id.startswith("addr/") or _is_address(one)]
            if item.kubernetes or item.resolution != "NONE":
                port = port._replace(endpoints=inferred if dns else _distinct(endpoints))
            ports.append(port._replace(inferred=inferred))
        yield item._replace(ports=tuple(ports))


def _by_number(
    senior: List[Destination], by_key: Dict[Union[int, str], List[Endpoint]]
) -> Dict[int, Tuple[Endpoint, ...]]:
    """The endpoints of each port by those who have it, given oldest first: the youngest that finds any counts."""
    found: Dict[int, Tuple[Endpoint, ...]] = {}
    for item in senior:
        for port in item.ports:
            endpoints = [*by_key.get(port.number, ()), *by_key.get(port.name, ())]
            if endpoints:
                found[port.number] = _distinct(endpoints)
    return found


def _may_differ(senior: List[Destination], by_key: Dict[Union[int, str], List[Endpoint]]) -> bool:
    """Whether another order by age, which may be the true one, gives a port other endpoints."""
    first: Dict[int, Tuple[Endpoint, ...]] = {}
    for item in senior:
        for number, endpoints in _by_number([item], by_key).items():
            if first.setdefault(number, endpoints) != endpoints:
                possible = orders(senior)
                return not possible or any(
                    _by_number(order, by_key) != _by_number(senior, by_key) for order in possible
                )
    return False


def _is_address(endpoint: Endpoint) -> bool:
    """Only an IP address is an endpoint outside of DNS clusters (endpoint_builder.go BuildClusterLoadAssignment)."""
    return address_of(endpoint.id[len("addr/") :]) is not None


def target_ports(all_destinations: Iterable[Destination]) -> Dict[str, FrozenSet[int]]:
    """The target ports of each workload by all Services that select it; a headless one also means its own number."""
    found: Dict[str, Set[int]] = {}
    for destination in all_destinations:
        if not destination.kubernetes:
            continue
        for port in destination.ports:
            for endpoint in port.endpoints:
                if endpoint.workload is not None:
                    found.setdefault(endpoint.workload.id, set()).add(endpoint.port)
    return {place: frozenset(ports) for place, ports in found.items()}
