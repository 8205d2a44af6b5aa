# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as the API server stores them: protobuf, which costs it about half of what JSON does.

Readers are made of tables of the fields that count; all others are skipped by their length, unseen. The numbers are
those of apimachinery's meta/v1 and runtime (generated.proto); Kubernetes never gives one another meaning. What comes
out are manifests as JSON would have them, so empty texts and false are left out, and bytes that are no UTF-8 are
U+FFFD.

Every reader raises ValueError or IndexError for bytes that are none of its messages, and takes time and memory in
proportion to them.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Union

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MOST_SHIFT = 63
"""Of the last seven bits of a number; the format's numbers have 64."""
_LONGEST_KNOWN = 8 * 1024
Reader = Callable[[bytes, int, int], Any]
"""Reads bytes from one place to another."""


class Field(NamedTuple):
    """A field that counts and is a text or a message."""

    name: str
    read: Reader
    how: str = "once"
    """once | list | map"""


class Number(NamedTuple):
    """A field that counts and is a number."""

    name: str
    make: Callable[[int], Any] = int


Fields = Dict[int, Union[Field, Number]]
"""The fields of a message that count, by their numbers."""


class Unusable(NamedTuple):
    """An item of a list that cannot be read, with what of its name could be."""

    namespace: str
    name: str
    why: str
    """Half a sentence: "is nested too deeply"."""


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
        if shift > _MOST_SHIFT:
            raise ValueError("a number has no end")


def message(fields: Fields) -> Reader:
    """A reader of messages of which some fields count. Its loop is where the time goes, hence its length."""
    lengthy = {number: field for number, field in fields.items() if isinstance(field, Field)}
    numbers = {number: field for number, field in fields.items() if isinstance(field, Number)}

    def read(data: bytes, place: int, end: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        while place < end:
            tag = data[place]
            place += 1
            if tag > 127:
                tag, place = _varint(data, place - 1)
            wire = tag & 7
            if wire == _BYTES:
                stop = data[place]
                place += 1
                if stop > 127:
                    stop, place = _varint(data, place - 1)
                stop += place
                if stop > end:
                    raise ValueError("a message is cut off")
                field = lengthy.get(tag >> 3)
                if field is not None:
                    name, reader, how = field
                    value = reader(data, place, stop)
                    if how == "list":
                        found.setdefault(name, []).append(value)
                    elif how == "map":
                        found.setdefault(name, {})[value[0]] = value[1]
                    elif value:
                        found[name] = value
                elif tag >> 3 in numbers:
                    raise ValueError("a number is none")
                place = stop
            elif wire == _VARINT:
                value = data[place]
                place += 1
                if value > 127:
                    value, place = _varint(data, place - 1)
                number = numbers.get(tag >> 3)
                if number is not None:
                    if value:
                        found[number.name] = number.make(value)
                elif tag >> 3 in lengthy:
                    raise ValueError("a message is a number")
            elif wire in (_FIXED_64, _FIXED_32) and tag >> 3 not in fields:
                place += 8 if wire == _FIXED_64 else 4
            else:
                raise ValueError("a field is of a kind that it cannot have")
        if place != end:
            raise ValueError("a message is cut off")
        return found

    return read


def known(read: Reader, most: int = 10_000) -> Reader:
    """Remembers what small messages say: thousands of pods have the same labels, ports and variables."""
    memory: Dict[bytes, Any] = {}

    def remembered(data: bytes, place: int, stop: int) -> Any:
        if stop - place > _LONGEST_KNOWN:
            return read(data, place, stop)
        key = data[place:stop]
        found = memory.get(key)
        if found is None:
            if len(memory) >= most:
                memory.clear()
            found = memory[key] = read(data, place, stop)
        return found

    return remembered


def text(data: bytes, place: int, stop: int) -> str:
    """A text, with U+FFFD in place of what is no UTF-8, as the API server's JSON has it."""
    return data[place:stop].decode("utf-8", "replace")


_PAIR = message({1: Field("key", text), 2: Field("value", text)})


def pair(data: bytes, place: int, stop: int) -> Tuple[str, str]:
    """An entry of a map of texts."""
    found = _PAIR(data, place, stop)
    return str(found.get("key", "")), str(found.get("value", ""))


_LIST_METADATA = message({3: Field("continue", text), 4: Number("remainingItemCount")})
_STATUS = message({1: Field("metadata", _LIST_METADATA), 3: Field("message", text)})
_TYPE = message({1: Field("apiVersion", text), 2: Field("kind", text)})
_NAMES = message({1: Field("name", text), 3: Field("namespace", text)})


def listed(body: bytes, item: Reader) -> Dict[str, Any]:
    """A list as JSON would have it: apiVersion, kind, metadata, and items, of which any may be Unusable.

    Raises ValueError when the body is no object, for example because it is cut off. What is wrong inside of one item is
    that item's own: its length tells where the next one begins.
    """

    def read(data: bytes, place: int, stop: int) -> Any:
        try:
            return item(data, place, stop)
        except (ValueError, IndexError, OverflowError) as error:
            return Unusable(*_names(data, place, stop), f"cannot be decoded ({error})")

    found = _inside(body, message({1: Field("metadata", _LIST_METADATA), 2: Field("items", read, "list")}))
    # A list's metadata is always there, and texts that are empty are not.
    return {"metadata": {}, "items": [], **found}


def status(body: bytes) -> Dict[str, Any]:
    """A Status, which is how failures are told: its message, and where an expired list can go on. Raises ValueError."""
    return _inside(body, _STATUS)


def _names(data: bytes, place: int, stop: int) -> Tuple[str, str]:
    """An object's namespace and name, for what can be had of it: its metadata comes first."""
    found = {}

    def remember(data: bytes, place: int, stop: int) -> None:
        found.update(_NAMES(data, place, stop))

    with contextlib.suppress(ValueError, IndexError):
        message({1: Field("metadata", remember)})(data, place, stop)
    return str(found.get("namespace", "")), str(found.get("name", ""))


def _inside(body: bytes, read: Reader) -> Dict[str, Any]:
    """What the envelope of every answer holds, with its type. An object that is not there at all was cut off, too."""
    places: List[Tuple[int, int]] = []

    def remember(_data: bytes, place: int, stop: int) -> None:
        places.append((place, stop))

    try:
        envelope = message({1: Field("type", _TYPE), 2: Field("object", remember), 3: Field("encoding", text)})
        found = envelope(body, len(MAGIC), len(body))
        if not places:
            raise ValueError("the answer holds no object")
        if found.get("encoding"):
            raise ValueError("the answer is encoded once more")
        return {**found.get("type", {}), **read(body, *places[0])}
    except IndexError as error:
        raise ValueError("the answer is cut off") from error


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
        if place + size > len(first):  # half a token is another one
            return ""
        return str(_LIST_METADATA(first, place, place + size).get("continue", ""))
    except (IndexError, ValueError):
        return ""
