# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters about an audit's file and about exceptions: what they take, and clear errors instead of tracebacks."""

from __future__ import annotations

import base64
import gzip

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.filter import audit_file, exclusion_problems, judge
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate

read = audit_file.FilterModule().filters()["audit_file"]
wrong = exclusion_problems.FilterModule().filters()["exclusion_problems"]
judged = judge.FilterModule().filters()["judge"]
TIME = "2026-01-31T12:00:00Z"
TEXT = document.document({**evaluate([]), "cluster": {}}, TIME, ["declared"]).encode()


def slurped(data: bytes) -> dict[str, str]:
    return {"source": "/somewhere/audit.json", "content": base64.b64encode(data).decode(), "encoding": "base64"}


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT)], ids=["plain", "packed"])
def test_an_audit_is_read_and_can_be_judged(data: bytes) -> None:
    document = read(slurped(data))
    assert document["time"] == TIME
    assert judged(document)["verdict"] == "fail"


@pytest.mark.parametrize("data", [b"", b"{}", b"no json", gzip.compress(TEXT, mtime=0)[:40]])
def test_another_file_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(AnsibleFilterError, match=r"/somewhere/audit\.json .*Remedy: "):
        read(slurped(data))


@pytest.mark.parametrize(
    ("entry", "today"), [({"until": "soon"}, "2026-01-31"), ({"until": "2026-05-31"}, "")], ids=["no day", "no today"]
)
def test_an_exception_that_cannot_be_judged_is_an_error_that_names_it(entry: dict[str, str], today: str) -> None:
    entry = {"namespace": "billing", "reason": "being moved", **entry}
    with pytest.raises(AnsibleFilterError, match="billing"):
        judged(read(slurped(TEXT)), exclude=[entry], today=today)
    assert len(wrong([entry])) == (entry["until"] == "soon")
