#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: status_info
short_description: Say what the policies of an Istio mesh mean for mutual TLS
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Reads the objects that decide about mutual TLS and evaluates them as Istio does, for each workload and port, and for
    each kind of client and server.
  - With O(proposed) it answers for the mesh as it would be after these changes, and lists what would differ.
  - It needs get and list rights only, as the ClusterRole C(meshproof-reader) has them that this collection ships, and
    writes nothing. What it could not read makes the answers that depend on it unknown, never secure.
  - With O(snapshot) it answers from a file, without any cluster.
  - It says what is declared. What the wire answers is for M(meshproof.mtls.probe) to say.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._declared
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  proposed:
    description: Changes to evaluate as if they had been made.
    type: list
    elements: dict
    default: []
    suboptions:
      op:
        description: Whether to add or replace the object, or to delete it.
        type: str
        choices: [apply, delete]
        default: apply
      manifest:
        description: The object; to delete it, its kind, namespace and name are enough.
        type: dict
        required: true
  detail:
    description:
      - V(full) returns everything, V(summary) only RV(mesh), RV(findings), RV(unknown), RV(summary), RV(changes) and
        RV(cluster), which stays short in a mesh of any size.
      - V(connection) reads nothing of the mesh. It only says which cluster answers, or why none does; the roles begin
        with it.
    type: str
    choices: [connection, summary, full]
    default: summary
seealso:
  - module: meshproof.mtls.probe
  - module: meshproof.mtls.snapshot
"""

EXAMPLES = r"""
- name: Read the mesh
  meshproof.mtls.status_info:
  register: mesh

- name: Show how many workloads and edges are how secure
  ansible.builtin.debug:
    var: mesh.summary

- name: Read everything about the namespace demo
  meshproof.mtls.status_info:
    namespaces:
      - demo
    detail: full
  register: demo

- name: Refuse to go on while a port of demo accepts plaintext
  ansible.builtin.assert:
    that: demo.workloads | map(attribute='ports') | flatten | selectattr('plaintext', 'ne', 'refused') | length == 0

- name: See what STRICT would break before it is set
  meshproof.mtls.status_info:
    proposed:
      - op: apply
        manifest:
          apiVersion: security.istio.io/v1
          kind: PeerAuthentication
          metadata:
            name: default
            namespace: demo
          spec:
            mtls:
              mode: STRICT
  register: after

- name: Show the edges and ports whose answer would change
  ansible.builtin.debug:
    var: after.changes

- name: Read with a token that has rights in two namespaces only
  meshproof.mtls.status_info:
    host: https://198.18.0.1:6443
    api_key: "{{ token }}"
    ca_cert: /etc/ssl/cluster-ca.pem
    read_namespaces:
      - demo
      - istio-system

- name: Judge a snapshot that was taken elsewhere
  meshproof.mtls.status_info:
    snapshot: ./evidence/mesh.snapshot.gz
  register: mesh

- name: Judge the folder of manifests that a cluster is made from, before it is
  meshproof.mtls.status_info:
    snapshot: ./clusters/production
    snapshot_complete: true
  register: mesh

- name: Ask two questions of one's own
  meshproof.mtls.status_info:
    rules:
      - name: payments is STRICT
        expression: workloads[?namespace=='payments' && mode!='STRICT'].[id, mode]
        message: "{count} workloads of payments are not STRICT"
      - name: no policy from the old team
        expression: workloads[?policy=='istio-system/legacy'].id
        severity: warning
  register: mesh

- name: Stop when one of them is violated
  ansible.builtin.assert:
    that: mesh.rules | rejectattr('passed') | selectattr('severity', 'eq', 'error') | length == 0
    fail_msg: "{{ mesh.rules | map(attribute='message') | select | join('\n') }}"
"""

RETURN = r"""
cluster:
  description: Which cluster answered.
  returned: success
  type: dict
  contains:
    server:
      description: The API server's URL.
      type: str
      returned: always
      sample: https://198.18.0.1:6443
    kubernetes_version:
      description: The API server's version.
      type: str
      returned: always
      sample: v1.35.4
    istio_versions:
      description: The versions of the control planes that were found.
      type: list
      elements: str
      returned: unless O(detail=connection)
      sample: ["1.31.1"]
