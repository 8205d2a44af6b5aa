# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to one API server: requests with time limits, bounded repetition, and errors that a user understands."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlencode

from . import configuration
from .decode import (
    HEAD_BYTES,
    Page,
    accepted,
    begins_well,
    decode,
    token_ahead,
)
from .errors import ClusterError, answer_error

try:
    import urllib3
    from kubernetes.client import rest
except ImportError:
    pass  # connect() says so

CONNECT_SECONDS = 10
READ_SECONDS = 60
PAGE = 500
_PAGES_AT_ONCE = 2
_PIECE = 256 * 1024
"""Bytes that are taken from a connection at a time."""
_ATTEMPTS = 5
_LONGEST_PAUSE = 8.0
_LONGEST_PAUSE_ASKED_FOR = 30.0
# A server that stays silent for so long is seldom cured by asking once more, and each time costs READ_SECONDS.
_SILENCES = 2
# Too many requests, and what a restarting or overloaded API server answers; all of them pass.
_PASSING = (429, 500, 502, 503, 504)


class Kind(NamedTuple):
    """A kind as the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What manifests of this kind say."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of the collection, or of one object."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/".join(parts)


_Announce = Callable[[bytes], None]


class _PageOnItsWay:
    """A page that was asked for in a thread of its own."""

    def __init__(self, threads: ThreadPoolExecutor, token: str, fetch: Callable[[_Announce], bytes]) -> None:
        self.token = token
        """With which it was asked for; empty for the first one."""
        self._next: Future[str] = Future()
        self._body = threads.submit(self._run, fetch)

    def _run(self, fetch: Callable[[_Announce], bytes]) -> bytes:
        try:
            return fetch(lambda first: self._announce(token_ahead(first)))
        finally:
            self._announce("")

    def _announce(self, token: str) -> None:
        if not self._next.done():
            self._next.set_result(token)

    def next_token(self) -> str:
        """With which the next page can be asked for, empty where the first bytes do not say it."""
        return self._next.result()

    def body(self) -> bytes:
        """Its bytes when they are all there."""
        return self._body.result()


class Cluster:
    """One API server. Made by ``connect``; safe to use from several threads."""

    def __init__(self, configuration: Any, headers: list[tuple[str, str]]) -> None:
        self._configuration = configuration
        self._headers = headers
        self._pools = _pool_manager(configuration)
        self._answered = False
        self.server: str = configuration.host

    def version(self) -> str:
        """The API server's version, for example v1.35.4."""
        return str(self.get("/version").get("gitVersion", ""))

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One object, or one page of a list."""
        return _as_object(self.request("GET", path, query=query), path, self.server)

    def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it as the API server, after its webhooks, made it."""
        path = kind.path(manifest["metadata"].get("namespace"))
        return _as_object(self.request("POST", path, body=manifest), path, self.server)

    def delete(self, kind: Kind, name: str, namespace: str | None = None, **options: Any) -> None:
        """Delete an object; that it is gone already is fine."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            self.request("DELETE", kind.path(namespace, name), body=body)
        except ClusterError as error:
            if not error.missing:
                raise

    def list(
        self, kind: Kind, namespace: str | None = None, labels: str = "", fields: str = "", whole: bool = True
    ) -> Iterator[list[dict[str, Any]]]:
        """All objects of a kind, page by page, so that the caller can drop what it does not need.

        Where a page's first bytes name the next one, that is asked for at once: the API server encodes it while this
        one is still on its way, decoded and used. Pods that need not be whole may lack what ``_slim.py`` drops.
        """
        path, accept = kind.path(namespace), accepted(kind.kind, whole)
        query: dict[str, Any] = {"limit": PAGE}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        with ThreadPoolExecutor(max_workers=_PAGES_AT_ONCE) as threads:

            def ask(token: str) -> _PageOnItsWay:
                return _PageOnItsWay(threads, token, lambda announce: self._page(path, query, accept, token, announce))

            following: _PageOnItsWay | None = ask("")
            while following:
                ahead = following.next_token()
                current, following = following, ask(ahead) if ahead else None
                page = self._decoded(kind, path, query, accept, current)
                del current  # its bytes, before its objects are used
                yield page.items
                # A page that was asked for again may end elsewhere than its first bytes said the first time.
                if page.token != ahead:
                    following = ask(page.token) if page.token else None

    def _page(
        self, path: str, query: Mapping[str, Any], accept: str, token: str, announce: _Announce | None = None
    ) -> bytes:
        """One page's bytes. Where the API server has forgotten the list's state, the rest shows a newer one.

        It says with which token (410 with metadata.continue): nothing that exists all the while is left out by that.
        Without one the whole list has to start again, and 410 is the caller's.
        """
        while True:
            try:
                wanted = {**query, "continue": token} if token else query
                return self.request("GET", path, query=wanted, accept=accept, announce=announce)
            except ClusterError as error:
                if not error.token or error.token == token:
                    raise
                token = error.token

    def _decoded(self, kind: Kind, path: str, query: Mapping[str, Any], accept: str, page: _PageOnItsWay) -> Page:
        """A page's objects; one that begins well and was cut off on its way is asked for again."""
        body = page.body()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return decode(body, kind.kind, kind.api_version)
            except ValueError as error:
                if attempt == _ATTEMPTS or not begins_well(body):
                    raise _no_json(path, self.server) from error
            body = self._page(path, query, accept, page.token)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: str = "application/json",
        announce: _Announce | None = None,
    ) -> bytes:
        """Send one request and return the body of a successful answer; repeat what is safe to repeat.

        ``announce`` is called with the first bytes of a successful answer as soon as they are there.
        """
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        encoded = None if body is None else json.dumps(body).encode()
        headers = self._request_headers(accept, encoded is not None)
        pause, silences = 0.5, 0
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            asked_for = 0.0
            try:
                response, content = self._send(method, url, encoded, headers, announce)
            except urllib3.exceptions.HTTPError as error:
                silences += isinstance(error, urllib3.exceptions.ReadTimeoutError)
                self._answered = self._answered or _broke_off(error)
                # An API server that has never answered is most likely a wrong address: say so at once.
                if last or method == "POST" or not self._answered or _is_final(error) or silences == _SILENCES:
                    raise connection_error(error, self.server, self._configuration) from error
            except (ValueError, OSError) as error:  # a certificate file that is none, a URL that is none
                raise connection_error(error, self.server, self._configuration) from error
            else:
                self._answered = True
                if response.status < 300:
                    return content
                repeat = response.status == 429 or (response.status in _PASSING and method != "POST")
                if last or not repeat:
                    raise answer_error(method, path, response.status, content, self.server)
                asked_for = min(_retry_after(response.headers.get("Retry-After")), _LONGEST_PAUSE_ASKED_FOR)
            time.sleep(max(min(pause, _LONGEST_PAUSE), asked_for))
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(
        self, method: str, url: str, body: bytes | None, headers: Any, announce: _Announce | None
    ) -> tuple[Any, bytes]:
        response = self._pools.request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,
            preload_content=announce is None,
        )
        if announce is None:
            return response, response.data
        try:
            # In pieces: urllib3's read() of the rest after a part copies it all twice.
            pieces = response.stream(_PIECE)
            first = b""
            while len(first) < HEAD_BYTES and (piece := next(pieces, b"")):
                first += piece
            if response.status < 300:
                announce(first)
            return response, b"".join([first, *pieces])
        finally:
            response.release_conn()

    def transport(self) -> tuple[Any, Mapping[str, Any], Any]:
        """What a connection beside the pool needs to be one of ours: configuration, urllib3's TLS options, headers."""
        return self._configuration, self._pools.connection_pool_kw, self._request_headers("*/*", False).items()

    def _request_headers(self, accept: str, has_body: bool) -> Any:
        headers = urllib3.HTTPHeaderDict({"Accept": accept, "User-Agent": "meshproof.mtls"})
        if has_body:
            headers["Content-Type"] = "application/json"
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        for name, value in self._headers:
            headers.add(name, value)
        return headers


