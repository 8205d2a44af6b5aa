# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two objects is older decides, and without their times nobody knows which it is."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.ages import (
    PROPOSED,
    age_of,
    orders,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    YOUNGEST,
    Service,
)
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


EAST = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        pytest.param("2026-01-01T02:03:04Z", "2026-01-01T02:03:04", id="as the API server writes it"),
        pytest.param("2026-01-01T02:03:04.5Z", "2026-01-01T02:03:04", id="parts of a second do not count"),
        pytest.param("2026-01-01T02:03:04+02:00", "2026-01-01T00:03:04", id="another time zone"),
        pytest.param(datetime.datetime(2026, 1, 1, 2, 3, 4, tzinfo=EAST), "2026-01-01T00:03:04", id="of YAML, zoned"),
        pytest.param(datetime.datetime(2026, 1, 1, 2, 3, 4), "2026-01-01T02:03:04", id="of YAML, old PyYAML"),
        pytest.param(datetime.date(2026, 1, 1), UNDATED, id="a day"),
        pytest.param(None, UNDATED, id="none"),
        pytest.param("", UNDATED, id="empty"),
        pytest.param("2026-01-01T02:03:04", UNDATED, id="no time zone"),
        pytest.param("2026-01-01 02:03:04Z", UNDATED, id="not the form of RFC 3339"),
        pytest.param("2026-13-01T02:03:04Z", UNDATED, id="no such month"),
        pytest.param("0001-01-01T00:00:00+02:00", UNDATED, id="before all time"),
        pytest.param("0000-not a time at all", UNDATED, id="words that sort first"),
        pytest.param("٢٠٢٦-01-01T02:03:04Z", UNDATED, id="other digits"),
        pytest.param(YOUNGEST, UNDATED, id="what stands for the youngest, as text"),
        pytest.param(PROPOSED, YOUNGEST, id="proposed"),
    ],
)  # fmt: skip
def test_age_of(stamp, expected):
    assert age_of({"creationTimestamp": stamp}) == expected


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59", YOUNGEST])
def test_no_time_makes_an_object_one_that_is_only_proposed(stamp):
    """A manifest that claims to be the youngest would else take itself out of the contest with an undated one."""
    claimed = of("demo/p", "STRICT")
    claimed["metadata"]["creationTimestamp"] = stamp
    assert mode(claimed, of("demo/q", "DISABLE")) == "unknown"


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        pytest.param("12", ["12"], id="all known"),
        pytest.param("1u", ["1u", "u1"], id="one unknown"),
        pytest.param("12u", ["12u", "1u2", "u12"], id="the known ones keep their order"),
        pytest.param("uv", ["uv", "vu"], id="none known"),
        pytest.param("1pq", ["1pq", "1qp"], id="proposed ones come last"),
        pytest.param("", [""], id="nothing"),
        pytest.param("12345678901234567890123456789", ["12345678901234567890123456789"], id="many with a time"),
        pytest.param("1234567890p", ["1234567890p"], id="many with a time, and one proposed"),
        pytest.param(
            "12345" + "u", ["12345u", "1234u5", "123u45", "12u345", "1u2345", "u12345"], id="as many as are tried"
        ),
        pytest.param("123456" + "u", [], id="too many to try, for one alone"),
        pytest.param("u" * 40, [], id="too many to try"),
    ],
)
def test_orders(ages, expected):
    known = {"u": UNDATED, "v": UNDATED, "p": YOUNGEST, "q": YOUNGEST}
    items = [Service("demo", age, known.get(age, age), False, "", None, (), (), ()) for age in ages]
    assert ["".join(item.name for item in order) for order in orders(items)] == expected


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
        ("one that is surely not the oldest",
         [of("demo/p", "STRICT", age=1), of("demo/q", "DISABLE", age=2), of("demo/r", "STRICT")], "STRICT"),
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
        ("they differ in what decides nothing here",
         [to("demo/p", port_tls(9, "DISABLE")), to("demo/q", port_tls(10, "DISABLE"))], "mtls -> mtls"),
        ("more than can be tried that say the same",
         [to(f"demo/p{place}", tls("DISABLE")) for place in range(9)], "plaintext -> broken"),
        ("more than can be tried, and one that differs",
         [to(f"demo/p{place}", tls("DISABLE")) for place in range(9)] + [to("demo/q", tls("ISTIO_MUTUAL"))],
         "unknown -> unknown"),
        ("for two hosts",
         [to("demo/p", tls("DISABLE")), rule("demo/q", "*.demo.svc.cluster.local", tls("ISTIO_MUTUAL"))],
         "plaintext -> broken"),
        ("of two namespaces",
         [to("demo/p", tls("DISABLE")), to("istio-system/q", tls("ISTIO_MUTUAL"))], "plaintext -> broken"),
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


def test_two_proposed_objects_may_come_in_any_order():
    steps = [{"op": "apply", "manifest": of(name, value)} for name, value in (("demo/p", "STRICT"), ("demo/q", None))]
    result = evaluate([mesh_config(), pod("demo/a"), of("istio-system/m", "DISABLE", age=1)], proposed=steps)
    assert workload(result, "demo/a")["mode"] == "unknown"


def ambient(*policies: Any) -> Any:
    return workload(judge(mesh_config(), pod("demo/a", "ambient"), *policies), "demo/a")


