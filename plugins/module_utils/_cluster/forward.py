# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over one port-forward to one port of one pod: several requests, one after the other, on the same connection.

The library's own PortForward starts a thread for each connection, drops the headers of impersonation, has no time limit
and uses select(), which ends at descriptor 1024. The protocol is small: a WebSocket from the same pool as all other
requests, on it channel 0 for the bytes and 1 for errors, each beginning with the port's number in two bytes (kubelet,
pkg/kubelet/cri/streaming/portforward/websocket.go). What it carries is a socket's bytes, and http.client reads those.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from .._foreign import numbers
from .._foreign.visible import visible
from . import timed, websocket
from .api import Cluster
from .errors import ClusterError, answer_error
from .timed import Bounds, TooLong

with contextlib.suppress(ImportError):  # connect() says so
    import urllib3

_DATA, _ERRORS = 0, 1
_SWITCHED = 101
_MOST_REFUSAL = 64 * 1024
_PIECE = 64 * 1024
_LONGEST_ERROR = 1000
_ALLOWANCE = 256 * 1024
"""Bytes that an answer may have beside its body: a head, and what chunks cost."""
_QUESTIONS = 32
"""Answers that one connection may carry."""
_NOT_HTTP = "it answers with something that is not HTTP"
_NO_LENGTH = "it answers with HTTP whose length cannot be told"
_ENDED = "the connection to it was ended by the other side"


class Forwards:
    """Makes connections to one port of many pods; safe to use from several threads.

    ``seconds`` is the time for all that happens on one connection, ``most`` the number of bytes that one answer may
    have.
    """

    def __init__(self, cluster: Cluster, port: int, seconds: float, most: int) -> None:
        self.cluster = cluster
        self.port, self.seconds, self.most = port, seconds, most

    def to(self, namespace: str, pod: str) -> Forward:
        """A connection to one pod, not opened yet."""
        return Forward(self, namespace, pod)


class Forward:
    """A connection to a port of a pod, as a context.

    Every method raises ClusterError, whose ``reason`` says it in a few words; after one the connection cannot be used
    again, except after an answer that is just not 200.
    """

    def __init__(self, forwards: Forwards, namespace: str, pod: str) -> None:
        self._forwards = forwards
        self._place = f"{namespace}/{pod}"
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        self._bounds = Bounds(time.monotonic() + forwards.seconds, _QUESTIONS * forwards.most)
        self._outer: Any = None
        self._inner: http.client.HTTPConnection | None = None
        self._received: _PodBytes | None = None

    def __enter__(self) -> Forward:
        forwards, key = self._forwards, websocket.new_key()
        headers = forwards.cluster.headers()
        headers.update(websocket.request_headers(key))
        target = f"{self._path}?{urlencode({'ports': forwards.port})}"
        try:
            with timed.within(self._bounds):
                response = forwards.cluster.open("GET", target, self._bounds, headers=headers, silence=forwards.seconds)
                if response.status != _SWITCHED:
                    body = response.read(_MOST_REFUSAL, decode_content=False)
                    response.close()
                    raise answer_error("GET", self._path, response.status, body, forwards.cluster.server)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, TooLong) as error:
            if self._bounds.over or isinstance(error, urllib3.exceptions.ReadTimeoutError):
                raise self._silence() from error
            raise forwards.cluster.no_answer(error) from error
        self._outer = response
        if not websocket.is_answer(key, response.headers):
            raise self._broken("the API server, or what stands before it, answers with another protocol")
        connection = response.connection
        channels = websocket.Channels(connection.stream, connection.sock)
        self._received = _PodBytes(channels, forwards.port)
        self._inner = http.client.HTTPConnection("localhost")
        self._inner.auto_open = 0
        self._inner.sock = _PodSocket(self._received, channels, connection.sock, self._bounds)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._inner = None
        if self._outer is not None:
            self._outer.close()  # without a goodbye, which nobody here needs
            self._outer = None

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer to one GET; raises ClusterError with the HTTP status where that is not 200."""
        target = path + (f"?{urlencode(query)}" if query else "")
        try:
            status, body = self._answer(target)
        except _PodError as error:
            raise self._broken(self._said(str(error))) from None
        except TooLong:
            raise self._broken(f"its answer is longer than {self._forwards.most} bytes (max_bytes)") from None
        except websocket.Ended as error:
            raise self._broken(_ENDED) from error
        except http.client.NotConnected as error:
            raise self._broken("the connection to it has ended") from error
        except http.client.IncompleteRead as error:
            raise self._broken(_NO_LENGTH) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._broken(_NOT_HTTP) from error
        except OSError as error:
            if isinstance(error, (TimeoutError, socket.timeout)):
                raise self._silence() from error
            raise self._broken("the connection to it broke off in the middle of an answer") from error
        if status != 200:
            text = visible(body[:200].decode("utf-8", "replace").strip())
            reason = f"port {self._forwards.port} answered {path} with HTTP status {status}: {text}"
            raise ClusterError(f"The pod {self._place}: {reason}.", status, reason)
        return body

    def _answer(self, target: str) -> tuple[int, bytes]:
        """Status and body of the answer to a GET, or whatever goes wrong."""
        if self._inner is None or self._received is None:
            raise http.client.NotConnected
        self._received.begin(2 * self._forwards.most + _ALLOWANCE)
        self._inner.request("GET", target, headers={"Accept": "*/*"})
        response = self._inner.getresponse()
        # http.client takes a body without a length for one that ends with the connection, as half of one does.
        if not response.chunked and numbers.number(response.getheader("Content-Length")) is None:
            raise http.client.IncompleteRead(b"")
        body = bytearray()
        while piece := response.read(_PIECE):
            body += piece
            if len(body) > self._forwards.most:
                raise TooLong
        return response.status, bytes(body)

    def _said(self, text: str) -> str:
        """The node's error; the usual one is long and names what means nothing to a user."""
        if "connection refused" in text:
            return f"nothing listens on port {self._forwards.port} (connection refused)"
        return text

    def _silence(self) -> ClusterError:
        self.__exit__(None, None, None)
        reason = f"no answer within {self._forwards.seconds:g} s"
        return ClusterError(
            f"Port {self._forwards.port} of the pod {self._place} gave {reason} through the API server "
            f"{self._forwards.cluster.server}. Remedy: look whether the pod is running and its node reachable from the "
            "API server.",
            reason=reason,
        )

    def _broken(self, reason: str) -> ClusterError:
        self.__exit__(None, None, None)
        return ClusterError(
            f"Port {self._forwards.port} of the pod {self._place} cannot be read: {reason}.", reason=reason
        )


