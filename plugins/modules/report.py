#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make a page for people, and files for programs, from an audit
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Reads the file of M(meshproof.mtls.audit) and makes a self-contained HTML page, JSON and JUnit from it. No cluster
    is contacted.
  - The page has the summary, a graph of who reaches whom, tables that can be filtered, findings with remedies, the
    certificates, the versions, and what was not seen. It needs no network and forbids itself any, follows the
    reader's light or dark scheme, can be printed, and is usable by keyboard and without a script.
  - The same file and options give the same bytes.
extends_documentation_fragment:
  - meshproof.mtls._attributes
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - Shows the counts before and after, not the files.
  idempotent:
    support: full
options:
  src:
    description: The file of an audit, compressed by gzip or not, on the host that this runs on.
    type: path
    required: true
  html:
    description:
      - Where to write the page. It is replaced in one step; its folder must exist.
      - A new file can be read by its owner only, unless O(mode) says otherwise, because it shows how a cluster is
        built. The same holds for O(json) and O(junit).
    type: path
  json:
    description:
      - Where to write the audit as plain JSON. Its schema is C(docs/audit.schema.json) of this collection; a file that
        does not follow it is refused.
    type: path
  junit:
    description:
      - Where to write JUnit XML.
      - Ports of workloads in the mesh, connections to them, findings, rules, certificates and sources are test cases.
        What is unknown is an error and never passes; a workload outside the mesh is skipped.
    type: path
  title:
    description: What to call the report, instead of C(Mutual TLS report).
    type: str
    default: ''
  rows:
    description:
      - How many rows a table of the page has at most. Rows come worst first, and the page says how many it lacks.
    type: int
    default: 1000
  namespaces:
    description:
      - The namespaces whose servers are judged. Empty means every enrolled namespace.
      - This and the next six are the terms of P(meshproof.mtls.judge#filter). With the same terms the files say what
        that judgement does.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - What is not judged. An entry names a server or, with V(client), a client.
    type: list
    elements: dict
    default: []
    suboptions:
      client:
        description:
          - The client to excuse. Of the servers that the entry names, or of all, everything else is judged, and so is
            every other client.
        type: dict
        suboptions:
          namespace:
            description: The namespace of the client.
            type: str
            required: true
          workload:
            description: The client's name; all in the namespace without it.
            type: str
      namespace:
        description: The namespace of the server. Only an entry with V(client) can do without; then it is for all.
        type: str
      workload:
        description: The workload's or the Service's name; all in the namespace without it.
        type: str
      port:
        description: The port; every port without it.
        type: int
      reason:
        description: Why it is not judged.
        type: str
        required: true
      until:
        description: The last day on which the entry counts, as C(YYYY-MM-DD) in UTC.
        type: str
  require:
    description: The evidence that must be there.
    type: str
    choices: [declared, programmed, observed]
    default: declared
  limits:
    description:
      - How many violations of each kind are accepted.
      - Where no more are there, they are skipped in JUnit, and the page says that they are accepted.
    type: dict
    suboptions:
      disagreement:
        description: How many of the kind V(disagreement).
        type: int
        default: 0
      uncaptured:
        description: How many of the kind V(uncaptured).
        type: int
        default: 0
      plaintext:
        description: How many of the kind V(plaintext).
        type: int
        default: 0
      broken:
        description: How many of the kind V(broken).
        type: int
        default: 0
      unknown:
        description: How many of the kind V(unknown).
        type: int
        default: 0
      rule:
        description: How many of the kind V(rule).
        type: int
        default: 0
      finding:
        description: How many findings of high severity. Without it any number is accepted.
        type: int
      egress_plaintext:
        description: How many of what leaves the mesh in plaintext. Without it they are shown, and fail nothing.
        type: int
  enrolled:
    description: Namespaces that are in scope beside those with a workload in the mesh, where O(namespaces) is empty.
    type: list
    elements: str
    default: []
  read:
    description: The namespaces that reading was limited to, where it was; what lies elsewhere is not missed.
    type: list
    elements: str
    default: []
  gateway_tls:
    description: Whether a port that a gateway serves in plaintext is a violation, see P(meshproof.mtls.judge#filter).
    type: bool
    default: false
seealso:
  - module: meshproof.mtls.audit
"""

EXAMPLES = r"""
- name: Judge the mesh
  meshproof.mtls.audit:
    dest: /var/tmp/mesh-audit.json.gz

- name: Make a page for people, and JUnit for the pipeline
  meshproof.mtls.report:
    src: /var/tmp/mesh-audit.json.gz
    html: /var/tmp/mesh-audit.html
    junit: /var/tmp/mesh-audit.xml
    title: Production, mutual TLS
  register: report

- name: Say what came out
  ansible.builtin.debug:
    var: report.headline
"""

RETURN = r"""
written:
  description: The files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/var/tmp/mesh-audit.html]
headline:
  description: The page's first sentence.
  returned: success
  type: dict
  contains:
    tone:
      description: V(good), V(bad), or V(doubtful) where something is unknown or would fail.
      type: str
      returned: always
      sample: good
    text:
      description: The worst that can be said of the servers that the mesh is meant to protect.
      type: str
      returned: always
      sample: Every port in the mesh refuses plaintext, by declared evidence alone
sha256:
  description: The SHA-256 of the audit's file, as the page names it.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
summary:
  description: The audit's counts.
  returned: success
  type: dict
  sample:
    workloads: {total: 3, by_mode: {STRICT: 2, none: 1}, by_mesh: {none: 1, sidecar: 2}}
    edges: {total: 4, by_verdict: {mtls: 4}}
    findings: {total: 1, by_severity: {medium: 1}}
    unknown: 0
"""

import hashlib
import os
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import reading
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge, files
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import exclusions
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import EGRESS, KINDS, ON_REQUEST
from ansible_collections.meshproof.mtls.plugins.module_utils._report import documents

TERMS = ("namespaces", "exclude", "require", "limits", "enrolled", "read", "gateway_tls")
LIMITS = {
    kind: {"type": "int"} if kind in (*ON_REQUEST, EGRESS) else {"type": "int", "default": 0}
    for kind in (*KINDS, EGRESS)
}
EXCLUSION = {
    "client": {
        "type": "dict",
        "options": {"namespace": {"type": "str", "required": True}, "workload": {"type": "str"}},
    },
    "namespace": {"type": "str"},
    "workload": {"type": "str"},
    "port": {"type": "int"},
    "reason": {"type": "str", "required": True},
    "until": {"type": "str"},
}


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            **{name: {"type": "path"} for name in documents.FORMATS},
            "title": {"type": "str", "default": ""},
            "rows": {"type": "int", "default": 1000},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "dict", "default": [], "options": EXCLUSION},
            "require": {"type": "str", "choices": ["declared", "programmed", "observed"], "default": "declared"},
            "limits": {"type": "dict", "options": LIMITS},
            "enrolled": {"type": "list", "elements": "str", "default": []},
            "read": {"type": "list", "elements": "str", "default": []},
            "gateway_tls": {"type": "bool", "default": False},
        },
        required_one_of=[documents.FORMATS],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    with edge.reported(module, "making the report"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read, make, write what differs."""
    params = module.params
    wanted = {name: params[name] for name in documents.FORMATS if params[name]}
    problem = why_not(params, wanted)
    if problem:  # known before a big file is read
        module.fail_json(msg=problem)
    raw = contents(module, params["src"])
    try:
        made = documents.made(params["src"], raw, wanted, params["title"], params["rows"], **terms(params))
    except (reading.ReportError, exclusions.ExclusionError) as error:
        module.fail_json(msg=str(error))
    answer = {
        "changed": False,
        "written": [],
        "headline": made.headline._asdict(),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "summary": made.summary,
    }
    differences = [put(module, answer, name, dest, made.files[name]) for name, dest in wanted.items()]
    if module._diff:
        answer["diff"] = [difference for difference in differences if difference]
    module.exit_json(**answer)


def terms(params: dict) -> dict:
    """What the judge goes by."""
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return {**{name: params[name] for name in TERMS}, "today": today}


def why_not(params: dict, wanted: dict) -> str:
    """What is wrong with the options, with the remedy; empty when nothing is."""
    if params["rows"] < 1:
        return "The option rows is less than 1. Remedy: give how many rows a table may have, 1000 for example."
    places = [os.path.realpath(place) for place in (params["src"], *wanted.values())]
    if len(set(places)) < len(places):
        options = ", ".join(documents.FORMATS)
        return f"Two of the options src, {options} name the same file. Remedy: give each a file of its own."
    for name, dest in wanted.items():
        problem = files.why_not_there(dest, f"report{documents.DRAWN[name].ending}")
        if problem:
            return f"The option {name} cannot be used. {problem}"
    return ""


def contents(module: AnsibleModule, path: str) -> bytes:
    """The bytes of the audit's file."""
    try:
        return files.read(path, reading.MOST_BYTES)
    except OSError as error:
        module.fail_json(
            msg=f"The audit's file {path} cannot be read: {error.strerror}. Remedy: correct src, or write the file "
            "with the option dest of meshproof.mtls.audit first."
        )


def put(module: AnsibleModule, answer: dict, name: str, dest: str, data: bytes) -> dict:
    """Write one file unless it is as it should be already; the difference for the screen."""
    try:
        old = files.read(dest, reading.MOST_BYTES)
    except FileNotFoundError:
        old = None
    except OSError as error:
        module.fail_json(msg=f"The file {dest} cannot be read: {error.strerror}. Remedy: choose another for {name}.")
    difference = {}
    if old != data:
        difference = {
            "before": documents.counts(name, old or b""),
            "after": documents.counts(name, data),
            "before_header": dest,
            "after_header": dest,
        }
        answer["changed"] = True
        answer["written"].append(dest)
        if not module.check_mode:
            files.replace(module, dest, data)
    answer["changed"] = files.settle(module, dest, answer["changed"])
    return difference


if __name__ == "__main__":
    main()
