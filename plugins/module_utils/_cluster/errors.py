# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and the API server, in words that name the object and the remedy."""

from __future__ import annotations

from typing import Any

from .._foreign import json_text
from .._foreign.visible import visible
from . import protobuf

# The ClusterRoles that this collection ships, from the least rights to the most.
READER = "meshproof-reader"
INSPECTOR = "meshproof-inspector"
PROBER = "meshproof-prober"
# Refusals with the status of missing rights that come from admission, quotas and the like.
_NOT_ABOUT_RIGHTS = (
    "is being terminated",
    "violates PodSecurity",
    "exceeded quota",
    "denied the request",
    "security context constraint",
)

_LONGEST_MESSAGE = 2000
# What the API server itself says where it has nothing; anything else is somebody else's answer.
_NOTHING_THERE = b"404 page not found"


class ClusterError(Exception):
    """A failure that a user can act on; its text names the object and the remedy."""

    def __init__(self, message: str, status: int | None = None, reason: str = "", token: str = "") -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, None when there was no answer at all."""
        self.reason = reason
        """What went wrong, without the remedy: short enough for a list of unread kinds."""
        self.token = token
        """With which a list whose state has expired (410) goes on in a newer one; empty where it cannot."""

    @property
    def forbidden(self) -> bool:
        """The API server knows us, and says no."""
        return self.status == 403

    @property
    def missing(self) -> bool:
        """There is no such object or kind."""
        return self.status == 404


def answer_error(method: str, path: str, status: int, body: bytes, server: str) -> ClusterError:
    """The error for an HTTP answer that is not a success."""
    message = status_message(body) or f"{method} {path} was answered with HTTP status {status}"
    if status == 401:
        return ClusterError(
            f"The API server {server} does not accept these credentials (401 for {method} {path}). "
            "Remedy: check that the token or client certificate belongs to this cluster and has not expired; "
            "where the kubeconfig runs a helper (exec), run kubectl with the same kubeconfig and see what it says.",
            status,
            "the credentials are not accepted",
        )
    if status == 403:
        return ClusterError(f"{message.rstrip('.')}. {_remedy_for_forbidden(method, path, message)}", status, message)
    if status == 410:
        return ClusterError(f"{message.rstrip('.')} ({path}, HTTP 410).", status, message, _token(body))
    if status == 404 and not _is_own(body):
        return wrong_answer("is HTTP 404, and not in an API server's words", path, server)
    remedy = ""
    if status == 400 and "HTTP request to an HTTPS server" in message:
        remedy = " Remedy: write the API server's address with https://."
    elif "failed calling webhook" in message:
        remedy = " Remedy: the service behind this webhook does not answer; wait until its pods are ready."
    return ClusterError(f"{message.rstrip('.')} ({method} {path} at {server}, HTTP {status}).{remedy}", status, message)


def _is_own(body: bytes) -> bool:
    """Whether it is the API server that says so, and not something on the way that knows no such page."""
    try:
        return body.strip() == _NOTHING_THERE or _status(body).get("kind") == "Status"
    except ValueError:
        return False


def no_json(path: str, server: str) -> ClusterError:
    """The error for an answer that cannot be decoded."""
    return ClusterError(
        f"{server} answered {path} with something that is not JSON. Remedy: check that the address is a "
        "Kubernetes API server's, and that nothing on the way cuts long answers off.",
        reason="the answer is not JSON",
    )


def wrong_answer(why: str, path: str, server: str) -> ClusterError:
    """The error for an answer that says nothing about what was asked; `why` goes on after "the answer"."""
    return ClusterError(
        f"The answer of {server} to {path} {why}. Remedy: check that the address is a Kubernetes API server's, and "
        "that nothing on the way answers in its place.",
        reason=f"the answer {why}",
    )


def late(path: str, server: str) -> ClusterError:
    """The error for an answer that was never silent, and not there when the time was up."""
    return ClusterError(
        f"{server} did not answer {path} in time. Remedy: look at its load and at the way there, or read fewer "
        "namespaces at a time (read_namespaces).",
        reason="it was not read in time",
    )


def status_message(body: bytes) -> str:
    """The message of the Status object in an answer's body, or an empty string."""
    try:
        return visible(_status(body).get("message") or "", _LONGEST_MESSAGE)
    except ValueError:
        return visible(body[:200].decode(errors="replace").strip())


def _token(body: bytes) -> str:
    """The token with which an expired list goes on (apiserver's storage/errors.go NewResourceExpired)."""
    try:
        metadata = _status(body).get("metadata")
    except ValueError:
        return ""
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) else ""


def _status(body: bytes) -> dict[str, Any]:
    if body.startswith(protobuf.MAGIC):
        return protobuf.status(body)
    status: Any = json_text.parse(body)
    return status if isinstance(status, dict) else {}


def _remedy_for_forbidden(method: str, path: str, message: str) -> str:
    if "system:anonymous" in message:
        return (
            "Remedy: the API server took us for nobody, so no credentials were sent: "
            "check the kubeconfig's user (a helper that fails leaves it empty) or K8S_AUTH_API_KEY."
        )
    if any(words in message for words in _NOT_ABOUT_RIGHTS):
        return "Remedy: this is not about rights; the message says what stands in the way."
    if method == "POST" and path.endswith("/namespaces"):
        return (
            f"Remedy: have an administrator make the namespace and bind the ClusterRole {PROBER} in it; then it is "
            "used as it is, and stays."
        )
    role = READER
    if "/portforward" in path:
        role = INSPECTOR
    elif method != "GET" or "/log" in path:
        role = PROBER
    return f"Remedy: ask for a role that allows it; the ClusterRole {role} that this collection ships does."
