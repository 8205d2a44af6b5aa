#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Ask the wire whether Services really demand mutual TLS
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Starts two pods of its own, one outside the mesh and one inside, lets them ask ports of Services and of pods, and
    removes them.
  - From outside it sends plaintext, and a TLS handshake without a client certificate, to the Service's address and to
    each endpoint, and then one with a certificate that looks like the mesh's own and is not. From inside it sends an
    ordinary request through a sidecar, and a mutual TLS handshake with the certificate that the mesh issued to the
    probe itself. Of an ambient pod ztunnel takes that handshake, at port 15008 and for all of its ports (HBONE); so it
    is made there, and a tunnel to the port is asked for.
  - It asks in HTTP, in HTTP/2 where a port is named C(grpc) or C(http2) or has such an C(appProtocol), and otherwise
    sees whether its bytes are taken.
  - A target that was not asked, or whose answer is not clear, is V(unknown), never secure. So is whatever a pod of the
    probe had not answered when it was evicted, or deleted by somebody else.
  - Policies are not read; M(meshproof.mtls.status_info) does that. Where the two disagree, that is a finding.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - In check mode no pod is made; the targets that would be asked are returned as V(unknown).
  diff_mode:
    support: none
    details:
      - Nothing is left behind, so there is nothing to show.
  idempotent:
    support: full
    details:
      - Nothing is left behind, so RV(ignore:changed) is always V(false).
options:
  targets:
    description:
      - The ports to ask. Without it, every TCP port of every Service with a selector in O(target_namespaces).
    type: list
    elements: dict
    suboptions:
      service:
        description: The Service as C(namespace/name). Either this or O(targets[].pod) is required.
        type: str
      pod:
        description: A running pod as C(namespace/name), which is asked at its own address.
        type: str
      port:
        description:
          - The Service's port, or any port of the pod, declared or not; without it every TCP port that is declared.
        type: int
  target_namespaces:
    description: Namespaces whose Services are asked.
    type: list
    elements: str
  pod_ports:
    description:
      - Whether to ask every TCP port that the containers of the pods behind the Services declare, too, at the pods'
        addresses. So ports are seen that no Service leads to, and which perhaps bypass the proxy.
      - To a pod's address a sidecar passes on what it gets, as plaintext. So a strict port refuses it.
    type: bool
    default: false
  namespace:
    description:
      - The namespace for the probe's pods. It is created when it is missing, and then removed again.
      - In a namespace that exists already only the pods are made and removed. The label V(istio-injection=disabled) on
        it would keep the pod inside the mesh from getting its sidecar.
    type: str
    default: meshproof-probe
  inside_namespace:
    description:
      - Another namespace for the pod inside the mesh, for a mesh whose policies tell namespaces apart
        (AuthorizationPolicy, Sidecar, C(exportTo)). As O(namespace) by default, and treated like it.
    type: str
    default: ""
  image:
    description:
      - The image of the probe's pods. It needs C(python3), version 3.10 or newer, and nothing else; no shell, no root.
    type: str
    default: python:3.13-alpine
  image_pull_secrets:
    description: Names of pull secrets in O(namespace).
    type: list
    elements: str
    default: []
  outside:
    description: Whether to ask from outside the mesh. Without this no verdict can be given.
    type: bool
    default: true
  inside:
    description: Whether to ask from inside the mesh. Without this no target can be V(strict).
    type: bool
    default: true
  identities:
    description:
      - Which bad certificates are shown to the servers, to see whether they check them.
      - V(wrong) is made on the spot, with an identity of the mesh's trust domain and an authority that nobody trusts.
        Its key is thrown away with the pod. It takes the Python library cryptography, on which ansible-core depends,
        where the module runs; without it RV(targets[].identity_check) is V(unknown).
      - V(expired) is one that the mesh issued to the probe for half a minute. The probe waits for its end, and so takes
        that much longer. Where the mesh's authority makes it last longer it is not shown.
    type: list
    elements: str
    choices: [wrong, expired]
    default: [wrong]
  revision:
    description: The control plane's revision, or a revision tag, for the pod inside the mesh.
    type: str
    default: ""
  trust_domains:
    description:
      - Further trust domains that the servers' certificates may have, such as the mesh's C(trustDomainAliases), or
        that of another revision. The one that the injector gave to the probe's own pod always counts.
    type: list
    elements: str
    default: []
  max_endpoints:
    description: How many endpoints of each Service port are asked; the result says when there were more.
    type: int
    default: 10
  step_timeout:
    description: Seconds for one step of one question, such as a connection, a handshake or an answer.
    type: int
    default: 5
  timeout:
    description: Seconds for the pods to be scheduled, to start, to ask and to end.
    type: int
    default: 180
