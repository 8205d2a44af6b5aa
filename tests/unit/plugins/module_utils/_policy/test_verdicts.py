# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 4 of the semantics: what becomes of what is sent, by what the server does with it."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.verdicts import TABLE, verdict

SERVERS = {
    "a sidecar's modes": ("none", "DISABLE", "PERMISSIVE", "STRICT"),
    "ztunnel's": ("ambient-PERMISSIVE", "ambient-STRICT"),
    "a gateway's": (
        *("gateway-plaintext", "gateway-tls", "gateway-mtls", "gateway-closed"),
        *("gateway-passthrough", "gateway-mixed", "gateway-sni", "gateway-named", "gateway-hbone"),
    ),
}
P, M, T, B, U = "plaintext", "mtls", "tls", "broken", "unknown"
# what is sent, and the verdicts at a sidecar's HTTP port, at its other ports, at ztunnel's and at a gateway's
VERDICTS = [
    ("none", [P, P, P, B], [P, P, P, B], [P, B], [P, T, B, B, T, P, T, B, B]),
    ("plaintext", [P, P, P, B], [P, P, P, B], [P, B], [P, T, B, B, T, P, T, B, B]),
    ("mtls", [B, B, M, M], [B, B, M, M], [B, B], [B, B, M, B, U, U, U, U, U]),
    ("simple", [T, B, B, B], [T, T, T, B], [T, B], [B, T, B, B, T, U, U, B, U]),
    ("mutual", [T, B, B, B], [T, T, T, B], [T, B], [B, T, B, B, T, U, U, B, U]),
    ("hbone", [B, M, M, M], [B, M, M, M], [M, M], [U, U, U, U, U, U, U, U, M]),
    ("something else", [U, U, U, U], [U, U, U, U], [U, U], [U] * 9),
]


@pytest.mark.parametrize(
    ("sent", "http", "other", "ambient", "gateway"), VERDICTS, ids=[f"sends {row[0]}" for row in VERDICTS]
)
def test_every_cell(sent, http, other, ambient, gateway):
    sidecar, ztunnel, servers = SERVERS.values()
    assert [verdict(sent, server, True) for server in sidecar] == http
    assert [verdict(sent, server, False) for server in sidecar] == other
    # Where nobody knows the protocol, only what does not depend on it can be told.
    unsure = [one if one == two else U for one, two in zip(http, other, strict=True)]
    assert [verdict(sent, server, None) for server in sidecar] == unsure
    for protocol in (True, False, None):
        assert [verdict(sent, server, protocol) for server in ztunnel] == ambient
        assert [verdict(sent, server, protocol) for server in servers] == gateway


@pytest.mark.parametrize(
    ("sent", "expected"), [("none", P), ("plaintext", P), ("mtls", U), ("simple", T), ("mutual", T), ("hbone", U)]
)
def test_what_listens_at_an_address_nobody_knows(sent, expected):
    assert {verdict(sent, "address", protocol) for protocol in (True, False, None)} == {expected}


def test_a_server_that_the_table_does_not_know():
    assert {verdict(sent, "ambient-DISABLE", None) for sent, dummy in TABLE} == {"unknown"}


def test_the_table_is_whole():
    known = {"address", *(server for columns in SERVERS.values() for server in columns)}
    assert {server for dummy, server in TABLE} == known
    # Of a gateway's servers only a waypoint's takes HBONE.
    assert len(TABLE) == 5 * len(known) + len(known - {"address", *SERVERS["a gateway's"]}) + 1
