# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose identity a server shows on the wire, or a proxy holds, beside whose it must be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from .._foreign.visible import visible

FITS, WRONG, UNKNOWN = "fits", "wrong", "unknown"


class Identity(NamedTuple):
    """What comparing came to."""

    expected: Optional[str]
    """What the control plane issues to the workload; None where that is not known."""
    shown: Optional[str]
    """What was seen, several ones with commas between them; None where nothing was."""
    result: str
    """fits, wrong, or unknown where one of both is not known."""
    why: str
    """Half a sentence about who shows it; empty where it fits."""


NOT_COMPARED = Identity(None, None, UNKNOWN, "has an identity that was compared with nothing")


def compared(expected: Optional[str], shown: Iterable[str], aliases: Iterable[str] = ()) -> Identity:
    """All identities that were seen beside the one that must be. Only a name that is the same in full fits.

    `aliases` are the same identity in trust domains that count as the mesh's own, as clients take it, too.
    """
    seen = sorted(set(shown))
    text = visible(", ".join(seen)) if seen else None
    if expected is None:
        what = f"shows {text}" if seen else "shows no identity of a mesh"
        return Identity(None, text, UNKNOWN, f"{what}, and which one it must show is not known")
    if not seen:
        return Identity(expected, None, UNKNOWN, f"shows no identity of a mesh, and must show {expected}")
    if not {expected, *aliases}.issuperset(seen):
        return Identity(expected, text, WRONG, f"shows {text}, and must show {expected}")
    return Identity(expected, text, FITS, "")
