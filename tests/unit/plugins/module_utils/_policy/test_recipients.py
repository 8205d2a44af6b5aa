# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sidecars get a VirtualService."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.recipients import Recipients
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    Egress,
    SidecarObject,
    VirtualService,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.visibility import View, view_of

ALICE, BOB = 1, 2
"""Clients of the namespaces alice and bob, of the revisions old and new."""


def planes(hidden: str = "") -> Any:
    """Control planes that export to all what does not say it, and do not know one namespace."""

    def plane(revision: str) -> Any:
        mesh = SimpleNamespace(route_export=("*",))
        return SimpleNamespace(mesh=mesh, sees=lambda namespace, rev: namespace != hidden and rev in (None, revision))

    return plane


def route(*export_to: str, namespace: str = "zoo", revision: str | None = None) -> VirtualService:
    return VirtualService(namespace, "v", revision, ("a.example",), export_to, ())


def view(namespace: str, *hosts: str, port: int = 0) -> View:
    egress = (Egress(port, False, hosts),)
    return view_of(SidecarObject(namespace, "s", "", None, None, egress, None, ()), namespace)


@pytest.mark.parametrize(
    ("item", "imports", "expected"),
    [
        (route(), None, (ALICE | BOB, ALICE | BOB)),
        (route("*"), None, (ALICE | BOB, ALICE | BOB)),
        (route("alice"), None, (ALICE, ALICE)),
        (route("alice", "bob"), None, (ALICE | BOB, ALICE | BOB)),
        (route("."), None, (0, 0)),
        (route(".", namespace="bob"), None, (BOB, BOB)),
        (route("~"), None, (0, 0)),
        (route(revision="new"), None, (BOB, BOB)),
        (route(), view("alice", "zoo/*"), (ALICE | BOB, ALICE | BOB)),
        (route(), view("alice", "zoo/*", port=80), (ALICE | BOB, BOB)),
        (route(), view("alice", "zoo/*.example"), (ALICE | BOB, BOB)),
        (route(), view("alice", "*/*.example"), (ALICE | BOB, BOB)),
        (route(), view("alice", "zoo/*", "~zoo/b.example"), (ALICE | BOB, BOB)),
        (route(), view("alice", "zoo/*", "~/b.example"), (ALICE | BOB, BOB)),
        (route(), view("alice", "*/*", "~zoo/b.example"), (ALICE | BOB, BOB)),
        (route(), view("alice", "*/*", "~farm/b.example"), (ALICE | BOB, ALICE | BOB)),
        (route(), view("alice", "./*"), (BOB, BOB)),
        (route(namespace="alice"), view("alice", "./*"), (ALICE | BOB, ALICE | BOB)),
    ],
    ids=[
        "exported by default", "to all", "to one", "to two", "to its own namespace",
        "to its own namespace with clients", "to nobody", "of one revision", "all of its namespace is imported",
        "for one port only", "some of it is", "some of every namespace", "some of it is left out",
        "something is left out everywhere", "some of it is left out of everything", "something else is left out",
        "another namespace is imported", "the client's own namespace",
    ],
)  # fmt: skip
def test_who_may_get_it_and_who_surely_does(
    item: VirtualService, imports: View | None, expected: tuple[int, int]
) -> None:
    sidecars = [(ALICE, "old", "alice", imports), (BOB, "new", "bob", None)]
    assert Recipients(sidecars, planes()).of(item) == expected


def test_what_a_control_plane_does_not_know_it_gives_to_nobody() -> None:
    assert Recipients([(ALICE, "old", "alice", None)], planes(hidden="zoo")).of(route()) == (0, 0)


def test_no_client_is_asked_about_an_object_that_does_not_name_it() -> None:
    spaces = [f"n{number}" for number in range(3000)]
    found = Recipients([(1 << place, "old", space, view(space, "./*")) for place, space in enumerate(spaces)], planes())
    begun = time.process_time()
    given = [found.of(route(".", namespace=space)) for space in spaces]
    assert time.process_time() - begun < 0.5
    assert given == [(1 << place, 1 << place) for place in range(3000)]
