# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a WebSocket (RFC 6455), read piece by piece: no frame is held that is longer than what is asked for.

A message of the API server's protocols begins with the number of its channel (apimachinery, util/httpstream/wsstream).
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import Any, BinaryIO, NamedTuple

PROTOCOL = "v4.channel.k8s.io"
_VERSION = "13"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LAST, _MASKED, _RESERVED = 0x80, 0x80, 0x70
_MOST_OF_CONTROL = 125


class Ended(Exception):
    """The other side ended the connection, or speaks something else."""


class Piece(NamedTuple):
    """Some bytes of a channel."""

    channel: int
    data: bytes


def new_key() -> str:
    """What a client names in its request, and the server has to answer for."""
    return base64.b64encode(os.urandom(16)).decode()


def request_headers(key: str) -> dict[str, str]:
    """Those that ask for a WebSocket of the API server's channels."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": _VERSION,
        "Sec-WebSocket-Protocol": PROTOCOL,
    }


def is_answer(key: str, headers: Any) -> bool:
    """Whether an answer of status 101 is that of a WebSocket server, to this very request."""
    wanted = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()
    return (headers.get("Sec-WebSocket-Accept"), headers.get("Sec-WebSocket-Protocol")) == (wanted, PROTOCOL)


class Channels:
    """Both directions of a WebSocket whose messages begin with the number of a channel."""

    def __init__(self, stream: BinaryIO, sock: Any) -> None:
        self._stream = stream
        self._socket = sock
        self._left = 0
        """Bytes of the frame that is being read."""
        self._more = False
        """Whether frames of the same message follow it."""
        self._channel: int | None = None
        """That of the message; None before its first byte."""

    @property
    def in_message(self) -> bool:
        """Whether more of the message that was read last is to come."""
        return bool(self._left) or self._more

    def send(self, channel: int, data: bytes) -> None:
        """One message. Raises OSError."""
        self._send(_BINARY, bytes((channel,)) + data)

    def receive(self, most: int) -> Piece:
        """The next bytes of some channel, at least one and at most so many. Raises Ended and OSError."""
        while True:
            while not self._left:
                self._next_frame()
            if self._channel is None:
                self._channel = self._exactly(1)[0]
                self._left -= 1
                continue
            data = self._stream.read(min(self._left, most))
            if not data:
                raise Ended
            self._left -= len(data)
            return Piece(self._channel, data)

    def _next_frame(self) -> None:
        """Read the head of the next frame of a message; answer what stands between them."""
        first, second = self._exactly(2)
        kind, size = first & 15, second & 127
        if first & _RESERVED or second & _MASKED:
            raise Ended
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        if kind in (_PING, _PONG) and first & _LAST and size <= _MOST_OF_CONTROL:
            data = self._exactly(size)
            if kind == _PING:
                self._send(_PONG, data)
            return
        if kind != (_CONTINUED if self._more else _BINARY):  # also its goodbye
            raise Ended
        if not self._more:
            self._channel = None
        self._left, self._more = size, not first & _LAST

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise Ended
        return data

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size > 0xFFFF:
            head = struct.pack(">BBQ", _LAST | kind, _MASKED | 127, size)
        elif size > _MOST_OF_CONTROL:
            head = struct.pack(">BBH", _LAST | kind, _MASKED | 126, size)
        else:
            head = bytes((_LAST | kind, _MASKED | size))
        mask = os.urandom(4)
        self._socket.sendall(head + mask + bytes(byte ^ mask[place & 3] for place, byte in enumerate(data)))
