#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: Judge a whole mesh, of any size, into a file
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Reads and judges a mesh as M(meshproof.mtls.status_info) does, writes the whole result into a file, and returns no
    more than fits on a screen. This is the module for big meshes and for jobs whose log others have to read.
  - It sends one request for each page of each kind, and none for a single object. It needs get and list rights only, as
    the ClusterRole C(meshproof-reader) has them that this collection ships, and writes nothing into the cluster.
  - What it could not read makes the answers that depend on it unknown, never secure.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._declared
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.action_group
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
    details:
      - The mesh is read and judged; the file is not written.
  diff_mode:
    support: full
    details:
      - Shows the counts before and after, not the file.
  idempotent:
    support: full
    details:
      - While the mesh gives the same answers the file stays as it is.
options:
  dest:
    description:
      - A file for the whole result, on the host that this runs on. It is JSON with one row to a line, compressed when
        the name ends in C(.gz), and takes the place of an older one in one step.
      - Its C(time) says when this result was first found; a later run with the same result leaves the file alone.
      - Without O(namespaces) and O(rules), a set of C(client_sets) that holds most workloads is written as
        C({"all_but":[…]}), the workloads that it lacks.
      - Its folder must exist.
      - Only its owner can read it, unless O(mode) says otherwise, because it shows how a cluster is built and where it
        is open. The mode of a file that is there is narrowed to that, too.
    type: path
  sources:
    description:
      - Where to ask beside the policies, which are always read.
      - V(programmed) asks the proxies themselves, see M(meshproof.mtls.proxy_info); V(observed) asks the wire from pods
        of its own, see M(meshproof.mtls.probe), and is left out in check mode; V(traffic) asks telemetry, see
        M(meshproof.mtls.traffic_info).
      - A source that cannot be asked does not fail the module. RV(seen) says why, and what it would have told is
        V(unknown). With O(snapshot) no other source is asked.
    type: list
    elements: str
    choices: [declared, programmed, observed, traffic]
    default: [declared]
  proxies:
    description: How V(programmed) is asked.
    type: dict
    suboptions:
      sample:
        description: How many pods of each workload.
        type: int
        default: 1
      all:
        description: Whether to ask every pod.
        type: bool
        default: false
      side_by_side:
        description: How many proxies at a time.
        type: int
        default: 16
      timeout:
        description: Seconds for each proxy.
        type: float
        default: 15
      total_timeout:
        description: Seconds for all proxies together, by default in proportion to how many they are.
        type: float
      max_bytes:
        description: How long one answer may be.
        type: int
        default: 16777216
      settle:
        description:
          - For how many seconds proxies that contradict the policies are asked again. After a change they get their
            new configuration within seconds, and only what stays is a finding.
        type: int
        default: 10
  probe:
    description: How V(observed) is asked, with the options of M(meshproof.mtls.probe).
    type: dict
    suboptions:
      target_namespaces:
        description:
          - Namespaces whose Services are asked; by default those of O(namespaces), else all that have a workload in the
            mesh or a label that enrols them.
        type: list
        elements: str
        default: []
      pod_ports:
        description: Whether to ask every declared port of the pods behind the Services, too.
        type: bool
        default: false
      namespace:
        description: The namespace for the probe's pods.
        type: str
        default: meshproof-probe
      inside_namespace:
        description: Another namespace for the pod inside the mesh.
        type: str
        default: ""
      image:
        description: The image of the probe's pods, with C(python3).
        type: str
        default: python:3.13-alpine
      image_pull_secrets:
        description: Names of pull secrets.
        type: list
        elements: str
        default: []
      outside:
        description: Whether to ask from outside the mesh.
        type: bool
        default: true
      inside:
        description: Whether to ask from inside the mesh.
        type: bool
        default: true
      identities:
        description: Which bad certificates are shown to the servers.
        type: list
        elements: str
        choices: [wrong, expired]
        default: [wrong]
      revision:
        description: The revision that injects the pod inside the mesh; by default one that the targets have.
        type: str
        default: ""
      max_endpoints:
        description: How many endpoints of each Service port are asked.
        type: int
        default: 10
      step_timeout:
        description: Seconds for one step of one question.
        type: int
        default: 5
      timeout:
        description: Seconds for the pods to be scheduled, to start, to ask and to end.
        type: int
        default: 180
  traffic:
    description: How V(traffic) is asked, with the options of M(meshproof.mtls.traffic_info).
    type: dict
    suboptions:
      source:
        description: From a Prometheus or from access logs.
        type: str
        choices: [prometheus, access_log]
        default: prometheus
      prometheus:
        description: Where the Prometheus is.
        type: dict
        suboptions:
          url:
            description: Its URL.
            type: str
          service:
            description: A Service, reached through the API server, as C(namespace/name:port).
            type: str
          token:
            description: A bearer token, for a URL only.
            type: str
          ca_path:
            description: A file with the CA that verifies the URL's certificate.
            type: path
          validate_certs:
            description: Whether to verify the URL's certificate.
            type: bool
            default: true
          timeout:
            description: So many seconds each answer may take.
            type: int
            default: 30
      window:
        description: Look so far back.
        type: str
        default: 1h
      workloads:
        description: Only traffic to these workloads.
        type: list
        elements: str
        default: []
      min_requests:
        description: With fewer requests a row is no evidence of mutual TLS.
        type: int
        default: 1
      tail_lines:
        description: So many lines are read of each log at most.
        type: int
        default: 10000
      total_timeout:
        description: Seconds for all logs, or all questions to a Prometheus, together.
        type: int
  authority_days:
    description: With fewer days left the certificate of an authority is a finding.
    type: int
    default: 60
  limit:
    description: How many findings and how many unknowns to return at most. The file always has them all.
    type: int
    default: 20
