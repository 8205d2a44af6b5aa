# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Sidecar's listener for a port decides what is led where, whichever other listener imports a host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    Manifest,
    answer,
    edges,
    headless,
    istio,
    judge,
    mesh_config,
    pod,
    rule,
    service,
)

MTLS, PASSES, UNKNOWN = "mtls -> mtls", "none -> plaintext", "unknown -> unknown"
WORLD = [mesh_config(), pod("shop/web"), pod("bank/pay", ip="10.9.0.1"), pod("bank/log", ip="10.9.0.2")]
PAY, LOG = "bank/pay.bank.svc.cluster.local", "bank/log.bank.svc.cluster.local"
ALL = {"hosts": ["*/*"]}


def at(number: int, protocol: str, *hosts: str, **fields: Any) -> Manifest:
    """An egress listener for a port."""
    return {"port": {"number": number, "name": "p", "protocol": protocol}, "hosts": list(hosts), **fields}


def sidecar(*egress: Manifest, **spec: Any) -> Manifest:
    return istio("Sidecar", "shop/s", {"egress": list(egress), **spec})


def pay(name: str = "http", **spec: Any) -> Manifest:
    """The Service that is called, at port 81."""
    return service("bank/pay", ports=[{"name": name, "port": 81, "targetPort": 8080}], **spec)


def pay_headless(name: str) -> Manifest:
    return headless("bank/pay", ports=[{"name": name, "port": 81}])


def far(*protocols: str, age: int = 0, **spec: Any) -> Manifest:
    """A ServiceEntry without an address, at port 81: what is sent to it is plaintext."""
    ports = [{"number": 81, "name": "p", "protocol": protocol} for protocol in protocols]
    base = {"hosts": ["far.example"], "ports": ports, "resolution": "STATIC", "endpoints": [{"address": "203.0.113.9"}]}
    return istio("ServiceEntry", "tenant/e", {**base, **spec}, age)


