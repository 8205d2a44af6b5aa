# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of gateways and waypoints listen to. PeerAuthentication does not apply to them.

A gateway's listeners come from the servers of Gateways (pilot/pkg/model/gateway.go mergeGateways, core/gateway.go).
The proxy's own ports are what they are everywhere: health and metrics in plaintext, HBONE with mutual TLS.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from .ages import contest, dated, eldest_of
from .ingresses import INGRESS, LABEL
from .listeners import Sees, Target
from .membership import Workload, matches
from .mesh import ROOT_NAMESPACE
from .records import HBONE_PORT, PROXY_PORTS, GatewayObject, Server
from .server import UNKNOWN
from .services import DESTINATION
from .unread import Unread

KUBERNETES_GATEWAY = "gateway.networking.k8s.io/gateway-name"
_HEALTH_PORT = 15021
_TRANSLATING = ("Service", "ServiceEntry", "WorkloadEntry", "EndpointSlice")
"""Kinds that say for which port of a pod a server's port stands."""


class _Chain(NamedTuple):
    """A server that TLS connections reach by the name that they ask for."""

    hosts: Tuple[str, ...]
    serves: str
    bind: str
    why: str


class Opened(NamedTuple):
    """One port of a gateway."""

    column: str
    """Of the verdict table."""
    why: str
    chains: Tuple[_Chain, ...] = ()
    """Where it is known which server answers to which name: all of them."""

    def asked(self, name: str) -> "Opened":
        """The same for who asks for a name (SNI).

        Envoy's match of filter chains: the name itself, else the longest pattern, else who has no name of its own.
        Their names are the hosts of their servers (pilot/pkg/model/gateway.go GetSNIHostsForServer).
        """
        if not self.chains or not name:
            return self
        parts = name.lower().split(".")
        patterns = [name.lower(), *("*." + ".".join(parts[place:]) for place in range(1, len(parts))), "*"]
        for pattern in patterns:
            found = [chain for chain in self.chains if pattern in chain.hosts]
            if found:
                if len({chain.serves for chain in found}) > 1:
                    return self
                return Opened(f"gateway-{found[0].serves}", f"{found[0].why} for {name}")
        return Opened("gateway-closed", f"{self.why}, and none for {name}")


