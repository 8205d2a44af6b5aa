# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From counted requests and connections to the rows that traffic_info returns, whatever they were counted from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any, Dict, List, NamedTuple, Optional

MUTUAL_TLS, PLAINTEXT, MIXED, UNKNOWN = "mutual_tls", "plaintext", "mixed", "unknown"
_MOST = 2.0**53
"""No counter gets there in a hundred years, and up to there every whole number is exact."""


class Path(NamedTuple):
    """Who called whom, as far as the source says it; None is what it does not say."""

    source_workload: Optional[str]
    """namespace/name, as all workloads here."""
    source_principal: Optional[str]
    destination_workload: Optional[str]
    destination_service: Optional[str]
    destination_principal: Optional[str]
    port: Optional[int]
    protocol: str
    """http, grpc or tcp."""
    exporter: Optional[str] = None
    """The pod that says so, namespace/name, where it is not one of the destination's own; what it says is doubt."""


class Counts:
    """How many requests or connections took each path with which security."""

    def __init__(self) -> None:
        self._counts: Dict[Path, Dict[str, float]] = {}

    def add(self, path: Path, security: str, count: float = 1) -> None:
        """Count some more; `security` is MUTUAL_TLS, PLAINTEXT or UNKNOWN.

        What is no count (below zero, infinite, NaN) says that there was something and not how often. A proxy has a
        counter of plaintext only if it took some, so that is plaintext, once; of everything else nothing is known.
        """
        if not 0 <= count <= _MOST:
            security, count = PLAINTEXT if security == PLAINTEXT else UNKNOWN, 1
        self._add(path, security, count)

    def _add(self, path: Path, security: str, count: float) -> None:
        found = self._counts.setdefault(path, {MUTUAL_TLS: 0.0, PLAINTEXT: 0.0, UNKNOWN: 0.0})
        found[security] += count

    def merge(self, other: Counts) -> None:
        """Take in what was counted elsewhere."""
        for path, counts in other._counts.items():
            for security, count in counts.items():
                self._add(path, security, count)

    def rows(
        self, min_requests: int = 1, whole: bool = True, doubted: Container[Optional[str]] = ()
    ) -> List[Dict[str, Any]]:
        """The rows, sorted; none is mutual_tls with fewer than `min_requests`, or where something may be missing.

        That is everywhere unless the source gave the `whole` answer, and at those servers that are `doubted`.
        """
        rows = [
            _row(path, counts, min_requests, whole and path.destination_workload not in doubted)
            for path, counts in self._counts.items()
        ]
        return sorted((row for row in rows if row["requests"]), key=_order)


def summary(rows: Iterable[Mapping[str, Any]]) -> Dict[str, Any]:
    """How many rows there are of each security, and the requests in all of them."""
    listed = list(rows)
    return {
        "total": len(listed),
        "by_security": dict(sorted(Counter(row["security"] for row in listed).items())),
        "requests": sum(row["requests"] for row in listed),
        "mutual_tls": sum(row["mutual_tls"] for row in listed),
    }


def unknown(reason: str, touches: str, namespace: Optional[str] = None) -> Dict[str, Any]:
    """An item of the list of what is not known, in the shape that status_info gives it."""
    return {"kind": "Traffic", "namespace": namespace, "reason": reason, "touches": touches}


def _row(path: Path, counts: Mapping[str, float], min_requests: int, whole: bool) -> Dict[str, Any]:
    exact = sum(counts.values())
    numbers = {security: _number(count) for security, count in counts.items()}
    requests = sum(numbers.values())
    return {
        "source": {"workload": path.source_workload, "principal": path.source_principal},
        "destination": {
            "workload": path.destination_workload,
            "service": path.destination_service,
            "principal": path.destination_principal,
        },
        "port": path.port,
        "protocol": path.protocol,
        "exporter": path.exporter,
        "requests": requests,
        "mutual_tls": numbers[MUTUAL_TLS],
        # Rounded down: 1.0 means that there was nothing else.
        "share": math.floor(counts[MUTUAL_TLS] / exact * 10000) / 10000 if exact else 0.0,
        "security": _security(numbers, whole and requests >= min_requests),
    }


def _number(count: float) -> int:
    """increase() extrapolates, so counts have fractions; what was seen at all is never rounded away."""
    return max(round(count), 1) if count > 0 else 0


def _security(numbers: Mapping[str, int], enough: bool) -> str:
    """The worst that is certain, then what is not certain; mutual TLS only where there is nothing else."""
    if numbers[PLAINTEXT]:
        return MIXED if numbers[MUTUAL_TLS] else PLAINTEXT
    return MUTUAL_TLS if enough and not numbers[UNKNOWN] else UNKNOWN


def _order(row: Mapping[str, Any]) -> Any:
    source, destination = row["source"], row["destination"]
    return (
        destination["workload"] or "",
        destination["service"] or "",
        row["port"] or 0,
        row["protocol"],
        source["workload"] or "",
        source["principal"] or "",
        destination["principal"] or "",
        row["exporter"] or "",
    )
