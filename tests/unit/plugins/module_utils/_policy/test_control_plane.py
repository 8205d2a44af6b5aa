# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control planes there are, and that nobody makes one in a namespace of his own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.control_plane import version_of
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port,
    service,
    workload,
)


def gap(kind: str, place: str | None = None) -> dict[str, Any]:
    """A kind that was not read."""
    return {"kind": kind, "namespace": place, "reason": "forbidden"}


STRICT = peer("control/default", "STRICT")
DEMO = [namespace("demo", istio_injection="enabled"), pod("demo/a"), service("demo/a")]


def webhook(revision: str, home: str | None = "control", tag: str | None = None, **config: Any) -> dict[str, Any]:
    """What Istio's chart installs for a revision, or `istioctl tag set` for a tag of it."""
    service = {"service": {"name": "istiod", "namespace": home}} if home else {}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": f"istio-{revision}-{tag}-{home}",
            "labels": {"istio.io/rev": revision, **({"istio.io/tag": tag} if tag else {})},
        },
        "webhooks": [{"name": "namespace.sidecar-injector.istio.io", "clientConfig": {**service, **config}}],
    }


def istiod(home: str, image: str = "registry/pilot:1.31.1", name: str = "istiod", **env: str) -> dict[str, Any]:
    """istiod's Deployment."""
    manifest = deployment(f"{home}/{name}")
    manifest["spec"]["template"]["spec"]["containers"] = [
        {"name": "discovery", "image": image, "env": [{"name": key, "value": value} for key, value in env.items()]}
    ]
    return manifest


def mode(*manifests: Any, unread: Any = ()) -> str | None:
    """The mode of demo/a."""
    return workload(judge(*DEMO, *manifests, unread=unread), "demo/a")["mode"]


OWN = [webhook("default"), mesh_config(home="control", rootNamespace="control"), istiod("control"), STRICT]
TENANT = [
    mesh_config(home="tenant", rootNamespace="tenant"),
    istiod("tenant", PILOT_SKIP_VALIDATE_TRUST_DOMAIN="true", PILOT_ENABLE_AMBIENT="true"),
    peer("tenant/default", "PERMISSIVE"),
]


def test_a_control_plane_is_where_its_webhook_says():
    assert mode(*OWN) == "STRICT"


@pytest.mark.parametrize("order", [1, -1], ids=["last", "first"])
def test_what_a_tenant_names_like_a_control_plane_changes_nothing(order):
    alone, beside = judge(*DEMO, *OWN), judge(*[*DEMO, *OWN, *TENANT][::order])
    assert workload(beside, "demo/a") == workload(alone, "demo/a")
    assert beside["mesh"] == alone["mesh"]


