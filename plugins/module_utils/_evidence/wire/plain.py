# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server in plaintext and tells what its bytes mean, in HTTP/1, HTTP/2 or whatever else it speaks.

Runs inside the probe's pods beside ``wire``, so it imports nothing but the standard library.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from typing import Any, Dict, NamedTuple

from . import http2

Answer = Dict[str, Any]
Ask = Dict[str, Any]

HTTP, GRPC, TCP = "http", "grpc", "tcp"
# How long a connection has to stay open to count as accepted, where the protocol is not ours to speak.
QUIET_SECONDS = 2
LONGEST_ANSWER = 16384
# A record of TLS that holds one fatal alert, not encrypted (RFC 8446, 5.1 and 6): type, version, length, level, what.
TLS_ALERT = re.compile(rb"\x15\x03[\x00-\x03]\x00\x02\x02.", re.DOTALL)
ALERT_TYPE, ALERT_LENGTH = b"\x15", 7
# As clients call themselves that nobody wonders about: whoever wants to hide from a probe should not know it by these.
USER_AGENTS = (
    "curl/8.14.1",
    "Go-http-client/1.1",
    "python-requests/2.32.4",
    "okhttp/4.12.0",
    "Java-http-client/21.0.7",
    "axios/1.9.0",
    "Apache-HttpClient/5.4.4 (Java/21.0.7)",
)
# What a packet filter makes of a connection, beside silence. It can refuse one, too, but that looks like a closed port.
FILTERED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)
# How Envoy's own answers begin, where the server itself was not reached.
ENVOY_FAILED = (b"upstream connect error", b"no healthy upstream", b"upstream request timeout")


class Unreachable(OSError):
    """No TCP connection came about, so nothing was learned about whoever listens there."""

    def __init__(self, result: str, detail: str) -> None:
        super().__init__(detail)
        self.result = result


class Said(NamedTuple):
    """What a server said."""

    data: bytes
    closed: bool
    """Whether it hung up then, as far as that was waited for."""


def ask_plaintext(item: Ask, seconds: float, own_proxy: bool = False) -> Answer:
    """Connect, send a request (to what speaks neither HTTP nor gRPC empty lines) and see whether anything comes back.

    Behind an own proxy only what the server itself said is an answer; from outside the server's proxy counts, too,
    since it took the plaintext.
    """
    try:
        connection = connect(item, seconds)
    except Unreachable as error:
        return _answer(error.result, str(error), connected=False)
    with connection:
        try:
            said = exchange(connection, item)
        except TimeoutError:
            if item["protocol"] != TCP:
                return _answer("timeout", f"connected, but no answer within {seconds} s")
            # A proxy that wants TLS hangs up on such bytes at once; an application that waits for more has them.
            return _answer("answered", f"the bytes were taken, the connection stayed open for {QUIET_SECONDS} s")
        except ConnectionError as error:
            return _answer("refused", f"connected, then: {text(error)}")
        except OSError as error:  # the way there broke, which no server did
            return _answer("error", f"connected, then: {text(error)}")
    return judge_bytes(said.data, own_proxy, said.closed)


def judge_bytes(data: bytes, own_proxy: bool = False, closed: bool = True) -> Answer:
    """What the beginning of an answer means."""
    if not data:
        return _answer("refused", "connected, then closed without a byte")
    if TLS_ALERT.fullmatch(data):
        if not closed:
            return _answer("timeout", "connected, then a TLS alert, but the connection stayed open")
        return _answer("refused", "connected, then a TLS alert: the application itself wants TLS")
    if http2.is_reply(data):
        return _judge_http2(http2.read(data), own_proxy)
    head, body = [*data.split(b"\r\n\r\n", 1), b""][:2]
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if (
        not words[0].startswith("HTTP/")
        or len(words) < 2
        or not (words[1].isascii() and words[1].isdecimal() and len(words[1]) == 3)
    ):
        return _answer("answered", f"{len(data)} bytes that are not HTTP/1")
    headers = {
        name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if ":" in line)
    }
    by_envoy = headers.get("server") in ("envoy", "istio-envoy") and "x-envoy-upstream-service-time" not in headers
    return _judge_response("HTTP", int(words[1]), body, by_envoy, own_proxy)


