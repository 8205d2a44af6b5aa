# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that are no pod's: a cluster IP or a name leads to workloads, of the rest nobody knows what is there."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.addresses import Addresses
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    api_server,
    edges,
    egress,
    headless,
    istio,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    tls,
)

CLIENT = pod("cafe/c")
STRICT = [pod("shop/a"), service("shop/a", clusterIP="10.96.0.9"), peer("shop/p", "STRICT")]
LEGACY = [pod("shop/a", proxy="none"), service("shop/a", clusterIP="10.96.0.9")]
PARTS = [pod("data/db"), headless("data/db"), peer("data/p", "STRICT")]
MUTUAL = rule("cafe/r", "far.example", tls("ISTIO_MUTUAL"))


def far(address: str, port: int = 80, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry with one endpoint, dialled at this port."""
    base = {
        "hosts": ["far.example"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "location": "MESH_INTERNAL",
        "resolution": "DNS",
        "endpoints": [{"address": address, "ports": {"http": port}}],
    }
    return istio("ServiceEntry", "cafe/e", {**base, **spec})


def ended(where: str, phase: str) -> dict[str, Any]:
    """A pod without a proxy that has an address, in this phase."""
    return {**pod(where, "none"), "status": {"phase": phase, "podIP": "10.1.0.7"}}


def alias(where: str, name: str) -> dict[str, Any]:
    """An ExternalName Service."""
    return service(where, type="ExternalName", externalName=name, clusterIP=None, selector=None)


def met(*manifests: Any) -> dict[str | None, str]:
    """What cafe/c gets at each endpoint of the entry."""
    result = judge(mesh_config(), CLIENT, *manifests)
    rows = edges(result, "cafe/c", service="cafe/e", subset=None)
    return {row["endpoint"]: f"{row['client_tls']} -> {row['verdict']}" for row in rows}


A, DB = "shop/Deployment/a", "data/Deployment/db"
LEADS = [
    ("a cluster IP", [*STRICT, far("10.96.0.9")], {A: "plaintext -> broken"}),
    ("a cluster IP, with the mesh's TLS", [*STRICT, far("10.96.0.9"), MUTUAL], {A: "mtls -> mtls"}),
    ("the mesh's TLS to pods without a proxy", [*LEGACY, far("10.96.0.9"), MUTUAL], {A: "mtls -> broken"}),
    ("a port that the Service has not", [*STRICT, far("10.96.0.9", 81)], {"addr/10.96.0.9": "plaintext -> broken"}),
    ("a Service's whole name", [*STRICT, far("a.shop.svc.cluster.local")], {A: "plaintext -> broken"}),
    ("a Service's name with a dot", [*STRICT, far("A.shop.svc.cluster.local.")], {A: "plaintext -> broken"}),
    ("a Service's short name", [*STRICT, far("a.shop")], {A: "plaintext -> broken"}),
    ("a name by itself: whose namespace's?", [*STRICT, far("a")], {"addr/a": "unknown -> unknown"}),
    ("a headless Service: the port that is dialled", [*PARTS, far("db.data.svc", 8080)], {DB: "plaintext -> broken"}),
    ("a pod's name", [*PARTS, far("db-1.db.data.svc.cluster.local", 8080)], {DB: "plaintext -> broken"}),
    (
        "the name of one of two pods",
        [*PARTS, pod("data/x", labels={"app": "db"}), far("db-5f5-1.db.data.svc.cluster.local", 8080)],
        {DB: "plaintext -> broken"},
    ),
    (
        "the name of a pod that is not there: any of them",
        [*PARTS, pod("data/x", "none", labels={"app": "db"}), far("db-9.db.data.svc.cluster.local", 8080)],
        {DB: "plaintext -> broken", "data/Deployment/x": "plaintext -> plaintext"},
    ),
    (
        "an alias",
        [*STRICT, alias("cafe/other", "a.shop.svc.cluster.local"), far("other.cafe")],
        {A: "plaintext -> broken"},
    ),
    (
        "aliases in a circle",
        [alias("cafe/x", "y.cafe.svc.cluster.local"), alias("cafe/y", "x.cafe.svc.cluster.local"), far("x.cafe")],
        {"addr/x.cafe": "unknown -> unknown"},
    ),
    (
        "a host of another entry",
        [
            *STRICT,
            istio(
                "ServiceEntry",
                "shop/near",
                {
                    "hosts": ["near.example"],
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "resolution": "STATIC",
                    "location": "MESH_INTERNAL",
                    "workloadSelector": {"labels": {"app": "a"}},
                },
            ),
            far("near.example"),
        ],
        {A: "plaintext -> broken"},
    ),
    ("an address of nobody", [far("192.0.2.7")], {"addr/192.0.2.7": "plaintext -> plaintext"}),
    ("the mesh's TLS to nobody known", [far("192.0.2.7"), MUTUAL], {"addr/192.0.2.7": "mtls -> unknown"}),
    ("the mesh's TLS to a name of nobody", [far("east.example"), MUTUAL], {"addr/east.example": "mtls -> unknown"}),
]


@pytest.mark.parametrize(("title", "manifests", "expected"), LEADS, ids=[row[0] for row in LEADS])
def test_where_an_address_leads(title, manifests, expected):
    assert met(*manifests) == expected


TAKEN = "10.1.0.7"
CLAIMED = [
    ("one pod alone", [], {A: "plaintext -> plaintext"}),
    ("another workload's pod", [pod("shop/b", ip=TAKEN)], {f"addr/{TAKEN}": "unknown -> unknown"}),
    ("a pod of another namespace", [pod("zoo/a", "none", ip=TAKEN)], {f"addr/{TAKEN}": "unknown -> unknown"}),
    ("a pod of the same workload", [pod("shop/a", "none", ip=TAKEN, number=2)], {A: "plaintext -> plaintext"}),
    ("a pod that has ended", [ended("shop/b", "Succeeded")], {A: "plaintext -> plaintext"}),
    ("a pod that has failed", [ended("shop/b", "Failed")], {A: "plaintext -> plaintext"}),
    ("a pod that waits", [ended("shop/b", "Pending")], {f"addr/{TAKEN}": "unknown -> unknown"}),
]


@pytest.mark.parametrize("order", [1, -1], ids=["the first", "the last"])
@pytest.mark.parametrize(("title", "manifests", "expected"), CLAIMED, ids=[row[0] for row in CLAIMED])
def test_an_address_of_two_pods_is_nobodys(title, manifests, expected, order):
    pods = [pod("shop/a", "none", ip=TAKEN), *manifests][::order]
    assert met(*pods, far(TAKEN)) == expected
    spelt = met(*pods, far(f"::ffff:{TAKEN}"))
    assert set(spelt.values()) == set(expected.values())


def test_pods_of_one_node_share_its_address():
    """It is no pod's own: which of them is met, the port decides."""
    pods = [pod(f"shop/{name}", "none", ip="192.0.2.9", hostNetwork=True) for name in "ab"]
    assert met(*pods, far("192.0.2.9")) == met(far("192.0.2.9"))


def test_pods_that_were_not_read_are_not_guessed():
    result = judge(
        mesh_config(),
        CLIENT,
        service("shop/a", clusterIP="10.96.0.9"),
        far("10.96.0.9"),
        unread=[{"kind": "Pod", "namespace": "shop", "reason": "forbidden"}],
    )
    assert [row["verdict"] for row in edges(result, "cafe/c", service="cafe/e")] == ["unknown"]


def high(*manifests: Any) -> list[str]:
    """The findings of high severity."""
    return [row["id"] for row in judge(mesh_config(), CLIENT, *manifests)["findings"] if row["severity"] == "high"]


VM = [
    pod("shop/a"),
    service("shop/vm", selector={"app": "vm"}),
    istio("WorkloadEntry", "shop/vm", {"address": "192.0.2.7", "labels": {"app": "vm"}}),
    rule("shop/r", "vm.shop.svc.cluster.local", tls("ISTIO_MUTUAL")),
]
API = api_server()
ADVICE = [
    ("a machine that may have a proxy", VM, []),
    ("another cluster's gateway", [far("192.0.2.7"), rule("istio-system/r", "*.example", tls("ISTIO_MUTUAL"))], []),
    ("pods behind a cluster IP", [*STRICT, far("10.96.0.9"), MUTUAL], []),
    ("pods without a proxy behind it", [*LEGACY, far("10.96.0.9"), MUTUAL], ["MTLS-014"]),
    ("the API server", [*API, rule("istio-system/r", "*.local", tls("ISTIO_MUTUAL"))], ["MTLS-015"]),
]


@pytest.mark.parametrize(("title", "manifests", "expected"), ADVICE, ids=[row[0] for row in ADVICE])
def test_advice_is_given_where_something_is_known(title, manifests, expected):
    assert high(*manifests) == expected


def dialled(host: str, *manifests: Any) -> set[str]:
    """What cafe/c gets where it dials a name."""
    rows = edges(judge(mesh_config(), CLIENT, *manifests), "cafe/c", host=host)
    return {f"{row['service']}:{row['port']} {row['client_tls']} -> {row['verdict']}" for row in rows}


NAME = "other.cafe.svc.cluster.local"
ALIASES = [
    ("of a Service", [*STRICT, alias("cafe/other", "a.shop.svc.cluster.local")], {"cafe/other:80 mtls -> mtls"}),
    ("written otherwise", [*STRICT, alias("cafe/other", "A.shop.svc.cluster.local.")], {"cafe/other:80 mtls -> mtls"}),
    (
        "of an alias",
        [*STRICT, alias("cafe/other", "more.cafe.svc.cluster.local"), alias("cafe/more", "a.shop.svc.cluster.local")],
        {"cafe/other:80 mtls -> mtls"},
    ),
    (
        "of a host outside the mesh",
        [far("192.0.2.1", location="MESH_EXTERNAL"), alias("cafe/other", "far.example")],
        {"cafe/other:80 plaintext -> plaintext"},
    ),
    (
        "by the rules of what it stands for",
        [
            *STRICT,
            alias("cafe/other", "a.shop.svc.cluster.local"),
            rule("cafe/r", "a.shop.svc.cluster.local", tls("DISABLE")),
        ],
        {"cafe/other:80 plaintext -> broken"},
    ),
    ("of nothing that is known", [*STRICT, alias("cafe/other", "b.shop.svc.cluster.local")], set()),
    (
        "that lead back",
        [alias("cafe/other", "more.cafe.svc.cluster.local"), alias("cafe/more", NAME)],
        set(),
    ),
]


@pytest.mark.parametrize(("title", "manifests", "expected"), ALIASES, ids=[row[0] for row in ALIASES])
def test_whoever_dials_an_alias_meets_what_it_stands_for(title, manifests, expected):
    assert dialled(NAME, *manifests) == expected, title


A_ALONE = egress("cafe/s", "shop/a.shop.svc.cluster.local")
NAMED = [
    ("a Sidecar that imports the whole namespace", "http", [egress("cafe/s", "shop/*", "istio-system/*")], "mtls"),
    ("a Sidecar that imports the host alone", "http", [A_ALONE], "unknown"),
    ("the same for a port that says nothing", "odd", [A_ALONE], "unknown"),
    ("the same for connections, which go by the address", "tcp", [A_ALONE], "mtls"),
    ("a control plane that does not see it", "http", [namespace("far", team="red")], "unknown"),
]


@pytest.mark.parametrize(("title", "port", "more", "expected"), NAMED, ids=[row[0] for row in NAMED])
def test_requests_for_an_alias_need_a_proxy_that_knows_the_name(title, port, more, expected):
    """Else it passes them on as they are (model/sidecar.go matchingAliasService, push_context.go)."""
    terms = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]}
    web = [{"name": port, "port": 80, "targetPort": 8080}]
    world = [pod("shop/a"), service("shop/a", clusterIP="10.96.0.9", ports=web), peer("shop/p", "STRICT")]
    other = alias("far/other", "a.shop.svc.cluster.local")
    rows = edges(judge(mesh_config(discoverySelectors=[terms]), CLIENT, *world, other, *more), "cafe/c",
                 host="other.far.svc.cluster.local")  # fmt: skip
    assert {row["verdict"] for row in rows} == {expected}, title


