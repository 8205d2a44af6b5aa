# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the wire, against servers that answer as Istio's proxies do."""

from __future__ import annotations

import inspect
import json
import socket
import subprocess
import sys
import time
import zlib

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import pods
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import http2, program, tls
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import plain as wire_plain

from .wire_servers import SERVER, item, permissive, plain, plan, strict


def test_permissive_answers_plaintext_and_shows_its_certificate(serve, mesh):
    answer = program.ask_outside(item(serve(permissive(mesh))), plan(mesh))
    assert answer["plaintext"]["result"] == "answered"
    assert answer["plaintext"]["status"] == 200
    assert answer["tls"]["result"] == "handshake"
    assert answer["tls"]["uris"] == [SERVER]
    assert answer["tls"]["alpn"] == "istio"
    assert answer["tls"]["verified"] is True
    assert answer["tls"]["after"] == "rejected"


def test_strict_refuses_plaintext_and_shows_its_certificate(serve, mesh):
    answer = program.ask_outside(item(serve(strict(mesh))), plan(mesh))
    assert answer["plaintext"]["result"] == "refused"
    assert answer["tls"]["uris"] == [SERVER]
    assert answer["tls"]["after"] == "rejected"


def test_no_mesh_answers_plaintext_and_no_tls(serve, mesh):
    answer = program.ask_outside(item(serve(plain)), plan(mesh))
    assert answer["plaintext"]["result"] == "answered"
    assert answer["tls"]["result"] == "no_tls"


def test_nothing_listens(mesh):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = program.ask_outside(item(port), plan(mesh))
    assert answer["plaintext"]["result"] == "error"
    assert answer["plaintext"]["detail"] == "no TCP connection: Connection refused"
    assert answer["tls"]["result"] == "error"


def test_a_wrong_certificate_is_shown_to_those_that_ask_for_one(serve, mesh):
    wrong = {name: (mesh["stranger"] / file).read_text() for name, file in
             (("certificate", "cert-chain.pem"), ("key", "key.pem"))}  # fmt: skip
    answer = program.ask_outside(item(serve(strict(mesh))), plan(mesh, wrong=wrong))
    assert (answer["wrong"]["result"], answer["wrong"]["after"]) == ("handshake", "rejected")
    assert "wrong" not in program.ask_outside(item(serve(plain)), plan(mesh, wrong=wrong))


@pytest.mark.parametrize(("more", "pauses"), [({}, [0.5, 1, 1.5]), ({"attempts": 1}, [])])
def test_a_request_is_repeated_while_the_own_sidecar_may_lack_something(serve, monkeypatch, more, pauses):
    slept, asked = [], []
    monkeypatch.setattr(program.time, "sleep", slept.append)
    answer = program.ask_request({**item(serve(asked.append)), **more}, {"seconds": 2})
    assert answer["request"]["result"] == "refused"
    assert (len(asked), slept) == (len(pauses) + 1, pauses)


@pytest.mark.parametrize(
    ("results", "asked"),
    [
        (["refused", "answered"], 2),
        (["error", "refused", "answered"], 3),
        (["timeout"], 1),
        (["blocked"], 1),
        (["answered"], 1),
    ],
)
def test_a_request_is_repeated_until_it_is_answered(monkeypatch, results, asked):
    said = []
    monkeypatch.setattr(program.time, "sleep", lambda seconds: None)

    def ask_plaintext(_item, seconds, own_proxy):
        assert (seconds, own_proxy) == (2, True)
        said.append(results[len(said)])
        return {"result": said[-1]}

    monkeypatch.setattr(program, "ask_plaintext", ask_plaintext)
    assert program.ask_request(item(1), {"seconds": 2}) == {"request": {"result": results[-1]}}
    assert len(said) == asked


