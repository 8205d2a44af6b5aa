# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: evaluate
short_description: Judge the mutual TLS of Istio manifests
version_added: 0.1.0
description:
  - Takes Kubernetes and Istio manifests and says which mTLS mode each workload enforces, what each kind of client
    sends to each service, and what stands in the way of mutual TLS everywhere.
  - Nothing is read from a cluster and nothing is written. Use it in a pipeline, before manifests reach a cluster.
  - The same engine answers in M(meshproof.mtls.status_info) for a running cluster.
positional: _input
options:
  _input:
    description:
      - The manifests, in any order. Kinds that do not matter are ignored, C(kind=List) counts as its items.
      - A manifest of a wrong shape is listed under C(unknown).
    type: list
    elements: dict
    required: true
  proposed:
    description:
      - Changes to judge. The main keys then describe the state after them, C(changes) lists what differs.
      - Each item has C(op), which is V(apply) or V(delete), and C(manifest).
    type: list
    elements: dict
    default: []
  unread:
    description:
      - What is known to be missing from the manifests. Every answer that it could change becomes C(unknown).
      - Each item has C(kind), C(namespace) (null for all, but for those in an optional list C(except)) and C(reason).
    type: list
    elements: dict
    default: []
author:
  - meshproof.mtls authors (@meshproof)
"""

EXAMPLES = r"""
- name: Show the mode of each workload of a folder of manifests
  ansible.builtin.debug:
    msg: >-
      {{ dict(result.workloads | map(attribute='id') | zip(result.workloads | map(attribute='mode'))) }}
  vars:
    files: "{{ query('ansible.builtin.fileglob', playbook_dir ~ '/manifests/*.yml') }}"
    manifests: "{{ query('ansible.builtin.file', *files) | map('from_yaml_all') | map('list') | flatten }}"
    result: "{{ manifests | meshproof.mtls.evaluate }}"

- name: Say what STRICT for the namespace demo would change
  ansible.builtin.debug:
    msg: "{{ (manifests | meshproof.mtls.evaluate(proposed=[{'op': 'apply', 'manifest': strict}])).changes }}"
  vars:
    manifests: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/manifests/demo.yml') | from_yaml_all }}"
    strict:
      apiVersion: security.istio.io/v1
      kind: PeerAuthentication
      metadata: {name: default, namespace: demo}
      spec: {mtls: {mode: STRICT}}
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(mesh), C(workloads), C(client_sets), C(edges), C(findings), C(unknown), C(summary), and with
      O(proposed) also C(changes) and C(change_client_sets).
    - The keys are those that M(meshproof.mtls.status_info) returns with C(detail=full).
  type: dict
"""

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate as _evaluate


def _items(value: Any, what: str) -> list[Any]:
    """A list of dictionaries, or a clear error."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise AnsibleFilterError(
            f"meshproof.mtls.evaluate: {what} must be a list of dictionaries, not {type(value).__name__}"
            + (". Text has to be parsed first, for example with from_yaml_all." if isinstance(value, str) else ".")
        )
    items = list(value)
    for place, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise AnsibleFilterError(
                f"meshproof.mtls.evaluate: {what} must be a list of dictionaries, "
                f"but item {place} is {type(item).__name__}."
            )
    return items


def evaluate(resources: Any, proposed: Any = (), unread: Any = ()) -> Dict[str, Any]:
    """Judges manifests; see the documentation above."""
    manifests = _items(resources, "its input")
    try:
        return _evaluate(manifests, _items(proposed, "proposed"), _items(unread, "unread"))
    except ValueError as error:
        raise AnsibleFilterError(f"meshproof.mtls.evaluate: {error}") from error


class FilterModule:
    """Tells Ansible about the filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"evaluate": evaluate}
