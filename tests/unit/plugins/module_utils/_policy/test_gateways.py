# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway pods: their listeners come from the servers of Gateways, never from PeerAuthentication (section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.gateways import (
    GatewayIndex,
    Opened,
    _Chain,
    _column,
    _follow_names,
    _Merged,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    Capture,
    GatewayObject,
    Server,
    Shape,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import Unread
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    port,
    rule,
    service,
    stamp,
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
    ("PASSTHROUGH", "refused", "none -> tls", "mtls -> unknown"),
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
    expected = {"port": 8443, "mode": None, "captured": True, "plaintext": plaintext, "purpose": "gateway"}
    assert port(result, "edge/gw", 8443) == expected
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


@pytest.mark.parametrize(
    ("labels", "plaintext", "meshed"),
    [
        pytest.param({}, "refused", "plaintext -> broken", id="no Gateway is for it"),
        pytest.param(
            {"gateway.networking.k8s.io/gateway-name": "x"},
            "unknown",
            "plaintext -> unknown",
            id="its own is not there",
        ),
    ],
)
def test_a_gateway_for_which_nothing_is_served(labels, plaintext, meshed):
    front = service("edge/gw", ports=[{"name": "http", "port": 80, "targetPort": 8080}])
    result = judge(pod("edge/gw", "gateway", labels=labels), front, pod("cafe/m"), gateway("SIMPLE", app="other"))
    assert port(result, "edge/gw", 8080)["plaintext"] == plaintext
    assert answer(result, "cafe/m", "edge/gw") == meshed


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
    assert (port(result, "edge/gw", 9090)["plaintext"], port(result, "edge/gw", 9090)["purpose"]) == (
        "accepted",
        "workload",
    )


def test_a_gateway_does_not_make_another_containers_port_its_own():
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"].append({"name": "app", "ports": [{"containerPort": 8443}, {"containerPort": 15021}]})
    result = judge(own, gateway(None))
    assert {row["purpose"] for row in workload(result, "edge/gw")["ports"]} == {"workload"}


# Where a server listens.

UNTRANSLATED = "experimental.istio.io/disable-gateway-port-translation"


def front(name: str, target: int | str, number: int = 80, age: int | None = 0, **labels: str) -> dict[str, Any]:
    """A Service in front of the gateway."""
    found = service(f"edge/{name}", ports=[{"name": "http", "port": number, "targetPort": target}])
    found["spec"]["selector"] = {"app": "gw"}
    found["metadata"].update(labels=labels, **stamp(age))
    if age is None:
        found["metadata"].pop("creationTimestamp")
    return found


def second_port(name: str, target: int, protocol: str = "http") -> dict[str, Any]:
    """A Service whose second port, 80, has the target port of its first."""
    found = front(name, target, number=81)
    found["spec"]["ports"].append({"name": f"{protocol}-more", "port": 80, "targetPort": target})
    return found


def named(*hosts: str) -> dict[str, Any]:
    """A Gateway that names Services instead of labels."""
    found = gateway(None, 80, app="nobody")
    found["metadata"]["annotations"] = {"internal.istio.io/gateway-service": ",".join(hosts)}
    return found


def elsewhere(service_: dict[str, Any]) -> dict[str, Any]:
    """The same Service in another namespace, where it selects nothing."""
    return {**service_, "metadata": {**service_["metadata"], "namespace": "cafe"}}


BUSY = gateway("SIMPLE", 9999)
"""Another Gateway for the same pods: something listens there, so that what does not is known to be closed."""
BUSY["metadata"]["name"] = "busy"

ONE, TWO = "one.edge.svc.cluster.local", "two.edge.svc.cluster.local"


@pytest.mark.parametrize(
    ("edge", "services", "open_ports"),
    [
        pytest.param(gateway(None, 80), [], [80], id="without a Service the port as it is"),
        pytest.param(gateway(None, 80), [front("one", 8080)], [8080], id="the target port"),
        pytest.param(gateway(None, 80), [front("one", 8080, number=81)], [80], id="another Service port is no match"),
        pytest.param(gateway(None, 8080), [front("one", 8080)], [8080], id="a target port as it is"),
        pytest.param(gateway(None, 80), [front("one", "web")], [80], id="a name that no container port has"),
        pytest.param(gateway(None, 80), [elsewhere(front("one", 8080))], [80], id="a Service elsewhere"),
        pytest.param(
            gateway(None, 80), [front("one", 8080, age=2), front("two", 8081, age=1)], [8081], id="the oldest Service"
        ),
        pytest.param(
            gateway(None, 80),
            [front("one", 8080, age=1, **{UNTRANSLATED: ""}), front("two", 8081, age=2)],
            [8081],
            id="not one that opted out",
        ),
        pytest.param(
            gateway(None, 80), [front("one", 8080, **{UNTRANSLATED: "x"})], [80], id="if all opted out, as is"
        ),
        pytest.param(
            gateway(None, 80), [second_port("one", 8080)], [80], id="of two ports with one target the first counts"
        ),
        pytest.param(gateway(None, 80), [second_port("one", 8080, "grpc")], [8080], id="unless their protocols differ"),
        pytest.param(named(ONE), [front("one", 8080), front("two", 8081)], [8080], id="only of the named Service"),
        pytest.param(named(ONE, TWO), [front("one", 8080), front("two", 8081)], [8080, 8081], id="of all named ones"),
        pytest.param(named(ONE), [front("two", 8081)], [], id="named, but not there: nothing listens"),
        pytest.param(named(ONE), [front("one", 8080, number=81)], [], id="named, but without the port: nothing"),
        pytest.param(named(ONE), [front("one", 8080, **{UNTRANSLATED: ""})], [8080], id="named beats opted out"),
    ],
)
def test_where_a_server_listens(edge, services, open_ports):
    result = judge(pod("edge/gw", "gateway"), edge, BUSY, *services)
    found = [row["port"] for row in workload(result, "edge/gw")["ports"] if row["plaintext"] == "accepted"]
    assert found == open_ports


