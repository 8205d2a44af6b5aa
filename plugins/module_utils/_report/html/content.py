# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of verdicts: findings, rules, ports, connections, what the wire answered and what telemetry saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..._audit.document import worst
from ..._judgement.states import SOURCES, Facts
from .looks import pill, said
from .markup import Markup, el, joined
from .tables import Row, Table, code, field, listed, short, tight

_SHOWN_MEMBERS = 500
"""Of a group of clients; the audit's file has them all."""
# What makes a row of the wire or of telemetry worth looking at first.
_ORDER = ("plaintext", "mixed", "permissive", "unknown", "strict", "mutual_tls")


def findings(facts: Facts) -> Table:
    """What deserves attention, with remedies."""
    found = worst(facts.audit["findings"], len(facts.audit["findings"]))
    rows = [
        Row(
            item["severity"],
            [
                pill(item["severity"]),
                el("code", item["id"], class_="t"),
                code(item["object"]),
                item["message"],
                item["fix"],
            ],
        )
        for item in found
    ]
    columns = ("Severity", "Id", "Object", "What was found", "Remedy")
    return Table("findings-table", "Findings, the severest first", columns, rows, True, named_by=2)


def rules(facts: Facts) -> Table:
    """What the users' own rules say."""
    rows = []
    for item in sorted(facts.audit.get("rules", ()), key=lambda item: bool(item["passed"])):
        state = "passed" if item["passed"] else "warning" if item.get("severity") == "warning" else "failed"
        rows.append(Row(state, [item["name"], pill(state), field(item, "count"), field(item, "message")]))
    return Table("rules-table", "Rules of your own", ("Rule", "Result", "Violations", "What it says"), rows)


def ports(facts: Facts) -> Table:
    """What each port accepts, by source."""
    several = len(facts.asked) > 1
    rows = []
    for port in facts.ports:
        workload = port.workload
        why = joined(port.why, el("span", f" Likely cause: {port.cause}", class_="cause") if port.cause else None)
        rows.append(
            Row(
                port.state,
                [
                    code(short(workload["id"])),
                    tight(port.port),
                    tight(workload["mesh"] if workload["mesh"] != "none" else "outside"),
                    *(said(word) for place, word in enumerate(port.said) if SOURCES[place] in facts.asked),
                    *([_agreement(port.agreement)] if several else []),
                    why,
                ],
            )
        )
    columns = ("Workload", "Port", "Mesh", *_source_columns(facts), *(["Agreement"] if several else []), "Why")
    return Table("ports-table", "What each port accepts", columns, rows, True)


def egress(facts: Facts) -> Table:
    """What clients in the mesh send to hosts outside of it."""
    rows = [
        Row(
            row["verdict"],
            [code(f"{row['host']}:{row['port']}"), row["clients"], pill(row["verdict"]), row["reason"]],
        )
        for row in facts.judgement["egress"]
    ]
    return Table("egress-table", "What leaves the mesh", ("Host", "Clients", "Sends", "Why"), rows, True)


def edges(facts: Facts) -> Table:
    """Who reaches whom, and how."""
    several = len(facts.asked) > 1
    rows = []
    for edge in facts.edges:
        row = edge.row
        if row.get("scope") == "egress":
            continue
        service = f"{row['service']}:{row['port']}" + (f" subset {row['subset']}" if row.get("subset") else "")
        server = short(row["endpoint"]) if row["endpoint"] else "no endpoint"
        cause = field(row, "cause")
        rows.append(
            Row(
                edge.state,
                [
                    joined(code(service), el("span", server, class_="server") if server != row["service"] else None),
                    _clients(facts, row["clients"]),
                    *(said(word) for place, word in enumerate(edge.said) if SOURCES[place] in facts.asked),
                    *([_agreement(row.get("agreement"))] if several else []),
                    joined(row["reason"], el("span", f" Likely cause: {cause}", class_="cause") if cause else None),
                ],
            )
        )
    columns = ("Service, server", "Clients", *_source_columns(facts), *(["Agreement"] if several else []), "Why")
    return Table("edges-table", "Who reaches whom, and how", columns, rows, True)


def _source_columns(facts: Facts) -> tuple[str, ...]:
    return tuple(source.capitalize() for source in SOURCES if source in facts.asked)


def _agreement(agreement: str | None) -> Markup:
    return pill(agreement) if agreement else said(None)


