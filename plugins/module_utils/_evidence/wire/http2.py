# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of HTTP/2 (RFC 9113) as it takes to ask a server something and to tell whether it answered.

Runs inside the probe's pods beside ``wire``, so it imports nothing but the standard library.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple, Optional, Tuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20
STREAM = 1
LONGEST_FRAME = 16384

# Entries of HPACK's static table (RFC 7541, appendix A): a whole field, or the name of a literal one.
_GET, _PATH, _HTTP, _METHOD, _AUTHORITY, _USER_AGENT = b"\x82", b"\x84", b"\x86", b"\x42", b"\x41", b"\x7a"
# A change of the dynamic table's size, which can come first: an integer with a prefix of five bits.
_TABLE_SIZE = re.compile(rb"\A(?:[\x20-\x3e]|\x3f[\x80-\xff]*[\x00-\x7f])+", re.DOTALL)
_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


class Reply(NamedTuple):
    """What a server has said so far. ``status`` is None while no response, or none that can be read, has come."""

    status: Optional[int]
    body: bytes
    ended: bool
    refusal: str
    """Why there will be no response, empty while there may be one."""


def request(host: str, agent: str) -> bytes:
    """The client's preface and one ordinary request, for the root path.

    It is no gRPC request on purpose. To those a proxy reports its own failures as HTTP 200; gRPC servers answer others
    with a status, too.
    """
    block = _GET + _HTTP + _PATH + _AUTHORITY + _string(host) + _USER_AGENT + _string(agent)
    return PREFACE + _frame(SETTINGS, 0, 0, b"") + _frame(HEADERS, END_STREAM | END_HEADERS, STREAM, block)


def connect(authority: str) -> bytes:
    """The client's preface and the request for a tunnel to an address and port (RFC 9113, 8.5)."""
    block = _METHOD + _string("CONNECT") + _AUTHORITY + _string(authority)
    return PREFACE + _frame(SETTINGS, 0, 0, b"") + _frame(HEADERS, END_HEADERS, STREAM, block)


def is_reply(data: bytes) -> bool:
    """Whether these are the first bytes of an HTTP/2 server, which are a SETTINGS frame, or a GOAWAY."""
    if len(data) < 9:
        return False
    length, kind, stream = int.from_bytes(data[:3], "big"), data[3], int.from_bytes(data[5:9], "big")
    return stream == 0 and (
        (kind == SETTINGS and length % 6 == 0 and length < 1024) or (kind == GOAWAY and length >= 8)
    )


def read(data: bytes) -> Reply:
    """What a server's bytes say; a frame that is not whole is left out."""
    status, body, ended, refusal = None, b"", False, ""
    for kind, flags, stream, payload in _frames(data):
        if kind == GOAWAY and not refusal:
            refusal = f"HTTP/2 GOAWAY, error {int.from_bytes(payload[4:8], 'big')}"
        elif kind == RST_STREAM and stream == STREAM:
            refusal = f"HTTP/2 stream reset, error {int.from_bytes(payload[:4], 'big')}"
        elif kind == HEADERS and stream == STREAM and status is None:
            status = _status(_unpadded(payload, flags))
            status = None if status and status < 200 else status  # more is to come
        elif kind == DATA and stream == STREAM:
            body += _unpadded(payload, flags)
        ended = ended or (stream == STREAM and kind in (DATA, HEADERS) and bool(flags & END_STREAM))
    return Reply(status, body, ended or bool(refusal), refusal)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _frames(data: bytes) -> Iterator[Tuple[int, int, int, bytes]]:
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        if length > LONGEST_FRAME or len(data) < 9 + length:
            return
        yield data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, data[9 : 9 + length]
        data = data[9 + length :]


def _unpadded(payload: bytes, flags: int) -> bytes:
    if flags & PADDED and payload:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & PRIORITY else payload


def _string(text: str) -> bytes:
    """A string literal without Huffman coding; an integer of HPACK has seven bits here, then seven more."""
    raw = text.encode("latin-1", "replace")[:253]
    return (bytes((len(raw),)) if len(raw) < 127 else bytes((127, len(raw) - 127))) + raw


def _status(block: bytes) -> Optional[int]:
    """The status of a response, which is its first field: an entry of the static table, or that name with digits."""
    block = _TABLE_SIZE.sub(b"", block)
    if not block:
        return None
    if block[0] & 0x80:
        return _STATUS.get(block[0] & 0x7F)
    name = block[0] & (0x3F if block[0] & 0x40 else 0x0F)
    if name not in _STATUS or len(block) < 2:
        return None
    text = block[2 : 2 + (block[1] & 0x7F)]
    digits = _huffman_digits(text) if block[1] & 0x80 else text.decode("latin-1")
    return int(digits) if len(digits) == 3 and digits.isdecimal() else None


def _huffman_digits(raw: bytes) -> str:
    """Digits in HPACK's Huffman code (RFC 7541, appendix B): 0 to 2 have five bits, 3 to 9 six; more is not needed."""
    bits = "".join(f"{byte:08b}" for byte in raw)
    digits = ""
    while len(bits) >= 5:
        short, long = int(bits[:5], 2), int(bits[:6].ljust(6, "1"), 2)
        if short <= 2:
            digits, bits = digits + str(short), bits[5:]
        elif 0b011001 <= long <= 0b011111:
            digits, bits = digits + str(long - 0b011001 + 3), bits[6:]
        else:
            break
    return digits
