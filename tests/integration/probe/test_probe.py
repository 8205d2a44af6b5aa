"""What the probe says of servers whose answers are known, and of faults that are really made."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_objects import create, is_ready, present, process_of, remove_namespaces, wait_for
from tests.cluster_runs import ROOT, environment, in_the_lab, module_command, python_image, returned, values
from tests.integration.probe import manifests
from tests.integration.probe.manifests import BARE, EXCLUDED, HEALTH, OPEN, PRIVATE, QUIET, STRICT, WEB

PLACE = "probing-pods"


PYTHON = python_image()
AGNHOST = str(values().get("istio_services_image", "registry.k8s.io/e2e-test-images/agnhost:2.53"))


def probe(**options: Any) -> dict[str, Any]:
    """One run of the module; its result."""
    with started(**options) as run:
        return answered(run, 240)


def answered(run: subprocess.Popen[str], seconds: int) -> dict[str, Any]:
    """The result of a run, which has to succeed."""
    result = returned(run.communicate(timeout=seconds)[0])
    assert (result["failed"], result["changed"]) == (False, False), result
    return result


def started(**options: Any) -> subprocess.Popen[str]:
    """A run of the module that goes on."""
    return subprocess.Popen(
        module_command("probe", **{"namespace": PLACE, "image": PYTHON, **options}), cwd=ROOT,
        env=environment(ANSIBLE_CALLBACK_RESULT_FORMAT="json"), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, core: client.CoreV1Api, istio: None) -> Iterator[dict[str, Any]]:
    """The servers' pods by their namespace."""
    try:
        create(api, [*manifests.namespaces(), *manifests.contents(PYTHON, AGNHOST)])
        yield wait_for(lambda: servers(core), "running: all servers", 180)
    finally:
        remove_namespaces(api, manifests.NAMESPACES, 180)


def servers(core: client.CoreV1Api) -> dict[str, Any]:
    pods = {}
    for namespace in manifests.NAMESPACES:
        for pod in core.list_namespaced_pod(namespace, label_selector="app=server").items:
            if is_ready(pod):
                pods[namespace] = pod
    return pods if len(pods) == len(manifests.NAMESPACES) else {}


