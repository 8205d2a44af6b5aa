# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that judge what the policies say, written once."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the manifests come from, and users' own rules."""

    DOCUMENTATION = r"""
options:
  namespaces:
    description:
      - Report only the workloads of these namespaces and the edges towards them. The whole mesh is read nevertheless,
        because policies and clients elsewhere count.
    type: list
    elements: str
    default: []
  read_namespaces:
    description:
      - For an account that has rights in single namespaces only, read just these, together with the mesh's root
        namespace.
      - Whatever objects in other namespaces could change is then unknown.
      - Where the control plane is, MutatingWebhookConfigurations tell. They belong to the cluster; without the right to
        list them all modes and connections are unknown.
    type: list
    elements: str
    default: []
  snapshot:
    description:
      - Judge this file instead of a cluster. No cluster is contacted then, whatever the connection options say.
      - It is a file of M(meshproof.mtls.snapshot), or a dump of manifests as YAML (also several documents) or JSON, as
        C(kubectl get -o yaml) and C(kubectl get -o json) write it, compressed by gzip or not, or a folder with such
        files (C(*.yaml), C(*.yml), C(*.json), and C(.gz) of these) in it and in the folders below.
      - Of a big cluster take a snapshot or JSON; YAML needs many times the time and the memory.
      - In a folder, documents that name no kind, such as the values of a chart, are left out with a warning.
      - A Secret in a dump is dropped at once.
    type: path
  snapshot_complete:
    description:
      - Whether what a dump in O(snapshot) lacks does not exist in the cluster.
      - A dump does not say whether a kind of which it has no object was read at all. By default such kinds count as
        unread, so that the answers that depend on them are unknown; an empty list of a kind's own
        (C(kind=SidecarList) without items) says that there is none. A kind with at least one object counts as read
        whole.
      - V(true) is right for a folder that holds all manifests of a mesh, such as a Git repository that a cluster is
        made from.
      - A file of M(meshproof.mtls.snapshot) says itself what could not be read, and this option changes nothing.
    type: bool
    default: false
  rules:
    description:
      - Your own gates. Each is a JMESPath expression (U(https://jmespath.org)) over the whole result, as
        M(meshproof.mtls.status_info) returns it with O(meshproof.mtls.status_info#module:detail=full), that selects
        what must not be there.
      - Each item has C(name), different from the others', C(expression) (or C(when)), C(severity), which is V(error)
        (the default) or V(warning), and C(message), what to say about violations. C({count}) in the message becomes
        their number, and a few examples are added to it.
      - An expression that selects nothing (null, V(false), V(0) or an empty list) lets its rule pass. A list counts its
        items as violations, a number is itself a count, and anything else is one violation.
      - What the rules say is returned as RV(rules). The module does not fail because of it; the role
        P(meshproof.mtls.istio_verify#role) does.
      - An expression that is wrong, or does not fit the result, is an error that shows the spot.
      - Needs the Python library C(jmespath).
    type: list
    elements: dict
    default: []
"""
