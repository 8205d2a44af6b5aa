# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at: one file for each family of findings, which has their texts and their rules.

A new finding is a FindingKind and a rule in a family's file, or a new file in FAMILIES. docs/findings.md is generated
from the kinds (`make docs`), and a test runs the example of each.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Protocol, Tuple

from ..engine import State
from . import (
    ambient,
    api_server,
    authorization,
    capture,
    destination_rules,
    injection,
    membership,
    modes,
    namespaces,
    objects,
    peer_authentications,
    proxy_user,
    services,
    start,
)
from .kinds import Finding, FindingKind


class Family(Protocol):
    """What each file of a family has."""

    @property
    def KINDS(self) -> Tuple[FindingKind, ...]:
        """Its findings."""

    def rules(self, state: State) -> Iterable[Finding]:
        """What is found in a mesh; in any order, and the same may come twice."""


# Imported by name, not found in the folder: Ansible sends to a target only what it sees imported.
FAMILIES: Tuple[Family, ...] = (
    ambient,
    api_server,
    authorization,
    capture,
    destination_rules,
    injection,
    membership,
    modes,
    namespaces,
    objects,
    peer_authentications,
    proxy_user,
    services,
    start,
)

KINDS: Tuple[FindingKind, ...] = tuple(sorted(kind for family in FAMILIES for kind in family.KINDS))
"""All kinds, in order of id."""

SEVERITIES: Dict[str, str] = {kind.id: kind.severity for kind in KINDS}


def findings_of(state: State) -> List[Finding]:
    """All findings, in order of id and object."""
    found = (finding for family in FAMILIES for finding in family.rules(state))
    unique = {(item["id"], item["object"], item["message"]): item for item in found}
    return [unique[key] for key in sorted(unique)]
