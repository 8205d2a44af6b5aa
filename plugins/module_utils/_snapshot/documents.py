# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text into documents: YAML as kubectl reads it, or JSON. An error says in which document and line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Tuple

from .._foreign import json_text, yaml_text
from .._foreign.unreadable import Unreadable
from .._foreign.yaml_text import Document
from .errors import SnapshotError

_YAML_ENDINGS = (".yaml", ".yml", ".yaml.gz", ".yml.gz")
# What goes wrong, by what it says of itself, and what helps.
_REMEDIES = (
    ("is nested too deeply", "name a file of manifests, of which none is nested so deeply"),
    ("has aliases", "write the document without anchors and aliases"),
    ("is one document of more", "take a snapshot with meshproof.mtls.snapshot, or write the dump as JSON"),
)


def documents(name: str, text: str) -> Iterator[Document]:
    """The documents of a file's text; `name` is the file's, for errors. Empty documents are left out."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            found = list(json_text.values(text))
        except Unreadable as error:
            # A flow mapping of YAML begins alike.
            if not name.endswith(_YAML_ENDINGS) and not _is_yaml_flow(text):
                raise _wrong(name, error, "") from error
        else:
            yield from (Document(number, line, value) for number, (line, value) in enumerate(found, 1))
            return
    yield from _yaml(name, text)


def _is_yaml_flow(text: str) -> bool:
    """Whether it can only be YAML: JSON has its keys in quotes."""
    return re.match(r"\s*[\[{]\s*[A-Za-z]", text) is not None


def _yaml(name: str, text: str) -> Iterator[Document]:
    if yaml_text.IMPORT_ERROR:
        raise SnapshotError(
            f"{name} is YAML, and the Python library PyYAML cannot be imported by {sys.executable} "
            f"({yaml_text.IMPORT_ERROR}). Remedy: {sys.executable} -m pip install PyYAML; or give the file as JSON."
        )
    try:
        yield from yaml_text.documents(text)
    except Unreadable as error:
        # A template of Helm looks nearly like YAML.
        raise _wrong(
            name, error, "render it first (helm template), and name the result" if "{{" in text else ""
        ) from error


def _wrong(name: str, error: Unreadable, remedy: str) -> SnapshotError:
    helps = next((help for start, help in _REMEDIES if str(error).startswith(start)), remedy or "correct it there")
    return SnapshotError(f"{place_of(name, error.line, error.document)} {error}. Remedy: {helps}.")


def place_of(name: str, line: int, number: int) -> str:
    """`file, document 2, line 7`, as far as it is known."""
    parts: Tuple[str, ...] = (name,)
    parts += (f"document {number}",) if number else ()
    parts += (f"line {line}",) if line else ()
    return ", ".join(parts)
