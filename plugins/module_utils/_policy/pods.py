# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods and pod templates: the part of reading whose speed matters, and what injection and redirection left in them."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from .._foreign import numbers
from .fields import is_name, mapping
from .ranges import is_prefix
from .records import (
    DEFAULT_PROXY_USER,
    INJECT,
    PROXY_CONTAINER,
    PROXY_PORTS,
    REDIRECTION,
    REVISION_LABEL,
    Capture,
    InboundRule,
    Labels,
    Malformed,
    Outbound,
    Pod,
    Shape,
)
from .users import proxy_user_of, users_of

_CAPTURE_ANNOTATIONS = (
    "sidecar.istio.io/interceptionMode",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundPorts",
    "traffic.sidecar.istio.io/excludeOutboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "traffic.sidecar.istio.io/excludeOutboundIPRanges",
    "traffic.sidecar.istio.io/excludeInterfaces",
    "istio.io/reroute-virtual-interfaces",
    "traffic.sidecar.istio.io/kubevirtInterfaces",
    "status.sidecar.istio.io/port",
)
_PROXY_CONFIG = "proxy.istio.io/config"
_OWN_CONFIG = f"its annotation {_PROXY_CONFIG} says what is captured (interceptionMode)"
_HAND_OUT = "OUTPUT_CERTS"
"""With it in its environment, which an annotation may set, the agent writes certificates to a folder
(pkg/istio-agent/agent.go)."""
_NAME = itemgetter("name")
_NO_PORT = InboundRule("REDIRECT", frozenset(), frozenset())
_ALL_CAPTURED = Outbound(frozenset(), frozenset(), None, ())
_MODES = ("REDIRECT", "TPROXY", "NONE")
_INIT_CONTAINERS = ("istio-init", "istio-validation")
_BEFORE_ALL = (*_INIT_CONTAINERS, "enable-core-dump")
_INIT_FLAGS = {"-m": 0, "-b": 1, "-d": 2, "-q": 3, "-o": 4, "-i": 5, "-x": 6, "-c": 7, "-k": 8}
_MAIN_INTERFACE = "eth0"
"""The one at which a pod has its address (Kubernetes' container runtimes name it so)."""
_NO_ANNOTATIONS: Tuple[Optional[str], ...] = (None,) * len(_CAPTURE_ANNOTATIONS)


def _ports(text: str) -> FrozenSet[int]:
    found = (numbers.port(piece.strip()) for piece in text.split(","))
    return frozenset(number for number in found if number is not None)


def _ranges(text: str) -> Tuple[str, ...]:
    return tuple(sorted({piece.strip() for piece in text.split(",") if piece.strip()}))


def _inbound_rule(values: Tuple[Optional[str], ...]) -> InboundRule:
    mode, include, exclude = values[0], values[1], values[2]
    everything = include is None or include.strip() == "*"
    # Injection adds the port of the proxy's agent (excludeInboundPort), which a user may choose.
    excluded = _ports(",".join(filter(None, (exclude, *values[10:]))))
    return InboundRule(mode or "REDIRECT", None if everything else _ports(include or ""), excluded)


def _outbound(values: Tuple[Optional[str], ...]) -> Optional[Outbound]:
    include_ports, exclude_ports = _ports(values[3] or ""), _ports(values[4] or "")
    include_ranges = None if values[5] is None or values[5].strip() == "*" else _ranges(values[5])
    exclude_ranges = _ranges(values[6] or "")
    if include_ranges is None and not exclude_ports and not exclude_ranges:
        return None
    return Outbound(include_ports, exclude_ports, include_ranges, exclude_ranges)


def capture_of(annotations: Tuple[Optional[str], ...], arguments: Tuple[str, ...], mode: Optional[str]) -> Capture:
    """What the redirection takes: annotations, and where injection wrote them, the init container's arguments.

    Injection template files/injection-template.yaml. The arguments are what really ran, the annotations are what CNI
    reads; where the two differ the less capturing one counts. `mode` is the proxy's ISTIO_META_INTERCEPTION_MODE.
    """
    sources = [annotations if annotations[0] or not mode else (mode, *annotations[1:])]
    if arguments:
        values: List[Optional[str]] = [None] * len(_CAPTURE_ANNOTATIONS)
        for number, flag in enumerate(arguments[:-1]):
            place = _INIT_FLAGS.get(flag)
            if place is not None:
                values[place] = arguments[number + 1]
        sources.append(tuple(values))
    outbound = None
    for source in sources:
        outbound = _outbound(source) or outbound
    inbound = tuple(dict.fromkeys(_inbound_rule(source) for source in sources))
    past = any(_is_main(source[7]) for source in sources)
    if past or any(_is_main(text) for source in sources for text in source[8:10]):
        inbound = (*inbound, _NO_PORT)
    if past:
        outbound = (outbound or _ALL_CAPTURED)._replace(past="traffic.sidecar.istio.io/excludeInterfaces")
    doubt = _refused(sources[0], written=True)
    for source in sources[1:]:
        doubt = doubt or _refused(source, written=False)
    return Capture(inbound, outbound, annotations[7] or "", doubt)


