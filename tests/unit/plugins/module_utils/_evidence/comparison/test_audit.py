# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit adds to the result of status_info: what each source said, and all of it counted anew."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.audit import Evidence, compared

from .build import CLIENT, SERVER, certificate, edge, proxy, target, traffic, upstream, workload

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
DECLARED = {"id": "peer-permissive", "severity": "warning", "object": "shop", "message": "m"}
RESULT = {
    "context": "as it is",
    "workloads": [workload(), workload(CLIENT)],
    "edges": [edge()],
    "client_sets": {"set": [CLIENT]},
    "mesh": {"revisions": [{"trust_domain": "cluster.local"}]},
    "findings": [DECLARED],
    "unknown": [],
    "summary": {"workloads": {"total": 2}, "findings": {"total": 1}, "edges": {"total": 1, "by_verdict": {"mtls": 1}}},
}
ADDRESSES = {"10.0.0.1": SERVER}
PROXIES = [
    proxy(certificates=(certificate(), certificate("root"))),
    proxy(CLIENT, upstreams=(upstream("mtls", ("10.0.0.1:8080", "mtls")),)),
]


def audit(result=None, **evidence):
    result = result or RESULT
    return compared(result, result["workloads"], Evidence(**evidence), ADDRESSES, NOW, 30)


def test_without_other_sources_all_that_was_there_stays():
    found = audit()
    assert found["context"] == "as it is"
    assert found["seen"] == {
        name: {"state": "not asked", "detail": ""} for name in ("declared", "programmed", "observed", "traffic")
    }
    assert not {"proxies", "certificates", "probe", "traffic"} & found.keys()
    assert [(row["workload"], row["port"]) for row in found["ports"]] == [(SERVER, 8080), (CLIENT, 8080)]
    assert found["findings"] == [DECLARED]


def test_what_each_source_said_is_told():
    said = {"state": "partly", "detail": "one of two"}
    assert audit(seen={"traffic": said})["seen"]["traffic"] == said


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param({"proxies": PROXIES}, {"proxies", "certificates"}, id="proxies"),
        pytest.param({"proxies": []}, {"proxies", "certificates"}, id="proxies that gave nothing"),
        pytest.param({"targets": [target("refused", "handshake", "accepted", "strict")]}, {"probe"}, id="the wire"),
        pytest.param({"targets": []}, {"probe"}, id="a wire that gave nothing"),
        pytest.param({"traffic": {"traffic": [traffic("mutual_tls")], "window": 60}}, {"traffic"}, id="traffic"),
    ],
)
def test_each_source_has_its_own_part(given, names):
    found = audit(**given)
    assert {"proxies", "certificates", "probe", "traffic"} & found.keys() == names
    for name in names & {"probe", "traffic"}:
        assert found[name] == given["targets" if name == "probe" else "traffic"]
    if "proxies" in names:
        assert [item["pod"] for item in found["proxies"]] == [item.pod for item in given["proxies"]]
        assert not any({"ports", "upstreams"} & item.keys() for item in found["proxies"])
        assert all(item["answered"] for item in found["proxies"])


def test_what_the_sources_say_of_a_port_and_of_a_connection_is_compared():
    found = audit(
        proxies=PROXIES,
        targets=[target("refused", "handshake", "accepted", "strict")],
        traffic={"traffic": [traffic("mutual_tls")]},
    )
    [port, _client] = found["ports"]
    assert (port["declared"], port["programmed"], port["observed"], port["agreement"]) == (
        *("strict", "strict", "strict"),
        "proven",
    )
    [connection] = found["edges"]
    assert (connection["programmed"], connection["observed"], connection["agreement"]) == ("mtls", "mtls", "proven")


def test_the_summary_counts_what_is_listed():
    found = audit(
        proxies=[proxy(accepts="permissive"), PROXIES[1]],
        targets=[target("answered", "handshake", "accepted", "permissive")],
    )
    summary = found["summary"]
    assert summary["workloads"] == {"total": 2}
    severities = [item["severity"] for item in found["findings"]]
    assert len(severities) > 1
    assert summary["findings"] == {
        "total": len(severities),
        "by_severity": {name: severities.count(name) for name in sorted(set(severities))},
    }
    for part, rows in (("ports", found["ports"]), ("edges", found["edges"])):
        agreements = [row["agreement"] for row in rows]
        assert summary[part]["by_agreement"] == {name: agreements.count(name) for name in sorted(set(agreements))}
        assert list(summary[part]["by_agreement"]) == sorted(set(agreements))
    assert summary["ports"]["total"] == 2
    assert (summary["edges"]["total"], summary["edges"]["by_verdict"]) == (1, {"mtls": 1})


def ids(found):
    return {item["id"] for item in found["findings"]} - {DECLARED["id"]}


def test_findings_of_all_sources_stand_in_one_order():
    found = audit(
        proxies=[proxy(accepts="permissive"), proxy(CLIENT, answered=False, reason="gone")],
        targets=[target("answered", "handshake", "accepted", "permissive")],
    )["findings"]
    assert DECLARED in found
    assert len(found) > 2
    keys = [(item["id"], item["object"], item["message"]) for item in found]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("workloads", "foreign"),
    [
        pytest.param({}, True, id="a domain that is not the mesh's"),
        pytest.param({"identity_aliases": ["spiffe://old.example/ns/shop/sa/a"]}, False, id="an alias of the mesh's"),
    ],
)
def test_trust_domains_of_the_mesh_are_its_own_and_its_aliases(workloads, foreign):
    other = certificate(trust_domain="old.example", identity="spiffe://old.example/ns/shop/sa/a")
    result = {**RESULT, "workloads": [{**item, **workloads} for item in RESULT["workloads"]]}
    own, strange = (
        ids(audit(result, proxies=[proxy(certificates=(one, certificate("root")))])) for one in (certificate(), other)
    )
    assert bool(strange - own) is foreign
