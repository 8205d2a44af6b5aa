# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user asks of the role istio_namespaces to labels and restarts, and to what speaks against them.

A label on a namespace changes only pods that are made after it. So what counts is what the pods are, not what was done:
the same plan comes out of a first run, of one that goes on, and of one after a tag was moved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._foreign import json_text
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible
from . import misfits, rollouts
from .contents import is_marked, marks, strangers
from .inputs import Inputs
from .misfits import DATAPLANE, Membership
from .names import LABEL, LABEL_VALUE
from .rollouts import Step

ROLE = "istio_namespaces"
MODES = ("sidecar", "ambient", "none")
INJECTION, REVISION = "istio-injection", "istio.io/rev"
LABELS = (INJECTION, REVISION, DATAPLANE)
"""Of which a namespace has at most one afterwards: the first beats the second, and either the third."""
PREVIOUS = "meshproof.mtls/previous"

_SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "istio-system")
_DECIDES = ("Namespace", "MutatingWebhookConfiguration", "Pod", *rollouts.RESTARTABLE, "PodDisruptionBudget")
"""Kinds without which nobody knows what a label, or a restart, does."""
_SHOWN = 20

Labels = Mapping[str, Any]
Manifest = Mapping[str, Any]


class Wanted(NamedTuple):
    """What was asked for."""

    state: str
    namespaces: list[dict[str, str]]
    """Each with name, mode and revision."""
    restart: bool
    batch: int
    max_broken: int
    force: bool
    problems: list[str]

    @property
    def names(self) -> list[str]:
        """Of the namespaces."""
        return [entry["name"] for entry in self.namespaces]


class Space(NamedTuple):
    """One namespace: what is done with it, and how its pods are in the mesh afterwards."""

    name: str
    action: str
    """create | change | restore | delete | keep | gone"""
    ending: bool
    before: Labels
    """The labels of LABELS, None where there is none."""
    after: Labels
    label: str
    """key=value of the label that injects afterwards, empty for none."""
    mesh: str
    """sidecar | ambient | none"""
    definition: dict[str, Any]
    """The Namespace to apply; None for a label takes it away."""
    problem: str = ""

    @property
    def stands(self) -> bool:
        """Whether it is there before and after, and its workloads follow its label."""
        return self.action in ("keep", "change", "restore")


def wanted(given: Mapping[str, Any]) -> Wanted:
    """The options, read and checked without a cluster; `problems` are sentences.

    `given` has the role's options without its prefix.
    """
    inputs = Inputs(ROLE, given)
    state = inputs.text("state", ("present", "absent"))
    usual = {"mode": inputs.text("mode", MODES), "revision": inputs.text("revision")}
    entries = [{**usual, **entry} for entry in inputs.entries("list", by_name=True)]
    found = Wanted(
        state,
        [{key: str(value) for key, value in entry.items() if value is not None} for entry in entries],
        inputs.switch("restart"),
        inputs.count("restart_batch"),
        inputs.count("max_broken"),
        inputs.switch("force"),
        inputs.problems,
    )
    inputs.count("wait_timeout")
    inputs.problems += _entry_problems(found.namespaces)
    return found


def _entry_problems(entries: Sequence[Mapping[str, str]]) -> Iterator[str]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        place = f"{ROLE}_list[{index}]"
        name = entry.get("name", "")
        if not LABEL.fullmatch(name):
            yield f"{place} names no namespace: '{visible(name, 100)}'. Remedy: lower case letters, digits and '-'"
        elif name in seen:
            yield f"{place}: {name} is named twice. Remedy: keep one of them"
        seen.add(name)
        unknown = sorted(set(entry) - {"name", "mode", "revision"})
        if unknown:
            yield f"{place} ({name}) has {visible(', '.join(unknown), 100)}. Remedy: only name, mode and revision"
        if entry.get("mode") not in MODES:
            yield f"{place} ({name}): mode is '{visible(entry.get('mode'), 100)}'. Remedy: one of {', '.join(MODES)}"
        if not LABEL_VALUE.fullmatch(entry.get("revision", "")):
            yield f"{place} ({name}): revision '{visible(entry['revision'], 100)}' is no name. Remedy: its name"
        if name in _SYSTEM:
            yield f"{place}: {name} cannot be enrolled, as its pods must start without Istio. Remedy: take it out"


