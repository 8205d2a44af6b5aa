# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of several pods, some of which cannot be read: what is said then, and that it is never mutual TLS."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.rows import Counts
from ansible_collections.meshproof.mtls.plugins.module_utils._source import access_logs
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import listed
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.conftest import FakeServer

FORBIDDEN = (403, {"kind": "Status", "message": 'pods "x" is forbidden: User "a" cannot get resource "pods/log"'})
WAITING = (400, {"kind": "Status", "message": 'container "istio-proxy" in pod "a-1" is waiting to start'})
B = "spiffe://cluster.local/ns/demo/sa/b"
MUTUAL = json.dumps(
    {
        "start_time": "2026-11-22T22:16:42.313Z",
        "protocol": "HTTP/1.1",
        "upstream_cluster": "inbound|8080||",
        "downstream_local_address": "198.18.0.1:8080",
        "downstream_remote_address": "198.18.0.9:40932",
        "downstream_tls_version": "TLSv1.3",
        "downstream_peer_uri_san": B,
    }
)
PODS = "GET /api/v1/pods"


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


def pod(name, workload, address, proxy=True, **spec):
    containers = [{"name": "app"}, *([{"name": "istio-proxy", "args": ["proxy", "sidecar"]}] if proxy else [])]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "demo",
            "name": name,
            "creationTimestamp": "2026-11-22T22:00:00Z",
            "annotations": {"sidecar.istio.io/status": '{"revision": "default"}'} if proxy else {},
            "ownerReferences": [{"kind": "StatefulSet", "name": workload, "controller": True}],
        },
        "spec": {"containers": containers, **spec},
        "status": {"phase": "Running", "podIP": address},
    }


def log(name):
    return f"GET /api/v1/namespaces/demo/pods/{name}/log"


def ask(server, *workloads, namespaces=(), tail_lines=100):
    cluster = api.connect({"host": server.url, "api_key": "secret"})
    counts = Counts()
    doubted, gaps = access_logs.read(cluster, counts, workloads, namespaces, 600, tail_lines)
    rows = counts.rows(doubted=doubted)
    found = {(row["source"]["workload"], row["requests"], row["security"]) for row in rows}
    return found, [gap["reason"] for gap in gaps]


def test_all_pods_of_a_workload_are_read(server):
    server.answer(
        PODS, listed("Pod", pod("a-0", "a", "198.18.0.1"), pod("a-1", "a", "198.18.0.2"), pod("b-0", "b", "198.18.0.9"))
    )
    server.answer(log("a-0"), f"{MUTUAL}\n")
    server.answer(log("a-1"), f"Envoy proxy is ready\n{MUTUAL}\n")
    assert ask(server, "demo/a") == ({("demo/b", 2, "mutual_tls")}, [])
    queries = [query for path, query in server.asked() if path.endswith("/log")]
    assert queries == 2 * [
        {"container": "istio-proxy", "sinceSeconds": "600", "tailLines": "100", "limitBytes": "16777216"}
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (FORBIDDEN, "Remedy: ask for the ClusterRole meshproof-access-log"),
        (WAITING, "is waiting to start"),
        (f"{MUTUAL}\n" * 100, "only the last 100 lines were read"),
        (f"{MUTUAL[:-20]}\n", "1 lines of the access log cannot be read"),
        # A runtime writes long lines in several entries, and a tail counts those.
        (f'{MUTUAL[:-1]}, "agent": "{"x" * 60_000}"}}\n' * 10, "only the last 10 lines were read"),
        # Some ends of lines are in a caller's hand: they end none here.
        (
            MUTUAL[:-1] + ',"user_agent":"\u2028"}\n[2026-11-22T22:16:42.194Z] "GET / HTTP/1.1" 200',
            "1 lines of the access",
        ),
    ],
)
def test_a_pod_that_is_not_read_whole_spoils_the_evidence(server, answer, reason):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1"), pod("a-1", "a", "198.18.0.2")))
    server.answer(log("a-0"), MUTUAL)
    server.answer(log("a-1"), answer)
    rows, reasons = ask(server, "demo/a")
    assert {security for _caller, _requests, security in rows} == {"unknown"}
    assert [reason in text for text in reasons] == [True]


def test_what_is_not_read_in_time_is_not_read(server, monkeypatch):
    monkeypatch.setattr(access_logs, "SECONDS", 0)
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), MUTUAL)
    with pytest.raises(api.ClusterError, match="in time"):
        ask(server, "demo/a")


def test_a_pod_without_a_proxy_spoils_it_too(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1"), pod("a-1", "a", "198.18.0.2", proxy=False)))
    server.answer(log("a-0"), MUTUAL)
    rows, reasons = ask(server, namespaces=["demo"])
    # Pods that differ are two workloads to the engine; they share the name, and so the doubt.
    assert rows == {(None, 1, "unknown")}
    assert reasons == ["a pod of it has no proxy that could log"]


@pytest.mark.parametrize("changed", [{"spec": {"hostNetwork": True}}, {"status": {"phase": "Succeeded"}}])
def test_an_address_that_is_not_a_pods_own_names_nobody(server, changed):
    caller = pod("b-0", "b", "198.18.0.9")
    for part, fields in changed.items():
        caller[part].update(fields)
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1"), caller))
    server.answer(log("a-0"), MUTUAL)
    assert ask(server, "demo/a") == ({(None, 1, "mutual_tls")}, [])


def test_nothing_at_all_is_an_error(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), FORBIDDEN)
    with pytest.raises(api.ClusterError, match="Remedy: ask for the ClusterRole meshproof-access-log"):
        ask(server, "demo/a")


