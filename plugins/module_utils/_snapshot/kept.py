# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a manifest a snapshot keeps: the fields that the engine reads, named one by one.

Whatever is not named here never reaches a file: no environment of application containers, no volumes, no Secrets, no
Lua of an EnvoyFilter. A unit test records every field that the engine asks for and compares it with these names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional

from .._foreign import json_text, yaml_text
from .._foreign.unreadable import Unreadable
from .._policy.manifests import KINDS, group_of
from .._policy.mesh import proto_name
from .._policy.unread import MESH_ROUTES

WHOLE = "whole"
"""The value as it is."""
KEYS = "keys"
"""Of a mapping the keys alone: the engine asks which are there."""
STRUCTURE = "structure"
"""Which fields there are on all levels, with the names and types of things; of other texts only that there is one."""
NAMED = "named"
"""A mapping of annotations, of which those with a mesh's name are kept."""
ENVIRONMENT = "environment"
"""A container's variables, of which those are kept that switch something of Istio."""
MESH = "mesh"
"""The mesh configuration: YAML text, or already a mapping."""
ANY = "*"
"""In a shape: every other key of a mapping."""

Shape = Any

_OWNERS = [{"kind": WHOLE, "name": WHOLE, "controller": WHOLE}]
_METADATA = {
    "name": WHOLE,
    "namespace": WHOLE,
    "labels": WHOLE,
    "annotations": NAMED,
    "ownerReferences": _OWNERS,
    "creationTimestamp": WHOLE,
}
_PORTS = [{"containerPort": WHOLE, "protocol": WHOLE, "name": WHOLE}]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE = {"httpGet": {"port": WHOLE, "host": WHOLE}, "grpc": {"port": WHOLE}}
_USER = {"runAsUser": WHOLE, "runAsGroup": WHOLE}
_CONTAINER = {
    "name": WHOLE,
    "ports": _PORTS,
    "restartPolicy": WHOLE,
    "command": STRUCTURE,
    "args": WHOLE,
    "image": WHOLE,
    "env": ENVIRONMENT,
    "securityContext": _USER,
    **dict.fromkeys(_PROBES, _PROBE),
}
_POD = {
    "securityContext": _USER,
    "hostNetwork": WHOLE,
    "serviceAccountName": WHOLE,
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "ephemeralContainers": [{"name": WHOLE, "securityContext": _USER}],
}
_DEBUGGER = {"name": WHOLE, "state": dict.fromkeys(("waiting", "running", "terminated"), KEYS)}
# Fields that a message does not have make it unknown: that there are some is kept, too.
_SELECTOR = {"matchLabels": WHOLE, "labels": WHOLE, ANY: KEYS}
_TRAFFIC = {
    "tls": WHOLE,
    "loadBalancer": {"simple": WHOLE},
    "portLevelSettings": [{"port": WHOLE, "tls": WHOLE, "loadBalancer": {"simple": WHOLE}, ANY: KEYS}],
    ANY: KEYS,
}
_ENTRY = {
    "address": WHOLE,
    "labels": WHOLE,
    "ports": WHOLE,
    "serviceAccount": WHOLE,
    "network": WHOLE,
    "locality": WHOLE,
    "weight": WHOLE,
}
_LISTENER = {"port": WHOLE, "bind": WHOLE, "captureMode": WHOLE, "defaultEndpoint": WHOLE, "hosts": WHOLE, "tls": KEYS}
_CALLED = {"name": WHOLE, "namespace": WHOLE, "port": WHOLE}
_ROUTE = {"match": [{"port": WHOLE, "gateways": WHOLE, ANY: KEYS}], "route": [{"destination": WHOLE, "weight": WHOLE}]}
_BACKEND = dict.fromkeys(("group", "kind", "name", "namespace", "port", "weight"), WHOLE)
_ROUTE_FILTER = {"type": WHOLE, "requestMirror": {"backendRef": _BACKEND, "percent": WHOLE, "fraction": WHOLE}}
_SOURCE = {"principals": WHOLE, "namespaces": WHOLE, "serviceAccounts": WHOLE, "notPrincipals": WHOLE, ANY: KEYS}

