# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over a port-forward, against a server on loopback that speaks WebSocket and does what goes wrong in clusters."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import ssl
import struct
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATH = "/api/v1/namespaces/shop/pods/cart/portforward"
PORT = 15000
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _BINARY, _CLOSE, _PING = 0, 2, 8, 9


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
        answer = {
            "Sec-WebSocket-Protocol": self.headers["Sec-WebSocket-Protocol"],
            "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1(key.encode()).digest()).decode(),
            **self.server.answer,
        }
        for name, value in answer.items():
            self.send_header(name, value)
        self.end_headers()
        for channel in (0, 1):
            for part in self.server.port:
                self.frame(bytes([channel]) + part)
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
        return data[1:].decode() if head[0] & 15 == _BINARY else ("pong", data)

    def frame(self, data, kind=_BINARY, last=True):
        size = struct.pack(">BQ", 127, len(data)) if len(data) > 0xFFFF else struct.pack(">BH", 126, len(data))
        size = size if len(data) > 125 else bytes([len(data)])
        self.wfile.write(bytes([(128 if last else 0) | kind]) + size + data)

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
    server.answer, server.port = {}, [struct.pack("<H", PORT)]
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


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def in_fragments(pod):
    """One message in three frames, a question and a chat between them."""
    pod.frame(b"\0" + ANSWER[:5], last=False)
    pod.frame(b"are you there?", _PING)
    pod.frame(ANSWER[5:9], _CONTINUED, last=False)
    pod.frame(b"", _CONTINUED, last=False)
    pod.frame(ANSWER[9:], _CONTINUED)
    pod.server.requests.append(pod.receive())


def in_one_big_frame(pod):
    pod.frame(b"\0HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)


def test_frames_of_all_kinds(pod):
    pod.script = [in_fragments, in_one_big_frame, lambda pod: pod.say(ANSWER, 1)]
    with forwards(pod, most=70_000).to("shop", "cart") as forward:
        assert [len(forward.get(path)) for path in ["/a", "/b", "/c"]] == [4, 70_000, 4]
    assert pod.requests[1] == ("pong", b"are you there?")


@pytest.mark.parametrize("port", [[b"\x98", b"\x3a"], [b"", b"\x98\x3a"]], ids=["in two frames", "after an empty one"])
def test_the_ports_number_is_two_bytes_in_whichever_frames(pod, port):
    pod.port, pod.script = port, [sized(b"x")]
    with forwards(pod).to("shop", "cart") as forward:
        assert forward.get("/") == b"x"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"Sec-WebSocket-Accept": "x"}, id="an answer to another request"),
        pytest.param({"Sec-WebSocket-Protocol": "chat"}, id="another protocol"),
    ],
)
def test_a_server_that_switches_to_something_else(pod, answer):
    pod.answer = answer
    with pytest.raises(api.ClusterError, match="another protocol"), forwards(pod).to("shop", "cart"):
        pass


def repeated(data, kind=_BINARY, before=b""):
    """A flood of frames."""

    def answer(pod):
        pod.say(before, 1000)
        try:
            for _attempt in range(100_000):
                pod.frame(data, kind)
        except OSError:
            pass

    return answer


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WORDS = ("longer than 1000 bytes", "not HTTP", "length cannot be told", "ended by the other side", "no answer within")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(repeated(b"\0" + b"1" * 60_000, before=CHUNKED), id="digits of a chunk's length"),
        pytest.param(repeated(b"\0" + b"\r\n" * 20_000, before=CHUNKED), id="chunks without length"),
        pytest.param(repeated(b"\0X: y\r\n", before=CHUNKED + b"0\r\n"), id="what follows the last chunk"),
        pytest.param(repeated(b"\0X: y\r\n", before=b"HTTP/1.1 200 OK\r\n"), id="headers"),
        pytest.param(repeated(b"\0HTTP/1.1 100 Continue\r\n\r\n"), id="answers that are none yet"),
        pytest.param(repeated(b"x" * 100, _PING), id="pings"),
        pytest.param(repeated(b"\0"), id="empty messages"),
        pytest.param(repeated(b"\0x", 1), id="text"),
        pytest.param(repeated(b"\7" + b"x" * 50_000), id="a channel that does not exist"),
        pytest.param(repeated(b"\1", before=b""), id="errors that say nothing"),
        pytest.param(lambda pod: pod.wfile.write(b"\x82\x7f" + b"\xff" * 8 + b"\0HTTP"), id="a frame of 16 EiB"),
        pytest.param(lambda pod: pod.wfile.write(b"\x82\xff" + b"\0" * 40), id="a frame with a mask"),
        pytest.param(lambda pod: pod.wfile.write(b"\xf2\x05\0HTTP"), id="bits that mean nothing"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nx"), id="two lengths"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nx"), id="a length that only Python reads"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"), id="a negative length"),
        pytest.param(raw(CHUNKED + b"-1\r\nx"), id="a negative chunk"),
        pytest.param(
            raw("HTTP/1.1 ²²² OK\r\nContent-Length: 0\r\n\r\n".encode("latin-1")), id="a status of superscripts"
        ),
    ],
)
def test_a_pod_that_means_ill_ends_nothing_but_its_own_answer(pod, answer):
    pod.script = [answer]
    started = time.monotonic()
    tracemalloc.start()
    try:
        with forwards(pod, seconds=0.4).to("shop", "cart") as forward, pytest.raises(api.ClusterError) as caught:
            forward.get("/")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert any(words in caught.value.reason for words in WORDS), caught.value.reason
    assert time.monotonic() - started < 3


