"""traffic_info by way of the API server, from a real Prometheus in a pod of the lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from lab.configuration import NODE_NAME
from tests.cluster_objects import create, remove_namespaces, wait_for, wait_until_ready
from tests.cluster_runs import ROOT, python_image
from tests.integration.traffic.manifests import PROMETHEUS, binding, prometheus_in_a_pod
from tests.integration.traffic.series import openmetrics, series

Run = Callable[..., dict[str, Any]]
SERVICE = f"{PROMETHEUS}/prometheus:9090"
READER = "meshproof-test:traffic-prometheus"


@pytest.fixture(scope="module")
def service(api: client.ApiClient, programs: Path) -> Iterator[None]:
    """A Prometheus whose program comes from the lab's cache, so that it needs no image of its own."""
    if [node.metadata.name for node in client.CoreV1Api(api).list_node().items] != [NODE_NAME]:
        pytest.skip("this cluster is not the lab")
    try:
        create(api, prometheus_in_a_pod(python_image(), openmetrics([series(*range(100, 141))])))
        wait_until_ready(api, [PROMETHEUS])
        yield
    finally:
        remove_namespaces(api, [PROMETHEUS])


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("place", [SERVICE, f"{PROMETHEUS}/prometheus:web", f"{PROMETHEUS}/http:prometheus:9090"])
def test_it_answers_through_the_api_server(traffic_info: Run, place: str) -> None:
    result = traffic_info(prometheus={"service": place}, window="30m")
    assert [row["security"] for row in result["traffic"]] == ["mutual_tls"]
    assert result["unknown"] == []


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"service": f"{PROMETHEUS}/absent:9090"},
            'services "absent" not found (HTTP 404). Remedy: correct the option',
        ),
        ({"service": f"{PROMETHEUS}/prometheus:80"}, "no service port 80 found"),
        ({"service": f"{PROMETHEUS}/https:prometheus:9090"}, "(HTTP 503). Remedy: check the Service's port"),
        ({"service": "prometheus:9090"}, "names no Service's port. Remedy: write it as namespace/name:port"),
        ({"service": SERVICE, "token": "x"}, "A token cannot pass through the API server"),
    ],
)
def test_an_error_names_the_remedy(traffic_info: Run, options: dict[str, Any], message: str) -> None:
    assert message in traffic_info(prometheus=options)["msg"]


@pytest.mark.usefixtures("service")
def test_the_shipped_role_is_enough(api: client.ApiClient, traffic_info: Run) -> None:
    role = yaml.safe_load((ROOT / "docs" / "rights" / "prometheus.yml").read_text())
    access = client.RbacAuthorizationV1Api(api)
    asked = {"prometheus": {"service": SERVICE}, "impersonate_user": READER, "window": "30m"}
    assert "Remedy: ask for the ClusterRole meshproof-prometheus" in traffic_info(**asked)["msg"]
    access.create_cluster_role(role)
    try:
        access.create_namespaced_role_binding(PROMETHEUS, binding(PROMETHEUS, role["metadata"]["name"], READER))
        assert [row["security"] for row in traffic_info(**asked)["traffic"]] == ["mutual_tls"]
    finally:
        access.delete_cluster_role(role["metadata"]["name"])


@pytest.mark.usefixtures("service")
def test_a_stopped_prometheus_is_an_error(api: client.ApiClient, traffic_info: Run) -> None:
    """The last one: the pod does not come back."""
    core = client.CoreV1Api(api)
    core.delete_namespaced_pod("prometheus", PROMETHEUS)
    wait_for(lambda: not core.list_namespaced_pod(PROMETHEUS).items, "gone: the pod")
    result = traffic_info(prometheus={"service": SERVICE})
    assert "no endpoints available for service" in result["msg"]
    assert "that its pods are ready" in result["msg"]
