# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control planes there are, and what is known of each.

Whoever may write in one namespace can make a ConfigMap named `istio` there, or a Deployment named `istiod`. So a
control plane is what a MutatingWebhookConfiguration speaks of: that is cluster-scoped, and only an administrator
writes it. It names the namespace of istiod's Service (`webhooks[].clientConfig.service`), and only what lies there is
believed. No ConfigMap becomes a revision by its name alone. Without any webhook in the input, as in manifests out of
Git, istio-system is believed, where only administrators write.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .mesh import DEFAULT_REVISION, ROOT_NAMESPACE, Mesh, mesh_of
from .records import Labels, Snapshot, Template, Webhook
from .unread import Unread

_AMBIENT = "PILOT_ENABLE_AMBIENT"
_SHARED = "SHARED_MESH_CONFIG"
_ELSEWHERE = ("--meshConfig", "--namespace", "-n")
"""Arguments of pilot-discovery by which it reads a file, or ConfigMaps of another namespace."""
_ON, _OFF = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
"""Go's words (strconv.ParseBool)."""


def _switch(value: Optional[str], default: bool) -> Optional[bool]:
    """What a variable says; None for one whose value lies elsewhere (`valueFrom`)."""
    if value == "":
        return None
    return value in _ON or (default and value not in _OFF)


class Istiod(NamedTuple):
    """What the Deployments of a control plane say of its processes."""

    environments: Tuple[Labels, ...]
    """Variables by name, for each Deployment of it."""
    known: bool
    """False where Deployments of its namespace were not read."""

    def switched(self, name: str, default: bool = False) -> Optional[bool]:
        """Whether a variable is on in any of them; None where one that says so may not have been read.

        A variable with a value that is none of Go's counts as Istio's default (pkg/env/var.go, BoolVar).
        """
        values = [_switch(environment.get(name), default) for environment in self.environments]
        if True in values:
            return True
        return False if self.known and None not in values else None

    @property
    def sends_hbone(self) -> Optional[bool]:
        """Whether its sidecars send HBONE (pilot/pkg/features/ambient.go); None where it is not in the input."""
        ambient = self.switched(_AMBIENT)
        sending = self.switched("PILOT_ENABLE_SENDING_HBONE", default=True)
        if not self.environments or None in (ambient, sending):
            return None
        return bool(ambient and sending)


