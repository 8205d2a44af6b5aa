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
  - The entries are those of the role's variables, which its README describes.
options:
  _input:
    description: The Namespaces, PeerAuthentications, DestinationRules and AuthorizationPolicies that are there.
    type: list
    elements: dict
    required: true
  policies:
    description: As C(istio_mtls_policies).
    type: list
    elements: dict
    default: []
  hosts:
    description: As C(istio_mtls_hosts).
    type: list
    elements: dict
    default: []
  authorization:
    description: As C(istio_mtls_authorization).
    type: list
    elements: dict
    default: []
  root_namespace:
    description: Istio's root namespace.
    type: str
    default: istio-system
  missing_kinds:
    description: The kinds that the cluster does not know.
    type: list
    elements: str
    default: []
  state:
    description: With V(absent) everything of ours is to be removed.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description: Whether objects of ours that are no longer asked for are to be removed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the objects for a namespace where only mutual TLS is taken
  ansible.builtin.debug:
    msg: "{{ ([] | meshproof.mtls.mtls_plan(policies=[{'namespace': 'shop'}])).homeless }}"
"""

RETURN = r"""
_value:
  description:
    - V(problems) and V(warnings) are sentences.
    - V(objects) are the manifests to apply, V(homeless) those whose namespace or kind is not there yet, which V(unmet)
      tells in sentences, and V(stale) those to delete. What is as wanted is in none of them.
    - V(changes) and V(diff) show the same as pairs of before and after, and as lines of a diff.
    - V(proposed) and V(blanket) are what would change, for O(meshproof.mtls.status_info#module:proposed).
  type: dict
"""

import json

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.mtls import plan
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import manifest_diff


def mtls_plan(existing, **options):
    """The plan for what the cluster holds now, from plain values: Ansible's own carry marks that YAML cannot write."""
    result = plan(**json.loads(json.dumps({"existing": existing, **options})))
    return {**result, "diff": manifest_diff(result["changes"], yaml.safe_dump)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"mtls_plan": mtls_plan}
