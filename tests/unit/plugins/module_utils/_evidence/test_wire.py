# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script on the wire, against servers on loopback that answer as Istio's proxies do (PERMISSIVE, STRICT, none)."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERVER = "spiffe://cluster.local/ns/demo/sa/service-a"
CLIENT = "spiffe://cluster.local/ns/meshproof-probe/sa/default"
HTTP_200 = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def issue(subject, uri=None, issuer=None):
    """A key and a certificate; without issuer a root."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[1].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if uri:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def store(folder, pair, root):
    """Write the three files that OUTPUT_CERTS makes."""
    folder.mkdir()
    private = pair[0].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "cert-chain.pem").write_bytes(pem(pair[1]))
    (folder / "root-cert.pem").write_bytes(pem(root[1]))
    return folder


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """A mesh's certificates: the server's, the probe's, and those of somebody else's mesh."""
    folder = tmp_path_factory.mktemp("mesh")
    root, foreign = issue("cluster.local"), issue("elsewhere.local")
    return {
        "root": pem(root[1]).decode(),
        "foreign": pem(foreign[1]).decode(),
        "server": store(folder / "server", issue("", SERVER, root), root),
        "client": store(folder / "client", issue("", CLIENT, root), root),
        "stranger": store(folder / "stranger", issue("", CLIENT, foreign), root),
    }


class Server:
    """Answers each connection by a function, in threads, until the test ends."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.answer(connection)
        except OSError:
            pass  # the client went away, or was refused
        finally:
            connection.close()


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1].port

    yield start
    for server in servers:
        server.listener.close()


