# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS with and without certificates, against servers that look at them and one that does not."""

from __future__ import annotations

import datetime
import ssl

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import wrong_identity
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import tls
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire.plain import Said, Unreachable
from cryptography import x509

from .wire_servers import SERVER, SETTINGS, frame, http2, item, mutual_tls, plain, strict


@pytest.mark.parametrize(
    ("roots", "verified", "detail"),
    [
        ("", None, "the mesh's root certificate could not be read"),
        ("foreign", False, "self-signed certificate in certificate chain"),
    ],
)
def test_identity_is_read_without_a_root_that_verifies_it(serve, mesh, roots, verified, detail):
    answer = tls.ask_tls(item(serve(strict(mesh))), 2, mesh.get(roots, ""))
    assert answer["uris"] == [SERVER]
    assert answer["issuer"] == "organizationName=cluster.local"
    assert answer["verified"] is verified
    assert answer["verify_detail"] == detail


def test_own_certificate_is_accepted(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(mesh["client"]))
    assert (answer["result"], answer["after"], answer["status"]) == ("handshake", "answered", 200)
    assert answer["uris"] == [SERVER]


def test_certificate_of_another_mesh_is_rejected(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(mesh["stranger"]))
    assert answer["result"] == "handshake"
    assert answer["after"] == "rejected"


def test_server_of_another_mesh_is_untrusted(serve, mesh, tmp_path):
    (tmp_path / "root-cert.pem").write_text(mesh["foreign"])
    for name in ("cert-chain.pem", "key.pem"):
        (tmp_path / name).write_bytes((mesh["client"] / name).read_bytes())
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(tmp_path))
    assert answer["result"] == "untrusted"


def test_grpc_over_mutual_tls(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh, http2)), "grpc"), 2, str(mesh["client"]))
    assert (answer["after"], answer["after_detail"], answer["alpn"]) == ("answered", "HTTP/2 200", "istio")


def made():
    return tls.Pair(**wrong_identity.make_wrong("cluster.local", datetime.datetime.now(datetime.UTC)))


@pytest.mark.parametrize(
    ("verify", "after"), [(ssl.CERT_REQUIRED, "rejected"), (ssl.CERT_NONE, "answered")], ids=["checks", "does not"]
)
def test_the_wrong_certificate_that_a_probe_makes(serve, mesh, verify, after):
    answer = tls.ask_as(item(serve(strict(mesh, verify=verify))), 2, made())
    assert (answer["result"], answer["after"]) == ("handshake", after)


def test_what_stands_in_the_way_is_said():
    assert tls.ask_as(item(1), 2, made(), "no time") == {"result": "not_asked", "detail": "no time"}


def test_the_time_at_which_a_certificate_expires(mesh):
    left = tls.expiry(tls.own_certificate(str(mesh["client"]))) - datetime.datetime.now().timestamp()
    assert 3000 < left < 3700


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n*-----END CERTIFICATE-----"]
)
def test_half_a_certificate_expires_at_no_time(text):
    assert tls.expiry(tls.Pair(text, "")) is None


def test_a_certificate_that_does_not_fit_its_key_is_read_again(mesh, tmp_path, monkeypatch):
    (tmp_path / "cert-chain.pem").write_bytes((mesh["client"] / "cert-chain.pem").read_bytes())
    (tmp_path / "key.pem").write_bytes((mesh["server"] / "key.pem").read_bytes())
    fitting = (mesh["client"] / "key.pem").read_bytes()
    monkeypatch.setattr(tls.time, "sleep", lambda seconds: (tmp_path / "key.pem").write_bytes(fitting))
    assert tls.own_certificate(str(tmp_path)).key == fitting.decode()


def tunnel(asked, response):
    """What ztunnel does at port 15008 once a client has shown its certificate."""

    def answer(connection):
        asked.append(connection.recv(4096))
        connection.sendall(SETTINGS)
        connection.sendall(response)

    return answer


def headers(block):
    return frame(1, 4, 1, block)


