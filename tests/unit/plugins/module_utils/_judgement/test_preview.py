"""What proposed changes look like before they are made."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import manifest_diff, preview

from .samples import STRICT, workload

OPEN_PORT = {"port": 8080, "mode": "PERMISSIVE", "captured": True, "plaintext": "accepted"}
STRICT_PORT = {"port": 8080, "mode": "STRICT", "captured": True, "plaintext": "refused"}
SERVER, LEGACY = "demo/Deployment/service-a", "legacy/Deployment/cron"


def answer(verdict: str, client_tls: str = "none") -> dict[str, str]:
    return {"client_tls": client_tls, "verdict": verdict, "reason": f"because of {client_tls}"}


def change(
    clients: str, before: Any, after: Any, endpoint: str | None = SERVER, service: str = "demo/service-a"
) -> dict[str, Any]:
    edge = {"what": "edge", "clients": clients, "service": service, "host": "x", "port": 80, "subset": None}
    return {**edge, "endpoint": endpoint, "before": before, "after": after}


def proposed(*changes: dict[str, Any]) -> dict[str, Any]:
    sets = {"in": ["demo/Deployment/service-b"], "out": [LEGACY]}
    return {**STRICT, "changes": list(changes), "change_client_sets": sets}


def test_strict_as_a_reader_sees_it() -> None:
    port = {"what": "port", "workload": SERVER, "port": 8080, "before": OPEN_PORT, "after": STRICT_PORT}
    refused = change("out", answer("plaintext"), answer("broken"))
    broken = change("in", answer("plaintext", "plaintext"), answer("broken", "plaintext"))
    assert preview(proposed(port, refused, broken))["lines"] == [
        "PORTS THAT CHANGE (1)",
        "WORKLOAD        PORT  BEFORE                             AFTER",
        "demo/service-a  8080  PERMISSIVE, plaintext accepted  →  STRICT, plaintext refused",
        "",
        "CONNECTIONS THAT CHANGE (2)",
        "CLIENTS            SERVICE            BEFORE        AFTER    WHY",
        "demo/service-b  →  demo/service-a:80  plaintext  →  broken   because of plaintext",
        "legacy/cron     →  demo/service-a:80  plaintext  →  refused  because of none",
    ]


def test_what_gets_worst_comes_first_then_what_reads_first() -> None:
    edges = [
        change("in", answer("plaintext"), answer(after), service=f"demo/{service}")
        for after, service in [
            ("mtls", "b"),
            ("mtls", "a"),
            ("unknown", "c"),
            ("plaintext", "d"),
            ("tls", "e"),
            ("broken", "g"),
            ("broken", "f"),
        ]
    ]
    lines = preview(proposed(*edges))["lines"]
    assert [(line.split()[2][5], line.split()[5]) for line in lines[2:]] == [
        ("f", "broken"),
        ("g", "broken"),
        ("d", "plaintext"),
        ("c", "unknown"),
        ("a", "mtls"),
        ("b", "mtls"),
        ("e", "tls"),
    ]


def test_a_reason_is_no_verdict() -> None:
    after = {"client_tls": "none", "verdict": "mtls", "reason": "broken"}
    better = change("in", answer("plaintext"), after, service="demo/a")
    worse = change("in", answer("mtls"), answer("unknown"), service="demo/z")
    lines = preview(proposed(better, worse))["lines"]
    assert [line.split()[5] for line in lines[2:]] == ["unknown", "mtls"]


def test_what_comes_and_goes_as_a_reader_sees_it() -> None:
    opened = {"what": "port", "workload": "gone/Deployment/x", "port": 1, "before": None, "after": OPEN_PORT}
    without_mode = {**STRICT_PORT, "mode": None}
    closed = {"what": "port", "workload": SERVER, "port": 2, "before": without_mode, "after": None}
    comes = {**change("in", None, answer("mtls")), "subset": "v1"}
    goes = change("out", answer("broken"), None)
    assert preview(proposed(opened, closed, comes, goes))["lines"] == [
        "PORTS THAT CHANGE (2)",
        "WORKLOAD           PORT  BEFORE                      AFTER",
        "gone/Deployment/x  1     nothing                  →  PERMISSIVE, plaintext accepted",
        "demo/service-a     2     none, plaintext refused  →  nothing",
        "",
        "CONNECTIONS THAT CHANGE (2)",
        "CLIENTS            SERVICE                      BEFORE      AFTER    WHY",
        "demo/service-b  →  demo/service-a:80 subset v1  nothing  →  mtls     because of none",
        "legacy/cron     →  demo/service-a:80            refused  →  nothing",
    ]


def test_nothing_changes() -> None:
    assert preview(STRICT) == {"lines": [], "rows": [], "broken": [], "breaks": []}


MTLS, PLAIN = answer("mtls", "mtls"), answer("plaintext", "plaintext")
NO_PROXY = "Deployment legacy/cron (Service legacy/cron)"
BREAKS = {
    "mutual TLS to what has no proxy": (
        change("in", PLAIN, answer("broken", "mtls"), LEGACY, "legacy/cron"),
        [NO_PROXY],
    ),
    "mutual TLS to an address": (
        change("in", PLAIN, answer("broken", "mtls"), "addr/198.18.9.9", "legacy/db"),
        ["addr/198.18.9.9 (Service legacy/db)"],
    ),
    "it was broken before": (change("in", answer("broken", "mtls"), answer("broken", "mtls"), LEGACY), []),
    "STRICT refuses plaintext": (change("in", PLAIN, answer("broken", "plaintext")), []),
    "STRICT refuses a client outside": (change("out", answer("plaintext"), answer("broken")), []),
    "a server in the mesh": (change("in", MTLS, answer("broken", "mtls")), []),
    "it works": (change("in", PLAIN, MTLS), []),
    "it goes away": (change("in", PLAIN, None, LEGACY), []),
}


@pytest.mark.parametrize(("edge", "expected"), BREAKS.values(), ids=BREAKS.keys())
def test_what_a_rule_breaks(edge: dict[str, Any], expected: list[str]) -> None:
    assert preview(proposed(edge))["breaks"] == expected


BROKEN = {
    "a client in the mesh": (
        change("in", MTLS, answer("broken")),
        ["demo/Deployment/service-b → demo/service-a:80 (because of none)"],
    ),
    "of which was not known whether it works": (
        change("in", answer("unknown"), answer("broken")),
        ["demo/Deployment/service-b"],
    ),
    "a client outside is refused": (change("out", PLAIN, answer("broken")), []),
    "it was broken before": (change("in", answer("broken"), answer("broken", "mtls")), []),
    "it is new": (change("in", None, answer("broken")), []),
    "it goes away": (change("in", MTLS, None), []),
    "it becomes plaintext": (change("in", MTLS, PLAIN), []),
}


@pytest.mark.parametrize(("edge", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_connections_that_would_break(edge: dict[str, Any], expected: list[str]) -> None:
    found = preview(proposed(edge))["broken"]
    assert len(found) == len(expected)
    assert all(text in sentence for text, sentence in zip(expected, found, strict=True))


def test_who_was_in_the_mesh_counts_where_that_is_what_changes():
    mesh = proposed(change("out", MTLS, answer("broken")))
    assert preview(mesh)["broken"] == []
    assert len(preview(mesh, members={LEGACY: workload("legacy/cron")})["broken"]) == 1


def test_each_client_counts_by_itself() -> None:
    mesh = proposed(change("all", MTLS, answer("broken")), change("in", MTLS, answer("broken")))
    mesh["change_client_sets"]["all"] = {"all_but": [LEGACY]}
    meshed = [item["id"] for item in mesh["workloads"] if item["id"] != LEGACY]
    assert len(preview(mesh)["broken"]) == len(meshed) > 1


def test_the_systems_own_pods_come_last() -> None:
    mesh = proposed(change("system", PLAIN, answer("broken")), change("in", PLAIN, MTLS))
    mesh["workloads"] = [*mesh["workloads"], workload("kube-system/coredns")]
    mesh["change_client_sets"]["system"] = [mesh["workloads"][-1]["id"]]
    assert [line.split()[0] for line in preview(mesh)["lines"][2:]] == ["demo/service-b", "kube-system/coredns"]


def test_all_rows_are_there_for_a_file() -> None:
    edges = [change("in", PLAIN, MTLS, service=f"demo/{name}") for name in "abc"]
    found = preview(proposed(*edges), max_rows=1)
    assert (len(found["lines"]), len(found["rows"])) == (1 + 1 + 1 + 1, 1 + 1 + 3)


def test_rows_are_bounded() -> None:
    clients = [workload(f"shop/client-{number}") for number in range(9)]
    mesh = proposed(*(change(f"set{number}", PLAIN, MTLS) for number in range(9)))
    mesh["workloads"] = [*mesh["workloads"], *clients]
    mesh["change_client_sets"] = {f"set{number}": [client["id"]] for number, client in enumerate(clients)}
    assert len(preview(mesh, max_rows=4)["lines"]) == 1 + 1 + 4 + 1


def manifest(mode: str, **meta: Any) -> dict[str, Any]:
    meta = {"name": "default", "namespace": "demo", **meta}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": meta,
        "spec": {"mtls": {"mode": mode}},
    }


def test_a_diff_against_nothing() -> None:
    assert manifest_diff([{"before": None, "after": manifest("STRICT")}], yaml.safe_dump) == [
        "--- PeerAuthentication demo/default (before)",
        "+++ PeerAuthentication demo/default (after)",
        "@@ -0,0 +1,8 @@",
        "+apiVersion: security.istio.io/v1",
        "+kind: PeerAuthentication",
        "+metadata:",
        "+  name: default",
        "+  namespace: demo",
        "+spec:",
        "+  mtls:",
        "+    mode: STRICT",
    ]


def test_a_diff_shows_nothing_that_the_server_sets() -> None:
    before = manifest("PERMISSIVE", uid="1", resourceVersion="7", creationTimestamp="2026-01-01T00:00:00Z")
    lines = manifest_diff([{"before": before, "after": manifest("STRICT")}], yaml.safe_dump)
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-    mode: PERMISSIVE", "+    mode: STRICT"]


def test_a_removal_is_a_diff_to_nothing() -> None:
    lines = manifest_diff([{"before": manifest("STRICT"), "after": None}], yaml.safe_dump)
    assert all(line.startswith("-") for line in lines[3:])
    assert len(lines) == 11


def test_names_of_a_cluster_do_not_act_where_they_are_printed() -> None:
    hostile = change("in", PLAIN, answer("broken", "mtls"), "192.0.2.1\x1b[2J\nx", "demo/a\u202e")
    [line] = preview(proposed(hostile))["breaks"]
    assert line == "192.0.2.1\\u001b[2J x (Service demo/a\\u202e)"


def test_what_somebody_wrote_into_an_object_forges_no_line_of_the_diff():
    def as_text(shown):
        return yaml.safe_dump(shown, allow_unicode=True, width=1000)

    before = manifest("STRICT")
    before["spec"]["note"] = "a\u2028+ forged\u202e\x1b[2J"
    lines = manifest_diff([{"before": before, "after": manifest("STRICT")}], as_text)
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("+ forged") for line in lines)
