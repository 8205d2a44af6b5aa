# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask a Prometheus about the security of connections, as PromQL that a person can paste.

Every pod that is scraped can export series of these names, with whatever labels and values it likes. So series of
different pods are never added up here, and one that is no counter takes nothing away from others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import List, NamedTuple, Optional, Tuple, Union

from ..._foreign.numbers import number

REQUESTS = "istio_requests_total"
CONNECTIONS = "istio_tcp_connections_opened_total"

# Istio's standard labels. destination_port is none of them; a Telemetry object can add it (docs/traffic.md).
LABELS = (
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_service_name",
    "destination_service_namespace",
    "destination_port",
    "request_protocol",
    "connection_security_policy",
)

EXPORTER_NAMESPACE = ("namespace", "kubernetes_namespace")
EXPORTER_POD = ("pod", "kubernetes_pod_name")
"""The labels that scrape configurations give the namespace and the name of the pod that exports a series: those of
Istio's own Prometheus and of the operator's PodMonitors, and an older custom. A pod cannot choose them."""

_BY = ", ".join((*LABELS, *EXPORTER_NAMESPACE, *EXPORTER_POD))
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d{1,12}[smhdw]){1,5}", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


_ANY = f'__name__=~"{REQUESTS}|{CONNECTIONS}"'
EXPORTERS = (
    f'count by ({EXPORTER_NAMESPACE[0]}) ({{{_ANY}, {EXPORTER_NAMESPACE[0]}!=""}})\nor\n'
    f'count by ({EXPORTER_NAMESPACE[1]}) ({{{_ANY}, {EXPORTER_NAMESPACE[0]}=""}})'
)
"""The namespaces whose pods export any of it just now, by the second label only where there is no first: a pod can
choose the one that the scrape configuration does not set, and give it a million values."""
_MOST_PARTS = 100


class Part(NamedTuple):
    """A part of all series: what pods of some namespaces export."""

    matchers: str
    namespaces: Tuple[str, ...]
    """Empty for whatever is in no other part: then nobody knows whose that is."""


class Queries(NamedTuple):
    """The questions for one window."""

    requests: str
    connections: str
    reporters: str
    """Who reports at all just now: tells "nobody called" from "nobody measures"."""


def seconds_of(window: Union[str, int]) -> int:
    """A duration such as 90, "90", "5m" or "1h30m" in seconds. Raises ValueError, with the remedy."""
    text = str(window).strip()
    plain = number(text)
    if plain is not None:
        seconds = plain
    elif _DURATION.fullmatch(text):
        seconds = sum(int(count) * _SECONDS[unit] for count, unit in re.findall(r"(\d+)([smhdw])", text))
    else:
        seconds = 0
    if seconds < 1:
        raise ValueError(
            f"The window {text!r} is no duration. Remedy: write seconds, or numbers with s, m, h, d or w, such as 5m."
        )
    return seconds


def duration(seconds: int) -> str:
    """Seconds as PromQL and people write them: 5m, 1h, 90s."""
    unit = next(unit for unit in ("w", "d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def queries(window: int, namespaces: Iterable[str] = (), part: Optional[Part] = None) -> Queries:
    """The queries for a window in seconds, towards all destinations or those of some namespaces, or a part of these.

    Only servers' reports count: clients' say connection_security_policy="unknown" even under mutual TLS (istio#12452,
    istio#60667). Raises ValueError, with the remedy, for what is no namespace's name: it would change the query.
    """
    names = sorted(set(namespaces))
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise ValueError(f"{name!r} is no namespace's name. Remedy: correct the option namespaces.")
    matchers = 'reporter="destination"'
    if len(names) == 1:
        matchers += f', destination_workload_namespace="{names[0]}"'
    elif names:
        matchers += f', destination_workload_namespace=~"{"|".join(names)}"'
    exporters = f", {part.matchers}" if part else ""
    matchers += exporters
    return Queries(
        _grown(f"{REQUESTS}{{{matchers}}}", duration(window)),
        _grown(f"{CONNECTIONS}{{{matchers}}}", duration(window)),
        f"count by (reporter, destination_workload_namespace, {', '.join((*EXPORTER_NAMESPACE, *EXPORTER_POD))}) "
        f"({{{_ANY}{exporters}}})",
    )


def parts(exporters: Iterable[Mapping[str, str]]) -> List[Part]:
    """All series there can be, in parts by who exports them, from the labels that EXPORTERS answers.

    Each is in exactly one part. What was exported in the window and is no more, and what does not say by whom, is in
    those that belong to nobody.
    """
    listed = list(exporters)
    label, older = EXPORTER_NAMESPACE
    found: List[Part] = []
    for before, name, names in (
        (f'{label}!="", ', label, {item.get(label, "") for item in listed}),
        (f'{label}="", ', older, {item.get(older, "") for item in listed if not item.get(label)}),
    ):
        good = sorted(filter(_NAMESPACE.fullmatch, names))
        size = -(-len(good) // _MOST_PARTS) or 1
        for start in range(0, len(good), size):
            batch = tuple(good[start : start + size])
            found.append(Part(f'{before}{name}=~"{"|".join(batch)}"', batch))
        found.append(Part(before + (f'{name}!~"{"|".join(good)}"' if good else f'{name}=~".*"'), ()))
    return found


def _grown(selector: str, window: str) -> str:
    """How much counters grew in the window, summed for each pod that exports them.

    increase() bridges resets, but sees nothing of what a series begins with, and a single plaintext request is a series
    that begins with 1 and never grows. So the first value of each series counts, too, that was not there when the
    window began. The label keeps `or` from taking the two sums for the same one; it is set after summing, since before
    it a series that has it already would be there twice, which is an error for the whole query.

    Counters do not fall below zero: clamped, one that does takes nothing away from the others. NaN stays NaN.
    """
    began = f"min_over_time({selector}[{window}]) unless {selector} offset {window}"
    return (
        f"sum by ({_BY}) (clamp_min(increase({selector}[{window}]), 0))\n"
        "or\n"
        "label_replace(\n"
        f"  sum by ({_BY}) (clamp_min({began}, 0)),\n"
        '  "began", "yes", "", ""\n'
        ")"
    )
