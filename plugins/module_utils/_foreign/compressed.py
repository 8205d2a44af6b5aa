# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gzip that somebody else wrote, unpacked within bounds."""

from __future__ import annotations

import zlib

from .unreadable import Unreadable

MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 1024 * 1024
_RATIO = 400
_ALWAYS_ALLOWED = 16 * 1024 * 1024


def inflated(raw: bytes, most: int) -> bytes:
    """All members of a gzip file, one after the other. Raises Unreadable.

    At most `most` bytes come out, and at most 400 times what went in beyond the first 16 MiB: manifests of the same
    template, the best that there is to compress, stay below 200.
    """
    bound = min(most, _ALWAYS_ALLOWED + _RATIO * len(raw))
    found, size, rest = [], 0, raw
    while rest:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error as error:
                raise Unreadable(f"is damaged: {error}") from None
            rest = member.unconsumed_tail
            if not piece and not rest and not member.eof:
                raise Unreadable("ends too early: it was cut off")
            size += len(piece)
            if size > bound:
                raise Unreadable(f"unpacks to more than {bound} bytes, which is too much for its {len(raw)}")
            found.append(piece)
        rest = member.unused_data.lstrip(b"\0")  # tar and some tools pad with zeros
    return b"".join(found)
