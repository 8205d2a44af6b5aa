# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server by TLS: without a certificate, with the one that the mesh issued to this pod, with a wrong one.

Runs inside the probe's pods beside ``wire``, so it imports nothing but the standard library.
"""

from __future__ import annotations

import calendar
import os
import re
import ssl
import time
from typing import Any, Dict, NamedTuple, Sequence

from . import http2
from .plain import (
    GRPC,
    HTTP,
    LONGEST_ANSWER,
    TCP,
    Answer,
    Ask,
    Unreachable,
    connect,
    exchange,
    judge_bytes,
    text,
)

# What sidecars offer each other (pilot/pkg/xds/filters), and for gRPC what its servers insist on.
ALPN = {HTTP: ["istio-http/1.1", "istio"], GRPC: ["istio-h2", "istio", "h2"], TCP: ["istio"]}
# What OpenSSL calls an answer that is not TLS, by its versions.
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
HBONE_PORT = 15008
TUNNEL_TAKEN = (200, 401, 403)
PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
# The two times of an X.509 certificate in DER.
VALIDITY = re.compile(rb"\x17\x0d(\d{12})Z\x17\x0d(\d{12})Z")


class Pair(NamedTuple):
    """A certificate chain and its key, as PEM."""

    certificate: str
    key: str


def ask_tls(item: Ask, seconds: float, roots: str) -> Answer:
    """A TLS handshake without a client certificate, offering the mesh's ALPN, to see whose certificate is shown."""
    verified, why_not = None, "the mesh's root certificate could not be read"
    if roots:
        try:
            with _handshake(item, seconds, _context(item, roots=roots)) as connection:
                return {**_described(connection, parsed=True), **_afterwards(connection, item), "verified": True}
        except ssl.SSLCertVerificationError as error:
            verified, why_not = False, error.verify_message
        except OSError as error:
            return _failed_handshake(error, seconds)
    try:
        with _handshake(item, seconds, _context(item)) as connection:
            described = _described(connection, parsed=False)
            der = connection.getpeercert(binary_form=True) or b""
            after = _afterwards(connection, item)
    except OSError as error:
        return _failed_handshake(error, seconds)
    answer = {**described, **after, "verified": verified, "verify_detail": why_not}
    # Python parses only certificates that it verified, so the very certificate that was shown is now the trust root.
    try:
        with _handshake(item, seconds, _context(item, leaf=der)) as connection:
            answer.update(_described(connection, parsed=True))
    except OSError as error:
        answer["detail"] = f"the certificate was seen, but not parsed: {text(error)}"
    return answer


