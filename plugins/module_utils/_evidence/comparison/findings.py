# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer should look at when sources are compared. Ids are stable: one is never given another meaning.

========= ======== =====================================================================================
id        severity meaning
========= ======== =====================================================================================
MTLS-101  high     The wire answers otherwise than the policies say
MTLS-102  high     A proxy runs with something else than the policies say
MTLS-103  high     A connection is not what the policies say
MTLS-104  high     A proxy is cut off from istiod
MTLS-105  high     A proxy refused its last configuration
MTLS-106  high     A port of which the policies cannot be judged accepts plaintext
MTLS-107  high     Workloads have certificates of different roots
MTLS-108  high     A certificate has ended, or its renewal is overdue
MTLS-109  medium   An authority's certificate ends soon
MTLS-110  medium   A workload's trust domain is not its mesh's
MTLS-111  high     A server takes a client certificate that it should refuse
MTLS-112  low      A proxy did not answer
========= ======== =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, Iterator, List

from ..envoy.records import Proxy
from .agreement import CONTRADICTED, PERMISSIVE, PLAINTEXT, UNKNOWN
from .inventory import EXPIRED, EXPIRING, OK, roots_that_differ

SEVERITIES: Dict[str, str] = {
    "MTLS-101": "high",
    "MTLS-102": "high",
    "MTLS-103": "high",
    "MTLS-104": "high",
    "MTLS-105": "high",
    "MTLS-106": "high",
    "MTLS-107": "high",
    "MTLS-108": "high",
    "MTLS-109": "medium",
    "MTLS-110": "medium",
    "MTLS-111": "high",
    "MTLS-112": "low",
}

Finding = Dict[str, Any]


def of_ports(rows: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of compared ports."""
    return [found for row in rows for found in _of_port(row)]


def _of_port(row: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"{row['workload']} port {row['port']}"
    if row["declared"] == UNKNOWN:
        source = next((name for name in ("observed", "programmed") if row[name] in (PLAINTEXT, PERMISSIVE)), None)
        if source:
            yield _finding(
                "MTLS-106",
                where,
                f"is {row[source]} as {source}, and manifests do not tell why: {row['why']}",
                "look at the object that makes it unknown, such as an EnvoyFilter",
            )
        return
    if row["agreement"] != CONTRADICTED:
        return
    for name, identifier in (("programmed", "MTLS-102"), ("observed", "MTLS-101")):
        if row[name] not in (None, UNKNOWN, row["declared"]):
            yield _finding(
                identifier,
                where,
                f"is {row['declared']} as declared, but {row[name]} as {name}: {row['why']}",
                row["cause"],
            )


def of_edges(edges: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of compared edges."""
    return [
        _finding(
            "MTLS-103",
            f"{edge['clients']} to {edge['service']}:{edge['port']}"
            + (f" at {edge['endpoint']}" if edge["endpoint"] else ""),
            f"is {edge['verdict']} as declared, {edge['programmed'] or 'not asked'} as programmed, "
            f"{edge['observed'] or 'not asked'} as observed: {edge['reason']}",
            edge["cause"],
        )
        for edge in edges
        if edge["agreement"] == CONTRADICTED
    ]


def of_proxies(proxies: Iterable[Proxy]) -> List[Finding]:
    """Findings of proxies by themselves."""
    return [found for proxy in proxies for found in _of_proxy(proxy)]


def _of_proxy(proxy: Proxy) -> Iterator[Finding]:
    if not proxy.answered:
        yield _finding("MTLS-112", proxy.pod, f"its proxy did not answer: {proxy.reason}", "see why, and run it again")
        return
    if proxy.istiod.connected is False:
        yield _finding(
            "MTLS-104",
            proxy.pod,
            f"its proxy is cut off from istiod ({proxy.istiod.identity or 'address unknown'}) and keeps what it had",
            "see whether istiod runs and a network policy lets the proxy reach port 15012",
        )
    if proxy.configuration.accepted is False:
        yield _finding(
            "MTLS-105",
            proxy.pod,
            f"its proxy refused its last configuration: {proxy.configuration.detail}",
            "correct the object that the message names, often an EnvoyFilter",
        )


def of_certificates(certificates: Mapping[str, Any], trust_domains: Iterable[str]) -> List[Finding]:
    """Findings of the inventory. `trust_domains` are those of the mesh's revisions."""
    found: List[Finding] = []
    roots = roots_that_differ(certificates)
    for root, pods in sorted(roots.items(), key=lambda item: (-len(item[1]), item[0])):
        found.append(
            _finding(
                "MTLS-107",
                f"root {root[:16]}" if root else "no root",
                f"{len(pods)} of {len(certificates['workloads'])} certificates "
                + (
                    f"come from this root: {_listed(pods)}"
                    if root
                    else f"lead to no root that is trusted: {_listed(pods)}"
                ),
                "restart the workloads of the old root once the new one is trusted everywhere",
            )
        )
    for item in certificates["workloads"]:
        if item["state"] != OK:
            ended = "has ended" if item["state"] == EXPIRED else "should have been renewed"
            found.append(
                _finding(
                    "MTLS-108",
                    item["pod"],
                    f"the certificate {item['serial']} of {item['identity']} {ended}; its end is {item['not_after']}",
                    "see whether its proxy reaches istiod",
                )
            )
    for item in certificates["authorities"]:
        if item["state"] != OK:
            found.append(
                _finding(
                    "MTLS-109" if item["state"] == EXPIRING else "MTLS-108",
                    f"authority {item['subject'] or item['fingerprint'][:16]}",
                    f"{'ends' if item['state'] == EXPIRING else 'ended'} on {item['not_after']}",
                    "rotate the signing authority",
                )
            )
    known = set(trust_domains)
    for domain, count in certificates["trust_domains"].items():
        if known and domain not in known:
            found.append(
                _finding(
                    "MTLS-110",
                    f"trust domain {domain}",
                    f"{count} certificates are of this trust domain, the mesh's is {_listed(sorted(known))}",
                    "restart these workloads, or name the domain in trustDomainAliases",
                )
            )
    return found


def of_targets(targets: Iterable[Mapping[str, Any]]) -> List[Finding]:
    """Findings of the probe by itself."""
    return [
        _finding(
            "MTLS-111",
            f"{target.get('service') or target.get('pod')}:{target['port']}",
            "took a client certificate that it should refuse: "
            + "; ".join(
                f"{kind}: {met['detail']}" for kind, met in target["identities"].items() if met["result"] == "accepted"
            ),
            "see who ends TLS there: an EnvoyFilter, or the application itself",
        )
        for target in targets
        if target.get("identity_check") == "not enforced" and target["verdict"] == "strict"
    ]


def _finding(identifier: str, thing: str, message: str, fix: str) -> Finding:
    return {"id": identifier, "severity": SEVERITIES[identifier], "object": thing, "message": message, "fix": fix}


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
