# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that could be a policy vanishes because of its shape."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.kinds import KINDS
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.misfits import misfit
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.words import ANY, meant
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    judge,
    mesh_config,
    peer,
    pod,
    workload,
)

STRICT = peer("demo/strict", "STRICT")
VERSION = "security.istio.io/v1"


def policy(kind: Any = "PeerAuthentication", version: Any = VERSION, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "p", "namespace": "demo", **metadata}, "spec": {}}


@pytest.mark.parametrize(
    ("title", "manifest", "kind", "namespace"),
    [
        ("no mapping", "PeerAuthentication", ANY, None),
        ("nothing", None, ANY, None),
        ("no kind", policy(None), ANY, "demo"),
        ("a kind that is no text", policy(3), ANY, "demo"),
        ("no apiVersion", policy(version=None), "PeerAuthentication", "demo"),
        ("a slip in the kind", policy("PeerAuthentcation"), "PeerAuthentication", "demo"),
        ("another case", policy("peerauthentication"), "PeerAuthentication", "demo"),
        ("the plural", policy("PeerAuthentications"), "PeerAuthentication", "demo"),
        ("a slip in the group", policy(version="security.istio.oi/v1"), "PeerAuthentication", "demo"),
        ("no group", policy(version="v1"), "PeerAuthentication", "demo"),
        ("another group of Istio's", policy(version="networking.istio.io/v1"), "PeerAuthentication", "demo"),
        ("a version that nobody knows", policy(version="security.istio.io/v2"), "PeerAuthentication", "demo"),
        ("an empty group", policy("Pod", "/v1"), "Pod", "demo"),
        ("the plural of a short word", policy("Pods", "v1"), "Pod", "demo"),
        ("a short word in another case", policy("pod", "v1"), "Pod", "demo"),
        ("a letter too few in a short word", policy("Srvice", "v1"), "Service", "demo"),
        ("letters in each other's place", policy("Sidecra", "networking.istio.io/v1"), "Sidecar", "demo"),
        ("words with blanks and hyphens", policy("peer-authentication "), "PeerAuthentication", "demo"),
        ("the group without its end", policy("Deployment", "app/v1"), "Deployment", "demo"),
        ("a group of its own for the core", policy("Pod", "core/v1"), "Pod", "demo"),
        ("a part of the group missing", policy(version="security.io/v1"), "PeerAuthentication", "demo"),
        ("the organisation's name alone", policy(version="istio.io/v1"), "PeerAuthentication", "demo"),
        ("Kubernetes' kind in a group of Istio's", policy("Service", "networking.istio.io/v1"), "Service", "demo"),
        ("a group that Kubernetes had once", policy("Deployment", "extensions/v1beta1"), "Deployment", "demo"),
        ("another group of Kubernetes'", policy("Namespace", "apps/v1"), "Namespace", None),
        ("a group without a version", policy("Sidecar", "networking.istio.io"), "Sidecar", "demo"),
        ("a kind that nobody knows of Istio", policy("PeerAuth"), ANY, "demo"),
        ("no name", policy(name=""), "PeerAuthentication", "demo"),
        ("a namespace that is no text", policy(namespace=["demo"]), "PeerAuthentication", None),
        ("metadata that is no mapping", {**policy(), "metadata": "demo/p"}, "PeerAuthentication", None),
        ("a List without items", {"apiVersion": "v1", "kind": "List", "items": {}}, ANY, None),
        ("a list of a kind without items", {"apiVersion": VERSION, "kind": "PeerAuthenticationList"},
         "PeerAuthentication", None),
        ("a list in small letters", {"apiVersion": "v1", "kind": "list", "items": []}, ANY, None),
        ("a list of a kind in small letters", {"apiVersion": "v1", "kind": "podlist", "items": []}, "Pod", None),
        ("a list with a letter too few", {"apiVersion": "v1", "kind": "Lst", "items": []}, ANY, None),
        ("a List without an apiVersion", {"kind": "List", "items": {}}, ANY, None),
    ],
)  # fmt: skip
def test_what_it_could_be_is_unread_where_it_could_belong(title, manifest, kind, namespace):
    found = misfit(manifest)
    assert found is not None, title
    assert (found.kind, found.namespace) == (kind, namespace), title


