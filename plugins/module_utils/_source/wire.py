# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the wire from short-lived pods, for the modules probe and audit."""

from __future__ import annotations

import inspect
import secrets
import ssl
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .. import _cluster as api
from .._evidence.probe import answers as wire_answers
from .._evidence.probe import expectation
from .._evidence.probe import plan as probe_plan
from .._evidence.probe import pods as probe_pods
from .._evidence.probe import wrong_identity as probe_identity
from .._evidence.wire import http2, plain, program, tls
from . import reading
from .options import ProbeOptions

SERVICES = api.Kind("", "v1", "services", "Service")
SLICES = api.Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
PODS = api.Kind("", "v1", "pods", "Pod")
CONFIG_MAPS = api.Kind("", "v1", "configmaps", "ConfigMap")
ROOT_CERTIFICATE = "istio-ca-root-cert"
# A pod's manifest, which carries the questions, must stay below what the API server stores.
MOST_ASKS = 4000
# Sent to the pods as text; each may import those before it.
PROGRAM = (http2, plain, tls, program)
Tell = Callable[[str], None]


class Heard(NamedTuple):
    """What came of asking."""

    answers: dict[str, wire_answers.Answers]
    """By the container that asked."""
    trust_domain: str
    """Of the mesh, as the injector of the pod inside tells it; empty where it does not, or there was none."""


NOTHING = Heard({}, "")


def probe(
    cluster: api.Cluster,
    options: ProbeOptions,
    warn: Tell,
    hide: Tell,
    known: expectation.Expected,
) -> list[dict[str, Any]]:
    """Find the targets, ask them, judge the answers: probe's `targets`.

    `hide` takes what must never be shown, `known` says what is known of the pods' identities. Raises ClusterError,
    TargetError, or Interrupted after its pods are removed.
    """
    targets = find_targets(cluster, options)
    return judged(options, targets, ask(cluster, options, targets, warn, hide) if targets else NOTHING, known)


def judged(
    options: ProbeOptions, targets: list[probe_plan.Target], heard: Heard, known: expectation.Expected
) -> list[dict[str, Any]]:
    """One result for each target; without any answers all of them are unknown."""
    domains = [*filter(None, [heard.trust_domain]), *options.trust_domains]
    expecting = expectation.expecting(targets, domains, known)
    return wire_answers.judge(expecting, *map(heard.answers.get, probe_pods.CONTAINERS))


def find_targets(cluster: api.Cluster, options: ProbeOptions) -> list[probe_plan.Target]:
    """Read the Services, EndpointSlices and pods of the namespaces that matter, and choose from them."""
    wanted = options.targets or []
    names = [item["service"] or item["pod"] for item in wanted]
    for name in names:
        if name.count("/") != 1:
            raise probe_plan.TargetError(f"The target {name} names no namespace. Remedy: write it as namespace/name.")
    namespaces = [name.split("/", 1)[0] for name in names] or options.target_namespaces or ()
    services = [item for item in wanted if item["service"]]
    pods = [item for item in wanted if item["pod"]]
    needed = [SERVICES, SLICES] + ([PODS] if pods or options.pod_ports else [])
    resources, unread = reading.read(cluster, map(reading.Selection, (SERVICES, SLICES, PODS)), namespaces)
    # Without the right to see pods the identity that they must show is unknown, and so is their verdict.
    lacking = [gap for gap in unread if gap["kind"] in [kind.kind for kind in needed]]
    if lacking:
        gap = lacking[0]
        raise probe_plan.TargetError(
            f"{gap['kind']}s of the namespace {gap['namespace']} cannot be read: {gap['reason']}. Remedy: ask for a "
            "role that may; the ClusterRole meshproof-reader that this collection ships does."
        )
    found: dict[str, list[dict[str, Any]]] = {kind.kind: [] for kind in (SERVICES, SLICES, PODS)}
    for resource in resources:
        found[resource["kind"]].append(resource)
    targets = []
    if services or not wanted:
        targets = probe_plan.find_targets(
            found["Service"], found["EndpointSlice"], services, options.max_endpoints, found["Pod"]
        )
    if options.pod_ports:
        pods += probe_plan.pods_behind(targets, found["Pod"])
    targets += probe_plan.find_pod_targets(found["Pod"], pods, targets)
    return probe_plan.within(targets, MOST_ASKS)


