# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Istios are there, whose each is, how far its installation is, and who still uses it.

As in the engine, a control plane is what an injection webhook speaks of: that is cluster-scoped, and only an
administrator writes it. Beside that counts what lies in the namespace that the administrator names. An istiod anywhere
else is told apart, and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._policy.control_plane import ControlPlanes, version_of
from .._policy.manifests import Reader
from .._policy.membership import NEVER_INJECTED, webhook_revision
from .._policy.mesh import DEFAULT_REVISION
from .._policy.records import Snapshot
from .._policy.unread import TOUCHES, Unread
from .ownership import (
    INSTALL,
    RECORD,
    REVISION,
    ROLE,
    TAG,
    Record,
    count,
    is_ours,
    listed,
    mapping,
    record_of,
    suffixed,
    text,
    tool_of,
)

CHARTS = ("base", "istiod", "cni", "ztunnel")
"""Components in the order of installation; each is a chart of that name."""
AGENTS = {"istio-cni-node": "cni", "ztunnel": "ztunnel"}
"""The DaemonSets of the charts."""
DEFINITION = "peerauthentications.security.istio.io"
"""One CustomResourceDefinition speaks for all of Istio's."""
VALIDATOR = "istiod-default-validator"
"""The validating webhook of the base chart, which every object of Istio's kinds passes."""
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
"""Statuses of a Helm operation that did not end (helm's pkg/release/status.go)."""
_AKS = "aks-istio-system"
_DATAPLANE, _AMBIENT = "istio.io/dataplane-mode", "ambient"
_INJECTION = "istio-injection"
_STATUS, _REDIRECTION = "sidecar.istio.io/status", "ambient.istio.io/redirection"
_GATEWAY = "gateway.networking.k8s.io/gateway-name"

Manifest = Mapping[str, Any]


def release_names(revision: str) -> dict[str, str]:
    """The name of the Helm release of each component."""
    return {"base": "istio-base", "istiod": suffixed("istiod", revision), "cni": "istio-cni", "ztunnel": "ztunnel"}


def control_planes(
    resources: Iterable[Manifest], unread: Sequence[Mapping[str, Any]] = (), namespace: str = "istio-system"
) -> dict[str, Any]:
    """Every Istio that is there, as plain values.

    `resources` are manifests: webhooks, namespaces, the metadata of running pods, istiod's Deployments with their
    status, the agents' DaemonSets, records (ConfigMaps), Helm's Secrets without their data, one CRD, the Sail
    operator's objects. `unread` is what could not be read (kind, namespace, reason); `namespace` the one in which the
    administrator's Istio is.

    The answer is described in the documentation of the module control_plane_info.
    """
    seen = _Seen(resources, unread, namespace)
    known = [_plane(seen, *place) for place in seen.places()]
    return {
        "control_planes": known,
        "agents": [_agent(seen, item) for item in seen.agents],
        "definitions": _definitions(seen),
        "validating": [_validating(seen, item) for item in seen.validating],
        "releases": [
            {"name": name, "namespace": place, "status": status, "open": seen.open_operations.get((place, name), [])}
            for (place, name), status in seen.releases.items()
        ],
        "sail": [text(item["metadata"].get("name")) for item in seen.of("Istio")],
        "unanswered": _unanswered(seen),
        "unasked": sorted(
            f"{item['metadata'].get('namespace')}/{item['metadata'].get('name')}"
            for item in seen.of("Deployment")
            if mapping(item["metadata"].get("labels")).get("app") == "istiod"
            and item["metadata"].get("namespace") not in seen.homes
        ),
        "namespace": _namespace(seen),
        "unknown": [dict(gap) for gap in unread],
    }


class _Place(NamedTuple):
    """A revision, and where its control plane is; None outside the cluster."""

    revision: str
    namespace: Optional[str]


