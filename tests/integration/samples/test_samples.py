"""Istio's samples run for real: the engine's verdicts on them are what Istio's documentation says and requests meet.

Every client asks every server from inside of its pod, also by way of the gateways, and what is outside of the mesh.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kubernetes import client

from tests.cluster_objects import create, execute, is_ready, remove_namespaces, wait_for
from tests.cluster_runs import module, must, python_image, run
from tests.integration.samples.manifests import (
    BAR,
    BOOKS,
    BOOKS_GATEWAY,
    DEMO,
    EGRESS,
    FEED,
    FOO,
    HOSTS,
    INGRESS,
    LEGACY,
    NAMESPACES,
    NEWS,
    ORIGINATED,
    OUTSIDE,
    STRICT,
    WIKI,
    WIKI_HOSTS,
    WORKLOADS,
    contents,
    gateway_api_kinds,
    namespaces,
    outside,
)

Edge = tuple[str, str, str]
"""Client, service:port or host:port, and endpoint; the endpoint of what is outside is its host."""
Verdicts = dict[Edge, str]
BOOKS_GATEWAYS = {INGRESS, f"{BOOKS}/{BOOKS_GATEWAY}"}
GATEWAY_PODS = {*BOOKS_GATEWAYS, EGRESS}
FRONT, PAGE = f"{BOOKS}/productpage-v1", f"{BOOKS}/productpage:9080"
HEALTH = "15021"

# Asks each URL until so many servers answered, or it is sure that none does; prints what each answer says.
ASK = """
import http.client, json, ssl, sys, urllib.parse
unverified = ssl._create_unverified_context()
def ask(url, status):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=5, context=unverified)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        body = response.read()
        return (json.loads(body) if body[:1] == b"{" else {"server": ""}) if response.status == status else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
found = {}
for server, url, status, servers in json.loads(sys.argv[1]):
    answers = found.setdefault(server, {})
    for attempt in range(40):
        answer = ask(url, status)
        if answer is None:
            answers["refused"] = None
        else:
            answers[answer["server"]] = answer
        if len(answers) >= servers or (attempt and "refused" in answers):
            break
print(json.dumps(found))
"""


class Row(NamedTuple):
    """What the documentation says of a sample: a client, a server, and what is between them."""

    client: str
    server: str
    verdict: str
    says: str


DOCUMENTED = [
    Row(FRONT, f"{BOOKS}/reviews:9080", "mtls", "Bookinfo's page calls the reviews"),
    Row(FRONT, f"{BOOKS}/details:9080", "mtls", "Bookinfo's page calls the details"),
    Row(f"{BOOKS}/reviews-v3", f"{BOOKS}/ratings:9080", "mtls", "the reviews call the ratings"),
    Row(f"{LEGACY}/curl", f"{BOOKS}/productpage:9080", "broken", "Bookinfo behind STRICT refuses plaintext"),
    Row(INGRESS, f"{BOOKS}/productpage:9080", "mtls", "the ingress gateway calls Bookinfo"),
    Row(f"{BOOKS}/{BOOKS_GATEWAY}", f"{BOOKS}/productpage:9080", "mtls", "so does the gateway of the Gateway API"),
    Row(f"{LEGACY}/curl", f"{INGRESS}:80", "plaintext", "an ingress gateway without TLS takes plaintext"),
    Row(f"{LEGACY}/curl", f"{BOOKS}/{BOOKS_GATEWAY}:80", "plaintext", "so does the gateway of the Gateway API"),
    Row(f"{DEMO}/curl", f"{DEMO}/helloworld:5000", "mtls", "helloworld"),
    *(
        Row(f"{client_}/curl", f"{server}/httpbin:8000", verdict, f"curl.{client_} to httpbin.{server}")
        for client_ in (FOO, BAR, LEGACY)
        for server, verdict in {
            FOO: "mtls" if client_ != LEGACY else "broken",
            BAR: "mtls" if client_ != LEGACY else "plaintext",
            LEGACY: "plaintext",
        }.items()
    ),
    Row(f"{DEMO}/curl", f"{NEWS}:80", "plaintext", "HTTP to an external service"),
    Row(f"{DEMO}/curl", f"{NEWS}:443", "tls", "HTTPS to an external service"),
    Row(f"{DEMO}/curl", f"{ORIGINATED}:80", "tls", "TLS origination"),
    Row(f"{DEMO}/curl", f"{WIKI}:443", "tls", "HTTPS to a host of a wildcard"),
    Row(f"{DEMO}/curl", f"{FEED}:80", "plaintext", "HTTP by way of the egress gateway"),
]


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, istio: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A mesh with all samples running, and afterwards a cluster as it was."""
    core, kinds = client.CoreV1Api(api), client.ApiextensionsV1Api(api)
    known = {item.metadata.name for item in kinds.list_custom_resource_definition().items}
    own = [item for item in gateway_api_kinds() if item["metadata"]["name"] not in known]
    try:
        create(api, [*own, *namespaces(), outside(python_image(), _certificate(tmp_path_factory.mktemp("outside")))])
        address = wait_for(lambda: _pods(core)[OUTSIDE].status.pod_ip, "running: what is outside")
        wait_for(lambda: _serves(api), "served: the kinds of the Gateway API")
        create(api, contents(python_image(), address))
        wait_for(lambda: _are_ready(core), "ready: every sample", 180)
        yield
    finally:
        remove_namespaces(api, NAMESPACES, 180)
        for item in own:
            kinds.delete_custom_resource_definition(item["metadata"]["name"])


