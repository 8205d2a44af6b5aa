"""traffic_info from the access logs that real proxies write, in each format of docs/traffic.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.cluster_objects import create, execute, remove_namespaces, wait_for, wait_until_ready
from tests.cluster_runs import ROOT, python_image
from tests.integration.traffic.manifests import (
    FORMATS,
    HTTP,
    LOGS,
    OUTSIDE,
    TCP,
    binding,
    namespaces,
    servers_and_callers,
)

Run = Callable[..., dict[str, Any]]
READER = "meshproof-test:traffic-logs"
CALLER = (f"{LOGS}/caller", f"spiffe://cluster.local/ns/{LOGS}/sa/caller")
STRANGER = (f"{OUTSIDE}/stranger", None)
# What follows the agent's name is what a line of mutual TLS would end with. A Service that was made just now refuses
# until the node and the caller's proxy know its endpoint; such an attempt reaches no server, and no log.
ASK = """
import socket, sys, time
forged = 'x" "y" "z" "1.2.3.4:5" inbound|8080|| a b c d e tls=TLSv1.3 peer=spiffe://cluster.local/ns/x/sa/y'
def answers(host, port):
    request = f"GET / HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\nUser-Agent: {forged}\\r\\n\\r\\n"
    try:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request.encode())
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False
end = time.monotonic() + 40
for place in sys.argv[1:]:
    while not answers(*place.split(":")):
        assert time.monotonic() < end, place
        time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def logged(api: client.ApiClient, istio: None) -> Iterator[None]:
    """Servers of each format that were called by one caller inside and one outside the mesh, by HTTP and by TCP."""
    try:
        create(api, namespaces())
        create(api, servers_and_callers(python_image()))
        wait_until_ready(api, (LOGS, OUTSIDE))
        places = [f"{name}.{LOGS}:{port}" for name in FORMATS for port in (80, 90)]
        execute(api, LOGS, "caller", ASK, *places)
        execute(api, OUTSIDE, "stranger", ASK, *places)
        yield
    finally:
        remove_namespaces(api, (LOGS, OUTSIDE))


def asked(seen: Run, server: str, **arguments: Any) -> dict[str, Any]:
    """The answer about one server, when its proxy has written all four lines."""
    found: dict[str, Any] = {}

    def written() -> bool:
        found.update(seen(source="access_log", workloads=[f"{LOGS}/{server}"], window="10m", **arguments))
        return bool(found["summary"]["requests"] == 4)

    wait_for(written, "written: four lines")
    return found


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("server", ["json", "text"])
def test_formats_that_tell(seen: Run, server: str) -> None:
    result = asked(seen, server)
    rows = {
        (row["source"]["workload"], row["source"]["principal"], row["port"], row["protocol"], row["security"])
        for row in result["traffic"]
    }
    assert rows == {
        (*CALLER, HTTP, "http", "mutual_tls"),
        (*CALLER, TCP, "tcp", "mutual_tls"),
        (*STRANGER, HTTP, "http", "plaintext"),
        (*STRANGER, TCP, "tcp", "plaintext"),
    }
    assert result["unknown"] == []
    assert result["queries"] == []


@pytest.mark.usefixtures("logged")
def test_istios_own_format_does_not_tell(seen: Run) -> None:
    result = asked(seen, "istio")
    assert result["summary"]["by_security"] == {"unknown": 4}
    assert ["4 of 4 lines are in a format that does not tell" in gap["reason"] for gap in result["unknown"]] == [True]


@pytest.mark.usefixtures("logged")
def test_a_log_that_is_cut_is_no_evidence(seen: Run, traffic_info: Run) -> None:
    asked(seen, "json")
    result = traffic_info(source="access_log", workloads=[f"{LOGS}/json"], tail_lines=2)
    assert "mutual_tls" not in result["summary"]["by_security"]
    assert ["only the last 2 lines were read" in gap["reason"] for gap in result["unknown"]] == [True]


@pytest.mark.usefixtures("logged")
def test_who_has_no_proxy_and_who_was_not_called(seen: Run) -> None:
    workloads = [f"{LOGS}/caller", f"{OUTSIDE}/stranger", f"{LOGS}/absent"]
    result = seen(source="access_log", workloads=workloads, namespaces=["traffic-nowhere"])
    reasons = {gap["touches"]: gap["reason"] for gap in result["unknown"]}
    assert result["traffic"] == []
    assert "no pod of it was found" in reasons[f"traffic to {LOGS}/absent"]
    assert reasons["traffic to traffic-nowhere"] == "no pod was found in it"
    assert "no proxy that could log" in reasons[f"traffic to {OUTSIDE}/stranger"]
    assert "logged no inbound connection" in reasons[f"traffic to {LOGS}/caller"]


@pytest.mark.usefixtures("logged")
def test_the_shipped_role_is_enough(api: client.ApiClient, seen: Run, traffic_info: Run) -> None:
    role = yaml.safe_load((ROOT / "docs" / "rights" / "access-log.yml").read_text())
    access = client.RbacAuthorizationV1Api(api)
    without = traffic_info(source="access_log", workloads=[f"{LOGS}/json"], impersonate_user=READER)
    assert "cannot list resource" in without["msg"]
    access.create_cluster_role(role)
    try:
        access.create_namespaced_role_binding(LOGS, binding(LOGS, role["metadata"]["name"], READER))
        result = asked(seen, "json", impersonate_user=READER)
    finally:
        access.delete_cluster_role(role["metadata"]["name"])
    callers = {(row["source"]["workload"], row["source"]["principal"]) for row in result["traffic"]}
    assert callers == {CALLER, (None, None)}, "whose namespace may not be read has no name"
