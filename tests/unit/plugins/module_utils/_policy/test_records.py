# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each field of a manifest: the whole record of one that says everything, and of one that says nothing.

What the rules make of the records is in the other files.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.reader import Reader
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    Authorization,
    DestinationRule,
    Egress,
    Entry,
    GatewayObject,
    Ingress,
    IngressObject,
    PeerAuthentication,
    Policy,
    PortPolicy,
    Route,
    RouteTarget,
    Server,
    Service,
    ServiceEntry,
    ServicePort,
    SidecarObject,
    Slice,
    SliceEndpoint,
    Snapshot,
    Subset,
    Tls,
    VirtualService,
)

BORN = "2026-01-01T00:00:01"
OBJECT = """
metadata: {name: o, namespace: shop, creationTimestamp: "2026-01-01T00:00:01Z", labels: {istio.io/rev: canary}}
"""
BARE = """
metadata: {name: o}
"""
GROUPS = {
    "networking.istio.io/v1": (
        "DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "VirtualService", "WorkloadEntry",
    ),
    "security.istio.io/v1": ("AuthorizationPolicy", "PeerAuthentication"),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "networking.k8s.io/v1": ("Ingress",),
    "v1": ("Service",),
}  # fmt: skip


def read(kind: str, *parts: str) -> Snapshot:
    """The records of one manifest, given in parts."""
    [group] = [group for group, kinds in GROUPS.items() if kind in kinds]
    manifest: dict[str, Any] = {"apiVersion": group, "kind": kind}
    for part in parts:
        manifest.update(yaml.safe_load(part))
    reader = Reader()
    reader.add([manifest])
    snapshot = reader.snapshot()
    assert snapshot.problems == []
    return snapshot


