# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and ranges of them, as they are written in manifests."""

from __future__ import annotations

import ipaddress
from typing import Optional, Union

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


def canonical(text: str) -> str:
    """One spelling for each address and name. `::ffff:192.0.2.1` is 192.0.2.1 to whoever dials it."""
    name = text.lower().rstrip(".")
    address = address_of(name)
    return name if address is None else str(getattr(address, "ipv4_mapped", None) or address)


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
