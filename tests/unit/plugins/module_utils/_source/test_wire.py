# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the wire: which targets are found, which pods are made, and what their logs come to."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import plan as probe_plan
from ansible_collections.meshproof.mtls.plugins.module_utils._source import wire
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import ProbeOptions
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.wire.wire_servers import issue, pem
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import group, listed, served

RUN = "abcd1234"
OUTSIDE, INSIDE = f"meshproof-probe-{RUN}-outside", f"meshproof-probe-{RUN}-inside"
OPTIONS = ProbeOptions(namespace="probes", target_namespaces=["shop"], identities=[], timeout=60, step_timeout=2)
FORBIDDEN = (403, {"kind": "Status", "message": "no rights", "reason": "Forbidden"})
NAMESPACE = {"kind": "Namespace", "apiVersion": "v1"}
PROXY = {"name": "istio-proxy", "env": [{"name": "TRUST_DOMAIN", "value": "x.example"}]}


def service(name="web", namespace="shop", *ports, **spec):
    ports = [{"name": "http", "port": number, "protocol": "TCP"} for number in ports or (80,)]
    spec = {"selector": {"app": name}, "clusterIP": "10.0.0.1", "ports": ports, **spec}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def endpoints(name="web", namespace="shop", *addresses, pod="web-1"):
    owner = {"kind": "Pod", "name": pod}
    return {
        "metadata": {"name": f"{name}-x", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address], "targetRef": owner} for address in addresses or ("10.1.0.1",)],
    }


def server_pod(name="web-1", namespace="shop", address="10.1.0.1", *ports):
    spec = {
        "serviceAccountName": "web",
        "containers": [{"name": "app", "ports": [{"containerPort": number} for number in ports or (8080, 9090)]}],
    }
    status = {"phase": "Running", "podIP": address}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status}


def deployed(server, namespace="shop", services=None, slices=None, pods=None):
    """What a namespace holds."""
    core, discovery = f"GET /api/v1/namespaces/{namespace}", "GET /apis/discovery.k8s.io/v1/namespaces/" + namespace
    given = (services, [service(namespace=namespace)]), (slices, [endpoints(namespace=namespace)])
    services, slices = (default if found is None else found for found, default in given)
    server.answer(f"{core}/services", listed("Service", *services))
    server.answer(f"{discovery}/endpointslices", listed("EndpointSlice", *slices, version="discovery.k8s.io/v1"))
    server.answer(f"{core}/pods", listed("Pod", *([server_pod(namespace=namespace)] if pods is None else pods)))


def wanted(service=None, pod=None, port=None):
    return {"service": service, "pod": pod, "port": port}


def found(cluster, **options):
    return wire.find_targets(cluster, OPTIONS._replace(**options))


def ports(targets):
    return [(target.kind, target.namespace, target.name, target.port) for target in targets]


WEB = ("service", "shop", "web", 80)
POD_PORTS = [("pod", "shop", "web-1", 8080), ("pod", "shop", "web-1", 9090)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [WEB], id="every Service of the namespaces"),
        pytest.param({"targets": [wanted(service="shop/web")]}, [WEB], id="a Service"),
        pytest.param({"targets": [wanted(service="shop/web", port=80)]}, [WEB], id="a port of a Service"),
        pytest.param({"targets": [wanted(pod="shop/web-1")]}, POD_PORTS, id="a pod and no Service"),
        pytest.param({"targets": [wanted(pod="shop/web-1", port=9090)]}, POD_PORTS[1:], id="a port of a pod"),
        pytest.param({"targets": [wanted(service="shop/web"), wanted(pod="shop/web-1")]}, [WEB, *POD_PORTS], id="both"),
        pytest.param({"pod_ports": True}, [WEB, *POD_PORTS], id="the ports of the pods behind a Service"),
        pytest.param(
            {"pod_ports": True, "targets": [wanted(service="shop/web")]}, [WEB, *POD_PORTS], id="behind a chosen one"
        ),
    ],
)
def test_which_targets_are_found(server, cluster, options, expected):
    deployed(server)
    targets = found(cluster, **options)
    assert ports(targets) == expected
    assert {target.endpoints[0].account for target in targets} == {"web"}
    assert not any(target.obstacle for target in targets)