def ask(cluster: api.Cluster, options: ProbeOptions, targets: list[probe_plan.Target], warn: Tell, hide: Tell) -> Heard:
    """Run the pods and return what they heard."""
    run = probe_pods.Run(
        secrets.token_hex(4), options.namespace, options.image, options.image_pull_secrets, options.timeout,
        options.step_timeout, options.inside_namespace,
    )  # fmt: skip
    script = probe_pods.program([(part.__name__.rpartition(".")[2], inspect.getsource(part)) for part in PROGRAM])
    asks = {
        probe_pods.OUTSIDE: probe_plan.outside_asks(targets),
        probe_pods.REQUEST: probe_plan.request_asks(targets),
        probe_pods.HANDSHAKE: probe_plan.handshake_asks(targets),
    }
    namespaces = [run.namespace, run.inside_namespace]
    trust_domain = ""
    started = {}
    with api.ShortLivedPods(cluster, namespaces, probe_pods.OURS, probe_pods.RUN, run.identifier) as pods:
        if options.inside:
            manifest = probe_pods.inside_pod(
                run, script, asks[probe_pods.REQUEST], asks[probe_pods.HANDSHAKE], options.revision,
                "expired" in options.identities,
            )  # fmt: skip
            pod = pods.start(manifest)
            require_sidecar(pod)
            trust_domain = probe_pods.trust_domain_of(pod)
            started[pod["metadata"]["name"]] = (run.inside_namespace, [probe_pods.REQUEST, probe_pods.HANDSHAKE])
        if options.outside:
            roots = root_certificates(cluster, {target.namespace for target in targets})
            wrong = wrong_identity(options.identities, trust_domain, warn, hide)
            pod = pods.start(probe_pods.outside_pod(run, script, asks[probe_pods.OUTSIDE], roots, wrong))
            started[pod["metadata"]["name"]] = (run.namespace, [probe_pods.OUTSIDE])
        pods.clear_leftovers()
        wanted = {name: containers for name, (dummy, containers) in started.items()}
        lost = pods.wait(wanted, run.timeout, probe_pods)
        logs = {
            container: (name, log_of(pods, namespace, name, container, name in lost))
            for name, (namespace, containers) in started.items()
            for container in containers
        }
    answers: dict[str, dict[str, dict[str, Any]]] = {}
    for container, (name, log) in logs.items():
        answers[container], notes = wire_answers.parse(log, asks[container])
        for note in notes:
            warn(f"The log of the probe's container {container} is odd: {note}; that is ignored, or unknown.")
        complaint = wire_answers.complaint(log, asks[container])
        if complaint and not answers[container] and name not in lost:
            raise api.ClusterError(
                f"The probe's container {container} could not ask anything: {complaint}. Remedy: the image "
                f"{run.image} must have python3, version 3.10 or newer."
            )
        if complaint:
            why = lost.get(name) or f"container {container} ended with: {complaint}"
            wire_answers.fill(answers[container], asks[container], f"the probe's pod did not finish: {why}")
    for name, why in lost.items():
        warn(f"The probe's pod {name} did not finish ({why}); what it had not answered is unknown.")
    return Heard(dict(answers), trust_domain)


def log_of(pods: api.ShortLivedPods, namespace: str, name: str, container: str, lost: bool) -> str:
    """What a container printed; of a pod that was lost whatever can still be had."""
    try:
        return pods.log(namespace, name, container)
    except api.ClusterError:
        if lost:
            return ""
        raise


def wrong_identity(wanted: Iterable[str], trust_domain: str, warn: Tell, hide: Tell) -> dict[str, str] | None:
    """A certificate that no server of the mesh may take, None where it is not wanted or cannot be made."""
    if "wrong" not in wanted:
        return None
    try:
        wrong = probe_identity.make_wrong(trust_domain or "cluster.local", datetime.now(timezone.utc))
    except ImportError:
        warn(
            "Whether servers check identities is unknown: the Python library cryptography is missing. Remedy: install "
            "it for the Python that runs modules, or leave 'wrong' out of identities."
        )
        return None
    hide(wrong["key"])
    return wrong


def require_sidecar(pod: dict[str, Any]) -> None:
    """A pod without sidecar asks from outside, and would call a plaintext answer one from inside the mesh."""
    if not probe_pods.has_sidecar(pod):
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        raise api.ClusterError(
            f"The pod {name} came up without istio-proxy: no injection webhook took it. Remedy: check that istiod is "
            "running and its MutatingWebhookConfiguration exists; with revisions set the option revision; and choose a "
            "namespace without the label istio-injection=disabled."
        )


def root_certificates(cluster: api.Cluster, namespaces: Iterable[str]) -> str:
    """The mesh's root certificates as the target namespaces have them; empty where they cannot be read."""
    roots = set()
    for namespace in sorted(namespaces):
        try:
            found = cluster.get(CONFIG_MAPS.path(namespace, ROOT_CERTIFICATE))
        except api.ClusterError as error:
            if error.missing or error.forbidden:  # then the chain is reported as not verified
                continue
            raise
        text = (found.get("data") or {}).get("root-cert.pem", "")
        if is_pem(text):
            roots.add(text.strip())
    return "\n".join(sorted(roots))


def is_pem(text: str) -> bool:
    """Whether TLS can use these certificates as roots."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, TypeError, ValueError):  # TypeError: for text that is not ASCII
        return False
    return True
