# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks servers on the wire. Runs inside the probe's pods, so it imports nothing but the standard library.

The probe module sends this file's text, and that of the modules that it imports, as ``python3 -c``
(``probe_pods.program``); the plan comes as JSON, cut into the arguments that follow. Each answer is one line of JSON
with the ask's id, of which there can be two lines, and a last line counts the asks, so that a log that was cut short is
noticed.

The plan: ``mode`` (outside, request or handshake), ``asks`` (each with id, address, port, host, protocol, and perhaps
attempts or hbone), ``seconds`` for one step of one ask, ``deadline`` for everything, ``patience`` for the pod's own
proxy, ``voice``, a number that varies what makes no difference to an honest server (one for all pods of a run, so that
a server hears the same by TLS and without); for outside ``roots`` (PEM) and perhaps ``wrong`` (certificate and key of
an identity that no mesh issued); for handshake ``certificates`` (a folder) and ``expired`` (whether to ask once more
when the own certificate has expired).
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPConnection, HTTPException
from typing import Any, Callable, Dict

from .plain import Answer, Ask, ask_plaintext, text
from .tls import (
    Pair,
    ask_as,
    ask_hbone,
    ask_mutual,
    ask_tls,
    expiry,
    own_certificate,
)

Plan = Dict[str, Any]

SIDE_BY_SIDE = 16
# A request through the own sidecar is repeated while that sidecar may still lack its configuration.
REQUEST_ATTEMPTS = 4
# One connection that broke is not a refusal.
REFUSALS = 2
OWN_PROXY_READY = ("127.0.0.1", 15021, "/healthz/ready")
# Clocks of two machines differ.
CLOCK_SKEW = 2


def main(arguments: list[str]) -> None:
    """Run the plan and print the answers."""
    plan = json.loads("".join(arguments))
    end = time.monotonic() + plan["deadline"]
    ask = {"outside": ask_outside, "request": ask_request, "handshake": ask_handshake}[plan["mode"]]
    obstacle = None
    if plan["mode"] == "request":
        obstacle = wait_for_proxy(plan)
    elif plan["mode"] == "handshake":
        obstacle = wait_for_certificates(plan)
    later = plan.get("expired") and not obstacle
    kept = own_certificate(plan["certificates"]) if later else None
    ask_all(plan, end, lambda item: {"obstacle": obstacle} if obstacle else ask(item, plan))
    if kept:
        obstacle = wait_for_expiry(kept, end)
        ask_all(plan, end, lambda item: {"expired": ask_as(item, plan["seconds"], kept, obstacle)})
    say({"done": len(plan["asks"])})


def ask_all(plan: Plan, end: float, ask: Callable[[Ask], Answer]) -> None:
    """Ask them side by side and print each answer as it comes."""

    def run(item: Ask) -> Answer:
        if time.monotonic() > end:
            return {"id": item["id"], "obstacle": "the probe's time was up before this was asked"}
        voice = plan.get("voice", 0) + zlib.crc32(item["id"].encode())
        return {"id": item["id"], **ask({**item, "voice": voice})}

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as threads:
        for future in as_completed([threads.submit(run, item) for item in plan["asks"]]):
            say(future.result())


def say(answer: Answer) -> None:
    """Print one line at once; the log may be read while others are still being asked."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def ask_outside(item: Ask, plan: Plan) -> Answer:
    """What a client outside the mesh meets: with plaintext, with TLS without a certificate, and with a wrong one."""
    plaintext = ask_plaintext(item, plan["seconds"])
    for again in range(1, REFUSALS):
        if plaintext["result"] != "refused":
            break
        plaintext = ask_plaintext({**item, "voice": item.get("voice", 0) + again}, plan["seconds"])
    if not plaintext["connected"]:
        return {"plaintext": plaintext, "tls": {"result": plaintext["result"], "detail": plaintext["detail"]}}
    tls = ask_tls(item, plan["seconds"], plan.get("roots") or "")
    answer = {"plaintext": plaintext, "tls": tls}
    if plan.get("wrong") and tls["result"] == "handshake":
        answer["wrong"] = ask_as(item, plan["seconds"], Pair(**plan["wrong"]))
    return answer


def ask_request(item: Ask, plan: Plan) -> Answer:
    """An ordinary request; in a pod with a sidecar it leaves through it."""
    attempts = item.get("attempts", REQUEST_ATTEMPTS)
    answer = ask_plaintext(item, plan["seconds"], own_proxy=True)
    for attempt in range(1, attempts):
        if answer["result"] not in ("refused", "error"):
            break
        time.sleep(0.5 * attempt)
        answer = ask_plaintext(item, plan["seconds"], own_proxy=True)
    return {"request": answer}


def ask_handshake(item: Ask, plan: Plan) -> Answer:
    """Mutual TLS, past this pod's own sidecar."""
    ask = ask_hbone if item.get("hbone") else ask_mutual
    return {"mtls": ask(item, plan["seconds"], plan["certificates"])}


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
            detail = text(error)
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


def wait_for_expiry(pair: Pair, end: float) -> str | None:
    """None when a certificate has expired, otherwise why that was not waited for."""
    until = expiry(pair)
    if until is None:
        return "the expiry of the probe's certificate could not be read"
    left = until + CLOCK_SKEW - time.time()
    if time.monotonic() + left > end:
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        return f"the mesh's CA issued the probe a certificate until {date}, longer than the probe lasts"
    time.sleep(max(0, left))
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
