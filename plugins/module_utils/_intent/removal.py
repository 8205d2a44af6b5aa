# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes when an Istio that the role istio_install made is removed, in which order, and what forbids it.

Whatever goes was seen in the cluster with our mark, is of a kind that Istio's charts have, and lies in the cluster
itself or in the namespace that the administrator named. A record only tells which revision something belongs to: it
makes nothing ours. All of it is known before anything is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._foreign.visible import visible
from .control_planes import CHARTS, VALIDATOR, release_names
from .ownership import INSTALL, MANAGED_BY, OURS, RECORD, REVISION, ROLE, is_ours, listed, mapping, suffixed, text

CONFIRMATION = "delete foreign objects too"
"""What istio_install_purge_confirm has to be, word for word."""
_AGREE = f'agree with istio_install_purge_confirm="{CONFIRMATION}"'
CLUSTER_KINDS = {
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
}
"""The kinds of Istio's charts without a namespace, in the order of removal: while a webhook has no istiod, pods and
Istio's objects are refused."""
NAMESPACED_KINDS = (
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Deployment",
    "DaemonSet",
    "Service",
    "EndpointSlice",
    "NetworkPolicy",
    "RoleBinding",
    "Role",
    "ServiceAccount",
    "ConfigMap",
    "ResourceQuota",
    "NetworkAttachmentDefinition",
)
"""Those in the control plane's namespace, in the order of removal."""
CUSTOM_KINDS = {
    "AuthorizationPolicy": "security.istio.io/v1",
    "PeerAuthentication": "security.istio.io/v1",
    "RequestAuthentication": "security.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
    "EnvoyFilter": "networking.istio.io/v1alpha3",
    "Gateway": "networking.istio.io/v1",
    "ProxyConfig": "networking.istio.io/v1beta1",
    "ServiceEntry": "networking.istio.io/v1",
    "Sidecar": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
    "WorkloadEntry": "networking.istio.io/v1",
    "WorkloadGroup": "networking.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "TrafficExtension": "extensions.istio.io/v1alpha1",
    "WasmPlugin": "extensions.istio.io/v1alpha1",
}
"""Istio's own kinds (manifests/charts/base/files/crd-all.gen.yaml)."""
CA_MAPS = ("istio-ca-root-cert", "istio-ca-crl")
"""What istiod writes into every namespace (pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go)."""
_CA_LABEL = "istio.io/config"
_ELECTION = re.compile(
    r"istio-(leader|.*-leader|.*-election|gateway-deployment|gateway-inferencepool|node-untaint|ip-autoallocate)(-.*)?"
)
"""The locks of its leader elections, some of each revision (pilot/pkg/leaderelection/leaderelection.go)."""
_CLASSES = ("istio", "istio-remote", "istio-waypoint", "istio-east-west")
_CLUSTER_MADE = ("ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt", "ServiceAccount default")
_RELEASE = "meta.helm.sh/release-name"
_OWNING = "install.operator.istio.io/owning-resource"
_COMPONENT = "operator.istio.io/component"
_OF_COMPONENT = {"Base": "base", "Pilot": "istiod", "Cni": "cni", "Ztunnel": "ztunnel"}
_REMOVABLE = ("deployed", "failed")
"""Statuses in which Helm uninstalls a release; what an open operation left goes by its marks."""
_MOST = 20

