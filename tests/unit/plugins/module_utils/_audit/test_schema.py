# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema is the published file, real audits follow it, and our small check says what a whole validator says."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.schema import SCHEMA, problem_with
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    namespace,
    peer,
    pod,
    service,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

PUBLISHED = next(
    folder / "docs" / "audit.schema.json"
    for folder in Path(__file__).resolve().parents
    if (folder / "galaxy.yml").exists()
)
MESH = [namespace("demo", istio_injection="enabled"), pod("demo/a"), service("demo/a"), peer("demo/default", "STRICT")]


def test_the_published_schema_is_this_one():
    assert PUBLISHED.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


def test_what_audit_writes_follows_it():
    assert problem_with(json.loads(document.document(evaluate(MESH), "2026-01-31T12:00:00Z", ["declared"]))) == ""


FINDING = {"id": "MTLS-006", "severity": "medium", "object": "a", "message": "b", "fix": "c"}
GAP = {"kind": "Sidecar", "namespace": None, "reason": "forbidden"}


def variants():
    """Audits, and audits with one thing wrong."""
    two = {**audits.two(), "findings": [FINDING], "unknown": [GAP]}
    yield two
    yield audits.many()
    yield audits.many(compact=False, most=6)
    # One row of each list is enough to stand beside what is wrong.
    whole = {name: value[:1] if isinstance(value, list) else value for name, value in two.items()}
    for name in SCHEMA["required"]:
        yield {key: value for key, value in whole.items() if key != name}
    wrong = [None, 5, True, "text", [], [5], {}, {"x": 5}, [{}], [{"x": None}]]
    for name in SCHEMA["properties"]:
        for value in wrong:
            yield {**whole, name: value}
    for name in ("workloads", "edges", "ports", "findings", "unknown", "proxies"):
        for key in whole[name][0]:
            for value in wrong:
                changed = copy.copy(whole)
                changed[name] = [*whole[name], {**whole[name][0], key: value}]
                yield changed


def test_our_check_says_what_a_validator_says():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    told = [(problem_with(document), validator.is_valid(document)) for document in variants()]
    assert {problem for problem, valid in told if bool(problem) == valid} == set()
    assert sum(valid for dummy, valid in told) > 20
    assert sum(not valid for dummy, valid in told) > 200


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x1b[2J", "a\\u001b[2J"), ("a\nb", "a b"), ("x" * 5000, "x" * 100 + "… (and 4900 more characters)")],
    ids=["a control character", "a line feed", "as long as a book"],
)
def test_a_name_in_a_broken_audit_is_made_visible(name, shown):
    assert (
        problem_with({**audits.two(), "client_sets": {name: 7}})
        == f"client_sets.{shown} has none of the forms that it may have"
    )
