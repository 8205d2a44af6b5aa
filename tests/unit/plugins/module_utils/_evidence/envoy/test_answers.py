# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a proxy's answers to its record: whole, in part, and not at all."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.choice import ProxyTarget
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import (
    Shared,
    Upstream,
    UpstreamEndpoint,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    recorded,
)

NOT_ENVOY = "the answer is not what Envoy answers: it"
# The pod that was recorded.
POD = "strict-6954b4db5f-97cs4"
IDENTITY = "spiffe://cluster.local/ns/proxies-home/sa/strict"
TARGET = ProxyTarget(
    "proxies-home", POD, "shop/Deployment/cart", "default", False, frozenset((8080, 8082)), frozenset(), IDENTITY
)


def given(name="strict", **changes):
    found = recorded(name)
    text = found.pop("statistics").encode()
    bodies = {what: json.dumps(content).encode() for what, content in found.items()}
    return answers.Answers(**{**bodies, "statistics": text, **changes})


def ask(target=TARGET, **changes):
    return answers.proxy(target, given(**changes), Shared())


def test_a_whole_answer():
    found = ask().public()
    assert {key: found[key] for key in ("pod", "workload", "revision", "answered", "reason", "version")} == {
        "pod": f"proxies-home/{POD}",
        "workload": "shop/Deployment/cart",
        "revision": "default",
        "answered": True,
        "reason": "",
        "version": "1.31.1",
    }
    assert found["istiod"] == {"identity": "istiod.istio-system.svc:15012", "connected": True}
    assert found["configuration"]["accepted"] is True
    assert found["ports"][0] == {
        "port": 8080,
        "accepts": "strict",
        "tls_versions": ["TLSv1_2", "TLSv1_3"],
        "http": True,
        "reason": "every filter chain demands a client certificate of the mesh",
    }
    assert {upstream["subset"] for upstream in found["upstreams"]} == {None}
    json.dumps(found)  # plain values only


def test_a_port_that_bypasses_the_proxy_is_plaintext_whatever_its_listener_says():
    found = ask(TARGET._replace(bypassed=frozenset((8080,))))
    assert [(port.port, port.accepts) for port in found.ports] == [
        (8080, "plaintext"),
        (8081, "strict"),
        (8082, "strict"),
    ]
    assert "whose listener would be strict" in found.ports[0].reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listeners": None, "problems": (("listeners", "longer than 5 bytes"),)}, "listeners: longer than 5 bytes"),
        ({"listeners": b"oops"}, f"listeners: {NOT_ENVOY} is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ({"secrets": b"[]"}, f"secrets: {NOT_ENVOY} is no object"),
        ({"endpoints": None, "problems": (("endpoints", "too long"),)}, "endpoints: too long"),
    ],
)
def test_what_is_missing_is_unknown_and_named(changes, words):
    found = ask(**changes)
    assert found.answered
    assert found.reason == words
    if "listeners" in changes:
        assert [(port.port, port.accepts) for port in found.ports] == [(8080, "unknown"), (8082, "unknown")]
        assert found.passthrough is None
    if "secrets" in changes:
        assert found.certificates == ()
    if "endpoints" in changes:
        assert {item.reason for item in found.upstreams} == {"too long"}


def test_without_statistics_nothing_is_said_to_be_well():
    found = ask(statistics=None)
    assert (found.istiod.connected, found.configuration.accepted) == (None, None)


def test_a_secret_that_is_broken_is_named():
    content = json.loads(given().secrets)
    content["configs"][0]["secret"]["tls_certificate"]["certificate_chain"]["inline_bytes"] = "AAAA"
    assert (
        f"secrets: {NOT_ENVOY} holds a certificate that is not PEM" in ask(secrets=json.dumps(content).encode()).reason
    )


def test_one_that_does_not_answer():
    found = answers.unanswered(TARGET, "connection refused")
    assert (found.answered, found.reason, found.istiod.connected, found.configuration.accepted) == (
        False,
        "connection refused",
        None,
        None,
    )
    why = found.ports[0].reason
    assert found.ports == tuple(answers.ListenerPort(port, "unknown", (), False, why) for port in (8080, 8082))
    assert why


def test_summary():
    off = TARGET._replace(pod="off-7d47d78479-p856h", identity=IDENTITY.replace("strict", "off"))
    found = [ask(), ask(off, name="off"), answers.unanswered(TARGET, "gone")]
    summary = answers.summary(found)
    assert summary["ports"] == {"strict": 3, "permissive": 0, "plaintext": 3, "unknown": 2}
    assert (summary["not_answered"], summary["not_connected"], summary["rejected"]) == (1, 0, 0)
    assert list(summary["roots"].values()) == [2]


