"""A result that was narrowed to some namespaces is judged as the whole one is there."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import is_outside
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._report import junit
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html import page
from ansible_collections.meshproof.mtls.plugins.module_utils._source.mesh import narrow
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

ENROLLED = {"istio_injection": "enabled"}
# A meshed client of another namespace sends plaintext to a STRICT server: its connection is broken.
BROKEN = [
    mesh_config(),
    *(namespace(name, **ENROLLED) for name in ("shop", "cafe", "empty")),
    namespace("legacy"),
    pod("shop/s"),
    service("shop/s"),
    pod("cafe/c"),
    pod("legacy/l", "none"),
    service("empty/e"),
    peer("istio-system/default", "STRICT"),
    rule("cafe/off", "s.shop.svc.cluster.local", tls("DISABLE")),
]


def whole():
    return {**evaluate(BROKEN), "cluster": {}, "namespaces": []}


@pytest.mark.parametrize("place", ["shop", "cafe", "legacy", "empty"])
def test_it_is_judged_as_the_whole_one_is_there(place):
    result = whole()
    alone, beside = judge(narrow(result, [place]), namespaces=[place]), judge(result, namespaces=[place])
    for name in ("verdict", "violations", "servers", "edges", "counts"):
        assert alone[name] == beside[name], name


def test_a_client_of_another_namespace_that_is_in_the_mesh_is_not_refused_with_success():
    assert judge(narrow(whole(), ["shop"]), namespaces=["shop"])["counts"]["broken"] == 1


def test_who_is_not_listed_may_be_in_the_mesh():
    result = narrow(whole(), ["shop"])
    result["clients"] = []
    assert judge(result, namespaces=["shop"])["verdict"] == "fail"


@pytest.mark.parametrize(
    ("client", "outside"),
    [
        ({"mesh": "none", "mode": None}, True),
        ({"mesh": "none"}, True),
        ({"mesh": "none", "mode": "unknown"}, False),
        ({"mesh": "sidecar", "mode": "STRICT"}, False),
        (None, False),
    ],
    ids=["no proxy", "of an older audit", "membership in doubt", "a sidecar", "not listed"],
)
def test_who_is_surely_outside_the_mesh(client, outside):
    assert is_outside(client) is outside


@pytest.mark.parametrize("place", ["shop", "empty"])
def test_reports_of_a_narrowed_audit(place):
    audit = {"format": "", "time": "2026-01-31T12:00:00Z", "sources": ["declared"], **narrow(whole(), [place])}
    facts = states.facts_of(audit)
    assert "<html" in page.page(facts, "0" * 64, "", 10)
    assert "<testsuite" in junit.junit(facts, "")
