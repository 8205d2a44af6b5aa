"""The judge as a table: what the modules said, and what the judge makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import (
    _remedy,
    _server_violation,
    failure_message,
    judge,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import KINDS, REMEDIES

from .samples import STRICT, edge, port, status, target, workload


def violations(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(violation["kind"], violation["object"]) for violation in result["violations"]]


SERVER = "demo/service-a port 8080"
SERVERS = {
    "STRICT refuses": (workload(ports=[port()]), []),
    "PERMISSIVE accepts": (workload(ports=[port(mode="PERMISSIVE", plaintext="accepted")]), [("plaintext", SERVER)]),
    "DISABLE accepts": (workload(ports=[port(mode="DISABLE", plaintext="accepted")]), [("plaintext", SERVER)]),
    "an excluded inbound port": (
        workload(ports=[port(captured=False, plaintext="accepted")]),
        [("uncaptured", SERVER)],
    ),
    "nothing is known": (
        workload(ports=[port(mode="unknown", captured=False, plaintext="unknown")]),
        [("unknown", SERVER)],
    ),
    "uncaptured counts even where the mode is unknown": (
        workload(ports=[port(mode="unknown", captured=False, plaintext="accepted")]),
        [("uncaptured", SERVER)],
    ),
    "uncaptured counts even where plaintext is unknown": (
        workload(ports=[port(captured=False, plaintext="unknown")]),
        [("uncaptured", SERVER)],
    ),
    "no proxy at all": (
        workload(mesh="none", ports=[port(mode=None, captured=False, plaintext="accepted")]),
        [("plaintext", SERVER)],
    ),
    "an AuthorizationPolicy that refuses plaintext at PERMISSIVE": (workload(ports=[port(mode="PERMISSIVE")]), []),
    "not known": (workload(ports=[port(mode="unknown", plaintext="unknown")]), [("unknown", SERVER)]),
    "one port of two": (
        workload(ports=[port(), port(9090, "PERMISSIVE", plaintext="accepted")]),
        [("plaintext", "demo/service-a port 9090")],
    ),
    "ambient": (workload(mesh="ambient", ports=[port()]), []),
}


@pytest.mark.parametrize(("server", "expected"), SERVERS.values(), ids=SERVERS.keys())
def test_servers(server: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    result = judge(status(server))
    assert violations(result) == expected
    assert result["verdict"] == ("fail" if expected else "pass")


def test_a_client_that_lacks_the_proxy_its_labels_ask_for_is_broken_and_not_refused():
    """Its calls are reset, and nobody meant them to be."""
    late = workload("demo/late", "none", lacks_proxy=True)
    mesh = status(workload(ports=[port()]), [edge("late", "broken", "none")], [late])
    mesh["client_sets"]["late"] = [late["id"]]
    result = judge(mesh)
    assert violations(result) == [("broken", "demo/late → demo/service-a:80")]
    assert "restart the client" in result["violations"][0]["remedy"]
    late["lacks_proxy"] = False
    assert violations(judge(mesh)) == []


def test_who_lacks_a_proxy_is_named_apart_from_who_is_outside():
    late = workload("demo/late", "none", lacks_proxy=True)
    mesh = status(workload(ports=[port()]), [edge("some", "broken", "none")], [late])
    mesh["client_sets"]["some"] = [late["id"], mesh["client_sets"]["out"][0]]
    assert violations(judge(mesh)) == [("broken", "demo/late → demo/service-a:80")]


FROM_B, FROM_CRON = "demo/service-b → demo/service-a:80", "legacy/cron → demo/service-a:80"
EMPTY = {"state": "no_endpoint"}
EDGES = {
    "mTLS": (edge("in", "mtls", "mtls"), "mtls", []),
    "TLS of their own, as configured": (edge("in", "tls", "simple"), "tls", []),
    "a client outside that STRICT refuses": (edge("out", "broken", "none"), "refused", []),
    "a client inside that breaks": (edge("in", "broken", "plaintext"), "broken", [("broken", FROM_B)]),
    "broken for clients inside and outside names those inside": (
        edge("both", "broken", "none"),
        "broken",
        [("broken", FROM_B)],
    ),
    "plaintext from outside": (edge("out", "plaintext", "none"), "plaintext", [("plaintext", FROM_CRON)]),
    "plaintext from inside": (edge("in", "plaintext", "plaintext"), "plaintext", [("plaintext", FROM_B)]),
    "unknown": (edge("in", "unknown", "mtls"), "unknown", [("unknown", FROM_B)]),
    "a verdict that nobody heard of": (edge("in", "perhaps", "mtls"), "perhaps", [("unknown", FROM_B)]),
    "nobody there": ({**edge("in", "broken", "mtls", endpoint=None), **EMPTY}, "no endpoint", []),
    "nobody there, for clients outside either": (
        {**edge("out", "broken", "none", endpoint=None), **EMPTY},
        "no endpoint",
        [],
    ),
    "nobody there, and nothing else is known": (
        {**edge("in", "unknown", "unknown", endpoint=None), **EMPTY},
        "unknown",
        [("unknown", FROM_B)],
    ),
    "no client known for it": (
        edge("none", "broken", "none"),
        "broken",
        [("broken", "nobody → demo/service-a:80")],
    ),
    "a subset": (
        edge("in", "plaintext", "plaintext", subset="v1"),
        "plaintext",
        [("plaintext", f"{FROM_B} subset v1")],
    ),
    "an address that is no pod, behind a Service in scope": (
        edge("in", "plaintext", "plaintext", endpoint="addr/198.18.9.9"),
        "plaintext",
        [("plaintext", FROM_B)],
    ),
}


@pytest.mark.parametrize(("row", "verdict", "expected"), EDGES.values(), ids=EDGES.keys())
def test_edges(row: dict[str, Any], verdict: str, expected: list[tuple[str, str]]) -> None:
    mesh = status(workload(ports=[port()]), [row])
    mesh["client_sets"]["none"] = []
    result = judge(mesh)
    assert violations(result) == expected
    assert [shown["verdict"] for shown in result["edges"]] == [verdict]


@pytest.mark.parametrize(
    ("arguments", "scope", "found"),
    [
        ({}, ["demo"], []),
        ({"namespaces": ["demo"]}, ["demo"], []),
        ({"namespaces": ["legacy"]}, ["legacy"], [("plaintext", "legacy/cron port 8080")]),
        ({"enrolled": ["legacy"]}, ["demo", "legacy"], [("plaintext", "legacy/cron port 8080")]),
        ({"enrolled": ["empty"]}, ["demo", "empty"], []),
        ({"namespaces": ["demo", "typo"]}, ["demo", "typo"], [("unknown", "namespace typo")]),
    ],
    ids=str,
)
def test_scope(arguments: dict[str, Any], scope: list[str], found: list[tuple[str, str]]) -> None:
    mesh = status(workload(ports=[port()]))
    mesh["workloads"][2]["ports"] = [port(mode=None, captured=False, plaintext="accepted")]
    result = judge(mesh, **arguments)
    assert result["scope"] == scope
    assert violations(result) == found


def test_a_mesh_that_nobody_is_in_proves_nothing() -> None:
    mesh = {**STRICT, "workloads": [], "edges": []}
    assert violations(judge(mesh)) == [("unknown", "the mesh")]
    assert violations(judge(mesh, enrolled=["demo"])) == [("unknown", "the mesh")]


PERMISSIVE = status(
    workload(ports=[port(mode="PERMISSIVE", plaintext="accepted")]),
    [edge("in", "mtls", "mtls"), edge("out", "plaintext", "none")],
)
OUTSIDE_SCOPE = [
    ({"namespace": "demo", "reason": "being moved"}, 3),
    ({"namespace": "demo", "workload": "service-a", "reason": "being moved"}, 3),
    ({"namespace": "demo", "workload": "service-a", "port": 8080, "reason": "being moved"}, 1),
    ({"namespace": "demo", "workload": "service-a", "port": 9999, "reason": "a typo"}, 0),
    ({"namespace": "other", "reason": "a typo"}, 0),
]


@pytest.mark.parametrize(("exclusion", "rows"), OUTSIDE_SCOPE, ids=str)
def test_exclusions_cover_rows_and_are_counted(exclusion: dict[str, Any], rows: int) -> None:
    result = judge(PERMISSIVE, exclude=[exclusion])
    assert [entry["rows"] for entry in result["exclusions"]] == [rows]
    assert result["counts"]["excluded"] == rows
    assert (result["verdict"] == "pass") == (rows == 3)


def test_an_exclusion_of_a_port_covers_its_edges_where_their_target_is_known() -> None:
    mesh = {**PERMISSIVE, "edges": [{**row, "target_port": 8080} for row in PERMISSIVE["edges"]]}
    only = {"namespace": "demo", "workload": "service-a", "port": 8080, "reason": "being moved"}
    assert judge(mesh, exclude=[only])["verdict"] == "pass"


def test_limits_accept_so_many_and_no_more() -> None:
    assert judge(PERMISSIVE, limits={"plaintext": 2})["verdict"] == "pass"
    result = judge(PERMISSIVE, limits={"plaintext": 1})
    assert (result["verdict"], result["exceeded"]) == ("fail", ["plaintext"])


OPEN = workload(ports=[port(mode="PERMISSIVE", plaintext="accepted")])
WIRE = {
    "refused outside, answered inside": (STRICT, target(), "declared", []),
    "declared refused, but the wire answered": (
        STRICT,
        target("answered", verdict="permissive"),
        "declared",
        [("disagreement", "refused")],
    ),
    "declared mTLS, but refused inside": (STRICT, target(inside="refused"), "declared", [("disagreement", "refused")]),
    "refused inside, for want of an endpoint": (
        STRICT,
        target(plaintext="error", inside="refused", verdict="unknown", endpoints=[]),
        "declared",
        [],
    ),
    "refused inside after the handshake, by a policy or the application": (
        STRICT,
        target(inside={"request": "refused", "mtls": {"result": "accepted"}}),
        "declared",
        [],
    ),
    "no answer to judge by, not required": (STRICT, target("timeout", verdict="unknown"), "declared", []),
    "no answer to judge by, required": (
        STRICT,
        target("timeout", verdict="unknown"),
        "observed",
        [("unknown", "refused")],
    ),
    "declared accepted, and it is": (
        PERMISSIVE,
        target("answered", verdict="permissive"),
        "declared",
        [("plaintext", "accepted")],
    ),
    "no edges from outside: the ports say what is declared": (
        status(OPEN, [edge("in", "mtls", "mtls")]),
        target("answered", verdict="permissive"),
        "declared",
        [("plaintext", "accepted")],
    ),
}


@pytest.mark.parametrize(("mesh", "answer", "require", "expected"), WIRE.values(), ids=WIRE.keys())
def test_the_wire(mesh: dict[str, Any], answer: dict[str, Any], require: str, expected: list[tuple[str, str]]) -> None:
    result = judge(mesh, {"targets": [answer]}, sources=["declared", "observed"], require=require)
    assert [(row["kind"], row["declared"]) for row in result["wire"] if row["kind"]] == expected


def test_a_service_that_was_not_probed_is_unknown_where_the_wire_is_required() -> None:
    result = judge(STRICT, {"targets": []}, sources=["declared", "observed"], require="observed")
    assert violations(result) == [("unknown", "demo/service-a:80 on the wire")]
    assert judge(STRICT, {"targets": []}, sources=["declared", "observed"])["verdict"] == "pass"


def test_a_probe_that_failed_is_missing_evidence() -> None:
    failed = {"failed": True, "msg": "The image python:3.13-alpine cannot be pulled."}
    assert judge(STRICT, failed, sources=["declared", "observed"])["verdict"] == "pass"
    result = judge(STRICT, failed, sources=["declared", "observed"], require="observed")
    assert violations(result) == [("unknown", "the wire")]
    assert "python:3.13-alpine cannot be pulled" in result["message"]
    assert result["evidence"]["sources"] == {"declared": True, "observed": False}


def test_the_report_has_the_answers_without_what_differs_by_chance() -> None:
    other = {**target(), "outside": {"plaintext": "refused", "plaintext_detail": "reset", "tls": {"detail": "EOF"}}}
    first, second = (judge(STRICT, {"targets": [answer]})["answers"] for answer in (target(), other))
    assert first == second
    assert first[0]["outside"] == {"plaintext": "refused", "tls": {}}


def test_what_was_probed_outside_the_scope_is_not_judged() -> None:
    other = target("answered", service="legacy/cron", verdict="plaintext")
    assert judge(STRICT, {"targets": [target(), other]}, sources=["declared", "observed"])["verdict"] == "pass"


def test_an_excluded_service_is_not_judged_on_the_wire() -> None:
    exclusion = {"namespace": "demo", "workload": "service-a", "reason": "being moved"}
    result = judge(PERMISSIVE, {"targets": [target("answered")]}, sources=["declared", "observed"], exclude=[exclusion])
    assert result["verdict"] == "pass"


def test_worst_first_in_rows_and_violations() -> None:
    ports = [port(1), port(2, plaintext="unknown"), port(3, captured=False), port(4, "DISABLE", plaintext="accepted")]
    result = judge(status(workload(ports=ports)))
    assert [row["port"] for row in result["servers"]] == [3, 4, 2, 1]
    assert [kind for kind, dummy in violations(result)] == ["uncaptured", "plaintext", "unknown"]
    assert [name for dummy, name in violations(judge(PERMISSIVE))] == [SERVER, FROM_CRON]


def test_the_message_is_short_and_names_offender_reason_and_remedy() -> None:
    assert judge(STRICT)["message"] == ""
    ports = [port(number, "PERMISSIVE", plaintext="accepted") for number in range(1, 10)]
    lines = judge(status(workload(ports=ports)))["message"].splitlines()
    assert len(lines) == 7
    assert lines[0] == "Mutual TLS is not as required: 9 plaintext (accepted 0)."
    assert lines[1].startswith("demo/service-a port 1: plaintext, PeerAuthentication demo/default makes the port")
    assert "Remedy: set STRICT" in lines[1]
    assert lines[-1].startswith("And 4 more")


PLAIN = edge("in", "plaintext", "plaintext")
BYPASSED = workload(ports=[port(captured=False, plaintext="accepted")])
NAKED = workload(mesh="none", ports=[port(mode=None, captured=False, plaintext="accepted")])
OPENED = workload(ports=[port(mode="PERMISSIVE", plaintext="accepted")])


@pytest.mark.parametrize(
    ("server", "row", "remedy"),
    [
        (OPENED, edge("out", "plaintext", "none"), "set STRICT"),
        (OPENED, edge("in", "plaintext", "plaintext"), "let the client's DestinationRule"),
        (
            OPENED,
            {**PLAIN, "part": "server"},
            "let the server take mutual TLS",
        ),
        (OPENED, edge("both", "plaintext", "none"), "let the client's proxy take the connection"),
        (
            workload(ports=[port(mode="DISABLE", plaintext="accepted")]),
            {**PLAIN, "reason": "DestinationRule demo/r turns TLS off; PeerAuthentication demo/a is DISABLE"},
            "let the server take mutual TLS",
        ),
        (
            OPENED,
            {**PLAIN, "part": "ztunnel"},
            "bring client and server into the same kind of mesh",
        ),
        (
            OPENED,
            {**PLAIN, "endpoint": "addr/192.0.2.1", "reason": "DestinationRule demo/r turns TLS off"},
            "give the endpoint a proxy",
        ),
        (
            OPENED,
            {**PLAIN, "part": "external"},
            "if the host speaks TLS",
        ),
        (OPENED, {**PLAIN, "part": "rule"}, "remove the tls by which the DestinationRule"),
        (
            OPENED,
            {**PLAIN, "part": "endpoint"},
            "enrol the endpoint that the reason names",
        ),
        (
            OPENED,
            {**PLAIN, "reason": "auto-mTLS sends plaintext because PeerAuthentication demo/a is DISABLE"},
            "let the client's DestinationRule",
        ),
        (BYPASSED, edge("out", "plaintext", "none"), "remove what takes the port out"),
        (BYPASSED, edge("in", "broken", "mtls"), "remove what takes the port out"),
        (NAKED, edge("out", "plaintext", "none"), "enrol it"),
        (workload(ports=[port()]), edge("in", "broken", "plaintext"), "change the object that the reason names"),
    ],
)
def test_the_remedy_of_an_edge_follows_from_its_server(server: Any, row: Any, remedy: str) -> None:
    assert judge(status(server, [row]))["edges"][0]["remedy"].startswith(remedy)


def test_the_reason_and_the_remedy_of_a_port_name_the_policy_that_excepts_it() -> None:
    server = workload(ports=[{**port(mode="PERMISSIVE", plaintext="accepted"), "policy": "demo/metrics"}])
    (row,) = judge(status(server, []))["servers"]
    assert row["policy"] == "demo/metrics"
    assert row["reason"] == "PeerAuthentication demo/metrics makes the port PERMISSIVE, so it accepts plaintext"
    assert row["remedy"].startswith(
        "set STRICT for the port: remove it from portLevelMtls of PeerAuthentication demo/met"
    )


FILTERED = workload(ports=[port(mode="unknown", plaintext="unknown")])


@pytest.mark.parametrize(
    ("server", "verdict", "remedy"),
    [
        (OPENED, "plaintext", "set STRICT"),
        (BYPASSED, "plaintext", "remove what takes the port out"),
        (NAKED, "plaintext", "enrol it"),
        (FILTERED, "unknown", "look at the object that makes it unknown"),
    ],
)
def test_the_remedy_of_the_wire_follows_from_the_server(server: Any, verdict: str, remedy: str) -> None:
    mesh = status(server, [edge("out", verdict, "none")])
    result = judge(mesh, {"targets": [target("answered", verdict="plaintext")]}, namespaces=["demo"])
    assert result["wire"][0]["remedy"].startswith(remedy)


def test_counts_name_every_kind() -> None:
    counts = judge(STRICT)["counts"]
    assert {kind: counts[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0)
    assert (counts["ports"], counts["edges"], counts["mtls"], counts["refused"]) == (1, 2, 1, 1)


UNREAD = [
    ("Pod", "demo", [], "fail"),
    ("Service", "demo", [], "fail"),
    ("Pod", "kube-system", [], "pass"),
    ("Pod", None, [], "fail"),
    ("Pod", None, ["demo"], "pass"),
    ("Pod", None, ["other"], "fail"),
    ("AuthorizationPolicy", "demo", [], "pass"),
]


@pytest.mark.parametrize(("kind", "namespace", "read", "verdict"), UNREAD)
def test_servers_that_could_not_be_read_are_not_taken_for_none(
    kind: str, namespace: str | None, read: list[str], verdict: str
) -> None:
    entry = {"kind": kind, "namespace": namespace, "name": "", "reason": "Forbidden", "touches": ""}
    result = judge({**STRICT, "unknown": [entry]}, read=read)
    assert result["verdict"] == verdict
    assert ("Forbidden" in result["message"]) == (verdict == "fail")


def test_a_server_in_doubt_is_a_row_of_its_own_and_not_counted_twice() -> None:
    entry = {"kind": "Deployment", "namespace": "demo", "name": "service-a", "reason": "contradictory", "touches": ""}
    result = judge({**status(workload(ports=[port(plaintext="unknown")])), "unknown": [entry]})
    assert violations(result) == [("unknown", SERVER)]


def rule(passed: bool = False, severity: str = "error") -> dict[str, Any]:
    text = "" if passed else "2 found: a; b"
    return {
        "name": "mine",
        "severity": severity,
        "passed": passed,
        "count": 0 if passed else 2,
        "message": text,
        "examples": [],
    }


@pytest.mark.parametrize(
    ("item", "verdict", "result"),
    [
        (rule(), "fail", "FAIL"),
        (rule(severity="warning"), "pass", "warning"),
        (rule(passed=True), "pass", "ok"),
        (rule(passed=True, severity="warning"), "pass", "ok"),
    ],
)
def test_a_failed_rule_fails_unless_it_is_a_warning(item: dict[str, Any], verdict: str, result: str) -> None:
    judgement = judge({**STRICT, "rules": [item]})
    assert judgement["verdict"] == verdict
    assert [row["result"] for row in judgement["rules"]] == [result]
    assert violations(judgement) == ([("rule", "rule mine")] if verdict == "fail" else [])


def test_the_message_says_which_rule_failed() -> None:
    assert judge({**STRICT, "rules": [rule()]})["message"] == (
        "Mutual TLS is not as required: 1 rule (accepted 0).\n"
        "rule mine: rule, 2 found: a; b. Remedy: change what the rule names, or the rule (istio_verify_rules)."
    )


@pytest.mark.parametrize(
    ("kind", "violations"),
    [("Pod", ["Pod demo/service-a"]), ("Deployment", [])],
    ids=["a pod of that name", "the workload itself"],
)
def test_what_could_not_be_read_is_not_hidden_by_a_workload_of_its_name(kind, violations):
    gap = {"kind": kind, "namespace": "demo", "name": "service-a", "reason": "odd", "touches": ""}
    found = judge({**STRICT, "unknown": [gap]})
    assert [item["object"] for item in found["violations"] if "odd" in item["reason"]] == violations


@pytest.mark.parametrize(
    ("mesh", "policy", "found", "expected"),
    [
        pytest.param("sidecar", "demo/p", port(), (None, "PeerAuthentication demo/p", ""), id="a policy refuses"),
        pytest.param(
            "ambient", None, port(), (None, "the default, without any policy", ""), id="another policy refuses"
        ),
        pytest.param(
            "sidecar",
            None,
            port(mode="PERMISSIVE", plaintext="accepted"),
            (
                "plaintext",
                "the default, without any policy, makes the port PERMISSIVE, so it accepts plaintext",
                "plaintext",
            ),
            id="the default accepts",
        ),
        pytest.param(
            "none",
            None,
            port(mode=None, plaintext="accepted"),
            ("plaintext", "the workload is not in the mesh, so no proxy refuses plaintext", "no proxy"),
            id="no proxy",
        ),
        pytest.param(
            "none",
            None,
            port(mode=None, plaintext="unknown"),
            ("plaintext", "the workload is not in the mesh, so no proxy refuses plaintext", "no proxy"),
            id="no proxy, and nothing is known",
        ),
        pytest.param("none", None, port(), (None, "the default, without any policy", ""), id="something else refuses"),
        pytest.param(
            "gateway",
            "demo/p",
            port(captured=False),
            ("uncaptured", "traffic to the port bypasses the proxy, so STRICT is not enforced", "uncaptured"),
            id="bypassed",
        ),
        pytest.param(
            "sidecar",
            None,
            port(mode=None, captured=False),
            ("uncaptured", "traffic to the port bypasses the proxy, so no mode is not enforced", "uncaptured"),
            id="bypassed without a mode",
        ),
        pytest.param(
            "sidecar",
            None,
            port(mode="unknown", captured=False, plaintext="unknown"),
            ("unknown", "whether the port accepts plaintext could not be told", "unknown"),
            id="nothing is known",
        ),
        pytest.param(
            "sidecar",
            "demo/p",
            port(plaintext="perhaps"),
            ("unknown", "whether the port accepts plaintext could not be told", "unknown"),
            id="a word that is none of ours",
        ),
    ],
)
def test_why_a_port_is_a_violation(mesh: str, policy: str | None, found: dict[str, Any], expected: Any) -> None:
    assert _server_violation({"mesh": mesh, "policy": policy}, found) == expected


def test_what_is_well_has_no_remedy() -> None:
    result = judge(STRICT)
    assert {row["remedy"] for row in (*result["servers"], *result["edges"])} == {""}


def test_counts_are_those_of_the_rows() -> None:
    edges = [
        edge("in", "mtls", "mtls"),
        edge("in", "mtls", "mtls", port=81),
        edge("in", "tls", "simple"),
        edge("out", "broken", "none"),
        edge("both", "plaintext", "none"),
    ]
    targets = [target(), target(port=81)]
    counts = judge(status(workload(ports=[port(), port(1)]), edges), {"targets": targets})["counts"]
    names = ("ports", "edges", "mtls", "tls", "refused", "probed", "excluded", "plaintext")
    assert [counts[name] for name in names] == [2, 5, 2, 1, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("ports", "remedy"),
    [
        ([], "otherwise"),
        ([port()], "otherwise"),
        ([port(), port(captured=False)], "uncaptured"),
        ([port(captured=False), port()], "uncaptured"),
    ],
)
def test_one_port_that_is_bypassed_is_the_remedy(ports: list[dict[str, Any]], remedy: str) -> None:
    assert _remedy(workload(ports=ports), "otherwise") == remedy
    assert _remedy(workload(mesh="none", ports=ports), "otherwise") == "no proxy"
    assert _remedy(workload(mesh="ambient", ports=ports), "otherwise") == remedy
    assert _remedy(workload(mesh="gateway", ports=ports), "otherwise") == "gateway"
    assert _remedy(workload(mesh="gateway", ports=ports), "broken") == "broken"
    assert _remedy(None, "otherwise") == "otherwise"


HIGH = {"id": "MTLS-003", "severity": "high", "object": "PeerAuthentication demo/p", "message": "m", "fix": "f"}
SEVERE = [
    pytest.param(HIGH, {}, "warning", id="without a limit it is told"),
    pytest.param(HIGH, {"limits": {"finding": None}}, "warning", id="a limit that is none"),
    pytest.param(HIGH, {"limits": {"finding": 0}}, "FAIL", id="with a limit it counts"),
    pytest.param({**HIGH, "severity": "medium"}, {"limits": {"finding": 0}}, None, id="of less severity"),
    pytest.param({**HIGH, "id": "MTLS-101"}, {"limits": {"finding": 0}}, None, id="what sources say has its own rows"),
    pytest.param({**HIGH, "object": "Service shop/x"}, {"limits": {"finding": 0}}, None, id="out of scope"),
    pytest.param({**HIGH, "object": "Namespace shop"}, {"limits": {"finding": 0}}, None, id="another namespace"),
    pytest.param({**HIGH, "object": "Namespace demo"}, {"limits": {"finding": 0}}, "FAIL", id="a namespace"),
    pytest.param({**HIGH, "object": "mesh"}, {"limits": {"finding": 0}}, "FAIL", id="the whole mesh"),
    pytest.param(
        {**HIGH, "object": "EnvoyFilter istio-system/x"}, {"limits": {"finding": 0}}, "FAIL", id="the root namespace"
    ),
    pytest.param(
        HIGH,
        {"limits": {"finding": 0}, "exclude": [{"namespace": "demo", "workload": "p", "reason": "known"}]},
        "excluded",
        id="excluded",
    ),
    pytest.param(
        HIGH,
        {"limits": {"finding": 0}, "exclude": [{"namespace": "demo", "port": 1, "reason": "known"}]},
        "FAIL",
        id="of which one port is excluded",
    ),
]


@pytest.mark.parametrize(("finding", "terms", "result"), SEVERE)
def test_findings_of_high_severity_are_told_and_gated_on_request(finding, terms, result):
    judgement = judge({**STRICT, "findings": [finding]}, **terms)
    assert [row["result"] for row in judgement["severe"]] == ([result] if result else [])
    assert judgement["verdict"] == ("fail" if result == "FAIL" else "pass")
    assert judgement["counts"]["finding"] == (result == "FAIL")


def test_as_many_findings_as_are_accepted_pass():
    judgement = judge({**STRICT, "findings": [HIGH]}, limits={"finding": 1})
    assert (judgement["verdict"], judgement["limits"]["finding"]) == ("pass", 1)
    assert judgement["violations"] == [
        {"kind": "finding", "object": "PeerAuthentication demo/p", "reason": "m", "remedy": "f"}
    ]


def test_edges_that_differ_by_their_endpoint_alone_name_it():
    other = "demo/Deployment/service-c"
    edges = [edge("in", "mtls", "mtls"), edge("in", "plaintext", "plaintext", endpoint=other)]
    edges.append(edge("in", "mtls", "mtls", service="demo/other"))
    rows = judge(status(workload(ports=[port()]), edges))["edges"]
    assert [(row["object"], row.get("at")) for row in rows] == [
        (f"demo/service-b → demo/service-a:80 at {other}", other),
        ("demo/service-b → demo/other:80", None),
        ("demo/service-b → demo/service-a:80 at demo/Deployment/service-a", "demo/Deployment/service-a"),
    ]


def offenders(kinds: list[str], exceeded: list[str]) -> dict[str, Any]:
    return {
        "violations": [
            {"kind": kind, "object": f"o{place}", "reason": "why.", "remedy": "what"}
            for place, kind in enumerate(kinds)
        ],
        "exceeded": exceeded,
        "counts": {kind: kinds.count(kind) for kind in KINDS},
        "limits": {**dict.fromkeys(KINDS, 0), "broken": 3},
    }


@pytest.mark.parametrize(
    ("judgement", "lines"),
    [
        pytest.param(offenders([], []), [], id="none"),
        pytest.param(offenders(["broken"], []), [], id="all are accepted"),
        pytest.param(
            offenders(["rule", "broken", "broken", "rule"], ["rule"]),
            ["Mutual TLS is not as required: 2 rule (accepted 0).", "o0: rule, why.", "o3: rule, why."],
            id="accepted ones are not named",
        ),
        pytest.param(
            offenders(["broken"] * 4 + ["rule"], ["broken", "rule"]),
            [
                "Mutual TLS is not as required: 4 broken (accepted 3), 1 rule (accepted 0).",
                *(f"o{place}: broken, why." for place in range(4)),
                "o4: rule, why.",
            ],
            id="as many as are named",
        ),
        pytest.param(
            offenders(["rule"] * 6, ["rule"]),
            [
                "Mutual TLS is not as required: 6 rule (accepted 0).",
                *(f"o{place}: rule, why." for place in range(5)),
                "And 1 more: see the table above, or the report.",
            ],
            id="one more",
        ),
    ],
)
def test_the_message_names_the_first_that_are_not_accepted(judgement: dict[str, Any], lines: list[str]) -> None:
    found = failure_message(judgement).splitlines()
    assert [line.removesuffix(" Remedy: what.") for line in found] == lines


def test_of_several_findings_each_is_looked_at():
    """What is passed over hides none behind it."""
    elsewhere, low = {**HIGH, "object": "Service shop/x"}, {**HIGH, "severity": "medium"}
    found = judge({**STRICT, "findings": [elsewhere, low, HIGH]})["severe"]
    assert [row["object"] for row in found] == ["PeerAuthentication demo/p"]


PURPOSES = {
    "a Gateway opens it": ("gateway", "gateway", "a Gateway serves it in plaintext"),
    "an application beside the gateway listens there": ("workload", "beside a gateway", "another container"),
    "an audit of before says nothing of it": (None, "beside a gateway", "another container"),
}


@pytest.mark.parametrize(("purpose", "remedy", "reason"), PURPOSES.values(), ids=PURPOSES)
def test_the_way_out_of_a_gateways_plaintext_is_that_of_whoever_opened_the_port(purpose, remedy, reason):
    opened = {**port(mode=None, plaintext="accepted"), **({"purpose": purpose} if purpose else {})}
    [row] = judge(status(workload(mesh="gateway", ports=[opened])), gateway_tls=True)["violations"]
    assert row["remedy"] == REMEDIES[remedy]
    assert row["reason"].startswith(reason)