class _Seen:
    """What was read, sorted."""

    def __init__(self, resources: Iterable[Manifest], unread: Sequence[Mapping[str, Any]], namespace: str) -> None:
        reader = Reader()
        self._resources = [item for item in resources if isinstance(mapping(item).get("metadata"), Mapping)]
        reader.add(item for item in self._resources if item.get("kind") != "Pod")
        self.named = namespace
        self.unread = {text(gap.get("kind")) for gap in unread}
        self.snapshot: Snapshot = reader.snapshot()
        self.pods = [pod for pod in map(_proxied, self.of("Pod")) if pod]
        self.planes = ControlPlanes(self.snapshot, Unread([gap for gap in unread if gap.get("kind") in TOUCHES], []))
        self.webhooks = [item for item in self.of("MutatingWebhookConfiguration") if _label(item, REVISION)]
        self.validating = [
            item
            for item in self.of("ValidatingWebhookConfiguration")
            if item["metadata"].get("name") == VALIDATOR or _label(item, REVISION)
        ]
        ending = {item["metadata"].get("name") for item in self.of("Namespace") if _ends(item)}
        self.namespaces = [item for name, item in self.snapshot.namespaces.items() if name not in ending]
        """Those that are not about to end."""
        self.homes = self.planes.homes | {namespace}
        """Namespaces where administrators alone write."""
        maps = [item for item in self.of("ConfigMap") if item["metadata"].get("namespace") in self.homes]
        self.records = [record for record in map(record_of, maps) if record]
        self.bad_records = [
            f"{item['metadata'].get('namespace')}/{item['metadata'].get('name')}"
            for item in maps
            if _label(item, ROLE) == INSTALL
            and text(item["metadata"].get("name")).startswith(RECORD)
            and record_of(item) is None
        ]
        self.istiods = {
            (text(item["metadata"].get("namespace")), text(item["metadata"].get("name"))): item
            for item in self.of("Deployment")
            if item["metadata"].get("namespace") in self.homes and _label(item, "app") == "istiod"
        }
        self.agents = [
            item
            for item in self.of("DaemonSet")
            if item["metadata"].get("name") in AGENTS and item["metadata"].get("namespace") in self.homes
        ]
        self.releases = _releases(self.of("Secret"), self.homes)
        self.open_operations = _open_operations(self.of("Secret"))

    def of(self, kind: str) -> list[Manifest]:
        """The manifests of a kind."""
        return [item for item in self._resources if item.get("kind") == kind]

    def places(self) -> list[_Place]:
        """Where control planes are, by webhooks, istiods and records."""
        found = {
            _Place(hook.revision, home)
            for hook in self.snapshot.webhooks
            for home in (*sorted(hook.homes), *((None,) if hook.remote else ()))
        }
        found |= {
            _Place(_label(item, REVISION) or DEFAULT_REVISION, place) for (place, dummy), item in self.istiods.items()
        }
        found |= {_Place(record.revision, record.namespace) for record in self.records}
        return sorted(found, key=lambda place: (place.revision, place.namespace or ""))

    def record(self, place: _Place) -> Optional[Record]:
        """The record of a control plane."""
        found = [item for item in self.records if (item.revision, item.namespace) == place]
        return found[0] if found else None

    def ours(self, item: Manifest, namespace: str) -> bool:
        """Whether an object has our label, or is part of what our records speak of in its control plane's namespace.

        A record does not cover what another tool has made since.
        """
        records = [record for record in self.records if record.namespace == namespace]
        releases = {name for record in records for name in _releases_of(record)}
        names = {suffixed(RECORD, record.revision) for record in records if record.method == "istioctl"}
        return is_ours(item["metadata"], namespace, releases, names)


def _releases_of(record: Record) -> Iterable[str]:
    return release_names(record.revision).values() if record.method == "helm" else ()


def _releases(secrets: Iterable[Manifest], homes: Iterable[str]) -> dict[tuple[str, str], str]:
    """The status of each Helm release, by namespace and name: its newest revision's (helm's pkg/storage/driver)."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    wanted = set(homes)
    for item in secrets:
        labels, place = mapping(item["metadata"].get("labels")), text(item["metadata"].get("namespace"))
        name, version = text(labels.get("name")), text(labels.get("version"))
        if labels.get("owner") != "helm" or not name or place not in wanted or not version.isdecimal():
            continue
        found = (int(version), text(labels.get("status")))
        newest[place, name] = max(newest.get((place, name), found), found)
    return {key: status for key, (dummy, status) in sorted(newest.items())}


def _open_operations(secrets: Iterable[Manifest]) -> dict[tuple[str, str], list[str]]:
    """The Secrets of Helm operations that did not end, by the namespace and the name of their release."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in secrets:
        if _label(item, "owner") == "helm" and _label(item, "status") in PENDING:
            place = (text(item["metadata"].get("namespace")), _label(item, "name"))
            found.setdefault(place, []).append(text(item["metadata"].get("name")))
    return found


