"""A mesh in which policies say one thing and traffic does another: what is made, and by which pods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Manifest = dict[str, Any]

STRICT, LATE, OPEN, STALE, CLIENTS, OUTSIDE = NAMESPACES = (
    "lies-strict",
    "lies-late",
    "lies-open",
    "lies-stale",
    "lies-clients",
    "lies-outside",
)
INJECTED = {"istio-injection": "enabled"}
PORT = 8080
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
ThreadingHTTPServer(("0.0.0.0", 8080), Hello).serve_forever()
"""
IDLE = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

LOGGING: Manifest = {
    "accessLogFile": "/dev/stdout",
    "accessLogEncoding": "JSON",
    "accessLogFormat": "{"
    + ", ".join(
        f'"{name}": "%{operator}%"'
        for name, operator in {
            "start_time": "START_TIME",
            "protocol": "PROTOCOL",
            "upstream_cluster": "UPSTREAM_CLUSTER_RAW",
            "downstream_local_address": "DOWNSTREAM_LOCAL_ADDRESS",
            "downstream_remote_address": "DOWNSTREAM_REMOTE_ADDRESS",
            "downstream_tls_version": "DOWNSTREAM_TLS_VERSION",
            "downstream_peer_uri_san": "DOWNSTREAM_PEER_URI_SAN",
            "downstream_local_uri_san": "DOWNSTREAM_LOCAL_URI_SAN",
        }.items()
    )
    + "}\n",
}
"""The access log of docs/traffic.md, as mesh configuration."""


def namespaces() -> list[Manifest]:
    """All of them; `late` gets its label when its pod is there already."""
    plain = (LATE, OUTSIDE)
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {} if name in plain else INJECTED},
        }
        for name in NAMESPACES
    ]


def policies() -> list[Manifest]:
    """Everything beside pods and Services, but for what comes when a proxy is cut off."""
    return [strict(STRICT), strict(LATE), _opening_filter(), _blinders()]


def workloads(image: str) -> list[Manifest]:
    """Servers with their Services, and clients."""
    servers = [
        (STRICT, "plain", {}),
        (STRICT, "excluded", {"traffic.sidecar.istio.io/excludeInboundPorts": str(PORT)}),
        (STRICT, "flushed", {}),
        (STRICT, "filtered", {}),
        (LATE, "early", {}),
        (OPEN, "hidden", {}),
        (OPEN, "direct", {}),
        (STALE, "stale", {}),
    ]
    clients = [(CLIENTS, "blind"), (CLIENTS, "caller"), (OUTSIDE, "stranger")]
    return [
        *(service(namespace, name) for namespace, name, notes in servers),
        *(pod(namespace, name, image, SERVER, notes) for namespace, name, notes in servers),
        *(pod(namespace, name, image, IDLE, {}) for namespace, name in clients),
    ]


def strict(namespace: str) -> Manifest:
    """STRICT for a whole namespace."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"mtls": {"mode": "STRICT"}},
    }


def authority() -> dict[str, bytes]:
    """The Secret cacerts of a new signing authority, by its files; made anew each time and kept nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "another-root.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False),  # signs, certificates and lists
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return {"root-cert.pem": pem, "ca-cert.pem": pem, "cert-chain.pem": pem, "ca-key.pem": secret}


def _opening_filter() -> Manifest:
    """Lets plaintext in beside the chains that demand a certificate."""
    opened = {
        "name": "opened",
        "filter_chain_match": {"destination_port": PORT, "transport_protocol": "raw_buffer"},
        "filters": [
            {
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "opened",
                    "cluster": f"inbound|{PORT}||",
                },
            }
        ],
    }
    patch = {
        "applyTo": "FILTER_CHAIN",
        "match": {"context": "SIDECAR_INBOUND", "listener": {"name": "virtualInbound"}},
        "patch": {"operation": "ADD", "value": opened},
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "opened", "namespace": STRICT},
        "spec": {"workloadSelector": {"labels": {"app": "filtered"}}, "configPatches": [patch]},
    }


def _blinders() -> Manifest:
    """A Sidecar that hides all namespaces but its own from one client."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": "blinders", "namespace": CLIENTS},
        "spec": {"workloadSelector": {"labels": {"app": "blind"}}, "egress": [{"hosts": ["./*"]}]},
    }


def _metadata(namespace: str, name: str) -> Manifest:
    return {"namespace": namespace, "name": name, "labels": {"app": name}}


def service(namespace: str, name: str) -> Manifest:
    """A Service, port 80, of the pod with its name."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(namespace, name), "spec": spec}


def pod(namespace: str, name: str, image: str, script: str, notes: Manifest) -> Manifest:
    """A pod that runs a script of Python."""
    container: Manifest = {"name": "app", "image": image, "command": ["python3", "-c", script]}
    if script is SERVER:
        container["ports"] = [{"containerPort": PORT}]
        container["readinessProbe"] = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**_metadata(namespace, name), "annotations": notes},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
