# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of clients: as they are shown, and without those that an exclusion excuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .exclusions import Exclusions, Excuse
from .violations import is_outside, shortened


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
    found = {}
    for name, ids in sets.items():
        members = members_of(ids, workloads)
        inside = [client for client in members if not is_outside(workloads.get(client))]
        found[name] = ShownClients(
            _names(members, workloads),
            _names(inside, workloads) if inside else "",
            bool(members),
            bool(inside) and all((workloads.get(client) or {}).get("lacks_proxy") for client in inside),
        )
    return found


def members_of(clients: Any, workloads: Mapping[str, Any]) -> list[str]:
    """The ids in a set of clients."""
    if not isinstance(clients, Mapping):
        return list(clients)
    lacking = set(clients["all_but"])
    return [client for client in workloads if client not in lacking]


def _names(clients: Iterable[str], workloads: Mapping[str, Mapping[str, Any]]) -> str:
    listed = [(client, workloads.get(client)) for client in clients]
    return shortened(sorted({f"{item['namespace']}/{item['name']}" if item else name for name, item in listed}))


class Left(NamedTuple):
    """A set of clients without those that are excused."""

    clients: ShownClients
    excused: list[str]
    """The names of those, "namespace/name"."""


class Unexcused:
    """Sets of clients without those that are excused; many edges share a set."""

    def __init__(
        self, sets: Mapping[str, Any], taking_part: Mapping[str, Mapping[str, Any]], exclusions: Exclusions
    ) -> None:
        self._sets = sets
        self._taking_part = taking_part
        self._exclusions = exclusions
        self._known: dict[tuple[str, tuple[Excuse, ...]], tuple[Left, list[dict[str, Any]]]] = {}

    def without_excused(self, name: str, excuses: tuple[Excuse, ...]) -> Left:
        """The set without the clients that the entries name; each entry that names one counts a row.

        A client of whom nothing but the id is known is excused by no entry.
        """
        if not excuses or name not in self._sets:
            return Left(NOBODY, [])
        if (name, excuses) not in self._known:
            self._known[name, excuses] = self._told(name, excuses)
        left, counting = self._known[name, excuses]
        self._exclusions.count(counting)
        return left

    def _told(self, name: str, excuses: tuple[Excuse, ...]) -> tuple[Left, list[dict[str, Any]]]:
        members = members_of(self._sets[name], self._taking_part)
        gone: dict[str, str] = {}
        counting: set[int] = set()
        for client in members:
            item = self._taking_part.get(client)
            found = [one.place for one in excuses if item and one.names(item["namespace"], item["name"])]
            if item and found:
                gone[client] = f"{item['namespace']}/{item['name']}"
                counting.update(found)
        others = [client for client in members if client not in gone]
        left = clients_of({name: others}, self._taking_part)[name]
        return Left(left, sorted(set(gone.values()))), [self._exclusions.entries[place] for place in sorted(counting)]
