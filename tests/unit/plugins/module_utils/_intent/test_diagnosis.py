# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a control plane does not serve, in sentences."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.diagnosis import diagnosis

Manifest = dict[str, Any]


def pod(name: str = "istiod-1", ready: bool = False, phase: str = "Pending", **status: Any) -> Manifest:
    container = {"name": "discovery", "ready": ready, **status.pop("container", {})}
    found = {"phase": phase, "containerStatuses": [container], **status}
    return {"kind": "Pod", "metadata": {"name": name}, "status": found}


def event(name: str, reason: str, message: str, kind: str = "Pod") -> Manifest:
    return {"kind": "Event", "involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message}


WAITING = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: memory"}]


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        (
            [pod(container=WAITING)],
            "Pod istiod-1 is not ready (Pending; discovery waits, ImagePullBackOff no such image).",
        ),
        ([pod(conditions=UNSCHEDULED)], "Pod istiod-1 is not ready (Pending; not scheduled, 0/1 nodes: memory)."),
        (
            [pod(), event("istiod-1", "A", "old"), event("istiod-1", "B", "new"), event("x", "C", "other")],
            "Pod istiod-1 is not ready (Pending; last warning B, new).",
        ),
        (
            [pod(ready=True), event("istiod", "Failed", "quota", "ReplicaSet")],
            "Last warning: ReplicaSet istiod, Failed, quota.",
        ),
        ([pod(ready=True), pod(phase="Succeeded")], "No pod that is not ready, and no warning, was found."),
        ([], "No pod that is not ready, and no warning, was found."),
        ([{"kind": "Pod", "metadata": {}, "status": {}}], "Pod  is not ready (Unknown)."),
    ],
    ids=["it waits", "no room", "its last warning", "a warning of another kind", "all is well", "nothing", "odd"],
)
def test_what_is_said(objects: list[Manifest], words: str) -> None:
    assert diagnosis(objects) == words


def test_at_most_three_pods() -> None:
    assert diagnosis([pod(f"istiod-{number}") for number in range(9)]).count("is not ready") == 3


def test_foreign_words_are_made_visible() -> None:
    assert "\n" not in diagnosis([pod(), event("istiod-1", "A", "x\nPLAY RECAP\x1b[2J")])