def test_what_a_pod_says_is_made_visible(pod):
    pod.script = [sized("\x1b[2K\nok\u202e".encode(), "500 No")]
    with forwards(pod).to("shop", "cart") as forward, pytest.raises(api.ClusterError) as caught:
        forward.get("/")
    assert caught.value.reason.endswith("500: \\u001b[2K ok\\u202e")


def test_an_error_of_the_node_in_pieces(pod):
    def answer(pod):
        pod.frame(b"\1the sand", last=False)
        pod.frame(b"box is ", _CONTINUED, last=False)
        pod.frame(b"gone\x1b", _CONTINUED)

    pod.script = [answer]
    with forwards(pod).to("shop", "cart") as forward, pytest.raises(api.ClusterError) as caught:
        forward.get("/")
    assert caught.value.reason == "the sandbox is gone\\u001b"


def test_bytes_now_and_then_are_no_answer(pod):
    def answer(pod):
        try:
            for _attempt in range(100):
                pod.frame(b"\0H")
                time.sleep(0.02)
        except OSError:
            pass

    pod.script = [answer]
    started = time.monotonic()
    with forwards(pod, seconds=0.3).to("shop", "cart") as forward, pytest.raises(api.ClusterError) as caught:
        forward.get("/")
    assert caught.value.reason == "no answer within 0.3 s" or "not HTTP" in caught.value.reason
    assert time.monotonic() - started < 1.5


def test_many_answers_of_the_full_size_fit(pod):
    pod.script = [sized(b"x" * 1000)] * 12
    with forwards(pod).to("shop", "cart") as forward:
        assert all(len(forward.get("/")) == 1000 for _question in range(12))


class Authority:
    """A certificate authority, and what it says of whom."""

    def __init__(self, folder, name):
        self.key, self.file = ec.generate_private_key(ec.SECP256R1()), folder / f"{name}.pem"
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        own = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), True)
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, key):
        now = datetime.datetime(2026, 1, 1)
        return (
            x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=36500))
        )

    def issue(self, folder, host):
        """A server's certificate and key in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")]), key)
        certificate = builder.add_extension(x509.SubjectAlternativeName([host]), False).sign(self.key, hashes.SHA256())
        file = folder / "server.pem"
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        return file


LOOPBACK, ELSEWHERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("elsewhere.invalid")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("host", "trusted", "options", "fine"),
    [
        pytest.param(LOOPBACK, True, {}, True, id="the cluster's own server"),
        pytest.param(LOOPBACK, False, {}, False, id="a server of another authority"),
        pytest.param(ELSEWHERE, True, {}, False, id="a server of another name"),
        pytest.param(LOOPBACK, None, {}, False, id="an authority that this machine does not know"),
        pytest.param(ELSEWHERE, False, {"validate_certs": False}, True, id="nothing is verified, as was asked for"),
    ],
)
def test_a_forward_trusts_whom_all_other_requests_trust(pod, tmp_path, host, trusted, options, fine):
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.issue(tmp_path, host))
    pod.socket = context.wrap_socket(pod.socket, server_side=True, do_handshake_on_connect=False)
    pod.script = [sized(b"x")]
    if trusted is not None and options.get("validate_certs") is not False:
        options = {**options, "ca_cert": str((ours if trusted else theirs).file)}
    cluster = api.connect({"host": f"https://127.0.0.1:{pod.server_address[1]}", "api_key": "secret", **options})
    place = api.Forwards(cluster, PORT, 5, 1000).to("shop", "cart")
    if fine:
        with place as forward:
            assert forward.get("/") == b"x"
    else:
        with pytest.raises(api.ClusterError, match=r"certificate of the API server .* cannot be verified"), place:
            pass
        assert pod.upgrades == []  # nobody has seen the token


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
