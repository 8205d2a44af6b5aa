# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from a cluster, made safe to show: names and messages there are whatever somebody wanted them to be."""

from __future__ import annotations

from typing import Any

_LONGEST = 1000
# Letters and symbols to Unicode, and nothing but blank to a reader.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escaped_text(value: Any) -> str:
    """Visible text for HTML and XML, between tags and in attributes."""
    return visible(value).translate(_ESCAPES)


def visible(value: Any, longest: int = _LONGEST) -> str:
    """The text with everything shown that would act instead: control characters, changes of direction, lone surrogates.

    What is left can stand in HTML (after escaping) and in XML 1.0, which has no way to write most control characters.
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > longest:
        text = f"{text[:longest]}… (and {len(text) - longest} more characters)"
    return text if text.isprintable() and _BLANK.isdisjoint(text) else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() and character not in _BLANK:
        return character
    if character in "\n\t\r\u00a0":
        return " "
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
