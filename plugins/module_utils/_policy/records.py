# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's records: all that it keeps of a manifest. Slim, typed and without behaviour of their own."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Protocol, Set, Tuple

Labels = Dict[str, str]
Selector = Optional[Dict[str, str]]

PROXY_CONTAINER = "istio-proxy"
PROXY_PORTS = frozenset((15020, 15021, 15090))
"""The proxy's own ports, which the injection template always excludes from capture."""
HBONE_PORT = 15008
YOUNGEST = "~youngest"
"""The age of an object that is only proposed. It sorts behind every time."""
UNDATED = "~undated"
"""The age of an object without a time, as in Git: it sorts behind all that have one, and which is older cannot be told.
"""
TLS_MODE_LABEL = "security.istio.io/tlsMode"
REDIRECTION = "ambient.istio.io/redirection"
"""Written by the CNI agent on pods that it redirected; a user's template has no business with it."""
TUNNEL_LABEL = "networking.istio.io/tunnel"
UNTRANSLATED = "experimental.istio.io/disable-gateway-port-translation"
"""A label of Services whose ports do not stand for their target ports in Gateways (pilot/pkg/model/gateway.go)."""
INJECT = "sidecar.istio.io/inject"
REVISION_LABEL = "istio.io/rev"


class Aged(Protocol):
    """Anything of which Istio compares the age."""

    @property
    def age(self) -> str:
        """The creation time, UNDATED or YOUNGEST."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def namespace(self) -> str:
        """Its namespace."""


class Malformed(ValueError):
    """A manifest has a shape that Kubernetes or Istio would refuse."""


class Problem(NamedTuple):
    """A manifest that could not be understood."""

    kind: str
    namespace: Optional[str]
    name: str
    reason: str


class InboundRule(NamedTuple):
    """Which inbound ports the redirection takes: `include` None means all; `exclude` counts only then."""

    mode: str
    include: Optional[FrozenSet[int]]
    exclude: FrozenSet[int]

    def captures(self, port: int) -> bool:
        """tools/istio-iptables/pkg/capture/run.go handleInboundPortsInclude."""
        if self.mode == "NONE":
            return False
        if self.include is None:
            return port not in self.exclude and port not in PROXY_PORTS
        return port in self.include


class Outbound(NamedTuple):
    """Which outbound traffic the redirection takes; `include_ranges` None means all of it."""

    include_ports: FrozenSet[int]
    exclude_ports: FrozenSet[int]
    include_ranges: Optional[Tuple[str, ...]]
    exclude_ranges: Tuple[str, ...]
    past: str = ""
    """What lets all of it out, whoever sends it; "" where nothing does."""
    users: str = ""
    """The containers that run as the proxy's user, in words: none of their traffic is taken."""
    captured_users: bool = False
    """Whether there are others beside them."""
    own_mtls: bool = False
    """Whether what is not taken may be the mesh's mutual TLS, spoken by the application itself."""


class Capture(NamedTuple):
    """What the redirection of one pod takes, by every source that speaks of it (annotations, init container)."""

    inbound: Tuple[InboundRule, ...]
    outbound: Optional[Outbound]
    exclude_interfaces: str
    doubt: str = ""
    """Why it cannot be told what is taken: a setting that Istio would refuse."""

    def captures(self, port: int) -> bool:
        """A port counts as captured only when every source says so."""
        return all(rule.captures(port) for rule in self.inbound)


class ContainerUser(NamedTuple):
    """An application container with the user and group that manifests give it; None where only its image does."""

    container: str
    uid: Optional[int]
    gid: Optional[int]


class ProxyUser(NamedTuple):
    """The users and groups whose traffic the redirection of a pod takes for the proxy's own."""

    uids: Tuple[int, ...]
    gids: Tuple[int, ...]


DEFAULT_PROXY_USER = ProxyUser((1337,), (1337,))


