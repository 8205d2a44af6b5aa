"""The cluster inside the namespaces: containerd, the images, kubelet, kubeadm, and when it is ready."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from lab import cache, configuration, debian, golang
from lab.commands import run
from lab.errors import LabError
from lab.holder import CONFIGURATION
from lab.isolation import Holder, Inside

# Where the lab sees the cache.
BINARIES = "/opt/lab"
CONTAINERD_ROOT = "/var/lib/containerd"
RUNTIME = f"{BINARIES}/{debian.runtime().key}"

# What systemd would do: kubeadm writes the kubelet's configuration and then waits for somebody to start it.
_KUBELET = """\
until [ -s /var/lib/kubelet/config.yaml ] && [ -s /var/lib/kubelet/kubeadm-flags.env ]; do sleep 0.1; done
. /var/lib/kubelet/kubeadm-flags.env
exec kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
  --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf $KUBELET_KUBEADM_ARGS
"""


def _kubectl(kubeconfig: Path, *arguments: str) -> list[str | Path]:
    """A command on the host; what kubectl likes to remember stays out of the user's home."""
    program = golang.artifact(golang.KUBERNETES).path / "bin/kubectl"
    return [program, f"--kubeconfig={kubeconfig}", f"--cache-dir={cache.root() / 'kubectl'}", *arguments]


class Cluster:
    """One cluster in one holder's namespaces."""

    def __init__(self, holder: Holder, cgroup: str, logs: Path) -> None:
        kubernetes = f"{BINARIES}/{golang.artifact(golang.KUBERNETES).key}/bin"
        path = f"{kubernetes}:{RUNTIME}/usr/bin:{RUNTIME}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.inside = Inside(holder, cgroup, {"PATH": path, "HOME": "/tmp", "TMPDIR": "/tmp"})
        self.logs = logs

    def start_containerd(self) -> None:
        """Start containerd and wait until it answers."""
        log = self.logs / "containerd.log"
        self.inside.start(["containerd", "--config", f"{CONFIGURATION}/{configuration.CONTAINERD}"], log=log)
        socket = Path(f"/proc/{self.inside.holder.pid}/root{configuration.CONTAINERD_SOCKET}")
        deadline = time.monotonic() + 30
        while not socket.exists():
            if time.monotonic() > deadline:
                raise LabError("containerd did not start within 30 s", log)
            time.sleep(0.1)

    def import_images(self, archive: str) -> None:
        """Load an archive of images into containerd."""
        self.inside.run(
            ["ctr", "--namespace=k8s.io", "images", "import", archive],
            log=self.logs / "images.log",
            failure="importing the images failed",
        )

    def initialise(self, kubeconfig: Path) -> None:
        """Run kubeadm, with a kubelet that starts when kubeadm has configured it, and save its kubeconfig."""
        self.inside.start(["sh", "-c", _KUBELET], log=self.logs / "kubelet.log")
        settings = f"--config={CONFIGURATION}/{configuration.KUBEADM}"
        self.inside.run(
            # What preflight checks is this package's business.
            ["kubeadm", "init", settings, "--skip-phases=preflight", "--v=1"],
            log=self.logs / "kubeadm.log",
            failure="kubeadm could not set up the cluster; kubelet.log and containerd.log beside its log may tell why",
        )
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_bytes(Path(f"/proc/{self.inside.holder.pid}/root/etc/kubernetes/admin.conf").read_bytes())

    def wait_until_ready(self, kubeconfig: Path) -> None:
        """Wait for the node and for what kubeadm has deployed."""
        for what in (
            ("wait", "--for=condition=Ready", "node", "--all"),
            ("--namespace=kube-system", "rollout", "status", "daemonset/kube-proxy"),
            ("--namespace=kube-system", "rollout", "status", "deployment/coredns"),
        ):
            run(
                _kubectl(kubeconfig, *what, "--timeout=300s"),
                log=self.logs / "kubectl.log",
                failure=f"the cluster did not become ready (kubectl {' '.join(what)}); see kubelet.log beside this log",
            )


def is_healthy(kubeconfig: Path) -> bool:
    """Does the API server answer, and is the node ready?"""
    question = ("wait", "--for=condition=Ready", "node", "--all", "--timeout=10s", "--request-timeout=10s")
    return subprocess.run(_kubectl(kubeconfig, *question), capture_output=True).returncode == 0