# By kind, the fields beside apiVersion, kind and metadata.
_FIELDS: Dict[str, Shape] = {
    "Namespace": {"status": {"phase": WHOLE}},
    "Pod": {"spec": _POD, "status": {"phase": WHOLE, "podIP": WHOLE, "ephemeralContainerStatuses": [_DEBUGGER]}},
    "Service": {
        "spec": {
            "type": WHOLE,
            "clusterIP": WHOLE,
            "clusterIPs": WHOLE,
            "externalName": WHOLE,
            "selector": WHOLE,
            "ports": WHOLE,
            "publishNotReadyAddresses": WHOLE,
        }
    },
    "ConfigMap": {"data": {"mesh": MESH}},
    "EndpointSlice": {
        "addressType": WHOLE,
        "ports": WHOLE,
        "endpoints": [{"addresses": WHOLE, "targetRef": {"kind": WHOLE, "namespace": WHOLE, "name": WHOLE}}],
    },
    "Deployment": {
        "spec": {"template": {"metadata": {"labels": WHOLE, "annotations": NAMED}, "spec": _POD}, "replicas": WHOLE}
    },
    "ReplicaSet": {},
    "Job": {},
    "CronJob": {},
    "MutatingWebhookConfiguration": {
        "webhooks": [
            {
                "name": WHOLE,
                "clientConfig": {"service": _CALLED, "url": WHOLE},
                "namespaceSelector": WHOLE,
                "objectSelector": WHOLE,
            }
        ]
    },
    "ValidatingWebhookConfiguration": {"webhooks": [{"clientConfig": {"service": _CALLED}}]},
    "APIService": {"spec": {"service": _CALLED}},
    "CustomResourceDefinition": {"spec": {"conversion": {"webhook": {"clientConfig": {"service": _CALLED}}}}},
    "PeerAuthentication": {
        "spec": {
            "selector": _SELECTOR,
            "mtls": WHOLE,
            "portLevelMtls": WHOLE,
            ANY: KEYS,
        }
    },
    "AuthorizationPolicy": {
        "spec": {
            "selector": _SELECTOR,
            "targetRef": WHOLE,
            "targetRefs": WHOLE,
            "action": WHOLE,
            "rules": [{"from": [{"source": _SOURCE, ANY: KEYS}], ANY: KEYS}],
        }
    },
    "DestinationRule": {
        "spec": {
            "host": WHOLE,
            "exportTo": WHOLE,
            "workloadSelector": _SELECTOR,
            "trafficPolicy": _TRAFFIC,
            "subsets": [{"name": WHOLE, "labels": WHOLE, "trafficPolicy": _TRAFFIC, ANY: KEYS}],
            ANY: KEYS,
        }
    },
    "Sidecar": {
        "spec": {
            "workloadSelector": _SELECTOR,
            "egress": [_LISTENER],
            "ingress": [_LISTENER],
            "outboundTrafficPolicy": WHOLE,
        }
    },
    "ServiceEntry": {
        "spec": {
            "hosts": WHOLE,
            "addresses": WHOLE,
            "ports": WHOLE,
            "location": WHOLE,
            "resolution": WHOLE,
            "endpoints": [_ENTRY],
            "workloadSelector": _SELECTOR,
            "exportTo": WHOLE,
        },
        "status": {"addresses": [{"value": WHOLE, "host": WHOLE}]},
    },
    "WorkloadEntry": {"spec": _ENTRY},
    "Ingress": {"spec": {"ingressClassName": WHOLE, "tls": [{"secretName": WHOLE}]}},
    "IngressClass": {"spec": {"controller": WHOLE}},
    # Istio's own, and the Gateway API's.
    "Gateway": {
        "spec": {
            "gatewayClassName": WHOLE,
            "addresses": WHOLE,
            "listeners": [
                {
                    **dict.fromkeys(("name", "port", "protocol", "hostname"), WHOLE),
                    "tls": {"mode": WHOLE, "options": {"gateway.istio.io/tls-terminate-mode": WHOLE}},
                }
            ],
            "allowedListeners": {"namespaces": {"from": WHOLE}},
            "selector": WHOLE,
            "servers": [
                {
                    "port": WHOLE,
                    "bind": WHOLE,
                    "tls": {"mode": WHOLE, "httpsRedirect": WHOLE, ANY: KEYS},
                    "hosts": WHOLE,
                }
            ],
        }
    },
    "VirtualService": {
        "spec": {
            "hosts": WHOLE,
            "gateways": WHOLE,
            "exportTo": WHOLE,
            "http": [
                {
                    **_ROUTE,
                    **dict.fromkeys(("mirror", "mirrorPercentage", "mirrorPercent", "delegate"), WHOLE),
                    "mirrors": [{"destination": WHOLE, "percentage": WHOLE}],
                    **dict.fromkeys(("redirect", "directResponse"), KEYS),
                }
            ],
            "tls": [_ROUTE],
            "tcp": [_ROUTE],
        }
    },
    **{
        kind: {
            "spec": {
                "parentRefs": WHOLE,
                "rules": [{"filters": [_ROUTE_FILTER], "backendRefs": [{**_BACKEND, "filters": [_ROUTE_FILTER]}]}],
            }
        }
        for kind in MESH_ROUTES
    },
    "EnvoyFilter": {
        "spec": {
            "workloadSelector": _SELECTOR,
            "targetRefs": WHOLE,
            "configPatches": [
                {
                    "applyTo": WHOLE,
                    "match": {
                        "context": WHOLE,
                        "cluster": WHOLE,
                        "listener": WHOLE,
                        "routeConfiguration": WHOLE,
                        ANY: KEYS,
                    },
                    "patch": {"operation": WHOLE, "value": STRUCTURE, ANY: KEYS},
                    ANY: KEYS,
                }
            ],
            ANY: KEYS,
        }
    },
}
_MESH_CONFIG = {
    "rootNamespace": WHOLE,
    "enableAutoMtls": WHOLE,
    "trustDomain": WHOLE,
    "trustDomainAliases": WHOLE,
    "caCertificates": [{"trustDomains": WHOLE}],
    "outboundTrafficPolicy": WHOLE,
    "defaultServiceExportTo": WHOLE,
    "defaultDestinationRuleExportTo": WHOLE,
    "defaultVirtualServiceExportTo": WHOLE,
    "discoverySelectors": WHOLE,
    **dict.fromkeys(("ingressControllerMode", "ingressClass", "ingressService", "ingressSelector"), WHOLE),
    "defaultConfig": {"interceptionMode": WHOLE, "proxyMetadata": {"ISTIO_META_ENABLE_HBONE": WHOLE}},
}
SHAPES: Dict[str, Shape] = {
    kind: {"apiVersion": WHOLE, "kind": WHOLE, "metadata": _METADATA, **fields} for kind, fields in _FIELDS.items()
}
_GROUPS = {kind.kind: {one.group for one in KINDS if one.kind == kind.kind} for kind in KINDS}

