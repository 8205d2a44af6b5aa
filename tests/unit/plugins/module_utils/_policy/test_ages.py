# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two objects is older decides, and without their times nobody knows which it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    judge,
    mesh_config,
    peer,
    pod,
    port_tls,
    rule,
    service,
    tls,
    workload,
)

A = {"app": "a"}
HOST = "a.demo.svc.cluster.local"


def of(name: str, mode: str | None, selector: Any = None, age: int | None = None) -> Any:
    return peer(name, mode, selector, age=age)


def to(name: str, policy: Any, age: int | None = None) -> Any:
    return rule(name, HOST, policy, age)


def mode(*policies: Any) -> str | None:
    return workload(judge(mesh_config(), pod("demo/a"), *policies), "demo/a")["mode"]


@pytest.mark.parametrize(
    ("title", "policies", "expected"),
    [
        ("one alone", [of("demo/p", "STRICT")], "STRICT"),
        ("two that say the same", [of("demo/p", "STRICT"), of("demo/q", "STRICT")], "STRICT"),
        ("two that differ", [of("demo/p", "STRICT"), of("demo/q", "DISABLE")], "unknown"),
        ("only one has a time", [of("demo/p", "STRICT", age=1), of("demo/q", "DISABLE")], "unknown"),
        ("both have one", [of("demo/p", "STRICT", age=1), of("demo/q", "DISABLE", age=2)], "STRICT"),
        ("of the mesh", [of("istio-system/p", "STRICT"), of("istio-system/q", None)], "unknown"),
        ("of two scopes", [of("demo/p", "STRICT"), of("istio-system/q", "DISABLE")], "STRICT"),
        ("for one workload", [of("demo/p", "STRICT", A), of("demo/q", "DISABLE", A)], "unknown"),
        ("for two workloads",
         [of("demo/p", "STRICT", A), of("demo/q", "DISABLE", {"app": "b"})], "STRICT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_peer_authentications_without_times(title, policies, expected):
    assert mode(*policies) == expected, title
    assert mode(*policies[::-1]) == expected, title


def test_what_they_agree_on_is_known():
    first = peer("demo/p", "STRICT", A, {8080: "DISABLE"}, age=None)
    second = peer("demo/q", "STRICT", A, {9090: "DISABLE"}, age=None)
    found = workload(judge(mesh_config(), pod("demo/a"), first, second), "demo/a")
    assert (found["mode"], found["policy"]) == ("STRICT", "demo/p or q")
    assert {row["port"]: row["mode"] for row in found["ports"]} == {8080: "unknown", 9090: "unknown"}


@pytest.mark.parametrize(
    ("title", "rules", "expected"),
    [
        ("one alone", [to("demo/p", tls("DISABLE"))], "plaintext -> broken"),
        ("two that say the same",
         [to("demo/p", tls("DISABLE")), to("demo/q", tls("DISABLE"))], "plaintext -> broken"),
        ("two that differ",
         [to("demo/p", tls("DISABLE")), to("demo/q", tls("ISTIO_MUTUAL"))],
         "unknown -> unknown"),
        ("only one has a time",
         [to("demo/p", tls("DISABLE"), 1), to("demo/q", port_tls(80, "ISTIO_MUTUAL"))],
         "unknown -> unknown"),
        ("both have one",
         [to("demo/p", tls("DISABLE"), 1), to("demo/q", tls("ISTIO_MUTUAL"), 2)], "plaintext -> broken"),
        ("one says nothing",
         [to("demo/p", tls("DISABLE")), to("demo/q", None)], "plaintext -> broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_destination_rules_without_times(title, rules, expected):
    parts = [mesh_config(), peer("demo/p", "STRICT"), pod("demo/a"), pod("demo/b"), service("demo/a")]
    assert answer(judge(*parts, *rules), "demo/b", "demo/a") == expected, title
    assert answer(judge(*parts, *rules[::-1]), "demo/b", "demo/a") == expected, title


@pytest.mark.parametrize("age", [1, None], ids=["beside one with a time", "beside one without"])
def test_a_proposed_object_is_the_youngest(age):
    old, new = peer("demo/q", "STRICT", age=age), peer("demo/p", "DISABLE", age=None)
    result = evaluate([mesh_config(), pod("demo/a"), old], proposed=[{"op": "apply", "manifest": new}])
    assert workload(result, "demo/a")["mode"] == "STRICT"
