# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the engine's answers with what Istio's own code would configure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from plugins.module_utils._policy import evaluate

from .referee import UNNAMED_PORT, proxies

Manifest = dict[str, Any]


class Dial(NamedTuple):
    """What a client's proxy is asked for."""

    client: str
    host: str
    port: int
    subset: str | None

    def __str__(self) -> str:
        subset = f" subset {self.subset}" if self.subset else ""
        return f"{self.client} → {self.host}:{self.port}{subset}"


class Met(NamedTuple):
    """What is sent, and how that ends."""

    tls: str
    verdict: str


Rows = dict[str | None, Met]


class Difference(NamedTuple):
    """One disagreement."""

    what: str
    istio: Any
    engine: Any


class Result(NamedTuple):
    """A comparison: what differs, and how much was compared."""

    differences: list[Difference]
    modes: int
    edges: int


# Of two answers for one endpoint the worse one counts, as the contract of evaluate() has it.
ANY = "any"
_ORDER = ("unknown", "plaintext", "broken", "tls", "mtls")


def compare(manifests: list[Manifest], answer: dict[str, Any]) -> Result:
    """Runs the engine over what Istio's validation lets through and compares every port and edge."""
    kept = [item for item in manifests if _name(item) not in answer["rejected"]]
    result = evaluate(kept)
    world = _World(kept, answer, result)
    modes = [*world.modes(), *world.gateways()]
    edges = list(world.edges())
    patched = any(item["kind"] == "EnvoyFilter" for item in kept)
    differences = [item for item in (*modes, *edges) if not (_agree(item) or (patched and _doubts(item.engine)))]
    return Result(differences, len(modes), len(edges))


def _agree(item: Difference) -> bool:
    """Equal, but for verdicts that the referee leaves open."""
    if isinstance(item.istio, Met) and isinstance(item.engine, Met):
        verdicts = item.istio.verdict.split("|")
        return item.engine.tls in item.istio.tls.split("|") and (ANY in verdicts or item.engine.verdict in verdicts)
    return bool(item.istio == item.engine)


def _doubts(answer: Any) -> bool:
    """Whether the engine says that it cannot tell, as it does about whatever an EnvoyFilter may have changed."""
    return answer == "unknown" or (isinstance(answer, tuple) and "unknown" in answer)


