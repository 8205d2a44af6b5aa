# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The aggregated discovery: which kinds there are, and of which groups that is not known."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import discovered, resource

CORE = discovered(("", {"v1": [resource("pods", "Pod"), resource("namespaces", "Namespace", namespaced=False)]}))
APPS = ("apps", {"v1": [resource("deployments", "Deployment")]})
CARTS = ("shop.test", {"v2": [resource("carts", "Cart")], "v1": [resource("carts", "Cart"), resource("bags", "Bag")]})


def served(server, cluster, *groups):
    server.answer("GET /api", CORE)
    server.answer("GET /apis", discovered(*groups))
    return api.served(cluster)


def test_two_requests_say_it_all(server, cluster):
    served(server, cluster, APPS)
    assert [path for path, _query in server.asked()] == ["/api", "/apis"]
    assert "APIGroupDiscoveryList" in server.requests[0][4]["Accept"]


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", "/api/v1/pods"),
        ("v1", "Namespace", "/api/v1/namespaces"),
        ("apps/v1", "Deployment", "/apis/apps/v1/deployments"),
        ("shop.test/v1", "Cart", "/apis/shop.test/v1/carts"),
        ("shop.test/v2", "Cart", "/apis/shop.test/v2/carts"),
        ("shop.test/v1", "Bag", "/apis/shop.test/v1/bags"),
        ("shop.test/v2", "Bag", None),
        ("apps/v1", "Pod", None),
    ],
)
def test_a_kind_is_found_by_what_manifests_say(server, cluster, api_version, kind, path):
    found = served(server, cluster, APPS, CARTS).find(api_version, kind)
    assert (found and found.path()) == path


def test_each_kind_is_listed_once_in_the_version_that_its_group_prefers(server, cluster):
    found = served(server, cluster, CARTS)
    assert [kind.path() for kind in found.listed] == [
        "/api/v1/pods",
        "/api/v1/namespaces",
        "/apis/shop.test/v2/carts",
        "/apis/shop.test/v1/bags",
    ]


def test_scope(server, cluster):
    found = served(server, cluster)
    assert [kind.namespaced for kind in found.listed] == [True, False]


def test_what_cannot_be_listed_is_known_and_not_listed(server, cluster):
    found = served(server, cluster, ("authorization.k8s.io", {"v1": [resource("reviews", "Review", verbs=["create"])]}))
    assert found.find("authorization.k8s.io/v1", "Review")
    assert "Review" not in [kind.kind for kind in found.listed]


SOUND = resource("carts", "Cart")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param({"version": "v1", "freshness": "Stale", "resources": []}, id="does not answer"),
        pytest.param({"version": "v1", "resources": [{**SOUND, "responseKind": None}]}, id="without a kind"),
        pytest.param({"version": "v1", "resources": [SOUND, "carts"]}, id="no resource"),
        pytest.param({"version": "v1", "resources": [{**SOUND, "resource": 1}]}, id="without a name"),
    ],
)
def test_a_group_of_which_not_all_is_known_is_silent(server, cluster, version):
    server.answer("GET /api", CORE)
    server.answer("GET /apis", {**CORE, "items": [{"metadata": {"name": "shop.test"}, "versions": [version]}]})
    assert api.served(cluster).silent == ["shop.test/v1"]


def test_a_whole_discovery_has_no_silent_group(server, cluster):
    assert served(server, cluster, APPS, CARTS).silent == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="an empty object"),
        pytest.param([], id="no object"),
        pytest.param({**CORE, "kind": "APIGroupList"}, id="the discovery of old"),
        pytest.param({**CORE, "apiVersion": "apidiscovery.k8s.io/v3"}, id="of an unknown version"),
        pytest.param({**CORE, "items": None}, id="without groups"),
        pytest.param({**CORE, "items": ["apps"]}, id="something that is no group"),
        pytest.param("<html>", id="a page"),
        pytest.param((403, {"kind": "Status", "message": "no"}), id="forbidden"),
    ],
)
def test_what_is_no_discovery_is_an_error(server, cluster, answer):
    server.answer("GET /api", CORE)
    server.answer("GET /apis", answer)
    with pytest.raises(api.ClusterError, match=r"Remedy: |no \(GET"):
        api.served(cluster)
