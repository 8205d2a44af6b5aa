# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh configuration, and which namespaces a control plane with it sees (semantics, section 1).

A mesh ConfigMap holds YAML text. `data.mesh` may also be JSON text or already parsed. For YAML this file imports
PyYAML, which ansible-core and kubernetes.core bring with them; without it that revision's configuration is unknown.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, NamedTuple, Optional, Sequence, Tuple

from .._foreign import json_text, yaml_text
from .._foreign.guards import NOT_UNDERSTOOD
from .._foreign.unreadable import Unreadable
from .records import Labels, Malformed, MeshMap, NamespaceObject

DEFAULT_REVISION = "default"
ROOT_NAMESPACE = "istio-system"
CLUSTER_DOMAIN = "cluster.local"


class Requirement(NamedTuple):
    """One requirement of a label selector."""

    key: str
    operator: str
    values: FrozenSet[str]


class Mesh(NamedTuple):
    """One revision's mesh configuration with Istio's defaults filled in (pkg/config/mesh/mesh.go)."""

    name: str
    root_namespace: str = ROOT_NAMESPACE
    auto_mtls: bool = True
    trust_domain: str = "cluster.local"
    aliases: FrozenSet[str] = frozenset()
    """Trust domains that count as its own, on both sides of a connection."""
    foreign: FrozenSet[str] = frozenset()
    """Further trust domains of which servers accept clients."""
    allow_any: bool = True
    service_export: Tuple[str, ...] = ("*",)
    rule_export: Tuple[str, ...] = ("*",)
    route_export: Tuple[str, ...] = ("*",)
    selectors: Tuple[Tuple[Requirement, ...], ...] = ()
    interception: str = ""
    sidecars_accept_hbone: bool = False
    doubt: str = ""
    """Why this configuration cannot be relied on; then nothing that depends on it can be told."""
    namespace: Optional[str] = None
    """Where its control plane runs, None where that cannot be told."""
    tags: Tuple[str, ...] = ()
    version: Optional[str] = None
    """Of its control plane, from istiod's image."""
    ingress_mode: str = "STRICT"
    """Which Ingresses without a class are its own: none (STRICT, OFF) or all (DEFAULT)."""
    ingress_class: str = "istio"
    ingress_label: str = "ingressgateway"
    """The value of the label `istio` of the pods that Ingresses are for."""

    def accepts_clients_of(self, other: "Mesh") -> bool:
        """Whether a server lets in the identities of another revision (plugin/authn TrustDomainsForValidation)."""
        return other.trust_domain == self.trust_domain or other.trust_domain in self.aliases | self.foreign

    def accepts_servers_of(self, other: "Mesh") -> bool:
        """Whether a client expects the identities of another revision (push_context.go addServiceAccounts)."""
        return other.trust_domain == self.trust_domain or other.trust_domain in self.aliases

    def public(self) -> Dict[str, Any]:
        """The entry of the result."""
        return {
            "name": self.name,
            "root_namespace": self.root_namespace,
            "auto_mtls": self.auto_mtls,
            "trust_domain": self.trust_domain,
            "namespace": self.namespace,
            "version": self.version,
            "tags": list(self.tags),
        }

    def discovers(self, namespace: Optional[NamespaceObject]) -> bool:
        """Whether discoverySelectors leave this namespace in the control plane's view."""
        if not self.selectors:
            return True
        labels = namespace.labels if namespace else {}
        return any(all(_fulfils(labels, requirement) for requirement in selector) for selector in self.selectors)


def _fulfils(labels: Labels, requirement: Requirement) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")


_MOST_CHARACTERS = 1024 * 1024
"""What the API server stores in a ConfigMap."""


def _load(mesh: Any) -> Tuple[Dict[str, Any], str]:
    """The mesh configuration as a dictionary, and why not if it cannot be had."""
    if isinstance(mesh, str):
        if len(mesh) > _MOST_CHARACTERS:
            return {}, "it is bigger than a ConfigMap can be"
        try:
            mesh = json_text.parse(mesh)
        except Unreadable:
            if yaml_text.IMPORT_ERROR:
                return {}, "it is YAML and the Python library PyYAML is missing"
            try:
                mesh = yaml_text.parse(mesh)
            except Unreadable:
                return {}, "it is no YAML that can be read"
    if mesh is None:
        return {}, ""
    return (mesh, "") if isinstance(mesh, dict) else ({}, "it is not a mapping")


def _selectors(value: Any) -> Tuple[Tuple[Requirement, ...], ...]:
    found = []
    for selector in value or ():
        needs = [
            Requirement(key, "In", frozenset((wanted,))) for key, wanted in (selector.get("matchLabels") or {}).items()
        ]
        for term in selector.get("matchExpressions") or ():
            needs.append(Requirement(term["key"], term["operator"], frozenset(term.get("values") or ())))
        found.append(tuple(needs))
    return tuple(found)


def _export(value: Any) -> Tuple[str, ...]:
    return ("*",) if value is None else tuple(str(item) for item in value)


