# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe finds to ask, which pods it makes for that, and what it does with their logs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import pods as probe_pods
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import wrong_identity
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Endpoint, Target, TargetError
from ansible_collections.meshproof.mtls.plugins.module_utils._source import wire
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import ProbeOptions
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import group, listed, served

DEMO, OTHER = "/api/v1/namespaces/demo", "/api/v1/namespaces/other"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
POD = {
    "metadata": {"name": "a-1", "namespace": "demo", "uid": "u1"},
    "spec": {"serviceAccountName": "a", "containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
    "status": {"phase": "Running", "podIP": "10.244.0.12"},
}
SERVICE = {
    "metadata": {"name": "a", "namespace": "demo"},
    "spec": {
        "clusterIP": "10.96.0.7",
        "selector": {"app": "a"},
        "ports": [{"port": 80, "targetPort": 8080, "name": "http"}],
    },
}
SLICE = {
    "metadata": {"name": "a-x", "namespace": "demo", "labels": {"kubernetes.io/service-name": "a"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    "endpoints": [
        {
            "addresses": ["10.244.0.12"],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "name": "a-1", "namespace": "demo"},
        }
    ],
}
NO_RIGHT = (403, {"kind": "Status", "message": "no rights", "reason": "Forbidden"})


@pytest.fixture
def demo(server):
    """A namespace with one Service over one pod, and one with nothing."""
    server.answer("GET /apis/discovery.k8s.io", group("discovery.k8s.io", "v1"))
    server.answer("GET /apis/discovery.k8s.io/v1", served("discovery.k8s.io/v1", "endpointslices"))
    for place, services, slices, pods in ((DEMO, [SERVICE], [SLICE], [POD]), (OTHER, [], [], [])):
        server.answer(f"GET {place}/services", listed("Service", *services))
        server.answer(f"GET {place}/pods", listed("Pod", *pods))
        name = place.rpartition("/")[2]
        path = f"GET {SLICES.format(name)}"
        server.answer(path, listed("EndpointSlice", *slices, version="discovery.k8s.io/v1"))
    return server


def wanted(service=None, pod=None, port=None):
    return {"service": service, "pod": pod, "port": port}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"target_namespaces": ["demo"]}, [("demo/a", None, 80)]),
        ({"target_namespaces": ["other"]}, []),
        ({"targets": [wanted("demo/a")]}, [("demo/a", None, 80)]),
        ({"targets": [wanted("demo/a", port=80)]}, [("demo/a", None, 80)]),
        ({"targets": [wanted(pod="demo/a-1")]}, [(None, "demo/a-1", 8080)]),
        ({"targets": [wanted(pod="demo/a-1", port=9090)]}, [(None, "demo/a-1", 9090)]),
        ({"targets": [wanted("demo/a")], "pod_ports": True}, [("demo/a", None, 80), (None, "demo/a-1", 8080)]),
        ({"target_namespaces": ["demo"], "pod_ports": True}, [("demo/a", None, 80), (None, "demo/a-1", 8080)]),
    ],
    ids=["a namespace", "an empty one", "a Service", "its port", "a pod", "another port", "and its pods", "all pods"],
)
def test_what_is_asked(demo, cluster, options, found):
    targets = wire.find_targets(cluster, ProbeOptions(**options))
    assert [(target.service, target.pod, target.port) for target in targets] == found


def test_an_endpoint_is_the_pod_behind_it(demo, cluster):
    [target] = wire.find_targets(cluster, ProbeOptions(target_namespaces=["demo"]))
    assert target.endpoints == (Endpoint("10.244.0.12", 8080, "a-1", "a"),)
    assert target.address == "10.96.0.7"


def test_only_so_many_endpoints_are_asked(demo, cluster):
    more = {**SLICE["endpoints"][0], "addresses": ["10.244.0.13"]}
    slices = {**SLICE, "endpoints": [*SLICE["endpoints"], more]}
    demo.answer(f"GET {SLICES.format('demo')}", listed("EndpointSlice", slices, version="discovery.k8s.io/v1"))
    [target] = wire.find_targets(cluster, ProbeOptions(target_namespaces=["demo"], max_endpoints=1))
    assert (len(target.endpoints), target.endpoints_total) == (1, 2)


