# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only part of the engine that sees manifests: readers by API group."""

from __future__ import annotations

from .kinds import CLUSTER_SCOPED, CONTROL_PLANE, KINDS, Kind, group_of, key_of
from .lists import expand
from .reader import Reader

__all__ = ["CLUSTER_SCOPED", "CONTROL_PLANE", "KINDS", "Kind", "Reader", "expand", "group_of", "key_of"]
