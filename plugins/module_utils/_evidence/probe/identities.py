# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a server check whose certificate a client shows? From what clients with bad ones met to one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ENFORCED = "enforced"
NOT_ENFORCED = "not enforced"
UNKNOWN = "unknown"

ACCEPTED = "accepted"
REJECTED = "rejected"
NOT_ASKED = "not_asked"
# Of several endpoints the most damning one stands for all.
_WORST_FIRST = (ACCEPTED, UNKNOWN, NOT_ASKED, REJECTED)
CLIENTS = {
    "none": "without a certificate",
    "wrong": "with a certificate of a foreign authority",
    "expired": "with an expired certificate",
}

Parts = Mapping[str, Mapping[str, Any]]


class Identities(NamedTuple):
    """What was found out about one target."""

    check: str
    shown: dict[str, dict[str, str]]
    """For each kind of client ``{"result": accepted | rejected | unknown | not_asked, "detail"}``."""
    accepted: str
    """Which client was let in that must not be, in words; empty where none was."""


def judge(shown: Mapping[str, Parts], mtls: Parts, tcp: bool) -> Identities:
    """``shown``: for each kind of client what it met at each endpoint; ``mtls``: what a good certificate met there.

    That a bad certificate is refused says something only where a good one is taken: perhaps nobody is.
    """
    results = {
        kind: [(_result(part, tcp, _is_mesh(path, shown["none"], mtls)), part) for path, part in parts.items()]
        for kind, parts in shown.items()
    }
    summary = {kind: _summary(found) for kind, found in results.items()}
    wrongly = [CLIENTS[kind] for kind, item in summary.items() if item["result"] == ACCEPTED]
    if wrongly:
        return Identities(NOT_ENFORCED, summary, wrongly[0])
    taken = bool(mtls) and all(part["result"] == ACCEPTED for part in mtls.values())
    asked = {item["result"] for item in summary.values()} - {NOT_ASKED}
    if taken and asked == {REJECTED} and summary["wrong"]["result"] == REJECTED:
        return Identities(ENFORCED, summary, "")
    return Identities(UNKNOWN, summary, "")


def _is_mesh(path: str, *parts: Parts) -> bool:
    """Whether the mesh's certificate was shown there; TLS of an application's own is its own business."""
    return any(part.get(path, {}).get("identity") for part in parts)


def _result(part: Mapping[str, Any], tcp: bool, mesh: bool) -> str:
    result, after = part["result"], part.get("after")
    if result == NOT_ASKED:
        return UNKNOWN if part.get("detail") else NOT_ASKED
    if result in ("alert", "refused"):
        return REJECTED
    if result != "handshake":
        return UNKNOWN
    # In TLS 1.3 a client learns only after its handshake what the server thinks of it.
    if after == "answered" or (after == "open" and tcp):
        return ACCEPTED if mesh else UNKNOWN
    return REJECTED if after == "rejected" else UNKNOWN


def _summary(found: list[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    if not found:
        return {"result": NOT_ASKED, "detail": ""}
    result, part = min(found, key=lambda item: _WORST_FIRST.index(item[0]))
    return {"result": result, "detail": str(part.get("detail") or part.get("after_detail") or "")}
