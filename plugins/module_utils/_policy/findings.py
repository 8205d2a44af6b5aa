# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at. Ids are stable: one is never given another meaning.

========= ======== =====================================================================================
id        severity meaning
========= ======== =====================================================================================
MTLS-001  medium   Injection is asked for by the deprecated annotation instead of the label
MTLS-002  high     A workload of an enrolled namespace is not in the mesh
MTLS-003  high     A port bypasses the proxy, so that no policy reaches it
MTLS-004  high     A hostNetwork workload in an enrolled namespace can never be in the mesh
MTLS-005  medium   UDP and SCTP ports are never captured
MTLS-006  medium   A workload is PERMISSIVE: it accepts plaintext
MTLS-007  high     A workload is DISABLE: it accepts nothing but plaintext
MTLS-008  medium   A port of a STRICT workload is excepted
MTLS-009  medium   A PeerAuthentication with a selector in the root namespace is ignored
MTLS-010  medium   A PeerAuthentication is shadowed by an older one of the same scope
MTLS-011  low      A PeerAuthentication matches no workload
MTLS-012  medium   portLevelMtls without a selector has no effect
MTLS-013  high     A DestinationRule sends plaintext to workloads of the mesh
MTLS-014  high     A DestinationRule sends ISTIO_MUTUAL to endpoints that cannot take it
MTLS-015  high     A wildcard DestinationRule sends ISTIO_MUTUAL to hosts outside the mesh
MTLS-016  medium   A namespace has both istio-injection and istio.io/rev
MTLS-017  medium   An EnvoyFilter changes listeners or clusters: what it touches cannot be judged
MTLS-018  high     interceptionMode NONE: the proxy captures nothing
MTLS-019  medium   A container is named istio-proxy but nothing says that injection made it
MTLS-020  low      Network interfaces are excluded from capture
MTLS-021  medium   Outbound traffic bypasses the proxy
MTLS-022  medium   auto-mTLS is off
MTLS-023  info     A gateway serves a port in plaintext
MTLS-024  info     An AuthorizationPolicy refuses callers without identity at a port that accepts plaintext
MTLS-025  high     Discovery selectors hide a namespace that has proxies
MTLS-026  info     TLS of a Sidecar's ingress has no effect without a feature switch
MTLS-027  info     Ambient STRICT does not stop processes in the host network of the same node
MTLS-028  high     An ambient workload is excluded from inbound capture
========= ======== =====================================================================================
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Set, Tuple

from .engine import State
from .membership import Workload, matches
from .records import INJECT, PROXY_PORTS, REVISION_LABEL, Authorization
from .server import DISABLE, PERMISSIVE, STRICT, UNSET, PeerAuthenticationIndex, name_of

SEVERITIES: Dict[str, str] = {
    "MTLS-001": "medium",
    "MTLS-002": "high",
    "MTLS-003": "high",
    "MTLS-004": "high",
    "MTLS-005": "medium",
    "MTLS-006": "medium",
    "MTLS-007": "high",
    "MTLS-008": "medium",
    "MTLS-009": "medium",
    "MTLS-010": "medium",
    "MTLS-011": "low",
    "MTLS-012": "medium",
    "MTLS-013": "high",
    "MTLS-014": "high",
    "MTLS-015": "high",
    "MTLS-016": "medium",
    "MTLS-017": "medium",
    "MTLS-018": "high",
    "MTLS-019": "medium",
    "MTLS-020": "low",
    "MTLS-021": "medium",
    "MTLS-022": "medium",
    "MTLS-023": "info",
    "MTLS-024": "info",
    "MTLS-025": "high",
    "MTLS-026": "info",
    "MTLS-027": "info",
    "MTLS-028": "high",
}

Finding = Dict[str, Any]


def _finding(identifier: str, thing: str, message: str, fix: str) -> Finding:
    return {"id": identifier, "severity": SEVERITIES[identifier], "object": thing, "message": message, "fix": fix}


