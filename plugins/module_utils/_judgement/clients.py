# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of clients: as they are shown, and without those that an exclusion excuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .exclusions import Exclusions, Excuse
from .violations import is_outside, shortened, shortened_of


class ShownClients(NamedTuple):
    """A set of clients as it is shown. Many edges share a set, and a set can hold the whole mesh."""

    all: str
    inside: str
    """Those that are, or may be, in the mesh; empty where there are none."""
    known: bool
    lacking: bool = False
    """Whether all of those inside lack the proxy that their labels ask for."""


NOBODY = ShownClients("nobody", "", known=False)


def clients_of(sets: Mapping[str, Any], workloads: Mapping[str, Mapping[str, Any]]) -> dict[str, ShownClients]:
    """The sets of clients by their id; a compact one, `{"all_but": [ids]}`, is every workload but these."""
    shown = _Shown(workloads)
    return {name: shown.of(ids) for name, ids in sets.items()}


class _Shown:
    """Shows sets of clients."""

    def __init__(self, workloads: Mapping[str, Mapping[str, Any]]) -> None:
        self._workloads = workloads
        insiders = [client for client, item in workloads.items() if not is_outside(item)]
        self._everyone, self._insiders = _Everyone(workloads, workloads), _Everyone(insiders, workloads)
        self._proxied = {client for client in insiders if not workloads[client].get("lacks_proxy")}

    def of(self, ids: Any) -> ShownClients:
        """One set, as `client_sets` has it."""
        workloads = self._workloads
        if isinstance(ids, Mapping):
            without = set(ids["all_but"])
            inside, known = self._insiders.but(without), not workloads.keys() <= without
            inside = inside if inside != _NOBODY else ""
            return ShownClients(self._everyone.but(without), inside, known, bool(inside) and self._proxied <= without)
        members = [client for client in ids if not is_outside(workloads.get(client))]
        lacking = bool(members) and all((workloads.get(client) or {}).get("lacks_proxy") for client in members)
        return ShownClients(_names(ids, workloads), _names(members, workloads) if members else "", bool(ids), lacking)


_NOBODY = shortened([])


class _Everyone:
    """The names of many clients, in order.

    Hundreds of sets of nearly everyone are shown by a few names each: only those that they lack are looked at.
    """

    def __init__(self, clients: Iterable[str], workloads: Mapping[str, Mapping[str, Any]]) -> None:
        self._name_of = {client: _name(client, workloads) for client in clients}
        self._bearers = dict(sorted(Counter(self._name_of.values()).items()))
        """How many have a name, by names in order."""

    def but(self, without: Iterable[str]) -> str:
        """The names of all but these, as they are shown."""
        gone = Counter(self._name_of[client] for client in without if client in self._name_of)
        absent = {name for name, number in gone.items() if number == self._bearers[name]}
        return shortened_of((name for name in self._bearers if name not in absent), len(self._bearers) - len(absent))


def members_of(clients: Any, workloads: Mapping[str, Any]) -> list[str]:
    """The ids in a set of clients."""
    if not isinstance(clients, Mapping):
        return list(clients)
    lacking = set(clients["all_but"])
    return [client for client in workloads if client not in lacking]


def _name(client: str, workloads: Mapping[str, Mapping[str, Any]]) -> str:
    item = workloads.get(client)
    return f"{item['namespace']}/{item['name']}" if item else client


def _names(clients: Iterable[str], workloads: Mapping[str, Mapping[str, Any]]) -> str:
    return shortened(sorted({_name(client, workloads) for client in clients}))


class Left(NamedTuple):
    """A set of clients without those that are excused."""

    clients: ShownClients
    excused: list[str]
    """The names of those, "namespace/name"."""


class _Told(NamedTuple):
    left: Left
    counting: list[dict[str, Any]]
    """The entries that name one of the set."""
    excuses: tuple[Excuse, ...]
    """Of which it was asked: kept, because it is told apart by its identity."""


class Unexcused:
    """Sets of clients without those that are excused; many edges share a set."""

    def __init__(
        self, sets: Mapping[str, Any], taking_part: Mapping[str, Mapping[str, Any]], exclusions: Exclusions
    ) -> None:
        self._sets = sets
        self._taking_part = taking_part
        self._exclusions = exclusions
        self._known: dict[tuple[str, int], _Told] = {}
        self._shown = _Shown(taking_part)
        self._bearers: dict[tuple[str, str | None], list[str]] = {}
        """The ids of all, by namespace and name, and by namespace alone."""
        for client, item in taking_part.items():
            for name in (item["name"], None):
                self._bearers.setdefault((item["namespace"], name), []).append(client)

    def without_excused(self, name: str, excuses: tuple[Excuse, ...]) -> Left:
        """The set without the clients that the entries name; each entry that names one counts a row.

        A client of whom nothing but the id is known is excused by no entry.
        """
        if not excuses or name not in self._sets:
            return Left(NOBODY, [])
        # There may be thousands of entries: the same ones are the same tuple.
        key = (name, id(excuses))
        if key not in self._known:
            self._known[key] = _Told(*self._told(name, excuses), excuses)
        self._exclusions.count(self._known[key].counting)
        return self._known[key].left

    def _told(self, name: str, excuses: tuple[Excuse, ...]) -> tuple[Left, list[dict[str, Any]]]:
        ids = self._sets[name]
        listed = set(ids["all_but"] if isinstance(ids, Mapping) else ids)
        gone: set[str] = set()
        counting: set[int] = set()
        for one in excuses:
            named = self._bearers.get((one.namespace, one.workload), ())
            found = [client for client in named if (client in listed) is not isinstance(ids, Mapping)]
            gone.update(found)
            counting.update([one.place] if found else [])
        others = {"all_but": listed | gone} if isinstance(ids, Mapping) else [one for one in ids if one not in gone]
        left = self._shown.of(others)
        names = sorted({_name(client, self._taking_part) for client in gone})
        return Left(left, names), [self._exclusions.entries[place] for place in sorted(counting)]
