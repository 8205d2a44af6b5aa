# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a JSON text that cannot be read as a whole, so that one bad part costs only itself.

Nothing here recurses or looks at values: brackets are counted outside of texts. The parts may be no JSON themselves.
"""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List

from .unreadable import Unreadable

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
# A quotation mark that no other one follows is a token of its own: the text was cut off.
_TOKEN = re.compile(_TEXT + rb'|[{}\[\],"]', re.DOTALL)
_KEY = re.compile(rb"\s*(" + _TEXT + rb")\s*:", re.DOTALL)


def members(text: bytes) -> Dict[str, bytes]:
    """The values of an object by their keys; of two with one key the last, as Python has it. Raises Unreadable."""
    found = {}
    for part in _parts(text, b"{", b"}"):
        key = _KEY.match(part)
        if key is None:
            raise Unreadable("has a member without a name")
        try:
            found[str(json.loads(key[1]))] = part[key.end() :]
        except ValueError:
            raise Unreadable("has a member whose name is no text") from None
    return found


def elements(text: bytes) -> List[bytes]:
    """The elements of an array. Raises Unreadable."""
    return list(_parts(text, b"[", b"]"))


def text_in(text: bytes, *path: str) -> str:
    """The text at a path of keys; empty where there is none."""
    try:
        for key in path:
            text = members(text)[key]
        found = json.loads(text) if text.lstrip()[:1] == b'"' else ""
    except (ValueError, KeyError):
        return ""
    return found if isinstance(found, str) else ""


def _parts(text: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """What stands between the brackets of a collection, cut at its own commas."""
    depth = begin = 0
    if text.lstrip()[:1] != opening:
        raise Unreadable("is of another type")
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in (b"{", b"["):
            depth += 1
            begin = begin if depth > 1 else found.end()
        elif token in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                if token != closing or text[found.end() :].strip():
                    raise Unreadable("does not end where it should")
                if text[begin : found.start()].strip():
                    yield text[begin : found.start()]
                return
        elif token == b"," and depth == 1:
            yield text[begin : found.start()]
            begin = found.end()
        elif token == b'"':
            break
    raise Unreadable("ends too early: it was cut off")
