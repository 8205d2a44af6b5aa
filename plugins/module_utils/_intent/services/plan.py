# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role istio_services does: from what was asked for and what is there to what is made, changed and removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._foreign.visible import visible
from . import doubts, readiness
from .comparison import paths, seen
from .entries import SERVING, Asked, Manifest, Service, read
from .manifests import API_VERSIONS, MARKS, manifests, other_budget, part, pod_template, template_labels, wants_budget
from .owners import controller, is_ending, is_ours, owners, tool

Key = tuple[str, str, str]
"""Kind, namespace and name."""

_FIXED = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"),
}
"""Fields that Kubernetes does not let anybody change."""
_WORKLOADS = tuple(kind for kind in API_VERSIONS if kind in (*SERVING, "Job", "CronJob"))


class _Wanted(NamedTuple):
    place: str
    manifest: Manifest
    before: Optional[Manifest]
    """What is there, as far as we speak of it."""
    failed: bool
    """Whether it is a Job that failed."""

    @property
    def changed(self) -> bool:
        return self.before != self.manifest or self.failed

    @property
    def remade(self) -> bool:
        """Whether it has to be deleted and made again: a Job runs once, and nobody can change its template."""
        changed = self.before is not None and self.before.get("spec") != self.manifest.get("spec")
        return self.failed or (changed and self.manifest["kind"] == "Job")


