# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over a port-forward, against a server on loopback that speaks WebSocket and does what goes wrong in clusters."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api

PATH = "/api/v1/namespaces/shop/pods/cart/portforward"
PORT = 15000
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE = 2, 8


class Pod(BaseHTTPRequestHandler):
    """The API server, the node and the pod in one: `server.script` says what each request over the forward gets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.upgrades.append((self.path, self.headers))
        if self.server.refusal:
            status, body = self.server.refusal
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        key = self.headers["Sec-WebSocket-Key"] + _MAGIC
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"])
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        for channel in (0, 1):
            self.frame(bytes([channel]) + struct.pack("<H", PORT))
        for answer in self.server.script:
            request = self.receive()
            if request is None:
                break
            self.server.requests.append(request)
            answer(self)
        self.receive()  # until the client goes
        self.close_connection = True

    def receive(self):
        """One masked frame's payload without its channel, None when the client has gone."""
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == _CLOSE:
            return None
        size = head[1] & 127
        if size == 126:
            (size,) = struct.unpack(">H", self.rfile.read(2))
        mask = self.rfile.read(4)
        data = bytes(byte ^ mask[number % 4] for number, byte in enumerate(self.rfile.read(size)))
        return data[1:].decode()

    def frame(self, data, kind=_BINARY):
        size = struct.pack(">BH", 126, len(data)) if len(data) > 125 else bytes([len(data)])
        self.wfile.write(bytes([128 | kind]) + size + data)

    def say(self, data, step=7):
        """Bytes of the pod, in small frames."""
        for start in range(0, len(data), step):
            self.frame(b"\0" + data[start : start + step])

    def log_message(self, *arguments):
        pass


def sized(body, status="200 OK", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return lambda pod: pod.say(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)


def chunked(*chunks):
    parts = b"".join(b"%x;x=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return lambda pod: pod.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)


def raw(data):
    return lambda pod: pod.say(data)


def failing(text):
    return lambda pod: pod.frame(b"\1" + text.encode())


def closing(pod):
    pod.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    pod.frame(struct.pack(">H", 1000), _CLOSE)


def silent(pod):
    pod.say(b"HTTP/1.1 200 OK\r\n")


@pytest.fixture
def pod():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pod)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None  # a client that gives up breaks the connection off
    server.script, server.refusal, server.upgrades, server.requests = [], None, [], []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def forwards(pod, seconds=5.0, most=1000, **more):
    cluster = api.connect({"host": f"http://127.0.0.1:{pod.server_address[1]}", "api_key": "secret", **more})
    return api.Forwards(cluster, PORT, seconds, most)


def test_several_requests_over_one_connection(pod):
    pod.script = [sized(b"first"), chunked(b"se", b"cond"), sized(b"")]
    with forwards(pod).to("shop", "cart") as forward:
        found = [forward.get("/a"), forward.get("/b", {"mask": "x,y", "name_regex": "a|b"}), forward.get("/c")]
    assert found == [b"first", b"second", b""]
    assert [request.split(" HTTP/1.1")[0] for request in pod.requests] == [
        "GET /a",
        "GET /b?mask=x%2Cy&name_regex=a%7Cb",
        "GET /c",
    ]
    assert [path for path, dummy in pod.upgrades] == [f"{PATH}?ports={PORT}"]


def test_it_goes_under_the_same_name_as_all_other_requests(pod):
    pod.script = [sized(b"x")]
    with forwards(pod, impersonate_user="auditor", impersonate_groups=["a", "b"]).to("shop", "cart") as forward:
        forward.get("/")
    headers = pod.upgrades[0][1]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Impersonate-User"] == "auditor"
    assert headers.get_all("Impersonate-Group") == ["a", "b"]


def test_an_answer_that_is_not_200_leaves_the_connection_as_it_is(pod):
    pod.script = [sized(b"no such mask", "400 Bad Request"), sized(b"fine")]
    with forwards(pod).to("shop", "cart") as forward:
        with pytest.raises(api.ClusterError, match=r"shop/cart.*400: no such mask") as caught:
            forward.get("/config_dump", {"mask": "x"})
        assert (caught.value.status, forward.get("/")) == (400, b"fine")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(sized(b"x" * 1001), "longer than 1000 bytes (max_bytes)", id="too long"),
        pytest.param(chunked(b"x" * 600, b"x" * 600), "longer than 1000 bytes (max_bytes)", id="too long in chunks"),
        pytest.param(
            failing("dial tcp4 127.0.0.1:15000: connect: connection refused"),
            "nothing listens on port 15000 (connection refused)",
            id="no proxy in the pod",
        ),
        pytest.param(failing("the sandbox is gone"), "the sandbox is gone", id="the node's own error"),
        pytest.param(raw(b"SSH-2.0-x\r\n\r\n"), "not HTTP", id="another protocol"),
        pytest.param(raw(b"x" * 70000), "not HTTP", id="noise without end"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "length cannot be told", id="a wrong length"
        ),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n\r\n"), "length cannot be told", id="no length"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "length cannot be told",
            id="a wrong chunk",
        ),
        pytest.param(closing, "ended by the other side", id="it ends in the middle"),
    ],
)
def test_what_ends_a_connection(pod, answer, words):
    pod.script = [answer]
    with forwards(pod).to("shop", "cart") as forward:
        with pytest.raises(api.ClusterError) as caught:
            forward.get("/")
        assert words in caught.value.reason
        assert "shop/cart" in str(caught.value)
        assert caught.value.status is None
        with pytest.raises(api.ClusterError, match="has ended"):
            forward.get("/")


@pytest.mark.parametrize("script", [[silent], [lambda pod: None]], ids=["it stops in the middle", "it never begins"])
def test_silence_has_an_end(pod, script):
    pod.script = script
    with (
        pytest.raises(api.ClusterError, match=r"Port 15000 of the pod shop/cart gave no answer within 0.3 s.*Remedy"),
        forwards(pod, seconds=0.3).to("shop", "cart") as forward,
    ):
        forward.get("/")


def test_a_missing_right_names_the_role_that_has_it(pod):
    text = 'pods "cart" is forbidden: User "auditor" cannot create resource "pods/portforward" in the namespace "shop"'
    pod.refusal = (403, {"kind": "Status", "message": text})
    with (
        pytest.raises(api.ClusterError, match="meshproof-inspector") as caught,
        forwards(pod).to("shop", "cart"),
    ):
        pass
    assert (caught.value.forbidden, caught.value.reason) == (True, text)


def test_a_pod_that_has_gone(pod):
    pod.refusal = (404, {"kind": "Status", "message": 'pods "cart" not found'})
    with pytest.raises(api.ClusterError, match='pods "cart" not found') as caught, forwards(pod).to("shop", "cart"):
        pass
    assert caught.value.missing


def test_a_server_that_is_not_there(pod):
    unused = forwards(pod)
    pod.shutdown()
    pod.server_close()
    with pytest.raises(api.ClusterError, match=r"cannot be reached.*Remedy"), unused.to("shop", "cart"):
        pass


def test_it_goes_through_the_proxy_of_all_other_requests(pod):
    pod.script = [sized(b"x")]
    proxy = f"http://127.0.0.1:{pod.server_address[1]}"
    cluster = api.connect({"host": "http://api.invalid", "api_key": "secret", "proxy": proxy})
    with api.Forwards(cluster, PORT, 5, 1000).to("shop", "cart") as forward:
        assert forward.get("/") == b"x"
    assert [path for path, dummy in pod.upgrades] == [f"http://api.invalid{PATH}?ports={PORT}"]
