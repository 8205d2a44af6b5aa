# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digits that somebody else wrote."""

from __future__ import annotations

from typing import Any, Optional

_MOST_DIGITS = 18


def number(value: Any) -> Optional[int]:
    """A whole number that is not negative, out of an int or of decimal digits; None for everything else.

    True and False are no numbers, `²` and `٣` are no digits, and nothing longer than a 64-bit number is converted:
    Python refuses thousands of digits with an error, and takes quadratic time for what it does not refuse.
    """
    if isinstance(value, int):
        return None if isinstance(value, bool) or value < 0 else value
    if not isinstance(value, str) or len(value) > _MOST_DIGITS:
        return None
    return int(value) if value.isascii() and value.isdecimal() else None


def port(value: Any) -> Optional[int]:
    """A port, 1 to 65535, by the same rules."""
    found = number(value)
    return found if found is not None and 0 < found < 65536 else None