def _is_main(interfaces: Optional[str]) -> bool:
    """Whether the interfaces that are excluded from capture, or rerouted, are more than some beside the pod's own.

    tools/istio-iptables/pkg/capture/run.go shortCircuitExcludeInterfaces, shortCircuitKubeInternalInterface; what comes
    from a rerouted one is led to the proxy's way out. To iptables a name may end with `+`, which stands for any rest.
    """
    return any(
        _MAIN_INTERFACE.startswith(piece[:-1]) if piece.endswith("+") else piece == _MAIN_INTERFACE
        for piece in map(str.strip, (interfaces or "").split(","))
    )


def _refused(values: Tuple[Optional[str], ...], written: bool) -> str:
    """The first setting that injection would refuse (pkg/kube/inject/validate.go); what ran with it nobody can tell.

    `written`: by a user. What the injection template writes may have empty pieces and spaces, which iptables takes.
    """
    if values[0] is not None and values[0] not in _MODES:
        return f"its interceptionMode {values[0][:40]!r} is none"
    for place, text in enumerate(values[1:5], 1):
        # Only what is included can be everything, and of inbound ports alone.
        if text is None or not text.strip() or (place == 1 and text == "*"):
            continue
        for piece in text.split(","):
            number = numbers.number(piece.strip())
            if (number is None or number > 65535) and (written or piece.strip()):
                return f"it includes or excludes the port {piece.strip()[:40]!r}, which is none"
    for place, text in enumerate(values[5:7], 5):
        if not text or (place == 5 and text == "*"):
            continue
        for piece in text.split(","):
            if not written:
                piece = piece.strip()
            if not is_prefix(piece) and (written or piece):
                return f"it includes or excludes the addresses {piece[:40]!r}, which are no range"
    return ""


_ABSENT = (None, "")
_HASHES = (("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout"))
"""The labels of pods whose value ends their ReplicaSet's name, and what made it and stays: Kubernetes' Deployments,
Argo's Rollouts (argo-rollouts pkg/apis/rollouts/v1alpha1/types.go DefaultRolloutUniqueLabelKey)."""


def replica_set_of(pod: Pod) -> Optional[str]:
    """The name of the ReplicaSet that stands between a pod and its owner, however the owner was found."""
    kind, name = pod.owner
    if kind == "ReplicaSet":
        return name
    hashes = (pod.labels.get(label) for label, stable in _HASHES if stable == kind)
    return next((f"{name}-{found}" for found in hashes if found), None)


