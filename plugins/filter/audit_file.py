# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_file
short_description: Read the file of an audit
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes the file that M(meshproof.mtls.audit) wrote, as M(ansible.builtin.slurp) fetches it from wherever it is, and
    gives what is in it.
options:
  _input:
    description: The result of M(ansible.builtin.slurp).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Judge the mesh
  meshproof.mtls.audit:
    dest: /var/tmp/mesh-audit.json.gz

- name: Fetch the result
  ansible.builtin.slurp:
    path: /var/tmp/mesh-audit.json.gz
  register: file

- name: Show which ports the sources do not agree about
  ansible.builtin.debug:
    msg: "{{ (file | meshproof.mtls.audit_file).ports | selectattr('agreement', 'eq', 'contradicted') }}"
"""

RETURN = r"""
_value:
  description: The audit, as its schema C(docs/audit.schema.json) describes it.
  type: dict
"""

import base64

from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.reading import ReportError, audit_in


def audit_file(slurped):
    """The audit in a file that was fetched."""
    try:
        return audit_in(slurped["source"], base64.b64decode(slurped["content"]))
    except ReportError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"audit_file": audit_file}
