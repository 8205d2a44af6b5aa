# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit's file that somebody edited: what follows the schema and is no audit is refused with a sentence."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.reading import ReportError
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import ExclusionError
from ansible_collections.meshproof.mtls.plugins.module_utils._report import documents
from ansible_collections.meshproof.mtls.plugins.module_utils._report.documents import FORMATS, made
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html.hostile import STRINGS, poisoned

HOSTILE = poisoned(audits.two(), "".join(STRINGS).replace("\ud800", ""))


def test_a_document_that_contradicts_itself_is_refused():
    audit = audits.two()
    audit["edges"][0] = {**audit["edges"][0], "service": "a name without its namespace"}
    with pytest.raises(ReportError, match=r"a\.json cannot be drawn: .*\(ValueError\)\. Remedy: write it again"):
        made("a.json", json.dumps(audit).encode(), ["junit"], "", 20)


def test_an_exclusion_that_is_none_is_told_as_what_it_is():
    entry = {"namespace": "demo", "reason": "it moves soon", "until": "never"}
    with pytest.raises(ExclusionError, match="which is no day"):
        made("a.json", json.dumps(audits.two()).encode(), ["junit"], "", 20, exclude=[entry])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("audit", [audits.two(), HOSTILE], ids=["plain", "hostile"])
def test_every_format_is_drawn_alike_each_time_with_its_counts(name, audit):
    raw = json.dumps(audit).encode()
    one, again = (made("a.json", raw, [name], "", 20).files[name] for _time in range(2))
    assert one == again
    assert documents.counts(name, one) != ""
    assert documents.counts(name, b"another's file") == ""


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
def test_no_name_of_a_cluster_acts_in_a_format(name):
    """In JSON it is quoted, see _audit; elsewhere nothing but lines and printable characters is written."""
    drawn = made("a.json", json.dumps(HOSTILE).encode(), [name], "", 20).files[name].decode()
    acting = {character for character in drawn if not character.isprintable() and character not in "\n\t"}
    assert acting == set(), "Remedy: write foreign text by _foreign/visible.py"
