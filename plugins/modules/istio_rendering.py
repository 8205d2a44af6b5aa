#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_rendering
short_description: Render Istio's charts, or what istioctl would install
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Finds the charts in a folder or fetches them from a repository, and renders them with Helm; or lets istioctl render.
    The role C(istio_install) compares the result with the cluster.
  - It writes only into O(folder), also in check mode.
extends_documentation_fragment:
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
options:
  method:
    description: The tool.
    type: str
    choices: [helm, istioctl]
    required: true
  binary:
    description: Its path.
    type: path
    required: true
  folder:
    description: A private folder of this run, with a kubeconfig in it.
    type: path
    required: true
  version:
    description: Istio's version.
    type: str
    required: true
  namespace:
    description: The namespace of the control plane.
    type: str
    required: true
  charts:
    description: The charts, each with C(component), C(release), C(folders) and C(values_file).
    type: list
    elements: dict
    default: []
  values:
    description: Helm's values by the name of their file.
    type: dict
    default: {}
  operator:
    description: The IstioOperator for istioctl.
    type: dict
    default: {}
  repository:
    description: Where the charts are fetched from.
    type: str
    default: ""
  directory:
    description: A folder with the charts, instead.
    type: path
  kubernetes_version:
    description: For which Kubernetes to render.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Render two charts
  meshproof.mtls.istio_rendering:
    method: helm
    binary: /usr/local/bin/helm
    folder: "{{ private.path }}"
    version: 1.31.1
    namespace: istio-system
    charts: "{{ plan.charts }}"
    values: "{{ plan['values'] }}"
    directory: /srv/charts
    kubernetes_version: v1.35.4
  register: rendered
"""

RETURN = r"""
text:
  description: The manifests, as YAML.
  returned: success
  type: str
  sample: 'apiVersion: v1'
charts:
  description: Where each component's chart is.
  returned: success
  type: dict
  sample: {base: /srv/charts/base-1.31.1.tgz}
"""

import json
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import urls
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.visible import visible
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.tools import is_safe
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge

DEEPEST = 3
"""Folders below the given one."""
_VERSION = re.compile(r"(?m)^version:\s*[\"']?([^\s\"'#]+)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Unusable(Exception):
    """Why there is no rendering, with the remedy."""


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "method": {"type": "str", "choices": ["helm", "istioctl"], "required": True},
            "binary": {"type": "path", "required": True},
            "folder": {"type": "path", "required": True},
            "version": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "charts": {"type": "list", "elements": "dict", "default": []},
            "values": {"type": "dict", "default": {}},
            "operator": {"type": "dict", "default": {}},
            "repository": {"type": "str", "default": ""},
            "directory": {"type": "path"},
            "kubernetes_version": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    with edge.reported(module, "rendering Istio"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Render and return."""
    params = module.params
    module.no_log_values.update(urls.secrets_of(params["repository"]))
    try:
        if params["method"] == "istioctl":
            module.exit_json(changed=False, text=by_istioctl(module), charts={})
        found = in_directory(params) if params["directory"] else from_repository(module)
        module.exit_json(changed=False, text=by_helm(module, found), charts=found)
    except Unusable as error:
        module.fail_json(msg=visible(urls.shown_in(error), 4000))


def called(module, arguments):
    """What a tool writes. Raises Unusable with its own words."""
    folder = module.params["folder"]
    environment = {
        # No plugins, which could do anything.
        "HELM_PLUGINS": os.path.join(folder, "no-plugins"),
        "HELM_CACHE_HOME": os.path.join(folder, "cache"),
    }
    status, out, err = module.run_command([module.params["binary"], *arguments], environ_update=environment)
    if status != 0:
        raise Unusable(" ".join(_COLOURS.sub("", err or out).split())[:600])
    return out


