# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role sees before it plans: objects by kind, and all that lies in a namespace."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._source import objects
from ansible_collections.meshproof.mtls.plugins.module_utils._source.objects import Wanted
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import discovered, listed, resource

CORE = ("", {"v1": [resource("secrets", "Secret"), resource("events", "Event"), resource("nodes", "Node", False)]})
APPS = ("apps", {"v1": [resource("deployments", "Deployment")]})
METRICS = ("metrics.k8s.io", {"v1beta1": [resource("pods", "PodMetrics")]})
DEPLOYMENTS = Wanted("apps/v1", "Deployment", "shop")
PATH = "/apis/apps/v1/namespaces/shop/deployments"
REFUSED = (403, {"kind": "Status", "message": "deployments.apps is forbidden"})


@pytest.fixture
def answering(server):
    server.answer("GET /api", discovered(CORE))
    server.answer("GET /apis", discovered(APPS, METRICS))
    return server


def named(name, namespace="shop", **metadata):
    return {"metadata": {"name": name, "namespace": namespace, **metadata}}


def brief(name, uid=None, **metadata):
    return {"metadata": {"name": name, "namespace": "shop", "uid": uid or name, **metadata}}


def partial(*items):
    return listed("PartialObjectMetadata", *items, version="meta.k8s.io/v1")


def shown(found):
    return [(item["apiVersion"], item["kind"], item["metadata"]["name"]) for item in found.objects]


def test_a_list(answering, cluster):
    answering.answer(f"GET {PATH}", listed("Deployment", named("a", managedFields=[{}]), version="apps/v1"))
    found = objects.read(cluster, [DEPLOYMENTS._replace(labels="app=a", fields="spec.x=1")])
    assert found.objects == [{"kind": "Deployment", "apiVersion": "apps/v1", **named("a")}]
    assert answering.asked()[-1] == (PATH, {"limit": "500", "labelSelector": "app=a", "fieldSelector": "spec.x=1"})


