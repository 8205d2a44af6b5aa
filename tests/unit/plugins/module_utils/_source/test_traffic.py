# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.series import Answer
from ansible_collections.meshproof.mtls.plugins.module_utils._source import traffic
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import TrafficOptions


def options(**given):
    """The options as a module sees them."""
    checked = ArgumentSpecValidator(traffic.ARGUMENT_SPEC).validate(given)
    assert checked.error_messages == []
    return TrafficOptions.of(checked.validated_parameters)


def no_cluster():
    raise AssertionError("a Prometheus at a URL needs no cluster")


NOBODY = {"url": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": "soon"}, "The window 'soon' is no duration. Remedy: "),
        ({"min_requests": 0}, "The option min_requests is less than 1. Remedy: "),
        ({"tail_lines": 0}, "The option tail_lines is less than 1. Remedy: "),
        ({"namespaces": ["a|b"]}, "'a|b' is no namespace's name. Remedy: "),
        ({"workloads": ["service-a"]}, "service-a names no workload. Remedy: "),
        ({"workloads": ["demo/"]}, "demo/ names no workload. Remedy: "),
        ({"workloads": ["a/b/c/d"]}, "a/b/c/d names no workload. Remedy: "),
        ({"source": "access_log"}, "Access logs are read of chosen workloads. Remedy: "),
        ({"prometheus": None}, "No Prometheus is given. Remedy: "),
        ({}, "cannot be reached"),
    ],
)
def test_an_error_names_the_remedy(given, message):
    with pytest.raises(traffic.TrafficError) as caught:
        traffic.read(options(**{"prometheus": NOBODY, **given}), no_cluster)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ({}, []),
        ({"prometheus": {"url": "https://prometheus.example.com"}}, []),
        ({"prometheus": {"url": "https://user:p@ss@prometheus.example.com/x"}}, ["p@ss"]),
        ({"prometheus": {"url": "https://a-token@prometheus.example.com"}}, ["a-token"]),
        ({"prometheus": {"service": "a/b:1"}}, []),
    ],
)
def test_what_is_secret_beside_no_log(given, secrets):
    assert list(options(**{"prometheus": NOBODY, **given}).secrets()) == secrets


@pytest.mark.parametrize("both", [{}, {"url": "http://x", "service": "a/b:1"}])
def test_either_a_url_or_a_service(both):
    checked = ArgumentSpecValidator(traffic.ARGUMENT_SPEC).validate({"prometheus": both})
    assert len(checked.error_messages) == 1


class Place:
    """A Prometheus that answers the questions one after the other."""

    name = "The Prometheus"

    def __init__(self, *answers):
        self._answers = list(answers)

    def ask(self, query):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


SEEN = {
    "source_workload": "b",
    "source_workload_namespace": "demo",
    "destination_workload": "a",
    "destination_workload_namespace": "demo",
    "connection_security_policy": "mutual_tls",
}
GOOD = Answer([(SEEN, 10.0)], ())
NONE = Answer([], ())
REPORTERS = Answer([({"reporter": "destination", "destination_workload_namespace": "demo"}, 1.0)], ())


@pytest.mark.parametrize(
    ("http", "tcp", "security", "reasons"),
    [
        pytest.param(GOOD, NONE, "mutual_tls", [], id="all of it"),
        pytest.param(GOOD, traffic.TrafficError("it is down"), "unknown", ["it is down"], id="half of the questions"),
        pytest.param(traffic.TrafficError("it is down"), GOOD, "unknown", ["it is down"], id="the other half"),
        pytest.param(GOOD._replace(unread=1), NONE, "unknown", ["1 series in the answer"], id="a series that is none"),
        pytest.param(GOOD, NONE._replace(warnings=("a store",)), "unknown", ["a store"], id="a store that is missing"),
        pytest.param(
            GOOD, NONE._replace(warnings=("PromQL info: x",)), "mutual_tls", ["PromQL info"], id="a hint of one series"
        ),
    ],
)
def test_where_something_may_be_missing_nothing_is_mutual_tls(monkeypatch, http, tcp, security, reasons):
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: Place(http, tcp, REPORTERS))
    found = traffic.read(options(prometheus=NOBODY, namespaces=["demo"]), no_cluster)
    assert [row["security"] for row in found["traffic"]] == [security]
    assert [reason in gap["reason"] for reason, gap in zip(reasons, found["unknown"], strict=True)] == [True] * len(
        reasons
    )


def grown(server, namespace="", security="mutual_tls"):
    """Requests to a server, as a pod of a namespace exports them."""
    return {
        "source_workload": "b",
        "source_workload_namespace": "shop",
        "destination_workload": server.partition("/")[2],
        "destination_workload_namespace": server.partition("/")[0],
        "connection_security_policy": security,
        "namespace": namespace,
        "pod": f"{server.partition('/')[2]}-1",
    }


class Flooded:
    """A Prometheus that takes in series of several namespaces, and cannot answer about some of them."""

    name = "The Prometheus"

    def __init__(self, series, floods, listed=None):
        self.series, self.floods, self.asked = series, floods, []
        self.listed = [{"namespace": name} for name in sorted(series)] if listed is None else listed

    def ask(self, query):
        self.asked.append(query)
        if query == traffic.queries.EXPORTERS:
            return Answer([(labels, 1.0) for labels in self.listed], ())
        taken = [name for name in self.series if self.takes(query, name)]
        if any(name in self.floods for name in taken):
            raise traffic.prometheus.TooMuch("the answer has too many samples, 1000000")
        if query.startswith("count by (reporter"):
            return Answer([({"reporter": "destination", "destination_workload_namespace": n}, 1.0) for n in taken], ())
        own = [item for name in taken for item in self.series[name]] if "istio_requests_total" in query else []
        return Answer([(labels, 3.0) for labels in own], ())

    @staticmethod
    def takes(query, name):
        """As PromQL's matchers of the label namespace do it."""
        for operator, values in re.findall(r'[{ ]namespace(!=|=|!~|=~)"([^"]*)"', query):
            found = re.fullmatch(values, name) is not None if "~" in operator else values == name
            if found == operator.startswith("!"):
                return False
        return True