def connect(params: Mapping[str, Any]) -> Cluster:
    """Connect with module parameters (see ``ARGUMENT_SPEC``). Nothing is sent before the first request."""
    return Cluster(configuration.load(params), configuration.headers(params))


def connection_error(error: Exception, server: str, configuration: Any) -> ClusterError:
    """The error for a request that got no answer."""
    text = _innermost(error)
    through = f" through the proxy {_without_password(configuration.proxy)}" if configuration.proxy else ""
    if isinstance(error, (urllib3.exceptions.SSLError, ssl.SSLError)):
        return _tls_error(text, server, configuration)
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return ClusterError(
            f"The API server {server} did not answer within {READ_SECONDS} s{through}. Remedy: look at its load, "
            "then run this again.",
            reason=f"no answer within {READ_SECONDS} s",
        )
    if _broke_off(error):
        return ClusterError(
            f"The connection to the API server {server} broke off in the middle of an answer{through}, time and again. "
            "Remedy: look for what ends long answers on the way (a proxy, a load balancer), then run this again.",
            reason="the connection broke off in the middle of an answer",
        )
    if isinstance(error, (urllib3.exceptions.LocationValueError, ValueError)):
        return ClusterError(
            f"The API server's address {server} cannot be used: {text}. Remedy: write it as https://address:port.",
            reason=text,
        )
    return ClusterError(
        f"The API server {server} cannot be reached{through}: {text}. Remedy: check that it is running and that this "
        "machine may reach it; the address comes from the option host, K8S_AUTH_HOST or the kubeconfig.",
        reason=text,
    )


