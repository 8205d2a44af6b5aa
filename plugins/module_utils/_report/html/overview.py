# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader sees first, and what an auditor must know: the summary, what was asked and not seen, and the scope."""

from __future__ import annotations

from collections.abc import Mapping

from ..._judgement.judged_file import described
from ..._judgement.states import EDGE_STATES, PORT_STATES, Facts, counted, headline
from .looks import look, pill, symbol
from .markup import Markup, el
from .tables import Row, Table, field

_SEVERITIES = ("high", "medium", "low", "info")
_AGREEMENTS = ("contradicted", "unproven", "proven")
_TONES = {"good": "check", "bad": "clash", "doubtful": "question"}
_BAR = 100.0

# What each source is, and what it cannot tell.
_SOURCES = {
    "declared": (
        "What the policies say: PeerAuthentication, DestinationRule, mesh configuration, injection.",
        "Not that a proxy received it, or that traffic passes through one.",
    ),
    "programmed": (
        "What running proxies were given: listeners, clusters, certificates.",
        "Not that traffic reaches the proxy.",
    ),
    "observed": (
        "What the wire answered to a probe, at the time of the run.",
        "Not what other clients, other ports or other times would meet.",
    ),
    "traffic": (
        "What telemetry counted over a window of time.",
        "Nothing of connections that did not happen in it.",
    ),
}

# What may be supported by which part. A control's scope, and whether this suffices for it, is the assessor's call.
_CONTROLS = (
    (
        "PCI DSS 4.2.1.1: an inventory of trusted keys and certificates",
        "Certificates",
        "Only certificates of proxies that were asked; none of gateways' own TLS, applications, or outside the mesh.",
    ),
    (
        "PCI DSS 12.3.3: cipher suites and protocols in use are documented and reviewed",
        "Certificates; Control planes and proxies",
        "Key types and TLS versions as the proxies have them. The review itself is an activity, not a file.",
    ),
    (
        "NIST SP 800-53 SC-8: confidentiality and integrity in transmission",
        "What each port accepts; Who reaches whom; What the wire answered",
        "Inside the mesh and between its pods. Not UDP, not traffic outside the mesh, not data at rest.",
    ),
    (
        "NIST SP 800-53 IA-3: devices are identified and authenticated before they connect",
        "Who reaches whom; Certificates (identities)",
        "Identities of workloads (SPIFFE), as strong as the control of who may use a ServiceAccount.",
    ),
    (
        "NIST SP 800-204A and 800-204B: service identity and mutual TLS in a mesh",
        "What each port accepts; Findings",
        "The recommendations on mutual TLS; authorization policies are not judged.",
    ),
)


def banner(facts: Facts) -> Markup:
    """The report in one sentence."""
    found = headline(facts)
    return el("p", symbol(_TONES[found.tone]), el("strong", found.text), class_=f"banner {found.tone}")


def tiles(facts: Facts) -> Markup:
    """Counts, each with a bar."""
    ports = counted((port.state for port in facts.ports if port.in_scope), PORT_STATES)
    outside = sum(not port.in_scope for port in facts.ports)
    edges = counted((edge.state for edge in facts.edges if edge.in_scope), EDGE_STATES)
    elsewhere = sum(not edge.in_scope for edge in facts.edges)
    findings = {
        name: count
        for name in _SEVERITIES
        for count in [sum(item["severity"] == name for item in facts.audit["findings"])]
        if count
    }
    agreements = [
        *(port.agreement for port in facts.ports if port.in_scope),
        *(edge.row.get("agreement") for edge in facts.edges if edge.in_scope),
    ]
    agreement = {name: agreements.count(name) for name in _AGREEMENTS if name in agreements}
    agreed = _tile("Agreement", "seen", agreement, "of the sources, about these ports and connections")
    gaps = len(facts.audit["unknown"])
    return el(
        "div",
        _tile(
            "Ports",
            "ports",
            ports,
            "of workloads in the mesh" + (f"; {outside} more are outside of it" if outside else ""),
        ),
        _tile(
            "Connections",
            "edges",
            edges,
            "to servers in the mesh" + (f"; {elsewhere} more lead out of it" if elsewhere else ""),
        ),
        _tile("Findings", "findings", findings, "by severity"),
        agreed if agreement else None,
        _tile("Not seen", "seen", {"unknown": gaps} if gaps else {}, "what could not be read or judged"),
        class_="tiles",
    )