def test_a_target_without_its_namespace_is_refused_before_anything_is_read(server, cluster):
    with pytest.raises(TargetError, match=r"The target a names no namespace\. Remedy: write it as namespace/name"):
        wire.find_targets(cluster, ProbeOptions(targets=[wanted("a")]))
    assert not server.requests


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Service", {"target_namespaces": ["demo"]}),
        ("EndpointSlice", {"target_namespaces": ["demo"]}),
        ("Pod", {"targets": [wanted(pod="demo/a-1")]}),
        ("Pod", {"target_namespaces": ["demo"], "pod_ports": True}),
    ],
    ids=["Services", "EndpointSlices", "pods that are targets", "pods behind Services"],
)
def test_without_the_right_to_see_targets_nothing_is_asked(demo, cluster, kind, options):
    path = SLICES.format("demo") if kind == "EndpointSlice" else f"{DEMO}/{kind.lower()}s"
    demo.answer(f"GET {path}", NO_RIGHT)
    with pytest.raises(TargetError, match=f"{kind}s of the namespace demo cannot be read: .*meshproof-reader"):
        wire.find_targets(cluster, ProbeOptions(**options))


def test_without_the_right_to_see_pods_their_accounts_are_unknown(demo, cluster):
    demo.answer(f"GET {DEMO}/pods", NO_RIGHT)
    [target] = wire.find_targets(cluster, ProbeOptions(target_namespaces=["demo"]))
    assert target.endpoints[0].account is None


def test_an_answer_of_unknown_make_is_an_error_and_no_empty_list(demo, cluster):
    demo.answer(f"GET {DEMO}/services", {"kind": "Status", "message": "odd"})
    with pytest.raises(TargetError, match="Services of the namespace demo cannot be read"):
        wire.find_targets(cluster, ProbeOptions(target_namespaces=["demo"]))


CERTIFICATE = wrong_identity.make_wrong("a.example", datetime(2026, 1, 31, 12))["certificate"]
MAP = {"kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert"}}


@pytest.mark.parametrize(
    ("text", "valid"),
    [(CERTIFICATE, True), ("", False), ("no certificate", False), (CERTIFICATE[:200], False), ("ü", False)],
    ids=["PEM", "nothing", "text", "cut off", "not ASCII"],
)
def test_roots_that_tls_can_use(text, valid):
    assert wire.is_pem(text) is valid


@pytest.mark.parametrize(
    ("answers", "roots"),
    [
        ({"demo": {**MAP, "data": {"root-cert.pem": f"\n{CERTIFICATE}\n"}}}, CERTIFICATE.strip()),
        ({name: {**MAP, "data": {"root-cert.pem": CERTIFICATE}} for name in ("demo", "other")}, CERTIFICATE.strip()),
        ({"demo": {**MAP, "data": {"root-cert.pem": "x"}}}, ""),
        ({"demo": MAP}, ""),
        ({"demo": NO_RIGHT}, ""),
        ({}, ""),
    ],
    ids=["one", "the same twice", "no certificate", "no data", "no right", "none"],
)
def test_the_meshs_roots_where_they_can_be_read(server, cluster, answers, roots):
    for name, answer in answers.items():
        server.answer(f"GET /api/v1/namespaces/{name}/configmaps/istio-ca-root-cert", answer)
    assert wire.root_certificates(cluster, {"demo", "other"}) == roots


def test_an_api_server_that_fails_is_no_mesh_without_roots(server, cluster):
    server.answer("GET /api/v1/namespaces/demo/configmaps/istio-ca-root-cert", (500, {"kind": "Status"}))
    with pytest.raises(api.ClusterError):
        wire.root_certificates(cluster, {"demo"})


def test_a_wrong_identity_is_made_on_demand_and_its_key_hidden():
    hidden: list[str] = []
    found = wire.wrong_identity(["wrong"], "a.example", pytest.fail, hidden.append)
    assert found is not None
    assert hidden == [found["key"]]
    assert wire.wrong_identity(["expired"], "a.example", pytest.fail, hidden.append) is None


def test_without_the_library_it_is_told_that_none_could_be_made(monkeypatch):
    def missing(_domain, _now):
        raise ImportError("no cryptography")

    told: list[str] = []
    monkeypatch.setattr(wrong_identity, "make_wrong", missing)
    assert wire.wrong_identity(["wrong"], "", told.append, pytest.fail) is None
    assert "the Python library cryptography is missing. Remedy" in told[0]


def injected(manifest: dict[str, Any], proxy: bool = True) -> dict[str, Any]:
    """As an injector would hand it back."""
    sidecar = {"name": "istio-proxy", "env": [{"name": "TRUST_DOMAIN", "value": "mesh.example"}]}
    spec = {**manifest["spec"], "initContainers": [sidecar] if proxy else []}
    return {**manifest, "spec": spec}


