# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to upstreams: as recorded of a real proxy, and in the corners."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import clusters
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Shared
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    configs,
    context,
    mesh,
)

MUTUAL_TLS = context("UpstreamTlsContext", **mesh(), alpn_protocols=["istio"])
OWN = context("UpstreamTlsContext", **mesh("file-cert:c~k", "file-root:r"))
FILES = context("UpstreamTlsContext", **mesh("file-cert:c~k", "file-root:r"), alpn_protocols=["istio", "h2"])
SIMPLE = context("UpstreamTlsContext", validation_context={"trusted_ca": {"filename": "r"}})
UNCHECKED = context("UpstreamTlsContext", tls_certificate_sds_secret_configs=[{"name": "default"}])
TUNNEL = {"name": "envoy.transport_sockets.internal_upstream", "typed_config": {"@type": "x.InternalUpstreamTransport"}}
RAW = {"name": "envoy.transport_sockets.raw_buffer"}
FOREIGN = {"name": "envoy.transport_sockets.proxy_protocol", "typed_config": {"@type": "x.ProxyProtocol"}}
NAME = "outbound|80|v1|a.demo.svc.cluster.local"
AUTO = [
    {"name": "tunnel", "match": {"tunnel": "http"}, "transport_socket": TUNNEL},
    {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": MUTUAL_TLS},
    {"name": "tlsMode-disabled", "match": {}, "transport_socket": RAW},
]


def assignment(*metadata, name=NAME, address=None):
    endpoints = [
        {
            "endpoint": {"address": address or {"socket_address": {"address": f"10.0.0.{number}", "port_value": 8080}}},
            "metadata": {"filter_metadata": {"envoy.transport_socket_match": labels}},
        }
        for number, labels in enumerate(metadata)
    ]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}


def ask(cluster, *assignments, reason=""):
    found = [{"endpoint_config": item} for item in assignments]
    return clusters.upstreams([{"cluster": {"name": NAME, **cluster}}], found, Shared(), reason)


def test_recorded_of_a_real_sidecar():
    found = clusters.upstreams(configs("strict", "clusters"), configs("strict", "endpoints"), Shared())
    seen = {
        (item.host.split(".")[0], item.port): (item.sends, [endpoint.sends for endpoint in item.endpoints])
        for item in found
    }
    assert {place: answer for place, answer in seen.items() if place[1] == 80} == {
        ("bare", 80): ("auto", ["plaintext"]),
        ("strict", 80): ("auto", ["mtls", "mtls"]),
        ("open", 80): ("plaintext", ["plaintext"]),
        ("off", 80): ("auto", ["plaintext"]),
        ("ports", 80): ("mtls", ["mtls"]),
        ("excluded", 80): ("simple", ["simple"]),
    }
    assert len(seen) == 12
    assert all(endpoint.address.count(":") == 1 for item in found for endpoint in item.endpoints)


@pytest.mark.parametrize(
    ("socket", "sends"),
    [
        (MUTUAL_TLS, "mtls"),
        (FILES, "mtls"),
        (TUNNEL, "hbone"),
        (OWN, "mutual"),
        (UNCHECKED, "mutual"),
        (SIMPLE, "simple"),
        (RAW, "plaintext"),
        ({}, "plaintext"),
        (FOREIGN, "unknown"),
    ],
)
def test_one_socket_for_all_endpoints(socket, sends):
    [found] = ask({"transport_socket": socket}, assignment({}, {"tlsMode": "istio"}))
    assert (found.cluster, found.host, found.port, found.subset) == (NAME, "a.demo.svc.cluster.local", 80, "v1")
    assert (found.sends, [endpoint.sends for endpoint in found.endpoints]) == (sends, [sends, sends])
    assert bool(found.reason) == (sends == "unknown")


def test_each_endpoint_chooses_its_socket():
    [found] = ask(
        {"transport_socket_matches": AUTO},
        assignment({"tlsMode": "istio"}, {}, {"tlsMode": "disabled"}, {"tunnel": "http", "tlsMode": "istio"}),
    )
    assert (found.sends, [tuple(endpoint) for endpoint in found.endpoints]) == (
        "auto",
        [
            ("10.0.0.0:8080", "mtls"),
            ("10.0.0.1:8080", "plaintext"),
            ("10.0.0.2:8080", "plaintext"),
            ("10.0.0.3:8080", "hbone"),
        ],
    )


def test_without_a_match_the_clusters_own_socket_counts():
    [found] = ask({"transport_socket_matches": AUTO[1:2], "transport_socket": SIMPLE}, assignment({}))
    assert found.endpoints[0].sends == "simple"


def test_a_way_of_choosing_that_is_not_known():
    [found] = ask({"transport_socket_matches": AUTO, "transport_socket_matcher": {"matcher": 1}}, assignment({}))
    assert (found.sends, found.endpoints[0].sends) == ("unknown", "unknown")


def test_endpoints_written_into_the_cluster_and_under_another_name():
    [inline] = ask({"load_assignment": assignment({}), "transport_socket": SIMPLE})
    [renamed] = ask({"eds_cluster_config": {"service_name": "other"}}, assignment({}, name="other"))
    assert (len(inline.endpoints), len(renamed.endpoints)) == (1, 1)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ({"socket_address": {"address": "2001:db8::1", "port_value": 80}}, "[2001:db8::1]:80"),
        ({"envoy_internal_address": {"server_listener_name": "out", "endpoint_id": "10.0.0.1:80"}}, "10.0.0.1:80"),
        ({"pipe": {"path": "/run/x"}}, "unix:/run/x"),
    ],
)  # fmt: skip
def test_addresses(address, text):
    [found] = ask({}, assignment({}, address=address))
    assert [endpoint.address for endpoint in found.endpoints] == [text]


@pytest.mark.parametrize("name", ["inbound|80||", "PassthroughCluster", "outbound_.80_._.a", "outbound|x||a", "", None])
def test_clusters_that_are_no_upstreams_are_left_out(name):
    assert clusters.upstreams([{"cluster": {"name": name}}, None, 1], [], Shared()) == ()


def test_why_there_are_no_endpoints():
    [found] = clusters.upstreams([{"cluster": {"name": NAME}}], None, Shared(), "its answer is too long")
    assert (found.endpoints, found.reason) == ((), "its answer is too long")


@pytest.mark.parametrize("port", ["x", None, -1, 70_000, "\u00b2", [80]])
def test_an_endpoint_whose_port_is_none_is_nowhere(port):
    [found] = ask({}, assignment({}, address={"socket_address": {"address": "10.0.0.1", "port_value": port}}))
    assert [endpoint.address for endpoint in found.endpoints] == [""]


def test_of_two_answers_for_one_cluster_both_count():
    [found] = ask({"transport_socket_matches": AUTO}, assignment({"tlsMode": "istio"}), assignment({}))
    assert {endpoint.sends for endpoint in found.endpoints} == {"mtls", "plaintext"}


def test_more_sockets_than_istio_writes_are_not_chosen_from():
    [found] = ask({"transport_socket_matches": AUTO * 10}, assignment({"tlsMode": "istio"}))
    assert (found.sends, found.endpoints[0].sends) == ("unknown", "unknown")


def test_clusters_that_share_their_endpoints_do_not_multiply():
    shared = {"endpoint_config": assignment(*[{}] * 300, name="all")}
    many = [
        {"cluster": {"name": f"outbound|{port}||a", "eds_cluster_config": {"service_name": "all"}}}
        for port in range(1, 300)
    ]
    with pytest.raises(Unreadable, match="share their endpoints"):
        clusters.upstreams(many, [shared], Shared())
