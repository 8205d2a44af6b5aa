# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rows of a judgement are made, sorted and told, and what traffic says beside the edges."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import (
    evidence,
    exclusions,
    states,
    traffic,
    violations,
    wire,
)


@pytest.mark.parametrize(
    ("kind", "excluded", "result"),
    [("plaintext", False, "FAIL"), ("plaintext", True, "excluded"), (None, False, "ok"), (None, True, "excluded")],
)
def test_the_result_of_a_row(kind, excluded, result):
    row = violations.row_of(kind, "why", "what", excluded, object="a")
    assert row == {"result": result, "kind": kind, "reason": "why", "remedy": "what", "object": "a"}


def test_the_worst_row_comes_first():
    rows = [
        {"result": result, "kind": kind, "object": name}
        for result, kind, name in [
            ("ok", None, "a"),
            ("excluded", "disagreement", "a"),
            ("warning", None, "a"),
            ("FAIL", "unknown", "a"),
            ("FAIL", "plaintext", "b"),
            ("FAIL", "plaintext", "a"),
            ("warning", "rule", "a"),
        ]
    ]
    found = [(row["result"], row["kind"], row["object"]) for row in sorted(rows, key=violations.worst_first)]
    assert found == [
        ("FAIL", "plaintext", "a"),
        ("FAIL", "plaintext", "b"),
        ("FAIL", "unknown", "a"),
        ("warning", "rule", "a"),
        ("warning", None, "a"),
        ("excluded", "disagreement", "a"),
        ("ok", None, "a"),
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [([], "nobody"), (["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d", "e"], "a, b, c +2")],
)
def test_a_few_names(names, text):
    assert violations.shortened(names) == text


@pytest.mark.parametrize(
    ("client", "outside"),
    [
        (None, False),
        ({"mesh": "none"}, True),
        ({"mesh": "none", "mode": "unknown"}, False),
        ({"mesh": "sidecar"}, False),
        ({"mesh": "ambient"}, False),
        ({"mesh": "gateway"}, False),
    ],
)
def test_who_is_surely_outside(client, outside):
    assert violations.is_outside(client) is outside


def test_a_workload_is_known_better_than_the_client_of_its_name():
    status = {"clients": [{"id": "a", "x": 1}, {"id": "b"}], "workloads": [{"id": "a", "x": 2}]}
    assert violations.everybody(status) == {"a": {"id": "a", "x": 2}, "b": {"id": "b"}}


def entry(**more):
    return {"namespace": "demo", "reason": "old", **more}


@pytest.mark.parametrize(
    ("more", "covers"),
    [
        pytest.param({}, True, id="the whole namespace"),
        pytest.param({"namespace": "other"}, False, id="another namespace"),
        pytest.param({"workload": "a"}, True, id="the workload"),
        pytest.param({"workload": "b"}, False, id="another workload"),
        pytest.param({"port": 80}, True, id="the port"),
        pytest.param({"port": "80"}, True, id="the port as text"),
        pytest.param({"port": 81}, False, id="another port"),
        pytest.param({"workload": "a", "port": 81}, False, id="the workload, another port"),
        pytest.param({"until": "2026-05-31"}, True, id="on its last day"),
        pytest.param({"until": "2026-05-30"}, False, id="after its last day"),
        pytest.param({"until": "2026-06-01"}, True, id="before its last day"),
    ],
)
def test_what_an_entry_covers(more, covers):
    found = exclusions.Exclusions([entry(**more)], "2026-05-31")
    assert found.cover("demo", ["a"], [80]) is covers
    assert found.entries[0]["rows"] == int(covers)


def test_every_entry_that_covers_a_row_counts_it():
    found = exclusions.Exclusions([entry(), entry(workload="a"), entry(workload="b")])
    found.cover("demo", ["a", "c"], [None])
    found.cover("demo", ["c"], [None])
    assert [item["rows"] for item in found.entries] == [2, 1, 0]


@pytest.mark.parametrize("day", ["2026-02-30", "2026-5-31", "31.05.2026", "tomorrow", " 2026-05-31"])
def test_a_last_day_that_is_none(day):
    assert len(exclusions.problems([entry(until=day), entry(), entry(until="2026-05-31")])) == 1
    with pytest.raises(exclusions.ExclusionError, match=r"demo/\* \(old\) has until"):
        exclusions.Exclusions([entry(until=day)], "2026-05-31")


def test_without_today_no_last_day_is_judged():
    with pytest.raises(exclusions.ExclusionError, match=r"demo/a port 80 still counts"):
        exclusions.Exclusions([entry(workload="a", port=80, until="2026-05-31")])
    assert exclusions.Exclusions([entry(until="")]).entries == [{**entry(), "rows": 0}]


