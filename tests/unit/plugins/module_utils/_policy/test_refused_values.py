# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that Istio would refuse, or that nobody knows yet, are unknown and not the safe default."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    workload,
)

STRICT = peer("istio-system/default", "STRICT")
EXCLUDE = "traffic.sidecar.istio.io/excludeInboundPorts"
MODE = "sidecar.istio.io/interceptionMode"


@pytest.mark.parametrize(
    ("notes", "mode"),
    [
        ({MODE: "none"}, "unknown"),
        ({MODE: "Redirect"}, "unknown"),
        ({MODE: "TPROXY"}, "STRICT"),
        ({EXCLUDE: "8080-8090"}, "unknown"),
        ({EXCLUDE: "²"}, "unknown"),
        ({EXCLUDE: "70000"}, "unknown"),
        ({EXCLUDE: "9" * 5000}, "unknown"),
        ({EXCLUDE: " 9090, 9091,"}, "STRICT"),
        ({EXCLUDE: ""}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeInboundPorts": "*"}, "STRICT"),
        ({"traffic.sidecar.istio.io/includeOutboundPorts": "x"}, "unknown"),
    ],
)
def test_settings_of_the_redirection(notes, mode):
    assert workload(judge(mesh_config(), STRICT, pod("demo/a", annotations=notes)), "demo/a")["mode"] == mode


@pytest.mark.parametrize(
    "spec",
    [
        {"mtls": {"mode": "strict"}},
        {"mtls": {"mode": "STRICT"}, "targetRefs": [{"kind": "Service", "name": "a"}]},
        {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"70000": {"mode": "STRICT"}}},
    ],
    ids=["a mode in another case", "targetRefs", "a port out of range"],
)
def test_peer_authentications(spec):
    odd = {**peer("demo/p", "STRICT"), "spec": spec}
    result = judge(mesh_config(), STRICT, pod("demo/a"), odd)
    assert workload(result, "demo/a")["mode"] == "unknown"


def test_a_load_balancer_that_nobody_knows():
    odd = rule("demo/r", "a.demo.svc.cluster.local", {"loadBalancer": {"simple": "NEWEST"}})
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("demo/b"), service("demo/a"), odd)
    assert answer(result, "demo/b", "demo/a") == "unknown -> unknown"
