# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the wire: which Services have one, what the policies say of them, and what the answer makes of it."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import wire
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import Exclusions
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import REMEDIES

from .samples import target

A, B = "demo/Deployment/service-a", "demo/Deployment/service-b"


def server(identifier=A, plaintext="refused", mesh="sidecar", kind=None):
    return {"id": identifier, "plaintext": plaintext, "mesh": mesh, "kind": kind}


def edge(verdict="mtls", client_tls="mtls", service="demo/service-a", port=80, endpoint=A, result="ok"):
    return {
        "verdict": verdict,
        "client_tls": client_tls,
        "service": service,
        "port": port,
        "endpoint": endpoint,
        "result": result,
    }


def rows_of(targets, servers=(), edges=(), require="declared", exclude=(), pods=None, causes=None, scope=("demo",)):
    probe = {"targets": list(targets)}
    return wire.wire_rows(
        probe, list(servers), list(edges), scope, require, Exclusions(exclude), pods or {}, causes or {}
    )


def excluded(**more):
    return {"namespace": "demo", "reason": "old", **more}


@pytest.mark.parametrize(
    ("targets", "edges", "shown"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([], [edge()], [("demo/service-a", 80, False)], id="a Service that was not probed"),
        pytest.param([], [edge(endpoint=B)], [], id="a Service without a server in scope"),
        pytest.param([], [edge(endpoint=B), edge()], [("demo/service-a", 80, False)], id="one server of two in scope"),
        pytest.param([target()], [], [("demo/service-a", 80, True)], id="what no edge leads to was probed"),
        pytest.param([target()], [edge()], [("demo/service-a", 80, True)], id="probed, one row"),
        pytest.param([target(service="other/x")], [], [], id="probed elsewhere"),
        pytest.param([target(service=None)], [], [], id="a pod that was probed by itself"),
        pytest.param(
            [target(service="demo/z"), target(port=9), target()],
            [edge(service="demo/b")],
            [
                ("demo/b", 80, False),
                ("demo/service-a", 9, True),
                ("demo/service-a", 80, True),
                ("demo/z", 80, True),
            ],
            id="by name, then by number",
        ),
    ],
)
def test_which_services_have_a_row(targets, edges, shown):
    assert [(row["service"], row["port"], row["seen"]) for row in rows_of(targets, [server()], edges)] == shown


@pytest.mark.parametrize("probe", [None, {}, {"msg": "no image"}])
def test_without_a_probe_there_is_no_row(probe):
    assert wire.wire_rows(probe, [server()], [edge()], ["demo"], "observed", Exclusions([]), {}, {}) == []


@pytest.mark.parametrize(
    ("edges", "entries", "result"),
    [
        pytest.param([edge(result="excluded"), edge(result="excluded")], [], "excluded", id="all its edges"),
        pytest.param([edge(result="excluded"), edge()], [], "ok", id="one of its edges"),
        pytest.param([edge()], [excluded(workload="service-a")], "excluded", id="its name"),
        pytest.param([edge()], [excluded(port=80)], "excluded", id="its port"),
        pytest.param([edge()], [excluded(port=8080)], "ok", id="another port"),
        pytest.param([], [excluded(workload="service-a", port=80)], "excluded", id="without any edge"),
        pytest.param([], [], "ok", id="no edge, no entry"),
    ],
)
def test_which_services_are_excluded(edges, entries, result):
    (row,) = rows_of([target()], [server()], edges, exclude=entries)
    assert row["result"] == result


@pytest.mark.parametrize(
    ("edges", "servers", "declared"),
    [
        pytest.param([edge("refused", "none")], [], "refused", id="refused"),
        pytest.param([edge("broken", "none")], [], "refused", id="broken outside the mesh is refused"),
        pytest.param([edge("plaintext", "none")], [], "accepted", id="accepted"),
        pytest.param([edge("plaintext", "none"), edge("refused", "none")], [], "accepted", id="accepted by one"),
        pytest.param([edge("refused", "none"), edge("unknown", "none")], [], "unknown", id="one is not known"),
        pytest.param(
            [edge("plaintext", "none"), edge("unknown", "none")], [], "accepted", id="accepted beside unknown"
        ),
        pytest.param([edge("mtls", "none")], [], "unknown", id="a verdict that is none"),
        pytest.param(
            [edge("plaintext", "plaintext"), edge("refused", "none")], [], "refused", id="clients inside do not count"
        ),
        pytest.param([edge("refused", "none")], [server(plaintext="accepted")], "refused", id="edges go before ports"),
        pytest.param([edge("plaintext", "simple")], [server()], "refused", id="ports, without an edge from outside"),
        pytest.param([], [server(), server(plaintext="accepted")], "accepted", id="a port that accepts"),
        pytest.param([], [server(), server(plaintext="unknown")], "unknown", id="a port that is not known"),
        pytest.param([], [], "unknown", id="nothing is said"),
    ],
)
def test_what_the_policies_say_of_plaintext_from_outside(edges, servers, declared):
    assert wire._declared(edges, servers) == declared


STRICT_EDGE, OPEN_EDGE = edge("refused", "none"), edge("plaintext", "none")
MTLS, TLS = edge(), edge("tls", "simple")
ACCEPTED = {"request": "refused", "mtls": {"result": "accepted"}}


