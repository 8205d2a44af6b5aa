# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of one page of a list to its manifests. What is no such list is an error, and never an empty one.

What a list looks like: apimachinery's meta/v1 List, ListMeta. The API server always writes kind, apiVersion, metadata
and items, also of an empty one.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._foreign import json_parts, json_text
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible
from . import protobuf
from .kinds import Kind
from .protobuf import Reader, Unusable

HEAD_BYTES = 4096
"""So many bytes at a list's beginning hold its metadata, if it begins with them."""
ONLY_METADATA = "PartialObjectMetadata"
"""What items are, of which nothing but the metadata is sent (apimachinery's meta/v1)."""
# Lists of built-in kinds do, so that the next page can be asked for before this one is there; those of others do not.
_HEAD = re.compile(rb'\{"kind":"\w+","apiVersion":"[\w./]+","metadata":(\{[^{}]*\}),"items":')


class WrongAnswer(ValueError):
    """An answer that is whole, and not what was asked for. The text is half a sentence: "is a Status, …"."""


class Page(NamedTuple):
    """One page of a list."""

    items: List[Dict[str, Any]]
    token: str
    """With which the next page is asked for; empty on the last one."""
    unusable: List[Unusable]
    """What stands in it and cannot be read."""


def begins_well(body: bytes) -> bool:
    """Whether a body that cannot be decoded looks like one that was cut off on its way."""
    return body.startswith((b"{", protobuf.MAGIC))


def token_ahead(body: bytes) -> str:
    """The next page's token where the first bytes say it, else an empty string."""
    if body.startswith(protobuf.MAGIC):
        return protobuf.token_ahead(body[:HEAD_BYTES])
    found = _HEAD.match(body[:HEAD_BYTES])
    if found is None:
        return ""
    try:
        token = json.loads(found[1]).get("continue")
    except ValueError:
        return ""
    return token if isinstance(token, str) else ""


def decode(body: bytes, kind: Kind, namespace: Optional[str] = None, stored: Optional[Reader] = None) -> Page:
    """The manifests of a page, each with its kind, which lists of built-in kinds leave out.

    `namespace` is where it was asked for, None for everywhere; `stored` reads an item in protobuf. Raises WrongAnswer
    for what is no list of this kind, and ValueError for what is not whole.
    """
    content = _content(body, stored)
    if not isinstance(content, dict):
        raise WrongAnswer("is no object")
    metadata, token = _metadata(content, kind)
    found = content.get("items")
    if found is None and "items" in content and kind.kind == ONLY_METADATA:
        found = []  # It has none, and its Go type no initial value: the one list of which the API server writes null.
    if not isinstance(found, list):
        raise WrongAnswer(f"is a {kind.kind}List without items")
    left = metadata.get("remainingItemCount")
    if left is not None and (not isinstance(left, int) or isinstance(left, bool) or (left and not token)):
        raise WrongAnswer("says that there are more items, and not how to ask for them")
    items, unusable = [], []
    for item in found:
        problem = item if isinstance(item, Unusable) else _contradiction(item, kind, namespace)
        if problem is None:
            items.append(item)
        else:
            unusable.append(problem._replace(namespace=namespace or problem.namespace))
    return Page(items, token, unusable)


def _content(body: bytes, stored: Optional[Reader]) -> Any:
    if body.startswith(protobuf.MAGIC):
        if stored is None:
            raise WrongAnswer("is protobuf, for which was not asked")
        return protobuf.listed(body, stored)
    try:
        return json_text.parse(body)
    except Unreadable:
        return _in_parts(body)


def _in_parts(body: bytes) -> Dict[str, Any]:
    """A list of which something cannot be decoded: item by item. Raises Unreadable where it is not that."""
    parts = json_parts.members(body)
    items = [_item(text) for text in json_parts.elements(parts.pop("items", b""))]
    return {**{name: json_text.parse(value) for name, value in parts.items()}, "items": items}


def _item(text: bytes) -> Any:
    try:
        return json_text.parse(text)
    except Unreadable as error:
        namespace, name = (json_parts.text_in(text, "metadata", key) for key in ("namespace", "name"))
        return Unusable(namespace, name, str(error))


def _metadata(content: Dict[str, Any], kind: Kind) -> Tuple[Dict[str, Any], str]:
    """A list's metadata, and the token of its next page."""
    found = content.get("kind"), content.get("apiVersion")
    if found != (f"{kind.kind}List", kind.api_version):
        words = content.get("message") if found[0] == "Status" else None
        said = f": {visible(words, 200)}" if words else ""
        raise WrongAnswer(f"is no {kind.kind}List of {kind.api_version} but {_called(*found)}{said}")
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        raise WrongAnswer(f"is a {kind.kind}List without metadata")
    token = metadata.get("continue", "")
    if not isinstance(token, str):
        raise WrongAnswer("says with something that is no text how to ask for more items")
    return metadata, token


def _called(kind: Any, version: Any) -> str:
    if not isinstance(kind, str) or not kind:
        return "of no kind"
    return visible(f"{kind} of {version}" if version else kind, 200)


def _contradiction(item: Any, kind: Kind, namespace: Optional[str]) -> Optional[Unusable]:
    """Why an item cannot be one of what was asked for; beside that it gets its kind."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict):
        return Unusable("", "", "is no object with metadata")
    name, place = metadata.get("name"), metadata.get("namespace", "")
    if not isinstance(name, str) or not name:
        return Unusable("", "", "has no name")
    if item.setdefault("kind", kind.kind) != kind.kind or item.setdefault("apiVersion", kind.api_version) != (
        kind.api_version
    ):
        return Unusable("", name, f"is of another kind: {_called(item['kind'], item.get('apiVersion'))}")
    if kind.namespaced:
        if not isinstance(place, str) or not place or (namespace and place != namespace):
            return Unusable("", name, "is not in the namespace of the list")
    elif place:
        return Unusable("", name, "is in a namespace")
    return None
