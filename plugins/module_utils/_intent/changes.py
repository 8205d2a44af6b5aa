# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a rendered Istio differs from the cluster: by a server-side dry run, its fingerprint, and Helm's statuses.

istiod's own patches (the webhooks' caBundle and failurePolicy) are not part of what is rendered, and so never count.
The fingerprint finds what a dry run of merges cannot: things that are no longer wanted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._foreign.visible import visible
from .ownership import INSTALL, MANAGED_BY, OURS, ROLE, listed, mapping, text

_NOT_THERE_YET = re.compile(r"namespaces .*not found|Failed to find exact match")
"""What the API server, and kubernetes.core, say of an object whose namespace or kind is still to be made."""
_FIRST_POLICY = re.compile(r"(?m)^ *failurePolicy: Ignore$")
_INJECTOR = "MutatingWebhookConfiguration"

Manifest = dict[str, Any]


def rendered(words: str, method: str, load: Callable[[str], Iterable[Any]]) -> list[Manifest]:
    """The manifests of a rendering, with our mark; `load` reads YAML's documents.

    Of istioctl's two things are no part of what is wanted, as they are changed soon after: the webhook's first
    failurePolicy, which istiod replaces when it serves, and the injection webhooks' entries, which istioctl itself
    rewires when it makes the default tag.
    """
    if method == "istioctl":
        words = _FIRST_POLICY.sub("", words)
    found = [_marked(item) for item in load(words) if isinstance(item, dict) and item]
    if method == "istioctl":
        return [{**item, "webhooks": []} if item.get("kind") == _INJECTOR else item for item in found]
    return found


def _marked(item: Manifest) -> Manifest:
    metadata = mapping(item.get("metadata"))
    return {**item, "metadata": {**metadata, "labels": {**mapping(metadata.get("labels")), ROLE: INSTALL}}}


def references(manifests: Sequence[Mapping[str, Any]]) -> list[Manifest]:
    """The names of objects: short enough for the record, and all that is needed to find them again."""
    return [
        {
            "apiVersion": item.get("apiVersion"),
            "kind": item.get("kind"),
            "metadata": {
                name: item["metadata"][name] for name in ("name", "namespace") if item["metadata"].get(name) is not None
            },
        }
        for item in manifests
    ]


def difference(
    plan: Mapping[str, Any],
    words: str,
    compared: Sequence[Mapping[str, Any]],
    load: Callable[[str], Iterable[Any]],
    dump: Callable[[Any], str],
) -> dict[str, Any]:
    """What has to be done so that the cluster is as it was rendered, added to a plan.

    `words` is the rendering as text, `compared` the answers of the dry run, one for each manifest; `load` reads
    YAML's documents, `dump` writes YAML.

    - `problems`: what the cluster would refuse. `needed`: whether there is anything to install.
    - `mark`: references with our label, to be patched. `installing`, `installed`: the record before and after.
    - `before`, `after`: both sides of the difference as text. `lines`: a line for each object that would change.
    """
    wish = mapping(plan.get("options"))
    manifests = rendered(words, text(wish.get("method")), load)
    fingerprint = hashlib.sha256(words.encode()).hexdigest()
    recorded = mapping(plan.get("recorded"))
    changed, problems = _sorted(manifests, compared)
    statuses = mapping(plan.get("releases"))
    releases = [item["release"] for item in plan["charts"]] if wish.get("method") == "helm" else []
    pending = [name for name in releases if statuses.get(name) != "deployed"]
    same = recorded.get("fingerprint") == fingerprint and recorded.get("phase") == "installed"
    needed = bool(changed or pending or not same)
    names = references(manifests)
    values = dump(plan["all_values"])
    old = [dict(item) for item in listed(recorded.get("objects")) if item not in names]
    before, after = _texts(plan, changed, fingerprint, needed, dump)
    return {
        "problems": [*plan["problems"], *problems],
        "needed": needed,
        "apply": needed or plan["scale"] is not None,
        "wait": needed or not plan["serves"] or bool(plan["tags"]),
        "mark": [_marked(item) for item in names],
        "installing": _record(plan, "installing", [*old, *names], fingerprint, values),
        "installed": _record(plan, "installed", names, fingerprint, values),
        "before": before,
        "after": after,
        "lines": [*(visible(_line(item, result)) for item, result in changed), *plan["tag_lines"]],
    }


