# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the READMEs show of this role can be asked for."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import (
    ROLE,
    given,
    namespace,
    plan,
)

_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    {name: value for name, value in role["vars"].items() if name.startswith("istio_services_")}
    for text in _BLOCK.findall((ROLE / "README.md").read_text(encoding="utf-8"))
    for play in yaml.safe_load(text)
    for role in play["roles"]
    if role["role"].endswith(".istio_services") and "vars" in role
]


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["istio_services_list"][0]["name"]))
def test_an_example_is_planned(example):
    options = given(**{name[len("istio_services_") :]: value for name, value in example.items()})
    spaces = {item["name"] for item in plan(options)["reads"] if item["kind"] == "Namespace"}
    found = plan(options, {"objects": [namespace(name) for name in spaces], "absent_kinds": [], "unread": []})
    assert (found["problems"], found["unmet"], found["warnings"]) == ([], [], [])
    assert len(found["objects"]) >= 3 * len(example["istio_services_list"]) - 2
