# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that never end: bounded in time and size, whatever part of them it is that goes on."""

from __future__ import annotations

import time

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.timed import Bounds
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.faults import drip, flood

ROUTE = "GET /version"
MOST = 100_000
MEASURED = b"Content-Length: 100000000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def ask(cluster, seconds=5.0, most=MOST):
    started = time.monotonic()
    with pytest.raises(api.ClusterError) as caught:
        cluster.request("GET", "/version", bounds=Bounds(started + seconds, most))
    return caught.value.reason, time.monotonic() - started


@pytest.mark.parametrize("head", [True, False], ids=["of the head", "of the body"])
def test_a_byte_now_and_then_is_no_answer(server, cluster, head):
    server.answer(ROUTE, drip(head))
    reason, seconds = ask(cluster, 0.3)
    assert reason == "it was not read in time"
    assert seconds < 1.5


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(MEASURED, id="a body with a length"),
        pytest.param(b"\r\n", id="a body without a length"),
        pytest.param(CHUNKED + b"1000000\r\n", id="a long chunk"),
    ],
)
def test_an_answer_without_end_is_too_long(server, cluster, head):
    server.answer(ROUTE, flood(head))
    reason, seconds = ask(cluster)
    assert reason == f"the answer is longer than {MOST} bytes"
    assert seconds < 4


@pytest.mark.parametrize("head", [CHUNKED, CHUNKED + b"1;"], ids=["digits", "what stands behind them"])
def test_the_length_of_a_chunk_ends(server, cluster, head):
    """Newer versions of urllib3 have a bound of their own for it."""
    server.answer(ROUTE, flood(head))
    reason, seconds = ask(cluster)
    assert "chunk size line" in reason or "longer than" in reason
    assert seconds < 4


def test_what_follows_the_last_chunk_ends(server, cluster):
    """Lines of which each is short, without end; a bound on a line's length does not help."""
    server.answer(ROUTE, flood(CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000))
    reason, seconds = ask(cluster)
    assert reason == f"the answer is longer than {MOST} bytes"
    assert seconds < 4


def test_a_head_without_end_is_no_answer(server, cluster):
    server.answer(ROUTE, flood(b"X-Comment: "))
    reason, seconds = ask(cluster)
    assert "header line" in reason
    assert seconds < 4


@pytest.mark.parametrize(("size", "fits"), [(MOST, True), (MOST + 1, False)])
def test_the_last_byte_that_fits(server, cluster, size, fits):
    server.answer(ROUTE, "x" * size)
    if fits:
        assert len(cluster.request("GET", "/version", bounds=Bounds(time.monotonic() + 5, MOST))) == MOST
    else:
        assert ask(cluster)[0] == f"the answer is longer than {MOST} bytes"


def test_pauses_count(server, cluster, pauses):
    """What has no chance to be there in time is not waited for."""
    server.answer(ROUTE, (503, {"kind": "Status", "message": "no"}))
    assert ask(cluster, 1.0)[0] == "it was not read in time"
    assert pauses == [0.5]


def test_the_next_request_on_the_same_connection_has_its_own_time(server, cluster):
    server.answer(ROUTE, {"gitVersion": "v1"})
    for _attempt in range(3):
        bounds = Bounds(time.monotonic() + 0.2, MOST)
        assert cluster.request("GET", "/version", bounds=bounds)
    assert cluster.version() == "v1"
