# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import random

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic import series

LABELS = {
    "source_workload": "service-b",
    "source_workload_namespace": "demo",
    "source_principal": "spiffe://cluster.local/ns/demo/sa/service-b",
    "destination_workload": "service-a",
    "destination_workload_namespace": "demo",
    "destination_principal": "spiffe://cluster.local/ns/demo/sa/service-a",
    "destination_service_name": "service-a",
    "destination_service_namespace": "demo",
    "request_protocol": "http",
    "connection_security_policy": "mutual_tls",
}


def vector(*samples, **beside):
    result = [{"metric": labels, "value": [1700000000, value]} for labels, value in samples]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **beside}).encode()


def rows(*samples, workloads=(), namespaces=()):
    return series.count([("http", series.parse(vector(*samples)))], workloads, namespaces).rows()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "the answer is not JSON"),
        (b"", "the answer is not JSON"),
        (b"[]", "not one of Prometheus' API"),
        (b'{"status":"ok"}', "not one of Prometheus' API"),
        (
            b'{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}',
            "Prometheus refuses: timeout: query timed out",
        ),
        (b'{"status":"success"}', "the answer is no vector"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "the answer is no vector"),
        (b'{"status":"success","data":{"resultType":"vector","result":{}}}', "the answer is no vector"),
        (b'{"status":"success","data":null}', "the answer is no vector"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":' + b"[" * 50_000,
            "the answer is nested too deep",
        ),
        (b'{"status":"error"}', "Prometheus refuses: None: None"),
        (b"\xff", "the answer is not UTF-8"),
    ],
)
def test_what_is_no_answer(body, problem):
    with pytest.raises(series.AnswerError, match=problem):
        series.parse(body)


@pytest.mark.parametrize(
    ("warnings", "kept", "whole"),
    [
        ([], (), True),
        (["store down"], ("store down",), False),
        ("store down", ("store down",), False),
        ([{"a": 1}], ("{'a': 1}",), False),
        (["\u001b[2J\n"], ("\\u001b[2J ",), False),
        # What PromQL says of single series, which anybody can export.
        (["PromQL info: ignored histograms"], ("PromQL info: ignored histograms",), True),
    ],
)
def test_warnings_are_kept_and_those_of_storages_make_the_answer_a_part(warnings, kept, whole):
    answer = series.parse(vector(warnings=warnings))
    assert (answer.samples, answer.warnings, answer.whole) == ([], kept, whole)


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        [],
        "x",
        {},
        {"metric": None},
        {"metric": []},
        {"metric": {"a": 1}},
        {"metric": {"a": None}, "value": [1, "1"]},
    ],
)
def test_a_series_without_labels_costs_only_itself_and_is_told(item):
    body = json.loads(vector((LABELS, "10")))
    body["data"]["result"].append(item)
    answer = series.parse(json.dumps(body).encode())
    assert ([value for _labels, value in answer.samples], answer.unread, answer.whole) == ([10.0], 1, False)


def test_more_series_than_anybody_needs_are_not_used(monkeypatch):
    monkeypatch.setattr(series, "MOST_SAMPLES", 1)
    with pytest.raises(series.AnswerError, match="too many samples"):
        series.parse(vector((LABELS, "1"), (LABELS, "1")))


@pytest.mark.parametrize(
    ("changed", "key", "value"),
    [
        ({}, "source", {"workload": "demo/service-b", "principal": "spiffe://cluster.local/ns/demo/sa/service-b"}),
        ({"source_workload": "unknown"}, "source", {"workload": None, "principal": LABELS["source_principal"]}),
        ({"source_principal": "unknown"}, "source", {"workload": "demo/service-b", "principal": None}),
        ({}, "port", None),
        ({"destination_port": "8080"}, "port", 8080),
        ({"destination_port": "unknown"}, "port", None),
        ({"destination_port": "²"}, "port", None),
        ({"destination_port": "9" * 5000}, "port", None),
        ({}, "protocol", "http"),
        ({"request_protocol": "grpc"}, "protocol", "grpc"),
        ({"request_protocol": "unknown"}, "protocol", "http"),
        ({"connection_security_policy": "mutual_tls"}, "security", "mutual_tls"),
        ({"connection_security_policy": "none"}, "security", "plaintext"),
        ({"connection_security_policy": "unknown"}, "security", "unknown"),
        ({"connection_security_policy": "mutual_tls_of_the_future"}, "security", "unknown"),
        ({"connection_security_policy": ""}, "security", "unknown"),
    ],
)
def test_labels(changed, key, value):
    (row,) = rows(({**LABELS, **changed}, "10"))
    assert row[key] == value


