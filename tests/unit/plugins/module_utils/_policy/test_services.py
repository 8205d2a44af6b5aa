# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections 3.3 and 3.4 of the semantics: endpoints of Services, ServiceEntries, WorkloadEntries and EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    headless,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    tls,
)

CLIENT = pod("cafe/c")
TCP = [{"number": 80, "name": "tcp", "protocol": "TCP"}]


def entry(where: str, address: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A WorkloadEntry."""
    return istio("WorkloadEntry", where, {"address": address, "labels": labels or {}, **spec})


def external(where: str, *hosts: str, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry, MESH_INTERNAL unless it says something else."""
    base = {"hosts": list(hosts), "ports": TCP, "location": "MESH_INTERNAL", "resolution": "STATIC"}
    return istio("ServiceEntry", where, {key: value for key, value in {**base, **spec}.items() if value is not None})


def endpoints(result: dict[str, Any], place: str) -> dict[str | None, str]:
    """For each endpoint of a service what cafe/c gets."""
    return {
        row["endpoint"]: f"{row['client_tls']} -> {row['verdict']}"
        for row in edges(result, "cafe/c", service=place, subset=None)
    }


ENTRIES = [
    (
        "DNS name: never auto-mTLS",
        external("shop/e", "api.example", resolution="DNS"),
        {"addr/api.example": "plaintext -> plaintext"},
    ),
    (
        "an address without tlsMode",
        external("shop/e", "api.example", endpoints=[{"address": "192.0.2.1"}]),
        {"addr/192.0.2.1": "plaintext -> plaintext"},
    ),
    (
        "serviceAccount implies tlsMode istio",
        external("shop/e", "api.example", endpoints=[{"address": "192.0.2.1", "serviceAccount": "vm"}]),
        {"addr/192.0.2.1": "mtls -> mtls"},
    ),
    (
        "the label beats it",
        external(
            "shop/e",
            "api.example",
            endpoints=[
                {"address": "192.0.2.1", "serviceAccount": "vm", "labels": {"security.istio.io/tlsMode": "disabled"}}
            ],
        ),
        {"addr/192.0.2.1": "plaintext -> plaintext"},
    ),
    (
        "an omitted location is outside the mesh: no auto-mTLS",
        external("shop/e", "api.example", location=None, endpoints=[{"address": "192.0.2.1", "serviceAccount": "vm"}]),
        {"addr/192.0.2.1": "plaintext -> plaintext"},
    ),
    ("no endpoints at all", external("shop/e", "api.example"), {None: "mtls -> broken"}),
    (
        "resolution NONE: the addresses",
        external("shop/e", "api.example", resolution="NONE", addresses=["192.0.2.9"]),
        {"addr/192.0.2.9": "plaintext -> plaintext"},
    ),
    (
        "resolution DNS: the host, whatever its addresses",
        external("shop/e", "api.example", resolution="DNS", addresses=["192.0.2.9"]),
        {"addr/api.example": "plaintext -> plaintext"},
    ),
    (
        "resolution NONE with a wildcard host",
        external("shop/e", "*.example", resolution="NONE", location=None),
        {"addr/*.example": "plaintext -> plaintext"},
    ),
    (
        "selected pods",
        external("shop/e", "api.example", workloadSelector={"labels": {"app": "a"}}),
        {"shop/Deployment/a": "mtls -> mtls"},
    ),
]


@pytest.mark.parametrize(("title", "one", "expected"), ENTRIES, ids=[row[0] for row in ENTRIES])
def test_service_entries(title, one, expected):
    assert endpoints(judge(mesh_config(), CLIENT, pod("shop/a"), one), "shop/e") == expected


def test_one_edge_for_each_host():
    result = judge(CLIENT, external("shop/e", "b.example", "a.example", resolution="DNS"))
    assert [row["host"] for row in edges(result, "cafe/c", service="shop/e")] == ["a.example", "b.example"]


def test_a_rule_for_an_external_host_sends_tls():
    outside = external("cafe/e", "api.example", resolution="DNS", location="MESH_EXTERNAL")
    result = judge(CLIENT, outside, rule("cafe/r", "*.example", tls("SIMPLE")))
    assert endpoints(result, "cafe/e") == {"addr/api.example": "simple -> tls"}


def test_a_blanket_rule_may_break_hosts_outside():
    outside = external("cafe/e", "api.example", resolution="DNS", location="MESH_EXTERNAL")
    result = judge(CLIENT, outside, rule("cafe/r", "*", tls("ISTIO_MUTUAL")))
    assert endpoints(result, "cafe/e") == {"addr/api.example": "mtls -> unknown"}
    assert [row["id"] for row in result["findings"] if row["severity"] == "high"] == ["MTLS-015"]


def test_client_and_server_can_follow_different_policies():
    """Clients look an entry up under its own namespace and labels, also when the address is a pod's."""
    backend = external(
        "front/e", "api.example", endpoints=[{"address": "10.1.0.7", "serviceAccount": "a", "labels": {"tier": "x"}}]
    )
    disable_entry = peer("front/w", "DISABLE", {"tier": "x"})
    strict_pod = peer("shop/n", "STRICT")
    result = judge(CLIENT, pod("shop/a", ip="10.1.0.7"), backend, disable_entry, strict_pod)
    assert endpoints(result, "front/e") == {"shop/Deployment/a": "plaintext -> broken"}


WORKLOAD_ENTRIES = [
    ("by spec labels", {}, entry("shop/vm", "192.0.2.1", {"app": "a"}), ["addr/192.0.2.1", "shop/Deployment/a"]),
    ("metadata labels win", {}, entry("shop/vm", "192.0.2.1", {"app": "other"}), ["shop/Deployment/a"]),
    ("other namespaces never", {}, entry("cafe/vm", "192.0.2.1", {"app": "a"}), ["shop/Deployment/a"]),
    (
        "not by headless Services",
        {"clusterIP": "None"},
        entry("shop/vm", "192.0.2.1", {"app": "a"}),
        ["shop/Deployment/a"],
    ),
    (
        "a named target port needs that name",
        {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]},
        entry("shop/vm", "192.0.2.1", {"app": "a"}),
        ["shop/Deployment/a"],
    ),
    (
        "and is used with it",
        {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]},
        entry("shop/vm", "192.0.2.1", {"app": "a"}, ports={"web": 9000}),
        ["addr/192.0.2.1", "shop/Deployment/a"],
    ),
]


