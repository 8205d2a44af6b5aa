# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit's document: JSON, one row to a line, the same for the same result."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader, evaluate, judge
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

MESH = [
    *(namespace(f"n{number}", istio_injection="enabled") for number in range(5)),
    *(pod(f"n{number}/ä") for number in range(5)),
    service("n0/ä"),
    peer("n0/default", "STRICT"),
    rule("n1/own", "ä.n0.svc.cluster.local", tls("DISABLE"), export_to=["."]),
]
RESULT = evaluate(MESH)
TIME = "2026-01-31T12:00:00Z"


def test_it_is_json_with_everything_in_it():
    content = json.loads(document.document(RESULT, TIME, ["declared"]))
    assert content == {"format": document.FORMAT, "time": TIME, "sources": ["declared"], **RESULT}


def test_every_row_has_a_line():
    lines = document.document(RESULT, TIME, ["declared"]).splitlines()
    rows = [json.loads(line.rstrip(",")) for line in lines[1:] if line.startswith("{")]
    assert rows == [*RESULT["workloads"], *RESULT["edges"], *RESULT["findings"], *RESULT["unknown"]]


def test_the_time_alone_is_no_difference():
    one, later = (document.document(RESULT, time, ["declared"]) for time in (TIME, "2027-01-01T00:00:00Z"))
    assert one != later
    assert document.same(one, later)
    other = document.document(evaluate(MESH[:-1]), TIME, ["declared"])
    assert not document.same(one, other)
    assert not document.same("", one)


WIRE = {"service": "n0/ä", "verdict": "strict", "outside": {"plaintext": "refused", "plaintext_detail": "reset"}}
PROXY = {"pod": "n0/ä", "configuration": {"accepted": True, "detail": "", "updated": TIME}}


@pytest.mark.parametrize(
    ("wire", "proxy", "same"),
    [
        ({"outside": {"plaintext": "refused", "plaintext_detail": "EOF"}}, {}, True),
        ({"outside": {"plaintext": "answered", "plaintext_detail": "reset"}}, {}, False),
        ({"verdict": "unknown"}, {}, False),
        ({}, {"updated": "2026-02-01T12:00:00Z"}, True),
        ({}, {"accepted": False}, False),
        ({}, {"detail": "refused"}, False),
    ],
)
def test_what_differs_by_chance_is_no_difference(wire, proxy, same):
    one, other = (
        document.document({"summary": {}, "proxies": [running], "probe": [asked]}, TIME, ["declared"])
        for running, asked in (
            (PROXY, WIRE),
            ({**PROXY, "configuration": {**PROXY["configuration"], **proxy}}, {**WIRE, **wire}),
        )
    )
    assert document.same(one, other) is same


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"summary": 1}', '{"summary": {"workloads": {}}}'])
def test_a_file_that_is_no_audit_has_no_counts(text):
    assert document.counts(text) == ""


def test_counts():
    first, *_others = document.counts(document.document(RESULT, TIME, ["declared"])).splitlines()
    assert first == "workloads: 4 PERMISSIVE, 1 STRICT"


def test_the_severest_findings_come_first():
    severities = ["info", "high", "low", "medium", "high"]
    found = [{"id": str(place), "severity": name} for place, name in enumerate(severities)]
    assert [item["severity"] for item in document.worst(found, 4)] == ["high", "high", "medium", "low"]
    assert document.by_id([*found, found[0]]) == {"0": 2, "1": 1, "2": 1, "3": 1, "4": 1}


def test_a_compact_set_lacks_what_the_whole_one_lacks():
    reader = Reader()
    reader.add(MESH)
    compact = judge(reader, compact=True)
    everyone = {workload["id"] for workload in compact["workloads"]}
    sets = {
        name: sorted(everyone - set(members["all_but"])) if isinstance(members, dict) else members
        for name, members in compact["client_sets"].items()
    }
    assert sets == RESULT["client_sets"]
    assert any(isinstance(members, dict) for members in compact["client_sets"].values())
    assert {**compact, "client_sets": sets} == RESULT
