#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_info
short_description: Say what the proxies of an Istio mesh really run with
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Asks running sidecars and gateways themselves, through the API server's port-forward to Envoy's admin port (15000).
    What their listeners accept on each port, which certificates they show and trust, whether they are connected to
    istiod and took its last configuration, and on demand what they send to each upstream.
  - Policies say what a mesh should do, this says what its proxies were given. It does not say what the wire answers;
    M(meshproof.mtls.probe) does. A proxy whose redirection was removed, for example, still has a strict listener.
  - A proxy that does not answer, or an answer that is not understood, is V(unknown), never secure.
  - Many proxies are asked side by side, each over one connection. Envoy filters what it answers, and each answer has a
    limit. Private keys are never read; Envoy does not give them away either.
  - It writes nothing.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  workloads:
    description: Ask only proxies of these workloads, by the ids that M(meshproof.mtls.status_info) gives them.
    type: list
    elements: str
    default: []
  namespaces:
    description: Ask only proxies of workloads in these namespaces.
    type: list
    elements: str
    default: []
  read_namespaces:
    description:
      - For an account that has rights in single namespaces only, look for workloads just in these, together with the
        mesh's root namespace.
    type: list
    elements: str
    default: []
  sample:
    description:
      - How many pods of each workload to ask. Every workload has its part in the sample; which pods these are does not
        change while the pods stay the same.
    type: int
    default: 1
  all:
    description: Ask every proxy of the workloads, instead of a sample.
    type: bool
    default: false
  upstreams:
    description:
      - Whether to ask for RV(proxies[].upstreams), too. In a big mesh they are by far the longest answer.
    type: bool
    default: false
  side_by_side:
    description: How many proxies are asked at the same time, 1 to 64.
    type: int
    default: 16
  timeout:
    description: Seconds for all questions to one proxy.
    type: float
    default: 15
  total_timeout:
    description:
      - Seconds for all proxies together. What was not asked by then has not answered, and is unknown.
      - By default a quarter of what it would take if every single one used up its O(timeout), and at least twice that.
    type: float
  max_bytes:
    description: How long one answer may be. One that is longer is given up, and what it would say is unknown.
    type: int
    default: 16777216
requirements:
  - cryptography (the Python library)
notes:
  - It needs the ClusterRoles C(meshproof-reader) and C(meshproof-inspector), which this collection ships. The latter
    may be bound in single namespaces; proxies elsewhere are then V(unknown).
seealso:
  - module: meshproof.mtls.status_info
  - module: meshproof.mtls.probe
"""

EXAMPLES = r"""
- name: Ask one proxy of each workload
  meshproof.mtls.proxy_info:
  register: mesh

- name: Refuse to go on unless every port of every proxy that was asked is strict
  ansible.builtin.assert:
    that:
      - mesh.asked > 0
      - mesh.answered == mesh.asked
      - mesh.proxies | map(attribute='ports') | flatten | rejectattr('accepts', 'equalto', 'strict') | length == 0

- name: Ask all proxies of two workloads, also for what they send
  meshproof.mtls.proxy_info:
    workloads:
      - demo/Deployment/service-a
      - demo/Deployment/service-b
    all: true
    upstreams: true
  register: demo

- name: Show the proxies that have lost istiod or refused its last configuration
  ansible.builtin.debug:
    msg: "{{ mesh.proxies | selectattr('istiod.connected', 'false') | map(attribute='pod') +
      mesh.proxies | selectattr('configuration.accepted', 'false') | map(attribute='pod') }}"

- name: Show when the certificates of one namespace end
  meshproof.mtls.proxy_info:
    namespaces:
      - demo
  register: demo
"""

RETURN = r"""
asked:
  description: How many proxies were asked.
  returned: success
  type: int
  sample: 2
answered:
  description: How many of them answered.
  returned: success
  type: int
  sample: 2
total:
  description: How many proxies the mesh has.
  returned: success
  type: int
  sample: 14
not_asked:
  description:
    - Exactly which pods were not asked, by workload. Of workloads that were not chosen only those that have proxies.
  returned: success
  type: list
  elements: dict
  contains:
    workload:
      description: The workload's id.
      type: str
      returned: always
      sample: shop/Deployment/cart
    pods:
      description: Its pods that were not asked.
      type: list
      elements: str
      returned: always
      sample: [cart-6d8c5b7f9d-2xk7p]
    reason:
      description: Why.
      type: str
      returned: always
      sample: not in the sample of 1 of this workload's 2 pods
unknown:
  description: Where pods could not be listed, so that there may be proxies that nobody knows of.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind that could not be read.
      type: str
      returned: always
      sample: Pod
    namespace:
      description: In which namespace, null for all.
      type: str
      returned: always
      sample: shop
    reason:
      description: Why.
      type: str
      returned: always
      sample: 'pods is forbidden: User "auditor" cannot list resource "pods" in the namespace "shop"'