class GatewayIndex:
    """What each gateway listens to."""

    def __init__(
        self,
        gateways: List[GatewayObject],
        ingresses: Callable[[Workload], List[GatewayObject]],
        targets: Dict[str, List[Tuple[Target, ...]]],
        sees: Sees,
        doubt: Callable[[Workload, int], str],
        scoped: Callable[[Workload], Optional[bool]],
        unread: Unread,
    ) -> None:
        self._gateways = sorted(gateways, key=lambda item: (item.age, item.name, item.namespace))
        self._homes = {(item.namespace, item.name) for item in gateways if item.services is not None}
        self._ingresses = ingresses
        """Those for a workload's control plane, in the form of Gateways."""
        self._targets = targets
        self._sees = sees
        self._doubt = doubt
        """Why nothing can be said about what a gateway accepts at a port; empty where something can."""
        self._scoped = scoped
        """Whether Gateways are for gateways of their own namespace only; None where that cannot be told."""
        self._unread = unread
        self._ports: Dict[str, Dict[int, Opened]] = {}
        self._disputes: Dict[str, str] = {}

    def ports(self, workload: Workload) -> Dict[int, Opened]:
        """The ports that Gateways open at a workload."""
        found = self._ports.get(workload.id)
        if found is None:
            found = self._ports[workload.id] = self._opened(workload)
        return found

    def _opened(self, workload: Workload) -> Dict[int, Opened]:
        if workload.shape.waypoint:
            return {}  # Gateways select routers only (pilot/pkg/model/context.go SetGatewaysForProxy)
        serves: Dict[int, Set[str]] = {}
        servers: Dict[int, List[str]] = {}
        doubts: Dict[int, str] = {}
        chains: Dict[int, List[_Chain]] = {}
        dropped: Set[int] = set()
        # What is for the pods of other Services alone, says nothing of these, and neither does its age.
        own = list(self._all_targets(workload))
        gateways = [
            gateway
            for gateway in self._of(workload)
            if gateway.services is None or any(_names(gateway, target) for target in own)
        ]
        ordered = all(map(dated, gateways))
        for targets in self._targets.get(workload.id) or [()]:
            merged = _Merged()
            for gateway in gateways:
                for server in gateway.servers:
                    bound = _bound(server, gateway, targets)
                    for port in bound.ports:
                        ordered = ordered and not bound.doubt
                        if not merged.takes(port, server):
                            dropped.add(port)
                            if ordered:
                                continue
                        chains.setdefault(port, []).append(_chain(gateway, server, port))
                        serves.setdefault(port, set()).add(UNKNOWN if bound.doubt else server.serves)
                        servers.setdefault(port, []).append(_named(gateway, server, port))
                        if bound.doubt:
                            doubts[port] = bound.doubt
        found = {}
        for port, kinds in serves.items():
            column = _column(kinds)
            if column == "sni" and port in dropped and not ordered:
                column = "either"
            why = f"{', '.join(dict.fromkeys(servers[port]))} {_WORDS[column]}"
            found[port] = Opened(
                column if column == UNKNOWN else f"gateway-{column}",
                doubts.get(port, why) if column == UNKNOWN else why,
                tuple(chains[port])
                if (ordered or port not in dropped) and port not in doubts and _follow_names(chains[port])
                else (),
            )
        return found

    def _of(self, workload: Workload) -> Iterable[GatewayObject]:
        """The Gateways for a workload, as far as a label or the pods of a Service that they name tell."""
        scoped = self._scoped(workload)
        for gateway in (*self._ingresses(workload), *self._gateways):
            if scoped and gateway.kind != INGRESS and gateway.namespace != workload.namespace:
                continue  # push_context.go initGateways, mergeGateways
            if (gateway.services is not None or matches(gateway.selector, workload.labels)) and self._sees(
                workload, gateway.namespace, gateway.revision
            ):
                yield gateway

    def server(self, workload: Workload, port: int, sni: str = "") -> Tuple[str, str]:
        """The column of the verdict table for a port of a gateway, and why. `sni` is the name that is asked for."""
        doubt = self._doubt(workload, port)
        if doubt:
            return UNKNOWN, doubt
        if port in PROXY_PORTS:
            what = "health check" if port == _HEALTH_PORT else "metrics"
            return "gateway-plaintext", f"port {port} of {workload.id} is for its {what}"
        if workload.shape.waypoint and port == HBONE_PORT:
            return "gateway-hbone", f"port {port} of {workload.id} takes nothing but HBONE, which is mutual TLS"
        found = self.ports(workload).get(port)
        gap = self._gap(workload)
        if gap and (found is None or found.column not in _PLAINTEXT):
            # One that nobody saw may serve the same port in plaintext.
            return UNKNOWN, gap
        if found is not None:
            return found.asked(sni)[:2]
        if port in (number for number, dummy in workload.shape.ports):
            return (
                "gateway-plaintext",
                f"port {port} of {workload.id} is another container's, and in a gateway's pod no proxy takes it",
            )
        if workload.shape.companions:
            return UNKNOWN, f"no Gateway serves port {port} of {workload.id}, but another container of it may"
        return "gateway-closed", f"no Gateway serves port {port} of {workload.id}"

    def purpose(self, workload: Workload, port: int) -> str:
        """What a port is for: health, metrics or hbone of the proxy, gateway (a Gateway's server), or workload.

        What another container listens to is the workload's own, whoever claims it besides.
        """
        if any(port == number for number, dummy in workload.shape.ports):
            return "workload"
        if port in PROXY_PORTS:
            return "health" if port == _HEALTH_PORT else "metrics"
        if workload.shape.waypoint and port == HBONE_PORT:
            return "hbone"
        return "gateway" if port in self.ports(workload) else "workload"

    def _all_targets(self, workload: Workload) -> Iterable[Target]:
        return (target for targets in self._targets.get(workload.id, ()) for target in targets)

    def _gap(self, workload: Workload) -> str:
        """Why a port of a gateway may do something else than what was read says."""
        if workload.shape.waypoint:
            return ""
        if self._unread.anywhere("Gateway"):
            return "Gateways were not read"
        name = workload.labels.get(KUBERNETES_GATEWAY)
        if name and (workload.namespace, name) not in self._homes:
            return f"{workload.id} belongs to the Gateway {workload.namespace}/{name}, which is not there"
        for kind in ("Ingress", "IngressClass"):
            if self._unread.anywhere(kind) and LABEL in workload.labels:
                return f"{kind} objects, which could open ports of {workload.id}, were not read"
        for gateway in self._of(workload):
            if gateway.more and any(_names(gateway, target) for target in self._all_targets(workload)):
                return f"of Gateway {gateway.namespace}/{gateway.name}: {gateway.more}"
        if workload.id not in self._disputes:
            self._disputes[workload.id] = self._disputed(workload)
        if self._disputes[workload.id]:
            return self._disputes[workload.id]
        for kind in _TRANSLATING:
            if self._unread.covers(kind, workload.namespace):
                return f"for which port of {workload.id} a Gateway's port stands is unknown: {kind} was not read"
        return ""

    def _disputed(self, workload: Workload) -> str:
        """Why a Gateway of another namespace may or may not count."""
        classic = [gateway for gateway in self._of(workload) if gateway.services is None]
        scoped = self._scoped(workload)
        for gateway in classic:
            # The Gateways of Ingresses are of the namespace that istiod has for them.
            home = ROOT_NAMESPACE if gateway.kind == INGRESS else gateway.namespace
            if home != workload.namespace and scoped is not False:
                return (
                    f"whether {gateway.kind} {gateway.namespace}/{gateway.name} is for gateways of other namespaces "
                    "depends on istiod's PILOT_SCOPE_GATEWAY_TO_NAMESPACE"
                )
        targets = list(self._all_targets(workload)) if classic else []
        for named in self._gateways if targets else ():
            if named.managed and any(_names(named, target) for target in targets):
                for gateway in classic:
                    if gateway.namespace != named.namespace:
                        return (
                            f"whether {gateway.kind} {gateway.namespace}/{gateway.name} counts beside "
                            f"{named.namespace}/{named.name} depends on istiod's PILOT_ENABLE_STRICT_GATEWAY_MERGING"
                        )
        return ""


