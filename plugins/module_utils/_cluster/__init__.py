# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to Kubernetes."""

from __future__ import annotations

from ._api import Cluster, Kind, connect
from ._errors import ClusterError
from ._options import ARGUMENT_SPEC, secrets_in
from ._pods import Interrupted, ShortLivedPods
from ._read import Selection, read
from ._selections import kinds_in_namespaces, read_mesh

__all__ = [
    "ARGUMENT_SPEC",
    "Cluster",
    "ClusterError",
    "Interrupted",
    "Kind",
    "Selection",
    "ShortLivedPods",
    "connect",
    "kinds_in_namespaces",
    "read",
    "read_mesh",
    "secrets_in",
]