CASES = [
    ("HTTP, and the listener is for it", [pay(), sidecar(at(81, "HTTP", PAY), ALL)], MTLS),
    ("HTTP, and the listener is for another host", [pay(), sidecar(at(81, "HTTP", LOG), ALL)], PASSES),
    ("HTTP, and the listener is for nobody", [pay(), sidecar(at(81, "HTTP", "~/*"), ALL)], PASSES),
    ("HTTP, and the listener is for another port", [pay(), sidecar(at(82, "HTTP", LOG), ALL)], MTLS),
    ("HTTP, and the first of two listeners is not for it",
     [pay(), sidecar(at(81, "HTTP", LOG, bind="127.0.0.9"), at(81, "HTTP", PAY), ALL)], PASSES),
    ("HTTP, and a proxy of the application's has its port",
     [pay(), sidecar(at(81, "HTTP_PROXY", LOG, bind="127.0.0.1"), ALL)], PASSES),
    ("HTTP, and a proxy that is for it, too, has its port",
     [pay(), sidecar(at(81, "HTTP_PROXY", PAY, bind="127.0.0.1"), ALL)], UNKNOWN),
    ("HTTP, and a listener for connections is for it", [pay(), sidecar(at(81, "TCP", PAY), ALL)], MTLS),
    ("HTTP, and a listener for TLS is for it", [pay(), sidecar(at(81, "TLS", PAY), ALL)], MTLS),
    ("HTTP, and a sniffing listener is for it", [pay(), sidecar(at(81, "", PAY), ALL)], MTLS),
    ("HTTP, and a listener for connections is for another host", [pay(), sidecar(at(81, "TCP", LOG), ALL)], PASSES),
    ("HTTP, and a listener for connections is for one without address",
     [pay(), far("TCP"), sidecar(at(81, "TCP", "tenant/*"), ALL)], UNKNOWN),
    ("HTTP, and a listener for requests is for one without address",
     [pay(), far("HTTP"), sidecar(at(81, "HTTP", "tenant/*"), ALL)], PASSES),
    ("HTTP, headless, and a listener for connections is for it",
     [pay_headless("http"), sidecar(at(81, "TCP", PAY), ALL)], MTLS),
    ("HTTP, headless, and a listener for connections is for another, too",
     [pay_headless("http"), far("TCP"), sidecar(at(81, "TCP", PAY, "tenant/*"), ALL)], UNKNOWN),
    ("connections, and the listener is for another host", [pay("tcp"), sidecar(at(81, "TCP", LOG), ALL)], MTLS),
    ("connections, and a listener for requests is for it", [pay("tcp"), sidecar(at(81, "HTTP", PAY), ALL)], MTLS),
    ("connections, and a listener for requests alone is for it", [pay("tcp"), sidecar(at(81, "HTTP", PAY))], PASSES),
    ("connections, and a listener for connections alone is for it", [pay("tcp"), sidecar(at(81, "TCP", PAY))], MTLS),
    ("connections, headless, and the listener is for another host",
     [pay_headless("tcp"), sidecar(at(81, "TCP", LOG), ALL)], MTLS),
    ("sniffed, and the listener is for it", [pay("web"), sidecar(at(81, "HTTP", PAY), ALL)], MTLS),
    ("sniffed, and a listener for requests alone is for it", [pay("web"), sidecar(at(81, "HTTP", PAY))], UNKNOWN),
    ("sniffed, and the listener is for another host", [pay("web"), sidecar(at(81, "HTTP", LOG), ALL)], UNKNOWN),
    ("sniffed, and a listener for connections is for another host",
     [pay("web"), sidecar(at(81, "TCP", LOG), ALL)], UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("objects", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_is_led_to_a_host(objects: list[Manifest], expected: str) -> None:
    assert answer(judge(WORLD, objects), "shop/web", "bank/pay", port=81) == expected


def test_where_nothing_may_pass_it_is_blocked() -> None:
    closed = sidecar(at(81, "HTTP", LOG), ALL, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    (row,) = edges(judge(WORLD, pay(), closed), "shop/web", service="bank/pay")
    assert (row["client_tls"], row["verdict"]) == ("none", "broken")
    assert (
        "the first listener of Sidecar shop/s for port 81 does not lead to pay.bank.svc.cluster.local" in row["reason"]
    )


def test_a_subset_is_met_by_whoever_is_led_there() -> None:
    subsets = rule("bank/d", "pay", None, subsets=[{"name": "v1", "labels": {"app": "pay"}}])
    rows = edges(judge(WORLD, pay(), subsets, sidecar(at(81, "HTTP", LOG), ALL)), "shop/web", service="bank/pay")
    assert {(row["subset"], row["verdict"]) for row in rows} == {(None, "plaintext"), ("v1", "mtls")}


# What a proxy does not know, and what has no address, comes to the listener at 0.0.0.0.
CLOSED = mesh_config(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
INSIDE = {"location": "MESH_INTERNAL", "workloadSelector": {"labels": {"app": "log"}}, "endpoints": []}


def private(name: str = "tcp") -> Manifest:
    return service("bank/pay", ".", ports=[{"name": name, "port": 81, "targetPort": 8080}])


def inner(protocol: str, age: int = 0) -> Manifest:
    """A ServiceEntry of the mesh's own without an address: mutual TLS."""
    ports = [{"number": 81, "name": "p", "protocol": protocol}]
    spec = {"hosts": ["in.example"], "ports": ports, "resolution": "STATIC", **INSIDE}
    return istio("ServiceEntry", "bank/pay", spec, age)


UNADDRESSED = [
    ("hidden, and nothing listens there", [private()], "broken"),
    ("hidden, and a host without address listens there", [private(), far("TCP")], "unknown"),
    ("hidden, and one with an address does", [private(), far("TCP", addresses=["10.0.0.9"])], "broken"),
    ("hidden, and one for TLS does, which goes by names", [private(), far("TLS")], "broken"),
    ("hidden, and one for HTTP does, which goes by names", [private(), far("HTTP")], "broken"),
    ("hidden, and one does that is hidden, too", [private(), far("TCP", exportTo=["."])], "broken"),
    ("hidden, and one at each of its pods does",
     [private(), far("TCP", resolution="NONE", endpoints=[], workloadSelector={"labels": {"app": "x"}})], "broken"),
    ("hidden, and one that is as safe does",
     [private(), {**inner("TCP"), "metadata": {**inner("TCP")["metadata"], "name": "other"}}], "broken"),
    ("hidden, and a Sidecar's listener is for one without address",
     [private(), far("HTTP"), sidecar(at(81, "TCP", "tenant/*"), ALL)], "unknown"),
    ("without address, as another one", [inner("TCP", 3), far("TCP")], "unknown"),
    ("without address, older than the other one", [inner("TCP"), far("TCP", age=5)], "mtls"),
    ("without address, and the other one is for TLS", [inner("TCP", 3), far("TLS")], "mtls"),
    ("for TLS, without address, as another one for connections", [inner("TLS", 3), far("TCP")], "mtls"),
    ("for HTTP, without address, as another one for connections", [inner("HTTP", 3), far("TCP")], "mtls"),
]  # fmt: skip


@pytest.mark.parametrize(("objects", "expected"), [row[1:] for row in UNADDRESSED], ids=[row[0] for row in UNADDRESSED])
def test_what_comes_to_the_listener_of_all_addresses(objects: list[Manifest], expected: str) -> None:
    world = [item for item in WORLD if item["kind"] != "ConfigMap"]
    rows = edges(judge(world, CLOSED, objects), "shop/web", service="bank/pay")
    assert {row["verdict"] for row in rows} == {expected}


@pytest.mark.parametrize(
    ("taker", "expected"),
    [(None, "tls"), (far("TCP"), "unknown"), (inner("TCP"), "tls")],
    ids=["nobody", "whoever is sent plaintext", "whoever is sent mutual TLS"],
)
def test_tls_of_the_applications_own_may_be_led_elsewhere(taker: Manifest | None, expected: str) -> None:
    """To a host outside that the client's proxy does not know."""
    ports = [{"number": 81, "name": "p", "protocol": "HTTPS"}]
    spec = {"hosts": ["out.example"], "ports": ports, "resolution": "NONE", "exportTo": ["."]}
    hidden = istio("ServiceEntry", "club/out", {**spec, "location": "MESH_EXTERNAL"})
    rows = edges(judge(WORLD, hidden, taker or []), "shop/web", service="club/out")
    assert {row["verdict"] for row in rows} == {expected}


def by_pods(where: str, host: str, age: int, protocol: str = "TCP") -> Manifest:
    """A ServiceEntry whose host means the pods that it selects."""
    ports = [{"number": 81, "name": "p", "protocol": protocol}]
    spec = {"hosts": [host], "ports": ports, "resolution": "NONE", "location": "MESH_INTERNAL"}
    return istio("ServiceEntry", where, {**spec, "workloadSelector": {"labels": {"app": "pay"}}}, age)


@pytest.mark.parametrize(
    ("ages", "protocol", "expected"),
    [((1, 2), "TCP", "mtls"), ((2, 1), "TCP", "plaintext"), ((2, 1), "HTTP", "mtls")],
    ids=["the older one's answer", "that of an older one", "HTTP goes by its name"],
)
def test_entries_that_select_the_same_pods_share_their_listeners(
    ages: tuple[int, int], protocol: str, expected: str
) -> None:
    """As headless Services do."""
    entries = [
        by_pods("bank/one", "one.example", ages[0], protocol),
        by_pods("bank/two", "two.example", ages[1], protocol),
    ]
    plain = rule("bank/d", "two.example", {"tls": {"mode": "DISABLE"}})
    rows = edges(judge(WORLD, entries, plain), "shop/web", service="bank/one")
    assert {row["verdict"] for row in rows} == {expected}


def test_a_gateway_dials_the_pods_that_an_entry_without_resolution_selects() -> None:
    world = [mesh_config(), pod("edge/gw", "gateway"), pod("bank/pay", ip="10.9.0.1")]
    assert answer(judge(world, by_pods("bank/one", "one.example", 1)), "edge/gw", "bank/one") == MTLS


@pytest.mark.parametrize(
    "config", [{}, {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}], ids=["passing", "blocked"]
)
def test_entries_without_address_that_clients_do_not_know_add_no_rows(config: Manifest) -> None:
    """Each namespace with an entry of its own, that its own clients know alone: what others meet is one row."""
    homes = [f"n{number}" for number in range(12)]
    world = [mesh_config(**config), *(pod(f"{home}/web") for home in homes)]
    entries = [
        istio("ServiceEntry", f"{home}/e", {**far("TCP")["spec"], "hosts": [f"{home}.example"]}) for home in homes
    ]
    own_only = [istio("Sidecar", f"{home}/s", {"egress": [{"hosts": ["./*"]}]}) for home in homes]
    found = judge(world, entries, own_only)["edges"]
    assert len(found) == 2 * len(homes)
    assert {row["verdict"] for row in found} == ({"plaintext"} if not config else {"plaintext", "unknown"})