class PodParser:
    """Turns pods and pod templates into records. Equal parts are built once and shared."""

    def __init__(self) -> None:
        self._captures: Dict[Tuple[Any, ...], Capture] = {}
        self._labels: Dict[Tuple[Tuple[str, str], ...], Labels] = {}
        self._revisions: Dict[str, str] = {}
        self._shapes: Dict[Shape, Shape] = {}

    def shape(
        self, labels: Labels, annotations: Dict[str, Any], spec: Dict[str, Any], ended: FrozenSet[str] = frozenset()
    ) -> Shape:
        """All but the labels that matters of a pod, see Shape. `ended`: the names of debug containers that have."""
        ports: List[Tuple[int, str]] = []
        udp: List[Tuple[int, str]] = []
        proxy: Optional[Dict[str, Any]] = None
        applications: List[Dict[str, Any]] = []
        debuggers = [item for item in _each(spec, "ephemeralContainers") if item.get("name") not in ended]
        arguments: Tuple[str, ...] = ()
        redirecting: Tuple[str, ...] = ()
        doubt = ""
        ends = commanded = False
        for container in _each(spec, "containers"):
            if container.get("name") == PROXY_CONTAINER:
                proxy = container
                continue
            applications.append(container)
            if "ports" in container:
                doubt = _container_ports(container, ports, udp) or doubt
        for container in _each(spec, "initContainers"):
            name = container.get("name")
            if name == PROXY_CONTAINER:
                proxy = container
                # Without it, it ends before the application runs.
                ends = container.get("restartPolicy") != "Always"
            elif name in _INIT_CONTAINERS:
                arguments = tuple(_each(container, "args"))
                redirecting = arguments if name == "istio-init" else ()
            elif container.get("restartPolicy") == "Always":
                applications.append(container)
                doubt = _container_ports(container, ports, udp) or doubt

        status = annotations.get("sidecar.istio.io/status")
        mode = None
        certs = router = waypoint = handed_out = False
        role = None
        proxy_ports: List[Tuple[int, str]] = []
        if proxy is not None:
            env = _each(proxy, "env")
            names = list(map(_NAME, env))
            certs = "ISTIO_META_TLS_CLIENT_CERT_CHAIN" in names
            handed_out = _HAND_OUT in names or _HAND_OUT in str(annotations.get(_PROXY_CONFIG))
            if "ISTIO_META_INTERCEPTION_MODE" in names:
                mode = env[names.index("ISTIO_META_INTERCEPTION_MODE")].get("value")
            started = tuple(_each(proxy, "args")[:2])
            # Injection gives it none: its arguments are the image's own program's.
            commanded = bool(_each(proxy, "command"))
            role = started[1] if started[:1] == ("proxy",) and len(started) > 1 else None
            waypoint = role == "waypoint"
            router = waypoint or role == "router"
            doubt = _container_ports(proxy, proxy_ports, []) or doubt

        mesh, revision = "none", None
        if router:
            mesh = "gateway"
        elif proxy is not None and status:
            mesh = "sidecar"
        elif annotations.get(REDIRECTION) == "enabled" and not (status is not None or _is_true(spec, "hostNetwork")):
            # Neither is ever enrolled, whoever wrote the annotation (cni/pkg/util/podutil.go PodRedirectionEnabled).
            mesh = "ambient"
        if mesh != "none":
            revision = self._revision(status, labels, annotations)

        proxy_user = DEFAULT_PROXY_USER
        try:
            proxy_user = proxy_user_of(redirecting, proxy)
        except Malformed as error:
            doubt = doubt or str(error)

        raw = tuple(map(annotations.get, _CAPTURE_ANNOTATIONS)) if annotations else _NO_ANNOTATIONS
        capture = self._captures.get((raw, arguments, mode))
        if capture is None:
            capture = self._captures[raw, arguments, mode] = capture_of(raw, arguments, mode)
        if mode is None and raw[0] is None and "nterception" in str(annotations.get(_PROXY_CONFIG)):
            capture = capture._replace(doubt=capture.doubt or _OWN_CONFIG)
        shape = Shape(
            mesh,
            revision,
            _is_true(spec, "hostNetwork"),
            capture,
            annotations.get("ambient.istio.io/bypass-inbound-capture") == "true",
            tuple(ports),
            tuple(udp),
            tuple(proxy_ports),
            certs,
            annotations.get(INJECT),
            mesh == "none" and proxy is not None,
            mesh == "sidecar" and "grpc-agent" in annotations.get("inject.istio.io/templates", ""),
            mesh == "none" and annotations.get(REDIRECTION) == "pending",
            commanded or (mesh == "sidecar" and role != "sidecar") or (ends and mesh in ("sidecar", "gateway")),
            doubt,
            # A debug container may run as the proxy's user, too. It has no ports.
            users_of(spec, [*applications, *debuggers]),
            proxy_user,
            waypoint,
            probes=_probes(applications, annotations, proxy is not None),
            early=_early(_each(spec, "initContainers")) if proxy is not None else (),
            hands_out_certificates=handed_out,
            companions=mesh == "gateway" and bool(applications),
        )
        return self._shapes.setdefault(shape, shape)

    def _revision(self, status: Optional[str], labels: Labels, annotations: Dict[str, Any]) -> str:
        """The revision that injected a pod: its status annotation, else istio.io/rev, else the default one."""
        if status:
            known = self._revisions.get(status)
            if known is None:
                try:
                    found = json.loads(status)
                except ValueError:
                    found = None
                known = self._revisions[status] = str(found.get("revision") or "") if isinstance(found, dict) else ""
            if known:
                return known
        return str(annotations.get(REVISION_LABEL) or labels.get(REVISION_LABEL) or "default")

    def pod(self, manifest: Dict[str, Any]) -> Optional[Pod]:
        """A pod, or None for a finished one."""
        metadata, spec = manifest["metadata"], manifest["spec"]
        status = mapping(manifest.get("status"), "status")
        if status.get("phase") in ("Succeeded", "Failed"):
            return None
        labels, annotations = (
            mapping(metadata.get("labels"), "labels"),
            mapping(metadata.get("annotations"), "annotations"),
        )
        name, namespace, ip = metadata["name"], metadata.get("namespace"), status.get("podIP")
        # Where none is named it is this one (Kubernetes' admission of ServiceAccounts).
        account = spec.get("serviceAccountName")
        namespace, account = (
            "default" if namespace in _ABSENT else namespace,
            "default" if account in _ABSENT else account,
        )
        ip = "" if ip is None else ip
        # Fails on whatever is not a string.
        "".join((name, namespace, ip, account, *labels, *labels.values()))
        if not is_name(name + namespace):
            raise Malformed("metadata.name or metadata.namespace is no name")
        owner = ("Pod", name)
        for reference in _each(metadata, "ownerReferences"):
            kind, owner_name = reference["kind"] + "", reference["name"] + ""
            # A static pod's owner is its Node, which is no workload. Names that none can have would be another's id.
            if kind != "Node" and is_name(kind + owner_name) and (owner[0] == "Pod" or reference.get("controller")):
                owner = (kind, owner_name)
        if owner[0] == "ReplicaSet":
            for label, stable in _HASHES:
                suffix = "-" + labels.get(label, "")
                if len(suffix) > 1 and len(owner[1]) > len(suffix) and owner[1].endswith(suffix):
                    owner = (stable, owner[1][: -len(suffix)])
                    break
        shape = self.shape(labels, annotations, spec, _ended(status))
        return Pod(namespace, name, owner, self._labels.setdefault(tuple(labels.items()), labels), shape, ip, account)


