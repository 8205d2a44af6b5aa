# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of revision tags: what Istio's own engine, and our reading of webhooks, take for a tag."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import (
    control_planes,
    labels_answered,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.tags import tag_objects
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.istios import injector, installed

CLIENT = {"service": {"name": "istiod-canary", "namespace": "istio-system", "path": "/inject"}, "caBundle": "Q0E="}
OWN: dict[str, Any] = {**injector("canary"), "webhooks": [{"name": "a", "clientConfig": CLIENT}]}


def test_a_tag_calls_the_istiod_of_its_revision_with_its_ca() -> None:
    hook, service = tag_objects(["prod"], "canary", "istio-system", OWN)
    assert {str(entry["clientConfig"]) for entry in hook["webhooks"]} == {str(CLIENT)}
    assert hook["metadata"]["name"] == "istio-revision-tag-prod"
    assert service["spec"]["selector"] == {"app": "istiod", "istio.io/rev": "canary"}


@pytest.mark.parametrize(
    ("tag", "labels"),
    [("prod", ["istio.io/rev=prod"]), ("default", ["istio-injection=enabled", "istio.io/rev=default"])],
)
def test_which_labels_a_tag_answers(tag: str, labels: list[str]) -> None:
    assert labels_answered(tag_objects([tag], "canary", "istio-system", OWN)[0]) == labels


def test_what_it_makes_is_read_as_a_tag_of_ours() -> None:
    made = tag_objects(["prod"], "canary", "istio-system", OWN)
    [plane] = control_planes([*installed("canary"), *made])["control_planes"]
    assert [(tag["name"], tag["owner"]) for tag in plane["tags"]] == [("prod", "istio_install")]


def test_outside_of_istio_system_its_name_says_where() -> None:
    assert tag_objects(["prod"], "canary", "mesh", OWN)[0]["metadata"]["name"] == "istio-revision-tag-prod-mesh"


@pytest.mark.parametrize("own", [{}, injector("canary"), {**OWN, "webhooks": None}])
def test_without_a_ca_there_is_no_tag(own: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no caBundle"):
        tag_objects(["prod"], "canary", "istio-system", own)
