# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server on loopback that a test scripts: by path, what it answers, one answer after the other."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest


class FakeServer:
    """``answers`` maps "METHOD /path" to answers; the last one is repeated.

    What is not there is a 404, but for core kinds, which every API server has: of these there are no objects.

    A fault (faults.py) spoils the answer behind it: ``server.answer(route, reset(), answer)``.
    """

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                fake.handle(self)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, route, *answers):
        """Answers are bodies, pairs of status and body, or faults."""
        self.answers[route] = list(answers)

    def handle(self, handler):
        # pytest-ansible makes collections importable only after it has read the first conftest.py
        from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import otherwise

        url = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        with self.lock:
            self.requests.append((handler.command, url.path, dict(parse_qsl(url.query)), body, handler.headers))
            queue = self.answers.get(f"{handler.command} {url.path}") or [otherwise(handler.command, url.path)]
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            fault = answer if callable(answer) else None
            if fault:
                answer = queue[0]
                answer = otherwise(handler.command, url.path) if callable(answer) else answer
        code, content = answer if isinstance(answer, tuple) else (200, answer)
        data = content.encode() if isinstance(content, str) else content
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        if fault:
            fault(handler, data)
            return
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def asked(self, method="GET"):
        return [(path, query) for found, path, query, _body, _headers in self.requests if found == method]


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which take no time."""
    # pytest-ansible makes collections importable only after it has read the first conftest.py
    from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import api

    found = []
    monkeypatch.setattr(api.time, "sleep", found.append)
    return found


@pytest.fixture
def cluster(server, pauses):
    """A connection to the fake server."""
    # pytest-ansible makes collections importable only after it has read the first conftest.py
    from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api

    return api.connect({"host": server.url, "api_key": "secret"})
