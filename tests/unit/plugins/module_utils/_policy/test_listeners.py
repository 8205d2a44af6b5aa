# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of a sidecar speak HTTP, and which destinations have a say in it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.listeners import (
    Protocol,
    _entry_at,
    _is_target,
    listener_protocols,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import UNDATED, Entry
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    Destination,
    DestinationPort,
    Endpoint,
)

OLD, NEW = "2026-01-01T00:00:01", "2026-01-01T00:00:02"


def workload(name="a", mesh="sidecar", pods=("a-1",)):
    return SimpleNamespace(id=name, namespace="shop", mesh=mesh, pods=pods, labels={"app": "a"})


A, TWO = workload(), workload(pods=("a-1", "a-2"))


def endpoint(of=A, number=8080, by_pod=True, **more):
    return Endpoint("e", of, number, "istio", "shop", {"app": "a"}, by_pod=by_pod)._replace(**more)


def port(protocol="http", *endpoints):
    return DestinationPort(80, "p", protocol, endpoints or (endpoint(),), ())


def destination(*ports, age=OLD, kubernetes=True, host="a.test", **more):
    found = Destination(f"shop/{host}", "shop", host, age, kubernetes, False, False, "STATIC", (), (), (), "")
    return found._replace(**{"selector": {"app": "a"}, "listeners": ports or (port(),), **more})


def catalogue(taken=None, selected=("a",)):
    return SimpleNamespace(taken=lambda one: taken or {}, selected=set(selected))


def everything(*dummy):
    return True


def protocols(destinations, known=None, sees=everything):
    return listener_protocols(destinations, known or catalogue(), sees)


HTTP, TCP = {("a", 8080): True}, {}
AT_1, AT_2 = endpoint(TWO, address="10.0.0.1"), endpoint(TWO, address="10.0.0.2")


@pytest.mark.parametrize(
    ("destinations", "expected"),
    [
        pytest.param([], {}, id="nobody"),
        pytest.param([destination()], HTTP, id="HTTP"),
        pytest.param([destination(port("tcp"))], TCP, id="TCP"),
        pytest.param([destination(age=NEW), destination(port("tcp"))], TCP, id="the oldest decides: TCP"),
        pytest.param([destination(port("tcp"), age=NEW), destination()], HTTP, id="the oldest decides: HTTP"),
        pytest.param([destination(host="b"), destination(port("tcp"), host="a")], TCP, id="then the host"),
        pytest.param([destination(port("tcp"), port())], TCP, id="of a Service's ports the first"),
        pytest.param([destination(port(), port("tcp"))], HTTP, id="of a Service's ports the first, HTTP"),
        pytest.param(
            [destination(port("tcp"), port(), kubernetes=False)], HTTP, id="of a ServiceEntry's any: HTTP is expected"
        ),
        pytest.param([destination(port("http", endpoint(workload(mesh="ambient"))))], {}, id="no sidecar"),
        pytest.param([destination(port("http", endpoint(None)))], {}, id="no workload"),
        pytest.param([destination(port("http", endpoint(None), endpoint()))], HTTP, id="a workload after what is none"),
        pytest.param(
            [destination(port("tcp"), port("http", endpoint(), endpoint(number=9090)))],
            {("a", 9090): True},
            id="another port after one that is settled",
        ),
        pytest.param(
            [destination(port("http", endpoint(number=1), endpoint(number=2)), resolution="DNS_ROUND_ROBIN")],
            {("a", 1): True},
            id="one endpoint of an entry that takes turns",
        ),
        pytest.param(
            [destination(port("http", endpoint(number=1), endpoint(number=2)))],
            {("a", 1): True, ("a", 2): True},
            id="all endpoints of others",
        ),
        pytest.param([destination(age=UNDATED)], HTTP, id="one without a time"),
        pytest.param([destination(age=UNDATED), destination(age=UNDATED, host="b")], HTTP, id="two that agree"),
        pytest.param(
            [destination(age=UNDATED), destination(port("tcp"), age=UNDATED, host="b")],
            {("a", 8080): None},
            id="two that do not",
        ),
        pytest.param(
            [destination(port("tcp")), destination(age=UNDATED, host="b")], {("a", 8080): None}, id="one has a time"
        ),
        pytest.param(
            [
                destination(port("tcp"), age=UNDATED),
                destination(port("http", endpoint(number=1)), age=UNDATED, host="b"),
            ],
            {("a", 1): True},
            id="two of other ports",
        ),
        pytest.param(
            [destination(port("tcp", AT_1)), destination(port("http", AT_2), age=NEW)], HTTP, id="one address of two"
        ),
        pytest.param(
            [destination(port("tcp", AT_1)), destination(port("http", endpoint(TWO)), age=NEW)],
            HTTP,
            id="all other addresses",
        ),
        pytest.param(
            [destination(port("tcp", AT_1, AT_2)), destination(port("http", endpoint(TWO)), age=NEW)],
            TCP,
            id="no other address",
        ),
        pytest.param(
            [
                destination(port("http", AT_1, AT_2), age=UNDATED),
                destination(port("tcp", AT_2), age=UNDATED, host="b"),
            ],
            HTTP,
            id="one address is HTTP, another cannot be told",
        ),
        pytest.param(
            [
                destination(port("http", AT_1, AT_2), age=UNDATED),
                destination(port("tcp", AT_1), age=UNDATED, host="b"),
            ],
            HTTP,
            id="one address cannot be told, another is HTTP",
        ),
    ],
)
def test_which_ports_speak_http(destinations, expected):
    found = protocols(destinations)
    assert {key: protocol.http for key, protocol in found.items()} == expected
    for protocol in found.values():
        assert protocol.doubt.startswith("which Service or ServiceEntry of ") is (protocol.http is None)


