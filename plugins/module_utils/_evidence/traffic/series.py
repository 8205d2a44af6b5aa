# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a Prometheus mean.

Any pod that is scraped can export series about any server. A server's own proxy is believed; what another pod says of
it stays apart, under that pod's name, and is doubt about nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ..._foreign import json_text, numbers
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from .queries import CONNECTIONS, EXPORTER_NAMESPACE, EXPORTER_POD, REQUESTS, duration
from .rows import MUTUAL_TLS, PLAINTEXT, UNKNOWN, Counts, Path, unknown

MOST_SAMPLES = 250_000
"""An answer with more is not used."""

# What Istio's proxies write where they know nothing (istio/proxy, istio_stats.cc); a label that is absent is "".
_NOTHING = ("", "unknown")
_SECURITY = {"mutual_tls": MUTUAL_TLS, "none": PLAINTEXT}
_PROTOCOLS = ("http", "grpc", "tcp")
# Names that proxies give where a request was for no Service.
_NO_SERVICE = ("InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "PassthroughCluster", "BlackHoleCluster")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NUMBER = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?(?:e[+-]?\d{1,4})?|inf|nan)", re.ASCII | re.IGNORECASE)
_LONGEST_PRINCIPAL = 2048
"""Bytes of a SPIFFE ID at most, by its specification."""
# ztunnel reports for all pods of its node. It runs where only administrators put something: beside istiod, where GKE
# and other vendors put their own, or where OpenShift's operator puts it.
_ZTUNNEL, _ZTUNNEL_NAMESPACES = "ztunnel", ("istio-system", "kube-system", "ztunnel")
# Kubernetes cuts what it makes a pod's name from (apiserver, pkg/storage/names, maxGeneratedNameLength).
_LONGEST_BEGINNING = 58
# What PromQL's engine says of single series, which it then leaves out: two kinds of samples under one name. All other
# warnings are of storages that did not answer (prometheus, util/annotations).
_OF_SINGLE_SERIES = ("PromQL info:", "PromQL warning: encountered a mix of histograms and floats")
_NOT_A_NAME = "*"
_SHOWN = 300


class Doubt:
    """The servers of which something may be missing, because what pods of these namespaces export was not read."""

    def __init__(self) -> None:
        self._namespaces: Set[str] = set()
        self._everybody = False

    def add(self, namespaces: Iterable[str]) -> None:
        """Of no namespace at all: nobody knows whose pods; and where ztunnels are, they speak for everybody."""
        names = set(namespaces)
        self._namespaces |= names
        self._everybody = self._everybody or not names or not names.isdisjoint(_ZTUNNEL_NAMESPACES)

    def __contains__(self, server: object) -> bool:
        """Whether it is about a server, namespace/name; None is one without a name."""
        return self._everybody or not isinstance(server, str) or server.partition("/")[0] in self._namespaces


class AnswerError(Exception):
    """An answer that is not a Prometheus' to an instant query, or its refusal; the text says which."""


class Answer(NamedTuple):
    """An instant vector, and what Prometheus said beside it."""

    samples: List[Tuple[Mapping[str, str], float]]
    """The labels and the value of each series, NaN for what is no number."""
    warnings: Tuple[str, ...]
    unread: int = 0
    """Series whose labels cannot be read."""

    @property
    def whole(self) -> bool:
        """Whether no series may be missing but such as are at fault themselves."""
        return not self.unread and all(text.startswith(_OF_SINGLE_SERIES) for text in self.warnings)


def parse(body: bytes) -> Answer:
    """The answer to an instant query of Prometheus' HTTP API (prometheus.io/docs/prometheus/latest/querying/api).

    A series that is not as it should be costs only itself. Raises AnswerError.
    """
    try:
        content: Any = json_text.parse(body)
    except Unreadable as error:
        raise AnswerError(f"the answer {error}") from None
    if not isinstance(content, dict) or content.get("status") not in ("success", "error"):
        raise AnswerError("the answer is not one of Prometheus' API")
    if content["status"] == "error":
        kind, text = (visible(content.get(name), _SHOWN) for name in ("errorType", "error"))
        raise AnswerError(f"Prometheus refuses: {kind}: {text}")
    data = content.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "vector" or not isinstance(data.get("result"), list):
        raise AnswerError("the answer is no vector")
    items = data["result"]
    if len(items) > MOST_SAMPLES:
        raise AnswerError(f"the answer has too many samples, {len(items)}")
    samples = [(item["metric"], _value(item)) for item in items if _has_labels(item)]
    return Answer(samples, tuple(_texts(content.get("warnings"))), len(items) - len(samples))


def _has_labels(item: Any) -> bool:
    labels = item.get("metric") if isinstance(item, dict) else None
    return isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values())


