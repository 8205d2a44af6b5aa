# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' own gates: JMESPath expressions over the result that select what must not be there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

IMPORT_ERROR = ""
try:
    import jmespath
    from jmespath import exceptions, functions
except ImportError as error:
    IMPORT_ERROR = str(error)

ERROR, WARNING = "error", "warning"
SEVERITIES = (ERROR, WARNING)
_MOST_EXAMPLES = 3
_LONGEST_EXAMPLE = 160

# A module cannot declare these fields: Ansible keeps the name `message` for itself.
ARGUMENT_SPEC: dict[str, Any] = {"type": "list", "elements": "dict", "default": []}
"""The option `rules` of a module; ``compiled`` checks the fields of each."""
_FIELDS = ("name", "expression", "when", "severity", "message")


class RuleError(Exception):
    """A rule that cannot be used; its text names the rule, shows the spot in its expression, and the remedy."""


class Rule(NamedTuple):
    """A rule whose expression was understood."""

    name: str
    expression: str
    severity: str
    message: str
    compiled: Any


def compiled(rules: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Understand all rules before anything is read. Raises RuleError for the first that is wrong."""
    found: list[Rule] = []
    for place, rule in enumerate(rules):
        name, expression = _checked(place, rule)
        if any(other.name == name for other in found):
            raise RuleError(f"There are two rules with the name {name}. Remedy: give each rule a name of its own.")
        severity = str(rule.get("severity") or ERROR)
        found.append(Rule(name, expression, severity, str(rule.get("message") or ""), _parsed(name, expression)))
    return found


def _checked(place: int, rule: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the expression of a rule whose fields are as they should be."""
    if not rule.get("name"):
        raise RuleError(f"Item {place} of the rules has no name. Remedy: give it one, it is what the reports call it.")
    name = str(rule["name"])
    unknown = sorted(str(field) for field in rule if field not in _FIELDS)
    if unknown:
        raise RuleError(f"The rule {name} has {', '.join(unknown)}. Remedy: a rule has {', '.join(_FIELDS)} only.")
    severity = rule.get("severity") or ERROR
    if severity not in SEVERITIES:
        raise RuleError(f"The rule {name} has the severity {severity}. Remedy: use {' or '.join(SEVERITIES)}.")
    given = [str(rule[field]) for field in ("expression", "when") if rule.get(field) is not None]
    if len(given) != 1:
        raise RuleError(f"The rule {name} needs one expression. Remedy: write it as expression, or as when.")
    return name, given[0]


def judged(rules: Sequence[Rule], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each rule says of the result. An expression selects violations: null, false, 0 and an empty list pass.

    A list counts its items, a number is itself a count, and anything else is one violation. Raises RuleError where an
    expression does not fit the result.
    """
    return [_judged(rule, _search(rule, result)) for rule in rules]


def _judged(rule: Rule, selected: Any) -> dict[str, Any]:
    count, examples = _violations(selected)
    return {
        "name": rule.name,
        "severity": rule.severity,
        "passed": count == 0,
        "count": count,
        "message": _message(rule, count, examples) if count else "",
        "examples": examples,
    }


def _violations(selected: Any) -> tuple[int, list[Any]]:
    if selected is None or selected is False:
        return 0, []
    if isinstance(selected, list):
        return len(selected), selected[:_MOST_EXAMPLES]
    if isinstance(selected, (int, float)) and selected is not True:
        return (max(int(selected), 1) if selected else 0), []
    return 1, [] if selected is True else [selected]


def _message(rule: Rule, count: int, examples: list[Any]) -> str:
    text = (rule.message or "{count} found").replace("{count}", str(count))
    shown = " | ".join(_short(example) for example in examples)
    more = f" and {count - len(examples)} more" if examples and count > len(examples) else ""
    return text + (f": {shown}{more}" if shown else "")


def _short(example: Any) -> str:
    """An example on one line; a list of a row's fields, as in `[id, mode]`, without its brackets."""
    if isinstance(example, list) and not any(isinstance(item, (list, dict)) for item in example):
        text = " ".join(_short(item) for item in example)
    else:
        text = example if isinstance(example, str) else json.dumps(example, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_EXAMPLE else text[: _LONGEST_EXAMPLE - 1] + "…"


def _parsed(name: str, expression: str) -> Any:
    if IMPORT_ERROR:
        raise RuleError(
            f"Rules need the Python library jmespath, which cannot be imported by {sys.executable} ({IMPORT_ERROR}). "
            f"Remedy: {sys.executable} -m pip install jmespath; or leave the option rules empty."
        )
    if not expression.strip():
        raise RuleError(f"The rule {name} has an empty expression. Remedy: write what selects its violations.")
    try:
        found = jmespath.compile(expression)
    except exceptions.ParseError as error:
        raise _wrong(name, expression, error.lex_position, _why(error, expression)) from error
    except exceptions.JMESPathError as error:
        raise _wrong(name, expression, None, str(error)) from error
    for function in _functions(found.parsed):
        _require_known(name, expression, function)
    return found


def _why(error: Any, expression: str) -> str:
    if isinstance(error, exceptions.IncompleteExpressionError) or error.lex_position >= len(expression):
        return "the expression ends too early"
    if isinstance(error, exceptions.LexerError):
        return str(error.message)
    return f"{error.token_value} is not expected here"


def _functions(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node["type"] == "function_expression":
        yield node
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def _require_known(name: str, expression: str, node: Mapping[str, Any]) -> None:
    """The library looks at functions only when it meets them, which a mesh without violations may never do."""
    function, given = node["value"], len(node["children"])
    signature = functions.Functions.FUNCTION_TABLE.get(function, {}).get("signature")
    place = _place_of(expression, function)
    if signature is None:
        known = ", ".join(sorted(functions.Functions.FUNCTION_TABLE))
        raise _wrong(name, expression, place, f"there is no function {function}", f"use one of {known}")
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if given < len(signature) or (given > len(signature) and not variadic):
        least = "at least " if variadic else ""
        raise _wrong(name, expression, place, f"{function} takes {least}{len(signature)} arguments, not {given}")


def _place_of(expression: str, function: str) -> int | None:
    """Where a function is called, outside of quotes as far as can be told; None where its name stands twice."""
    found = [match.start() for match in re.finditer(rf"\b{re.escape(function)}\s*\(", expression)]
    return found[0] if len(found) == 1 else None


def _search(rule: Rule, result: Mapping[str, Any]) -> Any:
    try:
        return rule.compiled.search(result)
    except exceptions.JMESPathTypeError as error:
        expected = " or ".join(error.expected_types)
        why = f"{error.function_name} takes {expected}, and met {_short(error.current_value)} ({error.actual_type})"
        remedy = "let the expression select only what has a value, for example with [?field != null]"
        raise _wrong(
            rule.name, rule.expression, _place_of(rule.expression, error.function_name), why, remedy
        ) from error
    except (exceptions.JMESPathError, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        why = f"it does not fit the result: {error}"
        raise _wrong(rule.name, rule.expression, None, why) from error


def _wrong(name: str, expression: str, place: int | None, why: str, remedy: str = "") -> RuleError:
    """The error with the expression's line and, below it, a caret at the spot."""
    shown = expression.splitlines() or [""]
    where = ""
    if place is not None:
        # What ends too early ends behind its last word, not behind the lines and spaces after it.
        expression = expression.rstrip()
        lines, before = (f"{text}.".splitlines() for text in (expression, expression[:place]))
        number, column = len(before) - 1, len(before[-1]) - 1
        where = f", line {number + 1}, column {column + 1}" if len(lines) > 1 else f", column {column + 1}"
        below = "".join("\t" if letter == "\t" else " " for letter in lines[number][:column])
        shown = [lines[number] if number < len(lines) - 1 else lines[number][:-1], f"{below}^"]
    return RuleError(
        "\n".join(
            [
                f"The expression of the rule {name} cannot be used{where}: {why.rstrip('.')}.",
                *(f"    {line}" for line in shown),
                f"Remedy: {remedy or 'correct it there; https://jmespath.org shows the language'}.",
            ]
        )
    )
