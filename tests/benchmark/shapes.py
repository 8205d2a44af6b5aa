"""How the engine's time grows with shapes that real meshes have: four times the namespaces, in processor seconds.

`python -m tests.benchmark.shapes` alone needs no cluster.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._policy import Reader, judge

from tests.benchmark.progress import Progress

Manifest = dict[str, Any]
SMALL, BIG = 50, 200
HOST = "api.example.com"
LINEAR = 5.0
"""Four times, and what a noisy machine adds."""


def _object(api: str, kind: str, where: str, spec: Manifest, age: int = 0, **metadata: Any) -> Manifest:
    namespace, name = where.split("/")
    time_of = f"2026-01-01T{age // 3600:02}:{age // 60 % 60:02}:{age % 60:02}Z"
    known = {"namespace": namespace, "name": name, "creationTimestamp": time_of, **metadata}
    return {"apiVersion": api, "kind": kind, "metadata": known, "spec": spec}


def _istio(kind: str, where: str, spec: Manifest, age: int = 0) -> Manifest:
    return _object("networking.istio.io/v1", kind, where, spec, age)


def _address(number: int) -> str:
    return f"10.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def _pod(where: str, number: int) -> Manifest:
    name = where.split("/")[1]
    proxy = {"name": "istio-proxy", "args": ["proxy", "sidecar"]}
    found = _object(
        "v1",
        "Pod",
        where,
        {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}, proxy]},
        labels={"app": name, "security.istio.io/tlsMode": "istio"},
        annotations={"sidecar.istio.io/status": '{"revision": "default"}'},
    )
    return {**found, "status": {"phase": "Running", "podIP": _address(number)}}


def _namespaces(number: int) -> Iterator[Manifest]:
    """A pod and a Service in each."""
    mesh = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "istio-system", "name": "istio"}}
    yield {**mesh, "data": {"mesh": "{}"}}
    for place in range(number):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{place}"}}
        yield _pod(f"n{place}/a", place)
        address, ports = f"10.96.{place // 250}.{place % 250 + 1}", [{"name": "http", "port": 80, "targetPort": 8080}]
        spec = {"clusterIP": address, "selector": {"app": "a"}, "ports": ports}
        yield _object("v1", "Service", f"n{place}/a", spec)


def _entry(where: str, age: int, host: str = HOST) -> Manifest:
    ports = [{"number": 443, "name": "https", "protocol": "HTTPS"}]
    return _istio("ServiceEntry", where, {"hosts": [host], "ports": ports, "resolution": "DNS"}, age)


def _rule(where: str, age: int, host: str) -> Manifest:
    return _istio("DestinationRule", where, {"host": host, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}, age)


def _gateway(where: str, age: int) -> Manifest:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [f"h{age}.example.com"]}
    return _istio("Gateway", where, {"selector": {"app": "a"}, "servers": [server]}, age)


def _sidecar(number: int, place: int) -> Manifest:
    hosts = ["./*", "istio-system/*", f"n{(place + 1) % number}/*"]
    return _istio("Sidecar", f"n{place}/default", {"egress": [{"hosts": hosts}]}, place)


def _routes(where: str, age: int) -> Manifest:
    route = [{"destination": {"host": "a"}}]
    return _istio("VirtualService", where, {"hosts": ["a"], "http": [{"route": route}]}, age)


def _slices(number: int) -> Iterator[Manifest]:
    """One Service, whose slices of 1,000 addresses name pods."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    yield _object("v1", "Service", "n0/big", {"clusterIP": "10.96.200.1", "ports": ports})
    for first in range(0, number, 1000):
        numbers = range(first, min(first + 1000, number))
        yield from (_pod(f"n0/s{place}", 1000 + place) for place in numbers)
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "n0",
                "name": f"big-{first}",
                "labels": {"kubernetes.io/service-name": "big"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [
                {
                    "addresses": [_address(1000 + place)],
                    "targetRef": {"kind": "Pod", "namespace": "n0", "name": f"s{place}"},
                }
                for place in numbers
            ],
        }


