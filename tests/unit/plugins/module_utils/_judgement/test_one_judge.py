# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports say what the judge does: the same scope, the same exclusions, and no state better than a violation."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.whole import whole
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._report import junit

from .samples import edge, port, status, workload

OPEN = port(mode="PERMISSIVE", plaintext="accepted")
EXCLUDE = {"namespace": "demo", "workload": "service-a", "reason": "accepted by the owner"}
NAKED = workload("demo/naked", "none", [port(7070, None, False, "accepted")])
GATEWAY = workload("edge/gateway", "gateway", [port(8443, "PERMISSIVE", True, "accepted")])
SERVER = workload(ports=[port()])


def audit(found, **more):
    return {"format": "", "time": "", "sources": ["declared"], **found, **more}


def path(security="plaintext"):
    return {"traffic": [{"destination": {"workload": "demo/service-a"}, "security": security}], "window": 60}


SEVERE = {"id": "MTLS-003", "severity": "high", "object": "EnvoyFilter istio-system/x", "message": "m", "fix": "f"}
CASES = {
    "everything as it should be": (audit(status(SERVER)), {}),
    "a port accepts plaintext": (audit(status(workload(ports=[OPEN]))), {}),
    "and it is excluded": (audit(status(workload(ports=[OPEN]))), {"exclude": [EXCLUDE]}),
    "an exclusion that has ended": (
        audit(status(workload(ports=[OPEN]))),
        {"exclude": [{**EXCLUDE, "until": "2026-01-01"}], "today": "2026-01-02"},
    ),
    "a port that bypasses the proxy, though nothing was seen to accept": (
        audit(status(workload(ports=[port(captured=False)]))),
        {},
    ),
    "a server outside the mesh beside one in it": (audit(status(SERVER, more=[NAKED])), {}),
    "the same, in a scope that does not have it": (audit(status(SERVER, more=[NAKED])), {"namespaces": ["legacy"]}),
    "a gateway in a namespace that is not enrolled": (audit(status(SERVER, more=[GATEWAY])), {}),
    "the gateway's namespace is named": (audit(status(SERVER, more=[GATEWAY])), {"namespaces": ["edge"]}),
    "a namespace that holds no server": (audit(status(SERVER)), {"namespaces": ["demo", "gone"]}),
    "nothing is enrolled": (audit(status(workload("demo/service-a", "none"), [])), {"namespaces": ["legacy"]}),
    "an address that is no pod": (
        audit(status(SERVER, [edge("in", "plaintext", "none", endpoint="addr/1.2.3.4")])),
        {},
    ),
    "a verdict of another version": (audit(status(SERVER, [edge("in", "quantum", "mtls")])), {}),
    "clients that are not listed": (audit(status(SERVER, [edge("gone", "broken", "none")])), {}),
    "evidence that is required and missing": (audit(status(SERVER)), {"require": "observed"}),
    "plaintext in traffic": (audit(status(SERVER), traffic=path()), {}),
    "which is excluded": (audit(status(SERVER), traffic=path()), {"exclude": [EXCLUDE]}),
    "a finding of high severity that counts": (
        {**audit(status(SERVER)), "findings": [SEVERE]},
        {"limits": {"finding": 0}},
    ),
    "one that does not": ({**audit(status(SERVER)), "findings": [SEVERE]}, {}),
    "mutual TLS in traffic": (audit(status(SERVER), traffic=path("mutual_tls")), {}),
}


def test_what_is_excluded_is_neither_good_nor_bad():
    facts = states.facts_of(audit(status(workload(ports=[OPEN]))), exclude=[EXCLUDE])
    assert [(row.state, row.excluded) for row in facts.ports] == [("outside", True)]
    assert states.headline(facts) == ("doubtful", "Every port in the mesh is excluded on request")
    two = audit(status(workload(ports=[port(), port(9090, "DISABLE", True, "accepted")])))
    found = states.facts_of(two, exclude=[{**EXCLUDE, "port": 9090}])
    assert states.headline(found).text.endswith("; 1 row is excluded on request")


@pytest.mark.parametrize(("document", "terms"), CASES.values(), ids=CASES.keys())
def test_junit_passes_exactly_where_the_judge_has_no_violation(document, terms):
    facts = states.facts_of(document, **terms)
    root = ElementTree.fromstring(junit.junit(facts))
    passes = root.get("failures") == root.get("errors") == "0"
    assert passes == (judge(whole(document), **terms)["violations"] == [])
    assert passes or states.headline(facts).tone != "good"


@pytest.mark.parametrize(("limit", "verdict"), [(0, "fail"), (1, "fail"), (2, "pass")])
def test_what_is_accepted_within_a_limit_fails_no_test_and_is_told(limit, verdict):
    two = audit(status(workload(ports=[OPEN, port(9090, "PERMISSIVE", plaintext="accepted")])))
    facts = states.facts_of(two, limits={"plaintext": limit})
    root = ElementTree.fromstring(junit.junit(facts))
    passes = root.get("failures") == root.get("errors") == "0"
    assert (passes, facts.judgement["verdict"]) == (verdict == "pass", verdict)
    told = states.headline(facts)
    assert (told.tone, told.text.endswith("accepted within the limits: 2 plaintext")) == (
        ("doubtful", True) if passes else ("bad", False)
    )


def test_a_file_may_leave_out_what_the_schema_does_not_ask_for():
    short = {
        "sources": ["declared"],
        "workloads": [
            {**{key: SERVER[key] for key in ("id", "namespace", "kind", "name", "mesh")}, "ports": [{"port": 1}]}
        ],
        "client_sets": {},
        "edges": [{"clients": "x", "service": "demo/a", "port": 1, "endpoint": None, "verdict": "mtls", "reason": ""}],
        "ports": [{"workload": SERVER["id"], "port": 1}],
        "rules": [{"name": "one", "passed": False}],
        "seen": {"observed": {"state": "seen"}},
        "probe": [{}],
        "traffic": {"traffic": [{}]},
        "proxies": [{"pod": "demo/a-1"}],
        "findings": [],
        "unknown": [{"kind": "Pod", "reason": "forbidden"}],
    }
    assert [row.state for row in states.facts_of(short).ports] == ["unknown"]
