# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of which Services are asked, and at which addresses."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import plan
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Endpoint, TargetError


def service(name="a", ports=None, **spec):
    spec = {"selector": {"app": name}, "clusterIP": "10.96.0.7", **spec}
    spec["ports"] = ports or [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    return {"kind": "Service", "metadata": {"namespace": "demo", "name": name}, "spec": spec}


def endpoint_slice(name="a", endpoints=(), port=8080, port_name="http", **more):
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "demo", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": list(endpoints),
        **more,
    }


def endpoint(address, pod="a-1", **conditions):
    return {"addresses": [address], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def test_every_tcp_port_of_every_service_with_a_selector():
    services = [
        service("b", [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]),
        service("a"),
        service("manual", selector=None),
    ]
    targets = plan.find_targets(services, [])
    assert [(target.service, target.port) for target in targets] == [("demo/a", 80), ("demo/b", 80)]


def test_endpoints_are_the_ready_ones_of_this_port():
    slices = [
        endpoint_slice(endpoints=[endpoint("10.1.0.2", ready=True), endpoint("10.1.0.3", ready=False)]),
        endpoint_slice(endpoints=[endpoint("10.1.0.4")]),
        endpoint_slice(endpoints=[endpoint("10.1.0.2")], port=9090, port_name="metrics"),
        endpoint_slice(endpoints=[endpoint("fd00::2")], addressType="IPv6"),
        endpoint_slice("other", endpoints=[endpoint("10.1.0.9")]),
    ]
    [target] = plan.find_targets([service()], slices)
    assert target.endpoints == (Endpoint("10.1.0.2", 8080, "a-1"), Endpoint("10.1.0.4", 8080, "a-1"))


def test_no_more_endpoints_than_wanted_but_all_are_counted():
    slices = [endpoint_slice(endpoints=[endpoint(f"10.1.0.{number}") for number in range(20)])]
    [target] = plan.find_targets([service()], slices, most_endpoints=3)
    assert (len(target.endpoints), target.endpoints_total) == (3, 20)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"service": "demo/x"}, "There is no Service demo/x"),
        ({"service": "demo/a", "port": 81}, "no TCP port 81. Remedy: choose one of its ports: 80"),
        ({"service": "demo/outside"}, "is an ExternalName"),
    ],
)
def test_a_target_that_is_not_there(wanted, message):
    services = [service(), service("outside", type="ExternalName", clusterIP=None)]
    with pytest.raises(TargetError, match=message):
        plan.find_targets(services, [], [wanted])


def test_a_target_that_was_asked_for_needs_no_selector():
    targets = plan.find_targets([service(selector=None)], [], [{"service": "demo/a", "port": None}])
    assert [target.port for target in targets] == [80]


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        ({"name": "http"}, "http"),
        ({"name": "http-web"}, "http"),
        ({}, "http"),
        ({"name": "anything"}, "http"),
        ({"name": "grpc"}, "grpc"),
        ({"name": "grpc-web"}, "grpc"),
        ({"name": "GRPC-api"}, "grpc"),
        ({"name": "http2-api"}, "grpc"),
        ({"name": "web", "appProtocol": "grpc"}, "grpc"),
        ({"name": "tcp", "appProtocol": "kubernetes.io/h2c"}, "grpc"),
        ({"name": "tcp-db"}, "tcp"),
        ({"name": "mysql"}, "tcp"),
        ({"name": "https"}, "tcp"),
        ({"name": "http", "appProtocol": "tcp"}, "tcp"),
        ({"name": "http", "appProtocol": "kubernetes.io/wss"}, "tcp"),
    ],
)
def test_protocol(port, protocol):
    assert plan.protocol_of(port) == protocol


def pod(name="a-1", address="10.1.0.2", phase="Running", containers=None, **spec):
    ports = [
        {"name": "web", "containerPort": 8080},
        {"name": "grpc-health", "containerPort": 5000, "protocol": "TCP"},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
    ]
    proxy = {"name": "istio-proxy", "ports": [{"containerPort": 15090}, {"containerPort": 9999}]}
    spec = {"containers": containers or [{"name": "app", "ports": ports}], "initContainers": [proxy], **spec}
    return {
        "kind": "Pod",
        "metadata": {"namespace": "demo", "name": name},
        "spec": spec,
        "status": {"phase": phase, "podIP": address},
    }


