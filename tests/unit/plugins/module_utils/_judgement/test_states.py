# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One state for each port and connection: the worst that an asked source says, and never better than unknown."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._judgement import samples

A = "demo/Deployment/service-a"


def audit(port=None, edges=None, **more):
    """An audit of the samples' server with one port."""
    found = samples.status(samples.workload(ports=[port or samples.port()]), edges)
    return {"format": "", "time": "", "sources": ["declared"], **found, **more}


def compared(**said):
    """What the comparison says of the port."""
    return [{"workload": A, "port": 8080, **UNASKED, **said}]


UNASKED = {"declared": "unknown", "programmed": None, "observed": None, "agreement": None, "why": "", "cause": ""}


@pytest.mark.parametrize(
    ("port", "said", "state"),
    [
        (samples.port(), {}, "strict"),
        (samples.port(mode="PERMISSIVE", plaintext="accepted"), {}, "permissive"),
        (samples.port(mode="DISABLE", plaintext="accepted"), {}, "plaintext"),
        (samples.port(captured=False, plaintext="accepted"), {}, "plaintext"),
        (samples.port(mode="unknown", plaintext="unknown"), {}, "unknown"),
        (samples.port(plaintext="something new"), {}, "unknown"),
        (samples.port(), {"declared": "strict", "programmed": "strict", "observed": "strict"}, "strict"),
        (samples.port(), {"declared": "strict", "programmed": None, "observed": "strict"}, "strict"),
        (samples.port(), {"declared": "strict", "programmed": "unknown", "observed": "strict"}, "unknown"),
        (samples.port(), {"declared": "unknown", "programmed": "unknown", "observed": "permissive"}, "permissive"),
        (samples.port(), {"declared": "strict", "observed": "plaintext"}, "plaintext"),
        (samples.port(), {"declared": "strict", "observed": "strict", "agreement": "contradicted"}, "contradicted"),
    ],
)
def test_a_port_is_as_bad_as_the_worst_that_is_said_of_it(port, said, state):
    found = states.facts_of(audit(port, ports=compared(**said) if said else []))
    assert [row.state for row in found.ports] == [state]


@pytest.mark.parametrize(
    ("edge", "state"),
    [
        (samples.edge("in", "mtls", "mtls"), "mtls"),
        (samples.edge("in", "tls", "simple"), "tls"),
        (samples.edge("out", "broken", "none"), "refused"),
        (samples.edge("in", "broken", "plaintext"), "broken"),
        ({**samples.edge("in", "broken", "mtls"), "endpoint": None, "state": "no_endpoint"}, "no endpoint"),
        # One of them is in the mesh, and would fail.
        (samples.edge("both", "broken", "none"), "broken"),
        # The judge takes it so, too: whoever is outside has nothing to expect of a Service without endpoints.
        (samples.edge("out", "broken", "none", endpoint=None), "refused"),
        (samples.edge("in", "mtls", "mtls", observed="plaintext"), "plaintext"),
        (samples.edge("in", "mtls", "mtls", programmed="unknown"), "unknown"),
        (samples.edge("in", "mtls", "mtls", observed="mtls", agreement="contradicted"), "contradicted"),
        # A set that is not there has no clients that could be outside.
        (samples.edge("gone", "broken", "none"), "broken"),
    ],
)
def test_a_connection_is_as_bad_as_the_worst_that_is_said_of_it(edge, state):
    assert [row.state for row in states.facts_of(audit(edges=[edge])).edges] == [state]


def test_a_workload_outside_the_mesh_is_out_of_scope_unless_its_namespace_is_enrolled():
    server = samples.workload("legacy/web", "none", [samples.port(8080, None, False, "accepted")])
    alone = {"format": "", "time": "", "sources": [], **samples.status(server, [])}
    assert [port.state for port in states.facts_of(alone).ports] == ["outside"]
    enrolled = {**alone, "namespaces": [{"name": "legacy", "labels": {"istio-injection": "enabled"}}]}
    assert [port.state for port in states.facts_of(enrolled).ports] == ["plaintext"]


