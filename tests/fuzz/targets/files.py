# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: snapshots, dumps and audits, packed or not."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._audit.reading import ReportError
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._report.documents import made
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import SnapshotError
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot.files import text_of, unpacked
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot.format import Content, is_snapshot, pack, unpack
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot.load import manifests_in
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import ONE_OF_EACH, mesh
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

from .. import damage
from ..running import Target

_AUDIT = audits.two()
_CLUSTER = {"server": "", "uid": "", "kubernetes_version": "", "istio_versions": []}


def _attempt(rnd: random.Random) -> None:
    rnd.choice([_snapshot, _one_line, _dump, _audit, _packed])(rnd)


def _manifests(rnd: random.Random) -> list[Any]:
    return rnd.sample(ONE_OF_EACH, 4) + mesh(rnd.randrange(10**9))[:8]


def _snapshot_of(rnd: random.Random) -> bytes:
    return gzip.decompress(pack(Content("2026-01-31T12:00:00Z", _CLUSTER, [], _manifests(rnd))))


def _snapshot(rnd: random.Random) -> None:
    """A damaged snapshot is refused with a sentence, or is one that the engine judges."""
    text = damage.raw(rnd, _snapshot_of(rnd))
    if is_snapshot(text):
        _judged(lambda: unpack("s", text)[1])


def _one_line(rnd: random.Random) -> None:
    """Whatever one of its objects is, the others are read as before."""
    head, *lines = _snapshot_of(rnd).rstrip(b"\n").split(b"\n")
    place = rnd.randrange(len(lines))
    changed = damage.value(rnd, json.loads(lines[place]), 4)
    if not isinstance(changed, dict) or changed.get("kind") != json.loads(lines[place])["kind"]:
        return
    bad = damage.dumped(changed)
    try:
        found = unpack("s", b"\n".join([head, *lines[:place], bad, *lines[place + 1 :]]))[1]
    except SnapshotError as error:
        damage.require_sentence(error)
        return
    for number, (item, line) in enumerate(zip(found, lines, strict=True)):
        assert number == place or item == json.loads(line), "another object was read differently"
    evaluate(found)


def _dump(rnd: random.Random) -> None:
    """YAML and JSON as somebody wrote them."""
    data = damage.raw(rnd, rnd.choice([_as_json, _as_yaml])(_manifests(rnd)))
    _judged(lambda: manifests_in("d", text_of("d", data)))


def _as_json(manifests: list[Any]) -> bytes:
    return damage.dumped({"apiVersion": "v1", "kind": "List", "items": manifests})


def _as_yaml(manifests: list[Any]) -> bytes:
    # JSON is YAML; documents one after the other, and some of it in blocks, is what people write.
    return b"---\n".join(b"apiVersion: v1\nkind: List\nitems:\n- " + damage.dumped(item) + b"\n" for item in manifests)


def _packed(rnd: random.Random) -> None:
    """Damaged gzip, and gzip of very much of the same."""
    if rnd.random() < 0.1:
        raw = gzip.compress(rnd.choice([b"\0", b"[", b"{}\n", b"a: b\n"]) * 100_000)
    else:
        raw = damage.raw(rnd, gzip.compress(_as_json(_manifests(rnd))))
    _judged(lambda: manifests_in("d", text_of("d", unpacked("d", raw))))
    _audit_of(raw)


def _audit(rnd: random.Random) -> None:
    """An audit that somebody edited is refused, or drawn."""
    if rnd.random() < 0.3:
        _audit_of(damage.raw(rnd, damage.dumped(_AUDIT)))
    else:
        _audit_of(damage.dumped(damage.value(rnd, _AUDIT, 3)))


def _audit_of(raw: bytes) -> None:
    try:
        made("a", raw, ["junit"], "", 20)
    except ReportError as error:
        damage.require_sentence(error)


def _judged(read: Any) -> None:
    try:
        found = read()
    except SnapshotError as error:
        damage.require_sentence(error)
        return
    json.dumps(evaluate(found))


TARGET = Target("files", "a file is refused with one sentence, or judged; one bad object costs only itself", _attempt)
