# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP connections on which an answer ends in time and within its size, however slowly and long the other side speaks.

The time limits of sockets are about silence: who sends a byte a second is never silent. Here each wait for bytes, also
for those of the head, gets no more than what is left of the time of the whole request.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

_ALLOWANCE = 1024 * 1024
"""Bytes that a head may have, and what chunks cost beside their content."""


class TooLong(Exception):
    """An answer has more bytes than it may have. No OSError, which would be taken for a connection that broke."""


class Bounds(NamedTuple):
    """How much one answer may take."""

    end: float
    """The moment, by time.monotonic(), at which it has to be there."""
    most: int
    """The bytes that its body may have."""

    def left(self) -> float:
        """The seconds that are left, at least a thousandth, which is not forever."""
        return max(self.end - time.monotonic(), 0.001)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.end


_OF_THIS_THREAD = threading.local()


@contextlib.contextmanager
def within(bounds: Bounds) -> Iterator[None]:
    """The bounds of the answers to requests that this thread makes inside."""
    before = getattr(_OF_THIS_THREAD, "bounds", None)
    _OF_THIS_THREAD.bounds = bounds
    try:
        yield
    finally:
        _OF_THIS_THREAD.bounds = before


def make_timed(pools: Any) -> Any:
    """A pool manager of urllib3 whose answers keep to their bounds; of whichever kind its connections are."""
    pools.pool_classes_by_scheme = {
        scheme: type(
            f"Timed{pool.__name__}",
            (pool,),
            {"ConnectionCls": type("TimedConnection", (_TimedConnection, pool.ConnectionCls), {})},
        )
        for scheme, pool in pools.pool_classes_by_scheme.items()
    }
    return pools


class _TimedConnection:
    """What makes a connection of http.client timed, whatever else it is."""

    stream: io.BufferedReader
    """Where the bytes of the answer come from; those that follow a change of protocols, too."""

    def response_class(self, sock: Any, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
        """Makes the answer; http.client takes it for a class."""
        bounds = getattr(_OF_THIS_THREAD, "bounds", None)
        self.stream = io.BufferedReader(_Bytes(sock, bounds)) if bounds else sock.makefile("rb")
        # Of a socket it calls makefile() alone, which is all that _Opened has.
        return http.client.HTTPResponse(_Opened(self.stream), *arguments, **options)  # type: ignore[arg-type]


class _Opened:
    """What http.client wants of a socket: a file to read from."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The file."""
        return self._stream


class _Bytes(io.RawIOBase):
    """The bytes of a socket, within bounds."""

    def __init__(self, sock: Any, bounds: Bounds) -> None:
        super().__init__()
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._silence = sock.gettimeout()
        self._bounds = bounds
        self._allowed = 2 * bounds.most + _ALLOWANCE

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of every raw stream; raises socket.timeout and TooLong."""
        if self._bounds.over:
            raise socket.timeout("the answer takes too long")
        if self._allowed <= 0:
            raise TooLong
        left = self._bounds.left()
        self._sock.settimeout(left if self._silence is None else min(left, self._silence))
        size = self._file.readinto(buffer)
        self._allowed -= size or 0
        return size or 0

    def close(self) -> None:
        """Gives the socket back to whoever opened it."""
        self._file.close()
        super().close()
