# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that was seen towards the servers in scope, against what is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .exclusions import Exclusions
from .violations import (
    DISAGREEMENT,
    OK,
    PLAINTEXT,
    REMEDIES,
    WARNING,
    Row,
    row_of,
)

OPEN = ("plaintext", "mixed")


def traffic_rows(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    exclusions: Exclusions,
) -> list[Row]:
    """One row for each path to a server in scope; plaintext is a violation, what is not known is a warning.

    Telemetry does not know clients outside the mesh, so no edge says what they sent. Where an edge does say it, the row
    is `told`: it counts once.
    """
    answer = status.get("traffic") or {}
    names = {f"{item['namespace']}/{item['name']}": item for item in workloads.values()}
    seen_in_edges = {edge["endpoint"] for edge in status["edges"] if edge.get("observed") == PLAINTEXT}
    rows = []
    for item in answer.get("traffic", []):
        server = item["destination"]["workload"] or item["destination"]["service"]
        if not server or server.split("/", 1)[0] not in scope:
            continue
        namespace, name = server.split("/", 1)
        client = item["source"]["workload"] or "a client that is not known"
        port = f":{item['port']}" if item["port"] else ""
        workload = names.get(server)
        kind, remedy = _violation(item, workload)
        row = row_of(
            kind,
            f"{item['mutual_tls']} of {item['requests']} {item['protocol']} requests or connections in "
            f"{answer.get('window')} s were mutual TLS",
            remedy,
            exclusions.cover(namespace, [name], [item["port"]]),
            object=f"{client} → {server}{port} in traffic",
            client=client,
            server=f"{server}{port}",
            security=item["security"],
            told=bool(item["source"]["workload"] and workload and workload["id"] in seen_in_edges),
        )
        rows.append({**row, "result": WARNING} if item["security"] == "unknown" and row["result"] == OK else row)
    return rows


def _violation(item: Mapping[str, Any], workload: Mapping[str, Any] | None) -> tuple[str | None, str]:
    """(kind or None, remedy)"""
    if item["security"] not in OPEN:
        return None, ""
    ports = [port for port in workload["ports"] if item["port"] in (None, port["port"])] if workload else []
    if ports and all(port["plaintext"] == "refused" for port in ports):
        return DISAGREEMENT, REMEDIES["traffic"]
    return PLAINTEXT, REMEDIES[PLAINTEXT]
