# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: manifests in, verdicts out. No Ansible, no network, no clock, no files."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator

from .engine import State, public_edges, summary
from .findings import findings_of
from .manifests import KINDS, Reader
from .what_if import apply, changes

__all__ = ["KINDS", "Reader", "evaluate", "judge"]


def evaluate(resources: Iterable[Any], proposed: Iterable[Any] = (), unread: Iterable[Any] = ()) -> Dict[str, Any]:
    """Judges the mutual TLS of a mesh.

    :arg resources: Plain manifest dictionaries of any kinds and in any order; `kind: List` counts as its items, kinds
        that are not in KINDS are ignored. A manifest of a wrong shape never raises: it becomes an entry of `unknown`,
        and its kind counts as unread in its namespace.
    :arg proposed: Items ``{"op": "apply" | "delete", "manifest": {...}}``. The main keys then describe the state after
        them. A new object counts as the youngest, a replaced one keeps its age. Deleting a Namespace or a Deployment,
        StatefulSet, DaemonSet or Job deletes what belongs to it; a changed pod template replaces the pods by predicted
        ones. A wrong item raises ValueError.
    :arg unread: Items ``{"kind", "namespace" or None, "reason"}``: what the caller could not read. Without a namespace
        all of the kind is unread, but for the namespaces in an optional list ``except``. All that it could have changed
        becomes ``unknown``.

    :returns: A dictionary of plain values:

        ``mesh``
            ``{"revisions": [{"name", "root_namespace", "auto_mtls", "trust_domain", "namespace", "version", "tags"}]}``
            and the last three say where its control plane is (None where that cannot be told), istiod's image tag and
            revision tags. Which control planes are believed: control_plane.py.
        ``workloads``
            ``id, namespace, kind, name, pods, revision, mesh, mode, policy, ports, predicted, identity,
            identity_aliases``; ``mesh`` is sidecar, ambient, gateway or none; ``identity`` is the SPIFFE name that its
            certificates must have, None where that cannot be told, ``identity_aliases`` the same by trustDomainAliases;
            ``mode`` is STRICT, PERMISSIVE, DISABLE, None (no proxy enforces one) or unknown;
            ``ports`` are ``{"port" (container port, TCP), "mode", "captured", "plaintext"}`` and ``plaintext`` is
            accepted, refused or unknown; those of gateways and waypoints have ``purpose``, too: gateway (a server of a
            Gateway), health, metrics, hbone, or workload.
        ``client_sets``
            ``{set id: [workload ids]}``. The id depends on the members alone.
        ``edges``
            ``clients, service, host, port, subset, endpoint, client_tls, verdict, reason, part``; ``client_tls`` is
            mtls, plaintext, simple, mutual, hbone, none or (verdict unknown) unknown; ``verdict`` is mtls, tls,
            plaintext, broken or unknown; ``part`` is one of rows.PARTS or empty.
        ``findings``
            ``id, severity, object, message, fix``, see findings/.
        ``unknown``
            ``kind, namespace, name, reason, touches``.
        ``summary``
            Counts of workloads, edges, findings and unknowns.
        ``changes``
            Only with `proposed`: ``what`` (edge or port), what identifies it, ``before`` and ``after`` (None where it
            does not exist). An edge names its ``clients`` by a key of ``change_client_sets``.
    """
    with _collector_paused():
        reader = Reader()
        reader.add(resources)
        return judge(reader, proposed, unread)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keeps the garbage collector from searching the caller's manifests again and again.

    The records make no cycles to speak of, and with 10,000 pods those searches took longer than the engine itself.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def judge(
    reader: Reader, proposed: Iterable[Any] = (), unread: Iterable[Any] = (), compact: bool = False
) -> Dict[str, Any]:
    """The same for what a reader has taken in, portion by portion: no list of all manifests is ever needed.

    In the compact form a set of ``client_sets`` that holds most workloads is ``{"all_but": [workload ids]}``: written
    out, hundreds of sets of thousands of clients would be most of the answer.
    """
    steps, gaps = list(proposed), list(unread)
    with _collector_paused():
        state = State((apply(reader, steps) if steps else reader).snapshot(), gaps)
        findings = findings_of(state)
        sets, edges = public_edges(state, compact)
        result: Dict[str, Any] = {
            "mesh": state.public_meshes(),
            "workloads": state.public_workloads(),
            "client_sets": sets,
            "edges": edges,
            "findings": findings,
            "unknown": state.unknown(),
            "summary": summary(state, findings),
        }
        if steps:
            result["changes"], result["change_client_sets"] = changes(State(reader.snapshot(), gaps), state)
    return result
