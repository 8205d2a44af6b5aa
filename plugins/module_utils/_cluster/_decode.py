# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of one page of a list to its manifests; the only place that knows of a faster decoder than json.

Where the Python library msgspec can be imported, pages of pods are decoded straight into the few fields that the engine
reads (those that ``_slim.py`` keeps), and the rest is skipped as bytes. Without it the answers are the same, but later.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, TypedDict

FAST: Any = None
try:
    import msgspec

    FAST = msgspec
except ImportError:
    pass  # json does the same


class _Port(TypedDict, total=False):
    containerPort: int
    protocol: str
    name: str


class _Variable(TypedDict, total=False):
    name: str
    value: str


class _Container(TypedDict, total=False):
    name: str
    image: str
    args: Optional[List[str]]
    env: Optional[List[_Variable]]
    ports: Optional[List[_Port]]
    restartPolicy: str


class _Owner(TypedDict, total=False):
    kind: str
    name: str
    controller: bool


class _Metadata(TypedDict, total=False):
    name: str
    namespace: str
    labels: Optional[Dict[str, str]]
    annotations: Optional[Dict[str, str]]
    ownerReferences: Optional[List[_Owner]]
    creationTimestamp: Optional[str]


class _Spec(TypedDict, total=False):
    containers: Optional[List[_Container]]
    initContainers: Optional[List[_Container]]
    hostNetwork: bool
    serviceAccountName: str


class _Status(TypedDict, total=False):
    phase: str
    podIP: str


class _Pod(TypedDict, total=False):
    metadata: _Metadata
    spec: _Spec
    status: _Status


_ListMetadata = TypedDict("_ListMetadata", {"continue": str}, total=False)


class _PodList(TypedDict, total=False):
    metadata: _ListMetadata
    items: List[_Pod]


_PODS = FAST.json.Decoder(_PodList) if FAST is not None else None
# Lists of built-in kinds begin with their metadata, so that the next page can be asked for before this one is decoded.
_HEAD = re.compile(rb'\{"kind":"\w+","apiVersion":"[\w./]+","metadata":(\{[^{}]*\}),"items":')
HEAD_BYTES = 4096
"""So many bytes at a list's beginning hold its metadata, if it begins with them."""


class Page(NamedTuple):
    """One page of a list."""

    items: List[Dict[str, Any]]
    token: str
    """With which the next page is asked for; empty on the last one."""


def token_ahead(body: bytes) -> str:
    """The next page's token where the first bytes say it, else an empty string."""
    found = _HEAD.match(body[:HEAD_BYTES])
    if found is None:
        return ""
    try:
        return str(json.loads(found[1]).get("continue") or "")
    except ValueError:
        return ""


def decode(body: bytes, kind: str, api_version: str, whole: bool) -> Page:
    """The manifests of a page, each with its kind, which lists of built-in kinds leave out.

    Pods that need not be whole may lack what ``_slim.py`` drops. Raises ValueError when the body is no list of objects,
    for example because it is cut off.
    """
    content = _content(body, _PODS if kind == "Pod" and not whole else None)
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


def _content(body: bytes, decoder: Any) -> Dict[str, Any]:
    content: Any = None
    if FAST is not None:
        # When it fails, json decides whether the page is broken or holds a type that nobody expects.
        with contextlib.suppress(FAST.MsgspecError):
            content = decoder.decode(body) if decoder else FAST.json.decode(body)
    if content is None:
        content = json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("the answer is no object")
    return content
