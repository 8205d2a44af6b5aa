"""Bad input on a mesh: one clear message, no half state, and a second run with good input that finishes."""

from __future__ import annotations

import time

import pytest
from kubernetes import client

from tests.cluster_objects import present, wait_for
from tests.cluster_runs import must
from tests.integration.ansible_runner.controller import Job
from tests.integration.bad_input.message import given, only_message

NO_IMAGE = "registry.invalid/nothing:1"


def test_a_namespace_that_is_terminating(site: Job, api: client.ApiClient) -> None:
    name = "bad-terminating"
    core = client.CoreV1Api(api)
    held = {"metadata": {"name": "held", "finalizers": ["meshproof.mtls/test"]}}
    core.create_namespace({"metadata": {"name": name}})
    core.create_namespaced_config_map(name, held)
    core.delete_namespace(name)
    try:
        for tags, variables in (
            ("namespaces", {"istio_namespaces_list": [name]}),
            ("services", {"istio_services_namespace": name, "istio_services_wait_timeout": 10}),
        ):
            message = only_message("site", "--tags", tags, *given(**variables))
            assert name in message
            assert "deleted" in message or "terminat" in message
    finally:
        core.patch_namespaced_config_map("held", name, {"metadata": {"finalizers": None}})
    wait_for(lambda: name not in present(core), f"gone: the namespace {name}", 60)
    must("site", "--tags", "namespaces", *given(istio_namespaces_list=[name]))
    must("uninstall", "--tags", "namespaces", *given(istio_namespaces_list=[name]))


def test_an_image_that_cannot_be_pulled(site: Job) -> None:
    bad = given(istio_services_list=[{"name": "bad-image", "image": NO_IMAGE}], istio_services_wait_timeout=30)
    message = only_message("site", "--tags", "services", *bad)
    assert NO_IMAGE in message
    assert "demo/bad-image: pod bad-image-" in message
    must("site", "--tags", "services", *given(istio_services_list=[{"name": "bad-image"}]))


def test_a_probe_image_that_cannot_be_pulled(site: Job) -> None:
    wanted = {"istio_verify_sources": ["declared", "observed"], "istio_verify_require": "observed"}
    message = only_message("verify", *given(istio_verify_probe_image=NO_IMAGE, **wanted))
    assert NO_IMAGE in message
    must("verify", *given(**wanted))


def test_a_webhook_that_is_not_ready(site: Job, api: client.ApiClient) -> None:
    scale = client.AppsV1Api(api).patch_namespaced_deployment_scale
    namespace = "istio-system"
    scale("istiod", namespace, {"spec": {"replicas": 0}})
    _wait_for_endpoints(api, namespace, 0)
    fresh = given(istio_services_list=[{"name": "late"}])
    try:
        message = only_message("site", "--tags", "services", *fresh, *given(istio_services_wait_timeout=8))
    finally:
        scale("istiod", namespace, {"spec": {"replicas": 1}})
    assert "webhook" in message
    assert "istiod" in message
    must("site", "--tags", "install")
    must("site", "--tags", "services", *fresh)


def _wait_for_endpoints(api: client.ApiClient, namespace: str, number: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
            namespace, label_selector="kubernetes.io/service-name=istiod"
        )
        if sum(len(item.endpoints or []) for item in slices.items) == number:
            return
        time.sleep(1)
    pytest.fail(f"istiod still has not {number} endpoints")


def test_afterwards_site_finishes(site: Job) -> None:
    must("site")
