# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: preview
short_description: Write what proposed changes mean for the connections of a mesh
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes what M(meshproof.mtls.status_info) returns with O(meshproof.mtls.status_info#module:proposed) and
    O(meshproof.mtls.status_info#module:detail=full).
options:
  _input:
    description: The result of M(meshproof.mtls.status_info).
    type: dict
    required: true
  max_rows:
    description: The most rows of each table.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Ask what STRICT for the namespace shop would change
  meshproof.mtls.status_info:
    detail: full
    proposed:
      - manifest:
          apiVersion: security.istio.io/v1
          kind: PeerAuthentication
          metadata: {name: default, namespace: shop}
          spec: {mtls: {mode: STRICT}}
  register: after

- name: Show it
  ansible.builtin.debug:
    msg: "{{ (after | meshproof.mtls.preview).lines }}"
"""

RETURN = r"""
_value:
  description:
    - V(lines) are two tables, of the ports and of the connections that change.
    - V(rows) are the same with every row.
    - V(broken) are the connections of clients in the mesh that work before and not after, as sentences.
    - V(breaks) names the servers outside the mesh to which clients would send mutual TLS that they cannot take.
  type: dict
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import preview


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"preview": preview}
