# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to Kubernetes."""

from __future__ import annotations

from .api import Cluster, connect
from .configuration import sources
from .discovery import Served, served
from .errors import ClusterError
from .forward import Forwards
from .kinds import Kind
from .lists import Page
from .options import ARGUMENT_SPEC, Options, secrets_in, secrets_of
from .pods import Interrupted, ShortLivedPods
from .prometheus import get_through_service
from .protobuf import Unusable

__all__ = [
    "ARGUMENT_SPEC",
    "Cluster",
    "ClusterError",
    "Forwards",
    "Interrupted",
    "Kind",
    "Options",
    "Page",
    "Served",
    "ShortLivedPods",
    "Unusable",
    "connect",
    "get_through_service",
    "secrets_in",
    "secrets_of",
    "served",
    "sources",
]
