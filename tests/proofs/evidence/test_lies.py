"""`make proof-evidence`: policies that lie, made for real, and what each source sees. docs/sources.md is the table.

It needs a lab without Istio: it cuts proxies off, removes their iptables rules and changes the signing authority.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic
from kubernetes.stream import stream

from tests.cluster_objects import create, present, process_of, remove_namespaces, wait_for, wait_until_ready
from tests.cluster_runs import ROOT, in_the_lab, module, must, values
from tests.proofs.evidence import lies
from tests.proofs.evidence.lies import CLIENTS, LATE, NAMESPACES, OPEN, STALE, STRICT

# The lies are made on the node itself: rules removed, packets refused, a kubelet stopped.
pytestmark = in_the_lab
PAGE = ROOT / "docs" / "sources.md"
ROOT_NAMESPACE = "istio-system"


def asked(name: str, **arguments: Any) -> dict[str, Any]:
    """What a module returns, which has to succeed."""
    result = module(name, **arguments)
    assert not result["failed"], result
    return result


class Mesh:
    """The lying mesh, and what is done to it."""

    def __init__(self, api: client.ApiClient) -> None:
        self.core = client.CoreV1Api(api)
        self._api = api

    def create(self, *manifests: dict[str, Any]) -> None:
        create(self._api, manifests)

    def wait_until_ready(self, *names: str) -> None:
        wait_until_ready(self._api, names, seconds=180)

    def inside(self, namespace: str, pod: str, *command: str) -> None:
        """Run a program of this machine in a pod's network namespace."""
        process = process_of(self.core.read_namespaced_pod(pod, namespace))
        subprocess.run(["nsenter", f"--target={process}", "--net", "--", *command], check=True)

    def call(self, namespace: str, pod: str, address: str) -> str:
        """One request from a pod; the status or the error."""
        script = (
            "import sys, urllib.request\n"
            "try: print(urllib.request.urlopen(sys.argv[1], timeout=5).status)\n"
            "except OSError as error: print(type(error).__name__)"
        )
        output: str = stream(
            self.core.connect_get_namespaced_pod_exec, pod, namespace, container="app",
            command=["python3", "-c", script, f"http://{address}/"], stdout=True, stderr=True, stdin=False, tty=False,
        )  # fmt: skip
        return output.strip()

    def lie(self) -> None:
        """Everything that happens to pods after they have started."""
        self.core.patch_namespace(LATE, {"metadata": {"labels": lies.INJECTED}})
        self.inside(STRICT, "flushed", "iptables", "--table", "nat", "--flush")
        self.inside(
            STALE, "stale", "iptables", "--insert", "OUTPUT", "--protocol", "tcp", "--dport", "15012",
            "--jump", "REJECT", "--reject-with", "tcp-reset",
        )  # fmt: skip
        time.sleep(5)  # until the agent has noticed
        self.create(lies.strict(STALE))
        address = self.core.read_namespaced_pod("direct", OPEN).status.pod_ip
        assert self.call(CLIENTS, "caller", f"{address}:{lies.PORT}") == "200"
        assert self.call(CLIENTS, "blind", "hidden.lies-open.svc.cluster.local") == "200"

    def change_root(self) -> None:
        """A new signing authority, and one pod that has its certificate; all others keep theirs."""
        data = {name: base64.b64encode(content).decode() for name, content in lies.authority().items()}
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "cacerts", "namespace": ROOT_NAMESPACE},
                "data": data,
            }
        )
        for pod in self.core.list_namespaced_pod(ROOT_NAMESPACE, label_selector="app=istiod").items:
            self.core.delete_namespaced_pod(pod.metadata.name, ROOT_NAMESPACE)
        issuer = data["root-cert.pem"]

        def published() -> bool:
            found = self.core.read_namespaced_config_map("istio-ca-root-cert", STRICT).data or {}
            return base64.b64encode(found.get("root-cert.pem", "").encode()).decode()[:200] == issuer[:200]

        wait_for(published, "published: the new root", 120)
        servers = [item for item in lies.workloads(self.image) if item["kind"] == "Pod"]
        fresh = next(item for item in servers if item["metadata"]["name"] == "plain")
        fresh["metadata"]["name"] = "fresh"

        def created() -> bool:
            try:
                self.create(fresh)
            except dynamic.exceptions.InternalServerError:
                return False  # the webhook is not there yet, or not yet known by its new certificate
            return True

        wait_for(created, "injecting: the new istiod", 120)
        self.wait_until_ready(STRICT)

    def restore_root(self) -> None:
        """Take the authority away again, which an uninstall would rightly not do."""
        found = self.core.list_namespaced_secret(ROOT_NAMESPACE, field_selector="metadata.name=cacerts").items
        for secret in found:
            self.core.delete_namespaced_secret(secret.metadata.name, ROOT_NAMESPACE)

    image = ""


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient) -> Iterator[Mesh]:
    """The mesh with all its lies but the one about roots, and afterwards a cluster as it was."""
    made = Mesh(api)
    given = values()
    made.image = given["istio_verify_probe_image"]
    install = given["istio_install_values"]
    install["meshConfig"] = {**install.get("meshConfig", {}), **lies.LOGGING}
    try:
        must("site", "--tags", "install", "-e", json.dumps({"istio_install_values": install}))
        made.create(*lies.namespaces(), *lies.policies(), *lies.workloads(made.image))
        made.wait_until_ready(STRICT, LATE, OPEN, STALE, CLIENTS)
        made.lie()
        yield made
    finally:
        remove_namespaces(api, NAMESPACES, 180)
        made.restore_root()
        must("uninstall", "-e", "istio_install_purge=true")


