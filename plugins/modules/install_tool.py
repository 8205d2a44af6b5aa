#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: install_tool
short_description: Find or fetch Helm or istioctl
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Takes the one that is named, or one on PATH or kept that fits, or fetches it. The roles of this collection use it.
  - Nothing is run that was not verified. A file on PATH must not be writable by other accounts than root and this one,
    nor its folder; a kept one must have the checksum that was written down when it was fetched; a fetched archive the
    checksum that is given or that its mirror publishes, and that only by https.
  - In check mode it keeps nothing; what it fetched is in O(folder).
extends_documentation_fragment:
  - meshproof.mtls._attributes
attributes:
  check_mode:
    support: full
    details:
      - It fetches and verifies, and keeps nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: Which tool.
    type: str
    choices: [helm, istioctl]
    required: true
  version:
    description: The version to fetch. Of istioctl no other fits.
    type: str
    required: true
  given:
    description: The path of the tool to use, or of an archive of it.
    type: path
  mirror:
    description: Where its releases are.
    type: str
    required: true
  checksum:
    description: The SHA-256 of the archive.
    type: str
    default: ""
  bin_dir:
    description: The folder that keeps what was fetched.
    type: path
    required: true
  folder:
    description: A private folder of this run.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Get Helm
  meshproof.mtls.install_tool:
    name: helm
    version: 3.22.0
    mirror: https://get.helm.sh
    bin_dir: ~/.local/bin
    folder: "{{ private.path }}"
  register: helm
"""

RETURN = r"""
path:
  description: The tool.
  returned: success
  type: str
  sample: /home/me/.local/bin/helm-3.22.0
said:
  description: What it says of its version.
  returned: success
  type: str
  sample: v3.22.0+g1234567
"""

import hashlib
import os
import platform
import shutil
import stat
import tarfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import urls
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.visible import visible
from ansible_collections.meshproof.mtls.plugins.module_utils._intent import tools
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge

MOST_BYTES = 512 * 2**20
MOST_OF_A_SUM = 4096
TIMEOUT = 60
"""Seconds without an answer."""


class Unusable(Exception):
    """Why a tool cannot be had, half a sentence."""


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "choices": ["helm", "istioctl"], "required": True},
            "version": {"type": "str", "required": True},
            "given": {"type": "path"},
            "mirror": {"type": "str", "required": True},
            "checksum": {"type": "str", "default": ""},
            "bin_dir": {"type": "path", "required": True},
            "folder": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    with edge.reported(module, "looking for a tool"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Find or fetch it, and say where it is."""
    params = module.params
    module.no_log_values.update(urls.secrets_of(params["mirror"]))
    tool = tools.Tool(params["name"], params["version"])
    if params["given"] and not tools.is_archive(params["given"]):
        said = ask(module, tool, params["given"])
        if not tool.fits(said):
            module.fail_json(
                msg=f"istio_install_{tool.name} is {params['given']}, which does not fit: it said "
                f'"{visible(said, 200)}", and {tool.needs} is needed. Remedy: name another, or leave the variable '
                "empty and a fitting one is fetched."
            )
        module.exit_json(changed=False, path=params["given"], said=said)
    if not params["given"]:
        for path in candidates(tool, params["bin_dir"]):
            said = ask(module, tool, path)
            if tool.fits(said):
                module.exit_json(changed=False, path=path, said=said)
    fetch(module, tool)