def _each(part: Dict[str, Any], name: str) -> Sequence[Any]:
    """A list of a manifest, empty where there is none; what is something else is no absence."""
    found = part.get(name)
    if found is None:
        return ()
    if not isinstance(found, (list, tuple)):
        raise Malformed(f"{name} is not a list")
    return found


def _ended(status: Dict[str, Any]) -> FrozenSet[str]:
    """The debug containers of which all that is said is that they have ended: nothing starts one of them again."""
    running: Dict[str, bool] = {}
    for item in _each(status, "ephemeralContainerStatuses"):
        state = mapping(item.get("state"), "state of an ephemeral container")
        name = str(item.get("name"))
        running[name] = running.get(name, False) or len(state) > 1 or not isinstance(state.get("terminated"), dict)
    return frozenset(name for name, runs in running.items() if not runs)


def _is_true(part: Dict[str, Any], name: str) -> bool:
    """A switch of a manifest, likewise."""
    found = part.get(name)
    if found not in (None, True, False):
        raise Malformed(f"{name} is not true or false")
    return bool(found)


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _probes(applications: Sequence[Dict[str, Any]], annotations: Dict[str, Any], is_injected: bool) -> Tuple[int, ...]:
    """Ports at which kubelet asks the application itself, by HTTP or gRPC.

    Injection leads such probes to the proxy's agent, at 15020 (pkg/kube/inject/app_probe.go), so in a pod with a proxy
    these were left as they are. A template has to say that it wants that. A probe of TCP meets the proxy, which takes
    every connection: it fails never, and tells nothing.
    """
    if not is_injected and annotations.get("sidecar.istio.io/rewriteAppHTTPProbers") != "false":
        return ()
    found = set()
    for container in applications:
        for probe in map(container.get, _PROBES):
            if isinstance(probe, dict):
                port = _probed(container, probe)
                if port is not None and port not in PROXY_PORTS:
                    found.add(port)
    return tuple(sorted(found))


def _probed(container: Dict[str, Any], probe: Dict[str, Any]) -> Optional[int]:
    """The port of a probe by HTTP or gRPC: a number, or the name of one of its container's; None for what is none."""
    web, grpc = probe.get("httpGet"), probe.get("grpc")
    if isinstance(grpc, dict):
        return numbers.port(grpc.get("port"))
    # With a host of its own it asks somebody else.
    if not isinstance(web, dict) or web.get("host"):
        return None
    port = web.get("port")
    for item in _each(container, "ports"):
        if isinstance(port, str) and item.get("name") == port:
            port = item.get("containerPort")
    return numbers.port(port)


def _early(containers: Sequence[Dict[str, Any]]) -> Tuple[str, ...]:
    """Init containers of the application that end before a native sidecar starts, or all of them if it is none."""
    found = []
    for container in containers:
        name = container.get("name")
        if name == PROXY_CONTAINER:
            break
        if isinstance(name, str) and name not in _BEFORE_ALL and container.get("restartPolicy") != "Always":
            found.append(name)
    return tuple(found)


def _container_ports(container: Dict[str, Any], ports: List[Tuple[int, str]], udp: List[Tuple[int, str]]) -> str:
    """Adds a container's ports; says which of them is none, as Kubernetes would."""
    doubt = ""
    for port in _each(container, "ports"):
        number = port["containerPort"]
        if isinstance(number, str) or numbers.port(number) is None:
            doubt = doubt or f"its containerPort {str(number)[:40]!r} is no port"
            continue
        found = ports if port.get("protocol", "TCP") == "TCP" else udp
        found.append((number, port.get("name") or ""))
    return doubt
