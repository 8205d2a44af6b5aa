# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what is repeated, and in which words failures end."""

from __future__ import annotations

import json
import socket
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import api as requests
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import pages
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import listed
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.faults import cut_off, reset

PODS = api.Kind("", "v1", "pods", "Pod")
PEERS = api.Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication")


def refusal(code, message="no"):
    return code, {"kind": "Status", "message": message}


def page(names, token=""):
    return listed("Pod", *({"metadata": {"name": name, "namespace": "demo"}} for name in names), token=token)


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "path"),
    [
        (PODS, None, None, "/api/v1/pods"),
        (PODS, "demo", "a", "/api/v1/namespaces/demo/pods/a"),
        (PEERS, "demo", None, "/apis/security.istio.io/v1/namespaces/demo/peerauthentications"),
    ],
)
def test_paths(kind, namespace, name, path):
    assert kind.path(namespace, name) == path


def test_pages_are_followed_and_items_know_what_they_are(server, cluster):
    server.answer("GET /api/v1/pods", page(["a", "b"], "next"), page(["c"]))
    pages = [page.items for page in cluster.list(PODS)]
    assert [[item["metadata"]["name"] for item in items] for items in pages] == [["a", "b"], ["c"]]
    assert {(item["kind"], item["apiVersion"]) for items in pages for item in items} == {("Pod", "v1")}
    assert [query.get("continue") for _path, query in server.asked()] == [None, "next"]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(server, cluster, code):
    server.answer("GET /version", refusal(code), refusal(code), {"gitVersion": "v1.35.4"})
    assert cluster.version() == "v1.35.4"


def test_repetition_ends(server, cluster):
    server.answer("GET /version", refusal(503, "etcd is down"))
    with pytest.raises(api.ClusterError, match="etcd is down"):
        cluster.version()
    assert len(server.requests) == 5


@pytest.mark.parametrize(("code", "attempts"), [(429, 5), (500, 1), (503, 1)])
def test_a_creation_is_repeated_only_when_it_surely_did_nothing(server, cluster, code, attempts):
    server.answer("POST /api/v1/namespaces/demo/pods", refusal(code))
    with pytest.raises(api.ClusterError):
        cluster.create(PODS, {"metadata": {"namespace": "demo", "name": "a"}})
    assert len(server.requests) == attempts


def test_deleting_what_is_gone_is_fine(cluster):
    cluster.delete(PODS, "a", "demo", gracePeriodSeconds=1)


def test_deleting_only_the_object_that_was_seen(server, cluster):
    """With a uid; where another one of this name is there by now, what was to be deleted is gone."""
    path = "/api/v1/namespaces/demo/pods/a"
    server.answer(f"DELETE {path}", refusal(409, "the UID in the precondition does not match"))
    cluster.delete(PODS, "a", "demo", preconditions={"uid": "u"})
    assert server.requests[0][3]["preconditions"] == {"uid": "u"}
    with pytest.raises(api.ClusterError, match="does not match"):
        cluster.delete(PODS, "a", "demo")


@pytest.mark.parametrize(
    ("method", "status", "fine"),
    [
        ("GET", 200, True),
        ("GET", 201, False),
        ("GET", 204, False),
        ("GET", 206, False),
        ("GET", 302, False),
        ("POST", 201, True),
        ("POST", 204, False),
        ("DELETE", 202, True),
        ("DELETE", 204, False),
    ],
)
def test_what_is_a_success(server, cluster, method, status, fine):
    server.answer(f"{method} /x", (status, "{}" if status != 204 else ""))
    if fine:
        assert cluster.request(method, "/x") == b"{}"
    else:
        with pytest.raises(api.ClusterError, match=f"HTTP (status )?{status}"):
            cluster.request(method, "/x")


GOOD = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "demo"}}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="an empty object"),
        pytest.param({"kind": "Status", "apiVersion": "v1", "metadata": {}}, id="a Status"),
        pytest.param({**GOOD, "kind": "PodList"}, id="another kind"),
        pytest.param({**GOOD, "apiVersion": "v2"}, id="another version"),
        pytest.param({**GOOD, "metadata": {"name": "b"}}, id="another name"),
        pytest.param({**GOOD, "metadata": ["a"]}, id="metadata that are none"),
    ],
)
def test_one_object_is_the_one_that_was_asked_for(server, cluster, answer):
    path = "/api/v1/namespaces/demo/pods/a"
    server.answer(f"GET {path}", GOOD, answer)
    server.answer("POST /api/v1/namespaces/demo/pods", answer)
    assert cluster.read(PODS, "a", "demo") == GOOD
    with pytest.raises(api.ClusterError, match="is not the Pod a"):
        cluster.read(PODS, "a", "demo")
    with pytest.raises(api.ClusterError, match="is not the Pod a"):
        cluster.create(PODS, {"metadata": {"name": "a", "namespace": "demo"}})


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("404 page not found\n", True),
        ('{"kind":"Status","message":"not found"}', True),
        ("<html>404 page not found</html>", False),
        ("", False),
        ("{}", False),
        ("[" * 100_000, False),
    ],
)
def test_only_the_api_server_itself_says_that_nothing_is_there(server, cluster, body, missing):
    server.answer("GET /x", (404, body))
    with pytest.raises(api.ClusterError) as caught:
        cluster.get("/x")
    assert caught.value.missing is missing