@pytest.mark.parametrize(
    ("statistics", "expected"), [(None, False), (b"listener_manager.lds.update_rejected: 1", True), (b"x", False)]
)
def test_errors_are_asked_for_only_where_something_was_rejected(statistics, expected):
    assert answers.rejected_some(statistics) is expected


def test_proxies_share_what_is_equal():
    shared = Shared()
    first, second = (answers.proxy(TARGET, given(), shared) for dummy in range(2))
    assert all(one is other for one, other in zip(first.upstreams, second.upstreams, strict=True))
    assert first.ports[0] is second.ports[0]


@pytest.mark.parametrize(
    "body",
    [
        b'{"configs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"configs": [{"name": "virtualInbound", "active_state": {"listener": {"listener_filters": [{"typed_config":'
        b'{"@type": "x.TlsInspector"}, "filter_disabled": {"destination_port_range": {"start": "\xc2\xb2"}}}]}}}]}',
    ],
    ids=["nested deeply", "a range that is none"],
)
def test_a_hostile_answer_makes_its_own_proxy_unknown(body):
    target = ProxyTarget("demo", "p", "demo/Pod/p", "default", False, frozenset({8080}), frozenset())
    found = answers.proxy(target, answers.Answers(listeners=body), Shared())
    assert {port.accepts for port in found.ports} == {"unknown"}


NESTED = b"[" * 3000 + b"]" * 3000
HOSTILE = [
    pytest.param({"node": b'{"configs": ' + NESTED + b"}"}, id="a node that is nested"),
    pytest.param({"listeners": b'{"configs": ' + NESTED + b"}"}, id="listeners that are nested"),
    pytest.param({"listeners": b'{"configs": [{"name": "\\ud83d"}]}'}, id="half a character"),
    pytest.param({"statistics": "listener_manager.lds.update_rejected: \u0663\n".encode()}, id="foreign digits"),
    pytest.param({"statistics": b"cluster_manager.cds.update_time: " + b"7" * 9000}, id="a number without end"),
    pytest.param({"statistics": b"listener_manager.lds.update_time: 999999999999999999"}, id="a year beyond all"),
    pytest.param({"statistics": b"control_plane.identifier: " + NESTED}, id="a nested name"),
    pytest.param({"statistics": b"\xff\xfe: 1"}, id="bytes that are no text"),
    pytest.param({"clusters": b'{"configs": [{"cluster": {"name": "outbound|\xc2\xb2||a"}}]}'}, id="a superscript"),
    pytest.param({"clusters": b'{"configs": [{"cluster": {"name": ["outbound|80||a"]}}]}'}, id="a name that is a list"),
    pytest.param({"endpoints": b'{"configs": [{"endpoint_config": {"endpoints": [{"lb_endpoints": 1}]}}]}'}, id="a 1"),
    pytest.param({"secrets": b'{"configs": [{"name": {"a": 1}, "secret": [1]}]}'}, id="secrets of other types"),
    pytest.param({"errors": b'{"configs": [{"error_state": "x", "name": 3}]}'}, id="errors of other types"),
]


@pytest.mark.parametrize("changes", HOSTILE)
def test_whatever_a_proxy_answers_becomes_a_record(changes):
    found = ask(**changes)
    assert (found.pod, {port.port for port in found.ports} >= {8080, 8082}) == (TARGET.place, True)
    if "listeners" in changes:
        assert {port.accepts for port in found.ports} == {"unknown"}
    json.dumps(found.public()).encode()


OTHER = "spiffe://cluster.local/ns/proxies-home/sa/other"


@pytest.mark.parametrize(
    ("target", "changes", "result", "why"),
    [
        pytest.param(TARGET, {}, "fits", "", id="its own"),
        pytest.param(TARGET._replace(identity=OTHER), {}, "wrong", f"shows {IDENTITY}, and must show {OTHER}",
                     id="another account's"),
        pytest.param(TARGET._replace(identity=IDENTITY.replace("cluster.local", "old.domain")), {}, "wrong",
                     f"shows {IDENTITY}, and must show spiffe://old.domain/", id="another trust domain's"),
        pytest.param(TARGET._replace(identity=None), {}, "unknown", "which one it must show is not known",
                     id="nobody knows whose it must be"),
        pytest.param(TARGET, {"secrets": b"{}"}, "unknown", f"shows no identity of a mesh, and must show {IDENTITY}",
                     id="none at all"),
        pytest.param(TARGET, {"secrets": b"?"}, "unknown", "shows no identity", id="certificates that cannot be read"),
        pytest.param(TARGET._replace(pod="other-1"), {}, "wrong", f"says that it is the one of proxies-home/{POD}",
                     id="of a proxy that is another pod's"),
    ],
)  # fmt: skip
def test_a_proxy_is_believed_for_the_identity_that_it_must_have(target, changes, result, why):
    found = ask(target, **changes)
    assert found.identity.result == result
    assert why in found.identity.why
    assert {port.accepts for port in found.ports} == {"strict" if result == "fits" else "unknown"}
    sent = {endpoint.sends for item in found.upstreams for endpoint in item.endpoints}
    assert "plaintext" in sent
    assert ("mtls" in sent, "unknown" in sent) == ((True, False) if result == "fits" else (False, True))


