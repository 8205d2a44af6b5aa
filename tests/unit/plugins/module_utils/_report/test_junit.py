# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit: what passes, what fails, and that whatever a cluster's names hold stays well-formed XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._report import junit
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html.hostile import STRINGS, poisoned


def suites(audit, title=""):
    """{suite: {test: outcome}} and the whole document."""
    root = ElementTree.fromstring(junit.junit(states.facts_of(audit), title))
    found = {}
    for suite in root:
        cases = found.setdefault(suite.get("name"), {})
        for case in suite:
            cases[case.get("name")] = case[0].tag if len(case) else "passed"
    return found, root


def outcome(suite, words, audit):
    """The outcome of the only test whose name has these words."""
    cases, dummy = suites(audit)
    found = [result for name, result in cases[suite].items() if words in name]
    assert len(found) == 1, found
    return found[0]


MANY = audits.many(most=6)
"""All kinds of trouble. To be read only."""


@pytest.mark.parametrize(
    ("suite", "words", "expected"),
    [
        ("ports", "shop/Deployment/api-00 port", "passed"),
        ("ports", "reports/Deployment/api-00 port", "failure"),
        ("ports", "search/Deployment/worker-03 port", "failure"),
        ("ports", audits.LIE + " port", "failure"),
        ("ports", audits.SILENT + " port", "error"),
        ("ports", "stock/Deployment/web-01 port", "error"),
        ("ports", "legacy/Deployment/api-00 port", "skipped"),
        ("sources", "declared", "passed"),
        ("sources", "programmed", "error"),
        ("sources", "traffic", "error"),
        ("sources", "EnvoyFilter stock/patch", "error"),
        ("findings", "Deployment payments/worker-03", "failure"),
        ("findings", "EnvoyFilter stock/patch", "skipped"),
        ("rules", "payments is STRICT", "passed"),
        ("rules", "nothing in plaintext", "failure"),
        ("certificates", "mail/Deployment/web-05", "failure"),
        ("certificates", "shop/Deployment/api-00", "passed"),
    ],
)
def test_what_passes_and_what_does_not(suite, words, expected):
    assert outcome(suite, words, MANY) == expected


def test_a_connection_that_is_unknown_is_an_error_and_a_refusal_passes():
    cases, dummy = suites(MANY)
    found = {
        (name.split(" (")[1].split(" ")[0], name.split(" to ")[1], result)
        for name, result in cases["connections"].items()
    }
    assert ("0", "shop/api-00:80 at shop/Deployment/api-00", "passed") in found
    assert {result for inside, to, result in found if to.startswith("stock/web-01:80")} == {"error"}
    assert {result for inside, to, result in found if to.startswith("reports/api-00:80") and inside == "0"} == {
        "failure"
    }
    assert not any(" legacy/" in name.split(" to ")[1] for name in cases["connections"])


def test_counts_are_those_of_the_tests():
    dummy, root = suites(MANY)
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(attribute)) == sum(case.find(tag) is not None for case in cases)
    text = junit.junit(states.facts_of(MANY))
    assert junit.counts(text) == "".join(
        f"{name}: {root.get(name)}\n" for name in ("tests", "failures", "errors", "skipped")
    )
    assert junit.counts("no XML") == ""


def test_a_source_that_was_not_asked_is_skipped_and_without_seen_the_asked_ones_pass():
    told = {**audits.two(), "seen": {"observed": {"state": "not asked"}}}
    assert suites(told)[0]["sources"] == {"observed": "skipped"}
    del told["seen"]
    assert set(suites(told)[0]["sources"].items()) == {
        (name, "passed") for name in ("declared", "programmed", "observed")
    }


def tags(root):
    """The elements, without the suites whose cases hang on namespaces, which words behind a name make others."""
    ours = [suite for suite in root if suite.get("name") not in ("judgement", "findings")]
    return [[element.tag for element in suite.iter()] for suite in ours]


@pytest.mark.parametrize("bad", STRINGS)
def test_hostile_names_stay_text(bad):
    text = junit.junit(states.facts_of(poisoned(MANY, bad)), bad)
    assert tags(ElementTree.fromstring(text)) == tags(suites(MANY)[1])
    assert re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]", text) is None