def without_end(handler, _data):
    """Each page names another one."""
    token = int(dict(parse_qsl(urlsplit(handler.path).query)).get("continue", 0))
    body = json.dumps(page(["a"], str(token + 1))).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([page(["a"], "x"), page(["b"], "x")], id="a page that names itself"),
        pytest.param([page(["a"], "x"), page(["b"], "y"), page(["c"], "x")], id="pages in a circle"),
        pytest.param([without_end, without_end], id="always another page"),
    ],
)
def test_a_list_ends(server, cluster, answers, monkeypatch):
    monkeypatch.setattr(pages, "MOST_PAGES", 20)
    server.answer("GET /api/v1/pods", *answers)
    with pytest.raises(api.ClusterError, match="names pages without end"):
        list(cluster.list(PODS))
    assert len(server.requests) < 30


def test_a_list_ends_in_time(server, cluster, monkeypatch):
    server.answer("GET /api/v1/pods", without_end, without_end)
    started = time.monotonic()
    monkeypatch.setattr(cluster, "_read_timeout", 0.3)
    with pytest.raises(api.ClusterError) as caught:
        list(cluster.list(PODS))
    assert caught.value.reason == "it was not read in time"
    assert time.monotonic() - started < 2


def test_a_list_that_expires_again_and_again(server, cluster):
    """Also this circle of tokens is left: a -> b -> a."""
    expired = [(410, {"kind": "Status", "message": "expired", "metadata": {"continue": name}}) for name in "abab"]
    server.answer("GET /api/v1/pods", page(["a"], "a"), *expired)
    with pytest.raises(api.ClusterError, match="expired"):
        list(cluster.list(PODS))


def test_what_a_server_says_is_made_visible(server, cluster):
    server.answer("GET /x", refusal(500, "\x1b[2Kok\nfailed=0\u202e"))
    with pytest.raises(api.ClusterError) as caught:
        cluster.get("/x")
    assert "\\u001b[2Kok failed=0\\u202e" in str(caught.value)


FORBIDDEN = 'pods is forbidden: User "auditor" cannot {} resource "{}" in API group "" in the namespace "demo"'


@pytest.mark.parametrize(
    ("method", "path", "answer", "words"),
    [
        ("GET", "/api/v1/pods", refusal(401, "Unauthorized"), ["does not accept these credentials", "Remedy"]),
        ("GET", "/api/v1/pods", refusal(403, FORBIDDEN.format("list", "pods")), ["meshproof-reader"]),
        ("GET", "/api/v1/pods/a/log", refusal(403, FORBIDDEN.format("get", "pods/log")), ["meshproof-prober"]),
        ("POST", "/api/v1/pods", refusal(403, FORBIDDEN.format("create", "pods")), ["meshproof-prober"]),
        ("POST", "/api/v1/pods/a/portforward", refusal(403, "no"), ["meshproof-inspector"]),
        ("POST", "/api/v1/namespaces", refusal(403, "no"), ["have an administrator make the namespace"]),
        ("GET", "/api/v1/pods", refusal(403, 'User "system:anonymous" cannot list'), ["took us for nobody"]),
        ("POST", "/api/v1/pods", refusal(403, "violates PodSecurity"), ["this is not about rights"]),
        ("GET", "/api/v1/pods", (400, "Client sent an HTTP request to an HTTPS server."), ["with https://"]),
        ("POST", "/api/v1/pods", refusal(500, 'failed calling webhook "x"'), ["the service behind this webhook"]),
        ("GET", "/api/v1/pods", (200, "<html>"), ["not JSON"]),
        ("GET", "/api/v1/pods", (200, "[]"), ["no object"]),
    ],
)
def test_failures_name_the_remedy(server, cluster, method, path, answer, words):
    server.answer(f"{method} {path}", answer)
    with pytest.raises(api.ClusterError) as caught:
        cluster.get(path) if method == "GET" else cluster.request(method, path, body={})
    for word in words:
        assert word in str(caught.value)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("http://127.0.0.1:{port}", ["cannot be reached: Connection refused", "K8S_AUTH_HOST"]),
        ("https://127.0.0.1:{http}", ["does not speak TLS"]),
        ("http://[", ["is no URL"]),
    ],
)
def test_no_answer(server, host, words):
    port = server.http.server_address[1]
    with pytest.raises(api.ClusterError) as caught:
        api.connect({"host": host.format(port=unused_port(), http=port), "api_key": "secret"}).version()
    for word in words:
        assert word in str(caught.value)


