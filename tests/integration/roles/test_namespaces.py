"""What the role istio_namespaces does where others have their objects: they are looked at before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_objects import create, present, remove_namespaces
from tests.cluster_runs import must
from tests.integration.bad_input.message import given, only_message

OURS, THEIRS, COPIED = "roles-ours", "roles-theirs", "roles-copied"
MARKS = {"app.kubernetes.io/managed-by": "meshproof.mtls", "meshproof.mtls/role": "istio_namespaces"}
PREVIOUS = "meshproof.mtls/previous"


def namespace(name: str, labels: dict[str, str], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def labels_of(api: client.ApiClient, name: str) -> dict[str, str]:
    labels = dict(client.CoreV1Api(api).read_namespace(name).metadata.labels)
    del labels["kubernetes.io/metadata.name"]
    return labels


@pytest.fixture
def spaces(api: client.ApiClient, istio: None) -> Iterator[None]:
    """None of these namespaces is there, before and after."""
    remove_namespaces(api, [OURS, THEIRS, COPIED])
    yield
    remove_namespaces(api, [OURS, THEIRS, COPIED])


def of(*names: str, **more: Any) -> list[str]:
    return ["--tags", "namespaces", *given(istio_namespaces_list=",".join(names), **more)]


def test_a_list_that_is_text_names_namespaces_and_they_go_again(api: client.ApiClient, spaces: None) -> None:
    before = present(client.CoreV1Api(api))
    create(api, [namespace(THEIRS, {"team": "a", "istio.io/dataplane-mode": "none"})])
    must("site", *of(OURS, THEIRS))
    assert present(client.CoreV1Api(api)) - before == {OURS, THEIRS}
    assert labels_of(api, THEIRS) == {"team": "a", "istio-injection": "enabled"}
    assert "changed=0" in must("site", *of(OURS, THEIRS))
    shown = must("uninstall", "--check", *of(OURS, THEIRS))
    assert f"1 namespaces are removed with all that is in them: {OURS}" in shown
    must("uninstall", *of(OURS, THEIRS))
    assert present(client.CoreV1Api(api)) - before == {THEIRS}
    assert labels_of(api, THEIRS) == {"team": "a", "istio.io/dataplane-mode": "none"}
    assert "changed=0" in must("uninstall", *of(OURS, THEIRS))


ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "theirs", "namespace": OURS}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": OURS, "labels": MARKS}}


def test_what_others_put_there_keeps_a_namespace(api: client.ApiClient, spaces: None) -> None:
    """A Role of theirs, and a Secret onto which our labels were copied; in check mode, too."""
    must("site", *of(OURS))
    create(api, [ROLE, SECRET])
    for arguments in ([], ["--check"]):
        message = only_message("uninstall", *arguments, *of(OURS))
        assert f"others use them: Role {OURS}/theirs, Secret {OURS}/key" in message
    assert OURS in present(client.CoreV1Api(api))
    must("uninstall", *of(OURS, istio_namespaces_force=True))
    assert OURS not in present(client.CoreV1Api(api))


def test_a_forged_memory_has_nobody_write_labels(api: client.ApiClient, spaces: None) -> None:
    forged = '{"pod-security.kubernetes.io/enforce": "privileged", "istio-injection": null}'
    create(api, [namespace(COPIED, {"istio-injection": "enabled"}, {PREVIOUS: forged})])
    message = only_message("uninstall", *of(COPIED))
    assert f"annotation {PREVIOUS} does not hold what this role writes there" in message
    assert labels_of(api, COPIED) == {"istio-injection": "enabled"}
