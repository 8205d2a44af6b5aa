# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of an audit's file, understood, or refused with one sentence that says what to do."""

from __future__ import annotations

import re
from typing import Any

from .._foreign import json_text
from .._foreign.compressed import MAGIC, inflated
from .._foreign.unreadable import Unreadable
from .document import FORMAT
from .schema import problem_with

# More than any mesh's audit; a file that unpacks to more is meant to fill the memory.
MOST_BYTES = 2 * 1024**3
AGAIN = "Remedy: write it again with the module meshproof.mtls.audit."


class ReportError(Exception):
    """A file that no report can be made from; its text names the file and the remedy."""


def audit_in(path: str, raw: bytes) -> dict[str, Any]:
    """The audit in the bytes of a file, packed by gzip or not. `path` is for messages. Raises ReportError."""
    if not raw.strip():
        raise ReportError(f"The file {path} is empty. {AGAIN}")
    text = _text(path, _unpacked(path, raw) if raw.startswith(MAGIC) else raw)
    try:
        document = json_text.parse(text)
    except Unreadable as error:
        raise ReportError(_why_no_json(path, text, error)) from error
    _require_format(path, document)
    problem = problem_with(document)
    if problem:
        raise ReportError(f"The file {path} is not as an audit's should be: {problem}. {AGAIN}")
    found: dict[str, Any] = document
    return found


def _unpacked(path: str, raw: bytes) -> bytes:
    try:
        return inflated(raw, MOST_BYTES)
    except Unreadable as error:
        raise ReportError(f"The gzip file {path} {error}. {AGAIN}") from error


def _text(path: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ReportError(f"The file {path} is not UTF-8 in line {line}. {AGAIN}") from error


def _why_no_json(path: str, text: str, error: Unreadable) -> str:
    if "meshproof.mtls/snapshot" in text[:200]:
        return (
            f"The file {path} is a snapshot, not an audit. Remedy: judge it first, with the module "
            "meshproof.mtls.audit and its option snapshot, and give the file that this writes."
        )
    where = f" in line {error.line}" if error.line else ""
    return f"The file {path} is no audit{where}: it {error}. {AGAIN}"


def _require_format(path: str, document: Any) -> None:
    found = document.get("format") if isinstance(document, dict) else None
    if found == FORMAT:
        return
    name, number = FORMAT.rsplit(" ", 1)
    other = re.fullmatch(rf"{re.escape(name)} ([0-9]{{1,9}})", found) if isinstance(found, str) else None
    if other and int(other.group(1)) > int(number):
        raise ReportError(
            f"The file {path} has the format {found}, which a newer release writes; this one knows {FORMAT}. Remedy: "
            "update the collection meshproof.mtls here, or write the audit with this release."
        )
    raise ReportError(f"The file {path} is no audit: its format is not {FORMAT}. {AGAIN}")