snapshot:
  description: Which file was judged instead of a cluster.
  returned: when O(snapshot) is given
  type: dict
  contains:
    path:
      description: The file or folder.
      type: str
      returned: always
      sample: ./evidence/mesh.snapshot.gz
    format:
      description: V(snapshot), or V(dump) for plain manifests.
      type: str
      returned: always
      sample: snapshot
    time:
      description: When the cluster was read; empty for a dump, which does not say it.
      type: str
      returned: always
      sample: '2026-01-31T12:00:00Z'
    uid:
      description: What tells clusters apart, the uid of the namespace kube-system; empty where it is not known.
      type: str
      returned: always
      sample: 7b2f6b0a-3d0e-4a8e-9a56-0f6f0c3c9f11
    complete:
      description: Whether O(snapshot_complete) was said of a dump.
      type: bool
      returned: always
      sample: false
    missing:
      description: The kinds that a dump lacks, which count as unread, each with the command that dumps it.
      type: list
      elements: dict
      returned: always
      sample:
        - kind: Sidecar.networking.istio.io
          command: kubectl get --raw /apis/networking.istio.io/v1/sidecars > sidecars.networking.istio.io.json
rules:
  description: What each of the rules says.
  returned: when O(rules) is given, unless O(detail=connection)
  type: list
  elements: dict
  contains:
    name:
      description: The rule's name.
      type: str
      returned: always
      sample: payments is STRICT
    severity:
      description: V(error) or V(warning).
      type: str
      returned: always
      sample: error
    passed:
      description: Whether its expression selected nothing.
      type: bool
      returned: always
      sample: false
    count:
      description: How many violations there are.
      type: int
      returned: always
      sample: 1
    message:
      description: The rule's message with a few examples; empty when it passed.
      type: str
      returned: always
      sample: "1 workloads of payments are not STRICT: payments/Deployment/a PERMISSIVE"
    examples:
      description: The first violations as the expression selected them.
      type: list
      elements: raw
      returned: always
      sample: [[payments/Deployment/a, PERMISSIVE]]
mesh:
  description: The mesh configuration.
  returned: unless O(detail=connection)
  type: dict
  contains:
    revisions:
      description: One item for each control plane revision.
      type: list
      elements: dict
      returned: always
      sample:
        - name: default
          root_namespace: istio-system
          auto_mtls: true
          trust_domain: cluster.local
          namespace: istio-system
          version: 1.31.1
          tags: [prod]
workloads:
  description: Every workload with what its ports accept.
  returned: when O(detail=full)
  type: list
  elements: dict
  contains:
    id:
      description: A name for this item that is unique in the answer.
      type: str
      returned: always
      sample: demo/Deployment/service-a
    namespace:
      description: Its namespace.
      type: str
      returned: always
      sample: demo
    kind:
      description: The kind of its top owner.
      type: str
      returned: always
      sample: Deployment
    name:
      description: The name of its top owner.
      type: str
      returned: always
      sample: service-a
    pods:
      description: Its pods.
      type: list
      elements: str
      returned: always
      sample: [service-a-6f7c9d8b5-x2k4p]
    predicted:
      description: V(true) for a Deployment without pods, judged by its template.
      type: bool
      returned: always
      sample: false
    lacks_proxy:
      description:
        - V(true) where the labels ask for a proxy, nothing opts out of it, and the pods have none. They are older than
          the label, or no webhook answers it.
      type: bool
      returned: always
      sample: false
    identity:
      description:
        - The SPIFFE identity that its certificates must have, by its control plane's trust domain, its namespace and
          its pods' service account; null outside the mesh, without pods, and where the trust domain cannot be told.
      type: str
      returned: always
      sample: spiffe://cluster.local/ns/demo/sa/service-a
    identity_aliases:
      description: The same identity in the mesh's C(trustDomainAliases), which its certificates may have as well.
      type: list
      elements: str
      returned: always
      sample: []
    revision:
      description: The control plane revision that it belongs to.
      type: str
      returned: always
      sample: default
    mesh:
      description: V(sidecar), V(ambient), V(gateway) or V(none).
      type: str
      returned: always
      sample: sidecar
    mode:
      description: V(STRICT), V(PERMISSIVE), V(DISABLE), V(unknown), or null where no proxy enforces one.
      type: str
      returned: always
      sample: STRICT
    policy:
      description: The PeerAuthentication that decides, as C(namespace/name).
      type: str
      returned: always
      sample: demo/default
    ports:
      description: Its TCP ports.
      type: list
      elements: dict
      returned: always
      contains:
        port:
          description: The container's port.
          type: int
          returned: always
          sample: 8080
        mode:
          description: The mode on this port.
          type: str
          returned: always
          sample: STRICT
        captured:
          description: V(false) where traffic to the port bypasses the proxy.
          type: bool
          returned: always
          sample: true
        plaintext:
          description: Whether plaintext is V(accepted) or V(refused) from any caller, or V(unknown).
          type: str
          returned: always
          sample: refused
        purpose:
          description: V(gateway) for a Gateway's server, V(health), V(metrics), V(hbone) or V(workload).
          type: str
          returned: of gateways and waypoints
          sample: gateway
        policy:
          description: The PeerAuthentication that excepts this port, as C(namespace/name).
          type: str
          returned: when it is another than the workload's
          sample: demo/metrics
