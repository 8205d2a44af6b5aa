# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe's pods print, of which a server that is asked chooses a part."""

from __future__ import annotations

import json
import random
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import answers
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Endpoint
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Target as Asked

from .. import damage
from ..running import Target

_NAMESPACE = "demo"
_IDENTITY = f"spiffe://cluster.local/ns/{_NAMESPACE}/sa/a"
_FOREIGN = "spiffe://cluster.local/ns/other/sa/a"
_REFUSED = {"result": "refused", "detail": "connected, then: Connection reset by peer"}
_ANSWERED = {"result": "answered", "detail": "HTTP 200", "status": 200}
_PLAIN = (_REFUSED, _REFUSED, _ANSWERED, {"result": "blocked", "detail": "no TCP connection"}, {"result": "error"})
_TLS = (
    {"result": "handshake", "uris": [_IDENTITY], "after": "rejected", "verified": True, "version": "TLSv1.3"},
    {"result": "handshake", "uris": [_FOREIGN], "after": "rejected", "verified": True},
    {"result": "no_tls", "detail": "wrong version number"},
    {"result": "refused", "detail": "during the handshake: Connection reset by peer"},
)
_MUTUAL = (
    {"result": "handshake", "uris": [_IDENTITY], "after": "answered", "status": 200},
    {"result": "handshake", "uris": [_IDENTITY], "after": "answered", "status": 200},
    {"result": "handshake", "uris": [_FOREIGN], "after": "answered"},
    {"result": "handshake", "uris": [_IDENTITY], "after": "rejected"},
    {"result": "no_tls"},
)
Logs = dict[str, list[bytes]]
_TARGETS = 3
_ASKS = [{"id": f"{number}/{path}"} for number in range(_TARGETS) for path in ("service", "request", "0", "1")]


def _attempt(rnd: random.Random) -> None:
    asked = [_target(number) for number in range(_TARGETS)]
    logs = {
        "outside": _log(rnd, asked, ("plaintext", _PLAIN), ("tls", _TLS), service=True),
        "requests": [damage.dumped({"id": f"{n}/request", "request": _ANSWERED}) for n in range(_TARGETS)],
        "handshakes": _log(rnd, asked, ("mtls", _MUTUAL)),
    }
    before = _judged(asked, logs)
    rnd.choice([_one_server, _cut_off])(rnd, asked, logs, before)


def _target(number: int) -> Asked:
    endpoints = tuple(Endpoint(f"192.0.2.{number * 10 + place}", 8080, f"p{place}", "a") for place in range(2))
    return Asked(_NAMESPACE, f"s{number}", 80, "http", f"198.51.100.{number}", endpoints, 2)


def _log(rnd: random.Random, asked: list[Asked], *parts: Any, service: bool = False) -> list[bytes]:
    lines = []
    for number, target in enumerate(asked):
        paths = [*(["service"] if service else []), *map(str, range(len(target.endpoints)))]
        for path in paths:
            said = {name: rnd.choice(choices) for name, choices in parts}
            lines.append(damage.dumped({"id": f"{number}/{path}", **said}))
    return lines


def _judged(asked: list[Asked], logs: Logs) -> list[dict[str, Any]]:
    parsed = [answers.parse(b"\n".join(lines).decode("utf-8", "replace"), _ASKS).answers for lines in logs.values()]
    return answers.judge(asked, *parsed)


def _one_server(rnd: random.Random, asked: list[Asked], logs: Logs, before: list[dict[str, Any]]) -> None:
    """Damage in the lines about one target leaves the verdicts about the others as they were."""
    chosen = rnd.randrange(len(asked))
    name = rnd.choice(sorted(logs))
    lines = list(logs[name])
    own = [place for place, line in enumerate(lines) if json.loads(line)["id"].startswith(f"{chosen}/")]
    place = rnd.choice(own)
    said = json.loads(lines[place])
    bad = damage.value(rnd, {key: part for key, part in said.items() if key != "id"}, 4)
    lines[place] = damage.dumped({**bad, "id": said["id"]} if isinstance(bad, dict) else bad)
    after = _judged(asked, {**logs, name: lines})
    json.dumps(after, allow_nan=True)
    for number, (now, was) in enumerate(zip(after, before, strict=True)):
        assert number == chosen or now == was, "another target's result changed"
        assert now["verdict"] in answers.VERDICTS


def _cut_off(rnd: random.Random, asked: list[Asked], logs: Logs, before: list[dict[str, Any]]) -> None:
    """With lines missing, cut off or between them noise, nothing becomes strict."""
    worse = {name: damage.some(rnd, lines) for name, lines in logs.items()}
    for lines in worse.values():
        for dummy in range(rnd.randint(0, 3)):
            noise = rnd.choice(
                [damage.raw(rnd, rnd.choice(lines)) if lines else b"{", b"[" * 500, b"\xff", b"null", b"{}"]
            )
            lines.insert(rnd.randint(0, len(lines)), noise)
    for now, was in zip(_judged(asked, worse), before, strict=True):
        assert now["verdict"] != "strict" or was["verdict"] == "strict", (now, was)


TARGET = Target(
    "probe_logs", "what one server says is about itself only, and less of a log proves nothing more", _attempt
)
