# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the sources, light enough for a module that asks none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PROBE: dict[str, Any] = {
    "targets": {
        "type": "list",
        "elements": "dict",
        "options": {"service": {"type": "str"}, "pod": {"type": "str"}, "port": {"type": "int"}},
        "mutually_exclusive": [("service", "pod")],
        "required_one_of": [("service", "pod")],
    },
    "target_namespaces": {"type": "list", "elements": "str"},
    "pod_ports": {"type": "bool", "default": False},
    "namespace": {"type": "str", "default": "meshproof-probe"},
    "inside_namespace": {"type": "str", "default": ""},
    "image": {"type": "str", "default": "python:3.13-alpine"},
    # Names of Secrets, not secrets.
    "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "outside": {"type": "bool", "default": True},
    "inside": {"type": "bool", "default": True},
    "identities": {"type": "list", "elements": "str", "choices": ["wrong", "expired"], "default": ["wrong"]},
    "revision": {"type": "str", "default": ""},
    "trust_domains": {"type": "list", "elements": "str", "default": []},
    "max_endpoints": {"type": "int", "default": 10},
    "step_timeout": {"type": "int", "default": 5},
    "timeout": {"type": "int", "default": 180},
}
"""Those of probe, which documents them."""
TRAFFIC: dict[str, Any] = {
    "source": {"type": "str", "choices": ["prometheus", "access_log"], "default": "prometheus"},
    "prometheus": {
        "type": "dict",
        "options": {
            "url": {"type": "str"},
            "service": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 30},
        },
        "mutually_exclusive": [("url", "service")],
        "required_one_of": [("url", "service")],
    },
    "window": {"type": "str", "default": "1h"},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "workloads": {"type": "list", "elements": "str", "default": []},
    "min_requests": {"type": "int", "default": 1},
    "tail_lines": {"type": "int", "default": 10000},
    "total_timeout": {"type": "int"},
}
"""Those of traffic_info, which documents them."""

_NOT_IN_AUDIT = ("targets", "target_namespaces", "namespaces", "trust_domains")
"""What it knows by itself, from the mesh and its own options."""

IN_AUDIT: dict[str, Any] = {
    "proxies": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "sample": {"type": "int", "default": 1},
            "all": {"type": "bool", "default": False},
            "side_by_side": {"type": "int", "default": 16},
            "timeout": {"type": "float", "default": 15},
            "total_timeout": {"type": "float"},
            "max_bytes": {"type": "int", "default": 16 * 2**20},
            "settle": {"type": "int", "default": 10},
        },
    },
    "probe": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "target_namespaces": {"type": "list", "elements": "str", "default": []},
            **{name: option for name, option in PROBE.items() if name not in _NOT_IN_AUDIT},
        },
    },
    "traffic": {
        "type": "dict",
        "apply_defaults": True,
        "options": {name: option for name, option in TRAFFIC.items() if name not in _NOT_IN_AUDIT},
    },
}
"""All of them as audit has them."""


def passwords_in(prometheus: Mapping[str, Any] | None) -> Iterator[str]:
    """The password in the URL of a Prometheus, of which no_log does not know."""
    place = str((prometheus or {}).get("url") or "").partition("://")[2].partition("/")[0]
    password = place.rpartition("@")[0].partition(":")[2]
    if password:
        yield password
