"""Objects in a real cluster for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, dynamic
from kubernetes.stream import stream

from tests.integration.traffic.manifests import Manifest

PATIENCE = 120


def image() -> str:
    """An image with Python that the cluster can run."""
    path = os.environ.get("MTLS_VARS")
    values = (yaml.safe_load(Path(path).read_text()) or {}) if path else {}
    return str(values.get("istio_verify_probe_image", "python:3.13-alpine"))


def create(api: client.ApiClient, manifests: Iterable[Manifest]) -> None:
    """Create objects of any kinds."""
    any_kind = dynamic.DynamicClient(api)
    for manifest in manifests:
        resource = any_kind.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        resource.create(body=manifest, namespace=manifest["metadata"].get("namespace"))


def remove(api: client.ApiClient, namespaces: Sequence[str]) -> None:
    """Delete namespaces, if they are there, and wait until they have gone."""
    core = client.CoreV1Api(api)
    present = {item.metadata.name for item in core.list_namespace().items}
    for name in set(namespaces) & present:
        core.delete_namespace(name)
    wait(lambda: not set(namespaces) & {item.metadata.name for item in core.list_namespace().items}, "gone")


def wait_until_ready(api: client.ApiClient, namespaces: Sequence[str]) -> None:
    """Wait for all pods of some namespaces."""
    core = client.CoreV1Api(api)

    def ready() -> bool:
        pods = [pod for name in namespaces for pod in core.list_namespaced_pod(name).items]
        return all(
            pod.status.container_statuses and all(status.ready for status in pod.status.container_statuses)
            for pod in pods
        )

    wait(ready, f"ready: the pods of {', '.join(namespaces)}")


def wait(done: Callable[[], Any], what: str) -> None:
    """Wait for something that comes by itself."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"not {what} after {PATIENCE} s"
        time.sleep(1)


def execute(api: client.ApiClient, namespace: str, pod: str, script: str, *arguments: str) -> None:
    """Run a Python script in the application's container of a pod."""
    output = stream(
        client.CoreV1Api(api).connect_get_namespaced_pod_exec, pod, namespace,
        container="app", command=["python3", "-c", script, *arguments],
        stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False,
    )  # fmt: skip
    output.run_forever(timeout=60)
    assert output.returncode == 0, output.read_stderr()