# --- what is to be seen ---------------------------------------------------------------------------------------------


def questions(given: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be read beside status_info's answer, as the options of objects_info; empty where nothing has."""
    asked = wanted(given)
    spaces = _spaces(asked, status)
    objects: list[dict[str, Any]] = []
    if any(space.mesh == "ambient" and space.action in ("create", "change", "keep") for space in spaces):
        ztunnel = {"label_selectors": ["app=ztunnel"], "only_metadata": True}
        objects.append({"api_version": "apps/v1", "kind": "DaemonSet", **ztunnel})
    if asked.restart:
        objects += misfits.questions(misfits.found(_standing(spaces), status))
    inside = [space.name for space in spaces if space.action == "delete" and not asked.force]
    return {"objects": objects, "contents_of": inside} if objects or inside else {}


def proposed(
    given: Mapping[str, Any], status: Mapping[str, Any], there: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The restarts as status_info takes proposals: the Namespaces with their labels, and the pods that go.

    Without pods a workload is judged by its template and its namespace, which is what its new pods will be. Empty where
    nothing is restarted.
    """
    asked = wanted(given)
    spaces = _spaces(asked, status)
    moving = {step.place for step in _all_steps(asked, spaces, status, there) if step.do != "nothing"}
    found = {item["name"]: item for item in status.get("namespaces") or ()}
    changes: list[dict[str, Any]] = []
    for space in spaces if moving else ():
        if space.action in ("change", "restore"):
            labels = {**(found[space.name].get("labels") or {}), **space.after}
            metadata = {"name": space.name, "labels": {key: text for key, text in labels.items() if text is not None}}
            changes.append({"op": "apply", "manifest": {**space.definition, "metadata": metadata}})
    for workload in status.get("workloads") or ():
        if (workload["kind"], workload["namespace"], workload["name"]) in moving:
            for pod in workload.get("pods") or ():
                metadata = {"name": pod, "namespace": workload["namespace"]}
                changes.append({"op": "delete", "manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}})
    return changes


def _all_steps(
    asked: Wanted, spaces: Sequence[Space], status: Mapping[str, Any], there: Mapping[str, Any] | None
) -> list[Step]:
    if not asked.restart:
        return []
    return misfits.steps(misfits.found(_standing(spaces), status), (there or {"objects": []})["objects"])


def _standing(spaces: Iterable[Space]) -> dict[str, Membership]:
    """How the pods of those namespaces shall be in the mesh that are there before and after."""
    return {space.name: Membership(space.mesh, space.label) for space in spaces if space.stands}


# --- the plan -------------------------------------------------------------------------------------------------------


def plan(
    given: Mapping[str, Any],
    status: Mapping[str, Any],
    there: Mapping[str, Any] | None = None,
    broken: Sequence[str] = (),
    check: bool = False,
) -> dict[str, Any]:
    """What to do so that the namespaces, and what runs in them, are as asked for.

    `status` is what status_info says in full, `there` what objects_info answers to ``questions``. With `check` the plan
    is only shown, so that what another role would make before is no problem. `broken` are the connections that would
    break, by what the judge says of ``proposed``. The answer:
    - `problems`: sentences; with any of them nothing is done. `warnings`: sentences that stop nothing.
    - `objects`: Namespaces to apply. `forget`: those whose memory of former labels is no longer needed. `delete`:
      those to remove.
    - `batches`: what to restart and to wait for, in portions, each a list of steps (``rollouts.Step``).
    - `left`: workloads that stay as they are: namespace, kind, name and reason.
    - `lines`: what is going to happen, `diff`: the labels that differ.
    """
    asked = wanted(given)
    spaces = _spaces(asked, status)
    seen: Mapping[str, Any] = there or {"objects": [], "contents": [], "unread": [], "contents_unread": []}
    lacking = [] if asked.state == "absent" else list(_lacking(spaces, status, seen))
    steps = _all_steps(asked, spaces, status, there)
    batches = rollouts.batches(steps, asked.batch)
    problems = [
        *asked.problems,
        *_hidden([*(status.get("unknown") or ()), *seen["unread"]]),
        *_refused(asked, spaces, status),
        *([] if check else lacking),
        *_lost(asked, spaces, seen),
        *_breaking(asked, broken),
    ]
    left = [step for step in steps if step.do == "nothing"]
    todo = [space for space in spaces if space.action in ("create", "change", "restore")]
    return {
        "problems": problems,
        "warnings": [f"as the cluster is now, this would be refused: {sentence}" for sentence in lacking if check],
        "objects": [space.definition for space in todo],
        "forget": [_forgotten(space) for space in spaces if space.action == "restore"],
        "delete": [space.definition for space in spaces if space.action == "delete"],
        "batches": [[step._asdict() for step in batch] for batch in batches],
        "left": [{**step.brief(), "reason": step.reason} for step in left],
        "lines": list(_told(spaces, batches, left, asked)),
        "diff": [line for space in todo for line in _diff(space)],
    }


def _spaces(asked: Wanted, status: Mapping[str, Any]) -> list[Space]:
    there = {namespace["name"]: namespace for namespace in status.get("namespaces") or ()}
    return [_space(entry, there.get(entry["name"]), asked.state) for entry in asked.namespaces if entry.get("name")]


def _space(entry: Mapping[str, str], found: Mapping[str, Any] | None, state: str) -> Space:
    manifest = {"metadata": found or {}}
    labels = (found or {}).get("labels") or {}
    ours = is_marked(manifest, ROLE)
    before = {name: labels.get(name) for name in LABELS}
    remembered, problem = _remembered((found or {}).get("annotations") or {})
    if state == "present":
        after = _labels_for(entry)
        action = "create" if found is None else "keep" if before == after else "change"
    else:
        after = before if ours or remembered is None else remembered
        action = "gone" if found is None else "delete" if ours else "keep" if remembered is None else "restore"
    # What is changed on somebody's namespace is written down once, before the first change.
    remember = action == "change" and not ours and PREVIOUS not in ((found or {}).get("annotations") or {})
    present = {name: value for name, value in after.items() if value is not None}
    injecting = next((name for name in (INJECTION, REVISION) if name in present), None)
    mesh = "ambient" if present.get(DATAPLANE) == "ambient" else "none"
    if injecting and present[injecting] != "disabled":
        mesh = "sidecar"
    metadata = {"name": entry["name"], "labels": {**marks(ROLE), **present} if action == "create" else after}
    if remember:
        metadata["annotations"] = {PREVIOUS: json.dumps(before, sort_keys=True)}
    return Space(
        entry["name"],
        action,
        (found or {}).get("phase") == "Terminating",
        before,
        after,
        f"{injecting}={present[injecting]}" if injecting else "",
        mesh,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        problem if state == "absent" and not ours else "",
    )


def _labels_for(entry: Mapping[str, str]) -> dict[str, str | None]:
    sidecar, revision = entry.get("mode") == "sidecar", entry.get("revision") or None
    return {
        INJECTION: "enabled" if sidecar and not revision else None,
        REVISION: revision if sidecar else None,
        DATAPLANE: "ambient" if entry.get("mode") == "ambient" else None,
    }


def _remembered(annotations: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The former labels that an annotation remembers, None for none; and why it cannot be believed.

    Whoever may change the namespace can write it, so nothing but Istio's own labels is taken from it.
    """
    text = annotations.get(PREVIOUS)
    if text is None:
        return None, ""
    try:
        found = json_text.parse(text) if isinstance(text, str) else None
    except Unreadable:
        found = None
    if isinstance(found, dict) and set(found) <= set(LABELS):
        values = [value for value in found.values() if value is not None]
        if all(isinstance(value, str) and LABEL_VALUE.fullmatch(value) for value in values):
            return {name: found.get(name) for name in LABELS}, ""
    return None, f"annotation {PREVIOUS} does not hold what this role writes there: {visible(text, 200)}"


def _forgotten(space: Space) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": space.name, "annotations": {PREVIOUS: None}},
    }


def _diff(space: Space) -> Iterator[str]:
    if space.action == "create":
        label = space.label or (f"{DATAPLANE}=ambient" if space.mesh == "ambient" else "without a label of Istio")
        yield f"+ namespace {space.name} {label}"
        return
    for label in LABELS:
        before, after = space.before[label], space.after[label]
        if before != after:
            sign = "+" if before is None else "-" if after is None else "~"
            yield f"{sign} namespace {space.name} {label}: {visible(before or '(none)', 100)} -> {after or '(none)'}"


# --- what speaks against it -----------------------------------------------------------------------------------------


def _hidden(unknown: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    hidden = [gap for gap in unknown if gap.get("kind") in _DECIDES]
    if hidden:
        kinds = " and ".join(dict.fromkeys(gap["kind"] for gap in hidden))
        reasons = "; ".join(dict.fromkeys(visible(gap.get("reason"), 300) for gap in hidden))
        yield (
            f"{kinds} could not be read: {reasons}. Remedy: rights to list them; the playbook meshproof.mtls.preflight"
            " tells which rights are missing"
        )


def _refused(asked: Wanted, spaces: Iterable[Space], status: Mapping[str, Any]) -> Iterator[str]:
    homes = {
        home
        for revision in (status.get("mesh") or {}).get("revisions") or ()
        for home in (revision.get("root_namespace"), revision.get("namespace"))
    }
    for space in spaces:
        if space.name in homes:
            yield f"{space.name} is a control plane's own namespace. Remedy: take it out of {ROLE}_list"
        elif space.ending and asked.state == "present":
            yield (
                f"namespace {space.name} is being deleted and cannot be enrolled. Remedy: wait until it is gone"
                f" (kubectl get namespace {space.name} -o yaml says in status.conditions what holds it), then run this"
                " role again"
            )
        elif space.problem:
            yield (
                f"namespace {space.name}: {space.problem}. Remedy: set its labels as they shall be and remove the"
                " annotation, then run this role again"
            )


def _lacking(spaces: Sequence[Space], status: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[str]:
    """What has to be installed before a label does anything."""
    heard = [injector["label"] for injector in status.get("injectors") or ()]
    unheard = [space.label for space in spaces if space.mesh == "sidecar" and space.label not in heard]
    if unheard:
        known = f"The webhooks of this cluster know {', '.join(heard)}" if heard else "Istio is not in this cluster"
        yield (
            f"no injection webhook listens to {' or '.join(dict.fromkeys(unheard))}, so pods would start without a"
            f" sidecar. {known}. Remedy: install that revision first (role meshproof.mtls.istio_install), or set"
            f" {ROLE}_revision to one that is installed"
        )
    ambient = any(space.mesh == "ambient" for space in spaces)
    if ambient and not any(_is_ztunnel(manifest) for manifest in seen["objects"]):
        yield (
            "there is no ztunnel in this cluster, so ambient mode would encrypt nothing. Remedy: install Istio with cni"
            " and ztunnel among istio_install_components first (role meshproof.mtls.istio_install)"
        )


def _is_ztunnel(manifest: Manifest) -> bool:
    return manifest["kind"] == "DaemonSet" and (manifest["metadata"].get("labels") or {}).get("app") == "ztunnel"


def _breaking(asked: Wanted, broken: Sequence[str]) -> Iterator[str]:
    if len(broken) > asked.max_broken:
        yield (
            f"{len(broken)} connections that work would break by the restarts, and {ROLE}_max_broken allows"
            f" {asked.max_broken}: {'; '.join(broken[:5])}{'; …' if len(broken) > 5 else ''}. Remedy: mend what the"
            " reasons name first, or allow so many"
        )


def _lost(asked: Wanted, spaces: Iterable[Space], seen: Mapping[str, Any]) -> Iterator[str]:
    """What the removal of our namespaces would take with it."""
    own = [space.name for space in spaces if space.action == "delete"]
    if not own or asked.force:
        return
    remedy = f"{ROLE}_force=true deletes them with all that is in them"
    found = strangers(item for item in seen["contents"] if item["metadata"].get("namespace") in own)
    if found:
        named = ", ".join(visible(name, 200) for name in found[:10]) + (", …" if len(found) > 10 else "")
        yield (
            f"the namespaces {', '.join(own)} were made by this role, but others use them: {named}. Remedy: move or"
            f" delete these objects; {remedy}"
        )
    unread = seen["contents_unread"]
    if unread:
        named = ", ".join(dict.fromkeys(gap["kind"] for gap in unread[:10]))
        yield (
            f"what others have put into {', '.join(own)} could not be seen ({named}:"
            f" {visible(unread[0]['reason'], 300)}). Remedy: rights to list everything there; {remedy}"
        )


# --- what is told ---------------------------------------------------------------------------------------------------


def _told(
    spaces: Iterable[Space], batches: Sequence[Sequence[Step]], left: Sequence[Step], asked: Wanted
) -> Iterator[str]:
    removed = [space.name for space in spaces if space.action == "delete"]
    if removed:
        yield f"{len(removed)} namespaces are removed with all that is in them: {_some(removed)}"
    restarts = [step.workload for batch in batches for step in batch if step.do == "restart"]
    if restarts:
        at_a_time = f", {asked.batch} at a time" if 0 < asked.batch < len(restarts) else ""
        yield f"{len(restarts)} workloads are restarted{at_a_time}: {_some(restarts)}"
    if left:
        yield f"{len(left)} workloads stay as they are:"
        width = max(len(step.workload) for step in left[:_SHOWN])
        for step in left[:_SHOWN]:
            yield f"{visible(step.workload, 200):{width}}  {visible(step.reason, 300)}"
        if len(left) > _SHOWN:
            yield f"and {len(left) - _SHOWN} more; all are in the fact {ROLE}_left_out"


def _some(names: Sequence[str]) -> str:
    return ", ".join(visible(name, 200) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


# --- how far it is --------------------------------------------------------------------------------------------------


def progress(
    given: Mapping[str, Any],
    status: Mapping[str, Any],
    batch: Iterable[Mapping[str, Any]],
    there: Mapping[str, Any],
    seconds: int = 0,
) -> dict[str, Any]:
    """How far a batch of the plan is, by newer answers; see ``misfits.progress``."""
    standing = _standing(_spaces(wanted(given), status))
    return misfits.progress(standing, status, batch, there, misfits.Time(ROLE, seconds, given.get("wait_timeout")))


def remains(given: Mapping[str, Any], there: Iterable[Manifest], why: str) -> str:
    """What holds namespaces that could not be removed, by what is left; `why` is the answer to the removal."""
    names = wanted(given).names
    lines = [visible(why or "The namespaces could not be removed.", 500)]
    for manifest in there:
        if manifest["kind"] == "Namespace" and manifest["metadata"]["name"] in names:
            conditions = (manifest.get("status") or {}).get("conditions") or ()
            said = [
                str(condition.get("message")).strip() for condition in conditions if condition.get("status") == "True"
            ]
            reasons = "".join(f"; {visible(text, 300)}" for text in said)
            lines.append(f"- namespace {manifest['metadata']['name']} is still there{reasons}")
    remedy = "remove what the messages name (mostly an object whose finalizer nobody serves any more)"
    return "\n".join([*lines, f"Remedy: {remedy}, then run this role again."])
