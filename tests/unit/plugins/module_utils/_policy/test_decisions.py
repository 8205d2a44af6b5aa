# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How PeerAuthentications become one decision: scopes, contests, the corners of ztunnel, and what a port does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    Capture,
    InboundRule,
    PeerAuthentication,
    Shape,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.server import (
    UNREADABLE,
    Acceptance,
    Decision,
    PeerAuthenticationIndex,
    accepts,
    eldest,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import Unread

A = {"app": "a"}
S, P, D, UNSET, U = "STRICT", "PERMISSIVE", "DISABLE", "UNSET", "unknown"


def policy(where: str, mode: str, ports: dict[int, str] | None = None, **more: Any) -> PeerAuthentication:
    """A PeerAuthentication of the first second; what is named w is of the workload app=a."""
    home, name = where.split("/")
    first = PeerAuthentication(home, name, "2026-01-01T00:00:00", None, None, True, mode, ports or {})
    return first._replace(selector=A if name.startswith("w") else None)._replace(**more)


def index(*policies: PeerAuthentication, unread: str = "") -> PeerAuthenticationIndex:
    """With the PeerAuthentications of a namespace unread, if one is named."""
    gaps = [{"kind": "PeerAuthentication", "namespace": unread, "reason": "forbidden"}] if unread else []
    return PeerAuthenticationIndex(list(policies), "root", Unread(gaps, []))


OWN = Decision(S, "demo/n", {8080: D}, "demo/w")
DOUBTED = Decision(U, "demo/n", {8080: S}, "demo/w", "nobody knows")


@pytest.mark.parametrize(
    ("decision", "port", "exception", "why"),
    [
        (OWN, 8080, "demo/w", "PeerAuthentication demo/w makes port 8080 DISABLE"),
        (OWN, 9090, None, "PeerAuthentication demo/n is STRICT"),
        (OWN._replace(policy="demo/w"), 8080, None, "PeerAuthentication demo/w makes port 8080 DISABLE"),
        (Decision(P, None, {}, None), 8080, None, "no PeerAuthentication sets a mode, so it is PERMISSIVE"),
        (UNREADABLE, 8080, None, "PeerAuthentications that could decide the mode were not read"),
        (DOUBTED, 8080, "demo/w", "PeerAuthentication demo/w makes port 8080 STRICT"),
        (DOUBTED, 9090, None, "nobody knows"),
    ],
    ids=["a port's own", "another port", "one policy for both", "none", "unread", "beside a doubt", "doubted"],
)
def test_what_decides_at_a_port(decision, port, exception, why):
    assert (decision.exception_at(port), decision.why(port)) == (exception, why)


def undated(where: str, mode: str, ports: dict[int, str] | None = None) -> PeerAuthentication:
    return policy(where, mode, ports, age=UNDATED)


@pytest.mark.parametrize(
    ("title", "policies", "ambient", "expected"),
    [
        ("one says all", [policy("demo/a", S, {1: D})], False, ("a", S, {1: D})),
        ("undated and alike", [undated("demo/a", S, {1: D}), undated("demo/b", S, {1: D})], False, ("a", S, {1: D})),
        ("undated and unlike", [undated("demo/a", S), undated("demo/b", D)], False, ("a or b", U, {})),
        (
            "alike in the mode, unlike in ports",
            [undated("demo/a", S, {1: D, 2: P}), undated("demo/b", S, {1: D, 2: S, 3: P})],
            False,
            ("a or b", S, {1: D, 2: U, 3: U}),
        ),
        (
            "a third is like the first",
            [undated("demo/a", S), undated("demo/b", D), undated("demo/c", S)],
            False,
            ("a or b or c", U, {}),
        ),
        ("equally old: the name decides", [policy("demo/a", S), policy("demo/b", D)], False, ("a", S, {})),
        ("but not to ztunnel", [policy("demo/a", S), policy("demo/b", D)], True, ("a or b", U, {})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_of_several_counts(title, policies, ambient, expected):
    found = eldest(policies, ambient)
    assert (found.name, found.mode, found.ports) == expected, title
    assert bool(found.doubt) == (" or " in found.name)


MESH = policy("root/m", S)
HOME_UNSET, HOME_UNKNOWN = policy("demo/n", UNSET), policy("demo/n", U)


def own(mode: str = UNSET, **ports: str) -> PeerAuthentication:
    return policy("demo/w", mode, {int(name[1:]): value for name, value in ports.items()})


# title, policies, mode and ports as a sidecar enforces them, as ztunnel does
DECISIONS = [
    ("nothing", [], (P, {}), (P, {})),
    ("the mesh's", [MESH], (S, {}), (S, {})),
    ("the mesh's with an empty selector", [MESH._replace(nil_selector=False)], (S, {}), (P, {})),
    ("equally old in a namespace", [policy("demo/a", S), policy("demo/b", D)], (S, {}), (U, {})),
    ("equally old in the mesh", [policy("root/a", S), policy("root/b", D)], (S, {}), (U, {})),
    ("equally old of a workload", [policy("demo/w1", S), policy("demo/w2", D)], (S, {}), (U, {})),
    ("no ports", [MESH, own()], (S, {}), (S, {})),
    ("an inherited STRICT is not opened by DISABLE", [MESH, own(p1=D)], (S, {1: D}), (S, {1: S})),
    ("nor a port beside it that is STRICT", [MESH, own(p1=D, p2=S)], (S, {1: D, 2: S}), (S, {1: S, 2: S})),
    ("but beside PERMISSIVE", [MESH, own(p1=D, p2=P)], (S, {1: D, 2: P}), (S, {1: D, 2: P})),
    ("its own STRICT is", [MESH, own(S, p1=D)], (S, {1: D}), (S, {1: D})),
    ("an inherited PERMISSIVE", [policy("root/m", P), own(p1=D)], (P, {1: D}), (P, {1: D})),
    ("a policy that is never generated", [MESH, HOME_UNSET, own(p1=P)], (S, {1: P}), (U, {})),
    ("none is missing without PERMISSIVE", [MESH, HOME_UNSET, own(p1=D)], (S, {1: D}), (S, {1: S})),
    ("a namespace that is STRICT", [policy("demo/n", S), own(p1=P)], (S, {1: P}), (S, {1: P})),
    (
        "nobody knows whether a corner is met",
        [MESH, HOME_UNKNOWN, own(p1=D, p2=S, p3=P)],
        (U, {1: D, 2: S, 3: P}),
        (U, {1: U, 2: U, 3: P}),
    ),
    (
        "no PERMISSIVE, no fall",
        [MESH, HOME_UNKNOWN, own(p1=D, p2=S)],
        (U, {1: D, 2: S}),
        (U, {1: U, 2: S}),
    ),
    (
        "a port that is unknown below a namespace's STRICT",
        [MESH, policy("demo/n", S), own(p1=U, p2=S, p3=D)],
        (S, {1: U, 2: S, 3: D}),
        (S, {1: U, 2: S, 3: U}),
    ),
    (
        "a port that is unknown below a namespace that passes on",
        [MESH, HOME_UNSET, own(p1=U, p2=S)],
        (S, {1: U, 2: S}),
        (U, {1: U, 2: U}),
    ),
    ("a port that is unknown below the mesh's alone", [MESH, own(p1=U, p2=S)], (S, {1: U, 2: S}), (S, {1: U, 2: S})),
    ("its own mode is unknown", [MESH, own(U, p1=D)], (U, {1: D}), (U, {1: U})),
]


@pytest.mark.parametrize(("title", "policies", "sidecar", "ztunnel"), DECISIONS, ids=[row[0] for row in DECISIONS])
def test_what_is_enforced(title, policies, sidecar, ztunnel):
    found = index(*policies)
    decided = [found.decide("demo", A), found.decide_ambient("demo", A)]
    assert [(one.mode, one.ports) for one in decided] == [sidecar, ztunnel], title


@pytest.mark.parametrize(
    ("title", "policies", "unread", "mode", "by"),
    [
        ("the namespace's", [MESH, policy("demo/n", P)], "demo", U, None),
        ("the mesh's, and nothing else says it", [], "root", U, None),
        ("some of the mesh's", [MESH], "root", U, None),
        ("the mesh's, and the namespace says it", [MESH, policy("demo/n", P)], "root", P, "demo/n"),
        ("another namespace's", [MESH], "other", S, "root/m"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_not_read(title, policies, unread, mode, by):
    found = index(*policies, unread=unread)
    for decision in (found.decide("demo", A), found.decide_ambient("demo", A)):
        assert (decision.mode, decision.policy) == (mode, by), title
    assert found.namespace_mode("demo") == mode


@pytest.mark.parametrize(
    ("policies", "unread", "words"),
    [
        ([policy("demo/n", S)], "", "PeerAuthentication demo/n is STRICT"),
        ([], "demo", "PeerAuthentications from which auto-mTLS infers were not read"),
        ([undated("demo/a", S), undated("demo/b", D)], "", "depends on their age"),
    ],
    ids=["known", "unread", "contested"],
)
def test_why_clients_infer_a_mode(policies, unread, words):
    assert words in index(*policies, unread=unread).namespace_why("demo")


def test_a_contest_is_told_only_where_it_matters():
    contested = [undated("demo/a", S, {1: S}), undated("demo/b", S, {1: D})]
    assert index(*contested).decide("demo", {}).doubt == "", "ports of a namespace's policy do nothing"
    workloads = [undated("demo/w1", S, {1: S}), undated("demo/w2", S, {1: D})]
    decision = index(*workloads).decide("demo", A)
    assert (decision.at(1), decision.at(2)) == (U, S)
    assert "depends on their age" in decision.why(1)


def test_which_policies_do_nothing():
    found = index(policy("demo/a", S), policy("demo/b", D), policy("root/w", S), policy("root/m", P))
    assert {name: winner.name for name, winner in found.shadowed.items()} == {"demo/b": "a"}
    assert [peer.name for peer in found.ignored] == ["w"]
    assert index(undated("demo/a", S), undated("demo/b", D)).shadowed == {}


SHAPE = Shape(
    *("sidecar", None, False, Capture((InboundRule("REDIRECT", None, frozenset((9,))),), None, ""), False),
    *((), (), (), False, None, False, False),
)
SIDECAR = Workload("demo/Deployment/a", "demo", "Deployment", "a", (), {}, SHAPE, False, None, "")


def of(**shape: Any) -> Workload:
    return SIDECAR._replace(shape=SHAPE._replace(**shape))


@pytest.mark.parametrize(
    ("title", "workload", "mode", "port", "expected"),
    [
        ("STRICT", SIDECAR, S, 8, (S, True, "refused")),
        ("PERMISSIVE", SIDECAR, P, 8, (P, True, "accepted")),
        ("DISABLE", SIDECAR, D, 8, (D, True, "accepted")),
        ("unknown", SIDECAR, U, 8, (U, True, U)),
        ("an excluded port", SIDECAR, S, 9, (S, False, "accepted")),
        ("an excluded port, whatever the mode", SIDECAR, U, 9, (U, False, "accepted")),
        ("doubted", SIDECAR._replace(doubt="why"), S, 8, (U, False, U)),
        ("not in the mesh", of(mesh="none"), S, 8, (None, False, "accepted")),
        ("in the host's network", of(host_network=True), S, 8, (S, False, "accepted")),
        ("ambient", of(mesh="ambient"), S, 9, (S, True, "refused")),
        ("ambient that bypasses", of(mesh="ambient", ambient_bypass=True), S, 8, (S, False, "accepted")),
        ("a gateway", of(mesh="gateway"), S, 9, (S, True, "refused")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_port_does_with_a_caller_without_certificate(title, workload, mode, port, expected):
    assert accepts(workload, Decision(mode, None, {}, None), port) == Acceptance(*expected), title
