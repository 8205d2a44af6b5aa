"""The steps from an empty folder to a running cluster."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import yaml

from lab import cache, cgroups, configuration, isolation, mirror, network, state, store
from lab.cluster import BINARIES, CONTAINERD_ROOT, RUNTIME, Cluster
from lab.errors import LabError
from lab.folder import LabFolder
from lab.holder import CONFIGURATION, Plan
from lab.progress import Step
from lab.state import State

_VARS = Path(__file__).parent / "vars.yml"


class BringUp:
    """One attempt. Until its last step is done the lab dies with this process, however that ends."""

    starting: isolation.Starting
    state: State
    addresses: network.Addresses
    cluster: Cluster

    def __init__(self, folder: LabFolder, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe

    def steps(self) -> list[Step]:
        """What is to be done, in this order, once everything is built."""
        return [
            Step("making the lab's namespaces and network", self._isolate),
            Step("starting containerd with the images", self._start_containerd),
            Step("setting up Kubernetes with kubeadm", self._initialise, "about 10 s"),
            Step("waiting for the node and its system pods", self._wait, "about 10 s"),
            Step("serving charts and downloads on loopback", self._serve),
        ]

    def _isolate(self) -> str:
        folder = self.folder
        folder.logs.mkdir(parents=True, exist_ok=True)
        folder.data.mkdir()
        folder.configuration.mkdir()
        cgroups.create(folder.name)
        binds = {CONFIGURATION: str(folder.configuration), BINARIES: str(cache.root())}
        if not self._in_memory():
            binds[CONTAINERD_ROOT] = str(folder.data)
        self.starting = isolation.Starting(Plan(configuration.NODE_NAME, binds), folder.name)
        holder = self.starting.holder
        self._save(State(state.boot_id(), holder, self.recipe))
        self.addresses = network.connect(holder.pid)
        link = self.addresses.link
        self._save(replace(self.state, link=link, link_index=network.link_index(link)))
        self.cluster = Cluster(holder, folder.name, folder.logs)
        return f"process {holder.pid}, link {link}"

    def _start_containerd(self) -> None:
        # Clients (kubectl, helm, the Kubernetes library) remember by a server's address what it offers. With a port
        # of its own each time, no lab is taken for the one before it.
        port = random.randrange(20000, 30000)
        files = configuration.files(self.addresses, self.folder.name, RUNTIME, port)
        for name, content in files.items():
            path = self.folder.configuration / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        in_lab = Path(f"/proc/{self.starting.holder.pid}/root{CONTAINERD_ROOT}")
        store.provide(in_lab if self._in_memory() else self.folder.data, self.folder.logs / "images.log")
        self.cluster.start_containerd()

    def _in_memory(self) -> bool:
        """In a container's own file system images cannot be unpacked: there they stay in the lab's memory."""
        stat = ["stat", "--file-system", "--format=%T", str(self.folder.data)]
        return subprocess.run(stat, capture_output=True, text=True).stdout.strip() == "overlayfs"

    def _initialise(self) -> None:
        self.cluster.initialise(self.folder.kubeconfig)

    def _wait(self) -> None:
        self.cluster.wait_until_ready(self.folder.kubeconfig)

    def _serve(self) -> None:
        folder = self.folder
        # On the host, because that is where its users are.
        self.cluster.inside.start_on_host(
            [sys.executable, "-m", "lab.mirror", str(mirror.artifact().path), str(folder.mirror_port)],
            log=folder.logs / "mirror.log",
        )
        _wait_for_mirror(folder)
        write_vars(folder)
        self._save(replace(self.state, ready=True))
        self.starting.keep()

    def _save(self, new: State) -> None:
        self.state = new
        new.save(self.folder.state)


def _wait_for_mirror(folder: LabFolder) -> None:
    deadline = time.monotonic() + 20
    while not folder.mirror_port.exists():
        if time.monotonic() > deadline:
            raise LabError("the download mirror did not start within 20 s", folder.logs / "mirror.log")
        time.sleep(0.1)


def write_vars(folder: LabFolder) -> None:
    """Write the variables for the roles: lab/vars.yml and what only this lab knows."""
    mirror_url = f"http://127.0.0.1:{folder.mirror_port.read_text()}"
    own = {
        "mtls_cluster": {"kubeconfig": str(folder.kubeconfig)},
        "istio_install_chart_repository": f"{mirror_url}/charts",
        "istio_install_istioctl_mirror": mirror_url,
        "istio_install_helm_mirror": mirror_url,
    }
    folder.vars.write_text(f"{_VARS.read_text()}\n# This lab's own addresses.\n{yaml.safe_dump(own, sort_keys=False)}")
