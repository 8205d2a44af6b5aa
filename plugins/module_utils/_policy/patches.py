# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the EnvoyFilters that one control plane sees can change of a proxy.

Those of the root namespace and of the proxy's own count (pilot/pkg/model/push_context.go getMatchedEnvoyFilters).
One may have thousands of patches and select thousands of pods: pods under the same filters share one answer.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .membership import Workload
from .records import EnvoyFilter, Touch
from .selecting import Selecting


class Patch(NamedTuple):
    """What an EnvoyFilter ("ns/name") can change."""

    envoy_filter: str
    touch: Touch


class Patches:
    """What EnvoyFilters can change of some sides of proxies. The same changes are the same object."""

    __slots__ = ("_anywhere", "_by_host", "_first", "_ports_of", "every")

    def __init__(self, every: Tuple[Patch, ...]) -> None:
        self.every = every
        """In the order of the EnvoyFilters."""
        self._by_host: Dict[str, List[Tuple[int, Patch]]] = {}
        self._first: Dict[int, int] = {}
        ports_of: Dict[str, Dict[int, None]] = {}
        for place, patch in enumerate(every):
            self._by_host.setdefault(patch.touch.host, []).append((place, patch))
            self._first.setdefault(patch.touch.port, place)
            ports_of.setdefault(patch.envoy_filter, {})[patch.touch.port] = None
        self._ports_of = {name: sorted(ports) for name, ports in ports_of.items()}
        self._anywhere: Optional[Patches] = None

    def __bool__(self) -> bool:
        return bool(self.every)

    def first_at(self, port: int) -> Optional[Patch]:
        """The first that can change something at a port; 0 is any."""
        places = [self._first[number] for number in dict.fromkeys((0, port)) if number in self._first]
        return self.every[min(places)] if places else None

    def ports(self) -> Iterable[int]:
        """The ports at which they can change something, 0 for any."""
        return self._first.keys()

    def reach(self) -> Dict[str, List[int]]:
        """The ports that each EnvoyFilter can change, 0 for all."""
        return self._ports_of

    def hosts(self) -> Iterable[str]:
        """The hosts for which they are; "" for patches that are for any."""
        return self._by_host.keys()

    def at(self, host: str, ports: Iterable[int]) -> Tuple[Patch, ...]:
        """Those that can change something about a host with these ports."""
        possible = {0, *ports}
        own = self._by_host.get(host, ()) if host else ()
        found = [item for item in (*self._by_host.get("", ()), *own) if item[1].touch.port in possible]
        return tuple(patch for dummy, patch in sorted(found, key=lambda item: item[0]))

    def whole(self) -> Optional[Patch]:
        """The first that can change whatever a proxy sends."""
        for dummy, patch in self._by_host.get("", ()):
            if not patch.touch.port and patch.touch.subset is None:
                return patch
        return None

    def anywhere(self) -> Patches:
        """The same where those that are for no host count at any port."""
        if self._anywhere is None:
            self._anywhere = Patches(
                tuple(
                    patch if patch.touch.host else patch._replace(touch=patch.touch._replace(port=0))
                    for patch in self.every
                )
            )
        return self._anywhere


class PatchIndex:
    """The patches of all EnvoyFilters that one control plane sees."""

    def __init__(self, filters: Iterable[EnvoyFilter], root: str) -> None:
        self._root = root
        by_namespace: Dict[str, List[Tuple[int, EnvoyFilter]]] = {}
        for entry in enumerate(filters):
            by_namespace.setdefault(entry[1].namespace, []).append(entry)
        self._by_namespace = {
            namespace: Selecting(found, lambda entry: entry[1].selector) for namespace, found in by_namespace.items()
        }
        self._known: Dict[object, Patches] = {}
        self._same: Dict[Tuple[Patch, ...], Patches] = {}

    def of(self, sides: Tuple[str, ...], workload: Workload) -> Patches:
        """What those that select a workload can change of these sides of its proxies."""
        found = [
            self._by_namespace[namespace].of(workload.labels) if namespace in self._by_namespace else ()
            for namespace in dict.fromkeys((self._root, workload.namespace))
        ]
        waypoint = bool(workload.shape.waypoint)
        key = (sides, waypoint, *map(id, found))
        known = self._known.get(key)
        if known is None:
            entries = sorted((entry for part in found for entry in part), key=lambda entry: entry[0])
            filters = [item for dummy, item in entries if item.by_target or not waypoint]
            patches = _patches(filters, sides)
            known = self._known[key] = self._same.setdefault(patches, Patches(patches))
        return known


def _patches(filters: Sequence[EnvoyFilter], sides: Tuple[str, ...]) -> Tuple[Patch, ...]:
    """One that reaches all of a side leaves nothing for others to change."""
    found = [
        Patch(f"{item.namespace}/{item.name}", touch)
        for item in filters
        for touch in item.touches
        if touch.side in sides
    ]
    whole = [patch for patch in found if patch.touch == Touch(patch.touch.side)]
    return tuple(whole[:1] or found)
