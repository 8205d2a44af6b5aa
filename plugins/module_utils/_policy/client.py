# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's proxy sends to an endpoint (semantics, sections 3.2, 3.3 and 5)."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from .destination_rules import Setting
from .mesh import Mesh
from .records import TUNNEL_LABEL, Policy, Subset, Tls
from .rows import BY_ENDPOINT, BY_EXTERNAL, BY_SERVER
from .server import DISABLE, UNKNOWN, PeerAuthenticationIndex
from .services import Destination, DestinationPort, Endpoint

PASSTHROUGH = "PASSTHROUGH"
RULE = "{rule}"
"""Stands for the names of the DestinationRules until all clients with the same answer are known."""
ISTIO = "istio"


class Sent(NamedTuple):
    """What is sent: `tls` is a value of the result's client_tls, `why` names what decides it."""

    tls: str
    why: str
    part: str = ""
    """See rows.Answer."""
    sni: str = ""
    """The name that a DestinationRule asks for in the handshake; "" where it is the request's or Istio's own."""


class Resolved(NamedTuple):
    """A traffic policy resolved for one port, and whether it was a port entry."""

    tls: Optional[Tls]
    balancer: Optional[str]


def at_port(policy: Optional[Policy], port: int) -> Tuple[Optional[Resolved], bool]:
    """A matching port entry replaces the whole policy; what it omits is unset, not inherited.

    pilot/pkg/networking/util/util.go GetPortLevelTrafficPolicy. `port` is the Service port.
    """
    if policy is None:
        return None, False
    for entry in policy.ports:
        if entry.port == port:
            return Resolved(entry.tls, entry.balancer), True
    return Resolved(policy.tls, policy.balancer), False


def merged(rule: Optional[Resolved], subset: Optional[Policy], port: int) -> Optional[Resolved]:
    """A subset overrides the rule; its port entry replaces, including to unset (MergeSubsetTrafficPolicy)."""
    own, has_port = at_port(subset, port)
    if own is None:
        return rule
    if rule is None:
        return own
    return Resolved(
        own.tls if own.tls is not None or has_port else rule.tls,
        own.balancer if own.balancer is not None or has_port else rule.balancer,
    )


def checker_mode(rule: Optional[Setting], subset: Optional[Subset], port: int) -> Optional[str]:
    """The mode by which the endpoint calculation overrides auto-mTLS (pilot/pkg/xds/endpoints/mtls_checker.go).

    It falls back to the top-level mode when a port entry omits `tls`, unlike the cluster's own calculation.
    """
    if rule is None:
        return None
    if subset is not None:
        found = _checker_port(subset.policy, port)
        if found is not None:
            return found
    return _checker_port(rule.policy, port)


def _checker_port(policy: Optional[Policy], port: int) -> Optional[str]:
    if policy is None:
        return None
    for entry in policy.ports:
        if entry.port == port and entry.tls is not None:
            return entry.tls.mode
    return policy.tls.mode if policy.tls is not None else None


class Cluster(NamedTuple):
    """How one proxy treats one destination, port and subset: Envoy's cluster."""

    sent: str
    """A TLS mode, `auto` for auto-mTLS, `plaintext`, or `unknown`."""
    why: str
    same_for_all: bool
    """ORIGINAL_DST: nothing is matched per endpoint."""
    override: Optional[str]
    """See checker_mode."""
    by_rule: bool = False
    """Whether a DestinationRule sets it."""
    sni: str = ""
    """See Sent."""
    part: str = ""
    """See rows.Answer."""


def _inferred_disable(destination: Destination, port: DestinationPort, balancer: Optional[str]) -> str:
    """Why auto-mTLS is off by the endpoints of a headless or PASSTHROUGH destination (BestEffortInferServiceMTLSMode).

    The top level of the rule (main cluster) or the subset's own top level is read, port entries are not.
    """
    if destination.resolution != "NONE" and balancer != PASSTHROUGH:
        return ""
    if not port.inferred:
        return "auto-mTLS is off as long as there is none"
    for endpoint in port.inferred:
        if endpoint.tls_mode == "disabled":
            return f"auto-mTLS is off for all endpoints because {endpoint.id} has no sidecar"
    return ""