@pytest.fixture(scope="module")
def answers(mesh: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Everything asked once: {(namespace, kind, port): result}."""
    targets = [{"service": f"{namespace}/server"} for namespace in manifests.NAMESPACES]
    result = probe(targets=targets, pod_ports=True, identities=["wrong", "expired"])
    return {
        ((target["service"] or target["pod"]).split("/")[0], target["kind"], target["port"]): target
        for target in result["targets"]
    }


# namespace, kind, port: protocol, verdict, identity check
ROWS = [
    (STRICT, "service", 80, "http", "strict", "enforced"),
    (STRICT, "service", 82, "grpc", "strict", "enforced"),
    (STRICT, "service", 83, "tcp", "strict", "enforced"),
    (STRICT, "service", 84, "http", "strict", "enforced"),
    (STRICT, "pod", WEB, "http", "strict", "enforced"),
    (STRICT, "pod", PRIVATE, "http", "strict", "enforced"),
    (STRICT, "pod", EXCLUDED, "http", "plaintext", "unknown"),
    (STRICT, "pod", HEALTH, "grpc", "strict", "enforced"),
    (STRICT, "pod", QUIET, "tcp", "strict", "enforced"),
    (OPEN, "service", 80, "http", "permissive", "enforced"),
    (OPEN, "service", 82, "grpc", "permissive", "enforced"),
    (OPEN, "service", 83, "tcp", "permissive", "enforced"),
    (OPEN, "service", 84, "http", "permissive", "enforced"),
    (OPEN, "pod", EXCLUDED, "http", "plaintext", "unknown"),
    (OPEN, "pod", HEALTH, "grpc", "permissive", "enforced"),
    (BARE, "service", 80, "http", "plaintext", "unknown"),
    (BARE, "service", 82, "grpc", "plaintext", "unknown"),
    (BARE, "service", 83, "tcp", "plaintext", "unknown"),
    (BARE, "service", 84, "http", "unknown", "unknown"),
    (BARE, "pod", HEALTH, "grpc", "plaintext", "unknown"),
]


@pytest.mark.parametrize(
    ("namespace", "kind", "port", "protocol", "verdict", "check"), ROWS, ids=[f"{r[0]} {r[1]} {r[2]}" for r in ROWS]
)
def test_verdict(
    namespace: str, kind: str, port: int, protocol: str, verdict: str, check: str, answers: dict[Any, dict[str, Any]]
) -> None:
    target = answers[namespace, kind, port]
    assert (target["protocol"], target["verdict"], target["identity_check"]) == (protocol, verdict, check), target


def test_a_real_grpc_server_answers_in_its_own_protocol(answers: dict[Any, dict[str, Any]]) -> None:
    strict, bare = answers[STRICT, "service", 82], answers[BARE, "service", 82]
    assert strict["inside"]["detail"].startswith("HTTP/2 "), strict
    assert strict["inside"]["mtls"]["detail"].startswith("HTTP/2 "), strict
    assert bare["outside"]["plaintext_detail"].startswith("HTTP/2 "), bare


@pytest.mark.parametrize("namespace", [STRICT, OPEN])
@pytest.mark.parametrize("port", [80, 82, 83])
def test_bad_certificates_are_refused_each_for_its_own_reason(
    namespace: str, port: int, answers: dict[Any, dict[str, Any]]
) -> None:
    met = answers[namespace, "service", port]["identities"]
    assert {kind: item["result"] for kind, item in met.items()} == dict.fromkeys(met, "rejected")


def test_an_expired_certificate_is_refused_as_expired(answers: dict[Any, dict[str, Any]]) -> None:
    details = [
        target["identities"]["expired"]["detail"] for target in answers.values() if target["verdict"] == "strict"
    ]
    assert any("certificate expired" in detail for detail in details), details


def test_to_a_pods_address_a_sidecar_passes_on_plaintext(answers: dict[Any, dict[str, Any]]) -> None:
    assert answers[STRICT, "pod", WEB]["inside"]["request"] == "refused"
    assert answers[STRICT, "pod", EXCLUDED]["inside"]["request"] == "answered"
    assert answers[OPEN, "pod", WEB]["inside"]["request"] == "answered"


def test_policies_that_tell_namespaces_apart(answers: dict[Any, dict[str, Any]], core: client.CoreV1Api) -> None:
    stranger = answers[STRICT, "service", 81]
    private = [{"service": f"{STRICT}/server", "port": 81}]
    [friend] = probe(targets=private, inside_namespace=OPEN, outside=False)["targets"]
    assert (stranger["inside"]["status"], friend["inside"]["status"]) == (403, 200)
    assert [pod.metadata.labels.get("app") for pod in core.list_namespaced_pod(OPEN).items] == ["server"]


def test_dozens_of_targets_from_one_pod(mesh: dict[str, Any]) -> None:
    started = time.monotonic()
    result = probe(targets=[{"service": f"{STRICT}/many"}])
    print(f"{manifests.MANY} targets in {time.monotonic() - started:.0f} s")
    assert result["summary"] == {"strict": manifests.MANY, "permissive": 0, "plaintext": 0, "unknown": 0}


# Faults.


@in_the_lab
def test_packets_that_a_firewall_drops_prove_nothing(mesh: dict[str, Any]) -> None:
    enter = ["nsenter", f"--target={process_of(mesh[STRICT])}", "--net", "--", "iptables"]
    # By the port that the client dialled, since the sidecar's own rules have led the packets elsewhere by then.
    match = ["--protocol", "tcp", "--match", "conntrack", "--ctorigdstport"]
    rules = [
        ["INPUT", *match, str(WEB), "--jump", "DROP"],
        ["INPUT", *match, str(PRIVATE), "--jump", "REJECT", "--reject-with", "icmp-admin-prohibited"],
    ]
    for rule in rules:
        subprocess.run([*enter, "--insert", *rule], check=True)
    try:
        found = probe(targets=[{"service": f"{STRICT}/server"}], step_timeout=2)["targets"]
    finally:
        for rule in rules:
            subprocess.run([*enter, "--delete", *rule], check=True)
    silent, told, untouched = (next(item for item in found if item["port"] == port) for port in (80, 81, 82))
    for target, detail in ((silent, "no TCP connection within 2 s"), (told, "no TCP connection: No route to host")):
        assert (target["verdict"], target["outside"]["plaintext"]) == ("unknown", "blocked"), target
        assert f"{detail}: a NetworkPolicy or firewall; nothing is proven about mutual TLS" in target["reason"]
        assert target["inside"]["mtls"]["result"] == "blocked"
    assert untouched["verdict"] == "strict"


def test_a_probe_that_loses_its_pods_knows_nothing(mesh: dict[str, Any], core: client.CoreV1Api) -> None:
    def asking(part: str) -> str:
        """The pod, once it is asking; the mute server keeps it at that."""
        for pod in core.list_namespaced_pod(PLACE).items:
            states = {item.name: item.state for item in pod.status.container_statuses or ()}
            own = [state.running for name, state in states.items() if name in ("outside", "request")]
            if pod.metadata.name.endswith(part) and own and all(own):
                return str(pod.metadata.name)
        return ""

    with started(targets=[{"service": f"{OPEN}/mute"}], step_timeout=20) as run:
        outside = wait_for(lambda: asking("outside"), "asking: the pod outside", 60, pause=0.3)
        core.delete_namespaced_pod(outside, PLACE)
        inside = wait_for(lambda: asking("inside"), "asking: the pod inside", 60, pause=0.3)
        core.create_namespaced_pod_eviction(inside, PLACE, {"metadata": {"name": inside, "namespace": PLACE}})
        result = answered(run, 120)
    [mute] = result["targets"]
    assert mute["verdict"] == "unknown", mute
    lost = "the probe's pod did not finish: it is being deleted by somebody else"
    assert (mute["outside"]["plaintext_detail"], mute["inside"]["detail"]) == (lost, lost)
    wait_for(lambda: PLACE not in present(core), "gone: the probe's namespace", 60)