def test_an_endpoint_slice_translates_only_for_a_gateway_that_no_service_selects():
    """kube/controller/controller.go GetProxyServiceTargets."""
    added = front("two", 9090)
    added["spec"]["selector"] = {"app": "other"}
    addresses = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": "edge", "name": "x", "labels": {"kubernetes.io/service-name": "two"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8081}],
        "endpoints": [{"addresses": ["10.0.0.9"]}],
    }
    parts = [pod("edge/gw", "gateway", ip="10.0.0.9"), gateway(None, 80), BUSY, added, addresses]

    def open_ports(*services: Any) -> list[int]:
        rows = workload(judge(parts, *services), "edge/gw")["ports"]
        return [row["port"] for row in rows if row["plaintext"] == "accepted"]

    assert open_ports(front("one", 8080, number=81)) == [80]
    assert open_ports() == [8081]
    # Of two ports with one target the first counts only where the Service selects the gateway.
    both = [{"name": name, "port": number, "targetPort": 8081} for name, number in (("http-a", 81), ("http", 80))]
    added["spec"]["ports"] = both
    addresses["ports"] = [{"name": one["name"], "port": 8081} for one in both]
    assert open_ports() == [8081]
    added["spec"]["selector"] = {"app": "gw"}
    assert open_ports() == [80]


def test_which_service_is_the_oldest_cannot_be_told():
    services = [front("one", 8080, age=None), front("two", 8081, age=None)]
    result = judge(pod("edge/gw", "gateway"), gateway("SIMPLE", 80), *services)
    assert {row["port"]: row["plaintext"] for row in workload(result, "edge/gw")["ports"]} == {
        8080: "unknown",
        8081: "unknown",
    }


@pytest.mark.parametrize("kind", ["Service", "ServiceEntry", "WorkloadEntry", "EndpointSlice"])
def test_what_says_where_a_server_listens_was_not_read(kind):
    result = judge(
        pod("edge/gw", "gateway"), gateway("SIMPLE", 80), unread=[{"kind": kind, "namespace": "edge", "reason": "r"}]
    )
    assert port(result, "edge/gw", 80)["plaintext"] == "unknown"


def test_a_gateway_of_another_revision_opens_nothing():
    other = gateway(None, 8080)
    other["metadata"]["labels"] = {"istio.io/rev": "canary"}
    result = judge(pod("edge/gw", "gateway"), other, BUSY, front("one", 8080, number=81))
    assert port(result, "edge/gw", 8080)["plaintext"] == "refused"


def at_8443(mode: str | None, host: str = "*", name: str = "g", age: int | None = 0, **fields: Any) -> dict[str, Any]:
    """A Gateway with one server at port 8443."""
    found = gateway(mode)
    found["metadata"] = {"name": name, "namespace": "edge", **stamp(age)}
    found["spec"]["servers"][0].update(hosts=[host], **fields)
    return found


A, B = "a.example", "b.example"
REDIRECT = {"tls": {"httpsRedirect": True}}


@pytest.mark.parametrize(
    ("edges", "plaintext", "meshed"),
    [
        pytest.param([at_8443("SIMPLE", A), at_8443(None, B, "h")], "accepted", "mtls -> unknown", id="plaintext, too"),
        pytest.param(
            [at_8443("SIMPLE", A), at_8443("ISTIO_MUTUAL", B, "h")], "refused", "mtls -> unknown", id="by name"
        ),
        pytest.param(
            [at_8443("SIMPLE", A), at_8443("ODD", B, "h")], "unknown", "mtls -> unknown", id="beside an odd one"
        ),
        pytest.param([at_8443("ISTIO_MUTUAL", A)], "refused", "mtls -> unknown", id="mTLS for one name only"),
        pytest.param([at_8443("ISTIO_MUTUAL", "edge/*")], "refused", "mtls -> mtls", id="mTLS for every name"),
        pytest.param(
            [at_8443("ISTIO_MUTUAL", A), at_8443("ISTIO_MUTUAL", "*", "h")],
            "refused",
            "mtls -> mtls",
            id="for all others",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=1), at_8443("ISTIO_MUTUAL", A, "h", 2)],
            "refused",
            "mtls -> broken",
            id="one name twice: the older one's",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=2), at_8443("ISTIO_MUTUAL", A, "h", 1)],
            "refused",
            "mtls -> unknown",
            id="whatever is called first",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=None), at_8443("ISTIO_MUTUAL", A, "h", None)],
            "refused",
            "mtls -> unknown",
            id="which is older cannot be told",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=1), at_8443(None, A, "h", 2, **REDIRECT)],
            "refused",
            "mtls -> broken",
            id="a redirect for a name that has TLS already",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=2), at_8443(None, A, "h", 1, **REDIRECT)],
            "accepted",
            "mtls -> broken",
            id="TLS for a name that is redirected already",
        ),
        pytest.param(
            [at_8443("SIMPLE", A, age=None), at_8443(None, A, "h", None, **REDIRECT)],
            "accepted",
            "mtls -> unknown",
            id="a redirect that may be the older one",
        ),
        pytest.param(
            [at_8443(None, A, age=1), at_8443("ISTIO_MUTUAL", "*", "h", 2)],
            "accepted",
            "mtls -> broken",
            id="no TLS where there is plaintext",
        ),
        pytest.param(
            [at_8443(None, A, age=1), at_8443("ISTIO_MUTUAL", "*", "h", 2, bind="10.0.0.9")],
            "accepted",
            "mtls -> unknown",
            id="unless at another address",
        ),
    ],
)
def test_several_servers_at_one_port(edges, plaintext, meshed):
    before = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    result = judge(pod("edge/gw", "gateway"), edges, before, pod("cafe/m"), rule("edge/r", "gw", tls("ISTIO_MUTUAL")))
    assert port(result, "edge/gw", 8443)["plaintext"] == plaintext
    assert answer(result, "cafe/m", "edge/gw") == meshed


