# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API group security.istio.io."""

from __future__ import annotations

from typing import Any, Mapping

from ..fields import closed, identity_of, mapping, number_of, selector_of, sequence, text_of
from ..pods import PodParser
from ..records import (
    Authorization,
    Malformed,
    PeerAuthentication,
    Snapshot,
)

_PEER_AUTHENTICATION, _MODE = frozenset(("selector", "mtls", "portLevelMtls")), frozenset(("mode",))
"""The fields of a PeerAuthentication, and of its mutualTLS (security/v1/peer_authentication.proto)."""
_MOST_PORTS = 256
"""Of a PeerAuthentication: each is a row of each workload that it selects. Istio itself sets no limit."""
_PEER_MODES = ("UNSET", "DISABLE", "PERMISSIVE", "STRICT")


def _peer_mode(value: Any, what: str) -> str:
    mode = text_of(closed(value, _MODE, what).get("mode"), f"{what}.mode") or "UNSET"
    if mode not in _PEER_MODES:
        raise Malformed(f"{what}.mode is {mode}, which is no mode")
    return mode


def peer_authentication(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = closed(manifest.get("spec"), _PEER_AUTHENTICATION, "spec")
    by_port = mapping(spec.get("portLevelMtls"), "spec.portLevelMtls")
    if len(by_port) > _MOST_PORTS:
        raise Malformed(f"spec.portLevelMtls has {len(by_port)} ports, of which {_MOST_PORTS} at most are looked at")
    ports = {
        number_of(port, "a port of portLevelMtls"): _peer_mode(mtls, f"portLevelMtls[{port}]")
        for port, mtls in by_port.items()
    }
    selector = selector_of(spec.get("selector"), "matchLabels", "spec.selector")
    snapshot.peer_authentications.append(
        PeerAuthentication(
            identity.namespace,
            identity.name,
            identity.age,
            identity.revision,
            selector or None,
            selector is None,
            _peer_mode(spec.get("mtls"), "spec.mtls"),
            ports,
        )
    )


def authorization_policy(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """ALLOW whose every rule names a mesh identity, or DENY with notPrincipals `*` (security/authz/model)."""
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    action = text_of(spec.get("action"), "spec.action") or "ALLOW"
    named = ("principals", "namespaces", "serviceAccounts")
    every = bool(spec.get("rules"))
    denies = False
    for rule in sequence(spec.get("rules"), "spec.rules"):
        sources = [mapping(item.get("source"), "source") for item in sequence(rule.get("from"), "rules.from")]
        every = every and bool(sources) and all(any(source.get(key) for key in named) for source in sources)
        denies = denies or (set(rule) == {"from"} and sources == [{"notPrincipals": ["*"]}])
    snapshot.authorizations.append(
        Authorization(
            identity.namespace,
            identity.name,
            identity.revision,
            selector_of(spec.get("selector"), "matchLabels", "spec.selector") or None,
            bool(spec.get("targetRef") or spec.get("targetRefs")),
            (action == "ALLOW" and every) or (action == "DENY" and denies),
        )
    )