@pytest.mark.parametrize(
    ("answer", "edges", "servers", "require", "kind", "remedy"),
    [
        pytest.param(
            target("answered"), [STRICT_EDGE], [server()], "declared", "disagreement", "disagreement", id="answered"
        ),
        pytest.param(
            target("answered"), [OPEN_EDGE], [server()], "declared", "plaintext", "plaintext", id="as it is declared"
        ),
        pytest.param(
            target("answered"),
            [OPEN_EDGE],
            [server(), server(mesh="none")],
            "declared",
            "plaintext",
            "no proxy",
            id="one of the servers has no proxy",
        ),
        pytest.param(
            target("answered"),
            [OPEN_EDGE],
            [server(mesh="none"), server(kind="uncaptured")],
            "declared",
            "plaintext",
            "uncaptured",
            id="one of the servers is bypassed",
        ),
        pytest.param(
            target("answered"), [], [server(plaintext="?")], "declared", "plaintext", "undeclared", id="no policy tells"
        ),
        pytest.param(
            target("answered"),
            [],
            [server(plaintext="?"), server(kind="uncaptured")],
            "declared",
            "plaintext",
            "uncaptured",
            id="no policy tells of what is bypassed",
        ),
        pytest.param(
            target(inside="refused"), [MTLS], [server()], "declared", "disagreement", "broken", id="refused inside"
        ),
        pytest.param(
            target(inside="refused"),
            [TLS, MTLS, STRICT_EDGE],
            [server()],
            "declared",
            "disagreement",
            "broken",
            id="refused inside, one edge is mTLS",
        ),
        pytest.param(target(inside="refused"), [TLS], [server()], "declared", None, "", id="nobody promised mTLS"),
        pytest.param(target(inside=ACCEPTED), [MTLS], [server()], "declared", None, "", id="after the handshake"),
        pytest.param(
            target(inside="refused", endpoints=[]), [MTLS], [server()], "declared", None, "", id="without an endpoint"
        ),
        pytest.param(
            target(inside="refused", endpoints=[{"pod": "p", "port": 1}]),
            [MTLS],
            [server()],
            "declared",
            "disagreement",
            "broken",
            id="with an endpoint",
        ),
        pytest.param(target(inside="timeout"), [MTLS], [server()], "declared", None, "", id="no answer inside"),
        pytest.param(target(), [MTLS], [server()], "observed", None, "", id="strict is what is required"),
        pytest.param(target(verdict="permissive"), [MTLS], [server()], "observed", "unknown", "wire", id="not strict"),
        pytest.param(target(verdict="permissive"), [MTLS], [server()], "programmed", None, "", id="not required"),
        pytest.param(None, [MTLS], [server()], "observed", "unknown", "wire", id="not asked, required"),
        pytest.param(None, [MTLS], [server()], "declared", None, "", id="not asked, not required"),
        pytest.param({"reason": ""}, [MTLS], [server()], "observed", "unknown", "wire", id="an answer of no words"),
    ],
)
def test_what_an_answer_makes_of_a_service(answer, edges, servers, require, kind, remedy):
    row = wire._wire_row("demo/service-a", 80, answer, edges, servers, require, excluded=False)
    assert (row["kind"], row["remedy"]) == (kind, REMEDIES.get(remedy, ""))
    assert row["result"] == ("FAIL" if kind else "ok")


def test_how_a_row_reads():
    row = wire._wire_row("demo/service-a", 80, target(), [STRICT_EDGE], [server()], "declared", excluded=True)
    assert row == {
        "result": "excluded",
        "kind": None,
        "reason": "plaintext was reset, and a mesh certificate was asked for",
        "remedy": "",
        "object": "demo/service-a:80 on the wire",
        "service": "demo/service-a",
        "port": 80,
        "seen": True,
        "declared": "refused",
        "outside": "refused",
        "inside": "answered",
        "verdict": "strict",
        "identity": "spiffe://cluster.local/ns/demo/sa/service-a",
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (target("answered"), "the policies refuse plaintext, but the wire answered it: plaintext was reset, and"),
        (target(inside="refused"), "the policies promise mTLS, but a request from inside the mesh was refused: plain"),
        (target(), "plaintext was reset, and a mesh certificate was asked for"),
        (None, "the wire was not asked"),
    ],
)
def test_the_reason_of_a_row(answer, reason):
    row = wire._wire_row("demo/service-a", 80, answer, [STRICT_EDGE, MTLS], [server()], "declared", excluded=False)
    assert row["reason"].startswith(reason)


def test_a_service_that_was_not_asked_says_so():
    (row,) = rows_of([], [server()], [edge()])
    assert {key: row[key] for key in ("seen", "outside", "inside", "verdict", "identity", "places")} == {
        "seen": False,
        "outside": "not_asked",
        "inside": "not_asked",
        "verdict": "unknown",
        "identity": None,
        "places": [],
    }


ENDPOINTS = [{"pod": "b-1", "port": 2}, {"pod": "a-1", "port": 1}, {"pod": "gone-1", "port": 1}]
PODS = {"demo/a-1": A, "demo/b-1": B, "other/gone-1": "x"}


@pytest.mark.parametrize(
    ("answer", "causes", "remedy"),
    [
        pytest.param("answered", {}, REMEDIES["disagreement"], id="no cause is known"),
        pytest.param("answered", {(B, 2): "an old proxy"}, "look at the likely cause: an old proxy", id="a cause"),
        pytest.param("answered", {(A, 1): "x", (B, 2): "y"}, "look at the likely cause: x", id="the first cause"),
        pytest.param("answered", {(A, 2): "x", ("x", 1): "y"}, REMEDIES["disagreement"], id="a cause elsewhere"),
        pytest.param("refused", {(A, 1): "x"}, "", id="nothing contradicts on the wire"),
    ],
)
def test_the_likely_cause_is_the_remedy_of_a_contradiction_alone(answer, causes, remedy):
    (row,) = rows_of([target(answer, endpoints=ENDPOINTS)], [server()], [STRICT_EDGE], pods=PODS, causes=causes)
    assert row["places"] == [(A, 1), (B, 2)]
    assert row["remedy"] == remedy
