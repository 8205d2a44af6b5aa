"""What every test against a cluster needs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kubernetes import client, config

from tests.cluster_runs import must


@pytest.fixture(scope="session")
def api() -> client.ApiClient:
    """The cluster that KUBECONFIG names, with rights to do everything."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    return config.new_client_from_config()


@pytest.fixture(scope="session")
def istio(api: client.ApiClient) -> Iterator[None]:
    """Istio, also somebody else's; what these tests installed is removed at their end.

    One installation for all: the tests of a cluster without Istio, and of a mesh that AWX makes, come first, in the
    order of the folders' names.
    """
    spaces = {item.metadata.name for item in client.CoreV1Api(api).list_namespace().items}
    if "istio-system" in spaces:
        yield
        return
    try:
        must("site", "--tags", "install")
        yield
    finally:
        must("uninstall", "-e", "istio_install_purge=true")
