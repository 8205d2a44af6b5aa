# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit as JUnit XML, for programs that show tests.

What is as it should be passes. Plaintext, a broken connection, a contradiction and a violated rule fail; so do, of what
is judged, a certificate that the judge counts, and a finding of high severity where the judge finds too much. What is
unknown is an error: it never passes. What nobody asked for, is not judged, is accepted within a limit, or is no
gate by itself, is skipped with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._foreign.visible import escaped_text
from .._judgement.judged_file import described
from .._judgement.states import GOOD, OUTSIDE, SOURCES, UNKNOWN, Facts, accepted
from .._judgement.violations import DISAGREEMENT, EXCLUDED, FAIL, OK, RESULTS, RULE

_PASSED, _FAILURE, _ERROR, _SKIPPED = "passed", "failure", "error", "skipped"
_OUTCOMES = {"failures": _FAILURE, "errors": _ERROR, "skipped": _SKIPPED}


_Judged = dict[tuple[str, str], tuple[Optional[str], Optional[str]]]
"""By object and id of a finding: the result of its row, and which kind of violation it is."""


class Case(NamedTuple):
    """One test: its group, its name, how it ended, and why."""

    group: str
    name: str
    outcome: str
    message: str = ""
    detail: str = ""
    kind: str | None = None
    """Of the violation that it is."""


def junit(facts: Facts, title: str = "") -> str:
    """The whole document. The same facts make the same text."""
    judged = _judged(facts)
    suites = {
        "sources": list(_sources(facts.audit, facts.asked)),
        "ports": list(_ports(facts)),
        "connections": list(_edges(facts)),
        "leaving": list(_egress(facts)),
        "judgement": list(_beside(facts)),
        "findings": [_finding(item, facts, judged) for item in facts.audit["findings"]],
        "rules": [_rule(item) for item in facts.audit.get("rules", ())],
        "certificates": list(_certificates(facts.audit.get("certificates") or {}, facts, judged)),
    }
    within = accepted(facts.judgement)
    suites = {name: [_within(case, within) for case in cases] for name, cases in suites.items()}
    time = facts.audit["time"].rstrip("Z")
    everything = [case for cases in suites.values() for case in cases]
    name = f' name="{escaped_text(title or "Mutual TLS")}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{name}{_counts(everything)}>"]
    for suite, cases in suites.items():
        lines.append(f'  <testsuite name="{suite}"{_counts(cases)} timestamp="{escaped_text(time)}">')
        lines += _file(facts.audit) if suite == "sources" else ()
        lines += [_written(suite, case) for case in cases]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _file(audit: Mapping[str, Any]) -> list[str]:
    """Which file was judged, where it was one."""
    file = audit.get("snapshot")
    value = escaped_text(f"{described(file)}; no cluster was asked") if file else ""
    return [f'    <properties><property name="judged" value="{value}"/></properties>'] if file else []


def _within(case: Case, within: Mapping[str, int]) -> Case:
    """A violation of which no more are there than a limit accepts fails nothing."""
    if case.kind not in within or case.outcome not in (_FAILURE, _ERROR):
        return case
    return case._replace(outcome=_SKIPPED, message=f"accepted within the limit of {case.kind}: {case.message}")


def counts(text: str) -> str:
    """The counts of a document, one to a line, for a diff; empty for a file that is none."""
    head = re.search(r"<testsuites [^>]*>", text)
    found = re.findall(r' (tests|failures|errors|skipped)="([0-9]+)"', head.group()) if head else []
    return "".join(f"{name}: {count}\n" for name, count in found)


def _counts(cases: Iterable[Case]) -> str:
    outcomes = [case.outcome for case in cases]
    found = {"tests": len(outcomes), **{name: outcomes.count(outcome) for name, outcome in _OUTCOMES.items()}}
    return "".join(f' {name}="{count}"' for name, count in found.items())


