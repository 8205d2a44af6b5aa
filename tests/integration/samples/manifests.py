"""Istio's samples, as its documentation has them, beside each other in one mesh.

Names, ports, labels, accounts and Istio's objects are those of the samples. Every image is one small program, which
says how a request came to it; the gateways are Istio's own, and what is outside is a pod that no Service selects.
"""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

# Says who answers, whom it saw, and whether by TLS of the application; a sidecar adds the client's certificate.
SERVER = """
import http.server, json, os, socket, ssl, sys, tempfile, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {
            "server": os.environ["SERVER"],
            "certificate": self.headers.get("X-Forwarded-Client-Cert") or "",
            "tls": isinstance(self.connection, ssl.SSLSocket),
            "from": self.client_address[0],
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
for port in sys.argv[1:]:
    server = http.server.ThreadingHTTPServer(("0.0.0.0", int(port)), Answer)
    if port == "443":
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as held:
            held.write(os.environ["CERTIFICATE"])
            held.flush()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(held.name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()
"""

BOOKS, DEMO, FOO, BAR, LEGACY, GATEWAYS, WORLD = (
    "sample-books", "sample-demo", "sample-foo", "sample-bar", "sample-legacy", "sample-gateways", "sample-world"
)  # fmt: skip
INJECTED = {"istio-injection": "enabled"}
NAMESPACES = {BOOKS: INJECTED, DEMO: INJECTED, FOO: INJECTED, BAR: INJECTED, LEGACY: {}, GATEWAYS: INJECTED, WORLD: {}}
STRICT = (BOOKS, DEMO, FOO, GATEWAYS)
"""Where plaintext is refused. `bar` takes it still, as in the task of migrating to mutual TLS."""

INGRESS, EGRESS, BOOKS_GATEWAY = f"{GATEWAYS}/istio-ingressgateway", f"{GATEWAYS}/istio-egressgateway", "books-istio"
OUTSIDE = f"{WORLD}/outside"
NEWS, ORIGINATED, WIKI, FEED = "news.example.com", "secure.example.com", "en.wiki.example.org", "feed.example.com"
WIKI_HOSTS = "*.wiki.example.org"
HOSTS = (NEWS, ORIGINATED, WIKI, FEED)
"""An external service, one with TLS origination, one of a wildcard, and one by way of the egress gateway."""

# namespace/Deployment, its ports and its version; the Service is named after the label `app`.
WORKLOADS: dict[str, tuple[tuple[int, ...], str]] = {
    f"{BOOKS}/productpage-v1": ((9080,), "v1"),
    f"{BOOKS}/details-v1": ((9080,), "v1"),
    f"{BOOKS}/ratings-v1": ((9080,), "v1"),
    f"{BOOKS}/reviews-v1": ((9080,), "v1"),
    f"{BOOKS}/reviews-v2": ((9080,), "v2"),
    f"{BOOKS}/reviews-v3": ((9080,), "v3"),
    f"{DEMO}/helloworld-v1": ((5000,), "v1"),
    f"{DEMO}/helloworld-v2": ((5000,), "v2"),
    f"{DEMO}/curl": ((80,), ""),
    **{
        f"{home}/{app}": ((port,), "") for home in (FOO, BAR, LEGACY) for app, port in (("httpbin", 8080), ("curl", 80))
    },
}
# namespace/Service, its port and what that leads to.
SERVICES: dict[str, tuple[int, int]] = {
    **{f"{BOOKS}/{app}": (9080, 9080) for app in ("productpage", "details", "reviews", "ratings")},
    f"{DEMO}/helloworld": (5000, 5000),
    f"{DEMO}/curl": (80, 80),
    **{f"{home}/httpbin": (8000, 8080) for home in (FOO, BAR, LEGACY)},
    **{f"{home}/curl": (80, 80) for home in (FOO, BAR, LEGACY)},
}


def _named(place: str, **labels: str) -> Manifest:
    namespace, name = place.split("/")
    return {"namespace": namespace, "name": name, "labels": labels}


def _istio(kind: str, place: str, spec: Manifest) -> Manifest:
    group = "security" if kind == "PeerAuthentication" else "networking"
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": _named(place), "spec": spec}


def _service(place: str, selector: Manifest, **ports: tuple[int, int]) -> Manifest:
    listed = [{"name": name.replace("_", "-"), "port": port, "targetPort": to} for name, (port, to) in ports.items()]
    spec = {"selector": selector, "ports": listed}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _named(place), "spec": spec}