NAMED = at_8443("ISTIO_MUTUAL", A)
PATTERN = at_8443("SIMPLE", "*.example", "h")
ALL = at_8443("ISTIO_MUTUAL", "*", "i")


@pytest.mark.parametrize(
    ("edges", "mode", "asked", "met"),
    [
        pytest.param([NAMED], "ISTIO_MUTUAL", "a.example", "mtls -> mtls", id="the name of the server"),
        pytest.param([NAMED], "ISTIO_MUTUAL", "A.Example", "mtls -> mtls", id="in other letters"),
        pytest.param([NAMED], "ISTIO_MUTUAL", "b.example", "mtls -> broken", id="a name that no server has"),
        pytest.param([NAMED], "ISTIO_MUTUAL", "", "mtls -> unknown", id="no name"),
        pytest.param([at_8443("ISTIO_MUTUAL", "./a.example")], "ISTIO_MUTUAL", "a.example", "mtls -> mtls",
                     id="for routes of its own namespace"),
        pytest.param([NAMED, PATTERN], "ISTIO_MUTUAL", "a.example", "mtls -> mtls", id="a name before a pattern"),
        pytest.param([NAMED, PATTERN], "ISTIO_MUTUAL", "b.example", "mtls -> broken", id="only a pattern"),
        pytest.param([PATTERN, ALL], "ISTIO_MUTUAL", "x.b.example", "mtls -> broken", id="any depth of a pattern"),
        pytest.param([PATTERN, ALL], "ISTIO_MUTUAL", "example", "mtls -> mtls", id="a pattern is not its own end"),
        pytest.param([PATTERN, ALL], "SIMPLE", "b.example", "simple -> tls", id="own certificates by a pattern"),
        pytest.param([PATTERN, ALL], "SIMPLE", "elsewhere.net", "simple -> broken", id="own certificates for Istio's"),
        pytest.param([PATTERN], "SIMPLE", "elsewhere.net", "simple -> broken", id="own certificates for nobody"),
        pytest.param([NAMED, at_8443("PASSTHROUGH", "b.example", "h")], "ISTIO_MUTUAL", "a.example", "mtls -> unknown",
                     id="beside what is passed through"),
        pytest.param([NAMED, at_8443(None, "b.example", "h")], "ISTIO_MUTUAL", "a.example", "mtls -> unknown",
                     id="beside plaintext"),
        pytest.param([NAMED, at_8443("SIMPLE", "b.example", "h", bind="10.0.0.9")], "ISTIO_MUTUAL", "a.example",
                     "mtls -> unknown", id="beside another address"),
        pytest.param([at_8443("ISTIO_MUTUAL", A, age=None), at_8443("SIMPLE", "b.example", "h", None)], "ISTIO_MUTUAL",
                     "a.example", "mtls -> mtls", id="of unknown age without a rival"),
        pytest.param([at_8443("ISTIO_MUTUAL", A, age=None), at_8443("SIMPLE", A, "h", None)], "ISTIO_MUTUAL",
                     "a.example", "mtls -> unknown", id="of unknown age with one"),
    ],
)  # fmt: skip
def test_a_rule_that_asks_for_a_name(edges, mode, asked, met):
    """The server with the name answers; the others of the port do not matter."""
    policy = tls(mode, **({"sni": asked} if asked else {}))
    result = judge(
        pod("edge/gw", "gateway"), *edges, front("gw", 8443, 443), pod("cafe/m"), rule("edge/r", "gw", policy)
    )
    assert answer(result, "cafe/m", "edge/gw") == met


def test_a_gateway_of_another_trust_domain():
    """A mesh client wants a server of its own domain; a gateway asks nobody for one."""
    canary = mesh_config("canary", trustDomain="other.example")
    before = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    strange = rule("edge/r", "gw", tls("ISTIO_MUTUAL"))
    there = judge(
        mesh_config(), canary, pod("edge/gw", "gateway", revision="canary"), gateway("ISTIO_MUTUAL"), before,
        pod("cafe/m"), strange,
    )  # fmt: skip
    assert answer(there, "cafe/m", "edge/gw") == "mtls -> broken"


