# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that are complete without a script; the script adds filters, sorting and the arrow keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .looks import look
from .markup import Child, Markup, data, el, joined

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Row(NamedTuple):
    """A row; the filter goes by its state."""

    state: str
    cells: Sequence[Child]


class Table(NamedTuple):
    """A table. `columns` are ours, never a cluster's: they become part of the style."""

    key: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    filtered: bool = False
    named_by: int = 0
    """The column that names a row."""


def rendered(table: Table, most: int) -> Markup:
    """The table with its first `most` rows. Rows come worst first, so what is left out is the better part."""
    shown = table.rows[:most]
    body = el("tbody", *(_row(row, table.named_by) for row in shown))
    head = el("thead", el("tr", *(el("th", title, scope="col") for title in table.columns)))
    left_out = len(table.rows) - len(shown)
    note = (
        el(
            "p",
            f"{len(shown)} of {len(table.rows)} rows are here, the worst first. The audit's file has them all; the "
            "option rows of the module report shows more.",
            class_="note cut",
        )
        if left_out
        else None
    )
    return joined(
        note,
        el(
            "div",
            el("table", el("caption", table.caption), head, body, id=table.key),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label=table.caption,
            data_states=data({row.state: look(row.state).word for row in shown})
            if table.filtered and len(shown) > 1
            else None,
        ),
    )


def _row(row: Row, named_by: int) -> Markup:
    cells = (
        el("th", cell, scope="row") if place == named_by else el("td", cell) for place, cell in enumerate(row.cells)
    )
    return el("tr", *cells, class_=look(row.state).tone, data_s=row.state)


def labels(tables: Iterable[Table]) -> str:
    """The columns' names as style: on a narrow screen each cell has a line of its own, behind its column's name."""
    rules = [
        f'#{table.key} tr>:nth-child({place})::before{{content:"{title}"}}'
        for table in tables
        for place, title in enumerate(table.columns, 1)
        if place > 1
    ]
    return "@media screen and (max-width:900px){" + "".join(rules) + "}"


def code(value: Any) -> Markup:
    """A name as the cluster has it."""
    return el("code", "-" if value in (None, "") else value)


def short(workload: str) -> str:
    """namespace/name of a Deployment's id; other ids say more and stay as they are."""
    parts = workload.split("/")
    return f"{parts[0]}/{parts[2]}" if len(parts) == 3 and parts[1] == "Deployment" else workload


def tight(value: Any) -> Markup:
    """A number or a time, which is not broken into two lines."""
    return el("span", "-" if value in (None, "") else value, class_="t")


def moment(value: Any) -> Markup:
    """A time as RFC 3339 has it in UTC, easier to read; what is none stays as it is."""
    return tight(f"{value[:10]} {value[11:19]}" if isinstance(value, str) and _TIME.fullmatch(value) else value)


def field(item: Any, *path: str) -> Any:
    """A value deep in something that may not have it: empty text then."""
    for name in path:
        item = item.get(name) if isinstance(item, Mapping) else None
    return "" if item is None else item


def listed(values: Iterable[Any], most: int = 3) -> Markup:
    """A few names, then how many more."""
    names = list(values)
    shown = Markup(", ".join(code(name) for name in names[:most]))
    return joined(shown or "nobody", f" and {len(names) - most} more" if len(names) > most else None)
