"""The tables as a reader sees them."""

from __future__ import annotations

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import columns, verdict_table
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._judgement.samples import (
    STRICT,
    edge,
    port,
    status,
    target,
    workload,
)


def test_columns_are_aligned_and_the_last_is_as_long_as_it_is() -> None:
    assert columns([["A", "LONGER", "C"], ["aaaa", 1, "the rest of it"]]) == [
        "A     LONGER  C",
        "aaaa  1       the rest of it",
    ]
    assert columns([]) == []


def test_a_mesh_as_required() -> None:
    result = judge(STRICT, {"targets": [target()]}, sources=["declared", "observed"], require="observed")
    assert verdict_table(result) == [
        "VERDICT     PASS",
        "JUDGED      ports 1, edges 2 (mTLS 1, other TLS 0, refused to clients outside the mesh 1)",
        "NAMESPACES  demo",
        "EVIDENCE    declared, observed; required observed",
        "CLUSTER     https://198.18.254.2:6443, Istio 1.31.1, Kubernetes v1.35.4",
        "",
        "SERVERS (1)",
        "RESULT  WORKLOAD        PORT  MODE    PLAINTEXT  WHY",
        "ok      demo/service-a  8080  STRICT  refused    PeerAuthentication demo/default",
        "",
        "EDGES (2)",
        "RESULT  CLIENTS         SERVICE            VERDICT  WHY",
        "ok      demo/service-b  demo/service-a:80  mtls     mtls meets the server: mtls.",
        "ok      legacy/cron     demo/service-a:80  refused  none meets the server: broken.",
        "",
        "WIRE (1)",
        "RESULT  SERVICE            PLAINTEXT  INSIDE    VERDICT  IDENTITY                                     WHY",
        "ok      demo/service-a:80  refused    answered  strict   spiffe://cluster.local/ns/demo/sa/service-a  "
        "plaintext was reset, and a mesh certificate was asked for",
    ]


def test_a_source_that_was_asked_and_gave_nothing_is_in_the_headline() -> None:
    result = judge(STRICT, sources=["declared", "programmed"])
    assert verdict_table(result)[0] == "VERDICT     PASS, unproven: programmed could not be had"


def test_a_verdict_of_another_release_has_no_such_word() -> None:
    result = judge(STRICT, sources=["declared", "programmed"])
    del result["unproven"]
    assert verdict_table(result)[0] == "VERDICT     PASS"


def test_rows_are_bounded_and_the_worst_are_shown() -> None:
    ports = [port(number) for number in range(1, 9)] + [port(9, "DISABLE", plaintext="accepted")]
    lines = verdict_table(judge(status(workload(ports=ports), [])), max_rows=2)
    start = lines.index("SERVERS (9)")
    assert [line.split()[0] for line in lines[start + 1 :]] == ["RESULT", "FAIL", "ok", "…"]
    assert lines[-1] == "… and 7 more"


def test_many_clients_become_a_number() -> None:
    clients = [workload(f"shop/client-{number}") for number in range(5)]
    mesh = status(workload(ports=[port()]), [edge("many", "mtls", "mtls")], clients)
    mesh["client_sets"]["many"] = [client["id"] for client in clients]
    assert any("shop/client-0, shop/client-1, shop/client-2 +2" in line for line in verdict_table(judge(mesh)))


def test_exclusions_are_printed_with_their_reason_and_idle_ones_say_so() -> None:
    exclusions = [
        {"namespace": "demo", "workload": "service-a", "port": 8080, "reason": "being moved"},
        {"namespace": "nowhere", "reason": "a typo"},
    ]
    lines = verdict_table(judge(STRICT, exclude=exclusions))
    assert lines[-3:] == [
        "EXCLUDED ON REQUEST (2)",
        "demo/service-a  8080        rows 1           being moved",
        "nowhere/*       every port  matches nothing  a typo",
    ]


def test_an_exclusion_with_a_last_day_says_so() -> None:
    entry = {"namespace": "demo", "workload": "service-a", "reason": "being moved", "until": "2026-05-31"}
    shown = [verdict_table(judge(STRICT, exclude=[entry], today=today))[-1] for today in ("2026-05-31", "2026-06-01")]
    assert shown == [
        "demo/service-a  every port  rows 3, until 2026-05-31  being moved",
        "demo/service-a  every port  expired on 2026-05-31  being moved",
    ]


