# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as Envoy 1.39 under Istio 1.31 wrote them, and what they tell."""

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic import access_log
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.access_log import Caller, Reading
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.rows import Counts

B = "spiffe://cluster.local/ns/demo/sa/service-b"
TELLS = f" tls=TLSv1.3 peer={B}"
NONE = " tls=- peer=-"


def http(sni="-", end="", agent="curl/7.88.1", cluster="inbound|8080||", path="/hostname"):
    return (
        f'[2026-11-22T22:16:42.194Z] "GET {path} HTTP/1.1" 200 - via_upstream - "-" 0 23 0 0 "-" "{agent}" '
        f'"7535d4f2-d528-49e8-93ef-fbded21070a4" "server" "198.18.0.11:8080" {cluster} 127.0.0.6:35323 '
        f"198.18.0.11:8080 198.18.0.12:43016 {sni} default{end}"
    )


def tcp(sni="-", end=""):
    return (
        '[2026-11-22T22:16:42.443Z] "- - -" 0 - - - "-" 89 140 1 - "-" "-" "-" "-" "198.18.0.11:9090" inbound|9090|| '
        f"127.0.0.6:34993 198.18.0.11:9090 198.18.0.10:39252 {sni} -{end}"
    )


def fields(**changed):
    known = {
        "downstream_local_address": "198.18.0.11:8080",
        "downstream_local_uri_san": None,
        "downstream_peer_uri_san": None,
        "downstream_remote_address": "198.18.0.10:40932",
        "downstream_tls_version": None,
        "protocol": "HTTP/1.1",
        "start_time": "2026-11-22T22:16:42.313Z",
        "upstream_cluster": "inbound|8080||",
    }
    return json.dumps({name: value for name, value in {**known, **changed}.items() if value is not ...})


SNI = "outbound_.80_._.service-a.demo.svc.cluster.local"


@pytest.mark.parametrize(
    ("line", "protocol", "port", "principal", "security", "tells"),
    [
        # Istio's own text tells nothing, whatever name was asked for.
        pytest.param(http(), "http", 8080, None, "unknown", False, id="text"),
        pytest.param(http(SNI), "http", 8080, None, "unknown", False, id="text, a sidecar's server name"),
        pytest.param(tcp(SNI), "tcp", 9090, None, "unknown", False, id="text, TCP"),
        pytest.param(http(SNI, TELLS), "http", 8080, B, "mutual_tls", True, id="longer text"),
        pytest.param(http("-", NONE), "http", 8080, None, "plaintext", True, id="longer text, plaintext"),
        pytest.param(tcp(SNI, TELLS), "tcp", 9090, B, "mutual_tls", True, id="longer text, TCP"),
        pytest.param(tcp("server", NONE), "tcp", 9090, None, "plaintext", True, id="an application's own TLS"),
        pytest.param(http("x", " tls=TLSv1.2 peer=-"), "http", 8080, None, "unknown", True, id="one-way TLS"),
        pytest.param(
            http("x", " tls=TLSv1.2 peer=https://x.example"),
            "http", 8080, None, "unknown", True, id="foreign certificate",
        ),
        pytest.param(fields(), "http", 8080, None, "plaintext", True, id="JSON, plaintext"),
        pytest.param(
            fields(downstream_tls_version="TLSv1.3", downstream_peer_uri_san=B),
            "http", 8080, B, "mutual_tls", True, id="JSON",
        ),
        pytest.param(
            fields(downstream_tls_version=..., downstream_peer_uri_san=f"https://x.example,{B}"),
            "http", 8080, B, "mutual_tls", True, id="JSON with the peer only",
        ),
        pytest.param(fields(downstream_tls_version=...), "http", 8080, None, "unknown", False, id="JSON without TLS"),
        pytest.param(
            fields(downstream_tls_version="-"), "http", 8080, None, "plaintext", True, id="JSON with a dash"
        ),
        pytest.param(fields(protocol=None), "tcp", 8080, None, "plaintext", True, id="JSON, TCP"),
        pytest.param(
            fields(upstream_cluster="InboundPassthroughCluster", downstream_local_address="198.18.0.11:7777"),
            "http", 7777, None, "plaintext", True, id="a port of no Service",
        ),
        pytest.param(
            fields(upstream_cluster="InboundPassthroughCluster", downstream_local_address="[fd00::b]:7777"),
            "http", 7777, None, "plaintext", True, id="IPv6",
        ),
    ],
)  # fmt: skip
def test_a_line(line, protocol, port, principal, security, tells):
    found = access_log.parse(line)
    assert (found.protocol, found.port, found.principal) == (protocol, port, principal)
    assert (found.security, found.tells) == (security, tells)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026-11-22T22:15:37.660699Z\tinfo\tEnvoy proxy is ready",
        '[2026-11-22T22:16:02.585Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - '
        "198.18.0.11:8080 198.18.0.10:38868 - -",
        http(cluster="outbound|80||service-c.demo.svc.cluster.local"),
        fields(upstream_cluster=None),
        fields(upstream_cluster="outbound|80||service-c.demo.svc.cluster.local"),
        '{"level":"info","msg":"Envoy proxy is ready"}',
    ],
)
def test_a_line_about_something_else(line):
    assert access_log.parse(line) is None


