# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user asks of the role istio_mtls to manifests, and to what speaks against them.

Nothing here decides what traffic does: it makes the objects, and finds requests that cannot mean what they say and
objects of others that ours would collide with, or lose to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._policy.ages import age_of
from .._policy.records import UNDATED
from .contents import MANAGED_BY, ROLE, is_marked
from .inputs import Inputs
from .names import LABEL
from .policies import (
    ACCOUNT,
    API_VERSIONS,
    ROLE_NAME,
    Asked,
    Manifest,
    asked_for,
    full_host,
    key_of,
    named,
    selector_of,
)

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


class Wanted(NamedTuple):
    """What was asked for."""

    state: str
    policies: list[dict[str, Any]]
    hosts: list[dict[str, Any]]
    authorization: list[dict[str, Any]]
    root_namespace: str
    prune: bool
    adopt: bool
    preview: bool
    max_broken: int
    problems: list[str]


def wanted(given: Mapping[str, Any]) -> Wanted:
    """The options, read and checked without a cluster; `problems` are sentences.

    `given` has the role's options without its prefix.
    """
    inputs = Inputs(ROLE_NAME, given)
    found = Wanted(
        inputs.text("state", ("present", "absent")),
        inputs.entries("policies"),
        inputs.entries("hosts"),
        inputs.entries("authorization"),
        inputs.text("root_namespace"),
        inputs.switch("prune"),
        inputs.switch("adopt"),
        inputs.switch("preview"),
        inputs.count("max_broken"),
        inputs.problems,
    )
    inputs.count("max_rows")
    inputs.count("settle_seconds")
    if not LABEL.fullmatch(found.root_namespace):
        inputs.problems.append(f"{ROLE_NAME}_root_namespace is no namespace. Remedy: the one of Istio's configuration")
    for option, entries in (
        ("hosts", found.hosts),
        ("policies", found.policies),
        ("authorization", found.authorization),
    ):
        for index, entry in enumerate(entries):
            _read_inside(entry, Inputs(f"{ROLE_NAME}_{option}[{index}]", entry, "."), inputs.problems)
    inputs.problems += _policies(found).problems
    return found


def _policies(wish: Wanted) -> Asked:
    if wish.state == "absent":
        return Asked()
    return asked_for(wish.policies, wish.hosts, wish.authorization, wish.root_namespace)


def _read_inside(entry: dict[str, Any], inputs: Inputs, problems: list[str]) -> None:
    """Makes lists and mappings of what an entry holds as text."""
    for name in ("selector", "ports"):
        if entry.get(name) is not None:
            entry[name] = inputs.mapping(name)
    for name in ("principals", "export_to"):
        if entry.get(name) is not None:
            entry[name] = inputs.texts(name)
    problems += inputs.problems