def test_every_declared_tcp_port_of_a_pod_but_its_proxys():
    targets = plan.find_pod_targets([pod()], [{"pod": "demo/a-1"}])
    assert [(target.pod, target.service, target.port, target.protocol) for target in targets] == [
        ("demo/a-1", None, 5000, "grpc"),
        ("demo/a-1", None, 8080, "http"),
    ]
    assert targets[0].endpoints == (Endpoint("10.1.0.2", 5000, "a-1", "default"),)


def test_any_port_of_a_pod_and_what_its_service_says_of_it():
    slices = [endpoint_slice(endpoints=[endpoint("10.1.0.2")])]
    services = plan.find_targets([service(ports=[{"name": "http", "port": 80, "appProtocol": "tcp"}])], slices)
    wanted = [{"pod": "demo/a-1", "port": 8080}, {"pod": "demo/a-1", "port": 7}, {"pod": "demo/a-1", "port": 7}]
    targets = plan.find_pod_targets([pod()], wanted, services)
    assert [(target.port, target.protocol) for target in targets] == [(7, "http"), (8080, "tcp")]


@pytest.mark.parametrize("pods", [[], [pod(address=None)], [pod(phase="Succeeded")], [pod("other")]])
def test_a_pod_that_cannot_be_asked(pods):
    with pytest.raises(TargetError, match="There is no running pod demo/a-1"):
        plan.find_pod_targets(pods, [{"pod": "demo/a-1"}])


def test_the_pods_behind_services_that_are_still_there():
    slices = [endpoint_slice(endpoints=[endpoint("10.1.0.2"), endpoint("10.1.0.3", "a-2"), endpoint("10.1.0.9", None)])]
    targets = plan.find_targets([service()], slices)
    assert plan.pods_behind(targets, [pod(), pod("b-1"), pod("a-2", phase="Failed")]) == [{"pod": "demo/a-1"}]


@pytest.mark.parametrize(("address", "host"), [("10.1.0.2", "10.1.0.2"), ("fd00::2", "[fd00::2]")])
def test_asks_of_a_pod(address, host):
    targets = plan.find_pod_targets([pod(address=address)], [{"pod": "demo/a-1", "port": 5000}])
    ask = {"address": address, "port": 5000, "host": host, "protocol": "grpc"}
    assert plan.outside_asks(targets) == [{"id": "0/0", **ask}]
    assert plan.request_asks(targets) == [{"id": "0/request", "attempts": 1, **ask}]
    assert plan.handshake_asks(targets) == [{"id": "0/0", **ask}]


def test_asks():
    slices = [endpoint_slice(endpoints=[endpoint("10.1.0.2")])]
    headless = [endpoint_slice("h", endpoints=[endpoint("10.1.0.5")])]
    targets = plan.find_targets([service(), service("h", clusterIP="None")], slices + headless)
    outside = [(ask["id"], ask["address"], ask["port"]) for ask in plan.outside_asks(targets)]
    assert outside == [("0/service", "10.96.0.7", 80), ("0/0", "10.1.0.2", 8080), ("1/0", "10.1.0.5", 8080)]
    requests = [(ask["id"], ask["address"], ask["host"]) for ask in plan.request_asks(targets)]
    assert requests == [("0/request", "10.96.0.7", "a.demo.svc"), ("1/request", "h.demo.svc", "h.demo.svc")]
    assert [ask["id"] for ask in plan.handshake_asks(targets)] == ["0/0", "1/0"]


@pytest.mark.parametrize(
    ("address", "known"),
    [
        pytest.param("10.1.0.2", ("a-1", "default"), id="the pod's address"),
        pytest.param("fd00::2", ("a-1", "default"), id="of the other family, of which nothing is read"),
        pytest.param("10.1.0.9", (None, None), id="somebody else's: a slice can name any pod"),
    ],
)
def test_an_endpoint_is_the_pod_that_its_slice_names_only_at_that_pods_address(address, known):
    kind = "IPv6" if ":" in address else "IPv4"
    slices = [{**endpoint_slice(endpoints=[endpoint(address)]), "addressType": kind}]
    asked = service()
    asked["spec"]["ipFamilies"] = [kind]
    [target] = plan.find_targets([asked], slices, pods=[pod()])
    assert [(one.pod, one.account) for one in target.endpoints] == [known]