@pytest.mark.parametrize(
    ("title", "policies", "expected"),
    [
        ("an empty selector that is surely younger",
         [of("istio-system/p", "STRICT", age=1), of("istio-system/q", "STRICT", {}, age=2)], "STRICT"),
        ("an empty selector that may be older",
         [of("istio-system/p", "STRICT"), of("istio-system/q", "STRICT", {})], "unknown"),
        ("of the same second", [of("demo/p", "STRICT", age=1), of("demo/q", "DISABLE", age=1)], "unknown"),
        ("of the same second, saying the same",
         [of("demo/p", "STRICT", age=1), of("demo/q", "STRICT", age=1)], "STRICT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_ztunnel_goes_by_nothing_but_the_time(title, policies, expected):
    assert ambient(*policies)["mode"] == expected, title
    assert ambient(*policies[::-1])["mode"] == expected, title


def test_a_port_that_ztunnel_may_open_is_unknown():
    """Under an inherited STRICT, DISABLE opens a port only beside one that is PERMISSIVE."""
    first = peer("demo/p", None, A, {8080: "DISABLE", 9090: "PERMISSIVE"}, age=None)
    second = peer("demo/q", None, A, {8080: "DISABLE"}, age=None)
    found = ambient(of("istio-system/m", "STRICT", age=1), first, second)
    assert {row["port"]: row["mode"] for row in found["ports"]} == {8080: "unknown", 9090: "unknown"}


def test_an_unknown_order_names_its_objects():
    parts = [mesh_config(), pod("demo/a"), pod("demo/b"), service("demo/a")]
    result = judge(*parts, of("demo/p", "STRICT", age=1), of("demo/q", "DISABLE"))
    reasons = {row["reason"] for row in result["edges"] if row["endpoint"] == "demo/Deployment/a"}
    assert any(
        "which PeerAuthentication of demo/p and demo/q counts depends on their age, and demo/q carries no "
        "creationTimestamp" in reason
        for reason in reasons
    )
    assert not [item for item in result["findings"] if item["id"] == "MTLS-010"]


PARTS = [
    mesh_config(),
    peer("demo/p", "STRICT"),
    pod("demo/a"),
    pod("demo/b"),
    pod("other/c"),
    pod("third/d"),
    pod("demo/v1", labels={"app": "a", "version": "1"}),
    service("demo/a"),
]


def subset(name: str, version: str, policy: Any = None) -> Any:
    found: dict[str, Any] = {"name": name, "labels": {"version": version}}
    return found if policy is None else found | {"trafficPolicy": policy}


def cells(*rules: Any) -> Any:
    """All answers by client and subset, which must not depend on the order of the input."""
    found = []
    for order in (rules, rules[::-1]):
        result = judge(*PARTS, *order)
        found.append(
            {
                (client, row["subset"], row["endpoint"]): (row["client_tls"], row["reason"])
                for row in result["edges"]
                for client in result["client_sets"][row["clients"]]
            }
        )
    assert found[0] == found[1]
    return {key: tls for key, (tls, dummy) in found[0].items()}


def test_rules_exported_to_different_namespaces():
    """If the narrow one is older, the wide one merges into it and is lost for its other namespaces."""
    narrow = rule("demo/p", HOST, tls("ISTIO_MUTUAL"), None, export_to=["other"])
    wide = rule("demo/q", HOST, tls("DISABLE"), None, export_to=["other", "third"])
    found = cells(narrow, wide)
    assert found["third/Deployment/d", None, "demo/Deployment/a"] == "unknown"
    assert found["other/Deployment/c", None, "demo/Deployment/a"] == "mtls"
    assert found["demo/Deployment/b", None, "demo/Deployment/a"] == "mtls"


def test_which_labels_a_subset_has():
    """Both send plaintext, but to whom?"""
    first = rule("demo/p", HOST, None, None, subsets=[subset("x", "1", tls("DISABLE"))])
    second = rule("demo/q", HOST, None, None, subsets=[subset("x", "2", tls("DISABLE"))])
    found = cells(first, second)
    assert found["demo/Deployment/b", "x", "demo/Deployment/v1"] == "unknown"
    assert found["demo/Deployment/b", None, "demo/Deployment/v1"] == "mtls"


def test_subsets_that_only_one_of_several_brings():
    first = rule("demo/p", HOST, tls("ISTIO_MUTUAL"), None, subsets=[subset("x", "1")])
    second = rule("demo/q", HOST, None, None, subsets=[subset("y", "1", tls("DISABLE"))])
    found = cells(first, second)
    assert found["demo/Deployment/b", "x", "demo/Deployment/v1"] == "mtls"
    assert found["demo/Deployment/b", "y", "demo/Deployment/v1"] == "plaintext"


def test_subsets_of_rules_that_stay_separate():
    first = rule("demo/p", HOST, None, None, export_to=["*"], subsets=[subset("x", "1", tls("DISABLE"))])
    second = rule("demo/q", HOST, None, None, export_to=["demo", "other"], subsets=[subset("y", "1")])
    found = cells(first, second)
    assert found["other/Deployment/c", "x", "demo/Deployment/v1"] == "unknown"
    assert found["other/Deployment/c", "y", "demo/Deployment/v1"] == "unknown"
    assert found["other/Deployment/c", None, "demo/Deployment/v1"] == "mtls"


def test_the_reason_names_the_rules():
    result = judge(*PARTS, to("demo/p", tls("DISABLE"), 1), to("demo/q", tls("ISTIO_MUTUAL")))
    reasons = {row["reason"] for row in result["edges"] if row["verdict"] == "unknown"}
    assert reasons == {
        "which DestinationRule of demo/p and demo/q counts depends on their age, "
        "and demo/q carries no creationTimestamp"
    }
