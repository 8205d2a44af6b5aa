# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of a fault that nobody foresaw, and who may read what modules write."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge, files


class Failed(Exception):
    """In place of the end of the process."""


class Module:
    """What these functions use of an AnsibleModule; modes are set as it does, owners are not."""

    check_mode = False

    def __init__(self, tmpdir="", mode=None, verbosity=0):
        self.tmpdir, self.params, self._verbosity, self.said = str(tmpdir), {"mode": mode}, verbosity, {}

    def fail_json(self, **said):
        self.said = said
        raise Failed

    def add_cleanup_file(self, path):
        pass

    def atomic_move(self, source, dest):
        if os.path.exists(dest):
            os.chmod(source, stat.S_IMODE(os.stat(dest).st_mode))
        os.rename(source, dest)

    def load_file_common_arguments(self, params, path):
        return path, params["mode"]

    def set_fs_attributes_if_different(self, wanted, changed):
        path, mode = wanted
        if mode is None or mode_of(path) == mode:
            return changed
        os.chmod(path, mode)
        return True


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("spec"), "ended judging: KeyError: 'spec'."),
        (RecursionError("maximum depth"), "RecursionError: maximum depth"),
        (ValueError("\x1b[31m\u202e"), "ValueError: \\u001b[31m\\u202e"),
        (ValueError("http://name:hidden@host/"), "ValueError: http://…@host/"),
        (ValueError(), "ValueError: without a text"),
        (ValueError("x" * 5000), "more characters"),
        (MemoryError(), "The memory did not suffice for judging"),
    ],
    ids=["a lookup", "depth", "control characters", "a password", "no text", "a long text", "memory"],
)
def test_what_nobody_foresaw_is_one_message_with_a_remedy(error, words):
    module = Module()
    with pytest.raises(Failed), edge.reported(module, "judging"):
        raise error
    assert words in module.said["msg"]
    assert "Remedy: " in module.said["msg"]
    assert len(module.said["msg"]) < 900
    assert set(module.said) == {"msg"}


def test_the_traceback_is_for_three_v():
    module = Module(verbosity=3)
    with pytest.raises(Failed), edge.reported(module, "judging"):
        raise KeyError("spec")
    assert "Traceback" in module.said["exception"]
    assert "Traceback" not in module.said["msg"]


def test_the_end_of_a_module_passes():
    with pytest.raises(SystemExit), edge.reported(Module(), "judging"):
        raise SystemExit(0)


@pytest.mark.parametrize(
    ("before", "mode", "after", "changed"),
    [
        (None, None, 0o600, False),
        (None, 0o644, 0o644, True),
        (0o644, None, 0o600, True),
        (0o600, None, 0o600, False),
        (0o400, None, 0o400, False),
        (0o600, 0o640, 0o640, True),
        (0o640, 0o640, 0o640, True),
    ],
    ids=[
        "a new file is the owner's",
        "a new file with a mode",
        "an open file is narrowed",
        "one that is narrow stays",
        "one that is narrower stays",
        "a mode widens a file",
        "a file is closed while it is replaced, and gets its mode again",
    ],
)
def test_modes(tmp_path, before, mode, after, changed):
    dest = tmp_path / "a"
    if before is not None:
        dest.write_bytes(b"old")
        os.chmod(dest, before)
    module = Module(tmp_path, mode)
    mask = os.umask(0o022)
    try:
        if before is not None and mode is None:
            assert files.settle(module, str(dest), False) is changed
        files.replace(module, str(dest), b"new")
        assert mode_of(dest) & 0o177 == 0
        assert files.settle(module, str(dest), False) is (changed and mode is not None)
    finally:
        os.umask(mask)
    assert (dest.read_bytes(), mode_of(dest)) == (b"new", after)


def test_a_file_that_cannot_be_written(tmp_path):
    module = Module(tmp_path / "no")
    with pytest.raises(Failed):
        files.replace(module, str(tmp_path / "a"), b"x")
    assert "a cannot be written: No such file" in module.said["msg"]
    assert "Remedy: " in module.said["msg"]


def test_a_file_that_is_too_big_is_not_read_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 11)
    with pytest.raises(files.TooBig) as error:
        files.read(str(path), 10)
    assert error.value.strerror == "it has more than 10 bytes"
    assert files.read(str(path), 11) == b"x" * 11
    with pytest.raises(OSError, match="more than 10 bytes"):
        files.read("/dev/zero", 10)


def test_a_device_is_never_replaced():
    assert "is no regular file" in files.why_not_there("/dev/null", "a")
