"""traffic_info against a real Prometheus that holds recorded series."""

from __future__ import annotations

import math
import re
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cluster_runs import ROOT
from tests.integration.traffic.series import CONNECTIONS, OUTSIDER, Recorded, series

Run = Callable[..., dict[str, Any]]
WINDOW = "5m"
STEADY = tuple(range(100, 141))
"""Ten minutes of scrapes, so that the window begins in the middle; one request from each to the next."""
IDLE = (100,) * 41
AN_HOUR_AGO = 3600
POD = {"namespace": "demo", "pod": "service-a-5f5b8-1"}
"""What a scrape configuration says of the server's own pod."""


def paste(url: str, query: str) -> int:
    """The HTTP status of a query as a person would send it."""
    pasted = urllib.request.Request(f"{url}/api/v1/query", data=f"query={urllib.parse.quote(query)}".encode())
    with urllib.request.urlopen(pasted) as answer:
        return int(answer.status)


def told(result: dict[str, Any]) -> list[tuple[str | None, str, str, int, float]]:
    """Of each row: the caller, the protocol, the security, the number of requests and the share of mutual TLS."""
    return [
        (row["source"]["workload"], row["protocol"], row["security"], row["requests"], row["share"])
        for row in result["traffic"]
    ]


@pytest.mark.parametrize(
    ("recorded", "rows"),
    [
        pytest.param([series(*STEADY)], [("demo/service-b", "http", "mutual_tls", 20, 1.0)], id="all mutual TLS"),
        pytest.param(
            [series(*STEADY), series(*STEADY, **OUTSIDER)],
            [(None, "http", "plaintext", 20, 0.0), ("demo/service-b", "http", "mutual_tls", 20, 1.0)],
            id="a caller outside the mesh",
        ),
        pytest.param(
            [series(*STEADY), series(*STEADY, connection_security_policy="none")],
            [("demo/service-b", "http", "mixed", 40, 0.5)],
            id="one caller, both",
        ),
        pytest.param(
            [series(*STEADY), series(1, 1, 1, connection_security_policy="none")],
            [("demo/service-b", "http", "mixed", 21, 0.9523)],
            id="a single plaintext request, whose series never grows",
        ),
        pytest.param(
            [series(*STEADY), series(1, connection_security_policy="none")],
            [("demo/service-b", "http", "mixed", 21, 0.9523)],
            id="a series of one sample",
        ),
        pytest.param(
            [series(*STEADY), series(1, 1, connection_security_policy="none", ended=180)],
            [("demo/service-b", "http", "mixed", 21, 0.9523)],
            id="a series that began and ended in the window",
        ),
        pytest.param(
            [series(*STEADY), series(*IDLE, connection_security_policy="none")],
            [("demo/service-b", "http", "mutual_tls", 20, 1.0)],
            id="plaintext before the window only",
        ),
        pytest.param(
            [series(*STEADY[:31], *range(1, 11))],
            [("demo/service-b", "http", "mutual_tls", 20, 1.0)],
            id="a counter that was reset in the window",
        ),
        pytest.param(
            [series(*STEADY, connection_security_policy="unknown")],
            [("demo/service-b", "http", "unknown", 20, 0.0)],
            id="a server's proxy that does not know",
        ),
        pytest.param(
            [series(*STEADY, metric=CONNECTIONS, request_protocol="tcp"), series(*STEADY, request_protocol="grpc")],
            [("demo/service-b", "grpc", "mutual_tls", 20, 1.0), ("demo/service-b", "tcp", "mutual_tls", 20, 1.0)],
            id="TCP and gRPC",
        ),
        pytest.param(
            [series(*STEADY, metric=CONNECTIONS, request_protocol="tcp", connection_security_policy="none")],
            [("demo/service-b", "tcp", "plaintext", 20, 0.0)],
            id="plaintext TCP",
        ),
        pytest.param(
            [
                series(*STEADY, **POD),
                series(*STEADY, connection_security_policy="none", **POD),
                series(*STEADY, connection_security_policy="none", **(POD | {"pod": "service-a-5f5b8-2"})),
            ],
            [("demo/service-b", "http", "mixed", 60, 0.3333)],
            id="several pods of the server",
        ),
    ],
)
def test_what_was_seen(
    record: Callable[..., str], seen: Run, recorded: list[Recorded], rows: list[tuple[Any, ...]]
) -> None:
    result = seen(prometheus={"url": record(*recorded)}, window=WINDOW, namespaces=["demo"])
    assert told(result) == rows
    assert result["unknown"] == []


