# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an object is that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._foreign.visible import visible
from ..contents import is_marked
from .entries import ROLE

_OWNERS = (
    "app.kubernetes.io/managed-by",
    "meshproof.mtls/role",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/instance",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
)
"""Labels and annotations by which other tools say whose an object is."""
_TOOLS = ("argocd.", "helm.toolkit.", "kustomize.toolkit.", "meta.helm.sh/")


def is_ours(manifest: Mapping[str, Any]) -> bool:
    """Whether this role made it, or took it over: by both of its marks."""
    return is_marked(manifest, ROLE)


def is_ending(manifest: Mapping[str, Any]) -> bool:
    """Whether it is being deleted."""
    return bool(manifest["metadata"].get("deletionTimestamp"))


def controller(manifest: Mapping[str, Any]) -> str:
    """Whose an object is by its ownerReferences: a Job of a CronJob, a Deployment of an operator."""
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return visible(f"{owner.get('kind')} {owner.get('name')}", 200)
    return ""


def _marks(manifest: Mapping[str, Any]) -> dict[str, str]:
    meta = manifest["metadata"]
    marks = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    return {key: visible(marks[key], 100) for key in _OWNERS if key in marks}


def owners(manifest: Mapping[str, Any]) -> str:
    """By whatever says it, in half a sentence."""
    owner = controller(manifest)
    said = [f"it belongs to {owner}"] if owner else []
    said += [f"{key}={value}" for key, value in _marks(manifest).items()]
    return ", ".join(said) or "no label says whose it is"


def tool(manifest: Mapping[str, Any]) -> str:
    """The mark of a tool that brings back what it made."""
    return next((f"{key}={value}" for key, value in _marks(manifest).items() if key.startswith(_TOOLS)), "")
