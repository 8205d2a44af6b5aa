# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: controller_folder
short_description: The folder that Ansible removes when it ends
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Tells the private folder of this run on the controller. Ansible removes it when it ends, also when interrupted.
  - The lookup P(ansible.builtin.config#lookup) makes another one each time it is asked for C(DEFAULT_LOCAL_TMP).
options: {}
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ lookup('meshproof.mtls.controller_folder') }}"
"""

RETURN = r"""
_raw:
  description: The folder.
  type: list
  elements: path
"""

from ansible import constants
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """Ansible's entry point."""

    def run(self, terms, variables=None, **kwargs):
        """The folder, whatever is asked for."""
        return [constants.DEFAULT_LOCAL_TMP]
