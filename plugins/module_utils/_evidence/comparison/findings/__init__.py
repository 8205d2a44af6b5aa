# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at when sources are compared: one file for each thing that is compared.

The rules are by themselves in each file, because each has other evidence; the kinds are as those of _policy/findings,
and docs/findings.md is generated from both.
"""

from __future__ import annotations

from typing import Protocol, Tuple

from ...._policy.findings.kinds import FindingKind
from . import certificates, edges, ports, proxies, targets
from .certificates import of_certificates
from .edges import of_edges
from .ports import of_ports
from .proxies import of_proxies
from .targets import of_targets


class Family(Protocol):
    """What each file of a family has, beside its rules."""

    @property
    def KINDS(self) -> Tuple[FindingKind, ...]:
        """Its findings."""


FAMILIES: Tuple[Family, ...] = (certificates, edges, ports, proxies, targets)

KINDS: Tuple[FindingKind, ...] = tuple(sorted(kind for family in FAMILIES for kind in family.KINDS))
"""All kinds, in order of id."""

__all__ = [
    "FAMILIES",
    "KINDS",
    "Family",
    "of_certificates",
    "of_edges",
    "of_ports",
    "of_proxies",
    "of_targets",
]
