"""A Deployment and a Service that somebody made by hand."""

from __future__ import annotations

from typing import Any

from tests.cluster_runs import values

Manifest = dict[str, Any]
NAMESPACE = "services-test"
IMAGE = str(values().get("istio_services_image", "docker.io/traefik/whoami:v1.11.0"))
ARGS = list(values().get("istio_services_args", ["--port", "8080"]))
LABELS = {"run": "by-hand"}


def by_hand() -> list[Manifest]:
    """Without any label of ours, and with a selector and a container of other names than ours would have."""
    meta = {"name": "by-hand", "namespace": NAMESPACE}
    container = {"name": "server", "image": IMAGE, "args": ARGS, "env": [{"name": "KEPT", "value": "yes"}]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"selector": {"matchLabels": LABELS}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": LABELS, "ports": [{"name": "web", "port": 80, "targetPort": 8080}]},
        },
    ]
