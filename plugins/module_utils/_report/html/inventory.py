# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of what a mesh consists of: certificates, control planes, proxies."""

from __future__ import annotations

from ..._judgement.states import Facts
from .looks import pill
from .markup import el, joined
from .tables import Row, Table, code, field, moment, short, tight


def certificate_authorities(facts: Facts) -> Table:
    """The roots of trust."""
    rows = [
        Row(
            field(item, "state") or "unknown",
            [
                el("code", field(item, "fingerprint"), class_="long"),
                field(item, "subject"),
                tight(field(item, "key")),
                moment(field(item, "not_before")),
                moment(field(item, "not_after")),
                tight(field(item, "seen_in")),
                pill(field(item, "state") or "unknown"),
            ],
        )
        for item in field(facts.audit, "certificates", "authorities") or ()
    ]
    columns = (
        "SHA-256 fingerprint",
        "Subject",
        "Key",
        "Valid from (UTC)",
        "Valid until (UTC)",
        "Seen in proxies",
        "State",
    )
    return Table("authorities-table", "Certificate authorities", columns, rows)


def leaves(facts: Facts) -> Table:
    """The workloads' own certificates, the worst first."""
    order = ("expired", "expiring", "unknown", "ok")
    found = sorted(
        field(facts.audit, "certificates", "workloads") or (),
        key=lambda item: order.index(field(item, "state")) if field(item, "state") in order else 2,
    )
    rows = [
        Row(
            field(item, "state") or "unknown",
            [
                joined(
                    code(short(str(field(item, "workload")))), el("span", "pod ", field(item, "pod"), class_="server")
                ),
                code(field(item, "identity")),
                code(field(item, "serial")),
                tight(field(item, "key")),
                moment(field(item, "not_after")),
                el("code", str(field(item, "root_fingerprint"))[:16], class_="t"),
                pill(field(item, "state") or "unknown"),
            ],
        )
        for item in found
    ]
    columns = ("Workload", "Identity", "Serial", "Key", "Valid until (UTC)", "Root", "State")
    return Table("leaves-table", "Certificates of workloads", columns, rows, True)


def trust_domains(facts: Facts) -> Table:
    """Whose identities were seen."""
    found = field(facts.audit, "certificates", "trust_domains") or {}
    rows = [Row("info", [code(name), tight(found[name])]) for name in sorted(found)]
    return Table("domains-table", "Trust domains", ("Trust domain", "Proxies"), rows)


def revisions(facts: Facts) -> Table:
    """The control planes."""
    rows = [
        Row(
            "info",
            [
                code(field(item, "name")),
                code(field(item, "root_namespace")),
                {True: "on", False: "off"}.get(field(item, "auto_mtls"), "unknown"),
                code(field(item, "trust_domain")),
            ],
        )
        for item in facts.audit["mesh"]["revisions"]
    ]
    columns = ("Revision", "Root namespace", "auto-mTLS", "Trust domain")
    return Table("revisions-table", "Control plane revisions", columns, rows)


def proxies(facts: Facts) -> Table:
    """What the proxies that were asked run with; those that did not answer come first."""
    rows = []
    for item in facts.audit.get("proxies", ()):
        accepted, answered = field(item, "configuration", "accepted"), field(item, "answered")
        connected = field(item, "istiod", "connected")
        state = "ok" if answered and accepted is True and connected is True else "unknown"
        detail = "accepted" if accepted is True else field(item, "configuration", "detail") or "not known"
        rows.append(
            Row(
                state,
                [
                    code(field(item, "pod")),
                    code(short(str(field(item, "workload")))),
                    field(item, "version") or "unknown",
                    field(item, "envoy_version") or "unknown",
                    field(item, "revision") or "-",
                    {True: "connected", False: "cut off"}.get(connected, "unknown"),
                    detail if answered else f"did not answer: {field(item, 'reason')}",
                ],
            )
        )
    rows.sort(key=lambda row: row.state == "ok")
    columns = ("Pod", "Workload", "Istio", "Envoy", "Revision", "Control plane", "Last configuration")
    return Table("proxies-table", "Proxies that were asked", columns, rows, True)
