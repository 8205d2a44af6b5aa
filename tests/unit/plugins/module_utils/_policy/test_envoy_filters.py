# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an EnvoyFilter can change is unknown, unless all of it is known to be harmless."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.envoy_filters import NOTHING, touched_by
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests.harmless_patches import (
    EVERYWHERE,
    FIELDS,
    FILTERS,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    GATEWAY_ACCEPTS,
    GATEWAY_SENDS,
    SIDECAR_ACCEPTS,
    SIDECAR_SENDS,
    Touch,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    service,
    workload,
)

STRICT = peer("istio-system/default", "STRICT")
SENDS = frozenset((SIDECAR_SENDS, GATEWAY_SENDS))
BUT_GATEWAYS_ACCEPT = EVERYWHERE - {GATEWAY_ACCEPTS}
INBOUND, OUTBOUND = frozenset((SIDECAR_ACCEPTS,)), frozenset((SIDECAR_SENDS,))
EXTENSIONS = "type.googleapis.com/envoy.extensions.filters"
STRUCT = "type.googleapis.com/xds.type.v3.TypedStruct"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def patch(target: Any, operation: Any = "MERGE", context: Any = None, **value: Any) -> dict[str, Any]:
    match = {"match": {"context": context}} if context is not None else {}
    return {"applyTo": target, **match, "patch": {"operation": operation, **({"value": value} if value else {})}}


def configured(kind: str, **fields: Any) -> dict[str, Any]:
    """The value of a patch of a filter: `http.lua.v3.Lua` with its fields."""
    return {"name": "mine", "typed_config": {"@type": f"{EXTENSIONS}.{kind}", **fields}}


LUA = configured("http.lua.v3.Lua", default_source_code={"inline_string": "function envoy_on_request(h) end"})
WASM = configured("http.wasm.v3.Wasm", config={"vm_config": {"code": {"local": {"filename": "/x.wasm"}}}})
HTTP_LIMIT = configured("http.local_ratelimit.v3.LocalRateLimit", token_bucket={"max_tokens": 10})
TCP_LIMIT = configured("network.local_ratelimit.v3.LocalRateLimit", token_bucket={"max_tokens": 10})
LOGS = [
    {"name": "envoy.access_loggers.file", "typed_config": {"@type": "type.googleapis.com/x", "path": "/dev/stdout"}}
]
MANAGER = "network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = "network.tcp_proxy.v3.TcpProxy"
KEEPALIVE = [{"level": 1, "name": 9, "int_value": 1, "state": "STATE_LISTENING"}, {"level": 6, "name": 4}]
ANSWER = {"match": {"prefix": "/"}, "direct_response": {"status": 503}}

