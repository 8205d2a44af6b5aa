# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of pods as the API server stores them: protobuf, which costs it about half of what JSON does.

Only the fields that ``_slim.py`` keeps are read; all others are skipped by their length, unseen. The numbers are those
of k8s.io/api/core/v1/generated.proto and apimachinery's meta/v1 and runtime; Kubernetes never gives one another
meaning. What comes out are manifests as JSON would have them, so empty texts and false are left out.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_Reader = Callable[[bytes, int, int], Any]
"""Reads bytes from one place to another; of a number it gets the value in place of the first."""


class _Field(NamedTuple):
    """A field that counts."""

    name: str
    read: _Reader
    how: str = "once"  # once | list | map


def _varint(data: bytes, place: int) -> Tuple[int, int]:
    """A number of more than seven bits, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _message(fields: Dict[int, _Field]) -> _Reader:
    """A reader of messages of which some fields count. Its loop is where the time goes, hence its length."""

    def read(data: bytes, place: int, end: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        while place < end:
            tag = data[place]
            place += 1
            if tag > 127:
                tag, place = _varint(data, place - 1)
            field = fields.get(tag >> 3)
            wire = tag & 7
            if wire == _BYTES:
                stop = data[place]
                place += 1
                if stop > 127:
                    stop, place = _varint(data, place - 1)
                stop += place
                if stop > end:
                    raise ValueError("a message is cut off")
                if field is not None:
                    name, reader, how = field
                    value = reader(data, place, stop)
                    if how == "list":
                        found.setdefault(name, []).append(value)
                    elif how == "map":
                        found.setdefault(name, {})[value[0]] = value[1]
                    elif value:
                        found[name] = value
                place = stop
            elif wire == _VARINT:
                number = data[place]
                place += 1
                if number > 127:
                    number, place = _varint(data, place - 1)
                if field is not None and number:
                    found[field.name] = field.read(data, number, 0)
            elif wire in (_FIXED_64, _FIXED_32):
                place += 8 if wire == _FIXED_64 else 4
            else:
                raise ValueError("a field is of a kind that does not exist")
        return found

    return read


def _known(read: _Reader, most: int = 10_000) -> _Reader:
    """Remembers what small messages say: thousands of pods have the same labels, ports and variables."""
    memory: Dict[bytes, Any] = {}

    def remembered(data: bytes, place: int, stop: int) -> Any:
        key = data[place:stop]
        known = memory.get(key)
        if known is None:
            if len(memory) >= most:
                memory.clear()
            known = memory[key] = read(data, place, stop)
        return known

    return remembered


def _text(data: bytes, place: int, stop: int) -> str:
    return data[place:stop].decode()


def _slice(data: bytes, place: int, stop: int) -> Tuple[int, int]:
    return place, stop


def _number(_data: bytes, number: int, _stop: int) -> int:
    return number


def _flag(_data: bytes, number: int, _stop: int) -> bool:
    return bool(number)


_PAIR = _message({1: _Field("key", _text), 2: _Field("value", _text)})
_SECONDS = _message({1: _Field("seconds", _number)})


def _pair(data: bytes, place: int, stop: int) -> Tuple[str, str]:
    pair = _PAIR(data, place, stop)
    return str(pair.get("key", "")), str(pair.get("value", ""))


def _time(data: bytes, place: int, stop: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_SECONDS(data, place, stop).get("seconds", 0)))


# What the environment of other containers says is no business of ours: it is not even decoded.
_WITH_ENVIRONMENT = ("istio-proxy", "discovery")
_VARIABLE = _known(_message({1: _Field("name", _text), 2: _Field("value", _text)}))
_PORT = _known(_message({1: _Field("name", _text), 3: _Field("containerPort", _number), 4: _Field("protocol", _text)}))
_CONTAINER = _message(
    {
        1: _Field("name", _text),
        2: _Field("image", _text),
        4: _Field("args", _known(_text), "list"),
        6: _Field("ports", _PORT, "list"),
        7: _Field("env", _slice, "list"),
        9: _Field("volumeMounts", _slice, "list"),
        24: _Field("restartPolicy", _text),
    }
)
# The volume mounts are the first thing in which a container of two pods of one template differs: one of them has a name
# of the pod's own. What stands before is most of a container, and is compared instead of read.
_AFTER_MOUNTS = _message({24: _Field("restartPolicy", _text)})
_SHORTEST = 64
_BEGINNINGS: Dict[bytes, List[Tuple[bytes, Dict[str, Any]]]] = {}
_MOST_BEGINNINGS = 2_000
_MOST_ALIKE = 4


def _container(data: bytes, place: int, stop: int) -> Dict[str, Any]:
    alike = _BEGINNINGS.setdefault(data[place : place + _SHORTEST], [])
    for beginning, known in alike:
        after = place + len(beginning)
        if after <= stop and data.startswith(beginning, place):
            return {**known, **_AFTER_MOUNTS(data, after - 1, stop)}
    found: Dict[str, Any] = _CONTAINER(data, place, stop)
    variables = found.pop("env", None)
    if variables and found.get("name") in _WITH_ENVIRONMENT:
        found["env"] = [_VARIABLE(data, start, end) for start, end in variables]
    mounts = found.pop("volumeMounts", None)
    if mounts:
        start, end = mounts[0]
        # Before it stand the field's number, which takes one byte, and its length, seven bits to a byte.
        before = start - 1 - max(1, (int(end - start).bit_length() + 6) // 7)
        if before - place >= _SHORTEST:
            if len(_BEGINNINGS) > _MOST_BEGINNINGS:
                _BEGINNINGS.clear()
            # Pods come by their names, so those of one template follow one another.
            # With the number of the mounts' field: before it there could be more of the others.
            beginning = data[place : before + 1]
            alike.insert(0, (beginning, {key: found[key] for key in found if key != "restartPolicy"}))
            del alike[_MOST_ALIKE:]
    return found


_OWNER = _known(_message({1: _Field("kind", _text), 3: _Field("name", _text), 6: _Field("controller", _flag)}))
_ENTRY = _known(_pair)
_METADATA = _message(
    {
        1: _Field("name", _text),
        3: _Field("namespace", _known(_text)),
        8: _Field("creationTimestamp", _time),
        11: _Field("labels", _ENTRY, "map"),
        12: _Field("annotations", _ENTRY, "map"),
        13: _Field("ownerReferences", _OWNER, "list"),
    }
)
_SPEC = _message(
    {
        2: _Field("containers", _container, "list"),
        8: _Field("serviceAccountName", _known(_text)),
        11: _Field("hostNetwork", _flag),
        20: _Field("initContainers", _container, "list"),
    }
)
_STATUS = _message({1: _Field("phase", _known(_text)), 6: _Field("podIP", _text)})
_POD = _message({1: _Field("metadata", _METADATA), 2: _Field("spec", _SPEC), 3: _Field("status", _STATUS)})
_LIST_METADATA = _message({3: _Field("continue", _text)})
_LIST = _message({1: _Field("metadata", _LIST_METADATA), 2: _Field("items", _POD, "list")})
_STATUS_OBJECT = _message({1: _Field("metadata", _LIST_METADATA), 3: _Field("message", _text)})


def pods(body: bytes) -> Dict[str, Any]:
    """A list of pods. Raises ValueError when the body is none, for example because it is cut off."""
    return _inside(body, _LIST)


def status(body: bytes) -> Dict[str, Any]:
    """A Status, which is how failures are told: its message, and where an expired list can go on."""
    return _inside(body, _STATUS_OBJECT)


def _inside(body: bytes, read: _Reader) -> Dict[str, Any]:
    """What the envelope of every answer holds. An object that is not there at all was cut off, too."""
    try:
        objects = _message({2: _Field("objects", read, "list")})(body, len(MAGIC), len(body)).get("objects")
    except IndexError as error:
        raise ValueError("the answer is cut off") from error
    if not objects:
        raise ValueError("the answer holds no object")
    return dict(objects[0])


def token_ahead(first: bytes) -> str:
    """The next page's token, from the first bytes of a list; empty where they do not say it."""
    try:
        place = len(MAGIC)
        while True:
            tag = first[place]
            size, place = _varint(first, place + 1)
            if tag == 2 << 3 | _BYTES:  # the list itself, which begins with its metadata
                break
            place += size
        if first[place] != 1 << 3 | _BYTES:
            return ""
        size, place = _varint(first, place + 1)
        return str(_LIST_METADATA(first[: place + size], place, place + size).get("continue", ""))
    except (IndexError, ValueError):
        return ""
