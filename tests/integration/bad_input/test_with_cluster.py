"""Bad input on a real cluster without Istio: one clear message, and nothing at all has changed.

Those on a mesh are in the folder of the tests that have one, ansible_runner.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_runs import must
from tests.integration.bad_input.message import given, only_message
from tests.inventory import differences, inventory

NOBODY_THERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def before(api: client.ApiClient) -> dict[str, Any]:
    """The cluster as it was."""
    return inventory(api)


@pytest.fixture
def untouched(api: client.ApiClient, before: dict[str, Any]) -> Iterator[None]:
    """What the test does must leave the cluster as it was."""
    yield
    assert differences(before, inventory(api)) == []


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
