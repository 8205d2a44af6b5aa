# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit's file that somebody edited: what follows the schema and is no audit is refused with a sentence."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._audit.reading import ReportError
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.exclusions import ExclusionError
from ansible_collections.meshproof.mtls.plugins.module_utils._report.documents import FORMATS, made
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits


def test_a_document_that_contradicts_itself_is_refused():
    audit = audits.two()
    audit["edges"][0] = {**audit["edges"][0], "service": "a name without its namespace"}
    with pytest.raises(ReportError, match=r"a\.json cannot be drawn: .*\(ValueError\)\. Remedy: write it again"):
        made("a.json", json.dumps(audit).encode(), ["junit"], "", 20)


def test_an_exclusion_that_is_none_is_told_as_what_it_is():
    entry = {"namespace": "demo", "reason": "it moves soon", "until": "never"}
    with pytest.raises(ExclusionError, match="which is no day"):
        made("a.json", json.dumps(audits.two()).encode(), ["junit"], "", 20, exclude=[entry])


def test_every_format_is_drawn():
    assert set(made("a.json", json.dumps(audits.two()).encode(), FORMATS, "", 20).files) == set(FORMATS)
