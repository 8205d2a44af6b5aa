# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh's certificates, and servers that end with their test."""

from __future__ import annotations

import pytest

from .wire_servers import CLIENT, SERVER, Server, issue, pem, store


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    """A mesh's certificates: the server's, the probe's, and those of somebody else's mesh."""
    folder = tmp_path_factory.mktemp("mesh")
    root, foreign = issue("cluster.local"), issue("elsewhere.local")
    return {
        "root": pem(root[1]).decode(),
        "foreign": pem(foreign[1]).decode(),
        "server": store(folder / "server", issue("", SERVER, root), root),
        "client": store(folder / "client", issue("", CLIENT, root), root),
        "expired": store(folder / "expired", issue("", CLIENT, root, expired=True), root),
        "stranger": store(folder / "stranger", issue("", CLIENT, foreign), root),
    }


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1].port

    yield start
    for server in servers:
        server.listener.close()
