# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits in which every text that a cluster could choose is hostile."""

from __future__ import annotations

from typing import Any

STRINGS = (
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "<!--<script>]]>&amp;&#60;",
    "\u202e\u2066\u200f\u0000\u001b\ufeff\ud800\uffff",
    "</style></title></svg></td></table><base href=//evil.example>",
    "javascript:alert(1)//`${x}`",
)
# These are words of ours; a file with others is refused, or shows them as unknown.
_OURS = {"format", "time", "verdict", "programmed", "observed", "declared", "agreement", "state", "severity", "mesh"}
_OURS |= {"mode", "plaintext", "security", "sources"}


def poisoned(value: Any, bad: str, name: str = "") -> Any:
    """A copy with `bad` behind every text and every name, the same everywhere, so that references still meet."""
    if isinstance(value, dict):
        ours = name in ("", "mesh", "cluster", "snapshot") or not _is_named_by_cluster(name)
        return {key if ours else key + bad: poisoned(item, bad, key) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, bad, name + "[]") for item in value]
    if isinstance(value, str) and value and name.removesuffix("[]") not in _OURS and name != "seen":
        return value + bad
    return value


def _is_named_by_cluster(name: str) -> bool:
    """Whether the keys of the dictionary of this name come from a cluster."""
    return name in ("client_sets", "trust_domains", "annotations")
