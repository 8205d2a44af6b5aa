"""What proxy_info says of real proxies, whose policies, pods and rights differ."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from kubernetes import client, dynamic

from tests.cluster_objects import create, remove_namespaces, wait_until_ready
from tests.cluster_runs import ROOT, module, python_image
from tests.integration.proxy_info.manifests import HOME, MUTE, NAMESPACES, OUTSIDE, WORKLOADS, contents, namespaces

GROUP = "rbac.authorization.k8s.io"
NOBODY, HALF = "meshproof-test:no-inspector", "meshproof-test:inspector-at-home"
"""Users with the reader's role: one has nothing else, the other is an inspector in one namespace."""
ROLES = ("reader", "inspector")


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, istio: None) -> Iterator[None]:
    """The mesh, two users with few rights, and afterwards a cluster as it was."""
    any_kind = dynamic.DynamicClient(api)
    try:
        create(api, [*rights(), *namespaces(), *contents(python_image()), binding_at_home()])
        wait_until_ready(
            api, NAMESPACES, least=sum(item.get("replicas", 1) for item in WORKLOADS.values()) + 2, seconds=180
        )
        yield
    finally:
        for manifest in rights():
            resource = any_kind.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
            if resource.get(label_selector="meshproof-test=proxy-info").items:
                resource.delete(name=manifest["metadata"]["name"])
        remove_namespaces(api, NAMESPACES, 180)


def rights() -> list[dict[str, Any]]:
    """The shipped roles under names of our own, and the reader's for both users."""
    roles = [yaml.safe_load((ROOT / "docs" / "rights" / f"{name}.yml").read_text()) for name in ROLES]
    for name, role in zip(ROLES, roles, strict=True):
        role["metadata"] = {"name": f"meshproof-test:proxy-info-{name}"}
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "meshproof-test:proxy-info"},
        **bound("reader", NOBODY, HALF),
    }
    found = [*roles, binding]
    for manifest in found:
        manifest["metadata"]["labels"] = {"meshproof-test": "proxy-info"}
    return found


def binding_at_home() -> dict[str, Any]:
    metadata = {"name": "inspector", "namespace": HOME}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        **bound("inspector", HALF),
    }


def bound(role: str, *users: str) -> dict[str, Any]:
    return {
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": f"meshproof-test:proxy-info-{role}"},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user} for user in users],
    }


@pytest.fixture(scope="module")
def everything(mesh: None) -> dict[str, Any]:
    """All proxies of the namespaces, when each has the configuration that its policies ask for."""
    end = time.monotonic() + 60
    while True:
        found = module("proxy_info", namespaces=list(NAMESPACES), all=True, upstreams=True)
        if accepts(found).get("ports") == EXPECTED["ports"] or time.monotonic() > end:
            return found
        time.sleep(3)


def accepts(result: dict[str, Any]) -> dict[str, dict[int, str]]:
    """What each workload of HOME accepts on each port."""
    return {
        proxy["workload"].rsplit("/", 1)[1]: {port["port"]: port["accepts"] for port in proxy["ports"]}
        for proxy in result["proxies"]
    }


