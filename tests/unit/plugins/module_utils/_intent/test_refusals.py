# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server did not take, as kubernetes.core.k8s hands it over."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.refusals import refusals


def manifest(kind="Deployment", name="cart"):
    return {"kind": kind, "metadata": {"name": name, "namespace": "demo"}}


def error(message):
    status = json.dumps({"kind": "Status", "message": message, "code": 403})
    return {"changed": False, "result": {}, "error": {"msg": f"Failed to apply object: b'{status}'"}}


TAKEN = {"changed": True, "result": {"kind": "Deployment"}}


@pytest.mark.parametrize(
    ("returned", "number"),
    [
        pytest.param(TAKEN, 1, id="one object"),
        pytest.param({"changed": True, "result": {"results": [TAKEN, TAKEN]}}, 2, id="two"),
        pytest.param({"changed": False, "skipped": True}, 0, id="a task that was skipped"),
    ],
)
def test_what_was_taken_says_nothing(returned, number):
    assert refusals(returned, [manifest()] * number) == []


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('Internal error: failed calling webhook "validation.istio.io": no endpoints', "wait until istiod is ready"),
        ('deployments.apps is forbidden: User "x" cannot patch resource', "grant that right"),
        ("pods is forbidden: exceeded quota: small", "raise the quota"),
        ("spec.selector: Invalid value: field is immutable", "remove the object first"),
        ("spec.replicas: Invalid value: -1", "put right what the message names"),
    ],
)
def test_the_sentence_of_the_api_server_and_the_remedy(message, remedy):
    [sentence] = refusals(error(message), [manifest()])
    assert sentence.startswith(f"The cluster refused Deployment demo/cart: {message}. Remedy: ")
    assert remedy in sentence


def test_each_object_has_its_own_answer():
    returned = {"changed": True, "result": {"results": [TAKEN, error("no"), TAKEN]}}
    found = refusals(returned, [manifest(), manifest("Service"), manifest("Job")])
    assert found[0].startswith("The cluster refused Service demo/cart: no. ")
    assert found[1:] == ["The other 2 objects were taken"]


def test_many_are_cut():
    returned = {"changed": True, "result": {"results": [error("no")] * 8}}
    found = refusals(returned, [manifest()] * 8)
    assert len(found) == 6
    assert found[-1] == "And 3 more"


def test_what_failed_as_a_whole_speaks_for_all():
    [sentence] = refusals({"changed": False, "failed": False, "msg": "no\nanswer"}, [manifest()] * 3)
    assert sentence.startswith("The cluster refused 3 objects: no answer. Remedy: ")