def test_with_rights_in_one_namespace(server):
    server.answer(
        PODS, (403, {"kind": "Status", "message": 'User "a" cannot list resource "pods" at the cluster scope'})
    )
    server.answer("GET /api/v1/namespaces/demo/pods", listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer("GET /api/v1/namespaces/shop/pods", FORBIDDEN)
    server.answer(log("a-0"), MUTUAL)
    rows, reasons = ask(server, "demo/a", namespaces=["shop"])
    assert rows == {(None, 1, "mutual_tls")}
    assert any("is forbidden" in reason for reason in reasons)


def gaps_of(server, workloads=(), namespaces=(), tail_lines=100, **more):
    cluster = api.connect({"host": server.url, "api_key": "secret"})
    return access_logs.read(cluster, Counts(), workloads, namespaces, 600, tail_lines, **more)


def test_a_refused_log_names_the_role_and_stays_a_refusal(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), FORBIDDEN)
    with pytest.raises(api.ClusterError) as caught:
        gaps_of(server, ["demo/a"])
    message = FORBIDDEN[1]["message"]
    assert str(caught.value) == (
        f"{message}. Remedy: ask for the ClusterRole meshproof-access-log that this collection ships, bound in the "
        "servers' namespaces."
    )
    assert (caught.value.status, caught.value.forbidden, caught.value.reason) == (403, True, message)


@pytest.mark.parametrize("ends", ["no rights", "no rights.", "no rights..."])
def test_a_refusal_becomes_one_sentence(ends):
    told = str(access_logs._with_less_rights(api.ClusterError("x", 403, ends)))
    assert told.startswith("no rights. Remedy: ask for the ClusterRole ")


def test_another_failure_of_a_log_asks_for_no_role(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), WAITING)
    with pytest.raises(api.ClusterError, match="is waiting to start") as caught:
        gaps_of(server, ["demo/a"])
    assert access_logs.ROLE not in str(caught.value)


def test_pods_that_cannot_be_read_for_another_reason_are_an_error(server):
    server.answer(PODS, (400, {"kind": "Status", "message": "out of order"}))
    with pytest.raises(api.ClusterError, match="out of order"):
        gaps_of(server, ["demo/a"])
    assert [path for path, _query in server.asked()] == ["/api/v1/pods"]


@pytest.mark.parametrize(
    ("workloads", "namespaces", "gaps"),
    [
        pytest.param(["demo/x"], [], [("traffic to demo/x", "demo", "no pod of it was found")], id="no such workload"),
        pytest.param([], ["bank"], [("traffic to bank", "bank", "no pod was found in it")], id="an empty namespace"),
        pytest.param(
            ["demo/y", "demo/x"],
            ["z", "bank", "demo"],
            [
                ("traffic to demo/x", "demo", "no pod of it was found"),
                ("traffic to demo/y", "demo", "no pod of it was found"),
                ("traffic to bank", "bank", "no pod was found in it"),
                ("traffic to z", "z", "no pod was found in it"),
            ],
            id="several, in order",
        ),
        pytest.param(["demo/a"], ["demo"], [], id="all are there"),
    ],
)
def test_who_is_not_there_is_named(server, workloads, namespaces, gaps):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), MUTUAL)
    doubted, found = gaps_of(server, workloads, namespaces)
    assert [(gap["touches"], gap["namespace"], gap["reason"]) for gap in found] == gaps
    assert doubted == set()


@pytest.mark.parametrize(
    ("lines", "doubted"), [(9, set()), (10, {"demo/a"}), (11, {"demo/a"})], ids=["fewer", "as many", "more"]
)
def test_a_log_of_as_many_lines_as_were_asked_for_may_be_cut(server, lines, doubted):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), f"{MUTUAL}\n" * lines)
    assert gaps_of(server, ["demo/a"], tail_lines=10)[0] == doubted


def test_a_log_that_reaches_its_limit_of_bytes_may_be_cut(server, monkeypatch):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), MUTUAL)
    for limit, doubted in ((len(MUTUAL) + 1, set()), (len(MUTUAL), {"demo/a"})):
        monkeypatch.setattr(access_logs, "LOG_BYTES", limit)
        assert gaps_of(server, ["demo/a"])[0] == doubted


def test_an_empty_log_has_no_lines(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), "")
    doubted, [gap] = gaps_of(server, ["demo/a"])
    assert doubted == set()
    assert "logged no inbound connection in the last 10m" in gap["reason"]


def test_all_logs_have_the_time_that_is_given(server):
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1")))
    server.answer(log("a-0"), MUTUAL)
    with pytest.raises(api.ClusterError, match="in time"):
        gaps_of(server, ["demo/a"], seconds=1e-9)


@pytest.mark.parametrize("missing", ["creationTimestamp", "podIP"])
def test_whoever_has_no_age_or_no_address_called_nobody(server, missing):
    caller = pod("b-0", "b", "198.18.0.9")
    for part in ("metadata", "status"):
        caller[part].pop(missing, None)
    server.answer(PODS, listed("Pod", pod("a-0", "a", "198.18.0.1"), caller))
    server.answer(log("a-0"), MUTUAL)
    assert ask(server, "demo/a") == ({(None, 1, "mutual_tls")}, [])
