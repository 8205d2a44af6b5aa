# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on the way: what helps is tried again, what does not ends as unread, and never as half a list."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import _api, _decode
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster._slim import slim
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._cluster.faults import (
    cut_off,
    reset,
    silent,
    throttled,
)

PODS = api.Selection(api.Kind("", "v1", "pods", "Pod"))
PEERS = api.Selection(api.Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication"))
PODS_PATH = "GET /api/v1/pods"
PEERS_PATH = "GET /apis/security.istio.io/v1/peerauthentications"


def page(*names, token="", built_in=True):
    """A page as the API server writes it: a custom kind's metadata stands behind its items."""
    items = [{"metadata": {"name": name, "namespace": "demo"}, "spec": {"containers": []}} for name in names]
    metadata = {"resourceVersion": "1", **({"continue": token} if token else {})}
    if built_in:
        content = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}
    else:
        content = {"apiVersion": "security.istio.io/v1", "items": items, "kind": "List", "metadata": metadata}
    return json.dumps(content, separators=(",", ":"))


def expired(token=""):
    return 410, {"kind": "Status", "code": 410, "message": "expired", "metadata": {"continue": token} if token else {}}


def refusal(code, message="no"):
    return code, {"kind": "Status", "message": message}


def names(resources):
    return sorted(item["metadata"]["name"] for item in resources)


def tokens(server):
    return [query.get("continue") for _path, query in server.asked()]


@pytest.fixture(params=["msgspec", "json"])
def decoder(request, monkeypatch):
    """With and without the fast decoder."""
    if request.param == "msgspec":
        pytest.importorskip("msgspec")
    else:
        monkeypatch.setattr(_decode, "FAST", None)


@pytest.mark.parametrize("fault", [reset(), reset(0.0), cut_off], ids=["reset", "reset at the start", "cut off"])
@pytest.mark.parametrize("built_in", [True, False])
def test_a_page_that_breaks_off_is_asked_for_again(server, cluster, decoder, fault, built_in):
    server.answer(PODS_PATH, page("a", token="next", built_in=built_in), fault, page("b", built_in=built_in))
    resources, unread = api.read(cluster, [PODS])
    assert (names(resources), unread) == (["a", "b"], [])
    assert tokens(server) == [None, "next", "next"]


@pytest.mark.parametrize("fault", [reset(), cut_off], ids=["reset", "cut off"])
def test_also_the_very_first_answer(server, cluster, decoder, fault):
    server.answer(PODS_PATH, fault, page("a"))
    resources, unread = api.read(cluster, [PODS])
    assert (names(resources), unread) == (["a"], [])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reset(), "broke off"),
        (cut_off, "not JSON"),
        (throttled(1), "HTTP status 429"),
        (refusal(500, "etcd is down"), "etcd is down"),
        (refusal(403, "pods is forbidden"), "pods is forbidden"),
        (expired(), "expired"),
    ],
    ids=["reset", "cut off", "429", "500", "403", "410"],
)
def test_of_a_list_that_breaks_off_nothing_is_used(server, cluster, answer, reason):
    """Half a list looks like a whole one."""
    server.answer(PEERS_PATH, page("strict", built_in=False))
    server.answer(PODS_PATH, page("a", token="next"), answer)
    resources, unread = api.read(cluster, [PODS, PEERS])
    assert names(resources) == ["strict"]
    [gap] = unread
    assert (gap["kind"], gap["namespace"]) == ("Pod", None)
    assert reason in gap["reason"]


def test_an_expired_list_goes_on_in_a_newer_state(server, cluster):
    """The API server says with which token; nothing that exists all the while is left out."""
    server.answer(PODS_PATH, page("a", token="old"), expired("new"), page("b"))
    resources, unread = api.read(cluster, [PODS])
    assert (names(resources), unread) == (["a", "b"], [])
    assert tokens(server) == [None, "old", "new"]


def test_an_expired_list_without_a_token_starts_again(server, cluster):
    server.answer(PODS_PATH, page("gone", token="old"), expired(), page("a"))
    resources, unread = api.read(cluster, [PODS])
    assert (names(resources), unread) == (["a"], [])
    assert tokens(server) == [None, "old", None]


@pytest.mark.parametrize(("asked", "waited"), [(3, 3), (0, 0.5), (10_000, 30)])
def test_a_throttled_client_waits_as_long_as_it_is_told(server, cluster, pauses, asked, waited):
    server.answer(PODS_PATH, throttled(asked), page("a"))
    resources, _unread = api.read(cluster, [PODS])
    assert names(resources) == ["a"]
    assert pauses == [waited]


