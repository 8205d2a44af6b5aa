# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions that name a client: they change what that client sends, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge

from .samples import edge, port, status, target, workload

SCRAPER, OTHER = workload("watch/scraper"), workload("watch/other")
EXCUSED = {"client": {"namespace": "watch", "workload": "scraper"}, "reason": "it has a certificate of its own"}
TO_A = {**EXCUSED, "namespace": "demo", "workload": "service-a"}


def mesh(*edges: dict[str, Any], **ports: Any) -> dict[str, Any]:
    found = status(workload(ports=[port(**ports)]), list(edges), [SCRAPER, OTHER])
    found["client_sets"].update(
        one=[SCRAPER["id"]],
        two=[SCRAPER["id"], OTHER["id"]],
        with_outside=[SCRAPER["id"], "legacy/Deployment/cron"],
        all={"all_but": ["demo/Deployment/service-a"]},
        nearly={"all_but": ["demo/Deployment/service-a", SCRAPER["id"]]},
        stranger=["watch/Job/scraper"],
        nobody=[],
    )
    return found


def judged(found: dict[str, Any], *exclude: dict[str, Any], **more: Any) -> dict[str, Any]:
    return judge(found, namespaces=["demo"], exclude=exclude, today="2026-05-31", **more)


@pytest.mark.parametrize(
    ("clients", "verdict", "entry", "result", "shown"),
    [
        ("one", "plaintext", EXCUSED, "excluded", "watch/scraper"),
        ("one", "unknown", EXCUSED, "excluded", "watch/scraper"),
        ("one", "broken", EXCUSED, "excluded", "watch/scraper"),
        ("one", "plaintext", TO_A, "excluded", "watch/scraper"),
        ("one", "plaintext", {**EXCUSED, "client": {"namespace": "watch"}}, "excluded", "watch/scraper"),
        ("one", "plaintext", {**EXCUSED, "port": 80}, "excluded", "watch/scraper"),
        ("one", "mtls", EXCUSED, "ok", "watch/scraper"),
        ("two", "plaintext", EXCUSED, "FAIL", "watch/other"),
        ("two", "unknown", EXCUSED, "FAIL", "watch/other"),
        ("two", "plaintext", {**EXCUSED, "client": {"namespace": "watch"}}, "excluded", "watch/other, watch/scraper"),
        ("all", "plaintext", EXCUSED, "FAIL", "demo/service-b, legacy/cron, watch/other"),
        ("nearly", "plaintext", EXCUSED, "FAIL", "demo/service-b, legacy/cron, watch/other"),
        ("with_outside", "broken", EXCUSED, "excluded", "watch/scraper"),
        ("with_outside", "plaintext", EXCUSED, "FAIL", "legacy/cron"),
        ("stranger", "plaintext", EXCUSED, "FAIL", "watch/Job/scraper"),
        ("nobody", "unknown", EXCUSED, "FAIL", "nobody"),
        ("gone", "unknown", EXCUSED, "FAIL", "nobody"),
        ("one", "plaintext", {**TO_A, "workload": "service-c"}, "FAIL", "watch/scraper"),
        ("one", "plaintext", {**EXCUSED, "port": 9090}, "FAIL", "watch/scraper"),
        ("one", "plaintext", {**EXCUSED, "until": "2026-05-30"}, "FAIL", "watch/scraper"),
        (
            "one",
            "plaintext",
            {**EXCUSED, "client": {"namespace": "shop", "workload": "scraper"}},
            "FAIL",
            "watch/scraper",
        ),
    ],
)
def test_an_edge_is_judged_for_those_who_are_left(
    clients: str, verdict: str, entry: dict[str, Any], result: str, shown: str
) -> None:
    judgement = judged(mesh(edge(clients, verdict, "none")), entry)
    [row] = judgement["edges"]
    assert (row["result"], row["clients"]) == (result, shown)
    assert judgement["verdict"] == ("fail" if result == "FAIL" else "pass")


