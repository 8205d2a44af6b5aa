# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a parser says of a text may quote it, and acts as little as it does anywhere."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import yaml_text
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable


@pytest.mark.parametrize("word", ["x" * 1_000_000, "a\u202eb\u2028c"], ids=["a million characters", "hostile"])
def test_what_is_quoted_is_short_and_visible(word):
    with pytest.raises(Unreadable) as caught:
        yaml_text.parse(f"!{word} b")
    for error in (caught.value, Unreadable(f"is {word}, which is none")):
        assert len(str(error)) < 1100
        assert str(error).isprintable()
