# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict says of itself where it is a file's and not a cluster's: which file, and how old it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

from .._foreign.visible import visible

_TIME, _DAY = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"
_LONGEST = 300


def described(file: Mapping[str, Any], today: str = "") -> str:
    """The file and its time, for one line; with its age where `today`, a day as 2026-01-31 in UTC, is given.

    `file` is the key `snapshot` of an audit: path, format (snapshot or dump), complete, and time as snapshots have it.
    It can be wrong on purpose: a time that is none, or that is still to come, is said to be so.
    """
    name = f"{visible(file.get('format') or 'file', _LONGEST)} {visible(file.get('path') or '', _LONGEST)}".rstrip()
    return f"{name}, {'said to have all that there is, ' if file.get('complete') else ''}{_age(file, today)}"


def _age(file: Mapping[str, Any], today: str) -> str:
    written = file.get("time")
    if not written:
        return "of unknown age (a dump does not say when it was made)"
    taken = _at(written, _TIME)
    if taken is None:
        return f"of unknown age (its time is {visible(written, _LONGEST)})"
    now = _at(today, _DAY)
    if now is None:
        return f"taken at {taken.strftime(_TIME)}"
    days = (now.date() - taken.date()).days
    if days < 0:
        return f"of unknown age (its time, {taken.strftime(_TIME)}, is still to come)"
    return (
        f"taken at {taken.strftime(_TIME)}, {'today' if not days else '1 day ago' if days == 1 else f'{days} days ago'}"
    )


def _at(text: Any, form: str) -> Optional[datetime]:
    try:
        return datetime.strptime(text, form)
    except (TypeError, ValueError):
        return None
