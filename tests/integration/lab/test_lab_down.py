"""`make lab-down` leaves nothing of a lab but the cache: the machine is compared before and after a lab of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.folder import LabFolder
from tests.cluster_runs import ROOT, in_the_lab

KINDS_OF_NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")


def lab(command: str, folder: LabFolder) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lab", command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LAB_DIR": str(folder.path)}, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def said_by(*command: str) -> list[str]:
    """The lines of a program's answer, none where the machine lacks the program; counters are left out."""
    path = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return []
    result = subprocess.run([path, *command[1:]], text=True, capture_output=True, check=True)
    return [line for line in result.stdout.splitlines() if not line.startswith(("#", ":"))]


def in_namespaces(wanted: dict[str, str]) -> list[str]:
    """The command lines of processes that live in one of these namespaces."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mine = {kind: os.readlink(process / "ns" / kind) for kind in wanted}
            if any(mine[kind] == wanted[kind] for kind in wanted):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended meanwhile
    return found


def machine() -> dict[str, list[str]]:
    """What a lab could leave on the machine, but for what other labs have there."""
    listed = {folder: sorted(os.listdir(folder)) for folder in ("/etc", "/opt", "/run", "/usr/lib", "/var/lib")}
    return {
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "iptables": said_by("iptables-save"),
        "sysctls": said_by("sysctl", "kernel.panic", "vm.overcommit_memory", "net.ipv4.ip_forward"),
        "named network namespaces": said_by("ip", "netns", "list"),
        **{f"files in {folder}": names for folder, names in listed.items()},
    }


@in_the_lab
def test_lab_down_leaves_nothing(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "lab")
    said_by("iptables-save")  # the first call makes a lock file
    before = machine()

    lab("up", folder)
    state = json.loads(folder.state.read_text())
    holder = Path("/proc") / str(state["holder"]["pid"])
    namespaces = {kind: os.readlink(holder / "ns" / kind) for kind in KINDS_OF_NAMESPACES}
    running = in_namespaces(namespaces)
    for program in ("kube-apiserver", "etcd", "kubelet", "containerd"):
        assert any(program in line for line in running), f"{program} does not run, so this test would prove nothing"
    assert Path("/sys/class/net", state["link"]).exists()

    lab("down", folder)
    assert in_namespaces(namespaces) == []
    assert not folder.path.exists()
    assert [line for line in said_by("ip", "-o", "link") if line.startswith(f"{state['link_index']}:")] == []
    assert list(Path("/sys/fs/cgroup").glob(f"**/{folder.name}")) == []
    after = machine()
    assert {what: sorted(set(after[what]) ^ set(before[what])) for what in before if after[what] != before[what]} == {}