STRANGER = {"namespace": "attacker", "pod": "evil", "connection_security_policy": "none"}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param([series(-100000, -100000, **STRANGER)], id="a counter below zero"),
        pytest.param([series(*range(0, -410, -10), **STRANGER)], id="a counter that falls"),
        pytest.param([series(*[math.nan] * 41, **STRANGER)], id="an old series that is no number"),
        pytest.param([series(math.nan, **STRANGER)], id="a new series that is no number"),
        pytest.param([series(1, math.inf, **STRANGER)], id="infinity"),
        pytest.param([series(1, -math.inf, **STRANGER)], id="infinity below zero"),
        pytest.param([series(1e308, 1.7e308, **STRANGER)], id="more than there can be"),
        pytest.param([series(1, **STRANGER), series(1, began="yes", **STRANGER)], id="a label of the query's own"),
        pytest.param([series(*STEADY, **STRANGER)], id="what would be plaintext"),
        pytest.param([series(1, **(STRANGER | {"connection_security_policy": "mutual_tls"}))], id="what would be mTLS"),
    ],
)
def test_what_a_stranger_exports_changes_nothing_for_others(
    record: Callable[..., str], seen: Run, forged: list[Recorded]
) -> None:
    honest = [series(*STEADY, **POD), series(1, connection_security_policy="none", **POD)]
    result = seen(prometheus={"url": record(*honest, *forged)}, window=WINDOW, namespaces=["demo"])
    own = {**result, "traffic": [row for row in result["traffic"] if not row["exporter"]]}
    assert told(own) == [("demo/service-b", "http", "mixed", 21, 0.9523)]
    others = {(row["exporter"], row["security"]) for row in result["traffic"] if row["exporter"]}
    assert others <= {("attacker/evil", "unknown")}
    assert all("attacker/evil" in gap["reason"] for gap in result["unknown"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_servers_own_series_that_is_no_counter_is_never_mutual_tls(
    record: Callable[..., str], seen: Run, value: float
) -> None:
    recorded = [series(*STEADY, **POD), series(*[value] * 3, connection_security_policy="none", **POD)]
    result = seen(prometheus={"url": record(*recorded)}, window=WINDOW, namespaces=["demo"])
    assert [row["security"] for row in result["traffic"]] == ["mixed"]


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        pytest.param([], "has no series istio_requests_total or istio_tcp_connections_opened_total", id="empty"),
        pytest.param(
            [series(*STEADY, reporter="source", connection_security_policy="unknown")],
            "only source reports calls to it",
            id="only the client reports",
        ),
        pytest.param([series(*IDLE)], "nothing was called in the last 5m", id="no traffic in the window"),
        pytest.param(
            [series(*STEADY, destination_workload_namespace="shop")],
            "no proxy reports a call to it",
            id="traffic elsewhere",
        ),
        pytest.param([series(*STEADY, ended=AN_HOUR_AGO)], "has no series istio_requests_total", id="ended long ago"),
    ],
)
def test_without_data_it_is_unknown(
    record: Callable[..., str], seen: Run, recorded: list[Recorded], reason: str
) -> None:
    result = seen(prometheus={"url": record(*recorded)}, window=WINDOW, namespaces=["demo"])
    assert result["traffic"] == []
    assert [reason in gap["reason"] for gap in result["unknown"]] == [True]


