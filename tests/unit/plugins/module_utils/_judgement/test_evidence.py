"""An audit with other sources than the policies, as the judge takes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import evidence
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import Exclusions
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import REMEDIES

from .samples import STRICT, edge, port, status, target, workload

SERVER = "demo/service-a port 8080"
ALL = ["declared", "programmed", "observed"]


def compared(declared: str, programmed: str | None, observed: str | None, agreement: str) -> dict[str, Any]:
    return {
        "workload": "demo/Deployment/service-a",
        "port": 8080,
        "declared": declared,
        "programmed": programmed,
        "observed": observed,
        "agreement": agreement,
        "why": "what each of them says",
        "cause": "the likely cause" if agreement == "contradicted" else "",
    }


def seen(programmed: str = "seen", observed: str = "seen", detail: str = "so it was") -> dict[str, Any]:
    return {
        "declared": {"state": "seen", "detail": "all that was read could be judged"},
        "programmed": {"state": programmed, "detail": detail if programmed != "not asked" else ""},
        "observed": {"state": observed, "detail": detail if observed != "not asked" else ""},
        "traffic": {"state": "not asked", "detail": ""},
    }


def answer(plaintext: str = "refused", verdict: str = "strict") -> dict[str, Any]:
    return target(
        plaintext, verdict=verdict, endpoints=[{"pod": "service-a-1", "port": 8080}], pod=None, kind="service"
    )


def audit(row: dict[str, Any] | None = None, mesh: dict[str, Any] = STRICT, **other: Any) -> dict[str, Any]:
    row = row or compared("strict", "strict", "strict", "proven")
    return {**mesh, "seen": seen(), "ports": [row], "proxies": [], "probe": [answer()], **other}


def violations(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(violation["kind"], violation["object"]) for violation in result["violations"]]


UNREADABLE = status(workload(ports=[port(mode="unknown", plaintext="unknown")]), [edge("out", "unknown", "none")])
PORTS = {
    "all agree": (audit(), []),
    "the proxy runs with something else": (
        audit(compared("strict", "permissive", "strict", "contradicted")),
        [("disagreement", SERVER)],
    ),
    "the wire answers, which its own row says": (
        audit(compared("strict", "strict", "permissive", "contradicted"), probe=[answer("answered", "permissive")]),
        [("disagreement", "demo/service-a:80 on the wire")],
    ),
    "the wire answers at a port that no Service has": (
        audit(compared("strict", "strict", "permissive", "contradicted"), probe=[]),
        [("disagreement", SERVER)],
    ),
    "both contradict: the proxy's row counts, too": (
        audit(compared("strict", "permissive", "permissive", "contradicted"), probe=[answer("answered", "permissive")]),
        [("disagreement", SERVER), ("disagreement", "demo/service-a:80 on the wire")],
    ),
    "the policies do not tell, and the proxy accepts plaintext": (
        audit(compared("unknown", "permissive", "unknown", "unproven"), UNREADABLE),
        [("disagreement", SERVER), ("unknown", SERVER), ("unknown", "legacy/cron → demo/service-a:80")],
    ),
    "the policies do not tell, and the wire's own row says that it answered": (
        audit(
            compared("unknown", None, "permissive", "unproven"), UNREADABLE, probe=[answer("answered", "permissive")]
        ),
        [
            ("plaintext", "demo/service-a:80 on the wire"),
            ("unknown", SERVER),
            ("unknown", "legacy/cron → demo/service-a:80"),
        ],
    ),
    "a source that does not know": (audit(compared("strict", "unknown", "strict", "unproven")), []),
}


@pytest.mark.parametrize(("document", "expected"), PORTS.values(), ids=PORTS.keys())
def test_ports(document: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    result = judge(document, sources=ALL)
    assert violations(result) == expected
    remedies = {row["remedy"] for row in result["violations"] if row["kind"] == "disagreement"}
    assert remedies <= {
        "look at the likely cause: the likely cause",
        "look at the object that makes it unknown to the policies, such as an EnvoyFilter",
    }


PROVEN = {
    "all agree": (audit(), "ok", []),
    "a source did not answer for a port": (
        audit(compared("strict", "unknown", "strict", "unproven")),
        "unproven",
        ["1 of 1 ports without an answer of a source"],
    ),
    "a source gave nothing": (
        audit(compared("strict", "unknown", "strict", "unproven"), seen=seen("not seen")),
        "unproven",
        ["programmed could not be had", "1 of 1 ports without an answer of a source"],
    ),
    "a source was not asked": (audit(compared("strict", "strict", None, "proven")), "ok", []),
    "a source contradicts": (audit(compared("strict", "permissive", "strict", "contradicted")), "FAIL", []),
}


@pytest.mark.parametrize(("document", "result", "unproven"), PROVEN.values(), ids=PROVEN.keys())
def test_what_was_asked_and_not_answered_is_unproven_and_no_bare_pass(
    document: dict[str, Any], result: str, unproven: list[str]
) -> None:
    judgement = judge(document, sources=ALL)
    assert [row["result"] for row in judgement["ports"]] == [result]
    assert judgement["unproven"] == unproven


def test_an_excluded_port_is_not_judged_by_other_sources_either() -> None:
    document = audit(compared("strict", "permissive", "strict", "contradicted"))
    entry = {"namespace": "demo", "workload": "service-a", "port": 8080, "reason": "being moved"}
    assert judge(document, exclude=[entry])["verdict"] == "pass"
    assert judge(document, exclude=[{**entry, "until": "2026-05-31"}], today="2026-06-01")["verdict"] == "fail"


def test_a_contradicted_edge_is_a_disagreement() -> None:
    against = {"agreement": "contradicted", "programmed": "plaintext", "observed": None, "cause": "an old proxy"}
    agreed = {"agreement": "proven", "programmed": "broken", "observed": None, "cause": ""}
    rows = [edge("in", "mtls", "mtls", **against), edge("out", "broken", "none", **agreed)]
    result = judge(audit(mesh={**STRICT, "edges": rows}), sources=ALL)
    assert violations(result) == [("disagreement", "demo/service-b → demo/service-a:80")]
    assert result["violations"][0]["reason"].startswith("mtls as declared, but plaintext as programmed: ")
    assert result["violations"][0]["remedy"] == "look at the likely cause: an old proxy"


SILENT = [
    {"pod": "demo/service-a-1", "workload": "demo/Deployment/service-a", "answered": False, "reason": "forbidden"}
]
REQUIRED = {
    "all was seen": ("programmed", audit(), []),
    "one proxy did not answer": (
        "programmed",
        audit(compared("strict", "unknown", "strict", "unproven"), seen=seen("partly")),
        [("unknown", SERVER)],
    ),
    "none answered": (
        "programmed",
        audit(compared("strict", "unknown", "strict", "unproven"), seen=seen("not seen"), proxies=SILENT),
        [("unknown", SERVER), ("unknown", "the proxies")],
    ),
    "the wire was not asked": (
        "observed",
        audit(compared("strict", "strict", None, "proven"), seen=seen(observed="not asked"), probe=[]),
        [("unknown", SERVER), ("unknown", "the wire")],
    ),
    "no pod could be made": (
        "observed",
        audit(compared("strict", "strict", "unknown", "unproven"), seen=seen(observed="not seen"), probe=[]),
        [("unknown", SERVER), ("unknown", "the wire")],
    ),
    "a port that no Service has": (
        "observed",
        audit(compared("strict", "strict", "unknown", "unproven"), probe=[{**answer(), "endpoints": []}]),
        [("unknown", SERVER)],
    ),
    "a service that did not answer counts once": (
        "observed",
        audit(compared("strict", "strict", "unknown", "unproven"), probe=[answer("timeout", "unknown")]),
        [("unknown", "demo/service-a:80 on the wire")],
    ),
    "a pod that was asked by itself": ("observed", audit(probe=[answer(), {**answer(), "service": None}]), []),
}


@pytest.mark.parametrize(("require", "document", "expected"), REQUIRED.values(), ids=REQUIRED.keys())
def test_what_is_required(require: str, document: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert sorted(violations(judge(document, sources=ALL, require=require))) == expected
    assert judge(document, sources=ALL)["verdict"] == "pass"


def test_the_message_names_the_right_that_is_missing() -> None:
    document = audit(compared("strict", "unknown", None, "unproven"), seen=seen("not seen"), proxies=SILENT)
    result = judge(document, sources=["declared", "programmed"], require="programmed")
    assert "so it was (demo/service-a-1: forbidden)" in result["message"]
    assert "Remedy: give the account the ClusterRole meshproof-inspector" in result["message"]
    assert result["evidence"]["sources"] == {"declared": True, "programmed": False}


@pytest.mark.parametrize(("mesh", "answered", "failed"), [("gateway", True, False), ("gateway", False, True)])
def test_a_gateway_needs_a_proxy_that_answered(mesh: str, answered: bool, failed: bool) -> None:
    gateway = workload("demo/edge", mesh, [port()])
    proxy = {"pod": "demo/edge-1", "workload": gateway["id"], "answered": answered, "reason": ""}
    document = audit(mesh=status(workload(ports=[port()]), more=[gateway]), proxies=[proxy])
    found = violations(judge(document, sources=ALL, require="programmed"))
    assert found == ([("unknown", "demo/edge (a gateway)")] if failed else [])


def finding(identifier: str, thing: str) -> dict[str, Any]:
    return {"id": identifier, "severity": "high", "object": thing, "message": "what it is", "fix": "what to do"}


PROXIES = [
    {"pod": "demo/service-a-1", "workload": "demo/Deployment/service-a", "answered": True},
    {"pod": "other/client-1", "workload": "other/Deployment/client", "answered": True},
]
FINDINGS = {
    "a proxy in scope": (finding("MTLS-104", "demo/service-a-1"), ["FAIL"]),
    "a proxy elsewhere": (finding("MTLS-104", "other/client-1"), []),
    "roots that differ are the whole mesh's": (finding("MTLS-107", "root 0123456789abcdef"), ["FAIL"]),
    "an authority that has ended": (finding("MTLS-108", "authority O=a/b:c"), ["FAIL"]),
    "an authority that ends soon": (finding("MTLS-109", "authority O=cluster.local"), ["warning"]),
    "a server that takes bad certificates": (finding("MTLS-111", "demo/service-a:80"), ["FAIL"]),
    "a port that is none": (finding("MTLS-111", "demo/service-a:²"), ["FAIL"]),
    "a port without an end": (finding("MTLS-111", f"demo/service-a:{'9' * 5000}"), ["FAIL"]),
    "a server that is somebody else": (finding("MTLS-113", "demo/service-a:80"), ["FAIL"]),
    "a server elsewhere": (finding("MTLS-111", "other/service:80"), []),
    "what is a row of ports already": (finding("MTLS-102", "demo/Deployment/service-a port 8080"), []),
    "what the policies say by themselves": (finding("MTLS-006", "demo/Deployment/service-a"), []),
}


@pytest.mark.parametrize(("found", "results"), FINDINGS.values(), ids=FINDINGS.keys())
def test_findings(found: dict[str, Any], results: list[str]) -> None:
    result = judge(audit(mesh={**STRICT, "findings": [found]}, proxies=PROXIES), sources=ALL)
    assert [row["result"] for row in result["findings"]] == results
    assert violations(result) == [("disagreement", found["object"])] * results.count("FAIL")


@pytest.mark.parametrize(
    ("entry", "result"),
    [
        ({"workload": "service-a"}, "excluded"),
        ({"workload": "service-a", "port": 8080}, "FAIL"),
        ({}, "excluded"),
        ({"workload": "service-b"}, "FAIL"),
    ],
)
def test_a_finding_of_a_proxy_goes_by_its_workload(entry: dict[str, Any], result: str) -> None:
    document = audit(mesh={**STRICT, "findings": [finding("MTLS-104", "demo/service-a-1")]}, proxies=PROXIES)
    judgement = judge(document, exclude=[{"namespace": "demo", "reason": "being moved", **entry}])
    assert [row["result"] for row in judgement["findings"]] == [result]


def test_a_compact_set_of_clients_is_everybody_but_some() -> None:
    inside = ["demo/Deployment/service-a", "demo/Deployment/service-b"]
    whole = {**STRICT, "client_sets": {"in": inside, "out": {"all_but": inside}}}
    assert [row["clients"] for row in judge(whole)["edges"]] == ["demo/service-a, demo/service-b", "legacy/cron"]


STATES_OF_THE_WIRE = {
    "no word of the wire": ({}, None),
    "it was not asked": ({"seen": seen(observed="not asked")}, None),
    "it was not asked, and why": (
        {"seen": {"observed": {"state": "not asked", "detail": "no client could ask"}}},
        {"msg": "no client could ask"},
    ),
    "it was seen, and no Service is there": ({"seen": seen(), "probe": []}, {"targets": []}),
    "it was seen in part": ({"seen": seen(observed="partly"), "probe": [answer()]}, {"targets": [answer()]}),
    "it was seen in part, and nothing is kept": ({"seen": seen(observed="partly"), "probe": None}, {"targets": []}),
    "it was not seen": ({"seen": seen(observed="not seen"), "probe": []}, {"msg": "so it was"}),
    "answers are kept, whatever the state says": (
        {"seen": seen(observed="not seen"), "probe": [answer()]},
        {"targets": [answer()]},
    ),
}


@pytest.mark.parametrize(("document", "expected"), STATES_OF_THE_WIRE.values(), ids=STATES_OF_THE_WIRE.keys())
def test_the_wire_of_an_audit_as_the_probe_would_tell_it(
    document: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert evidence.probe_of(document) == expected


ANSWERED = {"pod": "demo/service-b-1", "workload": "demo/Deployment/service-b", "answered": True, "reason": ""}
MISSING = {
    "the policies are always there": ("declared", {}, None, None),
    "the wire was seen": ("observed", {}, {"targets": []}, None),
    "the proxies were seen": ("programmed", {"seen": seen()}, None, None),
    "the proxies were seen in part": ("programmed", {"seen": seen("partly")}, None, None),
    "nobody asked the wire": ("observed", {}, None, "what the wire answers is required and could not be had: it was"),
    "the probe has a reason": (
        "observed",
        {},
        {"msg": "no image."},
        "what the wire answers is required and could not be had: no image",
    ),
    "nobody asked the proxies": (
        "programmed",
        {},
        {"msg": "no image."},
        "what the proxies run with is required and could not be had: it was not asked",
    ),
    "the first proxy that did not answer tells": (
        "programmed",
        {"seen": seen("not seen"), "proxies": [ANSWERED, *SILENT, {**SILENT[0], "reason": "gone"}]},
        None,
        "what the proxies run with is required and could not be had: so it was (demo/service-a-1: forbidden)",
    ),
    "no proxy is there": (
        "programmed",
        {"seen": seen("not seen"), "proxies": [ANSWERED]},
        None,
        "what the proxies run with is required and could not be had: so it was",
    ),
}


@pytest.mark.parametrize(("require", "document", "probe", "reason"), MISSING.values(), ids=MISSING.keys())
def test_evidence_that_is_required_and_missing(require: str, document: Any, probe: Any, reason: str | None) -> None:
    found = evidence.missing_evidence(document, probe, require)
    if reason is None:
        assert found == []
        return
    [violation] = found
    assert violation["reason"].startswith(reason)
    thing = {"observed": "the wire", "programmed": "the proxies"}[require]
    assert (violation["kind"], violation["object"]) == ("unknown", thing)
    assert violation["remedy"] == REMEDIES[require]


def test_what_the_judgement_stands_on() -> None:
    document = {"seen": seen("partly"), "cluster": {"server": "x"}, "unknown": [{"kind": "Pod"}]}
    assert evidence.evidence(document, None, ["declared", "programmed", "other"], "programmed") == {
        "sources": {"declared": True, "programmed": True, "other": False},
        "seen": {source: seen("partly")[source] for source in ("declared", "programmed")},
        "require": "programmed",
        "cluster": {"server": "x"},
        "unknown": [{"kind": "Pod"}],
    }
    assert evidence.evidence({}, None, ["observed"], "declared") == {
        "sources": {"observed": False},
        "seen": {},
        "require": "declared",
        "cluster": {},
        "unknown": [],
    }


SIDECAR, AMBIENT, NAKED, GATEWAY = ({"mesh": mesh} for mesh in ("sidecar", "ambient", "none", "gateway"))
UNDECLARED = "look at the object that makes it unknown to the policies, such as an EnvoyFilter"
NEEDED = "the way out"
VIOLATIONS_OF_PORTS = {
    "contradicted": (
        SIDECAR,
        compared("strict", "permissive", None, "contradicted"),
        "observed",
        ("disagreement", "strict as declared, but permissive as programmed: ", "look at the likely cause: the"),
    ),
    "contradicted by both": (
        SIDECAR,
        compared("strict", "permissive", "plaintext", "contradicted"),
        "declared",
        (
            "disagreement",
            "strict as declared, but permissive as programmed and plaintext as observed: ",
            "look at the likely cause: the",
        ),
    ),
    "the proxy accepts what no policy tells": (
        SIDECAR,
        compared("unknown", "plaintext", None, "unproven"),
        "declared",
        ("disagreement", "plaintext as programmed, and the policies do not tell why: ", UNDECLARED),
    ),
    "the wire has the first word": (
        SIDECAR,
        compared("unknown", "plaintext", "permissive", "unproven"),
        "declared",
        ("disagreement", "permissive as observed, and the policies do not tell why: ", UNDECLARED),
    ),
    "a source that refuses is none that accepts": (
        SIDECAR,
        compared("unknown", "strict", "strict", "unproven"),
        "declared",
        (None, "", ""),
    ),
    "accepted as declared is the server's own row": (
        SIDECAR,
        compared("permissive", "permissive", "permissive", "proven"),
        "observed",
        (None, "", ""),
    ),
    "a required source was not asked": (
        SIDECAR,
        compared("strict", None, "strict", "unproven"),
        "programmed",
        ("unknown", "what the proxies run with is required: ", NEEDED),
    ),
    "a required source does not know": (
        GATEWAY,
        compared("strict", "strict", "unknown", "unproven"),
        "observed",
        ("unknown", "what the wire answers is required: ", NEEDED),
    ),
    "ambient has no proxy of its own": (
        AMBIENT,
        compared("strict", None, "strict", "unproven"),
        "programmed",
        ("unknown", "in ambient there is no proxy of its own that could be asked", REMEDIES["ambient"]),
    ),
    "ambient can be asked on the wire": (
        AMBIENT,
        compared("strict", None, None, "unproven"),
        "observed",
        ("unknown", "what the wire answers is required: ", NEEDED),
    ),
    "the source that is required knows": (
        SIDECAR,
        compared("strict", None, "strict", "unproven"),
        "observed",
        (None, "", ""),
    ),
    "the policies alone are required": (
        SIDECAR,
        compared("unknown", None, None, "unproven"),
        "declared",
        (None, "", ""),
    ),
    "what is not in the mesh is not required": (
        NAKED,
        compared("plaintext", None, None, "unproven"),
        "programmed",
        (None, "", ""),
    ),
}


@pytest.mark.parametrize(
    ("workload_", "row", "require", "expected"), VIOLATIONS_OF_PORTS.values(), ids=VIOLATIONS_OF_PORTS.keys()
)
def test_which_violation_a_compared_port_is(workload_: Any, row: Any, require: str, expected: Any) -> None:
    kind, reason, remedy = evidence._port_violation(workload_, row, require, NEEDED)
    assert kind == expected[0]
    assert reason.startswith(expected[1])
    assert reason.endswith("what each of them says") or kind == "unknown"
    assert remedy.startswith(expected[2])
    assert bool(remedy) == bool(kind)


def wire_row(seen_: bool = True, kind: str | None = None, place: tuple[str, int] = ("x", 1)) -> dict[str, Any]:
    return {"seen": seen_, "kind": kind, "places": [place]}


WAYS_OUT = {
    "the wire answered elsewhere": ("observed", [wire_row(False), wire_row()], "port"),
    "the wire answered nowhere": ("observed", [wire_row(False)], "observed"),
    "no Service leads to the mesh": ("observed", [], "observed"),
    "the wire answers, the proxies are required": ("programmed", [wire_row()], "programmed"),
}


@pytest.mark.parametrize(("require", "wire", "remedy"), WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_the_way_out_of_a_port_without_the_required_evidence(require: str, wire: Any, remedy: str) -> None:
    row = compared("strict", None, None, "unproven")
    rows = evidence.port_rows({"ports": [row]}, {row["workload"]: workload()}, ["demo"], require, wire, Exclusions([]))
    assert [item["remedy"] for item in rows] == [REMEDIES[remedy]]


def test_compared_ports_of_nobody_in_scope_are_passed_over() -> None:
    row = compared("strict", "strict", None, "proven")
    elsewhere = workload("other/x")
    ports = [
        {**row, "workload": "gone"},
        {**row, "workload": elsewhere["id"]},
        row,
        {**row, "workload": "demo/Deployment/gone"},
        {**row, "port": 81},
    ]
    known = {item["id"]: item for item in (workload(), elsewhere)}
    rows = evidence.port_rows({"ports": ports}, known, ["demo"], "declared", [], Exclusions([]))
    assert [row["object"] for row in rows] == [SERVER, "demo/service-a port 81"]
    assert {key: rows[0][key] for key in ("result", "id", "workload", "port", "declared", "agreement", "told")} == {
        "result": "ok",
        "id": "demo/Deployment/service-a",
        "workload": "demo/service-a",
        "port": 8080,
        "declared": "strict",
        "agreement": "proven",
        "told": False,
    }


def test_causes_are_those_of_contradictions() -> None:
    ports = [compared("strict", None, None, "unproven"), {**compared("strict", "x", None, "contradicted"), "port": 1}]
    assert evidence.causes({"ports": ports}) == {("demo/Deployment/service-a", 1): "the likely cause"}
    assert evidence.causes({}) == {}
