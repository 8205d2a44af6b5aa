# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server answers when all is well, for the server in conftest.py."""

from __future__ import annotations

CORE = {"namespaces": "Namespace", "pods": "Pod", "services": "Service", "configmaps": "ConfigMap"}


def listed(kind, *items, version="v1", token="", **metadata):
    """A page of a list, as JSON."""
    more = {"continue": token} if token else {}
    metadata = {"resourceVersion": "4711", **more, **metadata}
    return {"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": list(items)}


def group(name, *versions):
    """The discovery document of a group."""
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": found}


def served(version, *names):
    """The discovery document of one version of a group."""
    found = [{"name": name, "verbs": ["list"]} for name in names]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found}


def discovered(*groups):
    """The aggregated discovery of some groups: each a name and, for each version, its resources (``resource``)."""
    items = [
        {
            "metadata": {"name": name},
            "versions": [
                {"version": version, "resources": resources, "freshness": "Current"}
                for version, resources in versions.items()
            ],
        }
        for name, versions in groups
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def resource(plural, kind, namespaced=True, verbs=("get", "list")):
    """One resource of a version in the aggregated discovery."""
    scope = "Namespaced" if namespaced else "Cluster"
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": list(verbs)}


def otherwise(method, path):
    """What is there without being made for a test: a core kind that has no objects, else nothing."""
    parts = path.split("/")
    if method == "GET" and path.startswith("/api/v1/") and parts[-1] in CORE and len(parts) in (4, 6):
        return listed(CORE[parts[-1]])
    return 404, {"kind": "Status", "message": "not found"}
