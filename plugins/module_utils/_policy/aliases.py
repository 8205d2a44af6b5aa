# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ExternalName Services: other names for hosts that the mesh knows.

Since Istio 1.21 they have no cluster of their own (pilot/pkg/model/push_context.go resolveServiceAliases): who dials
one meets what the name behind it means, by the rules and at the ports of that name.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional

from .rows import Edge
from .services import Destination


def of_aliases(rows: List[Edge], destinations: List[Destination]) -> Iterator[Edge]:
    """The rows of each alias: those of the host that it stands for, but for subsets, which nobody dials.

    An alias of a name that the mesh does not know has no rows: its port is nowhere, and nothing of it is known.
    """
    names = {item.host: item for item in destinations if item.alias}
    if not names:
        return
    own: Dict[str, List[Edge]] = {}
    for row in rows:
        if row.subset is None:
            own.setdefault(row.host, []).append(row)
    for alias in names.values():
        target = _target(alias, names)
        for row in own.get(target, ()) if target is not None and target != alias.host else ():
            reason = f"{alias.host} is another name for {target}: {row.reason}"
            yield row._replace(service=alias.name, host=alias.host, reason=reason)


def _target(alias: Destination, names: Dict[str, Destination]) -> Optional[str]:
    """What a chain of aliases ends at; None for one that leads back to itself."""
    seen, host = set(), alias.host
    while host in names:
        if host in seen:
            return None
        seen.add(host)
        host = names[host].alias.lower().rstrip(".")
    return host