def _listed(items: Iterable[Any]) -> str:
    """A short list: what is named is enough to find the rest."""
    found = [str(item) for item in items]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def findings_of(state: State) -> List[Finding]:
    """All findings, in order of id and object."""
    found: List[Finding] = []
    enrolled = _enrolled(state)
    for workload in state.workloads:
        found.extend(_membership(state, workload, enrolled))
        found.extend(_capture(state, workload))
        found.extend(_mode(state, workload))
    found.extend(_annotations(state))
    found.extend(_policies(state))
    found.extend(_rules(state))
    found.extend(_namespaces(state))
    found.extend(_objects(state))
    unique = {(item["id"], item["object"], item["message"]): item for item in found}
    return [unique[key] for key in sorted(unique)]


def _enrolled(state: State) -> Set[str]:
    """Namespaces whose labels say that their pods belong to the mesh."""
    return {
        name
        for name, namespace in state.snapshot.namespaces.items()
        if namespace.labels.get("istio-injection", "enabled" if REVISION_LABEL in namespace.labels else "") == "enabled"
        or namespace.labels.get("istio.io/dataplane-mode") == "ambient"
    }


def _thing(workload: Workload) -> str:
    return f"{workload.kind} {workload.namespace}/{workload.name}"


def _membership(state: State, workload: Workload, enrolled: Set[str]) -> Iterable[Finding]:
    """Section 6: what the namespace's labels promise and the pods are not."""
    if workload.shape.stray_proxy:
        yield _finding(
            "MTLS-019",
            _thing(workload),
            "has a container named istio-proxy, but its pods lack the annotation "
            "sidecar.istio.io/status, so nothing shows that traffic passes through it",
            "let the injection webhook create the proxy",
        )
    if workload.mesh != "none" or workload.doubt or workload.namespace not in enrolled:
        return
    if workload.shape.host_network:
        yield _finding(
            "MTLS-004",
            _thing(workload),
            "uses the host network and is never injected: it accepts plaintext",
            "run it without hostNetwork, or move it to a namespace outside the mesh",
        )
        return
    if workload.labels.get(INJECT) == "false" or workload.shape.inject_annotation == "false":
        why, fix = "opts out of injection", f'remove {INJECT}: "false" from its pod template and restart it'
    elif workload.predicted:
        why, fix = "would get no proxy", "label its namespace or pod template for injection"
    else:
        why, fix = "has pods that were created without a proxy", "restart it, injection happens when a pod is created"
    yield _finding(
        "MTLS-002",
        _thing(workload),
        f"is not in the mesh although namespace {workload.namespace} is enrolled: it {why}",
        fix,
    )


def _capture(state: State, workload: Workload) -> Iterable[Finding]:
    """Section 7: traffic that no proxy sees."""
    if workload.shape.udp_ports and workload.mesh != "none":
        yield _finding(
            "MTLS-005",
            _thing(workload),
            f"serves UDP or SCTP on port {_listed(sorted({number for number, dummy in workload.shape.udp_ports}))}, "
            "which is never captured nor encrypted",
            "encrypt in the application or close the port",
        )
    capture = workload.shape.capture
    if workload.mesh == "ambient" and workload.shape.ambient_bypass:
        yield _finding(
            "MTLS-028",
            _thing(workload),
            "has ambient.istio.io/bypass-inbound-capture: no policy reaches it",
            "remove the annotation",
        )
    if workload.mesh != "sidecar" or workload.doubt:
        return
    if any(rule.mode == "NONE" for rule in capture.inbound):
        yield _finding(
            "MTLS-018",
            _thing(workload),
            "runs with interceptionMode NONE: its proxy captures nothing",
            "use REDIRECT or TPROXY",
        )
    else:
        ports = [port.number for port in state.ports[workload.id] if not port.acceptance.captured]
        excluded = sorted(
            {port for rule in capture.inbound if rule.include is None for port in rule.exclude} - PROXY_PORTS
            | set(ports)
        )
        if excluded:
            yield _finding(
                "MTLS-003",
                _thing(workload),
                f"port {_listed(excluded)} bypasses the proxy: PeerAuthentication "
                "does not reach it and mTLS clients break",
                "remove traffic.sidecar.istio.io/excludeInboundPorts or includeInboundPorts and restart it",
            )
    if capture.exclude_interfaces:
        yield _finding(
            "MTLS-020",
            _thing(workload),
            f"traffic on {capture.exclude_interfaces} bypasses the proxy",
            "remove traffic.sidecar.istio.io/excludeInterfaces",
        )
    if capture.outbound is not None:
        yield _finding(
            "MTLS-021",
            _thing(workload),
            "some of its outbound traffic bypasses its proxy and is sent as it is",
            "remove the outbound traffic.sidecar.istio.io annotations, or use a ServiceEntry",
        )


