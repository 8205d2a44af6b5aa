# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's samples and well-known applications are judged as Istio's documentation says that they behave.

Whatever is in the mesh speaks mutual TLS with each other at every mode (auto-mTLS). Without a policy, and at
PERMISSIVE, servers take plaintext, too, so the judgement fails for that alone; wholly STRICT it passes, and nothing is
alarmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import flat

from . import applications as apps

Manifest = dict[str, Any]
MODES: dict[str, list[Manifest]] = {"no policy": [], "PERMISSIVE": [apps.PERMISSIVE], "STRICT": [apps.STRICT]}
NOTHING: Mapping[str, str] = MappingProxyType({})
ACCEPTS_PLAINTEXT = "MTLS-006"
BOOKS = ("productpage:9080", "details:9080", "reviews:9080", "ratings:9080")


class Application(NamedTuple):
    """What is deployed, and what Istio's documentation says must happen. Services are of `default`, if not said."""

    manifests: list[Any]
    servers: tuple[str, ...]
    """service:port of what meshed clients meet in mutual TLS, and others in plaintext, or refused by STRICT."""
    others: Mapping[str, str] = NOTHING
    """service:port of gateways and of servers without a proxy, and the verdicts of their rows at every mode."""
    leaving: Mapping[str, str] = NOTHING
    """host:port outside of the mesh, and what is sent there by clients in it."""
    due: frozenset[str] = frozenset()
    """Findings of medium and high severity that are true where all is STRICT."""


def demo(*manifests: Any, servers: tuple[str, ...] = ("httpbin:8000",), **expected: Any) -> Application:
    """An application in an injected `default`."""
    return Application([apps.DEMO, *manifests], servers, **expected)


