# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role istio_services: from a short list to objects, and what has to be done so that the cluster has them.

entries reads what users give, manifests makes the objects, comparison holds them against what is there, plan decides,
and readiness tells how far the cluster is.
"""

from __future__ import annotations

from .plan import plan
from .readiness import progress

__all__ = ["plan", "progress"]
