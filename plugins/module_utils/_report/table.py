# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aligned text tables that read well in a job's log, as lists of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._foreign.lines import columns, joined, section
from .._judgement.exclusions import name_of
from .._judgement.judged_file import described
from .._judgement.violations import FAIL, shortened, worst_first

Row = dict[str, Any]


def verdict_table(judgement: Mapping[str, Any], max_rows: int = 20, today: str = "") -> list[str]:
    """The judgement as lines: the verdict, then servers, edges, the wire and rules; worst first, `max_rows` of each.

    `today`, as 2026-01-31 in UTC, tells how old a file is that was judged.
    """
    sections = [
        _heading(judgement, today),
        section(
            "MISSING",
            ["RESULT", "OBJECT", "WHY"],
            [[FAIL, row["object"], row["reason"]] for row in judgement["missing"]],
            max_rows,
        ),
        section(
            "SERVERS",
            ["RESULT", "WORKLOAD", "PORT", "MODE", "PLAINTEXT", "WHY"],
            [
                [row["result"], row["workload"], row["port"], row["mode"] or "none", row["plaintext"], row["reason"]]
                for row in judgement["servers"]
            ],
            max_rows,
        ),
        section(
            "EDGES",
            ["RESULT", "CLIENTS", "SERVICE", "VERDICT", "WHY"],
            [
                [row["result"], row["clients"], _service(row), row["verdict"], row["reason"]]
                for row in judgement["edges"]
            ],
            max_rows,
        ),
        section(
            "LEAVING THE MESH",
            ["RESULT", "CLIENTS", "HOST", "SENDS", "WHY"],
            [
                [row["result"], row["clients"], f"{row['host']}:{row['port']}", row["verdict"], row["reason"]]
                for row in judgement.get("egress", ())
            ],
            max_rows,
        ),
        section(
            "WIRE",
            ["RESULT", "SERVICE", "PLAINTEXT", "INSIDE", "VERDICT", "IDENTITY", "WHY"],
            [
                [
                    row["result"],
                    _service(row),
                    row["outside"],
                    row["inside"],
                    row["verdict"],
                    row["identity"] or "none seen",
                    row["reason"],
                ]
                for row in judgement["wire"]
            ],
            max_rows,
        ),
        section(
            "SOURCES",
            ["RESULT", "WORKLOAD", "PORT", "DECLARED", "PROGRAMMED", "OBSERVED", "TOGETHER", "WHY"],
            [
                [row["result"], row["workload"], row["port"], *_answers(row), row["agreement"], row["reason"]]
                for row in judgement["ports"]
            ],
            max_rows,
        ),
        section(
            "TRAFFIC",
            ["RESULT", "CLIENT", "SERVER", "SECURITY", "WHY"],
            [
                [row["result"], row["client"], row["server"], row["security"], row["reason"]]
                for row in judgement["traffic"]
            ],
            max_rows,
        ),
        section(
            "FINDINGS",
            ["RESULT", "ID", "OBJECT", "WHY"],
            [
                [row["result"], row["id"], row["object"], row["reason"]]
                for row in sorted((*judgement["findings"], *judgement["severe"]), key=worst_first)
            ],
            max_rows,
        ),
        section(
            "RULES",
            ["RESULT", "RULE", "WHY"],
            [[row["result"], row["name"], row["reason"]] for row in judgement["rules"]],
            max_rows,
        ),
        _exclusions(judgement["exclusions"]),
        _unseen(judgement["evidence"]["seen"]),
        _unread(judgement["evidence"]["unknown"], max_rows),
        _not_dumped(judgement["evidence"].get("snapshot") or {}),
    ]
    return joined(sections)


def _service(row: Row) -> str:
    subset, at = (f" {word} {row[word]}" if row.get(word) else "" for word in ("subset", "at"))
    return f"{row['service']}:{row['port']}{subset}{at}"


def _answers(row: Row) -> list[str]:
    return [row[source] or "not asked" for source in ("declared", "programmed", "observed")]


def _heading(judgement: Mapping[str, Any], today: str) -> list[str]:
    counts, evidence, cluster = judgement["counts"], judgement["evidence"], judgement["evidence"]["cluster"]
    violations = ", ".join(f"{counts[kind]} {kind}" for kind in judgement["limits"] if counts[kind])
    verdict = "FAIL" if judgement["verdict"] == "fail" else "PASS within the limits" if violations else "PASS"
    unproven = judgement.get("unproven") if judgement["verdict"] == "pass" else ()
    sources = ", ".join(name if had else f"{name} (could not be had)" for name, had in evidence["sources"].items())
    istio = ", ".join(cluster.get("istio_versions") or ["unknown"])
    file = evidence.get("snapshot")
    return columns(
        [
            [
                "VERDICT",
                verdict
                + (f" ({violations})" if violations else "")
                + (f", unproven: {'; '.join(unproven)}" if unproven else ""),
            ],
            [
                "JUDGED",
                f"ports {counts['ports']}, edges {counts['edges']} (mTLS {counts['mtls']}, other TLS {counts['tls']}, "
                f"refused to clients outside the mesh {counts['refused']})",
            ],
            ["NAMESPACES", shortened(judgement["scope"], 10) if judgement["scope"] else "none"],
            ["EVIDENCE", f"{sources}; required {evidence['require']}"],
            [
                "CLUSTER",
                f"{cluster.get('server') or 'unknown'}, Istio {istio}, "
                f"Kubernetes {cluster.get('kubernetes_version') or 'unknown'}",
            ],
            *([["FILE", f"{described(file, today)}; no cluster was asked"]] if file else []),
        ]
    )


def _exclusions(exclusions: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            name_of({**entry, "port": None}),
            entry.get("port") or "every port",
            _use(entry),
            entry["reason"],
        ]
        for entry in exclusions
    ]
    return [f"EXCLUDED ON REQUEST ({len(rows)})", *columns(rows)] if rows else []


def _use(entry: Mapping[str, Any]) -> str:
    if entry.get("expired"):
        return f"expired on {entry['until']}"
    use = f"rows {entry['rows']}" if entry["rows"] else "matches nothing"
    return f"{use}, until {entry['until']}" if entry.get("until") else use


def _unseen(seen: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The sources that were wanted and not seen whole, but for the policies, whose gaps have a table of their own."""
    rows = [
        [source, answer["state"], answer["detail"] or "it was not asked"]
        for source, answer in seen.items()
        if answer["state"] != "seen" and source != "declared"
    ]
    return section("NOT SEEN", ["SOURCE", "STATE", "WHY"], rows, len(rows))


def _not_dumped(file: Mapping[str, Any]) -> list[str]:
    """Every kind that a dump lacks, with what dumps it: all of them, because it is one round of work."""
    rows = [[item["kind"], item["command"]] for item in file.get("missing") or ()]
    return section("NOT IN THE DUMP", ["KIND", "WHAT DUMPS IT"], rows, len(rows))


def _unread(unknown: Sequence[Mapping[str, Any]], max_rows: int) -> list[str]:
    """Kinds that are unknown for the same reason share a row."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for entry in unknown:
        where = (entry.get("namespace") or "everywhere") + (f"/{entry['name']}" if entry.get("name") else "")
        kinds.setdefault((where, entry["reason"]), []).append(entry["kind"])
    rows = [[shortened(sorted(found)), where, reason] for (where, reason), found in kinds.items()]
    return section("UNKNOWN", ["KIND", "WHERE", "WHY"], rows, max_rows)