def _clients(facts: Facts, name: str) -> Markup:
    total, inside = facts.clients.count(name)
    where = "all in the mesh" if inside == total else f"{inside} in the mesh" if inside else "outside the mesh"
    link = el("a", f"{total} clients" if total != 1 else "1 client", href=f"#{set_id(facts, name)}")
    return (
        joined(listed(map(short, facts.clients.members(name, 2))) if total <= 2 else link, f", {where}")
        if total
        else joined("nobody")
    )


def set_id(facts: Facts, name: str) -> str:
    """The place of a group of clients in the page; its own name could be anything."""
    place = facts.clients.places.get(name)
    return "clients" if place is None else f"g{place}"


def groups(facts: Facts, most: int) -> Markup:
    """Every group of more than two clients with its members, for the table of connections to point to."""
    parts = []
    for place, name in enumerate(facts.clients.sets):
        total, inside = facts.clients.count(name)
        if total <= 2 or place >= most:
            continue
        members = facts.clients.members(name, _SHOWN_MEMBERS)
        more = f" and {total - len(members)} more" if total > len(members) else None
        names = joined(Markup(", ".join(code(one) for one in members)), more)
        title = f"{total} clients, {inside} in the mesh: {short(members[0])}, {short(members[1])} …"
        parts.append(el("details", el("summary", title), el("p", names), id=f"g{place}"))
    return joined(*parts)


def probe(facts: Facts) -> Table:
    """What the wire answered."""
    rows = []
    for item in facts.audit.get("probe", ()):
        verdict = str(field(item, "verdict") or "unknown")
        rows.append(
            Row(
                verdict,
                [
                    code(f"{field(item, 'service')}:{field(item, 'port')}"),
                    pill(verdict),
                    _word(field(item, "outside", "plaintext")),
                    _word(field(item, "inside", "request")),
                    code(field(item, "identity")),
                    field(item, "reason"),
                ],
            )
        )
    columns = ("Service", "Verdict", "Plaintext from outside", "Request from inside", "Identity shown", "Why")
    return Table("probe-table", "What the wire answered", columns, _ranked(rows), True)


def _word(value: Any) -> str:
    return str(value or "not asked").replace("_", " ")


def traffic(facts: Facts) -> Table:
    """What telemetry saw."""
    rows = []
    for item in field(facts.audit, "traffic", "traffic") or ():
        share, port = field(item, "share"), field(item, "port")
        destination = field(item, "destination", "service") or field(item, "destination", "workload")
        client = field(item, "source", "workload") or field(item, "source", "principal") or "unknown source"
        exporter = field(item, "exporter")
        rows.append(
            Row(
                str(field(item, "security") or "unknown"),
                [
                    code(f"{client} (as {exporter} says)" if exporter else client),
                    code(f"{destination}:{port}" if port else destination),
                    field(item, "protocol"),
                    tight(field(item, "requests")),
                    f"{share:.1%}" if isinstance(share, (int, float)) else "unknown",
                    pill(str(field(item, "security") or "unknown")),
                ],
            )
        )
    columns = ("Client", "Destination", "Protocol", "Requests", "Share of mutual TLS", "Security")
    return Table("traffic-table", "Traffic that was seen", columns, _ranked(rows), True)


def _ranked(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _ORDER.index(row.state) if row.state in _ORDER else _ORDER.index("unknown"))


def gaps(unknown: Iterable[Mapping[str, Any]]) -> Table:
    """What could not be read or judged."""
    rows = [
        Row(
            "unknown",
            [
                code(item["kind"]),
                code("/".join(part for part in (item.get("namespace") or "everywhere", item.get("name")) if part)),
                item["reason"],
                field(item, "touches"),
            ],
        )
        for item in unknown
    ]
    columns = ("Kind", "Where", "Why", "Answers that depend on it")
    return Table("unknown-table", "What could not be read or judged", columns, rows)


def queries(facts: Facts) -> Markup | None:
    """What a person can paste to see the same."""
    found = field(facts.audit, "traffic", "queries") or ()
    if not found:
        return None
    window, source = field(facts.audit, "traffic", "window"), field(facts.audit, "traffic", "source")
    return el(
        "details",
        el(
            "summary",
            f"From {source or 'telemetry'} over {window or 'an unknown number of'} seconds; how to ask the same",
        ),
        *(el("pre", query) for query in found),
    )
