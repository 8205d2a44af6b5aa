"""Fills a cluster with a big mesh and empties it again: through the API, many requests side by side.

The pods are the lab's own injected pod under other names, so every field is what injection really writes. No scheduler
knows their schedulerName, so they cost the API server its storage and nothing else.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api

from tests.benchmark.progress import Progress

MARK = {"meshproof.mtls/benchmark": "true"}
PREFIX = "bench-"
NOBODY = "meshproof-nobody"
AT_ONCE = 16
TEMPLATE = ("demo", "service-a")

NAMESPACE = api.Kind("", "v1", "namespaces", "Namespace", namespaced=False)
POD = api.Kind("", "v1", "pods", "Pod")
SERVICE = api.Kind("", "v1", "services", "Service")
ACCOUNT = api.Kind("", "v1", "serviceaccounts", "ServiceAccount")
REPLICA_SET = api.Kind("apps", "v1", "replicasets", "ReplicaSet")
RULE = api.Kind("networking.istio.io", "v1", "destinationrules", "DestinationRule")
PEER = api.Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication")


class Size(NamedTuple):
    """How big the mesh is."""

    pods: int = 10_000
    namespaces: int = 200
    services: int = 2_000
    rules: int = 500
    peers: int = 200


class Seeder:
    """Makes and removes the mesh of one size."""

    def __init__(self, cluster: api.Cluster, size: Size, progress: Progress) -> None:
        self._cluster = cluster
        self._size = size
        self._progress = progress
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def template(self) -> dict[str, Any]:
        """An injected pod of the lab, without what the API server or a node wrote into it."""
        namespace, app = TEMPLATE
        for page in self._cluster.list(POD, namespace, labels=f"app={app}"):
            for pod in page.items:
                if "sidecar.istio.io/status" in pod["metadata"].get("annotations", {}):
                    return _bare(pod)
        raise SystemExit(f"There is no injected pod of {app} in {namespace}. Remedy: run the playbook site first.")

    def fill(self) -> None:
        """Make everything; what an interrupted run left is removed first."""
        self.empty()
        template, size = self.template(), self._size
        names = [f"{PREFIX}{number:04}" for number in range(size.namespaces)]
        self._each("namespaces", names, self._namespace)
        apps = [App(names[number % len(names)], f"app-{number:05}", number) for number in range(size.services)]
        uids = dict(self._each("services and owners of pods", apps, self._service))
        self._each("PeerAuthentications", range(size.peers), lambda number: self._peer(names, number))
        self._each("DestinationRules", range(size.rules), lambda number: self._rule(apps, number))
        text = json.dumps(template)
        self._each("pods", range(size.pods), lambda number: self._pod(text, apps[number % len(apps)], uids, number))

    def empty(self) -> None:
        """Remove the namespaces with all that is in them."""
        left = self._left()
        if not left:
            return
        # A namespace's own removal deletes one object after the other; collections go faster.
        for kind in (POD, REPLICA_SET):
            self._each(f"{kind.plural} to remove", left, lambda name, kind=kind: self._delete_all(kind, name))
        self._each("namespaces to remove", left, lambda name: self._cluster.delete(NAMESPACE, name))
        with self._progress.step("waiting for the namespaces to go") as step:
            while left := self._left():
                step.say(f"{len(left)} left")
                time.sleep(1)

    def is_filled(self) -> bool:
        """Whether a mesh of this size was left by an earlier run."""
        return len(self._left()) == self._size.namespaces

    def _left(self) -> list[str]:
        labels = ",".join(f"{key}={value}" for key, value in MARK.items())
        pages = self._cluster.list(NAMESPACE, labels=labels)
        return [item["metadata"]["name"] for page in pages for item in page.items]

    def _delete_all(self, kind: api.Kind, namespace: str) -> None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        self._cluster.request("DELETE", kind.path(namespace), body=body)

    def _each(self, what: str, items: Iterable[Any], make: Callable[[Any], Any]) -> list[Any]:
        todo = list(items)
        results = []
        with self._progress.step(f"{len(todo)} {what}") as step:
            for result in self._threads.map(make, todo):
                results.append(result)
                step.say(f"{len(results)} of {len(todo)}")
        return results

    def _namespace(self, name: str) -> None:
        # Without an injection label no webhook is called for pods, which bring their sidecar.
        self._cluster.create(NAMESPACE, _manifest(NAMESPACE, name, labels=MARK))
        try:
            self._cluster.create(ACCOUNT, _manifest(ACCOUNT, "default", name))
        except api.ClusterError as error:
            if error.status != 409:  # the controller was faster
                raise

    def _service(self, app: App) -> tuple[str, str]:
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        spec: dict[str, Any] = {"selector": {"app": app.name}, "ports": ports}
        self._cluster.create(SERVICE, {**_manifest(SERVICE, app.name, app.namespace, {"app": app.name}), "spec": spec})
        # A real owner, or the garbage collector would take the pods away. It wants no pods, and selects none of these.
        selector = {"bench-owner": app.name}
        container = {"name": "app", "image": "none"}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": selector}, "spec": {"containers": [container]}},
        }
        owner = {**_manifest(REPLICA_SET, app.owner, app.namespace), "spec": spec}
        return app.name, self._cluster.create(REPLICA_SET, owner)["metadata"]["uid"]

    def _peer(self, names: list[str], number: int) -> None:
        name = names[number % len(names)]
        spec: dict[str, Any] = {"mtls": {"mode": "PERMISSIVE" if number % 5 == 0 else "STRICT"}}
        self._cluster.create(PEER, {**_manifest(PEER, f"peer-{number}", name), "spec": spec})

    def _rule(self, apps: list[App], number: int) -> None:
        """Rules of all sorts for a quarter of the services: for everybody, for their own namespace, with subsets."""
        app = apps[number * len(apps) // self._size.rules]
        mode = ("ISTIO_MUTUAL", "ISTIO_MUTUAL", "SIMPLE", "DISABLE")[number % 4]
        spec: dict[str, Any] = {
            "host": f"{app.name}.{app.namespace}.svc.cluster.local",
            "trafficPolicy": {"tls": {"mode": mode}, "connectionPool": {"tcp": {"maxConnections": 100}}},
        }
        if number % 3 == 0:
            spec["exportTo"] = ["."]
        if number % 5 == 0:
            spec["subsets"] = [{"name": "v1", "labels": {"version": "v1"}}]
        self._cluster.create(RULE, {**_manifest(RULE, f"rule-{number}", app.namespace), "spec": spec})

    def _pod(self, text: str, app: App, uids: dict[str, str], number: int) -> None:
        namespace, name = TEMPLATE
        text = text.replace(f'"{namespace}"', f'"{app.namespace}"').replace(f"/{namespace}/", f"/{app.namespace}/")
        pod = json.loads(text.replace(name, app.name))
        metadata = pod["metadata"]
        metadata["name"] = f"{app.owner}-{number:05}"
        metadata["labels"].update({"app": app.name, "pod-template-hash": app.hash})
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app.owner, "uid": uids[app.name]}
        ]
        self._cluster.create(POD, pod)


class App(NamedTuple):
    """A Service with its pods."""

    namespace: str
    name: str
    number: int

    @property
    def hash(self) -> str:
        """As a Deployment adds it to its ReplicaSet's name."""
        return f"{self.number:010}"

    @property
    def owner(self) -> str:
        """The ReplicaSet's name."""
        return f"{self.name}-{self.hash}"


def _manifest(
    kind: api.Kind, name: str, namespace: str | None = None, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels or {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _bare(pod: dict[str, Any]) -> dict[str, Any]:
    pod = copy.deepcopy(pod)
    pod.pop("status", None)
    metadata = pod["metadata"]
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generateName", "generation"):
        metadata.pop(name, None)
    pod["spec"].pop("nodeName", None)
    pod["spec"].update({"schedulerName": NOBODY, "serviceAccountName": "default", "serviceAccount": "default"})
    return pod
