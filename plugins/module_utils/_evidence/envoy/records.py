# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a proxy: small records, equal ones shared, so that thousands of proxies fit into memory."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from ..identity import NOT_COMPARED, Identity

_Record = TypeVar("_Record")

# What a server port accepts; the vocabulary of all sources.
STRICT, PERMISSIVE, PLAINTEXT, UNKNOWN = "strict", "permissive", "plaintext", "unknown"


class Shared:
    """Equal records are one object: proxies of a mesh know much the same upstreams."""

    def __init__(self) -> None:
        self._known: Dict[Any, Any] = {}

    def of(self, record: _Record) -> _Record:
        """The record, or the equal one that is there already."""
        known: _Record = self._known.setdefault(record, record)
        return known


class ListenerPort(NamedTuple):
    """What a proxy does with connections to one port of its pod."""

    port: int
    accepts: str
    """strict, permissive, plaintext or unknown."""
    tls_versions: Tuple[str, ...]
    http: bool
    reason: str


class UpstreamEndpoint(NamedTuple):
    """One address behind an upstream."""

    address: str
    """With its port, as in 10.0.0.1:8080 or [2001:db8::1]:8080; for what has no port whatever names it."""
    sends: str


class Upstream(NamedTuple):
    """A cluster of Envoy's for one host, port and subset."""

    cluster: str
    host: str
    port: int
    subset: str
    sends: str
    """mtls, hbone (mutual TLS around it, by its own port), plaintext, simple, mutual, auto (as each endpoint says) or
    unknown."""
    endpoints: Tuple[UpstreamEndpoint, ...]
    reason: str


class Certificate(NamedTuple):
    """A certificate that the proxy shows (workload) or trusts (root)."""

    kind: str
    identity: str
    subject: str
    issuer: str
    serial: str
    fingerprint: str
    root_fingerprint: str
    """Which of the proxy's roots issued it; empty where none did."""
    not_before: str
    not_after: str
    key: str
    trust_domain: str


class Istiod(NamedTuple):
    """The control plane that a proxy gets its configuration from."""

    identity: str
    connected: Optional[bool]


class Configuration(NamedTuple):
    """What became of the last configuration that a proxy got."""

    accepted: Optional[bool]
    detail: str
    updated: str


class Proxy(NamedTuple):
    """All that is known of a proxy."""

    pod: str
    workload: str
    revision: Optional[str]
    answered: bool
    reason: str
    version: str = ""
    envoy_version: str = ""
    istiod: Istiod = Istiod("", None)
    configuration: Configuration = Configuration(None, "", "")
    passthrough: Optional[bool] = None
    """Whether it lets requests to hosts that it does not know out in plaintext."""
    certificates: Tuple[Certificate, ...] = ()
    ports: Tuple[ListenerPort, ...] = ()
    upstreams: Tuple[Upstream, ...] = ()
    identity: Identity = NOT_COMPARED
    """Of its certificates."""

    def public(self) -> Dict[str, Any]:
        """Plain values."""
        plain = self._asdict()
        for name in ("istiod", "configuration", "identity"):
            plain[name] = plain[name]._asdict()
        plain["certificates"] = [item._asdict() for item in self.certificates]
        plain["ports"] = [{**item._asdict(), "tls_versions": list(item.tls_versions)} for item in self.ports]
        plain["upstreams"] = [_public_upstream(item) for item in self.upstreams]
        return plain


def _public_upstream(upstream: Upstream) -> Dict[str, Any]:
    endpoints: List[Dict[str, str]] = [item._asdict() for item in upstream.endpoints]
    return {**upstream._asdict(), "subset": upstream.subset or None, "endpoints": endpoints}
