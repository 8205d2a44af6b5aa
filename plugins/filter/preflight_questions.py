# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_questions
short_description: Say about which rights a verification has to ask
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The rights that the playbook C(meshproof.mtls.preflight) asks the API server about, from the variables of the
    verification that is planned. P(meshproof.mtls.preflight#filter) judges the answers.
options:
  _input:
    description:
      - The variables of the role C(meshproof.mtls.istio_verify) without its prefix, V(sources), V(namespaces),
        V(prometheus), V(publish) and V(probe_namespace).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which ClusterRoles an account needs to ask proxies and the wire
  ansible.builtin.debug:
    msg: "{{ planned | meshproof.mtls.preflight_questions | selectattr('asked') | map(attribute='file') | list }}"
  vars:
    planned:
      sources: [declared, programmed, observed]
      namespaces: [shop]
      prometheus: {}
      publish: {}
      probe_namespace: meshproof-probe
"""

RETURN = r"""
_value:
  description:
    - Items with V(file) (the ClusterRole in C(docs/rights)), V(namespace) (empty for all), V(names) (of objects, in
      place of the ClusterRole's own) and V(asked) (whether the verification does what the ClusterRole is for).
  type: list
  elements: dict
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preflight import questions


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"preflight_questions": questions}
