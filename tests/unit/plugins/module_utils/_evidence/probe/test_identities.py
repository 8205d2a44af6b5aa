# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether servers check identities: only a contrast proves it."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import identities

MESH = {"result": "handshake", "identity": "spiffe://x", "after": "rejected", "after_detail": "certificate required"}
OPEN = {**MESH, "after": "answered"}
GOOD = {"result": "accepted", "identity": "spiffe://x"}
DENIED = {"result": "rejected", "identity": "spiffe://x"}
NOT = {"result": "not_asked"}
NO_TIME = {"result": "not_asked", "detail": "longer than the probe lasts"}
REJECTED = {"result": "handshake", "after": "rejected"}
ALERT = {"result": "alert", "detail": "unknown ca"}
TAKEN = {"result": "handshake", "after": "answered"}
SILENT = {"result": "handshake", "after": "open"}
LOST = {"result": "error", "detail": "the pod was evicted"}
PLAIN = {"result": "no_tls"}

# none, wrong, expired, the mesh's own; what is said of them
ROWS = [
    pytest.param(MESH, REJECTED, REJECTED, GOOD, "enforced", "rejected", id="all are refused"),
    pytest.param(MESH, ALERT, NOT, GOOD, "enforced", "rejected", id="expired was not wanted"),
    pytest.param(MESH, REJECTED, NO_TIME, GOOD, "unknown", "rejected", id="expired could not be had"),
    pytest.param(MESH, NOT, NOT, GOOD, "unknown", "not_asked", id="demanding one does not mean checking it"),
    pytest.param(MESH, REJECTED, REJECTED, DENIED, "unknown", "rejected", id="the good one is refused, too"),
    pytest.param(MESH, REJECTED, REJECTED, NOT, "unknown", "rejected", id="nobody inside was asked"),
    pytest.param(MESH, TAKEN, NOT, GOOD, "not enforced", "accepted", id="anybody's is taken"),
    pytest.param(MESH, REJECTED, TAKEN, GOOD, "not enforced", "rejected", id="an old one is taken"),
    pytest.param(OPEN, REJECTED, NOT, GOOD, "not enforced", "rejected", id="none is needed"),
    pytest.param(MESH, SILENT, NOT, GOOD, "unknown", "unknown", id="no answer is no acceptance"),
    pytest.param(MESH, LOST, LOST, GOOD, "unknown", "unknown", id="the pod was lost"),
    pytest.param(PLAIN, NOT, NOT, PLAIN, "unknown", "not_asked", id="no TLS"),
    pytest.param(TAKEN, TAKEN, NOT, {"result": "untrusted"}, "unknown", "unknown", id="an application's own TLS"),
]


def judged(*rows, tcp=False):
    """One row of answers for each endpoint."""
    kinds = ("none", "wrong", "expired")
    shown = {kind: {str(path): row[index] for path, row in enumerate(rows)} for index, kind in enumerate(kinds)}
    return identities.judge(shown, {str(path): row[3] for path, row in enumerate(rows)}, tcp)


@pytest.mark.parametrize(("none", "wrong", "expired", "good", "check", "met"), ROWS)
def test_one_endpoint(none, wrong, expired, good, check, met):
    found = judged((none, wrong, expired, good))
    assert (found.check, found.shown["wrong"]["result"]) == (check, met)
    assert bool(found.accepted) is (check == "not enforced")


def test_bytes_that_are_taken_are_an_acceptance_where_no_answer_is_due():
    found = judged((MESH, SILENT, NOT, GOOD), tcp=True)
    assert (found.check, found.accepted) == ("not enforced", "with a certificate of a foreign authority")


@pytest.mark.parametrize(
    ("second", "check"),
    [
        ((MESH, REJECTED, NOT, GOOD), "enforced"),
        ((MESH, TAKEN, NOT, GOOD), "not enforced"),
        ((MESH, LOST, NOT, GOOD), "unknown"),
        ((PLAIN, NOT, NOT, PLAIN), "unknown"),
    ],
)
def test_the_worst_endpoint_decides(second, check):
    assert judged((MESH, REJECTED, NOT, GOOD), second).check == check


def test_without_endpoints_nothing_is_known():
    assert judged() == (
        "unknown",
        {kind: {"result": "not_asked", "detail": ""} for kind in identities.CLIENTS},
        "",
    )
