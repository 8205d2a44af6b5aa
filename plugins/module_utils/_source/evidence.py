# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks what an audit asks beside the policies: the proxies, the wire and telemetry. What fails is not seen, and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import _cluster as api
from .._evidence.comparison.audit import NOT_ASKED, NOT_SEEN, PARTLY, SEEN, Evidence
from .._evidence.comparison.settling import unsettled
from .._evidence.envoy import choice
from .._evidence.probe import answers as wire_answers
from .._evidence.probe import expectation, plan
from .._foreign.guards import NOT_UNDERSTOOD
from .._foreign.visible import visible
from .._policy.membership import enrolled_namespaces
from . import proxies, traffic, wire
from .options import ProbeOptions, ProxyOptions, TrafficOptions
from .prometheus import TrafficError

_PAUSE = 1.0
"""Seconds before proxies are asked again."""


class Asking(NamedTuple):
    """What the module was asked, and what it lends to the sources."""

    sources: Sequence[str]
    namespaces: Sequence[str]
    proxies: ProxyOptions
    probe: ProbeOptions
    traffic: TrafficOptions
    connect: Callable[[], api.Cluster]
    check_mode: bool
    warn: Callable[[str], None]
    hide: Callable[[str], None]
    """Takes a value that must never be shown."""
    addresses: Mapping[str, str]
    """The workload of each pod's address."""
    offline: str = ""
    """Why nothing live is asked at all; empty where it is."""


def gather(result: Mapping[str, Any], asking: Asking) -> Evidence:
    """What the sources of the option `sources` answer about the mesh that `result` judges; raises nothing of theirs."""
    seen = {"declared": _declared(result)}
    wanted = asking.sources
    found: dict[str, Any] = {"proxies": None, "targets": None, "traffic": None}
    for source, name, ask in (
        ("programmed", "proxies", _proxies),
        ("observed", "targets", _wire),
        ("traffic", "traffic", _traffic),
    ):
        if source not in wanted:
            continue
        if asking.offline:
            seen[source] = {"state": NOT_ASKED, "detail": asking.offline}
            continue
        try:
            found[name], state, detail = ask(result, asking)
        except (api.ClusterError, TrafficError, choice.ChoiceError, plan.TargetError) as error:
            found[name], state, detail = _NOTHING[name], NOT_SEEN, str(error)
        except NOT_UNDERSTOOD as error:  # nothing in one source's answers takes anything from the others
            found[name], state, detail = _NOTHING[name], NOT_SEEN, _unforeseen(error)
        seen[source] = {"state": state, "detail": detail}
    return Evidence(seen=seen, **found)


_NOTHING: dict[str, Any] = {
    "proxies": [],
    "targets": [],
    "traffic": {"traffic": [], "window": 0, "source": "", "queries": [], "unknown": [], "summary": {}},
}


def _unforeseen(error: Exception) -> str:
    text = visible(f"{type(error).__name__}: {error}", 200)
    return (
        f"it was answered with something that nobody foresaw ({text}). Remedy: report this, with the answer if you can"
    )


def _declared(result: Mapping[str, Any]) -> dict[str, str]:
    gaps = len(result["unknown"])
    detail = f"{gaps} things could not be read or judged" if gaps else "all that was read could be judged"
    return {"state": PARTLY if gaps else SEEN, "detail": detail}


def _proxies(result: Mapping[str, Any], asking: Asking) -> tuple[Any, str, str]:
    options = asking.proxies
    chosen = choice.choose(result["workloads"], (), asking.namespaces, None if options.all else max(1, options.sample))
    limits = proxies.Limits(max(1, options.side_by_side), options.timeout, options.max_bytes, options.total_timeout)
    proxies.require_library()
    if not chosen.targets:
        return [], NOT_SEEN, "there is no proxy to ask"
    cluster = asking.connect()
    found = proxies.read(cluster, chosen.targets, upstreams=True, limits=limits)
    end = time.monotonic() + options.settle
    while time.monotonic() < end and (pods := unsettled(result, found, asking.addresses)):
        time.sleep(_PAUSE)
        again = [target for target in chosen.targets if target.place in pods]
        anew = {item.pod: item for item in proxies.read(cluster, again, upstreams=True, limits=limits)}
        found = [anew.get(item.pod, item) for item in found]
    answered = sum(proxy.answered for proxy in found)
    state = SEEN if answered == len(found) == chosen.total else PARTLY if answered else NOT_SEEN
    return found, state, f"{answered} of {len(found)} proxies that were asked answered; the mesh has {chosen.total}"


def _wire(result: Mapping[str, Any], asking: Asking) -> tuple[Any, str, str]:
    if asking.check_mode:
        return None, NOT_ASKED, "in check mode no pod is made"
    options = asking.probe
    namespaces = options.target_namespaces or asking.namespaces or sorted(enrolled_namespaces(result))
    if not namespaces:
        return [], NOT_SEEN, "no namespace has a workload in the mesh"
    revision = options.revision or _revision(result["workloads"], namespaces)
    wanted = options._replace(target_namespaces=namespaces, revision=revision)
    known = expectation.expected_of(result["workloads"])
    answers = wire.probe(asking.connect(), wanted, asking.warn, asking.hide, known)
    clear = sum(answer["verdict"] != wire_answers.UNKNOWN for answer in answers)
    state = SEEN if answers and clear == len(answers) else PARTLY if clear else NOT_SEEN
    return answers, state, f"{clear} of {len(answers)} ports answered clearly"


def _revision(workloads: Iterable[Mapping[str, Any]], namespaces: Sequence[str]) -> str:
    """The revision that serves the targets: it injects the pod that asks from inside the mesh, too."""
    found = {item["revision"] for item in workloads if item["namespace"] in namespaces and item["mesh"] == "sidecar"}
    return min(filter(None, found), default="")


def _traffic(result: Mapping[str, Any], asking: Asking) -> tuple[Any, str, str]:
    found = traffic.read(asking.traffic._replace(namespaces=asking.namespaces), asking.connect)
    clear = sum(row["security"] != "unknown" for row in found["traffic"])
    state = (PARTLY if found["unknown"] or clear < len(found["traffic"]) else SEEN) if clear else NOT_SEEN
    return (
        found,
        state,
        f"{clear} of {len(found['traffic'])} pairs of workloads in {found['window']} s tell their security",
    )
