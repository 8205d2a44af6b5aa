# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series of a Prometheus, which any scraped pod can export, and lines of access logs, of which callers choose parts."""

from __future__ import annotations

import random
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic import access_log, series
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.rows import Counts

from .. import damage
from ..running import Target

_NAMES = ("a", "b", "c")
_SPACES = ("n1", "n2")
_TENANT = "zoo"
_PLAIN_OR_NOT = ("mutual_tls", "mutual_tls", "none", "unknown")


def _attempt(rnd: random.Random) -> None:
    rnd.choice([_series, _any_answer, _lines])(rnd)


def _sample(rnd: random.Random, space: str, exporter: str = "") -> dict[str, Any]:
    source, target = rnd.choice(_NAMES), rnd.choice(_NAMES)
    labels = {
        "source_workload": source,
        "source_workload_namespace": space,
        "source_principal": f"spiffe://cluster.local/ns/{space}/sa/{source}",
        "destination_workload": target,
        "destination_workload_namespace": space,
        "destination_principal": f"spiffe://cluster.local/ns/{space}/sa/{target}",
        "destination_service_name": target,
        "destination_service_namespace": space,
        "request_protocol": rnd.choice(["http", "grpc", "tcp"]),
        "connection_security_policy": rnd.choice(_PLAIN_OR_NOT),
        "namespace": exporter or space,
        "pod": f"{target}-7b5-x2x",
    }
    return {"metric": labels, "value": [1700000000, rnd.choice(["1", "5.5", "100"])]}


def _vector(samples: list[Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": samples}}


def _rows(samples: list[Any]) -> dict[Any, str]:
    """The security of each path that a server's own pods tell."""
    answer = series.parse(damage.dumped(_vector(samples)))
    found = series.count([("http", answer)]).rows(1, answer.whole)
    return {
        (row["source"]["workload"], row["destination"]["workload"], row["protocol"]): row["security"]
        for row in found
        if not row["exporter"]
    }


def _series(rnd: random.Random) -> None:
    """Series of a pod in another namespace, whatever they say, take nothing that was plaintext or unknown away."""
    own = [_sample(rnd, space) for space in _SPACES for dummy in range(5)]
    before = _rows(own)
    foreign = [damage.value(rnd, _sample(rnd, rnd.choice(_SPACES), _TENANT)) for dummy in range(3)]
    foreign = [item for item in foreign if damage.is_json(item) and not _claims_to_be_nobody(item)]
    try:
        after = _rows([*own, *foreign])
    except series.AnswerError:
        return  # which leaves everything unknown
    for key, security in after.items():
        if key in before and before[key] != security:
            assert security == "unknown", (key, before[key], security, foreign)


def _claims_to_be_nobody(item: Any) -> bool:
    """Prometheus itself sets these labels; a series without them is of a configuration that has none."""
    labels = item.get("metric") if isinstance(item, dict) else None
    return isinstance(labels, dict) and not all(labels.get(name) for name in ("namespace", "pod"))


def _any_answer(rnd: random.Random) -> None:
    """An answer is understood or refused; nothing else happens, and what it adds up to can be shown."""
    samples = [_sample(rnd, space) for space in _SPACES for dummy in range(4)]
    if rnd.random() < 0.5:
        body = damage.raw(rnd, damage.dumped(_vector(samples)))
    else:
        body = damage.dumped(damage.value(rnd, _vector(samples), 5))
    try:
        answer = series.parse(body)
    except series.AnswerError as error:
        damage.require_sentence(error)
        return
    rows = series.count([("http", answer)]).rows(1, answer.whole)
    for gap in series.gaps(rows, answer, [*_SPACES], (), 300):
        assert gap["reason"].isprintable(), gap
    for row in rows:
        assert repr(row).isprintable(), row
        assert row["requests"] >= 1


_TEXT = (
    '[2026-01-31T12:00:00.000Z] "GET {path} HTTP/1.1" 200 - via_upstream - "-" 0 5 1 0 "-" "{agent}" "id" "a.n1" '
    '"10.0.0.1:8080" inbound|8080|| 127.0.0.6:1 10.0.0.1:8080 10.0.0.2:5 outbound_.80_._.a.n1.svc default '
    "tls={tls} peer={peer}"
)
_PEER = "spiffe://cluster.local/ns/n1/sa/b"


def _lines(rnd: random.Random) -> None:
    """What a caller writes into path and headers hides no plaintext; a line that cannot be read is doubt."""
    plain = rnd.random() < 0.5
    fields = {"tls": "-" if plain else "TLSv1.3", "peer": "-" if plain else _PEER, "path": "/", "agent": "x"}
    name = rnd.choice(["path", "agent"])
    # Envoy writes one record for a request, without line breaks: those it escapes.
    hostile = (
        "".join(
            rnd.choice([text, '" ', " inbound|8080|| ", '"', "\\", " tls=TLSv1.3 peer=" + _PEER])
            for text in (rnd.choice(damage.HOSTILE_TEXTS) for dummy in range(rnd.randint(1, 4)))
        )
        .replace("\n", "\\n")
        .replace("\r", "\\r")
    )
    counts = Counts()
    reading = access_log.count(counts, [_TEXT.format(**{**fields, name: hostile})], "n1/a", {})
    security = {row["security"] for row in counts.rows()}
    if plain:
        assert security <= {"plaintext", "unknown"}, hostile
        assert security, ("a plaintext request is hidden", hostile)
    assert reading.inbound + reading.unread == 1
    raw = damage.raw(rnd, _TEXT.format(**fields).encode()).decode("utf-8", "replace")
    for line in raw.split("\n"):
        access_log.count(Counts(), [line], "n1/a", {})


TARGET = Target("telemetry", "what others export or send takes no plaintext out of sight", _attempt)