def test_what_a_manager_applied_is_kept_on_request(answering, cluster):
    ours = {"manager": "us", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    others = [{"manager": "us", "operation": "Update"}, {"manager": "kubectl", "operation": "Apply"}]
    fields = [others[0], ours, None, others[1]]
    answering.answer(f"GET {PATH}", listed("Deployment", named("a", managedFields=fields), version="apps/v1"))
    [found] = objects.read(cluster, [DEPLOYMENTS], manager="us").objects
    assert found["metadata"]["managedFields"] == [ours]


def test_a_single_object(answering, cluster):
    whole = {"kind": "Deployment", "apiVersion": "apps/v1", **named("a")}
    answering.answer(f"GET {PATH}/a", whole)
    assert objects.read(cluster, [DEPLOYMENTS._replace(name="a")]).objects == [whole]


def test_what_is_not_there_is_left_out(answering, cluster):
    assert objects.read(cluster, [DEPLOYMENTS._replace(name="b")]) == objects.NOTHING


def test_a_kind_that_is_not_served_is_absent_and_no_gap(answering, cluster):
    found = objects.read(cluster, [Wanted("shop.test/v1", "Cart"), Wanted("shop.test/v1", "Cart", "shop")])
    assert found == objects.Objects([], ["Cart"], [])


def test_what_may_not_be_read_is_said_and_ends_nothing(answering, cluster):
    answering.answer(f"GET {PATH}", REFUSED)
    answering.answer("GET /api/v1/nodes", listed("Node", {"metadata": {"name": "n1"}}))
    found = objects.read(cluster, [DEPLOYMENTS, Wanted("v1", "Node")])
    assert shown(found) == [("v1", "Node", "n1")]
    assert found.unread == [{"kind": "Deployment", "namespace": "shop", "reason": "deployments.apps is forbidden"}]


def test_a_list_with_something_unusable_in_it_is_unread(answering, cluster):
    answering.answer(f"GET {PATH}", listed("Deployment", named("a"), {"metadata": {}}, version="apps/v1"))
    found = objects.read(cluster, [DEPLOYMENTS])
    assert found.objects == []
    assert [gap["reason"] for gap in found.unread] == ["an item of the list has no name"]


def test_credentials_that_are_not_accepted_end_it(answering, cluster):
    answering.answer(f"GET {PATH}", (401, {"kind": "Status"}))
    with pytest.raises(api.ClusterError, match="does not accept these credentials"):
        objects.read(cluster, [DEPLOYMENTS])


def test_a_cluster_that_does_not_tell_its_kinds_ends_it(server, cluster):
    with pytest.raises(api.ClusterError):
        objects.read(cluster, [DEPLOYMENTS])


def test_contents_are_of_every_kind_that_lies_in_a_namespace(answering, cluster):
    answering.answer("GET /api/v1/namespaces/shop/secrets", partial(brief("key")))
    answering.answer(f"GET {PATH}", partial(brief("a")))
    found = objects.contents(cluster, ["shop", "shop"])
    assert shown(found) == [("v1", "Secret", "key"), ("apps/v1", "Deployment", "a")]
    assert sorted(path for path, _query in answering.asked()[2:]) == ["/api/v1/namespaces/shop/secrets", PATH]


def test_of_contents_only_metadata_is_asked_for(answering, cluster):
    answering.answer("GET /api/v1/namespaces/shop/secrets", partial())
    answering.answer(f"GET {PATH}", partial())
    objects.contents(cluster, ["shop"])
    asked = {request[4]["Accept"] for request in answering.requests[2:]}
    assert asked == {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


def test_whole_objects_are_not_taken_for_their_metadata(answering, cluster):
    """An API server that does not know the form would send a Secret's data."""
    answering.answer("GET /api/v1/namespaces/shop/secrets", listed("Secret", named("key")))
    answering.answer(f"GET {PATH}", partial())
    found = objects.contents(cluster, ["shop"])
    assert (found.objects, [gap["kind"] for gap in found.unread]) == ([], ["Secret"])


def test_an_object_that_two_groups_serve_is_told_once(server, cluster):
    server.answer("GET /api", discovered())
    server.answer("GET /apis", discovered(APPS, ("extensions", {"v1": [resource("deployments", "Deployment")]})))
    server.answer(f"GET {PATH}", partial(brief("a", "u1")))
    server.answer("GET /apis/extensions/v1/namespaces/shop/deployments", partial(brief("a", "u1"), brief("b")))
    assert len(objects.contents(cluster, ["shop"]).objects) == 2


def test_what_kubectl_applied_is_left_out(answering, cluster):
    """It holds the whole object once more."""
    last = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}
    answering.answer("GET /api/v1/namespaces/shop/secrets", partial(brief("key", annotations=last)))
    answering.answer(f"GET {PATH}", partial())
    assert objects.contents(cluster, ["shop"]).objects[0]["metadata"]["annotations"] == {"a": "b"}


def test_contents_are_unread_where_a_group_is_silent(answering, cluster):
    stale = {"metadata": {"name": "shop.test"}, "versions": [{"version": "v1", "freshness": "Stale", "resources": []}]}
    answering.answer("GET /apis", {**discovered(), "items": [stale]})
    answering.answer("GET /api/v1/namespaces/shop/secrets", partial())
    assert [gap["kind"] for gap in objects.contents(cluster, ["shop"]).unread] == ["everything of shop.test/v1"]


def test_one_object_by_name_can_be_had_without_the_rest_of_it(answering, cluster):
    answering.answer(f"GET {PATH}", partial(brief("a")))
    assert shown(objects.read(cluster, [DEPLOYMENTS._replace(name="a", only_metadata=True)])) == [
        ("apps/v1", "Deployment", "a")
    ]
    assert answering.asked()[-1][1]["fieldSelector"] == "metadata.name=a"


def test_a_list_of_metadata_without_items_says_null(answering, cluster):
    answering.answer("GET /api/v1/namespaces/shop/secrets", {**partial(), "items": None})
    answering.answer(f"GET {PATH}", {**listed("Deployment", version="apps/v1"), "items": None})
    found = objects.contents(cluster, ["shop"])
    assert (found.objects, [gap["kind"] for gap in found.unread]) == ([], ["Deployment"])
    assert objects.read(cluster, [DEPLOYMENTS]).unread[0]["reason"] == "the answer is a DeploymentList without items"