_FIELDS = (
    "rootNamespace",
    "enableAutoMtls",
    "trustDomain",
    "trustDomainAliases",
    "caCertificates",
    "outboundTrafficPolicy",
    "defaultServiceExportTo",
    "defaultDestinationRuleExportTo",
    "defaultVirtualServiceExportTo",
    "discoverySelectors",
    "ingressControllerMode",
    "ingressClass",
    "ingressService",
    "ingressSelector",
    "defaultConfig",
)
_OF_CERTIFICATES = ("trustDomains",)
_OF_PROXIES = ("interceptionMode", "proxyMetadata")


def proto_name(name: str) -> str:
    """Istio takes each field by two names: rootNamespace is root_namespace, too."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _fields(message: Any, names: Sequence[str]) -> Dict[str, Any]:
    """Some fields of a message of the mesh configuration, by their JSON names; null is none. Raises Malformed."""
    if not isinstance(message, dict):
        raise Malformed("a field has an unexpected type")
    found: Dict[str, Any] = {}
    for name in names:
        given = [message[key] for key in (name, proto_name(name)) if key in message]
        if len(given) > 1:
            raise Malformed(f"{name} is there by two names")
        if given and given[0] is not None:
            found[name] = given[0]
    return found


def _merged(base: Dict[str, Any], over: Dict[str, Any]) -> Dict[str, Any]:
    """One configuration over another (pkg/config/mesh/mesh.go ApplyMeshConfig): what it says replaces what was there.

    But for defaultConfig, which is merged field by field, its proxyMetadata by name, and for trustDomainAliases, which
    add up.
    """
    found = {**base, **over}
    if "defaultConfig" in over:
        one, other = (_fields(config.get("defaultConfig", {}), _OF_PROXIES) for config in (base, over))
        metadata = {**one.get("proxyMetadata", {}), **other.get("proxyMetadata", {})}
        found["defaultConfig"] = {**one, **other, "proxyMetadata": metadata}
    if "trustDomainAliases" in over:
        found["trustDomainAliases"] = [*base.get("trustDomainAliases", ()), *over["trustDomainAliases"]]
    return found


def mesh_of(revision: str, sources: Sequence[MeshMap]) -> Mesh:
    """Reads the ConfigMaps of a revision, each over those before it and all over Istio's defaults.

    One that cannot be read makes all unknown: istiod would go by what it knew before, or by half of it
    (pkg/config/mesh/meshwatcher/collection.go).
    """
    config: Dict[str, Any] = {}
    root = sources[0].namespace if sources else ROOT_NAMESPACE
    for source in sources:
        found, doubt = _load(source.mesh)
        if doubt:
            return Mesh(revision, root_namespace=root, doubt=f"{source.name}: {doubt}" if len(sources) > 1 else doubt)
        try:
            config = _merged(config, _fields(found, _FIELDS))
        except Malformed as error:
            return Mesh(revision, root_namespace=root, doubt=str(error))
        except NOT_UNDERSTOOD:
            return Mesh(revision, root_namespace=root, doubt="a field has an unexpected type")
    return _of_config(revision, config, root)


def _of_config(revision: str, config: Dict[str, Any], root: str) -> Mesh:
    """A missing field is Istio's default, a missing enableAutoMtls means true."""
    try:
        default = config.get("defaultConfig", {})
        for name in ("rootNamespace", "trustDomain"):
            if config.get(name) == "":
                raise Malformed(f"{name} is empty")
        return Mesh(
            revision,
            root_namespace=str(config.get("rootNamespace") or ROOT_NAMESPACE),
            auto_mtls=_switch(config.get("enableAutoMtls"), "enableAutoMtls"),
            trust_domain=str(config.get("trustDomain") or "cluster.local"),
            aliases=frozenset(str(item) for item in config.get("trustDomainAliases") or ()),
            foreign=frozenset(
                str(domain)
                for certificate in config.get("caCertificates") or ()
                for domain in _fields(certificate, _OF_CERTIFICATES).get("trustDomains", ())
            ),
            allow_any=(config.get("outboundTrafficPolicy") or {}).get("mode") != "REGISTRY_ONLY",
            service_export=_export(config.get("defaultServiceExportTo")),
            rule_export=_export(config.get("defaultDestinationRuleExportTo")),
            route_export=_export(config.get("defaultVirtualServiceExportTo")),
            selectors=_selectors(config.get("discoverySelectors")),
            interception=str(default.get("interceptionMode") or ""),
            ingress_mode=str(config.get("ingressControllerMode") or "STRICT"),
            ingress_class=str(config.get("ingressClass") or "istio"),
            ingress_label=_ingress_label(config),
            sidecars_accept_hbone=str((default.get("proxyMetadata") or {}).get("ISTIO_META_ENABLE_HBONE")) == "true",
        )
    except Malformed as error:
        return Mesh(revision, root_namespace=root, doubt=str(error))
    except NOT_UNDERSTOOD:
        return Mesh(revision, root_namespace=root, doubt="a field has an unexpected type")


def _ingress_label(config: Dict[str, Any]) -> str:
    """pilot/pkg/config/kube/ingress/gateways.go getIngressGatewaySelector."""
    service = str(config.get("ingressService") or "")
    return str(config.get("ingressSelector") or "") or (
        service if service not in ("", "istio-ingressgateway") else "ingressgateway"
    )


def _switch(value: Any, what: str) -> bool:
    """A BoolValue whose absence means true; istiod refuses a configuration in which it is text."""
    if value is None or isinstance(value, bool):
        return value is not False
    raise Malformed(f"{what} is neither true nor false")