# What is no gateway.


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["proxy", "router"], ("gateway", "refused")),
        (["proxy", "router", "--domain", "x"], ("gateway", "refused")),
        (["router"], ("sidecar", "unknown")),
        (["--serve", "router"], ("sidecar", "unknown")),
        (["serve", "proxy", "waypoint"], ("sidecar", "unknown")),
        (["proxy", "sidecar", "--serviceCluster", "router"], ("sidecar", "accepted")),
    ],
    ids=" ".join,
)
def test_a_gateway_is_what_is_started_as_one(args, expected):
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"][0]["args"] = args
    found = workload(judge(own, service("edge/gw")), "edge/gw")
    assert (found["mesh"], found["ports"][0]["plaintext"]) == expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [([], "refused"), ([{"name": "app"}], "unknown"), ([{"name": "app", "ports": [{"containerPort": 9}]}], "unknown")],
    ids=["nobody", "a container without ports", "a container with another port"],
)
def test_what_no_gateway_serves_another_container_may(beside, expected):
    """Kubernetes asks nobody to name the ports that a container listens to."""
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"] += beside
    rows = workload(judge(own, service("edge/gw")), "edge/gw")["ports"]
    assert [row["plaintext"] for row in rows if row["port"] == 8080] == [expected]


# The proxy's own ports.

OWN = [{"name": name, "port": number} for name, number in (("health", 15021), ("metrics", 15020), ("envoy", 15090))]


@pytest.mark.parametrize("role", ["router", "waypoint"])
def test_health_and_metrics_are_plaintext_by_design(role):
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"][0]["args"] = ["proxy", role]
    result = judge(own, BUSY, service("edge/gw", ports=[*OWN, {"name": "mesh", "port": 15008}]))
    rows = [row for row in workload(result, "edge/gw")["ports"] if row["port"] != 9999]
    assert {row["port"]: (row["plaintext"], row["purpose"]) for row in rows} == {
        15020: ("accepted", "metrics"),
        15090: ("accepted", "metrics"),
        15021: ("accepted", "health"),
        15008: ("refused", "hbone" if role == "waypoint" else "workload"),
    }


def test_a_gateway_selects_no_waypoint():
    own = pod("edge/gw", "gateway")
    own["spec"]["containers"][0]["args"] = ["proxy", "waypoint"]
    result = judge(own, gateway(None, 80), service("edge/gw"))
    assert {row["plaintext"] for row in workload(result, "edge/gw")["ports"]} == {"refused"}


# The Gateway API's Gateways.


def listener(protocol: str, number: int = 80, **fields: Any) -> dict[str, Any]:
    return {"name": f"l{number}", "port": number, "protocol": protocol, **fields}


def terminated(mode: str = "", **fields: Any) -> dict[str, Any]:
    """An HTTPS listener that terminates TLS, in Istio's mode of it."""
    options = {"options": {"gateway.istio.io/tls-terminate-mode": mode}} if mode else {}
    return listener("HTTPS", tls={"certificateRefs": [{"name": "c"}], **options}, **fields)


def kubernetes(*listeners: dict[str, Any], kind: str = "istio", note: str = "", **spec: Any) -> dict[str, Any]:
    """A Gateway `edge/front` of the Gateway API."""
    notes = {"gateway.istio.io/name-override": note} if note else {}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "front", "namespace": "edge", "annotations": notes},
        "spec": {"gatewayClassName": kind, "listeners": list(listeners), **spec},
    }


MADE = "front-istio"


def behind(edge: dict[str, Any], name: str = MADE, **options: Any) -> str:
    """What a Gateway of the Gateway API makes of port 8080, the target of port 80 of a Service."""
    result = judge(pod("edge/gw", "gateway"), edge, front(name, 8080), **options)
    return str(port(result, "edge/gw", 8080)["plaintext"])


def at(*addresses: tuple[str | None, str]) -> list[dict[str, str]]:
    return [{**({"type": kind} if kind else {}), "value": value} for kind, value in addresses]


HOST = "Hostname"
HTTP = listener("HTTP")


@pytest.mark.parametrize(
    ("edge", "name", "plaintext"),
    [
        pytest.param(kubernetes(HTTP), MADE, "accepted", id="the Service that istiod makes"),
        pytest.param(kubernetes(HTTP), "front", "refused", id="no other Service"),
        pytest.param(kubernetes(HTTP, note="own"), "own", "accepted", id="made under another name"),
        pytest.param(kubernetes(HTTP, kind="istio-waypoint"), "front", "refused", id="a waypoint opens nothing"),
        pytest.param(kubernetes(HTTP, kind="istio-remote"), "front-istio-remote", "refused", id="nor one elsewhere"),
        pytest.param(kubernetes(HTTP, kind="odd"), "front-odd", "accepted", id="plaintext of whichever class"),
        pytest.param(kubernetes(terminated(), kind="odd"), "front-odd", "unknown", id="TLS of another class"),
        pytest.param(kubernetes(HTTP, addresses=at((HOST, "own"))), "own", "accepted", id="its address by short name"),
        pytest.param(
            kubernetes(HTTP, addresses=at((HOST, "own.edge.svc.cluster.local"))), "own", "accepted", id="by host"
        ),
        pytest.param(
            kubernetes(HTTP, addresses=at((HOST, "own.cafe.svc.cluster.local"))), "own", "refused", id="elsewhere"
        ),
        pytest.param(kubernetes(HTTP, addresses=at((None, "10.1.1.1"))), MADE, "accepted", id="an IP address: its own"),
        pytest.param(
            kubernetes(HTTP, addresses=at((None, "own"), ("IPAddress", "10.1.1.1"))), "own", "accepted", id="several"
        ),
        pytest.param(kubernetes(terminated()), MADE, "refused", id="HTTPS"),
        pytest.param(kubernetes(terminated("ISTIO_MUTUAL")), MADE, "refused", id="Istio mTLS"),
        pytest.param(kubernetes(listener("HTTPS")), MADE, "refused", id="HTTPS without tls is nothing"),
        pytest.param(kubernetes(listener("TCP")), MADE, "accepted", id="TCP"),
        pytest.param(kubernetes(listener("TLS", tls={"mode": "Passthrough"})), MADE, "refused", id="passed through"),
        pytest.param(kubernetes(listener("HTTP", tls={})), MADE, "accepted", id="tls on HTTP does nothing"),
        pytest.param(kubernetes(listener("HTTPS", tls={"mode": "Odd"})), MADE, "unknown", id="a mode that is none"),
        pytest.param(
            kubernetes(terminated(), allowedListeners={"namespaces": {"from": "Same"}}),
            MADE,
            "unknown",
            id="ListenerSets may add some",
        ),
        pytest.param(
            kubernetes(terminated(), allowedListeners={"namespaces": {"from": "None"}}), MADE, "refused", id="none may"
        ),
    ],
)
def test_gateways_of_the_gateway_api(edge, name, plaintext):
    assert behind(edge, name) == plaintext


