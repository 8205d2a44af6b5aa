# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to Kubernetes."""

from __future__ import annotations

from ._api import Cluster, Kind, connect
from ._errors import ClusterError
from ._forward import Forwards
from ._options import ARGUMENT_SPEC, secrets_in
from ._pods import Interrupted, ShortLivedPods
from ._prometheus import get_through_service
from ._read import Selection, collector_paused, read
from ._selections import MeshManifests, read_declared, read_mesh, read_mesh_into

__all__ = [
    "ARGUMENT_SPEC",
    "Cluster",
    "ClusterError",
    "Forwards",
    "Interrupted",
    "Kind",
    "MeshManifests",
    "Selection",
    "ShortLivedPods",
    "collector_paused",
    "connect",
    "get_through_service",
    "read",
    "read_declared",
    "read_mesh",
    "read_mesh_into",
    "secrets_in",
]
