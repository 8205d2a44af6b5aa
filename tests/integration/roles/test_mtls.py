"""What the role istio_mtls says before it changes a mesh that others use."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic

from tests.cluster_objects import create, remove_namespaces
from tests.cluster_runs import must
from tests.integration.bad_input.message import given, only_message

SPACE = "roles-mtls"
BY_HAND = {
    "apiVersion": "security.istio.io/v1",
    "kind": "PeerAuthentication",
    "metadata": {"name": "default", "namespace": SPACE, "labels": {"team": "a"}},
    "spec": {"mtls": {"mode": "PERMISSIVE"}},
}
STRICT = [{"namespace": SPACE, "mode": "STRICT"}]


def policies(api: client.ApiClient) -> list[Any]:
    kind = dynamic.DynamicClient(api).resources.get(api_version="security.istio.io/v1", kind="PeerAuthentication")
    return [item.to_dict() for item in kind.get(namespace=SPACE).items]


@pytest.fixture
def space(api: client.ApiClient, istio: None) -> Iterator[None]:
    remove_namespaces(api, [SPACE])
    create(api, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    yield
    remove_namespaces(api, [SPACE])


def of(**variables: Any) -> list[str]:
    return ["--tags", "mtls", *given(**variables)]


def test_a_policy_made_by_hand_is_taken_over_on_an_explicit_wish(api: client.ApiClient, space: None) -> None:
    create(api, [copy.deepcopy(BY_HAND)])
    assert "istio_mtls_adopt=true" in only_message("site", *of(istio_mtls_policies=STRICT))
    assert policies(api)[0]["spec"] == BY_HAND["spec"]
    must("site", *of(istio_mtls_policies=STRICT, istio_mtls_adopt=True))
    [policy] = policies(api)
    assert policy["spec"] == {"mtls": {"mode": "STRICT"}}
    assert policy["metadata"]["labels"] == {
        "team": "a",
        "app.kubernetes.io/managed-by": "meshproof.mtls",
        "meshproof.mtls/role": "istio_mtls",
    }
    assert "changed=0" in must("site", *of(istio_mtls_policies=STRICT))


def test_what_matches_nothing_is_said_and_the_preview_is_written(
    api: client.ApiClient, space: None, tmp_path: Path
) -> None:
    entry = {"scope": "workload", "namespace": SPACE, "name": "a", "selector": {"app": "nobody"}}
    caller = {"namespace": SPACE, "principals": f"cluster.local/ns/{SPACE}/sa/nobody"}
    file = tmp_path / "preview.txt"
    shown = must(
        "site",
        "--check",
        *of(istio_mtls_policies=[entry], istio_mtls_authorization=[caller], istio_mtls_preview_file=str(file)),
    )
    assert f"PeerAuthentication {SPACE}/a: selects no workload" in shown
    assert f"there is no ServiceAccount {SPACE}/nobody" in shown
    assert file.stat().st_mode & 0o777 == 0o600
    assert "+kind: PeerAuthentication" in file.read_text()
    assert policies(api) == []