@pytest.mark.parametrize(
    ("edge", "meshed"),
    [
        (kubernetes(terminated("ISTIO_MUTUAL")), "mtls -> mtls"),
        (kubernetes(terminated("ISTIO_MUTUAL", hostname="a.example")), "mtls -> unknown"),
        (kubernetes(terminated()), "mtls -> broken"),
    ],
    ids=["Istio mTLS", "for one name only", "certificates of its own"],
)
def test_mesh_clients_of_a_gateway_of_the_gateway_api(edge, meshed):
    result = judge(
        pod("edge/gw", "gateway"), edge, front(MADE, 8080), pod("cafe/m"), rule("edge/r", MADE, tls("ISTIO_MUTUAL"))
    )
    assert answer(result, "cafe/m", f"edge/{MADE}") == meshed


def test_a_gateway_of_other_pods_leaves_it_certain_which_server_comes_first() -> None:
    """Its listeners carry no time; they are for the Service that it names, which is not of these pods."""
    servers = [at_8443("SIMPLE", A, age=1), at_8443(None, A, "h", 2, **REDIRECT)]
    other = kubernetes(HTTP, addresses=at((None, "other")))
    for more in ([], [other]):
        result = judge(pod("edge/gw", "gateway"), servers, more, service("edge/other", selector={"app": "other"}))
        assert port(result, "edge/gw", 8443)["plaintext"] == "refused"


@pytest.mark.parametrize(
    ("ages", "met"),
    [((1, 2), "none -> tls"), ((2, 1), "none -> broken"), ((None, None), "none -> unknown")],
    ids=["certificates of its own first", "Istio mTLS first", "nobody knows"],
)
def test_of_two_kinds_of_tls_for_one_name_the_first_one_counts(ages, met):
    """For an application's own TLS: whether it meets a certificate of the gateway's own or of the mesh."""
    servers = [at_8443("SIMPLE", A, age=ages[0]), at_8443("ISTIO_MUTUAL", A, "h", ages[1])]
    before = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    result = judge(pod("edge/gw", "gateway"), servers, before, pod("out/c", "none"))
    assert answer(result, "out/c", "edge/gw") == met
    assert port(result, "edge/gw", 8443)["plaintext"] == "refused"


# Kubernetes' Ingresses.


def ingress(annotation: str | None = None, named: str | None = None, tls_of: str = "") -> dict[str, Any]:
    notes = {} if annotation is None else {"kubernetes.io/ingress.class": annotation}
    spec = {**({"ingressClassName": named} if named else {}), "tls": [{"secretName": tls_of}] if tls_of else []}
    metadata = {"name": "i", "namespace": "shop", "annotations": notes}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def ingress_class(name: str, controller: str) -> dict[str, Any]:
    metadata = {"name": name}
    spec = {"controller": controller}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata, "spec": spec}


ISTIOS, OTHERS = ingress_class("own", "istio.io/ingress-controller"), ingress_class("own", "example.com/other")
OFF, ALL = mesh_config(ingressControllerMode="OFF"), mesh_config(ingressControllerMode="DEFAULT")


def ingressed(*manifests: dict[str, Any], istio_label: str = "ingressgateway", **options: Any) -> dict[int, str]:
    """What the ports of a gateway behind 80 → 8080 and 443 → 8443 do with plaintext."""
    before = service(
        "edge/gw", ports=[{"name": f"p{one}", "port": one, "targetPort": two} for one, two in ((80, 8080), (443, 8443))]
    )
    result = judge(pod("edge/gw", "gateway", labels={"istio": istio_label}), before, *manifests, **options)
    return {row["port"]: row["plaintext"] for row in workload(result, "edge/gw")["ports"]}


OPEN, SHUT = {8080: "accepted", 8443: "refused"}, {8080: "refused", 8443: "refused"}


@pytest.mark.parametrize(
    ("manifests", "ports"),
    [
        pytest.param([ingress("istio")], OPEN, id="the annotation"),
        pytest.param([ingress("istio", tls_of="secret")], OPEN, id="with TLS beside it"),
        pytest.param([ingress("nginx")], SHUT, id="somebody else's"),
        pytest.param([ingress()], SHUT, id="without a class"),
        pytest.param([ingress(), ALL], OPEN, id="without a class, and all are wanted"),
        pytest.param([ingress("istio"), OFF], SHUT, id="switched off"),
        pytest.param([ingress(named="own"), ISTIOS], OPEN, id="a class of Istio's"),
        pytest.param([ingress(named="own"), OTHERS], SHUT, id="a class of another's"),
        pytest.param([ingress(named="own"), OTHERS, ALL], SHUT, id="also where all are wanted"),
        pytest.param([ingress(named="istio")], SHUT, id="a class that is not there"),
        pytest.param([ingress(named="own"), ISTIOS, OFF], OPEN, id="a class counts even where it is switched off"),
        pytest.param([ingress("nginx", named="own"), ISTIOS], SHUT, id="the annotation comes first"),
        pytest.param([ingress("edge"), mesh_config(ingressClass="edge")], OPEN, id="Istio's under another name"),
        pytest.param([ingress("istio"), mesh_config(ingressSelector="edge")], SHUT, id="for other pods"),
        pytest.param([ingress("istio"), mesh_config(ingressService="edge")], SHUT, id="for another Service's"),
    ],
)
def test_ingresses(manifests, ports):
    assert ingressed(*manifests) == ports


