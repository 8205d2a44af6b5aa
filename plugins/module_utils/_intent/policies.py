# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From entries of the role istio_mtls to policies, and to what cannot be meant by an entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._foreign import numbers
from .contents import marks
from .names import LABEL, LABEL_VALUE, SUBDOMAIN

Manifest = dict[str, Any]
Entry = Mapping[str, Any]

SCOPES = ("mesh", "namespace", "workload")
MODES = ("STRICT", "PERMISSIVE", "DISABLE", "UNSET")
SENT = ("ISTIO_MUTUAL", "DISABLE")
API_VERSIONS = {
    "PeerAuthentication": "security.istio.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
}
ROLE_NAME = "istio_mtls"
OURS = marks(ROLE_NAME)

ACCOUNT = re.compile(r"[^/]+/ns/([^/]+)/sa/([^/]+)")
PRINCIPAL = re.compile(r"\*|[^:/\s]+/ns/[^/\s]+/sa/[^/\s]+|\*[^*\s]+|[^*:\s]+\*")


_OF_POLICIES = ("scope", "namespace", "name", "selector", "mode", "ports")
_OF_HOSTS = ("host", "namespace", "name", "mode", "ports", "export_to")
_OF_CALLERS = ("namespace", "name", "selector", "principals")
"""What an entry of each option may hold."""


class Asked:
    """The manifests of all entries, each with the entry's place, and what is wrong with the entries."""

    def __init__(self) -> None:
        self.objects: list[tuple[str, Manifest]] = []
        self.blanket: list[Manifest] = []
        self.problems: list[str] = []
        self.refused: list[str] = []
        """Likewise of blanket rules, which can be told only after it is known whom they would break."""
        self.warnings: list[str] = []


def asked_for(
    policies: Sequence[Entry], hosts: Sequence[Entry], authorization: Sequence[Entry], root_namespace: str
) -> Asked:
    """The policies that entries of the three options ask for."""
    asked = Asked()
    for variable, known, entries, check, make in (
        ("istio_mtls_policies", _OF_POLICIES, policies, _policy_problems, _peer_authentication),
        ("istio_mtls_hosts", _OF_HOSTS, hosts, _host_problems, _destination_rule),
        ("istio_mtls_authorization", _OF_CALLERS, authorization, _authorization_problems, _authorization_policy),
    ):
        slots: dict[Any, str] = {}
        for index, given in enumerate(entries):
            entry = {key: value for key, value in given.items() if value is not None}
            place = f"{variable}[{index}]"
            unknown = sorted(set(map(str, entry)) - set(known))
            problems = [f"has {', '.join(unknown)}. Remedy: only {', '.join(known)}"] if unknown else []
            problems += check(entry, root_namespace)
            blanket = make is _destination_rule and _is_blanket(entry)
            (asked.refused if blanket else asked.problems).extend(f"{place}: {problem}" for problem in problems)
            if blanket:
                asked.blanket.append(_destination_rule({"namespace": root_namespace, **entry}, root_namespace))
            if problems:
                continue
            manifest = make(entry, root_namespace)
            asked.warnings += [f"{place}: {warning}" for warning in _doubts(manifest, root_namespace)]
            for slot in (key_of(manifest), slot_of(manifest)):
                if slots.setdefault(slot, place) != place:
                    asked.problems.append(f"{place}: says again what {slots[slot]} says. Remedy: keep one of them")
                    break
            asked.objects.append((place, manifest))
    return asked


