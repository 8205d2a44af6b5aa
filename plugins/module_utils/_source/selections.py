# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the engine's kinds, and of them no more than it needs and the ClusterRole for readers allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from .._cluster import Cluster, Kind
from .._policy import KINDS, Reader
from .reading import Manifests, Selection, Sink, read_into

_DEFAULT = "default"
_USUAL_ROOT = "istio-system"
_CONFIG_MAP = "ConfigMap"
# Kubernetes makes these slices out of a Service's selector, and the engine follows selectors by itself.
_SLICES_WITHOUT_SELECTOR = "endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io"
_LABELS = {"EndpointSlice": _SLICES_WITHOUT_SELECTOR}


class MeshSink(Sink, Protocol):
    """A sink that knows which control planes the objects speak of, such as the engine's ``Reader``."""

    def revisions(self) -> set[str]:
        """The revisions of webhooks, of control planes and of proxies."""

    def root_namespaces(self) -> set[str]:
        """Where their mesh-wide policies are, and they themselves."""

    def shared_maps(self) -> set[str]:
        """The ConfigMaps that control planes share beside their own."""


_AnySink = TypeVar("_AnySink", bound=MeshSink)


def read_mesh(cluster: Cluster, namespaces: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Everything that the engine judges by, as manifests without bulk, and what could not be read."""
    found = MeshManifests()
    unread = read_mesh_into(cluster, found, namespaces)
    return found.resources(), unread


def read_mesh_into(
    cluster: Cluster, sink: MeshSink, namespaces: Sequence[str] = (), end: float | None = None
) -> list[dict[str, Any]]:
    """The same into a sink, page by page, until the moment `end`; see read_into. Returns what could not be read."""
    end = end or cluster.deadline()
    unread = read_into(cluster, sink, _selections(), namespaces, end)
    names = {f"istio-{revision}" for revision in sink.revisions() - {_DEFAULT}} | sink.shared_maps()
    names.discard("istio")
    # Where they cannot be listed, asking by another name is no use; one that could not be decoded hides no other.
    if names and not any(gap["kind"] == _CONFIG_MAP and gap["namespace"] is None for gap in unread):
        maps = [_mesh_config_map(name) for name in sorted(names)]
        unread += read_into(cluster, sink, maps, namespaces, end)
    return unread


def read_declared(
    cluster: Cluster, make_sink: Callable[[], _AnySink], namespaces: Sequence[str] = ()
) -> tuple[_AnySink, list[dict[str, Any]]]:
    """The whole mesh, or what rights in some namespaces allow: these, with every control plane's root namespace.

    Returns the sink and what was not read, for whichever reason.
    """
    wanted = sorted({*namespaces, _USUAL_ROOT}) if namespaces else []
    end = cluster.deadline()
    while True:
        sink = make_sink()
        unread = read_mesh_into(cluster, sink, wanted, end)
        if not namespaces:
            return sink, unread
        missing = sink.root_namespaces() - set(wanted)
        if not missing:
            return sink, unread + gaps_of_narrow_rights(wanted)
        wanted = sorted({*wanted, *missing})  # only now we know where the mesh-wide policies are


def gaps_of_narrow_rights(namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """With rights in some namespaces only, everything in all others is unread."""
    names = sorted(set(namespaces))
    reason = f"only these namespaces were read (read_namespaces): {', '.join(names)}"
    kinds = [kind.kind for kind in KINDS if kind.namespaced or kind.kind == "Namespace"]
    return [{"kind": kind, "namespace": None, "except": names, "reason": reason} for kind in kinds]


def _selections() -> list[Selection]:
    return [
        _mesh_config_map("istio") if kind.kind == _CONFIG_MAP else Selection(_kind(kind), _LABELS.get(kind.kind, ""))
        for kind in KINDS
    ]


def _mesh_config_map(name: str) -> Selection:
    """Listing by name needs the right to this one name only, in whichever namespace a control plane lives."""
    kind = next(kind for kind in KINDS if kind.kind == _CONFIG_MAP)
    return Selection(_kind(kind), fields=f"metadata.name={name}")


def _kind(kind: Any) -> Kind:
    return Kind(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced)


class MeshManifests(Manifests):
    """A sink that keeps the manifests of a mesh, without their bulk."""

    def portion(self) -> MeshManifests:
        """A sink for one list."""
        return MeshManifests()

    def revisions(self) -> set[str]:
        """See MeshSink."""
        return self._reader().revisions()

    def root_namespaces(self) -> set[str]:
        """See MeshSink."""
        return self._reader().root_namespaces()

    def shared_maps(self) -> set[str]:
        """See MeshSink."""
        return self._reader().shared_maps()

    def _reader(self) -> Reader:
        reader = Reader()
        reader.add(self.resources())
        return reader