def _written(suite: str, case: Case) -> str:
    group = f"mtls.{suite}" + (f".{escaped_text(case.group)}" if case.group else "")
    head = f'    <testcase classname="{group}" name="{escaped_text(case.name)}"'
    if case.outcome == _PASSED:
        return f"{head}/>"
    message = f'message="{escaped_text(case.message)}"'
    if case.outcome == _SKIPPED:
        return f"{head}><skipped {message}/></testcase>"
    inner = escaped_text(case.detail or case.message)
    return f'{head}><{case.outcome} {message} type="mtls.{suite}">{inner}</{case.outcome}></testcase>'


def _sources(audit: Mapping[str, Any], asked: Iterable[str]) -> Iterator[Case]:
    told = audit.get("seen") or {name: {"state": "seen"} for name in asked}
    for name in sorted(told):
        state, detail = told[name]["state"], str(told[name].get("detail") or "")
        outcome = {"seen": _PASSED, "not asked": _SKIPPED}.get(state, _ERROR)
        yield Case("", name, outcome, f"{name}: {state}", detail)
    for gap in audit["unknown"]:
        where = "/".join(part for part in (gap.get("namespace") or "everywhere", gap.get("name")) if part)
        yield Case("unknown", f"{gap['kind']} {where}", _ERROR, gap["reason"], _touching(gap))


def _touching(gap: Mapping[str, Any]) -> str:
    return f"{gap['reason']}. Depends on it: {gap['touches']}" if gap.get("touches") else gap["reason"]


def _outcome(state: str) -> str:
    return _PASSED if state in GOOD else _ERROR if state == UNKNOWN else _FAILURE


def _ports(facts: Facts) -> Iterator[Case]:
    for port in facts.ports:
        group, name = port.workload["namespace"], f"{port.workload['id']} port {port.port}"
        if port.state == OUTSIDE:
            why = "excluded on request" if port.excluded else "the workload is outside the mesh, or of what is judged"
            why = port.why if port.by_design else why
            yield Case(group, name, _SKIPPED, why)
        else:
            message, detail = f"{port.state}: {port.why}", _said(port.said, port.cause)
            yield Case(group, name, _outcome(port.state), message, detail, port.kind)


def _edges(facts: Facts) -> Iterator[Case]:
    """Only those to servers that the mesh is meant to protect."""
    for edge in facts.edges:
        if not edge.in_scope:
            continue
        row = edge.row
        service = f"{row['service']}:{row['port']}" + (f" subset {row['subset']}" if row.get("subset") else "")
        total, inside = facts.clients.count(row["clients"])
        named = ", ".join(facts.clients.members(row["clients"], 3)) + (" …" if total > 3 else "")
        name = f"{total} clients ({inside} in the mesh: {named}) to {service} at {row['endpoint'] or 'no endpoint'}"
        message, detail = f"{edge.state}: {row['reason']}", _said(edge.said, row.get("cause"))
        yield Case(str(row["service"]).split("/", 1)[0], name, _outcome(edge.state), message, detail, edge.kind)


def _egress(facts: Facts) -> Iterator[Case]:
    """What leaves the mesh, which fails by its own limit alone."""
    for row in facts.judgement["egress"]:
        name = f"{row['clients']} to {row['host']}:{row['port']} at {row['endpoint'] or 'no endpoint'}"
        failed = row["result"] == FAIL and row["kind"] in facts.judgement["exceeded"]
        outcome = _FAILURE if failed else _PASSED if row["verdict"] in GOOD else _SKIPPED
        yield Case(str(row["service"]).split("/", 1)[0], name, outcome, f"{row['verdict']}: {row['reason']}")


def _beside(facts: Facts) -> Iterator[Case]:
    """What the judge says beside ports and connections: of missing evidence, the wire and traffic."""
    for violation in facts.judgement["missing"]:
        yield Case("missing", violation["object"], _ERROR, violation["reason"], violation["remedy"], violation["kind"])
    for group in ("wire", "traffic"):
        for row in facts.judgement[group]:
            if row["result"] == EXCLUDED:
                yield Case(group, row["object"], _SKIPPED, "excluded on request")
            elif row["result"] == FAIL:
                outcome = _ERROR if row["kind"] == UNKNOWN else _FAILURE
                message = f"{row['kind']}: {row['reason']}"
                yield Case(group, row["object"], outcome, message, row["remedy"], row["kind"])


