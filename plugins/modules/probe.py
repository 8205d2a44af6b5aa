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
  - Starts two pods of its own, one outside the mesh and one inside, lets them ask Services' ports, and removes them.
  - From outside it sends plaintext, and a TLS handshake without a client certificate, to the Service's address and to
    each endpoint. From inside it sends an ordinary request through a sidecar, and a mutual TLS handshake with the
    certificate that the mesh issued to the probe itself.
  - A target that was not asked, or whose answer is not clear, is V(unknown), never secure.
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
      - The Service ports to ask. Without it, every TCP port of every Service with a selector in O(target_namespaces).
    type: list
    elements: dict
    suboptions:
      service:
        description: The Service as C(namespace/name).
        type: str
        required: true
      port:
        description: The Service's port; without it every TCP port.
        type: int
  target_namespaces:
    description: Namespaces whose Services are asked.
    type: list
    elements: str
  namespace:
    description:
      - The namespace for the probe's pods. It is created when it is missing, and then removed again.
      - In a namespace that exists already only the pods are made and removed. The label V(istio-injection=disabled) on
        it would keep the pod inside the mesh from getting its sidecar.
    type: str
    default: meshproof-probe
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
  revision:
    description: The control plane's revision, or a revision tag, for the pod inside the mesh.
    type: str
    default: ""
  max_endpoints:
    description: How many endpoints of each Service port are asked; the result says when there were more.
    type: int
    default: 10
  timeout:
    description: Seconds for the pods to be scheduled, to start, to ask and to end.
    type: int
    default: 180
notes:
  - It needs the rights to read Services and EndpointSlices in the target namespaces, which the ClusterRole
    C(meshproof-reader) has, and to create, read and delete pods and to read their logs in O(namespace), which
    C(meshproof-prober) has; this collection ships both. Unless that namespace exists it must be allowed to create and
    delete it.
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
  description: One item for each Service port, sorted.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: The Service as C(namespace/name).
      type: str
      returned: always
      sample: demo/service-a
    port:
      description: The Service's port.
      type: int
      returned: always
      sample: 80
    verdict:
      description:
        - V(strict) when plaintext from outside was refused and a client inside the mesh was answered.
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
    outside:
      description: What a client without a mesh certificate met.
      type: dict
      returned: always
      contains:
        plaintext:
          description: V(answered), V(refused), V(timeout), V(error) or V(not_asked); the worst of all addresses.
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
                  V(error) or V(not_asked).
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
          description: What a mutual TLS handshake met that used the probe's own mesh certificate, past its sidecar.
          type: dict
          returned: always
          contains:
            result:
              description:
                - V(accepted); V(rejected) when the server did not take the probe's certificate; V(untrusted) when the
                  mesh's root does not verify the server's; otherwise V(no_tls), V(alert), V(refused), V(timeout),
                  V(error) or V(not_asked).
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
"""

import inspect
import secrets
import ssl
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence import (
    probe_plan,
    probe_pods,
    wire,
    wire_answers,
)

SERVICES = api.Kind("", "v1", "services", "Service")
SLICES = api.Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CONFIG_MAPS = api.Kind("", "v1", "configmaps", "ConfigMap")
ROOT_CERTIFICATE = "istio-ca-root-cert"
# A pod's manifest, which carries the questions, must stay below what the API server stores.
MOST_ASKS = 4000


def main() -> None:
    """Find the targets, ask them, judge the answers."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENT_SPEC,
            "targets": {
                "type": "list",
                "elements": "dict",
                "options": {"service": {"type": "str", "required": True}, "port": {"type": "int"}},
            },
            "target_namespaces": {"type": "list", "elements": "str"},
            "namespace": {"type": "str", "default": "meshproof-probe"},
            "image": {"type": "str", "default": "python:3.13-alpine"},
            # Names of Secrets, not secrets.
            "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "outside": {"type": "bool", "default": True},
            "inside": {"type": "bool", "default": True},
            "revision": {"type": "str", "default": ""},
            "max_endpoints": {"type": "int", "default": 10},
            "timeout": {"type": "int", "default": 180},
        },
        required_one_of=[("targets", "target_namespaces")],
        supports_check_mode=True,
    )
    module.no_log_values.update(api.secrets_in(module.params["kubeconfig"]))
    try:
        cluster = api.connect(module.params)
        targets = find_targets(cluster, module.params)
        probed = bool(targets) and not module.check_mode
        answers = ask(cluster, module.params, targets) if probed else (None, None, None)
    except (api.ClusterError, probe_plan.TargetError) as error:
        module.fail_json(msg=str(error))
    except api.Interrupted as error:
        module.fail_json(msg=f"The probe was {error}; its pods have been removed.")
    results = wire_answers.judge(targets, *answers)
    if module.check_mode:
        for result in results:
            result["reason"] = "Check mode: this would be asked."
    module.exit_json(changed=False, probed=probed, targets=results, summary=wire_answers.count(results))