def _judge_http2(reply: http2.Reply, own_proxy: bool) -> Answer:
    if reply.status is not None:
        by_envoy = not reply.body or reply.body.startswith(ENVOY_FAILED)
        return _judge_response("HTTP/2", reply.status, reply.body, by_envoy, own_proxy)
    if not own_proxy:
        return _answer("answered", reply.refusal or "HTTP/2 settings")
    if reply.refusal:
        return _answer("refused", f"connected, then {reply.refusal}")
    return _answer("timeout", "connected, but the proxy had no response to pass on")  # its settings are its own


def _judge_response(protocol: str, status: int, body: bytes, by_envoy: bool, own_proxy: bool) -> Answer:
    said = body.decode("utf-8", "replace").strip()[:200]
    if status in (502, 503, 504) and by_envoy:
        if own_proxy:
            return _answer("refused", f"the proxy answered {status}: {said}", status=status)
        return _answer("answered", f"the server's own proxy took it and answered {status}: {said}", status=status)
    return _answer("answered", f"{protocol} {status}", status=status, rbac=status == 403 and "RBAC: access" in said)


def connect(item: Ask, seconds: float) -> socket.socket:
    """A TCP connection. Raises Unreachable."""
    try:
        return socket.create_connection((item["address"], item["port"]), timeout=seconds)
    except TimeoutError:
        raise Unreachable("blocked", f"no TCP connection within {seconds} s") from None
    except OSError as error:
        result = "blocked" if error.errno in FILTERED else "error"
        raise Unreachable(result, f"no TCP connection: {text(error)}") from None


def exchange(connection: socket.socket, item: Ask) -> Said:
    """Send the question and take the beginning of the answer; what has come counts, also when the rest does not."""
    connection.sendall(_question(item))
    if item["protocol"] == TCP:
        connection.settimeout(QUIET_SECONDS)
    data = connection.recv(4096)
    end = time.monotonic() + (connection.gettimeout() or 0)
    closed = not data
    while not closed and _is_beginning(data, item) and len(data) < LONGEST_ANSWER and time.monotonic() < end:
        try:
            more = connection.recv(4096)
        except OSError as error:
            closed = isinstance(error, ConnectionError)
            break
        closed = not more
        data += more
    return Said(data, closed)


def _question(item: Ask) -> bytes:
    """The bytes to send. An ask's `voice`, a number, chooses what makes no difference to an honest server."""
    voice: int = item.get("voice", 0)
    agent = USER_AGENTS[voice % len(USER_AGENTS)]
    if item["protocol"] == GRPC:
        return http2.request(item["host"], agent)
    if item["protocol"] == TCP:
        return b"\r\n" * (3 + voice % 29)  # Envoy tells TLS from plaintext by no less than five bytes
    return (
        f"GET / HTTP/1.1\r\nHost: {item['host']}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode()


def _is_beginning(data: bytes, item: Ask) -> bool:
    """Whether more of an answer is due. Behind what looks like an alert anything can come, or nothing any more."""
    if data.startswith(ALERT_TYPE) and len(data) <= ALERT_LENGTH:
        return True
    if not data or data.startswith(b"HTTP/") or item["protocol"] != GRPC:
        return data.startswith(b"HTTP/")
    if not http2.is_reply(data):
        return len(data) < 9
    reply = http2.read(data)
    # Of a failure the text tells whose it is.
    return not reply.ended and (reply.status is None or reply.status >= 400)


def _answer(result: str, detail: str, connected: bool = True, **more: Any) -> Answer:
    return {"result": result, "detail": detail, "connected": connected, **more}


def text(error: BaseException) -> str:
    """An error in words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
