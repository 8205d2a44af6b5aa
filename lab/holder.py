"""The lab's first process: makes its namespaces and then only holds them open. When it dies, all of the lab dies.

Run as a program with a `Plan` as JSON. It answers on standard output: its process id, then "ready" or an error. It
dies when standard input closes before "keep" came, so that an interrupted `up` leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

# From linux/sched.h and linux/mount.h; Python has os.unshare only since 3.12, and no mount.
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWPID, _CLONE_NEWNET = 0x20000000, 0x40000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC = 0x1, 0x20, 0x1000, 0x4000
_MS_PRIVATE, _MS_SHARED, _MS_RELATIME = 1 << 18, 1 << 20, 1 << 21

_libc = ctypes.CDLL(None, use_errno=True)

# Empty in the lab, whatever the host has there: nobody's Kubernetes, containerd or Docker is seen or touched.
_COVERED = ("/run", "/tmp", "/opt", "/var")
_FOLDERS = ("/run/lock", "/var/lib", "/var/log", "/var/tmp")
# The lab sees the host's and may change them, but the changes stay in memory: kubeadm wants /etc/kubernetes, and
# kube-proxy wants /lib/modules on a machine that has none.
_OVERLAID = ("/etc", "/lib")
# Where the lab finds the configuration files that `up` writes.
CONFIGURATION = "/run/lab"
# The kubelet sets these for the whole machine. In the lab it meets files that say already what it wants to write.
_KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


@dataclass(frozen=True)
class Plan:
    """What the lab sees of the host: `binds` is {path in the lab: path on the host}, for writing."""

    hostname: str
    binds: dict[str, str]

    def to_json(self) -> str:
        return json.dumps({"hostname": self.hostname, "binds": self.binds})


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode())
    _check(result, f"mounting {kind or source} on {target}")


def _make_view(plan: Plan) -> None:
    """Build the lab's own view of the file system: the host's, read-only, with what is the lab's laid over it."""
    _mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
    # Opened before the host's folders are covered, because the sources may lie in them.
    sources = {target: os.open(source, os.O_PATH) for target, source in plan.binds.items()}
    for folder in _COVERED:
        _mount("tmpfs", folder, "tmpfs", options="mode=755")
    for folder in (*_FOLDERS, *plan.binds):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for folder in ("/tmp", "/var/tmp"):
        Path(folder).chmod(0o1777)
    Path("/var/run").symlink_to("/run")
    for folder in _OVERLAID:
        _overlay(folder)
    _replace_in_etc()
    for target, source in sources.items():
        _mount(f"/proc/self/fd/{source}", target, flags=_MS_BIND)
        os.close(source)
    _mount("proc", "/proc", "proc")
    for name, value in _KUBELET_SYSCTLS.items():
        if Path("/proc/sys", name).exists():
            stand_in = Path("/run", f"sysctl.{Path(name).name}")
            stand_in.write_text(f"{value}\n")
            _mount(str(stand_in), f"/proc/sys/{name}", flags=_MS_BIND)
    _mount("none", "/", flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_RELATIME)
    # Volumes of pods may ask for mount propagation.
    _mount("none", "/", flags=_MS_REC | _MS_SHARED)


def _overlay(folder: str) -> None:
    """Let the lab write to a folder of the host without changing it."""
    changes, scratch = Path(f"/run/overlay{folder}/upper"), Path(f"/run/overlay{folder}/work")
    for path in (changes, scratch):
        path.mkdir(parents=True)
    _mount("overlay", folder, "overlay", options=f"lowerdir={folder},upperdir={changes},workdir={scratch}")


def _replace_in_etc() -> None:
    """Hide the host's own cluster, and its name servers: names outside the lab are to fail at once."""
    kubernetes, resolver = Path("/etc/kubernetes"), Path("/etc/resolv.conf")
    if kubernetes.is_symlink():
        kubernetes.unlink()
    kubernetes.mkdir(exist_ok=True)
    _mount("tmpfs", str(kubernetes), "tmpfs", options="mode=755")
    resolver.unlink(missing_ok=True)
    resolver.symlink_to(f"{CONFIGURATION}/resolv.conf")


def _hold(plan: Plan) -> None:
    """The life of process 1."""
    # Orphans of the lab become children of this process; ignoring SIGCHLD lets the kernel clear them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for keyboard in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(keyboard, signal.SIG_IGN)
    os.setsid()
    # /proc is still the host's here, so this is the process id that the host knows.
    print(os.readlink("/proc/self"), flush=True)
    socket.sethostname(plan.hostname)
    _make_view(plan)
    print("ready", flush=True)
    if sys.stdin.readline().strip() != "keep":
        return
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    while True:
        signal.pause()


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    try:
        flags = _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWNET
        _check(_libc.unshare(flags), "making namespaces")
        # The namespaces' first process is the next child; this one is done.
        if os.fork() == 0:
            _hold(plan)
    except OSError as error:
        print(error, flush=True)


if __name__ == "__main__":
    main()
