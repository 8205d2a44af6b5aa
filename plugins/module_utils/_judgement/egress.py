# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients in the mesh send out of it: no server of the mesh is met there, so a limit alone gates it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .violations import EGRESS, PLAINTEXT, REMEDIES, Row, row_of


def is_egress(edge: Mapping[str, Any]) -> bool:
    """Whether a row of `edges` leaves the mesh."""
    return edge.get("scope") == "egress"


def limit_of(limits: Mapping[str, Any] | None) -> int | None:
    """How many rows in plaintext are accepted; None where nobody asked. A role's option may be empty text."""
    limit = (limits or {}).get(EGRESS)
    return None if limit in (None, "") else int(limit)


def egress_rows(status: Mapping[str, Any], inside: Mapping[str, str], gated: bool) -> list[Row]:
    """`inside`: of each set of clients those in the mesh, in words; sets of others do not appear."""
    rows = []
    for edge in status["edges"]:
        names = inside.get(edge["clients"])
        if not is_egress(edge) or not names:
            continue
        wrong = gated and edge["verdict"] == PLAINTEXT
        rows.append(
            row_of(
                EGRESS if wrong else None,
                edge["reason"],
                REMEDIES[EGRESS] if wrong else "",
                False,
                object=f"{names} → {edge.get('host') or edge['service']}:{edge['port']}",
                clients=names,
                client_set=edge["clients"],
                service=edge["service"],
                host=edge.get("host") or edge["service"],
                port=edge["port"],
                subset=edge["subset"],
                endpoint=edge["endpoint"],
                client_tls=edge["client_tls"],
                verdict=edge["verdict"],
            )
        )
    return sorted(rows, key=lambda row: (row["verdict"] != PLAINTEXT, row["host"], row["port"], row["clients"]))
