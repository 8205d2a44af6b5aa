"""Objects in a real cluster for a while, and what tests do to pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, dynamic
from kubernetes.stream import stream

Manifest = dict[str, Any]
PATIENCE = 120
"""Seconds that something may take which comes by itself."""


def create(api: client.ApiClient, manifests: Iterable[Manifest]) -> None:
    """Create objects of any kinds."""
    any_kind = dynamic.DynamicClient(api)
    for manifest in manifests:
        resource = any_kind.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        resource.create(body=manifest, namespace=manifest["metadata"].get("namespace"))


def remove_namespaces(api: client.ApiClient, namespaces: Iterable[str], seconds: int = PATIENCE) -> None:
    """Delete namespaces, if they are there, and wait until they have gone."""
    core, names = client.CoreV1Api(api), set(namespaces)
    for name in names & present(core):
        core.delete_namespace(name)
    wait_for(lambda: not names & present(core), f"gone: the namespaces {', '.join(sorted(names))}", seconds)


def present(core: client.CoreV1Api) -> set[str]:
    """The namespaces that are there."""
    return {item.metadata.name for item in core.list_namespace().items}


def is_ready(pod: Any) -> bool:
    """Whether all containers of a pod are."""
    found = pod.status.container_statuses
    return bool(found) and all(status.ready for status in found)


def wait_until_ready(api: client.ApiClient, namespaces: Sequence[str], least: int = 1, seconds: int = PATIENCE) -> None:
    """Wait for all pods of some namespaces, of which there have to be so many."""
    core = client.CoreV1Api(api)

    def ready() -> bool:
        pods = [pod for name in namespaces for pod in core.list_namespaced_pod(name).items]
        return len(pods) >= least and all(map(is_ready, pods))

    wait_for(ready, f"ready: the pods of {', '.join(namespaces)}", seconds)


def wait_for(done: Callable[[], Any], what: str, seconds: int = PATIENCE, pause: float = 1.0) -> Any:
    """Wait for something that comes by itself; what it is."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, f"not {what} after {seconds} s"
        time.sleep(pause)
    return found


def process_of(pod: Any) -> str:
    """A process of a pod on this machine, by whose namespaces the pod's can be entered."""
    for cgroup in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if pod.metadata.uid in cgroup.read_text():
                return cgroup.parent.name
        except OSError:
            continue  # it ended meanwhile
    raise AssertionError(f"no process of the pod {pod.metadata.name} on this machine")


def execute(api: client.ApiClient, namespace: str, pod: str, script: str, *arguments: str, seconds: int = 60) -> str:
    """Run a Python script in the application's container of a pod; what it printed."""
    output = stream(
        client.CoreV1Api(api).connect_get_namespaced_pod_exec, pod, namespace,
        container="app", command=["python3", "-c", script, *arguments],
        stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False,
    )  # fmt: skip
    output.run_forever(timeout=seconds)
    printed = str(output.read_stdout())
    assert output.returncode == 0, output.read_stderr()
    return printed