seealso:
  - module: meshproof.mtls.status_info
  - module: meshproof.mtls.probe
"""

EXAMPLES = r"""
- name: Compare what is declared with what the proxies run with and what the wire answers
  meshproof.mtls.audit:
    sources: [declared, programmed, observed]
    dest: /var/tmp/mesh-audit.json.gz
  register: audit

- name: Show the ports that are not as the policies say
  ansible.builtin.debug:
    msg: "{{ document.findings | selectattr('id', 'in', ['MTLS-101', 'MTLS-102', 'MTLS-106']) }}"

- name: Judge the mesh
  meshproof.mtls.audit:
    dest: /var/tmp/mesh-audit.json.gz
  register: audit

- name: Show how many workloads and edges are how secure
  ansible.builtin.debug:
    var: document.summary

- name: Refuse to go on while there is a finding of high severity
  ansible.builtin.assert:
    that: document.summary.findings.by_severity.high | default(0) == 0

- name: Judge a snapshot that was taken elsewhere, by rules of one's own, too
  meshproof.mtls.audit:
    snapshot: ./evidence/mesh.snapshot.gz
    dest: ./evidence/audit.json.gz
    rules:
      - name: nothing in plaintext
        expression: edges[?verdict=='plaintext'].[service, reason]
  register: audit

- name: Judge two namespaces with a token that has rights there only
  meshproof.mtls.audit:
    host: https://198.18.0.1:6443
    api_key: "{{ token }}"
    ca_cert: /etc/ssl/cluster-ca.pem
    read_namespaces:
      - demo
      - shop
    dest: /var/tmp/mesh-audit.json
"""

RETURN = r"""
dest:
  description: The file with the whole result.
  returned: when O(dest) is given
  type: str
  sample: /var/tmp/mesh-audit.json.gz
sources:
  description: Where was asked.
  returned: success
  type: list
  elements: str
  sample: [declared]
seen:
  description: How much each source saw.
  returned: when another source than V(declared) is asked
  type: dict
  sample:
    declared: {state: seen, detail: all that was read could be judged}
    programmed: {state: seen, detail: 2 of 2 proxies that were asked answered; the mesh has 2}
    observed: {state: partly, detail: 1 of 2 ports answered clearly}
    traffic: {state: not asked, detail: ''}
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
      returned: always
      sample: ["1.31.1"]