def _ends(item: Manifest) -> bool:
    """Whether an object is being deleted."""
    return bool(item["metadata"].get("deletionTimestamp"))


def _label(item: Manifest, name: str) -> str:
    return text(mapping(mapping(item.get("metadata")).get("labels")).get(name))


# One control plane.


def _plane(seen: _Seen, revision: str, namespace: Optional[str]) -> dict[str, Any]:
    place = _Place(revision, namespace)
    istiod = seen.istiods.get((namespace or "", suffixed("istiod", revision)))
    record = seen.record(place)
    hooks = [item for item in seen.webhooks if _label(item, REVISION) == revision and _calls(item, namespace)]
    own = [item for item in hooks if not _label(item, TAG)]
    whose, words = _owner(seen, place, istiod, own or hooks)
    replicas = _replicas(istiod)
    agents = {
        AGENTS[item["metadata"]["name"]] for item in seen.agents if item["metadata"].get("namespace") == namespace
    }
    there = {
        *(["base"] if seen.of("CustomResourceDefinition") else []),
        *(["istiod"] if istiod is not None else []),
        *agents,
    }
    phase, why = _phase(seen, place, record, istiod, own, replicas)
    return {
        "revision": revision,
        "namespace": namespace,
        "version": _version(istiod) or (record.version if record else None),
        "owner": whose,
        "owner_says": words,
        "phase": phase,
        "why": why,
        "components": [name for name in CHARTS if name in there],
        "istiod": replicas,
        "webhooks": [{"name": item["metadata"].get("name"), "labels": labels_answered(item)} for item in own],
        "tags": [
            {
                "name": _label(item, TAG),
                "webhook": item["metadata"].get("name"),
                "owner": INSTALL if namespace and seen.ours(item, namespace) else tool_of(item["metadata"])[0],
            }
            for item in hooks
            if _label(item, TAG)
        ],
        "used_by": _users(seen, place),
        "record": _shown(record) if record else None,
    }  # fmt: skip


def _calls(item: Manifest, namespace: Optional[str]) -> bool:
    """Whether an injection webhook calls into a namespace, or (None) outside the cluster."""
    clients = [mapping(hook.get("clientConfig")) for hook in listed(item.get("webhooks"))]
    services = {text(mapping(client.get("service")).get("namespace")) for client in clients} - {""}
    if namespace is None:
        return any(client.get("url") for client in clients)
    # Without any entry, as istioctl writes it before the tag, its home is told by others of its revision.
    return namespace in services or not clients


def labels_answered(item: Manifest) -> list[str]:
    """The labels of namespaces that an injection webhook answers, as name=value."""
    found: set[str] = set()
    for hook in listed(item.get("webhooks")):
        for rule in listed(mapping(hook.get("namespaceSelector")).get("matchExpressions")):
            values = rule.get("values")
            if rule.get("key") in (_INJECTION, REVISION) and rule.get("operator") == "In" and isinstance(values, list):
                found.update(f"{rule['key']}={value}" for value in values)
    return sorted(found)


def _owner(seen: _Seen, place: _Place, istiod: Optional[Manifest], hooks: Sequence[Manifest]) -> tuple[str, str]:
    """Which tool installed it, and the end of a sentence that says so: that of the first part that is not ours."""
    if place.namespace is None:
        return "remote", "a control plane outside the cluster"
    parts = [*([istiod] if istiod is not None else []), *hooks]
    foreign = [item for item in parts if not seen.ours(item, place.namespace)]
    if not foreign:
        return INSTALL, "installed by this role" + ("" if seen.record(place) else ", whose record is not there")
    return ("aks", "the managed Istio of AKS") if place.namespace == _AKS else tool_of(foreign[0]["metadata"])


