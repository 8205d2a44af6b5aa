# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.agreement import agreement, worst


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("strict", "strict", "strict"), "proven"),
        (("strict", None, "strict"), "proven"),
        (("strict", None, None), "unproven"),
        (("strict", "unknown", "strict"), "unproven"),
        (("unknown", "unknown", "unknown"), "unproven"),
        (("unknown", "plaintext", "plaintext"), "unproven"),
        (("strict", "unknown", "plaintext"), "contradicted"),
        (("strict", "strict", "permissive"), "contradicted"),
        (("plaintext", None, "plaintext"), "proven"),
        ((), "unproven"),
    ],
)
def test_agreement(answers, expected):
    assert agreement(*answers) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (["strict", "strict"], "strict"),
        (["strict", "unknown"], "unknown"),
        (["strict", "permissive", "unknown"], "permissive"),
        (["permissive", "plaintext"], "plaintext"),
        ([], "unknown"),
    ],
)
def test_the_worst_counts(accepted, expected):
    assert worst(accepted) == expected
