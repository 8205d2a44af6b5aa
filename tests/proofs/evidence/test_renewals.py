"""Certificates that last a minute: two renewals are seen, each in time, and no request fails meanwhile."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes import client
from kubernetes.stream import stream

from tests.cluster_objects import remove_namespaces
from tests.cluster_runs import values
from tests.proofs.evidence import lies
from tests.proofs.evidence.test_lies import Mesh, asked

SPACE = "renewals"
RENEWALS, SECONDS = 2, 120
# Istio renews at half of a certificate's life.
SHORT_LIVED = {"proxy.istio.io/config": json.dumps({"proxyMetadata": {"SECRET_TTL": "60s"}})}
# A request each 50 ms on a new connection, so that each needs a handshake with whatever certificate there is.
CALLS = """
import sys, time, urllib.request
done, failed, end = 0, [], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        urllib.request.urlopen("http://server.renewals/", timeout=5).read()
        done += 1
    except OSError as error:
        failed.append(str(error))
    time.sleep(0.05)
print(done, len(failed), failed[:3])
"""


@pytest.fixture(scope="module")
def core(api: client.ApiClient, istio: None) -> Iterator[client.CoreV1Api]:
    """A server with certificates of a minute, and a client with such ones, too."""
    mesh = Mesh(api)
    image = values()["istio_verify_probe_image"]
    try:
        mesh.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": lies.INJECTED}},
            lies.strict(SPACE),
            lies.service(SPACE, "server"),
            lies.pod(SPACE, "server", image, lies.SERVER, SHORT_LIVED),
            lies.pod(SPACE, "caller", image, lies.IDLE, SHORT_LIVED),
        )
        mesh.wait_until_ready(SPACE)
        yield mesh.core
    finally:
        remove_namespaces(api, [SPACE])


def certificates() -> list[dict[str, Any]]:
    """The certificates that the two proxies show now."""
    proxies = asked("proxy_info", namespaces=[SPACE], all=True)["proxies"]
    return [
        {**item, "pod": proxy["pod"]}
        for proxy in proxies
        for item in proxy["certificates"]
        if item["kind"] == "workload"
    ]


def test_two_renewals_are_in_time_and_drop_nothing(core: client.CoreV1Api) -> None:
    seen: dict[str, dict[str, dict[str, Any]]] = {}
    with ThreadPoolExecutor(1) as threads:
        calls = threads.submit(
            stream, core.connect_get_namespaced_pod_exec, "caller", SPACE, container="app",
            command=["python3", "-c", CALLS, str(SECONDS)], stdout=True, stderr=True, stdin=False, tty=False,
        )  # fmt: skip
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for item in certificates():
                seen.setdefault(item["pod"], {}).setdefault(
                    item["serial"], {**item, "seen": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
                )
            time.sleep(2)
        done, failed, dummy = calls.result(timeout=60).split(" ", 2)
    print(f"{done} requests, {failed} failed; renewals { ({pod: len(found) - 1 for pod, found in seen.items()}) }")
    assert set(seen) == {f"{SPACE}/server", f"{SPACE}/caller"}
    for pod, found in seen.items():
        order = sorted(found.values(), key=lambda item: item["not_before"])
        assert len(order) > RENEWALS, f"{pod} renewed {len(order) - 1} times"
        for old, new in itertools.pairwise(order):
            assert new["seen"] < old["not_after"], f"{pod} showed a new certificate only after the old one had ended"
    assert int(done) > SECONDS
    assert failed == "0", calls.result()
