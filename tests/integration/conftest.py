"""What every test against a cluster needs."""

from __future__ import annotations

import os

import pytest
from kubernetes import client, config


@pytest.fixture(scope="session")
def api() -> client.ApiClient:
    """The cluster that KUBECONFIG names, with rights to do everything."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    return config.new_client_from_config()
