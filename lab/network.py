"""The lab's addresses, and the cable between the host and the lab.

Everything lies in 198.18.0.0/15, which is reserved for tests of network devices and is routed nowhere.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab.errors import LabError

INSTANCES = 16


@dataclass(frozen=True)
class Addresses:
    """Names and addresses of the lab with one number; those of different numbers never overlap."""

    instance: int

    @property
    def link(self) -> str:
        """The host's end of the cable; its existence also says that the number is taken."""
        return f"mplab{self.instance}"

    @property
    def host(self) -> IPv4Address:
        return self._cable[1]

    @property
    def node(self) -> IPv4Address:
        return self._cable[2]

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network((int(IPv4Address("198.18.0.0")) + 2048 * self.instance, 21))

    @property
    def services(self) -> IPv4Network:
        return IPv4Network((int(IPv4Address("198.19.0.0")) + 2048 * self.instance, 21))

    @property
    def _cable(self) -> IPv4Network:
        return IPv4Network((int(IPv4Address("198.18.254.0")) + 4 * self.instance, 30))


def connect(holder_pid: int) -> Addresses:
    """Lay the cable and the routes of the first free number. They vanish with the lab's network namespace."""
    addresses = _lay_cable(holder_pid)
    for inside in (
        "link set lo up",
        f"address add {addresses.node}/30 dev eth0",
        "link set eth0 up",
        # kubeadm wants a default route. This one leads nowhere, so nothing of the lab leaves the machine.
        "link add void0 type bridge",
        "link set void0 up",
        "route add default dev void0",
    ):
        _ip(inside, holder_pid)
    # Refused connections are told at once, however many; usually the kernel tells a few in a second.
    _run(["sysctl", "--write", "net.ipv4.icmp_ratelimit=0"], holder_pid)
    _ip(f"address add {addresses.host}/30 dev {addresses.link}")
    _ip(f"link set {addresses.link} up")
    for destination in (addresses.pods, addresses.services):
        _ip(f"route add {destination} via {addresses.node} dev {addresses.link}")
    return addresses


def link_index(link: str) -> int:
    """The number that the kernel gave a link of the host; it gives none twice. Zero when there is no such link."""
    try:
        return int(Path("/sys/class/net", link, "ifindex").read_text())
    except OSError:
        return 0


def disconnect(link: str, index: int) -> None:
    """Remove the cable, and with it its routes, if it is still the one with this number.

    It would go with the lab's network namespace, but connections that were cut off keep that for minutes.
    """
    if index and link_index(link) == index:
        try:
            _ip(f"link delete {link}")
        except LabError:
            # The namespace may have taken it along just now.
            if link_index(link) == index:
                raise


def _lay_cable(holder_pid: int) -> Addresses:
    """Take the first number whose link does not exist; the kernel settles who gets it when two labs start at once."""
    for addresses in map(Addresses, range(INSTANCES)):
        if Path("/sys/class/net", addresses.link).exists():
            continue
        try:
            _ip(f"link add {addresses.link} type veth peer name eth0 netns {holder_pid}")
        except LabError:
            if not Path("/sys/class/net", addresses.link).exists():
                raise
        else:
            return addresses
    raise LabError(f"all {INSTANCES} labs of this machine are in use; take one down (`make lab-down LAB_DIR=…`)")


def _ip(arguments: str, netns_of: int | None = None) -> None:
    _run(["ip", *arguments.split()], netns_of)


def _run(argv: list[str], netns_of: int | None) -> None:
    enter = ["nsenter", f"--target={netns_of}", "--net", "--"] if netns_of else []
    result = subprocess.run([*enter, *argv], capture_output=True, text=True)
    if result.returncode != 0:
        raise LabError(
            f"`{' '.join(argv)}` failed: {result.stderr.strip()}. The lab needs the addresses 198.18.0.0/15 and "
            "a kernel with veth and bridge links"
        )