def test_silence_has_an_end(monkeypatch):
    monkeypatch.setattr(requests, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(api.ClusterError, match="did not answer within"):
            api.connect({"host": host, "api_key": "secret"}).version()


def test_headers(server):
    server.answer("GET /version", {"gitVersion": "v1"})
    api.connect(
        {
            "host": server.url,
            "api_key": "secret",
            "impersonate_user": "auditor",
            "impersonate_groups": ["readers", "viewers"],
        }
    ).version()
    headers = server.requests[0][4]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Impersonate-User"] == "auditor"
    assert ",".join(headers.get_all("Impersonate-Group")).replace(" ", "") == "readers,viewers"


@pytest.mark.parametrize(
    ("ask", "content"),
    [
        pytest.param(lambda cluster: cluster.get("/version"), None, id="a question"),
        pytest.param(
            lambda cluster: cluster.create(PODS, {"metadata": {"name": "a", "namespace": "demo"}}),
            "application/json",
            id="a manifest",
        ),
        pytest.param(
            lambda cluster: cluster.delete(PODS, "a", "demo", gracePeriodSeconds=1), "application/json", id="options"
        ),
    ],
)
def test_a_body_says_what_it_is(server, cluster, ask, content):
    server.answer("GET /version", {})
    made = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "demo"}}
    server.answer("POST /api/v1/namespaces/demo/pods", made)
    server.answer("DELETE /api/v1/namespaces/demo/pods/a", {})
    ask(cluster)
    [(_method, _path, _query, body, headers)] = server.requests
    assert (headers.get("Content-Type"), body is not None) == (content, content is not None)
    assert (headers["Authorization"], headers["User-Agent"]) == ("Bearer secret", "meshproof.mtls")


def test_pauses_grow(server, cluster, pauses):
    server.answer("GET /version", refusal(503))
    with pytest.raises(api.ClusterError):
        cluster.version()
    assert pauses == [0.5, 1, 2, 4]


VERSION = {"gitVersion": "v1.35.4"}
MADE = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "demo"}}


def mute(handler, _data):
    """No answer for longer than anybody here waits."""
    threading.Event().wait(5)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("answers", "answered", "requests_sent"),
    [
        pytest.param([reset(), VERSION], True, 2, id="a connection that breaks off is made anew"),
        pytest.param([reset(), reset(), reset(), reset(), VERSION], True, 5, id="four times"),
        pytest.param([reset()] * 5 + [VERSION], False, 5, id="no more than that"),
        pytest.param([mute, VERSION], False, 1, id="who has never answered is not asked again"),
        pytest.param([VERSION, mute, VERSION], True, 3, id="who has answered before is, after a silence"),
        pytest.param([VERSION, mute, mute, VERSION], False, 3, id="not after two"),
    ],
)
def test_what_gives_no_answer_is_asked_again(server, cluster, monkeypatch, answers, answered, requests_sent):
    server.answer("GET /version", *answers)
    if answers[0] == VERSION:
        assert cluster.version() == "v1.35.4"
    monkeypatch.setattr(requests, "READ_SECONDS", 0.3)
    if answered:
        assert cluster.version() == "v1.35.4"
    else:
        with pytest.raises(api.ClusterError, match=r"broke off|did not answer"):
            cluster.version()
    assert len(server.requests) == requests_sent


def test_what_may_have_been_made_is_not_made_twice(server, cluster):
    """The connection broke off behind the request: nobody knows whether it was obeyed."""
    server.answer("POST /api/v1/namespaces/demo/pods", reset(), MADE)
    with pytest.raises(api.ClusterError, match="broke off"):
        cluster.create(PODS, {"metadata": {"name": "a", "namespace": "demo"}})
    assert len(server.requests) == 1


def test_nobody_is_sent_elsewhere(server, cluster):
    """A redirect would take the token with it."""

    def elsewhere(handler, _data):
        handler.send_response(302)
        handler.send_header("Location", "/version")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answer("GET /x", elsewhere)
    server.answer("GET /version", VERSION)
    with pytest.raises(api.ClusterError, match="302"):
        cluster.get("/x")
    assert [path for path, _query in server.asked()] == ["/x"]


