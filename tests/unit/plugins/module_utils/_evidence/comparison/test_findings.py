# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of finding that needs a live mesh, by one case each; there is no example that could be run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.document import SEVERITIES
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.findings import (
    KINDS,
    of_certificates,
    of_edges,
    of_ports,
    of_proxies,
    of_targets,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.inventory import inventory
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Configuration, Istiod
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    SERVER,
    certificate,
    edge,
    proxy,
    target,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def port(declared, programmed, observed):
    agreement = "unproven" if declared == "unknown" else "contradicted"
    sources = {"declared": declared, "programmed": programmed, "observed": observed, "agreement": agreement}
    return {"workload": SERVER, "port": 8080, "why": "why", "cause": "see there", **sources}


def held(*certificates):
    return inventory([proxy(certificates=(one,)) for one in certificates], NOON)


DIFFERENT = {"programmed": "plaintext", "observed": None, "agreement": "contradicted", "cause": "see there"}
MET = {
    "wrong": {"result": "accepted", "detail": "HTTP 200"},
    "expired": {"result": "alert", "detail": "certificate expired"},
}
TAKEN = target("refused", "alert", "accepted", "strict", identity_check="not enforced", identities=MET)
STRANGER = target("refused", "handshake", "accepted", "unknown")
STRANGER["endpoints"][0].update(identity_expected="spiffe://x/ns/a/sa/a", identity_fits=False, identity_verified=True)
ENDED = certificate(not_after="2026-11-22T11:00:00Z")
ROOT = certificate("root", not_after="2026-12-01T00:00:00Z")
STRAY = certificate(trust_domain="old.example")

AT_A = f"{SERVER} port 8080"
GIVEN = {
    "MTLS-101": (of_ports([port("strict", "strict", "permissive")]), AT_A),
    "MTLS-102": (of_ports([port("strict", "permissive", None)]), AT_A),
    "MTLS-103": (of_edges([edge(**DIFFERENT)]), f"set to shop/a:80 at {SERVER}"),
    "MTLS-104": (of_proxies([proxy(istiod=Istiod("i", False))]), "shop/a-1"),
    "MTLS-105": (of_proxies([proxy(configuration=Configuration(False, "no such filter", ""))]), "shop/a-1"),
    "MTLS-106": (of_ports([port("unknown", None, "plaintext")]), AT_A),
    "MTLS-107": (of_certificates(held(certificate(root="")), []), "no root"),
    "MTLS-108": (of_certificates(held(ENDED), []), "shop/a-1"),
    "MTLS-109": (of_certificates(held(ROOT), []), "authority O=cluster.local"),
    "MTLS-110": (of_certificates(held(STRAY), ["cluster.local"]), "trust domain old.example"),
    "MTLS-111": (of_targets([TAKEN]), "shop/a:80"),
    "MTLS-112": (of_proxies([proxy(answered=False, reason="timeout")]), "shop/a-1"),
    "MTLS-113": (of_targets([STRANGER]), "shop/a:80"),
}


@pytest.mark.parametrize("kind", KINDS, ids=[kind.id for kind in KINDS])
def test_each_kind_is_given(kind):
    assert kind.id in GIVEN, "a finding without a case"
    (found,), thing = GIVEN[kind.id]
    assert (found["id"], found["severity"], found["object"]) == (kind.id, kind.severity, thing)
    assert found["message"]
    assert found["fix"]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.id for kind in KINDS])
def test_a_kind_says_what_it_is_and_what_to_do(kind):
    assert kind.severity in SEVERITIES
    assert kind.title
    assert kind.remedy


OLD, NEW = certificate(root="a"), certificate(root="z")
DUE = certificate(not_before="2026-11-21T12:00:00Z", not_after="2026-11-22T13:00:00Z")
SAID = [
    ("the proxy has it as declared, the wire not", of_ports([port("strict", "strict", "plaintext")]),
     ["is strict as declared, but plaintext as observed: why"]),
    ("proxy and wire, each otherwise", of_ports([port("strict", "permissive", "plaintext")]),
     ["is strict as declared, but permissive as programmed: why",
      "is strict as declared, but plaintext as observed: why"]),
    ("the wire refuses what cannot be judged, the proxy does not", of_ports([port("unknown", "permissive", "strict")]),
     ["is permissive as programmed, and manifests do not tell why: why"]),
    ("what cannot be judged refuses", of_ports([port("unknown", "strict", "strict")]), []),
    ("the root of most comes first", of_certificates(held(OLD, NEW, NEW), []),
     ["2 of 3 certificates come from this root: shop/a-1, shop/a-1",
      "1 of 3 certificates come from this root: shop/a-1"]),
    ("no root that is trusted", of_certificates(held(certificate(root="")), []),
     ["1 of 1 certificates lead to no root that is trusted: shop/a-1"]),
    ("ended", of_certificates(held(ENDED), []),
     ["the certificate 1 of spiffe://cluster.local/ns/shop/sa/a has ended; its end is 2026-11-22T11:00:00Z"]),
    ("its renewal is overdue", of_certificates(held(DUE), []),
     ["the certificate 1 of spiffe://cluster.local/ns/shop/sa/a should have been renewed; "
      "its end is 2026-11-22T13:00:00Z"]),
    ("an authority that ended", of_certificates(held(ROOT._replace(not_after="2026-11-01T00:00:00Z")), []),
     ["ended on 2026-11-01T00:00:00Z"]),
    ("an authority that ends soon", of_certificates(held(ROOT), []), ["ends on 2026-12-01T00:00:00Z"]),
    ("no revision says its trust domain", of_certificates(held(STRAY), []), []),
    ("only what was accepted", of_targets([TAKEN]),
     ["took a client certificate that it should refuse: wrong: HTTP 200"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "found", "said"), SAID, ids=[row[0] for row in SAID])
def test_what_is_said(what, found, said):
    assert [item["message"] for item in found] == said