NEWS_80, NEWS_443 = f"{apps.NEWS}:80", f"{apps.NEWS}:443"
AT_GATEWAY = {"books-istio:80": "plaintext", "books-istio:15021": "plaintext"}
AT_WAYPOINT = {"waypoint:15021": "plaintext", "waypoint:15008": "refused"}
SHOP = ("frontend:80", "frontend-external:80", "cart-store:6379", *(f"{part}:7000" for part in apps.PARTS))
SHOP_LEAVES = {
    "kubernetes.default.svc.cluster.local:443": "tls",
    # The ingress gateway has no address to send to for a host without resolution.
    "*.apis.example.com:80": "broken, plaintext",
    "*.apis.example.com:443": "broken, tls",
    "metadata.internal.example:80": "plaintext",
}
APPLICATIONS = {
    "Bookinfo behind an ingress gateway": demo(apps.BOOKS, apps.BOOK_GATEWAY, servers=BOOKS),
    "Bookinfo, subsets": demo(apps.BOOKS, apps.BOOK_GATEWAY, apps.BOOK_SUBSETS, servers=BOOKS),
    "Bookinfo, a canary by weight": demo(apps.BOOKS, apps.BOOK_SUBSETS, apps.BOOK_CANARY, servers=BOOKS),
    "Bookinfo, a version for one user": demo(apps.BOOKS, apps.BOOK_SUBSETS, apps.BOOK_USERS, servers=BOOKS),
    "Bookinfo behind a Gateway of the Gateway API": demo(
        apps.BOOKS, apps.K8S_GATEWAY, servers=BOOKS, others=AT_GATEWAY
    ),
    "Bookinfo in ambient mode": Application(apps.AMBIENT, BOOKS),
    "Bookinfo in ambient mode with a waypoint": Application([apps.AMBIENT, apps.WAYPOINT], BOOKS, others=AT_WAYPOINT),
    "Bookinfo in ambient mode with a waypoint, and istiod's environment not read": Application(
        [[item for item in apps.AMBIENT if item is not apps.ISTIOD], apps.WAYPOINT], BOOKS, others=AT_WAYPOINT
    ),
    "helloworld": demo(apps.HELLO, servers=("helloworld:5000",)),
    "helloworld, load balanced by locality": demo(apps.HELLO, apps.LOCALITY, servers=("helloworld:5000",)),
    "httpbin and curl": demo(apps.HTTPBIN),
    "httpbin and curl inside and outside of the mesh": Application(
        apps.LEGACY, ("foo/httpbin:8000", "bar/httpbin:8000")
    ),
    "circuit breaking": demo(apps.HTTPBIN, apps.BREAKER),
    "mirroring": demo(apps.HTTPBIN_TWO, apps.HTTPBIN_SUBSETS, apps.MIRROR),
    "a local rate limit by EnvoyFilter": demo(apps.HTTPBIN, apps.LOCAL_LIMIT),
    "a global rate limit by EnvoyFilter": demo(
        apps.BOOKS,
        apps.BOOK_GATEWAY,
        apps.LIMITER,
        apps.GLOBAL_LIMIT,
        servers=(*BOOKS, "ratelimit:8081", "redis:6379"),
    ),
    "ingress with one-way TLS": demo(apps.HTTPBIN, apps.ingress("SIMPLE")),
    "ingress with client certificates": demo(apps.HTTPBIN, apps.ingress("MUTUAL")),
    "ingress that passes TLS through": demo(apps.HTTPBIN, apps.ingress("PASSTHROUGH")),
    "an external service": demo(apps.HTTPBIN, apps.NEWS_HTTP, leaving={NEWS_80: "plaintext", NEWS_443: "tls"}),
    "TLS origination": demo(apps.HTTPBIN, apps.ORIGINATED, leaving={NEWS_80: "tls", NEWS_443: "tls"}),
    "external services by a wildcard": demo(apps.HTTPBIN, apps.WILDCARD, leaving={"*.wiki.example.org:443": "tls"}),
    "an egress gateway": demo(
        apps.HTTPBIN, apps.through_gateway(False), leaving={NEWS_80: "plaintext", NEWS_443: "tls"}
    ),
    # Clients reach the gateway in mutual TLS; the gateway's own port 80 of the host, that nobody uses, is plaintext.
    "TLS origination at an egress gateway": demo(
        apps.HTTPBIN, apps.through_gateway(True), leaving={NEWS_80: "mtls, plaintext", NEWS_443: "tls"}
    ),
    "a shop in default, with a load generator outside": Application(apps.SHOP, SHOP, leaving=SHOP_LEAVES),
    "the same with addons beside istiod": Application([apps.SHOP, apps.ADDONS], SHOP, leaving=SHOP_LEAVES),
    "an operator with an admission webhook": Application(
        apps.operator(), ("operator/operator:443", "httpbin:8000"), due=frozenset({"MTLS-035"})
    ),
    "an operator with an admission webhook, not in the mesh": Application(apps.operator("none"), ("httpbin:8000",)),
}
ROWS = [
    pytest.param(application, mode, id=f"{name}, {mode}")
    for name, application in APPLICATIONS.items()
    for mode in MODES
]


@pytest.mark.parametrize(("application", "mode"), ROWS)
def test_judged_as_documented(application: Application, mode: str) -> None:
    status = evaluate(flat([application.manifests, MODES[mode]]))
    result = judge(status)
    inside = {item["id"] for item in status["workloads"] if item["mesh"] != "none"}
    strict = mode == "STRICT"

    others = "refused" if strict else "plaintext"
    met = rows(status, result["edges"], inside)
    servers = {place: met.pop(place, ("", "")) for place in map(full, application.servers)}
    assert {place: meshed for place, (meshed, _bare) in servers.items()} == dict.fromkeys(servers, "mtls")
    assert {bare for _meshed, bare in servers.values()} <= {"", others}
    beside = {place: meshed for place, (meshed, _bare) in met.items() if meshed}
    assert beside == {full(place): verdict for place, verdict in application.others.items()}
    left: dict[str, set[str]] = {}
    for row in result["egress"]:
        left.setdefault(f"{row['host']}:{row['port']}", set()).add(row["verdict"])
    assert {place: ", ".join(sorted(verdicts)) for place, verdicts in left.items()} == application.leaving

    assert status["unknown"] == []
    assert {item["kind"] for item in result["violations"]} == (set() if strict else {"plaintext"})
    assert result["verdict"] == ("pass" if strict else "fail")
    severe = {item["id"] for item in status["findings"] if item["severity"] in ("medium", "high")}
    assert severe == (application.due if strict else {ACCEPTS_PLAINTEXT})


