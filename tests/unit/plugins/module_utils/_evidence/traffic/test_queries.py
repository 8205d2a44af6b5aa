# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.queries import (
    EXPORTERS,
    Part,
    duration,
    parts,
    queries,
    seconds_of,
)


@pytest.mark.parametrize(
    ("window", "seconds", "text"),
    [
        (90, 90, "90s"),
        ("90", 90, "90s"),
        ("5m", 300, "5m"),
        (" 1h ", 3600, "1h"),
        ("1h30m", 5400, "90m"),
        ("7d", 604800, "1w"),
        ("36h", 129600, "36h"),
    ],
)
def test_windows(window, seconds, text):
    assert seconds_of(window) == seconds
    assert duration(seconds) == text


@pytest.mark.parametrize("window", ["", "0", "0m", "-5", "5 m", "1.5h", "5min", "m", "٣m", "h1", "5m]) or vector(1"])
def test_what_is_no_window(window):
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(window)


@pytest.mark.parametrize(
    ("namespaces", "matchers"),
    [
        ((), 'reporter="destination"'),
        (("demo",), 'reporter="destination", destination_workload_namespace="demo"'),
        (("shop", "demo", "shop"), 'reporter="destination", destination_workload_namespace=~"demo|shop"'),
    ],
)
def test_only_servers_reports_are_asked_for(namespaces, matchers):
    asked = queries(300, namespaces)
    assert asked.requests.count("reporter=") == 3
    assert asked.requests.count(f"istio_requests_total{{{matchers}}}") == 3
    assert asked.connections == asked.requests.replace("istio_requests_total", "istio_tcp_connections_opened_total")
    assert "[5m]" in asked.requests
    assert "offset 5m" in asked.requests


@pytest.mark.parametrize("namespace", ['demo"} or up{x="', "demo|.*", "", "Demo", "-demo", "a" * 64])
def test_a_namespace_cannot_change_the_query(namespace):
    with pytest.raises(ValueError, match="is no namespace's name"):
        queries(300, ["demo", namespace])


@pytest.mark.parametrize("asked", queries(300)[:2], ids=["requests", "connections"])
def test_series_are_clamped_one_by_one_and_pods_are_never_added_up(asked):
    """That Prometheus takes it so is tested against a real one (tests/integration/traffic)."""
    sums = re.findall(r"sum by \((.*?)\) \((\w+)\(", asked)
    assert [function for _labels, function in sums] == ["clamp_min", "clamp_min"]
    for labels, _function in sums:
        assert {"namespace", "pod", "kubernetes_namespace", "kubernetes_pod_name"} <= set(labels.split(", "))
    # Before summing, a series that has the label already would be there twice, and the query an error.
    assert asked.index("label_replace") < asked.rindex("sum by") < asked.index('"began"')


@pytest.mark.parametrize(
    ("exporters", "expected"),
    [
        pytest.param([], ['namespace!="", namespace=~".*"', 'namespace="", kubernetes_namespace=~".*"'], id="nobody"),
        pytest.param(
            [{"namespace": "shop"}, {"namespace": "demo"}, {"kubernetes_namespace": "old"}, {}],
            [
                'namespace!="", namespace=~"demo"',
                'namespace!="", namespace=~"shop"',
                'namespace!="", namespace!~"demo|shop"',
                'namespace="", kubernetes_namespace=~"old"',
                'namespace="", kubernetes_namespace!~"old"',
            ],
            id="by either label",
        ),
        pytest.param(
            [{"namespace": 'x"} or up{a="'}, {"namespace": ".*"}],
            ['namespace!="", namespace=~".*"', 'namespace="", kubernetes_namespace=~".*"'],
            id="names that would change the query",
        ),
    ],
)
def test_all_series_in_parts_by_who_exports_them(exporters, expected):
    found = parts(exporters)
    assert [part.matchers for part in found] == expected
    named = [name for part in found for name in part.namespaces]
    assert sorted(named) == sorted(name for item in exporters for name in item.values() if name.isalpha())


def test_there_are_never_too_many_parts():
    names = [f"n{number}" for number in range(1050)]
    found = parts([{"namespace": name} for name in names])
    assert len(found) <= 102
    assert sorted(name for part in found for name in part.namespaces) == sorted(names)


def test_a_part_limits_each_selector_of_each_question():
    asked = queries(300, ["demo"], Part('namespace="x"', ("x",)))
    whole = queries(300, ["demo"])
    for one, other in zip(asked, whole, strict=True):
        assert one.count(', namespace="x"}') == other.count("{")


def test_who_exports_is_asked_by_one_label_each():
    """A pod can give a million values to the label that its scrape configuration does not set."""
    assert re.findall(r"by \((.*?)\).*, (\S+)}", EXPORTERS) == [
        ("namespace", 'namespace!=""'),
        ("kubernetes_namespace", 'namespace=""'),
    ]
