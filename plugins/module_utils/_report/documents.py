# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: which there are, what is in them, and their counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .._audit import document
from .._audit.reading import AGAIN, ReportError, audit_in
from .._foreign.guards import NOT_UNDERSTOOD
from .._judgement.exclusions import ExclusionError
from .._judgement.states import Facts, Headline, facts_of, headline
from . import junit
from .html import page


class Made(NamedTuple):
    """What was made from an audit."""

    files: dict[str, bytes]
    headline: Headline
    summary: dict[str, Any]


class Format(NamedTuple):
    """How a report of one format is made. The module `report` has an option of the format's name."""

    ending: str
    """Of the file's name."""
    draw: Callable[[Facts, str, str, int], bytes]
    """From the facts, the audit's SHA-256, the title and the most rows of a table; the same for the same."""
    counts: Callable[[str], str]
    """The counts in a file's text, line by line, for a diff; empty for a file that is no report."""


def _html(facts: Facts, digest: str, title: str, rows: int) -> bytes:
    return page.page(facts, digest, title, rows).encode()


def _json(facts: Facts, _digest: str, _title: str, _rows: int) -> bytes:
    beside = {key: value for key, value in facts.audit.items() if key not in ("format", "time", "sources")}
    text = document.document(beside, facts.audit["time"], facts.audit["sources"])
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes JSON's own escape again.
    return text.encode("utf-8", "backslashreplace")


def _junit(facts: Facts, _digest: str, title: str, _rows: int) -> bytes:
    return junit.junit(facts, title).encode()


DRAWN = {
    "html": Format(".html", _html, lambda text: document.counts(page.summary_in(text))),
    "json": Format(".json", _json, document.counts),
    "junit": Format(".xml", _junit, junit.counts),
}
FORMATS = tuple(DRAWN)


def made(path: str, raw: bytes, formats: Iterable[str], title: str, rows: int, **terms: Any) -> Made:
    """The files of these formats from the bytes of an audit's file, judged by `terms` (states.facts_of).

    Raises reading.ReportError and exclusions.ExclusionError.
    """
    audit = audit_in(path, raw)
    try:
        facts = facts_of(audit, **terms)
        digest = hashlib.sha256(raw).hexdigest()
        files = {name: DRAWN[name].draw(facts, digest, title, rows) for name in formats}
        return Made(files, headline(facts), audit["summary"])
    except ExclusionError:
        raise
    except NOT_UNDERSTOOD as error:  # its parts have the right types, and contradict each other
        raise ReportError(
            f"The file {path} cannot be drawn: what it says is not what an audit says ({type(error).__name__}). {AGAIN}"
        ) from error


def counts(name: str, data: bytes) -> str:
    """The counts in a file of a format, see Format."""
    return DRAWN[name].counts(data.decode("utf-8", "replace"))
