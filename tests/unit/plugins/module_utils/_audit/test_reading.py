# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands in an audit's place is refused with one sentence that names the file and the remedy."""

from __future__ import annotations

import gzip
import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import reading
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

AUDIT = json.dumps(audits.two()).encode()


def changed(**fields):
    """The audit with other fields; None takes one away."""
    found = {**audits.two(), **fields}
    return json.dumps({name: value for name, value in found.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "raw", [AUDIT, gzip.compress(AUDIT), b"\xef\xbb\xbf" + AUDIT], ids=["plain", "gzip", "with BOM"]
)
def test_an_audit_is_understood(raw):
    assert reading.audit_in("a.json", raw) == audits.two()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 in line 1"),
        (b"{", "is no audit in line 1: it is not JSON: Expecting property name"),
        (AUDIT[:-20], "it is not JSON"),
        (b"NaN", "it is not JSON: NaN is no number of JSON"),
        (b"[" * 100000, "is nested too deeply"),
        (b"[]", "is no audit: its format is not meshproof.mtls audit 1"),
        (b"{}", "is no audit"),
        (b'{"format": 1}', "is no audit"),
        (b'{"format": "meshproof.mtls audit 2"}', "which a newer release writes"),
        (b'{"format": "meshproof.mtls audit 0"}', "is no audit"),
        (b'{"format": "meshproof.mtls audit 2x"}', "is no audit"),
        (b'{"format":"meshproof.mtls/snapshot"}\n{"kind":"Pod"}\n', "is a snapshot, not an audit"),
        (gzip.compress(AUDIT)[:-20], "ends too early"),
        (gzip.compress(AUDIT)[:-8] + b"\0" * 8, "is damaged"),
        (changed(edges=None), "the document has no edges"),
        (changed(edges=[{}]), "edges[0] has no clients"),
        (changed(time=5), "time is not text"),
        (changed(client_sets={"c": {"all_but": [1]}}), "client_sets.c has none of the forms that it may have"),
        (changed(ports=[{"workload": "a", "port": True}]), "ports[0].port is not a whole number"),
        (
            changed(ports=[{"workload": "a", "port": 1, "observed": "fine"}]),
            "ports[0].observed is none of strict, permissive, plaintext, unknown, null",
        ),
    ],
)
def test_anything_else_is_refused(raw, words):
    with pytest.raises(reading.ReportError) as error:
        reading.audit_in("dir/a.json", raw)
    assert words in str(error.value)
    assert "dir/a.json" in str(error.value)
    assert "Remedy: " in str(error.value)


def test_a_file_that_fills_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 1000)
    with pytest.raises(reading.ReportError, match="unpacks to more than"):
        reading.audit_in("a.json.gz", gzip.compress(b" " * 2000))