def questions(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What has to be read before a plan can be made, as the option `objects` of objects_info."""
    kinds = [{"api_version": version, "kind": kind} for kind, version in API_VERSIONS.items()]
    accounts = {"api_version": "v1", "kind": "ServiceAccount", "only_metadata": True}
    namespaces = sorted({namespace for namespace, dummy in _callers(wanted(given))})
    return [
        {"api_version": "v1", "kind": "Namespace"},
        *kinds,
        *({**accounts, "namespace": namespace} for namespace in namespaces),
    ]


def _callers(asked: Wanted) -> Iterator[tuple[str, str]]:
    """Namespace and name of each ServiceAccount that a principal names in full."""
    for entry in asked.authorization:
        for principal in entry.get("principals") or ():
            found = ACCOUNT.fullmatch(principal)
            if found and "*" not in principal:
                yield found[1], found[2]


def proposed(given: Mapping[str, Any], there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What would change, as status_info takes it; empty where nothing would, or nobody wants to know."""
    asked = wanted(given)
    if not asked.preview:
        return []
    made = _objects(asked, there)
    changes: list[dict[str, Any]] = made["blanket"] or made["proposed"]
    return changes


def plan(
    given: Mapping[str, Any],
    there: Mapping[str, Any],
    preview: Mapping[str, Sequence[str]] | None = None,
    findings: Iterable[Mapping[str, Any]] = (),
    check: bool = False,
) -> dict[str, Any]:
    """What to do so that the cluster is as asked for.

    `there` is what objects_info answers to ``questions``, `preview` what the judge says of ``proposed`` (`lines`,
    `rows`, `breaks`, `broken`), `findings` those of the mesh as it would be. With `check` the plan is only shown, so
    that what another role would make before is no problem. The answer:
    - `problems`: sentences; with any of them nothing is done. `warnings`: sentences that stop nothing.
    - `objects`: manifests to apply, those that differ from what is there. `homeless`: those among them that cannot be
      made yet, because their namespace or kind is not there.
    - `stale`: manifests of ours to delete.
    - `changes`: the same as pairs of `before` and `after`.
    - `lines`: the connections that change, `rows`: all of them.
    """
    asked = wanted(given)
    made = _objects(asked, there)
    seen: Mapping[str, Sequence[str]] = preview or {}
    unmet, dummy, dummy = (made.pop(name) for name in ("unmet", "proposed", "blanket"))
    ours = {named(manifest) for manifest in (*made["objects"], *made["homeless"])}
    problems = [
        *asked.problems,
        *_hidden(there["unread"]),
        *made["problems"],
        *([] if check else unmet),
        *_breaking(asked, seen),
    ]
    warnings = [
        *made["warnings"],
        *(f"as the cluster is now, this would be refused: {sentence}" for sentence in unmet if check),
        *_nameless(asked, there),
        *(
            f"{finding['object']}: {finding['message']} ({finding['id']}). Remedy: {finding['fix']}"
            for finding in findings
            if finding["object"] in ours
        ),
    ]
    return {
        **made,
        "problems": problems,
        "warnings": warnings,
        "lines": list(seen.get("lines", ())),
        "rows": list(seen.get("rows", ())),
    }


def _hidden(unread: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    gaps = [gap for gap in unread if gap["kind"] != "ServiceAccount"]
    if gaps:
        kinds = ", ".join(dict.fromkeys(gap["kind"] for gap in gaps))
        yield (
            f"{kinds} could not be read in the cluster: {gaps[0]['reason']}. Remedy: the rights to get and list these"
            " kinds; the playbook meshproof.mtls.preflight tells what is missing"
        )


def _breaking(asked: Wanted, preview: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What the mesh as it would be says against the change."""
    outside, broken = preview.get("breaks", ()), preview.get("broken", ())
    if outside:
        yield (
            f"clients in the mesh would send mutual TLS to {len(outside)} servers outside, which cannot take it:"
            f" {_some(outside)}. Remedy: enrol these servers, or leave their hosts out of {ROLE_NAME}_hosts"
        )
    elif len(broken) > asked.max_broken:
        yield (
            f"{len(broken)} connections of clients in the mesh would break, and {ROLE_NAME}_max_broken allows"
            f" {asked.max_broken}: {_some(broken)}. Remedy: mend what the reasons name first, or allow so many"
        )


def _some(sentences: Sequence[str]) -> str:
    return "; ".join(sentences[:5]) + ("; …" if len(sentences) > 5 else "")


def _nameless(asked: Wanted, there: Mapping[str, Any]) -> Iterator[str]:
    """Principals that name no ServiceAccount: whoever is meant will be refused."""
    accounts = {
        (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        for manifest in there["objects"]
        if manifest["kind"] == "ServiceAccount"
    }
    unread = {gap["namespace"] for gap in there["unread"] if gap["kind"] == "ServiceAccount"}
    for namespace, name in dict.fromkeys(_callers(asked)):
        if (namespace, name) not in accounts and namespace not in unread:
            yield f"there is no ServiceAccount {namespace}/{name}, which a principal names. Remedy: check its spelling"


def _objects(wish: Wanted, there: Mapping[str, Any]) -> dict[str, Any]:
    """The manifests, and what speaks for and against them, by what is there alone.

    Of ``plan``'s answer; with `unmet`, sentences that say why something is homeless, `proposed` changes as evaluate()
    takes them, and `blanket`: refused blanket rules, likewise.
    - `problems`: sentences; with any of them nothing should be applied. `warnings`: sentences that stop nothing.
    - `objects`: manifests to apply, those that differ from what is there. `homeless`: those among them that cannot be
      made yet, because their namespace or kind is not there, and `unmet`: sentences that say so.
    - `stale`: manifests of ours to delete.
    - `changes`: the same as pairs of `before` and `after`, and `proposed`: as evaluate() takes them.
    - `blanket`: refused blanket rules, as evaluate() takes them.
    """
    asked = _policies(wish)
    found = {key_of(manifest): manifest for manifest in there["objects"] if manifest["kind"] != "ServiceAccount"}
    missing_kinds = there["absent_kinds"]
    prune, state = wish.prune, wish.state
    made = [(place, _kept(manifest, found.get(key_of(manifest)))) for place, manifest in asked.objects]
    keys = {key_of(manifest) for dummy, manifest in made}
    stale = [
        _reference(manifest)
        for key, manifest in sorted(found.items())
        if manifest["kind"] in API_VERSIONS and _is_ours(manifest) and key not in keys and (prune or state == "absent")
    ]
    keys |= {key_of(manifest) for manifest in stale}
    others = [manifest for key, manifest in sorted(found.items()) if key not in keys]
    problems = list(asked.refused)
    warnings = list(asked.warnings)
    unmet = {}
    for place, manifest in made:
        now = found.get(key_of(manifest))
        problems += [f"{place}: {problem}" for problem in _taken(now, wish.adopt)]
        for certain, sentence in _rivals(manifest, now, others):
            (problems if certain else warnings).append(f"{place}: {sentence}")
        if not now and (reason := _unmet(manifest, found, missing_kinds)):
            unmet[key_of(manifest)] = reason
    changed = [manifest for dummy, manifest in made if _differs(manifest, found.get(key_of(manifest)))]
    return {
        "problems": problems,
        "warnings": warnings,
        "objects": [manifest for manifest in changed if key_of(manifest) not in unmet],
        "homeless": [manifest for manifest in changed if key_of(manifest) in unmet],
        "unmet": sorted(set(unmet.values())),
        "stale": stale,
        "changes": [{"before": found.get(key_of(manifest)), "after": manifest} for manifest in changed]
        + [{"before": found[key_of(manifest)], "after": None} for manifest in stale],
        "proposed": [{"op": "apply", "manifest": manifest} for manifest in changed]
        + [{"op": "delete", "manifest": manifest} for manifest in stale],
        "blanket": [{"op": "apply", "manifest": manifest} for manifest in asked.blanket],
    }


# Against what is there.


def _reference(manifest: Mapping[str, Any]) -> Manifest:
    kind, namespace, name = key_of(manifest)
    return {
        "apiVersion": manifest.get("apiVersion") or API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }


def _is_ours(manifest: Mapping[str, Any]) -> bool:
    return is_marked(manifest, ROLE_NAME)


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
    found = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    return ", ".join(f"{key}={found[key]}" for key in OWNERS if key in found) or "no label says whose it is"


def _taken(there: Mapping[str, Any] | None, adopt: bool) -> Iterator[str]:
    if there is not None and not _is_ours(there) and not adopt:
        yield (
            f"{named(there)} is there already and is not ours ({_owners(there)}). Remedy: give ours another name, have"
            f" its owner remove it, or take it over with {ROLE_NAME}_adopt=true"
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
        whose = f"{named(other)} ({_owners(other)})"
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


def _overlap(ours: Manifest, other: Mapping[str, Any]) -> str:
    """Which of the pods that ours governs the other would govern instead: all | some | none."""
    mine, theirs = selector_of(ours), selector_of(other)
    if bool(mine) != bool(theirs):
        return "none"
    if any(mine.get(key, value) != value for key, value in theirs.items()):
        return "none"
    return "all" if theirs.items() <= mine.items() else "some"


def _same_host(ours: Manifest, other: Mapping[str, Any]) -> bool:
    """A rule for chosen clients, or without a trafficPolicy, takes nothing from ours."""
    spec = other.get("spec") or {}
    return full_host(ours) == full_host(other) and "trafficPolicy" in spec and "workloadSelector" not in spec
