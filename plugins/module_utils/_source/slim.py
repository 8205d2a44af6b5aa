# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops what no verdict depends on, page by page, so that memory grows with the mesh and not with its YAML.

Of pods, which are nearly all of a big mesh, only what the engine reads is kept (``_policy/pods.py``); of other kinds
only known bulk is dropped. Nothing here raises, whatever the manifest looks like.
"""

from __future__ import annotations

import sys
from typing import Any

_MESH = "istio.io/"
_POD_METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences", "creationTimestamp")
_POD_SPEC = ("hostNetwork", "serviceAccountName")
_POD_STATUS = ("phase", "podIP")
_STATES = ("waiting", "running", "terminated")
_CONTAINER = ("name", "ports", "restartPolicy")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ASKED = {"httpGet": ("port", "host"), "grpc": ("port",)}
_USER = ("runAsUser", "runAsGroup")
_OWNER = ("kind", "name", "controller")
# Arguments and environment say something about the mesh in these containers only; in others they may hold secrets.
_ISTIOD = "discovery"
_PROXY = "istio-proxy"
_WITH_ARGUMENTS = (_PROXY, "istio-init", "istio-validation", _ISTIOD)
_PROXY_ENV = ("ISTIO_META_INTERCEPTION_MODE", "ISTIO_META_TLS_CLIENT_CERT_CHAIN", "OUTPUT_CERTS")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(manifest: Any) -> Any:
    """The manifest without its bulk. What has another shape than it should stays as it is, for the engine to judge."""
    if not isinstance(manifest, dict):
        return manifest
    metadata = manifest.get("metadata")
    if manifest.get("kind") == "Pod":
        return {
            "apiVersion": manifest.get("apiVersion"),
            "kind": "Pod",
            "metadata": _pod_metadata(metadata),
            "spec": _pod_spec(manifest.get("spec")),
            "status": _pod_status(manifest.get("status")),
        }
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
        if isinstance(metadata.get("annotations"), dict):
            metadata["annotations"].pop(_LAST_APPLIED, None)
    if manifest.get("kind") == "ServiceEntry" and "status" in manifest:
        manifest["status"] = _picked(manifest["status"], ("addresses",))
    elif manifest.get("kind") not in ("Namespace", "Service"):
        manifest.pop("status", None)
    if manifest.get("kind") in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for webhook in _each(manifest.get("webhooks")):
            if isinstance(webhook.get("clientConfig"), dict):
                webhook["clientConfig"].pop("caBundle", None)
    if manifest.get("kind") == "APIService" and isinstance(manifest.get("spec"), dict):
        manifest["spec"].pop("caBundle", None)
    if manifest.get("kind") == "Deployment" and isinstance(manifest.get("spec"), dict):
        template = manifest["spec"].get("template")
        if isinstance(template, dict) and "spec" in template:
            template["spec"] = _pod_spec(template["spec"])
    return manifest


def _pod_metadata(metadata: Any) -> Any:
    kept = _picked(metadata, _POD_METADATA)
    if not isinstance(kept, dict):
        return kept
    # Thousands of pods have the same values, some of them long: one copy of each is enough.
    annotations, labels, owners = map(kept.get, ("annotations", "labels", "ownerReferences"))
    if annotations is None or isinstance(annotations, dict):
        kept["annotations"] = {name: _one(value) for name, value in (annotations or {}).items() if _MESH in str(name)}
    if labels is None or isinstance(labels, dict):
        kept["labels"] = {name: _one(value) for name, value in (labels or {}).items()}
    if owners is None or isinstance(owners, list):
        kept["ownerReferences"] = [_picked(owner, _OWNER) for owner in owners or ()]
    return kept


def _pod_spec(spec: Any) -> Any:
    kept = _picked(spec, _POD_SPEC)
    if isinstance(spec, dict):
        _keep_user(spec, kept)
        for name in ("containers", "initContainers"):
            if spec.get(name):
                found = spec[name]
                kept[name] = [_container(item) for item in found] if isinstance(found, list) else found
        if spec.get("ephemeralContainers"):
            found = spec["ephemeralContainers"]
            kept["ephemeralContainers"] = [_debugger(item) for item in found] if isinstance(found, list) else found
    return kept


def _pod_status(status: Any) -> Any:
    kept = _picked(status, _POD_STATUS)
    if isinstance(status, dict) and status.get("ephemeralContainerStatuses"):
        found = status["ephemeralContainerStatuses"]
        kept["ephemeralContainerStatuses"] = list(map(_state, found)) if isinstance(found, list) else found
    return kept


def _state(container: Any) -> Any:
    """Whether a debug container waits, runs or has ended; since when is of no interest."""
    kept = _picked(container, ("name", "state"))
    state = kept.get("state") if isinstance(kept, dict) else None
    if isinstance(state, dict):
        kept["state"] = {
            name: {} if isinstance(state[name], dict) else state[name] for name in _STATES if name in state
        }
    return kept


def _debugger(container: Any) -> Any:
    kept = _picked(container, ("name",))
    if isinstance(container, dict):
        _keep_user(container, kept)
    return kept


def _container(container: Any) -> Any:
    kept = _picked(container, _CONTAINER)
    if not isinstance(container, dict):
        return kept
    _keep_user(container, kept)
    for probe in _PROBES:
        if container.get(probe) is not None:
            kept[probe] = _probe(container[probe])
    name, arguments, variables = map(container.get, ("name", "args", "env"))
    if name in _WITH_ARGUMENTS and arguments:
        kept["args"] = [_one(argument) for argument in arguments] if isinstance(arguments, list) else arguments
    if name == _ISTIOD:
        kept.update(_picked(container, ("image", "env")))
    elif name == _PROXY:
        kept.update(_picked(container, ("command",)))
        kept["env"] = variables
        if variables is None or isinstance(variables, list):
            kept["env"] = [
                item for item in variables or () if not isinstance(item, dict) or item.get("name") in _PROXY_ENV
            ]
    return kept


def _probe(probe: Any) -> Any:
    """Where a probe asks by HTTP or gRPC; paths and headers are the application's own business."""
    kept = _picked(probe, tuple(_ASKED))
    return {name: _picked(kept[name], _ASKED[name]) for name in kept} if isinstance(kept, dict) else kept


def _keep_user(part: dict[str, Any], kept: dict[str, Any]) -> None:
    """As whom a pod or a container runs; most of a securityContext says something else."""
    if part.get("securityContext") is not None:
        user = _picked(part["securityContext"], _USER)
        if user != {}:
            kept["securityContext"] = user


def _picked(mapping: Any, names: tuple[str, ...]) -> Any:
    """Some entries of a mapping, and of nothing at all none; anything else as it is."""
    if isinstance(mapping, dict):
        return {name: mapping[name] for name in names if name in mapping}
    return {} if mapping is None else mapping


def _one(value: Any) -> Any:
    # Of a kind of text of its own there is no one copy.
    return sys.intern(value) if isinstance(value, str) and value.__class__ is str else value


def _each(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
