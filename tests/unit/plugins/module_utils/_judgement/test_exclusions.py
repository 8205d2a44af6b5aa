"""Exceptions: what they cover, and until when."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import (
    ExclusionError,
    Exclusions,
    problems,
)

ENTRY = {"namespace": "billing", "workload": "ledger", "port": 9090, "reason": "the old collector"}


@pytest.mark.parametrize(
    ("until", "today", "covers"),
    [
        (None, "", True),
        ("", "", True),
        ("2026-05-31", "2026-05-30", True),
        ("2026-05-31", "2026-05-31", True),
        ("2026-05-31", "2026-06-01", False),
        ("2026-12-31", "2027-01-01", False),
        (datetime.date(2026, 5, 31), "2026-06-01", False),
    ],
)
def test_an_entry_counts_to_the_end_of_its_last_day(until: Any, today: str, covers: bool) -> None:
    exclusions = Exclusions([{**ENTRY, "until": until}], today)
    assert exclusions.cover("billing", ["ledger"], [9090]) is covers
    assert exclusions.entries[0]["rows"] == int(covers)
    assert exclusions.entries[0].get("expired", False) is not covers


WRONG = ["2026-02-30", "31.05.2026", "2026-5-31", "2026-05-31 12:00", "soon", 2026]


@pytest.mark.parametrize("until", WRONG)
def test_a_day_that_is_none_is_an_error_that_names_the_entry(until: Any) -> None:
    [sentence] = problems([{**ENTRY, "until": until}, ENTRY, {**ENTRY, "until": "2026-05-31"}])
    assert sentence.startswith(
        f"The entry of istio_verify_exclude for billing/ledger port 9090 (the old collector) has until: {until}, "
    )
    assert "Remedy: write it as YYYY-MM-DD" in sentence
    with pytest.raises(ExclusionError, match="billing/ledger port 9090"):
        Exclusions([{**ENTRY, "until": until}], "2026-05-01")


@pytest.mark.parametrize("today", ["", "today"])
def test_without_the_day_of_today_nothing_can_be_told(today: str) -> None:
    with pytest.raises(ExclusionError, match="Remedy: give the filter judge today="):
        Exclusions([{**ENTRY, "until": "2026-05-31"}], today)