def test_an_entry_counts_the_rows_of_its_client() -> None:
    found = mesh(edge("one", "plaintext", "none"), edge("two", "plaintext", "none"), edge("in", "mtls", "mtls"))
    assert [entry["rows"] for entry in judged(found, EXCUSED, TO_A)["exclusions"]] == [2, 2]


def test_what_the_server_accepts_is_judged() -> None:
    found = mesh(edge("one", "plaintext", "none"), mode="PERMISSIVE", plaintext="accepted")
    assert [row["result"] for row in judged(found, EXCUSED)["servers"]] == ["FAIL"]


def test_what_the_wire_answers_is_judged_where_all_edges_are_excused() -> None:
    found = mesh(edge("one", "plaintext", "none"))
    [row] = judged(found, EXCUSED, probe={"targets": [target("answered", verdict="plaintext")]})["wire"]
    assert row["result"] == "FAIL"


def seen(client: str | None) -> dict[str, Any]:
    return {
        "source": {"workload": client},
        "destination": {"workload": "demo/service-a", "service": "demo/service-a"},
        "port": 8080,
        "protocol": "http",
        "security": "plaintext",
        "requests": 5,
        "mutual_tls": 0,
    }


@pytest.mark.parametrize("client", ["watch/scraper", "watch/other", None])
def test_plaintext_in_telemetry_is_excused_by_no_name(client: str | None) -> None:
    """Whoever sends it says who it is, and may say that it is the one that is excused."""
    found = mesh(edge("one", "plaintext", "none", observed="plaintext"))
    found["traffic"] = {"window": 60, "traffic": [seen(client)]}
    judgement = judged(found, EXCUSED)
    assert [(row["result"], row["told"]) for row in judgement["traffic"]] == [("FAIL", False)]
    assert judgement["verdict"] == "fail"


def test_an_edge_that_fails_for_others_does_not_tell_of_the_one_that_is_excused() -> None:
    found = mesh(edge("two", "plaintext", "none", observed="plaintext"))
    found["traffic"] = {"window": 60, "traffic": [seen("watch/scraper"), seen("watch/other")]}
    assert {row["client"]: row["told"] for row in judged(found, EXCUSED)["traffic"]} == {
        "watch/scraper": False,
        "watch/other": True,
    }


def test_an_entry_changes_only_what_it_names() -> None:
    """For random edges: judged without an entry, the same edges whose sets never had the client judge the same."""
    chosen = random.Random(12)
    names = [SCRAPER["id"], OTHER["id"], "demo/Deployment/service-b", "legacy/Deployment/cron"]
    for dummy in range(200):
        sets = {str(n): chosen.sample(names, chosen.randint(1, 4)) for n in range(4)}
        edges = [
            edge(
                name,
                chosen.choice(["mtls", "tls", "plaintext", "broken", "unknown"]),
                "none",
                port=chosen.choice([80, 90]),
            )
            for name in sets
        ]
        with_it, without = mesh(*edges), mesh(*edges)
        with_it["client_sets"].update(sets)
        without["client_sets"].update(
            {key: [name for name in ids if name != SCRAPER["id"]] for key, ids in sets.items()}
        )
        left = {key for key, ids in without["client_sets"].items() if ids}
        entry = {**EXCUSED, "port": 80} if chosen.random() < 0.5 else EXCUSED
        plain, excused, others = (
            {row["client_set"]: row for row in judged(found, *given)["edges"]}
            for found, given in ((with_it, ()), (with_it, (entry,)), (without, ()))
        )
        for key, row in excused.items():
            if SCRAPER["id"] not in sets[key] or (row["port"] == 90 and "port" in entry):
                assert row == plain[key]
            elif key in left and others[key]["kind"]:
                assert (row["result"], row["kind"], row["clients"]) == (
                    "FAIL",
                    others[key]["kind"],
                    others[key]["clients"],
                )
            else:
                assert row["result"] == ("excluded" if plain[key]["kind"] else "ok")
