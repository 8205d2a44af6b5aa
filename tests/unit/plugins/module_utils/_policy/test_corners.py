# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corners in which the engine once disagreed with Istio's own code (tests/differential)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    edges,
    headless,
    istio,
    judge,
    mesh_config,
    pod,
    rule,
    service,
    subset,
    tls,
)

TCP = [{"number": 80, "name": "tcp", "protocol": "TCP"}]
CANARY = mesh_config("canary")


def external(where: str, host: str, rev: str | None = None, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry inside the mesh."""
    base = {"hosts": [host], "ports": TCP, "location": "MESH_INTERNAL", "resolution": "STATIC"}
    return istio("ServiceEntry", where, {**base, **spec}, rev=rev)


def rows(result: dict[str, Any], client: str, place: str) -> set[str]:
    """`subset endpoint: client_tls -> verdict` of all edges from a client to a service."""
    return {
        f"{row['subset'] or ''} {row['endpoint']}: {row['client_tls']} -> {row['verdict']}".strip()
        for row in edges(result, client, service=place)
    }


ADDRESS = {"endpoints": [{"address": "192.0.2.1"}]}
REVISIONS = [
    ("of every revision", None, "canary", {"addr/192.0.2.1: plaintext -> plaintext"}),
    ("of the client's", "canary", "canary", {"addr/192.0.2.1: plaintext -> plaintext"}),
    ("of another", "canary", "default", {"addr/192.0.2.1: none -> plaintext"}),
]


@pytest.mark.parametrize(("what", "rev", "client", "expected"), REVISIONS, ids=[row[0] for row in REVISIONS])
def test_a_service_entry_is_only_known_to_its_revision(what, rev, client, expected):
    entry = external("shop/e", "api.example", rev, **ADDRESS)
    assert rows(judge(mesh_config(), CANARY, pod("cafe/c", revision=client), entry), "cafe/c", "shop/e") == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("canary", {"addr/192.0.2.1: plaintext -> plaintext"}),
        ("default", {"None: mtls -> broken"}),
    ],
)
def test_a_workload_entry_is_only_known_to_its_revision(client, expected):
    entry = istio("WorkloadEntry", "shop/w", {"address": "192.0.2.1", "labels": {"app": "a"}}, rev="canary")
    result = judge(mesh_config(), CANARY, pod("cafe/c", revision=client), service("shop/a"), entry)
    assert rows(result, "cafe/c", "shop/a") == expected


NOWHERE = {"resolution": "DNS", "workloadSelector": {"labels": {"app": "nobody"}}}
V1 = rule("shop/r", "api.example", tls("ISTIO_MUTUAL"), subsets=[subset("v1", version="1")])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, {"None: none -> broken"}),
        (tls("ISTIO_MUTUAL"), {"None: none -> broken"}),
    ],
)
def test_a_dns_cluster_without_endpoints_is_not_built(policy, expected):
    parts = [rule("shop/r", "api.example", policy)] if policy else []
    result = judge(mesh_config(), pod("cafe/c"), external("shop/e", "api.example", **NOWHERE), parts)
    assert rows(result, "cafe/c", "shop/e") == expected


def test_nor_is_a_dns_subset_without_endpoints():
    result = judge(mesh_config(), pod("cafe/c"), external("shop/e", "api.example", resolution="DNS"), V1)
    assert rows(result, "cafe/c", "shop/e") == {"addr/api.example: mtls -> unknown"}


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("sidecar", {"addr/api.example: plaintext -> plaintext"}),
        ("gateway", {"None: plaintext -> broken"}),
    ],
)
def test_a_gateway_has_no_original_destination(client, expected):
    entry = external("shop/e", "api.example", resolution="NONE")
    assert rows(judge(mesh_config(), pod("cafe/c", client), entry), "cafe/c", "shop/e") == expected


OTHER, SAME = {"trustDomain": "td.example"}, {}
DOMAINS = [
    ("the same", SAME, SAME, "mtls"),
    (
        "each other's aliases",
        {"trustDomainAliases": ["td.example"]},
        {**OTHER, "trustDomainAliases": ["cluster.local"]},
        "mtls",
    ),
    ("foreign to both", SAME, OTHER, "broken"),
    ("an alias at the server alone", SAME, {**OTHER, "trustDomainAliases": ["cluster.local"]}, "broken"),
    ("an alias at the client alone", {"trustDomainAliases": ["td.example"]}, OTHER, "broken"),
    (
        "let in by the server's caCertificates",
        {"trustDomainAliases": ["td.example"]},
        {**OTHER, "caCertificates": [{"pem": "…", "trustDomains": ["cluster.local"]}]},
        "mtls",
    ),
]


@pytest.mark.parametrize(("what", "mine", "theirs", "verdict"), DOMAINS, ids=[row[0] for row in DOMAINS])
@pytest.mark.parametrize("build", [service, headless])
def test_mutual_tls_needs_trust_on_both_sides(what, mine, theirs, verdict, build):
    configs = mesh_config(**mine), mesh_config("canary", **theirs)
    result = judge(*configs, pod("cafe/c"), pod("shop/a", revision="canary"), build("shop/a"))
    assert rows(result, "cafe/c", "shop/a") == {f"shop/Deployment/a: mtls -> {verdict}"}


# --- which Service decides whether a sidecar's port speaks HTTP: one-way TLS tells, it breaks at HTTP ports ---

ONE_WAY = rule("istio-system/r", "*.local", tls("SIMPLE"))
HTTP_81 = [{"name": "http", "port": 81, "targetPort": 8080}]
TCP_80 = [{"name": "tcp", "port": 80, "targetPort": 8080}]


def by_slice(home: str, address: str) -> list[dict[str, Any]]:
    """An HTTP Service without a selector whose EndpointSlice names an address."""
    labels = {"kubernetes.io/service-name": "own"}
    return [
        service(f"{home}/own", selector=None, ports=HTTP_81),
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "own", "namespace": home, "labels": labels},
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": [address]}],
        },
    ]


def at_the_address(labels: dict[str, str], rev: str | None = None) -> dict[str, Any]:
    """A WorkloadEntry with the pod's address."""
    return istio("WorkloadEntry", "shop/w", {"address": "10.0.1.1", "labels": labels}, rev=rev)


BY_ENTRY = service("shop/vm", selector={"vm": "yes"}, ports=HTTP_81)
AN_HTTP_ENTRY = {"ports": [{"number": 81, "name": "http", "protocol": "HTTP", "targetPort": 8080}]}
TAKEN = {"endpoints": [{"address": "10.0.1.1"}], **AN_HTTP_ENTRY}
UDP_FIRST = [{"name": "dns", "port": 80, "targetPort": 8080, "protocol": "UDP"}, HTTP_81[0]]
NAMED_FIRST = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "tcp", "port": 81, "targetPort": 8080}]

