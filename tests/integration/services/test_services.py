"""The role istio_services on a real API server, in a namespace in which others have made something, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_objects import create, remove_namespaces
from tests.cluster_runs import must
from tests.integration.bad_input.message import given, only_message
from tests.integration.services.manifests import ARGS, NAMESPACE, by_hand

LISTED = [
    {
        "name": "shop",
        "replicas": 2,
        "ports": [
            {"name": "http", "port": 80, "target_port": 8080},
            {"name": "http-old", "port": 8000, "target_port": 8080},
        ],
    },
    {"name": "store", "kind": "StatefulSet", "ports": [{"name": "tcp-store", "port": 5432, "target_port": 8080}]},
    {"name": "nightly", "kind": "CronJob", "schedule": "0 3 * * *"},
]


@pytest.fixture(scope="module", autouse=True)
def namespace(api: client.ApiClient, istio: None) -> Iterator[None]:
    """A namespace in the mesh, with what somebody made by hand."""
    labels = {"istio-injection": "enabled"}
    create(api, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}])
    create(api, by_hand())
    try:
        yield
    finally:
        remove_namespaces(api, [NAMESPACE])


def services(*arguments: str, listed: Any = LISTED, **variables: Any) -> str:
    """The output of the playbook site, with the services alone."""
    return must("site", "--tags", "services", *arguments, *_given(listed, **variables))


def refused(listed: Any, **variables: Any) -> str:
    return only_message("site", "--tags", "services", *_given(listed, **variables))


def _given(listed: Any, **variables: Any) -> list[str]:
    return given(istio_services_namespace=NAMESPACE, istio_services_list=listed, **variables)


def test_a_list_as_text_is_made_once(api: client.ApiClient) -> None:
    assert "changed=1 " in services(listed=json.dumps(LISTED))
    ports = client.CoreV1Api(api).read_namespaced_service("shop", NAMESPACE).spec.ports
    assert [(port.port, port.target_port) for port in ports] == [(80, "http"), (8000, "http")]
    assert client.PolicyV1Api(api).read_namespaced_pod_disruption_budget("shop", NAMESPACE).spec.max_unavailable == 1
    again = services("--check", "--diff")
    assert "changed=0 " in again
    assert "(before)" not in again


def test_what_an_entry_drops_is_removed_and_shown() -> None:
    first = {**LISTED[0], "env": [{"name": "GONE", "value": 1}]}
    services(listed=[first, *LISTED[1:]], istio_services_wait=False)
    shown = services("--diff", istio_services_wait=False)
    assert "changed: services-test/shop: Deployment (spec.template.spec.containers.app.env)" in shown
    assert "GONE" in shown
    assert "changed=0 " in services(istio_services_wait=False)


def test_what_left_the_list_stays_until_it_is_asked_for(api: client.ApiClient) -> None:
    assert f"stays: {NAMESPACE}/store" in services(listed=LISTED[:1])
    assert f"removed: {NAMESPACE}/store" in services(listed=LISTED[:1], istio_services_prune=True)
    assert client.AppsV1Api(api).list_namespaced_stateful_set(NAMESPACE).items == []
    assert _names(api) == {"shop", "by-hand"}


def test_what_somebody_made_by_hand_is_taken_over_after_a_yes(api: client.ApiClient) -> None:
    mine = [{"name": "by-hand", "args": ARGS}]
    message = refused(mine)
    assert (
        f"Deployment {NAMESPACE}/by-hand is there and was not made by this role (no label says whose it is)" in message
    )
    services(listed=mine, istio_services_adopt=True)
    deployment = client.AppsV1Api(api).read_namespaced_deployment("by-hand", NAMESPACE)
    assert deployment.metadata.labels["meshproof.mtls/role"] == "istio_services"
    assert deployment.spec.selector.match_labels == {"run": "by-hand"}
    [container] = deployment.spec.template.spec.containers
    assert (container.name, container.env[0].name) == ("server", "KEPT")
    assert client.CoreV1Api(api).read_namespaced_service("by-hand", NAMESPACE).spec.selector == {"run": "by-hand"}
    assert "changed=0 " in services(listed=mine)


def test_the_wrong_entry_is_named() -> None:
    message = refused([{"name": "shop"}, {"name": "cart", "imgae": "x"}])
    assert message.startswith("istio_services_list[1] (cart): has no option 'imgae'. Remedy: ")


def test_absent_takes_the_listed_alone(api: client.ApiClient) -> None:
    shown = services(listed=LISTED[:1], istio_services_state="absent")
    assert f"stays: {NAMESPACE}/by-hand" in shown
    assert _names(api) == {"by-hand"}
    assert "changed=0 " in services(listed=LISTED[:1], istio_services_state="absent")


def _names(api: client.ApiClient) -> set[str]:
    return {item.metadata.name for item in client.AppsV1Api(api).list_namespaced_deployment(NAMESPACE).items}