def says_tls(connection):
    return connection.recv(1, socket.MSG_PEEK) == b"\x16"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mutual_tls(connection, mesh):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mesh["server"] / "cert-chain.pem", mesh["server"] / "key.pem")
    context.load_verify_locations(mesh["server"] / "root-cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["istio", "istio-http/1.1"])
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(4096)
        secured.sendall(HTTP_200)


def plain(connection):
    data = connection.recv(4096)
    connection.sendall(HTTP_200 if data.startswith(b"GET ") else HTTP_400)


def permissive(mesh):
    return lambda connection: mutual_tls(connection, mesh) if says_tls(connection) else plain(connection)


def strict(mesh):
    return lambda connection: mutual_tls(connection, mesh) if says_tls(connection) else reset(connection)


def item(port, http=True):
    return {"id": "0/0", "address": "127.0.0.1", "port": port, "host": "service-a.demo.svc", "http": http}


def plan(mesh, **more):
    return {"seconds": 2, "roots": mesh["root"], "certificates": str(mesh["client"]), **more}


def test_permissive_answers_plaintext_and_shows_its_certificate(serve, mesh):
    answer = wire.ask_outside(item(serve(permissive(mesh))), plan(mesh))
    assert answer["plaintext"]["result"] == "answered"
    assert answer["plaintext"]["status"] == 200
    assert answer["tls"]["result"] == "handshake"
    assert answer["tls"]["uris"] == [SERVER]
    assert answer["tls"]["alpn"] == "istio"
    assert answer["tls"]["verified"] is True
    assert answer["tls"]["after"] == "rejected"


def test_strict_refuses_plaintext_and_shows_its_certificate(serve, mesh):
    answer = wire.ask_outside(item(serve(strict(mesh))), plan(mesh))
    assert answer["plaintext"]["result"] == "refused"
    assert answer["tls"]["uris"] == [SERVER]
    assert answer["tls"]["after"] == "rejected"


def test_no_mesh_answers_plaintext_and_no_tls(serve, mesh):
    answer = wire.ask_outside(item(serve(plain)), plan(mesh))
    assert answer["plaintext"]["result"] == "answered"
    assert answer["tls"]["result"] == "no_tls"


@pytest.mark.parametrize(
    ("roots", "verified", "detail"),
    [
        ("", None, "the mesh's root certificate could not be read"),
        ("foreign", False, "self-signed certificate in certificate chain"),
    ],
)
def test_identity_is_read_without_a_root_that_verifies_it(serve, mesh, roots, verified, detail):
    answer = wire.ask_tls(item(serve(strict(mesh))), 2, mesh.get(roots, ""))
    assert answer["uris"] == [SERVER]
    assert answer["issuer"] == "organizationName=cluster.local"
    assert answer["verified"] is verified
    assert answer["verify_detail"] == detail


def test_own_certificate_is_accepted(serve, mesh):
    answer = wire.ask_handshake(item(serve(strict(mesh))), plan(mesh))["mtls"]
    assert (answer["result"], answer["after"], answer["status"]) == ("handshake", "answered", 200)
    assert answer["uris"] == [SERVER]


def test_certificate_of_another_mesh_is_rejected(serve, mesh):
    answer = wire.ask_handshake(item(serve(strict(mesh))), plan(mesh, certificates=str(mesh["stranger"])))["mtls"]
    assert answer["result"] == "handshake"
    assert answer["after"] == "rejected"


def test_server_of_another_mesh_is_untrusted(serve, mesh, tmp_path):
    (tmp_path / "root-cert.pem").write_text(mesh["foreign"])
    for name in ("cert-chain.pem", "key.pem"):
        (tmp_path / name).write_bytes((mesh["client"] / name).read_bytes())
    answer = wire.ask_handshake(item(serve(strict(mesh))), plan(mesh, certificates=str(tmp_path)))["mtls"]
    assert answer["result"] == "untrusted"


def test_nothing_listens(mesh):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = wire.ask_outside(item(port), plan(mesh))
    assert answer["plaintext"]["result"] == "error"
    assert answer["plaintext"]["detail"] == "no TCP connection: Connection refused"
    assert answer["tls"]["result"] == "error"


@pytest.mark.parametrize(("http", "result"), [(True, "timeout"), (False, "answered")])
def test_silence_is_acceptance_only_where_an_answer_is_not_due(serve, monkeypatch, http, result):
    monkeypatch.setattr(wire, "QUIET_SECONDS", 0.3)
    done = threading.Event()
    port = serve(lambda connection: done.wait(5))
    answer = wire.ask_plaintext(item(port, http=http), 0.3)
    done.set()
    assert answer["result"] == result


ENVOY = b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\n\r\nupstream connect error"
UPSTREAM = b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\nx-envoy-upstream-service-time: 3\r\n\r\nbusy"
DENIED = b"HTTP/1.1 403 Forbidden\r\nserver: istio-envoy\r\n\r\nRBAC: access denied"


@pytest.mark.parametrize(
    ("sent", "result", "more"),
    [
        pytest.param(ENVOY, "refused", {"status": 503}, id="the proxy's own answer is no answer of the server"),
        pytest.param(UPSTREAM, "answered", {"status": 503}, id="an answer of the server behind the proxy"),
        pytest.param(DENIED, "answered", {"status": 403, "rbac": True}, id="denied, but taken in plaintext"),
        pytest.param(b"220 mail ready\r\n", "answered", {}, id="another protocol"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", "refused", {}, id="a TLS alert"),
        pytest.param(b"", "refused", {}, id="closed"),
    ],
)
def test_what_an_answer_means(serve, sent, result, more):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(sent)

    seen = wire.ask_plaintext(item(serve(answer)), 2)
    assert seen["result"] == result
    assert {name: seen[name] for name in more} == more


def test_runs_alone_as_python_c(serve, mesh):
    asks = [{**item(serve(strict(mesh))), "id": "a"}, {**item(serve(plain)), "id": "b"}]
    text = json.dumps(plan(mesh, mode="outside", asks=asks, deadline=30))
    with open(wire.__file__, encoding="utf-8") as file:
        script = file.read()
    command = [sys.executable, "-I", "-c", script, text[:50], text[50:]]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    answers = {answer.get("id"): answer for answer in map(json.loads, lines)}
    assert answers["a"]["plaintext"]["result"] == "refused"
    assert answers["b"]["plaintext"]["result"] == "answered"
    assert json.loads(lines[-1]) == {"done": 2}


def test_missing_certificates_are_an_obstacle(tmp_path, capsys):
    wire.main([json.dumps({"mode": "handshake", "asks": [{"id": "0/0"}], "certificates": str(tmp_path), "patience": 0,
                           "deadline": 1})])  # fmt: skip
    answer, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert "no certificate" in answer["obstacle"]
    assert done == {"done": 1}
