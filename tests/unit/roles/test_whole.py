# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role can be found, run by name, and taken back."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.roles.test_argument_specs import each_role, load, options
from ansible_collections.meshproof.mtls.tests.unit.roles.test_foreign_text import tasks

INCLUDE = "ansible.builtin.include_role"


def included(playbook):
    """{role: the variables that it gets} of a playbook's tasks."""
    return {
        task[INCLUDE]["name"]: task.get("vars", {})
        for play in load(playbook)
        for task in tasks(play["tasks"])
        if INCLUDE in task
    }


@each_role
def test_a_role_is_in_the_readme(role):
    row = f"| [{role.name}](roles/{role.name}/README.md) |"
    assert row in (role.parents[1] / "README.md").read_text(), "Remedy: give it a row of README.md's table of roles"


@each_role
def test_a_role_is_run_by_a_playbook(role):
    run = {name for path in (role.parents[1] / "playbooks").glob("*.yml") for name in included(path)}
    assert f"meshproof.mtls.{role.name}" in run, "Remedy: include it in a playbook"


@each_role
def test_what_a_role_makes_is_taken_back_by_uninstall(role):
    if role.name == "istio_verify":
        pytest.skip("it makes nothing but reports, which outlive the mesh")
    state = f"{role.name}_state"
    assert state in options(role), f"Remedy: give it the option {state}, by which what it made is removed by its labels"
    taken_back = included(role.parents[1] / "playbooks" / "uninstall.yml").get(f"meshproof.mtls.{role.name}")
    assert taken_back == {state: "absent"}, "Remedy: include it in playbooks/uninstall.yml"
