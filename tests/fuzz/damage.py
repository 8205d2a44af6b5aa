# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage of every sort, seeded: to plain values, to texts and to bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

HOSTILE_TEXTS = (
    "",
    " ",
    "²",
    "٣",
    "-1",
    "1e999",
    "0x10",
    "9" * 5000,
    "*",
    "NaN",
    "null",
    "true",
    "a\nPASS  everything",
    "a\r\nb",
    "\x1b[2J\x1b[31m",
    "\u202egnp.exe",
    "\u2028",
    "\x00",
    "\x85",
    "\ud800",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "]]>",
    "a" * 20_000,
    "../../etc/passwd",
    "spiffe://cluster.local/ns/n1/sa/default",
    "-----BEGIN CERTIFICATE-----" * 200,
)
HOSTILE_NUMBERS = (0, -1, 65536, 10**30, 1.5, 1e308, float("inf"), float("-inf"), True, False, None)
_TOKENS = (
    b"\x00",
    b"\xff\xfe",
    b"\x85",
    b"\xe2\x80\xa8",
    "²".encode(),
    rb"\ud800",
    b"[" * 3000,
    b'{"a":' * 1000,
    b"]" * 300,
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"null",
    b"\x1b[2J",
    b"\n",
    b"\r",
    b"\x1f\x8b\x08",
    b"&a [*a,*a]\n",
    b"!!python/object/apply:os.system [x]\n",
    b"---\n",
    b"-----BEGIN CERTIFICATE-----\n",
    b"\xff" * 12,
)


def _garbage(rnd: random.Random) -> Any:
    """A value of a shape that nobody expects."""
    kind = rnd.randrange(6)
    if kind == 0:
        return rnd.choice(HOSTILE_NUMBERS)
    if kind in (1, 2):
        return rnd.choice(HOSTILE_TEXTS)
    if kind == 3:
        return rnd.choice([[], {}, [None], [[]], {"": None}, {"x": "y"}, ["x"], [{}], {"\x1b[2J": {"a": [1]}}])
    if kind == 4:
        return ["x"] * rnd.choice([100, 5000])
    value: Any = rnd.choice(["x", [], {}])
    for dummy in range(rnd.choice([5, 50, 190, 400])):
        value = rnd.choice([[value], {"a": value}])
    return value


def value(rnd: random.Random, whole: Any, times: int = 3) -> Any:
    """A copy with up to so many places of it replaced, removed, doubled or given a strange name."""
    for dummy in range(rnd.randint(1, times)):
        whole = _damaged(rnd, whole)
    return whole


def _damaged(rnd: random.Random, item: Any) -> Any:
    if isinstance(item, dict) and item and rnd.random() < 0.9:
        key = rnd.choice(sorted(item, key=str))
        changed = dict(item)
        chance = rnd.random()
        if chance < 0.08:
            del changed[key]
        elif chance < 0.12:
            changed[rnd.choice(HOSTILE_TEXTS)] = changed.pop(key)
        else:
            changed[key] = _damaged(rnd, item[key])
        return changed
    if isinstance(item, list) and item and rnd.random() < 0.9:
        place = rnd.randrange(len(item))
        chance = rnd.random()
        if chance < 0.08:
            return item[:place] + item[place + 1 :]
        if chance < 0.16:
            return [*item[:place], item[place], *item[place:]]
        return [_damaged(rnd, part) if number == place else part for number, part in enumerate(item)]
    return _garbage(rnd)


def text(rnd: random.Random, item: Any) -> Any:
    """A copy with one text somewhere in it made hostile, or a hostile text put before or behind it."""
    if isinstance(item, dict) and item:
        key = rnd.choice(sorted(item, key=str))
        return {name: text(rnd, part) if name == key else part for name, part in item.items()}
    if isinstance(item, list) and item:
        place = rnd.randrange(len(item))
        return [text(rnd, part) if number == place else part for number, part in enumerate(item)]
    if not isinstance(item, str):
        return item
    hostile = rnd.choice(HOSTILE_TEXTS)
    return rnd.choice([hostile, item + hostile, hostile + item])


def raw(rnd: random.Random, data: bytes, times: int = 4) -> bytes:
    """A copy with bytes flipped, removed, doubled, swapped or put in, or cut off."""
    for dummy in range(rnd.randint(1, times)):
        begin, end = sorted((rnd.randrange(len(data) + 1), rnd.randrange(len(data) + 1)))
        end = min(end, begin + rnd.choice([1, 2, 8, 64, 4096]))
        chance = rnd.randrange(6)
        if chance == 0:
            data = data[:begin] + bytes(rnd.randrange(256) for dummy in range(end - begin)) + data[end:]
        elif chance == 1:
            data = data[:begin] + data[end:]
        elif chance == 2:
            data = data[:end] + data[begin:end] * rnd.choice([1, 2, 50]) + data[end:]
        elif chance == 3:
            data = data[:begin]
        else:
            data = data[:begin] + rnd.choice(_TOKENS) + data[begin if chance == 4 else end :]
    return data


def dumped(item: Any) -> bytes:
    """A value as JSON, as Python has it: with NaN, infinities and halves of characters where there are some."""
    return json.dumps(item).encode()


def is_json(item: Any) -> bool:
    """Whether a value is one that a writer of JSON can have written, and a reader of UTF-8 can have read."""
    try:
        json.dumps(item, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def some(rnd: random.Random, items: Sequence[Any]) -> list[Any]:
    """A part of a list, in its order."""
    share = rnd.random()
    return [item for item in items if rnd.random() < share]


def require_sentence(error: Exception) -> None:
    """What an error says must be fit to be printed."""
    assert str(error).isprintable(), repr(error)