def _account(place: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(place)}


def _deployment(place: str, labels: Manifest, pod: Manifest, annotations: Manifest) -> Manifest:
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"terminationGracePeriodSeconds": 1, **pod},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _named(place), "spec": spec}


def _container(place: str, ports: tuple[int, ...], image: str, certificate: str = "") -> Manifest:
    return {
        "name": "app",
        "image": image,
        "command": ["python3", "-c", SERVER, *map(str, ports)],
        "env": [{"name": "SERVER", "value": place}, {"name": "CERTIFICATE", "value": certificate}],
        "ports": [{"containerPort": port} for port in ports],
        "readinessProbe": {"httpGet": {"path": "/", "port": ports[0]}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "1m"}},
    }


def _app(place: str) -> str:
    return place.split("/")[1].split("-")[0]


def _workload(place: str, image: str, aliases: list[Manifest]) -> list[Manifest]:
    ports, version = WORKLOADS[place]
    account = f"{place.split('/')[0]}/{'bookinfo-' if place.startswith(BOOKS) else ''}{_app(place)}"
    pod = {
        "serviceAccountName": account.split("/")[1],
        "hostAliases": aliases,
        "containers": [_container(place, ports, image)],
    }
    labels = {"app": _app(place), **({"version": version} if version else {})}
    return [_deployment(place, labels, pod, {})]


def _accounts() -> list[Manifest]:
    books = {f"{BOOKS}/bookinfo-{_app(place)}" for place in WORKLOADS if place.startswith(BOOKS)}
    others = {f"{place.split('/')[0]}/{_app(place)}" for place in WORKLOADS if not place.startswith(BOOKS)}
    return [_account(place) for place in sorted(books | others)]


def _gateway(place: str, aliases: list[Manifest]) -> list[Manifest]:
    """A gateway in the way of Istio's own chart: the template of the injector makes its proxy."""
    labels = {"istio": place.split("/istio-")[1], "sidecar.istio.io/inject": "true"}
    pod = {
        "hostAliases": aliases,
        "containers": [{"name": "istio-proxy", "image": "auto", "imagePullPolicy": "IfNotPresent"}],
    }
    ports = {"status_port": (15021, 15021), "http2": (80, 8080), "https": (443, 8443)}
    return [
        _service(place, {"istio": labels["istio"]}, **ports),
        _deployment(place, labels, pod, {"inject.istio.io/templates": "gateway"}),
    ]


