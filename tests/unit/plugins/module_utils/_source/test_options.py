# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The typed options are those that the modules document, with the same defaults."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._source import options
from ansible_collections.meshproof.mtls.plugins.module_utils._source.declared import ARGUMENT_SPEC


@pytest.mark.parametrize(
    ("typed", "spec"),
    [
        (options.PolicyOptions, {name: ARGUMENT_SPEC[name] for name in options.PolicyOptions._fields}),
        (options.PrometheusOptions, options.TRAFFIC["prometheus"]["options"]),
        (options.TrafficOptions, options.TRAFFIC),
        (options.ProxyOptions, options.IN_AUDIT["proxies"]["options"]),
        (options.ProbeOptions, options.PROBE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_they_are_those_of_the_modules(typed, spec):
    assert set(typed._fields) == set(spec)
    defaults = {name: list(value) if isinstance(value, tuple) else value for name, value in typed()._asdict().items()}
    assert defaults == {name: option.get("default") for name, option in spec.items()}


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://user:hidden@prometheus.example.com/x", ["hidden"]),
        ("https://prometheus.example.com/x?token=hidden", ["hidden"]),
        ("https://prometheus.example.com/x", []),
    ],
)
def test_what_is_secret_in_the_url_of_a_prometheus(url, secrets):
    assert list(options.TrafficOptions.of({"prometheus": {"url": url}}).secrets()) == secrets


KINDS = [options.PolicyOptions, options.PrometheusOptions, options.ProxyOptions, options.ProbeOptions]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_given_is_taken_and_what_is_not_has_its_default(kind):
    for name in kind._fields:
        assert kind.of({name: "given", "of somebody else": "x"}) == kind()._replace(**{name: "given"})


@pytest.mark.parametrize(
    ("given", "prometheus"),
    [
        (None, None),
        ({}, None),
        ({"service": "monitoring/prometheus"}, options.PrometheusOptions(service="monitoring/prometheus")),
    ],
    ids=["none", "an empty one", "a Service"],
)
def test_traffic_has_the_prometheus_that_is_given(given, prometheus):
    found = options.TrafficOptions.of({"prometheus": given, "window": "5m", "kubeconfig": "x"})
    assert found == options.TrafficOptions(prometheus=prometheus, window="5m")
    assert list(found.secrets()) == []
