# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds of reading JSON, YAML and gzip that somebody wrote on purpose: refused with words, never a crash."""

from __future__ import annotations

import gzip
import random

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import compressed, json_text, yaml_text
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable

BOMB = "".join(f"k{i}: &n{i} [{', '.join([f'*n{i - 1}' if i else 'x'] * 12)}]\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 50_000, "is nested too deeply"),
        ('{"a":' * 300 + "1" + "}" * 300, "is nested too deeply"),
        ("[" + "[]," * 150_000 + "1]", "is little more than brackets"),
        ("[" + "1," * 150_000 + "1]", "is little more than commas"),
        ("[Infinity]", "Infinity is no number of JSON"),
        ("[1] 2", "is not JSON: Extra data"),
        (b"\xff", "is not UTF-8"),
        ("9" * 6000, "is not JSON"),
    ],
    ids=["cut off and deep", "deep", "brackets", "commas", "a constant", "more behind it", "bytes", "endless digits"],
)
def test_json_that_is_refused(text, why):
    with pytest.raises(Unreadable, match=why):
        json_text.parse(text)


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 199 + "1" + "}" * 199, "[" + '"a word",' * 150_000 + "1]", "[" + "[]," * 90_000 + "1]"],
    ids=["as deep as allowed", "many values with something in them", "many brackets in a small text"],
)
def test_json_that_is_read(text):
    assert json_text.parse(text)


@pytest.mark.parametrize("line_break", ["\n", "\r", "\x85", "\u2028", "\u2029"], ids=ascii)
@pytest.mark.parametrize("opening", ["- ", "? ", "[", "{a: "], ids=["dashes", "questions", "brackets", "braces"])
def test_depth_of_yaml_is_bounded_after_each_of_its_line_breaks(line_break, opening):
    with pytest.raises(Unreadable, match=r"is nested too deeply|is not YAML"):
        yaml_text.parse(f"a: 1\nb:{line_break}{opening * 20_000}")


@pytest.mark.parametrize(
    ("text", "why", "document"),
    [
        (BOMB, "has aliases that make", 1),
        ("a: 1\n---\nb: &x [*x]", "has an anchor that contains itself", 2),
        ("--- 1\n--- 2\n--- *x", "found undefined alias", 3),
        (f"a: {'1' * 6000}", "holds a value that cannot be read", 1),
        ("a: 1\n---\nb: [", "is not YAML", 2),
        ("a: !!python/tuple [1]", "is not YAML", 1),
    ],
    ids=["a bomb", "a circle", "an alias of nothing", "endless digits", "cut off", "an object of Python"],
)
def test_yaml_that_is_refused_says_which_document(text, why, document):
    with pytest.raises(Unreadable, match=why) as error:
        list(yaml_text.documents(text))
    assert error.value.document == document


def test_the_values_of_one_yaml_document_are_bounded(monkeypatch):
    monkeypatch.setattr(yaml_text, "_MOST_NODES", 50)
    assert yaml_text.parse("- a\n" * 40) == ["a"] * 40
    with pytest.raises(Unreadable, match="is one document of more than 50 values"):
        yaml_text.parse("- a\n" * 60)


@pytest.mark.parametrize("line", ["a: b\n", "a:\n"])
def test_a_yaml_document_of_hardly_anything_but_values_is_refused(monkeypatch, line):
    monkeypatch.setattr(yaml_text, "_ALWAYS_ALLOWED", 1000)
    with pytest.raises(Unreadable, match="is one document of more than 1000 values"):
        yaml_text.parse(line * 800)


@pytest.mark.parametrize(
    ("raw", "most", "why"),
    [
        (gzip.compress(b"x" * 2000), 1999, "unpacks to more than 1999 bytes"),
        (gzip.compress(b"x" * 1000) * 3, 2999, "unpacks to more than 2999 bytes"),
        (gzip.compress(b"\n" * 40 * 2**20), 2**31, "which is too much for its"),
        (gzip.compress(b"x" * 2000)[:-3], 9999, "ends too early"),
        (gzip.compress(b"x") + b"rest", 9999, "is damaged"),
        (b"\x1f\x8b", 9999, "ends too early"),
    ],
    ids=["too much", "too much in all members", "out of proportion", "cut off", "something behind it", "a head only"],
)
def test_gzip_that_is_refused(raw, most, why):
    with pytest.raises(Unreadable, match=why):
        compressed.inflated(raw, most)


def test_all_members_of_gzip_are_read_and_padding_is_none():
    assert compressed.inflated(gzip.compress(b"a") + gzip.compress(b"b") + b"\0" * 512, 2) == b"ab"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        pytest.param("a: &x [" + "1," * 500 + "]\nb: [" + "*x," * 500 + "]", True, id="a list many times"),
        pytest.param("a: &x {" + ",".join(f"k{n}: 1" for n in range(500)) + "}\nb: [" + "*x," * 500 + "]", True,
                     id="a mapping many times"),
        pytest.param("a: &x [[" + "1," * 500 + "]]\nb: [" + "*x," * 500 + "]", True, id="what lies in another"),
        pytest.param("a: &x [" + "1," * 500 + "]\nb: [" + "*x," * 3 + "]", False, id="a list a few times"),
        pytest.param("a: &x 1\nb: [" + "*x," * 500 + "]", False, id="a value many times"),
    ],
)  # fmt: skip
def test_what_aliases_make_is_weighed_by_all_that_is_in_them(text, made):
    if made:
        with pytest.raises(Unreadable, match="has aliases that make"):
            yaml_text.parse(text)
    else:
        assert yaml_text.parse(text)


def test_what_lies_between_the_always_allowed_and_too_much_is_read():
    """A dump of pods: some of each differs, the most is the same."""
    differs = random.Random(1)
    pods = b"".join(differs.randbytes(200) + b"x" * 20_000 for dummy in range(900))
    raw = gzip.compress(pods)
    assert len(raw) * 400 > len(pods) > 16 * 2**20
    assert compressed.inflated(raw, 2**31) == pods