def _with_peers(number: int) -> Iterator[Manifest]:
    """Pods and PeerAuthentications of one namespace, each for one of them."""
    for place in range(number):
        yield _pod(f"n0/p{place}", 1000 + place)
        spec = {"selector": {"matchLabels": {"app": f"p{place}"}}, "mtls": {"mode": "STRICT"}}
        yield _object("security.istio.io/v1", "PeerAuthentication", f"n0/p{place}", spec, place)


def _with_patches(number: int) -> Iterator[Manifest]:
    """One EnvoyFilter with a patch for each of many hosts, for many pods."""
    socket = {"operation": "MERGE", "value": {"transport_socket": {"name": "x"}}}
    found = [
        {
            "applyTo": "CLUSTER",
            "match": {"context": "SIDECAR_OUTBOUND", "cluster": {"service": f"h{place}.example.com"}},
            "patch": socket,
        }
        for place in range(number)
    ]
    yield _istio("EnvoyFilter", "n0/f", {"configPatches": found})
    for place in range(number):
        yield _pod(f"n0/p{place}", 1000 + place)
        yield _entry(f"n0/e{place}", place, f"h{place}.example.com")


def _with_patterns(number: int) -> Iterator[Manifest]:
    """A Sidecar with many patterns, and a host for each."""
    hosts = [f"*/*.h{place}.example.com" for place in range(number)]
    yield _istio("Sidecar", "n0/default", {"egress": [{"hosts": hosts}]})
    yield from (_entry(f"n1/e{place}", place, f"x.h{place}.example.com") for place in range(number))


def _sidecars_of_pods(number: int) -> Iterator[Manifest]:
    """Pods with a Sidecar each that names the two hosts which they use, of which one is an alias."""
    for place in range(number):
        yield _pod(f"n0/p{place}", 1000 + place)
        yield _object(
            "v1", "Service", f"n0/s{place}", {"type": "ExternalName", "externalName": f"h{place}.example.com"}
        )
        yield _entry(f"n0/e{place}", place, f"h{place}.example.com")
        hosts = [f"./h{place}.example.com", f"./s{place}.n0.svc.cluster.local"]
        spec = {"workloadSelector": {"labels": {"app": f"p{place}"}}, "egress": [{"hosts": hosts}]}
        yield _istio("Sidecar", f"n0/p{place}", spec, place)


def _claims(number: int) -> Iterator[Manifest]:
    """ServiceEntries with one address and port, of which every other one has an answer of its own."""
    for place in range(number):
        ports = [{"number": 443, "name": "tcp", "protocol": "TCP"}]
        spec = {"hosts": [f"h{place}.example.com"], "addresses": ["240.0.0.1"], "ports": ports, "resolution": "DNS"}
        yield _istio("ServiceEntry", f"n0/e{place}", spec, place)
        if place % 2:
            yield _rule(f"n0/r{place}", place, f"h{place}.example.com")


def _headless(number: int) -> Iterator[Manifest]:
    """Headless Services over one pod and port."""
    ports = [{"name": "tcp", "port": 80, "targetPort": 8080}]
    spec = {"clusterIP": "None", "selector": {"app": "a"}, "ports": ports}
    return (_object("v1", "Service", f"n0/h{place}", spec, place) for place in range(number))


def _workload_entries(number: int) -> Iterator[Manifest]:
    """ServiceEntries, each with one of as many WorkloadEntries."""
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    for place in range(number):
        labels = {"app": f"vm{place}", "tier": "vm"}
        yield _istio("WorkloadEntry", f"n0/w{place}", {"address": _address(1000 + place), "labels": labels})
        spec = {"hosts": [f"h{place}.example.com"], "workloadSelector": {"labels": labels}, "ports": ports}
        yield _istio("ServiceEntry", f"n0/e{place}", {**spec, "resolution": "STATIC"}, place)