def _mode(state: State, workload: Workload) -> Iterable[Finding]:
    """Section 2: modes that accept plaintext."""
    decision = state.decisions[workload.id]
    by = f"PeerAuthentication {decision.policy}" if decision.policy else "no PeerAuthentication sets a mode"
    if decision.mode == PERMISSIVE:
        yield _finding(
            "MTLS-006",
            _thing(workload),
            f"is PERMISSIVE and accepts plaintext ({by})",
            "set STRICT once no client needs plaintext",
        )
    elif decision.mode == DISABLE:
        yield _finding("MTLS-007", _thing(workload), f"is DISABLE ({by})", "set PERMISSIVE, then STRICT")
    elif decision.mode == STRICT:
        ports = sorted(port for port, mode in decision.ports.items() if mode != STRICT)
        if ports:
            yield _finding(
                "MTLS-008",
                _thing(workload),
                f"is STRICT but PeerAuthentication {decision.port_policy} lets plaintext in on port {_listed(ports)}",
                "remove the port from portLevelMtls",
            )


def _annotations(state: State) -> Iterable[Finding]:
    """Section 6: the annotation is read only once a webhook was called, so it alone injects nothing.

    Beside a label that says the same it does no harm; Istio's own charts have both.
    """
    for template in state.snapshot.templates:
        value = template.annotations.get(INJECT)
        if value is not None and value != template.labels.get(INJECT):
            yield _annotation(f"Deployment {template.namespace}/{template.name}", value)
    for workload in state.workloads:
        value = workload.shape.inject_annotation
        if value is not None and value != workload.labels.get(INJECT):
            yield _annotation(_thing(workload), value)


def _annotation(thing: str, value: str) -> Finding:
    effect = (
        "in a namespace that is not enrolled it does nothing"
        if value == "true"
        else "the label decides where both exist"
    )
    return _finding(
        "MTLS-001",
        thing,
        f'uses the deprecated annotation {INJECT}: "{value}"; {effect}',
        "use the pod label of the same name",
    )