def _replicas(istiod: Optional[Manifest]) -> Optional[dict[str, Any]]:
    """How many istiods are wanted and ready; None without a Deployment."""
    if istiod is None:
        return None
    spec, status = mapping(istiod.get("spec")), mapping(istiod.get("status"))
    return {
        "name": istiod["metadata"].get("name"),
        "wanted": count(spec.get("replicas"), 1),
        "ready": count(status.get("readyReplicas"), 0),
    }


def _version(istiod: Optional[Manifest]) -> Optional[str]:
    template = mapping(mapping(mapping(istiod).get("spec")).get("template"))
    for container in listed(mapping(template.get("spec")).get("containers")):
        if container.get("name") == "discovery":
            return version_of(text(container.get("image")))
    return None


def _phase(
    seen: _Seen,
    place: _Place,
    record: Optional[Record],
    istiod: Optional[Manifest],
    hooks: Sequence[Manifest],
    replicas: Optional[Mapping[str, Any]],
) -> tuple[str, str]:
    """How far an installation is, and why it is no further."""
    pending = [
        f"Helm release {name} is {status}"
        for (home, name), status in seen.releases.items()
        if home == place.namespace and name in release_names(place.revision).values() and status in PENDING
    ]
    if pending:
        return "pending", "; ".join(pending)
    if record and record.phase != "installed":
        return "installing", "a run of this role did not end"
    if place.namespace is None:
        return "installed", ""
    if istiod is None or replicas is None:
        if "Deployment" in seen.unread:
            return "unknown", "istiod's Deployment could not be read"
        return "broken", f"its Deployment {place.namespace}/{suffixed('istiod', place.revision)} is not there"
    name = f"{place.namespace}/{replicas['name']}"
    if not replicas["wanted"]:
        return "broken", f"its Deployment {name} is scaled to 0"
    if not replicas["ready"]:
        return "broken", f"no replica of its Deployment {name} is ready"
    if not hooks and "MutatingWebhookConfiguration" not in seen.unread:
        return "broken", "no injection webhook asks it"
    return "installed", ""


def _shown(record: Record) -> dict[str, Any]:
    return {
        **record._asdict(),
        "components": list(record.components),
        "objects": [dict(item) for item in record.objects],
    }


# Who uses it.


def _users(seen: _Seen, place: _Place) -> dict[str, Any]:
    """The namespaces whose label asks for a revision, and the running pods with a proxy of it."""
    names = []
    for item in seen.namespaces:
        asked = webhook_revision(item.labels, {})
        if item.name not in NEVER_INJECTED and asked is not None and place.revision in _meant(seen, asked):
            label = REVISION if REVISION in item.labels and _INJECTION not in item.labels else _INJECTION
            names.append({"name": item.name, "label": f"{label}={item.labels[label]}"})
        elif item.labels.get(_DATAPLANE) == _AMBIENT and place == _ambient(seen):
            names.append({"name": item.name, "label": f"{_DATAPLANE}={_AMBIENT}"})
    pods = [
        pod.name
        for pod in seen.pods
        if (place == _ambient(seen) if pod.revision is None else place.revision in _meant(seen, pod.revision))
    ]
    return {"namespaces": sorted(names, key=lambda item: item["name"]), "pods": sorted(pods)}


class _Pod(NamedTuple):
    """A pod in the mesh."""

    name: str
    """namespace/name"""
    revision: Optional[str]
    """Of its proxy; None for one that ztunnel takes along."""


def _proxied(item: Manifest) -> Optional[_Pod]:
    """What a pod's metadata says of its proxy; None where it says nothing of one, or the pod is about to end.

    Injection writes its revision into an annotation (pkg/kube/inject/inject.go: SidecarInjectionStatus); what istiod
    makes of a Gateway has labels (files/kube-gateway.yaml, files/waypoint.yaml).
    """
    metadata = item["metadata"]
    labels, notes = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    name = f"{text(metadata.get('namespace'))}/{text(metadata.get('name'))}"
    if _ends(item):
        return None
    revision = text(notes.get(REVISION)) or text(labels.get(REVISION)) or DEFAULT_REVISION
    if _STATUS in notes:
        try:
            status = json.loads(text(notes[_STATUS]))
        except ValueError:
            status = None
        return _Pod(name, text(mapping(status).get("revision")) or revision)
    if _GATEWAY in labels:
        return _Pod(name, revision)
    return _Pod(name, None) if notes.get(_REDIRECTION) == "enabled" else None


