"""Starts the lab's holder process, runs programs inside its namespaces, and ends it together with all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab import cgroups, commands
from lab.errors import LabError
from lab.holder import Plan

_REPOSITORY = Path(__file__).parent.parent
_EVERY_NAMESPACE = ("--mount", "--ipc", "--uts", "--net", "--pid")


@dataclass(frozen=True)
class Holder:
    """The lab's process 1, as the host sees it. The start time tells it from a later process with the same id."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        return start_time(self.pid) == self.started

    def kill(self) -> None:
        """End the holder; the kernel ends every process of the lab before the holder itself is gone."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while self.is_alive():
            if time.monotonic() > deadline:
                raise LabError(f"process {self.pid} of the lab did not end within 30 s after it was killed")
            time.sleep(0.05)


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since this boot; empty when there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Starting:
    """A holder that dies with this process, however that ends, until `keep` is called."""

    def __init__(self, plan: Plan, cgroup: str) -> None:
        argv = [*cgroups.joining(cgroup), sys.executable, "-m", "lab.holder", plan.to_json()]
        self._process: subprocess.Popen[str] = subprocess.Popen(
            argv, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        answers = _stream(self._process.stdout)
        pid = answers.readline().strip()
        outcome = answers.readline().strip() if pid.isdecimal() else pid
        if outcome != "ready":
            raise LabError(
                f"this machine did not let the lab make its namespaces: {outcome or 'no answer'}. It takes root with "
                "CAP_SYS_ADMIN and a kernel with overlayfs and mount, pid, network, ipc and uts namespaces. "
                "The alternative: set KUBECONFIG to a cluster of your own, then no lab is needed"
            )
        self.holder = Holder(int(pid), start_time(int(pid)))

    def keep(self) -> None:
        """From now on the holder lives until it is killed."""
        stream = _stream(self._process.stdin)
        stream.write("keep\n")
        stream.close()
        self._process.wait()


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "made with PIPE above"
    return pipe


@dataclass(frozen=True)
class Inside:
    """The place that a holder keeps open, to run programs in. All of them end with the holder."""

    holder: Holder
    cgroup: str
    environment: Mapping[str, str]

    def run(self, argv: Sequence[str], *, log: Path, failure: str) -> None:
        """Run a program to its end; see commands.run()."""
        commands.run(self._entering(_EVERY_NAMESPACE, argv), log=log, failure=failure, env=self.environment)

    def start(self, argv: Sequence[str], *, log: Path) -> None:
        """Start a program and leave it running."""
        self._detach(_EVERY_NAMESPACE, argv, log, self.environment)

    def start_on_host(self, argv: Sequence[str], *, log: Path) -> None:
        """Start a program that has the host's network and files, but ends with the lab like all others."""
        self._detach(("--pid",), argv, log, {})

    def _entering(self, namespaces: Sequence[str], argv: Sequence[str]) -> list[str]:
        return [*cgroups.joining(self.cgroup), "nsenter", f"--target={self.holder.pid}", *namespaces, "--", *argv]

    def _detach(self, namespaces: Sequence[str], argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        # setsid forks, so that the program becomes a child of the holder and nsenter ends at once.
        command = self._entering(namespaces, ["setsid", "--fork", *argv])
        commands.run(command, cwd=_REPOSITORY, log=log, failure=f"starting {argv[0]} failed", env=env)