def full(place: str) -> str:
    """namespace/service:port"""
    return place if "/" in place else f"default/{place}"


def rows(status: Manifest, edges: list[Manifest], inside: set[str]) -> dict[str, tuple[str, str]]:
    """By namespace/service:port the verdicts for clients in the mesh, and for others; empty where there are none."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for edge in edges:
        clients = set(status["client_sets"][edge["client_set"]])
        meshed, others = found.setdefault(f"{edge['service']}:{edge['port']}", (set(), set()))
        if clients & inside:
            meshed.add(edge["verdict"])
        if clients - inside:
            others.add(edge["verdict"])
    return {place: (", ".join(sorted(meshed)), ", ".join(sorted(others))) for place, (meshed, others) in found.items()}


@pytest.mark.parametrize(("policy", "verdict"), [(apps.PERMISSIVE, "plaintext"), (apps.STRICT, "refused")])
@pytest.mark.parametrize(
    ("manifests", "client", "servers"), [(apps.SHOP, "load/generator", len(SHOP)), (apps.LEGACY, "legacy/curl", 2)]
)
def test_a_client_outside_is_let_in_and_refused_where_it_is_strict(
    manifests: list[Manifest], client: str, servers: int, policy: Manifest, verdict: str
) -> None:
    edges = judge(evaluate(flat([manifests, policy])))["edges"]
    assert [row["verdict"] for row in edges if client in row["clients"].split(", ")] == [verdict] * servers


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL", "PASSTHROUGH"])
def test_an_ingress_with_tls_refuses_plaintext_and_satisfies_whoever_demands_it(mode: str) -> None:
    status = evaluate(flat([apps.DEMO, apps.HTTPBIN, apps.ingress(mode), apps.STRICT]))
    result = judge(status, namespaces=["default", "istio-system"], gateway_tls=True)
    answers = {row["port"]: row["plaintext"] for row in result["servers"] if row["mesh"] == "gateway"}
    assert answers[8443] == "refused"
    assert (result["verdict"], result["violations"]) == ("pass", [])


def test_an_ingress_without_tls_is_plaintext_by_design() -> None:
    status = evaluate(flat([apps.DEMO, apps.BOOKS, apps.BOOK_GATEWAY, apps.STRICT]))
    scope = ["default", "istio-system"]
    assert judge(status, namespaces=scope)["verdict"] == "pass"
    assert judge(status, namespaces=scope, gateway_tls=True)["verdict"] == "fail"


def test_plaintext_that_leaves_the_mesh_fails_only_where_a_limit_is_set() -> None:
    status = evaluate(flat([apps.DEMO, apps.HTTPBIN, apps.NEWS_HTTP, apps.STRICT]))
    assert judge(status)["verdict"] == "pass"
    assert judge(status, limits={"egress_plaintext": 0})["exceeded"] == ["egress_plaintext"]
    assert judge(status, limits={"egress_plaintext": 1})["verdict"] == "pass"


def test_a_demand_for_tls_at_gateways_names_the_port_that_serves_plaintext() -> None:
    status = evaluate(flat([apps.DEMO, apps.BOOKS, apps.K8S_GATEWAY, apps.STRICT]))
    objects = {item["object"] for item in judge(status, gateway_tls=True)["violations"]}
    assert "default/books-istio port 80" in objects
    assert not any("15021" in name for name in objects if "→" not in name)


def test_a_webhook_behind_an_open_port_is_reached_and_told_as_plaintext() -> None:
    result = judge(evaluate(flat([apps.operator(), apps.STRICT, apps.OPEN_WEBHOOK])))
    assert result["severe"] == []
    assert "operator/operator port 9443" in {item["object"] for item in result["violations"]}
