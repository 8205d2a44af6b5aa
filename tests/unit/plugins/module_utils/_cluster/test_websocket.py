# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a WebSocket, byte by byte."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import websocket


class Socket:
    """Keeps what was sent."""

    def __init__(self):
        self.sent = b""

    def sendall(self, data):
        self.sent += data


def frame(data, first=0x82):
    """One frame without a mask, as a server sends it; by default the last one of a binary message."""
    if len(data) > 0xFFFF:
        return bytes([first, 127]) + struct.pack(">Q", len(data)) + data
    if len(data) > 125:
        return bytes([first, 126]) + struct.pack(">H", len(data)) + data
    return bytes([first, len(data)]) + data


def channels(*frames):
    sock = Socket()
    return websocket.Channels(io.BytesIO(b"".join(frames)), sock), sock


def all_of(found):
    """The pieces until the connection ends."""
    pieces = []
    with contextlib.suppress(websocket.Ended):
        while len(pieces) < 10:
            pieces.append(tuple(found.receive(1000)))
    return pieces


def unmasked(sent):
    """First byte, size as the frame says it, and data of the one frame that a client sent."""
    first, size, place = sent[0], sent[1] - 0x80, 2
    if size == 126:
        size, place = struct.unpack(">H", sent[2:4])[0], 4
    elif size == 127:
        size, place = struct.unpack(">Q", sent[2:10])[0], 10
    mask, data = sent[place : place + 4], sent[place + 4 :]
    return first, size, bytes(byte ^ mask[number % 4] for number, byte in enumerate(data))


@pytest.mark.parametrize(
    ("size", "head"),
    [
        pytest.param(0, 2, id="nothing"),
        pytest.param(124, 2, id="the longest of one byte"),
        pytest.param(125, 4, id="the shortest of two bytes"),
        pytest.param(65_534, 4, id="the longest of two bytes"),
        pytest.param(65_535, 10, id="the shortest of eight bytes"),
    ],
)
def test_a_message_is_sent_as_one_masked_frame(size, head):
    found, sock = channels()
    found.send(5, b"abcdefg" * (size // 7) + b"x" * (size % 7))
    first, said, data = unmasked(sock.sent)
    assert (first, said, data[:1], len(data)) == (0x82, size + 1, b"\5", size + 1)
    assert data[1:] == b"abcdefg" * (size // 7) + b"x" * (size % 7)
    assert len(sock.sent) == head + 4 + size + 1


def test_each_frame_has_a_mask_of_its_own():
    found, sock = channels()
    for _attempt in range(8):
        found.send(0, b"same")
    assert len({sock.sent[start + 2 : start + 6] for start in range(0, len(sock.sent), 11)}) > 1


@pytest.mark.parametrize(
    ("frames", "pieces"),
    [
        pytest.param([frame(b"\0ab")], [(0, b"ab")], id="one frame"),
        pytest.param([frame(b"\0" + b"x" * 124)], [(0, b"x" * 124)], id="125 bytes"),
        pytest.param([frame(b"\1" + b"x" * 125)], [(1, b"x" * 125)], id="126 bytes"),
        pytest.param([frame(b"\0a"), frame(b"\1b")], [(0, b"a"), (1, b"b")], id="two messages"),
        pytest.param([frame(b"\0a", 2), frame(b"\1b", 0x80)], [(0, b"a"), (0, b"\1b")], id="one message in two frames"),
        pytest.param([frame(b"", 2), frame(b"\1b", 0x80)], [(1, b"b")], id="an empty first frame"),
        pytest.param([frame(b""), frame(b"\1b")], [(1, b"b")], id="an empty message"),
        pytest.param([frame(b"\0"), frame(b"\1b")], [(1, b"b")], id="a message of a channel alone"),
        pytest.param([frame(b"", 0x8A), frame(b"\1b")], [(1, b"b")], id="a pong"),
        pytest.param(
            [frame(b"\0a", 2), frame(b"?", 0x89), frame(b"b", 0x80)], [(0, b"a"), (0, b"b")], id="a ping between"
        ),
        pytest.param([frame(b"\0a", 0x82 | 0x10), frame(b"\0b")], [], id="a reserved bit"),
        pytest.param([frame(b"\0a", 0x82 | 0x40), frame(b"\0b")], [], id="another reserved bit"),
        pytest.param([bytes([0x82, 0x82]) + b"\0a", frame(b"\0b")], [], id="a mask"),
        pytest.param([frame(b"\0a", 0x81), frame(b"\0b")], [], id="text"),
        pytest.param([frame(b"\0a", 0x80), frame(b"\0b")], [], id="the rest of no message"),
        pytest.param([frame(b"\0a", 2), frame(b"\0b")], [(0, b"a")], id="a message in another"),
        pytest.param([frame(b"\3\xe8", 0x88), frame(b"\0b")], [], id="goodbye"),
        pytest.param([frame(b"x" * 126, 0x89), frame(b"\0b")], [], id="a ping that is too long"),
        pytest.param([frame(b"x", 0x09), frame(b"\0b")], [], id="a ping in pieces"),
        pytest.param([frame(b"\0abc")[:-1]], [(0, b"ab")], id="cut off in the data"),
        pytest.param([b"\x82\x7e\0"], [], id="cut off in the size"),
        pytest.param([b"\x82"], [], id="cut off in the head"),
    ],
)
def test_what_is_received(frames, pieces):
    assert all_of(channels(*frames)[0]) == pieces


def test_no_more_is_read_than_was_asked_for():
    found, _sock = channels(frame(b"\0abcde"))
    assert [found.receive(2), found.receive(2), found.receive(2)] == [(0, b"ab"), (0, b"cd"), (0, b"e")]


@pytest.mark.parametrize("data", [b"", b"are you there?", b"x" * 125], ids=["empty", "short", "longest"])
def test_a_ping_is_answered_with_its_own_words(data):
    found, sock = channels(frame(data, 0x89), frame(b"\0a"))
    assert found.receive(9) == (0, b"a")
    assert unmasked(sock.sent) == (0x8A, len(data), data)


def test_a_pong_is_not_answered():
    found, sock = channels(frame(b"x", 0x8A), frame(b"\0a"))
    assert (found.receive(9), sock.sent) == ((0, b"a"), b"")


@pytest.mark.parametrize(
    ("frames", "most", "more"),
    [
        pytest.param([frame(b"\0ab")], 9, False, id="all of it was read"),
        pytest.param([frame(b"\0ab")], 1, True, id="half of the frame was read"),
        pytest.param([frame(b"\0ab", 2)], 9, True, id="a frame follows"),
        pytest.param([frame(b"\0ab", 2)], 1, True, id="both"),
    ],
)
def test_whether_more_of_the_message_is_to_come(frames, most, more):
    found, _sock = channels(*frames)
    assert found.in_message is False
    found.receive(most)
    assert found.in_message is more


# The example of RFC 6455, section 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("accept", "protocol", "fine"),
    [
        (ACCEPT, "v4.channel.k8s.io", True),
        (ACCEPT, "v5.channel.k8s.io", False),
        (ACCEPT, None, False),
        (ACCEPT.lower(), "v4.channel.k8s.io", False),
        (None, "v4.channel.k8s.io", False),
    ],
)
def test_the_answer_to_this_very_request(accept, protocol, fine):
    headers = {"Sec-WebSocket-Accept": accept, "Sec-WebSocket-Protocol": protocol}
    assert websocket.is_answer(KEY, headers) is fine


def test_what_a_request_asks_for():
    assert websocket.request_headers(KEY) == {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
    }
    assert len(websocket.new_key()) == 24
    assert websocket.new_key() != websocket.new_key()
