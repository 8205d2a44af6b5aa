# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks servers on the wire. Runs inside the probe's pods, so it imports nothing but the standard library.

The probe module sends this file's text as ``python3 -c``; the plan comes as JSON, cut into the arguments that follow.
Each answer is one line of JSON, and a last line counts them, so that a log that was cut short is noticed.

The plan: ``mode`` (outside, request or handshake), ``asks`` (each with id, address, port, host, http), ``seconds`` for
one step of one ask, ``deadline`` for everything, ``roots`` (PEM, for outside) and ``certificates`` (a folder, for
handshake).
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPConnection, HTTPException
from typing import Any, Dict

Answer = Dict[str, Any]
Ask = Dict[str, Any]
Plan = Dict[str, Any]

SIDE_BY_SIDE = 16
# A request through the own sidecar is repeated while that sidecar may still lack its configuration.
REQUEST_ATTEMPTS = 4
# How long a connection has to stay open to count as accepted, where the protocol is not ours to speak.
QUIET_SECONDS = 2
LONGEST_ANSWER = 16384
MESH_ALPN = "istio"
MESH_HTTP_ALPN = "istio-http/1.1"
OWN_PROXY_READY = ("127.0.0.1", 15021, "/healthz/ready")
# What OpenSSL calls an answer that is not TLS, by its versions.
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
TLS_ALERT = b"\x15\x03"
PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)


def main(arguments: list[str]) -> None:
    """Run the plan and print the answers."""
    plan = json.loads("".join(arguments))
    started = time.monotonic()
    ask = {"outside": ask_outside, "request": ask_request, "handshake": ask_handshake}[plan["mode"]]
    obstacle = None
    if plan["mode"] == "request":
        obstacle = wait_for_proxy(plan)
    elif plan["mode"] == "handshake":
        obstacle = wait_for_certificates(plan)

    def run(item: Ask) -> Answer:
        if obstacle:
            return {"id": item["id"], "obstacle": obstacle}
        if time.monotonic() - started > plan["deadline"]:
            return {"id": item["id"], "obstacle": "the probe's time was up before this was asked"}
        return {"id": item["id"], **ask(item, plan)}

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as threads:
        for future in as_completed([threads.submit(run, item) for item in plan["asks"]]):
            say(future.result())
    say({"done": len(plan["asks"])})


def say(answer: Answer) -> None:
    """Print one line at once; the log may be read while others are still being asked."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def ask_outside(item: Ask, plan: Plan) -> Answer:
    """What a client without a mesh certificate meets: plaintext first, then TLS."""
    plaintext = ask_plaintext(item, plan["seconds"])
    if not plaintext["connected"]:
        return {"plaintext": plaintext, "tls": {"result": plaintext["result"], "detail": plaintext["detail"]}}
    return {"plaintext": plaintext, "tls": ask_tls(item, plan["seconds"], plan.get("roots") or "")}


def ask_request(item: Ask, plan: Plan) -> Answer:
    """An ordinary request; in a pod with a sidecar it leaves through it."""
    answer: Answer = {}
    for attempt in range(REQUEST_ATTEMPTS):
        answer = ask_plaintext(item, plan["seconds"])
        if answer["result"] not in ("refused", "error"):
            break
        time.sleep(0.5 * (attempt + 1))
    return {"request": answer}


def ask_plaintext(item: Ask, seconds: float) -> Answer:
    """Connect, send an HTTP request (other ports: empty lines) and see whether anything comes back."""
    try:
        connection = socket.create_connection((item["address"], item["port"]), timeout=seconds)
    except TimeoutError:
        return _answer("timeout", f"no TCP connection within {seconds} s", connected=False)
    except OSError as error:
        return _answer("error", f"no TCP connection: {_text(error)}", connected=False)
    with connection:
        try:
            data = _exchange(connection, item)
        except TimeoutError:
            if item["http"]:
                return _answer("timeout", f"connected, but no answer within {seconds} s")
            # A proxy that wants TLS hangs up on such bytes at once; an application that waits for more has them.
            return _answer("answered", f"the bytes were taken, the connection stayed open for {QUIET_SECONDS} s")
        except OSError as error:
            return _answer("refused", f"connected, then: {_text(error)}")
    return _judge_bytes(data)


def _judge_bytes(data: bytes) -> Answer:
    if not data:
        return _answer("refused", "connected, then closed without a byte")
    if data.startswith(TLS_ALERT):
        return _answer("refused", "connected, then a TLS alert: the application itself wants TLS")
    head, body = [*data.split(b"\r\n\r\n", 1), b""][:2]
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdigit():
        return _answer("answered", f"{len(data)} bytes that are not HTTP/1")
    status = int(words[1])
    headers = {
        name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if ":" in line)
    }
    made_by_proxy = (
        status in (502, 503, 504)
        and headers.get("server") in ("envoy", "istio-envoy")
        and "x-envoy-upstream-service-time" not in headers
    )
    if made_by_proxy:  # the server itself was not reached
        text = body.decode("utf-8", "replace").strip()[:200]
        return _answer("refused", f"the proxy answered {status}: {text}", status=status)
    return _answer("answered", f"HTTP {status}", status=status, rbac=status == 403 and b"RBAC: access denied" in body)


def ask_tls(item: Ask, seconds: float, roots: str) -> Answer:
    """A TLS handshake without a client certificate, offering the mesh's ALPN, to see whose certificate is shown."""
    verified, why_not = None, "the mesh's root certificate could not be read"
    if roots:
        try:
            with _handshake(item, seconds, _context(roots=roots)) as connection:
                return {**_described(connection, parsed=True), **_afterwards(connection, item), "verified": True}
        except ssl.SSLCertVerificationError as error:
            verified, why_not = False, error.verify_message
        except OSError as error:
            return _failed_handshake(error, seconds)
    try:
        with _handshake(item, seconds, _context()) as connection:
            described = _described(connection, parsed=False)
            der = connection.getpeercert(binary_form=True) or b""
            after = _afterwards(connection, item)
    except OSError as error:
        return _failed_handshake(error, seconds)
    answer = {**described, **after, "verified": verified, "verify_detail": why_not}
    # Python parses only certificates that it verified, so the very certificate that was shown is now the trust root.
    try:
        with _handshake(item, seconds, _context(leaf=der)) as connection:
            answer.update(_described(connection, parsed=True))
    except OSError as error:
        answer["detail"] = f"the certificate was seen, but not parsed: {_text(error)}"
    return answer


