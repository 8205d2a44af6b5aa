"""A snapshot of a real cluster: the same answers from the file, no second change, and nothing in it that is secret."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_runs import module, must

NOBODY_THERE = "http://127.0.0.1:1"
NOBODY = {"host": NOBODY_THERE}
HIDDEN = "hunter2hunter2"
NAMESPACE = "snapshot-test"


@pytest.fixture(scope="module")
def secrets(api: client.ApiClient) -> Iterator[None]:
    """A Deployment without pods, whose manifest holds what nobody may see elsewhere."""
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        core.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "s"}, "stringData": {"password": HIDDEN}})
        core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "istio-c"}, "data": {"password": HIDDEN}})
        container = {
            "name": "app",
            "image": f"registry.invalid/app:{HIDDEN}",
            "args": [HIDDEN],
            "env": [{"name": "PASSWORD", "value": HIDDEN}],
        }
        metadata = {"labels": {"app": "a"}, "annotations": {"vault.example/token": HIDDEN}}
        template = {"metadata": metadata, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
        apps.create_namespaced_deployment(NAMESPACE, {"metadata": {"name": "a"}, "spec": spec})
        yield
    finally:
        core.delete_namespace(NAMESPACE)


@pytest.mark.usefixtures("secrets")
def test_the_file_answers_as_the_cluster_does(tmp_path: Path) -> None:
    dest = tmp_path / "mesh.snapshot.gz"
    assert module("snapshot", "--check", dest=str(dest))["changed"]
    assert not dest.exists()

    first = module("snapshot", dest=str(dest))
    assert first["changed"]
    assert first["unread"] == []
    assert first["size"] == dest.stat().st_size
    assert (dest.stat().st_mode & 0o777) == 0o600
    text = gzip.decompress(dest.read_bytes()).decode()
    assert f'"name":"a","namespace":"{NAMESPACE}"' in text
    assert HIDDEN not in text

    live = module("status_info", detail="full")
    saved = module("status_info", detail="full", snapshot=str(dest), host=NOBODY_THERE)
    assert saved.pop("snapshot")["uid"] == first["cluster"]["uid"]
    assert saved == live

    again = module("snapshot", dest=str(dest))
    assert not again["changed"]
    assert again["time"] == first["time"]


def test_the_role_says_of_the_file_what_it_says_of_the_cluster(tmp_path: Path) -> None:
    dest = tmp_path / "mesh.snapshot.gz"
    assert module("snapshot", dest=str(dest))["changed"]
    folder = tmp_path / "reports"
    rows = []
    for name, given in (("live", {}), ("file", {"istio_verify_snapshot": str(dest), "istio_verify_cluster": NOBODY})):
        options = {"istio_verify_report_dir": str(folder / name), "istio_verify_enforce": False, **given}
        folder.mkdir(exist_ok=True)
        must("verify", "-e", json.dumps(options))
        judgement = json.loads((folder / name / "verify.json").read_text())["judgement"]
        told = judgement["evidence"].pop("snapshot", None)
        assert (told is None) == (name == "live")
        judgement.pop("message")
        rows.append(judgement)
    assert rows[0] == rows[1]
    assert "no cluster was asked" in (folder / "file" / "report.html").read_text()


def test_what_could_not_be_read_travels_along(tmp_path: Path) -> None:
    dest = tmp_path / "mesh.snapshot.gz"
    taken = module("snapshot", dest=str(dest), read_namespaces=["default"])
    assert {gap["kind"] for gap in taken["unread"]} >= {"Pod", "PeerAuthentication"}
    live = module("status_info", read_namespaces=["default"])
    saved = module("status_info", snapshot=str(dest), host=NOBODY_THERE)
    assert saved["unknown"] == live["unknown"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dest": "/proc"}, "dest /proc is a folder. Remedy: name a file in it"),
        ({"dest": "/nowhere/mesh.gz"}, "There is no folder /nowhere for dest /nowhere/mesh.gz. Remedy: make it first"),
        ({"dest": "mesh.gz", "host": NOBODY_THERE, "api_key": "x"}, "cannot be reached"),
    ],
)
def test_an_error_is_one_message(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    result = module("snapshot", **arguments)
    assert message in result["msg"]
    assert "Traceback" not in json.dumps(result)
