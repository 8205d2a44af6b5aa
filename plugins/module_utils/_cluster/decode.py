# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of one page of a list to its manifests: JSON, or for pods protobuf."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple

from . import protobuf

HEAD_BYTES = 4096
"""So many bytes at a list's beginning hold its metadata, if it begins with them."""
# Lists of built-in kinds do, so that the next page can be asked for before this one is there; those of others do not.
_HEAD = re.compile(rb'\{"kind":"\w+","apiVersion":"[\w./]+","metadata":(\{[^{}]*\}),"items":')


class Page(NamedTuple):
    """One page of a list."""

    items: List[Dict[str, Any]]
    token: str
    """With which the next page is asked for; empty on the last one."""


def accepted(kind: str, whole: bool) -> str:
    """What to ask the API server for. In protobuf only that of pods is understood which ``_slim.py`` keeps."""
    return f"{protobuf.MEDIA_TYPE}, application/json" if kind == "Pod" and not whole else "application/json"


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
        return str(json.loads(found[1]).get("continue") or "")
    except ValueError:
        return ""


def decode(body: bytes, kind: str, api_version: str) -> Page:
    """The manifests of a page, each with its kind, which lists of built-in kinds leave out.

    Raises ValueError when the body is no list of objects, for example because it is cut off.
    """
    content = protobuf.pods(body) if body.startswith(protobuf.MAGIC) else json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("the answer is no object")
    items = content.get("items") or []
    metadata = content.get("metadata") or {}
    if not isinstance(items, list) or not isinstance(metadata, dict):
        raise ValueError("the answer is no list of objects")
    for item in items:
        if not isinstance(item, dict):
            raise ValueError("the answer lists something that is no object")
        item.setdefault("apiVersion", api_version)
        item.setdefault("kind", kind)
    return Page(items, str(metadata.get("continue") or ""))
