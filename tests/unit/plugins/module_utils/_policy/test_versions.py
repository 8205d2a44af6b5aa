# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supported versions."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.versions import check, minor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.31.1", "1.31"),
        ("v1.35.4-eks-1", "1.35"),
        ("1.31-alpha.abc", "1.31"),
        ("1.33+", "1.33"),
        ("latest", None),
        ("", None),
        ("1", None),
    ],
)
def test_minor(text, expected):
    assert minor(text) == expected


@pytest.mark.parametrize(
    ("kind", "version", "message"),
    [
        ("Istio", "1.31.1", None),
        ("Kubernetes", "v1.35.4", None),
        ("Istio", "1.20.0", "Istio 1.20.0 is not supported: this release was checked with 1.29 to 1.31"),
        ("Kubernetes", "1.36.0", "Kubernetes 1.36.0 is not supported: this release was checked with 1.31 to 1.35"),
        ("Istio", "latest", "Istio version 'latest' is not a version like 1.31.0"),
    ],
)
def test_check(kind, version, message):
    assert check(kind, version) == message
