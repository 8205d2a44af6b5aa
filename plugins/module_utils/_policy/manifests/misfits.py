# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be taken for what it is: manifests without a usable kind, group, version, name or namespace.

Such a thing must not vanish. It may be a policy whose author slipped, or one that somebody hides, so it counts as
unread wherever it could belong. What is plainly of a kind that the engine never reads is left out in silence.
"""

from __future__ import annotations

import difflib
from typing import Any, Dict, FrozenSet, Mapping, Optional, Tuple

from ..records import Problem
from .kinds import CLUSTER_SCOPED, KINDS

ANY = ""
"""Stands for every kind, in a Problem of something that could be of any."""

_GROUPS: Dict[str, str] = {kind.kind: kind.group for kind in KINDS}
_VERSIONS: Dict[str, FrozenSet[str]] = {
    "security.istio.io": frozenset(("v1", "v1beta1")),
    "networking.istio.io": frozenset(("v1", "v1beta1", "v1alpha3")),
}
"""Those of the groups of Istio that it serves (istio.io/api). Kubernetes' own groups are read in v1 alone."""
_ALIKE = 0.88
_ISTIO = ".istio.io"
_LONGEST = 80
_SLIPS: Dict[str, str] = {}


def misfit(manifest: Any) -> Optional[Problem]:
    """Why a manifest cannot be taken for an object of its kind; None where it can, or is of no kind that counts."""
    if not isinstance(manifest, Mapping):
        return Problem(ANY, None, "", "an item of the input is not a manifest")
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    place, name, wrong = _place(manifest)
    if not isinstance(kind, str) or not kind:
        return Problem(ANY, place, name, "it has no kind")
    if kind == "List" or (kind.endswith("List") and _meant(kind[: -len("List")])):
        inner = ANY if kind == "List" else _meant(kind[: -len("List")])
        fault = "within too many others" if isinstance(manifest.get("items"), list) else "without a list of items"
        return Problem(inner, None, "", f"it is a {kind[:_LONGEST]} {fault}")
    meant = _meant(kind)
    if not meant:
        return None
    where = None if meant in CLUSTER_SCOPED else place
    if not isinstance(version, str) or not version:
        return Problem(meant, where, name, "it has no apiVersion")
    group, dummy, number = version.rpartition("/")
    if not _could_be(group, _GROUPS[meant]):
        return None  # a kind of that name in somebody else's API
    if kind != meant:
        return Problem(meant, where, name, f"its kind {kind!r} is none, {meant} may be meant")
    if group != _GROUPS[meant] or number not in _VERSIONS.get(group, ("v1",)) or version[0] == "/":
        return Problem(meant, where, name, f"its apiVersion {version[:_LONGEST]!r} is not one of {meant}")
    return Problem(meant, where, name, wrong) if wrong else None


def _place(manifest: Mapping[str, Any]) -> Tuple[Optional[str], str, str]:
    """Namespace (None where it cannot be told), name, and what is wrong with them."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return None, "", "its metadata is not a mapping" if metadata is not None else "metadata.name is missing"
    namespace, name = metadata.get("namespace"), metadata.get("name")
    shown = name if isinstance(name, str) else ""
    if namespace is not None and not isinstance(namespace, str):
        return None, shown, "metadata.namespace is not a string"
    if not shown:
        return namespace or "default", "", "metadata.name is missing"
    return namespace or "default", shown, ""


def _meant(kind: str) -> str:
    """The kind that the engine reads and that a word means, slips of the pen included; empty for any other word."""
    if kind in _GROUPS:
        return kind
    if len(kind) > _LONGEST:
        return ""
    known = _SLIPS.get(kind)
    if known is None:
        lower = {name.lower(): name for name in _GROUPS}
        found = difflib.get_close_matches(kind.strip().lower(), lower, 1, _ALIKE)
        known = lower[found[0]] if found else ""
        if len(_SLIPS) < 1000:
            _SLIPS[kind] = known
    return known


def _could_be(group: str, own: str) -> bool:
    """Whether a group is a kind's own, or written nearly like it."""
    if group == own or not own:
        return group == own
    # Without a group the core API is named, in which no other kind of these names is.
    if not group or (own.endswith(_ISTIO) and group.endswith(_ISTIO)):
        return True
    return len(group) <= _LONGEST and difflib.SequenceMatcher(None, group.lower(), own).ratio() >= _ALIKE
