# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file format: the same content gives the same bytes, and what was written comes back."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import (
    Content,
    SnapshotError,
    header_of,
    load,
    pack,
    same_content,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import namespace, pod
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.test_properties import mesh

CLUSTER = {
    "server": "https://198.18.0.1:6443",
    "uid": "u",
    "kubernetes_version": "v1.35.4",
    "istio_versions": ["1.31.1"],
}
GAP = {"kind": "Sidecar", "namespace": None, "reason": "forbidden"}


def content(resources, time="2026-01-01T00:00:00Z", unread=(GAP,), cluster=None):
    return Content(time, cluster or CLUSTER, list(unread), resources)


def test_what_was_written_comes_back(tmp_path):
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(pack(content([pod("n1/a"), namespace("n1")])))
    loaded = load(str(path))
    assert [item["kind"] for item in loaded.resources] == ["Namespace", "Pod"]
    assert loaded.unread == [GAP]
    assert loaded.facts == {"path": str(path), "format": "snapshot", "time": "2026-01-01T00:00:00Z", **CLUSTER}
    assert loaded.warnings == []


@pytest.mark.parametrize("seed", range(10))
def test_an_answer_from_a_snapshot_is_the_clusters(tmp_path, seed):
    manifests = mesh(seed)
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(pack(content(manifests)))
    loaded = load(str(path))
    assert evaluate(loaded.resources, unread=loaded.unread) == evaluate(manifests, unread=[GAP])


def test_the_same_content_gives_the_same_bytes():
    manifests = mesh(3)
    first = pack(content(manifests))
    random.Random(1).shuffle(manifests)
    assert pack(content(iter([{"kind": "List", "items": manifests}]))) == first


def test_many_manifests(tmp_path):
    manifests = [pod("n1/a", number=number) for number in range(1203)]
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(pack(content(manifests)))
    assert len(load(str(path)).resources) == 1203


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (content([pod("n1/a")], time="2026-02-02T00:00:00Z"), True),
        (content([pod("n1/b")]), False),
        (content([pod("n1/a")], unread=[]), False),
        (content([pod("n1/a")], cluster={**CLUSTER, "uid": "other"}), False),
    ],
)
def test_another_time_alone_is_no_change(tmp_path, after, same):
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(pack(content([pod("n1/a")])))
    assert same_content(str(path), pack(after)) is same


@pytest.mark.parametrize(
    "old", [None, b"", b"other", gzip.compress(b"other", mtime=0), b"\x1f\x8bx", b'{"format":"meshproof.mtls/snapshot"']
)
def test_anything_else_is_a_change(tmp_path, old):
    path = tmp_path / "mesh.snapshot"
    if old is not None:
        path.write_bytes(old)
    assert not same_content(str(path), pack(content([])))


TEXT = gzip.decompress(pack(content([pod("n1/a"), namespace("n1")]))).decode()
HEADER, *LINES = TEXT.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace('"version":1', '"version":2'), "has the format version 2, and this release reads 1 only. Remedy"),
        (TEXT.replace('"version":1', '"version":null'), "has the format version None"),
        (HEADER[:60], "is damaged in line 1, which is no JSON object. Remedy: take the snapshot again"),
        ("\n".join([HEADER, LINES[0], LINES[1][:40]]), "is damaged in line 3"),
        ("\n".join([HEADER, "[]", *LINES]), "is damaged in line 2"),
        ("\n".join([HEADER, LINES[0]]), "is not complete: its header promises {'Namespace': 1, 'Pod': 1}"),
        ("\n".join([HEADER, *LINES, LINES[0]]), "is not complete"),
        (TEXT.replace('"unread":', '"read":'), "the header lacks unread"),
        (TEXT.replace(json.dumps(CLUSTER, sort_keys=True, separators=(",", ":")), "3"), "the header lacks cluster"),
    ],
)
def test_a_damaged_snapshot_is_refused(tmp_path, text, message):
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(SnapshotError) as error:
        load(str(path))
    assert str(error.value).startswith(f"The snapshot {path} ")
    assert message in str(error.value)


def test_one_hostile_manifest_is_one_unknown_and_the_others_stay(tmp_path):
    header = {"format": "meshproof.mtls/snapshot", "version": 1, "cluster": {}, "unread": []}
    deep = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","namespace":"n1"},"spec":' + "[" * 9999
    deep += "]" * 9999 + "}"
    text = "\n".join(
        [json.dumps({**header, "counts": {"Pod": 2}}, separators=(",", ":")), json.dumps(pod("n1/a")), deep]
    )
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(gzip.compress(text.encode()))
    resources = load(str(path)).resources
    assert resources[0] == pod("n1/a")
    assert resources[1]["metadata"] == {"name": "x", "namespace": "n1"}
    assert resources[1]["spec"] == "(this is nested too deeply)"
    unknown = [(item["kind"], item["namespace"], item.get("name")) for item in evaluate(resources)["unknown"]]
    assert [item for item in unknown if item[0] == "Pod"] == [("Pod", "n1", "x")]


def test_a_snapshot_of_empty_lines_takes_no_list_of_them(tmp_path):
    path = tmp_path / "mesh.snapshot"
    path.write_bytes(gzip.compress(TEXT.encode() + b"\n" * 2 * 1024**2))
    with pytest.raises(SnapshotError, match="is damaged: most of its lines are empty"):
        load(str(path))


def test_the_header_of_what_is_there(tmp_path):
    path = tmp_path / "mesh.snapshot"
    assert header_of(str(path)) == {}
    packed = pack(content([pod("n1/a")]))
    assert header_of(str(path), packed)["counts"] == {"Pod": 1}
    path.write_bytes(packed)
    assert header_of(str(path))["time"] == "2026-01-01T00:00:00Z"
    path.write_text("something else")
    assert header_of(str(path)) == {}