@pytest.mark.parametrize(
    "line",
    [http()[:-40], http(end=" tls=TLSv1.3"), http(end=" and more of it"), '{"upstream_cluster":"inbo', '{"a":1}]'],
)
def test_a_line_that_cannot_be_read(line):
    with pytest.raises(ValueError, match=r"format|Expecting|Unterminated|Extra"):
        access_log.parse(line)


@pytest.mark.parametrize(
    "forged",
    [
        f'x" "y" "z" "198.18.0.11:8080" inbound|8080|| a 198.18.0.11:8080 198.18.0.9:1 {SNI} default{TELLS}',
        f'x" "198.18.0.11:8080" outbound|80|| a b c d e{TELLS}" ',
        '" 200 - ',
    ],
)
@pytest.mark.parametrize("end", ["", NONE])
def test_what_callers_write_is_no_evidence(forged, end):
    found = access_log.parse(http(end=end, agent=forged))
    assert found.principal is None
    assert found.security == ("plaintext" if end else "unknown")
    assert found.address == "198.18.0.12"


def counted(*lines, callers=None):
    counts = Counts()
    reading = access_log.count(counts, lines, "demo/service-a", callers or {})
    return counts.rows(), reading


def test_lines_are_counted():
    rows, reading = counted(fields(), fields(), http(), "noise", http()[:-40])
    assert reading == Reading(inbound=3, silent=1, unread=1)
    assert [(row["destination"]["workload"], row["port"], row["requests"], row["security"]) for row in rows] == [
        ("demo/service-a", None, 1, "unknown"),  # the one that cannot be read
        ("demo/service-a", 8080, 3, "plaintext"),
    ]


# Everything that Python or a terminal takes for the end of a line, a blank or a field, in what a caller may choose.
CALLERS_TEXT = {
    "ends of lines that are no line feed": "/a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei",
    "blanks": "/a b\tc\u00a0d\u3000e",
    "quotes": '/a" 200 - x "b',
    "a backslash at the end": "/a\\",
    "bytes that are no text": "/a\ufffdb",
    "digits that are none": "/² \u0663",
    "another line": '/ HTTP/1.1" 200 - - - "-" 0 0 0 0 "-" "-" "-" "-" "198.18.0.9:1" outbound|80||x a b c d e' + TELLS,
    "JSON": '{"upstream_cluster":null,"downstream_peer_uri_san":"' + B + '"}',
    "a TCP connection": '- -" 0 - - - "-" 1 1 1 - "-" "-" "-" "-"',
    "nothing": "",
}