def needs_endpoints(
    destination: Destination, port: DestinationPort, rule: Optional[Setting], subset: Optional[Subset]
) -> bool:
    """A DNS cluster is not built without any; an ORIGINAL_DST one is, whose type a subset inherits."""
    if not destination.resolution.startswith("DNS"):
        return False
    main, dummy = at_port(rule.policy if rule else None, port.number)
    passthrough = main is not None and main.balancer == PASSTHROUGH
    if subset is not None and subset.policy is not None:
        passthrough = passthrough or subset.policy.balancer == PASSTHROUGH
    return subset is None or not passthrough


def cluster_of(
    destination: Destination,
    port: DestinationPort,
    rule: Optional[Setting],
    subset: Optional[Subset],
    mesh: Mesh,
    peers: PeerAuthenticationIndex,
    gateway: bool,
    own_certs: bool,
) -> Cluster:
    """What a proxy would send for a destination, port and subset.

    core/cluster_builder.go buildSubsetCluster, cluster_tls.go buildUpstreamTLSSettings. `own_certs` are those of
    ISTIO_META_TLS_CLIENT_*; outside of the mesh they come after the DestinationRule.
    """
    own_certs = own_certs and not destination.external
    top = rule.policy if rule else None
    main, dummy = at_port(top, port.number)
    effective, inference = main, top.balancer if top else None
    passthrough = main is not None and main.balancer == PASSTHROUGH
    if subset is not None:
        effective = merged(main, subset.policy, port.number)
        inference = subset.policy.balancer if subset.policy else None
        passthrough = (
            passthrough or inference == PASSTHROUGH or (effective is not None and effective.balancer == PASSTHROUGH)
        )
    # Gateways fall back to EDS for headless Services (convertResolution).
    same_for_all = passthrough or (destination.resolution == "NONE" and not gateway)
    tls = effective.tls if effective else None
    if tls is not None:
        return Cluster(*_explicit(tls, rule, subset, gateway, own_certs), same_for_all, None, by_rule=True, sni=tls.sni)
    unset = (rule.discarded if rule else "") or "no DestinationRule sets TLS"
    if destination.external:
        why = f"{destination.host} is outside the mesh and {unset}"
        return Cluster("plaintext", why, same_for_all, None, part=BY_EXTERNAL)
    if not mesh.auto_mtls:
        return Cluster("plaintext", f"auto-mTLS is off in revision {mesh.name} and {unset}", same_for_all, None)
    if destination.hidden_endpoints and (destination.resolution == "NONE" or inference == PASSTHROUGH):
        return Cluster(
            "unknown", f"auto-mTLS depends on all endpoints, and {destination.hidden_endpoints}", same_for_all, None
        )
    off = _inferred_disable(destination, port, inference)
    if off:
        return Cluster("plaintext", off, same_for_all, None, part=BY_ENDPOINT if port.inferred else "")
    mode = peers.namespace_mode(destination.namespace)
    if mode == UNKNOWN:
        return Cluster("unknown", peers.namespace_why(destination.namespace), same_for_all, None)
    if mode == DISABLE:
        why = f"auto-mTLS is off because {peers.namespace_why(destination.namespace)}"
        return Cluster("plaintext", why, same_for_all, None, part=BY_SERVER)
    if own_certs:
        # Only Istio's own mTLS is told apart by endpoint (applyUpstreamTLSSettings).
        return Cluster("MUTUAL", f"auto-mTLS sends {_OWN_CERTS} to every endpoint", same_for_all, None)
    return Cluster("auto", "", same_for_all, checker_mode(rule, subset, port.number))


_OWN_CERTS = "the certificates of ISTIO_META_TLS_CLIENT_*"


