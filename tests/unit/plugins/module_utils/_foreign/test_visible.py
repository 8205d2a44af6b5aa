# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever acts instead of being seen is shown as an escape."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.visible import escaped_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("demo/service-a", "demo/service-a"),
        ("größer, 名前, 🔒", "größer, 名前, 🔒"),
        ("a\nb\tc", "a b c"),
        ("\x00\x1b[31m", "\\u0000\\u001b[31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2066b\u200bc\ufeff", "a\\u2066b\\u200bc\\ufeff"),
        ("a\u3164b\u2800", "a\\u3164b\\u2800"),
        ("\ud800", "\\ud800"),
        ("\uffff\U000e0041", "\\uffff\\U000e0041"),
        (5, "5"),
        ("x" * 1001, "x" * 1000 + "… (and 1 more characters)"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_escaped_text():
    assert escaped_text("<a href=\"x\" b='y'>&\x00") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\\u0000"