def _policy_problems(entry: Entry, root: str) -> Iterator[str]:
    scope, namespace = entry.get("scope", "namespace"), entry.get("namespace")
    if scope not in SCOPES:
        yield f"scope is {scope}. Remedy: one of {', '.join(SCOPES)}"
        return
    if scope == "mesh" and namespace not in (None, root):
        yield f"a policy for the mesh lives in the root namespace {root}, not in {namespace}. Remedy: drop namespace"
    if scope != "mesh" and not namespace:
        yield f"a policy for a {scope} needs its namespace. Remedy: add namespace"
    if scope == "namespace" and namespace == root:
        yield f"a policy without selector in the root namespace {root} governs the whole mesh. Remedy: scope: mesh"
    if scope == "workload" and namespace == root:
        yield f"Istio ignores a selector in the root namespace {root}. Remedy: the namespace of the workload"
    if scope == "workload" and not entry.get("selector"):
        yield "a policy for a workload needs a selector. Remedy: add the labels of its pods as selector"
    if scope == "workload" and not entry.get("name"):
        yield "a policy for a workload needs a name. Remedy: add name"
    if scope != "workload" and entry.get("selector"):
        yield f"a policy for a {scope} has no selector. Remedy: scope: workload"
    if scope != "workload" and entry.get("ports"):
        yield "Istio takes ports only together with a selector. Remedy: scope: workload and a selector"
    if entry.get("mode", "STRICT") not in MODES:
        yield f"mode is {entry['mode']}. Remedy: one of {', '.join(MODES)}"
    yield from _port_problems(entry.get("ports"), MODES, "container ports")
    yield from _name_problems(entry)
    yield from _selector_problems(entry.get("selector"))


def _peer_authentication(entry: Entry, root: str) -> Manifest:
    scope = entry.get("scope", "namespace")
    spec: Manifest = {"mtls": {"mode": entry.get("mode", "STRICT")}}
    if scope == "workload":
        spec["selector"] = {"matchLabels": dict(entry["selector"])}
    if entry.get("ports"):
        spec["portLevelMtls"] = {str(port): {"mode": mode} for port, mode in entry["ports"].items()}
    return _manifest(
        "PeerAuthentication", root if scope == "mesh" else entry["namespace"], entry.get("name", "default"), spec
    )


def _is_blanket(entry: Entry) -> bool:
    return "*" in str(entry.get("host", ""))


def _host_problems(entry: Entry, root: str) -> Iterator[str]:
    host = str(entry.get("host", ""))
    if _is_blanket(entry):
        yield (
            f"a rule for {host} also meets hosts outside the mesh, which cannot take mutual TLS, or takes it from hosts"
            " that do. Remedy: name single hosts; without a rule auto-mTLS decides for each server by itself"
        )
    elif not SUBDOMAIN.fullmatch(host):
        yield f"host '{host}' is no host name. Remedy: a name such as service-a.demo.svc.cluster.local"
    elif not _rule_namespace(entry):
        yield f"the rule for {host} needs a namespace to live in. Remedy: add namespace, at best the Service's own"
    if entry.get("mode", SENT[0]) not in SENT:
        yield f"mode is {entry['mode']}. Remedy: one of {', '.join(SENT)}"
    yield from _port_problems(entry.get("ports"), SENT, "ports of the Service")
    yield from _name_problems(entry)


def _rule_namespace(entry: Entry) -> str | None:
    """Where the rule lives: as asked for, else in the namespace of the Service that its full name tells."""
    parts = str(entry["host"]).split(".")
    return entry.get("namespace") or (parts[1] if len(parts) > 3 and parts[2] == "svc" else None)


def _destination_rule(entry: Entry, root: str) -> Manifest:
    policy: Manifest = {"tls": {"mode": entry.get("mode", SENT[0])}}
    if entry.get("ports"):
        policy["portLevelSettings"] = [
            {"port": {"number": int(port)}, "tls": {"mode": mode}}
            for port, mode in sorted(entry["ports"].items(), key=lambda item: int(item[0]))
        ]
    spec: Manifest = {"host": entry["host"], "trafficPolicy": policy}
    if entry.get("export_to"):
        spec["exportTo"] = list(entry["export_to"])
    return _manifest(
        "DestinationRule", _rule_namespace(entry) or root, entry.get("name") or f"mtls-{entry['host']}", spec
    )


