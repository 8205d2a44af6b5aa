# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random small meshes, biased towards the odd corners of Istio's rules. The same seed gives the same mesh."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Manifest = dict[str, Any]
T = TypeVar("T")

SPACES = ("n1", "n2", "n3")
APPS = ("a", "b")
MODES = ("STRICT", "PERMISSIVE", "DISABLE", "UNSET")
CLIENT_MODES = ("ISTIO_MUTUAL", "DISABLE", "SIMPLE", "MUTUAL")
SERVICE_PORTS = (80, 81, 8080, 9090)
TARGET_PORTS = (80, 81, 8080, 9090)
EXTERNAL_HOSTS = ("db.example.com", "api.example.com", "*.wild.example.com")
CONTESTED_HOSTS = (*EXTERNAL_HOSTS, "a.n1.svc.cluster.local", "b.n2.svc.cluster.local")


def scenario(seed: int) -> list[Manifest]:
    """The manifests of one mesh."""
    return _Generator(random.Random(seed)).mesh()


def _selects(service: Manifest, spec: Manifest, pod: Manifest) -> bool:
    """Whether a Service selects a pod."""
    labels = pod["metadata"].get("labels", {})
    same = pod["metadata"]["namespace"] == service["namespace"]
    return same and "selector" in spec and spec["selector"].items() <= labels.items()


