# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and the API server, in its words and in ours, kind by kind."""

from __future__ import annotations

import json
import ssl
from types import SimpleNamespace

import pytest
import urllib3
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import connection_errors, errors

SERVER = "https://api:6443"


def status(message, **more):
    return json.dumps({"kind": "Status", "message": message, **more}).encode()


def failure(code, message="no.", method="GET", path="/api/v1/pods", **more):
    return errors.answer_error(method, path, code, status(message, **more), SERVER)


@pytest.mark.parametrize(
    ("error", "words", "reason"),
    [
        pytest.param(failure(401), "does not accept these credentials", "the credentials are not accepted", id="401"),
        pytest.param(failure(403), "no. Remedy: ask for a role", "no.", id="403"),
        pytest.param(failure(410), "no (/api/v1/pods, HTTP 410).", "no.", id="410"),
        pytest.param(failure(404), "no (GET /api/v1/pods at https://api:6443, HTTP 404).", "no.", id="404"),
        pytest.param(failure(409), "no (GET /api/v1/pods at https://api:6443, HTTP 409).", "no.", id="409"),
        pytest.param(
            failure(400, "Client sent an HTTP request to an HTTPS server."), "with https://.", None, id="http to https"
        ),
        pytest.param(failure(500, "failed calling webhook x"), "its pods are ready.", None, id="a webhook"),
        pytest.param(
            errors.answer_error("GET", "/x", 502, b"", SERVER),
            "GET /x was answered with HTTP status 502",
            None,
            id="no message",
        ),
        pytest.param(errors.answer_error("GET", "/x", 502, b" bad \n", SERVER), "bad (GET /x", "bad", id="no Status"),
    ],
)
def test_an_answer_that_is_no_success(error, words, reason):
    assert words in str(error)
    assert reason in (None, error.reason)


@pytest.mark.parametrize(("code", "words"), [(500, "HTTP request to an HTTPS server"), (400, "something else")])
def test_no_remedy_for_what_is_something_else(code, words):
    assert "Remedy" not in str(failure(code, words))


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        pytest.param(status("pods not found"), True, id="a Status"),
        pytest.param(b"404 page not found\n", True, id="the API server's words"),
        pytest.param(b'{"kind": "Error"}', False, id="another object"),
        pytest.param(b"[]", False, id="no object"),
        pytest.param(b"<html>404 page not found</html>", False, id="a page of somebody else"),
    ],
)
def test_who_says_that_nothing_is_there(body, missing):
    assert errors.answer_error("GET", "/x", 404, body, SERVER).missing is missing


@pytest.mark.parametrize(
    ("more", "token"),
    [
        pytest.param({"metadata": {"continue": "abc"}}, "abc", id="a token"),
        pytest.param({"metadata": {"continue": 5}}, "", id="a token that is no text"),
        pytest.param({"metadata": ["continue"]}, "", id="metadata of another shape"),
        pytest.param({}, "", id="none"),
    ],
)
def test_where_an_expired_list_goes_on(more, token):
    assert failure(410, **more).token == token
    assert failure(404, **more).token == ""


ANONYMOUS = 'pods is forbidden: User "system:anonymous" cannot list'


@pytest.mark.parametrize(
    ("method", "path", "message", "words"),
    [
        pytest.param("GET", "/api/v1/pods", ANONYMOUS, "took us for nobody", id="without credentials"),
        pytest.param("GET", "/api/v1/pods", "no", "meshproof-reader", id="reading"),
        pytest.param("GET", "/api/v1/namespaces/a/pods/b/portforward", "no", "meshproof-inspector", id="a proxy"),
        pytest.param("GET", "/api/v1/namespaces/a/pods/b/log", "no", "meshproof-prober", id="a log"),
        pytest.param("POST", "/api/v1/namespaces/a/pods", "no", "meshproof-prober", id="making a pod"),
        pytest.param("DELETE", "/api/v1/namespaces/a", "no", "meshproof-prober", id="deleting a namespace"),
        pytest.param("POST", "/api/v1/namespaces", "no", "an administrator make the namespace", id="a namespace"),
        pytest.param("GET", "/api/v1/namespaces", "no", "meshproof-reader", id="listing namespaces"),
        *(
            pytest.param("POST", "/api/v1/namespaces", f"pods x {words}: y", "not about rights", id=words)
            for words in (
                "is being terminated",
                "violates PodSecurity",
                "exceeded quota",
                "denied the request",
                "security context constraint",
            )
        ),
    ],
)
def test_which_right_is_missing(method, path, message, words):
    assert words in str(failure(403, message, method, path))


@pytest.mark.parametrize(
    ("code", "forbidden", "missing"),
    [(403, True, False), (404, False, True), (402, False, False), (None, False, False)],
)
def test_what_an_error_is_about(code, forbidden, missing):
    error = api.ClusterError("no", code)
    assert (error.forbidden, error.missing) == (forbidden, missing)


