# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, as far as a wanted manifest speaks of it."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services.comparison import paths, seen
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import applied


def deployment(**spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "demo", "labels": {"app": "cart"}},
        "spec": spec,
    }


def with_container(**fields):
    return deployment(template={"spec": {"containers": [{"name": "app", **fields}]}})


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        pytest.param(
            deployment(replicas=1, revisionHistoryLimit=10), deployment(replicas=1), id="a default of the server"
        ),
        pytest.param(
            {**deployment(), "status": {"replicas": 1}, "metadata": {**deployment()["metadata"], "uid": "1"}},
            deployment(),
            id="what the server keeps",
        ),
        pytest.param(
            with_container(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
            with_container(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
            id="quantities in another unit",
        ),
        pytest.param(
            with_container(resources={"limits": {"cpu": "500m"}}),
            with_container(resources={"limits": {"cpu": 0.5}}),
            id="a quantity as a number",
        ),
        pytest.param(with_container(), with_container(env=[], args=[], resources={}), id="empty is left out"),
        pytest.param(
            with_container(ports=[{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 2, "protocol": "TCP"}]),
            with_container(ports=[{"containerPort": 2}]),
            id="somebody else's port, and a default in a key",
        ),
        pytest.param(
            with_container(env=[{"name": "B"}, {"name": "A", "value": "1"}]),
            with_container(env=[{"name": "A", "value": "1"}]),
            id="somebody else's variable",
        ),
    ],
)
def test_as_wanted(there, wanted):
    assert seen(there, wanted) == wanted


@pytest.mark.parametrize(
    ("there", "wanted", "changed"),
    [
        pytest.param(deployment(replicas=1), deployment(replicas=2), ["spec.replicas"], id="a number"),
        pytest.param(deployment(), deployment(replicas=2), ["spec.replicas"], id="a field that is not there"),
        pytest.param(
            with_container(image="a:1"),
            with_container(image="a:2"),
            ["spec.template.spec.containers.app.image"],
            id="in a container",
        ),
        pytest.param(
            with_container(args=["a", "b"]),
            with_container(args=["b", "a"]),
            ["spec.template.spec.containers.app.args"],
            id="the order of arguments",
        ),
        pytest.param(
            with_container(args=["a", "b"]), with_container(args=["a"]), ["spec.template.spec.containers.app.args"],
            id="an argument more",
        ),
        pytest.param(
            with_container(resources={"limits": {"cpu": "1"}}),
            with_container(resources={"limits": {"cpu": "1m"}}),
            ["spec.template.spec.containers.app.resources.limits.cpu"],
            id="a quantity",
        ),
        pytest.param(
            deployment(template={"spec": {"containers": [{"name": "web"}]}}),
            with_container(),
            ["spec.template.spec.containers.app"],
            id="a container that is not there",
        ),
        pytest.param(
            deployment(selector={"app": "a", "tier": "b"}), deployment(selector={"app": "a"}), ["spec.selector.tier"],
            id="a selector with one label more means other pods",
        ),
        pytest.param(with_container(), with_container(readOnly=False), ["spec.template.spec.containers.app.readOnly"],
                     id="false where nobody said it"),
    ],
)  # fmt: skip
def test_what_differs(there, wanted, changed):
    assert list(paths(seen(there, wanted), wanted)) == changed


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        pytest.param(
            with_container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
            with_container(env=[{"name": "A", "value": "1"}]),
            ["spec.template.spec.containers.app.env.B"],
            id="a variable",
        ),
        pytest.param(
            with_container(command=["run"], args=["a"]),
            with_container(args=["a"]),
            ["spec.template.spec.containers.app.command"],
            id="a command",
        ),
        pytest.param(deployment(replicas=3, paused=True), deployment(replicas=3), ["spec.paused"], id="a field"),
    ],
)
def test_what_an_entry_drops_is_seen_where_it_was_applied(before, after, changed):
    there = applied(before)
    assert list(paths(seen(there, after), after)) == changed
    del there["metadata"]["managedFields"]
    assert list(paths(seen(there, after), after)) == [], "somebody else's"


def test_what_was_dropped_and_is_gone_differs_no_more():
    there = applied(deployment(replicas=3, paused=True))
    del there["spec"]["paused"]
    assert seen(there, deployment(replicas=3)) == deployment(replicas=3)


def test_false_that_the_server_leaves_out_is_as_wanted_where_we_said_it():
    wanted = deployment(template={"spec": {"hostNetwork": False, "containers": []}})
    there = applied(wanted)
    del there["spec"]["template"]["spec"]["hostNetwork"]
    assert seen(there, wanted) == wanted


@pytest.mark.parametrize(
    "account", [None, [], [None], [{"fieldsV1": 3}], [{"fieldsV1": {"f:spec": 3, "k:{": {}}}]], ids=str
)
def test_an_account_that_cannot_be_read_tells_nothing(account):
    there = deployment(replicas=1)
    there["metadata"]["managedFields"] = account
    assert seen(there, deployment(replicas=1)) == deployment(replicas=1)
