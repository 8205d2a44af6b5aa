# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight
short_description: Judge whether a job of this collection can do its work
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The table of the playbook C(meshproof.mtls.preflight), from what that playbook found out.
options:
  _input:
    description:
      - A dictionary with V(environment) (python, libraries, tools), V(status) (what M(meshproof.mtls.status_info)
        returned, or how it failed), V(rights) (what M(kubernetes.core.k8s) returned for the reviews of each item of
        P(meshproof.mtls.preflight_questions#filter)), V(method) and V(istio_version).
    type: dict
    required: true
  job:
    description: The job that has to work.
    type: str
    choices: [verify, observed, site]
    default: verify
"""

EXAMPLES = r"""
- name: Demand what a verification needs
  ansible.builtin.assert:
    that: checked.missing | length == 0
    fail_msg: "{{ checked.missing | join('\n') }}"
  vars:
    checked: "{{ facts | meshproof.mtls.preflight(job='verify') }}"
"""

RETURN = r"""
_value:
  description: V(job), V(lines) (the table), and V(missing) (what the job misses, each with its remedy).
  type: dict
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preflight import preflight


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"preflight": preflight}