@pytest.mark.parametrize("setting", ["ingressSelector", "ingressService"])
def test_whose_pods_ingresses_are_for(setting):
    assert ingressed(ingress("istio"), mesh_config(**{setting: "edge"}), istio_label="edge") == OPEN


@pytest.mark.parametrize("kind", ["Ingress", "IngressClass"])
def test_ingresses_that_were_not_read(kind):
    assert set(ingressed(unread=[{"kind": kind, "namespace": None, "reason": "r"}]).values()) == {"unknown"}


def istiod(value: str | None) -> dict[str, Any]:
    """istiod's Deployment with PILOT_SCOPE_GATEWAY_TO_NAMESPACE; None for a value that lies elsewhere."""
    where: dict[str, Any] = {"valueFrom": {"configMapKeyRef": {"name": "x"}}} if value is None else {"value": value}
    found = deployment("istio-system/istiod")
    env = [{"name": "PILOT_SCOPE_GATEWAY_TO_NAMESPACE", **where}]
    found["spec"]["template"]["spec"]["containers"] = [{"name": "discovery", "env": env}]
    return found


@pytest.mark.parametrize(
    ("home", "mode", "scoped", "plaintext", "meshed"),
    [
        ("edge", "ISTIO_MUTUAL", "true", "refused", "mtls -> mtls"),
        ("tenant", "ISTIO_MUTUAL", "false", "refused", "mtls -> mtls"),
        ("tenant", "ISTIO_MUTUAL", "true", "refused", "mtls -> broken"),
        ("tenant", "ISTIO_MUTUAL", None, "unknown", "unknown"),
        ("edge", "ISTIO_MUTUAL", None, "refused", "mtls -> mtls"),
        ("tenant", None, None, "accepted", "mtls -> broken"),
        ("tenant", None, "true", "refused", "mtls -> broken"),
    ],
    ids=[
        "its own namespace's", "another namespace's", "another namespace's that does not count",
        "another namespace's that may count", "its own namespace's either way", "plaintext that may count",
        "plaintext that does not count",
    ],
)  # fmt: skip
def test_gateways_of_another_namespace_may_be_left_out(home, mode, scoped, plaintext, meshed):
    found = gateway(mode)
    found["metadata"] = {"name": "g", "namespace": home, **stamp(0)}
    result = judge(
        mesh_config(),
        istiod(scoped),
        pod("edge/gw", "gateway"),
        found,
        front("gw", 8443, 8443),
        pod("cafe/m"),
        rule("edge/r", "gw", tls("ISTIO_MUTUAL")),
    )
    assert port(result, "edge/gw", 8443)["plaintext"] == plaintext
    assert answer(result, "cafe/m", "edge/gw").endswith(meshed)


@pytest.mark.parametrize("scoped", ["true", None])
def test_ingresses_are_of_istiods_own_namespace(scoped):
    """For gateways elsewhere they may count or not; what is plaintext stays so."""
    found = ingressed(ingress("istio", tls_of="a"), istiod(scoped))
    assert found == {8080: "accepted", 8443: "unknown"}


@pytest.mark.parametrize(
    ("addresses", "home", "plaintext"),
    [((), "tenant", "unknown"), ((), "edge", "refused"), (((HOST, MADE),), "tenant", "refused")],
    ids=["of another namespace", "of its own", "beside pods that nobody made for it"],
)
def test_an_old_gateway_may_not_count_beside_one_that_istiod_made_pods_for(addresses, home, plaintext):
    """Since 1.31 it does not, if it is of another namespace (PILOT_ENABLE_STRICT_GATEWAY_MERGING)."""
    old = gateway("ISTIO_MUTUAL")
    old["metadata"] = {"name": "old", "namespace": home, **stamp(0)}
    new = kubernetes(listener("HTTP", 81), **({"addresses": at(*addresses)} if addresses else {}))
    services = front(MADE, 8443, 8443)
    services["spec"]["ports"].append({"name": "http-new", "port": 81, "targetPort": 8081})
    result = judge(pod("edge/gw", "gateway"), old, new, services)
    assert port(result, "edge/gw", 8443)["plaintext"] == plaintext


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        pytest.param(["*"], "mtls -> mtls", id="every host"),
        pytest.param(["shop/*"], "mtls -> mtls", id="every host of a namespace's routes"),
        pytest.param(["a.example", "*"], "mtls -> mtls", id="every host beside one"),
        pytest.param(["a.example"], "mtls -> unknown", id="one host"),
        pytest.param(["a.example", "*.example"], "mtls -> unknown", id="two, neither of which is every host"),
    ],
)
def test_a_sidecar_meets_a_gateways_mutual_tls_by_the_name_it_asks_for(hosts, expected):
    """Its sni is that of Istio's cluster, which only a server for every host knows."""
    server = gateway("ISTIO_MUTUAL")
    server["spec"]["servers"][0]["hosts"] = hosts
    front = service("edge/gw", ports=[{"name": "https", "port": 443, "targetPort": 8443}])
    mesh = [mesh_config(), pod("edge/gw", "gateway"), front, pod("cafe/m"), rule("edge/r", "gw", tls("ISTIO_MUTUAL"))]
    assert answer(judge(mesh, server), "cafe/m", "edge/gw") == expected