notes:
  - It needs the rights to read Services, EndpointSlices and pods in the target namespaces, which the ClusterRole
    C(meshproof-reader) has, and to create, read and delete pods and to read their logs in O(namespace) and
    O(inside_namespace), which C(meshproof-prober) has; this collection ships both. Unless those namespaces exist it
    must be allowed to create and delete them.
  - The pods run without root, without privileges and without an API token. A probe that is interrupted removes them
    first. After one that was killed they stop by themselves, and the next probe removes them, on the same machine at
    once, from another one two minutes after O(timeout). Probes side by side do not disturb one another.
  - The user ids are fixed; one container has the id 1337, which Istio lets past the proxy, to show a server its own
    mesh certificate. Where admission forbids them the refusal is the module's message.
seealso:
  - module: meshproof.mtls.status_info
"""

EXAMPLES = r"""
- name: Ask every Service of the namespace demo
  meshproof.mtls.probe:
    target_namespaces:
      - demo
  register: wire

- name: Refuse to go on unless all of them demand mutual TLS
  ansible.builtin.assert:
    that:
      - wire.targets | length > 0
      - wire.targets | rejectattr('verdict', 'equalto', 'strict') | length == 0
    fail_msg: "{{ wire.targets | rejectattr('verdict', 'equalto', 'strict') | map(attribute='reason') | join(' ') }}"

- name: Ask one port, with images from a registry of one's own
  meshproof.mtls.probe:
    targets:
      - service: demo/service-a
        port: 80
    image: registry.example.com/python:3.13-alpine
    image_pull_secrets:
      - registry

- name: Ask the ports, too, that no Service leads to, and see whether expired certificates are refused
  meshproof.mtls.probe:
    target_namespaces:
      - demo
    pod_ports: true
    identities:
      - wrong
      - expired
  register: wire

- name: Ask one port of one pod, from a pod of the mesh in the namespace shop
  meshproof.mtls.probe:
    targets:
      - pod: demo/service-a-75f5d9b758-pzhbz
        port: 9090
    inside_namespace: shop

# Why kubectl port-forward proves nothing: it hands the bytes to the application inside the pod's own network
# namespace, behind the proxy. So curl is answered in plaintext although the policy is STRICT, and would be answered in
# the same way if there were no mesh at all. The probe asks over the pod network, as workloads do, and is refused.
- name: Forward a port to service-a, as many guides do, and get a misleading answer
  ansible.builtin.shell: |
    kubectl --namespace demo port-forward service/service-a 18080:80 >/dev/null &
    trap "kill $!" EXIT
    curl --silent --show-error --retry 5 --retry-connrefused --output /dev/null --write-out '%{http_code}' \
      http://127.0.0.1:18080/
  register: forwarded
  changed_when: false

- name: Ask the same port on the wire
  meshproof.mtls.probe:
    targets:
      - service: demo/service-a
        port: 80
  register: wire

- name: Show both answers side by side
  ansible.builtin.debug:
    msg:
      - "port-forward: HTTP {{ forwarded.stdout }} in plaintext"
      - "on the wire: {{ wire.targets[0].verdict }}. {{ wire.targets[0].reason }}"
"""

RETURN = r"""
probed:
  description: Whether pods were started; V(false) in check mode and where there was no target.
  returned: success
  type: bool
  sample: true
summary:
  description: How many targets got which verdict.
  returned: success
  type: dict
  sample: {strict: 2, permissive: 0, plaintext: 0, unknown: 0}
