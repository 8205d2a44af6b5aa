# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of a manifest mean, slips of the pen included: its kind, and the group of its apiVersion."""

from __future__ import annotations

import difflib
import re
from typing import Dict, FrozenSet, Optional

from .kinds import KINDS

ANY = ""
"""Stands for every kind."""
GROUPS: Dict[str, str] = {kind.kind: kind.group for kind in KINDS}
VERSIONS: Dict[str, FrozenSet[str]] = {
    "security.istio.io": frozenset(("v1", "v1beta1")),
    "networking.istio.io": frozenset(("v1", "v1beta1", "v1alpha3")),
}
"""Those of the groups of Istio that it serves (istio.io/api). Kubernetes' own groups are read in v1 alone."""
LONGEST = 80
_ISTIO = ".istio.io"
_ALIKE = 0.88
"""Mutating- and ValidatingWebhookConfiguration are alike by 0.862: what is meant by one is not the other."""
_OTHERS_OF_ISTIO = ("RequestAuthentication", "WorkloadGroup", "ProxyConfig")
"""Kinds in the groups of VERSIONS on which no verdict depends."""
_LETTERS = re.compile(r"[^a-z0-9]")
_MEANT: Dict[str, Optional[str]] = {}
_MOST_REMEMBERED = 1000


def meant(kind: str) -> Optional[str]:
    """The kind that the engine reads and that a word means; None for any other word."""
    found = kind if kind in GROUPS else _nearest(kind)
    return found if found in GROUPS else None


def _nearest(kind: str) -> Optional[str]:
    """The kind that a word means, of all that are known."""
    if len(kind) > LONGEST:
        return None
    if kind not in _MEANT:
        if len(_MEANT) >= _MOST_REMEMBERED:
            _MEANT.clear()
        word = _LETTERS.sub("", kind.lower())
        close = difflib.get_close_matches(word, _WORDS, 1, _ALIKE)
        near = [own for own in _WORDS if own == word or _one_slip(word, own)] + close
        _MEANT[kind] = _WORDS[near[0]] if near else None
    return _MEANT[kind]


def means_list(kind: str) -> bool:
    """Whether a word means `List`."""
    word = _LETTERS.sub("", kind.lower()) if len(kind) <= LONGEST else ""
    return word == "list" or _one_slip(word, "list")


def is_strange_to_istio(group: str, kind: str) -> bool:
    """Whether a kind that nobody knows stands in a group whose kinds decide about mutual TLS."""
    return group in VERSIONS and _nearest(kind[: -len("List")] if kind.endswith("List") else kind) is None


def could_be(group: str, own: str) -> bool:
    """Whether a group is a kind's own, or may have been meant to be.

    Only Kubernetes itself has groups without a dot. A group with one is somebody else's API, in which a kind of the
    same name is another (Service of serving.knative.dev), unless it is written nearly like the kind's own.
    """
    if group == own or "." not in group or f".{group}".endswith(_ISTIO):
        return True
    if len(group) > LONGEST:
        return False
    return (
        set(group.lower().split(".")) <= set(own.split("."))
        or difflib.SequenceMatcher(None, group.lower(), own).ratio() >= _ALIKE
    )


def _one_slip(word: str, own: str) -> bool:
    """Whether one letter is missing, too many, wrong, or has changed places with the next."""
    if abs(len(word) - len(own)) > 1 or min(len(word), len(own)) < 2:
        return False
    place = 0
    while word[place : place + 1] == own[place : place + 1] != "":
        place += 1
    one, other = word[place:], own[place:]
    return (
        one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )


def _words() -> Dict[str, str]:
    """Kinds by how people write them: in small letters, and the plural."""
    found = {f"{kind.lower()}{end}": kind for kind in _OTHERS_OF_ISTIO for end in ("", "s")}
    for kind in KINDS:
        found[kind.kind.lower()] = found[kind.plural] = kind.kind
    return found


_WORDS = _words()