PLAIN = Tls("DISABLE", False, False)
RULE = """
spec:
  host: web
  exportTo: [zoo, ".", zoo]
  workloadSelector: {matchLabels: {app: c}}
  trafficPolicy:
    tls: {mode: MUTUAL, credentialName: secret, sni: outside.example}
    loadBalancer: {simple: PASSTHROUGH}
    portLevelSettings:
      - {port: {number: 80}, tls: {mode: SIMPLE}}
      - {port: {number: 81}, loadBalancer: {simple: RANDOM}, tls: {}}
      - {tls: {mode: SIMPLE}}
  subsets:
    - {name: v1, labels: {version: "1", app: a}, trafficPolicy: {loadBalancer: {consistentHash: {}}}}
    - {name: v2}
"""
SIDECAR = """
spec:
  workloadSelector: {labels: {app: c}}
  outboundTrafficPolicy: {mode: ALLOW_ANY}
  egress:
    - {hosts: ["./*", "zoo/a.zoo.svc.cluster.local"]}
    - {hosts: ["*/*"], port: {number: 3128, protocol: http-proxy}}
    - {hosts: ["*/*"], port: {number: 80, protocol: HTTP}, captureMode: NONE}
    - {hosts: ["*/*"], bind: 127.0.0.1}
    - {hosts: ["*/*"], captureMode: IPTABLES}
  ingress:
    - {port: {number: 8080, protocol: HTTP}, defaultEndpoint: "127.0.0.1:80"}
    - {port: {number: 8443, protocol: TCP}, tls: {mode: SIMPLE}}
"""
ENTRY = """
spec:
  hosts: [b.example, a.example]
  addresses: [192.0.2.0/24, 192.0.2.1]
  location: MESH_INTERNAL
  resolution: STATIC
  exportTo: [zoo, "*"]
  workloadSelector: {labels: {app: vm}}
  ports:
    - {number: 80, name: http, protocol: http, targetPort: 8080}
    - {number: 3306, name: db, protocol: MySQL}
    - {number: 443, name: tls, protocol: TLS}
  endpoints:
    - {address: 192.0.2.7, ports: {http: 8081}, labels: {app: vm}, serviceAccount: x}
    - {address: 192.0.2.8, labels: {security.istio.io/tlsMode: istio}}
    - {}
"""
MACHINE = """
spec: {address: 192.0.2.7, labels: {app: vm, own: "yes"}, ports: {http: 8080}, serviceAccount: x}
metadata: {name: o, namespace: shop, labels: {app: other, security.istio.io/tlsMode: disabled}}
"""
ROUTES = """
spec:
  hosts: [web, A.Example, "*.example"]
  exportTo: ["."]
  gateways: [mesh, other/g]
  http:
    - {match: [{port: 80}], route: [{destination: {host: web, port: {number: 8080}, subset: v1}}]}
    - {match: [{port: 80, uri: {prefix: /}}, {gateways: [other/g]}], route: [{destination: {host: B.example}}]}
    - {match: [{gateways: [other/g]}], route: [{destination: {host: never}}]}
    - {delegate: {name: more, namespace: zoo}}
    - {redirect: {uri: /x}, route: [{destination: {host: never}}]}
    - route: [{destination: {host: web}, weight: 1}, {destination: {host: none}}, {destination: {host: two}, weight: 9}]
      mirror: {host: copy}
      mirrors: [{destination: {host: third}}]
  tls: [{match: [{sniHosts: [x]}], route: [{destination: {host: web}}]}]
  tcp: [{route: [{destination: {host: web}}]}]
"""
SERVERS = """
spec:
  selector: {app: gw}
  servers:
    - {port: {number: 80, protocol: HTTP}, hosts: ["*"], tls: {httpsRedirect: true}}
    - {port: {number: 443, protocol: HTTPS}, hosts: ["./a.example", "*/b.example", "zoo/c.example"],
       tls: {mode: SIMPLE}, bind: 192.0.2.1}
    - {port: {number: 8443, protocol: TLS}, hosts: ["*"], tls: {mode: ISTIO_MUTUAL}}
    - {port: {number: 9443, protocol: TLS}, hosts: [a.example], tls: {mode: ISTIO_MUTUAL}}
    - {port: {number: 15443, protocol: TLS}, hosts: ["*"], tls: {}}
    - {port: {number: 3306, protocol: TCP}, hosts: ["*"]}
"""
PORTS = """
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1, "fd00::1"]
  selector: {app: a}
  externalName: ignored.example
  ports:
    - {port: 80, name: http-web, targetPort: web}
    - {port: 81, name: x, targetPort: "8081", appProtocol: grpc}
    - {port: 82}
    - {port: 53, name: dns, protocol: UDP}
metadata:
  name: o
  namespace: shop
  annotations: {networking.istio.io/exportTo: "zoo, .,zoo"}
"""
SLICE = """
metadata:
  name: s
  namespace: shop
  labels:
    kubernetes.io/service-name: o
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
addressType: IPv4
ports: [{name: http, port: 8080}, {name: dns, port: 53, protocol: UDP}, {name: all}, {port: 9090, protocol: TCP}]
endpoints:
  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a-1, namespace: zoo}}
  - {addresses: [10.0.0.2], targetRef: {kind: Pod, name: a-2}}
  - {addresses: [10.0.0.3, 10.0.0.4], targetRef: {kind: Node, name: n}}
  - {}
"""
PEER = """
spec:
  selector: {matchLabels: {app: a}}
  mtls: {mode: STRICT}
  portLevelMtls: {8080: {mode: DISABLE}, "9090": {}}
"""
WEB = "web.shop.svc.cluster.local"


def to(host: str, port: int = 0, subset: str | None = None) -> RouteTarget:
    return RouteTarget(host if "." in host else f"{host}.shop.svc.cluster.local", port, subset)


