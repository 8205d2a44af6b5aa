# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the API server: pages of lists, in JSON and as it stores them."""

from __future__ import annotations

import copy
import random
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import lists
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.meshproof.mtls.plugins.module_utils._source import stored_pods
from ansible_collections.meshproof.mtls.plugins.module_utils._source.slim import slim
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import mesh

from .. import damage
from ..running import Target

_POD = Kind("", "v1", "pods", "Pod", True)


def _attempt(rnd: random.Random) -> None:
    pods = [item for item in mesh(rnd.randrange(10**9)) if item["kind"] == "Pod"]
    rnd.choice([_one_bad_item, _stored, _any_bytes])(rnd, pods)


def _page(pods: list[Any]) -> dict[str, Any]:
    metadata = {"resourceVersion": "1", "continue": "next"}
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": pods}


def _one_bad_item(rnd: random.Random, pods: list[Any]) -> None:
    """Whatever one item is, the others are read as without it, and it is named if it is not read."""
    place = rnd.randrange(len(pods) + 1)
    bad = damage.value(rnd, rnd.choice(pods), 5) if pods else 7
    page = lists.decode(damage.dumped(_page([*pods[:place], bad, *pods[place:]])), _POD)
    without = lists.decode(damage.dumped(_page(pods)), _POD)
    assert page.token == without.token
    assert len(page.items) + len(page.unusable) == len(pods) + 1, "an item is missing"
    items = copy.deepcopy(page.items)
    for item in without.items:
        assert item in items, "another item was read differently"
        items.remove(item)
    for item in page.items:
        slim(item)


def _stored(rnd: random.Random, pods: list[Any]) -> None:
    """The same of protobuf, where the bytes of one item are damaged and their number is as before."""
    if not pods:
        return
    encoded = [protobuf_encoder.pod(item) for item in pods]
    place = rnd.randrange(len(encoded))
    bad = damage.raw(rnd, encoded[place])
    whole = lists.decode(_stored_page(encoded), _POD, stored=stored_pods.POD)
    page = lists.decode(_stored_page([*encoded[:place], bad, *encoded[place + 1 :]]), _POD, stored=stored_pods.POD)
    assert len(page.items) + len(page.unusable) == len(pods), "an item is missing"
    others = [item for number, item in enumerate(whole.items) if number != place]
    assert all(item in page.items for item in others), "another item was read differently"


def _stored_page(encoded: list[bytes]) -> bytes:
    metadata = protobuf_encoder.message((2, "4711"))
    items = [(2, item) for item in encoded]
    return bytes(protobuf_encoder.envelope("PodList", protobuf_encoder.message((1, metadata), *items)))


def _any_bytes(rnd: random.Random, pods: list[Any]) -> None:
    """A page is read, or refused; nothing else happens."""
    stored = rnd.random() < 0.5
    good = protobuf_encoder.pods(pods) if stored else damage.dumped(_page(pods))
    body = damage.raw(rnd, good)
    lists.token_ahead(body)
    lists.begins_well(body)
    try:
        page = lists.decode(body, _POD, stored=stored_pods.POD if stored else None)
    except ValueError:
        return
    for item in page.items:
        slim(item)


TARGET = Target("lists", "one bad item of a list costs only itself, and no page raises but as it should", _attempt)
