# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What words of a manifest may mean, slips of the pen included."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.words import (
    LONGEST,
    _one_slip,
    could_be,
    is_strange_to_istio,
    means_list,
    meant,
)


@pytest.mark.parametrize(
    ("word", "slip"),
    [
        ("pod", False),
        ("pd", True),
        ("pood", True),
        ("pad", True),
        ("opd", True),
        ("pdo", True),
        ("po", True),
        ("pods", True),
        ("podss", False),
        ("p", False),
        ("ppoodd", False),
        ("dop", False),
        ("pax", False),
        ("", False),
    ],
)
def test_one_slip_of_the_pen(word: str, slip: bool) -> None:
    """Of `pod`: a letter missing, too many, wrong, or in the place of its neighbour. The word itself is none."""
    assert (_one_slip(word, "pod") and word != "pod") is slip


@pytest.mark.parametrize(("word", "own"), [("a", "ab"), ("ab", "a"), ("b", "a"), ("", "a")])
def test_of_a_single_letter_nobody_can_tell_a_slip(word: str, own: str) -> None:
    assert not _one_slip(word, own)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("PeerAuthentication", "PeerAuthentication"),
        ("peerauthentications", "PeerAuthentication"),
        ("Peer-Authentication", "PeerAuthentication"),
        ("PeerAuthentcation", "PeerAuthentication"),
        ("Sidecars", "Sidecar"),
        ("RequestAuthentication", None),
        ("WorkloadGroup", None),
        ("Widget", None),
        ("Pod" + "x" * LONGEST, None),
        ("", None),
    ],
)
def test_which_kind_is_meant(word: str, kind: str | None) -> None:
    assert [meant(word), meant(word)] == [kind, kind]


@pytest.mark.parametrize(
    ("word", "means"),
    [("List", True), ("list", True), ("Lists", True), ("Lst", True), ("L-i-s-t", True), ("PodList", False), ("", False),
     ("list" + "-" * LONGEST, False)],
)  # fmt: skip
def test_what_means_a_list(word: str, means: bool) -> None:
    assert means_list(word) is means


ISTIO = "security.istio.io"


@pytest.mark.parametrize(
    ("group", "own", "could"),
    [
        ("", "", True),
        ("core", "", True),
        ("apps", "", True),
        ("", ISTIO, True),
        (ISTIO, ISTIO, True),
        ("networking.istio.io", ISTIO, True),
        ("istio.io", ISTIO, True),
        ("security.istio.oi", ISTIO, True),
        ("security.io", ISTIO, True),
        ("Security.Istio", ISTIO, True),
        ("notistio.io", ISTIO, False),
        ("security.example.com", ISTIO, False),
        ("serving.knative.dev", "", False),
        ("serving.knative.dev", "apps", False),
        ("a." * LONGEST + "istio", ISTIO, False),
        ("a." * LONGEST + "istio.io", ISTIO, True),
        ("discovery.k8s.oi", "discovery.k8s.io", True),
        ("storage.k8s.io", "discovery.k8s.io", False),
    ],
)
def test_whose_a_group_may_be(group: str, own: str, could: bool) -> None:
    assert could_be(group, own) is could


@pytest.mark.parametrize(
    ("group", "kind", "strange"),
    [
        (ISTIO, "PeerAuth", True),
        (ISTIO, "PeerAuthList", True),
        (ISTIO, "PeerAuthentication", False),
        (ISTIO, "RequestAuthentication", False),
        (ISTIO, "RequestAuthenticationList", False),
        ("networking.istio.io", "WorkloadGroup", False),
        ("networking.istio.io", "Widget", True),
        ("telemetry.istio.io", "Widget", False),
        ("example.com", "PeerAuth", False),
    ],
)
def test_what_is_strange_among_istios_kinds(group: str, kind: str, strange: bool) -> None:
    assert is_strange_to_istio(group, kind) is strange