def test_the_same_audit_is_the_same_text():
    assert junit.junit(states.facts_of(audits.many(most=6))) == junit.junit(states.facts_of(MANY))


@pytest.mark.parametrize(
    ("thing", "entry", "expected"),
    [
        ("Deployment payments/worker-03", {"workload": "worker-03"}, "skipped"),
        ("Deployment payments/worker-03", {}, "skipped"),
        ("Deployment payments/worker-03", {"workload": "worker-03", "port": 80}, "failure"),
        ("Deployment payments/worker-03", {"workload": "worker-03", "until": "2026-01-01"}, "failure"),
        ("Deployment payments/worker-03", {"workload": "worker-04"}, "failure"),
        ("PeerAuthentication payments/worker-03", {"workload": "worker-03"}, "failure"),
        ("PeerAuthentication payments/worker-03", {}, "skipped"),
        ("Deployment shop/worker-03", {}, "failure"),
    ],
)
def test_a_high_finding_fails_unless_all_of_its_object_is_excluded(thing, entry, expected):
    finding = {"id": "MTLS-002", "severity": "high", "object": thing, "message": "is not in the mesh", "fix": "restart"}
    terms = {"exclude": [{"namespace": "payments", "reason": "known", **entry}], "today": "2026-01-02"}
    document = junit.junit(states.facts_of({**MANY, "findings": [finding]}, **terms))
    case = ElementTree.fromstring(document).find("./testsuite[@name='findings']/testcase")
    assert case[0].tag == expected


SOUND = {**MANY, "unknown": [], "edges": [], "findings": [], "certificates": None, "rules": []}
SOUND["proxies"] = [{"pod": f"{home}/api-00-1", "workload": f"{home}/Deployment/api-00"} for home in ("shop", "mail")]
"""An audit whose namespace shop is as it should be."""


def failed(audit, **terms):
    """The names of the tests that failed or are errors, of what the judge sees; and what the judge says."""
    facts = states.facts_of(audit, **terms)
    root = ElementTree.fromstring(junit.junit(facts))
    cases = [case for suite in root if suite.get("name") != "sources" for case in suite]
    return [
        case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None
    ], facts.judgement["verdict"]


HIGH = {"id": "MTLS-002", "severity": "high", "message": "is not in the mesh", "fix": "restart"}
ENDED = {"id": "MTLS-108", "severity": "high", "message": "the certificate has ended", "fix": "see istiod"}


def certificate(namespace, state="expired"):
    workload = {"workload": f"{namespace}/Deployment/api-00", "pod": f"{namespace}/api-00-1", "serial": "1"}
    return {"authorities": [], "workloads": [{**workload, "state": state, "not_after": "2026-01-01T00:00:00Z"}]}


@pytest.mark.parametrize(
    ("title", "more"),
    [
        ("a finding elsewhere", {"findings": [{**HIGH, "object": "Deployment payments/worker-03"}]}),
        ("a finding that makes no port worse", {"findings": [{**HIGH, "object": "Job shop/nightly"}]}),
        ("a certificate that ended elsewhere", {"certificates": certificate("mail")}),
        (
            "one that ended elsewhere, with its finding",
            {"certificates": certificate("mail"), "findings": [{**ENDED, "object": "mail/api-00-1"}]},
        ),
        (
            "a certificate authority's that ends soon",
            {
                "certificates": {
                    "authorities": [{"fingerprint": "ab", "subject": "O=a", "state": "expiring"}],
                    "workloads": [],
                },
                "findings": [{**ENDED, "id": "MTLS-109", "severity": "medium", "object": "authority O=a"}],
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_judge_passes_fails_no_test(title, more):
    assert failed({**SOUND, **more}, namespaces=["shop"]) == ([], "pass"), title


def test_a_certificate_that_ended_in_scope_fails_with_the_judge():
    findings = [{**ENDED, "object": "mail/api-00-1"}, {**ENDED, "object": "shop/api-00-1"}]
    audit = {**SOUND, "certificates": certificate("shop"), "findings": findings}
    names, verdict = failed(audit, namespaces=["shop"])
    assert (verdict, names) == ("fail", ["shop/api-00-1", "shop/Deployment/api-00 1"])
