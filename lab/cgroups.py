"""The lab's own control groups, in every hierarchy of the machine (version 1, 2, or both)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from lab.errors import LabError

# Processes of the lab that are no pods. Under version 2 only the leaves of the tree may hold processes.
_LEAF = "system"


def hierarchies(mounts: str) -> list[tuple[Path, frozenset[str]]]:
    """The mount points of all cgroup hierarchies in the text of /proc/mounts, each with its mount options."""
    found = []
    for line in mounts.splitlines():
        _, target, kind, options = line.split()[:4]
        if kind in ("cgroup", "cgroup2"):
            found.append((Path(target), frozenset(options.split(","))))
    return found


def _roots() -> list[tuple[Path, frozenset[str]]]:
    return hierarchies(Path("/proc/mounts").read_text())


def create(name: str) -> None:
    """Make the group `name` at the top of every hierarchy."""
    for root, options in _roots():
        _pass_on_controllers(root)
        for folder in (root / name, root / name / _LEAF):
            folder.mkdir(exist_ok=True)
            if "cpuset" in options:
                # Without these, version 1 lets no process in.
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (folder / setting).write_text((folder.parent / setting).read_text())


def _pass_on_controllers(root: Path) -> None:
    """Under version 2 a group has the controllers that its parent passes on, and the kubelet wants them all."""
    controllers = root / "cgroup.controllers"
    for controller in controllers.read_text().split() if controllers.exists() else []:
        # One that cannot be had is the kubelet's to complain about: it knows which it needs.
        with contextlib.suppress(OSError):
            (root / "cgroup.subtree_control").write_text(f"+{controller}")


def joining(name: str) -> list[str]:
    """A command prefix: what follows runs in the group `name`."""
    files = " ".join(str(root / name / _LEAF / "cgroup.procs") for root, _ in _roots())
    return ["sh", "-c", f'for file in {files}; do echo $$ > "$file"; done; exec "$@"', "sh"]


def remove(name: str) -> None:
    """Remove the group and all below it, and end what still runs there (a lab whose state was lost)."""
    deadline = time.monotonic() + 10
    while left := [root / name for root, _ in _roots() if (root / name).exists()]:
        if time.monotonic() > deadline:
            raise LabError(f"these control groups of the lab cannot be removed: {', '.join(map(str, left))}")
        for group in left:
            for folder, _, _ in os.walk(group, topdown=False):
                # Gone already, or still busy: the kernel may take a moment, and the next round tries again.
                with contextlib.suppress(OSError):
                    _end_processes(Path(folder))
                    Path(folder).rmdir()
        time.sleep(0.05)


def _end_processes(group: Path) -> None:
    for pid in map(int, (group / "cgroup.procs").read_text().split()):
        # Zero stands for a process that this process namespace does not know.
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
