# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh configuration of each revision, and what its control plane sees (semantics, section 1).

A mesh ConfigMap holds YAML text. `data.mesh` may also be JSON text or already parsed. For YAML this file imports
PyYAML, which ansible-core and kubernetes.core bring with them; without it that revision's configuration is unknown.
"""

from __future__ import annotations

import json
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from .records import Labels, MeshMap, NamespaceObject, Snapshot

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
    selectors: Tuple[Tuple[Requirement, ...], ...] = ()
    interception: str = ""
    sidecars_accept_hbone: bool = False
    doubt: str = ""
    """Why this configuration cannot be relied on; then nothing that depends on it can be told."""

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


def _load(mesh: Any) -> Tuple[Dict[str, Any], str]:
    """The mesh configuration as a dictionary, and why not if it cannot be had."""
    if isinstance(mesh, str):
        try:
            mesh = json.loads(mesh)
        except ValueError:
            try:
                import yaml
            except ImportError:
                return {}, "it is YAML and the Python library PyYAML is missing"
            try:
                mesh = yaml.safe_load(mesh)
            except yaml.YAMLError:
                return {}, "it is not YAML"
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


def _mesh(revision: str, source: MeshMap) -> Mesh:
    """Reads one ConfigMap; a missing field is Istio's default, a missing enableAutoMtls means true."""
    config, doubt = _load(source.mesh)
    if doubt:
        return Mesh(revision, root_namespace=source.namespace, doubt=doubt)
    try:
        default = config.get("defaultConfig") or {}
        return Mesh(
            revision,
            root_namespace=str(config.get("rootNamespace") or ROOT_NAMESPACE),
            auto_mtls=config.get("enableAutoMtls") is not False,
            trust_domain=str(config.get("trustDomain") or "cluster.local"),
            aliases=frozenset(str(item) for item in config.get("trustDomainAliases") or ()),
            foreign=frozenset(
                str(domain)
                for authority in config.get("caCertificates") or ()
                for domain in authority.get("trustDomains") or ()
            ),
            allow_any=(config.get("outboundTrafficPolicy") or {}).get("mode") != "REGISTRY_ONLY",
            service_export=_export(config.get("defaultServiceExportTo")),
            rule_export=_export(config.get("defaultDestinationRuleExportTo")),
            selectors=_selectors(config.get("discoverySelectors")),
            interception=str(default.get("interceptionMode") or ""),
            sidecars_accept_hbone=str((default.get("proxyMetadata") or {}).get("ISTIO_META_ENABLE_HBONE")) == "true",
        )
    except (AttributeError, KeyError, TypeError):
        return Mesh(revision, root_namespace=source.namespace, doubt="a field has an unexpected type")


class Meshes:
    """Every revision, and which one a name means."""

    def __init__(self, snapshot: Snapshot, unread: bool) -> None:
        self.by_name: Dict[str, Mesh] = {}
        self.duplicates: List[str] = []
        self.missing = not snapshot.mesh_maps
        candidates: Dict[str, List[MeshMap]] = {}
        for source in snapshot.mesh_maps:
            candidates.setdefault(source.revision, []).append(source)
        for revision, sources in sorted(candidates.items()):
            # The ConfigMap counts where its istiod runs; of several the one in istio-system, else the first by name.
            homes = {item.namespace for item in snapshot.templates if item.name.startswith("istiod")}
            sources.sort(
                key=lambda item: (item.namespace not in homes, item.namespace != ROOT_NAMESPACE, item.namespace)
            )
            self.by_name[revision] = _mesh(revision, sources[0])
            if len(sources) > 1:
                self.duplicates.append(revision)
        self._doubt = "the mesh ConfigMap could not be read" if unread else ""
        if self.missing:
            self.by_name[DEFAULT_REVISION] = Mesh(DEFAULT_REVISION, doubt=self._doubt)
        self.tags: Dict[str, str] = {hook.tag: hook.revision for hook in snapshot.webhooks if hook.tag}
        self.hooks = {hook.revision for hook in snapshot.webhooks}
        self.assumed: Dict[str, Mesh] = {}

    def of(self, revision: Optional[str]) -> Mesh:
        """The configuration of a proxy's revision. One without a ConfigMap gets Istio's defaults, see `assumed`."""
        name = revision or DEFAULT_REVISION
        mesh = self.by_name.get(name) or self.by_name.get(self.tags.get(name, "")) or self.assumed.get(name)
        if mesh is None:
            if revision is None and len(self.by_name) == 1:
                return next(iter(self.by_name.values()))
            mesh = self.assumed[name] = Mesh(name, doubt=self._doubt)
        return mesh

    def resolve(self, label: str) -> Optional[str]:
        """The revision behind a label value, None when no injection webhook answers to it, as far as is known."""
        if label in self.tags:
            return self.tags[label]
        if label in self.by_name or label in self.hooks or label == DEFAULT_REVISION:
            return label
        return None

    def sees(self, mesh: Mesh, label: Optional[str]) -> bool:
        """Whether an object labelled istio.io/rev is for this revision (pkg/config/model.go LabelsInRevision)."""
        return label is None or label == mesh.name or self.tags.get(label) == mesh.name