def test_a_doubt_names_the_rivals_and_the_question():
    found = protocols([destination(age=UNDATED), destination(port("tcp"), age=UNDATED, host="b")])
    assert found[("a", 8080)].doubt.endswith(
        " of shop/a.test and shop/b decides the port's protocol depends on their age, and shop/a.test and shop/b "
        "carry no creationTimestamp"
    )
    assert protocols([destination()]) == {("a", 8080): Protocol(True)}


def test_an_address_that_is_taken_is_looked_at_on_its_own():
    taken = catalogue({"10.0.0.1": [entry()]})
    named = endpoint(TWO, by_pod=False)
    others = destination(port("tcp", endpoint(TWO)), age=NEW)
    # The Service that selects the entry speaks HTTP there, whatever the other pod does.
    assert protocols([destination(port("http", named)), others], taken) == {("a", 8080): Protocol(True)}
    assert protocols([destination(port("tcp", named)), others], taken) == {}


def entry(name="e", namespace="shop", revision=None, **labels):
    return Entry(namespace, name, revision, "10.0.0.1", labels or {"app": "a"}, {}, "istio")


def only(*namespaces, revision=None):
    return lambda workload_, place, wanted: place in namespaces and wanted == revision


TAKEN = {"10.0.0.1": [entry()]}
ENTRY = endpoint(by_pod=False)


@pytest.mark.parametrize(
    ("of", "to", "known", "sees", "address", "target"),
    [
        pytest.param(destination(), endpoint(), catalogue(), everything, "", True, id="a Service that selects it"),
        pytest.param(destination(), endpoint(), catalogue(), only("zoo"), "", False, id="a Service that is not seen"),
        pytest.param(
            destination(revision="x"), endpoint(), catalogue(), only("shop"), "", False, id="of another revision"
        ),
        pytest.param(
            destination(), endpoint(namespace="zoo"), catalogue(), only("shop"), "", False, id="an endpoint not seen"
        ),
        pytest.param(
            destination(), endpoint(revision="x"), catalogue(), only("shop"), "", False, id="an endpoint's revision"
        ),
        pytest.param(
            destination(selector=None), endpoint(), catalogue(), everything, "", False, id="others select the pod"
        ),
        pytest.param(
            destination(selector=None), endpoint(), catalogue(selected=()), everything, "", True, id="nobody selects it"
        ),
        pytest.param(
            destination(namespace="zoo"), endpoint(), catalogue(selected=()), everything, "", False, id="not at home"
        ),
        pytest.param(destination(), ENTRY, catalogue(), everything, "", False, id="an endpoint by its address"),
        pytest.param(
            destination(kubernetes=False), ENTRY, catalogue(), everything, "", True, id="a ServiceEntry at home"
        ),
        pytest.param(
            destination(kubernetes=False, namespace="zoo"),
            ENTRY,
            catalogue(),
            everything,
            "",
            False,
            id="a ServiceEntry elsewhere",
        ),
        pytest.param(
            destination(), ENTRY, catalogue(TAKEN), everything, "10.0.0.1", True, id="an entry is taken for it"
        ),
        pytest.param(
            destination(), ENTRY, catalogue(TAKEN), everything, "10.0.0.2", False, id="an entry at another address"
        ),
        pytest.param(
            destination(), endpoint(), catalogue(TAKEN), everything, "10.0.0.1", False, id="the pod behind an entry"
        ),
        pytest.param(
            destination(),
            endpoint(by_pod=False, labels={"app": "b"}),
            catalogue(TAKEN),
            everything,
            "10.0.0.1",
            False,
            id="an entry with other labels",
        ),
        pytest.param(
            destination(),
            endpoint(by_pod=False, namespace="zoo"),
            catalogue(TAKEN),
            everything,
            "10.0.0.1",
            False,
            id="an entry of another namespace",
        ),
    ],
)
def test_whether_a_destination_has_a_say(of, to, known, sees, address, target):
    assert _is_target(A, address, of, port("tcp"), to, known, sees) is target


def test_a_udp_port_of_an_entry_has_no_say():
    assert not _is_target(A, "10.0.0.1", destination(), port("udp"), ENTRY, catalogue(TAKEN), everything)


@pytest.mark.parametrize(
    ("entries", "sees", "taken"),
    [
        pytest.param([], everything, None, id="none"),
        pytest.param([entry("x")], everything, "x", id="one"),
        pytest.param([entry("x"), entry("y")], everything, "x", id="the first"),
        pytest.param([entry("x", "zoo"), entry("y")], everything, "y", id="at home"),
        pytest.param([entry("x"), entry("a-1")], everything, "a-1", id="of the pod's name"),
        pytest.param([entry("a-1", "zoo"), entry("y")], everything, "y", id="of the pod's name, elsewhere"),
        pytest.param([entry("x"), entry("y", "zoo")], only("zoo"), "y", id="what is seen"),
        pytest.param([entry("x", revision="r"), entry("y")], only("shop"), "y", id="of its revision"),
        pytest.param([entry("x")], only(), None, id="nothing is seen"),
    ],
)
def test_which_entry_is_taken_for_a_pod(entries, sees, taken):
    found = _entry_at(A, "10.0.0.1", catalogue({"10.0.0.1": entries}), sees)
    assert (found and found.name) == taken
