# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API groups core and discovery.k8s.io."""

from __future__ import annotations

from typing import Any, Mapping

from ..fields import identity_of, labels_of, mapping, number_of, sequence, strings, text_of
from ..pods import PodParser
from ..records import (
    UNTRANSLATED,
    Malformed,
    MeshMap,
    NamespaceObject,
    Service,
    ServicePort,
    Slice,
    SliceEndpoint,
    Snapshot,
)
from .protocols import instance_of, protocol_of


def namespace(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    annotations = labels_of(identity.metadata.get("annotations"), "metadata.annotations")
    snapshot.namespaces[identity.name] = NamespaceObject(identity.name, labels, annotations)


def config_map(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    """A mesh configuration is the key `mesh`; whose it is, if anybody's, control_plane.py decides."""
    identity = identity_of(manifest)
    data = mapping(manifest.get("data"), "data")
    if "mesh" in data:
        snapshot.mesh_maps.append(MeshMap(identity.namespace, identity.name, data["mesh"]))


def service(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    spec = mapping(manifest.get("spec"), "spec")
    ports = []
    for port in sequence(spec.get("ports"), "spec.ports"):
        name = text_of(port.get("name"), "ports.name")
        app = text_of(port.get("appProtocol"), "ports.appProtocol")
        target = port.get("targetPort")
        if target is not None and (isinstance(target, bool) or not isinstance(target, (int, str))):
            raise Malformed("targetPort is neither a number nor a name")
        if isinstance(target, int) or (isinstance(target, str) and target.isascii() and target.isdecimal()):
            target = number_of(target, "targetPort")
        number = number_of(port.get("port"), "ports.port")
        spoken = (name, app, port.get("protocol") or "TCP")
        ports.append(ServicePort(number, name, protocol_of(*spoken), target or number, instance_of(*spoken)))
    cluster_ip = text_of(spec.get("clusterIP"), "spec.clusterIP")
    selector = labels_of(spec.get("selector"), "spec.selector")
    annotations = labels_of(identity.metadata.get("annotations"), "metadata.annotations")
    exported = annotations.get("networking.istio.io/exportTo", "")
    external = text_of(spec.get("externalName"), "spec.externalName") if spec.get("type") == "ExternalName" else ""
    addresses = strings(spec.get("clusterIPs"), "spec.clusterIPs") or ((cluster_ip,) if cluster_ip else ())
    snapshot.services.append(
        Service(
            identity.namespace,
            identity.name,
            identity.age,
            cluster_ip == "None",
            external,
            selector or None,
            tuple(ports),
            tuple(sorted({part.strip() for part in exported.split(",")})) if exported else (),
            addresses,
            UNTRANSLATED in labels_of(identity.metadata.get("labels"), "metadata.labels"),
        )
    )


def endpoint_slice(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    service = labels.get("kubernetes.io/service-name")
    if not service or manifest.get("addressType") == "FQDN":
        return
    ports = tuple(
        (text_of(port.get("name"), "ports.name"), number_of(port.get("port"), "ports.port"))
        for port in sequence(manifest.get("ports"), "ports")
        if port.get("port") is not None and (port.get("protocol") or "TCP") == "TCP"
    )
    endpoints = []
    for endpoint in sequence(manifest.get("endpoints"), "endpoints"):
        reference = mapping(endpoint.get("targetRef"), "targetRef")
        pod = None
        if reference.get("kind") == "Pod":
            pod = (
                text_of(reference.get("namespace"), "targetRef.namespace") or identity.namespace,
                text_of(reference.get("name"), "targetRef.name"),
            )
        endpoints.append(SliceEndpoint(strings(endpoint.get("addresses"), "addresses"), pod))
    by_selector = labels.get("endpointslice.kubernetes.io/managed-by") == "endpointslice-controller.k8s.io"
    snapshot.slices.append(Slice(identity.namespace, identity.name, service, ports, tuple(endpoints), by_selector))
