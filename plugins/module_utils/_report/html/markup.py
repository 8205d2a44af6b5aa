# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that cannot be forgotten to be escaped: whatever is no Markup is text."""

from __future__ import annotations

import html
import json
from typing import Any, Union

from ..._foreign.visible import escaped_text

_VOID = ("br", "input", "link", "meta")

Child = Union[str, int, None]


class Markup(str):
    """Text that is HTML already."""


def escaped(value: Any) -> str:
    """A value as HTML: Markup as it is, everything else as visible text."""
    return value if isinstance(value, Markup) else escaped_text(value)


def data(value: Any) -> Markup:
    """A plain value for the page's script, whole however long it is: what is cut short is no JSON."""
    return Markup(html.escape(json.dumps(value, sort_keys=True)))


def el(name: str, /, *children: Child, **attributes: Any) -> Markup:
    """An element. `class_` means class, `aria_label` aria-label; None leaves an attribute out, True has no value."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inner = "".join(escaped(child) for child in children if child is not None)
    return Markup(f"<{name}{written}>" if name in _VOID else f"<{name}{written}>{inner}</{name}>")


def joined(*parts: Child) -> Markup:
    """Parts one after the other."""
    return Markup("".join(escaped(part) for part in parts if part is not None))
