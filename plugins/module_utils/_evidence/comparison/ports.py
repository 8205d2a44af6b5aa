# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each port of each workload, as the policies, the proxies and the wire have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..envoy.records import Proxy
from .agreement import PERMISSIVE, PLAINTEXT, STRICT, UNKNOWN, agreement, worst

Workload = Mapping[str, Any]
Target = Mapping[str, Any]


class Said(NamedTuple):
    """One source's answer; None where it was not asked, or there is nothing that it could ask."""

    accepts: Optional[str]
    why: str


def compare(
    workloads: Iterable[Workload], proxies: Optional[Sequence[Proxy]], targets: Optional[Iterable[Target]]
) -> List[Dict[str, Any]]:
    """One row for each port of each workload but gateways, whose servers are no workload's policy.

    `workloads` are those of status_info, `proxies` and `targets` what proxy_info and probe returned, None for a source
    that was not asked. A row has workload (id), port, declared, programmed, observed, agreement, why and cause, which
    is empty unless the sources contradict each other.
    """
    by_workload = _by_workload(proxies)
    wire = None if targets is None else _by_pod(targets)
    rows = []
    for workload in workloads:
        if workload["mesh"] == "gateway":
            continue
        own = by_workload.get(workload["id"], [])
        for port in workload["ports"]:
            declared = _declared(workload, port)
            programmed = _programmed(workload, port["port"], own) if proxies is not None else Said(None, "")
            observed = _observed(workload, port["port"], wire) if wire is not None else Said(None, "")
            rows.append(_row(workload, port, declared, programmed, observed, own))
    return rows


def _row(
    workload: Workload, port: Mapping[str, Any], declared: Said, programmed: Said, observed: Said, own: Sequence[Proxy]
) -> Dict[str, Any]:
    # What the proxy would accept says nothing about a port whose traffic never reaches it.
    counted = None if port["captured"] is False else programmed.accepts
    agreed = agreement(declared.accepts, counted, observed.accepts)
    return {
        "workload": workload["id"],
        "port": port["port"],
        "declared": declared.accepts,
        "programmed": programmed.accepts,
        "observed": observed.accepts,
        "agreement": agreed,
        "why": "; ".join(said.why for said in (declared, programmed, observed) if said.why),
        "cause": _cause(declared.accepts, counted, observed.accepts, own) if agreed == "contradicted" else "",
    }


def _by_workload(proxies: Optional[Sequence[Proxy]]) -> Dict[str, List[Proxy]]:
    found: Dict[str, List[Proxy]] = {}
    for proxy in proxies or ():
        found.setdefault(proxy.workload, []).append(proxy)
    return found


def _declared(workload: Workload, port: Mapping[str, Any]) -> Said:
    mode, policy = port["mode"], workload["policy"]
    if port["plaintext"] == "unknown":
        return Said(UNKNOWN, "what the policies say could not be told")
    if workload["mesh"] == "none":
        return Said(PLAINTEXT, "the workload is not in the mesh")
    if port["captured"] is False:
        return Said(PLAINTEXT, "traffic to the port bypasses the proxy")
    why = f"PeerAuthentication {policy} makes it {mode}" if policy else f"without any policy it is {mode}"
    if port["plaintext"] == "refused":
        return Said(STRICT, why)
    # In ambient DISABLE acts as PERMISSIVE (semantics, section 5).
    return Said(PLAINTEXT if mode == "DISABLE" and workload["mesh"] != "ambient" else PERMISSIVE, why)


def _programmed(workload: Workload, number: int, own: Sequence[Proxy]) -> Said:
    if workload["mesh"] != "sidecar":
        return Said(None, "")
    if not own:
        return Said(UNKNOWN, "none of its proxies was asked")
    answers = [_of_proxy(proxy, number) for proxy in own]
    accepts = worst(answer.accepts or UNKNOWN for answer in answers)
    why = next(answer.why for answer in answers if answer.accepts == accepts)
    differing = sum(answer.accepts != accepts for answer in answers)
    return Said(accepts, f"{why} ({differing} of {len(answers)} proxies say otherwise)" if differing else why)


def _of_proxy(proxy: Proxy, number: int) -> Said:
    if not proxy.answered:
        return Said(UNKNOWN, f"the proxy of {proxy.pod} did not answer: {proxy.reason}")
    for port in proxy.ports:
        if port.port == number:
            return Said(port.accepts, f"the proxy of {proxy.pod}: {port.reason}")
    return Said(UNKNOWN, f"the proxy of {proxy.pod} does not say what it does at port {number}")


def _by_pod(targets: Iterable[Target]) -> Dict[Tuple[str, int], List[Said]]:
    """What the wire answered at each pod's ports, by whichever way they were asked."""
    found: Dict[Tuple[str, int], List[Said]] = {}
    for target in targets:
        namespace = str(target.get("service") or target.get("pod")).split("/", 1)[0]
        for endpoint in target["endpoints"]:
            if endpoint["pod"]:
                place = (f"{namespace}/{endpoint['pod']}", int(endpoint["port"]))
                found.setdefault(place, []).append(Said(_of_endpoint(endpoint, target), str(target["reason"])))
    return found


def _of_endpoint(endpoint: Mapping[str, Any], target: Target) -> str:
    """The probe's rules for one address; a refusal alone proves nothing, somebody must have been let in."""
    if endpoint["plaintext"] == "answered":
        offered = endpoint["mtls"] == "accepted" or (endpoint["tls"] == "handshake" and endpoint["identity"])
        return PERMISSIVE if offered else PLAINTEXT
    taken = endpoint["mtls"] == "accepted" and endpoint.get("identity_fits") is True
    # A server that lets in clients without a certificate of the mesh demands none.
    if endpoint["plaintext"] == "refused" and taken and target.get("identity_check") != "not enforced":
        return STRICT
    return UNKNOWN


def _observed(workload: Workload, number: int, wire: Mapping[Tuple[str, int], List[Said]]) -> Said:
    seen = [said for pod in workload["pods"] for said in wire.get((f"{workload['namespace']}/{pod}", number), ())]
    if not seen:
        return Said(UNKNOWN, "the wire was not asked at this port")
    accepts = worst(said.accepts or UNKNOWN for said in seen)
    return Said(accepts, f"the wire: {next(said.why for said in seen if said.accepts == accepts).rstrip('.')}")


def _cause(declared: Optional[str], programmed: Optional[str], observed: Optional[str], own: Sequence[Proxy]) -> str:
    """The likely cause of a contradiction, by who contradicts whom."""
    if programmed not in (None, UNKNOWN, declared):
        cut_off = [proxy.pod for proxy in own if proxy.istiod.connected is False]
        if cut_off:
            return f"the proxy of {cut_off[0]} is cut off from istiod and runs with an old configuration"
        refused = [proxy for proxy in own if proxy.configuration.accepted is False]
        if refused:
            return f"the proxy of {refused[0].pod} refused its last configuration: {refused[0].configuration.detail}"
        return (
            "the proxy has not got the policies yet, or another object than a policy, such as an EnvoyFilter, decides"
        )
    if programmed not in (None, UNKNOWN):
        if observed == STRICT:
            return "something else than the proxy refuses plaintext: the application itself, or a network policy"
        return (
            "traffic does not pass the proxy: its iptables rules are missing, as after a failed CNI or init container"
        )
    if observed == STRICT:
        return "something else than a policy of the mesh refuses plaintext"
    return "traffic does not pass the proxy, or the proxy runs with something else than the policies"
