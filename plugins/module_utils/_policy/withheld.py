# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects in the namespace of neither side could do to a connection, where the caller may not read them.

A ServiceEntry can claim any address and host, a VirtualService can lead any host's requests elsewhere; each counts for
all clients to which it is exported. What was not read may be such an object.
"""

from __future__ import annotations

from typing import Callable, Dict, List

from .rows import Edge
from .unread import ROUTES

_COULD = {
    "ServiceEntry": "ServiceEntries, which could claim this address or host,",
    **{kind: f"{kind}s, which could lead this elsewhere," for kind in ROUTES},
}
_GOOD = ("mtls", "tls")


def beside_withheld(rows: List[Edge], withheld: Callable[[str], int]) -> List[Edge]:
    """The rows; unknown instead of good for the clients that `withheld` gives for a kind."""
    exposed: Dict[str, int] = {kind: withheld(kind) for kind in _COULD}
    for kind, clients in exposed.items():
        if clients:
            rows = [part for row in rows for part in _parts(row, clients, _COULD[kind])]
    return rows


def _parts(row: Edge, clients: int, what: str) -> List[Edge]:
    taken = row.clients & clients if row.verdict in _GOOD and row.client_tls != "none" else 0
    if not taken:
        return [row]
    reason = f"{what} could not be read in all namespaces whose objects the client's proxy gets"
    unknown = row._replace(clients=taken, client_tls="unknown", verdict="unknown", reason=reason)
    return [unknown, row._replace(clients=row.clients & ~taken)] if row.clients & ~taken else [unknown]
