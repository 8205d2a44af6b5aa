# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot, a dump or a folder of dumps as what the engine takes: manifests, and what they cannot say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Dict, List, NamedTuple, Set

from .._foreign.yaml_text import Document
from .._policy.manifests import KINDS, Kind, group_of, lists
from . import files
from .documents import documents, place_of
from .errors import SnapshotError
from .files import ENDINGS, contents, files_below, text_of
from .format import facts_of, is_snapshot, unpack
from .kept import is_mesh_map

_SECRETS = ("Secret", "SecretList")
_NOT_IN_DUMP = "no object of this kind in the dump {path}, which does not say whether there are any"
_REMEDY = (
    "Remedy: name a snapshot of meshproof.mtls.snapshot, manifests as kubectl get -o yaml or -o json writes them, or a "
    "folder of such files"
)


class Loaded(NamedTuple):
    """What a file or folder holds."""

    resources: List[Dict[str, Any]]
    """Manifests; never a Secret."""
    unread: List[Dict[str, Any]]
    """What is missing in it, as evaluate() takes it."""
    facts: Dict[str, Any]
    """path, format (snapshot or dump), time, server, uid, kubernetes_version, istio_versions; empty when not known."""
    warnings: List[str]
    """What was left out of a folder, and which kinds a dump lacks."""
    missing: List[Dict[str, str]]
    """Of a dump, the kinds that it lacks: {kind, command}, see command_for()."""
    complete: bool
    """Whether somebody said of a dump that what it lacks does not exist."""


def about(loaded: Loaded) -> Dict[str, Any]:
    """What a module returns about the file that it judged."""
    return {
        **{name: loaded.facts[name] for name in ("path", "format", "time", "uid")},
        "complete": loaded.complete,
        "missing": loaded.missing,
    }


def command_for(kind: Kind) -> str:
    """What dumps a kind so that a list without items still says which kind there is none of.

    ``kubectl get KIND -o yaml`` writes ``kind: List``, which names no kind where there are no items.
    """
    if kind.kind == "ConfigMap":  # the mesh's configuration alone: others hold what nobody else may see
        return "kubectl get configmaps -A --field-selector metadata.name=istio -o json > configmaps.json"
    place = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    name = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return f"kubectl get --raw {place}/{kind.plural} > {name}.json"


class _Found:
    """What was gathered out of the files of a dump."""

    def __init__(self) -> None:
        self.resources: List[Dict[str, Any]] = []
        self.kinds: Set[str] = set()
        self.skipped: List[str] = []


def load(path: str, complete: bool = False) -> Loaded:
    """Read a snapshot, a YAML or JSON dump, gzip of it, or a folder of dumps.

    A snapshot says itself what it could not read. A dump cannot: a kind that does not occur in it counts as unread,
    unless `complete` says that what it lacks does not exist. Raises SnapshotError with the file, the place in it and
    the remedy.
    """
    found = _Found()
    if os.path.isdir(path):
        size = 0
        for name in files_below(path):
            raw = contents(name)
            size += len(raw)
            if size > files.MOST_BYTES:
                raise SnapshotError(
                    f"The folder {path} holds more than {files.MOST_BYTES} bytes of manifests. Remedy: name the folder "
                    "of the mesh's own; of a big cluster take a snapshot with meshproof.mtls.snapshot."
                )
            if is_snapshot(raw):
                raise SnapshotError(f"{name} is a snapshot inside a folder of dumps. Remedy: name the snapshot itself.")
            _gather(found, name, text_of(name, raw), in_folder=True)
        if not found.resources and not found.kinds:
            raise SnapshotError(f"The folder {path} holds no manifest in any {', '.join(ENDINGS)}. {_REMEDY}.")
    else:
        if not os.path.exists(path):
            raise SnapshotError(f"There is no file or folder {path}. {_REMEDY}.")
        raw = contents(path)
        if is_snapshot(raw):
            header, manifests = unpack(path, raw)
            facts = {"path": path, "format": "snapshot", **facts_of(header)}
            return Loaded(manifests, header["unread"], facts, [], [], complete=False)
        _gather(found, path, text_of(path, raw), in_folder=False)
    lacking = [] if complete else _lacking(found)
    reason = _NOT_IN_DUMP.format(path=path)
    return Loaded(
        found.resources,
        [{"kind": kind.kind, "namespace": None, "reason": reason} for kind in lacking],
        {"path": path, "format": "dump", **_NO_FACTS},
        _warnings(path, found, lacking),
        [{"kind": _full_name(kind), "command": command_for(kind)} for kind in lacking],
        complete,
    )