client_sets:
  description: Clients that share every answer, by the name that RV(edges) uses.
  returned: when O(detail=full)
  type: dict
  sample: {"c1": ["demo/Deployment/service-b"]}
edges:
  description: Who reaches whom, and how. One item for each set of clients, destination, port, subset and endpoint.
  returned: when O(detail=full)
  type: list
  elements: dict
  contains:
    clients:
      description: The name of a set in RV(client_sets).
      type: str
      returned: always
      sample: c1
    service:
      description: The Service or ServiceEntry, as C(namespace/name).
      type: str
      returned: always
      sample: demo/service-a
    host:
      description: The name that clients dial.
      type: str
      returned: always
      sample: service-a.demo.svc.cluster.local
    port:
      description: The Service's port.
      type: int
      returned: always
      sample: 80
    subset:
      description: The DestinationRule's subset.
      type: str
      returned: when there is one
      sample: v1
    endpoint:
      description:
        - The workload's id; C(addr/) and an address for what is no pod; null where there is nothing behind the port.
      type: str
      returned: always
      sample: demo/Deployment/service-a
    client_tls:
      description:
        - V(mtls), V(plaintext), V(simple), V(mutual), V(hbone), or V(none) where no proxy takes part.
      type: str
      returned: always
      sample: mtls
    verdict:
      description: V(mtls), V(tls), V(plaintext), V(broken) or V(unknown).
      type: str
      returned: always
      sample: mtls
    state:
      description:
        - V(no_endpoint) where nothing is behind the port, so that the connection fails whatever TLS is used, and
          RV(edges[].verdict) is V(broken); else V(normal).
      type: str
      returned: always
      sample: normal
    reason:
      description: Why, in a sentence that names the objects that decide.
      type: str
      returned: always
      sample: auto-mTLS, and PeerAuthentication demo/default is STRICT
    part:
      description:
        - Whose part it is that a client's proxy sends plaintext. V(server) for its policy, V(endpoint) for one without
          a sidecar that decides for all, V(ztunnel) to what takes no HBONE, V(external) for a host outside the mesh
          for which no rule sets TLS, V(rule) for a DestinationRule whose C(tls) alone sends it; else empty.
      type: str
      returned: always
      sample: ''
injectors:
  description: The labels of namespaces that some webhook answers with a sidecar.
  returned: when O(detail=full)
  type: list
  elements: dict
  contains:
    label:
      description: The label, as C(name=value).
      type: str
      returned: always
      sample: istio-injection=enabled
    revision:
      description: The control plane revision whose sidecar it is; for a tag, the one that the tag stands for.
      type: str
      returned: always
      sample: default
namespaces:
  description: The namespaces with what is written on them.
  returned: when O(detail=full)
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: demo
    labels:
      description: Its labels.
      type: dict
      returned: always
      sample: {istio-injection: enabled}
    annotations:
      description: Its annotations.
      type: dict
      returned: always
      sample: {}
    phase:
      description: V(Active), or V(Terminating) while it is being deleted.
      type: str
      returned: always
      sample: Active
