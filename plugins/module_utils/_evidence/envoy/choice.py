# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxies to ask: all, those of chosen workloads, or a sample that has some of every workload."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

_WHY_NONE = {
    "ambient": "its traffic is carried by the node's ztunnel, which is no Envoy",
    "none": "it has no proxy",
}


class ChoiceError(Exception):
    """A workload was asked for that does not exist."""


class ProxyTarget(NamedTuple):
    """A proxy to ask."""

    namespace: str
    pod: str
    workload: str
    revision: Optional[str]
    gateway: bool
    ports: FrozenSet[int]
    """The TCP ports of the workload."""
    bypassed: FrozenSet[int]
    """Those of them whose traffic does not pass the proxy."""
    identity: Optional[str] = None
    """What its certificates must say; None where that is not known."""
    aliases: Tuple[str, ...] = ()
    """What they may say as well."""

    @property
    def place(self) -> str:
        """ns/name of the pod."""
        return f"{self.namespace}/{self.pod}"


class Choice(NamedTuple):
    """What is asked, and what is not."""

    targets: List[ProxyTarget]
    total: int
    """How many proxies there are, asked or not."""
    not_asked: List[Dict[str, Any]]
    """``{"workload", "pods", "reason"}``"""


def choose(
    workloads: Iterable[Mapping[str, Any]],
    ids: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    sample: Optional[int] = None,
) -> Choice:
    """Choose from the workloads of status_info.

    :arg ids: Only these workloads; ChoiceError where one does not exist.
    :arg namespaces: Only workloads of these namespaces.
    :arg sample: How many pods of each workload, None for all. The same pods each time, spread over the sorted names.
    """
    found = list(workloads)
    missing = sorted(set(ids) - {str(item["id"]) for item in found})
    if missing:
        known = sorted(str(item["id"]) for item in found)
        alike = [name for name in known if name.split("/", 1)[0] == missing[0].split("/", 1)[0]] or known
        raise ChoiceError(
            f"There is no workload {missing[0]}. Remedy: name it as status_info does, for example "
            f"{', '.join(alike[:5]) or 'demo/Deployment/service-a'}."
        )
    targets: List[ProxyTarget] = []
    left_out: List[Dict[str, Any]] = []
    total = 0
    for workload in found:
        pods = sorted(workload["pods"])
        has_proxy = workload["mesh"] not in _WHY_NONE
        total += len(pods) if has_proxy else 0
        if not _is_chosen(workload, ids, namespaces):
            if has_proxy and pods:
                left_out.append({"workload": workload["id"], "pods": pods, "reason": "it was not chosen"})
            continue
        reason = _reason(workload)
        taken = [] if reason else _spread(pods, sample)
        if not reason and len(taken) < len(pods):
            reason = f"not in the sample of {len(taken)} of this workload's {len(pods)} pods"
        if reason:
            rest = sorted(set(pods) - set(taken))
            left_out.append({"workload": workload["id"], "pods": rest, "reason": reason})
        targets += [_target(workload, pod) for pod in taken]
    return Choice(targets, total, left_out)


def _is_chosen(workload: Mapping[str, Any], ids: Sequence[str], namespaces: Sequence[str]) -> bool:
    return (not ids or workload["id"] in ids) and (not namespaces or workload["namespace"] in namespaces)


def _reason(workload: Mapping[str, Any]) -> str:
    if workload["mesh"] in _WHY_NONE:
        return _WHY_NONE[str(workload["mesh"])]
    return "" if workload["pods"] else "it has no pods"


def _spread(pods: Sequence[str], sample: Optional[int]) -> List[str]:
    if sample is None or sample >= len(pods):
        return list(pods)
    return [pods[number * len(pods) // sample] for number in range(sample)]


def _target(workload: Mapping[str, Any], pod: str) -> ProxyTarget:
    ports = workload["ports"]
    return ProxyTarget(
        workload["namespace"],
        pod,
        workload["id"],
        workload["revision"],
        workload["mesh"] == "gateway",
        frozenset(item["port"] for item in ports),
        frozenset(item["port"] for item in ports if item["captured"] is False),
        workload.get("identity"),
        tuple(workload.get("identity_aliases") or ()),
    )
