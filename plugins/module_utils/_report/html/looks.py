# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words and symbols of states. Colour never stands alone: each state has its own symbol, and a word."""

from __future__ import annotations

from typing import NamedTuple

from .markup import Markup, el


class Look(NamedTuple):
    """How a state is shown: its word, its symbol in SYMBOLS, and its tone (a class of the style)."""

    word: str
    symbol: str
    tone: str


LOOKS = {
    # What a port accepts.
    "strict": Look("mTLS only", "lock", "good"),
    "permissive": Look("plaintext too", "open", "bad"),
    "outside": Look("outside the mesh", "ring", "quiet"),
    # What becomes of a connection.
    "mtls": Look("mTLS", "lock", "good"),
    "tls": Look("TLS as configured", "half", "other"),
    "refused": Look("refused", "bar", "quiet"),
    "broken": Look("would fail", "cross", "warn"),
    "no endpoint": Look("no endpoint", "dash", "quiet"),
    # Both.
    "plaintext": Look("plaintext", "open", "bad"),
    "contradicted": Look("contradicted", "clash", "bad"),
    "unknown": Look("unknown", "question", "doubt"),
    # How sources agree.
    "proven": Look("proven", "check", "good"),
    "unproven": Look("unproven", "question", "doubt"),
    # Findings.
    "high": Look("high", "clash", "bad"),
    "medium": Look("medium", "triangle", "warn"),
    "low": Look("low", "down", "other"),
    "info": Look("info", "info", "quiet"),
    # Certificates, rules, sources.
    "ok": Look("ok", "check", "good"),
    "expiring": Look("expires soon", "triangle", "warn"),
    "expired": Look("expired", "clash", "bad"),
    "passed": Look("passed", "check", "good"),
    "failed": Look("violated", "cross", "bad"),
    "warning": Look("warning", "triangle", "warn"),
    "seen": Look("seen", "check", "good"),
    "partly": Look("partly seen", "triangle", "warn"),
    "not seen": Look("not seen", "question", "doubt"),
    "not asked": Look("not asked", "dash", "quiet"),
    # A probe's words, and the telemetry's.
    "answered": Look("answered", "arrow", "quiet"),
    "mutual_tls": Look("mTLS", "lock", "good"),
    "mixed": Look("partly plaintext", "open", "bad"),
}
_STRANGE = Look("unknown", "question", "doubt")

# Drawn on 16 by 16, as strokes, so that they look alike everywhere and print well.
_PATHS = {
    "lock": '<path d="M5 7V5a3 3 0 0 1 6 0v2"/><rect x="3.5" y="7" width="9" height="6.5" rx="1.5" class="fill"/>',
    "half": '<path d="M5 7V5a3 3 0 0 1 6 0v2"/><rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/>',
    "open": '<path d="M5 7V4.5a2.8 2.8 0 0 1 5.4-1"/><rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/>'
    '<path d="M6 12l4-3.6"/>',
    "ring": '<circle cx="8" cy="8" r="5"/>',
    "bar": '<circle cx="8" cy="8" r="5.5"/><path d="M4.2 11.8l7.6-7.6"/>',
    "cross": '<path d="M4 4l8 8M12 4l-8 8"/>',
    "clash": '<path d="M5.3 2.5h5.4l2.8 2.8v5.4l-2.8 2.8H5.3l-2.8-2.8V5.3z"/><path d="M8 5v3.6M8 10.9v.2"/>',
    "question": '<path d="M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.6 8 9 8 10M8 12.6v.2"/>',
    "check": '<path d="M3 8.5l3.3 3.3L13 5"/>',
    "triangle": '<path d="M8 2.5l6 11H2z"/><path d="M8 6.5v3.3M8 11.6v.2"/>',
    "down": '<path d="M8 3v9M4.5 8.5L8 12l3.5-3.5"/>',
    "info": '<circle cx="8" cy="8" r="5.5"/><path d="M8 7.5v3.5M8 5v.2"/>',
    "dash": '<path d="M4 8h8"/>',
    "arrow": '<path d="M3 8h9M8.5 4.5L12 8l-3.5 3.5"/>',
}
SYMBOLS = Markup(
    '<svg class="symbols" aria-hidden="true" width="0" height="0">'
    + "".join(f'<symbol id="i-{name}" viewBox="0 0 16 16">{path}</symbol>' for name, path in _PATHS.items())
    + "</svg>"
)


def look(state: str) -> Look:
    """How to show a state; a word that is none of ours is unknown."""
    return LOOKS.get(state, _STRANGE)


def symbol(name: str) -> Markup:
    """A symbol, which is never alone."""
    return el("svg", Markup(f'<use href="#i-{name}"/>'), class_="i", aria_hidden="true")


def pill(state: str, word: str | None = None) -> Markup:
    """A state as symbol and word."""
    shown = look(state)
    return el("span", symbol(shown.symbol), word or shown.word, class_=f"pill {shown.tone}")


def said(state: str | None) -> Markup:
    """What a source says; a dash where it was not asked."""
    return el("span", "not asked", class_="none") if state is None else pill(state)
