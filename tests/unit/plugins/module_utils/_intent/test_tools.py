# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tool fits, where it comes from, and what is verified."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.tools import (
    Platform,
    Tool,
    checksum,
    is_archive,
    is_safe,
    platform_of,
)

HELM, ISTIOCTL = Tool("helm", "3.22.0"), Tool("istioctl", "1.31.1")
LINUX, MAC = Platform("linux", "amd64"), Platform("darwin", "arm64")
SUM = "AB" * 32


@pytest.mark.parametrize(
    ("tool", "said", "fits"),
    [
        (HELM, "v3.22.0+g1234567", True),
        (HELM, "v3.17.3", True),
        (HELM, "v3.16.9", False),
        (HELM, "v4.0.0", False),
        (HELM, "v3.170.0", False),
        (HELM, "Usage of helm: v3.22.0", False),
        (ISTIOCTL, "1.31.1", True),
        (ISTIOCTL, "client version: 1.31.1", True),
        (ISTIOCTL, "1.31.10", False),
        (ISTIOCTL, "11.31.1", False),
        (ISTIOCTL, "1.31.1-rc.0", False),
        (ISTIOCTL, "", False),
    ],
)
def test_which_one_fits(tool: Tool, said: str, fits: bool) -> None:
    assert tool.fits(said) is fits


@pytest.mark.parametrize(
    ("tool", "platform", "url"),
    [
        (HELM, LINUX, "https://m.test/helm-v3.22.0-linux-amd64.tar.gz"),
        (HELM, MAC, "https://m.test/helm-v3.22.0-darwin-arm64.tar.gz"),
        (ISTIOCTL, LINUX, "https://m.test/1.31.1/istioctl-1.31.1-linux-amd64.tar.gz"),
        (ISTIOCTL, MAC, "https://m.test/1.31.1/istioctl-1.31.1-osx-arm64.tar.gz"),
    ],
)
def test_where_it_is(tool: Tool, platform: Platform, url: str) -> None:
    assert tool.url("https://m.test/", platform) == url


@pytest.mark.parametrize(
    ("system", "machine", "found"),
    [("Linux", "x86_64", LINUX), ("Darwin", "arm64", MAC), ("Linux", "riscv64", None), ("Windows", "AMD64", None)],
)
def test_for_which_machines(system: str, machine: str, found: Platform | None) -> None:
    assert platform_of(system, machine) == found


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://m.test/x", True),
        ("oci://m.test/x", True),
        ("http://m.test/x", False),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://127.0.0.1.m.test/x", False),
        ("http://localhost@m.test/x", False),
        ("ftp://m.test/x", False),
        ("http://[", False),
    ],
)
def test_what_nobody_on_the_way_can_exchange(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SUM, SUM.lower()),
        (f"sha256:{SUM}", SUM.lower()),
        (f"{SUM}  helm.tar.gz\n", SUM.lower()),
        ("<html>", None),
        (SUM[:-1], None),
        ("", None),
    ],
)
def test_a_checksum(text: str, found: str | None) -> None:
    assert checksum(text) == found


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("linux-amd64/helm", True),
        ("helm", True),
        ("linux-amd64/LICENSE", False),
        ("../helm", False),
        ("a/b/c/helm", False),
        ("linux-amd64/helm.sh", False),
    ],
)
def test_which_file_of_an_archive_is_it(name: str, member: bool) -> None:
    assert HELM.is_member(name) is member


def test_what_is_an_archive() -> None:
    assert [is_archive(path) for path in ("/x/helm.tar.gz", "/x/helm.tgz", "/x/helm")] == [True, True, False]