def test_silence_is_asked_once_more(server, cluster, monkeypatch):
    monkeypatch.setattr(_api, "READ_SECONDS", 0.2)
    server.answer("GET /version", {"gitVersion": "v1.35.4"})
    cluster.version()
    server.answer(PODS_PATH, silent, page("a"))
    server.answer(PEERS_PATH, silent)
    resources, unread = api.read(cluster, [PODS, PEERS])
    assert names(resources) == ["a"]
    assert [(gap["kind"], gap["reason"]) for gap in unread] == [("PeerAuthentication", "no answer within 0.2 s")]


def test_a_page_of_an_unexpected_type_is_read_all_the_same(server, cluster, decoder):
    """The fast decoder knows the types of pods; what differs is for the engine to complain about."""
    odd = {"metadata": {"name": "a", "namespace": "demo", "labels": {"app": 1}}, "spec": {"containers": []}}
    server.answer(PODS_PATH, {"metadata": {}, "items": [odd]})
    reader = Reader()
    assert api.read_mesh_into(cluster, reader) == []
    assert [problem.name for problem in reader.snapshot().problems] == ["a"]


def test_pages_come_while_earlier_ones_are_used(server, cluster):
    server.answer(PODS_PATH, page("a", token="1"), page("b", token="2"), page("c"))
    pages = cluster.list(PODS.kind)
    assert names(next(pages)) == ["a"]
    assert names([item for found in pages for item in found]) == ["b", "c"]
    assert tokens(server) == [None, "1", "2"]


def test_a_first_page_that_is_asked_for_again_may_end_elsewhere(server, cluster):
    """The page behind its first try would leave a gap, or show something twice."""
    answers = {
        None: [page(*map(str, range(300)), token="old"), page(*map(str, range(200)), token="new")],
        "old": [page(*map(str, range(300, 310)))],
        "new": [page(*map(str, range(200, 310)))],
    }

    def by_token(handler, _data):
        token = dict(parse_qsl(urlsplit(handler.path).query)).get("continue")
        content = answers[token].pop(0).encode()
        fault = reset(0.9) if token is None and answers[None] else cut_off
        fault(handler, content if fault is not cut_off else content + b" " * len(content))

    server.answer(PODS_PATH, by_token)
    resources, unread = api.read(cluster, [PODS])
    assert unread == []
    assert {item["metadata"]["name"] for item in resources} == {str(number) for number in range(310)}
    assert "new" in tokens(server)


def test_a_kind_without_its_crd_has_no_objects_and_is_no_gap(server, cluster):
    server.answer(PODS_PATH, page("a"))
    server.answer("GET /apis/security.istio.io", {"versions": []})
    assert api.read(cluster, [PODS, PEERS])[1] == []


def test_both_decoders_give_the_engine_the_same_pods():
    msgspec = pytest.importorskip("msgspec")
    assert _decode.FAST is msgspec
    container = {
        "name": "istio-proxy",
        "image": "proxyv2",
        "args": ["proxy", "sidecar"],
        "env": [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "TPROXY"}, {"name": "X", "valueFrom": {"f": {}}}],
        "ports": [{"containerPort": 15090, "protocol": "TCP", "name": "http-envoy-prom"}],
        "resources": {"limits": {"cpu": "2"}},
    }
    pod = {
        "metadata": {
            "name": "a",
            "namespace": "demo",
            "labels": {"app": "a", "pod-template-hash": "1"},
            "annotations": {"sidecar.istio.io/status": '{"revision":"blue"}', "other": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "a-1", "controller": True, "uid": "u"}],
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"fieldsV1": {"f:a": {}}}],
        },
        "spec": {
            "containers": [{"name": "app", "ports": [{"containerPort": 53, "protocol": "UDP"}], "env": None}],
            "initContainers": [dict(container, restartPolicy="Always")],
            "hostNetwork": False,
            "serviceAccountName": "a",
            "volumes": [{"name": "v"}],
        },
        "status": {"phase": "Running", "podIP": "10.1.0.2", "conditions": [{}]},
    }
    body = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]}).encode()
    records, manifests = [], []
    for whole in (False, True):
        items = _decode.decode(body, "Pod", "v1", whole).items
        reader = Reader()
        reader.add(items)
        records.append(reader.snapshot().pods)
        manifests.append([slim(item) for item in items])
    assert records[0] == records[1]
    assert manifests[0] == manifests[1]
    assert records[0][0].shape.revision == "blue"