def test_only_the_namespaces_of_the_targets_are_read(server, cluster):
    deployed(server, "shop")
    deployed(server, "bank", [service(namespace="bank")])
    targets = found(cluster, targets=[wanted(service="bank/web")])
    assert ports(targets) == [("service", "bank", "web", 80)]
    assert all("/namespaces/bank/" in path for path, _query in server.asked())


def test_without_namespaces_all_are_read(server, cluster):
    server.answer("GET /api/v1/services", listed("Service", service(), service(namespace="bank")))
    server.answer(
        "GET /apis/discovery.k8s.io/v1/endpointslices",
        listed("EndpointSlice", endpoints(), version="discovery.k8s.io/v1"),
    )
    targets = found(cluster, target_namespaces=None)
    assert ports(targets) == [("service", "bank", "web", 80), WEB]
    assert [target.endpoints_total for target in targets] == [0, 1]


@pytest.mark.parametrize("kind", ["service", "pod"])
@pytest.mark.parametrize("name", ["web", "a/b/c"])
def test_a_target_without_a_namespace(server, cluster, kind, name):
    with pytest.raises(probe_plan.TargetError, match=f"The target {name} names no namespace. Remedy: write it as"):
        found(cluster, targets=[wanted(**{kind: name})])
    assert server.requests == []


CORE = "GET /api/v1/namespaces/shop"


@pytest.mark.parametrize(
    ("route", "options", "kind"),
    [
        pytest.param(f"{CORE}/services", {}, "Services", id="services"),
        pytest.param(
            "GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", {}, "EndpointSlices", id="endpoint slices"
        ),
        pytest.param(f"{CORE}/pods", {"pod_ports": True}, "Pods", id="pods for their ports"),
        pytest.param(f"{CORE}/pods", {"targets": [wanted(pod="shop/web-1")]}, "Pods", id="pods that are targets"),
    ],
)
def test_what_is_needed_and_cannot_be_read_is_an_error(server, cluster, route, options, kind):
    deployed(server)
    server.answer(route, FORBIDDEN)
    server.answer("GET /apis/discovery.k8s.io", group("discovery.k8s.io", "v1"))
    server.answer("GET /apis/discovery.k8s.io/v1", served("discovery.k8s.io/v1", "endpointslices"))
    with pytest.raises(probe_plan.TargetError) as caught:
        found(cluster, **options)
    assert str(caught.value) == (
        f"{kind} of the namespace shop cannot be read: no rights. Remedy: ask for a role that may; the ClusterRole "
        "meshproof-reader that this collection ships does."
    )


def test_without_pods_services_are_asked_and_identities_unknown(server, cluster):
    deployed(server)
    server.answer(f"{CORE}/pods", FORBIDDEN)
    [target] = found(cluster)
    assert (target.endpoints[0].pod, target.endpoints[0].account) == ("web-1", None)


def test_endpoints_and_asks_have_limits(server, cluster, monkeypatch):
    deployed(server, slices=[endpoints("web", "shop", "10.1.0.1", "10.1.0.2", "10.1.0.3")])
    [target] = found(cluster, max_endpoints=2)
    assert (len(target.endpoints), target.endpoints_total, target.obstacle) == (2, 3, "")
    monkeypatch.setattr(wire, "MOST_ASKS", 2)
    [target] = found(cluster, max_endpoints=2)
    assert "Remedy: choose fewer" in target.obstacle


# The pods


