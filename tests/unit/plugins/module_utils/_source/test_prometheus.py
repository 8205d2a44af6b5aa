# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a URL fails to be a Prometheus that answers, against servers on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._source import prometheus
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import PrometheusOptions
from ansible_collections.meshproof.mtls.plugins.module_utils._source.prometheus import TrafficError

GOOD = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()
DEFAULTS = {"url": None, "service": None, "token": None, "ca_path": None, "validate_certs": True, "timeout": 2}


class Server:
    """Answers every request with one status, headers and body, after a pause; keeps the requests' headers."""

    def __init__(self):
        self.status, self.headers, self.body, self.silent, self.asked = 200, {}, GOOD, False, []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                ours.asked.append((self.path, self.headers))
                if ours.silent:
                    threading.Event().wait(2)
                    return
                self.send_response(ours.status)
                for name, value in ours.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(ours.body)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def server():
    ours = Server()
    yield ours
    ours.http.shutdown()
    ours.http.server_close()


def no_cluster():
    raise AssertionError("a URL needs no cluster")


def ask(url, **options):
    return prometheus.connect(PrometheusOptions(**{**DEFAULTS, "url": url, **options}), no_cluster).ask("up == 1")


@pytest.mark.parametrize(
    ("path", "asked"), [("", "/api/v1/query"), ("/", "/api/v1/query"), ("/prom/", "/prom/api/v1/query")]
)
def test_a_query_is_sent_to_the_path_under_which_it_is_served(server, path, asked):
    assert ask(f"http://{server.place}{path}").samples == []
    (sent, headers) = server.asked[0]
    assert sent == f"{asked}?query=up+%3D%3D+1&timeout=2s"
    assert "Authorization" not in headers


def test_a_token_is_sent(server):
    ask(f"http://{server.place}", token="secret")
    assert server.asked[0][1]["Authorization"] == "Bearer secret"


BAD_DATA = b'{"status":"error","errorType":"bad_data","error":"parse error"}'
TIMEOUT = b'{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "parts"),
    [
        (401, {}, b"no", ("HTTP 401", "give a token that it accepts")),
        (403, {}, GOOD, ("HTTP 403", "give a token that it accepts")),
        (404, {}, b"404 page not found", ("HTTP 404", "check that this is the address of a Prometheus")),
        (200, {}, b"<html>Grafana</html>", ("not JSON", "check that this is the address of a Prometheus")),
        (200, {}, b'{"database":"ok"}', ("not one of Prometheus' API", "check that this is the address")),
        (400, {}, BAD_DATA, ("Prometheus refuses: bad_data: parse error", "Remedy: ")),
        (503, {}, TIMEOUT, ("query timed out", "ask for a shorter window")),
        (502, {}, b"bad gateway", ("HTTP 502", "see Prometheus' own log")),
        (503, {}, GOOD, ("success and failure at once", "HTTP 503")),
        (200, {}, b'{"kind":"Status","status":"Success"}', ("not one of Prometheus' API", "check that this is the")),
        (503, {"Content-Length": "1000"}, b"half", ("not JSON", "Remedy: ")),
        (
            400,
            {},
            b'{"status":"error","errorType":"\\u001b[2J","error":"a\\nb"}',
            ("refuses: \\u001b[2J: a b", "Remedy: "),
        ),
        (200, {"Content-Length": str(len(GOOD))}, GOOD[:20], ("not JSON", "Remedy: ")),
        (
            302,
            {"Location": "http://u:secret@x.example/q?t=secret"},
            b"",
            ("redirects to http://…@x.example/q", "give the"),
        ),
    ],
)
def test_an_answer_that_cannot_be_used(server, status, headers, body, parts):
    server.status, server.headers, server.body = status, headers, body
    with pytest.raises(TrafficError) as caught:
        ask(f"http://user:secret@{server.place}", token="secret")
    for part in (f"http://…@{server.place}", *parts):
        assert part in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_longer_answer_is_not_read(server, monkeypatch):
    monkeypatch.setattr(prometheus, "MOST_BYTES", len(GOOD) - 1)
    with pytest.raises(TrafficError, match="Remedy: ask for fewer namespaces"):
        ask(f"http://{server.place}")


