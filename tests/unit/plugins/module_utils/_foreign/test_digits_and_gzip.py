# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digits and gzip that somebody else wrote: what is taken, to the last one that is, and what is not."""

from __future__ import annotations

import gzip
import random

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import compressed, numbers, unreadable


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, 0),
        (7, 7),
        (-1, None),
        (True, None),
        (False, None),
        ("0", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("1" * 19, None),
        ("", None),
        (" 7", None),
        ("+7", None),
        ("1_0", None),
        ("²", None),
        ("٣", None),
        (7.0, None),
        (b"7", None),
        (None, None),
    ],
)
def test_a_number(value, found):
    assert numbers.number(value) == found
    assert type(numbers.number(value)) is type(found)


@pytest.mark.parametrize(
    ("value", "found"),
    [(0, None), (1, 1), ("65535", 65535), (65536, None), ("0", None), ("http", None), (True, None)],
)
def test_a_port(value, found):
    assert numbers.port(value) == found


MIB = 1024 * 1024


def noise(size):
    return random.Random(1).randbytes(size)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(gzip.compress(b""), b"", id="an empty member"),
        pytest.param(gzip.compress(b"abc"), b"abc", id="one member"),
        pytest.param(gzip.compress(b"abc") + gzip.compress(b"") + gzip.compress(b"de"), b"abcde", id="several members"),
        pytest.param(gzip.compress(b"abc") + b"\0" * 512, b"abc", id="padded with zeros"),
        pytest.param(gzip.compress(b"abc") + b"\0" * 9 + gzip.compress(b"de"), b"abcde", id="zeros between members"),
        pytest.param(gzip.compress(b"x" * 3 * MIB), b"x" * 3 * MIB, id="several pieces"),
    ],
)
def test_what_is_unpacked(raw, text):
    assert compressed.inflated(raw, 4 * MIB) == text


@pytest.mark.parametrize(
    ("raw", "most", "words"),
    [
        pytest.param(gzip.compress(b"x" * 100)[:-3], MIB, "cut off", id="cut off"),
        pytest.param(gzip.compress(noise(1000))[:500], MIB, "cut off", id="cut off in the middle"),
        pytest.param(b"PK\3\4", MIB, "damaged", id="another format"),
        pytest.param(gzip.compress(b"abc") + b"tail", MIB, "damaged", id="something behind it"),
        pytest.param(gzip.compress(noise(1001)), 1000, "more than 1000 bytes", id="one byte too much"),
        pytest.param(gzip.compress(b"x" * 600) * 2, 1000, "more than 1000 bytes", id="too much in two members"),
        pytest.param(gzip.compress(b"\0" * 40 * MIB), 64 * MIB, "too much for its", id="a bomb"),
    ],
)
def test_what_is_refused(raw, most, words):
    with pytest.raises(unreadable.Unreadable, match=words):
        compressed.inflated(raw, most)


def test_as_much_as_is_allowed():
    assert len(compressed.inflated(gzip.compress(noise(1000)), 1000)) == 1000
    # Beyond the first 16 MiB 400 times of what went in, which the pages of one template never reach.
    raw = gzip.compress(b"x" * 16 * MIB + noise(20_000))
    assert len(compressed.inflated(raw, 64 * MIB)) == 16 * MIB + 20_000
