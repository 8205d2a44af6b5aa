# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a Prometheus: at a URL, or behind a Service through the API server."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as OutOfTime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.urls import ConnectionError as NoConnection
from ansible.module_utils.urls import NoSSLError, SSLValidationError, open_url

from .. import _cluster as api
from .._evidence.traffic import series
from .._foreign import urls
from .._foreign.visible import visible
from .options import PrometheusOptions

QUERY = "/api/v1/query"
MOST_BYTES = 64 * 1024 * 1024
"""An answer that is longer is not read; this is about 80,000 rows."""
_PIECE = 256 * 1024
_NO_ANSWER = (
    URLError,
    NoConnection,
    NoSSLError,
    SSLValidationError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a host that cannot be written in DNS
)


class TrafficError(Exception):
    """What stands between us and the traffic's records, with its remedy."""


class TooMuch(TrafficError):
    """The answer is too long, or takes too long to be made; a part of it may be had."""


class Prometheus:
    """A place where PromQL is answered. Made by ``connect``."""

    def __init__(self, name: str, seconds: int, get: Callable[[str, Mapping[str, Any]], tuple[int, bytes]]) -> None:
        self.name = name
        """What messages call it, without credentials."""
        self._seconds = seconds
        self._get = get

    def ask(self, query: str) -> series.Answer:
        """The answer to an instant query. Raises TooMuch, another TrafficError, or ClusterError."""
        try:
            status, body = self._get(QUERY, {"query": query, "timeout": f"{self._seconds}s"})
        except api.ClusterError as error:
            raise TooMuch(str(error)) if error.reason.startswith("no answer within") else error from None
        if len(body) > MOST_BYTES:
            raise TooMuch(
                f"{self.name} answered with more than {MOST_BYTES // 1024 // 1024} MiB. Remedy: ask for fewer "
                "namespaces at a time."
            )
        try:
            if status not in (200, 400, 422, 503):  # with the latter three Prometheus says in JSON what is wrong
                raise series.AnswerError(f"HTTP {status}")
            answer = series.parse(body)
            if status != 200:
                raise series.AnswerError("the answer says success and failure at once")
            return answer
        except series.AnswerError as error:
            kind = TooMuch if _is_too_much(str(error)) else TrafficError
            raise kind(
                f"{self.name} gave no answer that can be used: {error} (HTTP {status}). {_remedy(status, str(error))}"
            ) from None


def _is_too_much(problem: str) -> bool:
    """By our own words, or by Prometheus' (promql/engine.go: ErrTooManySamples, ErrQueryTimeout)."""
    return "too many samples" in problem or "refuses: timeout" in problem


def connect(given: PrometheusOptions, cluster: Callable[[], api.Cluster]) -> Prometheus:
    """The Prometheus of the options url, service, token, ca_path, validate_certs and timeout. Sends nothing yet.

    `cluster` is called for a service only. Raises TrafficError.
    """
    seconds = given.timeout
    if seconds < 1:
        raise TrafficError("The option timeout is less than a second. Remedy: give seconds, such as 30.")
    if given.service:
        if given.token:
            raise TrafficError(
                "A token cannot pass through the API server, which takes it for its own. Remedy: leave token out, or "
                "give a url instead of service."
            )
        place = _service(given.service)
        server = cluster()
        return Prometheus(
            f"The Prometheus behind the Service {place}",
            seconds,
            lambda path, query: api.get_through_service(server, place, path, query, seconds, MOST_BYTES),
        )
    url = _base(given.url or "")
    if given.ca_path and not os.path.isfile(given.ca_path):
        raise TrafficError(f"The file {given.ca_path} of the option ca_path does not exist. Remedy: correct it.")
    name = f"The Prometheus at {urls.shown(url)}"
    return Prometheus(name, seconds, lambda path, query: _get_url(name, f"{url}{path}?{urlencode(query)}", given))


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is no number
        good = False
    if not good or parts.query or parts.fragment:
        raise TrafficError(
            f"{urls.shown(url)} is no URL of a Prometheus. Remedy: write it as https://address:port, with the "
            "path under which it is served, if any."
        )
    return url.rstrip("/")


