# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.rows import (
    MUTUAL_TLS,
    PLAINTEXT,
    UNKNOWN,
    Counts,
    Path,
    summary,
)

PATH = Path("demo/b", "spiffe://cluster.local/ns/demo/sa/b", "demo/a", "demo/a", None, 8080, "http")


@pytest.mark.parametrize(
    ("counted", "least", "requests", "share", "security"),
    [
        ({MUTUAL_TLS: 10}, 1, 10, 1.0, "mutual_tls"),
        ({PLAINTEXT: 10}, 1, 10, 0.0, "plaintext"),
        ({MUTUAL_TLS: 9, PLAINTEXT: 1}, 1, 10, 0.9, "mixed"),
        ({UNKNOWN: 10}, 1, 10, 0.0, "unknown"),
        # Nothing that is not known is passed over.
        ({MUTUAL_TLS: 9, UNKNOWN: 1}, 1, 10, 0.9, "unknown"),
        # A single one of something worse is never rounded away.
        ({MUTUAL_TLS: 1000000, PLAINTEXT: 0.01}, 1, 1000001, 0.9999, "mixed"),
        ({MUTUAL_TLS: 1000000, UNKNOWN: 0.01}, 1, 1000001, 0.9999, "unknown"),
        # Little is no evidence of something good, but of something bad.
        ({MUTUAL_TLS: 4}, 5, 4, 1.0, "unknown"),
        ({MUTUAL_TLS: 5}, 5, 5, 1.0, "mutual_tls"),
        ({PLAINTEXT: 1}, 5, 1, 0.0, "plaintext"),
        ({MUTUAL_TLS: 1, PLAINTEXT: 1}, 5, 2, 0.5, "mixed"),
        ({PLAINTEXT: 3, UNKNOWN: 1}, 1, 4, 0.0, "plaintext"),
        # What Prometheus estimates.
        ({MUTUAL_TLS: 19.6}, 1, 20, 1.0, "mutual_tls"),
    ],
)
def test_security(counted, least, requests, share, security):
    counts = Counts()
    for name, number in counted.items():
        counts.add(PATH, name, number)
    (row,) = counts.rows(least)
    assert (row["requests"], row["share"], row["security"]) == (requests, share, security)


@pytest.mark.parametrize("count", [-1, -1e300, float("nan"), float("inf"), float("-inf"), 1e300])
@pytest.mark.parametrize(
    ("security", "expected"), [(MUTUAL_TLS, "unknown"), (UNKNOWN, "unknown"), (PLAINTEXT, "mixed")]
)
def test_what_is_no_count_takes_nothing_away(count, security, expected):
    counts = Counts()
    counts.add(PATH, MUTUAL_TLS, 10)
    counts.add(PATH, security, count)
    (row,) = counts.rows()
    assert (row["requests"], row["security"]) == (11, expected)


@pytest.mark.parametrize("missing", [{"whole": False}, {"doubted": {"demo/a"}}])
def test_where_something_may_be_missing_nothing_is_mutual_tls(missing):
    counts = Counts()
    counts.add(PATH, MUTUAL_TLS, 10)
    counts.add(PATH._replace(source_workload="demo/c"), PLAINTEXT, 10)
    assert [row["security"] for row in counts.rows(**missing)] == ["unknown", "plaintext"]


def test_rows_are_those_that_were_counted_in_one_order():
    counts, other = Counts(), Counts()
    counts.add(PATH._replace(destination_workload="demo/z"), MUTUAL_TLS, 1)
    counts.add(PATH._replace(source_workload="demo/idle"), PLAINTEXT, 0)
    other.add(PATH, MUTUAL_TLS, 2)
    other.add(PATH, PLAINTEXT, 1)
    counts.merge(other)
    counts.merge(other)
    rows = counts.rows()
    assert rows == [
        {
            "source": {"workload": "demo/b", "principal": "spiffe://cluster.local/ns/demo/sa/b"},
            "destination": {"workload": "demo/a", "service": "demo/a", "principal": None},
            "port": 8080,
            "protocol": "http",
            "exporter": None,
            "requests": 6,
            "mutual_tls": 4,
            "share": 0.6666,
            "security": "mixed",
        },
        {
            "source": {"workload": "demo/b", "principal": "spiffe://cluster.local/ns/demo/sa/b"},
            "destination": {"workload": "demo/z", "service": "demo/a", "principal": None},
            "port": 8080,
            "protocol": "http",
            "exporter": None,
            "requests": 1,
            "mutual_tls": 1,
            "share": 1.0,
            "security": "mutual_tls",
        },
    ]
    assert summary(rows) == {
        "total": 2,
        "by_security": {"mixed": 1, "mutual_tls": 1},
        "requests": 7,
        "mutual_tls": 5,
    }