def test_a_port_that_only_a_proxy_knows_is_shown():
    found = states.facts_of(
        audit(
            ports=[
                *compared(declared="strict"),
                {"workload": A, "port": 9999, **UNASKED, "declared": None, "programmed": "plaintext"},
            ]
        )
    )
    assert [(port.port, port.said, port.state) for port in found.ports] == [
        (9999, (None, "plaintext", None), "plaintext"),
        (8080, ("strict", None, None), "strict"),
    ]
    assert found.asked == ("declared", "programmed")


@pytest.mark.parametrize("compact", [False, True])
def test_compact_sets_are_counted_and_listed_as_whole_ones_are(compact):
    found = audit()
    everyone = [workload["id"] for workload in found["workloads"]]
    if compact:
        found["client_sets"] = {
            name: {"all_but": sorted(set(everyone) - set(members))} for name, members in found["client_sets"].items()
        }
    clients = states.facts_of(found).clients
    assert clients.count("in") == (1, 1)
    assert clients.count("out") == (1, 0)
    assert clients.count("both") == (2, 1)
    assert clients.count("gone") == (0, 0)
    assert clients.members("both", 5) == ["demo/Deployment/service-b", "legacy/Deployment/cron"]
    assert clients.members("both", 1) == ["demo/Deployment/service-b"]
    assert {(inside, tuple(sorted(sets))): members for (inside, sets), members in clients.classes().items()} == {
        (True, ()): [A],
        (True, ("both", "in")): ["demo/Deployment/service-b"],
        (False, ("both", "out")): ["legacy/Deployment/cron"],
    }


OPEN = samples.port(mode="PERMISSIVE", plaintext="accepted")
UNCLEAR = samples.port(mode="unknown", plaintext="unknown")
GAP = {"kind": "Sidecar", "namespace": None, "reason": "forbidden"}


@pytest.mark.parametrize(
    ("found", "tone", "words"),
    [
        (audit(), "good", "Every port in the mesh refuses plaintext, by declared evidence alone"),
        (
            audit(ports=compared(declared="strict", observed="strict")),
            "good",
            "Every port in the mesh refuses plaintext, by declared and observed evidence",
        ),
        (
            # A sample of the proxies is no evidence for the ports of the others.
            {
                **audit(ports=[*compared(declared="strict", programmed="strict")]),
                "workloads": [samples.workload(ports=[samples.port(), samples.port(9090)]), *audit()["workloads"][1:]],
            },
            "good",
            "Every port in the mesh refuses plaintext, by declared evidence; programmed for 1 of 2 ports",
        ),
        (audit(OPEN), "bad", "Plaintext is accepted by 1 of 1 port in the mesh"),
        (
            audit(edges=[samples.edge("out", "plaintext", "none")]),
            "bad",
            "1 connection to the mesh would be in plaintext",
        ),
        (audit(UNCLEAR), "doubtful", "1 port or connection could not be judged"),
        (audit(edges=[samples.edge("in", "broken", "none")]), "doubtful", "No plaintext, but 1 connection would fail"),
        (audit(unknown=[GAP]), "doubtful", "No plaintext in what could be read, by declared evidence alone"),
        (audit(workloads=[]), "doubtful", "No port of a workload in the mesh was seen"),
        (
            audit(OPEN, ports=compared(declared="strict", observed="permissive", agreement="contradicted")),
            "bad",
            "The sources contradict each other at 1 port",
        ),
    ],
)
def test_the_headline_is_the_worst_that_can_be_said(found, tone, words):
    assert states.headline(states.facts_of(found)) == (tone, words)


