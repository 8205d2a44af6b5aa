# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: exclusion_problems
short_description: Say which exceptions have a last day that is none
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes exceptions as the option O(meshproof.mtls.judge#filter:exclude) of P(meshproof.mtls.judge#filter) has them and
    gives a sentence for each whose C(until) cannot be understood, so that they are known before a mesh is read.
options:
  _input:
    description: Entries with C(namespace), C(reason), and where they have them C(workload), C(port) and C(until).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse an exception that would never end
  ansible.builtin.assert:
    that: exceptions | meshproof.mtls.exclusion_problems == []
    fail_msg: "{{ exceptions | meshproof.mtls.exclusion_problems | join(' ') }}"
"""

RETURN = r"""
_value:
  description: The sentences; empty when every date is one.
  type: list
  elements: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import problems


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"exclusion_problems": problems}