@pytest.mark.parametrize(("said", "ambient"), [("enabled", True), ("pending", False), ("", False)])
def test_an_ambient_endpoint_is_asked_through_its_tunnel(said, ambient):
    running = pod()
    running["metadata"]["annotations"] = {"ambient.istio.io/redirection": said}
    slices = [endpoint_slice(endpoints=[endpoint("10.1.0.2")])]
    targets = plan.find_targets([service()], slices, pods=[running])
    targets += plan.find_pod_targets([running], [{"pod": "demo/a-1", "port": 8080}])
    assert [ask.get("hbone", False) for ask in plan.handshake_asks(targets)] == [ambient] * 2
    assert not any("hbone" in ask for ask in plan.outside_asks(targets))


def of(namespace, *sizes):
    """A namespace's targets with so many endpoints each."""
    return [
        plan.Target(
            namespace,
            f"s{number}",
            80,
            "http",
            None,
            tuple(Endpoint(f"10.0.{number}.{i}", 80, None) for i in range(size)),
            size,
        )
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("targets", "asked"),
    [
        pytest.param([*of("a", 2, 2), *of("b", 3)], ["a/s0", "a/s1", "b/s0"], id="all, where they are few enough"),
        pytest.param([*of("a", *[5] * 9), *of("b", 3)], ["a/s0", "b/s0"], id="a crowd takes nothing from others"),
        pytest.param(
            [*of("a", *[2] * 9), *of("b", 1)], ["a/s0", "a/s1", "a/s2", "a/s3", "b/s0"], id="it gets the rest"
        ),
        pytest.param([*of("a", 11, 1), *of("b", 1)], ["a/s1", "b/s0"], id="a big one leaves others theirs"),
    ],
)
def test_each_namespace_gets_its_share_of_what_a_probe_can_ask(targets, asked):
    found = plan.within(targets, 10)
    assert [item.service for item in found if not item.obstacle] == asked
    assert len(found) == len(targets)
    assert all("Remedy: choose fewer namespaces" in item.obstacle for item in found if item.service not in asked)
    every = {ask["id"].partition("/")[0] for ask in plan.outside_asks(found)}
    assert every == {str(number) for number, item in enumerate(found) if item.service in asked}
    assert len(plan.outside_asks(found)) <= 10


@pytest.mark.parametrize("asks", [plan.outside_asks, plan.request_asks, plan.handshake_asks])
def test_namespaces_take_turns(asks):
    targets = [*of("a", 1, 1, 1), *of("b", 1), *of("c", 1, 1)]
    hosts = [ask["host"] for ask in asks(targets)]
    assert [host.split(".")[1] for host in hosts] == ["a", "b", "c", "a", "c", "a"]
    assert {ask["id"].partition("/")[0] for ask in asks(targets)} == {str(number) for number in range(6)}


@pytest.mark.parametrize(("name", "pod"), [("a\x1b[2J\n", "a\\u001b[2J "), ("", None), (None, None)])
def test_whoever_writes_a_slice_calls_a_pod_what_he_likes(name, pod):
    slices = [endpoint_slice(endpoints=[endpoint("10.1.0.2", name)])]
    [target] = plan.find_targets([service()], slices)
    assert [item.pod for item in target.endpoints] == [pod]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, [], id="no containers"),
        pytest.param({"containers": [{"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 2}]}]}, [1, 2],
                     id="all of one"),
        pytest.param({"containers": [{"name": "a", "ports": [{"containerPort": 15090}, {"containerPort": 2}]}]}, [2],
                     id="but for the proxy's own"),
        pytest.param({"containers": [{"name": "istio-proxy", "ports": [{"containerPort": 1}]},
                                     {"name": "a", "ports": [{"containerPort": 2}]}]}, [2],
                     id="and those of its container"),
        pytest.param({"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "UDP"},
                                                             {"containerPort": 2, "protocol": "TCP"}]}]}, [2],
                     id="of TCP alone"),
        pytest.param({"containers": [{"name": "a"}], "initContainers": [{"ports": [{"containerPort": 3}]}]}, [3],
                     id="also of init containers"),
    ],
)  # fmt: skip
def test_which_ports_a_pod_declares(spec, expected):
    assert [port["containerPort"] for port in plan._container_ports({"spec": spec})] == expected