A, B, SERVER = "demo/a", "demo/b", "demo/s"
WORKLOADS = {
    name: {"namespace": "demo", "name": name, "ports": [{"port": 80, "plaintext": "accepted"}]} for name in "abs"
}


def item(client=A, server=SERVER, security="plaintext", port=80, **more):
    source, destination = {"workload": client}, {"workload": server, "service": None}
    found = {"source": source, "destination": destination, "port": port, "protocol": "http", "security": security}
    return {**found, "mutual_tls": 0, "requests": 5, **more}


def edge(clients="one", observed="plaintext", **more):
    return {
        "clients": clients,
        "service": None,
        "port": 80,
        "subset": None,
        "endpoint": "s",
        "observed": observed,
        **more,
    }


def rows_of(items, edges=(), failed=(), workloads=None, exclude=(), scope=("demo",)):
    status = {
        "traffic": {"traffic": list(items), "window": 60},
        "client_sets": {"one": ["a"], "but": {"all_but": ["a"]}},
        "edges": list(edges),
    }
    judged = [{**found, "client_set": found["clients"], "result": "FAIL"} for found in failed]
    return traffic.traffic_rows(status, workloads or WORKLOADS, scope, judged, exclusions.Exclusions(exclude))


def refusing(*plaintext):
    ports = [{"port": 80 + number, "plaintext": how} for number, how in enumerate(plaintext)]
    return {**WORKLOADS, "s": {"namespace": "demo", "name": "s", "ports": ports}}


@pytest.mark.parametrize(
    ("found", "workloads", "result", "kind"),
    [
        pytest.param(item(), None, "FAIL", "plaintext", id="plaintext"),
        pytest.param(item(security="mixed"), None, "FAIL", "plaintext", id="mixed"),
        pytest.param(item(security="mutual_tls"), None, "ok", None, id="mutual TLS"),
        pytest.param(item(security="unknown"), None, "warning", None, id="not known"),
        pytest.param(item(), refusing("refused"), "FAIL", "disagreement", id="to a port that refuses it"),
        pytest.param(item(), refusing("refused", "accepted"), "FAIL", "disagreement", id="beside one that does not"),
        pytest.param(
            item(port=None), refusing("refused", "accepted"), "FAIL", "plaintext", id="to some port, one accepts"
        ),
        pytest.param(
            item(port=None), refusing("refused", "refused"), "FAIL", "disagreement", id="to some port, all refuse"
        ),
        pytest.param(item(port=99), refusing("refused"), "FAIL", "plaintext", id="to a port that is not listed"),
        pytest.param(item(server="demo/x"), None, "FAIL", "plaintext", id="to a server that is not listed"),
    ],
)
def test_what_traffic_says(found, workloads, result, kind):
    (row,) = rows_of([found], workloads=workloads)
    assert (row["result"], row["kind"]) == (result, kind)


@pytest.mark.parametrize(
    ("found", "scope", "count"),
    [
        pytest.param(item(), ("demo",), 1, id="in scope"),
        pytest.param(item(), ("other",), 0, id="out of scope"),
        pytest.param(item(server=None), ("demo",), 0, id="to nobody known"),
    ],
)
def test_servers_in_scope(found, scope, count):
    assert len(rows_of([found, found], scope=scope)) == 2 * count


def test_what_is_out_of_scope_hides_nothing_behind_it():
    found = [item(server="other/x"), item(server=None), item(), item(server="other/x"), item(port=81)]
    assert [row["server"] for row in rows_of(found)] == ["demo/s:80", "demo/s:81"]


def test_how_a_row_reads():
    rows = rows_of(
        [
            item(),
            item(client=None, port=None, exporter="a"),
            {**item(), "destination": {"workload": None, "service": SERVER}},
        ]
    )
    assert [row["object"] for row in rows] == [
        "demo/a → demo/s:80 in traffic",
        "a client that is not known → demo/s in traffic, as a says",
        "demo/a → demo/s:80 in traffic",
    ]
    assert rows[0]["reason"] == "0 of 5 http requests or connections in 60 s were mutual TLS"


@pytest.mark.parametrize(("exclude", "result"), [(entry(workload="s"), "excluded"), (entry(workload="a"), "FAIL")])
def test_a_server_that_is_excluded(exclude, result):
    assert rows_of([item()], exclude=[exclude])[0]["result"] == result