def by_istioctl(module):
    """The text that istioctl renders."""
    params = module.params
    path = write(params["folder"], "istiooperator.yaml", params["operator"])
    kubeconfig = os.path.join(params["folder"], "kubeconfig")
    arguments = ["manifest", "generate", f"--filename={path}", "--cluster-specific", f"--kubeconfig={kubeconfig}"]
    try:
        return called(module, arguments)
    except Unusable as error:
        raise Unusable(
            f"istioctl {params['version']} does not render with istio_install_values: {error}. Remedy: correct them."
        ) from None


def by_helm(module, found):
    """The text that Helm renders, chart after chart.

    The charts look at the cluster's version. --is-upgrade leaves out the webhook's first failurePolicy, which istiod
    replaces as soon as it serves.
    """
    params = module.params
    files = {name: write(params["folder"], f"{name}.yaml", values) for name, values in params["values"].items()}
    texts = []
    for chart in params["charts"]:
        arguments = [
            "template", chart["release"], found[chart["component"]], f"--namespace={params['namespace']}",
            f"--values={files[chart['values_file']]}", f"--kube-version={params['kubernetes_version']}", "--is-upgrade",
        ]  # fmt: skip
        try:
            texts.append(called(module, arguments))
        except Unusable as error:
            raise Unusable(
                f"Chart {chart['component']} {params['version']} does not render with istio_install_values: {error}. "
                "Remedy: correct them."
            ) from None
    return "\n---\n".join(texts)


def from_repository(module):
    """Where the charts are that were fetched."""
    params = module.params
    repository, folder = params["repository"].rstrip("/"), os.path.join(params["folder"], "charts")
    if not is_safe(repository):
        raise Unusable(
            f"The charts would come from {repository} without TLS, so anybody on the way could exchange them. Remedy: "
            "an https:// or oci:// address in istio_install_chart_repository, or a folder in "
            "istio_install_chart_directory."
        )
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = {}
    for chart in params["charts"]:
        name = chart["component"]
        where = [f"{repository}/{name}"] if repository.startswith("oci://") else [name, f"--repo={repository}"]
        try:
            called(module, ["pull", *where, f"--version={params['version']}", f"--destination={folder}"])
        except Unusable as error:
            raise Unusable(
                f"Chart {name} {params['version']} could not be had from {repository}: {error}. Remedy: check "
                "istio_install_version and istio_install_chart_repository, or name a folder in "
                "istio_install_chart_directory."
            ) from None
        found[name] = os.path.join(folder, f"{name}-{params['version']}.tgz")
    return found


def in_directory(params):
    """Where the charts are in a folder: packaged, or unpacked with a Chart.yaml of this version."""
    top, version = params["directory"], params["version"]
    found = {}
    for folder, names, files in os.walk(top):
        if folder[len(top) :].count(os.sep) >= DEEPEST:
            names[:] = []
        for chart in params["charts"]:
            component = chart["component"]
            if f"{component}-{version}.tgz" in files:
                found[component] = os.path.join(folder, f"{component}-{version}.tgz")
            elif "Chart.yaml" in files and is_chart(folder, chart["folders"], version):
                found.setdefault(component, folder)
    missing = [chart["component"] for chart in params["charts"] if chart["component"] not in found]
    if missing:
        raise Unusable(
            f"Chart {', '.join(missing)} {version} was not found in {top}, neither as <chart>-{version}.tgz nor as a "
            "folder whose Chart.yaml has this version. Remedy: check istio_install_version and "
            "istio_install_chart_directory."
        )
    return found


def is_chart(folder, names, version):
    """Whether a folder has one of these names and a chart of this version."""
    if os.path.basename(folder) not in names:
        return False
    with open(os.path.join(folder, "Chart.yaml"), encoding="utf-8", errors="replace") as file:
        found = _VERSION.search(file.read(2**20))
    return found is not None and found[1] == version


def write(folder, name, content):
    """A file for this run alone; JSON is YAML, too."""
    path = os.path.join(folder, name)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, default=str)
    return path


if __name__ == "__main__":
    main()
