# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit's result: what each source adds to the judgement of the policies, and what it counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.audit import Evidence, compared
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    mesh_config,
    namespace,
    peer,
    pod,
    service,
)

from .build import certificate, proxy, target

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESH = [mesh_config(), namespace("shop"), pod("shop/a"), pod("shop/c"), service("shop/a"), peer("shop/p", "STRICT")]
TRAFFIC = {
    "traffic": [
        {
            "source": {"workload": "shop/c", "principal": "spiffe://cluster.local/ns/shop/sa/c"},
            "destination": {
                "workload": "shop/a",
                "service": "shop/a",
                "principal": "spiffe://cluster.local/ns/shop/sa/a",
            },
            "port": 8080,
            "protocol": "http",
            "exporter": None,
            "requests": 5,
            "mutual_tls": 5,
            "share": 1.0,
            "security": "mutual_tls",
        }
    ],
    "window": 3600,
}


def audit(result: dict[str, Any] | None = None, **evidence: Any) -> dict[str, Any]:
    result = result or evaluate(MESH)
    return compared(result, result["workloads"], Evidence(**evidence), {}, NOW, 60)


def test_policies_alone_are_as_they_were():
    result = evaluate(MESH)
    found = audit(result)
    assert {name: found[name] for name in ("workloads", "client_sets", "findings", "mesh")} == {
        name: result[name] for name in ("workloads", "client_sets", "findings", "mesh")
    }
    assert {edge["programmed"] for edge in found["edges"]} == {None}
    assert {name: item["state"] for name, item in found["seen"].items()} == dict.fromkeys(
        ("declared", "programmed", "observed", "traffic"), "not asked"
    )
    assert not {"proxies", "certificates", "probe", "traffic"} & found.keys()
    json.dumps(found)


@pytest.mark.parametrize(
    ("evidence", "keys"),
    [
        ({"proxies": ()}, {"proxies", "certificates"}),
        ({"targets": ()}, {"probe"}),
        ({"traffic": TRAFFIC}, {"traffic"}),
        ({"proxies": (), "targets": (), "traffic": TRAFFIC}, {"proxies", "certificates", "probe", "traffic"}),
    ],
    ids=["proxies", "the wire", "telemetry", "all"],
)
def test_what_was_asked_stands_beside_it(evidence, keys):
    found = audit(**evidence)
    assert found.keys() & {"proxies", "certificates", "probe", "traffic"} == keys
    assert found.get("traffic", TRAFFIC) == TRAFFIC
    assert found.get("probe", []) == []


def test_how_much_of_a_source_was_seen_is_handed_on():
    found = audit(seen={"programmed": {"state": "partly", "detail": "1 of 2 answered"}})
    assert found["seen"]["programmed"] == {"state": "partly", "detail": "1 of 2 answered"}
    assert found["seen"]["traffic"] == {"state": "not asked", "detail": ""}


def test_a_proxy_is_shown_without_what_is_compared_already():
    [shown] = audit(proxies=[proxy()])["proxies"]
    assert shown["pod"] == "shop/a-1"
    assert not {"ports", "upstreams"} & shown.keys()


def row(found: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in found["ports"] if (item["workload"], item["port"]) == ("shop/Deployment/a", 8080))


@pytest.mark.parametrize(
    ("accepts", "agreement", "findings"),
    [("strict", "proven", []), ("permissive", "contradicted", ["MTLS-102"])],
)
def test_ports_are_compared_and_counted(accepts, agreement, findings):
    result = evaluate(MESH)
    found = audit(result, proxies=[proxy(accepts=accepts)])
    assert (row(found)["declared"], row(found)["programmed"], row(found)["agreement"]) == ("strict", accepts, agreement)
    added = [item for item in found["findings"] if item not in result["findings"]]
    assert [item["id"] for item in added if item["id"] == "MTLS-102"] == findings
    summary = found["summary"]
    assert summary["ports"]["total"] == len(found["ports"])
    assert summary["ports"]["by_agreement"][agreement] >= 1
    assert sum(summary["edges"]["by_agreement"].values()) == len(found["edges"])
    assert summary["edges"]["total"] == result["summary"]["edges"]["total"]
    assert summary["findings"]["total"] == len(found["findings"])
    assert sum(summary["findings"]["by_severity"].values()) == len(found["findings"])
    assert summary["workloads"] == result["summary"]["workloads"]


def test_findings_are_in_order():
    open_door = target("answered", "no_tls", "no_tls", "plaintext")
    found = audit(proxies=[proxy(accepts="plaintext")], targets=[open_door])["findings"]
    keys = [(item["id"], item["object"], item["message"]) for item in found]
    assert keys == sorted(keys)
    assert "MTLS-102" in {item["id"] for item in found}


@pytest.mark.parametrize(
    ("aliases", "strange"),
    [([], 1), (["spiffe://old.example/ns/shop/sa/a"], 0)],
    ids=["no alias", "an alias of the mesh"],
)
def test_a_trust_domain_that_is_the_meshs_by_an_alias_is_no_finding(aliases, strange):
    result = evaluate(MESH)
    mesh = [{**workload, "identity_aliases": aliases} for workload in result["workloads"]]
    own = proxy()._replace(certificates=(certificate(trust_domain="old.example"),))
    found = compared(result, mesh, Evidence(proxies=[own]), {}, NOW, 60)
    assert len([item for item in found["findings"] if item["id"] == "MTLS-110"]) == strange


@pytest.mark.parametrize(("days", "ending"), [(60, 1), (10, 0)])
def test_how_many_days_a_certificate_authority_must_have_left(days, ending):
    result = evaluate(MESH)
    root = certificate("root", not_after="2026-02-28T12:00:00Z")
    found = compared(result, (), Evidence(proxies=[proxy()._replace(certificates=(root,))]), {}, NOW, days)
    assert len([item for item in found["findings"] if item["id"] == "MTLS-109"]) == ending
