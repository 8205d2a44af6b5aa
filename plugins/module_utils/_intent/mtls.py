# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user asks of the role istio_mtls to manifests, and to what speaks against them.

Nothing here decides what traffic does: it makes the objects, and finds requests that cannot mean what they say and
objects of others that ours would collide with, or lose to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._policy.ages import age_of
from .._policy.records import UNDATED

Manifest = dict[str, Any]
Entry = Mapping[str, Any]

MODES = ("STRICT", "PERMISSIVE", "DISABLE", "UNSET")
SENT = ("ISTIO_MUTUAL", "DISABLE")
API_VERSIONS = {
    "PeerAuthentication": "security.istio.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
}
MANAGED_BY, ROLE = "app.kubernetes.io/managed-by", "meshproof.mtls/role"
OURS = {MANAGED_BY: "meshproof.mtls", ROLE: "istio_mtls"}
# Labels and annotations by which other tools say whose an object is.
OWNERS = (
    MANAGED_BY,
    ROLE,
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/instance",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
    "operator.istio.io/component",
)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
PRINCIPAL = re.compile(r"\*|[^:/\s]+/ns/[^/\s]+/sa/[^/\s]+|\*[^*\s]+|[^*:\s]+\*")


def plan(
    policies: Sequence[Mapping[str, Any]] = (),
    hosts: Sequence[Mapping[str, Any]] = (),
    authorization: Sequence[Mapping[str, Any]] = (),
    root_namespace: str = "istio-system",
    existing: Iterable[Mapping[str, Any]] = (),
    missing_kinds: Sequence[str] = (),
    state: str = "present",
    prune: bool = False,
) -> dict[str, Any]:
    """What to do so that the cluster is as asked for.

    `existing` are the objects that are there: Namespaces and the three policy kinds; `missing_kinds` those kinds that
    the cluster does not know. The answer:
    - `problems`: sentences; with any of them nothing should be applied. `warnings`: sentences that stop nothing.
    - `objects`: manifests to apply, those that differ from what is there. `homeless`: those among them that cannot be
      made yet, because their namespace or kind is not there, and `unmet`: sentences that say so.
    - `stale`: manifests of ours to delete.
    - `changes`: the same as pairs of `before` and `after`, and `proposed`: as evaluate() takes them.
    - `blanket`: refused blanket rules, as evaluate() takes them.
    """
    asked = _asked(policies, hosts, authorization, root_namespace) if state == "present" else _Asked()
    found = {_key(manifest): manifest for manifest in existing}
    wanted = [(place, _kept(manifest, found.get(_key(manifest)))) for place, manifest in asked.objects]
    keys = {_key(manifest) for dummy, manifest in wanted}
    stale = [
        _reference(manifest)
        for key, manifest in sorted(found.items())
        if manifest["kind"] in API_VERSIONS and _is_ours(manifest) and key not in keys and (prune or state == "absent")
    ]
    keys |= {_key(manifest) for manifest in stale}
    others = [manifest for key, manifest in sorted(found.items()) if key not in keys]
    problems, warnings = list(asked.problems), list(asked.warnings)
    unmet = {}
    for place, manifest in wanted:
        there = found.get(_key(manifest))
        problems += [f"{place}: {problem}" for problem in _taken(there)]
        for certain, sentence in _rivals(manifest, there, others):
            (problems if certain else warnings).append(f"{place}: {sentence}")
        if not there and (reason := _unmet(manifest, found, missing_kinds)):
            unmet[_key(manifest)] = reason
    changed = [manifest for dummy, manifest in wanted if _differs(manifest, found.get(_key(manifest)))]
    return {
        "problems": problems,
        "warnings": warnings,
        "objects": [manifest for manifest in changed if _key(manifest) not in unmet],
        "homeless": [manifest for manifest in changed if _key(manifest) in unmet],
        "unmet": sorted(set(unmet.values())),
        "stale": stale,
        "changes": [{"before": found.get(_key(manifest)), "after": manifest} for manifest in changed]
        + [{"before": found[_key(manifest)], "after": None} for manifest in stale],
        "proposed": [{"op": "apply", "manifest": manifest} for manifest in changed]
        + [{"op": "delete", "manifest": manifest} for manifest in stale],
        "blanket": [{"op": "apply", "manifest": manifest} for manifest in asked.blanket],
    }