def _certificate(folder: Path) -> str:
    """A key and its own certificate."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=outside", "-keyout", str(folder / "key"), "-out", str(folder / "certificate")],
        check=True, capture_output=True,
    )  # fmt: skip
    return (folder / "key").read_text() + (folder / "certificate").read_text()


def _serves(api: client.ApiClient) -> bool:
    """Whether the API server knows the Gateway API's kinds already."""
    objects = client.CustomObjectsApi(api)
    try:
        for plural in ("gateways", "httproutes"):
            objects.list_cluster_custom_object("gateway.networking.k8s.io", "v1", plural)
    except client.ApiException as error:
        if error.status != 404:
            raise
        return False
    return True


def _pods(core: client.CoreV1Api) -> dict[str, Any]:
    """Each pod by its namespace and Deployment, or its own name where it has none."""
    found = [pod for namespace in NAMESPACES for pod in core.list_namespaced_pod(namespace).items]
    return {f"{pod.metadata.namespace}/{_deployment_of(pod.metadata)}": pod for pod in found}


def _deployment_of(metadata: Any) -> str:
    return str(metadata.name.rsplit("-", 2)[0] if metadata.owner_references else metadata.name)


def _are_ready(core: client.CoreV1Api) -> bool:
    return {*WORKLOADS, *GATEWAY_PODS, OUTSIDE} <= {place for place, pod in _pods(core).items() if is_ready(pod)}


def declared(status: dict[str, Any]) -> Verdicts:
    """The engine's verdict for each client and server; where there are several for the same, all."""
    names = {item["id"]: f"{item['namespace']}/{item['name']}" for item in status["workloads"]}
    found: dict[Edge, set[str]] = {}
    for edge in status["edges"]:
        if edge["scope"] == "egress":
            server = endpoint = WIKI if edge["host"] == WIKI_HOSTS else edge["host"]
        else:
            server, endpoint = edge["service"], names.get(edge["endpoint"], "")
        if endpoint.split("/")[0] in {*NAMESPACES, *HOSTS}:
            for member in status["client_sets"][edge["clients"]]:
                found.setdefault((names[member], f"{server}:{edge['port']}", endpoint), set()).add(edge["verdict"])
    return {edge: ", ".join(sorted(verdicts)) for edge, verdicts in found.items() if edge[0] in _clients(edge[1])}


def _clients(server: str) -> set[str]:
    """Who can ask a server from inside: a gateway only where its routes lead, and what is outside none of its hosts."""
    if server.split(":")[0] in HOSTS:
        return {*WORKLOADS, *({EGRESS} if server == f"{FEED}:80" else ())}
    return {*WORKLOADS, OUTSIDE, *(BOOKS_GATEWAYS if server == PAGE else ())}


def observed(api: client.ApiClient, said: Verdicts) -> Verdicts:
    """What requests meet, sent from inside of each client's pod, over every edge of which something was said."""
    pods = _pods(client.CoreV1Api(api))
    places = {pod.status.pod_ip: place for place, pod in pods.items()}
    found: dict[Edge, set[str]] = {}
    for place in (*WORKLOADS, OUTSIDE):
        servers: dict[str, list[str]] = {}
        for who, server, endpoint in said:
            if who == place:
                servers.setdefault(server, []).append(endpoint)
        questions = [(server, *_question(server), len(endpoints)) for server, endpoints in servers.items()]
        pod = pods[place].metadata
        answers = json.loads(execute(api, pod.namespace, pod.name, ASK, json.dumps(questions), seconds=180))
        for server, endpoints in servers.items():
            for name, answer in answers[server].items():
                for edge, verdict in _met((place, server), endpoints, name, answer, places):
                    found.setdefault(edge, set()).add(verdict)
    return {edge: ", ".join(sorted(verdicts)) for edge, verdicts in found.items()}