@pytest.mark.parametrize(
    ("results", "asked"),
    [(["refused", "refused"], 2), (["refused", "answered"], 2), (["answered"], 1), (["timeout"], 1), (["blocked"], 1)],
)
def test_one_refusal_of_plaintext_is_asked_again_in_another_voice(monkeypatch, results, asked):
    voices = []

    def ask_plaintext(ask, _seconds):
        voices.append(ask["voice"])
        return {"result": results[len(voices) - 1], "connected": True}

    monkeypatch.setattr(program, "ask_plaintext", ask_plaintext)
    monkeypatch.setattr(program, "ask_tls", lambda _item, _seconds, roots: {"result": "no_tls", "roots": roots})
    answer = program.ask_outside({**item(1), "voice": 7}, {"seconds": 2})
    assert answer == {"plaintext": {"result": results[-1], "connected": True}, "tls": {"result": "no_tls", "roots": ""}}
    assert voices == [7, 8][:asked]


@pytest.mark.parametrize(
    ("expires", "obstacle", "pause"),
    [
        pytest.param(1000, None, 2, id="it expires now: clocks may differ by two seconds"),
        pytest.param(1005, None, 7, id="soon"),
        pytest.param(900, None, 0, id="it has expired"),
        pytest.param(1008, None, 10, id="just in time"),
        pytest.param(1009, "until 1970-01-01T00:16:49Z, longer than the probe lasts", None, id="too late"),
        pytest.param(None, "could not be read", None, id="nobody knows when"),
    ],
)
def test_the_expiry_of_the_own_certificate_is_waited_for(monkeypatch, expires, obstacle, pause):
    slept = []
    monkeypatch.setattr(program, "expiry", lambda pair: expires)
    monkeypatch.setattr(program.time, "time", lambda: 1000)
    monkeypatch.setattr(program.time, "monotonic", lambda: 50)
    monkeypatch.setattr(program.time, "sleep", slept.append)
    found = program.wait_for_expiry("pair", 60)
    assert (found is None, slept) == (obstacle is None, [] if pause is None else [pause])
    assert (obstacle or "") in (found or "")


