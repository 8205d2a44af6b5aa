"""One mesh for all tests of this folder: made by a job, and removed by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client, utils

from tests.cluster_objects import present
from tests.cluster_runs import ROOT
from tests.integration.ansible_runner.controller import (
    ALL_ROLES,
    INSTALLER,
    NAMESPACE,
    ROLES,
    Controller,
    Job,
    authority,
    clear,
    install_collections,
    succeeded,
    token,
)
from tests.inventory import differences, inventory


@pytest.fixture(scope="package")
def as_before(api: client.ApiClient) -> Iterator[None]:
    """What the tests of this folder do must leave the cluster as it was."""
    core = client.CoreV1Api(api)
    if NAMESPACE in present(core):
        # What a killed run left; without its namespace the roles would be somebody else's.
        clear(core, client.RbacAuthorizationV1Api(api))
    before = inventory(api)
    yield
    assert differences(before, inventory(api)) == []


@pytest.fixture(scope="package")
def controller(
    api: client.ApiClient, as_before: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controller]:
    core, rights = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    folder, collections = tmp_path_factory.mktemp("awx"), tmp_path_factory.mktemp("collections")
    install_collections(collections)
    certificate = folder.parent / "awx-ca.crt"
    certificate.write_bytes(authority(api))
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    for role in ALL_ROLES:
        utils.create_from_yaml(api, str(ROOT / "docs" / "rights" / f"{role}.yml"))
    try:
        credentials = {
            account: {
                "K8S_AUTH_HOST": api.configuration.host,
                "K8S_AUTH_API_KEY": token(core, rights, account),
                "K8S_AUTH_VERIFY_SSL": "True",
                "K8S_AUTH_SSL_CA_CERT": str(certificate),
            }
            for account in ROLES
        }
        yield Controller(folder, collections, credentials)
    finally:
        clear(core, rights)


@pytest.fixture(scope="package")
def site(controller: Controller) -> Iterator[Job]:
    """A mesh, made by the first job and removed by the last."""
    try:
        yield succeeded(controller.run("site", INSTALLER), controller)
    finally:
        succeeded(controller.run("uninstall", INSTALLER, istio_install_purge=True), controller)
