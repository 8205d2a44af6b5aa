# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever Python values there are, what comes out is plain."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import ODD, plain
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from jinja2 import StrictUndefined


class Text(str):
    """A string that is equal to every other one."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class Number(int):
    """A number that is bigger than every other one."""

    def __gt__(self, other: object) -> bool:
        return True


EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (OrderedDict(a=(1, 2.5, None, True)), {"a": [1, 2.5, None, True]}),
        (MappingProxyType({"a": "b"}), {"a": "b"}),
        ({8080: "STRICT", None: 1, True: 2, 1.5: 3}, {8080: "STRICT", None: 1, True: 2, 1.5: 3}),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=EAST), "2026-01-02T03:04:05+02:00"),
        (date(26, 1, 2), "0026-01-02"),
        ({date(2026, 1, 2): 1}, {"2026-01-02": 1}),
        ([b"bytes", {1}, 1j, StrictUndefined(), iter(())], [ODD] * 5),
    ],
    ids=["mappings and sequences", "a view of a mapping", "keys of YAML", "a time", "a time of a zone", "an early date",
         "a date as a key", "what no manifest can hold"],
)  # fmt: skip
def test_values_become_plain(value, expected):
    assert plain(value) == expected


def test_what_only_claims_to_be_text_or_a_number_is_one():
    found = plain([Text("a"), {Text("b"): Number(3)}])
    assert found == ["a", {"b": 3}]
    assert [type(found[0]), *map(type, found[1]), *map(type, found[1].values())] == [str, str, int]


def nested(levels: int) -> Any:
    value: Any = "x"
    for _level in range(levels):
        value = {"a": [value]}
    return value


def holding_itself() -> Any:
    value: dict[str, Any] = {}
    value["items"] = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (nested(5000), "is nested too deeply"),
        (holding_itself(), "contains itself"),
        ({("a", "b"): 1}, "has a key that is of the type tuple"),
        ({b"a": 1}, "has a key that is of the type bytes"),
        ({StrictUndefined(): 1} if StrictUndefined.__hash__ is object.__hash__ else {frozenset(): 1}, "has a key"),
    ],
    ids=["too deep", "itself inside", "a key of two", "a key of bytes", "a key of another type"],
)
def test_what_cannot_become_plain_says_why(value, why):
    with pytest.raises(Unreadable, match=f"^{why}"):
        plain(value)


def test_what_stands_in_many_places_is_made_once():
    value: Any = ["x"]
    for _level in range(100):
        value = [value, value]  # 2^100 values, if each were made anew
    found = plain(value)
    assert found[0] is found[1]
