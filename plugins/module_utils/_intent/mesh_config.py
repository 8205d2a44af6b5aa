# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What istiod could not decode of `meshConfig`: it keeps an old configuration then, or does not start.

Types as protobuf's JSON has them (istio.io/api mesh/v1alpha1/config.proto, read by pkg/config/mesh/mesh.go,
ApplyMeshConfig). Unknown names are no fault: istiod ignores them, and so does a name that a later version brings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s", re.ASCII)
_MOST_OF_INT32 = 2**31


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"-?\d{1,10}", value, re.ASCII)) and -_MOST_OF_INT32 <= int(value) < _MOST_OF_INT32
    return isinstance(value, int) and not isinstance(value, bool) and -_MOST_OF_INT32 <= value < _MOST_OF_INT32


def _is_duration(value: Any) -> bool:
    return isinstance(value, str) and bool(_DURATION.fullmatch(value))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


_TYPES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("a whole number", _is_number, "proxyListenPort proxyInboundListenPort proxyHttpPort"),
    (
        "a duration such as 10s",
        _is_duration,
        "connectTimeout hboneIdleTimeout protocolDetectionTimeout dnsRefreshRate",
    ),
    (
        "true or false",
        _is_flag,
        "enableTracing enableEnvoyAccessLogService disableEnvoyListenerLog enableAutoMtls enablePrometheusMerge "
        "verifyCertificateAtClient",
    ),
    (
        "text",
        _is_text,
        "ingressClass ingressService ingressSelector accessLogFile accessLogFormat trustDomain rootNamespace "
        "inboundClusterStatName outboundClusterStatName",
    ),
    (
        "a list of text",
        _is_texts,
        "trustDomainAliases defaultServiceExportTo defaultVirtualServiceExportTo defaultDestinationRuleExportTo",
    ),
    (
        "a list of mappings",
        _is_mappings,
        "configSources caCertificates certificates serviceSettings serviceScopeConfigs extensionProviders "
        "discoverySelectors",
    ),
    (
        "a mapping",
        _is_mapping,
        "tcpKeepalive defaultConfig outboundTrafficPolicy inboundTrafficPolicy localityLbSetting zoneAwareLbSetting ca "
        "defaultProviders pathNormalization defaultHttpRetryPolicy meshMTLS tlsDefaults defaultTrafficPolicy",
    ),
)
_KNOWN = {name: (words, check) for words, check, names in _TYPES for name in names.split()}
_CHOICES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("ingressControllerMode",): ("UNSPECIFIED", "OFF", "DEFAULT", "STRICT"),
    ("accessLogEncoding",): ("TEXT", "JSON"),
    ("h2UpgradePolicy",): ("DO_NOT_UPGRADE", "UPGRADE"),
    ("outboundTrafficPolicy", "mode"): ("REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"),
    ("inboundTrafficPolicy", "mode"): ("PASSTHROUGH", "LOCALHOST"),
    ("pathNormalization", "normalization"): ("DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"),
    ("meshMTLS", "minProtocolVersion"): ("TLS_AUTO", "TLSV1_2", "TLSV1_3"),
    ("tlsDefaults", "minProtocolVersion"): ("TLS_AUTO", "TLSV1_2", "TLSV1_3"),
}
"""Enumerations; their numbers can be written, too."""


def mesh_config_problems(config: Any) -> Iterator[str]:
    """Sentences about what istiod would refuse of the value of `meshConfig`; None is no configuration."""
    if config is None:
        return
    if not isinstance(config, Mapping):
        yield _sentence((), config, "a mapping")
        return
    for name, value in config.items():
        known = _KNOWN.get(str(name))
        if known and value is not None and not known[1](value):
            yield _sentence((str(name),), value, known[0])
    for path, choices in _CHOICES.items():
        found: Any = config
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None and found not in choices and not _is_whole(found):
            yield _sentence(path, found, f"one of {', '.join(choices)}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sentence(path: tuple[str, ...], value: Any, wanted: str) -> str:
    name = ".".join(("istio_install_values.meshConfig", *path))
    return f"{name} is {str(value)[:80]!r}, which istiod would refuse. Remedy: write {wanted}."
