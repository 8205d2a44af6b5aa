# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a control plane does not serve, by its pods and the warnings of its namespace: a sentence for each pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._foreign.visible import visible
from .ownership import listed, mapping, text

_MOST = 3
_LONGEST = 300


def diagnosis(objects: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for each of the first pods that are not ready; without one, the namespace's last warning."""
    events = [item for item in objects if item.get("kind") == "Event"]
    sick = [item for item in objects if item.get("kind") == "Pod" and _is_sick(item)]
    said = [_of_pod(item, events) for item in sick[:_MOST]]
    others = [item for item in events if mapping(item.get("involvedObject")).get("kind") != "Pod"]
    if not sick and others:
        about = mapping(others[-1].get("involvedObject"))
        said = [f"Last warning: {about.get('kind')} {about.get('name')}, {_warning(others[-1])}."]
    return " ".join(said) or "No pod that is not ready, and no warning, was found."


def _is_sick(pod: Mapping[str, Any]) -> bool:
    status = mapping(pod.get("status"))
    containers = listed(status.get("containerStatuses"))
    return status.get("phase") != "Succeeded" and (not containers or not all(item.get("ready") for item in containers))


def _of_pod(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    status, name = mapping(pod.get("status")), text(mapping(pod.get("metadata")).get("name"))
    parts = [text(status.get("phase")) or "Unknown"]
    for item in listed(status.get("containerStatuses")):
        waiting = mapping(mapping(item.get("state")).get("waiting"))
        if waiting:
            words = f"{text(waiting.get('reason'))} {text(waiting.get('message'))}".strip()
            parts.append(f"{text(item.get('name'))} waits, {visible(words, _LONGEST)}")
        last = mapping(mapping(item.get("lastState")).get("terminated"))
        if last.get("message"):
            parts.append(f"before it said: {visible(text(last['message'])[-_LONGEST:], _LONGEST)}")
    for item in listed(status.get("conditions")):
        if item.get("type") == "PodScheduled" and item.get("status") == "False":
            parts.append(f"not scheduled, {visible(text(item.get('message')), _LONGEST)}")
    own = [event for event in events if mapping(event.get("involvedObject")).get("name") == name]
    parts += [f"last warning {_warning(own[-1])}"] if own else []
    return f"Pod {visible(name)} is not ready ({'; '.join(parts)})."


def _warning(event: Mapping[str, Any]) -> str:
    return visible(f"{text(event.get('reason'))}, {text(event.get('message'))}", _LONGEST)
