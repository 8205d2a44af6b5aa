# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module that judges takes the declared state from: a cluster or a file, by the same options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _cluster as api
from .. import _snapshot as snapshots
from . import reading, selections
from .mesh import Declared, Found
from .options import PolicyOptions

ARGUMENT_SPEC: dict[str, Any] = {
    **api.ARGUMENT_SPEC,
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "read_namespaces": {"type": "list", "elements": "str", "default": []},
    "snapshot": {"type": "path"},
    "snapshot_complete": {"type": "bool", "default": False},
}
"""The options; the documentation fragments _cluster and _declared describe them."""


def about(cluster: api.Cluster) -> dict[str, Any]:
    """Which cluster answers: server and kubernetes_version."""
    return {"server": cluster.server, "kubernetes_version": cluster.version()}


def read(
    options: PolicyOptions, connect: Callable[[], api.Cluster], warn: Callable[[str], None]
) -> tuple[Declared, dict[str, Any]]:
    """What the policies say, and what a module returns beside the judgement.

    `connect` is called where no snapshot is given; `warn` gets what was left out of a folder. Raises ClusterError or
    SnapshotError.
    """
    return _from_file(options, warn) if options.snapshot else (_from_cluster(connect(), options), {})


def _from_cluster(cluster: api.Cluster, options: PolicyOptions) -> Declared:
    facts = about(cluster)
    found, unread = selections.read_declared(cluster, Found, options.read_namespaces)
    return Declared(found, unread, facts)


def _from_file(options: PolicyOptions, warn: Callable[[str], None]) -> tuple[Declared, dict[str, Any]]:
    if options.read_namespaces:
        raise snapshots.SnapshotError(
            "read_namespaces is about reading a cluster, and with snapshot none is read. Remedy: leave it out; the "
            "option namespaces limits what is reported."
        )
    with reading.collector_paused():  # parsing makes millions of objects, none of them garbage
        loaded = snapshots.load(str(options.snapshot), options.snapshot_complete)
    for warning in loaded.warnings:
        warn(warning)
    found = Found()
    found.add(loaded.resources)
    cluster = {name: loaded.facts[name] for name in ("server", "kubernetes_version")}
    return Declared(found, loaded.unread, cluster), {"snapshot": snapshots.about(loaded)}