def test_silence(server):
    server.silent = True
    with pytest.raises(TrafficError, match=r"did not answer within 1 s.*Remedy: ask for a shorter window"):
        ask(f"http://{server.place}", timeout=1)


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param("", id="in its head"),
        pytest.param("HTTP/1.1 200 OK\r\n\r\n", id="in its body"),
        pytest.param("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="in the length of a chunk"),
        pytest.param("HTTP/1.1 503 X\r\nContent-Length: 1000\r\n\r\n", id="in the body of an error"),
    ],
)
def test_an_answer_that_never_ends(beginning):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _address = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1000)
                connection.sendall(beginning.encode())
                for _number in range(60):
                    connection.sendall(b"1")
                    threading.Event().wait(0.1)

        threading.Thread(target=drip, daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(TrafficError, match="did not answer within 1 s"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        assert time.monotonic() - begin < 3


def test_no_tls_where_tls_is_asked_for(server):
    with pytest.raises(TrafficError, match=r"TLS with .* failed: .*Remedy: it speaks no TLS on this port"):
        ask(f"https://{server.place}")


def test_something_that_is_not_http():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            connection, _address = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(TrafficError, match=r"gave an answer that is not HTTP.*Remedy: check the url"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}")


def test_nobody_there():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(TrafficError, match=r"cannot be reached: .*refused.* Remedy: see whether it is up"):
            ask(f"http://127.0.0.1:{closed.getsockname()[1]}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "prometheus:9090"}, "is no URL of a Prometheus. Remedy: write it as https://"),
        ({"url": "file:///etc/passwd"}, "is no URL"),
        ({"url": "https://"}, "is no URL"),
        ({"url": "https://u:secret@[x"}, "https://…@[x is no URL"),
        ({"url": "https://x.example:port"}, "is no URL"),
        ({"url": "https://x.example/?q=1"}, "is no URL"),
        ({"url": "https://x.example", "ca_path": "/nowhere.pem"}, "The file /nowhere.pem of the option ca_path"),
        ({"url": "https://x.example", "timeout": 0}, "The option timeout is less than a second"),
        ({"service": "prometheus"}, "names no Service's port. Remedy: write it as namespace/name:port"),
        ({"service": "a/b"}, "names no Service's port"),
        ({"service": "a/b:"}, "names no Service's port"),
        ({"service": "a/b/c:1"}, "names no Service's port"),
        ({"service": "a/b:1", "token": "secret"}, "A token cannot pass through the API server"),
    ],
)
def test_options_that_cannot_be_meant(options, message):
    with pytest.raises(TrafficError) as caught:
        prometheus.connect(PrometheusOptions(**{**DEFAULTS, **options}), no_cluster)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


TOO_MANY = b'{"status":"error","errorType":"execution","error":"query processing would load too many samples"}'


@pytest.mark.parametrize(
    ("status", "body", "too_much"),
    [
        pytest.param(422, TOO_MANY, True, id="Prometheus' own limit of samples"),
        pytest.param(503, TIMEOUT, True, id="Prometheus' own limit of time"),
        pytest.param(200, b"x" * 5000, True, id="longer than is read"),
        pytest.param(400, BAD_DATA, False, id="a query that is none"),
        pytest.param(502, b"bad gateway", False, id="nobody there"),
    ],
)
def test_of_what_is_too_much_a_part_may_be_had(server, monkeypatch, status, body, too_much):
    monkeypatch.setattr(prometheus, "MOST_BYTES", 4000)
    server.status, server.body = status, body
    with pytest.raises(TrafficError) as caught:
        ask(f"http://{server.place}")
    assert isinstance(caught.value, prometheus.TooMuch) is too_much


def test_an_answer_is_asked_for_in_json_and_by_name(server):
    ask(f"http://{server.place}")
    [(_path, headers)] = server.asked
    assert (headers["Accept"], headers["User-Agent"]) == ("application/json", "meshproof.mtls")


@pytest.mark.parametrize("status", [300, 302, 308, 399])
def test_no_redirect_is_followed_and_no_token_goes_elsewhere(server, status):
    elsewhere = Server()
    try:
        server.status, server.headers, server.body = status, {"Location": f"http://{elsewhere.place}/x?y=z"}, b""
        with pytest.raises(TrafficError) as caught:
            ask(f"http://{server.place}", token="secret")
    finally:
        elsewhere.http.shutdown()
        elsewhere.http.server_close()
    assert str(caught.value) == (
        f"The Prometheus at http://{server.place} redirects to http://{elsewhere.place}/x, and redirects are not "
        "followed, so that a token goes nowhere else. Remedy: give the url at which it answers itself."
    )
    assert (len(server.asked), elsewhere.asked) == (1, [])


def test_what_is_no_redirect_is_an_answer(server):
    server.status, server.body = 400, BAD_DATA
    with pytest.raises(TrafficError, match="refuses: bad_data"):
        ask(f"http://{server.place}")


class Response:
    """A body that is read piece by piece, and how much was asked for."""

    def __init__(self, body):
        self.body, self.asked = body, []

    def read(self, size):
        self.asked.append(size)
        piece, self.body = self.body[:size], self.body[size:]
        return piece


@pytest.mark.parametrize(
    ("length", "asked", "kept"),
    [
        pytest.param(0, [4], 0, id="nothing"),
        pytest.param(3, [4, 4], 3, id="less than a piece"),
        pytest.param(10, [4, 4, 3, 1], 10, id="as much as may be"),
        pytest.param(11, [4, 4, 3], 11, id="a byte more, which tells"),
        pytest.param(1000, [4, 4, 3], 11, id="much more"),
    ],
)
def test_of_a_body_no_more_is_read_than_tells_that_it_is_too_long(monkeypatch, length, asked, kept):
    monkeypatch.setattr(prometheus, "MOST_BYTES", 10)
    monkeypatch.setattr(prometheus, "_PIECE", 4)
    response = Response(b"x" * length)
    assert prometheus._body(response, time.monotonic() + 60) == b"x" * kept
    assert response.asked == asked


def test_when_nobody_waits_any_more_nothing_is_read():
    response = Response(b"x")
    assert (prometheus._body(response, time.monotonic() - 1), response.asked) == (b"", [])


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)], ids=["as long as may be", "a byte longer"])
def test_how_long_an_answer_may_be(monkeypatch, more, fits):
    monkeypatch.setattr(prometheus, "MOST_BYTES", len(GOOD))
    place = prometheus.Prometheus("It", 5, lambda _path, _query: (200, GOOD + b" " * more))
    if fits:
        assert place.ask("up").samples == []
    else:
        with pytest.raises(prometheus.TooMuch, match="It answered with more than 0 MiB"):
            place.ask("up")


