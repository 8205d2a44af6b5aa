# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row of the result's edges."""

from __future__ import annotations

from typing import NamedTuple, Optional

NORMAL, NO_ENDPOINT = "normal", "no_endpoint"
WORST_FIRST = ("unknown", "plaintext", "broken", NO_ENDPOINT, "tls", "mtls")
"""Verdicts, and NO_ENDPOINT in the place of one until a row is made."""

# Whose part it is that a client's proxy sends plaintext; "" where it is nobody's, or more than one thing's.
BY_SERVER, BY_ENDPOINT, BY_ZTUNNEL, BY_EXTERNAL, BY_RULE = PARTS = ("server", "endpoint", "ztunnel", "external", "rule")
"""The server's policy; one endpoint without a sidecar, for all of them; ztunnel, to what takes no HBONE; a host outside
the mesh for which no rule sets TLS; a DestinationRule's tls, without which it would be mutual TLS."""


class Answer(NamedTuple):
    """What is sent to one place, what becomes of it, and why."""

    tls: str
    """As Edge.client_tls."""
    verdict: str
    """One of WORST_FIRST."""
    reason: str
    part: str = ""
    """One of PARTS, or "". It is decided where the reason is made; nothing reads it in the reason."""
    known: bool = True
    """False for what a client's proxy takes and does not know: its listeners and routes may be for it all the same."""
    as_dialled: bool = False
    """Whether whatever else is led there goes to the address that was dialled (clusters of the kind ORIGINAL_DST)."""


class Edge(NamedTuple):
    """One row of the result, with its clients as a set of scopes."""

    service: str
    host: str
    port: int
    subset: Optional[str]
    endpoint: Optional[str]
    client_tls: str
    verdict: str
    reason: str
    clients: int
    state: str = NORMAL
    """NO_ENDPOINT where nothing is behind the port; then nothing can be said of its TLS but what would be sent."""
    scope: str = "inside"
    """inside, or egress for what leaves the mesh."""
    part: str = ""
    """See Answer.part."""
    known: bool = True
    """See Answer.known."""
    as_dialled: bool = False
    """See Answer.as_dialled."""
