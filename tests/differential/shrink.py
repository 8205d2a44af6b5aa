# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a scenario as small as it can be while something still differs: whole manifests first, then their fields."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Manifest = dict[str, Any]
Path = tuple[Any, ...]
# Without these a manifest is none.
_KEPT = {
    *(
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "namespace",
        "creationTimestamp",
        "annotations",
        "sidecar.istio.io/status",
        "istio.io/rev",
    ),
    *("spec", "containers", "initContainers", "args", "status", "data", "addressType", "port", "number", "protocol"),
    *("ports", "hosts", "host", "targetPort"),
}


def shrink(manifests: list[Manifest], differs: Callable[[list[Manifest]], bool]) -> list[Manifest]:
    """The smallest scenario that is found by leaving things out one by one."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _candidates(manifests):
            if differs(smaller):
                manifests, shrunk = smaller, True
                break
    return manifests


def _candidates(manifests: list[Manifest]) -> Iterator[list[Manifest]]:
    for place in range(len(manifests)):
        yield manifests[:place] + manifests[place + 1 :]
    for place, manifest in enumerate(manifests):
        for path in _paths(manifest, ()):
            smaller = copy.deepcopy(manifest)
            target: Any = smaller
            for step in path[:-1]:
                target = target[step]
            del target[path[-1]]
            yield [*manifests[:place], smaller, *manifests[place + 1 :]]


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """Everything that can be left out, the outermost first."""
    steps = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for step, dummy in steps:
        if step not in _KEPT:
            yield (*path, step)
    for step, inner in steps:
        if step != "status":
            yield from _paths(inner, (*path, step))
