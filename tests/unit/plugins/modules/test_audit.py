# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What audit writes, when it says that it changed something, and what it returns."""

from __future__ import annotations

import gzip
import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import KINDS
from ansible_collections.meshproof.mtls.plugins.modules import audit
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    namespace,
    peer,
    pod,
    service,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import group, listed, served
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.conftest import FakeServer

testing = pytest.importorskip("ansible.module_utils.testing")

MESH = [
    namespace("demo", istio_injection="enabled"),
    *(pod(f"demo/{app}", number=number) for app in "abc" for number in range(3)),
    service("demo/a"),
]
STRICT = peer("demo/default", "STRICT")


@pytest.fixture
def server():
    fake = FakeServer()
    fake.answer("GET /version", {"gitVersion": "v1.35.4"})
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


def serve(server, resources):
    """Every kind as a list."""
    for kind in KINDS:
        group = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        items = [item for item in resources if item["kind"] == kind.kind]
        version = f"{kind.group}/{kind.version}".lstrip("/")
        items = [{**item, "apiVersion": version} for item in items]
        server.answer(f"GET /{group}/{kind.plural}", listed(kind.kind, *items, version=version))


def run(server, capsys, **options):
    """Run the module; what it returns."""
    arguments = {"host": server.url, "api_key": "secret", **options}
    with testing.patch_module_args(arguments), pytest.raises(SystemExit):
        audit.main()
    return json.loads(capsys.readouterr().out)


def test_the_file_says_everything_and_the_screen_little(server, capsys, tmp_path):
    serve(server, MESH)
    dest = tmp_path / "audit.json"
    result = run(server, capsys, dest=str(dest), limit=1)
    content = json.loads(dest.read_text())
    assert result["changed"] is True
    assert result["dest"] == str(dest)
    assert result["summary"] == content["summary"]
    assert [item["name"] for item in content["workloads"]] == ["a", "b", "c"]
    assert len(content["findings"]) > 1
    assert result["findings"] == content["findings"][:1]
    assert sum(result["findings_by_id"].values()) == len(content["findings"])
    assert "workloads" not in result
    assert "edges" not in result


@pytest.mark.parametrize("name", ["audit.json", "audit.json.gz"])
def test_it_changes_something_only_when_the_mesh_answers_differently(server, capsys, tmp_path, name, monkeypatch):
    dest = tmp_path / name
    serve(server, MESH)
    assert run(server, capsys, dest=str(dest))["changed"] is True
    before = dest.read_bytes()

    class Later(audit.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz).replace(year=2099)

    monkeypatch.setattr(audit, "datetime", Later)
    assert run(server, capsys, dest=str(dest))["changed"] is False
    assert dest.read_bytes() == before
    serve(server, [*MESH, STRICT])
    assert run(server, capsys, dest=str(dest))["changed"] is True
    after = dest.read_bytes()
    text = gzip.decompress(after) if name.endswith(".gz") else after
    assert json.loads(text)["time"].startswith("2099")


def test_check_mode_writes_nothing_and_diff_shows_counts(server, capsys, tmp_path):
    serve(server, MESH)
    dest = tmp_path / "audit.json"
    result = run(server, capsys, dest=str(dest), _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert not dest.exists()
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"].startswith("workloads: 3 PERMISSIVE\n")


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"{}", b"not JSON"])
def test_what_is_no_audit_is_replaced(server, capsys, tmp_path, content):
    serve(server, MESH)
    for name in ("audit.json", "audit.json.gz"):
        (tmp_path / name).write_bytes(content)
        assert run(server, capsys, dest=str(tmp_path / name), _ansible_diff=True)["changed"] is True


def test_without_dest_nothing_is_written(server, capsys):
    serve(server, MESH)
    result = run(server, capsys)
    assert (result["changed"], "dest" in result) == (False, False)


@pytest.mark.parametrize(
    ("dest", "words"),
    [
        ("nowhere/audit.json", "nowhere/audit.json. Remedy: make it first"),
        ("", "is a folder. Remedy: name a file in it"),
    ],
)
def test_a_wrong_place_is_named_before_anything_is_read(server, capsys, tmp_path, dest, words):
    result = run(server, capsys, dest=f"{tmp_path}/{dest}")
    assert result["failed"] is True
    assert words in result["msg"]
    assert server.requests == []


def test_a_kind_that_may_not_be_read_is_unknown(server, capsys):
    serve(server, MESH)
    path = "GET /apis/security.istio.io/v1/peerauthentications"
    server.answer(path, (403, {"kind": "Status", "message": "peerauthentications is forbidden"}))
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1"))
    server.answer("GET /apis/security.istio.io/v1", served("security.istio.io/v1", "peerauthentications"))
    result = run(server, capsys)
    assert result["summary"]["workloads"]["by_mode"] == {"unknown": 3}
    assert "PeerAuthentication" in {item["kind"] for item in result["unknown"]}


def test_requests_grow_with_kinds_and_pages_only(server, capsys):
    serve(server, MESH)
    run(server, capsys)
    few = len(server.requests)
    more = [pod(f"demo/app-{number}") for number in range(400)]
    serve(server, MESH + more)
    server.requests.clear()
    run(server, capsys)
    assert len(server.requests) == few == len(KINDS) + 1


def test_a_password_in_the_url_of_a_prometheus_is_not_shown(server, capsys):
    serve(server, MESH)
    place = {"prometheus": {"url": "https://somebody:hunter2@prometheus.example/"}}
    result = run(server, capsys, traffic=place)
    assert "hunter2" not in str(result)
    assert "prometheus.example" in str(result["invocation"])
