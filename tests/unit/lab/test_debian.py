from __future__ import annotations

import pytest

from lab.debian import merged


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./lib/x86_64-linux-gnu/libc.so.6", "./usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("./bin", "./usr/bin"),
        ("./lib64/ld.so", "./usr/lib64/ld.so"),
        ("./usr/lib/x", "./usr/lib/x"),
        ("./library", "./library"),
        ("./", "./"),
        # Targets of links stay as they are, unless they name a file of the package.
        ("../lib/x", "../lib/x"),
        ("/lib/x", "/lib/x"),
        ("", ""),
    ],
)
def test_files_are_put_under_usr(name: str, expected: str) -> None:
    assert merged(name) == expected
