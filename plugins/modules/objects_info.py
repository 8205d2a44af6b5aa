#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: objects_info
short_description: Read objects of several kinds, or whatever lies in a namespace, at once
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The roles of this collection see with it what is there before they plan. It writes nothing.
  - Where M(kubernetes.core.k8s_info) reads one kind for each call, and fails for what it may not read, this module
    reads all that is asked for over one connection, side by side, and says what it could not read.
  - With O(contents_of) it tells everything that lies in namespaces, of whatever kind the cluster serves, also of
    custom ones. Only metadata is asked for, so that no Secret's data is read.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  objects:
    description: What to read. What is not there is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: The kind's apiVersion.
        type: str
        required: true
      kind:
        description: The kind.
        type: str
        required: true
      namespace:
        description: In which namespace; in all of them without it.
        type: str
      name:
        description: The name of a single object.
        type: str
      label_selectors:
        description: Labels that the objects must have, as in C(kubectl get -l).
        type: list
        elements: str
        default: []
      field_selectors:
        description: Fields by which the API server can select.
        type: list
        elements: str
        default: []
      only_metadata:
        description: Whether the metadata is enough. Nothing else is sent then.
        type: bool
        default: false
  field_manager:
    description:
      - The objects of O(objects) keep the C(managedFields) that this manager applied on the server's side, so that a
        plan knows what was set before and is no longer asked for.
    type: str
    default: ""
  contents_of:
    description:
      - Namespaces of which everything is told that lies in them, but for events and measurements.
    type: list
    elements: str
    default: []
seealso:
  - module: kubernetes.core.k8s_info
  - module: meshproof.mtls.status_info
"""

EXAMPLES = r"""
- name: Read the Deployments and the policies of a namespace
  meshproof.mtls.objects_info:
    objects:
      - {api_version: apps/v1, kind: Deployment, namespace: shop}
      - {api_version: security.istio.io/v1, kind: PeerAuthentication, namespace: shop}
  register: there

- name: See what a namespace holds before it is deleted
  meshproof.mtls.objects_info:
    contents_of: [shop]
  register: there

- name: Show it
  ansible.builtin.debug:
    msg: "{{ there.contents | map(attribute='metadata.name') | list }}"
"""

RETURN = r"""
objects:
  description: The objects of O(objects) that are there, in that order, without managedFields but for O(field_manager).
  returned: success
  type: list
  elements: dict
  sample: []
absent_kinds:
  description: The kinds of O(objects) that the cluster does not serve.
  returned: success
  type: list
  elements: str
  sample: [PeerAuthentication]
contents:
  description: What lies in the namespaces of O(contents_of), each with apiVersion, kind and metadata.
  returned: success
  type: list
  elements: dict
  sample: []
contents_unread:
  description: What of the namespaces of O(contents_of) could not be seen, in the form of RV(unread).
  returned: success
  type: list
  elements: dict
  sample: []
unread:
  description: What of O(objects) could not be read.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind.
      type: str
      returned: always
      sample: Secret
    namespace:
      description: In which namespace, null for all.
      type: str
      returned: always
      sample: shop
    reason:
      description: Why.
      type: str
      returned: always
      sample: 'secrets is forbidden: User "deployer" cannot list …'
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._source import objects as source


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENT_SPEC,
            "objects": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "api_version": {"type": "str", "required": True},
                    "kind": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                    "name": {"type": "str"},
                    "label_selectors": {"type": "list", "elements": "str", "default": []},
                    "field_selectors": {"type": "list", "elements": "str", "default": []},
                    "only_metadata": {"type": "bool", "default": False},
                },
            },
            "field_manager": {"type": "str", "default": ""},
            "contents_of": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    with edge.reported(module, "reading the objects"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read and return."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    wanted = [
        source.Wanted(
            item["api_version"],
            item["kind"],
            item["namespace"],
            item["name"],
            ",".join(item["label_selectors"]),
            ",".join(item["field_selectors"]),
            item["only_metadata"],
        )
        for item in params["objects"]
    ]
    try:
        cluster = api.connect(params)
        known = api.served(cluster)
        found = source.read(cluster, wanted, known, params["field_manager"])
        inside = source.contents(cluster, params["contents_of"], known) if params["contents_of"] else source.NOTHING
    except api.ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        objects=found.objects,
        absent_kinds=found.absent_kinds,
        contents=inside.objects,
        unread=found.unread,
        contents_unread=inside.unread,
    )


if __name__ == "__main__":
    main()
