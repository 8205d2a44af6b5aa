# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate an endpoint must show: what the mesh's configuration says of its pod, else what istiod issues."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.expectation import expected_of, expecting
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Endpoint, Target

POD = Endpoint("10.1.0.2", 8080, "cart-1", "cart")
CART, OTHER = "spiffe://cluster.local/ns/shop/sa/cart", "spiffe://x.example/ns/shop/sa/cart"


@pytest.mark.parametrize(
    ("endpoint", "domains", "known", "identities"),
    [
        pytest.param(POD, ["cluster.local"], {}, (CART,), id="its account in the trust domain"),
        pytest.param(POD, ["cluster.local", "x.example"], {}, (CART, OTHER), id="and in another one"),
        pytest.param(POD, ["cluster.local"], {"shop/cart-1": (OTHER,)}, (OTHER,), id="what is known of its pod counts"),
        pytest.param(POD, ["cluster.local"], {"other/cart-1": (OTHER,)}, (CART,), id="known of another namespace's"),
        pytest.param(POD, [], {}, (), id="no trust domain is known"),
        pytest.param(POD._replace(account=None), ["cluster.local"], {}, (), id="its pod was not read"),
        pytest.param(POD._replace(pod=None), ["cluster.local"], {"shop/None": (OTHER,)}, (), id="no pod"),
    ],
)
def test_expecting(endpoint, domains, known, identities):
    target = Target("shop", "cart", 80, "http", None, (endpoint,), 1)
    [found] = expecting([target], domains, known)
    assert found.endpoints == (endpoint._replace(identities=identities),)


def test_what_the_policies_tell_of_pods():
    told = {"namespace": "shop", "pods": ["cart-1", "cart-2"], "identity": CART, "identity_aliases": [OTHER]}
    untold = {"namespace": "shop", "pods": ["till-1"], "identity": None, "identity_aliases": []}
    assert expected_of([told, untold]) == dict.fromkeys(["shop/cart-1", "shop/cart-2"], (CART, OTHER))
