# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: install_plan
short_description: Decide what to install or to remove of an Istio control plane
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_install) decides with this filter. It needs no cluster.
options:
  _input:
    description: What M(meshproof.mtls.control_plane_info) returned.
    type: dict
    required: true
  given:
    description: The role's options, by their names without its prefix.
    type: dict
    required: true
  found:
    description: What M(meshproof.mtls.objects_info) returned, for a removal.
    type: dict
    default: {}
  rendering:
    description: The rendering of the charts, as YAML, when there is one.
    type: str
  compared:
    description: What a server-side dry run of the rendering answered, an entry for each object.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what would go
  ansible.builtin.debug:
    msg: "{{ (observed | meshproof.mtls.install_plan(given=options, found=there)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - V(problems) are sentences. With any of them nothing is to be done. V(warnings) stop nothing.
    - V(left) are sentences about what stays, V(lines) about everything that comes, changes or goes.
    - The rest is what the role's tasks follow.
  type: dict
"""

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent import changes, install


def load(text):
    """The documents of a text, by libyaml where that is there: Istio's definitions are a megabyte."""
    return yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def dump(value):
    """A value as YAML."""
    return yaml.safe_dump(value, default_flow_style=False, sort_keys=True)


def install_plan(observed, given, found=None, rendering=None, compared=None):
    """The plan, from plain values: Ansible's own carry marks."""
    made = install.plan(plain(observed), plain(given), plain(found or {}))
    if rendering is None or made["problems"]:
        return made
    return {**made, **changes.difference(made, plain(rendering), plain(compared or []), load, dump)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"install_plan": install_plan}