def test_what_is_worse_than_unknown_is_believed_of_anybody():
    found = ask(TARGET._replace(identity=OTHER), name="off")
    assert {port.accepts for port in found.ports} == {"plaintext"}


def test_what_nobody_foresaw_makes_one_proxy_unknown(monkeypatch):
    monkeypatch.setattr(answers.state, "node", lambda configs: {}[3])
    found = ask()
    assert (found.answered, found.reason) == (False, "what it answers cannot be read (KeyError)")
    assert {port.accepts for port in found.ports} == {"unknown"}


def test_what_a_proxy_says_can_be_shown():
    content = json.loads(given().node)
    content["configs"][0]["bootstrap"]["node"]["metadata"]["ISTIO_VERSION"] = "1\n2\x1b[31m" + "x" * 10_000
    found = ask(node=json.dumps(content).encode())
    assert found.version.startswith("1 2\\u001b[31m")
    assert len(found.version) < 400


FIELDS = ("name", "eds_cluster_config", "load_assignment", "transport_socket", "transport_socket_matches")


@pytest.mark.parametrize(
    ("question", "more"),
    [(answers.CLUSTERS, ("transport_socket_matcher",)), (answers.OLDER_CLUSTERS, ())],
    ids=["a newer Envoy", "an older Envoy"],
)
def test_of_clusters_only_what_is_read_is_asked_for(question, more):
    assert question == answers._clusters(*more)
    assert question.path == "/config_dump"
    assert question.query == {
        "resource": "dynamic_active_clusters",
        "mask": ",".join(f"cluster.{name}" for name in (*FIELDS, *more)),
        "name_regex": r"outbound\|.*",
    }


@pytest.mark.parametrize(
    ("speaks", "identity", "sends"),
    [
        ("mtls", IDENTITY, "mtls"),
        ("hbone", IDENTITY, "hbone"),
        ("mtls", "spiffe://x/ns/a/sa/b", "unknown"),
        ("hbone", "spiffe://x/ns/a/sa/b", "unknown"),
        ("plaintext", "spiffe://x/ns/a/sa/b", "plaintext"),
        ("simple", "spiffe://x/ns/a/sa/b", "simple"),
    ],
)
def test_what_a_proxy_sends_is_believed_of_its_own_identity(speaks, identity, sends):
    whose = answers.compared(IDENTITY, [identity], ())
    endpoint = UpstreamEndpoint("10.0.0.1:8080", speaks)
    upstream = Upstream("outbound|80||a", "a", 80, "", speaks, (endpoint,), "")
    found = answers._sent(upstream, whose)
    assert (found.sends, [item.sends for item in found.endpoints]) == (sends, [sends])
    assert bool(found.reason) is (identity != IDENTITY)
    assert answers._sent(upstream._replace(reason="first"), whose).reason == "first"
    assert found._replace(sends=speaks, endpoints=(endpoint,), reason="") == upstream


def test_the_summary_counts_proxies_that_deserve_a_look():
    whole = ask()
    off = whole.istiod._replace(connected=False)
    refused = whole.configuration._replace(accepted=False)
    bare = whole._replace(certificates=tuple(item._replace(root_fingerprint="") for item in whole.certificates))
    foreign = tuple(item._replace(root_fingerprint="other") for item in whole.certificates if item.kind == "root")
    assert foreign
    found = [
        whole._replace(certificates=(*whole.certificates, *foreign)),
        bare,
        whole._replace(istiod=off),
        whole._replace(configuration=refused),
        whole._replace(istiod=off, configuration=refused, answered=False),
    ]
    summary = answers.summary(found)
    assert (summary["not_answered"], summary["not_connected"], summary["rejected"]) == (1, 1, 1)
    assert (summary["roots"]["unknown"], sum(summary["roots"].values())) == (1, 5)
    assert list(summary["roots"]) == sorted(summary["roots"])


def types_of(value):
    """The types of everything in a value."""
    yield type(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from types_of(inner)


def test_what_is_made_public_is_plain():
    """What a module returns has no types of ours: they would be lists without names."""
    found = ask(clusters=None).public()
    assert found["certificates"]
    assert set(types_of(found)) <= {dict, list, str, int, bool, type(None)}
