# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit as a document: everything in a file, one row to a line, and what of it is short enough for a screen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._foreign.guards import NOT_UNDERSTOOD

FORMAT = "meshproof.mtls audit 1"
SEVERITIES = ("high", "medium", "low", "info")
_HEAD = '{"format": "' + FORMAT + '",\n"time": "'
_TIME_ENDS = '",\n'
_ROW = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def document(result: Mapping[str, Any], time: str, sources: Sequence[str]) -> str:
    """The whole result as JSON text. Lists have one item on each line, so that two audits can be compared by diff."""
    parts = [f'"sources": {_ROW.encode(list(sources))}']
    for name, value in result.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(map(_ROW.encode, value))
            parts.append(f'"{name}": [\n{rows}\n]')
        elif isinstance(value, dict) and value and name == "client_sets":
            rows = ",\n".join(f"{_ROW.encode(key)}:{_ROW.encode(item)}" for key, item in value.items())
            parts.append(f'"{name}": {{\n{rows}\n}}')
        else:
            parts.append(f'"{name}": {_ROW.encode(value)}')
    return _HEAD + time + _TIME_ENDS + ",\n".join(parts) + "\n}\n"


def same(one: str, other: str) -> bool:
    """Whether two documents differ in nothing but their time and what differs by chance."""
    if _without_time(one) == _without_time(other):
        return True
    try:
        return _lasting_document(one) == _lasting_document(other)
    except NOT_UNDERSTOOD:
        return False


def lasting(answers: Any) -> Any:
    """What the wire answered without the details, which tell by chance whether a reset or an alert came first."""
    if isinstance(answers, list):
        return [lasting(answer) for answer in answers]
    if isinstance(answers, dict):
        return {key: lasting(value) for key, value in answers.items() if not key.endswith("detail")}
    return answers


def _lasting_document(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text)
    del content["time"]
    if "probe" in content:
        content["probe"] = lasting(content["probe"])
    for proxy in content.get("proxies", []):
        # istiod pushes again whenever anything changes anywhere, also when nothing of it reaches this proxy.
        del proxy["configuration"]["updated"]
    return content


def _without_time(text: str) -> str:
    if not text.startswith(_HEAD):
        return text
    return text[text.find(_TIME_ENDS, len(_HEAD)) :]


def counts(text: str) -> str:
    """The counts of a document, line by line, for a diff; empty for a file that is no audit."""
    try:
        content = json.loads(text)
        summary = content["summary"]
        rows = [
            f"{what}: {_listed(summary[what][by])}"
            for what, by in (("workloads", "by_mode"), ("edges", "by_verdict"), ("findings", "by_severity"))
        ]
        return "\n".join([*rows, f"unknown: {summary['unknown']}", ""])
    except NOT_UNDERSTOOD:
        return ""


def _listed(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "none"


def worst(findings: Iterable[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """The first findings, the severest before all others."""
    rank = {name: place for place, name in enumerate(SEVERITIES)}
    return sorted(findings, key=lambda item: rank.get(item["severity"], len(rank)))[:most]


def by_id(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many findings there are of each kind."""
    return dict(sorted(Counter(item["id"] for item in findings).items()))