@pytest.mark.parametrize(
    ("changed", "service"),
    [
        ({}, "demo/service-a"),
        ({"destination_service_name": "InboundPassthroughCluster"}, None),
        ({"destination_service_name": "unknown"}, None),
        ({"destination_service_namespace": "unknown"}, None),
    ],
)
def test_the_service(changed, service):
    (row,) = rows(({**LABELS, **changed}, "10"))
    assert row["destination"]["service"] == service


NO_NUMBER = [
    "NaN",
    "nan",
    "+Inf",
    "-Inf",
    "-5",
    "-0.5",
    "1e400",
    "1e300",
    "²",
    "٣",
    "1_0",
    " 1",
    "much",
    "",
    "0x1",
    None,
    5,
]


@pytest.mark.parametrize("value", NO_NUMBER)
@pytest.mark.parametrize(
    ("policy", "security"), [("none", "mixed"), ("mutual_tls", "unknown"), ("unknown", "unknown"), ("", "unknown")]
)
def test_a_series_that_is_no_counter_takes_nothing_away(value, policy, security):
    (row,) = rows((LABELS, "10"), ({**LABELS, "connection_security_policy": policy}, value))
    assert (row["requests"], row["mutual_tls"], row["security"]) == (11, 10, security)


@pytest.mark.parametrize("sample", [{"histogram": [1, {}]}, {"value": []}, {"value": "10"}, {"value": {"1": "10"}}])
def test_a_series_without_a_value_is_no_counter(sample):
    body = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": LABELS, **sample}]}}
    answer = series.parse(json.dumps(body).encode())
    (row,) = series.count([("http", answer)]).rows()
    assert row["security"] == "unknown"


def test_equal_series_add_up():
    (row,) = rows((LABELS, "10"), (LABELS, "10"), ({**LABELS, "began": "yes"}, "1"))
    assert (row["requests"], row["security"]) == (21, "mutual_tls")


OWN = {"namespace": "demo", "pod": "service-a-5f5b8-x7k2p"}
LONG = "a" * 60


@pytest.mark.parametrize(
    ("by", "exporter"),
    [
        pytest.param({}, None, id="no label tells"),
        pytest.param(OWN, None, id="a pod of the server's"),
        pytest.param({"kubernetes_namespace": "demo", "kubernetes_pod_name": "service-a-0"}, None, id="older labels"),
        pytest.param(
            {"namespace": "demo", "kubernetes_namespace": "demo", "pod": "service-a-0"}, None, id="both, alike"
        ),
        pytest.param(
            {"namespace": "demo", "kubernetes_namespace": "attacker", "pod": "service-a-0"},
            "*/service-a-0",
            id="both, of which the pod chose one",
        ),
        pytest.param(
            {"namespace": "demo", "pod": "service-a-0", "kubernetes_pod_name": "evil"},
            "demo/*",
            id="two names of the pod, of which it chose one",
        ),
        pytest.param({"namespace": "demo"}, None, id="the server's namespace"),
        pytest.param({"pod": "service-a"}, None, id="a pod without a controller"),
        pytest.param({"namespace": "istio-system", "pod": "ztunnel-8xk2p"}, None, id="ztunnel"),
        pytest.param({"namespace": "demo", "pod": "service-ab-0"}, "demo/service-ab-0", id="a neighbour"),
        pytest.param({"namespace": "demo", "pod": "evil"}, "demo/evil", id="a neighbour with another name"),
        pytest.param(
            {"namespace": "attacker", "pod": "service-a-0"}, "attacker/service-a-0", id="a namesake elsewhere"
        ),
        pytest.param({"namespace": "attacker"}, "attacker/*", id="another namespace"),
        pytest.param({"pod": "evil"}, "*/evil", id="another pod"),
        pytest.param({"namespace": "attacker", "pod": "ztunnel-8xk2p"}, "attacker/ztunnel-8xk2p", id="a false ztunnel"),
        pytest.param({"namespace": "a\nb", "pod": "x" * 300}, "*/*", id="what no pod is called"),
    ],
)
@pytest.mark.parametrize("policy", ["none", "mutual_tls"])
def test_who_speaks_for_a_server(by, exporter, policy):
    (row,) = rows(({**LABELS, **by, "connection_security_policy": policy}, "10"))
    assert row["exporter"] == exporter
    assert row["security"] == ("unknown" if exporter else "plaintext" if policy == "none" else "mutual_tls")


