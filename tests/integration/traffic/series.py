"""Recorded series as OpenMetrics text: what a Prometheus would hold that had scraped Istio's proxies until now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

STEP = 15
"""Seconds between two scrapes."""
REQUESTS, CONNECTIONS = "istio_requests", "istio_tcp_connections_opened"

_COMMON = {
    "reporter": "destination",
    "source_workload": "service-b",
    "source_workload_namespace": "demo",
    "source_principal": "spiffe://cluster.local/ns/demo/sa/service-b",
    "destination_workload": "service-a",
    "destination_workload_namespace": "demo",
    "destination_principal": "spiffe://cluster.local/ns/demo/sa/service-a",
    "destination_service_name": "service-a",
    "destination_service_namespace": "demo",
    "request_protocol": "http",
    "connection_security_policy": "mutual_tls",
    "response_code": "200",
}
OUTSIDER = {
    "source_workload": "unknown",
    "source_workload_namespace": "unknown",
    "source_principal": "unknown",
    "destination_principal": "unknown",
    "connection_security_policy": "none",
}


class Recorded(NamedTuple):
    """One series: its values from scrape to scrape, of which the last was taken `ended` seconds ago."""

    labels: Mapping[str, str]
    values: tuple[float, ...]
    metric: str = REQUESTS
    ended: int = 0


def series(*values: float, metric: str = REQUESTS, ended: int = 0, **labels: str) -> Recorded:
    """A series like that of calls from demo/service-b to demo/service-a under mutual TLS, with some labels changed."""
    return Recorded({**_COMMON, **labels}, values, metric, ended)


def openmetrics(recorded: Iterable[Recorded]) -> str:
    """The text that promtool makes blocks of."""
    now = int(time.time())
    lines = []
    for metric in (REQUESTS, CONNECTIONS):
        lines.append(f"# TYPE {metric} counter")
        for item in recorded:
            if item.metric == metric:
                labels = ",".join(f'{name}="{value}"' for name, value in item.labels.items())
                first = now - item.ended - STEP * (len(item.values) - 1)
                lines += [
                    f"{metric}_total{{{labels}}} {value} {first + STEP * number}"
                    for number, value in enumerate(item.values)
                ]
    return "\n".join([*lines, "# EOF", ""])
