# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes when an Istio is removed, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import control_planes
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.removal import (
    CLUSTER_KINDS,
    CUSTOM_KINDS,
    Wish,
    questions,
    removal,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.istios import (
    ADMISSION,
    BY_HELM,
    MARK,
    OURS,
    definition,
    injector,
    installed,
    istiod,
    record,
    release,
    thing,
    validator,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import namespace, pod

Manifest = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"
OURS_TOO = namespace("istio-system", **{"meshproof.mtls/role": "istio_install"})


def bare(item: Manifest) -> Manifest:
    return {name: item[name] for name in ("apiVersion", "kind", "metadata")}


DEFAULT = Wish("default", "istio-system")


def planned(*cluster: Manifest, wish: Wish = DEFAULT, unread: Any = (), **changes: Any) -> dict[str, Any]:
    """The plan for a cluster with these objects."""
    observed = control_planes(cluster, [gap for gap in unread if gap["kind"] != "Widget"], wish.namespace)
    found = {
        "objects": [
            item if item["kind"] == "GatewayClass" else bare(item)
            for item in cluster
            if item["kind"] in (*CLUSTER_KINDS, *CUSTOM_KINDS, "GatewayClass")
            or (item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("istio-ca-"))
        ],
        "contents": [bare(item) for item in cluster if item["metadata"].get("namespace") == wish.namespace],
        "unread": [gap for gap in unread if gap["kind"] == "Widget"],
    }
    return removal(wish._replace(**changes), observed, found)


def names(items: list[Manifest]) -> list[str]:
    return [f"{item['kind']} {item['metadata']['name']}" for item in items]


def test_nothing_of_ours() -> None:
    plan = planned(namespace("istio-system"), istiod(labels={}, annotations=BY_HELM), injector(labels={}), purge=True)
    assert (plan["nothing"], plan["lines"], plan["problems"]) == (True, [], [])
    assert plan["left"] == [
        "revision default in istio-system: Helm release istiod in istio-system, installed by Helm, not by this role"
    ]


def test_what_goes_and_in_which_order() -> None:
    role = thing("ClusterRole", "istiod-clusterrole", version=RBAC, labels=MARK)
    plan = planned(*installed(), release("istio-base"), role, validator(), definition())
    assert plan["releases"] == ["istiod", "istio-base"]
    assert names(plan["going"]) == [
        "MutatingWebhookConfiguration istio-sidecar-injector",
        "ValidatingWebhookConfiguration istiod-default-validator",
        "Deployment istiod",
        "ClusterRole istiod-clusterrole",
        "Secret sh.helm.release.v1.istiod.v1",
        "Secret sh.helm.release.v1.istio-base.v1",
    ]
    assert (plan["record"], plan["purge"], plan["namespace"], plan["problems"]) == (True, [], False, [])


# What a record says, and what is only marked like ours.

WISHES_OF_A_RECORD = [
    thing("Namespace", "kube-system"),
    thing("Secret", "prod-db", "shop"),
    thing("Secret", "prod-db", "istio-system"),
    thing("PersistentVolumeClaim", "data", "istio-system"),
    thing("ClusterRoleBinding", "cluster-admins", version=RBAC),
    thing("AuthorizationPolicy", "deny-all", "shop", "security.istio.io/v1"),
    thing("ConfigMap", "settings", "istio-system"),
]


@pytest.mark.parametrize("home", ["istio-system", "shop"])
def test_a_record_makes_nothing_ours(home: str) -> None:
    """Neither somebody's in a namespace of his own, nor one in ours that names what has no mark."""
    forged = record(home=home, objects=WISHES_OF_A_RECORD)
    own = [item for item in installed() if home == "shop" or item["kind"] != "ConfigMap"]
    plan = planned(*own, namespace("shop"), forged, *WISHES_OF_A_RECORD)
    assert names(plan["going"]) == [
        "MutatingWebhookConfiguration istio-sidecar-injector",
        "Deployment istiod",
        "Secret sh.helm.release.v1.istiod.v1",
    ]
    assert not [line for line in plan["lines"] if "shop" in line or "kube-system" in line]


@pytest.mark.parametrize(
    "copied",
    [
        thing("Deployment", "api", "shop", "apps/v1", labels=OURS),
        thing("Secret", "key", "istio-system", labels=MARK),
        thing("PersistentVolumeClaim", "data", "istio-system", labels=MARK),
        thing("Node", "n1", labels=MARK),
        thing("AuthorizationPolicy", "deny", "istio-system", "security.istio.io/v1", labels=MARK),
    ],
    ids=["in another namespace", "a Secret", "a volume", "a kind of the cluster", "a policy"],
)
def test_a_copied_mark_makes_nothing_ours_that_we_do_not_make(copied: Manifest) -> None:
    assert names([copied])[0] not in names(planned(*installed(), copied)["going"])


def test_what_a_killed_run_left_goes_by_the_tools_mark() -> None:
    left = [
        thing("ServiceAccount", "istiod", "istio-system", annotations=BY_HELM),
        thing("ServiceAccount", "mine", "istio-system"),
        thing("ServiceAccount", "other", "istio-system", annotations={**BY_HELM, "meta.helm.sh/release-name": "app"}),
    ]
    plan = planned(namespace("istio-system"), record(phase="installing"), release("istiod", "pending-install"), *left)
    assert names(plan["going"]) == ["ServiceAccount istiod", "Secret sh.helm.release.v1.istiod.v1"]
    assert plan["releases"] == []


def test_what_the_record_names_and_is_not_marked_is_said_to_stay() -> None:
    mine = thing("ServiceAccount", "istiod", "istio-system")
    assert not [line for line in planned(*installed(), mine)["left"] if "ServiceAccount" in line]
    plan = planned(*installed(objects=[mine]), mine)
    assert "ServiceAccount istio-system/istiod: the record names it, and it has no mark of this role" in plan["left"]


def test_a_record_that_cannot_be_read_stops_it() -> None:
    broken = record()
    broken["data"]["objects"] = "{"
    [problem] = planned(namespace("istio-system"), broken)["problems"]
    assert "istio-system/meshproof-istio-install" in problem


# One of several revisions.

BOTH = [*installed(), *installed("canary"), release("istio-base"), validator()]
CANARY = Wish("canary", "istio-system")


def test_a_revision_leaves_what_others_share() -> None:
    notes = {**BY_HELM, "meta.helm.sh/release-name": "istio-base"}
    base = thing("ServiceAccount", "istio-reader", "istio-system", labels=MARK, annotations=notes)
    plan = planned(*BOTH, base, wish=CANARY)
    assert plan["releases"] == ["istiod-canary"]
    assert names(plan["going"]) == [
        "MutatingWebhookConfiguration istio-sidecar-injector-canary",
        "Deployment istiod-canary",
        "Secret sh.helm.release.v1.istiod-canary.v1",
    ]
    assert "component base: other revisions use it" in plan["left"]


def test_also_those_whose_record_is_not_there() -> None:
    parts = [item for item in BOTH if item["metadata"]["name"] != "meshproof-istio-install"]
    assert "Deployment istiod" not in names(planned(*parts, wish=CANARY)["going"])


@pytest.mark.parametrize(
    ("revision", "cluster", "service"),
    [
        ("default", BOTH, "istiod-canary"),
        ("canary", BOTH, None),
        ("default", [*installed(), validator()], None),
    ],
    ids=["it asked the one that goes", "it asks one that stays", "it goes as well"],
)
def test_the_validating_webhook_asks_an_istiod_that_is_there(
    revision: str, cluster: list[Manifest], service: str | None
) -> None:
    plan = planned(*cluster, wish=Wish(revision, "istio-system"))
    patch = plan["repoint"] and plan["repoint"]["webhooks"][0]["clientConfig"]["service"]["name"]
    assert (patch, plan["problems"]) == (service, [])


@pytest.mark.parametrize(
    "cluster",
    [
        [*installed(), istiod("canary", wanted=0), injector("canary"), record("canary"), validator()],
        [*installed(), validator(labels={})],
    ],
    ids=["the one that stays is scaled to 0", "somebody else's"],
)
def test_a_validating_webhook_that_nobody_would_answer_stops_it(cluster: list[Manifest]) -> None:
    [problem] = planned(*cluster)["problems"]
    assert "nobody could write" in problem


# Who still uses it.

USERS = [
    ([namespace("shop", rev="canary")], "namespace shop (istio.io/rev=canary)"),
    ([pod("shop/cart", revision="canary")], "pod shop/cart-5f5-1"),
    ([injector("canary", tag="prod", labels={})], "tag prod"),
    ([injector("canary", tag="prod"), namespace("shop", rev="prod")], "namespace shop (istio.io/rev=prod)"),
]
BY = ["a namespace", "a running pod", "somebody's tag", "a namespace by a tag of ours"]


@pytest.mark.parametrize(("users", "named"), USERS, ids=BY)
def test_a_revision_in_use_is_refused_with_its_users(users: list[Manifest], named: str) -> None:
    [problem] = planned(*BOTH, *users, wish=CANARY)["problems"]
    assert f"still used by {named}." in problem
    assert "istio_install_remove_used=true" in problem


@pytest.mark.parametrize("users", [users for users, dummy in USERS], ids=BY)
def test_unless_it_is_agreed_to(users: list[Manifest]) -> None:
    assert planned(*BOTH, *users, wish=CANARY, in_use=True)["problems"] == []


def test_a_tag_of_ours_goes_with_its_revision() -> None:
    plan = planned(*BOTH, injector("canary", tag="prod"), wish=CANARY)
    assert "MutatingWebhookConfiguration istio-revision-tag-prod" in names(plan["going"])


@pytest.mark.parametrize("kind", ["Pod", "Namespace"])
def test_users_that_could_not_be_read_stop_it(kind: str) -> None:
    gap = {"kind": kind, "namespace": None, "reason": "forbidden"}
    assert f"{kind} could not be read (forbidden)" in planned(*installed(), unread=[gap])["problems"][0]
    assert planned(*installed(), unread=[gap], in_use=True)["problems"] == []


# A purge.

PURGE = Wish("default", "istio-system", purge=True)
WHOLE = [OURS_TOO, *installed()[1:], definition()]


def in_namespace(kind: str, name: str = "mine", version: str = "v1", **metadata: Any) -> Manifest:
    return thing(kind, name, "istio-system", version, **metadata)


@pytest.mark.parametrize(
    "stranger",
    [
        in_namespace("ServiceAccount"),
        in_namespace("NetworkPolicy", version="networking.k8s.io/v1"),
        in_namespace("Role", version=RBAC),
        in_namespace("Ingress", version="networking.k8s.io/v1"),
        in_namespace("Widget", version="shop.test/v1"),
        in_namespace("Pod", ownerReferences=[{"kind": "Node", "uid": "n1"}]),
        in_namespace("Secret", "istio-ca-secret", creationTimestamp="2025-01-01T00:00:00Z"),
        in_namespace("ConfigMap", "istio-ca-root-cert"),
        in_namespace("AuthorizationPolicy", version="security.istio.io/v1"),
        thing("VirtualService", "mine", "shop", "networking.istio.io/v1"),
    ],
    ids=[
        "a ServiceAccount", "a NetworkPolicy", "a Role", "an Ingress", "a custom resource", "a pod of a node",
        "a CA that is older", "a ConfigMap named like istiod's", "a policy", "a VirtualService elsewhere",
    ],
)  # fmt: skip
def test_a_purge_that_would_take_objects_of_others_is_refused(stranger: Manifest) -> None:
    [problem] = planned(*WHOLE, stranger, wish=PURGE)["problems"]
    home, name = stranger["metadata"]["namespace"], stranger["metadata"]["name"]
    assert f"{stranger['kind']} {home}/{name}" in problem
    confirmed = planned(*WHOLE, stranger, wish=PURGE, confirmed=True)
    assert confirmed["problems"] == []
    assert f"{stranger['kind']} {home}/{name} (not ours, as confirmed)" in confirmed["lines"]


ISTIODS = [
    in_namespace("ConfigMap", "kube-root-ca.crt"),
    in_namespace("ServiceAccount", "default"),
    in_namespace("ConfigMap", "istio-ca-root-cert", labels={"istio.io/config": "true"}),
    in_namespace("Lease", "istio-gateway-status-leader-canary", "coordination.k8s.io/v1"),
    in_namespace("Secret", "istio-ca-secret", creationTimestamp="2026-03-01T00:00:09Z"),
    in_namespace("Service", "istiod", labels=MARK, uid="s1"),
    in_namespace("Endpoints", "istiod"),
    in_namespace("EndpointSlice", "istiod-x", ownerReferences=[{"kind": "Service", "uid": "s1"}]),
    in_namespace("PeerAuthentication", "default", "security.istio.io/v1", labels=OURS),
]


def test_what_the_cluster_and_istiod_made_there_is_nobody_elses() -> None:
    plan = planned(*WHOLE, *ISTIODS, wish=PURGE)
    assert (plan["problems"], plan["namespace"]) == ([], True)
    assert "Secret istio-system/istio-ca-secret, the CA's key" in plan["lines"]
    assert plan["lines"][-1] == "Namespace istio-system and all that is in it"


def test_a_ca_of_an_earlier_revision_of_ours_is_ours() -> None:
    """The definitions tell since when there has been something of ours, whichever revisions came and went."""
    born = definition()
    born["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    authority = in_namespace("Secret", "istio-ca-secret", creationTimestamp="2026-02-01T00:00:09Z")
    parts = [item for item in WHOLE if item["kind"] != "CustomResourceDefinition"]
    assert planned(*parts, born, authority, wish=PURGE)["problems"] == []


def test_a_namespace_that_is_not_ours_stays_with_all_but_what_istiod_wrote() -> None:
    mine = in_namespace("ServiceAccount")
    plan = planned(*installed(), definition(), *ISTIODS, mine, wish=PURGE)
    assert (plan["problems"], plan["namespace"]) == ([], False)
    assert names(plan["purge"]) == [
        "ConfigMap istio-ca-root-cert",
        "Lease istio-gateway-status-leader-canary",
        "Secret istio-ca-secret",
        "CustomResourceDefinition peerauthentications.security.istio.io",
    ]
    assert "Secret istio-system/istio-ca-secret" in plan["lines"]


def test_of_config_maps_elsewhere_only_those_that_istiod_wrote() -> None:
    maps = [
        thing("ConfigMap", "istio-ca-root-cert", "shop", labels={"istio.io/config": "true"}),
        thing("ConfigMap", "istio-ca-root-cert", "team"),
    ]
    plan = planned(*WHOLE, *maps, wish=PURGE)
    assert [item["metadata"].get("namespace") for item in plan["purge"]] == ["shop", None]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (installed("canary"), "revision canary"),
        ([istiod(home="mesh", labels={}), injector(home="mesh", labels={})], "revision default in mesh"),
        ([thing("Istio", "default", version="sailoperator.io/v1")], "Istio default of the Sail operator"),
    ],
    ids=["another revision of ours", "somebody else's", "the Sail operator's"],
)
def test_a_purge_beside_another_istio_is_refused(parts: list[Manifest], named: str) -> None:
    assert named in " ".join(planned(*WHOLE, *parts, wish=PURGE)["problems"])


def test_an_istiod_in_a_users_namespace_stops_no_purge() -> None:
    assert planned(*WHOLE, namespace("shop"), istiod(home="shop", labels={}), wish=PURGE)["problems"] == []


@pytest.mark.parametrize(
    ("gap", "parts"),
    [
        ({"kind": "Widget", "namespace": "istio-system", "reason": "forbidden"}, WHOLE),
        ({"kind": "Widget", "namespace": None, "reason": "silent"}, WHOLE),
    ],
    ids=["a kind in the namespace", "a kind anywhere"],
)
def test_a_purge_that_has_not_seen_all_is_refused(gap: Manifest, parts: list[Manifest]) -> None:
    [problem] = planned(*parts, wish=PURGE, unread=[gap])["problems"]
    assert "Widget" in problem
    assert planned(*parts, wish=PURGE, unread=[gap], confirmed=True)["problems"] == []


def test_a_definition_that_is_not_known_stops_a_purge() -> None:
    new = thing("CustomResourceDefinition", "novelties.istio.io", version="apiextensions.k8s.io/v1", labels=MARK)
    assert "novelties.istio.io" in planned(*WHOLE, new, wish=PURGE)["problems"][0]


def test_of_gateway_classes_only_istios() -> None:
    spec = {"controllerName": "istio.io/gateway-controller"}
    own = {**thing("GatewayClass", "istio", version="gateway.networking.k8s.io/v1"), "spec": spec}
    other = {**own, "metadata": {"name": "istio-remote"}, "spec": {"controllerName": "shop.test/x"}}
    assert "GatewayClass istio" in names(planned(*WHOLE, own, other, wish=PURGE)["purge"])
    assert "GatewayClass istio-remote" not in names(planned(*WHOLE, own, other, wish=PURGE)["purge"])


def test_what_is_asked_of_the_cluster_is_metadata() -> None:
    asked = questions()
    assert {item["kind"] for item in asked if not item.get("only_metadata")} == {"GatewayClass"}
    assert {*CLUSTER_KINDS, *CUSTOM_KINDS} < {item["kind"] for item in asked}


def test_names_of_others_are_made_visible() -> None:
    odd = in_namespace("Widget", "a\x1b[2Jb", "shop.test/v1")
    assert "\x1b" not in planned(*WHOLE, odd, wish=PURGE)["problems"][0]


def test_webhooks_of_another_version_of_their_api_are_left() -> None:
    old = thing("ValidatingWebhookConfiguration", "x", version=ADMISSION.replace("v1", "v2"), labels=MARK)
    assert "ValidatingWebhookConfiguration x" not in names(planned(*installed(), old)["going"])
