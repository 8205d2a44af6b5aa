# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, as far as a wanted manifest speaks of it.

An object in a cluster has more fields than were asked for: defaults, and what others set. Only those count that we
want, and those that we once applied and do not want any more: these the API server removes with the next apply. It
keeps account of them in managedFields, whose form is that of sigs.k8s.io/structured-merge-diff (fieldpath/serialize).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Optional

Manifest = dict[str, Any]

ABSENT = object()
_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "env": (("name",),),
    "volumes": (("name",),),
    "imagePullSecrets": (("name",),),
    "volumeMounts": (("mountPath",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
}
"""Lists in which Kubernetes tells the items by some of their fields (+listMapKey in its types); others are wholes."""
_WHOLE = ("selector", "nodeSelector")
"""Mappings in which one more label means something else; an apply replaces them as a whole."""
_DEFAULTS = {"protocol": "TCP"}
_QUANTITY = re.compile(r"([0-9.]+)(m|[kMGTPE]|[KMGTPE]i|e[0-9]+)?")
_FACTORS: dict[str, Decimal] = {
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{letter + "i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def seen(there: Manifest, wanted: Manifest) -> Manifest:
    """The object that is there, cut down to the fields that are wanted or were applied before.

    It equals `wanted` where nothing has to be applied: what only is written in another way (a quantity, an empty
    list) is as wanted.
    """
    found = _mapping(there, wanted, applied(there), "")
    for key in ("apiVersion", "kind"):
        found[key] = wanted[key]
    found["metadata"] = {**found.get("metadata", {}), **{key: wanted["metadata"][key] for key in ("name", "namespace")}}
    return found


def applied(there: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that were applied, as a tree: ``f:spec``, ``k:{"name":"app"}``; empty where nobody kept account."""
    tree: Any = {}
    for entry in (there.get("metadata") or {}).get("managedFields") or ():
        tree = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def paths(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two cut down objects differ, as dotted paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*after, *before]):
            yield from paths(before.get(key, ABSENT), after.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and (key := _key(path.rsplit(".", 1)[-1], after)):
        old, new = ({_identity(item, key): item for item in items} for items in (before, after))
        for identity in dict.fromkeys([*new, *old]):
            inside = f"{path}.{identity[0]}"
            yield from paths(old.get(identity, ABSENT), new.get(identity, ABSENT), inside)
    elif before != after:
        yield path


def _mapping(there: Mapping[str, Any], wanted: Manifest, owned: Mapping[str, Any], path: str) -> Manifest:
    found: Manifest = {}
    for key, value in wanted.items():
        own = owned.get(f"f:{key}")
        seen_value = _seen(there.get(key, ABSENT), value, own, key, f"{path}.{key}")
        if seen_value is not ABSENT:
            found[key] = seen_value
    for field, own in owned.items():
        key = field[2:]
        if field.startswith("f:") and key not in wanted and key in there:
            left = _owned(there[key], own)
            if left is not ABSENT:
                found[key] = left
    return found


def _seen(there: Any, wanted: Any, own: Any, field: str, path: str) -> Any:
    if there is ABSENT or there is None:
        # Kubernetes leaves out what is empty, and what is false or 0 where that means the same: then it knows that we
        # said it.
        return wanted if wanted in ({}, [], "", None) or (not wanted and own is not None) else ABSENT
    owned = own if isinstance(own, Mapping) else {}
    if field in _WHOLE:
        return wanted if there == wanted else there
    if isinstance(there, dict) and isinstance(wanted, dict):
        return _mapping(there, wanted, owned, path)
    if isinstance(there, list) and isinstance(wanted, list):
        return _list(there, wanted, owned, field, path)
    return wanted if _same(there, wanted, ".resources." in path) else there


def _list(there: list[Any], wanted: list[Any], owned: Mapping[str, Any], field: str, path: str) -> list[Any]:
    key = _key(field, wanted or there)
    if not key:
        if len(there) != len(wanted):
            return there
        return [_seen(there[index], item, None, field, path) for index, item in enumerate(wanted)]
    by_key = {_identity(item, key): item for item in there if isinstance(item, dict)}
    mine = {_identity(item, key): tree for item, tree in _items(owned)}
    found = []
    for item in wanted:
        identity = _identity(item, key)
        if identity in by_key:
            found.append(_mapping(by_key[identity], item, mine.get(identity) or {}, path))
    known = {_identity(item, key) for item in wanted}
    left = (_owned(by_key[name], tree) for name, tree in mine.items() if name not in known and name in by_key)
    return found + [item for item in left if item is not ABSENT]


def _items(owned: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """The items of a list that were applied: their keys, and the fields in them."""
    for field, tree in owned.items():
        if field.startswith("k:"):
            try:
                item = json.loads(field[2:])
            except (ValueError, RecursionError):
                continue
            if isinstance(item, dict):
                yield item, tree


def _owned(there: Any, tree: Any) -> Any:
    """What is there of something that we applied once; ABSENT where all of it is somebody else's by now."""
    fields = {key: value for key, value in tree.items() if key != "."} if isinstance(tree, Mapping) else {}
    if not fields:
        return there if tree is not None else ABSENT
    if not isinstance(there, dict) or not any(field.startswith("f:") for field in fields):
        return there
    found = {
        field[2:]: _owned(there[field[2:]], own)
        for field, own in fields.items()
        if field.startswith("f:") and field[2:] in there
    }
    return {key: value for key, value in found.items() if value is not ABSENT} or ABSENT


def _key(field: str, items: Sequence[Any]) -> Optional[tuple[str, ...]]:
    for key in _KEYS.get(field, ()):
        if items and all(isinstance(item, dict) and key[0] in item for item in items):
            return key
    return None


def _identity(item: Mapping[str, Any], key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(item.get(part, _DEFAULTS.get(part))) for part in key)


def _same(there: Any, wanted: Any, quantity: bool) -> bool:
    if there == wanted:
        return True
    if not quantity:
        return False
    old, new = (_amount(value) for value in (there, wanted))
    return old is not None and old == new


def _amount(value: Any) -> Optional[Decimal]:
    """A quantity of Kubernetes (apimachinery's resource.Quantity) as a number; None for what is none."""
    text = str(value)
    found = _QUANTITY.fullmatch(text) if len(text) < 40 and not isinstance(value, bool) else None
    if not found:
        return None
    number, suffix = found[1], found[2] or ""
    try:
        return Decimal(number + suffix) if suffix.startswith("e") else Decimal(number) * _FACTORS[suffix]
    except InvalidOperation:
        return None
