# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a workload, as a mesh writes it into certificates."""

from __future__ import annotations

PREFIX = "spiffe://"


def identity(trust_domain: str, namespace: str, account: str) -> str:
    """pkg/spiffe/spiffe.go, genSpiffeURI. Only a trust domain can have characters that a URI cannot."""
    return f"{PREFIX}{trust_domain.replace('@', '.')}/ns/{namespace}/sa/{account}"


def trust_domain_of(name: str) -> str:
    """The trust domain of an identity, empty for what is none."""
    return name[len(PREFIX) :].split("/", 1)[0] if name.startswith(PREFIX) else ""