def test_an_alias_says_what_it_stands_for():
    result = judge(mesh_config(), CLIENT, *STRICT, alias("cafe/other", "a.shop.svc.cluster.local"))
    [row] = edges(result, "cafe/c", host=NAME)
    assert row["endpoint"] == A
    assert row["reason"].startswith(f"{NAME} is another name for a.shop.svc.cluster.local: ")


def _names(count: int, fan: int = 1) -> list[dict[str, Any]]:
    """ServiceEntries each of which leads to the next, by so many spellings of its name."""
    spell = [str.lower, str.upper, str.title]
    return [
        istio("ServiceEntry", f"cafe/l{number}", {
            "hosts": [f"l{number}.example"], "location": "MESH_EXTERNAL", "resolution": "DNS",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": change(f"l{number + 1}.example")} for change in spell[:fan]],
        })
        for number in range(count)
    ]  # fmt: skip


def _aliases(count: int) -> list[dict[str, Any]]:
    return [alias(f"shop/e{number}", f"e{number + 1}.shop.svc.cluster.local") for number in range(count)]


WAYS = [
    ("a few aliases", [*_aliases(5), service("shop/e5", selector={"app": "a"}), *STRICT], "e0.shop", "broken"),
    ("many aliases", _aliases(1500), "e0.shop", "unknown"),
    ("many entries", _names(400), "l0.example", "unknown"),
    ("many spellings of a few names", _names(20, 3), "l0.example", "unknown"),
]


