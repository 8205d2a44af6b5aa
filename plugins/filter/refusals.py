# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: refusals
short_description: Say in sentences what an API server did not take
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - M(kubernetes.core.k8s) hands over an API server's refusal as JSON amid other things. This is its sentence, with the
    object that it is about, and what to do.
options:
  _input:
    description: What the task registered, with C(continue_on_error) at best, and C(failed_when=false).
    type: dict
    required: true
  definitions:
    description: The manifests that the task was given.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Make sure that the cluster took them
  ansible.builtin.assert:
    that: applied | meshproof.mtls.refusals(definitions=objects) | length == 0
    fail_msg: "{{ applied | meshproof.mtls.refusals(definitions=objects) | join('\n') }}"
"""

RETURN = r"""
_value:
  description: A sentence for each object that was not taken.
  type: list
  elements: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.refusals import refusals


def refusals_filter(returned, definitions):
    """The sentences, from plain values."""
    return refusals(plain(returned), plain(definitions))


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"refusals": refusals_filter}