@pytest.mark.parametrize(
    ("response", "after", "detail"),
    [
        pytest.param(headers(b"\x88"), "answered", "HBONE: CONNECT 200", id="taken"),
        pytest.param(headers(b"\x48\x03401"), "answered", "HBONE: CONNECT 401", id="a policy refuses the client"),
        pytest.param(headers(b"\x48\x03503"), "rejected", "HBONE: CONNECT 503", id="nobody listens behind it"),
        pytest.param(headers(b"\x8c"), "rejected", "HBONE: CONNECT 400", id="no such tunnel"),
        pytest.param(frame(3, 0, 1, b"\0\0\0\x07"), "rejected", "HBONE: HTTP/2 stream reset, error 7", id="reset"),
        pytest.param(b"", "rejected", "HBONE: closed, or no answer", id="nothing but settings"),
    ],
)
def test_an_ambient_workload_by_its_tunnel(serve, mesh, response, after, detail):
    asked = []
    port = serve(lambda connection: mutual_tls(connection, mesh, tunnel(asked, response)))
    answer = tls.ask_hbone({**item(8080), "hbone_port": port}, 2, str(mesh["client"]))
    assert (answer["result"], answer["uris"], answer["after"], answer["after_detail"]) == (
        "handshake", [SERVER], after, detail,
    )  # fmt: skip
    assert b"\x42\x07CONNECT\x41\x0e127.0.0.1:8080" in asked[0]


@pytest.mark.parametrize(
    ("server", "client", "result"),
    [
        pytest.param(lambda mesh: plain, "client", "no_tls", id="an application at that port"),
        pytest.param(strict, "stranger", "rejected", id="a certificate of another mesh"),
        pytest.param(lambda mesh: lambda connection: None, "client", "refused", id="one that hangs up"),
    ],
)
def test_a_tunnel_that_does_not_come_about(serve, mesh, server, client, result):
    answer = tls.ask_hbone({**item(8080), "hbone_port": serve(server(mesh))}, 2, str(mesh[client]))
    assert answer.get("after", answer["result"]) == result
    assert (answer.get("after_detail") or answer["detail"]).startswith("HBONE: ")


@pytest.mark.parametrize("known", [True, False], ids=["the mesh's", "another mesh's"])
def test_whose_certificate_is_at_the_end_of_a_tunnel(serve, mesh, tmp_path, monkeypatch, known):
    for name in ("cert-chain.pem", "key.pem"):
        (tmp_path / name).write_bytes((mesh["client"] / name).read_bytes())
    (tmp_path / "root-cert.pem").write_text(mesh["root" if known else "foreign"])
    asked = []
    taken = tunnel(asked, headers(b"\x88"))
    monkeypatch.setattr(tls, "HBONE_PORT", serve(lambda connection: mutual_tls(connection, mesh, taken)))
    answer = tls.ask_hbone(item(8080), 2, str(tmp_path))
    if known:
        assert (answer["result"], answer["verified"], answer["after"]) == ("handshake", True, "answered")
    else:
        detail = "HBONE: self-signed certificate in certificate chain"
        assert (answer, asked) == ({"result": "untrusted", "detail": detail, "verified": False}, [])


def ssl_error(reason, kind=ssl.SSLError):
    error = kind(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        pytest.param(Unreachable("blocked", "no TCP connection"), ("blocked", "no TCP connection"), id="no connection"),
        pytest.param(TimeoutError(), ("timeout", "no TLS answer within 3 s"), id="silence"),
        pytest.param(ssl_error("WRONG_VERSION_NUMBER"), ("no_tls", "[SSL: WRONG_VERSION_NUMBER]"), id="no TLS"),
        pytest.param(ssl_error("RECORD_LAYER_FAILURE"), ("no_tls", "[SSL: RECORD_LAYER_FAILURE]"),
                     id="no TLS, as OpenSSL 3.2 says it"),
        pytest.param(ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
                     ("alert", "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]"), id="an alert"),
        pytest.param(ConnectionResetError(104, "Connection reset by peer"),
                     ("refused", "during the handshake: Connection reset by peer"), id="a reset"),
        pytest.param(ssl.SSLEOFError(8, "an end"), ("refused", "during the handshake: an end"), id="an end"),
        pytest.param(ssl.SSLZeroReturnError(6, "closed"), ("refused", "during the handshake: closed"), id="a goodbye"),
        pytest.param(ssl_error("UNEXPECTED_EOF_WHILE_READING"),
                     ("refused", "during the handshake: [SSL: UNEXPECTED_EOF_WHILE_READING]"),
                     id="an end, as OpenSSL 3 says it"),
        pytest.param(ssl_error("NO_CIPHERS_AVAILABLE"), ("error", "[SSL: NO_CIPHERS_AVAILABLE]"), id="anything else"),
        pytest.param(OSError(2, "No such file"), ("error", "No such file"), id="nothing of TLS"),
    ],
)  # fmt: skip
def test_how_a_handshake_failed(error, answer):
    found = tls._failed_handshake(error, 3)
    assert (found["result"], found["detail"]) == answer