def securities(found):
    return {row["destination"]["workload"]: row["security"] for row in found["traffic"] if not row["exporter"]}


SHOP, TILL = [grown("shop/cart", "shop")], [grown("till/till", "till")]


@pytest.mark.parametrize(
    ("series", "floods", "expected", "gaps"),
    [
        pytest.param({"shop": SHOP, "till": TILL}, (), {"shop/cart": "mutual_tls", "till/till": "mutual_tls"}, set(),
                     id="none"),
        pytest.param({"shop": SHOP, "till": TILL}, ("till",), {"shop/cart": "mutual_tls"}, {"till"}, id="a tenant's"),
        pytest.param({"shop": [*SHOP, grown("till/till", "shop", "none")], "till": TILL}, ("till",),
                     {"shop/cart": "mutual_tls"}, {"shop", "till"}, id="a tenant's, of whom others speak"),
        pytest.param({"shop": SHOP, "istio-system": []}, ("istio-system",), {"shop/cart": "unknown"},
                     {"istio-system"}, id="where ztunnels speak for everybody"),
        pytest.param({"shop": SHOP, "": []}, ("",), {"shop/cart": "unknown"}, {None}, id="nobody knows whose"),
    ],
)  # fmt: skip
def test_a_flood_of_series_makes_the_servers_of_its_own_namespace_unknown(monkeypatch, series, floods, expected, gaps):
    place = Flooded(series, floods)
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: place)
    found = traffic.read(options(prometheus=NOBODY), no_cluster)
    assert securities(found) == expected
    assert {gap["namespace"] for gap in found["unknown"]} == gaps
    lost = [gap for gap in found["unknown"] if "too many samples" in gap["reason"]]
    assert {gap["namespace"] for gap in lost} == {name or None for name in floods}
    assert (traffic.queries.EXPORTERS in place.asked) is bool(floods)


@pytest.mark.parametrize(
    ("series", "listed"),
    [
        pytest.param({"shop": SHOP}, None, id="nothing else there"),
        pytest.param({"shop": SHOP, "till": TILL}, [], id="nobody exports any more"),
    ],
)
def test_where_no_part_can_be_had_nothing_is_known(monkeypatch, series, listed):
    place = Flooded(series, ("shop", ""), listed)
    place.takes = lambda query, name: True
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: place)
    with pytest.raises(traffic.TrafficError, match="too many samples"):
        traffic.read(options(prometheus=NOBODY), no_cluster)


def test_parts_have_one_limit_of_time_together(monkeypatch):
    place = Flooded({"shop": SHOP, "till": TILL}, ("till",))
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: place)
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(traffic.time, "monotonic", lambda: next(clock))
    found = traffic.read(options(prometheus=NOBODY, total_timeout=15), no_cluster)
    late = [gap for gap in found["unknown"] if "Remedy: raise the option total_timeout" in gap["reason"]]
    assert {gap["namespace"] for gap in late} >= {"till"}
    assert set(securities(found).values()) == {"unknown"}


def test_parts_have_one_limit_of_series_together(monkeypatch):
    monkeypatch.setattr("ansible_collections.meshproof.mtls.plugins.module_utils._source.questions.MOST_SAMPLES", 1)
    place = Flooded({"a": [grown("a/x", "a")], "b": [grown("b/x", "b")], "c": []}, ("c",))
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: place)
    found = traffic.read(options(prometheus=NOBODY), no_cluster)
    assert any("what others export is too much already" in gap["reason"] for gap in found["unknown"])
    assert set(securities(found).values()) == {"unknown"}


DOWN = traffic.TrafficError("it is down")


@pytest.mark.parametrize(
    ("reporters", "touched"),
    [
        pytest.param(REPORTERS, {"traffic to demo"}, id="its servers report that nobody called"),
        pytest.param(NONE, {"all traffic"}, id="nobody reports anything"),
        pytest.param(DOWN, {"namespaces without traffic"}, id="the question is not answered"),
    ],
)
def test_a_silent_namespace_is_told_from_one_of_which_nobody_reports(monkeypatch, reporters, touched):
    monkeypatch.setattr(traffic.prometheus, "connect", lambda given, cluster: Place(NONE, NONE, reporters))
    found = traffic.read(options(prometheus=NOBODY, namespaces=["demo"]), no_cluster)
    assert found["traffic"] == []
    assert {gap["touches"] for gap in found["unknown"]} == touched, found["unknown"]


def test_access_logs_are_asked_for_by_a_workload_or_a_namespace(monkeypatch):
    asked = []

    def from_logs(_given, _connect, wanted):
        asked.append((wanted.workloads, wanted.namespaces))
        return [], [], []

    monkeypatch.setattr(traffic, "_from_logs", from_logs)
    for given in ({"workloads": ["demo/a"]}, {"namespaces": ["demo"]}, {"workloads": ["demo/Deployment/a~2"]}):
        found = traffic.read(options(source="access_log", **given), no_cluster)
        assert (found["source"], found["traffic"], found["queries"]) == ("access_log", [], [])
    assert asked == [(("demo/a",), ()), ((), ("demo",)), (("demo/a",), ())]
