"""The servers of test_probe.py: one program behind a sidecar in STRICT, one in PERMISSIVE, and one outside the mesh."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

STRICT, OPEN, BARE = "probing-strict", "probing-open", "probing-bare"
INJECTED = {"istio-injection": "enabled"}
NAMESPACES: dict[str, dict[str, str]] = {STRICT: INJECTED, OPEN: INJECTED, BARE: {}}

WEB, PRIVATE, EXCLUDED, QUIET, MUTE, DOWN, HEALTH = 8080, 6060, 9090, 7000, 7001, 7999, 5000
# Three HTTP servers, and two that accept connections and never say a word.
PROGRAM = f"""
import socket, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
def silent(port):
    kept, server = [], socket.create_server(("0.0.0.0", port))
    while True: kept.append(server.accept())
for port in ({QUIET}, {MUTE}): threading.Thread(target=silent, args=(port,), daemon=True).start()
for port in ({PRIVATE}, {EXCLUDED}):
    threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", port), Hello).serve_forever, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", {WEB}), Hello).serve_forever()
"""
# The Service's ports by name, with the container's; at the last one nobody listens.
PORTS = {
    "http": (80, WEB),
    "http-private": (81, PRIVATE),
    "grpc": (82, HEALTH),
    "tcp-quiet": (83, QUIET),
    "http-down": (84, DOWN),
}
MANY = 60


def _object(api_version: str, kind: str, namespace: str, name: str, **content: Any) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        **content,
    }


def _service(namespace: str, name: str, ports: dict[str, tuple[int, int]]) -> Manifest:
    listed = [{"name": word, "port": port, "targetPort": target} for word, (port, target) in ports.items()]
    return _object("v1", "Service", namespace, name, spec={"selector": {"app": "server"}, "ports": listed})


def _deployment(namespace: str, python: str, agnhost: str) -> Manifest:
    ports = {"http": WEB, "http-private": PRIVATE, "http-excluded": EXCLUDED, "tcp-quiet": QUIET}
    containers = [
        {
            "name": "web",
            "image": python,
            "command": ["python3", "-c", PROGRAM],
            "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        },
        {
            "name": "health",
            "image": agnhost,
            "args": ["grpc-health-checking", f"--port={HEALTH}", "--http-port=8081"],
            "ports": [{"name": "grpc", "containerPort": HEALTH}],
            "readinessProbe": {"tcpSocket": {"port": HEALTH}},
        },
    ]
    for container in containers:
        container["resources"] = {"requests": {"cpu": "1m"}}
    template = {
        "metadata": {
            "labels": {"app": "server"},
            "annotations": {"traffic.sidecar.istio.io/excludeInboundPorts": str(EXCLUDED)},
        },
        "spec": {"terminationGracePeriodSeconds": 1, "containers": containers},
    }
    selector = {"matchLabels": {"app": "server"}}
    return _object("apps/v1", "Deployment", namespace, "server", spec={"selector": selector, "template": template})


def namespaces() -> list[Manifest]:
    """The namespaces, which come first and go last."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in NAMESPACES.items()
    ]


def contents(python: str, agnhost: str) -> list[Manifest]:
    """Everything in them, the policies first."""
    # The private port is for one other namespace of the mesh.
    rules = [{"to": [{"operation": {"ports": [str(PRIVATE)]}}], "from": [{"source": {"notNamespaces": [OPEN]}}]}]
    many = {f"http-{number}": (1000 + number, WEB) for number in range(MANY)}
    return [
        _object("security.istio.io/v1", "PeerAuthentication", STRICT, "default", spec={"mtls": {"mode": "STRICT"}}),
        _object(
            "security.istio.io/v1", "AuthorizationPolicy", STRICT, "private", spec={"action": "DENY", "rules": rules}
        ),
        *(_service(name, "server", PORTS) for name in NAMESPACES),
        _service(STRICT, "many", many),
        _service(OPEN, "mute", {"http": (80, MUTE)}),
        *(_deployment(name, python, agnhost) for name in NAMESPACES),
    ]
