# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not be read, and which answers it touches (design: fail closed)."""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .records import Problem

MESH_ROUTES = ("GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute")
"""Kinds of the Gateway API that can lead requests within the mesh."""
ROUTES = ("VirtualService", *MESH_ROUTES)
"""All kinds that can."""
_BY_ROUTE = "edges of the clients and to the hosts there; good edges of all clients that may be given them"
TOUCHES: Dict[str, str] = {
    "ConfigMap": "modes and edges of every workload in the mesh: root namespace, auto-mTLS and defaults are unknown",
    "Namespace": "predicted workloads, and namespaces that discovery selectors would hide",
    "Pod": "workloads, clients and endpoints there",
    "Deployment": "predicted workloads and endpoints there",
    "Service": "edges to Services there",
    "EndpointSlice": "edges to Services without a selector there",
    "MutatingWebhookConfiguration": "predicted workloads enrolled by a revision or tag",
    "ValidatingWebhookConfiguration": "findings only",
    "APIService": "findings only",
    "PeerAuthentication": "modes, and edges to servers, that a policy there could decide",
    "DestinationRule": "edges that a rule there could decide",
    "Sidecar": "edges of the clients there; in the root namespace of all clients without a Sidecar of their own",
    "ServiceEntry": "edges of clients and to entries there; good edges of all clients that may be given them",
    "WorkloadEntry": "edges to endpoints outside the cluster there",
    "EnvoyFilter": "modes of the servers and edges of the clients there; in the root namespace of all",
    "VirtualService": _BY_ROUTE,
    "Gateway": "ports of the gateways there",
    "Ingress": "ports of the gateways that Istio's Ingresses are for",
    "IngressClass": "ports of the gateways that Istio's Ingresses are for",
    "AuthorizationPolicy": "findings only",
    **dict.fromkeys(
        MESH_ROUTES, "edges of the clients and to the hosts there; good edges of all clients that may be given them"
    ),
}


_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
"""Of a namespace (RFC 1123, as Kubernetes has it)."""


class Gap(NamedTuple):
    """One kind that was not read: in one namespace, or (None) everywhere but in `but`."""

    kind: str
    namespace: Optional[str]
    but: FrozenSet[str]


class Unread:
    """All gaps of one evaluation: what the caller names, and manifests that could not be understood.

    Raises ValueError for an item of the caller's without a kind that the engine reads: what it stands for cannot be
    told.
    """

    def __init__(self, items: Iterable[Any], problems: Iterable[Problem]) -> None:
        self._everywhere: Dict[str, List[FrozenSet[str]]] = {}
        self._namespaces: Set[Tuple[str, str]] = set()
        self._withheld: List[Gap] = []
        self.entries: List[Dict[str, Any]] = []
        for number, item in enumerate(items):
            kind = item.get("kind") if isinstance(item, dict) else None
            if not isinstance(kind, str) or kind not in TOUCHES:
                raise ValueError(
                    f"unread[{number}] names no kind that the engine reads. Remedy: give kind, one of "
                    f"{', '.join(sorted(TOUCHES))}, with namespace and reason"
                )
            given = item.get("namespace")
            namespace = given if isinstance(given, str) and given else None
            excepted = item.get("except")
            but = frozenset(
                name for name in (excepted if isinstance(excepted, (list, tuple)) else ()) if isinstance(name, str)
            )
            self._add(kind, namespace, but)
            self._withheld.append(Gap(kind, namespace if namespace and _NAME.fullmatch(namespace) else None, but))
            self.entries.append(_entry(kind, namespace, "", str(item.get("reason") or "not read"), TOUCHES[kind]))
        for problem in problems:
            # A manifest that cannot be understood could be anything: its kind counts as unread there.
            for kind in [problem.kind] if problem.kind else TOUCHES:
                self._add(kind, problem.namespace, frozenset())
            self.entries.append(
                _entry(
                    problem.kind,
                    problem.namespace,
                    problem.name,
                    problem.reason,
                    TOUCHES.get(problem.kind, "whatever it could have been" if not problem.kind else "owners of pods"),
                )
            )

    def _add(self, kind: str, namespace: Optional[str], but: FrozenSet[str]) -> None:
        if namespace is None or not _NAME.fullmatch(namespace):  # a slip: it could be any
            self._everywhere.setdefault(kind, []).append(but)
        else:
            self._namespaces.add((kind, namespace))

    def covers(self, kind: str, namespace: str) -> bool:
        """Whether objects of this kind in this namespace may exist without having been read."""
        if not self._everywhere and not self._namespaces:
            return False
        return (kind, namespace) in self._namespaces or any(
            namespace not in but for but in self._everywhere.get(kind, ())
        )

    def anywhere(self, kind: str) -> bool:
        """Whether any object of this kind may be missing."""
        return kind in self._everywhere or any(found == kind for found, dummy in self._namespaces)

    def withheld(self, kind: str, namespaces: Optional[Set[str]]) -> bool:
        """Whether the caller could not read this kind in one of these namespaces; None stands for all.

        Not asked about manifests that could not be understood: whoever may write one would decide about all others.
        """
        return any(
            gap.kind == kind
            and (
                namespaces is None
                or (gap.namespace in namespaces if gap.namespace is not None else bool(namespaces - gap.but))
            )
            for gap in self._withheld
        )


def _entry(kind: str, namespace: Optional[str], name: str, reason: str, touches: str) -> Dict[str, Any]:
    return {"kind": kind, "namespace": namespace, "name": name, "reason": reason, "touches": touches}
