# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
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
        ({"prometheus": {"service": "a/b:1"}, "kubeconfig": {"users": [{"user": {"token": "t"}}]}}, ["t"]),
    ],
)
def test_what_is_secret_beside_no_log(given, secrets):
    assert list(traffic.secrets_in(options(**given))) == secrets


@pytest.mark.parametrize("both", [{}, {"url": "http://x", "service": "a/b:1"}])
def test_either_a_url_or_a_service(both):
    checked = ArgumentSpecValidator(traffic.ARGUMENT_SPEC).validate({"prometheus": both})
    assert len(checked.error_messages) == 1