class Seen:
    """What each source says alone, and what the audit makes of all."""

    def __init__(self, image: str, folder: Path) -> None:
        servers = [STRICT, LATE, OPEN, STALE]
        self.status = asked("status_info", detail="full")
        self.proxies = {item["pod"]: item for item in asked("proxy_info", all=True, upstreams=True)["proxies"]}
        self.wire = {
            item["service"]: item for item in asked("probe", target_namespaces=servers, image=image)["targets"]
        }
        self.audit = asked(
            "audit",
            sources=["declared", "programmed", "observed", "traffic"],
            dest=str(folder / "audit.json"),
            limit=1000,
            proxies={"all": True},
            probe={"image": image, "target_namespaces": servers},
            traffic={"source": "access_log", "workloads": [f"{OPEN}/direct", f"{OPEN}/hidden"]},
        )
        self.written: dict[str, Any] = json.loads((folder / "audit.json").read_text())

    def declared(self, place: str) -> str:
        """What status_info says of a server's port."""
        namespace, name = place.split("/")
        [port] = [
            port
            for item in self.status["workloads"]
            if (item["namespace"], item["name"]) == (namespace, name)
            for port in item["ports"]
            if port["port"] == lies.PORT
        ]
        mode = "not captured" if port["captured"] is False and port["mode"] else port["mode"] or "no proxy"
        return f"{mode}, plaintext {port['plaintext']}"

    def programmed(self, place: str) -> str:
        """What proxy_info says of it."""
        proxy = self.proxies.get(place)
        if proxy is None:
            return "no proxy"
        [accepts] = [port["accepts"] for port in proxy["ports"] if port["port"] == lies.PORT] or ["unknown"]
        return accepts + ("" if proxy["istiod"]["connected"] is not False else ", cut off")

    def observed(self, place: str) -> str:
        """What the probe says of it."""
        return str(self.wire[place]["verdict"])

    def findings(self, name: str) -> str:
        """The ids of the audit's findings about it."""
        found = {
            item["id"]
            for item in self.audit["findings"]
            if re.search(rf"\b{name}\b", item["object"] + " " + item["message"])
        }
        return ", ".join(sorted(found - {"MTLS-006"}))