targets:
  description: One item for each port of a Service, sorted, and then for each port of a pod.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(service) or V(pod).
      type: str
      returned: always
      sample: service
    service:
      description: The Service as C(namespace/name), null for a pod.
      type: str
      returned: always
      sample: demo/service-a
    pod:
      description: The pod as C(namespace/name), null for a Service.
      type: str
      returned: always
      sample: null
    port:
      description: The Service's port, or the pod's.
      type: int
      returned: always
      sample: 80
    protocol:
      description: In what it was asked, V(http), V(grpc) for HTTP/2, or V(tcp).
      type: str
      returned: always
      sample: http
    verdict:
      description:
        - V(strict) when plaintext from outside was refused, more than once, and every endpoint that was asked accepted
          mutual TLS from inside the mesh, with the certificate of its own pod. That names the mesh's trust domain, the
          namespace and the pod's service account; where one of these is not known, as without the right to read pods,
          nothing is V(strict).
        - V(permissive) when plaintext was answered and mutual TLS is offered, too.
        - V(plaintext) when plaintext was answered and no mesh certificate was shown.
        - V(unknown) otherwise.
      type: str
      returned: always
      sample: strict
    reason:
      description: Why, in a sentence.
      type: str
      returned: always
      sample: Plaintext from outside was refused, a client inside the mesh was answered over mutual TLS.
    identity:
      description: The SPIFFE identity in the certificate that the server showed.
      type: str
      returned: always
      sample: spiffe://cluster.local/ns/demo/sa/service-a
    identity_seen_from:
      description:
        - V(inside) when it was shown in a mutual TLS handshake with the probe's own mesh certificate, V(outside) when
          only in a handshake without a client certificate.
      type: str
      returned: always
      sample: inside
    identity_check:
      description:
        - V(enforced) when a certificate of the mesh was taken, and every bad one that was shown was refused, at every
          endpoint, V(not enforced) when a bad one was taken, too, V(unknown) otherwise. It speaks of TLS alone; a port
          that also accepts plaintext asks no identity at all.
      type: str
      returned: always
      sample: enforced
    identities:
      description: What clients met that have no business there, at the worst of all endpoints.
      type: dict
      returned: always
      contains:
        none:
          description: Without a certificate.
          type: dict
          returned: always
          contains: &met
            result:
              description: V(accepted), V(rejected), V(unknown) or V(not_asked).
              type: str
              returned: always
              sample: rejected
            detail:
              description: What happened.
              type: str
              returned: always
              sample: tlsv13 alert certificate required
        wrong:
          description: With a certificate of the right trust domain and of an authority that nobody trusts.
          type: dict
          returned: always
          contains: *met
        expired:
          description: With a certificate of the mesh that had expired.
          type: dict
          returned: always
          contains: *met
    outside:
      description: What a client without a mesh certificate met.
      type: dict
      returned: always
      contains:
        plaintext:
          description:
            - V(answered), V(refused), V(timeout), V(error), V(blocked) or V(not_asked); the worst of all addresses.
            - V(blocked) is a connection that never came about, as a NetworkPolicy or a firewall causes it. A packet
              filter that answers with a refusal looks like a port where nobody listens, which is V(error).
          type: str
          returned: always
          sample: refused
        plaintext_detail:
          description: What happened.
          type: str
          returned: always
          sample: "connected, then: Connection reset by peer"
        tls:
          description: What a TLS handshake without a client certificate met that offered the mesh's ALPN.
          type: dict
          returned: always
          contains:
            result:
              description:
                - V(handshake) when a certificate was shown, otherwise V(no_tls), V(alert), V(refused), V(timeout),
                  V(blocked), V(error) or V(not_asked).
              type: str
              returned: always
              sample: handshake
            status:
              description: The HTTP status of an answer over this connection.
              type: int
              returned: when there was one
              sample: 200
            detail:
              description: What happened.
              type: str
              returned: always
              sample: "tlsv13 alert certificate required"
            identity:
              description: The SPIFFE identity in the server's certificate.
              type: str
              returned: when a certificate was shown
              sample: spiffe://cluster.local/ns/demo/sa/service-a
            issuer:
              description: Who issued it.
              type: str
              returned: when a certificate was shown
              sample: organizationName=cluster.local
            not_before:
              description: From when it is valid.
              type: str
              returned: when a certificate was shown
              sample: Nov 22 14:58:00 2026 GMT
            not_after:
              description: Until when it is valid.
              type: str
              returned: when a certificate was shown
              sample: Nov 23 15:00:00 2026 GMT
            serial:
              description: Its serial number.
              type: str
              returned: when a certificate was shown
              sample: 2BD9A3F1C07E4D6A
            version:
              description: The version of TLS.
              type: str
              returned: when a certificate was shown
              sample: TLSv1.3
            alpn:
              description: The application protocol that the server chose.
              type: str
              returned: when there was one
              sample: istio
            verified:
              description: Whether the mesh's root certificate verifies it.
              type: bool
              returned: when that could be tried
              sample: true
            verify_detail:
              description: Why it is not verified.
              type: str
              returned: when it is not
              sample: the mesh's root certificate could not be read
    inside:
      description: What a client inside the mesh met.
      type: dict
      returned: always
      contains:
        request:
          description:
            - What an ordinary request through a sidecar met. V(answered), V(refused), V(timeout), V(error) or
              V(not_asked).
          type: str
          returned: always
          sample: answered
        status:
          description: The HTTP status of the answer.
          type: int
          returned: when there was one
          sample: 200
        detail:
          description: What happened.
          type: str
          returned: always
          sample: HTTP 200
        mtls:
          description:
            - What a mutual TLS handshake met that used the probe's own mesh certificate, past its sidecar; with an
              ambient pod that of its tunnel, of which the detail says V(HBONE).
          type: dict
          returned: always
          contains:
            result:
              description:
                - V(accepted); V(rejected) when the server did not take the probe's certificate; V(untrusted) when the
                  mesh's root does not verify the server's; otherwise V(no_tls), V(alert), V(refused), V(timeout),
                  V(blocked), V(error) or V(not_asked).
              type: str
              returned: always
              sample: accepted
            status:
              description: The HTTP status of an answer over this connection.
              type: int
              returned: when there was one
              sample: 200
            detail:
              description: What happened.
              type: str
              returned: always
              sample: "HTTP 200"
            identity:
              description: The SPIFFE identity in the server's certificate.
              type: str
              returned: when a certificate was shown
              sample: spiffe://cluster.local/ns/demo/sa/service-a
            issuer:
              description: Who issued it.
              type: str
              returned: when a certificate was shown
              sample: organizationName=cluster.local
            not_before:
              description: From when it is valid.
              type: str
              returned: when a certificate was shown
              sample: Nov 22 14:58:00 2026 GMT
            not_after:
              description: Until when it is valid.
              type: str
              returned: when a certificate was shown
              sample: Nov 23 15:00:00 2026 GMT
            serial:
              description: Its serial number.
              type: str
              returned: when a certificate was shown
              sample: 2BD9A3F1C07E4D6A
            version:
              description: The version of TLS.
              type: str
              returned: when a certificate was shown
              sample: TLSv1.3
            alpn:
              description: The application protocol that the server chose.
              type: str
              returned: when there was one
              sample: istio
            verified:
              description: Whether the mesh's root certificate verifies it.
              type: bool
              returned: when that could be tried
              sample: true
            verify_detail:
              description: Why it is not verified.
              type: str
              returned: when it is not
              sample: the mesh's root certificate could not be read
    endpoints:
      description: The same for each endpoint that was asked.
      type: list
      elements: dict
      returned: always
      sample:
        - address: 10.244.0.12
          port: 8080
          pod: service-a-6f7c9d8b5-x2k4p
          plaintext: refused
          tls: handshake
          mtls: accepted
          identity: spiffe://cluster.local/ns/demo/sa/service-a
          identity_verified: true
          identity_expected: spiffe://cluster.local/ns/demo/sa/service-a
          identity_fits: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import answers as wire_answers
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import plan
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._source import wire
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import PROBE, ProbeOptions


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={**api.ARGUMENT_SPEC, **PROBE},
        required_one_of=[("targets", "target_namespaces")],
        supports_check_mode=True,
    )
    with edge.reported(module, "asking the mesh from pods"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Find the targets, ask them, judge the answers."""
    module.no_log_values.update(api.secrets_of(module.params))
    options = ProbeOptions.of(module.params)
    try:
        cluster = api.connect(module.params)
        targets = wire.find_targets(cluster, options)
        probed = bool(targets) and not module.check_mode
        hide = module.no_log_values.add
        heard = wire.ask(cluster, options, targets, module.warn, hide) if probed else wire.NOTHING
    except (api.ClusterError, plan.TargetError) as error:
        module.fail_json(msg=str(error))
    except api.Interrupted as error:
        module.fail_json(msg=f"The probe was {error}; its pods have been removed.")
    results = wire.judged(options, targets, heard, {})
    if module.check_mode:
        for result in results:
            result["reason"] = "Check mode: this would be asked."
    module.exit_json(changed=False, probed=probed, targets=results, summary=wire_answers.count(results))


if __name__ == "__main__":
    main()
