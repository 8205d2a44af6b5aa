# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that stand in a `kind: List`, or in a list of one kind such as PodList.

Of a list without items nothing is known, so it counts as unread. `items: null` is no such list where the rest is one:
Go prints a list in which nothing was put so, and kubectl reads it as empty. The API server never prints it (etcd3's
GetList makes an empty slice), which is why in an answer of the API it is not taken for an empty list.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping

from .words import meant

_MOST_LEVELS = 4
_TOO_DEEP, _MORE = "that stands in too many others", "of which the other pages are missing"
"""What takes the place of the items that a list should still have."""
LIST = "List"


def expand(manifest: Any, level: int = 0) -> Iterator[Any]:
    """The manifests in one item of the input; a list that is not one, not whole or nested too deeply as it is."""
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if not isinstance(kind, str) or not kind.endswith(LIST):
        yield manifest
    elif is_empty(manifest):
        return
    elif not isinstance(manifest.get("items"), list) or _is_of_others(kind, manifest["items"]):
        yield manifest
    elif level == _MOST_LEVELS:
        yield {**manifest, "items": _TOO_DEEP}
    else:
        # The API's own lists leave out what their items are.
        named = {"apiVersion": manifest.get("apiVersion"), "kind": kind[: -len(LIST)]} if kind != LIST else {}
        for item in manifest["items"]:
            yield from expand({**named, **item} if named and isinstance(item, dict) else item, level + 1)
        yield from rest(manifest)


def _is_of_others(kind: str, items: List[Any]) -> bool:
    """Whether it is no list of manifests at all, but an object of somebody else's that is called so."""
    return kind != LIST and meant(kind[: -len(LIST)]) is None and not all(isinstance(item, dict) for item in items)


def is_empty(manifest: Mapping[str, Any]) -> bool:
    """Whether a list is one that Go printed with nothing in it: items are null, and nothing else is missing or odd."""
    metadata = manifest.get("metadata")
    return (
        manifest.get("items", ()) is None
        and isinstance(manifest.get("apiVersion"), str)
        and isinstance(metadata, dict)
        and metadata.keys() <= {"resourceVersion", "selfLink"}
    )


def rest(manifest: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
    """What stands for the pages that are missing, where a list says that there are some (meta/v1 ListMeta)."""
    metadata = manifest.get("metadata")
    if isinstance(metadata, dict) and (metadata.get("continue") or metadata.get("remainingItemCount")):
        yield {**manifest, "items": _MORE}


def flaw(manifest: Mapping[str, Any]) -> str:
    """What is wrong with a list that could not be taken apart, as half a sentence."""
    found = manifest.get("items")
    return found if found in (_TOO_DEEP, _MORE) else "without a list of items"