snapshot:
  description: Which file was judged instead of a cluster, see M(meshproof.mtls.status_info).
  returned: when O(snapshot) is given
  type: dict
  sample:
    path: ./evidence/mesh.snapshot.gz
    format: snapshot
    time: '2026-01-31T12:00:00Z'
    uid: 7b2f6b0a-3d0e-4a8e-9a56-0f6f0c3c9f11
    complete: false
    missing: []
rules:
  description: What each of the rules says, see M(meshproof.mtls.status_info).
  returned: when O(rules) is given
  type: list
  elements: dict
  sample:
    - name: nothing in plaintext
      severity: error
      passed: true
      count: 0
      message: ''
      examples: []
mesh:
  description: The mesh configuration.
  returned: success
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
summary:
  description: Counts of workloads by mode and by mesh, of edges by verdict, of findings by severity, and of unknowns.
  returned: success
  type: dict
  sample:
    workloads: {total: 3, by_mode: {STRICT: 2, none: 1}, by_mesh: {none: 1, sidecar: 2}}
    edges: {total: 4, by_verdict: {mtls: 4}}
    findings: {total: 1, by_severity: {medium: 1}}
    unknown: 0
findings:
  description: The first O(limit) findings, the severest before all others.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding this is.
      type: str
      returned: always
      sample: MTLS-006
    severity:
      description: V(high), V(medium), V(low) or V(info).
      type: str
      returned: always
      sample: medium
    object:
      description: Where it was found.
      type: str
      returned: always
      sample: demo/Deployment/service-a
    message:
      description: What was found.
      type: str
      returned: always
      sample: demo/Deployment/service-a is PERMISSIVE and accepts plaintext
    fix:
      description: What to do.
      type: str
      returned: always
      sample: Set STRICT once its clients are in the mesh.
findings_by_id:
  description: How many findings there are of each kind.
  returned: success
  type: dict
  sample: {MTLS-006: 1}
