"""Bad input on a real cluster: one clear message, no half state, and a second run with good input that finishes.

First come the cases of a cluster without Istio, where nothing at all may have changed; then those of a mesh.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_objects import present, wait_for
from tests.cluster_runs import must
from tests.integration.bad_input.message import only_message
from tests.inventory import differences, inventory

NOBODY_THERE = "http://127.0.0.1:1"
NO_IMAGE = "registry.invalid/nothing:1"


def given(**variables: Any) -> list[str]:
    """Extra variables, with their types."""
    return ["-e", json.dumps(variables)]


@pytest.fixture(scope="module")
def before(api: client.ApiClient) -> dict[str, Any]:
    """The cluster as it was."""
    return inventory(api)


@pytest.fixture
def untouched(api: client.ApiClient, before: dict[str, Any]) -> Iterator[None]:
    """What the test does must leave the cluster as it was."""
    yield
    assert differences(before, inventory(api)) == []


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, before: dict[str, Any]) -> Iterator[None]:
    """A mesh, and afterwards a cluster as it was."""
    try:
        must("site")
        yield
    finally:
        must("uninstall", *given(istio_install_purge=True))
    assert differences(before, inventory(api)) == []


# A cluster without Istio.


@pytest.mark.parametrize("playbook", ["preflight", "verify", "site"])
def test_a_wrong_token(playbook: str, api: client.ApiClient, untouched: None) -> None:
    host = api.configuration.host
    wrong = {"host": host, "api_key": "wrong", "validate_certs": False}
    message = only_message(playbook, *given(mtls_cluster=wrong), K8S_AUTH_KUBECONFIG=None, KUBECONFIG=None)
    assert host.removeprefix("https://") in message
    assert "credentials" in message


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({"istio_install_version": "1.31.99"}, ["1.31.99"], id="a version without chart"),
        pytest.param({"istio_install_chart_repository": NOBODY_THERE}, [NOBODY_THERE], id="no chart repository"),
        pytest.param({"istio_install_chart_directory": "/nowhere"}, ["/nowhere"], id="no folder of charts"),
    ],
)
def test_a_chart_that_cannot_be_found(variables: dict[str, str], says: list[str], untouched: None) -> None:
    message = only_message("site", *given(**variables))
    assert "chart" in message.lower()
    assert [word for word in says if word not in message] == []


@pytest.mark.parametrize("tool", ["helm", "istioctl"])
def test_a_checksum_that_does_not_match(tool: str, tmp_path: Path, untouched: None) -> None:
    variables = {f"istio_install_{tool}_checksum": "0" * 64, "istio_install_bin_dir": str(tmp_path)}
    # Without a tool on PATH, so that one is fetched.
    message = only_message("site", *given(istio_install_method=tool, **variables), PATH="/usr/bin:/bin")
    assert "checksum" in message
    assert f"istio_install_{tool}_checksum" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tags", "names"),
    [("services", "DestinationRule"), ("mtls", "PeerAuthentication"), ("namespaces", "istio_install")],
)
def test_crds_and_webhooks_that_are_missing(tags: str, names: str, untouched: None) -> None:
    message = only_message("site", "--tags", tags, *given(istio_services_namespace="default"))
    assert names in message


def test_uninstall_where_nothing_is_installed(untouched: None) -> None:
    output = must("uninstall", *given(istio_install_purge=True))
    assert "changed=0" in output
    assert "nothing to remove" in output


# A mesh.


def test_a_namespace_that_is_terminating(mesh: None, api: client.ApiClient) -> None:
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


def test_an_image_that_cannot_be_pulled(mesh: None) -> None:
    bad = given(istio_services_list=[{"name": "bad-image", "image": NO_IMAGE}], istio_services_wait_timeout=30)
    message = only_message("site", "--tags", "services", *bad)
    assert NO_IMAGE in message
    assert "demo/bad-image: pod bad-image-" in message
    must("site", "--tags", "services", *given(istio_services_list=[{"name": "bad-image"}]))


def test_a_probe_image_that_cannot_be_pulled(mesh: None) -> None:
    wanted = {"istio_verify_sources": ["declared", "observed"], "istio_verify_require": "observed"}
    message = only_message("verify", *given(istio_verify_probe_image=NO_IMAGE, **wanted))
    assert NO_IMAGE in message
    must("verify", *given(**wanted))


def test_a_webhook_that_is_not_ready(mesh: None, api: client.ApiClient) -> None:
    scale = client.AppsV1Api(api).patch_namespaced_deployment_scale
    namespace = "istio-system"
    scale("istiod", namespace, {"spec": {"replicas": 0}})
    _wait_for_endpoints(api, namespace, 0)
    fresh = given(istio_services_list=[{"name": "late"}], istio_services_wait_timeout=30)
    try:
        message = only_message("site", "--tags", "services", *fresh)
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


def test_afterwards_site_finishes(mesh: None) -> None:
    must("site")
