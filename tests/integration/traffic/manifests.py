"""What the cluster tests of traffic_info make: servers whose proxies log in three formats, callers, a Prometheus."""

from __future__ import annotations

from typing import Any

from lab import prometheus
from lab.cluster import BINARIES

Manifest = dict[str, Any]

LOGS, OUTSIDE, PROMETHEUS = NAMESPACES = ("traffic-logs", "traffic-outside", "traffic-prometheus")
HTTP, TCP = 8080, 9090

_SERVER = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", 9090), Hello).serve_forever, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", 8080), Hello).serve_forever()
"""
# It listens on the other port before it does on this one.
_ANSWERS: Manifest = {"readinessProbe": {"httpGet": {"path": "/", "port": HTTP}, "periodSeconds": 1}}
_IDLE = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

# The formats of docs/traffic.md.
_JSON = {
    "json_format": {
        "start_time": "%START_TIME%",
        "protocol": "%PROTOCOL%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "downstream_tls_version": "%DOWNSTREAM_TLS_VERSION%",
        "downstream_peer_uri_san": "%DOWNSTREAM_PEER_URI_SAN%",
        "downstream_local_uri_san": "%DOWNSTREAM_LOCAL_URI_SAN%",
    }
}
_TEXT = {
    "text_format_source": {
        "inline_string": '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
        "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
        '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
        '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
        '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
        "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME% "
        "tls=%DOWNSTREAM_TLS_VERSION% peer=%DOWNSTREAM_PEER_URI_SAN%\n"
    }
}
FORMATS = {"json": _JSON, "text": _TEXT, "istio": None}
"""Each server by its name, with the format that an EnvoyFilter gives its proxy; None is Istio's own text."""


def namespaces() -> list[Manifest]:
    """The namespaces of servers and of callers outside the mesh."""
    return [_namespace(LOGS, {"istio-injection": "enabled"}), _namespace(OUTSIDE, {})]


def servers_and_callers(image: str) -> list[Manifest]:
    """Everything else for access logs. The extension provider of a format would be in the mesh's own configuration, so
    that EnvoyFilters stand in for it; what the proxies write is the same.
    """
    logs = [_envoy_filter(name, format_) if format_ else _telemetry(name) for name, format_ in FORMATS.items()]
    services = [_service(LOGS, name, {"http": 80, "tcp": 90}) for name in FORMATS]
    servers = [_pod(LOGS, name, image, _SERVER, "server", _ANSWERS) for name in FORMATS]
    callers = [_pod(LOGS, "caller", image, _IDLE, "caller", {}), _pod(OUTSIDE, "stranger", image, _IDLE, "default", {})]
    # Formats and Services come first, so that proxies know them from the beginning.
    return [_account(LOGS, "server"), _account(LOGS, "caller"), *logs, *services, *servers, *callers]


def prometheus_in_a_pod(image: str, series: str) -> list[Manifest]:
    """A real Prometheus as a pod of the lab, its program from the cache, which the lab's node sees; and its Service."""
    programs = {"name": "programs", "hostPath": {"path": f"{BINARIES}/{prometheus.artifact().key}"}}
    recorded = {"name": "recorded", "configMap": {"name": "recorded"}}
    mounts = [
        {"name": "programs", "mountPath": "/programs", "readOnly": True},
        {"name": "recorded", "mountPath": "/recorded"},
        {"name": "data", "mountPath": "/data"},
    ]
    load = ["tsdb", "create-blocks-from", "openmetrics", "/recorded/series", "/data"]
    serve = ["--config.file=/recorded/configuration", "--storage.tsdb.path=/data"]
    spec = {
        "terminationGracePeriodSeconds": 1,
        "volumes": [programs, recorded, {"name": "data", "emptyDir": {}}],
        "initContainers": [_program("load", image, prometheus.TOOL, load, mounts)],
        "containers": [
            {
                **_program("prometheus", image, prometheus.SERVER, serve, mounts),
                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
            }
        ],
    }
    data = {"series": series, "configuration": "global: {}\n"}
    return [
        _namespace(PROMETHEUS, {}),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(PROMETHEUS, "recorded"), "data": data},
        {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(PROMETHEUS, "prometheus"), "spec": spec},
        _service(PROMETHEUS, "prometheus", {"web": 9090}),
    ]


def binding(namespace: str, role: str, user: str) -> Manifest:
    """A RoleBinding of a ClusterRole."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _metadata(namespace: str, name: str) -> Manifest:
    return {"namespace": namespace, "name": name, "labels": {"app": name}}


def _namespace(name: str, labels: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _account(namespace: str, name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def _pod(namespace: str, name: str, image: str, script: str, account: str, probe: Manifest) -> Manifest:
    container = {"name": "app", "image": image, "command": ["python3", "-c", script], **probe}
    spec = {"serviceAccountName": account, "terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(namespace, name), "spec": spec}


def _program(name: str, image: str, program: str, arguments: list[str], mounts: list[Manifest]) -> Manifest:
    return {"name": name, "image": image, "command": [f"/programs/{program}", *arguments], "volumeMounts": mounts}


def _service(namespace: str, name: str, ports: dict[str, int]) -> Manifest:
    targets = {"http": HTTP, "tcp": TCP, "web": 9090}
    listed = [{"name": port, "port": number, "targetPort": targets[port]} for port, number in ports.items()]
    spec = {"selector": {"app": name}, "ports": listed}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(namespace, name), "spec": spec}


def _telemetry(name: str) -> Manifest:
    """Istio's own format, from its built-in provider."""
    spec = {"selector": {"matchLabels": {"app": name}}, "accessLogging": [{"providers": [{"name": "envoy"}]}]}
    return {
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "metadata": _metadata(LOGS, name), "spec": spec,
    }  # fmt: skip


def _envoy_filter(name: str, log_format: Manifest) -> Manifest:
    extensions = "type.googleapis.com/envoy.extensions"
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{extensions}.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/stdout",
            "log_format": log_format,
        },
    }
    kinds = {
        "envoy.filters.network.http_connection_manager": "http_connection_manager.v3.HttpConnectionManager",
        "envoy.filters.network.tcp_proxy": "tcp_proxy.v3.TcpProxy",
    }
    patches = [
        {
            "applyTo": "NETWORK_FILTER",
            "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": {"name": network_filter}}}},
            "patch": {
                "operation": "MERGE",
                "value": {"typed_config": {"@type": f"{extensions}.filters.network.{kind}", "access_log": [log]}},
            },
        }
        for network_filter, kind in kinds.items()
    ]
    spec = {"workloadSelector": {"labels": {"app": name}}, "configPatches": patches}
    return {
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": _metadata(LOGS, name),
        "spec": spec,
    }  # fmt: skip
