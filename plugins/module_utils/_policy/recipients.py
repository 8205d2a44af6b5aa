# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sidecars get a VirtualService: those to which it is exported, unless their Sidecar imports nothing of it.

pilot/pkg/model/virtualservice.go SelectVirtualServices. Kept by namespace, so that nobody else is asked about an object
than those whom it names.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Optional, Tuple

from .push_context import PushContext
from .records import VirtualService
from .visibility import View

_EVERY = "*"


class _Sidecars:
    """Those of one revision, as sets of scopes."""

    __slots__ = ("by_namespace", "importing", "left_out", "whole")

    def __init__(self) -> None:
        self.by_namespace: Dict[str, int] = {}
        """By their own namespace; `*` for all of them."""
        self.importing: Dict[str, int] = {}
        """By the namespaces of which they may import something; `*` for those that may of any."""
        self.whole: Dict[str, int] = {}
        """By the namespaces of which they import everything, but for what they leave out."""
        self.left_out: Dict[str, int] = {}
        """By the namespaces of which they leave something out."""

    def add(self, bit: int, namespace: str, view: Optional[View]) -> None:
        """Takes a scope in."""
        whole, left_out = ({_EVERY}, set()) if view is None else view.wholes()
        for index, names in (
            (self.by_namespace, {namespace, _EVERY}),
            (self.importing, {_EVERY} if view is None else view.namespaces()),
            (self.whole, whole),
            (self.left_out, left_out),
        ):
            for name in names:
                index[name] = index.get(name, 0) | bit

    def given(self, home: str, export_to: Iterable[str]) -> Tuple[int, int]:
        """Those that may get an object of the namespace `home`, and those that surely do."""
        exported = 0
        for name in export_to:
            exported |= self.by_namespace.get(home if name == "." else name, 0)
        return exported & _of(self.importing, home), exported & self.having(home)

    def having(self, home: str) -> int:
        """Those that surely import all of a namespace, be it no Service."""
        return _of(self.whole, home) & ~_of(self.left_out, home)


def _of(index: Dict[str, int], namespace: str) -> int:
    return index.get(namespace, 0) | index.get(_EVERY, 0)


class Recipients:
    """All sidecars, by the control plane that gives them their VirtualServices."""

    def __init__(
        self, sidecars: Iterable[Tuple[int, str, str, Optional[View]]], planes: Callable[[Optional[str]], PushContext]
    ) -> None:
        """`sidecars`: the bit of each scope, its revision, its namespace and what its Sidecar imports."""
        self._planes = planes
        self._by_revision: Dict[str, _Sidecars] = {}
        for bit, revision, namespace, view in sidecars:
            self._by_revision.setdefault(revision, _Sidecars()).add(bit, namespace, view)

    def of(self, item: VirtualService) -> Tuple[int, int]:
        """The scopes that may get a VirtualService, and those that surely do."""
        found = surely = 0
        for revision, sidecars in self._by_revision.items():
            plane = self._planes(revision)
            if plane.sees(item.namespace, item.revision):
                may, must = sidecars.given(item.namespace, item.export_to or plane.mesh.route_export)
                found |= may
                surely |= must
        return found, surely

    def having(self, namespace: str, revision: Optional[str], home: str) -> int:
        """The scopes whose control plane sees objects of a namespace and revision, and that import all of `home`."""
        found = 0
        for own, sidecars in self._by_revision.items():
            if self._planes(own).sees(namespace, revision):
                found |= sidecars.having(home)
        return found
