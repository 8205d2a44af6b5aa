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
      - Each item is a manifest, or YAML or JSON text with any number of them, such as a file's content. A single
        manifest or text need not be in a list.
      - A manifest of a wrong shape is listed under C(unknown). Text that is no YAML is an error that names the line.
      - A list without items makes its kind unknown, and so does one that names further pages. Items that are C(null)
        are none where the rest of the list is well-formed, as kubectl reads them.
    type: list
    elements: raw
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
    msg: "{{ dict(result.workloads | map(attribute='id') | zip(result.workloads | map(attribute='mode'))) }}"
  vars:
    files: "{{ query('ansible.builtin.fileglob', playbook_dir ~ '/manifests/*.yml') }}"
    result: "{{ query('ansible.builtin.file', *files) | meshproof.mtls.evaluate }}"

- name: Say what STRICT for the namespace demo would change
  ansible.builtin.debug:
    msg: "{{ (manifests | meshproof.mtls.evaluate(proposed=[{'op': 'apply', 'manifest': strict}])).changes }}"
  vars:
    manifests: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/manifests/demo.yml') }}"
    strict:
      apiVersion: security.istio.io/v1
      kind: PeerAuthentication
      metadata: {name: default, namespace: demo}
      spec: {mtls: {mode: STRICT}}

- name: Refuse manifests of which a reviewer cannot know whether a rule elsewhere sends plaintext
  ansible.builtin.assert:
    that: result.edges | selectattr('verdict', 'ne', 'mtls') | length == 0
    fail_msg: "{{ result.edges | map(attribute='reason') | join('; ') }}"
  vars:
    manifests: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/manifests/demo.yml') | from_yaml_all }}"
    missing:
      - kind: DestinationRule
        namespace: istio-system
        reason: the platform team's repository is not at hand
    result: "{{ manifests | meshproof.mtls.evaluate(unread=missing) }}"
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
from typing import Any, Callable, Dict, Iterator

from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate as _evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot import SnapshotError, manifests_in


def _items(value: Any, what: str) -> list[Any]:
    """A list of plain dictionaries, or a clear error."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise AnsibleFilterError(
            f"meshproof.mtls.evaluate: {what} must be a list of dictionaries, not {type(value).__name__}."
        )
    items = list(value)
    for place, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise AnsibleFilterError(
                f"meshproof.mtls.evaluate: {what} must be a list of dictionaries, "
                f"but item {place} is {type(item).__name__}."
            )
    return [_plain_item(place, item, what) for place, item in enumerate(items)]


def _plain_item(place: int, item: Any, what: str) -> Any:
    try:
        return plain(item)
    except Unreadable as error:
        raise AnsibleFilterError(f"meshproof.mtls.evaluate: item {place} of {what} {error}.") from None


def _manifest(item: Any) -> Any:
    """A manifest in plain values, at which Ansible does no work of its own; None for one that the engine cannot read.

    It may be anybody's, so it ends nothing: the engine takes it for whatever it could have been.
    """
    try:
        return plain(item)
    except Unreadable:
        return None


def _manifests(value: Any) -> Iterator[Any]:
    """Manifests out of manifests and text, one or many."""
    single = isinstance(value, (str, Mapping))
    if not single and (isinstance(value, bytes) or not isinstance(value, Iterable)):
        raise AnsibleFilterError(
            f"meshproof.mtls.evaluate: its input must be manifests or text, not {type(value).__name__}."
        )
    for place, item in enumerate([value] if single else value):
        name = "its input" if single else f"item {place} of its input"
        if isinstance(item, str):
            # Ansible's own strings carry tags, which libyaml does not take.
            yield from manifests_in(f"meshproof.mtls.evaluate: {name}", str.__str__(item))
        elif isinstance(item, Mapping):
            yield _manifest(item)
        else:
            raise AnsibleFilterError(
                f"meshproof.mtls.evaluate: {name} must be a manifest or text, not {type(item).__name__}."
            )


def evaluate(resources: Any, proposed: Any = (), unread: Any = ()) -> Dict[str, Any]:
    """Judges manifests; see the documentation above."""
    try:
        manifests = list(_manifests(resources))
    except SnapshotError as error:
        raise AnsibleFilterError(str(error)) from None
    try:
        return _evaluate(manifests, _items(proposed, "proposed"), _items(unread, "unread"))
    except ValueError as error:
        raise AnsibleFilterError(f"meshproof.mtls.evaluate: {error}") from None


class FilterModule:
    """Tells Ansible about the filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"evaluate": evaluate}
