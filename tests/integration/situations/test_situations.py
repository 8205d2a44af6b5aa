"""What status_info says and what a request from inside the client's pod meets: for every client and server the same."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.cluster_objects import create, execute, is_ready, remove_namespaces, wait_for
from tests.cluster_runs import module, must, python_image
from tests.integration.situations.manifests import CLIENTS, NAMESPACES, SERVERS, contents, namespaces

Answers = dict[tuple[str, str], str]

# Asks every server once; prints {server: [status, what the server saw of the client's certificate] or an error}.
QUESTION = """
import http.client, json, sys
answers = {}
for place in sys.argv[1:]:
    namespace, name = place.split("/")
    try:
        connection = http.client.HTTPConnection(name + "." + namespace + ".svc.cluster.local", 80, timeout=5)
        connection.request("GET", "/")
        response = connection.getresponse()
        answers[place] = [response.status, response.read().decode()]
    except OSError as error:
        answers[place] = type(error).__name__
    except http.client.HTTPException as error:
        answers[place] = type(error).__name__
print(json.dumps(answers))
"""

# client, server, verdict, and the rule that the row is about (the sections of Istio's semantics that we follow)
SITUATIONS = [
    ("sit-clients/meshed", "sit-open/open", "mtls", "auto-mTLS to a PERMISSIVE sidecar"),
    ("sit-outside/unmeshed", "sit-open/open", "plaintext", "PERMISSIVE takes plaintext"),
    ("sit-clients/meshed", "sit-strict/strict", "mtls", "auto-mTLS to a STRICT sidecar"),
    ("sit-outside/unmeshed", "sit-strict/strict", "broken", "STRICT refuses plaintext"),
    ("sit-clients/meshed", "sit-strict/port-open", "mtls", "a PERMISSIVE port of a STRICT workload, from inside"),
    ("sit-outside/unmeshed", "sit-strict/port-open", "plaintext", "a PERMISSIVE port of a STRICT workload"),
    ("sit-clients/meshed", "sit-strict/port-off", "plaintext", "auto-mTLS respects a port that is DISABLE"),
    ("sit-clients/meshed", "sit-open/rule-off", "plaintext", "a DestinationRule with DISABLE wins over auto-mTLS"),
    ("sit-clients/meshed", "sit-strict/rule-off", "broken", "a DestinationRule with DISABLE against STRICT"),
    ("sit-clients/meshed", "sit-strict/excluded", "broken", "mTLS to a port that bypasses its proxy"),
    ("sit-outside/unmeshed", "sit-strict/excluded", "plaintext", "an excluded port takes plaintext under STRICT"),
    ("sit-clients/meshed", "sit-open/wrong-label", "plaintext", "the tlsMode label decides, not the sidecar"),
    ("sit-clients/meshed", "sit-strict/wrong-label", "broken", "the tlsMode label against STRICT"),
    ("sit-clients/meshed", "sit-off/off", "plaintext", "auto-mTLS to a DISABLE namespace"),
    ("sit-clients/meshed", "sit-off/strict", "broken", "auto-mTLS is inferred from the namespace, not the workload"),
    ("sit-clients/meshed", "sit-outside/outside", "plaintext", "auto-mTLS to a pod without a sidecar"),
    ("sit-clients/meshed", "sit-outside/rule-mutual", "broken", "ISTIO_MUTUAL to a pod without a sidecar"),
    ("sit-clients/blinkered", "sit-open/open", "plaintext", "a host that the client's Sidecar hides passes through"),
    ("sit-clients/blinkered", "sit-strict/strict", "broken", "passthrough against STRICT"),
    ("sit-clients/confined", "sit-open/open", "broken", "REGISTRY_ONLY blocks a hidden host"),
    ("sit-clients/bypassing", "sit-open/open", "plaintext", "an excluded outbound port bypasses the client's proxy"),
    ("sit-shadow/shadowed", "sit-open/open", "plaintext", "a wildcard rule in the client's namespace comes first"),
]


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, istio: None) -> Iterator[None]:
    """A mesh with all servers and clients running, and afterwards a cluster as it was."""
    core = client.CoreV1Api(api)
    try:
        create(api, [*namespaces(), *contents(python_image())])
        wait_for(lambda: _are_running(core), "running: every server and client", 180)
        yield
    finally:
        remove_namespaces(api, NAMESPACES, 180)


def _pods(core: client.CoreV1Api) -> dict[str, Any]:
    """The newest pod of each workload."""
    return {
        f"{pod.metadata.namespace}/{pod.metadata.labels['app']}": pod
        for namespace in NAMESPACES
        for pod in core.list_namespaced_pod(namespace).items
    }


def _are_running(core: client.CoreV1Api) -> bool:
    return {*SERVERS, *CLIENTS} <= {place for place, pod in _pods(core).items() if is_ready(pod)}


def declared() -> Answers:
    """The verdict of status_info for each client and server."""
    status = module("status_info", detail="full")
    names = {item["id"]: f"{item['namespace']}/{item['name']}" for item in status["workloads"]}
    return {
        (names[member], edge["service"]): edge["verdict"]
        for edge in status["edges"]
        for member in status["client_sets"][edge["clients"]]
        if names[member] in CLIENTS and edge["service"] in SERVERS
    }


def observed(api: client.ApiClient) -> Answers:
    """What a request from inside each client's pod meets."""
    pods = _pods(client.CoreV1Api(api))
    found: Answers = {}
    for place in CLIENTS:
        pod = pods[place].metadata
        answers = json.loads(execute(api, pod.namespace, pod.name, QUESTION, *SERVERS, seconds=120))
        found.update({(place, server): _verdict(answer) for server, answer in answers.items()})
    return found


