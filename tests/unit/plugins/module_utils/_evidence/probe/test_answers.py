# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers on the wire mean. The rows are what was seen on a real mesh, and what must never pass for proof."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import answers as wire_answers
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe.plan import Endpoint, Target

A = "spiffe://cluster.local/ns/demo/sa/service-a"
FIRST = Endpoint("10.244.0.12", 8080, "a-1", "service-a", (A,))
TARGET = Target("demo", "service-a", 80, "http", "10.96.0.7", (FIRST,), 1)

OK = {"result": "answered", "detail": "HTTP 200", "status": 200}
DENIED = {"result": "answered", "detail": "HTTP 403", "status": 403, "rbac": True}
RESET = {"result": "refused", "detail": "connected, then: Connection reset by peer"}
SILENT = {"result": "blocked", "detail": "no TCP connection within 5 s"}
NOBODY = {"result": "error", "detail": "no TCP connection: Connection refused"}
SHOWN = {"result": "handshake", "uris": [A], "after": "rejected", "verified": True, "version": "TLSv1.3"}
OWN_TLS = {"result": "handshake", "uris": [], "after": "answered", "verified": False}
NO_TLS = {"result": "no_tls", "detail": "wrong version number"}
DURING = {"result": "refused", "detail": "during the handshake: Connection reset by peer"}
MUTUAL = {"result": "handshake", "uris": [A], "after": "answered", "after_detail": "HTTP 200", "status": 200}
MUTUAL_REJECTED = {"result": "handshake", "uris": [A], "after": "rejected", "after_detail": "unknown ca"}

TUNNEL = {"result": "handshake", "uris": [A], "after": "answered", "after_detail": "HBONE: CONNECT 200"}
NO_TUNNEL = {**TUNNEL, "after": "rejected", "after_detail": "HBONE: CONNECT 503"}

FOREIGN = "spiffe://cluster.local/ns/tenant/sa/service-a"
STRANGER = {**MUTUAL, "uris": [FOREIGN]}


def outside(plaintext, tls, service=None, **more):
    return {
        "0/service": {"id": "0/service", "plaintext": service or plaintext, "tls": tls},
        "0/0": {"id": "0/0", "plaintext": plaintext, "tls": tls, **more},
    }


def requests(answer):
    return {"0/request": {"id": "0/request", "request": answer}}


def handshakes(answer, **more):
    return {"0/0": {"id": "0/0", "mtls": answer, **more}}


# lab-facts: what the wire answers to a caller without a mesh certificate
SEEN = [
    pytest.param(OK, SHOWN, OK, MUTUAL, "permissive", A, id="PERMISSIVE"),
    pytest.param(RESET, SHOWN, OK, MUTUAL, "strict", A, id="STRICT"),
    pytest.param(OK, NO_TLS, OK, NO_TLS, "plaintext", None, id="DISABLE, or no sidecar"),
    pytest.param(RESET, SHOWN, OK, NO_TLS, "unknown", A, id="own certificate could not be tried"),
    pytest.param(RESET, SHOWN, OK, MUTUAL_REJECTED, "unknown", A, id="the mesh's own certificate is refused"),
    pytest.param(RESET, NO_TLS, OK, NO_TLS, "unknown", None, id="an application that hangs up on strangers"),
    pytest.param(RESET, SHOWN, OK, STRANGER, "unknown", FOREIGN, id="a server of another namespace"),
    pytest.param(RESET, SHOWN, RESET, MUTUAL, "strict", A, id="STRICT, and the client's side is broken"),
    pytest.param(RESET, DURING, OK, DURING, "unknown", None, id="refused without a certificate, as ambient does"),
    pytest.param(RESET, DURING, OK, TUNNEL, "strict", A, id="ambient, STRICT"),
    pytest.param(RESET, DURING, RESET, TUNNEL, "strict", A, id="ambient, STRICT, and sidecars send it no HBONE"),
    pytest.param(OK, NO_TLS, OK, TUNNEL, "permissive", A, id="ambient, PERMISSIVE"),
    pytest.param(RESET, DURING, OK, NO_TUNNEL, "unknown", A, id="ambient, and the tunnel is refused"),
    pytest.param(DENIED, SHOWN, OK, MUTUAL, "permissive", A, id="denied by a policy, yet in plaintext"),
    pytest.param(OK, SHOWN, RESET, NO_TLS, "permissive", A, id="the certificate alone shows that mTLS is offered"),
    pytest.param(OK, OWN_TLS, OK, NO_TLS, "plaintext", None, id="TLS of the application's own is no mesh TLS"),
    pytest.param(OK, DURING, RESET, NO_TLS, "plaintext", None, id="capture is gone: inside 503, outside 200"),
    pytest.param(RESET, SHOWN, RESET, MUTUAL_REJECTED, "unknown", A, id="refused everywhere: perhaps it is down"),
    pytest.param(SILENT, SILENT, OK, MUTUAL, "unknown", A, id="dropped on the way, by a NetworkPolicy"),
    pytest.param(NOBODY, NOBODY, OK, NO_TLS, "unknown", None, id="nothing accepts the connection"),
    pytest.param(NOBODY, NOBODY, NOBODY, NOBODY, "unknown", None, id="down"),
    pytest.param(RESET, OWN_TLS, RESET, {"result": "untrusted"}, "unknown", None, id="the application's own TLS"),
]