@pytest.fixture(scope="module")
def seen(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(mesh.image, tmp_path_factory.mktemp("lies"))


def table() -> dict[str, list[str]]:
    """The rows of the page's table by the server that each is about."""
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ") and "`lies-" in line
    ]
    return {row[1]: row[2:] for row in rows}


@pytest.mark.parametrize("place", [name for name in table() if not name.endswith("/plain")])
def test_each_lie_is_caught(place: str, seen: Seen) -> None:
    """The page's row is what was measured, and at least one source contradicts the policy or says that it lies."""
    measured = [seen.declared(place), seen.programmed(place), seen.observed(place), seen.findings(place.split("/")[1])]
    assert measured == table()[place]


def test_a_sidecar_that_hides_a_server_makes_plaintext(seen: Seen) -> None:
    """Client by Sidecar egress: declared and programmed agree that it is plaintext, and the log saw it."""
    rows, sets = seen.written, seen.written["client_sets"]
    found = [
        (edge["verdict"], edge["programmed"], edge["observed"])
        for edge in rows["edges"]
        if edge["service"] == f"{OPEN}/hidden" and f"{CLIENTS}/Pod/blind" in sets[edge["clients"]]
    ]
    assert found == [("plaintext", "plaintext", "plaintext")]


def test_a_client_by_pod_ip_is_seen_by_telemetry_alone(seen: Seen) -> None:
    rows = seen.written
    found = [
        (edge["verdict"], edge["programmed"], edge["observed"], edge["agreement"])
        for edge in rows["edges"]
        if edge["service"] == f"{OPEN}/direct" and f"{CLIENTS}/Pod/caller" in rows["client_sets"][edge["clients"]]
    ]
    assert found == [("mtls", "mtls", "plaintext", "contradicted")]


def better(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Ports that are secure by some source although it could not say so before, and proofs that were none."""
    known = {(row["workload"], row["port"]): row for row in before["ports"]}
    return [
        f"{row['workload']} {row['port']}"
        for row in after["ports"]
        for old in [known.get((row["workload"], row["port"]), row)]
        if (row["agreement"] == "proven" and old["agreement"] != "proven")
        or any(row[name] == "strict" and old[name] != "strict" for name in ("declared", "programmed", "observed"))
    ]


def audited(image: str, timeout: int, dest: Path) -> dict[str, Any]:
    """An audit of the proxies and the wire while something is broken: its file, with what it returned."""
    returned = asked(
        "audit",
        sources=["declared", "programmed", "observed"],
        dest=str(dest),
        proxies={"all": True, "timeout": 5},
        probe={"image": image, "target_namespaces": [STRICT, OPEN], "timeout": timeout},
    )
    return {**json.loads(dest.read_text()), "returned": returned}


def nothing_is_left(mesh: Mesh) -> bool:
    return "meshproof-probe" not in present(mesh.core)


def test_without_istiod_nothing_gets_better(mesh: Mesh, seen: Seen, api: client.ApiClient, tmp_path: Path) -> None:
    before = seen.written
    apps = client.AppsV1Api(api)
    apps.patch_namespaced_deployment_scale("istiod", ROOT_NAMESPACE, {"spec": {"replicas": 0}})
    try:
        wait_for(
            lambda: not mesh.core.list_namespaced_pod(ROOT_NAMESPACE, label_selector="app=istiod").items, "gone: istiod"
        )
        time.sleep(5)  # until the proxies have noticed
        after = audited(mesh.image, 40, tmp_path / "audit.json")
        assert after["seen"]["observed"]["state"] == "not seen", after["seen"]
        assert {row["observed"] for row in after["ports"]} == {"unknown"}
        assert better(before, after) == []
        assert any(item["id"] == "MTLS-104" and "plain" in item["object"] for item in after["findings"])
        wait_for(lambda: nothing_is_left(mesh), "gone: the probe's namespace")
    finally:
        apps.patch_namespaced_deployment_scale("istiod", ROOT_NAMESPACE, {"spec": {"replicas": 1}})
        wait_for(
            lambda: apps.read_namespaced_deployment("istiod", ROOT_NAMESPACE).status.ready_replicas, "ready: istiod"
        )


def test_with_a_stopped_kubelet_nothing_gets_better(mesh: Mesh, seen: Seen, tmp_path: Path) -> None:
    before = seen.written
    [kubelet] = kubelets()
    os.kill(kubelet, signal.SIGSTOP)
    try:
        after = audited(mesh.image, 20, tmp_path / "audit.json")
    finally:
        os.kill(kubelet, signal.SIGCONT)
    assert (after["seen"]["programmed"]["state"], after["seen"]["observed"]["state"]) == ("not seen", "not seen")
    assert {row["programmed"] for row in after["ports"]} <= {"unknown", None}
    assert better(before, after) == []
    wait_for(lambda: nothing_is_left(mesh), "gone: the probe's namespace", 120)


def kubelets() -> list[int]:
    """The lab's own, told from another lab's by its network."""
    folder = Path(os.environ["KUBECONFIG"]).parent
    holder = json.loads((folder / "state.json").read_text())["holder"]["pid"]
    network = os.readlink(f"/proc/{holder}/ns/net")
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == "kubelet" and os.readlink(comm.parent / "ns" / "net") == network:
                found.append(int(comm.parent.name))
        except OSError:
            continue  # it ended meanwhile
    return found


def test_another_root_is_seen_in_the_proxies(mesh: Mesh, seen: Seen) -> None:
    """Last, because it breaks trust: a pod with a certificate of a new root among others of the old one."""
    mesh.change_root()
    image = mesh.image
    audit = asked(
        "audit", sources=["declared", "programmed"], limit=1000, proxies={"all": True}, probe={"image": image}
    )
    roots = [item for item in audit["findings"] if item["id"] == "MTLS-107"]
    assert len(roots) >= 2, audit["findings"]
    assert any(f"{STRICT}/fresh" in item["message"] for item in roots)
    status = {item["id"]: item for item in asked("status_info", detail="full")["workloads"]}
    assert status[f"{STRICT}/Pod/fresh"]["mode"] == "STRICT", "the policies know nothing of it"
