# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain dumps: what is taken, what is refused with which words, and what they leave unknown."""

from __future__ import annotations

import gzip
import json
import os

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import yaml_text
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import KINDS, evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import SnapshotError, files, load
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import mesh_config, peer, pod

A, B = pod("n1/a"), peer("n1/b", "STRICT")
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "hunter2"}}
YAML = "\n---\n".join(map(yaml.safe_dump, (A, B)))
API_LIST = {
    "apiVersion": "v1",
    "kind": "PodList",
    "items": [{k: v for k, v in A.items() if k not in ("kind", "apiVersion")}],
}


def listed(*items):
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yaml", YAML),
        ("a.yml", "# a comment\n---\n" + YAML + "\n---\n# nothing\n---\n"),
        ("a.txt", YAML),
        ("a.yaml", "\ufeff" + YAML),
        ("a.yaml", YAML.replace("\n", "\r\n")),
        ("a.yaml.gz", gzip.compress(YAML.encode())),
        ("anything", gzip.compress(YAML.encode())),
        ("a.yaml", yaml.safe_dump(listed(A, B))),
        ("a.yaml", yaml.safe_dump([A, B])),
        ("a.json", json.dumps(listed(A, B), indent=2)),
        ("a.json", json.dumps([A, B])),
        ("a.json", f"{json.dumps(A)}\n\n{json.dumps(B)}\n"),
        ("a.json", json.dumps(listed(API_LIST, listed(B, SECRET)))),
        ("a.json.gz", gzip.compress(json.dumps(listed(A, B)).encode())),
        ("a.yaml", yaml.safe_dump_all([SECRET, A, {"apiVersion": "v1", "kind": "SecretList", "items": [SECRET]}, B])),
        ("a.yaml", f"{{apiVersion: v1, kind: List, items: [{json.dumps(A)}, {json.dumps(B)}]}}"),
    ],
)
def test_the_same_manifests_in_every_form(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded = load(str(path))
    assert loaded.resources == [A, B]
    assert loaded.facts["format"] == "dump"


def test_a_folder_is_read_with_all_below_it_in_order(tmp_path):
    for name, item in (("b/x.json", B), ("a.yaml", A), (".git/c.yaml", A), ("b/.hidden.yaml", A), ("README.md", A)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(item))
    (tmp_path / "values.yaml").write_text("replicas: 3\n")
    (tmp_path / "b/tasks.yml").write_text("- name: Do\n")
    (tmp_path / "b/empty.yml.gz").write_bytes(gzip.compress(b"# nothing\n"))
    loaded = load(str(tmp_path))
    assert loaded.resources == [A, B]
    assert loaded.warnings[:1] == [
        f"In the folder {tmp_path} these are no manifests, as they name no kind, and were left out: "
        f"{tmp_path}/values.yaml, document 1, line 1; {tmp_path}/b/tasks.yml, document 1, line 1."
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("!!timestamp 2024-99-99", "2024-99-99"),
        ("12:30", "12:30"),
        ("=", "="),
        ("!!binary QQ==", "QQ=="),
        ("0644", 420),
        ("0x1F", 31),
        ("8080", 8080),
        ("1.5", 1.5),
        ("yes", True),
        ("~", None),
    ],
)
def test_yaml_is_read_as_kubectl_does(tmp_path, value, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"apiVersion: v1\nkind: Pod\nvalue: {value}\n")
    assert load(str(path)).resources[0]["value"] == text


