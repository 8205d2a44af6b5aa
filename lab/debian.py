"""What comes from Debian or Ubuntu: the container runtime and the images' base system, unpacked and never installed.

Installing them would start services, or remove the containerd of a Docker that is already there.
"""

from __future__ import annotations

import io
import platform
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import cache, versions
from lab.cache import Artifact
from lab.commands import run
from lab.errors import LabError

_RUNTIME_PACKAGES = ("containerd", "runc", "containernetworking-plugins")
_BASE_PACKAGES = (
    *("base-files", "base-passwd", "ca-certificates", "coreutils", "curl", "dash", "iproute2", "iptables"),
    *("libc-bin", "openssl", "python3"),
)
_NOT_IN_BASE = ("./usr/share/doc/", "./usr/share/man/", "./usr/share/locale/", "./usr/share/info/")
# Some packages still ship files in folders that are links to those under /usr on every current system.
_MERGED = ("bin", "sbin", "lib", "lib64")
# What the packages' installation scripts would have made, as far as it is needed: {link: target}.
_LINKS = {
    **{
        f"./usr/sbin/{family}{suffix}": "xtables-nft-multi"
        for family in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    },
    "./usr/local/bin/python": "/usr/bin/python3",
}
_CERTIFICATES = "./usr/share/ca-certificates/"


def runtime() -> Artifact:
    """containerd, runc and the CNI plugins, as a tree of files."""
    return tree("container-runtime", _RUNTIME_PACKAGES)


def tree(name: str, packages: tuple[str, ...]) -> Artifact:
    """The files of some packages, without those that they depend on."""
    inputs = (*packages, release(), versions.architecture())
    return Artifact(name, release(), inputs, lambda folder: _unpack(packages, folder))


def base() -> Artifact:
    """A small root file system, base.tar, that images with more than one static binary start from."""
    inputs = (*_BASE_PACKAGES, *_NOT_IN_BASE, *_MERGED, *_LINKS, release(), versions.architecture())
    return Artifact("base", release(), inputs, _make_base)


def release() -> str:
    """The code name of this machine's Debian or Ubuntu: its packages come from the sources that apt has here."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


def _unpack(packages: tuple[str, ...], folder: Path) -> None:
    with downloaded(packages) as files:
        for file in files:
            failure = f"unpacking {file.name} failed"
            run(["dpkg-deb", "--extract", file, folder], log=cache.log("packages"), failure=failure)


def _make_base(folder: Path) -> None:
    with tarfile.open(folder / "base.tar", "w") as target:
        for name in _MERGED:
            _add_link(target, f"./{name}", f"usr/{name}")
        certificates = b""
        with downloaded(with_dependencies(_BASE_PACKAGES)) as packages:
            folders: set[str] = set()
            for package in packages:
                certificates += _copy_package(package, target, folders)
        for name, to in _LINKS.items():
            _add_link(target, name, to)
        bundle = tarfile.TarInfo("./etc/ssl/certs/ca-certificates.crt")
        bundle.size = len(certificates)
        target.addfile(bundle, io.BytesIO(certificates))


@contextmanager
def downloaded(packages: tuple[str, ...]) -> Iterator[list[Path]]:
    """The files of some packages, in a folder that is removed again."""
    with tempfile.TemporaryDirectory() as scratch:
        # apt downloads as the user _apt, who must be able to write there.
        Path(scratch).chmod(0o777)
        apt_get("download", *packages, cwd=Path(scratch), log="packages")
        yield sorted(Path(scratch).glob("*.deb"))


def apt_get(*arguments: str, log: str, cwd: Path | None = None) -> None:
    """Run apt-get; when it fails, once more with fresh package lists."""
    command = ["apt-get", *arguments]
    failure = f"`{' '.join(command[:3])} …` failed. Check the network and apt's sources, or run it yourself"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(command, cwd=cwd, log=cache.log(log), failure=failure, env=environment)
    except LabError:
        run(["apt-get", "update"], log=cache.log(log), failure="apt-get update failed. Check the network")
        run(command, cwd=cwd, log=cache.log(log), failure=failure, env=environment)


def with_dependencies(packages: tuple[str, ...]) -> tuple[str, ...]:
    """The packages and all that they need, as apt would install them on a machine that has nothing."""
    nothing_installed = ("-o", "Dir::State::status=/dev/null", "-o", "Debug::NoLocking=1")
    plan = subprocess.run(
        ["apt-get", "install", "--simulate", "--no-install-recommends", *nothing_installed, *packages],
        capture_output=True,
        text=True,
    )
    if plan.returncode != 0:
        raise LabError(f"apt-get cannot plan the images' base system: {plan.stderr.strip()[-300:]}")
    return tuple(re.findall(r"^Inst (\S+)", plan.stdout, re.MULTILINE))


def _copy_package(package: Path, target: tarfile.TarFile, folders: set[str]) -> bytes:
    """Add a package's files to the base system; return the certificates among them."""
    certificates = b""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as source,
    ):
        for member in source:
            member.name, member.linkname = merged(member.name), merged(member.linkname)
            if member.name in folders or member.name.startswith(_NOT_IN_BASE):
                continue
            if member.isdir():
                folders.add(member.name)
            file = source.extractfile(member) if member.isreg() else None
            content = file.read() if file else b""
            if member.name.startswith(_CERTIFICATES):
                certificates += content
            target.addfile(member, io.BytesIO(content))
    if unpacking.returncode != 0:
        raise LabError(f"unpacking {package.name} failed; run the same command again to download it anew")
    return certificates


def merged(name: str) -> str:
    """Where a file of a package belongs: ./lib/x is ./usr/lib/x."""
    first, _, rest = name.removeprefix("./").partition("/")
    return f"./usr/{first}{'/' if rest else ''}{rest}" if name.startswith("./") and first in _MERGED else name


def _add_link(target: tarfile.TarFile, name: str, to: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, to
    target.addfile(link)