def _policies(state: State) -> Iterable[Finding]:
    """Section 2, scopes: PeerAuthentications that do not do what they seem to."""
    revisions = sorted({workload.shape.revision or "" for workload in state.workloads if workload.shape.revision})
    indexes: List[PeerAuthenticationIndex] = [
        state.plane(revision or None).peer_authentications for revision in revisions or [""]
    ]
    by_namespace: Dict[str, List[Workload]] = {}
    for workload in state.workloads:
        by_namespace.setdefault(workload.namespace, []).append(workload)
    for index in indexes:
        for peer in index.ignored:
            yield _finding(
                "MTLS-009",
                f"PeerAuthentication {name_of(peer)}",
                "has a selector and lives in the root namespace: it is ignored, also for workloads there",
                "move it to the namespace of the workloads",
            )
        for name, winner in index.shadowed.items():
            yield _finding(
                "MTLS-010",
                f"PeerAuthentication {name}",
                f"has no effect: {name_of(winner)} is older and has the same scope",
                "keep one PeerAuthentication for each scope",
            )
        for namespace, peers in index.workloads.items():
            winners: Dict[str, str] = {}
            contested: Set[str] = set()
            for workload in by_namespace.get(namespace, ()):
                found = index.workload_policy(namespace, workload.labels)
                if found is not None:
                    winners[workload.id] = name_of(found)
                    contested.update([workload.id] if found.doubt else ())
            for peer in peers:
                selected = [w.id for w in by_namespace.get(namespace, ()) if matches(peer.selector, w.labels)]
                if not selected and not state.unread.covers("Pod", namespace):
                    yield _finding(
                        "MTLS-011",
                        f"PeerAuthentication {name_of(peer)}",
                        "selects no workload",
                        "correct its selector or delete it",
                    )
                elif selected and contested.isdisjoint(selected) and name_of(peer) not in winners.values():
                    yield _finding(
                        "MTLS-010",
                        f"PeerAuthentication {name_of(peer)}",
                        f"has no effect: "
                        f"{_listed(sorted({winners[place] for place in selected}))} is older and selects the same "
                        "workloads; port maps never merge",
                        "merge them into one",
                    )
    for peer in state.snapshot.peer_authentications:
        if peer.ports and not peer.selector:
            yield _finding(
                "MTLS-012",
                f"PeerAuthentication {name_of(peer)}",
                "has portLevelMtls without a selector: the ports have no effect",
                "add a selector",
            )
        if peer.mode == UNSET and not peer.ports and peer.selector:
            yield _finding(
                "MTLS-012", f"PeerAuthentication {name_of(peer)}", "sets neither a mode nor ports", "set a mode"
            )


def _rules(state: State) -> Iterable[Finding]:
    """Section 3: DestinationRules that contradict the endpoints that they cover."""
    wildcards = {f"{rule.namespace}/{rule.name}" for rule in state.snapshot.destination_rules if rule.host[:1] == "*"}
    grouped: Dict[Tuple[str, str], List[str]] = {}
    for what, rule, host in sorted(state.judge.remarks):
        grouped.setdefault((what, rule), []).append(host)
    for (what, rule), hosts in grouped.items():
        thing = f"DestinationRule {rule}"
        if what == "plaintext":
            yield _finding(
                "MTLS-013",
                thing,
                f"makes clients send plaintext to {_listed(hosts)}, which is in the mesh",
                "remove its tls setting: auto-mTLS does the rest",
            )
        elif wildcards.intersection(rule.split(" + ")):
            yield _finding(
                "MTLS-015",
                thing,
                f"is a blanket rule that sends ISTIO_MUTUAL also to {_listed(hosts)}, outside the mesh: requests fail "
                "with 503",
                "name hosts of the mesh only; auto-mTLS serves the rest",
            )
        else:
            yield _finding(
                "MTLS-014",
                thing,
                f"sends ISTIO_MUTUAL to {_listed(hosts)}, whose endpoints cannot take it",
                "remove its tls setting, or bring the endpoints into the mesh",
            )


def _namespaces(state: State) -> Iterable[Finding]:
    """Sections 1 and 6: labels of namespaces."""
    for name, namespace in state.snapshot.namespaces.items():
        if "istio-injection" in namespace.labels and REVISION_LABEL in namespace.labels:
            yield _finding(
                "MTLS-016",
                f"Namespace {name}",
                f"is labelled istio-injection={namespace.labels['istio-injection']} "
                f"and {REVISION_LABEL}={namespace.labels[REVISION_LABEL]}: the first wins",
                "keep one of the two labels",
            )
    hidden = {
        (workload.namespace, workload.shape.revision)
        for workload in state.workloads
        if workload.mesh != "none" and not state.plane(workload.shape.revision).sees_namespace(workload.namespace)
    }
    for name, revision in hidden:
        yield _finding(
            "MTLS-025",
            f"Namespace {name}",
            f"has proxies of revision {revision}, whose discovery selectors leave "
            "it out: its policies count for nothing",
            "label it for discoverySelectors or take it out of the mesh",
        )


def _objects(state: State) -> Iterable[Finding]:
    """Single objects worth a look."""
    snapshot = state.snapshot
    for item in snapshot.envoy_filters:
        if item.inbound or item.outbound:
            yield _finding(
                "MTLS-017",
                f"EnvoyFilter {item.namespace}/{item.name}",
                "changes listeners or clusters: what the "
                "proxies that it selects accept or send cannot be told from manifests",
                "check the running proxies, or replace it by Istio's own API",
            )
    for mesh in state.control_planes.by_name.values():
        if not mesh.auto_mtls:
            yield _finding(
                "MTLS-022",
                f"revision {mesh.name}",
                "auto-mTLS is off: clients send plaintext unless a DestinationRule says otherwise",
                "remove enableAutoMtls: false from the mesh configuration",
            )
    for gateway in snapshot.gateways:
        ports = sorted(server.port for server in gateway.servers if server.tls is None)
        if ports:
            yield _finding(
                "MTLS-023",
                f"Gateway {gateway.namespace}/{gateway.name}",
                f"serves port {_listed(ports)} in plaintext",
                "add tls to the server, or redirect to HTTPS",
            )
    for sidecar in snapshot.sidecars:
        ports = [listener.port for listener in sidecar.ingress if listener.tls]
        if ports:
            yield _finding(
                "MTLS-026",
                f"Sidecar {sidecar.namespace}/{sidecar.name}",
                "tls of ingress port "
                f"{_listed(ports)} has no effect unless istiod has ENABLE_TLS_ON_SIDECAR_INGRESS and "
                "the port is DISABLE",
                "use PeerAuthentication",
            )
    yield from _identities(state)
    yield from _udp_services(state)
    strict = [w for w in state.workloads if w.mesh == "ambient" and state.decisions[w.id].mode == STRICT]
    if strict:
        yield _finding(
            "MTLS-027",
            "ambient",
            f"{_listed(w.id for w in strict)} is STRICT, but processes in the host network of "
            "the same node reach it in plaintext",
            "keep untrusted hostNetwork pods off these nodes",
        )


def _udp_services(state: State) -> Iterable[Finding]:
    """Section 7: only TCP is captured."""
    for service in state.snapshot.services:
        ports = sorted(port.number for port in service.ports if port.protocol == "udp")
        if not ports or not service.selector:
            continue
        if any(
            workload.mesh != "none"
            and workload.namespace == service.namespace
            and matches(service.selector, workload.labels)
            for workload in state.workloads
        ):
            yield _finding(
                "MTLS-005",
                f"Service {service.namespace}/{service.name}",
                f"serves UDP or SCTP on port {_listed(ports)}, which is never captured nor encrypted",
                "encrypt in the application or close the port",
            )


def _identities(state: State) -> Iterable[Finding]:
    """Section 7: AuthorizationPolicies that refuse plaintext where the mode accepts it; they do not encrypt."""
    policies: Dict[str, List[Authorization]] = {}
    for policy in state.snapshot.authorizations:
        if policy.demands_identity and not policy.targets:
            policies.setdefault(policy.namespace, []).append(policy)
    for workload in state.workloads if policies else ():
        if workload.mesh not in ("sidecar", "ambient") or not any(
            port.acceptance.captured and port.acceptance.plaintext == "accepted" for port in state.ports[workload.id]
        ):
            continue
        root = state.plane(workload.shape.revision).mesh.root_namespace
        for namespace in sorted({workload.namespace, root}):
            for policy in policies.get(namespace, ()):
                if matches(policy.selector, workload.labels):
                    yield _finding(
                        "MTLS-024",
                        _thing(workload),
                        f"accepts plaintext connections, and AuthorizationPolicy {policy.namespace}/{policy.name} then "
                        "refuses requests without a mesh identity",
                        "set STRICT to refuse them before anything is sent",
                    )
