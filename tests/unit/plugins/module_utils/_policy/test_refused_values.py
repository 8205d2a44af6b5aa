# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that Istio would refuse, or that nobody knows yet, are unknown and not the safe default."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    workload,
)

STRICT = peer("istio-system/default", "STRICT")
FRONT = [{"name": "front", "port": 443, "targetPort": 8443}]
TRAFFIC = "traffic.sidecar.istio.io/"
EXCLUDE = TRAFFIC + "excludeInboundPorts"
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "istio", "labels": {"istio.io/rev": "default"}},
    "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system"}}}],
}
MODE = "sidecar.istio.io/interceptionMode"


@pytest.mark.parametrize(
    ("notes", "mode"),
    [
        ({MODE: "none"}, "unknown"),
        ({MODE: "Redirect"}, "unknown"),
        ({MODE: "TPROXY"}, "STRICT"),
        ({EXCLUDE: "8080-8090"}, "unknown"),
        ({EXCLUDE: "²"}, "unknown"),
        ({EXCLUDE: "70000"}, "unknown"),
        ({EXCLUDE: "9" * 5000}, "unknown"),
        ({EXCLUDE: " 9090, 9091"}, "STRICT"),
        ({EXCLUDE: "9090,"}, "unknown"),
        ({EXCLUDE: "*"}, "unknown"),
        ({EXCLUDE: "0"}, "STRICT"),
        ({EXCLUDE: "+9090"}, "unknown"),
        ({TRAFFIC + "excludeOutboundPorts": "*"}, "unknown"),
        ({TRAFFIC + "includeInboundPorts": "*,9090"}, "unknown"),
        ({TRAFFIC + "includeInboundPorts": " *"}, "unknown"),
        ({TRAFFIC + "includeOutboundIPRanges": "*"}, "STRICT"),
        ({TRAFFIC + "includeOutboundIPRanges": ""}, "STRICT"),
        ({TRAFFIC + "includeOutboundIPRanges": "10.0.0.0/8,fd00::/8"}, "STRICT"),
        ({TRAFFIC + "includeOutboundIPRanges": "10.0.0.0/8, 10.1.0.0/16"}, "unknown"),
        ({TRAFFIC + "excludeOutboundIPRanges": "*"}, "unknown"),
        ({TRAFFIC + "excludeOutboundIPRanges": "10.0.0.1"}, "unknown"),
        ({TRAFFIC + "excludeOutboundIPRanges": "10.0.0.0/255.0.0.0"}, "unknown"),
        ({TRAFFIC + "excludeOutboundIPRanges": "10.0.0.0/33"}, "unknown"),
        ({EXCLUDE: ""}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeInboundPorts": "*"}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeOutboundPorts": "x"}, "unknown"),
    ],
)
def test_settings_of_the_redirection(notes, mode):
    assert workload(judge(mesh_config(), STRICT, pod("demo/a", annotations=notes)), "demo/a")["mode"] == mode
    planned = deployment("demo/a", annotations=notes)
    result = judge(mesh_config(), WEBHOOK, namespace("demo", istio_injection="enabled"), STRICT, planned)
    assert (workload(result, "demo/a")["mode"], workload(result, "demo/a")["predicted"]) == (mode, True)


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        pytest.param(
            ["-m", "REDIRECT", "-b", "*", "-d", "15090,15021,", "-x", ""], "STRICT", id="what injection writes"
        ),
        pytest.param(["-b", "*", "-d", "*"], "unknown", id="all ports excluded"),
        pytest.param(["-i", "10.0.0.0/8, 10.1.0.0/16"], "STRICT", id="ranges of the chart"),
        pytest.param(["-x", "*"], "unknown", id="all ranges excluded"),
    ],
)
def test_arguments_of_the_redirection(arguments, mode):
    made = pod("demo/a", initContainers=[{"name": "istio-init", "args": arguments}])
    assert workload(judge(mesh_config(), STRICT, made), "demo/a")["mode"] == mode


@pytest.mark.parametrize("number", [True, -1, 0, 65536, "8080", "x", 8080.0, None])
def test_a_container_port_that_is_none(number):
    """Kubernetes takes no such pod: what runs in its place nobody knows, and nobody else is touched."""
    odd = pod("demo/a", ports=[{"containerPort": number}])
    result = judge(mesh_config(), STRICT, odd, pod("demo/b"), service("demo/b"))
    assert workload(result, "demo/a")["mode"] == "unknown"
    assert workload(result, "demo/b")["mode"] == "STRICT"
    assert {item["name"] for item in result["unknown"]} == {"a"}