@pytest.mark.parametrize(
    ("title", "spec", "one", "expected"), WORKLOAD_ENTRIES, ids=[row[0] for row in WORKLOAD_ENTRIES]
)
def test_services_select_workload_entries(title, spec, one, expected):
    if "win" in title:
        one["metadata"]["labels"] = {"app": "b"}
    result = judge(CLIENT, pod("shop/a"), service("shop/a", **spec), one)
    assert sorted(endpoints(result, "shop/a")) == expected


def endpoint_slice(where: str, *found: dict[str, Any], port: int = 8080) -> dict[str, Any]:
    """An EndpointSlice of the Service of that name."""
    home, name = where.split("/")
    metadata = {"name": f"{name}-1", "namespace": home, "labels": {"kubernetes.io/service-name": name}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": list(found),
    }


SLICES = [
    ("an address of nobody", {"addresses": ["192.0.2.1"]}, {"addr/192.0.2.1": "plaintext -> plaintext"}),
    (
        "a named pod",
        {"addresses": ["10.1.0.7"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
        {"shop/Deployment/a": "mtls -> mtls"},
    ),
    (
        "a named pod that is gone",
        {"addresses": ["1.2.3.4"], "targetRef": {"kind": "Pod", "name": "x"}},
        {None: "mtls -> broken"},
    ),
    (
        "a pod named beside an address of another: what it takes is sent to whoever has the address",
        {"addresses": ["10.1.0.8"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
        {"zoo/Deployment/z": "mtls -> unknown"},
    ),
    (
        "and where that one has no proxy",
        {"addresses": ["10.1.0.9"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
        {"zoo/Deployment/bare": "mtls -> broken"},
    ),
    (
        "a pod without a proxy named beside an address of one with it",
        {"addresses": ["10.1.0.7"], "targetRef": {"kind": "Pod", "name": "bare-5f5-1", "namespace": "zoo"}},
        {"shop/Deployment/a": "plaintext -> plaintext"},
    ),
    (
        "a pod named beside an address of another with the same identity",
        {"addresses": ["10.1.0.6"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
        {"shop/Deployment/twin": "mtls -> mtls"},
    ),
    (
        "a pod named beside an address of nobody",
        {"addresses": ["192.0.2.1"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
        {"addr/192.0.2.1": "mtls -> unknown"},
    ),
    (
        "a pod named whose address nobody knows",
        {"addresses": ["192.0.2.1"], "targetRef": {"kind": "Pod", "name": "young-5f5-1", "namespace": "shop"}},
        {"addr/192.0.2.1": "mtls -> unknown"},
    ),
    (
        "a pod on its node's network, named with the node's address",
        {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "node-5f5-1", "namespace": "zoo"}},
        {"zoo/Deployment/node": "plaintext -> plaintext"},
    ),
    ("an address of a pod in the namespace", {"addresses": ["10.1.0.7"]}, {"shop/Deployment/a": "mtls -> mtls"}),
    (
        "an address of a pod elsewhere: istiod does not know it",
        {"addresses": ["10.1.0.8"]},
        {"zoo/Deployment/z": "plaintext -> plaintext"},
    ),
]


@pytest.mark.parametrize(("title", "one", "expected"), SLICES, ids=[row[0] for row in SLICES])
def test_services_without_a_selector(title, one, expected):
    pods = [
        pod("shop/a", ip="10.1.0.7"),
        pod("shop/twin", ip="10.1.0.6"),
        pod("shop/young"),
        pod("zoo/z", ip="10.1.0.8"),
        pod("zoo/bare", "none", ip="10.1.0.9"),
        pod("zoo/node", "none", ip="10.0.0.1", hostNetwork=True),
    ]
    result = judge(CLIENT, pods, service("shop/s", selector=None), endpoint_slice("shop/s", one))
    assert endpoints(result, "shop/s") == expected


@pytest.mark.parametrize(
    "one",
    [
        {"addresses": ["10.1.0.7"]},
        {"addresses": ["10.1.0.7"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}},
    ],
    ids=["by itself", "with the pod's name"],
)
def test_an_address_that_two_pods_claim_is_nobodys(one):
    pods = [pod("shop/a", ip="10.1.0.7"), pod("shop/b", ip="10.1.0.7")]
    result = judge(CLIENT, pods, service("shop/s", selector=None), endpoint_slice("shop/s", one))
    (row,) = edges(result, "cafe/c", service="shop/s")
    assert (row["endpoint"], row["verdict"]) == ("addr/10.1.0.7", "unknown")
    assert "pods of shop/Deployment/a and shop/Deployment/b claim 10.1.0.7 at once" in row["reason"]


@pytest.mark.parametrize(
    ("managed_by", "expected"),
    [
        (None, {"shop/Deployment/a": "mtls -> mtls", "zoo/Deployment/bare": "plaintext -> plaintext"}),
        ("somebody", {"shop/Deployment/a": "mtls -> mtls", "zoo/Deployment/bare": "plaintext -> plaintext"}),
        ("endpointslice-controller.k8s.io", {"shop/Deployment/a": "mtls -> mtls"}),
    ],
    ids=["nobody says whose it is", "somebody's own", "Kubernetes' own, which says what the selector says"],
)
def test_a_slice_adds_endpoints_to_what_a_service_selects(managed_by, expected):
    pods = [pod("shop/a", ip="10.1.0.7"), pod("zoo/bare", "none", ip="10.1.0.9")]
    added = endpoint_slice("shop/a", {"addresses": ["10.1.0.9"]}, {"addresses": ["10.1.0.7"]})
    if managed_by:
        added["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = managed_by
    assert endpoints(judge(CLIENT, pods, service("shop/a"), added), "shop/a") == expected


def test_what_has_no_edges():
    """UDP ports and ExternalName Services, which are aliases."""
    result = judge(
        CLIENT,
        pod("shop/a"),
        service("shop/a", ports=[{"port": 53, "protocol": "UDP"}]),
        service("shop/x", type="ExternalName", externalName="a.shop.svc.cluster.local", clusterIP=None),
    )
    assert result["edges"] == []


def test_finished_pods_are_no_workloads():
    done = pod("shop/a")
    done["status"]["phase"] = "Succeeded"
    result = judge(CLIENT, done, service("shop/a"))
    assert [row["name"] for row in result["workloads"]] == ["c"]
    assert answer(result, "cafe/c", "shop/a", endpoint=None) == "mtls -> broken"


def test_a_kubernetes_service_owns_its_host():
    """A ServiceEntry cannot take the name of a Service; clients of its own namespace see their own entry."""
    squatter = external("zoo/e", "a.shop.svc.cluster.local", resolution="DNS")
    result = judge(CLIENT, pod("zoo/z"), pod("shop/a"), service("shop/a"), squatter)
    assert endpoints(result, "zoo/e") == {}
    assert answer(result, "cafe/c", "shop/a") == "mtls -> mtls"
    assert edges(result, "zoo/z", service="shop/a") == []
    assert answer(result, "zoo/z", "zoo/e") == "plaintext -> plaintext"


def test_headless_slices_and_ports():
    """A headless Service without selector has the endpoints of its slices, dialled at the Service port."""
    result = judge(
        CLIENT,
        pod("shop/a", ip="1.1.1.1"),
        headless("shop/s", selector=None),
        endpoint_slice(
            "shop/s", {"addresses": ["1.1.1.1"], "targetRef": {"kind": "Pod", "name": "a-5f5-1", "namespace": "shop"}}
        ),
        peer("shop/w", "STRICT", {"app": "a"}, {80: "DISABLE"}),
    )
    assert endpoints(result, "shop/s") == {"shop/Deployment/a": "mtls -> broken"}


PROTOCOLS = [
    ({"name": "http"}, True),
    ({"name": "http-web"}, True),
    ({"name": "HTTP2"}, True),
    ({"name": "grpc-web-x"}, True),
    ({"name": "https"}, False),
    ({"name": "web-http"}, False),
    ({"name": ""}, False),
    ({"name": "tcp", "appProtocol": "http"}, True),
    ({"name": "http", "appProtocol": "tcp"}, False),
    ({"name": "x", "appProtocol": "kubernetes.io/h2c"}, True),
    ({"name": "x", "appProtocol": "kubernetes.io/wss"}, False),
]


@pytest.mark.parametrize(("port", "http"), PROTOCOLS)
def test_protocols(port, http):
    """An HTTP port refuses what a TCP or sniffed port hands on to the application."""
    ports = [{"port": 80, "targetPort": 8080, **port}]
    result = judge(CLIENT, pod("shop/a"), service("shop/a", ports=ports), rule("shop/r", "a", tls("SIMPLE")))
    assert answer(result, "cafe/c", "shop/a") == ("simple -> broken" if http else "simple -> tls")


def test_the_oldest_service_decides_a_listeners_protocol():
    tcp = service("shop/t", selector={"app": "a"}, ports=[{"name": "tcp", "port": 80, "targetPort": 8080}])
    tcp["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    simple = [rule("shop/r", "a", tls("SIMPLE"))]
    assert answer(judge(CLIENT, pod("shop/a"), service("shop/a"), simple), "cafe/c", "shop/a") == "simple -> broken"
    assert answer(judge(CLIENT, pod("shop/a"), service("shop/a"), tcp, simple), "cafe/c", "shop/a") == "simple -> tls"


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ([{"port": {"number": 8080, "protocol": "HTTP"}}], "simple -> broken"),
        ([{"port": {"number": 8080, "protocol": "TCP"}}], "simple -> tls"),
        ([{"port": {"number": 9090, "protocol": "HTTP"}}], "simple -> tls"),
    ],
)
def test_a_sidecars_ingress_decides_a_listeners_protocol(ingress, expected):
    """Ports that it does not list go to pass-through and are sniffed."""
    sidecar = istio("Sidecar", "shop/s", {"ingress": ingress})
    result = judge(CLIENT, pod("shop/a"), service("shop/a"), rule("shop/r", "a", tls("SIMPLE")), sidecar)
    assert answer(result, "cafe/c", "shop/a") == expected


TWO = [pod("shop/a"), pod("shop/b", "none")]


@pytest.mark.parametrize(
    ("title", "destination", "expected"),
    [
        ("a Service", service("shop/e", selector={"app": "a"}), {"a"}),
        ("a Service of two labels", service("shop/e", selector={"app": "b", "pod-template-hash": "5f5"}), {"b"}),
        ("a label that both have", service("shop/e", selector={"pod-template-hash": "5f5"}), {"a", "b"}),
        ("labels that nobody has together", service("shop/e", selector={"app": "b", "pod-template-hash": "6"}), set()),
        (
            "a ServiceEntry",
            external("shop/e", "api.example", workloadSelector={"labels": {"app": "a"}}),
            {"a"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whom_labels_select(title, destination, expected):
    found = endpoints(judge(CLIENT, TWO, destination), "shop/e")
    assert {name for name in found if name} == {f"shop/Deployment/{app}" for app in expected}, title


def machine(name: str, address: str, rev: str | None = None, meshed: bool = True) -> dict[str, Any]:
    """A WorkloadEntry vm/<name>, with a proxy or without."""
    labels = {"app": "vm", **({"security.istio.io/tlsMode": "istio"} if meshed else {})}
    return istio("WorkloadEntry", f"vm/{name}", {"address": address, "labels": labels}, rev=rev)


BARE_CANARY = machine("new", "192.0.2.2", "canary", meshed=False)
MACHINES = [
    ("all are known to all", [machine("old", "192.0.2.1"), machine("new", "192.0.2.2")], "192.0.2.1 192.0.2.2", "mtls"),
    (
        "one without a proxy",
        [machine("old", "192.0.2.1"), machine("new", "192.0.2.2", meshed=False)],
        "192.0.2.1 192.0.2.2",
        "plaintext",
    ),
    (
        "another revision's is neither met nor inferred from",
        [machine("old", "192.0.2.1"), BARE_CANARY],
        "192.0.2.1",
        "mtls",
    ),
    ("its own revision's is", [machine("old", "192.0.2.1", "default"), BARE_CANARY], "192.0.2.1", "mtls"),
]


@pytest.mark.parametrize(("title", "machines", "met", "sent"), MACHINES, ids=[row[0] for row in MACHINES])
def test_a_proxy_is_given_the_machines_of_its_own_revision(title, machines, met, sent):
    """With PASSTHROUGH one endpoint without a proxy keeps auto-mTLS from all."""
    found = istio("ServiceEntry", "vm/e", {
        "hosts": ["vm.example"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "location": "MESH_INTERNAL", "resolution": "STATIC", "workloadSelector": {"labels": {"app": "vm"}},
    })  # fmt: skip
    balanced = rule("vm/r", "vm.example", {"loadBalancer": {"simple": "PASSTHROUGH"}})
    mesh = [mesh_config(), mesh_config("canary"), CLIENT, found, balanced]
    rows = edges(judge(mesh, machines), "cafe/c", service="vm/e")
    assert " ".join(sorted(row["endpoint"].rpartition("/")[2] for row in rows)) == met, title
    assert {row["client_tls"] for row in rows} == {sent}
