# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops what no verdict depends on, page by page, so that memory grows with the mesh and not with its YAML.

Of pods, which are nearly all of a big mesh, only what the engine reads is kept (``_policy/pods.py``); of other kinds
only known bulk is dropped.
"""

from __future__ import annotations

import sys
from typing import Any

_MESH = "istio.io/"
_POD_METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences", "creationTimestamp")
_POD_SPEC = ("hostNetwork", "serviceAccountName")
_POD_STATUS = ("phase", "podIP")
_CONTAINER = ("name", "ports", "restartPolicy")
_OWNER = ("kind", "name", "controller")
# Arguments and environment say something about the mesh in these containers only; in others they may hold secrets.
_ISTIOD = "discovery"
_PROXY = "istio-proxy"
_WITH_ARGUMENTS = (_PROXY, "istio-init", "istio-validation")
_PROXY_ENV = ("ISTIO_META_INTERCEPTION_MODE", "ISTIO_META_TLS_CLIENT_CERT_CHAIN")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest without its bulk."""
    if manifest.get("kind") == "Pod":
        return {
            "apiVersion": manifest.get("apiVersion"),
            "kind": "Pod",
            "metadata": _pod_metadata(_picked(manifest.get("metadata"), _POD_METADATA)),
            "spec": _pod_spec(manifest.get("spec") or {}),
            "status": _picked(manifest.get("status"), _POD_STATUS),
        }
    metadata = manifest.get("metadata") or {}
    metadata.pop("managedFields", None)
    (metadata.get("annotations") or {}).pop(_LAST_APPLIED, None)
    if manifest.get("kind") not in ("Namespace", "Service"):
        manifest.pop("status", None)
    for webhook in manifest.get("webhooks") or ():
        webhook.pop("clientConfig", None)
    if manifest.get("kind") == "Deployment":
        template = manifest["spec"]["template"]
        template["spec"] = _pod_spec(template.get("spec") or {})
    return manifest


def _pod_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    annotations = metadata.get("annotations") or {}
    # Thousands of pods have the same values, some of them long: one copy of each is enough.
    metadata["annotations"] = {name: sys.intern(value) for name, value in annotations.items() if _MESH in name}
    metadata["labels"] = {name: sys.intern(value) for name, value in (metadata.get("labels") or {}).items()}
    metadata["ownerReferences"] = [_picked(owner, _OWNER) for owner in metadata.get("ownerReferences") or ()]
    return metadata


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    kept = _picked(spec, _POD_SPEC)
    for name in ("containers", "initContainers"):
        if spec.get(name):
            kept[name] = [_container(container) for container in spec[name]]
    return kept


def _container(container: dict[str, Any]) -> dict[str, Any]:
    kept = _picked(container, _CONTAINER)
    name = container.get("name")
    if name in _WITH_ARGUMENTS and container.get("args"):
        kept["args"] = [sys.intern(argument) for argument in container["args"]]
    if name == _ISTIOD:
        kept.update(_picked(container, ("image", "env")))
    elif name == _PROXY:
        kept["env"] = [item for item in container.get("env") or () if item.get("name") in _PROXY_ENV]
    return kept


def _picked(mapping: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping} if mapping else {}
