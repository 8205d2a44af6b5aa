# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of semantics, section 4, as data: what is sent by what the server does with it → verdict.

Columns, "the server": `none` has no capturing proxy (not injected, hostNetwork, or a port that bypasses Envoy); the
three modes are a sidecar's; `ambient-…` are ztunnel's, where DISABLE acts as PERMISSIVE; `gateway-…` are a Gateway's
servers; `address` is one that no pod has. Cells with `|` differ by protocol: HTTP port | TCP or sniffed port.
"""

from __future__ import annotations

from typing import Dict, Optional, Tuple

_COLUMNS = (
    # sent         none         DISABLE       PERMISSIVE    STRICT
    ("plaintext", ("plaintext", "plaintext", "plaintext", "broken")),
    ("mtls", ("broken", "broken", "mtls", "mtls")),
    ("simple", ("tls", "broken|tls", "broken|tls", "broken")),
    ("mutual", ("tls", "broken|tls", "broken|tls", "broken")),
)
_AMBIENT = (
    # sent         PERMISSIVE   STRICT
    ("plaintext", ("plaintext", "broken")),
    ("mtls", ("broken", "broken")),
    ("simple", ("tls", "broken")),
    ("mutual", ("tls", "broken")),
    ("hbone", ("mtls", "mtls")),
)
_ADDRESS = (
    # What listens at an address that is no pod's, nobody knows: it may well have a proxy of its own.
    ("plaintext", ("plaintext",)),
    ("mtls", ("unknown",)),
    ("simple", ("tls",)),
    ("mutual", ("tls",)),
)
_GATEWAY_COLUMNS = (
    *("gateway-plaintext", "gateway-tls", "gateway-mtls", "gateway-closed"),
    # TLS that goes on to what is behind; servers that differ by the name that is asked for (SNI), which manifests do
    # not tell; and a waypoint's HBONE.
    *("gateway-passthrough", "gateway-mixed", "gateway-sni", "gateway-named", "gateway-hbone"),
)
_GATEWAY = (
    ("plaintext", ("plaintext", "tls", "broken", "broken", "tls", "plaintext", "tls", "broken", "broken")),
    ("mtls", ("broken", "broken", "mtls", "broken", *("unknown",) * 5)),
    ("simple", ("broken", "tls", "broken", "broken", "tls", "unknown", "unknown", "broken", "unknown")),
    ("mutual", ("broken", "tls", "broken", "broken", "tls", "unknown", "unknown", "broken", "unknown")),
)


def _table() -> Dict[Tuple[str, str], str]:
    table = {}
    for columns, rows in (
        (("none", "DISABLE", "PERMISSIVE", "STRICT"), _COLUMNS),
        (("ambient-PERMISSIVE", "ambient-STRICT"), _AMBIENT),
        (("address",), _ADDRESS),
        (_GATEWAY_COLUMNS, _GATEWAY),
    ):
        for sent, cells in rows:
            table.update({(sent, column): cells[place] for place, column in enumerate(columns)})
    # Sidecars labelled for it take HBONE whatever the mode.
    table.update({("hbone", column): "mtls" for column in ("DISABLE", "PERMISSIVE", "STRICT")})
    table["hbone", "none"] = "broken"
    table["hbone", "gateway-hbone"] = "mtls"
    # `none` as what is sent: no proxy takes part, so the bytes are the application's own.
    table.update({("none", server): cell for (sent, server), cell in table.items() if sent == "plaintext"})
    return table


TABLE = _table()


def verdict(sent: str, server: str, http: Optional[bool]) -> str:
    """The verdict of one edge; whatever the table does not know is unknown. `http` None: nobody knows the protocol."""
    cell = TABLE.get((sent, server), "unknown")
    if "|" in cell:
        return "unknown" if http is None else cell.split("|")[0 if http else 1]
    return cell
