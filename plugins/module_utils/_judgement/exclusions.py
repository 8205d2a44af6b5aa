# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not judged on request: exceptions with a reason, some of which end on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain, product
from typing import Any, NamedTuple

_DAY = "%Y-%m-%d"
_FIELDS = ("client", "namespace", "workload", "port", "reason", "until")
_CLIENTS_FIELDS = ("namespace", "workload")


_Place = tuple[Any, Any, Any]
"""Namespace, workload and port of a server, None for any."""


class ExclusionError(Exception):
    """An entry that cannot be understood; the text names it and says what to do."""


class Excuse(NamedTuple):
    """An entry for a client, by its place in `Exclusions.entries`, and the client that it names."""

    place: int
    namespace: str
    workload: str | None

    def names(self, namespace: str, workload: str) -> bool:
        """Whether this is the client, or one of the clients, that the entry names."""
        return self.namespace == namespace and self.workload in (None, workload)


class Exclusions:
    """The entries of `exclude`, and how many rows each of them covers.

    {namespace, workload, port, reason, until} names a server: nothing of it is judged. With `client`, {namespace,
    workload}, an entry names a client instead, and the rest, of which none is needed then, the servers to which it is
    excused. It covers what that client sends, and nothing else: what the server accepts is judged, and so is what
    every other client sends.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]], today: str = "") -> None:
        """`today` is a day as `until` is, needed where an entry has one. Raises ExclusionError."""
        entries = [dict(entry) for entry in entries]
        wrong = problems(entries)
        if wrong:
            raise ExclusionError(" ".join(wrong))
        self.entries: list[dict[str, Any]] = [_prepared(entry, today) for entry in entries]
        """Each with `rows`, and where it has a last day with `until` and `expired`."""
        self._servers: dict[_Place, list[int]] = {}
        self._clients: dict[_Place, list[int]] = {}
        self._excuses: dict[tuple[int, ...], tuple[Excuse, ...]] = {}
        """The places of those that count, for servers and for clients, by the servers that they name."""
        for place, entry in enumerate(self.entries):
            if not entry.get("expired"):
                port = int(entry["port"]) if entry.get("port") else None
                key = (entry.get("namespace") or None, entry.get("workload") or None, port)
                (self._clients if entry.get("client") else self._servers).setdefault(key, []).append(place)

    def cover(self, namespace: str, names: Iterable[str], ports: Iterable[int | None]) -> bool:
        """Whether an entry covers this server; each that does counts the row, so that idle entries can be shown."""
        covering = [
            self.entries[place] for places in _matching(self._servers, namespace, names, ports) for place in places
        ]
        self.count(covering)
        return bool(covering)

    def excuses(self, namespace: str, names: Iterable[str], ports: Iterable[int | None]) -> tuple[Excuse, ...]:
        """The entries that excuse some client at this server. Which of them count a row is said by `count`."""
        found = _matching(self._clients, namespace, names, ports)
        key = tuple(map(id, found))
        if key not in self._excuses:
            entries = [(place, self.entries[place]["client"]) for place in sorted(chain.from_iterable(found))]
            self._excuses[key] = tuple(
                Excuse(place, client["namespace"], client.get("workload") or None) for place, client in entries
            )
        return self._excuses[key]

    @staticmethod
    def count(entries: Iterable[dict[str, Any]]) -> None:
        """Count a row for each of these entries."""
        for entry in entries:
            entry["rows"] += 1


def _matching(
    index: Mapping[_Place, list[int]], namespace: str, names: Iterable[str], ports: Iterable[int | None]
) -> list[list[int]]:
    """The places of the entries for a server, by what they name of it."""
    keys = product(dict.fromkeys((namespace, None)), dict.fromkeys((*names, None)), dict.fromkeys((*ports, None)))
    return [index[key] for key in keys if key in index]


def problems(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each fault: an entry that names neither server nor client, or whose last day is none."""
    return [
        f"The entry of istio_verify_exclude for {name_of(entry)} ({entry.get('reason')}) {fault}."
        for entry in entries
        for fault in _faults(entry)
    ]


def _faults(entry: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong, in half a sentence with its remedy. A field that is not known would make the entry cover more."""
    client = entry.get("client")
    unknown = sorted(str(name) for name in entry if name not in _FIELDS)
    if client is not None and not (isinstance(client, Mapping) and client.get("namespace")):
        yield "has a client without a namespace. Remedy: write client: {namespace: …, workload: …}"
    elif client is not None:
        unknown += sorted(f"client.{name}" for name in client if name not in _CLIENTS_FIELDS)
    if unknown:
        yield f"has fields that no entry has: {', '.join(unknown)}. Remedy: use {', '.join(_FIELDS)}"
    if not entry.get("namespace") and (client is None or entry.get("workload")):
        yield "names no namespace. Remedy: name the server's namespace; only an entry with a client can do without"
    if entry.get("until") and not _is_day(str(entry["until"])):
        yield f"has until: {entry['until']}, which is no day. Remedy: write it as YYYY-MM-DD, such as 2026-05-31"


def name_of(entry: Mapping[str, Any]) -> str:
    """What an entry covers, in short."""
    port = f" port {entry['port']}" if entry.get("port") else ""
    client = entry.get("client")
    of = f"{_named(client)} → " if isinstance(client, Mapping) else ""
    return f"{of}{_named(entry)}{port}"


def _named(thing: Mapping[str, Any]) -> str:
    return f"{thing.get('namespace') or '*'}/{thing.get('workload') or '*'}"


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