def test_scraping_that_has_stopped_is_told(record: Callable[..., str], seen: Run) -> None:
    result = seen(prometheus={"url": record(series(*STEADY, ended=1200))}, window="1h")
    assert [row["security"] for row in result["traffic"]] == ["mutual_tls"]
    assert ["the series end before now" in gap["reason"] for gap in result["unknown"]] == [True]


def test_few_requests_are_no_evidence_and_workloads_narrow(record: Callable[..., str], seen: Run) -> None:
    url = record(series(*STEADY), series(*STEADY, destination_workload="other", destination_port="9090"))
    asked = {"prometheus": {"url": url}, "window": WINDOW, "workloads": ["demo/Deployment/other", "demo/absent"]}
    result = seen(**asked, min_requests=1000)
    assert [(row["destination"]["workload"], row["port"], row["security"]) for row in result["traffic"]] == [
        ("demo/other", 9090, "unknown")
    ]
    assert [gap["touches"] for gap in result["unknown"]] == ["traffic to demo/absent"]


def test_the_queries_can_be_pasted(record: Callable[..., str], seen: Run) -> None:
    url = record(series(*STEADY))
    result = seen(prometheus={"url": url}, window="1h30m", namespaces=["demo", "shop"])
    assert [paste(url, query) for query in result["queries"]] == [200, 200, 200]
    assert "[90m]" in result["queries"][0]


def test_the_documented_queries_can_be_pasted(record: Callable[..., str]) -> None:
    url = record(series(*STEADY))
    text = (ROOT / "docs" / "traffic.md").read_text()
    documented = re.findall(r"^```promql\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert len(documented) == 5
    for query in documented:
        assert paste(url, query) == 200


def test_a_stopped_prometheus_is_an_error(traffic_info: Run) -> None:
    result = traffic_info(prometheus={"url": "http://127.0.0.1:1/prom"})
    assert "The Prometheus at http://127.0.0.1:1/prom cannot be reached: " in result["msg"]
    assert "Remedy: see whether it is up" in result["msg"]


TOKEN = "a-token-of-the-test"


@pytest.fixture
def guarded(record: Callable[..., str]) -> Iterator[str]:
    """A real Prometheus behind a proxy that wants a token, for faults that Prometheus itself does not have."""
    target = record(series(*STEADY))

    class Guard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", f"{target}{self.path}")
                self.end_headers()
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, b"who are you?")
            elif self.path.startswith("/partly"):
                with urllib.request.urlopen(target + self.path.removeprefix("/partly")) as answer:
                    self._answer(200, answer.read().replace(b'{"status', b'{"warnings":["a store is down"],"status', 1))
            else:
                with urllib.request.urlopen(target + self.path) as answer:
                    self._answer(200, answer.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Guard) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_token_is_sent_and_never_shown(guarded: str, traffic_info: Run) -> None:
    result = traffic_info(prometheus={"url": guarded, "token": TOKEN}, window=WINDOW)
    assert [row["security"] for row in result["traffic"]] == ["mutual_tls"]
    assert not result["changed"]
    assert TOKEN not in str(result)
    wrong = traffic_info(prometheus={"url": guarded, "token": "wrong"}, window=WINDOW)
    assert "(HTTP 401). Remedy: give a token that it accepts" in wrong["msg"]


def test_a_redirect_is_refused(guarded: str, traffic_info: Run) -> None:
    result = traffic_info(prometheus={"url": f"{guarded}/moved", "token": TOKEN}, window=WINDOW)
    assert "redirects are not followed" in result["msg"]


def test_a_partial_answer_is_no_evidence(guarded: str, traffic_info: Run) -> None:
    result = traffic_info(prometheus={"url": f"{guarded}/partly", "token": TOKEN}, window=WINDOW)
    assert [(row["security"], row["share"]) for row in result["traffic"]] == [("unknown", 1.0)]
    assert any("a store is down" in gap["reason"] for gap in result["unknown"])
