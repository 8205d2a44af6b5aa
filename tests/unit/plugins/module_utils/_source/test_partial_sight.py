# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on the way: what helps is tried again, what does not ends as unread, and never as half a list."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import api as requests
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.lists import decode
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader
from ansible_collections.meshproof.mtls.plugins.module_utils._source import reading, selections
from ansible_collections.meshproof.mtls.plugins.module_utils._source.slim import slim
from ansible_collections.meshproof.mtls.plugins.module_utils._source.stored_pods import POD
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._source.test_pod_fields import lacking
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import group, listed, served
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.faults import (
    cut_off,
    reset,
    silent,
    throttled,
)

PODS = reading.Selection(api.Kind("", "v1", "pods", "Pod"))
PEERS = reading.Selection(api.Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication"))
PODS_PATH = "GET /api/v1/pods"
PEERS_PATH = "GET /apis/security.istio.io/v1/peerauthentications"


def page(*names, token="", encoding="json"):
    """A page as the API server writes it: in JSON the metadata of a custom kind stands behind its items."""
    kind, version = ("Pod", "v1") if encoding != "custom" else ("PeerAuthentication", "security.istio.io/v1")
    items = [{"metadata": {"name": name, "namespace": "demo"}, "spec": {"containers": []}} for name in names]
    metadata = {"resourceVersion": "1", **({"continue": token} if token else {})}
    if encoding == "protobuf":
        return protobuf_encoder.pods(items, token)
    if encoding == "json":
        content = {"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": items}
    else:
        content = {"apiVersion": version, "items": items, "kind": f"{kind}List", "metadata": metadata}
    return json.dumps(content, separators=(",", ":"))


def expired(token=""):
    return 410, {"kind": "Status", "code": 410, "message": "expired", "metadata": {"continue": token} if token else {}}


def refusal(code, message="no"):
    return code, {"kind": "Status", "message": message}


def names(resources):
    return sorted(item["metadata"]["name"] for item in resources)


def tokens(server):
    return [query.get("continue") for _path, query in server.asked()]


@pytest.mark.parametrize("fault", [reset(), reset(0.0), cut_off], ids=["reset", "reset at the start", "cut off"])
@pytest.mark.parametrize("encoding", ["json", "metadata last", "protobuf"])
def test_a_page_that_breaks_off_is_asked_for_again(server, cluster, fault, encoding):
    server.answer(PODS_PATH, page("a", token="next", encoding=encoding), fault, page("b", encoding=encoding))
    resources, unread = reading.read(cluster, [PODS])
    assert (names(resources), unread) == (["a", "b"], [])
    assert tokens(server) == [None, "next", "next"]


@pytest.mark.parametrize("fault", [reset(), cut_off], ids=["reset", "cut off"])
@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_also_the_very_first_answer(server, cluster, fault, encoding):
    server.answer(PODS_PATH, fault, page("a", encoding=encoding))
    resources, unread = reading.read(cluster, [PODS])
    assert (names(resources), unread) == (["a"], [])


def test_protobuf_that_ends_anywhere_is_no_list():
    whole = page("a", "b", encoding="protobuf")
    end_of_list = whole.index(protobuf_encoder.message((3, ""), (4, "")), -4)
    for end in range(4, end_of_list):
        with pytest.raises(ValueError, match=r"cut off|no object"):
            decode(whole[:end], PODS.kind, stored=POD)
    assert len(decode(whole, PODS.kind, stored=POD).items) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reset(), "broke off"),
        (cut_off, "not JSON"),
        (throttled(1), "HTTP status 429"),
        (refusal(500, "etcd is down"), "etcd is down"),
        (refusal(403, "pods is forbidden"), "pods is forbidden"),
        ((403, protobuf_encoder.status("pods is forbidden")), "pods is forbidden"),
        (expired(), "expired"),
    ],
    ids=["reset", "cut off", "429", "500", "403", "403 in protobuf", "410"],
)
def test_of_a_list_that_breaks_off_nothing_is_used(server, cluster, answer, reason):
    """Half a list looks like a whole one."""
    server.answer(PEERS_PATH, page("strict", encoding="custom"))
    server.answer(PODS_PATH, page("a", token="next"), answer)
    resources, unread = reading.read(cluster, [PODS, PEERS])
    assert names(resources) == ["strict"]
    [gap] = unread
    assert (gap["kind"], gap["namespace"]) == ("Pod", None)
    assert reason in gap["reason"]


@pytest.mark.parametrize(
    "expiry", [expired("new"), (410, protobuf_encoder.status("expired", "new"))], ids=["json", "protobuf"]
)
def test_an_expired_list_goes_on_in_a_newer_state(server, cluster, expiry):
    """The API server says with which token; nothing that exists all the while is left out."""
    server.answer(PODS_PATH, page("a", token="old"), expiry, page("b"))
    resources, unread = reading.read(cluster, [PODS])
    assert (names(resources), unread) == (["a", "b"], [])
    assert tokens(server) == [None, "old", "new"]


def test_an_expired_list_without_a_token_starts_again(server, cluster):
    server.answer(PODS_PATH, page("gone", token="old"), expired(), page("a"))
    resources, unread = reading.read(cluster, [PODS])
    assert (names(resources), unread) == (["a"], [])
    assert tokens(server) == [None, "old", None]


@pytest.mark.parametrize(("asked", "waited"), [(3, 3), (0, 0.5), (10_000, 30)])
def test_a_throttled_client_waits_as_long_as_it_is_told(server, cluster, pauses, asked, waited):
    server.answer(PODS_PATH, throttled(asked), page("a"))
    resources, _unread = reading.read(cluster, [PODS])
    assert names(resources) == ["a"]
    assert pauses == [waited]