_HAND_OUT = "OUTPUT_CERTS"
# Arguments and environment say something about the mesh in these containers only; in others they may hold secrets.
_WITH_ARGUMENTS = ("istio-proxy", "istio-init", "istio-validation", "discovery")
_ISTIOD = "discovery"
_VARIABLES = (
    "ISTIO_META_INTERCEPTION_MODE",
    "ISTIO_META_TLS_CLIENT_CERT_CHAIN",
    _HAND_OUT,
    "SHARED_MESH_CONFIG",
)
_SWITCHES = ("PILOT_", "ENABLE_")
_MESH_NAMES = ("istio.io/", "meshproof.mtls/", "openshift.io/sa.scc.", "kubernetes.io/ingress.class")
_NAMING = ("@type", "name", "typeUrl", "typeUrls", "type_url", "type_urls")
# These may carry whole containers and volumes with their environment.
_PROXY_CONFIG = "proxy.istio.io/config"
_BULKY = ("proxy.istio.io/overrides", _PROXY_CONFIG, "sidecar.istio.io/userVolume")


def kept(manifest: Any) -> Optional[Dict[str, Any]]:
    """The manifest as a snapshot holds it, or None for what the engine does not use (a Secret, for example)."""
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if (
        not isinstance(kind, str)
        or kind not in SHAPES
        or group_of(manifest) not in _GROUPS.get(kind, {group_of(manifest)})
    ):
        return None
    if kind == "ConfigMap" and not _has_mesh(manifest):
        return None
    found: Dict[str, Any] = _pick(manifest, SHAPES[kind])
    return found


