"""Traffic that was seen, as the judge takes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table

from .samples import STRICT, edge, port, status, workload


def path(security: str, source: str | None = None, server: str = "demo/service-a", number: int | None = None) -> Any:
    return {
        "source": {"workload": source, "principal": None},
        "destination": {"workload": server, "service": None, "principal": None},
        "port": number,
        "protocol": "http",
        "requests": 8,
        "mutual_tls": {"mutual_tls": 8, "mixed": 3}.get(security, 0),
        "share": 0.0,
        "security": security,
    }


def audit(found: Any, mesh: dict[str, Any] = STRICT) -> dict[str, Any]:
    return {**mesh, "traffic": {"traffic": [found], "window": 3600, "queries": []}}


PERMISSIVE = status(
    workload(ports=[port(mode="PERMISSIVE", plaintext="accepted"), port(9090)]), [edge("in", "mtls", "mtls")]
)
CONTRADICTED = {"programmed": None, "observed": "plaintext", "agreement": "contradicted", "cause": "a cause"}
SEEN = {**STRICT, "edges": [edge("in", "mtls", "mtls", **CONTRADICTED)]}
TRAFFIC = {
    "mutual TLS": (audit(path("mutual_tls")), ["ok"], []),
    "not known": (audit(path("unknown")), ["warning"], []),
    "plaintext that the policies refuse": (audit(path("plaintext")), ["FAIL"], ["disagreement"]),
    "some of it in plaintext": (audit(path("mixed")), ["FAIL"], ["disagreement"]),
    "plaintext that the policies allow": (audit(path("plaintext"), PERMISSIVE), ["FAIL"], ["plaintext", "plaintext"]),
    "at a port that refuses it": (
        audit(path("plaintext", number=9090), PERMISSIVE),
        ["FAIL"],
        ["disagreement", "plaintext"],
    ),
    "to a server elsewhere": (audit(path("plaintext", server="other/server")), [], []),
    "to a server that is gone": (audit(path("plaintext", server="demo/gone")), ["FAIL"], ["plaintext"]),
    "which an edge says already": (audit(path("plaintext", "demo/service-b"), SEEN), ["FAIL"], ["disagreement"]),
    "of a client of which the edge does not tell": (
        audit(path("plaintext", "legacy/cron"), SEEN),
        ["FAIL"],
        ["disagreement", "disagreement"],
    ),
    "in a word of another version": (audit(path("mutual_tls_of_the_future")), ["warning"], []),
    "which somebody else says": (audit({**path("unknown"), "exporter": "shop/evil"}), ["warning"], []),
}


@pytest.mark.parametrize(("document", "results", "kinds"), TRAFFIC.values(), ids=TRAFFIC.keys())
def test_traffic(document: dict[str, Any], results: list[str], kinds: list[str]) -> None:
    result = judge(document, sources=["declared", "traffic"])
    assert [row["result"] for row in result["traffic"]] == results
    assert [violation["kind"] for violation in result["violations"]] == kinds


def test_an_excluded_server_may_be_seen_in_plaintext() -> None:
    entry = {"namespace": "demo", "workload": "service-a", "reason": "being moved"}
    assert judge(audit(path("plaintext")), exclude=[entry])["verdict"] == "pass"


TWO_PORTS = {
    **SEEN,
    "edges": [edge("in", "mtls", "mtls", **CONTRADICTED), edge("in", "mtls", "mtls", port=90, **CONTRADICTED)],
}
ENTRY = {"namespace": "demo", "workload": "service-a", "reason": "an old client"}


@pytest.mark.parametrize(
    ("client", "number", "excluded", "verdict"),
    [
        pytest.param("demo/service-b", None, [80], "fail", id="a row without a port is not of the excluded one"),
        pytest.param("demo/service-b", None, [80, 90], "fail", id="nor is it where all of the Service's are excluded"),
        pytest.param("demo/service-b", 9090, [80], "fail", id="another port than the excluded one"),
        pytest.param("legacy/cron", 9090, [80, 90], "fail", id="another client at a port that no entry names"),
        pytest.param("legacy/cron", 9090, [80, 90, 9090], "pass", id="all of them excluded"),
        pytest.param("demo/service-b", 9090, [], "fail", id="nothing excluded"),
    ],
)
def test_an_exclusion_hides_no_plaintext_of_another_port(
    client: str, number: int | None, excluded: list[int], verdict: str
) -> None:
    """Also not by an edge that is excluded itself, and so tells of nothing."""
    entries = [{**ENTRY, "port": port} for port in excluded]
    result = judge(audit(path("plaintext", client, number=number), TWO_PORTS), exclude=entries)
    assert result["verdict"] == verdict
    rows = [row for row in result["traffic"] if row["result"] == "FAIL" and not row["told"]]
    assert bool(rows) == (verdict == "fail" and bool(excluded))


def test_the_table() -> None:
    lines = verdict_table(judge(audit(path("mixed", number=8080))))
    assert lines[-2:] == [
        "RESULT  CLIENT                      SERVER               SECURITY  WHY",
        "FAIL    a client that is not known  demo/service-a:8080  mixed     "
        "3 of 8 http requests or connections in 3600 s were mutual TLS",
    ]
