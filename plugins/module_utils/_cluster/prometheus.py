# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GET through the API server to what stands behind a Service, such as a Prometheus that is exposed nowhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from .._foreign import json_text
from .._foreign.unreadable import Unreadable
from .._foreign.visible import visible
from . import timed
from .api import Cluster
from .errors import ClusterError
from .kinds import Kind
from .timed import Bounds

with contextlib.suppress(ImportError):  # connect() says so
    import urllib3

SERVICE = Kind("", "v1", "services", "Service")
ROLE = "meshproof-prometheus"


def get_through_service(
    cluster: Cluster, service: str, path: str, query: Mapping[str, Any], seconds: int, most: int
) -> tuple[int, bytes]:
    """The status and the first `most` + 1 bytes of the answer of a Service's port.

    `service` is ``namespace/name:port``, or ``namespace/https:name:port`` where it speaks TLS. An error of the API
    server itself is a ClusterError; any other answer is the Service's own, and is the caller's to judge. Redirects are
    not followed.
    """
    namespace, _slash, name = service.partition("/")
    target = f"{SERVICE.path(namespace, name)}/proxy{path}?{urlencode(query)}"
    bounds = Bounds(time.monotonic() + seconds, most + 1)
    try:
        with timed.within(bounds):
            response = cluster.open("GET", target, bounds, headers=cluster.headers("application/json"), silence=seconds)
            try:
                body = response.read(most + 1, decode_content=False)
            finally:
                response.close()  # what is left of a longer answer is not waited for
    except (urllib3.exceptions.HTTPError, timed.TooLong, ValueError, OSError) as error:
        if bounds.over or isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise ClusterError(
                f"The Service {service} did not answer within {seconds} s through the API server {cluster.server}. "
                "Remedy: ask for a shorter window or fewer namespaces, or raise the option timeout.",
                reason=f"no answer within {seconds} s",
            ) from error
        raise cluster.no_answer(error) from error
    message = _status_message(body) if response.status >= 400 else ""
    if message:
        raise _error(response.status, message, service, cluster.server)
    return response.status, body


def _status_message(body: bytes) -> str:
    """What the API server says when it is its own answer: a Status, which Prometheus never sends."""
    try:
        content: Any = json_text.parse(body)
    except Unreadable:
        return ""
    if not isinstance(content, dict) or content.get("kind") != "Status":
        return ""
    return visible(content.get("message") or content.get("reason") or "no message")


def _error(status: int, message: str, service: str, server: str) -> ClusterError:
    remedies = {
        401: "check that the token or client certificate belongs to this cluster and has not expired",
        403: f"ask for the ClusterRole {ROLE} that this collection ships, bound in the Service's namespace",
        404: "correct the option service: namespace/name:port",
    }
    remedy = remedies.get(
        status, "check the Service's port (a number or a name; https:name:port for TLS) and that its pods are ready"
    )
    return ClusterError(
        f"The Service {service} cannot be reached through the API server {server}: {message.rstrip('.')} (HTTP "
        f"{status}). Remedy: {remedy}.",
        status,
        message,
    )