B = "spiffe://cluster.local/ns/demo/sa/service-b"


@pytest.mark.parametrize(
    ("endpoint", "fits", "says"),
    [
        pytest.param(FIRST, True, "", id="its own"),
        pytest.param(FIRST._replace(identities=(B, A)), True, "", id="its own, of an alias of the trust domain"),
        pytest.param(FIRST._replace(identities=(B,)), False, f"shows {A}, and must show {B}", id="another workload's"),
        pytest.param(FIRST._replace(identities=(A.replace("cluster.local", "x.example"),)), False,
                     "must show spiffe://x.example/ns/demo/sa/service-a", id="of another trust domain"),
        pytest.param(FIRST._replace(identities=()), None, "trust domain is not known", id="an unknown trust domain"),
        pytest.param(FIRST._replace(identities=(), account=None), None, "the pod a-1 could not be read. Remedy",
                     id="a pod that was not read"),
        pytest.param(FIRST._replace(identities=(), account=None, pod=None), None,
                     "10.244.0.12 is the address of no pod that was read", id="no pod"),
    ],
)  # fmt: skip
def test_the_identity_must_be_that_of_the_pod_behind_the_port(endpoint, fits, says):
    target = TARGET._replace(endpoints=(endpoint,))
    [result] = wire_answers.judge([target], outside(RESET, SHOWN), requests(OK), handshakes(MUTUAL))
    assert result["verdict"] == ("strict" if fits else "unknown")
    assert (result["endpoints"][0]["identity_fits"], result["endpoints"][0]["identity_verified"]) == (fits, True)
    assert says in result["reason"]


@pytest.mark.parametrize(
    ("uris", "verdict"),
    [([A, A], "unknown"), ([A, B], "unknown"), (["https://a.example", A], "unknown"), ([A], "strict")],
    ids=["twice", "another one, too", "another kind of name, too", "its own"],
)
def test_a_certificate_has_one_identity(uris, verdict):
    inside = handshakes({**MUTUAL, "uris": uris})
    [result] = wire_answers.judge([TARGET], outside(RESET, SHOWN), requests(OK), inside)
    assert result["verdict"] == verdict


@pytest.mark.parametrize(("shown", "verdict"), [((A, B), "strict"), ((B, A), "unknown"), ((A, A), "unknown")])
def test_each_endpoint_must_show_its_own_identity(shown, verdict):
    endpoints = (FIRST, Endpoint("10.244.0.13", 8080, "b-1", "service-b", (B,)))
    target = TARGET._replace(endpoints=endpoints, endpoints_total=2)
    first, second = ({**SHOWN, "uris": [uri]} for uri in shown)
    met = {**outside(RESET, first), "0/1": {"id": "0/1", "plaintext": RESET, "tls": second}}
    mutual = {f"0/{index}": {"mtls": {**MUTUAL, "uris": [uri]}} for index, uri in enumerate(shown)}
    [result] = wire_answers.judge([target], met, requests(OK), mutual)
    assert result["verdict"] == verdict


@pytest.mark.parametrize(("plaintext", "tls", "request_answer", "mtls", "verdict", "identity"), SEEN)
def test_verdict(plaintext, tls, request_answer, mtls, verdict, identity):
    [result] = wire_answers.judge([TARGET], outside(plaintext, tls), requests(request_answer), handshakes(mtls))
    assert result["verdict"] == verdict
    assert result["identity"] == identity
    assert result["reason"].endswith(".")


