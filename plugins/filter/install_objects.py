# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: install_objects
short_description: The objects of a rendered Istio, and those of its revision tags
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_install) compares these objects with the cluster, and applies those of tags.
options:
  _input:
    description:
      - A rendering of Istio's charts, as YAML; or, with O(tags), the revision's own injection webhook.
    type: raw
    required: true
  method:
    description: By which tool it was rendered.
    type: str
    choices: [helm, istioctl]
    default: helm
  tags:
    description: The tags to make.
    type: list
    elements: str
  revision:
    description: The revision that they lead to, V(default) for the default one.
    type: str
    default: default
  namespace:
    description: The namespace of its control plane.
    type: str
    default: istio-system
"""

EXAMPLES = r"""
- name: Show what kinds of objects a chart has
  ansible.builtin.debug:
    msg: "{{ rendering.stdout | meshproof.mtls.install_objects | map(attribute='kind') | unique }}"
"""

RETURN = r"""
_value:
  description: The manifests, with the role's label.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.filter.install_plan import load
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.changes import rendered
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.tags import tag_objects


def install_objects(source, method="helm", tags=None, revision="default", namespace="istio-system"):
    """The manifests."""
    if tags is None:
        return rendered(plain(source), method, load)
    try:
        return tag_objects(plain(tags), revision, namespace, plain(source))
    except ValueError as error:
        raise AnsibleFilterError(
            f"The tags cannot be made: {error}. Remedy: run again when istiod is ready."
        ) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"install_objects": install_objects}