def manifests_in(name: str, text: str) -> List[Dict[str, Any]]:
    """The manifests in YAML or JSON text; `name` says in errors where it comes from. Raises SnapshotError."""
    found = _Found()
    _gather(found, name, text, in_folder=False)
    return found.resources


_NO_FACTS: Dict[str, Any] = {"time": "", "server": "", "uid": "", "kubernetes_version": "", "istio_versions": []}


def _gather(found: _Found, name: str, text: str, in_folder: bool) -> None:
    size = len(found.resources)
    any_document = False
    for document in documents(name, text):
        any_document = True
        if in_folder and not _names_a_kind(document.value):
            # Values of a chart, a pipeline: what names no kind is nothing that a cluster would take.
            found.skipped.append(place_of(name, document.line, document.number))
            continue
        for manifest in _manifests(found, name, document):
            if manifest["kind"] not in _SECRETS:
                found.resources.append(manifest)
    if not in_folder and not any_document and len(found.resources) == size:
        raise SnapshotError(f"{name} holds no document. {_REMEDY}.")


def _names_a_kind(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, dict) and isinstance(item.get("kind"), str) for item in items)


def _manifests(found: _Found, name: str, document: Document) -> Iterator[Dict[str, Any]]:
    items = document.value if isinstance(document.value, list) else [document.value]
    for place, item in enumerate(items, 1):
        where = place_of(name, document.line, document.number)
        yield from _expanded(found, item, where + (f", item {place}" if items is document.value else ""))


def _expanded(found: _Found, item: Any, where: str) -> Iterator[Dict[str, Any]]:
    """The manifest itself, or the items of a list, whose own list is named by its kind (PodList) or by `List`."""
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("kind"), str)
        or not isinstance(item.get("apiVersion"), str)
    ):
        raise SnapshotError(f"{where} is no manifest: it lacks kind and apiVersion. {_REMEDY}.")
    kind, items = item["kind"], item.get("items")
    if kind.endswith("List") and lists.is_empty(item):
        items = []
    if not kind.endswith("List") or not isinstance(items, list):
        if kind != "ConfigMap" or is_mesh_map(item):
            found.kinds.add(_identity(item))
        yield item
        return
    inner = kind[: -len("List")]
    if inner and inner != "ConfigMap":
        found.kinds.add(_identity({"kind": inner, "apiVersion": item["apiVersion"]}))  # read, and perhaps there is none
    if kind in _SECRETS:
        return
    for place, one in enumerate(items, 1):
        if inner and isinstance(one, dict):
            one = {"apiVersion": item["apiVersion"], "kind": inner, **one}  # lists of the API leave these out
        yield from _expanded(found, one, f"{where}, item {place}")
    yield from lists.rest(item)


def _identity(manifest: Dict[str, Any]) -> str:
    return f"{group_of(manifest)}/{manifest['kind']}"


def _lacking(found: _Found) -> List[Kind]:
    return [kind for kind in KINDS if f"{kind.group}/{kind.kind}" not in found.kinds]


def _full_name(kind: Kind) -> str:
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def _warnings(path: str, found: _Found, lacking: List[Kind]) -> List[str]:
    return [*_left_out(path, found), *_not_dumped(path, lacking)]


def _not_dumped(path: str, lacking: List[Kind]) -> List[str]:
    if not lacking:
        return []
    return [
        f"The dump {path} has no object of these kinds, which count as unread, so that what depends on them is "
        f"unknown: {', '.join(map(_full_name, lacking))}. Remedy: dump them, too, such as with "
        f"{command_for(lacking[0])}; or set snapshot_complete where the dump has all that there is."
    ]


def _left_out(path: str, found: _Found) -> List[str]:
    if not found.skipped:
        return []
    named = "; ".join(found.skipped[:3]) + (f" and {len(found.skipped) - 3} more" if len(found.skipped) > 3 else "")
    return [f"In the folder {path} these are no manifests, as they name no kind, and were left out: {named}."]
