# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plaintext: what is sent, and what the bytes that come back mean."""

from __future__ import annotations

import errno
import socket
import threading
import time

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import plain as wire_plain

from .wire_servers import OK_H2, SETTINGS, frame, http2, item, plain


@pytest.mark.parametrize(("protocol", "result"), [("http", "timeout"), ("grpc", "timeout"), ("tcp", "answered")])
def test_silence_is_acceptance_only_where_an_answer_is_not_due(serve, monkeypatch, protocol, result):
    monkeypatch.setattr(wire_plain, "QUIET_SECONDS", 0.3)
    done = threading.Event()
    port = serve(lambda connection: done.wait(5))
    answer = wire_plain.ask_plaintext(item(port, protocol), 0.3)
    done.set()
    assert answer["result"] == result


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TimeoutError(), "blocked"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "blocked"),
        (OSError(errno.EACCES, "Permission denied"), "blocked"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), "error"),
        (socket.gaierror(-2, "Name or service not known"), "error"),
    ],
)
def test_no_connection_at_all(monkeypatch, error, result):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(wire_plain.socket, "create_connection", fail)
    answer = wire_plain.ask_plaintext(item(1), 2)
    assert (answer["result"], answer["connected"]) == (result, False)
    assert answer["detail"].startswith("no TCP connection")


ENVOY = b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\n\r\nupstream connect error"
UPSTREAM = b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\nx-envoy-upstream-service-time: 3\r\n\r\nbusy"
DENIED = b"HTTP/1.1 403 Forbidden\r\nserver: istio-envoy\r\n\r\nRBAC: access denied"


ENVOY_H2 = SETTINGS + frame(1, 4, 1, b"\x48\x83\x6c\x0c\xff") + frame(0, 1, 1, b"upstream connect error or disconnect")
BUSY_H2 = SETTINGS + frame(1, 4, 1, b"\x48\x03503") + frame(0, 1, 1, b"busy")
DENIED_H2 = SETTINGS + frame(1, 4, 1, b"\x48\x03403") + frame(0, 1, 1, b"RBAC: access denied")
RESET_H2 = SETTINGS + frame(3, 0, 1, b"\0\0\0\x02")
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
ANSWERS = [
    # what came, what it means to a client outside the mesh, what behind a proxy of its own, the status
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", "answered", "answered", 204, id="HTTP/1"),
    pytest.param(ENVOY, "answered", "refused", 503, id="a proxy's own answer: from outside it took the plaintext"),
    pytest.param(UPSTREAM, "answered", "answered", 503, id="an answer of the server behind the proxy"),
    pytest.param(DENIED, "answered", "answered", 403, id="denied, but taken in plaintext"),
    pytest.param(b"220 mail ready\r\n", "answered", "answered", None, id="another protocol"),
    pytest.param(ALERT, "refused", "refused", None, id="a TLS alert"),
    pytest.param(ALERT + b"SECRET", "answered", "answered", None, id="something behind an alert"),
    pytest.param(ALERT[:6], "answered", "answered", None, id="half an alert"),
    pytest.param(b"\x15\x03\x01\x00\x02\x01\x46", "answered", "answered", None, id="an alert that is a warning"),
    pytest.param(b"\x15\x03\x01\x00\x09\x02\x46", "answered", "answered", None, id="an alert of another length"),
    pytest.param(b"\x15\x04\x01\x00\x02\x02\x46", "answered", "answered", None, id="an alert of no version"),
    pytest.param(b"\x15", "answered", "answered", None, id="a byte"),
    pytest.param(b"", "refused", "refused", None, id="closed"),
    pytest.param(SETTINGS + OK_H2, "answered", "answered", 200, id="HTTP/2"),
    pytest.param(ENVOY_H2, "answered", "refused", 503, id="HTTP/2, a proxy's own answer"),
    pytest.param(BUSY_H2, "answered", "answered", 503, id="HTTP/2, an answer of the server behind the proxy"),
    pytest.param(DENIED_H2, "answered", "answered", 403, id="HTTP/2, denied"),
    pytest.param(SETTINGS, "answered", "timeout", None, id="HTTP/2 without a response: every proxy speaks it"),
    pytest.param(RESET_H2, "answered", "refused", None, id="HTTP/2, the stream was reset"),
    pytest.param(frame(7, 0, 0, bytes(8)), "answered", "refused", None, id="HTTP/2, gone away"),
]


@pytest.mark.parametrize(("sent", "outside", "inside", "status"), ANSWERS)
def test_what_an_answer_means(sent, outside, inside, status):
    for own_proxy, result in ((False, outside), (True, inside)):
        answer = wire_plain.judge_bytes(sent, own_proxy)
        assert (answer["result"], answer.get("status")) == (result, status)
        assert bool(answer.get("rbac")) is (status == 403)


