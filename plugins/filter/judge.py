# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: judge
short_description: Judge whether a mesh is as required
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes what M(meshproof.mtls.status_info) returns with O(meshproof.mtls.status_info#module:detail=full), or what
    M(meshproof.mtls.audit) wrote into its file, and says whether the servers in scope are as required, and what is not.
  - A violation is a port that accepts plaintext (V(plaintext)), a port that bypasses the proxy (V(uncaptured)), an edge
    in plaintext (V(plaintext)), a broken edge of a client in the mesh (V(broken)), anything that could not be told
    (V(unknown)), and proxies, a wire, traffic or certificates that contradict the policies (V(disagreement)).
  - Where M(meshproof.mtls.status_info) was given rules, a failed one is a violation, too (V(rule)), unless its severity
    is V(warning).
  - A client outside the mesh that a server refuses is what STRICT is for, and counts as success.
options:
  _input:
    description:
      - The result of M(meshproof.mtls.status_info) with O(meshproof.mtls.status_info#module:detail=full), or an audit,
        as P(meshproof.mtls.audit_file#filter) reads it.
    type: dict
    required: true
  probe:
    description: The result of M(meshproof.mtls.probe), where the wire was asked by itself. An audit has its own.
    type: dict
  namespaces:
    description: The namespaces whose servers are judged. Empty means every enrolled namespace.
    type: list
    elements: str
    default: []
  enrolled:
    description:
      - Namespace manifests, of which those are in scope whose labels enrol them.
      - Namespaces with a workload in the mesh are in scope without being listed here.
    type: list
    elements: dict
    default: []
  exclude:
    description:
      - What is not judged, as a list of C({client, namespace, workload, port, reason, until}).
      - Without C(client) an entry names a server, of which nothing is judged. With it, as C({namespace, workload}),
        that client alone is excused, to the server that the rest names or, where it names none, to all.
      - After the day C(until), as C(YYYY-MM-DD), an entry no longer counts.
    type: list
    elements: dict
    default: []
  sources:
    description: The sources that were asked.
    type: list
    elements: str
    choices: [declared, programmed, observed, traffic]
    default: [declared]
  require:
    description: The evidence that must be there.
    type: str
    choices: [declared, programmed, observed]
    default: declared
  limits:
    description:
      - How many violations of each kind are accepted, none where a kind is left out.
      - Findings of high severity are violations of the kind C(finding) only where a limit for it is given; otherwise
        they are shown as warnings.
    type: dict
    default: {}
  read:
    description: The namespaces that reading was limited to, where it was.
    type: list
    elements: str
    default: []
  gateway_tls:
    description:
      - Whether a port that a gateway serves in plaintext is a violation (V(plaintext)), as any other is.
      - By default it is listed and fails nothing. It is what clients outside the mesh speak, and PeerAuthentication
        does not apply to gateways. Ports for health and metrics are never a violation at a gateway or waypoint.
    type: bool
    default: false
  today:
    description: The day of today, as C(YYYY-MM-DD); needed where an entry of O(exclude) has C(until).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Read the state of the mesh
  meshproof.mtls.status_info:
    detail: full
  register: status

- name: Demand that nothing in shop accepts plaintext
  ansible.builtin.assert:
    that: judgement.verdict == 'pass'
    fail_msg: "{{ judgement | meshproof.mtls.verdict_table }}"
  vars:
    judgement: "{{ status | meshproof.mtls.judge(namespaces=['shop']) }}"
"""

RETURN = r"""
_value:
  description:
    - V(verdict) is V(pass) or V(fail), V(exceeded) the kinds of violation that are too many, V(message) why it failed.
    - V(counts), V(limits), V(scope) and V(evidence) say what the judgement stands on.
    - V(violations) is a list of kind, object, reason and remedy, worst first.
    - V(missing), V(servers), V(ports), V(edges), V(wire), V(traffic), V(findings), V(severe), V(rules) and
      V(exclusions) are the rows for P(meshproof.mtls.verdict_table#filter).
  type: dict
"""

import json

from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import ExclusionError
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import enrols


def judge_filter(status, enrolled=(), **options):
    """The judgement, with the enrolled namespaces taken from their manifests.

    Ansible hands over containers that work at every access; the judge looks at each value many times.
    """
    status = json.loads(json.dumps(status))
    names = [manifest["metadata"]["name"] for manifest in enrolled if enrols(manifest["metadata"].get("labels"))]
    try:
        return judge(status, enrolled=names, **options)
    except ExclusionError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"judge": judge_filter}