HARMLESS = [
    ("a filter at a gateway that is told nothing", patch("HTTP_FILTER", "INSERT_BEFORE", "GATEWAY", name="my.limit")),
    ("a network filter less, for what a gateway sends",
     {"applyTo": "NETWORK_FILTER", "match": {"context": "GATEWAY"}, "patch": {"operation": "REMOVE"}}),
    ("an operation that Istio has for filters only", patch("CLUSTER", "REPLACE", transport_socket={})),
    ("route configurations are only merged", patch("ROUTE_CONFIGURATION", "ADD", name="9080")),
    ("Lua behind the TLS of a sidecar", patch("HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_INBOUND", **LUA)),
    ("Lua at a gateway", patch("HTTP_FILTER", "INSERT_FIRST", "GATEWAY", **LUA)),
    ("Wasm behind the TLS of a sidecar", patch("HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_INBOUND", **WASM)),
    ("headers behind the TLS of a sidecar",
     patch("HTTP_FILTER", "INSERT_FIRST", "SIDECAR_INBOUND", **configured("http.header_mutation.v3.HeaderMutation"))),
    ("a limit of requests wherever", patch("HTTP_FILTER", "INSERT_BEFORE", "ANY", **HTTP_LIMIT)),
    ("a global limit of requests", patch("HTTP_FILTER", "INSERT_BEFORE", "GATEWAY", **configured(
        "http.ratelimit.v3.RateLimit", rate_limit_service={"grpc_service": {"envoy_grpc": {"cluster_name": "x"}}}))),
    ("compression", patch("HTTP_FILTER", "INSERT_BEFORE", **configured("http.compressor.v3.Compressor"))),
    ("a filter whose configuration is a struct", patch(
        "HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_OUTBOUND", name="mine",
        typed_config={"@type": STRUCT, "type_url": f"{EXTENSIONS}.http.buffer.v3.Buffer", "value": {}})),
    ("a filter that comes by ECDS", patch(
        "HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_INBOUND", name="mine",
        config_discovery={"config_source": {"ads": {}}, "type_urls": [f"{EXTENSIONS}.http.wasm.v3.Wasm"]})),
    ("what comes by ECDS", patch("EXTENSION_CONFIG", "ADD", "SIDECAR_INBOUND", **WASM)),
    ("an HTTP filter of a sidecar less", patch("HTTP_FILTER", "REMOVE", "SIDECAR_INBOUND")),
    ("Envoy's headers left out", patch("HTTP_FILTER", "MERGE", "SIDECAR_OUTBOUND", **configured(
        "http.router.v3.Router", suppress_envoy_headers=True))),
    ("a limit of connections", patch("NETWORK_FILTER", "INSERT_FIRST", **TCP_LIMIT)),
    ("times of HTTP", patch("NETWORK_FILTER", **configured(
        MANAGER, common_http_protocol_options={"idle_timeout": "30s"}, stream_idle_timeout="5s", requestTimeout="9s"))),
    ("access logs and tracing of HTTP", patch("NETWORK_FILTER", **configured(
        MANAGER, access_log=LOGS, tracing={"random_sampling": {"value": 1}}))),
    ("whom a gateway believes about addresses", patch("NETWORK_FILTER", "MERGE", "GATEWAY", **configured(
        MANAGER, xff_num_trusted_hops=2, use_remote_address=True, normalize_path=True))),
    ("WebSocket", patch("NETWORK_FILTER", **configured(MANAGER, upgrade_configs=[{"upgrade_type": "websocket"}]))),
    ("an idle timeout of TCP", patch("NETWORK_FILTER", **configured(TCP_PROXY, idle_timeout="24h"))),
    ("times of clusters", patch("CLUSTER", connect_timeout="5s", dns_lookup_family="V4_ONLY")),
    ("in the other spelling", patch("CLUSTER", connectTimeout="5s", circuitBreakers={"thresholds": [{}]})),
    ("keep-alive to servers", patch("CLUSTER", upstream_connection_options={"tcp_keepalive": {"keepalive_time": 1}})),
    ("an idle timeout to servers", patch("CLUSTER", typed_extension_protocol_options={HTTP2: {
        "@type": f"type.googleapis.com/{HTTP2}", "common_http_protocol_options": {"idle_timeout": "1s"}}})),
    ("an application with TLS of its own",
     patch("CLUSTER", "MERGE", "SIDECAR_INBOUND", transport_socket={"name": "x"})),
    ("a cluster beside the others", patch("CLUSTER", "ADD", name="rate-limit", type="STRICT_DNS")),
    ("buffers and access logs of listeners", patch("LISTENER", per_connection_buffer_limit_bytes=1, access_log=LOGS)),
    ("keep-alive of clients", patch("LISTENER", socket_options=KEEPALIVE)),
    ("time for handshakes", patch("FILTER_CHAIN", transport_socket_connect_timeout="5s")),
    ("the proxy protocol at a gateway", patch("LISTENER_FILTER", "INSERT_FIRST", "GATEWAY", **configured(
        "listener.proxy_protocol.v3.ProxyProtocol"))),
    ("times and retries of a route", patch("HTTP_ROUTE", route={"timeout": "0s", "retry_policy": {"num_retries": 3}})),
    ("WebSocket on a route", patch("HTTP_ROUTE", route={"upgradeConfigs": [{"upgradeType": "websocket"}]})),
    ("limits of a virtual host", patch("VIRTUAL_HOST", rate_limits=[{"actions": []}], response_headers_to_add=[{}])),
    ("settings of a filter on a route", patch("HTTP_ROUTE", "MERGE", "SIDECAR_INBOUND", typed_per_filter_config={
        "mine": {"@type": f"{EXTENSIONS}.http.lua.v3.LuaPerRoute", "disabled": True}})),
    ("headers of all routes", patch("ROUTE_CONFIGURATION", response_headers_to_remove=["server"])),
    ("a route that answers itself", patch("HTTP_ROUTE", "INSERT_FIRST", "GATEWAY", **ANSWER)),
    ("a virtual host that answers itself",
     patch("VIRTUAL_HOST", "ADD", "GATEWAY", name="x", domains=["*"], routes=[ANSWER])),
    ("statistics and limits of a proxy", patch("BOOTSTRAP", stats_config={"stats_tags": []}, layered_runtime={
        "layers": [{"name": "x", "static_layer": {"overload": {"global_downstream_max_connections": 9}}}]})),
    ("a cluster of the bootstrap", patch("BOOTSTRAP", static_resources={"clusters": [{"name": "traces"}]})),
    ("nothing at all", patch("CLUSTER")),
]  # fmt: skip