EXPECTED = {
    "strict": {8080: "strict", 8081: "strict", 8082: "strict"},
    "open": {8080: "permissive", 8081: "permissive", 8082: "permissive"},
    "off": {8080: "plaintext", 8081: "plaintext", 8082: "plaintext"},
    "ports": {8080: "permissive", 8081: "plaintext", 8082: "strict"},
    "excluded": {8080: "plaintext", 8081: "strict", 8082: "strict"},
    MUTE: {8080: "unknown"},
}
# What a sidecar of HOME sends to each of the servers.
SENDS = {
    "strict": ("auto", {"mtls"}),
    "open": ("plaintext", {"plaintext"}),
    "off": ("auto", {"plaintext"}),
    "ports": ("mtls", {"mtls"}),
    "excluded": ("simple", {"simple"}),
    "bare": ("auto", {"plaintext"}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_ports_accept(everything: dict[str, Any], name: str) -> None:
    assert accepts(everything)[name] == EXPECTED[name]


def test_every_proxy_with_an_envoy_answered_in_full(everything: dict[str, Any]) -> None:
    answered = [proxy for proxy in everything["proxies"] if proxy["pod"] != f"{OUTSIDE}/{MUTE}"]
    assert len(answered) == 6
    for proxy in answered:
        assert (proxy["answered"], proxy["reason"], proxy["passthrough"]) == (True, "", True), proxy["pod"]
        assert proxy["istiod"]["connected"] is True
        assert proxy["configuration"]["accepted"] is True, proxy["configuration"]
        assert proxy["version"]
        assert proxy["envoy_version"]
    assert (everything["asked"], everything["answered"]) == (7, 6)


def test_one_without_an_envoy_is_unknown(everything: dict[str, Any]) -> None:
    [mute] = [proxy for proxy in everything["proxies"] if proxy["pod"] == f"{OUTSIDE}/{MUTE}"]
    assert (mute["answered"], mute["istiod"]["connected"], mute["configuration"]["accepted"]) == (False, None, None)
    assert mute["reason"] == "nothing listens on port 15000 (connection refused)"


def test_a_pod_without_a_proxy_is_named(everything: dict[str, Any]) -> None:
    [bare] = [item for item in everything["not_asked"] if item["workload"] == f"{OUTSIDE}/Deployment/bare"]
    assert (len(bare["pods"]), bare["reason"]) == (1, "it has no proxy")


def test_certificates(everything: dict[str, Any], api: client.ApiClient) -> None:
    text = client.CoreV1Api(api).read_namespaced_config_map("istio-ca-root-cert", HOME).data["root-cert.pem"]
    root = x509.load_pem_x509_certificate(text.encode()).fingerprint(hashes.SHA256()).hex()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for proxy in everything["proxies"]:
        if not proxy["answered"]:
            continue
        account = proxy["workload"].rsplit("/", 1)[1]
        own, trusted = proxy["certificates"]
        assert own["identity"] == f"spiffe://cluster.local/ns/{HOME}/sa/{account}"
        assert (own["root_fingerprint"], trusted["fingerprint"], trusted["kind"]) == (root, root, "root")
        assert own["not_before"] < now < own["not_after"]
    assert everything["summary"]["roots"] == {root: 6}


@pytest.mark.parametrize("name", SENDS)
def test_what_is_sent(everything: dict[str, Any], name: str) -> None:
    [proxy] = [item for item in everything["proxies"] if item["workload"] == f"{HOME}/Deployment/off"]
    found = [item for item in proxy["upstreams"] if item["host"].split(".")[0] == name and item["port"] == 80]
    found = [item for item in found if item["host"].split(".")[1] in NAMESPACES]
    assert [(item["sends"], {endpoint["sends"] for endpoint in item["endpoints"]}) for item in found] == [SENDS[name]]


def test_a_sample_has_some_of_every_workload(mesh: None) -> None:
    found = module("proxy_info", namespaces=[HOME])
    assert len(found["proxies"]) == found["asked"] == len(WORKLOADS)
    assert {proxy["workload"] for proxy in found["proxies"]} == {f"{HOME}/Deployment/{name}" for name in WORKLOADS}
    assert found["total"] >= 7
    [rest] = [item for item in found["not_asked"] if item["workload"] == f"{HOME}/Deployment/strict"]
    assert (len(rest["pods"]), rest["reason"]) == (1, "not in the sample of 1 of this workload's 2 pods")
    assert found["proxies"][0]["upstreams"] == []


def test_chosen_workloads(mesh: None) -> None:
    found = module("proxy_info", workloads=[f"{HOME}/Deployment/strict"], all=True)
    assert [proxy["workload"] for proxy in found["proxies"]] == [f"{HOME}/Deployment/strict"] * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workloads": [f"{HOME}/Deployment/none"]}, f"There is no workload {HOME}/Deployment/none. Remedy"),
        ({"sample": 0}, "The option sample is 0. Remedy"),
        ({"side_by_side": 100}, "side_by_side is too big. Remedy"),
        ({"namespaces": [HOME], "impersonate_user": NOBODY}, "meshproof-inspector"),
    ],
)
def test_what_cannot_be_done(mesh: None, options: dict[str, Any], words: str) -> None:
    found = module("proxy_info", **options)
    assert "proxies" not in found
    assert words in found["msg"]


def test_rights_in_one_namespace_only(mesh: None) -> None:
    found = module("proxy_info", namespaces=list(NAMESPACES), impersonate_user=HALF)
    answered = {proxy["pod"].split("/")[0]: proxy["answered"] for proxy in found["proxies"]}
    assert answered == {HOME: True, OUTSIDE: False}
    [mute] = [proxy for proxy in found["proxies"] if not proxy["answered"]]
    assert "forbidden" in mute["reason"]


def test_an_answer_that_is_too_long_makes_unknown(mesh: None) -> None:
    found = module("proxy_info", workloads=[f"{HOME}/Deployment/strict"], upstreams=True, max_bytes=4096)
    [proxy] = found["proxies"]
    assert (proxy["answered"], proxy["certificates"], proxy["passthrough"]) == (True, [], None)
    assert {port["accepts"] for port in proxy["ports"]} == {"unknown"}
    assert "longer than 4096 bytes (max_bytes)" in proxy["reason"]
