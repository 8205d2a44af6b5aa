# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the sources, light enough for a module that asks none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._foreign import urls

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


class PolicyOptions(NamedTuple):
    """Where the declared state is read; declared.py has the options."""

    read_namespaces: Sequence[str] = ()
    snapshot: str | None = None
    snapshot_complete: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> PolicyOptions:
        """Those among a module's parameters."""
        return cls(**_among(cls, params))


class PrometheusOptions(NamedTuple):
    """A Prometheus at a URL, or behind a Service."""

    url: str | None = None
    service: str | None = None
    token: str | None = None
    ca_path: str | None = None
    validate_certs: bool = True
    timeout: int = 30
    """Seconds for one question."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> PrometheusOptions:
        """As a module's parameter has it."""
        return cls(**_among(cls, params))


class TrafficOptions(NamedTuple):
    """What of real traffic is counted, see TRAFFIC."""

    source: str = "prometheus"
    prometheus: PrometheusOptions | None = None
    window: str = "1h"
    namespaces: Sequence[str] = ()
    workloads: Sequence[str] = ()
    min_requests: int = 1
    tail_lines: int = 10000
    total_timeout: int | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> TrafficOptions:
        """Those among a module's parameters; what audit knows by itself may be missing."""
        given = params["prometheus"]
        return cls(**{**_among(cls, params), "prometheus": PrometheusOptions.of(given) if given else None})

    def secrets(self) -> Iterator[str]:
        """What is secret in the URL, of which no_log does not know."""
        return urls.secrets_of(self.prometheus.url if self.prometheus else None)


class ProxyOptions(NamedTuple):
    """Which proxies an audit asks, and how long."""

    sample: int = 1
    all: bool = False
    side_by_side: int = 16
    timeout: float = 15
    total_timeout: float | None = None
    max_bytes: int = 16 * 2**20
    settle: int = 10

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> ProxyOptions:
        """As audit's parameter has them."""
        return cls(**_among(cls, params))


class ProbeOptions(NamedTuple):
    """What is asked of the wire, and by which pods, see PROBE."""

    targets: Sequence[Mapping[str, Any]] | None = None
    """Of service, pod and port."""
    target_namespaces: Sequence[str] | None = None
    pod_ports: bool = False
    namespace: str = "meshproof-probe"
    inside_namespace: str = ""
    image: str = "python:3.13-alpine"
    image_pull_secrets: Sequence[str] = ()
    outside: bool = True
    inside: bool = True
    identities: Sequence[str] = ("wrong",)
    revision: str = ""
    trust_domains: Sequence[str] = ()
    max_endpoints: int = 10
    step_timeout: int = 5
    timeout: int = 180

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> ProbeOptions:
        """Those among a module's parameters; what audit knows by itself may be missing."""
        return cls(**_among(cls, params))


def _among(kind: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in kind._fields if name in params}
