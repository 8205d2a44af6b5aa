# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that have ended or will, and roots and trust domains that are not the mesh's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Iterator, List

from ...._policy.findings.kinds import Finding, FindingKind
from ...._policy.findings.wording import listed
from ..inventory import EXPIRED, EXPIRING, OK, roots_that_differ

DIFFERENT_ROOTS = FindingKind(
    id="MTLS-107",
    severity="high",
    title="Workloads have certificates of different roots",
    remedy="restart the workloads of the old root once the new one is trusted everywhere",
)

ENDED = FindingKind(
    id="MTLS-108",
    severity="high",
    title="A certificate has ended, or its renewal is overdue",
    remedy="see whether its proxy reaches istiod",
)

CERTIFICATE_AUTHORITY_ENDS_SOON = FindingKind(
    id="MTLS-109",
    severity="medium",
    title="A certificate authority's certificate ends soon",
    remedy="rotate the signing authority",
)

STRAY_TRUST_DOMAIN = FindingKind(
    id="MTLS-110",
    severity="medium",
    title="A workload's trust domain is not its mesh's",
    remedy="restart it, or name the domain in trustDomainAliases",
)

KINDS = (DIFFERENT_ROOTS, ENDED, CERTIFICATE_AUTHORITY_ENDS_SOON, STRAY_TRUST_DOMAIN)


def of_certificates(certificates: Mapping[str, Any], trust_domains: Iterable[str]) -> List[Finding]:
    """Findings of the inventory. `trust_domains` are those of the mesh's revisions."""
    return [
        *_roots(certificates),
        *_workloads(certificates),
        *_certificate_authorities(certificates),
        *_trust_domains(certificates, trust_domains),
    ]


def _roots(certificates: Mapping[str, Any]) -> Iterator[Finding]:
    """The root of most first."""
    roots = roots_that_differ(certificates)
    for root, pods in sorted(roots.items(), key=lambda item: (-len(item[1]), item[0])):
        relation = "come from this root" if root else "lead to no root that is trusted"
        yield DIFFERENT_ROOTS.at(
            f"root {root[:16]}" if root else "no root",
            f"{len(pods)} of {len(certificates['workloads'])} certificates {relation}: {listed(pods)}",
            "restart the workloads of the old root once the new one is trusted everywhere",
        )


def _workloads(certificates: Mapping[str, Any]) -> Iterator[Finding]:
    for item in certificates["workloads"]:
        if item["state"] != OK:
            ended = "has ended" if item["state"] == EXPIRED else "should have been renewed"
            yield ENDED.at(
                item["pod"],
                f"the certificate {item['serial']} of {item['identity']} {ended}; its end is {item['not_after']}",
                "see whether its proxy reaches istiod",
            )


def _certificate_authorities(certificates: Mapping[str, Any]) -> Iterator[Finding]:
    for item in certificates["authorities"]:
        if item["state"] != OK:
            kind, ends = (CERTIFICATE_AUTHORITY_ENDS_SOON, "ends") if item["state"] == EXPIRING else (ENDED, "ended")
            yield kind.at(
                f"authority {item['subject'] or item['fingerprint'][:16]}",
                f"{ends} on {item['not_after']}",
                "rotate the signing authority",
            )


def _trust_domains(certificates: Mapping[str, Any], trust_domains: Iterable[str]) -> Iterator[Finding]:
    """Nothing is stray where no revision says its trust domain."""
    known = set(trust_domains)
    for domain, count in certificates["trust_domains"].items():
        if known and domain not in known:
            yield STRAY_TRUST_DOMAIN.at(
                f"trust domain {domain}",
                f"{count} certificates are of this trust domain, the mesh's is {listed(sorted(known))}",
                "restart these workloads, or name the domain in trustDomainAliases",
            )