class ControlPlanes:
    """Every revision's control plane, and which one a name means."""

    def __init__(self, snapshot: Snapshot, unread: Unread) -> None:
        self._unread = unread
        self._templates = snapshot.templates
        self._webhooks = snapshot.webhooks
        self._webhooks_unread = unread.anywhere("MutatingWebhookConfiguration")
        self.tags, self.contested = _tags(snapshot.webhooks)
        self.revisions: FrozenSet[str] = frozenset(webhook.revision for webhook in snapshot.webhooks)
        """Those that an injection webhook asks."""
        self._homes = _homes(snapshot.webhooks)
        self._maps = {(found.namespace, found.name): found for found in snapshot.mesh_maps}
        shared = {(item.namespace, item.env.get(_SHARED)) for item in self._templates}
        own = {place: _revision_of(place[1]) for place in self._maps if place not in shared}
        self.missing = not any(own.values())
        """Whether no ConfigMap in the input looks like a revision's."""
        named: Dict[str, List[str]] = {}
        for (namespace, dummy), name in own.items():
            # A name alone makes no revision: where there are webhooks, one has to speak of it.
            if name is not None and self._is_own(_map_name(name)):
                named.setdefault(name, []).append(namespace)
        self.by_name: Dict[str, Mesh] = {}
        for revision, places in sorted(named.items()):
            found = self._configured(revision, places)
            if found is not None:
                self.by_name[revision] = found
        if self.missing:
            homes = sorted(self._homes.get(DEFAULT_REVISION, (ROOT_NAMESPACE,)))
            self.by_name[DEFAULT_REVISION] = self._composed(DEFAULT_REVISION, homes[0])
        self.assumed: Dict[str, Mesh] = {}
        """Revisions that proxies speak of and no ConfigMap configures."""

    # --- which configuration -----------------------------------------------------------------------------------------

    def _configured(self, revision: str, places: List[str]) -> Optional[Mesh]:
        """A revision's configuration by its ConfigMaps; None where none of them is a control plane's."""
        homes = self._believed(revision)
        own = sorted(place for place in places if place in homes)
        if len(own) == 1:
            return self._composed(revision, own[0])
        if own:
            return Mesh(revision, doubt=f"control planes in several namespaces have one: {', '.join(own)}")
        if not self._homes:
            doubt = f"no webhook tells whether the control plane is the one in {', '.join(sorted(places))}"
            return Mesh(revision, doubt=doubt)
        return None

    def _composed(self, revision: str, namespace: str) -> Mesh:
        """What istiod makes of its ConfigMaps (pilot/pkg/bootstrap/mesh.go): the shared one, and its own over it."""
        names = [*self.shared_maps(revision, namespace), _map_name(revision)]
        sources = [self._maps[namespace, name] for name in names if (namespace, name) in self._maps]
        return self._finished(mesh_of(revision, sources), namespace)

    def _is_own(self, name: str) -> bool:
        """Whether a ConfigMap's name makes it a revision's own, as far as webhooks tell which there are."""
        revision = _revision_of(name)
        return revision is not None and (not self._webhooks or revision in self.revisions)

    def shared_maps(self, revision: str, namespace: str) -> List[str]:
        """The names of the ConfigMaps that a revision's istiod is told to share: one, or none."""
        found = {item.env.get(_SHARED) for item in self._deployments(revision, namespace)}
        return sorted(name for name in found if name)

    def _sharing_doubt(self, revision: str, namespace: str) -> str:
        """Why it cannot be told which ConfigMaps count, or what another one says."""
        if self._unread.covers("Deployment", namespace):
            return "istiod's Deployment, which says where its mesh configuration lies, could not be read"
        deployments = self._deployments(revision, namespace)
        maps = [name for place, name in self._maps if place == namespace and name != _map_name(DEFAULT_REVISION)]
        others = sorted(name for name in maps if not self._is_own(name))
        there = any(item.namespace == namespace and item.name.startswith("istiod") for item in self._templates)
        if others and not there:
            return f"istiod's Deployment is not there to tell whether it shares the ConfigMap {others[0]}"
        if any(item.env.get(_SHARED) == "" for item in deployments):
            return f"the value of istiod's {_SHARED} is not in its Deployment"
        for argument in (argument for item in deployments for argument in item.arguments):
            if argument.partition("=")[0] in _ELSEWHERE:
                return f"istiod's argument {argument[:80]} lets it read its mesh configuration elsewhere"
        shared = self.shared_maps(revision, namespace)
        if len(shared) > 1:
            return f"istiod's {_SHARED} names several ConfigMaps: {', '.join(shared)}"
        if shared and (namespace, shared[0]) not in self._maps and self._unread.covers("ConfigMap", namespace):
            return f"the ConfigMap {shared[0]}, which istiod's {_SHARED} names, could not be read"
        return ""

    @property
    def homes(self) -> Set[str]:
        """The namespaces that webhooks name."""
        return {home for homes in self._homes.values() for home in homes}

    def _believed(self, revision: str) -> Set[str]:
        """The namespaces in which this revision's control plane may be."""
        own = self._homes.get(revision)
        if own is not None:
            return set(own)
        return self.homes or {ROOT_NAMESPACE}

    def _finished(self, mesh: Mesh, namespace: str) -> Mesh:
        """With what else is known of its control plane, and with what makes it doubtful."""
        istiod = self._deployments(mesh.name, namespace)
        versions = {version_of(item.image) for item in istiod}
        tags = tuple(sorted(tag for tag, revision in self.tags.items() if revision == mesh.name))
        return mesh._replace(
            namespace=namespace,
            tags=tags,
            version=versions.pop() if len(versions) == 1 else None,
            doubt=mesh.doubt or self._doubt(mesh, namespace),
        )

    def _doubt(self, mesh: Mesh, namespace: str) -> str:
        if self._webhooks_unread:
            return "the webhooks that tell which control planes there are could not be read"
        disputed = sorted(tag for tag, revisions in self.contested.items() if mesh.name in revisions)
        if disputed:
            return f"webhooks give the tag {disputed[0]} to several revisions"
        if len(self._homes.get(mesh.name, ())) > 1:
            return "its webhooks name control planes in several namespaces"
        if any(hook.remote for hook in self._webhooks if hook.revision == mesh.name):
            return "its webhook names a control plane outside this cluster"
        if self.missing and self._unread.covers("ConfigMap", namespace):
            return "the mesh ConfigMap could not be read"
        sharing = self._sharing_doubt(mesh.name, namespace)
        if sharing:
            return sharing
        if mesh.selectors and self._unread.anywhere("Namespace"):
            return "its discoverySelectors go by labels of namespaces, which could not be read"
        return ""

    def of(self, revision: Optional[str]) -> Mesh:
        """The configuration of a proxy's revision. One without a ConfigMap gets Istio's defaults, see `assumed`."""
        name = revision or DEFAULT_REVISION
        mesh = self.by_name.get(name) or self.by_name.get(self.tags.get(name, "")) or self.assumed.get(name)
        if mesh is None:
            if revision is None and len(self.by_name) == 1:
                return next(iter(self.by_name.values()))
            mesh = self.assumed[name] = self._assume(name)
        return mesh

    def _assume(self, name: str) -> Mesh:
        if name in self.contested:
            return Mesh(name, doubt=f"webhooks give the tag {name} to several revisions")
        if self._homes and name not in self.revisions and not self._webhooks_unread:
            return Mesh(name, doubt=f"no webhook names a control plane of the revision {name}")
        [home, *others] = sorted(self._believed(name))
        if self._unread.anywhere("ConfigMap"):
            return Mesh(name, doubt="the mesh ConfigMap could not be read")
        if others:
            return Mesh(name, doubt="no ConfigMap configures it, and there are control planes in several namespaces")
        return self._composed(name, home)

    # --- istiod ------------------------------------------------------------------------------------------------------

    def _deployments(self, revision: str, namespace: Optional[str]) -> List[Template]:
        """As the chart names them: istio-discovery/templates/deployment.yaml."""
        name = "istiod" if revision == DEFAULT_REVISION else f"istiod-{revision}"
        return [item for item in self._templates if item.name == name and item.namespace == namespace]

    def istiod(self, mesh: Mesh) -> Istiod:
        """The processes of a revision's control plane."""
        return self._istiod_at(mesh.name, mesh.namespace)

    def _istiod_at(self, revision: str, namespace: Optional[str]) -> Istiod:
        found = self._deployments(revision, namespace)
        known = namespace is not None and not self._unread.covers("Deployment", namespace)
        return Istiod(tuple(item.env for item in found), known)

    @property
    def ambient_doubt(self) -> str:
        """Why it cannot be told whether any control plane serves ztunnel; "" too where nothing speaks of an istiod.

        Without PILOT_ENABLE_AMBIENT istiod answers no ztunnel (pilot/pkg/features/ambient.go), so that nothing enforces
        a policy. What was not read counts as off: a right that is missing must not better an answer.
        """
        if self._webhooks_unread:
            return "the webhooks that tell which control planes there are could not be read"
        places = [
            (revision, home)
            for revision in sorted({*self.revisions, *self.by_name})
            for home in sorted(self._believed(revision))
        ]
        found = [self._istiod_at(*place) for place in places]
        if any(istiod.switched(_AMBIENT) for istiod in found):
            return ""
        if not all(istiod.known for istiod in found):
            return "whether istiod serves the ambient mesh (PILOT_ENABLE_AMBIENT) was not read"
        if any(istiod.environments for istiod in found):
            return "no istiod serves the ambient mesh (PILOT_ENABLE_AMBIENT), so nothing tells ztunnel of it"
        return ""

    # --- names -------------------------------------------------------------------------------------------------------

    def resolve(self, label: str) -> Optional[str]:
        """The revision behind a label value, None when no injection webhook answers to it, as far as is known."""
        if label in self.contested:
            return None
        if label in self.tags:
            return self.tags[label]
        if label in self.by_name or label in self.revisions or label == DEFAULT_REVISION:
            return label
        return None

    def sees(self, mesh: Mesh, label: Optional[str]) -> bool:
        """Whether an object labelled istio.io/rev is for this revision (pkg/config/model.go LabelsInRevision)."""
        return label is None or label == mesh.name or self.tags.get(label) == mesh.name