LISTENERS = [
    ("a Service that selects the pod", [service("shop/a")], "broken"),
    ("a UDP port in front of it", [service("shop/a", ports=UDP_FIRST)], "tls"),
    ("of two ports of a Service the first", [service("shop/a", ports=NAMED_FIRST)], "broken"),
    ("a Service by EndpointSlice", by_slice("shop", "10.0.1.1"), "broken"),
    (
        "which counts only without one that selects",
        [service("shop/a", ports=TCP_80), *by_slice("shop", "10.0.1.1")],
        "tls",
    ),
    ("and only in the pod's namespace", by_slice("cafe", "10.0.1.1"), "tls"),
    ("a WorkloadEntry is taken for the pod", [service("shop/a"), at_the_address({"vm": "yes"})], "tls"),
    ("then Services that select it count", [BY_ENTRY, at_the_address({"vm": "yes"})], "broken"),
    ("unless it is for another revision", [service("shop/a"), at_the_address({}, rev="canary")], "broken"),
    ("a ServiceEntry of the pod's namespace", [external("shop/e", "e.local", **TAKEN)], "broken"),
    ("not of another", [external("cafe/e", "e.local", **TAKEN)], "tls"),
    ("nor of another revision", [external("shop/e", "e.local", "canary", **TAKEN)], "tls"),
]


