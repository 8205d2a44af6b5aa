# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of several sources amount to together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

STRICT, PERMISSIVE, PLAINTEXT, UNKNOWN = "strict", "permissive", "plaintext", "unknown"
"""What a port accepts: mutual TLS only, plaintext, too, no mutual TLS, or nobody knows."""
PROVEN, CONTRADICTED, UNPROVEN = "proven", "contradicted", "unproven"

_WORST_FIRST = (PLAINTEXT, PERMISSIVE, UNKNOWN, STRICT)


def agreement(*answers: Optional[str]) -> str:
    """``proven`` where at least two sources answered and all say the same; None is a source that was not asked.

    Sources that contradict each other do so whatever a third one does not know. Without an answer nothing is proven.
    """
    asked = [answer for answer in answers if answer is not None]
    known = {answer for answer in asked if answer != UNKNOWN}
    if len(known) > 1:
        return CONTRADICTED
    return PROVEN if len(asked) > 1 and UNKNOWN not in asked else UNPROVEN


def worst(accepted: Iterable[str]) -> str:
    """Of what several pods or addresses accept the least secure; unknown where there is none."""
    return min(accepted, key=_WORST_FIRST.index, default=UNKNOWN)