@pytest.mark.parametrize(
    ("outside_answers", "inside_answers"),
    [
        pytest.param(None, requests(OK), id="nobody outside was wanted"),
        pytest.param(outside(RESET, SHOWN), None, id="nobody inside was wanted"),
        pytest.param({}, requests(OK), id="the pod outside printed nothing"),
        pytest.param(outside(RESET, SHOWN), {}, id="the pod inside printed nothing"),
        pytest.param({"0/service": {"id": "0/service", "plaintext": RESET}}, requests(OK), id="the log was cut short"),
        pytest.param(
            {"0/0": {"obstacle": "no time"}, "0/service": {"obstacle": "no time"}}, requests(OK), id="no time"
        ),
    ],
)
def test_what_was_not_asked_is_never_a_pass(outside_answers, inside_answers):
    [result] = wire_answers.judge([TARGET], outside_answers, inside_answers, None)
    assert result["verdict"] == "unknown"


def test_without_endpoints_there_is_nothing_to_say():
    target = TARGET._replace(endpoints=(), endpoints_total=0)
    [result] = wire_answers.judge([target], outside(NOBODY, NOBODY), requests(NOBODY), {})
    assert result["verdict"] == "unknown"
    assert "no ready endpoint" in result["reason"]


def test_one_open_endpoint_decides():
    endpoints = (FIRST, Endpoint("10.244.0.13", 8080, "a-2"))
    target = TARGET._replace(endpoints=endpoints, endpoints_total=5)
    answers = {**outside(RESET, SHOWN), "0/1": {"id": "0/1", "plaintext": OK, "tls": NO_TLS}}
    [result] = wire_answers.judge([target], answers, requests(OK), None)
    assert result["verdict"] == "permissive"
    assert result["outside"]["plaintext"] == "answered"
    assert "on 1 of 3 addresses" in result["reason"]
    assert "Only 2 of 5 endpoints" in result["reason"]
    assert [endpoint["plaintext"] for endpoint in result["endpoints"]] == ["refused", "answered"]


def test_shape_of_a_result():
    [result] = wire_answers.judge([TARGET], outside(RESET, SHOWN), requests(OK), handshakes(MUTUAL))
    assert (result["service"], result["port"]) == ("demo/service-a", 80)
    assert result["identity_seen_from"] == "inside"
    assert result["outside"]["plaintext"] == "refused"
    assert result["outside"]["tls"]["version"] == "TLSv1.3"
    assert result["inside"]["request"] == "answered"
    assert result["inside"]["status"] == 200
    assert result["inside"]["mtls"]["result"] == "accepted"


TAKEN = {"result": "handshake", "after": "answered", "after_detail": "HTTP 200"}
LET_IN = {**SHOWN, "after": "answered"}


@pytest.mark.parametrize(
    ("tls", "more", "says"),
    [
        pytest.param(SHOWN, {"wrong": TAKEN}, "a client with a certificate of a foreign authority", id="wrong"),
        pytest.param(LET_IN, {}, "a client without a certificate", id="none"),
    ],
)
def test_a_server_that_lets_anybody_in_by_tls_is_not_strict(tls, more, says):
    [result] = wire_answers.judge([TARGET], outside(RESET, tls, **more), requests(OK), handshakes(MUTUAL))
    assert (result["verdict"], result["identity_check"]) == ("unknown", "not enforced")
    assert says in result["reason"]


def test_expired_certificates_count_as_well():
    answers = outside(RESET, SHOWN, wrong=MUTUAL_REJECTED)
    [result] = wire_answers.judge([TARGET], answers, requests(OK), handshakes(MUTUAL, expired=TAKEN))
    assert (result["verdict"], result["identity_check"]) == ("unknown", "not enforced")
    assert {kind: item["result"] for kind, item in result["identities"].items()} == {
        "none": "rejected",
        "wrong": "rejected",
        "expired": "accepted",
    }


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        pytest.param(OK, "though a client inside the mesh was answered", id="only outside"),
        pytest.param(RESET, "nothing is proven about mutual TLS.", id="inside, too"),
    ],
)
def test_a_connection_that_never_came_about_is_blocked(inside, says):
    mtls = MUTUAL if inside is OK else SILENT
    [result] = wire_answers.judge([TARGET], outside(SILENT, SILENT), requests(inside), handshakes(mtls))
    assert (result["verdict"], result["outside"]["plaintext"]) == ("unknown", "blocked")
    assert result["outside"]["tls"]["result"] == "blocked"
    assert "no TCP connection within 5 s: a NetworkPolicy or firewall" in result["reason"]
    assert says in result["reason"]


