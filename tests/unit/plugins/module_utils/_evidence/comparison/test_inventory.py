# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.findings import (
    of_certificates,
    of_proxies,
    of_targets,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.inventory import inventory
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Configuration, Istiod
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    certificate,
    proxy,
    target,
)


def at(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "state", "findings"),
    [
        ("2026-11-22T13:00", "ok", []),
        ("2026-11-23T01:00", "ok", []),
        ("2026-11-23T05:00", "expiring", ["MTLS-108"]),
        ("2026-11-23T12:00", "expired", ["MTLS-108"]),
    ],
)
def test_a_workloads_certificate_is_renewed_at_half_of_its_life(now, state, findings):
    found = inventory([proxy(certificates=(certificate(),))], at(now))
    assert [item["state"] for item in found["workloads"]] == [state]
    assert [item["id"] for item in of_certificates(found, ["cluster.local"])] == findings


@pytest.mark.parametrize(
    ("end", "days", "state", "findings"),
    [
        ("2027-02-01T00:00:00Z", 60, "ok", []),
        ("2027-01-01T00:00:00Z", 60, "expiring", ["MTLS-109"]),
        ("2027-01-01T00:00:00Z", 30, "ok", []),
        ("2026-11-01T00:00:00Z", 60, "expired", ["MTLS-108"]),
        ("soon", 60, "expired", ["MTLS-108"]),
    ],
)
def test_an_authority_ends_with_notice(end, days, state, findings):
    proxies = [proxy(certificates=(certificate("root", not_after=end),))] * 2
    found = inventory(proxies, at("2026-11-22T13:00"), days)
    assert [(item["state"], item["seen_in"]) for item in found["authorities"]] == [(state, 2)]
    assert [item["id"] for item in of_certificates(found, [])] == findings


def test_workloads_of_different_roots_are_told_apart():
    proxies = [proxy(certificates=(certificate(root=root),)) for root in ("r1", "r1", "r2")]
    found = of_certificates(inventory(proxies, at("2026-11-22T13:00")), ["cluster.local"])
    assert [(item["id"], item["object"]) for item in found] == [("MTLS-107", "root r1"), ("MTLS-107", "root r2")]


def test_a_certificate_that_leads_to_no_trusted_root_is_a_finding_alone():
    found = of_certificates(inventory([proxy(certificates=(certificate(root=""),))], at("2026-11-22T13:00")), [])
    assert [(item["id"], item["object"]) for item in found] == [("MTLS-107", "no root")]


def test_a_stray_trust_domain():
    stray = certificate(trust_domain="old.example")
    found = inventory([proxy(certificates=(stray,))], at("2026-11-22T13:00"))
    assert found["trust_domains"] == {"old.example": 1}
    assert [item["id"] for item in of_certificates(found, ["cluster.local"])] == ["MTLS-110"]


@pytest.mark.parametrize(
    ("one", "findings"),
    [
        (proxy(), []),
        (proxy(answered=False, reason="timeout"), ["MTLS-112"]),
        (proxy(istiod=Istiod("i", False)), ["MTLS-104"]),
        (proxy(istiod=Istiod("i", None)), []),
        (proxy(configuration=Configuration(False, "no such filter", "")), ["MTLS-105"]),
    ],
)
def test_a_proxy_by_itself(one, findings):
    assert [item["id"] for item in of_proxies([one])] == findings


@pytest.mark.parametrize(
    ("check", "verdict", "findings"),
    [
        ("enforced", "strict", []),
        ("not enforced", "strict", ["MTLS-111"]),
        ("not enforced", "permissive", []),
        ("not enforced", "unknown", ["MTLS-111"]),
    ],
)
def test_a_server_that_takes_any_certificate(check, verdict, findings):
    met = {"wrong": {"result": "accepted", "detail": "HTTP 200"}}
    row = target("refused", "alert", "accepted", verdict, identity_check=check, identities=met)
    assert [item["id"] for item in of_targets([row])] == findings


OWN, OTHER = "spiffe://cluster.local/ns/shop/sa/a", "spiffe://cluster.local/ns/cafe/sa/o"


@pytest.mark.parametrize(
    ("fits", "verified", "findings"),
    [
        pytest.param(False, True, ["MTLS-113"], id="somebody else's of the mesh"),
        pytest.param(False, False, [], id="an application's own certificate"),
        pytest.param(None, True, [], id="nobody knows whose it must be"),
        pytest.param(True, True, [], id="its own"),
    ],
)
def test_a_server_that_is_somebody_else(fits, verified, findings):
    row = target("refused", "handshake", "accepted", "unknown")
    row["endpoints"][0].update(identity=OTHER, identity_expected=OWN, identity_fits=fits, identity_verified=verified)
    found = of_targets([row])
    assert [item["id"] for item in found] == findings
    assert all(f"10.0.0.1 (a-1) shows {OTHER}, and must show {OWN}" in item["message"] for item in found)
