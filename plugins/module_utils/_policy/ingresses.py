# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' Ingresses as the Gateways that istiod makes of them (pilot/pkg/config/kube/ingress/gateways.go)."""

from __future__ import annotations

from typing import Dict, Iterable, List

from .mesh import Mesh
from .records import GatewayObject, IngressObject, Server

INGRESS = "Ingress"
"""The kind of the Gateways that are made of them."""
LABEL = "istio"
"""The label by which a gateway's pods are those of the Ingresses."""
_CONTROLLER = "istio.io/ingress-controller"


def as_gateways(ingresses: Iterable[IngressObject], classes: Dict[str, str], mesh: Mesh) -> List[GatewayObject]:
    """Each Ingress that is for Istio opens port 80 in plaintext, and 443 with TLS where it has certificates."""
    return [
        GatewayObject(
            item.namespace,
            item.name,
            None,
            {LABEL: mesh.ingress_label},
            (*((Server(443, "tls", tls=True),) if item.tls else ()), Server(80, "plaintext", http=True)),
            age="",  # istiod writes none, which is older than all
            kind=INGRESS,
        )
        for item in ingresses
        if _is_for(item, classes, mesh)
    ]


def _is_for(item: IngressObject, classes: Dict[str, str], mesh: Mesh) -> bool:
    """ingress/virtualservices.go shouldProcessIngressWithClass: the annotation comes before the class."""
    if item.annotation is not None:
        return mesh.ingress_mode in ("STRICT", "DEFAULT") and item.annotation == mesh.ingress_class
    if item.class_name in classes:
        return classes[item.class_name] == _CONTROLLER
    return mesh.ingress_mode == "DEFAULT"
