#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Save what decides about mutual TLS in a mesh, to judge it elsewhere or later
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Reads what M(meshproof.mtls.status_info) reads, with the same rights, and writes it into one compressed file.
  - The option O(meshproof.mtls.status_info#module:snapshot) reads that file, on a machine that has no access to the
    cluster, with the same answers.
  - The file holds the fields that decide about mutual TLS and no others. No Secret is ever read. Environment,
    arguments, volumes and images of application containers are left out, annotations other than Istio's, too.
  - What could not be read is written into the file, so that answers from it are as unknown as the cluster's were.
  - The file is gzip over lines of JSON, first a header, then one manifest on each line. The same content gives the same
    bytes but for the time in the header.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.action_group
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - Shows the header and how many objects there are of each kind.
  idempotent:
    support: full
    details:
      - A file that differs in nothing but the time stays as it is. Its time says since when the mesh is as it is.
options:
  dest:
    description:
      - The file to write. It is replaced in one step, so that nobody reads half of it.
      - A new file can be read by its owner only, unless O(mode) says otherwise, because it shows how a cluster is
        built. The mode of a file that is there is narrowed to that, too.
    type: path
    required: true
  read_namespaces:
    description:
      - For an account that has rights in single namespaces only, read just these, together with the mesh's root
        namespace. The file says that everything else was not read.
    type: list
    elements: str
    default: []
seealso:
  - module: meshproof.mtls.status_info
"""

EXAMPLES = r"""
- name: Save the mesh
  meshproof.mtls.snapshot:
    dest: ./evidence/mesh.snapshot.gz

- name: Judge it on a machine without access to the cluster
  meshproof.mtls.status_info:
    snapshot: ./evidence/mesh.snapshot.gz
  register: mesh

- name: Save one with the date in its name, for a folder of evidence
  meshproof.mtls.snapshot:
    dest: "./evidence/mesh-{{ now(utc=true, fmt='%Y-%m-%d') }}.snapshot.gz"
    mode: "0640"
    group: auditors
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: ./evidence/mesh.snapshot.gz
size:
  description: Its size in bytes; in check mode the size that it would have.
  returned: success
  type: int
  sample: 48213
time:
  description: The time in the file, when it was read. It stays while nothing else changes.
  returned: success
  type: str
  sample: '2026-01-31T12:00:00Z'
counts:
  description: How many objects of each kind it holds.
  returned: success
  type: dict
  sample: {Namespace: 12, PeerAuthentication: 3, Pod: 80}
unread:
  description: What could not be read. It is in the file, too.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind.
      type: str
      returned: always
      sample: Sidecar
    namespace:
      description: In which namespace, null for all.
      type: str
      returned: always
      sample: demo
    reason:
      description: Why.
      type: str
      returned: always
      sample: 'sidecars.networking.istio.io is forbidden: User "auditor" cannot list …'
cluster:
  description: Which cluster it shows.
  returned: success
  type: dict
  contains:
    server:
      description: The API server's URL.
      type: str
      returned: always
      sample: https://198.18.0.1:6443
    uid:
      description: The uid of the namespace kube-system, which tells clusters apart; empty where it cannot be read.
      type: str
      returned: always
      sample: 7b2f6b0a-3d0e-4a8e-9a56-0f6f0c3c9f11
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
"""

import datetime
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils import _snapshot as snapshots
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge, files
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh, selections

IDENTITY = "/api/v1/namespaces/kube-system"


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENT_SPEC,
            "dest": {"type": "path", "required": True},
            "read_namespaces": {"type": "list", "elements": "str", "default": []},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    with edge.reported(module, "taking the snapshot"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Read, pack, write where it says something new."""
    module.no_log_values.update(api.secrets_of(module.params))
    dest = module.params["dest"]
    problem = files.why_not_there(dest, "mesh.snapshot.gz")
    if problem:
        module.fail_json(msg=problem)
    try:
        packed = snapshots.pack(content(api.connect(module.params), module.params["read_namespaces"]))
        changed = not snapshots.same_content(dest, packed)
        before = snapshots.header_of(dest)
        after = snapshots.header_of(dest, packed) if changed else before
        size = len(packed) if changed else os.path.getsize(dest)
        if changed and not module.check_mode:
            files.replace(module, dest, packed)
    except (api.ClusterError, snapshots.SnapshotError) as error:
        module.fail_json(msg=str(error))
    changed = files.settle(module, dest, changed)
    module.exit_json(
        changed=changed,
        path=dest,
        size=size,
        time=after["time"],
        counts=after["counts"],
        unread=after["unread"],
        cluster=after["cluster"],
        diff={"before": shown(before), "after": shown(after), "before_header": dest, "after_header": dest},
    )


def content(cluster: api.Cluster, read_namespaces: list[str]) -> snapshots.Content:
    """What the cluster says now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    facts: dict[str, Any] = {"server": cluster.server, "kubernetes_version": cluster.version(), "uid": uid(cluster)}
    found, unread = selections.read_declared(cluster, selections.MeshManifests, read_namespaces)
    resources = found.resources()
    facts["istio_versions"] = mesh.istio_versions(resources)
    return snapshots.Content(now.strftime("%Y-%m-%dT%H:%M:%SZ"), facts, unread, resources)


def uid(cluster: api.Cluster) -> str:
    """What tells clusters apart. Narrow rights do not show it, and no answer depends on it."""
    try:
        return str(cluster.get(IDENTITY)["metadata"]["uid"])
    except (api.ClusterError, KeyError):
        return ""


def shown(header: dict[str, Any]) -> str:
    """A header as the lines of a diff."""
    facts = {"time": header["time"], **header["cluster"], **header["counts"]} if header else {}
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines += [
        f"unread: {gap['kind']} {gap['namespace'] or 'everywhere'}: {gap['reason']}" for gap in header.get("unread", [])
    ]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