class _Bound(NamedTuple):
    """Where a server listens: every port that is possible, and why it is more than one."""

    ports: FrozenSet[int]
    doubt: str = ""


def _bound(server: Server, gateway: GatewayObject, targets: Sequence[Target]) -> _Bound:
    """The ports of a pod for which the port of a server stands (pilot/pkg/model/gateway.go resolvePorts).

    A Gateway that names its Services means their ports, whatever their number. One that selects pods means the first
    Service with the port, the oldest; without any such Service the number is taken as it is.
    """
    if gateway.services is not None:
        return _Bound(
            frozenset(target.port for target in targets if target.number == server.port and _names(gateway, target))
        )
    first: Dict[Tuple[str, str], Target] = {}
    for target in targets:
        if target.number == server.port and not target.destination.untranslated:
            first.setdefault((target.destination.name, target.destination.host), target)
    if not first:
        return _Bound(frozenset((server.port,)))
    rivals = eldest_of(target.destination for target in first.values())
    ports = frozenset(first[rival.name, rival.host].port for rival in rivals)
    return _Bound(ports, contest(DESTINATION, rivals, "says where a Gateway listens") if len(ports) > 1 else "")


def _names(gateway: GatewayObject, target: Target) -> bool:
    """Whether a Gateway names a Service, which has to be in its namespace (push_context.go mergeGateways)."""
    destination = target.destination
    return destination.host in (gateway.services or ()) and destination.namespace == gateway.namespace


class _Merged:
    """Which servers of several Gateways count at one pod, taken in Istio's order (mergeGateways).

    Of those with TLS settings, be they for nothing, one whose hosts another has already is dropped; and whatever is no
    HTTP where there is HTTP.
    """

    def __init__(self) -> None:
        self._hosts: Dict[int, Dict[str, str]] = {}
        self._plain: Dict[int, Server] = {}

    def takes(self, port: int, server: Server) -> bool:
        """Whether a server counts at a port."""
        if server.tls:
            known = self._hosts.setdefault(port, {})
            if any(known.get(host) == server.bind for host in server.hosts):
                return False
            known.update(dict.fromkeys(server.hosts, server.bind))
        first = self._plain.get(port)
        if first is not None:
            return first.bind != server.bind or (first.http and server.http)
        if server.http or not server.tls:
            self._plain[port] = server
        return True


def _column(serves: Set[str]) -> str:
    """What several servers at one port offer together: TLS ones are told apart by the name that is asked for."""
    if len(serves) == 1:
        return next(iter(serves))
    if serves == {"mtls", "named"}:
        return "mtls"
    if "plaintext" in serves:
        return "mixed"
    return UNKNOWN if UNKNOWN in serves else "sni"


def _chain(gateway: GatewayObject, server: Server, port: int) -> _Chain:
    serves = "mtls" if server.serves == "named" else server.serves
    hosts = tuple(host.rpartition("/")[2].lower() for host in server.hosts)
    return _Chain(hosts, serves, server.bind, f"{_named(gateway, server, port)} {_WORDS[serves]}")


def _follow_names(chains: List[_Chain]) -> bool:
    """Whether the names of servers tell all about which one answers.

    To what is passed through the routes of VirtualServices give names of their own.
    """
    return (
        all(chain.hosts and chain.serves in ("tls", "mtls") for chain in chains)
        and len({chain.bind for chain in chains}) == 1
        and all(
            "*" not in host[1:] and host[:2] in ("*", "*.") for chain in chains for host in chain.hosts if "*" in host
        )
    )


def _named(gateway: GatewayObject, server: Server, port: int) -> str:
    translated = f" (a Service's {server.port})" if port != server.port else ""
    return f"{gateway.kind} {gateway.namespace}/{gateway.name} serves port {port}{translated}"


_PLAINTEXT = ("gateway-plaintext", "gateway-mixed")
_ANSWERS = {**dict.fromkeys(_PLAINTEXT, "accepted"), UNKNOWN: UNKNOWN}


def accepts_plaintext(column: str) -> str:
    """accepted, refused or unknown: what a port with this column of the verdict table does with plaintext."""
    return _ANSWERS.get(column, "refused")


_WORDS: Dict[Optional[str], str] = {
    UNKNOWN: "with a protocol or TLS mode that Istio does not know",
    "plaintext": "in plaintext",
    "mixed": "in plaintext and, for some names, with TLS",
    "tls": "with TLS of its own",
    "passthrough": "and passes TLS through",
    "sni": "with TLS that depends on the name that is asked for (SNI)",
    "either": "with TLS, and which of them counts depends on their order, which cannot be told",
    "mtls": "with Istio mTLS",
    "named": "with Istio mTLS for some names (SNI)",
}
