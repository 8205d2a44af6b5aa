#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: private_kubeconfig
short_description: Write the connection of these options for tools that know fewer ways to a cluster
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Makes a private folder with a kubeconfig in it that holds this one connection, for Helm and istioctl.
  - It is for the roles of this collection, which remove the folder at their end. What killed runs left in the system's
    folder for temporary files it removes after two hours.
  - It works in check mode, too, and changes nothing but that folder.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  parent:
    description:
      - The folder to make it in, where that is there and private to this account; else the system's folder for
        temporary files. The controller's own, of P(meshproof.mtls.controller_folder#lookup), is removed with Ctrl-C,
        too.
    type: path
"""

EXAMPLES = r"""
- name: Write the connection for Helm
  meshproof.mtls.private_kubeconfig:
    parent: "{{ lookup('meshproof.mtls.controller_folder') }}"
  register: private
"""

RETURN = r"""
path:
  description: The folder.
  returned: success
  type: str
  sample: /home/me/.ansible/tmp/ansible-local-1/meshproof-istio-install.x
kubeconfig:
  description: The file in it.
  returned: success
  type: str
  sample: /home/me/.ansible/tmp/ansible-local-1/meshproof-istio-install.x/kubeconfig
"""

import json
import os
import shutil
import stat
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.kubeconfig import kubeconfig
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge

PREFIX = "meshproof-istio-install."
OLD = 2 * 60 * 60
"""Seconds after which no run uses its folder any more."""


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={**api.ARGUMENT_SPEC, "parent": {"type": "path"}},
        supports_check_mode=True,
    )
    with edge.reported(module, "writing a private kubeconfig"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Make the folder and the file in it."""
    params = module.params
    module.no_log_values.update(api.secrets_of(params))
    try:
        options = api.Options.of(params)
        sources, pod = api.sources(options)
        content = kubeconfig(options._asdict(), sources, pod)
    except api.ClusterError as error:
        module.fail_json(msg=str(error))
    except ValueError as error:
        module.fail_json(
            msg=f"No kubeconfig can be made of these options: {error}. Remedy: give one that kubectl understands "
            "(option kubeconfig or K8S_AUTH_KUBECONFIG)."
        )
    remove_old(tempfile.gettempdir())
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=private(params["parent"]))
    path = os.path.join(folder, "kubeconfig")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, default=str)  # JSON is YAML, too
    module.exit_json(changed=False, path=folder, kubeconfig=path)


def private(folder):
    """A folder, if it is there and this account's alone; else None."""
    try:
        found = os.lstat(folder or "")
    except OSError:
        return None
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return folder if own else None


def remove_old(place):
    """Remove what killed runs of this account left."""
    for name in os.listdir(place):
        path = os.path.join(place, name)
        if name.startswith(PREFIX) and private(path) and time.time() - os.lstat(path).st_mtime > OLD:
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
