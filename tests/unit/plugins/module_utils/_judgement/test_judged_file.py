# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict of a file says so, says how old the file is, and never that it is fresh where that is not known."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judged_file import described
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._judgement.samples import (
    port,
    status,
    workload,
)

TAKEN = {"path": "/e/mesh.gz", "format": "snapshot", "time": "2026-01-31T12:00:00Z"}
DUMP = {"path": "/e/dump", "format": "dump", "time": ""}
HEALTHY = status(workload(ports=[port()]))


@pytest.mark.parametrize(
    ("file", "today", "said"),
    [
        pytest.param(TAKEN, "2026-02-03", "taken at 2026-01-31T12:00:00Z, 3 days ago", id="days"),
        pytest.param(TAKEN, "2026-02-01", "taken at 2026-01-31T12:00:00Z, 1 day ago", id="yesterday"),
        pytest.param(TAKEN, "2026-01-31", "taken at 2026-01-31T12:00:00Z, today", id="today"),
        pytest.param(TAKEN, "", "taken at 2026-01-31T12:00:00Z", id="without a clock"),
        pytest.param(TAKEN, "2026-01-30", "(its time, 2026-01-31T12:00:00Z, is still to come)", id="in the future"),
        pytest.param({**TAKEN, "time": "soon\x1b[2J"}, "2026-02-03", "(its time is soon\\u001b[2J)", id="no time"),
        pytest.param({**TAKEN, "time": 7}, "2026-02-03", "of unknown age (its time is 7)", id="a number"),
        pytest.param(DUMP, "2026-02-03", "dump /e/dump, of unknown age", id="a dump"),
        pytest.param({**DUMP, "complete": True}, "", "/e/dump, said to have all that there is, of", id="said complete"),
    ],
)
def test_how_old_a_file_is(file, today, said):
    assert said in described(file, today)


def test_the_table_names_the_file_and_all_that_it_lacks():
    missing = [{"kind": f"K{number}", "command": f"dump {number}"} for number in range(40)]
    lines = verdict_table(judge({**HEALTHY, "snapshot": {**DUMP, "missing": missing}}), max_rows=1, today="2026-02-03")
    assert any(line.startswith("FILE") and "dump /e/dump" in line and "no cluster was asked" in line for line in lines)
    assert sum(line.endswith(item["command"]) for line in lines for item in missing) == len(missing)
    assert not any(line.startswith("FILE") for line in verdict_table(judge(HEALTHY)))


def test_a_failure_names_the_file():
    found = judge({**status(workload(ports=[port(plaintext="accepted")])), "snapshot": TAKEN})
    assert found["message"].startswith(
        "Mutual TLS is not as required (in the snapshot /e/mesh.gz, taken at 2026-01-31T12:00:00Z): "
    )


@pytest.mark.parametrize("source", ["programmed", "observed"])
def test_what_only_a_live_cluster_tells_is_unknown_where_it_is_required(source):
    seen = {source: {"state": "not asked", "detail": "a file is judged"}}
    found = judge({**HEALTHY, "snapshot": TAKEN, "seen": seen}, sources=["declared", source], require=source)
    assert found["verdict"] == "fail"
    [missing] = [item for item in found["missing"] if "required" in item["reason"]]
    assert missing["kind"] == "unknown"
    assert missing["reason"].endswith("a file is judged")
    assert "istio_verify_snapshot" in missing["remedy"]


@pytest.mark.parametrize(
    ("terms", "verdict"),
    [({}, "fail"), ({"namespaces": ["demo"]}, "pass")],
    ids=["nobody names namespaces", "they are named"],
)
def test_a_dump_without_namespaces_does_not_tell_which_are_enrolled(terms, verdict):
    gap = {"kind": "Namespace", "namespace": None, "reason": "not dumped", "touches": ""}
    found = judge({**HEALTHY, "snapshot": DUMP, "unknown": [gap]}, **terms)
    assert found["verdict"] == verdict
    assert [item["reason"] for item in found["missing"]] == (
        ["which namespaces are enrolled is not known, as they could not be read: not dumped"] if not terms else []
    )