EVERYTHING = [
    ("DestinationRule", RULE, "destination_rules", DestinationRule(
        "shop", "o", BORN, "canary", "web", (".", "zoo"), {"app": "c"},
        Policy(Tls("MUTUAL", True, False, "outside.example"), "PASSTHROUGH",
               (PortPolicy(80, Tls("SIMPLE", False, False), None), PortPolicy(81, PLAIN, "RANDOM"))),
        (Subset("v1", (("app", "a"), ("version", "1")), Policy(None, "", ())), Subset("v2", (), None)),
    )),
    ("Sidecar", SIDECAR, "sidecars", SidecarObject(
        "shop", "o", BORN, "canary", {"app": "c"},
        (Egress(0, False, ("./*", "zoo/a.zoo.svc.cluster.local"), False, ""),
         Egress(3128, True, ("*/*",), False, "http"), Egress(80, False, ("*/*",), True, "http"),
         Egress(0, False, ("*/*",), True, ""), Egress(0, False, ("*/*",), False, "")),
        "ALLOW_ANY", (Ingress(8080, True, False), Ingress(8443, False, True)),
    )),
    ("ServiceEntry", ENTRY, "service_entries", ServiceEntry(
        "shop", "o", BORN, "canary", ("b.example", "a.example"), ("192.0.2.0/24", "192.0.2.1"),
        (ServicePort(80, "http", "http", 8080, "http"), ServicePort(3306, "db", "tcp", None, "mysql"),
         ServicePort(443, "tls", "tcp", None, "tls")),
        False, "STATIC",
        (Entry("shop", "o-0", None, "192.0.2.7", {"app": "vm"}, {"http": 8081}, "istio", True),
         Entry("shop", "o-1", None, "192.0.2.8", {"security.istio.io/tlsMode": "istio"}, {}, "istio", False),
         Entry("shop", "o-2", None, "", {}, {}, "disabled", False)),
        {"app": "vm"}, ("*", "zoo"), False,
    )),
    ("WorkloadEntry", MACHINE, "entries", Entry(
        "shop", "o", None, "192.0.2.7", {"app": "other", "own": "yes", "security.istio.io/tlsMode": "disabled"},
        {"http": 8080}, "disabled", True,
    )),
    ("VirtualService", ROUTES, "virtual_services", VirtualService(
        "shop", "o", "canary", (WEB, "a.example", "*.example"), (".",),
        (Route("http", frozenset((80,)), True, (to("web", 8080, "v1"),)),
         Route("http", frozenset((80,)), False, (to("b.example"),)),
         Route("http", frozenset(), True, (), ("zoo", "more")),
         Route("http", frozenset(), True, ()),
         Route("http", frozenset(), True, (to("web"), to("two"), to("third"), to("copy"))),
         Route("tls", frozenset(), False, (to("web"),)),
         Route("tcp", frozenset(), True, (to("web"),))),
    )),
    ("Gateway", SERVERS, "gateways", GatewayObject(
        "shop", "o", "canary", {"app": "gw"},
        (Server(80, "plaintext", True, ("*",), "", True, True),
         Server(443, "tls", False, ("shop/a.example", "b.example", "zoo/c.example"), "192.0.2.1", False, True),
         Server(8443, "mtls", False, ("*",), "", False, True),
         Server(9443, "named", False, ("a.example",), "", False, True),
         Server(15443, "passthrough", False, ("*",), "", False, True),
         Server(3306, "plaintext", False, ("*",), "", False, False)),
        BORN,
    )),
    ("Service", PORTS, "services", Service(
        "shop", "o", UNDATED, False, "", {"app": "a"},
        (ServicePort(80, "http-web", "http", "web", "http"), ServicePort(81, "x", "http", 8081, "grpc"),
         ServicePort(82, "", "tcp", 82, ""), ServicePort(53, "dns", "udp", 53, "udp")),
        (".", "zoo"), ("10.0.0.1", "fd00::1"), False,
    )),
    ("EndpointSlice", SLICE, "slices", Slice(
        "shop", "s", "o", (("http", 8080), ("", 9090)),
        (SliceEndpoint(("10.0.0.1",), ("zoo", "a-1")), SliceEndpoint(("10.0.0.2",), ("shop", "a-2")),
         SliceEndpoint(("10.0.0.3", "10.0.0.4"), None), SliceEndpoint((), None)),
        True,
    )),
    ("PeerAuthentication", PEER, "peer_authentications", PeerAuthentication(
        "shop", "o", BORN, "canary", {"app": "a"}, False, "STRICT", {8080: "DISABLE", 9090: "UNSET"},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "place", "record"), EVERYTHING, ids=[row[0] for row in EVERYTHING])
def test_what_says_everything(kind, text, place, record):
    assert getattr(read(kind, OBJECT, text), place) == [record]


NOTHING = [
    ("DestinationRule", "destination_rules", DestinationRule("default", "o", UNDATED, None, "", (), None, None, ())),
    ("Sidecar", "sidecars", SidecarObject("default", "o", UNDATED, None, None, (), None, ())),
    ("ServiceEntry", "service_entries",
     ServiceEntry("default", "o", UNDATED, None, (), (), (), True, "NONE", (), None, (), False)),
    ("WorkloadEntry", "entries", Entry("default", "o", None, "", {}, {}, "disabled", False)),
    ("VirtualService", "virtual_services", VirtualService("default", "o", None, (), (), ())),
    ("Gateway", "gateways", GatewayObject("default", "o", None, {}, (), UNDATED)),
    ("Service", "services", Service("default", "o", UNDATED, False, "", None, (), (), (), False)),
    ("PeerAuthentication", "peer_authentications",
     PeerAuthentication("default", "o", UNDATED, None, None, True, "UNSET", {})),
    ("AuthorizationPolicy", "authorizations", Authorization("default", "o", None, None, False, False)),
    ("Ingress", "ingresses", IngressObject("default", "o", None, None, False)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "place", "record"), NOTHING, ids=[row[0] for row in NOTHING])
def test_what_says_nothing(kind, place, record):
    assert getattr(read(kind, BARE), place) == [record]


@pytest.mark.parametrize(
    ("text", "headless", "external", "addresses"),
    [
        ("spec: {clusterIP: None}", True, "", ("None",)),
        ("spec: {clusterIP: 10.0.0.1}", False, "", ("10.0.0.1",)),
        ("spec: {type: ExternalName, externalName: a.example}", False, "a.example", ()),
        ("spec: {type: ClusterIP, externalName: a.example}", False, "", ()),
    ],
    ids=["headless", "with an address", "an alias", "no alias"],
)
def test_kinds_of_services(text, headless, external, addresses):
    [found] = read("Service", BARE, text).services
    assert (found.headless, found.external_name, found.addresses) == (headless, external, addresses)


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("addressType: FQDN", None),
        ("metadata: {name: s, labels: {kubernetes.io/service-name: ''}}", None),
        ("metadata: {name: s, labels: {}}", None),
        ("addressType: IPv6", False),
        ("metadata: {name: s, labels: {kubernetes.io/service-name: o, "
         "endpointslice.kubernetes.io/managed-by: somebody}}", False),
    ],
    ids=["names", "of no Service", "that names none", "of IPv6", "that somebody else made"],
)  # fmt: skip
def test_which_endpoint_slices_count(text, read_as):
    found = read("EndpointSlice", "metadata: {name: s, labels: {kubernetes.io/service-name: o}}", text).slices
    assert [item.by_selector for item in found] == ([] if read_as is None else [read_as])