def _tls_error(text: str, server: str, configuration: Any) -> ClusterError:
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text or "not valid for" in text:
        ca = configuration.ssl_ca_cert or "this machine's own CA list"
        message = (
            f"The certificate of the API server {server} cannot be verified with {ca}: {text}. Remedy: give the "
            "cluster's CA (option ca_cert, K8S_AUTH_SSL_CA_CERT or the kubeconfig's certificate-authority)."
        )
    elif "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text or "RECORD_LAYER_FAILURE" in text:
        message = f"{server} does not speak TLS: {text}. Remedy: check the port, or write http:// for a plain server."
    elif "PEM" in text or "KEY_VALUES_MISMATCH" in text or "NO_CERTIFICATE" in text:
        files = ", ".join(
            str(path) for path in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file) if path
        )
        message = (
            f"A certificate file cannot be used ({text}); one of: {files}. Remedy: each must be PEM, and the client "
            "certificate must belong to the client key."
        )
    else:
        message = (
            f"TLS with the API server {server} failed: {text}. Remedy: check the client certificate (option "
            "client_cert or the kubeconfig) and its expiry."
        )
    return ClusterError(message, reason=text)


def _pool_manager(configuration: Any) -> Any:
    """The library's own pool: it knows the CA data, server names and proxies of every kubeconfig."""
    try:
        return rest.RESTClientObject(configuration).pool_manager
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        raise connection_error(error, configuration.host, configuration) from error


def _as_object(body: bytes, path: str, server: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise _no_json(path, server) from error
    if not isinstance(content, dict):
        raise ClusterError(f"{server} answered {path} with JSON that is no object.", reason="the answer is no object")
    return content


def _no_json(path: str, server: str) -> ClusterError:
    return ClusterError(
        f"{server} answered {path} with something that is not JSON. Remedy: check that the address is a "
        "Kubernetes API server's, and that nothing on the way cuts long answers off.",
        reason="the answer is not JSON",
    )


def _broke_off(error: Exception) -> bool:
    """Whether an answer had begun when the connection ended."""
    return isinstance(error, urllib3.exceptions.IncompleteRead) or "Connection broken" in str(error)


def _is_final(error: Exception) -> bool:
    return isinstance(error, (urllib3.exceptions.SSLError, urllib3.exceptions.LocationValueError))


def _retry_after(value: str | None) -> float:
    return float(value) if value and value.isdigit() else 0.0


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _innermost(error: BaseException) -> str:
    """The text that says something: urllib3 wraps the operating system's message several times."""
    while error.__cause__ is not None or (error.args and isinstance(error.args[-1], BaseException)):
        error = error.__cause__ or error.args[-1]
    # "HTTPSConnection(host='…', port=…): Failed to establish a new connection: [Errno 111] Connection refused"
    noise = r"^\w+\(host=.*?\): |Failed to establish a new connection: |\[Errno -?\d+\] | \(_ssl\.c:\d+\)"
    return re.sub(noise, "", str(error)) or type(error).__name__
