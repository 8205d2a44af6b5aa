# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of what the engine reads, and plain dumps: their formats, and the only place that opens such files."""

from __future__ import annotations

from .errors import SnapshotError
from .format import Content, facts_of, pack
from .kept import kept
from .load import Loaded, about, load, manifests_in
from .write import header_of, same_content

__all__ = [
    "Content",
    "Loaded",
    "SnapshotError",
    "about",
    "facts_of",
    "header_of",
    "kept",
    "load",
    "manifests_in",
    "pack",
    "same_content",
]
