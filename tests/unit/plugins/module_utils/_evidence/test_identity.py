# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An identity fits when it is known whose it must be, and nothing else was seen."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.identity import compared

CART = "spiffe://cluster.local/ns/shop/sa/cart"


def test_an_alias_of_the_trust_domain_fits():
    other = CART.replace("cluster.local", "old.example")
    assert [compared(CART, shown, [other]).result for shown in ([CART], [other], [CART, other], ["x"])] == [
        *["fits"] * 3,
        "wrong",
    ]
    assert compared(None, [other], [other]).result == "unknown"


@pytest.mark.parametrize(
    ("expected", "shown", "result"),
    [
        pytest.param(CART, [CART], "fits", id="the same"),
        pytest.param(CART, [CART, CART], "fits", id="the same twice"),
        pytest.param(CART, [CART, f"{CART}2"], "wrong", id="another beside it"),
        pytest.param(CART, [f"{CART}/x"], "wrong", id="a longer one"),
        pytest.param(CART, [CART.upper()], "wrong", id="in other letters"),
        pytest.param(CART, ["spiffe://"], "wrong", id="an empty one"),
        pytest.param(CART, [], "unknown", id="none"),
        pytest.param(None, [CART], "unknown", id="it is not known whose"),
        pytest.param(None, [], "unknown", id="nothing is known"),
    ],
)
def test_compared(expected, shown, result):
    found = compared(expected, shown)
    assert (found.expected, found.result, bool(found.why)) == (expected, result, result != "fits")
    if result == "wrong":
        assert f"must show {expected}" in found.why
        assert all(name in found.why for name in shown)