_Change = tuple[Manifest, Mapping[str, Any]]
"""A manifest, and what the dry run found of it: `before` and `after`, empty for a new object."""


def _sorted(manifests: Sequence[Manifest], compared: Sequence[Mapping[str, Any]]) -> tuple[list[_Change], list[str]]:
    """What changes, and sentences about what the cluster would refuse."""
    changed: list[_Change] = []
    problems: list[str] = []
    if len(compared) != len(manifests):
        return [], [
            f"The dry run answered for {len(compared)} of {len(manifests)} objects. Remedy: run again; if it stays, "
            "look at the API server."
        ]
    for number, item in enumerate(manifests):
        result = compared[number]
        message = text(mapping(result.get("error")).get("msg"))
        missing = bool(_NOT_THERE_YET.search(message))
        if message and not missing:
            name = f"{item.get('kind')} {item['metadata'].get('name')}"
            problems.append(
                visible(f"The cluster would refuse {name}: {message[:300]}. Remedy: see what it names.", 800)
            )
        elif missing or result.get("method") == "create":
            changed.append((item, {}))
        elif result.get("changed"):
            changed.append((item, mapping(result.get("diff"))))
    return changed, problems[:3]


def _record(
    plan: Mapping[str, Any], phase: str, objects: Sequence[Manifest], fingerprint: str, values: str
) -> Manifest:
    """What this role knows of its installation. The values are there to be compared by eye and by --diff."""
    wish = mapping(plan["options"])
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": plan["record_name"],
            "namespace": wish["namespace"],
            "labels": {MANAGED_BY: OURS, ROLE: INSTALL},
        },
        "data": {
            "phase": phase,
            "method": wish["method"],
            "version": wish["version"],
            "revision": "" if wish["revision"] == "default" else wish["revision"],
            "components": " ".join(wish["components"]),
            "values": values,
            "fingerprint": fingerprint,
            "objects": json.dumps(list(objects)),
        },
    }


# What a person reads.


def _title(item: Manifest) -> str:
    metadata = item["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind')} {place}{metadata.get('name')}"


def _line(item: Manifest, diff: Mapping[str, Any]) -> str:
    return f"{_title(item)}: {'changes' if diff else 'new'}"


def _texts(
    plan: Mapping[str, Any], changed: Sequence[_Change], fingerprint: str, needed: bool, dump: Callable[[Any], str]
) -> tuple[str, str]:
    """Both sides: of objects that change only what changes, new ones with one line each, the values, the releases."""
    before: list[str] = []
    after: list[str] = []
    for item, diff in changed:
        if diff:
            before += [f"--- {_title(item)}", *_side(item, diff, "before", "after", dump)]
            after += [f"--- {_title(item)}", *_side(item, diff, "after", "before", dump)]
        else:
            after.append(f"--- {_title(item)} (new)")
    wish, recorded = mapping(plan["options"]), mapping(plan.get("recorded"))
    if recorded:
        before += _rendering(recorded["fingerprint"], recorded["phase"], recorded["version"], recorded["values"])
    values = dump(plan["all_values"]) if needed else recorded["values"]
    after += _rendering(fingerprint, "installed", wish["version"], values)
    if wish["method"] == "helm":
        names = [item["release"] for item in plan["charts"]]
        before += [f"Helm release {name}: {plan['releases'].get(name, 'missing')}" for name in names if recorded]
        after += [f"Helm release {name}: deployed" for name in names]
    return "\n".join([*before, ""]), "\n".join([*after, ""])


def _rendering(fingerprint: str, phase: str, version: str, values: str) -> list[str]:
    return [f"--- rendering {fingerprint[:12]} ({phase})", f"version {version}", "values:", *values.splitlines()]


def _side(item: Manifest, diff: Mapping[str, Any], side: str, other: str, dump: Callable[[Any], str]) -> list[str]:
    """One side of a change; of a ConfigMap's texts only the lines that change."""
    shown, hidden = mapping(diff.get(side)), mapping(diff.get(other))
    texts = mapping(shown.get("data")) if item.get("kind") == "ConfigMap" else {}
    if not texts:
        return dump(dict(shown)).splitlines()
    lines = []
    for key, value in texts.items():
        known = set(str(mapping(hidden.get("data")).get(key, "")).splitlines())
        lines += [f"data.{key}:", *(f"  {line}" for line in str(value).splitlines() if line not in known)]
    return lines