findings:
  description: What deserves attention. The ids are stable.
  returned: unless O(detail=connection)
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding this is.
      type: str
      returned: always
      sample: injection-annotation
    severity:
      description: How bad it is.
      type: str
      returned: always
      sample: warning
    object:
      description: Where it was found.
      type: str
      returned: always
      sample: Pod demo/legacy
    message:
      description: What was found.
      type: str
      returned: always
      sample: The annotation sidecar.istio.io/inject has no effect in a namespace without an injection label.
    fix:
      description: What to do.
      type: str
      returned: always
      sample: Use the label sidecar.istio.io/inject.
unknown:
  description: What could not be read or judged, and which answers that touches.
  returned: unless O(detail=connection)
  type: list
  elements: dict
  contains:
    kind:
      description: The kind that is missing.
      type: str
      returned: always
      sample: PeerAuthentication
    namespace:
      description: In which namespace, null for all.
      type: str
      returned: always
      sample: demo
    reason:
      description: Why.
      type: str
      returned: always
      sample: 'peerauthentications.security.istio.io is forbidden: User "auditor" cannot list …'
    touches:
      description: Which answers depend on it.
      type: str
      returned: always
      sample: modes, and edges to servers, that a policy there could decide
changes:
  description: Every edge and port whose answer differs.
  returned: when O(proposed) is given
  type: list
  elements: dict
  contains:
    what:
      description: V(edge) or V(port); beside it is what identifies it.
      type: str
      returned: always
      sample: port
    before:
      description: Its answer without the changes, null where it does not exist.
      type: dict
      returned: always
      sample: {mode: PERMISSIVE, plaintext: accepted}
    after:
      description: Its answer with them, null where it does not exist.
      type: dict
      returned: always
      sample: {mode: STRICT, plaintext: refused}
change_client_sets:
  description: The sets of clients that RV(changes) names.
  returned: when O(proposed) is given
  type: dict
  sample: {}
summary:
  description: Counts of workloads by mode and by mesh, of edges by verdict, of findings by severity.
  returned: unless O(detail=connection)
  type: dict
  sample:
    workloads: {total: 3, by_mode: {STRICT: 2, none: 1}, by_mesh: {none: 1, sidecar: 2}}
    edges: {total: 4, by_verdict: {mtls: 4}}
    findings: {total: 0, by_severity: {}}
    unknown: 0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils import _snapshot as snapshots
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import rules
from ansible_collections.meshproof.mtls.plugins.module_utils._source import declared as source
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import PolicyOptions

IN_SUMMARY = (
    "cluster",
    "snapshot",
    "mesh",
    "findings",
    "unknown",
    "summary",
    "changes",
    "change_client_sets",
    "rules",
)


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            **source.ARGUMENT_SPEC,
            "proposed": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "op": {"type": "str", "choices": ["apply", "delete"], "default": "apply"},
                    "manifest": {"type": "dict", "required": True},
                },
            },
            "detail": {"type": "str", "choices": ["connection", "summary", "full"], "default": "summary"},
            "rules": rules.ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    with edge.reported(module, "reading and judging the mesh"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read, evaluate, return."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    try:
        gates = rules.compiled(params["rules"])  # a wrong rule is known before anything is read
        if params["detail"] == "connection" and not params["snapshot"]:
            module.exit_json(changed=False, cluster=source.about(api.connect(params)))
        declared, beside = source.read(PolicyOptions.of(params), lambda: api.connect(params), module.warn)
        if params["detail"] == "connection":
            module.exit_json(changed=False, cluster=declared.cluster, **beside)
        result = {**mesh.narrow(declared.judged(params["proposed"]), params["namespaces"]), **beside}
        if gates:
            result["rules"] = rules.judged(gates, result)
    except (api.ClusterError, snapshots.SnapshotError, rules.RuleError) as error:
        module.fail_json(msg=str(error))
    except mesh.ProposalError as error:
        module.fail_json(msg=f"A proposed change cannot be evaluated: {error}. Remedy: correct the option proposed.")
    for warning in mesh.version_warnings(result["cluster"]):
        module.warn(warning)
    if params["detail"] == "summary":
        result = {name: result[name] for name in IN_SUMMARY if name in result}
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
