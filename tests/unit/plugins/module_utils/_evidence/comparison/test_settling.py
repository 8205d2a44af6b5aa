# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.settling import unsettled
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Istiod
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    CLIENT,
    SERVER,
    edge,
    proxy,
    upstream,
    workload,
)

AT = {"10.0.0.1": SERVER}
RESULT = {"workloads": [workload(), workload(CLIENT)], "edges": [edge()], "client_sets": {"set": [CLIENT]}}
CUT_OFF = Istiod("", False)


def client(sends):
    return proxy(CLIENT, upstreams=(upstream(sends),))


CASES = [
    ("all agree", [proxy(), client("mtls")], set()),
    ("nobody was asked", [], set()),
    ("a server that has the policy before", [proxy(accepts="permissive"), client("mtls")], {"shop/a-1"}),
    ("a server that istiod cannot reach", [proxy(accepts="permissive", istiod=CUT_OFF), client("mtls")], set()),
    ("a server that does not answer", [proxy(accepts=None, answered=False), client("mtls")], set()),
    ("a client that has the rule before", [proxy(), client("plaintext")], {"shop/a-1", "shop/c-1"}),
]


@pytest.mark.parametrize(("what", "proxies", "pods"), CASES, ids=[row[0] for row in CASES])
def test_who_is_worth_asking_again(what, proxies, pods):
    assert unsettled(RESULT, proxies, AT) == pods
