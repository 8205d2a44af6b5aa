# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EnvoyFilters can change, found by host, by port and by workload."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.patches import Patch, Patches, PatchIndex
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    SIDECAR_ACCEPTS,
    SIDECAR_SENDS,
    Capture,
    EnvoyFilter,
    Labels,
    Shape,
    Touch,
)


def patch(name: str, host: str = "", port: int = 0, subset: str | None = None, side: str = SIDECAR_SENDS) -> Patch:
    return Patch(name, Touch(side, host, port, subset))


ALL, HOST, PORT, BOTH = patch("a"), patch("b", "x"), patch("c", "", 80), patch("d", "x", 81)
OTHER, SUBSET = patch("e", "y"), patch("f", "", 0, "v1")


@pytest.mark.parametrize(
    ("every", "host", "ports", "found"),
    [
        pytest.param([HOST, OTHER], "x", [80], [HOST], id="its host"),
        pytest.param([PORT], "x", [80], [PORT], id="its port"),
        pytest.param([PORT], "x", [81], [], id="another port"),
        pytest.param([BOTH], "x", [80], [], id="its host at another port"),
        pytest.param([BOTH], "x", [80, 81], [BOTH], id="its host at one of its ports"),
        pytest.param([ALL], "x", [], [ALL], id="everything"),
        pytest.param([BOTH, PORT, HOST, ALL], "x", [80, 81], [BOTH, PORT, HOST, ALL], id="in their order"),
        pytest.param([HOST, ALL, PORT], "", [80], [ALL, PORT], id="of no host"),
    ],
)
def test_what_can_change_something_about_a_host(
    every: list[Patch], host: str, ports: list[int], found: list[Patch]
) -> None:
    assert Patches(tuple(every)).at(host, ports) == tuple(found)


@pytest.mark.parametrize(
    ("every", "port", "found"),
    [
        ([PORT, ALL], 80, PORT),
        ([ALL, PORT], 80, ALL),
        ([PORT, ALL], 81, ALL),
        ([PORT], 81, None),
        ([ALL], 0, ALL),
        ([], 80, None),
    ],
)
def test_the_first_that_can_change_something_at_a_port(every: list[Patch], port: int, found: Patch | None) -> None:
    assert Patches(tuple(every)).first_at(port) == found


@pytest.mark.parametrize(
    ("every", "found"),
    [([HOST, PORT, SUBSET], None), ([HOST, ALL, patch("z")], ALL), ([SUBSET, ALL], ALL), ([], None)],
    ids=["a part each", "the first of two", "behind a subset", "none"],
)
def test_the_first_that_can_change_whatever_is_sent(every: list[Patch], found: Patch | None) -> None:
    assert Patches(tuple(every)).whole() == found


def test_what_patches_are_for() -> None:
    found = Patches((BOTH, ALL, PORT, patch("d", "", 80), patch("d", "y", 9)))
    assert list(found.hosts()) == ["x", "", "y"]
    assert sorted(found.ports()) == [0, 9, 80, 81]
    assert found.reach() == {"d": [9, 80, 81], "a": [0], "c": [80]}
    assert (bool(found), bool(Patches(()))) == (True, False)


def test_for_a_proxy_of_any_port_what_is_for_no_host_counts_everywhere() -> None:
    found = Patches((PORT, BOTH)).anywhere()
    assert found.every == (patch("c"), BOTH)
    assert found is not Patches((PORT, BOTH)).anywhere()
    one = Patches((PORT,))
    assert one.anywhere() is one.anywhere()


SHAPE = Shape("sidecar", None, False, Capture((), None, ""), False, (), (), (), False, None, False, False)


def workload(namespace: str = "shop", waypoint: bool = False, **labels: str) -> Workload:
    return Workload("id", namespace, "Pod", "p", (), labels, SHAPE._replace(waypoint=waypoint), False, None, "")


def envoy_filter(where: str, *touches: Touch, selector: Labels | None = None, by_target: bool = False) -> EnvoyFilter:
    namespace, name = where.split("/")
    return EnvoyFilter(namespace, name, None, selector, touches, by_target)


SENDS, ACCEPTS, PART = Touch(SIDECAR_SENDS), Touch(SIDECAR_ACCEPTS), Touch(SIDECAR_SENDS, "x")
MANY = [
    envoy_filter("shop/own", PART, ACCEPTS),
    envoy_filter("root/all", PART),
    envoy_filter("zoo/other", SENDS),
    envoy_filter("shop/selected", PART, selector={"app": "a"}),
    envoy_filter("shop/target", PART, by_target=True),
]


@pytest.mark.parametrize(
    ("filters", "one", "sides", "names"),
    [
        pytest.param(MANY, workload(), (SIDECAR_SENDS,), ["shop/own", "root/all", "shop/target"],
                     id="its own namespace's and the root's, in their order"),
        pytest.param(MANY, workload(app="a"), (SIDECAR_SENDS,),
                     ["shop/own", "root/all", "shop/selected", "shop/target"], id="and what selects it"),
        pytest.param(MANY, workload(app="b"), (SIDECAR_SENDS,), ["shop/own", "root/all", "shop/target"],
                     id="not what selects others"),
        pytest.param(MANY, workload(), (SIDECAR_ACCEPTS,), ["shop/own"], id="of the other side"),
        pytest.param(MANY, workload(waypoint=True), (SIDECAR_SENDS,), ["shop/target"],
                     id="of a waypoint those that name it"),
        pytest.param(MANY, workload("root"), (SIDECAR_SENDS,), ["root/all"], id="once in the root namespace"),
        pytest.param(MANY, workload("zoo"), (SIDECAR_SENDS,), ["zoo/other"], id="what reaches all leaves nothing"),
        pytest.param(MANY, workload("bar"), (SIDECAR_SENDS,), ["root/all"], id="the root's alone"),
    ],
)  # fmt: skip
def test_which_envoy_filters_are_for_a_workload(
    filters: list[EnvoyFilter], one: Workload, sides: tuple[str, ...], names: list[str]
) -> None:
    index = PatchIndex(filters, "root")
    assert [found.envoy_filter for found in index.of(sides, one).every] == names
    assert index.of(sides, one) is index.of(sides, one._replace(id="other"))
