# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of one template are read once up to their mounts; what differs must differ all the same."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import protobuf
from ansible_collections.meshproof.mtls.plugins.module_utils._source.stored_pods import POD
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder

LONG = "proxy-of-a-mesh-with-a-name-that-is-long-enough-to-be-remembered"


def container(**more):
    return {
        "name": "istio-proxy",
        "image": f"registry.example/{LONG}:1.31.1",
        "args": ["proxy", "sidecar"],
        "env": [{"name": "ISTIO_META_A", "value": "a"}],
        "volumeMounts": ["kube-api-access-11111"],
        **more,
    }


def read(*containers):
    """The containers of pods that follow one another."""
    items = [{"metadata": {"name": f"p{place}"}, "spec": {"containers": [one]}} for place, one in enumerate(containers)]
    return [pod["spec"]["containers"][0] for pod in protobuf.listed(protobuf_encoder.pods(items), POD)["items"]]


def expected(one):
    return {key: value for key, value in one.items() if key != "volumeMounts"}


ROWS = [
    ("the same", [container(), container()]),
    ("another mount", [container(), container(volumeMounts=["kube-api-access-22222", "tmp"])]),
    ("no mounts", [container(), container(volumeMounts=[])]),
    ("a native sidecar after a plain one", [container(), container(restartPolicy="Always"), container()]),
    ("a plain one after a native sidecar", [container(restartPolicy="Always"), container()]),
    ("another variable", [container(), container(env=[{"name": "ISTIO_META_A", "value": "b"}]), container()]),
    ("more variables", [container(env=[]), container()]),
    ("another argument", [container(), container(args=["proxy", "router"])]),
    ("many templates in turn", [container(args=[str(number % 7)]) for number in range(30)]),
    ("a very long list of mounts", [container(volumeMounts=["m" * 200] * 9), container(volumeMounts=["n" * 200] * 9)]),
]


@pytest.mark.parametrize(("what", "containers"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_remembered_changes_no_answer(what, containers):
    found = [{key: value for key, value in one.items() if value != []} for one in read(*containers)]
    assert found == [{key: value for key, value in expected(one).items() if value != []} for one in containers]
