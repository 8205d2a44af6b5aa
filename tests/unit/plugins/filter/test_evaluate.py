# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter: the engine's answers, and clear errors instead of tracebacks."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.filter import evaluate as plugin
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import judge, peer, pod

evaluate = plugin.FilterModule().filters()["evaluate"]


def test_it_is_the_engine():
    assert evaluate([pod("shop/a"), peer("shop/n", "STRICT")]) == judge(pod("shop/a"), peer("shop/n", "STRICT"))


def test_it_takes_a_generator():
    assert evaluate(item for item in [pod("shop/a")]) == judge(pod("shop/a"))


def test_proposed_and_unread():
    result = evaluate(
        [pod("shop/a")],
        proposed=[{"op": "apply", "manifest": peer("shop/n", "STRICT")}],
        unread=[{"kind": "Sidecar", "namespace": "shop", "reason": "forbidden"}],
    )
    assert result["changes"][0]["after"]["mode"] == "STRICT"
    assert {row["kind"] for row in result["unknown"]} == {"ConfigMap", "Sidecar"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kind: Pod",), "its input must be a list of dictionaries, not str. Text has to be parsed first"),
        (({"kind": "Pod"},), "its input must be a list of dictionaries, not dict"),
        ((None,), "its input must be a list of dictionaries, not NoneType"),
        ((["kind: Pod"],), "its input must be a list of dictionaries, but item 0 is str"),
        (([], "x"), "proposed must be a list of dictionaries, not str"),
        (([], [{"op": "apply"}]), r"proposed\[0\].manifest must be a manifest with kind and metadata.name"),
        (([], [], 3), "unread must be a list of dictionaries, not int"),
    ],
)
def test_errors_name_the_place(arguments, message):
    with pytest.raises(AnsibleFilterError, match=f"meshproof.mtls.evaluate: {message}"):
        evaluate(*arguments)


def test_the_documentation_is_yaml():
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    assert set(documentation["options"]) == {"_input", "proposed", "unread"}
    assert [task["name"] for task in yaml.safe_load(plugin.EXAMPLES)]
    assert "_value" in yaml.safe_load(plugin.RETURN)
