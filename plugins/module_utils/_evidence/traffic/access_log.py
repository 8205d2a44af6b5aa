# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the access logs of servers' proxies tell about the security of the connections that they took.

Istio's own formats, TEXT and JSON (istio.io/istio, pilot/pkg/model/telemetry_logging.go), have no field for it. The
name that a client asked for (REQUESTED_SERVER_NAME) is no substitute: it comes from the client's first bytes, before
any certificate, and is there as well when the application speaks TLS itself. So their lines count as unknown.

What tells it are DOWNSTREAM_TLS_VERSION (empty: the proxy ended no TLS) and DOWNSTREAM_PEER_URI_SAN (the identity in a
client certificate that the proxy verified), as fields of JSON or at the end of a text line, see docs/traffic.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._foreign import json_text, numbers
from .rows import MUTUAL_TLS, PLAINTEXT, UNKNOWN, Counts, Path

TLS_VERSION, PEER, LOCAL = "downstream_tls_version", "downstream_peer_uri_san", "downstream_local_uri_san"
_INBOUND = "inbound|"
_INBOUND_PASSTHROUGH = "InboundPassthroughCluster"
_SPIFFE = "spiffe://"
_ABSENT = object()
_TIME = r"\d{4}-\d\d-\d\dT[\d:.]+Z"
_BEGINNING = re.compile(rf'\[(?P<start_time>{_TIME})\] "', re.ASCII)
_FROM_ITS_CLOCK = re.compile(_TIME, re.ASCII)
_OF_TCP = '- - -" 0 '
"""How what stands in quotes first goes on where there was no request."""
# Envoy writes a header with a byte that is no UTF-8 in octal (source/common/json/json_sanitizer.cc), which is no JSON.
_OCTAL = re.compile(r"(?<!\\)((?:\\\\)*)\\[0-7]{3}")
# What follows the last quote of a text line: no header is in it, and none of its words holds a blank or a quote.
_WORD = "[^ ]+"
_END = re.compile(
    rf" (?P<upstream_cluster>{_WORD}) {_WORD} (?P<downstream_local_address>{_WORD})"
    rf" (?P<downstream_remote_address>{_WORD}) {_WORD} {_WORD}"
    rf"(?: tls=(?P<{TLS_VERSION}>{_WORD}) peer=(?P<{PEER}>{_WORD}))?"
)
_FROM_A_HEADER = "0"
"""The port of an address that Envoy took from X-Forwarded-For, which any caller can send: it is nobody's then."""


class Line(NamedTuple):
    """One request, or one connection, that a proxy took for its application."""

    time: str
    protocol: str
    port: Optional[int]
    address: str
    """The caller's, as the proxy saw it; empty where the caller chose it."""
    principal: Optional[str]
    own_principal: Optional[str]
    security: str
    tells: bool
    """Whether the format has what tells the security."""


class Caller(NamedTuple):
    """A pod that has an address."""

    workload: str
    """namespace/name"""
    since: str
    """When the pod was made, as Kubernetes writes it."""


class Reading(NamedTuple):
    """What the lines of a pod came to."""

    inbound: int
    silent: int
    """Of these, lines whose format does not tell the security."""
    unread: int
    """Lines that look like an access log's and cannot be read."""


def parse(text: str) -> Optional[Line]:
    """One line, or None where it is not about an inbound connection that the proxy took for its application.

    A connection that the proxy refused is none of these. Raises ValueError for a line that looks like an access log's
    and cannot be read without doubt.
    """
    fields = _json_fields(text) if text.startswith("{") else _text_fields(text)
    cluster = _value(fields, "upstream_cluster")
    if not cluster.startswith((_INBOUND, _INBOUND_PASSTHROUGH)):
        return None
    peer = _principal(_value(fields, PEER))
    time = _value(fields, "start_time")
    return Line(
        time if _FROM_ITS_CLOCK.fullmatch(time) else "",
        "http" if _value(fields, "protocol").startswith("HTTP") else "tcp",
        _port(cluster, _value(fields, "downstream_local_address")),
        _host(_value(fields, "downstream_remote_address")),
        peer,
        _principal(_value(fields, LOCAL)),
        _security(fields, peer),
        peer is not None or fields.get(TLS_VERSION, _ABSENT) is not _ABSENT,
    )


