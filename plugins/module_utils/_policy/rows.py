# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row of the result's edges."""

from __future__ import annotations

from typing import NamedTuple, Optional

NORMAL, NO_ENDPOINT = "normal", "no_endpoint"
WORST_FIRST = ("unknown", "plaintext", "broken", NO_ENDPOINT, "tls", "mtls")
"""Verdicts, and NO_ENDPOINT in the place of one until a row is made."""


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