def run(plan_text, *modules):
    """The program as a pod runs it; its lines."""
    sources = [(module.__name__.rpartition(".")[2], inspect.getsource(module)) for module in modules]
    command = [sys.executable, "-I", "-c", pods.program(sources), plan_text[:50], plan_text[50:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


MODULES = (http2, wire_plain, tls, program)


def test_runs_alone_as_python_c(serve, mesh):
    asks = [{**item(serve(strict(mesh))), "id": "a"}, {**item(serve(plain)), "id": "b"}]
    lines = run(json.dumps(plan(mesh, mode="outside", asks=asks, deadline=30)), *MODULES)
    answers = {answer.get("id"): answer for answer in map(json.loads, lines)}
    assert answers["a"]["plaintext"]["result"] == "refused"
    assert answers["b"]["plaintext"]["result"] == "answered"
    assert json.loads(lines[-1]) == {"done": 2}


def test_a_certificate_that_has_expired_is_shown_at_the_end(serve, mesh):
    asks = [item(serve(permissive(mesh)))]
    given = plan(mesh, mode="handshake", asks=asks, deadline=30, patience=1, expired=True)
    lines = run(json.dumps({**given, "certificates": str(mesh["expired"])}), *MODULES)
    first, second, done = map(json.loads, lines)
    assert (first["mtls"]["after"], second["expired"]["after"]) == ("rejected", "rejected")
    assert "expired" in second["expired"]["after_detail"]
    assert done == {"done": 1}


def test_a_certificate_that_lasts_is_not_waited_for(mesh):
    pair = tls.own_certificate(str(mesh["client"]))
    assert "longer than the probe lasts" in program.wait_for_expiry(pair, time.monotonic() + 60)


def test_what_was_not_reached_in_time_is_an_obstacle(capsys):
    program.main([json.dumps({"mode": "outside", "asks": [{"id": "0/0"}], "deadline": -1})])
    answer, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert "time was up" in answer["obstacle"]
    assert done == {"done": 1}


def test_missing_certificates_are_an_obstacle(tmp_path, capsys):
    plan = {"mode": "handshake", "asks": [{"id": "0/0"}], "certificates": str(tmp_path), "patience": 0}
    program.main([json.dumps({**plan, "deadline": 1, "expired": True})])
    answer, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert "no certificate" in answer["obstacle"]
    assert done == {"done": 1}


def test_a_server_hears_the_same_by_tls_and_without_and_another_voice_when_asked_again(serve, mesh):
    plainly, secured = [], []

    def heard(connection):
        plainly.append(connection.recv(4096))

    def answer(connection):
        secured.append(connection.recv(4096))
        connection.sendall(b"ok")

    asked = {**item(serve(strict(mesh, answer))), "voice": 3}
    program.ask_outside({**item(serve(heard)), "voice": 3}, plan(mesh))
    program.ask_handshake(asked, plan(mesh))
    assert plainly[0] == secured[0] != plainly[1]


def test_each_run_has_another_voice():
    voices = {pods.Run(identifier, "demo", "image").limits["voice"] for identifier in ("0a1b2c3d", "4e5f6a7b")}
    assert len(voices) == 2


def test_whoever_is_in_ambient_is_asked_by_its_tunnel(monkeypatch):
    monkeypatch.setattr(program, "ask_hbone", lambda item, seconds, folder: "tunnel")
    monkeypatch.setattr(program, "ask_mutual", lambda item, seconds, folder: "port")
    given = {"seconds": 2, "certificates": ""}
    assert [program.ask_handshake({**item(1), **more}, given)["mtls"] for more in ({"hbone": True}, {})] == [
        "tunnel",
        "port",
    ]


class Clock:
    """Time that only sleeping moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def ready(*statuses):
    """A proxy's health, one answer after the other, and what it was asked."""
    left, asked = list(statuses), []

    def answer(connection):
        asked.append(connection.recv(4096).split(b"\r\n")[0])
        status = left.pop(0) if len(left) > 1 else left[0]
        connection.sendall(
            status if isinstance(status, bytes) else b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
        )

    return answer, asked


def waited(monkeypatch, port, patience=2):
    clock = Clock()
    monkeypatch.setattr(program, "OWN_PROXY_READY", ("127.0.0.1", port, "/healthz/ready"))
    monkeypatch.setattr(program, "time", clock)
    return program.wait_for_proxy({"patience": patience}), clock.now - 100


@pytest.mark.parametrize(
    ("statuses", "obstacle", "seconds"),
    [
        pytest.param([200], None, 0, id="ready at once"),
        pytest.param([503, 503, 200], None, 1, id="ready later"),
        pytest.param([b"", 200], None, 0.5, id="it hung up first"),
        pytest.param([503], "HTTP 503", 2, id="never ready"),
        pytest.param([204], "HTTP 204", 2, id="another answer than 200"),
        pytest.param([b"220 mail\r\n"], "220 mail", 2, id="no HTTP"),
    ],
)
def test_the_own_proxy_is_waited_for(serve, monkeypatch, statuses, obstacle, seconds):
    answer, asked = ready(*statuses)
    found, took = waited(monkeypatch, serve(answer))
    assert took == seconds
    assert set(asked) == {b"GET /healthz/ready HTTP/1.1"}
    if obstacle is None:
        assert found is None
    else:
        assert found.startswith("the probe's own sidecar was not ready after 2 s (")
        assert obstacle in found


def test_a_proxy_that_is_not_there_is_waited_for(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found, took = waited(monkeypatch, closed.getsockname()[1], 1)
    assert (found, took) == ("the probe's own sidecar was not ready after 1 s (Connection refused)", 1)


def test_without_patience_nobody_is_waited_for(monkeypatch):
    assert waited(monkeypatch, 1, 0) == ("the probe's own sidecar was not ready after 0 s (not asked)", 0)


@pytest.mark.parametrize("health", [200, 503])
def test_requests_are_sent_only_through_a_proxy_that_is_ready(serve, monkeypatch, capsys, health):
    heard = []
    monkeypatch.setattr(program, "OWN_PROXY_READY", ("127.0.0.1", serve(ready(health)[0]), "/healthz/ready"))
    monkeypatch.setattr(program, "ask_plaintext", lambda item, *_rest, **_more: heard.append(item) or {"result": "x"})
    asks = [{"id": "0/request"}]
    program.main([json.dumps({"mode": "request", "asks": asks, "deadline": 5, "patience": 0.1, "seconds": 1})])
    answer, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert (len(heard), "obstacle" in answer, "request" in answer) == (
        (1, False, True) if health == 200 else (0, True, False)
    )
    assert done == {"done": 1}


def test_certificates_are_waited_for(monkeypatch, tmp_path):
    clock = Clock()
    names = ["root-cert.pem", "cert-chain.pem", "key.pem"]

    def sleep(seconds):
        clock.now += seconds
        (tmp_path / names.pop()).touch()

    clock.sleep = sleep
    monkeypatch.setattr(program, "time", clock)
    assert program.wait_for_certificates({"certificates": str(tmp_path), "patience": 5}) is None
    assert (clock.now - 100, names) == (1.5, [])


def test_certificates_that_do_not_come_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(program, "time", Clock())
    (tmp_path / "key.pem").touch()
    assert program.wait_for_certificates({"certificates": str(tmp_path), "patience": 2}) == (
        f"the probe's own sidecar had written no certificate after 2 s ({tmp_path / 'cert-chain.pem'})"
    )


@pytest.mark.parametrize("expired", [True, False])
@pytest.mark.parametrize("obstacle", [None, "no certificate"])
def test_the_expired_certificate_is_the_one_from_before(monkeypatch, capsys, expired, obstacle):
    heard = []
    monkeypatch.setattr(program, "wait_for_certificates", lambda plan: obstacle)
    monkeypatch.setattr(program, "own_certificate", lambda folder: ("pair of", folder))
    monkeypatch.setattr(program, "wait_for_expiry", lambda pair, end: heard.append(pair) or "why not")
    monkeypatch.setattr(program, "ask_handshake", lambda item, plan: {"mtls": "m"})
    monkeypatch.setattr(program, "ask_as", lambda item, *given: [*given])
    plan = {"mode": "handshake", "asks": [{"id": "0/0"}], "deadline": 5, "seconds": 3, "certificates": "/c"}
    program.main([json.dumps({**plan, "expired": expired})])
    *answers, done = map(json.loads, capsys.readouterr().out.splitlines())
    first = {"id": "0/0", **({"obstacle": obstacle} if obstacle else {"mtls": "m"})}
    again = expired and not obstacle
    assert answers == [first, *([{"id": "0/0", "expired": [3, ["pair of", "/c"], "why not"]}] if again else [])]
    assert (heard, done) == ([("pair of", "/c")] if again else [], {"done": 1})


@pytest.mark.parametrize(("voice", "more"), [({}, 0), ({"voice": 5}, 5)])
def test_each_ask_has_a_voice_of_its_own_and_a_run_varies_it(capsys, voice, more):
    asks = [{"id": "0/0"}, {"id": "0/1"}]
    program.ask_all({**voice, "asks": asks}, time.monotonic() + 9, lambda item: {"heard": item["voice"]})
    answers = {answer["id"]: answer["heard"] for answer in map(json.loads, capsys.readouterr().out.splitlines())}
    assert answers == {name: zlib.crc32(name.encode()) + more for name in ("0/0", "0/1")}


def test_each_answer_is_in_the_log_at_once(monkeypatch):
    done = []

    class Log:
        def write(self, text):
            done.append(text)

        def flush(self):
            done.append("flushed")

    monkeypatch.setattr(program.sys, "stdout", Log())
    program.say({"done": 1})
    assert done == ['{"done": 1}\n', "flushed"]
