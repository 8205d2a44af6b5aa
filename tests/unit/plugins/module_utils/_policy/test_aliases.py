# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chain of names ends at; what clients meet there is in test_addresses.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.aliases import _target


def names(**aliases: str) -> dict[str, Any]:
    """Aliases by their names, which stand for others."""
    return {name: SimpleNamespace(host=name, alias=alias) for name, alias in aliases.items()}


@pytest.mark.parametrize(
    ("aliases", "ends"),
    [
        pytest.param({"a": "x"}, {"a": "x"}, id="one"),
        pytest.param({"a": "b", "b": "x"}, {"a": "x", "b": "x"}, id="one that leads to another"),
        pytest.param({"a": "X.", "b": "A"}, {"a": "x", "b": "x"}, id="however they are written"),
        pytest.param({"a": "a"}, {"a": None}, id="itself"),
        pytest.param({"a": "b", "b": "a"}, {"a": None, "b": None}, id="a circle"),
        pytest.param({"a": "b", "b": "c", "c": "b"}, {"a": None, "b": None, "c": None}, id="what leads to a circle"),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["one order", "the other"])
def test_the_end_of_a_chain(aliases: dict[str, str], ends: dict[str, str | None], order: int) -> None:
    found, known = names(**aliases), {}  # type: tuple[dict[str, Any], dict[str, str | None]]
    assert {name: _target(found[name], found, known) for name in list(aliases)[::order]} == ends


def test_the_ends_of_all_names_on_the_way_are_remembered() -> None:
    """Else a long chain is walked again from each of its names."""
    found, known = names(a="b", b="c", c="x", d="x"), {}  # type: tuple[dict[str, Any], dict[str, str | None]]
    assert _target(found["a"], found, known) == "x"
    assert known == {"a": "x", "b": "x", "c": "x"}
