# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mtls_plan
short_description: Turn wanted mutual TLS into manifests, and find what speaks against them
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_mtls) decides with this filter what to apply and what to refuse. It needs no cluster.
options:
  _input:
    description: The options of the role C(meshproof.mtls.istio_mtls), which its README describes, without prefix.
    type: dict
    required: true
  step:
    description:
      - V(validate) gives what is wrong with the options, a list of sentences.
      - V(observe) gives what has to be read, as O(meshproof.mtls.objects_info#module:objects).
      - V(propose) gives what would change, as O(meshproof.mtls.status_info#module:proposed).
      - V(plan) gives the plan.
    type: str
    choices: [validate, observe, propose, plan]
    default: plan
  there:
    description: What M(meshproof.mtls.objects_info) returned.
    type: dict
  status:
    description: What M(meshproof.mtls.status_info) returned in full for what is proposed, nothing without a preview.
    type: dict
  check:
    description: Whether the plan is only shown, as in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read what is there
  meshproof.mtls.objects_info:
    objects: "{{ wanted | meshproof.mtls.mtls_plan(step='observe') }}"
  register: there

- name: Show what the role would change
  ansible.builtin.debug:
    msg: "{{ (wanted | meshproof.mtls.mtls_plan(there=there)).diff }}"
  vars:
    wanted:
      state: present
      policies: [{scope: namespace, namespace: shop}]
      hosts: []
      authorization: []
      root_namespace: istio-system
      prune: false
      adopt: false
      preview: true
      max_broken: 0
      max_rows: 20
      settle_seconds: 3
"""

RETURN = r"""
_value:
  description:
    - Of a plan, V(problems) and V(warnings) are sentences.
    - V(objects) are the manifests to apply, V(homeless) those whose namespace or kind is not there yet, and V(stale)
      those to delete. What is as wanted is in none of them.
    - V(changes) and V(diff) show the same as pairs of before and after, and as lines of a diff.
    - V(lines) tell which connections change, V(rows) the same in full.
  type: raw
"""

import json

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._intent import mtls
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import manifest_diff, preview


def mtls_plan(given, step="plan", there=None, status=None, check=False):
    """One step of the role, from plain values: Ansible's own carry marks that YAML cannot write."""
    given, there, status = json.loads(json.dumps([given, there, status or {}]))
    if step == "validate":
        return mtls.wanted(given).problems
    if step == "observe":
        return mtls.questions(given)
    if step == "propose":
        return mtls.proposed(given, there)
    # A task that was skipped has registered something without workloads.
    seen = preview(status, int(given["max_rows"])) if "workloads" in status else {}
    result = mtls.plan(given, there, seen, status.get("findings", ()), check)
    return {**result, "diff": manifest_diff(result["changes"], yaml.safe_dump)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"mtls_plan": mtls_plan}