@pytest.mark.parametrize(
    ("title", "manifests", "expected"),
    [
        ("istio-system is believed without a webhook", [mesh_config(), peer("istio-system/p", "STRICT")], "STRICT"),
        ("and a tenant's beside it is not", [mesh_config(), peer("istio-system/p", "STRICT"), *TENANT], "STRICT"),
        ("no other namespace is", [mesh_config(home="control", rootNamespace="control"), STRICT], "unknown"),
        ("nor is it with istiod beside it", [mesh_config(home="tenant"), istiod("tenant")], "unknown"),
        ("two webhooks that disagree", [*OWN, webhook("default", "other")], "unknown"),
        (
            "a control plane outside the cluster",
            [webhook("default", None, url="https://x/inject"), *OWN[1:]],
            "unknown",
        ),
        ("a tag of two revisions", [*OWN, webhook("default", tag="prod"), webhook("x", tag="prod")], "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_configuration_counts(title, manifests, expected):
    assert mode(*manifests) == expected, title


@pytest.mark.parametrize(
    ("what", "more", "unread"),
    [
        ("webhooks", [], gap("MutatingWebhookConfiguration")),
        ("namespaces that discovery chooses by", [], gap("Namespace")),
    ],
    ids=["webhooks", "namespaces"],
)
def test_what_was_not_read_makes_unknown(what, more, unread):
    config = mesh_config(home="control", rootNamespace="control", discoverySelectors=[{"matchLabels": {"a": "b"}}])
    assert mode(OWN[0], config, *OWN[2:], *more, unread=[unread]) == "unknown", what


def test_an_answer_that_needs_istiods_environment_is_unknown_without_it():
    """Whether a sidecar sends HBONE to an ambient pod is a switch of istiod's."""
    parts = [*OWN, pod("demo/b", "ambient"), service("demo/b")]
    with_ambient = [*parts[:2], istiod("control", PILOT_ENABLE_AMBIENT="true"), *parts[3:]]
    assert answer(judge(*DEMO, *with_ambient), "demo/a", "demo/b") == "hbone -> mtls"
    assert answer(judge(*DEMO, *parts), "demo/a", "demo/b") == "plaintext -> broken"
    without = [item for item in parts if item["kind"] != "Deployment"]
    unread = [gap("Deployment", "control")]
    assert answer(judge(*DEMO, *without, unread=unread), "demo/a", "demo/b") == "unknown -> unknown"


def test_the_switches_of_one_revisions_istiod_are_not_anothers():
    default = istiod("control", PILOT_ENABLE_AMBIENT="true")
    canary = [webhook("canary"), mesh_config("canary", "control"), istiod("control", name="istiod-canary")]
    server = [namespace("shop", istio_injection="enabled"), pod("shop/b", "ambient"), service("shop/b")]
    parts = [*OWN[:2], default, *canary, *server, pod("demo/a"), pod("demo/c", revision="canary")]
    result = judge(*parts)
    assert answer(result, "demo/a", "shop/b") == "hbone -> mtls"
    assert answer(result, "demo/c", "shop/b") == "plaintext -> plaintext"


def test_revisions_show_where_their_control_plane_is():
    [shown] = judge(*DEMO, *OWN, webhook("default", tag="prod"))["mesh"]["revisions"]
    assert (shown["namespace"], shown["version"], shown["tags"]) == ("control", "1.31.1", ["prod"])


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry:5000/istio/pilot:1.31.1", "1.31.1"),
        ("registry:5000/istio/pilot", None),
        ("pilot:1.31.1-distroless@sha256:00", "1.31.1-distroless"),
        ("pilot@sha256:00", None),
        ("", None),
    ],
)
def test_an_images_version(image, version):
    assert version_of(image) == version


def test_a_gateway_that_was_not_read_may_serve_the_same_port_in_plaintext():
    own = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "demo"},
        "spec": {
            "selector": {"app": "gw"},
            "servers": [{"port": {"number": 8443, "protocol": "HTTPS", "name": "x"}, "tls": {"mode": "ISTIO_MUTUAL"}}],
        },
    }
    parts = [mesh_config(), pod("demo/gw", "gateway"), own]
    assert port(judge(*parts), "demo/gw", 8443)["plaintext"] == "refused"
    assert port(judge(*parts, unread=[gap("Gateway", "tenant")]), "demo/gw", 8443)["plaintext"] == "unknown"


def test_a_revision_that_no_webhook_names_is_nobodys():
    """What a pod says of its revision is its own; a policy for that revision would be, too."""
    own = peer("demo/default", "STRICT")
    own["metadata"]["labels"] = {"istio.io/rev": "ghost"}
    mesh = [webhook("default"), mesh_config(home="control"), peer("control/default", "PERMISSIVE"), own]
    said = pod("demo/a", annotations={"sidecar.istio.io/status": '{"revision": "ghost"}'})
    assert workload(judge(namespace("demo"), said, *mesh), "demo/a")["mode"] == "unknown"
    assert workload(judge(namespace("demo"), pod("demo/a"), *mesh), "demo/a")["mode"] == "PERMISSIVE"