@pytest.mark.parametrize(
    ("size", "at_once"),
    [
        pytest.param(10, True, id="all of a short answer"),
        pytest.param(600_000, False, id="the beginning of a long one"),
    ],
)
def test_the_first_bytes_are_announced_once(server, cluster, size, at_once):
    first = []
    server.answer("GET /x", refusal(503), "x" * size)
    assert len(cluster.request("GET", "/x", announce=first.append)) == size
    assert [set(found) for found in first] == [{ord("x")}]
    assert (len(first[0]) == size) is at_once
    assert len(first[0]) >= min(size, 4096)


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        pytest.param({}, {"limit": 500}, id="everything"),
        pytest.param({"labels": "a=b"}, {"limit": 500, "labelSelector": "a=b"}, id="by labels"),
        pytest.param({"fields": "a=b"}, {"limit": 500, "fieldSelector": "a=b"}, id="by fields"),
    ],
)
def test_what_is_asked_for_with_a_page(asked, query):
    wanted = pages.Wanted(PODS, **asked)
    assert (wanted.query(""), wanted.query("t")) == (query, {**query, "continue": "t"})


@pytest.mark.parametrize(
    ("stored", "accept"),
    [(None, "application/json"), (lambda *_place: {}, "application/vnd.kubernetes.protobuf, application/json")],
    ids=["JSON", "protobuf, where it can be read"],
)
def test_the_form_of_a_list(server, cluster, stored, accept):
    server.answer("GET /api/v1/pods", page([]))
    assert [found.items for found in cluster.list(PODS, stored=stored)] == [[]]
    assert server.requests[0][4]["Accept"] == accept


def expired(token):
    return 410, {"kind": "Status", "message": "expired", "metadata": {"continue": token}}


@pytest.mark.parametrize(
    ("answers", "names", "tokens"),
    [
        pytest.param(
            [page(["a"], "1"), expired("2"), page(["b"])],
            ["a", "b"],
            [None, "1", "2"],
            id="goes on with the token that the API server gives",
        ),
        pytest.param(
            [page(["a"], "1"), expired("2"), expired("3"), expired("4"), expired("5"), page(["b"])],
            ["a", "b"],
            [None, "1", "2", "3", "4", "5"],
            id="four times",
        ),
        pytest.param(
            [page(["a"], "1"), *(expired(str(number)) for number in range(2, 9))],
            None,
            [None, "1", "2", "3", "4", "5"],
            id="no more than that",
        ),
        pytest.param([page(["a"], "1"), expired("1")], None, [None, "1"], id="not with the same"),
        pytest.param([page(["a"], "1"), refusal(410), page(["b"])], None, [None, "1"], id="not without one"),
    ],
)
def test_a_list_that_expires(server, cluster, answers, names, tokens):
    server.answer("GET /api/v1/pods", *answers)
    if names:
        assert [item["metadata"]["name"] for found in cluster.list(PODS) for item in found.items] == names
    else:
        with pytest.raises(api.ClusterError, match=r"HTTP 410"):
            list(cluster.list(PODS))
    assert [query.get("continue") for _path, query in server.asked()] == tokens


@pytest.mark.parametrize(
    ("answers", "fine", "count"),
    [
        pytest.param([cut_off, page(["a"])], True, 2, id="is asked for again"),
        pytest.param([cut_off] * 4 + [page(["a"])], True, 5, id="four times"),
        pytest.param([cut_off] * 5 + [page(["a"])], False, 5, id="no more than that"),
        pytest.param(["<html>", page(["a"])], False, 1, id="not where it is something else"),
    ],
)
def test_a_page_that_is_cut_off(server, cluster, answers, fine, count):
    server.answer("GET /api/v1/pods", *answers)
    if fine:
        assert [len(found.items) for found in cluster.list(PODS)] == [1]
    else:
        with pytest.raises(api.ClusterError, match="not JSON"):
            list(cluster.list(PODS))
    assert len(server.requests) == count


def test_the_next_page_is_asked_for_while_this_one_is_on_its_way(server, cluster):
    asked = threading.Event()
    long = page(["a"], "next")
    long["items"][0]["spec"] = "x" * 600_000
    body = json.dumps(long, separators=(",", ":")).encode()

    def first(handler, _data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:300_000])
        handler.wfile.flush()
        if asked.wait(2):
            handler.wfile.write(body[300_000:])

    def second(handler, _data):
        asked.set()
        content = json.dumps(page(["b"])).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.answer("GET /api/v1/pods", first, second, page(["c"]))
    assert [item["metadata"]["name"] for found in cluster.list(PODS) for item in found.items] == ["a", "b"]
    assert [query.get("continue") for _path, query in server.asked()] == [None, "next"]


@pytest.mark.parametrize("code", [403, 410])
def test_a_failure_in_protobuf_is_read(server, cluster, code):
    server.answer("GET /api/v1/pods", (code, protobuf_encoder.status("pods is forbidden", "next")))
    with pytest.raises(api.ClusterError, match="pods is forbidden") as caught:
        cluster.request("GET", "/api/v1/pods")
    assert caught.value.token == ("next" if code == 410 else "")