def test_what_other_sources_say_and_what_they_could_not() -> None:
    row = {
        "workload": "demo/Deployment/service-a",
        "port": 8080,
        "declared": "strict",
        "programmed": "permissive",
        "observed": None,
        "agreement": "contradicted",
        "why": "as each says",
        "cause": "an old proxy",
    }
    seen = {
        "declared": {"state": "partly", "detail": "1 thing could not be read"},
        "programmed": {"state": "partly", "detail": "1 of 2 proxies answered"},
        "observed": {"state": "not asked", "detail": ""},
        "traffic": {"state": "not seen", "detail": "no Prometheus"},
    }
    found = {"id": "MTLS-109", "severity": "medium", "object": "authority O=x", "message": "ends soon", "fix": "rotate"}
    document = {**STRICT, "seen": seen, "ports": [row], "proxies": [], "findings": [found]}
    lines = verdict_table(judge(document, sources=["declared", "programmed", "observed"]))
    assert lines[lines.index("SOURCES (1)") :] == [
        "SOURCES (1)",
        "RESULT  WORKLOAD        PORT  DECLARED  PROGRAMMED  OBSERVED   TOGETHER      WHY",
        "FAIL    demo/service-a  8080  strict    permissive  not asked  contradicted  "
        "strict as declared, but permissive as programmed: as each says",
        "",
        "FINDINGS (1)",
        "RESULT   ID        OBJECT         WHY",
        "warning  MTLS-109  authority O=x  ends soon",
        "",
        "NOT SEEN (2)",
        "SOURCE      STATE      WHY",
        "programmed  partly     1 of 2 proxies answered",
        "observed    not asked  it was not asked",
    ]


def test_findings_of_high_severity_stand_with_the_others_and_fail_nothing() -> None:
    finding = {"id": "MTLS-003", "severity": "high", "object": "Service demo/x", "message": "m", "fix": "f"}
    document = {**STRICT, "findings": [finding, {**finding, "id": "MTLS-004", "severity": "low"}]}
    lines = verdict_table(judge(document))
    assert lines[0] == "VERDICT     PASS"
    assert lines[lines.index("FINDINGS (1)") + 1 :] == [
        "RESULT   ID        OBJECT          WHY",
        "warning  MTLS-003  Service demo/x  m",
    ]
    assert verdict_table(judge(document, limits={"finding": 0}))[0] == "VERDICT     FAIL (1 finding)"


def test_the_endpoint_is_shown_where_edges_would_look_the_same() -> None:
    edges = [edge("in", "mtls", "mtls"), edge("in", "mtls", "mtls", endpoint="demo/StatefulSet/old")]
    lines = verdict_table(judge(status(workload(ports=[port()]), edges)))
    assert lines[-2:] == [
        "ok      demo/service-b  demo/service-a:80 at demo/Deployment/service-a  mtls     mtls meets the server: mtls.",
        "ok      demo/service-b  demo/service-a:80 at demo/StatefulSet/old       mtls     mtls meets the server: mtls.",
    ]


def test_what_is_unknown_is_shown_by_its_reason() -> None:
    unread = [
        {"kind": kind, "namespace": None, "name": "", "reason": "Forbidden", "touches": "clients there"}
        for kind in ("Sidecar", "EnvoyFilter", "Gateway", "ServiceEntry")
    ]
    doubt = {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "cart",
        "reason": "it says both",
        "touches": "its ports",
    }
    assert verdict_table(judge({**STRICT, "unknown": [*unread, doubt]}))[-4:] == [
        "UNKNOWN (2)",
        "KIND                                   WHERE       WHY",
        "EnvoyFilter, Gateway, ServiceEntry +1  everywhere  Forbidden",
        "Deployment                             shop/cart   it says both",
    ]


def test_missing_proof_is_shown_first() -> None:
    lines = verdict_table(judge({**STRICT, "workloads": [], "edges": []}))
    assert lines[6:9] == [
        "MISSING (1)",
        "RESULT  OBJECT    WHY",
        "FAIL    the mesh  no namespace is enrolled, so there is nothing that could be proven",
    ]


def test_violations_within_the_limits_do_not_look_like_none() -> None:
    mesh = status(workload(ports=[port(mode="PERMISSIVE", plaintext="accepted")]), [])
    assert verdict_table(judge(mesh, limits={"plaintext": 1}))[0] == "VERDICT     PASS within the limits (1 plaintext)"
    assert verdict_table(judge(mesh))[0] == "VERDICT     FAIL (1 plaintext)"


def test_rules_are_shown_worst_first() -> None:
    rules = [
        {"name": "fine", "severity": "error", "passed": True, "count": 0, "message": "", "examples": []},
        {"name": "soon", "severity": "warning", "passed": False, "count": 1, "message": "1 found: x", "examples": []},
        {"name": "bad", "severity": "error", "passed": False, "count": 2, "message": "2 found", "examples": []},
    ]
    lines = verdict_table(judge({**STRICT, "rules": rules}))
    assert lines[0] == "VERDICT     FAIL (1 rule)"
    assert lines[-4:] == [
        "RESULT   RULE  WHY",
        "FAIL     bad   2 found",
        "warning  soon  1 found: x",
        "ok       fine  nothing is selected",
    ]
