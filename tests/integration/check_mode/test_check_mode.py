"""`site --check --diff` on a cluster that has nothing yet: it passes, shows what would come, and changes nothing."""

from __future__ import annotations

import re

import pytest
from kubernetes import client

from tests.cluster_runs import must
from tests.inventory import differences, inventory


def test_a_check_of_site_on_a_cluster_without_istio(api: client.ApiClient) -> None:
    before = inventory(api)
    if any("istio.io" in key for key in before):
        pytest.skip("this cluster has an Istio; the test is about one without")
    shown = must("site", "--check", "--diff")
    assert differences(before, inventory(api)) == []
    for came in ("kind: PeerAuthentication", "kind: DestinationRule", "kind: Deployment", "istio-injection"):
        assert came in shown, f"the diff does not show {came}\n{shown}"
    assert int(re.findall(r"changed=(\d+)", shown)[-1]) > 0
