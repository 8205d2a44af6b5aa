# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not judged on request: exceptions with a reason, some of which end on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

_DAY = "%Y-%m-%d"


class ExclusionError(Exception):
    """An entry that cannot be understood; the text names it and says what to do."""


class Exclusions:
    """The entries of `exclude`, {namespace, workload, port, reason, until}, and how many rows each of them covers."""

    def __init__(self, entries: Iterable[Mapping[str, Any]], today: str = "") -> None:
        """`today` is a day as `until` is, needed where an entry has one. Raises ExclusionError."""
        entries = [dict(entry) for entry in entries]
        wrong = problems(entries)
        if wrong:
            raise ExclusionError(" ".join(wrong))
        self.entries: list[dict[str, Any]] = [_prepared(entry, today) for entry in entries]
        """Each with `rows`, and where it has a last day with `until` and `expired`."""

    def cover(self, namespace: str, names: Iterable[str], ports: Iterable[int | None]) -> bool:
        """Whether an entry covers it; each that does counts the row, so that idle entries can be shown."""
        names, ports = set(names), set(ports)
        covering = [
            entry
            for entry in self.entries
            if not entry.get("expired")
            and entry["namespace"] == namespace
            and (not entry.get("workload") or entry["workload"] in names)
            and (not entry.get("port") or int(entry["port"]) in ports)
        ]
        for entry in covering:
            entry["rows"] += 1
        return bool(covering)


def problems(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each entry whose last day is none."""
    return [
        f"The entry of istio_verify_exclude for {name_of(entry)} ({entry['reason']}) has until: {entry['until']}, "
        "which is no day. Remedy: write it as YYYY-MM-DD, such as 2026-05-31."
        for entry in entries
        if entry.get("until") and not _is_day(str(entry["until"]))
    ]


def name_of(entry: Mapping[str, Any]) -> str:
    """What an entry covers, in short."""
    port = f" port {entry['port']}" if entry.get("port") else ""
    return f"{entry['namespace']}/{entry.get('workload') or '*'}{port}"


def _is_day(text: str) -> bool:
    try:
        return datetime.strptime(text, _DAY).strftime(_DAY) == text
    except ValueError:
        return False


def _prepared(entry: Mapping[str, Any], today: str) -> dict[str, Any]:
    if not entry.get("until"):
        return {**{name: value for name, value in entry.items() if name != "until"}, "rows": 0}
    if not _is_day(today):
        raise ExclusionError(
            f"Whether the entry for {name_of(entry)} still counts cannot be told without the day of today. Remedy: "
            "give the filter judge today=now(utc=true).strftime('%Y-%m-%d')."
        )
    # YAML makes a date of an unquoted day. Days of this form sort as texts do.
    until = str(entry["until"])
    return {**entry, "until": until, "expired": until < today, "rows": 0}