class _Generator:
    """One mesh. Each method adds or returns one kind of object."""

    def __init__(self, rnd: random.Random) -> None:
        self.rnd = rnd
        self.root = "mesh-root" if self.chance(0.2) else "istio-system"
        self.revisions = ("default", "canary") if self.chance(0.2) else ("default",)
        self.spaces = (*SPACES[: self.rnd.choice((1, 2, 2, 3))], self.root)
        self.addresses = 0
        # Whether several Services and ServiceEntries may have one host.
        self.contested = self.chance(0.1)
        # Whether VirtualServices lead elsewhere.
        self.routed = not self.contested and self.chance(0.4)
        self.location = self.pick(("MESH_INTERNAL", "MESH_EXTERNAL"))
        self.pods: list[Manifest] = []
        self.cluster_ips: list[str] = []
        self.hosts: list[tuple[str, list[int]]] = []
        """The hosts of Services and ServiceEntries, with their ports."""
        self.passing: list[tuple[str, str, int, str]] = []
        """The servers of Gateways that need routes: namespace, name, port and protocol."""
        self.used: set[tuple[str, str, str]] = set()

    def chance(self, share: float) -> bool:
        """True with that probability."""
        return self.rnd.random() < share

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return self.rnd.choice(values)

    def some(self, values: Sequence[T], most: int) -> list[T]:
        """One or more different ones."""
        return self.rnd.sample(values, self.rnd.randint(1, min(most, len(values))))

    def weighted(self, **shares: float) -> str:
        """One of the names, by their weights."""
        return self.rnd.choices(list(shares), list(shares.values()))[0]

    def mesh(self) -> list[Manifest]:
        """Everything."""
        found = [self.mesh_config(revision) for revision in self.revisions]
        for revision in self.revisions:
            if self.chance(0.2):
                found.extend(self.shared_config(revision))
        for space in dict.fromkeys((*self.spaces, "istio-system")):
            labels = {"team": self.pick(("red", "blue"))}
            found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}})
        for space in self.spaces:
            if space != self.root or self.chance(0.4):
                for _ in range(self.rnd.randint(1, 3)):
                    self.pods.append(self.pod(space))
        found.extend(self.pods)
        for space in self.spaces:
            for _ in range(self.rnd.randint(0, 2)):
                found.extend(self.service(space))
        kinds: tuple[tuple[Callable[[str], Manifest], int], ...] = (
            (self.peer_authentication, 5),
            (self.destination_rule, 5),
            (self.sidecar, 2),
            (self.service_entry, 2),
            (self.workload_entry, 2),
            (self.gateway, 3),
        )
        for build, most in kinds:
            count = self.rnd.randint(0, most) if build not in (self.sidecar, self.gateway) or self.chance(0.5) else 0
            found.extend(build(self.pick((*self.spaces, self.pick(("istio-system", self.root))))) for _ in range(count))
        if self.chance(0.25):
            space = self.pick((*self.spaces, self.root))
            found.extend(self.envoy_filter(space) for _ in range(self.rnd.randint(1, 2)))
        if self.chance(0.12):
            found.extend(self.ingress_objects(self.pick(self.spaces)))
        if self.chance(0.2):
            # Istio's other Gateways are not merged with one whose Service istiod makes; the engine merges them, as
            # istiod did before (PILOT_ENABLE_STRICT_GATEWAY_MERGING).
            alone = all(item["kind"] not in ("Gateway", "Ingress") for item in found)
            for _ in range(self.rnd.randint(1, 2)):
                found.extend(self.kubernetes_gateway(self.pick(self.spaces), alone and self.chance(0.7)))
        if self.routed and self.hosts:
            found.extend(self.virtual_service(self.pick(self.spaces)) for _ in range(self.rnd.randint(1, 2)))
        self.rnd.shuffle(found)
        return found

    # --- names, ages, selectors --------------------------------------------------------------------------------------

    def metadata(self, kind: str, space: str, names: Sequence[str]) -> Manifest:
        """A name that is free, one of a few ages, sometimes a revision."""
        name = self.pick(names)
        while (kind, space, name) in self.used:
            name += "x"
        self.used.add((kind, space, name))
        found: Manifest = {"name": name, "namespace": space}
        found["creationTimestamp"] = f"2026-01-01T00:00:0{self.rnd.randint(0, 2)}Z"
        if kind not in ("Service", "Pod") and self.chance(0.12):
            found["labels"] = {"istio.io/rev": self.pick(("default", "canary", "other"))}
        return found

    def labels(self) -> dict[str, str]:
        """Labels that some pods have."""
        keys = {"app": self.pick(APPS), "version": self.pick(("v1", "v2"))}
        return keys if self.chance(0.15) else {key: keys[key] for key in [self.pick(("app", "app", "version"))]}

    def istio(self, kind: str, space: str, spec: Manifest, group: str = "networking") -> Manifest:
        """An object of one of Istio's groups."""
        metadata = self.metadata(kind, space, ("p", "q", "r"))
        return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}

    # --- the mesh and its pods ---------------------------------------------------------------------------------------

    def shared_config(self, revision: str) -> list[Manifest]:
        """istiod, told to share a ConfigMap, and that one unless it was forgotten."""
        name = "istiod" if revision == "default" else f"istiod-{revision}"
        shared = self.pick((f"shared-{revision}", f"istio-shared-{revision}"))
        env = [{"name": "SHARED_MESH_CONFIG", "value": shared}]
        istiod = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "istio-system", "labels": {"istio.io/rev": revision}},
            "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "discovery", "env": env}]}}},
        }
        if self.chance(0.1):
            return [istiod]
        config_map = self.mesh_config(revision)
        config_map["metadata"]["name"] = shared
        return [istiod, config_map]

    def mesh_config(self, revision: str) -> Manifest:
        """The ConfigMap of a revision."""
        config: Manifest = {"rootNamespace": self.root}
        if self.chance(0.05):
            del config["rootNamespace"]
        if self.chance(0.25):
            config["enableAutoMtls"] = self.chance(0.3)
        if self.chance(0.3):
            config["outboundTrafficPolicy"] = {"mode": self.pick(("REGISTRY_ONLY", "ALLOW_ANY"))}
        for key in ("defaultServiceExportTo", "defaultDestinationRuleExportTo"):
            if self.chance(0.12):
                config[key] = [self.pick((".", "*"))]
        if self.chance(0.06):
            terms = [{"key": "team", "operator": "NotIn", "values": ["red"]}]
            config["discoverySelectors"] = [self.pick(({"matchLabels": {"team": "red"}}, {"matchExpressions": terms}))]
        if self.chance(0.15):
            config["trustDomain"] = self.pick(("cluster.local", "td.example"))
            if self.chance(0.5):
                config["trustDomainAliases"] = [self.pick(("cluster.local", "td.example"))]
            if self.chance(0.2):
                config["caCertificates"] = [{"pem": "x", "trustDomains": ["td.example"]}]
        if self.chance(0.25):
            config["ingressControllerMode"] = self.pick(("STRICT", "DEFAULT", "DEFAULT", "OFF"))
        if self.chance(0.5):
            config["ingressSelector"] = "ingress"
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "istio" if revision == "default" else f"istio-{revision}",
                "namespace": "istio-system",
                "labels": {"istio.io/rev": revision},
            },
            "data": {"mesh": json.dumps(config)},
        }

    def pod(self, space: str) -> Manifest:
        """A running pod: meshed, a gateway, without proxy or on the host's network."""
        kind = self.weighted(sidecar=0.68, none=0.18, gateway=0.1, host=0.04)
        if kind == "gateway" and self.contested:
            # Which of several destinations a gateway gets depends on what istiod computed before.
            kind = "sidecar"
        self.addresses += 1
        labels = {"app": self.pick(APPS), "version": self.pick(("v1", "v2"))}
        annotations = {}
        ports = [{"containerPort": 8080, "name": "web", "protocol": "TCP"}]
        if self.chance(0.5):
            ports.append({"containerPort": 9090, "name": self.pick(("data", "tcp")), "protocol": "TCP"})
        if self.chance(0.15):
            ports.append({"containerPort": self.pick(TARGET_PORTS), "name": "dns", "protocol": "UDP"})
        containers: list[Manifest] = [{"name": "app", "ports": ports}]
        init: list[Manifest] = []
        if kind in ("sidecar", "gateway"):
            annotations["sidecar.istio.io/status"] = json.dumps({"revision": self.pick(self.revisions)})
            proxy: Manifest = {"name": "istio-proxy", "args": ["proxy", "sidecar" if kind == "sidecar" else "router"]}
            if kind == "gateway":
                containers = [proxy]
                labels["istio"] = "ingress"
                if self.chance(0.15):
                    proxy["args"] = ["proxy", "waypoint"]
            elif self.chance(0.5):
                init = [{**proxy, "restartPolicy": "Always"}]
            else:
                containers.append(proxy)
            if self.chance(0.03):
                names = ("CERT_CHAIN", "KEY", "ROOT_CERT")
                proxy["env"] = [{"name": f"ISTIO_META_TLS_CLIENT_{name}", "value": f"/{name}"} for name in names]
        if kind == "sidecar":
            labels["security.istio.io/tlsMode"] = "istio"
        if self.chance(0.08):
            labels["security.istio.io/tlsMode"] = self.pick(("disabled", "istio", "odd"))
        host = kind == "host"
        metadata = {
            **self.metadata("Pod", space, (f"{labels['app']}-{self.addresses}",)),
            "labels": labels,
            "annotations": annotations,
        }
        if self.chance(0.3):
            metadata["ownerReferences"] = [{"kind": "StatefulSet", "name": labels["app"], "controller": True}]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                "serviceAccountName": self.pick(("default", "default", labels["app"])),
                "containers": containers,
                "initContainers": init,
                **({"hostNetwork": True} if host else {}),
            },
            "status": {
                "phase": "Running",
                "podIP": f"192.0.2.{self.addresses}" if host else f"10.10.0.{self.addresses}",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }

    # --- destinations ------------------------------------------------------------------------------------------------

    def ports(self, most: int) -> list[Manifest]:
        """Service ports: HTTP, TCP and those that Istio sniffs; numbers, names and nothing as targets."""
        found: list[Manifest] = []
        for number in self.some(SERVICE_PORTS, most):
            protocol = self.pick(("http", "tcp", "odd", "grpc", "https"))
            port: Manifest = {"name": f"{protocol}-{number}", "port": number, "protocol": "TCP"}
            if self.chance(0.04):
                port["protocol"] = "UDP"
            if self.chance(0.1):
                port["appProtocol"] = self.pick(("http", "tcp", "kubernetes.io/h2c"))
            target = self.weighted(number=0.6, name=0.2, same=0.2)
            port["targetPort"] = number
            if target == "number":
                port["targetPort"] = self.pick(TARGET_PORTS)
            elif target == "name":
                port["targetPort"] = self.pick(("web", "data", "dns", "nobody"))
            found.append(port)
        return found

    def service(self, space: str) -> list[Manifest]:
        """A Service: with an address, headless, or without selector and with an EndpointSlice of its own."""
        metadata = self.metadata("Service", space, (*APPS, "svc"))
        if self.chance(0.1):
            metadata["labels"] = {"experimental.istio.io/disable-gateway-port-translation": ""}
        kind = self.weighted(address=0.6, headless=0.24, slices=0.1, name=0.06)
        self.addresses += 1
        spec: Manifest = {"clusterIP": f"10.20.0.{self.addresses}", "ports": self.ports(3)}
        if self.chance(0.2):
            exports = (".", "*", "~", "n1", "n2", "n1,n2", ".,n2")
            metadata["annotations"] = {"networking.istio.io/exportTo": self.pick(exports)}
        if kind == "headless" or (kind == "slices" and self.chance(0.3)):
            spec["clusterIP"] = "None"
            for port in spec["ports"]:
                if self.chance(0.5):
                    port["targetPort"] = port["port"]
        if spec["clusterIP"] != "None" and kind != "name":
            self.cluster_ips.append(spec["clusterIP"])
        found = [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}]
        host = f"{metadata['name']}.{space}.svc.cluster.local"
        self.hosts.append((host, [port["port"] for port in spec["ports"]]))
        if kind == "name":
            del spec["clusterIP"]
            spec.update(type="ExternalName", externalName=self.alias())
        elif kind == "slices":
            found.append(self.slice(metadata, spec))
        else:
            spec["selector"] = self.labels() if self.chance(0.85) else {"istio": "ingress"}
            if self.chance(0.08):
                found.append(self.slice(metadata, spec))
        return found

    def alias(self) -> str:
        """What an ExternalName Service stands for: mostly a host that exists."""
        hosts = [host for host, dummy in self.hosts if "*" not in host] if self.chance(0.8) else []
        return self.pick(hosts or ["db.example.com", "a.n1.svc.cluster.local"])

    def slice(self, service: Manifest, spec: Manifest) -> Manifest:
        """An EndpointSlice that somebody else keeps: pods and addresses from elsewhere.

        No pods that the Service selects: of two slices with one address istiod takes either.
        """
        endpoints: list[Manifest] = []
        pods = [pod for pod in self.pods if not _selects(service, spec, pod)]
        for _ in range(self.rnd.randint(1, 2)):
            if pods and self.chance(0.7):
                pod = self.pick(pods)
                endpoint: Manifest = {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}}
                same = pod["metadata"]["namespace"] == service["namespace"]
                if same and self.chance(0.6):
                    reference = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": service["namespace"]}
                    endpoint["targetRef"] = reference
            else:
                endpoint = {"addresses": [f"198.51.100.{self.rnd.randint(1, 3)}"], "conditions": {"ready": True}}
            if not any(endpoint["addresses"] == other["addresses"] for other in endpoints):
                endpoints.append(endpoint)
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{service['name']}-own",
                "namespace": service["namespace"],
                "labels": {"kubernetes.io/service-name": service["name"]},
            },
            "addressType": "IPv4",
            "ports": [
                {"name": port["name"], "port": self.pick(TARGET_PORTS), "protocol": "TCP"} for port in spec["ports"]
            ],
            "endpoints": endpoints,
        }

    def service_entry(self, space: str) -> Manifest:
        """A ServiceEntry of any resolution, with endpoints of its own, a selector, or none."""
        # How several entries for one host share what round robin leaves of their endpoints is not worth following.
        resolution = self.weighted(STATIC=0.5, DNS=0.2, DNS_ROUND_ROBIN=0 if self.contested else 0.1, NONE=0.2)
        ports = []
        for number in self.some(SERVICE_PORTS, 2):
            protocol = self.pick(("HTTP", "TCP", "HTTPS", "GRPC"))
            port: Manifest = {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}
            if self.chance(0.2) and resolution != "NONE":
                port["targetPort"] = self.pick(TARGET_PORTS)
            ports.append(port)
        most = 2 if all(port["protocol"] != "TCP" for port in ports) else 1
        hosts = self.some(CONTESTED_HOSTS if self.contested else EXTERNAL_HOSTS, most)
        if resolution != "NONE":
            hosts = [host for host in hosts if "*" not in host] or [EXTERNAL_HOSTS[0]]
        if not self.contested:
            hosts = [f"{host[:-3]}{len(self.used)}.com" for host in hosts]
        spec: Manifest = {"hosts": hosts, "ports": ports, "resolution": resolution}
        self.hosts.extend((host, [int(port["number"]) for port in ports]) for host in hosts)
        self.addresses += 1
        if self.chance(0.5):
            spec["addresses"] = [self.claimed() or f"10.30.0.{self.addresses}"]
        if self.contested:
            spec["location"] = self.location
        elif self.chance(0.75):
            spec["location"] = self.pick(("MESH_INTERNAL", "MESH_INTERNAL", "MESH_EXTERNAL"))
        if resolution != "NONE":
            if self.chance(0.4):
                spec["workloadSelector"] = {"labels": self.labels()}
            elif resolution == "STATIC" or self.chance(0.5):
                spec["endpoints"] = [self.entry(ports, dns=resolution == "DNS") for _ in range(self.rnd.randint(1, 2))]
        elif not self.contested and self.chance(0.15):
            spec["workloadSelector"] = {"labels": self.labels()}
        if self.chance(0.25):
            spec["exportTo"] = [self.pick((".", "*", "n1", "n2"))]
        found = self.istio("ServiceEntry", space, spec)
        if self.contested:
            # Of equally old ones istiod takes any.
            found["metadata"]["creationTimestamp"] = f"2026-01-01T00:01:{self.addresses % 60:02}Z"
            found["metadata"].pop("labels", None)
        return found

    def claimed(self) -> str:
        """Mostly "", else an address that is a Service's or a pod's already."""
        pods = [pod["status"]["podIP"] for pod in self.pods if not pod["spec"].get("hostNetwork")]
        taken = self.cluster_ips if self.chance(0.8) else pods
        return str(self.pick(taken)) if taken and self.chance(0.25) else ""

    def entry(self, ports: list[Manifest], dns: bool = False) -> Manifest:
        """An endpoint that is no pod, or is said not to be."""
        address = f"198.51.100.{self.rnd.randint(1, 4)}"
        if self.pods and self.chance(0.4):
            address = str(self.pick(self.pods)["status"]["podIP"])
        found: Manifest = {"address": f"host{self.rnd.randint(1, 2)}.example.org" if dns else address}
        if self.chance(0.6):
            found["labels"] = self.labels()
            if self.chance(0.3):
                found["labels"]["security.istio.io/tlsMode"] = self.pick(("istio", "disabled"))
        if self.chance(0.3):
            found["serviceAccount"] = self.pick(("default", "vm"))
        if ports and self.chance(0.3):
            port = self.pick(ports)
            found["ports"] = {port["name"]: self.pick(TARGET_PORTS)}
        return found

    def workload_entry(self, space: str) -> Manifest:
        """A WorkloadEntry that Services and ServiceEntries may select."""
        named: list[Manifest] = [{"name": self.pick(("web", "http-80", "tcp-81", "data"))}]
        found = self.istio("WorkloadEntry", space, self.entry(named))
        found["spec"].setdefault("labels", self.labels())
        if self.chance(0.15):
            found["metadata"].setdefault("labels", {}).update(self.labels())
        return found

    def gateway(self, space: str) -> Manifest:
        """A Gateway for pods by their labels, or for Services that it names."""
        servers = [self.server(number) for number in self.some(SERVICE_PORTS, 3)]
        spec: Manifest = {"servers": [{**one, "name": f"s{place}"} for place, one in enumerate(servers)]}
        selector = self.weighted(ingress=0.7, app=0.2, all=0.1)
        if selector != "all":
            spec["selector"] = {"istio": "ingress"} if selector == "ingress" else {"app": self.pick(APPS)}
        found = self.istio("Gateway", space, spec)
        for one in spec["servers"]:
            port = one["port"]
            if port["protocol"] in ("TCP", "TLS"):
                self.passing.append((space, found["metadata"]["name"], port["number"], port["protocol"]))
        if self.chance(0.25):
            hosts = self.some([f"{name}.{space}.svc.cluster.local" for name in (*APPS, "svc")], 2)
            found["metadata"]["annotations"] = {"internal.istio.io/gateway-service": ",".join(hosts)}
        return found

    def server(self, number: int) -> Manifest:
        """A server of a Gateway. TCP and what is passed through listen only where VirtualServices have routes."""
        protocol = self.pick(("HTTP", "HTTP2", "GRPC", "HTTPS", "HTTPS", "HTTPS"))
        if self.chance(0.12):
            protocol = self.pick(("TCP", "TLS", "TLS"))
        hosts = [self.pick(("*", "*", f"{self.pick(SPACES)}/*", "www.example.com", "*.example.com"))]
        found: Manifest = {
            "port": {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol},
            "hosts": hosts,
        }
        if protocol in ("HTTPS", "TLS"):
            modes = ("SIMPLE", "MUTUAL", "ISTIO_MUTUAL", "ISTIO_MUTUAL")
            mode = self.pick(modes) if protocol == "HTTPS" else self.pick(("PASSTHROUGH", "PASSTHROUGH", *modes[1:3]))
            found["tls"] = {"mode": mode}
            if mode not in ("ISTIO_MUTUAL", "PASSTHROUGH"):
                found["tls"].update(serverCertificate="/cert", privateKey="/key", caCertificates="/ca")
        elif protocol != "TCP" and self.chance(0.3):
            found["tls"] = {"httpsRedirect": True}
        return found

    def kubernetes_gateway(self, space: str, managed: bool) -> list[Manifest]:
        """A Gateway of the Gateway API, for the Service that istiod would make for it or for Services that it names."""
        metadata = self.metadata("Gateway", space, ("k", "l"))
        name = metadata["name"]
        listeners = [
            {"name": f"l{place}", **self.listener(number)} for place, number in enumerate(self.some(SERVICE_PORTS, 3))
        ]
        spec: Manifest = {"gatewayClassName": "istio", "listeners": listeners}
        gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata, "spec": spec}
        if not managed:
            target = self.pick((*APPS, "svc"))
            host = f"{target}.{space}.svc.cluster.local" if self.chance(0.7) else target
            spec["addresses"] = [{"type": "Hostname", "value": host}]
            return [gateway]
        self.addresses += 1
        ports = [
            {
                "name": f"p-{item['port']}",
                "port": item["port"],
                "protocol": "TCP",
                "targetPort": item["port"] if self.chance(0.6) else self.pick(TARGET_PORTS),
            }
            for item in listeners
        ]
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self.metadata("Service", space, (f"{name}-istio",)),
            "spec": {"clusterIP": f"10.20.0.{self.addresses}", "ports": ports, "selector": {"istio": "ingress"}},
        }
        return [gateway, service]

    def listener(self, number: int) -> Manifest:
        """A listener of such a Gateway. Without Secrets its certificates are those of the mesh."""
        protocol = self.pick(("HTTP", "HTTPS"))
        found: Manifest = {"port": number, "protocol": protocol}
        if self.chance(0.3):
            found["hostname"] = "www.example.com"
        if protocol != "HTTP":
            mode = self.pick(("ISTIO_SIMPLE", "ISTIO_MUTUAL", "ISTIO_MUTUAL"))
            found["tls"] = {"mode": "Terminate", "options": {"gateway.istio.io/tls-terminate-mode": mode}}
        return found

    def ingress_objects(self, space: str) -> list[Manifest]:
        """An Ingress of Kubernetes, mostly of Istio's class, which may have an object of its own."""
        metadata = self.metadata("Ingress", space, ("i", "j"))
        service: Manifest = {"name": self.pick(APPS), "port": {"number": self.pick(SERVICE_PORTS)}}
        path: Manifest = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
        spec: Manifest = {"rules": [{"host": "www.example.com", "http": {"paths": [path]}}]}
        if self.chance(0.4):
            spec["tls"] = [{"hosts": ["www.example.com"], "secretName": "certificate"}]
        found = [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}]
        if self.chance(0.4):
            metadata["annotations"] = {"kubernetes.io/ingress.class": self.pick(("istio", "istio", "nginx"))}
        if self.chance(0.5):
            spec["ingressClassName"] = self.pick(("istio", "edge"))
            controller = self.pick(("istio.io/ingress-controller", "example.com/other"))
            class_metadata = {"name": "edge"}
            found.append(
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "IngressClass",
                    "metadata": class_metadata,
                    "spec": {"controller": controller},
                }
            )
        return found

    # --- policies ----------------------------------------------------------------------------------------------------

    def peer_authentication(self, space: str) -> Manifest:
        """A PeerAuthentication of any scope."""
        spec: Manifest = {}
        if self.chance(0.9):
            spec["mtls"] = {"mode": self.pick(MODES)} if self.chance(0.95) else {}
        if self.chance(0.55):
            spec["selector"] = {"matchLabels": self.labels()} if self.chance(0.9) else {"matchLabels": {}}
            if spec["selector"]["matchLabels"] and self.chance(0.5):
                spec["portLevelMtls"] = {
                    str(port): {"mode": self.pick(MODES)} if self.chance(0.9) else {}
                    for port in self.some((*TARGET_PORTS, 7777), 3)
                }
        return self.istio("PeerAuthentication", space, spec, "security")

    def tls(self, space: str) -> Manifest:
        """TLS settings of a client."""
        if self.chance(0.06):
            return {}
        mode = self.pick(("ISTIO_MUTUAL", "ISTIO_MUTUAL", *CLIENT_MODES))
        found: Manifest = {"mode": mode}
        if mode in ("SIMPLE", "MUTUAL") and self.chance(0.3):
            found["credentialName"] = self.pick(("secret", f"configmap://{space}/bundle"))
        elif mode == "MUTUAL":
            found.update(clientCertificate="/cert", privateKey="/key")
        return found

    def policy(self, space: str, ports: bool = True) -> Manifest:
        """A traffic policy; never an empty one, which validation refuses."""
        found: Manifest = {}
        if self.chance(0.6):
            found["tls"] = self.tls(space)
        if self.chance(0.2):
            found["loadBalancer"] = {"simple": self.pick(("PASSTHROUGH", "PASSTHROUGH", "ROUND_ROBIN"))}
        if ports and self.chance(0.4):
            found["portLevelSettings"] = [
                {"port": {"number": number}, **self.policy(space, ports=False)}
                for number in self.some(SERVICE_PORTS, 2)
            ]
        return found or {"connectionPool": {"tcp": {"maxConnections": 1}}}

    def destination_rule(self, space: str) -> Manifest:
        """A DestinationRule for a host, a short name or a wildcard."""
        target, home = self.pick((*APPS, "svc")), self.pick(self.spaces)
        host = self.weighted(short=0.2, full=0.4, space=0.1, svc=0.06, local=0.06, entry=0.12, star=0.03, half=0.03)
        names = {
            "short": target,
            "full": f"{target}.{home}.svc.cluster.local",
            "space": f"*.{home}.svc.cluster.local",
            "svc": "*.svc.cluster.local",
            "local": "*.local",
            "entry": self.pick(("*.example.com", "*.wild.example.com", *EXTERNAL_HOSTS)),
            "star": "*",
            "half": f"{target}.{home}",
        }
        spec: Manifest = {"host": names[host]}
        if self.chance(0.85):
            spec["trafficPolicy"] = self.policy(space)
        if self.chance(0.35):
            spec["subsets"] = [self.subset(space, name) for name in self.some(("v1", "v2"), 2)]
        if self.chance(0.18):
            spec["workloadSelector"] = {"matchLabels": self.labels()}
            if self.chance(0.3):
                spec["exportTo"] = ["."]
        elif self.chance(0.35):
            spec["exportTo"] = [self.pick((".", "*", "n1", "n2", self.root))]
            if spec["exportTo"] == ["n1"] and self.chance(0.4):
                spec["exportTo"].append("n2")
        return self.istio("DestinationRule", space, spec)

    def subset(self, space: str, name: str) -> Manifest:
        """A subset by version, or by nothing at all."""
        found: Manifest = {"name": name}
        if self.chance(0.9):
            found["labels"] = {"version": name}
        if self.chance(0.6):
            found["trafficPolicy"] = self.policy(space)
        return found

    # --- routes ------------------------------------------------------------------------------------------------------

    def virtual_service(self, space: str) -> Manifest:
        """A VirtualService for hosts that exist, for sidecars, for gateways or for both."""
        host, ports = self.pick(self.hosts)
        home = f".{space}.svc.cluster.local"
        name = host[: -len(home)] if host.endswith(home) and self.chance(0.2) else host
        spec: Manifest = {"hosts": [name]}
        if self.chance(0.15):
            spec["hosts"] += [other for other, dummy in [self.pick(self.hosts)] if other != host]
        if self.chance(0.05) and "*" not in host:
            spec["hosts"] = [f"*.{host.partition('.')[2]}"]
        kind = self.weighted(http=0.75, tcp=0.25)
        spec[kind] = [self.http_route(ports) if kind == "http" else self.tcp_route(ports) for _ in self.some((1, 2), 2)]
        passing = [item for item in self.passing if self.chance(0.7)]
        if passing:
            space, gateway, port, protocol = self.pick(passing)
            match: Manifest = {"port": port} if protocol == "TCP" else {"port": port, "sniHosts": ["www.example.com"]}
            route = {"match": [match], "route": self.destinations(1)}
            spec = {
                "hosts": ["www.example.com"],
                "gateways": [f"{space}/{gateway}"],
                "tcp" if protocol == "TCP" else "tls": [route],
            }
        elif self.chance(0.25):
            spec["gateways"] = self.pick((["mesh"], [f"{space}/p"], ["mesh", f"{space}/p"]))
        if self.chance(0.3):
            spec["exportTo"] = [self.pick((".", "*", "n1", "n2"))]
        return self.istio("VirtualService", space, spec)

    def http_route(self, ports: list[int]) -> Manifest:
        """A route for requests: for all, or for those that match."""
        found: Manifest = {}
        if self.chance(0.5):
            matches: tuple[Manifest, ...] = (
                {"uri": {"prefix": "/a"}},
                {"headers": {"x": {"exact": "y"}}},
                {"port": self.pick(SERVICE_PORTS), "uri": {"prefix": "/a"}},
            )
            found["match"] = self.some(matches, 2) if self.chance(0.7) else [{"port": self.pick(ports)}]
        if self.chance(0.06):
            return {**found, "redirect": {"uri": "/elsewhere"}}
        found["route"] = self.destinations(2)
        if self.chance(0.15):
            found["mirror"] = self.destination()
        return found

    def tcp_route(self, ports: list[int]) -> Manifest:
        """A route for connections."""
        found: Manifest = {"route": self.destinations(2)}
        if self.chance(0.4):
            found["match"] = [{"port": self.pick(ports)}]
        return found

    def destinations(self, most: int) -> list[Manifest]:
        """One destination, or several with weights."""
        number = self.rnd.randint(1, most)
        if number == 1:
            return [{"destination": self.destination()}]
        return [{"destination": self.destination(), "weight": weight} for weight in ((50, 50) if number == 2 else ())]

    def destination(self) -> Manifest:
        """A host that exists, mostly with one of its ports, sometimes a subset of it."""
        host, ports = self.pick([item for item in self.hosts if "*" not in item[0]] or self.hosts)
        found: Manifest = {"host": host}
        if len(ports) > 1 or self.chance(0.7):
            found["port"] = {"number": self.pick(ports)}
        if self.chance(0.15):
            found["subset"] = self.pick(("v1", "v2"))
        return found

    def envoy_filter(self, space: str) -> Manifest:
        """An EnvoyFilter that takes clusters or their TLS, sets a time, or adds a cluster."""
        context = self.pick(("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"))
        raw: Manifest = {
            "transport_socket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
                },
            }
        }
        operation, value = self.pick(
            (("REMOVE", {}), ("REMOVE", {}), ("MERGE", raw), ("MERGE", {"connect_timeout": "1s"}), ("REPLACE", raw))
        )
        match: Manifest = {"context": context}
        kind = self.pick(("CLUSTER", "CLUSTER", "CLUSTER", "FILTER_CHAIN"))
        host = f"{self.pick((*APPS, 'svc'))}.{self.pick(self.spaces)}.svc.cluster.local"
        number = self.pick(SERVICE_PORTS)
        if kind == "FILTER_CHAIN":
            # The simulation of listeners does not stand chains that are gone or have lost their TLS.
            operation, value = "MERGE", {"transport_socket_connect_timeout": "1s"}
            if self.chance(0.6):
                match["listener"] = {"portNumber": number}
        elif self.chance(0.2):
            operation, value = "ADD", {"name": "beside", "type": "STATIC", "connect_timeout": "1s"}
        else:
            match["cluster"] = self.pick(
                (
                    {"service": host},
                    {"service": host},
                    {"service": host},
                    {"service": host, "portNumber": number},
                    {"service": host, "subset": "v1"},
                    {"portNumber": number},
                    {"subset": "v1"},
                    {"name": f"outbound|{number}|{self.pick(('', 'v1'))}|{host}"},
                    {"name": f"inbound|{number}||"},
                    {"name": "beside"},
                )
            )
        change: Manifest = {"operation": operation, **({"value": value} if value else {})}
        spec: Manifest = {"configPatches": [{"applyTo": kind, "match": match, "patch": change}]}
        if self.chance(0.4):
            spec["workloadSelector"] = {"labels": self.labels()}
        found = self.istio("EnvoyFilter", space, spec)
        found["apiVersion"] = "networking.istio.io/v1alpha3"
        return found

    def sidecar(self, space: str) -> Manifest:
        """A Sidecar: what its workloads import, and what they listen to."""
        spec: Manifest = {}
        if self.chance(0.35):
            spec["workloadSelector"] = {"labels": self.labels()}
        if self.chance(0.85):
            # All but the last must have a port.
            ports = self.rnd.sample(SERVICE_PORTS, self.rnd.randint(0, 2))
            spec["egress"] = [self.egress(number) for number in ports]
            if not ports or self.chance(0.6):
                spec["egress"].append(self.egress(None))
        if "egress" not in spec or self.chance(0.35):
            spec["outboundTrafficPolicy"] = {"mode": self.pick(("REGISTRY_ONLY", "ALLOW_ANY"))}
        if self.chance(0.25):
            spec["ingress"] = [self.ingress(number) for number in self.some(TARGET_PORTS, 2)]
        return self.istio("Sidecar", space, spec)

    def egress(self, number: int | None) -> Manifest:
        """An egress listener."""
        home, target = self.pick(self.spaces), self.pick((*APPS, "svc"))
        hosts = (
            "*/*",
            "./*",
            "./*",
            f"{home}/*",
            f"{home}/{target}.{home}.svc.cluster.local",
            f"*/{target}.{home}.svc.cluster.local",
            f"./{target}.{home}.svc.cluster.local",
            f"*/*.{home}.svc.cluster.local",
            "*/*.example.com",
            "~/*",
            f"{home}/*.cluster.local",
            f"~{home}/{target}.{home}.svc.cluster.local",
            f"~*/*.{home}.svc.cluster.local",
        )
        found: Manifest = {"hosts": self.some(hosts, 4)}
        other = () if self.routed else ("HTTP_PROXY",)
        if "~/*" in found["hosts"]:
            found["hosts"] = ["~/*"]
        if number is not None:
            protocol = self.pick(("HTTP", "TCP", *(("", "TLS") if self.chance(0.2) else ()), *other))
            found["port"] = {"number": number, "name": f"port-{number}", "protocol": protocol}
            if protocol == "HTTP_PROXY":
                found["bind"] = "127.0.0.1"
        return found

    def ingress(self, number: int) -> Manifest:
        """An ingress listener."""
        protocol = self.pick(("HTTP", "TCP"))
        return {
            "port": {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol},
            "defaultEndpoint": f"127.0.0.1:{self.pick(TARGET_PORTS)}",
        }