def _name(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


class _World:
    """One scenario with both answers."""

    def __init__(self, manifests: list[Manifest], answer: dict[str, Any], result: dict[str, Any]) -> None:
        self.manifests = manifests
        self.istio: dict[str, Any] = answer["proxies"]
        self.result = result
        self.proxies = {f"{item['namespace']}/{item['name']}": item for item in proxies(manifests)}
        self.pods = {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": item
            for item in manifests
            if item["kind"] == "Pod"
        }
        self.pod_of_address = {
            pod["status"]["podIP"]: name for name, pod in self.pods.items() if not pod["spec"].get("hostNetwork")
        }
        # Pods on the host's network go by the node's address: an entry with that address may mean any of them.
        self.hosts = {
            name: str(pod["status"]["podIP"]) for name, pod in self.pods.items() if pod["spec"].get("hostNetwork")
        }
        self.workload_of_pod = {
            f"{workload['namespace']}/{pod}": workload for workload in result["workloads"] for pod in workload["pods"]
        }
        # What a row of the engine's says is true of all pods of a workload.
        self.serves: dict[str, dict[int, set[str]]] = defaultdict(dict)
        for name, proxy in self.istio.items():
            workload = self.workload_of_pod[name]["id"]
            for port, offers in proxy["serves"].items():
                self.serves[workload].setdefault(int(port), set()).update(offers)
        self.rivals = _rivals(manifests)
        self.domains = dict(_trust_domains(manifests))
        self.named = Counter(_hosts(manifests))
        self.addresses: dict[str, set[str]] = defaultdict(set)
        self.claims: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for host, address, ports in _claims(manifests, self.pods):
            self.addresses[host].add(address)
            self.claims[address][host].update(ports)
        self.headless = {
            _service_host(item)
            for item in manifests
            if item["kind"] == "Service" and item["spec"].get("clusterIP") == "None"
        }

    # --- servers -----------------------------------------------------------------------------------------------------

    def modes(self) -> Iterator[Difference]:
        """Every port of every sidecar, and a port that nothing names."""
        for name, proxy in self.proxies.items():
            if proxy["type"] != "sidecar":
                continue
            workload = self.workload_of_pod[name]
            inbound = self.istio[name]["inbound"]
            yield Difference(f"mode of {name}", _mode(inbound[str(UNNAMED_PORT)]), workload["mode"])
            for port in workload["ports"]:
                accepts = inbound[str(port["port"])]
                yield Difference(
                    f"mode of {name} port {port['port']}",
                    (_mode(accepts), "accepted" if accepts["plaintext"] else "refused"),
                    (port["mode"], port["plaintext"]),
                )

    def gateways(self) -> Iterator[Difference]:
        """Every port of every gateway, and those that only Istio opens."""
        for workload in self.result["workloads"]:
            if workload["mesh"] == "gateway":
                serves = self.serves[workload["id"]]
                rows = {port["port"]: port["plaintext"] for port in workload["ports"]}
                for port in sorted({*serves, *rows}):
                    expected = "accepted" if "plaintext" in serves.get(port, ()) else "refused"
                    yield Difference(f"gateway {workload['id']} port {port}", expected, rows.get(port))

    # --- clients -----------------------------------------------------------------------------------------------------

    def edges(self) -> Iterator[Difference]:
        """Every client with a proxy against every destination, and the verdict of every client without one."""
        engine, bare = self._engine()
        dials = dict.fromkeys(engine)
        for client in self.proxies:
            for cluster in self.istio[client]["clusters"]:
                dummy, port, subset, host = cluster.split("|")
                dials.setdefault(Dial(client, host, int(port), subset or None))
            dials.update((Dial(client, host, port, None), None) for host, port in self._destinations())
        for dial in dials:
            found = engine.get(dial, {})
            expected = self._expected(dial, found)
            if not found and not expected:
                yield Difference(f"{dial}", "not configured", "not mentioned")
            shared = self._sharers(dial)
            for endpoint in dict.fromkeys((*expected, *found)):
                met = found.get(endpoint)
                if shared and met is not None and met.verdict == "unknown":
                    continue
                if self._aside(dial) and (met is None or met.verdict == "unknown"):
                    continue
                if shared:
                    yield from self._taken(dial, endpoint, met, shared)
                if not self._leads_on(endpoint, expected, found):
                    yield Difference(f"{dial} at {endpoint}", expected.get(endpoint), met)
        for (host, port, endpoint), verdict in bare.items():
            unproxied = self._unproxied(host, port, endpoint)
            if unproxied is not None:
                yield Difference(f"client without proxy → {host}:{port} at {endpoint}", unproxied, verdict)

    def _aside(self, dial: Dial) -> bool:
        """Whether the client's Sidecar may have listeners that only a proxy's own address leads to."""
        home = dial.client.partition("/")[0]
        return any(
            item["kind"] == "Sidecar"
            and (item["metadata"]["namespace"] == home or "workloadSelector" not in item["spec"])
            and any("bind" in listener for listener in item["spec"].get("egress", ()))
            for item in self.manifests
        )

    def _sharers(self, dial: Dial) -> list[str]:
        """The addresses of a sidecar's destination that another one claims with the same port."""
        if self.proxies[dial.client]["type"] != "sidecar":
            return []
        return [
            address
            for address in self.addresses.get(dial.host, ())
            if any(
                dial.port in ports and not {host, dial.host} <= self.headless
                for host, ports in self.claims[address].items()
                if host != dial.host
            )
        ]

    def _taken(self, dial: Dial, endpoint: str | None, met: Met | None, addresses: list[str]) -> Iterator[Difference]:
        """Whoever else's listener takes the connection at one of the addresses, sends what the engine says.

        Where the engine says that it cannot tell, it need not. What a headless Service shares is seen through its
        listeners.
        """
        if dial.subset is not None or dial.host in self.headless or self.named[dial.host] > 1:
            return
        proxy = self.istio[dial.client]
        own = f"outbound|{dial.port}||{dial.host}"
        for address in addresses:
            name = proxy["listeners"].get(f"{address}:{dial.port}")
            if own in proxy["clusters"] and name in proxy["clusters"] and name != own:
                other = Dial(dial.client, name.split("|")[3], dial.port, None)
                rows = self._expected(other, {})
                reached = (rows[endpoint],) if endpoint in rows else tuple(sorted(set(rows.values())))
                if not all(one.tls == (met and met.tls) for one in reached):
                    yield Difference(f"{dial} at {endpoint}, taken by {other.host}", reached, met)

    def _leads_on(self, endpoint: str | None, expected: Rows, found: Rows) -> bool:
        """Whether Istio names an address which the engine follows to the pods behind it, or such a pod.

        Only that the same is sent there can be compared.
        """
        followed = {
            met.tls for place, met in expected.items() if str(place).startswith("addr/") and place not in found and met
        }
        reached = {met.tls for place, met in found.items() if place not in expected and met}
        return bool(followed) and followed == reached and (endpoint not in expected or endpoint not in found)

    def _destinations(self) -> Iterator[tuple[str, int]]:
        """Everything that clients can dial, known to their proxies or not."""
        for manifest in self.manifests:
            spec = manifest.get("spec", {})
            hosts, number = [], "port"
            if manifest["kind"] == "Service" and spec.get("type") != "ExternalName":
                hosts = [_service_host(manifest)]
            elif manifest["kind"] == "ServiceEntry":
                hosts, number = spec["hosts"], "number"
            for port in spec["ports"] if hosts else ():
                if port["protocol"] != "UDP":
                    yield from ((host, port[number]) for host in hosts)

    def _engine(self) -> tuple[dict[Dial, Rows], dict[tuple[str, int, str | None], str]]:
        """The engine's edges, by client pod; and those of clients without proxy."""
        rows: dict[Dial, Rows] = defaultdict(dict)
        bare: dict[tuple[str, int, str | None], str] = {}
        workloads = {workload["id"]: workload for workload in self.result["workloads"]}
        hosts: dict[str, list[str]] = defaultdict(list)
        for pod, address in self.hosts.items():
            hosts[self.workload_of_pod[pod]["id"]].append(f"addr/{address}")
        aliases = {
            (f"{item['metadata']['namespace']}/{item['metadata']['name']}", _service_host(item))
            for item in self.manifests
            if item["kind"] == "Service" and item["spec"].get("type") == "ExternalName"
        }
        for edge in self.result["edges"]:
            if (edge["service"], edge["host"]) in aliases:
                continue  # the rows of what it stands for, which are compared; Istio has no cluster for it
            endpoints = hosts.get(edge["endpoint"], [edge["endpoint"]])
            for member in self.result["client_sets"][edge["clients"]]:
                workload = workloads[member]
                if workload["mesh"] == "none":
                    bare.update({(edge["host"], edge["port"], endpoint): edge["verdict"] for endpoint in endpoints})
                for pod in workload["pods"]:
                    client = f"{workload['namespace']}/{pod}"
                    if client not in self.proxies:
                        continue
                    found = rows[Dial(client, edge["host"], edge["port"], edge["subset"])]
                    for endpoint in endpoints:
                        found[endpoint] = _worse(found.get(endpoint), Met(edge["client_tls"], edge["verdict"]))
        return rows, bare

    def _expected(self, dial: Dial, engine: Rows) -> Rows:
        """What Istio's configuration does; which endpoints a host has that the proxy does not know, says the engine."""
        proxy = self.istio[dial.client]
        cluster = proxy["clusters"].get(f"outbound|{dial.port}|{dial.subset or ''}|{dial.host}")
        if cluster is None:
            if dial.subset is not None:
                return {}
            if proxy["unmatched"] == "blocked":
                return dict.fromkeys(engine, Met("none", "broken"))
            return {
                endpoint: Met("none", self._unproxied(dial.host, dial.port, endpoint) or ANY) for endpoint in engine
            }
        found: dict[str | None, Met] = {}
        for endpoint in cluster["endpoints"] or ():
            place = self._place(endpoint["address"])
            port = endpoint["port"]
            taken, sent = cluster, endpoint["tls"]
            if cluster["type"] == "ORIGINAL_DST" and dial.host in self.headless:
                port = dial.port
                if place in engine and self._is_left_out(dial, endpoint["address"]):
                    found[place] = engine[place]
                    continue
                taken, sent = self._through_listener(proxy, dial, cluster, endpoint)
            met = Met(sent, self._verdict(dial.client, taken, sent, endpoint["address"], port))
            found[place] = _worse(found.get(place), met)
        sent = "mtls" if cluster["auto"] else cluster["any"]
        dialled = engine.keys() - {None}
        if cluster["type"] == "ORIGINAL_DST" and dialled - found.keys() == dialled and dialled:
            # Clients dial addresses of which istiod knows nothing.
            return dict.fromkeys(engine, Met(sent, ANY))
        return found or {None: Met(sent, "broken")}

    def _through_listener(self, proxy: Any, dial: Dial, own: Any, endpoint: Any) -> tuple[Any, str]:
        """The cluster that the listener for a pod's address leads to, maybe another Service's, and what it sends."""
        name = proxy["listeners"].get(f"{endpoint['address']}:{dial.port}")
        if dial.subset is not None or name not in proxy["clusters"]:
            return own, endpoint["tls"]
        cluster = proxy["clusters"][name]
        same = [item["tls"] for item in cluster["endpoints"] or () if item["address"] == endpoint["address"]]
        return cluster, same[0] if same else cluster["any"]

    def _is_left_out(self, dial: Dial, address: str) -> bool:
        """Several headless Services at an address for which a pod has no listener, its own, or that is a node's.

        Other pods of the client's workload have one, and a row is for them all.
        """
        if self.pod_of_address.get(address) != dial.client and address not in self.hosts.values():
            return False
        dummy, port, subset, own = f"outbound|{dial.port}||{dial.host}".split("|")
        return any(
            name.split("|")[1:3] == [port, subset]
            and name.split("|")[3] in self.headless - {own}
            and any(endpoint["address"] == address for endpoint in cluster["endpoints"] or ())
            for name, cluster in self.istio[dial.client]["clusters"].items()
        )

    def _place(self, address: str) -> str:
        """The engine's name of an endpoint."""
        pod = self.pod_of_address.get(address)
        if pod is not None:
            return str(self.workload_of_pod[pod]["id"])
        return f"addr/{address}"

    def _verdict(self, client: str, cluster: Any, sent: str, address: str, port: int) -> str:
        """What is sent meets what the server's listener accepts."""
        server = self.pod_of_address.get(address, "")
        if not server:
            # What listens at an address that is no pod's, istiod does not know either.
            return ANY
        if cluster["type"] == "ORIGINAL_DST" and self.proxies[client]["type"] != "sidecar":
            # A gateway's connections have no original destination to go to.
            return ANY
        if server not in self.proxies:
            return {"plaintext": "plaintext", "mtls": "broken"}.get(sent, "tls")
        if self.proxies[server]["type"] != "sidecar":
            found = self._at_gateway(server, port, sent)
            trusted = self._trusted(client, server, {"trusts": ()}, cluster)
            return found if trusted else found.replace("mtls", "broken")
        accepts = self.istio[server]["inbound"][str(port)]
        if sent == "plaintext":
            return "plaintext" if accepts["plaintext"] else "broken"
        if sent == "mtls":
            return "mtls" if accepts["mtls"] and self._trusted(client, server, accepts, cluster) else "broken"
        return "tls" if accepts["tls"] else "broken"

    def _at_gateway(self, server: str, port: int, sent: str) -> str:
        """What is sent meets the servers of Gateways. Which of several with TLS, depends on names that the engine does
        not know."""
        serves = self.serves[self.workload_of_pod[server]["id"]].get(port, set())
        offers = {offer.partition(":")[0] for offer in serves}
        if sent == "plaintext":
            return "plaintext" if "plaintext" in offers else "tls" if "tls" in offers else "broken"
        met = sent if sent == "mtls" else "tls"
        verdict = met if met in offers else "broken"
        return f"{verdict}|unknown" if len(self.rivals.get(port, ())) > 1 or "mtls:named" in serves else verdict

    def _trusted(self, client: str, server: str, accepts: Any, cluster: Any) -> bool:
        """Whether the server accepts the client's trust domain, and the client the server's."""
        mine, theirs = (
            f"spiffe://{self.domains.get(self.proxies[name]['revision'], 'cluster.local')}/"
            for name in (client, server)
        )
        wanted = cluster["identities"] or ()
        return (not accepts["trusts"] or mine in accepts["trusts"]) and (
            not wanted or any(name.startswith(theirs) for name in wanted)
        )

    def _unproxied(self, host: str, port: int, endpoint: str | None) -> str | None:
        """The verdict of plaintext, None where the port that is met depends on what was not asked."""
        if endpoint is None:
            return "broken"
        if self.named[host] > 1:  # a Service and a ServiceEntry with ports of their own: DNS says which is met
            return None
        pods = [name for name, workload in self.workload_of_pod.items() if workload["id"] == endpoint]
        if not pods:
            return None
        if pods[0] not in self.proxies:
            return "plaintext"
        targets = {port} if host in self.headless else self._targets(host, port, pods[0])
        if self.proxies[pods[0]]["type"] != "sidecar":
            verdicts = {self._at_gateway(pods[0], target, "plaintext") for target in targets}
            return verdicts.pop() if len(verdicts) == 1 else None
        verdicts = {
            "plaintext" if self.istio[pods[0]]["inbound"][str(target)]["plaintext"] else "broken" for target in targets
        }
        return verdicts.pop() if len(verdicts) == 1 else None

    def _targets(self, host: str, port: int, pod: str) -> set[int]:
        """The ports at which any proxy's clusters reach a pod for a host and port."""
        address = self.pods[pod]["status"]["podIP"]
        return {
            endpoint["port"]
            for proxy in self.istio.values()
            for endpoint in (proxy["clusters"].get(f"outbound|{port}||{host}") or {}).get("endpoints") or ()
            if endpoint["address"] == address
        }


def _worse(first: Met | None, second: Met) -> Met:
    """Of two answers for one endpoint the worse, of equally bad ones always the same.

    Where the verdict is open, either may be shown.
    """
    if first is not None and (ANY in (first.verdict, second.verdict) or "|" in first.verdict + second.verdict):
        return Met(_either(first.tls, second.tls), _either(first.verdict, second.verdict))
    return second if first is None else min(first, second, key=lambda item: (_ORDER.index(item.verdict), item.tls))


def _either(one: str, other: str) -> str:
    return "|".join(dict.fromkeys((*one.split("|"), *other.split("|"))))


def _rivals(manifests: list[Manifest]) -> dict[int, set[str]]:
    """What the servers of all Gateways offer that may listen at a port: where they differ, names or ages decide."""
    targets: dict[int, set[int]] = defaultdict(set)
    for manifest in manifests:
        for port in manifest["spec"].get("ports", ()) if manifest["kind"] in ("Service", "ServiceEntry") else ():
            number = port["port"] if manifest["kind"] == "Service" else port["number"]
            target = port.get("targetPort", number)
            # Names are those of container ports, and entries have ports of their own.
            targets[number].update((target,) if isinstance(target, int) else (8080, 9090))
    found: dict[int, set[str]] = defaultdict(set)
    for manifest in manifests:
        for server in manifest["spec"]["servers"] if manifest["kind"] == "Gateway" else ():
            number = server["port"]["number"]
            offer = server.get("tls", {}).get("mode", "plaintext")
            kind = {"ISTIO_MUTUAL": "mtls", "plaintext": offer}.get(offer, "tls")
            for port in (number, *targets[number]):
                found[port].add(kind)
    return found


def _claims(manifests: list[Manifest], pods: dict[str, Manifest]) -> Iterator[tuple[str, str, set[int]]]:
    """Every host with each of its addresses, and its ports; the addresses of a headless Service are all pods'."""
    for manifest in manifests:
        spec = manifest["spec"] if manifest["kind"] in ("Service", "ServiceEntry") else {}
        if manifest["kind"] == "Service":
            hosts, found = [_service_host(manifest)], [spec.get("clusterIP", "")]
            if found == ["None"]:
                found = [str(pod["status"]["podIP"]) for pod in pods.values()]
        else:
            hosts, found = spec.get("hosts", []), spec.get("addresses", [])
        ports = {port.get("port", port.get("number")) for port in spec.get("ports", ())}
        yield from ((host, address, ports) for host in hosts for address in found if address)


def _mode(accepts: Any) -> str:
    """The mode that a listener's behaviour amounts to."""
    if not accepts["plaintext"]:
        return "STRICT" if accepts["mtls"] else "nothing"
    return "PERMISSIVE" if accepts["mtls"] else "DISABLE"


def _service_host(service: Manifest) -> str:
    return f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"


def _hosts(manifests: list[Manifest]) -> Iterator[str]:
    """The hosts of all Services and ServiceEntries, as often as they are named."""
    for manifest in manifests:
        if manifest["kind"] == "Service":
            yield _service_host(manifest)
        elif manifest["kind"] == "ServiceEntry":
            yield from manifest["spec"]["hosts"]


def _trust_domains(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Each revision's, which its own ConfigMap says, else the one that its istiod shares."""
    texts = {item["metadata"]["name"]: item["data"]["mesh"] for item in manifests if item["kind"] == "ConfigMap"}
    shared = {
        item["metadata"]["labels"]["istio.io/rev"]: variable["value"]
        for item in manifests
        if item["kind"] == "Deployment"
        for variable in item["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    for revision in ("default", "canary"):
        own = "istio" if revision == "default" else f"istio-{revision}"
        config: Manifest = {}
        for name in (shared.get(revision, ""), own):
            config |= json.loads(texts.get(name, "{}"))
        yield revision, config.get("trustDomain", "cluster.local")