class Kubelet:
    """Takes pods as an API server does, runs none of them, and has what they would have printed."""

    def __init__(self, server, monkeypatch):
        monkeypatch.setattr(wire.secrets, "token_hex", lambda size: RUN if size == 4 else "")
        self.server, self.pods, self.made = server, {}, {}
        self.injects, self.status = True, {}
        self.state = {"terminated": {"exitCode": 0}}
        self.warned, self.hidden = [], []
        for namespace in ("probes", "shop-clients"):
            place = f"/api/v1/namespaces/{namespace}"
            server.answer(f"GET {place}", {**NAMESPACE, "metadata": {"name": namespace, "uid": "1"}})
            server.answer(f"POST {place}/pods", self.take)
            server.answer(f"GET {place}/pods", self.show)
            for name in (OUTSIDE, INSIDE):
                server.answer(f"DELETE {place}/pods/{name}", self.drop)
        server.answer(
            "GET /api/v1/namespaces/shop/configmaps/istio-ca-root-cert",
            (404, {"kind": "Status", "message": "not found"}),
        )

    def says(self, name, *logs, namespace="probes"):
        self.server.answer(f"GET /api/v1/namespaces/{namespace}/pods/{name}/log", *logs)

    def take(self, handler, _data):
        pod = json.loads(json.dumps(self.server.requests[-1][3]))
        name = pod["metadata"]["name"]
        self.made[name] = self.server.requests[-1][3]
        pod["metadata"].update(uid=f"of {name}", creationTimestamp="2026-11-22T15:00:00Z")
        if pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "true" and self.injects:
            pod["spec"]["initContainers"] = [PROXY]
        states = [{"name": item["name"], "state": self.state} for item in pod["spec"]["containers"]]
        pod["status"] = {"containerStatuses": states, **self.status.get(name, {})}
        self.pods[name] = pod
        answer(handler, pod)

    def show(self, handler, _data):
        namespace = handler.path.split("/")[4]
        answer(
            handler, listed("Pod", *(pod for pod in self.pods.values() if pod["metadata"]["namespace"] == namespace))
        )

    def drop(self, handler, _data):
        self.pods.pop(handler.path.split("?")[0].rsplit("/", 1)[1], None)
        answer(handler, {"kind": "Status"})

    def asked(self, cluster, targets, **options):
        return wire.ask(cluster, OPTIONS._replace(**options), targets, self.warned.append, self.hidden.append)

    def plan(self, name, container=0):
        return json.loads("".join(self.made[name]["spec"]["containers"][container]["args"]))

    def logs_read(self):
        return [
            (path.split("/")[6], query["container"]) for path, query in self.server.asked() if path.endswith("/log")
        ]


def answer(handler, content):
    data = json.dumps(content).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture
def kubelet(server, monkeypatch):
    return Kubelet(server, monkeypatch)


def log(*lines, done=None):
    return "".join(f"{json.dumps(line)}\n" for line in [*lines, {"done": len(lines) if done is None else done}])


ENDPOINT = probe_plan.Endpoint("10.1.0.1", 8080, "web-1", "web")
TARGET = probe_plan.Target("shop", "web", 80, "http", "10.0.0.1", (ENDPOINT,), 1)
REFUSED = {"result": "refused", "detail": "reset", "connected": True}
PLAIN = {"result": "answered", "detail": "HTTP 200", "connected": True}
NO_TLS = {"result": "error", "detail": "no TLS"}
SERVICE, POD = ({"id": name, "plaintext": PLAIN, "tls": NO_TLS} for name in ("0/service", "0/0"))
REQUEST, HANDSHAKE = {"id": "0/request", "request": PLAIN}, {"id": "0/0", "mtls": NO_TLS}