@pytest.mark.parametrize("proxy", [True, False])
def test_a_pod_inside_without_a_sidecar_would_lie(proxy):
    pod = injected({"metadata": {"namespace": "p", "name": "x"}, "spec": {}}, proxy)
    if proxy:
        wire.require_sidecar(pod)
    else:
        with pytest.raises(api.ClusterError, match="The pod p/x came up without istio-proxy"):
            wire.require_sidecar(pod)


class Pods:
    """In place of ShortLivedPods: pods that end at once, with logs that a test wrote."""

    logs: ClassVar[dict[str, str | None]] = {}
    lost: ClassVar[dict[str, str]] = {}
    proxy = True

    def __init__(self, _cluster: Any, namespaces: list[str], _ours: Any, _label: str, _run: str) -> None:
        self.namespaces = namespaces
        self.started: dict[str, dict[str, Any]] = {}
        Pods.last = self

    def __enter__(self) -> Pods:
        return self

    def __exit__(self, *_error: Any) -> None:
        return None

    def start(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.started[manifest["metadata"]["name"]] = manifest
        inside = manifest["metadata"]["labels"].get("sidecar.istio.io/inject") == "true"
        return injected(manifest, self.proxy) if inside else manifest

    def clear_leftovers(self) -> None:
        self.cleared = True

    def wait(self, wanted: dict[str, list[str]], timeout: float, _reading: Any) -> dict[str, str]:
        self.waited = (wanted, timeout)
        return {name: why for name in wanted for part, why in self.lost.items() if part in name}

    def log(self, _namespace: str, _pod: str, container: str) -> str:
        text = self.logs.get(container)
        if text is None:
            raise api.ClusterError("gone", 404)
        return text


def plan_of(pod: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """The plan that a container of a pod gets."""
    container = pod["spec"]["containers"][number]
    texts = [item.get("value", "") for item in container.get("env", ())]
    texts += [*container.get("command", ()), *container.get("args", ())]
    found: dict[str, Any] = json.loads(next(text for text in texts if text.startswith('{"mode"')))
    return found


@pytest.fixture
def pods(monkeypatch):
    monkeypatch.setattr(wire.api, "ShortLivedPods", Pods)
    for name, value in (("logs", {}), ("lost", {}), ("proxy", True)):
        monkeypatch.setattr(Pods, name, value)
    return Pods


ASKED = [Target("demo", "a", 80, "http", "10.96.0.7", (Endpoint("10.244.0.12", 8080, "a-1", "a"),), 1)]


def lines(*answers, done):
    return "\n".join([*map(json.dumps, answers), json.dumps({"done": done})])


def whole():
    return {
        "outside": lines({"id": "0/service"}, {"id": "0/0", "plaintext": {"result": "refused"}}, done=2),
        "request": lines({"id": "0/request", "request": {"result": "answered"}}, done=1),
        "handshake": lines({"id": "0/0", "mtls": {"result": "no_tls"}}, done=1),
    }


def ask(cluster, told=None, **options):
    warnings = [] if told is None else told
    return wire.ask(cluster, ProbeOptions(**options), ASKED, warnings.append, lambda _secret: None)


def test_what_the_pods_heard(server, cluster, pods):
    pods.logs = whole()
    told: list[str] = []
    heard = ask(cluster, told, namespace="p", inside_namespace="in", timeout=90, identities=["wrong", "expired"])
    assert heard.trust_domain == "mesh.example"
    assert heard.answers["outside"]["0/0"]["plaintext"] == {"result": "refused"}
    assert heard.answers["request"]["0/request"]["request"] == {"result": "answered"}
    assert heard.answers["handshake"]["0/0"]["mtls"] == {"result": "no_tls"}
    assert told == []
    inside, outside = pods.last.started.values()
    assert (inside["metadata"]["namespace"], outside["metadata"]["namespace"]) == ("in", "p")
    assert pods.last.namespaces == ["p", "in"]
    assert list(pods.last.waited[0].values()) == [["request", "handshake"], ["outside"]]
    assert pods.last.waited[1] == 90
    assert pods.last.cleared
    # Of the trust domain that the injector named, and of nobody's making.
    assert "certificate" in plan_of(outside)["wrong"]
    assert plan_of(inside, 1)["expired"] is True


@pytest.mark.parametrize(
    ("options", "containers"),
    [
        ({}, ["outside", "request", "handshake"]),
        ({"inside": False}, ["outside"]),
        ({"outside": False}, ["request", "handshake"]),
    ],
    ids=["both", "outside only", "inside only"],
)
def test_only_the_pods_that_are_wanted_are_made(server, cluster, pods, options, containers):
    pods.logs = whole()
    heard = ask(cluster, **options)
    assert sorted(heard.answers) == sorted(containers)
    assert heard.trust_domain == ("mesh.example" if "request" in containers else "")


def test_no_wrong_identity_where_none_is_wanted(server, cluster, pods):
    pods.logs = whole()
    ask(cluster, identities=[], inside=False)
    [outside] = pods.last.started.values()
    assert plan_of(outside)["wrong"] is None


def test_a_pod_inside_that_was_not_injected_asks_nothing(server, cluster, pods):
    pods.proxy = False
    with pytest.raises(api.ClusterError, match="came up without istio-proxy"):
        ask(cluster)


def test_a_lost_pod_leaves_what_it_had_answered(server, cluster, pods):
    pods.logs = {**whole(), "outside": json.dumps({"id": "0/service", "plaintext": {"result": "refused"}})}
    pods.lost = {"outside": "it was evicted"}
    told: list[str] = []
    heard = ask(cluster, told)
    assert heard.answers["outside"]["0/service"]["plaintext"] == {"result": "refused"}
    assert heard.answers["outside"]["0/0"]["obstacle"] == "the probe's pod did not finish: it was evicted"
    assert any("did not finish (it was evicted)" in text for text in told)
    assert set(heard.answers["request"]["0/request"]) == {"id", "request"}


def test_a_lost_pod_without_a_log_has_answered_nothing(server, cluster, pods):
    pods.logs = {**whole(), "outside": None}
    pods.lost = {"outside": "it is gone"}
    assert set(ask(cluster).answers["outside"]["0/0"]) == {"obstacle"}


def test_a_log_that_cannot_be_had_of_a_pod_that_is_there_is_an_error(server, cluster, pods):
    pods.logs = {**whole(), "outside": None}
    with pytest.raises(api.ClusterError, match="gone"):
        ask(cluster)


def test_a_container_that_ended_too_early_says_why(server, cluster, pods):
    pods.logs = {**whole(), "request": "Killed"}
    with pytest.raises(api.ClusterError, match=r"container request could not ask anything: Killed\. Remedy: the image"):
        ask(cluster)


def test_a_container_that_ended_in_the_middle_leaves_the_rest_unknown(server, cluster, pods):
    begun = json.dumps({"id": "0/service", "plaintext": {"result": "refused"}})
    pods.logs = {**whole(), "outside": f"{begun}\nKilled"}
    heard = ask(cluster)
    assert heard.answers["outside"]["0/0"]["obstacle"].endswith("container outside ended with: Killed")


def test_what_nobody_asked_is_told_and_left_out(server, cluster, pods):
    strange = json.dumps({"id": "7/7", "plaintext": {"result": "refused"}})
    pods.logs = {**whole(), "outside": f"{strange}\n{whole()['outside']}"}
    told: list[str] = []
    heard = ask(cluster, told)
    assert set(heard.answers["outside"]) == {"0/service", "0/0"}
    assert any("container outside is odd" in text and "7/7" in text for text in told)


def test_without_targets_no_pod_is_made(demo, cluster, pods):
    options = ProbeOptions(target_namespaces=["other"])
    pods.last = None
    assert wire.probe(cluster, options, pytest.fail, pytest.fail, {}) == []
    assert pods.last is None


@pytest.mark.parametrize(
    ("heard", "named", "expected"),
    [
        ("mesh.example", [], "mesh.example"),
        ("mesh.example", ["old.example"], "mesh.example"),
        ("", ["old.example"], "old.example"),
        ("", [], None),
    ],
    ids=["the injector's", "the injector's first", "one that is named", "none is known"],
)
def test_which_trust_domain_counts(heard, named, expected):
    [result] = wire.judged(ProbeOptions(trust_domains=named), ASKED, wire.Heard({}, heard), {})
    assert result["verdict"] == "unknown"
    identity = expected and f"spiffe://{expected}/ns/demo/sa/a"
    assert result["endpoints"][0]["identity_expected"] == identity


def test_what_is_known_of_a_pod_counts_before_its_account():
    known = {"demo/a-1": ("spiffe://x/ns/demo/sa/own",)}
    [result] = wire.judged(ProbeOptions(), ASKED, wire.Heard({}, "mesh.example"), known)
    assert "spiffe://x/ns/demo/sa/own" in str(result["endpoints"][0]["identity_expected"])


def test_the_pods_own_program_is_whole():
    names = [part.__name__.rpartition(".")[2] for part in wire.PROGRAM]
    assert names == ["http2", "plain", "tls", "program"]
    assert probe_pods.CONTAINERS == ("outside", "request", "handshake")