summary:
  description: Counts over all proxies that were asked.
  returned: success
  type: dict
  contains:
    ports:
      description: How many ports accept what.
      type: dict
      returned: always
      sample: {strict: 2, permissive: 0, plaintext: 0, unknown: 0}
    not_answered:
      description: How many proxies did not answer.
      type: int
      returned: always
      sample: 0
    not_connected:
      description: How many are not connected to istiod.
      type: int
      returned: always
      sample: 0
    rejected:
      description: How many did not accept their last configuration.
      type: int
      returned: always
      sample: 0
    roots:
      description: How many proxies have a certificate from which root, by the root's fingerprint.
      type: dict
      returned: always
      sample: {bf50908329ee52156e9c69646fd8ce016849c35a9982a4347bbc74beaf5302b7: 2}
proxies:
  description: One item for each proxy that was asked, sorted by pod.
  returned: success
  type: list
  elements: dict
  contains:
    pod:
      description: The pod as C(namespace/name).
      type: str
      returned: always
      sample: demo/service-a-75f5d9b758-pzhbz
    workload:
      description: The id of its workload.
      type: str
      returned: always
      sample: demo/Deployment/service-a
    revision:
      description: The control plane revision that it belongs to.
      type: str
      returned: always
      sample: default
    answered:
      description: Whether the proxy answered.
      type: bool
      returned: always
      sample: true
    reason:
      description: Why it did not answer, or which of its answers could not be had.
      type: str
      returned: always
      sample: ''
    version:
      description: Istio's version.
      type: str
      returned: always
      sample: 1.31.1
    envoy_version:
      description: Envoy's version.
      type: str
      returned: always
      sample: 1.39.3
    istiod:
      description: The control plane that it gets its configuration from.
      type: dict
      returned: always
      contains:
        identity:
          description:
            - The name that istiod gave itself. By default Istio's proxies do not keep it; then the address where they
              look for istiod.
          type: str
          returned: always
          sample: istiod.istio-system.svc:15012
        connected:
          description: Whether there is a connection; null where that cannot be told.
          type: bool
          returned: always
          sample: true
    configuration:
      description: What became of the last configuration.
      type: dict
      returned: always
      contains:
        accepted:
          description: Whether it was accepted; null where that cannot be told.
          type: bool
          returned: always
          sample: true
        detail:
          description: Envoy's own error, or why it cannot be told.
          type: str
          returned: always
          sample: ''
        updated:
          description: When the proxy last took one.
          type: str
          returned: always
          sample: '2026-11-22T22:06:12Z'
    passthrough:
      description:
        - Whether requests to hosts that the proxy does not know go out in plaintext; V(false) where they are blocked,
          null where it is not known.
      type: bool
      returned: always
      sample: true
    certificates:
      description: What the proxy shows, and the roots that it trusts.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description: V(workload) for its own, V(root) for one that it trusts.
          type: str
          returned: always
          sample: workload
        identity:
          description: The SPIFFE identity, empty for a root.
          type: str
          returned: always
          sample: spiffe://cluster.local/ns/demo/sa/service-a
        subject:
          description: The subject, which Istio leaves empty in a workload's.
          type: str
          returned: always
          sample: ''
        issuer:
          description: Who issued it.
          type: str
          returned: always
          sample: O=cluster.local
        serial:
          description: The serial number in hexadecimal.
          type: str
          returned: always
          sample: f64297adb219e7b7d797af96b20cd6c7
        fingerprint:
          description: The SHA-256 of the certificate.
          type: str
          returned: always
          sample: 95d5d554a7a6e17a0e3e169c9f48550321afbee635740c36741f8949e841336e
        root_fingerprint:
          description: The fingerprint of the trusted root whose signature it leads to; empty where there is none.
          type: str
          returned: always
          sample: bf50908329ee52156e9c69646fd8ce016849c35a9982a4347bbc74beaf5302b7
        not_before:
          description: From when it is valid.
          type: str
          returned: always
          sample: '2026-11-22T21:55:38Z'
        not_after:
          description: Until when it is valid.
          type: str
          returned: always
          sample: '2026-11-23T21:57:38Z'
        key:
          description: The kind of key.
          type: str
          returned: always
          sample: RSA 2048
        trust_domain:
          description: The trust domain of its identity.
          type: str
          returned: always
          sample: cluster.local
    identity:
      description:
        - The identity of its certificates, beside the one that they must have. Unless it fits, the proxy is not
          believed where it says V(strict) or V(mtls); that is V(unknown) then.
      type: dict
      returned: always
      contains:
        expected:
          description: What the control plane issues to this workload, null where that is not known.
          type: str
          returned: always
          sample: spiffe://cluster.local/ns/demo/sa/service-a
        shown:
          description: What its certificates say, null where it has none that can be read.
          type: str
          returned: always
          sample: spiffe://cluster.local/ns/demo/sa/service-a
        result:
          description: V(fits), V(wrong), also for a proxy that takes itself for another pod's, or V(unknown).
          type: str
          returned: always
          sample: fits
        why:
          description: What does not fit, in half a sentence.
          type: str
          returned: always
          sample: ''
    ports:
      description: What the proxy accepts on each port of the workload, and on others that its listener names.
      type: list
      elements: dict
      returned: always
      contains:
        port:
          description: The container's port.
          type: int
          returned: always
          sample: 8080
        accepts:
          description:
            - V(strict) for Istio's mutual TLS only, V(permissive) for plaintext, too, V(plaintext) without mutual TLS,
              or V(unknown).
          type: str
          returned: always
          sample: strict
        tls_versions:
          description: The versions of TLS that are offered.
          type: list
          elements: str
          returned: always
          sample: [TLSv1_2, TLSv1_3]
        http:
          description: Whether the proxy understands HTTP on this port.
          type: bool
          returned: always
          sample: true
        reason:
          description: Why, in a sentence.
          type: str
          returned: always
          sample: every filter chain demands a client certificate of the mesh
    upstreams:
      description: What it sends to the hosts that it knows; empty unless O(upstreams) is set.
      type: list
      elements: dict
      returned: always
      contains:
        cluster:
          description: Envoy's name for it.
          type: str
          returned: always
          sample: outbound|80||service-b.demo.svc.cluster.local
        host:
          description: The host.
          type: str
          returned: always
          sample: service-b.demo.svc.cluster.local
        port:
          description: The Service's port.
          type: int
          returned: always
          sample: 80
        subset:
          description: The DestinationRule's subset, null where there is none.
          type: str
          returned: always
          sample: v1
        sends:
          description:
            - V(mtls), V(hbone) (mutual TLS around it, to a port of its own), V(plaintext), V(simple) (TLS without a
              client certificate), V(mutual) (certificates that are not the mesh's), V(auto) where each endpoint has its
              own answer, or V(unknown).
          type: str
          returned: always
          sample: auto
        endpoints:
          description: The addresses behind it.
          type: list
          elements: dict
          returned: always
          contains:
            address:
              description: The address with its port.
              type: str
              returned: always
              sample: 10.244.0.12:8080
            sends:
              description: What is sent to it.
              type: str
              returned: always
              sample: mtls
        reason:
          description: Why something is unknown.
          type: str
          returned: always
          sample: ''
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers, choice
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._source import proxies as source

LEAST = {"sample": 1, "side_by_side": 1, "max_bytes": 1024, "timeout": 1}
MOST_SIDE_BY_SIDE = 64


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENT_SPEC,
            "workloads": {"type": "list", "elements": "str", "default": []},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "read_namespaces": {"type": "list", "elements": "str", "default": []},
            "sample": {"type": "int", "default": 1},
            "all": {"type": "bool", "default": False},
            "upstreams": {"type": "bool", "default": False},
            "side_by_side": {"type": "int", "default": 16},
            "timeout": {"type": "float", "default": 15},
            "total_timeout": {"type": "float"},
            "max_bytes": {"type": "int", "default": 16 * 2**20},
        },
        supports_check_mode=True,
    )
    with edge.reported(module, "asking the proxies"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Choose, ask, return."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    for option, least in LEAST.items():
        if params[option] < least:
            module.fail_json(msg=f"The option {option} is {params[option]}. Remedy: give {least} or more.")
    if params["side_by_side"] > MOST_SIDE_BY_SIDE:
        module.fail_json(msg=f"The option side_by_side is too big. Remedy: give {MOST_SIDE_BY_SIDE} or less.")
    limits = source.Limits(params["side_by_side"], params["timeout"], params["max_bytes"], params["total_timeout"])
    try:
        source.require_library()
        cluster = api.connect(params)
        workloads, unknown = source.workloads(cluster, params["read_namespaces"])
        sample = None if params["all"] else params["sample"]
        chosen = choice.choose(workloads, params["workloads"], params["namespaces"], sample)
        proxies = source.read(cluster, chosen.targets, params["upstreams"], limits)
    except (api.ClusterError, choice.ChoiceError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        asked=len(proxies),
        answered=sum(proxy.answered for proxy in proxies),
        total=chosen.total,
        not_asked=chosen.not_asked,
        unknown=unknown,
        summary=answers.summary(proxies),
        proxies=[proxy.public() for proxy in proxies],
    )


if __name__ == "__main__":
    main()
