# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Service behind the API server: whose answer it is, and what is said when there is none."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.faults import silent

ROUTE = "GET /api/v1/namespaces/istio-system/services/prometheus:9090/proxy/api/v1/query"


def ask(cluster, seconds=5, most=1000):
    return api.get_through_service(
        cluster, "istio-system/prometheus:9090", "/api/v1/query", {"query": "up"}, seconds, most
    )


@pytest.mark.parametrize(
    ("status", "body"), [(200, '{"status":"success"}'), (400, '{"status":"error"}'), (404, "404 page not found")]
)
def test_the_services_own_answer(server, cluster, status, body):
    server.answer(ROUTE, (status, body))
    assert ask(cluster) == (status, body.encode())
    ((_method, _path, query, _body, headers),) = server.requests
    assert query == {"query": "up"}
    assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (401, "Unauthorized", "check that the token or client certificate"),
        (403, 'services "prometheus:9090" is forbidden', "ask for the ClusterRole meshproof-prometheus"),
        (404, 'services "prometheus" not found', "correct the option service"),
        (503, 'no endpoints available for service "prometheus"', "that its pods are ready"),
    ],
)
def test_the_api_servers_answer(server, cluster, status, message, remedy):
    server.answer(ROUTE, (status, {"kind": "Status", "message": message}))
    with pytest.raises(api.ClusterError) as caught:
        ask(cluster)
    assert caught.value.status == status
    assert "The Service istio-system/prometheus:9090 cannot be reached through the API server" in str(caught.value)
    assert f"{message} (HTTP {status}). Remedy: " in str(caught.value)
    assert remedy in str(caught.value)
    assert len(server.requests) == 1


def test_no_more_is_read_than_is_asked_for(server, cluster):
    server.answer(ROUTE, "x" * 5000)
    assert ask(cluster, most=1000) == (200, b"x" * 1001)


def test_silence_and_nobody_there(server, cluster):
    server.answer(ROUTE, silent)
    with pytest.raises(api.ClusterError, match=r"did not answer within 0.2 s .*Remedy: ask for a shorter window"):
        ask(cluster, seconds=0.2)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(api.ClusterError, match="cannot be reached"):
        ask(cluster)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"message": "no rights.", "reason": "Forbidden"}, "no rights"),
        ({"reason": "Forbidden"}, "Forbidden"),
        ({}, "no message"),
    ],
    ids=["its message", "else its reason", "else that there is none"],
)
def test_what_the_api_server_says(server, cluster, words, said):
    server.answer(ROUTE, (503, {"kind": "Status", **words}))
    with pytest.raises(api.ClusterError) as caught:
        ask(cluster)
    assert f": {said} (HTTP 503)." in str(caught.value)
