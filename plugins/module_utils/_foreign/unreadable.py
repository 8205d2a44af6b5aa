# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of reading what somebody else wrote."""

from __future__ import annotations

from .visible import visible


class Unreadable(ValueError):
    """What was given cannot be read within its bounds. The text is half a sentence: "is nested too deeply"."""

    def __init__(self, why: str, line: int = 0, document: int = 0) -> None:
        super().__init__(visible(why))  # it may quote what was given
        self.line = line
        """Where, from 1; 0 where that is not known."""
        self.document = document
        """In which of several documents, from 1; 0 where there is one, or that is not known."""