def test_both_pods_ask_and_go(server, cluster, kubelet):
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.says(INSIDE, log(REQUEST), log(HANDSHAKE), namespace="shop-clients")
    heard = kubelet.asked(cluster, [TARGET], inside_namespace="shop-clients", image_pull_secrets=["registry"])
    assert heard == (
        {
            "outside": {"0/service": SERVICE, "0/0": POD},
            "request": {"0/request": REQUEST},
            "handshake": {"0/0": HANDSHAKE},
        },
        "x.example",
    )
    assert kubelet.logs_read() == [(INSIDE, "request"), (INSIDE, "handshake"), (OUTSIDE, "outside")]
    assert {name: pod["metadata"]["namespace"] for name, pod in kubelet.made.items()} == {
        INSIDE: "shop-clients",
        OUTSIDE: "probes",
    }
    assert (kubelet.pods, kubelet.warned, kubelet.hidden) == ({}, [], [])
    for pod in kubelet.made.values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["spec"]["activeDeadlineSeconds"] == 120
        assert pod["metadata"]["labels"]["meshproof.mtls/run"] == RUN
    plans = [kubelet.plan(OUTSIDE), kubelet.plan(INSIDE), kubelet.plan(INSIDE, 1)]
    assert [(plan["mode"], [ask["id"] for ask in plan["asks"]], plan["seconds"]) for plan in plans] == [
        ("outside", ["0/service", "0/0"], 2),
        ("request", ["0/request"], 2),
        ("handshake", ["0/0"], 2),
    ]
    assert (plans[0]["wrong"], plans[0]["roots"], plans[2]["expired"]) == (None, "", False)


def test_the_program_that_the_pods_get_runs_by_itself(cluster, kubelet):
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.asked(cluster, [TARGET], inside=False)
    [command] = [container["command"] for container in kubelet.made[OUTSIDE]["spec"]["containers"]]
    plan = json.dumps({"mode": "outside", "asks": [], "deadline": 1})
    result = subprocess.run([sys.executable, *command[1:], plan], check=True, capture_output=True, text=True)
    assert result.stdout == '{"done": 0}\n'


@pytest.mark.parametrize(
    ("options", "made", "answers"),
    [
        pytest.param({"inside": False}, [OUTSIDE], ["outside"], id="outside alone"),
        pytest.param({"outside": False}, [INSIDE], ["request", "handshake"], id="inside alone"),
    ],
)
def test_only_pods_that_are_wanted_are_made(cluster, kubelet, options, made, answers):
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.says(INSIDE, log(REQUEST), log(HANDSHAKE))
    heard = kubelet.asked(cluster, [TARGET], **options)
    assert (list(kubelet.made), list(heard.answers)) == (made, answers)
    assert heard.trust_domain == ("x.example" if INSIDE in made else "")


def test_the_pod_inside_has_the_revision_and_the_life_that_is_asked_for(cluster, kubelet):
    kubelet.says(INSIDE, log(REQUEST), log(HANDSHAKE))
    kubelet.asked(cluster, [TARGET], outside=False, revision="canary", identities=["expired"])
    assert kubelet.made[INSIDE]["metadata"]["labels"]["istio.io/rev"] == "canary"
    assert kubelet.plan(INSIDE, 1)["expired"] is True


def test_what_dead_probes_left_goes_before_anybody_is_waited_for(server, cluster, kubelet):
    """Their pods may hold what ours need."""
    labels = {**wire.probe_pods.OURS, wire.probe_pods.RUN: "dead"}
    old = {"name": "old", "namespace": "probes", "labels": labels, "creationTimestamp": "2026-11-22T10:00:00Z"}
    kubelet.pods["old"] = {"metadata": {**old, "uid": "1"}, "spec": {"activeDeadlineSeconds": 240}}
    server.answer("DELETE /api/v1/namespaces/probes/pods/old", kubelet.drop)
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.asked(cluster, [TARGET], inside=False)
    steps = [(method, path.rsplit("/", 1)[1]) for method, path, *_more in server.requests]
    assert steps.index(("DELETE", "old")) < steps.index(("GET", "log"))
    assert kubelet.pods == {}


def test_a_pod_that_no_sidecar_was_put_into_asks_nothing(cluster, kubelet):
    kubelet.injects = False
    with pytest.raises(api.ClusterError, match=f"The pod probes/{INSIDE} came up without istio-proxy.*Remedy: check"):
        kubelet.asked(cluster, [TARGET])
    assert (kubelet.pods, list(kubelet.made), kubelet.logs_read()) == ({}, [INSIDE], [])


EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        pytest.param(json.dumps(SERVICE) + "\n", True, id="half a log"),
        pytest.param("", False, id="an empty log"),
        pytest.param((404, {"kind": "Status", "message": "gone"}), False, id="no log any more"),
    ],
)
def test_what_a_lost_pod_had_not_answered_is_unknown(cluster, kubelet, text, answered):
    kubelet.state, kubelet.status = {"running": {}}, {OUTSIDE: EVICTED}
    kubelet.says(OUTSIDE, text)
    heard = kubelet.asked(cluster, [TARGET], inside=False)
    why = {"obstacle": "the probe's pod did not finish: Evicted: low on memory"}
    assert heard.answers["outside"] == {"0/service": {**(SERVICE if answered else {}), **why}, "0/0": why}
    assert kubelet.warned == [
        f"The probe's pod {OUTSIDE} did not finish (Evicted: low on memory); what it had not answered is unknown."
    ]
    assert kubelet.pods == {}


def test_the_log_of_a_pod_that_was_not_lost_must_be_there(cluster, kubelet):
    kubelet.says(OUTSIDE, FORBIDDEN)
    with pytest.raises(api.ClusterError, match="no rights"):
        kubelet.asked(cluster, [TARGET], inside=False)
    assert kubelet.pods == {}


def test_a_log_that_ends_too_early_leaves_the_rest_unknown(cluster, kubelet):
    kubelet.says(OUTSIDE, json.dumps(SERVICE) + "\nMemoryError\n")
    heard = kubelet.asked(cluster, [TARGET], inside=False)
    why = "the probe's pod did not finish: container outside ended with: MemoryError"
    assert heard.answers["outside"] == {"0/service": {**SERVICE, "obstacle": why}, "0/0": {"obstacle": why}}
    assert kubelet.warned == []


def test_an_image_that_cannot_ask_is_an_error(cluster, kubelet):
    kubelet.says(OUTSIDE, "python3: not found\n")
    with pytest.raises(api.ClusterError) as caught:
        kubelet.asked(cluster, [TARGET], inside=False, image="busybox")
    assert str(caught.value) == (
        "The probe's container outside could not ask anything: python3: not found. Remedy: the image busybox must have "
        "python3, version 3.10 or newer."
    )


def test_what_is_odd_in_a_log_is_told(cluster, kubelet):
    kubelet.says(OUTSIDE, log(SERVICE, POD, {"id": "9/9", "plaintext": REFUSED}, done=2))
    heard = kubelet.asked(cluster, [TARGET], inside=False)
    assert set(heard.answers["outside"]) == {"0/service", "0/0"}
    assert kubelet.warned == [
        "The log of the probe's container outside is odd: it answers 1 times what was not asked, such as 9/9; that is "
        "ignored, or unknown."
    ]


def test_a_probe_from_end_to_end(server, cluster, kubelet):
    deployed(server)
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.says(INSIDE, log(REQUEST), log(HANDSHAKE))
    [result] = wire.probe(cluster, OPTIONS, kubelet.warned.append, kubelet.hidden.append, {})
    assert (result["service"], result["port"], result["verdict"]) == ("shop/web", 80, "plaintext")


def test_without_targets_no_pod_is_made(server, cluster, kubelet):
    deployed(server, services=[])
    assert wire.probe(cluster, OPTIONS, kubelet.warned.append, kubelet.hidden.append, {}) == []
    assert kubelet.made == {}


def test_without_answers_all_is_unknown():
    [result] = wire.judged(OPTIONS, [TARGET], wire.NOTHING, {})
    assert result["verdict"] == "unknown"


# Certificates


@pytest.fixture(scope="module")
def roots():
    return [pem(issue(name)[1]).decode() for name in ("one", "two")]


