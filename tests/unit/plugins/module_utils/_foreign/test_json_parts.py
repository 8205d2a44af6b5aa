# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a text that is no JSON as a whole, or too deep to be read as such."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import json_parts
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(max_examples=40)
@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_the_json(values, indent, ascii_only):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert [json.loads(part) for part in json_parts.elements(text)] == values


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), st.sampled_from([None, 1]))
def test_members_are_those_of_the_json(values, indent):
    text = json.dumps(values, indent=indent).encode()
    assert {name: json.loads(part) for name, part in json_parts.members(text).items()} == values


@settings(max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_text_that_was_cut_off_is_refused(values, data):
    text = json.dumps(values).encode()
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(Unreadable):
        json_parts.elements(text[:end])


def test_a_part_that_is_no_json_costs_only_itself():
    deep = b"[" * 100_000 + b"]" * 100_000
    assert json_parts.elements(b'[{"a": 1}, ' + deep + b', nonsense, "x"]') == [
        b'{"a": 1}',
        b" " + deep,
        b" nonsense",
        b' "x"',
    ]
    assert (
        json_parts.text_in(b'{"spec":' + deep + b',"metadata":{"x":' + deep + b',"name":"a"}}', "metadata", "name")
        == "a"
    )


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[] x", b"[1", b'["', b'["\\"]', b"[}", b"[{]", b"null", b"[1]]"], ids=repr
)
def test_what_is_no_array(text):
    with pytest.raises(Unreadable):
        json_parts.elements(text)


@pytest.mark.parametrize(
    "text", [b"[]", b"{1: 2}", b'{"a"}', b'{"a": 1', b"{a: 1}", b'{"\\x": 1}', b'{"a": 1]'], ids=repr
)
def test_what_is_no_object(text):
    with pytest.raises(Unreadable):
        json_parts.members(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1}',
        b'{"a": {"b": "x"}}',
        b'{"a": nonsense}',
        b"{}",
        b"",
        b'{"a": "\\x"}',
        b'{"a":' + b"[" * 10**5 + b"}",
    ],
)
def test_no_text_is_an_empty_one(text):
    assert json_parts.text_in(text, "a") == ""


@pytest.mark.parametrize("piece", [b'"', b"\\", b"[", b"{", b",", b'\\"', b'"a"', b'{"a":['], ids=repr)
def test_the_time_is_in_proportion(piece):
    text = b"[" + piece * (400_000 // len(piece))
    started = time.process_time()
    with pytest.raises(Unreadable):
        json_parts.elements(text)
    assert time.process_time() - started < 2