def _explicit(
    tls: Tls, rule: Optional[Setting], subset: Optional[Subset], gateway: bool, own_certs: bool
) -> Tuple[str, str]:
    """TLS that a rule sets. A Secret on a sidecar without workloadSelector builds no TLS at all."""
    where = RULE + (f" subset {subset.name}" if subset is not None else "")
    if own_certs and tls.mode in ("ISTIO_MUTUAL", "MUTUAL"):
        return "MUTUAL", f"{where} sends {tls.mode}, with {_OWN_CERTS}"
    if tls.mode in ("SIMPLE", "MUTUAL"):
        if tls.secret and not gateway and rule is not None and not rule.selective:
            return "plaintext", (
                f"{where} names a credentialName for {tls.mode}, which a sidecar without "
                "workloadSelector ignores: it sends plaintext"
            )
        if tls.incomplete:
            return "plaintext", f"{where} sets MUTUAL without client certificate and key: plaintext is sent"
    if tls.mode == "DISABLE":
        return "plaintext", f"{where} turns TLS off"
    return tls.mode, f"{where} sends {_IN_WORDS.get(tls.mode, tls.mode)}"


_IN_WORDS = {"SIMPLE": "one-way TLS (SIMPLE)", "MUTUAL": "TLS with its own certificates (MUTUAL)"}
_FIELD = {
    "ISTIO_MUTUAL": "mtls",
    "SIMPLE": "simple",
    "MUTUAL": "mutual",
    "plaintext": "plaintext",
    "unknown": "unknown",
}


class Hbone(NamedTuple):
    """What istiod's environment lets sidecars do; None where that cannot be told."""

    sends: Optional[bool]
    """PILOT_ENABLE_AMBIENT, unless PILOT_ENABLE_SENDING_HBONE is off."""
    preferred: Optional[bool]
    """PILOT_PREFER_SENDING_HBONE: also to sidecars that take Istio's own mutual TLS."""


def sent(cluster: Cluster, endpoint: Endpoint, peers: PeerAuthenticationIndex, hbone: Hbone) -> Sent:
    """What reaches one endpoint. `hbone`: by the client's control plane."""
    possible = not cluster.same_for_all and hbone.sends is not False and tunnels(endpoint, hbone.preferred is not False)
    certain = hbone.sends and tunnels(endpoint, bool(hbone.preferred))
    if possible and not certain:
        return Sent("unknown", "whether sidecars send HBONE depends on istiod's environment, which was not read")
    if possible:
        # HBONE replaces plaintext and Istio mTLS, SIMPLE and MUTUAL run inside it (applyHBONETransportSocketMatches).
        return Sent(
            "hbone",
            f"{cluster.why or 'auto-mTLS'}, inside HBONE"
            if cluster.sent in ("SIMPLE", "MUTUAL")
            else "the sidecar sends HBONE to an ambient endpoint",
        )
    if cluster.sent != "auto":
        return Sent(_FIELD[cluster.sent], cluster.why, cluster.part, cluster.sni)
    if cluster.same_for_all:
        return Sent("mtls", "auto-mTLS sends Istio mTLS to every endpoint")
    if endpoint.tls_mode != ISTIO:
        return Sent(
            "plaintext",
            "auto-mTLS sends plaintext because the endpoint is not labelled security.istio.io/tlsMode=istio",
        )
    if cluster.override is not None:
        if cluster.override == "ISTIO_MUTUAL":
            return Sent(
                "mtls",
                f"{RULE} omits tls for this port, but its top-level ISTIO_MUTUAL still applies to sidecar endpoints",
            )
        return Sent(
            "plaintext",
            f"{RULE} omits tls for this port, but its top-level {cluster.override} still turns auto-mTLS off",
        )
    decision = peers.decide(endpoint.namespace, endpoint.labels)
    mode = decision.at(endpoint.port)
    if mode == UNKNOWN:
        return Sent("unknown", decision.why(endpoint.port))
    if mode == DISABLE:
        return Sent("plaintext", f"auto-mTLS sends plaintext because {decision.why(endpoint.port)}", BY_SERVER)
    return Sent("mtls", "auto-mTLS sends Istio mTLS")


def tunnels(endpoint: Endpoint, preferred: bool) -> bool:
    """Whether an endpoint gets HBONE from a sidecar; legacy mTLS goes before it unless HBONE is preferred.

    pilot/pkg/xds/endpoints/endpoint_builder.go supportTunnel.
    """
    if endpoint.tls_mode == ISTIO and not preferred:
        return False
    if endpoint.labels.get(TUNNEL_LABEL) == "http":
        return True
    return endpoint.workload is not None and endpoint.workload.mesh == "ambient"