def _service(text: str) -> str:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name or name.count(":") not in (1, 2) or name.endswith(":"):
        raise TrafficError(
            f"{visible(text)} names no Service's port. Remedy: write it as namespace/name:port, or "
            "namespace/https:name:port where it speaks TLS."
        )
    return text


def _get_url(name: str, url: str, given: PrometheusOptions) -> tuple[int, bytes]:
    """Status and body of the answer, which is there within `timeout` seconds or not at all."""
    try:
        return _in_time(given.timeout, lambda: _fetch(name, url, given))
    except _NO_ANSWER as error:
        raise _unreachable(name, error, given) from error
    except OutOfTime as error:
        raise _too_late(name, given) from error


def _in_time(seconds: float, get: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
    """What `get` returns. Raises OutOfTime, and what it raises.

    A socket's time limit is about silence, and who sends a byte a second is never silent. The thread that is left
    behind then ends with its connection, or with this process.
    """
    found: Future[tuple[int, bytes]] = Future()

    def run() -> None:
        try:
            found.set_result(get())
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found.result(seconds)


def _fetch(name: str, url: str, given: PrometheusOptions) -> tuple[int, bytes]:
    headers = {"Accept": "application/json"}
    if given.token:
        headers["Authorization"] = f"Bearer {given.token}"
    end = time.monotonic() + given.timeout + 1
    try:
        response = open_url(
            url,
            headers=headers,
            timeout=given.timeout,
            validate_certs=given.validate_certs,
            ca_path=given.ca_path,
            follow_redirects="none",  # or a token would go wherever the answer says
            http_agent="meshproof.mtls",
        )
    except HTTPError as error:
        if 300 <= error.code < 400:
            target = urls.shown(str(error.headers.get("Location")).partition("?")[0])
            raise TrafficError(
                f"{name} redirects to {target}, and redirects are not followed, so that a token goes nowhere else. "
                "Remedy: give the url at which it answers itself."
            ) from None
        return error.code, _body(error, end)
    return response.status, _body(response, end)


def _body(response: Any, end: float) -> bytes:
    """The first MOST_BYTES + 1 bytes; as many as are there when nobody waits for them any more."""
    pieces, size = [], 0
    while size <= MOST_BYTES and time.monotonic() < end:
        piece = response.read(min(_PIECE, MOST_BYTES + 1 - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _too_late(name: str, given: PrometheusOptions) -> TooMuch:
    return TooMuch(
        f"{name} did not answer within {given.timeout} s. Remedy: ask for a shorter window or fewer namespaces, "
        "or raise the option timeout; see whether it is up."
    )


def _unreachable(name: str, error: Exception, given: PrometheusOptions) -> TrafficError:
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    text = visible(urls.shown_in(" ".join(str(cause).split()))) or type(cause).__name__
    if isinstance(cause, TimeoutError) or "timed out" in text:
        return _too_late(name, given)
    if isinstance(cause, (ssl.SSLError, SSLValidationError, NoSSLError)):
        remedy = "give its CA (option ca_path)"
        if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text:
            remedy = "it speaks no TLS on this port; write http:// or correct the port"
        return TrafficError(f"TLS with {name[0].lower()}{name[1:]} failed: {text}. Remedy: {remedy}.")
    if isinstance(cause, http.client.HTTPException):
        return TrafficError(
            f"{name} gave an answer that is not HTTP, or broke off: {text}. Remedy: check the "
            "url, and that https:// is written where it speaks TLS."
        )
    return TrafficError(
        f"{name} cannot be reached: {text}. Remedy: see whether it is up, and whether this machine may reach it."
    )


def _remedy(status: int, problem: str) -> str:
    if status in (401, 403):
        return "Remedy: give a token that it accepts (option token)."
    if status == 404 or "JSON" in problem or "not one of" in problem:
        return "Remedy: check that this is the address of a Prometheus, with the path under which it is served."
    if status == 422 or "timeout" in problem or "too many samples" in problem:
        return "Remedy: ask for a shorter window or fewer namespaces."
    return "Remedy: see Prometheus' own log."
