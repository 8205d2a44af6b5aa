from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lab.mirror import release_values, write_checksum


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    hub: registry.istio.io/testing\n", "    hub: registry.istio.io/release\n"),
        ("    tag: latest\n", "    tag: 1.31.1\n"),
        ('  hub: ""\n', '  hub: ""\n'),
        ("  # tag: latest is a test build\n", "  # tag: latest is a test build\n"),
        ('  tag: ""\n  variant: ""\n', '  tag: ""\n  variant: ""\n'),
    ],
)
def test_release_values(before: str, after: str) -> None:
    assert release_values(before) == after


@pytest.mark.parametrize("suffix", [".sha256", ".sha256sum"])
def test_checksum_is_in_the_format_of_sha256sum(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / "tool.tar.gz"
    archive.write_bytes(b"tool")
    write_checksum(archive, suffix)
    expected = f"{hashlib.sha256(b'tool').hexdigest()}  tool.tar.gz\n"
    assert (tmp_path / f"tool.tar.gz{suffix}").read_text() == expected