def _said(said: Iterable[str | None], cause: str | None) -> str:
    words = [f"{SOURCES[place]}: {word or 'not asked'}" for place, word in enumerate(said)]
    return "; ".join([*words, *([f"likely cause: {cause}"] if cause else [])])


def _is_judged(thing: str, facts: Facts) -> bool:
    """Whether a finding's object, "Kind namespace/name", is in scope, and excluded neither alone nor as a whole."""
    kind, dummy, name = thing.partition(" ")
    namespace, dummy, short = name.partition("/")
    named = short if f"{namespace}/{kind}/{short}" in facts.workloads else None
    excluded = any(
        entry["namespace"] == namespace and (entry.get("workload") or named) == named
        for entry in facts.judgement["exclusions"]
        if not entry.get("client") and not entry.get("port") and not entry.get("expired")
    )
    return namespace in facts.judgement["scope"] and not excluded


def _finding(item: Mapping[str, Any], facts: Facts, judged: _Judged) -> Case:
    """What the judge counts itself fails; others explain what it counts, and fail no mesh that it passes."""
    result, kind = judged.get((item["object"], item["id"]), (None, None))
    explains = item["severity"] == "high" and facts.judgement["exceeded"] and _is_judged(item["object"], facts)
    outcome = _FAILURE if result == FAIL or (result is None and explains) else _SKIPPED
    message = f"{item['severity']}: {item['message']}"
    return Case(item["id"], item["object"], outcome, message, f"{item['message']}. Remedy: {item['fix']}", kind)


def _judged(facts: Facts) -> _Judged:
    """What the judge made of its findings: by object and id, and by object alone, of several the worst."""
    found: _Judged = {}
    # Those of high severity that are only told explain what else is wrong.
    severe = (row for row in facts.judgement["severe"] if row["kind"] is not None)
    for row in sorted((*facts.judgement["findings"], *severe), key=lambda row: RESULTS.index(row["result"])):
        answer = row["result"], row["kind"] if row["result"] == FAIL else None
        found.setdefault((row["object"], row["id"]), answer)
        found.setdefault((row["object"], ""), answer)
    return found


def _rule(item: Mapping[str, Any]) -> Case:
    violated = _SKIPPED if item.get("severity") == "warning" else _FAILURE
    return Case("", item["name"], _PASSED if item["passed"] else violated, str(item.get("message") or ""), kind=RULE)


def _certificates(found: Mapping[str, Any], facts: Facts, judged: _Judged) -> Iterator[Case]:
    for item in found.get("authorities") or ():
        name = f"{item.get('subject') or ''} {item['fingerprint'][:16]}".strip()
        result, dummy = judged.get((f"authority {item.get('subject') or item['fingerprint'][:16]}", ""), (None, None))
        yield _certificate("authorities", name, item, result)
    for item in found.get("workloads") or ():
        result, dummy = judged.get((str(item.get("pod")), ""), (None, None))
        workload = facts.workloads.get(item.get("workload") or "")
        if result is None and workload and workload["namespace"] not in facts.judgement["scope"]:
            result = OK
        name = f"{item.get('workload') or item.get('pod')} {item.get('serial') or ''}"
        yield _certificate("workloads", name, item, result)


def _certificate(group: str, name: str, item: Mapping[str, Any], result: str | None) -> Case:
    """`result` is the judge's; where it has none, which is none of our own audits, the certificate's state counts."""
    state = item.get("state")
    outcome = _PASSED if state == "ok" else _FAILURE if state in ("expired", "expiring") else _ERROR
    if outcome != _PASSED and result not in (None, FAIL):
        outcome = _SKIPPED
    message = f"{state or UNKNOWN}: valid until {item.get('not_after') or UNKNOWN}"
    return Case(group, name, outcome, message, kind=DISAGREEMENT if result == FAIL else None)
