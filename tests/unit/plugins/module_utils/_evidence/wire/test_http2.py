# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2: our request as another implementation would read it, and the frames of servers."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import http2

from .wire_servers import SETTINGS, frame


@pytest.mark.parametrize("host", ["a.demo.svc", "x" * 126, "x" * 127, "x" * 253])
def test_request(host):
    data = http2.request(host, "curl/8")
    assert data.startswith(http2.PREFACE + SETTINGS)
    headers = data[len(http2.PREFACE) + 9 :]
    length, kind, flags, stream = int.from_bytes(headers[:3], "big"), headers[3], headers[4], headers[5:9]
    assert (length, kind, flags, stream) == (len(headers) - 9, 1, 5, b"\0\0\0\x01")
    assert headers[9:13] == b"\x82\x86\x84\x41"  # GET, http, /, then the authority
    size, rest = (headers[13], headers[14:]) if headers[13] < 127 else (127 + headers[14], headers[15:])
    assert rest[:size].decode() == host


@pytest.mark.parametrize(
    ("data", "is_reply"),
    [
        (SETTINGS, True),
        (frame(4, 0, 0, bytes(18)) + b"\0", True),
        (frame(7, 0, 0, bytes(8)), True),
        (b"", False),
        (SETTINGS[:8], False),
        (b"HTTP/1.1 400 Bad Request", False),
        (b"\x15\x03\x01\x00\x02\x02\x46\0\0\0", False),
        (frame(0, 0, 1, b"data"), False),
        (b"220 mail.example ESMTP", False),
    ],
)
def test_is_reply(data, is_reply):
    assert http2.is_reply(data) is is_reply


def response(block, more=b"", flags=4):
    return http2.read(SETTINGS + frame(1, flags, 1, block) + more)


@pytest.mark.parametrize(
    ("block", "status"),
    [
        pytest.param(b"\x88", 200, id="the static table"),
        pytest.param(b"\x8d", 404, id="the static table, 404"),
        pytest.param(b"\x3f\xe1\x1f\x88", 200, id="after the size of the dynamic table"),
        pytest.param(b"\x48\x03503", 503, id="a literal"),
        pytest.param(b"\x08\x03302", 302, id="a literal that is not indexed"),
        # RFC 7541, C.6.1 and C.6.3: 302 and 307 in Huffman code
        pytest.param(b"\x48\x82\x64\x02", 302, id="Huffman, 302"),
        pytest.param(b"\x48\x83\x64\x0e\xff", 307, id="Huffman, 307"),
        pytest.param(b"\x48\x83\x6c\x0c\xff", 503, id="Huffman, 503"),
        pytest.param(b"\x48\x83\x64\x02\x07", None, id="Huffman, four digits are no status"),
        pytest.param(b"\x48\x03103", None, id="more is to come"),
        pytest.param(b"\x40\x01a\x01b", None, id="no status"),
        pytest.param(b"\x48", None, id="cut off"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_status(block, status):
    assert response(block).status == status


def test_a_response_has_come_when_its_stream_ends():
    assert not response(b"\x88").ended
    assert response(b"\x88", flags=5).ended
    reply = response(b"\x88", frame(0, 8, 1, b"\x02ok\0\0") + frame(0, 1, 1, b"!"))
    assert (reply.body, reply.ended) == (b"ok!", True)


def test_frames_of_other_streams_and_half_frames_say_nothing():
    assert response(b"\x88", frame(0, 1, 3, b"other") + frame(0, 1, 1, b"half")[:-1]) == (200, b"", False, "")


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        (frame(3, 0, 1, b"\0\0\0\x08"), "HTTP/2 stream reset, error 8"),
        (frame(7, 0, 0, b"\0\0\0\0\0\0\0\x0d"), "HTTP/2 GOAWAY, error 13"),
    ],
)
def test_refusals(more, refusal):
    reply = http2.read(SETTINGS + more)
    assert (reply.status, reply.ended, reply.refusal) == (None, True, refusal)


@pytest.mark.parametrize(
    ("more", "body"),
    [
        pytest.param(frame(0, 1, 1, b""), b"", id="a frame of nothing but its head"),
        pytest.param(frame(0, 0, 1, b"") + frame(0, 1, 1, b"ok"), b"ok", id="one before another"),
        pytest.param(frame(0, 0, 1, b"o") + frame(0, 1, 1, b"k"), b"ok", id="two parts of one answer"),
    ],
)
def test_the_end_of_a_stream_counts_in_whichever_frame_it_is(more, body):
    reply = response(b"\x88", more)
    assert (reply.status, reply.body, reply.ended) == (200, body, True)
