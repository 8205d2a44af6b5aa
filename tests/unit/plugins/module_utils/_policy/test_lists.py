# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list stands for its items, and what it may hold beside them does not vanish."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import Reader, expand
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.lists import is_empty, rest
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import manifests_in
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    judge,
    mesh_config,
    peer,
    pod,
    workload,
)

OPEN, STRICT = peer("demo/open", "PERMISSIVE"), peer("istio-system/default", "STRICT")
GROUP = "security.istio.io/v1"


def listed(*items: Any, kind: str = "List", version: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "items": list(items)}


def without_kind(item: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": item["metadata"], "spec": item["spec"]}


def in_lists(levels: int, item: Any) -> Any:
    for _level in range(levels):
        item = listed(item)
    return item


def mode(*manifests: Any) -> str:
    return str(workload(judge(mesh_config(), pod("demo/a"), STRICT, *manifests), "demo/a")["mode"])


def cyclic() -> dict[str, Any]:
    found = listed()
    found["items"] += [found, found]
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (listed(OPEN), "PERMISSIVE"),
        (in_lists(4, OPEN), "PERMISSIVE"),
        (listed(without_kind(OPEN), kind="PeerAuthenticationList", version=GROUP), "PERMISSIVE"),
        (listed(), "STRICT"),
        ({**listed(), "items": None}, "STRICT"),
        ({**listed(kind="PeerAuthenticationList", version=GROUP, resourceVersion="7"), "items": None}, "STRICT"),
        (listed(kind="PeerAuthenticationList", version=GROUP, remainingItemCount=3), "unknown"),
        (listed(STRICT, **{"continue": "token"}), "unknown"),
        (in_lists(5, OPEN), "unknown"),
        (in_lists(2000, OPEN), "unknown"),
        (cyclic(), "unknown"),
        ({"apiVersion": "v1", "kind": "List", "metadata": {}}, "unknown"),
        ({"kind": "List", "metadata": {}, "items": None}, "unknown"),
        ({"apiVersion": "v1", "kind": "List", "items": None}, "unknown"),
        ({**listed(name="mine"), "items": None}, "unknown"),
        (listed("10.0.0.0/8", kind="AddressList", version="example.com/v1"), "STRICT"),
        (listed("demo/open", kind="PeerAuthenticationList", version=GROUP), "unknown"),
    ],
    ids=[
        "a List",
        "Lists in Lists",
        "a list of a kind, whose items leave out what they are",
        "nothing, as kubectl prints it",
        "nothing, as Go prints it",
        "nothing of a kind, as Go prints it",
        "one page of a list of a kind",
        "one page of a List",
        "one List more than anybody writes",
        "thousands of Lists",
        "a List that holds itself",
        "no items at all",
        "items that are null, and no apiVersion",
        "items that are null, and no metadata",
        "items that are null in something with a name",
        "somebody else's object that is called a list",
        "a list of names",
    ],
)
def test_what_lists_stand_for(given, expected):
    assert mode(given) == expected


def test_what_stands_beside_a_bad_list_counts():
    reader = Reader()
    reader.add([in_lists(2000, OPEN), pod("demo/a"), listed(pod("demo/b"))])
    assert sorted(name for _namespace, name in reader.pods) == ["a-5f5-1", "b-5f5-1"]


def test_a_list_that_was_taken_apart_once_gives_the_same_again():
    once = list(expand(listed(in_lists(5, OPEN), STRICT, **{"continue": "token"})))
    assert [again for item in once for again in expand(item)] == once


@pytest.mark.parametrize(
    ("end", "expected"),
    [("metadata: {}\nitems:\n", "STRICT"), ("metadata: {continue: token}\nitems: []\n", "unknown")],
    ids=["nothing", "one page"],
)
def test_a_files_lists_are_read_alike(end, expected):
    text = f"apiVersion: {GROUP}\nkind: PeerAuthenticationList\n{end}"
    assert mode(*manifests_in("a file", text)) == expected


NULL = {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": None}


@pytest.mark.parametrize(
    ("changed", "empty"),
    [
        ({}, True),
        ({"metadata": {"resourceVersion": "1"}}, True),
        ({"metadata": {"resourceVersion": "1", "selfLink": "/x"}}, True),
        ({"metadata": {"continue": "x"}}, False),
        ({"metadata": None}, False),
        ({"apiVersion": None}, False),
        ({"items": []}, False),
        ({"items": 0}, False),
    ],
)
def test_which_lists_go_printed_with_nothing_in_them(changed: dict[str, Any], empty: bool) -> None:
    assert is_empty({**NULL, **changed}) is empty


def test_a_list_that_does_not_say_its_items_is_not_empty() -> None:
    assert not is_empty({name: value for name, value in NULL.items() if name != "items"})


@pytest.mark.parametrize(
    ("metadata", "more"),
    [
        ({}, False),
        ({"continue": "x"}, True),
        ({"remainingItemCount": 1}, True),
        ({"continue": ""}, False),
        ("x", False),
    ],
)
def test_which_lists_have_further_pages(metadata: Any, more: bool) -> None:
    assert bool(list(rest({"kind": "PodList", "metadata": metadata}))) is more
