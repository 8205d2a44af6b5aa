#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: control_plane_info
short_description: Say which Istios a cluster has, whose each is, and who still uses it
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Tells every control plane with its revision, version, tags and components, by which tool it was installed, how far
    that installation is, and which namespaces and running pods use it.
  - What an injection webhook speaks of is a control plane, and what lies in O(namespace). An istiod that somebody made
    in a namespace of his own is only named under RV(unasked).
  - It writes nothing. The ClusterRole C(meshproof-reader) is enough for revisions, versions and users;
    C(meshproof-installer) also allows what tells the owner and the phase, that is DaemonSets, CRDs, this collection's
    records and the metadata of Helm's release Secrets. Their data is never read. What it may not read it says in
    RV(unknown).
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  namespace:
    description:
      - The namespace of the administrator's Istio. It is looked at even where no webhook speaks of it.
    type: str
    default: istio-system
seealso:
  - module: meshproof.mtls.status_info
"""

EXAMPLES = r"""
- name: See which Istios there are
  meshproof.mtls.control_plane_info:
  register: istio

- name: Show who uses the revision canary
  ansible.builtin.debug:
    msg: "{{ istio.control_planes | selectattr('revision', 'eq', 'canary') | map(attribute='used_by') | list }}"

- name: Refuse to go on while a control plane does not serve
  ansible.builtin.assert:
    that: istio.control_planes | rejectattr('phase', 'eq', 'installed') | length == 0
    fail_msg: "{{ istio.control_planes | map(attribute='why') | select | join(', ') }}"
"""

RETURN = r"""
cluster:
  description: The cluster that answered.
  returned: success
  type: dict
  sample: {server: 'https://10.0.0.1:6443', kubernetes_version: v1.35.4}
control_planes:
  description: The control planes, by revision.
  returned: success
  type: list
  elements: dict
  contains:
    revision:
      description: Its revision, V(default) for the default one.
      type: str
      returned: always
      sample: default
    namespace:
      description: Where it is; null for one outside the cluster.
      type: str
      returned: always
      sample: istio-system
    version:
      description: The tag of istiod's image, null where that is not known.
      type: str
      returned: always
      sample: 1.31.1
    owner:
      description:
        - Who installed it. V(istio_install) for this collection's role, V(helm), V(istioctl), V(sail), V(aks),
          V(remote) for one outside the cluster, V(unknown).
      type: str
      returned: always
      sample: istio_install
    owner_says:
      description: The same as the end of a sentence.
      type: str
      returned: always
      sample: installed by this role
    phase:
      description:
        - V(installed), V(installing) after a run that did not end, V(pending) while a Helm operation is open, V(broken)
          where istiod or its webhook is missing or no replica is ready, V(unknown).
      type: str
      returned: always
      sample: installed
    why:
      description: What the phase comes from, empty where it is installed.
      type: str
      returned: always
      sample: its Deployment istio-system/istiod is scaled to 0
    components:
      description: What of it is there, of V(base), V(istiod), V(cni) and V(ztunnel).
      type: list
      elements: str
      returned: always
      sample: [base, istiod]
    istiod:
      description: The Deployment's name with its replicas, V(wanted) and V(ready); null where there is none.
      type: dict
      returned: always
      sample: {name: istiod, wanted: 1, ready: 1}
    webhooks:
      description: Its injection webhooks, each with its name and the labels of namespaces that it answers.
      type: list
      elements: dict
      returned: always
      sample: [{name: istio-sidecar-injector, labels: [istio-injection=enabled, istio.io/rev=default]}]
    tags:
      description: The revision tags that lead to it, each with its webhook and the owner.
      type: list
      elements: dict
      returned: always
      sample: [{name: prod, webhook: istio-revision-tag-prod, owner: istio_install}]
    used_by:
      description:
        - The V(namespaces) whose label asks for it, by name and label, and the running V(pods) with a proxy of it.
      type: dict
      returned: always
      sample: {namespaces: [{name: shop, label: istio-injection=enabled}], pods: [shop/cart-5f5c-1]}
    record:
      description: What the role istio_install recorded of it, null without a record.
      type: dict
      returned: always
      sample:
        method: helm
        version: 1.31.1
        phase: installed
agents:
  description: The DaemonSets of Istio's nodes, with V(name), V(namespace), V(component), V(wanted), V(ready) and owner.
  returned: success
  type: list
  elements: dict
  sample: []
definitions:
  description: Istio's CRDs with their owner, null where there are none.
  returned: success
  type: dict
  sample:
    name: peerauthentications.security.istio.io
    owner: istio_install
    owner_says: installed by this role
    in_release: true
validating:
  description: The webhooks that validate objects of Istio's kinds.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: istiod-default-validator
    revision:
      description: The revision that it is labelled with.
      type: str
      returned: always
      sample: default
    namespace:
      description: The namespace of the Service that it calls, null for an address.
      type: str
      returned: always
      sample: istio-system
    service:
      description: That Service's name, null for an address.
      type: str
      returned: always
      sample: istiod
    answers:
      description: Whether there is an istiod behind it, null where that cannot be told.
      type: bool
      returned: always
      sample: true
    owner:
      description: Who installed it, as for control planes.
      type: str
      returned: always
      sample: istio_install
releases:
  description:
    - Helm's releases in the namespaces of control planes, each with V(name), V(namespace), V(status) and, in V(open),
      the names of the Secrets of operations that did not end.
  returned: success
  type: list
  elements: dict
  sample: [{name: istiod, namespace: istio-system, status: deployed, open: []}]
sail:
  description: The names of the Sail operator's Istios.
  returned: success
  type: list
  elements: str
  sample: []
unanswered:
  description: Namespaces whose label asks for a sidecar that no webhook gives, each with V(namespace) and V(label).
  returned: success
  type: list
  elements: dict
  sample: [{namespace: old, label: istio.io/rev=gone}]
unasked:
  description: Deployments named like an istiod, as namespace/name, in namespaces that no webhook speaks of.
  returned: success
  type: list
  elements: str
  sample: []
namespace:
  description:
    - The namespace of O(namespace) as it is, with V(name), V(labels), V(deleted), V(ours) and V(bad_records); null
      where it is not there.
  returned: success
  type: dict
  sample: {name: istio-system, labels: {}, deleted: null, ours: true, bad_records: []}
unknown:
  description: What could not be read.
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
      sample: istio-system
    reason:
      description: Why.
      type: str
      returned: always
      sample: 'secrets is forbidden: User "auditor" cannot list …'
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import control_planes
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._source import control_plane as source
from ansible_collections.meshproof.mtls.plugins.module_utils._source import declared


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={**api.ARGUMENT_SPEC, "namespace": {"type": "str", "default": "istio-system"}},
        supports_check_mode=True,
    )
    with edge.reported(module, "reading which Istios there are"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read, sort, return."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    try:
        cluster = api.connect(params)
        about = declared.about(cluster)
        resources, unread = source.read(cluster, params["namespace"], api.served(cluster))
    except api.ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, cluster=about, **control_planes(resources, unread, params["namespace"]))


if __name__ == "__main__":
    main()
