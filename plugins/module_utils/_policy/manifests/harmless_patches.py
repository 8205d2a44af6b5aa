# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an EnvoyFilter may set without changing whether and how traffic is encrypted, accepted, or where it goes.

Everything that is not listed here is doubt: whoever adds a line says why it is harmless. Names are those of Envoy's
API (envoy/config, envoy/extensions); `/` leads into a field, and lists count as their entries.
"""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Tuple

from ..records import GATEWAY_ACCEPTS, GATEWAY_SENDS, SIDECAR_ACCEPTS, SIDECAR_SENDS

EVERYWHERE = frozenset((SIDECAR_ACCEPTS, SIDECAR_SENDS, GATEWAY_ACCEPTS, GATEWAY_SENDS))
NOT_OUTBOUND = EVERYWHERE - {SIDECAR_SENDS}
"""A sidecar passes on as it is (passthrough) what no route of its own fits. Behind a sidecar's TLS there is one
application, and what a gateway has no route for goes nowhere; each route's destination has an edge of its own."""
INSIDE_THE_POD = frozenset((SIDECAR_ACCEPTS,))
"""Between a sidecar and its application."""


class Harmless(NamedTuple):
    """Some fields of one message, or some filters, and why they are harmless there."""

    what: str
    where: FrozenSet[str]
    why: str
    names: str


FIELDS: Tuple[Harmless, ...] = (
    Harmless(
        "CLUSTER",
        EVERYWHERE,
        "how long, how many and how much: the endpoints and the transport sockets stay",
        "connect_timeout circuit_breakers outlier_detection max_requests_per_connection preconnect_policy "
        "per_connection_buffer_limit_bytes per_connection_buffer_high_watermark_timeout upstream_connection_options "
        "connection_pool_per_downstream_connection wait_for_warm_on_init cleanup_interval "
        "close_connections_on_host_health_failure ignore_health_on_host_removal "
        "dns_refresh_rate dns_jitter dns_failure_refresh_rate respect_dns_ttl dns_lookup_family",
    ),
    Harmless(
        "CLUSTER",
        EVERYWHERE,
        "which of the same endpoints is next; the policy itself can be CLUSTER_PROVIDED, which is another kind",
        "common_lb_config ring_hash_lb_config maglev_lb_config least_request_lb_config round_robin_lb_config",
    ),
    Harmless(
        "CLUSTER",
        EVERYWHERE,
        "HTTP inside the connection; upstream_http_protocol_options would choose names that certificates must have",
        "common_http_protocol_options http_protocol_options http2_protocol_options "
        "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/@type "
        "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/"
        "common_http_protocol_options "
        "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/explicit_http_config "
        "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/"
        "use_downstream_protocol_config",
    ),
    Harmless("CLUSTER", EVERYWHERE, "telemetry", "alt_stat_name track_timeout_budgets track_cluster_stats"),
    Harmless("CLUSTER", INSIDE_THE_POD, "an application that takes TLS itself", "transport_socket"),
    Harmless(
        "LISTENER",
        EVERYWHERE,
        "how long, how many and how much; which options of a socket is looked at",
        "per_connection_buffer_limit_bytes per_connection_buffer_high_watermark_timeout listener_filters_timeout "
        "connection_balance_config tcp_backlog_size tcp_fast_open_queue_length tcp_keepalive enable_mptcp reuse_port "
        "enable_reuse_port max_connections_to_accept_per_socket_event ignore_global_conn_limit "
        "bypass_overload_manager drain_type socket_options",
    ),
    Harmless("LISTENER", EVERYWHERE, "telemetry", "access_log stat_prefix"),
    Harmless("FILTER_CHAIN", EVERYWHERE, "how long a handshake may take", "transport_socket_connect_timeout"),
    Harmless(
        "FILTER_CHAIN",
        frozenset((GATEWAY_SENDS,)),
        "whom a gateway accepts, not what it sends",
        "transport_socket filter_chain_match",
    ),
    Harmless(
        "network.http_connection_manager",
        EVERYWHERE,
        "how long, how many and how much",
        "common_http_protocol_options http_protocol_options http2_protocol_options http3_protocol_options codec_type "
        "stream_idle_timeout stream_flush_timeout request_timeout request_headers_timeout drain_timeout "
        "drain_timeout_jitter delayed_close_timeout max_request_headers_kb http1_safe_max_connection_duration "
        "stream_error_on_invalid_http_message proxy_100_continue",
    ),
    Harmless(
        "network.http_connection_manager",
        EVERYWHERE,
        "telemetry",
        "access_log access_log_options access_log_flush_interval flush_access_log_on_new_request tracing stat_prefix "
        "generate_request_id preserve_external_request_id always_set_request_id_in_response request_id_extension",
    ),
    Harmless(
        "network.http_connection_manager",
        EVERYWHERE,
        "headers and errors as the application sees them; a port is only taken off a host, which still has its route",
        "server_name server_header_transformation via add_user_agent use_remote_address xff_num_trusted_hops "
        "skip_xff_append append_x_forwarded_port original_ip_detection_extensions internal_address_config "
        "represent_ipv4_remote_address_as_ipv4_mapped_ipv6 forward_client_cert_details "
        "set_current_client_cert_details local_reply_config proxy_status_config append_local_overload normalize_path "
        "merge_slashes path_with_escaped_slashes_action path_normalization_options strip_matching_host_port "
        "strip_any_host_port strip_trailing_host_dot upgrade_configs/upgrade_type upgrade_configs/enabled",
    ),
    Harmless(
        "network.tcp_proxy",
        EVERYWHERE,
        "how long and how often, and telemetry; the cluster stays",
        "idle_timeout downstream_idle_timeout upstream_idle_timeout max_connect_attempts backoff_options "
        "max_downstream_connection_duration max_downstream_connection_duration_jitter_percentage access_log "
        "access_log_options access_log_flush_interval flush_access_log_on_connected stat_prefix",
    ),
    Harmless(
        "http.router",
        EVERYWHERE,
        "telemetry and Envoy's own headers; the route stays",
        "dynamic_stats start_child_span upstream_log upstream_log_options suppress_envoy_headers strict_check_headers "
        "respect_expected_rq_timeout suppress_grpc_request_failure_code_stats",
    ),
    Harmless(
        "ROUTE_CONFIGURATION",
        EVERYWHERE,
        "headers, sizes and settings of filters; hosts, routes and clusters stay",
        "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove "
        "internal_only_headers most_specific_header_mutations_wins max_direct_response_body_size_bytes "
        "ignore_port_in_host_matching typed_per_filter_config",
    ),
    Harmless(
        "VIRTUAL_HOST",
        EVERYWHERE,
        "headers, retries, limits and settings of filters; domains, routes and clusters stay",
        "name request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove "
        "retry_policy hedge_policy rate_limits cors include_request_attempt_count include_attempt_count_in_response "
        "include_is_timeout_retry_header per_request_buffer_limit_bytes request_body_buffer_limit virtual_clusters "
        "require_tls typed_per_filter_config",
    ),
    Harmless(
        "HTTP_ROUTE",
        EVERYWHERE,
        "headers, limits, telemetry and settings of filters; what it matches stays",
        "name request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove "
        "decorator tracing stat_prefix per_request_buffer_limit_bytes request_body_buffer_limit "
        "typed_per_filter_config",
    ),
    Harmless(
        "HTTP_ROUTE",
        EVERYWHERE,
        "times, retries and rewriting on the way to the same cluster",
        "route/timeout route/idle_timeout route/flush_timeout route/retry_policy route/hedge_policy "
        "route/max_stream_duration route/max_grpc_timeout route/grpc_timeout_offset route/hash_policy route/priority "
        "route/rate_limits route/include_vh_rate_limits route/cors route/prefix_rewrite route/regex_rewrite "
        "route/host_rewrite_literal route/host_rewrite_header route/auto_host_rewrite route/append_x_forwarded_host "
        "route/upgrade_configs/upgrade_type route/upgrade_configs/enabled route/cluster_not_found_response_code",
    ),
    Harmless("HTTP_ROUTE", EVERYWHERE, "the proxy answers itself, nothing is sent", "redirect direct_response"),
    Harmless(
        "BOOTSTRAP",
        EVERYWHERE,
        "telemetry, and how much a proxy may take",
        "stats_config stats_sinks stats_flush_interval stats_flush_on_admin stats_eviction_interval "
        "deferred_stat_options tracing enable_dispatcher_stats stats_server_version_override inline_headers "
        "application_log_config perf_tracing_file_path overload_manager watchdog watchdogs memory_allocator_manager "
        "layered_runtime/layers/name layered_runtime/layers/static_layer/overload "
        "layered_runtime/layers/static_layer/overload.global_downstream_max_connections "
        "layered_runtime/layers/static_layer/re2",
    ),
)

