# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a workload must have: by its control plane, its namespace and its pods' service account."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate, spiffe
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    mesh_config,
    namespace,
    pod,
)

SHOP = namespace("shop", istio_injection="enabled")


def identities(*manifests, unread=()):
    rows = evaluate([SHOP, *manifests], unread=unread)["workloads"]
    return {row["id"].split("/")[-1]: row["identity"] for row in rows}


@pytest.mark.parametrize(
    ("spec", "config", "identity"),
    [
        pytest.param({"serviceAccountName": "till"}, {}, "spiffe://cluster.local/ns/shop/sa/till", id="its account"),
        pytest.param({}, {}, "spiffe://cluster.local/ns/shop/sa/default", id="without an account the default one"),
        pytest.param({}, {"trustDomain": "a.example"}, "spiffe://a.example/ns/shop/sa/default", id="a trust domain"),
        pytest.param({}, {"enableAutoMtls": "perhaps"}, None, id="a mesh configuration that is doubtful"),
    ],
)
@pytest.mark.parametrize("proxy", ["sidecar", "native", "ambient", "gateway"])
def test_identity(proxy, spec, config, identity):
    assert identities(mesh_config(**config), pod("shop/cart", proxy, **spec)) == {"cart": identity}


@pytest.mark.parametrize(
    ("config", "aliases"),
    [
        ({}, []),
        ({"trustDomainAliases": ["b.example", "a.example"]}, ["a.example", "b.example"]),
        ({"trustDomainAliases": ["a.example"], "enableAutoMtls": "perhaps"}, []),
    ],
    ids=["none", "two", "of a mesh configuration that is doubtful"],
)
def test_aliases_of_the_trust_domain(config, aliases):
    [row] = evaluate([SHOP, mesh_config(**config), pod("shop/cart")])["workloads"]
    assert row["identity_aliases"] == [f"spiffe://{domain}/ns/shop/sa/default" for domain in aliases]


def test_pods_of_two_accounts_are_two_workloads():
    pods = [pod("shop/cart", number=number, serviceAccountName=name) for number, name in enumerate("aba")]
    assert identities(mesh_config(), *pods) == {
        "cart": "spiffe://cluster.local/ns/shop/sa/a",
        "cart~2": "spiffe://cluster.local/ns/shop/sa/b",
    }


@pytest.mark.parametrize(
    ("manifests", "unread"),
    [
        pytest.param([pod("shop/cart", "none")], [], id="outside the mesh"),
        pytest.param([deployment("shop/cart")], [], id="no pods yet"),
        pytest.param([pod("shop/cart")], [{"kind": "MutatingWebhookConfiguration", "namespace": None, "reason": "403"}],
                     id="control planes that were not read"),
    ],
)  # fmt: skip
def test_nobodys_identity(manifests, unread):
    assert identities(mesh_config(), *manifests, unread=unread) == {"cart": None}


def test_a_pod_whose_account_is_no_text_is_unread():
    result = evaluate([SHOP, mesh_config(), pod("shop/cart", serviceAccountName=["a"])])
    assert any(item["kind"] == "Pod" and item["namespace"] == "shop" for item in result["unknown"])


def test_a_trust_domain_with_a_character_that_uris_lack():
    assert spiffe.identity("team@a.example", "shop", "cart") == "spiffe://team.a.example/ns/shop/sa/cart"


@pytest.mark.parametrize(
    ("name", "domain"), [("spiffe://a.example/ns/shop/sa/cart", "a.example"), ("https://a.example", ""), ("", "")]
)
def test_trust_domain_of(name, domain):
    assert spiffe.trust_domain_of(name) == domain
