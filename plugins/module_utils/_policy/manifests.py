# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests in, slim typed records out.

This is the only file of the engine that sees manifests. A manifest of a wrong shape never ends in a traceback: it
becomes a Problem, and its kind counts as unread in its namespace, so that nothing is called secure because of it.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from .fields import Identity, identity_of, labels_of, mapping, number_of, selector_of, sequence, strings, text_of
from .mesh import Meshes
from .pods import PodParser
from .records import (
    REVISION_LABEL,
    TLS_MODE_LABEL,
    Authorization,
    Egress,
    Entry,
    Filter,
    GatewayObject,
    Ingress,
    Labels,
    Malformed,
    MeshMap,
    NamespaceObject,
    Peer,
    Pod,
    Policy,
    PortPolicy,
    Problem,
    Rule,
    Server,
    Service,
    ServiceEntry,
    ServicePort,
    SidecarObject,
    Slice,
    SliceEndpoint,
    Snapshot,
    Subset,
    Template,
    Tls,
    Webhook,
)


class Kind(NamedTuple):
    """One kind that the engine reads. `hint` says how a reader can select less than all objects."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    hint: str = ""


KINDS: Tuple[Kind, ...] = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False),
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "services", "Service"),
    Kind("", "v1", "configmaps", "ConfigMap", hint="label istio.io/rev; only `istio` and `istio-<revision>` count"),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", hint="only of Services without a selector"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
        hint="label istio.io/rev",
    ),
    Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication"),
    Kind("security.istio.io", "v1", "authorizationpolicies", "AuthorizationPolicy"),
    Kind("networking.istio.io", "v1", "destinationrules", "DestinationRule"),
    Kind("networking.istio.io", "v1", "sidecars", "Sidecar"),
    Kind("networking.istio.io", "v1", "serviceentries", "ServiceEntry"),
    Kind("networking.istio.io", "v1", "workloadentries", "WorkloadEntry"),
    Kind("networking.istio.io", "v1", "gateways", "Gateway"),
    Kind("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter"),
)
"""What a reader has to fetch. ReplicaSet, Job and CronJob are used when given, but nothing depends on them."""


_PEER_MODES = ("UNSET", "DISABLE", "PERMISSIVE", "STRICT")
_TLS_MODES = ("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL")
_HTTP = ("http", "http2", "http_proxy", "grpc")
_CONTEXTS_INBOUND = ("ANY", "SIDECAR_INBOUND")
_CONTEXTS_OUTBOUND = ("ANY", "SIDECAR_OUTBOUND", "GATEWAY")
_TRANSPORT_KEYS = frozenset(
    (
        "transport_socket",
        "transportSocket",
        "transport_socket_matches",
        "transportSocketMatches",
        "type",
        "cluster_type",
        "clusterType",
        "load_assignment",
        "loadAssignment",
        "lb_policy",
        "lbPolicy",
    )
)
_LISTENER_KEYS = frozenset(
    (
        "filter_chains",
        "filterChains",
        "default_filter_chain",
        "defaultFilterChain",
        "listener_filters",
        "listenerFilters",
        "address",
        "additional_addresses",
        "additionalAddresses",
        "use_original_dst",
        "useOriginalDst",
        "bind_to_port",
        "bindToPort",
        "filter_chain_matcher",
        "filterChainMatcher",
        "transport_socket",
        "transportSocket",
        "filter_chain_match",
        "filterChainMatch",
        "filters",
    )
)


def _protocol(name: str, app_protocol: str, transport: str) -> str:
    """http, tcp (with everything that Istio sniffs) or udp, from a port's appProtocol or name.

    pkg/config/kube/conversion.go ConvertProtocol.
    """
    if transport in ("UDP", "SCTP"):
        return "udp"
    if app_protocol in ("kubernetes.io/h2c", "kubernetes.io/ws"):
        return "http"
    token = (app_protocol or name).lower()
    return "http" if token.startswith("grpc-web") or token.partition("-")[0] in _HTTP else "tcp"


def _namespace(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    snapshot.namespaces[identity.name] = NamespaceObject(identity.name, labels)


def _template(parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    template = mapping(mapping(manifest.get("spec"), "spec").get("template"), "spec.template")
    metadata = mapping(template.get("metadata"), "spec.template.metadata")
    labels = labels_of(metadata.get("labels"), "spec.template.metadata.labels")
    annotations = labels_of(metadata.get("annotations"), "spec.template.metadata.annotations")
    spec = mapping(template.get("spec"), "spec.template.spec")
    env: Labels = {}
    if identity.name.startswith("istiod"):
        for container in sequence(spec.get("containers"), "containers"):
            for variable in sequence(container.get("env"), "env"):
                env[text_of(variable.get("name"), "env.name")] = text_of(variable.get("value"), "env.value")
    snapshot.templates.append(
        Template(identity.namespace, identity.name, labels, annotations, parser.shape(labels, annotations, spec), env)
    )


def _replica_set(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    snapshot.replica_sets[identity.namespace, identity.name] = _owner(identity)


def _job(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    owner = _owner(identity)
    if owner is not None:
        snapshot.jobs[identity.namespace, identity.name] = owner


def _cronjob(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    snapshot.cronjobs.add((identity.namespace, identity.name))


def _owner(identity: Identity) -> Optional[Tuple[str, str]]:
    for reference in sequence(identity.metadata.get("ownerReferences"), "metadata.ownerReferences"):
        return (
            text_of(reference.get("kind"), "ownerReferences.kind"),
            text_of(reference.get("name"), "ownerReferences.name"),
        )
    return None


def _config_map(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """The mesh ConfigMap of a revision is `istio` or `istio-<revision>` with a key `mesh`."""
    identity = identity_of(manifest)
    data = mapping(manifest.get("data"), "data")
    if "mesh" not in data or not (identity.name == "istio" or identity.name.startswith("istio-")):
        return
    named = identity.name[len("istio-") :] or "default"
    snapshot.mesh_maps.append(MeshMap(identity.namespace, identity.revision or named, data["mesh"]))


def _webhook(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    revision = labels.get(REVISION_LABEL)
    if revision:
        snapshot.webhooks.append(Webhook(identity.name, revision, labels.get("istio.io/tag")))


def _service(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    ports = []
    for port in sequence(spec.get("ports"), "spec.ports"):
        name = text_of(port.get("name"), "ports.name")
        app = text_of(port.get("appProtocol"), "ports.appProtocol")
        target = port.get("targetPort")
        if target is not None and (isinstance(target, bool) or not isinstance(target, (int, str))):
            raise Malformed("targetPort is neither a number nor a name")
        if isinstance(target, str) and target.isdigit():
            target = number_of(target, "targetPort")
        number = number_of(port.get("port"), "ports.port")
        ports.append(ServicePort(number, name, _protocol(name, app, port.get("protocol") or "TCP"), target or number))
    cluster_ip = text_of(spec.get("clusterIP"), "spec.clusterIP")
    selector = labels_of(spec.get("selector"), "spec.selector")
    annotations = labels_of(identity.metadata.get("annotations"), "metadata.annotations")
    exported = annotations.get("networking.istio.io/exportTo", "")
    external = text_of(spec.get("externalName"), "spec.externalName") if spec.get("type") == "ExternalName" else ""
    addresses = strings(spec.get("clusterIPs"), "spec.clusterIPs") or ((cluster_ip,) if cluster_ip else ())
    snapshot.services.append(
        Service(
            identity.namespace,
            identity.name,
            identity.age,
            cluster_ip == "None",
            external,
            selector or None,
            tuple(ports),
            tuple(sorted({part.strip() for part in exported.split(",")})) if exported else (),
            addresses,
        )
    )


def _slice(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    service = labels_of(identity.metadata.get("labels"), "metadata.labels").get("kubernetes.io/service-name", "")
    if not service or manifest.get("addressType") == "FQDN":
        return
    ports = tuple(
        (text_of(port.get("name"), "ports.name"), number_of(port.get("port"), "ports.port"))
        for port in sequence(manifest.get("ports"), "ports")
        if port.get("port") is not None and (port.get("protocol") or "TCP") == "TCP"
    )
    endpoints = []
    for endpoint in sequence(manifest.get("endpoints"), "endpoints"):
        reference = mapping(endpoint.get("targetRef"), "targetRef")
        pod = None
        if reference.get("kind") == "Pod":
            pod = (
                text_of(reference.get("namespace"), "targetRef.namespace") or identity.namespace,
                text_of(reference.get("name"), "targetRef.name"),
            )
        endpoints.append(SliceEndpoint(strings(endpoint.get("addresses"), "addresses"), pod))
    snapshot.slices.append(Slice(identity.namespace, identity.name, service, ports, tuple(endpoints)))


def _peer_mode(value: Any, what: str) -> str:
    mode = text_of(mapping(value, what).get("mode"), f"{what}.mode") or "UNSET"
    if mode not in _PEER_MODES:
        raise Malformed(f"{what}.mode is {mode}, which is no mode")
    return mode


def _peer(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    ports = {
        number_of(port, "a port of portLevelMtls"): _peer_mode(mtls, f"portLevelMtls[{port}]")
        for port, mtls in mapping(spec.get("portLevelMtls"), "spec.portLevelMtls").items()
    }
    selector = selector_of(spec.get("selector"), "matchLabels", "spec.selector")
    snapshot.peers.append(
        Peer(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            selector or None,
            selector is None,
            _peer_mode(spec.get("mtls"), "spec.mtls"),
            ports,
        )
    )


def _tls(value: Any, what: str) -> Optional[Tls]:
    """No `tls` is None; `tls: {}` is DISABLE, the zero of the enumeration."""
    if value is None:
        return None
    tls = mapping(value, what)
    mode = text_of(tls.get("mode"), f"{what}.mode") or "DISABLE"
    if mode not in _TLS_MODES:
        raise Malformed(f"{what}.mode is {mode}, which is no mode")
    credential = text_of(tls.get("credentialName"), f"{what}.credentialName")
    missing = mode == "MUTUAL" and not credential and not (tls.get("clientCertificate") and tls.get("privateKey"))
    return Tls(mode, bool(credential) and not credential.startswith("configmap://"), missing)


def _balancer(value: Any, what: str) -> Optional[str]:
    return None if value is None else text_of(mapping(value, what).get("simple"), f"{what}.simple")


def _policy(value: Any, what: str) -> Optional[Policy]:
    if value is None:
        return None
    policy = mapping(value, what)
    ports = []
    for entry in sequence(policy.get("portLevelSettings"), f"{what}.portLevelSettings"):
        port = mapping(mapping(entry, "an entry of portLevelSettings").get("port"), "portLevelSettings.port").get(
            "number"
        )
        if port is not None:
            ports.append(
                PortPolicy(
                    number_of(port, "portLevelSettings.port.number"),
                    _tls(entry.get("tls"), f"{what}.tls"),
                    _balancer(entry.get("loadBalancer"), f"{what}.loadBalancer"),
                )
            )
    return Policy(
        _tls(policy.get("tls"), f"{what}.tls"),
        _balancer(policy.get("loadBalancer"), f"{what}.loadBalancer"),
        tuple(ports),
    )


def _rule(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    subsets = []
    for subset in sequence(spec.get("subsets"), "spec.subsets"):
        subset = mapping(subset, "an entry of spec.subsets")
        subsets.append(
            Subset(
                text_of(subset.get("name"), "subsets.name"),
                tuple(sorted(labels_of(subset.get("labels"), "subsets.labels").items())),
                _policy(subset.get("trafficPolicy"), "subsets.trafficPolicy"),
            )
        )
    snapshot.destination_rules.append(
        Rule(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            text_of(spec.get("host"), "spec.host"),
            tuple(sorted(set(strings(spec.get("exportTo"), "spec.exportTo")))),
            selector_of(spec.get("workloadSelector"), "matchLabels", "spec.workloadSelector"),
            _policy(spec.get("trafficPolicy"), "spec.trafficPolicy"),
            tuple(subsets),
        )
    )


def _sidecar(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    egress = []
    for listener in sequence(spec.get("egress"), "spec.egress"):
        port = mapping(listener.get("port"), "egress.port")
        number = number_of(port.get("number"), "egress.port.number") if port.get("number") is not None else 0
        proxy = text_of(port.get("protocol"), "egress.port.protocol").upper().replace("-", "_") == "HTTP_PROXY"
        egress.append(Egress(number, proxy, strings(listener.get("hosts"), "egress.hosts")))
    outbound = None
    if spec.get("outboundTrafficPolicy") is not None:
        policy = mapping(spec["outboundTrafficPolicy"], "spec.outboundTrafficPolicy")
        # REGISTRY_ONLY is the zero of the enumeration.
        outbound = text_of(policy.get("mode"), "outboundTrafficPolicy.mode") or "REGISTRY_ONLY"
    ingress = []
    for listener in sequence(spec.get("ingress"), "spec.ingress"):
        port = mapping(listener.get("port"), "ingress.port")
        number = number_of(port.get("number"), "ingress.port.number")
        protocol = text_of(port.get("protocol"), "ingress.port.protocol")
        ingress.append(Ingress(number, _protocol(protocol, "", "") == "http", listener.get("tls") is not None))
    snapshot.sidecars.append(
        SidecarObject(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector"),
            tuple(egress),
            outbound,
            tuple(ingress),
        )
    )


def _entry_of(namespace: str, name: str, revision: Optional[str], spec: Dict[str, Any], extra: Labels) -> Entry:
    """tlsMode: the label, else `istio` with a serviceAccount, else disabled (serviceentry/conversion.go)."""
    labels = dict(labels_of(spec.get("labels"), "labels"), **extra)
    account = text_of(spec.get("serviceAccount"), "serviceAccount")
    ports = {key: number_of(port, "ports") for key, port in mapping(spec.get("ports"), "ports").items()}
    mode = labels.get(TLS_MODE_LABEL, "istio" if account else "disabled")
    return Entry(namespace, name, revision, text_of(spec.get("address"), "address"), labels, ports, mode, bool(account))


def _entry(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    extra = labels_of(identity.metadata.get("labels"), "metadata.labels")
    snapshot.entries.append(
        _entry_of(identity.namespace, identity.name, identity.revision, mapping(manifest.get("spec"), "spec"), extra)
    )


def _service_entry(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    ports = []
    for port in sequence(spec.get("ports"), "spec.ports"):
        number = number_of(port.get("number"), "ports.number")
        protocol = text_of(port.get("protocol"), "ports.protocol")
        target = port.get("targetPort")
        ports.append(
            ServicePort(
                number,
                text_of(port.get("name"), "ports.name"),
                _protocol(protocol, "", protocol.upper()),
                number_of(target, "ports.targetPort") if target else None,
            )
        )
    endpoints = tuple(
        _entry_of(
            identity.namespace, f"{identity.name}-{place}", None, mapping(endpoint, "an entry of spec.endpoints"), {}
        )
        for place, endpoint in enumerate(sequence(spec.get("endpoints"), "spec.endpoints"))
    )
    snapshot.service_entries.append(
        ServiceEntry(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            strings(spec.get("hosts"), "spec.hosts"),
            strings(spec.get("addresses"), "spec.addresses"),
            tuple(ports),
            (text_of(spec.get("location"), "spec.location") or "MESH_EXTERNAL") != "MESH_INTERNAL",
            text_of(spec.get("resolution"), "spec.resolution") or "NONE",
            endpoints,
            selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector"),
            tuple(sorted(set(strings(spec.get("exportTo"), "spec.exportTo")))),
        )
    )


def _gateway(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    servers = []
    for server in sequence(spec.get("servers"), "spec.servers"):
        port = mapping(server.get("port"), "servers.port")
        tls = server.get("tls")
        mode = None
        if tls is not None:
            mode = text_of(mapping(tls, "servers.tls").get("mode"), "servers.tls.mode") or "PASSTHROUGH"
        number = number_of(server.get("targetPort") or port.get("number"), "servers.port.number")
        servers.append(Server(number, text_of(port.get("protocol"), "servers.port.protocol").upper(), mode))
    snapshot.gateways.append(
        GatewayObject(
            identity.namespace,
            identity.name,
            identity.revision,
            labels_of(spec.get("selector"), "spec.selector"),
            tuple(servers),
        )
    )


def _filter(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """An EnvoyFilter matters when it can change a listener's or a cluster's transport; HTTP filters cannot."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    inbound = outbound = False
    for patch in sequence(spec.get("configPatches"), "spec.configPatches"):
        target = text_of(patch.get("applyTo"), "configPatches.applyTo")
        context = text_of(mapping(patch.get("match"), "match").get("context"), "match.context") or "ANY"
        change = mapping(patch.get("patch"), "patch")
        merge = change.get("operation") == "MERGE"
        keys = set(mapping(change.get("value"), "patch.value"))
        if target in ("LISTENER", "FILTER_CHAIN", "LISTENER_FILTER"):
            touched = not merge or target == "LISTENER_FILTER" or bool(keys & _LISTENER_KEYS)
            inbound = inbound or (touched and context in _CONTEXTS_INBOUND)
            outbound = outbound or (touched and context in _CONTEXTS_OUTBOUND)
        elif target == "CLUSTER":
            outbound = outbound or ((not merge or bool(keys & _TRANSPORT_KEYS)) and context in _CONTEXTS_OUTBOUND)
    snapshot.filters.append(
        Filter(
            identity.namespace,
            identity.name,
            identity.revision,
            selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector"),
            inbound,
            outbound,
        )
    )