DOUBTFUL = [
    ("TLS of clusters", patch("CLUSTER", transport_socket={"name": "x"}), SENDS),
    ("TLS of clusters by match", patch("CLUSTER", transportSocketMatches=[]), BUT_GATEWAYS_ACCEPT),
    ("TLS of clusters as it was written once", patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", tls_context={}), OUTBOUND),
    ("endpoints by another name", patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", eds_cluster_config={}), OUTBOUND),
    ("other endpoints", patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", load_assignment={}), OUTBOUND),
    ("another network filter of clusters", patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", filters=[]), OUTBOUND),
    ("names for certificates", patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", typed_extension_protocol_options={
        HTTP2: {"upstream_http_protocol_options": {"auto_sni": True}}}), OUTBOUND),
    ("a harmless field beside a harmful one",
     patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", connect_timeout="1s", type="ORIGINAL_DST"), OUTBOUND),
    ("another application", patch("CLUSTER", "MERGE", "SIDECAR_INBOUND", load_assignment={}), INBOUND),
    ("clusters that go", patch("CLUSTER", "REMOVE"), SENDS),
    ("a cluster in place of Istio's", patch("CLUSTER", "ADD", "GATEWAY", name="PassthroughCluster"),
     frozenset((GATEWAY_SENDS,))),
    ("a cluster in place of a port's", patch("CLUSTER", "ADD", "SIDECAR_INBOUND", name="inbound|80||"), INBOUND),
    ("a cluster in place of a port's, from the other side",
     patch("CLUSTER", "ADD", "SIDECAR_OUTBOUND", name="inbound|80||"), INBOUND | OUTBOUND),
    ("a cluster without a name", patch("CLUSTER", "ADD", "SIDECAR_OUTBOUND", type="STATIC"), OUTBOUND),
    ("where a listener listens", patch("LISTENER", "MERGE", "SIDECAR_INBOUND", bindToPort=False), INBOUND),
    ("whether a listener listens, as once", patch("LISTENER", "MERGE", "SIDECAR_INBOUND", deprecated_v1={}), INBOUND),
    ("an option of sockets that hides who calls",
     patch("LISTENER", "MERGE", "SIDECAR_INBOUND", socket_options=[*KEEPALIVE, {"level": 0, "name": 19}]), INBOUND),
    ("a listener more", patch("LISTENER", "ADD", "GATEWAY", name="x"), frozenset((GATEWAY_ACCEPTS, GATEWAY_SENDS))),
    ("a filter chain", patch("FILTER_CHAIN", "ADD"), EVERYWHERE),
    ("what chooses a filter chain", patch("FILTER_CHAIN", "MERGE", "SIDECAR_INBOUND", filter_chain_match={}), INBOUND),
    ("what inspects TLS", patch("LISTENER_FILTER", "REMOVE", "SIDECAR_INBOUND"), INBOUND),
    ("the proxy protocol at a sidecar", patch("LISTENER_FILTER", "INSERT_FIRST", "SIDECAR_INBOUND", **configured(
        "listener.proxy_protocol.v3.ProxyProtocol")), INBOUND),
    ("original_src at a gateway", patch("LISTENER_FILTER", "ADD", "GATEWAY", **configured(
        "listener.original_src.v3.OriginalSrc")), frozenset((GATEWAY_ACCEPTS,))),
    ("another TCP proxy", patch("NETWORK_FILTER", "REPLACE", **TCP_LIMIT), BUT_GATEWAYS_ACCEPT),
    ("another cluster for TCP", patch("NETWORK_FILTER", "MERGE", "SIDECAR_OUTBOUND", **configured(
        TCP_PROXY, cluster="PassthroughCluster")), OUTBOUND),
    ("another TCP proxy in front", patch("NETWORK_FILTER", "INSERT_FIRST", "SIDECAR_INBOUND", **configured(
        TCP_PROXY, cluster="x")), INBOUND),
    ("the cluster that the caller names", patch("NETWORK_FILTER", "INSERT_FIRST", "SIDECAR_OUTBOUND", **configured(
        "network.sni_cluster.v3.SniCluster")), OUTBOUND),
    ("other routes for HTTP", patch("NETWORK_FILTER", "MERGE", "GATEWAY", **configured(MANAGER, route_config={})),
     frozenset((GATEWAY_SENDS,))),
    ("CONNECT with filters of its own", patch("NETWORK_FILTER", "MERGE", "SIDECAR_OUTBOUND", **configured(
        MANAGER, upgrade_configs=[{"upgrade_type": "CONNECT", "filters": []}])), OUTBOUND),
    ("Lua where another route could fit", patch("HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_OUTBOUND", **LUA), OUTBOUND),
    ("Lua in no context of its own", patch("HTTP_FILTER", "INSERT_BEFORE", **LUA), OUTBOUND),
    ("a type that nobody knows",
     patch("HTTP_FILTER", "ADD", "SIDECAR_INBOUND", **configured("http.new.v3.New")), INBOUND),
    ("a type that only looks like one", patch("HTTP_FILTER", "ADD", "SIDECAR_INBOUND", typed_config={
        "@type": "evil.example/x.envoy.extensions.filters.http.lua.v3.Lua"}), INBOUND),
    ("a struct of a type that chooses clusters", patch(
        "NETWORK_FILTER", "INSERT_FIRST", "SIDECAR_OUTBOUND",
        typed_config={"@type": STRUCT, "type_url": f"{EXTENSIONS}.{TCP_PROXY}", "value": {"cluster": "x"}}), OUTBOUND),
    ("a filter without a type",
     patch("HTTP_FILTER", "ADD", "SIDECAR_OUTBOUND", name="envoy.filters.http.buffer"), OUTBOUND),
    ("any type by ECDS", patch("HTTP_FILTER", "ADD", "SIDECAR_OUTBOUND", config_discovery={"type_urls": []}), OUTBOUND),
    ("a filter beside one by ECDS", patch("HTTP_FILTER", "ADD", "SIDECAR_OUTBOUND", **HTTP_LIMIT, config_discovery={
        "type_urls": [f"{EXTENSIONS}.http.buffer.v3.Buffer"]}), OUTBOUND),
    ("Wasm by ECDS on the way out", patch("EXTENSION_CONFIG", "ADD", "SIDECAR_OUTBOUND", **WASM), OUTBOUND),
    ("an HTTP filter less on the way out", patch("HTTP_FILTER", "REMOVE", "SIDECAR_OUTBOUND"), OUTBOUND),
    ("another cluster of a route", patch("HTTP_ROUTE", "MERGE", "SIDECAR_OUTBOUND", route={"cluster": "x"}), OUTBOUND),
    ("the cluster that a header names", patch("HTTP_ROUTE", "MERGE", "GATEWAY", route={"clusterHeader": "x"}),
     frozenset((GATEWAY_SENDS,))),
    ("clusters by weight", patch("HTTP_ROUTE", "MERGE", "SIDECAR_INBOUND", route={"weighted_clusters": {}}), INBOUND),
    ("a copy for somebody else",
     patch("VIRTUAL_HOST", "MERGE", "SIDECAR_INBOUND", request_mirror_policies=[{}]), INBOUND),
    ("a copy of what a route takes",
     patch("HTTP_ROUTE", "MERGE", "SIDECAR_OUTBOUND", route={"request_mirror_policies": [{}]}), OUTBOUND),
    ("redirects that the proxy follows itself",
     patch("HTTP_ROUTE", "MERGE", "SIDECAR_OUTBOUND", route={"internal_redirect_policy": {}}), OUTBOUND),
    ("a route more", patch("HTTP_ROUTE", "ADD", "SIDECAR_OUTBOUND", match={"prefix": "/"}, route={"cluster": "x"}),
     OUTBOUND),
    ("what a route matches", patch("HTTP_ROUTE", "MERGE", "SIDECAR_OUTBOUND", match={"prefix": "/x"}), OUTBOUND),
    ("a route less", patch("HTTP_ROUTE", "REMOVE", "SIDECAR_OUTBOUND"), OUTBOUND),
    ("other hosts", patch("VIRTUAL_HOST", "MERGE", "SIDECAR_OUTBOUND", domains=["x"]), OUTBOUND),
    ("a virtual host with a route to a cluster", patch("VIRTUAL_HOST", "ADD", "SIDECAR_OUTBOUND", routes=[
        ANSWER, {"match": {}, "route": {"cluster": "x"}}]), OUTBOUND),
    ("virtual hosts from elsewhere", patch("ROUTE_CONFIGURATION", "MERGE", "SIDECAR_OUTBOUND", vhds={}), OUTBOUND),
    ("a listener in the bootstrap", patch("BOOTSTRAP", static_resources={"listeners": [{}]}), EVERYWHERE),
    ("the bootstrap has no context", patch("BOOTSTRAP", "MERGE", "SIDECAR_OUTBOUND", admin={}), EVERYWHERE),
    ("a cluster of the bootstrap in place of another",
     patch("BOOTSTRAP", static_resources={"clusters": [{"name": "xds-grpc"}]}), EVERYWHERE),
    ("a runtime key that nobody looked at",
     patch("BOOTSTRAP", layered_runtime={"layers": [{"static_layer": {"envoy.features.x": False}}]}), EVERYWHERE),
    ("a target that nobody knows", patch("SOCKET", context="GATEWAY"), EVERYWHERE),
    ("a target in lower case", patch("http_filter", "INSERT_FIRST", "SIDECAR_INBOUND", **LUA), EVERYWHERE),
    ("a context that nobody knows", patch("CLUSTER", context="SIDECAR", connect_timeout="1s"), EVERYWHERE),
    ("an operation that nobody knows", patch("HTTP_FILTER", "UPSERT", "GATEWAY", **LUA), EVERYWHERE),
    ("no operation", {"applyTo": "HTTP_FILTER"}, EVERYWHERE),
    ("no target", {"patch": {"operation": "REMOVE"}}, EVERYWHERE),
]  # fmt: skip


@pytest.mark.parametrize("entry", [row[1] for row in HARMLESS], ids=[row[0] for row in HARMLESS])
def test_what_is_listed_as_harmless_touches_nothing(entry):
    assert touched_by(entry) == NOTHING


@pytest.mark.parametrize(("entry", "touched"), [row[1:] for row in DOUBTFUL], ids=[row[0] for row in DOUBTFUL])
def test_anything_else_is_doubt_about_the_sides_that_it_is_for(entry, touched):
    assert {touch.side for touch in touched_by(entry)} == touched


def matching(entry: dict[str, Any], **match: Any) -> dict[str, Any]:
    """A patch with more in its match."""
    return {**entry, "match": {**entry.get("match", {}), **match}}


TLS_OF_CLUSTERS = patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", transport_socket={})
APPLICATION = patch("CLUSTER", "MERGE", "SIDECAR_INBOUND", load_assignment={})
CHAIN = patch("FILTER_CHAIN", "MERGE", "SIDECAR_INBOUND", transport_socket={})
ROUTE = patch("HTTP_ROUTE", "MERGE", "SIDECAR_OUTBOUND", route={"cluster": "x"})
OUT_LUA = patch("HTTP_FILTER", "INSERT_FIRST", "SIDECAR_OUTBOUND", **LUA)
WEB = "web.shop.svc.cluster.local"
ALL_OUT, ALL_IN = Touch(SIDECAR_SENDS), Touch(SIDECAR_ACCEPTS)
REACH = [
    ("a cluster of a service", matching(TLS_OF_CLUSTERS, cluster={"service": WEB}), Touch(SIDECAR_SENDS, WEB)),
    ("a cluster of a port", matching(TLS_OF_CLUSTERS, cluster={"portNumber": 80}), Touch(SIDECAR_SENDS, "", 80)),
    ("a cluster of a subset", matching(TLS_OF_CLUSTERS, cluster={"service": WEB, "portNumber": 80, "subset": "v1"}),
     Touch(SIDECAR_SENDS, WEB, 80, "v1")),
    ("a cluster by its name", matching(TLS_OF_CLUSTERS, cluster={"name": f"outbound|80|v1|{WEB}"}),
     Touch(SIDECAR_SENDS, WEB, 80, "v1")),
    ("by its name, the one without a subset", matching(TLS_OF_CLUSTERS, cluster={"name": f"outbound|80||{WEB}"}),
     Touch(SIDECAR_SENDS, WEB, 80, "")),
    ("a name goes before the rest", matching(TLS_OF_CLUSTERS, cluster={"name": f"outbound|80||{WEB}", "service": "x"}),
     Touch(SIDECAR_SENDS, WEB, 80, "")),
    ("an inbound cluster is nothing that is sent", matching(TLS_OF_CLUSTERS, cluster={"name": "inbound|80||"}), None),
    ("one that an EnvoyFilter added", matching(TLS_OF_CLUSTERS, cluster={"name": "limits"}), None),
    ("the one for what nobody knows", matching(TLS_OF_CLUSTERS, cluster={"name": "PassthroughCluster"}), ALL_OUT),
    ("a gateway's own kind of name", matching(TLS_OF_CLUSTERS, cluster={"name": "outbound_.80_._.x.y"}), ALL_OUT),
    *(
        (f"a cluster by {what}", matching(TLS_OF_CLUSTERS, cluster={"name": name}), touched)
        for what, name, touched in (
            ("a name of three parts", f"outbound|80|{WEB}", ALL_OUT),
            ("a name of five parts", f"outbound|80|v1|x|{WEB}", ALL_OUT),
            ("a name with no port", f"outbound|http|v1|{WEB}", ALL_OUT),
            ("a name of another side", f"sideways|80|v1|{WEB}", ALL_OUT),
        )
    ),
    ("an empty match of clusters", matching(TLS_OF_CLUSTERS, cluster={}), ALL_OUT),
    ("a match in another spelling", matching(TLS_OF_CLUSTERS, cluster={"service": WEB, "port_number": 80}), ALL_OUT),
    ("a port that is none", matching(TLS_OF_CLUSTERS, cluster={"portNumber": 70000}), ALL_OUT),
    ("a service that is no text", matching(TLS_OF_CLUSTERS, cluster={"service": [WEB]}), ALL_OUT),
    ("the match of a listener does not count for clusters", matching(TLS_OF_CLUSTERS, listener={"portNumber": 80}),
     ALL_OUT),
    ("a cluster under another name", matching(patch("CLUSTER", "MERGE", "SIDECAR_OUTBOUND", name="outbound|80||b"),
                                              cluster={"service": WEB}), ALL_OUT),
    ("an added cluster is matched with none", matching(
        patch("CLUSTER", "ADD", "SIDECAR_OUTBOUND", name="outbound|80||x"), cluster={"service": WEB}), ALL_OUT),
    ("a port of the application", matching(APPLICATION, cluster={"portNumber": 8080}),
     Touch(SIDECAR_ACCEPTS, "", 8080)),
    ("a port of the application by name", matching(APPLICATION, cluster={"name": "inbound|8080||"}),
     Touch(SIDECAR_ACCEPTS, "", 8080)),
    ("the Service of the application", matching(APPLICATION, cluster={"service": WEB}), ALL_IN),
    ("a chain of a port", matching(CHAIN, listener={"portNumber": 8080}), Touch(SIDECAR_ACCEPTS, "", 8080)),
    ("a chain by its port", matching(CHAIN, listener={"name": "virtualInbound", "filterChain": {
        "destinationPort": 8080}}), Touch(SIDECAR_ACCEPTS, "", 8080)),
    ("a chain by what else it has", matching(CHAIN, listener={"filterChain": {"transportProtocol": "tls"}}), ALL_IN),
    ("a chain that gets another port", matching(
        patch("FILTER_CHAIN", "MERGE", "SIDECAR_INBOUND", filterChainMatch={"destination_port": 9090}),
        listener={"portNumber": 8080}), ALL_IN),
    ("a chain more, wherever", matching(patch("FILTER_CHAIN", "ADD", "SIDECAR_INBOUND"),
                                        listener={"portNumber": 8080}), ALL_IN),
    ("filters of a listener for all ports", matching(patch("LISTENER_FILTER", "REMOVE", "SIDECAR_INBOUND"),
                                                     listener={"portNumber": 8080}), ALL_IN),
    ("the listener for all ports", matching(patch("LISTENER", "REMOVE", "SIDECAR_INBOUND"),
                                            listener={"portNumber": 15006}), ALL_IN),
    ("an added listener is matched with none", matching(
        patch("LISTENER", "ADD", "SIDECAR_INBOUND", name="x"), listener={"portNumber": 8080}), ALL_IN),
    ("a listener beside it", matching(patch("LISTENER", "REMOVE", "SIDECAR_INBOUND"), listener={"portNumber": 8080}),
     Touch(SIDECAR_ACCEPTS, "", 8080)),
    ("a listener of a gateway", matching(patch("LISTENER", "MERGE", "GATEWAY", use_original_dst=True),
                                         listener={"portNumber": 8443}), Touch(GATEWAY_ACCEPTS, "", 8443)),
    ("the way out of a port", matching(OUT_LUA, listener={"portNumber": 80, "filterChain": {"filter": {
        "name": "envoy.filters.network.http_connection_manager"}}}), Touch(SIDECAR_SENDS, "", 80)),
    ("the way out of all ports", matching(patch("LISTENER", "REMOVE", "SIDECAR_OUTBOUND"),
                                          listener={"portNumber": 15001}), ALL_OUT),
    ("routes of a port", matching(ROUTE, routeConfiguration={"portNumber": 80}), Touch(SIDECAR_SENDS, "", 80)),
    ("routes of a port by name", matching(ROUTE, routeConfiguration={"name": "80"}), Touch(SIDECAR_SENDS, "", 80)),
    ("routes of a host", matching(ROUTE, routeConfiguration={"vhost": {"name": f"{WEB}:80", "route": {"name": "r"}}}),
     Touch(SIDECAR_SENDS, WEB, 80)),
    ("a configuration of routes, whatever host it names", matching(
        patch("ROUTE_CONFIGURATION", "MERGE", "SIDECAR_OUTBOUND", virtual_hosts=[]),
        routeConfiguration={"vhost": {"name": f"{WEB}:80"}}), ALL_OUT),
    ("routes by a domain", matching(ROUTE, routeConfiguration={"vhost": {"domainName": WEB}}), ALL_OUT),
    ("routes of what no route fits", matching(ROUTE, routeConfiguration={"vhost": {"name": "allow_any"}}), ALL_OUT),
    ("a host that takes other names", matching(patch("VIRTUAL_HOST", "MERGE", "SIDECAR_OUTBOUND", domains=["*"]),
                                               routeConfiguration={"vhost": {"name": f"{WEB}:80"}}), ALL_OUT),
    ("a route of a gateway leads anywhere", matching(patch("HTTP_ROUTE", "MERGE", "GATEWAY", route={"cluster": "x"}),
                                                     routeConfiguration={"portNumber": 80}), Touch(GATEWAY_SENDS)),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "touch"), [row[1:] for row in REACH], ids=[row[0] for row in REACH])
def test_a_match_narrows_what_is_doubtful(entry, touch):
    gateways = SENDS - {SIDECAR_SENDS} if touch != Touch(GATEWAY_SENDS) else ()
    assert [found for found in touched_by(entry) if found.side not in gateways] == ([touch] if touch else [])


def test_the_tables_give_a_reason_for_each_line_and_name_nothing_twice():
    names = [(row.what, name) for row in (*FIELDS, *FILTERS) for name in row.names.split()]
    assert len(set(names)) == len(names)
    assert all(row.why and row.where <= EVERYWHERE for row in (*FIELDS, *FILTERS))


def envoy_filter(*patches: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return istio("EnvoyFilter", "demo/f", {"configPatches": list(patches), **spec})


@pytest.mark.parametrize(
    ("reference", "mode"),
    [
        ({"kind": "Gateway", "name": "a"}, "STRICT"),
        ({"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}, "STRICT"),
        ({"kind": "Service", "group": "", "name": "a"}, "STRICT"),
        ({"kind": "Planet", "name": "a"}, "unknown"),
        ({"kind": "Service", "group": "planets.example", "name": "a"}, "unknown"),
        ({"kind": "Gateway"}, "unknown"),
    ],
    ids=[
        "a Gateway",
        "with its group",
        "a Service",
        "a kind that nobody knows",
        "a group that nobody knows",
        "no name",
    ],
)
def test_one_with_targets_is_for_these(reference, mode):
    odd = envoy_filter(patch("LISTENER", "REMOVE"), targetRefs=[reference])
    assert workload(judge(mesh_config(), STRICT, pod("demo/a"), odd), "demo/a")["mode"] == mode


@pytest.mark.parametrize(
    "spec",
    [
        {"configPatches": [], "configPatch": [patch("LISTENER", "REMOVE")]},
        {"configPatches": [{**patch("CLUSTER", connect_timeout="1s"), "patches": []}]},
        {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "values": {}}}]},
        {"configPatches": [], "workloadLabels": {"app": "b"}},
        {"configPatches": {}},
        {"configPatches": [3]},
    ],
    ids=["a slip in configPatches", "a field more", "a slip in value", "a field of old", "no list", "no mapping"],
)
def test_one_that_istio_would_refuse_could_be_any(spec):
    odd = istio("EnvoyFilter", "demo/f", spec)
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("shop/a"), odd)
    assert [workload(result, place)["mode"] for place in ("demo/a", "shop/a")] == ["unknown", "STRICT"]


def test_targets_do_not_hide_a_selector():
    targets = [{"kind": "Gateway", "name": "x"}]
    selector = {"labels": {"app": "a"}}
    odd = envoy_filter(patch("LISTENER", "REMOVE"), targetRefs=targets, workloadSelector=selector)
    assert workload(judge(mesh_config(), STRICT, pod("demo/a"), odd), "demo/a")["mode"] == "unknown"


def gateway_with(*more: dict[str, Any], **options: Any) -> dict[str, Any]:
    servers = [{"port": {"number": 8443, "protocol": "HTTPS"}, "tls": {"mode": "SIMPLE"}}]
    door = [
        pod("demo/door", "gateway", ports=[]),
        istio("Gateway", "demo/g", {"selector": {"app": "door"}, "servers": servers}),
        service("demo/door", ports=[{"name": "x", "port": 443, "targetPort": 8443}]),
    ]
    return judge(mesh_config(), STRICT, *door, pod("shop/a"), service("shop/a"), *more, **options)


@pytest.mark.parametrize(
    ("entry", "accepted", "to_the_gateway", "from_the_gateway"),
    [
        (patch("HTTP_FILTER", "INSERT_FIRST", "GATEWAY", **LUA), "refused", "tls", "mtls"),
        (patch("FILTER_CHAIN", "MERGE", "GATEWAY", transport_socket={}), "unknown", "unknown", "mtls"),
        (patch("CLUSTER", "MERGE", "GATEWAY", transport_socket={}), "refused", "tls", "unknown"),
        (patch("LISTENER", "REMOVE", "SIDECAR_INBOUND"), "refused", "tls", "mtls"),
    ],
    ids=["a harmless one", "its filter chains", "its clusters", "another context"],
)
def test_what_a_gateway_serves_and_sends(entry, accepted, to_the_gateway, from_the_gateway):
    result = gateway_with(envoy_filter(entry))
    assert [port["plaintext"] for port in workload(result, "demo/door")["ports"]] == [accepted]
    assert verdicts(result, "shop/a", "demo/door") == {to_the_gateway}
    assert verdicts(result, "demo/door", "shop/a") == {from_the_gateway}
    assert bool([item for item in result["unknown"] if item["kind"] == "EnvoyFilter"]) == (accepted == "unknown")


def verdicts(result: dict[str, Any], client: str, server: str) -> set[str]:
    place = "/Deployment/".join(client.split("/"))
    return {
        edge["verdict"]
        for edge in result["edges"]
        if edge["service"] == server and place in result["client_sets"][edge["clients"]]
    }


def test_envoy_filters_that_were_not_read_may_open_a_gateway():
    result = gateway_with(unread=[{"kind": "EnvoyFilter", "namespace": "demo", "reason": "forbidden"}])
    assert [port["plaintext"] for port in workload(result, "demo/door")["ports"]] == ["unknown"]


def test_a_doubtful_one_on_the_way_out_leaves_the_servers_side_alone():
    result = judge(mesh_config(), STRICT, pod("demo/a"), pod("shop/b"), service("shop/b"),
                   envoy_filter(patch("HTTP_FILTER", "INSERT_BEFORE", "SIDECAR_OUTBOUND", **LUA)))  # fmt: skip
    assert answer(result, "demo/a", "shop/b") == "unknown -> unknown"
    assert workload(result, "demo/a")["mode"] == "STRICT"


def test_what_is_sent_is_doubtful_where_a_match_leads_and_nowhere_else():
    subsets = {"host": "b", "subsets": [{"name": "v1", "labels": {"app": "b"}}]}
    odd = envoy_filter(matching(TLS_OF_CLUSTERS, cluster={"service": "b.shop.svc.cluster.local", "subset": "v1"}))
    world = [pod("demo/a"), pod("shop/b"), pod("shop/c"), service("shop/b"), service("shop/c")]
    result = judge(mesh_config(), STRICT, *world, istio("DestinationRule", "shop/b", subsets), odd)
    found = {
        (edge["service"], edge["subset"]): edge["verdict"]
        for edge in result["edges"]
        if "demo/Deployment/a" in result["client_sets"][edge["clients"]]
    }
    assert found == {("shop/b", None): "mtls", ("shop/b", "v1"): "unknown", ("shop/c", None): "mtls"}


def test_who_is_not_selected_sends_as_before():
    odd = envoy_filter(
        matching(TLS_OF_CLUSTERS, cluster={"service": "b.shop.svc.cluster.local"}),
        workloadSelector={"labels": {"app": "a"}},
    )
    world = [pod("demo/a"), pod("demo/z"), pod("shop/b"), service("shop/b")]
    result = judge(mesh_config(), STRICT, *world, odd)
    assert (verdicts(result, "demo/a", "shop/b"), verdicts(result, "demo/z", "shop/b")) == ({"unknown"}, {"mtls"})


def test_a_port_of_a_server_is_doubtful_by_itself():
    ports = [{"containerPort": number} for number in (8080, 9090)]
    odd = envoy_filter(matching(CHAIN, listener={"portNumber": 9090}))
    web = service("demo/a", ports=[{"name": f"p{number}", "port": number} for number in (8080, 9090)])
    result = judge(mesh_config(), STRICT, pod("demo/a", ports=ports), pod("shop/b"), web, odd)
    server = workload(result, "demo/a")
    assert server["mode"] == "STRICT"
    assert {port["port"]: port["plaintext"] for port in server["ports"]} == {8080: "refused", 9090: "unknown"}
    found = {
        edge["port"]: edge["verdict"]
        for edge in result["edges"]
        if "shop/Deployment/b" in result["client_sets"][edge["clients"]]
    }
    assert found == {8080: "mtls", 9090: "unknown"}
    assert [row["touches"] for row in result["unknown"] if row["kind"] == "EnvoyFilter"] == [
        "incoming edges of demo/Deployment/a, port 9090"
    ]


def test_a_proxy_for_any_port_is_touched_by_what_is_for_one():
    egress = [{"port": {"number": 3128, "name": "p", "protocol": "HTTP_PROXY"}, "bind": "127.0.0.1", "hosts": ["*/*"]}]
    odd = envoy_filter(matching(OUT_LUA, listener={"portNumber": 3128}))
    world = [pod("demo/a"), pod("shop/b"), service("shop/b"), odd]
    asked = istio("Sidecar", "demo/s", {"egress": [*egress, {"hosts": ["*/*"]}]})
    assert verdicts(judge(mesh_config(), STRICT, *world), "demo/a", "shop/b") == {"mtls"}
    assert verdicts(judge(mesh_config(), STRICT, *world, asked), "demo/a", "shop/b") == {"unknown"}