@pytest.mark.parametrize(("what", "parts", "verdict"), LISTENERS, ids=[row[0] for row in LISTENERS])
def test_which_service_decides_a_sidecars_protocol(what, parts, verdict):
    server = pod("shop/a", ip="10.0.1.1")
    # Dialled through a host of its own, so that only the listener differs.
    dial = external(
        "far/dial", "dial.local", ports=[{"number": 8080, "name": "odd"}], endpoints=[{"address": "10.0.1.1"}]
    )
    result = judge(mesh_config(), CANARY, pod("cafe/c"), server, dial, ONE_WAY, *parts)
    assert rows(result, "cafe/c", "far/dial") == {f"shop/Deployment/a: simple -> {verdict}"}


def test_a_service_that_discovery_selectors_hide_decides_nothing():
    selectors = [{"matchLabels": {"seen": "yes"}}]
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in (("shop", {}), ("cafe", {"seen": "yes"}), ("istio-system", {"seen": "yes"}))
    ]
    server = pod("shop/a", revision="canary")
    configs = mesh_config(), mesh_config("canary", discoverySelectors=selectors)
    result = judge(*configs, spaces, pod("cafe/c"), server, service("shop/a"), ONE_WAY)
    assert rows(result, "cafe/c", "shop/a") == {"shop/Deployment/a: simple -> tls"}


# --- certificates of its own (ISTIO_META_TLS_CLIENT_*) ---


def own_certs(where: str) -> dict[str, Any]:
    """A sidecar pod with them."""
    found = pod(where)
    found["spec"]["containers"][-1]["env"] = [{"name": "ISTIO_META_TLS_CLIENT_CERT_CHAIN", "value": "/cert"}]
    return found


SECRET = rule("shop/r", "a", tls("MUTUAL", credentialName="secret"))
OWN = [
    ("auto-mTLS: to a sidecar", [pod("shop/a")], "shop/Deployment/a: mutual -> broken"),
    ("and to everybody else", [pod("shop/a", "none")], "shop/Deployment/a: mutual -> tls"),
    ("and to nobody", [], "None: mutual -> broken"),
    ("instead of a rule's own Secret", [pod("shop/a", "none"), SECRET], "shop/Deployment/a: mutual -> tls"),
]


@pytest.mark.parametrize(("what", "parts", "expected"), OWN, ids=[row[0] for row in OWN])
def test_certificates_of_its_own(what, parts, expected):
    assert rows(judge(mesh_config(), own_certs("cafe/c"), service("shop/a"), *parts), "cafe/c", "shop/a") == {expected}


def test_outside_the_mesh_the_rule_comes_before_them():
    entry = external("shop/e", "api.example", location="MESH_EXTERNAL", **ADDRESS)
    rules = rule("shop/r", "api.example", tls("ISTIO_MUTUAL"))
    result = judge(mesh_config(), own_certs("cafe/c"), entry, rules)
    assert rows(result, "cafe/c", "shop/e") == {"addr/192.0.2.1: mtls -> unknown"}


# --- several destinations with one host ---

HOST = "a.shop.svc.cluster.local"
OTHER_PORT = {"ports": [{"number": 81, "name": "http-81", "protocol": "HTTP"}], **ADDRESS}


def ports_of(result: dict[str, Any], place: str) -> set[str]:
    """`port endpoint` of all edges from cafe/c to a destination."""
    return {f"{row['port']} {row['endpoint']}" for row in edges(result, "cafe/c", service=place)}


