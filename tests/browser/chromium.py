# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Chromium without a screen: Debian's package with all that it needs, unpacked into the lab's cache, never installed.

`CHROMIUM` names another one that is there already.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import cache, debian, versions
from lab.cache import Artifact
from lab.commands import run
from lab.errors import LabError

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
# Shared libraries drag in what nothing here runs.
_NOT_NEEDED = ("var", "usr/bin", "usr/sbin", "usr/lib/python*", "usr/lib/systemd", "usr/share/[!f]*")
_PROGRAM = "usr/lib/chromium/chromium-headless-shell"
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def artifact() -> Artifact:
    """The browser as a tree of files."""
    inputs = (*_PACKAGES, *_NOT_NEEDED, debian.release(), versions.architecture())
    return Artifact("chromium", debian.release(), inputs, _unpack)


def _unpack(folder: Path) -> None:
    with debian.downloaded(debian.with_dependencies(_PACKAGES)) as packages:
        for package in packages:
            failure = f"unpacking {package.name} failed"
            run(["dpkg-deb", "--extract", package, folder], log=cache.log("packages"), failure=failure)
    if not (folder / _PROGRAM).is_file():
        raise LabError("there is no chromium-headless-shell in Debian's packages; name a Chromium in CHROMIUM")
    for name in _NOT_NEEDED:
        for path in folder.glob(name):
            shutil.rmtree(path)


@contextmanager
def program(scratch: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The command that starts the browser, and its environment. `scratch` is a folder for what it leaves behind."""
    own = os.environ.get("CHROMIUM")
    if own:
        yield [own], dict(os.environ)
        return
    browser = artifact()
    browser.ensure()
    fonts = scratch / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=browser.path / "usr/share/fonts", cache=scratch / "fonts"))
    places = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")
    libraries = [str(path) for place in places for path in browser.path.glob(place)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "FONTCONFIG_FILE": str(fonts),
    }
    yield [str(browser.path / _PROGRAM)], environment
