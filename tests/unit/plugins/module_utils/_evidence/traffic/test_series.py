# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

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
        (b"<html>", "the answer is no JSON"),
        (b"", "the answer is no JSON"),
        (b"[]", "not one of Prometheus' API"),
        (b'{"status":"ok"}', "not one of Prometheus' API"),
        (
            b'{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}',
            "Prometheus refuses: timeout: query timed out",
        ),
        (b'{"status":"success"}', "the answer is no vector"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "the answer is no vector"),
        (b'{"status":"success","data":{"resultType":"vector","result":{}}}', "the answer is no vector"),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', "without labels or value"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"much"]}]}}',
            "without labels or value",
        ),
    ],
)
def test_what_is_no_answer(body, problem):
    with pytest.raises(series.AnswerError, match=problem):
        series.parse(body)


def test_warnings_are_kept():
    assert series.parse(vector(warnings=["store down"])).warnings == ("store down",)
    assert series.parse(vector()) == ([], ())


@pytest.mark.parametrize(
    ("changed", "key", "value"),
    [
        ({}, "source", {"workload": "demo/service-b", "principal": "spiffe://cluster.local/ns/demo/sa/service-b"}),
        ({"source_workload": "unknown"}, "source", {"workload": None, "principal": LABELS["source_principal"]}),
        ({"source_principal": "unknown"}, "source", {"workload": "demo/service-b", "principal": None}),
        ({}, "port", None),
        ({"destination_port": "8080"}, "port", 8080),
        ({"destination_port": "unknown"}, "port", None),
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


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_a_number_that_is_none_is_unknown(value):
    (row,) = rows((LABELS, "10"), (LABELS, value))
    assert (row["requests"], row["security"]) == (11, "unknown")


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


def reporters(*pairs):
    samples = [({"reporter": by, "destination_workload_namespace": namespace}, "3") for by, namespace in pairs]
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
    ],
)
def test_gaps(counted, reporting, namespaces, workloads, expected):
    found = rows((LABELS, "10")) if counted else []
    gaps = series.gaps(found, reporters(*reporting), namespaces, workloads, 300)
    assert [gap["namespace"] for gap in gaps] == [namespace for namespace, _reason in expected]
    assert [reason for _namespace, reason in expected if not any(reason in gap["reason"] for gap in gaps)] == []