@pytest.mark.parametrize(
    ("hosts", "tell"),
    [
        pytest.param([("a.example",)], True, id="a name"),
        pytest.param([("*",)], True, id="every name"),
        pytest.param([("*.example",)], True, id="a pattern"),
        pytest.param([("a.example", "*.example")], True, id="several names of one"),
        pytest.param([("a.example",), ("*.example",)], True, id="several servers"),
        pytest.param([("*a.example",)], False, id="a pattern within a label"),
        pytest.param([("a.*.example",)], False, id="a pattern in the middle"),
        pytest.param([("*.*.example",)], False, id="two of them"),
        pytest.param([("**",)], False, id="two of them and nothing else"),
        pytest.param([()], False, id="no name"),
        pytest.param([("a.example",), ("*.*",)], False, id="one that tells nothing beside one that does"),
    ],
)
def test_whether_the_names_of_servers_tell_which_one_answers(hosts, tell):
    assert _follow_names([_Chain(names, "tls", "", "") for names in hosts]) is tell


@pytest.mark.parametrize(
    ("first", "second", "tell"),
    [
        pytest.param(("tls", ""), ("mtls", ""), True, id="TLS of either kind"),
        pytest.param(("tls", ""), ("passthrough", ""), False, id="one is passed through"),
        pytest.param(("tls", "10.0.0.1"), ("mtls", ""), False, id="at two addresses"),
        pytest.param(("tls", "10.0.0.1"), ("mtls", "10.0.0.1"), True, id="at one address"),
    ],
)
def test_whether_the_names_of_two_servers_tell_it(first, second, tell):
    assert _follow_names([_Chain(("a.example",), *each, "") for each in (first, second)]) is tell


WEB, SAFE, RAW = (
    Server(80, "plaintext", http=True),
    Server(80, "tls", tls=True),
    Server(80, "plaintext"),
)
ASIDE = WEB._replace(bind="192.0.2.1")


@pytest.mark.parametrize(
    ("servers", "taken"),
    [
        pytest.param([WEB], [True], id="one"),
        pytest.param([WEB, WEB], [True, True], id="two of HTTP"),
        pytest.param([WEB, RAW], [True, False], id="what is no HTTP where there is HTTP"),
        pytest.param([RAW, WEB], [True, False], id="HTTP where there is something else"),
        pytest.param([RAW, RAW], [True, False], id="two of TCP"),
        pytest.param([WEB, ASIDE], [True, True], id="at another address"),
        pytest.param([ASIDE, ASIDE._replace(http=False)], [True, False], id="at one address"),
        pytest.param([SAFE._replace(hosts=("a",)), SAFE._replace(hosts=("b",))], [True, True],
                     id="TLS for other hosts"),
        pytest.param([SAFE._replace(hosts=("a",)), SAFE._replace(hosts=("b", "a"))], [True, False],
                     id="TLS for a host that another has"),
        pytest.param([SAFE._replace(hosts=("a",)), SAFE._replace(hosts=("a",), bind="192.0.2.1")], [True, True],
                     id="at another address, too"),
        pytest.param([SAFE._replace(hosts=("a",)), WEB], [True, True], id="TLS beside HTTP"),
        pytest.param([WEB, SAFE._replace(hosts=("a",))], [True, False], id="HTTP before TLS"),
        pytest.param([WEB._replace(tls=True, hosts=("a",)), WEB._replace(tls=True, hosts=("a",))], [True, False],
                     id="HTTP with TLS settings for a host that another has"),
    ],
)  # fmt: skip
def test_which_servers_of_one_port_count(servers, taken):
    merged = _Merged()
    assert [merged.takes(80, server) for server in servers] == taken


def test_each_port_has_servers_of_its_own():
    merged = _Merged()
    assert [merged.takes(80, RAW), merged.takes(81, RAW), merged.takes(81, RAW)] == [
        True,
        True,
        False,
    ]


CHAINS = (
    _Chain(("a.example", "b.example"), "tls", "", "the names"),
    _Chain(("*.example",), "mtls", "", "the pattern"),
    _Chain(("*.b.example",), "passthrough", "", "the longer pattern"),
)


@pytest.mark.parametrize(
    ("chains", "name", "expected"),
    [
        pytest.param(CHAINS, "a.example", ("gateway-tls", "the names for a.example"), id="the name itself"),
        pytest.param(CHAINS, "A.Example", ("gateway-tls", "the names for A.Example"), id="however it is written"),
        pytest.param(CHAINS, "c.example", ("gateway-mtls", "the pattern for c.example"), id="a pattern"),
        pytest.param(CHAINS, "c.b.example", ("gateway-passthrough", "the longer pattern for c.b.example"),
                     id="the longest pattern"),
        pytest.param(CHAINS, "other.test", ("gateway-closed", "all, and none for other.test"), id="no name"),
        pytest.param(CHAINS, "example", ("gateway-closed", "all, and none for example"), id="not the domain itself"),
        pytest.param(CHAINS, "", ("gateway-sni", "all"), id="nothing is asked for"),
        pytest.param((), "a.example", ("gateway-sni", "all"), id="names do not tell"),
        pytest.param((*CHAINS, _Chain(("*",), "tls", "", "every name")), "other.test",
                     ("gateway-tls", "every name for other.test"), id="whoever has no other"),
        pytest.param((CHAINS[0], _Chain(("a.example",), "mtls", "", "x")), "a.example", ("gateway-sni", "all"),
                     id="two that differ"),
        pytest.param((CHAINS[0], _Chain(("a.example",), "tls", "", "x")), "a.example",
                     ("gateway-tls", "the names for a.example"), id="two that do not"),
    ],
)  # fmt: skip
def test_which_server_answers_for_a_name(chains, name, expected):
    assert Opened("gateway-sni", "all", chains).asked(name)[:2] == expected