def find_targets(cluster: api.Cluster, params: dict[str, Any]) -> list[probe_plan.Target]:
    """Read the Services and EndpointSlices of the namespaces that matter, and choose from them."""
    wanted = params["targets"] or []
    for item in wanted:
        if item["service"].count("/") != 1:
            raise probe_plan.TargetError(
                f"The target {item['service']} names no namespace. Remedy: write it as namespace/name."
            )
    namespaces = [item["service"].split("/", 1)[0] for item in wanted] or params["target_namespaces"]
    resources, unread = api.read(cluster, [api.Selection(SERVICES), api.Selection(SLICES)], namespaces)
    if unread:
        gap = unread[0]
        raise probe_plan.TargetError(
            f"{gap['kind']}s of the namespace {gap['namespace']} cannot be read: {gap['reason']}. Remedy: ask for a "
            "role that may; the ClusterRole meshproof-prober that this collection ships does."
        )
    targets = probe_plan.find_targets(
        [item for item in resources if item["kind"] == "Service"],
        [item for item in resources if item["kind"] == "EndpointSlice"],
        wanted,
        params["max_endpoints"],
    )
    asks = len(probe_plan.outside_asks(targets))
    if asks > MOST_ASKS:
        raise probe_plan.TargetError(
            f"{asks} addresses are too many for one probe, which asks {MOST_ASKS} at most. Remedy: choose fewer "
            "namespaces at a time, or lower max_endpoints."
        )
    return targets


def ask(cluster: api.Cluster, params: dict[str, Any], targets: list[probe_plan.Target]) -> tuple[Any, Any, Any]:
    """Run the pods and return the answers: from outside, of requests from inside, of handshakes from inside."""
    run = probe_pods.Run(
        secrets.token_hex(4), params["namespace"], params["image"], params["image_pull_secrets"], params["timeout"]
    )
    script = inspect.getsource(wire)
    outside, inside = run.pod_name("outside"), run.pod_name("inside")
    wanted = {}
    with api.ShortLivedPods(cluster, run.namespace, probe_pods.OURS, probe_pods.RUN, run.identifier) as pods:
        if params["outside"]:
            roots = root_certificates(cluster, {target.namespace for target in targets})
            pods.start(probe_pods.outside_pod(run, script, probe_plan.outside_asks(targets), roots))
            wanted[outside] = [probe_pods.OUTSIDE]
        if params["inside"]:
            manifest = probe_pods.inside_pod(
                run, script, probe_plan.request_asks(targets), probe_plan.handshake_asks(targets), params["revision"]
            )
            require_sidecar(pods.start(manifest))
            wanted[inside] = [probe_pods.REQUEST, probe_pods.HANDSHAKE]
        pods.clear_leftovers()
        pods.wait(wanted, run.timeout, probe_pods.is_finished, probe_pods.problem_of, probe_pods.hindrance_of)
        logs = {container: pods.log(pod, container) for pod, containers in wanted.items() for container in containers}
    for container, log in logs.items():
        complaint = wire_answers.complaint(log)
        if complaint and not wire_answers.parse(log):
            raise api.ClusterError(
                f"The probe's container {container} could not ask anything: {complaint}. Remedy: the image "
                f"{run.image} must have python3, version 3.10 or newer."
            )
    answers = {container: wire_answers.parse(log) for container, log in logs.items()}
    return answers.get(probe_pods.OUTSIDE), answers.get(probe_pods.REQUEST), answers.get(probe_pods.HANDSHAKE)


def require_sidecar(pod: dict[str, Any]) -> None:
    """A pod without sidecar asks from outside, and would call a plaintext answer one from inside the mesh."""
    if not probe_pods.has_sidecar(pod):
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        raise api.ClusterError(
            f"The pod {name} came up without istio-proxy: no injection webhook took it. Remedy: check that istiod is "
            "running and its MutatingWebhookConfiguration exists; with revisions set the option revision; and choose a "
            "namespace without the label istio-injection=disabled."
        )


def root_certificates(cluster: api.Cluster, namespaces: Iterable[str]) -> str:
    """The mesh's root certificates as the target namespaces have them; empty where they cannot be read."""
    roots = set()
    for namespace in sorted(namespaces):
        try:
            found = cluster.get(CONFIG_MAPS.path(namespace, ROOT_CERTIFICATE))
        except api.ClusterError as error:
            if error.missing or error.forbidden:  # then the chain is reported as not verified
                continue
            raise
        text = (found.get("data") or {}).get("root-cert.pem", "")
        if is_pem(text):
            roots.add(text.strip())
    return "\n".join(sorted(roots))


def is_pem(text: str) -> bool:
    """Whether TLS can use these certificates as roots."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