def _multiplied(number: int) -> Iterator[Manifest]:
    """Objects of which each goes with each: ServiceEntries' hosts, ports and addresses, and subsets for ports."""
    numbers = range(256)
    ports = [{"number": 1000 + place, "name": f"p{place}", "protocol": "TCP"} for place in numbers]
    service_ports = [{"name": f"p{place}", "port": 1000 + place, "targetPort": 8080} for place in numbers]
    subsets = [{"name": f"v{place}", "labels": {"version": str(place)}} for place in numbers]
    for one in range(number):
        hosts, addresses = [f"h{place}.{one}.example.com" for place in numbers], [f"240.1.{one}.1"]
        spec = {"hosts": hosts, "addresses": addresses, "ports": ports, "resolution": "DNS"}
        yield _istio("ServiceEntry", f"n0/e{one}", spec, one)
        yield _object("v1", "Service", f"n0/s{one}", {"selector": {"app": "a"}, "ports": service_ports})
        yield _istio("DestinationRule", f"n0/r{one}", {"host": f"s{one}", "subsets": subsets})


SHAPES: dict[str, Callable[[int], Iterator[Manifest]]] = {
    "shared_hosts": lambda n: (_entry(f"n{place}/e", place) for place in range(n)),
    "shared_hosts_with_rules": lambda n: (
        manifest for place in range(n) for manifest in (_entry(f"n{place}/e", place), _rule(f"n{place}/r", place, HOST))
    ),
    "service_entries": lambda n: (_entry(f"n0/e{place}", place, f"h{place}.example.com") for place in range(10 * n)),
    "destination_rules_in_one_namespace": lambda n: (
        _rule(f"n0/r{place}", place, f"h{place}.example.com") for place in range(25 * n)
    ),
    "one_sidecar_per_namespace": lambda n: (_sidecar(n, place) for place in range(n)),
    "virtual_services": lambda n: (_routes(f"n{place}/v", place) for place in range(n)),
    "gateways_on_one_gateway": lambda n: (_gateway(f"n0/g{place}", place) for place in range(5 * n)),
    "endpoint_slices": lambda n: _slices(20 * n),
    "peer_authentications_with_selectors": lambda n: _with_peers(4 * n),
    "envoy_filter_patches": lambda n: _with_patches(4 * n),
    "patterns_of_one_sidecar": lambda n: _with_patterns(10 * n),
    "sidecars_of_single_workloads": lambda n: _sidecars_of_pods(2 * n),
    "claims_of_one_address": lambda n: _claims(4 * n),
    "headless_services_over_one_pod": lambda n: _headless(4 * n),
    "workload_entries": lambda n: _workload_entries(6 * n),
    "multiplied": lambda n: _multiplied(n // 25),
}


def figures(repeat: int, progress: Progress) -> dict[str, float]:
    """`<shape>_200_over_50`: the middle of the times for 200 namespaces over that for 50, taken in turns."""
    found: dict[str, float] = {}
    for name, shape in SHAPES.items():
        with progress.step(f"the shape {name.replace('_', ' ')}"):
            times: dict[int, list[float]] = {SMALL: [], BIG: []}
            for dummy in range(repeat):
                for number, measured in times.items():
                    measured.append(_seconds([*_namespaces(number), *shape(number)]))
        found[f"{name}_{BIG}_over_{SMALL}"] = statistics.median(times[BIG]) / statistics.median(times[SMALL])
    return found


TO_REACH = {f"{name}_{BIG}_over_{SMALL}": LINEAR for name in SHAPES}


def _seconds(manifests: list[Manifest]) -> float:
    """Of reading and judging, as modules do it: written out, sets of clients alone would grow with the square."""
    started = time.process_time()
    reader = Reader()
    reader.add(manifests)
    judge(reader, compact=True)
    return time.process_time() - started


if __name__ == "__main__":
    for title, value in figures(5, Progress()).items():
        print(f"{title} {value:.1f} ratio, to reach: at most {TO_REACH[title]}")