def _server(selector: str, number: int, host: str) -> Manifest:
    entry = {"port": {"number": number, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
    return {"selector": {"istio": selector}, "servers": [entry]}


def _subsets(host: str, *versions: str) -> Manifest:
    return {"host": host, "subsets": [{"name": name, "labels": {"version": name}} for name in versions]}


def _to(host: str, number: int, **more: Any) -> Manifest:
    return {"destination": {"host": host, "port": {"number": number}, **more}}


def _routes(host: str, *routes: Manifest, **spec: Any) -> Manifest:
    return {"hosts": [host], "http": list(routes), **spec}


def _outside(*hosts: str, ports: list[Manifest], resolution: str = "DNS") -> Manifest:
    return {"hosts": list(hosts), "location": "MESH_EXTERNAL", "resolution": resolution, "ports": ports}


HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}
HTTPS = {"number": 443, "name": "https", "protocol": "HTTPS"}
TO_EGRESS = f"istio-egressgateway.{GATEWAYS}.svc.cluster.local"
BY_TLS = {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}
MODES = [
    *(_istio("PeerAuthentication", f"{home}/default", {"mtls": {"mode": "STRICT"}}) for home in STRICT),
    _istio("PeerAuthentication", f"{BAR}/default", {"mtls": {"mode": "PERMISSIVE"}}),
]
ROUTES = [
    # bookinfo-gateway.yaml, destination-rule-all.yaml
    _istio("Gateway", f"{BOOKS}/bookinfo-gateway", _server("ingressgateway", 8080, "*")),
    _istio(
        "VirtualService",
        f"{BOOKS}/bookinfo",
        _routes("*", {"route": [_to("productpage", 9080)]}, gateways=["bookinfo-gateway"]),
    ),
    *(
        _istio("DestinationRule", f"{BOOKS}/{app}", _subsets(app, *versions))
        for app, versions in {
            "productpage": ("v1",),
            "reviews": ("v1", "v2", "v3"),
            "ratings": ("v1",),
            "details": ("v1",),
        }.items()
    ),
    # the tasks of egress
    _istio("ServiceEntry", f"{DEMO}/news", _outside(NEWS, ports=[HTTP, HTTPS])),
    _istio("ServiceEntry", f"{DEMO}/secure", _outside(ORIGINATED, ports=[{**HTTP, "targetPort": 443}, HTTPS])),
    _istio(
        "DestinationRule",
        f"{DEMO}/secure",
        {"host": ORIGINATED, "trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, **BY_TLS}]}},
    ),
    _istio("ServiceEntry", f"{DEMO}/wiki", _outside(WIKI_HOSTS, ports=[HTTPS], resolution="NONE")),
    _istio("ServiceEntry", f"{DEMO}/feed", _outside(FEED, ports=[HTTP, HTTPS])),
    _istio("Gateway", f"{DEMO}/feed", _server("egressgateway", 80, FEED)),
    _istio("DestinationRule", f"{DEMO}/feed", {"host": TO_EGRESS, "subsets": [{"name": "feed"}]}),
    _istio(
        "VirtualService",
        f"{DEMO}/feed",
        _routes(
            FEED,
            {"match": [{"gateways": ["mesh"], "port": 80}], "route": [_to(TO_EGRESS, 80, subset="feed")]},
            {"match": [{"gateways": ["feed"], "port": 80}], "route": [_to(FEED, 80)]},
            gateways=["feed", "mesh"],
        ),
    ),
]


def _gateway_api() -> list[Manifest]:
    """Bookinfo's other gateway, for which istiod makes the Deployment and the Service."""
    version = "gateway.networking.k8s.io/v1"
    note = {"networking.istio.io/service-type": "ClusterIP"}
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "Same"}}}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [_backend("productpage", 9080)]}
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "books"}
    return [
        {
            "apiVersion": version,
            "kind": "Gateway",
            "metadata": {**_named(f"{BOOKS}/books"), "annotations": note},
            "spec": {"gatewayClassName": "istio", "listeners": [listener]},
        },
        {
            "apiVersion": version,
            "kind": "HTTPRoute",
            "metadata": _named(f"{BOOKS}/books"),
            "spec": {"parentRefs": [parent], "rules": [rule]},
        },
    ]


def _backend(name: str, port: int) -> Manifest:
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": 1}


def gateway_api_kinds() -> list[Manifest]:
    """The Gateway API's kinds that a gateway needs, without their schemas: a cluster need not have them."""
    kinds = {"GatewayClass": "Cluster", "Gateway": "Namespaced", "HTTPRoute": "Namespaced"}
    group = "gateway.networking.k8s.io"
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{_plural(kind)}.{group}",
                # Istio asks for a version of the API, Kubernetes for the word of who may change a kind of its own.
                "annotations": {
                    "gateway.networking.k8s.io/bundle-version": "v1.6.0",
                    "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2997",
                },
            },
            "spec": {
                "group": group,
                "scope": scope,
                "names": {"kind": kind, "plural": _plural(kind), "singular": kind.lower()},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "subresources": {"status": {}},
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                ],
            },
        }
        for kind, scope in kinds.items()
    ]


def _plural(kind: str) -> str:
    return f"{kind.lower()}{'es' if kind.endswith('s') else 's'}"


def namespaces() -> list[Manifest]:
    """The namespaces, which come first and go last."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in NAMESPACES.items()
    ]


def outside(image: str, certificate: str) -> Manifest:
    """What clients meet outside of the mesh: HTTP at port 80, and at 443 with a certificate (PEM, with its key)."""
    container = _container(OUTSIDE, (80, 443), image, certificate)
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _named(OUTSIDE), "spec": spec}


def contents(image: str, address: str) -> list[Manifest]:
    """Everything else; the policies are there before the first pod starts. `address` is where the outside is."""
    aliases = [{"ip": address, "hostnames": list(HOSTS)}]
    services = [
        _service(place, {"app": place.split("/")[1]}, http=(port, to)) for place, (port, to) in SERVICES.items()
    ]
    return [
        *MODES,
        *ROUTES,
        *_gateway_api(),
        *_accounts(),
        *services,
        *(item for place in (INGRESS, EGRESS) for item in _gateway(place, aliases)),
        *(item for place in WORKLOADS for item in _workload(place, image, aliases)),
    ]
