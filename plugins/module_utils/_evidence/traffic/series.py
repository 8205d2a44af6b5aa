# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a Prometheus mean."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from .queries import CONNECTIONS, REQUESTS, duration
from .rows import MUTUAL_TLS, PLAINTEXT, UNKNOWN, Counts, Path, unknown

# What Istio's proxies write where they know nothing (istio/proxy, istio_stats.cc); a label that is absent is "".
_NOTHING = ("", "unknown")
_SECURITY = {"mutual_tls": MUTUAL_TLS, "none": PLAINTEXT}
_PROTOCOLS = ("http", "grpc", "tcp")
# Names that proxies give where a request was for no Service.
_NO_SERVICE = ("InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "PassthroughCluster", "BlackHoleCluster")


class AnswerError(Exception):
    """An answer that is not a Prometheus' to an instant query, or its refusal; the text says which."""


class Answer(NamedTuple):
    """An instant vector, and what Prometheus said beside it."""

    samples: List[Tuple[Mapping[str, str], float]]
    warnings: Tuple[str, ...]
    """With any of these a part of the series may be missing: a remote store or a Thanos store did not answer."""


def parse(body: bytes) -> Answer:
    """The answer to an instant query of Prometheus' HTTP API (prometheus.io/docs/prometheus/latest/querying/api).

    Raises AnswerError.
    """
    try:
        content: Any = json.loads(body)
    except ValueError:
        raise AnswerError("the answer is no JSON") from None
    if not isinstance(content, dict) or content.get("status") not in ("success", "error"):
        raise AnswerError("the answer is not one of Prometheus' API")
    if content["status"] == "error":
        raise AnswerError(f"Prometheus refuses: {content.get('errorType')}: {content.get('error')}")
    data = content.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "vector" or not isinstance(data.get("result"), list):
        raise AnswerError("the answer is no vector")
    try:
        samples: List[Tuple[Mapping[str, str], float]] = [
            (dict(item["metric"]), float(item["value"][1])) for item in data["result"]
        ]
    except (KeyError, IndexError, TypeError, ValueError):
        raise AnswerError("the answer has a sample without labels or value") from None
    return Answer(samples, tuple(str(warning) for warning in content.get("warnings") or ()))


def count(
    answers: Iterable[Tuple[str, Answer]], workloads: Sequence[str] = (), namespaces: Sequence[str] = ()
) -> Counts:
    """What the answers counted, of all destinations or only of those workloads (namespace/name) and namespaces.

    Each answer comes with the protocol of its metric, for series that do not say it (request_protocol).
    """
    counts = Counts()
    for protocol, answer in answers:
        for labels, value in answer.samples:
            path = _path(labels, protocol)
            server = path.destination_workload or ""
            if workloads and server not in workloads and server.partition("/")[0] not in namespaces:
                continue
            security = _SECURITY.get(labels.get("connection_security_policy", ""), UNKNOWN)
            if math.isfinite(value):
                counts.add(path, security, value)
            else:
                counts.add(path, UNKNOWN)
    return counts


def gaps(
    counted: Sequence[Mapping[str, Any]],
    reporters: Answer,
    namespaces: Sequence[str],
    workloads: Sequence[str],
    window: int,
) -> List[Dict[str, Any]]:
    """What the rows do not say: of which namespaces and chosen workloads nothing was seen, and why; that measuring is
    off, or has stopped.
    """
    if not reporters.samples:
        return [_nobody_measures(bool(counted), window)]
    reporting: Dict[str, Set[str]] = {}
    for labels, _value in reporters.samples:
        reporting.setdefault(labels.get("destination_workload_namespace", ""), set()).add(labels.get("reporter", ""))
    servers = {row["destination"]["workload"] or "" for row in counted}
    seen = {server.partition("/")[0] for server in servers}
    found = []
    for namespace in sorted(set(namespaces) or set(reporting)):
        by = reporting.get(namespace, set())
        if "destination" not in by or namespace not in seen:
            found.append(_silent(namespace, by, window))
    for workload in sorted(set(workloads) - servers):
        namespace = workload.partition("/")[0]
        if namespace in seen:
            reason = f"no call to it was reported in the last {duration(window)}"
            found.append(unknown(reason, f"traffic to {workload}", namespace))
    return found


def _nobody_measures(counted: bool, window: int) -> Dict[str, Any]:
    if counted:
        return unknown(
            f"the series end before now: in the last minutes this Prometheus took in neither {REQUESTS} nor "
            f"{CONNECTIONS}. Remedy: see whether it still scrapes the proxies",
            f"traffic since then, a part of the last {duration(window)}",
        )
    return unknown(
        f"this Prometheus has no series {REQUESTS} or {CONNECTIONS}. Remedy: see whether telemetry is on (Telemetry, "
        "meshConfig.defaultProviders.metrics) and whether this is the Prometheus that scrapes the proxies",
        "all traffic",
    )


def _silent(namespace: str, reporters: Set[str], window: int) -> Dict[str, Any]:
    if namespace in _NOTHING:
        return unknown(
            "clients report calls whose server is no known workload: outside the mesh, or by passthrough; only a "
            "server's proxy tells the security",
            "calls to servers without a reporting proxy",
        )
    if "destination" in reporters:
        reason = f"the proxies report, but nothing was called in the last {duration(window)}"
    elif reporters:
        reason = (
            f"only {' and '.join(sorted(reporters))} reports calls to it, and that tells no security. Remedy: see "
            "whether its pods have proxies, and whether Prometheus scrapes them"
        )
    else:
        reason = (
            "no proxy reports a call to it. Remedy: where there should be some, see whether its pods have proxies, "
            "and whether Prometheus scrapes them"
        )
    return unknown(reason, f"traffic to {namespace}", namespace)


def _path(labels: Mapping[str, str], default_protocol: str) -> Path:
    service = labels.get("destination_service_name", "")
    port = labels.get("destination_port", "")
    protocol = labels.get("request_protocol", "")
    return Path(
        _place(labels, "source_workload_namespace", "source_workload"),
        _known(labels.get("source_principal", "")),
        _place(labels, "destination_workload_namespace", "destination_workload"),
        None if service in _NO_SERVICE else _place(labels, "destination_service_namespace", "destination_service_name"),
        _known(labels.get("destination_principal", "")),
        int(port) if port.isascii() and port.isdigit() else None,
        protocol if protocol in _PROTOCOLS else default_protocol,
    )


def _known(value: str) -> Optional[str]:
    return None if value in _NOTHING else value


def _place(labels: Mapping[str, str], namespace: str, name: str) -> Optional[str]:
    parts = (labels.get(namespace, ""), labels.get(name, ""))
    return None if any(part in _NOTHING for part in parts) else "/".join(parts)
