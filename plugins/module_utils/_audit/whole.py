# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit with every field that is judged: what the schema lets a file leave out is unknown, or was not asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_WORKLOAD = {"pods": (), "revision": None, "mode": "unknown", "policy": None}
_WORKLOADS_PORT = {"mode": "unknown", "captured": None, "plaintext": "unknown"}
_EDGE = {"host": None, "subset": None, "client_tls": "unknown", "programmed": None, "observed": None, "cause": ""}
_PORT = {"declared": None, "programmed": None, "observed": None, "agreement": None, "why": "", "cause": ""}
_PROXY = {"workload": None, "answered": False, "reason": ""}
_RULE = {"severity": "", "count": 0, "message": ""}
_GAP = {"namespace": None}
_TARGET = {"service": None, "port": 0}
_SEEN = {"detail": ""}
_TRAFFIC = {"port": None, "protocol": "", "requests": 0, "mutual_tls": 0, "security": "unknown"}
_SIDE = {"workload": None, "service": None}


def whole(audit: Mapping[str, Any]) -> dict[str, Any]:
    """The audit, which follows the schema, with its optional fields."""
    workloads = _filled(audit["workloads"], _WORKLOAD)
    found = {
        **audit,
        "workloads": [{**item, "ports": _filled(item["ports"], _WORKLOADS_PORT)} for item in workloads],
        "edges": _filled(audit["edges"], _EDGE),
        "ports": _filled(audit.get("ports", ()), _PORT),
        "proxies": _filled(audit.get("proxies", ()), _PROXY),
        "rules": _filled(audit.get("rules", ()), _RULE),
        "unknown": _filled(audit["unknown"], _GAP),
        "probe": _filled(audit.get("probe", ()), _TARGET),
        "seen": {name: {**_SEEN, **item} for name, item in audit.get("seen", {}).items()},
    }
    telemetry = audit.get("traffic") or {}
    rows = _filled(telemetry.get("traffic", ()), _TRAFFIC)
    sides = [
        {**row, **{name: {**_SIDE, **(row.get(name) or {})} for name in ("source", "destination")}} for row in rows
    ]
    return {**found, "traffic": {**telemetry, "traffic": sides}}


def _filled(items: Iterable[Mapping[str, Any]], lacking: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each item with what it lacks; None is as good as nothing where a text is meant."""
    return [
        {**lacking, **{key: value for key, value in item.items() if value is not None or lacking.get(key) != ""}}
        for item in items
    ]