def _map_name(revision: str) -> str:
    """A revision's own ConfigMap (pilot/pkg/bootstrap/mesh.go getMeshConfigMapName)."""
    return "istio" if revision == DEFAULT_REVISION else f"istio-{revision}"


def _revision_of(name: str) -> Optional[str]:
    """The revision whose own ConfigMap would have a name; None where it would be none's."""
    if name == "istio":
        return DEFAULT_REVISION
    start, found, revision = name.partition("istio-")
    return revision if found and not start and revision not in ("", DEFAULT_REVISION) else None


def version_of(image: str) -> Optional[str]:
    """The tag of an image: `1.31.1` of `registry/pilot:1.31.1@sha256:…`; None for an image without one."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or None


def _tags(webhooks: Iterable[Webhook]) -> Tuple[Dict[str, str], Dict[str, Set[str]]]:
    """The revision of each tag that has one, and the revisions of those that have several."""
    found: Dict[str, Set[str]] = {}
    for webhook in webhooks:
        if webhook.tag:
            found.setdefault(webhook.tag, set()).add(webhook.revision)
    clear = {tag: min(revisions) for tag, revisions in found.items() if len(revisions) == 1}
    return clear, {tag: revisions for tag, revisions in found.items() if len(revisions) > 1}


def _homes(webhooks: Iterable[Webhook]) -> Dict[str, FrozenSet[str]]:
    """The namespaces that the webhooks of each revision name."""
    found: Dict[str, FrozenSet[str]] = {}
    for webhook in webhooks:
        if webhook.homes:
            found[webhook.revision] = found.get(webhook.revision, frozenset()) | webhook.homes
    return found
