# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxies may only not have got the latest policies yet, and so are worth asking again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Set

from ..envoy.records import Proxy
from . import connections, ports
from .agreement import CONTRADICTED


def unsettled(result: Mapping[str, Any], proxies: Sequence[Proxy], addresses: Mapping[str, str]) -> Set[str]:
    """The pods (ns/name) whose proxies contradict the policies although they follow their control plane.

    `result` is that of status_info, `addresses` tells the workload of a pod's address. istiod collects changes for a
    tenth of a second up to ten before it pushes them (pilot/pkg/features, PILOT_DEBOUNCE_AFTER and PILOT_DEBOUNCE_MAX).
    A proxy that is cut off will not change by waiting.
    """
    workloads = result["workloads"]
    parties = {row["workload"] for row in ports.compare(workloads, proxies, None) if row["agreement"] == CONTRADICTED}
    programmed = connections.Programmed(workloads, proxies, addresses)
    sets = result["client_sets"]
    for edge in connections.compare(result["edges"], sets, programmed, None):
        if edge["agreement"] == CONTRADICTED:
            parties.update((*sets[edge["clients"]], edge["endpoint"]))
    return {
        proxy.pod
        for proxy in proxies
        if proxy.workload in parties and proxy.answered and proxy.istiod.connected is not False
    }