@pytest.mark.parametrize("text", CALLERS_TEXT.values(), ids=CALLERS_TEXT.keys())
@pytest.mark.parametrize("field", ["path", "agent"])
@pytest.mark.parametrize(
    ("end", "principal", "security"), [(TELLS, B, "mutual_tls"), (NONE, None, "plaintext")], ids=["mTLS", "plaintext"]
)
def test_nothing_that_a_caller_writes_hides_or_changes_a_line(text, field, end, principal, security):
    rows, reading = counted(http(end=end, **{field: text}))
    assert reading == Reading(1, 0, 0)
    assert [(row["source"]["principal"], row["port"], row["security"]) for row in rows] == [(principal, 8080, security)]
    found, _reading = counted(json_line(text, security))
    assert [(row["source"]["principal"], row["port"], row["security"]) for row in found] == [
        (principal, 8080, security)
    ]


def json_line(path, security):
    return MUTUAL[:-1] + f', "path": {json.dumps(path)}}}' if security == "mutual_tls" else fields(path=path)


@pytest.mark.parametrize(
    ("written", "security"),
    [
        pytest.param(r"/a\377\376", "plaintext", id="a byte that is no UTF-8"),
        pytest.param(r"/a\302\042\134", "plaintext", id="a quote and a backslash beside one"),
        pytest.param(r"/a\\\377", "plaintext", id="an escaped backslash before one"),
        pytest.param(r"/a\\377", "plaintext", id="an escaped backslash and digits"),
        pytest.param(r"/a\378", "unknown", id="an escape that is neither JSON nor Envoy's"),
    ],
)
def test_json_as_envoy_writes_bytes_that_are_no_text(written, security):
    (row,), _reading = counted(fields()[:-1] + f', "path": "{written}"}}')
    assert row["security"] == security


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(http(f'x" outbound|80|| a b c d{NONE}', NONE), id="a server name with quotes and blanks"),
        pytest.param(http('x" outbound|80|| a b c', NONE), id="a server name that ends the line elsewhere"),
        pytest.param(http("a\u2028b c", NONE), id="a server name with a blank"),
        pytest.param(http("", NONE), id="a word that is missing"),
        pytest.param(http(end=" peer=- tls=-"), id="fields in another order"),
        pytest.param(http(end=" tls= peer=-"), id="a field without a value"),
        pytest.param('{"upstream_cluster":' + "[" * 50_000, id="JSON nested too deeply"),
        pytest.param(fields(upstream_cluster=["inbound|8080||"]), id="a cluster that is no text"),
        pytest.param(fields(downstream_tls_version=False), id="a version that is no text"),
        pytest.param(fields(downstream_peer_uri_san={"0": B}), id="an identity that is no text"),
    ],
)
def test_a_line_that_can_be_read_in_two_ways_or_in_none_is_doubt(line):
    rows, reading = counted(MUTUAL, line)
    assert reading == Reading(1, 0, 1)
    assert sorted(row["security"] for row in rows) == ["mutual_tls", "unknown"]


def test_a_certificate_without_tls_is_none():
    (row,), _reading = counted(fields(downstream_tls_version=None, downstream_peer_uri_san=B))
    assert row["security"] == "unknown"


BEFORE, AFTER = "2026-11-22T22:00:00Z", "2026-11-22T23:00:00Z"
MUTUAL = fields(downstream_tls_version="TLSv1.3", downstream_peer_uri_san=B)


