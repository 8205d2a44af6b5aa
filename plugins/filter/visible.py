# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: visible
short_description: Show what would act in a text from a cluster
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Messages, names and annotations in a cluster are whatever somebody wanted them to be. Line feeds in them forge lines
    of a log, and control characters and changes of direction hide what stands there.
  - This makes such a text fit for a log. Line feeds and tabs become blanks, everything else that would act becomes
    C(\u001b), and a long text is cut.
options:
  _input:
    description: The text.
    type: str
    required: true
  longest:
    description: How many characters are shown.
    type: int
    default: 1000
"""

EXAMPLES = r"""
- name: Say why a pod does not start
  ansible.builtin.fail:
    msg: "The pod {{ pod.metadata.name }} does not start: {{ event.message | meshproof.mtls.visible }}"

- name: Show lines that a template made, some of them of names in the cluster
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.template', 'lines.j2').splitlines() | map('meshproof.mtls.visible') | list }}"
"""

RETURN = r"""
_value:
  description: The text, in one line.
  type: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.visible import visible


def visible_filter(value, longest=1000):
    """The text in one line."""
    return visible(value, longest)


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"visible": visible_filter}
