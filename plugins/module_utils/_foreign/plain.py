# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that templates, inventories and other collections made, as the plain values that JSON knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Dict, Set, Tuple

from .json_text import MOST_DEPTH
from .unreadable import Unreadable

ODD = object()
"""Stands for what no manifest can hold (bytes, a set, an undefined variable): of a wrong type wherever it is read."""


def plain(value: Any) -> Any:
    """Mappings as dict, sequences as list, text as str, and dates as YAML writes them.

    What stands in several places is made once, so that aliases cost no memory. Raises Unreadable for what contains
    itself or is nested too deeply, and for a key that is neither text, number, date, true, false nor null.
    """
    return _Plain().of(value)


class _Plain:
    def __init__(self) -> None:
        self._done: Dict[int, Tuple[Any, Any]] = {}
        """By identity; with the original, whose identity another one would take after its end."""
        self._open: Set[int] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            # Ansible's own strings carry tags, which libyaml does not take; others' may do anything when compared.
            return str.__str__(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (Mapping, list, tuple)):
            return self._collection(value)
        if isinstance(value, date):
            return _written(value)
        return ODD

    def _collection(self, value: Any) -> Any:
        known = self._done.get(id(value))
        if known is not None:
            return known[1]
        if id(value) in self._open:
            raise Unreadable("contains itself")
        if len(self._open) >= MOST_DEPTH:
            raise Unreadable("is nested too deeply")
        self._open.add(id(value))
        made: Any
        if isinstance(value, Mapping):
            made = {self._key(key): self.of(item) for key, item in value.items()}
        else:
            made = [self.of(item) for item in value]
        self._open.remove(id(value))
        self._done[id(value)] = (value, made)
        return made

    def _key(self, key: Any) -> Any:
        found = ODD if isinstance(key, (Mapping, list, tuple)) else self.of(key)
        if found is ODD:
            raise Unreadable(f"has a key that is of the type {type(key).__name__}")
        return found


def _written(value: date) -> str:
    """As YAML writes it; a time that does not say its zone is one of UTC, as old versions of PyYAML give it."""
    text = value.isoformat()
    return text if "T" not in text or getattr(value, "tzinfo", None) else f"{text}Z"