@pytest.mark.parametrize(
    ("port", "mesh", "declared"),
    [
        pytest.param({"mode": "STRICT", "plaintext": "refused"}, "sidecar", "strict", id="STRICT refuses"),
        pytest.param({"mode": "PERMISSIVE", "plaintext": "refused"}, "sidecar", "strict", id="another policy refuses"),
        pytest.param({"mode": "PERMISSIVE", "plaintext": "accepted"}, "ambient", "permissive", id="both are taken"),
        pytest.param({"mode": "DISABLE", "plaintext": "accepted"}, "sidecar", "plaintext", id="plaintext alone"),
        pytest.param({"mode": None, "plaintext": "accepted"}, "sidecar", "plaintext", id="no mode"),
        pytest.param({"mode": "PERMISSIVE", "plaintext": "accepted"}, "none", "plaintext", id="no proxy for a mode"),
        pytest.param(
            {"mode": "PERMISSIVE", "plaintext": "accepted", "captured": False}, "sidecar", "plaintext", id="bypassed"
        ),
        pytest.param(
            {"mode": "PERMISSIVE", "plaintext": "accepted", "captured": None}, "sidecar", "permissive", id="not said"
        ),
        pytest.param({"mode": "unknown", "plaintext": "refused"}, "sidecar", "unknown", id="the mode is not known"),
        pytest.param({"mode": "STRICT", "plaintext": "unknown"}, "sidecar", "unknown", id="the effect is not known"),
        pytest.param({"mode": "STRICT"}, "sidecar", "unknown", id="the effect is not told"),
        pytest.param(
            {"mode": "STRICT", "plaintext": "perhaps"}, "sidecar", "unknown", id="a word that is none of ours"
        ),
    ],
)
def test_what_the_policies_let_a_port_accept(port, mesh, declared):
    assert states.declared_at({"mesh": mesh}, port) == declared


def judged_row(result, kind=None, name="a"):
    return {"result": result, "kind": kind, "name": name}


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        pytest.param([judged_row("ok"), judged_row("FAIL", "rule")], 1, id="a failure before what is well"),
        pytest.param([judged_row("warning"), judged_row("FAIL", "rule")], 1, id="a failure before a warning"),
        pytest.param([judged_row("FAIL", "unknown"), judged_row("FAIL", "plaintext")], 1, id="the worse kind"),
        pytest.param([judged_row("FAIL", "plaintext"), judged_row("FAIL", "unknown")], 0, id="the worse kind is first"),
        pytest.param(
            [judged_row("FAIL", "disagreement"), judged_row("excluded")], 1, id="what is excluded is not judged"
        ),
        pytest.param([judged_row("excluded", "rule"), judged_row("FAIL", "disagreement")], 0, id="excluded first"),
        pytest.param([judged_row("warning", "rule"), judged_row("ok")], 0, id="a kind before none"),
    ],
)
def test_of_several_rows_the_worst_is_kept_or_one_that_is_excluded(rows, kept):
    assert states._judged([*rows, judged_row("FAIL", "rule", "b")], ["name"])[("a",)] is rows[kept]


def test_of_rows_as_bad_as_each_other_the_first_is_kept():
    rows = [judged_row("FAIL", "plaintext"), judged_row("FAIL", "plaintext")]
    assert states._judged(rows, ["name"])[("a",)] is rows[0]


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (samples.edge("out", "broken", "none", observed="broken"), ("refused", None, "refused")),
        (samples.edge("out", "plaintext", "none", programmed="broken"), ("plaintext", "refused", None)),
        (samples.edge("in", "broken", "none", programmed="mtls"), ("broken", "mtls", None)),
        (samples.edge("both", "broken", "none"), ("broken", None, None)),
        (samples.edge("gone", "broken", "none"), ("broken", None, None)),
        (samples.edge("empty", "broken", "none"), ("broken", None, None)),
    ],
)
def test_each_source_says_refused_of_clients_outside_alone(edge, said):
    found = audit(edges=[edge])
    found["client_sets"]["empty"] = []
    assert [row.said for row in states.facts_of(found).edges] == [said]


def test_what_the_comparison_says_of_a_port_goes_before_what_is_derived():
    ports = compared(declared="permissive", programmed="strict", why="as compared", cause="an old proxy", agreement="x")
    (row,) = states.facts_of(audit(ports=ports)).ports
    assert (row.said, row.why, row.cause, row.agreement) == (
        ("permissive", "strict", None),
        "as compared",
        "an old proxy",
        "x",
    )
    (row,) = states.facts_of(audit(ports=compared(declared=None))).ports
    assert (row.said, row.why, row.cause) == (
        ("strict", None, None),
        "PeerAuthentication demo/default makes it STRICT",
        "",
    )


ELSEWHERE = samples.edge("in", "plaintext", "none", "legacy/cron", endpoint="legacy/Deployment/cron")


