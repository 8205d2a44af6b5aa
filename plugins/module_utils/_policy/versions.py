# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supported versions, in this one place."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

SUPPORTED_ISTIO: Tuple[str, ...] = ("1.29", "1.30", "1.31")
SUPPORTED_KUBERNETES: Tuple[str, ...] = ("1.31", "1.32", "1.33", "1.34", "1.35")

_SUPPORTED: Dict[str, Tuple[str, ...]] = {"Istio": SUPPORTED_ISTIO, "Kubernetes": SUPPORTED_KUBERNETES}


def minor(version: str) -> Optional[str]:
    """The `1.31` of `1.31.1`, `v1.31.1-eks-1` or `1.31-alpha`; None when there is none."""
    parts = version.strip().lstrip("v").split(".")
    digits = ["".join(_leading_digits(part)) for part in parts[:2]]
    return ".".join(digits) if len(digits) == 2 and all(digits) else None


def _leading_digits(text: str) -> str:
    for place, character in enumerate(text):
        if not (character.isascii() and character.isdecimal()):
            return text[:place]
    return text


def check(kind: str, version: str) -> Optional[str]:
    """What is wrong with a version of `Istio` or `Kubernetes`, None when it is supported."""
    supported = _SUPPORTED[kind]
    found = minor(version)
    if found is None:
        return f"{kind} version {version!r} is not a version like {supported[-1]}.0"
    if found not in supported:
        return f"{kind} {version} is not supported: this release was checked with {supported[0]} to {supported[-1]}"
    return None
