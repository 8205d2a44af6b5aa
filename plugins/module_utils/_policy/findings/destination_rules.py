# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DestinationRules that contradict the endpoints that they cover (semantics, section 3)."""

from __future__ import annotations

from typing import Dict, Iterable, List, Tuple

from ..destination_rules import fqdn
from ..engine import State
from ..mesh import CLUSTER_DOMAIN
from .kinds import Finding, FindingKind
from .wording import listed

PLAINTEXT_TO_MESH = FindingKind(
    id="MTLS-013",
    severity="high",
    title="A DestinationRule sends plaintext to workloads of the mesh",
    explanation="A rule sets `tls.mode: DISABLE` for hosts whose endpoints could take mutual TLS.",
    why="Where the server is PERMISSIVE the traffic is plaintext; where it is STRICT the clients get connection "
    "errors.",
    remedy="Remove the `tls` settings of the rule that send plaintext: auto-mTLS does the rest. Where something else "
    "keeps mutual TLS from its hosts the finding names it: mend that before.",
    example="""\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: demo}
spec:
  host: a.demo.svc.cluster.local
  trafficPolicy:
    tls: {mode: DISABLE}
""",
)

MUTUAL_TO_PROXYLESS = FindingKind(
    id="MTLS-014",
    severity="high",
    title="A DestinationRule sends ISTIO_MUTUAL to endpoints that cannot take it",
    explanation="A rule sets `tls.mode: ISTIO_MUTUAL` for hosts whose endpoints have no proxy, or bypass it.",
    why="Requests fail with 503: the endpoint does not understand TLS.",
    remedy="Remove the rule's `tls` setting, or bring the endpoints into the mesh. Where other endpoints would get "
    "plaintext without the setting the finding says so: then only the second helps.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: legacy, sidecar.istio.io/inject: "false"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: demo}
spec:
  selector: {app: legacy}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy, namespace: demo}
spec:
  host: legacy.demo.svc.cluster.local
  trafficPolicy:
    tls: {mode: ISTIO_MUTUAL}
""",
)

MUTUAL_TO_ALL = FindingKind(
    id="MTLS-015",
    severity="high",
    title="A wildcard DestinationRule sends ISTIO_MUTUAL outside the mesh",
    explanation="A rule for a host with a wildcard sets `tls.mode: ISTIO_MUTUAL`, and covers hosts without proxies.",
    why="Requests to them fail with 503, also to hosts that are added later.",
    remedy="Name hosts of the mesh only; auto-mTLS serves the rest.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: legacy, sidecar.istio.io/inject: "false"}
    spec:
      containers: [{name: app, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: demo}
spec:
  selector: {app: legacy}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all, namespace: demo}
spec:
  host: "*.demo.svc.cluster.local"
  trafficPolicy:
    tls: {mode: ISTIO_MUTUAL}
""",
)

NAMES_NOTHING = FindingKind(
    id="MTLS-034",
    severity="low",
    title="A DestinationRule's host names nothing",
    explanation="No Service and no ServiceEntry has the host of the rule. Hosts with a wildcard are left out.",
    why="The rule has no effect, whatever TLS it sets. A slip is easily made: Istio completes a name without a dot by "
    "the rule's own namespace, and takes `name.namespace` as it is, which no Service is called.",
    remedy="Write the full name, `name.namespace.svc.cluster.local`, or delete the rule.",
    example="""\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: demo}
spec:
  host: a.demo
  trafficPolicy:
    tls: {mode: DISABLE}
""",
)

KINDS = (PLAINTEXT_TO_MESH, MUTUAL_TO_PROXYLESS, MUTUAL_TO_ALL, NAMES_NOTHING)


def rules(state: State) -> Iterable[Finding]:
    """What rules do to the endpoints that they cover, and rules that cover none."""
    yield from _contradictions(state)
    if not (state.unread.anywhere("Service") or state.unread.anywhere("ServiceEntry")):
        yield from _without_host(state)


def _without_host(state: State) -> Iterable[Finding]:
    """Rules for a host that nothing has; of Services also those that a cluster domain of another name would have."""
    hosts = {destination.host for destination in state.destinations}
    services = {f"{service.name}.{service.namespace}" for service in state.snapshot.services}
    for rule in state.snapshot.destination_rules:
        host = fqdn(rule.host, rule.namespace)
        service, svc, domain = host.partition(".svc.")
        # What a fleet shares (clusterset.local) other clusters may have.
        if "*" in host or host in hosts or (svc and (service in services or domain == "clusterset.local")):
            continue
        meant = next((name for name in (host, service) if name in services), "")
        yield NAMES_NOTHING.at(
            f"DestinationRule {rule.namespace}/{rule.name}",
            f"has no effect: its host {host} names no Service and no ServiceEntry",
            f"write {meant}.svc.{CLUSTER_DOMAIN}" if meant else "correct its host, or delete it",
        )


def _contradictions(state: State) -> Iterable[Finding]:
    """One finding for each rule (or rules that were merged), whatever number of hosts it has it for."""
    wildcards = {f"{rule.namespace}/{rule.name}" for rule in state.snapshot.destination_rules if rule.host[:1] == "*"}
    grouped: Dict[Tuple[str, str], Dict[str, str]] = {}
    kept: Dict[str, List[str]] = {}
    for what, rule, host, dummy in sorted(state.judge.remarks):
        if what == "kept":
            kept.setdefault(rule, []).append(host)
    needed = {rule: why for what, rule, dummy, why in sorted(state.judge.remarks) if what == "needed"}
    for what, rule, host, still in sorted(state.judge.remarks):
        blanket = bool(wildcards.intersection(rule.split(" + ")))
        # Whoever names a host outside may know that it takes the mesh's TLS; a rule for all of them does not.
        if what in ("needed", "kept") or (what == "outside" and not blanket):
            continue
        found = grouped.setdefault(("mutual" if what == "outside" else what, rule), {})
        found[host] = found.get(host) or still
    for (what, rule), hosts in grouped.items():
        thing = f"DestinationRule {rule}"
        if what == "plaintext":
            still = next(filter(None, (*hosts.values(), needed.get(rule))), "")
            removed = "remove its tls settings that send plaintext"
            yield PLAINTEXT_TO_MESH.at(
                thing,
                f"makes clients send plaintext to {listed(hosts)}, which is in the mesh",
                f"before you {removed}, mend what keeps mutual TLS from its hosts: {still}"
                if still
                else f"{removed}: auto-mTLS does the rest",
            )
        elif wildcards.intersection(rule.split(" + ")):
            yield MUTUAL_TO_ALL.at(
                thing,
                f"is a blanket rule that sends ISTIO_MUTUAL also to {listed(hosts)}, outside the mesh: requests fail "
                "with 503",
                "name hosts of the mesh only; auto-mTLS serves the rest",
            )
        else:
            yield MUTUAL_TO_PROXYLESS.at(
                thing,
                f"sends ISTIO_MUTUAL to {listed(hosts)}, whose endpoints cannot take it",
                f"bring the endpoints into the mesh: without its tls clients would send plaintext to "
                f"{listed(kept[rule])}"
                if rule in kept
                else "remove its tls setting, or bring the endpoints into the mesh",
            )
