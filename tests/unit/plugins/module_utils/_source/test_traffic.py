# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.series import Answer
from ansible_collections.meshproof.mtls.plugins.module_utils._source import traffic


def options(**given):
    """The options as a module sees them."""
    checked = ArgumentSpecValidator(traffic.ARGUMENT_SPEC).validate(given)
    assert checked.error_messages == []
    return checked.validated_parameters


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
        traffic.read(options(**{"prometheus": NOBODY, **given}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ({}, []),
        ({"prometheus": {"url": "https://prometheus.example.com"}}, []),
        ({"prometheus": {"url": "https://user:p@ss@prometheus.example.com/x"}}, ["p@ss"]),
        ({"prometheus": {"url": "https://a-token@prometheus.example.com"}}, ["a-token"]),
        ({"prometheus": {"service": "a/b:1"}, "kubeconfig": {"users": [{"user": {"token": "t"}}]}}, ["t"]),
    ],
)
def test_what_is_secret_beside_no_log(given, secrets):
    assert list(traffic.secrets_in(options(**given))) == secrets


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
    found = traffic.read(options(prometheus=NOBODY, namespaces=["demo"]))
    assert [row["security"] for row in found["traffic"]] == [security]
    assert [reason in gap["reason"] for reason, gap in zip(reasons, found["unknown"], strict=True)] == [True] * len(
        reasons
    )