def ask_handshake(item: Ask, plan: Plan) -> Answer:
    """Mutual TLS with the certificate that the mesh issued to this pod, straight to the server."""
    folder = plan["certificates"]
    context = _context(http=item["http"])
    context.load_verify_locations(os.path.join(folder, "root-cert.pem"))
    context.load_cert_chain(os.path.join(folder, "cert-chain.pem"), os.path.join(folder, "key.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        with _handshake(item, plan["seconds"], context) as connection:
            answer = {**_described(connection, parsed=True), "verified": True}
            answer.update(_afterwards(connection, item))
    except ssl.SSLCertVerificationError as error:
        return {"mtls": {"result": "untrusted", "detail": error.verify_message, "verified": False}}
    except OSError as error:
        return {"mtls": _failed_handshake(error, plan["seconds"])}
    return {"mtls": answer}


def _context(roots: str = "", leaf: bytes = b"", http: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # mesh certificates carry an identity, not a host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED if roots or leaf else ssl.CERT_NONE
    context.set_alpn_protocols([MESH_HTTP_ALPN, MESH_ALPN] if http else [MESH_ALPN])
    if roots:
        context.load_verify_locations(cadata=roots)
    if leaf:
        context.load_verify_locations(cadata=leaf)
        context.verify_flags |= PARTIAL_CHAIN
    return context


def _handshake(item: Ask, seconds: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    connection = socket.create_connection((item["address"], item["port"]), timeout=seconds)
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
        data = _exchange(connection, item)
    except TimeoutError:
        return {"after": "open", "after_detail": "the connection stayed open"}
    except OSError as error:
        return {"after": "rejected", "after_detail": _text(error)}
    if not data:
        return {"after": "rejected", "after_detail": "closed without a byte"}
    judged = _judge_bytes(data)
    return {"after": "answered", "after_detail": judged["detail"], "status": judged.get("status")}


def _failed_handshake(error: OSError, seconds: float) -> Answer:
    if isinstance(error, TimeoutError):
        return {"result": "timeout", "detail": f"no TLS answer within {seconds} s"}
    reason = getattr(error, "reason", None) or ""
    if reason in NOT_TLS:
        return {"result": "no_tls", "detail": _text(error)}
    if "ALERT" in reason:
        return {"result": "alert", "detail": _text(error)}
    if isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in reason:
        return {"result": "refused", "detail": f"during the handshake: {_text(error)}"}
    return {"result": "error", "detail": _text(error)}


def wait_for_proxy(plan: Plan) -> str | None:
    """None when this pod's own proxy is ready, otherwise what stands in the way."""
    address, port, path = OWN_PROXY_READY
    detail = "not asked"
    end = time.monotonic() + plan["patience"]
    while time.monotonic() < end:
        connection = HTTPConnection(address, port, timeout=2)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            detail = _text(error)
        else:
            if status == 200:
                return None
            detail = f"HTTP {status}"
        finally:
            connection.close()
        time.sleep(0.5)
    return f"the probe's own sidecar was not ready after {plan['patience']} s ({detail})"


def wait_for_certificates(plan: Plan) -> str | None:
    """None when the mesh has issued this pod its certificate, otherwise what stands in the way."""
    files = [os.path.join(plan["certificates"], name) for name in ("key.pem", "cert-chain.pem", "root-cert.pem")]
    end = time.monotonic() + plan["patience"]
    missing = files
    while time.monotonic() < end:
        missing = [file for file in files if not os.access(file, os.R_OK)]
        if not missing:
            return None
        time.sleep(0.5)
    return f"the probe's own sidecar had written no certificate after {plan['patience']} s ({missing[0]})"


def _request(item: Ask) -> bytes:
    if not item["http"]:
        return b"\r\n" * 16  # Envoy tells TLS from plaintext by no less than five bytes
    return (
        f"GET / HTTP/1.1\r\nHost: {item['host']}\r\nUser-Agent: meshproof-probe\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


def _exchange(connection: socket.socket, item: Ask) -> bytes:
    """Send the question and take the beginning of the answer; what has come counts, also when the rest does not."""
    connection.sendall(_request(item))
    if not item["http"]:
        connection.settimeout(QUIET_SECONDS)
    data = connection.recv(4096)
    end = time.monotonic() + (connection.gettimeout() or 0)
    while data.startswith(b"HTTP/") and len(data) < LONGEST_ANSWER and time.monotonic() < end:
        try:
            more = connection.recv(4096)
        except OSError:
            break
        if not more:
            break
        data += more
    return data


def _answer(result: str, detail: str, connected: bool = True, **more: Any) -> Answer:
    return {"result": result, "detail": detail, "connected": connected, **more}


def _text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


if __name__ == "__main__":
    main(sys.argv[1:])
