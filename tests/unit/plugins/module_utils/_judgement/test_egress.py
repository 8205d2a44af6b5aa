# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves the mesh: told beside the judgement, and gated by its own limit alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    api_server,
    flat,
    istio,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    tls,
)

MESH = [
    mesh_config(),
    pod("shop/a"),
    service("shop/a", clusterIP="10.96.0.9"),
    peer("istio-system/p", "STRICT"),
    pod("old/b", proxy="none"),
]
API = api_server()


def outside(protocol: str, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry of a judged namespace for a host outside of the mesh."""
    ports = [{"number": 443, "name": "api", "protocol": protocol}]
    base = {"hosts": ["api.example"], "ports": ports, "resolution": "DNS", "location": "MESH_EXTERNAL"}
    return istio("ServiceEntry", "shop/api", {**base, **spec})


def judged(*manifests: Any, limits: dict[str, int] | None = None) -> dict[str, Any]:
    return judge(
        evaluate(flat([MESH, manifests])),
        namespaces=["shop", "default"][: 2 if API[0] in manifests else 1],
        limits=limits,
    )


LEAVES = [
    ("plaintext", [outside("HTTP")], {"api.example:443": "plaintext"}),
    ("the application's own TLS, by HTTPS", [outside("HTTPS")], {"api.example:443": "tls"}),
    ("the application's own TLS, by TLS", [outside("TLS")], {"api.example:443": "tls"}),
    ("TLS by a rule", [outside("HTTP"), rule("shop/r", "api.example", tls("SIMPLE"))], {"api.example:443": "tls"}),
    (
        "the mesh's TLS, which may be understood there",
        [outside("HTTP"), rule("shop/r", "api.example", tls("ISTIO_MUTUAL"))],
        {"api.example:443": "unknown"},
    ),
    ("inside the mesh", [outside("HTTP", location="MESH_INTERNAL")], {}),
    ("an entry that leads to a workload of the mesh", [outside("HTTP", endpoints=[{"address": "10.96.0.9"}])], {}),
]


@pytest.mark.parametrize(("title", "manifests", "expected"), LEAVES, ids=[row[0] for row in LEAVES])
def test_what_leaves(title, manifests, expected):
    result = judged(*manifests)
    assert {f"{row['host']}:{row['port']}": row["verdict"] for row in result["egress"]} == expected
    assert {row["clients"] for row in result["egress"]} <= {"shop/a"}


def test_it_fails_nothing_by_default():
    result = judged(outside("HTTP"))
    assert (result["verdict"], result["counts"]["egress_plaintext"]) == ("pass", 1)
    assert [row["service"] for row in result["edges"] if row["service"] == "shop/api"] == []


@pytest.mark.parametrize(("limit", "verdict"), [(0, "fail"), (1, "pass")])
def test_a_limit_gates_it(limit, verdict):
    result = judged(outside("HTTP"), limits={"egress_plaintext": limit})
    assert result["verdict"] == verdict
    assert ("api.example:443" in result["message"]) == (verdict == "fail")


def test_an_entry_hides_no_server_of_the_mesh():
    result = judged(
        outside(
            "HTTP",
            ports=[{"number": 80, "name": "http", "protocol": "HTTP"}],
            endpoints=[{"address": "a.shop.svc.cluster.local"}],
        )
    )
    assert [row["kind"] for row in result["edges"] if row["service"] == "shop/api" and row["kind"]] == ["broken"]


def test_the_api_server_is_no_server_of_the_mesh():
    result = judged(*API, pod("default/c"))
    assert [row["host"] for row in result["egress"]] == ["kubernetes.default.svc.cluster.local"]
    assert not [row for row in result["violations"] if "kubernetes" in row["object"]]


def test_the_table_has_a_heading_of_its_own():
    lines = verdict_table(judged(outside("HTTP")))
    place = next(number for number, line in enumerate(lines) if line.startswith("LEAVING THE MESH"))
    assert any("api.example:443" in line and "plaintext" in line for line in lines[place:])
