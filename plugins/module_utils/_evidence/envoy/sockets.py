# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's transport sockets: whether one is the mesh's mutual TLS, some other TLS, or none.

The messages are envoy.extensions.transport_sockets.tls.v3; what Istio writes into them is in its
pilot/pkg/security/model/authentication.go (ApplyToCommonTLSContext) and pilot/pkg/networking/core/cluster_tls.go.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

# What a socket speaks. SIMPLE is TLS without a client certificate, MUTUAL with certificates that are not the mesh's,
# HBONE Istio's tunnel, whose outer connection is mutual TLS to the port 15008.
PLAIN, MTLS, SIMPLE, MUTUAL, HBONE, UNKNOWN = "plaintext", "mtls", "simple", "mutual", "hbone", "unknown"

_CERTIFICATE, _ROOT = "default", "ROOTCA"
_VERSIONS = ("TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3")
_DEFAULT_VERSIONS = ("TLSv1_2", "TLSv1_3")


class Socket(NamedTuple):
    """What a transport socket speaks."""

    speaks: str
    versions: Tuple[str, ...] = ()
    name: str = ""
    """Of one that we do not know."""


def downstream(chain: Dict[str, Any]) -> Socket:
    """The server side: the transport socket of a filter chain."""
    socket = dictionary(chain.get("transport_socket"))
    context = _tls(socket, "DownstreamTlsContext")
    if context is None:
        return _not_tls(socket)
    common = dictionary(context.get("common_tls_context"))
    demands = wrapped(context.get("require_client_certificate")) is True and _verifies(common)
    if not demands:
        return Socket(SIMPLE, versions(common))
    return Socket(MTLS if _is_mesh(common) or _wants_spiffe(common) else MUTUAL, versions(common))


def upstream(socket: Dict[str, Any]) -> Socket:
    """The client side: the transport socket of a cluster, or one of those that it chooses from."""
    context = _tls(socket, "UpstreamTlsContext")
    if context is None:
        if str(socket.get("name")) == "envoy.transport_sockets.internal_upstream":
            return Socket(HBONE)
        return _not_tls(socket)
    common = dictionary(context.get("common_tls_context"))
    if not _shows_certificate(common):
        return Socket(SIMPLE, versions(common))
    istio = any(str(name).startswith("istio") for name in listing(common.get("alpn_protocols")))
    return Socket(MTLS if _verifies(common) and (_is_mesh(common) or istio) else MUTUAL, versions(common))


def versions(common: Dict[str, Any]) -> Tuple[str, ...]:
    """All versions of TLS from the lowest to the highest; without a setting a server's default."""
    parameters = dictionary(common.get("tls_params"))
    low, high = _DEFAULT_VERSIONS
    low = _version(parameters.get("tls_minimum_protocol_version"), low)
    high = _version(parameters.get("tls_maximum_protocol_version"), high)
    return _VERSIONS[_VERSIONS.index(low) : _VERSIONS.index(high) + 1]


def _version(value: Any, default: str) -> str:
    return str(value) if value in _VERSIONS else default


def _tls(socket: Dict[str, Any], kind: str) -> Any:
    """The TLS context of a socket, None where it has none."""
    config = dictionary(socket.get("typed_config"))
    return config if str(config.get("@type") or "").endswith(f".{kind}") else None


def _not_tls(socket: Dict[str, Any]) -> Socket:
    name = str(socket.get("name") or "")
    config = str(dictionary(socket.get("typed_config")).get("@type") or "")
    if not socket or name == "envoy.transport_sockets.raw_buffer" or config.endswith(".RawBuffer"):
        return Socket(PLAIN)
    return Socket(UNKNOWN, name=name or config)


def _names(common: Dict[str, Any]) -> Iterable[str]:
    for secret in listing(common.get("tls_certificate_sds_secret_configs")):
        yield str(dictionary(secret).get("name") or "")


def _shows_certificate(common: Dict[str, Any]) -> bool:
    """Whether any certificate is configured; a provider we do not look into counts."""
    keys = ("tls_certificates", "tls_certificate_sds_secret_configs", "tls_certificate_provider_instance")
    return any(common.get(key) for key in (*keys, "custom_tls_certificate_selector"))


def _contexts(common: Dict[str, Any]) -> List[Dict[str, Any]]:
    combined = dictionary(common.get("combined_validation_context"))
    return [
        dictionary(common.get("validation_context")),
        dictionary(combined.get("default_validation_context")),
    ]


def _root_name(common: Dict[str, Any]) -> str:
    combined = dictionary(common.get("combined_validation_context"))
    for holder in (
        combined.get("validation_context_sds_secret_config"),
        common.get("validation_context_sds_secret_config"),
    ):
        if isinstance(holder, dict):
            return str(holder.get("name") or "")
    return ""


def _verifies(common: Dict[str, Any]) -> bool:
    """Whether the other side's certificate is checked against roots at all."""
    contexts = _contexts(common)
    if any(context.get("trust_chain_verification") == "ACCEPT_UNTRUSTED" for context in contexts):
        return False
    roots = ("trusted_ca", "custom_validator_config", "ca_certificate_provider_instance", "system_root_certs")
    return bool(_root_name(common)) or any(context.get(key) for context in contexts for key in roots)


def _is_mesh(common: Dict[str, Any]) -> bool:
    return _CERTIFICATE in _names(common) and _root_name(common) == _ROOT


def _wants_spiffe(common: Dict[str, Any]) -> bool:
    """Certificates from files have other names, but only a mesh asks for the identities of its trust domain."""
    matches = [
        dictionary(match)
        for context in _contexts(common)
        for key in ("match_subject_alt_names", "match_typed_subject_alt_names")
        for match in listing(context.get(key))
    ]
    texts = [dictionary(match.get("matcher") or match) for match in matches]
    return bool(texts) and all(
        str(text.get("prefix") or text.get("exact") or "").startswith("spiffe://") for text in texts
    )


def dictionary(value: Any) -> Dict[str, Any]:
    """The value when it is a dictionary, an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> List[Any]:
    """The value when it is a list, an empty one otherwise."""
    return value if isinstance(value, list) else []


def wrapped(value: Any) -> Any:
    """A BoolValue or UInt32Value, which is written as the bare value, or in older dumps as {"value": …}."""
    return value.get("value") if isinstance(value, dict) else value
