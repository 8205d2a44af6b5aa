# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of text that somebody else wrote."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.lines import columns, joined, section


def test_columns_are_aligned_and_the_last_one_is_not_padded():
    assert columns([("A", "B", "C"), ("long", 1, "x y")]) == ["A     B  C", "long  1  x y"]


@pytest.mark.parametrize(
    "text", ["a\nok  demo/b  8080", "a\rb", "a\x0bb", "a\x85b", "a\u2028b", "a\x1b[2Kb", "a\u202eb"]
)
def test_no_cell_makes_a_line_or_acts(text):
    [header, line] = columns([("RESULT", "WHY"), ("FAIL", text)])
    assert header == "RESULT  WHY"
    assert line.startswith("FAIL    a")
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_a_section_says_how_many_rows_it_does_not_show():
    assert section("T", ["A"], [["x"], ["y"], ["z"]], 2) == ["T (3)", "A", "x", "y", "… and 1 more"]
    assert section("T", ["A"], [], 2) == []


def test_parts_have_an_empty_line_between_them():
    assert joined([["a"], [], ["b", "c"]]) == ["a", "", "b", "c"]