class Shape(NamedTuple):
    """All of a pod but its labels that can change an answer. Pods of equal shape are evaluated once."""

    mesh: str  # sidecar | ambient | gateway | none
    revision: Optional[str]
    host_network: bool
    capture: Capture
    ambient_bypass: bool
    ports: Tuple[Tuple[int, str], ...]
    udp_ports: Tuple[Tuple[int, str], ...]
    proxy_ports: Tuple[Tuple[int, str], ...]
    metadata_certs: bool
    inject_annotation: Optional[str]
    stray_proxy: bool
    proxyless: bool
    """Proxyless gRPC: only an agent is injected, the application itself does what a proxy would."""
    pending: bool = False
    """Ambient rules redirect it, and no ztunnel took it yet (annotation ambient.istio.io/redirection: pending)."""
    imitated: bool = False
    """A container named like the proxy, which is not started as injection starts one."""
    doubt: str = ""
    """Why Kubernetes would not take it, so that nobody knows what runs."""
    users: Tuple[ContainerUser, ...] = ()
    """Of all its application containers; () where no manifest gives any of them one."""
    proxy_user: ProxyUser = DEFAULT_PROXY_USER
    waypoint: bool = False
    """Of a gateway: whether it is the ambient mesh's."""
    probes: Tuple[int, ...] = ()
    """Ports at which kubelet asks the application itself, by HTTP or gRPC."""
    early: Tuple[str, ...] = ()
    """Names of the application's init containers that end before the proxy runs."""
    hands_out_certificates: bool = False
    """Whether the proxy writes the workload's certificate where the application can use it (OUTPUT_CERTS)."""
    companions: bool = False
    """Of a gateway: whether its pod has further containers, which may listen to ports that no manifest names."""


class Pod(NamedTuple):
    """A running (or predicted) pod."""

    namespace: str
    name: str
    owner: Tuple[str, str]
    labels: Labels
    shape: Shape
    ip: str
    service_account: str


class Template(NamedTuple):
    """A Deployment's pod template."""

    namespace: str
    name: str
    labels: Labels
    annotations: Labels
    shape: Shape
    env: Labels
    """Of istiod's container; {} for other Deployments."""
    image: str = ""
    """Likewise."""
    arguments: Tuple[str, ...] = ()
    """Likewise."""


class PeerAuthentication(NamedTuple):
    """PeerAuthentication."""

    namespace: str
    name: str
    age: str
    revision: Optional[str]
    selector: Selector
    nil_selector: bool
    mode: str
    ports: Dict[int, str]
    doubt: str = ""
    """Why a part of it is unknown: it stands for several of which nobody knows which is the oldest."""


class Tls(NamedTuple):
    """ClientTLSSettings."""

    mode: str
    secret: bool
    incomplete: bool
    sni: str = ""
    """The name that is asked for, where it says one."""


class PortPolicy(NamedTuple):
    """One entry of portLevelSettings."""

    port: int
    tls: Optional[Tls]
    balancer: Optional[str]


class Policy(NamedTuple):
    """TrafficPolicy; `balancer` is loadBalancer.simple, "" for another load balancer, None for none."""

    tls: Optional[Tls]
    balancer: Optional[str]
    ports: Tuple[PortPolicy, ...]


class Subset(NamedTuple):
    """A subset of a DestinationRule."""

    name: str
    labels: Tuple[Tuple[str, str], ...]
    policy: Optional[Policy]


class DestinationRule(NamedTuple):
    """DestinationRule."""

    namespace: str
    name: str
    age: str
    revision: Optional[str]
    host: str
    export_to: Tuple[str, ...]
    selector: Selector
    policy: Optional[Policy]
    subsets: Tuple[Subset, ...]


class Egress(NamedTuple):
    """One egress listener of a Sidecar."""

    port: int
    proxy_protocol: bool
    hosts: Tuple[str, ...]
    aside: bool = False
    """Whether it listens at an address of its own, which whoever dials a Service's does not meet."""
    speaks: str = "http"
    """What it speaks at a port of its own, whatever its hosts do: http, tcp, tls, or "" for what Istio sniffs."""


class Ingress(NamedTuple):
    """One ingress listener of a Sidecar."""

    port: int
    http: bool
    tls: bool


class SidecarObject(NamedTuple):
    """Sidecar."""

    namespace: str
    name: str
    age: str
    revision: Optional[str]
    selector: Selector
    egress: Tuple[Egress, ...]
    outbound: Optional[str]
    ingress: Tuple["Ingress", ...]