def count(counts: Counts, log: Iterable[str], workload: str, callers: Mapping[str, Sequence[Caller]]) -> Reading:
    """Count the lines of one pod of a workload (namespace/name); say how many there were of which sort.

    `callers` are the pods by their addresses.
    """
    inbound = silent = unread = 0
    for text in log:
        try:
            line = parse(text)
        except ValueError:
            unread += 1
            # What it hides may be anything, plaintext included.
            counts.add(Path(None, None, workload, None, None, None, "http"), UNKNOWN)
            continue
        if line is None:
            continue
        inbound += 1
        silent += not line.tells
        caller = _caller(line, callers.get(line.address, ()))
        path = Path(caller, line.principal, workload, None, line.own_principal, line.port, line.protocol)
        counts.add(path, line.security)
    return Reading(inbound, silent, unread)


def problems(readings: Iterable[Reading], window: str) -> Iterator[str]:
    """What the readings of a workload's pods in a window leave open, with remedies."""
    listed = list(readings)
    inbound, silent, unread = (sum(getattr(reading, name) for reading in listed) for name in Reading._fields)
    if not inbound:
        yield (
            f"its proxies logged no inbound connection in the last {window}. Remedy: where there should be some, see "
            "whether access logs are on (Telemetry accessLogging, meshConfig.accessLogFile)"
        )
    if silent:
        yield (
            f"{silent} of {inbound} lines are in a format that does not tell the security, as Istio's own. Remedy: log "
            f"{TLS_VERSION} and {PEER}, see docs/traffic.md"
        )
    if unread:
        yield f"{unread} lines of the access log cannot be read. Remedy: use a format of docs/traffic.md"


def _json_fields(text: str) -> Mapping[str, Any]:
    fields: Any = json_text.parse(_OCTAL.sub(r"\1\\ufffd", text))
    if not isinstance(fields, dict):
        raise ValueError("no object")
    return fields


def _text_fields(text: str) -> Mapping[str, Any]:
    """The fields of a text line: the time from its beginning, the others from its end.

    What stands between is the caller's to choose: in text Envoy escapes neither quotes nor blanks of a header, and
    X-Envoy-Original-Path is one that anybody can send. So nothing is read there.
    """
    beginning = _BEGINNING.match(text)
    if beginning is None:
        return {}
    end = _END.fullmatch(text.rstrip(" ").rpartition('"')[2])
    if end is None:
        raise ValueError("not Istio's format")
    fields = {name: value for name, value in end.groupdict().items() if value is not None}
    inbound = fields["upstream_cluster"].startswith((_INBOUND, _INBOUND_PASSTHROUGH))
    if not inbound and any(f'" {name}' in text for name in (_INBOUND, _INBOUND_PASSTHROUGH)):
        raise ValueError("not Istio's format: it has two ends, as a server name with quotes would make it")
    is_tcp = text.startswith(_OF_TCP, beginning.end())
    return {**fields, "start_time": beginning["start_time"], "protocol": "" if is_tcp else "HTTP"}


def _value(fields: Mapping[str, Any], name: str) -> str:
    """A field's text; empty for what Envoy writes where there is nothing: null in JSON, a dash in text."""
    value = fields.get(name)
    if not (value is None or isinstance(value, str)):
        raise ValueError(f"{name} is no text")
    return "" if value is None or value == "-" else value


def _security(fields: Mapping[str, Any], peer: Optional[str]) -> str:
    """With a mesh identity in the client's certificate it was mutual TLS; without any TLS it was not.

    TLS without such an identity is neither: one-way TLS of a Sidecar's own ingress listener, or foreign certificates.
    """
    told = fields.get(TLS_VERSION, _ABSENT) is not _ABSENT
    if peer is not None:
        # A certificate without TLS is none.
        return UNKNOWN if told and not _value(fields, TLS_VERSION) else MUTUAL_TLS
    return PLAINTEXT if told and not _value(fields, TLS_VERSION) else UNKNOWN


def _principal(names: str) -> Optional[str]:
    """The SPIFFE identity among a certificate's URIs, which Envoy joins with commas."""
    return next((name for name in names.split(",") if name.startswith(_SPIFFE)), None)


def _port(cluster: str, local_address: str) -> Optional[int]:
    """The port that the caller dialled: inbound|8080|| for one of a Service, else the address itself."""
    return numbers.port(cluster.split("|")[1] if cluster.startswith(_INBOUND) else local_address.rpartition(":")[2])


def _host(address: str) -> str:
    host, _colon, port = address.rpartition(":")
    return "" if port == _FROM_A_HEADER else host.strip("[]")


def _caller(line: Line, candidates: Sequence[Caller]) -> Optional[str]:
    """The workload that has the caller's address, if it had it then already and the certificate does not object."""
    found = {
        caller.workload
        for caller in candidates
        if (line.principal is None or f"/ns/{caller.workload.partition('/')[0]}/sa/" in line.principal)
        # Both are UTC; to the second they compare as text.
        and "" < caller.since[:19] <= line.time[:19]
    }
    return found.pop() if len(found) == 1 else None
