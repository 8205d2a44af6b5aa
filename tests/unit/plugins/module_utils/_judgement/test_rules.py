# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' own gates: what passes, what is a violation, and errors that point at the spot."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import rules
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.rules import RuleError, compiled, judged

RESULT = {
    "edges": [
        {"service": "n1/a", "verdict": "mtls", "subset": None},
        {"service": "n1/b", "verdict": "plaintext", "subset": None},
        {"service": "n1/c", "verdict": "plaintext", "subset": None},
        {"service": "n1/d", "verdict": "plaintext", "subset": "v1"},
        {"service": "n1/e", "verdict": "plaintext", "subset": "v1"},
    ],
    "summary": {"edges": {"total": 5, "by_verdict": {"mtls": 1, "plaintext": 4}}},
    "text": "",
}


def rule(expression, **other):
    return {"name": "no plaintext", "expression": expression, **other}


def judge(expression, **other):
    return judged(compiled([rule(expression, **other)]), RESULT)[0]


@pytest.mark.parametrize(
    ("expression", "count", "examples"),
    [
        ("nothing", 0, []),
        ("edges[?verdict=='broken']", 0, []),
        ("length(edges) > `9`", 0, []),
        ("length(edges[?verdict=='broken'])", 0, []),
        ("length(edges) > `3`", 1, []),
        ("length(edges)", 5, []),
        ("`0.5`", 1, []),
        ("`-1`", 1, []),
        ("edges[?subset=='v1'].service", 2, ["n1/d", "n1/e"]),
        ("edges[?verdict=='plaintext'].service", 4, ["n1/b", "n1/c", "n1/d"]),
        ("edges[?verdict=='plaintext'] | [0].service", 1, ["n1/b"]),
        ("summary.edges.by_verdict", 1, [{"mtls": 1, "plaintext": 4}]),
        ("text", 1, [""]),
    ],
)
def test_what_is_selected_is_a_violation(expression, count, examples):
    found = judge(expression)
    assert (found["passed"], found["count"], found["examples"]) == (count == 0, count, examples)


@pytest.mark.parametrize(
    ("expression", "message", "shown"),
    [
        ("nothing", "{count} bad edges", ""),
        ("edges[?subset=='v1'].service", "{count} bad edges", "2 bad edges: n1/d | n1/e"),
        ("edges[?subset=='v1'].service", None, "2 found: n1/d | n1/e"),
        ("edges[?verdict=='plaintext'].service", "Bad {edges}", "Bad {edges}: n1/b | n1/c | n1/d and 1 more"),
        ("edges[?subset=='v1'].[service, verdict]", None, "2 found: n1/d plaintext | n1/e plaintext"),
        ("edges[?service=='n1/d'].{to: service, is: subset}", None, '1 found: {"is": "v1", "to": "n1/d"}'),
        ("edges[?service=='n1/d'].[service, {is: subset}]", None, '1 found: ["n1/d", {"is": "v1"}]'),
        ("length(edges)", "{count} edges", "5 edges"),
        ("length(edges) > `3`", "Too many edges", "Too many edges"),
    ],
)
def test_the_message_shows_a_few(expression, message, shown):
    assert judge(expression, message=message)["message"] == shown


def test_a_long_example_is_cut():
    found = judged(compiled([rule("x")]), {"x": ["y" * 500]})[0]
    assert found["message"] == "1 found: " + "y" * 159 + "…"
    assert found["examples"] == ["y" * 500]


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        pytest.param("y" * 160, "y" * 160, id="as long as may be"),
        pytest.param("y" * 161, "y" * 159 + "…", id="one too long"),
        pytest.param(["y" * 79, "z" * 80], "y" * 79 + " " + "z" * 80, id="fields as long as may be"),
        pytest.param({"is": "süß"}, '{"is": "süß"}', id="letters stay letters"),
        pytest.param([None, True, 1.5, "a"], "null true 1.5 a", id="fields of other kinds"),
        pytest.param([], "", id="no fields"),
        pytest.param([[1], 2], "[[1], 2]", id="a list in a list"),
    ],
)
def test_an_example_is_one_short_line(example, shown):
    assert rules._short(example) == shown


def test_when_is_another_word_for_expression():
    assert judged(compiled([{"name": "x", "when": "edges", "expression": None}]), RESULT)[0]["count"] == 5


