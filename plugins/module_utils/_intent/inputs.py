# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users give a role: inventories, surveys and command lines all write the same option in their own way.

``-e list=demo`` and a survey give text where a list is meant, and Jinja would take it letter by letter. Here each
option is read as what it is, or refused in a sentence that names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._foreign import yaml_text
from .._foreign.numbers import number
from .._foreign.plain import plain
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible

_TRUE = frozenset({"yes", "on", "1", "true", "t", "y"})
_FALSE = frozenset({"no", "off", "0", "false", "f", "n"})
_STRUCTURED = re.compile(r"[\[{]|- |[^,=\n]+:(\s|$)")
"""How YAML or JSON of a list or a mapping begins; anything else is a list of words."""
_LONGEST = 100


class Inputs:
    """The options of one role, read one by one; what cannot be meant becomes a sentence in ``problems``.

    `given` has the options by their names without the role's prefix, as templates made them. For an entry of a list,
    `role` is the entry's place, and `joint` what stands between it and an option's name.
    """

    def __init__(self, role: str, given: Mapping[str, Any], joint: str = "_") -> None:
        self._before = role + joint
        self.problems: list[str] = []
        self._given: Any = plain(given)

    def raw(self, option: str) -> Any:
        """As it was given, in plain values; None for what was not."""
        return self._given.get(option)

    def text(self, option: str, choices: Sequence[str] = ()) -> str:
        """Text, empty for null. With `choices` it has to be one of them."""
        value = self._given.get(option)
        found = "" if value is None else value if isinstance(value, str) else _written(value)
        if found is None:
            self._refuse(option, "text")
        elif choices and found not in choices:
            self._refuse(option, f"one of {', '.join(choices)}")
        return found or ""

    def switch(self, option: str) -> bool:
        """True or false, in any of Ansible's words."""
        value = self._given.get(option)
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self._refuse(option, "true or false")
        return word in _TRUE

    def count(self, option: str, least: int = 0) -> int:
        """A whole number of at least so much."""
        value = self._given.get(option)
        found = number(value.strip() if isinstance(value, str) else value)
        if found is None or found < least:
            self._refuse(option, f"a whole number of at least {least}")
            return least
        return found

    def texts(self, option: str) -> list[str]:
        """A list of text; numbers in it are text, too."""
        items = [item if isinstance(item, str) else _written(item) for item in self._items(option)]
        found = [item for item in items if item is not None]
        if len(found) < len(items):
            self._refuse(option, "a list of text (write what YAML takes for something else in quotes)")
        return found

    def entries(self, option: str, by_name: bool = False) -> list[dict[str, Any]]:
        """A list of mappings; `by_name`, where an entry may also be just its name."""
        found = []
        for item in self._items(option):
            name = _written(item) if by_name else None
            if isinstance(item, dict):
                found.append(item)
            elif name is not None:
                found.append({"name": name})
            else:
                self._refuse(option, "a list of mappings" + (", or of names" if by_name else ""))
                break
        return found

    def mapping(self, option: str) -> dict[str, Any]:
        """A mapping, empty for null; also as JSON, as YAML or as key=value pairs."""
        value = self._given.get(option)
        if isinstance(value, str):
            value = self._parsed(value) if _STRUCTURED.match(value.strip()) else _pairs(value)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(option, "a mapping")
            return {}
        return value

    def _items(self, option: str) -> list[Any]:
        value = self._given.get(option)
        if isinstance(value, str):
            structured = _STRUCTURED.match(value.strip())
            value = self._parsed(value) if structured else [word.strip() for word in re.split(r"[,\n]", value)]
            value = value if structured else [word for word in value if word]
        if value is None:
            return []
        if isinstance(value, dict):
            return [value]
        if not isinstance(value, list):
            self._refuse(option, "a list")
            return []
        return value

    def _parsed(self, text: str) -> Any:
        """The value of a text, which stays text where it is neither JSON nor YAML, and is refused as such."""
        try:
            return yaml_text.parse(text)
        except Unreadable:
            return text

    def _refuse(self, option: str, meant: str) -> None:
        shown = visible(self._given.get(option), _LONGEST)
        self.problems.append(f"{self._before}{option} is '{shown}', and has to be {meant}. Remedy: correct it")


def _written(value: Any) -> str | None:
    """A word or a number as text; None for what is neither."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _pairs(text: str) -> Any:
    """The mapping of key=value pairs; None for nothing, the text itself where it is something else."""
    pairs = [pair.strip().partition("=") for pair in re.split(r"[,\n]", text) if pair.strip()]
    if not all(key and sign for key, sign, dummy in pairs):
        return text
    return {key.strip(): value.strip() for key, dummy, value in pairs} or None
