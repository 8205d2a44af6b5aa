# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aligned text that reads well in a job's log, as lists of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .visible import visible


def section(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]], max_rows: int) -> list[str]:
    """A table with its title and its number of rows, of which `max_rows` are shown; nothing where there are none."""
    rows = list(rows)
    if not rows:
        return []
    shown = rows[:max_rows]
    more = [f"… and {len(rows) - max_rows} more"] if len(rows) > max_rows else []
    return [f"{title} ({len(rows)})", *columns([header, *shown]), *more]


def columns(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Rows as lines with aligned columns; the last column is as long as it is.

    Cells are made visible: no text of a cluster's adds a line of its own, or moves what stands beside it.
    """
    texts = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in texts) for index in range(len(texts[0]) - 1)] if texts else []
    padded = [[row[index].ljust(width) for index, width in enumerate(widths)] + row[-1:] for row in texts]
    return ["  ".join(row).rstrip() for row in padded]


def joined(parts: Iterable[list[str]]) -> list[str]:
    """Parts one after the other with an empty line between them; empty parts leave no trace."""
    lines: list[str] = []
    for part in parts:
        lines += ([""] if lines and part else []) + part
    return lines
