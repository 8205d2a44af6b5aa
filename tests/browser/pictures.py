# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's pictures of a report. They are taken again, and looked at, by

python -m pytest tests/browser/pictures.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html import page
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

from tests.browser import devtools

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTH, HEIGHT = 1280, 1290
MOST_BYTES = 300_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_take_a_picture(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "page.html"
    digest = hashlib.sha256(b"the pictures' audit").hexdigest()
    path.write_text(page.page(states.facts_of(audits.some()), digest, "Mutual TLS report: shop"), encoding="utf-8")
    with devtools.browser(tmp_path) as browser:
        tab = devtools.Page(browser)
        tab.show(WIDTH, dark=scheme == "dark")
        tab.open(path)
        picture = tab.picture(IMAGES / f"report-{scheme}.png", height=HEIGHT)
        assert tab.complaints() == []
    assert len(picture) < MOST_BYTES
