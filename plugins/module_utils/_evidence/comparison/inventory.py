# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh's certificates: who shows which, from which certificate authority, and how long that lasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional

from ..envoy.records import Certificate, Proxy

OK, EXPIRING, EXPIRED = "ok", "expiring", "expired"

# istiod renews a workload's certificate at half of its life (pilot/cmd/pilot-agent, SECRET_GRACE_PERIOD_RATIO); one
# that has much less left was not renewed.
_LEFT_AT_LEAST = 0.35


def inventory(proxies: Iterable[Proxy], now: datetime, authority_days: int = 60) -> Dict[str, Any]:
    """`authorities`, `workloads` and `trust_domains` of the proxies that answered.

    A certificate authority is `expiring` when it ends within `authority_days`, a workload's certificate when its
    renewal is overdue. `seen_in` counts the proxies that trust a certificate authority. Everything is sorted.
    """
    authorities: Dict[str, Dict[str, Any]] = {}
    workloads: List[Dict[str, Any]] = []
    domains: Counter[str] = Counter()
    for proxy in proxies:
        for certificate in proxy.certificates:
            if certificate.kind == "root":
                found = authorities.setdefault(
                    certificate.fingerprint, _certificate_authority(certificate, now, timedelta(days=authority_days))
                )
                found["seen_in"] += 1
            else:
                workloads.append(_workload(proxy, certificate, now))
                if certificate.trust_domain:
                    domains[certificate.trust_domain] += 1
    return {
        "authorities": [authorities[name] for name in sorted(authorities)],
        "workloads": sorted(workloads, key=lambda item: (item["workload"], item["pod"], item["serial"])),
        "trust_domains": dict(sorted(domains.items())),
    }


def _certificate_authority(certificate: Certificate, now: datetime, margin: timedelta) -> Dict[str, Any]:
    end = moment(certificate.not_after)
    return {
        "fingerprint": certificate.fingerprint,
        "subject": certificate.subject,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "key": certificate.key,
        "seen_in": 0,
        "state": _state(end, now, margin),
    }


def _workload(proxy: Proxy, certificate: Certificate, now: datetime) -> Dict[str, Any]:
    start, end = moment(certificate.not_before), moment(certificate.not_after)
    margin = (end - start) * _LEFT_AT_LEAST if start and end else timedelta()
    return {
        "workload": proxy.workload,
        "pod": proxy.pod,
        "identity": certificate.identity,
        "serial": certificate.serial,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "issuer": certificate.issuer,
        "root_fingerprint": certificate.root_fingerprint,
        "key": certificate.key,
        "state": _state(end, now, margin),
    }


def moment(text: str) -> Optional[datetime]:
    """The time of `2026-01-31T12:00:00Z`; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _state(end: Optional[datetime], now: datetime, margin: timedelta) -> str:
    """A certificate whose end cannot be read is not known to last."""
    if end is None or end <= now:
        return EXPIRED
    return EXPIRING if end - now < margin else OK


def roots_that_differ(certificates: Mapping[str, Any]) -> Dict[str, List[str]]:
    """The pods by the root that issued their certificate, where there is more than one; "" is a root nobody trusts."""
    found: Dict[str, List[str]] = {}
    for item in certificates["workloads"]:
        found.setdefault(item["root_fingerprint"], []).append(item["pod"])
    return found if len(found) > 1 or "" in found else {}
