# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How it is read which Istios there are: where records are looked for, and what is never sent."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._source import control_plane
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import discovered, listed, resource

ADMISSION = "admissionregistration.k8s.io/v1"
HOOKS = f"/apis/{ADMISSION}/mutatingwebhookconfigurations"
REFUSED = (403, {"kind": "Status", "message": "forbidden"})


@pytest.fixture
def answering(server):
    core = [
        resource("configmaps", "ConfigMap"),
        resource("secrets", "Secret"),
        resource("namespaces", "Namespace", False),
    ]
    hooks = [
        resource("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False),
        resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False),
    ]
    apps = [resource("deployments", "Deployment"), resource("daemonsets", "DaemonSet")]
    server.answer("GET /api", discovered(("", {"v1": core})))
    server.answer("GET /apis", discovered(("admissionregistration.k8s.io", {"v1": hooks}), ("apps", {"v1": apps})))
    server.answer("GET /apis/apps/v1/deployments", listed("Deployment", version="apps/v1"))
    server.answer("GET /apis/apps/v1/daemonsets", listed("DaemonSet", version="apps/v1"))
    server.answer(f"GET {HOOKS}", listed("MutatingWebhookConfiguration", version=ADMISSION))
    path = f"GET /apis/{ADMISSION}/validatingwebhookconfigurations"
    server.answer(path, listed("ValidatingWebhookConfiguration", version=ADMISSION))
    server.answer("GET /api/v1/namespaces", listed("PartialObjectMetadata", version="meta.k8s.io/v1"))
    for home in ("istio-system", "control"):
        secrets = listed("PartialObjectMetadata", version="meta.k8s.io/v1")
        server.answer(f"GET /api/v1/namespaces/{home}/secrets", secrets)
    return server


def hook(home, **labels):
    client = {"service": {"namespace": home, "name": "istiod"}}
    return {"metadata": {"name": "injector", "labels": labels}, "webhooks": [{"clientConfig": client}]}


def read(cluster):
    return control_plane.read(cluster, "istio-system", api.served(cluster))


def asked_in(server, plural):
    return {path.split("/")[4] for path, _query in server.asked() if path.endswith(f"/{plural}")}


def test_records_are_looked_for_where_webhooks_say_and_in_the_named_namespace(answering, cluster):
    foreign = hook("shop")
    answering.answer(
        f"GET {HOOKS}",
        listed("MutatingWebhookConfiguration", hook("control", **{"istio.io/rev": "a"}), foreign, version=ADMISSION),
    )
    read(cluster)
    assert asked_in(answering, "configmaps") == asked_in(answering, "secrets") == {"control", "istio-system"}


def test_nothing_of_a_secret_is_sent_but_its_metadata(answering, cluster):
    read(cluster)
    asked = [request for request in answering.requests if "/secrets" in request[1]]
    assert [request[4]["Accept"] for request in asked] == [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    ]
    assert [query["labelSelector"] for path, query in answering.asked() if "/secrets" in path] == ["owner=helm"]


def test_what_may_not_be_read_is_said_and_ends_nothing(answering, cluster):
    answering.answer("GET /api/v1/namespaces/istio-system/secrets", REFUSED)
    answering.answer("GET /apis/apps/v1/daemonsets", REFUSED)
    found, unread = read(cluster)
    assert found == []
    assert [(gap["kind"], gap["namespace"]) for gap in unread] == [("DaemonSet", None), ("Secret", "istio-system")]


def test_a_cluster_without_the_sail_operator_has_no_gap(answering, cluster):
    assert read(cluster)[1] == []
