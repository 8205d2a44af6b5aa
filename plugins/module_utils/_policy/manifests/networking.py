# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API group networking.istio.io."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from ..fields import closed, identity_of, labels_of, mapping, number_of, one_of, selector_of, sequence, strings, text_of
from ..pods import PodParser
from ..records import (
    TLS_MODE_LABEL,
    UNTRANSLATED,
    DestinationRule,
    Egress,
    Entry,
    Ingress,
    Labels,
    Malformed,
    Policy,
    PortPolicy,
    ServiceEntry,
    ServicePort,
    SidecarObject,
    Snapshot,
    Subset,
    Tls,
)
from ..services import OWN_TLS
from .protocols import HTTP, instance_of, protocol_of

_TLS_MODES = ("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL")
# The fields of a DestinationRule and of what is in it (networking/v1alpha3/destination_rule.proto).
_RULE_FIELDS = frozenset(("host", "trafficPolicy", "subsets", "exportTo", "workloadSelector"))
_SUBSET_FIELDS = frozenset(("name", "labels", "trafficPolicy"))
_PORT_POLICY_FIELDS = frozenset(("port", "loadBalancer", "connectionPool", "outlierDetection", "tls"))
_POLICY_FIELDS = (_PORT_POLICY_FIELDS - {"port"}) | {"portLevelSettings", "tunnel", "proxyProtocol", "retryBudget"}
_OWN_CERTIFICATE = ("clientCertificate", "privateKey", "caCertificates", "caCrl", "credentialName")
_TLS_FIELDS = frozenset(("mode", *_OWN_CERTIFICATE, "subjectAltNames", "sni", "insecureSkipVerify"))


def _tls(value: Any, what: str) -> Optional[Tls]:
    """No `tls` is None; `tls: {}` is DISABLE, the zero of the enumeration."""
    if value is None:
        return None
    tls = closed(value, _TLS_FIELDS, what)
    mode = text_of(tls.get("mode"), f"{what}.mode") or "DISABLE"
    if mode not in _TLS_MODES:
        raise Malformed(f"{what}.mode is {mode}, which is no mode")
    credential = text_of(tls.get("credentialName"), f"{what}.credentialName")
    missing = mode == "MUTUAL" and not credential and not (tls.get("clientCertificate") and tls.get("privateKey"))
    secret = bool(credential) and not credential.startswith("configmap://")
    return Tls(mode, secret, missing, text_of(tls.get("sni"), f"{what}.sni"))


_BALANCERS = ("", "UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")
_RESOLUTIONS = ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS")
_LOCATIONS = ("MESH_EXTERNAL", "MESH_INTERNAL")
_CAPTURE_MODES = ("DEFAULT", "IPTABLES", "NONE")
_OUTBOUND = ("REGISTRY_ONLY", "ALLOW_ANY")


def _balancer(value: Any, what: str) -> Optional[str]:
    return None if value is None else one_of(mapping(value, what).get("simple"), _BALANCERS, f"{what}.simple")


def _policy(value: Any, what: str) -> Optional[Policy]:
    if value is None:
        return None
    policy = closed(value, _POLICY_FIELDS, what)
    ports = []
    for entry in sequence(policy.get("portLevelSettings"), f"{what}.portLevelSettings"):
        settings = closed(entry, _PORT_POLICY_FIELDS, "an entry of portLevelSettings")
        port = mapping(settings.get("port"), "portLevelSettings.port").get("number")
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


def destination_rule(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = closed(manifest.get("spec"), _RULE_FIELDS, "spec")
    subsets = []
    for subset in sequence(spec.get("subsets"), "spec.subsets"):
        subset = closed(subset, _SUBSET_FIELDS, "an entry of spec.subsets")
        subsets.append(
            Subset(
                text_of(subset.get("name"), "subsets.name"),
                tuple(sorted(labels_of(subset.get("labels"), "subsets.labels").items())),
                _policy(subset.get("trafficPolicy"), "subsets.trafficPolicy"),
            )
        )
    snapshot.destination_rules.append(
        DestinationRule(
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


def _spoken(instance: str) -> str:
    """pilot/pkg/networking/networking.go ModelProtocolToListenerProtocol, with TLS apart."""
    return "http" if instance in HTTP else "tls" if instance in OWN_TLS else "tcp" if instance else ""


def sidecar(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    egress = []
    for listener in sequence(spec.get("egress"), "spec.egress"):
        port = mapping(listener.get("port"), "egress.port")
        number = number_of(port.get("number"), "egress.port.number") if port.get("number") is not None else 0
        protocol = text_of(port.get("protocol"), "egress.port.protocol")
        proxy = protocol.upper().replace("-", "_") == "HTTP_PROXY"
        capture = one_of(listener.get("captureMode"), _CAPTURE_MODES, "egress.captureMode")
        aside = capture == "NONE" or bool(text_of(listener.get("bind"), "egress.bind"))
        speaks = _spoken(instance_of(protocol, "", ""))
        egress.append(Egress(number, proxy, strings(listener.get("hosts"), "egress.hosts"), aside, speaks))
    outbound = None
    if spec.get("outboundTrafficPolicy") is not None:
        policy = mapping(spec["outboundTrafficPolicy"], "spec.outboundTrafficPolicy")
        # REGISTRY_ONLY is the zero of the enumeration.
        outbound = one_of(policy.get("mode"), _OUTBOUND, "outboundTrafficPolicy.mode")
    ingress = []
    for listener in sequence(spec.get("ingress"), "spec.ingress"):
        port = mapping(listener.get("port"), "ingress.port")
        number = number_of(port.get("number"), "ingress.port.number")
        protocol = text_of(port.get("protocol"), "ingress.port.protocol")
        ingress.append(Ingress(number, protocol_of(protocol, "", "") == "http", listener.get("tls") is not None))
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


def workload_entry(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    extra = labels_of(identity.metadata.get("labels"), "metadata.labels")
    snapshot.entries.append(
        _entry_of(identity.namespace, identity.name, identity.revision, mapping(manifest.get("spec"), "spec"), extra)
    )


def service_entry(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
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
                protocol_of(protocol, "", protocol.upper()),
                number_of(target, "ports.targetPort") if target else None,
                instance_of(protocol, "", protocol.upper()),
            )
        )
    endpoints = tuple(
        _entry_of(
            identity.namespace, f"{identity.name}-{place}", None, mapping(endpoint, "an entry of spec.endpoints"), {}
        )
        for place, endpoint in enumerate(sequence(spec.get("endpoints"), "spec.endpoints"))
    )
    given = mapping(manifest.get("status"), "status").get("addresses")
    allocated = [mapping(item, "status.addresses") for item in sequence(given, "status.addresses")]
    snapshot.service_entries.append(
        ServiceEntry(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            strings(spec.get("hosts"), "spec.hosts"),
            strings(spec.get("addresses"), "spec.addresses"),
            tuple(ports),
            one_of(spec.get("location"), _LOCATIONS, "spec.location") != "MESH_INTERNAL",
            one_of(spec.get("resolution"), _RESOLUTIONS, "spec.resolution"),
            endpoints,
            selector_of(spec.get("workloadSelector"), "labels", "spec.workloadSelector"),
            tuple(sorted(set(strings(spec.get("exportTo"), "spec.exportTo")))),
            UNTRANSLATED in labels_of(identity.metadata.get("labels"), "metadata.labels"),
            tuple(
                (
                    text_of(item.get("value"), "status.addresses.value"),
                    text_of(item.get("host"), "status.addresses.host"),
                )
                for item in allocated
            ),
        )
    )
