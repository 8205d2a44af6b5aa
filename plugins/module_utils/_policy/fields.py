# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tolerant access to the fields of a manifest: absent is empty, a wrong type is Malformed."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from .._foreign.numbers import number
from .ages import age_of
from .records import REVISION_LABEL, Labels, Malformed, Selector


def mapping(value: Any, what: str) -> Dict[str, Any]:
    """A mapping, {} for an absent one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a mapping")
    return value


def sequence(value: Any, what: str) -> List[Any]:
    """A list, [] for an absent one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(f"{what} is not a list")
    return value


def text_of(value: Any, what: str) -> str:
    """A string, "" for an absent one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{what} is not a string")
    return value


def number_of(value: Any, what: str) -> int:
    """A port number; JSON object keys are strings, so digits in a string count."""
    found = number(value)
    if found is None:
        raise Malformed(f"{what} is not a number")
    if found > 65535:
        raise Malformed(f"{what} is {found}, which is no port")
    return found


def one_of(value: Any, known: Tuple[str, ...], what: str) -> str:
    """A word out of an enumeration, its first one for an absent one. Another may mean anything."""
    word = text_of(value, what) or known[0]
    if word not in known:
        raise Malformed(f"{what} is {word[:40]!r}, which is none of {', '.join(known)}")
    return word


def strings(value: Any, what: str) -> Tuple[str, ...]:
    """A list of strings."""
    return tuple(text_of(item, f"an entry of {what}") for item in sequence(value, what))


def labels_of(value: Any, what: str) -> Labels:
    """A map of strings to strings."""
    found = mapping(value, what)
    try:
        "".join(found)
        "".join(found.values())
    except TypeError:
        raise Malformed(f"{what} has a key or value that is not a string") from None
    return found


def closed(value: Any, known: FrozenSet[str], what: str) -> Dict[str, Any]:
    """A message with no other fields than these: what another one means cannot be told, and Istio would refuse it."""
    found = mapping(value, what)
    for name in found:
        if name not in known:
            raise Malformed(f"{what}.{str(name)[:40]} is none of its fields: what it is meant for cannot be told")
    return found


def selector_of(value: Any, field: str, what: str) -> Selector:
    """The labels of a selector message, which has this field alone; None when the message is absent."""
    return None if value is None else labels_of(closed(value, frozenset((field,)), what).get(field), f"{what}.{field}")


class Identity(NamedTuple):
    """What nearly every record starts with."""

    namespace: str
    name: str
    metadata: Dict[str, Any]

    @property
    def revision(self) -> Optional[str]:
        """Only the control plane of this revision sees the object; None: every one does."""
        return labels_of(self.metadata.get("labels"), "metadata.labels").get(REVISION_LABEL)

    @property
    def age(self) -> str:
        """See age_of."""
        return age_of(self.metadata)


def is_name(text: str) -> bool:
    """Whether nothing in a name could be taken for a part of another one's id: Kubernetes has no such names."""
    return "/" not in text and "~" not in text


def identity_of(manifest: Mapping[str, Any]) -> Identity:
    metadata = mapping(manifest.get("metadata"), "metadata")
    name = text_of(metadata.get("name"), "metadata.name")
    if not name:
        raise Malformed("metadata.name is missing")
    namespace = text_of(metadata.get("namespace"), "metadata.namespace") or "default"
    if not is_name(name + namespace):
        raise Malformed("metadata.name or metadata.namespace is no name")
    return Identity(namespace, name, metadata)