def test_a_denial_is_a_policys_only_where_it_says_so():
    own = wire_plain.judge_bytes(b"HTTP/1.1 403 Forbidden\r\n\r\nnot you", own_proxy=False)
    quoted = wire_plain.judge_bytes(b"HTTP/1.1 200 OK\r\n\r\nRBAC: access denied", own_proxy=False)
    assert (own["rbac"], quoted["rbac"]) == (False, False)


@pytest.mark.parametrize(
    ("server", "protocol", "detail"),
    [
        (plain, "http", "HTTP 200"),
        (plain, "tcp", "HTTP 400"),
        (plain, "grpc", "HTTP 400"),
        (http2, "grpc", "HTTP/2 200"),
    ],
)
def test_each_protocol_has_its_question(serve, server, protocol, detail):
    answer = wire_plain.ask_plaintext(item(serve(server), protocol), 2)
    assert (answer["result"], answer["detail"]) == ("answered", detail)


def test_a_response_that_never_comes_is_waited_for_no_longer_than_a_step(serve):
    port = serve(lambda connection: http2(connection, b""))
    assert wire_plain.ask_plaintext(item(port, "grpc"), 0.3)["detail"] == "HTTP/2 settings"
    assert wire_plain.ask_plaintext(item(port, "grpc"), 0.3, own_proxy=True)["result"] == "timeout"


@pytest.mark.parametrize(
    ("behind", "closed", "result"),
    [
        pytest.param(b"", True, "refused", id="an alert, then it hangs up"),
        pytest.param(b"", False, "timeout", id="an alert, and it stays"),
        pytest.param(b"plaintext", True, "answered", id="an alert, and plaintext a moment later"),
    ],
)
@pytest.mark.parametrize("protocol", ["http", "grpc", "tcp"])
def test_an_alert_is_a_refusal_only_where_nothing_follows(serve, monkeypatch, behind, closed, result, protocol):
    monkeypatch.setattr(wire_plain, "QUIET_SECONDS", 0.4)
    done = threading.Event()

    def answer(connection):
        connection.recv(4096)
        connection.sendall(ALERT)
        time.sleep(0.05)
        connection.sendall(behind)
        if not closed:
            done.wait(5)

    said = wire_plain.ask_plaintext(item(serve(answer), protocol), 0.4)
    done.set()
    assert said["result"] == result


@pytest.mark.parametrize(
    ("error", "result"),
    [
        pytest.param(ConnectionResetError(errno.ECONNRESET, "reset"), "refused", id="the server's"),
        pytest.param(BrokenPipeError(errno.EPIPE, "broken"), "refused", id="the server's, while we wrote"),
        pytest.param(OSError(errno.EHOSTUNREACH, "No route to host"), "error", id="the way's"),
        pytest.param(OSError(errno.ENETDOWN, "Network is down"), "error", id="our own"),
    ],
)
def test_only_who_was_asked_can_refuse(serve, monkeypatch, error, result):
    def fail(connection, asked):
        raise error

    monkeypatch.setattr(wire_plain, "exchange", fail)
    assert wire_plain.ask_plaintext(item(serve(plain)), 2)["result"] == result


@pytest.mark.parametrize("protocol", ["http", "grpc", "tcp"])
def test_no_words_of_a_probe_are_known_beforehand(serve, protocol):
    heard = set()

    def listen(connection):
        heard.add(connection.recv(4096))

    port = serve(listen)
    for voice in range(6):
        wire_plain.ask_plaintext({**item(port, protocol), "voice": voice}, 2)
    assert len(heard) == 6
    assert not any(b"probe" in words or b"meshproof" in words for words in heard)
    assert all(len(words) >= 5 for words in heard)


