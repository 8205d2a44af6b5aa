# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening files and folders, and turning whatever goes wrong into one message with a remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .._foreign.compressed import MAGIC, inflated
from .._foreign.unreadable import Unreadable
from .._io.files import read
from .errors import SnapshotError

_ENDINGS = (".yaml", ".yml", ".json")
ENDINGS = (*_ENDINGS, *(f"{ending}.gz" for ending in _ENDINGS))
# More than any cluster's dump; a file that unpacks to more is meant to fill the memory.
MOST_BYTES = 2 * 1024**3


def files_below(folder: str) -> Iterator[str]:
    """Manifest files of a folder and the folders in it, in order; what is hidden (.git) stays out."""
    for place, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(ENDINGS) and not name.startswith("."):
                path = os.path.join(place, name)
                _refuse_device(path)
                yield path


def _refuse_device(path: str) -> None:
    """A pull request can hold a link to a pipe or a terminal, which would be waited for without end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise SnapshotError(f"{path} is no regular file. Remedy: remove it, or put a file of manifests in its place.")


def _refuse_folder(error: OSError) -> None:
    raise SnapshotError(
        f"The folder {error.filename} cannot be read: {error.strerror}. Remedy: let this account read it."
    ) from error


def contents(path: str) -> bytes:
    """The bytes of a file, unpacked when they are gzip."""
    try:
        raw = read(path, MOST_BYTES)
    except OSError as error:
        raise SnapshotError(
            f"The file {path} cannot be read: {error.strerror}. Remedy: correct the path, or let this account read it."
        ) from error
    if not raw.strip():
        raise SnapshotError(f"The file {path} is empty. Remedy: name a snapshot or a dump of manifests.")
    if not raw.startswith(MAGIC):
        if path.endswith(".gz"):
            raise SnapshotError(f"The file {path} is not gzip, as its name says. Remedy: rename it, or pack it.")
        return raw
    return unpacked(path, raw)


def unpacked(path: str, raw: bytes) -> bytes:
    """Gzip bytes of the file `path`, unpacked within a bound."""
    try:
        return inflated(raw, MOST_BYTES)
    except Unreadable as error:
        raise SnapshotError(
            f"The gzip file {path} {error}. Remedy: copy or write it again; of what is too big take a snapshot with "
            "meshproof.mtls.snapshot, which keeps only what is needed."
        ) from error


def text_of(path: str, raw: bytes) -> str:
    """The bytes as text."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        why = "is UTF-16, as PowerShell's > writes it" if utf16 else f"is not UTF-8 in line {line}"
        raise SnapshotError(f"The file {path} {why}. Remedy: save it as UTF-8.") from error