@pytest.mark.parametrize(
    "manifest",
    [
        policy(),
        policy(version="security.istio.io/v1beta1"),
        policy("Service", "serving.knative.dev/v1"),
        policy("Gateway", "gateway.networking.k8s.io/v1"),
        policy("RequestAuthentication"),
        policy("WorkloadGroup", "networking.istio.io/v1"),
        policy("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
        policy("Endpoints", "v1"),
        policy("Secret", "v1"),
        policy("StatefulSet", "apps/v1"),
        policy("Deployment", "apps/v1"),
        policy("x" * 1_000_000, "v1"),
        policy("SecretList", "v1"),
        policy("VirtualService", "networking.istio.io/v1"),
        policy("WorkloadGroups", "networking.istio.io/v1"),
        policy("AuthorizationPolicy", "policy.linkerd.io/v1alpha1"),
        policy("EndpointSlice", "slices.example.com/v1"),
        policy("Telemetry", "telemetry.istio.io/v1"),
        policy("Config", "v1"),
        policy("List", "todo.example.com/v1"),
        policy("PodList", "podcasts.example.com/v1"),
    ],
    ids=lambda manifest: f"{manifest['kind'][:40]} of {manifest['apiVersion']}",
)
def test_what_is_well_formed_or_never_read_is_no_misfit(manifest):
    assert misfit(manifest) is None


@pytest.mark.parametrize("place", ["demo", None], ids=["in its namespace", "anywhere"])
def test_a_misfit_makes_unknown_what_it_could_have_decided(place):
    odd = policy("PeerAuthentcation", namespace=place if place else 7)
    result = judge(mesh_config(), pod("demo/a"), pod("shop/b"), STRICT, peer("shop/strict", "STRICT"), odd)
    assert workload(result, "demo/a")["mode"] == "unknown"
    assert workload(result, "shop/b")["mode"] == ("STRICT" if place else "unknown")


def test_a_validating_webhook_is_no_slip_of_a_mutating_one():
    """The most alike pair of kinds that Kubernetes itself has; a mesh has both, and one must not hide the other."""
    mutating, validating = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
    assert difflib.SequenceMatcher(None, validating.lower(), mutating.lower()).ratio() == pytest.approx(0.862, abs=1e-3)
    assert meant(validating) == validating
    assert meant("MutatingWebhookConfigurations") == meant("MutatingWebhokConfiguration") == mutating


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_every_slip_of_one_letter_is_seen(kind):
    slips = {kind[:place] + kind[place + 1 :] for place in range(1, len(kind))}
    slips |= {kind[:place] + "x" + kind[place:] for place in range(len(kind) + 1)}
    slips |= {kind[:place] + "x" + kind[place + 1 :] for place in range(len(kind))}
    slips |= {kind[:place] + kind[place + 1] + kind[place] + kind[place + 2 :] for place in range(len(kind) - 1)}
    assert {meant(slip) for slip in slips} == {kind}


@pytest.mark.parametrize("wrap", [lambda item: {"apiVersion": "v1", "kind": "List", "items": [item]},
                                  lambda item: {"apiVersion": VERSION, "kind": "PeerAuthenticationList", "items": [
                                      {key: item[key] for key in ("metadata", "spec")}]}],
                         ids=["a List", "a list of its kind"])  # fmt: skip
def test_lists_count_as_their_items(wrap):
    assert workload(judge(mesh_config(), pod("demo/a"), wrap(STRICT)), "demo/a")["mode"] == "STRICT"


@pytest.mark.parametrize("depth", [5, 5000], ids=["a few", "more than Python's stack"])
def test_a_list_in_too_many_others_is_unread(depth):
    item = peer("demo/open", "PERMISSIVE")
    for _each in range(depth):
        item = {"apiVersion": "v1", "kind": "List", "items": [item]}
    assert workload(judge(mesh_config(), pod("demo/a"), STRICT, [item]), "demo/a")["mode"] == "unknown"


def test_a_list_that_holds_itself_ends():
    endless: dict[str, Any] = {"apiVersion": "v1", "kind": "List"}
    endless["items"] = [endless]
    assert workload(judge(mesh_config(), pod("demo/a"), STRICT, [endless]), "demo/a")["mode"] == "unknown"


def test_a_pod_of_an_odd_version_ends_nothing():
    odd = {**pod("demo/b"), "apiVersion": "/v1"}
    result = judge(mesh_config(), pod("shop/a"), STRICT, odd)
    assert workload(result, "shop/a")["mode"] == "PERMISSIVE"
    assert [item["kind"] for item in result["unknown"]] == ["Pod"]
