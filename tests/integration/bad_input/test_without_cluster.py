"""Bad input that needs no cluster: each playbook ends in one clear message that names the object and the remedy."""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

from tests.integration.bad_input.message import only_message

PLAYBOOKS = ("preflight", "verify", "site", "uninstall")
NOBODY_THERE = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection of the machine that runs the tests may help out."""
    for name in [*os.environ]:
        if name in ("KUBECONFIG", "MTLS_VARS") or name.startswith("K8S_AUTH_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with nothing but the standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_an_api_server_that_cannot_be_reached(playbook: str) -> None:
    message = only_message(playbook, K8S_AUTH_HOST=NOBODY_THERE, K8S_AUTH_API_KEY="token")
    assert "127.0.0.1" in message


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_kubeconfig_that_is_not_yaml(playbook: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: [\n  name: oops: again\n")
    message = only_message(playbook, K8S_AUTH_KUBECONFIG=str(path))
    assert str(path) in message
    assert "YAML" in message


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_kubeconfig_that_is_not_there(playbook: str, tmp_path: Path) -> None:
    message = only_message(playbook, K8S_AUTH_KUBECONFIG=str(tmp_path / "nothing"))
    assert str(tmp_path / "nothing") in message


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_missing_python_library(playbook: str, bare_python: str) -> None:
    message = only_message(playbook, "-e", f"ansible_python_interpreter={bare_python}")
    assert "kubernetes" in message
    assert bare_python in message


@pytest.mark.parametrize(
    ("playbook", "variables", "says"),
    [
        ("site", {"istio_install_version": "1.10.0"}, ["1.10.0", "istio_install_version"]),
        ("site", {"istio_install_version": "newest"}, ["newest", "istio_install_version"]),
        ("preflight", {"mtls_preflight_job": "everything"}, ["everything", "mtls_preflight_job"]),
    ],
)
def test_a_wish_that_cannot_be_met(playbook: str, variables: dict[str, str], says: list[str]) -> None:
    arguments = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    message = only_message(playbook, *arguments)
    assert [word for word in says if word not in message] == []
