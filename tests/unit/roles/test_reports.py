# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each report that istio_verify can be asked for is written, and sent where the verdict is sent."""

from __future__ import annotations

from ansible_collections.meshproof.mtls.plugins.module_utils._report.documents import FORMATS
from ansible_collections.meshproof.mtls.tests.unit.roles.test_argument_specs import ROLES, load, options
from ansible_collections.meshproof.mtls.tests.unit.roles.test_foreign_text import rendered, trusted

[ROLE] = [role for role in ROLES if role.name == "istio_verify"]
VARS = load(ROLE / "vars" / "main.yml")
CHOICES = options(ROLE)["istio_verify_reports"]["choices"]


def test_every_report_that_can_be_chosen_has_a_file():
    assert [item["format"] for item in VARS["__istio_verify_formats"]] == CHOICES, (
        "Remedy: give each of istio_verify_reports a line of __istio_verify_formats in roles/istio_verify/vars/main.yml"
    )
    assert set(CHOICES) <= set(FORMATS)


def test_every_report_that_can_be_chosen_is_written():
    [options_given] = [
        task["meshproof.mtls.report"] for task in load(ROLE / "tasks" / "report.yml") if "meshproof.mtls.report" in task
    ]
    wanted = {name: f"{{{{ __istio_verify_dests.{name} | default(omit) }}}}" for name in CHOICES}
    assert {name: options_given.get(name) for name in CHOICES} == wanted, (
        "Remedy: add the option to roles/istio_verify/tasks/report.yml"
    )


def test_what_is_written_is_sent():
    names = ("formats", "written", "dests", "files")
    variables = {f"__istio_verify_{name}": VARS[f"__istio_verify_{name}"] for name in names}

    def marked(value):
        if isinstance(value, list):
            return [marked(item) for item in value]
        return {key: marked(item) for key, item in value.items()} if isinstance(value, dict) else trusted(value)

    given = {"__istio_verify_place": "/r", "__istio_verify_audit": "/r/a.gz", "__istio_verify_reports": CHOICES[-1:]}
    told = rendered(
        "{{ __istio_verify_dests }} {{ __istio_verify_files | map(attribute='path') | list }}",
        **{name: marked(value) for name, value in variables.items()},
        **given,
    )
    assert told == "{'junit': '/r/junit.xml'} ['/r/a.gz', '/r/junit.xml']"
