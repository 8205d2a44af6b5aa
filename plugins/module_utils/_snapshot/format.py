# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file format: gzip over lines of JSON, first a header, then one manifest on each line.

``zcat mesh.snapshot | jq`` shows it. The same content gives the same bytes: manifests and keys are sorted, and the
gzip header has no time.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._foreign import json_parts, json_text
from .._foreign.unreadable import Unreadable
from .._policy.manifests import expand
from .errors import SnapshotError
from .kept import kept

FORMAT = "meshproof.mtls/snapshot"
VERSION = 1
_BATCH = 500
_SHORTEST_LINE, _SLACK = 20, 1024 * 1024
_HOSTILE = ("is nested too deeply", "is little more than")
_REMEDY = "Remedy: take the snapshot again with meshproof.mtls.snapshot."


class Content(NamedTuple):
    """What goes into a snapshot."""

    time: str
    """When it was read, as 2026-01-31T12:00:00Z."""
    cluster: Dict[str, Any]
    """server, uid, kubernetes_version, istio_versions."""
    unread: List[Dict[str, Any]]
    resources: Iterable[Any]


def pack(content: Content) -> bytes:
    """The snapshot as the bytes of a file."""
    lines: List[Tuple[Any, ...]] = []
    for manifest in chain.from_iterable(map(expand, content.resources)):
        small = kept(manifest)
        if small is not None:
            metadata = small.get("metadata") or {}
            place = (small["kind"], str(metadata.get("namespace") or ""), str(metadata.get("name")))
            lines.append((*place, _line(small)))
    lines.sort()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "time": content.time,
        "cluster": dict(sorted(content.cluster.items())),
        "unread": sorted(content.unread, key=_line),
        "counts": dict(sorted(Counter(line[0] for line in lines).items())),
    }
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(json.dumps(header, separators=(",", ":")).encode() + b"\n")
        for line in lines:
            file.write(line[-1].encode() + b"\n")
    return packed.getvalue()


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def is_snapshot(text: bytes) -> bool:
    """Whether uncompressed bytes are a snapshot's, of whatever version."""
    return text.startswith(f'{{"format":"{FORMAT}"'.encode())


def unpack(name: str, text: bytes) -> Tuple[Dict[str, Any], List[Dict[str, Any]]]:
    """The header and the manifests of a snapshot's uncompressed bytes; `name` is the file's, for errors."""
    if text.count(b"\n") * _SHORTEST_LINE > len(text) + _SLACK:
        raise SnapshotError(f"The snapshot {name} is damaged: most of its lines are empty. {_REMEDY}")
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    header = _object(name, 1, lines[0])
    if header.get("version") != VERSION:
        raise SnapshotError(
            f"The snapshot {name} has the format version {header.get('version')}, and this release reads {VERSION} "
            "only. Remedy: read it with the release that wrote it or a newer one, or take it again."
        )
    manifests: List[Dict[str, Any]] = []
    for start in range(1, len(lines), _BATCH):
        manifests.extend(_batch(name, start, lines[start : start + _BATCH]))
    counts = dict(Counter(manifest.get("kind") for manifest in manifests))
    wrong = [field for field, kind in (("unread", list), ("cluster", dict)) if not isinstance(header.get(field), kind)]
    if counts != header.get("counts") or wrong:
        raise SnapshotError(
            f"The snapshot {name} is not complete: its header promises {header.get('counts')}, it holds {counts}"
            + (f", and the header lacks {', '.join(wrong)}" if wrong else "")
            + f". {_REMEDY}"
        )
    return header, manifests


def _batch(name: str, start: int, lines: List[bytes]) -> List[Dict[str, Any]]:
    """Many lines at once: they then share the text of their keys, and it is faster."""
    try:
        found = json_text.parse(b"[" + b",".join(lines) + b"]")
    except Unreadable:
        found = []
    if len(found) == len(lines) and all(isinstance(item, dict) for item in found):
        return list(found)
    return [_object(name, start + place + 1, line) for place, line in enumerate(lines)]


def _object(name: str, number: int, line: bytes) -> Dict[str, Any]:
    try:
        found = json_text.parse(line)
    except Unreadable as error:
        found = _as_far_as_known(line) if str(error).startswith(_HOSTILE) else None
    if not isinstance(found, dict):
        raise SnapshotError(f"The snapshot {name} is damaged in line {number}, which is no JSON object. {_REMEDY}")
    return found


def _as_far_as_known(line: bytes) -> Optional[Dict[str, Any]]:
    """What is nested so deeply that it was meant to end somebody's recursion, as an item that the engine cannot read.

    It is one manifest and no damage of the file: its own answer is unknown, and the others' stay as they are. A text
    stands where the deep part was, which is no shape of anything that is read.
    """
    try:
        members = json_parts.members(line)
    except Unreadable:
        return None
    return {name: _or_a_text(part) for name, part in members.items()}


def _or_a_text(part: bytes) -> Any:
    try:
        return json_text.parse(part)
    except Unreadable as error:
        return f"(this {error})"


def facts_of(header: Mapping[str, Any]) -> Dict[str, Any]:
    """What the header says about where and when: time, server, uid, kubernetes_version, istio_versions."""
    cluster = header["cluster"]
    return {
        "time": str(header.get("time") or ""),
        "server": str(cluster.get("server") or ""),
        "uid": str(cluster.get("uid") or ""),
        "kubernetes_version": str(cluster.get("kubernetes_version") or ""),
        "istio_versions": [str(version) for version in cluster.get("istio_versions") or ()],
    }
