# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as inventories, surveys and command lines write them."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.inputs import Inputs


def inputs(value):
    return Inputs("istio_shop", {"option": value})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param(["a", "b"], ["a", "b"], id="a list"),
        pytest.param(("a", "b"), ["a", "b"], id="a tuple, as filters give it"),
        pytest.param("demo", ["demo"], id="a word is a list of one, not of letters"),
        pytest.param("a,b", ["a", "b"], id="separated by commas"),
        pytest.param(" a , b ,", ["a", "b"], id="with blanks and a comma at the end"),
        pytest.param("a\nb\n", ["a", "b"], id="lines, as a survey's text area gives them"),
        pytest.param('["a", "b"]', ["a", "b"], id="JSON"),
        pytest.param("[a, b]", ["a", "b"], id="YAML of one line"),
        pytest.param("- a\n- b\n", ["a", "b"], id="YAML of lines"),
        pytest.param([8080, 0.5], ["8080", "0.5"], id="numbers"),
        pytest.param("--port=80", ["--port=80"], id="an argument"),
        pytest.param("http://a:80", ["http://a:80"], id="a colon that is not YAML's"),
        pytest.param([], [], id="empty"),
        pytest.param("", [], id="empty text"),
        pytest.param(None, [], id="null"),
    ],
)
def test_texts(given, meant):
    found = inputs(given)
    assert (found.texts("option"), found.problems) == (meant, [])


@pytest.mark.parametrize(
    "given",
    [
        True,
        3,
        [True],
        [["a"]],
        [{"name": "a"}],
        ["a", None],
        '["a"',
        "{a: b}",
        [datetime.date(2026, 1, 1)],
        pytest.param(object(), id="an object"),
    ],
    ids=str,
)
def test_what_is_no_list_of_text_is_refused(given):
    found = inputs(given)
    found.texts("option")
    if isinstance(given, list) and isinstance(given[0], datetime.date):
        assert found.problems == []  # YAML takes a date for one where a name was meant; as text it is what was written
    else:
        assert len(found.problems) == 1
        assert found.problems[0].startswith("istio_shop_option is '")
        assert "has to be a list" in found.problems[0]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param([{"name": "a"}], [{"name": "a"}], id="a list"),
        pytest.param({"name": "a"}, [{"name": "a"}], id="one mapping"),
        pytest.param('[{"name": "a"}]', [{"name": "a"}], id="JSON"),
        pytest.param('{"name": "a"}', [{"name": "a"}], id="JSON of one"),
        pytest.param("- name: a\n  mode: none\n", [{"name": "a", "mode": "none"}], id="YAML"),
        pytest.param("name: a", [{"name": "a"}], id="YAML of one"),
        pytest.param("", [], id="empty text"),
    ],
)
def test_entries(given, meant):
    found = inputs(given)
    assert (found.entries("option"), found.problems) == (meant, [])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param("demo", [{"name": "demo"}], id="a word"),
        pytest.param("a,b", [{"name": "a"}, {"name": "b"}], id="words"),
        pytest.param(["a", {"name": "b"}], [{"name": "a"}, {"name": "b"}], id="both"),
        pytest.param([404], [{"name": "404"}], id="a number"),
    ],
)
def test_entries_that_may_be_names(given, meant):
    found = inputs(given)
    assert (found.entries("option", by_name=True), found.problems) == (meant, [])


@pytest.mark.parametrize(("given", "by_name"), [("demo", False), (["a"], False), ([["a"]], True), ([None], True)])
def test_what_is_no_list_of_entries_is_refused(given, by_name):
    found = inputs(given)
    found.entries("option", by_name)
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="a mapping"),
        pytest.param('{"a": 1}', {"a": 1}, id="JSON"),
        pytest.param("a: 1\nb:\n  c: 2", {"a": 1, "b": {"c": 2}}, id="YAML"),
        pytest.param("a=b, c=d", {"a": "b", "c": "d"}, id="pairs"),
        pytest.param("", {}, id="empty text"),
        pytest.param(None, {}, id="null"),
    ],
)
def test_mapping(given, meant):
    found = inputs(given)
    assert (found.mapping("option"), found.problems) == (meant, [])


@pytest.mark.parametrize("given", [[], [{"a": 1}], "demo", "a=b,c", 3, "[1]", '{"a": '], ids=str)
def test_what_is_no_mapping_is_refused(given):
    found = inputs(given)
    assert found.mapping("option") == {}
    assert found.problems == [f"istio_shop_option is '{given}', and has to be a mapping. Remedy: correct it"]


@pytest.mark.parametrize("word", [True, "true", "Yes", "on", 1, "1"])
def test_true(word):
    assert inputs(word).switch("option") is True


@pytest.mark.parametrize("word", [False, "false", "No", "off", 0, "0"])
def test_false(word):
    assert inputs(word).switch("option") is False


@pytest.mark.parametrize("word", ["", None, "maybe", 2, []], ids=str)
def test_neither_true_nor_false(word):
    found = inputs(word)
    found.switch("option")
    assert len(found.problems) == 1


@pytest.mark.parametrize(("given", "meant"), [(3, 3), ("3", 3), (" 3 ", 3), (0, 0)])
def test_counts(given, meant):
    found = inputs(given)
    assert (found.count("option"), found.problems) == (meant, [])


@pytest.mark.parametrize("given", [-1, "-1", "three", 1.5, True, None, "³"], ids=str)
def test_what_is_no_count_is_refused(given):
    found = inputs(given)
    found.count("option")
    assert len(found.problems) == 1


def test_a_count_can_have_a_least_one():
    found = inputs(0)
    found.count("option", least=1)
    assert found.problems == [
        "istio_shop_option is '0', and has to be a whole number of at least 1. Remedy: correct it"
    ]


@pytest.mark.parametrize(("given", "meant"), [("a", "a"), (1.31, "1.31"), (None, "")])
def test_text(given, meant):
    found = inputs(given)
    assert (found.text("option"), found.problems) == (meant, [])


@pytest.mark.parametrize("given", [["a"], {"a": 1}, True], ids=str)
def test_what_is_no_text_is_refused(given):
    found = inputs(given)
    found.text("option")
    assert len(found.problems) == 1


def test_a_choice():
    found = inputs("gone")
    found.text("option", ["present", "absent"])
    assert found.problems == ["istio_shop_option is 'gone', and has to be one of present, absent. Remedy: correct it"]


def test_what_is_shown_is_visible_and_short():
    found = inputs(["\x1b[31m" + "a" * 500, None])
    found.texts("option")
    assert "\x1b" not in found.problems[0]
    assert len(found.problems[0]) < 400