def test_connections_in_scope_come_first_and_the_worst_of_them():
    edges = [
        samples.edge("in", "mtls", "mtls"),
        {**ELSEWHERE, "agreement": "contradicted", "cause": "x"},
        ELSEWHERE,
        samples.edge("in", "plaintext", "none", port=81),
        samples.edge("out", "unknown", "none"),
    ]
    found = states.facts_of(audit(edges=edges))
    assert [(row.in_scope, row.state) for row in found.edges] == [
        (True, "plaintext"),
        (True, "unknown"),
        (True, "mtls"),
        (False, "contradicted"),
        (False, "plaintext"),
    ]
    assert [row.kind for row in found.edges] == ["plaintext", "unknown", None, None, None]


def test_ports_are_sorted_by_state_then_name_then_number():
    opened, strict = samples.port(1, "PERMISSIVE", plaintext="accepted"), samples.port(2)
    found = audit()
    found["workloads"] = [
        samples.workload("demo/b", ports=[strict, opened]),
        samples.workload("demo/a", ports=[samples.port(3), strict]),
    ]
    rows = states.facts_of({**found, "edges": [], "client_sets": {}}).ports
    assert [(row.workload["name"], row.port) for row in rows] == [("b", 1), ("a", 2), ("a", 3), ("b", 2)]


TWO_PORTS = {**audit(), "workloads": [samples.workload(ports=[samples.port(), samples.port(9090)])], "edges": []}


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        pytest.param({**TWO_PORTS, "sources": []}, ("declared",), id="what was said was asked"),
        pytest.param(
            {**TWO_PORTS, "sources": ["observed"]},
            ("declared", "observed"),
            id="what was asked, and nobody said a word",
        ),
        pytest.param(
            {**TWO_PORTS, "sources": ["traffic"], "ports": compared(programmed="strict")},
            ("declared", "programmed"),
            id="one port of two",
        ),
        pytest.param(
            audit(edges=[samples.edge("in", "mtls", "mtls", observed="mtls"), samples.edge("out", "broken", "none")]),
            ("declared", "observed"),
            id="one connection of two",
        ),
        pytest.param({**TWO_PORTS, "workloads": [], "sources": []}, (), id="nothing"),
    ],
)
def test_which_sources_were_asked(found, asked):
    assert states.facts_of(found).asked == asked


DEMO_EXCLUDED = [{"namespace": "demo", "port": 9090, "reason": "old"}]


@pytest.mark.parametrize(
    ("exclude", "in_scope", "excluded"),
    [
        pytest.param([], [True, True], [False, False], id="none"),
        pytest.param(DEMO_EXCLUDED, [True, False], [False, True], id="one"),
        pytest.param([{"namespace": "demo", "reason": "old"}], [False, False], [True, True], id="all"),
    ],
)
def test_what_is_excluded_is_not_judged(exclude, in_scope, excluded):
    rows = states.facts_of(TWO_PORTS, exclude=exclude).ports
    rows = sorted(rows, key=lambda row: row.port)
    assert ([row.in_scope for row in rows], [row.excluded for row in rows]) == (in_scope, excluded)
    assert [row.state for row in rows] == ["strict" if judged else "outside" for judged in in_scope]


def test_an_excluded_connection_is_not_judged():
    edges = [samples.edge("in", "plaintext", "none"), samples.edge("in", "plaintext", "none", port=81)]
    found = states.facts_of(audit(edges=edges), exclude=[{"namespace": "demo", "port": 81, "reason": "old"}])
    assert [(row.row["port"], row.in_scope, row.excluded, row.kind) for row in found.edges] == [
        (80, True, False, "plaintext"),
        (81, False, True, None),
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], {}), (["tls"], {"tls": 1}), (["mtls", "tls", "mtls", "unknown"], {"unknown": 1, "tls": 1, "mtls": 2})],
)
def test_states_are_counted_worst_first(words, expected):
    found = states.counted(words, states.EDGE_STATES)
    assert found == expected
    assert list(found) == list(expected)


OPEN_EDGE = samples.edge("in", "plaintext", "none")
UNKNOWN_EDGE = samples.edge("in", "unknown", "none")
AGAINST = {"agreement": "contradicted", "cause": "x", "observed": "plaintext"}


