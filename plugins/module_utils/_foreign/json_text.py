# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that somebody else wrote: into plain values, with bounds on depth and on the memory that it can take."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, List, NoReturn, Tuple, Union

from .unreadable import Unreadable

MOST_DEPTH = 200
"""Levels. Kubernetes' own schemas have some thirty; what is deeper is meant to end somebody's recursion."""
_BYTES_FOR_EACH = 6
_BYTES_FOR_EACH_VALUE = 5
_HALF_IN_BYTES = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF_IN_TEXT = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_ALWAYS_ALLOWED = 100_000


def parse(text: Union[str, bytes]) -> Any:
    """The value of one JSON text. Raises Unreadable."""
    refuse_crowd(text)
    try:
        # Left to itself json guesses the encoding, and lets halves of characters through.
        value = json.loads(text.decode() if isinstance(text, bytes) else text, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unreadable("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8: {error.reason}") from None
    except ValueError as error:
        raise Unreadable(f"is not JSON: {_brief(error)}", getattr(error, "lineno", 0)) from None
    refuse_depth(value)
    refuse_halves(text, value)
    return value


def values(text: str) -> Iterator[Tuple[int, Any]]:
    """Several values one after the other, each with the line in which it begins. Raises Unreadable."""
    refuse_crowd(text)
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    place, line = 0, 1
    while True:
        begin = _after_blanks(text, place)
        line += text.count("\n", place, begin)
        if begin == len(text):
            return
        try:
            value, place = decoder.raw_decode(text, begin)
        except RecursionError:
            raise Unreadable("is nested too deeply", line) from None
        except ValueError as error:
            raise Unreadable(f"is not JSON: {_brief(error)}", getattr(error, "lineno", 0) or line) from None
        refuse_depth(value, line)
        refuse_halves(text[begin:place], value, line)
        yield line, value
        line += text.count("\n", begin, place)


def refuse_crowd(text: Union[str, bytes]) -> None:
    """Raises Unreadable where most of a text is brackets or commas: each becomes an object of tens of bytes."""
    brackets: Any = (b"{", b"[") if isinstance(text, bytes) else ("{", "[")
    crowd: int = sum(map(text.count, brackets))
    if crowd > _ALWAYS_ALLOWED and crowd * _BYTES_FOR_EACH > len(text):
        raise Unreadable("is little more than brackets, which would take many times its size in memory")
    commas: Any = b"," if isinstance(text, bytes) else ","
    values_in_text: int = text.count(commas)
    if values_in_text > _ALWAYS_ALLOWED and values_in_text * _BYTES_FOR_EACH_VALUE > len(text):
        raise Unreadable("is little more than commas, which would take many times its size in memory")


def refuse_depth(value: Any, line: int = 0, most: int = MOST_DEPTH) -> None:
    """Raises Unreadable for a value of more levels than anything that works on it level by level could take."""
    level: List[Any] = [value] if isinstance(value, (dict, list)) else []
    for _depth in range(most):
        below: List[Any] = []
        for item in level:
            # By class and in one loop: of big lists every value passes here.
            for child in item.values() if item.__class__ is dict else item:
                if (child.__class__ is dict or child.__class__ is list) and child:
                    below.append(child)
        if not below:
            return
        level = below
    raise Unreadable("is nested too deeply", line)


def refuse_halves(text: Union[str, bytes], value: Any, line: int = 0) -> None:
    r"""Raises Unreadable for half a character ("\ud800" alone), which no encoding of text can write again."""
    if not (_HALF_IN_BYTES.search(text) if isinstance(text, bytes) else _HALF_IN_TEXT.search(text)):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable("holds half a character (a surrogate without its pair)", line) from None


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _brief(error: ValueError) -> str:
    return str(error)[:200]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