CONFIGURATION = SimpleNamespace(proxy=None, ssl_ca_cert=None, cert_file=None, key_file=None)


def broken(error, **more):
    return connection_errors.connection_error(error, SERVER, SimpleNamespace(**{**vars(CONFIGURATION), **more}), 60)


@pytest.mark.parametrize(
    ("error", "more", "words"),
    [
        pytest.param(
            urllib3.exceptions.ReadTimeoutError(None, "/", "x"),
            {"proxy": "http://u:pw@proxy:3128"},
            "did not answer within 60 s through the proxy http://…@proxy:3128. Remedy",
            id="silence",
        ),
        pytest.param(urllib3.exceptions.IncompleteRead(1, 2), {}, "broke off in the middle", id="half an answer"),
        pytest.param(
            urllib3.exceptions.ProtocolError("Connection broken: x"), {}, "broke off in the middle", id="broken"
        ),
        pytest.param(urllib3.exceptions.LocationValueError("no host"), {}, "cannot be used: no host", id="no address"),
        pytest.param(ValueError("bad port"), {}, "cannot be used: bad port", id="no URL"),
        pytest.param(
            ConnectionRefusedError(111, "[Errno 111] refused"), {}, "cannot be reached: ", id="nobody listens"
        ),
        pytest.param(ssl.SSLError("CERTIFICATE_VERIFY_FAILED"), {}, "with this machine's own CA list", id="no CA"),
        pytest.param(
            ssl.SSLError("hostname 'x' doesn't match 'y'"), {"ssl_ca_cert": "/ca"}, "verified with /ca", id="a name"
        ),
        pytest.param(ssl.SSLError("IP is not valid for 'y'"), {}, "cannot be verified", id="an address"),
        pytest.param(ssl.SSLError("WRONG_VERSION_NUMBER"), {}, "does not speak TLS", id="plain HTTP"),
        pytest.param(ssl.SSLError("HTTP_REQUEST"), {}, "does not speak TLS", id="plain HTTP to us"),
        pytest.param(ssl.SSLError("RECORD_LAYER_FAILURE"), {}, "does not speak TLS", id="plain HTTP, newer"),
        pytest.param(
            ssl.SSLError("[SSL] PEM lib"), {"cert_file": "/c", "key_file": "/k"}, "one of: /c, /k.", id="a file"
        ),
        pytest.param(ssl.SSLError("KEY_VALUES_MISMATCH"), {"key_file": "/k"}, "one of: /k.", id="two files"),
        pytest.param(ssl.SSLError("NO_CERTIFICATE"), {"cert_file": "/c"}, "one of: /c.", id="no certificate"),
        pytest.param(ssl.SSLError("ALERT_BAD"), {}, "failed: ", id="something else"),
        pytest.param(urllib3.exceptions.SSLError(ssl.SSLError("ALERT_BAD")), {}, "TLS with the API", id="wrapped"),
    ],
)
def test_a_request_without_an_answer(error, more, words):
    assert words in str(broken(error, **more))


def test_no_proxy_is_named_where_there_is_none():
    assert "proxy" not in str(broken(urllib3.exceptions.ReadTimeoutError(None, "/", "x")))


def test_the_innermost_error_is_told_without_noise():
    outer = urllib3.exceptions.ProtocolError("outer", OSError("[Errno 111] Connection refused"))
    assert broken(outer).reason == "Connection refused"
    inner = OSError("HTTPSConnection(host='x', port=1): Failed to establish a new connection: no route")
    caused = RuntimeError("outer")
    caused.__cause__ = inner
    assert broken(caused).reason == "no route"
    assert broken(OSError()).reason == "OSError"


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (urllib3.exceptions.SSLError("x"), True),
        (urllib3.exceptions.LocationValueError("x"), True),
        (urllib3.exceptions.ProtocolError("x"), False),
    ],
)
def test_what_no_second_question_cures(error, final):
    assert connection_errors.is_final(error) is final


POD = api.Kind("", "v1", "pods", "Pod")


@pytest.mark.parametrize(
    ("code", "options", "fine"),
    [
        pytest.param(200, {}, True, id="deleted"),
        pytest.param(202, {}, True, id="being deleted"),
        pytest.param(404, {}, True, id="gone already"),
        pytest.param(409, {"preconditions": {"uid": "u"}}, True, id="another one of its name"),
        pytest.param(409, {}, False, id="a conflict about something else"),
        pytest.param(403, {"preconditions": {"uid": "u"}}, False, id="forbidden"),
        pytest.param(201, {}, False, id="an answer to something else"),
    ],
)
def test_deletions(server, cluster, code, options, fine):
    server.answer("DELETE /api/v1/namespaces/a/pods/b", (code, {"kind": "Status", "message": "no"}))
    if fine:
        cluster.delete(POD, "b", "a", **options)
    else:
        with pytest.raises(api.ClusterError) as caught:
            cluster.delete(POD, "b", "a", **options)
        assert caught.value.status == code
