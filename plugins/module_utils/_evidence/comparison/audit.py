# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit's result: the judgement of the policies, with what the other sources answered beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Dict, List, NamedTuple, Optional, Set

from ..._policy import spiffe
from ..envoy.records import Proxy
from . import connections, findings, inventory, ports

SEEN, PARTLY, NOT_SEEN, NOT_ASKED = "seen", "partly", "not seen", "not asked"
SOURCES = ("declared", "programmed", "observed", "traffic")


class Evidence(NamedTuple):
    """What was asked beside the policies; None for a source that was not, empty for one that gave nothing."""

    proxies: Optional[Sequence[Proxy]] = None
    targets: Optional[Sequence[Mapping[str, Any]]] = None
    traffic: Optional[Mapping[str, Any]] = None
    seen: Mapping[str, Mapping[str, str]] = {}
    """By source: `state` (seen, partly, not seen, not asked) and `detail`, a sentence."""


def compared(
    result: Mapping[str, Any],
    mesh: Iterable[Mapping[str, Any]],
    evidence: Evidence,
    addresses: Mapping[str, str],
    now: datetime,
    authority_days: int,
) -> Dict[str, Any]:
    """The result of status_info with what the sources say together.

    `mesh` are all workloads, also those that `result` leaves out; `addresses` tells the workload of a pod's address.
    Adds seen, ports, proxies, certificates, probe and traffic, to each edge programmed, observed, agreement and cause,
    and findings; counts anew.
    """
    mesh = list(mesh)
    programmed = observed = None
    if evidence.proxies is not None:
        programmed = connections.Programmed(mesh, evidence.proxies, addresses)
    if evidence.traffic is not None:
        observed = connections.Observed(mesh, evidence.traffic["traffic"], programmed)
    rows = ports.compare(result["workloads"], evidence.proxies, evidence.targets)
    edges = connections.compare(result["edges"], result["client_sets"], programmed, observed)
    certificates = inventory.inventory(evidence.proxies or (), now, authority_days)
    found = [
        *findings.of_ports(rows),
        *findings.of_edges(edges),
        *findings.of_proxies(evidence.proxies or ()),
        *findings.of_certificates(certificates, _trust_domains(result["mesh"]["revisions"], mesh)),
        *findings.of_targets(evidence.targets or ()),
    ]
    everything: List[Dict[str, Any]] = sorted(
        [*result["findings"], *found], key=lambda item: (item["id"], item["object"], item["message"])
    )
    beside: Dict[str, Any] = {"ports": rows}
    if evidence.proxies is not None:
        beside["proxies"] = [_short(proxy) for proxy in evidence.proxies]
        beside["certificates"] = certificates
    if evidence.targets is not None:
        beside["probe"] = list(evidence.targets)
    if evidence.traffic is not None:
        beside["traffic"] = dict(evidence.traffic)
    return {
        **result,
        "seen": {name: dict(evidence.seen.get(name, {"state": NOT_ASKED, "detail": ""})) for name in SOURCES},
        **beside,
        "edges": edges,
        "findings": everything,
        "summary": {
            **result["summary"],
            "findings": {
                "total": len(everything),
                "by_severity": dict(sorted(Counter(item["severity"] for item in everything).items())),
            },
            "ports": {"total": len(rows), "by_agreement": _agreements(rows)},
            "edges": {**result["summary"]["edges"], "by_agreement": _agreements(edges)},
        },
    }


def _trust_domains(revisions: Iterable[Mapping[str, Any]], mesh: Iterable[Mapping[str, Any]]) -> Set[str]:
    """The mesh's own, with those of trustDomainAliases."""
    aliases = (alias for workload in mesh for alias in workload.get("identity_aliases", ()))
    return {item["trust_domain"] for item in revisions} | {spiffe.trust_domain_of(alias) for alias in aliases}


def _short(proxy: Proxy) -> Dict[str, Any]:
    """A proxy without what is compared already."""
    plain = proxy.public()
    return {name: value for name, value in plain.items() if name not in ("ports", "upstreams")}


def _agreements(rows: Iterable[Mapping[str, Any]]) -> Dict[str, int]:
    return dict(sorted(Counter(row["agreement"] for row in rows).items()))