Manifest = Mapping[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace (empty for kinds of the cluster) and name."""


class Wish(NamedTuple):
    """What the user asked for."""

    revision: str
    """`default` for the default one."""
    namespace: str
    purge: bool = False
    confirmed: bool = False
    """Whether objects of others may go with a purge."""
    in_use: bool = False
    """Whether a revision may go that is still used."""


def questions() -> list[dict[str, Any]]:
    """What objects_info has to read for ``removal``, beside the contents of the namespace."""
    cluster = [{"api_version": version, "kind": kind, "only_metadata": True} for kind, version in CLUSTER_KINDS.items()]
    custom = [{"api_version": version, "kind": kind, "only_metadata": True} for kind, version in CUSTOM_KINDS.items()]
    maps = [
        {"api_version": "v1", "kind": "ConfigMap", "field_selectors": [f"metadata.name={name}"], "only_metadata": True}
        for name in CA_MAPS
    ]
    return [*cluster, *custom, *maps, {"api_version": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"}]


def removal(wish: Wish, observed: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of a removal, from what control_plane_info and objects_info (see ``questions``) told.

    - `problems`: sentences; with any of them nothing is removed. `left`: sentences about what stays.
    - `nothing`: whether there is nothing of ours.
    - `releases`: the Helm releases to uninstall, in that order. `going`: what is deleted after them, in that order.
    - `repoint`: a patch of the validating webhook that would ask an istiod which is gone, for one that stays, or None.
    - `purge`: what is deleted when istiod is gone. `namespace`, `record`: whether they go, last of all.
    - `lines`: everything that goes, a line each.
    """
    scene = _Scene(wish, observed, found)
    going = scene.going()
    releases = scene.releases()
    purged = scene.purged() if wish.purge else []
    whole = bool(wish.purge and scene.namespace_is_ours)
    repoint, validator_problem = scene.repointed()
    nothing = not (scene.record or going or releases or (wish.purge and (purged or whole)))
    strangers = scene.strangers(going, purged, whole) if wish.purge and not nothing else []
    problems = [] if nothing else [*scene.problems(whole), *validator_problem, *_strangers(wish, strangers)]
    last = [_record_name(wish)] if scene.record else []
    lines = [
        *(f"Helm release {name}" for name in releases),
        *(_shown(item) for item in [*going, *purged]),
        *(f"ConfigMap {wish.namespace}/{name}" for name in last),
        *(f"{_shown(item)}, the CA's key" for item in (scene.authorities() if whole else [])),
        *([f"Namespace {wish.namespace} and all that is in it"] if whole else []),
        *(f"{name} (not ours, as confirmed)" for name in (strangers if wish.confirmed else [])),
    ]
    return {
        "problems": [visible(sentence, 4000) for sentence in [*scene.unreadable(), *problems]],
        "left": [visible(sentence) for sentence in scene.left(going)],
        "nothing": nothing,
        "releases": releases,
        "going": going,
        "repoint": repoint,
        "purge": purged,
        "namespace": whole,
        "record": bool(scene.record),
        "lines": [visible(line) for line in lines],
    }


def _record_name(wish: Wish) -> str:
    return suffixed(RECORD, wish.revision)


class _Scene:
    """What there is, seen from one removal."""

    def __init__(self, wish: Wish, observed: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self.wish = wish
        self.observed = observed
        self.objects = listed(found.get("objects"))
        self.contents = listed(found.get("contents"))
        self.unread = [*listed(observed.get("unknown")), *listed(found.get("unread"))]
        self.planes = listed(observed.get("control_planes"))
        place = mapping(observed.get("namespace"))
        self.namespace_is_ours = bool(place.get("ours"))
        self.bad_records = [text(name) for name in place.get("bad_records") or ()]
        records = [
            mapping(plane["record"])
            for plane in self.planes
            if plane.get("record") and plane.get("namespace") == wish.namespace
        ]
        self.record: Optional[Manifest] = next((item for item in records if item["revision"] == wish.revision), None)
        self.others = [item for item in records if item["revision"] != wish.revision]
        self.others += [
            {"revision": plane["revision"], "method": "", "components": plane["components"], "objects": []}
            for plane in self.planes
            if plane["namespace"] == wish.namespace and plane["owner"] == INSTALL and not plane.get("record")
            if plane["revision"] != wish.revision
        ]
        """What stays of ours; of an installation whose record somebody deleted only its objects' labels tell."""
        self.kept = {name for record in self.others for name in record["components"]} - {"istiod"}
        self.kept |= {"base"} if self.others else set()
        """Components that other revisions share."""
        self.known = {
            "releases": {name for record in records for name in release_names(record["revision"]).values()}
            if any(record["method"] == "helm" for record in records)
            else set(),
            "records": {suffixed(RECORD, record["revision"]) for record in records if record["method"] == "istioctl"},
        }

        ages = [text(mapping(item.get("metadata")).get("creationTimestamp")) for item in self._marked_objects()]
        ages += [text(record.get("created")) for record in records]
        self.born = min(filter(None, ages), default="")
        """Since when there has been something of ours."""

    def _marked_objects(self) -> list[Manifest]:
        return [item for item in [*self.objects, *self.contents] if self.marked(item)]

    # --- what goes ---------------------------------------------------------------------------------------------------

    def marked(self, item: Manifest) -> bool:
        """Whether an object is of a kind that we make, where we make it, with our mark."""
        metadata, kind = mapping(item.get("metadata")), item.get("kind")
        place = metadata.get("namespace")
        if kind in CLUSTER_KINDS:
            if place or item.get("apiVersion") != CLUSTER_KINDS[kind]:
                return False
        elif kind not in NAMESPACED_KINDS or place != self.wish.namespace:
            return False
        return is_ours(metadata, self.wish.namespace, self.known["releases"], self.known["records"])

    def going(self) -> list[dict[str, Any]]:
        """References to what is ours and of this revision, in the order of removal; definitions go with a purge."""
        order = [kind for kind in CLUSTER_KINDS if kind.endswith("Configuration")]
        order += [*NAMESPACED_KINDS, *(kind for kind in CLUSTER_KINDS if kind not in order)]
        found = {
            _key(item): _reference(item)
            for item in [*self.objects, *self.contents]
            if item.get("kind") != "CustomResourceDefinition" and self.marked(item) and self._of_this(item)
        }
        found = {key: item for key, item in found.items() if key[2] != _record_name(self.wish)}
        secrets = [_reference(item) for item in self.contents if self._is_release(item)]
        return [*(found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key))), *secrets]

    def _of_this(self, item: Manifest) -> bool:
        if not self.others:
            return True
        if _key(item) in {_key(other) for record in self.others for other in record["objects"]}:
            return False
        metadata = mapping(item.get("metadata"))
        labels = mapping(metadata.get("labels"))
        staying = {_record_name(self.wish._replace(revision=record["revision"])) for record in self.others}
        if metadata.get("name") in {VALIDATOR, *staying}:
            return False
        if self._component(metadata) in self.kept:
            return False
        if labels.get(_OWNING) == _record_name(self.wish) or labels.get(REVISION) == self.wish.revision:
            return True
        return _key(item) in {_key(other) for other in (self.record or {}).get("objects", ())}

    def _component(self, metadata: Manifest) -> Optional[str]:
        """Of which chart something is, by its release or by istioctl's label."""
        release = mapping(metadata.get("annotations")).get(_RELEASE)
        for component, name in release_names(self.wish.revision).items():
            if name == release:
                return component
        return _OF_COMPONENT.get(text(mapping(metadata.get("labels")).get(_COMPONENT)))

    def _going_components(self) -> list[str]:
        return [name for name in reversed(CHARTS) if name == "istiod" or name not in self.kept]

    def releases(self) -> list[str]:
        """The releases that Helm itself takes back, the last one first."""
        if not self.record or self.record["method"] != "helm":
            return []
        names = release_names(self.wish.revision)
        statuses = {
            item["name"]: item["status"]
            for item in listed(self.observed.get("releases"))
            if item.get("namespace") == self.wish.namespace
        }
        return [names[name] for name in self._going_components() if statuses.get(names[name]) in _REMOVABLE]

    def _is_release(self, item: Manifest) -> bool:
        """Whether a Secret holds a revision of one of our releases that go."""
        if item.get("kind") != "Secret" or not self.record or self.record["method"] != "helm":
            return False
        labels = mapping(mapping(item.get("metadata")).get("labels"))
        names = release_names(self.wish.revision)
        return labels.get("owner") == "helm" and labels.get("name") in {
            names[name] for name in self._going_components()
        }

    def definitions(self) -> list[Manifest]:
        """Istio's definitions that are ours."""
        return [item for item in self.objects if item.get("kind") == "CustomResourceDefinition" and self.marked(item)]

    def purged(self) -> list[dict[str, Any]]:
        """What istiod wrote itself, and the definitions. What lies in a namespace that goes anyway is not listed."""
        inside = [] if self.namespace_is_ours else [item for item in self.contents if self._written(item)]
        outside = [
            item
            for item in self.objects
            if (item.get("kind") == "ConfigMap" and _is_ca_map(item) and not self._goes_with_namespace(item))
            or (item.get("kind") == "GatewayClass" and _is_istios_class(item))
        ]
        known = {_key(item) for item in outside}
        return [
            _reference(item)
            for item in [*outside, *(item for item in inside if _key(item) not in known), *self.definitions()]
        ]

    def _goes_with_namespace(self, item: Manifest) -> bool:
        return self.namespace_is_ours and mapping(item.get("metadata")).get("namespace") == self.wish.namespace

    def _written(self, item: Manifest) -> bool:
        """Whether istiod wrote something in its own namespace, or we did: locks, and the signing CA's key."""
        metadata, kind = mapping(item.get("metadata")), item.get("kind")
        name = text(metadata.get("name"))
        if kind in ("ConfigMap", "Lease"):
            return bool(_ELECTION.fullmatch(name))
        return kind == "Secret" and self._is_our_ca(metadata)

    def authorities(self) -> list[Manifest]:
        """The Secrets with our signing CA's key."""
        return [item for item in self.contents if item.get("kind") == "Secret" and self._written(item)]

    def _is_our_ca(self, metadata: Manifest) -> bool:
        """A CA that is older than all that we installed, for whichever revision, is somebody's own."""
        name, born = metadata.get("name"), text(metadata.get("creationTimestamp"))
        if name == "istio-ca-secret":
            return bool(born and self.born and born >= self.born)
        return name == "cacerts" and mapping(metadata.get("labels")).get(MANAGED_BY) == OURS

    # --- what forbids it ---------------------------------------------------------------------------------------------

    def unreadable(self) -> list[str]:
        """Why it cannot even be told what there is."""
        problems = [
            f"The ConfigMap {name} has the label and the name of this role's record, and is none that this role wrote. "
            "Remedy: look at it, and delete it if nobody needs it."
            for name in self.bad_records
        ]
        needed = {"ConfigMap", "Deployment", "Secret", *CLUSTER_KINDS}
        used = set() if self.wish.in_use else {"Namespace", "Pod"}
        for gap in self.unread:
            if gap.get("kind") in needed | used and gap.get("namespace") in (None, self.wish.namespace):
                problems.append(
                    f"What would be removed cannot be told: {gap.get('kind')} could not be read ({gap.get('reason')}). "
                    "Remedy: run with the rights of docs/rights.md."
                )
        return problems

    def problems(self, whole: bool) -> list[str]:
        """Why this revision must not go."""
        found = [] if self.wish.in_use else self._users()
        if self.wish.purge:
            found += self._neighbours()
            if not self.wish.confirmed:
                found += self._unseen(whole)
        return found

    def _users(self) -> list[str]:
        users: list[str] = []
        for plane in self.planes:
            if (plane.get("revision"), plane.get("namespace")) != (self.wish.revision, self.wish.namespace):
                continue
            used = mapping(plane.get("used_by"))
            users += [f"namespace {item['name']} ({item['label']})" for item in listed(used.get("namespaces"))]
            users += [f"tag {tag['name']}" for tag in listed(plane.get("tags")) if tag.get("owner") != INSTALL]
            users += [f"pod {name}" for name in used.get("pods") or ()]
        if not users:
            return []
        return [
            f"Revision {self.wish.revision} is still used by {_some(users)}. Without it pods there are not made any "
            "more, or without a sidecar, and running sidecars get no configuration and no new certificate. Remedy: "
            "point the labels and tags elsewhere and restart these pods, or agree with istio_install_remove_used=true."
        ]

    def _neighbours(self) -> list[str]:
        others = [f"revision {record['revision']}" for record in self.others]
        others += [
            f"revision {plane['revision']} in {plane['namespace'] or 'another cluster'} ({plane['owner_says']})"
            for plane in self.planes
            if not (plane["namespace"] == self.wish.namespace and plane["owner"] == INSTALL)
        ]
        others += [f"Istio {name} of the Sail operator" for name in self.observed.get("sail") or ()]
        if not others:
            return []
        return [
            f"A purge removes what all Istios share (CRDs, CA ConfigMaps), and there is still {_some(others)}. Remedy: "
            "remove that first, or run without istio_install_purge."
        ]

    def _unseen(self, whole: bool) -> list[str]:
        kinds = set(CUSTOM_KINDS) if self.definitions() else set()
        gaps = [
            f"{gap.get('kind')} ({gap.get('reason')})"
            for gap in self.unread
            if gap.get("kind") in kinds or (whole and gap.get("namespace") in (None, self.wish.namespace))
        ]
        plurals = {f"{kind.lower()}" for kind in CUSTOM_KINDS}
        strange = [
            f"objects of the CRD {item['metadata']['name']}, which this release does not know"
            for item in self.definitions()
            if not _is_known(text(item["metadata"].get("name")), plurals)
        ]
        if not gaps and not strange:
            return []
        return [
            f"Whether a purge would delete objects of others cannot be told; not seen were {_some([*gaps, *strange])}. "
            f"Remedy: run with the rights of docs/rights.md, or {_AGREE}."
        ]

    def strangers(self, going: Sequence[Manifest], purged: Sequence[Manifest], whole: bool) -> list[str]:
        """What a purge would take along and is neither ours nor Istio's."""
        found = []
        if self.definitions():
            found += [item for item in self.objects if item.get("kind") in CUSTOM_KINDS and not _by_us(item)]
        if whole:
            keys = {_key(item) for item in [*going, *purged]}
            uids = {mapping(item.get("metadata")).get("uid") for item in self.contents}
            services = {item["metadata"].get("name") for item in self.contents if item.get("kind") == "Service"}
            found += [
                item
                for item in self.contents
                if _key(item) not in keys
                and not self._belongs(item, uids, services)
                and not (item.get("kind") in CUSTOM_KINDS and self.definitions())
            ]
        return list(dict.fromkeys(_shown(item) for item in found))

    def _belongs(self, item: Manifest, uids: set[Any], services: set[Any]) -> bool:
        """Whether something in our namespace is no one else's: made by the cluster, by istiod, or by what is listed."""
        metadata = mapping(item.get("metadata"))
        kind, name = item.get("kind"), text(metadata.get("name"))
        owners = listed(metadata.get("ownerReferences"))
        if _by_us(item) or self._written(item) or (kind == "ConfigMap" and _is_ca_map(item)):
            return True
        if f"{kind} {name}" in _CLUSTER_MADE or name == _record_name(self.wish):
            return True
        if owners and all(owner.get("uid") in uids for owner in owners):
            return True
        # Kubernetes makes them for each Service, and says so nowhere.
        return kind == "Endpoints" and name in services

    # --- what stays --------------------------------------------------------------------------------------------------

    def repointed(self) -> tuple[Optional[dict[str, Any]], list[str]]:
        """The validating webhook's new istiod, where it asks the one that goes and stays itself; or why it has none."""
        for hook in listed(self.observed.get("validating")):
            asks = (hook.get("namespace"), hook.get("service"))
            if hook.get("name") != VALIDATOR or asks != (self.wish.namespace, suffixed("istiod", self.wish.revision)):
                continue
            staying = [
                plane
                for plane in self.planes
                if plane["namespace"]
                and (plane["revision"], plane["namespace"]) != (self.wish.revision, self.wish.namespace)
            ]
            mine = hook.get("owner") == INSTALL
            if mine and not self.others:
                return None, []  # it goes as well
            serving = sorted(
                staying,
                key=lambda plane: (plane["phase"] != "installed", plane["revision"] != "default", plane["revision"]),
            )
            serving = [plane for plane in serving if mapping(plane.get("istiod")).get("wanted")]
            if mine and serving:
                return _patch(serving[0]), []
            why = "no other istiod runs" if mine else "this role did not make it"
            return None, [
                f"The validating webhook {VALIDATOR} asks the istiod that would go, and {why}: afterwards nobody could "
                "write an object of Istio's kinds. Remedy: point it to an istiod that stays, or delete it."
            ]
        return None, []

    def left(self, going: Sequence[Manifest]) -> list[str]:
        """What stays although it looks as if it should go."""
        sentences = []
        for plane in self.planes:
            if plane["owner"] != INSTALL:
                where = plane["namespace"] or "another cluster"
                sentences.append(f"revision {plane['revision']} in {where}: {plane['owner_says']}, not by this role")
        keys = {_key(item) for item in going}
        recorded = {_key(item) for item in (self.record or {}).get("objects", ())}
        for item in [*self.objects, *self.contents]:
            if _key(item) in recorded - keys and not self.marked(item):
                sentences.append(f"{_shown(item)}: the record names it, and it has no mark of this role")
        sentences += [
            f"component {name}: other revisions use it"
            for name in CHARTS
            if name in self.kept and name in (self.record or {}).get("components", ())
        ]
        if not self.wish.purge and self.definitions() and self.record:
            sentences.append("Istio's CRDs and what istiod wrote itself: they go with istio_install_purge=true")
        return sentences