def _authorization_problems(entry: Entry, root: str) -> Iterator[str]:
    if not entry.get("namespace"):
        yield "needs a namespace. Remedy: add namespace"
    for principal in entry.get("principals") or []:
        if not PRINCIPAL.fullmatch(str(principal)):
            yield (
                f"'{principal}' is no principal, which has no spiffe:// before it."
                " Remedy: such as cluster.local/ns/demo/sa/service-b"
            )
    yield from _name_problems(entry)
    yield from _selector_problems(entry.get("selector"))


def _authorization_policy(entry: Entry, root: str) -> Manifest:
    """With principals only these may call; without, whoever has no identity may not."""
    principals = list(entry.get("principals") or [])
    source = {"principals": principals} if principals else {"notPrincipals": ["*"]}
    spec: Manifest = {"action": "ALLOW" if principals else "DENY", "rules": [{"from": [{"source": source}]}]}
    if entry.get("selector"):
        spec["selector"] = {"matchLabels": dict(entry["selector"])}
    return _manifest("AuthorizationPolicy", entry["namespace"], entry.get("name", "mtls-identity"), spec)


def _name_problems(entry: Entry) -> Iterator[str]:
    for key, pattern in (("namespace", LABEL), ("name", SUBDOMAIN)):
        if key in entry and not pattern.fullmatch(str(entry[key])):
            yield f"{key} '{entry[key]}' is no name for Kubernetes. Remedy: lower case letters, digits and '-'"


def _selector_problems(selector: Any) -> Iterator[str]:
    for key, value in (selector or {}).items():
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            yield f"selector {key}: {value!r} is no label value. Remedy: text, in quotes if it looks like a number"


def _port_problems(ports: Any, modes: Sequence[str], what: str) -> Iterator[str]:
    for port, mode in (ports or {}).items():
        if numbers.port(port) is None:
            yield f"'{port}' is no port. Remedy: numbers from 1 to 65535, the {what}"
        if mode not in modes:
            yield f"port {port} has the mode {mode}. Remedy: one of {', '.join(modes)}"


def _doubts(manifest: Manifest, root: str) -> Iterator[str]:
    """What is allowed and still may not be what was meant."""
    spec = manifest["spec"]
    host = str(spec.get("host", ""))
    if manifest["kind"] == "DestinationRule" and host.count(".") == 1:
        name, namespace = host.split(".")
        yield (
            f"Istio takes the host {host} literally, so it meets no Kubernetes Service."
            f" For the Service {name} of {namespace} write {name}.{namespace}.svc.cluster.local"
        )
    if manifest["kind"] == "AuthorizationPolicy" and manifest["metadata"]["namespace"] == root:
        yield f"an AuthorizationPolicy in the root namespace {root} counts in the whole mesh, gateways included"


def _manifest(kind: str, namespace: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(OURS)},
        "spec": spec,
    }


# Which policy it is.


def key_of(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, namespace (empty for none) and name."""
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace") or "", meta["name"]


def named(manifest: Mapping[str, Any]) -> str:
    """As people read it, and as findings name an object."""
    kind, namespace, name = key_of(manifest)
    return f"{kind} {namespace}/{name}"


def selector_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The labels by which a policy selects pods."""
    return ((manifest.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}


def slot_of(manifest: Manifest) -> Any:
    """Of objects with the same slot Istio goes by one alone; several AuthorizationPolicies count together."""
    namespace = manifest["metadata"]["namespace"]
    if manifest["kind"] == "DestinationRule":
        return namespace, full_host(manifest)
    if manifest["kind"] == "PeerAuthentication":
        return namespace, tuple(sorted(selector_of(manifest).items()))
    return key_of(manifest)


def full_host(manifest: Mapping[str, Any]) -> str:
    """The host of a DestinationRule, where it is short as the Service of its own namespace that it means."""
    host = str((manifest.get("spec") or {}).get("host") or "")
    return host if "." in host else f"{host}.{manifest['metadata']['namespace']}.svc.cluster.local"
