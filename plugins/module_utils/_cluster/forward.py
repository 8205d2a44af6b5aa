# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over one port-forward to one port of one pod: several requests, one after the other, on the same connection.

The library's own PortForward starts a thread for each connection, drops the headers of impersonation, has no time limit
and uses select(), which ends at descriptor 1024. The protocol is small enough to speak it here: a WebSocket whose
frames begin with the channel's number, 0 for the bytes and 1 for errors, and on each channel first the port's number
(kubelet, pkg/kubelet/cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from .api import Cluster, connection_error
from .errors import ClusterError, answer_error

try:
    import urllib3
    import websocket
except ImportError:  # connect() says so: the library kubernetes brings both
    pass

_PROTOCOL = "v4.channel.k8s.io"
_BINARY = 2
_DATA, _ERRORS = 0, 1
_MOST_HEAD = 64 * 1024


class Forwards:
    """Makes connections to one port of many pods; safe to use from several threads.

    ``seconds`` is the time for all that happens on one connection, ``most`` the number of bytes that one answer may
    have. Raises ClusterError where a certificate file cannot be used.
    """

    def __init__(self, cluster: Cluster, port: int, seconds: float, most: int) -> None:
        self.server = cluster.server
        self.port, self.seconds, self.most = port, seconds, most
        self.configuration, tls, headers = cluster.transport()
        self._headers = [f"{name}: {value}" for name, value in headers]
        try:
            self._tls = _tls_options(tls) if self.server.startswith("https") else {}
        except (OSError, ValueError) as error:
            raise connection_error(error, self.server, self.configuration) from error

    def to(self, namespace: str, pod: str) -> Forward:
        """A connection to one pod, not opened yet."""
        return Forward(self, namespace, pod)

    def open(self, path: str, seconds: float) -> Any:
        """The WebSocket."""
        return websocket.create_connection(
            f"ws{self.server[4:]}{path}?{urlencode({'ports': self.port})}",
            timeout=seconds,
            subprotocols=[_PROTOCOL],
            header=self._headers,
            sslopt=self._tls,
            skip_utf8_validation=True,
            enable_multithread=False,
            suppress_origin=True,
            **_proxy(self.configuration),
        )


class Forward:
    """A connection to a port of a pod, as a context.

    Every method raises ClusterError, whose ``reason`` says it in a few words; after one the connection cannot be used
    again, except after an answer that is just not 200.
    """

    def __init__(self, forwards: Forwards, namespace: str, pod: str) -> None:
        self._forwards = forwards
        self._place = f"{namespace}/{pod}"
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        self._port = forwards.port
        self._end = time.monotonic() + forwards.seconds
        self._most = forwards.most
        self._socket: Any = None
        self._buffer = bytearray()
        self._begun: set[int] = set()
        self._taken = 0

    def __enter__(self) -> Forward:
        forwards = self._forwards
        try:
            self._socket = forwards.open(self._path, self._left())
        except websocket.WebSocketBadStatusException as error:
            body = getattr(error, "resp_body", None) or b""
            raise answer_error("GET", self._path, error.status_code, body, forwards.server) from error
        except (websocket.WebSocketTimeoutException, TimeoutError) as error:
            raise self._silence() from error
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise connection_error(error, forwards.server, forwards.configuration) from error
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._socket is not None:
            # Its own close() waits for the server's goodbye; nobody here needs that.
            self._socket.shutdown()
            self._socket = None

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer to one GET; raises ClusterError with the HTTP status where that is not 200."""
        target = path + (f"?{urlencode(query)}" if query else "")
        self._send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode("ascii"))
        self._taken = 0
        status, headers = self._head()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self._exactly(self._number(headers.get("content-length", ""), 10))
        if status != 200:
            text = body[:200].decode("utf-8", "replace").strip()
            reason = f"port {self._port} answered {path} with HTTP status {status}: {text}"
            raise ClusterError(f"The pod {self._place}: {reason}.", status, reason)
        return body

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEAD:
                raise self._broken("it answers with something that is not HTTP")
            self._more()
        lines = bytes(self._take(self._buffer.index(b"\r\n\r\n") + 4)).decode("latin-1").split("\r\n")
        version, dummy, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise self._broken("it answers with something that is not HTTP")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return int(rest[:3]), {name.strip().lower(): value.strip() for name, dummy, value in pairs}

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            line = bytes(self._take(self._buffer.index(b"\r\n") + 2))
            size = self._number(line.split(b";", 1)[0].strip().decode("latin-1"), 16)
            chunk = self._exactly(size + 2)
            if size == 0:
                return bytes(body)
            body += chunk[:-2]

    def _exactly(self, size: int) -> bytes:
        self._taken += size
        if self._taken > self._most:
            raise self._broken(f"its answer is longer than {self._most} bytes (max_bytes)")
        while len(self._buffer) < size:
            self._more()
        return bytes(self._take(size))

    def _take(self, size: int) -> bytearray:
        taken = self._buffer[:size]
        del self._buffer[:size]
        return taken

    def _number(self, text: str, base: int) -> int:
        try:
            number = int(text, base)
        except ValueError:
            number = -1
        if number < 0:
            raise self._broken("it answers with HTTP whose length cannot be told")
        return number

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise self._broken("the connection to it has ended")
        try:
            self._socket.settimeout(self._left())
            self._socket.send_binary(bytes((_DATA,)) + data)
        except (websocket.WebSocketTimeoutException, TimeoutError) as error:
            raise self._silence() from error
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(f"the connection to it broke off: {error}") from error

    def _more(self) -> None:
        """Take in one frame of bytes; errors of the other end come in frames of their own."""
        while True:
            try:
                self._socket.settimeout(self._left())
                kind, frame = self._socket.recv_data()
            except (websocket.WebSocketTimeoutException, TimeoutError) as error:
                raise self._silence() from error
            except (websocket.WebSocketException, OSError) as error:
                raise self._broken("the connection to it broke off in the middle of an answer") from error
            if kind != _BINARY or not frame:
                raise self._broken("the connection to it was ended by the other side")
            channel = frame[0]
            if channel not in self._begun:
                self._begun.add(channel)  # the port's number, which we know
            elif channel == _ERRORS:
                raise self._broken(self._said(frame[1:].decode("utf-8", "replace").strip()))
            elif channel == _DATA:
                self._buffer += frame[1:]
                return

    def _said(self, text: str) -> str:
        """The node's error; the usual one is long and names what means nothing to a user."""
        if "connection refused" in text:
            return f"nothing listens on port {self._port} (connection refused)"
        return text

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._silence()
        return left

    def _silence(self) -> ClusterError:
        self.__exit__(None, None, None)
        reason = f"no answer within {self._forwards.seconds:g} s"
        return ClusterError(
            f"Port {self._port} of the pod {self._place} gave {reason} through the API server {self._forwards.server}. "
            "Remedy: look whether the pod is running and its node reachable from the API server.",
            reason=reason,
        )

    def _broken(self, reason: str) -> ClusterError:
        self.__exit__(None, None, None)
        return ClusterError(f"Port {self._port} of the pod {self._place} cannot be read: {reason}.", reason=reason)


def _tls_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same TLS as that of the pool, so that a server which is trusted here is the one that is trusted there."""
    context = urllib3.util.ssl_.create_urllib3_context()
    if options["cert_reqs"] == ssl.CERT_NONE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = options.get("assert_hostname") is not False
        data = options.get("ca_cert_data")
        if options.get("ca_certs") or data:
            context.load_verify_locations(options.get("ca_certs"), None, data)
        else:
            context.load_default_certs()
    if options.get("cert_file"):
        context.load_cert_chain(options["cert_file"], options.get("key_file"))
    name = options.get("server_hostname")
    return {"context": context, **({"server_hostname": name} if name else {})}


def _proxy(configuration: Any) -> dict[str, Any]:
    """Through the proxy that the other requests use, or through none: not what the environment says besides."""
    skipped = [part.strip() for part in (configuration.no_proxy or "").split(",") if part.strip()]
    if not configuration.proxy:
        return {"http_no_proxy": ["*"]}
    url = urlsplit(configuration.proxy)
    login = (url.username, url.password or "") if url.username else None
    if login is None:
        login = _basic((configuration.proxy_headers or {}).get("proxy-authorization", ""))
    return {
        "http_proxy_host": url.hostname,
        "http_proxy_port": url.port or (443 if url.scheme == "https" else 80),
        "http_proxy_auth": login,
        # An empty list would make the environment's no_proxy count.
        "http_no_proxy": [*skipped, ""],
        "proxy_type": "http",
    }


def _basic(header: str) -> tuple[str, str] | None:
    if not header.startswith("Basic "):
        return None
    user, dummy, password = base64.b64decode(header[6:]).decode("utf-8", "replace").partition(":")
    return user, password