@pytest.mark.parametrize(
    ("found", "terms", "tone", "words"),
    [
        pytest.param(
            audit(edges=[ELSEWHERE]),
            {},
            "good",
            "Every port in the mesh refuses plaintext, by declared evidence alone",
            id="connections elsewhere are not the mesh's",
        ),
        pytest.param(
            audit(edges=[samples.edge("in", "mtls", "mtls", **AGAINST)]),
            {},
            "bad",
            "The sources contradict each other at 1 connection",
            id="a connection is contradicted",
        ),
        pytest.param(
            audit(
                ports=compared(declared="strict", observed="permissive", agreement="contradicted"),
                edges=[
                    samples.edge("in", "mtls", "mtls", **AGAINST),
                    samples.edge("both", "mtls", "mtls", **AGAINST),
                ],
            ),
            {},
            "bad",
            "The sources contradict each other at 1 port and 2 connections",
            id="both are contradicted",
        ),
        pytest.param(
            audit(edges=[OPEN_EDGE, {**OPEN_EDGE, "port": 81}]),
            {},
            "bad",
            "2 connections to the mesh would be in plaintext",
            id="two connections",
        ),
        pytest.param(
            audit(UNCLEAR, edges=[UNKNOWN_EDGE, {**UNKNOWN_EDGE, "port": 81}]),
            {},
            "doubtful",
            "3 ports or connections could not be judged",
            id="doubts about ports and connections are added",
        ),
        pytest.param(
            audit(edges=[samples.edge("in", "broken", "none"), samples.edge("in", "broken", "none", port=81)]),
            {},
            "doubtful",
            "No plaintext, but 2 connections would fail",
            id="two would fail",
        ),
        pytest.param(
            {**TWO_PORTS, "edges": [{**OPEN_EDGE, "port": 9090}]},
            {"exclude": DEMO_EXCLUDED},
            "good",
            "Every port in the mesh refuses plaintext, by declared evidence alone; 2 rows are excluded on request",
            id="excluded ports and connections are added",
        ),
        pytest.param(
            TWO_PORTS,
            {"exclude": DEMO_EXCLUDED},
            "good",
            "Every port in the mesh refuses plaintext, by declared evidence alone; 1 row is excluded on request",
            id="one row",
        ),
        pytest.param(
            TWO_PORTS,
            {"exclude": [{"namespace": "demo", "reason": "old"}]},
            "doubtful",
            "Every port in the mesh is excluded on request",
            id="all ports",
        ),
        pytest.param(
            {**TWO_PORTS, "ports": compared(declared="strict", programmed="strict")},
            {"exclude": DEMO_EXCLUDED},
            "good",
            "Every port in the mesh refuses plaintext, by declared and programmed evidence; "
            "1 row is excluded on request",
            id="ports that are not judged need no evidence",
        ),
        pytest.param(
            audit(rules=[{"name": "r", "passed": False, "severity": "error", "count": 1, "message": "no"}]),
            {},
            "bad",
            "rule r: no",
            id="a rule of the user's",
        ),
        pytest.param(
            audit(seen={"observed": {"state": "not asked", "detail": ""}}),
            {"require": "observed"},
            "doubtful",
            "the wire: what the wire answers is required and could not be had: it was not asked",
            id="evidence is missing",
        ),
        pytest.param(
            audit(OPEN, edges=[]),
            {"limits": {"plaintext": 1}},
            "doubtful",
            "Plaintext is accepted by 1 of 1 port in the mesh; accepted within the limits: 1 plaintext",
            id="accepted within the limits",
        ),
        pytest.param(
            audit(OPEN, edges=[OPEN_EDGE]),
            {"limits": {"plaintext": 1}},
            "bad",
            "Plaintext is accepted by 1 of 1 port in the mesh",
            id="more than is accepted",
        ),
    ],
)
def test_the_headline_goes_by_the_terms_of_the_judge(found, terms, tone, words):
    assert states.headline(states.facts_of(found, **terms)) == (tone, words)


@pytest.mark.parametrize(
    ("counts", "exceeded", "expected"),
    [
        ({}, [], {}),
        ({"plaintext": 2, "rule": 1}, [], {"plaintext": 2, "rule": 1}),
        ({"plaintext": 2, "rule": 1}, ["plaintext"], {"rule": 1}),
    ],
)
def test_what_is_accepted_within_the_limits(counts, exceeded, expected):
    counts = {**dict.fromkeys(states.KINDS, 0), **counts, "ports": 7}
    assert states.accepted({"counts": counts, "exceeded": exceeded}) == expected
