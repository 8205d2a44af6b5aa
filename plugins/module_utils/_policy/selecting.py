# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the objects whose selectors select something by its labels, without asking each object."""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Generic, Iterable, List, Tuple, TypeVar

from .records import Labels, Selector

_Item = TypeVar("_Item")
_Pair = Tuple[str, str]
"""A label: key and value."""
_Pairs = FrozenSet[_Pair]


class Selecting(Generic[_Item]):
    """Objects with selectors.

    Thousands of objects may select thousands of pods: each pod is asked only about the objects that name one of its
    labels, and pods that no selector can tell apart are asked about once.
    """

    __slots__ = ("_by_pair", "_everywhere", "_found", "_groups", "_known", "_named")

    def __init__(self, items: Iterable[_Item], selector: Callable[[_Item], Selector]) -> None:
        by_selector: Dict[_Pairs, List[Tuple[int, _Item]]] = {}
        for place, item in enumerate(items):
            by_selector.setdefault(frozenset((selector(item) or {}).items()), []).append((place, item))
        self._groups = list(by_selector.items())
        """The objects of each selector, with their places among all."""
        counts: Dict[_Pair, int] = {}
        for pairs in by_selector:
            for pair in pairs:
                counts[pair] = counts.get(pair, 0) + 1
        self._named = counts.keys()
        self._by_pair: Dict[_Pair, List[int]] = {}
        """The places of the groups, each under that label of its selector which the fewest others have."""
        self._everywhere: List[int] = []
        """The place of the group that has no selector, if any."""
        for number, (pairs, dummy) in enumerate(self._groups):
            if pairs:
                rarest = min(pairs, key=lambda pair: (counts[pair], pair))
                self._by_pair.setdefault(rarest, []).append(number)
            else:
                self._everywhere.append(number)
        self._known: Dict[_Pairs, Tuple[_Item, ...]] = {}
        self._found: Dict[Tuple[int, ...], Tuple[_Item, ...]] = {}

    def of(self, labels: Labels) -> Tuple[_Item, ...]:
        """The objects that select these labels, in the given order; all of those without a selector are among them.

        The same objects are the same tuple, by which callers may remember what they make of it.
        """
        telling = frozenset(pair for pair in labels.items() if pair in self._named)
        known = self._known.get(telling)
        if known is None:
            asked = (number for pair in telling for number in self._by_pair.get(pair, ()))
            groups = (*self._everywhere, *sorted(number for number in asked if self._groups[number][0] <= telling))
            known = self._found.get(groups)
            if known is None:
                found = sorted(
                    (entry for number in groups for entry in self._groups[number][1]), key=lambda entry: entry[0]
                )
                known = self._found[groups] = tuple(item for dummy, item in found)
            self._known[telling] = known
        return known