def test_a_kubernetes_service_owns_its_host():
    result = judge(mesh_config(), pod("cafe/c"), service("shop/a"), external("far/e", HOST, **ADDRESS))
    assert (ports_of(result, "shop/a"), ports_of(result, "far/e")) == ({"80 None"}, set())


def test_but_the_clients_namespace_comes_first():
    result = judge(mesh_config(), pod("cafe/c"), service("shop/a"), external("cafe/e", HOST, **ADDRESS))
    assert (ports_of(result, "shop/a"), ports_of(result, "cafe/e")) == (set(), {"80 addr/192.0.2.1"})


def test_a_hidden_service_leaves_its_host_to_others():
    result = judge(mesh_config(), pod("cafe/c"), service("shop/a", "."), external("far/e", HOST, **ADDRESS))
    assert (ports_of(result, "shop/a"), ports_of(result, "far/e")) == (set(), {"80 addr/192.0.2.1"})


def test_the_older_service_entry_wins_and_borrows_ports_and_endpoints():
    older = istio("ServiceEntry", "shop/e", external("shop/e", HOST)["spec"], age=1)
    younger = istio(
        "ServiceEntry", "shop/f", external("shop/f", HOST, endpoints=[{"address": "192.0.2.2"}])["spec"], age=2
    )
    third = istio("ServiceEntry", "shop/g", external("shop/g", HOST, **OTHER_PORT)["spec"], age=3)
    result = judge(mesh_config(), pod("cafe/c"), older, younger, third)
    assert [ports_of(result, f"shop/{name}") for name in "efg"] == [
        {"80 addr/192.0.2.2"},
        set(),
        {"81 addr/192.0.2.1"},
    ]


# --- endpoints ---


@pytest.mark.parametrize(
    ("ports", "mode", "verdict"),
    [
        ({}, "STRICT", "plaintext"),
        ({"http": 9090}, "STRICT", "broken"),
        ({"other": 9090}, "STRICT", "plaintext"),
    ],
)
def test_a_workload_entry_may_move_a_numbered_target_port_by_its_name(ports, mode, verdict):
    spec = {"address": "10.0.1.1", "labels": {"app": "vm"}, "ports": ports}
    entry = istio("WorkloadEntry", "shop/w", spec)
    policy = istio(
        "PeerAuthentication",
        "far/p",
        {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"9090": {"mode": mode}}},
        group="security",
    )
    result = judge(mesh_config(), pod("cafe/c"), pod("far/a", ip="10.0.1.1"), entry, policy, service("shop/vm"))
    assert rows(result, "cafe/c", "shop/vm") == {f"far/Deployment/a: plaintext -> {verdict}"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, set()),
        ({"loadBalancer": {"simple": "PASSTHROUGH"}}, {"v1 None: plaintext -> broken"}),
    ],
)
def test_a_dns_subset_without_endpoints_exists_only_as_original_destination(policy, expected):
    rules = rule("shop/r", "api.example", subsets=[subset("v1", policy, version="1")])
    result = judge(mesh_config(), pod("cafe/c"), external("shop/e", "api.example", resolution="DNS"), rules)
    found = rows(result, "cafe/c", "shop/e")
    assert found - {"addr/api.example: plaintext -> plaintext"} == expected


def test_a_kubernetes_service_without_tcp_ports_still_owns_its_host():
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    result = judge(mesh_config(), pod("cafe/c"), service("shop/a", ports=ports), external("far/e", HOST, **ADDRESS))
    assert rows(result, "cafe/c", "far/e") == {"addr/192.0.2.1: none -> plaintext"}


ROUND_ROBIN = {"resolution": "DNS_ROUND_ROBIN", "workloadSelector": {"labels": {"vm": "yes"}}}


