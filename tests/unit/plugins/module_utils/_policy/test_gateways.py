# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway pods: their listeners come from the servers of Gateways, never from PeerAuthentication (section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    istio,
    judge,
    peer,
    pod,
    port,
    rule,
    service,
    tls,
    workload,
)


def gateway(mode: str | None, number: int = 8443, **selector: str) -> dict[str, Any]:
    """A Gateway with one server; mode None is a server without tls."""
    server: dict[str, Any] = {"port": {"number": number, "protocol": "HTTPS" if mode else "HTTP"}, "hosts": ["*"]}
    if mode:
        server["tls"] = {"mode": mode}
    return istio("Gateway", "edge/g", {"selector": selector or {"app": "gw"}, "servers": [server]})


SERVERS = [
    (None, "accepted", "none -> plaintext", "mtls -> broken"),
    ("SIMPLE", "refused", "none -> tls", "mtls -> broken"),
    ("PASSTHROUGH", "refused", "none -> tls", "mtls -> broken"),
    ("ISTIO_MUTUAL", "refused", "none -> broken", "mtls -> mtls"),
]


@pytest.mark.parametrize(("mode", "plaintext", "bare", "meshed"), SERVERS)
def test_servers(mode, plaintext, bare, meshed):
    front = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    result = judge(
        pod("edge/gw", "gateway"),
        gateway(mode),
        front,
        pod("cafe/b", "none"),
        pod("cafe/m"),
        rule("edge/r", "gw", tls("ISTIO_MUTUAL")),
        peer("istio-system/p", "STRICT"),
    )
    found = workload(result, "edge/gw")
    assert (found["mesh"], found["mode"], found["policy"]) == ("gateway", None, None)
    assert port(result, "edge/gw", 8443) == {"port": 8443, "mode": None, "captured": True, "plaintext": plaintext}
    assert (answer(result, "cafe/b", "edge/gw"), answer(result, "cafe/m", "edge/gw")) == (bare, meshed)


def test_clients_send_no_auto_mtls_to_a_gateway():
    """The gateway template sets no tlsMode label."""
    front = service("edge/gw", ports=[{"name": "http", "port": 80, "targetPort": 8080}])
    result = judge(pod("edge/gw", "gateway"), gateway(None, 8080), front, pod("cafe/m"))
    assert answer(result, "cafe/m", "edge/gw") == "plaintext -> plaintext"


def test_a_port_without_server_is_closed():
    front = service("edge/gw", ports=[{"name": "http", "port": 80, "targetPort": 8080}])
    result = judge(pod("edge/gw", "gateway"), gateway("SIMPLE"), front, pod("cafe/m"))
    assert port(result, "edge/gw", 8080)["plaintext"] == "refused"
    assert answer(result, "cafe/m", "edge/gw") == "plaintext -> broken"


@pytest.mark.parametrize("labels", [{}, {"gateway.networking.k8s.io/gateway-name": "x"}])
def test_listeners_from_elsewhere_are_unknown(labels):
    """Kubernetes Gateways are not read."""
    front = service("edge/gw", ports=[{"name": "http", "port": 80, "targetPort": 8080}])
    result = judge(pod("edge/gw", "gateway", labels=labels), front, pod("cafe/m"), gateway("SIMPLE", app="other"))
    assert port(result, "edge/gw", 8080)["plaintext"] == "unknown"
    assert answer(result, "cafe/m", "edge/gw") == "plaintext -> unknown"


HTTP_TLS = {"mode": "ISTIO_MUTUAL"}


@pytest.mark.parametrize(
    ("protocol", "settings", "plaintext"),
    [
        pytest.param("HTTP", {"httpsRedirect": True}, "accepted", id="a redirect to HTTPS is plaintext"),
        pytest.param("HTTP", HTTP_TLS, "accepted", id="a mode does nothing on HTTP"),
        pytest.param("grpc", HTTP_TLS, "accepted", id="nor on gRPC, however it is written"),
        pytest.param("HTTPS", HTTP_TLS, "refused", id="it does on HTTPS"),
        pytest.param("TCP", {"mode": "SIMPLE"}, "refused", id="and on TCP"),
        pytest.param("TCP", None, "accepted", id="TCP without TLS"),
        pytest.param("HTTPS", {}, "refused", id="no mode is PASSTHROUGH"),
        pytest.param("HTTPS", {"mode": "ISTIO_MUTAL"}, "unknown", id="a mode that is none"),
        pytest.param("HTTPX", {"mode": "SIMPLE"}, "unknown", id="a protocol that is none"),
        pytest.param("UDP", {"mode": "SIMPLE"}, "unknown", id="a protocol that gateways do not serve"),
        pytest.param("", None, "accepted", id="neither protocol nor TLS"),
        pytest.param("", {"mode": "ISTIO_MUTUAL"}, "unknown", id="no protocol"),
    ],
)
def test_what_a_server_offers(protocol, settings, plaintext):
    server = {"port": {"number": 8443, "protocol": protocol}, "hosts": ["*"]}
    if settings is not None:
        server["tls"] = settings
    edge = istio("Gateway", "edge/g", {"selector": {"app": "gw"}, "servers": [server]})
    front = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    result = judge(pod("edge/gw", "gateway"), edge, front, pod("cafe/m"), rule("edge/r", "gw", tls("ISTIO_MUTUAL")))
    assert port(result, "edge/gw", 8443)["plaintext"] == plaintext
    if plaintext == "unknown":
        assert answer(result, "cafe/m", "edge/gw") == "mtls -> unknown"


def test_a_port_of_another_container_is_not_the_gateways():
    """A gateway's pod redirects nothing to its proxy."""
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"].append({"name": "app", "ports": [{"containerPort": 9090}]})
    result = judge(own, gateway("ISTIO_MUTUAL"))
    assert port(result, "edge/gw", 8443)["plaintext"] == "refused"
    assert port(result, "edge/gw", 9090)["plaintext"] == "accepted"
