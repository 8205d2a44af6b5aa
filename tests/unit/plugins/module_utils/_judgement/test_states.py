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
