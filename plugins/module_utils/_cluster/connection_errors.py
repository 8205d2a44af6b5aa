# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that got no answer, in words that name the address and the remedy."""

from __future__ import annotations

import contextlib
import re
import ssl
from typing import Any

from .._foreign import urls
from .._foreign.visible import visible
from .errors import ClusterError

with contextlib.suppress(ImportError):  # connect() says so
    import urllib3


def connection_error(error: Exception, server: str, configuration: Any, seconds: float) -> ClusterError:
    """The error for a request that got no answer, of which `seconds` of silence are the limit."""
    text = _innermost(error)
    through = f" through the proxy {urls.shown(configuration.proxy)}" if configuration.proxy else ""
    if isinstance(error, (urllib3.exceptions.SSLError, ssl.SSLError)):
        return _tls_error(text, server, configuration)
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return ClusterError(
            f"The API server {server} did not answer within {seconds:g} s{through}. Remedy: look at its load, "
            "then run this again.",
            reason=f"no answer within {seconds:g} s",
        )
    if broke_off(error):
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


def broke_off(error: Exception) -> bool:
    """Whether an answer had begun when the connection ended."""
    return isinstance(error, urllib3.exceptions.IncompleteRead) or "Connection broken" in str(error)


def is_final(error: Exception) -> bool:
    """Whether asking once more cannot help."""
    return isinstance(error, (urllib3.exceptions.SSLError, urllib3.exceptions.LocationValueError))


def _innermost(error: BaseException) -> str:
    """The text that says something: urllib3 wraps the operating system's message several times."""
    while error.__cause__ is not None or (error.args and isinstance(error.args[-1], BaseException)):
        error = error.__cause__ or error.args[-1]
    # "HTTPSConnection(host='…', port=…): Failed to establish a new connection: [Errno 111] Connection refused"
    noise = r"^\w+\(host=.*?\): |Failed to establish a new connection: |\[Errno -?\d+\] | \(_ssl\.c:\d+\)"
    return visible(urls.shown_in(re.sub(noise, "", str(error)) or type(error).__name__))
