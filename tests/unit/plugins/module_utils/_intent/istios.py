# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short names for what installations of Istio leave in a cluster."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import namespace

Manifest = dict[str, Any]
MARK = {"meshproof.mtls/role": "istio_install"}
OURS = {"app.kubernetes.io/managed-by": "meshproof.mtls", **MARK}
BY_HELM = {"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system"}
ADMISSION = "admissionregistration.k8s.io/v1"


def suffixed(name: str, revision: str) -> str:
    return name if revision == "default" else f"{name}-{revision}"


def thing(kind: str, name: str, home: str | None = None, version: str = "v1", **metadata: Any) -> Manifest:
    """Any object, with nothing but its metadata."""
    place = {"namespace": home} if home else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place, **metadata}}


def istiod(
    revision: str = "default",
    home: str = "istio-system",
    wanted: int | None = 1,
    ready: int | None = 1,
    labels: Manifest | None = None,
    annotations: Manifest | None = None,
    image: str = "docker.io/istio/pilot:1.31.1",
) -> Manifest:
    """istiod's Deployment."""
    container = {"name": "discovery", "image": image}
    return {
        **thing(
            "Deployment",
            suffixed("istiod", revision),
            home,
            "apps/v1",
            labels={"app": "istiod", "istio.io/rev": revision, **(MARK if labels is None else labels)},
            annotations=annotations or {},
        ),
        "spec": {
            **({} if wanted is None else {"replicas": wanted}),
            "template": {"metadata": {"labels": {"app": "istiod"}}, "spec": {"containers": [container]}},
        },
        "status": {} if ready is None else {"readyReplicas": ready},
    }


def injector(
    revision: str = "default",
    home: str = "istio-system",
    tag: str | None = None,
    labels: Manifest | None = None,
    url: str | None = None,
) -> Manifest:
    """The injection webhook of a revision, or of a tag of it."""
    service = {"service": {"name": suffixed("istiod", revision), "namespace": home}}
    asked = [("istio.io/rev", tag or revision)]
    asked += [("istio-injection", "enabled")] if (tag or revision) == "default" else []
    return {
        **thing(
            "MutatingWebhookConfiguration",
            (f"istio-revision-tag-{tag}" if tag else suffixed("istio-sidecar-injector", revision))
            + ("" if home == "istio-system" else f"-{home}"),
            version=ADMISSION,
            labels={
                "istio.io/rev": revision,
                **({"istio.io/tag": tag} if tag else {}),
                **(MARK if labels is None else labels),
            },
        ),
        "webhooks": [
            {
                "name": f"{number}.sidecar-injector.istio.io",
                "clientConfig": {"url": url} if url else service,
                "namespaceSelector": {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]},
            }
            for number, (key, value) in enumerate(asked)
        ],
    }


def validator(revision: str = "default", home: str = "istio-system", labels: Manifest | None = None) -> Manifest:
    """The validating webhook of the base chart."""
    service = {"name": suffixed("istiod", revision), "namespace": home}
    return {
        **thing(
            "ValidatingWebhookConfiguration",
            "istiod-default-validator",
            version=ADMISSION,
            labels={"istio.io/rev": revision, **(MARK if labels is None else labels)},
        ),
        "webhooks": [{"name": "validation.istio.io", "clientConfig": {"service": service}}],
    }


def record(
    revision: str = "default",
    home: str = "istio-system",
    objects: list[Manifest] | None = None,
    labels: Manifest | None = None,
    **data: str,
) -> Manifest:
    """What the role writes about its installation."""
    said = {
        "phase": "installed",
        "method": "helm",
        "version": "1.31.1",
        "revision": "" if revision == "default" else revision,
        "components": "base istiod",
        "values": "{}\n",
        "fingerprint": "f00d",
        "objects": json.dumps(objects or []),
        **data,
    }
    name = suffixed("meshproof-istio-install", revision)
    return {
        **thing(
            "ConfigMap", name, home, labels=OURS if labels is None else labels, creationTimestamp="2026-03-01T00:00:00Z"
        ),
        "data": said,
    }


def release(name: str, status: str = "deployed", version: int = 1, home: str = "istio-system") -> Manifest:
    """The Secret of a Helm release's revision."""
    labels = {"owner": "helm", "name": name, "status": status, "version": str(version)}
    return thing("Secret", f"sh.helm.release.v1.{name}.v{version}", home, labels=labels)


def definition(**labels: str) -> Manifest:
    """One of Istio's definitions."""
    return thing(
        "CustomResourceDefinition",
        "peerauthentications.security.istio.io",
        version="apiextensions.k8s.io/v1",
        labels=labels or MARK,
    )


def installed(revision: str = "default", **more: Any) -> list[Manifest]:
    """A whole installation by this role, with Helm."""
    return [
        namespace("istio-system"),
        istiod(revision),
        injector(revision),
        record(revision, **more),
        release(suffixed("istiod", revision)),
    ]