M = "apiVersion: v1\nkind: Pod\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
NO_MANIFEST = "is no manifest: it lacks kind and apiVersion. Remedy: name a snapshot"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", f"{M}---\n{M}---\na: [\n", "a.yaml, document 3, line 8 is not YAML: did not find"),
        ("a.yaml", "a: *b", "a.yaml, document 1, line 1 is not YAML: found undefined alias"),
        ("a.yaml", "a: \0", "a.yaml, document 1, line 1 is not YAML: unacceptable character #x0000"),
        ("a.yaml", "a: !!python/name:os.system ''", "line 1 is not YAML: could not determine a constructor"),
        ("a.yaml", "{{ .Values.x }}: 1", "Remedy: render it first (helm template)"),
        ("a.yaml", f"x: {'1' * 6000}", "document 1 holds a value that cannot be read"),
        ("a.yaml", BOMB, "a.yaml, document 1, line 1 has aliases that make"),
        ("a.yaml", MERGE_BOMB, "which no manifest needs. Remedy: write the document without anchors and aliases."),
        ("a.yaml", "a: &a [*a]", "document 1, line 1 has an anchor that contains itself"),
        ("a.yaml", "- " * 50000, "a.yaml, document 1, line 1 is nested too deeply. Remedy: name a file of manifests"),
        (
            "a.yaml",
            "a: " + "[ " * 50000,
            "a.yaml, document 1, line 1 is nested too deeply. Remedy: name a file of manifests",
        ),
        ("a.json", "[" * 100000, "a.json, line 1 is nested too deeply. Remedy: name a file of manifests"),
        ("a.json", '{"a": 1,}', "a.json, line 1 is not JSON: Expecting property name"),
        ("a.json", '{}\n{}\n{"a"}', "a.json, line 3 is not JSON: Expecting ':' delimiter"),
        ("a.yaml", f"{M}---\nfoo: bar\n", f"a.yaml, document 2, line 4 {NO_MANIFEST}"),
        ("a.yaml", "some text", f"a.yaml, document 1, line 1 {NO_MANIFEST}"),
        ("a.yaml", "kind: Pod", f"a.yaml, document 1, line 1 {NO_MANIFEST}"),
        ("a.json", json.dumps(listed(A, 3)), f"a.json, document 1, line 1, item 2 {NO_MANIFEST}"),
        ("a.json", json.dumps([A, listed({})]), f"a.json, document 1, line 1, item 2, item 1 {NO_MANIFEST}"),
        ("a.yaml", "", "a.yaml is empty. Remedy: name a snapshot or a dump of manifests."),
        ("a.yaml", "# nothing\n---\n", "a.yaml holds no document. Remedy"),
        ("a.yaml", YAML.encode("utf-16"), "a.yaml is UTF-16, as PowerShell's > writes it. Remedy: save it as UTF-8."),
        ("a.yaml", b"a: 1\n#\n# \xff", "a.yaml is not UTF-8 in line 3. Remedy: save it as UTF-8."),
        ("a.gz", gzip.compress(YAML.encode())[:-12], "a.gz ends too early: it was cut off. Remedy: copy"),
        ("a.gz", gzip.compress(YAML.encode())[:-8] + b"12345678", "a.gz is damaged: "),
        ("a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 20, "is damaged"),
        ("a.gz", YAML, "a.gz is not gzip, as its name says. Remedy: rename it, or pack it."),
    ],
)
def test_errors_name_file_place_and_remedy(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SnapshotError) as error:
        load(str(path))
    assert str(path) in str(error.value)
    assert message in str(error.value)
    assert "Remedy: " in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_there(tmp_path):
    with pytest.raises(SnapshotError, match=r"There is no file or folder .*/nothing\. Remedy: name a snapshot"):
        load(str(tmp_path / "nothing"))
    with pytest.raises(SnapshotError, match=r"The folder .* holds no manifest in any \.yaml, \.yml"):
        load(str(tmp_path))


def test_a_snapshot_in_a_folder_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"format":"meshproof.mtls/snapshot"}')
    with pytest.raises(
        SnapshotError, match=r"a.json is a snapshot inside a folder of dumps. Remedy: name the snapshot"
    ):
        load(str(tmp_path))


def test_a_file_that_unpacks_to_too_much(tmp_path, monkeypatch):

    monkeypatch.setattr(files, "MOST_BYTES", 1024**2)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b" " * 2 * 1024**2))
    with pytest.raises(SnapshotError, match=r"a\.gz unpacks to more than"):
        load(str(tmp_path / "a.gz"))


def test_without_pyyaml_json_still_works(tmp_path, monkeypatch):
    monkeypatch.setattr(yaml_text, "IMPORT_ERROR", "No module named 'yaml'")
    (tmp_path / "a.json").write_text(json.dumps(A))
    (tmp_path / "a.yaml").write_text(YAML)
    assert load(str(tmp_path / "a.json")).resources == [A]
    with pytest.raises(
        SnapshotError, match=r"a.yaml is YAML, and the Python library PyYAML cannot be imported .* Remedy"
    ):
        load(str(tmp_path / "a.yaml"))


def dump(tmp_path, *items):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(listed(*items)))
    return str(path)


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {}}
OTHER_GATEWAY = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g"}}
NO_SIDECARS = {"apiVersion": "networking.istio.io/v1", "kind": "SidecarList", "items": []}


@pytest.mark.parametrize(
    ("items", "there"),
    [
        ([], set()),
        ([A, B], {"Pod", "PeerAuthentication"}),
        ([mesh_config()], {"ConfigMap"}),
        ([CONFIG_MAP], set()),
        ([OTHER_GATEWAY], set()),
        ([NO_SIDECARS], {"Sidecar"}),
        ([SECRET], set()),
    ],
)
def test_a_kind_that_does_not_occur_is_unread(tmp_path, items, there):
    """But for an empty list of its own: that says that there is none."""
    path = dump(tmp_path, *items)
    unread = load(path).unread
    assert {gap["kind"] for gap in unread} == {kind.kind for kind in KINDS} - there
    assert {gap["namespace"] for gap in unread} == {None}
    assert all(path in gap["reason"] for gap in unread)
    assert load(path, complete=True).unread == []


def test_what_a_dump_leaves_out_is_unknown_and_not_secure(tmp_path):
    path = dump(tmp_path, A, B)
    unsure, sure = load(path), load(path, complete=True)
    assert evaluate(unsure.resources, unread=unsure.unread)["workloads"][0]["mode"] == "unknown"
    assert evaluate(sure.resources, unread=sure.unread)["workloads"][0]["mode"] == "STRICT"


def test_a_dump_says_which_kinds_it_lacks_and_what_dumps_them(tmp_path):
    (tmp_path / "a.yaml").write_text(YAML)
    loaded = load(str(tmp_path))
    commands = {item["kind"]: item["command"] for item in loaded.missing}
    assert len(commands) == len(KINDS) - 2
    assert commands["Service"] == "kubectl get --raw /api/v1/services > services.json"
    assert commands["Gateway.gateway.networking.k8s.io"] == (
        "kubectl get --raw /apis/gateway.networking.k8s.io/v1/gateways > gateways.gateway.networking.k8s.io.json"
    )
    assert "--field-selector metadata.name=istio" in commands["ConfigMap"]
    [warning] = loaded.warnings
    assert all(kind in warning for kind in commands)
    assert load(str(tmp_path), complete=True).missing == []


def test_what_the_commands_write_counts_as_read(tmp_path):
    """An API server's answer to --raw names its kind also where there is none; kubectl's own List does not."""
    for kind in KINDS:
        if kind.kind != "ConfigMap":
            version = f"{kind.group}/{kind.version}" if kind.group else kind.version
            text = json.dumps({"kind": f"{kind.kind}List", "apiVersion": version, "metadata": {}, "items": []})
            (tmp_path / f"{kind.plural}.{kind.group}.json").write_text(text)
    (tmp_path / "none.yaml").write_text(yaml.safe_dump(listed()))
    assert [item["kind"] for item in load(str(tmp_path)).missing] == ["ConfigMap"]


def test_a_folder_has_a_bound_on_all_its_files_together(tmp_path, monkeypatch):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(YAML)
    monkeypatch.setattr(files, "MOST_BYTES", len(YAML) + 10)
    with pytest.raises(SnapshotError, match=r"The folder .* holds more than .* bytes of manifests\. Remedy: "):
        load(str(tmp_path))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["a pipe", "a device"])
def test_what_is_no_regular_file_in_a_folder_stalls_nothing(tmp_path, make):
    (tmp_path / "a.yaml").write_text(YAML)
    make(tmp_path / "b.yaml")
    with pytest.raises(SnapshotError, match=r"b\.yaml is no regular file\. Remedy: "):
        load(str(tmp_path))
