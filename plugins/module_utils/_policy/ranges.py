# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and ranges of them, as they are written in manifests."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Dict, Iterable, List, Optional, Set, Tuple, Union

from .._foreign import numbers

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_LONGEST = 60
"""Characters of a range; the longest that is one has 49."""


def address_of(text: str) -> Optional[Address]:
    """An address; None for what is none, as a range or a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=16384)
def canonical(text: str) -> str:
    """One spelling for each address and name. `::ffff:192.0.2.1` is 192.0.2.1 to whoever dials it."""
    name = text.lower().rstrip(".")
    address = address_of(name)
    return name if address is None else str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(maxsize=16384)
def network_of(text: str) -> Optional[Network]:
    """A range, or an address as one of a single address; the bits behind the prefix do not count. None for neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def range_of(text: str) -> Optional[Network]:
    """A range of several addresses; one of a single address is that address to Istio."""
    network = network_of(text) if "/" in text else None
    return network if network is not None and network.num_addresses > 1 else None


def is_prefix(text: str) -> bool:
    """Whether Go's netip.ParsePrefix takes it: an address and the length of its prefix, and nothing else."""
    address, slash, length = text.partition("/")
    if not slash or numbers.number(length) is None or "%" in address or len(text) > _LONGEST:
        return False
    return network_of(text) is not None


class Ranges:
    """Several ranges: an address is looked up, not compared with each."""

    __slots__ = ("_ends", "_starts", "versions")

    def __init__(self, networks: Iterable[Network]) -> None:
        spans: Dict[int, List[Tuple[int, int]]] = {}
        for network in networks:
            first, last = int(network.network_address), int(network.broadcast_address)
            spans.setdefault(network.version, []).append((first, last))
        self.versions: Set[int] = set(spans)
        self._starts: Dict[int, List[int]] = {}
        self._ends: Dict[int, List[int]] = {}
        """Where the last of those ends that start there or before."""
        for version, found in spans.items():
            found.sort()
            self._starts[version] = [first for first, dummy in found]
            self._ends[version] = list(accumulate((last for dummy, last in found), max))

    def hold(self, address: Address) -> bool:
        """Whether an address is in one of them."""
        place = bisect_right(self._starts.get(address.version, ()), int(address))
        return bool(place) and int(address) <= self._ends[address.version][place - 1]


@lru_cache(maxsize=1024)
def ranges_of(texts: Tuple[str, ...]) -> Ranges:
    """Ranges as they are written; what is none is left out."""
    return Ranges(network for network in map(network_of, texts) if network is not None)