def test_what_a_query_is_sent_with():
    sent = []
    prometheus.Prometheus("It", 5, lambda *given: sent.append(given) or (200, GOOD)).ask("up")
    assert sent == [("/api/v1/query", {"query": "up", "timeout": "5s"})]


@pytest.mark.parametrize(("reason", "too_much"), [("no answer within 5 s", True), ("forbidden", False)])
def test_behind_a_service_only_lateness_is_too_much(reason, too_much):
    error = prometheus.api.ClusterError("told", 403, reason)

    def fail(*_given):
        raise error

    with pytest.raises((prometheus.TooMuch, prometheus.api.ClusterError)) as caught:
        prometheus.Prometheus("It", 5, fail).ask("up")
    assert isinstance(caught.value, prometheus.TooMuch) is too_much
    assert str(caught.value) == "told"
    assert too_much or caught.value is error


@pytest.mark.parametrize(
    ("status", "problem", "remedy"),
    [
        (401, "", "give a token"),
        (403, "", "give a token"),
        (404, "", "check that this is the address"),
        (200, "not JSON", "check that this is the address"),
        (200, "not one of its", "check that this is the address"),
        (422, "", "ask for a shorter window"),
        (503, "timeout", "ask for a shorter window"),
        (200, "too many samples", "ask for a shorter window"),
        (503, "", "see Prometheus' own log"),
    ],
)
def test_each_problem_has_its_remedy(status, problem, remedy):
    assert prometheus._remedy(status, problem).startswith(f"Remedy: {remedy}")


@pytest.mark.parametrize(
    ("service", "good"),
    [
        ("monitoring/prometheus:9090", True),
        ("monitoring/https:prometheus:web", True),
        ("monitoring/prometheus", False),
        ("monitoring/a:b:c:d", False),
        ("monitoring/prometheus:", False),
        ("monitoring/", False),
        ("/prometheus:9090", False),
        ("prometheus:9090", False),
        ("monitoring/x/prometheus:9090", False),
    ],
)
def test_a_service_is_asked_through_the_api_server(monkeypatch, service, good):
    given = PrometheusOptions(**{**DEFAULTS, "service": service})
    asked, lent = [], object()
    monkeypatch.setattr(prometheus.api, "get_through_service", lambda *given: asked.append(given) or (200, GOOD))
    if good:
        place = prometheus.connect(given, lambda: lent)
        assert place.name == f"The Prometheus behind the Service {service}"
        assert place.ask("up").samples == []
        query = {"query": "up", "timeout": "2s"}
        assert asked == [(lent, service, "/api/v1/query", query, 2, prometheus.MOST_BYTES)]
    else:
        with pytest.raises(TrafficError, match=f"^{service} names no Service's port. Remedy: write it as"):
            prometheus.connect(given, no_cluster)


@pytest.mark.parametrize("word", ["WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "CERTIFICATE_VERIFY_FAILED"])
def test_why_tls_failed_has_its_remedy(word):
    found = prometheus._unreachable("The X", prometheus.ssl.SSLError(1, word), PrometheusOptions(**DEFAULTS))
    remedy = "give its CA" if word.startswith("CERT") else "it speaks no TLS on this port"
    assert str(found).startswith("TLS with the X failed: ")
    assert f"Remedy: {remedy}" in str(found)


def test_an_answer_that_nobody_waits_for_keeps_no_process_alive():
    threads = []
    prometheus._in_time(1, lambda: threads.append(threading.current_thread()) or (200, b""))
    assert threads[0].daemon