def test_rules_keep_their_order_and_severity():
    found = judged(compiled([rule("nothing"), rule("edges", severity="warning") | {"name": "other"}]), RESULT)
    assert [(item["name"], item["severity"]) for item in found] == [("no plaintext", "error"), ("other", "warning")]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "edges[?verdict==",
            "The expression of the rule no plaintext cannot be used, column 17: the expression ends too early.\n"
            "    edges[?verdict==\n"
            "                    ^\n"
            "Remedy: correct it there; https://jmespath.org shows the language.",
        ),
        (
            "edges[?verdict = 'x']",
            "The expression of the rule no plaintext cannot be used, column 16: Unknown token '='.\n"
            "    edges[?verdict = 'x']\n"
            "                   ^\n"
            "Remedy: correct it there; https://jmespath.org shows the language.",
        ),
        (
            "edges[?verdict=='x']\n  .service\n  .]",
            "The expression of the rule no plaintext cannot be used, line 3, column 4: ] is not expected here.\n"
            "      .]\n"
            "       ^\n"
            "Remedy: correct it there; https://jmespath.org shows the language.",
        ),
        (
            "edges[?size(@)]",
            "The expression of the rule no plaintext cannot be used, column 8: there is no function size.\n"
            "    edges[?size(@)]\n"
            "           ^\n"
            "Remedy: use one of abs, avg, ",
        ),
        (
            "length(edges, edges)",
            "The expression of the rule no plaintext cannot be used, column 1: length takes 1 arguments, not 2.\n"
            "    length(edges, edges)\n"
            "    ^\n",
        ),
        ("not_null()", "column 1: not_null takes at least 1 arguments, not 0."),
        ("merge()", "column 1: merge takes at least 1 arguments, not 0."),
        ("edges[0", "column 8: the expression ends too early."),
        ("edges.", "column 7: the expression ends too early."),
        (
            "edges]\n  .service",
            "The expression of the rule no plaintext cannot be used, line 1, column 6: ] is not expected here.\n"
            "    edges]\n"
            "         ^\n"
            "Remedy: ",
        ),
        ("edges.\n", "column 7: the expression ends too early.\n    edges.\n          ^\n"),
        ("edges[0] |\n\n  ", "column 11: the expression ends too early.\n    edges[0] |\n              ^\n"),
        ("\tedges\t]", "column 8: ] is not expected here.\n    \tedges\t]\n    \t     \t^\n"),
        ("edges |\r  edges[0]\n ]", "line 3, column 2: ] is not expected here.\n     ]\n     ^\n"),
        ("edges[?verdict=='x'", "the expression ends too early"),
        ("edges 'x'", "x is not expected here"),
        ("'edges", "column 1: Unclosed ' delimiter"),
        ("", "The rule no plaintext has an empty expression. Remedy: write what selects its violations."),
        ("  ", "has an empty expression"),
    ],
)
def test_a_wrong_expression_is_shown_with_its_spot(expression, message):
    with pytest.raises(RuleError) as error:
        compiled([rule(expression)])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "edges[?starts_with(subset, 'v')]",
            "cannot be used, column 8: starts_with takes string, and met null (null).\n"
            "    edges[?starts_with(subset, 'v')]\n"
            "           ^\n"
            "Remedy: let the expression select only what has a value, for example with [?field != null].",
        ),
        ("length(nothing)", "column 1: length takes string or array or object, and met null (null)"),
        ("sort_by(edges, &subset)", "sort_by takes"),
        ("length(length(edges))", "cannot be used: length takes string or array or object, and met 5 (number)"),
        ("avg(edges[].service)", "column 1: avg takes"),
        ("edges[::`0`]", "`0`"),
        ("edges[::0]", "it does not fit the result: slice step cannot be zero"),
    ],
)
def test_an_expression_that_does_not_fit_is_shown(expression, message):
    with pytest.raises(RuleError) as error:
        judge(expression)
    assert str(error.value).startswith("The expression of the rule no plaintext cannot be used")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([rule("a"), rule("b")], "There are two rules with the name no plaintext. Remedy: give each"),
        ([{"expression": "a"}], "Item 0 of the rules has no name. Remedy: give it one"),
        ([rule("a"), {"name": ""}], "Item 1 of the rules has no name."),
        ([{"name": "x"}], "The rule x needs one expression. Remedy: write it as expression, or as when."),
        ([rule("a", when="b")], "The rule no plaintext needs one expression."),
        ([rule("a", msg="b")], "The rule no plaintext has msg. Remedy: a rule has name, expression, when, severity"),
        ([rule("a", severity="high")], "The rule no plaintext has the severity high. Remedy: use error or warning."),
    ],
)
def test_wrong_rules(wrong, message):
    with pytest.raises(RuleError) as error:
        compiled(wrong)
    assert message in str(error.value)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(rules, "IMPORT_ERROR", "No module named 'jmespath'")
    assert judged(compiled([]), RESULT) == []
    with pytest.raises(
        RuleError, match=r"Rules need the Python library jmespath, .* Remedy: .* -m pip install jmespath"
    ):
        compiled([rule("a")])