@pytest.mark.parametrize(("manifests", "name", "expected"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
def test_names_that_lead_to_names_end_no_run(manifests, name, expected):
    begun = time.process_time()
    assert [answer.rpartition(" ")[2] for answer in met(*manifests, far(name)).values()] == [expected]
    assert time.process_time() - begun < 5


BARE = [pod("shop/a", proxy="none", ip="10.1.0.7"), service("shop/a", clusterIP="10.96.0.9")]
DUAL = [pod("shop/a", proxy="none", ip="fd00::7"), service("shop/a", clusterIP="10.96.0.9")]
OWN_TLS = {"location": "MESH_EXTERNAL", "ports": [{"number": 80, "name": "https", "protocol": "HTTPS"}]}
RANGE = {**OWN_TLS, "resolution": "NONE", "endpoints": None}
NO_SERVICES = [{"kind": "Service", "namespace": "zoo", "reason": "forbidden"}]
SPELLINGS = [
    ("a pod's address", [*BARE, far("10.1.0.7", **OWN_TLS)], (), ("plaintext", "inside")),
    ("the same, mapped into IPv6", [*BARE, far("::ffff:10.1.0.7", **OWN_TLS)], (), ("plaintext", "inside")),
    ("a cluster IP, mapped into IPv6", [*BARE, far("::FFFF:a60:9", **OWN_TLS)], (), ("plaintext", "inside")),
    ("IPv6 with its zeros", [*DUAL, far("FD00:0:0:0:0:0:0:7", **OWN_TLS)], (), ("plaintext", "inside")),
    ("a range of pods", [*BARE, far("", **RANGE, addresses=["10.1.0.0/16"])], (), ("unknown", "inside")),
    ("a range of cluster IPs", [*BARE, far("", **RANGE, addresses=["10.96.0.8/30"])], (), ("unknown", "inside")),
    ("a range of IPv6", [*DUAL, far("", **RANGE, addresses=["fd00::/64"])], (), ("unknown", "inside")),
    ("a range beside them", [*BARE, far("", **RANGE, addresses=["10.2.0.0/16"])], (), ("tls", "egress")),
    ("what is no range", [*BARE, far("", **RANGE, addresses=["10.1.0.0/99"])], (), ("tls", "egress")),
    ("a pod's name by its address", [*BARE, far("10-1-0-7.shop.pod.cluster.local", **OWN_TLS)], (),
     ("plaintext", "inside")),
    ("such a name of nobody", [*BARE, far("10-1-0-8.shop.pod.cluster.local", **OWN_TLS)], (), ("tls", "egress")),
    ("a Service that was not read", [far("a.zoo.svc.cluster.local", **OWN_TLS)], NO_SERVICES, ("unknown", "inside")),
    ("the same by a shorter name", [far("a.zoo.svc", **OWN_TLS)], NO_SERVICES, ("unknown", "inside")),
    ("a pod of it", [far("a-0.a.zoo.svc.cluster.local", **OWN_TLS)], NO_SERVICES, ("unknown", "inside")),
    ("another namespace's", [far("a.shop.svc.cluster.local", **OWN_TLS)], NO_SERVICES, ("tls", "egress")),
    ("a name elsewhere", [far("api.example.com", **OWN_TLS)], NO_SERVICES, ("tls", "egress")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("manifests", "unread", "expected"), [row[1:] for row in SPELLINGS], ids=[row[0] for row in SPELLINGS]
)
def test_no_spelling_leaves_the_mesh(manifests, unread, expected):
    """What is declared to be outside, with TLS of the application's own, is so only where nothing of the cluster is."""
    result = judge(mesh_config(), CLIENT, *manifests, unread=list(unread))
    rows = edges(result, "cafe/c", service="cafe/e", subset=None)
    assert {(row["verdict"], row["scope"]) for row in rows} == {expected}


def test_names_that_each_lead_to_many_others_are_given_up(monkeypatch):
    """They cost no more than their number allows, and nobody else's answer changes."""
    steps = []
    follow = Addresses._follow
    monkeypatch.setattr(Addresses, "_follow", lambda *given: steps.append(given) or follow(*given))
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    named = {"resolution": "DNS", "location": "MESH_INTERNAL", "ports": ports}
    circle = [
        istio(
            "ServiceEntry",
            f"demo/n{number}",
            {
                **named,
                "hosts": [f"n{number}.x"],
                "endpoints": [{"address": f"n{(number + step) % 9}.x"} for step in range(9)],
            },
        )
        for number in range(9)
    ]
    result = judge(mesh_config(), pod("demo/a"), STRICT, circle)
    own = [row for row in edges(result, "demo/a") if row["service"].startswith("demo/")]
    # Its own name leads nowhere: nothing but the entry says what is there.
    assert {row["verdict"] for row in own} == {"unknown", "plaintext"}
    assert answer(result, "demo/a", "shop/a") == "mtls -> mtls"
    assert len(steps) < 15_000


def test_hosts_ports_and_addresses_that_multiply_are_not_looked_at_one_by_one():
    spec = {
        "hosts": [f"h{number}.x" for number in range(10)],
        "resolution": "STATIC",
        "location": "MESH_INTERNAL",
        "ports": [{"number": 1000 + number, "name": f"http-{number}", "protocol": "HTTP"} for number in range(10)],
        "endpoints": [{"address": f"192.0.{number >> 8}.{number & 255}"} for number in range(600)],
    }
    result = judge(mesh_config(), pod("demo/a"), istio("ServiceEntry", "demo/many", spec))
    found = edges(result, "demo/a")
    # One row for each host, which speaks for all of its ports.
    assert sorted(row["host"] for row in found) == sorted(spec["hosts"])
    assert {(row["endpoint"], row["verdict"]) for row in found} == {(None, "unknown")}
    assert {row["reason"] for row in found} == {
        "demo/many has more hosts, ports and endpoints than are looked at: nothing is known of any of its ports"
    }
