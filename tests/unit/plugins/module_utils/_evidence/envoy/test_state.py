# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a proxy is, whom it is connected to, and what became of its last configuration."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import state
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    configs,
    recorded,
)

STREAM = "cluster.xds-grpc.upstream_rq_"
ACCEPTED = {
    "listener_manager.lds.update_rejected": "0",
    "cluster_manager.cds.update_rejected": "0",
    "listener_manager.lds.update_time": "1795385172884",
    "cluster_manager.cds.update_time": "1795385172882",
}
TIME = "2026-11-22T22:06:12Z"
LISTENERS_REJECTED = {**ACCEPTED, "listener_manager.lds.update_rejected": "3"}
CLUSTERS_REJECTED = {**ACCEPTED, "cluster_manager.cds.update_rejected": "2"}
ERROR = {"error_state": {"details": "no such filter"}}


def test_recorded_of_a_real_sidecar():
    node = state.node(configs("strict", "node"))
    values = state.stats(recorded("strict")["statistics"])
    assert node == ("1.31.1", "1.39.3", "istiod.istio-system.svc:15012", ("proxies-home/strict-6954b4db5f-97cs4",))
    assert state.istiod(values, node.discovery) == ("istiod.istio-system.svc:15012", True)
    found = state.configuration(values, None)
    assert (found.accepted, found.detail, found.updated[:11]) == (True, "", "2026-11-22T")
    assert state.was_rejected(values) is False


@pytest.mark.parametrize(
    ("values", "identity", "connected"),
    [
        ({f"{STREAM}active": "1", f"{STREAM}total": "3", f"{STREAM}completed": "3"}, "where", True),
        # The agent has accepted the stream, and istiod has not answered on it.
        ({f"{STREAM}active": "1", f"{STREAM}total": "6", f"{STREAM}completed": "5"}, "where", False),
        ({f"{STREAM}active": "0", f"{STREAM}total": "6", f"{STREAM}completed": "6"}, "where", False),
        ({f"{STREAM}active": "1"}, "where", None),
        ({}, "where", None),
        ({"control_plane.connected_state": "1"}, "where", True),
        ({"control_plane.connected_state": "0"}, "where", False),
        ({"control_plane.identifier": '{"Component":"istiod","ID":"istiod-1"}'}, "istiod-1", None),
        ({"control_plane.identifier": "own plane"}, "own plane", None),
    ],
)
def test_the_connection_to_istiod(values, identity, connected):
    assert state.istiod(values, "where") == (identity, connected)


@pytest.mark.parametrize(
    ("values", "listeners", "accepted", "detail", "updated"),
    [
        (ACCEPTED, None, True, "", TIME),
        (LISTENERS_REJECTED, [{"name": "virtualInbound", **ERROR}], False, "virtualInbound: no such filter", TIME),
        # The same error is there twice for a listener that exists.
        (LISTENERS_REJECTED, [ERROR, {"name": "a", **ERROR}], False, "a: no such filter", TIME),
        (LISTENERS_REJECTED, [ERROR], False, "no such filter", TIME),
        (LISTENERS_REJECTED, [{"name": "virtualInbound"}], True, "", TIME),
        (LISTENERS_REJECTED, None, None, "cannot be read", TIME),
        (CLUSTERS_REJECTED, [], None, "2 update(s) of clusters were rejected", TIME),
        ({**ACCEPTED, "cluster_manager.cds.update_time": "1795385999000"}, None, True, "", "2026-11-22T22:19:59Z"),
        ({**ACCEPTED, "cluster_manager.cds.update_time": "0"}, None, True, "", TIME),
        ({}, None, None, "keeps no statistics", ""),
        ({**ACCEPTED, "listener_manager.lds.update_time": "0", "cluster_manager.cds.update_time": "0"}, None,
         None, "not got any", ""),
    ],
)  # fmt: skip
def test_the_last_configuration(values, listeners, accepted, detail, updated):
    found = state.configuration(values, listeners)
    assert (found.accepted, found.updated) == (accepted, updated)
    assert detail in found.detail
    assert bool(found.detail) == (accepted is not True)


@pytest.mark.parametrize(("values", "expected"), [(ACCEPTED, False), (LISTENERS_REJECTED, True), ({}, False)])
def test_whether_errors_are_worth_a_question(values, expected):
    assert state.was_rejected(values) is expected


def test_statistics_by_either_name():
    text = 'cluster.xds-grpc;.upstream_rq_active: 1\ncluster.xds-grpc.upstream_rq_total: 2\nv: "text"\nno value\n'
    assert state.stats(text) == {f"{STREAM}active": "1", f"{STREAM}total": "2", "v": "text"}


@pytest.mark.parametrize("configs_found", [[], [None], [{"bootstrap": 1}], [{"bootstrap": {"node": {"metadata": []}}}]])
def test_a_node_that_says_nothing(configs_found):
    assert state.node(configs_found) == ("", "", "", ())


@pytest.mark.parametrize(
    ("identifier", "metadata", "places"),
    [
        ("sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local", {}, ("shop/cart-1",)),
        ("sidecar~10.0.0.1~cart-1.shop~x", {"NAME": "cart-1", "NAMESPACE": "shop"}, ("shop/cart-1",)),
        ("sidecar~10.0.0.1~a.b.shop~x", {"NAME": "cart-1", "NAMESPACE": "bank"}, ("bank/cart-1", "shop/a.b")),
        ("x", {"NAME": ["cart-1"], "NAMESPACE": "shop"}, ()),
        (3, {"NAME": "cart-1"}, ()),
    ],
    ids=["by its id", "by both", "by each another", "by nothing that is text", "by half"],
)
def test_for_which_pod_a_proxy_takes_itself(identifier, metadata, places):
    assert state.node([{"bootstrap": {"node": {"id": identifier, "metadata": metadata}}}]).places == places


@pytest.mark.parametrize(("body", "expected"), [(b"{}", []), (b'{"configs": [1]}', [1])])
def test_entries(body, expected):
    assert state.entries(body) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"FieldMask x could not be applied", b"{", b"\xff", b'{"configs": 3}'])
def test_what_is_no_dump(body):
    with pytest.raises(ValueError, match=r"."):
        state.entries(body)