@pytest.mark.parametrize(
    ("kinds", "column"),
    [
        ({"tls"}, "tls"),
        ({"mtls", "named"}, "mtls"),
        ({"named"}, "named"),
        ({"plaintext", "tls"}, "mixed"),
        ({"plaintext", "unknown"}, "mixed"),
        ({"tls", "unknown"}, "unknown"),
        ({"tls", "mtls"}, "sni"),
        ({"mtls", "named", "tls"}, "sni"),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else "",
)
def test_what_several_servers_of_one_port_offer(kinds, column):
    assert _column(kinds) == column


SHAPE = Shape("gateway", "default", False, Capture((), None, ""), False, (), (), (), False, None, False, False)
AT_THE_DOOR = Workload(
    "edge/Deployment/gw", "edge", "Deployment", "gw", ("gw-1",), {"app": "gw"}, SHAPE, False, "x", ""
)
SERVES = GatewayObject("edge", "g", None, {"app": "gw"}, (Server(80, "plaintext", hosts=("*",)),), "2026-01-01")


def index(*gateways, doubt="", scoped=False, unread=()):
    return GatewayIndex(
        list(gateways),
        lambda workload: [],
        {},
        lambda workload, namespace, revision: namespace != "hidden",
        lambda workload, port: doubt,
        lambda workload: scoped,
        Unread(unread, ()),
    )


def of(**shape):
    return AT_THE_DOOR._replace(shape=SHAPE._replace(**shape))


NO_GATEWAYS = [{"kind": "Gateway", "namespace": "far", "reason": "forbidden"}]
ANSWERS = [
    ("a Gateway's port", index(SERVES), AT_THE_DOOR, 80, "gateway-plaintext", "gateway"),
    ("no Gateway's port", index(SERVES), AT_THE_DOOR, 81, "gateway-closed", "workload"),
    ("the proxy's health", index(SERVES), AT_THE_DOOR, 15021, "gateway-plaintext", "health"),
    ("its metrics", index(SERVES), AT_THE_DOOR, 15090, "gateway-plaintext", "metrics"),
    ("its health, whatever was not read", index(SERVES, unread=NO_GATEWAYS), AT_THE_DOOR, 15021, "gateway-plaintext",
     "health"),
    ("a port of its own container", index(SERVES), of(ports=((8080, "web"),)), 8080, "gateway-plaintext", "workload"),
    ("what another container may open", index(SERVES), of(companions=True), 81, "unknown", "workload"),
    ("HBONE of a waypoint", index(), of(waypoint=True), 15008, "gateway-hbone", "hbone"),
    ("HBONE of a gateway", index(), AT_THE_DOOR, 15008, "gateway-closed", "workload"),
    ("a Gateway's port at a waypoint", index(SERVES), of(waypoint=True), 80, "gateway-closed", "workload"),
    ("whatever is in doubt", index(SERVES, doubt="why"), AT_THE_DOOR, 80, "unknown", "gateway"),
    ("plaintext, whatever else was not read", index(SERVES, unread=NO_GATEWAYS), AT_THE_DOOR, 80, "gateway-plaintext",
     "gateway"),
    ("what one that was not read may open", index(SERVES, unread=NO_GATEWAYS), AT_THE_DOOR, 81, "unknown", "workload"),
    ("the same at a waypoint", index(SERVES, unread=NO_GATEWAYS), of(waypoint=True), 81, "gateway-closed", "workload"),
    ("one for other pods", index(SERVES._replace(selector={"app": "x"})), AT_THE_DOOR, 80, "gateway-closed",
     "workload"),
    ("one for all pods", index(SERVES._replace(selector={})), AT_THE_DOOR, 80, "gateway-plaintext", "gateway"),
    ("one that its control plane does not see", index(SERVES._replace(namespace="hidden")), AT_THE_DOOR, 80,
     "gateway-closed", "workload"),
    ("one of another namespace", index(SERVES._replace(namespace="far")), AT_THE_DOOR, 80, "gateway-plaintext",
     "gateway"),
    ("the same where each has its own", index(SERVES._replace(namespace="far"), scoped=True), AT_THE_DOOR, 80,
     "gateway-closed", "workload"),
    ("its own behind such a one", index(SERVES._replace(namespace="far", age="2025"), SERVES, scoped=True), AT_THE_DOOR,
     80, "gateway-plaintext", "gateway"),
    ("one of another namespace, where nobody knows",
     index(SERVES._replace(namespace="far", servers=(Server(80, "tls", hosts=("*",)),)), scoped=None), AT_THE_DOOR, 80,
     "unknown", "gateway"),
    ("one that is not there",
     index(), AT_THE_DOOR._replace(labels={"gateway.networking.k8s.io/gateway-name": "x"}), 80, "unknown", "workload"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "found", "one", "number", "column", "purpose"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_what_a_port_of_a_gateway_does(what, found, one, number, column, purpose):
    assert (found.server(one, number)[0], found.purpose(one, number)) == (column, purpose), what