POD = Target("demo", "a-1", 9090, "http", None, (FIRST._replace(port=9090),), 1, "pod")


@pytest.mark.parametrize(
    ("plaintext", "tls", "request_answer", "mtls", "verdict"),
    [
        pytest.param(RESET, SHOWN, RESET, MUTUAL, "strict", id="STRICT refuses what a sidecar passes on"),
        pytest.param(OK, SHOWN, OK, MUTUAL, "permissive", id="PERMISSIVE"),
        pytest.param(OK, NO_TLS, OK, NO_TLS, "plaintext", id="excluded from capture"),
        pytest.param(RESET, DURING, OK, DURING, "unknown", id="what a sidecar passes on to a pod is plaintext"),
        pytest.param(NOBODY, NOBODY, NOBODY, NOBODY, "unknown", id="nobody listens"),
    ],
)
def test_a_pods_port(plaintext, tls, request_answer, mtls, verdict):
    answers = {"0/0": {"id": "0/0", "plaintext": plaintext, "tls": tls}}
    [result] = wire_answers.judge([POD], answers, requests(request_answer), handshakes(mtls))
    assert result["verdict"] == verdict
    assert (result["kind"], result["service"], result["pod"], result["port"]) == ("pod", None, "demo/a-1", 9090)


@pytest.mark.parametrize(
    ("had", "verdict"),
    [
        pytest.param({}, "unknown", id="nothing"),
        pytest.param({"0/service": {"id": "0/service", "plaintext": RESET, "tls": SHOWN}}, "unknown", id="one refusal"),
        pytest.param({"0/service": {"id": "0/service", "plaintext": OK, "tls": SHOWN}}, "permissive", id="an answer"),
    ],
)
def test_what_a_lost_pod_had_not_answered_is_unknown(had, verdict):
    answers = dict(had)
    wire_answers.fill(answers, [{"id": "0/service"}, {"id": "0/0"}], "the pod was evicted")
    [result] = wire_answers.judge([TARGET], answers, requests(OK), handshakes(MUTUAL))
    assert result["verdict"] == verdict
    assert ("evicted" in result["reason"]) is (verdict == "unknown")


@pytest.mark.parametrize(
    ("wanted", "lost", "check"),
    [(True, False, "enforced"), (True, True, "unknown"), (False, False, "enforced")],
    ids=["asked to the end", "lost before the last question", "expired was not wanted"],
)
def test_a_part_that_never_came_is_not_one_that_was_not_wanted(wanted, lost, check):
    more = {"expired": MUTUAL_REJECTED} if wanted and not lost else {}
    inside = handshakes(MUTUAL, **more)
    if lost:
        wire_answers.fill(inside, [{"id": "0/0"}], "the pod was evicted")
    answers = outside(RESET, SHOWN, wrong=MUTUAL_REJECTED)
    [result] = wire_answers.judge([TARGET], answers, requests(OK), inside)
    assert (result["verdict"], result["identity_check"]) == ("strict", check)


ASKS = [{"id": "0/0"}]


def test_parse_joins_the_lines_of_one_ask():
    log = '{"id": "0/0", "mtls": {"result": "alert"}}\n{"id": "0/0", "expired": {"result": "alert"}}\n{"done": 1}\n'
    found = wire_answers.parse(log, ASKS)
    assert (found.answers["0/0"].keys(), found.notes) == ({"id", "mtls", "expired"}, [])


def test_parse_keeps_answers_and_skips_noise():
    log = 'warning: something\n{"id": "0/0", "plaintext": {"result": "refused"}}\n[1]\n{"done": 1}\n'
    assert list(wire_answers.parse(log, ASKS).answers) == ["0/0"]


def lines(*items):
    return "".join(json.dumps(item) + "\n" for item in items)