@pytest.mark.parametrize(
    ("edges", "failed", "client", "told"),
    [
        pytest.param([edge()], [edge()], A, True, id="an edge fails for it"),
        pytest.param([edge()], [], A, False, id="an edge that does not fail"),
        pytest.param([edge(), edge(port=81)], [edge()], A, False, id="one of two fails"),
        pytest.param([edge(), edge(port=81)], [edge(), edge(port=81)], A, True, id="both fail"),
        pytest.param([edge(observed="mutual_tls")], [edge()], A, False, id="nothing was seen"),
        pytest.param([edge()], [edge()], B, False, id="another client"),
        pytest.param([edge()], [edge()], None, False, id="a client that is not known"),
        pytest.param([edge("but")], [edge("but")], B, True, id="all clients but one"),
        pytest.param([edge("but")], [edge("but")], A, False, id="the one that is left out"),
        pytest.param([edge(endpoint="b")], [edge(endpoint="b")], A, False, id="another server"),
        pytest.param([edge(endpoint=None)], [edge(endpoint=None)], A, False, id="no server"),
        pytest.param([edge("gone")], [edge("gone")], A, False, id="a set that is not there"),
    ],
)
def test_what_the_edges_told_already(edges, failed, client, told):
    assert rows_of([item(client=client)], edges, failed)[0]["told"] is told


PROXY = {"pod": "demo/s-1", "workload": "s", "answered": True}
SOME = {"a": {"namespace": "demo", "name": "a"}, "s": {"namespace": "demo", "name": "s"}}


def finding(thing, identifier=evidence.CONTRADICTIONS[0]):
    return {"id": identifier, "object": thing, "message": "m", "fix": "f"}


@pytest.mark.parametrize(
    ("found", "exclude", "result"),
    [
        pytest.param(finding("demo/s-1"), (), "FAIL", id="a proxy contradicts"),
        pytest.param(finding("demo/s-1", evidence.WARNINGS[0]), (), "warning", id="a warning"),
        pytest.param(finding("demo/s-1"), [entry(workload="s")], "excluded", id="its workload is excluded"),
        pytest.param(finding("demo/s-1"), [entry(workload="s-1")], "FAIL", id="its pod is not what is excluded"),
        pytest.param(finding("demo/s:80"), [entry(workload="s", port=80)], "excluded", id="its port is excluded"),
        pytest.param(finding("demo/s:80"), [entry(workload="s", port=81)], "FAIL", id="another port is excluded"),
        pytest.param(finding("demo/s:80:x"), [entry()], "FAIL", id="what is no port belongs to the mesh"),
        pytest.param(finding("a demo/s:80"), [entry()], "FAIL", id="a sentence belongs to the mesh"),
        pytest.param(finding("the mesh"), [entry()], "FAIL", id="the whole mesh cannot be excluded"),
    ],
)
def test_findings_of_an_audit(found, exclude, result):
    status = {"proxies": [PROXY], "findings": [finding("other/x:1"), finding("demo/s-1", "MTLS-999"), found]}
    rows = evidence.finding_rows(status, SOME, ("demo",), exclusions.Exclusions(exclude))
    assert [(row["object"], row["result"]) for row in rows] == [(found["object"], result)]


@pytest.mark.parametrize(
    ("require", "gateway", "answered", "silent"),
    [
        ("programmed", "gateway", False, 1),
        ("programmed", "gateway", True, 0),
        ("programmed", "sidecar", False, 0),
        ("observed", "gateway", False, 0),
        ("declared", "gateway", False, 0),
    ],
)
def test_gateways_that_do_not_answer(require, gateway, answered, silent):
    rows = [{"id": "s", "workload": "demo/s", "mesh": gateway}] * 2
    found = evidence.silent_gateways({"proxies": [{**PROXY, "answered": answered}]}, rows, require)
    assert [(item["kind"], item["object"]) for item in found] == [("unknown", "demo/s (a gateway)")] * silent


def test_the_ports_that_the_probe_asked():
    endpoints = [{"pod": "s-1", "port": "8080"}, {"pod": "s-1", "port": 8080}, {"pod": "gone", "port": 1}]
    assert wire._places("demo", {"endpoints": endpoints}, {"demo/s-1": "s"}) == [("s", 8080)]
    assert wire._places("demo", {"endpoints": None}, {}) == wire._places("demo", {}, {}) == []


@pytest.mark.parametrize(
    ("more", "port", "why"),
    [
        ({}, {"mode": "STRICT"}, "PeerAuthentication demo/p makes it STRICT"),
        ({"policy": None}, {"mode": None}, "no PeerAuthentication decides, so it is unknown"),
        ({}, {"mode": "STRICT", "captured": False}, "traffic to the port bypasses the proxy"),
        ({"mesh": "none"}, {"mode": "STRICT", "captured": False}, "not in the mesh"),
    ],
)
def test_why_a_port_is_what_it_is(more, port, why):
    assert states._why({"mesh": "sidecar", "policy": "demo/p", **more}, port) == why