def _verdict(answer: Any) -> str:
    """Only a sidecar that saw the client's certificate adds the header; anything but 200 comes from a proxy."""
    if not isinstance(answer, list) or answer[0] != 200:
        return "broken"
    return "mtls" if "spiffe://" in answer[1] else "plaintext"


@pytest.fixture(scope="module")
def answers(mesh: None, api: client.ApiClient) -> tuple[Answers, Answers]:
    """(declared, observed), when proxies had the time to get their configuration."""
    said = declared()
    end = time.monotonic() + 60
    while (seen := observed(api)) != said and time.monotonic() < end:
        time.sleep(3)
    return said, seen


def test_every_client_and_server(answers: tuple[Answers, Answers]) -> None:
    said, seen = answers
    assert len(seen) == len(CLIENTS) * len(SERVERS)
    assert {pair: (said.get(pair), seen[pair]) for pair in seen if said.get(pair) != seen[pair]} == {}


@pytest.mark.parametrize(("caller", "server", "verdict", "rule"), SITUATIONS, ids=[row[3] for row in SITUATIONS])
def test_situation(caller: str, server: str, verdict: str, rule: str, answers: tuple[Answers, Answers]) -> None:
    said, seen = answers
    assert (said[caller, server], seen[caller, server]) == (verdict, verdict)


def test_a_check_of_strict_shows_whom_it_would_break(mesh: None, api: client.ApiClient) -> None:
    """istio_mtls --check --diff on a live mesh: ports, connections and objects that would change, and none changes."""
    policies = client.CustomObjectsApi(api)

    def versions() -> dict[str, str]:
        found = policies.list_cluster_custom_object("security.istio.io", "v1", "peerauthentications")["items"]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}

    before = versions()
    wanted = {"istio_mtls_policies": [{"scope": "namespace", "namespace": "sit-open", "mode": "STRICT"}]}
    # One client breaks, so that without a limit the role would stop behind what it shows.
    allowed = {**wanted, "istio_mtls_max_rows": 200, "istio_mtls_max_broken": 1000}
    shown = must("site", "--tags", "mtls", "--check", "--diff", "-e", json.dumps(allowed))
    assert versions() == before
    assert "PORTS THAT CHANGE" in shown
    assert "CONNECTIONS THAT CHANGE" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert any(
        "sit-open/open 8080 PERMISSIVE, plaintext accepted → STRICT, plaintext refused" in line for line in lines
    )
    # Clients outside the mesh are many, of which the table names three.
    assert any("→ sit-open/open:80 plaintext → refused" in line for line in lines)
    assert any("sit-clients/blinkered → sit-open/open:80 plaintext → broken" in line for line in lines)
    assert any(line.startswith("+++ PeerAuthentication sit-open/") for line in lines)