def test_an_answer_to_what_nobody_asked_is_none():
    said = [{"id": name, "plaintext": RESET} for name in ("0/0", "7/0\n", "")]
    found = wire_answers.parse(lines(*said, {"id": 3}, {"done": 1}), ASKS)
    assert list(found.answers) == ["0/0"]
    assert found.notes == ["it answers 2 times what was not asked, such as 7/0 "]


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        pytest.param({"plaintext": RESET, "tls": SHOWN}, "strict", id="the same again"),
        pytest.param({"plaintext": OK, "tls": SHOWN}, "unknown", id="another one"),
        pytest.param({"tls": OWN_TLS}, "unknown", id="another one in a part"),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["later", "earlier"])
def test_what_is_answered_twice_and_not_in_the_same_way_is_unknown(second, verdict, order):
    both = [{"id": "0/0", "plaintext": RESET, "tls": SHOWN}, {"id": "0/0", **second}][::order]
    asks = [*ASKS, {"id": "0/service"}]
    found = wire_answers.parse(lines(outside(RESET, SHOWN)["0/service"], *both), asks)
    [result] = wire_answers.judge([TARGET], found.answers, requests(OK), handshakes(MUTUAL))
    assert (result["verdict"], len(found.notes)) == (verdict, verdict == "unknown")


def test_what_servers_say_is_made_visible():
    log = lines({"id": "0/0", "mtls": {"detail": "\x1b[2K\nforged", "uris": ["spiffe://\u202e"]}})
    part = wire_answers.parse(log, ASKS).answers["0/0"]["mtls"]
    assert part == {"detail": "\\u001b[2K forged", "uris": ["spiffe://\\u202e"]}


@pytest.mark.parametrize(
    ("log", "complaint"),
    [
        ('{"id": "0/0"}\n{"done": 1}\n', None),
        ('{"id": "0/0"}\n{"done": 0}\n', '{"done": 0}'),
        ('{"id": "0/0"}\n{"done": 1, "x": 1}\n', '{"done": 1, "x": 1}'),
        ("", "it printed nothing"),
        ("Traceback\nSyntaxError: invalid syntax\n", "SyntaxError: invalid syntax"),
    ],
)
def test_complaint(log, complaint):
    assert wire_answers.complaint(log, ASKS) == complaint


def test_results_are_plain_data():
    results = wire_answers.judge([TARGET], None, None, None)
    assert json.loads(json.dumps(results)) == results
    assert wire_answers.count(results) == {"strict": 0, "permissive": 0, "plaintext": 0, "unknown": 1}


@pytest.mark.parametrize(
    "part",
    [
        {"result": "no such word"},
        {"result": 3},
        {"result": ["answered"]},
        [],
        "answered",
        {"result": "handshake", "uris": 3},
    ],
    ids=["a new word", "a number", "a list", "no object", "text", "odd identities"],
)
def test_an_odd_answer_makes_only_its_own_target_unknown(part):
    other = TARGET._replace(name="b")
    said = outside(RESET, SHOWN)
    said["0/0"]["plaintext"] = said["0/0"]["tls"] = part
    said |= {path.replace("0/", "1/", 1): item for path, item in outside(RESET, SHOWN).items()}
    mutual = handshakes(MUTUAL) | {"1/0": {"id": "1/0", "mtls": MUTUAL}}
    asked = requests(OK) | {"1/request": {"id": "1/request", "request": OK}}
    first, second = wire_answers.judge([TARGET, other], said, asked, mutual)
    assert (first["verdict"], second["verdict"]) == ("unknown", "strict")


@pytest.mark.parametrize(
    ("tls", "mtls", "verified"),
    [
        pytest.param(SHOWN, MUTUAL, True, id="by the mesh's root"),
        pytest.param(NO_TLS, MUTUAL, False, id="nobody said so"),
        pytest.param({**SHOWN, "verified": False}, NO_TLS, False, id="by another root"),
        pytest.param({**SHOWN, "uris": []}, NO_TLS, False, id="a certificate without identity"),
    ],
)
def test_who_vouches_for_an_identity(tls, mtls, verified):
    [result] = wire_answers.judge([TARGET], outside(RESET, tls), requests(OK), handshakes(mtls))
    assert result["endpoints"][0]["identity_verified"] is verified


def test_what_is_not_asked_is_unknown_for_that_reason():
    target = TARGET._replace(obstacle="There is no time.")
    [result] = wire_answers.judge([target], outside(RESET, SHOWN), requests(OK), handshakes(MUTUAL))
    assert (result["verdict"], result["reason"]) == ("unknown", "There is no time.")


