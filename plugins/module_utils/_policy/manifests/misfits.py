# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be taken for what it is: manifests without a usable kind, group, version, name or namespace.

Such a thing must not vanish. It may be a policy whose author slipped, or one that somebody hides, so it counts as
unread wherever it could belong. What is plainly of a kind that the engine never reads is left out in silence.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple

from ..._foreign.guards import NOT_UNDERSTOOD
from ..records import Problem
from .kinds import CLUSTER_SCOPED
from .lists import LIST, flaw
from .words import ANY, GROUPS, LONGEST, VERSIONS, could_be, is_strange_to_istio, means_list, meant


def misfit(manifest: Any) -> Optional[Problem]:
    """Why a manifest cannot be taken for an object of its kind; None where it can, or is of no kind that counts."""
    try:
        return _misfit(manifest)
    except NOT_UNDERSTOOD as error:
        return Problem(ANY, None, "", f"it cannot be read ({type(error).__name__})")


def _misfit(manifest: Any) -> Optional[Problem]:
    if not isinstance(manifest, Mapping):
        return Problem(ANY, None, "", "an item of the input is not a manifest")
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    place, name, wrong = _place(manifest)
    if not isinstance(kind, str) or not kind:
        return Problem(ANY, place, name, "it has no kind")
    group, _slash, number = version.rpartition("/") if isinstance(version, str) else ("", "", "")
    inner = _listed(kind, group)
    if inner is not None:
        return Problem(inner, None, "", f"it is a {kind[:LONGEST]} {flaw(manifest)}")
    found = meant(kind)
    if found is None:
        unknown = f"its kind {kind[:LONGEST]!r} is none that is known of {group}"
        return Problem(ANY, place, name, unknown) if is_strange_to_istio(group, kind) else None
    where = None if found in CLUSTER_SCOPED else place
    if not isinstance(version, str) or not version:
        return Problem(found, where, name, "it has no apiVersion")
    if not could_be(group, GROUPS[found]):
        return None  # a kind of that name in somebody else's API
    if kind != found:
        return Problem(found, where, name, f"its kind {kind!r} is none, {found} may be meant")
    if group != GROUPS[found] or number not in VERSIONS.get(group, ("v1",)) or version[0] == "/":
        return Problem(found, where, name, f"its apiVersion {version[:LONGEST]!r} is not one of {found}")
    return Problem(found, where, name, wrong) if wrong else None


def _listed(kind: str, group: str) -> Optional[str]:
    """What a word means the lists of: a kind, ANY for every kind; None where it means no list, or one that is not read.

    Lists that are right have been taken apart before.
    """
    if means_list(kind):
        return ANY if could_be(group, "") else None
    stem = kind[: -len(LIST)]
    if kind[-len(LIST) :].lower() != LIST.lower():
        return None
    inner = meant(stem)
    return inner if inner is not None and could_be(group, GROUPS[inner]) else None


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
