# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where modules read and write files: bounded, in one step, and for the owner's eyes alone.

What these modules write shows how a cluster is built and where it is open.
"""

from __future__ import annotations

import os
import stat
import tempfile
from typing import Any, Optional

_THE_OWNER = 0o600
_NOT_THE_OWNER = 0o177


class TooBig(OSError):
    """A file that is bigger than anything that it could be."""


def read(path: str, most: int) -> bytes:
    """The bytes of a file, of a pipe or of a device, at most `most`. Raises OSError, and TooBig, which is one."""
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise TooBig(0, f"it has more than {most} bytes")
    return data


def why_not_there(dest: str, example: str) -> str:
    """Why a file cannot be written to `dest`, known before anything is read for it; empty when it can."""
    folder = os.path.dirname(dest) or "."
    if os.path.isdir(dest):
        return f"dest {dest} is a folder. Remedy: name a file in it, for example {os.path.join(dest, example)}."
    if not os.path.isdir(folder):
        return f"There is no folder {folder} for dest {dest}. Remedy: make it first, with ansible.builtin.file."
    if os.path.exists(dest) and not os.path.isfile(dest):
        return f"dest {dest} is no regular file, and would be replaced by one. Remedy: name another."
    if not os.access(folder, os.W_OK):
        return f"The folder {folder} of dest {dest} cannot be written. Remedy: let this account write there."
    return ""


def replace(module: Any, dest: str, data: bytes) -> None:
    """Write beside the others' view and move into place. Nobody but the owner can read the file then: see settle().

    A failure is the module's, with a message.
    """
    try:
        handle, path = tempfile.mkstemp(dir=module.tmpdir)
        module.add_cleanup_file(path)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mode = _mode(dest)
        if mode is not None:  # atomic_move gives the new file the mode of the old one
            os.chmod(dest, mode & _THE_OWNER)
    except OSError as error:
        module.fail_json(
            msg=f"The file {dest} cannot be written: {error.strerror}. Remedy: let this account write there, or "
            "free space."
        )
    os.umask(0o077)  # a file that is new would be everybody's for a moment
    module.atomic_move(path, dest)


def settle(module: Any, dest: str, changed: bool) -> bool:
    """Give a file the owner and the mode of the options; whether it, or what `changed` says, is a change.

    Without the option mode nobody but the owner may read it, whatever its mode was: an earlier release, or an earlier
    run with a mode, may have left it open. In check mode nothing is touched.
    """
    wanted = dict(module.params)
    mode = _mode(dest)
    if mode is None:  # check mode, and it would be new
        return changed
    if wanted.get("mode") is None and mode & _NOT_THE_OWNER:
        wanted["mode"] = mode & _THE_OWNER
    found: bool = module.set_fs_attributes_if_different(module.load_file_common_arguments(wanted, path=dest), changed)
    return found


def _mode(path: str) -> Optional[int]:
    """The bits of a file's mode; None where there is no file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return None
