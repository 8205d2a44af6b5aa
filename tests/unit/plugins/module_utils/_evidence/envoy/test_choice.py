# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxies are asked, and which are not, with the reason."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.choice import ChoiceError, choose


def workload(name, pods, mesh="sidecar", namespace="shop"):
    return {
        "id": f"{namespace}/Deployment/{name}",
        "namespace": namespace,
        "pods": [f"{name}-{number}" for number in range(pods)],
        "mesh": mesh,
        "revision": "default",
        "ports": [{"port": 8080, "captured": True}, {"port": 9000, "captured": False}],
    }


MESH = [
    workload("cart", 4),
    workload("pay", 1),
    workload("front", 2, "gateway", "edge"),
    workload("legacy", 2, "none"),
    workload("tunnel", 1, "ambient"),
    workload("later", 0),
]
NONE = {"shop/Deployment/legacy": "no proxy", "shop/Deployment/tunnel": "ztunnel", "shop/Deployment/later": "no pods"}


@pytest.mark.parametrize(
    ("options", "asked", "not_asked"),
    [
        pytest.param({"sample": 1}, ["cart-0", "pay-0", "front-0"],
                     {"shop/Deployment/cart": "sample of 1 of this workload's 4 pods",
                      "edge/Deployment/front": "sample of 1", **NONE}, id="one of each workload"),
        pytest.param({"sample": 2}, ["cart-0", "cart-2", "pay-0", "front-0", "front-1"],
                     {"shop/Deployment/cart": "sample of 2", **NONE}, id="two, spread over the names"),
        pytest.param({}, ["cart-0", "cart-1", "cart-2", "cart-3", "pay-0", "front-0", "front-1"], NONE, id="all"),
        pytest.param({"ids": ["shop/Deployment/pay"]}, ["pay-0"],
                     {"shop/Deployment/cart": "not chosen", "edge/Deployment/front": "not chosen"}, id="one workload"),
        pytest.param({"ids": ["shop/Deployment/legacy"]}, [],
                     {"shop/Deployment/legacy": "no proxy", "shop/Deployment/cart": "not chosen",
                      "shop/Deployment/pay": "not chosen", "edge/Deployment/front": "not chosen"},
                     id="one without proxy"),
        pytest.param({"namespaces": ["edge"], "sample": 1}, ["front-0"],
                     {"edge/Deployment/front": "sample of 1", "shop/Deployment/cart": "not chosen",
                      "shop/Deployment/pay": "not chosen"}, id="one namespace"),
    ],
)  # fmt: skip
def test_choice(options, asked, not_asked):
    found = choose(MESH, **options)
    assert [target.pod for target in found.targets] == asked
    assert found.total == 7
    reasons = {item["workload"]: item["reason"] for item in found.not_asked}
    assert reasons.keys() == not_asked.keys()
    assert [name for name, words in not_asked.items() if words not in reasons[name]] == []


def test_every_pod_is_asked_or_named():
    found = choose(MESH, sample=3)
    named = [pod for item in found.not_asked for pod in item["pods"]]
    everyone = [pod for item in MESH for pod in item["pods"]]
    assert sorted([*(target.pod for target in found.targets), *named]) == sorted(everyone)


def test_what_a_target_knows():
    [target] = choose(MESH, ids=["shop/Deployment/pay"]).targets
    assert (target.place, target.gateway, target.ports, target.bypassed) == ("shop/pay-0", False, {8080, 9000}, {9000})


def test_a_workload_that_does_not_exist():
    with pytest.raises(ChoiceError, match=r"no workload shop/Deployment/card\. Remedy: .* shop/Deployment/cart"):
        choose(MESH, ids=["shop/Deployment/card"])


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param(["edge/Deployment/x"], "edge/Deployment/front", id="those of the same namespace"),
        pytest.param(
            ["bank/Deployment/x"],
            "edge/Deployment/front, shop/Deployment/cart, shop/Deployment/later, shop/Deployment/legacy, "
            "shop/Deployment/pay",
            id="of an unknown namespace the first five of all",
        ),
    ],
)
def test_an_error_names_what_may_be_meant(asked, named):
    with pytest.raises(ChoiceError) as caught:
        choose(MESH, ids=["shop/Deployment/pay", *asked])
    assert str(caught.value) == (
        f"There is no workload {asked[0]}. Remedy: name it as status_info does, for example {named}."
    )


def test_without_any_workload_an_example_is_named():
    with pytest.raises(ChoiceError, match=r"for example demo/Deployment/service-a\.$"):
        choose([], ids=["shop/Deployment/x"])


@pytest.mark.parametrize(
    ("pods", "sample", "taken"),
    [(5, 1, [0]), (5, 2, [0, 2]), (5, 3, [0, 1, 3]), (5, 5, [0, 1, 2, 3, 4]), (5, 6, [0, 1, 2, 3, 4]), (0, 1, [])],
)
def test_a_sample_is_spread_over_the_names(pods, sample, taken):
    found = choose([workload("a", pods)], sample=sample)
    assert [target.pod for target in found.targets] == [f"a-{number}" for number in taken]
    assert found.total == pods


def test_a_target_has_all_that_its_answers_are_judged_by():
    known = {**workload("a", 1), "identity": "spiffe://x/ns/shop/sa/a", "identity_aliases": ["spiffe://y/ns/shop/sa/a"]}
    [target] = choose([known]).targets
    assert target == (
        *("shop", "a-0", "shop/Deployment/a", "default", False, {8080, 9000}, {9000}, "spiffe://x/ns/shop/sa/a"),
        ("spiffe://y/ns/shop/sa/a",),
    )
    [gateway] = choose([workload("front", 1, "gateway")]).targets
    assert (gateway.gateway, gateway.identity, gateway.aliases) == (True, None, ())
