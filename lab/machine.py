"""Can this machine run a lab, and what is missing for it?"""

from __future__ import annotations

import os
import platform
import shutil

from lab import debian
from lab.errors import LabError

_ALTERNATIVE = (
    "The alternative: set KUBECONFIG to a cluster of your own (minikube, kind, GKE, EKS, AKS, …); then demo and tests "
    "run there and no lab is built"
)
# Programs that the lab runs from the machine itself, and the packages that bring them. None starts a service.
_TOOLS = {
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "sysctl": "procps",
}


def check() -> None:
    """Refuse what cannot work, with the reason and the alternative."""
    problem = unsuitable(
        system=platform.system(),
        processor=platform.machine(),
        user_id=os.geteuid(),
        has_apt=all(shutil.which(program) for program in ("apt-get", "dpkg-deb")),
    )
    if problem:
        raise LabError(f"{problem}. {_ALTERNATIVE}")


def unsuitable(*, system: str, processor: str, user_id: int, has_apt: bool) -> str | None:
    """Why a machine cannot run a lab, or None when it can."""
    if system != "Linux":
        return f"the lab needs Linux with its namespaces; this is {system}"
    if processor not in ("x86_64", "aarch64"):
        return f"the lab is built for x86_64 and aarch64; this is {processor}"
    if not has_apt:
        return "the lab takes its container runtime from Debian or Ubuntu packages; apt-get and dpkg-deb are not here"
    if user_id != 0:
        return "the lab makes namespaces, links and mounts of its own and needs root for it; run this as root (sudo)"
    return None


def missing_packages() -> list[str]:
    """Packages of tools that are not on this machine."""
    return sorted({package for program, package in _TOOLS.items() if shutil.which(program) is None})


def install(packages: list[str]) -> str:
    """Install packages with apt-get; they stay when the lab is taken down."""
    debian.apt_get("install", "--yes", "--no-install-recommends", *packages, log="apt-get")
    return "installed"