def candidates(tool, bin_dir):
    """What is there already and may be run: on PATH, and kept."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, tool.name)
        if folder and os.access(path, os.X_OK) and os.path.isfile(path) and (is_kept(path) or is_ours_alone(path)):
            yield path
    for name in (f"{tool.name}-{tool.version}", tool.name):
        path = os.path.join(bin_dir, name)
        if os.path.isfile(path) and is_kept(path):
            yield path


def is_ours_alone(path):
    """Whether nobody but root and this account can exchange a file, wherever links lead."""
    real = os.path.realpath(path)
    for place in (real, os.path.dirname(real)):
        found = os.stat(place)
        shared = found.st_mode & stat.S_IWOTH or (
            found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid())
        )
        if shared or found.st_uid not in (0, os.geteuid()):
            return False
    return True


def is_kept(path):
    """Whether a file is as it was when it was kept."""
    real = os.path.realpath(path)
    try:
        with open(f"{real}.sha256", encoding="ascii") as file:
            known = tools.checksum(file.read(MOST_OF_A_SUM))
    except (OSError, ValueError):
        return False
    return known is not None and is_ours_alone(real) and known == digest(real)


def digest(path):
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(2**20), b""):
            found.update(piece)
    return found.hexdigest()


def ask(module, tool, path):
    """What a tool says of its version, or why it says nothing."""
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return "nothing, as it cannot be run"
    status, out, err = module.run_command([path, *tool.command])
    return out.strip() if status == 0 else f"{out} {err}".strip()[:400]


def fetch(module, tool):
    """Bring, verify, unpack, ask and keep it."""
    params = module.params
    found = tools.platform_of(platform.system(), platform.machine())
    if found is None and not params["given"]:
        module.fail_json(
            msg=f"{tool.name} is not released for {platform.system()} on {platform.machine()}. Remedy: name one in "
            f"istio_install_{tool.name}."
        )
    url = f"file://{params['given']}" if params["given"] else tool.url(params["mirror"], found)
    asked = tools.checksum(params["checksum"])
    archive = os.path.join(params["folder"], f"{tool.name}.tar.gz")
    try:
        if params["checksum"] and asked is None:
            raise Unusable("the checksum is no SHA-256 of 64 digits")
        if not params["given"] and asked is None and not tools.is_safe(url):
            raise Unusable("it comes without TLS, and no checksum is given, so anybody on the way could exchange it")
        if params["given"]:
            shutil.copyfile(params["given"], archive)
        else:
            download(url, archive, MOST_BYTES)
        wanted = asked
        if wanted is None and not params["given"]:
            wanted = published(url + tool.suffix, params["folder"])
        if wanted is not None and digest(archive) != wanted:
            raise Unusable(f"its checksum is {digest(archive)}, and not {wanted}")
        path = unpacked(tool, archive, params["folder"])
        said = ask(module, tool, path)
        if not tool.fits(said):
            raise Unusable(f'it says "{said[:200]}", and {tool.needs} is needed')
    except (Unusable, OSError, ValueError, tarfile.TarError) as error:
        module.fail_json(msg=visible(urls.shown_in(problem(tool, url, params, error)), 4000))
    if module.check_mode:
        module.exit_json(changed=False, path=path, said=said)
    module.exit_json(changed=True, path=keep(tool, path, said, params), said=said)


def problem(tool, url, params, error):
    """What is said of a tool that could not be had."""
    option = f"istio_install_{tool.name}"
    how = f"with checksum {params['checksum']}" if params["checksum"] else "with the checksum beside it"
    return (
        f"{tool.name} {tool.version} could not be had from {url} {how}: {str(error)[:400]}. Nothing was kept. "
        f"Remedy: check the version, the mirror ({option}_mirror) and the checksum ({option}_checksum), or name a "
        f"tool in {option}."
    )


def download(url, path, most):
    """A file of at most so many bytes; the URL that it came from at last."""
    with open_url(url, timeout=TIMEOUT, http_agent="meshproof.mtls", follow_redirects="urllib2") as answer:
        size = 0
        with open(path, "wb") as file:
            for piece in iter(lambda: answer.read(2**20), b""):
                size += len(piece)
                if size > most:
                    raise Unusable(f"it has more than {most} bytes")
                file.write(piece)
        return answer.geturl()


def published(url, folder):
    """The checksum that a mirror publishes, if nobody on the way could have written it."""
    path = os.path.join(folder, "published")
    last = download(url, path, MOST_OF_A_SUM)
    if not tools.is_safe(last):
        raise Unusable("its published checksum comes without TLS")
    with open(path, encoding="utf-8", errors="replace") as file:
        found = tools.checksum(file.read())
    if found is None:
        raise Unusable(f"{url} holds no SHA-256")
    return found


def unpacked(tool, archive, folder):
    """The tool itself out of its archive, and nothing else."""
    path = os.path.join(folder, tool.name)
    with tarfile.open(archive) as content:
        for member in content:
            if member.isfile() and member.size <= MOST_BYTES and tool.is_member(member.name):
                source = content.extractfile(member)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "wb") as file:
                    shutil.copyfileobj(source, file)
                return path
    raise Unusable(f"there is no {tool.name} in the archive")


def keep(tool, path, said, params):
    """Copy it, with its checksum, and link to it."""
    folder = params["bin_dir"]
    version = said.strip().lstrip("v").split("+")[0].split()[-1] if params["given"] else tool.version
    kept = os.path.join(folder, f"{tool.name}-{version}")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    shutil.copyfile(path, f"{kept}.new")
    os.chmod(f"{kept}.new", 0o755)
    os.replace(f"{kept}.new", kept)
    with open(f"{kept}.sha256", "w", encoding="ascii") as file:
        file.write(f"{digest(kept)}  {os.path.basename(kept)}\n")
    link = os.path.join(folder, tool.name)
    if not os.path.lexists(link) or (os.path.islink(link) and os.readlink(link).startswith(f"{tool.name}-")):
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(os.path.basename(kept), link)
    return kept


if __name__ == "__main__":
    main()