@pytest.mark.parametrize(
    ("parts", "endpoint"),
    [
        ([pod("shop/b", labels={"vm": "yes"}), pod("shop/a", labels={"vm": "yes"})], "shop/Deployment/a"),
        ([at_the_address({"vm": "yes"}), pod("shop/b", labels={"vm": "yes"})], "shop/Deployment/b"),
        ([at_the_address({"vm": "yes"})], "addr/10.0.1.1"),
    ],
)
def test_round_robin_dns_has_one_endpoint(parts, endpoint):
    entry = external("shop/e", "api.example", **ROUND_ROBIN)
    found = edges(judge(mesh_config(), pod("cafe/c"), entry, parts), "cafe/c", service="shop/e")
    assert [row["endpoint"] for row in found] == [endpoint]


@pytest.mark.parametrize(
    ("account", "verdict"),
    [
        ({}, "mtls"),
        ({"serviceAccount": "vm"}, "broken"),
    ],
)
def test_an_entry_without_account_has_no_trust_domain(account, verdict):
    labels = {"app": "vm", "security.istio.io/tlsMode": "istio"}
    entry = istio("WorkloadEntry", "shop/w", {"address": "10.0.1.1", "labels": labels, **account})
    configs = mesh_config(), mesh_config("canary", trustDomain="td.example", trustDomainAliases=["cluster.local"])
    result = judge(*configs, pod("cafe/c"), pod("far/a", revision="canary", ip="10.0.1.1"), entry, service("shop/vm"))
    assert rows(result, "cafe/c", "shop/vm") == {f"far/Deployment/a: mtls -> {verdict}"}


def test_behind_a_nodes_address_a_pod_of_the_namespace_is_guessed():
    host = pod("shop/h", "none", ip="192.0.2.7", hostNetwork=True)
    result = judge(mesh_config(), pod("cafe/c"), host, by_slice("shop", "192.0.2.7"))
    assert rows(result, "cafe/c", "shop/own") == {"shop/Deployment/h: plaintext -> plaintext"}


def test_an_external_name_owns_its_host_and_is_nothing_itself():
    alias = service("shop/a", selector=None, clusterIP=None, type="ExternalName", externalName="db.example")
    result = judge(mesh_config(), pod("cafe/c"), alias, external("far/e", HOST, **ADDRESS))
    assert rows(result, "cafe/c", "shop/a") == set()
    assert rows(result, "cafe/c", "far/e") == {"addr/192.0.2.1: none -> plaintext"}


def test_one_pod_that_speaks_http_is_enough_for_its_workload():
    """Of two pods one is taken for a WorkloadEntry that no Service selects: only the other's port is an HTTP port."""
    pods = [pod("shop/a", number=1, ip="10.0.1.1"), pod("shop/a", number=2, ip="10.0.1.2")]
    result = judge(mesh_config(), pod("cafe/c"), pods, service("shop/a"), at_the_address({"vm": "yes"}), ONE_WAY)
    assert rows(result, "cafe/c", "shop/a") == {"shop/Deployment/a: simple -> broken"}


