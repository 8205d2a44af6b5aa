# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this layer."""

from __future__ import annotations


class SnapshotError(Exception):
    """A file that cannot be used; its text names the file, the place in it and the remedy."""
