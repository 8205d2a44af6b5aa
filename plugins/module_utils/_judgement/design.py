# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports are plaintext by design: a gateway's servers for clients outside the mesh, its health and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .violations import Place

_ALWAYS, _SERVED = ("health", "metrics"), "gateway"
REASON = {
    _SERVED: "a Gateway serves it in plaintext, which is what clients outside the mesh speak: by design",
    "health": "it answers the gateway's health checks in plaintext: by design",
    "metrics": "it answers whoever reads the gateway's metrics in plaintext: by design",
}


class Design(NamedTuple):
    """What plaintext is no violation."""

    ports: frozenset[Place]
    workloads: frozenset[str]
    """Of which every port that accepts plaintext is among these."""

    def covers(self, workload: Mapping[str, Any] | None) -> bool:
        """Whether what a workload accepts in plaintext, it accepts by design."""
        return workload is not None and workload.get("id") in self.workloads


NOTHING = Design(frozenset(), frozenset())


def design_of(workloads: Iterable[Mapping[str, Any]], demands_tls: bool) -> Design:
    """What is plaintext by design; with `demands_tls` no server of a Gateway is.

    An application's own port in a gateway's pod never is, whatever its proxy's arguments say.
    """
    purposes = _ALWAYS if demands_tls else (*_ALWAYS, _SERVED)
    ports: set[Place] = set()
    whole: set[str] = set()
    for workload in workloads:
        if workload["mesh"] != "gateway":
            continue
        accepting = [port for port in workload["ports"] if port["plaintext"] != "refused"]
        covered = [port for port in accepting if port["plaintext"] == "accepted" and port.get("purpose") in purposes]
        ports.update((workload["id"], port["port"]) for port in covered)
        if covered and len(covered) == len(accepting):
            whole.add(workload["id"])
    return Design(frozenset(ports), frozenset(whole))