def test_an_entrys_udp_port_is_no_listener():
    dns = [{"name": "dns", "port": 53, "targetPort": 8080, "protocol": "UDP"}]
    older = service("shop/dns", selector={"vm": "yes"}, ports=dns)
    older["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    parts = [pod("shop/a", ip="10.0.1.1"), older, BY_ENTRY, at_the_address({"vm": "yes"})]
    result = judge(mesh_config(), pod("cafe/c"), parts, ONE_WAY)
    assert rows(result, "cafe/c", "shop/vm") == {"shop/Deployment/a: simple -> broken"}


NAMED_UDP = [
    ("no port of that name speaks UDP", {"containerPort": 8080, "name": "web"}, "simple -> broken"),
    ("the one of that name is another", {"containerPort": 9090, "name": "web", "protocol": "UDP"}, "simple -> broken"),
    ("the number is the same", {"containerPort": 8080, "name": "web", "protocol": "UDP"}, "simple -> tls"),
]


@pytest.mark.parametrize(("what", "port", "expected"), NAMED_UDP, ids=[row[0] for row in NAMED_UDP])
def test_a_named_target_is_a_port_of_the_same_protocol(what, port, expected):
    """Of a Service's ports the first that targets a number decides whether HTTP is spoken there, also a UDP port."""
    ports = [
        {"name": "quic", "port": 81, "targetPort": "web", "protocol": "UDP"},
        {"name": "http", "port": 80, "targetPort": 8080},
    ]
    parts = [pod("cafe/c"), pod("shop/a", ports=[port]), service("shop/a", ports=ports)]
    assert rows(judge(mesh_config(), parts, ONE_WAY), "cafe/c", "shop/a") == {f"shop/Deployment/a: {expected}"}


ONE_LISTENER = [
    ("the older one's rule counts", 1, None, "tcp", "plaintext -> plaintext"),
    ("the younger one's does not", 3, None, "tcp", "mtls -> mtls"),
    ("not for HTTP, which has no listener of its own", 1, None, "http", "mtls -> mtls"),
    ("one exported by name comes first", 3, "shop", "tcp", "plaintext -> plaintext"),
    ("one that is hidden has no listener", 1, "other", "tcp", "mtls -> mtls"),
]


@pytest.mark.parametrize(("what", "age", "exports", "name", "expected"), ONE_LISTENER, ids=[r[0] for r in ONE_LISTENER])
def test_headless_services_over_one_pod_and_port_share_a_listener(what, age, exports, name, expected):
    """A rule that turns TLS off for one of them may so decide what clients of the other send."""
    other = headless("shop/other", exports, selector={"app": "s"}, ports=[{"port": 80, "name": name}])
    own = headless("shop/s", ports=[{"port": 80, "name": "tcp"}])
    other["metadata"]["creationTimestamp"] = f"2026-01-0{age}T00:00:00Z"
    own["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    off = rule("shop/off", "other.shop.svc.cluster.local", tls("DISABLE"))
    result = judge(mesh_config(), pod("shop/c"), pod("shop/s"), own, other, off)
    assert rows(result, "shop/c", "shop/s") == {f"shop/Deployment/s: {expected}"}


def test_http_is_taken_by_the_listener_of_a_younger_service():
    other = headless("shop/other", selector={"app": "s"}, ports=[{"port": 80, "name": "tcp"}])
    other["metadata"]["creationTimestamp"] = "2026-01-03T00:00:00Z"
    off = rule("shop/off", "other.shop.svc.cluster.local", tls("DISABLE"))
    result = judge(mesh_config(), pod("shop/c"), pod("shop/s"), headless("shop/s"), other, off)
    [row] = edges(result, "shop/c", service="shop/s")
    assert (row["client_tls"], row["verdict"]) == ("plaintext", "plaintext")
    assert "shop/s and shop/other are headless and lead to the same pod and port" in row["reason"]


def test_the_order_of_headless_services_is_that_of_the_clients_control_plane():
    """Where Services are private by default one that is public comes last; elsewhere it comes by its name."""
    private = mesh_config(defaultServiceExportTo=["."])
    public = headless("shop/other", "*", selector={"app": "s"}, ports=[{"port": 80, "name": "tcp"}])
    own = headless("shop/s", ports=[{"port": 80, "name": "tcp"}])
    off = rule("shop/off", "other.shop.svc.cluster.local", tls("DISABLE"))
    mesh = [private, CANARY, pod("shop/s"), own, public, off]
    for revision, expected in (("default", "mtls -> mtls"), ("canary", "plaintext -> plaintext")):
        result = judge(*mesh, pod("shop/c", revision=revision))
        assert rows(result, "shop/c", "shop/s") == {f"shop/Deployment/s: {expected}"}


def test_half_a_character_in_a_name_ends_nothing():
    """No file and no API server has any; Ansible makes them of bytes that are no UTF-8."""
    result = judge(pod("demo/a"), pod("demo/\ud800"), service("demo/a"))
    assert {row["verdict"] for row in edges(result, "demo/\ud800", service="demo/a")} == {"mtls"}