def _patch(plane: Manifest) -> dict[str, Any]:
    """What makes the validating webhook ask the istiod of another control plane; the rest of it stays as it is."""
    service = {"name": suffixed("istiod", plane["revision"]), "namespace": plane["namespace"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": VALIDATOR, "labels": {REVISION: plane["revision"]}},
        "webhooks": [{"name": "validation.istio.io", "clientConfig": {"service": service}}],
    }


def _strangers(wish: Wish, names: Sequence[str]) -> list[str]:
    if not names or wish.confirmed:
        return []
    return [
        f"A purge would also delete {len(names)} objects that are not this collection's: {_some(names)}. Remedy: save "
        f"or remove them first, or {_AGREE}."
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def _by_us(item: Manifest) -> bool:
    labels = mapping(mapping(item.get("metadata")).get("labels"))
    return labels.get(MANAGED_BY) == OURS or labels.get(ROLE) == INSTALL


def _is_ca_map(item: Manifest) -> bool:
    metadata = mapping(item.get("metadata"))
    return metadata.get("name") in CA_MAPS and mapping(metadata.get("labels")).get(_CA_LABEL) == "true"


def _is_istios_class(item: Manifest) -> bool:
    controller = text(mapping(item.get("spec")).get("controllerName"))
    return mapping(item.get("metadata")).get("name") in _CLASSES and controller.startswith("istio.io/")


def _is_known(definition: str, kinds: Iterable[str]) -> bool:
    """Whether a definition's objects were looked for; its name is plural and group."""
    plural = definition.partition(".")[0]
    return any(plural in (f"{kind}s", f"{kind[:-1]}ies") for kind in kinds)


def _key(item: Manifest) -> Key:
    metadata = mapping(item.get("metadata"))
    return text(item.get("kind")), text(metadata.get("namespace")), text(metadata.get("name"))


def _reference(item: Manifest) -> dict[str, Any]:
    metadata = mapping(item.get("metadata"))
    named = {name: metadata[name] for name in ("name", "namespace") if metadata.get(name)}
    return {"apiVersion": item.get("apiVersion"), "kind": item.get("kind"), "metadata": named}


def _shown(item: Manifest) -> str:
    kind, namespace, name = _key(item)
    return f"{kind} {namespace + '/' if namespace else ''}{name}"
