# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects by which the API server calls Services: webhooks of admission and conversion, and aggregated APIs.

Of the API groups admissionregistration.k8s.io, apiregistration.k8s.io and apiextensions.k8s.io. Istio's injection
webhooks among them say which control planes there are.
"""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping

from ..fields import Identity, identity_of, labels_of, mapping, number_of, sequence, text_of
from ..pods import PodParser
from ..records import (
    REVISION_LABEL,
    ServerCall,
    Snapshot,
    Webhook,
)

_HTTPS = 443
"""Where the API server calls a Service of which no port is named (ServiceReference in each of the groups)."""


def _home_by_name(name: str, revision: str) -> Iterable[str]:
    """Where the control plane is by what Istio's chart calls the object, outside of istio-system.

    manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml: the chart's default revision may be
    left out.
    """
    for start in (f"istio-sidecar-injector-{revision}-", "istio-sidecar-injector-" if revision == "default" else ""):
        if start and name.startswith(start) and len(name) > len(start):
            return (name[len(start) :],)
    return ()


def mutating_webhook_configuration(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    revision = labels.get(REVISION_LABEL)
    if revision:
        configs = _client_configs(manifest)
        homes = {_namespace_of(config) for config in configs} - {""}
        remote = any(config.get("url") for config in configs)
        if not homes and not remote:
            homes.update(_home_by_name(identity.name, revision))
        snapshot.webhooks.append(Webhook(identity.name, revision, labels.get("istio.io/tag"), frozenset(homes), remote))
    _admission(snapshot, identity, manifest)


def validating_webhook_configuration(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    _admission(snapshot, identity_of(manifest), manifest)


def api_service(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    _call(snapshot, manifest, identity_of(manifest), mapping(manifest.get("spec"), "spec"))


def custom_resource_definition(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    conversion = mapping(mapping(manifest.get("spec"), "spec").get("conversion"), "spec.conversion")
    webhook = mapping(conversion.get("webhook"), "spec.conversion.webhook")
    _call(snapshot, manifest, identity_of(manifest), mapping(webhook.get("clientConfig"), "clientConfig"))


def _client_configs(manifest: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    return [
        mapping(mapping(entry, "an entry of webhooks").get("clientConfig"), "clientConfig")
        for entry in sequence(manifest.get("webhooks"), "webhooks")
    ]


def _namespace_of(config: Mapping[str, Any]) -> str:
    service = mapping(config.get("service"), "clientConfig.service")
    return text_of(service.get("namespace"), "clientConfig.service.namespace")


def _admission(snapshot: Snapshot, identity: Identity, manifest: Mapping[str, Any]) -> None:
    for config in _client_configs(manifest):
        _call(snapshot, manifest, identity, config)


def _call(snapshot: Snapshot, manifest: Mapping[str, Any], identity: Identity, config: Mapping[str, Any]) -> None:
    """Remembers the Service of a client configuration; one without calls nobody, or an address."""
    service = mapping(config.get("service"), "service")
    namespace, name = (
        text_of(service.get("namespace"), "service.namespace"),
        text_of(service.get("name"), "service.name"),
    )
    if namespace and name:
        port = service.get("port")
        snapshot.server_calls.append(
            ServerCall(
                f"{manifest['kind']} {identity.name}",
                f"{namespace}/{name}",
                _HTTPS if port is None else number_of(port, "service.port"),
            )
        )