INCOMPLETE = {"result": "error"}
POD_REASON = (
    "Plaintext from outside was refused, a client inside the mesh was answered over mutual TLS; the request through a "
    "sidecar, which passes it on as it is to a pod's address, was not answered, though: {}."
)
REASONS = [
    pytest.param(TARGET, SILENT, NOBODY, OK, MUTUAL, "From outside: no TCP connection within 5 s: a NetworkPolicy or "
                 "firewall; nothing is proven about mutual TLS, though a client inside the mesh was answered.",
                 id="blocked at one address, of which the other one said something else"),
    pytest.param(TARGET, NOBODY, SILENT, RESET, NO_TLS, "From outside: no TCP connection within 5 s: a NetworkPolicy "
                 "or firewall; nothing is proven about mutual TLS.", id="the same the other way round"),
    pytest.param(TARGET, SILENT, SILENT, OK, NO_TLS, "From outside: no TCP connection within 5 s: a NetworkPolicy or "
                 "firewall; nothing is proven about mutual TLS, though a client inside the mesh was answered.",
                 id="blocked, and only a request passes"),
    pytest.param(TARGET, SILENT, SILENT, RESET, MUTUAL, "From outside: no TCP connection within 5 s: a NetworkPolicy "
                 "or firewall; nothing is proven about mutual TLS, though a client inside the mesh was answered.",
                 id="blocked, and only mutual TLS passes"),
    pytest.param(TARGET, DENIED, OK, OK, MUTUAL, "Plaintext from outside was answered (HTTP 200), though an "
                 "authorization policy denied the request; mutual TLS is offered, too.", id="denied at one address"),
    pytest.param(TARGET, OK, OK, OK, MUTUAL, "Plaintext from outside was answered (HTTP 200); mutual TLS is offered, "
                 "too.", id="in plaintext"),
    pytest.param(TARGET, INCOMPLETE, INCOMPLETE, OK, MUTUAL, "Plaintext from outside was neither answered nor refused: "
                 "the probe's answer is incomplete.", id="an answer without its details"),
    pytest.param(TARGET, RESET, RESET, NOBODY, NO_TLS, "Plaintext from outside was refused, but a client inside got no "
                 "answer either: no TCP connection: Connection refused.", id="a Service: what the request met"),
    pytest.param(POD, RESET, RESET, OK, NO_TLS, "Plaintext from outside was refused, but a client inside got no "
                 "answer either: wrong version number.", id="a pod: what mutual TLS met"),
    pytest.param(POD, RESET, RESET, NOBODY, {"result": "timeout"}, "Plaintext from outside was refused, but a client "
                 "inside got no answer either: no TCP connection: Connection refused.",
                 id="a pod: what the request met, where mutual TLS says nothing"),
    pytest.param(TARGET, RESET, RESET, OK, MUTUAL_REJECTED, "Plaintext from outside was refused, and a client inside "
                 "the mesh was answered, but the port accepted no mutual TLS from the probe itself: unknown ca.",
                 id="the probe's certificate is refused"),
    pytest.param(TARGET, RESET, RESET, RESET, MUTUAL, "Plaintext from outside was refused, a client inside the mesh "
                 "was answered over mutual TLS; the request through a sidecar was not answered, though: connected, "
                 "then: Connection reset by peer.", id="only the client's sidecar fails"),
    pytest.param(POD, RESET, RESET, RESET, MUTUAL, POD_REASON.format("connected, then: Connection reset by peer"),
                 id="a sidecar passes on what STRICT refuses"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "plaintext", "service", "asked", "mtls", "reason"), REASONS)
def test_the_reason_names_what_decided(target, plaintext, service, asked, mtls, reason):
    [result] = wire_answers.judge(
        [target], outside(plaintext, SHOWN, service=service), requests(asked), handshakes(mtls)
    )
    assert result["reason"] == reason


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        pytest.param(NO_TLS, "wrong version number", id="of the handshake"),
        pytest.param(MUTUAL_REJECTED, "unknown ca", id="of what came after it"),
        pytest.param({**MUTUAL_REJECTED, "detail": "TLSv1.3"}, "TLSv1.3", id="of both the handshake's"),
        pytest.param(INCOMPLETE, "the probe's answer is incomplete", id="none"),
        pytest.param({"result": "timeout"}, "", id="none is needed"),
    ],
)
def test_the_details_of_tls(tls, says):
    [result] = wire_answers.judge([TARGET], outside(RESET, tls), requests(OK), handshakes(tls))
    assert (result["outside"]["tls"]["detail"], result["inside"]["mtls"]["detail"]) == (says, says)