def _value(item: Mapping[str, Any]) -> float:
    """A sample's number; NaN where there is none, as for a native histogram."""
    value = item.get("value")
    text = value[1] if isinstance(value, list) and len(value) == 2 else None
    return float(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else math.nan


def _texts(warnings: Any) -> Iterable[str]:
    if not warnings:
        return ()
    return [visible(text, _SHOWN) for text in (warnings if isinstance(warnings, list) else [warnings])]


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
            said = _SECURITY.get(labels.get("connection_security_policy", ""), UNKNOWN)
            counts.add(path, UNKNOWN if path.exporter else said, value)
    return counts


def gaps(
    counted: Sequence[Mapping[str, Any]],
    reporters: Answer,
    namespaces: Sequence[str],
    workloads: Sequence[str],
    window: int,
) -> List[Dict[str, Any]]:
    """What the rows do not say: of which namespaces and chosen workloads nothing was seen, and why; that measuring is
    off, or has stopped; who speaks for others.
    """
    own = [row for row in counted if not row["exporter"]]
    found = [_speaks_for_others(name, rows) for name, rows in sorted(_by_exporter(counted).items())]
    if not reporters.samples:
        return [_nobody_measures(bool(own), window), *found]
    reporting: Dict[str, Set[str]] = {}
    for labels, _count in reporters.samples:
        namespace, by = labels.get("destination_workload_namespace", ""), labels.get("reporter", "")
        if by != "destination" or _may_speak_for(labels, namespace):
            reporting.setdefault(namespace, set()).add(by)
    servers = {row["destination"]["workload"] or "" for row in own}
    seen = {server.partition("/")[0] for server in servers}
    for namespace in sorted(set(namespaces) or set(reporting)):
        by_whom = reporting.get(namespace, set())
        if "destination" not in by_whom or namespace not in seen:
            found.append(_silent(namespace, by_whom, window))
    for workload in sorted(set(workloads) - servers):
        namespace = workload.partition("/")[0]
        if namespace in seen:
            reason = f"no call to it was reported in the last {duration(window)}"
            found.append(unknown(reason, f"traffic to {workload}", namespace))
    return found


def _by_exporter(counted: Iterable[Mapping[str, Any]]) -> Dict[str, List[str]]:
    """The namespace of each pod that speaks for others, with the servers of which its pods speak."""
    found: Dict[str, List[str]] = {}
    for row in counted:
        if row["exporter"]:
            server = row["destination"]["workload"] or row["destination"]["service"] or "servers without a name"
            found.setdefault(row["exporter"].partition("/")[0], []).append(f"{server} (by {row['exporter']})")
    return found


def _speaks_for_others(namespace: str, said: Sequence[str]) -> Dict[str, Any]:
    names = sorted(set(said))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return unknown(
        f"pods of the namespace {namespace} export series about servers that they do not belong to: "
        f"{', '.join(names[:3])}{more}. Remedy: see what they are; a collector that passes on what others say needs "
        "honor_labels in its scrape configuration",
        "what these pods say, and nothing else",
        None if namespace == _NOT_A_NAME else namespace,
    )


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
    protocol = labels.get("request_protocol", "")
    server = _place(labels, "destination_workload_namespace", "destination_workload")
    place = _place(labels, "destination_service_namespace", "destination_service_name")
    namespace, name = server.split("/") if server else ((place or "/").partition("/")[0], "")
    return Path(
        _place(labels, "source_workload_namespace", "source_workload"),
        _principal(labels.get("source_principal", "")),
        server,
        None if service in _NO_SERVICE else place,
        _principal(labels.get("destination_principal", "")),
        numbers.port(labels.get("destination_port", "")),
        protocol if protocol in _PROTOCOLS else default_protocol,
        None if _may_speak_for(labels, namespace, name) else _exporter(labels),
    )


def _one(labels: Mapping[str, str], names: Iterable[str]) -> str:
    """What labels of these names say; of the two that a scrape configuration can set a pod can choose the other."""
    values = {labels[name] for name in names if labels.get(name)}
    return "" if not values else values.pop() if len(values) == 1 else _NOT_A_NAME


def _exporter(labels: Mapping[str, str]) -> str:
    parts = (_one(labels, EXPORTER_NAMESPACE), _one(labels, EXPORTER_POD))
    return "/".join(part if _NAME.fullmatch(part) else _NOT_A_NAME for part in parts)


def _may_speak_for(labels: Mapping[str, str], namespace: str, workload: str = "") -> bool:
    """Whether a series comes from a pod of a namespace, of a workload if that is given, or from ztunnel.

    So it is where the labels do not tell whom it comes from: whether they do is the scrape configuration's choice. A
    pod of a workload is known by its name, which begins with the workload's.
    """
    by, pod = _one(labels, EXPORTER_NAMESPACE), _one(labels, EXPORTER_POD)
    if by in _ZTUNNEL_NAMESPACES and pod.startswith(f"{_ZTUNNEL}-"):
        return True
    beginning = f"{workload}-"[:_LONGEST_BEGINNING]
    return by in ("", namespace) and (not pod or not workload or pod == workload or pod.startswith(beginning))


def _principal(value: str) -> Optional[str]:
    good = value not in _NOTHING and len(value) <= _LONGEST_PRINCIPAL and value.isprintable()
    return value if good else None


def _place(labels: Mapping[str, str], namespace: str, name: str) -> Optional[str]:
    """namespace/name; None for what no object can be called."""
    parts = (labels.get(namespace, ""), labels.get(name, ""))
    return "/".join(parts) if all(part != "unknown" and _NAME.fullmatch(part) for part in parts) else None