class ServicePort(NamedTuple):
    """A port of a Service or ServiceEntry; `target` is a number, a name, or None for the port itself."""

    number: int
    name: str
    protocol: str  # http | tcp | udp
    target: Any
    instance: str = ""
    """Istio's name of its protocol, "" for one that is sniffed."""


class Service(NamedTuple):
    """Service."""

    namespace: str
    name: str
    age: str
    headless: bool
    external_name: str
    selector: Selector
    ports: Tuple[ServicePort, ...]
    export_to: Tuple[str, ...]
    addresses: Tuple[str, ...]
    untranslated: bool = False
    """Whether it opted out of standing for its target ports in Gateways (UNTRANSLATED)."""


class Entry(NamedTuple):
    """WorkloadEntry, or an endpoint inside a ServiceEntry."""

    namespace: str
    name: str
    revision: Optional[str]
    address: str
    labels: Labels
    ports: Dict[str, int]
    tls_mode: str
    account: bool = False
    """Whether it names a serviceAccount, whose identity clients then expect."""


class ServiceEntry(NamedTuple):
    """ServiceEntry."""

    namespace: str
    name: str
    age: str
    revision: Optional[str]
    hosts: Tuple[str, ...]
    addresses: Tuple[str, ...]
    ports: Tuple[ServicePort, ...]
    external: bool
    resolution: str
    endpoints: Tuple[Entry, ...]
    selector: Selector
    export_to: Tuple[str, ...]
    untranslated: bool = False
    """As a Service's."""
    allocated: Tuple[Tuple[str, str], ...] = ()
    """Addresses that istiod chose, each with the host that it is for; "" for all of them. Who writes the status may
    choose any."""


class SliceEndpoint(NamedTuple):
    """An endpoint of an EndpointSlice; `pod` is set when it names one."""

    addresses: Tuple[str, ...]
    pod: Optional[Tuple[str, str]]


class Slice(NamedTuple):
    """EndpointSlice."""

    namespace: str
    name: str
    service: str
    ports: Tuple[Tuple[str, int], ...]
    endpoints: Tuple[SliceEndpoint, ...]
    by_selector: bool = False
    """Whether Kubernetes made it out of the Service's selector, which the engine follows by itself."""


class Server(NamedTuple):
    """A server of a gateway."""

    port: int
    """The port of a Service, which stands for its target port."""
    serves: str
    """plaintext, tls, mtls (Istio's own), named (the same for some names only), passthrough or unknown."""
    redirects: bool = False
    """Whether it answers every request in plaintext with an address of HTTPS."""
    hosts: Tuple[str, ...] = ()
    bind: str = ""
    http: bool = False
    """Whether its protocol is an HTTP one, for which TLS settings do nothing."""
    tls: bool = False
    """Whether it has TLS settings all the same."""


class GatewayObject(NamedTuple):
    """Gateway (networking.istio.io), or another kind that istiod turns into one."""

    namespace: str
    name: str
    revision: Optional[str]
    selector: Labels
    servers: Tuple[Server, ...]
    age: str = UNDATED
    services: Optional[FrozenSet[str]] = None
    """The hosts of the Services whose pods it is for, where it names them itself; then the selector does not count."""
    kind: str = "Gateway"
    more: str = ""
    """What else may open ports at the same pods and is not read."""
    managed: bool = False
    """Whether istiod made its pods."""


class IngressObject(NamedTuple):
    """Ingress (networking.k8s.io)."""

    namespace: str
    name: str
    annotation: Optional[str]
    """Its class as kubernetes.io/ingress.class says it, which comes first."""
    class_name: Optional[str]
    tls: bool
    """Whether it has a certificate for some host."""


class RouteTarget(NamedTuple):
    """Where a route leads: a host in full, a port (0 where it says none) and a subset."""

    host: str
    port: int
    subset: Optional[str]


class Route(NamedTuple):
    """A route of a VirtualService, as far as sidecars have it."""

    kind: str  # http | tls | tcp
    ports: FrozenSet[int]
    """The ports for which it is; empty for all."""
    whole: bool
    """Whether it takes all requests for these ports."""
    targets: Tuple[RouteTarget, ...]
    delegate: Optional[Tuple[str, str]] = None
    """The namespace and name of the VirtualService that has the routes instead."""


