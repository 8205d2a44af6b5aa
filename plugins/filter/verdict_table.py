# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: verdict_table
short_description: Write a judgement as an aligned text table
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes what P(meshproof.mtls.judge#filter) returned and gives lines of text, worst first.
  - Ansible's default callback prints a list well as JSON, and the lines joined to one text well as YAML.
options:
  _input:
    description: The result of P(meshproof.mtls.judge#filter).
    type: dict
    required: true
  max_rows:
    description: The most rows of each table.
    type: int
    default: 20
  today:
    description: The day of today, as C(YYYY-MM-DD) in UTC, to say how old a snapshot is that was judged.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show what is declared in this mesh
  ansible.builtin.debug:
    msg: "{{ status | meshproof.mtls.judge | meshproof.mtls.verdict_table(max_rows=10) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"verdict_table": verdict_table}
