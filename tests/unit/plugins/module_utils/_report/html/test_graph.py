# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boxes the graph has, and which lines: clients that are answered alike together, big meshes by namespace."""

from __future__ import annotations

import re

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html import graph
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html.svg import svg
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits


def drawn(audit):
    """The drawings, and the facts."""
    known = states.facts_of(audit)
    return graph.drawings_of(known), known


def mesh(servers, spaces=("demo",), *more):
    """A STRICT mesh with so many servers in each namespace."""
    resources = [*audits.CONTROL_PLANE, peer("istio-system/default", "STRICT"), *more]
    for space in spaces:
        resources.append(namespace(space, istio_injection="enabled"))
        for number in range(servers):
            resources += [pod(f"{space}/app-{number:02}"), service(f"{space}/app-{number:02}")]
    return audits.judged(resources, compact=True)


def test_two_services():
    found, dummy = drawn(audits.two())
    whole = found.overview
    assert [(group.letter, group.inside, group.members) for group in whole.groups] == [
        ("A", True, ["demo/Deployment/service-a", "demo/Deployment/service-b"]),
        ("B", False, ["istio-system/Deployment/istiod", "kube-system/Deployment/coredns"]),
    ]
    assert [server.names for server in whole.servers] == [["demo/Deployment/service-a"], ["demo/Deployment/service-b"]]
    assert whole.servers[0].lines == [
        graph.Line([0], "mtls", ("mtls",) * 3, [":80"]),
        graph.Line([1], "refused", ("refused",) * 3, [":80"]),
    ]
    assert found.namespaces == []


def test_whoever_is_answered_differently_has_a_box_of_its_own():
    own = rule("demo/own", "app-01.demo.svc.cluster.local", tls("DISABLE"), export_to=["."])
    lonely = [namespace("lonely", istio_injection="enabled"), pod("lonely/one")]
    found, dummy = drawn(mesh(3, ("demo",), *lonely, own))
    assert [group.members for group in found.overview.groups if group.inside] == [
        ["demo/Deployment/app-00", "demo/Deployment/app-01", "demo/Deployment/app-02"],
        ["lonely/Deployment/one"],
    ]
    assert {line.state for server in found.overview.servers for line in server.lines if 0 in line.groups} == {
        "mtls",
        "broken",
    }


def test_more_kinds_of_clients_than_can_be_compared_are_one_box_that_says_so(monkeypatch):
    own = rule("demo/own", "app-01.demo.svc.cluster.local", tls("DISABLE"), export_to=["."])
    lonely = [namespace("lonely", istio_injection="enabled"), pod("lonely/one")]
    audit = mesh(3, ("demo",), *lonely, own)
    every, dummy = drawn(audit)
    monkeypatch.setattr(graph, "_MOST_MEMBERSHIPS", 0)
    found, known = drawn(audit)
    inside = [group for group in found.overview.groups if group.inside]
    assert [group.further for group in inside] == [True]
    assert inside[0].members == sorted(one for group in every.overview.groups if group.inside for one in group.members)
    states_of = [{line.state for server in one.overview.servers for line in server.lines} for one in (every, found)]
    assert states_of[0] == states_of[1]
    assert "in further groups, in the mesh" in svg(found.overview, graph.described(found.overview, known.clients), "k")


@pytest.mark.parametrize(("servers", "spaces", "names"), [(24, 1, 24), (25, 1, 1), (12, 2, 24), (13, 2, 2)])
def test_above_some_tens_servers_are_grouped_by_namespace(servers, spaces, names):
    found, dummy = drawn(mesh(servers, [f"n{place}" for place in range(spaces)]))
    assert len(found.overview.servers) == names
    assert len(found.namespaces) == (names if names < 24 else 0)


def test_in_a_big_namespace_servers_that_answer_alike_share_a_box():
    found, dummy = drawn(mesh(30, ("demo",), peer("demo/one", "DISABLE", selector={"app": "app-07"})))
    boxes = found.namespaces[0].servers
    assert [box.names[:1] for box in boxes] == [["demo/Deployment/app-07"], ["demo/Deployment/app-00"]]
    assert len(boxes[1].names) == 29


def test_the_worst_namespaces_come_first_and_too_many_are_counted(monkeypatch):
    monkeypatch.setattr(graph, "MOST_NAMESPACES", 3)
    found, dummy = drawn(mesh(10, ("n1", "n2", "n3", "n4"), peer("n4/default", "PERMISSIVE")))
    assert [one.name for one in found.namespaces] == ["n4", "n1", "n2"]
    assert [server.names for server in found.overview.servers] == [["n4"], ["n1"], ["n2"]]
    assert found.left_out == 1


def test_too_many_groups_of_clients_share_the_last_box(monkeypatch):
    monkeypatch.setattr(graph, "MOST_GROUPS", {True: 2, False: 4})
    spaces = [f"n{place}" for place in range(6)]
    rules = [
        rule(f"{space}/r", f"app-00.{space}.svc.cluster.local", tls("DISABLE"), export_to=["."]) for space in spaces
    ]
    found, known = drawn(mesh(1, spaces, *rules))
    groups = found.overview.groups
    assert [(group.inside, group.further) for group in groups] == [(True, False), (True, True), (False, False)]
    assert sorted(member for group in groups for member in group.members) == sorted(known.workloads)


def test_nothing_to_draw():
    assert drawn(audits.judged([]))[0] is None


def test_a_service_without_endpoints_is_a_box_too():
    found, dummy = drawn(mesh(1, ("demo",), service("demo/empty")))
    assert [server.names for server in found.overview.servers] == [
        ["demo/Deployment/app-00"],
        ["demo/empty (no endpoint)"],
    ]


@pytest.mark.parametrize("audit", [audits.two(), audits.many()], ids=["2", "200"])
def test_every_line_is_drawn_inside_the_picture(audit):
    found, known = drawn(audit)
    for one in (found.overview, *found.namespaces):
        text = svg(one, graph.described(one, known.clients), "g")
        left, top, width, height = map(float, re.search('viewBox="([^"]+)"', text).group(1).split())
        lines = sum(len(line.groups) for server in one.servers for line in server.lines)
        assert text.count("<path d=") == lines
        numbers = re.findall(r' (x|y)="([-0-9.]+)"', text)
        for axis, number in numbers:
            low, size = (left, width) if axis == "x" else (top, height)
            assert low <= float(number) <= low + size


def test_a_drawing_is_described_in_words():
    found, known = drawn(audits.two())
    assert graph.described(found.overview, known.clients).startswith(
        "4 clients (2 in the mesh) in 2 groups on the left, 2 boxes of servers on the right, edges between them: "
        "mTLS, refused."
    )


def test_groups_that_get_the_same_answer_share_a_line_and_many_groups_leave_only_the_bad_ones():
    spaces = [f"n{place}" for place in range(9)]
    rules = [
        rule(f"{space}/r", f"app-00.{space}.svc.cluster.local", tls("DISABLE"), export_to=["."]) for space in spaces
    ]
    found, known = drawn(mesh(1, spaces, *rules))
    whole = found.overview
    assert [(line.groups, line.state) for line in whole.servers[0].lines] == [
        ([0], "broken"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "mtls"),
        ([9], "refused"),
    ]
    text = svg(whole, graph.described(whole, known.clients), "g")
    assert text.count("<path d=") == text.count("s-broken") == 9
    assert ">B-I</text>" in text