def test_silence_is_asked_once_more(server, cluster, monkeypatch):
    monkeypatch.setattr(requests, "READ_SECONDS", 0.2)
    server.answer("GET /version", {"gitVersion": "v1.35.4"})
    cluster.version()
    server.answer(PODS_PATH, silent, page("a"))
    server.answer(PEERS_PATH, silent)
    resources, unread = reading.read(cluster, [PODS, PEERS])
    assert names(resources) == ["a"]
    assert [(gap["kind"], gap["reason"]) for gap in unread] == [("PeerAuthentication", "no answer within 0.2 s")]


def test_a_page_of_an_unexpected_type_is_read_all_the_same(server, cluster):
    """What differs from all pods is for the engine to complain about."""
    odd = {"metadata": {"name": "a", "namespace": "demo", "labels": {"app": 1}}, "spec": {"containers": []}}
    server.answer(PODS_PATH, listed("Pod", odd))
    reader = Reader()
    assert selections.read_mesh_into(cluster, reader) == []
    assert [problem.name for problem in reader.snapshot().problems] == ["a"]


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_pages_come_while_earlier_ones_are_used(server, cluster, encoding):
    pages = [page(name, token=token, encoding=encoding) for name, token in (("a", "1"), ("b", "2"), ("c", ""))]
    server.answer(PODS_PATH, *pages)
    pages = cluster.list(PODS.kind, stored=POD)
    assert names(next(pages).items) == ["a"]
    assert names([item for found in pages for item in found.items]) == ["b", "c"]
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
    resources, unread = reading.read(cluster, [PODS])
    assert unread == []
    assert {item["metadata"]["name"] for item in resources} == {str(number) for number in range(310)}
    assert "new" in tokens(server)


def test_a_kind_without_its_crd_has_no_objects_and_is_no_gap(server, cluster):
    server.answer(PODS_PATH, page("a"))
    server.answer("GET /apis/security.istio.io", group("security.istio.io", "v1"))
    server.answer("GET /apis/security.istio.io/v1", served("security.istio.io/v1", "authorizationpolicies"))
    assert reading.read(cluster, [PODS, PEERS])[1] == []


def test_protobuf_says_of_a_pod_what_json_says():
    container = {
        "name": "istio-proxy",
        "image": "proxyv2",
        "command": ["/usr/local/bin/pilot-agent"],
        "args": ["proxy", "sidecar"],
        "env": [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "TPROXY"}, {"name": "POD_NAME"}],
        "ports": [{"containerPort": 15090, "protocol": "TCP", "name": "http-envoy-prom"}],
        "restartPolicy": "Always",
        "securityContext": {"runAsUser": 1000670009, "runAsGroup": 1000670010},
    }
    application = {
        "name": "app",
        "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 8080, "protocol": "TCP", "name": "web"}],
        "env": [{"name": "PASSWORD", "value": "secret"}],
        "livenessProbe": {"httpGet": {"port": "web", "host": "192.0.2.1"}, "grpc": {"port": 1}},
        "readinessProbe": {"httpGet": {"port": 8080, "host": "192.0.2.2"}, "grpc": {"port": 2}},
        "startupProbe": {"httpGet": {"port": 8081, "host": "192.0.2.3"}, "grpc": {"port": 9090}},
    }
    pod = {
        "metadata": {
            "name": "ä",
            "namespace": "demo",
            "labels": {"app": "a", "pod-template-hash": "1", "empty": ""},
            "annotations": {"sidecar.istio.io/status": '{"revision":"blue"}', "other": "x" * 300},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "a-1", "controller": True, "uid": "u"}],
            "creationTimestamp": "2026-01-31T12:00:00Z",
        },
        "spec": {
            "containers": [application, {"name": "bare"}],
            "initContainers": [{"name": "istio-init", "args": ["-b", "*", ""]}, container],
            "ephemeralContainers": [{"name": "debugger", "securityContext": {"runAsUser": 1337, "runAsGroup": 7}}],
            "hostNetwork": True,
            "serviceAccountName": "a",
            "securityContext": {"runAsUser": 1337, "runAsGroup": 3000},
        },
        "status": {
            "phase": "Running",
            "podIP": "10.1.0.2",
            "ephemeralContainerStatuses": [
                {"name": name, "state": {state: {"exitCode": 137}}}
                for name, state in (("debugger", "terminated"), ("second", "running"), ("third", "waiting"))
            ],
        },
    }
    assert lacking([{"apiVersion": "v1", "kind": "Pod", **pod}]) == set(), "Remedy: give each a value in this pod"
    bodies = [json.dumps(listed("Pod", pod)).encode(), protobuf_encoder.pods([pod])]
    records, manifests = [], []
    for body in bodies:
        items = decode(body, PODS.kind, stored=POD).items
        if body is bodies[1]:
            assert "PASSWORD" not in json.dumps(items)
        reader = Reader()
        reader.add(items)
        records.append(reader.snapshot().pods)
        manifests.append([slim(item) for item in items])
    assert records[0] == records[1]
    assert manifests[0] == manifests[1]
    assert records[0][0].shape.revision == "blue"


def test_only_pods_that_need_not_be_whole_are_asked_for_in_protobuf(server, cluster):
    server.answer(PODS_PATH, page("a"))
    server.answer(PEERS_PATH, page("strict", encoding="custom"))
    reading.read(cluster, [PODS, PEERS])
    list(cluster.list(PODS.kind))
    accepted = [(path, headers["Accept"]) for _method, path, _query, _body, headers in server.requests]
    assert sorted(accepted) == [
        ("/api/v1/pods", "application/json"),
        ("/api/v1/pods", "application/vnd.kubernetes.protobuf, application/json"),
        ("/apis/security.istio.io/v1/peerauthentications", "application/json"),
    ]
