# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: services_plan
short_description: Turn a list of services into manifests, and find what is to be done for them
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_services) decides with this filter what to make, change and remove. It needs no cluster.
options:
  _input:
    description: The role's options by their names without C(istio_services_), as its README describes them.
    type: dict
    required: true
  observed:
    description:
      - What M(meshproof.mtls.objects_info) returned for V(reads), with C(field_manager=meshproof.mtls).
      - Without it only what was asked for is looked at.
    type: dict
"""

EXAMPLES = r"""
- name: Say what is wrong with a list of services
  ansible.builtin.assert:
    that: (options | meshproof.mtls.services_plan).problems | length == 0
    fail_msg: "{{ (options | meshproof.mtls.services_plan).problems | join('; ') }}"
"""

RETURN = r"""
_value:
  description:
    - V(problems), V(unmet), V(warnings) and V(left) are sentences, V(lines) are what people read.
    - V(reads) is what has to be read before more can be said.
    - V(objects) are the manifests to apply, V(remade) those to delete and make again, V(homeless) those whose namespace
      or kind is not there yet, and V(stale) those to delete. What is as wanted is in none of them.
    - V(diff) shows the same as lines of a diff.
    - V(watch) is what P(meshproof.mtls.services_progress#filter) looks at, and V(waits) whether it has to.
  type: dict
"""

from functools import partial

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services import plan
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import manifest_diff

_AS_TEXT = partial(yaml.safe_dump, default_flow_style=None, width=110)
"""The innermost lists and mappings in one line each."""


def services_plan(given, observed=None):
    """The plan, from plain values: Ansible's own carry marks that YAML cannot write."""
    result = plan(plain(given), plain(observed))
    return {**result, "diff": manifest_diff(result.get("changes", ()), _AS_TEXT)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"services_plan": services_plan}