@pytest.mark.parametrize(
    ("line", "candidates", "workload"),
    [
        (fields(), [Caller("demo/service-b", BEFORE)], "demo/service-b"),
        # Born in the very second of the call, and a second later.
        (fields(), [Caller("demo/service-b", "2026-11-22T22:16:42Z")], "demo/service-b"),
        (fields(), [Caller("demo/service-b", "2026-11-22T22:16:43Z")], None),
        # The address was somebody else's then.
        (fields(), [Caller("demo/service-b", AFTER)], None),
        (fields(), [Caller("demo/new", AFTER), Caller("demo/service-b", BEFORE)], "demo/service-b"),
        (fields(), [], None),
        (MUTUAL, [Caller("demo/service-b", BEFORE)], "demo/service-b"),
        # The certificate knows better than the address.
        (MUTUAL, [Caller("shop/service-b", BEFORE)], None),
        # Two that may be meant, and one of which nobody knows how old it is.
        (fields(), [Caller("demo/service-b", BEFORE), Caller("demo/other", BEFORE)], None),
        (fields(), [Caller("demo/service-b", "")], None),
        (fields(start_time="yesterday"), [Caller("demo/service-b", BEFORE)], None),
        # Envoy took the address from X-Forwarded-For: the caller chose it.
        (fields(downstream_remote_address="198.18.0.10:0"), [Caller("demo/service-b", BEFORE)], None),
    ],
)
def test_the_caller(line, candidates, workload):
    rows, _reading = counted(line, callers={"198.18.0.10": candidates})
    assert [row["source"]["workload"] for row in rows] == [workload]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([Reading(5, 0, 0), Reading(0, 0, 0)], []),
        ([Reading(0, 0, 0)], ["logged no inbound connection in the last 5m"]),
        ([Reading(5, 2, 0), Reading(5, 1, 0)], ["3 of 10 lines are in a format that does not tell"]),
        ([Reading(5, 0, 2)], ["2 lines of the access log cannot be read"]),
    ],
)
def test_problems(readings, expected):
    found = list(access_log.problems(readings, "5m"))
    assert len(found) == len(expected)
    assert all(text in problem and "Remedy: " in problem for text in expected for problem in found)


def test_random_text_of_callers_never_hides_or_changes_a_line():
    chance = random.Random(11)
    alphabet = '"\\ []{}:|-=,0aT\t\x0b\x0c\r\x1c\x85\u00a0\u2028\ufffd²٣'
    pieces = [*alphabet, TELLS, NONE, "inbound|8080||", '" inbound|', 'HTTP/1.1"', "- - -", B, "\\u0022", "\\377"]
    for _number in range(1500):
        path, agent = ("".join(chance.choices(pieces, k=chance.randrange(12))) for _field in range(2))
        found = access_log.parse(http(end=NONE, path=path, agent=agent))
        assert (found.security, found.port, found.address) == ("plaintext", 8080, "198.18.0.12"), (path, agent)
        found = access_log.parse(fields(path=path, agent=agent))
        assert (found.security, found.port) == ("plaintext", 8080), (path, agent)


def test_random_lines_raise_nothing_but_what_is_counted():
    chance = random.Random(11)
    whole = [http(end=TELLS), tcp(end=NONE), fields(), MUTUAL]
    for _number in range(1500):
        line = list(chance.choice(whole))
        for _change in range(chance.randrange(1, 5)):
            place = chance.randrange(len(line))
            line[place : place + chance.randrange(4)] = chance.choice(
                ['"', " ", "\\", "²", "{", "[", "null", "1e999", ""]
            )
        rows, reading = counted("".join(line))
        assert reading.inbound + reading.unread <= 1
        assert len(rows) == reading.inbound + reading.unread


@pytest.mark.parametrize(
    ("odd", "reading"),
    [
        pytest.param(http()[:-40], Reading(inbound=1, silent=0, unread=1), id="one that cannot be read"),
        pytest.param("noise", Reading(inbound=1, silent=0, unread=0), id="one that is no access log"),
        pytest.param(
            fields(upstream_cluster="outbound|80||x"), Reading(inbound=1, silent=0, unread=0), id="an outbound one"
        ),
    ],
)
def test_no_line_hides_those_behind_it(odd, reading):
    rows, found = counted(odd, MUTUAL)
    assert found == reading
    assert [row["security"] for row in rows if row["port"]] == ["mutual_tls"]
