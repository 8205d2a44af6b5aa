# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: one file that needs nothing else, and may fetch nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from ..._judgement.states import Facts
from . import content, inventory, overview
from .graph import Drawings, Graph, described, drawings_of, legend
from .looks import SYMBOLS, pill
from .markup import Markup, el, joined
from .script import SCRIPT
from .style import STYLE
from .svg import draws_all, svg
from .tables import Table, labels, rendered

TITLE = "Mutual TLS report"
DATA_BEGINS = '<script type="application/json" id="audit-summary">'
DATA_ENDS = "</script>"


class Section(NamedTuple):
    """A part of the page."""

    key: str
    title: str
    body: Markup
    tables: Sequence[Table] = ()


def page(facts: Facts, digest: str, title: str = "", most: int = 1000) -> str:
    """The whole page as text. `digest` is the SHA-256 of the audit's file, `most` how many rows a table may have."""
    sections = [section for section in _sections(facts, digest, most) if section.body]
    style = STYLE + labels(table for section in sections for table in section.tables)
    shown = title or TITLE
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=Markup(_policy(style))),
        el("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name_="color-scheme", content="light dark"),
        el("meta", name_="referrer", content="no-referrer"),
        el("title", shown),
        el("style", Markup(style)),
    )
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        SYMBOLS,
        el("header", el("h1", shown), overview.banner(facts), overview.identity(facts)),
        el(
            "nav",
            el("ul", *(el("li", el("a", section.title, href=f"#{section.key}")) for section in sections)),
            aria_label="On this page",
        ),
        el("main", *map(_section, sections), id="content", tabindex="-1"),
        el(
            "footer",
            el("p", "Made by meshproof.mtls from one file. This page loads nothing and sends nothing."),
        ),
        _data(facts, digest),
        el("script", Markup(SCRIPT)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


def _sections(facts: Facts, digest: str, most: int) -> list[Section]:
    def tables(key: str, title: str, before: Markup | None, *found: Table) -> Section:
        """A section of those tables that have rows; without any there is no section."""
        full = [table for table in found if table.rows]
        parts = [before] if before and full else []
        return Section(key, title, joined(*parts, *(rendered(table, most) for table in full)), full)

    nothing = el("p", "Nothing was found.", class_="note")
    findings = tables("findings", "Findings and remedies", None, content.findings(facts))
    seen = tables(
        "seen",
        "What was asked, and what was not seen",
        overview.scope(),
        overview.sources(facts),
        content.gaps(facts.audit["unknown"]),
    )
    return [
        Section("summary", "Summary", overview.tiles(facts)),
        Section("graph", "Service graph", _graphs(drawings_of(facts), facts)),
        findings if findings.body else findings._replace(body=nothing),
        tables("rules", "Rules of your own", None, content.rules(facts)),
        tables("ports", "Ports", None, content.ports(facts)),
        tables("edges", "Connections", None, content.edges(facts)),
        tables("egress", "Leaving the mesh", None, content.egress(facts)),
        Section("clients", "Groups of clients", content.groups(facts, most)),
        seen,
        tables(
            "certificates",
            "Certificates",
            None,
            inventory.certificate_authorities(facts),
            inventory.trust_domains(facts),
            inventory.leaves(facts),
        ),
        tables("versions", "Control planes and proxies", None, inventory.revisions(facts), inventory.proxies(facts)),
        tables("probe", "The wire", None, content.probe(facts)),
        tables("traffic", "Traffic", content.queries(facts), content.traffic(facts)),
        tables(
            "controls",
            "For auditors",
            el(
                "p",
                "Which control applies, what its scope is, and whether this evidence suffices for it, is the "
                "assessor's call. This table only says where to look.",
                class_="prose",
            ),
            overview.controls(),
        ),
        Section("about", "About this file", overview.about(digest, facts)),
    ]


def _section(section: Section) -> Markup:
    return el(
        "section",
        el("h2", section.title, id=f"{section.key}-h"),
        section.body,
        id=section.key,
        aria_labelledby=f"{section.key}-h",
    )


def _graphs(drawings: Drawings | None, facts: Facts) -> Markup:
    if drawings is None:
        return Markup("")
    graphs = [drawings.overview, *drawings.namespaces]
    states = el("ul", *(el("li", pill(state)) for state in legend(graphs)), class_="legend")
    note = el(
        "p",
        "On the left, clients that get the same answers; on the right, servers, with a line for each answer. D, P and "
        "O say what the sources declared, programmed and observed make of it; a dash is a source that was not asked.",
        class_="note",
    )
    parts = [note, states, _drawing(drawings.overview, facts, "graph-0")]
    for place, graph in enumerate(drawings.namespaces, 1):
        servers = sum(len(server.names) for server in graph.servers) + graph.left_out
        title = joined(f"{graph.name}: {servers} server{'s' if servers > 1 else ''} ", *map(pill, legend([graph])))
        parts.append(el("details", el("summary", title), _drawing(graph, facts, f"graph-{place}"), class_="space"))
    if drawings.left_out:
        parts.append(
            el("p", f"{drawings.left_out} more namespaces are in the table of connections.", class_="note cut")
        )
    return joined(*parts)


def _drawing(graph: Graph, facts: Facts, key: str) -> Markup:
    describing = described(graph, facts.clients)
    left_out = (
        el("p", f"{graph.left_out} more servers are in the table of connections.", class_="note cut")
        if graph.left_out
        else None
    )
    return joined(
        None
        if draws_all(graph)
        else el("p", "Only answers that are not as they should be have a line.", class_="note"),
        el(
            "div",
            svg(graph, describing, key),
            class_="scroll drawing",
            tabindex="0",
            role="region",
            aria_label="Graph " + graph.name,
        ),
        left_out,
    )


def _policy(style: str) -> str:
    """Nothing may be loaded; only our own style and script, known by their hashes, may act."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(facts: Facts, digest: str) -> Markup:
    """The counts for programs. In a script only `<` could end it, so it is written as JSON's own escape."""
    names = ("format", "time", "sources", "cluster", "summary")
    data = {name: facts.audit[name] for name in names if name in facts.audit}
    text = json.dumps({**data, "sha256": digest}, sort_keys=True).replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(DATA_BEGINS + text.replace("&", "\\u0026") + DATA_ENDS)


def summary_in(text: str) -> str:
    """The JSON that `page` put in; empty where there is none."""
    begins = text.find(DATA_BEGINS)
    ends = text.find(DATA_ENDS, begins)
    return text[begins + len(DATA_BEGINS) : ends] if begins >= 0 and ends >= 0 else ""