def config_map(server, namespace, *answers):
    server.answer(f"GET /api/v1/namespaces/{namespace}/configmaps/istio-ca-root-cert", *answers)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param({"data": {"root-cert.pem": "PEM"}}, True, id="a certificate"),
        pytest.param({"data": {"root-cert.pem": "no PEM"}}, False, id="something else"),
        pytest.param({"data": {"root-cert.pem": ""}}, False, id="nothing"),
        pytest.param({"data": {"other": "PEM"}}, False, id="another key"),
        pytest.param({"data": None}, False, id="no data"),
        pytest.param({}, False, id="an empty map"),
        pytest.param(FORBIDDEN, False, id="no rights"),
        pytest.param((404, {"kind": "Status", "message": "not found"}), False, id="no map"),
    ],
)
def test_root_certificates_are_those_that_can_be_read(server, cluster, roots, answer, kept):
    text = json.dumps(answer[1] if isinstance(answer, tuple) else answer)
    text = text.replace('"PEM"', json.dumps(roots[0] + "\n"))
    config_map(server, "a", (answer[0], text) if isinstance(answer, tuple) else text)
    config_map(server, "b", {"data": {"root-cert.pem": roots[1]}})
    expected = sorted(one.strip() for one in (roots if kept else roots[1:]))
    assert wire.root_certificates(cluster, ["b", "a"]) == "\n".join(expected)


def test_the_same_root_of_two_namespaces_is_one(server, cluster, roots):
    for name, end in (("a", ""), ("b", "\n")):
        config_map(server, name, {"data": {"root-cert.pem": roots[0] + end}})
    assert wire.root_certificates(cluster, ["a", "b"]) == roots[0].strip()


def test_roots_that_fail_otherwise_are_an_error(server, cluster):
    config_map(server, "a", (500, {"kind": "Status", "message": "out of order"}))
    with pytest.raises(api.ClusterError, match="out of order"):
        wire.root_certificates(cluster, ["a"])


def test_the_roots_and_the_wrong_certificate_are_sent(server, cluster, kubelet, roots):
    config_map(server, "shop", {"data": {"root-cert.pem": roots[0]}})
    kubelet.says(OUTSIDE, log(SERVICE, POD))
    kubelet.says(INSIDE, log(REQUEST), log(HANDSHAKE))
    kubelet.asked(cluster, [TARGET], identities=["wrong"])
    plan = kubelet.plan(OUTSIDE)
    assert plan["roots"] == roots[0].strip()
    assert kubelet.hidden == [plan["wrong"]["key"]]


@pytest.mark.parametrize(("domain", "used"), [("x.example", "x.example"), ("", "cluster.local")])
def test_a_wrong_certificate_is_of_the_meshs_domain_and_its_key_is_hidden(monkeypatch, domain, used):
    made, hidden = [], []

    def make(*given):
        made.append(given)
        return {"certificate": "c", "key": "k"}

    monkeypatch.setattr(wire.probe_identity, "make_wrong", make)
    assert wire.wrong_identity(["wrong"], domain, print, hidden.append) == {"certificate": "c", "key": "k"}
    [(name, moment)] = made
    assert (name, moment.utcoffset().total_seconds(), hidden) == (used, 0, ["k"])


@pytest.mark.parametrize("wanted", [[], ["none"], ["expired"]])
def test_a_wrong_certificate_is_made_only_where_it_is_wanted(wanted):
    assert wire.wrong_identity(wanted, "x.example", pytest.fail, pytest.fail) is None


def test_without_the_library_no_wrong_certificate_is_shown(monkeypatch):
    def missing(*_given):
        raise ImportError("cryptography")

    warned = []
    monkeypatch.setattr(wire.probe_identity, "make_wrong", missing)
    assert wire.wrong_identity(["wrong"], "x.example", warned.append, pytest.fail) is None
    assert "the Python library cryptography is missing. Remedy: install" in warned[0]


def test_what_is_pem(roots):
    bad = ("", "x", roots[0][:100], "ü")  # Python refuses what is not ASCII by a TypeError
    assert [wire.is_pem(text) for text in (*roots, "".join(roots))] == [True, True, True]
    assert [wire.is_pem(text) for text in bad] == [False] * len(bad)