def plan(given: Mapping[str, Any], observed: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    """What to do so that the cluster is as asked for.

    `given` are the role's options by their names without its prefix, `observed` what the module objects_info returned
    for `reads`; without it the answer has `problems` and `reads` alone. The answer:
    - `problems`: sentences; with any of them nothing may be changed. `unmet`: sentences about what the objects of
      `homeless` still lack, their namespace or their kind; only check mode goes on with them. `warnings`.
    - `objects`: manifests to apply, those that differ from what is there. `remade`: Jobs that differ, which are deleted
      and made again. `stale`: references to what is removed. `left`: sentences about what of ours stays.
    - `changes`: pairs of `before` and `after`, cut down to the fields that are set. `lines`: the same for people.
    - `watch`: what readiness.progress() waits for, if it has to (`waits`); `leaving`: the same for what is removed.
      That comes last, so that what takes its place runs before it goes.
    """
    asked = read(given)
    if observed is None or asked.problems:
        return {"problems": asked.problems, "reads": _reads(asked)}
    return _Plan(asked, observed).result()


class _Plan:
    def __init__(self, asked: Asked, observed: Mapping[str, Any]) -> None:
        self.asked = asked
        self.there: dict[Key, Manifest] = {_key(item): item for item in observed["objects"]}
        self.absent_kinds = set(observed["absent_kinds"])
        self.unread = observed["unread"]
        self.namespaces = _namespaces(asked)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.unmet: dict[Key, str] = {}
        self.left: list[str] = []
        self.wanted = self._wanted() if asked.state == "present" else []

    def result(self) -> dict[str, Any]:
        keys = {_key(item.manifest) for item in self.wanted}
        stale = self._stale(keys)
        self._look(keys, {_key(item) for item in stale})
        changed = [item for item in self.wanted if item.changed]
        possible = [item for item in changed if _key(item.manifest) not in self.unmet]
        objects = [item.manifest for item in possible if not item.remade]
        remade = [item.manifest for item in possible if item.remade]
        going = [item for item in stale if is_ending(item)]
        stale = [item for item in stale if not is_ending(item)]
        watch = readiness.watched([item.manifest for item in self.wanted if _key(item.manifest) not in self.unmet])
        changes = [{"before": item.before, "after": item.manifest} for item in changed]
        changes += [{"before": _brief(item), "after": None} for item in stale]
        running = not objects and not remade and readiness.progress(watch, self.there.values()).done
        return {
            "problems": self.problems,
            "warnings": self.warnings,
            "unmet": sorted(set(self.unmet.values())),
            "objects": objects,
            "homeless": [item.manifest for item in changed if _key(item.manifest) in self.unmet],
            "remade": remade,
            "stale": [_reference(item) for item in stale],
            "left": self.left,
            "changes": changes,
            "lines": [*_lines(changed, stale), *self.left],
            "watch": watch,
            "waits": self.asked.wait and not running,
            "leaving": readiness.watched(gone=[_reference(item) for item in [*stale, *going]]),
            "wait_timeout": self.asked.wait_timeout,
        }

    def _wanted(self) -> list[_Wanted]:
        found = []
        for service in self.asked.services:
            for manifest in manifests(service, self.asked, self.there):
                there = self.there.get(_key(manifest))
                before = None if there is None else seen(there, manifest)
                failed = there is not None and readiness.has_failed(there)
                found.append(_Wanted(service.place, manifest, before, failed))
        return found

    def _stale(self, wanted: set[Key]) -> list[Manifest]:
        """What of ours is removed; what stays though nobody asks for it any more is said in `left`."""
        listed = {(service.namespace, service.name) for service in self.asked.services}
        absent = self.asked.state == "absent"
        unasked = [
            item
            for key, item in sorted(self.there.items())
            if key[0] in API_VERSIONS and is_ours(item) and key not in wanted and not controller(item)
        ]
        removed = [
            item for item in unasked if _here(item, self.namespaces) and (self.asked.prune or _place(item) in listed)
        ]
        if not absent and not self.asked.prune:
            removed = []
        keys = {_key(item) for item in removed}
        for item in list(removed):
            users = self._users(item, keys)
            if users:
                removed.remove(item)
                self.left.append(f"stays: {_named(item)}, which {users} still uses")
        kept = [item for item in unasked if _key(item) not in keys]
        self.left += _leftovers([item for item in kept if _here(item, self.namespaces)], "istio_services_prune=true")
        elsewhere = ["/".join(_place(item)) for item in kept if not _here(item, self.namespaces)]
        if elsewhere:
            self.left.append(
                f"stays: services of this role in namespaces that the list does not name: {_shortened(elsewhere, 10)}"
                " (istio_services_state=absent with these entries removes them)"
            )
        return removed

    def _users(self, account: Manifest, removed: set[Key]) -> str:
        """Workloads that stay and run as a ServiceAccount."""
        kind, namespace, name = _key(account)
        if kind != "ServiceAccount":
            return ""
        found = [
            _named(item)
            for key, item in sorted(self.there.items())
            if key[0] in _WORKLOADS and key[1] == namespace and key not in removed and not controller(item)
            and part(pod_template(item), "spec").get("serviceAccountName") == name
        ]  # fmt: skip
        return ", ".join(found)

    def _look(self, wanted: set[Key], stale: set[Key]) -> None:
        """Fill in what speaks against the plan."""
        self._look_at_gaps()
        for item in self.wanted:
            key, there = _key(item.manifest), self.there.get(_key(item.manifest))
            self.problems += [f"{item.place}: {problem}" for problem in self._against(item, there)]
            if there is None and (reason := self._lacks(item.manifest)):
                self.unmet[key] = reason
            elif reason := self._ending(item.manifest, there):
                self.problems.append(reason)
        self.problems = list(dict.fromkeys(self.problems))
        for service in self.asked.services if self.wanted else ():
            self._look_beside(service, stale)

    def _look_at_gaps(self) -> None:
        kinds = {item.manifest["kind"] for item in self.wanted}
        needs_all = self.asked.prune or self.asked.state == "absent"
        gaps: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
        for gap in self.unread:
            # Whether a namespace is there shows when something is made in it.
            if gap["kind"] != "Namespace" and gap["namespace"]:
                gaps.setdefault((gap["namespace"], needs_all or gap["kind"] in kinds), []).append(gap)
        for (namespace, needed), unread in gaps.items():
            names = ", ".join(dict.fromkeys(gap["kind"] for gap in unread))
            text = f"{names} of namespace {namespace} could not be read: {visible(unread[0]['reason'], 300)}"
            if needed:
                right = "grant the right to get, list, create, patch and delete them there"
                self.problems.append(
                    f"{text}. Remedy: {right}; the playbook meshproof.mtls.preflight tells what is missing"
                )
            else:
                self.warnings.append(f"{text}; so nobody knows what is left over of them")

    def _against(self, item: _Wanted, there: Optional[Manifest]) -> Iterator[str]:
        manifest = item.manifest
        labels = manifest["metadata"].get("labels") or {}
        if any(labels.get(key) != value for key, value in MARKS.items()):
            yield f"definition changes the labels by which the role knows its {manifest['kind']}. Remedy: leave them"
        if there is not None and not is_ours(there):
            whose = f"{_named(there)} is there and was not made by this role ({owners(there)})"
            if not self.asked.adopt:
                yield (
                    f"{whose}. Remedy: another name for the service, or istio_services_adopt=true to change it and to"
                    " own it from then on (state absent then removes it)"
                )
            elif other := controller(there) or tool(there):
                self.warnings.append(f"{item.place}: {whose}; it is taken over, and {other} may change it back")
            if manifest["kind"] in _WORKLOADS and self.asked.adopt:
                old, new = (part(pod_template(of), "spec").get("serviceAccountName") for of in (there, manifest))
                if old != new:
                    self.warnings.append(
                        f"{item.place}: the pods of {_named(there)} run as ServiceAccount"
                        f" {visible(old or 'default', 63)} and from then on as {visible(new, 63)}: policies that name"
                        " the identity have to follow"
                    )
        if there is not None and item.before is not None:
            spec, before = manifest.get("spec") or {}, item.before.get("spec") or {}
            fixed = [key for key in _FIXED.get(manifest["kind"], ()) if key in spec and spec[key] != before.get(key)]
            if "replicas" in before and "replicas" not in spec:
                self.warnings.append(
                    f"{item.place}: replicas is left to somebody else, and where nobody else has set it (as a"
                    " HorizontalPodAutoscaler does) it becomes 1"
                )
            if fixed:
                yield (
                    f"{', '.join(fixed)} of {_named(manifest)} cannot be changed. Remedy: remove the service first"
                    " (istio_services_state=absent with this entry), which ends its pods"
                )

    def _lacks(self, manifest: Manifest) -> str:
        """Why an object cannot be made yet; empty where it can."""
        kind, namespace, dummy = _key(manifest)
        if kind in self.absent_kinds:
            return (
                f"The cluster knows no {kind} ({manifest['apiVersion']}): Istio's CRDs are not installed."
                " Remedy: run the role meshproof.mtls.istio_install first"
            )
        unknown = any(gap["kind"] == "Namespace" for gap in self.unread)
        if ("Namespace", "", namespace) not in self.there and not unknown:
            return (
                f"There is no namespace {namespace} for the services. Remedy: run the role"
                " meshproof.mtls.istio_namespaces with it first; it creates the namespace and enrols it in the mesh"
            )
        return ""

    def _ending(self, manifest: Manifest, there: Optional[Manifest]) -> str:
        namespace = manifest["metadata"]["namespace"]
        home = self.there.get(("Namespace", "", namespace), {})
        if (home.get("status") or {}).get("phase") == "Terminating":
            return (
                f"Namespace {namespace} is being deleted and takes no new objects. Remedy: wait until it is gone"
                f" (kubectl get namespace {namespace} -o yaml says in status.conditions what holds it), then run"
                " istio_namespaces and this role again"
            )
        if there is not None and is_ending(there):
            return f"{_named(there)} is being deleted. Remedy: wait until it is gone, then run this role again"
        return ""

    def _look_beside(self, service: Service, stale: set[Key]) -> None:
        """Workloads beside the wanted one that would be a second container, or answer for it."""
        own = [item.manifest for item in self.wanted if item.place == service.place]
        selector: Mapping[str, Any] = {}
        for manifest in own:
            if manifest["kind"] == "Service":
                selector = part(part(manifest, "spec"), "selector")
            if manifest["kind"] in _WORKLOADS:
                others = [other for other in own if other is not manifest]
                found = doubts.unmatched(manifest, self.there.get(_key(manifest)), others)
                self.problems += [f"{service.place}: {problem}" for problem in found]
        if wants_budget(service) and (budget := other_budget(service, self.there)):
            self.warnings.append(
                f"{service.place}: PodDisruptionBudget {visible(budget)} is about its pods already, and nobody can"
                " evict pods that have two: so it gets none"
            )
        for key, other in sorted(self.there.items()):
            kind, namespace, name = key
            if kind not in _WORKLOADS or namespace != service.namespace or key in stale or controller(other):
                continue
            if name == service.name and kind != service.kind:
                remedy = f"kind: {kind} in the entry, or another name"
                if is_ours(other):
                    remedy = f"kind: {kind} in the entry, or istio_services_prune=true, which removes it"
                elif not self.asked.adopt:
                    remedy += "; istio_services_adopt=true takes it over then"
                self.problems.append(
                    f"{service.place}: {_named(other)} ({owners(other)}) is there, and a {service.kind} beside it"
                    f" would be a second container of the same name. Remedy: {remedy}"
                )
            elif name != service.name and selector and selector.items() <= template_labels(other).items():
                self.warnings.append(
                    f"{service.place}: its Service also leads to the pods of {_named(other)}, whose labels its selector"
                    f" {doubts.equations(selector)} matches"
                )


def _reads(asked: Asked) -> list[dict[str, Any]]:
    """What the module objects_info has to read."""
    found: list[dict[str, Any]] = []
    for namespace in _namespaces(asked):
        found.append({"api_version": "v1", "kind": "Namespace", "name": namespace})
        found += [{"api_version": api, "kind": kind, "namespace": namespace} for kind, api in API_VERSIONS.items()]
    if asked.prune:
        # Every service of ours has one, so that they tell of services in namespaces that nobody names any more.
        marks = [f"{key}={value}" for key, value in MARKS.items()]
        everywhere = {"api_version": "v1", "kind": "ServiceAccount", "label_selectors": marks, "only_metadata": True}
        found.insert(0, everywhere)
    return found


def _namespaces(asked: Asked) -> list[str]:
    """Where the role works: where services are listed, and, to clean up, where they would be without a word."""
    more = [asked.namespace] if asked.prune and asked.namespace else []
    return list(dict.fromkeys([*(service.namespace for service in asked.services), *more]))


def _lines(changed: Iterable[_Wanted], stale: Iterable[Manifest]) -> list[str]:
    """One line for each service and what is done with it."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for item in changed:
        verb, detail = "new", ""
        if item.before is not None:
            verb = "made again" if item.remade else "changed"
            detail = f" ({_shortened(list(paths(item.before, item.manifest)), 3)})"
        made.setdefault((verb, *_place(item.manifest)), []).append(item.manifest["kind"] + detail)
    for manifest in stale:
        made.setdefault(("removed", *_place(manifest)), []).append(manifest["kind"])
    return [f"{verb}: {namespace}/{name}: {', '.join(kinds)}" for (verb, namespace, name), kinds in made.items()]


def _leftovers(items: Iterable[Manifest], remedy: str) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for item in items:
        found.setdefault(_place(item), []).append(item["kind"])
    return [
        f"stays: {namespace}/{name}: {', '.join(kinds)}, made by this role and no longer listed ({remedy} removes it)"
        for (namespace, name), kinds in found.items()
    ]


def _key(manifest: Mapping[str, Any]) -> Key:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace") or "", meta["name"]


def _place(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return _key(manifest)[1:]


def _here(manifest: Mapping[str, Any], namespaces: Iterable[str]) -> bool:
    return _key(manifest)[1] in namespaces


def _named(manifest: Mapping[str, Any]) -> str:
    kind, namespace, name = _key(manifest)
    return f"{kind} {namespace}/{name}"


def _reference(manifest: Mapping[str, Any]) -> Manifest:
    kind, namespace, name = _key(manifest)
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def _brief(manifest: Mapping[str, Any]) -> Manifest:
    """An object that is removed, as a diff shows it."""
    return {**_reference(manifest), "spec": {}}


def _shortened(words: Sequence[str], most: int) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(visible(word, 120) for word in words[:most]) + more