def _question(server: str) -> tuple[str, int]:
    """The URL of a server, and the status of its answer: the egress gateway knows no host but that of the feed."""
    name, _, port = server.rpartition(":")
    host = ".".join([*reversed(name.split("/")), "svc.cluster.local"]) if "/" in name else name
    path = "/healthz/ready" if port == HEALTH else "/"
    return (
        f"http{'s' * (name in HOSTS and port == '443')}://{host}:{port}{path}",
        404 if server == f"{EGRESS}:80" else 200,
    )


def _met(
    pair: tuple[str, str], endpoints: list[str], name: str, answer: dict[str, Any] | None, places: dict[str, str]
) -> Iterator[tuple[Edge, str]]:
    """What one answer says of the edges that it came over: of the one that was asked, and of one behind a gateway.

    `name` is of whoever answered; a gateway that takes requests as they are is met in plaintext.
    """
    place, server = pair
    if answer is None:
        yield from (((*pair, endpoint), "broken") for endpoint in endpoints)
    elif server.rpartition(":")[0] in GATEWAY_PODS:
        gateway = endpoints[0]
        yield (*pair, gateway), "plaintext"
        if name == FRONT:
            yield (gateway, PAGE, FRONT), _seen(answer, gateway)
    elif name == OUTSIDE:
        yield (*pair, endpoints[0]), _seen(answer, place)
        if places.get(answer["from"]) == EGRESS:
            yield (EGRESS, server, FEED), _seen(answer, EGRESS)
    else:
        yield (*pair, name), _seen(answer, place)


def _seen(answer: dict[str, Any], place: str) -> str:
    """What the server saw. Only a sidecar that saw the client's certificate adds its name, at the header's end."""
    peer = answer["certificate"].rpartition("URI=")[2]
    if answer["tls"]:
        return "tls"
    if not peer:
        return "plaintext"
    return "mtls" if f"/ns/{place.split('/')[0]}/sa/" in peer else f"mtls of {peer}"


@pytest.fixture(scope="module")
def answers(mesh: None, api: client.ApiClient) -> tuple[Verdicts, Verdicts]:
    """(declared, observed), when proxies had the time to get their configuration."""
    said = declared(module("status_info", detail="full"))
    end = time.monotonic() + 60
    while _differences(said, seen := observed(api, said)) and time.monotonic() < end:
        time.sleep(3)
    return said, seen


def _differences(said: Verdicts, seen: Verdicts) -> dict[Edge, tuple[str, str]]:
    """Where a verdict is not what was met, or was not asked; what is said to be unknown has a test of its own."""
    pairs = {edge: (said.get(edge, "nothing"), seen.get(edge, "nothing")) for edge in {*said, *seen}}
    return {edge: pair for edge, pair in pairs.items() if pair[0] not in (pair[1], "unknown")}


def test_every_edge(answers: tuple[Verdicts, Verdicts]) -> None:
    assert _differences(*answers) == {}


def test_nothing_is_unknown_but_a_subset_that_clients_elsewhere_cannot_see(
    answers: tuple[Verdicts, Verdicts],
) -> None:
    """The rule with the subset of the egress gateway is in a namespace that is neither theirs nor the gateway's."""
    elsewhere = {place for place in WORKLOADS if place.split("/")[0] not in (DEMO, LEGACY)}
    said, seen = answers
    unknown = {edge for edge, verdict in said.items() if verdict == "unknown"}
    assert unknown == {(place, f"{FEED}:80", FEED) for place in elsewhere}
    assert {seen[edge] for edge in unknown} == {"broken"}


@pytest.mark.parametrize("row", DOCUMENTED, ids=[row.says for row in DOCUMENTED])
def test_as_documented(row: Row, answers: tuple[Verdicts, Verdicts]) -> None:
    said, seen = ({verdict for edge, verdict in found.items() if edge[:2] == row[:2]} for found in answers)
    assert (said, seen) == ({row.verdict}, {row.verdict})


def test_the_egress_gateway_passed_it_on(answers: tuple[Verdicts, Verdicts]) -> None:
    said, seen = answers
    edge = (EGRESS, f"{FEED}:80", FEED)
    assert (said[edge], seen[edge]) == ("plaintext", "plaintext")


def _verify(*spaces: str) -> list[str]:
    return ["-e", json.dumps({"istio_verify_namespaces": spaces})]


def test_verify_raises_no_false_alarm(mesh: None) -> None:
    must("verify", *_verify(*STRICT))


def test_verify_finds_who_takes_plaintext(mesh: None) -> None:
    ended = run("verify", *_verify(*STRICT, BAR))
    assert ended.returncode != 0
    for server in ("httpbin", "curl"):
        assert f"{BAR}/{server}" in ended.stdout
