# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role istio_install installs: from its options and what there is to what speaks against it, and to values.

A removal is planned in removal.py, what differs from the cluster in changes.py, tags in tags.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._foreign.visible import visible
from .._policy.versions import SUPPORTED_ISTIO, SUPPORTED_KUBERNETES, minor
from .control_planes import CHARTS, VALIDATOR, release_names
from .inputs import Inputs
from .mesh_config import mesh_config_problems
from .ownership import INSTALL, RECORD, listed, mapping, suffixed, text
from .removal import CONFIRMATION, Wish, removal
from .tags import tag_plan

DEFAULT = "default"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)([-+][0-9A-Za-z.+-]+)?", re.ASCII)
_REVISION = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", re.ASCII)
_MOST = 5

Values = Mapping[str, Any]


class Options(NamedTuple):
    """The role's options as they are meant."""

    state: str
    method: str
    version: str
    revision: str
    """`default` for the default one."""
    namespace: str
    components: tuple[str, ...]
    values: Values
    hub: str
    tag: str
    pull_secrets: tuple[str, ...]
    tags: tuple[str, ...]
    purge: bool
    confirmed: bool
    remove_used: bool

    @property
    def record_name(self) -> str:
        """Of the ConfigMap with the record."""
        return suffixed(RECORD, self.revision)

    @property
    def named(self) -> str:
        """The revision as Istio's values have it: empty for the default one."""
        return "" if self.revision == DEFAULT else self.revision


def options(given: Mapping[str, Any]) -> tuple[Options, list[str]]:
    """The options, and sentences about those that cannot be meant."""
    inputs = Inputs(INSTALL, given)
    revision = inputs.text("revision")
    found = Options(
        inputs.text("state", ("present", "absent")),
        inputs.text("method", ("helm", "istioctl")),
        inputs.text("version"),
        revision or DEFAULT,
        inputs.text("namespace"),
        tuple(inputs.texts("components")),
        inputs.mapping("values"),
        inputs.text("hub"),
        inputs.text("tag"),
        tuple(inputs.texts("image_pull_secrets")),
        tuple(inputs.texts("tags")),
        inputs.switch("purge"),
        inputs.text("purge_confirm") == CONFIRMATION,
        inputs.switch("remove_used"),
    )
    problems = list(inputs.problems)
    if not _VERSION.fullmatch(found.version):
        problems.append(
            f"istio_install_version is {found.version!r}. Remedy: write a full version such as {SUPPORTED_ISTIO[-1]}.1."
        )
    elif found.state == "present" and minor(found.version) not in SUPPORTED_ISTIO:
        problems.append(
            f"Istio {found.version} is not supported by this collection. Remedy: set istio_install_version to a "
            f"version of {', '.join(SUPPORTED_ISTIO)}."
        )
    if revision == DEFAULT or not _REVISION.fullmatch(found.revision):
        problems.append(
            f"istio_install_revision is {revision!r}. Remedy: write it with lower-case letters, digits and '-', or "
            "leave it empty for the default revision."
        )
    unknown = [name for name in found.components if name not in CHARTS]
    if unknown or "istiod" not in found.components:
        problems.append(
            f"istio_install_components is {', '.join(found.components) or 'empty'}. Remedy: name istiod, without which "
            f"there is no control plane, and any of {', '.join(name for name in CHARTS if name != 'istiod')}."
        )
    if "revisionTags" in found.values:
        problems.append(
            "istio_install_values has revisionTags, which Helm cannot move between two revisions. Remedy: name the "
            "tags in istio_install_tags."
        )
    if found.state == "present":
        problems += mesh_config_problems(found.values.get("meshConfig"))
    return found, [visible(sentence) for sentence in problems]


