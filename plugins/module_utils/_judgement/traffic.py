# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that was seen towards the servers in scope, against what is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .design import NOTHING, Design
from .exclusions import Exclusions
from .violations import (
    DISAGREEMENT,
    FAIL,
    OK,
    PLAINTEXT,
    REMEDIES,
    WARNING,
    Row,
    row_of,
)

MUTUAL_TLS = "mutual_tls"
OPEN = ("plaintext", "mixed")


def traffic_rows(
    status: Mapping[str, Any],
    workloads: Mapping[str, Mapping[str, Any]],
    scope: Sequence[str],
    edges: Sequence[Row],
    exclusions: Exclusions,
    design: Design = NOTHING,
) -> list[Row]:
    """One row for each path to a server in scope; plaintext is a violation, what is not known is a warning.

    An exclusion of a client covers none of them: who sends plaintext names itself as it likes.
    Telemetry does not know clients outside the mesh, so no edge says what they sent. Where `edges`, the judged ones, do
    say it, and fail for it, the row is `told`: it counts once.
    """
    answer = status.get("traffic") or {}
    names = {f"{item['namespace']}/{item['name']}": item for item in workloads.values()}
    told = _Told(status, workloads, edges)
    rows = []
    for item in answer.get("traffic", []):
        server = item["destination"]["workload"] or item["destination"]["service"]
        if not server or server.split("/", 1)[0] not in scope:
            continue
        namespace, name = server.split("/", 1)
        client = item["source"]["workload"] or "a client that is not known"
        port = f":{item['port']}" if item["port"] else ""
        said_by = f", as {item['exporter']} says" if item.get("exporter") else ""
        kind, remedy = (None, "") if design.covers(names.get(server)) else _violation(item, names.get(server))
        row = row_of(
            kind,
            f"{item['mutual_tls']} of {item['requests']} {item['protocol']} requests or connections in "
            f"{answer.get('window')} s were mutual TLS{said_by}",
            remedy,
            exclusions.cover(namespace, [name], [item["port"]]),
            object=f"{client} → {server}{port} in traffic{said_by}",
            client=client,
            server=f"{server}{port}",
            security=item["security"],
            told=told.by_edges(item["source"]["workload"], server),
        )
        rows.append({**row, "result": WARNING} if item["security"] != MUTUAL_TLS and row["result"] == OK else row)
    return rows


class _Told:
    """What edges that were seen in plaintext say already."""

    def __init__(
        self, status: Mapping[str, Any], workloads: Mapping[str, Mapping[str, Any]], edges: Iterable[Row]
    ) -> None:
        self._names = {name: f"{item['namespace']}/{item['name']}" for name, item in workloads.items()}
        self._sets = status["client_sets"]
        self._members: dict[str, set[str]] = {}
        failed = {_place(row["client_set"], row): row.get("excused", ()) for row in edges if row["result"] == FAIL}
        self._seen: dict[str, list[tuple[str, Sequence[str] | None]]] = {}
        """By server, the sets of clients that were seen in plaintext, and whom the edge that fails for it excuses; None
        where it does not fail."""
        for edge in status["edges"]:
            if edge.get("observed") == PLAINTEXT:
                server = self._names.get(edge["endpoint"] or "", "")
                self._seen.setdefault(server, []).append((edge["clients"], failed.get(_place(edge["clients"], edge))))

    def by_edges(self, client: str | None, server: str) -> bool:
        """Whether edges tell of this client and server, and all of them fail.

        Which edge a row belongs to is open: rows may lack the port, and have the server's own instead of the Service's.
        One edge that is excluded may be the one beside which this plaintext is another's.
        """
        fails = [
            excused is not None and client not in excused
            for clients, excused in self._seen.get(server, ())
            if client and self._holds(clients, client)
        ]
        return bool(fails) and all(fails)

    def _holds(self, clients: str, client: str) -> bool:
        if clients not in self._members:
            members = self._sets.get(clients, ())
            listed = members["all_but"] if isinstance(members, Mapping) else members
            self._members[clients] = {self._names.get(name, "") for name in listed}
        return (client in self._members[clients]) != isinstance(self._sets.get(clients), Mapping)


def _place(clients: str, edge: Mapping[str, Any]) -> tuple[Any, ...]:
    return (clients, *(edge[name] for name in ("service", "port", "subset", "endpoint")))


def _violation(item: Mapping[str, Any], workload: Mapping[str, Any] | None) -> tuple[str | None, str]:
    """(kind or None, remedy)"""
    if item["security"] not in OPEN:
        return None, ""
    ports = [port for port in workload["ports"] if item["port"] in (None, port["port"])] if workload else []
    if ports and all(port["plaintext"] == "refused" for port in ports):
        return DISAGREEMENT, REMEDIES["traffic"]
    return PLAINTEXT, REMEDIES[PLAINTEXT]