@pytest.mark.parametrize(
    "spec",
    [
        {"mtls": {"mode": "strict"}},
        {"mtls": {"mode": "STRICT"}, "targetRefs": [{"kind": "Service", "name": "a"}]},
        {"mtls": {"mode": "STRICT"}, "targetRefs": []},
        {"mtls": {"mode": "STRICT", "Mode": "DISABLE"}},
        {"mtls": {"mode": "STRICT"}, "portLevelMTLS": {"8080": {"mode": "DISABLE"}}},
        {"mtls": {"mode": "STRICT"}, "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        {"mtls": {"mode": "STRICT"}, "selector": {"labels": {"app": "b"}}},
        {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"70000": {"mode": "STRICT"}}},
    ],
    ids=str,
)
def test_peer_authentications(spec):
    odd = {**peer("demo/p", "STRICT"), "spec": spec}
    result = judge(mesh_config(), STRICT, pod("demo/a"), odd)
    assert workload(result, "demo/a")["mode"] == "unknown"


def test_a_load_balancer_that_nobody_knows():
    odd = rule("demo/r", "a.demo.svc.cluster.local", {"loadBalancer": {"simple": "NEWEST"}})
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("demo/b"), service("demo/a"), odd)
    assert answer(result, "demo/b", "demo/a") == "unknown -> unknown"


@pytest.mark.parametrize(
    "spec",
    [
        {"trafficPolicy": {"Tls": {"mode": "DISABLE"}}},
        {"trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL", "Mode": "DISABLE"}}},
        {"trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, "TLS": {"mode": "DISABLE"}}]}},
        {"trafficpolicy": {"tls": {"mode": "DISABLE"}}},
        {"subsets": [{"name": "v1", "traffic_policy": {"tls": {"mode": "DISABLE"}}}]},
        {"workloadSelector": {"labels": {"app": "b"}}, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}},
    ],
    ids=str,
)
def test_a_destination_rule_with_a_field_that_is_none(spec):
    odd = istio("DestinationRule", "demo/r", {"host": "a.demo.svc.cluster.local", **spec})
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("demo/b"), service("demo/a"), odd)
    assert answer(result, "demo/b", "demo/a") == "unknown -> unknown"


def test_a_destination_rule_with_everything_that_it_may_have():
    whole = {
        "loadBalancer": {"simple": "LEAST_REQUEST", "warmupDurationSecs": "1s"},
        "connectionPool": {"tcp": {"maxConnections": 1}},
        "outlierDetection": {"consecutive5xxErrors": 1},
        "tls": {"mode": "ISTIO_MUTUAL", "sni": "x", "subjectAltNames": ["y"], "insecureSkipVerify": False},
    }
    policy = {**whole, "portLevelSettings": [{"port": {"number": 80}, **whole}], "proxyProtocol": {"version": "V1"}}
    good = istio("DestinationRule", "demo/r", {"host": "a.demo.svc.cluster.local", "trafficPolicy": policy})
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("demo/b"), service("demo/a"), good)
    assert answer(result, "demo/b", "demo/a") == "mtls -> mtls"


@pytest.mark.parametrize(
    ("protocol", "tls", "plaintext"),
    [
        ("HTTP", {}, "accepted"),
        ("http2", {"mode": "PASSTHROUGH"}, "accepted"),
        ("HTTP", {"httpsRedirect": True}, "accepted"),
        ("HTTP", {"mode": "SIMPLE", "credentialName": "x"}, "accepted"),
        ("GRPC", {"mode": "ISTIO_MUTUAL"}, "accepted"),
        ("HTTPS", {"mode": "SIMPLE", "credentialName": "x"}, "refused"),
        ("HTTPS", {"mode": "simple"}, "unknown"),
        ("TLS", "SIMPLE", "unknown"),
    ],
    ids=str,
)
def test_servers_of_a_gateway(protocol, tls, plaintext):
    """One of HTTP serves plaintext, whatever it says of TLS; the gateway's own port is not the mesh's."""
    server = {"port": {"number": 8443, "protocol": protocol, "name": "x"}, "hosts": ["*"], "tls": tls}
    one = istio("Gateway", "edge/g", {"selector": {"app": "gw"}, "servers": [server]})
    found = workload(judge(mesh_config(), pod("edge/gw", "gateway"), one, service("edge/gw", ports=FRONT)), "edge/gw")
    assert [port["plaintext"] for port in found["ports"] if port["port"] == 8443] == [plaintext]


@pytest.mark.parametrize("target", [-1, 70000, True, [80]], ids=str)
def test_a_target_port_that_is_none(target):
    odd = service("demo/a", ports=[{"name": "x", "port": 80, "targetPort": target}])
    result = judge(mesh_config(), STRICT, pod("demo/a"), odd)
    assert [item["kind"] for item in result["unknown"]] == ["Service"]