def test_kubernetes_cuts_long_names_of_pods():
    labels = {**LABELS, "destination_workload": LONG, "namespace": "demo", "pod": LONG[:58] + "x7k2p"}
    (row,) = rows((labels, "10"))
    assert row["exporter"] is None


@pytest.mark.parametrize("value", ["-100000", "NaN", "+Inf", "5"])
@pytest.mark.parametrize("policy", ["none", "mutual_tls", "unknown"])
@pytest.mark.parametrize("changed", [{}, {"source_workload": "other"}, {"destination_workload": "unknown"}])
def test_what_a_stranger_exports_changes_no_row_of_others(value, policy, changed):
    honest = [({**LABELS, **OWN}, "100"), ({**LABELS, **OWN, "connection_security_policy": "none"}, "5")]
    stranger = {**LABELS, "namespace": "attacker", "pod": "evil", "connection_security_policy": policy, **changed}
    with_stranger = rows(*honest, (stranger, value))
    assert [row for row in with_stranger if not row["exporter"]] == rows(*honest)
    assert {row["security"] for row in with_stranger if row["exporter"]} == {"unknown"}


@pytest.mark.parametrize(
    ("label", "value", "key"),
    [
        ("source_workload", "a/b", "source"),
        ("source_workload", "a\nb", "source"),
        ("source_workload", "a" * 100_000, "source"),
        ("source_workload_namespace", "\u202edemo", "source"),
        ("destination_workload", "service-a extra", "destination"),
    ],
)
def test_what_no_object_can_be_called_is_no_name(label, value, key):
    (row,) = rows(({**LABELS, label: value}, "10"))
    assert row[key]["workload"] is None


@pytest.mark.parametrize("value", ["a\nb", "x" * 5000, "\x1b[2J"])
def test_what_no_identity_is_like_is_none(value):
    (row,) = rows(({**LABELS, "source_principal": value}, "10"))
    assert row["source"]["principal"] is None


@pytest.mark.parametrize(
    ("workloads", "namespaces", "expected"),
    [
        ([], [], ["demo/other", "demo/service-a", "shop/service-a"]),
        (["demo/other"], [], ["demo/other"]),
        (["demo/other"], ["shop"], ["demo/other", "shop/service-a"]),
    ],
)
def test_only_what_was_asked_about(workloads, namespaces, expected):
    other = {**LABELS, "destination_workload": "other"}
    shop = {**LABELS, "destination_workload_namespace": "shop"}
    found = rows((LABELS, "1"), (other, "1"), (shop, "1"), workloads=workloads, namespaces=namespaces)
    assert [row["destination"]["workload"] for row in found] == expected


def reporters(*given):
    """Each by who reports and for which namespace, and from which namespace it comes if that is told."""
    samples = [
        ({"reporter": by, "destination_workload_namespace": namespace, "namespace": "".join(exporter)}, "3")
        for by, namespace, *exporter in given
    ]
    return series.parse(vector(*samples))


