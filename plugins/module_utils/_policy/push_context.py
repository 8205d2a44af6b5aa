# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One control plane's knowledge, and the mode that its proxies enforce at a port."""

from __future__ import annotations

from typing import Callable, Optional, Tuple

from .client import Hbone
from .destination_rules import DestinationRuleIndex
from .membership import Workload
from .mesh import Mesh
from .patches import Patches, PatchIndex
from .records import GATEWAY_ACCEPTS, GATEWAY_SENDS, SIDECAR_ACCEPTS, SIDECAR_SENDS
from .server import UNKNOWN, PeerAuthenticationIndex
from .unread import Unread
from .visibility import SidecarIndex


class PushContext:
    """What the control plane of one revision knows."""

    __slots__ = (
        "checks_trust",
        "filters",
        "hbone",
        "mesh",
        "peer_authentications",
        "rules",
        "scopes_gateways",
        "sees_namespace",
        "sees_revision",
        "sidecars",
    )

    def __init__(
        self,
        mesh: Mesh,
        peer_authentications: PeerAuthenticationIndex,
        rules: DestinationRuleIndex,
        sidecars: SidecarIndex,
        filters: PatchIndex,
        sees_namespace: Callable[[str], bool],
        sees_revision: Callable[[Optional[str]], bool],
        hbone: Hbone,
        checks_trust: Optional[bool],
        scopes_gateways: Optional[bool],
    ) -> None:
        self.mesh = mesh
        self.peer_authentications = peer_authentications
        self.rules = rules
        self.sidecars = sidecars
        self.filters = filters
        """What makes sides of proxies impossible to judge, or a part of them."""
        self.sees_namespace = sees_namespace
        self.sees_revision = sees_revision
        self.hbone = hbone
        self.checks_trust = checks_trust
        """Whether its servers check the trust domain of their clients; None where that cannot be told."""
        self.scopes_gateways = scopes_gateways
        """Whether a Gateway is for gateways of its own namespace only; None where that cannot be told."""

    def sees(self, namespace: str, revision: Optional[str]) -> bool:
        """Whether it knows objects of a namespace and revision."""
        return self.sees_namespace(namespace) and self.sees_revision(revision)


def mode_of(workload: Workload, plane: PushContext, unread: Unread, port: int) -> Tuple[str, str]:
    """The mode that a proxy enforces at a port, and why; unknown where an EnvoyFilter or a gap could change it."""
    doubt = inbound_doubt(workload, plane, unread, port)
    if doubt:
        return UNKNOWN, doubt
    ambient = workload.mesh == "ambient"
    decide = plane.peer_authentications.decide_ambient if ambient else plane.peer_authentications.decide
    decision = decide(workload.namespace, workload.labels)
    return decision.at(port), decision.why(port)


def inbound_doubt(workload: Workload, plane: PushContext, unread: Unread, port: int = 0) -> str:
    """Why nothing can be said about what a proxy accepts at a port; 0: at any."""
    if plane.mesh.doubt:
        return f"the mesh configuration of revision {plane.mesh.name} is unknown: {plane.mesh.doubt}"
    if workload.mesh not in ("sidecar", "gateway"):
        return ""
    if unread.covers("EnvoyFilter", workload.namespace) or unread.covers("EnvoyFilter", plane.mesh.root_namespace):
        return "EnvoyFilters that could change the listeners were not read"
    found = inbound_patches(workload, plane).first_at(port)
    if found is None:
        return ""
    return f"EnvoyFilter {found.envoy_filter} changes the listeners, so manifests do not tell what they accept"


def inbound_patches(workload: Workload, plane: PushContext) -> Patches:
    """What EnvoyFilters can change of what a sidecar or gateway accepts."""
    return plane.filters.of(_sides(workload, SIDECAR_ACCEPTS, GATEWAY_ACCEPTS), workload)


def outbound_patches(workload: Workload, plane: PushContext) -> Patches:
    """What EnvoyFilters can change of what a sidecar or gateway sends."""
    return plane.filters.of(_sides(workload, SIDECAR_SENDS, GATEWAY_SENDS), workload)


def _sides(workload: Workload, sidecar: str, gateway: str) -> Tuple[str, ...]:
    """Istio patches the listeners and clusters of a waypoint in the contexts of a sidecar, others by its own name."""
    if workload.mesh == "sidecar":
        return (sidecar,)
    return (gateway, sidecar) if workload.shape.waypoint else (gateway,)
