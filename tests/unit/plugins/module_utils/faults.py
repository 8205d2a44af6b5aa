# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between an API server and its clients, as answers of the server in conftest.py."""

from __future__ import annotations

import socket
import struct
import threading


def reset(share=0.5):
    """An answer that breaks off: the promised length, a part of the body, then the connection is reset."""

    def fault(handler, data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: int(len(data) * share)])
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True

    return fault


def cut_off(handler, data):
    """An answer that ends too early and says that this was all, as a proxy on the way does it."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) // 2))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def silent(handler, data):
    """No answer for longer than the client waits."""
    threading.Event().wait(0.5)
    handler.close_connection = True


def throttled(seconds):
    """429 with the server's wish when to come back."""

    def fault(handler, data):
        handler.send_response(429)
        handler.send_header("Retry-After", str(seconds))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def drip(head=True):
    """An answer that is never silent and never there: a byte now and then, of the head or of the body."""

    def fault(handler, data):
        handler.close_connection = True
        text = b"HTTP/1.1 200 OK\r\nX-Comment: " if head else b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        try:
            handler.wfile.write(text)
            for _attempt in range(200):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                threading.Event().wait(0.02)
        except OSError:
            pass

    return fault


def flood(head, repeated=b"1" * 65536):
    """An answer that has no end, as fast as the client takes it; `head` is what comes before the part that repeats."""

    def fault(handler, data):
        handler.close_connection = True
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head)
            for _attempt in range(2000):
                handler.wfile.write(repeated)
        except OSError:
            pass

    return fault