@pytest.mark.parametrize(
    ("said", "after"),
    [
        pytest.param(Said(b"HTTP/1.1 200 OK\r\n\r\n", False), ("answered", "HTTP 200", 200), id="an answer"),
        pytest.param(Said(b"", True), ("rejected", "closed without a byte", None), id="it hangs up"),
        pytest.param(TimeoutError(), ("open", "the connection stayed open", None), id="silence"),
        pytest.param(OSError(1, "alert unknown ca"), ("rejected", "alert unknown ca", None), id="an alert"),
    ],
)
def test_what_comes_after_a_handshake_decides(monkeypatch, said, after):
    def exchange(_connection, _item):
        if isinstance(said, OSError):
            raise said
        return said

    monkeypatch.setattr(tls, "exchange", exchange)
    found = tls._afterwards(None, item(1))
    assert (found["after"], found["after_detail"], found.get("status")) == after


@pytest.mark.parametrize("ask", [tls.ask_mutual, tls.ask_hbone], ids=["to the port", "by the tunnel"])
def test_nobody_is_there_for_mutual_tls(mesh, monkeypatch, ask):
    def connect(_item, _seconds):
        raise Unreachable("blocked", "no TCP connection within 2 s")

    monkeypatch.setattr(tls, "connect", connect)
    answer = ask(item(1), 2, str(mesh["client"]))
    assert (answer["result"], answer["detail"].removeprefix("HBONE: ")) == ("blocked", "no TCP connection within 2 s")


def test_a_certificate_that_never_fits_its_key_is_read_ten_times(mesh, tmp_path, monkeypatch):
    (tmp_path / "cert-chain.pem").write_bytes((mesh["client"] / "cert-chain.pem").read_bytes())
    (tmp_path / "key.pem").write_bytes((mesh["server"] / "key.pem").read_bytes())
    slept = []
    monkeypatch.setattr(tls.time, "sleep", slept.append)
    found = tls.own_certificate(str(tmp_path))
    assert (slept, found.key) == ([0.2] * 10, (tmp_path / "key.pem").read_text())


def test_of_a_chain_the_first_certificate_expires(mesh):
    first, second = ((mesh[name] / "cert-chain.pem").read_text() for name in ("expired", "client"))
    loaded = x509.load_pem_x509_certificate(first.encode()).not_valid_after_utc
    assert tls.expiry(tls.Pair(first + second, "")) == loaded.timestamp()


@pytest.mark.parametrize(
    ("roots", "alpn", "mode", "offers"),
    [
        pytest.param([], [], ssl.CERT_NONE, ["istio-http/1.1", "istio"], id="of whomever, what sidecars offer"),
        pytest.param(["root"], [], ssl.CERT_REQUIRED, ["istio-http/1.1", "istio"], id="of somebody with this root"),
        pytest.param([], ["h2"], ssl.CERT_NONE, ["h2"], id="another protocol"),
    ],
)
def test_what_a_client_demands_and_offers(mesh, monkeypatch, roots, alpn, mode, offers):
    offered = []
    monkeypatch.setattr(tls.ssl.SSLContext, "set_alpn_protocols", lambda _context, names: offered.extend(names))
    context = tls._context(item(1), roots="".join(mesh[name] for name in roots), alpn=alpn)
    assert (context.verify_mode, context.check_hostname, offered) == (mode, False, offers)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == len(roots)


def test_the_tunnel_of_an_ipv6_address_has_brackets(monkeypatch):
    sent = []

    class Connection:
        def sendall(self, data):
            sent.append(data)

        def recv(self, _size):
            return SETTINGS + headers(b"\x88")

    found = tls._tunnelled(Connection(), {**item(8080), "address": "fd00::1"}, 2)
    assert (found["after"], b"[fd00::1]:8080" in sent[0]) == ("answered", True)