def _tile(title: str, target: str, counts: Mapping[str, int], of_what: str) -> Markup:
    total = sum(counts.values())
    parts, at = [], 0.0
    for state, count in counts.items():
        width = _BAR * count / total
        parts.append(el("rect", x=f"{at:.2f}", width=f"{width:.2f}", height=8, class_=look(state).tone))
        at += width
    return el(
        "section",
        el("h3", el("a", title, href=f"#{target}"), " ", el("span", str(total), class_="total")),
        el("p", of_what, class_="of"),
        el(
            "svg",
            *(parts or [el("rect", width=100, height=8, class_="empty")]),
            class_="bar",
            viewBox="0 0 100 8",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        el("ul", *(el("li", pill(state), " ", el("b", str(count))) for state, count in counts.items()))
        if counts
        else el("p", "none", class_="of"),
        class_="tile",
    )


def identity(facts: Facts) -> Markup:
    """Which cluster, when, with what."""
    audit = facts.audit
    cluster = audit.get("cluster") or {}
    snapshot = audit.get("snapshot") or {}
    facts_shown = [
        ("Cluster", field(cluster, "server") or field(snapshot, "uid") or "unknown"),
        ("Istio", ", ".join(field(cluster, "istio_versions") or ()) or "unknown"),
        ("Kubernetes", field(cluster, "kubernetes_version") or "unknown"),
        ("Found at", audit["time"]),
        *([("Judged", f"{described(snapshot)}; no cluster was asked")] if snapshot else []),
        ("Sources", ", ".join(dict.fromkeys((*audit["sources"], *facts.asked)))),
    ]
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts_shown), class_="identity")


def sources(facts: Facts) -> Table:
    """What was asked, and how much of it was seen."""
    rows = []
    for name, (what, limit) in _SOURCES.items():
        state, detail = _seen(facts, name)
        rows.append(Row(state, [el("b", name), pill(state), detail, what, limit]))
    columns = ("Source", "State", "In this audit", "What it is", "What it does not show")
    return Table("sources-table", "What was asked, and what was seen", columns, rows)


def _seen(facts: Facts, name: str) -> tuple[str, str]:
    told = field(facts.audit, "seen", name)
    if told:
        return told["state"], str(field(told, "detail"))
    if name not in facts.asked and name not in facts.audit["sources"]:
        return "not asked", ""
    gaps = len(facts.audit["unknown"])
    if name == "declared" and gaps:
        return "partly", f"{gaps} thing{'s' if gaps > 1 else ''} could not be read or judged; see below."
    return "seen", ""


def scope() -> Markup:
    """What this page is, and what it is not."""
    return el(
        "div",
        el(
            "p",
            el("strong", "Configuration is not traffic."),
            " A verdict from declared evidence alone says what Istio would do with these objects. A port counts as "
            "proven where every source that was asked answered, at least two were, and all agree. What could not be "
            "read or decided is unknown; it is never counted as secure.",
        ),
        el(
            "p",
            "Connections are those that could be made, not those that were: every client is held against every service "
            "that it could dial. A client outside the mesh that is refused is a success of STRICT.",
        ),
        class_="prose",
    )


def controls() -> Table:
    """Where an auditor finds what. It maps; it does not certify."""
    rows = [Row("info", [name, where, limit]) for name, where, limit in _CONTROLS]
    columns = ("Control", "Parts of this page that may support it", "What they do not show")
    return Table("controls-table", "Controls that this page may support", columns, rows)


def about(digest: str, facts: Facts) -> Markup:
    """How to check that this page belongs to its file."""
    return el(
        "dl",
        *(
            el("div", el("dt", name), el("dd", value))
            for name, value in (
                ("Made from", f"an audit of the format {facts.audit['format']}"),
                ("SHA-256 of that file", el("code", digest, class_="long")),
                ("Check it", el("code", "sha256sum <the audit's file>")),
                ("Repeatable", "the same file and options make the same bytes of this page"),
            )
        ),
        class_="identity wide",
    )