def _meant(seen: _Seen, label: str) -> set[str]:
    """The revisions that a label may stand for: several where webhooks disagree, so that none is taken for unused."""
    return seen.planes.contested.get(label) or {seen.planes.tags.get(label) or label or DEFAULT_REVISION}


def _ambient(seen: _Seen) -> Optional[_Place]:
    """Whose ztunnel takes part in the ambient mesh; None where there is none."""
    for item in seen.agents:
        if item["metadata"].get("name") == "ztunnel":
            notes = mapping(item["metadata"].get("annotations"))
            revision = text(notes.get(REVISION)) or DEFAULT_REVISION
            return _Place(seen.planes.tags.get(revision, revision), text(item["metadata"].get("namespace")))
    return None


def _unanswered(seen: _Seen) -> list[dict[str, str]]:
    """Namespaces whose label no injection webhook answers, though it asks for a sidecar: they get none."""
    if "MutatingWebhookConfiguration" in seen.unread:
        return []
    answered = {label for item in seen.webhooks for label in labels_answered(item)}
    found = []
    for item in seen.namespaces:
        asked = webhook_revision(item.labels, {})
        if asked is None or item.name in NEVER_INJECTED:
            continue
        label = f"{_INJECTION}=enabled" if _INJECTION in item.labels else f"{REVISION}={asked}"
        if label not in answered:
            found.append({"namespace": item.name, "label": label})
    return sorted(found, key=lambda entry: entry["namespace"])


# What control planes share.


def _agent(seen: _Seen, item: Manifest) -> dict[str, Any]:
    status, place = mapping(item.get("status")), text(item["metadata"].get("namespace"))
    whose, words = tool_of(item["metadata"])
    if seen.ours(item, place):
        whose, words = INSTALL, "installed by this role"
    return {
        "name": item["metadata"].get("name"),
        "namespace": place,
        "component": AGENTS[text(item["metadata"].get("name"))],
        "wanted": count(status.get("desiredNumberScheduled"), 0),
        "ready": count(status.get("numberReady"), 0),
        "owner": whose,
        "owner_says": words,
    }


def _definitions(seen: _Seen) -> Optional[dict[str, Any]]:
    """Istio's CustomResourceDefinitions, by one of them; None where there are none."""
    for item in seen.of("CustomResourceDefinition"):
        if item["metadata"].get("name") == DEFINITION:
            whose, words = tool_of(item["metadata"])
            if any(seen.ours(item, home) for home in sorted(seen.homes)):
                whose, words = INSTALL, "installed by this role"
            helm = "meta.helm.sh/release-name" in mapping(item["metadata"].get("annotations"))
            return {"name": DEFINITION, "owner": whose, "owner_says": words, "in_release": helm}
    return None


def _validating(seen: _Seen, item: Manifest) -> dict[str, Any]:
    """Which istiod a validating webhook asks, and whether that can answer."""
    client: Mapping[str, Any] = {}
    for hook in listed(item.get("webhooks")):
        client = mapping(hook.get("clientConfig"))
        break
    service = mapping(client.get("service"))
    place, name = text(service.get("namespace")), text(service.get("name"))
    replicas = _replicas(seen.istiods.get((place, name)))
    answers: Optional[bool] = bool(replicas and replicas["wanted"])
    if not name or "Deployment" in seen.unread:
        answers = None
    return {
        "name": item["metadata"].get("name"),
        "revision": _label(item, REVISION),
        "namespace": place or None,
        "service": name or None,
        "answers": answers,
        "owner": INSTALL if place and seen.ours(item, place) else tool_of(item["metadata"])[0],
    }


def _namespace(seen: _Seen) -> Optional[dict[str, Any]]:
    """The named namespace; None where it is not there."""
    for item in seen.of("Namespace"):
        if item["metadata"].get("name") == seen.named:
            return {
                "name": seen.named,
                "labels": dict(mapping(item["metadata"].get("labels"))),
                "deleted": text(item["metadata"].get("deletionTimestamp")) or None,
                "ours": _label(item, ROLE) == INSTALL,
                "bad_records": seen.bad_records,
            }
    return None