FILTERS: Tuple[Harmless, ...] = (
    Harmless(
        "http",
        EVERYWHERE,
        "they limit, refuse, measure or pack, and leave the route as it is",
        "adaptive_concurrency admission_control bandwidth_limit buffer cdn_loop compressor cors csrf decompressor "
        "fault grpc_stats grpc_web gzip health_check local_ratelimit rate_limit_quota ratelimit rbac",
    ),
    Harmless(
        "http",
        NOT_OUTBOUND,
        "they can change a request so that another route fits, or ask a service of their own",
        "api_key_auth basic_auth cache credential_injector custom_response ext_authz ext_proc geoip gcp_authn "
        "golang grpc_http1_bridge grpc_http1_reverse_bridge grpc_json_transcoder header_mutation header_to_metadata "
        "ip_tagging json_to_metadata jwt_authn lua oauth2 set_metadata stateful_session tap wasm",
    ),
    Harmless(
        "network",
        EVERYWHERE,
        "they limit, refuse or measure, and leave the cluster as it is",
        "connection_limit local_ratelimit ratelimit rbac",
    ),
    Harmless("network", NOT_OUTBOUND, "they ask a service, or look on", "ext_authz wasm"),
    Harmless("listener", EVERYWHERE, "it refuses", "local_ratelimit"),
)

PROXY_PROTOCOL = "listener.proxy_protocol"
"""At a gateway it tells the caller's address. At a sidecar the address that it names chooses the filter chain."""

KEEPALIVE = frozenset(((1, 9), (6, 4), (6, 5), (6, 6), (6, 18)))
"""Options of a socket (level, name) on Linux: SO_KEEPALIVE, TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT and _USER_TIMEOUT."""

OWN_CLUSTERS = frozenset(
    (
        "AllowAnyDynamicDNSCluster",
        "BlackHoleCluster",
        "InboundPassthroughCluster",
        "PassthroughCluster",
        "agent",
        "connect_originate",
        "encap",
        "inner_connect_originate",
        "main_internal",
        "outer_connect_originate",
        "prometheus_stats",
        "sds-files-grpc",
        "sds-grpc",
        "xds-grpc",
    )
)
"""Istio's, beside those with `|` in their names. Of two clusters with one name the first counts (normalizeClusters)."""
