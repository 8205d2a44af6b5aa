# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to one API server: requests with time limits, bounded repetition, and errors that a user understands."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from .._foreign import json_text, numbers, urls
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible
from . import configuration, pages, protobuf, timed
from .connection_errors import broke_off, connection_error, is_final
from .errors import ClusterError, answer_error, late, no_json, wrong_answer
from .kinds import Kind
from .lists import HEAD_BYTES, Page
from .options import Options
from .pages import Announce
from .timed import Bounds

with contextlib.suppress(ImportError):  # connect() says so
    import urllib3
    from kubernetes.client import rest

CONNECT_SECONDS = 10
READ_SECONDS = 60
"""Of silence in an answer."""
REQUEST_SECONDS = 300
"""For one request with all its repetitions."""
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer."""
_PIECE = 256 * 1024
"""Bytes that are taken from a connection at a time."""
_ATTEMPTS = 5
_LONGEST_PAUSE = 8.0
_LONGEST_PAUSE_ASKED_FOR = 30.0
# A server that stays silent for so long is seldom cured by asking once more, and each time costs READ_SECONDS.
_SILENCES = 2
# Too many requests, and what a restarting or overloaded API server answers; all of them pass.
_PASSING = (429, 500, 502, 503, 504)
_CONFLICT = 409
_SUCCESS = {"GET": (200,), "POST": (200, 201, 202), "DELETE": (200, 202)}
"""With what each method is answered; anything else, such as 204 for a GET, shows nothing."""


class Cluster:
    """One API server. Made by ``connect``; safe to use from several threads."""

    def __init__(self, configuration: Any, headers: list[tuple[str, str]], read_timeout: float) -> None:
        self._configuration = configuration
        self._read_timeout = read_timeout
        self._headers = headers
        self._address: str = configuration.host
        self._pools = self._pool_manager()
        self._answered = False

    @property
    def server(self) -> str:
        """Its address, as messages and results show it."""
        return urls.shown(self._address)

    def deadline(self) -> float:
        """The moment, by time.monotonic(), at which what is begun to be read now must have been read."""
        return time.monotonic() + self._read_timeout

    def version(self) -> str:
        """The API server's version, for example v1.35.4."""
        return visible(self.get("/version").get("gitVersion") or "", 100)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Whatever object is at a path."""
        return self._as_object(self.request("GET", path, query), path)

    def read(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object. Raises ClusterError, also for an answer that is another one."""
        path = kind.path(namespace, name)
        return self._that_one(self.get(path), kind, name, path)

    def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it as the API server, after its webhooks, made it."""
        path = kind.path(manifest["metadata"].get("namespace"))
        made = self._as_object(self.request("POST", path, body=manifest), path)
        return self._that_one(made, kind, manifest["metadata"]["name"], path)

    def delete(self, kind: Kind, name: str, namespace: str | None = None, **options: Any) -> None:
        """Delete an object; that it is gone already is fine, also where another one of its name is there by now.

        The latter is known by the option ``preconditions={"uid": …}``.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            self.request("DELETE", kind.path(namespace, name), body=body)
        except ClusterError as error:
            if not error.missing and not (error.status == _CONFLICT and "preconditions" in options):
                raise

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        stored: protobuf.Reader | None = None,
        end: float | None = None,
        only_metadata: bool = False,
    ) -> Iterator[Page]:
        """All objects of a kind, page by page, so that the caller can drop what it does not need; see ``pages``."""
        wanted = pages.Wanted(kind, namespace, labels, fields, stored, only_metadata)
        return pages.read(self.request, wanted, self.server, end or self.deadline())

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: str = "application/json",
        announce: Announce | None = None,
        bounds: Bounds | None = None,
    ) -> bytes:
        """Send one request and return the body of a successful answer; repeat what is safe to repeat.

        ``announce`` is called with the first bytes of a successful answer as soon as they are there. Raises
        ClusterError, also for an answer that does not keep to its bounds.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        encoded = None if body is None else json.dumps(body).encode()
        bounds = bounds or Bounds(time.monotonic() + REQUEST_SECONDS, MOST_BYTES)
        pause, silences = 0.5, 0
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            asked_for = 0.0
            if bounds.over:
                raise late(path, self.server)
            try:
                status, retry_after, content = self._send(method, target, encoded, accept, bounds, announce)
            except timed.TooLong:
                raise wrong_answer(f"is longer than {bounds.most} bytes", path, self.server) from None
            except urllib3.exceptions.HTTPError as error:
                if bounds.over:
                    raise late(path, self.server) from error
                silences += isinstance(error, urllib3.exceptions.ReadTimeoutError)
                self._answered = self._answered or broke_off(error)
                # An API server that has never answered is most likely a wrong address: say so at once.
                if last or method == "POST" or not self._answered or is_final(error) or silences == _SILENCES:
                    raise self.no_answer(error) from error
            except (ValueError, OSError) as error:  # a certificate file that is none, a URL that is none
                raise self.no_answer(error) from error
            else:
                self._answered = True
                if status in _SUCCESS[method]:
                    return content
                repeat = status == 429 or (status in _PASSING and method != "POST")
                if last or not repeat:
                    raise answer_error(method, path, status, content, self.server)
                asked_for = min(numbers.number(retry_after) or 0, _LONGEST_PAUSE_ASKED_FOR)
            seconds = max(min(pause, _LONGEST_PAUSE), asked_for)
            if seconds >= bounds.left():
                raise late(path, self.server)
            time.sleep(seconds)
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(
        self, method: str, target: str, body: bytes | None, accept: str, bounds: Bounds, announce: Announce | None
    ) -> tuple[int, str | None, bytes]:
        """Status, Retry-After and body of one answer. Raises TooLong, and urllib3's errors."""
        with timed.within(bounds):
            response = self.open(method, target, bounds, body, self.headers(accept, body is not None))
            try:
                pieces, size = [], 0
                # In pieces: urllib3's read() of the rest after a part copies it all twice.
                for piece in response.stream(_PIECE, decode_content=False):
                    pieces.append(piece)
                    size += len(piece)
                    if size > bounds.most:
                        response.close()
                        raise timed.TooLong
                    if announce and size >= HEAD_BYTES and response.status == 200:
                        announce(b"".join(pieces))
                        announce = None
                if announce and response.status == 200:
                    announce(b"".join(pieces))
                return response.status, response.headers.get("Retry-After"), b"".join(pieces)
            finally:
                response.release_conn()

    def open(
        self,
        method: str,
        target: str,
        bounds: Bounds,
        body: bytes | None = None,
        headers: Any = None,
        silence: float | None = None,
    ) -> Any:
        """urllib3's answer to one request, of which nothing but the head is read yet; use it inside ``timed.within``.

        `silence` is how many seconds without a byte are too many.
        """
        left = bounds.left()
        return self._pools.request(
            method,
            f"{self._address}{target}",
            body=body,
            headers=headers or self.headers(),
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=min(silence or READ_SECONDS, left)),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def headers(self, accept: str = "*/*", has_body: bool = False) -> Any:
        """The headers of every request: who asks, and on whose behalf."""
        headers = urllib3.HTTPHeaderDict({"Accept": accept, "User-Agent": "meshproof.mtls"})
        if has_body:
            headers["Content-Type"] = "application/json"
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        for name, value in self._headers:
            headers.add(name, value)
        return headers

    def no_answer(self, error: Exception) -> ClusterError:
        """The error for a request that got no answer."""
        return connection_error(error, self.server, self._configuration, READ_SECONDS)

    def _pool_manager(self) -> Any:
        """The library's own pool: it knows the CA data, server names and proxies of every kubeconfig."""
        try:
            return timed.make_timed(rest.RESTClientObject(self._configuration).pool_manager)
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise self.no_answer(error) from error

    def _that_one(self, found: dict[str, Any], kind: Kind, name: str, path: str) -> dict[str, Any]:
        metadata = found.get("metadata")
        named = metadata.get("name") if isinstance(metadata, dict) else None
        if (found.get("kind"), found.get("apiVersion"), named) != (kind.kind, kind.api_version, name):
            raise wrong_answer(f"is not the {kind.kind} {name}", path, self.server)
        return found

    def _as_object(self, body: bytes, path: str) -> dict[str, Any]:
        try:
            content = json_text.parse(body)
        except Unreadable as error:
            raise no_json(path, self.server) from error
        if not isinstance(content, dict):
            raise wrong_answer("is no object", path, self.server)
        return content


_CONNECTED: list[tuple[Options, Cluster]] = []
_CONNECTING = threading.Lock()


def connect(params: Mapping[str, Any]) -> Cluster:
    """Connect with module parameters (see ``ARGUMENT_SPEC``). Nothing is sent before the first request.

    The same options give the same connection, so that all parts of a run share its sockets and its credentials, which
    a helper may have been asked for.
    """
    options = Options.of(params)
    with _CONNECTING:
        for known, cluster in _CONNECTED:
            if known == options:
                return cluster
        cluster = Cluster(configuration.load(options), configuration.headers(options), options.read_timeout)
        _CONNECTED[:] = [(options, cluster)]
        return cluster
