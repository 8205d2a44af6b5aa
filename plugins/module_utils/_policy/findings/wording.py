# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings name things."""

from __future__ import annotations

from typing import Any, Iterable

from ..membership import Workload


def listed(items: Iterable[Any]) -> str:
    """A short list: what is named is enough to find the rest."""
    found = [str(item) for item in items]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def called(workload: Workload) -> str:
    """A workload as the object of a finding."""
    return f"{workload.kind} {workload.namespace}/{workload.name}"
