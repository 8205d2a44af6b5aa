# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on loopback that answer as Istio's proxies do (PERMISSIVE, STRICT, none), and the certificates for them."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERVER = "spiffe://cluster.local/ns/demo/sa/service-a"
CLIENT = "spiffe://cluster.local/ns/meshproof-probe/sa/default"
HTTP_200 = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def issue(subject, uri=None, issuer=None, expired=False):
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
        .not_valid_before(now - datetime.timedelta(minutes=2))
        .not_valid_after(now + (datetime.timedelta(minutes=-1) if expired else datetime.timedelta(hours=1)))
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


def says_tls(connection):
    return connection.recv(1, socket.MSG_PEEK) == b"\x16"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mutual_tls(connection, mesh, answer=None, verify=ssl.CERT_REQUIRED):
    """What a sidecar does, or one that was told not to look at certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mesh["server"] / "cert-chain.pem", mesh["server"] / "key.pem")
    context.load_verify_locations(mesh["server"] / "root-cert.pem")
    context.verify_mode = verify
    context.set_alpn_protocols(["istio", "istio-http/1.1", "h2"])
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
        try:
            secured.do_handshake()
        except ssl.SSLError:
            drain(secured)
            raise
        (answer or plain)(secured)


def drain(secured):
    """Read what the client still sends: closing before would reset the connection, and the alert may never arrive."""
    with socket.socket(fileno=secured.detach()) as connection:
        connection.settimeout(2)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def plain(connection):
    """An application that speaks HTTP/1."""
    data = connection.recv(4096)
    connection.sendall(HTTP_200 if data.startswith(b"GET ") else HTTP_400)


def frame(kind, flags, stream, payload=b""):
    """One frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, 0)
OK_H2 = frame(1, 4, 1, b"\x88") + frame(0, 1, 1, b"ok")


def http2(connection, response=OK_H2):
    """An application that speaks HTTP/2, whose response comes a moment after its settings; or never."""
    if not connection.recv(4096).startswith(b"PRI * HTTP/2.0"):
        return
    connection.sendall(SETTINGS)
    time.sleep(0.05)
    connection.sendall(response)
    if not response:
        connection.recv(4096)


def permissive(mesh, answer=plain):
    """A sidecar in PERMISSIVE before an application."""
    return lambda connection: mutual_tls(connection, mesh, answer) if says_tls(connection) else answer(connection)


def strict(mesh, answer=plain, verify=ssl.CERT_REQUIRED):
    """A sidecar in STRICT before an application."""
    return lambda connection: (
        mutual_tls(connection, mesh, answer, verify) if says_tls(connection) else reset(connection)
    )


def item(port, protocol="http"):
    """One ask."""
    return {"id": "0/0", "address": "127.0.0.1", "port": port, "host": "service-a.demo.svc", "protocol": protocol}


def plan(mesh, **more):
    """A plan for it."""
    return {"seconds": 2, "roots": mesh["root"], "certificates": str(mesh["client"]), **more}
