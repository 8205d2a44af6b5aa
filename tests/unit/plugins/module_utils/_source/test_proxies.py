# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions a proxy is asked, and what becomes of those that it does not answer."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers, certificates
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.choice import ProxyTarget
from ansible_collections.meshproof.mtls.plugins.module_utils._source import proxies
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import pod

SIDECAR = ProxyTarget("shop", "cart", "shop/Deployment/cart", "default", False, frozenset((8080,)), frozenset())
USUAL = [answers.NODE, answers.STATISTICS, answers.SECRETS, answers.SIDECAR_LISTENERS]
INBOUND = b'{"configs": [{"name": "virtualInbound"}]}'


class Faults:
    """A proxy that answers with a listener, but for the questions that are in `faults`."""

    def __init__(self, faults=None):
        self.faults = faults or {}
        self.asked = []

    def to(self, namespace, pod):
        return self

    def __enter__(self):
        if isinstance(self.faults, Exception):
            raise self.faults
        return self

    def __exit__(self, *details):
        pass

    def get(self, path, query=None):
        question = answers.Question(path, query)
        self.asked.append(question)
        found = next((fault for asked, fault in self.faults.items() if asked == json.dumps(question)), INBOUND)
        if isinstance(found, Exception):
            raise found
        return found


def faults(*pairs):
    return Faults({json.dumps(question): fault for question, fault in pairs})


def broken(reason, status=None):
    return api.ClusterError(f"The pod shop/cart: {reason}.", status, reason)


@pytest.mark.parametrize(
    ("proxy", "target", "upstreams", "asked"),
    [
        pytest.param(faults(), SIDECAR, False, USUAL, id="a sidecar"),
        pytest.param(faults(), SIDECAR, True, [*USUAL, answers.CLUSTERS, answers.ENDPOINTS], id="with upstreams"),
        pytest.param(
            faults(), SIDECAR._replace(gateway=True), False, [*USUAL[:3], answers.LISTENERS], id="a gateway"
        ),
        pytest.param(
            faults((answers.SIDECAR_LISTENERS, b"{}")), SIDECAR, False, [*USUAL, answers.LISTENERS],
            id="a sidecar that intercepts nothing",
        ),
        pytest.param(
            faults((answers.STATISTICS, b"listener_manager.lds.update_rejected: 2\n")), SIDECAR, False,
            [*USUAL, answers.ERRORS], id="one that rejected something",
        ),
        pytest.param(
            faults((answers.CLUSTERS, broken("no such field", 400))), SIDECAR, True,
            [*USUAL, answers.CLUSTERS, answers.OLDER_CLUSTERS, answers.ENDPOINTS], id="an older Envoy",
        ),
    ],
)  # fmt: skip
def test_questions(proxy, target, upstreams, asked):
    found = proxies.ask(proxy, target, upstreams)
    assert proxy.asked == asked
    assert (found.listeners is not None, found.problems) == (True, ())
    assert (found.clusters is not None) == upstreams


def test_what_is_not_answered_is_named_and_all_else_is_kept():
    proxy = faults((answers.ENDPOINTS, broken("its answer is longer than 5 bytes")))
    found = proxies.ask(proxy, SIDECAR, True)
    assert (found.endpoints, found.problems) == (None, (("endpoints", "its answer is longer than 5 bytes"),))
    assert found.clusters == INBOUND


def test_one_that_breaks_off_at_once_has_not_answered():
    with pytest.raises(api.ClusterError, match="nothing listens"):
        proxies.ask(faults((answers.NODE, broken("nothing listens"))), SIDECAR, False)


FORBIDDEN = api.ClusterError("Remedy: meshproof-inspector", 403, "pods is forbidden")


@pytest.fixture
def reading(monkeypatch):
    """`proxies.read` of pods whose connections have these faults, by the pod's name."""

    def read(**pods):
        class Many:
            def __init__(self, *arguments):
                pass

            def to(self, namespace, pod):
                return Faults(pods[pod])

        monkeypatch.setattr(api, "Forwards", Many)
        return proxies.read(None, [SIDECAR._replace(pod=name) for name in pods])

    return read


def test_each_proxy_stands_for_itself(reading):
    found = reading(c=None, b=FORBIDDEN, a=broken("no answer within 15 s"))
    assert [(item.pod, item.answered, item.reason) for item in found] == [
        ("shop/a", False, "no answer within 15 s"),
        ("shop/b", False, "pods is forbidden"),
        ("shop/c", True, ""),
    ]


def test_where_none_may_be_asked_that_is_the_error(reading):
    with pytest.raises(api.ClusterError, match="meshproof-inspector"):
        reading(a=FORBIDDEN, b=FORBIDDEN)


def test_no_proxies_are_no_error(reading):
    assert reading() == []


def test_without_the_library_nothing_is_read(monkeypatch):
    monkeypatch.setattr(certificates, "IMPORT_ERROR", ImportError("No module named cryptography"))
    with pytest.raises(api.ClusterError, match=r"cryptography cannot be imported by .*Remedy: .* -m pip install"):
        proxies.read(None, [])


@pytest.mark.parametrize(
    ("limits", "number", "seconds"),
    [
        pytest.param(proxies.Limits(), 10, 30, id="a few: two of them could stall"),
        pytest.param(proxies.Limits(), 1600, 375, id="many: a quarter of what it took if all stalled"),
        pytest.param(proxies.Limits(side_by_side=1, seconds=4), 100, 100, id="one by one"),
        pytest.param(proxies.Limits(all_seconds=7), 1600, 7, id="as it is given"),
    ],
)
def test_the_time_for_all_proxies_together(limits, number, seconds):
    assert limits.total(number) == seconds


def test_proxies_that_are_not_reached_in_time_are_unknown(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(proxies.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(api, "Forwards", lambda *arguments: Faults())
    targets = [SIDECAR._replace(pod=name) for name in "abcd"]
    found = proxies.read(None, targets, limits=proxies.Limits(side_by_side=1, all_seconds=4))
    assert [item.answered for item in found] == [True, False, False, False]
    why = [item.reason.partition(":")[0] for item in found[1:]]
    assert why == ["its answer was not read", "it was not asked", "it was not asked"]
    assert all("Remedy: raise the option total_timeout" in item.reason for item in found[1:])
    assert {port.accepts for item in found[1:] for port in item.ports} == {"unknown"}


def test_one_whose_answer_breaks_what_asks_it_has_not_answered(reading):
    """Whatever it is that goes wrong: the others are read all the same."""
    found = reading(b=RecursionError(), a=None)
    assert [(item.pod, item.answered, item.reason) for item in found] == [
        ("shop/a", True, ""),
        ("shop/b", False, "asking it failed (RecursionError)"),
    ]


def test_whose_proxies_there_are_is_said_with_where_pods_could_not_be_listed(monkeypatch):
    unread = [{"kind": kind, "namespace": "shop", "reason": "forbidden", "status": 403} for kind in ("Pod", "Sidecar")]

    def read(_cluster, reader, namespaces):
        found = reader()
        found.add([pod("bank/pay")])
        return found, unread if namespaces == ["shop", "bank"] else []

    monkeypatch.setattr(proxies.selections, "read_declared", read)
    found, gaps = proxies.workloads(None, ["shop", "bank"])
    assert [(item["id"], item["pods"]) for item in found] == [("bank/Deployment/pay", ["pay-5f5-1"])]
    assert gaps == [{"kind": "Pod", "namespace": "shop", "reason": "forbidden"}]
