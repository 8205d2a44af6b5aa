# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh configuration that istiod could not decode is said before it is applied."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.mesh_config import mesh_config_problems


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"accessLogFile": "/dev/stdout", "accessLogEncoding": "JSON", "enableAutoMtls": True},
        {"connectTimeout": "1.5s", "proxyListenPort": "15001", "proxyHttpPort": 15002},
        {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}, "meshMTLS": {"minProtocolVersion": "TLSV1_3"}},
        {"accessLogEncoding": 1, "h2UpgradePolicy": None},
        {"trustDomainAliases": ["a", "b"], "discoverySelectors": [{"matchLabels": {"a": "b"}}]},
        {"novelty": [1], "defaultConfig": {"holdApplicationUntilProxyStarts": True}},
        {"trustDomain": None},
    ],
    ids=[
        "none", "empty", "logs", "numbers and durations", "choices", "an enumeration's number", "lists",
        "unknown names", "null",
    ],
)  # fmt: skip
def test_what_istiod_takes(config: Any) -> None:
    assert list(mesh_config_problems(config)) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("accessLogFile: x", "meshConfig is 'accessLogFile: x'"),
        ({"enableAutoMtls": "yes"}, "meshConfig.enableAutoMtls is 'yes'"),
        ({"enableTracing": 1}, "Remedy: write true or false"),
        ({"trustDomain": 1}, "Remedy: write text"),
        ({"connectTimeout": "10"}, "a duration such as 10s"),
        ({"connectTimeout": "1m"}, "a duration such as 10s"),
        ({"connectTimeout": 10}, "a duration such as 10s"),
        ({"proxyListenPort": 1.5}, "a whole number"),
        ({"proxyListenPort": 2**31}, "a whole number"),
        ({"trustDomainAliases": "a"}, "a list of text"),
        ({"discoverySelectors": {"matchLabels": {}}}, "a list of mappings"),
        ({"defaultConfig": "x"}, "a mapping"),
        ({"accessLogEncoding": "json"}, "one of TEXT, JSON"),
        ({"outboundTrafficPolicy": {"mode": "ALLOW"}}, "outboundTrafficPolicy.mode is 'ALLOW'"),
        ({"accessLogEncoding": True}, "one of TEXT, JSON"),
    ],
)
def test_what_istiod_would_refuse(config: Any, words: str) -> None:
    [problem] = mesh_config_problems(config)
    assert words in problem