@pytest.mark.parametrize(
    ("counted", "reporting", "namespaces", "workloads", "expected"),
    [
        (True, [("destination", "demo")], [], [], []),
        (True, [("destination", "demo"), ("source", "demo")], ["demo"], [], []),
        (False, [], [], [], [(None, "this Prometheus has no series")]),
        (True, [], ["demo"], [], [(None, "the series end before now")]),
        (False, [("destination", "demo")], [], [], [("demo", "nothing was called in the last 5m")]),
        (True, [("destination", "demo"), ("source", "shop")], [], [], [("shop", "only source reports")]),
        (True, [("destination", "demo")], ["demo", "shop"], [], [("shop", "no proxy reports a call to it")]),
        (True, [("destination", "demo"), ("waypoint", "shop")], [], [], [("shop", "only waypoint reports")]),
        (True, [("destination", "demo"), ("source", "unknown")], [], [], [(None, "whose server is no known workload")]),
        (True, [("destination", "demo")], ["demo"], ["demo/service-a"], []),
        (True, [("destination", "demo")], ["demo"], ["demo/other"], [("demo", "no call to it was reported")]),
        (True, [("destination", "demo", "demo"), ("source", "demo", "shop")], ["demo"], [], []),
        # Who speaks for another namespace does not make it one whose proxies report.
        (
            True,
            [("destination", "demo"), ("destination", "shop", "attacker")],
            ["demo", "shop"],
            [],
            [("shop", "no proxy reports a call to it")],
        ),
    ],
)
def test_gaps(counted, reporting, namespaces, workloads, expected):
    found = rows((LABELS, "10")) if counted else []
    gaps = series.gaps(found, reporters(*reporting), namespaces, workloads, 300)
    assert [gap["namespace"] for gap in gaps] == [namespace for namespace, _reason in expected]
    assert [reason for _namespace, reason in expected if not any(reason in gap["reason"] for gap in gaps)] == []


def test_who_speaks_for_others_is_told_and_is_no_sight_of_them():
    found = rows(({**LABELS, "namespace": "attacker", "pod": "evil"}, "10"))
    gaps = series.gaps(found, reporters(("destination", "demo")), ["demo"], (), 300)
    assert [gap["namespace"] for gap in gaps] == ["attacker", "demo"]
    assert "demo/service-a (by attacker/evil). Remedy: " in gaps[0]["reason"]
    assert "nothing was called in the last 5m" in gaps[1]["reason"]


def test_random_series_beside_honest_ones_better_nothing():
    """Whatever stands beside plaintext: it stays plaintext, and nothing ends the run."""
    chance = random.Random(11)
    honest = [({**LABELS, **OWN, "connection_security_policy": "none"}, "5"), ({**LABELS, **OWN}, "100")]
    words = ["none", "mutual_tls", "unknown", "", "demo", "service-a", "attacker", "a\nb", "²", "x" * 300, 5, None, []]
    for _round in range(400):
        labels = {
            **LABELS,
            **OWN,
            **{chance.choice([*LABELS, *OWN, "began"]): chance.choice(words) for _number in range(3)},
        }
        item = {"metric": labels, "value": [0, chance.choice([*NO_NUMBER, "7"])]}
        body = json.loads(vector(*honest))
        body["data"]["result"].insert(chance.randrange(3), chance.choice([item, labels, None, [], {"metric": item}]))
        answer = series.parse(json.dumps(body).encode())
        (row,) = own_row(answer)
        assert row["security"] == "mixed", item


def own_row(answer):
    """The row to which the honest series belong."""
    wanted = rows(({**LABELS, **OWN}, "1"))[0]
    keys = ("source", "destination", "port", "protocol", "exporter")
    return [row for row in series.count([("http", answer)]).rows() if all(row[key] == wanted[key] for key in keys)]