def is_mesh_map(manifest: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap holds the mesh configuration of a revision, see the engine's reading of ConfigMaps."""
    metadata = manifest.get("metadata")
    name = str(metadata.get("name")) if isinstance(metadata, dict) else ""
    return (name == "istio" or name.startswith("istio-")) and _has_mesh(manifest)


def _has_mesh(manifest: Mapping[str, Any]) -> bool:
    """Whether it may be what istiod shares, too, which can have any name."""
    data = manifest.get("data")
    return isinstance(data, dict) and "mesh" in data


def _pick(value: Any, shape: Shape) -> Any:
    if isinstance(shape, str):
        return _SPECIAL[shape](value)
    if value is None:
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _stand_in(value)
        items = [_pick(item, shape[0]) for item in value]
        return [_quiet(item) for item in items] if shape[0] is _CONTAINER else items
    if not isinstance(value, dict):
        return _stand_in(value)
    rest = shape.get(ANY)
    return {
        name: _pick(field, shape.get(name, rest)) for name, field in value.items() if name in shape or rest is not None
    }


def _stand_in(value: Any) -> Any:
    """For a value of a wrong type one of the same type, and empty when it is: the engine complains about it alike."""
    if isinstance(value, str):
        return "?" if value else ""
    if isinstance(value, list):
        return [None] if value else []
    if isinstance(value, dict):
        return {"?": None} if value else {}
    return value


def _quiet(container: Any) -> Any:
    """A container without the arguments, image and environment that are the application's own business, and without
    the probes that are Istio's own."""
    if isinstance(container, dict):
        name = container.get("name")
        if name not in _WITH_ARGUMENTS:
            container.pop("args", None)
            container.pop("env", None)
        else:
            for probe in _PROBES:
                container.pop(probe, None)
        if name != _ISTIOD:
            container.pop("image", None)
    return container


def _keys(value: Any) -> Any:
    return dict.fromkeys(value) if isinstance(value, dict) else _stand_in(value)


def _structure(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: item if _names_something(name, item) else _structure(item) for name, item in value.items()}
    return [_structure(item) for item in value] if isinstance(value, list) else _stand_in(value)


def _names_something(name: Any, item: Any) -> bool:
    texts = item if isinstance(item, list) else [item]
    return name in _NAMING and all(isinstance(text, str) for text in texts)


def _named(value: Any) -> Any:
    if not isinstance(value, dict):
        return _stand_in(value)
    found = {name: text for name, text in value.items() if _is_of_the_mesh(name)}
    if _HAND_OUT in str(value.get(_PROXY_CONFIG)):
        found[_PROXY_CONFIG] = _HAND_OUT
    if "sidecar.istio.io/status" in found:
        found["sidecar.istio.io/status"] = _status(found["sidecar.istio.io/status"])
    return found


def _is_of_the_mesh(name: Any) -> bool:
    return any(part in str(name) for part in _MESH_NAMES) and name not in _BULKY


def _status(value: Any) -> Any:
    """Only that there is one counts, and the revision in it."""
    if not isinstance(value, str):
        return _stand_in(value)
    try:
        status = json_text.parse(value)
    except Unreadable:
        status = None
    return json.dumps({"revision": status.get("revision")} if isinstance(status, dict) else {}) if value else ""


def _environment(value: Any) -> Any:
    if not isinstance(value, list):
        return _stand_in(value)
    return [_variable(item) for item in value if not isinstance(item, dict) or _matters(item.get("name"))]


def _variable(item: Any) -> Any:
    if not isinstance(item, dict):
        return _stand_in(item)
    return {name: item[name] for name in ("name", "value") if name in item}


def _matters(name: Any) -> bool:
    return not isinstance(name, str) or name in _VARIABLES or name.startswith(_SWITCHES)


def _mesh(value: Any) -> Any:
    """The mesh configuration's fields that the engine reads, as JSON text; its other fields can hold access tokens."""
    config = _parsed(value) if isinstance(value, str) else value
    if config is None:
        return "" if isinstance(value, str) else None
    if isinstance(config, str):
        return config
    return json.dumps(_pick(config, _MESH_BY_NAMES), default=str) if isinstance(config, dict) else "[]"


def _parsed(text: str) -> Any:
    """What the text says; the text "{" for one that nobody can read, so that the engine complains about it, too."""
    try:
        return json_text.parse(text)
    except Unreadable:
        try:
            found = yaml_text.parse(text)
        except Unreadable:
            return "{"
        return "[]" if isinstance(found, str) else found


def _by_both_names(shape: Shape) -> Shape:
    """Istio takes each field of the mesh configuration by two names, rootNamespace and root_namespace."""
    if isinstance(shape, list):
        return [_by_both_names(shape[0])]
    if not isinstance(shape, dict):
        return shape
    found = {name: _by_both_names(inner) for name, inner in shape.items()}
    return {**{proto_name(name): inner for name, inner in found.items() if not name.isupper()}, **found}


_MESH_BY_NAMES = _by_both_names(_MESH_CONFIG)
_SPECIAL = {
    WHOLE: lambda value: value,
    KEYS: _keys,
    STRUCTURE: _structure,
    NAMED: _named,
    ENVIRONMENT: _environment,
    MESH: _mesh,
}


def admits(kind: str, path: Sequence[Any], value: bool = True) -> bool:
    """Whether a snapshot keeps the field at this path of a manifest; numbers stand for places in lists.

    `value`: what the field says; otherwise that it is there, which is all that is kept of fields without a name here.
    """
    shape: Shape = SHAPES.get(kind)
    for place, step in enumerate(path):
        if shape == MESH:
            shape = _MESH_BY_NAMES
        if shape == KEYS:
            return place == len(path) - 1
        if shape == STRUCTURE:
            return True
        if isinstance(shape, str) or shape is None:
            break
        if isinstance(shape, dict) and step not in shape:
            return ANY in shape and not value
        shape = shape[0] if isinstance(shape, list) else shape[step]
    return shape is not None
