# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ExternalName Services: other names for hosts that the mesh knows.

Since Istio 1.21 they have no cluster of their own (pilot/pkg/model/push_context.go resolveServiceAliases): who dials
one meets what the name behind it means, by the rules and at the ports of that name. No version that is supported lets
istiod do otherwise: ENABLE_EXTERNAL_NAME_ALIAS, which could, is gone since 1.24.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .rows import NORMAL, Edge
from .services import Destination


def aliases_of(destinations: List[Destination]) -> Iterator[Tuple[Destination, str]]:
    """Each alias with the host that it stands for, which may be unknown to the mesh; none that leads back to itself."""
    names = {item.host: item for item in destinations if item.alias}
    known: Dict[str, Optional[str]] = {}
    for alias in names.values():
        target = _target(alias, names, known)
        if target is not None:
            yield alias, target


def of_aliases(rows: List[Edge], aliases: List[Tuple[Destination, str]], subsets: bool = False) -> Iterator[Edge]:
    """The rows of each alias: those of the host that it stands for, with `subsets` only where one is led there.

    An alias of a name that the mesh does not know has no rows: its port is nowhere, and nothing of it is known.
    """
    own: Dict[str, List[Edge]] = {}
    for row in rows if aliases else ():
        if row.subset is None or subsets:
            own.setdefault(row.host, []).append(row)
    for alias, target in aliases:
        for row in own.get(target, ()):
            reason = f"{alias.host} is another name for {target}: {row.reason}"
            yield row._replace(service=alias.name, host=alias.host, reason=reason)


def by_name(
    rows: Iterable[Edge],
    aliases: List[Tuple[Destination, str]],
    destinations: List[Destination],
    unnamed: Callable[[Destination, str], int],
) -> Iterator[Edge]:
    """The rows of aliases as requests meet them, which are told by their names: unknown to whose proxy it may not be.

    `unnamed` gives these clients, by an alias and the namespace of what it stands for. Connections that are no requests
    go by the address, which is that of the host behind the name.
    """
    concrete = {item.host: item for item in destinations if not item.alias} if aliases else {}
    away_of: Dict[Tuple[str, int], int] = {}
    for alias, target in aliases:
        if target in concrete:
            clients = unnamed(alias, concrete[target].namespace)
            told = (port.number for port in concrete[target].ports if port.http or not port.instance)
            away_of.update(((alias.host, number), clients) for number in told)
    for row in rows:
        away = row.clients & away_of.get((row.host, row.port), 0) if row.client_tls != "none" else 0
        if away:
            why = f"whether the client's proxy knows the name {row.host}, or passes requests for it on as they are, "
            why += "depends on what its Sidecar imports and its control plane sees"
            yield row._replace(clients=away, client_tls="unknown", verdict="unknown", reason=why, state=NORMAL)
        if row.clients & ~away:
            yield row._replace(clients=row.clients & ~away)


def as_dialled(aliases: List[Tuple[Destination, str]], destinations: List[Destination]) -> Iterator[Destination]:
    """The aliases, with the ports of the hosts that they stand for."""
    ports = {item.host: item.ports for item in destinations if not item.alias} if aliases else {}
    for alias, target in aliases:
        yield alias._replace(ports=ports.get(target, ()))


def _target(alias: Destination, names: Dict[str, Destination], known: Dict[str, Optional[str]]) -> Optional[str]:
    """What a chain of aliases ends at; None for one that leads back to itself. `known`: the ends that were found."""
    seen: Set[str] = set()
    end: Optional[str] = alias.host
    while end is not None and end in names:
        if end in known:
            end = known[end]
            break
        if end in seen:
            end = None
            break
        seen.add(end)
        end = names[end].alias.lower().rstrip(".")
    known.update(dict.fromkeys(seen, end))
    return end