class VirtualService(NamedTuple):
    """VirtualService; one for gateways only has no routes."""

    namespace: str
    name: str
    revision: Optional[str]
    hosts: Tuple[str, ...]
    export_to: Tuple[str, ...]
    routes: Tuple[Route, ...]
    doubt: str = ""
    """Why its routes cannot be told."""
    kind: str = "VirtualService"
    """Or another of which istiod makes one."""
    entries: FrozenSet[str] = frozenset()
    """The ServiceEntries ("ns/name") whose hosts it is for, too."""


SIDECAR_ACCEPTS, SIDECAR_SENDS = "sidecar_accepts", "sidecar_sends"
GATEWAY_ACCEPTS, GATEWAY_SENDS = "gateway_accepts", "gateway_sends"


class Touch(NamedTuple):
    """What a patch of an EnvoyFilter can change: of a side of proxies, one of the four above, all that is left here."""

    side: str
    host: str = ""
    """The host that a client dials; "" for all."""
    port: int = 0
    """The port that it dials, or that a server listens to; 0 for all."""
    subset: Optional[str] = None
    """The subset of the host, "" for what is sent without one; None for all."""


class EnvoyFilter(NamedTuple):
    """EnvoyFilter, reduced to what it can change."""

    namespace: str
    name: str
    revision: Optional[str]
    selector: Selector
    touches: Tuple[Touch, ...]
    by_target: bool = False
    """Whether it names its gateways and waypoints (targetRefs). To a waypoint no other one applies."""


class Authorization(NamedTuple):
    """AuthorizationPolicy, reduced to whether it refuses callers without a mesh identity."""

    namespace: str
    name: str
    revision: Optional[str]
    selector: Selector
    targets: bool
    demands_identity: bool


class MeshMap(NamedTuple):
    """A ConfigMap that may hold a mesh configuration; `mesh` is YAML or JSON text, or already parsed."""

    namespace: str
    name: str
    mesh: Any


class NamespaceObject(NamedTuple):
    """Namespace."""

    name: str
    labels: Labels
    annotations: Labels


class Webhook(NamedTuple):
    """An injection webhook: which revision it asks, and under which tag."""

    name: str
    revision: str
    tag: Optional[str]
    homes: FrozenSet[str] = frozenset()
    """The namespaces of the Services that it calls."""
    remote: bool = False
    """Whether it calls an address instead: a control plane outside the cluster."""


class ServerCall(NamedTuple):
    """A Service that the API server calls by itself, and the object that says so."""

    caller: str
    """Kind and name."""
    service: str
    """namespace/name"""
    port: int


class Snapshot:
    """All records of one set of manifests."""

    __slots__ = (
        "authorizations",
        "cronjobs",
        "destination_rules",
        "entries",
        "envoy_filters",
        "gateways",
        "ingress_classes",
        "ingresses",
        "jobs",
        "mesh_maps",
        "namespaces",
        "peer_authentications",
        "pods",
        "problems",
        "replica_sets",
        "server_calls",
        "service_entries",
        "services",
        "sidecars",
        "slices",
        "templates",
        "virtual_services",
        "webhooks",
    )

    def __init__(self) -> None:
        self.authorizations: List[Authorization] = []
        self.cronjobs: Set[Tuple[str, str]] = set()
        self.destination_rules: List[DestinationRule] = []
        self.entries: List[Entry] = []
        self.envoy_filters: List[EnvoyFilter] = []
        self.gateways: List[GatewayObject] = []
        self.ingress_classes: Dict[str, str] = {}
        self.ingresses: List[IngressObject] = []
        self.jobs: Dict[Tuple[str, str], Tuple[str, str]] = {}
        self.mesh_maps: List[MeshMap] = []
        self.namespaces: Dict[str, NamespaceObject] = {}
        self.peer_authentications: List[PeerAuthentication] = []
        self.pods: List[Pod] = []
        self.problems: List[Problem] = []
        self.replica_sets: Dict[Tuple[str, str], Optional[Tuple[str, str]]] = {}
        self.server_calls: List[ServerCall] = []
        self.service_entries: List[ServiceEntry] = []
        self.services: List[Service] = []
        self.sidecars: List[SidecarObject] = []
        self.slices: List[Slice] = []
        self.templates: List[Template] = []
        self.virtual_services: List[VirtualService] = []
        self.webhooks: List[Webhook] = []
