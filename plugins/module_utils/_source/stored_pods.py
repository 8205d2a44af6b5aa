# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of pods in protobuf the fields that ``slim.py`` keeps, by their numbers in k8s.io/api/core/v1/generated.proto.

A field that the engine is to see of pods goes here, there, and into ``_snapshot/kept.py``; test_pod_fields.py compares
the three. The tables are public for it.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Tuple, Union

from .._cluster.protobuf import Field, Fields, Number, known, message, pair, text

_SECONDS = message({1: Number("seconds")})
_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


def _time(data: bytes, place: int, stop: int) -> str:
    seconds = _SECONDS(data, place, stop).get("seconds", 0)
    if seconds > _LAST_SECOND:
        raise ValueError("a time is none")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _slice(_data: bytes, place: int, stop: int) -> Tuple[int, int]:
    return place, stop


# What the environment of other containers says is no business of ours: it is not even decoded.
_WITH_ENVIRONMENT = ("istio-proxy", "discovery")
_VARIABLE = known(message({1: Field("name", text), 2: Field("value", text)}))
PORT: Fields = {1: Field("name", text), 3: Number("containerPort"), 4: Field("protocol", text)}
POD_USER: Fields = {2: Number("runAsUser"), 6: Number("runAsGroup")}
CONTAINER_USER: Fields = {4: Number("runAsUser"), 8: Number("runAsGroup")}
_CONTAINER_USER = known(message(CONTAINER_USER))
_INT_OR_TEXT = message({1: Number("type"), 2: Number("intVal"), 3: Field("strVal", text)})


def _int_or_text(data: bytes, place: int, stop: int) -> Union[int, str]:
    """IntOrString of apimachinery's util/intstr: type 1 is the text."""
    found = _INT_OR_TEXT(data, place, stop)
    return str(found.get("strVal", "")) if found.get("type") == 1 else int(found.get("intVal", 0))


HTTP_GET: Fields = {2: Field("port", _int_or_text), 3: Field("host", text)}
GRPC: Fields = {1: Number("port")}
_HANDLER = message({2: Field("httpGet", message(HTTP_GET)), 4: Field("grpc", message(GRPC))})
PROBE: Fields = {1: Field("handler", _HANDLER)}
_PROBE = message(PROBE)


def _probe(data: bytes, place: int, stop: int) -> Dict[str, Any]:
    """The handler is no level of its own in JSON."""
    found: Dict[str, Any] = _PROBE(data, place, stop).get("handler", {})
    return found


CONTAINER: Fields = {
    1: Field("name", text),
    2: Field("image", text),
    3: Field("command", known(text), "list"),
    4: Field("args", known(text), "list"),
    6: Field("ports", known(message(PORT)), "list"),
    7: Field("env", _slice, "list"),
    9: Field("volumeMounts", _slice, "list"),
    10: Field("livenessProbe", known(_probe)),
    11: Field("readinessProbe", known(_probe)),
    15: Field("securityContext", _CONTAINER_USER),
    22: Field("startupProbe", known(_probe)),
    24: Field("restartPolicy", text),
}
_CONTAINER = message(CONTAINER)
# The volume mounts are the first thing in which a container of two pods of one template differs: one of them has a name
# of the pod's own. What stands before is most of a container, and is compared instead of read.
_MOUNTS = 9
_AFTER_MOUNTS = message({number: field for number, field in CONTAINER.items() if number > _MOUNTS})
_BEFORE_MOUNTS = frozenset(field.name for number, field in CONTAINER.items() if number < _MOUNTS)
_SHORTEST = 64
_LONGEST = 32 * 1024
_BEGINNINGS: Dict[bytes, List[Tuple[bytes, Dict[str, Any]]]] = {}
_MOST_BEGINNINGS = 2_000
_MOST_ALIKE = 4


def _container(data: bytes, place: int, stop: int) -> Dict[str, Any]:
    start_of_it = data[place : place + _SHORTEST]
    for beginning, found_before in _BEGINNINGS.get(start_of_it, ()):
        after = place + len(beginning)
        if after <= stop and data.startswith(beginning, place):
            return {**found_before, **_AFTER_MOUNTS(data, after - 1, stop)}
    found: Dict[str, Any] = _CONTAINER(data, place, stop)
    variables = found.pop("env", None)
    if variables and found.get("name") in _WITH_ENVIRONMENT:
        found["env"] = [_VARIABLE(data, start, end) for start, end in variables]
    mounts = found.pop("volumeMounts", None)
    if mounts:
        start, end = mounts[0]
        # Before it stand the field's number, which takes one byte, and its length, seven bits to a byte.
        before = start - 1 - max(1, (int(end - start).bit_length() + 6) // 7)
        if _SHORTEST <= before - place <= _LONGEST:
            if len(_BEGINNINGS) > _MOST_BEGINNINGS:
                _BEGINNINGS.clear()
            # Pods come by their names, so those of one template follow one another.
            # With the number of the mounts' field: before it there could be more of the others.
            beginning = data[place : before + 1]
            alike = _BEGINNINGS.setdefault(start_of_it, [])
            alike.insert(0, (beginning, {key: found[key] for key in found if key in _BEFORE_MOUNTS}))
            del alike[_MOST_ALIKE:]
    return found


DEBUGGER: Fields = {1: Field("name", text), 15: Field("securityContext", _CONTAINER_USER)}
_DEBUGGER = message({1: Field("common", message(DEBUGGER))})


def _debugger(data: bytes, place: int, stop: int) -> Dict[str, Any]:
    """What an ephemeral container has in common with others is no level of its own in JSON."""
    found: Dict[str, Any] = _DEBUGGER(data, place, stop).get("common", {})
    return found


OWNER: Fields = {1: Field("kind", text), 3: Field("name", text), 6: Number("controller", bool)}
_ENTRY = known(pair)
METADATA: Fields = {
    1: Field("name", text),
    3: Field("namespace", known(text)),
    8: Field("creationTimestamp", _time),
    11: Field("labels", _ENTRY, "map"),
    12: Field("annotations", _ENTRY, "map"),
    13: Field("ownerReferences", known(message(OWNER)), "list"),
}
SPEC: Fields = {
    2: Field("containers", _container, "list"),
    8: Field("serviceAccountName", known(text)),
    11: Number("hostNetwork", bool),
    14: Field("securityContext", known(message(POD_USER))),
    20: Field("initContainers", _container, "list"),
    34: Field("ephemeralContainers", _debugger, "list"),
}


def _some(_data: bytes, _place: int, _stop: int) -> Dict[str, bool]:
    """That there is a message, whatever it says: none of its fields counts."""
    return {"set": True}


STATE: Fields = {1: Field("waiting", _some), 2: Field("running", _some), 3: Field("terminated", _some)}
DEBUGGER_STATUS: Fields = {1: Field("name", text), 2: Field("state", message(STATE))}
STATUS: Fields = {
    1: Field("phase", known(text)),
    6: Field("podIP", text),
    13: Field("ephemeralContainerStatuses", message(DEBUGGER_STATUS), "list"),
}
POD = message(
    {1: Field("metadata", message(METADATA)), 2: Field("spec", message(SPEC)), 3: Field("status", message(STATUS))}
)
"""Reads a pod. Raises ValueError or IndexError."""
