# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GET through the API server to what stands behind a Service, such as a Prometheus that is exposed nowhere else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from .api import CONNECT_SECONDS, Cluster, Kind, connection_error
from .errors import ClusterError

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
    where = f"{SERVICE.path(namespace, name)}/proxy{path}"
    try:
        response = cluster._pools.request(
            "GET",
            f"{cluster.server}{where}?{urlencode(query)}",
            headers=cluster._request_headers("application/json", False),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
            retries=False,
            preload_content=False,
        )
        try:
            body = response.read(most + 1)
        finally:
            response.close()  # what is left of a longer answer is not waited for
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise ClusterError(
                f"The Service {service} did not answer within {seconds} s through the API server {cluster.server}. "
                "Remedy: ask for a shorter window or fewer namespaces, or raise the option timeout.",
                reason=f"no answer within {seconds} s",
            ) from error
        raise connection_error(error, cluster.server, cluster._configuration) from error
    message = _status_message(body)
    if response.status >= 400 and message:
        raise _error(response.status, message, service, cluster.server)
    return response.status, body


def _status_message(body: bytes) -> str:
    """What the API server says when it is its own answer: a Status, which Prometheus never sends."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(content, dict) or content.get("kind") != "Status":
        return ""
    return str(content.get("message") or content.get("reason") or "no message")


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