@pytest.mark.parametrize("asked", [OK, RESET], ids=["a request, too", "and no request"])
def test_an_endpoint_that_takes_no_mutual_tls_beside_one_that_does(asked):
    endpoints = (FIRST, FIRST._replace(address="10.244.0.13", pod="a-2"))
    target = TARGET._replace(endpoints=endpoints, endpoints_total=2)
    met = {**outside(RESET, SHOWN), "0/1": {"id": "0/1", "plaintext": RESET, "tls": SHOWN}}
    mutual = {**handshakes(MUTUAL), "0/1": {"id": "0/1", "mtls": MUTUAL_REJECTED}}
    [result] = wire_answers.judge([target], met, requests(asked), mutual)
    assert result["verdict"] == "unknown"
    assert "the port of an endpoint accepted no mutual TLS from the probe itself: unknown ca." in result["reason"]


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        pytest.param({**SHOWN, "verified": False, "verify_detail": "self-signed"}, "self-signed", id="another root"),
        pytest.param({**SHOWN, "verified": None, "verify_detail": "no root"}, "no root", id="no root to verify it"),
        pytest.param({**SHOWN, "verify_detail": "self-signed"}, None, id="verified"),
        pytest.param({**SHOWN, "verified": False}, None, id="nobody says why not"),
    ],
)
def test_why_a_certificate_was_not_verified(tls, says):
    [result] = wire_answers.judge([TARGET], outside(RESET, tls), requests(OK), handshakes(MUTUAL))
    assert result["outside"]["tls"].get("verify_detail") == says


def test_details_that_nobody_gave_are_empty():
    bare = {"result": "answered"}
    [result] = wire_answers.judge([TARGET], outside(bare, NO_TLS), requests(bare), handshakes(NO_TLS))
    assert (result["outside"]["plaintext_detail"], result["inside"]["detail"]) == ("", "")
    assert result["reason"] == "Plaintext from outside was answered (); no mesh certificate was shown."


@pytest.mark.parametrize("second", [MUTUAL, NO_TLS], ids=["both endpoints take mutual TLS", "one of them does"])
def test_mutual_tls_beside_plaintext_is_permissive(second):
    target = TARGET._replace(endpoints=(FIRST, FIRST._replace(address="10.244.0.13", pod="a-2")), endpoints_total=2)
    met = {**outside(OK, NO_TLS), "0/1": {"id": "0/1", "plaintext": OK, "tls": NO_TLS}}
    mutual = {**handshakes(MUTUAL), "0/1": {"id": "0/1", "mtls": second}}
    [result] = wire_answers.judge([target], met, requests(OK), mutual)
    assert (result["verdict"], result["reason"]) == (
        "permissive",
        "Plaintext from outside was answered (HTTP 200); mutual TLS is offered, too.",
    )


@pytest.mark.parametrize(
    ("uris", "identity"),
    [
        pytest.param([A], A, id="one of the mesh's"),
        pytest.param([A, B], f"{A}, {B}", id="two: both are told"),
        pytest.param(["https://a.example", A], f"https://a.example, {A}", id="another kind of name beside it"),
        pytest.param(["https://a.example"], None, id="none of the mesh's"),
        pytest.param([], None, id="none at all"),
    ],
)
def test_the_identity_that_is_told_is_all_that_a_mesh_certificate_names(uris, identity):
    [result] = wire_answers.judge([TARGET], outside(RESET, {**SHOWN, "uris": uris}), requests(OK), handshakes(NO_TLS))
    assert result["identity"] == identity


def test_each_part_of_a_result_says_what_it_saw():
    mutual = {**MUTUAL, "uris": [B]}
    [result] = wire_answers.judge([TARGET], outside(RESET, SHOWN), requests(OK), handshakes(mutual))
    assert result["outside"]["tls"]["status"] is None
    assert (result["inside"]["mtls"]["status"], result["inside"]["mtls"]["detail"]) == (200, "HTTP 200")
    assert [endpoint["identity"] for endpoint in result["endpoints"]] == [B]
    [result] = wire_answers.judge([TARGET], outside(RESET, SHOWN), requests(OK), handshakes(NO_TLS))
    assert [endpoint["identity"] for endpoint in result["endpoints"]] == [A]