def ask_mutual(item: Ask, seconds: float, folder: str) -> Answer:
    """Mutual TLS with the certificate that the mesh issued to this pod, straight to the server."""
    context = _context(item)
    context.load_verify_locations(os.path.join(folder, "root-cert.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        _present(context, own_certificate(folder))
        with _handshake(item, seconds, context) as connection:
            return {**_described(connection, parsed=True), "verified": True, **_afterwards(connection, item)}
    except ssl.SSLCertVerificationError as error:
        return {"result": "untrusted", "detail": error.verify_message, "verified": False}
    except OSError as error:
        return _failed_handshake(error, seconds)


def ask_hbone(item: Ask, seconds: float, folder: str) -> Answer:
    """Mutual TLS with the own certificate, to where an ambient workload takes it for all of its ports.

    HBONE is HTTP/2's CONNECT within mutual TLS at port 15008 (ztunnel, src/proxy/inbound.rs), which answers 200, or 401
    where an AuthorizationPolicy refuses; that one asks who the client is, so its certificate was taken.
    """
    context = _context(item, alpn=["h2"])
    context.load_verify_locations(os.path.join(folder, "root-cert.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        _present(context, own_certificate(folder))
        with _handshake({**item, "port": item.get("hbone_port", HBONE_PORT)}, seconds, context) as connection:
            described = {**_described(connection, parsed=True), "verified": True}
            return {**described, **_tunnelled(connection, item, seconds)}
    except ssl.SSLCertVerificationError as error:
        return {"result": "untrusted", "detail": f"HBONE: {error.verify_message}", "verified": False}
    except OSError as error:
        failed = _failed_handshake(error, seconds)
        return {**failed, "detail": f"HBONE: {failed['detail']}"}


def _tunnelled(connection: ssl.SSLSocket, item: Ask, seconds: float) -> Answer:
    """What the server makes of a tunnel to the port that is asked about."""
    address = f"[{item['address']}]" if ":" in item["address"] else item["address"]
    data, end = b"", time.monotonic() + seconds
    try:
        connection.sendall(http2.connect(f"{address}:{item['port']}"))
        while time.monotonic() < end and len(data) < LONGEST_ANSWER:
            more = connection.recv(4096)
            data += more
            reply = http2.read(data)
            if not more or reply.status is not None or reply.ended:
                break
    except OSError as error:
        return {"after": "rejected", "after_detail": f"HBONE: {text(error)}"}
    reply = http2.read(data)
    if reply.status in TUNNEL_TAKEN:
        return {"after": "answered", "after_detail": f"HBONE: CONNECT {reply.status}"}
    why = f"CONNECT {reply.status}" if reply.status else reply.refusal or "closed, or no answer"
    return {"after": "rejected", "after_detail": f"HBONE: {why}"}


def ask_as(item: Ask, seconds: float, pair: Pair, obstacle: str | None = None) -> Answer:
    """Mutual TLS with a certificate that the server must not take; its own was looked at before."""
    if obstacle:
        return {"result": "not_asked", "detail": obstacle}
    context = _context(item)
    try:
        _present(context, pair)
        with _handshake(item, seconds, context) as connection:
            return {"result": "handshake", **_afterwards(connection, item)}
    except OSError as error:
        return _failed_handshake(error, seconds)


def own_certificate(folder: str) -> Pair:
    """The certificate that the mesh issued to this pod; read again while it is renewed and does not fit its key."""
    for dummy in range(10):
        pair = Pair(_content(folder, "cert-chain.pem"), _content(folder, "key.pem"))
        try:
            _present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair)
        except ssl.SSLError:
            time.sleep(0.2)
        else:
            break
    return pair


def _content(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return file.read()


def expiry(pair: Pair) -> float | None:
    """When a certificate expires, in seconds since 1970; Python itself parses only what a server showed it."""
    try:
        leaf = pair.certificate[: pair.certificate.index(ssl.PEM_FOOTER)] + ssl.PEM_FOOTER
        found = VALIDITY.search(ssl.PEM_cert_to_DER_cert(leaf))
    except ValueError:  # it was only half written
        return None
    return calendar.timegm(time.strptime(found.group(2).decode(), "%y%m%d%H%M%S")) if found else None


def _context(item: Ask, roots: str = "", leaf: bytes = b"", alpn: Sequence[str] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # mesh certificates carry an identity, not a host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED if roots or leaf else ssl.CERT_NONE
    context.set_alpn_protocols(alpn or ALPN[item["protocol"]])
    if roots:
        context.load_verify_locations(cadata=roots)
    if leaf:
        context.load_verify_locations(cadata=leaf)
        context.verify_flags |= PARTIAL_CHAIN
    return context


def _present(context: ssl.SSLContext, pair: Pair) -> None:
    """Python takes certificates from files only, and a container's file system can be read-only: so from memory."""
    files = []
    try:
        for pem in pair:
            files.append(os.memfd_create("pem"))
            os.write(files[-1], pem.encode())
        context.load_cert_chain(*(f"/proc/self/fd/{file}" for file in files))
    finally:
        for file in files:
            os.close(file)


def _handshake(item: Ask, seconds: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    connection = connect(item, seconds)
    try:
        return context.wrap_socket(connection)
    except OSError:
        connection.close()
        raise


def _described(connection: ssl.SSLSocket, parsed: bool) -> Answer:
    alpn = connection.selected_alpn_protocol()
    answer: Answer = {"result": "handshake", "version": connection.version(), "alpn": alpn}
    if parsed:
        certificate: Dict[str, Any] = connection.getpeercert() or {}
        answer["uris"] = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        answer["issuer"] = ", ".join(f"{key}={value}" for group in certificate["issuer"] for key, value in group)
        answer["not_before"] = certificate["notBefore"]
        answer["not_after"] = certificate["notAfter"]
        answer["serial"] = certificate["serialNumber"]
    return answer


def _afterwards(connection: ssl.SSLSocket, item: Ask) -> Answer:
    """TLS 1.3 servers reject a client's certificate, or its lack, only after the client's side of the handshake."""
    try:
        data = exchange(connection, item).data
    except TimeoutError:
        return {"after": "open", "after_detail": "the connection stayed open"}
    except OSError as error:
        return {"after": "rejected", "after_detail": text(error)}
    if not data:
        return {"after": "rejected", "after_detail": "closed without a byte"}
    judged = judge_bytes(data)
    return {"after": "answered", "after_detail": judged["detail"], "status": judged.get("status")}


def _failed_handshake(error: OSError, seconds: float) -> Answer:
    if isinstance(error, Unreachable):
        return {"result": error.result, "detail": str(error)}
    if isinstance(error, TimeoutError):
        return {"result": "timeout", "detail": f"no TLS answer within {seconds} s"}
    reason = getattr(error, "reason", None) or ""
    if reason in NOT_TLS:
        return {"result": "no_tls", "detail": text(error)}
    if "ALERT" in reason:
        return {"result": "alert", "detail": text(error)}
    if isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in reason:
        return {"result": "refused", "detail": f"during the handshake: {text(error)}"}
    return {"result": "error", "detail": text(error)}
