# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm and istioctl: where each is fetched from, which one fits, and when a download is verified."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional
from urllib.parse import urlsplit

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS = ("linux", "darwin")
_HELM = re.compile(r"v?3\.(1[7-9]|[2-9]\d)(\.\d+|\+|$)", re.ASCII)
_SUM = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Platform(NamedTuple):
    """For which machine."""

    system: str
    """linux or darwin."""
    architecture: str
    """amd64 or arm64, as the releases call them."""


def platform_of(system: str, machine: str) -> Optional[Platform]:
    """What a machine calls itself (uname -s and -m); None where there are no releases for it."""
    architecture = _ARCHITECTURES.get(machine.lower())
    return Platform(system.lower(), architecture) if architecture and system.lower() in _SYSTEMS else None


class Tool(NamedTuple):
    """One of the two, in a version."""

    name: str
    version: str
    """To fetch; of istioctl also the only one that fits."""

    @property
    def command(self) -> tuple[str, ...]:
        """The arguments with which it tells its version without asking any cluster."""
        return ("version", "--short") if self.name == "helm" else ("version", "--remote=false", "--short")

    @property
    def needs(self) -> str:
        """Which version fits."""
        return "3.17 or newer, below 4," if self.name == "helm" else f"exactly {self.version}"

    def fits(self, said: str) -> bool:
        """Whether one that says this will do."""
        if self.name == "helm":
            return bool(_HELM.match(said.strip()))
        return bool(re.search(rf"(^|\s)v?{re.escape(self.version)}\s*$", said))

    def url(self, mirror: str, platform: Platform) -> str:
        """Where its archive is, below a mirror."""
        base = mirror.rstrip("/")
        if self.name == "helm":
            return f"{base}/helm-v{self.version}-{platform.system}-{platform.architecture}.tar.gz"
        system = "osx" if platform.system == "darwin" else platform.system
        return f"{base}/{self.version}/istioctl-{self.version}-{system}-{platform.architecture}.tar.gz"

    @property
    def suffix(self) -> str:
        """What the file with its published checksum is called beside it."""
        return ".sha256sum" if self.name == "helm" else ".sha256"

    def is_member(self, name: str) -> bool:
        """Whether a file of an archive is the tool itself."""
        parts = name.split("/")
        return ".." not in parts and parts[-1] == self.name and len(parts) <= 3


def is_archive(path: str) -> bool:
    """Whether a path that a user names is an archive."""
    return path.endswith((".tar.gz", ".tgz"))


def checksum(text: str) -> Optional[str]:
    """The SHA-256 that a user or a published file says (the sum, or the sum and a name); None for anything else."""
    words = text.removeprefix("sha256:").split()
    return words[0].lower() if words and _SUM.fullmatch(words[0]) else None


def is_safe(url: str) -> bool:
    """Whether nobody on the way can exchange what comes from a URL: TLS, or this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme in ("https", "oci", "file"):
        return True
    return parts.scheme == "http" and parts.hostname in _LOOPBACK