class _PodError(Exception):
    """What the node says on the channel for errors."""


class _PodBytes(io.RawIOBase):
    """What the port of the pod sends. Raises _PodError, Ended, TooLong, OSError."""

    def __init__(self, channels: websocket.Channels, port: int) -> None:
        super().__init__()
        self._channels = channels
        self._port = struct.pack("<H", port)
        self._heads = {_DATA: b"", _ERRORS: b""}
        self._allowed = 0

    def begin(self, most: int) -> None:
        """How many bytes the next answer may have in all."""
        self._allowed = most

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of every raw stream."""
        while True:
            channel, data = self._channels.receive(len(buffer))
            self._allowed -= len(data)
            if self._allowed < 0:
                raise TooLong
            data = self._without_port(channel, data)
            if channel == _ERRORS and data:
                raise _PodError(self._whole_error(data))
            if channel == _DATA and data:
                buffer[: len(data)] = data
                return len(data)

    def _without_port(self, channel: int, data: bytes) -> bytes:
        """Bytes of a channel without the port's number, with which it begins."""
        head = self._heads.get(channel)
        if head is None:
            raise websocket.Ended
        missing = 2 - len(head)
        if missing:
            self._heads[channel] = head = head + data[:missing]
            if not self._port.startswith(head):
                raise websocket.Ended
        return data[missing:]

    def _whole_error(self, text: bytes) -> str:
        """An error to its end, or as much of it as can be had."""
        with contextlib.suppress(Exception):
            while len(text) < _LONGEST_ERROR and self._channels.in_message:
                text += self._channels.receive(_LONGEST_ERROR).data
        return visible(text.decode("utf-8", "replace").strip(), _LONGEST_ERROR)


class _PodSocket:
    """What http.client wants of a socket."""

    def __init__(self, received: _PodBytes, channels: websocket.Channels, outer: Any, bounds: Bounds) -> None:
        self._received = received
        self._channels = channels
        self._outer = outer
        self._bounds = bounds

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes; a new file for each answer, and nothing is read that belongs to the next one."""
        return io.BufferedReader(_Borrowed(self._received))

    def sendall(self, data: bytes) -> None:
        """What goes."""
        self._outer.settimeout(self._bounds.left())
        self._channels.send(_DATA, data)

    def close(self) -> None:
        """The WebSocket is closed by whoever opened it."""


class _Borrowed(io.RawIOBase):
    """A stream that stays open when this one is closed."""

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As of every raw stream."""
        return self._stream.readinto(buffer)