# From entries to manifests.


class _Asked:
    """The manifests of all entries, each with the entry's place, and what is wrong with the entries."""

    def __init__(self) -> None:
        self.objects: list[tuple[str, Manifest]] = []
        self.blanket: list[Manifest] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []


def _asked(
    policies: Sequence[Entry], hosts: Sequence[Entry], authorization: Sequence[Entry], root_namespace: str
) -> _Asked:
    asked = _Asked()
    for variable, entries, check, make in (
        ("istio_mtls_policies", policies, _policy_problems, _peer_authentication),
        ("istio_mtls_hosts", hosts, _host_problems, _destination_rule),
        ("istio_mtls_authorization", authorization, _authorization_problems, _authorization_policy),
    ):
        slots: dict[Any, str] = {}
        for index, given in enumerate(entries):
            entry = {key: value for key, value in given.items() if value is not None}
            place = f"{variable}[{index}]"
            problems = list(check(entry, root_namespace))
            asked.problems += [f"{place}: {problem}" for problem in problems]
            if make is _destination_rule and _is_blanket(entry):
                asked.blanket.append(_destination_rule({"namespace": root_namespace, **entry}, root_namespace))
            if problems:
                continue
            manifest = make(entry, root_namespace)
            asked.warnings += [f"{place}: {warning}" for warning in _doubts(manifest, root_namespace)]
            for slot in (_key(manifest), _slot(manifest)):
                if slots.setdefault(slot, place) != place:
                    asked.problems.append(f"{place}: says again what {slots[slot]} says. Remedy: keep one of them")
                    break
            asked.objects.append((place, manifest))
    return asked


def _policy_problems(entry: Entry, root: str) -> Iterator[str]:
    scope, namespace = entry.get("scope", "namespace"), entry.get("namespace")
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
        if not str(port).isdigit() or not 0 < int(port) < 65536:
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


# Against what is there.


def _key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace") or "", meta["name"]


def _named(manifest: Mapping[str, Any]) -> str:
    kind, namespace, name = _key(manifest)
    return f"{kind} {namespace}/{name}"


def _reference(manifest: Mapping[str, Any]) -> Manifest:
    kind, namespace, name = _key(manifest)
    return {
        "apiVersion": manifest.get("apiVersion") or API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }


def _is_ours(manifest: Mapping[str, Any]) -> bool:
    labels = manifest["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in OURS.items())


def _kept(manifest: Manifest, there: Mapping[str, Any] | None) -> Manifest:
    """Our spec in full, and the labels and annotations that others have put on our object.

    The resourceVersion lets the API server refuse to replace an object that was changed since it was read.
    """
    meta = (there or {}).get("metadata") or {}
    kept = {key: meta[key] for key in ("annotations", "resourceVersion") if meta.get(key)}
    kept["labels"] = {**(meta.get("labels") or {}), **manifest["metadata"]["labels"]}
    return {**manifest, "metadata": {**manifest["metadata"], **kept}}


def _differs(manifest: Manifest, there: Mapping[str, Any] | None) -> bool:
    return (
        there is None
        or there.get("spec") != manifest["spec"]
        or (there["metadata"].get("labels") or {}) != manifest["metadata"]["labels"]
    )


def _owners(manifest: Mapping[str, Any]) -> str:
    meta = manifest["metadata"]
    marks = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    return ", ".join(f"{key}={marks[key]}" for key in OWNERS if key in marks) or "no label says whose it is"


def _taken(there: Mapping[str, Any] | None) -> Iterator[str]:
    if there is not None and not _is_ours(there):
        yield (
            f"{_named(there)} is there already and is not ours ({_owners(there)})."
            " Remedy: give ours another name, or have its owner remove it"
        )


def _unmet(manifest: Manifest, found: Mapping[Any, Mapping[str, Any]], missing_kinds: Sequence[str]) -> str | None:
    """Why the object cannot be made on this cluster yet."""
    namespace = manifest["metadata"]["namespace"]
    there = found.get(("Namespace", "", namespace))
    if manifest["kind"] in missing_kinds:
        kind = f"{manifest['apiVersion']} {manifest['kind']}"
        return f"the cluster does not know {kind}. Remedy: install Istio first (role istio_install)"
    if there is None:
        return f"there is no namespace {namespace}. Remedy: make it first (role istio_namespaces)"
    if (there.get("status") or {}).get("phase") == "Terminating":
        return f"the namespace {namespace} is being removed. Remedy: wait until it is gone and make it again"
    return None


def _rivals(
    manifest: Manifest, there: Mapping[str, Any] | None, others: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[bool, str]]:
    """(certain, sentence) for each object of the same kind that would win against ours, wholly or perhaps."""
    for other in others:
        if other["kind"] != manifest["kind"] or other["metadata"]["namespace"] != manifest["metadata"]["namespace"]:
            continue
        if there is not None and _surely_older(there, other):
            continue
        whose = f"{_named(other)} ({_owners(other)})"
        if manifest["kind"] == "PeerAuthentication":
            overlap = _overlap(manifest, other)
            if overlap == "all":
                yield (
                    True,
                    (
                        f"{whose} is older and of the same scope, so Istio would go by it and ignore ours."
                        " Remedy: have its owner change or remove it"
                    ),
                )
            elif overlap == "some":
                yield False, f"{whose} is older, and for pods that both select Istio goes by it and ignores ours"
        elif manifest["kind"] == "DestinationRule" and _same_host(manifest, other):
            yield (
                True,
                (
                    f"{whose} is an older rule for the same host, and Istio takes the trafficPolicy of the older one."
                    " Remedy: have its owner set the tls mode there, or remove it"
                ),
            )


def _surely_older(ours: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """By Istio's order within a scope: time in whole seconds, then name. Without a time nobody can tell."""
    ages = [age_of(manifest["metadata"]) for manifest in (ours, other)]
    names = [manifest["metadata"]["name"] for manifest in (ours, other)]
    return UNDATED not in ages and (ages[0], names[0]) < (ages[1], names[1])


def _selector(manifest: Mapping[str, Any]) -> dict[str, str]:
    return ((manifest.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}


def _slot(manifest: Manifest) -> Any:
    """Of objects with the same slot Istio goes by one alone; several AuthorizationPolicies count together."""
    namespace = manifest["metadata"]["namespace"]
    if manifest["kind"] == "DestinationRule":
        return namespace, _full_host(manifest)
    if manifest["kind"] == "PeerAuthentication":
        return namespace, tuple(sorted(_selector(manifest).items()))
    return _key(manifest)


def _overlap(ours: Manifest, other: Mapping[str, Any]) -> str:
    """Which of the pods that ours governs the other would govern instead: all | some | none."""
    mine, theirs = _selector(ours), _selector(other)
    if bool(mine) != bool(theirs):
        return "none"
    if any(mine.get(key, value) != value for key, value in theirs.items()):
        return "none"
    return "all" if theirs.items() <= mine.items() else "some"


def _full_host(manifest: Mapping[str, Any]) -> str:
    host = str((manifest.get("spec") or {}).get("host") or "")
    return host if "." in host else f"{host}.{manifest['metadata']['namespace']}.svc.cluster.local"


def _same_host(ours: Manifest, other: Mapping[str, Any]) -> bool:
    """A rule for chosen clients, or without a trafficPolicy, takes nothing from ours."""
    spec = other.get("spec") or {}
    return _full_host(ours) == _full_host(other) and "trafficPolicy" in spec and "workloadSelector" not in spec