@pytest.mark.parametrize(
    ("text", "annotation", "name", "tls"),
    [
        ("spec: {ingressClassName: istio}", None, "istio", False),
        ("spec: {tls: [{hosts: [a]}, {secretName: s}]}", None, None, True),
        ("spec: {tls: [{hosts: [a]}]}", None, None, False),
        ("metadata: {name: o, annotations: {kubernetes.io/ingress.class: nginx}}", "nginx", None, False),
    ],
    ids=["its class", "a certificate for one host", "no certificate", "its class as it was written once"],
)
def test_ingresses(text, annotation, name, tls):
    [found] = read("Ingress", BARE, text).ingresses
    assert (found.annotation, found.class_name, found.tls) == (annotation, name, tls)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("{}", PLAIN),
        ("{mode: SIMPLE}", Tls("SIMPLE", False, False)),
        ("{mode: MUTUAL, clientCertificate: c, privateKey: k}", Tls("MUTUAL", False, False)),
        ("{mode: MUTUAL, clientCertificate: c}", Tls("MUTUAL", False, True)),
        ("{mode: MUTUAL, privateKey: k}", Tls("MUTUAL", False, True)),
        ("{mode: MUTUAL, credentialName: s}", Tls("MUTUAL", True, False)),
        ("{mode: SIMPLE, credentialName: 'configmap://c'}", Tls("SIMPLE", False, False)),
        ("{mode: ISTIO_MUTUAL, sni: x}", Tls("ISTIO_MUTUAL", False, False, "x")),
    ],
    ids=["no mode", "one-way", "files", "no key", "no certificate", "a secret", "a ConfigMap", "a name"],
)
def test_tls_of_destination_rules(settings, expected):
    [found] = read("DestinationRule", BARE, f"spec: {{host: a, trafficPolicy: {{tls: {settings}}}}}").destination_rules
    assert found.policy is not None
    assert found.policy.tls == expected