@pytest.mark.parametrize("voice", [None, 0, 1, 6, 7, 28, 29, 2**32])
def test_a_voice_changes_only_what_makes_no_difference(voice):
    more = {} if voice is None else {"voice": voice}
    number = voice or 0
    agent = wire_plain.USER_AGENTS[number % 7]
    asked = {**item(8080), "host": "a.demo.svc", **more}
    assert (
        wire_plain._question(asked)
        == (
            f"GET / HTTP/1.1\r\nHost: a.demo.svc\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        ).encode()
    )
    assert wire_plain._question({**asked, "protocol": "tcp"}) == b"\r\n" * (3 + number % 29)
    grpc = wire_plain._question({**asked, "protocol": "grpc"})
    assert grpc == wire_plain.http2.request("a.demo.svc", agent)


def test_a_question_by_tcp_is_never_too_short_to_be_told_from_tls():
    lengths = {len(wire_plain._question({**item(1, "tcp"), "voice": voice})) for voice in range(60)}
    assert (min(lengths), max(lengths)) == (6, 62)


ENDED = frame(1, 5, 1, b"\x88")
FAILED, FAILED_AND_ENDED = frame(1, 4, 1, b"\x48\x03503"), frame(1, 5, 1, b"\x48\x03503")


@pytest.mark.parametrize(
    ("data", "http", "grpc"),
    [
        pytest.param(b"", False, False, id="nothing"),
        pytest.param(ALERT, True, True, id="an alert, behind which more can come"),
        pytest.param(ALERT[:1], True, True, id="the first byte of an alert"),
        pytest.param(ALERT + b"x", False, True, id="more than an alert, and less than a frame"),
        pytest.param(ALERT + b"xyz", False, False, id="more than an alert"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", True, True, id="HTTP/1"),
        pytest.param(b"220 mail", False, True, id="another protocol, less than a frame"),
        pytest.param(b"220 mail ready", False, False, id="another protocol"),
        pytest.param(SETTINGS, False, True, id="HTTP/2 without a response"),
        pytest.param(SETTINGS + frame(1, 4, 1, b"\x88"), False, False, id="HTTP/2 with a status"),
        pytest.param(SETTINGS + ENDED, False, False, id="HTTP/2 with a whole response"),
        pytest.param(SETTINGS + FAILED, False, True, id="HTTP/2 with a failure whose text is to come"),
        pytest.param(SETTINGS + FAILED_AND_ENDED, False, False, id="HTTP/2 with a failure that has no text"),
    ],
)
def test_when_more_of_an_answer_is_due(data, http, grpc):
    found = {name: wire_plain._is_beginning(data, item(1, name)) for name in ("http", "tcp", "grpc")}
    assert found == {"http": http, "tcp": http, "grpc": grpc}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"HTTP/1.1 204\r\n\r\n", 204, id="a status without words"),
        pytest.param(b"HTTP/1.1 200 OK and more\r\n\r\n", 200, id="a status with several words"),
        pytest.param(b"HTTP/1.1\r\n\r\n", None, id="no status"),
        pytest.param(b"HTTP/1.1 20\r\n\r\n", None, id="two digits"),
        pytest.param(b"HTTP/1.1 2000\r\n\r\n", None, id="four digits"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", None, id="letters"),
        pytest.param(b"HTTP/1.1 1\xb2\xb3\r\n\r\n", None, id="digits that are none"),
        pytest.param(b"XTTP/1.1 200 OK\r\n\r\n", None, id="another protocol"),
    ],
)
def test_what_is_a_status_of_http(data, status):
    answer = wire_plain.judge_bytes(data)
    assert (answer["result"], answer.get("status")) == ("answered", status)
    assert answer["detail"] == (f"HTTP {status}" if status else f"{len(data)} bytes that are not HTTP/1")


@pytest.mark.parametrize(
    ("head", "by_proxy"),
    [
        pytest.param("server: envoy", True, id="Envoy"),
        pytest.param("Server:  istio-envoy ", True, id="Istio's Envoy, written otherwise"),
        pytest.param("server: nginx", False, id="somebody else"),
        pytest.param("x: server: envoy", False, id="in another header"),
        pytest.param("server: envoy\r\nX-Envoy-Upstream-Service-Time: 3", False, id="an upstream that Envoy names"),
        pytest.param("server: envoy\r\nno header", True, id="beside what is no header"),
    ],
)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_whose_a_failure_is(head, by_proxy, status):
    data = f"HTTP/1.1 {status} X\r\n{head}\r\n\r\none\r\n\r\ntwo".encode()
    refused = by_proxy and status != 500
    answer = wire_plain.judge_bytes(data, own_proxy=True)
    assert answer["result"] == ("refused" if refused else "answered")
    assert answer["detail"] == (f"the proxy answered {status}: one\r\n\r\ntwo" if refused else f"HTTP {status}")


@pytest.mark.parametrize(("length", "due"), [(8, True), (9, False)])
def test_a_frame_has_nine_bytes_at_least(length, due):
    assert wire_plain._is_beginning(b"x" * length, item(1, "grpc")) is due


@pytest.mark.parametrize(
    ("status", "body", "denied"),
    [
        (403, b"RBAC: access denied", True),
        (403, b"you may not", False),
        (200, b"RBAC: access denied", False),
    ],
    ids=["an authorization policy", "the application itself", "a page about policies"],
)
def test_who_denied_a_request(status, body, denied):
    answer = wire_plain.judge_bytes(b"HTTP/1.1 %d X\r\nserver: istio-envoy\r\n\r\n%s" % (status, body), False)
    assert (answer["result"], answer["rbac"]) == ("answered", denied)
