# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the engine's answers with what Istio's own code would configure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from plugins.module_utils._policy import evaluate

from .referee import UNNAMED_PORT, proxies
from .routing import NO_ROUTE, led_by, led_to

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
HBONE_PORT = 15008
ANY = "any"
_PASSING = {"PassthroughCluster", "BlackHoleCluster"}
_NOWHERE = {*_PASSING, NO_ROUTE}
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
        sent = item.istio.tls.split("|")
        return (ANY in sent or item.engine.tls in sent) and (ANY in verdicts or item.engine.verdict in verdicts)
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
        self.engine: dict[Dial, Rows] = {}
        # To hosts that the client's proxy may know for a VirtualService alone.
        self.strangers: set[Dial] = set()
        self.contested: set[Dial] = set()
        """Where the engine says that another destination claims the address."""
        # Which of several without an address has the listener for all addresses.
        self.doubted: set[Dial] = set()
        self.dialling = dict(_dialling(manifests))
        self.routed = any(item["kind"] == "VirtualService" for item in manifests)
        self.aliases = _ends(manifests)
        # Where a ServiceEntry has an alias's host, only the rows of the entry are compared.
        entries = {host for item in manifests if item["kind"] == "ServiceEntry" for host in item["spec"]["hosts"]}
        self.ends = {host: end for host, end in self.aliases.items() if host not in entries}
        self.targets = self._with_ends(_targets([item for item in manifests if item["kind"] == "VirtualService"]))
        self.spoken = dict(_spoken(manifests))
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
        # ServiceEntries without endpoints of their own: their hosts are dialled wherever DNS says.
        self.plain = {
            host
            for item in manifests
            if item["kind"] == "ServiceEntry" and "workloadSelector" not in item["spec"]
            for host in item["spec"]["hosts"]
        }
        self.rivals = _rivals(manifests)
        self.routes_needed = _rivals(manifests, by_routes=True)
        self.domains = dict(_trust_domains(manifests))
        self.named = Counter(_hosts(manifests))
        self.by_port = any(
            "port" in listener
            for item in manifests
            if item["kind"] == "Sidecar"
            for listener in item["spec"].get("egress", ())
        )
        self.addresses: dict[str, set[str]] = defaultdict(set)
        self.claims: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for host, address, ports in _claims(manifests, self.pods):
            self.addresses[host].add(address)
            self.claims[address][host].update(ports)
        # Their pods are dialled, at the ports of the Service.
        self.headless = {
            *(_service_host(item) for item in manifests if item["kind"] == "Service" and _is_headless(item)),
            *(
                host
                for item in manifests
                if item["kind"] == "ServiceEntry" and _is_headless(item)
                for host in item["spec"]["hosts"]
            ),
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
                    if port == HBONE_PORT and port not in rows and expected == "refused":
                        continue  # a waypoint's, which no container names
                    if "plaintext" in self.routes_needed.get(port, ()) and rows.get(port) == "accepted":
                        continue  # a TCP server, which listens only where a VirtualService has a route
                    yield Difference(f"gateway {workload['id']} port {port}", expected, rows.get(port))

    # --- clients -----------------------------------------------------------------------------------------------------

    def edges(self) -> Iterator[Difference]:
        """Every client with a proxy against every destination, and the verdict of every client without one."""
        engine, bare = self._engine()
        self.engine = engine
        dials = dict.fromkeys(engine)
        for client in self.proxies:
            for cluster in self.istio[client]["clusters"]:
                dummy, port, subset, host = cluster.split("|")
                dials.setdefault(Dial(client, host, int(port), subset or None))
            dials.update((Dial(client, host, port, None), None) for host, port in self._destinations())
        for dial in dials:
            if self.proxies[dial.client]["type"] == "waypoint":
                continue  # what it sends depends on istiod's ambient index
            found = engine.get(dial, {})
            expected = self._expected(dial, found)
            if not found and not expected and not self.routed:
                yield Difference(f"{dial}", "not configured", "not mentioned")
            shared = self._sharers(dial._replace(host=self.ends.get(dial.host, dial.host)))
            for endpoint in dict.fromkeys((*expected, *found)):
                met = found.get(endpoint)
                # Where an alias's name counts, and where what it stands for, the engine does not follow in every mesh.
                if (shared or dial.host in self.aliases) and met is not None and met.verdict == "unknown":
                    continue
                if dial in self.doubted and met is not None and met.verdict == "unknown":
                    continue
                if self._aside(dial) and (met is None or met.verdict == "unknown"):
                    continue
                if shared:
                    yield from self._taken(dial, endpoint, met, shared)
                if not self._leads_on(endpoint, expected, found):
                    yield Difference(f"{dial} at {endpoint}", expected.get(endpoint), met)
        for (host, port, endpoint), verdict in bare.items():
            unproxied = self._unproxied(host, port, endpoint)
            if unproxied is not None and verdict not in unproxied.split("|"):
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
        """The addresses of a sidecar's destination that another one claims with the same port.

        A Sidecar's listener for a port takes in whatever port a destination has.
        """
        if self.proxies[dial.client]["type"] != "sidecar":
            return []
        return [
            address
            for address in self.addresses.get(dial.host, ())
            if any(
                (dial.port in ports or self.by_port) and not {host, dial.host} <= self.headless
                for host, ports in self.claims[address].items()
                if host != dial.host
            )
        ]

    def _taken(self, dial: Dial, endpoint: str | None, met: Met | None, addresses: list[str]) -> Iterator[Difference]:
        """Whoever else's listener takes the connection at one of the addresses, sends what the engine says.

        Where the engine says that it cannot tell, it need not. What a headless Service shares is seen through its
        listeners.
        """
        if (
            dial.subset is not None
            or dial.host in self.headless
            or self.named[dial.host] > 1
            or self._naming(dial.host)
        ):
            return
        proxy = self.istio[dial.client]
        own = f"outbound|{dial.port}||{dial.host}"
        for address in addresses:
            name = proxy["listeners"].get(f"{address}:{dial.port}")
            if own in proxy["clusters"] and name in proxy["clusters"] and name != own:
                other = Dial(dial.client, name.split("|")[3], dial.port, None)
                if self.named[other.host] > 1:
                    continue
                rows = self._direct(other, {})
                reached = (rows[endpoint],) if endpoint in rows else tuple(sorted(set(rows.values())))
                if self.routed and met and all(_agree(Difference("", _at_worst(one), met)) for one in reached):
                    continue  # the claimant's own routes lead there, or elsewhere
                if not all(met and met.tls in one.tls.split("|") for one in reached):
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
        for edge in self.result["edges"]:
            name, dummy, rest = edge["host"].partition(".")
            own = edge["service"] == f"{rest.partition('.')[0]}/{name}"
            if own and edge["host"] in self.aliases.keys() - self.ends.keys():
                continue
            endpoints = hosts.get(edge["endpoint"], [edge["endpoint"]])
            for member in self.result["client_sets"][edge["clients"]]:
                workload = workloads[member]
                if workload["mesh"] == "none":
                    bare.update({(edge["host"], edge["port"], endpoint): edge["verdict"] for endpoint in endpoints})
                for pod in workload["pods"]:
                    client = f"{workload['namespace']}/{pod}"
                    if client not in self.proxies:
                        continue
                    dial = Dial(client, edge["host"], edge["port"], edge["subset"])
                    if "does not know otherwise" in edge["reason"]:
                        self.strangers.add(dial)
                    if "proxy may take this for" in edge["reason"]:
                        self.contested.add(dial)
                    if "may lead elsewhere what is sent" in edge["reason"] or "of every address" in edge["reason"]:
                        self.doubted.add(dial)
                    found = rows[dial]
                    for endpoint in endpoints:
                        found[endpoint] = _worse(found.get(endpoint), Met(edge["client_tls"], edge["verdict"]))
        return rows, bare

    def _expected(self, dial: Dial, engine: Rows) -> Rows:
        """What is met by whoever asks for a host and port: there, and wherever else its proxy leads the requests."""
        meant = dial._replace(host=self.ends.get(dial.host, dial.host))
        own = self._direct(meant, engine)
        proxy = self.istio[dial.client]
        hidden = _is_hidden(engine)
        if dial.subset is not None:
            # Known to the proxy for a VirtualService alone?
            whole = dial._replace(subset=None)
            apart = self.routed and not engine and (whole in self.strangers or _is_hidden(self.engine.get(whole, {})))
            return {} if apart else own
        if proxy["routing"] is None:
            # Whether a gateway knows what VirtualServices alone name, depends on what istiod computed before.
            guessed = hidden and self.routed and self.proxies[dial.client]["type"] == "router"
            return self._unknown_to(dial, engine) if guessed else own
        homes = {item["metadata"]["namespace"] for item in self.manifests if item["kind"] == "Sidecar"}
        imports = homes & {dial.client.partition("/")[0], "istio-system", "mesh-root"}
        name = f"outbound|{dial.port}||{meant.host}"
        dialled = self._dialled(meant)
        spoken = self.spoken.get((meant.host, dial.port), "")
        led = led_to(proxy["routing"], dial.host, dial.port, dialled, spoken)
        # Which of several headless Services at one address has its listener, is followed on its own.
        sharing = {self._sharing(proxy, meant, address) for address in dialled} - {"", name}
        split = meant.host in self.headless and led_by(proxy["routing"], dialled, dial.port) - {name} - sharing
        takers = {cluster.split("|")[3] for cluster in sharing}
        if split or any(host in self.targets or self._naming(host) for host in takers):
            return engine  # sharing or led there, who knows
        led -= sharing
        if self.named[meant.host] > 1 and not self._naming(dial.host):
            # Of several with one host each has addresses and ports of its own, on which listeners depend.
            passed = self._unknown_to(meant, engine) if hidden and self.by_port else {}
            return {place: _open(met, passed[place]) if place in passed else met for place, met in own.items()}
        if meant != dial and led and led <= _NOWHERE and not imports and (dialled or _unknown(engine)):
            return engine if _unknown(engine) else self._unknown_to(meant, engine)
        if self._naming(dial.host) and (hidden or dial in self.strangers):
            return self._to_stranger(dial, engine, led)
        if meant == dial and not self._naming(dial.host) and not self._sharers(dial) and not sharing:
            return self._by_listeners(dial, engine, led, own)
        if hidden and name not in led:
            # If there is a cluster, it is for whom a VirtualService leads there: who dials the host is not.
            return self._unknown_to(meant, engine)
        naming = [*self._naming(dial.host), *(self._naming(meant.host) if meant != dial else ())]
        if not naming:
            # By which names a Sidecar may import a host, the engine does not follow.
            return engine if meant != dial and imports and _unknown(engine) else own
        lost = {cluster for cluster in led - _NOWHERE if cluster not in proxy["clusters"]}
        # What is met at a subset of the same port, the rows of the subset say.
        led = {name if cluster.split("|")[1::2] == name.split("|")[1::2] else cluster for cluster in led}
        # The listener for all addresses may be somebody else's.
        targets = self._with_ends(_targets(naming))
        claimants = {host for address in dialled for host in self.claims.get(address, ()) if host != meant.host}
        strays = sharing | {
            cluster
            for cluster in led - {name} - _NOWHERE
            if cluster.split("|")[3] not in targets or cluster.split("|")[3] in claimants
        }
        others = [self._elsewhere(dial.client, cluster) for cluster in sorted(led - strays - {name} - _NOWHERE)]
        nobody = meant.host in self.headless and not dialled and spoken != "http"
        if nobody:
            others = []  # what listens to all addresses is not for it
        found = {endpoint: _worst([met, *others]) for endpoint, met in own.items()}
        away = _worst(others) if others and name not in led else None
        if nobody or strays or imports or len(naming) > 1 or meant != dial:
            # Of several VirtualServices for one host the engine takes the worst, and all that a Sidecar may import.
            return {endpoint: _at_worst(away or met) for endpoint, met in found.items()}
        if lost and _unknown(engine):
            return engine  # of a subset that nobody has it says so, where an alias leads there
        # Where it cannot tell that no request stays, the engine counts the host itself, too.
        return {endpoint: _open(away, met) if away else met for endpoint, met in found.items()} if others else own

    def _by_listeners(self, dial: Dial, engine: Rows, led: set[str], own: Rows) -> Rows:
        """What is met where no VirtualService names a host, by the listeners that take what is sent there."""
        name = f"outbound|{dial.port}||{dial.host}"
        if led == {name}:
            return own
        cluster = self.istio[dial.client]["clusters"].get(name) or {}
        if cluster.get("type") == "ORIGINAL_DST" and not self._dialled(dial) and dial.host not in self.plain:
            # Nobody is dialled, or the client itself.
            passed = self._unknown_to(dial, engine)
            return {place: _open(met, passed[place]) if place in passed else met for place, met in own.items()}
        if led <= _PASSING:
            return self._unknown_to(dial, engine)
        if not led - _NOWHERE <= self.istio[dial.client]["clusters"].keys():
            return engine  # what comes to a host that DNS does not resolve fails, whatever it is
        met = [self._elsewhere(dial.client, cluster) for cluster in sorted(led - _NOWHERE - {name})]
        met += own.values() if name in led else ()
        met += self._unknown_to(dial, engine).values() if led & _PASSING else ()
        met += [Met(ANY, "broken")] if NO_ROUTE in led else []
        worst = _worst(met)
        return dict.fromkeys(engine or own, _at_worst(Met(ANY, "plaintext") if worst.verdict == "unknown" else worst))

    def _to_stranger(self, dial: Dial, engine: Rows, led: set[str]) -> Rows:
        """What is met at a host that a proxy knows for a VirtualService alone, if at all.

        Where the engine cannot tell, it need not.
        """
        away = [self._elsewhere(dial.client, cluster) for cluster in sorted(led - _NOWHERE)]
        found: Rows = {}
        for endpoint, met in self._unknown_to(dial, engine).items():
            worst = _worst([met, *away])
            found[endpoint] = _at_worst(worst) if led - _NOWHERE else _or_unknown(worst)
        return found

    def _naming(self, host: str) -> list[Manifest]:
        """The VirtualServices that may mean a host."""
        return [
            item
            for item in self.manifests
            if item["kind"] == "VirtualService"
            and "mesh" in item["spec"].get("gateways", ["mesh"])
            and any(_matches(_full(pattern, item), host) for pattern in item["spec"]["hosts"])
        ]

    def _with_ends(self, hosts: Iterable[str]) -> set[str]:
        """Hosts, and what those of them that are aliases stand for."""
        return {name for host in hosts for name in (host, self.ends.get(host, host))}

    def _dialled(self, dial: Dial) -> list[str]:
        """The addresses at which a client finds a host; of a headless Service those of its pods but for itself."""
        if dial.host not in self.headless and (self.dialling.get(dial.host) or dial.host in self.plain):
            return self.dialling.get(dial.host, [])
        cluster = self.istio[dial.client]["clusters"].get(f"outbound|{dial.port}||{dial.host}") or {}
        own = self.pods[dial.client]["status"]["podIP"]
        return [item["address"] for item in cluster.get("endpoints") or () if item["address"] != own]

    def _elsewhere(self, client: str, cluster: str) -> Met:
        """The worst that is met at a cluster to which requests are led."""
        known = self.istio[client]["clusters"].get(cluster)
        if known is None:
            # No such cluster: requests fail. Of what it does not know the engine says so.
            return Met(ANY, "broken|unknown")
        as_dialled = known["type"] == "ORIGINAL_DST" and self.proxies[client]["type"] == "sidecar"
        if as_dialled and known["any"] == "plaintext":
            # Sent to whatever was dialled, not to the endpoints of this one.
            return Met("unknown|plaintext", "unknown|plaintext")
        dummy, port, subset, host = cluster.split("|")
        dial = Dial(client, host, int(port), subset or None)
        engine = self.engine.get(dial, {})
        met = _worst(self._direct(dial, engine).values())
        if met.verdict == "unknown":
            return Met(ANY, ANY)  # what its own rows say, which may be what they are led to
        whole = self.engine.get(dial._replace(subset=None), {})
        if _is_hidden(whole) or any(found.verdict == "unknown" for found in engine.values()):
            # The proxy knows it for this route alone, or whoever dials it does not surely reach it.
            return _or_unknown(met)
        return met

    def _direct(self, dial: Dial, engine: Rows) -> Rows:
        """What Istio's configuration does; which endpoints a host has that the proxy does not know, says the engine."""
        proxy = self.istio[dial.client]
        cluster = proxy["clusters"].get(f"outbound|{dial.port}|{dial.subset or ''}|{dial.host}")
        if cluster is None:
            if dial.subset is not None:
                return {}
            return self._unknown_to(dial, engine)
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

    def _unknown_to(self, dial: Dial, engine: Rows) -> Rows:
        """What a proxy does with connections to what it does not know."""
        if self.istio[dial.client]["unmatched"] == "blocked":
            return dict.fromkeys(engine, Met("none", "broken"))
        found = {endpoint: self._unproxied(dial.host, dial.port, endpoint) or ANY for endpoint in engine}
        if dial not in self.contested:
            return {endpoint: Met("none", verdict) for endpoint, verdict in found.items()}
        return {endpoint: Met("none|unknown", f"{verdict}|unknown") for endpoint, verdict in found.items()}

    def _through_listener(self, proxy: Any, dial: Dial, own: Any, endpoint: Any) -> tuple[Any, str]:
        """The cluster that the listener for a pod's address leads to, maybe another Service's, and what it sends."""
        name = self._sharing(proxy, dial, endpoint["address"])
        if dial.subset is not None or name not in proxy["clusters"]:
            return own, endpoint["tls"]
        cluster = proxy["clusters"][name]
        same = [item["tls"] for item in cluster["endpoints"] or () if item["address"] == endpoint["address"]]
        return cluster, same[0] if same else cluster["any"]

    def _sharing(self, proxy: Any, dial: Dial, address: str) -> str:
        """The cluster of the headless Service that has the listener for a pod's address."""
        name = str(proxy["listeners"].get(f"{address}:{dial.port}", "|||"))
        dummy, port, subset, host = name.split("|")
        return name if host in self.headless and (int(port), subset) == (dial.port, "") else ""

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
        doubtful = len(self.rivals.get(port, ())) > 1 or bool(
            {"mtls:named", "passthrough", "passthrough:named"} & serves
        )
        tls_only = "plaintext" not in offers | self.rivals.get(port, set())
        verdicts = [_met(sent, offers)]
        if port in self.routes_needed:
            needed = self.routes_needed[port]
            verdicts += [_met(sent, offers | needed), *(_met(sent, {kind}) for kind in sorted(needed)), "unknown"]
        return "|".join(
            dict.fromkeys([*verdicts, *(["unknown"] if doubtful and (sent != "plaintext" or tls_only) else [])])
        )

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


def _worst(mets: Iterable[Met]) -> Met:
    """The worst of several answers, with whatever all that are as bad send."""
    found = list(mets)
    if any(ANY in met.verdict or "|" in met.verdict for met in found):
        return Met("|".join(dict.fromkeys(met.tls for met in found)), "|".join(dict.fromkeys(m.verdict for m in found)))
    verdict = min((met.verdict for met in found), key=_ORDER.index)
    return Met("|".join(dict.fromkeys(met.tls for met in found if met.verdict == verdict)), verdict)


def _unknown(rows: Rows) -> bool:
    return all(met.verdict == "unknown" for met in rows.values())


def _is_hidden(rows: Rows) -> bool:
    """Whether the engine takes a client's proxy for one that does not know a destination."""
    return bool(rows) and all(met.tls == "none" for met in rows.values())


def _at_worst(met: Met) -> Met:
    """Whatever is no better than an answer."""
    if ANY in met.verdict:
        return Met(ANY, ANY)
    last = max(map(_ORDER.index, met.verdict.split("|")))
    return Met(ANY, "|".join(_ORDER[: last + 1]))


def _or_unknown(met: Met) -> Met:
    return _open(met, Met("unknown", "unknown"))


def _full(host: str, service: Manifest) -> str:
    """A host as a VirtualService means it."""
    return host if "." in host else f"{host}.{service['metadata']['namespace']}.svc.cluster.local"


def _matches(pattern: str, host: str) -> bool:
    return any(
        one == other or (one.startswith("*") and other.endswith(one[1:]))
        for one, other in ((pattern, host), (host, pattern))
    )


def _open(one: Met, other: Met) -> Met:
    """Either of two answers."""
    return Met(_either(one.tls, other.tls), _either(one.verdict, other.verdict))


def _dialling(manifests: list[Manifest]) -> Iterator[tuple[str, list[str]]]:
    """The addresses that clients dial for a host, but for headless Services."""
    found: dict[str, list[str]] = {}
    for item in manifests:
        spec = item.get("spec", {})
        if item["kind"] == "Service" and spec.get("type") != "ExternalName":
            found[_service_host(item)] = [spec["clusterIP"]]
        elif item["kind"] == "ServiceEntry":
            for host in spec["hosts"]:
                found.setdefault(host, []).extend(spec.get("addresses", ()))
    yield from found.items()


def _ends(manifests: list[Manifest]) -> dict[str, str]:
    """What each ExternalName Service stands for in the end, itself where it leads back to itself."""
    names = {
        _service_host(item): str(item["spec"]["externalName"])
        for item in manifests
        if item["kind"] == "Service" and item["spec"].get("type") == "ExternalName"
    }
    found = {}
    for alias in names:
        end, seen = alias, set()
        while end in names and end not in seen:
            seen.add(end)
            end = names[end]
        found[alias] = alias if end in names else end
    return found


def _targets(value: Any) -> Iterator[str]:
    """All hosts to which VirtualServices lead."""
    if isinstance(value, dict):
        yield from [value["host"]] if "host" in value else ()
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _targets(inner)


def _spoken(manifests: list[Manifest]) -> Iterator[tuple[tuple[str, int], str]]:
    """What each port speaks: http, tls, tcp, or "" for what Istio sniffs."""
    words = {"http": "http", "grpc": "http", "http2": "http", "kubernetes.io/h2c": "http", "https": "tls", "tcp": "tcp"}
    for item in manifests:
        if item["kind"] == "Service":
            for port in item["spec"]["ports"]:
                word = port.get("appProtocol") or port["name"].partition("-")[0]
                yield (_service_host(item), port["port"]), words.get(word, "")
        elif item["kind"] == "ServiceEntry":
            for host in item["spec"]["hosts"]:
                yield from (((host, port["number"]), words[port["protocol"].lower()]) for port in item["spec"]["ports"])


def _either(one: str, other: str) -> str:
    return "|".join(dict.fromkeys((*one.split("|"), *other.split("|"))))


def _rivals(manifests: list[Manifest], by_routes: bool = False) -> dict[int, set[str]]:
    """What the servers of all Gateways offer that may listen at a port: where they differ, names or ages decide."""
    targets: dict[int, set[int]] = defaultdict(set)
    sliced: dict[tuple[str, str], set[int]] = defaultdict(set)
    for item in manifests:
        for port in item["ports"] if item["kind"] == "EndpointSlice" else ():
            service = item["metadata"]["labels"]["kubernetes.io/service-name"]
            sliced[f"Service {item['metadata']['namespace']}/{service}", port["name"]].add(port["port"])
    for manifest in manifests:
        for port in manifest["spec"].get("ports", ()) if manifest["kind"] in ("Service", "ServiceEntry") else ():
            number = port["port"] if manifest["kind"] == "Service" else port["number"]
            target = port.get("targetPort", number)
            # Names are those of container ports, and entries have ports of their own.
            targets[number].update((target,) if isinstance(target, int) else (8080, 9090))
            targets[number].update(sliced.get((_name(manifest), str(port.get("name"))), ()))
    found: dict[int, set[str]] = defaultdict(set)
    for manifest in manifests:
        for number, kind, needs in _offers(manifest):
            for port in (number, *targets[number]) if needs or not by_routes else ():
                found[port].add(kind)
    return found


def _met(sent: str, offers: set[str]) -> str:
    """What becomes of what is sent to a gateway."""
    through = bool(offers & {"tls", "passthrough"})
    if sent == "plaintext":
        return "plaintext" if "plaintext" in offers else "tls" if through else "broken"
    if sent == "mtls":
        return "mtls" if "mtls" in offers else "unknown" if "passthrough" in offers else "broken"
    return "tls" if through else "broken"


def _offers(manifest: Manifest) -> Iterator[tuple[int, str, bool]]:
    """The ports that an object opens at gateways, what it offers there, and whether only where there are routes."""
    spec = manifest.get("spec", {})
    kinds = {"ISTIO_MUTUAL": "mtls", "PASSTHROUGH": "passthrough", "AUTO_PASSTHROUGH": "passthrough", "": "plaintext"}
    for server in spec.get("servers", ()) if manifest["kind"] == "Gateway" else ():
        kind = kinds.get(server.get("tls", {}).get("mode", ""), "tls")
        port = server["port"]
        yield port["number"], kind, port["protocol"] in ("TCP", "TLS") or kind == "passthrough"
    for listener in spec.get("listeners", ()) if manifest["kind"] == "Gateway" else ():
        options = listener.get("tls", {}).get("options", {})
        kind = "mtls" if "ISTIO_MUTUAL" in options.values() else "tls"
        yield listener["port"], kind if "tls" in listener else "plaintext", False
    if manifest["kind"] == "Ingress":
        yield 80, "plaintext", False
        if "tls" in spec:
            yield 443, "tls", False


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
            if hosts and _is_headless(manifest):
                found = [str(pod["status"]["podIP"]) for pod in pods.values()]
        ports = {port.get("port", port.get("number")) for port in spec.get("ports", ())}
        yield from ((host, address, ports) for host in hosts for address in found if address)


def _is_headless(item: Manifest) -> bool:
    spec = item["spec"]
    if item["kind"] == "Service":
        return bool(spec.get("clusterIP") == "None")
    return spec.get("resolution", "NONE") == "NONE" and "workloadSelector" in spec and not spec.get("addresses")


def _mode(accepts: Any) -> str:
    """The mode that a listener's behaviour amounts to."""
    if not accepts["plaintext"]:
        return "STRICT" if accepts["mtls"] else "nothing"
    return "PERMISSIVE" if accepts["mtls"] else "DISABLE"


def _service_host(service: Manifest) -> str:
    """The host of a Service."""
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
