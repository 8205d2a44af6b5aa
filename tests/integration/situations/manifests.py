"""The mesh of test_situations.py: small servers and clients, each the subject of one rule."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

# Answers 200 with the header that a sidecar adds to what came by mutual TLS: the client's certificate.
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.headers.get("X-Forwarded-Client-Cert") or "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
ThreadingHTTPServer(("0.0.0.0", 8080), Echo).serve_forever()
"""
CLIENT = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

INJECTED = {"istio-injection": "enabled"}
# A namespace, and the labels that say whether its pods are in the mesh.
NAMESPACES = {
    "sit-open": INJECTED,
    "sit-strict": INJECTED,
    "sit-off": INJECTED,
    "sit-outside": {},
    "sit-clients": INJECTED,
    "sit-shadow": INJECTED,
}
_EXCLUDED_IN = {"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}
_EXCLUDED_OUT = {"traffic.sidecar.istio.io/excludeOutboundPorts": "80"}
# ns/name of each server with what is special about its pods.
SERVERS: dict[str, Manifest] = {
    "sit-open/open": {},
    "sit-open/rule-off": {},
    "sit-open/wrong-label": {"labels": {"security.istio.io/tlsMode": "disabled"}},
    "sit-strict/strict": {},
    "sit-strict/port-open": {},
    "sit-strict/port-off": {},
    "sit-strict/excluded": {"annotations": _EXCLUDED_IN},
    "sit-strict/rule-off": {},
    "sit-strict/wrong-label": {"labels": {"security.istio.io/tlsMode": "disabled"}},
    "sit-off/off": {},
    "sit-off/strict": {},
    "sit-outside/outside": {},
    "sit-outside/rule-mutual": {},
}
CLIENTS: dict[str, Manifest] = {
    "sit-clients/meshed": {},
    "sit-clients/blinkered": {},
    "sit-clients/confined": {},
    "sit-clients/bypassing": {"annotations": _EXCLUDED_OUT},
    "sit-shadow/shadowed": {},
    "sit-outside/unmeshed": {},
}


def _object(kind: str, place: str, spec: Manifest) -> Manifest:
    group = {"PeerAuthentication": "security", "DestinationRule": "networking", "Sidecar": "networking"}[kind]
    namespace, name = place.split("/")
    return {
        "apiVersion": f"{group}.istio.io/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }


def _mode(place: str, mode: str, **spec: Any) -> Manifest:
    return _object("PeerAuthentication", place, {"mtls": {"mode": mode}, **spec})


def _own_mode(place: str, mode: str, **ports: str) -> Manifest:
    """A PeerAuthentication for one workload; ports as p8080="DISABLE"."""
    levels = {number.removeprefix("p"): {"mode": value} for number, value in ports.items()}
    selector = {"matchLabels": {"app": place.split("/")[1]}}
    return _mode(place, mode, selector=selector, **({"portLevelMtls": levels} if levels else {}))


def _rule(place: str, host: str, mode: str) -> Manifest:
    return _object("DestinationRule", place, {"host": host, "trafficPolicy": {"tls": {"mode": mode}}})


def _egress(place: str, outbound: str) -> Manifest:
    """A Sidecar for one client, which sees nothing but its own namespace."""
    return _object(
        "Sidecar",
        place,
        {
            "workloadSelector": {"labels": {"app": place.split("/")[1]}},
            "egress": [{"hosts": ["./*"]}],
            "outboundTrafficPolicy": {"mode": outbound},
        },
    )


POLICIES = [
    _mode("sit-strict/default", "STRICT"),
    _mode("sit-off/default", "DISABLE"),
    _own_mode("sit-strict/port-open", "STRICT", p8080="PERMISSIVE"),
    _own_mode("sit-strict/port-off", "STRICT", p8080="DISABLE"),
    _own_mode("sit-off/strict", "STRICT"),
    _rule("sit-open/rule-off", "rule-off.sit-open.svc.cluster.local", "DISABLE"),
    _rule("sit-strict/rule-off", "rule-off.sit-strict.svc.cluster.local", "DISABLE"),
    _rule("sit-outside/rule-mutual", "rule-mutual.sit-outside.svc.cluster.local", "ISTIO_MUTUAL"),
    _rule("sit-shadow/everything", "*.local", "DISABLE"),
    _egress("sit-clients/blinkered", "ALLOW_ANY"),
    _egress("sit-clients/confined", "REGISTRY_ONLY"),
]


def _deployment(place: str, special: Manifest, program: str, image: str) -> Manifest:
    namespace, name = place.split("/")
    container = {
        "name": "app",
        "image": image,
        "command": ["python3", "-c", program],
        "ports": [{"containerPort": 8080}] if program == SERVER else [],
        "resources": {"requests": {"cpu": "1m"}},
    }
    labels = {"app": name, **special.get("labels", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels, "annotations": special.get("annotations", {})},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


def _service(place: str) -> Manifest:
    namespace, name = place.split("/")
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def namespaces() -> list[Manifest]:
    """The namespaces, which come first and go last."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in NAMESPACES.items()
    ]


def contents(image: str) -> list[Manifest]:
    """Everything in them; the policies are there before the first pod starts. `image` has a python3."""
    return [
        *POLICIES,
        *(_service(place) for place in SERVERS),
        *(_deployment(place, special, SERVER, image) for place, special in SERVERS.items()),
        *(_deployment(place, special, CLIENT, image) for place, special in CLIENTS.items()),
    ]