unknown:
  description: The first O(limit) things that could not be read or judged, and which answers each of them touches.
  returned: success
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
    name:
      description: The object, where it is a single one.
      type: str
      returned: always
      sample: default
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
"""

import gzip
from datetime import datetime, timezone
from functools import lru_cache

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils import _snapshot as snapshots
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import reading as audits
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.compressed import inflated
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge, files
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import rules
from ansible_collections.meshproof.mtls.plugins.module_utils._source import declared as source
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh, reading
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import (
    IN_AUDIT,
    PolicyOptions,
    ProbeOptions,
    ProxyOptions,
    TrafficOptions,
)

OFFLINE = "a file is judged instead of a cluster, and it has policies only; leave the snapshot out to ask a live mesh"


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            **source.ARGUMENT_SPEC,
            "dest": {"type": "path"},
            "sources": {
                "type": "list",
                "elements": "str",
                "choices": ["declared", "programmed", "observed", "traffic"],
                "default": ["declared"],
            },
            **IN_AUDIT,
            "authority_days": {"type": "int", "default": 60},
            "limit": {"type": "int", "default": 20},
            "rules": rules.ARGUMENT_SPEC,
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    with edge.reported(module, "reading and judging the mesh"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read, ask, judge, write, return what is short."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    module.no_log_values.update(TrafficOptions.of(params["traffic"]).secrets())
    problem = problem_of(params)
    if problem:  # known before a big mesh is read for it
        module.fail_json(msg=problem)
    try:
        gates = rules.compiled(params["rules"])  # a wrong rule is known before anything is read
        with reading.collector_paused():  # until the end: nothing of this is garbage before
            result = audited(module, bool(gates))
            if gates:
                result["rules"] = rules.judged(gates, result)
            changes = write(module, result) if params["dest"] else {"changed": False}
    except (api.ClusterError, snapshots.SnapshotError, rules.RuleError) as error:
        module.fail_json(msg=str(error))
    except api.Interrupted as error:
        module.fail_json(msg=f"The audit was {error}; the probe's pods have been removed.")
    for warning in mesh.version_warnings(result["cluster"]):
        module.warn(warning)
    module.exit_json(
        **changes,
        sources=params["sources"],
        cluster=result["cluster"],
        mesh=result["mesh"],
        summary=result["summary"],
        findings=document.worst(result["findings"], params["limit"]),
        findings_by_id=document.by_id(result["findings"]),
        unknown=result["unknown"][: params["limit"]],
        **{name: result[name] for name in ("seen", "snapshot", "rules") if name in result},
    )


def problem_of(params: dict) -> str:
    """What is wrong with the options; empty when nothing is."""
    if params["limit"] < 0:
        return "The option limit is negative. Remedy: give the number of findings to return, 0 for none."
    if "declared" not in params["sources"]:
        return "The sources are compared with what is declared. Remedy: add declared to the option sources."
    telemetry = params["traffic"]
    if "traffic" in params["sources"] and telemetry["source"] == "prometheus" and not telemetry["prometheus"]:
        return "The source traffic needs a Prometheus. Remedy: give traffic.prometheus with url or service."
    return files.why_not_there(params["dest"], "audit.json.gz") if params["dest"] else ""


def audited(module: AnsibleModule, has_rules: bool) -> dict:
    """The result as the file has it, but for the rules."""
    params = module.params
    connect = lru_cache(maxsize=1)(lambda: api.connect(params))  # one connection for the whole run
    declared, beside = source.read(PolicyOptions.of(params), connect, module.warn)
    if set(params["sources"]) == {"declared"}:
        # Rules see the result as status_info has it, and sets lack something only where all workloads are listed.
        compact = not has_rules and not params["namespaces"]
        return {**mesh.narrow(declared.judged(compact=compact), params["namespaces"]), **beside}
    # Not above: what an audit of policies alone does not need costs it a tenth of its time.
    from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison import audit as comparison
    from ansible_collections.meshproof.mtls.plugins.module_utils._source import evidence

    whole = declared.judged()
    addresses = declared.addresses(whole["workloads"])
    asking = evidence.Asking(
        params["sources"],
        params["namespaces"],
        ProxyOptions.of(params["proxies"]),
        ProbeOptions.of(params["probe"]),
        TrafficOptions.of(params["traffic"]),
        connect,
        module.check_mode,
        module.warn,
        module.no_log_values.add,
        addresses,
        OFFLINE if params["snapshot"] else "",
    )
    found = evidence.gather(whole, asking)
    return comparison.compared(
        {**mesh.narrow(whole, params["namespaces"]), **beside},
        whole["workloads"],
        found,
        addresses,
        datetime.now(timezone.utc),
        params["authority_days"],
    )


def write(module: AnsibleModule, result: dict) -> dict:
    """Write the whole result unless the file says the same already."""
    dest = module.params["dest"]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = document.document(result, now, module.params["sources"])
    old = read_file(module, dest)
    changed = old is None or not document.same(old, new)
    answer = {"changed": changed, "dest": dest}
    if module._diff and changed:
        answer["diff"] = {
            "before": document.counts(old or ""),
            "after": document.counts(new),
            "before_header": dest,
            "after_header": dest,
        }
    if changed and not module.check_mode:
        data = new.encode()
        files.replace(module, dest, gzip.compress(data, 6, mtime=0) if dest.endswith(".gz") else data)
    answer["changed"] = files.settle(module, dest, changed)
    return answer


def read_file(module: AnsibleModule, path: str) -> str | None:
    """The document that is there, None where there is none; what cannot be read as one is replaced."""
    try:
        data = files.read(path, audits.MOST_BYTES)
        return (inflated(data, audits.MOST_BYTES) if path.endswith(".gz") else data).decode()
    except FileNotFoundError:
        return None
    except (files.TooBig, Unreadable, UnicodeDecodeError):
        return ""
    except OSError as error:
        module.fail_json(msg=f"The file {path} cannot be read: {error.strerror}. Remedy: choose another for dest.")


if __name__ == "__main__":
    main()
