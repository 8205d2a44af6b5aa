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
    type: path
  sources:
    description: Where to ask. V(declared) is what the policies say.
    type: list
    elements: str
    choices: [declared]
    default: [declared]
  limit:
    description: How many findings and how many unknowns to return at most. The file always has them all.
    type: int
    default: 20
seealso:
  - module: meshproof.mtls.status_info
  - module: meshproof.mtls.probe
"""

EXAMPLES = r"""
- name: Judge the mesh
  meshproof.mtls.audit:
    dest: /var/tmp/mesh-audit.json.gz
  register: audit

- name: Show how many workloads and edges are how secure
  ansible.builtin.debug:
    var: audit.summary

- name: Refuse to go on while there is a finding of high severity
  ansible.builtin.assert:
    that: audit.summary.findings.by_severity.high | default(0) == 0

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
import os
import tempfile
import zlib
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils import _snapshot as snapshots
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence import status
from ansible_collections.meshproof.mtls.plugins.module_utils._report import audit, rules
from ansible_collections.meshproof.mtls.plugins.module_utils._source import declared as source


def main() -> None:
    """Read, judge, write, return what is short."""
    module = AnsibleModule(
        argument_spec={
            **source.ARGUMENT_SPEC,
            "dest": {"type": "path"},
            "sources": {"type": "list", "elements": "str", "choices": ["declared"], "default": ["declared"]},
            "limit": {"type": "int", "default": 20},
            "rules": rules.ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    params = module.params
    module.no_log_values.update(api.secrets_in(params["kubeconfig"]))
    if params["limit"] < 0:
        module.fail_json(msg="The option limit is negative. Remedy: give the number of findings to return, 0 for none.")
    problem = snapshots.why_not_there(params["dest"], "audit.json.gz") if params["dest"] else ""
    if problem:  # known before a big mesh is read for it
        module.fail_json(msg=problem)
    try:
        gates = rules.compiled(params["rules"])  # a wrong rule is known before anything is read
        with api.collector_paused():  # until the end: nothing of this is garbage before
            declared, beside = source.read(params, module.warn)
            # Rules see the result as status_info has it, and sets lack something only where all workloads are listed.
            compact = not gates and not params["namespaces"]
            result = {**status.narrow(declared.judged(compact=compact), params["namespaces"]), **beside}
            if gates:
                result["rules"] = rules.judged(gates, result)
            changes = write(module, result) if params["dest"] else {"changed": False}
    except (api.ClusterError, snapshots.SnapshotError, rules.RuleError) as error:
        module.fail_json(msg=str(error))
    for warning in status.version_warnings(result["cluster"]):
        module.warn(warning)
    module.exit_json(
        **changes,
        sources=params["sources"],
        cluster=result["cluster"],
        mesh=result["mesh"],
        summary=result["summary"],
        findings=audit.worst(result["findings"], params["limit"]),
        findings_by_id=audit.by_id(result["findings"]),
        unknown=result["unknown"][: params["limit"]],
        **{name: result[name] for name in ("snapshot", "rules") if name in result},
    )


def write(module: AnsibleModule, result: dict) -> dict:
    """Write the whole result unless the file says the same already."""
    dest = module.params["dest"]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = audit.document(result, now, module.params["sources"])
    old = read_file(module, dest)
    changed = old is None or not audit.same(old, new)
    answer = {"changed": changed, "dest": dest}
    if module._diff and changed:
        answer["diff"] = {
            "before": audit.counts(old or ""),
            "after": audit.counts(new),
            "before_header": dest,
            "after_header": dest,
        }
    if changed and not module.check_mode:
        data = new.encode()
        descriptor, path = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(descriptor, "wb") as file:
            file.write(gzip.compress(data, 6, mtime=0) if dest.endswith(".gz") else data)
        module.atomic_move(path, dest)
    return answer


def read_file(module: AnsibleModule, path: str) -> str | None:
    """The document that is there, None where there is none; what cannot be read as one is replaced."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        return (gzip.decompress(data) if path.endswith(".gz") else data).decode()
    except FileNotFoundError:
        return None
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError):
        return ""
    except OSError as error:
        module.fail_json(msg=f"The file {path} cannot be read: {error.strerror}. Remedy: choose another for dest.")


if __name__ == "__main__":
    main()
