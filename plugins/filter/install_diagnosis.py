# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: install_diagnosis
short_description: Say why a control plane does not serve
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Makes a sentence for each pod that is not ready, with its reason and its last warning.
options:
  _input:
    description: The pods and the events of the control plane's namespace.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say why it does not serve
  ansible.builtin.fail:
    msg: "{{ there.objects | meshproof.mtls.install_diagnosis }}"
"""

RETURN = r"""
_value:
  description: The sentences.
  type: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.diagnosis import diagnosis


def install_diagnosis(objects):
    """The sentences."""
    return diagnosis(plain(objects))


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"install_diagnosis": install_diagnosis}