def plan(observed: Mapping[str, Any], given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be done, as far as what there is can tell.

    `observed` is what control_plane_info told (empty: only the options are looked at), `found` for a removal what
    objects_info did. With any of `problems` nothing may be done. For a removal see ``removal``; else:

    - `warnings`, `left`: sentences.
    - `options`: the options as they are meant. `values`: Helm's values by the name of their file, `all_values` the
      values for both methods, `operator` the IstioOperator.
    - `charts`: component, release, values_file and folders for each component, in the order of installation.
    - `recorded`: the record of this revision, empty without one. `unwanted`: the releases to take back.
    - `interrupted`: Secrets of Helm operations that did not end, to be deleted.
    - `make_namespace`, `await_namespace`: whether it is not there, and whether it is about to end.
    - `scale`: a patch of an istiod that is scaled to 0, or None. `serves`: whether nothing need be waited for.
    - `apply`, `wait`, `remove`: whether there is anything to do in these steps; see also ``changes.difference``.
    - `tags`: those to make or to move, `tag_lines` a line for each.
    """
    wish, problems = options(given)
    if problems or not observed:
        return {"problems": problems, "warnings": [], "left": [], "lines": [], "nothing": False}
    if wish.state == "absent":
        asked = Wish(wish.revision, wish.namespace, wish.purge, wish.confirmed, wish.remove_used)
        made = removal(asked, observed, found)
        return {"warnings": [], **made, "apply": False, "wait": False, "remove": not made["nothing"]}
    return _Wanted(wish, observed).plan()


class _Wanted:
    """One installation, and what there is already."""

    def __init__(self, wish: Options, observed: Mapping[str, Any]) -> None:
        self.wish = wish
        self.observed = observed
        self.planes = listed(observed.get("control_planes"))
        self.place = mapping(observed.get("namespace"))
        ending = bool(self.place.get("deleted"))
        here = [plane for plane in self.planes if plane["namespace"] == wish.namespace and not ending]
        self.own: Mapping[str, Any] = next((plane for plane in here if plane["revision"] == wish.revision), {})
        self.record = mapping(self.own.get("record"))
        self.others = [mapping(plane["record"]) for plane in here if plane.get("record") and plane is not self.own]
        self.ending = ending

    def plan(self) -> dict[str, Any]:
        """See ``plan``."""
        problems = [*self._unreadable(), *self._foreign(), *self._otherwise(), *self._versions(), *self._shared()]
        tags, tag_lines, tag_problems = tag_plan(self.wish.tags, self.wish.revision, self.wish.namespace, self.planes)
        values = self._values()
        return {
            "problems": [visible(sentence, 4000) for sentence in [*problems, *tag_problems]],
            "warnings": [visible(sentence) for sentence in self._warnings()],
            "left": [visible(sentence) for sentence in self._left()],
            "lines": [],
            "nothing": False,
            "apply": False,
            "wait": False,
            "remove": False,
            "options": self.wish._asdict(),
            "record_name": self.wish.record_name,
            "istiod": suffixed("istiod", self.wish.revision),
            "all_values": values,
            "values": {
                "values": {"defaultRevision": self._default_revision(), **values},
                # ztunnel's chart has its own values at the top.
                "values-ztunnel": merged(values, mapping(self.wish.values.get("ztunnel"))),
            },
            "operator": self._operator(values),
            "charts": self._charts(self.wish.components),
            "recorded": dict(self.record),
            "unwanted": self._unwanted(),
            "interrupted": self._interrupted(),
            "releases": self._statuses(),
            "adopts_definitions": self._adopts_definitions(),
            "make_namespace": not self.place or self.ending,
            "await_namespace": self.ending,
            "scale": self._scale(values),
            "serves": self._serves(),
            "injects_here": not {"istio-injection", "istio.io/rev"} & set(mapping(self.place.get("labels"))),
            "tags": tags,
            "tag_lines": [visible(line) for line in tag_lines],
        }

    # --- what speaks against it --------------------------------------------------------------------------------------

    def _unreadable(self) -> list[str]:
        needed = {"MutatingWebhookConfiguration", "Deployment", "ConfigMap", "Namespace", "Secret"}
        needed |= {"CustomResourceDefinition"} if "base" in self.wish.components else set()
        gaps = [
            f"{gap.get('kind')} ({gap.get('reason')})"
            for gap in listed(self.observed.get("unknown"))
            if gap.get("kind") in needed and gap.get("namespace") in (None, self.wish.namespace)
        ]
        problems = [
            f"The ConfigMap {name} has the label and the name of this role's record, and is none that this role wrote. "
            "Remedy: look at it, and delete it if nobody needs it."
            for name in self.place.get("bad_records") or ()
        ]
        if gaps:
            problems.append(
                f"Which Istio is there cannot be told: not read were {'; '.join(gaps[:_MOST])}. Remedy: run with the "
                "rights of docs/rights.md."
            )
        kubernetes = text(mapping(self.observed.get("cluster")).get("kubernetes_version"))
        if minor(kubernetes) not in SUPPORTED_KUBERNETES:
            problems.append(
                f"Kubernetes {kubernetes} is not supported by this collection. Remedy: use one of the versions that it "
                f"was tested with, {', '.join(SUPPORTED_KUBERNETES)}."
            )
        return problems

    def _foreign(self) -> list[str]:
        found = [
            f"revision {plane['revision']} in {plane['namespace'] or 'another cluster'}: {plane['owner_says']}"
            for plane in self.planes
            if plane["owner"] != INSTALL
        ]
        found += [f"Istio {name} of sailoperator.io" for name in self.observed.get("sail") or ()]
        definitions = mapping(self.observed.get("definitions"))
        if "base" in self.wish.components and definitions and definitions["owner"] != INSTALL:
            found.append(
                f"the CustomResourceDefinition {definitions['name']} and its like: {definitions['owner_says']}"
            )
        if not self.record and not self.others:
            ours = {item["release"] for item in self._charts(CHARTS)}
            there = sorted({*self._statuses()} & ours) if not found else []
            found += [f"Helm release {name} in {self.wish.namespace}, installed by Helm" for name in there]
        if not found:
            return []
        return [
            f"There is an Istio that this role did not install, and does not touch: {'; '.join(found[:_MOST])}. "
            "Remedy: remove it with the tool that installed it, or use it and leave this role out. To use CRDs that "
            "somebody else manages, leave base out of istio_install_components."
        ]

    def _otherwise(self) -> list[str]:
        problems = []
        if self.record and self.record["method"] != self.wish.method:
            problems.append(
                f"This Istio was installed with the method {self.record['method']} (recorded in ConfigMap "
                f"{self.wish.namespace}/{self.wish.record_name}), and istio_install_method is {self.wish.method}. "
                "Remedy: keep the method, or remove Istio first with istio_install_state=absent."
            )
        elsewhere = [
            plane["namespace"]
            for plane in self.planes
            if plane["owner"] == INSTALL and plane["revision"] == self.wish.revision and plane is not self.own
            if plane["namespace"] != self.wish.namespace
        ]
        if elsewhere:
            problems.append(
                f"This revision is installed in namespace {elsewhere[0]}, and istio_install_namespace is "
                f"{self.wish.namespace}. Remedy: keep the namespace, or remove Istio first with "
                "istio_install_state=absent."
            )
        return problems

    def _versions(self) -> list[str]:
        if not self.record:
            return []
        old, new = _numbers(self.record["version"]), _numbers(self.wish.version)
        if old and new and old[0] == new[0] and new[1] - old[1] in (0, 1):
            return []
        return [
            f"Istio {self.record['version']} is installed, and istio_install_version is {self.wish.version}. In place "
            "Istio is upgraded by one minor version at a time and not downgraded. Remedy: go in steps, or install the "
            "other version with an istio_install_revision of its own."
        ]

    def _shared(self) -> list[str]:
        """Charts that all revisions share never go back to an older version."""
        new = _numbers(self.wish.version)
        problems = []
        for record in self.others:
            shared = [name for name in self.wish.components if name != "istiod" and name in record["components"]]
            theirs = _numbers(record["version"])
            if shared and new and theirs and theirs > new:
                problems.append(
                    f"Revision {record['revision']} has {', '.join(shared)} in version {record['version']}, which all "
                    f"revisions share, and istio_install_version is {self.wish.version}. Remedy: leave "
                    f"{', '.join(shared)} out of istio_install_components for the older revision."
                )
        return problems

    def _warnings(self) -> list[str]:
        found = []
        if self.own and not self.ending and self.own.get("why"):
            found.append(f"The control plane does not serve: {self.own['why']}. This run is to repair it.")
        found += [
            f"Namespace {item['namespace']} asks by {item['label']} for a sidecar, and no webhook answers that label"
            for item in listed(self.observed.get("unanswered"))
            if item["label"] not in self._future_labels()
        ][:_MOST]
        found += [
            f"The webhook {hook['name']} asks an istiod that is not there: {hook['namespace']}/{hook['service']}"
            for hook in listed(self.observed.get("validating"))
            if hook["answers"] is False and hook["service"] != suffixed("istiod", self.wish.revision)
        ]
        return found

    def _future_labels(self) -> set[str]:
        own = {f"istio.io/rev={name}" for name in (self.wish.revision, *self.wish.tags)}
        is_default = DEFAULT in (self.wish.revision, *self.wish.tags)
        return own | ({"istio-injection=enabled"} if is_default else set())

    def _left(self) -> list[str]:
        return [
            f"tag {tag['name']} leads to this revision and is not in istio_install_tags"
            for tag in listed(self.own.get("tags"))
            if tag["owner"] == INSTALL and tag["name"] not in (*self.wish.tags, DEFAULT)
        ]

    # --- what is wanted ----------------------------------------------------------------------------------------------

    def _values(self) -> dict[str, Any]:
        """Istio's values for both methods: those that the options stand for, and the user's over them."""
        wish = self.wish
        world: dict[str, Any] = {"istioNamespace": wish.namespace}
        world.update({"hub": wish.hub} if wish.hub else {})
        world.update({"tag": wish.tag} if wish.tag else {})
        world.update({"imagePullSecrets": list(wish.pull_secrets)} if wish.pull_secrets else {})
        own: dict[str, Any] = {"global": world}
        own.update({"revision": wish.named} if wish.named else {})
        own.update({"pilot": {"cni": {"enabled": True}}} if "cni" in wish.components else {})
        own.update({"profile": "ambient"} if "ztunnel" in wish.components else {})
        return merged(own, wish.values)

    def _default_revision(self) -> str:
        """The base chart is shared: its validator keeps asking the istiod that it asks, while that is there."""
        records = {record["revision"] for record in (*self.others, self.record) if record}
        for hook in listed(self.observed.get("validating")):
            if hook["name"] == VALIDATOR and hook["revision"] in records:
                return text(hook["revision"])
        return self.wish.revision

    def _operator(self, values: Values) -> dict[str, Any]:
        """Gateways are a matter of their own; every profile's are off.

        The owner's name is the one that istioctl install puts into labels, so that the rendering says the same.
        """
        wish = self.wish
        parts = {"base": "base", "pilot": "istiod", "cni": "cni", "ztunnel": "ztunnel"}
        rest = {name: value for name, value in values.items() if name not in ("profile", "revision")}
        spec: dict[str, Any] = {
            "profile": values.get("profile", DEFAULT),
            "components": {
                **{name: {"enabled": component in wish.components} for name, component in parts.items()},
                "ingressGateways": [{"name": "istio-ingressgateway", "enabled": False}],
                "egressGateways": [{"name": "istio-egressgateway", "enabled": False}],
            },
            "values": {"ownerName": wish.record_name, **rest},
        }
        spec.update({"hub": wish.hub} if wish.hub else {})
        spec.update({"tag": wish.tag} if wish.tag else {})
        spec.update({"revision": values["revision"]} if values.get("revision") else {})
        return {
            "apiVersion": "install.istio.io/v1alpha1",
            "kind": "IstioOperator",
            "metadata": {"name": wish.record_name, "namespace": wish.namespace},
            "spec": spec,
        }

    def _charts(self, components: Sequence[str]) -> list[dict[str, Any]]:
        """In the order of installation. A chart's folder has an older name in Istio's releases."""
        names = release_names(self.wish.revision)
        folders = {"istiod": ["istiod", "istio-discovery"], "cni": ["cni", "istio-cni"]}
        return [
            {
                "component": name,
                "release": names[name],
                "folders": folders.get(name, [name]),
                "values_file": "values-ztunnel" if name == "ztunnel" else "values",
            }
            for name in CHARTS
            if name in components
        ]

    def _statuses(self) -> dict[str, str]:
        if self.ending:
            return {}
        return {
            item["name"]: item["status"]
            for item in listed(self.observed.get("releases"))
            if item["namespace"] == self.wish.namespace
        }

    def _unwanted(self) -> list[str]:
        kept = {name for record in self.others for name in record["components"]} | set(self.wish.components)
        gone = [name for name in (self.record or {}).get("components", ()) if name not in kept and name in CHARTS]
        return [item["release"] for item in reversed(self._charts(gone))]

    def _interrupted(self) -> list[dict[str, Any]]:
        wanted = {item["release"] for item in self._charts(self.wish.components)}
        return [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": self.wish.namespace}}
            for item in listed(self.observed.get("releases"))
            if item["namespace"] == self.wish.namespace and item["name"] in wanted and not self.ending
            for name in item["open"]
        ]

    def _adopts_definitions(self) -> bool:
        """Definitions that istioctl installed for this role, and that an uninstall kept, become Helm's."""
        definitions = mapping(self.observed.get("definitions"))
        return bool(definitions) and not definitions["in_release"]

    def _scale(self, values: Values) -> Optional[dict[str, Any]]:
        replicas = mapping(self.own.get("istiod"))
        if not replicas or replicas["wanted"] or self.ending:
            return None
        pilot = mapping(values.get("pilot"))
        wanted = pilot.get("replicaCount") or pilot.get("autoscaleMin")
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": replicas["name"], "namespace": self.wish.namespace},
            "spec": {"replicas": wanted if isinstance(wanted, int) and wanted > 0 else 1},
        }

    def _serves(self) -> bool:
        replicas = mapping(self.own.get("istiod"))
        agents = [item for item in listed(self.observed.get("agents")) if item["namespace"] == self.wish.namespace]
        asleep = [
            item for item in agents if item["component"] in self.wish.components and item["ready"] < item["wanted"]
        ]
        return self.own.get("phase") == "installed" and replicas["ready"] >= replicas["wanted"] and not asleep


def merged(low: Values, high: Values) -> dict[str, Any]:
    """Values over others, in depth; a list replaces a list (as Helm does it)."""
    both = dict(low)
    for name, value in high.items():
        inner = both.get(name)
        both[name] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return both


def _numbers(version: str) -> Optional[tuple[int, int, int]]:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