def _authorization(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """ALLOW whose every rule names a mesh identity, or DENY with notPrincipals `*` (security/authz/model)."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    action = text_of(spec.get("action"), "spec.action") or "ALLOW"
    named = ("principals", "namespaces", "serviceAccounts")
    every = bool(spec.get("rules"))
    denies = False
    for rule in sequence(spec.get("rules"), "spec.rules"):
        sources = [mapping(item.get("source"), "source") for item in sequence(rule.get("from"), "rules.from")]
        every = every and bool(sources) and all(any(source.get(key) for key in named) for source in sources)
        denies = denies or (set(rule) == {"from"} and sources == [{"notPrincipals": ["*"]}])
    snapshot.authorizations.append(
        Authorization(
            identity.namespace,
            identity.name,
            identity.revision,
            selector_of(spec.get("selector"), "matchLabels", "spec.selector") or None,
            bool(spec.get("targetRef") or spec.get("targetRefs")),
            (action == "ALLOW" and every) or (action == "DENY" and denies),
        )
    )


_Reader = Callable[[PodParser, Snapshot, Mapping[str, Any]], None]
_READERS: Dict[Tuple[str, str], _Reader] = {
    ("", "Namespace"): _namespace,
    ("", "Service"): _service,
    ("", "ConfigMap"): _config_map,
    ("discovery.k8s.io", "EndpointSlice"): _slice,
    ("apps", "Deployment"): _template,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cronjob,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _webhook,
    ("security.istio.io", "PeerAuthentication"): _peer,
    ("security.istio.io", "AuthorizationPolicy"): _authorization,
    ("networking.istio.io", "DestinationRule"): _rule,
    ("networking.istio.io", "Sidecar"): _sidecar,
    ("networking.istio.io", "ServiceEntry"): _service_entry,
    ("networking.istio.io", "WorkloadEntry"): _entry,
    ("networking.istio.io", "Gateway"): _gateway,
    ("networking.istio.io", "EnvoyFilter"): _filter,
}
CONTROL_PLANE = "istiod"
"""The label `app` of a control plane's pods."""
CLUSTER_SCOPED = ("Namespace", "MutatingWebhookConfiguration")


def group_of(manifest: Mapping[str, Any]) -> str:
    """The API group of a manifest: `security.istio.io` of `security.istio.io/v1`."""
    version = manifest.get("apiVersion")
    return version.partition("/")[0] if isinstance(version, str) and "/" in version else ""


def key_of(manifest: Mapping[str, Any]) -> Tuple[str, str, str, str]:
    """What identifies an object: group, kind, namespace, name."""
    kind = str(manifest.get("kind") or "")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return (group_of(manifest), kind, "", "")
    namespace = "" if kind in CLUSTER_SCOPED else str(metadata.get("namespace") or "default")
    return (group_of(manifest), kind, namespace, str(metadata.get("name") or ""))


def expand(resources: Iterable[Any]) -> Iterable[Any]:
    """The manifests themselves, also those inside a `kind: List`."""
    for manifest in resources:
        if isinstance(manifest, dict) and manifest.get("kind") == "List" and isinstance(manifest.get("items"), list):
            yield from expand(manifest["items"])
        else:
            yield manifest


def _newest(manifests: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Of several versions of one object the newest, independent of their order."""

    def rank(manifest: Dict[str, Any]) -> Tuple[int, str]:
        version = manifest["metadata"].get("resourceVersion")
        number = int(version) if isinstance(version, str) and version.isascii() and version.isdigit() else 0
        return (number, json.dumps(manifest, sort_keys=True, default=str))

    return max(manifests, key=rank)


class Reader:
    """Takes manifests in, in as many portions and in whichever order they come.

    Pods, which are nearly all of a big mesh, become records at once and their manifests can be forgotten. The few other
    manifests stay as they are to the end: proposals replace them, and of several versions of one the newest counts.
    """

    __slots__ = ("others", "parser", "pods")

    def __init__(self, parser: Optional[PodParser] = None) -> None:
        self.parser = parser or PodParser()
        self.pods: Dict[Tuple[str, str], Pod] = {}
        """Running pods by namespace and name."""
        self.others: List[Any] = []
        """Everything else, also pods that cannot be understood."""

    def add(self, resources: Iterable[Any]) -> None:
        """Takes in manifests; `kind: List` counts as its items."""
        parse_pod, pods, others = self.parser.pod, self.pods, self.others
        for manifest in expand(resources):
            if not isinstance(manifest, dict) or manifest.get("kind") != "Pod":
                others.append(manifest)
                continue
            try:
                pod = parse_pod(manifest)
            except (AttributeError, KeyError, TypeError, ValueError):
                others.append(manifest)
                continue
            if pod is not None and pods.setdefault((pod.namespace, pod.name), pod) is not pod:
                self._choose(pod)

    def _choose(self, pod: Pod) -> None:
        """Which of two versions of a pod counts must not depend on their order."""
        key = (pod.namespace, pod.name)
        self.pods[key] = max(self.pods[key], pod, key=repr)

    def portion(self) -> Reader:
        """An empty reader whose records go with those of this one; see merge."""
        return Reader(self.parser)

    def merge(self, portion: Reader) -> None:
        """Takes in what a portion has read. Of a list that broke off half-way the portion is dropped instead."""
        for key, pod in portion.pods.items():
            if self.pods.setdefault(key, pod) is not pod:
                self._choose(pod)
        self.others.extend(portion.others)

    def revisions(self) -> Set[str]:
        """The control planes that webhooks, proxies and control planes themselves speak of."""
        found = {pod.shape.revision for pod in self.pods.values()}
        for pod in self.pods.values():
            if pod.labels.get("app") == CONTROL_PLANE:
                found.add(pod.labels.get(REVISION_LABEL))
        found.update(webhook.revision for webhook in self.snapshot().webhooks)
        return {revision for revision in found if revision}

    def root_namespaces(self) -> Set[str]:
        """Where the mesh-wide policies of each control plane are, as far as its configuration was read."""
        return {mesh.root_namespace for mesh in Meshes(self.snapshot(), False).by_name.values()}

    def snapshot(self) -> Snapshot:
        """The records of everything read so far. Nothing of a manifest is kept but what the records name."""
        snapshot = Snapshot()
        snapshot.pods = list(self.pods.values())
        others: Dict[Tuple[str, str, str, str], List[Dict[str, Any]]] = {}
        for manifest in self.others:
            if not isinstance(manifest, dict):
                snapshot.problems.append(Problem("", None, "", "an item of the input is not a manifest"))
                continue
            key = key_of(manifest)
            if key[1] == "Pod":
                _complain(snapshot, manifest, self._why_no_pod(manifest))
            elif key[:2] in _READERS and key[3]:
                others.setdefault(key, []).append(manifest)
            elif key[:2] in _READERS:
                _complain(snapshot, manifest, "metadata.name is missing")
        for (group, kind, _namespace_name, _name), found in others.items():
            manifest = found[0]
            try:
                if len(found) > 1:
                    manifest = _newest(found)
                _READERS[group, kind](self.parser, snapshot, manifest)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                _complain(snapshot, manifest, _why(error))
        return snapshot

    def _why_no_pod(self, manifest: Dict[str, Any]) -> str:
        try:
            self.parser.pod(manifest)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return _why(error)
        raise AssertionError("only pods that cannot be understood are kept")


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Malformed) else f"has a field of an unexpected type ({type(error).__name__})"


def _complain(snapshot: Snapshot, manifest: Mapping[str, Any], reason: str) -> None:
    dummy, kind, namespace, name = key_of(manifest)
    snapshot.problems.append(Problem(kind, None if kind in CLUSTER_SCOPED else namespace, name, reason))
