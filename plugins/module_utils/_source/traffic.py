# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of real traffic, from a Prometheus or from access logs, by the same options for every module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from .. import _cluster as api
from .._evidence.traffic import queries, rows, series
from .._foreign.visible import visible
from . import access_logs, prometheus
from .options import TRAFFIC, PrometheusOptions, TrafficOptions
from .prometheus import TrafficError
from .questions import Lost, Questions

__all__ = ["ARGUMENT_SPEC", "TrafficError", "read"]

ARGUMENT_SPEC: dict[str, Any] = {**api.ARGUMENT_SPEC, **TRAFFIC}
"""The options of traffic_info."""


_PROTOCOLS = (("http", "requests"), ("tcp", "connections"))
"""With the question of ``Queries`` about each."""
_QUESTIONS = 10
"""So many may take their whole time, if the option total_timeout does not say it."""


class _Wanted(NamedTuple):
    window: int
    namespaces: tuple[str, ...]
    workloads: tuple[str, ...]
    """namespace/name"""


def read(options: TrafficOptions, connect: Callable[[], api.Cluster]) -> dict[str, Any]:
    """The security of the traffic in a window: traffic, window, source, queries, unknown, summary.

    Raises TrafficError or ClusterError when nothing at all could be had; what is missing of the answer is in `unknown`,
    and makes nothing mutual_tls.
    """
    wanted = _wanted(options)
    if options.source == "access_log":
        found, gaps, asked = _from_logs(options, connect, wanted)
    else:
        found, gaps, asked = _from_prometheus(options, connect, wanted)
    return {
        "traffic": found,
        "window": wanted.window,
        "source": options.source,
        "queries": asked,
        "unknown": gaps,
        "summary": rows.summary(found),
    }


def _wanted(options: TrafficOptions) -> _Wanted:
    for option in ("min_requests", "tail_lines"):
        if getattr(options, option) < 1:
            raise TrafficError(f"The option {option} is less than 1. Remedy: give a positive number.")
    if options.source == "prometheus" and not options.prometheus:
        raise TrafficError(
            "No Prometheus is given. Remedy: give the option prometheus with url or service, or source access_log."
        )
    if options.source == "access_log" and not (options.workloads or options.namespaces):
        raise TrafficError(
            "Access logs are read of chosen workloads. Remedy: give workloads as namespace/name, or namespaces."
        )
    try:
        window = queries.seconds_of(options.window)
    except ValueError as error:
        raise TrafficError(str(error)) from None
    return _Wanted(window, tuple(options.namespaces), tuple(map(_name, options.workloads)))


def _name(workload: str) -> str:
    """namespace/name of a workload that is given so, or by the id that status_info returns."""
    parts = workload.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise TrafficError(
            f"{visible(workload)} names no workload. Remedy: write namespace/name, or the id of status_info."
        )
    return f"{parts[0]}/{parts[-1].partition('~')[0]}"


_Found = tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]


def _from_prometheus(options: TrafficOptions, connect: Callable[[], api.Cluster], wanted: _Wanted) -> _Found:
    given = options.prometheus or PrometheusOptions()
    place = prometheus.connect(given, connect)
    namespaces = sorted({*wanted.namespaces, *(name.partition("/")[0] for name in wanted.workloads)})
    end = time.monotonic() + (options.total_timeout or _QUESTIONS * given.timeout)
    try:
        questions = Questions(place, wanted.window, namespaces, end)
    except ValueError as error:
        raise TrafficError(str(error)) from None
    gaps: list[dict[str, Any]] = []
    counts, whole, doubt = rows.Counts(), True, series.Doubt()
    failures = []
    for protocol, question in _PROTOCOLS:
        answers: list[series.Answer] = []
        try:
            for lost in questions.ask(question, partial(_take, counts, wanted, protocol, answers)):
                doubt.add(lost.part.namespaces)
                gaps += _lost(lost, protocol)
        except (TrafficError, api.ClusterError) as error:
            failures.append(error)
            gaps.append(rows.unknown(str(error), f"{protocol} traffic"))
        # Rows have no port, so what one answer lacks may be about the same servers as what the other one has.
        whole = whole and not failures and all(answer.whole for answer in answers)
        reasons = {reason: None for answer in answers for reason in _doubts(place.name, answer)}
        gaps += [rows.unknown(reason, f"{protocol} traffic") for reason in reasons]
    if len(failures) == len(_PROTOCOLS):
        raise failures[0]
    found = counts.rows(options.min_requests, whole, doubt)
    reporting: list[series.Answer] = []
    try:
        unheard = questions.ask("reporters", reporting.append)
    except (TrafficError, api.ClusterError) as error:
        gaps.append(rows.unknown(f"who reports could not be asked: {error}", "namespaces without traffic"))
    else:
        for lost in unheard:
            gaps += _lost(lost, "no")
        reporters = series.Answer([sample for answer in reporting for sample in answer.samples], ())
        gaps += series.gaps(found, reporters, namespaces, wanted.workloads, wanted.window)
    return found, gaps, list(questions.asked)


def _lost(lost: Lost, protocol: str) -> Iterator[dict[str, Any]]:
    """What is not known without a part of an answer."""
    for namespace in lost.part.namespaces:
        reason = f"what the pods of the namespace {namespace} export could not be read: {lost.why}"
        yield rows.unknown(reason, f"{protocol} traffic to {namespace}", namespace)
    if not lost.part.namespaces:
        reason = (
            f"what is exported by pods of which Prometheus does not tell the namespace could not be read: {lost.why}"
        )
        yield rows.unknown(reason, f"{protocol} traffic")


def _take(
    counts: rows.Counts, wanted: _Wanted, protocol: str, answers: list[series.Answer], answer: series.Answer
) -> None:
    """Count a part of the answers, and keep what it says beside its series."""
    counts.merge(series.count([(protocol, answer)], wanted.workloads, wanted.namespaces))
    answers.append(answer._replace(samples=[]))


def _doubts(name: str, answer: series.Answer) -> Iterator[str]:
    for text in answer.warnings:
        yield f"{name} warns: {text}"
    if answer.unread:
        yield f"{answer.unread} series in the answer of {name} cannot be read. Remedy: see what stands before it"


def _from_logs(options: TrafficOptions, connect: Callable[[], api.Cluster], wanted: _Wanted) -> _Found:
    counts = rows.Counts()
    doubted, gaps = access_logs.read(
        connect(), counts, wanted.workloads, wanted.namespaces, wanted.window, options.tail_lines,
        options.total_timeout,
    )  # fmt: skip
    return counts.rows(options.min_requests, doubted=doubted), gaps, []
