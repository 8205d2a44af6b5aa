# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's options with their defaults, and a cluster that did what it was told."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services import entries, plan
from ansible_collections.meshproof.mtls.tests.unit.roles.test_argument_specs import ROLES, load

[ROLE] = [role for role in ROLES if role.name == "istio_services"]
_DEFAULTS = load(ROLE / "defaults" / "main.yml")
OURS = {"app.kubernetes.io/managed-by": "meshproof.mtls", "meshproof.mtls/role": "istio_services"}
HTTP = {"name": "http", "port": 80, "target_port": 8080}


def given(*services: Any, **options: Any) -> dict[str, Any]:
    """The options, with the services as their list."""
    whole = {name[len("istio_services_") :]: copy.deepcopy(value) for name, value in _DEFAULTS.items()}
    return {**whole, "list": [copy.deepcopy(item) for item in services], **options}


def asked(*services: Any, **options: Any) -> entries.Asked:
    return entries.read(given(*services, **options))


def namespace(name: str = "demo", phase: str = "Active") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": phase}}


def observed(*objects: Any, absent: Any = (), unread: Any = ()) -> dict[str, Any]:
    """As objects_info returns it; the namespace demo is there."""
    return {"objects": [namespace(), *objects], "absent_kinds": list(absent), "unread": list(unread)}


def planned(options: dict[str, Any], *objects: Any, **cluster: Any) -> dict[str, Any]:
    return plan(options, observed(*objects, **cluster))


def made(*services: Any, **options: Any) -> list[dict[str, Any]]:
    """What the cluster has after a run: each object with the account of what was applied."""
    return [applied(item) for item in planned(given(*services, **options))["objects"]]


def applied(manifest: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(manifest)
    fields = {f"f:{key}": tree(value, key) for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    entry = {"manager": "meshproof.mtls", "operation": "Apply", "fieldsV1": fields}
    found["metadata"]["managedFields"] = [entry]
    return found


def tree(value: Any, field: str) -> Any:
    """The fields of something applied, as the API server keeps account of them."""
    if isinstance(value, dict) and field not in ("selector", "nodeSelector"):
        return {f"f:{key}": tree(item, key) for key, item in value.items()}
    if field in ("containers", "env") and value:
        return {f'k:{{"name":"{item["name"]}"}}': {".": {}, **tree(item, "")} for item in value}
    return {}


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [item for item in objects if item["kind"] == kind]
    return found


def by_hand(kind: str, name: str, labels: dict[str, str], container: str = "web", **spec: Any) -> dict[str, Any]:
    """A workload that somebody else made."""
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": container, "image": "shop/web:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }
