"""Exceptions: what they cover, and until when."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import (
    ExclusionError,
    Exclusions,
    name_of,
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


CLIENT = {"client": {"namespace": "watch", "workload": "scraper"}, "reason": "it has a certificate of its own"}


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"reason": "r"}, "names no namespace"),
        ({"namespace": "", "workload": "ledger", "reason": "r"}, "names no namespace"),
        ({**CLIENT, "workload": "ledger"}, "names no namespace"),
        ({**CLIENT, "client": {}}, "a client without a namespace"),
        ({**CLIENT, "client": {"workload": "scraper"}}, "a client without a namespace"),
        ({**CLIENT, "client": "watch/scraper"}, "a client without a namespace"),
        ({**CLIENT, "client": {"namespace": "watch", "name": "scraper"}}, "client.name"),
        ({**ENTRY, "clients": {"namespace": "watch"}}, "fields that no entry has: clients"),
        ({**ENTRY, "ports": 9090}, "fields that no entry has: ports"),
    ],
    ids=[
        *("names nothing", "an empty namespace", "a server without a namespace", "an empty client"),
        *("a client's name alone", "a client in one word", "a client's field that is none", "a word beside another"),
        "a plural",
    ],
)
def test_an_entry_that_could_cover_more_than_was_meant_is_refused(entry: dict[str, Any], fault: str) -> None:
    with pytest.raises(ExclusionError, match=fault):
        Exclusions([entry])


@pytest.mark.parametrize("entry", [ENTRY, CLIENT, {**CLIENT, "port": 9090}, {**ENTRY, "client": None}])
def test_forms_that_count(entry: dict[str, Any]) -> None:
    assert problems([entry]) == []


@pytest.mark.parametrize(
    ("entry", "excuses"),
    [
        (CLIENT, True),
        ({**CLIENT, "namespace": "billing"}, True),
        ({**CLIENT, "namespace": "billing", "workload": "ledger", "port": 9090}, True),
        ({**CLIENT, "namespace": "shop"}, False),
        ({**CLIENT, "namespace": "billing", "workload": "other"}, False),
        ({**CLIENT, "port": 8080}, False),
        ({**CLIENT, "until": "2026-05-30"}, False),
        (ENTRY, False),
    ],
)
def test_an_entry_with_a_client_is_for_the_servers_that_it_names(entry: dict[str, Any], excuses: bool) -> None:
    exclusions = Exclusions([entry], "2026-05-31")
    found = exclusions.excuses("billing", ["ledger"], [9090])
    assert [excuse.names("watch", "scraper") for excuse in found] == ([True] if excuses else [])
    assert exclusions.cover("billing", ["ledger"], [9090]) is (entry is ENTRY)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (ENTRY, "billing/ledger port 9090"),
        (CLIENT, "watch/scraper → */*"),
        ({**CLIENT, "client": {"namespace": "watch"}, "namespace": "billing"}, "watch/* → billing/*"),
    ],
)
def test_an_entrys_name_says_whom_it_is_for(entry: dict[str, Any], name: str) -> None:
    assert name_of(entry) == name
